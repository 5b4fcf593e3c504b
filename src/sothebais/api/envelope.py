"""Around every request: its id, its time, its trace, the headers every answer has. Plain ASGI, so it costs next to nothing."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog
from prometheus_client import Histogram

from sothebais import ids
from sothebais.api.headers import Headers
from sothebais.telemetry.tracing import tracing

REQUESTS = Histogram(
    "sothebais_http_seconds",
    "Time to answer",
    ["method", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
REQUEST_ID_LENGTH_MAX = 64
#: Where a request keeps the id that its events carry as ``correlation_id``.
CORRELATION = "sothebais.correlation"
#: What an answer may say otherwise by itself.
DEFAULTS = ((b"cache-control", b"no-store"),)

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Envelope:
    """The outermost layer of the application. ``always`` are sent whatever is answered, ``defaults`` where it says nothing."""

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        always: Headers = (),
        defaults: Headers = (),
    ) -> None:
        self._app = app
        self._always = always
        self._defaults = DEFAULTS + defaults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation = scope[CORRELATION] = ids.new_id()
        request_id = _header(scope, b"x-request-id") or str(correlation)
        started = time.perf_counter()
        status = 500
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = message["headers"]
                said = {name for name, _ in own}
                defaults = [header for header in self._defaults if header[0] not in said]
                message["headers"] = [*own, *defaults, *self._always, (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            if tracing.on:
                await self._traced(scope, receive, send_with_headers, request_id)
            else:
                await self._app(scope, receive, send_with_headers)
        finally:
            REQUESTS.labels(scope["method"], str(status)).observe(time.perf_counter() - started)

    async def _traced(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        caused_by = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None)
        with tracing.root(f"HTTP {scope['method']}", scope[CORRELATION], caused_by=caused_by) as span:

            async def send_and_note(message: MutableMapping[str, Any]) -> None:
                if span is not None and message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await self._app(scope, receive, send_and_note)
            if span is not None:
                span.update_name(f"{scope['method']} {_template(scope)}")
                span.set_attribute("http.request.method", scope["method"])
                span.set_attribute("sothebais.request_id", request_id)


def _header(scope: Scope, wanted: bytes) -> str | None:
    """A caller's own id, if it is one: letters, digits and dashes, not too long."""
    for name, value in scope["headers"]:
        if name == wanted and len(value) <= REQUEST_ID_LENGTH_MAX:
            text: str = value.decode("latin-1")
            if text.replace("-", "").isalnum() and text.isascii():
                return text
    return None


def _template(scope: Scope) -> str:
    """The path with its parameters' names in place of their values; few names, however many lots there are."""
    if "endpoint" not in scope:
        return "unknown"
    path: str = scope["path"]
    for name, value in scope.get("path_params", {}).items():
        path = path.replace(str(value), f"{{{name}}}")
    return path
