"""``GET /api/v1/config``: what a page must know to talk to this house."""

from itertools import count
from typing import Any

from fastapi import APIRouter, Request

from sothebais.api.live import addresses, protocol
from sothebais.api.models.events import HouseConfig
from sothebais.api.parts import parts_of
from sothebais.clock import isoformat

router = APIRouter(tags=["operations"])

API_PATH = "/api/v1"
#: Whoever asks is told one gateway after the other.
_asked = count()


@router.get(
    "/config",
    summary="Addresses, time and key of this house",
    responses={200: {"model": HouseConfig}},
    response_model=None,
)
async def get_config(request: Request) -> dict[str, Any]:
    """Where the API, the live feed and the live picture are. Where ``live_url`` does not answer, ``live_fallback_url`` is
    the same feed."""
    parts = parts_of(request)
    settings = parts.settings
    base = settings.public_url or f"{request.url.scheme}://{request.url.netloc}"
    own = base.replace("http", "ws", 1) + protocol.PATH
    live = settings.live_url
    if live is None and settings.public_url is None and settings.live_gateways and request.url.hostname:
        scheme = "wss" if request.url.scheme == "https" else "ws"
        host = f"[{request.url.hostname}]" if ":" in request.url.hostname else request.url.hostname
        port = addresses.gateway_ports(settings)[next(_asked) % settings.live_gateways]
        live = f"{scheme}://{host}:{port}{protocol.PATH}"
    return {
        "api_url": base + API_PATH,
        "live_url": live or own,
        "live_fallback_url": own,
        "stream_url": addresses.stream_url(settings, request.url.scheme, request.url.netloc),
        "server_time": isoformat(parts.clock.now() if parts.auctions is None else parts.auctions.time.now()),
        "sandbox": settings.sandbox,
        "house_key": parts.key.public.hex(),
        "version": "1.0",
    }
