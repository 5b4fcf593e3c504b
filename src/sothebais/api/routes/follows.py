"""Following auctions, campaigns and their days."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request

from sothebais import ids
from sothebais.api.access import SignedIn
from sothebais.api.models.base import Problem
from sothebais.api.models.notifications import FollowAnswer, FollowRequest
from sothebais.api.parts import parts_of
from sothebais.api.routes.notifications import PROBLEMS
from sothebais.errors import NotFound
from sothebais.notify import service

router = APIRouter(tags=["follows"])

_RESPONSES: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "No such thing"}, **PROBLEMS}
_FOLLOWING: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "You follow too many things"},
    **_RESPONSES,
}
DayNumber = Annotated[int, Path(ge=1, le=10_000)]


def _id(text: str, what: str) -> UUID:
    found = ids.parse_id(text)
    if found is None:
        raise NotFound(f"There is no {what} with this id.")
    return found


@router.post("/auctions/{auction_id}/follow", summary="Follow a lot", responses=_FOLLOWING)
async def follow_auction(
    auction_id: str, person: SignedIn, request: Request, body: FollowRequest | None = None
) -> FollowAnswer:
    """You are reminded before it opens. Again only changes how long before."""
    return await _follow(request, person.user, {"auction_id": _id(auction_id, "auction")}, body)


@router.delete("/auctions/{auction_id}/follow", status_code=204, summary="Stop following a lot", responses=_RESPONSES)
async def unfollow_auction(auction_id: str, person: SignedIn, request: Request) -> None:
    """204 whether or not you followed it."""
    await _unfollow(request, person.user, {"auction_id": _id(auction_id, "auction")})


@router.post("/campaigns/{campaign_id}/follow", summary="Follow a campaign", responses=_FOLLOWING)
async def follow_campaign(
    campaign_id: str, person: SignedIn, request: Request, body: FollowRequest | None = None
) -> FollowAnswer:
    """You hear its news and are reminded before each of its sessions."""
    return await _follow(request, person.user, {"campaign_id": _id(campaign_id, "campaign")}, body)


@router.delete(
    "/campaigns/{campaign_id}/follow", status_code=204, summary="Stop following a campaign", responses=_RESPONSES
)
async def unfollow_campaign(campaign_id: str, person: SignedIn, request: Request) -> None:
    """204 whether or not you followed it."""
    await _unfollow(request, person.user, {"campaign_id": _id(campaign_id, "campaign")})


@router.post("/campaigns/{campaign_id}/days/{day}/follow", summary="Follow a session", responses=_FOLLOWING)
async def follow_day(
    campaign_id: str, day: DayNumber, person: SignedIn, request: Request, body: FollowRequest | None = None
) -> FollowAnswer:
    """One day of a campaign, by its number: you are reminded before it begins."""
    return await _follow(request, person.user, await _day(request, campaign_id, day), body)


@router.delete(
    "/campaigns/{campaign_id}/days/{day}/follow",
    status_code=204,
    summary="Stop following a session",
    responses=_RESPONSES,
)
async def unfollow_day(campaign_id: str, day: DayNumber, person: SignedIn, request: Request) -> None:
    """204 whether or not you followed it."""
    await _unfollow(request, person.user, await _day(request, campaign_id, day))


async def _day(request: Request, campaign: str, number: int) -> dict[str, UUID]:
    async with parts_of(request).database.connect() as connection:
        return {"campaign_day_id": await service.day_of(connection, _id(campaign, "campaign"), number)}


async def _follow(request: Request, user: UUID, thing: dict[str, UUID], body: FollowRequest | None) -> FollowAnswer:
    seconds = (body or FollowRequest()).remind_before_s
    async with parts_of(request).database.begin() as connection:
        await service.follow(connection, user, thing, seconds)
    return FollowAnswer(remind_before_s=seconds)


async def _unfollow(request: Request, user: UUID, thing: dict[str, UUID]) -> None:
    async with parts_of(request).database.begin() as connection:
        await service.unfollow(connection, user, thing)
