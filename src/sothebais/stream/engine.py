"""The stream-manager: has on air what should be on air. One process at a time is active; another waits for its lock."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from sothebais.campaigns.tables import CampaignDay
from sothebais.db.engine import CONNECTION_ERRORS, connect
from sothebais.stream import commands, direction, doorbell, records, snapshot
from sothebais.stream.broadcast import Broadcast, Parts
from sothebais.stream.commands import Desired
from sothebais.stream.hls_files import HlsFiles
from sothebais.stream.media.messages import FramePng
from sothebais.stream.preview import Preview
from sothebais.stream.stills import Stills

log = structlog.get_logger(__name__)

#: Whoever holds this is the active one.
ACTIVE_LOCK: Final = 0x73747265616D2D6D
LOOK_S: Final = 1.0
AWAY_S: Final = 0.5
#: A day goes on air so long before its first stage, and stays so long after its last.
EARLY_MS: Final = 30_000
LINGER_S: Final = 3.0
_STAGES: Final = frozenset({"PRE_AUCTION", "AUCTION", "POST_AUCTION"})
_DAY: Final = f"select status, pre_auction_at from {CampaignDay.__tablename__} where id = $1"  # noqa: S608


class StreamManager:
    """``run`` it beside the HTTP service that hands on what it shows."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.clock = parts.clock
        self.preview = Preview(parts.clock, want=self._want)
        self.hls = HlsFiles(parts.settings.data_dir / "hls" / "live")
        self.broadcast: Broadcast | None = None
        self._stills = Stills(self.clock, self._frame)
        #: Whether this process is the active one.
        self.active = False
        self._wake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._over_since: float | None = None

    async def still(self, wide: int) -> FramePng:
        """What is on air now as PNG, at most about ``wide`` pixels wide. Raises TimeoutError."""
        return await self._stills.still(wide)

    async def _frame(self, wide: int) -> FramePng:
        if self.broadcast is None:
            raise TimeoutError
        return await self.broadcast.frame(wide)

    async def run(self) -> None:
        """Until cancelled. A broadcast that is on then is gone on with by the next process."""
        try:
            while True:
                connection = None
                try:
                    connection = await connect(self._parts.dsn, name="stream-manager")
                    await self._be_active(connection)
                except (*CONNECTION_ERRORS, DBAPIError, PoolTimeout) as error:
                    log.warning("stream.waits_for_database", error=str(error).partition("\n")[0])
                finally:
                    if connection is not None:
                        connection.terminate()
                await self._attend()
                await self.clock.sleep(AWAY_S)
        finally:
            await self._leave()

    async def _be_active(self, connection: Any) -> None:
        if not await connection.fetchval("select pg_try_advisory_lock($1)", ACTIVE_LOCK):
            if self._running is not None:
                # another took over while our connection was away: two broadcasts would be two truths
                log.warning("stream.deposed")
                await self._leave()
            self.active = False
            await self.clock.sleep(LOOK_S)
            return
        self.active = True
        await connection.add_listener(doorbell.CHANNEL, lambda *_: self._wake.set())
        while True:
            self._wake.clear()
            await self._look(connection)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_S)
            await connection.execute("select 1")

    async def _look(self, connection: Any) -> None:
        await self._attend()
        try:
            async with self._parts.engine.connect() as reading:
                desired = await commands.desired(reading)
        except (DBAPIError, PoolTimeout) as error:
            log.warning("stream.waits_for_database", error=type(error).__name__)
            return
        broadcast = self.broadcast
        if desired.stream is None:
            if broadcast is not None:
                broadcast.finish("the stream is over")
            elif self._parts.settings.stream_auto:
                await self._go_on_air(connection)
            return
        if broadcast is None:
            self._begin(desired)
        elif broadcast.id != desired.stream:
            broadcast.finish("another stream begins")
        else:
            await broadcast.want(desired)
            await self._look_for_end(connection, desired)

    async def _go_on_air(self, connection: Any) -> None:
        """A campaign day that is on, or about to be, goes on air by itself."""
        day: UUID | None = await snapshot.day_on(connection)
        if day is None:
            return
        row = await connection.fetchrow(_DAY, day)
        soon = row["pre_auction_at"].timestamp() * 1000 - self.clock.now() <= EARLY_MS
        if row["status"] not in _STAGES and not (row["status"] == "SCHEDULED" and soon):
            return
        settings = self._parts.settings
        width, height = map(int, settings.stream_canvas.split("x"))
        stage: direction.Stage = row["status"]
        async with self._parts.engine.connect() as reading:
            title = await records.title_of(reading, day)
        scene = direction.choose(stage, None, self.clock.now()).scene
        made = await records.open_for_day(
            self._parts.engine, day, title, canvas=(width, height), fps=settings.stream_fps, scene=scene
        )
        if made is not None:
            log.info("stream.opened", stream=str(made), day=str(day))
            self._wake.set()

    async def _look_for_end(self, connection: Any, desired: Desired) -> None:
        """The stream of a day ends a little after the day."""
        if desired.campaign_day is None or self.broadcast is None:
            return
        row = await connection.fetchrow(_DAY, desired.campaign_day)
        if row is None or row["status"] not in ("COMPLETED", "CANCELLED"):
            self._over_since = None
            return
        now = self.clock.monotonic()
        self._over_since = now if self._over_since is None else self._over_since
        if now - self._over_since >= LINGER_S:
            self.broadcast.finish(f"the day is {row['status'].lower()}")

    def _begin(self, desired: Desired) -> None:
        self._over_since = None
        self.broadcast = broadcast = Broadcast(self._parts, desired, self.preview)
        self._running = asyncio.create_task(broadcast.run())
        self._running.add_done_callback(self._done())

    def _done(self) -> Callable[["asyncio.Task[None]"], None]:
        return lambda _: self._wake.set()

    async def _attend(self) -> None:
        """A broadcast that has ended makes room; one that failed is begun again by the next look."""
        if self._running is None or not self._running.done():
            return
        task, self._running, self.broadcast = self._running, None, None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("stream.broadcast_failed", exc_info=error)

    async def _leave(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        self._running, self.broadcast = None, None
        self.preview.end("the house closes")

    def _want(self, want: Any) -> None:
        if self.broadcast is not None:
            self.broadcast.wanted(want)
