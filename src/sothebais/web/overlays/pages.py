"""The addresses of the overlays."""

from typing import Final

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from sothebais.api.headers import content_security_policy
from sothebais.api.parts import parts_of
from sothebais.errors import NotFound
from sothebais.web.overlays import current, options
from sothebais.web.viewer.rendering import Renderer
from sothebais.web.viewer.static import StaticFiles

STATIC: Final = "/overlays/static"
#: Name, what it shows, and the box in a 1920 × 1080 picture that holds it at scale 1.
KINDS: Final = {
    "price": ("Price", "The price in brass, rolling when it rises.", (640, 208)),
    "countdown": ("Countdown", "The time left by the house's clock; urgent in the last minute, lamps at fair warning.", (560, 176)),
    "ticker": ("Ticker", "The latest bids, newest first; the house's own raises are marked.", (640, 340)),
    "lot": ("Lot card", "Number, title, artist and the piece.", (760, 300)),
    "leader": ("Leader", "Who leads, or who won.", (760, 128)),
}  # fmt: skip


class Overlays:
    """The handlers, with what renders them."""

    def __init__(self, static: StaticFiles, renderer: Renderer) -> None:
        self._static = static
        self._renderer = renderer

    async def index(self, request: Request) -> Response:
        """Each overlay with its address."""
        page = await self._renderer.page(request, "overlays.html", kinds=KINDS, aligns=options.ALIGNS)
        page.headers["content-security-policy"] = (
            f"{content_security_policy(parts_of(request).settings, request.url.hostname)}; frame-src 'self'"
        )
        page.headers["x-robots-tag"] = "noindex"
        return page

    async def overlay(self, request: Request) -> Response:
        """One overlay. Parameters that are none are refused, so that a slip is seen before the show."""
        kind = request.path_params["kind"]
        if kind not in KINDS:
            raise NotFound(f"There is no overlay of this name. There are {', '.join(KINDS)}.")
        chosen = options.parse(request.query_params)
        if chosen.auction is not None:
            await current.about(parts_of(request).database, chosen.auction)
        page = await self._renderer.page(request, "overlay.html", kind=kind, name=KINDS[kind][0], options=chosen)
        policy = content_security_policy(parts_of(request).settings, request.url.hostname)
        page.headers["content-security-policy"] = policy.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
        page.headers["x-frame-options"] = "SAMEORIGIN"
        page.headers["x-robots-tag"] = "noindex"
        return page

    async def lot(self, request: Request) -> Response:
        """The label of the lot that is asked for, or of the one on the block; ``{"lot": null}`` between sales."""
        database = parts_of(request).database
        key = options.parse(request.query_params).auction or await current.current(database)
        found = None if key is None else await current.about(database, key)
        return JSONResponse({"lot": found}, headers={"cache-control": "no-store"})


def mount(app: FastAPI, static: StaticFiles, renderer: Renderer) -> None:
    """Add every address; ``/overlays/lot.json`` stands before the overlays' names."""
    overlays = Overlays(static, renderer)
    routes = {
        "/overlays": overlays.index,
        "/overlays/lot.json": overlays.lot,
        "/overlays/{kind}": overlays.overlay,
        f"{STATIC}/{{hash}}/{{path:path}}": static.serve,
    }
    for path, handler in routes.items():
        app.add_route(path, handler, methods=["GET"], include_in_schema=False)
