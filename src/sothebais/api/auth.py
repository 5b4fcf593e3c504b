"""Who a request comes from."""

from starlette.requests import Request

from sothebais.api.parts import parts_of
from sothebais.errors import Unauthenticated
from sothebais.users.service import Identity


async def identity(request: Request) -> Identity:
    """The signed-in person. Raises Unauthenticated."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send your session token as 'Authorization: Bearer …'.")
    parts = parts_of(request)
    known = parts.identities.get(token)
    if known is not None:
        return known
    found = await parts.sessions.authenticate(token)
    parts.identities.put(token, found)
    parts.names.put(found.user, found.name)
    return found
