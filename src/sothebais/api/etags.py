"""Conditional reading: ``ETag`` out, ``If-None-Match`` in, 304 when nothing has changed (RFC 9110)."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

#: A header longer than this is not looked through.
IF_NONE_MATCH_LENGTH_MAX = 4_096
#: For ``responses=`` of a route that answers so.
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The caller has this already"}}
#: Kept, and asked about before every use.
REVALIDATE = "private, no-cache"


def weak(*parts: object) -> str:
    """The tag of a body that is the same in meaning as long as these are: ``W/"…"``."""
    digest = hashlib.sha256("\x00".join(map(str, parts)).encode()).hexdigest()[:32]
    return f'W/"{digest}"'


def of_body(body: Any) -> str:
    """The tag of a JSON body that says nothing of the time it was made at."""
    return weak(msgspec.json.encode(body, order="sorted").decode())


def matches(request: Request, tag: str) -> bool:
    """Whether the caller has this already. Weak comparison, as If-None-Match asks for."""
    given = request.headers.get("if-none-match")
    if given is None or len(given) > IF_NONE_MATCH_LENGTH_MAX:
        return False
    wanted = tag.removeprefix("W/")
    return any(one.strip() == "*" or one.strip().removeprefix("W/") == wanted for one in given.split(","))


def respond(
    request: Request, body: Any, tag: str | None = None, *, headers: Mapping[str, str] | None = None
) -> Response:
    """The JSON body with its tag, or 304 without a body when the caller has it."""
    tag = of_body(body) if tag is None else tag
    sent = {"ETag": tag, "Cache-Control": REVALIDATE, "Vary": "Authorization, Cookie", **(headers or {})}
    if matches(request, tag):
        return Response(status_code=304, headers=sent)
    return Response(msgspec.json.encode(body), media_type="application/json", headers=sent)


def snapshot_tag(snapshot: Mapping[str, Any]) -> str:
    """The tag of a lot's snapshot: its place in the log, and what moves by time alone (a falling price)."""
    leader = snapshot["leader"]
    return weak(
        "auction",
        snapshot["id"],
        snapshot["n"],
        snapshot["position"],
        snapshot["next_valid_amount"],
        None if leader is None else leader["handle"],
    )
