"""What operators do to lots: schedule one, move it, and every step beside the clock's, each with its reason."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request

from sothebais.api import paging
from sothebais.api.access import Operator
from sothebais.api.acting import actor, correlation
from sothebais.api.models.auctions import AuctionChange, AuctionSnapshot, LaterEnd, NewAuction, StepReason
from sothebais.api.parts import ApiParts, parts_of
from sothebais.auctions import repository, scheduling
from sothebais.auctions.commands import OverrideAuction
from sothebais.auctions.model import Override
from sothebais.auctions.scheduling import LOT_DURATION_MS_MAX
from sothebais.campaigns import files
from sothebais.campaigns import repository as campaigns
from sothebais.catalog import repository as catalog
from sothebais.catalog.metadata import clean_text
from sothebais.clock import Millis, parse_iso
from sothebais.errors import Conflict, InvalidInput, Unavailable
from sothebais.events import log
from sothebais.events.actions import REASON_LENGTH_MAX, action, checked_reason
from sothebais.users.service import Identity

router = APIRouter(prefix="/auctions", tags=["auctions"])

#: Lots are scheduled no further ahead.
AHEAD_MS_MAX = 5 * 366 * 86_400_000
_ILLEGAL: dict[int | str, dict[str, Any]] = {
    200: {"model": AuctionSnapshot},
    409: {"description": "ILLEGAL_TRANSITION: the lot's status does not allow this step; nothing changed"},
    503: {"description": "Nothing was kept, or the outcome is unknown"},
}


def _instant(text: str, field: str, now: Millis) -> Millis:
    """The instant of a text. Raises InvalidInput for what is none, or lies too far from now."""
    try:
        at = parse_iso(text)
    except (ValueError, OverflowError):
        raise InvalidInput(f"{field}: an instant looks like 2027-03-27T17:15:00Z.", field=field) from None
    if not now - LOT_DURATION_MS_MAX <= at <= now + AHEAD_MS_MAX:
        raise InvalidInput(f"{field} is too far from now.", field=field)
    return at


def _reason(text: str) -> str:
    return checked_reason(clean_text(text, "reason", REASON_LENGTH_MAX))


async def _take(request: Request, person: Identity, auction: str, step: Override) -> dict[str, Any]:
    """Have the engine take a step; the lot after it."""
    parts = parts_of(request)
    engine = parts.auctions
    if engine is None:
        raise Unavailable("Lots are not moved by this process.", retry_after=1)
    key = paging.path_id(auction, "auction")
    await engine.override(
        OverrideAuction(auction=key, actor=person.user, step=step, correlation_id=correlation(request))
    )
    return await repository.snapshot(parts.database, key)


@router.post(
    "",
    status_code=201,
    summary="Schedule a lot",
    responses={
        201: {"model": AuctionSnapshot},
        404: {"description": "No such art item"},
        409: {"description": "The art item is sold, or in another lot or campaign"},
    },
    response_model=None,
)
async def schedule_auction(body: NewAuction, request: Request, person: Operator) -> dict[str, Any]:
    """A lot outside every campaign. It opens by itself at ``starts_at``."""
    parts = parts_of(request)
    now = parts.clock.now()
    item = paging.query_id(body.art_item_id, "art_item_id")
    rules, premium, fee = files.parse_lot(body.rules, body.fees)
    starts_at, ends_at = _instant(body.starts_at, "starts_at", now), _instant(body.ends_at, "ends_at", now)
    if starts_at <= now:
        raise InvalidInput("starts_at must be later than now.", field="starts_at")
    async with parts.database.begin() as connection:
        piece = await catalog.item(connection, item or UUID(int=0))
        collection = await catalog.collection(connection, piece.collection_id)
        # nobody plans a campaign of this collection meanwhile, and no second lot of this item is made
        await campaigns.lock_collection(connection, collection.slug)
        if item in await parts.lot_scheduler.taken(connection, collection.id):
            raise Conflict("This art item is sold, or in another lot.", field="art_item_id")
        lot = scheduling.NewLot(
            art_item=piece.id,
            title=piece.name,
            lot_number=body.lot_number,
            terms=parts.lot_scheduler.terms(rules, premium_percent=premium, fee=fee, seller=collection.seller_id),
            starts_at=starts_at,
            ends_at=ends_at,
            hard_close_at=ends_at + rules.hard_close_after,
        )
        await scheduling.schedule(connection, lot, at=now)
        await log.append(connection, [action(actor(request, person), "auction.schedule", f"auction:{lot.id}", at=now)])
    return await repository.snapshot(parts.database, lot.id)


@router.patch("/{auction_id}", summary="Move a lot that has not started", responses=_ILLEGAL, response_model=None)
async def move_auction(auction_id: str, body: AuctionChange, request: Request, person: Operator) -> dict[str, Any]:
    """Other times. Its terms were promised when it was scheduled: to change those cancel it and schedule another."""
    parts = parts_of(request)
    now = parts.clock.now()
    reason = _reason(body.reason)
    facts = await _present(parts, paging.path_id(auction_id, "auction"))
    if facts["campaign_day_id"] is not None:
        raise Conflict("This lot is in a campaign, whose days are planned as a whole. Cancel it, or the campaign.")
    starts_at, ends_at = parse_iso(facts["starts_at"]), parse_iso(facts["ends_at"])
    new_start = starts_at if body.starts_at is None else _instant(body.starts_at, "starts_at", now)
    new_end = ends_at if body.ends_at is None else _instant(body.ends_at, "ends_at", now)
    hard_close_at = parse_iso(facts["hard_close_at"]) + new_end - ends_at
    if hard_close_at - new_start > LOT_DURATION_MS_MAX:
        raise InvalidInput("A lot may run for 31 days at most.", field="ends_at")
    step = Override(kind="MOVE", reason=reason, starts_at=new_start, ends_at=new_end, hard_close_at=hard_close_at)
    return await _take(request, person, auction_id, step)


async def _present(parts: ApiParts, auction: UUID) -> dict[str, Any]:
    return await repository.snapshot(parts.database, auction)


@router.post("/{auction_id}/start", summary="Open a lot before its time", responses=_ILLEGAL, response_model=None)
async def start(auction_id: str, body: StepReason, request: Request, person: Operator) -> dict[str, Any]:
    """It keeps its length: its end moves with its start."""
    return await _take(request, person, auction_id, Override(kind="START", reason=_reason(body.reason)))


@router.post("/{auction_id}/pause", summary="Stop bidding on a lot", responses=_ILLEGAL, response_model=None)
async def pause(auction_id: str, body: StepReason, request: Request, person: Operator) -> dict[str, Any]:
    """The remaining time freezes."""
    return await _take(request, person, auction_id, Override(kind="PAUSE", reason=_reason(body.reason)))


@router.post("/{auction_id}/resume", summary="Go on with a paused lot", responses=_ILLEGAL, response_model=None)
async def resume(auction_id: str, body: StepReason, request: Request, person: Operator) -> dict[str, Any]:
    """Its end moves by the length of the pause."""
    return await _take(request, person, auction_id, Override(kind="RESUME", reason=_reason(body.reason)))


@router.post(
    "/{auction_id}/extend", summary="Move a running lot's end to later", responses=_ILLEGAL, response_model=None
)
async def extend(auction_id: str, body: LaterEnd, request: Request, person: Operator) -> dict[str, Any]:
    """To an instant, or by so many seconds."""
    parts = parts_of(request)
    now = parts.clock.now()
    if body.ends_at is None:
        present = await _present(parts, paging.path_id(auction_id, "auction"))
        base = max(parse_iso(present["ends_at"]), now)
    else:
        base = now
    step = Override(kind="EXTEND", reason=_reason(body.reason), ends_at=_end(body, base, now))
    return await _take(request, person, auction_id, step)


@router.post("/{auction_id}/end", summary="End a lot at once", responses=_ILLEGAL, response_model=None)
async def end(auction_id: str, body: StepReason, request: Request, person: Operator) -> dict[str, Any]:
    """Sold to its leader, if it has one who met the reserve."""
    return await _take(request, person, auction_id, Override(kind="END", reason=_reason(body.reason)))


@router.post("/{auction_id}/cancel", summary="Cancel a lot", responses=_ILLEGAL, response_model=None)
async def cancel(auction_id: str, body: StepReason, request: Request, person: Operator) -> dict[str, Any]:
    """Nobody wins it."""
    return await _take(request, person, auction_id, Override(kind="CANCEL", reason=_reason(body.reason)))


@router.post("/{auction_id}/reopen", summary="Open an ended lot again", responses=_ILLEGAL, response_model=None)
async def reopen(auction_id: str, body: LaterEnd, request: Request, person: Operator) -> dict[str, Any]:
    """Until an instant, or for so many seconds; before it is invoiced. Its winner is taken back."""
    now = parts_of(request).clock.now()
    step = Override(kind="REOPEN", reason=_reason(body.reason), ends_at=_end(body, now, now))
    return await _take(request, person, auction_id, step)


@router.post("/{auction_id}/bids/{bid_id}/void", summary="Take a bid out", responses=_ILLEGAL, response_model=None)
async def void_bid(
    auction_id: str, bid_id: str, body: StepReason, request: Request, person: Operator
) -> dict[str, Any]:
    """The standing is what the other bids give."""
    bid = paging.path_id(bid_id, "bid")
    return await _take(request, person, auction_id, Override(kind="VOID_BID", reason=_reason(body.reason), bid=bid))


def _end(body: LaterEnd, base: Millis, now: Millis) -> Millis:
    if (body.ends_at is None) == (body.seconds is None):
        raise InvalidInput("Give either ends_at or seconds.", field="ends_at")
    at = base + (body.seconds or 0) * 1_000 if body.ends_at is None else _instant(body.ends_at, "ends_at", now)
    if at > now + LOT_DURATION_MS_MAX:
        raise InvalidInput("A lot may run for 31 days at most.", field="ends_at")
    return at
