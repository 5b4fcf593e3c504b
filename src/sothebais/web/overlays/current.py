"""Which lot is on the block, and what an overlay needs of it that its snapshot does not say."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.auctions.model import Status
from sothebais.auctions.tables import Auction
from sothebais.campaigns.model import CampaignStatus
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.web.viewer import data
from sothebais.web.viewer.rendering import picture

PICTURE_WIDTH = 640


async def current(engine: AsyncEngine) -> UUID | None:
    """The lot on the block; with none, the next to come; with several, the one that closes first."""
    running = Auction.status.in_(data.RUNNING)
    found = (
        sa.select(Auction.id)
        .outerjoin(CampaignDay, CampaignDay.id == Auction.campaign_day_id)
        .outerjoin(Campaign, Campaign.id == CampaignDay.campaign_id)
        .where(sa.or_(running, Auction.status == Status.SCHEDULED))
        .where(Campaign.status.is_distinct_from(CampaignStatus.DRAFT))
        .order_by(sa.case((running, 0), else_=1), sa.case((running, Auction.ends_at), else_=Auction.starts_at))
        .order_by(Auction.id)
        .limit(1)
    )
    async with engine.connect() as connection:
        key: UUID | None = (await connection.execute(found)).scalar_one_or_none()
        return key


async def about(engine: AsyncEngine, auction: UUID) -> dict[str, Any]:
    """A lot's label. Raises NotFound."""
    lot = await data.lot(engine, auction)
    return {
        "id": str(lot.id),
        "number": lot.number,
        "title": lot.title,
        "artist": lot.piece.artist or lot.piece.collection,
        "traits": [value for _, value in lot.piece.traits[:2]],
        "picture": None if lot.piece.picture is None else picture(lot.piece, PICTURE_WIDTH),
        "grace_ms": lot.grace,
    }
