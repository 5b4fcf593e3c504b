"""Sales: one row for each sold lot, as JSON, CSV or a table."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais import money
from sothebais.auctions import invoices
from sothebais.auctions import terms as terms_codec
from sothebais.auctions.model import Outcome
from sothebais.auctions.repository import FIRST_EVENT, TITLE
from sothebais.auctions.settlement_model import SettlementStatus
from sothebais.auctions.tables import Auction, Settlement
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.catalog.tables import ArtItem, Collection
from sothebais.instants import Millis, from_datetime, isoformat, to_datetime
from sothebais.users.tables import User

PAGE_MAX = 200
COLUMNS = (
    "auction_id", "campaign", "day", "lot_number", "title", "collection", "token_id", "sold_at", "currency",
    "hammer_price", "premium", "fee", "total", "buyer_id", "buyer", "seller", "runner_up", "status", "invoice_number",
    "due_at", "paid_at", "delivered_at",
)  # fmt: skip
#: A cell that begins with one of these would be a formula in a spreadsheet.
_FORMULA = frozenset("=+-@\t\r\n＝＋－＠")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which sales: of a campaign, sold from an instant on and before another, of one seller's collections."""

    campaign: UUID | None = None
    since: Millis | None = None
    until: Millis | None = None
    seller: UUID | None = None


async def page(
    engine: AsyncEngine, wanted: Wanted, *, after: UUID | None = None, limit: int = PAGE_MAX
) -> tuple[list[dict[str, Any]], UUID | None]:
    """Sales in the order in which their lots were made, and what to pass as ``after`` next."""
    limit = min(limit, PAGE_MAX)
    buyer, seller = User.__table__.alias("buyer"), User.__table__.alias("seller")
    newest = (
        sa.select(Settlement.__table__)
        .where(Settlement.auction_id == Auction.id)
        .order_by((Settlement.status == SettlementStatus.EXPIRED), Settlement.created_at.desc(), Settlement.id.desc())
        .limit(1)
        .lateral("newest")
    )
    owner = sa.func.coalesce(Auction.seller_id, Collection.seller_id)
    statement = (
        sa.select(
            Auction.id,
            Auction.lot_number,
            Auction.terms,
            Auction.ended_at,
            sa.func.coalesce(newest.c.amount, Auction.price).label("amount"),
            TITLE,
            ArtItem.token_id,
            Collection.name.label("collection"),
            Campaign.slug.label("campaign"),
            CampaignDay.date.label("day"),
            buyer.c.id.label("buyer_id"),
            buyer.c.name.label("buyer"),
            seller.c.name.label("seller"),
            sa.func.coalesce(newest.c.runner_up, sa.false()).label("runner_up"),
            newest.c.status,
            newest.c.number,
            newest.c.due_at,
            newest.c.paid_at,
            newest.c.delivered_at,
        )
        .join(*FIRST_EVENT)
        .join(ArtItem, ArtItem.id == Auction.art_item_id)
        .join(Collection, Collection.id == ArtItem.collection_id)
        .outerjoin(CampaignDay, CampaignDay.id == Auction.campaign_day_id)
        .outerjoin(Campaign, Campaign.id == CampaignDay.campaign_id)
        .outerjoin(newest, sa.true())
        .join(buyer, buyer.c.id == sa.func.coalesce(newest.c.user_id, Auction.leader_id))
        .outerjoin(seller, seller.c.id == owner)
        .where(Auction.outcome == Outcome.SOLD)
        .order_by(Auction.id)
        .limit(limit + 1)
    )
    if wanted.campaign is not None:
        statement = statement.where(Campaign.id == wanted.campaign)
    if wanted.seller is not None:
        statement = statement.where(owner == wanted.seller)
    if wanted.since is not None:
        statement = statement.where(Auction.ended_at >= to_datetime(wanted.since))
    if wanted.until is not None:
        statement = statement.where(Auction.ended_at < to_datetime(wanted.until))
    if after is not None:
        statement = statement.where(Auction.id > after)
    async with engine.connect() as connection:
        rows = (await connection.execute(statement)).all()
    shown = rows[:limit]
    return [_sale(row) for row in shown], (shown[-1].id if len(rows) > limit else None)


async def pages(engine: AsyncEngine, wanted: Wanted) -> AsyncIterator[list[dict[str, Any]]]:
    """All of them, a page at a time; at least one page, which may be empty."""
    after: UUID | None = None
    while True:
        rows, after = await page(engine, wanted, after=after)
        yield rows
        if after is None:
            return


async def csv_lines(engine: AsyncEngine, wanted: Wanted) -> AsyncIterator[str]:
    """The CSV (RFC 4180) with its header, a page at a time."""
    yield as_csv([COLUMNS])
    async for rows in pages(engine, wanted):
        if rows:
            yield as_csv([[row[name] for name in COLUMNS] for row in rows])


def as_csv(rows: Sequence[Sequence[Any]]) -> str:
    """Lines of CSV in which no cell is a formula, whatever people call themselves and their pieces."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_MINIMAL).writerows([[cell(value) for value in row] for row in rows])
    return out.getvalue()


def cell(value: object) -> str:
    """A cell's text; one that a spreadsheet would take for a formula gets an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return f"'{text}" if text.lstrip(" \u00a0")[:1] in _FORMULA else text


def _sale(row: Any) -> dict[str, Any]:
    parts = invoices.amounts(terms_codec.from_public(row.terms, None), row.amount)
    return {
        "auction_id": str(row.id),
        "campaign": row.campaign,
        "day": None if row.day is None else row.day.isoformat(),
        "lot_number": row.lot_number,
        "title": row.title,
        "collection": row.collection,
        "token_id": row.token_id,
        "sold_at": isoformat(from_datetime(row.ended_at)),
        "currency": parts.currency,
        "hammer_price": money.text(parts.hammer_price),
        "premium": money.text(parts.premium),
        "fee": money.text(parts.fee),
        "total": money.text(parts.total),
        "buyer_id": str(row.buyer_id),
        "buyer": row.buyer,
        "seller": row.seller,
        "runner_up": row.runner_up,
        "status": row.status,
        "invoice_number": row.number,
        "due_at": _instant(row.due_at),
        "paid_at": _instant(row.paid_at),
        "delivered_at": _instant(row.delivered_at),
    }


def _instant(value: Any) -> str | None:
    return None if value is None else isoformat(from_datetime(value))
