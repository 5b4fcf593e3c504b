"""The ways somebody signs in, and the people behind them."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais import ids
from sothebais.errors import Conflict
from sothebais.users.tables import Role, SocialAccount, User, Wallet

NAME_LENGTH_MAX = 80


async def new_user(connection: AsyncConnection, name: str, *, avatar: str | None = None) -> UUID:
    """A person who has just come in for the first time."""
    user = ids.new_id()
    await connection.execute(
        sa.insert(User).values(id=user, name=name[:NAME_LENGTH_MAX], avatar=avatar, role=Role.BIDDER)
    )
    return user


async def lock(connection: AsyncConnection, user: UUID) -> tuple[datetime, Role]:
    """Hold the person's row until the transaction ends: what is linked and unlinked comes one after the other."""
    row = (
        await connection.execute(
            sa.select(User.role, sa.func.now().label("now")).where(User.id == user).with_for_update(key_share=True)
        )
    ).one()
    return row.now, row.role


async def keep_a_way_in(connection: AsyncConnection, user: UUID) -> None:
    """Raises Conflict when nothing would be left by which the person signs in; after the deletion, before the commit."""
    ways = sa.select(
        sa.exists(sa.select(Wallet.id).where(Wallet.user_id == user))
        | sa.exists(sa.select(SocialAccount.id).where(SocialAccount.user_id == user))
        | sa.exists(sa.select(User.id).where(User.id == user, User.password_hash.is_not(None)))
    )
    if not (await connection.execute(ways)).scalar_one():
        raise Conflict("This is your last way to sign in. Link another one first.")
