"""Lots, people and bids for tests of the rules, in as few words as a table of examples has room for.

Times are milliseconds. A lot of ``a_lot`` is ACTIVE from 0 to ``ENDS_AT``; its increment is 1 unless a test says more.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from msgspec.structs import replace

from sothebais.auctions import rules
from sothebais.auctions.model import (
    Bid,
    Bidder,
    Decision,
    FixedIncrement,
    Format,
    Lot,
    Override,
    Status,
    Terms,
    Timing,
)

NAMES = UUID("00000000-0000-5000-8000-000000000000")
LOT_ID = uuid5(NAMES, "lot")
#: When the bids of a test are made unless it says otherwise: long before any end.
EARLY = 1_000
ENDS_AT = 1_000_000
HARD_CLOSE_AT = 5_000_000


def money(text: "str | int | Decimal | None") -> Decimal | None:
    """An amount as tests write it."""
    return None if text is None else Decimal(text)


def a_person(name: str, **flags: bool) -> Bidder:
    """Somebody, always with the same id for the same name."""
    return Bidder(uuid5(NAMES, name), **flags)


def name_of(user: UUID | None, names: Iterable[str] = "ABCDEFGH") -> str | None:
    """The name behind an id; None for nobody."""
    return None if user is None else next(name for name in names if a_person(name).id == user)


def some_terms(**terms: Any) -> Terms:
    """Terms of an English lot in euros from 10, by 1; amounts may be given as text."""
    given: dict[str, Any] = {
        "currency": "EUR",
        "decimals": 2,
        "starting_price": "10",
        "increment": FixedIncrement(Decimal(1)),
        "amount_max": "1000000",
        "confirm_multiple": "1000",
    } | terms
    amounts = ("starting_price", "amount_max", "reserve", "buy_now", "step", "floor", "fee", "premium_percent")
    for field in (*amounts, "confirm_multiple"):
        if isinstance(given.get(field), str | int):
            given[field] = Decimal(given[field])
    if "format" in given:
        given["format"] = Format(given["format"])
    made = Terms(**given)
    rules.validate_terms(made)
    return made


def a_lot(
    *,
    status: Status = Status.ACTIVE,
    starts_at: int = 0,
    ends_at: int = ENDS_AT,
    hard_close_at: int = HARD_CLOSE_AT,
    lot_id: UUID = LOT_ID,
    **terms: Any,
) -> Lot:
    """A lot under way with these terms."""
    timing = Timing(starts_at=starts_at, ends_at=ends_at, hard_close_at=hard_close_at)
    return Lot(id=lot_id, terms=some_terms(**terms), timing=timing, status=status)


_made = 0


def a_bid(
    who: str | Bidder,
    amount: "str | int | Decimal | None" = None,
    maximum: "str | int | Decimal | None" = None,
    *,
    at: int = EARLY,
    confirm: bool = False,
    currency: str = "EUR",
    bid_id: UUID | None = None,
) -> Bid:
    """A bid with a visible amount, a hidden maximum, or both; a new id each time."""
    global _made  # noqa: PLW0603 - ids need only differ
    _made += 1
    return Bid(
        id=bid_id or UUID(int=_made),
        bidder=a_person(who) if isinstance(who, str) else who,
        amount=money(amount),
        max_amount=money(maximum),
        currency=currency,
        effective_at=at,
        confirm=confirm,
        number=_made,
    )


def decided(lot: Lot, *bids: Bid, at: int | None = None) -> tuple[Lot, list[Decision]]:
    """The lot after these bids, each decided when it was made (or all at ``at``), and what became of each."""
    decisions = []
    for bid in bids:
        lot, decision = rules.decide(lot, bid, bid.effective_at if at is None else at)
        decisions.append(decision)
    return lot, decisions


def after_bids(lot: Lot, *bids: Bid, at: int | None = None) -> Lot:
    """The lot after these bids, all of which must be accepted."""
    lot, decisions = decided(lot, *bids, at=at)
    assert all(decision.accepted for decision in decisions), decisions
    return lot


def after_step(lot: Lot, kind: Any, at: int, *, reason: str = "a reason", bids: Any = (), **step: Any) -> Lot:
    """The lot after an operator's step."""
    changed, _, _ = rules.override(lot, Override(kind=kind, reason=reason, **step), at, bids)
    return changed


def advanced(lot: Lot, now: int) -> Lot:
    """The lot when the clock has been to it at ``now``, as the engine does: what it reads was committed."""
    return rules.advance(rules.closing_seen(lot, now), now)[0]


def in_status(status: Status, **terms: Any) -> Lot:
    """A lot brought to ``status`` by the steps that lead there, with one bid where it can have one."""
    if status is Status.SCHEDULED:
        return a_lot(status=status, **terms)
    lot = after_bids(a_lot(**terms), a_bid("A", 10))
    match status:
        case Status.ACTIVE:
            return lot
        case Status.PAUSED:
            return after_step(lot, "PAUSE", EARLY + 1_000)
        case Status.CLOSING:
            return advanced(lot, ENDS_AT)
        case Status.ENDED:
            return after_step(lot, "END", EARLY + 1_000)
        case Status.SETTLED:
            return after_step(after_step(lot, "END", EARLY + 1_000), "SETTLE", EARLY + 2_000)
        case Status.CANCELLED:
            return after_step(lot, "CANCEL", EARLY + 1_000)


def with_timing(lot: Lot, **times: Any) -> Lot:
    """The same lot at other times."""
    return replace(lot, timing=replace(lot.timing, **times))


def read_bid(text: str, *, at: int = EARLY) -> Bid:
    """A bid as tables write it: ``"A 10"``, ``"A 10/20"`` (visible 10, at most 20), ``"A /20"`` (20 at most)."""
    who, _, money_text = text.partition(" ")
    amount, _, maximum = money_text.partition("/")
    return a_bid(who, amount or None, maximum or None, at=at)


def outcome_of(lot: Lot, bids: str, *, at: int = EARLY) -> tuple[str | None, str | None, list[str]]:
    """Price, leader and what became of each bid (``"ok"`` or the reason) of bids like ``"A 10, B /20"``.

    Every refused bid is also seen to have changed nothing.
    """
    answers = []
    for text in filter(None, bids.split(", ")):
        before = lot
        lot, decision = rules.decide(lot, read_bid(text, at=at), at)
        answers.append("ok" if decision.accepted else str(decision.reason))
        if not decision.accepted:
            assert lot == before, f"{text} was refused and changed the lot"
            assert decision.message
            assert (decision.raises, decision.opened, decision.extended) == ((), (), False)
    price = lot.standing.price
    return None if price is None else f"{price.normalize():f}", name_of(lot.standing.leader), answers
