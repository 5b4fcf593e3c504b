"""The live feed inside the HTTP service: the same hub behind the framework's own WebSockets."""

import asyncio
import contextlib
from collections import deque
from functools import lru_cache
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from sothebais.api.live import protocol
from sothebais.api.live.client import Client
from sothebais.api.live.hub import Hub
from sothebais.api.live.protocol import Close
from sothebais.users.service import Identity

CLOSE_GRACE_S = 2.0
_TRANSPORT = "sothebais.transport"


class LiveProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSockets, with the transport at hand: a peer that never reads can only be got rid of by aborting."""

    async def run_asgi(self) -> None:
        """Serve one connection."""
        extensions: dict[Any, Any] = self.scope.setdefault("extensions", {})
        extensions[_TRANSPORT] = self.transport
        await super().run_asgi()


@lru_cache(maxsize=256)
def _text(frame: bytes) -> str:
    """The framework wants text; the same event goes to many."""
    return frame.decode()


class SocketOutlet:
    """Keeps frames for one connection; a task of that connection sends them, so that nobody waits for anybody."""

    def __init__(self, socket: WebSocket, *, bytes_max: int) -> None:
        self._socket = socket
        self._bytes_max = bytes_max
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._closing: Close | None = None
        self.client: Client | None = None

    def send(self, frame: bytes) -> None:
        """Keep the frame to be sent; whoever lets too much wait is let go."""
        self._frames.append(frame)
        self._bytes += len(frame)
        self._news.set()
        if self._bytes > self._bytes_max and self.client is not None:
            # not now: the hub is in the middle of handing on
            asyncio.get_running_loop().call_soon(self.client.close, Close.SLOW)

    def buffered(self) -> int:
        """Bytes that the peer has not taken yet."""
        transport = self._transport()
        return self._bytes + (0 if transport is None else int(transport.get_write_buffer_size()))

    def close(self, code: Close) -> None:
        """Have the connection ended."""
        self._closing = code
        self._news.set()

    async def write(self) -> None:
        """Send what comes until the end, and then why it is the end."""
        while self._closing is None or (self._frames and self._closing is not Close.SLOW):
            if not self._frames:
                self._news.clear()
                await self._news.wait()
                continue
            frame = self._frames.popleft()
            self._bytes -= len(frame)
            await self._socket.send_text(_text(frame))
        await self._socket.close(int(self._closing), protocol.REASONS[self._closing])

    async def ended(self) -> None:
        """Until the hub has decided to end it and the peer had time to hear why."""
        while self._closing is None:
            self._news.clear()
            await self._news.wait()
        await asyncio.sleep(CLOSE_GRACE_S)

    def abort(self) -> None:
        """Drop what the peer has not taken."""
        transport = self._transport()
        if transport is not None and transport.get_write_buffer_size():
            transport.abort()

    def _transport(self) -> Any:
        return self._socket.scope.get("extensions", {}).get(_TRANSPORT)


async def serve(hub: Hub, socket: WebSocket, *, address: str, token: str | None, identity: Identity | None) -> None:
    """One accepted connection, to its end."""
    outlet = SocketOutlet(socket, bytes_max=hub.buffer_bytes_max)
    client = outlet.client = hub.join(outlet, address=address, identity=identity)
    if token is not None:
        hub.recognise(client, token, quietly=True)
    writing = asyncio.create_task(outlet.write())
    work = {writing, asyncio.create_task(_listen(socket, client)), asyncio.create_task(outlet.ended())}
    try:
        await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        if client.closed is not None:
            await asyncio.wait({writing}, timeout=CLOSE_GRACE_S)
    finally:
        hub.leave(client)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        outlet.abort()


async def _listen(socket: WebSocket, client: Client) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while socket.client_state is WebSocketState.CONNECTED:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                client.close(Close.UNSUPPORTED)
                return
            client.receive(text)
