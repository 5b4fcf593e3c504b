"""Files of the show: pictures, animations, videos and sounds, for the staff."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from sothebais.api import etags, paging
from sothebais.api.access import Operator
from sothebais.api.acting import actor
from sothebais.api.models.stream import StreamAsset, StreamAssetPage
from sothebais.api.paging import After, Limit
from sothebais.api.parts import parts_of
from sothebais.clock import from_datetime, isoformat
from sothebais.errors import InvalidInput
from sothebais.stream.assets import repository
from sothebais.stream.assets.limits import NAME_LENGTH_MAX
from sothebais.stream.tables import AssetType

router = APIRouter(prefix="/stream/assets", tags=["stream"])

#: What a browser may do with a file that is opened by itself: look at it.
FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; media-src 'self'; sandbox"
_KINDS = (
    "image/png", "image/jpeg", "image/webp", "image/gif", "video/mp4", "video/webm", "audio/wav", "audio/flac",
    "audio/mpeg", "audio/ogg", "audio/aac", "audio/mp4",
)  # fmt: skip
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _KINDS},
    }
}
_STATUSES: dict[int | str, dict[str, Any]] = {
    413: {"description": "Longer than `SOTHEBAIS_STREAM_ASSET_BYTES_MAX`"},
    503: {"description": "Too many files are being taken in"},
}


def shown(row: Any) -> dict[str, Any]:
    """An asset as the API shows it."""
    digest = row.sha256.hex()
    return {
        "id": str(row.id),
        "name": row.name,
        "type": str(row.type),
        "reference": repository.reference(row),
        "media_type": row.media_type,
        "size": row.size,
        "width": row.width,
        "height": row.height,
        "sha256": digest,
        "details": row.metadata,
        "url": f"/api/v1/stream/assets/{row.id}/file?v={digest[:16]}",
        "created_at": isoformat(from_datetime(row.created_at)),
    }


@router.get("", summary="Stream assets", responses={200: {"model": StreamAssetPage}}, response_model=None)
async def list_assets(
    request: Request,
    person: Operator,
    type_: Annotated[AssetType | None, Query(alias="type", description="Only these.")] = None,
    after: After = None,
    limit: Limit = paging.PAGE_USUAL,
) -> dict[str, Any]:
    """In the order in which they came."""
    cursor = paging.after_id(after)
    async with parts_of(request).database.connect() as connection:
        rows = await repository.assets(connection, type_=type_, after=cursor, limit=limit + 1)
    return paging.page(rows, limit, shown)


@router.get("/{asset_id}", summary="One stream asset", responses={200: {"model": StreamAsset}}, response_model=None)
async def get_asset(asset_id: str, request: Request, person: Operator) -> dict[str, Any]:
    """What is known of it; ``details`` say its kind, and of videos and sounds length and codecs."""
    key = paging.path_id(asset_id, "stream asset")
    async with parts_of(request).database.connect() as connection:
        return shown(await repository.asset(connection, key))


@router.get(
    "/{asset_id}/file",
    summary="The stored file",
    response_class=Response,
    responses={
        200: {
            "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _KINDS},
            "description": "The file",
        },
        304: {"description": "The caller has it"},
    },
)
async def get_file(
    asset_id: str,
    request: Request,
    person: Operator,
    v: Annotated[
        str | None, Query(max_length=64, description="The beginning of its hash, so that it may be kept.")
    ] = None,
) -> Response:
    """As the house keeps it: written anew, without what was beside the picture or sound."""
    parts = parts_of(request)
    key = paging.path_id(asset_id, "stream asset")
    async with parts.database.connect() as connection:
        row = await repository.asset(connection, key)
    digest = row.sha256.hex()
    for_good = v is not None and len(v) >= 16 and digest.startswith(v)
    headers = {
        "ETag": f'"{digest}"',
        "Cache-Control": "private, max-age=31536000, immutable" if for_good else etags.REVALIDATE,
        "Content-Security-Policy": FILE_POLICY,
        "Vary": "Authorization, Cookie",
    }
    if etags.matches(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(await parts.stream_assets.content(row), media_type=row.media_type, headers=headers)


@router.post(
    "",
    status_code=201,
    summary="Add a stream asset",
    responses={201: {"model": StreamAsset}, 409: {"description": "The name is in use"}, **_STATUSES},
    response_model=None,
    openapi_extra=_BODY,
)
async def add_asset(
    request: Request,
    person: Operator,
    name: Annotated[str, Query(min_length=1, max_length=NAME_LENGTH_MAX, description="Its name in scenes.")],
    type_: Annotated[AssetType, Query(alias="type", description="What it is for.")],
) -> dict[str, Any]:
    """The body is the file, told by its content. Pictures, animations and videos for every type but AUDIO; sounds for AUDIO."""
    parts = parts_of(request)
    data = await _body(request)
    row = await parts.stream_assets.add(name, type_, data, actor(request, person), parts.clock.now())
    return shown(row)


@router.put(
    "/{asset_id}/file",
    summary="Replace a stream asset's file",
    responses={200: {"model": StreamAsset}, **_STATUSES},
    response_model=None,
    openapi_extra=_BODY,
)
async def replace_file(asset_id: str, request: Request, person: Operator) -> dict[str, Any]:
    """Under the same id and name; scenes that are on air show it at once."""
    parts = parts_of(request)
    key = paging.path_id(asset_id, "stream asset")
    data = await _body(request)
    return shown(await parts.stream_assets.replace(key, data, actor(request, person), parts.clock.now()))


@router.delete(
    "/{asset_id}",
    status_code=204,
    summary="Remove a stream asset",
    responses={409: {"description": "A scene shows it"}},
)
async def delete_asset(asset_id: str, request: Request, person: Operator) -> Response:
    """Its file goes when nothing else in the house has the same content."""
    parts = parts_of(request)
    key = paging.path_id(asset_id, "stream asset")
    await parts.stream_assets.remove(key, actor(request, person), parts.clock.now())
    return Response(status_code=204)


async def _body(request: Request) -> bytes:
    data = await request.body()
    if not data:
        raise InvalidInput("The body must be the file.", field="file")
    return data
