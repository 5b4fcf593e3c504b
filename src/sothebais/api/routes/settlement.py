"""Settling a sold lot: its invoice, payment and delivery, and the runner-up's answer."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from sothebais.api.access import Operator, SignedIn, may
from sothebais.api.envelope import CORRELATION
from sothebais.api.models.base import Problem
from sothebais.api.models.settlement import (
    ApprovalWaiting,
    InvoiceRequest,
    Settlement,
    SettlementStepRequest,
    WithdrawRequest,
)
from sothebais.api.paging import path_id
from sothebais.api.parts import parts_of
from sothebais.auctions import settlement_views
from sothebais.auctions.settlement import Settlements, policy_of
from sothebais.auctions.settlement_model import SettlementStep
from sothebais.clock import parse_iso, to_datetime
from sothebais.errors import InvalidInput
from sothebais.events.actions import Actor
from sothebais.reports import invoice_page
from sothebais.users.service import Identity
from sothebais.users.tables import Role

router = APIRouter(prefix="/auctions/{auction_id}/settlement", tags=["settlement"])

_REFUSED: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "Nobody is signed in"},
    404: {"model": Problem, "description": "No such lot, or no settlement of it that this person may see"},
    422: {"model": Problem, "description": "The request is not valid"},
}
_STEP_REFUSED: dict[int | str, dict[str, Any]] = _REFUSED | {
    403: {"model": Problem, "description": "Not of the staff, or a party to this sale"},
    409: {"model": Problem, "description": "Not the step that is next"},
}


def settlements_of(request: Request) -> Settlements:
    """The steps of settlements over the parts of this app."""
    parts = parts_of(request)
    return Settlements(parts.database, policy_of(parts.settings))


def actor_of(request: Request, person: Identity) -> Actor:
    """Who takes a step, as the audit writes it."""
    return Actor(person.user, str(person.role), request.scope.get(CORRELATION))


@router.get(
    "", summary="How a sold lot is settled", responses=_REFUSED | {200: {"model": Settlement}}, response_model=None
)
async def get_settlement(auction_id: str, request: Request, person: SignedIn) -> dict[str, Any]:
    """For its buyer, the lot's seller and the staff; for anybody else there is none (404)."""
    return await _view(auction_id, request, person)


@router.post(
    "/invoice",
    status_code=201,
    summary="Invoice a sold lot now",
    responses=_STEP_REFUSED | {201: {"model": Settlement}},
    response_model=None,
)
async def invoice(auction_id: str, body: InvoiceRequest, request: Request, person: Operator) -> dict[str, Any]:
    """The house does it by itself a while after the end (``invoice_after_s``); an invoiced lot cannot be re-opened."""
    due_at = None
    if body.due_at is not None:
        try:
            due_at = parse_iso(body.due_at)
            to_datetime(due_at)
        except (ValueError, OverflowError):
            raise InvalidInput("due_at must be an ISO 8601 time with its zone.", field="due_at") from None
    await settlements_of(request).invoice(
        path_id(auction_id, "auction"),
        parts_of(request).clock.now(),
        actor=actor_of(request, person),
        reason=body.reason,
        due_at=due_at,
    )
    return await _view(auction_id, request, person)


@router.post(
    "/paid",
    summary="The buyer has paid",
    responses=_STEP_REFUSED
    | {200: {"model": Settlement}, 202: {"model": ApprovalWaiting, "description": "Another of the staff must confirm"}},
    response_model=None,
)
async def paid(auction_id: str, body: SettlementStepRequest, request: Request, person: Operator) -> Response:
    """Above the house's approval amount the first call asks (202), and the same call by another of the staff confirms."""
    return await _take(auction_id, SettlementStep.PAY, body, request, person)


@router.post(
    "/delivered",
    summary="The buyer has the piece",
    responses=_STEP_REFUSED
    | {200: {"model": Settlement}, 202: {"model": ApprovalWaiting, "description": "Another of the staff must confirm"}},
    response_model=None,
)
async def delivered(auction_id: str, body: SettlementStepRequest, request: Request, person: Operator) -> Response:
    """The last step: paid and delivered, the lot is SETTLED. Confirmed by two above the house's approval amount."""
    return await _take(auction_id, SettlementStep.DELIVER, body, request, person)


@router.post(
    "/withdraw",
    summary="Take back a step that waits for approval",
    responses=_STEP_REFUSED | {200: {"model": Settlement}},
    response_model=None,
)
async def withdraw(auction_id: str, body: WithdrawRequest, request: Request, person: Operator) -> dict[str, Any]:
    """For a payment or delivery that was asked for by mistake: while it waits, the invoice does not expire."""
    await settlements_of(request).withdraw(
        path_id(auction_id, "auction"),
        SettlementStep(body.step),
        parts_of(request).clock.now(),
        actor=actor_of(request, person),
        reason=body.reason,
    )
    return await _view(auction_id, request, person)


@router.post(
    "/accept",
    summary="The runner-up takes the lot",
    responses=_REFUSED
    | {200: {"model": Settlement}, 403: {"model": Problem}, 409: {"model": Problem, "description": "Too late"}},
    response_model=None,
)
async def accept(auction_id: str, request: Request, person: SignedIn) -> dict[str, Any]:
    """Take the offer at the amount it names; the invoice follows in the same breath."""
    now = parts_of(request).clock.now()
    await settlements_of(request).answer(path_id(auction_id, "auction"), person.user, now, accept=True)
    return await _view(auction_id, request, person)


@router.post(
    "/decline",
    summary="The runner-up leaves the lot",
    responses=_REFUSED
    | {200: {"model": Settlement}, 403: {"model": Problem}, 409: {"model": Problem, "description": "Too late"}},
    response_model=None,
)
async def decline(auction_id: str, request: Request, person: SignedIn) -> dict[str, Any]:
    """Leave the offer; nothing is owed."""
    now = parts_of(request).clock.now()
    await settlements_of(request).answer(path_id(auction_id, "auction"), person.user, now, accept=False)
    return await _view(auction_id, request, person)


@router.get(
    "/invoice.html",
    summary="The invoice, to read and to print",
    response_class=Response,
    response_model=None,
    responses=_REFUSED | {200: {"content": {"text/html": {}}}},
)
async def invoice_html(auction_id: str, request: Request, person: SignedIn) -> HTMLResponse:
    """One A4 page for the buyer and the staff."""
    found, status = await settlement_views.invoice(
        parts_of(request).database,
        path_id(auction_id, "auction"),
        person.user,
        staff=may(person, Role.OPERATOR),
    )
    return HTMLResponse(
        invoice_page.render(found, str(status)), headers={"content-security-policy": invoice_page.CONTENT_POLICY}
    )


async def _view(auction_id: str, request: Request, person: Identity) -> dict[str, Any]:
    return await settlement_views.view(
        parts_of(request).database,
        path_id(auction_id, "auction"),
        person.user,
        staff=may(person, Role.OPERATOR),
    )


async def _take(
    auction_id: str, step: SettlementStep, body: SettlementStepRequest, request: Request, person: Identity
) -> Response:
    done = await settlements_of(request).take(
        path_id(auction_id, "auction"),
        step,
        parts_of(request).clock.now(),
        actor=actor_of(request, person),
        reason=body.reason,
        reference=body.reference,
    )
    shown = await _view(auction_id, request, person)
    if done:
        return JSONResponse(shown)
    return JSONResponse({"status": "WAITING_FOR_APPROVAL", "step": str(step), "settlement": shown}, status_code=202)
