"""Outgoing webhooks by the Standard Webhooks specification: one signed POST per event, tried again, then given up.

A delivery given up is the webhook's dead letter: it stays, with the error, until an operator has it tried again.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import structlog

from sothebais import ids
from sothebais.clock import Clock, to_datetime
from sothebais.events.cursors import LoggedEvent, event_of
from sothebais.events.log import DOORBELL, canonical
from sothebais.events.tables import EventLog, LogEpoch
from sothebais.events.types.base import Source
from sothebais.instants import Millis
from sothebais.notify import repository
from sothebais.notify.discord import message
from sothebais.notify.dispatcher import ERROR_LENGTH_MAX, LEASE_S, GiveUp, Outcome, Sent, Suppressed, TryAgain
from sothebais.notify.model import DeliveryStatus, WebhookFormat
from sothebais.notify.outgoing import Answer, Outgoing
from sothebais.notify.tables import Webhook, WebhookDelivery
from sothebais.users.secret_box import SecretBox

log = structlog.get_logger(__name__)

CONSUMER = "webhooks"
SECRET_BYTES = 32
SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix is the specification's
#: After a rotation the former secret signs so long beside the new one.
ROTATION_S = 24 * 3_600
#: Waits after failed tries; over about 19 hours in all.
BACKOFF_S = (5, 30, 300, 1_800, 7_200, 18_000, 36_000)
ATTEMPTS_MAX = len(BACKOFF_S) + 1
#: So many deliveries given up in a row turn a webhook off.
FAILURES_MAX = 5
#: Deliveries of one webhook that may wait; more are given up at once, with a word why.
WAITING_MAX = 10_000
#: One slow receiver holds so many places of a dispatcher at most.
CLAIMED_OF_ONE_MAX = 4
GONE = 410
FULL = "Too many deliveries were waiting. Have it tried again when they are through."
DIED = "The dispatcher died while sending, each time."
OFF = "The webhook was turned off."

_W, _D, _E = Webhook.__tablename__, WebhookDelivery.__tablename__, EventLog.__tablename__
_WANTING = f"""
select w.id, (select count(*) from (
    select 1 from {_D} d where d.webhook_id = w.id and d.status = 'PENDING' limit {WAITING_MAX}) s) as waiting
from {_W} w
where w.disabled_at is null and w.created_at <= $2 and (w.event_types = '[]'::jsonb or w.event_types ? $1)
"""  # noqa: S608
_QUEUE = f"""
insert into {_D} (id, webhook_id, event_id, status, next_attempt_at, error)
select v.id, v.webhook_id, $1, case when v.queued then 'PENDING' else 'FAILED' end, case when v.queued then now() end,
  case when not v.queued then $5 end
from unnest($2::uuid[], $3::uuid[], $4::bool[]) as v(id, webhook_id, queued) on conflict do nothing
"""  # noqa: S608
_CLAIM = f"""
with due as materialized (
  select id from {_D} where status = 'PENDING' and next_attempt_at <= now() and id in (
    select id from (
      select id, next_attempt_at, row_number() over (partition by webhook_id order by next_attempt_at, id) as place
      from {_D} where status = 'PENDING' and next_attempt_at <= now()) s
    where place <= {CLAIMED_OF_ONE_MAX} order by next_attempt_at, id limit $1)
  for update skip locked
)
update {_D} d set attempts = d.attempts + 1, next_attempt_at = now() + interval '{LEASE_S} seconds'
from due, {_W} w, {_E} e
where d.id = due.id and w.id = d.webhook_id and e.id = d.event_id
returning d.id, d.webhook_id, d.event_id, d.attempts, w.url, w.format, w.secret, w.disabled_at,
  case when w.previous_secret_until > now() then w.previous_secret end as previous_secret,
  e.epoch, e.xid::text::bigint as xid, e.seq, e.n, e.timestamp, e.type, e.source, e.version, e.subject,
  e.correlation_id, e.causation_id, e.data::text as data, e.prev_hash, e.hash
"""  # noqa: S608
_FINISH = f"""
update {_D} set status = $3::text, delivered_at = case when $3::text = 'SENT' then now() end, next_attempt_at = null,
  response_status = $4, error = $5 where id = $1 and status = 'PENDING' and attempts = $2 returning id
"""  # noqa: S608
_AGAIN = f"""
update {_D} set next_attempt_at = now() + make_interval(secs => $3), response_status = $4, error = $5
where id = $1 and status = 'PENDING' and attempts = $2
"""  # noqa: S608
_WORKS = f"update {_W} set failures = 0 where id = $1 and failures > 0"  # noqa: S608
_FAILED = f"""
update {_W} set failures = failures + 1,
  disabled_at = case when failures + 1 >= {FAILURES_MAX} or $2 then now() end
where id = $1 and disabled_at is null returning name, failures, disabled_at is not null as disabled
"""  # noqa: S608
_STOP = f"""
update {_D} set status = 'FAILED', next_attempt_at = null, error = $2 where webhook_id = $1 and status = 'PENDING'
"""  # noqa: S608
_SAY = f"""
insert into {_E} (id, epoch, timestamp, type, source, subject, data)
select $1, (select max(epoch) from {LogEpoch.__tablename__}), $2, 'system:error', '{Source.EVENT_HANDLER}', $3, $4::jsonb
"""  # noqa: S608


def new_secret() -> bytes:
    """A fresh signing secret."""
    return secrets.token_bytes(SECRET_BYTES)


def context(webhook: UUID) -> str:
    """What a webhook's secret is sealed with, so that it opens for no other."""
    return f"webhook:{webhook}"


def shown(secret: bytes) -> str:
    """A secret as its receiver configures it: ``whsec_…``."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def headers(event: UUID, at: Millis, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The three headers of a signed webhook; one signature per key."""
    seconds = str(at // 1_000)
    signed = b".".join((str(event).encode(), seconds.encode(), body))
    signatures = (base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys)
    return {
        "webhook-id": str(event),
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        "content-type": "application/json",
    }


class WebhookHandler:
    """The durable consumer that queues a delivery for each webhook that wants an event."""

    async def __call__(self, connection: Any, event: LoggedEvent) -> None:
        """Queue it, in the transaction that moves the cursor. Safe to do again."""
        wanting = await connection.fetch(_WANTING, event.type, to_datetime(event.timestamp))
        if not wanting:
            return
        new = [ids.new_id() for _ in wanting]
        hooks = [row["id"] for row in wanting]
        await connection.execute(_QUEUE, event.id, new, hooks, [row["waiting"] < WAITING_MAX for row in wanting], FULL)
        await repository.ring(connection)


class WebhookOutbox:
    """Sends deliveries."""

    name = "webhooks"

    def __init__(
        self, clock: Clock, outgoing: Outgoing, box: SecretBox, *, backoff_s: Sequence[float] = BACKOFF_S
    ) -> None:
        self._clock = clock
        self._outgoing = outgoing
        self._box = box
        self._backoff_s = backoff_s

    async def claim(self, connection: Any, limit: int) -> Sequence[Any]:
        """Deliveries that are due."""
        rows: Sequence[Any] = await connection.fetch(_CLAIM, limit)
        return rows

    async def send(self, row: Any) -> Outcome:
        """Send one."""
        if row["disabled_at"] is not None:
            return GiveUp(OFF)
        if row["attempts"] > len(self._backoff_s) + 1:
            return GiveUp(DIED)
        event = event_of({**row, "id": row["event_id"]})  # the row's own id is the delivery's
        answer = await post(
            self._outgoing,
            url=row["url"],
            format=WebhookFormat(row["format"]),
            id=event.id,
            at=self._clock.now(),
            body=message(event) if row["format"] == WebhookFormat.DISCORD else event.message(),
            keys=[
                self._box.open(sealed, context(row["webhook_id"]))
                for sealed in (row["secret"], row["previous_secret"])
                if sealed is not None
            ],
        )
        return judge(answer)

    async def finish(self, connection: Any, row: Any, outcome: Outcome) -> None:
        """Mark the delivery; turn off a webhook that fails too often."""
        status = None if isinstance(outcome, Suppressed) else outcome.status
        error = outcome.error[:ERROR_LENGTH_MAX] if isinstance(outcome, TryAgain | GiveUp) else None
        if isinstance(outcome, TryAgain) and row["attempts"] <= len(self._backoff_s):
            wait = max(self._backoff_s[row["attempts"] - 1], outcome.after_s or 0)
            await connection.execute(_AGAIN, row["id"], row["attempts"], wait, status, error)
            return
        end = DeliveryStatus.SENT if isinstance(outcome, Sent) else DeliveryStatus.FAILED
        if await connection.fetchval(_FINISH, row["id"], row["attempts"], end, status, error) is None:
            return  # somebody else has it by now
        if end is DeliveryStatus.SENT:
            await connection.execute(_WORKS, row["webhook_id"])
            return
        gone = isinstance(outcome, GiveUp) and outcome.gone
        found = await connection.fetchrow(_FAILED, row["webhook_id"], gone)
        if found is not None and found["disabled"]:
            await connection.execute(_STOP, row["webhook_id"], OFF)
            await self._say(connection, row["webhook_id"], found["name"], row["event_id"])

    async def close(self) -> None:
        """Let connections go."""
        await self._outgoing.close()

    async def _say(self, connection: Any, webhook: UUID, name: str, event: UUID) -> None:
        log.warning("webhook.turned_off", webhook=str(webhook))
        data = {
            "role": "event-handler",
            "component": "webhooks",
            "code": "WEBHOOK_TURNED_OFF",
            "message": f"The webhook {name!r:.200} was turned off: its receiver does not take what it is sent."
            " Mend the receiver, turn it on again and have its failed deliveries tried again.",
            "event": str(event),
            "dead_letter": None,
            "attempts": None,
        }
        now = to_datetime(self._clock.now())
        await connection.execute(_SAY, ids.new_id(), now, f"system:{CONSUMER}", canonical(data).decode())
        await connection.execute("select pg_notify($1, '')", DOORBELL)


async def post(
    outgoing: Outgoing, *, url: str, format: WebhookFormat, id: UUID, at: Millis, body: bytes, keys: Sequence[bytes]
) -> Answer:
    """One signed POST."""
    plain = {"content-type": "application/json"}
    return await outgoing.post(url, body, plain if format is WebhookFormat.DISCORD else headers(id, at, body, keys))


def judge(answer: Answer) -> Outcome:
    """What an answer means: 2xx arrived, 410 never again, a redirect or anything else is tried again."""
    if answer.status is None:
        return TryAgain(answer.error or "No answer.")
    if 200 <= answer.status < 300:
        return Sent(answer.status)
    if answer.status == GONE:
        return GiveUp("The receiver is gone for good (410).", answer.status, gone=True)
    if 300 <= answer.status < 400:
        return TryAgain(f"The receiver redirects ({answer.status}); that is not followed.", answer.status)
    return TryAgain(f"The receiver answered {answer.status}.", answer.status, answer.retry_after_s)


def test_body(at: Millis) -> bytes:
    """What a test delivery says."""
    return msgspec.json.encode(
        {"type": "webhook:test", "timestamp": at, "data": {"message": "The house can reach this address."}}
    )
