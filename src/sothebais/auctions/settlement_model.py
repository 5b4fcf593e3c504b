"""The settlement of a sold lot as plain values: its lifecycle, its approvals, and who is asked next. Pure."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from sothebais import money
from sothebais.errors import IllegalTransition
from sothebais.instants import Millis

REFERENCE_LENGTH_MAX = 200


class SettlementStatus(StrEnum):
    """INVOICED → PAID → DELIVERED → SETTLED, or EXPIRED. A runner-up's begins as OFFERED."""

    OFFERED = "OFFERED"
    INVOICED = "INVOICED"
    PAID = "PAID"
    DELIVERED = "DELIVERED"
    SETTLED = "SETTLED"
    EXPIRED = "EXPIRED"


class SettlementStep(StrEnum):
    """The steps of a settlement; each happens once at most."""

    OFFER = "OFFER"
    INVOICE = "INVOICE"
    PAY = "PAY"
    DELIVER = "DELIVER"
    SETTLE = "SETTLE"
    EXPIRE = "EXPIRE"


#: (from, step) -> to. What is not here is illegal; None is a lot that has no settlement yet.
TRANSITIONS: dict[tuple[SettlementStatus | None, SettlementStep], SettlementStatus] = {
    (None, SettlementStep.INVOICE): SettlementStatus.INVOICED,
    (None, SettlementStep.OFFER): SettlementStatus.OFFERED,
    (SettlementStatus.OFFERED, SettlementStep.INVOICE): SettlementStatus.INVOICED,
    (SettlementStatus.OFFERED, SettlementStep.EXPIRE): SettlementStatus.EXPIRED,
    (SettlementStatus.INVOICED, SettlementStep.PAY): SettlementStatus.PAID,
    (SettlementStatus.INVOICED, SettlementStep.EXPIRE): SettlementStatus.EXPIRED,
    (SettlementStatus.PAID, SettlementStep.DELIVER): SettlementStatus.DELIVERED,
    (SettlementStatus.DELIVERED, SettlementStep.SETTLE): SettlementStatus.SETTLED,
}

#: The event that tells of a step; SETTLE is told by the lot's own ``auction:settled``.
EVENTS = {
    SettlementStep.OFFER: "settlement:offered",
    SettlementStep.INVOICE: "settlement:invoiced",
    SettlementStep.PAY: "settlement:paid",
    SettlementStep.DELIVER: "settlement:delivered",
    SettlementStep.EXPIRE: "settlement:expired",
}

_VERBS = {
    SettlementStep.OFFER: "offered",
    SettlementStep.INVOICE: "invoiced",
    SettlementStep.PAY: "marked as paid",
    SettlementStep.DELIVER: "marked as delivered",
    SettlementStep.SETTLE: "settled",
    SettlementStep.EXPIRE: "expired",
}


def after(status: SettlementStatus | None, step: SettlementStep) -> SettlementStatus:
    """The status that ``step`` leads to. Raises IllegalTransition, naming both, when the table has no such step."""
    try:
        return TRANSITIONS[status, step]
    except KeyError:
        raise IllegalTransition(
            f"A settlement that is {status} cannot be {_VERBS[step]}.", settlement_status=str(status), step=str(step)
        ) from None


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How this house settles. Lengths in milliseconds; a campaign may have a ``payment_due`` of its own."""

    payment_due: Millis
    offer_lasts: Millis
    #: A sold lot is invoiced by itself so long after its end; until then an operator may re-open it.
    invoice_after: Millis
    #: Totals above these, by currency, need two of the staff.
    approval_amounts: Mapping[str, Decimal]
    issuer: str
    payment_instructions: Mapping[str, str]

    def needs_approval(self, total: Decimal, currency: str) -> bool:
        """Whether so much is marked as paid or delivered by two people only."""
        least = self.approval_amounts.get(currency)
        return least is not None and total > least


class RunnerUp(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asked when the winner does not pay, at what amount, and by which bid."""

    user: UUID
    bid: UUID
    amount: Decimal


def runner_up(events: Iterable[Mapping[str, Any]], *, winner: UUID, excluded: Iterable[UUID] = ()) -> RunnerUp | None:
    """The highest other bidder of a lot at that bidder's own highest public amount; None when there is none to ask.

    Read from the lot's public log alone: visible amounts of accepted bids, the raises proxies made, and maxima that
    were opened because they were beaten. So no secret can be in it; a standing maximum is not in the log. Bids that
    were voided do not count, nor does a proxy's raise that was superseded. Of equals the earlier is asked. Nobody is
    asked below a reserve (which is public once it was met) or for more than the price.
    """
    left_out = {winner, *excluded}
    people: dict[str, str] = {}
    best: dict[str, Decimal] = {}
    gone: set[str] = set()
    reserve, price = money.ZERO, None
    for event in events:
        data = event["data"]
        match event["type"]:
            case "auction:bid:accepted":
                _note(data, people, best)
            case "auction:bid:voided":
                gone |= {data["bid"], *data["superseded"]}
                _note(data | {"amount": None}, people, best)
            case "auction:reserve:met":
                reserve = Decimal(data["reserve"])
            case "auction:end":
                price = data["price"]
                reserve = reserve if data["reserve"] is None else Decimal(data["reserve"]["reserve"])
                _note(data | {"bid": None}, people, best)
    found: RunnerUp | None = None
    for bid, user in people.items():
        amount = best.get(bid)
        if bid in gone or amount is None or UUID(user) in left_out:
            continue
        amount = amount if price is None else min(amount, Decimal(price))
        if amount >= reserve and (found is None or amount > found.amount):
            found = RunnerUp(user=UUID(user), bid=UUID(bid), amount=amount)
    return found


def _note(data: Mapping[str, Any], people: dict[str, str], best: dict[str, Decimal]) -> None:
    """Every public amount of an event: the bid's own, the raises it led to, the maxima it opened."""
    shown = [*data.get("raises", ()), *([data] if data.get("amount") is not None else [])]
    if data["bid"] is not None and "user" in data:
        people[data["bid"]] = data["user"]
    for one in data.get("raises", ()):
        people[one["bid"]] = one["user"]
    amounts = [(one["bid"], one["amount"]) for one in shown]
    amounts += [(opening["bid"], opening["max_amount"]) for opening in data.get("openings", ())]
    for bid, amount in amounts:
        best[bid] = max(best.get(bid, money.ZERO), Decimal(amount))
