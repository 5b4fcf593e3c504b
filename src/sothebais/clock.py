"""Time. The only module that asks the machine what time it is.

Instants are whole milliseconds since the epoch (UTC), the precision of the event log: a time that was rounded on
its way into the log would make a replay differ from what was decided live.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

#: Milliseconds since 1970-01-01T00:00:00Z (an instant) or a number of milliseconds (a length).
type Millis = int

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


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


def from_datetime(value: datetime) -> Millis:
    """Milliseconds of an aware datetime, rounded down. Raises ValueError for a naive one."""
    if value.tzinfo is None:
        raise ValueError("a time without a zone has no instant")
    return (value - _EPOCH) // _MILLISECOND


def to_datetime(value: Millis) -> datetime:
    """The aware UTC datetime of an instant."""
    return _EPOCH + timedelta(milliseconds=value)


def isoformat(value: Millis) -> str:
    """``2026-03-01T18:00:00.250Z``: ISO 8601 in UTC with milliseconds, as every HTTP answer has it."""
    return to_datetime(value).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value % 1000:03d}Z"


def parse_iso(text: str) -> Millis:
    """The instant of an ISO 8601 text with a zone. Raises ValueError otherwise."""
    return from_datetime(datetime.fromisoformat(text))


class DatabaseTime:
    """PostgreSQL's clock, followed from this process by a measured offset.

    Every process of the house stamps arrivals in the same time, the database's. ``observe`` is fed with readings of
    ``clock_timestamp()``; the reading with the shortest round trip of the last ``SAMPLES`` wins.
    """

    SAMPLES = 8
    DRIFT_MS_MAX = 50

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: list[tuple[float, float]] = []
        self.offset_ms = 0.0
        self.drift_ms = 0.0

    def now(self) -> Millis:
        """The present instant in database time, rounded down."""
        return int(self._clock.now() + self.offset_ms)

    def observe(self, sent: Millis, database: datetime, received: Millis) -> bool:
        """Take one reading; True when the clocks drifted more than ``DRIFT_MS_MAX`` since the last one."""
        middle = (sent + received) / 2
        offset = (database - _EPOCH) / _MILLISECOND - middle
        first = not self._samples
        self._samples.append((float(received - sent), offset))
        del self._samples[: -self.SAMPLES]
        self.drift_ms = 0.0 if first else offset - self.offset_ms
        drifted = abs(self.drift_ms) > self.DRIFT_MS_MAX
        if drifted:  # older readings are about a clock that has been set since
            self._samples = self._samples[-1:]
        self.offset_ms = min(self._samples)[1]
        return drifted
