"""Reads the end of the log for a hub: in order, without gaps, whatever becomes of the messengers.

Redis and PostgreSQL's NOTIFY only wake it; what is told is always read from the log. Pub/sub has no numbers that show
a gap, and the log's own order is the one thing every process agrees on.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from redis.exceptions import RedisError

from sothebais.clock import Clock, DatabaseTime
from sothebais.db.engine import CONNECTION_ERRORS, connect
from sothebais.events import cursors
from sothebais.events.log import DOORBELL, START, Position
from sothebais.events.tables import EventLog
from sothebais.state.keys import Channel
from sothebais.state.store import StateStore

log = structlog.get_logger(__name__)

READ_ROWS_MAX = 500
#: It looks by itself after so long, whether anybody woke it or not.
LOOK_AGAIN_S = 0.25
#: It reads no more often than this; what comes meanwhile is one reading. A gateway so costs little under heavy bidding.
READ_EVERY_S = 0.005
RECONNECT_S = 0.25
SET_CLOCK_EVERY_S = 10.0

_E = EventLog.__tablename__
_START = f"""
select epoch, xid::text::bigint as xid, seq from {_E} where {cursors.SAFE}
order by epoch desc, xid desc, seq desc offset $1 limit 1
"""  # noqa: S608

type Take = Callable[[Sequence[cursors.LoggedEvent]], Awaitable[None]]


class Tail:
    """``await tail.run()`` until cancelled; ``begin`` is called with the place it starts at, ``take`` with all behind it."""

    def __init__(
        self,
        dsn: str,
        store: StateStore | None,
        *,
        clock: Clock,
        begin: Callable[[Position], None],
        take: Take,
        caught_up: Callable[[], None],
        warm_events: int,
    ) -> None:
        self._dsn, self._store, self._clock = dsn, store, clock
        self._begin, self._take, self._caught_up = begin, take, caught_up
        self._warm_events = warm_events
        self._wake = asyncio.Event()
        self._position: Position | None = None
        #: The house's time, which is PostgreSQL's.
        self.time = DatabaseTime(clock)
        #: Whether PostgreSQL answers.
        self.connected = False

    async def run(self) -> None:
        """Until cancelled. A lost connection is opened again, and the reading goes on from where it was."""
        async with asyncio.TaskGroup() as group:
            if self._store is not None:
                group.create_task(self._listen(self._store))
            while True:
                connection = None
                try:
                    connection = await connect(self._dsn, name="live")
                    await connection.add_listener(DOORBELL, lambda *_: self._wake.set())
                    await self._read(connection)
                except CONNECTION_ERRORS as error:
                    log.warning("live.waits_for_database", error=str(error))
                finally:
                    self.connected = False
                    if connection is not None:
                        connection.terminate()
                await self._clock.sleep(RECONNECT_S)

    async def _read(self, connection: Any) -> None:
        if self._position is None:
            row = await connection.fetchrow(_START, self._warm_events)
            self._position = START if row is None else Position(row["epoch"], row["xid"], row["seq"])
            self._begin(self._position)
        set_at = float("-inf")
        while True:
            self.connected = True
            if self._clock.monotonic() - set_at >= SET_CLOCK_EVERY_S:
                set_at = self._clock.monotonic()
                sent = self._clock.now()
                self.time.observe(sent, await connection.fetchval("select clock_timestamp()"), self._clock.now())
            self._wake.clear()
            events = await cursors.read_after(connection, self._position, limit=READ_ROWS_MAX)
            if events:
                self._position = events[-1].position
                await self._take(events)
            if len(events) < READ_ROWS_MAX:
                self._caught_up()
                await self._clock.sleep(READ_EVERY_S)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), LOOK_AGAIN_S)

    async def _listen(self, store: StateStore) -> None:
        """Be woken by what the relay publishes; without Redis NOTIFY and the look by itself must do."""
        silent = False
        while True:
            try:
                async with store.subscription() as subscription:
                    await subscription.subscribe(*Channel)
                    silent = False
                    async for message in subscription.listen():
                        if message["type"] == "message":
                            self._wake.set()
            except (RedisError, OSError, TimeoutError) as error:
                if not silent:
                    log.warning("live.waits_for_redis", error=type(error).__name__)
                silent = True
            await self._clock.sleep(RECONNECT_S)
