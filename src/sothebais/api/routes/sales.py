"""Reports of sales."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from sothebais.api.access import Owner, may
from sothebais.api.models.base import Problem
from sothebais.api.models.settlement import SalePage
from sothebais.api.paging import After, Limit, after_id, query_id
from sothebais.api.parts import parts_of
from sothebais.clock import Millis, parse_iso, to_datetime
from sothebais.errors import InvalidInput
from sothebais.reports import sales
from sothebais.users.tables import Role

router = APIRouter(prefix="/admin/reports", tags=["admin"])

INSTANT_LENGTH_MAX = 40


@router.get(
    "/sales",
    summary="Sold lots and how they are settled",
    responses={
        200: {"model": SalePage, "content": {"text/csv": {}}},
        401: {"model": Problem},
        403: {"model": Problem},
        422: {"model": Problem},
    },
    response_model=None,
)
async def list_sales(
    request: Request,
    person: Owner,
    format: Annotated[Literal["json", "csv"], Query(description="JSON is paged, CSV is whole.")] = "json",
    campaign_id: str | None = None,
    since: Annotated[
        str | None,
        Query(alias="from", max_length=INSTANT_LENGTH_MAX, description="Sold then or later, ISO 8601."),
    ] = None,
    until: Annotated[
        str | None, Query(alias="to", max_length=INSTANT_LENGTH_MAX, description="Sold before, ISO 8601.")
    ] = None,
    after: After = None,
    limit: Limit = 50,
) -> Any:
    """One row for each sold lot. An owner sees the sales of the own collections, the staff all."""
    wanted = sales.Wanted(
        campaign=query_id(campaign_id, "campaign_id"),
        since=_instant(since, "from"),
        until=_instant(until, "to"),
        seller=None if may(person, Role.OPERATOR) else person.user,
    )
    database = parts_of(request).database
    cursor = after_id(after)
    if format == "csv":
        return _csv(sales.csv_lines(database, wanted))
    items, following = await sales.page(database, wanted, after=cursor, limit=limit)
    return {"items": items, "next": None if following is None else str(following)}


def _csv(lines: Any) -> Response:
    headers = {"content-disposition": 'attachment; filename="sales.csv"'}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def _instant(text: str | None, field: str) -> Millis | None:
    if text is None:
        return None
    try:
        found = parse_iso(text)
        to_datetime(found)  # the zone may have moved it out of the years there are
        return found
    except (ValueError, OverflowError):
        raise InvalidInput(f"{field} must be an ISO 8601 time with its zone.", field=field) from None
