"""What an operator can do to a lot: start, extend, end, cancel, re-open, void; and what replays of it give."""

from decimal import Decimal as D
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace
from tests.fakes.lots import (
    a_bid,
    advanced,
    after_bids,
    after_step,
    in_status,
    name_of,
    read_bid,
)
from tests.fakes.lots import a_lot as any_lot

from sothebais.auctions import rules
from sothebais.auctions.model import (
    AdvanceEntry,
    BidEntry,
    Lot,
    OutageEntry,
    Outcome,
    Override,
    OverrideEntry,
    Reason,
    Status,
)
from sothebais.errors import Conflict, InvalidInput, NotFound


def a_lot(**changes: Any) -> Lot:
    return any_lot(**{"ends_at": 1_000, "hard_close_at": 2_000, "extension_window": 100, "extension": 100} | changes)


def a_lot_with_a_bid(**changes: Any) -> Lot:
    return after_bids(a_lot(**changes), a_bid("A", None, 50, at=10))


def answer(lot: Lot, *, made: int, amount: int = 60) -> Reason | None:
    return rules.decide(lot, a_bid("B", amount, at=made), 10_000)[1].reason


# Start


@pytest.mark.parametrize("at", [-500, 0, 700])
def test_an_operator_starts_a_lot_at_any_time_and_it_keeps_its_length(at: int) -> None:
    lot = after_step(a_lot(status=Status.SCHEDULED), "START", at)
    assert lot.status is Status.ACTIVE
    assert (lot.timing.starts_at, lot.timing.ends_at, lot.timing.hard_close_at) == (at, at + 1_000, at + 2_000)
    assert answer(lot, made=at) is None
    assert answer(lot, made=at - 1) is Reason.NOT_STARTED


def test_an_operator_may_start_a_lot_that_is_held() -> None:
    assert after_step(replace(a_lot(status=Status.SCHEDULED), held=True), "START", 5).status is Status.ACTIVE


# Extend


def test_an_operator_extends_a_lot_past_its_hard_close() -> None:
    lot = after_step(a_lot(), "EXTEND", 500, ends_at=3_000)
    assert (lot.timing.ends_at, lot.timing.hard_close_at, lot.timing.extension_count) == (3_000, 3_000, 0)
    assert after_step(a_lot(), "EXTEND", 500, ends_at=1_500).timing.hard_close_at == 2_000


def test_extending_a_closing_lot_wakes_it() -> None:
    lot = after_step(advanced(advanced(a_lot(), 1_000), 1_000), "EXTEND", 1_001, ends_at=1_500)
    assert (lot.status, lot.timing.closing_at) == (Status.ACTIVE, None)


@pytest.mark.parametrize("ends_at", [None, 0, 999, 1_000])
def test_a_lot_cannot_be_made_shorter(ends_at: int | None) -> None:
    with pytest.raises(InvalidInput, match="later"):
        after_step(a_lot(), "EXTEND", 500, ends_at=ends_at)


def test_a_new_end_must_be_in_the_future() -> None:
    with pytest.raises(InvalidInput, match="later"):
        after_step(advanced(a_lot(), 1_000), "EXTEND", 1_500, ends_at=1_500)


def test_a_paused_lot_that_is_extended_stays_paused() -> None:
    lot = after_step(after_step(a_lot(), "PAUSE", 500), "EXTEND", 600, ends_at=1_500)
    assert lot.status is Status.PAUSED
    assert after_step(lot, "RESUME", 700).timing.ends_at == 1_700


# End at once, cancel


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.PAUSED, Status.CLOSING])
def test_an_operator_ends_a_lot_at_once(status: Status) -> None:
    lot = in_status(status)
    ended = after_step(lot, "END", 2_000_000)
    assert (ended.status, ended.outcome, ended.timing.ended_at) == (Status.ENDED, Outcome.SOLD, 2_000_000)
    assert ended.standing == lot.standing
    assert ended.timing.paused_at is None


def test_a_cancelled_lot_has_no_outcome_and_takes_no_bid() -> None:
    lot = after_step(a_lot_with_a_bid(), "CANCEL", 500)
    assert (lot.status, lot.outcome) == (Status.CANCELLED, None)
    assert answer(lot, made=400) is Reason.CANCELLED


# Re-open


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (999, None),  # made in time, however late it comes
        (1_000, "ENDED"),  # the end was the end, even before it was committed
        (3_001, "ENDED"),
        (3_002, "ENDED"),
        (4_999, "ENDED"),
        (5_000, None),
        (5_999, None),
        (6_000, "ENDED"),
    ],
)
def test_a_re_opened_lot_takes_no_bid_of_the_time_between(made: int, reason: str | None) -> None:
    lot = advanced(advanced(a_lot_with_a_bid(), 1_000), 1_002)
    lot = advanced(lot, 1_002 + 2_000)
    assert lot.status is Status.ENDED
    lot = after_step(lot, "REOPEN", 5_000, ends_at=6_000)
    assert (lot.status, lot.outcome, lot.timing.ended_at, lot.timing.closing_at) == (Status.ACTIVE, None, None, None)
    assert (lot.timing.ends_at, lot.timing.hard_close_at) == (6_000, 6_000)
    assert answer(lot, made=made) == reason


@pytest.mark.parametrize(("made", "reason"), [(499, None), (500, "ENDED"), (799, "ENDED"), (800, None)])
def test_a_lot_that_was_ended_early_is_re_opened_from_then(made: int, reason: str | None) -> None:
    lot = after_step(after_step(a_lot_with_a_bid(), "END", 500), "REOPEN", 800, ends_at=900)
    assert answer(lot, made=made) == reason


@pytest.mark.parametrize(
    ("made", "reason"), [(299, None), (300, "PAUSED"), (499, "PAUSED"), (500, "ENDED"), (800, None)]
)
@pytest.mark.parametrize("how", ["ended by an operator", "bought"])
def test_the_pause_in_which_a_lot_ended_stays_closed_when_it_is_re_opened(
    how: str, made: int, reason: str | None
) -> None:
    lot = after_step(a_lot(buy_now=40), "PAUSE", 300)
    if how == "bought":
        lot = rules.decide(lot, a_bid("A", 40, at=200), 500)[0]
    else:
        lot = after_step(after_bids(lot, a_bid("A", 30, at=200)), "END", 500)
    assert lot.status is Status.ENDED
    lot = after_step(lot, "REOPEN", 800, ends_at=900)
    assert answer(lot, made=made) == reason


def test_re_opening_retracts_the_winner_but_keeps_the_standing() -> None:
    sold = after_step(a_lot_with_a_bid(), "END", 500)
    lot = after_step(sold, "REOPEN", 800, ends_at=900)
    assert (sold.outcome, lot.outcome) == (Outcome.SOLD, None)
    assert lot.standing == sold.standing


@pytest.mark.parametrize("ends_at", [None, 0, 800])
def test_a_re_opened_lot_needs_an_end_in_the_future(ends_at: int | None) -> None:
    lot = after_step(a_lot_with_a_bid(), "END", 500)
    with pytest.raises(InvalidInput, match="later than now"):
        after_step(lot, "REOPEN", 800, ends_at=ends_at)


@pytest.mark.parametrize(
    "terms",
    [
        {"format": "SEALED_FIRST_PRICE"},
        {"format": "SEALED_SECOND_PRICE"},
        {"format": "DUTCH", "step": 1, "interval": 100, "floor": 5},
    ],
)
def test_a_lot_that_has_shown_what_was_secret_cannot_be_re_opened(terms: dict[str, Any]) -> None:
    ended = after_step(a_lot(**terms), "END", 500)
    with pytest.raises(Conflict, match="cannot be re-opened"):
        after_step(ended, "REOPEN", 800, ends_at=900)


# Void


@pytest.mark.parametrize(
    ("terms", "bids", "void", "price", "leader"),
    [
        ({}, "A 10", 0, None, None),
        ({}, "A 10, B 20", 1, "10", "A"),  # only here may the price fall
        ({}, "A 10, B 20", 0, "20", "B"),  # B offered 20 in the open
        ({}, "A /30, B /40", 0, "10", "B"),  # but a proxy needed no more than the start
        ({}, "A /30, B /40", 1, "10", "A"),
        ({}, "A /30, B /20", 1, "10", "A"),
        ({}, "A /30, B /20, C /25", 2, "21", "A"),
        ({}, "A /30, B /40, C /50", 1, "31", "C"),
        ({}, "A /30, A /60, B /50", 1, "31", "B"),  # without A's raise B would have won
        ({}, "A /30, B /40, A /60", 1, "10", "A"),
        ({}, "A /20, B /20, A /40", 0, "21", "A"),
        ({"reserve": 50}, "A /60, B /80", 1, "50", "A"),
        ({"reserve": 50}, "A /40, B /80", 1, "10", "A"),  # the reserve is unmet again
        # an amount that was no purchase does not become one
        ({"buy_now": 100}, "A 10, B 150/200", 0, "150", "B"),
        ({"reserve": 50, "buy_now": 100, "buy_now_until": "RESERVE_MET"}, "A /60, B 150", 0, "150", "B"),
    ],
)
@pytest.mark.parametrize("status", [Status.ACTIVE, Status.PAUSED, Status.CLOSING])
def test_voiding_folds_the_other_bids_again(
    terms: dict[str, Any], bids: str, void: int, price: str | None, leader: str | None, status: Status
) -> None:
    made = [read_bid(text, at=10) for text in bids.split(", ")]
    lot = replace(after_bids(a_lot(**terms), *made), status=status)
    changed = after_step(lot, "VOID_BID", 500, bids=made, bid=made[void].id)
    assert changed.standing.price == (None if price is None else D(price))
    assert name_of(changed.standing.leader) == leader
    assert (changed.status, changed.timing, changed.outcome) == (status, lot.timing, None)
    reserve = terms.get("reserve")
    maximum = changed.standing.maximum
    assert changed.standing.reserve_met is (maximum is not None and (reserve is None or maximum >= reserve))


def test_the_fold_is_what_the_bids_give_without_the_voided_one() -> None:
    made = [read_bid(text, at=10) for text in ("A 12/30", "B /45", "C 20/25", "B 60/70", "A /65")]
    lot = a_lot(reserve=40)
    accepted = []
    for bid in made:
        lot, decision = rules.decide(lot, bid, 10)
        accepted += [bid] if decision.accepted else []
    for gone in accepted:
        kept = [bid for bid in accepted if bid.id != gone.id]
        fresh = a_lot(reserve=40)
        for bid in kept:
            fresh, _ = rules.decide(fresh, bid, 10)
        assert after_step(lot, "VOID_BID", 500, bids=accepted, bid=gone.id).standing == fresh.standing


def test_after_voiding_the_only_bid_the_next_one_opens_the_lot() -> None:
    bid = a_bid("A", 40, at=10)
    lot = after_step(after_bids(a_lot(buy_now=100), bid), "VOID_BID", 500, bids=[bid], bid=bid.id)
    assert rules.next_valid_amount(lot, 500) == 10
    assert rules.decide(lot, a_bid("B", 100, at=600), 600)[1].bought_now


def test_voiding_publishes_the_voided_maximum_and_keeps_the_one_that_stands() -> None:
    a1, a2 = a_bid("A", None, 30, at=10), a_bid("A", None, 60, at=10)
    lot = after_bids(a_lot(), a1, a2)
    step = Override(kind="VOID_BID", reason="mistake", bid=a2.id)
    changed, _, opened = rules.override(lot, step, 500, [a1, a2])
    assert opened == (a2.id,)
    assert changed.standing.unopened == (a1.id,)


@pytest.mark.parametrize("bid", [None, UUID(int=99)])
def test_only_an_accepted_bid_can_be_voided(bid: UUID | None) -> None:
    made = a_bid("A", 10, at=10)
    lot = after_bids(a_lot(), made)
    with pytest.raises(NotFound):
        after_step(lot, "VOID_BID", 500, bids=[made], bid=bid)


def test_voiding_a_late_bid_leaves_the_extension_it_caused() -> None:
    first, late = a_bid("A", None, 50, at=10), a_bid("B", 60, at=990)
    lot = after_bids(a_lot(), first, late)
    assert lot.timing.ends_at == 1_090
    changed = after_step(lot, "VOID_BID", 1_000, bids=[first, late], bid=late.id)
    assert (changed.timing.ends_at, changed.timing.extension_count) == (1_090, 1)


# Replay


def test_a_whole_history_replays_to_the_same_lot() -> None:
    start = a_lot(status=Status.SCHEDULED, reserve=40)
    first, refused, second, late = (
        a_bid("A", None, 50, at=100),
        a_bid("B", 5, at=110),
        a_bid("B", None, 60, at=150),
        a_bid("C", 70, at=1_650),
    )

    def step(kind: Any, **more: Any) -> Override:
        return Override(kind=kind, reason="because", **more)

    entries = [
        AdvanceEntry(3),
        BidEntry(first, 101),
        BidEntry(refused, 111),
        OverrideEntry(step("PAUSE"), 200),
        BidEntry(second, 210),  # made before the pause
        OverrideEntry(step("RESUME"), 300),
        OutageEntry(400, 900),
        OverrideEntry(step("EXTEND", ends_at=1_700), 1_000),
        BidEntry(late, 1_660),
        OverrideEntry(step("VOID_BID", bid=second.id), 1_670),
        AdvanceEntry(1_760),
        AdvanceEntry(1_770),  # CLOSING was read back
        AdvanceEntry(3_770),
    ]
    lot = rules.replay(start, entries)
    assert (lot.status, lot.outcome, name_of(lot.standing.leader)) == (Status.ENDED, Outcome.SOLD, "C")
    assert (lot.standing.price, lot.standing.rival_maximum) == (D(70), D(50))
    assert lot.timing.ended_at == 3_770
    # and in two pieces, as a verifier may take it; the second needs the bids before it only for the void
    for cut in range(9):
        assert rules.replay(rules.replay(start, entries[:cut]), entries[cut:9]) == rules.replay(start, entries[:9])


def test_a_replay_folds_the_bids_as_the_books_keep_them() -> None:
    rival, first = a_bid("B", 20, at=10), a_bid("A", None, 50, at=20)
    # its visible amount is below the price and changes nothing, so it must not count when the price falls either
    raised = a_bid("A", 15, 60, at=30)
    lot = after_bids(a_lot(), rival, first, raised)
    kept = [replace(rival, max_amount=D(20)), first, replace(raised, amount=None)]
    voided = after_step(lot, "VOID_BID", 500, bids=kept, bid=rival.id)
    assert (voided.standing.price, voided.standing.maximum) == (D(10), D(60))
    step = Override(kind="VOID_BID", reason="a reason", bid=rival.id)
    entries = [*(BidEntry(bid, bid.effective_at) for bid in (rival, first, raised)), OverrideEntry(step, 500)]
    assert rules.replay(a_lot(), entries) == voided
