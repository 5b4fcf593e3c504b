"""Invoices: what a buyer pays and why, exact to the last decimal. Pure.

An invoice is kept as it was made: who is renamed or changes their terms later changes nothing on it.
"""

from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from sothebais import money
from sothebais.auctions import rules
from sothebais.auctions.model import Terms
from sothebais.instants import Millis

#: Invoices of a year that this form of a number has room for before it grows by a digit.
_NUMBER_DIGITS = 6


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a total. ``hammer_price + premium + fee == total``, all in ``currency``."""

    currency: str
    hammer_price: Decimal
    premium_percent: Decimal
    premium: Decimal
    fee: Decimal
    total: Decimal


class Party(msgspec.Struct, frozen=True):
    """A side of the sale, by the name it had on the day."""

    id: UUID
    name: str


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """A numbered invoice as it was issued; instants in milliseconds."""

    number: str
    auction: UUID
    lot_number: int
    title: str
    #: The piece's token id and its collection's name.
    token_id: str
    collection: str
    amounts: Amounts
    buyer: Party
    seller: Party | None
    issuer: str
    issued_at: Millis
    due_at: Millis
    payment_instructions: str | None


def amounts(terms: Terms, hammer_price: Decimal) -> Amounts:
    """What is due at this hammer price, part by part; the total is the one the lot promised before anybody bid."""
    premium = money.commercial(money.percent_of(hammer_price, terms.premium_percent), terms.decimals)
    return Amounts(
        currency=terms.currency,
        hammer_price=hammer_price,
        premium_percent=terms.premium_percent,
        premium=premium,
        fee=terms.fee,
        total=rules.total_payable(terms, hammer_price),
    )


def number(year: int, count: int) -> str:
    """The number of a year's ``count``-th invoice: ``2026-000001``."""
    return f"{year:04d}-{count:0{_NUMBER_DIGITS}d}"


def encode(invoice: Invoice) -> dict[str, Any]:
    """The invoice as JSON: amounts as decimal strings."""
    data: dict[str, Any] = msgspec.to_builtins(invoice)
    data["amounts"] = {
        name: money.text(value) if isinstance(value, Decimal) else value
        for name, value in ((name, getattr(invoice.amounts, name)) for name in Amounts.__struct_fields__)
    }
    return data


def decode(data: dict[str, Any]) -> Invoice:
    """The invoice of its JSON."""
    return msgspec.convert(data, Invoice)
