"""The show's follower on a real house: what it tells is what the log says, however it came to know it."""

import contextlib
from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from tests.fakes.house import (
    MINUTE,
    a_collection,
    a_lot,
    a_user,
    advance,
    advanced_until,
    bid,
    eventually,
    step,
)

from sothebais import ids
from sothebais.auctions.engine import AuctionEngine
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
from sothebais.stream.show import LotStatus
from sothebais.users.tables import Role

HOUSE = snapshot.House(bid_url="https://house.test/auctions/{auction}", bid_hint="Scan to bid")


async def a_day(
    house: House, *, status: str = "AUCTION", lots: int = 2, opens_in: int = 0
) -> tuple[UUID, UUID, list[UUID]]:
    """A campaign with one day in this stage; the campaign, the day, its pieces."""
    slug, pieces = await a_collection(house, lots)
    campaign, day, now = ids.new_id(), ids.new_id(), house.now() + opens_in
    async with house.engine.begin() as connection:
        collection = (
            await connection.execute(sa.text("select id from collections where slug = :slug"), {"slug": slug})
        ).scalar_one()
        await connection.execute(
            sa.insert(Campaign).values(
                id=campaign, slug=slug, name="Rooms of Light", collection_id=collection, starts_on=date(2026, 5, 14),
                ends_on=date(2026, 5, 14), time_zone="Europe/Zurich", status="ACTIVE", rules={}, daily={}, version=3,
            )
        )  # fmt: skip
        await connection.execute(
            sa.insert(CampaignDay).values(
                id=day, campaign_id=campaign, number=1, date=date(2026, 5, 14), pre_auction_at=to_datetime(now - MINUTE),
                auction_at=to_datetime(now), post_auction_at=to_datetime(now + 60 * MINUTE),
                ends_at=to_datetime(now + 70 * MINUTE), status=status,
            )
        )  # fmt: skip
    await tell_stage(house, campaign, day, status, version=3)
    return campaign, day, pieces


async def tell_stage(house: House, campaign: UUID, day: UUID, stage: str, *, version: int) -> None:
    """The campaign's event of a stage, as its service writes it."""
    kind = {"PRE_AUCTION": "session:pre_auction", "AUCTION": "session:auction", "COMPLETED": "session:end"}[stage]
    data = {
        "day": str(day), "number": 1, "date": "2026-05-14", "stage": stage, "version": version, "lots": [],
        "completed": 0, "reason": None, "actor": None,
    }  # fmt: skip
    async with house.engine.begin() as connection:
        await connection.execute(
            sa.text("update campaign_days set status = :stage where id = :day"), {"stage": stage, "day": day}
        )
        await connection.execute(
            sa.text("update campaigns set version = :version where id = :id"), {"version": version, "id": campaign}
        )
        await log.append(connection, [log.event(kind, f"campaign:{campaign}", data, at=house.now())])


async def say(house: House, kind: str, data: dict[str, Any], *, subject: str = "agent:sable") -> UUID:
    """An event of the host or the stream."""
    source = Source.AGENT_SERVICE if kind.startswith("agent:") else Source.STREAM_MANAGER
    event = log.event(kind, subject, data, at=house.now(), source=source)
    async with house.engine.begin() as connection:
        await log.append(connection, [event])
    return event.id


def a_message(text: str) -> dict[str, Any]:
    return {
        "text": text, "place": "STREAM", "intent": "STORY", "priority": 50, "mood": "AMUSED", "to": None,
        "auction": None, "model": None, "fallback": False, "input_tokens": 0, "output_tokens": 0, "latency": 0,
        "blocked": [], "actor": None,
    }  # fmt: skip


@contextlib.asynccontextmanager
async def following(house: House, store: StateStore | None = None, **given: Any) -> AsyncIterator[Follower]:
    follower = Follower(house.database_url, store, clock=house.clock, house=HOUSE, **given)
    follower.start()
    try:
        yield follower
    finally:
        await follower.stop()
    assert follower.failed() is None


async def caught_up(house: House, follower: Follower) -> Change:
    """The follower's state when it has read all that stands in the log."""
    async with house.engine.connect() as connection:
        row = (
            await connection.execute(
                sa.text("select epoch, xid::text, seq from event_logs order by epoch desc, xid desc, seq desc limit 1")
            )
        ).one()

    async def look() -> Change | None:
        current = follower.current
        return current if current is not None and current.position == ".".join(map(str, row)) else None

    found = await eventually(look, "the follower reads the whole log")
    assert found is not None
    return found


async def folded(house: House, auction: UUID) -> Chronicle:
    """The same day folded from its beginning."""
    connection = await connect(house.database_url, name="test")
    try:
        facts = await snapshot.beginning(connection, auction, HOUSE)
        chronicle = Chronicle(facts)
        async for told in snapshot.whole(connection, facts):
            chronicle.apply(told)
        return chronicle
    finally:
        await connection.close()


async def taken_now(house: House, day: UUID) -> Chronicle:
    """The same day from a snapshot."""
    connection = await connect(house.database_url, name="test")
    try:
        return Chronicle(await snapshot.present(connection, day, HOUSE))
    finally:
        await connection.close()


async def test_what_a_follower_knows_is_what_a_snapshot_and_the_whole_log_say(
    house: House, engine: AuctionEngine
) -> None:
    _, day, pieces = await a_day(house)
    ana, bea, cleo = [await a_user(house, name) for name in ("ana", "bea", "cleo")]
    boss = await a_user(house, "boss", role=Role.OPERATOR)
    first = await a_lot(house, item=pieces[0], campaign_day=day, lasts=3 * MINUTE, reserve="1.5")
    second = await a_lot(
        house, item=pieces[1], campaign_day=day, number=2, opens_in=MINUTE, opens_after=first, format="ENGLISH"
    )

    async def all_agree() -> Change:
        change = await caught_up(house, follower)
        whole, now = await folded(house, first), await taken_now(house, day)
        for later in (0, 1_000, 20_000, 200_000, 3_700_000):
            t = house.now() + later
            states = [source.moment(t) for source in (whole, now)]
            # the snapshot's own place may be behind numbered events it has in it
            assert states[0].until == states[1].until
            assert without_position(states[0].state) == without_position(states[1].state)
        assert without_position(whole.state(house.now())) == without_position(change.state)
        return change

    async with following(house, day=day) as follower:
        await all_agree()
        await advance(engine, first)
        change = await all_agree()
        assert change.state.on_air.scene == "auction"
        assert change.state.lot is not None
        assert (change.state.lot.number, change.state.lot.status) == (1, LotStatus.ACTIVE)
        assert change.state.bid_url == f"https://house.test/auctions/{first}"
        await bid(engine, first, ana, "1", "3")
        one = await bid(engine, first, bea, "2")
        await bid(engine, first, cleo, "0.5")  # refused
        change = await all_agree()
        assert change.state.lot is not None
        assert [(shown.handle, shown.amount, shown.proxy) for shown in change.state.lot.bids] == [
            ("ana", "2.1", True), ("bea", "2", False), ("ana", "1.5", True), ("ana", "1", False)
        ]  # fmt: skip
        assert change.state.lot.reserve_met
        await step(engine, first, "VOID_BID", actor=boss, bid=UUID(one.data["bid"]))
        change = await all_agree()
        await step(engine, first, "PAUSE", actor=boss, reason="the line was lost")
        change = await all_agree()
        assert change.state.on_air.scene == "pause"
        assert change.state.notice.meaning.startswith("The line was lost. No bid is lost")
        await step(engine, first, "RESUME", actor=boss)
        await all_agree()
        await step(engine, first, "EXTEND", actor=boss, ends_at=house.now() + 9 * MINUTE)
        change = await all_agree()
        assert change.state.lot is not None
        assert change.state.lot.extended_at is not None
        await step(engine, first, "END", actor=boss)
        change = await all_agree()
        assert (change.state.on_air.scene, change.state.on_air.previous) == ("sold", "auction")
        assert change.state.lot is not None
        assert change.state.lot.leader == "ana"
        await advanced_until(house, engine, first, "ENDED")
        await step(engine, second, "START", actor=boss)
        change = await all_agree()
        assert change.state.lot is not None
        assert change.state.lot.number == 2
        await step(engine, second, "CANCEL", actor=boss)
        change = await all_agree()
        assert [(result.number, result.winner) for result in change.state.results] == [(1, "ana")]


def without_position(state: Any) -> Any:
    return msgspec.structs.replace(state, position=None)
