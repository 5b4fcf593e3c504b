"""Rate limits: token buckets per user, key and network address, bounded in number.

``RateLimit`` counts in this process alone: for bids, whose path asks nobody else. ``SharedLimit`` counts in Redis, so
that the limit is one for all processes, and falls back to this process's own count while Redis does not answer.
"""

import asyncio
from collections import OrderedDict

from sothebais.clock import Clock
from sothebais.errors import RateLimited, Unavailable
from sothebais.state import keys
from sothebais.state.store import StateStore

BUCKETS_MAX = 100_000
#: Redis is waited for so long, and left alone for so long when it did not answer.
REDIS_WAIT_S = 0.1
REDIS_AWAY_S = 1.0
#: Tokens fetched ahead are given up after so long.
LEASE_S = 1.0


class RateLimit:
    """``per_second`` on average, ``burst`` at once. When there are too many buckets the idlest is forgotten."""

    def __init__(
        self, clock: Clock, what: str, *, per_second: float, burst: float, buckets_max: int = BUCKETS_MAX
    ) -> None:
        self._clock = clock
        self._what = what
        self._per_second = per_second
        self._burst = burst
        self._buckets_max = buckets_max
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> None:
        """Take one. Raises RateLimited with the seconds until the next is there."""
        now = self._clock.monotonic()
        left, at = self._buckets.get(who, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        if left < 1:
            self._buckets[who] = (left, now)
            wait = (1 - left) / self._per_second
            raise too_many(self._what, wait)
        self._buckets[who] = (left - 1, now)
        self._buckets.move_to_end(who)
        if len(self._buckets) > self._buckets_max:
            self._buckets.popitem(last=False)

    def __len__(self) -> int:
        return len(self._buckets)


class SharedLimit:
    """One bucket for each ``who``, shared by all processes: ``rate:limit:{name}:{who}``.

    ``ahead`` tokens are fetched at once and spent here, so that most requests ask nobody. What is not spent within
    ``LEASE_S`` is lost: a limit may be a little stricter than it says, never laxer.
    """

    def __init__(
        self,
        clock: Clock,
        store: StateStore | None,
        name: str,
        what: str,
        *,
        per_second: float,
        burst: int,
        ahead: int = 1,
        leases_max: int = BUCKETS_MAX,
    ) -> None:
        self._clock = clock
        self._store = store
        self._name = name
        self._what = what
        self._per_second = per_second
        self._burst = burst
        self._ahead = max(1, min(ahead, burst // 4))
        self._leases_max = leases_max
        self._leases: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._alone = RateLimit(clock, what, per_second=per_second, burst=burst)
        self._away_until = float("-inf")

    async def take(self, who: str) -> None:
        """Take one. Raises RateLimited with the seconds until the next is there."""
        now = self._clock.monotonic()
        left, until = self._leases.get(who, (0, now))
        if left and until > now:
            self._leases[who] = (left - 1, until)
            return
        if self._store is None or now < self._away_until:
            self._alone.take(who)
            return
        try:
            async with asyncio.timeout(REDIS_WAIT_S):
                taken, wait = await self._store.take(
                    keys.rate_limit(self._name, who),
                    per_second=self._per_second,
                    burst=self._burst,
                    wanted=self._ahead,
                )
        except (Unavailable, TimeoutError):
            self._away_until = now + REDIS_AWAY_S
            self._alone.take(who)
            return
        if taken < 1:
            raise too_many(self._what, wait)
        self._leases[who] = (taken - 1, now + LEASE_S)
        self._leases.move_to_end(who)
        if len(self._leases) > self._leases_max:
            self._leases.popitem(last=False)

    def __len__(self) -> int:
        return len(self._leases)


def too_many(what: str, wait: float) -> RateLimited:
    """The refusal, with the seconds to wait."""
    return RateLimited(f"Too many {what}. Wait {wait:.1f} s.", retry_after=wait)
