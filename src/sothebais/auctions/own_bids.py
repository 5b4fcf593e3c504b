"""What one person bid, on every channel, the refused bids too, and how each lot stands for them."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import aliased

from sothebais import money
from sothebais.auctions import receipts, repository
from sothebais.auctions.model import BidStatus, Outcome, Source, Status
from sothebais.auctions.receipts import HouseKey
from sothebais.auctions.tables import Auction, Bid, BidSecret, Settlement, SettlementStatus
from sothebais.clock import from_datetime, isoformat
from sothebais.errors import NotFound
from sothebais.events.tables import EventLog

_other = aliased(Bid)
OVER: Final = (Status.ENDED, Status.SETTLED, Status.CANCELLED)
#: Settlements of somebody who buys.
TAKEN: Final = (
    SettlementStatus.INVOICED,
    SettlementStatus.PAID,
    SettlementStatus.DELIVERED,
    SettlementStatus.SETTLED,
)


class Standing(StrEnum):
    """How a lot stands for somebody who bid on it."""

    LEADING = "LEADING"
    OUTBID = "OUTBID"
    #: Nobody knows before the bids are opened.
    SEALED = "SEALED"
    WON = "WON"
    LOST = "LOST"
    #: It ended without a sale, or was taken out of the sale.
    UNSOLD = "UNSOLD"


async def page(
    engine: AsyncEngine, user: UUID, *, auction: UUID | None = None, after: UUID | None = None, limit: int
) -> Sequence[sa.Row[Any]]:
    """Rows for ``shown``, the newest bid first, one more than ``limit``; raises by proxy are no bids of the person's."""
    statement = _rows(user).order_by(Bid.id.desc()).limit(limit + 1)
    if auction is not None:
        statement = statement.where(Bid.auction_id == auction)
    if after is not None:
        statement = statement.where(Bid.id < after)
    async with engine.connect() as connection:
        return (await connection.execute(statement)).all()


async def one(engine: AsyncEngine, key: HouseKey, user: UUID, bid: UUID) -> dict[str, Any]:
    """A bid of the person's with its receipt, once nothing hangs on its maximum any more. Raises NotFound."""
    statement = (
        _rows(user)
        .add_columns(Bid.event_n, EventLog.hash, BidSecret.max_amount, BidSecret.salt)
        .join(
            EventLog,
            sa.and_(
                EventLog.subject == sa.func.concat("auction:", sa.cast(Bid.auction_id, sa.Text)),
                EventLog.n == Bid.event_n,
            ),
        )
        .outerjoin(BidSecret, BidSecret.bid_id == Bid.id)
        .where(Bid.id == bid)
    )
    async with engine.connect() as connection:
        row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise NotFound("You have made no bid with this id.")
    # whoever got hold of a session must not read a maximum that still stands
    tellable = row.auction_status in OVER and row.max_amount is not None
    receipt = (
        receipts.signed(key, row.auction_id, row.event_n, row.hash, bid=row.id, opening=(row.max_amount, row.salt))
        if tellable
        else None
    )
    return shown(row) | {"receipt": receipt}


def shown(row: Any) -> dict[str, Any]:
    """A row of ``page`` as its bidder is told of it."""
    return {
        "id": str(row.id),
        "auction_id": str(row.auction_id),
        "lot_number": row.lot_number,
        "title": row.title,
        "number": row.number,
        "amount": None if row.amount is None else money.text(row.amount),
        "currency": row.currency,
        "status": str(row.status),
        "reason": row.reason and str(row.reason),
        "source": str(row.source),
        "effective_at": isoformat(from_datetime(row.effective_at)),
        "decided_at": isoformat(from_datetime(row.decided_at)),
        "auction_status": str(row.auction_status),
        "price": None if row.price is None else money.text(row.price),
        "standing": _standing(row),
    }


def _rows(user: UUID) -> Any:
    return (
        sa.select(
            Bid.id,
            Bid.auction_id,
            Bid.user_id,
            Bid.number,
            Bid.amount,
            Bid.currency,
            Bid.status,
            Bid.reason,
            Bid.source,
            Bid.effective_at,
            Bid.decided_at,
            Auction.lot_number,
            Auction.status.label("auction_status"),
            Auction.outcome,
            Auction.price,
            Auction.leader_id,
            # all of their bids may have been refused or taken out
            sa.exists()
            .where(_other.auction_id == Bid.auction_id, _other.user_id == user, _other.status == BidStatus.ACCEPTED)
            .label("takes_part"),
            # the winner did not pay, and this person took the offer
            sa.exists()
            .where(Settlement.auction_id == Bid.auction_id, Settlement.user_id == user, Settlement.status.in_(TAKEN))
            .label("bought"),
            repository.TITLE,
        )
        .join(Auction, Auction.id == Bid.auction_id)
        .join(*repository.FIRST_EVENT)
        .where(Bid.user_id == user, Bid.source != Source.PROXY)
    )


def _standing(row: Any) -> Standing | None:
    if not row.takes_part:
        return None
    leads = row.leader_id == row.user_id
    if row.auction_status in OVER:
        if row.outcome is not Outcome.SOLD:
            return Standing.UNSOLD
        return Standing.WON if leads or row.bought else Standing.LOST
    if row.price is None:
        return Standing.SEALED
    return Standing.LEADING if leads else Standing.OUTBID
