"""Campaigns on a real PostgreSQL, in virtual time: instants are passed in, nothing sleeps."""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais import ids
from sothebais.auctions.campaign_port import CampaignLots
from sothebais.auctions.model import Status
from sothebais.auctions.tables import Auction, AuctionSecret
from sothebais.campaigns import schedule, service
from sothebais.campaigns.model import (
    CampaignPlan,
    CampaignStatus,
    Daily,
    ListedOrder,
    LotRules,
    ShuffledOrder,
)
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.catalog.tables import ArtItem, Collection
from sothebais.db import migrations
from sothebais.db.engine import create_engine
from sothebais.embedded import EmbeddedServers
from sothebais.errors import Conflict, IllegalTransition, InvalidAmount, InvalidInput, NotFound
from sothebais.events import log
from sothebais.events.tables import EventLog
from sothebais.events.types import validate_data
from sothebais.instants import Millis, from_datetime, to_datetime

LOTS = CampaignLots(commit_timeout_s=1.5)
MINUTE = 60_000
NOW = from_datetime(datetime(2026, 3, 1, 12, tzinfo=UTC))
SECRET_RESERVE = Decimal("7.654321")
numbers = count(1)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="sc-"))
    folder.chmod(0o755)
    with EmbeddedServers(folder / "data", valkey=False) as servers:
        assert servers.database_url is not None

        async def prepare(url: str) -> None:
            engine = create_engine(url)
            await migrations.upgrade(engine)
            async with engine.begin() as connection:
                await log.ensure_epoch(connection)
            await engine.dispose()

        asyncio.run(prepare(servers.database_url))
        yield servers.database_url
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    """The database with no campaign under way, so that a test advances its own only."""
    made = create_engine(database)
    async with made.begin() as connection:
        await connection.execute(sa.update(Campaign).values(status=CampaignStatus.CANCELLED))
    yield made
    await made.dispose()


async def a_collection(engine: AsyncEngine, items: int = 6) -> str:
    """A collection of that many art items, token ids from 1; its slug."""
    slug = f"collection-{next(numbers)}"
    collection = ids.new_id()
    async with engine.begin() as connection:
        await connection.execute(sa.insert(Collection).values(id=collection, slug=slug, name=slug))
        rows = [
            {
                "id": ids.new_id(),
                "collection_id": collection,
                "token_id": str(i + 1),
                "name": f"Piece {i + 1}",
                "metadata": {},
                "position": i,
            }
            for i in range(items)
        ]
        if rows:
            await connection.execute(sa.insert(ArtItem), rows)
    return slug


RULES = LotRules(currency="ETH", starting_price=Decimal("0.5"), closing_grace=2_000)
DAILY = Daily(
    pre_auction=time(18),
    auction=time(18, 15),
    lot_duration=2 * MINUTE,
    gap=30_000,
    lots_per_day=2,
    post_auction=10 * MINUTE,
)
BERLIN = schedule.find_zone("Europe/Berlin")
#: Berlin's clocks go forward on the second day.
DATES = schedule.dates_between(date(2026, 3, 28), date(2026, 3, 30))


async def a_plan(engine: AsyncEngine, *, pieces: int = 6, **given: Any) -> CampaignPlan:
    """Three days around a change of the clocks with two lots each."""
    values: dict[str, Any] = {
        "name": "Spring",
        "slug": f"spring-{next(numbers)}",
        "collection": given.get("collection") or await a_collection(engine, pieces),
        "days": schedule.plan_days(DATES, BERLIN, DAILY),
        "daily": DAILY,
        "time_zone": "Europe/Berlin",
        "rules": RULES,
    }
    return CampaignPlan(**(values | given))


async def started(engine: AsyncEngine, **given: Any) -> tuple[UUID, CampaignPlan]:
    plan = await a_plan(engine, **given)
    campaign = await service.create(engine, plan, LOTS, NOW)
    await service.start(engine, campaign, NOW)
    return campaign, plan


async def lots_end(engine: AsyncEngine, at: Millis, *days: int) -> None:
    """As the auction clock would: the lots of these days are over since ``at``."""
    async with engine.begin() as connection:
        await connection.execute(
            sa.update(Auction)
            .where(
                Auction.campaign_day_id.in_(sa.select(CampaignDay.id).where(CampaignDay.number.in_(days))),
                Auction.status.not_in([Status.ENDED, Status.CANCELLED]),
            )
            .values(status=Status.ENDED, outcome="PASSED", ended_at=to_datetime(at))
        )


async def told(engine: AsyncEngine, campaign: UUID) -> list[Any]:
    """The campaign's events in order, every one valid, its versions without gap."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            sa.select(EventLog.type, EventLog.data, EventLog.timestamp)
            .where(EventLog.subject == f"campaign:{campaign}")
            .order_by(EventLog.xid, EventLog.seq)
        )
        events = rows.all()
    for event in events:
        validate_data(event.type, event.data)
    versions = [event.data["version"] for event in events]
    assert versions == list(range(versions[0], versions[0] + len(versions))) if versions else True
    return list(events)


async def kinds(engine: AsyncEngine, campaign: UUID) -> list[str]:
    """The events after the campaign was started, as words: ``"1 session:start"`` with the number of the day."""
    events = [event for event in await told(engine, campaign) if event.type != "campaign:scheduled"]
    return [f"{event.data['number']} {event.type}" if "number" in event.data else event.type for event in events]


def of_day(number: int) -> list[str]:
    return [f"{number} session:{stage}" for stage in ("start", "pre_auction", "auction", "post_auction", "end")]


async def stages(engine: AsyncEngine, campaign: UUID) -> tuple[str, list[str]]:
    found, days, _ = await service.plan(engine, campaign, LOTS)
    return str(found.status), [str(day.status) for day in days]


async def everything(engine: AsyncEngine) -> list[Any]:
    """How much there is of everything a campaign writes."""
    async with engine.connect() as connection:
        tables = (Campaign, CampaignDay, Auction, AuctionSecret, EventLog)
        return [
            (await connection.execute(sa.select(sa.func.count()).select_from(table))).scalar_one() for table in tables
        ]


async def test_a_campaign_goes_through_its_days_as_time_comes(engine: AsyncEngine) -> None:
    campaign, plan = await started(engine)
    assert await stages(engine, campaign) == ("SCHEDULED", ["SCHEDULED"] * 3)
    expected: list[str] = []
    for day in plan.days:
        assert await service.advance(engine, LOTS, day.pre_auction_at - 1) == day.pre_auction_at
        assert await kinds(engine, campaign) == expected
        assert await service.advance(engine, LOTS, day.pre_auction_at) == day.auction_at
        if day.number == 1:
            expected.append("campaign:start")
        expected += of_day(day.number)[:2]
        assert await kinds(engine, campaign) == expected
        assert await service.advance(engine, LOTS, day.auction_at) == day.post_auction_at
        assert await service.advance(engine, LOTS, day.post_auction_at) == day.post_auction_at + service.LOTS_WAIT_MS
        expected += of_day(day.number)[2:3]
        assert await kinds(engine, campaign) == expected
        late = day.post_auction_at + 2_345
        await lots_end(engine, late, day.number)
        assert await service.advance(engine, LOTS, late) == late + DAILY.post_auction
        assert await service.advance(engine, LOTS, day.ends_at) == late + DAILY.post_auction
        await service.advance(engine, LOTS, late + DAILY.post_auction)
        expected += of_day(day.number)[3:]
        if day.number < 3:
            assert await kinds(engine, campaign) == expected
    assert await kinds(engine, campaign) == [*expected, "campaign:end"]
    assert await stages(engine, campaign) == ("COMPLETED", ["COMPLETED"] * 3)
    assert await service.advance(engine, LOTS, plan.days[-1].ends_at + 86_400_000) is None
    assert (await told(engine, campaign))[-1].data["outcome"] == "COMPLETED"


async def test_a_plan_becomes_days_and_lots_that_open_one_after_the_other(engine: AsyncEngine) -> None:
    plan = await a_plan(engine, premium_percent=Decimal(5), fee=Decimal("0.01"), description="Six pieces.")
    campaign = await service.create(engine, plan, LOTS, NOW)
    details, days, lots = await service.plan(engine, plan.slug, LOTS)
    assert (details.id, details.status, details.version) == (campaign, CampaignStatus.DRAFT, 0)
    assert (details.starts_on, details.ends_on) == (date(2026, 3, 28), date(2026, 3, 30))
    assert details.daily["lot_duration"] == "2m"
    for day, planned in zip(days, plan.days, strict=True):
        for name in ("number", "date", "pre_auction_at", "auction_at", "post_auction_at", "ends_at"):
            assert getattr(day, name) == getattr(planned, name)
    slots = [slot for day in plan.days for slot in day.slots]
    assert [(lot.lot_number, lot.starts_at, lot.ends_at) for lot in lots] == [
        (slot.number, slot.starts_at, slot.ends_at) for slot in slots
    ]
    assert [lot.title for lot in lots] == [f"Piece {i}" for i in range(1, 7)]
    async with engine.begin() as connection:
        await connection.execute(sa.text("update art_items set name = 'Renamed'"))
    assert (await service.plan(engine, plan.slug, LOTS))[2] == lots
    async with engine.connect() as connection:
        rows = await connection.execute(
            sa.select(Auction.opens_after_id, Auction.terms, Auction.hard_close_at)
            .join(CampaignDay, CampaignDay.id == Auction.campaign_day_id)
            .where(CampaignDay.campaign_id == campaign)
            .order_by(Auction.lot_number)
        )
        found = rows.all()
    assert [row.opens_after_id for row in found] == [None, lots[0].id, None, lots[2].id, None, lots[4].id]
    assert {row.terms["premium_percent"] for row in found} == {"5"}
    assert {row.terms["fee"] for row in found} == {"0.01"}
    assert from_datetime(found[0].hard_close_at) == lots[0].ends_at + RULES.hard_close_after
    # wall-clock times keep on both sides of the change of clocks
    assert [to_datetime(day.pre_auction_at).hour for day in days] == [17, 16, 16]


async def test_a_reserve_is_kept_where_only_the_engine_reads(engine: AsyncEngine) -> None:
    rules = replace(RULES, reserve=SECRET_RESERVE)
    plan = await a_plan(engine, rules=rules, items={"2": replace(rules, reserve=Decimal(9)), "3": RULES})
    campaign = await service.create(engine, plan, LOTS, NOW)
    details, days, lots = await service.plan(engine, campaign, LOTS)
    assert str(SECRET_RESERVE) not in repr((plan, details, days, lots))
    async with engine.connect() as connection:
        kept = await connection.execute(
            sa.select(Auction.lot_number, AuctionSecret.reserve)
            .join(AuctionSecret, AuctionSecret.auction_id == Auction.id)
            .where(Auction.campaign_day_id.in_([day.id for day in days]))
            .order_by(Auction.lot_number)
        )
        assert kept.all() == [(n, SECRET_RESERVE if n != 2 else 9) for n in (1, 2, 4, 5, 6)]
        for table in (Campaign, CampaignDay, Auction, EventLog):
            text = sa.cast(sa.literal_column(f"{table.__tablename__}.*::text"), sa.Text)
            rows = await connection.execute(sa.select(text).select_from(table))
            assert not [row for row in rows.scalars() if str(SECRET_RESERVE) in row]


async def test_a_draft_stays_where_it_is(engine: AsyncEngine) -> None:
    plan = await a_plan(engine)
    campaign = await service.create(engine, plan, LOTS, NOW)
    assert await service.advance(engine, LOTS, plan.days[-1].ends_at) is None
    assert await stages(engine, campaign) == ("DRAFT", ["SCHEDULED"] * 3)
    assert await told(engine, campaign) == []


async def test_after_a_stall_every_stage_is_taken_in_order(engine: AsyncEngine) -> None:
    campaign, plan = await started(engine)
    late = plan.days[-1].ends_at + 86_400_000
    await lots_end(engine, plan.days[0].post_auction_at, 1)
    await lots_end(engine, plan.days[1].post_auction_at, 2)
    assert await service.advance(engine, LOTS, late) == late + service.LOTS_WAIT_MS
    assert await kinds(engine, campaign) == ["campaign:start", *of_day(1), *of_day(2), *of_day(3)[:3]]
    # the lots of the last day end now, so its post-auction has its length from now
    await lots_end(engine, late, 3)
    assert await service.advance(engine, LOTS, late + 1) == late + DAILY.post_auction
    assert await service.advance(engine, LOTS, late + DAILY.post_auction) is None
    assert await kinds(engine, campaign) == ["campaign:start", *of_day(1), *of_day(2), *of_day(3), "campaign:end"]
    assert {event.timestamp for event in (await told(engine, campaign))[1:]} == {
        to_datetime(at) for at in (late, late + 1, late + DAILY.post_auction)
    }


async def test_two_days_that_both_wait_take_their_stages_in_the_order_of_their_times(engine: AsyncEngine) -> None:
    campaign, plan = await started(engine)
    await service.advance(engine, LOTS, plan.days[1].auction_at)
    assert await kinds(engine, campaign) == ["campaign:start", *of_day(1)[:3], *of_day(2)[:3]]
    assert await stages(engine, campaign) == ("ACTIVE", ["AUCTION", "AUCTION", "SCHEDULED"])


async def test_advancing_again_does_nothing(engine: AsyncEngine) -> None:
    campaign, plan = await started(engine)
    at = plan.days[0].auction_at
    first = await service.advance(engine, LOTS, at)
    before = await everything(engine), await told(engine, campaign)
    assert await service.advance(engine, LOTS, at) == first
    async with engine.begin() as connection:
        assert await service.advance(connection, LOTS, at) == first
    assert (await everything(engine), await told(engine, campaign)) == before


async def test_advancers_at_the_same_time_tell_each_step_once(engine: AsyncEngine, database: str) -> None:
    plans = [await started(engine) for _ in range(3)]
    await lots_end(engine, plans[0][1].days[0].post_auction_at, 1, 2, 3)
    others = [create_engine(database) for _ in range(4)]
    try:
        for day in plans[0][1].days:
            for at in (day.auction_at, day.ends_at):
                await asyncio.gather(*(service.advance(other, LOTS, at) for other in others))
    finally:
        for other in others:
            await other.dispose()
    expected = ["campaign:start", *of_day(1), *of_day(2), *of_day(3), "campaign:end"]
    for campaign, _ in plans:
        assert await kinds(engine, campaign) == expected
        assert await stages(engine, campaign) == ("COMPLETED", ["COMPLETED"] * 3)


async def test_a_step_that_cannot_be_told_is_not_taken(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign, plan = await started(engine)
    append, calls = log.append, []

    async def fails_late(connection: Any, records: Any) -> None:
        calls.append(records)
        await append(connection, records)
        if len(calls) == 3:
            raise ConnectionError("gone")

    monkeypatch.setattr(log, "append", fails_late)
    with pytest.raises(ConnectionError):
        await service.advance(engine, LOTS, plan.days[0].auction_at)
    assert await stages(engine, campaign) == ("SCHEDULED", ["SCHEDULED"] * 3)
    assert await kinds(engine, campaign) == []
    monkeypatch.undo()
    await service.advance(engine, LOTS, plan.days[0].auction_at)
    assert await kinds(engine, campaign) == ["campaign:start", *of_day(1)[:3]]


async def test_cancelling_takes_running_lots_too_and_leaves_what_is_over(engine: AsyncEngine) -> None:
    campaign, plan = await started(engine)
    at = plan.days[1].auction_at
    await lots_end(engine, plan.days[0].post_auction_at, 1)
    await service.advance(engine, LOTS, plan.days[0].ends_at)
    await service.advance(engine, LOTS, at)
    _, _, lots = await service.plan(engine, campaign, LOTS)
    async with engine.begin() as connection:
        for lot, values in (
            (lots[2], {"status": Status.ACTIVE}),
            (lots[3], {"status": Status.PAUSED, "paused_at": to_datetime(at)}),
            (lots[4], {"status": Status.CLOSING}),
        ):
            await connection.execute(sa.update(Auction).where(Auction.id == lot.id).values(**values))
    actor = ids.new_id()
    count = await service.cancel(engine, campaign, reason=" The venue burns. ", actor=actor, scheduler=LOTS, now=at + 5)
    assert count == 4
    assert await stages(engine, campaign) == ("CANCELLED", ["COMPLETED", "CANCELLED", "CANCELLED"])
    _, _, lots = await service.plan(engine, campaign, LOTS)
    assert [lot.status for lot in lots] == ["ENDED"] * 2 + ["CANCELLED"] * 4
    expected = ["campaign:start", *of_day(1), *of_day(2)[:3], "2 session:end", "3 session:end", "campaign:end"]
    assert await kinds(engine, campaign) == expected
    last = (await told(engine, campaign))[-3:]
    assert [event.data["reason"] for event in last] == ["The venue burns."] * 3
    assert [event.data.get("stage", event.data.get("outcome")) for event in last] == ["CANCELLED"] * 3
    assert [event.data["completed"] for event in last[:2]] == [2, 2]
    for lot in lots[2:]:
        await assert_chained(engine, lot.id, actor)
    assert await service.advance(engine, LOTS, plan.days[-1].ends_at) is None


async def test_a_cancellation_that_waits_for_a_lot_stands_after_what_it_waited_for(
    engine: AsyncEngine, database: str
) -> None:
    campaign, plan = await started(engine)
    _, _, lots = await service.plan(engine, campaign, LOTS)
    lot, at = lots[3], plan.days[1].auction_at
    other = create_engine(database)
    async with other.begin() as bidding:
        await LOTS.lock(bidding, [lot.day])
        cancelling = asyncio.create_task(
            service.cancel(engine, campaign, reason="Late", actor=None, scheduler=LOTS, now=at)
        )
        waiting = sa.text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
        while not (await bidding.execute(waiting)).scalar_one():
            assert not cancelling.done()
        row = (await bidding.execute(sa.select(Auction.log_n, Auction.log_hash).where(Auction.id == lot.id))).one()
        data = log.canonical({"status": "ACTIVE"})
        digest = log.chain_hash(data, 2, row.log_hash, at, "auction:start")
        event = log.event("auction:start", f"auction:{lot.id}", {"status": "ACTIVE"}, at=at)
        await log.append(bidding, [replace(event, n=2, prev_hash=row.log_hash, hash=digest)])
        await bidding.execute(
            sa.update(Auction).where(Auction.id == lot.id).values(status=Status.ACTIVE, log_n=2, log_hash=digest)
        )
    assert await cancelling == 6
    await other.dispose()
    async with engine.connect() as connection:
        rows = await connection.execute(
            sa.select(EventLog.n, EventLog.type)
            .where(EventLog.subject == f"auction:{lot.id}")
            .order_by(EventLog.xid, EventLog.seq)
        )
        assert rows.all() == [(1, "auction:scheduled"), (2, "auction:start"), (3, "auction:cancelled")]


async def assert_chained(engine: AsyncEngine, auction: UUID, actor: UUID) -> None:
    """The lot's log holds its beginning and its cancellation, linked, and its row their head."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            sa.select(EventLog.__table__).where(EventLog.subject == f"auction:{auction}").order_by(EventLog.n)
        )
        events = rows.mappings().all()
        head = (
            await connection.execute(
                sa.select(Auction.log_n, Auction.log_hash, Auction.ended_at, Auction.paused_at).where(
                    Auction.id == auction
                )
            )
        ).one()
    assert [(event["n"], event["type"]) for event in events] == [(1, "auction:scheduled"), (2, "auction:cancelled")]
    before = log.GENESIS
    for event in events:
        validate_data(event["type"], event["data"])
        data, at = log.canonical(event["data"]), from_datetime(event["timestamp"])
        assert event["prev_hash"] == before
        assert event["hash"] == log.chain_hash(data, event["n"], before, at, event["type"])
        before = event["hash"]
    assert events[-1]["data"]["cause"] == "The venue burns."
    assert events[-1]["data"]["actor"] == str(actor)
    assert (head.log_n, head.log_hash, head.paused_at) == (2, before, None)
    assert head.ended_at is not None


async def test_a_draft_can_be_cancelled_and_its_art_items_are_free_again(engine: AsyncEngine) -> None:
    plan = await a_plan(engine)
    campaign = await service.create(engine, plan, LOTS, NOW)
    await service.cancel(engine, plan.slug, reason="A better idea", actor=None, scheduler=LOTS, now=NOW)
    assert await kinds(engine, campaign) == [*(f"{n} session:end" for n in (1, 2, 3)), "campaign:end"]
    again = await a_plan(engine, collection=plan.collection)
    await service.create(engine, again, LOTS, NOW)
    for refused in (plan.slug, campaign):
        with pytest.raises(IllegalTransition, match="CANCELLED cannot be cancelled"):
            await service.cancel(engine, refused, reason="Twice", actor=None, scheduler=LOTS, now=NOW)
        with pytest.raises(IllegalTransition, match="CANCELLED cannot be started"):
            await service.start(engine, refused, NOW)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
async def test_cancelling_needs_a_reason(engine: AsyncEngine, reason: str) -> None:
    campaign, _ = await started(engine)
    before = await everything(engine)
    with pytest.raises(InvalidInput, match="reason"):
        await service.cancel(engine, campaign, reason=reason, actor=None, scheduler=LOTS, now=NOW)
    assert await everything(engine) == before
    assert (await stages(engine, campaign))[0] == "SCHEDULED"


async def test_a_campaign_starts_once_and_not_after_its_time(engine: AsyncEngine) -> None:
    plan = await a_plan(engine)
    campaign = await service.create(engine, plan, LOTS, NOW)
    opens = plan.days[0].auction_at
    with pytest.raises(Conflict, match=r"2026-03-28T17:15:00.000Z, which is over"):
        await service.start(engine, campaign, opens)
    assert await stages(engine, campaign) == ("DRAFT", ["SCHEDULED"] * 3)
    details = await service.start(engine, plan.slug, opens - 1)
    assert (details.status, details.version) == (CampaignStatus.SCHEDULED, 1)
    with pytest.raises(IllegalTransition, match="SCHEDULED cannot be started"):
        await service.start(engine, campaign, NOW)


async def test_a_campaign_nobody_has_heard_of(engine: AsyncEngine) -> None:
    for unknown in ("no-such-campaign", ids.new_id(), str(ids.new_id()), "'; drop table campaigns; --"):
        with pytest.raises(NotFound):
            await service.start(engine, unknown, NOW)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"collection": "no-such"}, NotFound, "collection: there is no collection 'no-such'"),
        ({"pieces": 5}, InvalidInput, "6 lots but only 5 art items"),
        ({"pieces": 0}, InvalidInput, "only 0 art items"),
        ({"days": ()}, InvalidInput, "at least one day"),
        ({"now": from_datetime(datetime(2026, 3, 28, 17, 15, tzinfo=UTC))}, InvalidInput, "dates: .* is over"),
        ({"rules": replace(RULES, currency="XYZ")}, InvalidAmount, "rules: Currency 'XYZ'"),
        ({"rules": replace(RULES, closing_grace=1_500)}, InvalidInput, r"rules\.closing_grace: .*1\.5 s"),
        ({"rules": replace(RULES, increment="often")}, InvalidAmount, r"rules\.increment: "),
        ({"rules": replace(RULES, format="SWISS")}, InvalidInput, r"rules\.format: use one of"),
        ({"rules": replace(RULES, starting_price=Decimal(0))}, InvalidAmount, r"rules\.starting_price: "),
        ({"items": {"2": replace(RULES, format="DUTCH")}}, InvalidInput, r"items\.2\.format: "),
        ({"items": {"7": RULES}}, InvalidInput, r"items\.7: this art item is not in the campaign"),
        ({"premium_percent": Decimal(101)}, InvalidAmount, r"fees\.premium_percent: "),
        ({"order": ListedOrder(("1", "2", "3", "4", "5", "9"))}, InvalidInput, "order: .* no art item 9"),
        ({"order": ListedOrder(("1", "2"))}, InvalidInput, "only 2 art items"),
        ({"pieces": 7, "order": ListedOrder(tuple("1234567"))}, InvalidInput, "order: 7 art items .* for 6 lots"),
    ],
)
async def test_a_plan_that_cannot_be_held_changes_nothing(
    engine: AsyncEngine, given: dict[str, Any], error: type[Exception], words: str
) -> None:
    given = dict(given)
    now = given.pop("now", NOW)
    plan = await a_plan(engine, **given)
    before = await everything(engine)
    with pytest.raises(error, match=words):
        await service.create(engine, plan, LOTS, now)
    assert await everything(engine) == before


async def test_a_lot_that_cannot_be_written_takes_the_whole_campaign_with_it(engine: AsyncEngine) -> None:
    plan = await a_plan(engine)

    class Tired(CampaignLots):
        async def schedule(self, connection: Any, lots: Any, now: Millis) -> None:
            if any(lot.lot_number == 5 for lot in lots):
                raise InvalidInput("no more")
            await super().schedule(connection, lots, now)

    before = await everything(engine)
    with pytest.raises(InvalidInput, match="no more"):
        await service.create(engine, plan, Tired(), NOW)
    assert await everything(engine) == before


async def test_a_slug_is_used_once(engine: AsyncEngine) -> None:
    plan = await a_plan(engine)
    await service.create(engine, plan, LOTS, NOW)
    before = await everything(engine)
    with pytest.raises(Conflict, match=f"slug: there is a campaign '{plan.slug}' already"):
        await service.create(engine, await a_plan(engine, slug=plan.slug), LOTS, NOW)
    assert await everything(engine) == before


async def test_an_art_item_is_in_one_unfinished_campaign_only(engine: AsyncEngine) -> None:
    plan = await a_plan(engine, pieces=9)
    await service.create(engine, plan, LOTS, NOW)
    with pytest.raises(InvalidInput, match=r"only 3 art items .* are free"):
        await service.create(engine, await a_plan(engine, collection=plan.collection), LOTS, NOW)
    await lots_end(engine, NOW, 1, 2, 3)  # passed, but their campaign may still offer them again
    listed = ListedOrder(("7", "8", "9", "1", "2", "3"))
    with pytest.raises(Conflict, match="order: art item 1 is"):
        await service.create(engine, await a_plan(engine, collection=plan.collection, order=listed), LOTS, NOW)


async def test_campaigns_made_at_the_same_time_share_no_art_item(engine: AsyncEngine) -> None:
    collection = await a_collection(engine, 12)
    plans = [await a_plan(engine, collection=collection) for _ in range(3)]
    results = await asyncio.gather(*(service.create(engine, plan, LOTS, NOW) for plan in plans), return_exceptions=True)
    made = [result for result in results if isinstance(result, UUID)]
    assert len(made) == 2
    assert [type(result) for result in results if not isinstance(result, UUID)] == [InvalidInput]
    pieces = [lot.art_item for campaign in made for lot in (await service.plan(engine, campaign, LOTS))[2]]
    assert len(set(pieces)) == len(pieces) == 12


async def test_what_was_sold_is_not_offered_again_and_what_passed_is(engine: AsyncEngine) -> None:
    campaign, plan = await started(engine)
    details, _, lots = await service.plan(engine, campaign, LOTS)
    await lots_end(engine, plan.days[0].post_auction_at, 1, 2, 3)
    await service.advance(engine, LOTS, plan.days[-1].ends_at)
    async with engine.begin() as connection:
        # sold to nobody: the constraint that a winner is named is not what is tested here
        await connection.execute(sa.text("alter table auctions drop constraint ck_auctions_sold_to_somebody"))
        await connection.execute(sa.update(Auction).where(Auction.id == lots[0].id).values(outcome="SOLD"))
        taken = await LOTS.taken(connection, details.collection)
        await connection.rollback()
    assert taken == {lots[0].art_item}
    again = await a_plan(engine, collection=plan.collection)
    assert await service.create(engine, again, LOTS, NOW)


async def test_a_shuffle_can_be_recomputed(engine: AsyncEngine) -> None:
    collection = await a_collection(engine, 6)
    orders = []
    for seed in ("42", "42", "43"):
        plan = await a_plan(engine, collection=collection, order=ShuffledOrder(seed))
        campaign = await service.create(engine, plan, LOTS, NOW)
        orders.append([lot.title for lot in (await service.plan(engine, campaign, LOTS))[2]])
        await service.cancel(engine, campaign, reason="again", actor=None, scheduler=LOTS, now=NOW)
    assert orders[0] == orders[1] != orders[2]
    by_hash = sorted((str(i) for i in range(1, 7)), key=lambda token: hashlib.sha256(f"42:{token}".encode()).digest())
    assert orders[0] == [f"Piece {token}" for token in by_hash]


async def test_a_day_for_a_demo_is_over_in_seconds(engine: AsyncEngine) -> None:
    days = schedule.immediate(NOW, pre_auction_ms=1_000, lot_ms=2_000, gap_ms=500, lots=3, post_ms=700)
    plan = await a_plan(engine, pieces=3, days=days, daily=None, time_zone="UTC")
    campaign = await service.create(engine, plan, LOTS, NOW)
    await service.start(engine, campaign, NOW + 20)
    assert await service.advance(engine, LOTS, NOW + 20) == NOW + 1_000
    await service.advance(engine, LOTS, NOW + 1_000)
    await lots_end(engine, NOW + 8_100, 1)
    assert await service.advance(engine, LOTS, NOW + 8_100) == NOW + 8_100 + 700
    assert await service.advance(engine, LOTS, NOW + 9_000) is None
    assert await kinds(engine, campaign) == ["campaign:start", *of_day(1), "campaign:end"]
