"""The SQL of notifications, on asyncpg connections of workers that do nothing else.

Nothing here reads a table that holds a secret.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from sothebais import ids
from sothebais.auctions.tables import Auction, Bid
from sothebais.clock import to_datetime
from sothebais.errors import NotFound
from sothebais.events.log import DOORBELL, canonical
from sothebais.events.tables import EventLog, LogEpoch
from sothebais.events.types.base import Source
from sothebais.instants import Millis
from sothebais.notify.model import (
    DeliveryStatus,
    Lot,
    LotFacts,
    Notice,
    NotificationChannel,
    NotificationKind,
    Person,
    Preferences,
)
from sothebais.notify.rules import COLLAPSE_MS, deliveries
from sothebais.notify.tables import Notification, PushSubscription
from sothebais.users.tables import User, UserPreference

#: The NOTIFY channel that wakes dispatchers; it carries nothing but the fact.
OUTBOX_DOORBELL = "sothebais_outbox"
SUPERSEDED = "A newer one took its place."

_N, _P = Notification.__tablename__, UserPreference.__tablename__
_A, _B, _E = Auction.__tablename__, Bid.__tablename__, EventLog.__tablename__

_PEOPLE = f"""
select u.id, u.email is not null as email, p.notifications, p.bid_confirmations, p.outbid_alerts, p.auction_reminders,
  p.by_email, p.time_zone, p.quiet_hours::text as quiet_hours,
  exists (select 1 from {PushSubscription.__tablename__} s where s.user_id = u.id) as push
from {User.__tablename__} u left join {_P} p on p.user_id = u.id
where u.id = any($1::uuid[]) and u.erased_at is null
"""  # noqa: S608
_LOT = f"""
select a.id, a.lot_number, a.currency, e.data ->> 'title' as title
from {_A} a join {_E} e on e.subject = 'auction:' || a.id::text and e.n = 1 where a.id = $1
"""  # noqa: S608
#: Of the lot's earlier events the last that says who leads.
_LEADER_BEFORE = f"""
select (data ->> 'leader')::uuid from {_E}
where subject = $1 and n < $2 and type in ('auction:bid:accepted', 'auction:bid:voided') order by n desc limit 1
"""  # noqa: S608
_BIDDER = f"select user_id from {_B} where id = $1"  # noqa: S608
_TELL = f"""
insert into {_N} (id, user_id, event_id, reminds_of, kind, channel, auction_id, title, body, data, status,
  next_attempt_at, expires_at, sent_at)
select id, user_id, event_id, reminds_of, kind, channel, auction_id, title, body, data, status,
  next_attempt_at, expires_at, sent_at
from jsonb_to_recordset($1::jsonb) as v(id uuid, user_id uuid, event_id uuid, reminds_of uuid, kind text, channel text,
  auction_id uuid, title text, body text, data jsonb, status text, next_attempt_at timestamptz, expires_at timestamptz,
  sent_at timestamptz)
on conflict do nothing returning id, user_id, kind, channel, auction_id, status
"""  # noqa: S608
#: The older ones whose place the new one ($1) takes: not yet sent, or in the app since less than a moment.
_SUPERSEDE = f"""
update {_N} o set status = 'SUPPRESSED', sent_at = null, next_attempt_at = null, error = $2,
  read_at = case when o.channel = 'IN_APP' then now() end
from {_N} n
where n.id = $1 and o.id <> n.id and o.user_id = n.user_id and o.auction_id = n.auction_id and o.kind = n.kind
  and o.channel = n.channel and (
    (o.status = 'PENDING' and o.attempts = 0)
    or (n.channel = 'IN_APP' and n.kind = 'OUTBID' and o.status = 'SENT' and o.read_at is null
        and (o.created_at > n.created_at - make_interval(secs => $3 / 1000.0)
             or (o.data ->> 'at')::bigint > (n.data ->> 'at')::bigint - $3)
        and o.id < n.id))
returning o.id, o.user_id, o.kind, o.channel
"""  # noqa: S608
_APPEND = f"""
insert into {_E} (id, epoch, timestamp, type, source, subject, causation_id, data)
select v.id, (select max(epoch) from {LogEpoch.__tablename__}), $1, 'user:notified', '{Source.EVENT_HANDLER}',
  v.subject, v.cause, v.data::jsonb
from unnest($2::uuid[], $3::text[], $4::uuid[], $5::text[]) as v(id, subject, cause, data)
"""  # noqa: S608


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one notification, for its event."""

    id: UUID
    user: UUID
    kind: str
    channel: str
    status: DeliveryStatus
    cause: UUID | None = None
    reason: str | None = None


async def people(connection: Any, users: Iterable[UUID]) -> dict[UUID, Person]:
    """Those of them that exist, with their preferences and the ways to reach them."""
    found = {}
    for row in await connection.fetch(_PEOPLE, list(users)):
        wants = Preferences()
        if row["notifications"] is not None:
            quiet = None if row["quiet_hours"] is None else msgspec.json.decode(row["quiet_hours"])
            wants = Preferences(
                notifications=row["notifications"],
                bid_confirmations=row["bid_confirmations"],
                outbid_alerts=row["outbid_alerts"],
                auction_reminders=row["auction_reminders"],
                by_email=row["by_email"],
                time_zone=row["time_zone"],
                quiet_hours=None if quiet is None else (quiet["from"], quiet["to"]),
            )
        found[row["id"]] = Person(user=row["id"], preferences=wants, email=row["email"], push=row["push"])
    return found


async def lot(connection: Any, auction: UUID) -> Lot:
    """A lot as notifications name it. Raises NotFound."""
    row = await connection.fetchrow(_LOT, auction)
    if row is None:
        raise NotFound(f"There is no auction {auction}.")
    return Lot(id=row["id"], number=row["lot_number"], title=row["title"], currency=row["currency"])


async def facts(connection: Any, auction: UUID, n: int | None, voided: str | None) -> LotFacts:
    """What the rules need besides an event of a lot. Raises NotFound."""
    leader = None if n is None else await connection.fetchval(_LEADER_BEFORE, f"auction:{auction}", n)
    bidder = None if voided is None else await connection.fetchval(_BIDDER, UUID(voided))
    return LotFacts(lot=await lot(connection, auction), leader_before=leader, voided_bidder=bidder)


async def tell(
    connection: Any,
    notices: Sequence[Notice],
    now: Millis,
    *,
    event: UUID | None = None,
    reminds_of: UUID | None = None,
    happened_at: Millis | None = None,
    email: bool = True,
    known: dict[UUID, Person] | None = None,
) -> int:
    """Write what people are told, in the caller's transaction; how many rows were new.

    Called again for the same cause it writes nothing. In-app notifications are out with the commit, their event with
    them; the others wait for a dispatcher. ``email`` is false in a house that cannot send any.
    """
    if known is None:
        known = await people(connection, {notice.user for notice in notices})
    rows = []
    for notice in notices:
        person = known.get(notice.user)
        if person is None:
            continue  # gone since
        for delivery in deliveries(person, notice.kind, now):
            if delivery.channel is NotificationChannel.EMAIL and not email:
                continue
            in_app = delivery.channel is NotificationChannel.IN_APP
            rows.append(
                {
                    "id": ids.new_id(),
                    "user_id": notice.user,
                    "event_id": event,
                    "reminds_of": reminds_of,
                    "kind": notice.kind,
                    "channel": delivery.channel,
                    "auction_id": notice.auction,
                    "title": notice.title,
                    "body": notice.body,
                    "data": notice.details | {"path": notice.path, "at": happened_at or now},
                    "status": DeliveryStatus.SENT if in_app else DeliveryStatus.PENDING,
                    "next_attempt_at": None if in_app else to_datetime(delivery.at),
                    "expires_at": None if notice.expires_at is None else to_datetime(notice.expires_at),
                    "sent_at": to_datetime(now) if in_app else None,
                }
            )
    if not rows:
        return 0
    written = await connection.fetch(_TELL, msgspec.json.encode(rows).decode())
    told = []
    for row in written:
        window = COLLAPSE_MS.get(NotificationKind(row["kind"]))
        if window is not None and row["auction_id"] is not None:
            told += [
                _told(older, DeliveryStatus.SUPPRESSED, event, SUPERSEDED)
                for older in await connection.fetch(_SUPERSEDE, row["id"], SUPERSEDED, window)
            ]
        if row["status"] == DeliveryStatus.SENT:
            told.append(_told(row, DeliveryStatus.SENT, event))
    await append(connection, told, now)
    if any(row["status"] == DeliveryStatus.PENDING for row in written):
        await ring(connection)
    return len(written)


async def append(connection: Any, told: Sequence[Told], now: Millis) -> None:
    """Write ``user:notified`` for each, in the caller's transaction."""
    if not told:
        return
    data = [
        {
            "user": str(one.user),
            "notification": str(one.id),
            "kind": one.kind,
            "channel": one.channel,
            "status": str(one.status),
            "reason": one.reason,
        }
        for one in told
    ]
    await connection.execute(
        _APPEND,
        to_datetime(now),
        [ids.new_id() for _ in told],
        [f"user:{one.user}" for one in told],
        [one.cause for one in told],
        [canonical(one).decode() for one in data],
    )
    await connection.execute("select pg_notify($1, '')", DOORBELL)


async def ring(connection: Any) -> None:
    """Wake the dispatchers when the caller's transaction commits."""
    await connection.execute("select pg_notify($1, '')", OUTBOX_DOORBELL)


def _told(row: Any, status: DeliveryStatus, cause: UUID | None, reason: str | None = None) -> Told:
    return Told(
        id=row["id"],
        user=row["user_id"],
        kind=row["kind"],
        channel=row["channel"],
        status=status,
        cause=cause,
        reason=reason,
    )
