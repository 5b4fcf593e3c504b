"""Tables of the API itself: what was asked with a key, and which processes of the house are alive."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from sothebais.db.base import Base, Created, Id, Instant


class IdempotencyKey(Base):
    """A write that came with an ``Idempotency-Key``: its claim, then its first answer. Bids keep theirs in their own rows.

    ``status`` is empty while the first request is in hand; ``body`` is empty when the answer holds a secret.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        sa.CheckConstraint("char_length(key) between 1 and 200", name="key_length"),
        sa.CheckConstraint("octet_length(request_hash) = 32", name="request_hash_length"),
        sa.CheckConstraint("octet_length(body) <= 1048576", name="body_length"),
        sa.Index("ix_idempotency_keys_expires_at", "expires_at"),
    )

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    claim: Mapped[UUID]
    status: Mapped[int | None]
    media_type: Mapped[str | None]
    location: Mapped[str | None]
    body: Mapped[bytes | None]
    created_at: Mapped[Created]
    expires_at: Mapped[Instant]


class ServiceInstance(Base):
    """A process of the house and when it last said that it is alive."""

    __tablename__ = "service_instances"
    __table_args__ = (sa.Index("ix_service_instances_beat_at", "beat_at"),)

    id: Mapped[Id]
    role: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    started_at: Mapped[Instant]
    beat_at: Mapped[Instant]
    stopped_at: Mapped[datetime | None]
    #: Each dependency by name: ``ok`` or what is wrong.
    checks: Mapped[dict[str, Any]]
