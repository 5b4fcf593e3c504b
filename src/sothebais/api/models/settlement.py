"""Bodies about settlements and sales."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from sothebais.api.models.base import AmountText, Body, Id, Instant, Person

type SettlementStatusName = Literal["OFFERED", "INVOICED", "PAID", "DELIVERED", "SETTLED", "EXPIRED"]
type StepName = Literal["OFFER", "INVOICE", "PAY", "DELIVER", "SETTLE", "EXPIRE"]
#: One line without control characters, with something on it.
type ReasonText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"),
    Field(description="Why; it is kept in the audit.", examples=["bank statement of 3 March"]),
]
type ReferenceText = Annotated[
    str,
    StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"),
    Field(description="A bank's reference, a transaction hash, a waybill.", examples=["E2E-4711"]),
]


class SettlementTaken(Body):
    """A step of a settlement. ``by``, ``approved_by``, ``reason`` and ``reference`` are shown to the staff only."""

    step: StepName
    at: Instant
    by: Person | None
    approved_by: Person | None
    reason: str | None
    reference: str | None


class EarlierSettlement(Body):
    """What becomes of a sold lot. ``runner_up``: the winner did not pay, and this is the next bidder's."""

    id: Id
    auction_id: Id
    status: SettlementStatusName
    runner_up: bool
    invoice_number: str | None
    buyer: Person
    seller: Person | None
    currency: str
    hammer_price: AmountText
    premium_percent: AmountText
    premium: AmountText
    fee: AmountText
    total: AmountText
    payment_instructions: str | None
    created_at: Instant
    due_at: Instant | None
    invoiced_at: Instant | None
    paid_at: Instant | None
    delivered_at: Instant | None
    waiting: SettlementTaken | None
    steps: list[SettlementTaken]


class Settlement(EarlierSettlement):
    """The newest settlement of a lot that this person may see, with the earlier ones."""

    earlier: list[EarlierSettlement]


class InvoiceRequest(Body):
    """Invoice a sold lot now; without ``due_at`` the campaign's or the house's time to pay."""

    reason: ReasonText
    due_at: Instant | None = None


class WithdrawRequest(Body):
    """Which step that waits for approval is taken back, and why."""

    step: Literal["PAY", "DELIVER"]
    reason: ReasonText


class SettlementStepRequest(Body):
    """Mark a settlement as paid or delivered."""

    reason: ReasonText
    reference: ReferenceText | None = None


class ApprovalWaiting(Body):
    """The step is written down; another of the staff must ask for it too before it is taken."""

    status: Literal["WAITING_FOR_APPROVAL"]
    step: Literal["PAY", "DELIVER"]
    settlement: Settlement


class Sale(Body):
    """One sold lot. Buyer and amounts are those of the newest settlement, before there is one the winner's."""

    auction_id: Id
    campaign: str | None
    day: str | None
    lot_number: int
    title: str
    collection: str
    token_id: str
    sold_at: Instant
    currency: str
    hammer_price: AmountText
    premium: AmountText
    fee: AmountText
    total: AmountText
    buyer_id: Id
    buyer: str
    seller: str | None
    runner_up: bool
    status: SettlementStatusName | None
    invoice_number: str | None
    due_at: Instant | None
    paid_at: Instant | None
    delivered_at: Instant | None


class SalePage(Body):
    """Sold lots; ``next`` goes into ``after`` for the page behind."""

    items: list[Sale]
    next: Id | None


REQUESTS: dict[str, type[BaseModel]] = {
    "InvoiceRequest": InvoiceRequest,
    "SettlementStepRequest": SettlementStepRequest,
}
ANSWERS: dict[str, type[BaseModel]] = {
    "ApprovalWaiting": ApprovalWaiting,
    "SalePage": SalePage,
    "Settlement": Settlement,
}
