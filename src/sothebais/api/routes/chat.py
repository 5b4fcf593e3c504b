"""The rooms of auctions, and keeping them civil."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from sothebais.api.access import Operator, SignedIn
from sothebais.api.models.base import Problem
from sothebais.api.models.chat import (
    ChatLine,
    ChatLineRequest,
    ChatPage,
    HideRequest,
    Mute,
    MuteRequest,
    SlowMode,
    SlowRequest,
)
from sothebais.api.paging import Limit, path_id
from sothebais.api.parts import parts_of
from sothebais.api.routes.settlement import actor_of
from sothebais.errors import InvalidInput
from sothebais.social import chat

router = APIRouter(tags=["chat"])

_NUMBER_MAX = 2**63 - 1
Number = Annotated[int | None, Query(ge=0, le=_NUMBER_MAX)]
_MISSING: dict[int | str, dict[str, Any]] = {404: {"model": Problem}, 422: {"model": Problem}}
_STAFF: dict[int | str, dict[str, Any]] = _MISSING | {401: {"model": Problem}, 403: {"model": Problem}}


@router.get(
    "/auctions/{auction_id}/chat",
    summary="What is said in the room",
    responses=_MISSING | {200: {"model": ChatPage}},
    response_model=None,
)
async def list_lines(
    auction_id: str, request: Request, after: Number = None, since: Number = None, limit: Limit = 50
) -> dict[str, Any]:
    """Newest first; `after` pages back, `since` gives the lines behind a number. For everybody.

    The live feed says that there is a line (`chat:message`), not what it says: fetch it here with the `number` of the
    last line you have as `since`. Lines can be erased, which no log could do.
    """
    if after is not None and since is not None:
        raise InvalidInput("Give after or since, not both.", field="since")
    return await chat.page(
        parts_of(request).database, path_id(auction_id, "auction"), before=after, since=since, limit=limit
    )


@router.post(
    "/auctions/{auction_id}/chat",
    status_code=201,
    summary="Say a line",
    responses=_STAFF
    | {
        201: {"model": ChatLine},
        403: {"model": Problem, "description": "Blocked or muted"},
        409: {"model": Problem, "description": "Just said, or the room is closed"},
        422: {"model": Problem, "description": "Refused: a link, a word, characters that cannot be seen"},
        429: {"model": Problem, "description": "Too fast, or the room is in slow mode"},
    },
    response_model=None,
)
async def say(auction_id: str, body: ChatLineRequest, request: Request, person: SignedIn) -> dict[str, Any]:
    """For everybody who is signed in. The line as it stands in the room comes back."""
    parts = parts_of(request)
    auction = path_id(auction_id, "auction")
    await parts.chat_limit.take(str(person.user))
    return await chat.write(parts.database, auction, person.user, body.text, parts.room_policy, parts.clock.now())


@router.post(
    "/auctions/{auction_id}/chat/{message_id}/hide",
    summary="Take a line off the pages",
    responses=_STAFF | {200: {"model": ChatLine}},
    response_model=None,
)
async def hide(
    auction_id: str, message_id: str, body: HideRequest, request: Request, person: Operator
) -> dict[str, Any]:
    """Its text is kept for the staff and shown to nobody."""
    parts = parts_of(request)
    return await chat.hide(
        parts.database,
        path_id(auction_id, "auction"),
        path_id(message_id, "line"),
        parts.clock.now(),
        actor=actor_of(request, person),
        reason=body.reason,
    )


@router.put(
    "/auctions/{auction_id}/chat/slow",
    summary="Slow mode of a room",
    responses=_STAFF | {200: {"model": SlowMode}},
    response_model=None,
)
async def slow(auction_id: str, body: SlowRequest, request: Request, person: Operator) -> dict[str, Any]:
    """Everybody writes one line in so many seconds; 0 ends it."""
    parts = parts_of(request)
    await chat.set_slow(
        parts.database,
        path_id(auction_id, "auction"),
        body.slow_s,
        parts.clock.now(),
        actor=actor_of(request, person),
        reason=body.reason,
    )
    return {"slow_s": body.slow_s}


@router.post(
    "/admin/users/{user_id}/mute",
    tags=["admin"],
    summary="Keep somebody from writing for a while",
    responses=_STAFF | {200: {"model": Mute}},
    response_model=None,
)
async def mute(user_id: str, body: MuteRequest, request: Request, person: Operator) -> dict[str, Any]:
    """In every room. A second mute replaces the first; staff cannot be muted."""
    parts = parts_of(request)
    return await chat.mute(
        parts.database,
        path_id(user_id, "user"),
        body.minutes,
        parts.clock.now(),
        actor=actor_of(request, person),
        reason=body.reason,
    )


@router.delete(
    "/admin/users/{user_id}/mute",
    tags=["admin"],
    status_code=204,
    summary="Let somebody write again",
    responses=_STAFF,
    response_class=Response,
)
async def unmute(user_id: str, request: Request, person: Operator) -> Response:
    """404 for somebody who is not muted."""
    parts = parts_of(request)
    await chat.unmute(parts.database, path_id(user_id, "user"), parts.clock.now(), actor=actor_of(request, person))
    return Response(status_code=204)
