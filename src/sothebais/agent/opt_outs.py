"""Whom the host leaves alone, kept by the house: a wish like that outlives a process, and holds in every one."""

from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais.agent.tables import HostOptOut

_TABLE: Final[Any] = HostOptOut.__table__


async def left_alone(connection: AsyncConnection, user: UUID) -> bool:
    """Whether somebody wants no answer."""
    statement = sa.select(sa.exists().where(_TABLE.c.user_id == user))
    return bool((await connection.execute(statement)).scalar_one())


async def store(connection: AsyncConnection, user: UUID, *, alone: bool) -> None:
    """Leave somebody alone from now on, or no longer."""
    if alone:
        await connection.execute(insert(_TABLE).values(user_id=user).on_conflict_do_nothing())
    else:
        await connection.execute(sa.delete(_TABLE).where(_TABLE.c.user_id == user))
