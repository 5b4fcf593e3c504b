"""Tables of campaigns."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from sothebais.campaigns.model import CampaignStatus, DayStatus
from sothebais.db.base import Base, Created, Id, Instant, checked_enum


class Campaign(Base):
    """A series of auction days that sells a collection. ``version`` counts its changes, for Redis."""

    __tablename__ = "campaigns"
    __table_args__ = (
        sa.CheckConstraint("ends_on >= starts_on", name="dates_in_order"),
        sa.CheckConstraint("premium_percent between 0 and 100", name="premium_range"),
        sa.CheckConstraint("fee >= 0", name="fee_not_negative"),
        sa.CheckConstraint("slug ~ '^[a-z0-9][a-z0-9-]{0,79}$'", name="slug_shape"),
    )

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    collection_id: Mapped[UUID] = mapped_column(sa.ForeignKey("collections.id"), index=True)
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    time_zone: Mapped[str]
    status: Mapped[CampaignStatus] = mapped_column(checked_enum(CampaignStatus), server_default=CampaignStatus.DRAFT)
    rules: Mapped[dict[str, Any]]
    daily: Mapped[dict[str, Any]]
    premium_percent: Mapped[Decimal] = mapped_column(server_default="0")
    fee: Mapped[Decimal] = mapped_column(server_default="0")
    version: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[Created]


class CampaignDay(Base):
    """One day ("session") with its three stages; times are UTC instants."""

    __tablename__ = "campaign_days"
    __table_args__ = (
        sa.UniqueConstraint("campaign_id", "number"),
        sa.UniqueConstraint("campaign_id", "date"),
        sa.CheckConstraint("number >= 1", name="number_positive"),
        sa.CheckConstraint(
            "pre_auction_at <= auction_at and auction_at <= post_auction_at and post_auction_at <= ends_at",
            name="stages_in_order",
        ),
    )

    id: Mapped[Id]
    campaign_id: Mapped[UUID] = mapped_column(sa.ForeignKey("campaigns.id", ondelete="CASCADE"))
    number: Mapped[int]
    date: Mapped[date]
    pre_auction_at: Mapped[Instant]
    auction_at: Mapped[Instant]
    post_auction_at: Mapped[Instant]
    ends_at: Mapped[Instant]
    status: Mapped[DayStatus] = mapped_column(checked_enum(DayStatus), server_default=DayStatus.SCHEDULED)
    stream_key: Mapped[bytes | None]
    updated_at: Mapped[datetime | None]
