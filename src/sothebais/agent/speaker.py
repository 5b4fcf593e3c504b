"""From intents to what is said: one thing at a time, the most important first, and only while it is true."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final
from uuid import UUID

import structlog
from msgspec import Struct
from msgspec.structs import replace
from prometheus_client import Counter
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.agent import context, records
from sothebais.agent.character import Character, persona
from sothebais.agent.context import Mind
from sothebais.agent.model import Facts, Heard, Line, Moment, SpeechIntent
from sothebais.agent.mood import MoodState
from sothebais.agent.on_air import OnAir, Ready, Saying, parts_of
from sothebais.agent.ports import Ask, FactsSource, Remembrance
from sothebais.agent.queue import SpeechQueue
from sothebais.agent.rooms import Room
from sothebais.agent.steering import Steering
from sothebais.agent.words import Writer
from sothebais.clock import Clock
from sothebais.errors import SothebaisError
from sothebais.events import log as events
from sothebais.instants import Millis

log = structlog.get_logger(__name__)

BLOCKED = Counter("sothebais_agent_blocked_total", "Wordings that a guard refused", ["guard"])

LOOK_S: Final = 1.0
DUE_S_MIN: Final = 0.01
#: Lines of the conversation that a writer is told of, and lines of its own that it should not repeat.
BEFORE_MAX: Final = 12
SAID_MAX: Final = 12
MEMORIES_MAX: Final = 6
#: What is said at once needs no memories: there is no time for them.
RECALL_PRIORITY_MAX: Final = 59
#: Operators' lines that wait, and how long one is still worth saying.
ORDERS_MAX: Final = 8
ORDER_LIFETIME_MS: Final = 30_000
#: People are answered in the rooms at once, so many at a time; the rest is not answered.
ANSWERS_AT_ONCE_MAX: Final = 4
#: What was answered in a room is said on air as well if there is time for it that soon.
ALOUD_MS_MAX: Final = 15_000
#: A line that is overtaken while its sound is made is filled again so often; then it is not said.
FILLINGS_MAX: Final = 4
#: Facts that were read so long ago are facts of now.
FRESH_S: Final = 0.05
CAUSES_MAX: Final = 64
#: How the mood colours the voice.
_PACE: Final = {"EXCITED": 1.08, "HAPPY": 1.03, "SURPRISED": 1.05, "CONCERNED": 0.97, "DISAPPOINTED": 0.94}
_LOG_ERRORS: Final = (DBAPIError, PoolTimeout, OSError)


class Order(Struct, frozen=True):
    """A line of an operator, word for word; its message stands in the log already."""

    message: UUID
    text: str
    at: Millis


class Speaker:
    """``run`` it while on duty. ``lot`` says which lot is on the wall, ``mood`` how the host feels."""

    def __init__(
        self,
        *,
        clock: Clock,
        engine: AsyncEngine,
        writer: Writer,
        facts: FactsSource,
        room: Room,
        recall: Remembrance | None,
        steering: Steering,
        mind: Mind,
        lot: Callable[[], UUID | None],
        mood: Callable[[], MoodState],
    ) -> None:
        self._clock, self._engine, self._writer, self._facts, self._room = clock, engine, writer, facts, room
        self._recall, self._steering, self._mind = recall, steering, mind
        self._lot, self._mood = lot, mood
        self.queue = SpeechQueue()
        self.character = Character(name="")
        self.on_air: OnAir | None = None
        self._said: deque[str] = deque(maxlen=SAID_MAX)
        self._orders: deque[Order] = deque()
        self._caused: dict[UUID, Millis] = {}
        self._wake = asyncio.Event()
        self._saying: asyncio.Task[None] | None = None
        self._answering: set[asyncio.Task[None]] = set()
        #: Answers that stand in a room and wait to be said on air.
        self._answers: dict[UUID, Line] = {}
        self._ordered = False
        #: What is being said is being heard, not only written.
        self._heard = False

    @property
    def speaking(self) -> bool:
        """Whether something is being said."""
        return self._saying is not None

    @property
    def busy(self) -> bool:
        """Whether as many people are being answered as may be."""
        return len(self._answering) >= ANSWERS_AT_ONCE_MAX

    def offer(self, intent: SpeechIntent, caused_at: Millis) -> None:
        """Something worth saying, unless the host is silenced."""
        if self._steering.muted:
            return
        if self.queue.offer(intent, self._clock.now()):
            self._caused[intent.id] = caused_at
            while len(self._caused) > CAUSES_MAX:
                del self._caused[next(iter(self._caused))]
        self._wake.set()

    def answer(self, intent: SpeechIntent, caused_at: Millis) -> bool:
        """Answer somebody in a room, and on air where there is time; False when too many are being answered."""
        if self.busy:
            self.queue.dropped["FULL"] += 1
            return False
        task = asyncio.create_task(self._guarded(self._answer(intent, caused_at)))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
        return True

    def order(self, order: Order) -> bool:
        """Say an operator's line next; False when too many wait, or it comes too late."""
        if len(self._orders) >= ORDERS_MAX or self._clock.now() - order.at > ORDER_LIFETIME_MS:
            log.warning("agent.order_not_taken", message=str(order.message))
            return False
        self._orders.append(order)
        self._wake.set()
        return True

    def wake(self) -> None:
        """Look again at what is to be said: something may have changed."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled; what is on air is then cut off."""
        try:
            while True:
                self._wake.clear()
                now = self._clock.now()
                if self._saying is not None and self._saying.done():
                    self._ended(self._saying)
                    self.queue.finished(now)
                if self._saying is not None and self._must_stop(now):
                    await self._cut(now)
                if self._saying is None:
                    self._begin(now)
                due = self.queue.due_at()
                pause = LOOK_S if due is None else max(DUE_S_MIN, min(LOOK_S, (due - now) / 1_000))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause)
        finally:
            work = [*self._answering, *([] if self._saying is None else [self._saying])]
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            if self._saying is not None:
                self._saying = None
                self.queue.finished(self._clock.now())

    def _must_stop(self, now: Millis) -> bool:
        if self._ordered:
            # operators' own lines are not cut off by anything
            return False
        return bool(self._orders) or self.queue.interrupts(now) or (self._steering.muted and self._heard)

    async def _cut(self, now: Millis) -> None:
        assert self._saying is not None
        self._saying.cancel()
        await asyncio.gather(self._saying, return_exceptions=True)
        self._saying = None
        if not self.queue.interrupts(now):
            self.queue.finished(now)

    def _ended(self, saying: "asyncio.Task[None]") -> None:
        self._saying = None
        error = None if saying.cancelled() else saying.exception()
        if error is not None:
            # one line is lost; the next is another
            log.error("agent.line_failed", exc_info=error)

    def _begin(self, now: Millis) -> None:
        work: Coroutine[Any, Any, None] | None = None
        self._ordered = bool(self._orders)
        self._heard = False
        if self._orders:
            work = self._say_ordered(self._orders.popleft())
        elif (intent := self.queue.take(now)) is not None:
            work = self._say(intent)
        if work is not None:
            self._saying = asyncio.create_task(self._guarded(work))
            self._saying.add_done_callback(lambda _: self._wake.set())

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except (*_LOG_ERRORS, SothebaisError) as error:
            log.warning("agent.line_not_said", error=f"{type(error).__name__}: {error}")

    async def _say_ordered(self, order: Order) -> None:
        assert self.on_air is not None
        self._said.append(order.text)
        self._mind.hear(context.Line(message=order.message, text=order.text, at=self._clock.now(), host=True))
        parts = parts_of(order.text)
        saying = Saying(message=order.message, text=order.text, parts=parts, intent="NOTICE", caused_at=order.at)
        await self.on_air.speak(saying, await self.on_air.prepare(parts[0]))

    async def _say(self, intent: SpeechIntent) -> None:
        if self._steering.muted:
            return
        caused_at = self._caused.pop(intent.id, intent.created_at)
        answered = self._answers.pop(intent.id, None)
        if answered is not None:
            await self._aloud(answered, self._clock.now(), caused_at)
            return
        line, filled_at = await self._written(intent)
        if self._is_late(intent):
            # a slow model's line is no longer about now
            return
        self._said.append(line.template)
        await self._aloud(line, filled_at, caused_at)

    async def _written(self, intent: SpeechIntent) -> tuple[Line, Millis]:
        """A line for an intent, and the instant of the facts it is filled with."""
        facts, memories = await asyncio.gather(self._facts_of(intent), self._recalled(intent))
        read_at = self._clock.monotonic()

        async def facts_now() -> Facts:
            return facts if self._clock.monotonic() - read_at < FRESH_S else await self._facts_of(intent)

        mood = self._mood()
        ask = Ask(
            intent=_of_now(intent, facts),
            facts=facts,
            persona=persona(self.character),
            mood=mood.mood,
            intensity=mood.intensity,
            memories=memories,
            before=tuple(Heard(one.text, one.host) for one in self._mind.lines[-BEFORE_MAX:]),
            avoid=tuple(self._said),
        )
        line = await self._writer.write(ask, facts_now)
        for guard in line.blocked:
            BLOCKED.labels(guard).inc()
        return line, facts.now

    async def _answer(self, intent: SpeechIntent, caused_at: Millis) -> None:
        assert self.on_air is not None
        assert intent.lot is not None
        line, _ = await self._written(intent)
        if self._is_late(intent):
            return
        self._said.append(line.template)
        try:
            await self._room.say(intent.lot, line.text)
        except SothebaisError as error:
            log.info("agent.room_did_not_take_it", reason=error.message)
            return
        now = self._clock.now()
        mood = self._mood().mood
        said = records.message(self.on_air.agent, line, now, place="CHAT", mood=mood, latency=now - caused_at)
        self._mind.hear(context.Line(message=said.id, text=line.text, at=now, host=True))
        async with self._engine.begin() as connection:
            await events.append(connection, [said])
        if intent.lot != self._lot():
            return
        aloud = replace(line.intent, place="STREAM", expires_at=now + ALOUD_MS_MAX)
        self._answers[aloud.id] = replace(line, intent=aloud)
        while len(self._answers) > CAUSES_MAX:
            del self._answers[next(iter(self._answers))]
        self.offer(aloud, caused_at)

    async def _aloud(self, line: Line, filled_at: Millis, caused_at: Millis) -> None:
        """Have a line heard, if it is as true when its sound is there as when it was written."""
        assert self.on_air is not None
        self._heard = True
        intent, mood = line.intent, self._mood().mood
        self.on_air.pace = _PACE.get(mood, 1.0)
        written_at = self._clock.now()
        parts = parts_of(line.text)
        first = await self.on_air.prepare(parts[0])
        for _ in range(FILLINGS_MAX):
            if self._is_late(intent):
                return
            newer = await self._refilled(line, filled_at)
            if newer is None:
                break
            line, parts = newer, parts_of(newer.text)
            if parts[0] == first.part:
                await self._heard_to_its_end(line, parts, first, filled_at, caused_at, written_at)
                return
            written_at = self._clock.now()
            first = await self.on_air.prepare(parts[0])
        self.queue.dropped["OVERTAKEN"] += 1

    async def _heard_to_its_end(
        self, line: Line, parts: tuple[str, ...], first: Ready, filled_at: Millis, caused_at: Millis, written_at: Millis
    ) -> None:
        assert self.on_air is not None
        intent = line.intent
        said = records.message(
            self.on_air.agent,
            line,
            self._clock.now(),
            place="STREAM",
            mood=self._mood().mood,
            latency=written_at - caused_at,
        )
        if intent.moment is not Moment.QUESTION:
            # an answer is in mind since it was written in the room
            self._mind.hear(context.Line(message=said.id, text=line.text, at=said.timestamp, host=True))

        async def holds(index: int) -> bool:
            newer = await self._refilled(line, filled_at)
            return newer is not None and parts_of(newer.text)[index : index + 1] == parts[index : index + 1]

        saying = Saying(message=said.id, text=line.text, parts=parts, intent=intent.kind, caused_at=caused_at)
        await self.on_air.speak(saying, first, told=[said], holds=holds)

    async def _refilled(self, line: Line, filled_at: Millis) -> Line | None:
        """The line with the facts of now; none when it is no longer true. Its clock is that of its first filling."""
        facts = await self._facts_of(line.intent)
        return self._writer.refill(line, replace(facts, now=filled_at))

    def _is_late(self, intent: SpeechIntent) -> bool:
        late = self._clock.now() >= intent.expires_at
        if late:
            self.queue.dropped["EXPIRED"] += 1
        return late

    async def _facts_of(self, intent: SpeechIntent) -> Facts:
        return await self._facts.facts(lot=intent.lot, asker=intent.addressee)

    async def _recalled(self, intent: SpeechIntent) -> tuple[str, ...]:
        if self._recall is None or intent.priority > RECALL_PRIORITY_MAX:
            return ()
        about = intent.heard or self._mind.topic(self._clock.now())
        if about is None:
            return ()
        try:
            found = await self._recall.find(about, about=intent.addressee, limit=MEMORIES_MAX)
        except SothebaisError:
            # the host does without
            return ()
        self._mind.recalled(one.id for one in found)
        return tuple(one.text for one in found)


def _of_now(intent: SpeechIntent, facts: Facts) -> SpeechIntent:
    """A lot whose opening had to wait has moved on: it is introduced as one that is running."""
    late = intent.moment is Moment.LOT_OPEN and facts.lot is not None and facts.lot.bid_count > 0
    return replace(intent, moment=Moment.LOT_RUNNING) if late else intent
