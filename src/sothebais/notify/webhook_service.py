"""Webhooks as staff manage them: made, changed, tested, looked at, tried again."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais import ids
from sothebais.clock import from_datetime, isoformat
from sothebais.errors import Conflict, InvalidInput, NotFound
from sothebais.events import log
from sothebais.events.tables import EventLog
from sothebais.events.types import CATALOGUE, PUBLISHED_ONLY
from sothebais.events.types.base import Source
from sothebais.instants import Millis
from sothebais.notify import webhooks
from sothebais.notify.model import DeliveryStatus, WebhookFormat
from sothebais.notify.repository import OUTBOX_DOORBELL
from sothebais.notify.tables import Webhook, WebhookDelivery
from sothebais.users.secret_box import SecretBox
from sothebais.users.tables import Role

PAGE_MAX = 200
#: Webhooks of the whole house: each costs a row per event.
WEBHOOKS_MAX = 50
_LOCK = 0x776562686F6F6B


class Staff:
    """Whoever does it, for the audit."""

    def __init__(self, user: UUID, role: Role, reason: str | None = None) -> None:
        self.user = user
        self.role = role
        self.reason = reason

    def event(self, action: str, webhook: UUID, changed: list[str], at: Millis) -> log.Record:
        """The record of an action; its subject is the person who acts."""
        data = {
            "actor": str(self.user),
            "role": str(self.role),
            "action": action,
            "target": f"webhook:{webhook}",
            "reason": self.reason,
            "changed": changed,
        }
        return log.event("user:action", f"user:{self.user}", data, at=at, source=Source.ADMIN_FRONTEND)


def check_types(types: list[str]) -> list[str]:
    """The types, each once, in order. Raises InvalidInput for one that is never in the log."""
    for type_ in types:
        if type_ not in CATALOGUE or type_ in PUBLISHED_ONLY:
            raise InvalidInput(
                f"event_types: {type_!r:.60} is not a type of the log. GET /api/v1/events lists what there is.",
                field="event_types",
            )
    return sorted(set(types))


async def create(
    connection: AsyncConnection,
    staff: Staff,
    box: SecretBox,
    *,
    name: str,
    url: str,
    format: WebhookFormat,
    event_types: list[str],
    now: Millis,
) -> tuple[dict[str, Any], str]:
    """A new webhook and its secret, told this once. Raises InvalidInput, Conflict."""
    types = check_types(event_types)
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    if (await connection.execute(sa.select(sa.func.count()).select_from(Webhook))).scalar_one() >= WEBHOOKS_MAX:
        raise Conflict(f"There are {WEBHOOKS_MAX} webhooks already. Remove one first.")
    webhook, secret = ids.new_id(), webhooks.new_secret()
    values = {
        "id": webhook,
        "user_id": staff.user,
        "name": name,
        "url": url,
        "format": format,
        "secret": box.seal(secret, webhooks.context(webhook)),
        "event_types": types,
    }
    await _write(connection, sa.insert(Webhook).values(**values))
    await log.append(connection, [staff.event("webhook.create", webhook, sorted(["name", "url", "format"]), now)])
    return await find(connection, webhook), webhooks.shown(secret)


async def change(
    connection: AsyncConnection, staff: Staff, webhook: UUID, wanted: Mapping[str, Any], now: Millis
) -> dict[str, Any]:
    """Change what is named; ``enabled`` turns it off, or on again with a clean record. Raises NotFound, Conflict."""
    before = await find(connection, webhook, lock=True)
    values = dict(wanted)
    if "event_types" in values:
        values["event_types"] = check_types(values["event_types"])
    changed = sorted(name for name, value in values.items() if before[name] != value)
    if not changed:
        return before
    if "enabled" in values:
        enabled = values.pop("enabled")
        if enabled != before["enabled"]:
            values |= {"disabled_at": None, "failures": 0} if enabled else {"disabled_at": sa.func.now()}
    if values:
        await _write(connection, sa.update(Webhook).where(Webhook.id == webhook).values(**values))
    await log.append(connection, [staff.event("webhook.change", webhook, changed, now)])
    return await find(connection, webhook)


async def rotate(
    connection: AsyncConnection, staff: Staff, box: SecretBox, webhook: UUID, now: Millis
) -> tuple[dict[str, Any], str]:
    """A new secret, told this once; the former signs beside it for ``ROTATION_S``. Raises NotFound."""
    await find(connection, webhook, lock=True)
    secret = webhooks.new_secret()
    await connection.execute(
        sa.update(Webhook)
        .where(Webhook.id == webhook)
        .values(
            previous_secret=Webhook.secret,
            previous_secret_until=sa.func.now() + sa.text(f"interval '{webhooks.ROTATION_S} seconds'"),
            secret=box.seal(secret, webhooks.context(webhook)),
        )
    )
    await log.append(connection, [staff.event("webhook.rotate_secret", webhook, ["secret"], now)])
    return await find(connection, webhook), webhooks.shown(secret)


async def remove(connection: AsyncConnection, staff: Staff, webhook: UUID, now: Millis) -> None:
    """Remove a webhook with its deliveries. Raises NotFound."""
    removed = await connection.execute(sa.delete(Webhook).where(Webhook.id == webhook))
    if removed.rowcount == 0:
        raise NotFound("There is no webhook with this id.")
    await log.append(connection, [staff.event("webhook.remove", webhook, [], now)])


async def find(connection: AsyncConnection, webhook: UUID, *, lock: bool = False) -> dict[str, Any]:
    """One webhook, without its secret. Raises NotFound."""
    statement = sa.select(*_SHOWN).where(Webhook.id == webhook)
    if lock:
        statement = statement.with_for_update()
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise NotFound("There is no webhook with this id.")
    return _shown(row)


async def page(
    connection: AsyncConnection, *, after: UUID | None, limit: int
) -> tuple[list[dict[str, Any]], UUID | None]:
    """Webhooks in the order in which they were made, and what to pass as ``after`` next."""
    limit = min(limit, PAGE_MAX)
    statement = sa.select(*_SHOWN).order_by(Webhook.id).limit(limit + 1)
    if after is not None:
        statement = statement.where(Webhook.id > after)
    rows = (await connection.execute(statement)).all()
    return [_shown(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None


async def target(connection: AsyncConnection, box: SecretBox, webhook: UUID) -> tuple[str, WebhookFormat, bytes]:
    """Where to and with what to sign a test. Raises NotFound."""
    statement = sa.select(Webhook.url, Webhook.format, Webhook.secret).where(Webhook.id == webhook)
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise NotFound("There is no webhook with this id.")
    return row.url, WebhookFormat(row.format), box.open(row.secret, webhooks.context(webhook))


async def deliveries(
    connection: AsyncConnection,
    webhook: UUID,
    *,
    status: DeliveryStatus | None,
    before: UUID | None,
    limit: int,
) -> tuple[list[dict[str, Any]], UUID | None]:
    """A webhook's deliveries, newest first, and what to pass as ``before`` next. Raises NotFound."""
    await find(connection, webhook)
    limit = min(limit, PAGE_MAX)
    statement = _DELIVERIES.where(WebhookDelivery.webhook_id == webhook)
    statement = statement.order_by(WebhookDelivery.id.desc()).limit(limit + 1)
    if status is not None:
        statement = statement.where(WebhookDelivery.status == status)
    if before is not None:
        statement = statement.where(WebhookDelivery.id < before)
    rows = (await connection.execute(statement)).all()
    return [_delivery(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None


async def retry(
    connection: AsyncConnection, staff: Staff, webhook: UUID, delivery: UUID, now: Millis
) -> dict[str, Any]:
    """Have a delivery that was given up tried again, all its tries. Raises NotFound, Conflict."""
    if not (await find(connection, webhook))["enabled"]:
        raise Conflict("This webhook is turned off. Turn it on first.")
    this = sa.and_(WebhookDelivery.id == delivery, WebhookDelivery.webhook_id == webhook)
    changed = await connection.execute(
        sa.update(WebhookDelivery)
        .where(this, WebhookDelivery.status == DeliveryStatus.FAILED)
        .values(status=DeliveryStatus.PENDING, attempts=0, next_attempt_at=sa.func.now())
    )
    row = (await connection.execute(_DELIVERIES.where(this))).one_or_none()
    if row is None:
        raise NotFound("This webhook has no delivery with this id.")
    if changed.rowcount == 0:
        raise Conflict(f"Only a delivery that was given up is tried again; this one is {row.status}.")
    await log.append(connection, [staff.event("webhook.retry", webhook, [], now)])
    await connection.execute(sa.select(sa.func.pg_notify(OUTBOX_DOORBELL, "")))
    return _delivery(row)


async def _write(connection: AsyncConnection, statement: Any) -> None:
    try:
        await connection.execute(statement)
    except IntegrityError as error:
        if "uq_webhooks_user_id_url" in str(error.orig):
            raise Conflict("You have a webhook for this address already.") from None
        raise


_SHOWN = (
    Webhook.id,
    Webhook.name,
    Webhook.url,
    Webhook.format,
    Webhook.event_types,
    Webhook.failures,
    Webhook.created_at,
    Webhook.disabled_at,
)
_DELIVERIES = sa.select(WebhookDelivery, EventLog.type, EventLog.subject).join(
    EventLog, EventLog.id == WebhookDelivery.event_id
)


def _shown(row: Any) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "name": row.name,
        "url": row.url,
        "format": row.format,
        "event_types": row.event_types,
        "enabled": row.disabled_at is None,
        "failures": row.failures,
        "created_at": isoformat(from_datetime(row.created_at)),
        "disabled_at": None if row.disabled_at is None else isoformat(from_datetime(row.disabled_at)),
    }


def _delivery(row: Any) -> dict[str, Any]:
    def when(value: Any) -> str | None:
        return None if value is None else isoformat(from_datetime(value))

    return {
        "id": str(row.id),
        "event": str(row.event_id),
        "type": row.type,
        "subject": row.subject,
        "status": row.status,
        "attempts": row.attempts,
        "response_status": row.response_status,
        "error": row.error,
        "created_at": when(row.created_at),
        "next_attempt_at": when(row.next_attempt_at),
        "delivered_at": when(row.delivered_at),
    }
