"""The lifecycle: every step of the design's table, and no other."""

from itertools import product

import pytest
from tests.fakes.lots import EARLY, ENDS_AT, a_bid, a_lot, after_bids, after_step, in_status

from sothebais.auctions import machine, rules
from sothebais.auctions.model import Outcome, Override, Status, TransitionKind
from sothebais.errors import Conflict, IllegalTransition, InvalidInput

S, K = Status, TransitionKind
#: Written from the table in the design, row by row, not from the code.
LEGAL = {
    (S.SCHEDULED, K.START): S.ACTIVE,
    (S.ACTIVE, K.PAUSED): S.PAUSED,
    (S.CLOSING, K.PAUSED): S.PAUSED,
    (S.PAUSED, K.RESUMED): S.ACTIVE,
    (S.ACTIVE, K.CLOSING): S.CLOSING,
    (S.CLOSING, K.TIMER): S.ACTIVE,
    (S.CLOSING, K.END): S.ENDED,
    (S.ACTIVE, K.END): S.ENDED,
    (S.PAUSED, K.END): S.ENDED,
    (S.ENDED, K.REOPENED): S.ACTIVE,
    (S.ENDED, K.SETTLED): S.SETTLED,
    (S.SCHEDULED, K.CANCELLED): S.CANCELLED,
    (S.ACTIVE, K.CANCELLED): S.CANCELLED,
    (S.PAUSED, K.CANCELLED): S.CANCELLED,
    (S.CLOSING, K.CANCELLED): S.CANCELLED,
    # these change a running lot where it is
    (S.ACTIVE, K.TIMER): S.ACTIVE,
    (S.PAUSED, K.TIMER): S.PAUSED,
    (S.ACTIVE, K.VOIDED): S.ACTIVE,
    (S.PAUSED, K.VOIDED): S.PAUSED,
    (S.CLOSING, K.VOIDED): S.CLOSING,
}
ILLEGAL = [pair for pair in product(Status, TransitionKind) if pair not in LEGAL]
STEPS = {
    "START": K.START,
    "PAUSE": K.PAUSED,
    "RESUME": K.RESUMED,
    "EXTEND": K.TIMER,
    "END": K.END,
    "CANCEL": K.CANCELLED,
    "REOPEN": K.REOPENED,
    "SETTLE": K.SETTLED,
    "VOID_BID": K.VOIDED,
}


@pytest.mark.parametrize(("status", "step"), LEGAL)
def test_a_legal_step_leads_where_the_table_says(status: Status, step: TransitionKind) -> None:
    assert machine.after(status, step) is LEGAL[status, step]


@pytest.mark.parametrize(("status", "step"), ILLEGAL)
def test_an_illegal_step_raises_and_names_status_and_step(status: Status, step: TransitionKind) -> None:
    with pytest.raises(IllegalTransition) as caught:
        machine.after(status, step)
    assert caught.value.fields == {"auction_status": str(status), "step": str(step)}
    assert str(status) in caught.value.message
    assert caught.value.status == 409


@pytest.mark.parametrize(("status", "kind"), list(product(Status, STEPS)))
def test_an_operator_can_take_exactly_the_steps_of_the_table(status: Status, kind: str) -> None:
    lot = in_status(status)
    bid = a_bid("A", 10)
    step = Override(kind=kind, reason="because", ends_at=ENDS_AT + 60_000, bid=bid.id)  # type: ignore[arg-type]
    before = lot
    if (status, STEPS[kind]) in LEGAL:
        changed, transitions, _ = rules.override(lot, step, ENDS_AT, [bid])
        assert changed.status is LEGAL[status, STEPS[kind]]
        assert [(t.kind, t.at, t.cause) for t in transitions] == [(STEPS[kind], ENDS_AT, "because")]
    else:
        with pytest.raises(IllegalTransition):
            rules.override(lot, step, ENDS_AT, [bid])
    assert lot == before


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("reason", ["", "  ", "\n\t"])
def test_every_operator_step_needs_a_reason(kind: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match="reason"):
        rules.override(in_status(S.ACTIVE), Override(kind=kind, reason=reason), EARLY)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", Status)
def test_the_clock_takes_a_lot_only_along_the_table(status: Status) -> None:
    lot = in_status(status)
    changed, transitions = rules.advance(rules.closing_seen(lot, ENDS_AT), ENDS_AT + 60_000)
    at = lot.status
    for step in transitions:
        at = LEGAL[at, step.kind]
    assert changed.status is at
    if status in (S.PAUSED, S.ENDED, S.SETTLED, S.CANCELLED):
        assert (changed, transitions) == (lot, ())


def test_only_a_lot_that_was_sold_can_be_settled() -> None:
    passed = after_step(a_lot(), "END", EARLY)
    assert passed.outcome is Outcome.PASSED
    with pytest.raises(Conflict, match="SOLD"):
        after_step(passed, "SETTLE", EARLY + 1)
    sold = after_step(after_bids(a_lot(), a_bid("A", 10)), "END", EARLY)
    assert after_step(sold, "SETTLE", EARLY + 1).status is S.SETTLED


def test_over_and_running_share_no_status_and_leave_only_scheduled() -> None:
    assert set(Status) - {S.SCHEDULED} == machine.OVER | machine.RUNNING
    assert not machine.OVER & machine.RUNNING
