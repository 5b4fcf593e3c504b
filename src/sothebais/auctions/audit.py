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
from sothebais.auctions import commitments, records, rules
from sothebais.auctions import terms as terms_codec
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
    Terms,
    Timing,
    TransitionKind,
)
from sothebais.errors import SothebaisError, VerificationFailed
from sothebais.events.chain import GENESIS, canonical, chain_hash

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
#: Reasons that rest on what only the house knows of a person.
_FACTS_OF_THE_PERSON = (Reason.BLOCKED, Reason.WALLET_REQUIRED, Reason.DEPOSIT_REQUIRED)


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
    #: Bids whose maximum is not public; ``exact`` when openings were given for all of them.
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
    return _Replay(auction, events, given).run()


def check_chain(events: Sequence[Mapping[str, Any]]) -> UUID:
    """Numbers without a gap, one subject, every hash; the auction's id."""
    subject = events[0].get("subject", "")
    previous = GENESIS.hex()
    for place, event in enumerate(events, start=1):
        n = event.get("n")
        if n != place:
            found = "is missing or out of order" if isinstance(n, int) and n > place else "does not follow"
            raise VerificationFailed(f"Event {place} {found}: the log has {n!r} in its place.", n=place)
        if event.get("subject") != subject:
            raise VerificationFailed(f"Event {n} belongs to another lot.", n=n)
        if event.get("prev_hash") != previous:
            raise VerificationFailed(f"Event {n} does not follow the event before it: the chain is broken.", n=n)
        try:
            digest = chain_hash(
                canonical(event["data"]), n, bytes.fromhex(previous), event["timestamp"], event["type"]
            ).hex()
        except (KeyError, TypeError, ValueError) as error:
            raise VerificationFailed(f"Event {n} is not an event of a log: {error!r}.", n=n) from error
        if event.get("hash") != digest:
            raise VerificationFailed(f"Event {n} was changed: its hash does not fit its content.", n=n)
        previous = digest
    try:
        return UUID(subject.removeprefix("auction:"))
    except ValueError:
        raise VerificationFailed("The log does not say which auction it is of.", n=1) from None


def check_head(events: Sequence[Mapping[str, Any]], head: tuple[int, str] | None) -> None:
    """The log ends where its head says."""
    if head is None:
        return
    n, digest = head
    if n > len(events):
        raise VerificationFailed(f"The log is cut off: it had {n} events and has {len(events)}.", n=len(events) + 1)
    if n < len(events) or events[-1]["hash"] != digest:
        raise VerificationFailed("The log does not end where its head says.", n=min(n, len(events)))


def check_receipt(events: Sequence[Mapping[str, Any]], receipt: Mapping[str, Any]) -> None:
    """The bid of a receipt stands in the log where the receipt says, with the maximum it says."""
    try:
        n, digest, opening = receipt["n"], receipt["hash"], receipt["opening"]
        bid = opening["bid"]
    except (KeyError, TypeError):
        raise VerificationFailed("The receipt lacks n, hash or opening.", n=0) from None
    if not isinstance(n, int) or not 1 <= n <= len(events):
        raise VerificationFailed(
            f"The log is cut off: the receipt is for event {n}, which it lacks.", n=len(events) + 1
        )
    event = events[n - 1]
    if event["hash"] != digest or event["data"].get("bid") != bid:
        raise VerificationFailed(f"Event {n} is not what the receipt acknowledges.", n=n)


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
        self.known = self._openings(given)
        self.reserve = self._reserve()
        self.terms = self._terms()
        self.placeholders = self._placeholders()
        data = events[0]["data"]
        self.lot = Lot(
            id=auction,
            terms=self.terms,
            timing=Timing(starts_at=data["starts_at"], ends_at=data["ends_at"], hard_close_at=data["hard_close_at"]),
        )

    def run(self) -> Report:
        """Every event after the first, then what came of it."""
        follow_ups: list[str] = []
        for event in self.events[1:]:
            n, kind = event["n"], event["type"]
            try:
                if kind == "auction:bid:accepted":
                    follow_ups = self._accepted(event)
                elif kind == "auction:bid:rejected":
                    self._rejected(event)
                elif kind == "auction:bid:voided":
                    self._voided(event)
                elif kind == "auction:reserve:met":
                    self._need(kind in follow_ups, n, "the reserve was not met by the bid before it")
                elif kind == "auction:winner":
                    self._winner(event)
                elif kind in _STEPS or kind == str(TransitionKind.CLOSING):
                    self._step(event, follow_ups)
                elif not kind.startswith("settlement:"):
                    raise VerificationFailed(f"Event {n} has a type no lot has: {kind}.", n=n)
            except VerificationFailed:
                raise
            except (SothebaisError, KeyError, TypeError, ValueError) as error:
                text = error.message if isinstance(error, SothebaisError) else repr(error)
                raise VerificationFailed(f"Event {n} ({kind}) could not have happened: {text}", n=n) from error
        return self._report()

    # what the log opens

    def _openings(self, given: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
        bids = {event["data"]["bid"]: event for event in self.events if event["type"] == "auction:bid:accepted"}
        known: dict[str, Decimal] = {}
        places = [(opening, event["n"]) for event in self.events for opening in event["data"].get("openings", ())]
        for opening, n in [*places, *((opening, 0) for opening in given)]:
            bid = opening.get("bid")
            if bid not in bids:
                raise VerificationFailed(f"An opening names a bid that was not accepted here: {bid}.", n=n)
            maximum = money.parse_amount(opening["max_amount"], money.DECIMALS_MAX, name="max_amount")
            commitment = commitments.maximum_commitment(
                self.auction, UUID(bid), maximum, bytes.fromhex(opening["salt"])
            )
            if commitment.hex() != bids[bid]["data"]["max_commitment"]:
                raise VerificationFailed(
                    f"The opening of bid {bid} does not fit its commitment.", n=n or bids[bid]["n"]
                )
            known[bid] = maximum
        return known

    def _reserve(self) -> Decimal | None:
        committed = self.terms_data["reserve_commitment"]
        for event in self.events:
            opening = event["data"] if event["type"] == "auction:reserve:met" else event["data"].get("reserve")
            if not isinstance(opening, Mapping):
                continue
            reserve = money.parse_amount(opening["reserve"], money.DECIMALS_MAX, name="reserve")
            salt = bytes.fromhex(opening["salt"])
            if commitments.reserve_commitment(self.auction, reserve, salt).hex() != committed:
                raise VerificationFailed("The reserve that was opened is not the one that was committed.", n=event["n"])
            return reserve
        return None

    def _terms(self) -> Terms:
        hidden = self.terms_data["reserve_commitment"] is not None and self.reserve is None
        return terms_codec.from_public(self.terms_data, _UNSEEN_RESERVE if hidden else self.reserve)

    def _placeholders(self) -> dict[str, Decimal]:
        """For every maximum that is not public the least value the prices prove, rising along a leader's own raises.

        True maxima are at least this and in this order, so every decision comes out as it did.
        """
        least: dict[str, Decimal] = {}
        user_of = {
            event["data"]["bid"]: event["data"]["user"]
            for event in self.events
            if event["type"] == "auction:bid:accepted"
        }
        unit = money.unit(self.terms.decimals)
        leading: str | None = None
        for event in self.events:
            data = event["data"]
            if "leading_bid" not in data or event["type"] not in ("auction:bid:accepted", "auction:bid:voided"):
                continue
            previous, leading = leading, data["leading_bid"]
            if leading is None or leading in self.known or data["price"] is None:
                continue
            price = Decimal(data["price"])
            if leading not in least and previous in least and user_of[leading] == user_of[previous or ""]:
                price = max(price, money.add(least[previous], unit))
            least[leading] = max(price, least.get(leading, price))
        return least

    # one event each

    def _accepted(self, event: Mapping[str, Any]) -> list[str]:
        n, data = event["n"], event["data"]
        self.number += 1
        bid = self._bid(data, self.number)
        before = self.lot
        lot, decision = rules.decide(before, bid, event["timestamp"])
        if not decision.accepted:
            raise VerificationFailed(f"Event {n}: the rules refuse this bid ({decision.reason}), the log has it.", n=n)
        self.lot = lot
        self.count += 1
        self.bids.append(bid)
        expected = self._accepted_data(before, decision, data)
        for name, value in expected.items():
            self._need(data[name] == value, n, f"{name} should be {value}, the log says {data[name]}")
        self._raises(data["raises"], decision.raises, n)
        opened = {opening["bid"] for opening in data["openings"]}
        self._need(opened == {str(one) for one in decision.opened}, n, "other maxima are opened than were beaten")
        if lot.status is not Status.CLOSING:
            self.closing_at = None
        follow_ups = ["auction:reserve:met"] if decision.reserve_met else []
        if decision.extended:
            follow_ups.append("auction:timer:updated")
        if lot.status is Status.ENDED:
            follow_ups.append("auction:end")
        return follow_ups

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
        self._need(data["number"] == self.number, n, f"its number should be {self.number}")
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
        elif reason is Reason.SELLER or user == self.terms.seller:
            self._need(reason is Reason.SELLER and user == self.terms.seller, n, "refused as the seller's wrongly")
        elif reason in _FACTS_OF_THE_PERSON:
            return
        elif reason is Reason.CURRENCY_MISMATCH or data["currency"] != self.terms.currency:
            self._need(reason is Reason.CURRENCY_MISMATCH, n, f"refused as {reason}; its currency is another")
        elif reason is Reason.ALREADY_LEADING:
            self._need(user == self.lot.standing.leader, n, "refused as the leader's; it is not")
        elif reason is Reason.CONFIRMATION_REQUIRED:
            self._need(not data["confirm"], n, "refused for want of a confirmation it has")
        elif bid.amount is not None or bid.max_amount is not None:
            _, decision = rules.decide(self.lot, bid, event["timestamp"])
            self._need(
                decision.reason is reason, n, f"refused as {reason}; the rules say {decision.reason or 'accepted'}"
            )

    def _voided(self, event: Mapping[str, Any]) -> None:
        n, data = event["n"], event["data"]
        step = Override(kind="VOID_BID", reason=data["cause"], bid=UUID(data["bid"]))
        lot, _, opened = rules.override(self.lot, step, event["timestamp"], self.bids)
        self.bids = [bid for bid in self.bids if bid.id != step.bid]
        _, raises = rules.refold(lot, self.bids)
        self.lot = lot
        self.count -= 1
        standing = lot.standing
        expected = {
            "price": records.public_price(lot),
            "leader": records.ref(standing.leader),
            "leading_bid": records.ref(standing.leading_bid),
            "reserve_met": standing.reserve_met,
            "bid_count": self.count,
        }
        for name, value in expected.items():
            self._need(data[name] == value, n, f"after voiding {name} should be {value}, the log says {data[name]}")
        self._raises(data["raises"], raises, n)
        shown = {opening["bid"] for opening in data["openings"]}
        self._need({str(one) for one in opened} <= shown, n, "a maximum that was beaten is not opened")

    def _step(self, event: Mapping[str, Any], follow_ups: Sequence[str]) -> None:
        n, kind, data, at = event["n"], event["type"], event["data"], event["timestamp"]
        if kind in follow_ups:
            pass  # the bid before it has moved the lot already
        elif data["actor"] is not None:
            step = Override(kind=_STEPS[kind], reason=data["cause"], ends_at=data["ends_at"])  # type: ignore[arg-type]
            self.lot, _, _ = rules.override(self.lot, step, at)
        elif kind == str(TransitionKind.TIMER):
            self._outage(event)
        else:
            self._on_time(event)
        if kind == str(TransitionKind.CLOSING):
            self.closing_at = at
        timing = self.lot.timing
        for name, value in (
            ("status", str(self.lot.status)),
            ("starts_at", timing.starts_at),
            ("ends_at", timing.ends_at),
            ("hard_close_at", timing.hard_close_at),
            ("extension_count", timing.extension_count),
        ):
            self._need(data[name] == value, n, f"{name} should be {value}, the log says {data[name]}")
        if kind == str(TransitionKind.END):
            self._end(event)

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
        lot, transitions = rules.outage(self.lot, event["timestamp"] - lost, event["timestamp"])
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
            "bid_count": self.count,
        }
        for name, value in expected.items():
            self._need(data[name] == value, n, f"{name} should be {value}, the log says {data[name]}")
        if self.terms.format in SEALED:
            opened = {opening["bid"] for opening in data["openings"]}
            self._need(opened == {str(bid.id) for bid in self.bids}, n, "not all sealed bids are opened")
        if self.terms_data["reserve_commitment"] is not None and not standing.reserve_met:
            self._need(data["reserve"] is not None, n, "the reserve that was missed is not opened")

    def _winner(self, event: Mapping[str, Any]) -> None:
        n, data, standing = event["n"], event["data"], self.lot.standing
        price = standing.price if standing.price is not None else money.ZERO
        expected = {
            "winner": records.ref(standing.leader),
            "bid": records.ref(standing.leading_bid),
            "price": money.text(price),
            "total_payable": money.text(rules.total_payable(self.terms, price)),
        }
        self._need(self.lot.outcome is Outcome.SOLD, n, "a lot that was not sold has no winner")
        for name, value in expected.items():
            self._need(data[name] == value, n, f"{name} should be {value}, the log says {data[name]}")

    def _raises(self, logged: Sequence[Mapping[str, Any]], made: Sequence[Any], n: int) -> None:
        expected = []
        for one in made:
            self.number += 1
            expected.append((self.number, str(one.user), money.text(one.amount)))
        found = [(row["number"], row["user"], row["amount"]) for row in logged]
        self._need(found == expected, n, f"the proxies' raises should be {expected}, the log says {found}")

    def _need(self, holds: bool, n: int, otherwise: str) -> None:
        if not holds:
            raise VerificationFailed(f"Event {n}: {otherwise}.", n=n)

    def _report(self) -> Report:
        last = self.events[-1]
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
            unknown_maxima=len(self.placeholders),
            exact=not self.placeholders,
        )
