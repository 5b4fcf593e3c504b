"""The HTTP application."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.telemetry import TelemetryConfig
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from sothebais.api import docs_page, errors, headers, openapi
from sothebais.api.door import Door
from sothebais.api.envelope import Envelope
from sothebais.api.models.base import HouseKey
from sothebais.api.parts import ApiParts, parts_of
from sothebais.api.routes import (
    admin,
    agent,
    agent_character,
    api_keys,
    art_items,
    auctions,
    auth,
    bids,
    campaigns,
    chat,
    clips,
    collections,
    config,
    events,
    follows,
    live,
    me,
    notifications,
    operations,
    overrides,
    sales,
    settlement,
    stream,
    stream_assets,
    stream_live,
    users,
    webhooks,
)
from sothebais.api.writes import Idempotency
from sothebais.stream.engine import StreamManager

#: The house traces and counts requests itself (``Envelope``); the framework would do it again, and asks for each request.
_SILENT: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}


class Application(FastAPI):
    """The framework's application behind the house's own layers: what these answer never enters it."""

    def __init__(self, parts: ApiParts, **described: Any) -> None:
        super().__init__(**described, telemetry=_SILENT)
        self.state.parts = parts
        settings = parts.settings
        self._front = Envelope(
            bids.Lane(super().__call__, parts), always=headers.always(settings), defaults=headers.defaults(settings)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self._front(scope, receive, send)


def create_app(parts: ApiParts) -> FastAPI:
    """The API over these parts. It opens and closes nothing; whoever made the parts does."""
    app = Application(
        parts,
        title="SothebAIs",
        version="1.0",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
        description="A livestreamed auction house for art.",
    )
    app.router.routes.extend(_routes())
    errors.install(app)
    # the last one added is the outermost
    app.add_middleware(Idempotency, parts=parts)
    app.add_middleware(Door, parts=parts)
    app.openapi = lambda: openapi.build(app)  # type: ignore[method-assign]
    return app


@cache
def _routes() -> Sequence[BaseRoute]:
    """Every route. They know no parts (those are the request's), so one set serves every application of a process."""
    gathered = FastAPI()
    gathered.router.routes.clear()  # those of its own documentation
    api = APIRouter(prefix="/api/v1")
    for noun in (collections, art_items, campaigns, auctions, overrides, admin, api_keys, users):
        api.include_router(noun.router)
    api.include_router(auth.router)
    api.include_router(config.router)
    api.include_router(events.router)
    api.include_router(live.router)
    api.include_router(me.router)
    api.add_api_route("/house-key", _house_key, methods=["GET"], tags=["operations"], summary="Public signing key")
    api.include_router(settlement.router)
    api.include_router(sales.router)
    api.include_router(chat.router)
    for noun in (notifications, follows, webhooks, clips, stream, stream_assets, stream_live, agent, agent_character):
        api.include_router(noun.router)
    gathered.include_router(api)
    gathered.include_router(operations.router)
    gathered.add_api_route("/api/docs", _docs, methods=["GET"], include_in_schema=False)
    gathered.add_api_route(docs_page.STYLE_PATH, _docs_style, methods=["GET"], include_in_schema=False)
    return tuple(gathered.router.routes)


def create_operations_app(parts: ApiParts) -> FastAPI:
    """Health, readiness and metrics alone: for roles that serve nothing else."""
    app = FastAPI(title="SothebAIs operations", docs_url=None, redoc_url=None, openapi_url=None, telemetry=_SILENT)
    app.state.parts = parts
    app.include_router(operations.router)
    errors.install(app)
    app.add_middleware(Envelope, always=headers.always(parts.settings), defaults=headers.defaults(parts.settings))
    return app


def create_stream_app(parts: ApiParts, manager: StreamManager) -> FastAPI:
    """What the stream-manager serves: the picture in all its forms, health and metrics."""
    app = FastAPI(
        title="SothebAIs stream",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=_SILENT,
    )
    app.state.parts, app.state.stream = parts, manager
    app.include_router(stream_live.router, prefix="/api/v1")
    app.include_router(operations.router)
    errors.install(app)
    app.add_middleware(Envelope, always=headers.always(parts.settings), defaults=headers.defaults(parts.settings))
    return app


async def _docs(request: Request) -> HTMLResponse:
    """The API, for people to read."""
    return HTMLResponse(docs_page.render(request.app.openapi()))


async def _docs_style() -> Response:
    """How it looks."""
    return Response(docs_page.STYLE, media_type="text/css")


async def _house_key(request: Request) -> HouseKey:
    """The public half of the key that signs receipts and heads, in hex."""
    return HouseKey(algorithm="Ed25519", public_key=parts_of(request).key.public.hex())
