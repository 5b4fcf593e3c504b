"""Follows the log for the picture: a snapshot, then every event, then the next state.

NOTIFY and Redis only wake it. When PostgreSQL goes away the clock of the show runs on with what is known, and
``healthy`` says that nothing new is: whoever shows it must tell the truth then.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct
from redis.exceptions import RedisError

from sothebais.clock import Clock, DatabaseTime, Millis
from sothebais.db.engine import CONNECTION_ERRORS, connect
from sothebais.errors import Unavailable
from sothebais.events import cursors
from sothebais.events.actions import CHARACTER_CHANGED
from sothebais.events.log import DOORBELL, Position
from sothebais.state.keys import Channel
from sothebais.state.store import StateStore
from sothebais.stream import snapshot
from sothebais.stream.chronicle import Chronicle, Gap
from sothebais.stream.facts import Told
from sothebais.stream.lot_course import people_of
from sothebais.stream.show import ShowState
from sothebais.stream.snapshot import House

log = structlog.get_logger(__name__)

#: What the picture says of the house, as of now. Raises Unavailable.
type HouseNow = Callable[[], Awaitable[House]]

READ_ROWS_MAX: Final = 500
#: It looks by itself after so long, whether anybody woke it or not.
LOOK_AGAIN_S: Final = 0.25
#: Something stands in the log and may not be read yet: it looks again after so long, then twice as long each time.
HELD_UP_S: Final = 0.01
#: No more often than this; what comes meanwhile is one reading.
READ_EVERY_S: Final = 0.005
RECONNECT_S: Final = 0.1
RECONNECT_S_MAX: Final = 2.0
SET_CLOCK_EVERY_S: Final = 10.0
#: Nothing read for longer than this is a silence that must be shown.
SILENT_S_MAX: Final = 2.0
#: Where nothing of the day is left to come, it looks for another one so often.
LOOK_FOR_DAY_S: Final = 5.0


class Change(Struct, frozen=True):
    """A state, the log's position it is true at, and until when it holds without an event. Told at ``at``."""

    state: ShowState
    position: str
    until: Millis
    at: Millis = 0
    #: The lot that is on.
    auction: UUID | None = None


class Follower:
    """``start`` it; it calls ``on_change`` with each new state, and ``changes`` yields the newest.
    ``on_told`` hears every event once, before the state that follows from it.

    ``day`` is the campaign day to follow; without it the one that is on or comes next, again and again. ``house`` says
    what the picture says of the house; it is asked with every snapshot, and one is taken when the character changes.
    """

    def __init__(
        self,
        dsn: str,
        store: StateStore | None = None,
        *,
        clock: Clock,
        house: HouseNow | None = None,
        day: UUID | None = None,
        on_change: Callable[[Change], None] | None = None,
        on_told: Callable[[Told], None] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._dsn, self._store, self._clock = dsn, store, clock
        self._ask_house = house
        self._house = House() if house is None else None
        self._day = day
        self._on_change = on_change
        self._on_told = on_told
        self._rng = rng or random.Random()  # noqa: S311 - jitter, nothing secret
        self._wake = asyncio.Event()
        self._told = asyncio.Event()
        self._changed = asyncio.Event()
        self._chronicle: Chronicle | None = None
        self._current: Change | None = None
        self._viewers: Told | None = None
        self._read_at = clock.monotonic()
        self._looked_at = float("-inf")
        self._tasks: list[asyncio.Task[None]] = []
        #: The house's time, which is PostgreSQL's.
        self.time = DatabaseTime(clock)
        #: Whether PostgreSQL answers.
        self.connected = False
        #: Snapshots taken so far.
        self.snapshots = 0

    @property
    def silent_for(self) -> float:
        """Seconds since the log was last read successfully."""
        return self._clock.monotonic() - self._read_at

    @property
    def healthy(self) -> bool:
        """Whether the state is as new as it should be."""
        return self._chronicle is not None and self.silent_for <= SILENT_S_MAX

    @property
    def current(self) -> Change | None:
        """The newest state; null before the first snapshot."""
        return self._current

    @property
    def day(self) -> UUID | None:
        """The campaign day that is followed."""
        return None if self._chronicle is None else self._chronicle.facts.day

    @property
    def artworks(self) -> Sequence[str]:
        """The assets the day's lots need, in their order."""
        return () if self._chronicle is None else self._chronicle.facts.artworks

    def start(self) -> None:
        """Begin, in the background. ``failed`` tells when that ended by a fault."""
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._tell())]
        if self._store is not None:
            self._tasks.append(asyncio.create_task(self._listen(self._store)))

    def failed(self) -> BaseException | None:
        """What ended it against its will."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                return task.exception()
        return None

    async def stop(self) -> None:
        """End it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def changes(self) -> AsyncIterator[Change]:
        """The newest state each time there is another; whoever is slow misses those in between."""
        seen: Change | None = None
        while True:
            changed = self._changed
            if self._current is not None and self._current is not seen:
                seen = self._current
                yield seen
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), 1.0)
            if (fault := self.failed()) is not None:
                raise fault

    # the log

    async def _follow(self) -> None:
        pause = RECONNECT_S
        while True:
            connection = None
            try:
                connection = await connect(self._dsn, name="stream-follower")
                await connection.add_listener(DOORBELL, lambda *_: self._wake.set())
                await self._read(connection)
            except (*CONNECTION_ERRORS, Unavailable) as error:
                # a reading since the last fault means a new fault
                pause = RECONNECT_S if self.connected else min(RECONNECT_S_MAX, pause * 2)
                log.warning("follower.waits_for_database", error=str(error), pause_s=round(pause, 2))
            finally:
                self.connected = False
                if connection is not None:
                    connection.terminate()
            await self._clock.sleep(pause * (0.5 + self._rng.random()))

    async def _read(self, connection: Any) -> None:
        set_at = float("-inf")
        held_up = HELD_UP_S
        while True:
            if self._clock.monotonic() - set_at >= SET_CLOCK_EVERY_S:
                set_at = self._clock.monotonic()
                sent = self._clock.now()
                self.time.observe(sent, await connection.fetchval("select clock_timestamp()"), self._clock.now())
            self._wake.clear()
            if self._chronicle is None:
                self._begin(await self._snapshot(connection))
            chronicle = self._chronicle
            assert chronicle is not None
            events = await cursors.read_after(connection, Position(*chronicle.place), limit=READ_ROWS_MAX)
            self.connected = True
            self._read_at = self._clock.monotonic()
            try:
                elsewhere = await self._apply(connection, chronicle, events)
                if any(event.type == "user:action" and _is_of_character(event) for event in events):
                    self._begin(await self._snapshot(connection))
                    continue
            except Gap as gap:
                log.warning("follower.gap", reason=str(gap))
                self._begin(await self._snapshot(connection))
                continue
            await self._look_for_day(connection, chronicle, elsewhere)
            if events:
                held_up = HELD_UP_S
            if len(events) < READ_ROWS_MAX:
                pause = LOOK_AGAIN_S
                if await cursors.is_waiting(connection, Position(*chronicle.place)):
                    # an older transaction is still open, and its end rings no bell
                    pause, held_up = held_up, min(LOOK_AGAIN_S, held_up * 2)
                await self._clock.sleep(READ_EVERY_S)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause)

    async def _snapshot(self, connection: Any) -> Chronicle:
        if self._ask_house is not None:
            try:
                self._house = await self._ask_house()
            except Unavailable as error:
                # without an answer so far the picture would say nothing of where to bid: it waits for one
                if self._house is None:
                    raise
                log.warning("follower.house_unknown", error=error.message)
        assert self._house is not None
        facts = await snapshot.present(connection, self._day, self._house, choose=True)
        chronicle = Chronicle(facts)
        if self._viewers is not None:
            chronicle.apply(self._viewers)
        self.snapshots += 1
        return chronicle

    def _begin(self, chronicle: Chronicle) -> None:
        self._chronicle = chronicle
        self._told.set()

    async def _apply(self, connection: Any, chronicle: Chronicle, events: Sequence[cursors.LoggedEvent]) -> bool:
        """Take events; whether one of them may have made another day the one to follow."""
        told = [snapshot.told(event) for event in events]
        unknown = {user for one in told for user in people_of(one) if not chronicle.knows(user)}
        if unknown:
            chronicle.learn(await snapshot.names(connection, sorted(unknown)))
        changed = elsewhere = False
        for one in told:
            if self._on_told is not None:
                self._on_told(one)
            changed = chronicle.apply(one) or changed
            elsewhere = elsewhere or one.subject.startswith("campaign:")
        if changed or told:
            self._told.set()
        return elsewhere

    async def _look_for_day(self, connection: Any, chronicle: Chronicle, elsewhere: bool) -> None:
        if self._day is not None:
            return
        over = chronicle.stage in ("COMPLETED", "CANCELLED")
        if not elsewhere and not (over and self._clock.monotonic() - self._looked_at >= LOOK_FOR_DAY_S):
            return
        self._looked_at = self._clock.monotonic()
        if await snapshot.day_on(connection) != chronicle.facts.day:
            self._begin(await self._snapshot(connection))

    # the states

    async def _tell(self) -> None:
        """Tell each state when it is due, by an event or by time; PostgreSQL is not needed for that."""
        while True:
            self._told.clear()
            pause = LOOK_AGAIN_S
            if self._chronicle is not None:
                now = self.time.now()
                moment = self._chronicle.moment(now)
                position = ".".join(map(str, self._chronicle.place))
                before = self._current
                if before is None or before.state is not moment.state or before.position != position:
                    self._current = change = Change(moment.state, position, moment.until, now, self._chronicle.auction)
                    self._changed.set()
                    self._changed = asyncio.Event()
                    if self._on_change is not None:
                        self._on_change(change)
                pause = min(pause, max(0.001, (moment.until - now) / 1000))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), pause)

    # the messengers

    async def _listen(self, store: StateStore) -> None:
        """Be woken by what the relay publishes, and hear how many watch; without Redis the log is read all the same."""
        silent = False
        while True:
            try:
                async with store.subscription() as subscription:
                    await subscription.subscribe(*Channel)
                    silent = False
                    async for message in subscription.listen():
                        if message["type"] == "message":
                            self._wake.set()
                            self._hear(message["data"])
            except (RedisError, OSError, TimeoutError) as error:
                if not silent:
                    log.warning("follower.waits_for_redis", error=type(error).__name__)
                silent = True
            await self._clock.sleep(LOOK_AGAIN_S)

    def _hear(self, message: bytes | str) -> None:
        text = message if isinstance(message, bytes) else message.encode()
        if b'"stream:viewers"' not in text:
            return
        try:
            event = msgspec.json.decode(text)
            viewers = event["data"]["viewers"], event["data"]["origin"]
            heard = Told(
                id=UUID(event["id"]),
                place=None,
                n=None,
                at=event["timestamp"],
                type=event["type"],
                subject=event["subject"],
                data={"viewers": int(viewers[0]), "origin": viewers[1]},
            )
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            log.warning("follower.unreadable_reading")
            return
        if heard.type == "stream:viewers" and heard.data["origin"] == "TOTAL":
            self._viewers = heard
            if self._chronicle is not None and self._chronicle.apply(heard):
                self._told.set()


def _is_of_character(event: cursors.LoggedEvent) -> bool:
    return bool(event.decoded()["action"] == CHARACTER_CHANGED)
