"""Single-use challenges: handed out once, taken once, gone after minutes, whichever process is asked."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais.users.tables import Nonce

VALUE_BYTES = 24
LIFE_S = 300
#: Those of the past are swept away as new ones come, so many at a time.
SWEPT_AT_ONCE_MAX = 50
SWEPT_AFTER = timedelta(hours=1)


class Purpose(StrEnum):
    """What a challenge is for; one for this is nothing for that."""

    WALLET = "wallet"
    X = "x"
    LOGIN = "login"
    PASSKEY_NEW = "passkey-new"
    PASSKEY_USE = "passkey-use"


@dataclass(frozen=True)
class Taken:
    """A challenge that was taken; it will not be found again."""

    user: UUID | None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Issued:
    """A fresh challenge. Its text leaves the house; the database has a hash of it."""

    value: str = field(repr=False)
    expires_at: datetime


class Nonces:
    """The table of challenges."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def issue(
        self,
        purpose: Purpose,
        *,
        user: UUID | None = None,
        data: dict[str, Any] | None = None,
        value: str | None = None,
    ) -> Issued:
        """A new challenge for ``purpose``, good for ``LIFE_S``; letters and digits only."""
        value = value or secrets.token_hex(VALUE_BYTES)
        async with self._engine.begin() as connection:
            past = (
                sa.select(Nonce.value)
                .where(Nonce.expires_at < sa.func.now() - sa.literal(SWEPT_AFTER))
                .limit(SWEPT_AT_ONCE_MAX)
                .with_for_update(skip_locked=True)
            )
            await connection.execute(sa.delete(Nonce).where(Nonce.value.in_(past.scalar_subquery())))
            expires = (
                await connection.execute(
                    sa.insert(Nonce)
                    .values(
                        value=_kept(value),
                        purpose=purpose,
                        user_id=user,
                        data=data or {},
                        expires_at=sa.func.now() + sa.literal(timedelta(seconds=LIFE_S)),
                    )
                    .returning(Nonce.expires_at)
                )
            ).scalar_one()
        return Issued(value, expires)

    async def take(self, purpose: Purpose, value: str, *, connection: AsyncConnection | None = None) -> Taken | None:
        """The challenge, now used up; None for one that is unknown, over, used, or for something else."""
        if connection is None:
            # by itself, so that it stays used up whatever the caller makes of it
            async with self._engine.begin() as own:
                return await self.take(purpose, value, connection=own)
        row = (
            await connection.execute(
                sa.update(Nonce)
                .where(_open(purpose, value))
                .values(used_at=sa.func.now())
                .returning(Nonce.user_id, Nonce.data)
            )
        ).one_or_none()
        return None if row is None else Taken(row.user_id, row.data)

    async def try_(self, purpose: Purpose, value: str, *, tries_max: int) -> Taken | None:
        """The challenge, counted as tried once more; it stays open. None once it was tried ``tries_max`` times."""
        async with self._engine.begin() as connection:
            row = (
                await connection.execute(
                    sa.update(Nonce)
                    .where(_open(purpose, value), Nonce.tries < tries_max)
                    .values(tries=Nonce.tries + 1)
                    .returning(Nonce.user_id, Nonce.data)
                )
            ).one_or_none()
        return None if row is None else Taken(row.user_id, row.data)


def _open(purpose: Purpose, value: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        Nonce.value == _kept(value), Nonce.purpose == purpose, Nonce.used_at.is_(None), Nonce.expires_at > sa.func.now()
    )


def _kept(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
