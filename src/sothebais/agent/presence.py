"""How the host is, for everybody: its Redis states (``agent:*``) and the events of its moods. Only the agent-service
writes them. What moved the mood is told with it.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais import money
from sothebais.agent import records
from sothebais.agent.character import Look, look
from sothebais.agent.model import Facts, LotStatus
from sothebais.agent.mood import MoodState, Stimulus, worth_telling
from sothebais.agent.repository import StoredCharacter
from sothebais.clock import Clock
from sothebais.errors import Unavailable
from sothebais.events import log as events
from sothebais.instants import Millis
from sothebais.state import keys, models
from sothebais.state.store import StateStore, Write

log = structlog.get_logger(__name__)

TRIGGERS_MAX: Final = 20
DAY_S: Final = keys.DAY_S
_STATUSES: Final = {LotStatus.SOLD: "ENDED", LotStatus.PASSED: "ENDED"}


class Presence:
    """The host as others see it."""

    def __init__(self, engine: AsyncEngine, store: StateStore, clock: Clock, character: StoredCharacter) -> None:
        self._engine, self._store, self._clock = engine, store, clock
        self.character = character
        self._told = MoodState()
        self._look: Look | None = None
        self._look_at: Millis = 0
        self._triggers: deque[models.MoodTrigger] = deque(maxlen=TRIGGERS_MAX)
        self._turn = asyncio.Lock()
        self._silent = False

    async def feel(self, mood: MoodState, by: Stimulus | None, now: Millis) -> None:
        """Tell of a mood, if it is another or clearly stronger; how the host looks then goes with it."""
        if by is not None:
            self._triggers.appendleft(models.MoodTrigger(what=by.trigger, event=by.cause, at=now))
        if not worth_telling(self._told, mood):
            return
        before, self._told = self._told, mood
        agent, cause = self.character.id, None if by is None else by.cause
        told = [
            records.event(
                agent,
                "agent:mood",
                {
                    "mood": mood.mood,
                    "intensity": mood.intensity,
                    "previous_mood": before.mood,
                    "previous_intensity": before.intensity,
                    "trigger": "TIME" if by is None else str(by.trigger),
                },
                now,
                cause=cause,
            )
        ]
        wanted = look(self.character.character, mood.mood)
        if wanted != self._look:
            self._look, self._look_at = wanted, now
            told.append(
                records.event(
                    agent,
                    "agent:asset:request",
                    {
                        "expression": wanted.expression,
                        "background": wanted.background,
                        "props": list(wanted.props),
                        "mood": mood.mood,
                    },
                    now,
                    cause=cause,
                )
            )
        try:
            async with self._engine.begin() as connection:
                await events.append(connection, told)
        except (DBAPIError, PoolTimeout, OSError) as error:
            # a mood that nobody heard of is told with the next one
            self._told = before
            log.warning("agent.mood_not_told", error=type(error).__name__)

    async def show(self, mood: MoodState, facts: Facts, *, muted: bool, speaking: bool = False) -> None:
        """Write the states; without Redis nobody sees them, and nothing else is wrong."""
        now, agent = self._clock.now(), self.character.id
        wanted = self._look or look(self.character.character, mood.mood)
        status: models.AgentStatus = "MUTED" if muted else "SPEAKING" if speaking else "LISTENING"
        lot = facts.lot
        writes = {
            keys.agent(agent): models.AgentState(
                id=agent,
                status=status,
                character=agent,
                name=self.character.character.name,
                stream=None,
                auction=None if lot is None else lot.id,
                at=now,
            ),
            keys.agent_mood(agent): models.AgentMoodState(
                id=agent,
                mood=mood.mood,
                intensity=mood.intensity,
                previous_mood=mood.previous,
                triggers=tuple(self._triggers),
                since=mood.since,
            ),
            keys.agent_scene(agent): models.AgentSceneState(
                id=agent,
                expression=wanted.expression,
                background=wanted.background,
                props=wanted.props,
                changed_at=self._look_at,
            ),
        }
        await self._write(writes)

    async def leave(self, now: Millis) -> None:
        """The host is off duty."""
        agent = self.character.id
        gone = models.AgentState(
            id=agent,
            status="OFFLINE",
            character=agent,
            name=self.character.character.name,
            stream=None,
            auction=None,
            at=now,
        )
        await self._write({keys.agent(agent): gone})

    async def remember(self, context: models.AgentContextState) -> None:
        """What the host has in mind."""
        await self._write({keys.agent_context(self.character.id): context})

    async def _write(self, states: Mapping[str, models.State]) -> None:
        writes = [Write(key, 0, state.model_dump_json().encode(), DAY_S) for key, state in states.items()]
        try:
            async with self._turn:
                await self._store.force(writes)
            self._silent = False
        except Unavailable as error:
            if not self._silent:
                log.warning("agent.state_not_written", error=error.message)
            self._silent = True


def auction_context(facts: Facts, n: int) -> models.AuctionContext | None:
    """The lot that is on as ``agent:context`` has it."""
    lot = facts.lot
    if lot is None or lot.ends_at is None:
        return None
    status = _STATUSES.get(lot.status, str(lot.status))
    return models.AuctionContext.model_validate(
        {
            "auction": lot.id,
            "n": n,
            "status": status,
            "lot_number": lot.number,
            "title": lot.title,
            "currency": lot.currency,
            "price": None if lot.price is None else money.text(lot.price),
            "leader": lot.leader,
            "next_valid_amount": None if lot.next_valid is None else money.text(lot.next_valid),
            "bid_count": lot.bid_count,
            "reserve_met": lot.reserve_met,
            "ends_at": lot.ends_at,
        }
    )
