"""Identifiers: UUIDv7 (RFC 9562), made here because older PostgreSQL versions cannot.

Ids of one process rise strictly, so that rows written together lie together in every index.
"""

import os
import random
import threading
from collections.abc import Callable
from uuid import UUID, SafeUUID

from sothebais.clock import Clock, SystemClock

_COUNTER_BITS = 18
_RANDOM_BITS = 56
SALT_BYTES = 32
#: Randomness is fetched so much at a time: a call of the operating system for each id costs more than the id.
_POOL_BYTES = 4_096


class _Randomness:
    """Bytes of the operating system's generator, each given out once, to any thread; never shared with a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes, self._at = b"", 0
        os.register_at_fork(after_in_child=self.__init__)  # type: ignore[misc]

    def take(self, count: int) -> bytes:
        """So many fresh bytes."""
        with self._lock:
            start, self._at = self._at, self._at + count
            if self._at > len(self._bytes):
                self._bytes, start, self._at = os.urandom(_POOL_BYTES), 0, count
            return self._bytes[start : self._at]


_randomness = _Randomness()


class IdSource:
    """Makes UUIDv7s from a clock and a source of randomness; both can be put in place for repeatable runs.

    Layout: 48 bits of milliseconds, version, 12 bits of counter, variant, 6 more bits of counter, 56 random bits.
    """

    def __init__(self, clock: Clock | None = None, rng: random.Random | None = None) -> None:
        self._clock = clock or SystemClock()
        self._bits: Callable[[], int] = (
            (lambda: rng.getrandbits(_RANDOM_BITS))
            if rng
            else (lambda: int.from_bytes(_randomness.take(_RANDOM_BITS // 8)))
        )
        self._last_ms = 0
        self._counter = 0

    def new(self) -> UUID:
        """The next id. When one millisecond's counter is used up, or the clock was set back, time is borrowed."""
        now = self._clock.now()
        if now > self._last_ms:
            self._last_ms, self._counter = now, 0
        else:
            self._counter += 1
            if self._counter >> _COUNTER_BITS:
                self._last_ms, self._counter = self._last_ms + 1, 0
        high = (self._last_ms << 16) | 0x7000 | (self._counter >> 6)
        low = (0b10 << 62) | ((self._counter & 0x3F) << 56) | self._bits()
        return _uuid((high << 64) | low)


def _uuid(value: int) -> UUID:
    """``UUID(int=value)`` without its checks, which cost more than all the rest: this value is made right."""
    made = UUID.__new__(UUID)
    object.__setattr__(made, "int", value)
    object.__setattr__(made, "is_safe", SafeUUID.unknown)
    return made


_default = IdSource()


def new_id() -> UUID:
    """A new UUIDv7 from the machine's clock and randomness."""
    return _default.new()


def new_salt() -> bytes:
    """32 random bytes from the operating system."""
    return _randomness.take(SALT_BYTES)


def parse_id(text: str) -> UUID | None:
    """The UUID of a text in its usual form, or None; nothing that came from outside is passed on as an id."""
    if len(text) != 36:
        return None
    try:
        found = UUID(text)
    except ValueError:
        return None
    # UUID() also reads braces, prefixes and dashes in odd places
    return found if str(found) == text.lower() else None
