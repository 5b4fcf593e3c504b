"""A lot's terms in the form in which the log, the database and the pages have them. Pure."""

from decimal import Decimal
from typing import Any, Literal, cast
from uuid import UUID

from sothebais import money
from sothebais.auctions.model import FixedIncrement, Format, Increment, PercentIncrement, Step, TableIncrement, Terms


def to_public(terms: Terms, reserve_commitment: bytes | None) -> dict[str, Any]:
    """The terms as everybody may see them (``PublicTerms``): the reserve only as its commitment."""
    return {
        "format": str(terms.format),
        "currency": terms.currency,
        "decimals": terms.decimals,
        "starting_price": money.text(terms.starting_price),
        "increment": _increment_to_public(terms.increment),
        "amount_max": money.text(terms.amount_max),
        "buy_now": _text(terms.buy_now),
        "buy_now_until": terms.buy_now_until,
        "seller": None if terms.seller is None else str(terms.seller),
        "extension_window": terms.extension_window,
        "extension": terms.extension,
        "max_extensions": terms.max_extensions,
        "closing_grace": terms.closing_grace,
        "max_post_delay": terms.max_post_delay,
        "confirm_multiple": money.text(terms.confirm_multiple),
        "wallet_required": terms.wallet_required,
        "deposit_required": terms.deposit_required,
        "premium_percent": money.text(terms.premium_percent),
        "fee": money.text(terms.fee),
        "step": _text(terms.step),
        "interval": terms.interval,
        "floor": _text(terms.floor),
        "reserve_commitment": None if reserve_commitment is None else reserve_commitment.hex(),
    }


def from_public(public: dict[str, Any], reserve: Decimal | None) -> Terms:
    """The terms of their public form; ``reserve`` as far as the caller knows it."""
    return Terms(
        format=Format(public["format"]),
        currency=public["currency"],
        decimals=public["decimals"],
        starting_price=Decimal(public["starting_price"]),
        increment=_increment_from_public(public["increment"]),
        amount_max=Decimal(public["amount_max"]),
        reserve=reserve,
        buy_now=_decimal(public["buy_now"]),
        buy_now_until=cast(Literal["FIRST_BID", "RESERVE_MET"], public["buy_now_until"]),
        seller=None if public["seller"] is None else UUID(public["seller"]),
        extension_window=public["extension_window"],
        extension=public["extension"],
        max_extensions=public["max_extensions"],
        closing_grace=public["closing_grace"],
        max_post_delay=public["max_post_delay"],
        confirm_multiple=Decimal(public["confirm_multiple"]),
        wallet_required=public["wallet_required"],
        deposit_required=public["deposit_required"],
        premium_percent=Decimal(public["premium_percent"]),
        fee=Decimal(public["fee"]),
        step=_decimal(public["step"]),
        interval=public["interval"],
        floor=_decimal(public["floor"]),
    )


def _increment_to_public(policy: Increment) -> dict[str, Any]:
    public: dict[str, Any] = {"kind": "fixed", "amount": None, "percent": None, "floor": None, "steps": None}
    match policy:
        case FixedIncrement(amount):
            public["amount"] = money.text(amount)
        case PercentIncrement(percent, floor):
            public |= {"kind": "percent", "percent": money.text(percent), "floor": money.text(floor)}
        case TableIncrement(steps):
            rows = [
                {"from_price": money.text(step.from_price), "increment": money.text(step.increment)} for step in steps
            ]
            public |= {"kind": "table", "steps": rows}
    return public


def _increment_from_public(public: dict[str, Any]) -> Increment:
    if public["kind"] == "fixed":
        return FixedIncrement(Decimal(public["amount"]))
    if public["kind"] == "percent":
        return PercentIncrement(Decimal(public["percent"]), Decimal(public["floor"]))
    return TableIncrement(tuple(Step(Decimal(row["from_price"]), Decimal(row["increment"])) for row in public["steps"]))


def _text(value: Decimal | None) -> str | None:
    return None if value is None else money.text(value)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
