"""A campaign day, a host that speaks, and the show of it folded in every way there is."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from msgspec.structs import replace
from tests.fakes.house import MINUTE, a_collection, eventually

from sothebais import ids
from sothebais.bootstrap import House
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.clock import to_datetime
from sothebais.db.engine import connect
from sothebais.events import log
from sothebais.events.types.base import Source
from sothebais.state.store import StateStore
from sothebais.stream import snapshot
from sothebais.stream.chronicle import Chronicle
from sothebais.stream.follower import Change, Follower
from sothebais.stream.show import ShowState

#: What the picture says of the house in tests.
SHOWN = snapshot.House(bid_url="https://house.test/auctions/{auction}", bid_hint="Scan to bid")
_STAGES = {
    "PRE_AUCTION": "session:pre_auction",
    "AUCTION": "session:auction",
    "POST_AUCTION": "session:post_auction",
    "COMPLETED": "session:end",
}


async def a_day(
    house: House,
    *,
    status: str = "AUCTION",
    lots: int = 2,
    begins_in: int = 0,
    version: int = 3,
    furnish: Callable[[], Awaitable[None]] | None = None,
) -> tuple[UUID, UUID, list[UUID]]:
    """A campaign with one day in this stage: the campaign, the day, and pieces for its lots. ``furnish`` is called when
    there are pieces and no day yet."""
    slug, pieces = await a_collection(house, lots)
    if furnish is not None:
        await furnish()
    campaign, day, now = ids.new_id(), ids.new_id(), house.now() + begins_in
    async with house.engine.begin() as connection:
        found = await connection.execute(sa.text("select id from collections where slug = :slug"), {"slug": slug})
        await connection.execute(
            sa.insert(Campaign).values(
                id=campaign, slug=slug, name="Rooms of Light", collection_id=found.scalar_one(),
                starts_on=date(2026, 5, 14), ends_on=date(2026, 5, 14), time_zone="Europe/Zurich", status="ACTIVE",
                rules={}, daily={}, version=version,
            )
        )  # fmt: skip
        await connection.execute(
            sa.insert(CampaignDay).values(
                id=day, campaign_id=campaign, number=1, date=date(2026, 5, 14), status=status,
                pre_auction_at=to_datetime(now - MINUTE), auction_at=to_datetime(now),
                post_auction_at=to_datetime(now + 60 * MINUTE), ends_at=to_datetime(now + 70 * MINUTE),
            )
        )  # fmt: skip
    if status in _STAGES:
        await a_stage(house, campaign, day, status, version=version)
    return campaign, day, pieces


async def a_stage(
    house: House, campaign: UUID, day: UUID, stage: str, *, version: int, lots: Sequence[UUID] = ()
) -> None:
    """The day enters a stage, as its service writes it."""
    data = {
        "day": str(day), "number": 1, "date": "2026-05-14", "stage": stage, "version": version, "lots": [str(lot) for lot in lots],
        "completed": 0, "reason": None, "actor": None,
    }  # fmt: skip
    async with house.engine.begin() as connection:
        await connection.execute(
            sa.text("update campaign_days set status = :stage where id = :day"), {"stage": stage, "day": day}
        )
        await connection.execute(
            sa.text("update campaigns set version = :version where id = :id"), {"version": version, "id": campaign}
        )
        await log.append(connection, [log.event(_STAGES[stage], f"campaign:{campaign}", data, at=house.now())])


async def tell(house: House, kind: str, data: dict[str, Any]) -> UUID:
    """An event of the host or of the stream; its id."""
    host = kind.startswith("agent:")
    event = log.event(
        kind,
        "agent:sable" if host else "stream:main",
        data,
        at=house.now(),
        source=Source.AGENT_SERVICE if host else Source.STREAM_MANAGER,
    )
    async with house.engine.begin() as connection:
        await log.append(connection, [event])
    return event.id


def a_message(text: str, *, place: str = "STREAM", auction: str | None = None) -> dict[str, Any]:
    """What ``agent:message`` says."""
    return {
        "text": text, "place": place, "intent": "STORY", "priority": 50, "mood": "HAPPY", "to": None,
        "auction": auction, "model": None, "fallback": False, "input_tokens": 0, "output_tokens": 0, "latency": 0,
        "blocked": [], "actor": None,
    }  # fmt: skip


def a_speech(message: UUID, starts_at: int, duration: int = 1_000) -> dict[str, Any]:
    """What ``agent:speech`` says."""
    return {
        "message": str(message), "voice": "test", "starts_at": starts_at, "duration": duration,
        "words": [{"text": "word", "start": 0, "end": duration}],
        "mouth": [{"at": 0, "opening": 2}, {"at": duration // 2, "opening": 1}, {"at": duration, "opening": 0}],
    }  # fmt: skip


def a_mood(mood: str, intensity: int = 80, previous: str = "NEUTRAL") -> dict[str, Any]:
    """What ``agent:mood`` says."""
    return {
        "mood": mood, "intensity": intensity, "previous_mood": previous, "previous_intensity": 0, "trigger": "a bid",
    }  # fmt: skip


def a_scene(scene: str, actor: UUID | None, *, revision: int = 0, transition: str = "cut") -> dict[str, Any]:
    """What ``stream:scene:update`` says."""
    return {
        "scene": scene, "previous_scene": None, "revision": revision, "transition": transition, "duration": 400,
        "auction": None, "cause": "for the test", "actor": None if actor is None else str(actor),
    }  # fmt: skip


async def _shown() -> snapshot.House:
    return SHOWN


@contextlib.asynccontextmanager
async def following(
    house: House,
    store: StateStore | None = None,
    *,
    pictured: Callable[[], Awaitable[snapshot.House]] = _shown,
    **given: Any,
) -> AsyncIterator[Follower]:
    """A follower at work; one that failed by itself fails the test."""
    follower = Follower(house.database_url, store, clock=house.clock, house=pictured, **given)
    follower.start()
    try:
        yield follower
    finally:
        failed = follower.failed()
        await follower.stop()
    assert failed is None


async def caught_up(house: House, follower: Follower) -> Change:
    """What the follower tells when it has read all that stands in the log."""
    end = sa.text("select epoch, xid::text, seq from event_logs order by epoch desc, xid desc, seq desc limit 1")
    async with house.engine.connect() as connection:
        row = (await connection.execute(end)).one()

    async def look() -> Change | None:
        current = follower.current
        return current if current is not None and current.position == ".".join(map(str, row)) else None

    found = await eventually(look, "the follower reads the whole log")
    assert found is not None
    return found


async def folded(house: House, auction: UUID) -> Chronicle:
    """The auction's day folded from its beginning."""
    connection = await connect(house.database_url, name="test")
    try:
        facts = await snapshot.beginning(connection, auction, SHOWN)
        chronicle = Chronicle(facts)
        async with contextlib.aclosing(snapshot.whole(connection, facts)) as events:
            async for told in events:
                chronicle.apply(told)
        return chronicle
    finally:
        await connection.close()


async def taken_now(house: House, day: UUID | None) -> Chronicle:
    """The day from a snapshot."""
    connection = await connect(house.database_url, name="test")
    try:
        return Chronicle(await snapshot.present(connection, day, SHOWN))
    finally:
        await connection.close()


def without_position(state: ShowState) -> ShowState:
    """The state but for its place in the log: a snapshot's may be behind numbered events that are in it already."""
    return replace(state, position=None)
