"""Who sees what of a settlement: its buyer, the lot's seller, the staff; to anybody else there is none."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import money
from sothebais.auctions import invoices, settlement_books
from sothebais.auctions import terms as terms_codec
from sothebais.auctions.invoices import Invoice
from sothebais.auctions.settlement_model import SettlementStatus
from sothebais.auctions.tables import Auction
from sothebais.catalog.tables import ArtItem, Collection
from sothebais.errors import NotFound
from sothebais.instants import from_datetime, isoformat
from sothebais.users.tables import User

_NONE = "There is no settlement of this lot that you may see."


async def view(engine: AsyncEngine, auction: UUID, viewer: UUID, *, staff: bool) -> dict[str, Any]:
    """The newest settlement that the viewer may see, and the earlier ones. Raises NotFound, whatever is the reason."""
    async with engine.connect() as connection:
        lot = await _lot(connection, auction)
        seen = await _seen(connection, lot, viewer, staff=staff)
        steps = await settlement_books.steps(connection, [one.id for one in seen])
    shown = [_settlement(one, lot, [step for step in steps if step.settlement_id == one.id], staff) for one in seen]
    return shown[0] | {"earlier": shown[1:]}


async def invoice(engine: AsyncEngine, auction: UUID, viewer: UUID, *, staff: bool) -> tuple[Invoice, SettlementStatus]:
    """The newest invoice as it was issued and how it stands, for its buyer and the staff. Raises NotFound."""
    async with engine.connect() as connection:
        lot = await _lot(connection, auction)
        for one in await _seen(connection, lot, viewer, staff=staff, seller=False):
            if one.invoice is not None:
                return invoices.decode(one.invoice), one.status
    raise NotFound("There is no invoice of this lot that you may see.")


async def _lot(connection: AsyncConnection, auction: UUID) -> Any:
    seller = sa.func.coalesce(Auction.seller_id, Collection.seller_id)
    statement = (
        sa.select(Auction.id, Auction.terms, User.id.label("seller_id"), User.name.label("seller_name"))
        .join(ArtItem, ArtItem.id == Auction.art_item_id)
        .join(Collection, Collection.id == ArtItem.collection_id)
        .outerjoin(User, User.id == seller)
        .where(Auction.id == auction)
    )
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise NotFound(_NONE)
    return row


async def _seen(connection: AsyncConnection, lot: Any, viewer: UUID, *, staff: bool, seller: bool = True) -> list[Any]:
    every = staff or (seller and lot.seller_id == viewer)
    found = await settlement_books.settlements(connection, lot.id)
    seen = [one for one in found if every or one.user_id == viewer]
    if not seen:
        raise NotFound(_NONE)
    return seen


def _settlement(row: Any, lot: Any, steps: list[Any], staff: bool) -> dict[str, Any]:
    terms = terms_codec.from_public(lot.terms, None)
    kept = None if row.invoice is None else invoices.decode(row.invoice)
    parts = invoices.amounts(terms, row.amount) if kept is None else kept.amounts
    waiting = next((step for step in steps if step.done_at is None), None)
    return {
        "id": str(row.id),
        "auction_id": str(row.auction_id),
        "status": str(row.status),
        "runner_up": row.runner_up,
        "invoice_number": row.number,
        "buyer": {"id": str(row.user_id), "handle": row.buyer_name},
        "seller": None if lot.seller_id is None else {"id": str(lot.seller_id), "handle": lot.seller_name},
        "currency": row.currency,
        "hammer_price": money.text(parts.hammer_price),
        "premium_percent": money.text(parts.premium_percent),
        "premium": money.text(parts.premium),
        "fee": money.text(parts.fee),
        "total": money.text(parts.total),
        "payment_instructions": None if kept is None else kept.payment_instructions,
        "created_at": isoformat(from_datetime(row.created_at)),
        "due_at": _instant(row.due_at),
        "invoiced_at": _instant(row.invoiced_at),
        "paid_at": _instant(row.paid_at),
        "delivered_at": _instant(row.delivered_at),
        "waiting": None if waiting is None or not staff else _step(waiting, staff=True),
        "steps": [_step(step, staff=staff) for step in steps if step.done_at is not None],
    }


def _step(row: Any, *, staff: bool) -> dict[str, Any]:
    """A step; who took it, why, and by which reference is the staff's business."""
    return {
        "step": str(row.step),
        "at": isoformat(from_datetime(row.done_at or row.created_at)),
        "by": _person(row.actor_id, row.actor_name) if staff else None,
        "approved_by": _person(row.approver_id, row.approver_name) if staff else None,
        "reason": row.reason if staff else None,
        "reference": row.reference if staff else None,
    }


def _person(user: UUID | None, name: str | None) -> dict[str, Any] | None:
    return None if user is None else {"id": str(user), "handle": name}


def _instant(value: Any) -> str | None:
    return None if value is None else isoformat(from_datetime(value))
