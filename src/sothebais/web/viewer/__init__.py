"""The viewer's pages: rendered on the server, readable without scripts, alive with them."""

from fastapi import FastAPI

from sothebais.api.parts import ApiParts
from sothebais.web.viewer import faults, pages
from sothebais.web.viewer.rendering import Renderer
from sothebais.web.viewer.static import StaticFiles

__all__ = ["mount"]


def mount(app: FastAPI, parts: ApiParts) -> None:
    """Add the pages to the app of the API; errors of pages become pages."""
    static = StaticFiles()
    renderer = Renderer(static, parts)
    pages.mount(app, static, renderer)
    faults.install(app, renderer)
