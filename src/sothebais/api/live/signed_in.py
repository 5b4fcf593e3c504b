"""Which sign-ins, of people and of programs, still hold: a live connection is opened once and lasts for hours."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.users.tables import ApiKey, Session


async def still_valid(database: AsyncEngine, sessions: Collection[UUID], *, idle_s: int) -> set[UUID]:
    """Those of the sessions and API keys that have not ended, were not revoked and (sessions) are not idle too long."""
    now = sa.func.now()
    people = sa.select(Session.id).where(
        Session.id.in_(sessions),
        Session.revoked_at.is_(None),
        Session.expires_at > now,
        Session.last_seen_at > now - sa.literal(timedelta(seconds=idle_s)),
    )
    programs = sa.select(ApiKey.id).where(
        ApiKey.id.in_(sessions),
        ApiKey.revoked_at.is_(None),
        sa.or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
    )
    async with database.connect() as connection:
        return set((await connection.execute(people.union_all(programs))).scalars())
