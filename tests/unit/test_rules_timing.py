"""When a bid counts, how the clock moves a lot, and soft close (rule 6). Times are milliseconds.

Lots here run from 0 to 1000 and close for good at 2000; the window and the extension are 100, the grace is 50.
"""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.fakes.lots import a_bid, advanced, after_bids, after_step, decided
from tests.fakes.lots import a_lot as any_lot

from sothebais.auctions import rules
from sothebais.auctions.model import Lot, Outcome, Reason, Status, TransitionKind

K = TransitionKind


def a_lot(**changes: Any) -> Lot:
    return any_lot(
        **{
            "ends_at": 1_000,
            "hard_close_at": 2_000,
            "extension_window": 100,
            "extension": 100,
            "closing_grace": 50,
            "max_post_delay": 50,
        }
        | changes
    )


def a_lot_with_a_bid(**changes: Any) -> Lot:
    return after_bids(a_lot(**changes), a_bid("A", None, 50, at=10))


def closing(at: int = 1_000, **changes: Any) -> Lot:
    return rules.closing_seen(advanced(a_lot_with_a_bid(**changes), at), at)


@pytest.mark.parametrize(
    ("made", "decided_at", "reason"),
    [
        (0, 0, None),  # the first instant counts
        (-1, 5, "NOT_STARTED"),
        (999, 999, None),
        (999, 1_040, None),  # made in time, decided while CLOSING
        (1_000, 1_000, "ENDED"),  # the end itself is too late
        (1_001, 1_040, "ENDED"),
    ],
)
def test_the_effective_time_decides_whether_a_bid_counts(made: int, decided_at: int, reason: str | None) -> None:
    lot = advanced(a_lot(), decided_at)
    changed, decision = rules.decide(lot, a_bid("A", 10, at=made), decided_at)
    assert decision.reason == reason
    assert (changed == lot) is (reason is not None)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (Status.SCHEDULED, "NOT_STARTED"),
        (Status.ENDED, "ENDED"),
        (Status.SETTLED, "ENDED"),
        (Status.CANCELLED, "CANCELLED"),
    ],
)
@pytest.mark.parametrize("made", [-1, 500, 5_000])
def test_a_lot_that_is_not_running_takes_no_bid_whenever_it_was_made(status: Status, reason: str, made: int) -> None:
    lot = a_lot(status=status)
    changed, decision = rules.decide(lot, a_bid("A", 10, at=made), 600)
    assert (changed, decision.reason) == (lot, reason)


def test_bids_are_decided_in_order_of_arrival_even_against_their_times() -> None:
    later, earlier = a_bid("A", None, 20, at=500), a_bid("B", None, 20, at=400)
    lot = after_bids(a_lot(), later, earlier, at=600)
    assert lot.standing.leader == later.bidder.id


# The clock


def test_a_lot_opens_closes_and_ends_by_the_clock() -> None:
    lot, story = a_lot(status=Status.SCHEDULED), []
    for now in (-1, 0, 999, 1_000, 1_001, 1_050, 1_051, 9_999):
        lot, steps = rules.advance(rules.closing_seen(lot, now), now)
        story += [(step.kind, step.at) for step in steps]
        assert rules.advance(lot, now) == (lot, ())
    # grace counts from 1001, when CLOSING was first read back as committed
    assert story == [(K.START, 0), (K.CLOSING, 1_000), (K.END, 1_051)]
    assert (lot.outcome, lot.timing.ended_at) == (Outcome.PASSED, 1_051)


def test_a_closing_lot_does_not_end_before_its_closing_was_seen_committed() -> None:
    lot, _ = rules.advance(a_lot_with_a_bid(), 1_000)
    assert rules.advance(lot, 10**9) == (lot, ())
    assert rules.next_due(lot) == 1_000  # due at once: somebody has to look
    seen = rules.closing_seen(lot, 1_200)
    assert rules.closing_seen(seen, 1_300) == seen
    assert rules.next_due(seen) == 1_250
    assert rules.advance(seen, 1_249) == (seen, ())
    assert rules.advance(seen, 1_250)[0].outcome is Outcome.SOLD


def test_a_lot_does_not_end_while_the_engine_holds_bids_for_it() -> None:
    lot = closing()
    assert rules.advance(lot, 5_000, end=False) == (lot, ())
    lot, (decision,) = decided(lot, a_bid("B", 60, at=990), at=5_000)
    assert decision.accepted


def test_closing_seen_says_nothing_of_a_lot_that_is_not_closing() -> None:
    for status in set(Status) - {Status.CLOSING}:
        lot = a_lot(status=status)
        assert rules.closing_seen(lot, 500) == lot


@pytest.mark.parametrize(
    ("now", "starts_at", "ends_at", "cause"),
    [
        (999, 0, 1_000, "on time"),
        (1_000, 1_000, 2_000, "opened late"),
        (86_400_000, 86_400_000, 86_401_000, "opened late"),
    ],
)
def test_a_lot_that_opens_late_keeps_its_length(now: int, starts_at: int, ends_at: int, cause: str) -> None:
    lot, steps = rules.advance(a_lot(status=Status.SCHEDULED), now)
    assert (lot.timing.starts_at, lot.timing.ends_at) == (starts_at, ends_at)
    assert lot.timing.hard_close_at - lot.timing.ends_at == 1_000
    assert [(step.kind, step.cause) for step in steps] == [(K.START, cause)]


def test_a_held_lot_waits_for_the_one_before_it() -> None:
    lot = replace(a_lot(status=Status.SCHEDULED), held=True)
    assert rules.advance(lot, 5_000) == (lot, ())
    assert rules.next_due(lot) is None
    assert rules.decide(lot, a_bid("A", 10, at=500), 500)[1].reason is Reason.NOT_STARTED
    released, _ = rules.advance(replace(lot, held=False), 5_000)
    assert (released.status, released.timing.ends_at) == (Status.ACTIVE, 6_000)


@pytest.mark.parametrize(
    ("status", "due"),
    [
        (Status.SCHEDULED, 0),
        (Status.ACTIVE, 1_000),
        *((status, None) for status in (Status.PAUSED, Status.ENDED, Status.SETTLED, Status.CANCELLED)),
    ],
)
def test_next_due_is_when_the_clock_has_something_to_do(status: Status, due: int | None) -> None:
    lot = a_lot(status=status)
    assert rules.next_due(lot) == due
    if due is not None:
        assert rules.advance(lot, due - 1) == (lot, ())
        assert rules.advance(lot, due) != (lot, ())


# Soft close


@pytest.mark.parametrize(
    ("bid", "made", "decided_at", "ends_at", "count"),
    [
        ("B 60", 899, 899, 1_000, 0),  # before the window
        ("B 60", 899, 999, 1_000, 0),  # the window looks at when it was made
        ("B 60", 900, 900, 1_000, 0),  # in the window, but 900 + 100 changes nothing
        ("B 60", 900, 901, 1_001, 1),
        ("B 60", 950, 950, 1_050, 1),
        ("B 60", 999, 999, 1_099, 1),
        ("B 60", 950, 990, 1_090, 1),  # the extension counts from the decision
        ("B 20", 950, 950, 1_050, 1),  # outbid at once, but the price moved
        ("B /50", 950, 950, 1_050, 1),
        ("A 60", 950, 950, 1_000, 0),  # raising one's own lead never extends
        ("A /60", 950, 950, 1_000, 0),
        ("B 10", 950, 950, 1_000, 0),  # refused
        ("A /50", 950, 950, 1_000, 0),
    ],
)
def test_soft_close(bid: str, made: int, decided_at: int, ends_at: int, count: int) -> None:
    who, _, text = bid.partition(" ")
    amount, _, maximum = text.partition("/")
    offer = a_bid(who, amount or None, maximum or None, at=made)
    lot, decision = rules.decide(a_lot_with_a_bid(), offer, decided_at)
    assert (lot.timing.ends_at, lot.timing.extension_count) == (ends_at, count)
    assert decision.extended is (count == 1)
    assert not decision.reopened


@pytest.mark.parametrize(
    ("terms", "hard_close_at", "ends_at", "count"),
    [
        ({}, 2_000, 1_090, 1),
        ({}, 1_050, 1_050, 1),
        ({}, 1_000, 1_000, 0),  # hard close leaves nothing to extend
        ({"max_extensions": 1}, 2_000, 1_090, 1),
        ({"max_extensions": 0}, 2_000, 1_000, 0),
        ({"extension": 0}, 2_000, 1_000, 0),
        ({"extension_window": 0}, 2_000, 1_000, 0),
        ({"extension": 5_000}, 2_000, 2_000, 1),
    ],
)
def test_an_extension_is_bounded(terms: dict[str, Any], hard_close_at: int, ends_at: int, count: int) -> None:
    lot = a_lot_with_a_bid(hard_close_at=hard_close_at, **terms)
    lot, _ = rules.decide(lot, a_bid("B", 60, at=990), 990)
    assert (lot.timing.ends_at, lot.timing.extension_count) == (ends_at, count)


def test_extensions_go_on_until_the_hard_close_and_no_further() -> None:
    lot, price = a_lot_with_a_bid(), 60
    for _ in range(40):
        at = lot.timing.ends_at - 1
        lot, decision = rules.decide(lot, a_bid("BC"[price % 2], price, at=at), at)
        assert decision.accepted
        assert decision.extended is (at < 1_999)
        price += 1
    assert lot.timing.ends_at == lot.timing.hard_close_at == 2_000


def test_a_maximum_of_extensions_is_kept() -> None:
    lot = a_lot_with_a_bid(max_extensions=2)
    for price, who in ((60, "B"), (61, "C"), (62, "B")):
        at = lot.timing.ends_at - 1
        lot = after_bids(lot, a_bid(who, price, at=at))
    assert lot.timing.extension_count == 2
    assert lot.timing.ends_at == 999 + 100 - 1 + 100


def test_a_bid_made_in_time_wakes_a_closing_lot() -> None:
    lot, decision = rules.decide(closing(), a_bid("B", 60, at=999), 1_030)
    assert decision.reopened
    assert decision.extended
    assert (lot.status, lot.timing.ends_at, lot.timing.closing_at) == (Status.ACTIVE, 1_130, None)
    # and the whole way to the end is walked again
    assert rules.advance(lot, 1_129) == (lot, ())
    assert advanced(advanced(lot, 1_130), 1_130).status is Status.CLOSING


@pytest.mark.parametrize(
    ("offer", "made"),
    [(("B", 60), 1_000), (("B", 60), 1_029), (("A", 60), 999), (("B", 60), 800), (("B", 10), 999)],
    ids=["at the end", "after the end", "own raise", "before the window", "too low"],
)
def test_any_other_bid_leaves_a_closing_lot_closing(offer: tuple[str, int], made: int) -> None:
    lot = closing()
    changed, decision = rules.decide(lot, a_bid(*offer, at=made), 1_030)
    assert (changed.status, changed.timing, decision.reopened) == (Status.CLOSING, lot.timing, False)
    assert (changed == lot) is not decision.accepted


def test_a_closing_lot_whose_hard_close_has_passed_stays_closing() -> None:
    lot = closing(hard_close_at=1_020)
    changed, decision = rules.decide(lot, a_bid("B", 60, at=999), 1_030)
    assert decision.accepted
    assert not decision.reopened
    assert (changed.status, changed.timing.ends_at) == (Status.CLOSING, 1_020)
    assert changed.timing.closing_at == lot.timing.closing_at  # nor does the grace begin anew


# Outage


@pytest.mark.parametrize(
    ("since", "until", "ends_at", "hard_close_at"),
    [
        (400, 500, 1_100, 2_100),
        (-300, 200, 1_200, 2_200),  # only what fell into the lot
        (990, 1_500, 1_510, 2_510),  # ten remain, as when it began
        (1_000, 1_500, 1_000, 2_000),  # it began when the lot was over
        (500, 500, 1_000, 2_000),
        (500, 400, 1_000, 2_000),
        (-500, -100, 1_000, 2_000),
    ],
)
@pytest.mark.parametrize("status", [Status.ACTIVE, Status.CLOSING])
def test_an_outage_gives_the_time_back(
    status: Status, since: int, until: int, ends_at: int, hard_close_at: int
) -> None:
    lot = a_lot_with_a_bid() if status is Status.ACTIVE else closing()
    changed, steps = rules.outage(lot, since, until)
    assert (changed.timing.ends_at, changed.timing.hard_close_at) == (ends_at, hard_close_at)
    assert changed.timing.extension_count == 0
    if ends_at > 1_000:
        assert changed.status is Status.ACTIVE
        assert [step.kind for step in steps] == [K.TIMER]
    else:
        assert (changed, steps) == (lot, ())


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.ACTIVE, Status.CLOSING}))
def test_an_outage_does_not_concern_a_lot_that_takes_no_bids(status: Status) -> None:
    lot = a_lot(status=status)
    assert rules.outage(lot, 100, 900) == (lot, ())


# Pause


@pytest.mark.parametrize(
    ("made", "decided_at", "reason"),
    [
        (499, 600, None),  # made before the pause: decided while PAUSED
        (500, 600, "PAUSED"),
        (599, 600, "PAUSED"),
        (999, 1_050, "PAUSED"),
        (1_500, 1_500, "PAUSED"),
    ],
)
def test_a_bid_made_in_a_pause_does_not_count_and_one_made_before_does(
    made: int, decided_at: int, reason: str | None
) -> None:
    lot = after_step(a_lot_with_a_bid(), "PAUSE", 500)
    changed, decision = rules.decide(lot, a_bid("B", 60, at=made), decided_at)
    assert decision.reason == reason
    assert changed.status is Status.PAUSED
    assert (changed == lot) is (reason is not None)


@pytest.mark.parametrize(
    ("made", "reason"),
    [(499, None), (500, "PAUSED"), (799, "PAUSED"), (800, None), (1_299, None), (1_300, "ENDED")],
)
def test_a_past_pause_stays_closed_and_moves_the_end(made: int, reason: str | None) -> None:
    lot = after_step(after_step(a_lot_with_a_bid(), "PAUSE", 500), "RESUME", 800)
    assert (lot.status, lot.timing.ends_at, lot.timing.hard_close_at) == (Status.ACTIVE, 1_300, 2_300)
    assert rules.decide(lot, a_bid("B", 60, at=made), 1_300)[1].reason == reason


def test_time_stands_still_in_a_pause() -> None:
    lot = after_step(a_lot_with_a_bid(), "PAUSE", 500)
    assert rules.advance(lot, 10**9) == (lot, ())
    lot = after_step(lot, "RESUME", 10**9)
    assert lot.timing.ends_at == 10**9 + 500


def test_two_pauses_add_up() -> None:
    lot = a_lot_with_a_bid()
    for since, until in ((100, 200), (500, 900)):
        lot = after_step(after_step(lot, "PAUSE", since), "RESUME", until)
    assert lot.timing.ends_at == 1_500
    for made, reason in ((150, "PAUSED"), (300, None), (600, "PAUSED"), (1_499, None)):
        assert rules.decide(lot, a_bid("B", 60, at=made), 1_499)[1].reason == reason


def test_a_pause_and_resume_in_one_millisecond_change_no_time() -> None:
    lot = a_lot_with_a_bid()
    again = after_step(after_step(lot, "PAUSE", 500), "RESUME", 500)
    assert again.timing.ends_at == lot.timing.ends_at
    assert rules.decide(again, a_bid("B", 60, at=500), 500)[1].accepted


def test_a_clock_a_little_behind_does_not_shorten_a_lot_on_resuming() -> None:
    lot = after_step(after_step(a_lot_with_a_bid(), "PAUSE", 500), "RESUME", 490)
    assert lot.timing.ends_at == 1_000


def test_a_bid_made_in_the_window_before_a_pause_extends_the_frozen_time() -> None:
    lot = after_step(a_lot_with_a_bid(), "PAUSE", 960)
    lot, decision = rules.decide(lot, a_bid("B", 60, at=950), 5_000)
    assert decision.extended
    assert lot.status is Status.PAUSED
    assert lot.timing.ends_at == 1_060  # 100 after the pause began: that much is left when it ends
    assert after_step(lot, "RESUME", 5_000).timing.ends_at == 5_100


@pytest.mark.parametrize("when", ["while paused", "after resuming"])
@pytest.mark.parametrize(("made", "reason"), [(999, None), (1_000, "ENDED"), (1_009, "ENDED"), (1_010, "PAUSED")])
def test_a_pause_of_a_closing_lot_lets_no_late_bid_in(when: str, made: int, reason: str | None) -> None:
    lot = after_step(closing(), "PAUSE", 1_010)
    if when == "after resuming":
        lot = after_step(lot, "RESUME", 1_500)
        assert lot.timing.ends_at == 1_490
    changed, decision = rules.decide(lot, a_bid("B", 60, at=made), 1_500)
    assert decision.reason == reason
    assert (changed == lot) is (reason is not None)


def test_a_closing_lot_that_was_paused_has_its_whole_grace_again() -> None:
    lot = after_step(after_step(closing(), "PAUSE", 1_010), "RESUME", 1_500)
    lot = advanced(lot, 1_500)
    assert lot.status is Status.CLOSING
    assert advanced(advanced(lot, 1_500), 1_549).status is Status.CLOSING
    assert advanced(advanced(lot, 1_500), 1_550).status is Status.ENDED
