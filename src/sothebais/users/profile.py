"""What somebody says of themselves: name, address, picture."""

import re
import unicodedata
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.errors import Conflict, InvalidInput
from sothebais.events import log
from sothebais.users import accounts, events
from sothebais.users.accounts import NAME_LENGTH_MAX
from sothebais.users.tables import SocialAccount, User, Wallet

EMAIL_LENGTH_MAX = 254
AVATAR_LENGTH_MAX = 2_048
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*", re.ASCII)
_HOST = re.compile(r"(?:[a-z0-9-]{1,63}\.)+[a-z][a-z0-9-]{0,62}", re.ASCII)
#: Characters that show nothing, or turn the text around them: names that look alike are made of them.
_UNSEEN = frozenset(("Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"))


def parse_name(text: str) -> str:
    """A name as it is kept. Raises InvalidInput."""
    name = " ".join(unicodedata.normalize("NFC", text).split(" ")).strip()
    if not 1 <= len(name) <= NAME_LENGTH_MAX:
        raise InvalidInput(f"A name has 1 to {NAME_LENGTH_MAX} characters.", field="name")
    if any(unicodedata.category(character) in _UNSEEN for character in name):
        raise InvalidInput("A name has no characters that cannot be seen.", field="name")
    return name


def parse_email(text: str) -> str:
    """An e-mail address as it is kept. Raises InvalidInput."""
    email = text.strip()
    if len(email) > EMAIL_LENGTH_MAX or not _EMAIL.fullmatch(email):
        raise InvalidInput("This is not an e-mail address.", field="email")
    return email


def parse_avatar(text: str) -> str:
    """The address of a picture: https, a named host, nothing of a secret in it. Raises InvalidInput."""
    try:
        parts = urlsplit(text)
        good = (
            len(text) <= AVATAR_LENGTH_MAX
            and text.isascii()
            and text.isprintable()
            and " " not in text
            and parts.scheme == "https"
            and parts.username is None
            and parts.password is None
            and parts.port in (None, 443)
            and _HOST.fullmatch(parts.hostname or "") is not None
        )
    except ValueError:
        good = False
    if not good:
        raise InvalidInput("A picture's address begins with https:// and a host's name.", field="avatar")
    return text


class Profiles:
    """Reads and changes what people say of themselves."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def of(self, user: UUID) -> dict[str, Any]:
        """The person, with the ways to sign in."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(sa.select(User).where(User.id == user))).one()
            accounts_ = await connection.execute(
                sa.select(SocialAccount).where(SocialAccount.user_id == user).order_by(SocialAccount.id)
            )
            wallets = await connection.execute(sa.select(Wallet).where(Wallet.user_id == user).order_by(Wallet.id))
            return {
                "id": row.id,
                "handle": row.name,
                "name": row.name,
                "email": row.email,
                "avatar": row.avatar,
                "role": row.role.value,
                "blocked": row.blocked,
                "created_at": row.created_at,
                "accounts": [{"id": one.id, "platform": one.platform, "handle": one.handle} for one in accounts_],
                "wallets": [{"id": one.id, "chain": one.chain, "address": one.address} for one in wallets],
            }

    async def change(self, user: UUID, given: dict[str, str | None]) -> dict[str, Any]:
        """Take over ``name``, ``email``, ``avatar`` as far as given; None clears the last two. Raises InvalidInput."""
        values: dict[str, str | None] = {}
        for field, parse in (("name", parse_name), ("email", parse_email), ("avatar", parse_avatar)):
            if field in given:
                text = given[field]
                if text is None and field == "name":
                    raise InvalidInput("A name cannot be taken away.", field="name")
                values[field] = None if text is None else parse(text)
        async with self._engine.begin() as connection:
            now, role = await accounts.lock(connection, user)
            row = (await connection.execute(sa.select(User).where(User.id == user))).one()
            changed = tuple(field for field, value in values.items() if getattr(row, field) != value)
            if "email" in changed and row.password_hash is not None:
                raise Conflict("You sign in by your address; `sothebais staff` is where that changes.")
            if changed:
                await connection.execute(
                    sa.update(User).where(User.id == user).values({field: values[field] for field in changed})
                )
                done = events.action(user, "user.change", at=now, role=role, changed=changed)
                await log.append(connection, [done])
        return await self.of(user)
