"""The relay: turns the log into Redis state and pub/sub, in the log's order, at least once.

One process at a time, chosen by an advisory lock; another takes over when it goes. Losing Redis loses nothing: the
relay's own position is kept in Redis too, so one that comes back empty or stale is found out and rebuilt.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from prometheus_client import Counter, Gauge, Histogram

from sothebais.clock import Clock, SystemClock
from sothebais.db.engine import CONNECTION_ERRORS, connect
from sothebais.errors import Unavailable
from sothebais.events import cursors
from sothebais.events.log import DOORBELL, Position
from sothebais.events.ports import Projector
from sothebais.events.types import CHANNELS
from sothebais.instants import Millis
from sothebais.state import keys
from sothebais.state.store import Publication, StateStore, Write
from sothebais.telemetry.tracing import tracing

log = structlog.get_logger(__name__)

CONSUMER = "relay"
LOCK = "relay"
BATCH_EVENTS_MAX = 500
#: The relay never sleeps longer than this, whatever the doorbell does.
LOOK_AGAIN_S = 0.25
RECONNECT_S = 0.25
#: How long a command waits for a running relay to rebuild Redis.
REBUILD_WAIT_S = 30.0
#: The cursor in PostgreSQL is written so often; what lies between is published again after a crash.
SAVE_CURSOR_S = 0.5

PUBLISHED = Counter("sothebais_relay_events_total", "Events published")
LAG = Histogram(
    "sothebais_relay_lag_seconds",
    "From an event's time to its publication",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10),
)
STALLED = Gauge("sothebais_relay_stalled_seconds", "How long a write transaction has been holding up the tail")
REBUILDS = Counter("sothebais_relay_rebuilds_total", "Times Redis came back empty or stale")


class Relay:
    """Runs until cancelled: ``await Relay(dsn, store, projectors).run()``."""

    def __init__(
        self,
        dsn: str,
        store: StateStore,
        projectors: Sequence[Projector],
        *,
        clock: Clock | None = None,
        name: str = "relay",
    ) -> None:
        self._dsn = dsn
        self._store = store
        self._projectors = projectors
        self._clock = clock or SystemClock()
        self._name = name
        self._wake = asyncio.Event()
        self._stalled_since: float | None = None
        self._saved_at = float("-inf")
        #: This relay's position as it stands in Redis. Whatever else is found there, that Redis has lost something.
        self._mark = b""
        #: True while this process is the one that publishes.
        self.leading = False
        self.position: Position | None = None

    async def run(self) -> None:
        """Wait for the lead, then publish; after a lost connection begin again."""
        while True:
            connection = None
            try:
                connection = await connect(self._dsn, name=self._name)
                await cursors.hold_lock(connection, LOCK)
                self.leading = True
                log.info("relay.leads")
                await self._lead(connection)
            except (*CONNECTION_ERRORS, Unavailable) as error:
                log.warning("relay.begins_again", error=str(error))
            finally:
                self.leading = False
                if connection is not None:
                    connection.terminate()
            await asyncio.sleep(RECONNECT_S)

    async def _lead(self, connection: Any) -> None:
        await connection.add_listener(DOORBELL, lambda *_: self._wake.set())
        position = await cursors.load_cursor(connection, CONSUMER)
        for projector in self._projectors:
            projector.forget()
        await self._store.prepare()
        mark = await self._store.get(keys.POSITION_KEY)
        if mark is None or _has_seen_less(mark, position):
            REBUILDS.inc()
            log.warning("relay.rebuilds_redis")
            await rebuild(connection, self._store, self._projectors)
            mark = self._own_position(position)
            await self._store.apply([], [], (keys.POSITION_KEY, mark))
        self._mark = mark
        self.position = position
        checked_at = self._clock.monotonic()
        try:
            while True:
                self._wake.clear()
                events = await cursors.read_after(connection, position, limit=BATCH_EVENTS_MAX)
                if events:
                    await self._publish(connection, events)
                    self.position = position = events[-1].position
                await self._save(connection, position, force=False)
                await self._watch_stall(connection, position, idle=not events)
                if self._clock.monotonic() - checked_at >= LOOK_AGAIN_S * 4:
                    checked_at = self._clock.monotonic()
                    if await self._store.get(keys.POSITION_KEY) != self._mark:
                        raise Unavailable("Redis came back empty or stale.")
                if len(events) < BATCH_EVENTS_MAX:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), LOOK_AGAIN_S)
        except asyncio.CancelledError:
            with contextlib.suppress(*CONNECTION_ERRORS):
                await self._save(connection, position, force=True)
            raise

    async def _publish(self, connection: Any, events: Sequence[cursors.LoggedEvent]) -> None:
        writes: list[Write] = []
        publications: list[Publication] = []
        extra: list[Publication] = []
        for projector in self._projectors:
            mine = [event for event in events if projector.wants(event)]
            if mine:
                more_writes, more_extra = await projector.project(connection, mine)
                writes += more_writes
                extra += more_extra
        for event in events:
            channel = CHANNELS.get(event.type)
            if channel is None:
                log.error("relay.unknown_type", type=event.type, event_id=str(event.id))
                continue
            publications.append(Publication(channel, event.message()))
        mark = self._own_position(events[-1].position)
        position = (keys.POSITION_KEY, mark)
        if not await self._store.apply(writes, [*publications, *extra], position, replaces=self._mark):
            raise Unavailable("Redis came back empty or stale.")
        self._mark = mark
        now = self._clock.now()
        PUBLISHED.inc(len(events))
        LAG.observe(max(0, now - events[0].timestamp) / 1000)
        if tracing.on:
            _trace(events, now)

    def _own_position(self, position: Position) -> bytes:
        return msgspec.json.encode({"position": str(position), "at": self._clock.now()})

    async def _save(self, connection: Any, position: Position, *, force: bool) -> None:
        now = self._clock.monotonic()
        if force or now - self._saved_at >= SAVE_CURSOR_S:
            saved = await cursors.load_cursor(connection, CONSUMER)
            if saved < position:
                await cursors.save_cursor(connection, CONSUMER, position)
            self._saved_at = now

    async def _watch_stall(self, connection: Any, position: Position, *, idle: bool) -> None:
        """A long write transaction anywhere on the server holds up every reader: say so while it lasts."""
        if not idle or not await cursors.is_waiting(connection, position):
            self._stalled_since = None
            STALLED.set(0)
            return
        now = self._clock.monotonic()
        self._stalled_since = self._stalled_since if self._stalled_since is not None else now
        STALLED.set(now - self._stalled_since)


def _trace(events: Sequence[cursors.LoggedEvent], now: Millis) -> None:
    for event in events:
        if event.correlation_id is not None:
            tracing.part(
                "event.publish",
                event.correlation_id,
                since_ms=event.timestamp,
                until_ms=now,
                attributes={"sothebais.event": event.type, "sothebais.subject": event.subject},
            )


def _has_seen_less(mark: bytes, position: Position) -> bool:
    """Whether a Redis with this mark has seen less than the relay has published."""
    try:
        return Position.parse(msgspec.json.decode(mark)["position"]) < position
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return True


async def rebuild(connection: Any, store: StateStore, projectors: Sequence[Projector]) -> int:
    """Write every state afresh from the tables, and remove what should not be there; the number written.

    Only under the relay's lock (``cursors.hold_lock(connection, LOCK)``).
    """
    written = 0
    for projector in projectors:
        writes = await projector.rebuild(connection)
        wanted = {write.key for write in writes}
        stale = [key for pattern in projector.patterns() for key in await store.keys(pattern) if key not in wanted]
        await store.delete(stale)
        await store.force(writes)
        projector.forget()
        written += len(writes)
    return written


async def rebuild_beside(connection: Any, store: StateStore, projectors: Sequence[Projector]) -> int:
    """Rebuild whether or not a relay runs; the number of keys. Raises Unavailable when a running one does not do it.

    A running relay keeps its lock, so it is asked: without its mark in Redis it rebuilds by itself.
    """
    if await connection.fetchval("select pg_try_advisory_lock(hashtextextended($1, 0))", LOCK):
        try:
            written = await rebuild(connection, store, projectors)
            position = await cursors.load_cursor(connection, CONSUMER)
            mark = msgspec.json.encode({"position": str(position), "at": SystemClock().now()})
            await store.apply([], [], (keys.POSITION_KEY, mark))
            return written
        finally:
            await connection.execute("select pg_advisory_unlock(hashtextextended($1, 0))", LOCK)
    await store.delete([keys.POSITION_KEY])
    for _ in range(round(REBUILD_WAIT_S / LOOK_AGAIN_S)):
        await asyncio.sleep(LOOK_AGAIN_S)
        if await store.get(keys.POSITION_KEY) is not None:
            return sum([len(await projector.rebuild(connection)) for projector in projectors])
    raise Unavailable("The running relay did not rebuild Redis in time; look at event-handler's log.")


async def differences(connection: Any, store: StateStore, projectors: Sequence[Projector]) -> list[str]:
    """What Redis holds otherwise than a rebuild would write; empty when they agree."""
    found = []
    for projector in projectors:
        writes = await projector.rebuild(connection)
        values = await store.get_many([write.key for write in writes])
        for write, value in zip(writes, values, strict=True):
            if value is None:
                found.append(f"{write.key} is missing")
            elif msgspec.json.decode(value) != msgspec.json.decode(write.value):
                found.append(f"{write.key} differs: {value.decode()} instead of {write.value.decode()}")
        wanted = {write.key for write in writes}
        for pattern in projector.patterns():
            found += [f"{key} should not be there" for key in await store.keys(pattern) if key not in wanted]
    return found
