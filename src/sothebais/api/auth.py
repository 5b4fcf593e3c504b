"""Who a request comes from: a session token or an API key as ``Authorization: Bearer``, or the pages' cookie."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from sothebais.api.parts import ApiParts, parts_of
from sothebais.errors import Forbidden, Unauthenticated
from sothebais.users.api_keys import PREFIX as KEY_PREFIX
from sothebais.users.api_keys import Scope
from sothebais.users.origin import Origin, house_origin
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
    person = parts.identities.get(token)
    if person is None:
        service = parts.people.api_keys if token.startswith(KEY_PREFIX) else parts.sessions
        person = await service.authenticate(token)
        parts.identities.put(token, person)
        parts.names.put(person.user, person.name)
    if person.scopes is not None and request.method in SAFE_METHODS:
        check_scope(person, Scope.READ)
    return person


async def maybe_identity(request: Request) -> Identity | None:
    """The signed-in person; None without a session, or with one that has ended."""
    try:
        return await identity(request)
    except Unauthenticated:
        return None


def check_scope(person: Identity, scope: Scope) -> None:
    """Raises Forbidden for a program whose key is not for this; people have no scopes."""
    if person.scopes is not None and scope.value not in person.scopes:
        raise Forbidden(f"This API key has not the scope {scope}.")


def check_origin(request: Request) -> None:
    """Refuse a request that another site made with this browser's cookie. Raises Forbidden.

    Browsers say where a request comes from (``Sec-Fetch-Site``, ``Origin``) and no page can change that.
    """
    if request.method in SAFE_METHODS:
        return
    if not _same_site(request, unknown=False):
        raise Forbidden("This request came from another site and was refused.")


def check_not_foreign(request: Request) -> None:
    """Refuse a sign-in that another site makes this browser do. Raises Forbidden; a program says nothing and may."""
    if not _same_site(request, unknown=True):
        raise Forbidden("This sign-in was begun by another site and was refused.")


def _same_site(request: Request, *, unknown: bool) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    if origin is None:
        return unknown
    return urlsplit(origin).netloc == request.headers.get("host")


def origin_of(request: Request) -> Origin:
    """Where this house is found. Raises Unavailable where it does not know."""
    return house_origin(parts_of(request).settings.public_url, request.url.scheme, request.headers.get("host", ""))


def address_of(request: Request) -> str:
    """The network address a request came from."""
    return request.client.host if request.client else "unknown"


def is_secure(request: Request) -> bool:
    """Whether the browser talks to this house by https: seen from here, or from the house's public address."""
    public = parts_of(request).settings.public_url
    return request.url.scheme == "https" or (public is not None and public.lower().startswith("https:"))


def remember(request: Request, response: Response, token: str) -> None:
    """Give the browser its session in a cookie that no script reads and no other site sends along."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=parts_of(request).sessions.absolute_s,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def forget(request: Request, response: Response) -> None:
    """Take the cookie away."""
    response.delete_cookie(COOKIE, path="/", secure=is_secure(request), httponly=True, samesite="lax")


async def end_session(parts: ApiParts, person: Identity) -> None:
    """End the session a request came with, in this process at once and in the others within seconds."""
    await parts.sessions.revoke(person.user, person.session)
    parts.identities.drop(lambda known: known.session == person.session)


def _bearer(request: Request) -> str | None:
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send your session token as 'Authorization: Bearer …'.")
    return token
