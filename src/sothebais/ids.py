"""Identifiers: UUIDv7 (RFC 9562), made here because older PostgreSQL versions cannot.

Ids of one process rise strictly, so that rows written together lie together in every index.
"""

import os
import random
import struct
from collections.abc import Callable, Iterable
from functools import partial
from uuid import UUID, SafeUUID

from sothebais.clock import Clock, SystemClock

_COUNTER_BITS = 18
_RANDOM_BITS = 56
SALT_BYTES = 32
#: Randomness is fetched so much at a time: a call of the operating system for each id costs more than the id.
_POOL_BYTES = 4_096


class _Randomness[T]:
    """What is cut from the operating system's generator, each piece given out once, to any thread; never to a fork too."""

    def __init__(self, cut: Callable[[bytes], Iterable[T]]) -> None:
        self._cut = cut
        self._pieces: list[T] = []
        # the list itself stays: a thread that is about to take a piece has hold of it already
        os.register_at_fork(after_in_child=self._pieces.clear)

    def take(self) -> T:
        """A fresh piece. Taking one from a list is a single step, so that no two threads get the same."""
        while True:
            try:
                return self._pieces.pop()
            except IndexError:
                self._pieces.extend(self._cut(os.urandom(_POOL_BYTES)))


def _numbers(pool: bytes) -> Iterable[int]:
    return (number >> 8 for number in struct.unpack(f"{_POOL_BYTES // 8}Q", pool))


def _salts(pool: bytes) -> Iterable[bytes]:
    return (pool[start : start + SALT_BYTES] for start in range(0, _POOL_BYTES, SALT_BYTES))


_random_numbers, _random_salts = _Randomness(_numbers), _Randomness(_salts)


class IdSource:
    """Makes UUIDv7s from a clock and a source of randomness; both can be put in place for repeatable runs.

    Layout: 48 bits of milliseconds, version, 12 bits of counter, variant, 6 more bits of counter, 56 random bits.
    """

    def __init__(self, clock: Clock | None = None, rng: random.Random | None = None) -> None:
        self._clock = clock or SystemClock()
        self._bits: Callable[[], int] = partial(rng.getrandbits, _RANDOM_BITS) if rng else _random_numbers.take
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
        low = 0x8000000000000000 | ((self._counter & 0x3F) << 56) | self._bits()
        return _uuid((high << 64) | low)


# a UUID refuses to be changed; its slots do not
_set_int, _set_is_safe = (UUID.__dict__[slot].__set__ for slot in ("int", "is_safe"))


def _uuid(value: int) -> UUID:
    """``UUID(int=value)`` without its checks, which cost more than all the rest: this value is made right."""
    made = UUID.__new__(UUID)
    _set_int(made, value)
    _set_is_safe(made, SafeUUID.unknown)
    return made


_default = IdSource()


def new_id() -> UUID:
    """A new UUIDv7 from the machine's clock and randomness."""
    return _default.new()


def new_salt() -> bytes:
    """32 random bytes from the operating system."""
    return _random_salts.take()


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
