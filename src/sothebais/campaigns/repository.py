"""The SQL of campaigns. Nothing here commits."""

import re
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais import ids
from sothebais.campaigns import schedule
from sothebais.campaigns.model import (
    RUNNING,
    UNFINISHED,
    CampaignDetails,
    CampaignPlan,
    CampaignStatus,
    Daily,
    DayDetails,
    DayStatus,
    PlannedDay,
)
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.catalog.tables import ArtItem, Collection
from sothebais.errors import Conflict, NotFound
from sothebais.instants import Millis, from_datetime, to_datetime

_CAMPAIGNS = sa.select(
    *Campaign.__table__.columns, Collection.slug.label("collection_slug"), Collection.seller_id
).join(Collection, Collection.id == Campaign.collection_id)
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,79}", re.ASCII)


async def lock_collection(connection: AsyncConnection, slug: str) -> Any:
    """The collection's row; nobody else plans a campaign of it until this transaction ends. NotFound otherwise."""
    found = await connection.execute(
        # as a key it may still be referred to, so that an import goes on
        sa.select(Collection.id, Collection.name, Collection.seller_id)
        .where(Collection.slug == slug)
        .with_for_update(key_share=True)
    )
    row = found.one_or_none()
    if row is None:
        raise NotFound(f"collection: there is no collection {slug!r}. Import it first.", field="collection")
    return row


async def items(connection: AsyncConnection, collection: UUID) -> Sequence[Any]:
    """The collection's art items (id, token_id, name) in its order."""
    found = await connection.execute(
        sa.select(ArtItem.id, ArtItem.token_id, ArtItem.name)
        .where(ArtItem.collection_id == collection)
        .order_by(ArtItem.position, ArtItem.id)
    )
    return found.all()


async def unfinished_days(connection: AsyncConnection, collection: UUID) -> list[UUID]:
    """The days of all campaigns of this collection that are not over, drafts included."""
    found = await connection.execute(
        sa.select(CampaignDay.id)
        .join(Campaign, Campaign.id == CampaignDay.campaign_id)
        .where(Campaign.collection_id == collection, Campaign.status.in_(UNFINISHED))
    )
    return list(found.scalars())


async def insert_campaign(connection: AsyncConnection, plan: CampaignPlan, collection: UUID) -> UUID:
    """Write a DRAFT; its id. Conflict when the slug is in use."""
    written = await connection.execute(
        insert(Campaign)
        .values(
            id=ids.new_id(),
            slug=plan.slug,
            name=plan.name,
            description=plan.description,
            collection_id=collection,
            starts_on=plan.days[0].date,
            ends_on=plan.days[-1].date,
            time_zone=plan.time_zone,
            status=CampaignStatus.DRAFT,
            rules=plan.rules.public(),
            daily={} if plan.daily is None else _daily(plan.daily),
            premium_percent=plan.premium_percent,
            fee=plan.fee,
        )
        .on_conflict_do_nothing(index_elements=[Campaign.slug])
        .returning(Campaign.id)
    )
    campaign = written.scalar_one_or_none()
    if campaign is None:
        raise Conflict(f"slug: there is a campaign {plan.slug!r} already. Choose another slug.", field="slug")
    return campaign


async def insert_day(connection: AsyncConnection, campaign: UUID, day: PlannedDay) -> UUID:
    """Write a day; its id."""
    key = ids.new_id()
    await connection.execute(
        sa.insert(CampaignDay).values(
            id=key,
            campaign_id=campaign,
            number=day.number,
            date=day.date,
            pre_auction_at=to_datetime(day.pre_auction_at),
            auction_at=to_datetime(day.auction_at),
            post_auction_at=to_datetime(day.post_auction_at),
            ends_at=to_datetime(day.ends_at),
        )
    )
    return key


async def lock(connection: AsyncConnection, campaigns: Iterable[UUID]) -> None:
    """Keep everybody else from moving these campaigns until the transaction ends.

    Taken in id order, and before the transaction writes anything, a row lock included: one that has its id already
    when it waits would stand in the log before what it waited for.
    """
    for campaign in sorted(campaigns):
        key = int.from_bytes(campaign.bytes[8:], signed=True)  # the random half of the id
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


async def find(connection: AsyncConnection, campaign: UUID | str, *, for_update: bool = False) -> CampaignDetails:
    """A campaign by id or slug, its row locked for this transaction if asked. NotFound otherwise."""
    key = ids.parse_id(campaign) if isinstance(campaign, str) else campaign
    if key is None and not _SLUG.fullmatch(str(campaign)):
        raise _unknown(campaign)
    query = _CAMPAIGNS.where(Campaign.slug == campaign if key is None else Campaign.id == key)
    if for_update:
        query = query.with_for_update(of=Campaign)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise _unknown(campaign)
    return _details(row)


def _unknown(campaign: UUID | str) -> NotFound:
    return NotFound(
        f"There is no campaign {str(campaign)[:100]!r}. `sothebais campaign list` shows them.", field="campaign"
    )


async def every(connection: AsyncConnection) -> list[CampaignDetails]:
    """All campaigns, the newest first."""
    found = await connection.execute(_CAMPAIGNS.order_by(Campaign.starts_on.desc(), Campaign.id.desc()))
    return [_details(row) for row in found.mappings()]


async def page(
    connection: AsyncConnection,
    *,
    statuses: Sequence[CampaignStatus] = (),
    collection: UUID | None = None,
    drafts_of: UUID | None = None,
    drafts: bool = False,
    before: UUID | None = None,
    limit: int,
) -> list[CampaignDetails]:
    """Campaigns, the last made first. Drafts only with ``drafts``, or those whose seller is ``drafts_of``."""
    query = _CAMPAIGNS.order_by(Campaign.id.desc()).limit(limit)
    if statuses:
        query = query.where(Campaign.status.in_(statuses))
    if collection is not None:
        query = query.where(Campaign.collection_id == collection)
    if not drafts:
        published = Campaign.status != CampaignStatus.DRAFT
        query = query.where(published if drafts_of is None else sa.or_(published, Collection.seller_id == drafts_of))
    if before is not None:
        query = query.where(Campaign.id < before)
    return [_details(row) for row in (await connection.execute(query)).mappings()]


async def set_texts(connection: AsyncConnection, campaign: UUID, values: dict[str, str]) -> None:
    """Write a campaign's name or description."""
    await connection.execute(sa.update(Campaign).where(Campaign.id == campaign).values(**values))


async def running(connection: AsyncConnection) -> list[tuple[UUID, Millis | None]]:
    """The campaigns that move by time, in id order, each with the earliest time of a day's next stage."""
    stage = sa.case(
        {
            DayStatus.SCHEDULED: CampaignDay.pre_auction_at,
            DayStatus.PRE_AUCTION: CampaignDay.auction_at,
            DayStatus.AUCTION: CampaignDay.post_auction_at,
            DayStatus.POST_AUCTION: CampaignDay.ends_at,
        },
        value=CampaignDay.status,
    )
    found = await connection.execute(
        sa.select(Campaign.id, sa.func.min(stage).label("due"))
        .join(CampaignDay, CampaignDay.campaign_id == Campaign.id)
        .where(Campaign.status.in_(RUNNING))
        .group_by(Campaign.id)
        .order_by(Campaign.id)
    )
    return [(row.id, None if row.due is None else from_datetime(row.due)) for row in found]


async def days(connection: AsyncConnection, campaign: UUID) -> list[DayDetails]:
    """A campaign's days in order."""
    found = await connection.execute(
        sa.select(CampaignDay.__table__).where(CampaignDay.campaign_id == campaign).order_by(CampaignDay.number)
    )
    return [
        DayDetails(
            id=row["id"],
            campaign=row["campaign_id"],
            number=row["number"],
            date=row["date"],
            pre_auction_at=from_datetime(row["pre_auction_at"]),
            auction_at=from_datetime(row["auction_at"]),
            post_auction_at=from_datetime(row["post_auction_at"]),
            ends_at=from_datetime(row["ends_at"]),
            status=DayStatus(row["status"]),
        )
        for row in found.mappings()
    ]


async def set_campaign(connection: AsyncConnection, campaign: UUID, status: CampaignStatus, version: int) -> None:
    """Write a campaign's status and version."""
    await connection.execute(sa.update(Campaign).where(Campaign.id == campaign).values(status=status, version=version))


async def set_day(connection: AsyncConnection, day: DayDetails, now: Millis) -> None:
    """Write a day's stage and the times that move with it."""
    await connection.execute(
        sa.update(CampaignDay)
        .where(CampaignDay.id == day.id)
        .values(
            status=day.status,
            post_auction_at=to_datetime(day.post_auction_at),
            ends_at=to_datetime(day.ends_at),
            updated_at=to_datetime(now),
        )
    )


def _details(row: Any) -> CampaignDetails:
    return CampaignDetails(
        id=row["id"],
        slug=row["slug"],
        name=row["name"],
        description=row["description"],
        collection=row["collection_id"],
        collection_slug=row["collection_slug"],
        starts_on=row["starts_on"],
        ends_on=row["ends_on"],
        time_zone=row["time_zone"],
        status=CampaignStatus(row["status"]),
        rules=row["rules"],
        daily=row["daily"],
        premium_percent=row["premium_percent"],
        fee=row["fee"],
        version=row["version"],
        seller=row["seller_id"],
    )


def _daily(daily: Daily) -> dict[str, Any]:
    return {
        "pre_auction": daily.pre_auction.isoformat(),
        "auction": daily.auction.isoformat(),
        "lot_duration": schedule.format_length(daily.lot_duration),
        "gap": schedule.format_length(daily.gap),
        "lots_per_day": daily.lots_per_day,
        "post_auction": schedule.format_length(daily.post_auction),
        "until": None if daily.until is None else daily.until.isoformat(),
    }
