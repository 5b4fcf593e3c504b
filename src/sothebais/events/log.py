"""Writing the event log: canonical JSON, the hash chain, appending inside the caller's transaction."""

from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais import ids
from sothebais.clock import Millis, to_datetime
from sothebais.events.chain import GENESIS, canonical, chain_hash
from sothebais.events.tables import EventLog, LogEpoch
from sothebais.events.types.base import Source

__all__ = [
    "DOORBELL",
    "GENESIS",
    "START",
    "Position",
    "Record",
    "append",
    "canonical",
    "chain_hash",
    "ensure_epoch",
    "event",
]

WRITTEN = Counter("sothebais_events_written_total", "Events written outside the engine", ["type"])
#: The NOTIFY channel that wakes the relay; it carries nothing but the fact.
DOORBELL = "sothebais_events"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it is written; ``data`` is canonical JSON."""

    id: UUID
    type: str
    source: str
    subject: str
    timestamp: Millis
    data: bytes
    n: int | None = None
    prev_hash: bytes | None = None
    hash: bytes | None = None
    correlation_id: UUID | None = None
    causation_id: UUID | None = None


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in the log. Written ``epoch.xid.seq``; to clients it is opaque text."""

    epoch: int
    xid: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.xid}.{self.seq}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """The position of its text. Raises ValueError for anything else."""
        parts = text.split(".")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) <= 20 for part in parts):
            raise ValueError("a position looks like 1.4711.42")
        return cls(*(int(part) for part in parts))


START = Position(0, 0, 0)


def event(
    event_type: str,
    subject: str,
    data: dict[str, Any],
    *,
    at: Millis,
    source: Source = Source.AUCTION_ENGINE,
    correlation_id: UUID | None = None,
    causation_id: UUID | None = None,
) -> Record:
    """An event outside any lot's chain."""
    return Record(
        id=ids.new_id(),
        type=event_type,
        source=source,
        subject=subject,
        timestamp=at,
        data=canonical(data),
        correlation_id=correlation_id,
        causation_id=causation_id,
    )


async def append(connection: AsyncConnection, records: list[Record]) -> None:
    """Write events in the caller's transaction; they are published after its commit, by the relay."""
    if not records:
        return
    epoch = sa.select(sa.func.max(LogEpoch.epoch)).scalar_subquery()
    rows = [
        {
            "id": record.id,
            "n": record.n,
            "timestamp": to_datetime(record.timestamp),
            "type": record.type,
            "source": record.source,
            "subject": record.subject,
            "correlation_id": record.correlation_id,
            "causation_id": record.causation_id,
            "data": msgspec.json.decode(record.data),
            "prev_hash": record.prev_hash,
            "hash": record.hash,
        }
        for record in records
    ]
    await connection.execute(sa.insert(EventLog).values(epoch=epoch), rows)
    for record in records:
        WRITTEN.labels(record.type).inc()
    await connection.execute(sa.select(sa.func.pg_notify(DOORBELL, "")))


_CLUSTER = sa.text(
    "select (select system_identifier from pg_control_system())::text || '/' ||"
    " (select timeline_id from pg_control_checkpoint())::text"
)
#: One process at a time decides whether a new epoch begins.
_EPOCH_LOCK = 0x736F74686570


async def ensure_epoch(connection: AsyncConnection) -> int:
    """Start a new epoch when the log finds itself in another cluster than it was written in; the epoch now.

    After a restore the transaction ids begin again, so positions of before and after cannot be compared by them.
    """
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_EPOCH_LOCK)))
    cluster = (await connection.execute(_CLUSTER)).scalar_one()
    newest = (
        await connection.execute(sa.select(LogEpoch.epoch, LogEpoch.cluster).order_by(LogEpoch.epoch.desc()).limit(1))
    ).first()
    if newest is not None and newest.cluster == cluster:
        return int(newest.epoch)
    epoch = 1 if newest is None else int(newest.epoch) + 1
    await connection.execute(sa.insert(LogEpoch).values(epoch=epoch, cluster=cluster))
    return epoch
