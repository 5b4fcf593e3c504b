"""News for many and reminders, told page by page: a long transaction would hold up every reader of the log.

One announcer works at a time (advisory lock). Reminders are not planned ahead: each look asks the schedule as it is
now who is due, so that a schedule that moves takes its reminders along.
"""

import asyncio
import contextlib
from typing import Any
from uuid import UUID

import msgspec
import structlog

from sothebais import ids
from sothebais.auctions.tables import Auction, Bid
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.clock import Clock, from_datetime, to_datetime
from sothebais.db.engine import CONNECTION_ERRORS, connect
from sothebais.events.cursors import hold_lock
from sothebais.events.tables import DeadLetter, EventLog
from sothebais.instants import Millis
from sothebais.notify import repository, texts
from sothebais.notify.consumer import CONSUMER
from sothebais.notify.model import Lot, LotFacts, Notice, NotificationKind
from sothebais.notify.rules import REMINDER_LATE_MS_MAX, campaign_news, lot_news
from sothebais.notify.tables import Broadcast, Follow, Notification
from sothebais.users.tables import UserPreference

log = structlog.get_logger(__name__)

#: People told in one transaction.
PAGE_MAX = 500
#: Broadcasts taken up in one look.
BROADCASTS_MAX = 20
LOOK_AGAIN_S = 1.0
#: What is kept of notifications and of webhooks' deliveries, once they are done.
KEPT_DAYS = 90
CLEAN_EVERY_S = 3_600.0
CLEAN_ROWS_MAX = 5_000
ERROR_LENGTH_MAX = 2_000

_A, _B, _C, _D = Auction.__tablename__, Bid.__tablename__, Campaign.__tablename__, CampaignDay.__tablename__
_E, _F, _N = EventLog.__tablename__, Follow.__tablename__, Notification.__tablename__
_CASTS, _LETTERS = Broadcast.__tablename__, DeadLetter.__tablename__

_WAITING = f"""
select b.event_id, b.after_user_id, e.type, e.subject, e.timestamp, e.data::text as data
from {_CASTS} b join {_E} e on e.id = b.event_id where b.done_at is null order by b.created_at limit {BROADCASTS_MAX}
"""  # noqa: S608
_BIDDERS = f"select b.user_id from {_B} b where b.auction_id = $1 and b.status = 'ACCEPTED'"  # noqa: S608
_LOT_FOLLOWERS = f"select f.user_id from {_F} f where f.auction_id = $1"  # noqa: S608
_CAMPAIGN_FOLLOWERS = f"select f.user_id from {_F} f where f.campaign_id = $1"  # noqa: S608
_DAY_FOLLOWERS = f"select f.user_id from {_F} f where f.campaign_day_id = $1"  # noqa: S608
_AFTER = f"select distinct user_id from ({{}}) s where user_id > $2 order by user_id limit {PAGE_MAX}"  # noqa: S608
_FIRST_USER = UUID(int=0)
_MOVE = f"update {_CASTS} set after_user_id = $2, done_at = case when $3 then now() end where event_id = $1"  # noqa: S608
_BURY = f"""
insert into {_LETTERS} (id, consumer, event_id, error, attempts) values ($1, '{CONSUMER}', $2, $3, 1)
on conflict (consumer, event_id) do update set error = excluded.error, attempts = {_LETTERS}.attempts + 1
"""  # noqa: S608
_CAMPAIGN = f"select name from {_C} where id = $1"  # noqa: S608

# $1 now, $2 how late a reminder may be
_DUE = "case when f.created_at <= t.at - w.before then t.at - w.before else t.at end"
_WANTED = f"""
  and coalesce(p.auction_reminders and p.notifications, true) and {_DUE} <= $1::timestamptz
"""
_NOT_YET = f"""
  and not exists (select 1 from {_N} n where n.user_id = f.user_id and n.reminds_of = t.id and n.kind = '{{}}')
"""  # noqa: S608
_JOINED = f"""
cross join lateral (select make_interval(secs => f.remind_before_s) as before) w
left join {UserPreference.__tablename__} p on p.user_id = f.user_id
"""
_LOTS_DUE = f"""
select f.user_id, t.id, t.at, t.lot_number, t.currency, e.data ->> 'title' as title
from (
  select a.id, a.starts_at as at, a.lot_number, a.currency from {_A} a
  left join {_D} d on d.id = a.campaign_day_id left join {_C} c on c.id = d.campaign_id
  where a.status in ('SCHEDULED', 'ACTIVE') and a.starts_at > $1::timestamptz - $2::interval
    and a.starts_at <= $1::timestamptz + interval '604800 seconds' and (c.id is null or c.status in ('SCHEDULED', 'ACTIVE'))
) t
join {_F} f on f.auction_id = t.id join {_E} e on e.subject = 'auction:' || t.id::text and e.n = 1 {_JOINED}
where true {_WANTED} {_NOT_YET.format(NotificationKind.AUCTION_REMINDER)}
order by t.at, f.user_id limit {PAGE_MAX}
"""  # noqa: S608
_SESSIONS_DUE = f"""
select distinct on (t.at, t.id, f.user_id) f.user_id, t.id, t.at, t.number, t.campaign_id, t.name
from (
  select d.id, d.pre_auction_at as at, d.number, d.campaign_id, c.name from {_D} d join {_C} c on c.id = d.campaign_id
  where d.status in ('SCHEDULED', 'PRE_AUCTION') and d.pre_auction_at > $1::timestamptz - $2::interval
    and d.pre_auction_at <= $1::timestamptz + interval '604800 seconds' and c.status in ('SCHEDULED', 'ACTIVE')
) t
join {_F} f on f.campaign_day_id = t.id or f.campaign_id = t.campaign_id {_JOINED}
where true {_WANTED} {_NOT_YET.format(NotificationKind.SESSION_REMINDER)}
order by t.at, t.id, f.user_id limit {PAGE_MAX}
"""  # noqa: S608
_CLEAN = (
    f"""
delete from {_N} where id in (select id from {_N} where status <> 'PENDING'
  and created_at < now() - interval '{KEPT_DAYS} days' limit {CLEAN_ROWS_MAX})
""",  # noqa: S608
    f"""
delete from webhook_deliveries where id in (select id from webhook_deliveries where status <> 'PENDING'
  and created_at < now() - interval '{KEPT_DAYS} days' limit {CLEAN_ROWS_MAX})
""",  # noqa: S608
    f"delete from {_CASTS} where done_at < now() - interval '{KEPT_DAYS} days'",  # noqa: S608
)


class Announcer:
    """Tells followers and bidders, and reminds. ``email`` as for the handler."""

    def __init__(self, dsn: str, clock: Clock, *, email: bool) -> None:
        self._dsn = dsn
        self._clock = clock
        self._email = email
        self._wake = asyncio.Event()
        self._cleaned_at: float | None = None

    async def run(self) -> None:
        """Until cancelled; one process at a time. A lost connection is opened again."""
        while True:
            try:
                await self._watch()
            except CONNECTION_ERRORS as error:
                log.warning("announcer.waits_for_database", error=str(error))
                await asyncio.sleep(LOOK_AGAIN_S)

    async def _watch(self) -> None:
        connection = await connect(self._dsn, name="announcer")
        try:
            await hold_lock(connection, "announcer")
            await connection.add_listener(repository.OUTBOX_DOORBELL, lambda *_: self._wake.set())
            while True:
                self._wake.clear()
                told = await self.look(connection)
                await self._clean(connection)
                if not told:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), LOOK_AGAIN_S)
        finally:
            connection.terminate()

    async def look(self, connection: Any) -> bool:
        """Tell one page of everything that is due; whether there may be more."""
        more = False
        for row in await connection.fetch(_WAITING):
            try:
                async with connection.transaction():
                    await self._page(connection, row)
            except Exception as error:
                if connection.is_closed():
                    raise
                # its consumer's dead letters are where an operator looks for it, and has it tried again
                log.warning("announcer.failed", event_id=str(row["event_id"]), error=repr(error))
                async with connection.transaction():
                    await connection.execute(_BURY, ids.new_id(), row["event_id"], repr(error)[:ERROR_LENGTH_MAX])
                    await connection.execute(_MOVE, row["event_id"], row["after_user_id"], True)
            more = True
        now = self._clock.now()
        late = to_datetime(REMINDER_LATE_MS_MAX) - to_datetime(0)
        lots = await connection.fetch(_LOTS_DUE, to_datetime(now), late)
        sessions = await connection.fetch(_SESSIONS_DUE, to_datetime(now), late)
        await self._remind(connection, lots, now, _lot_reminder)
        await self._remind(connection, sessions, now, _session_reminder)
        return more or len(lots) == PAGE_MAX or len(sessions) == PAGE_MAX

    async def _page(self, connection: Any, row: Any) -> None:
        data = msgspec.json.decode(row["data"])
        about, _, text = row["subject"].partition(":")
        subject = UUID(text)
        kind, words, recipients = NotificationKind.CAMPAIGN_NEWS, None, ""
        auction = None
        if about == "auction":
            auction = subject
            facts = LotFacts(lot=await repository.lot(connection, subject))
            kind, words = lot_news(row["type"], data, facts)
            recipients = _BIDDERS if row["type"] == "auction:end" else f"{_BIDDERS} union {_LOT_FOLLOWERS}"
        else:
            words = campaign_news(row["type"], data, await connection.fetchval(_CAMPAIGN, subject))
            recipients = _CAMPAIGN_FOLLOWERS
            if row["type"] == "session:end":
                # who follows the whole campaign hears of the whole campaign
                subject, recipients = UUID(data["day"]), _DAY_FOLLOWERS
        after = row["after_user_id"] or _FIRST_USER
        users = []
        if words is not None:
            found = await connection.fetch(_AFTER.format(recipients), subject, after)
            users = [one["user_id"] for one in found]
            winner = data.get("winner")
            told = [
                Notice(
                    user=user,
                    kind=kind,
                    title=words[0],
                    body=words[1],
                    path=_path(row["subject"]),
                    auction=auction,
                )
                for user in users
                if str(user) != winner
            ]
            now = self._clock.now()
            at = from_datetime(row["timestamp"])
            await repository.tell(connection, told, now, event=row["event_id"], happened_at=at, email=self._email)
        done = len(users) < PAGE_MAX
        await connection.execute(_MOVE, row["event_id"], users[-1] if users else after, done)

    async def _remind(self, connection: Any, rows: list[Any], now: Millis, build: Any) -> None:
        """One transaction per lot or session of the page."""
        by_thing: dict[UUID, list[Any]] = {}
        for row in rows:
            by_thing.setdefault(row["id"], []).append(row)
        for thing, due in by_thing.items():
            async with connection.transaction():
                known = await repository.people(connection, [row["user_id"] for row in due])
                told = [
                    build(row, person.preferences.time_zone) for row in due if (person := known.get(row["user_id"]))
                ]
                await repository.tell(connection, told, now, reminds_of=thing, email=self._email, known=known)

    async def _clean(self, connection: Any) -> None:
        now = self._clock.monotonic()
        if self._cleaned_at is not None and now - self._cleaned_at < CLEAN_EVERY_S:
            return
        self._cleaned_at = now
        for statement in _CLEAN:
            await connection.execute(statement)


def _path(subject: str) -> str:
    kind, _, text = subject.partition(":")
    return f"/auctions/{text}" if kind == "auction" else f"/campaigns/{text}"


def _lot_reminder(row: Any, zone: str) -> Notice:
    at = from_datetime(row["at"])
    lot = Lot(id=row["id"], number=row["lot_number"], title=row["title"], currency=row["currency"])
    title, body = texts.lot_opens(lot, at, zone)
    return Notice(
        user=row["user_id"],
        kind=NotificationKind.AUCTION_REMINDER,
        title=title,
        body=body,
        path=f"/auctions/{lot.id}",
        auction=lot.id,
        details={"starts_at": at},
        expires_at=at + REMINDER_LATE_MS_MAX,
    )


def _session_reminder(row: Any, zone: str) -> Notice:
    at = from_datetime(row["at"])
    title, body = texts.session_opens(row["name"], row["number"], at, zone)
    return Notice(
        user=row["user_id"],
        kind=NotificationKind.SESSION_REMINDER,
        title=title,
        body=body,
        path=f"/campaigns/{row['campaign_id']}",
        details={"starts_at": at},
        expires_at=at + REMINDER_LATE_MS_MAX,
    )
