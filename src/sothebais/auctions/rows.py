"""Rows of ``bids`` and their secrets, with the columns' names, as ``hotpath`` sends them. No I/O."""

from decimal import Decimal
from functools import lru_cache
from uuid import UUID

import msgspec

from sothebais.auctions.commands import PlaceBid
from sothebais.auctions.model import SEALED, BidStatus, Decision, Discreet, Lot, Raise, Source
from sothebais.clock import Millis, to_datetime

#: Instants written as text at one time or another in the last moments: most bids of a batch share theirs.
_INSTANTS_KEPT_MAX = 4_096
_ACCEPTED, _REJECTED, _PROXY = str(BidStatus.ACCEPTED), str(BidStatus.REJECTED), str(Source.PROXY)


@lru_cache(maxsize=_INSTANTS_KEPT_MAX)
def instant(value: Millis) -> str:
    """An instant as PostgreSQL reads it."""
    return to_datetime(value).isoformat()


def binary(value: bytes) -> str:
    """Bytes as PostgreSQL reads them from text."""
    return f"\\x{value.hex()}"


class BidRow(Discreet, msgspec.Struct, kw_only=True, omit_defaults=True):
    """One row of ``bids`` but for ``decided_at``, which a whole batch shares; what is None is left out and is null.

    ``max_amount`` and ``salt`` go to ``bid_secrets``.
    """

    SECRET = frozenset({"amount", "max_amount", "salt", "request_hash"})

    id: UUID
    auction_id: UUID
    number: int
    event_n: int
    user_id: UUID
    amount: Decimal | None
    currency: str
    status: str
    reason: str | None = None
    source: str
    offered_by_house: bool
    confirm: bool
    effective_at: str
    received_at: str
    commitment: str | None = None
    idempotency_key: str | None = None
    request_hash: str | None = None
    post_id: str | None = None
    max_amount: Decimal | None = None
    salt: str | None = None


def bid_row(
    command: PlaceBid,
    lot: Lot,
    decision: Decision,
    *,
    number: int,
    event_n: int,
    effective_at: Millis,
    commitment: bytes | None,
    opening: tuple[Decimal, bytes] | None,
) -> BidRow:
    """A person's bid as it was decided. The amount of a sealed bid stays out until the lot has ended."""
    asked = None if lot.terms.format in SEALED else command.amount
    return BidRow(
        id=command.bid,
        auction_id=command.auction,
        number=number,
        event_n=event_n,
        user_id=command.user,
        amount=decision.amount if decision.accepted else asked,
        currency=command.currency,
        status=_ACCEPTED if decision.accepted else _REJECTED,
        reason=decision.reason,
        source=command.source,
        offered_by_house=decision.offered_by_house if decision.accepted else command.amount is None,
        confirm=command.confirm,
        effective_at=instant(effective_at),
        received_at=instant(command.received_at),
        commitment=None if commitment is None else binary(commitment),
        idempotency_key=command.idempotency_key,
        request_hash=None if command.request_hash is None else binary(command.request_hash),
        post_id=command.post_id,
        max_amount=None if opening is None else opening[0],
        salt=None if opening is None else binary(opening[1]),
    )


def raise_row(bid: UUID, number: int, made: Raise, lot: Lot, *, event_n: int, at: Millis) -> BidRow:
    """A raise the house made for somebody's maximum."""
    now = instant(at)
    return BidRow(
        id=bid,
        auction_id=lot.id,
        number=number,
        event_n=event_n,
        user_id=made.user,
        amount=made.amount,
        currency=lot.terms.currency,
        status=_ACCEPTED,
        source=_PROXY,
        offered_by_house=True,
        confirm=False,
        effective_at=now,
        received_at=now,
    )
