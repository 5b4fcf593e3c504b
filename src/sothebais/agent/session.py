"""The agent-service: hears what happens, decides what is worth saying, and says it. It changes nothing of the auction.

One process at a time speaks for a character; another waits for its lock. Whatever fails here, the auction and the
stream go on without a host.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais import ids
from sothebais.agent import characters, context, feelings, happenings, intents, opt_outs, records
from sothebais.agent.context import Mind
from sothebais.agent.facts import HouseFacts
from sothebais.agent.feelings import History
from sothebais.agent.intents import Watch
from sothebais.agent.manners import Manners, Silence
from sothebais.agent.model import Facts
from sothebais.agent.mood import MoodState, Stimulus, decayed, react
from sothebais.agent.on_air import OnAir
from sothebais.agent.ports import Remembrance
from sothebais.agent.presence import Presence, auction_context
from sothebais.agent.queue import SpeechQueue
from sothebais.agent.repository import StoredCharacter
from sothebais.agent.rooms import Room, RoomLine
from sothebais.agent.speaker import Order, Speaker
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
REPLIES = Counter("sothebais_agent_heard_total", "Lines of people that reached the host", ["answered"])

ACTIVE_LOCK: Final = 0x6167656E742D7365
LOOK_S: Final = 1.0
AWAY_S: Final = 0.5
TICK_S: Final = 1.0
#: What the log says of somebody who wants to be forgotten.
ERASED: Final = "user.erase"
#: Happenings older than this when they are read are not spoken of.
STALE_MS: Final = 8_000
#: Lines of a room that wait to be read; of a room that is faster the oldest are passed over.
LINES_WAITING_MAX: Final = 200
#: A line that was written so long ago is not answered any more.
LINE_STALE_MS: Final = 30_000
#: The voice has so long to get ready before something is said without it.
VOICE_PATIENCE_S: Final = 10.0
_LOG_ERRORS: Final = (DBAPIError, PoolTimeout, OSError)


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
        self.manners = Manners()
        self.watch = Watch()
        self.mood = MoodState()
        #: Whether this process is the one that speaks.
        self.active = False
        self.character: StoredCharacter | None = None
        self._history = History()
        self._steering = Steering(parts.engine)
        self._presence: Presence | None = None
        self._mind = Mind()
        self._lot_n = 0
        self._lines: deque[LoggedEvent] = deque(maxlen=LINES_WAITING_MAX)
        self._lines_wait = asyncio.Event()
        self._voice_is_there = asyncio.Event()
        self._tail: Tail | None = None
        self._off_at: Millis = 0
        self.speaker = Speaker(
            clock=parts.clock,
            engine=parts.engine,
            writer=parts.writer,
            facts=self.facts,
            room=parts.room,
            recall=parts.recall,
            steering=self._steering,
            mind=self._mind,
            lot=lambda: self.watch.lot,
            mood=lambda: self.mood,
        )

    @property
    def queue(self) -> SpeechQueue:
        """What there is to say."""
        return self.speaker.queue

    @property
    def reading(self) -> bool:
        """Whether it hears what happens."""
        return self.active and self._tail is not None and self._tail.connected

    async def run(self) -> None:
        """Speak while this process holds the character's lock."""
        starting = asyncio.create_task(self._start_voice())
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

    async def _start_voice(self) -> None:
        try:
            await self._parts.voice.start()
        finally:
            self._voice_is_there.set()

    async def _hold(self, connection: Any) -> None:
        if not await connection.fetchval("select pg_try_advisory_lock($1)", ACTIVE_LOCK):
            await self._clock.sleep(LOOK_S)
            return
        self.active = True
        await self._enter()
        tail = self._tail
        if tail is None or self._clock.now() - self._off_at > STALE_MS:
            # what happened while another spoke, or nobody did, is not told again
            tail = self._tail = Tail(self._parts.dsn, "agent-tail", self._clock, self._take)
        work = [asyncio.create_task(one()) for one in (tail.run, self._tick, self._listen, self._speak)]
        try:
            while True:
                await self._clock.sleep(LOOK_S)
                await connection.execute("select 1")
                for task in work:
                    if task.done():
                        task.result()
        finally:
            self._off_at = self._clock.now()
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _speak(self) -> None:
        """The first words wait for the voice, which takes a moment to load."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._voice_is_there.wait(), VOICE_PATIENCE_S)
        await self.speaker.run()

    async def _enter(self) -> None:
        """Learn who one is and what is on."""
        parts = self._parts
        self.character = stored = await characters.present(parts.engine)
        self.facts.host = stored.character.name
        await self._steering.learn()
        self.speaker.character = stored.character
        self.speaker.on_air = OnAir(parts.engine, parts.assets, parts.voice, self._clock, stored.id)
        if self._presence is None or self._presence.character.id != stored.id:
            self._presence = Presence(parts.engine, parts.store, self._clock, stored)
        now = self._clock.now()
        lot = await self.facts.lot_on()
        if lot != self.watch.lot or not self.watch.last_event_at:
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
                log.warning("agent.event_passed_over", event_id=str(event.id), type=event.type, reason=error.message)
        self.speaker.wake()

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
                await self._show(await self._facts())
        if event.type == "chat:message":
            # people may write faster than they can be read; the auction does not wait for that
            self._lines.append(event)
            self._lines_wait.set()
            return
        seen = happenings.seen(parse_event(event.message()))
        if event.n is not None and seen.lot in (None, self.watch.lot):
            self._lot_n = event.n
        self._history, felt = feelings.notice(self._history, seen)
        self._feel(felt, now)
        self.watch, found = intents.observe(self.watch, seen, now, ids.new_id)
        if now - event.timestamp <= STALE_MS:
            for intent in found:
                self.speaker.offer(intent, event.timestamp)
        await self._tell_mood(felt, now)

    def _take_order(self, event: LoggedEvent) -> None:
        """What an operator has the host say comes first, also while it is muted."""
        data = event.decoded()
        if event.type == "agent:memory:update" and data["action"] == "FORGOTTEN":
            self._mind.forget_memory(UUID(data["memory"]))
        if event.type != "agent:message":
            return
        if data.get("actor") is not None and data["place"] == "STREAM":
            self.speaker.order(Order(event.id, data["text"], event.timestamp))

    async def _listen(self) -> None:
        """Read what people write, line by line."""
        while True:
            self._lines_wait.clear()
            while self._lines:
                event = self._lines.popleft()
                try:
                    await self._hear(event, self._clock.now())
                except SothebaisError as error:
                    log.warning("agent.line_passed_over", event_id=str(event.id), reason=error.message)
            await self._lines_wait.wait()

    async def _hear(self, event: LoggedEvent, now: Millis) -> None:
        data = event.decoded()
        if data.get("hidden"):
            self._mind.unhear(UUID(data["message"]))
            return
        line = await self._parts.room.line(UUID(data["message"]))
        if line is None or self.character is None or now - event.timestamp > LINE_STALE_MS:
            return
        name = self.character.character.name.casefold()
        by_name = name in line.text.casefold()
        if not by_name and line.auction != self.watch.lot:
            return
        if not by_name and "?" not in line.text:
            # people talk with each other; the host listens
            self._note(line, line.text, event.timestamp)
            return
        async with self._parts.engine.connect() as connection:
            left_alone = await opt_outs.left_alone(connection, line.user)
        reception = self.manners.receive(line.text, line.user, now, left_alone=left_alone, by_name=by_name)
        silence = reception.silence or (Silence.BUSY if self.speaker.busy else None)
        answered = silence is None
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
            reason=None if silence is None else str(silence),
        )
        async with self._parts.engine.begin() as connection:
            if reception.left_alone != left_alone:
                await opt_outs.store(connection, line.user, alone=reception.left_alone)
            await events.append(connection, [record])
        self._history, felt = feelings.heard(self._history, line.user, reception.understood.kind, now)
        self._feel(felt, now)
        if answered:
            self._note(line, reception.text, event.timestamp)
            intent = intents.question(
                reception.text, line.user, now, ids.new_id, cause=event.id, lot=line.auction, place="CHAT"
            )
            self.speaker.answer(intent, event.timestamp)
            if self._parts.recall is not None:
                await self._parts.recall.heard(line.user, reception.text, event=event.id)
        await self._tell_mood(felt, now)

    def _note(self, line: RoomLine, text: str, at: Millis) -> None:
        self._mind.hear(context.Line(message=line.message, text=text, at=at, user=line.user, handle=line.handle))

    async def _look_at_character(self) -> None:
        stored = await characters.present(self._parts.engine)
        if self.character is None or (stored.id, stored.version) != (self.character.id, self.character.version):
            self.character = stored
            self.facts.host = stored.character.name
            self.speaker.character = stored.character
            if self.speaker.on_air is not None:
                self.speaker.on_air.agent = stored.id
            if self._presence is not None:
                self._presence.character = stored

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
            self._feel(felt, now)
            self.watch, found = intents.tick(self.watch, facts, ids.new_id)
            for intent in found:
                self.speaker.offer(intent, intent.created_at)
            await self._tell_mood(felt, now)
            for reason, count in self.queue.dropped.items():
                DROPPED.labels(reason).set(count)
            WAITING.set(len(self.queue))
            await self._show(facts)

    async def _show(self, facts: Facts) -> None:
        if self._presence is None or self.character is None:
            return
        await self._presence.show(self.mood, facts, muted=self._steering.muted, speaking=self.speaker.speaking)
        auction = auction_context(facts, self._lot_n)
        await self._presence.remember(self._mind.state(self.character.id, auction, self._clock.now()))

    async def _facts(self) -> Facts:
        return await self.facts.facts(lot=self.watch.lot, asker=None)

    def _feel(self, felt: Sequence[Stimulus], now: Millis) -> None:
        mood = decayed(self.mood, now)
        for one in felt:
            mood = react(mood, one.trigger, now, one.scale)
        self.mood = mood

    async def _tell_mood(self, felt: Sequence[Stimulus], now: Millis) -> None:
        if self._presence is not None:
            with contextlib.suppress(Unavailable):
                await self._presence.feel(self.mood, felt[-1] if felt else None, now)
