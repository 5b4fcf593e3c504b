"""Dutch lots: the price falls until somebody takes it. From 100 by 10 every 100 ms down to 35, open from 0 to 2000."""

from decimal import Decimal as D
from typing import Any

import pytest
from tests.fakes.lots import a_bid, a_person, advanced, after_step, some_terms
from tests.fakes.lots import a_lot as any_lot

from sothebais.auctions import rules
from sothebais.auctions.model import Format, Lot, Outcome, Reason, Status
from sothebais.errors import InvalidInput

TERMS: dict[str, Any] = {"format": Format.DUTCH, "starting_price": "100", "step": "10", "interval": 100, "floor": "35"}


def a_lot(**changes: Any) -> Lot:
    return any_lot(**{"ends_at": 2_000, "hard_close_at": 2_000} | TERMS | changes)


@pytest.mark.parametrize(
    ("at", "price"),
    [
        *((-500, "100"), (0, "100"), (99, "100"), (100, "90"), (199, "90"), (200, "80")),
        *((600, "40"), (699, "40"), (700, "35"), (701, "35"), (1_999, "35"), (10**12, "35")),
    ],
)
def test_the_price_falls_by_steps_to_the_floor(at: int, price: str) -> None:
    assert rules.next_valid_amount(a_lot(), at) == D(price)


@pytest.mark.parametrize(
    ("amount", "maximum", "made", "decided_at", "price"),
    [
        ("100", None, 0, 0, "100"),
        ("99.99", None, 0, 0, None),
        ("90", None, 99, 150, None),  # the price is that of when it was made, not of when it is decided
        ("90", None, 100, 150, "90"),
        ("90", None, 100, 1_000, "90"),
        ("500", None, 350, 350, "70"),  # pays the price asked, not the offer
        (None, "500", 350, 350, "70"),
        ("35", None, 1_999, 2_001, "35"),
        ("34.99", None, 1_999, 2_001, None),
    ],
)
def test_the_first_bid_at_the_price_wins_at_the_price(
    amount: str | None, maximum: str | None, made: int, decided_at: int, price: str | None
) -> None:
    lot = advanced(a_lot(), decided_at)
    changed, decision = rules.decide(lot, a_bid("A", amount, maximum, at=made), decided_at)
    if price is None:
        assert (changed, decision.reason) == (lot, Reason.BELOW_MINIMUM)
        return
    assert (changed.status, changed.outcome) == (Status.ENDED, Outcome.SOLD)
    assert (changed.standing.leader, changed.standing.price) == (a_person("A").id, D(price))
    assert (decision.amount, decision.next_valid_amount, decision.extended) == (D(price), None, False)
    assert changed.timing.ends_at == 2_000
    again, refusal = rules.decide(changed, a_bid("B", 500, at=made), decided_at)
    assert (again, refusal.reason) == (changed, Reason.ENDED)


def test_arrival_breaks_a_tie_even_against_the_times() -> None:
    lot = rules.decide(a_lot(), a_bid("A", 100, at=350), 400)[0]
    assert rules.decide(lot, a_bid("B", 100, at=50), 400)[1].reason is Reason.ENDED
    assert lot.standing.leader == a_person("A").id


def test_nobody_bought_so_it_passed() -> None:
    lot = advanced(advanced(advanced(a_lot(), 2_000), 2_000), 4_000)
    assert (lot.status, lot.outcome, lot.standing.leader) == (Status.ENDED, Outcome.PASSED, None)


def test_the_price_stands_still_in_a_pause() -> None:
    lot = after_step(a_lot(), "PAUSE", 250)
    assert rules.next_valid_amount(lot, 5_000) == 80
    lot = after_step(lot, "RESUME", 5_000)
    for at, price in ((5_000, 80), (5_049, 80), (5_050, 70), (5_149, 70), (5_150, 60)):
        assert rules.next_valid_amount(lot, at) == price
    assert rules.next_valid_amount(lot, 240) == 80  # and of a moment before the pause it is what it was
    assert rules.next_valid_amount(lot, 50) == 100


def test_two_pauses_stop_the_price_twice() -> None:
    lot = a_lot()
    for since, until in ((50, 150), (250, 1_250)):
        lot = after_step(after_step(lot, "PAUSE", since), "RESUME", until)
    assert [rules.next_valid_amount(lot, at) for at in (49, 199, 200, 1_299, 1_300)] == [100, 100, 90, 90, 80]


def test_a_bid_made_before_a_pause_wins_while_paused() -> None:
    lot = after_step(a_lot(), "PAUSE", 250)
    changed, decision = rules.decide(lot, a_bid("A", 80, at=249), 900)
    assert decision.accepted
    assert (changed.status, changed.standing.price, changed.timing.paused_at) == (Status.ENDED, D(80), None)
    assert rules.decide(lot, a_bid("A", 100, at=250), 900)[1].reason is Reason.PAUSED


def test_a_lot_that_is_started_late_falls_from_its_start() -> None:
    lot = after_step(a_lot(status=Status.SCHEDULED), "START", 700)
    assert [rules.next_valid_amount(lot, at) for at in (700, 800)] == [100, 90]


def test_an_offer_far_above_the_price_is_asked_about() -> None:
    lot = a_lot(confirm_multiple=2)
    assert rules.decide(lot, a_bid("A", "200.01", at=500), 500)[1].reason is Reason.CONFIRMATION_REQUIRED
    assert rules.decide(lot, a_bid("A", "200", at=500), 500)[1].accepted
    assert rules.decide(lot, a_bid("A", "999", at=500, confirm=True), 500)[0].standing.price == 50


def test_the_smallest_steps_stay_exact() -> None:
    lot = a_lot(
        decimals=18,
        currency="ETH",
        amount_max="1000000000000",
        starting_price="999999999999.999999999999999999",
        step="0.000000000000000001",
        floor="0.000000000000000001",
        interval=1,
    )
    assert rules.next_valid_amount(lot, 1_999) == D("999999999999.999999999999998000")


@pytest.mark.parametrize(
    "wrong",
    [
        *({"step": None}, {"interval": None}, {"floor": None}, {"interval": 0}, {"interval": -1}, {"step": "0"}),
        *({"floor": "100.01"}, {"floor": "0"}, {"reserve": "50"}, {"buy_now": "200"}),
    ],
)
def test_dutch_terms_that_could_not_be_kept_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        some_terms(**TERMS | wrong)
