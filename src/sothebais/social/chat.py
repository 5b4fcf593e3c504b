"""The room of an auction: lines, slow mode, mutes, hiding. Every change is one transaction with its event.

The log has the ids of lines, never their texts: what people write must be erasable, and the log never changes.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from prometheus_client import Counter
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import ids, moderation
from sothebais.auctions.machine import OVER
from sothebais.auctions.model import Status
from sothebais.auctions.tables import Auction
from sothebais.campaigns.model import CampaignStatus
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.config import Settings
from sothebais.errors import ConfigurationError, Conflict, Forbidden, InvalidInput, NotFound, RateLimited
from sothebais.events import log
from sothebais.events.actions import Actor, action, checked_reason
from sothebais.events.types.base import Source
from sothebais.instants import Millis, from_datetime, isoformat, to_datetime
from sothebais.moderation import Words
from sothebais.social.tables import ChatMessage, ChatMute, ChatRoom
from sothebais.users.tables import Role, SocialAccount, User

REFUSED = Counter("sothebais_chat_refusals_total", "Lines that were not taken, by reason", ["reason"])
PAGE_MAX = 200
#: The same line by the same person is refused for so long.
DUPLICATE_S = 120
#: Lines of a person that are compared with a new one.
DUPLICATES_LOOKED_AT = 20
#: A room closes so long after its lot is over.
ROOM_OPEN_AFTER_S = 86_400
MUTE_MINUTES_MAX = 30 * 24 * 60
SLOW_S_MAX = 3_600
WORDS_FILE_BYTES_MAX = 1_000_000

#: Whose account is of this platform is the house's AI host. Nobody can sign in by one.
HOST_PLATFORM = "host"

_STAFF = frozenset({Role.OPERATOR, Role.ADMIN})


def load_words(settings: Settings) -> Words:
    """The words of the house's file, else the short list. Raises ConfigurationError for a file that cannot be read."""
    path: Path | None = settings.chat_words_file
    if path is None:
        return moderation.words_of(moderation.DEFAULT_WORDS)
    try:
        with path.open("rb") as file:
            source = file.read(WORDS_FILE_BYTES_MAX + 1)
        text = source.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"SOTHEBAIS_CHAT_WORDS_FILE: {path} cannot be read as UTF-8 text.") from error
    if len(source) > WORDS_FILE_BYTES_MAX:
        raise ConfigurationError(f"SOTHEBAIS_CHAT_WORDS_FILE: {path} is longer than {WORDS_FILE_BYTES_MAX} bytes.")
    return moderation.words_of(text.splitlines())


class RoomPolicy(msgspec.Struct, frozen=True):
    """What the house refuses everywhere, and the slow mode of rooms for which staff set none."""

    words: Words
    slow_s: int


_IS_HOST = sa.exists().where(SocialAccount.user_id == ChatMessage.user_id, SocialAccount.platform == HOST_PLATFORM)
_LINES = (
    sa.select(ChatMessage.__table__, User.name.label("handle"), User.role, _IS_HOST.label("host"))
    .join(User, User.id == ChatMessage.user_id)
    .order_by(ChatMessage.number.desc())
)


async def page(
    engine: AsyncEngine, auction: UUID, *, before: int | None = None, since: int | None = None, limit: int = 50
) -> dict[str, Any]:
    """Lines, newest first: those before a number, or those after one, the oldest of these first to come.

    ``next`` goes on in the same direction. A hidden line is there without its text, so that pages take it off.
    """
    limit = min(limit, PAGE_MAX)
    statement = _LINES.where(ChatMessage.auction_id == auction).limit(limit + 1)
    if since is not None:
        statement = statement.where(ChatMessage.number > since).order_by(None).order_by(ChatMessage.number)
    elif before is not None:
        statement = statement.where(ChatMessage.number < before)
    async with engine.connect() as connection:
        slow_s = await _slow_of(connection, auction)
        rows = (await connection.execute(statement)).all()
    shown = rows[:limit]
    following = shown[-1].number if len(rows) > limit else None
    items = [line(row) for row in shown]
    return {"items": items[::-1] if since is not None else items, "next": following, "slow_s": slow_s}


async def find(engine: AsyncEngine, messages: list[UUID]) -> dict[UUID, dict[str, Any]]:
    """Lines by their ids, for a live gateway that tells of many at once."""
    async with engine.connect() as connection:
        rows = (await connection.execute(_LINES.where(ChatMessage.id.in_(messages[:PAGE_MAX])))).all()
    return {row.id: line(row) for row in rows}


async def write(
    engine: AsyncEngine, auction: UUID, user: UUID, text: str, policy: RoomPolicy, now: Millis
) -> dict[str, Any]:
    """Say a line. Raises InvalidInput (with ``reason``), Forbidden, Conflict (a duplicate, a closed room) or RateLimited."""
    plain = moderation.clean(text[: moderation.RAW_LENGTH_MAX + 1])
    refused = moderation.refusal(plain, policy.words)
    if len(text) > moderation.RAW_LENGTH_MAX:
        refused = moderation.Refusal.TOO_LONG
    if refused is not None:
        REFUSED.labels(str(refused)).inc()
        raise InvalidInput(moderation.SENTENCES[refused], field="text", reason=str(refused))
    async with engine.begin() as connection:
        # writers of a room take turns, so that its numbers rise in the order of the commits
        await connection.execute(
            sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"chat:{auction}", 0)))
        )
        slow_s = await _open_room(connection, auction, policy, now)
        await _may_write(connection, user, now)
        await _in_turn(connection, auction, user, plain, slow_s, now)
        key = ids.new_id()
        await connection.execute(
            sa.insert(ChatMessage).values(
                id=key, auction_id=auction, user_id=user, text=plain, created_at=to_datetime(now)
            )
        )
        data = {"message": str(key), "auction": str(auction), "user": str(user)}
        await log.append(connection, [_event(auction, data, now)])
        row = (await connection.execute(_LINES.where(ChatMessage.id == key))).one()
        return line(row)


async def hide(
    engine: AsyncEngine, auction: UUID, message: UUID, now: Millis, *, actor: Actor, reason: str
) -> dict[str, Any]:
    """Take a line off the pages; its text is kept for the staff. Hiding it again changes nothing."""
    reason = checked_reason(reason)
    async with engine.begin() as connection:
        statement = _LINES.where(ChatMessage.id == message, ChatMessage.auction_id == auction)
        row = (await connection.execute(statement.with_for_update(of=ChatMessage))).one_or_none()
        if row is None:
            raise NotFound("There is no such line in this room.")
        if row.hidden_at is None:
            await connection.execute(
                sa.update(ChatMessage)
                .where(ChatMessage.id == message)
                .values(hidden_at=to_datetime(now), hidden_by_id=actor.user, hidden_reason=reason)
            )
            data = {
                "message": str(message),
                "auction": str(auction),
                "user": str(row.user_id),
                "hidden": True,
                "actor": str(actor.user),
                "reason": reason,
            }
            await log.append(connection, [_event(auction, data, now, actor)])
        return line(row) | {"hidden": True, "text": None}


async def set_slow(engine: AsyncEngine, auction: UUID, seconds: int, now: Millis, *, actor: Actor, reason: str) -> None:
    """Have everybody write one line in so many seconds in this room; 0 ends it."""
    reason = checked_reason(reason)
    if not 0 <= seconds <= SLOW_S_MAX:
        raise InvalidInput(f"slow_s: 0 to {SLOW_S_MAX} seconds.", field="slow_s")
    async with engine.begin() as connection:
        await _slow_of(connection, auction)
        at = to_datetime(now)
        await connection.execute(
            insert(ChatRoom)
            .values(auction_id=auction, slow_s=seconds, updated_at=at)
            .on_conflict_do_update(index_elements=[ChatRoom.auction_id], set_={"slow_s": seconds, "updated_at": at})
        )
        await log.append(
            connection,
            [action(actor, "chat.slow", f"auction:{auction}", at=now, reason=reason, changed=["slow_s"])],
        )


async def mute(
    engine: AsyncEngine, user: UUID, minutes: int, now: Millis, *, actor: Actor, reason: str
) -> dict[str, Any]:
    """Keep somebody from writing for a while. Nobody of the staff can be muted."""
    reason = checked_reason(reason)
    if not 1 <= minutes <= MUTE_MINUTES_MAX:
        raise InvalidInput(f"minutes: 1 to {MUTE_MINUTES_MAX}.", field="minutes")
    until = now + minutes * 60_000
    async with engine.begin() as connection:
        role = (await connection.execute(sa.select(User.role).where(User.id == user))).scalar_one_or_none()
        if role is None:
            raise NotFound("There is nobody with this id.")
        if role in _STAFF:
            raise Forbidden("Staff cannot be muted.")
        values = {
            "until": to_datetime(until), "reason": reason, "by_id": actor.user, "created_at": to_datetime(now)
        }  # fmt: skip
        await connection.execute(
            insert(ChatMute)
            .values(user_id=user, **values)
            .on_conflict_do_update(index_elements=[ChatMute.user_id], set_=values)
        )
        await log.append(connection, [action(actor, "user.mute", f"user:{user}", at=now, reason=reason)])
    return {"user_id": str(user), "until": isoformat(until), "reason": reason}


async def unmute(engine: AsyncEngine, user: UUID, now: Millis, *, actor: Actor) -> None:
    """Let somebody write again. NotFound for somebody who is not muted."""
    async with engine.begin() as connection:
        gone = await connection.execute(sa.delete(ChatMute).where(ChatMute.user_id == user).returning(ChatMute.user_id))
        if gone.first() is None:
            raise NotFound("Nobody with this id is muted.")
        await log.append(connection, [action(actor, "user.unmute", f"user:{user}", at=now)])


def line(row: Any) -> dict[str, Any]:
    """A line as the pages show it."""
    return {
        "id": str(row.id),
        "number": row.number,
        "auction_id": str(row.auction_id),
        "user": {"id": str(row.user_id), "handle": row.handle},
        "staff": row.role in _STAFF,
        "host": row.host,
        "text": None if row.hidden_at is not None else row.text,
        "hidden": row.hidden_at is not None,
        "created_at": isoformat(from_datetime(row.created_at)),
    }


async def _slow_of(connection: AsyncConnection, auction: UUID) -> int | None:
    """The slow mode staff set. NotFound without such a room; the rooms of drafts are their owners' business."""
    row = (await connection.execute(_room(auction))).one_or_none()
    if row is None:
        raise NotFound("There is no auction with this id.")
    return None if row.slow_s is None else int(row.slow_s)


def _room(auction: UUID) -> Any:
    return (
        sa.select(Auction.status, Auction.ended_at, ChatRoom.slow_s)
        .outerjoin(ChatRoom, ChatRoom.auction_id == Auction.id)
        .outerjoin(CampaignDay, CampaignDay.id == Auction.campaign_day_id)
        .outerjoin(Campaign, Campaign.id == CampaignDay.campaign_id)
        .where(Auction.id == auction, Campaign.status.is_distinct_from(CampaignStatus.DRAFT))
    )


async def _open_room(connection: AsyncConnection, auction: UUID, policy: RoomPolicy, now: Millis) -> int:
    row = (await connection.execute(_room(auction))).one_or_none()
    if row is None:
        raise NotFound("There is no auction with this id.")
    ended_at = None if row.ended_at is None else from_datetime(row.ended_at)
    late = ended_at is not None and ended_at + ROOM_OPEN_AFTER_S * 1_000 <= now
    if row.status is Status.CANCELLED or (row.status in OVER and late):
        raise Conflict("This room is closed.", auction_status=str(row.status))
    return policy.slow_s if row.slow_s is None else int(row.slow_s)


async def _may_write(connection: AsyncConnection, user: UUID, now: Millis) -> None:
    statement = (
        sa.select(User.blocked, ChatMute.until)
        .outerjoin(ChatMute, sa.and_(ChatMute.user_id == User.id, ChatMute.until > to_datetime(now)))
        .where(User.id == user)
    )
    row = (await connection.execute(statement)).one()
    if row.blocked:
        raise Forbidden("You are blocked and cannot write in the rooms.")
    if row.until is not None:
        until = isoformat(from_datetime(row.until))
        raise Forbidden(f"You are muted until {until}.", until=until)


async def _in_turn(
    connection: AsyncConnection, auction: UUID, user: UUID, plain: str, slow_s: int, now: Millis
) -> None:
    """Slow mode and duplicates, by what the person has written here."""
    since = to_datetime(now) - timedelta(seconds=max(DUPLICATE_S, slow_s))
    statement = (
        sa.select(ChatMessage.text, ChatMessage.created_at)
        .where(ChatMessage.auction_id == auction, ChatMessage.user_id == user, ChatMessage.created_at > since)
        .order_by(ChatMessage.number.desc())
        .limit(DUPLICATES_LOOKED_AT)
    )
    rows = (await connection.execute(statement)).all()
    if slow_s and rows:
        wait = slow_s - (now - from_datetime(rows[0].created_at)) / 1_000
        if wait > 0:
            raise RateLimited(f"This room is in slow mode. Wait {wait:.1f} s.", retry_after=wait)
    folded = moderation.fold(plain)
    oldest = now - DUPLICATE_S * 1_000
    if any(from_datetime(row.created_at) > oldest and moderation.fold(row.text) == folded for row in rows):
        raise Conflict("You have just said this.", reason="DUPLICATE")


def _event(auction: UUID, data: dict[str, Any], at: Millis, actor: Actor | None = None) -> log.Record:
    # about the lot, so that its followers get it; outside its chain, so that it has no number
    return log.event(
        "chat:message",
        f"auction:{auction}",
        data,
        at=at,
        source=Source.SOCIAL if actor is None else Source.ADMIN_FRONTEND,
        correlation_id=None if actor is None else actor.correlation,
    )
