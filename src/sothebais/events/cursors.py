"""Reading the log in order without losing a row, and durable consumers that remember how far they came.

Sequence numbers are given before commits, so a cursor is the pair of transaction and sequence, and nothing is read of
transactions that might still be followed by an older one's commit.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from itertools import batched
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog
from prometheus_client import Counter

from sothebais import ids
from sothebais.db.engine import CONNECTION_ERRORS, connect
from sothebais.errors import SothebaisError
from sothebais.events.log import DOORBELL, START, Position
from sothebais.events.tables import DeadLetter, EventCursor, EventLog, LogEpoch
from sothebais.instants import Millis, from_datetime

log = structlog.get_logger(__name__)

READ_ROWS_MAX = 1_000
#: Events a durable consumer may be asked to handle in one transaction while they come faster than it commits.
TOGETHER_MAX = 100
#: A reader looks by itself after so long, whether the doorbell rang or not.
LOOK_AGAIN_S = 0.25
ATTEMPTS_MAX = 5
BACKOFF_S = 0.1
BACKOFF_S_MAX = 5.0
ERROR_LENGTH_MAX = 2_000

HANDLED = Counter("sothebais_consumer_events_total", "Events handled", ["consumer", "outcome"])

_E = EventLog.__tablename__
#: What every reader of the log adds to its question: rows that no older transaction's commit can still come before.
SAFE = f"(epoch < (select max(epoch) from {LogEpoch.__tablename__}) or xid < pg_snapshot_xmin(pg_current_snapshot()))"  # noqa: S608 - table names from the models
_READ = f"""
select id, epoch, xid::text::bigint as xid, seq, n, timestamp, type, source, version, subject,
  correlation_id, causation_id, data::text as data, prev_hash, hash
from {_E}
where (epoch, xid, seq) > ($1, $2::text::xid8, $3)
  and {SAFE}
order by epoch, xid, seq limit $4
"""  # noqa: S608
_WAITING = f"select exists (select 1 from {_E} where (epoch, xid, seq) > ($1, $2::text::xid8, $3))"  # noqa: S608
_CURSOR = f"select epoch, xid::text::bigint as xid, seq from {EventCursor.__tablename__} where consumer = $1"  # noqa: S608
_CURSOR_LOCKED = _CURSOR + " for update"
_QUEUED = f"""
select d.id as letter, e.id, e.epoch, e.xid::text::bigint as xid, e.seq, e.n, e.timestamp, e.type, e.source, e.version,
  e.subject, e.correlation_id, e.causation_id, e.data::text as data, e.prev_hash, e.hash
from {DeadLetter.__tablename__} d join {_E} e on e.id = d.event_id
where d.consumer = $1 and d.replayed_at is not null order by e.epoch, e.xid, e.seq limit {READ_ROWS_MAX}
"""  # noqa: S608
_UNQUEUE = f"delete from {DeadLetter.__tablename__} where id = $1"  # noqa: S608
_BURY_AGAIN = f"""
update {DeadLetter.__tablename__} set replayed_at = null, error = $2, attempts = attempts + $3 where id = $1
"""  # noqa: S608
_SAVE = f"""
insert into {EventCursor.__tablename__} (consumer, epoch, xid, seq) values ($1, $2, $3::text::xid8, $4)
on conflict (consumer) do update set epoch = excluded.epoch, xid = excluded.xid, seq = excluded.seq, updated_at = now()
"""  # noqa: S608
_BURY = f"""
insert into {DeadLetter.__tablename__} (id, consumer, event_id, error, attempts) values ($1, $2, $3, $4, $5)
on conflict (consumer, event_id) do update
set error = excluded.error, attempts = {DeadLetter.__tablename__}.attempts + excluded.attempts
"""  # noqa: S608


class LoggedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the log as its readers get it; ``data`` is JSON text."""

    id: UUID
    position: Position
    n: int | None
    timestamp: Millis
    type: str
    source: str
    version: str
    subject: str
    correlation_id: UUID | None
    causation_id: UUID | None
    data: str
    prev_hash: bytes | None
    hash: bytes | None

    def decoded(self) -> dict[str, Any]:
        """The data as plain Python values."""
        value: dict[str, Any] = msgspec.json.decode(self.data)
        return value

    def message(self) -> bytes:
        """The envelope as JSON, as it is published and delivered."""
        return msgspec.json.encode(
            {
                "id": self.id,
                "position": str(self.position),
                "n": self.n,
                "timestamp": self.timestamp,
                "type": self.type,
                "source": self.source,
                "version": self.version,
                "subject": self.subject,
                "correlation_id": self.correlation_id,
                "causation_id": self.causation_id,
                "data": msgspec.Raw(self.data.encode()),
                "prev_hash": None if self.prev_hash is None else self.prev_hash.hex(),
                "hash": None if self.hash is None else self.hash.hex(),
            }
        )


async def read_after(connection: Any, position: Position, *, limit: int = READ_ROWS_MAX) -> list[LoggedEvent]:
    """The next events after ``position``, in the order of the log; empty when there is nothing that may be read yet."""
    rows = await connection.fetch(_READ, position.epoch, str(position.xid), position.seq, limit)
    return [event_of(row) for row in rows]


async def is_waiting(connection: Any, position: Position) -> bool:
    """Whether there are rows behind ``position`` at all; with an empty ``read_after`` it means a stall."""
    waiting: bool = await connection.fetchval(_WAITING, position.epoch, str(position.xid), position.seq)
    return waiting


async def load_cursor(connection: Any, consumer: str) -> Position:
    """How far ``consumer`` has read; the start of the log when it never has."""
    row = await connection.fetchrow(_CURSOR, consumer)
    return START if row is None else Position(row["epoch"], row["xid"], row["seq"])


async def save_cursor(connection: Any, consumer: str, position: Position) -> None:
    """Remember how far ``consumer`` has read, in the caller's transaction."""
    await connection.execute(_SAVE, consumer, position.epoch, str(position.xid), position.seq)


class CursorMoved(Exception):
    """Somebody set this consumer's cursor back while it worked: it goes on from there."""


class Handler(Protocol):
    """What a durable consumer does with one event, inside the transaction that moves its cursor."""

    async def __call__(self, connection: Any, event: LoggedEvent) -> None:
        """Raise to have it tried again. Effects outside the database carry a key made from ``event.id``."""


class DurableConsumer:
    """Reads the log from its own cursor, for ever; one process at a time per name (advisory lock).

    A handler that raises is tried ``attempts_max`` times with exponential backoff and jitter; then the event goes to
    ``dead_letters`` with the error, and the consumer goes on. With ``together_max`` several events that wait are
    handled in one transaction, and one by one only when that fails.
    """

    def __init__(
        self,
        dsn: str,
        name: str,
        handler: Handler,
        *,
        types: frozenset[str] | None = None,
        together_max: int = 1,
        attempts_max: int = ATTEMPTS_MAX,
        backoff_s: float = BACKOFF_S,
        rng: random.Random | None = None,
    ) -> None:
        self._dsn = dsn
        self.name = name
        self._handler = handler
        self._types = types
        self._together_max = together_max
        self._attempts_max = attempts_max
        self._backoff_s = backoff_s
        self._rng = rng or random.Random()  # noqa: S311 - jitter, nothing secret
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. A lost connection is opened again; what was not committed is handled again."""
        while True:
            try:
                await self._consume()
            except CONNECTION_ERRORS as error:
                log.warning("consumer.waits_for_database", consumer=self.name, error=str(error))
                await asyncio.sleep(LOOK_AGAIN_S)

    async def _consume(self) -> None:
        connection = await connect(self._dsn, name=f"consumer-{self.name}")
        try:
            await hold_lock(connection, f"consumer:{self.name}")
            await connection.add_listener(DOORBELL, lambda *_: self._wake.set())
            await save_cursor(connection, self.name, await load_cursor(connection, self.name))
            while True:
                self._wake.clear()
                # read anew each time: a replay may have set it back
                position = await load_cursor(connection, self.name)
                events = await read_after(connection, position)
                wanted = [event for event in events if self._types is None or event.type in self._types]
                with contextlib.suppress(CursorMoved):
                    for some in batched(wanted, self._together_max):
                        if not await self._handle_together(connection, some, position):
                            for event in some:
                                await self._handle(connection, event, position)
                                position = event.position
                        position = some[-1].position
                    if events and position != events[-1].position:
                        # what it does not want is passed over in one step, however much it is
                        async with connection.transaction():
                            await self._move(connection, position, events[-1].position)
                await self._retry_queued(connection)
                if not events:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), LOOK_AGAIN_S)
        finally:
            connection.terminate()

    async def _handle_together(self, connection: Any, events: Sequence[LoggedEvent], before: Position) -> bool:
        """Handle some events in one transaction; False, and nothing kept, when one of them cannot be handled now.

        During a burst a commit for each event would wait for the disk as often as there are bids.
        """
        if len(events) == 1:
            return False
        try:
            async with connection.transaction():
                for event in events:
                    await self._handler(connection, event)
                await self._move(connection, before, events[-1].position)
        except Exception as error:  # one by one it is found out which event it is, and that one is counted
            if isinstance(error, CursorMoved) or connection.is_closed():
                raise
            log.info("consumer.goes_one_by_one", consumer=self.name, events=len(events), error=repr(error))
            return False
        HANDLED.labels(self.name, "done").inc(len(events))
        return True

    async def _handle(self, connection: Any, event: LoggedEvent, before: Position) -> None:
        async def finish() -> None:
            await self._move(connection, before, event.position)

        error = await self._try(connection, event, finish)
        if error is not None:
            async with connection.transaction():
                await connection.execute(_BURY, ids.new_id(), self.name, event.id, error, self._attempts_max)
                await self._move(connection, before, event.position)

    async def _retry_queued(self, connection: Any) -> None:
        """Dead letters and events that somebody wants to be tried again, beside the cursor."""
        for row in await connection.fetch(_QUEUED, self.name):
            letter = row["letter"]

            async def finish(letter: UUID = letter) -> None:
                await connection.execute(_UNQUEUE, letter)

            error = await self._try(connection, event_of(row), finish)
            if error is not None:
                await connection.execute(_BURY_AGAIN, letter, error, self._attempts_max)

    async def _try(self, connection: Any, event: LoggedEvent, finish: Callable[[], Awaitable[None]]) -> str | None:
        """Handle one event in its transaction, again while it fails; None when done, else the last error."""
        for attempt in range(1, self._attempts_max + 1):
            try:
                async with connection.transaction():
                    await self._handler(connection, event)
                    await finish()
            except Exception as error:  # whatever a handler raises is counted, kept and shown
                # a refused connection to somewhere else is an OSError too, so only the connection itself is asked
                if isinstance(error, CursorMoved) or connection.is_closed():
                    raise  # the cursor's fault or the connection's, not the event's
                log.warning(
                    "consumer.failed", consumer=self.name, event_id=str(event.id), attempt=attempt, error=repr(error)
                )
                if attempt == self._attempts_max:
                    HANDLED.labels(self.name, "dead").inc()
                    return (error.message if isinstance(error, SothebaisError) else repr(error))[:ERROR_LENGTH_MAX]
                delay = min(BACKOFF_S_MAX, self._backoff_s * 2 ** (attempt - 1))
                await asyncio.sleep(delay * (0.5 + self._rng.random()))
            else:
                HANDLED.labels(self.name, "done").inc()
                break
        return None

    async def _move(self, connection: Any, before: Position, after: Position) -> None:
        row = await connection.fetchrow(_CURSOR_LOCKED, self.name)
        if row is None or Position(row["epoch"], row["xid"], row["seq"]) != before:
            raise CursorMoved
        await save_cursor(connection, self.name, after)


async def hold_lock(connection: Any, name: str, *, on_wait: Callable[[], Awaitable[None]] | None = None) -> None:
    """Wait for a session's advisory lock of that name; it is let go with the connection."""
    while not await connection.fetchval("select pg_try_advisory_lock(hashtextextended($1, 0))", name):
        if on_wait is not None:
            await on_wait()
        await asyncio.sleep(LOOK_AGAIN_S)


def event_of(row: Any) -> LoggedEvent:
    """A row of ``event_logs`` as its readers get it; ``xid`` is a number, ``data`` text."""
    return LoggedEvent(
        id=row["id"],
        position=Position(row["epoch"], row["xid"], row["seq"]),
        n=row["n"],
        timestamp=from_datetime(row["timestamp"]),
        type=row["type"],
        source=row["source"],
        version=row["version"],
        subject=row["subject"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
        data=row["data"],
        prev_hash=row["prev_hash"],
        hash=row["hash"],
    )
