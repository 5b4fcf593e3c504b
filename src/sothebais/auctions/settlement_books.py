"""The SQL of settlements, and writing to the log of a lot that is over. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais import ids
from sothebais.auctions import hotpath, invoices, records, rules, settlement_model
from sothebais.auctions import terms as terms_codec
from sothebais.auctions.invoices import Party
from sothebais.auctions.model import Lot, Outcome, Override, Status, Terms, Timing
from sothebais.auctions.repository import FIRST_EVENT, TITLE
from sothebais.auctions.settlement_model import RunnerUp, SettlementStatus, SettlementStep
from sothebais.auctions.tables import Auction, Bid, InvoiceNumber, Settlement, SettlementRecord
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.catalog.tables import ArtItem, Collection
from sothebais.errors import NotFound
from sothebais.events import log
from sothebais.events.actions import Actor
from sothebais.events.tables import EventLog
from sothebais.events.types.base import Source
from sothebais.instants import Millis, from_datetime, to_datetime
from sothebais.users.tables import User

#: What of a lot's log says who was next.
_PUBLIC_AMOUNTS = ("auction:bid:accepted", "auction:bid:voided", "auction:reserve:met", "auction:end")
#: Why a lot is settled, in the house's words: the log is public.
PAID_AND_DELIVERED = "paid and delivered"


class SoldLot(msgspec.Struct, kw_only=True):
    """A lot in the hands of one transaction, and what its invoice needs to know of it."""

    id: UUID
    status: Status
    outcome: Outcome | None
    leader: UUID | None
    leading_bid: UUID | None
    price: Decimal | None
    terms: Terms
    timing: Timing
    ended_at: Millis | None
    lot_number: int
    title: str
    token_id: str
    collection: str
    seller: Party | None
    rules: dict[str, Any]
    n: int
    hash: bytes

    @property
    def sold(self) -> bool:
        """Whether somebody has won it and nobody has re-opened it."""
        return self.status in (Status.ENDED, Status.SETTLED) and self.outcome is Outcome.SOLD


async def hold(connection: AsyncConnection, auction: UUID) -> SoldLot:
    """The lot as nobody else can change it until this transaction ends, which has written nothing yet. NotFound."""
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(hotpath.lock_key(auction))))
    seller = User.__table__.alias("seller")
    statement = (
        sa.select(
            Auction.id,
            Auction.status,
            Auction.outcome,
            Auction.leader_id,
            Auction.leading_bid_id,
            Auction.price,
            Auction.terms,
            Auction.starts_at,
            Auction.ends_at,
            Auction.hard_close_at,
            Auction.extension_count,
            Auction.ended_at,
            Auction.lot_number,
            Auction.log_n,
            Auction.log_hash,
            TITLE,
            ArtItem.token_id,
            Collection.name.label("collection"),
            seller.c.id.label("seller_id"),
            seller.c.name.label("seller_name"),
            Campaign.rules,
        )
        .join(*FIRST_EVENT)
        .join(ArtItem, ArtItem.id == Auction.art_item_id)
        .join(Collection, Collection.id == ArtItem.collection_id)
        .outerjoin(seller, seller.c.id == sa.func.coalesce(Auction.seller_id, Collection.seller_id))
        .outerjoin(CampaignDay, CampaignDay.id == Auction.campaign_day_id)
        .outerjoin(Campaign, Campaign.id == CampaignDay.campaign_id)
        .where(Auction.id == auction)
        .with_for_update(of=Auction, key_share=True)
    )
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise NotFound("There is no auction with this id.")
    return SoldLot(
        id=row.id,
        status=row.status,
        outcome=row.outcome,
        leader=row.leader_id,
        leading_bid=row.leading_bid_id,
        price=row.price,
        terms=terms_codec.from_public(row.terms, None),
        timing=Timing(
            starts_at=from_datetime(row.starts_at),
            ends_at=from_datetime(row.ends_at),
            hard_close_at=from_datetime(row.hard_close_at),
            extension_count=row.extension_count,
        ),
        ended_at=_millis(row.ended_at),
        lot_number=row.lot_number,
        title=row.title,
        token_id=row.token_id,
        collection=row.collection,
        seller=None if row.seller_id is None else Party(row.seller_id, row.seller_name),
        rules=row.rules or {},
        n=row.log_n,
        hash=row.log_hash,
    )


async def append(
    connection: AsyncConnection,
    lot: SoldLot,
    event_type: str,
    data: dict[str, Any],
    *,
    at: Millis,
    source: Source,
    correlation: UUID | None = None,
    status: Status | None = None,
) -> None:
    """Write the next event of the lot's chain, and its head; the lot's ``status`` too where it changes."""
    encoded, kept, n = log.canonical(data), lot.hash, lot.n + 1
    digest = log.chain_hash(encoded, n, kept, at, event_type)
    record = log.Record(
        id=ids.new_id(),
        type=event_type,
        source=str(source),
        subject=f"auction:{lot.id}",
        timestamp=at,
        data=encoded,
        n=n,
        prev_hash=kept,
        hash=digest,
        correlation_id=correlation,
    )
    values: dict[str, Any] = {"log_n": n, "log_hash": digest}
    if status is not None:
        values["status"] = lot.status = status
    await connection.execute(sa.update(Auction).where(Auction.id == lot.id).values(**values))
    await log.append(connection, [record])
    lot.n, lot.hash = n, digest


async def settle(connection: AsyncConnection, lot: SoldLot, actor: Actor | None, *, at: Millis, source: Source) -> None:
    """ENDED → SETTLED by the rules' own step; nothing where an operator has marked the lot so before."""
    if lot.status is Status.SETTLED:
        return
    before = Lot(id=lot.id, terms=lot.terms, timing=lot.timing, status=lot.status, outcome=lot.outcome)
    after, transitions, _ = rules.override(before, Override(kind="SETTLE", reason=PAID_AND_DELIVERED), at)
    data = records.step(after, transitions[0], None if actor is None else actor.user)
    await append(
        connection,
        lot,
        str(transitions[0].kind),
        data,
        at=at,
        source=source,
        correlation=None if actor is None else actor.correlation,
        status=after.status,
    )


async def settlements(connection: AsyncConnection, auction: UUID) -> Sequence[Any]:
    """A lot's settlements with their buyers' names, the newest first."""
    found = await connection.execute(
        sa.select(Settlement.__table__, User.name.label("buyer_name"))
        .join(User, User.id == Settlement.user_id)
        .where(Settlement.auction_id == auction)
        .order_by(Settlement.created_at.desc(), Settlement.id.desc())
    )
    return found.all()


async def steps(connection: AsyncConnection, settlement_ids: Sequence[UUID]) -> Sequence[Any]:
    """The steps of settlements with the names of who took them, in their order."""
    actor, approver = User.__table__.alias("actor"), User.__table__.alias("approver")
    found = await connection.execute(
        sa.select(SettlementRecord.__table__, actor.c.name.label("actor_name"), approver.c.name.label("approver_name"))
        .outerjoin(actor, actor.c.id == SettlementRecord.actor_id)
        .outerjoin(approver, approver.c.id == SettlementRecord.approver_id)
        .where(SettlementRecord.settlement_id.in_(settlement_ids))
        .order_by(SettlementRecord.created_at, SettlementRecord.id)
    )
    return found.all()


async def waiting_step(connection: AsyncConnection, settlement: UUID, step: SettlementStep) -> Any:
    """The step that waits for another of the staff; None when it does not."""
    found = await connection.execute(
        sa.select(SettlementRecord.__table__).where(
            SettlementRecord.settlement_id == settlement,
            SettlementRecord.step == step,
            SettlementRecord.done_at.is_(None),
        )
    )
    return found.one_or_none()


async def next_number(connection: AsyncConnection, at: Millis) -> str:
    """The next invoice's number; nobody else has one until this transaction ends, so a rollback leaves no gap."""
    year = to_datetime(at).year
    statement = (
        insert(InvoiceNumber)
        .values(year=year, last=1)
        .on_conflict_do_update(index_elements=[InvoiceNumber.year], set_={"last": InvoiceNumber.last + 1})
        .returning(InvoiceNumber.last)
    )
    return invoices.number(year, (await connection.execute(statement)).scalar_one())


async def insert_settlement(connection: AsyncConnection, at: Millis, **values: Any) -> UUID:
    """Write a settlement; its id."""
    key = ids.new_id()
    now = to_datetime(at)
    await connection.execute(sa.insert(Settlement).values(id=key, created_at=now, updated_at=now, **values))
    return key


async def update_settlement(connection: AsyncConnection, settlement: UUID, at: Millis, **values: Any) -> None:
    """Change a settlement."""
    await connection.execute(
        sa.update(Settlement).where(Settlement.id == settlement).values(updated_at=to_datetime(at), **values)
    )


async def record(
    connection: AsyncConnection, settlement: UUID, step: SettlementStep, at: Millis, *, done: bool = True, **values: Any
) -> None:
    """Write who took a step."""
    now = to_datetime(at)
    await connection.execute(
        sa.insert(SettlementRecord).values(
            id=ids.new_id(),
            settlement_id=settlement,
            step=step,
            created_at=now,
            done_at=now if done else None,
            **values,
        )
    )


async def update_record(connection: AsyncConnection, key: UUID, **values: Any) -> None:
    """Change a step that waits."""
    await connection.execute(sa.update(SettlementRecord).where(SettlementRecord.id == key).values(**values))


async def remove_record(connection: AsyncConnection, key: UUID) -> None:
    """Forget a step that waits; the audit keeps that it was asked for."""
    await connection.execute(sa.delete(SettlementRecord).where(SettlementRecord.id == key))


async def name_of(connection: AsyncConnection, user: UUID) -> str:
    """Somebody's name now."""
    name: str = (await connection.execute(sa.select(User.name).where(User.id == user))).scalar_one()
    return name


async def find_runner_up(connection: AsyncConnection, lot: SoldLot, *, winner: UUID) -> RunnerUp | None:
    """Who comes after the winner, from the lot's public log; nobody who is blocked, nor the seller."""
    events = await connection.execute(
        sa.select(EventLog.type, EventLog.data)
        .where(EventLog.subject == f"auction:{lot.id}", EventLog.n.is_not(None), EventLog.type.in_(_PUBLIC_AMOUNTS))
        .order_by(EventLog.n)
    )
    blocked = await connection.execute(
        sa.select(User.id).join(Bid, Bid.user_id == User.id).where(Bid.auction_id == lot.id, User.blocked).distinct()
    )
    excluded = [*blocked.scalars(), *([] if lot.seller is None else [lot.seller.id])]
    return settlement_model.runner_up(
        ({"type": row.type, "data": row.data} for row in events), winner=winner, excluded=excluded
    )


async def uninvoiced(connection: AsyncConnection, ended_by: Millis, limit: int) -> Sequence[UUID]:
    """Lots that were sold by then and have no settlement, the earliest first."""
    found = await connection.execute(
        sa.select(Auction.id)
        .where(
            Auction.status == Status.ENDED,
            Auction.outcome == Outcome.SOLD,
            Auction.ended_at <= to_datetime(ended_by),
            ~sa.exists().where(Settlement.auction_id == Auction.id),
        )
        .order_by(Auction.ended_at, Auction.id)
        .limit(limit)
    )
    return found.scalars().all()


async def overdue(
    connection: AsyncConnection, now: Millis, limit: int, *, auction: UUID | None = None
) -> Sequence[UUID]:
    """Lots whose invoice or offer is past its time; none that is settled, or whose payment waits for an approval."""
    paying = sa.exists().where(
        SettlementRecord.settlement_id == Settlement.id, SettlementRecord.step == SettlementStep.PAY
    )
    statement = (
        sa.select(Settlement.auction_id)
        .join(Auction, Auction.id == Settlement.auction_id)
        .where(
            Settlement.status.in_((SettlementStatus.OFFERED, SettlementStatus.INVOICED)),
            Settlement.due_at <= to_datetime(now),
            Auction.status != Status.SETTLED,
            ~paying,
        )
        .order_by(Settlement.due_at, Settlement.id)
        .limit(limit)
    )
    if auction is not None:
        statement = statement.where(Settlement.auction_id == auction)
    return (await connection.execute(statement)).scalars().all()


def _millis(value: datetime | None) -> Millis | None:
    return None if value is None else from_datetime(value)
