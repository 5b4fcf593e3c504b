"""Collections of the catalogue."""

from typing import Any

from fastapi import APIRouter, Request, Response

from sothebais import money
from sothebais.api import etags, paging
from sothebais.api.access import Operator
from sothebais.api.acting import actor
from sothebais.api.models.collections import Collection, CollectionChange, CollectionPage, NewCollection
from sothebais.api.paging import After, Limit
from sothebais.api.parts import parts_of
from sothebais.catalog import editing, repository
from sothebais.clock import from_datetime, isoformat

router = APIRouter(prefix="/collections", tags=["catalogue"])


def shown(row: Any) -> dict[str, Any]:
    """A collection as the API shows it."""
    return {
        "id": str(row.id),
        "slug": row.slug,
        "name": row.name,
        "description": row.description,
        "project_name": row.project_name,
        "seller_id": None if row.seller_id is None else str(row.seller_id),
        "image": row.image,
        "contract_address": row.contract_address,
        "blockchain": row.blockchain,
        "royalty_percent": None if row.royalty_percent is None else money.text(row.royalty_percent),
        "item_count": row.item_count,
        "created_at": isoformat(from_datetime(row.created_at)),
    }


def values_of(body: Any) -> dict[str, Any]:
    """The fields that were named in a body, ids as ids."""
    values: dict[str, Any] = body.model_dump(exclude_unset=True)
    for name in ("seller_id", "collection_id"):
        if values.get(name) is not None:
            values[name] = paging.query_id(values[name], name)
    return values


@router.get("", summary="Collections", responses={200: {"model": CollectionPage}}, response_model=None)
async def list_collections(request: Request, after: After = None, limit: Limit = paging.PAGE_USUAL) -> dict[str, Any]:
    """In the order in which they were made."""
    cursor = paging.after_id(after)
    async with parts_of(request).database.connect() as connection:
        rows = await repository.collections(connection, after=cursor, limit=limit + 1)
    return paging.page(rows, limit, shown)


@router.get(
    "/{collection_id}",
    summary="One collection",
    responses={200: {"model": Collection}, **etags.NOT_MODIFIED},
    response_model=None,
)
async def get_collection(collection_id: str, request: Request) -> Response:
    """With the number of its art items; ``GET /art-items?collection_id=`` lists them."""
    key = paging.path_id(collection_id, "collection")
    async with parts_of(request).database.connect() as connection:
        row = await repository.collection(connection, key)
    return etags.respond(request, shown(row))


@router.post(
    "",
    status_code=201,
    summary="Make a collection",
    responses={201: {"model": Collection}, 409: {"description": "The slug is in use"}},
    response_model=None,
)
async def create_collection(body: NewCollection, request: Request, person: Operator) -> dict[str, Any]:
    """An empty collection; art items come in by ``POST /art-items`` or ``sothebais collection import``."""
    parts = parts_of(request)
    row = await editing.create_collection(parts.database, values_of(body), actor(request, person), parts.clock.now())
    return shown(row)


@router.patch(
    "/{collection_id}", summary="Change a collection", responses={200: {"model": Collection}}, response_model=None
)
async def change_collection(
    collection_id: str, body: CollectionChange, request: Request, person: Operator
) -> dict[str, Any]:
    """Its texts, seller, picture's address, contract and royalty. A lot keeps the seller it was scheduled with."""
    parts = parts_of(request)
    key = paging.path_id(collection_id, "collection")
    row = await editing.change_collection(
        parts.database, key, values_of(body), actor(request, person), parts.clock.now()
    )
    return shown(row)


@router.delete(
    "/{collection_id}",
    status_code=204,
    summary="Remove a collection with its art items",
    responses={409: {"description": "It is in a campaign or a lot"}},
)
async def delete_collection(collection_id: str, request: Request, person: Operator) -> Response:
    """Only while nothing was ever sold, or put up, from it."""
    parts = parts_of(request)
    key = paging.path_id(collection_id, "collection")
    await editing.delete_collection(parts.database, key, actor(request, person), parts.clock.now())
    return Response(status_code=204)
