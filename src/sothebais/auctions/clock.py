"""The auction clock: opens, closes and ends lots and moves session stages when they are due.

Any number of processes may run it; each step is decided under the lot's lock by the engine, so none is taken twice.
It waits for a due lot's lock instead of skipping it: a hot lot would hardly ever be found unlocked.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Gauge

from sothebais.auctions import hotpath, pulse
from sothebais.auctions.commands import AdvanceAuction
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.model import Status
from sothebais.auctions.tables import Auction
from sothebais.clock import Millis, from_datetime
from sothebais.db.engine import CONNECTION_ERRORS, connect
from sothebais.errors import SothebaisError, Unavailable

log = structlog.get_logger(__name__)

#: Longest sleep: another process may have changed a time without a wake-up here.
LOOK_AGAIN_S = 0.5
#: Lots handed to the engine in one round; the rest follows at once.
DUE_LOTS_MAX = 500

LATENESS = Gauge("sothebais_clock_lateness_ms", "How late the last due lot was looked at")

_DUE = f"""
select a.id, case a.status
    when '{Status.SCHEDULED}' then a.starts_at
    when '{Status.ACTIVE}' then a.ends_at
    else coalesce(a.closing_at + (a.terms ->> 'closing_grace')::int * interval '1 millisecond', a.ends_at) end as due
from {Auction.__tablename__} a
where a.status in ('{Status.SCHEDULED}', '{Status.ACTIVE}', '{Status.CLOSING}') and not {hotpath.HELD}
order by due limit {DUE_LOTS_MAX}
"""  # noqa: S608

#: Moves campaigns and days that are due at the instant; the next due instant.
type CampaignAdvance = Callable[[Millis], Awaitable[Millis | None]]


class AuctionClock:
    """Runs until cancelled: ``await AuctionClock(engine, dsn).run()``."""

    def __init__(
        self,
        engine: AuctionEngine,
        dsn: str,
        *,
        advance_campaigns: CampaignAdvance | None = None,
        name: str = "clock",
    ) -> None:
        self._engine = engine
        self._dsn = dsn
        self._name = name
        self._advance_campaigns = advance_campaigns
        self._wake = asyncio.Event()
        self._connection: Any = None
        self._pulsed_at = float("-inf")
        engine.on_timing_changed(self._wake.set)

    async def run(self) -> None:
        """Look, do what is due, sleep until the next due instant or a wake-up; for ever."""
        while True:
            self._wake.clear()
            try:
                pause = await self.tick()
            except (*CONNECTION_ERRORS, Unavailable) as error:
                log.warning("clock.waits_for_database", error=str(error))
                self._drop()
                pause = LOOK_AGAIN_S
            except SothebaisError:
                log.exception("clock.step_refused")
                pause = LOOK_AGAIN_S
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)

    async def tick(self) -> float:
        """One round; seconds until something is due, ``LOOK_AGAIN_S`` at most."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._dsn, name=self._name)
        now = from_datetime(await self._connection.fetchval("select clock_timestamp()"))
        await self._pulse()
        next_day = await self._advance_campaigns(now) if self._advance_campaigns is not None else None
        rows = await self._connection.fetch(_DUE)
        due = [row["id"] for row in rows if from_datetime(row["due"]) <= now]
        if due:
            LATENESS.set(now - from_datetime(rows[0]["due"]))
            await self._submit(due)
            return 0.0
        upcoming = [from_datetime(row["due"]) for row in rows[:1]] + ([next_day] if next_day is not None else [])
        return min([LOOK_AGAIN_S, *((max(0, at - now) + 1) / 1000 for at in upcoming)])

    async def close(self) -> None:
        """Let go of the connection."""
        self._drop()

    async def _pulse(self) -> None:
        """Note that bidding works, about once in ``pulse.EVERY_S``."""
        loop_time = asyncio.get_running_loop().time()
        if loop_time - self._pulsed_at >= pulse.EVERY_S and self._engine.connected:
            await self._engine.pulse()
            self._pulsed_at = loop_time

    async def _submit(self, lots: list[UUID]) -> None:
        steps = [self._engine.advance(AdvanceAuction(auction=lot)) for lot in lots]
        results = await asyncio.gather(*steps, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None
