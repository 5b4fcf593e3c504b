"""The stream for those who watch: the live picture, HLS, a still. Served by the stream-manager; every other process of
the house sends there.
"""

import asyncio
import contextlib
import re
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import FileResponse, RedirectResponse, Response
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
#: A playlist is waited for so long; three times a segment's length (RFC 8216bis).
BLOCK_S_MAX: Final = 5.0
BLOCK_LOOK_S: Final = 0.02
#: Playlists of the future are not waited for.
AHEAD_SEGMENTS_MAX: Final = 2
WIDTH_MAX: Final = 1_920
CLOSE_FULL: Final = 1013
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
        made = await manager.broadcast.frame(width)
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
    path = parts_of(request).settings.data_dir / "hls" / "live" / name
    if match is None or not await asyncio.to_thread(path.is_file):
        raise NotFound("There is no such piece of the stream.")
    headers = {**_ANYWHERE, "cache-control": "no-cache" if match[1] == "m3u8" else "public, max-age=60, immutable"}
    if match[1] != "m3u8":
        return FileResponse(path, media_type=_HLS_TYPES[match[1]], headers=headers)
    text = await _playlist(path, msn, part)
    return Response(text, media_type=_HLS_TYPES["m3u8"], headers=headers)


async def _playlist(path: Path, msn: int | None, part: int | None) -> str:
    """The playlist, when it has what is waited for, or as it is after ``BLOCK_S_MAX``."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + BLOCK_S_MAX
    while True:
        text = await asyncio.to_thread(path.read_text)
        if msn is None:
            return text
        number, newest = playlist.reached(text)
        wanted = (msn, -1 if part is None else part)
        # without a part the whole segment is meant: then its number is behind the growing one
        there = number > msn or (part is not None and (number, newest) >= wanted)
        if there or msn > number + AHEAD_SEGMENTS_MAX or loop.time() >= deadline or "#EXT-X-ENDLIST" in text:
            return text
        await asyncio.sleep(BLOCK_LOOK_S)


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
    if manager.preview.full:
        await socket.send_denial_response(
            problem(Unavailable("Too many watch here at the moment. Try again later.", retry_after=5))
        )
        return
    await socket.accept()
    watcher = manager.preview.join(format)
    sending = asyncio.create_task(_send(socket, watcher, manager))
    listening = asyncio.create_task(_listen(socket))
    try:
        await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        manager.preview.leave(watcher)
        for task in (sending, listening):
            task.cancel()
        await asyncio.gather(sending, listening, return_exceptions=True)
        transport = socket.scope.get("extensions", {}).get("sothebais.transport")
        if watcher.closed is not None and transport is not None and transport.get_write_buffer_size():
            # a peer that takes nothing would never hear the goodbye
            transport.abort()


async def _send(socket: WebSocket, watcher: Watcher, manager: StreamManager) -> None:
    clock = manager.clock
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while (message := await watcher.next()) is not None:
            if message.text:
                await socket.send_text(message.data.decode())
            else:
                await socket.send_bytes(message.data)
            watcher.took(clock.monotonic())
        await socket.close(1000, watcher.closed or "")


async def _listen(socket: WebSocket) -> None:
    """Nothing is expected; the end is."""
    with contextlib.suppress(WebSocketDisconnect):
        while socket.client_state is WebSocketState.CONNECTED:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
