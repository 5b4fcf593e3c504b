"""Lots stand still while nobody can follow them, and go on with the time they had."""

from collections.abc import Callable
from typing import Final, Protocol
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.auctions.commands import OverrideAuction
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.model import Override, Status
from sothebais.auctions.tables import Auction
from sothebais.errors import SothebaisError, Unavailable
from sothebais.events.actions import REASON_LENGTH_MAX
from sothebais.events.tables import EventLog

log = structlog.get_logger(__name__)


REASON: Final = "The stream has shown no picture"
#: A picture this recent means that people can follow again.
BACK_S: Final = 1.5


class Lots(Protocol):
    """Pauses what is on, and goes on afterwards."""

    async def pause(self, reason: str) -> list[UUID]:
        """Pause every lot that is open; those that were. Raises Unavailable when none could be."""

    async def resume(self, lots: list[UUID], reason: str) -> None:
        """Resume these, where they are still paused."""

    async def left(self, reason: str) -> list[UUID]:
        """Those that the house itself paused with a reason that begins like this, and that still are. Raises Unavailable."""


class Fairness:
    """Pauses the lots when there has been no picture for ``after_s`` (0: never), and resumes what it paused."""

    def __init__(self, lots: Lots, after_s: float, tell: Callable[[str], None]) -> None:
        self._lots, self._after_s, self._tell = lots, after_s, tell
        self.paused: list[UUID] = []
        self._asked = False

    async def look(self, away_s: float) -> None:
        """Judge by how long there has been no picture. What cannot be done now is tried at the next look."""
        try:
            if not self._asked:
                self.paused = await self._lots.left(REASON)
                self._asked = True
            if self._after_s and away_s > self._after_s:
                # again and again: another lot may open meanwhile
                reason = f"{REASON} for {away_s:.0f} seconds."
                stopped = await self._lots.pause(reason)
                self.paused += stopped
                if stopped:
                    self._tell(f"{len(stopped)} lots are paused: {reason}")
            elif self.paused and away_s < BACK_S:
                await self._lots.resume(self.paused, "The stream is back.")
                self.paused = []
        except SothebaisError as error:
            log.warning("stream.lots_not_moved", error=error.message)


class PausedLots:
    """Takes the engine's steps; each is an event with its reason, as an operator's would be."""

    def __init__(self, database: AsyncEngine, auctions: AuctionEngine) -> None:
        self._database, self._auctions = database, auctions

    async def pause(self, reason: str) -> list[UUID]:
        """Pause every lot of a campaign day that is open; those that were. Raises Unavailable when none could be."""
        statement = sa.select(Auction.id).where(Auction.status == Status.ACTIVE, Auction.campaign_day_id.is_not(None))
        try:
            async with self._database.connect() as connection:
                open_lots = list((await connection.execute(statement.order_by(Auction.id))).scalars())
        except (DBAPIError, PoolTimeout) as error:
            raise Unavailable("The lots cannot be read just now.", retry_after=1) from error
        paused: list[UUID] = []
        for lot in open_lots:
            try:
                if await self._step(lot, "PAUSE", reason):
                    paused.append(lot)
            except Unavailable:
                if not paused:
                    raise
                break  # those that are must be remembered; the others follow at the next look
        return paused

    async def resume(self, lots: list[UUID], reason: str) -> None:
        """Resume these; one that somebody else has resumed or ended is left alone."""
        for lot in lots:
            await self._step(lot, "RESUME", reason)

    async def left(self, reason: str) -> list[UUID]:
        """What a stream-manager paused that is no longer there to resume it."""
        last = (
            sa.select(EventLog.data)
            .where(EventLog.subject == sa.func.concat("auction:", Auction.id), EventLog.type == "auction:paused")
            .order_by(EventLog.n.desc())
            .limit(1)
            .scalar_subquery()
        )
        statement = sa.select(Auction.id, last.label("data")).where(Auction.status == Status.PAUSED)
        try:
            async with self._database.connect() as connection:
                rows = (await connection.execute(statement)).all()
        except (DBAPIError, PoolTimeout) as error:
            raise Unavailable("The lots cannot be read just now.", retry_after=1) from error
        return [
            row.id for row in rows if row.data and row.data["actor"] is None and row.data["cause"].startswith(reason)
        ]

    async def _step(self, lot: UUID, kind: str, reason: str) -> bool:
        step = Override(kind=kind, reason=reason[:REASON_LENGTH_MAX])  # type: ignore[arg-type]
        try:
            await self._auctions.override(OverrideAuction(auction=lot, actor=None, step=step))
        except Unavailable:
            raise
        except SothebaisError as error:
            log.info("stream.lot_not_moved", lot=str(lot), step=kind, reason=error.message)
            return False
        return True
