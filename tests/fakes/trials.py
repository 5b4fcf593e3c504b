"""A house whose time stands still until a test moves it, and what tests of lots ask of it.

PostgreSQL's ``clock_timestamp()`` is the engine's only clock. ``HouseTime`` puts a function of that name before the
server's own on a test's database, so that closing, grace, pauses and outages are tried without waiting for them.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from sothebais import ids
from sothebais.auctions import audit, repository
from sothebais.auctions.commands import AdvanceAuction, OverrideAuction, PlaceBid
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.model import Override, Source
from sothebais.bootstrap import House
from sothebais.clock import Millis, to_datetime
from sothebais.events.types import validate_data

_INSTALL = """
create schema trial;
create table trial.instant (at timestamptz not null);
insert into trial.instant values ('epoch');
create function public.clock_timestamp() returns timestamptz language sql volatile as 'select at from trial.instant';
do $$ begin execute format('alter database %I set search_path = public, pg_catalog', current_database()); end $$
"""
#: Where a test's time begins.
BEGINNING: Millis = 1_800_000_000_000


class HouseTime:
    """The time of one database and of its house (``house.clock``): it moves only when a test moves it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._now = BEGINNING

    @classmethod
    async def of(cls, house: House) -> "HouseTime":
        """Stop the clocks of this house. Before anything has connected to its database."""
        connection = await asyncpg.connect(house.database_url)
        await connection.execute(_INSTALL)
        made = cls(connection)
        await made.to(BEGINNING)
        house.clock = made  # type: ignore[assignment]
        return made

    async def close(self) -> None:
        """Let go of the connection."""
        await self._connection.close()

    async def to(self, instant: Millis) -> Millis:
        """Set the time; the time."""
        self._now = instant
        await self._connection.execute("update trial.instant set at = $1", to_datetime(instant))
        return instant

    async def on(self, by: Millis) -> Millis:
        """Let so much time pass; the time."""
        return await self.to(self._now + by)

    def now(self) -> Millis:
        return self._now

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"somebody sleeps {seconds} s in a house whose time stands still")


async def events_of(house: House, auction: UUID) -> list[dict[str, Any]]:
    """A lot's log as everybody gets it; each event fits its strict model."""
    events = [event async for event in repository.log(house.engine, auction)]
    for event in events:
        validate_data(event["type"], event["data"])
    return events


async def row_of(house: House, auction: UUID) -> Mapping[str, Any]:
    """The lot's row."""
    connection = await asyncpg.connect(house.database_url)
    try:
        return dict(await connection.fetchrow("select * from auctions where id = $1", auction))
    finally:
        await connection.close()


async def rows_of(house: House, query: str, *arguments: Any) -> list[Mapping[str, Any]]:
    """The rows of a query."""
    connection = await asyncpg.connect(house.database_url)
    try:
        return [dict(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


async def openings_of(house: House, auction: UUID) -> list[dict[str, Any]]:
    """The openings of all accepted bids, from where only the engine may look."""
    rows = await rows_of(
        house,
        "select b.id, s.max_amount, s.salt from bids b join bid_secrets s on s.bid_id = b.id where b.auction_id = $1",
        auction,
    )
    return [{"bid": str(row["id"]), "max_amount": f"{row['max_amount']:f}", "salt": row["salt"].hex()} for row in rows]


async def verified(house: House, auction: UUID) -> audit.Report:
    """The lot's log, verified blindly and with every opening; both prove the same."""
    events = await events_of(house, auction)
    n, digest = await repository.head(house.engine, auction)
    blind = audit.verify(events, head=(n, digest.hex()))
    openings = [one | {"max_amount": canonical_amount(one["max_amount"])} for one in await openings_of(house, auction)]
    seeing = audit.verify(events, openings=openings, head=(n, digest.hex()))
    assert (blind.winner, blind.price, blind.outcome) == (seeing.winner, seeing.price, seeing.outcome)
    assert seeing.exact
    return seeing


def canonical_amount(text: str) -> str:
    """An amount of a ``numeric`` column as the house writes it."""
    return text.rstrip("0").rstrip(".") if "." in text else text


async def every_event_fits(house: House) -> int:
    """All events of the house fit their strict models; how many there are."""
    rows = await rows_of(house, "select type, data::text as data from event_logs")
    for row in rows:
        validate_data(row["type"], msgspec.json.decode(row["data"]))
    return len(rows)


def bid_of(auction: UUID, user: UUID, amount: Any, maximum: Any = None, *, at: Millis, **more: Any) -> PlaceBid:
    """A bid that was made and received ``at``, unless ``more`` says otherwise."""
    given: dict[str, Any] = {
        "bid": ids.new_id(),
        "auction": auction,
        "user": user,
        "amount": amount,
        "max_amount": maximum,
        "currency": "EUR",
        "confirm": True,
        "source": Source.API,
        "received_at": at,
        "effective_at": at,
    }
    return PlaceBid(**given | more)


def step_of(auction: UUID, actor: UUID | None, kind: Any, **more: Any) -> OverrideAuction:
    """An operator's step."""
    return OverrideAuction(auction=auction, actor=actor, step=Override(kind=kind, reason="because", **more))


async def looked_at(engine: AuctionEngine, auctions: Iterable[UUID], outage: Any = None) -> None:
    """Have the engine look at the lots, one after the other."""
    for auction in auctions:
        await engine.advance(AdvanceAuction(auction=auction, outage=outage))
