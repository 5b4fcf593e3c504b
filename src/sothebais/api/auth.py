"""Who a request comes from: a session token as ``Authorization: Bearer``, or in the pages' cookie."""

from urllib.parse import urlsplit

from starlette.requests import Request

from sothebais.api.parts import parts_of
from sothebais.errors import Forbidden, Unauthenticated
from sothebais.users.service import Identity

COOKIE = "sothebais_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


async def identity(request: Request) -> Identity:
    """The signed-in person. Raises Unauthenticated, or Forbidden for another site's request in the person's name."""
    token = _bearer(request)
    if token is None:
        token = request.cookies.get(COOKIE)
        if token is None:
            raise Unauthenticated("Sign in, or send your session token as 'Authorization: Bearer …'.")
        check_origin(request)
    parts = parts_of(request)
    known = parts.identities.get(token)
    if known is not None:
        return known
    found = await parts.sessions.authenticate(token)
    parts.identities.put(token, found)
    parts.names.put(found.user, found.name)
    return found


async def maybe_identity(request: Request) -> Identity | None:
    """The signed-in person; None without a session, or with one that has ended."""
    try:
        return await identity(request)
    except Unauthenticated:
        return None


def check_origin(request: Request) -> None:
    """Refuse a request that another site made with this browser's cookie. Raises Forbidden.

    Browsers say where a request comes from (``Sec-Fetch-Site``, ``Origin``) and no page can change that.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        origin = request.headers.get("origin")
        allowed = origin is not None and urlsplit(origin).netloc == request.headers.get("host")
    if not allowed:
        raise Forbidden("This request came from another site and was refused.")


def _bearer(request: Request) -> str | None:
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send your session token as 'Authorization: Bearer …'.")
    return token
