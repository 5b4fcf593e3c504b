"""What e-mail and web push share: their rows in ``notifications``."""

from collections.abc import Sequence
from typing import Any

from sothebais.clock import Clock, to_datetime
from sothebais.notify import repository
from sothebais.notify.dispatcher import ERROR_LENGTH_MAX, LEASE_S, GiveUp, Outcome, Sent, Suppressed, TryAgain
from sothebais.notify.model import DeliveryStatus, NotificationChannel
from sothebais.notify.rules import OBLIGATIONS
from sothebais.notify.tables import Notification

#: Wait after each failed try; one more failure than there are waits and it is given up.
BACKOFF_S = (5, 30, 120, 600, 1_800, 3_600, 7_200)
ATTEMPTS_MAX = len(BACKOFF_S) + 1
LEASE_LOST = "The dispatcher died while sending, each time."
EXPIRED = "It was too late to be of use."
STALE = "It was not true any more."
TURNED_OFF = "It was turned off in the meantime."

TOO_MANY = "There were too many within an hour."
#: E-mails, or pushes, of one person within an hour; what binds them comes all the same.
HOURLY_MAX = 60

_N = Notification.__tablename__
_ALWAYS = "({})".format(", ".join(f"'{kind}'" for kind in sorted(OBLIGATIONS)))
# outbid is stale when the person leads again or the lot takes no bids any more
_CLAIM = f"""
with due as materialized (
  select id from {_N} where status = 'PENDING' and channel = $1 and next_attempt_at <= now()
  order by next_attempt_at limit $2 for update skip locked
)
update {_N} n set attempts = n.attempts + 1, next_attempt_at = now() + interval '{LEASE_S} seconds'
from due
where n.id = due.id
returning n.id, n.user_id, n.event_id, n.kind, n.channel, n.auction_id, n.title, n.body, n.data::text as data, n.attempts,
  coalesce(n.expires_at <= now(), false) as expired,
  n.kind = 'OUTBID' and exists (
    select 1 from auctions a where a.id = n.auction_id
      and (a.leader_id is not distinct from n.user_id or a.status not in ('ACTIVE', 'PAUSED'))) as stale,
  exists (
    select 1 from user_preferences p where p.user_id = n.user_id
      and (not p.notifications or (n.channel = 'EMAIL' and not p.by_email))) as turned_off,
  n.kind not in {_ALWAYS} and (
    select count(*) from {_N} m where m.user_id = n.user_id and m.channel = n.channel and m.status = 'SENT'
      and m.created_at > now() - interval '1 hour') >= {HOURLY_MAX} as too_many
"""  # noqa: S608
_FINISH = f"""
update {_N} set status = $3::text, sent_at = case when $3::text = 'SENT' then $4::timestamptz end, next_attempt_at = null, error = $5
where id = $1 and status = 'PENDING' and attempts = $2 returning id
"""  # noqa: S608
_AGAIN = f"""
update {_N} set next_attempt_at = now() + make_interval(secs => $3), error = $4
where id = $1 and status = 'PENDING' and attempts = $2
"""  # noqa: S608


class NotificationOutbox:
    """Rows of one channel; how one is sent is its subclass's business (``send_one``)."""

    channel: NotificationChannel

    def __init__(self, clock: Clock, *, backoff_s: Sequence[float] = BACKOFF_S) -> None:
        self._clock = clock
        self._backoff_s = backoff_s
        self.name = self.channel.lower()

    async def send_one(self, row: Any) -> Outcome:
        """Send it by this channel."""
        raise NotImplementedError

    async def prepare(self, connection: Any, rows: Sequence[Any]) -> None:
        """Read what sending these rows needs."""

    async def concluded(self, connection: Any, row: Any, outcome: Outcome) -> None:
        """Write what else follows from an outcome."""

    async def claim(self, connection: Any, limit: int) -> Sequence[Any]:
        """Rows that are due."""
        rows: Sequence[Any] = await connection.fetch(_CLAIM, self.channel, limit)
        if rows:
            await self.prepare(connection, rows)
        return rows

    async def send(self, row: Any) -> Outcome:
        """Send one, unless there is a reason not to."""
        if row["attempts"] > len(self._backoff_s) + 1:
            return GiveUp(LEASE_LOST)
        if row["expired"]:
            return Suppressed(EXPIRED)
        if row["stale"]:
            return Suppressed(STALE)
        if row["turned_off"]:
            return Suppressed(TURNED_OFF)
        if row["too_many"]:
            return Suppressed(TOO_MANY)
        return await self.send_one(row)

    async def finish(self, connection: Any, row: Any, outcome: Outcome) -> None:
        """Mark the row and say so, unless somebody else has it by now."""
        await self.concluded(connection, row, outcome)
        if isinstance(outcome, TryAgain) and row["attempts"] <= len(self._backoff_s):
            wait = max(self._backoff_s[row["attempts"] - 1], outcome.after_s or 0)
            await connection.execute(_AGAIN, row["id"], row["attempts"], wait, outcome.error[:ERROR_LENGTH_MAX])
            return
        now = self._clock.now()
        match outcome:
            case Sent():
                status, reason = DeliveryStatus.SENT, None
            case Suppressed(reason=why):
                status, reason = DeliveryStatus.SUPPRESSED, why
            case TryAgain(error=why) | GiveUp(error=why):
                status, reason = DeliveryStatus.FAILED, why
        reason = None if reason is None else reason[:ERROR_LENGTH_MAX]
        mine = await connection.fetchval(_FINISH, row["id"], row["attempts"], status, to_datetime(now), reason)
        if mine is not None:
            told = repository.Told(
                id=row["id"],
                user=row["user_id"],
                kind=row["kind"],
                channel=row["channel"],
                status=status,
                cause=row["event_id"],
                reason=reason,
            )
            await repository.append(connection, [told], now)

    async def close(self) -> None:
        """Nothing to let go."""
