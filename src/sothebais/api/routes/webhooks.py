"""Outgoing webhooks, for admins."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request

from sothebais import ids
from sothebais.api.access import Admin
from sothebais.api.models.base import Problem
from sothebais.api.models.webhooks import (
    Webhook,
    WebhookChange,
    WebhookDelivery,
    WebhookDeliveryPage,
    WebhookPage,
    WebhookRequest,
    WebhookTest,
    WebhookWithSecret,
)
from sothebais.api.parts import ApiParts, parts_of
from sothebais.api.routes.notifications import PROBLEMS, cursor, desk_of
from sothebais.errors import NotFound
from sothebais.notify import discord, webhook_service, webhooks
from sothebais.notify.dispatcher import Sent
from sothebais.notify.model import DeliveryStatus, WebhookFormat
from sothebais.notify.webhook_service import Staff
from sothebais.users.service import Identity

router = APIRouter(prefix="/admin/webhooks", tags=["webhooks"])

_RESPONSES: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "No such webhook"}, **PROBLEMS}
_CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "The present state does not allow it"}
}
Limit = Annotated[int, Query(ge=1, le=webhook_service.PAGE_MAX)]
Reason = Annotated[str | None, Query(max_length=500, description="For the audit.")]


def _id(text: str, what: str = "webhook") -> UUID:
    found = ids.parse_id(text)
    if found is None:
        raise NotFound(f"There is no {what} with this id.")
    return found


def _staff(person: Identity, reason: str | None = None) -> Staff:
    return Staff(person.user, person.role, reason)


async def _check(parts: ApiParts, url: str) -> None:
    schemes = {"https", "http"} if parts.settings.private_receivers else {"https"}
    await desk_of(parts).outgoing.check(url, schemes=frozenset(schemes))


@router.get("", summary="Webhooks", responses={200: {"model": WebhookPage}, **PROBLEMS}, response_model=None)
async def list_webhooks(
    _person: Admin, request: Request, after: str | None = None, limit: Limit = 50
) -> dict[str, Any]:
    """In the order in which they were made; secrets are never shown again."""
    async with parts_of(request).database.connect() as connection:
        items, following = await webhook_service.page(connection, after=cursor(after), limit=limit)
    return {"items": items, "next": None if following is None else str(following)}


@router.post(
    "",
    status_code=201,
    summary="A new webhook",
    responses={201: {"model": WebhookWithSecret}, **_CONFLICT, **PROBLEMS},
    response_model=None,
)
async def create_webhook(body: WebhookRequest, person: Admin, request: Request) -> dict[str, Any]:
    """Events from now on are sent there, signed by the Standard Webhooks specification. The secret is told this once.

    The address must be https and public. For `DISCORD` it is the address of a channel's webhook.
    """
    parts = parts_of(request)
    await _check(parts, body.url)
    async with parts.database.begin() as connection:
        made, secret = await webhook_service.create(
            connection,
            _staff(person, body.reason),
            desk_of(parts).box,
            name=body.name,
            url=body.url,
            format=WebhookFormat(body.format),
            event_types=body.event_types,
            now=parts.clock.now(),
        )
    return {"webhook": made, "secret": secret}


@router.get(
    "/{webhook_id}", summary="One webhook", responses={200: {"model": Webhook}, **_RESPONSES}, response_model=None
)
async def get_webhook(webhook_id: str, _person: Admin, request: Request) -> dict[str, Any]:
    """Without its secret."""
    async with parts_of(request).database.connect() as connection:
        return await webhook_service.find(connection, _id(webhook_id))


@router.patch(
    "/{webhook_id}",
    summary="Change a webhook",
    responses={200: {"model": Webhook}, **_CONFLICT, **_RESPONSES},
    response_model=None,
)
async def change_webhook(webhook_id: str, body: WebhookChange, person: Admin, request: Request) -> dict[str, Any]:
    """What is not named stays. Turned on again it starts with a clean record."""
    parts = parts_of(request)
    wanted = body.model_dump(exclude_unset=True, exclude={"reason"})
    if "url" in wanted:
        await _check(parts, wanted["url"])
    async with parts.database.begin() as connection:
        return await webhook_service.change(
            connection, _staff(person, body.reason), _id(webhook_id), wanted, parts.clock.now()
        )


@router.delete("/{webhook_id}", status_code=204, summary="Remove a webhook", responses=_RESPONSES)
async def remove_webhook(webhook_id: str, person: Admin, request: Request, reason: Reason = None) -> None:
    """With all its deliveries."""
    parts = parts_of(request)
    async with parts.database.begin() as connection:
        await webhook_service.remove(connection, _staff(person, reason), _id(webhook_id), parts.clock.now())


@router.post(
    "/{webhook_id}/rotate-secret",
    summary="A new secret for a webhook",
    responses={200: {"model": WebhookWithSecret}, **_RESPONSES},
    response_model=None,
)
async def rotate_secret(webhook_id: str, person: Admin, request: Request, reason: Reason = None) -> dict[str, Any]:
    """Told this once. For a day deliveries carry the signatures of both, so that the receiver can change over."""
    parts = parts_of(request)
    async with parts.database.begin() as connection:
        changed, secret = await webhook_service.rotate(
            connection, _staff(person, reason), desk_of(parts).box, _id(webhook_id), parts.clock.now()
        )
    return {"webhook": changed, "secret": secret}


@router.post("/{webhook_id}/test", summary="Send a test", responses=_RESPONSES)
async def send_test(webhook_id: str, _person: Admin, request: Request) -> WebhookTest:
    """One signed delivery of type `webhook:test`, now and once; what came of it."""
    parts = parts_of(request)
    desk = desk_of(parts)
    async with parts.database.connect() as connection:
        url, format, secret = await webhook_service.target(connection, desk.box, _id(webhook_id))
    now, started = parts.clock.now(), parts.clock.monotonic()
    body = discord.test_message() if format is WebhookFormat.DISCORD else webhooks.test_body(now)
    answer = await webhooks.post(
        desk.outgoing, url=url, format=format, id=ids.new_id(), at=now, body=body, keys=[secret]
    )
    outcome = webhooks.judge(answer)
    return WebhookTest(
        delivered=isinstance(outcome, Sent),
        response_status=answer.status,
        error=getattr(outcome, "error", None),
        took_ms=round((parts.clock.monotonic() - started) * 1_000),
    )


@router.get(
    "/{webhook_id}/deliveries",
    summary="What was sent to a webhook, newest first",
    responses={200: {"model": WebhookDeliveryPage}, **_RESPONSES},
    response_model=None,
)
async def list_deliveries(
    webhook_id: str,
    _person: Admin,
    request: Request,
    status: DeliveryStatus | None = None,
    after: str | None = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """`FAILED` are its dead letters: given up, kept 90 days, tried again on request."""
    async with parts_of(request).database.connect() as connection:
        items, following = await webhook_service.deliveries(
            connection, _id(webhook_id), status=status, before=cursor(after), limit=limit
        )
    return {"items": items, "next": None if following is None else str(following)}


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/retry",
    summary="Try a failed delivery again",
    responses={200: {"model": WebhookDelivery}, **_CONFLICT, **_RESPONSES},
    response_model=None,
)
async def retry_delivery(
    webhook_id: str, delivery_id: str, person: Admin, request: Request, reason: Reason = None
) -> dict[str, Any]:
    """With all its tries, beginning now; the receiver sees the same `webhook-id`."""
    parts = parts_of(request)
    webhook, delivery = _id(webhook_id), _id(delivery_id, "delivery")
    async with parts.database.begin() as connection:
        return await webhook_service.retry(connection, _staff(person, reason), webhook, delivery, parts.clock.now())
