"""The live feed as a process of its own: WebSockets served by compiled code, and the few pages a machine asks for.

Measured against a bare loop of writes to the same sockets in ``bench.live``; the framework's route costs several times
as much per client.
"""

import asyncio
import http
import socket
from collections.abc import Callable
from functools import partial
from http.cookies import CookieError, SimpleCookie
from typing import cast

import msgspec
import picows
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from sothebais.api.auth import COOKIE
from sothebais.api.live import addresses, protocol
from sothebais.api.live.client import Client
from sothebais.api.live.hub import Hub
from sothebais.api.live.protocol import Close
from sothebais.config import Settings

log = structlog.get_logger(__name__)

#: What the kernel keeps for a client that does not read; the rest is ``live_buffer_bytes_max``.
SEND_BUFFER_BYTES = 128 * 1024
READ_BUFFER_BYTES = 512
HANDSHAKE_S = 5.0
PING_AFTER_S = 20.0
PONG_WITHIN_S = 20.0
#: A client that was told why has so long to hear it.
CLOSE_GRACE_S = 2.0
BACKLOG = 4_096
#: The frame may be a little longer than its text, so that the hub says what is wrong with one that is too long.
FRAME_SLACK = 1_024


class _Connection(picows.WSListener):
    """One WebSocket: an outlet for the hub, and its client's ear."""

    def __init__(self, gateway: "Gateway", forwarded_for: str | None, token: str | None) -> None:
        self._gateway, self._forwarded_for, self._token = gateway, forwarded_for, token
        self._client: Client | None = None
        self._transport: picows.WSTransport | None = None
        self.send: Callable[[bytes], None] = _nowhere

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._transport = transport
        transport.underlying_transport.set_write_buffer_limits(high=self._gateway.hub.buffer_bytes_max)
        self.send = partial(transport.send, picows.WSMsgType.TEXT)
        hub = self._gateway.hub
        peer = transport.underlying_transport.get_extra_info("peername")
        address = addresses.client_address(str(peer[0]), self._forwarded_for, self._gateway.proxies)
        if not hub.has_room(address):
            self.close(Close.FULL)
            return
        self._client = hub.join(self, address=address, identity=None)
        if self._token is not None:
            hub.recognise(self._client, self._token, quietly=True)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        kind = frame.msg_type
        if kind == picows.WSMsgType.CLOSE:
            transport.send_close(picows.WSCloseCode.OK)
            transport.disconnect()
        elif self._client is None or kind == picows.WSMsgType.PONG:
            return
        elif kind == picows.WSMsgType.TEXT and frame.fin:
            self._client.receive(frame.get_payload_as_bytes())
        else:
            self._client.close(Close.UNSUPPORTED)

    def on_ws_disconnected(self, _transport: picows.WSTransport) -> None:
        if self._client is not None:
            self._gateway.hub.leave(self._client)

    def pause_writing(self) -> None:
        """More waits for the peer than may. The hub is in the middle of handing on, so it is let go a moment later."""
        if self._client is not None:
            asyncio.get_running_loop().call_soon(self._client.close, Close.SLOW)

    def resume_writing(self) -> None:
        """Nothing: whoever was slow is gone already."""

    def buffered(self) -> int:
        """Bytes that the peer has not taken yet."""
        return 0 if self._transport is None else int(self._transport.underlying_transport.get_write_buffer_size())

    def close(self, code: Close) -> None:
        """Say why, wait a moment, hang up."""
        if self._transport is not None:
            # the library takes any code, its types know the standard ones
            self._transport.send_close(cast(picows.WSCloseCode, int(code)), protocol.REASONS[code])
            self._gateway.hang_up_later(self._transport)


def _nowhere(_frame: bytes) -> None:
    raise OSError("not connected yet")


class Gateway:
    """``async with Gateway(hub, settings, listener):`` serves for as long as the block lasts. The hub runs beside it."""

    def __init__(self, hub: Hub, settings: Settings, listener: socket.socket) -> None:
        self.hub = hub
        self._settings = settings
        self._listener = listener
        self._server: asyncio.Server | None = None
        self.proxies = addresses.networks(settings.live_trusted_proxies)
        self._ports = (settings.port, settings.engine_port)

    async def __aenter__(self) -> "Gateway":
        # set before listening, so that accepted sockets have it too
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._server = await picows.ws_create_server(
            self._admit,
            sock=self._listener,
            backlog=BACKLOG,
            websocket_handshake_timeout=HANDSHAKE_S,
            enable_auto_ping=True,
            auto_ping_idle_timeout=PING_AFTER_S,
            auto_ping_reply_timeout=PONG_WITHIN_S,
            max_frame_size=self._settings.live_message_bytes_max + FRAME_SLACK,
            read_buffer_init_size=READ_BUFFER_BYTES,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        if len(self.hub):
            self.hub.stop()
            await asyncio.sleep(CLOSE_GRACE_S / 4)

    def hang_up_later(self, transport: picows.WSTransport) -> None:
        """End the connection once the peer had time to hear why."""
        asyncio.get_running_loop().call_later(CLOSE_GRACE_S, transport.disconnect, False)

    def _admit(self, request: picows.WSUpgradeRequest) -> "_Connection | picows.WSUpgradeResponseWithListener | None":
        path = request.path.partition(b"?")[0]
        if path == protocol.PATH.encode():
            return self._connection(request)
        if path == b"/healthz":
            return _page({"status": "ok"})
        if path == b"/readyz":
            ready = self.hub.running
            return _page({"status": "ok" if ready else "not ready"}, 200 if ready else 503)
        if path == b"/metrics":
            return _text(generate_latest(), CONTENT_TYPE_LATEST)
        return None

    def _connection(self, request: picows.WSUpgradeRequest) -> "_Connection | picows.WSUpgradeResponseWithListener":
        origin, host = request.headers.get("origin"), request.headers.get("host")
        ours = addresses.from_our_pages(origin, host, public_url=self._settings.public_url, ports=self._ports)
        if origin is not None and not ours:
            return _problem(403, "FORBIDDEN", "This connection was opened by another site and was refused.")
        token = cookie_token(request.headers.get("cookie")) if ours else None
        return _Connection(self, request.headers.get("x-forwarded-for"), token)


def cookie_token(header: str | None) -> str | None:
    """The session's token in a Cookie header."""
    try:
        morsel = SimpleCookie(header or "").get(COOKIE)
    except CookieError:
        return None
    return None if morsel is None or not morsel.value else morsel.value


def _problem(status: int, code: str, detail: str) -> picows.WSUpgradeResponseWithListener:
    body = {"type": "about:blank", "title": http.HTTPStatus(status).phrase, "status": status, "code": code}
    return _page(body | {"detail": detail}, status, "application/problem+json")


def _page(
    body: dict[str, object], status: int = 200, media_type: str = "application/json"
) -> picows.WSUpgradeResponseWithListener:
    return _text(msgspec.json.encode(body), media_type, status)


def _text(body: bytes, media_type: str, status: int = 200) -> picows.WSUpgradeResponseWithListener:
    headers = {"Content-Type": media_type, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if status == http.HTTPStatus.OK:
        response = picows.WSUpgradeResponse.create_ok_response(body, headers)
    else:
        response = picows.WSUpgradeResponse.create_error_response(status, body, headers)
    return picows.WSUpgradeResponseWithListener(response, None)
