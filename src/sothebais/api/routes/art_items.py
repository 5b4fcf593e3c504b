"""Art items of the catalogue, and their pictures."""

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais.api import etags, paging
from sothebais.api.access import Operator
from sothebais.api.acting import actor
from sothebais.api.models.collections import ArtItem, ArtItemChange, ArtItemPage, NewArtItem
from sothebais.api.paging import After, Limit
from sothebais.api.parts import parts_of
from sothebais.api.routes.collections import values_of
from sothebais.auctions.tables import Auction
from sothebais.catalog import editing, repository
from sothebais.catalog.fetch import Fetcher
from sothebais.catalog.renditions import Format, Width
from sothebais.clock import from_datetime, isoformat
from sothebais.errors import InvalidInput, NotFound

router = APIRouter(prefix="/art-items", tags=["catalogue"])

#: As much of a picture's hash as its address has.
VERSION_LENGTH = 16
FOR_GOOD = "public, max-age=31536000, immutable"
FOR_A_MINUTE = "public, max-age=60"
#: A picture is a picture, whoever opens its address by itself.
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
_ANY_PICTURE: dict[str, Any] = {"image/png": {}, "image/jpeg": {}, "image/webp": {}}


def shown(row: Any) -> dict[str, Any]:
    """An item as the API shows it."""
    attributes = row.metadata.get("attributes", [])
    return {
        "id": str(row.id),
        "collection_id": str(row.collection_id),
        "token_id": row.token_id,
        "name": row.name,
        "description": row.description,
        "position": row.position,
        "image": row.image,
        "animation_url": row.animation_url,
        "attributes": [entry for entry in attributes if isinstance(entry, dict)],
        "picture": picture(row),
        "created_at": isoformat(from_datetime(row.created_at)),
    }


def picture(row: Any) -> dict[str, Any] | None:
    """Where an item's stored picture is, None while it has none."""
    if row.asset_path is None:
        return None
    digest = row.asset_sha256.hex()
    return {
        "url": f"/api/v1/art-items/{row.id}/image?v={digest[:VERSION_LENGTH]}",
        "media_type": row.asset_media_type,
        "width": row.asset_width,
        "height": row.asset_height,
        "sha256": digest,
    }


@router.get("", summary="Art items", responses={200: {"model": ArtItemPage}}, response_model=None)
async def list_items(
    request: Request,
    collection_id: Annotated[str | None, Query(max_length=36, description="Only those of this collection.")] = None,
    after: After = None,
    limit: Limit = paging.PAGE_USUAL,
) -> dict[str, Any]:
    """Of one collection in its order, else in the order in which they were made."""
    wanted, cursor = paging.query_id(collection_id, "collection_id"), paging.after_id(after)
    async with parts_of(request).database.connect() as connection:
        rows = await repository.items(connection, of_collection=wanted, after=cursor, limit=limit + 1)
    return paging.page(rows, limit, shown)


@router.get(
    "/{item_id}", summary="One art item", responses={200: {"model": ArtItem}, **etags.NOT_MODIFIED}, response_model=None
)
async def get_item(item_id: str, request: Request) -> Response:
    """Its metadata as it came, and where its picture is."""
    key = paging.path_id(item_id, "art item")
    async with parts_of(request).database.connect() as connection:
        row = await repository.item(connection, key)
    return etags.respond(request, shown(row))


@router.get(
    "/{item_id}/image",
    summary="The stored picture",
    response_class=Response,
    responses={
        200: {"content": _ANY_PICTURE, "description": "The picture; WebP or JPEG when a width is asked for."},
        304: {"description": "The caller has it"},
    },
)
async def get_image(
    item_id: str,
    request: Request,
    width: Annotated[Width | None, Query(description="No wider than this; else as stored.")] = None,
    v: Annotated[
        str | None,
        Query(max_length=64, description="The beginning of the picture's hash: then the answer never changes."),
    ] = None,
) -> Response:
    """Sized pictures are WebP where ``Accept`` names it, JPEG elsewhere; of an animation the first frame."""
    parts = parts_of(request)
    key = paging.path_id(item_id, "art item")
    async with parts.database.connect() as connection:
        row = await repository.item(connection, key)
    if row.asset_path is None:
        raise NotFound("This art item has no picture yet.")
    digest = row.asset_sha256.hex()
    form: Format = "webp" if "image/webp" in request.headers.get("accept", "") else "jpg"
    variant = "original" if width is None else f"{int(width)}.{form}"
    headers = {
        "ETag": f'"{digest}-{variant}"',
        "Cache-Control": FOR_GOOD
        if v is not None and len(v) >= VERSION_LENGTH and digest.startswith(v)
        else FOR_A_MINUTE,
        "Content-Security-Policy": PICTURE_POLICY,
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    if width is not None:
        headers["Vary"] = "Accept"
    if etags.matches(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if width is None:
        served = await parts.renditions.original(row.asset_path, digest, row.asset_media_type)
    else:
        served = await parts.renditions.sized(row.asset_path, digest, int(width), form)
    return Response(served.data, media_type=served.media_type, headers=headers)


@router.post(
    "",
    status_code=201,
    summary="Make an art item",
    responses={
        201: {"model": ArtItem},
        404: {"description": "No such collection"},
        409: {"description": "The collection has that token id already"},
        503: {"description": "Too many pictures are being taken in"},
    },
    response_model=None,
)
async def create_item(body: NewArtItem, request: Request, person: Operator) -> dict[str, Any]:
    """At the end of its collection. Its picture is fetched (public addresses only) and encoded anew."""
    parts = parts_of(request)
    values = values_of(body)
    if not any(values.get("attributes", ())):
        values.pop("attributes", None)
    async with Fetcher(ipfs_gateways=parts.settings.ipfs_gateways) as fetcher:
        row = await editing.create_item(
            parts.database, values, parts.intake, fetcher, actor(request, person), parts.clock.now()
        )
    return shown(row)


@router.patch("/{item_id}", summary="Change an art item", responses={200: {"model": ArtItem}}, response_model=None)
async def change_item(item_id: str, body: ArtItemChange, request: Request, person: Operator) -> dict[str, Any]:
    """Its name, description and animation. A lot keeps the title it was scheduled with."""
    parts = parts_of(request)
    key = paging.path_id(item_id, "art item")
    values = body.model_dump(exclude_unset=True)
    return shown(await editing.change_item(parts.database, key, values, actor(request, person), parts.clock.now()))


@router.put(
    "/{item_id}/image",
    summary="Give an art item its picture",
    responses={
        200: {"model": ArtItem},
        409: {"description": "It is in a lot: what bidders were shown stays"},
        503: {"description": "Too many pictures are being taken in"},
    },
    response_model=None,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}} for kind in (*_ANY_PICTURE, "image/gif")
            },
        }
    },
)
async def put_image(item_id: str, request: Request, person: Operator) -> dict[str, Any]:
    """The body is the picture: PNG, JPEG, WebP or GIF, told by its content, at most 20 MB and 36 million pixels."""
    parts = parts_of(request)
    key = paging.path_id(item_id, "art item")
    data = await request.body()
    if not data:
        raise InvalidInput("The body must be a picture.", field="image")
    row = await editing.set_picture(
        parts.database, key, data, parts.intake, _in_a_lot, actor(request, person), parts.clock.now()
    )
    return shown(row)


@router.delete(
    "/{item_id}",
    status_code=204,
    summary="Remove an art item",
    responses={409: {"description": "It is or was in a lot"}},
)
async def delete_item(item_id: str, request: Request, person: Operator) -> Response:
    """Only while it was never in a lot."""
    parts = parts_of(request)
    key = paging.path_id(item_id, "art item")
    await editing.delete_item(parts.database, key, actor(request, person), parts.clock.now())
    return Response(status_code=204)


async def _in_a_lot(connection: AsyncConnection, item: Any) -> bool:
    found = await connection.execute(sa.select(Auction.id).where(Auction.art_item_id == item).limit(1))
    return found.first() is not None
