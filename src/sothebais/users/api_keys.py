"""Keys of programs: ``Authorization: Bearer sbk_…``. Hashed, scoped, ending, revocable."""

import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import ids
from sothebais.clock import from_datetime
from sothebais.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from sothebais.events import log
from sothebais.users import events
from sothebais.users.service import STAFF, TOKEN_BYTES, TOKEN_LENGTH_MAX, Identity, token_hash
from sothebais.users.tables import ApiKey, Role, User

PREFIX = "sbk_"
NAME_LENGTH_MAX = 80
LIFE_DAYS_MAX = 366
KEYS_MAX = 20
TOUCH = timedelta(seconds=60)


class Scope(StrEnum):
    """What a key may be for. A key never may more than its owner, and never touches how its owner signs in."""

    READ = "read"
    BID = "bid"
    OPERATE = "operate"


class KeyInfo(NamedTuple):
    """A key as it may be shown: everything but the key."""

    id: UUID
    user: UUID
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


class ApiKeys:
    """Makes, lists, ends and recognises keys."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def create(
        self, user: UUID, name: str, scopes: Iterable[str], *, days: int, actor: UUID, role: Role
    ) -> tuple[KeyInfo, str]:
        """A new key of ``user``, and its text, which is told once. Raises InvalidInput, NotFound or Conflict.

        ``actor`` (of ``role``) makes it; both stand in the audit.
        """
        name = name.strip()
        wanted = _scopes(scopes)
        if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
            raise InvalidInput(f"The name of a key has 1 to {NAME_LENGTH_MAX} printable characters.", field="name")
        if not 1 <= days <= LIFE_DAYS_MAX:
            raise InvalidInput(f"A key lives 1 to {LIFE_DAYS_MAX} days.", field="days")
        key = ids.new_id()
        text = f"{PREFIX}{key.hex}.{secrets.token_urlsafe(TOKEN_BYTES)}"
        async with self._engine.begin() as connection:
            owner = (
                await connection.execute(
                    sa.select(User.erased_at).where(User.id == user).with_for_update(key_share=True)
                )
            ).one_or_none()
            if owner is None or owner.erased_at is not None:
                raise NotFound("There is no user with this id.")
            now: datetime = (await connection.execute(sa.select(sa.func.now()))).scalar_one()
            good = sa.select(sa.func.count()).where(
                ApiKey.user_id == user, ApiKey.revoked_at.is_(None), ApiKey.expires_at > now
            )
            if (await connection.execute(good)).scalar_one() >= KEYS_MAX:
                raise Conflict(f"There are {KEYS_MAX} keys already. Revoke one first.")
            await connection.execute(
                sa.insert(ApiKey).values(
                    id=key,
                    user_id=user,
                    name=name,
                    key_hash=token_hash(text),
                    scopes=list(wanted),
                    created_at=now,
                    expires_at=now + timedelta(days=days),
                )
            )
            made = events.action(
                user, "api_key.create", at=now, role=role, actor=actor, changed=tuple(f"scope:{one}" for one in wanted)
            )
            await log.append(connection, [made])
            return await self._one(connection, key), text

    async def keys_of(self, user: UUID | None = None, *, after: UUID | None = None, limit: int = 50) -> list[KeyInfo]:
        """Keys in the order in which they were made: of one person, or of everybody."""
        statement = sa.select(ApiKey).order_by(ApiKey.id).limit(limit)
        if user is not None:
            statement = statement.where(ApiKey.user_id == user)
        if after is not None:
            statement = statement.where(ApiKey.id > after)
        async with self._engine.connect() as connection:
            return [_info(row) for row in await connection.execute(statement)]

    async def revoke(
        self, key: UUID, *, actor: UUID, role: Role, owner: UUID | None = None, reason: str | None = None
    ) -> KeyInfo:
        """End a key; with ``owner`` only that person's. Doing it twice changes nothing. Raises NotFound."""
        async with self._engine.begin() as connection:
            found = await self._one(connection, key)
            if owner is not None and found.user != owner:
                raise NotFound("There is no API key with this id.")
            if found.revoked_at is not None:
                return found
            now: datetime = (await connection.execute(sa.select(sa.func.now()))).scalar_one()
            await connection.execute(sa.update(ApiKey).where(ApiKey.id == key).values(revoked_at=now))
            ended = events.action(found.user, "api_key.revoke", at=now, role=role, actor=actor, reason=reason)
            await log.append(connection, [ended])
            return await self._one(connection, key)

    async def authenticate(self, text: str) -> Identity:
        """Whose key this is, and what it allows. Raises Unauthenticated."""
        name, _, secret = text.removeprefix(PREFIX).partition(".")
        refusal = Unauthenticated("The API key is not valid, has ended or was revoked.")
        if not text.startswith(PREFIX) or len(text) > TOKEN_LENGTH_MAX or len(name) != 32 or not secret:
            raise refusal
        try:
            key = UUID(hex=name)
        except ValueError:
            raise refusal from None
        now = sa.func.now()
        statement = (
            sa.select(ApiKey, User.name.label("owner"), User.role, (now - ApiKey.last_used_at).label("unused"))
            .join(User, User.id == ApiKey.user_id)
            .where(ApiKey.id == key, ApiKey.revoked_at.is_(None), User.erased_at.is_(None))
            .where(sa.or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now))
            # a bidder who is blocked is told so with each bid; staff who are have no rights left
            .where(sa.or_(User.blocked.is_(False), User.role.not_in(STAFF)))
        )
        async with self._engine.begin() as connection:
            row = (await connection.execute(statement)).one_or_none()
            if row is None or not hmac.compare_digest(row.key_hash, token_hash(text)):
                raise refusal
            if row.unused is None or row.unused > TOUCH:
                await connection.execute(sa.update(ApiKey).where(ApiKey.id == key).values(last_used_at=now))
        return Identity(
            row.user_id, row.owner, row.role, row.id, frozenset(row.scopes), "api_key", from_datetime(row.created_at)
        )

    async def _one(self, connection: AsyncConnection, key: UUID) -> KeyInfo:
        row = (await connection.execute(sa.select(ApiKey).where(ApiKey.id == key))).one_or_none()
        if row is None:
            raise NotFound("There is no API key with this id.")
        return _info(row)


def _info(row: Any) -> KeyInfo:
    return KeyInfo(
        row.id, row.user_id, row.name, tuple(row.scopes), row.created_at, row.last_used_at, row.expires_at,
        row.revoked_at,
    )  # fmt: skip


def _scopes(given: Iterable[str]) -> tuple[str, ...]:
    wanted = set(given)
    if not wanted or not wanted <= {scope.value for scope in Scope}:
        raise InvalidInput(f"scopes are one or more of {', '.join(Scope)}.", field="scopes")
    return tuple(scope.value for scope in Scope if scope.value in wanted)
