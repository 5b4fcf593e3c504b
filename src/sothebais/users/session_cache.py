"""Sessions in Redis: read before PostgreSQL, kept for seconds, never needed."""

import asyncio
from uuid import UUID

from pydantic import ValidationError

from sothebais.clock import Clock
from sothebais.errors import Unavailable
from sothebais.state import keys
from sothebais.state.models import SessionState as Cached
from sothebais.state.store import StateStore, Write

__all__ = ["Cached", "SessionCache"]

#: What was read from PostgreSQL is believed for so long.
KEPT_S = 10
#: That a session has ended is kept longer than any reader of PostgreSQL can be on its way.
ENDED_S = 60
#: Redis is waited for so long, and left alone for so long when it did not answer.
WAIT_S = 0.25
AWAY_S = 5.0
TRIES = 2
_ENDED_N = 1
_NOBODY = "0" * 64


class SessionCache:
    """Fails softly: without Redis every look is a miss."""

    def __init__(self, store: StateStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._away_until = float("-inf")

    async def get(self, session: UUID) -> Cached | None:
        """The session as Redis has it."""
        if self._is_away():
            return None
        try:
            async with asyncio.timeout(WAIT_S):
                value = await self._store.get(keys.session(session))
            return None if value is None else Cached.model_validate_json(value)
        except (Unavailable, TimeoutError):
            self._away()
        except ValidationError:
            pass  # another version's, or damaged: PostgreSQL knows
        return None

    async def put(self, session: Cached) -> None:
        """Keep a session for ``KEPT_S``; one that has ended in between stays ended."""
        await self._write([Write(keys.session(session.id), session.n, session.model_dump_json().encode(), KEPT_S)])

    async def end(self, sessions: list[UUID]) -> None:
        """Keep that those sessions have ended."""
        ended = [
            Cached(
                id=session, user=session, name="", role="VIEWER", method="", token_hash=_NOBODY,
                signed_in_at=0, expires_at=0, revoked=True, n=_ENDED_N,
            )
            for session in sessions
        ]  # fmt: skip
        if ended:
            await self._write(
                [Write(keys.session(one.id), one.n, one.model_dump_json().encode(), ENDED_S) for one in ended]
            )

    async def _write(self, writes: list[Write]) -> None:
        for _ in range(TRIES):  # a server that was restarted learns its scripts at the first try
            if self._is_away():
                return
            try:
                async with asyncio.timeout(WAIT_S):
                    await self._store.apply(writes, [], None)
                return
            except TimeoutError:
                self._away()
            except Unavailable as error:
                if error.fields.get("retry_after"):
                    self._away()

    def _is_away(self) -> bool:
        return self._clock.monotonic() < self._away_until

    def _away(self) -> None:
        self._away_until = self._clock.monotonic() + AWAY_S
