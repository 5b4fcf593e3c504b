"""Clips of sold lots."""

import asyncio
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from sothebais.api.models.base import Problem
from sothebais.api.models.clips import ClipList
from sothebais.api.paging import path_id
from sothebais.api.parts import parts_of
from sothebais.auctions import repository
from sothebais.clock import isoformat
from sothebais.errors import NotFound
from sothebais.stream.clips import FORMS, ClipFolder, Form

router = APIRouter(prefix="/auctions", tags=["auctions"])

#: A lot that is opened and sold again has other clips at the same address.
CACHE = "public, max-age=60"
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"video/mp4": {}}, "description": "The clip"},
    206: {"content": {"video/mp4": {}}, "description": "The part that `Range` asks for"},
    304: {"description": "The caller has it"},
    400: {"content": {"text/plain": {}}, "description": "The `Range` cannot be read"},
    404: {"model": Problem},
    416: {"content": {"text/plain": {}}, "description": "The clip has no such part"},
}


@router.get(
    "/{auction_id}/clips",
    summary="Clips of a sold lot",
    responses={200: {"model": ClipList}, 404: {"model": Problem}},
    response_model=None,
)
async def list_clips(auction_id: str, request: Request) -> dict[str, Any]:
    """The last moments and the stamp, wide and upright. They are made some time after the sale."""
    auction = await _known(auction_id, request)
    found = await asyncio.to_thread(_folder(request).of, auction)
    return {
        "auction_id": str(auction),
        "made_at": None if found is None else isoformat(found.made_at),
        "items": []
        if found is None
        else [
            {
                "form": clip.form,
                "url": f"/api/v1/auctions/{auction}/clips/{clip.form}.mp4",
                "width": clip.width,
                "height": clip.height,
                "begins_at": isoformat(clip.begin),
                "ends_at": isoformat(clip.end),
                "size": clip.bytes,
            }
            for clip in found.clips
        ],
    }


@router.get("/{auction_id}/clips/{name}", summary="A clip", response_class=Response, responses=_FILE)
async def get_clip(auction_id: str, name: str, request: Request) -> Response:
    """`wide.mp4` or `upright.mp4`, whole or in parts (`Range`)."""
    auction = await _known(auction_id, request)
    form = _FORMS.get(name)
    folder = _folder(request)
    found = await asyncio.to_thread(folder.of, auction)
    if form is None or found is None or form not in [clip.form for clip in found.clips]:
        raise NotFound("There is no such clip of this lot.")
    headers = {"cache-control": CACHE, "cross-origin-resource-policy": "cross-origin"}
    return FileResponse(folder.file(auction, form), media_type="video/mp4", headers=headers)


_FORMS: dict[str, Form] = {f"{form}.mp4": form for form in FORMS}


async def _known(text: str, request: Request) -> UUID:
    auction = path_id(text, "auction")
    await repository.head(parts_of(request).database, auction)
    return auction


def _folder(request: Request) -> ClipFolder:
    return ClipFolder(parts_of(request).settings.data_dir)
