"""``GET /api/v1/live``: the live feed of this process (see ``api.live``)."""

from fastapi import APIRouter
from starlette.websockets import WebSocket

from sothebais.api.auth import COOKIE
from sothebais.api.errors import problem
from sothebais.api.live import addresses
from sothebais.api.live.hub import hub_of
from sothebais.api.live.served import serve
from sothebais.api.parts import parts_of
from sothebais.errors import Forbidden, Unavailable

router = APIRouter(tags=["live"])


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    """Snapshots of topics, then their events in order and without gaps."""
    parts = parts_of(socket)
    hub = hub_of(parts)
    origin, host = socket.headers.get("origin"), socket.headers.get("host")
    settings = parts.settings
    ours = addresses.from_our_pages(
        origin, host, public_url=settings.public_url, ports=(settings.port, settings.engine_port)
    )
    if origin is not None and not ours:
        await socket.send_denial_response(
            problem(Forbidden("This connection was opened by another site and was refused."))
        )
        return
    address = socket.client.host if socket.client else ""
    if not hub.has_room(address):
        await socket.send_denial_response(
            problem(Unavailable("No live connection is to be had here at the moment. Try again later.", retry_after=5))
        )
        return
    await socket.accept()
    await serve(hub, socket, address=address, token=socket.cookies.get(COOKIE) if ours else None, identity=None)
