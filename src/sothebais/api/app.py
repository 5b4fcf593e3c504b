"""The HTTP application."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi

from sothebais.api import errors
from sothebais.api.envelope import Envelope
from sothebais.api.models.auctions import BidAnswer, BidRequest
from sothebais.api.models.base import HouseKey, Problem
from sothebais.api.parts import ApiParts, parts_of
from sothebais.api.routes import auctions, auth, bids, operations


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
