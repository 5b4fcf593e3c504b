"""Who may do what: the one place where roles are checked.

A route asks for ``Bidder``, ``Operator`` or ``Admin`` in its parameters and gets the person, or never runs.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from sothebais.api.auth import identity, maybe_identity
from sothebais.errors import Forbidden
from sothebais.users.service import Identity
from sothebais.users.tables import Role

#: Each role may do what the ones before it may.
RANKS = {role: rank for rank, role in enumerate((Role.VIEWER, Role.BIDDER, Role.OWNER, Role.OPERATOR, Role.ADMIN))}


def may(person: Identity, least: Role) -> bool:
    """Whether the person's role reaches ``least``."""
    return RANKS[person.role] >= RANKS[least]


def require(least: Role) -> Callable[[Request], Awaitable[Identity]]:
    """A dependency: the signed-in person of at least this role. Raises Unauthenticated or Forbidden."""

    async def check(request: Request) -> Identity:
        person = await identity(request)
        if not may(person, least):
            raise Forbidden(f"This needs the role {least}; you are signed in as {person.role}.")
        return person

    return check


#: Anybody; None for somebody who is not signed in.
Anybody = Annotated[Identity | None, Depends(maybe_identity)]
SignedIn = Annotated[Identity, Depends(require(Role.VIEWER))]
Bidder = Annotated[Identity, Depends(require(Role.BIDDER))]
Owner = Annotated[Identity, Depends(require(Role.OWNER))]
Operator = Annotated[Identity, Depends(require(Role.OPERATOR))]
Admin = Annotated[Identity, Depends(require(Role.ADMIN))]
