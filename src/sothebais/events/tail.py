"""The end of the log, as it grows: for whoever reacts to what happens and keeps no cursor.

NOTIFY only wakes the reader; a connection that is lost is taken up again where it was, so nothing is missed while the
process lives. What happened before it began is not told.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog

from sothebais.clock import Clock
from sothebais.db.engine import CONNECTION_ERRORS, connect
from sothebais.events.cursors import LOOK_AGAIN_S, SAFE, LoggedEvent, is_waiting, read_after
from sothebais.events.log import DOORBELL, START, Position
from sothebais.events.tables import EventLog

log = structlog.get_logger(__name__)

ROWS_MAX: Final = 200
#: Something stands in the log and may not be read yet: it looks again after so long, then twice as long each time.
HELD_UP_S: Final = 0.01
RECONNECT_S: Final = 0.1
RECONNECT_S_MAX: Final = 3.0
_LAST: Final = f"""
select epoch, xid::text::bigint as xid, seq from {EventLog.__tablename__} where {SAFE}
order by epoch desc, xid desc, seq desc limit 1
"""  # noqa: S608


class Tail:
    """``await Tail(…).run()`` hands on events in the order of the log, a batch at a time, until cancelled."""

    def __init__(
        self,
        dsn: str,
        name: str,
        clock: Clock,
        on_events: Callable[[Sequence[LoggedEvent]], Awaitable[None]],
        *,
        rng: random.Random | None = None,
    ) -> None:
        self._dsn, self._name, self._clock = dsn, name, clock
        self._on_events = on_events
        self._rng = rng or random.Random()  # noqa: S311 - jitter, nothing secret
        self._wake = asyncio.Event()
        #: The place of the last event that was handed on; null until it has begun.
        self.position: Position | None = None
        #: Whether PostgreSQL answers.
        self.connected = False

    async def run(self) -> None:
        """Until cancelled."""
        pause = RECONNECT_S
        while True:
            connection = None
            try:
                connection = await connect(self._dsn, name=self._name)
                await connection.add_listener(DOORBELL, lambda *_: self._wake.set())
                await self._read(connection)
            except CONNECTION_ERRORS as error:
                pause = RECONNECT_S if self.connected else min(RECONNECT_S_MAX, pause * 2)
                log.warning("tail.waits_for_database", reader=self._name, error=str(error), pause_s=round(pause, 2))
            finally:
                self.connected = False
                if connection is not None:
                    connection.terminate()
            await self._clock.sleep(pause * (0.5 + self._rng.random()))

    async def _read(self, connection: Any) -> None:
        if self.position is None:
            row = await connection.fetchrow(_LAST)
            self.position = START if row is None else Position(row["epoch"], row["xid"], row["seq"])
        held_up = HELD_UP_S
        while True:
            self._wake.clear()
            events = await read_after(connection, self.position, limit=ROWS_MAX)
            self.connected = True
            if events:
                self.position = events[-1].position
                await self._on_events(events)
            if len(events) == ROWS_MAX:
                continue
            pause, held_up = LOOK_AGAIN_S, HELD_UP_S if events else held_up
            if await is_waiting(connection, self.position):
                pause, held_up = held_up, min(held_up * 2, LOOK_AGAIN_S)
            else:
                held_up = HELD_UP_S
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)
