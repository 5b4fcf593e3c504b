"""Transparent pages for OBS and other broadcasting programs: price, time, bids, lot and leader, live."""

from fastapi import FastAPI

from sothebais.api.parts import ApiParts
from sothebais.web.overlays import pages
from sothebais.web.viewer.rendering import Renderer
from sothebais.web.viewer.static import StaticFiles

__all__ = ["mount"]


def mount(app: FastAPI, parts: ApiParts) -> None:
    """Add the overlays and the page that shows them; the viewer's pages must be there already, for their errors."""
    static = StaticFiles(base=pages.STATIC, more={"overlays": __package__})
    pages.mount(app, static, Renderer(static, parts, more=(__package__,)))
