"""When bidding was last known to work, for all processes of the house to see; outages are measured from it (ADR 6)."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from sothebais.auctions.model import Status
from sothebais.auctions.tables import Auction, ServicePulse
from sothebais.clock import Millis, from_datetime, to_datetime
from sothebais.db.engine import CONNECTION_ERRORS

#: It is noted so often.
EVERY_S = 1.0
_BIDDING = "bidding"
_LOCK = 0x70756C7365

_READ = f"""
select clock_timestamp() as now, (select at from {ServicePulse.__tablename__} where name = '{_BIDDING}') as at
"""  # noqa: S608
_WRITE = f"""
insert into {ServicePulse.__tablename__} (name, at) values ('{_BIDDING}', $1)
on conflict (name) do update set at = greatest(excluded.at, {ServicePulse.__tablename__}.at)
"""  # noqa: S608
#: Where no clock has run there is none to refresh.
_REFRESH = f"""
update {ServicePulse.__tablename__} set at = greatest(clock_timestamp(), at) where name = '{_BIDDING}'
"""  # noqa: S608
_RUNNING = f"select id from {Auction.__tablename__} where status in ('{Status.ACTIVE}', '{Status.CLOSING}') order by id"  # noqa: S608


@contextlib.asynccontextmanager
async def held(connection: Any) -> AsyncIterator[None]:
    """One process measures an outage and gives the time back; the others wait and find nothing left to do.

    The lock is the session's, because giving back takes transactions of its own.
    """
    await connection.execute(f"select pg_advisory_lock({_LOCK})")
    try:
        yield
    finally:
        if not connection.is_closed():
            with contextlib.suppress(*CONNECTION_ERRORS):
                await connection.execute(f"select pg_advisory_unlock({_LOCK})")


async def read(connection: Any) -> tuple[Millis | None, Millis]:
    """When bidding was last known to work, None where no clock has run yet; and the time now."""
    row = await connection.fetchrow(_READ)
    return None if row["at"] is None else from_datetime(row["at"]), from_datetime(row["now"])


async def write(connection: Any, at: Millis) -> None:
    """Bidding works at ``at``."""
    await connection.execute(_WRITE, to_datetime(at))


async def refresh(connection: Any) -> None:
    """Bidding works now, where anybody has said before that it does."""
    await connection.execute(_REFRESH)


async def running_lots(connection: Any) -> list[UUID]:
    """The lots an outage takes time from."""
    return [row["id"] for row in await connection.fetch(_RUNNING)]
