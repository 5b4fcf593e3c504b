"""What every request to the API passes before its route: how long its body may be, and how often somebody may ask.

Plain ASGI. Bids never come here: their lane has limits of its own and asks nobody.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import Request

from sothebais.api.access import may
from sothebais.api.auth import SAFE_METHODS, identity
from sothebais.api.errors import problem
from sothebais.api.limits import SharedLimit
from sothebais.api.parts import ApiParts
from sothebais.errors import SothebaisError, TooLarge
from sothebais.users.service import Identity
from sothebais.users.tables import Role

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type App = Callable[[Scope, Receive, Send], Awaitable[None]]

PREFIX = "/api/v1/"
#: Where files of the show come in; from the staff they have ``stream_asset_bytes_max``.
UPLOADS = f"{PREFIX}stream/assets"
#: A picture, from the staff; anything else is bounded by ``body_bytes_max``.
PICTURE_BYTES_MAX = 20 * 1024 * 1024
PICTURES = ("image/", "multipart/form-data", "application/octet-stream")
#: A burst is so many seconds' worth of the rate.
BURST_S = 2
#: Reads are fetched from Redis so many at a time.
READS_AHEAD = 20


class Door:
    """Bounds and limits; what they refuse never reaches a route."""

    def __init__(self, app: App, parts: ApiParts) -> None:
        self._app = app
        settings, clock, store = parts.settings, parts.clock, parts.store
        self._body_bytes_max = settings.body_bytes_max
        self._upload_bytes_max = settings.stream_asset_bytes_max

        def limit(name: str, what: str, per_second: float, ahead: int) -> SharedLimit:
            burst = max(1, round(per_second * BURST_S))
            return SharedLimit(clock, store, name, what, per_second=per_second, burst=burst, ahead=ahead)

        self._reads = limit("reads", "requests", settings.reads_per_second, READS_AHEAD)
        self._writes = limit("writes", "changes", settings.writes_per_second, 1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        limit = self._reads if scope["method"] in SAFE_METHODS else self._writes
        try:
            await limit.take(f"address:{request.client.host if request.client else 'unknown'}")
            person = await _caller(request)
            if person is not None:
                await limit.take(f"user:{person.user}")
                if _has_key(person):
                    await limit.take(f"key:{person.session}")
            receive = await _bounded(request, receive, self._most(request, person))
        except SothebaisError as error:
            await problem(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _most(self, request: Request, person: Identity | None) -> int:
        """How long the body may be: who is nobody on the staff has no pictures to bring."""
        if is_upload(request.scope) and person is not None and may(person, Role.OPERATOR):
            return self._upload_bytes_max
        kind = request.headers.get("content-type", "").lower()
        is_picture = kind.startswith(PICTURES) and person is not None and may(person, Role.OPERATOR)
        return PICTURE_BYTES_MAX if is_picture else self._body_bytes_max


def is_upload(scope: Scope) -> bool:
    """Whether this is a request that brings a file of the show."""
    path: str = scope["path"]
    return scope["method"] in ("POST", "PUT") and (path == UPLOADS or path.startswith(f"{UPLOADS}/"))


def _has_key(person: Identity) -> bool:
    return getattr(person, "scopes", None) is not None


async def _caller(request: Request) -> Identity | None:
    """Who asks, as far as that can be told here; the route refuses by itself whom it does not take."""
    if "authorization" not in request.headers and "cookie" not in request.headers:
        return None
    try:
        return await identity(request)
    except SothebaisError:
        return None


async def _bounded(request: Request, receive: Receive, most: int) -> Receive:
    """The body's receiver, or TooLarge. A body of announced length is not read here, any other is."""
    announced = request.headers.get("content-length")
    if announced is not None:
        # the server holds a body to the length that was announced
        if not announced.isdigit() or int(announced) > most:
            raise too_large(most)
        return receive
    if "transfer-encoding" not in request.headers:
        return receive
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        if len(body) > most:
            raise too_large(most)
        if not message.get("more_body", False):
            break
    return replayed(body, receive)


def too_large(most: int) -> TooLarge:
    """The refusal of a body."""
    return TooLarge(f"The body is too long: at most {most:,} bytes are taken here.", bytes_max=most)


def replayed(body: bytes, receive: Receive) -> Receive:
    """A receiver that gives a body that was read already, then what the connection says."""
    given = False

    async def again() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
