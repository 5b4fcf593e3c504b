"""From decisions to the ``data`` of events, as ``events.types.auction`` defines it. No I/O.

Not the strict models because this is the bidding path; a test parses every event the engine writes with them. What is
written for every bid is a struct with its fields in alphabetical order, which is the canonical one: the encoder need
not sort. Ids stay ids: the encoder writes their text several times faster than ``str``.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec

from sothebais import money
from sothebais.auctions import rules
from sothebais.auctions.commands import PlaceBid
from sothebais.auctions.model import SEALED, Decision, Lot, Raise, Reason, Source, Status, Transition
from sothebais.events.chain import canonical
from sothebais.instants import Millis

#: bid → (maximum, salt)
type Openable = dict[UUID, tuple[Decimal, bytes]]

#: Texts of amounts that are kept: most are written again by the next bid.
TEXTS_KEPT_MAX = 8_192


@lru_cache(maxsize=TEXTS_KEPT_MAX)
def opt(value: Decimal | None) -> str | None:
    """The canonical text of an amount that may be missing."""
    return None if value is None else money.text(value)


def ref(value: UUID | None) -> str | None:
    """The text of an id that may be missing."""
    return None if value is None else str(value)


class OpeningData(msgspec.Struct, gc=False):
    """``Opening``; read by anybody, for it is of a maximum that is secret no more."""

    bid: UUID
    max_amount: str | None
    salt: str


class RaiseData(msgspec.Struct, gc=False):
    """``Raise``."""

    amount: str
    bid: UUID
    number: int
    user: UUID


class AcceptedData(msgspec.Struct, kw_only=True):
    """``auction:bid:accepted``."""

    amount: str | None
    bid: UUID
    bid_count: int
    bidder_count: int | None
    confirm: bool
    effective_at: Millis
    ends_at: Millis
    extension_count: int
    leader: UUID | None
    leading_bid: UUID | None
    max_commitment: str
    next_valid_amount: str | None
    number: int
    offered_by_house: bool
    openings: list[OpeningData]
    previous_price: str | None
    price: str | None
    raises: list[RaiseData]
    reserve_met: bool
    source: Source
    status: Status
    user: UUID


class RejectedData(msgspec.Struct, kw_only=True):
    """``auction:bid:rejected``."""

    amount: str | None
    bid: UUID
    bid_count: int
    confirm: bool
    currency: str
    effective_at: Millis
    max_amount: str | None
    message: str
    next_valid_amount: str | None
    number: int
    reason: str
    source: Source
    user: UUID


_IN_ORDER = (OpeningData, RaiseData, AcceptedData, RejectedData)
if any(list(one.__struct_fields__) != sorted(one.__struct_fields__) for one in _IN_ORDER):
    raise TypeError("the fields of a struct are not in canonical order")
_encoder = msgspec.json.Encoder()


def encoded(data: AcceptedData | RejectedData | dict[str, Any]) -> bytes:
    """Canonical JSON of an event's data."""
    return canonical(data) if type(data) is dict else _encoder.encode(data)


def openings(bids: Iterable[UUID], secrets: Openable) -> list[OpeningData]:
    """The openings of those bids."""
    return [OpeningData(bid, opt(secrets[bid][0]), secrets[bid][1].hex()) for bid in bids]


def raises(rows: Sequence[tuple[UUID, int, Raise]]) -> list[RaiseData]:
    """The proxies' raises with the ids and numbers of their rows."""
    return [RaiseData(money.text(made.amount), bid, number, made.user) for bid, number, made in rows]


def public_price(lot: Lot) -> str | None:
    """The price as everybody may see it: nothing while a sealed lot runs."""
    return opt(lot.standing.price)


def bidder_count(lot: Lot) -> int | None:
    """How many people have bid on a sealed lot; None in the other formats, where the bids themselves are public."""
    return len(lot.standing.sealed) if lot.terms.format in SEALED else None


def accepted(
    command: PlaceBid,
    before: Lot,
    lot: Lot,
    decision: Decision,
    *,
    number: int,
    effective_at: Millis,
    commitment: bytes,
    bid_count: int,
    rows: Sequence[tuple[UUID, int, Raise]],
    secrets: Openable,
) -> AcceptedData:
    """``auction:bid:accepted``."""
    standing, timing = lot.standing, lot.timing
    return AcceptedData(
        bid=command.bid,
        number=number,
        user=command.user,
        source=command.source,
        amount=opt(decision.amount),
        offered_by_house=decision.offered_by_house,
        confirm=command.confirm,
        effective_at=effective_at,
        max_commitment=commitment.hex(),
        status=lot.status,
        price=public_price(lot),
        previous_price=public_price(before),
        leader=standing.leader,
        leading_bid=standing.leading_bid,
        reserve_met=standing.reserve_met,
        next_valid_amount=opt(decision.next_valid_amount),
        ends_at=timing.ends_at,
        extension_count=timing.extension_count,
        bid_count=bid_count,
        bidder_count=bidder_count(lot),
        raises=raises(rows),
        openings=openings(decision.opened, secrets),
    )


def rejected(
    command: PlaceBid, lot: Lot, decision: Decision, *, number: int, effective_at: Millis, bid_count: int
) -> RejectedData:
    """``auction:bid:rejected``.

    A maximum that was refused as too low never stood and may be shown, so that the refusal can be checked. One that
    waits for its confirmation, or that says how far the leader would not go, is nobody's business. Nor is any figure
    of a sealed bid.
    """
    sealed = lot.terms.format in SEALED
    show_maximum = decision.reason is Reason.BELOW_MINIMUM and not sealed
    show_amount = not sealed and decision.reason not in (Reason.CONFIRMATION_REQUIRED, Reason.ALREADY_LEADING)
    return RejectedData(
        bid=command.bid,
        number=number,
        user=command.user,
        source=command.source,
        amount=opt(command.amount) if show_amount else None,
        max_amount=opt(command.max_amount) if show_maximum else None,
        currency=command.currency,
        confirm=command.confirm,
        effective_at=effective_at,
        reason=str(decision.reason),
        message=decision.message or "",
        next_valid_amount=opt(decision.next_valid_amount),
        bid_count=bid_count,
    )


def step(lot: Lot, transition: Transition, actor: UUID | None = None) -> dict[str, Any]:
    """A step of the lifecycle (``Step``): the times after it and why."""
    timing = lot.timing
    return {
        "status": str(lot.status),
        "starts_at": timing.starts_at,
        "ends_at": timing.ends_at,
        "hard_close_at": timing.hard_close_at,
        "extension_count": timing.extension_count,
        "cause": transition.cause,
        "actor": ref(actor),
        "next_valid_amount": opt(rules.next_valid_amount(lot, transition.at)),
    }


def end(
    lot: Lot,
    transition: Transition,
    *,
    bid_count: int,
    opened: Iterable[UUID],
    secrets: Openable,
    reserve: tuple[Decimal, bytes] | None,
    actor: UUID | None = None,
) -> dict[str, Any]:
    """``auction:end``; ``reserve`` (with its salt) only when the lot has PASSED for want of it."""
    standing = lot.standing
    sold = lot.outcome == "SOLD"
    return step(lot, transition, actor) | {
        "outcome": str(lot.outcome),
        "price": opt(standing.price) if sold else public_price(lot),
        "winner": ref(standing.leader) if sold else None,
        "winning_bid": ref(standing.leading_bid) if sold else None,
        "leader": ref(standing.leader),
        "leading_bid": ref(standing.leading_bid),
        "bid_count": bid_count,
        "openings": openings(opened, secrets),
        "reserve": None if reserve is None else {"reserve": money.text(reserve[0]), "salt": reserve[1].hex()},
    }


def winner(lot: Lot) -> dict[str, Any]:
    """``auction:winner``."""
    standing = lot.standing
    price = standing.price if standing.price is not None else money.ZERO
    return {
        "winner": ref(standing.leader),
        "bid": ref(standing.leading_bid),
        "price": money.text(price),
        "total_payable": money.text(rules.total_payable(lot.terms, price)),
        "currency": lot.terms.currency,
    }


def voided(
    before: Lot,
    lot: Lot,
    transition: Transition,
    bid: UUID,
    *,
    bid_count: int,
    rows: Sequence[tuple[UUID, int, Raise]],
    led_at: Millis | None,
    superseded: Sequence[UUID],
    opened: Iterable[UUID],
    secrets: Openable,
    actor: UUID | None,
) -> dict[str, Any]:
    """``auction:bid:voided``."""
    standing = lot.standing
    return step(lot, transition, actor) | {
        "bid": str(bid),
        "price": public_price(lot),
        "previous_price": public_price(before),
        "leader": ref(standing.leader),
        "leading_bid": ref(standing.leading_bid),
        "reserve_met": standing.reserve_met,
        "bid_count": bid_count,
        "bidder_count": bidder_count(lot),
        "raises": raises(rows),
        "led_at": led_at,
        "superseded": [str(row) for row in superseded],
        "openings": openings(opened, secrets),
    }
