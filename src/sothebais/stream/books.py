"""A broadcast's notes for the database: written in order, by one task, as soon as PostgreSQL takes them.

The show does not wait for them. While the database is away they wait, up to a bound.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.clock import Clock
from sothebais.stream import publishing, records

log = structlog.get_logger(__name__)

NOTES_MAX: Final = 1_000
AGAIN_S: Final = 0.5
#: At the end of a broadcast they have so long.
LAST_S: Final = 5.0
TEXT_LENGTH_MAX: Final = 200

type Note = Callable[[], Awaitable[Any]]


class Books:
    """The notes of one broadcast."""

    def __init__(self, engine: AsyncEngine, stream: UUID, clock: Clock, *, notes_max: int = NOTES_MAX) -> None:
        self.engine, self.stream = engine, stream
        self._clock = clock
        self._notes: asyncio.Queue[Note] = asyncio.Queue(notes_max)
        self.left_out = 0

    def note(self, note: Note) -> None:
        """Have it written after those before it; one too many is left out, and counted."""
        try:
            self._notes.put_nowait(note)
        except asyncio.QueueFull:
            self._leave_out()

    def tell(self, type_: str, data: dict[str, Any]) -> None:
        """Have an event logged."""
        now = self._clock.now()
        self.note(lambda: records.tell(self.engine, self.stream, type_, data, now))

    def fault(self, component: str, message: str, *, output: str | None = None, recovered: bool = False) -> None:
        """Have ``stream:error`` logged."""
        publishing.FAULTS.labels(component).inc()
        text = message[:TEXT_LENGTH_MAX] or "unknown"
        self.tell("stream:error", {"component": component, "message": text, "output": output, "recovered": recovered})

    async def write(self) -> None:
        """Until cancelled."""
        while True:
            note = await self._notes.get()
            while not await self._written(note):
                await self._clock.sleep(AGAIN_S)
            self._notes.task_done()

    async def close(self) -> None:
        """Wait for what is not written yet, for ``LAST_S`` at most."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._notes.join(), LAST_S)

    async def _written(self, note: Note) -> bool:
        """Whether the next may follow. One that the database will never take must not hold up the others."""
        try:
            await note()
        except (DataError, IntegrityError, ProgrammingError):
            self._leave_out()
        except (DBAPIError, PoolTimeout, OSError) as error:
            log.warning("stream.waits_for_database", error=type(error).__name__)
            return False
        except Exception:  # noqa: BLE001 - the show does not end because a line of its books is wrong
            self._leave_out()
        return True

    def _leave_out(self) -> None:
        self.left_out += 1
        log.exception("stream.note_left_out", left_out=self.left_out)
