"""After every action the Redis state folded from events is what a rebuild from the tables would write."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from tests.fakes.house import (
    a_collection,
    a_lot,
    a_user,
    advance,
    advanced_until,
    an_open_lot,
    bid,
    block,
    eventually,
    running,
    step,
    whole_log,
)

from sothebais.api import privacy
from sothebais.auctions import audit
from sothebais.auctions.answers import Answer
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.campaigns import schedule, service
from sothebais.campaigns.model import CampaignPlan, LotRules
from sothebais.clock import from_datetime
from sothebais.db.engine import connect
from sothebais.events import cursors, relay, replay
from sothebais.events.log import START
from sothebais.events.relay import Relay
from sothebais.events.types import CHANNELS, parse_event
from sothebais.state import keys
from sothebais.state.store import StateStore

#: A lot that is over soon.
SHORT: dict[str, Any] = {"lasts": 250, "hard_close_after": 5_000, "closing_grace": 20, "max_post_delay": 20}


async def everything(store: StateStore) -> bytes:
    """All values that Redis has."""
    found = await store.keys("*")
    return b" ".join(value for value in await store.get_many(found) if value is not None)


class Verifier:
    """A relay that has folded every event since the first, and the comparison with the tables."""

    def __init__(self, house: House, store: StateStore, following: Relay, connection: Any) -> None:
        self.house = house
        self.store = store
        self.relay = following
        self.connection = connection
        self.position = START

    async def catches_up(self) -> None:
        """Wait until the relay has published everything there is."""
        end = await replay.end_of_log(self.connection)

        async def look() -> bool:
            return self.relay.position is not None and self.relay.position >= end

        await eventually(look, "the relay catches up")

    async def check(self, action: str) -> list[str]:
        """Redis is what the tables say; every event since the last check is valid. The types of those events."""
        await self.catches_up()
        events = await whole_log(self.house.database_url, after=self.position)
        for event in events:
            parse_event(event.message())
            assert event.type in CHANNELS
        assert events, f"{action} wrote no event"
        self.position = events[-1].position
        found = await relay.differences(self.connection, self.store, self.house.projectors())
        assert found == [], f"after {action} ({[event.type for event in events]})"
        return [event.type for event in events]


@pytest.fixture
async def verify(house: House, store: StateStore, connection: Any) -> AsyncIterator[Verifier]:
    following = house.relay(store)
    async with running(following.run()):
        verifier = Verifier(house, store, following, connection)
        await verifier.catches_up()
        rebuilds = relay.REBUILDS._value.get()
        yield verifier
        await verifier.catches_up()
        assert relay.REBUILDS._value.get() == rebuilds, "the state was to be folded, not rebuilt"
    # and what was written proves itself
    for event in await whole_log(house.database_url):
        if event.type == "auction:scheduled":
            of_lot = [one for one in await whole_log(house.database_url) if one.subject == event.subject]
            audit.verify([msgspec.json.decode(one.message()) for one in of_lot])


async def test_every_kind_of_bid_on_an_english_lot(house: House, engine: AuctionEngine, verify: Verifier) -> None:
    ana, bo, cy = [await a_user(house, name) for name in ("ana", "bo", "cy")]
    seller, blocked = await a_user(house, "sold"), await a_user(house, "blocked")
    await block(house, blocked)
    lot = await a_lot(house, reserve="5", seller=seller, confirm_multiple="10", closing_grace=20, max_post_delay=20)
    assert await verify.check("scheduling") == ["auction:scheduled"]

    async def bids(what: str, *arguments: Any, refused: str | None = None, **more: Any) -> Answer:
        answer = await bid(engine, lot, *arguments, **more)
        reason = None if answer.accepted else answer.data["reason"]
        assert reason == refused, what
        await verify.check(what)
        return answer

    await advance(engine, lot)
    await verify.check("opening")
    await bids("a bid below the start", ana, "0.5", refused="BELOW_MINIMUM")
    await bids("the first bid", ana, "1")
    await bids("a rival's bid", bo, "1.5")
    await bids("a rival below the minimum", ana, "1.55", refused="BELOW_MINIMUM")
    await bids("the leader again without more", bo, "1.2", refused="ALREADY_LEADING")
    await bids("a pure proxy bid", ana, None, "3")
    await bids("a bid under a standing maximum", bo, "2")
    await bids("both figures", bo, "2.5", "3.5")
    await bids("a maximum that ties", cy, None, "3.5")
    await bids("the leader raising the own maximum", bo, None, "4")
    await bids("the reserve is met by a maximum", cy, None, "7")
    await bids("another currency", ana, "9", currency="USDC", refused="CURRENCY_MISMATCH")
    await bids("a slip of the point", ana, "900", refused="CONFIRMATION_REQUIRED")
    await bids("a slip that was meant", ana, "90", confirm=True)
    await bids("the seller", seller, "95", refused="SELLER")
    await bids("somebody blocked", blocked, "95", refused="BLOCKED")
    needs_wallet = await an_open_lot(house, engine, wallet_required=True)
    await verify.check("another lot")
    await bid(engine, needs_wallet, ana, "2")
    await verify.check("somebody without a wallet")
    await bid(engine, needs_wallet, await a_user(house, "rich", wallet=True), "2")
    await verify.check("somebody with a wallet")


async def test_every_step_of_an_operator(house: House, engine: AuctionEngine, verify: Verifier) -> None:
    ana, bo, cy, actor = [await a_user(house, name) for name in ("ana", "bo", "cy", "boss")]
    lot = await a_lot(house, opens_in=600_000, reserve="100")
    await verify.check("scheduling")

    async def steps(kind: str, **more: Any) -> list[str]:
        await step(engine, lot, kind, actor=actor, **more)
        return await verify.check(kind)

    await steps("START")
    await bid(engine, lot, ana, "2", "20")
    second = await bid(engine, lot, bo, "3", "6")
    third = await bid(engine, lot, cy, "9", "30")
    await verify.check("three bids")
    await steps("PAUSE")
    assert not (await bid(engine, lot, ana, "50")).accepted
    await verify.check("a bid in a pause")
    await steps("VOID_BID", bid=third.bid)
    await steps("RESUME")
    await steps("EXTEND", ends_at=house.now() + 800_000)
    await steps("VOID_BID", bid=second.bid)
    assert "auction:end" in await steps("END")
    await steps("REOPEN", ends_at=house.now() + 400_000)
    await bid(engine, lot, bo, None, "150")
    await verify.check("a bid after the re-opening, which meets the reserve")
    assert "auction:winner" in await steps("END")
    await steps("SETTLE")
    lot = await an_open_lot(house, engine)
    await bid(engine, lot, ana, "2")
    only = await bid(engine, lot, ana, None, "5")
    await steps("VOID_BID", bid=only.bid)
    await steps("CANCEL")
    assert not (await bid(engine, lot, bo, "50")).accepted
    await verify.check("a bid on a cancelled lot")


async def test_the_only_bid_of_a_lot_is_voided(house: House, engine: AuctionEngine, verify: Verifier) -> None:
    ana, actor = await a_user(house), await a_user(house)
    lot = await an_open_lot(house, engine, reserve="5")
    only = await bid(engine, lot, ana, "6")
    await verify.check("a bid that meets the reserve")
    await step(engine, lot, "VOID_BID", actor=actor, bid=only.bid)
    await verify.check("voiding it")


async def test_soft_close_fair_warning_and_the_end_by_time(
    house: House, engine: AuctionEngine, verify: Verifier
) -> None:
    ana, bo = await a_user(house), await a_user(house)
    lot = await an_open_lot(
        house, engine, **SHORT | {"lasts": 2_000}, extension_window=5_000, extension=2_100, max_extensions=1
    )
    await verify.check("opening")
    await bid(engine, lot, ana, "2")
    await bid(engine, lot, bo, "3")
    assert "auction:timer:updated" in await verify.check("bids in the window")
    await advanced_until(house, engine, lot, "CLOSING")
    await verify.check("fair warning")
    await advanced_until(house, engine, lot, "ENDED")
    assert "auction:winner" in await verify.check("the end")


@pytest.mark.parametrize("reserve", [None, "50"])
async def test_a_lot_that_passes(house: House, engine: AuctionEngine, verify: Verifier, reserve: str | None) -> None:
    lot = await an_open_lot(house, engine, **SHORT, reserve=reserve, extension=0)
    if reserve is not None:
        await bid(engine, lot, await a_user(house), "2", "20")
    await verify.check("a lot")
    await advanced_until(house, engine, lot, "ENDED")
    assert (await verify.check("the end"))[-1] == "auction:end"


async def test_buy_now(house: House, engine: AuctionEngine, verify: Verifier) -> None:
    ana, bo = await a_user(house), await a_user(house)
    lot = await an_open_lot(house, engine, buy_now="9", buy_now_until="RESERVE_MET", reserve="7")
    await bid(engine, lot, ana, "2", "6")
    await verify.check("a bid")
    await bid(engine, lot, bo, "9")
    assert {"auction:end", "auction:winner"} <= set(await verify.check("buy now"))


async def test_time_given_back_after_an_outage(house: House, engine: AuctionEngine, verify: Verifier) -> None:
    lot = await an_open_lot(house, engine)
    await bid(engine, lot, await a_user(house), "2")
    now = engine.time.now()
    await advance(engine, lot, outage=(now - 200, now))
    assert "auction:timer:updated" in await verify.check("an outage")


async def test_a_person_who_is_called_something_else_is_called_so_everywhere(
    house: House, engine: AuctionEngine, verify: Verifier
) -> None:
    running_, over = [await an_open_lot(house, engine) for _ in range(2)]
    ana, bo = await a_user(house, "ana_the_first"), await a_user(house)
    for lot in (running_, over):
        await bid(engine, lot, ana, "1")
    await step(engine, over, "END", actor=bo)
    await advanced_until(house, engine, over, "ENDED")
    await verify.check("bids")
    assert b"ana_the_first" in await everything(verify.store)
    people = house.people()
    await people.profiles.change(ana, {"name": "Ana Lind"})
    assert "user:action" in await verify.check("another name")
    assert b"ana_the_first" not in await everything(verify.store)
    assert b"Ana Lind" in await everything(verify.store)
    await bid(engine, running_, bo, "2")
    await verify.check("outbid")
    await privacy.erase(house.engine, people.sessions, ana)
    await verify.check("being forgotten")
    assert b"Ana Lind" not in await everything(verify.store)


async def test_a_dutch_lot(house: House, engine: AuctionEngine, verify: Verifier) -> None:
    ana, bo = await a_user(house), await a_user(house)
    terms = {"format": "DUTCH", "starting_price": "10", "step": "1", "interval": 60_000, "floor": "2"}
    lot = await an_open_lot(house, engine, **terms)
    await verify.check("opening")
    assert not (await bid(engine, lot, ana, "5")).accepted
    await verify.check("a bid below the price")
    assert (await bid(engine, lot, bo, "10")).accepted
    assert "auction:winner" in await verify.check("the first taker")
    unsold = await an_open_lot(house, engine, **terms | SHORT)
    await advanced_until(house, engine, unsold, "ENDED")
    await verify.check("a dutch lot nobody took")


@pytest.mark.parametrize("kind", ["SEALED_FIRST_PRICE", "SEALED_SECOND_PRICE"])
@pytest.mark.parametrize("reserve", [None, "3", "40"])
@pytest.mark.parametrize("ending", ["time", "operator"])
async def test_a_sealed_lot(
    house: House, engine: AuctionEngine, verify: Verifier, kind: str, reserve: str | None, ending: str
) -> None:
    ana, bo, cy, actor = [await a_user(house) for _ in range(4)]
    lot = await an_open_lot(house, engine, **SHORT | {"lasts": 1_500}, format=kind, reserve=reserve)
    await verify.check("opening")
    for user, amount in ((ana, "4"), (bo, "6"), (ana, "5")):
        assert (await bid(engine, lot, user, amount)).accepted
        await verify.check("a sealed bid")
    voided = await bid(engine, lot, cy, "8")
    await verify.check("a sealed bid that will be voided")
    await step(engine, lot, "VOID_BID", actor=actor, bid=voided.bid)
    await verify.check("voiding a sealed bid")
    if ending == "operator":
        await step(engine, lot, "END", actor=actor)
    else:
        await advanced_until(house, engine, lot, "ENDED")
    assert ("auction:winner" in await verify.check("the end")) == (reserve != "40")


async def test_every_stage_of_a_campaign(house: House, engine: AuctionEngine, verify: Verifier) -> None:
    slug, _ = await a_collection(house, 3)
    now = house.now()
    rules = LotRules(
        currency="ETH",
        starting_price=Decimal(1),
        closing_grace=2_000,
        extension=0,
        hard_close_after=0,
    )
    days = schedule.immediate(now + 5_000, pre_auction_ms=100, lot_ms=2_500, gap_ms=50, lots=2, post_ms=100)
    plan = CampaignPlan(name="Evening", slug="evening", collection=slug, days=days, rules=rules)
    campaign = await service.create(house.engine, plan, house.lot_scheduler, now)
    await verify.check("planning")
    await service.start(house.engine, campaign, house.now())
    lots = [lot.id for lot in (await service.plan(house.engine, campaign, house.lot_scheduler))[2]]
    user = await a_user(house)
    seen: set[str] = set()

    async def until(kind: str) -> None:
        async def look() -> bool:
            before = await replay.end_of_log(verify.connection)
            await service.advance(house.engine, house.lot_scheduler, house.now())
            for lot in lots:
                await advance(engine, lot)
            if await replay.end_of_log(verify.connection) != before:
                seen.update(await verify.check(f"time before {kind}"))
            return kind in seen

        await eventually(look, f"{kind} happens")

    await until("session:pre_auction")
    await until("session:auction")
    await until("auction:start")
    assert (await bid(engine, lots[0], user, "2")).accepted
    await verify.check("a bid")
    await until("auction:winner")
    await until("campaign:end")
    assert {"campaign:start", "session:start", "session:post_auction", "session:end"} <= seen


async def test_a_cancelled_campaign(house: House, engine: AuctionEngine, verify: Verifier) -> None:
    slug, _ = await a_collection(house, 2)
    now = house.now()
    rules = LotRules(currency="ETH", starting_price=Decimal(1))
    tomorrow = from_datetime(datetime.now(UTC)) + 86_400_000
    days = schedule.immediate(tomorrow, pre_auction_ms=100, lot_ms=60_000, gap_ms=50, lots=2, post_ms=100)
    plan = CampaignPlan(name="Off", slug="off", collection=slug, days=days, rules=rules)
    campaign = await service.create(house.engine, plan, house.lot_scheduler, now)
    await service.start(house.engine, campaign, now)
    await verify.check("planning")
    count = await service.cancel(
        house.engine, campaign, reason="rain", actor=await a_user(house), scheduler=house.lot_scheduler, now=house.now()
    )
    assert count == 2
    assert "campaign:end" in await verify.check("cancelling")


# rebuilding


async def _some_life(house: House, engine: AuctionEngine) -> list[UUID]:
    """Three lots, each with a bid."""
    user = await a_user(house)
    lots = [await an_open_lot(house, engine) for _ in range(3)]
    for lot in lots:
        assert (await bid(engine, lot, user, "2")).accepted
    return lots


async def _is_whole_again(house: House, store: StateStore, connection: Any, *, every_s: float = 0.02) -> None:
    async def look() -> bool:
        return await relay.differences(connection, store, house.projectors()) == []

    await eventually(look, "Redis is as the tables say", every_s=every_s)


async def _everything(store: StateStore) -> dict[str, bytes]:
    names = await store.keys("*")
    return {name: value for name, value in zip(names, await store.get_many(names), strict=True) if value is not None}


async def _become(store: StateStore, content: dict[str, bytes]) -> None:
    """Have Redis hold exactly this, at once, as a server does that comes back from an old snapshot."""
    pipeline = store._redis.pipeline(transaction=True)
    pipeline.flushdb()
    for name, value in content.items():
        pipeline.set(name, value)
    await pipeline.execute()


async def _let_relay_catch_up(following: Relay, connection: Any) -> None:
    """Redis can be whole before this: a rebuild comes first, then the events behind the relay's cursor, once more."""
    end = await replay.end_of_log(connection)

    async def look() -> bool:
        return following.position is not None and following.position >= end

    await eventually(look, "the relay catches up")


@pytest.mark.parametrize("when", ["while the relay runs", "while no relay runs"])
@pytest.mark.parametrize("how", ["empty", "stale"])
async def test_a_redis_that_comes_back_empty_or_stale_is_rebuilt_by_itself(
    house: House, engine: AuctionEngine, store: StateStore, connection: Any, how: str, when: str
) -> None:
    lots = await _some_life(house, engine)
    bo = await a_user(house)

    first = house.relay(store)
    async with running(first.run()):
        await _let_relay_catch_up(first, connection)
        old = await _everything(store) if how == "stale" else {}
        await bid(engine, lots[0], bo, "3")
        await _let_relay_catch_up(first, connection)
        if when == "while the relay runs":
            await _become(store, old)
            await _is_whole_again(house, store, connection)
            return
    await _become(store, old)
    second = house.relay(store)
    async with running(second.run()):
        await _is_whole_again(house, store, connection)


@pytest.mark.parametrize("how", ["empty", "stale"])
async def test_it_is_rebuilt_too_when_the_next_event_comes_before_the_relay_looks(
    house: House, engine: AuctionEngine, store: StateStore, connection: Any, how: str
) -> None:
    """A busy relay writes its mark many times between two looks; that must not cover the loss of the other lots."""
    lots = await _some_life(house, engine)
    bo = await a_user(house)
    following = house.relay(store)
    async with running(following.run()):
        await _let_relay_catch_up(following, connection)
        old = await _everything(store) if how == "stale" else {}
        await bid(engine, lots[1], bo, "3")
        await _is_whole_again(house, store, connection)
        stop = asyncio.Event()

        async def keep_bidding() -> None:
            amount = 4
            while not stop.is_set():
                await bid(engine, lots[0], bo, str(amount))
                amount += 1

        bidding = asyncio.create_task(keep_bidding())
        try:
            await _become(store, old)

            async def lot_is_back() -> bool:
                value = await store.get(keys.auction_price(lots[1]))
                return value is not None and msgspec.json.decode(value)["price"] == "3"

            await eventually(lot_is_back, "the lot without bids is in Redis again")
        finally:
            stop.set()
            await bidding
        await _is_whole_again(house, store, connection)


@pytest.mark.parametrize("relay_runs", [False, True])
async def test_a_rebuild_on_request_mends_redis_beside_a_relay_and_without_one(
    house: House, engine: AuctionEngine, store: StateStore, connection: Any, relay_runs: bool
) -> None:
    lots = await _some_life(house, engine)
    async with contextlib.AsyncExitStack() as stack:
        if relay_runs:
            following = house.relay(store)
            await stack.enter_async_context(running(following.run()))
            await _let_relay_catch_up(following, connection)
        else:
            await relay.rebuild_beside(connection, store, house.projectors())
        await _is_whole_again(house, store, connection)
        await store.delete([keys.auction(lots[0])])
        await _become_wrong(store, keys.auction_price(lots[1]))
        await store._redis.set("auction:left:over", b"{}")
        assert len(await relay.differences(connection, store, house.projectors())) == 3
        asking = await connect(house.database_url, name="asking")
        try:
            written = await relay.rebuild_beside(asking, store, house.projectors())
        finally:
            await asking.close()
        assert written == 12
        assert await relay.differences(connection, store, house.projectors()) == []
        # and the relay, the same or a new one, goes on from there
        if not relay_runs:
            await stack.enter_async_context(running(house.relay(store).run()))
        await bid(engine, lots[2], await a_user(house), "5")
        await _is_whole_again(house, store, connection)


async def _become_wrong(store: StateStore, key: str) -> None:
    value = msgspec.json.decode(await store.get(key) or b"{}")
    await store._redis.set(key, msgspec.json.encode(value | {"price": "777"}))


async def test_a_relay_that_starts_late_gives_the_same_state(
    house: House, engine: AuctionEngine, store: StateStore, connection: Any
) -> None:
    await _some_life(house, engine)
    assert (await cursors.load_cursor(connection, relay.CONSUMER)) == START
    async with running(house.relay(store).run()):
        await _is_whole_again(house, store, connection)
