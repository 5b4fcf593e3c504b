"""Who may do what: the one place where roles and the scopes of API keys are checked.

A route asks for ``Bidder``, ``Operator`` or ``Admin`` in its parameters and gets the person, or never runs.
A program's key needs ``read`` for what only reads, ``bid`` for a person's own changes, ``operate`` for the staff's.
How somebody signs in is nobody's business but a person's: ``InPerson`` takes no key.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from sothebais.api.auth import SAFE_METHODS, check_scope, identity, maybe_identity
from sothebais.api.parts import parts_of
from sothebais.errors import Forbidden
from sothebais.users.api_keys import Scope
from sothebais.users.service import Identity
from sothebais.users.tables import Role

#: Each role may do what the ones before it may.
RANKS = {role: rank for rank, role in enumerate((Role.VIEWER, Role.BIDDER, Role.OWNER, Role.OPERATOR, Role.ADMIN))}
#: How somebody signs in is changed only so soon after signing in.
RECENT_S = 900
#: The least role that each dependency below asks for; the OpenAPI document tells it.
ROLES: dict[Callable[[Request], Awaitable[Identity]], Role] = {}


def may(person: Identity, least: Role) -> bool:
    """Whether the person's role reaches ``least``."""
    return RANKS[person.role] >= RANKS[least]


def require(least: Role) -> Callable[[Request], Awaitable[Identity]]:
    """A dependency: the signed-in person of at least this role. Raises Unauthenticated or Forbidden."""
    changes = Scope.BID if RANKS[least] <= RANKS[Role.BIDDER] else Scope.OPERATE

    async def check(request: Request) -> Identity:
        person = await identity(request)
        if not may(person, least):
            raise Forbidden(f"This needs the role {least}; you are signed in as {person.role}.")
        # what only reads was checked with the key itself
        if person.scopes is not None and request.method not in SAFE_METHODS:
            check_scope(person, changes)
        return person

    ROLES[check] = least
    return check


def in_person(least: Role, *, recent: bool = False) -> Callable[[Request], Awaitable[Identity]]:
    """A dependency: a person, not a program; ``recent``: who has just signed in. Raises Forbidden."""
    base = require(least)

    async def check(request: Request) -> Identity:
        person = await identity(request)
        if person.scopes is not None:
            raise Forbidden("An API key cannot do this. Sign in yourself.")
        await base(request)
        if recent and parts_of(request).clock.now() - person.signed_in_at > RECENT_S * 1_000:
            raise Forbidden("Sign in again first: this needs a fresh sign-in.", sign_in_again=True)
        return person

    ROLES[check] = least
    return check


#: Anybody; None for somebody who is not signed in.
Anybody = Annotated[Identity | None, Depends(maybe_identity)]
SignedIn = Annotated[Identity, Depends(require(Role.VIEWER))]
Bidder = Annotated[Identity, Depends(require(Role.BIDDER))]
Owner = Annotated[Identity, Depends(require(Role.OWNER))]
Operator = Annotated[Identity, Depends(require(Role.OPERATOR))]
Admin = Annotated[Identity, Depends(require(Role.ADMIN))]
InPerson = Annotated[Identity, Depends(in_person(Role.VIEWER))]
InPersonRecently = Annotated[Identity, Depends(in_person(Role.VIEWER, recent=True))]
StaffInPersonRecently = Annotated[Identity, Depends(in_person(Role.OPERATOR, recent=True))]
StaffInPerson = Annotated[Identity, Depends(in_person(Role.OPERATOR))]
