"""The facts of now, read from the house's own tables each time: what the host may say, and nothing that is secret.

The tables are written in the same transactions as the log; a reserve or a maximum is in none of those read here.
"""

from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.orm import aliased

from sothebais.agent.model import (
    OWN_BIDS_MAX,
    RESULTS_MAX,
    STORY_LENGTH_MAX,
    UPCOMING_MAX,
    Asker,
    Facts,
    LotFacts,
    LotStatus,
    OwnBid,
    Result,
    Upcoming,
)
from sothebais.auctions import repository
from sothebais.auctions.model import BidStatus, Outcome, Status
from sothebais.auctions.tables import Auction, Bid
from sothebais.campaigns.model import CampaignStatus, DayStatus
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.catalog import traits
from sothebais.catalog.tables import ArtItem
from sothebais.clock import Clock, from_datetime, parse_iso, to_datetime
from sothebais.errors import NotFound, Unavailable
from sothebais.instants import Millis
from sothebais.users.tables import User

_RUNNING: Final = (DayStatus.PRE_AUCTION, DayStatus.AUCTION, DayStatus.POST_AUCTION)
_OPEN: Final = (Status.ACTIVE, Status.PAUSED, Status.CLOSING)
_OVER: Final = (Status.ENDED, Status.SETTLED)
_PUBLIC: Final = (CampaignStatus.SCHEDULED, CampaignStatus.ACTIVE, CampaignStatus.COMPLETED)


class HouseFacts:
    """``ports.FactsSource`` on PostgreSQL. A few short questions each time; nothing is kept."""

    def __init__(self, engine: AsyncEngine, clock: Clock, *, host: str = "Sable") -> None:
        self._engine, self._clock = engine, clock
        self.host = host

    async def facts(self, *, lot: UUID | None, asker: UUID | None) -> Facts:
        """What is publicly true now, of that lot (else of the one that is on) and for that person. Raises Unavailable."""
        try:
            async with self._engine.connect() as connection:
                return await self._facts(connection, lot, asker)
        except (DBAPIError, PoolTimeout, OSError) as error:
            raise Unavailable("The house cannot reach its books just now.", retry_after=1) from error

    async def lot_on(self) -> UUID | None:
        """The lot that is open, else the one that ended last today."""
        try:
            async with self._engine.connect() as connection:
                return await _lot_on(connection)
        except (DBAPIError, PoolTimeout, OSError) as error:
            raise Unavailable("The house cannot reach its books just now.", retry_after=1) from error

    async def _facts(self, connection: AsyncConnection, lot: UUID | None, asker: UUID | None) -> Facts:
        now = from_datetime((await connection.execute(sa.select(sa.func.clock_timestamp()))).scalar_one())
        lot = lot or await _lot_on(connection)
        known = None if lot is None else await self._lot(connection, lot)
        day = await _day(connection, lot)
        person = None if asker is None else await _asker(connection, asker)
        own = _own_result(known)
        if day is None:
            return Facts(now=now, host=self.host, lot=known, results=own, asker=person)
        face = ZoneInfo(day.time_zone).utcoffset(to_datetime(now).astimezone(ZoneInfo(day.time_zone)))
        return Facts(
            now=now,
            host=self.host,
            campaign=day.name,
            day=day.number,
            days=day.days,
            lot=known,
            upcoming=await _upcoming(connection, day.id),
            results=(*own, *(one for one in await _results(connection, day.id) if one not in own))[:RESULTS_MAX],
            next_session_at=await _next_session(connection, day.campaign_id, now),
            asker=person,
            offset_minutes=0 if face is None else round(face.total_seconds() / 60),
            zone=day.time_zone,
        )

    async def _lot(self, connection: AsyncConnection, lot: UUID) -> LotFacts | None:
        try:
            shown = await repository.snapshot(self._engine, lot)
        except NotFound:
            return None
        statement = (
            sa.select(ArtItem.description, ArtItem.erc721.label("document"), Auction.terms)
            .join(Auction, Auction.art_item_id == ArtItem.id)
            .where(Auction.id == lot)
        )
        piece = (await connection.execute(statement)).one()
        voided = (
            sa.select(sa.func.count()).select_from(Bid).where(Bid.auction_id == lot, Bid.status == BidStatus.VOIDED)
        )
        artist, found = traits.read(piece.document)
        terms = piece.terms
        leader = shown["leader"]
        return LotFacts(
            id=lot,
            number=shown["lot_number"],
            title=shown["title"],
            artist=artist or None,
            traits=found,
            story=(piece.description or "")[:STORY_LENGTH_MAX] or None,
            status=_status(shown),
            format=shown["format"],
            currency=shown["currency"],
            starting_price=Decimal(shown["starting_price"]),
            price=_amount(shown["price"]),
            previous_price=_amount(shown["previous_price"]),
            leader=None if leader is None else leader["handle"] or None,
            next_valid=_amount(shown["next_valid_amount"]),
            bid_count=shown["bid_count"],
            bidder_count=shown["bidder_count"] or 0,
            voided_count=(await connection.execute(voided)).scalar_one(),
            has_reserve=shown["has_reserve"],
            reserve_met=shown["reserve_met"],
            extension_count=shown["extension_count"],
            extension=terms.get("extension") or 0,
            extension_window=terms.get("extension_window") or 0,
            premium_percent=Decimal(shown["premium_percent"]),
            opens_at=parse_iso(shown["starts_at"]),
            ends_at=parse_iso(shown["ends_at"]),
        )


def _status(shown: dict[str, Any]) -> LotStatus:
    if shown["status"] in ("ENDED", "SETTLED"):
        return LotStatus.SOLD if shown["outcome"] == Outcome.SOLD else LotStatus.PASSED
    return LotStatus(shown["status"])


def _own_result(lot: LotFacts | None) -> tuple[Result, ...]:
    """A lot that is spoken of after its end is the one whose result is told, whichever ended since."""
    if lot is None or lot.status not in (LotStatus.SOLD, LotStatus.PASSED):
        return ()
    sold = lot.status is LotStatus.SOLD
    return (Result(lot.number, lot.title, lot.price if sold else None, lot.currency, lot.leader if sold else None),)


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


async def _lot_on(connection: AsyncConnection) -> UUID | None:
    opened = Auction.status.in_(_OPEN)
    of_the_day = sa.and_(CampaignDay.status.in_(_RUNNING), Auction.ended_at.is_not(None))
    statement = (
        sa.select(Auction.id)
        .outerjoin(CampaignDay, CampaignDay.id == Auction.campaign_day_id)
        .where(sa.or_(opened, of_the_day))
        .order_by(opened.desc(), Auction.ended_at.desc().nulls_last(), Auction.lot_number)
        .limit(1)
    )
    found: UUID | None = (await connection.execute(statement)).scalar_one_or_none()
    return found


async def _day(connection: AsyncConnection, lot: UUID | None) -> Any:
    """The lot's day, else the one that is on, or comes next."""
    others = aliased(CampaignDay)
    days = sa.select(sa.func.count()).select_from(others).where(others.campaign_id == Campaign.id).scalar_subquery()
    statement = (
        sa.select(CampaignDay, Campaign.name, Campaign.time_zone, days.label("days"))
        .join(Campaign, Campaign.id == CampaignDay.campaign_id)
        .where(Campaign.status.in_(_PUBLIC))
    )
    if lot is not None:
        of_lot = statement.join(Auction, Auction.campaign_day_id == CampaignDay.id).where(Auction.id == lot)
        return (await connection.execute(of_lot)).one_or_none()
    coming = CampaignDay.status.not_in((DayStatus.COMPLETED, DayStatus.CANCELLED))
    order = (CampaignDay.status == DayStatus.SCHEDULED, CampaignDay.pre_auction_at, CampaignDay.id)
    return (await connection.execute(statement.where(coming).order_by(*order).limit(1))).one_or_none()


async def _upcoming(connection: AsyncConnection, day: UUID) -> tuple[Upcoming, ...]:
    statement = (
        sa.select(Auction.lot_number, Auction.starts_at, repository.TITLE, ArtItem.erc721.label("document"))
        .join(*repository.FIRST_EVENT)
        .join(ArtItem, ArtItem.id == Auction.art_item_id)
        .where(Auction.campaign_day_id == day, Auction.status == Status.SCHEDULED)
        .order_by(Auction.lot_number)
        .limit(UPCOMING_MAX)
    )
    return tuple(
        Upcoming(row.lot_number, row.title, traits.read(row.document)[0] or None, from_datetime(row.starts_at))
        for row in await connection.execute(statement)
    )


async def _results(connection: AsyncConnection, day: UUID) -> tuple[Result, ...]:
    statement = (
        sa.select(Auction.lot_number, Auction.price, Auction.currency, Auction.outcome, repository.TITLE, User.name)
        .join(*repository.FIRST_EVENT)
        .outerjoin(User, User.id == Auction.leader_id)
        .where(Auction.campaign_day_id == day, Auction.status.in_(_OVER))
        .order_by(Auction.ended_at.desc(), Auction.id)
        .limit(RESULTS_MAX)
    )
    found = []
    for row in await connection.execute(statement):
        sold = row.outcome == Outcome.SOLD
        found.append(
            Result(row.lot_number, row.title, row.price if sold else None, row.currency, row.name if sold else None)
        )
    return tuple(found)


async def _next_session(connection: AsyncConnection, campaign: UUID, now: Millis) -> Millis | None:
    statement = (
        sa.select(sa.func.min(CampaignDay.auction_at))
        .where(CampaignDay.campaign_id == campaign, CampaignDay.status == DayStatus.SCHEDULED)
        .where(CampaignDay.auction_at > to_datetime(now))
    )
    found = (await connection.execute(statement)).scalar_one_or_none()
    return None if found is None else from_datetime(found)


async def _asker(connection: AsyncConnection, user: UUID) -> Asker | None:
    name = (await connection.execute(sa.select(User.name).where(User.id == user))).scalar_one_or_none()
    if not name:
        return None
    bids = cast(sa.Table, Bid.__table__)
    statement = (
        sa.select(bids.c.amount, bids.c.id, Auction.lot_number, Auction.currency, Auction.leading_bid_id)
        .join(Auction, Auction.id == bids.c.auction_id)
        .where(bids.c.user_id == user, bids.c.status == BidStatus.ACCEPTED, bids.c.amount.is_not(None))
        # what a sealed lot was bid is nobody's to tell
        .where(Auction.format.not_like("SEALED%"))
        .order_by(bids.c.id.desc())
        .limit(OWN_BIDS_MAX)
    )
    rows = await connection.execute(statement)
    own = [OwnBid(row.lot_number, row.amount, row.currency, row.leading_bid_id == row.id) for row in rows]
    return Asker(name, tuple(own))
