"""The agent-service: hears what happens, decides what is worth saying, and says it. It changes nothing of the auction.

One process at a time speaks for a character; another waits for its lock. Whatever fails here, the auction and the
stream go on without a host.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from msgspec import Struct
from msgspec.structs import replace
from prometheus_client import Counter, Gauge
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais import ids
from sothebais.agent import characters, context, feelings, happenings, intents, records
from sothebais.agent.character import persona
from sothebais.agent.context import Mind
from sothebais.agent.facts import HouseFacts
from sothebais.agent.feelings import History
from sothebais.agent.intents import Watch
from sothebais.agent.manners import Manners
from sothebais.agent.model import Facts, Heard, Seen, SpeechIntent
from sothebais.agent.mood import MoodState, Stimulus, decayed, react
from sothebais.agent.on_air import OnAir
from sothebais.agent.ports import Ask, Remembrance
from sothebais.agent.presence import Presence, auction_context
from sothebais.agent.queue import SpeechQueue
from sothebais.agent.repository import StoredCharacter
from sothebais.agent.steering import Steering
from sothebais.agent.voice.fallback import VoiceChain
from sothebais.agent.words import Writer
from sothebais.catalog.assets import AssetStore
from sothebais.clock import Clock
from sothebais.db.engine import CONNECTION_ERRORS, connect
from sothebais.errors import SothebaisError, Unavailable
from sothebais.events import log as events
from sothebais.events.cursors import LoggedEvent
from sothebais.events.tail import Tail
from sothebais.events.types import parse_event
from sothebais.instants import Millis
from sothebais.state.store import StateStore

log = structlog.get_logger(__name__)

DROPPED = Gauge("sothebais_agent_dropped_intents", "Things that were never said, by reason", ["reason"])
WAITING = Gauge("sothebais_agent_waiting_intents", "Things the host has yet to say")
BLOCKED = Counter("sothebais_agent_blocked_total", "Wordings that a guard refused", ["guard"])
REPLIES = Counter("sothebais_agent_heard_total", "Lines of people that reached the host", ["answered"])

ACTIVE_LOCK: Final = 0x6167656E742D7365
LOOK_S: Final = 1.0
AWAY_S: Final = 0.5
TICK_S: Final = 1.0
#: Lines of the conversation that a writer is told of, and lines of its own that it should not repeat.
BEFORE_MAX: Final = 12
SAID_MAX: Final = 12
#: What everybody said lately, as ``agent:context`` has it.
#: What the log says of somebody who wants to be forgotten.
ERASED: Final = "user.erase"
MEMORIES_MAX: Final = 6
#: Happenings older than this when they are read are not spoken of.
STALE_MS: Final = 8_000
#: How the mood colours the voice.
_PACE: Final = {"EXCITED": 1.08, "HAPPY": 1.03, "SURPRISED": 1.05, "CONCERNED": 0.97, "DISAPPOINTED": 0.94}
_LOG_ERRORS: Final = (DBAPIError, PoolTimeout, OSError)


class RoomLine(Struct, frozen=True):
    """What somebody wrote in a lot's room."""

    message: UUID
    auction: UUID
    user: UUID
    handle: str
    text: str


class Room(Protocol):
    """The chat of the lots' rooms."""

    async def line(self, message: UUID) -> RoomLine | None:
        """A line of a person; none when it is gone, hidden, or the host's own. Raises Unavailable."""

    async def say(self, auction: UUID, text: str) -> None:
        """The host's answer in a room. Raises a SothebaisError when the room does not take it."""


@dataclass(frozen=True)
class Parts:
    """What the agent-service is made of; ``bootstrap`` fills it."""

    clock: Clock
    engine: AsyncEngine
    dsn: str
    store: StateStore
    assets: AssetStore
    writer: Writer
    voice: VoiceChain
    room: Room
    recall: Remembrance | None


class HostSession:
    """``run`` it until cancelled."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._clock = parts, parts.clock
        self.facts = HouseFacts(parts.engine, parts.clock)
        self.queue = SpeechQueue()
        self.manners = Manners()
        self.watch = Watch()
        self.mood = MoodState()
        #: Whether this process is the one that speaks.
        self.active = False
        self.character: StoredCharacter | None = None
        self._history = History()
        self._steering = Steering(parts.engine)
        self._on_air: OnAir | None = None
        self._presence: Presence | None = None
        self._mind = Mind()
        self._said: deque[str] = deque(maxlen=SAID_MAX)
        self._lot_n = 0
        self._ordered: deque[tuple[UUID, str, Millis]] = deque()
        self._caused: dict[UUID, Millis] = {}
        self._wake = asyncio.Event()
        self._saying: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Speak while this process holds the character's lock."""
        starting = asyncio.create_task(self._parts.voice.start())
        try:
            while True:
                connection = None
                try:
                    connection = await connect(self._parts.dsn, name="agent-lock")
                    await self._hold(connection)
                except (*CONNECTION_ERRORS, *_LOG_ERRORS, Unavailable) as error:
                    log.warning("agent.waits_for_database", error=str(error))
                finally:
                    self.active = False
                    if connection is not None:
                        connection.terminate()
                await self._clock.sleep(AWAY_S)
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            if self._presence is not None:
                await self._presence.leave(self._clock.now())
            await self._parts.voice.close()

    async def _hold(self, connection: Any) -> None:
        if not await connection.fetchval("select pg_try_advisory_lock($1)", ACTIVE_LOCK):
            await self._clock.sleep(LOOK_S)
            return
        self.active = True
        await self._enter()
        tail = Tail(self._parts.dsn, "agent-tail", self._clock, self._take)
        work = [asyncio.create_task(one()) for one in (tail.run, self._tick, self._speak)]
        try:
            while True:
                await self._clock.sleep(LOOK_S)
                await connection.execute("select 1")
                for task in work:
                    if task.done():
                        task.result()
        finally:
            for task in (*work, *([self._saying] if self._saying is not None else [])):
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _enter(self) -> None:
        """Learn who one is and what is on."""
        parts = self._parts
        self.character = stored = await characters.present(parts.engine)
        self.facts.host = stored.character.name
        await self._steering.learn()
        self._on_air = OnAir(parts.engine, parts.assets, parts.voice, self._clock, stored.id)
        self._presence = Presence(parts.engine, parts.store, self._clock, stored)
        now = self._clock.now()
        lot = await self.facts.lot_on()
        self.watch = Watch(lot=lot, last_event_at=now, last_chatter_at=now)
        self._history = History(lot=lot, last_at=now)
        self.mood = MoodState(at=now, since=now)
        await self._show(await self._facts())
        log.info("agent.on_duty", character=stored.character.name, version=stored.version)

    # what happens

    async def _take(self, batch: Sequence[LoggedEvent]) -> None:
        for event in batch:
            try:
                await self._take_one(event)
            except SothebaisError as error:
                # one that cannot be understood is passed over: the host is silent about it
                log.warning("agent.event_passed_over", event=str(event.id), type=event.type, reason=error.message)
        self._wake.set()

    async def _take_one(self, event: LoggedEvent) -> None:
        now = self._clock.now()
        if event.type.startswith("agent:"):
            self._take_order(event)
            return
        if event.type == "user:action":
            done = event.decoded()["action"]
            if done == ERASED:
                self._mind.forget(UUID(event.subject.removeprefix("user:")))
            if self._steering.take(done):
                await self._look_at_character()
        if event.type == "chat:message":
            await self._take_chat(event, now)
            return
        seen = happenings.seen(parse_event(event.message()))
        if event.n is not None and seen.lot in (None, self.watch.lot):
            self._lot_n = event.n
        await self._feel(seen, now)
        self.watch, found = intents.observe(self.watch, seen, now, ids.new_id)
        if now - event.timestamp > STALE_MS:
            return
        for intent in found:
            self._offer(intent, event.timestamp)

    def _take_order(self, event: LoggedEvent) -> None:
        """What an operator has the host say comes first, also while it is muted."""
        data = event.decoded()
        if event.type == "agent:memory:update" and data["action"] == "FORGOTTEN":
            self._mind.forget_memory(UUID(data["memory"]))
        if event.type != "agent:message":
            return
        if data.get("actor") is not None and data["place"] == "STREAM":
            self._ordered.append((event.id, data["text"], event.timestamp))

    async def _take_chat(self, event: LoggedEvent, now: Millis) -> None:
        data = event.decoded()
        if data.get("hidden"):
            self._mind.unhear(UUID(data["message"]))
            return
        line = await self._parts.room.line(UUID(data["message"]))
        if line is None or self.character is None:
            return
        name = self.character.character.name.casefold()
        by_name = name in line.text.casefold()
        if not by_name and line.auction != self.watch.lot:
            return
        if not by_name and "?" not in line.text:
            # people talk with each other; the host listens
            self._note(line, line.text, event.timestamp)
            return
        reception = self.manners.receive(line.text, line.user, now, by_name=by_name)
        answered = reception.silence is None
        REPLIES.labels(str(answered).lower()).inc()
        record = records.interaction(
            self.character.id,
            now,
            user=line.user,
            place="CHAT",
            message=line.message,
            kind=reception.understood.kind,
            sentiment=reception.understood.sentiment,
            answered=answered,
            reason=None if reception.silence is None else str(reception.silence),
        )
        async with self._parts.engine.begin() as connection:
            await events.append(connection, [record])
        self._history, felt = feelings.heard(self._history, line.user, reception.understood.kind, now)
        await self._move(felt, now)
        if answered:
            self._note(line, reception.text, event.timestamp)
            intent = intents.question(
                reception.text, line.user, now, ids.new_id, cause=event.id, lot=line.auction, place="CHAT"
            )
            self._offer(intent, event.timestamp)
            if self._parts.recall is not None:
                await self._parts.recall.heard(line.user, reception.text, event=event.id)

    def _note(self, line: RoomLine, text: str, at: Millis) -> None:
        self._mind.hear(context.Line(message=line.message, text=text, at=at, user=line.user, handle=line.handle))

    async def _look_at_character(self) -> None:
        stored = await characters.present(self._parts.engine)
        if self.character is None or (stored.id, stored.version) != (self.character.id, self.character.version):
            self.character = stored
            self.facts.host = stored.character.name
            if self._presence is not None:
                self._presence.character = stored
                await self._show(await self._facts())

    # time passes

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK_S)
            try:
                facts = await self._facts()
            except Unavailable:
                continue
            now = self._clock.now()
            self._history, felt = feelings.tick(self._history, facts.lot, now)
            await self._move(felt, now)
            self.watch, found = intents.tick(self.watch, facts, ids.new_id)
            for intent in found:
                self._offer(intent, intent.created_at)
            for reason, count in self.queue.dropped.items():
                DROPPED.labels(reason).set(count)
            WAITING.set(len(self.queue))
            await self._show(facts)

    async def _show(self, facts: Facts) -> None:
        if self._presence is None or self.character is None:
            return
        await self._presence.show(self.mood, facts, muted=self._steering.muted, speaking=self._saying is not None)
        auction = auction_context(facts, self._lot_n)
        await self._presence.remember(self._mind.state(self.character.id, auction, self._clock.now()))

    async def _facts(self) -> Facts:
        return await self.facts.facts(lot=self.watch.lot, asker=None)

    async def _feel(self, seen: Seen, now: Millis) -> None:
        self._history, felt = feelings.notice(self._history, seen)
        await self._move(felt, now)

    async def _move(self, felt: Sequence[Stimulus], now: Millis) -> None:
        mood = decayed(self.mood, now)
        for one in felt:
            mood = react(mood, one.trigger, now, one.scale)
        self.mood = mood
        if self._presence is not None:
            with contextlib.suppress(Unavailable):
                await self._presence.feel(mood, felt[-1] if felt else None, now)

    # speaking

    def _offer(self, intent: SpeechIntent, caused_at: Millis) -> None:
        if self._steering.muted and intent.place == "STREAM":
            return
        if self.queue.offer(intent, self._clock.now()):
            self._caused[intent.id] = caused_at
            while len(self._caused) > 4 * SAID_MAX:
                del self._caused[next(iter(self._caused))]
        self._wake.set()

    async def _speak(self) -> None:
        """One thing at a time; what is more important cuts off what is on air."""
        while True:
            self._wake.clear()
            now = self._clock.now()
            if self._saying is not None and self._saying.done():
                self._saying = None
                self.queue.finished(now)
            urgent = bool(self._ordered) or self.queue.interrupts(now)
            if self._saying is not None and urgent:
                self._saying.cancel()
                await asyncio.gather(self._saying, return_exceptions=True)
                self._saying = None
            if self._saying is None:
                self._begin(now)
            due = self.queue.due_at()
            pause = LOOK_S if due is None else max(0.01, min(LOOK_S, (due - now) / 1_000))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)

    def _begin(self, now: Millis) -> None:
        work = None
        if self._ordered:
            message, text, at = self._ordered.popleft()
            work = self._say_ordered(message, text, at)
        elif (intent := self.queue.take(now)) is not None:
            work = self._say(intent)
        if work is not None:
            self._saying = asyncio.create_task(self._guarded(work))
            self._saying.add_done_callback(lambda _: self._wake.set())

    async def _guarded(self, work: Any) -> None:
        try:
            await work
        except (*_LOG_ERRORS, SothebaisError) as error:
            log.warning("agent.line_not_said", error=f"{type(error).__name__}: {error}")

    async def _say_ordered(self, message: UUID, text: str, at: Millis) -> None:
        assert self._on_air is not None
        self._said.append(text)
        await self._on_air.speak(message, text, intent="NOTICE", caused_at=at)

    async def _say(self, intent: SpeechIntent) -> None:
        assert self._on_air is not None
        assert self.character is not None
        facts = await self.facts.facts(lot=intent.lot, asker=intent.addressee)
        ask = Ask(
            intent=intent,
            facts=facts,
            persona=persona(self.character.character),
            mood=self.mood.mood,
            intensity=self.mood.intensity,
            memories=await self._recalled(intent, facts),
            before=tuple(Heard(one.text, one.host) for one in self._mind.lines[-BEFORE_MAX:]),
            avoid=tuple(self._said),
        )
        line = await self._parts.writer.write(ask, lambda: self.facts.facts(lot=intent.lot, asker=intent.addressee))
        for guard in line.blocked:
            BLOCKED.labels(guard).inc()
        now = self._clock.now()
        if now >= intent.expires_at:
            # a slow model's line is no longer about now
            self.queue.dropped["EXPIRED"] += 1
            return
        self._said.append(line.template)
        self._mind.hear(context.Line(message=intent.id, text=line.text, at=now, host=True))
        self._on_air.pace = _PACE.get(self.mood.mood, 1.0)
        if intent.place == "CHAT" and intent.lot is not None:
            await self._answer_in_room(intent.lot, line.text)
        if self._steering.muted:
            return
        spoken = replace(line, intent=replace(intent, place="STREAM"))
        caused_at = self._caused.pop(intent.id, intent.created_at)
        await self._on_air.say(spoken, mood=self.mood.mood, caused_at=caused_at)

    async def _answer_in_room(self, auction: UUID, text: str) -> None:
        try:
            await self._parts.room.say(auction, text)
        except SothebaisError as error:
            log.info("agent.room_did_not_take_it", reason=error.message)

    async def _recalled(self, intent: SpeechIntent, facts: Facts) -> tuple[str, ...]:
        if self._parts.recall is None:
            return ()
        about = intent.heard or (facts.lot.title if facts.lot is not None else facts.campaign)
        try:
            found = await self._parts.recall.find(about, about=intent.addressee, limit=MEMORIES_MAX)
        except SothebaisError:
            return ()
        self._mind.recalled(one.id for one in found)
        return tuple(one.text for one in found)
