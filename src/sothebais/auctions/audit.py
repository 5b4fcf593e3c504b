"""Verifying a lot from its log alone: the hash chain, the commitments, and every decision played again. Pure.

The standing leader's maximum is never public. It is treated as unknown: the least value that the public prices prove
takes its place, with which every decision comes out the same. With openings from receipts it is checked exactly.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace

from sothebais import money
from sothebais.auctions import audit_openings, records, rules
from sothebais.auctions import terms as terms_codec
from sothebais.auctions.audit_chain import check_chain, check_head, check_receipt
from sothebais.auctions.model import (
    SEALED,
    Bid,
    Bidder,
    Decision,
    Lot,
    Outcome,
    Override,
    Reason,
    Status,
    Timing,
    TransitionKind,
)
from sothebais.errors import SothebaisError, VerificationFailed

#: Stands for a reserve nobody has seen: no maximum reaches it.
_UNSEEN_RESERVE = Decimal(10) ** 30

#: Event → the operator's step it records.
_STEPS = {
    "auction:start": "START",
    "auction:paused": "PAUSE",
    "auction:resumed": "RESUME",
    "auction:timer:updated": "EXTEND",
    "auction:end": "END",
    "auction:cancelled": "CANCEL",
    "auction:reopened": "REOPEN",
    "auction:settled": "SETTLE",
}
#: Reasons that depend on nothing but public figures, so that a wrong refusal is found.
_FACTS_OF_THE_LOT = (Reason.CANCELLED, Reason.NOT_STARTED, Reason.PAUSED, Reason.ENDED)
#: Steps that the house may take by itself at any moment, so that nobody can say whether they were due.
_AT_WILL = ("auction:cancelled", "auction:paused", "auction:resumed", "auction:settled")
#: What content that is no event of a lot makes the replay raise.
_NO_EVENT = (SothebaisError, KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a log proves."""

    auction: UUID
    title: str
    lot_number: int
    status: str
    outcome: str | None
    winner: str | None
    price: str | None
    currency: str
    events: int
    bids: int
    head: str
    #: Accepted bids whose maximum is not public; ``exact`` when openings were given for all of them.
    unknown_maxima: int
    exact: bool


def verify(
    events: Sequence[Mapping[str, Any]],
    *,
    openings: Iterable[Mapping[str, Any]] = (),
    head: tuple[int, str] | None = None,
    receipts: Iterable[Mapping[str, Any]] = (),
) -> Report:
    """Check a whole log; what it proves. Raises VerificationFailed with ``n``, the first event that does not fit.

    ``head`` is (n, hash) from a signed head or the auction's own row; ``receipts`` are bidders' receipts (their
    signatures are checked by the caller): both find a log that was cut off.
    """
    if not events:
        raise VerificationFailed("The log is empty.", n=0)
    auction = check_chain(events)
    check_head(events, head)
    given = list(openings)
    for receipt in receipts:
        check_receipt(events, receipt)
        given.append(receipt["opening"])
    try:
        replay = _Replay(auction, events, given)
    except VerificationFailed:
        raise
    except _NO_EVENT as error:
        raise VerificationFailed(f"The terms, an opening or a bid cannot be read: {_text(error)}", n=1) from error
    return replay.run()


class _Replay:
    """Plays a checked chain again."""

    def __init__(self, auction: UUID, events: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]]) -> None:
        self.auction = auction
        self.events = events
        if events[0]["type"] != "auction:scheduled":
            raise VerificationFailed("The first event does not hold the lot's terms.", n=1)
        self.terms_data: dict[str, Any] = events[0]["data"]["terms"]
        self.bids: list[Bid] = []
        self.count = 0
        self.number = 0
        self.closing_at: int | None = None
        #: Events that the commit of the one before them must have written next.
        self.due: list[str] = []
        self.known = audit_openings.maxima(auction, events, given)
        reserve = audit_openings.reserve(auction, events)
        hidden = self.terms_data["reserve_commitment"] is not None and reserve is None
        self.terms = terms_codec.from_public(self.terms_data, _UNSEEN_RESERVE if hidden else reserve)
        self.placeholders = audit_openings.placeholders(events, self.known, money.unit(self.terms.decimals))
        data = events[0]["data"]
        self.lot = Lot(
            id=auction,
            terms=self.terms,
            timing=Timing(starts_at=data["starts_at"], ends_at=data["ends_at"], hard_close_at=data["hard_close_at"]),
        )

    def run(self) -> Report:
        """Every event after the first, then what came of it."""
        for event in self.events[1:]:
            try:
                self._event(event)
            except VerificationFailed:
                raise
            except _NO_EVENT as error:
                n, kind = event["n"], event["type"]
                raise VerificationFailed(f"Event {n} ({kind}) could not have happened: {_text(error)}", n=n) from error
        if self.due:
            raise VerificationFailed(
                f"The log is cut off: {self.due[0]} must follow its last event.", n=len(self.events) + 1
            )
        return self._report()

    def _event(self, event: Mapping[str, Any]) -> None:
        n, kind = event["n"], event["type"]
        follows = bool(self.due)
        if follows:
            self._need(kind == self.due[0], n, f"{self.due[0]} must follow the event before it, not {kind}")
            self.due.pop(0)
        if kind == "auction:bid:accepted":
            self._accepted(event)
        elif kind == "auction:bid:rejected":
            self._rejected(event)
        elif kind == "auction:bid:voided":
            self._voided(event)
        elif kind == "auction:reserve:met":
            self._need(follows, n, "the reserve was not met by the bid before it")
        elif kind == "auction:winner":
            self._need(follows, n, "there is a winner and the lot was not sold just before")
            self._winner(event)
        elif kind in _STEPS or kind == str(TransitionKind.CLOSING):
            self._step(event, moved=follows)
        elif not kind.startswith("settlement:"):
            raise VerificationFailed(f"Event {n} has a type no lot has: {kind}.", n=n)

    # one event each

    def _accepted(self, event: Mapping[str, Any]) -> None:
        n, data = event["n"], event["data"]
        self.number += 1
        bid = self._bid(data, self.number)
        self._need(data["effective_at"] <= event["timestamp"], n, "the bid was made after it was decided")
        before = self.lot
        lot, decision = rules.decide(before, bid, event["timestamp"])
        if not decision.accepted:
            raise VerificationFailed(f"Event {n}: the rules refuse this bid ({decision.reason}), the log has it.", n=n)
        self.lot = lot
        self.count += 1
        self.bids.append(bid)
        expected = self._accepted_data(before, decision, data)
        self._same(n, data, expected)
        self._raises(data["raises"], decision.raises, n)
        opened = {opening["bid"] for opening in data["openings"]}
        self._need(opened == {str(one) for one in decision.opened}, n, "other maxima are opened than were beaten")
        if lot.status is not Status.CLOSING:
            self.closing_at = None
        if decision.reserve_met:
            self.due.append("auction:reserve:met")
        if decision.extended:
            self.due.append(str(TransitionKind.TIMER))
        if lot.status is Status.ENDED:
            self.due.append(str(TransitionKind.END))

    def _accepted_data(self, before: Lot, decision: Decision, data: Mapping[str, Any]) -> dict[str, Any]:
        lot, standing = self.lot, self.lot.standing
        return {
            "number": self.number,
            "amount": records.opt(decision.amount),
            "status": str(lot.status),
            "price": records.public_price(lot),
            "previous_price": records.public_price(before),
            "leader": records.ref(standing.leader),
            "leading_bid": records.ref(standing.leading_bid),
            "reserve_met": standing.reserve_met,
            "next_valid_amount": records.opt(decision.next_valid_amount),
            "ends_at": lot.timing.ends_at,
            "extension_count": lot.timing.extension_count,
            "bid_count": self.count,
            "bidder_count": records.bidder_count(lot),
        }

    def _bid(self, data: Mapping[str, Any], number: int) -> Bid:
        bid = data["bid"]
        maximum = self.known.get(bid, self.placeholders.get(bid))
        amount = None if data["amount"] is None else Decimal(data["amount"])
        if self.terms.format in SEALED:
            # a sealed bid that was voided is never opened; any valid amount stands for it
            amount = maximum if maximum is not None else self.terms.starting_price
            maximum = None
        elif maximum is None:
            maximum = amount  # accepted and never beaten nor leading: cannot be, and the replay will say so
        return Bid(
            id=UUID(bid),
            bidder=Bidder(UUID(data["user"]), has_wallet=True, has_deposit=True),
            amount=None if data["offered_by_house"] and maximum is not None else amount,
            max_amount=maximum if maximum is None or amount is None else max(maximum, amount),
            currency=self.terms.currency,
            effective_at=data["effective_at"],
            confirm=True if bid not in self.known else data["confirm"],
            number=number,
        )

    def _rejected(self, event: Mapping[str, Any]) -> None:
        n, data = event["n"], event["data"]
        self.number += 1
        self._same(
            n,
            data,
            {
                "number": self.number,
                "bid_count": self.count,
                "next_valid_amount": records.opt(rules.next_valid_amount(self.lot, event["timestamp"])),
            },
        )
        self._need(data["effective_at"] <= event["timestamp"], n, "the bid was made after it was decided")
        reason = Reason(data["reason"])
        user = UUID(data["user"])
        bid = Bid(
            id=UUID(data["bid"]),
            bidder=Bidder(user, has_wallet=True, has_deposit=True),
            amount=None if data["amount"] is None else Decimal(data["amount"]),
            max_amount=None if data["max_amount"] is None else Decimal(data["max_amount"]),
            currency=data["currency"],
            effective_at=data["effective_at"],
            confirm=data["confirm"],
            number=self.number,
        )
        of_lot = rules.check_state(self.lot, bid)
        if of_lot is not None or reason in _FACTS_OF_THE_LOT:
            found = None if of_lot is None else of_lot[0]
            self._need(found is reason, n, f"the bid was refused as {reason}; the rules say {found}")
        elif reason is Reason.BLOCKED:
            return  # only the house knows; the check comes before those below
        elif reason is Reason.SELLER or user == self.terms.seller:
            self._need(reason is Reason.SELLER and user == self.terms.seller, n, "refused as the seller's wrongly")
        elif reason is Reason.WALLET_REQUIRED:
            self._need(self.terms.wallet_required, n, "refused for want of a wallet that the terms do not ask for")
        elif reason is Reason.DEPOSIT_REQUIRED:
            self._need(self.terms.deposit_required, n, "refused for want of a deposit that the terms do not ask for")
        elif reason is Reason.CURRENCY_MISMATCH or data["currency"] != self.terms.currency:
            self._need(reason is Reason.CURRENCY_MISMATCH, n, f"refused as {reason}; its currency is another")
        elif reason is Reason.ALREADY_LEADING:
            self._need(user == self.lot.standing.leader, n, "refused as the leader's; it is not")
        elif reason is Reason.CONFIRMATION_REQUIRED:
            self._need(not data["confirm"], n, "refused for want of a confirmation it has")
        elif self.terms.format not in SEALED:  # the figures of a sealed bid are not shown
            _, decision = rules.decide(self.lot, bid, event["timestamp"])
            self._need(
                decision.reason is reason, n, f"refused as {reason}; the rules say {decision.reason or 'accepted'}"
            )

    def _voided(self, event: Mapping[str, Any]) -> None:
        n, data = event["n"], event["data"]
        step = Override(kind="VOID_BID", reason=data["cause"], bid=UUID(data["bid"]))
        before = self.lot
        lot, _, opened = rules.override(before, step, event["timestamp"], self.bids)
        self.bids = [bid for bid in self.bids if bid.id != step.bid]
        _, raises = rules.refold(lot, self.bids)
        self.lot = lot
        self.count -= 1
        standing = lot.standing
        expected = {
            "price": records.public_price(lot),
            "previous_price": records.public_price(before),
            "leader": records.ref(standing.leader),
            "leading_bid": records.ref(standing.leading_bid),
            "reserve_met": standing.reserve_met,
            "bid_count": self.count,
            "bidder_count": records.bidder_count(lot),
        }
        self._same(n, data, expected | self._times(event), "after voiding ")
        self._raises(data["raises"], raises, n)
        shown = {opening["bid"] for opening in data["openings"]}
        self._need({str(one) for one in opened} <= shown, n, "a maximum that was beaten is not opened")

    def _step(self, event: Mapping[str, Any], *, moved: bool) -> None:
        """A step of the lifecycle; ``moved``: the bid before it has moved the lot already."""
        n, kind, data, at = event["n"], event["type"], event["data"], event["timestamp"]
        expected: dict[str, Any] = {}
        if moved:
            self._need(data["actor"] is None, n, "nobody else moves a lot in the commit of a bid")
        elif data["actor"] is not None or kind in _AT_WILL:
            self._need(kind in _STEPS, n, f"nobody can take the step {kind}")
            step = Override(
                kind=self._kind(kind),  # type: ignore[arg-type]
                reason=data["cause"],
                starts_at=data["starts_at"],
                ends_at=data["ends_at"],
                hard_close_at=data["hard_close_at"],
            )
            self.lot, _, _ = rules.override(self.lot, step, at)
        elif kind == str(TransitionKind.TIMER):
            self._outage(event)
            # a falling price was told for the end of the outage, which the log does not have
            expected["next_valid_amount"] = data["next_valid_amount"]
        else:
            self._on_time(event)
        if kind == str(TransitionKind.CLOSING):
            self.closing_at = at
        self._same(n, data, self._times(event) | expected)
        if kind == str(TransitionKind.END):
            self._end(event)

    def _kind(self, event: str) -> str:
        """The operator's step that an event records: of a lot that has not started the times are moved, not the end."""
        if event == str(TransitionKind.TIMER) and self.lot.status is Status.SCHEDULED:
            return "MOVE"
        return _STEPS[event]

    def _times(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """What every step says of the lot after it."""
        timing = self.lot.timing
        return {
            "status": str(self.lot.status),
            "starts_at": timing.starts_at,
            "ends_at": timing.ends_at,
            "hard_close_at": timing.hard_close_at,
            "extension_count": timing.extension_count,
            "next_valid_amount": records.opt(rules.next_valid_amount(self.lot, event["timestamp"])),
        }

    def _on_time(self, event: Mapping[str, Any]) -> None:
        """A step the house takes by itself, when it is due."""
        n, kind, at = event["n"], event["type"], event["timestamp"]
        if kind == str(TransitionKind.END):
            # the grace counted from a commit no earlier than this
            self.lot = replace(self.lot, timing=replace(self.lot.timing, closing_at=self.closing_at))
        lot, step = rules.advance_once(self.lot, at)
        self._need(step is not None and str(step.kind) == kind, n, f"{kind} was not due at that moment")
        self.lot = lot

    def _outage(self, event: Mapping[str, Any]) -> None:
        n, data = event["n"], event["data"]
        lost = data["ends_at"] - self.lot.timing.ends_at
        self._need(lost > 0, n, "an outage can only give time back")
        self._need(data["cause"] == rules.outage_cause(lost), n, "the end moved by another length than the outage had")
        # decided a moment after the outage was over: it began no later than this, and before the lot's end
        since = min(event["timestamp"] - lost, self.lot.timing.ends_at - 1)
        lot, transitions = rules.outage(self.lot, since, since + lost)
        self._need(bool(transitions), n, "there was no time to give back")
        self.lot = lot
        self.closing_at = None

    def _end(self, event: Mapping[str, Any]) -> None:
        n, data = event["n"], event["data"]
        lot, standing = self.lot, self.lot.standing
        sold = lot.outcome is Outcome.SOLD
        expected = {
            "outcome": str(lot.outcome),
            "price": records.opt(standing.price),
            "winner": records.ref(standing.leader) if sold else None,
            "winning_bid": records.ref(standing.leading_bid) if sold else None,
            "leader": records.ref(standing.leader),
            "leading_bid": records.ref(standing.leading_bid),
            "bid_count": self.count,
        }
        self._same(n, data, expected)
        opened = {opening["bid"] for opening in data["openings"]}
        committed = self.terms_data["reserve_commitment"] is not None
        if self.terms.format in SEALED:
            self._need(opened == {str(bid.id) for bid in self.bids}, n, "not all sealed bids are opened")
            self._need(not committed or isinstance(data["reserve"], Mapping), n, "the reserve is not opened")
        else:
            superseded = {str(bid) for bid in standing.unopened[:-1]}
            self._need(opened <= superseded, n, "a maximum is opened that still stands")
            left = tuple(bid for bid in standing.unopened if str(bid) not in opened)
            self.lot = replace(lot, standing=replace(standing, unopened=left))
        if committed and not standing.reserve_met:
            self._need(isinstance(data["reserve"], Mapping), n, "the reserve that was missed is not opened")
        if sold:
            self.due.append("auction:winner")

    def _winner(self, event: Mapping[str, Any]) -> None:
        n, data, standing = event["n"], event["data"], self.lot.standing
        price = standing.price if standing.price is not None else money.ZERO
        expected = {
            "winner": records.ref(standing.leader),
            "bid": records.ref(standing.leading_bid),
            "price": money.text(price),
            "total_payable": money.text(rules.total_payable(self.terms, price)),
            "currency": self.terms.currency,
        }
        self._same(n, data, expected)

    def _raises(self, logged: Sequence[Mapping[str, Any]], made: Sequence[Any], n: int) -> None:
        expected = []
        for one in made:
            self.number += 1
            expected.append((self.number, str(one.user), money.text(one.amount)))
        found = [(row["number"], row["user"], row["amount"]) for row in logged]
        self._need(found == expected, n, f"the proxies' raises should be {expected}, the log says {found}")

    def _same(self, n: int, data: Mapping[str, Any], expected: Mapping[str, Any], when: str = "") -> None:
        for name, value in expected.items():
            self._need(data[name] == value, n, f"{when}{name} should be {value}, the log says {data[name]}")

    def _need(self, holds: bool, n: int, otherwise: str) -> None:
        if not holds:
            raise VerificationFailed(f"Event {n}: {otherwise}.", n=n)

    def _report(self) -> Report:
        last = self.events[-1]
        unknown = sum(
            event["type"] == "auction:bid:accepted" and event["data"]["bid"] not in self.known for event in self.events
        )
        lot, standing = self.lot, self.lot.standing
        sold = lot.outcome is Outcome.SOLD
        return Report(
            auction=self.auction,
            title=self.events[0]["data"]["title"],
            lot_number=self.events[0]["data"]["lot_number"],
            status=str(lot.status),
            outcome=None if lot.outcome is None else str(lot.outcome),
            winner=records.ref(standing.leader) if sold else None,
            price=records.opt(standing.price),
            currency=self.terms.currency,
            events=len(self.events),
            bids=self.count,
            head=last["hash"],
            unknown_maxima=unknown,
            exact=unknown == 0,
        )


def _text(error: Exception) -> str:
    return error.message if isinstance(error, SothebaisError) else repr(error)
