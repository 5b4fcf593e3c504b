"""People, for admins: who they are to the house, their role, and whether they may bid."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from sothebais.api import paging
from sothebais.api.access import Admin
from sothebais.api.acting import actor
from sothebais.api.models.admin import UserChange, UserPage, UserSummary
from sothebais.api.paging import After, Limit
from sothebais.api.parts import parts_of
from sothebais.catalog.metadata import clean_text
from sothebais.clock import from_datetime, isoformat
from sothebais.errors import InvalidInput
from sothebais.events.actions import REASON_LENGTH_MAX, checked_reason
from sothebais.users import administration
from sothebais.users.tables import Role

router = APIRouter(prefix="/admin/users", tags=["admin"])


def shown(row: Any) -> dict[str, Any]:
    """Somebody, as staff see them."""
    return {
        "id": str(row.id),
        "handle": row.name,
        "email": row.email,
        "role": str(row.role),
        "blocked": row.blocked,
        "created_at": isoformat(from_datetime(row.created_at)),
        "accounts": list(row.accounts),
        "wallets": row.wallets,
    }


@router.get("", summary="People", responses={200: {"model": UserPage}}, response_model=None)
async def list_users(
    request: Request,
    _person: Admin,
    role: Annotated[Role | None, Query(description="Only people of this role.")] = None,
    blocked: Annotated[bool | None, Query(description="Only those who are, or are not, blocked.")] = None,
    handle: Annotated[str | None, Query(max_length=80, description="Only names that begin so.")] = None,
    after: After = None,
    limit: Limit = paging.PAGE_USUAL,
) -> dict[str, Any]:
    """In the order in which they came."""
    if handle is not None and not handle.isprintable():
        raise InvalidInput("handle has characters that cannot be shown.", field="handle")
    cursor = paging.after_id(after)
    async with parts_of(request).database.connect() as connection:
        rows = await administration.people(
            connection, role=role, blocked=blocked, name=handle, after=cursor, limit=limit + 1
        )
    return paging.page(rows, limit, shown)


@router.get("/{user_id}", summary="One person", responses={200: {"model": UserSummary}}, response_model=None)
async def get_user(user_id: str, request: Request, _person: Admin) -> dict[str, Any]:
    """With linked accounts and the number of wallets."""
    key = paging.path_id(user_id, "user")
    async with parts_of(request).database.connect() as connection:
        return shown(await administration.person(connection, key))


@router.patch(
    "/{user_id}",
    summary="Give a role, block, unblock",
    responses={200: {"model": UserSummary}, 409: {"description": "This is the last admin"}},
    response_model=None,
)
async def change_user(user_id: str, body: UserChange, request: Request, person: Admin) -> dict[str, Any]:
    """Another role or a block ends the person's sessions. Bids of somebody blocked are refused from then on."""
    parts = parts_of(request)
    key = paging.path_id(user_id, "user")
    reason = checked_reason(clean_text(body.reason, "reason", REASON_LENGTH_MAX))
    async with parts.database.begin() as connection:
        ends = await administration.change(
            connection,
            key,
            role=None if body.role is None else Role(body.role),
            blocked=body.blocked,
            reason=reason,
            actor=actor(request, person),
            now=parts.clock.now(),
        )
        sessions = await parts.sessions.revoke_all(key, connection=connection) if ends else []
        row = await administration.person(connection, key)
    if ends:
        await parts.sessions.forget(sessions)
        parts.identities.clear()
    return shown(row)
