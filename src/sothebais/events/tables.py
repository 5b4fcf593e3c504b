"""Tables of the event log. ``event_logs`` is append-only; a trigger in the migrations refuses everything else."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from sothebais.db.base import Base, Created, Id, Instant, Xid8


class LogEpoch(Base):
    """One life of the log in one PostgreSQL cluster; transaction ids of different epochs say nothing of order."""

    __tablename__ = "log_epochs"

    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cluster: Mapped[str]
    started_at: Mapped[Created]


class EventLog(Base):
    """Everything that happens. ``(epoch, xid, seq)`` is the order of reading; ``seq`` alone orders nothing."""

    __tablename__ = "event_logs"
    __table_args__ = (
        sa.Index("ix_event_logs_epoch_xid_seq", "epoch", "xid", "seq", unique=True),
        sa.UniqueConstraint("subject", "n"),
        sa.CheckConstraint("(n is null) = (hash is null)", name="chained_when_numbered"),
        sa.CheckConstraint("n is null or n >= 1", name="n_positive"),
    )

    id: Mapped[Id]
    epoch: Mapped[int]
    xid: Mapped[int] = mapped_column(Xid8, server_default=sa.text("pg_current_xact_id()"))
    seq: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True))
    n: Mapped[int | None] = mapped_column(sa.BigInteger)
    timestamp: Mapped[Instant]
    type: Mapped[str]
    source: Mapped[str]
    version: Mapped[str] = mapped_column(server_default="1.0")
    subject: Mapped[str]
    correlation_id: Mapped[UUID | None]
    causation_id: Mapped[UUID | None]
    data: Mapped[dict[str, Any]]
    prev_hash: Mapped[bytes | None]
    hash: Mapped[bytes | None]


class EventCursor(Base):
    """How far a durable consumer has read; written in the transaction of its effect."""

    __tablename__ = "event_cursors"

    consumer: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[int]
    xid: Mapped[int] = mapped_column(Xid8)
    seq: Mapped[int] = mapped_column(sa.BigInteger)
    updated_at: Mapped[Created]


class DeadLetter(Base):
    """An event a consumer could not handle in all its tries."""

    __tablename__ = "dead_letters"
    __table_args__ = (sa.UniqueConstraint("consumer", "event_id"),)

    id: Mapped[Id]
    consumer: Mapped[str]
    event_id: Mapped[UUID] = mapped_column(sa.ForeignKey("event_logs.id"))
    error: Mapped[str]
    attempts: Mapped[int]
    created_at: Mapped[Created]
    replayed_at: Mapped[datetime | None]
