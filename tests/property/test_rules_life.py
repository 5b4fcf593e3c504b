"""The whole life of a lot, as the engine, the clock and operators may mix it (Hypothesis, stateful).

The machine keeps its own books of what the lot promised: when bidding was closed, which bids count, what the price
was. They are kept by other means than the code's, and compared after every step.
"""

from decimal import Decimal as D
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace
from tests.fakes.lots import a_bid, a_lot

from sothebais.auctions import machine, rules
from sothebais.auctions.increments import EBAY
from sothebais.auctions.model import (
    SEALED,
    AdvanceEntry,
    Bid,
    BidEntry,
    Entry,
    FixedIncrement,
    Lot,
    OutageEntry,
    Override,
    OverrideEntry,
    Status,
)
from sothebais.errors import Conflict, IllegalTransition, InvalidInput, NotFound

GRACE = 50
LENGTH = 1_000

cents = st.integers(500, 8_000).map(lambda n: D(n) / 100)
#: Steps of time: nothing, moments around window and grace, and jumps past an end.
delays = st.sampled_from([0, 0, 0, 1, 20, GRACE, 600])
waits = st.sampled_from([0, 1, 7, GRACE, 99, 100, 400, LENGTH]) | st.integers(0, 2 * LENGTH)

terms = st.fixed_dictionaries(
    {
        "reserve": st.sampled_from([None, None, "30", "60"]),
        "increment": st.sampled_from([FixedIncrement(D(1)), EBAY]),
        "max_extensions": st.sampled_from([None, None, 2]),
    },
    optional={"buy_now": st.just("70")},
) | st.sampled_from(
    [
        {"format": "SEALED_FIRST_PRICE"},
        {"format": "SEALED_SECOND_PRICE", "reserve": "30"},
        {"format": "DUTCH", "starting_price": "60", "step": "5", "interval": 100, "floor": "10"},
    ]
)


class LotLife(RuleBasedStateMachine):
    """One lot from SCHEDULED on, in the hands of everybody at once."""

    @initialize(terms=terms, room=st.sampled_from([0, 150, 3_000]), early=st.sampled_from([-100, 0, 0, 0]))
    def open_the_house(self, terms: dict[str, Any], room: int, early: int) -> None:
        self.now = early
        self.start: Lot = a_lot(
            status=Status.SCHEDULED,
            ends_at=LENGTH,
            hard_close_at=LENGTH + room,
            extension_window=100,
            extension=100,
            closing_grace=GRACE,
            max_post_delay=GRACE,
            **terms,
        )
        self.lot = self.start
        self.entries: list[Entry] = []
        self.counted: list[Bid] = []
        #: Stretches in which no bid may count, as an onlooker would note them down.
        self.shut: list[tuple[int, int]] = []
        self.price_before: D | None = None
        self.touch(end=True)

    # The clock and the engine

    def touch(self, *, end: bool) -> None:
        """What engine and clock do before anything else: read the lot, note its CLOSING, take what is due."""
        before = self.lot
        lot, _ = rules.advance(rules.closing_seen(before, self.now), self.now, end=end)
        assert rules.advance(lot, self.now, end=end) == (lot, ())
        if lot != before:
            self.entries.append(AdvanceEntry(self.now))
        self.lot = lot

    @rule(wait=waits)
    def time_passes(self, wait: int) -> None:
        self.now += wait
        self.touch(end=True)

    @rule(wait=waits)
    def time_passes_with_nobody_looking(self, wait: int) -> None:
        self.now += wait

    @rule(by=st.sampled_from([-101, -100, -99, -50, -1, 0, 1, GRACE]))
    def time_passes_until_about_the_end(self, by: int) -> None:
        self.now = max(self.now, self.lot.timing.ends_at + by)
        self.touch(end=True)

    @rule(who=st.sampled_from("ABC"), kind=st.integers(0, 3), one=cents, two=cents, delay=delays)
    def somebody_bids(self, who: str, kind: int, one: D, two: D, delay: int) -> None:
        self.bid(who, kind, one, two, self.now - delay)

    @rule(who=st.sampled_from("ABC"), more=st.sampled_from([0, 0, 1, 5]), data=st.data())
    def somebody_bids_at_a_turn_of_time(self, who: str, more: int, data: st.DataObject) -> None:
        timing = self.lot.timing
        turns = {timing.starts_at, timing.ends_at, timing.ends_at - 100, timing.paused_at or 0, self.now}
        turns |= {moment for stretch in self.shut for moment in stretch}
        made = data.draw(st.sampled_from(sorted(turns))) - data.draw(st.sampled_from([0, 0, 1]))
        least = rules.next_valid_amount(self.lot, self.now) or D(10)
        self.bid(who, 0, least + more, least + more, min(made, self.now))

    def bid(self, who: str, kind: int, one: D, two: D, made: int) -> None:
        """A bid as the engine decides it, and what the onlooker knows of it."""
        self.touch(end=False)
        low, high = sorted((one, two))
        if self.lot.terms.format != "ENGLISH" or kind == 0:
            amount, maximum = high, None
        else:
            amount, maximum = [(None, high), (low, high), (high, high)][kind - 1]
        bid = a_bid(who, amount, maximum, at=made, confirm=True)
        before = self.lot
        self.lot, decision = rules.decide(before, bid, self.now)
        if not decision.accepted:
            assert self.lot == before
            assert decision.reason is not None
            return
        self.entries.append(BidEntry(bid, self.now))
        # as the tables keep it: no amount that was the house's offer or is sealed, and always a maximum
        kept = None if decision.offered_by_house or self.lot.terms.format in SEALED else decision.amount
        self.counted.append(replace(bid, amount=kept, max_amount=decision.committed))
        # no bid counts that was not made while bidding was open
        assert before.status in machine.RUNNING
        assert before.timing.starts_at <= made < before.timing.ends_at
        assert not any(since <= made < until for since, until in self.shut)
        if before.status is Status.PAUSED:
            assert before.timing.paused_at is not None
            assert made < before.timing.paused_at
        # extensions
        timing = self.lot.timing
        assert timing.ends_at <= timing.hard_close_at == before.timing.hard_close_at
        assert decision.extended is (timing.ends_at > before.timing.ends_at)
        assert timing.extension_count == before.timing.extension_count + decision.extended
        if decision.extended:
            assert made >= before.timing.ends_at - 100
            assert bid.bidder.id != before.standing.leader
        if self.lot.status is Status.ENDED:
            self.note_the_end(before)

    # Operators

    def step(self, kind: Any, **more: Any) -> bool:
        """Try an operator's step; False when the house refused it, and then nothing has changed."""
        self.touch(end=True)
        before, step = self.lot, Override(kind=kind, reason="because", **more)
        legal = True
        try:
            machine.after(before.status, rules._OVERRIDES[kind])
        except Conflict:
            legal = False
        try:
            lot, transitions, _ = rules.override(before, step, self.now, self.counted)
        except IllegalTransition:
            assert not legal
            assert self.lot == before
            return False
        except (Conflict, InvalidInput, NotFound):
            assert self.lot == before
            return False
        assert legal
        assert len(transitions) == 1
        self.lot = lot
        self.entries.append(OverrideEntry(step, self.now))
        return True

    @rule()
    def start_it(self) -> None:
        self.step("START")

    @rule()
    def pause(self) -> None:
        self.step("PAUSE")

    @rule(wait=waits)
    def resume(self, wait: int) -> None:
        self.now += wait
        paused_at, ends_at = self.lot.timing.paused_at, self.lot.timing.ends_at
        if self.step("RESUME"):
            assert paused_at is not None
            self.shut.append((min(paused_at, ends_at), self.now))
            assert self.lot.timing.ends_at - ends_at == self.now - paused_at

    @rule(by=st.integers(-200, 500))
    def extend(self, by: int) -> None:
        end = self.lot.timing.ends_at
        if self.step("EXTEND", ends_at=end + by):
            assert self.lot.timing.ends_at == end + by > end

    @precondition(lambda self: len(self.counted) > 2)
    @rule()
    def end_at_once(self) -> None:
        before = self.lot
        if self.step("END"):
            self.note_the_end(before)

    @precondition(lambda self: self.lot.status is Status.ENDED)
    @rule(wait=waits, length=st.integers(-10, 600))
    def re_open(self, wait: int, length: int) -> None:
        self.now += wait
        timing = self.lot.timing
        if self.step("REOPEN", ends_at=self.now + length):
            assert timing.ended_at is not None
            self.shut.append((min(timing.ended_at, timing.ends_at), self.now))
            assert self.lot.outcome is None

    @precondition(lambda self: len(self.entries) > 25)
    @rule(kind=st.sampled_from(["CANCEL", "SETTLE"]))
    def finish(self, kind: str) -> None:
        self.step(kind)

    @precondition(lambda self: self.counted)
    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        bid = data.draw(st.sampled_from(self.counted))
        timing = self.lot.timing
        if self.step("VOID_BID", bid=bid.id):
            self.counted = [kept for kept in self.counted if kept.id != bid.id]
            self.price_before = None
            assert self.lot.timing.ends_at >= timing.ends_at

    @rule(length=st.integers(0, 700))
    def bidding_was_out(self, length: int) -> None:
        self.touch(end=True)
        before = self.lot
        self.lot, steps = rules.outage(before, self.now - length, self.now)
        assert (self.lot != before) is bool(steps)
        if steps:
            self.entries.append(OutageEntry(self.now - length, self.now))
            assert self.lot.timing.ends_at > max(before.timing.ends_at, self.now)

    def note_the_end(self, before: Lot) -> None:
        if before.timing.paused_at is not None:
            self.shut.append((min(before.timing.paused_at, before.timing.ends_at), self.now))

    # What always holds

    @invariant()
    def the_price_never_falls_but_by_voiding(self) -> None:
        price = self.lot.standing.price
        if self.price_before is not None:
            assert price is not None
            assert price >= self.price_before
        self.price_before = price

    @invariant()
    def the_standing_is_possible(self) -> None:
        lot = self.lot
        standing, timing = lot.standing, lot.timing
        if standing.leader is None:
            assert (standing.price, standing.maximum, standing.leading_bid) == (None, None, None)
        else:
            assert standing.price is not None
            assert standing.maximum is not None
            assert standing.price <= standing.maximum
        assert timing.starts_at <= timing.ends_at <= timing.hard_close_at
        limit = lot.terms.max_extensions
        assert limit is None or timing.extension_count <= limit
        # these are what the database's constraints say of a row
        assert (lot.outcome is not None) is (lot.status in (Status.ENDED, Status.SETTLED))
        assert (timing.paused_at is not None) is (lot.status is Status.PAUSED)
        assert timing.closing_at is None or lot.status in (Status.CLOSING, *machine.OVER)
        if lot.outcome == "SOLD":
            assert standing.leader is not None
            assert lot.terms.reserve is None or (standing.price or 0) >= lot.terms.reserve
        due = rules.next_due(lot)
        assert (due is None) is (lot.status not in (Status.SCHEDULED, Status.ACTIVE, Status.CLOSING))

    @invariant()
    def replay_equals_live(self) -> None:
        assert rules.replay(self.start, self.entries) == self.lot

    @invariant()
    def the_bids_that_count_lead_where_the_lot_stands(self) -> None:
        # a purchase that was taken back by re-opening stands at the price it was sold for, not where its amount leads
        if self.lot.terms.format == "ENGLISH" and self.lot.terms.buy_now is None:
            assert rules.refold(self.lot, self.counted)[0] == self.lot.standing


TestLotLife = LotLife.TestCase
TestLotLife.settings = settings(max_examples=300, stateful_step_count=40, deadline=None, print_blob=True)
