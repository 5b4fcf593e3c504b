"""Sealed lots: nothing shows until the end; the highest bid wins and pays by the format. They start at 10."""

from decimal import Decimal as D
from typing import Any

import pytest
from msgspec.structs import replace
from tests.fakes.lots import EARLY, a_bid, a_lot, a_person, after_bids, after_step, name_of, read_bid, some_terms

from sothebais.auctions import rules
from sothebais.auctions.model import Format, Lot, Outcome, Reason, SealedBid
from sothebais.errors import InvalidInput

FIRST, SECOND = Format.SEALED_FIRST_PRICE, Format.SEALED_SECOND_PRICE


def ended(lot: Lot) -> Lot:
    return after_step(lot, "END", EARLY + 1)


@pytest.mark.parametrize(
    ("reserve", "bids", "winner", "first_price", "second_price", "sold"),
    [
        (None, "", None, None, None, False),
        (None, "A 30", "A", "30", "10", True),  # alone: the starting price
        (None, "A /30", "A", "30", "10", True),
        (None, "A 30, B 20", "A", "30", "20", True),
        (None, "A 20, B 30", "B", "30", "20", True),
        (None, "A 30, B 30", "A", "30", "30", True),  # ties to the earlier
        (None, "A 20, B 30, C 30, D 25", "B", "30", "30", True),
        (None, "A 50, B 30, A 20", "B", "30", "20", True),  # a later bid replaces the earlier, also downwards
        (None, "A 20, B 30, A 40", "A", "40", "30", True),
        (None, "A 30, B 30, A 30", "B", "30", "30", True),  # and takes its place in the order
        (None, "A 30, A 40", "A", "40", "10", True),  # nobody is their own rival
        (None, "A 30, A 5", "A", "30", "10", True),  # a refused bid replaces nothing
        (25, "A 30", "A", "30", "25", True),
        (25, "A 30, B 20", "A", "30", "25", True),
        (25, "A 30, B 28", "A", "30", "28", True),
        (30, "A 30", "A", "30", "30", True),
        (30, "A 29.99, B 29", "A", "29.99", "29.99", False),
        (5, "A 30", "A", "30", "10", True),  # max(reserve, starting price, second)
    ],
)
def test_a_sealed_lot(
    reserve: int | None,
    bids: str,
    winner: str | None,
    first_price: str | None,
    second_price: str | None,
    sold: bool,
) -> None:
    for kind, price in ((FIRST, first_price), (SECOND, second_price)):
        lot = a_lot(format=kind, reserve=reserve)
        for text in filter(None, bids.split(", ")):
            lot, _ = rules.decide(lot, read_bid(text), EARLY)
        lot = ended(lot)
        assert lot.outcome is (Outcome.SOLD if sold else Outcome.PASSED)
        assert name_of(lot.standing.leader) == winner
        if sold:
            assert lot.standing.price == D(price or 0)


def test_nothing_but_the_number_of_bidders_shows_until_the_end() -> None:
    lot = a_lot(format=SECOND, reserve=25)
    lot = after_bids(lot, *(read_bid(text) for text in ("A 30", "B 99", "A 40")))
    seen = lot.standing
    assert (seen.leader, seen.leading_bid, seen.price, seen.reserve_met, seen.unopened) == (None, None, None, False, ())
    assert len(seen.sealed) == 2
    decision = rules.decide(lot, read_bid("C 50"), EARLY)[1]
    assert (decision.amount, decision.raises, decision.opened, decision.reserve_met) == (None, (), (), False)
    assert (decision.committed, decision.next_valid_amount, decision.extended) == (D(50), D(10), False)


def test_a_sealed_bid_never_extends_a_lot() -> None:
    lot = a_lot(format=FIRST)
    at = lot.timing.ends_at - 1
    changed, decision = rules.decide(lot, a_bid("A", 30, at=at), at)
    assert decision.accepted
    assert changed.timing == lot.timing


def test_a_sealed_bid_below_the_start_is_refused_and_changes_nothing() -> None:
    lot = after_bids(a_lot(format=FIRST), a_bid("A", 30))
    for bid in (a_bid("B", "9.99"), a_bid("A", "9.99")):
        changed, decision = rules.decide(lot, bid, EARLY)
        assert (changed, decision.reason, decision.next_valid_amount) == (lot, Reason.BELOW_MINIMUM, D(10))


@pytest.mark.parametrize("kind", [FIRST, SECOND])
def test_the_last_digits_decide_and_not_the_rounding_of_a_context(kind: Format) -> None:
    # 30 digits: the unary minus of Decimal would round both to the same 28
    low, high = "123456789012.123456789012345677", "123456789012.123456789012345678"
    lot = a_lot(format=kind, currency="ETH", decimals=18, amount_max="1000000000000")
    bids = [a_bid("A", low, currency="ETH", confirm=True), a_bid("B", high, currency="ETH", confirm=True)]
    lot = ended(after_bids(lot, *bids))
    assert name_of(lot.standing.leader) == "B"
    assert lot.standing.price == D(high if kind is FIRST else low)


def test_ties_go_by_number_even_when_the_stored_order_is_another() -> None:
    lot = after_bids(a_lot(format=FIRST), read_bid("A 30"), read_bid("B 30"))
    mixed = replace(lot, standing=replace(lot.standing, sealed=lot.standing.sealed[::-1]))
    assert name_of(ended(mixed).standing.leader) == "A"


def test_a_sealed_bid_has_one_amount() -> None:
    lot = a_lot(format=FIRST)
    with pytest.raises(InvalidInput, match="one amount"):
        rules.decide(lot, a_bid("A", 20, 30), EARLY)
    assert rules.decide(lot, a_bid("A", 30, 30), EARLY)[1].committed == 30


def test_voiding_a_sealed_bid_brings_back_the_one_it_replaced() -> None:
    bids = [read_bid("A 30"), read_bid("B 35"), read_bid("A 40")]
    lot = after_bids(a_lot(format=FIRST), *bids)
    lot = after_step(lot, "VOID_BID", EARLY, bids=bids, bid=bids[2].id)
    assert {(entry.user, entry.amount) for entry in lot.standing.sealed} == {
        (a_person("A").id, D(30)),
        (a_person("B").id, D(35)),
    }
    assert all(isinstance(entry, SealedBid) for entry in lot.standing.sealed)
    assert name_of(ended(lot).standing.leader) == "B"


@pytest.mark.parametrize("wrong", [{"buy_now": "50"}, {"step": "1"}, {"interval": 5}, {"floor": "1"}])
@pytest.mark.parametrize("kind", [FIRST, SECOND])
def test_sealed_terms_that_could_not_be_kept_are_refused(kind: Format, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        some_terms(format=kind, **wrong)


def test_an_amount_far_above_the_start_is_asked_about_without_telling_of_others() -> None:
    lot = after_bids(a_lot(format=FIRST, confirm_multiple=10), a_bid("A", 5_000, confirm=True))
    refusal = rules.decide(lot, a_bid("B", "100.01"), EARLY)[1]
    assert refusal.reason is Reason.CONFIRMATION_REQUIRED
    assert refusal.next_valid_amount == 10
    assert "5000" not in (refusal.message or "")
