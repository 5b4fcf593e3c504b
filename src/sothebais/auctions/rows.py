"""Rows of ``bids`` in the column order of ``hotpath``."""

from typing import Any
from uuid import UUID

from sothebais.auctions.commands import PlaceBid
from sothebais.auctions.model import SEALED, BidStatus, Decision, Lot, Raise, Source
from sothebais.clock import Millis, to_datetime


def bid_row(
    command: PlaceBid,
    lot: Lot,
    decision: Decision,
    *,
    number: int,
    event_n: int,
    effective_at: Millis,
    decided_at: Millis,
    commitment: bytes | None,
) -> tuple[Any, ...]:
    """A person's bid as it was decided. The amount of a sealed bid stays out until the lot has ended."""
    asked = None if lot.terms.format in SEALED else command.amount
    amount = decision.amount if decision.accepted else asked
    return (
        command.bid,
        command.auction,
        number,
        event_n,
        command.user,
        amount,
        command.currency,
        str(BidStatus.ACCEPTED if decision.accepted else BidStatus.REJECTED),
        None if decision.reason is None else str(decision.reason),
        str(command.source),
        decision.offered_by_house if decision.accepted else command.amount is None,
        command.confirm,
        to_datetime(effective_at),
        to_datetime(command.received_at),
        to_datetime(decided_at),
        commitment,
        command.idempotency_key,
        command.request_hash,
        command.post_id,
    )


def raise_row(bid: UUID, number: int, made: Raise, lot: Lot, *, event_n: int, at: Millis) -> tuple[Any, ...]:
    """A raise the house made for somebody's maximum."""
    now = to_datetime(at)
    return (
        bid,
        lot.id,
        number,
        event_n,
        made.user,
        made.amount,
        lot.terms.currency,
        str(BidStatus.ACCEPTED),
        None,
        str(Source.PROXY),
        True,
        False,
        now,
        now,
        now,
        None,
        None,
        None,
        None,
    )
