"""Tables of what people and the house write."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from sothebais.db.base import Base, Created, Id, Instant, checked_enum


class PostDirection(StrEnum):
    """Whether the house saw a post or wrote it."""

    RECEIVED = "RECEIVED"
    SENT = "SENT"


class PostKind(StrEnum):
    """What a post is: the first five as the parser reads what came in, the others as the house wrote them."""

    BID = "BID"
    QUESTION = "QUESTION"
    OPT_OUT = "OPT_OUT"
    LINK_WALLET = "LINK_WALLET"
    OTHER = "OTHER"
    RECEIPT = "RECEIPT"
    REPLY = "REPLY"
    ANNOUNCEMENT = "ANNOUNCEMENT"
    RESULT = "RESULT"


class PostResult(StrEnum):
    """What became of a post. A received one is PENDING until it has been dealt with, a sent one QUEUED until it is out."""

    PENDING = "PENDING"
    BID_MADE = "BID_MADE"
    ASKED = "ASKED"
    ANSWERED = "ANSWERED"
    IGNORED = "IGNORED"
    QUEUED = "QUEUED"
    SENT = "SENT"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class Post(Base):
    """A social post seen or sent. The platform's own ids are text; an edited post keeps its first text.

    ``idempotency_key`` of a sent post comes from the event that caused it: one event, one post.
    """

    __tablename__ = "posts"
    __table_args__ = (
        sa.UniqueConstraint("platform", "platform_post_id"),
        sa.Index("ix_posts_direction_result_created_at", "direction", "result", "created_at"),
        sa.CheckConstraint(
            "direction = 'SENT' or (platform_post_id is not null and author_id is not null and received_at is not null)",
            name="received_is_known",
        ),
        sa.CheckConstraint("(direction = 'SENT') = (idempotency_key is not null)", name="sent_once"),
        sa.CheckConstraint(
            "result <> 'SENT' or (platform_post_id is not null and sent_at is not null)", name="sent_has_id"
        ),
        sa.CheckConstraint("cost >= 0", name="cost_not_negative"),
    )

    id: Mapped[Id]
    platform: Mapped[str]
    platform_post_id: Mapped[str | None]
    direction: Mapped[PostDirection] = mapped_column(checked_enum(PostDirection))
    author_id: Mapped[str | None]
    author_handle: Mapped[str | None]
    user_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"), index=True)
    text: Mapped[str]
    #: The platform's own time of a received post; when it was queued of one of ours.
    created_at: Mapped[Created]
    received_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    kind: Mapped[PostKind] = mapped_column(checked_enum(PostKind))
    result: Mapped[PostResult] = mapped_column(checked_enum(PostResult))
    #: Why, in a sentence: a near miss, a refusal, the platform's error.
    detail: Mapped[str | None]
    in_reply_to: Mapped[str | None]
    auction_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("auctions.id"), index=True)
    bid_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("bids.id"), unique=True)
    #: What the platform charges for reading or writing it, in US dollars.
    cost: Mapped[Decimal] = mapped_column(server_default="0")
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)


class ChatMessage(Base):
    """A line in an auction's room. Hidden, never rewritten."""

    __tablename__ = "chat_messages"
    __table_args__ = (
        sa.Index("ix_chat_messages_auction_id_created_at", "auction_id", "created_at"),
        sa.Index("ix_chat_messages_auction_id_number", "auction_id", "number"),
        sa.CheckConstraint("char_length(text) between 1 and 500", name="text_length"),
        sa.CheckConstraint("(hidden_at is null) = (hidden_reason is null)", name="hidden_for_a_reason"),
    )

    id: Mapped[Id]
    #: Rises within a room in the order of the commits, as writers take turns; what a page has seen is one number.
    number: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True))
    auction_id: Mapped[UUID] = mapped_column(sa.ForeignKey("auctions.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    text: Mapped[str]
    created_at: Mapped[Created]
    hidden_at: Mapped[datetime | None]
    hidden_by_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))
    hidden_reason: Mapped[str | None]


class ChatRoom(Base):
    """What staff set for an auction's room. A room without a row has the house's usual settings."""

    __tablename__ = "chat_rooms"
    __table_args__ = (sa.CheckConstraint("slow_s between 0 and 3600", name="slow_range"),)

    auction_id: Mapped[UUID] = mapped_column(sa.ForeignKey("auctions.id", ondelete="CASCADE"), primary_key=True)
    #: Slow mode: a person writes one line in so many seconds.
    slow_s: Mapped[int]
    updated_at: Mapped[Instant]


class ChatMute(Base):
    """Somebody who may not write in any room for a while."""

    __tablename__ = "chat_mutes"
    __table_args__ = (sa.CheckConstraint("until > created_at", name="until_later"),)

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    until: Mapped[Instant]
    reason: Mapped[str]
    by_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Created]
