"""Reading auctions, bids and logs. Nothing here touches a secret: the columns that hold one are never selected."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.orm import aliased

from sothebais import money
from sothebais.auctions import views
from sothebais.auctions.formats import FORMATS
from sothebais.auctions.machine import OVER
from sothebais.auctions.model import SEALED, BidStatus, Closed, Reason, Source, Standing, Status, Timing
from sothebais.auctions.tables import Auction, Bid
from sothebais.campaigns.model import CampaignStatus
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.clock import Millis, from_datetime, isoformat
from sothebais.errors import NotFound
from sothebais.events.log import Position
from sothebais.events.tables import EventLog
from sothebais.users.tables import User

PAGE_MAX = 200
LOG_PAGE = 1_000

_xid = sa.cast(sa.cast(EventLog.xid, sa.Text), sa.BigInteger)
_subject = sa.func.concat("auction:", sa.cast(Auction.id, sa.Text))
_first = aliased(EventLog)
#: A lot's title as its first event has it: a piece may have been renamed since. With ``FIRST_EVENT``.
TITLE = _first.data["title"].astext.label("title")
#: What to join the first event on.
FIRST_EVENT = (_first, sa.and_(_first.subject == _subject, _first.n == 1))
_ROW = (
    sa.select(
        Auction,
        TITLE,
        CampaignDay.campaign_id,
        EventLog.epoch,
        _xid.label("xid"),
        EventLog.seq,
        sa.func.clock_timestamp().label("now"),
    )
    .join(*FIRST_EVENT)
    .outerjoin(CampaignDay, CampaignDay.id == Auction.campaign_day_id)
    .outerjoin(Campaign, Campaign.id == CampaignDay.campaign_id)
    # the event at the lot's head; its position is the snapshot's
    .join(EventLog, sa.and_(EventLog.subject == _subject, EventLog.n == Auction.log_n))
)


async def snapshot(engine: AsyncEngine, auction: UUID) -> dict[str, Any]:
    """One lot as it is now. Raises NotFound."""
    async with engine.connect() as connection:
        row = (await connection.execute(_ROW.where(Auction.id == auction))).one_or_none()
        if row is None:
            raise NotFound("There is no auction with this id.")
        names = await names_of(connection, [row.leader_id] if row.leader_id else [])
        bidders = await _bidder_counts(connection, [row])
    return _snapshot(row, names, bidders)


async def snapshots(
    engine: AsyncEngine,
    *,
    statuses: Sequence[Status] = (),
    campaign: UUID | None = None,
    after: UUID | None = None,
    limit: int = 50,
    drafts: bool = False,
) -> tuple[list[dict[str, Any]], UUID | None]:
    """Lots in the order in which they were made, a page at a time; the page and what to pass as ``after`` next.

    Lots of a campaign that is still a draft are its owner's business.
    """
    limit = min(limit, PAGE_MAX)
    statement = _ROW.order_by(Auction.id).limit(limit + 1)
    if statuses:
        statement = statement.where(Auction.status.in_(statuses))
    if campaign is not None:
        statement = statement.where(CampaignDay.campaign_id == campaign)
    if after is not None:
        statement = statement.where(Auction.id > after)
    if not drafts:
        statement = statement.where(Campaign.status.is_distinct_from(CampaignStatus.DRAFT))
    async with engine.connect() as connection:
        rows = (await connection.execute(statement)).all()
        page = rows[:limit]
        names = await names_of(connection, [row.leader_id for row in page if row.leader_id])
        bidders = await _bidder_counts(connection, page)
    items = [_snapshot(row, names, bidders) for row in page]
    return items, (page[-1].id if len(rows) > limit else None)


async def facts(connection: AsyncConnection, auction: UUID) -> views.Facts:
    """What hardly changes of a lot. Raises NotFound."""
    row = (await connection.execute(_ROW.where(Auction.id == auction))).one_or_none()
    if row is None:
        raise NotFound("There is no auction with this id.")
    return _facts(row)


async def names_of(connection: AsyncConnection, users: Sequence[UUID]) -> dict[UUID, str]:
    """The names of those users."""
    if not users:
        return {}
    rows = await connection.execute(sa.select(User.id, User.name).where(User.id.in_(set(users))))
    return {row.id: row.name for row in rows}


async def bids(
    engine: AsyncEngine, auction: UUID, *, before: int | None = None, limit: int = 50
) -> tuple[list[dict[str, Any]], int | None]:
    """The bids that were accepted, newest first, proxy raises among them; the page and its next cursor.

    Refused bids are their bidder's business (the log has them, without the figures that must stay private).
    """
    limit = min(limit, PAGE_MAX)
    statement = (
        sa.select(Bid, User.name.label("handle"), Auction.leading_bid_id)
        .join(User, User.id == Bid.user_id)
        .join(Auction, Auction.id == Bid.auction_id)
        .where(Bid.auction_id == auction, Bid.status.in_((BidStatus.ACCEPTED, BidStatus.VOIDED)))
        .order_by(Bid.number.desc())
        .limit(limit + 1)
    )
    if before is not None:
        statement = statement.where(Bid.number < before)
    async with engine.connect() as connection:
        rows = (await connection.execute(statement)).all()
        if not rows and (await connection.execute(sa.select(Auction.id).where(Auction.id == auction))).first() is None:
            raise NotFound("There is no auction with this id.")
    page = rows[:limit]
    return [_bid(row) for row in page], (page[-1].number if len(rows) > limit else None)


async def log(engine: AsyncEngine, auction: UUID) -> AsyncIterator[dict[str, Any]]:
    """A lot's events in order, as envelopes. Raises NotFound before the first."""
    subject = f"auction:{auction}"
    n = 0
    while True:
        statement = (
            sa.select(EventLog, _xid.label("xid_number"))
            .where(EventLog.subject == subject, EventLog.n > n)
            .order_by(EventLog.n)
            .limit(LOG_PAGE)
        )
        async with engine.connect() as connection:
            rows = (await connection.execute(statement)).all()
        if not rows:
            if n == 0:
                raise NotFound("There is no auction with this id.")
            return
        for row in rows:
            yield envelope(row)
        n = rows[-1].n


async def head(engine: AsyncEngine, auction: UUID) -> tuple[int, bytes]:
    """The number and hash of a lot's last event, from the auction's own row. Raises NotFound."""
    statement = sa.select(Auction.log_n, Auction.log_hash).where(Auction.id == auction)
    async with engine.connect() as connection:
        row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise NotFound("There is no auction with this id.")
    return row.log_n, row.log_hash


def envelope(row: Any) -> dict[str, Any]:
    """A row of ``event_logs`` as the envelope everybody gets."""
    return {
        "id": str(row.id),
        "position": str(Position(row.epoch, row.xid_number, row.seq)),
        "n": row.n,
        "timestamp": from_datetime(row.timestamp),
        "type": row.type,
        "source": row.source,
        "version": row.version,
        "subject": row.subject,
        "correlation_id": None if row.correlation_id is None else str(row.correlation_id),
        "causation_id": None if row.causation_id is None else str(row.causation_id),
        "data": row.data,
        "prev_hash": None if row.prev_hash is None else row.prev_hash.hex(),
        "hash": None if row.hash is None else row.hash.hex(),
    }


async def _bidder_counts(connection: AsyncConnection, rows: Sequence[Any]) -> dict[UUID, int]:
    sealed = [row.id for row in rows if row.format in SEALED]
    if not sealed:
        return {}
    statement = (
        sa.select(Bid.auction_id, sa.func.count(Bid.user_id.distinct()))
        .where(Bid.auction_id.in_(sealed), Bid.status == BidStatus.ACCEPTED)
        .group_by(Bid.auction_id)
    )
    counted = {row[0]: row[1] for row in await connection.execute(statement)}
    return {auction: counted.get(auction, 0) for auction in sealed}


def _facts(row: Any) -> views.Facts:
    return views.facts_of(row, from_datetime(row.starts_at), from_datetime(row.hard_close_at))


def _snapshot(row: Any, names: dict[UUID, str], bidders: dict[UUID, int]) -> dict[str, Any]:
    facts_ = _facts(row)
    at = from_datetime(row.now)
    state = views.State(
        n=row.log_n,
        position=Position(row.epoch, row.xid, row.seq),
        at=at,
        status=row.status,
        outcome=None if row.outcome is None else str(row.outcome),
        price=_amount(row.price),
        previous_price=_amount(row.previous_price),
        leader=row.leader_id,
        leading_bid=row.leading_bid_id,
        next_valid_amount=_next_valid(facts_, row, at),
        reserve_met=row.reserve_met,
        ends_at=from_datetime(row.ends_at),
        extension_count=row.extension_count,
        bid_count=row.bid_count,
        bidder_count=bidders.get(row.id),
        paused_at=None if row.paused_at is None else from_datetime(row.paused_at),
    )
    return views.snapshot(facts_, state, names)


def _next_valid(facts_: views.Facts, row: Any, at: Millis) -> str | None:
    if row.status in OVER:
        return None
    timing = Timing(
        starts_at=facts_.starts_at,
        ends_at=from_datetime(row.ends_at),
        hard_close_at=facts_.hard_close_at,
        paused_at=None if row.paused_at is None else from_datetime(row.paused_at),
        closed=tuple(Closed(since, until, Reason(reason)) for since, until, reason in row.closed),
    )
    standing = Standing(leader=row.leader_id, price=row.price, reserve_met=row.reserve_met)
    return _amount(FORMATS[facts_.terms.format].next_valid(facts_.terms, standing, timing, at))


def _bid(row: Any) -> dict[str, Any]:
    winning = row.id == row.leading_bid_id and row.status == BidStatus.ACCEPTED
    return {
        "id": str(row.id),
        "auction_id": str(row.auction_id),
        "number": row.number,
        "user": {"id": str(row.user_id), "handle": row.handle},
        "amount": _amount(row.amount),
        "currency": row.currency,
        "status": "WINNING" if winning else str(row.status),
        "source": str(row.source),
        "proxy": row.source == Source.PROXY,
        "effective_at": isoformat(from_datetime(row.effective_at)),
        "decided_at": isoformat(from_datetime(row.decided_at)),
    }


def _amount(value: Any) -> str | None:
    return None if value is None else money.text(value)
