"""Tables of notifications and webhooks. Each row that leaves the house is an outbox entry of its own."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from sothebais.db.base import Base, Created, Id, checked_enum
from sothebais.notify.model import DeliveryStatus, NotificationChannel, NotificationKind, WebhookFormat

__all__ = [
    "Broadcast",
    "DeliveryStatus",
    "Follow",
    "Notification",
    "NotificationChannel",
    "NotificationKind",
    "PushSubscription",
    "Webhook",
    "WebhookDelivery",
    "WebhookFormat",
]


class Notification(Base):
    """One person told one thing on one channel, once however often its event is read.

    It comes from an event, or reminds of a lot or a campaign day. ``expires_at``: told later, it is of no use.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "event_id", "kind", "channel"),
        sa.UniqueConstraint("user_id", "reminds_of", "kind", "channel"),
        sa.Index("ix_notifications_user_id_created_at", "user_id", "created_at"),
        sa.Index(
            "ix_notifications_feed",
            "user_id",
            "id",
            postgresql_where=sa.text("channel = 'IN_APP' and status = 'SENT'"),
        ),
        sa.CheckConstraint("num_nonnulls(event_id, reminds_of) = 1", name="has_one_cause"),
        sa.Index(
            "ix_notifications_due",
            "next_attempt_at",
            postgresql_where=sa.text("status = 'PENDING'"),
        ),
        sa.CheckConstraint("(sent_at is not null) = (status = 'SENT')", name="time_when_sent"),
        sa.CheckConstraint("attempts >= 0", name="attempts_not_negative"),
        sa.CheckConstraint("read_at is null or channel = 'IN_APP'", name="read_in_app_only"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    event_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("event_logs.id"))
    reminds_of: Mapped[UUID | None]
    kind: Mapped[NotificationKind] = mapped_column(checked_enum(NotificationKind))
    channel: Mapped[NotificationChannel] = mapped_column(checked_enum(NotificationChannel))
    auction_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("auctions.id", ondelete="CASCADE"), index=True)
    title: Mapped[str]
    body: Mapped[str] = mapped_column(server_default="")
    data: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    status: Mapped[DeliveryStatus] = mapped_column(checked_enum(DeliveryStatus), server_default=DeliveryStatus.PENDING)
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    error: Mapped[str | None]
    created_at: Mapped[Created]


class Broadcast(Base):
    """News for everybody who follows something, told a few hundred people at a time."""

    __tablename__ = "broadcasts"
    __table_args__ = (sa.Index("ix_broadcasts_waiting", "created_at", postgresql_where=sa.text("done_at is null")),)

    event_id: Mapped[UUID] = mapped_column(sa.ForeignKey("event_logs.id"), primary_key=True)
    #: The last person who was told.
    after_user_id: Mapped[UUID | None]
    created_at: Mapped[Created]
    done_at: Mapped[datetime | None]


class Follow(Base):
    """A person wants to hear of an auction, a session or a campaign: exactly one of them per row."""

    __tablename__ = "follows"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "auction_id"),
        sa.UniqueConstraint("user_id", "campaign_day_id"),
        sa.UniqueConstraint("user_id", "campaign_id"),
        sa.CheckConstraint("num_nonnulls(auction_id, campaign_day_id, campaign_id) = 1", name="follows_one_thing"),
        sa.CheckConstraint("remind_before_s between 0 and 604800", name="remind_before_range"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    auction_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("auctions.id", ondelete="CASCADE"), index=True)
    campaign_day_id: Mapped[UUID | None] = mapped_column(
        sa.ForeignKey("campaign_days.id", ondelete="CASCADE"), index=True
    )
    campaign_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("campaigns.id", ondelete="CASCADE"), index=True)
    remind_before_s: Mapped[int] = mapped_column(server_default="900")
    created_at: Mapped[Created]


class PushSubscription(Base):
    """A browser that takes web push; its keys encrypt what is sent to it."""

    __tablename__ = "push_subscriptions"
    __table_args__ = (
        sa.CheckConstraint("endpoint like 'https://%'", name="endpoint_https"),
        sa.CheckConstraint("octet_length(p256dh) = 65", name="p256dh_length"),
        sa.CheckConstraint("octet_length(auth) = 16", name="auth_length"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    endpoint: Mapped[str] = mapped_column(unique=True)
    p256dh: Mapped[bytes]
    auth: Mapped[bytes]
    user_agent: Mapped[str | None]
    created_at: Mapped[Created]
    last_sent_at: Mapped[datetime | None]


class Webhook(Base):
    """An address that is told of events. ``secret`` (sealed) signs each delivery; an empty ``event_types`` means all.

    After a rotation the former secret signs too, until ``previous_secret_until``. ``failures`` counts deliveries given up
    since the last that arrived.
    """

    __tablename__ = "webhooks"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "url"),
        sa.CheckConstraint("url ~ '^https?://'", name="url_http"),
        sa.CheckConstraint("octet_length(secret) between 24 and 64", name="secret_length"),
        sa.CheckConstraint(
            "(previous_secret is null) = (previous_secret_until is null)", name="previous_secret_has_an_end"
        ),
        sa.CheckConstraint("failures >= 0", name="failures_not_negative"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str]
    url: Mapped[str]
    format: Mapped[WebhookFormat] = mapped_column(checked_enum(WebhookFormat), server_default=WebhookFormat.STANDARD)
    secret: Mapped[bytes]
    previous_secret: Mapped[bytes | None]
    previous_secret_until: Mapped[datetime | None]
    event_types: Mapped[list[Any]] = mapped_column(server_default="[]")
    failures: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[Created]
    disabled_at: Mapped[datetime | None]


class WebhookDelivery(Base):
    """One event to one webhook; the event's id is the receiver's idempotency key."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        sa.UniqueConstraint("webhook_id", "event_id"),
        sa.Index("ix_webhook_deliveries_webhook_id_id", "webhook_id", "id"),
        sa.Index("ix_webhook_deliveries_waiting", "webhook_id", postgresql_where=sa.text("status = 'PENDING'")),
        sa.Index(
            "ix_webhook_deliveries_due",
            "next_attempt_at",
            postgresql_where=sa.text("status = 'PENDING'"),
        ),
        sa.CheckConstraint("(delivered_at is not null) = (status = 'SENT')", name="time_when_sent"),
        sa.CheckConstraint("attempts >= 0", name="attempts_not_negative"),
        sa.CheckConstraint(
            "response_status is null or response_status between 100 and 599", name="response_status_range"
        ),
    )

    id: Mapped[Id]
    webhook_id: Mapped[UUID] = mapped_column(sa.ForeignKey("webhooks.id", ondelete="CASCADE"))
    event_id: Mapped[UUID] = mapped_column(sa.ForeignKey("event_logs.id"))
    status: Mapped[DeliveryStatus] = mapped_column(checked_enum(DeliveryStatus), server_default=DeliveryStatus.PENDING)
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime | None]
    response_status: Mapped[int | None]
    error: Mapped[str | None]
    created_at: Mapped[Created]
    delivered_at: Mapped[datetime | None]
