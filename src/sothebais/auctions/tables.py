"""Tables of auctions. Constraints state what must never break, whatever the code does."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import Mapped, mapped_column

from sothebais.auctions.model import BidStatus, Format, Outcome, Reason, Source, Status
from sothebais.auctions.settlement_model import SettlementStatus as SettlementStatus  # noqa: PLC0414 - named here too
from sothebais.auctions.settlement_model import SettlementStep
from sothebais.db.base import Base, Created, Id, Instant, checked_enum


class Auction(Base):
    """One lot: terms, state and the head of its log. The reserve is in ``bid_secrets``' company: never selected by readers."""

    __tablename__ = "auctions"
    __table_args__ = (
        sa.UniqueConstraint("campaign_day_id", "lot_number"),
        sa.Index("ix_auctions_status_starts_at", "status", "starts_at"),
        # partial: a column of a whole unique index is a key, and to change a key is to lock out all who refer to the lot
        sa.Index(
            "uq_auctions_leading_bid_id",
            "leading_bid_id",
            unique=True,
            postgresql_where=sa.text("leading_bid_id is not null"),
        ),
        sa.CheckConstraint("starting_price > 0", name="starting_price_positive"),
        sa.CheckConstraint("price is null or price > 0", name="price_positive"),
        sa.CheckConstraint("starts_at < ends_at and ends_at <= hard_close_at", name="times_in_order"),
        sa.CheckConstraint("bid_count >= 0 and extension_count >= 0 and log_n >= 0", name="counts_not_negative"),
        sa.CheckConstraint("octet_length(log_hash) = 32", name="log_hash_length"),
        sa.CheckConstraint("(outcome is not null) = (status in ('ENDED','SETTLED'))", name="outcome_when_ended"),
        sa.CheckConstraint(
            "outcome is distinct from 'SOLD' or (leader_id is not null and leading_bid_id is not null and price is not null)",
            name="sold_to_somebody",
        ),
        sa.CheckConstraint("lot_number >= 1", name="lot_number_positive"),
    )

    id: Mapped[Id]
    campaign_day_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("campaign_days.id"))
    art_item_id: Mapped[UUID] = mapped_column(sa.ForeignKey("art_items.id"), index=True)
    lot_number: Mapped[int]
    #: An earlier lot that must be over before this one opens.
    opens_after_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("auctions.id"))
    format: Mapped[Format] = mapped_column(checked_enum(Format))
    currency: Mapped[str]
    starting_price: Mapped[Decimal]
    #: The public terms as the first event has them.
    terms: Mapped[dict[str, Any]]
    seller_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    starts_at: Mapped[Instant]
    ends_at: Mapped[Instant]
    hard_close_at: Mapped[Instant]
    extension_count: Mapped[int] = mapped_column(server_default="0")
    paused_at: Mapped[datetime | None]
    closing_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    closed: Mapped[list[Any]] = mapped_column(server_default="[]")
    status: Mapped[Status] = mapped_column(checked_enum(Status), server_default=Status.SCHEDULED)
    outcome: Mapped[Outcome | None] = mapped_column(checked_enum(Outcome))
    leader_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    #: One winning bid per auction: there is only this one place for it.
    leading_bid_id: Mapped[UUID | None] = mapped_column(
        sa.ForeignKey("bids.id", use_alter=True, name="fk_auctions_leading_bid_id_bids")
    )
    price: Mapped[Decimal | None]
    previous_price: Mapped[Decimal | None]
    rival_maximum: Mapped[Decimal | None]
    reserve_met: Mapped[bool] = mapped_column(server_default=sa.false())
    unopened: Mapped[list[UUID]] = mapped_column(pg.ARRAY(pg.UUID(as_uuid=True)), server_default="{}")
    #: Accepted bids of people that are not voided.
    bid_count: Mapped[int] = mapped_column(server_default="0")
    #: The number of the last row in ``bids``.
    last_number: Mapped[int] = mapped_column(server_default="0")
    log_n: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    log_hash: Mapped[bytes]
    created_at: Mapped[Created]


class AuctionSecret(Base):
    """A lot's reserve and the salt of its commitment; read by the engine's code only."""

    __tablename__ = "auction_secrets"
    __table_args__ = (
        sa.CheckConstraint("reserve > 0", name="reserve_positive"),
        sa.CheckConstraint("octet_length(salt) = 32", name="salt_length"),
    )

    auction_id: Mapped[UUID] = mapped_column(sa.ForeignKey("auctions.id", ondelete="CASCADE"), primary_key=True)
    reserve: Mapped[Decimal]
    salt: Mapped[bytes]


class Bid(Base):
    """A bid as it was decided. ``number`` is gapless in its lot and counts refused bids and proxy raises too."""

    __tablename__ = "bids"
    __table_args__ = (
        sa.UniqueConstraint("auction_id", "number"),
        sa.UniqueConstraint("user_id", "idempotency_key"),
        sa.CheckConstraint("amount is null or amount > 0", name="amount_positive"),
        sa.CheckConstraint("number >= 1 and event_n >= 1", name="numbers_positive"),
        sa.CheckConstraint("(reason is not null) = (status = 'REJECTED')", name="reason_when_rejected"),
        sa.CheckConstraint("commitment is null or octet_length(commitment) = 32", name="commitment_length"),
        sa.CheckConstraint("char_length(idempotency_key) between 1 and 200", name="idempotency_key_length"),
    )

    id: Mapped[Id]
    auction_id: Mapped[UUID] = mapped_column(sa.ForeignKey("auctions.id"))
    number: Mapped[int]
    event_n: Mapped[int] = mapped_column(sa.BigInteger)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    amount: Mapped[Decimal | None]
    currency: Mapped[str]
    status: Mapped[BidStatus] = mapped_column(checked_enum(BidStatus))
    reason: Mapped[Reason | None] = mapped_column(checked_enum(Reason))
    source: Mapped[Source] = mapped_column(checked_enum(Source))
    #: The maximum was the bidder's only figure; the visible amount is the house's offer.
    offered_by_house: Mapped[bool] = mapped_column(server_default=sa.false())
    confirm: Mapped[bool] = mapped_column(server_default=sa.false())
    effective_at: Mapped[Instant]
    received_at: Mapped[Instant]
    decided_at: Mapped[Instant]
    commitment: Mapped[bytes | None]
    idempotency_key: Mapped[str | None]
    request_hash: Mapped[bytes | None]
    post_id: Mapped[str | None]
    transaction_hash: Mapped[str | None]
    signature: Mapped[bytes | None]


class BidSecret(Base):
    """A bid's hidden maximum and the salt of its commitment; read by the engine's code only."""

    __tablename__ = "bid_secrets"
    __table_args__ = (
        sa.CheckConstraint("max_amount > 0", name="max_amount_positive"),
        sa.CheckConstraint("octet_length(salt) = 32", name="salt_length"),
    )

    bid_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bids.id", ondelete="CASCADE"), primary_key=True)
    max_amount: Mapped[Decimal]
    salt: Mapped[bytes]


class Settlement(Base):
    """What becomes of a sold lot: invoiced, paid, delivered. A winner who does not pay leaves an EXPIRED one behind."""

    __tablename__ = "settlements"
    __table_args__ = (
        sa.UniqueConstraint("auction_id", "bid_id"),
        sa.Index(
            "uq_settlements_auction_id_open", "auction_id", unique=True, postgresql_where=sa.text("status <> 'EXPIRED'")
        ),
        sa.Index("ix_settlements_due", "due_at", postgresql_where=sa.text("status in ('OFFERED','INVOICED')")),
        sa.CheckConstraint("amount > 0 and total >= amount", name="amounts_in_order"),
        sa.CheckConstraint("(number is null) = (invoice is null)", name="numbered_invoice"),
        sa.CheckConstraint("status in ('OFFERED','EXPIRED') or number is not null", name="invoiced_has_number"),
    )

    id: Mapped[Id]
    auction_id: Mapped[UUID] = mapped_column(sa.ForeignKey("auctions.id"))
    bid_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bids.id"))
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"), index=True)
    status: Mapped[SettlementStatus] = mapped_column(checked_enum(SettlementStatus))
    #: It is not the winner's but the runner-up's.
    runner_up: Mapped[bool] = mapped_column(server_default=sa.false())
    amount: Mapped[Decimal]
    total: Mapped[Decimal]
    currency: Mapped[str]
    #: Gapless in its year.
    number: Mapped[str | None] = mapped_column(unique=True)
    #: The invoice as it was issued (``invoices.Invoice``).
    invoice: Mapped[dict[str, Any] | None]
    due_at: Mapped[datetime | None]
    invoiced_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    created_at: Mapped[Created]
    updated_at: Mapped[Instant]


class SettlementRecord(Base):
    """A step of a settlement and who took it. Without ``done_at`` it waits for another of the staff."""

    __tablename__ = "settlement_steps"
    __table_args__ = (
        sa.UniqueConstraint("settlement_id", "step"),
        sa.CheckConstraint("approver_id <> actor_id", name="approved_by_another"),
        sa.CheckConstraint("approver_id is null or done_at is not null", name="approved_is_done"),
        sa.CheckConstraint("char_length(reason) <= 500", name="reason_length"),
        sa.CheckConstraint("char_length(reference) <= 200", name="reference_length"),
    )

    id: Mapped[Id]
    settlement_id: Mapped[UUID] = mapped_column(sa.ForeignKey("settlements.id", ondelete="CASCADE"))
    step: Mapped[SettlementStep] = mapped_column(checked_enum(SettlementStep))
    actor_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    approver_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    reason: Mapped[str | None]
    #: What it can be found by elsewhere: a bank's reference, a transaction hash, a waybill.
    reference: Mapped[str | None]
    created_at: Mapped[Instant]
    done_at: Mapped[datetime | None]


class InvoiceNumber(Base):
    """The last invoice of each year; locked by whoever writes the next, until its commit, so that there is no gap."""

    __tablename__ = "invoice_numbers"
    __table_args__ = (sa.CheckConstraint("last >= 1", name="last_positive"),)

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]


class ServicePulse(Base):
    """When bidding was last known to work, by process; an outage is measured from here."""

    __tablename__ = "service_pulses"

    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[Instant]
