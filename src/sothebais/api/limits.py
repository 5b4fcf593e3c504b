"""Rate limits: token buckets per user and per network address, bounded in number."""

from collections import OrderedDict

from sothebais.clock import Clock
from sothebais.errors import RateLimited

BUCKETS_MAX = 100_000


class RateLimit:
    """``per_second`` on average, ``burst`` at once. When there are too many buckets the idlest is forgotten."""

    def __init__(self, clock: Clock, what: str, *, per_second: float, burst: float) -> None:
        self._clock = clock
        self._what = what
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> None:
        """Take one. Raises RateLimited with the seconds until the next is there."""
        now = self._clock.monotonic()
        left, at = self._buckets.get(who, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        if left < 1:
            self._buckets[who] = (left, now)
            wait = (1 - left) / self._per_second
            raise RateLimited(f"Too many {self._what}. Wait {wait:.1f} s.", retry_after=wait)
        self._buckets[who] = (left - 1, now)
        self._buckets.move_to_end(who)
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
