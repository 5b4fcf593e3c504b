"""What is printed of the values that carry secrets: everything but the secrets."""

from decimal import Decimal as D
from typing import Any
from uuid import UUID

import msgspec
import pytest
from rich.pretty import pretty_repr
from tests.fakes.lots import a_bid, a_lot, after_bids, in_status

from sothebais.auctions import answers, commands, model, rules
from sothebais.auctions.answers import Answer
from sothebais.auctions.commands import PlaceBid
from sothebais.auctions.formats import verdict
from sothebais.auctions.formats.verdict import Accepted
from sothebais.auctions.model import Bidder, BidEntry, Discreet, Source, Status
from sothebais.events.log import Position, Record

#: Figures that occur nowhere by chance.
MAXIMUM, SEALED, RESERVE = D("876543.21"), D("654321.98"), D("987654.32")
SALT = b"\x5a\xa5" * 16
HASH = b"\xc3\x3c" * 16
NAMES_OF_SECRETS = {"max_amount", "maximum", "committed", "opening", "salt", "reserve", "request_hash"}

NOBODY = UUID(int=7)
COMMAND = PlaceBid(
    bid=NOBODY,
    auction=NOBODY,
    user=NOBODY,
    amount=SEALED,
    max_amount=MAXIMUM,
    currency="EUR",
    confirm=True,
    source=Source.API,
    received_at=1,
    effective_at=1,
    idempotency_key="k",
    request_hash=HASH,
)
EVENT = Record(
    id=NOBODY, type="auction:bid:accepted", source="auction-engine", subject="auction:7", timestamp=1, data=b"{}"
)
LED = after_bids(a_lot(reserve=RESERVE), a_bid("A", 10, MAXIMUM, confirm=True))
QUIET = after_bids(a_lot(format="SEALED_FIRST_PRICE", reserve=RESERVE), a_bid("A", SEALED, confirm=True))

CASES: dict[str, tuple[Any, str]] = {
    # what it is, and what must still be seen of it
    "command": (COMMAND, "idempotency_key='k'"),
    "bid": (a_bid("A", SEALED, MAXIMUM), "currency='EUR'"),
    "entry": (BidEntry(a_bid("A", SEALED, MAXIMUM), 5), "decided_at=5"),
    "decision": (rules.decide(a_lot(), a_bid("A", 10, MAXIMUM, confirm=True), 1_000)[1], "amount=Decimal('10')"),
    "verdict": (Accepted(amount=D(10), committed=MAXIMUM), "amount=Decimal('10')"),
    "lot": (LED, "price=Decimal('10')"),
    "standing": (LED.standing, "price=Decimal('10')"),
    "sealed lot": (QUIET, "number="),
    "sealed bid": (QUIET.standing.sealed[0], "number="),
    "terms": (LED.terms, "starting_price=Decimal('10')"),
    "answer": (
        Answer(auction=NOBODY, lot_number=3, event=EVENT, position=Position(1, 2, 3), opening=(MAXIMUM, SALT)),
        "lot_number=3",
    ),
}


@pytest.mark.parametrize(("value", "public"), CASES.values(), ids=CASES)
def test_what_is_printed_of_a_value_holds_no_secret(value: Any, public: str) -> None:
    for text in (repr(value), str(value), f"{value!r}", repr([value]), pretty_repr(value, max_width=1_000)):
        assert not [secret for secret in (MAXIMUM, SEALED, RESERVE) if str(secret) in text], text
        assert not [secret for secret in (SALT, HASH) if repr(secret) in text or secret.hex() in text], text
    assert public in repr(value)
    assert public in pretty_repr(value, max_width=1_000)


def test_a_value_of_two_parts_is_printed_as_it_could_be_written() -> None:
    person = Bidder(NOBODY)
    bid = model.Bid(id=NOBODY, bidder=person, amount=D(1), max_amount=D(2), currency="EUR", effective_at=9)
    assert repr(bid) == (
        f"Bid(id={NOBODY!r}, bidder={person!r}, currency='EUR', effective_at=9, confirm=False, number=0)"
    )


def test_every_value_with_a_field_named_like_a_secret_is_discreet_about_it() -> None:
    found = {
        one
        for module in (model, commands, answers, verdict)
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, msgspec.Struct) and NAMES_OF_SECRETS & {*one.__struct_fields__}
    }
    assert {PlaceBid, model.Bid, model.Standing, model.Terms, Answer, Accepted} <= found
    for one in found:
        assert issubclass(one, Discreet), one
        assert NAMES_OF_SECRETS & {*one.__struct_fields__} <= one.SECRET, one


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.ENDED])
def test_discretion_changes_nothing_but_what_is_printed(status: Status) -> None:
    lot = in_status(status, reserve=RESERVE)
    assert msgspec.json.decode(msgspec.json.encode(lot), type=model.Lot) == lot
    assert msgspec.structs.replace(lot.terms) == lot.terms
    assert lot.terms.reserve == RESERVE
