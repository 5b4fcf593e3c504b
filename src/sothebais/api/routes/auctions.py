"""Reading auctions."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from sothebais import ids
from sothebais.api import etags
from sothebais.api.models.auctions import AuctionPage, AuctionSnapshot, BidPage
from sothebais.api.models.base import Problem
from sothebais.api.parts import parts_of
from sothebais.auctions import receipts, repository
from sothebais.auctions.model import Status
from sothebais.errors import InvalidInput, NotFound

router = APIRouter(prefix="/auctions", tags=["auctions"])

Limit = Annotated[int, Query(ge=1, le=repository.PAGE_MAX)]


def _id(text: str) -> Any:
    auction = ids.parse_id(text)
    if auction is None:
        raise NotFound("There is no auction with this id.")
    return auction


@router.get(
    "",
    summary="Lots, in the order in which they were made",
    responses={200: {"model": AuctionPage}, 422: {"model": Problem}},
    response_model=None,
)
async def list_auctions(
    request: Request,
    status: Annotated[list[Status] | None, Query()] = None,
    campaign_id: str | None = None,
    after: str | None = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """A page of snapshots; pass ``next`` as ``after`` for the page behind it."""
    campaign = cursor = None
    if campaign_id is not None and (campaign := ids.parse_id(campaign_id)) is None:
        raise InvalidInput("campaign_id must be a UUID.", field="campaign_id")
    if after is not None and (cursor := ids.parse_id(after)) is None:
        raise InvalidInput("after must be the `next` of an earlier page.", field="after")
    items, following = await repository.snapshots(
        parts_of(request).database, statuses=status or (), campaign=campaign, after=cursor, limit=limit
    )
    return {"items": items, "next": None if following is None else str(following)}


@router.get(
    "/{auction_id}",
    summary="One lot as it is now",
    responses={200: {"model": AuctionSnapshot}, **etags.NOT_MODIFIED},
    response_model=None,
)
async def get_auction(auction_id: str, request: Request) -> Response:
    """The snapshot with ``n``, ``position``, server time, the next valid amount and what it would cost in all.

    With the ``ETag`` of an earlier answer in ``If-None-Match``: 304 while the lot is as it was.
    """
    snapshot = await repository.snapshot(parts_of(request).database, _id(auction_id))
    return etags.respond(request, snapshot, etags.snapshot_tag(snapshot))


@router.get(
    "/{auction_id}/bids",
    summary="Accepted bids, newest first",
    responses={200: {"model": BidPage}, 404: {"model": Problem}, 422: {"model": Problem}},
    response_model=None,
)
async def list_bids(
    auction_id: str, request: Request, after: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None, limit: Limit = 50
) -> dict[str, Any]:
    """Proxy raises are rows of their own (``proxy``), so that the history explains the price."""
    items, following = await repository.bids(parts_of(request).database, _id(auction_id), before=after, limit=limit)
    return {"items": items, "next": following}


@router.get(
    "/{auction_id}/log",
    summary="The lot's log, verifiable",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}}}, 404: {"model": Problem}, 422: {"model": Problem}},
)
async def get_log(auction_id: str, request: Request) -> StreamingResponse:
    """One event a line, and last the signed head. ``sothebais verify FILE`` checks it offline."""
    parts = parts_of(request)
    auction = _id(auction_id)
    # a 404 must be known before the first byte
    await repository.head(parts.database, auction)

    async def lines() -> AsyncIterator[bytes]:
        last: dict[str, Any] = {}
        async for event in repository.log(parts.database, auction):
            last = event
            yield msgspec.json.encode(event) + b"\n"
        signed = receipts.head(parts.key, auction, last["n"], bytes.fromhex(last["hash"]), parts.clock.now())
        yield msgspec.json.encode({"head": signed}) + b"\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")
