"""What people do with notifications: read them, choose them, follow things, subscribe a browser."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from sothebais import ids
from sothebais.auctions.repository import FIRST_EVENT, TITLE
from sothebais.auctions.tables import Auction
from sothebais.campaigns.model import CampaignStatus
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.clock import from_datetime, isoformat
from sothebais.errors import Conflict, InvalidInput, NotFound
from sothebais.events import log
from sothebais.events.types.base import Source
from sothebais.instants import Millis
from sothebais.notify.model import DeliveryStatus, NotificationChannel
from sothebais.notify.push import SUBSCRIPTIONS_MAX, is_point
from sothebais.notify.quiet import parse_wall_time
from sothebais.notify.tables import Follow, Notification, PushSubscription
from sothebais.users.tables import Theme, User, UserPreference

PAGE_MAX = 200
#: Things one person may follow.
FOLLOWS_MAX = 1_000
#: Notifications marked as read by their ids in one call.
READ_MAX = 500
UNREAD_COUNTED_MAX = 1_000
PREFERENCES: Mapping[str, Any] = {
    "notifications": True,
    "bid_confirmations": True,
    "outbid_alerts": True,
    "auction_reminders": True,
    "by_email": True,
    "theme": Theme.SYSTEM,
    "time_zone": "UTC",
    "locale": "en",
    "quiet_hours": None,
}
_IN_FEED = sa.and_(Notification.channel == NotificationChannel.IN_APP, Notification.status == DeliveryStatus.SENT)


async def preferences(connection: AsyncConnection, user: UUID) -> dict[str, Any]:
    """A person's preferences, or those of somebody who never chose."""
    columns = [getattr(UserPreference, name) for name in PREFERENCES]
    row = (await connection.execute(sa.select(*columns).where(UserPreference.user_id == user))).one_or_none()
    return dict(PREFERENCES) if row is None else dict(row._mapping)


async def set_preferences(
    connection: AsyncConnection, user: UUID, wanted: Mapping[str, Any], now: Millis
) -> dict[str, Any]:
    """Change what is named in ``wanted``; all of them as they are now. Raises InvalidInput and changes nothing."""
    if "time_zone" in wanted:
        check_zone(wanted["time_zone"])
    if wanted.get("quiet_hours") is not None:
        check_quiet_hours(wanted["quiet_hours"])
    # one change of a person's preferences at a time, so that each event says what it changed
    await connection.execute(sa.select(User.id).where(User.id == user).with_for_update(key_share=True))
    before = await preferences(connection, user)
    changed = {name: value for name, value in wanted.items() if before[name] != value}
    if not changed:
        return before
    values = {name: sa.null() if name == "quiet_hours" and value is None else value for name, value in changed.items()}
    statement = insert(UserPreference).values(user_id=user, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=values))
    data = {"user": str(user), "changed": sorted(changed)}
    event = log.event("user:preference", f"user:{user}", data, at=now, source=Source.ADMIN_FRONTEND)
    await log.append(connection, [event])
    return before | changed


async def exists(connection: AsyncConnection, user: UUID) -> bool:
    """Whether there still is such a person."""
    return (await connection.execute(sa.select(User.id).where(User.id == user))).first() is not None


async def email_of(connection: AsyncConnection, user: UUID) -> str | None:
    """A person's address, if there is such a person and such an address."""
    found: str | None = (await connection.execute(sa.select(User.email).where(User.id == user))).scalar_one_or_none()
    return found


async def confirm_email(connection: AsyncConnection, user: UUID, email: str) -> None:
    """This address wants the mail of this person."""
    statement = insert(UserPreference).values(user_id=user, confirmed_email=email)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["user_id"], set_={"confirmed_email": email})
    )


def check_zone(name: str) -> None:
    """Raise InvalidInput unless this is a time zone of the IANA database."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # a name with a path in it, a folder's, or an unknown one
        raise InvalidInput(
            f"time_zone: {name!r:.80} is not a time zone. Use a name such as Europe/Berlin.", field="time_zone"
        ) from None


def check_quiet_hours(hours: Mapping[str, str]) -> None:
    """Raise InvalidInput unless these are two different times of day."""
    try:
        same = parse_wall_time(hours["from"]) == parse_wall_time(hours["to"])
    except ValueError:
        raise InvalidInput("quiet_hours: give two times of day such as 22:00 and 07:00.", field="quiet_hours") from None
    if same:
        raise InvalidInput(
            "quiet_hours: from and to must differ. Turn notifications off to hear nothing at all.",
            field="quiet_hours",
        )


async def feed(
    connection: AsyncConnection, user: UUID, *, before: UUID | None, limit: int, unread: bool = False
) -> tuple[list[dict[str, Any]], UUID | None, int]:
    """A page of what was told in-app, newest first; what to pass as ``before`` next; how many are unread."""
    limit = min(limit, PAGE_MAX)
    mine = sa.and_(Notification.user_id == user, _IN_FEED)
    statement = sa.select(Notification).where(mine).order_by(Notification.id.desc()).limit(limit + 1)
    if before is not None:
        statement = statement.where(Notification.id < before)
    if unread:
        statement = statement.where(Notification.read_at.is_(None))
    rows = (await connection.execute(statement)).all()
    counted = sa.select(Notification.id).where(mine, Notification.read_at.is_(None)).limit(UNREAD_COUNTED_MAX)
    waiting = (await connection.execute(sa.select(sa.func.count()).select_from(counted.subquery()))).scalar_one()
    items = [_item(row) for row in rows[:limit]]
    return items, rows[limit - 1].id if len(rows) > limit else None, waiting


def _item(row: Any) -> dict[str, Any]:
    details = dict(row.data)
    path = details.pop("path", "/")
    at = details.pop("at", None)
    return {
        "id": str(row.id),
        "kind": row.kind,
        "title": row.title,
        "body": row.body,
        "path": path,
        "auction": None if row.auction_id is None else str(row.auction_id),
        "data": details,
        "happened_at": isoformat(from_datetime(row.created_at) if at is None else at),
        "created_at": isoformat(from_datetime(row.created_at)),
        "read_at": None if row.read_at is None else isoformat(from_datetime(row.read_at)),
    }


async def mark_read(connection: AsyncConnection, user: UUID, which: list[UUID] | None) -> int:
    """Mark those (None: all) as read; how many were unread."""
    statement = (
        sa.update(Notification)
        .where(Notification.user_id == user, _IN_FEED, Notification.read_at.is_(None))
        .values(read_at=sa.func.now())
    )
    if which is not None:
        statement = statement.where(Notification.id.in_(which))
    return int((await connection.execute(statement)).rowcount)


async def follow(connection: AsyncConnection, user: UUID, thing: Mapping[str, UUID], remind_before_s: int) -> None:
    """Follow one thing (``{"auction_id": …}``); again only changes when to remind. Raises NotFound, Conflict."""
    await _find(connection, thing)
    # the count below must not be overtaken by another request of the same person
    await connection.execute(sa.select(User.id).where(User.id == user).with_for_update(key_share=True))
    ((column, _),) = thing.items()
    statement = insert(Follow).values(id=ids.new_id(), user_id=user, remind_before_s=remind_before_s, **thing)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["user_id", column], set_={"remind_before_s": statement.excluded.remind_before_s}
        )
    )
    count = sa.select(sa.func.count()).select_from(Follow).where(Follow.user_id == user)
    if (await connection.execute(count)).scalar_one() > FOLLOWS_MAX:
        raise Conflict(f"You follow {FOLLOWS_MAX} things already. Stop following one first.")


async def unfollow(connection: AsyncConnection, user: UUID, thing: Mapping[str, UUID]) -> None:
    """Stop following; nothing happens where there was nothing. Raises NotFound for a thing that is not there."""
    await _find(connection, thing)
    ((column, value),) = thing.items()
    await connection.execute(sa.delete(Follow).where(Follow.user_id == user, getattr(Follow, column) == value))


async def day_of(connection: AsyncConnection, campaign: UUID, number: int) -> UUID:
    """The id of a campaign's day. Raises NotFound."""
    statement = sa.select(CampaignDay.id).where(CampaignDay.campaign_id == campaign, CampaignDay.number == number)
    found: UUID | None = (await connection.execute(statement)).scalar_one_or_none()
    if found is None:
        raise NotFound("There is no such campaign day.")
    return found


async def _find(connection: AsyncConnection, thing: Mapping[str, UUID]) -> None:
    ((column, value),) = thing.items()
    shown = sa.or_(Campaign.id.is_(None), Campaign.status != CampaignStatus.DRAFT)
    match column:
        case "auction_id":
            statement = (
                sa.select(Auction.id)
                .outerjoin(CampaignDay, CampaignDay.id == Auction.campaign_day_id)
                .outerjoin(Campaign, Campaign.id == CampaignDay.campaign_id)
                .where(Auction.id == value, shown)
            )
            name = "auction"
        case "campaign_day_id":
            statement = (
                sa.select(CampaignDay.id)
                .join(Campaign, Campaign.id == CampaignDay.campaign_id)
                .where(CampaignDay.id == value, shown)
            )
            name = "campaign day"
        case _:
            statement = sa.select(Campaign.id).where(Campaign.id == value, shown)
            name = "campaign"
    if (await connection.execute(statement)).first() is None:
        raise NotFound(f"There is no {name} with this id.")


async def follows(
    connection: AsyncConnection, user: UUID, *, after: UUID | None, limit: int
) -> tuple[list[dict[str, Any]], UUID | None]:
    """A page of what a person follows, oldest first, and what to pass as ``after`` next."""
    limit = min(limit, PAGE_MAX)
    day_campaign = aliased(Campaign)
    statement = (
        sa.select(
            Follow,
            Auction.lot_number,
            TITLE,
            Auction.starts_at,
            CampaignDay.number,
            CampaignDay.campaign_id.label("day_campaign_id"),
            CampaignDay.pre_auction_at,
            Campaign.name,
            day_campaign.name.label("day_campaign"),
        )
        .outerjoin(Auction, Auction.id == Follow.auction_id)
        .outerjoin(*FIRST_EVENT)
        .outerjoin(CampaignDay, CampaignDay.id == Follow.campaign_day_id)
        .outerjoin(day_campaign, day_campaign.id == CampaignDay.campaign_id)
        .outerjoin(Campaign, Campaign.id == Follow.campaign_id)
        .where(Follow.user_id == user)
        .order_by(Follow.id)
        .limit(limit + 1)
    )
    if after is not None:
        statement = statement.where(Follow.id > after)
    rows = (await connection.execute(statement)).all()
    return [_follow(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None


def _follow(row: Any) -> dict[str, Any]:
    starts_at = row.starts_at or row.pre_auction_at
    campaign = row.campaign_id or row.day_campaign_id
    return {
        "id": str(row.id),
        "auction": None if row.auction_id is None else str(row.auction_id),
        "campaign": None if campaign is None else str(campaign),
        "day": row.number,
        "lot_number": row.lot_number,
        "title": row.title or row.name or row.day_campaign,
        "starts_at": None if starts_at is None else isoformat(from_datetime(starts_at)),
        "remind_before_s": row.remind_before_s,
        "created_at": isoformat(from_datetime(row.created_at)),
    }


async def subscribe(
    connection: AsyncConnection, user: UUID, endpoint: str, p256dh: bytes, auth: bytes, user_agent: str | None
) -> None:
    """Push to this browser from now on. Raises InvalidInput for keys nothing can be encrypted to, Conflict.

    An endpoint that belongs to somebody else moves only with the same keys: those are the browser's own.
    """
    if not is_point(p256dh) or len(auth) != 16:
        raise InvalidInput("keys: p256dh must be a P-256 public key and auth 16 bytes, in base64url.", field="keys")
    values = {"user_id": user, "p256dh": p256dh, "auth": auth, "user_agent": user_agent}
    statement = insert(PushSubscription).values(id=ids.new_id(), endpoint=endpoint, **values)
    same = sa.or_(
        PushSubscription.user_id == user, sa.and_(PushSubscription.p256dh == p256dh, PushSubscription.auth == auth)
    )
    written = await connection.execute(
        statement.on_conflict_do_update(index_elements=["endpoint"], set_=values, where=same).returning(
            PushSubscription.id
        )
    )
    if written.first() is None:
        raise Conflict("This subscription belongs to somebody else. Have the browser make a new one.")
    newest = (
        sa.select(PushSubscription.id)
        .where(PushSubscription.user_id == user)
        .order_by(PushSubscription.created_at.desc(), PushSubscription.id.desc())
        .limit(SUBSCRIPTIONS_MAX)
    )
    await connection.execute(
        sa.delete(PushSubscription).where(PushSubscription.user_id == user, PushSubscription.id.not_in(newest))
    )


async def unsubscribe_browser(connection: AsyncConnection, user: UUID, endpoint: str) -> None:
    """Push to this browser no more; nothing happens where there was nothing."""
    await connection.execute(
        sa.delete(PushSubscription).where(PushSubscription.user_id == user, PushSubscription.endpoint == endpoint)
    )
