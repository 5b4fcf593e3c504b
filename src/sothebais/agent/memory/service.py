"""Remembering, recalling and forgetting, each change with its event in the same transaction."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import numpy as np
import structlog
from msgspec.structs import replace
from prometheus_client import Counter
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais.agent.memory import repository, wording
from sothebais.agent.memory.embedding import Embedder
from sothebais.agent.memory.model import (
    QUERY_LENGTH_MAX,
    RECALLED_MAX,
    Candidate,
    Limits,
    NewMemory,
    Stored,
    best,
    overlap,
    with_others,
    words_asked,
)
from sothebais.clock import Clock
from sothebais.errors import InvalidInput, NotFound, Unavailable
from sothebais.events import log
from sothebais.events.actions import Actor, action
from sothebais.events.types.base import Source
from sothebais.instants import Millis

logger = structlog.get_logger(__name__)

#: Below this a memory has nothing to do with what is asked.
MEANING_MIN: Final = 0.25
WORDS_MIN: Final = 0.0001
OVERLAP_MIN: Final = 0.05
#: PostgreSQL's codes for a server without English full text search.
_NO_ENGLISH: Final = ("42704", "3F000")

RECALLED = Counter("sothebais_agent_recalls_total", "Questions to the host's memory", ["way"])


class Memories:
    """The memory of one character. ``embedder`` is optional; without it, or while it fails, words are compared."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        character: UUID,
        *,
        embedder: Embedder | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._character = character
        self._embedder = embedder
        self._limits = limits or Limits()
        self._has_english = True

    async def recall(self, text: str, *, about: UUID | None, limit: int) -> Sequence[str]:
        """What fits a text, the most fitting first: of this person and of the campaign, never of anybody else."""
        return [memory.text for memory in await self.find(text, about=about, limit=limit)]

    async def find(self, text: str, *, about: UUID | None, limit: int) -> list[Stored]:
        """The same whole, and remembered as used."""
        now = self._clock.now()
        asked = wording.plain(text)[:QUERY_LENGTH_MAX]
        if not asked or limit < 1:
            return []
        async with self._engine.connect() as connection:
            way, found, least = await self._candidates(connection, asked, about, now)
        chosen = best(found, now, min(limit, RECALLED_MAX), relevance_min=least)
        RECALLED.labels(way).inc()
        if chosen:
            async with self._engine.begin() as connection:
                await repository.used(connection, [one.id for one in chosen], now)
        return chosen

    async def _candidates(
        self, connection: AsyncConnection, asked: str, about: UUID | None, now: Millis
    ) -> tuple[str, list[Candidate], float]:
        at_most = self._limits.person_max + self._limits.person_lines_max + self._limits.house_max
        if self._embedder is not None:
            try:
                (question,) = await self._embedder.embed([asked])
            except Unavailable as error:
                logger.warning("agent.no_embedding", error=error.message)
            else:
                rows = await repository.candidates(connection, self._character, about, now, at_most)
                found = _by_meaning(asked, question, rows, self._embedder.name)
                return "embedding", found, MEANING_MIN
        if self._has_english:
            try:
                async with connection.begin_nested():
                    ranked = await repository.by_words(
                        connection, self._character, about, sorted(with_others(words_asked(asked))), now, at_most
                    )
                return "full_text", [Candidate(memory, rank) for memory, rank in ranked], WORDS_MIN
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in _NO_ENGLISH:
                    raise
                logger.warning("agent.no_full_text", error=str(error.orig).splitlines()[0])
                self._has_english = False
        memories = [one for one, _, _ in await repository.candidates(connection, self._character, about, now, at_most)]
        near_by_words = overlap(asked, [memory.text for memory in memories])
        return (
            "keywords",
            [Candidate(one, near) for one, near in zip(memories, near_by_words, strict=True)],
            OVERLAP_MIN,
        )

    async def remember(self, memories: Sequence[NewMemory], *, cause: UUID | None = None) -> int:
        """Keep these, and forget what is too much; how many are new or told anew.

        Doing it again changes nothing. Raises InvalidInput for a text that holds an amount, is too long, or is nobody's.
        """
        for memory in memories:
            if not wording.fits(memory.text):
                raise InvalidInput("A memory has a text without amounts, and not a long one.", field="text")
            if memory.user is None and memory.subject is None:
                raise InvalidInput("A memory is about somebody or something.", field="user")
        if not memories:
            return 0
        vectors = await self._vectors([memory.text for memory in memories])
        name = self._embedder.name if self._embedder is not None else None
        now = self._clock.now()
        async with self._engine.begin() as connection:
            await repository.lock(connection, self._character)
            records = []
            for memory, vector in zip(memories, vectors, strict=True):
                done = await repository.save(connection, self._character, memory, vector, name, now)
                if done is not None:
                    records.append(self._event(done, memory.id(self._character), memory, now, cause or memory.event))
            kept = len(records)
            gone = await repository.forget_excess(
                connection, self._character, [memory.user for memory in memories], self._limits, now
            )
            records += [self._event("FORGOTTEN", one.id, one, now, cause) for one in gone]
            await log.append(connection, records)
        return kept

    async def heard(self, user: UUID, text: str, *, event: UUID) -> bool:
        """Keep a line that somebody said to the host for a day, for them alone; False when it is not one to be kept."""
        line = wording.said(text)
        if not wording.is_harmless(line) or len(line) > wording.SAID_LENGTH_MAX:
            return False
        expires = self._clock.now() + self._limits.line_life_ms
        memory = NewMemory(
            key=f"line/{event}", text=f"They said: “{line}”", importance=0.2, user=user, event=event, kind="SHORT_TERM", expires_at=expires
        )  # fmt: skip
        return await self.remember([memory]) > 0

    async def forget_expired(self) -> int:
        """Forget what has expired; how many."""
        now = self._clock.now()
        async with self._engine.begin() as connection:
            await repository.lock(connection, self._character)
            gone = await repository.forget_excess(connection, self._character, (), self._limits, now)
            await log.append(connection, [self._event("FORGOTTEN", one.id, one, now, None) for one in gone])
        return len(gone)

    async def remove(self, memory: UUID, actor: Actor, *, reason: str) -> None:
        """Have the staff take one out. Raises NotFound."""
        now = self._clock.now()
        async with self._engine.begin() as connection:
            gone = await repository.remove(connection, memory)
            if gone is None:
                raise NotFound("There is no memory with this id.")
            step = action(actor, "memory.forget", f"memory:{memory}", at=now, reason=reason)
            told = replace(self._event("FORGOTTEN", gone.id, gone, now, step.id), correlation_id=actor.correlation)
            await log.append(connection, [step, told])

    async def listing(self, *, user: UUID | None, after: UUID | None, limit: int) -> list[Stored]:
        """Memories by id, of one person where ``user`` is given."""
        async with self._engine.connect() as connection:
            return await repository.listing(connection, self._character, user=user, after=after, limit=limit)

    async def _vectors(self, texts: list[str]) -> list[list[float] | None]:
        if self._embedder is not None:
            try:
                return list(await self._embedder.embed(texts))
            except Unavailable as error:
                logger.warning("agent.no_embedding", error=error.message)
        return [None] * len(texts)

    def _event(self, done: str, memory: UUID, about: NewMemory | Stored, now: Millis, cause: UUID | None) -> log.Record:
        data = {
            "memory": str(memory),
            "action": done,
            "kind": about.kind,
            "user": None if about.user is None else str(about.user),
            "subject": about.subject,
            "importance": round(about.importance, 3),
            "provenance": None if about.event is None else str(about.event),
        }
        return log.event(
            "agent:memory:update", f"agent:{self._character}", data, at=now, source=Source.AGENT_SERVICE, causation_id=cause
        )  # fmt: skip


def _by_meaning(
    asked: str, question: Sequence[float], rows: Sequence[tuple[Stored, list[float] | None, str | None]], model: str
) -> list[Candidate]:
    """How near each memory is to a question; those that were kept while the model was away by their words."""
    read = [(memory, vector) for memory, vector, by in rows if vector is not None and by == model]
    unread = [memory for memory, vector, by in rows if vector is None or by != model]
    near = (
        np.array([vector for _, vector in read], dtype=np.float32).reshape(len(read), -1)
        @ np.array(question, dtype=np.float32)
        if read
        else np.zeros(0, dtype=np.float32)
    )
    by_words = overlap(asked, [memory.text for memory in unread])
    found = [Candidate(memory, max(0.0, float(value))) for (memory, _), value in zip(read, near, strict=True)]
    return found + [Candidate(memory, value) for memory, value in zip(unread, by_words, strict=True)]
