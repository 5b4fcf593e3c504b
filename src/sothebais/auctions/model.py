"""The auction as plain values. No clock, no session, no I/O (checked by import-linter).

A *lot* is the pair of its terms, which never change once it has started, and its state.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec.structs import replace

from sothebais.instants import Millis


class Discreet:
    """For a struct with secret fields, which nothing that prints it shows: no log, no traceback, no failed assertion."""

    __slots__ = ()
    __struct_fields__: ClassVar[tuple[str, ...]]
    SECRET: ClassVar[frozenset[str]]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # msgspec has one of its own, with all fields
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in self.SECRET]


class Format(StrEnum):
    """How a lot is sold."""

    ENGLISH = "ENGLISH"
    DUTCH = "DUTCH"
    SEALED_FIRST_PRICE = "SEALED_FIRST_PRICE"
    SEALED_SECOND_PRICE = "SEALED_SECOND_PRICE"


SEALED = frozenset({Format.SEALED_FIRST_PRICE, Format.SEALED_SECOND_PRICE})


class Status(StrEnum):
    """Where a lot stands in its lifecycle (``machine.TRANSITIONS``)."""

    SCHEDULED = "SCHEDULED"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    CLOSING = "CLOSING"
    ENDED = "ENDED"
    SETTLED = "SETTLED"
    CANCELLED = "CANCELLED"


class Outcome(StrEnum):
    """What an ended lot came to."""

    SOLD = "SOLD"
    PASSED = "PASSED"


class Source(StrEnum):
    """The way a bid came in. PROXY rows are the house's own raises for a maximum."""

    POST = "POST"
    WEB = "WEB"
    API = "API"
    PROXY = "PROXY"


class BidStatus(StrEnum):
    """What became of a bid. The API shows the leader's ACCEPTED bid as WINNING."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    VOIDED = "VOIDED"


class Reason(StrEnum):
    """Why a bid was refused, in the order in which the rules are checked."""

    CANCELLED = "CANCELLED"
    NOT_STARTED = "NOT_STARTED"
    PAUSED = "PAUSED"
    ENDED = "ENDED"
    BLOCKED = "BLOCKED"
    SELLER = "SELLER"
    WALLET_REQUIRED = "WALLET_REQUIRED"
    DEPOSIT_REQUIRED = "DEPOSIT_REQUIRED"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    CONFIRMATION_REQUIRED = "CONFIRMATION_REQUIRED"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    ALREADY_LEADING = "ALREADY_LEADING"


class Step(msgspec.Struct, frozen=True):
    """One line of an increment table: from this price on, the next bid is at least so much more."""

    from_price: Decimal
    increment: Decimal


class FixedIncrement(msgspec.Struct, frozen=True, tag="fixed", tag_field="kind"):
    """Always the same amount."""

    amount: Decimal


class PercentIncrement(msgspec.Struct, frozen=True, tag="percent", tag_field="kind"):
    """A percentage of the price, at least ``floor`` (Nouns style)."""

    percent: Decimal
    floor: Decimal


class TableIncrement(msgspec.Struct, frozen=True, tag="table", tag_field="kind"):
    """Steps by price (eBay style), the first from price 0."""

    steps: tuple[Step, ...]


type Increment = FixedIncrement | PercentIncrement | TableIncrement


class Terms(Discreet, msgspec.Struct, frozen=True, kw_only=True):
    """What a lot promises its bidders. Amounts are in ``currency``; lengths in milliseconds.

    ``reserve`` is secret until met or PASSED; everything else is public.
    """

    SECRET = frozenset({"reserve"})

    format: Format = Format.ENGLISH
    currency: str
    decimals: int
    starting_price: Decimal
    increment: Increment
    amount_max: Decimal
    reserve: Decimal | None = None
    buy_now: Decimal | None = None
    buy_now_until: Literal["FIRST_BID", "RESERVE_MET"] = "FIRST_BID"
    seller: UUID | None = None
    extension_window: Millis = 120_000
    extension: Millis = 120_000
    max_extensions: int | None = None
    closing_grace: Millis = 2_000
    max_post_delay: Millis = 2_000
    confirm_multiple: Decimal = Decimal(10)
    wallet_required: bool = False
    deposit_required: bool = False
    premium_percent: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    #: Dutch only: the price falls by ``step`` every ``interval`` down to ``floor``.
    step: Decimal | None = None
    interval: Millis | None = None
    floor: Decimal | None = None


class Closed(msgspec.Struct, frozen=True):
    """A past stretch of time in which no bid counted: a pause, or between an end and a re-opening."""

    since: Millis
    until: Millis
    reason: Reason


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The lot's times as they stand now."""

    starts_at: Millis
    ends_at: Millis
    hard_close_at: Millis
    extension_count: int = 0
    paused_at: Millis | None = None
    #: When CLOSING was first seen committed; ``closing_grace`` counts from here.
    closing_at: Millis | None = None
    ended_at: Millis | None = None
    closed: tuple[Closed, ...] = ()


class SealedBid(Discreet, msgspec.Struct, frozen=True):
    """A bidder's present bid in a sealed format; ``number`` is its place in the order of arrival."""

    SECRET = frozenset({"amount"})

    bid: UUID
    user: UUID
    amount: Decimal
    number: int


class Standing(Discreet, msgspec.Struct, frozen=True, kw_only=True):
    """Who leads, at what price, and what is known only to the house.

    ``maximum`` is the leader's (``M`` in the rules), ``rival_maximum`` the best of all others (``S``). ``unopened``
    are the leader's own bids whose maxima have not been published, oldest first, the standing one last.
    """

    SECRET = frozenset({"maximum"})

    leader: UUID | None = None
    leading_bid: UUID | None = None
    price: Decimal | None = None
    maximum: Decimal | None = None
    rival_maximum: Decimal | None = None
    reserve_met: bool = False
    unopened: tuple[UUID, ...] = ()
    #: Sealed formats: each bidder's present bid, by user.
    sealed: tuple[SealedBid, ...] = ()


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """One auction: its terms and its state."""

    id: UUID
    terms: Terms
    timing: Timing
    status: Status = Status.SCHEDULED
    standing: Standing = Standing()
    outcome: Outcome | None = None
    #: An earlier lot of the same day is still running, so this one may not open yet.
    held: bool = False


class Bidder(msgspec.Struct, frozen=True):
    """What the rules need to know of a person."""

    id: UUID
    blocked: bool = False
    has_wallet: bool = False
    has_deposit: bool = False


class Bid(Discreet, msgspec.Struct, frozen=True, kw_only=True):
    """A bid as it reaches the rules, amounts already checked against the lot's currency.

    At least one of ``amount`` (visible) and ``max_amount`` (hidden) is given, and ``max_amount >= amount``.
    """

    SECRET = frozenset({"amount", "max_amount"})

    id: UUID
    bidder: Bidder
    amount: Decimal | None
    max_amount: Decimal | None
    currency: str
    effective_at: Millis
    confirm: bool = False
    number: int = 0

    def as_kept(self, decision: "Decision") -> "Bid":
        """The accepted bid as the books keep it, and as it is folded again: with the maximum the house committed to,
        without an amount that was the house's offer or is secret.
        """
        amount = None if decision.offered_by_house else decision.amount
        return replace(self, amount=amount, max_amount=decision.committed)


class Raise(msgspec.Struct, frozen=True):
    """An automatic raise the house made for somebody's maximum; a PROXY row in the public history."""

    user: UUID
    amount: Decimal


class Decision(Discreet, msgspec.Struct, frozen=True, kw_only=True):
    """What the rules made of a bid.

    Accepted: ``amount`` is the bid's visible amount (the house's offer for a pure proxy bid), ``raises`` what the
    proxies did next, ``opened`` the beaten bids whose maxima become public. Refused: ``reason`` and ``message``.
    ``next_valid_amount`` is what any rival would have to bid now; None when no bid can follow.
    """

    SECRET = frozenset({"committed"})

    accepted: bool
    reason: Reason | None = None
    message: str | None = None
    amount: Decimal | None = None
    #: The maximum the house commits to; secret while it stands.
    committed: Decimal | None = None
    #: The bidder named no amount, or one that changes nothing: ``amount`` is the house's offer.
    offered_by_house: bool = False
    next_valid_amount: Decimal | None = None
    raises: tuple[Raise, ...] = ()
    opened: tuple[UUID, ...] = ()
    extended: bool = False
    reopened: bool = False
    reserve_met: bool = False
    bought_now: bool = False


class TransitionKind(StrEnum):
    """The steps of the lifecycle, named as their events are."""

    START = "auction:start"
    PAUSED = "auction:paused"
    RESUMED = "auction:resumed"
    CLOSING = "auction:closing"
    END = "auction:end"
    SETTLED = "auction:settled"
    CANCELLED = "auction:cancelled"
    REOPENED = "auction:reopened"
    TIMER = "auction:timer:updated"
    VOIDED = "auction:bid:voided"


class Transition(msgspec.Struct, frozen=True):
    """A step that was taken, when, and why (a word of the house, or an operator's reason)."""

    kind: TransitionKind
    at: Millis
    cause: str


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's step, already authorised; ``ends_at`` for EXTEND, REOPEN and MOVE, ``bid`` for VOID_BID.

    MOVE gives a lot that has not started other times, all three.
    """

    kind: Literal["START", "PAUSE", "RESUME", "EXTEND", "END", "CANCEL", "REOPEN", "SETTLE", "VOID_BID", "MOVE"]
    reason: str
    starts_at: Millis | None = None
    ends_at: Millis | None = None
    hard_close_at: Millis | None = None
    bid: UUID | None = None


class BidEntry(msgspec.Struct, frozen=True, tag="bid"):
    """A bid in a lot's history, with the moment it was decided."""

    bid: Bid
    decided_at: Millis


class AdvanceEntry(msgspec.Struct, frozen=True, tag="advance"):
    """The clock reached this lot at that moment."""

    at: Millis


class OverrideEntry(msgspec.Struct, frozen=True, tag="override"):
    """An operator's step in a lot's history."""

    override: Override
    at: Millis


class OutageEntry(msgspec.Struct, frozen=True, tag="outage"):
    """Bidding was out between these moments, and the lot was given the time back."""

    since: Millis
    until: Millis


type Entry = BidEntry | AdvanceEntry | OverrideEntry | OutageEntry
