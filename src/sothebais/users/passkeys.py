"""Passkeys (WebAuthn): the two ceremonies. The challenge of each is single-use and kept by the house.

The library is imported where a ceremony begins: it takes a fifth of a second, and most processes never see a passkey.
"""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import ids
from sothebais.errors import Conflict, InvalidInput, NotFound, ProofRefused
from sothebais.events import log
from sothebais.users import accounts, events
from sothebais.users.nonces import LIFE_S, Nonces, Purpose
from sothebais.users.origin import Origin
from sothebais.users.tables import Passkey, User

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

HOUSE_NAME = "SothebAIs"
PASSKEYS_MAX = 10
NAME_LENGTH_MAX = 80
TIMEOUT_MS = LIFE_S * 1_000


class Passkeys:
    """Registers and checks the passkeys of the staff. They are a second factor: the password came first."""

    def __init__(self, engine: AsyncEngine, nonces: Nonces) -> None:
        self._engine = engine
        self._nonces = nonces

    async def registration_options(self, user: UUID, origin: Origin) -> dict[str, Any]:
        """What ``navigator.credentials.create`` is given."""
        import webauthn
        from webauthn.helpers import options_to_json_dict
        from webauthn.helpers.structs import (
            AuthenticatorSelectionCriteria,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        async with self._engine.connect() as connection:
            row = (await connection.execute(sa.select(User.name, User.email).where(User.id == user))).one()
            known = await _credentials(connection, user)
        if len(known) >= PASSKEYS_MAX:
            raise Conflict(f"You have {PASSKEYS_MAX} passkeys already. Remove one first.")
        options = webauthn.generate_registration_options(
            rp_id=origin.host,
            rp_name=HOUSE_NAME,
            user_id=user.bytes,
            user_name=row.email or row.name,
            user_display_name=row.name,
            timeout=TIMEOUT_MS,
            exclude_credentials=known,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.PREFERRED
            ),
        )
        body = options_to_json_dict(options)
        await self._nonces.issue(Purpose.PASSKEY_NEW, user=user, value=body["challenge"])
        return body

    async def register(self, user: UUID, name: str, credential: dict[str, Any], origin: Origin) -> dict[str, Any]:
        """Keep a new passkey. Raises ProofRefused, InvalidInput or Conflict."""
        import webauthn

        name = name.strip()
        if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
            raise InvalidInput(f"The name of a passkey has 1 to {NAME_LENGTH_MAX} printable characters.", field="name")
        challenge = await self._challenge(Purpose.PASSKEY_NEW, credential, user)
        try:
            made = webauthn.verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=origin.host,
                expected_origin=str(origin),
            )
        except Exception:  # noqa: BLE001 - whatever a hostile answer makes the parser raise is a refusal
            raise ProofRefused("The passkey's answer does not fit. Begin again.") from None
        async with self._engine.begin() as connection:
            now, role = await accounts.lock(connection, user)
            if len(await _credentials(connection, user)) >= PASSKEYS_MAX:
                raise Conflict(f"You have {PASSKEYS_MAX} passkeys already. Remove one first.")
            taken = sa.select(sa.exists(sa.select(Passkey.id).where(Passkey.credential_id == made.credential_id)))
            if (await connection.execute(taken)).scalar_one():
                raise Conflict("This passkey is registered already.")
            passkey = ids.new_id()
            await connection.execute(
                sa.insert(Passkey).values(
                    id=passkey,
                    user_id=user,
                    name=name,
                    credential_id=made.credential_id,
                    public_key=made.credential_public_key,
                    sign_count=made.sign_count,
                )
            )
            await log.append(connection, [events.action(user, "passkey.add", at=now, role=role)])
        return {"id": passkey, "name": name, "created_at": now, "last_used_at": None}

    async def of(self, user: UUID) -> list[dict[str, Any]]:
        """The person's passkeys."""
        statement = sa.select(Passkey).where(Passkey.user_id == user).order_by(Passkey.id)
        async with self._engine.connect() as connection:
            return [
                {"id": row.id, "name": row.name, "created_at": row.created_at, "last_used_at": row.last_used_at}
                for row in await connection.execute(statement)
            ]

    async def remove(self, user: UUID, passkey: UUID) -> None:
        """Forget a passkey. Raises NotFound."""
        async with self._engine.begin() as connection:
            now, role = await accounts.lock(connection, user)
            gone = await connection.execute(
                sa.delete(Passkey).where(Passkey.id == passkey, Passkey.user_id == user).returning(Passkey.id)
            )
            if gone.first() is None:
                raise NotFound("You have no passkey with this id.")
            await log.append(connection, [events.action(user, "passkey.remove", at=now, role=role)])

    async def authentication_options(self, user: UUID, origin: Origin) -> dict[str, Any]:
        """What ``navigator.credentials.get`` is given. Raises Conflict for somebody without a passkey."""
        import webauthn
        from webauthn.helpers import options_to_json_dict
        from webauthn.helpers.structs import UserVerificationRequirement

        async with self._engine.connect() as connection:
            known = await _credentials(connection, user)
        if not known:
            raise Conflict("This account has no passkey. Use another second factor.")
        options = webauthn.generate_authentication_options(
            rp_id=origin.host,
            timeout=TIMEOUT_MS,
            allow_credentials=known,
            user_verification=UserVerificationRequirement.PREFERRED,
        )
        body = options_to_json_dict(options)
        await self._nonces.issue(Purpose.PASSKEY_USE, user=user, value=body["challenge"])
        return body

    async def check(self, user: UUID, credential: dict[str, Any], origin: Origin) -> bool:
        """Whether the answer is one of the person's passkeys'. Its counter never goes back."""
        import webauthn
        from webauthn.helpers import base64url_to_bytes

        try:
            challenge = await self._challenge(Purpose.PASSKEY_USE, credential, user)
            credential_id = base64url_to_bytes(credential["rawId"])
        except (ProofRefused, InvalidInput, KeyError, TypeError, ValueError, AttributeError):
            return False
        async with self._engine.begin() as connection:
            row = (
                await connection.execute(
                    sa.select(Passkey)
                    .where(Passkey.credential_id == credential_id, Passkey.user_id == user)
                    .with_for_update()
                )
            ).one_or_none()
            if row is None:
                return False
            try:
                used = webauthn.verify_authentication_response(
                    credential=credential,
                    expected_challenge=challenge,
                    expected_rp_id=origin.host,
                    expected_origin=str(origin),
                    credential_public_key=row.public_key,
                    credential_current_sign_count=row.sign_count,
                )
            except Exception:  # noqa: BLE001 - whatever a hostile answer makes the parser raise is a refusal
                return False
            await connection.execute(
                sa.update(Passkey)
                .where(Passkey.id == row.id)
                .values(sign_count=used.new_sign_count, last_used_at=sa.func.now())
            )
        return True

    async def _challenge(self, purpose: Purpose, credential: dict[str, Any], user: UUID) -> bytes:
        """The challenge that the answer names, used up now. Raises ProofRefused unless it was made for this person."""
        from webauthn.helpers import base64url_to_bytes

        try:
            said = msgspec.json.decode(base64url_to_bytes(credential["response"]["clientDataJSON"]))
            challenge = said["challenge"]
            given = base64url_to_bytes(challenge)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InvalidInput("This is not the answer of an authenticator.", field="credential") from None
        taken = await self._nonces.take(purpose, challenge)
        if taken is None or taken.user != user:
            raise ProofRefused("This challenge is not yours, was used, or is over. Begin again.")
        return given


async def _credentials(connection: AsyncConnection, user: UUID) -> "list[PublicKeyCredentialDescriptor]":
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    found = await connection.execute(
        sa.select(Passkey.credential_id).where(Passkey.user_id == user).order_by(Passkey.id)
    )
    return [PublicKeyCredentialDescriptor(id=credential) for credential in found.scalars()]
