"""The auction engine: bids wait, one transaction decides all that waited, then everybody has an answer.

One batcher per process for all lots, on one connection of its own. Any number of processes may run it on the same
lots: what makes it right is in the database (``batch``), not here.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Container
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Counter, Gauge, Histogram

from sothebais.auctions import hotpath, pulse
from sothebais.auctions.answers import Answer, Result
from sothebais.auctions.batch import Batch, More
from sothebais.auctions.commands import AdvanceAuction, Command, OverrideAuction, PlaceBid
from sothebais.clock import Clock, DatabaseTime, Millis, SystemClock
from sothebais.db.engine import CONNECTION_ERRORS, connect
from sothebais.errors import OutcomeUnknown, Overloaded, SothebaisError, Unavailable
from sothebais.events.log import DOORBELL
from sothebais.telemetry.tracing import tracing

log = structlog.get_logger(__name__)

#: Bids that may wait for the next batch; the next one has its 503 at once.
BIDS_WAITING_MAX = 10_000
BATCH_BIDS_MAX = 1_000
#: A caller waits so long for its commit. Every lot's ``closing_grace`` is longer.
COMMIT_TIMEOUT_S = 1.5
RECONNECT_DELAY_S = 0.05
RECONNECT_DELAY_S_MAX = 1.0
#: How often the distance to PostgreSQL's clock is measured.
CLOCK_READING_S = 10.0
#: Rings of the doorbell are at least so far apart; the relay looks by itself every 250 ms anyway.
DOORBELL_S_MIN = 0.002
RETRY_AFTER_S = 1
#: An outage of bidding that is longer is given back to the running lots.
OUTAGE_EXTENDS_S = 5.0
_NEVER = (float("-inf"), float("-inf"))

BATCH_SIZE = Histogram("sothebais_engine_batch_bids", "Commands per commit", buckets=(1, 3, 10, 30, 100, 300, 1000))
COMMIT_SECONDS = Histogram(
    "sothebais_engine_commit_seconds",
    "From the start of a batch to its commit",
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1),
)
WAITING = Gauge("sothebais_engine_waiting", "Commands waiting for the next batch")
DECIDED = Counter("sothebais_engine_decided_total", "Bids decided", ["result"])
FAILED = Counter("sothebais_engine_failed_batches_total", "Batches that were not committed")
OUTAGES = Counter("sothebais_clock_outages_total", "Outages of bidding that were given back to running lots")
CLOCK_OFFSET = Gauge("sothebais_engine_clock_offset_ms", "PostgreSQL's clock minus this machine's")
CLOCK_ALARMS = Counter("sothebais_engine_clock_alarms_total", "Clock drift above the limit")


class Pending(NamedTuple):
    """A command and the caller that waits for it."""

    command: Command
    future: "asyncio.Future[Answer | None]"


class AuctionEngine:
    """Group commit of bids, operators' steps and the clock's.

    Nothing is decided by the times a lot had before an outage of bidding: they are moved first (``pulse``).
    ``start`` before use, ``stop`` finishes what is in hand. Raises from ``submit``: Overloaded, Unavailable (nothing
    was kept), OutcomeUnknown (try again with the same idempotency key), NotFound, InvalidInput, IdempotencyConflict,
    Conflict and its kin. A refused bid is an Answer like an accepted one.
    """

    def __init__(
        self,
        dsn: str,
        *,
        clock: Clock | None = None,
        bids_waiting_max: int = BIDS_WAITING_MAX,
        batch_bids_max: int = BATCH_BIDS_MAX,
        commit_timeout_s: float = COMMIT_TIMEOUT_S,
        outage_extends_s: float = OUTAGE_EXTENDS_S,
        name: str = "engine",
    ) -> None:
        self._dsn = dsn
        self._name = name
        self._clock = clock or SystemClock()
        self.time = DatabaseTime(self._clock)
        self._bids_waiting_max = bids_waiting_max
        self._batch_bids_max = batch_bids_max
        self._commit_timeout_s = commit_timeout_s
        self._outage_extends_ms = outage_extends_s * 1_000
        #: When bidding was last known to work, by this machine's two clocks.
        self._pulsed: tuple[float, float] = _NEVER
        #: Who has the connection: one batch at a time, or a look at the pulse.
        self._deciding = asyncio.Lock()
        self._waiting: deque[Pending] = deque()
        #: Who has no answer yet and until when they wait, in order; answered ones leave from the front.
        self._unanswered: deque[tuple[float, asyncio.Future[Answer | None]]] = deque()
        self._next_deadline: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._bell = asyncio.Event()
        self._cache = hotpath.TermsCache()
        self._connection: Any = None
        self._side: Any = None
        self._side_lock = asyncio.Lock()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Callable[[], None]] = []

    @property
    def connected(self) -> bool:
        """Whether bids can be decided at this moment."""
        return self._connection is not None and not self._connection.is_closed()

    def on_timing_changed(self, listener: Callable[[], None]) -> None:
        """Have ``listener`` called after a commit that changed when something is due."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Connect and begin. Raises Unavailable when PostgreSQL does not answer."""
        try:
            await self._connect()
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise Unavailable(f"PostgreSQL does not answer: {error}", retry_after=RETRY_AFTER_S) from error
        self._tasks = [
            asyncio.create_task(self._run(), name="engine-batcher"),
            asyncio.create_task(self._ring(), name="engine-doorbell"),
            asyncio.create_task(self._follow_clock(), name="engine-clock"),
        ]

    async def stop(self) -> None:
        """Take nothing new, decide what waits, close."""
        self._stopping = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), self._commit_timeout_s * 2)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._refuse_all(Unavailable("The house is closing this service.", retry_after=RETRY_AFTER_S))
        for connection in (self._connection, self._side):
            if connection is not None:
                connection.terminate()

    async def submit(self, command: Command) -> Answer | None:
        """Wait until the command is decided and committed; its answer (None for the clock's own)."""
        if self._stopping:
            raise Unavailable("The house is closing this service.", retry_after=RETRY_AFTER_S)
        if not self.connected:
            raise _unwritable()
        if len(self._waiting) >= self._bids_waiting_max:
            raise Overloaded("Too many bids are waiting. Nothing was kept.", retry_after=RETRY_AFTER_S)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer | None] = loop.create_future()
        self._waiting.append(Pending(command, future))
        deadline = loop.time() + self._commit_timeout_s
        self._unanswered.append((deadline, future))
        if self._next_deadline is None:
            self._next_deadline = loop.call_at(deadline, self._give_up)
        self._idle.clear()
        self._wake.set()
        return await future

    def _give_up(self) -> None:
        """Tell everybody whose time is up; one timer serves all, as everybody waits equally long."""
        loop = asyncio.get_running_loop()
        self._forget_answered()
        while self._unanswered and self._unanswered[0][0] <= loop.time():
            _answer(self._unanswered.popleft()[1], _unknown())
            self._forget_answered()
        self._next_deadline = loop.call_at(self._unanswered[0][0], self._give_up) if self._unanswered else None

    def _forget_answered(self) -> None:
        while self._unanswered and self._unanswered[0][1].done():
            self._unanswered.popleft()

    async def place(self, command: PlaceBid) -> Answer:
        """``submit`` for a bid."""
        return _answered(await self.submit(command))

    async def override(self, command: OverrideAuction) -> Answer:
        """``submit`` for an operator's step."""
        return _answered(await self.submit(command))

    async def advance(self, command: AdvanceAuction) -> None:
        """``submit`` for the clock."""
        await self.submit(command)

    async def _run(self) -> None:
        delay = RECONNECT_DELAY_S
        while True:
            if not self.connected:
                try:
                    await self._connect()
                    delay = RECONNECT_DELAY_S
                except CONNECTION_ERRORS as error:
                    log.warning("engine.reconnect_failed", error=str(error), again_in_s=delay)
                    self._refuse_all(_unwritable())
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, RECONNECT_DELAY_S_MAX)
                    continue
            if not self._waiting:
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
            async with self._deciding:
                await self._decide_waiting()

    async def _decide_waiting(self) -> None:
        """One batch of what waits, by the times that hold after an outage."""
        if self._waiting and self._pulse_age_ms() > self._outage_extends_ms:
            try:
                await self._look_at_pulse()
            except Exception as error:  # whatever it was, nobody may be judged by a time that has not been moved
                if isinstance(error, CONNECTION_ERRORS):
                    log.warning("engine.pulse_unread", error=repr(error))
                else:
                    log.exception("engine.pulse_crashed")
                self._refuse_all(_unwritable())
                return
        batch = self._next_batch()
        WAITING.set(len(self._waiting))
        if batch:
            await self._decide(batch, open_to_more=not _goes_alone(batch[0].command))

    async def pulse(self) -> None:
        """Note that bidding works; where it did not for too long, give the running lots that time back first.

        For the clock. Raises Unavailable or one of ``CONNECTION_ERRORS``.
        """
        async with self._deciding:
            if not self.connected:
                raise _unwritable()
            await self._look_at_pulse(begin=True)

    def _pulse_age_ms(self) -> float:
        """For how long bidding may have been out: since it was last known to work."""
        at, monotonic = self._pulsed
        # a machine that slept knows it by the wall clock only, one whose wall clock was set back by the other
        return max(self._clock.now() - at, (self._clock.monotonic() - monotonic) * 1_000)

    async def _look_at_pulse(self, *, begin: bool = False) -> None:
        """Give an outage back and note that bidding works. Where no pulse is kept yet, only ``begin`` makes one."""
        connection = self._connection
        try:
            async with pulse.held(connection):
                looked = float(self._clock.now()), self._clock.monotonic()
                last, now = await pulse.read(connection)
                if last is not None and now - last > self._outage_extends_ms:
                    # before the pulse is written: dying here gives the time back again rather than never
                    await self._give_back(await pulse.running_lots(connection), last, now)
                if last is not None or begin:
                    await pulse.write(connection, now)
        except CONNECTION_ERRORS:
            if self._connection is connection:
                self._drop_connection()
            raise
        self._pulsed = looked

    async def _give_back(self, lots: list[UUID], since: Millis, until: Millis) -> None:
        if lots:
            OUTAGES.inc()
            log.warning("engine.outage_given_back", since=since, until=until, lots=len(lots))
        loop = asyncio.get_running_loop()
        for first in range(0, len(lots), self._batch_bids_max):
            steps = [
                Pending(AdvanceAuction(auction=lot, outage=(since, until)), loop.create_future())
                for lot in lots[first : first + self._batch_bids_max]
            ]
            await self._decide(steps)
            results = await asyncio.gather(*(step.future for step in steps), return_exceptions=True)
            for step, result in zip(steps, results, strict=True):
                if isinstance(result, BaseException):
                    log.error("engine.outage_not_given_back", auction=str(step.command.auction), error=repr(result))

    def _next_batch(self) -> list[Pending]:
        """Everything that waits, up to the limit. A VOID_BID goes alone: it reads what the others would write."""
        batch: list[Pending] = []
        while self._waiting and len(batch) < self._batch_bids_max:
            alone = _goes_alone(self._waiting[0].command)
            if alone and batch:
                break
            pending = self._waiting.popleft()
            if not pending.future.done():  # its caller has given up and was told so
                batch.append(pending)
                if alone:
                    break
        return batch

    def _joining(self, batch: list[Pending], lots: Container[UUID]) -> list[Command]:
        """Add to ``batch`` the bids on its lots that came while these were locked and read, in order of arrival."""
        joined = len(batch)
        while self._waiting and len(batch) < self._batch_bids_max:
            command, future = self._waiting[0]
            if type(command) is not PlaceBid or command.auction not in lots:
                break  # and whoever came after it waits behind it
            pending = self._waiting.popleft()
            if not future.done():
                batch.append(pending)
        return [one.command for one in batch[joined:]]

    async def _decide(self, pending: list[Pending], *, again: bool = False, open_to_more: bool = False) -> None:
        more = partial(self._joining, pending) if open_to_more else None
        with COMMIT_SECONDS.time():
            try:
                results, timing_changed = await self._commit([one.command for one in pending], more)
            except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError) as error:
                FAILED.inc()
                await self._decide_singly(pending, error, again=again)
                return
            except CONNECTION_ERRORS as error:
                FAILED.inc()
                log.warning("engine.batch_failed", error=repr(error), bids=len(pending))
                self._drop_connection()
                _fail(pending, _unknown())
                return
            except Exception as error:  # a fault of ours in one command must not stop the house
                FAILED.inc()
                log.exception("engine.batch_crashed", bids=len(pending))
                await self._decide_singly(pending, error)
                return
        BATCH_SIZE.observe(len(pending))
        bids = accepted = 0
        for (command, future), result in zip(pending, results, strict=True):
            _answer(future, result)
            if type(command) is PlaceBid and type(result) is Answer:
                bids += 1
                accepted += result.accepted
        DECIDED.labels("accepted").inc(accepted)
        DECIDED.labels("rejected").inc(bids - accepted)
        if tracing.on:
            _trace(pending, self.time.now())
        self._forget_answered()
        self._bell.set()
        if timing_changed:
            for listener in self._listeners:
                listener()
        if bids:
            await self._bidding_worked()

    async def _bidding_worked(self) -> None:
        """A committed bid proves it, also where no clock runs: else that would be taken for an outage, again and again."""
        looked = float(self._clock.now()), self._clock.monotonic()
        if not pulse.EVERY_S * 1_000 <= self._pulse_age_ms() <= self._outage_extends_ms:
            return
        try:
            await pulse.refresh(self._connection)
        except CONNECTION_ERRORS as error:
            log.warning("engine.pulse_unwritten", error=repr(error))
            self._drop_connection()
        else:
            self._pulsed = looked

    async def _decide_singly(self, pending: list[Pending], error: Exception, *, again: bool = False) -> None:
        """A row the database refused must not spoil the batch: each command gets a transaction of its own."""
        if len(pending) == 1:
            if isinstance(error, asyncpg.UniqueViolationError) and not again:
                # another process has just used the same idempotency key on another lot: now it can be read
                await self._decide(pending, again=True)
                return
            log.error("engine.command_refused_by_database", error=repr(error))
            _fail(
                pending, Unavailable("The house could not write this bid. Nothing was kept.", retry_after=RETRY_AFTER_S)
            )
            return
        for one in pending:
            if not one.future.done():
                await self._decide([one])

    async def _commit(self, commands: list[Command], more: More | None) -> tuple[list[Result], bool]:
        connection = self._connection
        batch = Batch(connection, self._cache, commands, more)
        try:
            results = await batch.run()
        except BaseException:
            if not connection.is_closed():
                with contextlib.suppress(*CONNECTION_ERRORS):
                    await connection.execute("rollback")
            raise
        await connection.execute("commit")
        return results, batch.timing_changed

    async def _connect(self) -> None:
        connection = await connect(self._dsn, name=self._name, statement_timeout_s=self._commit_timeout_s * 2)
        try:
            await connection.execute(hotpath.PLANNING)
            for _ in range(DatabaseTime.SAMPLES):
                await self._read_clock()
        except BaseException:
            connection.terminate()
            raise
        # an idle batcher must notice by itself: bids are refused without a connection, so none would wake it
        connection.add_termination_listener(lambda _: self._wake.set())
        self._pulsed = _NEVER
        self._connection = connection

    def _drop_connection(self) -> None:
        """After an error in a transaction nothing is known of the connection but that it must go."""
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None

    def _refuse_all(self, error: SothebaisError) -> None:
        _fail(self._waiting, error)
        self._waiting.clear()
        self._idle.set()

    async def _ring(self) -> None:
        """Tell the relay after commits, on a connection of its own: NOTIFY in the batch would queue the commits."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            try:
                async with self._side_lock:
                    side = await self._side_connection()
                    await side.execute(f"notify {DOORBELL}")
            except CONNECTION_ERRORS as error:
                log.info("engine.doorbell_silent", error=str(error))
            await asyncio.sleep(DOORBELL_S_MIN)

    async def _follow_clock(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_READING_S)
            try:
                await self._read_clock()
            except CONNECTION_ERRORS as error:
                log.info("engine.clock_unread", error=str(error))

    async def _side_connection(self) -> Any:
        """The connection for everything that is not a batch; a new one when the old one is gone."""
        if self._side is None or self._side.is_closed():
            self._side = await connect(self._dsn, name=f"{self._name}-side")
        return self._side

    async def _read_clock(self) -> None:
        async with self._side_lock:
            side = await self._side_connection()
            sent = self._clock.now()
            database = await side.fetchval("select clock_timestamp()")
            received = self._clock.now()
        if self.time.observe(sent, database, received):
            CLOCK_ALARMS.inc()
            log.warning("engine.clock_drift", drift_ms=self.time.drift_ms, limit_ms=self.time.DRIFT_MS_MAX)
        CLOCK_OFFSET.set(self.time.offset_ms)


def _trace(pending: list[Pending], now: int) -> None:
    for one in pending:
        command = one.command
        if isinstance(command, PlaceBid) and command.correlation_id is not None:
            tracing.part(
                "bid.decide",
                command.correlation_id,
                since_ms=command.received_at,
                until_ms=now,
                attributes={"sothebais.auction": str(command.auction), "sothebais.batch_bids": len(pending)},
            )


def _goes_alone(command: Command) -> bool:
    # a bid is none, and to ask for a struct's class by isinstance takes long where the answer is no
    return type(command) is OverrideAuction and command.step.kind == "VOID_BID"


def _answered(answer: Answer | None) -> Answer:
    if answer is None:
        raise _unknown()
    return answer


def _answer(future: "asyncio.Future[Answer | None]", result: Result) -> None:
    if future.done():
        return
    if isinstance(result, SothebaisError):
        future.set_exception(result)
    else:
        future.set_result(result)


def _fail(pending: Any, error: SothebaisError) -> None:
    for one in pending:
        _answer(one.future, error)


def _unwritable() -> Unavailable:
    return Unavailable("The house cannot write at the moment. Nothing was kept.", retry_after=RETRY_AFTER_S)


def _unknown() -> OutcomeUnknown:
    return OutcomeUnknown(
        "The house did not hear whether this was written. Send it again with the same Idempotency-Key.",
        retry_after=RETRY_AFTER_S,
    )
