"""Time. The only module that asks the machine what time it is.

What an instant is, and how it is written, stands in ``instants``, which the pure modules use.
"""

import asyncio
import time
from datetime import datetime
from typing import Protocol

from sothebais.instants import EPOCH, MILLISECOND, Millis, from_datetime, isoformat, parse_iso, to_datetime

__all__ = [
    "Clock",
    "DatabaseTime",
    "Millis",
    "SystemClock",
    "from_datetime",
    "isoformat",
    "parse_iso",
    "to_datetime",
]


class Clock(Protocol):
    """What the house asks of time; tests put virtual time in its place."""

    def now(self) -> Millis:
        """The present instant."""

    def monotonic(self) -> float:
        """Seconds that never go backwards, for measuring lengths."""

    async def sleep(self, seconds: float) -> None:
        """Wait at least that long."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> Millis:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class DatabaseTime:
    """PostgreSQL's clock, followed from this process by a measured offset.

    Every process of the house stamps arrivals in the same time, the database's. ``observe`` is fed with readings of
    ``clock_timestamp()``; the reading with the shortest round trip of the last ``SAMPLES`` wins. Between two readings
    time is counted by the monotonic clock, so that setting this machine's clock moves no stamp.
    """

    SAMPLES = 8
    DRIFT_MS_MAX = 50

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: list[tuple[float, float]] = []
        self._anchor: tuple[Millis, float] | None = None
        self.offset_ms = 0.0
        self.drift_ms = 0.0

    def now(self) -> Millis:
        """The present instant in database time, rounded down."""
        if self._anchor is None:
            return int(self._clock.now() + self.offset_ms)
        at, monotonic = self._anchor
        return int(at + (self._clock.monotonic() - monotonic) * 1_000 + self.offset_ms)

    def observe(self, sent: Millis, database: datetime, received: Millis) -> bool:
        """Take one reading; True when the clocks drifted more than ``DRIFT_MS_MAX`` since the last one."""
        middle = (sent + received) / 2
        offset = (database - EPOCH) / MILLISECOND - middle
        first = not self._samples
        self._samples.append((float(received - sent), offset))
        del self._samples[: -self.SAMPLES]
        self.drift_ms = 0.0 if first else offset - self.offset_ms
        # a slow round trip is an uncertain reading, not a clock that moved
        drifted = abs(self.drift_ms) > self.DRIFT_MS_MAX + (received - sent) / 2
        if drifted:  # older readings are about a clock that has been set since
            self._samples = self._samples[-1:]
        self.offset_ms = min(self._samples)[1]
        self._anchor = self._clock.now(), self._clock.monotonic()
        return drifted
