"""The host: how it is, what it said, what it answers; and how operators steer it. It may say things, never change anything."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from sothebais.agent import characters, orders, steering, transcript
from sothebais.agent.conversation import Conversation
from sothebais.api import paging
from sothebais.api.access import Operator, SignedIn, may
from sothebais.api.acting import actor
from sothebais.api.auth import maybe_identity
from sothebais.api.models.agent import Answer, HostNow, Muted, Ordered, SayThis, Silence, Transcript, Words
from sothebais.api.models.base import Problem
from sothebais.api.parts import ApiParts, parts_of
from sothebais.errors import Unavailable
from sothebais.events.actions import checked_reason
from sothebais.state import keys
from sothebais.users.tables import Role

router = APIRouter(prefix="/agent", tags=["host"])

_ASKED: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem},
    403: {"model": Problem, "description": "You asked the host to leave you alone"},
    404: {"model": Problem, "description": "There is no such lot"},
    422: {"model": Problem, "description": "Nothing the host would answer"},
    429: {"model": Problem, "description": "Asked too often"},
    503: {"model": Problem, "description": "The house has no voice just now"},
}
_STAFF: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem},
    403: {"model": Problem},
    422: {"model": Problem, "description": "Nothing to say, words that no host may say, or no reason"},
}
#: A host that wrote nothing of itself for so long is not on duty.
SILENT_MS_MAX = 10_000
TRANSCRIPT_TEXT = "2027-03-27T19:00:04.120Z\tSTREAM\tLOT_OPENING\tLot 7, Harbour at Night. It opens at 0.5 ETH.\n"


async def _state(parts: ApiParts, key: str) -> dict[str, Any]:
    """What the agent-service wrote last; nothing without Redis."""
    if parts.store is None:
        return {}
    try:
        value = await parts.store.get(key)
    except Unavailable:
        return {}
    return {} if value is None else msgspec.json.decode(value)


@router.get("", summary="The host", responses={200: {"model": HostNow}}, response_model=None)
async def get_agent(request: Request) -> dict[str, Any]:
    """Who it is, how it feels and what it is busy with. OFFLINE when no agent-service is on duty."""
    parts = parts_of(request)
    stored = await characters.present(parts.database)
    state = await _state(parts, keys.agent(stored.id))
    mood = await _state(parts, keys.agent_mood(stored.id))
    scene = await _state(parts, keys.agent_scene(stored.id))
    # it writes its state every second; one that fell silent is not there
    there = parts.clock.now() - state.get("at", 0) <= SILENT_MS_MAX
    status = state.get("status", "OFFLINE") if there else "OFFLINE"
    return {
        "agent": {
            "id": str(stored.id),
            "name": stored.character.name,
            "ai": True,
            "status": status,
            "muted": status == "MUTED",
            "mood": mood.get("mood", "NEUTRAL"),
            "intensity": mood.get("intensity", 0),
            "expression": scene.get("expression", stored.character.default_expression),
            "auction_id": state.get("auction") if there else None,
            "version": stored.version,
        }
    }


@router.post(
    "/messages",
    summary="Say something to the host",
    responses=_ASKED | {200: {"model": Answer}},
    response_model=None,
)
async def post_message(body: Words, request: Request, person: SignedIn) -> dict[str, Any]:
    """The host answers in character, from facts: the lot, the rules, the schedule, your own bids. What you write is not kept."""
    parts = parts_of(request)
    await parts.host_limit.take(str(person.user))
    lot = None if body.auction_id is None else paging.path_id(body.auction_id, "auction")
    if lot is not None:
        await parts.facts_of(lot)
    stored = await characters.present(parts.database)
    mood = await _state(parts, keys.agent_mood(stored.id))
    conversation = _conversation(parts)
    reply = await conversation.answer(
        person.user, body.text, lot=lot, mood=mood.get("mood", "NEUTRAL"), intensity=mood.get("intensity", 0)
    )
    return {"reply": reply.text, "mood": reply.mood, "message": str(reply.message)}


def _conversation(parts: ApiParts) -> Conversation:
    if parts.conversation is None:
        raise Unavailable("The host answers elsewhere.", retry_after=5)
    return parts.conversation


@router.get(
    "/transcript",
    summary="What the host said",
    responses={
        200: {"model": Transcript, "content": {"text/plain": {"example": TRANSCRIPT_TEXT}}},
        404: {"model": Problem, "description": "`auction_id` or `after` is the id of nothing"},
    },
    response_model=None,
)
async def get_transcript(
    request: Request,
    auction_id: Annotated[str | None, Query(description="Only what was said about this lot.")] = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=transcript.PAGE_MAX)] = 50,
    form: Annotated[
        Literal["json", "text"], Query(alias="format", description="text: all of it, oldest first, to keep.")
    ] = "json",
) -> Any:
    """Every line with its cause, intent, model, tokens and latency. Answers to single persons are the staff's to read."""
    parts = parts_of(request)
    stored = await characters.present(parts.database)
    auction = None if auction_id is None else paging.path_id(auction_id, "auction")
    person = await maybe_identity(request)
    direct = person is not None and may(person, Role.OPERATOR)
    if form == "text":
        lines = transcript.text(parts.database, stored.id, auction=auction, direct=direct)
        headers = {"content-disposition": 'attachment; filename="transcript.txt"'}
        return StreamingResponse(lines, media_type="text/plain; charset=utf-8", headers=headers)
    items, following = await transcript.page(
        parts.database,
        stored.id,
        auction=auction,
        after=None if after is None else paging.path_id(after, "after"),
        limit=limit,
        direct=direct,
    )
    return {"items": items, "next": None if following is None else str(following)}


@router.post(
    "/say",
    status_code=201,
    summary="Have the host say something",
    responses=_STAFF | {201: {"model": Ordered}},
    response_model=None,
)
async def post_say(body: SayThis, request: Request, person: Operator) -> dict[str, Any]:
    """Word for word, at once, also while it is muted. What you have it say is yours to answer for."""
    parts = parts_of(request)
    message, text = await orders.say(
        parts.database, body.text, actor(request, person), parts.clock.now(), reason=body.reason
    )
    return {"message": str(message), "text": text}


@router.post("/mute", summary="Silence the host", responses=_STAFF | {200: {"model": Muted}}, response_model=None)
async def post_mute(body: Silence, request: Request, person: Operator) -> dict[str, Any]:
    """It says nothing by itself until it is told to; operators can still have it say something. Questions are answered in the room."""
    parts = parts_of(request)
    await steering.mute(
        parts.database,
        actor(request, person),
        parts.clock.now(),
        silent=body.muted,
        reason=checked_reason(body.reason),
    )
    return {"muted": body.muted}
