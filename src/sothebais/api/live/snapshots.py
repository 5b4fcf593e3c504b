"""Each topic as it is now: what a client gets first."""

from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais.agent.tables import Character
from sothebais.api.live import protocol
from sothebais.auctions import repository
from sothebais.auctions.model import Status
from sothebais.campaigns.model import CampaignStatus
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.clock import from_datetime, isoformat
from sothebais.errors import NotFound, Unavailable
from sothebais.notify.tables import Notification, NotificationChannel
from sothebais.state import keys
from sothebais.state.store import StateStore
from sothebais.stream.tables import Stream
from sothebais.users.tables import User

#: Lots, and days, in one schedule.
SCHEDULED_MAX = 100
_TO_COME = (Status.ACTIVE, Status.PAUSED, Status.CLOSING, Status.SCHEDULED)


class Snapshots:
    """Reads topics; each call is a few short queries."""

    def __init__(self, database: AsyncEngine, store: StateStore | None) -> None:
        self._database, self._store = database, store

    async def read(self, topic: str) -> dict[str, Any]:
        """The data of a topic. Raises NotFound for a lot that does not exist."""
        if topic.startswith("auction:"):
            return await repository.snapshot(self._database, UUID(topic.removeprefix("auction:")))
        if topic.startswith(f"{protocol.ME}:"):
            return await self._me(UUID(topic.removeprefix(f"{protocol.ME}:")))
        if topic == protocol.SCHEDULE:
            return await self._schedule()
        return await (self._stream() if topic == protocol.STREAM else self._agent())

    async def _me(self, user: UUID) -> dict[str, Any]:
        unread = sa.select(sa.func.count()).where(
            Notification.user_id == user,
            Notification.channel == NotificationChannel.IN_APP,
            Notification.read_at.is_(None),
        )
        async with self._database.connect() as connection:
            name = (await connection.execute(sa.select(User.name).where(User.id == user))).scalar_one_or_none()
            if name is None:
                raise NotFound("This person is not here any more.")
            count = (await connection.execute(unread)).scalar_one()
        return {"user": {"id": str(user), "handle": name}, "unread": count}

    async def _schedule(self) -> dict[str, Any]:
        async with self._database.connect() as connection:
            days = await _days(connection)
            now = (await connection.execute(sa.select(sa.func.clock_timestamp()))).scalar_one()
        lots, following = await repository.snapshots(self._database, statuses=_TO_COME, limit=SCHEDULED_MAX)
        lots.sort(key=lambda lot: (lot["starts_at"], lot["id"]))
        return {
            "server_time": isoformat(from_datetime(now)),
            "days": days,
            "lots": lots,
            "more": following is not None or len(days) == SCHEDULED_MAX,
        }

    async def _stream(self) -> dict[str, Any]:
        statement = (
            sa.select(Stream)
            .order_by(Stream.ended_at.is_not(None), Stream.created_at.desc(), Stream.id.desc())
            .limit(1)
        )
        async with self._database.connect() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            return {"stream": None}
        return {
            "stream": {
                "id": str(row.id),
                "campaign_day_id": None if row.campaign_day_id is None else str(row.campaign_day_id),
                "title": row.title,
                "status": str(row.status),
                "width": row.width,
                "height": row.height,
                "fps": row.fps,
                "started_at": None if row.started_at is None else isoformat(from_datetime(row.started_at)),
                "ended_at": None if row.ended_at is None else isoformat(from_datetime(row.ended_at)),
            },
            "scene": await self._state(keys.stream_scene(row.id)),
            "viewers": await self._state(keys.stream_viewers(row.id)),
        }

    async def _agent(self) -> dict[str, Any]:
        statement = sa.select(Character.id, Character.name).order_by(Character.is_default.desc(), Character.id).limit(1)
        async with self._database.connect() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            return {"agent": None}
        return {
            "agent": {"id": str(row.id), "name": row.name},
            "mood": await self._state(keys.agent_mood(row.id)),
            "scene": await self._state(keys.agent_scene(row.id)),
        }

    async def _state(self, key: str) -> Any:
        """What Redis has under a key; None without Redis, whose readings nobody depends on."""
        if self._store is None:
            return None
        try:
            value = await self._store.get(key)
        except Unavailable:
            return None
        return None if value is None else msgspec.json.decode(value)


async def _days(connection: AsyncConnection) -> list[dict[str, Any]]:
    statement = (
        sa.select(CampaignDay.__table__, Campaign.slug, Campaign.name.label("campaign_name"), Campaign.time_zone)
        .join(Campaign, Campaign.id == CampaignDay.campaign_id)
        .where(Campaign.status.in_((CampaignStatus.SCHEDULED, CampaignStatus.ACTIVE)))
        .where(CampaignDay.ends_at > sa.func.now())
        .order_by(CampaignDay.pre_auction_at, CampaignDay.id)
        .limit(SCHEDULED_MAX)
    )
    return [
        {
            "id": str(row.id),
            "number": row.number,
            "date": row.date.isoformat(),
            "status": str(row.status),
            "campaign": {
                "id": str(row.campaign_id),
                "slug": row.slug,
                "name": row.campaign_name,
                "time_zone": row.time_zone,
            },
            "pre_auction_at": isoformat(from_datetime(row.pre_auction_at)),
            "auction_at": isoformat(from_datetime(row.auction_at)),
            "post_auction_at": isoformat(from_datetime(row.post_auction_at)),
            "ends_at": isoformat(from_datetime(row.ends_at)),
        }
        for row in await connection.execute(statement)
    ]
