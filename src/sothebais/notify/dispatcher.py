"""Sending what waits in an outbox: claimed with a lease, sent, marked.

Any number of dispatchers may work on one outbox. A claim counts the try and moves ``next_attempt_at`` behind the lease;
whoever finishes must still hold that very try, so two never mark one row, and a row whose dispatcher was killed is due
again when its lease is over. A send takes less time than a lease, so no two dispatchers send one row in one try.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
import structlog
from prometheus_client import Counter

from sothebais.db.engine import CONNECTION_ERRORS, connect
from sothebais.notify.repository import OUTBOX_DOORBELL

log = structlog.get_logger(__name__)

#: A claimed row belongs to its dispatcher for so long.
LEASE_S = 60
#: Longest time of one send, whatever the other side does.
SEND_S_MAX = 30.0
IN_FLIGHT_MAX = 16
#: A dispatcher looks by itself after so long: rows become due without a sound.
LOOK_AGAIN_S = 0.5
ERROR_LENGTH_MAX = 500

OUTCOMES = Counter("sothebais_dispatches_total", "What became of things to send", ["outbox", "outcome"])


class Sent(msgspec.Struct, frozen=True):
    """It arrived. ``status`` is the answer of an HTTP receiver."""

    status: int | None = None


class TryAgain(msgspec.Struct, frozen=True):
    """It did not arrive this time; not before ``after_s``, if the other side said so."""

    error: str
    status: int | None = None
    after_s: float | None = None


class GiveUp(msgspec.Struct, frozen=True):
    """It will never arrive. ``gone``: nothing else sent there will."""

    error: str
    status: int | None = None
    gone: bool = False


class Suppressed(msgspec.Struct, frozen=True):
    """It should not be told any more."""

    reason: str


type Outcome = Sent | TryAgain | GiveUp | Suppressed


class Outbox(Protocol):
    """Rows to send, and how."""

    name: str

    async def claim(self, connection: Any, limit: int) -> Sequence[Any]:
        """Take rows that are due; they have the columns the others need, ``attempts`` among them."""

    async def send(self, row: Any) -> Outcome:
        """Send one. Never raises for what the other side does; never longer than ``SEND_S_MAX``."""

    async def finish(self, connection: Any, row: Any, outcome: Outcome) -> None:
        """Write down what became of it, if the row is still this dispatcher's; in the caller's transaction."""

    async def close(self) -> None:
        """Let connections go."""


class Dispatcher:
    """Empties an outbox for ever. ``in_flight_max`` things are under way at a time."""

    def __init__(self, dsn: str, outbox: Outbox, *, in_flight_max: int = IN_FLIGHT_MAX) -> None:
        self._dsn = dsn
        self._outbox = outbox
        self._in_flight_max = in_flight_max
        self._wake = asyncio.Event()
        self._busy = asyncio.Lock()

    async def run(self) -> None:
        """Until cancelled. A lost connection is opened again; what was not marked is sent again after its lease."""
        try:
            while True:
                try:
                    await self._empty()
                except CONNECTION_ERRORS as error:
                    log.warning("dispatcher.waits_for_database", outbox=self._outbox.name, error=str(error))
                    await asyncio.sleep(LOOK_AGAIN_S)
        finally:
            await self._outbox.close()

    async def _empty(self) -> None:
        connection = await connect(self._dsn, name=f"dispatcher-{self._outbox.name}")
        under_way: set[asyncio.Task[None]] = set()
        try:
            await connection.add_listener(OUTBOX_DOORBELL, lambda *_: self._wake.set())
            while True:
                self._wake.clear()
                free = self._in_flight_max - len(under_way)
                async with self._busy:
                    rows = await self._outbox.claim(connection, free) if free else []
                for row in rows:
                    task = asyncio.create_task(self._handle(connection, row))
                    under_way.add(task)
                    task.add_done_callback(lambda _: self._wake.set())
                # wait even when there may be more: there is no free place, or a task or the bell says when
                if len(rows) < free or not free:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), LOOK_AGAIN_S)
                for task in [task for task in under_way if task.done()]:
                    under_way.discard(task)
                    task.result()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
            connection.terminate()

    async def _handle(self, connection: Any, row: Any) -> None:
        try:
            async with asyncio.timeout(SEND_S_MAX):
                outcome = await self._outbox.send(row)
        except TimeoutError:
            outcome = TryAgain(f"No answer within {SEND_S_MAX:g} s.")
        except Exception as error:  # a fault of ours must not stop the others; it is counted and kept
            log.exception("dispatcher.failed", outbox=self._outbox.name)
            # only its name: what it says might hold an address, and this goes into the log of events
            outcome = TryAgain(f"A fault of the house ({type(error).__name__}).")
        OUTCOMES.labels(self._outbox.name, type(outcome).__name__).inc()
        async with self._busy, connection.transaction():
            await self._outbox.finish(connection, row, outcome)
