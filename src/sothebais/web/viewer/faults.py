"""Errors of pages become pages; those of the API stay problem documents."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sothebais.errors import SothebaisError
from sothebais.web.viewer.rendering import Renderer

type Handler = Callable[[Request, Exception], Awaitable[Response]]

#: Addresses of programs; nobody reads a page there.
_PROGRAMS = ("/api/", "/static/", "/healthz", "/readyz", "/metrics")


def install(app: FastAPI, renderer: Renderer) -> None:
    """Put a page around every handler of errors that a person may meet."""
    for kind, handler in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, _with_page(cast(Handler, handler), renderer))


def _with_page(handler: Handler, renderer: Renderer) -> Any:
    async def handle(request: Request, error: Exception) -> Response:
        answer = await handler(request, error)
        if not _wants_page(request):
            return answer
        status = answer.status_code
        headers = {name: value for name, value in answer.headers.items() if name in ("retry-after", "allow")}
        page = await renderer.fault(request, status, detail=_detail(error, status))
        page.headers.update(headers)
        return page

    return handle


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(_PROGRAMS)


def _detail(error: Exception, status: int) -> str | None:
    """What the house itself said; nothing of a crash."""
    if isinstance(error, SothebaisError) and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return error.message
    if isinstance(error, HTTPException) and status != HTTPStatus.NOT_FOUND:
        return str(error.detail)
    return None
