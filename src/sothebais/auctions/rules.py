"""The rules of an auction: ``decide``, ``advance``, ``override`` and ``replay``. Pure functions of values.

No clock, no session, no I/O, no randomness: the same code runs in the engine, a backtest, a rehearsal and an audit.
Nothing here changes its arguments; what is not accepted changes nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from msgspec.structs import replace

from sothebais import money
from sothebais.auctions import increments, machine, timing_steps
from sothebais.auctions.formats import FORMATS
from sothebais.auctions.formats.verdict import Accepted, Refused
from sothebais.auctions.model import (
    SEALED,
    AdvanceEntry,
    Bid,
    BidEntry,
    Closed,
    Decision,
    Entry,
    Lot,
    OutageEntry,
    Outcome,
    Override,
    OverrideEntry,
    Raise,
    Reason,
    Standing,
    Status,
    Terms,
    Timing,
    Transition,
    TransitionKind,
)
from sothebais.errors import Conflict, InvalidInput, NotFound
from sothebais.instants import Millis

#: A lot that opens later than this after its time gets its full length; less is the clock's own latency.
LATE_START_MS = 1_000
#: Causes of the transitions the house makes by itself.
ON_TIME, LATE, SOFT_CLOSE, BUY_NOW, TAKEN = "on time", "opened late", "soft close", "buy now", "taken"

type Check = Callable[[Lot, Bid], tuple[Reason, str] | None]


def decide(lot: Lot, bid: Bid, at: Millis) -> tuple[Lot, Decision]:
    """What becomes of ``bid`` when it is decided at ``at``; the lot as it stands afterwards.

    Raises InvalidInput for a bid its format cannot read (that is not a bid, and is not recorded as one).
    """
    _readable(lot.terms, bid)
    for check in CHECKS:
        refusal = check(lot, bid)
        if refusal is not None:
            return lot, _refused(lot, at, *refusal)
    rules = FORMATS[lot.terms.format]
    verdict = rules.offer(lot.terms, lot.standing, lot.timing, bid)
    if not isinstance(verdict, tuple):  # asking for Refused would go the long way through ABCMeta
        return lot, _refused(lot, at, verdict.reason, verdict.message)
    standing, accepted = verdict
    met_now = standing.reserve_met and not lot.standing.reserve_met and lot.terms.reserve is not None
    changed = replace(lot, standing=standing)
    if accepted.decisive:
        step = machine.after(lot.status, TransitionKind.END)
        changed = replace(
            changed, status=step, outcome=Outcome.SOLD, timing=replace(_unpaused(lot.timing, at), ended_at=at)
        )
        return changed, _accepted(accepted, None, reserve_met=met_now)
    changed, extended = _soft_close(changed, bid, accepted, at)
    return changed, _accepted(
        accepted,
        rules.next_valid(lot.terms, standing, changed.timing, at),
        reserve_met=met_now,
        extended=extended,
        reopened=extended and lot.status is Status.CLOSING and changed.status is Status.ACTIVE,
    )


def advance(lot: Lot, now: Millis, *, end: bool = True) -> tuple[Lot, tuple[Transition, ...]]:
    """Take every step that is due at ``now``, in order. Doing it twice does nothing more.

    With ``end=False`` a lot stays CLOSING: the engine decides the bids it holds in hand before the lot ENDS.
    """
    steps: list[Transition] = []
    while True:
        lot, step = advance_once(lot, now, end=end)
        if step is None:
            return lot, tuple(steps)
        steps.append(step)


def advance_once(lot: Lot, now: Millis, *, end: bool = True) -> tuple[Lot, Transition | None]:
    """Take the first step that is due at ``now``, if any."""
    if lot.status is Status.SCHEDULED and not lot.held and now >= lot.timing.starts_at:
        late = now - lot.timing.starts_at
        if late >= LATE_START_MS:
            lot = replace(lot, timing=_moved(lot.timing, late))
        lot = replace(lot, status=machine.after(lot.status, TransitionKind.START))
        return lot, Transition(TransitionKind.START, now, LATE if late >= LATE_START_MS else ON_TIME)
    if lot.status is Status.ACTIVE and now >= lot.timing.ends_at:
        lot = replace(lot, status=machine.after(lot.status, TransitionKind.CLOSING))
        return lot, Transition(TransitionKind.CLOSING, now, ON_TIME)
    if end and lot.status is Status.CLOSING and _grace_over(lot, now):
        return _concluded(lot, now), Transition(TransitionKind.END, now, ON_TIME)
    return lot, None


def closing_seen(lot: Lot, now: Millis) -> Lot:
    """Note that a CLOSING lot was read back from the database at ``now``: its grace counts from here."""
    if lot.status is not Status.CLOSING or lot.timing.closing_at is not None:
        return lot
    return replace(lot, timing=replace(lot.timing, closing_at=now))


def next_due(lot: Lot) -> Millis | None:
    """The instant at which ``advance`` has something to do; None when only people can move the lot.

    A CLOSING lot whose commit nobody has seen yet is due at once.
    """
    if lot.status is Status.SCHEDULED:
        return None if lot.held else lot.timing.starts_at
    if lot.status is Status.ACTIVE:
        return lot.timing.ends_at
    if lot.status is Status.CLOSING:
        return lot.timing.ends_at if lot.timing.closing_at is None else lot.timing.closing_at + lot.terms.closing_grace
    return None


def override(
    lot: Lot, step: Override, at: Millis, bids: Sequence[Bid] = ()
) -> tuple[Lot, tuple[Transition, ...], tuple[UUID, ...]]:
    """An operator's step: the lot, what happened, and the bids whose maxima it publishes.

    ``bids`` are the accepted bids that are not voided, as they are kept, in order; only VOID_BID reads them. Raises
    IllegalTransition or InvalidInput, and then nothing has changed.
    """
    if not step.reason.strip():
        raise InvalidInput("An operator's step needs a reason.", field="reason")
    timing = lot.timing
    opened: tuple[UUID, ...] = ()
    kind = _OVERRIDES[step.kind]
    status = lot.status if step.kind in _OF_THEIR_OWN else machine.after(lot.status, kind)
    match step.kind:
        case "START":
            timing = _moved(timing, at - timing.starts_at)
        case "PAUSE":
            timing = replace(timing, paused_at=at, closing_at=None)
        case "RESUME":
            paused_at = min(at, timing.paused_at) if timing.paused_at is not None else at
            timing = _later(_unpaused(timing, at), at - paused_at)
        case "EXTEND":
            return (*timing_steps.extended(lot, step, at), ())
        case "MOVE":
            return (*timing_steps.moved(lot, step, at), ())
        case "END":
            return _concluded(lot, at), (Transition(kind, at, step.reason),), ()
        case "CANCEL":
            timing = replace(timing, ended_at=at, paused_at=None)
        case "REOPEN":
            return (*timing_steps.reopened(lot, step, at), ())
        case "VOID_BID":
            lot, opened = _voided(lot, step, bids)
            return lot, (Transition(kind, at, step.reason),), opened
        case "SETTLE":
            if lot.outcome is not Outcome.SOLD:
                raise Conflict("Only a lot that was SOLD can be settled.")
    return replace(lot, status=status, timing=timing), (Transition(kind, at, step.reason),), opened


def outage(lot: Lot, since: Millis, until: Millis) -> tuple[Lot, tuple[Transition, ...]]:
    """Give a lot back the time between ``since`` and ``until``, in which nobody could bid."""
    if lot.status not in (Status.ACTIVE, Status.CLOSING):
        return lot, ()
    lost = until - max(since, lot.timing.starts_at)
    if lost <= 0 or since >= lot.timing.ends_at:
        return lot, ()
    timing = replace(_later(lot.timing, lost), closing_at=None)
    step = Transition(TransitionKind.TIMER, until, outage_cause(lost))
    return replace(lot, status=Status.ACTIVE, timing=timing), (step,)


def outage_cause(lost: Millis) -> str:
    """How the log says that so much time was given back."""
    return f"bidding was out for {lost} ms"


def replay(lot: Lot, entries: Iterable[Entry]) -> Lot:
    """The lot after its whole history, from the state before the first entry."""
    bids: list[Bid] = []
    for entry in entries:
        match entry:
            case BidEntry(bid, decided_at):
                lot, decision = decide(lot, bid, decided_at)
                if decision.accepted:
                    bids.append(bid.as_kept(decision))
            case AdvanceEntry(at):
                lot, _ = advance(closing_seen(lot, at), at)
            case OutageEntry(since, until):
                lot, _ = outage(lot, since, until)
            case OverrideEntry(step, at):
                lot, _, _ = override(lot, step, at, bids)
                bids = [bid for bid in bids if step.kind != "VOID_BID" or bid.id != step.bid]
    return lot


def refold(lot: Lot, bids: Iterable[Bid]) -> tuple[Standing, tuple[Raise, ...]]:
    """The standing that these accepted bids, as they are kept, give one after the other, and the proxies' raises.

    Time is not asked: the bids were in time when they were accepted. Nor is buy-now: an amount that was no purchase
    when it was decided does not become one because another bid is voided.
    """
    terms = replace(lot.terms, buy_now=None)
    standing = Standing()
    raises: list[Raise] = []
    rules = FORMATS[lot.terms.format]
    for bid in bids:
        verdict = rules.offer(terms, standing, lot.timing, bid)
        if not isinstance(verdict, Refused):
            standing = verdict[0]
            raises += verdict[1].raises
    return standing, tuple(raises)


def next_valid_amount(lot: Lot, at: Millis) -> Decimal | None:
    """What a new bidder would have to bid; None when the lot is over."""
    if lot.status in machine.OVER:
        return None
    return FORMATS[lot.terms.format].next_valid(lot.terms, lot.standing, lot.timing, at)


def total_payable(terms: Terms, amount: Decimal) -> Decimal:
    """What a winner at ``amount`` pays with the buyer's premium and fees."""
    premium = money.commercial(money.percent_of(amount, terms.premium_percent), terms.decimals)
    return money.add(money.add(amount, premium), terms.fee)


def validate_terms(terms: Terms) -> None:
    """Raise InvalidInput, naming the field, for terms that could not be kept."""
    if not 0 <= terms.decimals <= money.DECIMALS_MAX:
        raise InvalidInput(f"decimals must be from 0 to {money.DECIMALS_MAX}.", field="decimals")
    money.checked(terms.amount_max, terms.decimals, name="amount_max")
    for name, value in (
        ("starting_price", terms.starting_price),
        ("reserve", terms.reserve),
        ("buy_now", terms.buy_now),
        ("step", terms.step),
        ("floor", terms.floor),
    ):
        if value is not None:
            money.checked(value, terms.decimals, amount_max=terms.amount_max, name=name)
    increments.validate(terms.increment, terms.decimals)
    for name, length in (("extension_window", terms.extension_window), ("extension", terms.extension)):
        if length < 0:
            raise InvalidInput(f"{name} must not be negative.", field=name)
    if terms.max_extensions is not None and terms.max_extensions < 0:
        raise InvalidInput("max_extensions must not be negative.", field="max_extensions")
    if terms.closing_grace <= 0 or terms.max_post_delay < 0 or terms.max_post_delay > terms.closing_grace:
        raise InvalidInput("closing_grace must be positive and max_post_delay at most as long.", field="closing_grace")
    money.checked(terms.confirm_multiple, money.DECIMALS_MAX, name="confirm_multiple")
    if terms.confirm_multiple < 1:
        raise InvalidInput("confirm_multiple must be at least 1.", field="confirm_multiple")
    if terms.premium_percent != 0:
        money.checked(terms.premium_percent, money.DECIMALS_MAX, amount_max=Decimal(100), name="premium_percent")
    if terms.fee != 0:
        money.checked(terms.fee, terms.decimals, amount_max=terms.amount_max, name="fee")
    FORMATS[terms.format].validate(terms)


# The checks before the price, in the order in which they are made; the first that fails is the reason.


def check_state(lot: Lot, bid: Bid) -> tuple[Reason, str] | None:
    """The lot takes bids, and took them at the bid's effective time."""
    at, timing = bid.effective_at, lot.timing
    if lot.status is Status.CANCELLED:
        return Reason.CANCELLED, "This lot was cancelled."
    if lot.status in machine.OVER:
        return Reason.ENDED, "This lot has ended."
    if lot.status is Status.SCHEDULED or at < timing.starts_at:
        return Reason.NOT_STARTED, "This lot has not opened yet."
    for gap in timing.closed:
        if gap.since <= at < gap.until:
            return gap.reason, "Bidding was not open at the moment of this bid."
    if timing.paused_at is not None and at >= timing.paused_at:
        return Reason.PAUSED, "This lot is paused; bidding goes on when the house resumes it."
    if at >= timing.ends_at:
        return Reason.ENDED, "This bid was made after the end of the lot."
    return None


def check_bidder(lot: Lot, bid: Bid) -> tuple[Reason, str] | None:
    """The person may bid on this lot."""
    bidder, terms = bid.bidder, lot.terms
    if bidder.blocked:
        return Reason.BLOCKED, "This account may not bid; write to the house."
    if bidder.id == terms.seller:
        return Reason.SELLER, "The seller cannot bid on an own lot."
    if terms.wallet_required and not bidder.has_wallet:
        return Reason.WALLET_REQUIRED, "Link a wallet before bidding on this lot."
    if terms.deposit_required and not bidder.has_deposit:
        return Reason.DEPOSIT_REQUIRED, "Make the deposit before bidding on this lot."
    return None


def check_currency(lot: Lot, bid: Bid) -> tuple[Reason, str] | None:
    """The bid is in the lot's currency; nothing is ever converted."""
    if bid.currency != lot.terms.currency:
        return Reason.CURRENCY_MISMATCH, f"Bids on this lot are in {lot.terms.currency}."
    return None


def check_outlier(lot: Lot, bid: Bid) -> tuple[Reason, str] | None:
    """An amount far above what is needed is confirmed first (rule 7). Buy-now is exempt."""
    if bid.confirm:
        return None
    terms, rules = lot.terms, FORMATS[lot.terms.format]
    largest = _largest(bid)
    if largest is None:
        return None
    if terms.buy_now is not None and bid.amount is not None and bid.amount >= terms.buy_now:
        if rules.buy_now_on_offer(terms, lot.standing):
            return None
    price = lot.standing.price
    if price is not None and largest <= money.multiply(terms.confirm_multiple, max(price, terms.starting_price)):
        return None  # what is needed is never below a price that stands, so there is no need to work it out
    needed = rules.next_valid(terms, lot.standing, lot.timing, bid.effective_at)
    usual = terms.starting_price if needed is None else max(needed, terms.starting_price)
    if largest > money.multiply(terms.confirm_multiple, usual):
        times = money.text(terms.confirm_multiple)
        return (
            Reason.CONFIRMATION_REQUIRED,
            f"That is more than {times} times what is needed. Confirm it to bid so much.",
        )
    return None


CHECKS: tuple[Check, ...] = (check_state, check_bidder, check_currency, check_outlier)

_OVERRIDES: Mapping[str, TransitionKind] = {
    "START": TransitionKind.START,
    "PAUSE": TransitionKind.PAUSED,
    "RESUME": TransitionKind.RESUMED,
    "EXTEND": TransitionKind.TIMER,
    "END": TransitionKind.END,
    "CANCEL": TransitionKind.CANCELLED,
    "REOPEN": TransitionKind.REOPENED,
    "SETTLE": TransitionKind.SETTLED,
    "VOID_BID": TransitionKind.VOIDED,
    "MOVE": TransitionKind.TIMER,
}
#: Steps that look at the lot's status themselves.
_OF_THEIR_OWN = frozenset({"EXTEND", "MOVE"})


def _readable(terms: Terms, bid: Bid) -> None:
    if bid.amount is None and bid.max_amount is None:
        raise InvalidInput("A bid needs an amount, a max_amount or both.", field="amount")
    if bid.amount is not None and bid.max_amount is not None:
        if terms.format in SEALED and bid.max_amount != bid.amount:
            raise InvalidInput("A sealed bid has one amount; leave max_amount out.", field="max_amount")
        if not (bid.amount.is_finite() and bid.max_amount.is_finite()):
            raise InvalidInput("amount and max_amount must be numbers.", field="amount")
        if bid.max_amount < bid.amount:
            raise InvalidInput("max_amount must not be below amount.", field="max_amount")
    if bid.currency != terms.currency:
        return  # refused as CURRENCY_MISMATCH; another currency's decimals are no fault
    for name, value in (("amount", bid.amount), ("max_amount", bid.max_amount)):
        if value is not None:
            money.checked(value, terms.decimals, amount_max=terms.amount_max, name=name)


def _largest(bid: Bid) -> Decimal | None:
    # readable bids have max_amount >= amount
    return bid.max_amount if bid.max_amount is not None else bid.amount


def _refused(lot: Lot, at: Millis, reason: Reason, message: str) -> Decision:
    return Decision(accepted=False, reason=reason, message=message, next_valid_amount=next_valid_amount(lot, at))


def _accepted(
    verdict: Accepted,
    next_valid: Decimal | None,
    *,
    reserve_met: bool,
    extended: bool = False,
    reopened: bool = False,
) -> Decision:
    return Decision(
        accepted=True,
        amount=verdict.amount,
        committed=verdict.committed,
        offered_by_house=verdict.offered_by_house,
        next_valid_amount=next_valid,
        raises=verdict.raises,
        opened=verdict.opened,
        extended=extended,
        reopened=reopened,
        reserve_met=reserve_met,
        bought_now=verdict.bought_now,
    )


def _soft_close(lot: Lot, bid: Bid, accepted: Accepted, at: Millis) -> tuple[Lot, bool]:
    """Rule 6. Only a changed ``ends_at`` counts as an extension."""
    terms, timing = lot.terms, lot.timing
    if not accepted.moved or bid.effective_at < timing.ends_at - terms.extension_window:
        return lot, False
    if terms.max_extensions is not None and timing.extension_count >= terms.max_extensions:
        return lot, False
    if timing.paused_at is not None:
        at = timing.paused_at  # the remaining time is frozen; RESUME moves the end by the pause
    ends_at = min(timing.hard_close_at, max(timing.ends_at, at + terms.extension))
    if ends_at <= timing.ends_at:
        return lot, False
    timing = replace(timing, ends_at=ends_at, extension_count=timing.extension_count + 1)
    if lot.status is Status.CLOSING and ends_at > at:
        timing = replace(timing, closing_at=None)
        return replace(lot, status=machine.after(lot.status, TransitionKind.TIMER), timing=timing), True
    return replace(lot, timing=timing), True


def _grace_over(lot: Lot, now: Millis) -> bool:
    return lot.timing.closing_at is not None and now >= lot.timing.closing_at + lot.terms.closing_grace


def _concluded(lot: Lot, at: Millis) -> Lot:
    standing = FORMATS[lot.terms.format].conclude(lot.terms, lot.standing)
    met = lot.terms.reserve is None or standing.reserve_met
    sold = standing.leader is not None and met
    return replace(
        lot,
        status=machine.after(lot.status, TransitionKind.END),
        standing=standing,
        outcome=Outcome.SOLD if sold else Outcome.PASSED,
        timing=replace(_unpaused(lot.timing, at), ended_at=at),
    )


def _unpaused(timing: Timing, at: Millis) -> Timing:
    """The pause, if there is one, is over at ``at``; it stays closed to bids that were made in it.

    A lot paused after its end keeps the stretch between both closed too: moving the end must not open it.
    """
    if timing.paused_at is None:
        return timing
    closed = [*timing.closed]
    if timing.ends_at < timing.paused_at:
        closed.append(Closed(timing.ends_at, timing.paused_at, Reason.ENDED))
    closed.append(Closed(timing.paused_at, at, Reason.PAUSED))
    return replace(timing, paused_at=None, closed=tuple(closed))


def _moved(timing: Timing, by: Millis) -> Timing:
    """The whole lot, later (or earlier) by so much."""
    return replace(_later(timing, by), starts_at=timing.starts_at + by)


def _later(timing: Timing, by: Millis) -> Timing:
    return replace(timing, ends_at=timing.ends_at + by, hard_close_at=timing.hard_close_at + by)


def _voided(lot: Lot, step: Override, bids: Sequence[Bid]) -> tuple[Lot, tuple[UUID, ...]]:
    if all(bid.id != step.bid for bid in bids):
        raise NotFound("This lot has no accepted bid with that id that could be voided.", field="bid")
    kept = [bid for bid in bids if bid.id != step.bid]
    standing, _ = refold(lot, kept)
    still_secret = set(standing.unopened)
    opened = tuple(bid for bid in lot.standing.unopened if bid not in still_secret)
    return replace(lot, standing=standing), opened
