"""Bid increments: how much more the next bid must be. Pure."""

from bisect import bisect_right
from decimal import Decimal
from itertools import pairwise
from typing import Any

from sothebais import money
from sothebais.auctions.model import FixedIncrement, Increment, PercentIncrement, Step, TableIncrement
from sothebais.errors import InvalidInput

STEPS_MAX = 100
PERCENT_MAX = Decimal(1000)

#: eBay's increments; the steps under which the real auctions of the backtest were held.
EBAY = TableIncrement(
    tuple(
        Step(Decimal(from_price), Decimal(increment))
        for from_price, increment in [
            ("0", "0.05"),
            ("1", "0.25"),
            ("5", "0.50"),
            ("25", "1"),
            ("100", "2.50"),
            ("250", "5"),
            ("500", "10"),
            ("1000", "25"),
            ("2500", "50"),
            ("5000", "100"),
        ]
    )
)


def increment(policy: Increment, price: Decimal, decimals: int) -> Decimal:
    """How much above ``price`` the next bid must be, rounded up to the currency's decimals."""
    if type(policy) is FixedIncrement:  # the bidding path; a class pattern costs several times as much
        return policy.amount
    match policy:
        case FixedIncrement(amount):
            return amount
        case PercentIncrement(percent, floor):
            return max(floor, money.quantized(money.percent_of(price, percent), decimals))
        case TableIncrement(steps):
            return steps[bisect_right(steps, price, key=_from_price) - 1].increment


def min_next(policy: Increment, price: Decimal, decimals: int) -> Decimal:
    """The least amount that may follow ``price``."""
    return money.add(price, increment(policy, price, decimals))


def validate(policy: Increment, decimals: int) -> None:
    """Raise InvalidInput unless every increment is a positive amount of the currency and none is below an earlier one."""
    match policy:
        case FixedIncrement(amount):
            money.checked(amount, decimals, name="increment.amount")
        case PercentIncrement(percent, floor):
            if percent != 0:
                money.checked(percent, money.DECIMALS_MAX, amount_max=PERCENT_MAX, name="increment.percent")
            money.checked(floor, decimals, name="increment.floor")
        case TableIncrement(steps):
            _validate_steps(steps, decimals)


def parse(data: Any, decimals: int, *, name: str = "increment") -> Increment:
    """An increment policy from its readable form; InvalidInput names the fault.

    ``"0.05"`` (fixed), ``{"percent": "5", "floor": "0.01"}``, ``[{"from": "0", "step": "0.05"}, …]`` or ``"ebay"``.
    """
    policy: Increment
    if data == "ebay":
        policy = EBAY
    elif isinstance(data, str):
        policy = FixedIncrement(money.parse_amount(data, decimals, name=name))
    elif isinstance(data, dict) and set(data) <= {"percent", "floor"} and "percent" in data:
        percent = money.parse_amount(data["percent"], money.DECIMALS_MAX, name=f"{name}.percent")
        floor = data.get("floor")
        least = money.unit(decimals) if floor is None else money.parse_amount(floor, decimals, name=f"{name}.floor")
        policy = PercentIncrement(percent, least)
    elif isinstance(data, list) and data:
        policy = TableIncrement(tuple(_parse_step(row, decimals, f"{name}[{i}]") for i, row in enumerate(data)))
    else:
        raise InvalidInput(
            f'{name} must be an amount ("0.05"), {{"percent": "5", "floor": "0.01"}}, '
            'a list of {"from": "0", "step": "0.05"} or "ebay".',
            field=name,
        )
    validate(policy, decimals)
    return policy


def _parse_step(row: Any, decimals: int, name: str) -> Step:
    if not isinstance(row, dict) or set(row) != {"from", "step"}:
        raise InvalidInput(f'{name} must be {{"from": "0", "step": "0.05"}}.', field=name)
    start = money.ZERO if row["from"] == "0" else money.parse_amount(row["from"], decimals, name=f"{name}.from")
    return Step(start, money.parse_amount(row["step"], decimals, name=f"{name}.step"))


def _from_price(step: Step) -> Decimal:
    return step.from_price


def _validate_steps(steps: tuple[Step, ...], decimals: int) -> None:
    if not steps or steps[0].from_price != 0:
        raise InvalidInput("The increment table must start at price 0.", field="increment")
    if len(steps) > STEPS_MAX:
        raise InvalidInput(f"The increment table has more than {STEPS_MAX} steps.", field="increment")
    for step in steps:
        money.checked(step.increment, decimals, name="increment.step")
    for step in steps[1:]:
        money.checked(step.from_price, decimals, name="increment.from")
    for before, after in pairwise(steps):
        if after.from_price <= before.from_price:
            raise InvalidInput("The increment table's prices must rise.", field="increment")
        if after.increment < before.increment:
            raise InvalidInput("The increments must not fall as the price rises.", field="increment")
