"""What the pages show, read in few queries. Nothing here touches a secret: the columns that hold one are never selected."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import money
from sothebais.auctions import repository
from sothebais.auctions.model import BidStatus, Outcome, Source, Status
from sothebais.auctions.tables import Auction, Bid
from sothebais.campaigns.model import CampaignStatus, DayStatus
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.catalog.tables import ArtItem, Collection
from sothebais.errors import NotFound
from sothebais.events.tables import EventLog
from sothebais.stream.tables import Stream, StreamStatus
from sothebais.users.tables import User

RUNNING = (Status.ACTIVE, Status.CLOSING, Status.PAUSED)
OPEN = (*RUNNING, Status.SCHEDULED)
ENDED = (Status.ENDED, Status.SETTLED)
CATALOGUE_MAX = 60
RESULTS_MAX = 12
CAMPAIGNS_MAX = 12
CAMPAIGN_LOTS_MAX = 1_000
CHART_POINTS_MAX = 2_000
#: Pieces in a campaign's strip.
STRIP_MAX = 5
TRAITS_SHOWN_MAX = 12


class Piece(msgspec.Struct, frozen=True):
    """A piece as a label tells of it."""

    id: UUID
    token_id: str
    description: str
    collection: str
    project: str | None
    contract: str | None
    blockchain: str | None
    picture: str | None
    width: int
    height: int
    artist: str | None
    traits: tuple[tuple[str, str], ...]


class LotLine(msgspec.Struct, frozen=True):
    """A lot as one line of a catalogue."""

    id: UUID
    number: int
    title: str
    status: Status
    outcome: Outcome | None
    currency: str
    starting_price: str
    price: str | None
    leader: str | None
    bid_count: int
    starts_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    campaign: UUID | None
    campaign_name: str | None
    day: UUID | None
    day_number: int | None
    #: Milliseconds between the end of bidding and the hammer.
    grace: int
    #: Milliseconds between two steps of a Dutch price.
    interval: int | None
    piece: Piece

    @property
    def over(self) -> bool:
        """Whether nothing of it will change any more but its settlement."""
        return self.status in (*ENDED, Status.CANCELLED)

    @property
    def sold(self) -> bool:
        """Whether somebody bought it."""
        return self.outcome is Outcome.SOLD


class DayLine(msgspec.Struct, frozen=True):
    """A campaign day as one line of a programme."""

    id: UUID
    number: int
    status: DayStatus
    pre_auction_at: datetime
    auction_at: datetime
    ends_at: datetime


class CampaignCard(msgspec.Struct, frozen=True):
    """A campaign with its days."""

    id: UUID
    name: str
    description: str
    status: CampaignStatus
    collection: str
    time_zone: str
    premium_percent: str
    fee: str
    days: tuple[DayLine, ...]
    #: A few of its pieces, to recognise it by.
    pieces: tuple[Piece, ...] = ()

    @property
    def next_day(self) -> DayLine | None:
        """The day that is on, or the next one."""
        over = (DayStatus.COMPLETED, DayStatus.CANCELLED)
        return next((day for day in self.days if day.status not in over), None)


class Home(msgspec.Struct, frozen=True):
    """What the first page shows."""

    on_air: LotLine | None
    also_open: tuple[LotLine, ...]
    catalogue: tuple[LotLine, ...]
    catalogue_campaign: CampaignCard | None
    results: tuple[LotLine, ...]
    campaigns: tuple[CampaignCard, ...]


class PricePoint(msgspec.Struct, frozen=True):
    """The price after an accepted bid, or after one was voided."""

    at: int
    price: Decimal
    leader: str | None


_LINE: sa.Select[*tuple[Any, ...]] = (
    sa.select(
        Auction.id,
        Auction.lot_number,
        Auction.status,
        Auction.outcome,
        Auction.currency,
        Auction.starting_price,
        Auction.price,
        Auction.bid_count,
        Auction.starts_at,
        Auction.ends_at,
        Auction.ended_at,
        Auction.campaign_day_id,
        Auction.terms["closing_grace"].as_integer().label("grace"),
        Auction.terms["interval"].as_integer().label("interval"),
        repository.TITLE,
        User.name.label("leader"),
        CampaignDay.number.label("day_number"),
        Campaign.id.label("campaign_id"),
        Campaign.name.label("campaign_name"),
        ArtItem.id.label("item_id"),
        ArtItem.token_id,
        ArtItem.description,
        ArtItem.erc721.label("erc721"),
        ArtItem.asset_sha256,
        ArtItem.asset_width,
        ArtItem.asset_height,
        Collection.name.label("collection"),
        Collection.project_name,
        Collection.contract_address,
        Collection.blockchain,
    )
    .join(*repository.FIRST_EVENT)
    .join(ArtItem, ArtItem.id == Auction.art_item_id)
    .join(Collection, Collection.id == ArtItem.collection_id)
    .outerjoin(User, User.id == Auction.leader_id)
    .outerjoin(CampaignDay, CampaignDay.id == Auction.campaign_day_id)
    .outerjoin(Campaign, Campaign.id == CampaignDay.campaign_id)
    # a draft is its owner's business
    .where(Campaign.status.is_distinct_from(CampaignStatus.DRAFT))
)


async def home(engine: AsyncEngine) -> Home:
    """What is on, what comes next, what was sold, what is planned."""
    async with engine.connect() as connection:
        coming = await _lines(
            connection,
            _LINE.where(Auction.status.in_(OPEN)).order_by(Auction.starts_at, Auction.lot_number).limit(CATALOGUE_MAX),
        )
        running = [lot for lot in coming if lot.status in RUNNING]
        on_air = next(iter(running), None)
        first = on_air or next(iter(coming), None)
        catalogue = [] if first is None else await _same_session(connection, first, coming)
        listed = {lot.id for lot in catalogue}
        results = await _lines(
            connection,
            _LINE.where(Auction.status.in_(ENDED))
            .order_by(sa.func.coalesce(Auction.ended_at, Auction.ends_at).desc())
            .limit(RESULTS_MAX + CATALOGUE_MAX),
        )
        campaigns = await _campaigns(connection, Campaign.status.in_((CampaignStatus.ACTIVE, CampaignStatus.SCHEDULED)))
    of_first = None if first is None else next((card for card in campaigns if card.id == first.campaign), None)
    return Home(
        on_air=on_air,
        also_open=tuple(lot for lot in running if lot is not on_air and lot.id not in listed),
        catalogue=tuple(catalogue),
        catalogue_campaign=of_first,
        results=tuple(lot for lot in results if lot.id not in listed)[:RESULTS_MAX],
        campaigns=tuple(campaigns),
    )


async def _same_session(connection: AsyncConnection, first: LotLine, coming: Sequence[LotLine]) -> list[LotLine]:
    """The lots of one evening in their order: those of the campaign day, or those that belong to none."""
    if first.day is None:
        return [lot for lot in coming if lot.day is None]
    statement = _LINE.where(Auction.campaign_day_id == first.day, Auction.status != Status.CANCELLED)
    return await _lines(connection, statement.order_by(Auction.lot_number).limit(CATALOGUE_MAX))


async def lot(engine: AsyncEngine, auction: UUID) -> LotLine:
    """One lot. Raises NotFound."""
    async with engine.connect() as connection:
        found = await _lines(connection, _LINE.where(Auction.id == auction))
    if not found:
        raise NotFound("There is no lot at this address.")
    return found[0]


async def neighbours(engine: AsyncEngine, of: LotLine) -> tuple[LotLine | None, LotLine | None]:
    """The lots before and after it in its session."""
    if of.day is None:
        return None, None
    same = _LINE.where(Auction.campaign_day_id == of.day, Auction.status != Status.CANCELLED)
    async with engine.connect() as connection:
        before = await _lines(
            connection,
            same.where(Auction.lot_number < of.number).order_by(Auction.lot_number.desc()).limit(1),
        )
        after = await _lines(
            connection, same.where(Auction.lot_number > of.number).order_by(Auction.lot_number).limit(1)
        )
    return next(iter(before), None), next(iter(after), None)


async def prices(engine: AsyncEngine, auction: UUID) -> list[PricePoint]:
    """How the price rose, from the lot's own log."""
    data = EventLog.data
    leader = sa.cast(data["leader"].astext, sa.Uuid)
    statement = (
        sa.select(
            sa.cast(sa.func.extract("epoch", EventLog.timestamp) * 1000, sa.BigInteger).label("at"),
            data["price"].astext.label("price"),
            User.name.label("leader"),
        )
        .outerjoin(User, User.id == leader)
        .where(
            EventLog.subject == f"auction:{auction}",
            EventLog.type.in_(("auction:bid:accepted", "auction:bid:voided", "auction:end")),
            data["price"].astext.is_not(None),
        )
        .order_by(EventLog.n)
        .limit(CHART_POINTS_MAX)
    )
    async with engine.connect() as connection:
        rows = (await connection.execute(statement)).all()
    return [PricePoint(row.at, Decimal(row.price), row.leader) for row in rows]


async def campaign(engine: AsyncEngine, key: UUID) -> tuple[CampaignCard, list[LotLine]]:
    """A campaign and all its lots. Raises NotFound; a draft is nobody's business."""
    async with engine.connect() as connection:
        cards = await _campaigns(connection, sa.and_(Campaign.id == key, Campaign.status != CampaignStatus.DRAFT))
        if not cards:
            raise NotFound("There is no campaign at this address.")
        lots = await _lines(
            connection,
            _LINE.where(CampaignDay.campaign_id == key)
            .order_by(CampaignDay.number, Auction.lot_number)
            .limit(CAMPAIGN_LOTS_MAX),
        )
    return cards[0], lots


async def campaigns(engine: AsyncEngine) -> list[CampaignCard]:
    """The campaigns everybody may know of, the next first and those that are over last; each with a few pieces."""
    async with engine.connect() as connection:
        cards = await _campaigns(connection, Campaign.status != CampaignStatus.DRAFT)
        place = sa.func.row_number().over(partition_by=CampaignDay.campaign_id, order_by=Auction.lot_number)
        first = (
            sa.select(Auction.id, place.label("place"))
            .join(CampaignDay, CampaignDay.id == Auction.campaign_day_id)
            .where(CampaignDay.campaign_id.in_([card.id for card in cards]))
            .subquery()
        )
        chosen = sa.select(first.c.id).where(first.c.place <= STRIP_MAX)
        lots = await _lines(connection, _LINE.where(Auction.id.in_(chosen)).order_by(Auction.lot_number))
    return [
        msgspec.structs.replace(card, pieces=tuple(lot.piece for lot in lots if lot.campaign == card.id))
        for card in cards
    ]


async def _campaigns(connection: AsyncConnection, where: sa.ColumnElement[bool]) -> list[CampaignCard]:
    over = Campaign.status.in_((CampaignStatus.COMPLETED, CampaignStatus.CANCELLED))
    statement = (
        sa.select(Campaign, Collection.name.label("collection"))
        .join(Collection, Collection.id == Campaign.collection_id)
        .where(where)
        .order_by(over, sa.case((over, None), else_=Campaign.starts_on), Campaign.starts_on.desc(), Campaign.id)
        .limit(CAMPAIGNS_MAX)
    )
    rows = (await connection.execute(statement.with_only_columns(*_CAMPAIGN_COLUMNS))).all()
    days: dict[UUID, list[DayLine]] = {row.id: [] for row in rows}
    if rows:
        found = await connection.execute(
            sa.select(CampaignDay.__table__).where(CampaignDay.campaign_id.in_(days)).order_by(CampaignDay.number)
        )
        for day in found:
            line = DayLine(day.id, day.number, day.status, day.pre_auction_at, day.auction_at, day.ends_at)
            days[day.campaign_id].append(line)
    return [
        CampaignCard(
            row.id,
            row.name,
            row.description,
            row.status,
            row.collection,
            row.time_zone,
            money.text(row.premium_percent),
            money.text(row.fee),
            tuple(days[row.id]),
        )
        for row in rows
    ]


_CAMPAIGN_COLUMNS = (
    Campaign.id,
    Campaign.name,
    Campaign.description,
    Campaign.status,
    Campaign.time_zone,
    Campaign.premium_percent,
    Campaign.fee,
    Collection.name.label("collection"),
)


async def on_air(engine: AsyncEngine) -> bool:
    """Whether there is a live picture."""
    running = sa.select(sa.exists().where(Stream.ended_at.is_(None), Stream.status != StreamStatus.STARTING))
    async with engine.connect() as connection:
        return bool((await connection.execute(running)).scalar_one())


async def has_bid(engine: AsyncEngine, auction: UUID, user: UUID) -> bool:
    """Whether this person has an accepted bid on the lot."""
    statement = sa.select(Bid.id).where(
        Bid.auction_id == auction,
        Bid.user_id == user,
        Bid.status == BidStatus.ACCEPTED,
        Bid.source != Source.PROXY,
    )
    async with engine.connect() as connection:
        return (await connection.execute(statement.limit(1))).first() is not None


async def _lines(connection: AsyncConnection, statement: sa.Select[*tuple[Any, ...]]) -> list[LotLine]:
    return [_line(row) for row in await connection.execute(statement)]


def _line(row: Any) -> LotLine:
    return LotLine(
        id=row.id,
        number=row.lot_number,
        title=row.title,
        status=row.status,
        outcome=row.outcome,
        currency=row.currency,
        starting_price=money.text(row.starting_price),
        price=None if row.price is None else money.text(row.price),
        leader=row.leader,
        bid_count=row.bid_count,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        ended_at=row.ended_at,
        campaign=row.campaign_id,
        campaign_name=row.campaign_name,
        day=row.campaign_day_id,
        day_number=row.day_number,
        grace=row.grace or 0,
        interval=row.interval,
        piece=_piece(row),
    )


def _piece(row: Any) -> Piece:
    traits = tuple(_traits(row.erc721))
    artist = next((value for name, value in traits if name.lower() in ("artist", "creator")), None)
    return Piece(
        id=row.item_id,
        token_id=row.token_id,
        description=row.description,
        collection=row.collection,
        project=row.project_name,
        contract=row.contract_address,
        blockchain=row.blockchain,
        picture=None if row.asset_sha256 is None else row.asset_sha256.hex(),
        width=row.asset_width or 1,
        height=row.asset_height or 1,
        artist=artist,
        traits=tuple((name, value) for name, value in traits if value != artist)[:TRAITS_SHOWN_MAX],
    )


def _traits(metadata: dict[str, Any]) -> list[tuple[str, str]]:
    """The attributes of ERC-721 metadata that have a name and a plain value; anybody may have written them."""
    attributes = metadata.get("attributes")
    found = []
    for attribute in attributes if isinstance(attributes, list) else []:
        if not isinstance(attribute, dict):
            continue
        name, value = attribute.get("trait_type"), attribute.get("value")
        if isinstance(name, str) and isinstance(value, str | int | float) and not isinstance(value, bool):
            found.append((name[:60], str(value)[:120]))
    return found
