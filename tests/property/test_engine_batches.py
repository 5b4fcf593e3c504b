"""The engine on a real PostgreSQL decides in batches what the pure rules decide one by one.

Time stands still in its database until a test moves it, so nothing waits and every run is repeatable. An example is a
few lots in one database that all examples share.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from decimal import Decimal as D
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid5

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace
from tests.fakes.house import a_lot, a_user, an_item
from tests.fakes.lots import NAMES
from tests.fakes.trials import HouseTime, bid_of, row_of, rows_of, step_of, verified

from sothebais import ids
from sothebais.auctions import rules
from sothebais.auctions import terms as terms_codec
from sothebais.auctions.answers import Answer
from sothebais.auctions.commands import AdvanceAuction, PlaceBid
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.increments import EBAY
from sothebais.auctions.model import (
    SEALED,
    AdvanceEntry,
    Bid,
    Bidder,
    BidEntry,
    Entry,
    FixedIncrement,
    Lot,
    OutageEntry,
    Override,
    OverrideEntry,
    Status,
    Timing,
)
from sothebais.bootstrap import House
from sothebais.clock import from_datetime
from sothebais.config import Settings
from sothebais.db import migrations
from sothebais.db.engine import create_engine
from sothebais.embedded import EmbeddedServers
from sothebais.errors import Conflict, InvalidInput, NotFound, SothebaisError
from sothebais.events import log

LENGTH, GRACE = 1_000, 50
PEOPLE = "ABC"


class Stage:
    """A house with stopped clocks on an event loop of its own, for tests that are not coroutines."""

    def __init__(self, runner: "asyncio.Runner", house: House, now: HouseTime, engine: AuctionEngine) -> None:
        self._runner = runner
        self.house, self.now, self.engine = house, now, engine
        self.people: dict[str, UUID] = {}
        self.item = UUID(int=0)

    def do[T](self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    async def prepare(self) -> None:
        self.people = {name: await a_user(self.house, f"user_{name}") for name in (*PEOPLE, "Op")}
        self.item = await an_item(self.house)

    async def lot(self, **terms: Any) -> UUID:
        """A lot that is due now, on the clock as it stands."""
        quick = {
            "currency": "EUR",
            "decimals": 2,
            "starting_price": "10",
            "increment": FixedIncrement(D(1)),
            "extension_window": 100,
            "extension": 100,
            "closing_grace": GRACE,
            "max_post_delay": GRACE,
            "confirm_multiple": "10",
        }
        return await a_lot(
            self.house, opens_in=0, lasts=LENGTH, hard_close_after=3_000, item=self.item, **quick | terms
        )


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="sp-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with EmbeddedServers(folder / "data", valkey=False) as servers, asyncio.Runner() as runner:
            assert servers.database_url is not None
            url = servers.database_url

            async def opened() -> Stage:
                pool = create_engine(url, name="test", pool_size=2)
                await migrations.upgrade(pool)
                async with pool.begin() as connection:
                    await log.ensure_epoch(connection)
                await pool.dispose()
                chosen = Settings(data_dir=folder / "data", database_url=url, redis_url="redis://127.0.0.1:1/0")
                house = House(chosen, url, "", create_engine(url, name="test", pool_size=2))
                now = await HouseTime.of(house)
                engine = house.auction_engine()
                await engine.start()
                made = Stage(runner, house, now, engine)
                await made.prepare()
                return made

            made = runner.run(opened())
            yield made

            async def closed() -> None:
                await made.engine.stop()
                await made.now.close()
                await made.house.engine.dispose()

            runner.run(closed())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# Batches

cents = st.integers(900, 6_000).map(lambda n: D(n) / 100)
FORMATS: list[dict[str, Any]] = [
    {},
    {"reserve": "25"},
    {"reserve": "25", "buy_now": "50", "buy_now_until": "RESERVE_MET"},
    {"increment": EBAY, "buy_now": "55"},
    {"format": "SEALED_FIRST_PRICE"},
    {"format": "SEALED_SECOND_PRICE", "reserve": "25"},
    {"format": "DUTCH", "starting_price": "60", "step": "5", "interval": 100, "floor": "10"},
]
commands = st.fixed_dictionaries(
    {
        "who": st.sampled_from("AABBC"),
        "kind": st.sampled_from([0, 0, 0, 1, 2, 3]),
        "one": cents,
        "two": cents,
        "key": st.sampled_from([None, None, None, "k1", "k2", "k3"]),
        "fault": st.sampled_from(
            [None] * 8 + ["nobody", "nowhere", "decimals", "huge", "empty", "currency", "crossed"]
        ),
        "confirm": st.sampled_from([True, True, False]),
        "late": st.sampled_from([0, 0, 0, 30, 5_000]),
    }
)


def command_of(stage: Stage, given: dict[str, Any], lot: UUID, number: int, which: int) -> PlaceBid:
    """The command for one of the two lots: alike in all but the lot, the bid's id and the scope of its key."""
    low, high = sorted((given["one"], given["two"]))
    amount, maximum = [(high, None), (None, high), (low, high), (high, high)][given["kind"]]
    more: dict[str, Any] = {"bid": uuid5(NAMES, f"{lot}/{number}"), "confirm": given["confirm"]}
    user = stage.people[given["who"]]
    match given["fault"]:
        case "nobody":
            user = uuid5(NAMES, "nobody")
        case "nowhere":
            lot = uuid5(NAMES, "nowhere")
        case "decimals":
            amount = D("20.001")
        case "huge":
            amount, maximum = D(10) ** 12, None
        case "empty":
            amount = maximum = None
        case "currency":
            more["currency"] = "USD"
        case "crossed":
            amount, maximum = D(30), D(20)
    if given["key"] is not None:
        more["idempotency_key"] = f"{which}/{lot}/{given['key']}"
        more["request_hash"] = f"{amount}/{maximum}/{more.get('currency')}".encode()
    now = stage.now.now()
    return bid_of(lot, user, amount, maximum, at=now, effective_at=now - given["late"], received_at=now, **more)


def said(result: Any, numbers: dict[UUID, int]) -> Any:
    """An answer without what must differ between two lots: ids, hashes, salts."""
    if not isinstance(result, Answer):
        return type(result), result.message
    data = {
        name: value
        for name, value in result.data.items()
        if name not in ("bid", "max_commitment", "openings", "leading_bid", "raises")
    }
    bid_ids = {str(bid): number for bid, number in numbers.items()}
    data["leading_bid"] = bid_ids.get(result.data.get("leading_bid"))
    data["raises"] = [(one["user"], one["amount"], one["number"]) for one in result.data.get("raises", ())]
    data["openings"] = [(bid_ids[one["bid"]], one["max_amount"]) for one in result.data.get("openings", ())]
    opening = None if result.opening is None else result.opening[0]
    return bid_ids.get(result.bid), result.event.type, result.event.n, result.repeated, opening, data


ROWS = """
select number, event_n, user_id, amount, currency, status, reason, source, offered_by_house, confirm, effective_at,
  decided_at from bids where auction_id = $1 order by number
"""
LOT = """
select status, outcome, leader_id, price, previous_price, rival_maximum, reserve_met, bid_count, last_number, log_n,
  ends_at, hard_close_at, extension_count, closing_at, ended_at, closed, cardinality(unopened) as unopened
from auctions where id = $1
"""


@given(
    terms=st.sampled_from(FORMATS),
    given_commands=st.lists(commands, min_size=1, max_size=25),
    at=st.sampled_from([10, 350, LENGTH - 60, LENGTH + 10]),
    cuts=st.lists(st.integers(1, 24), max_size=2),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_one_batch_decides_what_one_by_one_would(
    stage: Stage, terms: dict[str, Any], given_commands: list[dict[str, Any]], at: int, cuts: list[int]
) -> None:
    async def example() -> None:
        together, singly = await stage.lot(**terms), await stage.lot(**terms)
        for lot in (together, singly):
            await stage.engine.advance(AdvanceAuction(auction=lot))
        await stage.now.on(at)
        batch = [command_of(stage, one, together, i, 0) for i, one in enumerate(given_commands)]
        single = [command_of(stage, one, singly, i, 0) for i, one in enumerate(given_commands)]
        edges = [0, *sorted({cut for cut in cuts if cut < len(batch)}), len(batch)]
        results: list[Any] = []
        for start, end in pairwise(edges):
            tasks = [stage.engine.submit(command) for command in batch[start:end]]
            results += await asyncio.gather(*tasks, return_exceptions=True)
        one_by_one: list[Any] = []
        for command in single:
            one_by_one += await asyncio.gather(stage.engine.submit(command), return_exceptions=True)
        told = [said(result, {command.bid: i for i, command in enumerate(batch)}) for result in results]
        told_singly = [said(result, {command.bid: i for i, command in enumerate(single)}) for result in one_by_one]
        if at < LENGTH:
            assert told == told_singly
        else:  # a batch of its own sees CLOSING committed and may set its time; what is decided is the same
            assert [one[:2] for one in told] == [one[:2] for one in told_singly]
        rows, single_rows = [await rows_of(stage.house, ROWS, lot) for lot in (together, singly)]
        states = [await rows_of(stage.house, LOT, lot) for lot in (together, singly)]
        if at < LENGTH:
            assert rows == single_rows
            assert states[0] == states[1]
        kept = [answer for answer in results if isinstance(answer, Answer) and not answer.repeated]
        positions = [(answer.position.xid, answer.position.seq) for answer in kept]
        assert positions == sorted(set(positions))
        for lot in (together, singly):
            await verified(stage.house, lot)

    stage.do(example())


# The engine against the pure model

waits = st.sampled_from([0, 1, 7, GRACE, 99, 100, 400, LENGTH])


class EngineAndModel(RuleBasedStateMachine):
    """One lot in the hands of the engine, and the same lot in the hands of the rules; after every step they agree."""

    stage: ClassVar[Stage]

    @initialize(terms=st.sampled_from(FORMATS))
    def open_the_house(self, terms: dict[str, Any]) -> None:
        async def make() -> None:
            self.auction = await self.stage.lot(**terms)
            row = await row_of(self.stage.house, self.auction)
            reserve = D(terms["reserve"]) if "reserve" in terms else None
            self.start = self.model = Lot(
                id=self.auction,
                terms=terms_codec.from_public(msgspec.json.decode(row["terms"]), reserve),
                timing=Timing(
                    starts_at=from_datetime(row["starts_at"]),
                    ends_at=from_datetime(row["ends_at"]),
                    hard_close_at=from_datetime(row["hard_close_at"]),
                ),
            )

        self.stage.do(make())
        self.counted: list[Bid] = []
        self.number = 0
        self.entries: list[Entry] = []

    @property
    def now(self) -> int:
        return self.stage.now.now()

    def touch(self, *, end: bool) -> None:
        """What a batch does to every lot it locks."""
        before = self.model
        seen = rules.closing_seen(before, self.now)
        self.model, _ = rules.advance(seen, self.now, end=end)
        if self.model != before:
            self.entries.append(AdvanceEntry(self.now))

    def settle(self) -> None:
        """What a batch does last: what is due ends, but CLOSING it has just written itself was seen by nobody."""
        before = self.model
        self.model, _ = rules.advance(before, self.now)
        if self.model != before:
            self.entries.append(AdvanceEntry(self.now))

    @rule(wait=waits)
    def time_passes(self, wait: int) -> None:
        self.stage.do(self.stage.now.on(wait))

    @rule(wait=waits)
    def time_passes_and_the_clock_looks(self, wait: int) -> None:
        self.stage.do(self.stage.now.on(wait))
        self.touch(end=False)
        self.settle()
        self.stage.do(self.stage.engine.advance(AdvanceAuction(auction=self.auction)))

    @rule(by=st.sampled_from([-101, -100, -99, -1, 0, 1, GRACE]))
    def time_passes_until_about_the_end(self, by: int) -> None:
        instant = max(self.now, self.model.timing.ends_at + by)
        self.stage.do(self.stage.now.to(instant))

    @rule(
        who=st.sampled_from(PEOPLE),
        kind=st.integers(0, 3),
        one=cents,
        two=cents,
        ago=st.sampled_from([0, 0, 1, 20, GRACE]),
    )
    def somebody_bids(self, who: str, kind: int, one: D, two: D, ago: int) -> None:
        low, high = sorted((one, two))
        if self.model.terms.format != "ENGLISH":
            kind = min(kind, 1)
        amount, maximum = [(high, None), (None, high), (low, high), (high, high)][kind]
        self.bid(who, amount, maximum, ago)

    @precondition(lambda self: self.model.standing.price is not None)
    @rule(who=st.sampled_from(PEOPLE), more=st.integers(0, 500), hidden=st.booleans())
    def somebody_outbids(self, who: str, more: int, hidden: bool) -> None:
        amount = (self.model.standing.maximum or D(10)) + D(more) / 100
        self.bid(who, None if hidden else amount, amount if hidden else None, 0)

    def bid(self, who: str, amount: D | None, maximum: D | None, ago: int) -> None:
        stage, made = self.stage, self.now - ago
        command = bid_of(self.auction, stage.people[who], amount, maximum, at=made)
        self.touch(end=False)
        self.number += 1
        bid = command.as_bid(Bidder(stage.people[who]), made, self.number)
        before = self.model
        malformed = ""
        try:
            self.model, expected = rules.decide(before, bid, self.now)
        except InvalidInput as error:
            malformed = error.message
        if malformed:
            self.number -= 1
            self.settle()
            with pytest.raises(InvalidInput) as refused:
                stage.do(stage.engine.place(command))
            assert refused.value.message == malformed
            return
        answer = stage.do(stage.engine.place(command))
        assert answer.accepted is expected.accepted
        assert answer.data.get("reason") == (None if expected.reason is None else str(expected.reason))
        assert len(answer.data.get("raises", ())) == len(expected.raises)
        self.number += len(expected.raises)
        if expected.accepted:
            assert answer.opening is not None
            assert answer.opening[0] == expected.committed
            self.entries.append(BidEntry(bid, self.now))
            kept = bid.amount if self.model.terms.format in SEALED else expected.amount
            # the books keep no amount that was the house's offer
            self.counted.append(
                replace(bid, amount=None if expected.offered_by_house else kept, max_amount=expected.committed)
            )
        self.settle()

    def step(self, kind: Any, **more: Any) -> None:
        """Try an operator's step on both; they refuse the same ones."""
        stage = self.stage
        self.touch(end=False)
        override = Override(kind=kind, reason="because", **more)
        expected: SothebaisError | None = None
        raises = 0
        try:
            self.model, _, _ = rules.override(self.model, override, self.now, self.counted)
        except (Conflict, InvalidInput, NotFound) as error:
            expected = error
        else:
            self.entries.append(OverrideEntry(override, self.now))
            if kind == "VOID_BID":
                self.counted = [bid for bid in self.counted if bid.id != override.bid]
                raises = len(rules.refold(self.model, self.counted)[1])
        self.number += raises
        self.settle()
        command = step_of(self.auction, stage.people["Op"], kind, **more)
        if expected is None:
            stage.do(stage.engine.override(command))
            return
        with pytest.raises(type(expected)) as refused:
            stage.do(stage.engine.override(command))
        assert refused.value.message == expected.message

    @rule()
    def pause(self) -> None:
        self.step("PAUSE")

    @rule(wait=waits)
    def resume(self, wait: int) -> None:
        self.stage.do(self.stage.now.on(wait))
        self.step("RESUME")

    @rule(by=st.integers(-200, 500))
    def extend(self, by: int) -> None:
        self.step("EXTEND", ends_at=self.model.timing.ends_at + by)

    @precondition(lambda self: len(self.counted) > 2)
    @rule(kind=st.sampled_from(["END", "END", "CANCEL", "SETTLE", "START"]))
    def move_it(self, kind: str) -> None:
        self.step(kind)

    @precondition(lambda self: self.model.status is Status.ENDED)
    @rule(wait=waits, length=st.integers(-10, 600))
    def re_open(self, wait: int, length: int) -> None:
        self.stage.do(self.stage.now.on(wait))
        self.step("REOPEN", ends_at=self.now + length)

    @precondition(lambda self: self.counted)
    @rule(which=st.integers(0, 20), known=st.sampled_from([True, True, True, False]))
    def void_a_bid(self, which: int, known: bool) -> None:
        self.step("VOID_BID", bid=self.counted[which % len(self.counted)].id if known else ids.new_id())

    @rule(length=st.integers(1, 400))
    def bidding_was_out(self, length: int) -> None:
        self.stage.do(self.stage.now.on(length))
        since, until = self.now - length, self.now
        seen = rules.closing_seen(self.model, self.now)
        if seen.status not in (Status.ACTIVE, Status.CLOSING):
            self.touch(end=False)
            seen = self.model
        elif seen != self.model:
            self.entries.append(AdvanceEntry(self.now))
        self.model, _ = rules.outage(seen, since, until)
        self.entries.append(OutageEntry(since, until))
        outage = (since, until)
        self.stage.do(self.stage.engine.advance(AdvanceAuction(auction=self.auction, outage=outage)))

    @invariant()
    def the_row_is_what_the_rules_say(self) -> None:
        if not hasattr(self, "auction"):
            return
        row = self.stage.do(row_of(self.stage.house, self.auction))
        timing, standing = self.model.timing, self.model.standing
        stored = {
            name: None if row[name] is None else from_datetime(row[name])
            for name in ("starts_at", "ends_at", "hard_close_at", "paused_at", "closing_at", "ended_at")
        }
        assert stored == {name: getattr(timing, name) for name in stored}
        assert (row["status"], row["outcome"]) == (self.model.status, self.model.outcome)
        assert (row["leader_id"], row["leading_bid_id"], row["price"]) == (
            standing.leader, standing.leading_bid, standing.price,
        )  # fmt: skip
        assert (row["reserve_met"], row["extension_count"]) == (standing.reserve_met, timing.extension_count)
        assert (row["bid_count"], row["last_number"]) == (len(self.counted), self.number)
        if self.model.terms.format == "ENGLISH":
            assert row["rival_maximum"] == standing.rival_maximum
            if self.model.outcome is None:
                assert tuple(row["unopened"]) == standing.unopened or set(row["unopened"]) < set(standing.unopened)

    @invariant()
    def replay_equals_what_the_engine_did(self) -> None:
        if hasattr(self, "auction"):
            assert rules.replay(self.start, self.entries) == self.model

    def teardown(self) -> None:
        if hasattr(self, "auction"):
            report = self.stage.do(verified(self.stage.house, self.auction))
            assert report.status == self.model.status


@pytest.mark.timeout(300)
def test_the_engine_and_the_pure_rules_agree_whatever_happens_to_a_lot(stage: Stage) -> None:
    class Here(EngineAndModel):
        pass

    Here.stage = stage
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
