"""The stream for those who watch: the live picture, HLS, a still. Served by the stream-manager; every other process of
the house sends there.
"""

import asyncio
import contextlib
import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from sothebais.api.errors import problem
from sothebais.api.live import addresses
from sothebais.api.live.addresses import STREAM_PATH
from sothebais.api.parts import parts_of
from sothebais.errors import Forbidden, NotFound, Unavailable
from sothebais.stream.engine import StreamManager
from sothebais.stream.outputs import playlist
from sothebais.stream.preview import Form, Watcher

router = APIRouter(prefix="/stream", tags=["stream"])

_HLS_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,80}\.(m3u8|m4s|mp4)")
_HLS_TYPES: Final = {"m3u8": "application/vnd.apple.mpegurl", "m4s": "video/iso.segment", "mp4": "video/mp4"}
WIDTH_MAX: Final = 1_920
#: So much of a player's name tells those behind one address apart.
AGENT_LENGTH_MAX: Final = 200
#: A watcher that is let go has so long to hear why.
GOODBYE_S: Final = 2.0
#: Anybody may show the stream; it is public.
_ANYWHERE: Final = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}
_NOT_ON: Final[dict[int | str, dict[str, Any]]] = {
    307: {"description": "The stream is served at this address"},
    404: {"description": "Nothing is on air"},
    503: {"description": "The picture does not answer in time"},
}


def manager_of(request: Any) -> StreamManager | None:
    """The stream-manager of this process; null where it is elsewhere."""
    manager: StreamManager | None = getattr(request.app.state, "stream", None)
    return manager


def _address(connection: HTTPConnection) -> str:
    """Where somebody comes from."""
    return addresses.client_address(
        connection.client.host if connection.client else "",
        connection.headers.get("x-forwarded-for"),
        addresses.networks(parts_of(connection).settings.live_trusted_proxies),
    )


def _elsewhere(request: Request, rest: str) -> RedirectResponse:
    base = addresses.stream_url(parts_of(request).settings, request.url.scheme, request.url.netloc)
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{base}/{rest}{query}", status_code=307, headers=dict(_ANYWHERE))


@router.get(
    "/frame.png",
    summary="What is on air now, as a picture",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "`x-stream-position`, `x-stream-at`"}, **_NOT_ON},
)
async def frame(
    request: Request,
    width: Annotated[int, Query(ge=0, le=WIDTH_MAX, description="At most so wide; 0 as it is.")] = 0,
) -> Response:
    """The newest frame. Headers say which place in the log it shows, and the instant (milliseconds)."""
    manager = manager_of(request)
    if manager is None:
        return _elsewhere(request, "frame.png")
    if manager.broadcast is None:
        raise NotFound("Nothing is on air.")
    try:
        made = await manager.still(width)
    except TimeoutError:
        raise Unavailable("The picture does not answer just now.", retry_after=1) from None
    headers = {
        **_ANYWHERE,
        "cache-control": "no-store",
        "x-stream-position": made.position or "",
        "x-stream-at": str(made.at),
        "access-control-expose-headers": "x-stream-position, x-stream-at",
    }
    return Response(made.data, media_type="image/png", headers=headers)


@router.get(
    "/captions.vtt",
    summary="What is said, as WebVTT",
    response_class=Response,
    responses={200: {"content": {"text/vtt": {}}, "description": "Times count from `x-stream-begin`"}, **_NOT_ON},
)
async def captions(request: Request) -> Response:
    """The newest captions of the broadcast, the words that stand under the picture. Its times count from the instant in
    `x-stream-begin` (milliseconds)."""
    manager = manager_of(request)
    if manager is None:
        return _elsewhere(request, "captions.vtt")
    broadcast = manager.broadcast
    if broadcast is None:
        raise NotFound("Nothing is on air.")
    begin = broadcast.started_at or broadcast.begun_at
    headers = {
        **_ANYWHERE,
        "cache-control": "no-store",
        "x-stream-begin": str(begin),
        "access-control-expose-headers": "x-stream-begin",
    }
    return Response(broadcast.captions.webvtt(begin), media_type="text/vtt", headers=headers)


@router.get(
    "/hls/{name}",
    summary="The stream as HLS",
    response_class=Response,
    responses={200: {"content": {"application/vnd.apple.mpegurl": {}, "video/mp4": {}}}, **_NOT_ON},
)
async def hls(
    name: str,
    request: Request,
    msn: Annotated[int | None, Query(alias="_HLS_msn", ge=0)] = None,
    part: Annotated[int | None, Query(alias="_HLS_part", ge=0)] = None,
) -> Response:
    """The playlist `live.m3u8` and what it names: fragmented MP4, segments of a second, low-latency parts. With
    `_HLS_msn` (and `_HLS_part`) the answer waits until that one is there."""
    manager = manager_of(request)
    if manager is None:
        return _elsewhere(request, f"hls/{name}")
    match = _HLS_NAME.fullmatch(name)
    if match is None or (match[1] == "m3u8" and name != playlist.NAME):
        raise NotFound("There is no such piece of the stream.")
    content: str | bytes | None
    if match[1] == "m3u8":
        manager.preview.players.asked(f"{_address(request)} {request.headers.get('user-agent', '')[:AGENT_LENGTH_MAX]}")
        content, cached = await manager.hls.playlist(msn, part), "no-cache"
    else:
        content, cached = await manager.hls.piece(name), "public, max-age=60, immutable"
    if content is None:
        raise NotFound("Nothing is on air." if name == playlist.NAME else "There is no such piece of the stream.")
    return Response(content, media_type=_HLS_TYPES[match[1]], headers={**_ANYWHERE, "cache-control": cached})


@router.websocket("/preview")
async def preview(socket: WebSocket, format: Form = "packets") -> None:
    """The live picture: packets for WebCodecs, or fragments of MP4 for MediaSource (`format=mp4`)."""
    manager = manager_of(socket)
    settings = parts_of(socket).settings
    origin = socket.headers.get("origin")
    if origin is not None and not addresses.from_our_pages(
        origin,
        socket.headers.get("host"),
        public_url=settings.public_url,
        ports=(settings.port, settings.engine_port, settings.stream_port),
    ):
        await socket.send_denial_response(
            problem(Forbidden("This connection was opened by another site and was refused."))
        )
        return
    if manager is None:
        await socket.send_denial_response(
            problem(
                NotFound(
                    f"The picture is not here. `stream_url` of GET {STREAM_PATH.rpartition('/')[0]}/config says where."
                )
            )
        )
        return
    address = _address(socket)
    if not manager.preview.has_room(address):
        await socket.send_denial_response(
            problem(Unavailable("Too many watch here at the moment. Try again later.", retry_after=5))
        )
        return
    await socket.accept()
    watcher = manager.preview.join(format, address)
    sending = asyncio.create_task(_send(socket, watcher))
    work = {sending, asyncio.create_task(_listen(socket)), asyncio.create_task(watcher.ended.wait())}
    try:
        await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        if watcher.closed is not None:
            await asyncio.wait({sending}, timeout=GOODBYE_S)
    finally:
        manager.preview.leave(watcher)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        transport = socket.scope.get("extensions", {}).get("sothebais.transport")
        if watcher.closed is not None and transport is not None and transport.get_write_buffer_size():
            # a peer that takes nothing would never hear the goodbye
            transport.abort()


async def _send(socket: WebSocket, watcher: Watcher) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while (message := await watcher.next()) is not None:
            if message.text:
                await socket.send_text(message.data.decode())
            else:
                await socket.send_bytes(message.data)
            watcher.took()
        await socket.close(1000, watcher.closed or "")


async def _listen(socket: WebSocket) -> None:
    """Nothing is expected; the end is."""
    with contextlib.suppress(WebSocketDisconnect):
        while socket.client_state is WebSocketState.CONNECTED:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
