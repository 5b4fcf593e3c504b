"""Redis or Valkey, behind the few operations the house needs.

State is written by a compare-and-set on one key: the JSON carries ``n``, and an older ``n`` changes nothing, so that a
deposed relay cannot turn a lot back. One key per script call, as a cluster wants it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import NoScriptError, RedisError

from sothebais.errors import Unavailable

SOCKET_TIMEOUT_S = 2.0
RETRIES = 2
RETRY_AFTER_S = 1
#: Keys read in one round trip when states are compared.
READ_BATCH = 500

#: KEYS[1], ARGV: n, value, seconds to live (0: for ever). 1 when written.
_WRITE = """
local stored = redis.call('GET', KEYS[1])
if stored then
  local n = tonumber(string.match(stored, '"n":(%d+)'))
  if n and n > tonumber(ARGV[1]) then return 0 end
end
if ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return 1
"""

#: KEYS[1], ARGV: what must stand there, what is to. 1 when written.
_MOVE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


#: KEYS[1], ARGV: milliseconds a token takes to come back, tokens at most, tokens wanted. Gives the tokens taken and,
#: for none, the milliseconds until the next. ``resets_at`` is when all are back: everything else follows from it.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local each, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = now
local stored = redis.call('GET', KEYS[1])
if stored then
  local at = tonumber(string.match(stored, '"resets_at":(%d+)'))
  if at and at > full then full = math.min(at, now + math.ceil(each * most)) end
end
local left = math.floor(most - (full - now) / each + 0.001)
if left < 1 then return {0, math.ceil(full - now - each * (most - 1))} end
local taken = math.min(left, tonumber(ARGV[3]))
full = math.ceil(full + taken * each)
local state = string.format('{"limit":%d,"remaining":%d,"resets_at":%.0f}', most, left - taken, full)
redis.call('SET', KEYS[1], state, 'PX', math.max(1, full - now))
return {taken, 0}
"""


class Write(msgspec.Struct, frozen=True):
    """One state to be written; ``seconds`` to live, 0 while its subject goes on."""

    key: str
    n: int
    value: bytes
    seconds: int = 0


class Publication(msgspec.Struct, frozen=True):
    """One event for everybody who listens."""

    channel: str
    message: bytes


class StateStore:
    """One connection pool. Every call raises Unavailable when the server does not answer in time."""

    def __init__(self, url: str) -> None:
        retry = Retry(ExponentialBackoff(cap=0.2, base=0.02), RETRIES)
        self._redis: Any = redis.Redis.from_url(
            url,
            socket_timeout=SOCKET_TIMEOUT_S,
            socket_connect_timeout=SOCKET_TIMEOUT_S,
            retry=retry,
            health_check_interval=15,
        )
        self._write = self._redis.register_script(_WRITE)
        self._move = self._redis.register_script(_MOVE)
        self._take = self._redis.register_script(_TAKE)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._redis.aclose()

    async def prepare(self) -> None:
        """Teach the server the scripts; one that was restarted has forgotten them."""
        await self._try(self._load_scripts())

    async def ping(self) -> None:
        """Raise Unavailable unless the server answers."""
        await self._try(self._redis.ping())

    async def get(self, key: str) -> bytes | None:
        """The value under ``key``."""
        value: bytes | None = await self._try(self._redis.get(key))
        return value

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values under those keys, one by one: on a cluster they lie on different nodes."""
        values: list[bytes | None] = []
        for start in range(0, len(keys), READ_BATCH):
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys[start : start + READ_BATCH]:
                pipeline.get(key)
            values += await self._try(pipeline.execute())
        return values

    async def apply(
        self,
        writes: Iterable[Write],
        publications: Iterable[Publication],
        position: tuple[str, bytes] | None,
        *,
        replaces: bytes | None = None,
    ) -> bool:
        """States first, then the events, then the relay's position: one pipeline.

        With ``replaces`` the position is written only where that one stands. False when another was found, or none:
        then this is not the Redis it was, and it may lack anything.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for write in writes:
            pipeline.evalsha(self._write.sha, 1, write.key, write.n, write.value, write.seconds)
        for publication in publications:
            pipeline.publish(publication.channel, publication.message)
        if position is None:
            await self._try(self._run(pipeline))
            return True
        key, value = position
        if replaces is None:
            pipeline.set(key, value)
        else:
            pipeline.evalsha(self._move.sha, 1, key, replaces, value)
        *_, moved = await self._try(self._run(pipeline))
        return bool(moved)

    async def force(self, writes: Iterable[Write]) -> None:
        """Write states whatever is there: for a rebuild, under the relay's lock, and for keys that only one process writes."""
        pipeline = self._redis.pipeline(transaction=False)
        for write in writes:
            pipeline.set(write.key, write.value, ex=write.seconds or None)
        await self._try(pipeline.execute())

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove keys."""
        pipeline = self._redis.pipeline(transaction=False)
        for key in keys:
            pipeline.delete(key)
        await self._try(pipeline.execute())

    async def keys(self, pattern: str) -> list[str]:
        """All keys like ``pattern``; for rebuild and check, never on a hot path."""
        try:
            return [key.decode() async for key in self._redis.scan_iter(match=pattern, count=READ_BATCH)]
        except (RedisError, OSError, TimeoutError) as error:
            raise _unavailable(error) from error

    async def take(self, key: str, *, per_second: float, burst: int, wanted: int) -> tuple[int, float]:
        """Take up to ``wanted`` tokens of a bucket that all processes share: how many, and seconds to wait for none."""
        taken, wait_ms = await self._try(self._take(keys=[key], args=[1_000 / per_second, burst, wanted]))
        return int(taken), int(wait_ms) / 1_000

    def subscription(self) -> Any:
        """A pub/sub of redis-py; the caller closes it."""
        return self._redis.pubsub()

    async def _load_scripts(self) -> None:
        for script in (_WRITE, _MOVE):
            await self._redis.script_load(script)

    async def _run(self, pipeline: Any) -> list[Any]:
        # a server that was restarted has forgotten the scripts
        try:
            results: list[Any] = await pipeline.execute()
            return results
        except NoScriptError as error:
            await self._load_scripts()
            # states are compare-and-set and consumers drop what they have seen, so everything may be sent again
            raise Unavailable("Redis had forgotten a script; it is loaded again.", retry_after=0) from error

    async def _try(self, call: Any) -> Any:
        try:
            return await call
        except (RedisError, OSError, TimeoutError) as error:
            raise _unavailable(error) from error


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(f"Redis does not answer: {type(error).__name__}.", retry_after=RETRY_AFTER_S)
