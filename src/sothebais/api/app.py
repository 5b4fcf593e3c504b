"""The HTTP application."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from prometheus_client import Histogram

from sothebais import ids
from sothebais.api import errors
from sothebais.api.models.auctions import BidAnswer, BidRequest
from sothebais.api.models.base import HouseKey, Problem
from sothebais.api.parts import ApiParts, parts_of
from sothebais.api.routes import auctions, auth, bids, operations

REQUESTS = Histogram(
    "sothebais_http_seconds",
    "Time to answer",
    ["method", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
REQUEST_ID_LENGTH_MAX = 64

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Envelope:
    """Around every request: its id, its time, the security headers. Plain ASGI, so that it costs next to nothing."""

    HEADERS = (
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"cache-control", b"no-store"),
    )

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        started = time.perf_counter()
        status = 500
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *self.HEADERS, (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            REQUESTS.labels(scope["method"], str(status)).observe(time.perf_counter() - started)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and len(value) <= REQUEST_ID_LENGTH_MAX:
            text: str = value.decode("latin-1")
            if text.replace("-", "").isalnum() and text.isascii():
                return text
    return str(ids.new_id())


def create_app(parts: ApiParts) -> FastAPI:
    """The API over these parts. It opens and closes nothing; whoever made the parts does."""
    app = FastAPI(
        title="SothebAIs",
        version="1.0",
        docs_url="/api/docs",
        redoc_url=None,
        openapi_url="/api/openapi.json",
        description="A livestreamed auction house for art.",
    )
    app.state.parts = parts
    api = APIRouter(prefix="/api/v1")
    api.include_router(auctions.router)
    api.include_router(auth.router)
    api.add_api_route("/house-key", _house_key, methods=["GET"], tags=["operations"], summary="Public signing key")
    app.include_router(api)
    app.include_router(operations.router)
    bids.mount(app, parts)
    errors.install(app)
    app.add_middleware(Envelope)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def create_operations_app(parts: ApiParts) -> FastAPI:
    """Health, readiness and metrics alone: for roles that serve nothing else."""
    app = FastAPI(title="SothebAIs operations", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.parts = parts
    app.include_router(operations.router)
    errors.install(app)
    app.add_middleware(Envelope)
    return app


async def _house_key(request: Request) -> HouseKey:
    """The public half of the key that signs receipts and heads, in hex."""
    return HouseKey(algorithm="Ed25519", public_key=parts_of(request).key.public.hex())


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schema["paths"].setdefault(bids.PATH, {})["post"] = bids.OPENAPI
        components = schema.setdefault("components", {})
        components.setdefault("securitySchemes", {})["bearer"] = {"type": "http", "scheme": "bearer"}
        schemas = components.setdefault("schemas", {})
        for model in (BidAnswer, BidRequest, Problem):
            own = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= own.pop("$defs", {})
            schemas[model.__name__] = own
        app.openapi_schema = schema
    return app.openapi_schema
