"""The memory of whoever the house's character is, for those who speak for it; and the consumer that fills it."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.agent import characters
from sothebais.agent.memory.embedding import Embedder
from sothebais.agent.memory.model import Limits, Stored
from sothebais.agent.memory.service import Memories
from sothebais.agent.memory.sessions import Texts, remember_session
from sothebais.clock import Clock
from sothebais.errors import Unavailable
from sothebais.events.cursors import DurableConsumer, LoggedEvent

log = structlog.get_logger(__name__)

CONSUMER: Final = "agent-memory"
TYPES: Final = frozenset({"session:end"})
_DATABASE_ERRORS: Final = (DBAPIError, PoolTimeout, OSError)


class Recollection:
    """``ports.Recall`` for the house's character, who is looked up each time: staff may change it."""

    def __init__(
        self, engine: AsyncEngine, clock: Clock, *, embedder: Embedder | None = None, limits: Limits | None = None
    ) -> None:
        self._engine, self._clock, self._embedder, self._limits = engine, clock, embedder, limits
        self._of: tuple[UUID, Memories] | None = None

    async def memories(self) -> Memories:
        """The memory of the present character."""
        stored = await characters.present(self._engine)
        if self._of is None or self._of[0] != stored.id:
            made = Memories(self._engine, self._clock, stored.id, embedder=self._embedder, limits=self._limits)
            self._of = stored.id, made
        return self._of[1]

    async def recall(self, text: str, *, about: UUID | None, limit: int) -> Sequence[str]:
        """What fits a text, the most fitting first: of this person and of the campaign, never of anybody else."""
        return [one.text for one in await self.find(text, about=about, limit=limit)]

    async def find(self, text: str, *, about: UUID | None, limit: int) -> Sequence[Stored]:
        """The same whole. Raises Unavailable."""
        try:
            return await (await self.memories()).find(text, about=about, limit=limit)
        except _DATABASE_ERRORS as error:
            raise Unavailable("The host's memory cannot be read now.", retry_after=1) from error

    async def heard(self, user: UUID, text: str, *, event: UUID) -> bool:
        """Keep a line that somebody said to the host for a day, for them alone; False when it is not one to be kept.

        Raises Unavailable.
        """
        try:
            return await (await self.memories()).heard(user, text, event=event)
        except _DATABASE_ERRORS as error:
            raise Unavailable("The host's memory cannot be written now.", retry_after=1) from error


def consumer(dsn: str, engine: AsyncEngine, recollection: Recollection, texts: Texts) -> DurableConsumer:
    """The durable consumer that distils each session when it is over, and forgets what has expired."""

    async def handle(connection: Any, event: LoggedEvent) -> None:
        # in a transaction of its own, before the cursor moves: done again, it finds everything as it should be
        memories = await recollection.memories()
        await memories.forget_expired()
        kept = await remember_session(engine, memories, event.id, texts)
        log.info("agent.session_remembered", event_id=str(event.id), memories=kept)

    return DurableConsumer(dsn, CONSUMER, handle, types=TYPES)
