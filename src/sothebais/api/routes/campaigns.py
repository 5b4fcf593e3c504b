"""Campaigns: anybody reads what is published, operators make and move them, owners see their own drafts."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from sothebais import money
from sothebais.api import etags, paging
from sothebais.api.access import Anybody, Operator, may
from sothebais.api.acting import actor
from sothebais.api.models.campaigns import (
    Campaign,
    CampaignCancelled,
    CampaignChange,
    CampaignDayPage,
    CampaignPage,
    NewCampaign,
    WithReason,
)
from sothebais.api.paging import After, Limit
from sothebais.api.parts import ApiParts, parts_of
from sothebais.campaigns import files, repository, service
from sothebais.campaigns.files import DESCRIPTION_LENGTH_MAX
from sothebais.campaigns.model import NAME_LENGTH_MAX, CampaignDetails, CampaignStatus, DayDetails
from sothebais.campaigns.ports import LotSummary
from sothebais.catalog.metadata import clean_text
from sothebais.clock import isoformat
from sothebais.errors import InvalidInput, NotFound
from sothebais.events.actions import checked_reason
from sothebais.users.service import Identity
from sothebais.users.tables import Role

router = APIRouter(prefix="/campaigns", tags=["campaigns"])

_TEXTS = {"name": NAME_LENGTH_MAX, "description": DESCRIPTION_LENGTH_MAX}


def shown(details: CampaignDetails) -> dict[str, Any]:
    """A campaign as the API shows it."""
    return {
        "id": str(details.id),
        "slug": details.slug,
        "name": details.name,
        "description": details.description,
        "collection_id": str(details.collection),
        "collection": details.collection_slug,
        "starts_on": details.starts_on.isoformat(),
        "ends_on": details.ends_on.isoformat(),
        "time_zone": details.time_zone,
        "status": str(details.status),
        "daily": details.daily,
        "rules": details.rules,
        "fees": {"premium_percent": money.text(details.premium_percent), "fee": money.text(details.fee)},
        "version": details.version,
    }


def _day(day: DayDetails, lots: list[LotSummary]) -> dict[str, Any]:
    of_day = [lot for lot in lots if lot.day == day.id]
    return {
        "id": str(day.id),
        "number": day.number,
        "date": day.date.isoformat(),
        "stage": str(day.status),
        "pre_auction_at": isoformat(day.pre_auction_at),
        "auction_at": isoformat(day.auction_at),
        "post_auction_at": isoformat(day.post_auction_at),
        "ends_at": isoformat(day.ends_at),
        "completed": sum(lot.over for lot in of_day),
        "lots": [
            {
                "id": str(lot.id),
                "lot_number": lot.lot_number,
                "art_item_id": str(lot.art_item),
                "title": lot.title,
                "starts_at": isoformat(lot.starts_at),
                "ends_at": isoformat(lot.ends_at),
                "status": lot.status,
            }
            for lot in of_day
        ],
    }


def _sees_drafts(person: Identity | None) -> bool:
    return person is not None and may(person, Role.OPERATOR)


def check_visible(details: CampaignDetails, person: Identity | None) -> None:
    """Raise NotFound for a draft that this person may not know of."""
    if details.status is not CampaignStatus.DRAFT or _sees_drafts(person):
        return
    own = person is not None and may(person, Role.OWNER) and details.seller == person.user
    if not own:
        raise NotFound("There is no campaign with this id.")


async def _found(parts: ApiParts, text: str, person: Identity | None) -> CampaignDetails:
    """The campaign of an id or slug, if this person may see it."""
    async with parts.database.connect() as connection:
        try:
            details = await repository.find(connection, text)
        except NotFound:
            raise NotFound("There is no campaign with this id.") from None
    check_visible(details, person)
    return details


@router.get("", summary="Campaigns", responses={200: {"model": CampaignPage}}, response_model=None)
async def list_campaigns(
    request: Request,
    person: Anybody,
    status: Annotated[list[CampaignStatus] | None, Query(max_length=5, description="Only these.")] = None,
    collection_id: Annotated[str | None, Query(max_length=36, description="Only those of this collection.")] = None,
    after: After = None,
    limit: Limit = paging.PAGE_USUAL,
) -> dict[str, Any]:
    """The last made first. Drafts are shown to operators, and to the owner of what they sell."""
    owner = person.user if person is not None and may(person, Role.OWNER) else None
    async with parts_of(request).database.connect() as connection:
        rows = await repository.page(
            connection,
            statuses=status or (),
            collection=paging.query_id(collection_id, "collection_id"),
            drafts_of=owner,
            drafts=_sees_drafts(person),
            before=paging.after_id(after),
            limit=limit + 1,
        )
    return paging.page(rows, limit, shown)


@router.get(
    "/{campaign_id}",
    summary="One campaign",
    responses={200: {"model": Campaign}, **etags.NOT_MODIFIED},
    response_model=None,
)
async def get_campaign(campaign_id: str, request: Request, person: Anybody) -> Response:
    """By id or slug."""
    return etags.respond(request, shown(await _found(parts_of(request), campaign_id, person)))


@router.get(
    "/{campaign_id}/days",
    summary="Days and their lots",
    responses={200: {"model": CampaignDayPage}},
    response_model=None,
)
async def list_days(
    campaign_id: str,
    request: Request,
    person: Anybody,
    after: Annotated[int | None, Query(ge=1, le=100_000, description="The `next` of the page before.")] = None,
    limit: Limit = paging.PAGE_USUAL,
) -> dict[str, Any]:
    """In order, each with its stages as they stand now."""
    parts = parts_of(request)
    details = await _found(parts, campaign_id, person)
    async with parts.database.connect() as connection:
        days = [day for day in await repository.days(connection, details.id) if day.number > (after or 0)]
        page = days[:limit]
        lots = await parts.lot_scheduler.lots(connection, [day.id for day in page])
    return {
        "items": [_day(day, lots) for day in page],
        "next": page[-1].number if len(days) > limit else None,
    }


@router.get(
    "/{campaign_id}/calendar.ics",
    summary="The campaign as a calendar",
    response_class=Response,
    responses={
        200: {"content": {"text/calendar": {"schema": {"type": "string"}}}, "description": "iCalendar (RFC 5545)"},
        304: {"description": "The caller has it"},
    },
)
async def get_calendar(campaign_id: str, request: Request, person: Anybody) -> Response:
    """A session for each day, in the campaign's time zone; to be subscribed to."""
    from sothebais.campaigns import calendars  # its time zones take a while to load, and few ask for them

    parts = parts_of(request)
    await _found(parts, campaign_id, person)
    details, days, lots = await service.plan(parts.database, campaign_id, parts.lot_scheduler)
    # stamped by what it shows, so that the same feed is the same bytes
    data = calendars.render(details, days, lots, days[0].pre_auction_at)
    tag = etags.weak(data.hex())
    headers = {"ETag": tag, "Cache-Control": "private, max-age=300", "Vary": "Authorization, Cookie"}
    if etags.matches(request, tag):
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = f'inline; filename="{details.slug}.ics"'
    return Response(data, media_type="text/calendar", headers=headers)


@router.post(
    "",
    status_code=201,
    summary="Make a campaign",
    responses={
        201: {"model": Campaign},
        404: {"description": "No such collection"},
        409: {"description": "The slug is in use, or an art item is taken"},
    },
    response_model=None,
)
async def create_campaign(body: NewCampaign, request: Request, person: Operator) -> dict[str, Any]:
    """A draft with its days and lots, from the document of the campaign file. Nothing opens before ``/start``."""
    parts = parts_of(request)
    plan = files.parse_json(body.model_dump(exclude_unset=True), parts.lot_scheduler)
    campaign = await service.create(
        parts.database, plan, parts.lot_scheduler, parts.clock.now(), actor=actor(request, person)
    )
    return shown(await _found(parts, str(campaign), person))


@router.patch(
    "/{campaign_id}",
    summary="Change a draft",
    responses={200: {"model": Campaign}, 409: {"description": "It was started"}},
    response_model=None,
)
async def change_campaign(campaign_id: str, body: CampaignChange, request: Request, person: Operator) -> dict[str, Any]:
    """Its name and description. All else is in the terms of its lots: cancel the draft and make another."""
    parts = parts_of(request)
    values: dict[str, str] = {}
    for name, value in body.model_dump(exclude_unset=True).items():
        text = "" if value is None else clean_text(value, name, _TEXTS[name], lines=name == "description")
        if value is None or (name == "name" and not text):
            raise InvalidInput(f"{name} cannot be taken away.", field=name)
        values[name] = text
    details = await service.change(parts.database, campaign_id, values, parts.clock.now(), actor=actor(request, person))
    return shown(details)


@router.post(
    "/{campaign_id}/start",
    summary="Let a campaign begin",
    responses={200: {"model": Campaign}, 409: {"description": "It is no draft, or its first lot was due already"}},
    response_model=None,
)
async def start_campaign(campaign_id: str, request: Request, person: Operator) -> dict[str, Any]:
    """From here on its days and lots open by themselves, in time."""
    parts = parts_of(request)
    return shown(await service.start(parts.database, campaign_id, parts.clock.now(), actor=actor(request, person)))


@router.post(
    "/{campaign_id}/cancel",
    summary="Cancel a campaign",
    responses={200: {"model": CampaignCancelled}, 409: {"description": "It is over"}},
    response_model=None,
)
async def cancel_campaign(campaign_id: str, body: WithReason, request: Request, person: Operator) -> dict[str, Any]:
    """Its days and every lot that is not over, running ones too. Bidders are told the reason."""
    parts = parts_of(request)
    lots = await service.cancel(
        parts.database,
        campaign_id,
        reason=checked_reason(clean_text(body.reason, "reason", 500, lines=True)),
        actor=person.user,
        scheduler=parts.lot_scheduler,
        now=parts.clock.now(),
    )
    return {"campaign": shown(await _found(parts, campaign_id, person)), "lots_cancelled": lots}
