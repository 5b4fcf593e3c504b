"""Signing in of the staff: password, then a second factor. And making those accounts.

Whoever guesses learns nothing: an unknown account is answered in the same words, after the same work, and is slowed down
the same way.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import pyotp
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import ids
from sothebais.clock import Clock
from sothebais.errors import Conflict, InvalidInput, NotFound, ProofRefused, Unauthenticated
from sothebais.events import log as event_log
from sothebais.users import accounts, events
from sothebais.users.nonces import Nonces, Purpose
from sothebais.users.origin import Origin
from sothebais.users.passkeys import HOUSE_NAME, Passkeys
from sothebais.users.passwords import Passwords, check_strength
from sothebais.users.profile import parse_email
from sothebais.users.secret_box import SecretBox
from sothebais.users.service import Identity, SessionService
from sothebais.users.tables import Passkey, RecoveryCode, Role, User
from sothebais.users.throttle import Throttle

log = structlog.get_logger(__name__)

STAFF = (Role.OPERATOR, Role.ADMIN)
#: Second factors that may be tried with one ticket.
TRIES_MAX = 5
RECOVERY_CODES = 10
RECOVERY_BYTES = 10
TOTP_STEP_S = 30
#: A device's clock may be so many steps off, either way.
TOTP_DRIFT_STEPS = 1


@dataclass(frozen=True)
class Ticket:
    """The password was right; what is still to be shown, and what to show it with."""

    value: str = field(repr=False)
    expires_at: datetime
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Enrolment:
    """What a new member of the staff is told once."""

    user: UUID
    email: str
    role: Role
    totp_uri: str = field(repr=False)
    recovery_codes: tuple[str, ...] = field(repr=False)


class Staff:
    """Accounts with a password."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        nonces: Nonces,
        sessions: SessionService,
        box: SecretBox,
        passkeys: Passkeys,
        passwords: Passwords | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._nonces = nonces
        self._sessions = sessions
        self._box = box
        self._passkeys = passkeys
        self._passwords = passwords or Passwords()
        self._throttle = Throttle(engine)

    async def login(self, login: str, password: str, address: str) -> Ticket:
        """The first step. Raises Unauthenticated in the same words for an unknown account, RateLimited after failures."""
        # what PostgreSQL cannot hold is nobody's name, and is answered like it
        account = login.replace("\x00", "\ufffd").strip().lower()
        await self._throttle.check(account, address)
        statement = sa.select(User).where(
            sa.func.lower(User.email) == account, User.password_hash.is_not(None), User.blocked.is_(False)
        )
        async with self._engine.connect() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if not await self._passwords.verify(None if row is None else row.password_hash, password) or row is None:
            await self._throttle.failed(account, address)
            raise Unauthenticated("The sign-in name or the password is not right.")
        if self._passwords.is_outdated(row.password_hash):
            fresh = await self._passwords.hash(password)
            async with self._engine.begin() as connection:
                await connection.execute(
                    sa.update(User)
                    .where(User.id == row.id, User.password_hash == row.password_hash)
                    .values(password_hash=fresh)
                )
        ticket = await self._nonces.issue(Purpose.LOGIN, user=row.id, data={"account": account})
        return Ticket(ticket.value, ticket.expires_at, await self._methods(row.id))

    async def totp(
        self, ticket: str, code: str, address: str, *, user_agent: str | None = None
    ) -> tuple[Identity, str]:
        """The second step by a code of an authenticator app; each code is good once."""
        user, account = await self._try(ticket, address)
        if not await self._is_totp(user, code):
            raise await self._refused(user, account, address, "totp")
        return await self._enter(ticket, user, account, address, "password+totp", user_agent)

    async def recovery(
        self, ticket: str, code: str, address: str, *, user_agent: str | None = None
    ) -> tuple[Identity, str]:
        """The second step by a recovery code, which is used up."""
        user, account = await self._try(ticket, address)
        async with self._engine.begin() as connection:
            used = await connection.execute(
                sa.update(RecoveryCode)
                .where(
                    RecoveryCode.user_id == user,
                    RecoveryCode.code_hash == _recovery_hash(user, code),
                    RecoveryCode.used_at.is_(None),
                )
                .values(used_at=sa.func.now())
                .returning(RecoveryCode.id)
            )
            right = used.first() is not None
        if not right:
            raise await self._refused(user, account, address, "recovery")
        return await self._enter(ticket, user, account, address, "password+recovery", user_agent)

    async def passkey_options(self, ticket: str, address: str, origin: Origin) -> dict[str, Any]:
        """What the browser asks the passkey."""
        user, _ = await self._try(ticket, address)
        return await self._passkeys.authentication_options(user, origin)

    async def passkey(
        self, ticket: str, credential: dict[str, Any], address: str, origin: Origin, *, user_agent: str | None = None
    ) -> tuple[Identity, str]:
        """The second step by a passkey."""
        user, account = await self._try(ticket, address)
        if not await self._passkeys.check(user, credential, origin):
            raise await self._refused(user, account, address, "passkey")
        return await self._enter(ticket, user, account, address, "password+passkey", user_agent)

    async def change_password(self, person: Identity, current: str, new: str, address: str) -> None:
        """A new password; every other session of the person ends. Raises Unauthenticated for a wrong current one."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(sa.select(User).where(User.id == person.user))).one()
        if row.password_hash is None:
            raise Conflict("This account has no password.")
        account = row.email.lower()
        await self._throttle.check(account, address)
        if not await self._passwords.verify(row.password_hash, current):
            await self._throttle.failed(account, address)
            raise ProofRefused("The current password is not right.")
        check_strength(new, login=row.email)
        hashed = await self._passwords.hash(new)
        async with self._engine.begin() as connection:
            now, role = await accounts.lock(connection, person.user)
            await connection.execute(sa.update(User).where(User.id == person.user).values(password_hash=hashed))
            ended = await self._sessions.revoke_all(person.user, but=person.session, connection=connection)
            done = events.action(person.user, "password.change", at=now, role=role, changed=("password_hash",))
            await event_log.append(connection, [done])
        await self._sessions.forget(ended)

    async def new_recovery_codes(self, user: UUID) -> tuple[str, ...]:
        """Fresh recovery codes in place of the old ones; told once."""
        async with self._engine.begin() as connection:
            now, role = await accounts.lock(connection, user)
            codes = await _write_codes(connection, user)
            await event_log.append(connection, [events.action(user, "recovery_codes.renew", at=now, role=role)])
        return codes

    async def add(self, email: str, role: Role, password: str, *, actor: UUID) -> Enrolment:
        """A new member of the staff. Raises Conflict where the address is one's already, InvalidInput."""
        email = parse_email(email)
        if role not in STAFF:
            raise InvalidInput("The staff are OPERATOR or ADMIN.", field="role")
        check_strength(password, login=email)
        hashed = await self._passwords.hash(password)
        async with self._engine.begin() as connection:
            await connection.execute(
                sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"staff:{email.lower()}", 0)))
            )
            if await _find(connection, email) is not None:
                raise Conflict(f"{email} is on the staff already. `sothebais staff reset` gives new secrets.")
            user = await accounts.new_user(connection, email.partition("@")[0])
            await connection.execute(
                sa.update(User).where(User.id == user).values(email=email, role=role, password_hash=hashed)
            )
            return await self._equip(connection, user, email, role, actor, "staff.add")

    async def reset(self, email: str, password: str, *, actor: UUID) -> Enrolment:
        """New password, authenticator and recovery codes; passkeys go, every session ends. Raises NotFound."""
        check_strength(password, login=email)
        hashed = await self._passwords.hash(password)
        async with self._engine.begin() as connection:
            row = await _find(connection, email)
            if row is None:
                raise NotFound(f"{email} is not on the staff.")
            await connection.execute(sa.update(User).where(User.id == row.id).values(password_hash=hashed))
            await connection.execute(sa.delete(Passkey).where(Passkey.user_id == row.id))
            ended = await self._sessions.revoke_all(row.id, connection=connection)
            enrolment = await self._equip(connection, row.id, row.email, row.role, actor, "staff.reset")
        await self._sessions.forget(ended)
        return enrolment

    async def members(self) -> list[dict[str, Any]]:
        """Everybody on the staff, with what they can sign in by."""
        statement = (
            sa.select(
                User,
                sa.select(sa.func.count()).where(Passkey.user_id == User.id).scalar_subquery().label("passkeys"),
                sa.select(sa.func.count())
                .where(RecoveryCode.user_id == User.id, RecoveryCode.used_at.is_(None))
                .scalar_subquery()
                .label("recovery_codes"),
            )
            .where(User.password_hash.is_not(None))
            .order_by(User.id)
        )
        async with self._engine.connect() as connection:
            return [
                {
                    "id": row.id,
                    "email": row.email,
                    "role": row.role.value,
                    "blocked": row.blocked,
                    "totp": row.totp_secret is not None,
                    "passkeys": row.passkeys,
                    "recovery_codes": row.recovery_codes,
                }
                for row in await connection.execute(statement)
            ]

    async def _equip(
        self, connection: AsyncConnection, user: UUID, email: str, role: Role, actor: UUID, what: str
    ) -> Enrolment:
        secret = pyotp.random_base32()
        await connection.execute(
            sa.update(User)
            .where(User.id == user)
            .values(totp_secret=self._box.seal(secret.encode(), _context(user)), totp_last_step=None)
        )
        codes = await _write_codes(connection, user)
        now = (await connection.execute(sa.select(sa.func.now()))).scalar_one()
        # whoever runs the command line of the house may do everything
        done = events.action(user, what, at=now, role=Role.ADMIN, actor=actor)
        await event_log.append(connection, [done])
        uri = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=HOUSE_NAME)
        return Enrolment(user, email, role, uri, codes)

    async def _methods(self, user: UUID) -> tuple[str, ...]:
        statement = sa.select(
            sa.exists(sa.select(Passkey.id).where(Passkey.user_id == user)),
            sa.select(User.totp_secret.is_not(None)).where(User.id == user).scalar_subquery(),
            sa.exists(sa.select(RecoveryCode.id).where(RecoveryCode.user_id == user, RecoveryCode.used_at.is_(None))),
        )
        async with self._engine.connect() as connection:
            has = (await connection.execute(statement)).one()
        return tuple(name for name, there in zip(("passkey", "totp", "recovery"), has, strict=True) if there)

    async def _try(self, ticket: str, address: str) -> tuple[UUID, str]:
        """Who the ticket is of, tried once more."""
        taken = await self._nonces.try_(Purpose.LOGIN, ticket, tries_max=TRIES_MAX)
        if taken is None or taken.user is None:
            raise ProofRefused("This sign-in is over or was tried too often. Begin again with the password.")
        account: str = taken.data["account"]
        await self._throttle.check(account, address)
        return taken.user, account

    async def _refused(self, user: UUID, account: str, address: str, method: str) -> ProofRefused:
        await self._throttle.failed(account, address)
        log.warning("staff.second_factor_refused", user=str(user), method=method)
        return ProofRefused("The second factor is not right, or was used already.")

    async def _is_totp(self, user: UUID, code: str) -> bool:
        code = code.replace(" ", "")
        async with self._engine.begin() as connection:
            row = (
                await connection.execute(
                    sa.select(User.totp_secret, User.totp_last_step)
                    .where(User.id == user)
                    .with_for_update(key_share=True)
                )
            ).one()
            if row.totp_secret is None:
                return False
            otp = pyotp.TOTP(self._box.open(row.totp_secret, _context(user)).decode())
            present = self._clock.now() // 1_000 // TOTP_STEP_S
            # all are compared, so that the time it takes says nothing
            steps = range(present - TOTP_DRIFT_STEPS, present + TOTP_DRIFT_STEPS + 1)
            right = [
                step for step in steps if secrets.compare_digest(otp.at(step * TOTP_STEP_S).encode(), code.encode())
            ]
            if not right or (row.totp_last_step is not None and right[-1] <= row.totp_last_step):
                return False
            await connection.execute(sa.update(User).where(User.id == user).values(totp_last_step=right[-1]))
        return True

    async def _enter(
        self, ticket: str, user: UUID, account: str, address: str, method: str, user_agent: str | None
    ) -> tuple[Identity, str]:
        async with self._engine.begin() as connection:
            if await self._nonces.take(Purpose.LOGIN, ticket, connection=connection) is None:
                raise ProofRefused("This sign-in is over. Begin again with the password.")
            opened = await self._sessions.open(connection, user, method, user_agent=user_agent)
        await self._throttle.succeeded(account, address)
        return opened


async def _find(connection: AsyncConnection, email: str) -> Any:
    statement = (
        sa.select(User)
        .where(sa.func.lower(User.email) == email.strip().lower(), User.password_hash.is_not(None))
        .with_for_update(key_share=True)
    )
    return (await connection.execute(statement)).one_or_none()


async def _write_codes(connection: AsyncConnection, user: UUID) -> tuple[str, ...]:
    """New codes in place of all old ones."""
    await connection.execute(sa.delete(RecoveryCode).where(RecoveryCode.user_id == user))
    codes = tuple(_recovery_code() for _ in range(RECOVERY_CODES))
    rows = [{"id": ids.new_id(), "user_id": user, "code_hash": _recovery_hash(user, code)} for code in codes]
    await connection.execute(sa.insert(RecoveryCode), rows)
    return codes


def _recovery_code() -> str:
    digits = secrets.token_hex(RECOVERY_BYTES)
    return "-".join(digits[at : at + 5] for at in range(0, len(digits), 5))


def _recovery_hash(user: UUID, code: str) -> bytes:
    # 80 random bits need no slow hash
    plain = code.lower().replace("-", "").replace(" ", "")
    return hashlib.sha256(user.bytes + plain.encode()).digest()


def _context(user: UUID) -> str:
    return f"totp:{user}"
