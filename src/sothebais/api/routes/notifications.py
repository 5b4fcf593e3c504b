"""What a person is told, and how they want to be told."""

import base64
import binascii
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from sothebais import ids
from sothebais.api.access import SignedIn
from sothebais.api.models.base import Problem
from sothebais.api.models.notifications import (
    FollowPage,
    NotificationPage,
    Preferences,
    PreferencesChange,
    PushKey,
    PushSubscriptionAnswer,
    PushSubscriptionRequest,
    ReadAnswer,
    ReadRequest,
)
from sothebais.api.parts import ApiParts, parts_of
from sothebais.errors import InvalidInput, SothebaisError, Unavailable
from sothebais.notify import service, unsubscribe
from sothebais.notify.desk import NotifyDesk

router = APIRouter(tags=["me"])

PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "Nobody is signed in"},
    403: {"model": Problem, "description": "Not allowed, or another site asked"},
    422: {"model": Problem, "description": "The input is not valid"},
    429: {"model": Problem, "description": "Too many requests"},
    503: {"model": Problem, "description": "Not available at the moment"},
}
Limit = Annotated[int, Query(ge=1, le=service.PAGE_MAX)]
ENDPOINT_LENGTH_MAX = 2_000


def desk_of(parts: ApiParts) -> NotifyDesk:
    """The desk of this app. Raises Unavailable where it has none."""
    if parts.notify is None:
        raise Unavailable("Notifications are not served here.")
    return parts.notify


def cursor(after: str | None) -> Any:
    """The id a page ended with. Raises InvalidInput."""
    if after is None:
        return None
    found = ids.parse_id(after)
    if found is None:
        raise InvalidInput("after must be the `next` of an earlier page.", field="after")
    return found


@router.get(
    "/me/preferences",
    summary="Your preferences",
    responses={200: {"model": Preferences}, **PROBLEMS},
    response_model=None,
)
async def get_preferences(person: SignedIn, request: Request) -> dict[str, Any]:
    """How you want to be told and shown things; the defaults until you change them."""
    async with parts_of(request).database.connect() as connection:
        return await service.preferences(connection, person.user)


@router.patch(
    "/me/preferences",
    summary="Change your preferences",
    responses={200: {"model": Preferences}, **PROBLEMS},
    response_model=None,
)
async def change_preferences(body: PreferencesChange, person: SignedIn, request: Request) -> dict[str, Any]:
    """What is not named stays. `quiet_hours: null` turns quiet hours off. They delay e-mail and push, never this feed."""
    parts = parts_of(request)
    async with parts.database.begin() as connection:
        return await service.set_preferences(connection, person.user, body.wanted(), parts.clock.now())


@router.get(
    "/me/notifications",
    summary="What you were told, newest first",
    responses={200: {"model": NotificationPage}, **PROBLEMS},
    response_model=None,
)
async def list_notifications(
    person: SignedIn, request: Request, unread: bool = False, after: str | None = None, limit: Limit = 50
) -> dict[str, Any]:
    """Pass `next` as `after` for older ones. Live, each is announced by a `user:notified` event."""
    async with parts_of(request).database.connect() as connection:
        items, following, waiting = await service.feed(
            connection, person.user, before=cursor(after), limit=limit, unread=unread
        )
    return {"items": items, "next": None if following is None else str(following), "unread": waiting}


@router.post(
    "/me/notifications/read",
    summary="Mark notifications as read",
    responses={200: {"model": ReadAnswer}, **PROBLEMS},
    response_model=None,
)
async def mark_read(body: ReadRequest, person: SignedIn, request: Request) -> dict[str, Any]:
    """Some by `ids`, or `all`. Ids that are not yours, or are read, are passed over."""
    if body.all == (body.ids is not None):
        raise InvalidInput("Give either ids or all: true.", field="ids")
    which = None
    if body.ids is not None:
        which = [found for text in body.ids if (found := ids.parse_id(text)) is not None]
    async with parts_of(request).database.begin() as connection:
        return {"marked": await service.mark_read(connection, person.user, which)}


@router.get(
    "/me/follows", summary="What you follow", responses={200: {"model": FollowPage}, **PROBLEMS}, response_model=None
)
async def list_follows(
    person: SignedIn, request: Request, after: str | None = None, limit: Limit = 50
) -> dict[str, Any]:
    """Auctions, campaigns and campaign days, in the order in which you began to follow them."""
    async with parts_of(request).database.connect() as connection:
        items, following = await service.follows(connection, person.user, after=cursor(after), limit=limit)
    return {"items": items, "next": None if following is None else str(following)}


@router.get("/me/push-key", summary="The key for web push", responses=PROBLEMS)
async def push_key(_person: SignedIn, request: Request) -> PushKey:
    """What a browser needs to subscribe: the house's VAPID public key."""
    return PushKey(public_key=desk_of(parts_of(request)).vapid.public)


@router.post(
    "/me/push-subscriptions",
    status_code=201,
    summary="Have this browser pushed to",
    responses={409: {"model": Problem, "description": "Somebody else's subscription"}, **PROBLEMS},
)
async def subscribe(body: PushSubscriptionRequest, person: SignedIn, request: Request) -> PushSubscriptionAnswer:
    """The browser's subscription as it gives it. The newest ten browsers of a person are kept."""
    parts = parts_of(request)
    p256dh, auth = _bytes(body.keys.p256dh), _bytes(body.keys.auth)
    await desk_of(parts).outgoing.check(body.endpoint, field="endpoint")
    agent = request.headers.get("user-agent")
    async with parts.database.begin() as connection:
        await service.subscribe(
            connection, person.user, body.endpoint, p256dh, auth, None if agent is None else agent[:300]
        )
    return PushSubscriptionAnswer()


@router.delete("/me/push-subscriptions", status_code=204, summary="Push to this browser no more", responses=PROBLEMS)
async def unsubscribe_browser(
    person: SignedIn, request: Request, endpoint: Annotated[str, Query(max_length=ENDPOINT_LENGTH_MAX)]
) -> None:
    """By the endpoint of its subscription; 204 whether or not there was one."""
    if "\x00" in endpoint:
        return
    async with parts_of(request).database.begin() as connection:
        await service.unsubscribe_browser(connection, person.user, endpoint)


@router.get(
    "/unsubscribe",
    summary="The page behind a mail's unsubscribe link",
    response_class=HTMLResponse,
    responses={422: {"description": "The link is not complete", "content": {"text/html": {}}}},
)
async def unsubscribe_page(request: Request, token: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    """Asks once: programs that follow links in mails must not unsubscribe anybody."""
    try:
        unsubscribe.person_of(parts_of(request).key, token)
    except SothebaisError as error:
        return _page("That did not work", error.message, status=422)
    form = (
        f'<form method="post" action="{unsubscribe.PATH}?token={token}">'
        '<button style="font:inherit;padding:8px 16px">Stop e-mail</button></form>'
    )
    return _page("Stop e-mail from the house?", "Everything else stays as it is.", form)


@router.post(
    "/unsubscribe",
    summary="Unsubscribe from e-mail, in one click",
    response_class=HTMLResponse,
    responses={
        422: {"description": "The link is not complete", "content": {"text/html": {}}},
        503: {"model": Problem, "description": "Not available at the moment"},
    },
)
async def unsubscribe_now(request: Request, token: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    """RFC 8058: mail programs post here by themselves, without signing in; the signed token says who."""
    parts = parts_of(request)
    try:
        user = unsubscribe.person_of(parts.key, token)
    except SothebaisError as error:
        return _page("That did not work", error.message, status=422)
    async with parts.database.begin() as connection:
        if await service.exists(connection, user):
            await service.set_preferences(connection, user, {"by_email": False}, parts.clock.now())
    return _page("Done", "No more e-mail will come. You can turn it on again in your preferences.")


@router.get(
    "/confirm-email",
    summary="The page behind a mail's question whether it is wanted",
    response_class=HTMLResponse,
    responses={
        422: {"description": "The link is not complete", "content": {"text/html": {}}},
        503: {"model": Problem, "description": "Not available at the moment"},
    },
)
async def confirm_page(request: Request, token: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    """Asks once more: programs that follow links in mails must not say yes for anybody."""
    try:
        await _confirming(request, token)
    except SothebaisError as error:
        return _page("That did not work", error.message, status=422)
    form = (
        f'<form method="post" action="{unsubscribe.CONFIRM_PATH}?token={token}">'
        '<button style="font:inherit;padding:8px 16px">Yes, send e-mail</button></form>'
    )
    return _page("E-mail from the house?", "You can stop it again with one click in every mail.", form)


@router.post(
    "/confirm-email",
    summary="Say that an address wants the house's e-mail",
    response_class=HTMLResponse,
    responses={
        422: {"description": "The link is not complete", "content": {"text/html": {}}},
        503: {"model": Problem, "description": "Not available at the moment"},
    },
)
async def confirm_now(request: Request, token: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    """The signed token says who, and for which address; after a change of address it is of no use."""
    try:
        user, email = await _confirming(request, token)
    except SothebaisError as error:
        return _page("That did not work", error.message, status=422)
    async with parts_of(request).database.begin() as connection:
        await service.confirm_email(connection, user, email)
    return _page("Done", "You will be told by e-mail from now on.")


async def _confirming(request: Request, token: str) -> tuple[UUID, str]:
    """Who says yes, and for which address. Raises InvalidInput."""
    parts = parts_of(request)
    user = unsubscribe.claimed_person(token)
    email = None
    if user is not None:
        async with parts.database.connect() as connection:
            email = await service.email_of(connection, user)
    return unsubscribe.person_of(parts.key, token, confirms=email or "nobody"), email or ""


def _bytes(text: str) -> bytes:
    bare = text.rstrip("=")
    try:
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except (binascii.Error, ValueError):
        raise InvalidInput("keys: that is not base64url.", field="keys") from None


def _page(title: str, text: str, more: str = "", *, status: int = 200) -> HTMLResponse:
    """A page of two sentences. ``title`` and ``text`` are ours; a token that reached ``more`` was verified."""
    body = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="robots" content="noindex">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title></head>'
        '<body style="max-width:32em;margin:20vh auto;padding:0 16px;font:18px/1.5 Manrope,system-ui,sans-serif">'
        f"<h1>{title}</h1><p>{text}</p>{more}</body></html>"
    )
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    return HTMLResponse(body, status_code=status, headers={"content-security-policy": policy})
