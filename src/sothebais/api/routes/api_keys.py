"""Keys of programs, made and ended by admins."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from sothebais.api import paging
from sothebais.api.access import Admin
from sothebais.api.models.admin import ApiKeyMade, ApiKeyPage, NewApiKey
from sothebais.api.paging import After, Limit
from sothebais.api.parts import parts_of
from sothebais.clock import from_datetime, isoformat
from sothebais.errors import InvalidInput
from sothebais.users.api_keys import ApiKeys, KeyInfo

router = APIRouter(prefix="/admin/api-keys", tags=["admin"])


def shown(key: KeyInfo) -> dict[str, Any]:
    """A key as it may be shown."""

    def moment(value: Any) -> str | None:
        return None if value is None else isoformat(from_datetime(value))

    return {
        "id": str(key.id),
        "user_id": str(key.user),
        "name": key.name,
        "scopes": list(key.scopes),
        "created_at": moment(key.created_at),
        "last_used_at": moment(key.last_used_at),
        "expires_at": moment(key.expires_at),
        "revoked_at": moment(key.revoked_at),
    }


@router.get("", summary="API keys", responses={200: {"model": ApiKeyPage}}, response_model=None)
async def list_keys(
    request: Request,
    _person: Admin,
    user_id: Annotated[str | None, Query(max_length=36, description="Only keys of this person.")] = None,
    after: After = None,
    limit: Limit = paging.PAGE_USUAL,
) -> dict[str, Any]:
    """In the order in which they were made, revoked ones too. Never the keys themselves."""
    keys = await ApiKeys(parts_of(request).database).keys_of(
        paging.query_id(user_id, "user_id"), after=paging.after_id(after), limit=limit + 1
    )
    return paging.page(keys, limit, shown)


@router.post(
    "",
    status_code=201,
    summary="Make an API key",
    responses={
        201: {"model": ApiKeyMade},
        404: {"description": "No such user"},
        409: {"description": "The person has too many keys"},
    },
    response_model=None,
)
async def create_key(body: NewApiKey, request: Request, person: Admin) -> dict[str, Any]:
    """``token`` is told this once. A key never may more than its owner."""
    user = paging.query_id(body.user_id, "user_id") or person.user
    key, token = await ApiKeys(parts_of(request).database).create(
        user, body.name, body.scopes, days=body.days, actor=person.user, role=person.role
    )
    return {"key": shown(key), "token": token}


@router.delete("/{key_id}", status_code=204, summary="End an API key")
async def revoke_key(
    key_id: str,
    request: Request,
    person: Admin,
    reason: Annotated[str | None, Query(min_length=1, max_length=500, description="Why; kept in the audit.")] = None,
) -> Response:
    """At once here, within seconds everywhere. Doing it twice changes nothing."""
    parts = parts_of(request)
    key = paging.path_id(key_id, "API key")
    if reason is not None and not reason.isprintable():
        raise InvalidInput("The reason has characters that cannot be shown.", field="reason")
    await ApiKeys(parts.database).revoke(key, actor=person.user, role=person.role, reason=reason)
    parts.identities.clear()
    return Response(status_code=204)
