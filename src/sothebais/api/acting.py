"""Who takes a step, as the records of steps want it."""

from uuid import UUID

from starlette.requests import Request

from sothebais.api.envelope import CORRELATION
from sothebais.events.actions import Actor
from sothebais.users.service import Identity


def correlation(request: Request) -> UUID | None:
    """The id that the events of this request share."""
    found = request.scope.get(CORRELATION)
    return found if isinstance(found, UUID) else None


def actor(request: Request, person: Identity) -> Actor:
    """The person as the actor of a recorded step."""
    return Actor(person.user, str(person.role), correlation(request))
