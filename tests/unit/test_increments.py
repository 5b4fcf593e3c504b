"""What the next bid must be, under each kind of increment."""

from decimal import Decimal as D
from itertools import pairwise
from typing import Any

import pytest

from sothebais.auctions import increments
from sothebais.auctions.increments import EBAY
from sothebais.auctions.model import FixedIncrement, Increment, PercentIncrement, Step, TableIncrement
from sothebais.errors import InvalidInput

FIVE_PERCENT = PercentIncrement(D(5), D("0.01"))


@pytest.mark.parametrize(
    ("policy", "price", "decimals", "next_bid"),
    [
        (FixedIncrement(D("0.5")), "10", 2, "10.5"),
        (FixedIncrement(D("0.000000000000000001")), "999999999999.999999999999999999", 18, "1000000000000"),
        (FIVE_PERCENT, "10", 2, "10.50"),
        (FIVE_PERCENT, "0.10", 2, "0.11"),  # 5 % would be half a cent; the floor holds
        (FIVE_PERCENT, "10.01", 2, "10.52"),  # 0.5005 is rounded up
        (FIVE_PERCENT, "10.01", 18, "10.5105"),
        (PercentIncrement(D(5), D(1)), "101", 0, "107"),
        (PercentIncrement(D(5), D(1)), "10", 2, "11"),
        (PercentIncrement(D(0), D(1)), "10", 2, "11"),
        (PercentIncrement(D(1000), D(1)), "1000000000000", 2, "11000000000000"),
        (FIVE_PERCENT, "999999999999.999999999999999999", 18, "1049999999999.999999999999999999"),
        (EBAY, "0.01", 2, "0.06"),
        (EBAY, "0.99", 2, "1.04"),
        (EBAY, "1", 2, "1.25"),  # a step begins at its price
        (EBAY, "4.99", 2, "5.24"),
        (EBAY, "5", 2, "5.50"),
        (EBAY, "24.99", 2, "25.49"),
        (EBAY, "25", 2, "26"),
        (EBAY, "100", 2, "102.50"),
        (EBAY, "250", 2, "255"),
        (EBAY, "500", 2, "510"),
        (EBAY, "1000", 2, "1025"),
        (EBAY, "2500", 2, "2550"),
        (EBAY, "5000", 2, "5100"),
        (EBAY, "1000000", 2, "1000100"),
    ],
)
def test_the_next_bid_is_the_price_and_its_increment(
    policy: Increment, price: str, decimals: int, next_bid: str
) -> None:
    increments.validate(policy, decimals)
    assert increments.min_next(policy, D(price), decimals) == D(next_bid)


@pytest.mark.parametrize(
    ("data", "policy"),
    [
        ("0.05", FixedIncrement(D("0.05"))),
        ("ebay", EBAY),
        ({"percent": "5"}, PercentIncrement(D(5), D("0.01"))),
        ({"percent": "2.5", "floor": "1"}, PercentIncrement(D("2.5"), D(1))),
        (
            [{"from": "0", "step": "1"}, {"from": "10", "step": "2"}],
            TableIncrement((Step(D(0), D(1)), Step(D(10), D(2)))),
        ),
    ],
)
def test_a_policy_is_read_from_its_readable_form(data: Any, policy: Increment) -> None:
    assert increments.parse(data, 2) == policy


@pytest.mark.parametrize(
    "data",
    [
        *(None, 5, 0.05, True, "", "0", "-1", "0.001", "EBAY", {}, []),
        *({"floor": "1"}, {"percent": 5}, {"percent": "0"}, {"percent": "1000.1"}, {"percent": "5", "extra": "1"}),
        *({"percent": "5", "floor": "0"}, {"percent": "5", "floor": "0.001"}),
        *([{"from": "1", "step": "1"}], [{"from": "0"}], ["1"], [{"from": "0", "step": "1", "to": "5"}]),
        [{"from": "0", "step": "1"}, {"from": "0", "step": "2"}],
        [{"from": "0", "step": "1"}, {"from": "10", "step": "2"}, {"from": "5", "step": "3"}],
        [{"from": "0", "step": "2"}, {"from": "10", "step": "1"}],  # increments must not fall
        [{"from": "0", "step": "1"}, {"from": "1.001", "step": "2"}],
        [{"from": str(n), "step": "1"} for n in range(101)],
    ],
)
def test_a_policy_that_cannot_be_kept_is_refused(data: Any) -> None:
    with pytest.raises(InvalidInput):
        increments.parse(data, 2)


@pytest.mark.parametrize(
    "policy",
    [
        FixedIncrement(D("NaN")),
        FixedIncrement(D(0)),
        PercentIncrement(D("NaN"), D(1)),
        PercentIncrement(D(-1), D(1)),
        PercentIncrement(D("1." + "0" * 120 + "1"), D(1)),  # could not be multiplied exactly
        TableIncrement(()),
        TableIncrement((Step(D("NaN"), D(1)),)),
        TableIncrement((Step(D(0), D(1)), Step(D("NaN"), D(1)))),
    ],
)
def test_a_policy_from_elsewhere_is_checked_as_strictly(policy: Increment) -> None:
    with pytest.raises(InvalidInput):
        increments.validate(policy, 2)


def test_ebay_steps_are_no_policy_for_a_currency_without_decimals() -> None:
    with pytest.raises(InvalidInput):
        increments.parse("ebay", 0)


@pytest.mark.parametrize("policy", [EBAY, FIVE_PERCENT, FixedIncrement(D(1))])
def test_a_higher_price_never_asks_for_less(policy: Increment) -> None:
    prices = sorted({D(cents) / 100 for cents in [*range(1, 3000, 7), 9999, 10000, 24999, 25000, 499999, 500000]})
    steps = [increments.min_next(policy, price, 2) for price in prices]
    assert all(low < high for low, high in pairwise(steps))
