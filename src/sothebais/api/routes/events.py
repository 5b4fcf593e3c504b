"""The event log over HTTP: pages of it, a stream of it, and what staff do to it.

Anybody sees the public events, somebody who is signed in also the own ones, staff all of them.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Header, Query, Request
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response, StreamingResponse

from sothebais.api import paging
from sothebais.api.access import Anybody, Operator, may
from sothebais.api.auth import maybe_identity
from sothebais.api.envelope import CORRELATION
from sothebais.api.live import reader
from sothebais.api.live.hub import Hub, hub_of
from sothebais.api.models.base import Problem
from sothebais.api.models.events import DeadLetterPage, EventEnvelope, EventPage, EventRequest, Reason
from sothebais.api.parts import parts_of
from sothebais.errors import InvalidInput, Unavailable
from sothebais.events import dead_letters, log
from sothebais.events.actions import Actor, action, checked_reason
from sothebais.events.log import Position
from sothebais.events.tables import EventLog
from sothebais.events.types import CATALOGUE, CHANNELS, PUBLISHED_ONLY, validate_data
from sothebais.events.types.base import Source
from sothebais.state.keys import Channel
from sothebais.users.service import Identity
from sothebais.users.tables import Role

router = APIRouter(prefix="/events", tags=["events"])

PAGE_MAX = 500
#: A comment is sent after so long without an event, so that everybody between knows the stream is alive.
HEARTBEAT_S = 15.0
#: What a person may write by hand: nothing that moves money, and nothing that says what people did.
_BY_HAND = frozenset({Channel.STREAM, Channel.AGENT, Channel.SYSTEM})

Type = Annotated[
    str | None, Query(max_length=60, description="Only events of this type.", examples=["auction:bid:accepted"])
]
Subject = Annotated[
    str | None,
    Query(
        max_length=140,
        pattern=r"^(?:auction|campaign|stream|agent|user|system):[0-9A-Za-z_.-]+$",
        description="Only events about this.",
        examples=["auction:019d3c5e-0000-7000-8000-000000000000"],
    ),
]
_AFTER = Query(max_length=70, description="Only events behind this position.", examples=["1.4711.42"])


def _filter(person: Identity | None, event_type: str | None, subject: str | None) -> reader.Filter:
    if event_type is not None and event_type not in CATALOGUE:
        raise InvalidInput(f"{event_type!r:.60} is not a type of the event catalogue.", field="type")
    staff = person is not None and may(person, Role.OPERATOR)
    return reader.Filter(
        type=event_type, subject=subject, user=None if person is None else str(person.user), staff=staff
    )


def _position(text: str | None, field: str) -> Position | None:
    if text is None:
        return None
    try:
        return Position.parse(text)
    except ValueError as error:
        raise InvalidInput(f"{field}: {error}.", field=field) from None


@router.get(
    "",
    summary="Events in the order of the log",
    responses={200: {"model": EventPage}, 401: {"model": Problem}, 422: {"model": Problem}, 503: {"model": Problem}},
    response_model=None,
)
async def list_events(
    request: Request,
    person: Anybody,
    type: Type = None,
    subject: Subject = None,
    after: Annotated[str | None, _AFTER] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 100,
) -> Response:
    """Oldest first; pass ``next`` as ``after``. A page may be short, even empty, while there is a ``next``."""
    wanted = _filter(person, type, subject)
    start = _position(after, "after") or log.START
    items, following = await reader.page(parts_of(request).database, wanted, start, limit)
    body = b'{"items":[%b],"next":%b}' % (
        b",".join(items),
        msgspec.json.encode(None if following is None else str(following)),
    )
    return Response(body, media_type="application/json")


@router.get(
    "/stream",
    summary="Events as they happen (server-sent events)",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "One event a message."},
        401: {"model": Problem},
        422: {"model": Problem},
        503: {"model": Problem},
    },
)
async def stream_events(
    request: Request,
    person: Anybody,
    type: Type = None,
    subject: Subject = None,
    after: Annotated[str | None, _AFTER] = None,
    last_event_id: Annotated[str | None, Header(max_length=70)] = None,
) -> StreamingResponse:
    """From now on, or behind ``Last-Event-ID`` (which a browser sends by itself) or ``after``. ``id`` is the position."""
    parts = parts_of(request)
    hub = hub_of(parts)
    wanted = _filter(person, type, subject)
    start = _position(last_event_id or None, "Last-Event-ID") or _position(after, "after")
    if not hub.running or parts.event_streams >= parts.settings.event_streams_max:
        raise Unavailable("No event stream is to be had here at the moment. Try again later.", retry_after=5)
    return StreamingResponse(
        _stream(request, hub, wanted, start, person),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no", "cache-control": "no-store"},
    )


async def _stream(
    request: Request, hub: Hub, wanted: reader.Filter, start: Position | None, person: Identity | None
) -> AsyncIterator[bytes]:
    async def still_allowed() -> bool:
        return person is None or await maybe_identity(request) == person

    parts = parts_of(request)
    parts.event_streams += 1
    try:
        async for text in reader.stream(hub, wanted, start, heartbeat_s=HEARTBEAT_S, still_allowed=still_allowed):
            yield text
    finally:
        parts.event_streams -= 1


@router.post(
    "",
    status_code=201,
    summary="Write an event of the stream, the host or the system",
    responses={
        201: {"model": EventEnvelope},
        400: {"model": Problem},
        401: {"model": Problem},
        403: {"model": Problem},
        409: {"model": Problem},
        422: {"model": Problem},
        503: {"model": Problem},
    },
    response_model=None,
)
async def write_event(request: Request, person: Operator, body: EventRequest) -> Response:
    """Staff only, and written down as their deed. Auctions, money and people have commands of their own."""
    channel = CHANNELS.get(body.type)
    if channel not in _BY_HAND or body.type in PUBLISHED_ONLY:
        raise InvalidInput(
            "type: an event written by hand is one of the stream, the host or the system that is logged.", field="type"
        )
    if body.subject.partition(":")[0] != body.type.partition(":")[0]:
        raise InvalidInput("subject: it must be of the same kind as the type.", field="subject")
    data = validate_data(body.type, body.data)
    parts = parts_of(request)
    now = parts.clock.now()
    actor = _actor(person, request)
    event = log.event(
        body.type,
        body.subject,
        data.model_dump(mode="json"),
        at=now,
        source=Source.ADMIN_FRONTEND,
        correlation_id=actor.correlation,
    )
    deed = action(actor, "event.write", body.subject, at=now, reason=checked_reason(body.reason))
    async with parts.database.begin() as connection:
        await log.append(connection, [event, deed])
        written = await _written(connection, event)
    return Response(written, status_code=201, media_type="application/json")


@router.get(
    "/dead-letters",
    summary="Events that a consumer gave up",
    responses={
        200: {"model": DeadLetterPage},
        401: {"model": Problem},
        403: {"model": Problem},
        422: {"model": Problem},
        503: {"model": Problem},
    },
    response_model=None,
)
async def list_dead_letters(
    request: Request,
    _person: Operator,
    consumer: Annotated[str | None, Query(max_length=100)] = None,
    after: paging.After = None,
    limit: paging.Limit = paging.PAGE_USUAL,
) -> dict[str, Any]:
    """Oldest first, those that nobody has had tried again."""
    async with parts_of(request).database.connect() as connection:
        letters = await dead_letters.waiting(connection, consumer, after=paging.after_id(after), limit=limit + 1)
    return paging.page(letters, limit, dead_letters.Letter.public)


@router.post(
    "/dead-letters/{letter_id}/replay",
    status_code=202,
    summary="Have a consumer try it again",
    responses={
        202: {"description": "The consumer tries it within a second."},
        400: {"model": Problem},
        401: {"model": Problem},
        403: {"model": Problem},
        404: {"model": Problem},
        409: {"model": Problem},
        422: {"model": Problem},
        503: {"model": Problem},
    },
    response_class=Response,
)
async def replay_dead_letter(
    letter_id: str, request: Request, person: Operator, body: Reason | None = None
) -> Response:
    """Staff only, and written down as their deed."""
    parts = parts_of(request)
    async with parts.database.begin() as connection:
        await dead_letters.requeue(connection, letter_id)
        reason = (body.reason if body else "") or None
        deed = action(
            _actor(person, request), "dead_letter.replay", f"system:{letter_id}", at=parts.clock.now(), reason=reason
        )
        await log.append(connection, [deed])
    return Response(status_code=202)


def _actor(person: Identity, request: Request) -> Actor:
    return Actor(person.user, str(person.role), request.scope.get(CORRELATION))


async def _written(connection: AsyncConnection, event: log.Record) -> bytes:
    xid = sa.cast(sa.cast(EventLog.xid, sa.Text), sa.BigInteger)
    statement = sa.select(EventLog.epoch, xid.label("xid"), EventLog.seq).where(EventLog.id == event.id)
    row = (await connection.execute(statement)).one()
    return reader.envelope(event, Position(row.epoch, row.xid, row.seq))
