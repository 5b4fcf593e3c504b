"""Events on the channel ``events:auction``: campaigns, sessions, auctions, bids, settlements."""

from typing import Literal

from sothebais.events.types.base import Amount, Count, Currency, Data, EventId, Millis, Sha256, ShortText

type AuctionStatus = Literal["SCHEDULED", "ACTIVE", "PAUSED", "CLOSING", "ENDED", "SETTLED", "CANCELLED"]
type OutcomeName = Literal["SOLD", "PASSED"]
type ReasonName = Literal[
    "CANCELLED",
    "NOT_STARTED",
    "PAUSED",
    "ENDED",
    "BLOCKED",
    "SELLER",
    "WALLET_REQUIRED",
    "DEPOSIT_REQUIRED",
    "CURRENCY_MISMATCH",
    "CONFIRMATION_REQUIRED",
    "BELOW_MINIMUM",
    "ALREADY_LEADING",
]
type BidSource = Literal["POST", "WEB", "API"]
type Stage = Literal["SCHEDULED", "PRE_AUCTION", "AUCTION", "POST_AUCTION", "COMPLETED", "CANCELLED"]


class IncrementStep(Data):
    """One line of an increment table."""

    from_price: Amount
    increment: Amount


class IncrementTerms(Data):
    """The increment policy: ``fixed`` (amount), ``percent`` (percent, floor) or ``table`` (steps)."""

    kind: Literal["fixed", "percent", "table"]
    amount: Amount | None = None
    percent: Amount | None = None
    floor: Amount | None = None
    steps: tuple[IncrementStep, ...] | None = None


class PublicTerms(Data):
    """A lot's terms as everybody may see them; the reserve only as a commitment."""

    format: Literal["ENGLISH", "DUTCH", "SEALED_FIRST_PRICE", "SEALED_SECOND_PRICE"]
    currency: Currency
    decimals: Count
    starting_price: Amount
    increment: IncrementTerms
    amount_max: Amount
    buy_now: Amount | None
    buy_now_until: Literal["FIRST_BID", "RESERVE_MET"]
    seller: EventId | None
    extension_window: Millis
    extension: Millis
    max_extensions: Count | None
    closing_grace: Millis
    max_post_delay: Millis
    confirm_multiple: Amount
    wallet_required: bool
    deposit_required: bool
    premium_percent: Amount
    fee: Amount
    step: Amount | None
    interval: Millis | None
    floor: Amount | None
    reserve_commitment: Sha256 | None


class Opening(Data):
    """A secret that has become public, with the salt that proves its commitment."""

    bid: EventId
    max_amount: Amount
    salt: Sha256


class ReserveOpening(Data):
    """The reserve and the salt of its commitment."""

    reserve: Amount
    salt: Sha256


class ProxyRaise(Data):
    """An automatic raise the house made for somebody's maximum."""

    bid: EventId
    number: Count
    user: EventId
    amount: Amount


class CampaignStart(Data):
    """A campaign began: what it sells and over how many days."""

    name: ShortText
    collection: EventId
    days: Count
    version: Count


class CampaignScheduled(CampaignStart):
    """A draft was approved: from here on time moves it."""


class CampaignEnd(Data):
    """A campaign is over, or was cancelled for ``reason``."""

    outcome: Literal["COMPLETED", "CANCELLED"]
    version: Count
    reason: ShortText | None = None
    actor: EventId | None = None


class Session(Data):
    """A campaign day entered a stage; ``lots`` in their order."""

    day: EventId
    number: Count
    date: ShortText
    stage: Stage
    version: Count
    lots: tuple[EventId, ...]
    completed: Count
    reason: ShortText | None = None
    actor: EventId | None = None


class AuctionScheduled(Data):
    """The first event of a lot: what is sold, on which terms, when."""

    art_item: EventId
    title: ShortText
    campaign_day: EventId | None
    lot_number: Count
    starts_at: Millis
    ends_at: Millis
    hard_close_at: Millis
    terms: PublicTerms


class Step(Data):
    """A step of the lifecycle; the times are those after it. ``cause`` is the house's word or the operator's reason."""

    status: AuctionStatus
    starts_at: Millis
    ends_at: Millis
    hard_close_at: Millis
    extension_count: Count
    cause: ShortText
    actor: EventId | None = None
    next_valid_amount: Amount | None = None


class AuctionEnd(Step):
    """The end: what the lot came to. Opened here: sealed bids, their reserve, and a reserve that was missed."""

    outcome: OutcomeName
    price: Amount | None
    winner: EventId | None
    winning_bid: EventId | None
    leader: EventId | None
    leading_bid: EventId | None
    bid_count: Count
    openings: tuple[Opening, ...] = ()
    reserve: ReserveOpening | None = None


class AuctionWinner(Data):
    """Who won, and what there is to pay with premium and fees."""

    winner: EventId
    bid: EventId
    price: Amount
    total_payable: Amount
    currency: Currency


class BidPlaced(Data):
    """A bid that waits, for example for its confirmation."""

    bid: EventId
    user: EventId
    source: BidSource
    effective_at: Millis
    waits_for: Literal["CONFIRMATION", "DEPOSIT", "WALLET"]


class BidAccepted(Data):
    """A bid that counts. Amount and price are null while a sealed lot runs; maxima appear only in ``openings``."""

    bid: EventId
    number: Count
    user: EventId
    source: BidSource
    amount: Amount | None
    offered_by_house: bool
    confirm: bool
    effective_at: Millis
    max_commitment: Sha256
    status: AuctionStatus
    price: Amount | None
    previous_price: Amount | None
    leader: EventId | None
    leading_bid: EventId | None
    reserve_met: bool
    next_valid_amount: Amount | None
    ends_at: Millis
    extension_count: Count
    bid_count: Count
    bidder_count: Count | None
    raises: tuple[ProxyRaise, ...]
    openings: tuple[Opening, ...]


class BidRejected(Data):
    """A bid the rules refused. Nothing of the lot changed but its numbering."""

    bid: EventId
    number: Count
    user: EventId
    source: BidSource
    amount: Amount | None
    max_amount: Amount | None
    currency: ShortText
    confirm: bool
    effective_at: Millis
    reason: ReasonName
    message: ShortText
    next_valid_amount: Amount | None
    bid_count: Count


class BidVoided(Step):
    """An operator took a bid out; the standing is what the other bids give."""

    bid: EventId
    price: Amount | None
    previous_price: Amount | None
    leader: EventId | None
    leading_bid: EventId | None
    reserve_met: bool
    bid_count: Count
    bidder_count: Count | None
    raises: tuple[ProxyRaise, ...]
    led_at: Millis | None
    superseded: tuple[EventId, ...]
    openings: tuple[Opening, ...]


class ReserveMet(Data):
    """The reserve was reached; it is opened."""

    reserve: Amount
    salt: Sha256


class SettlementStep(Data):
    """A step of the settlement of a sold lot; ``user`` pays ``amount`` in all. Offered: to the runner-up."""

    settlement: EventId
    user: EventId
    amount: Amount
    currency: Currency
    reason: ShortText | None = None


class PriceUpdated(Data):
    """Published with the state, not logged."""

    price: Amount
    previous_price: Amount | None
    next_valid_amount: Amount | None
    leader: EventId | None


#: Type name to the model of its ``data``.
AUCTION_EVENTS: dict[str, type[Data]] = {
    "campaign:scheduled": CampaignScheduled,
    "campaign:start": CampaignStart,
    "campaign:end": CampaignEnd,
    "session:start": Session,
    "session:pre_auction": Session,
    "session:auction": Session,
    "session:post_auction": Session,
    "session:end": Session,
    "auction:scheduled": AuctionScheduled,
    "auction:start": Step,
    "auction:paused": Step,
    "auction:resumed": Step,
    "auction:closing": Step,
    "auction:end": AuctionEnd,
    "auction:settled": Step,
    "auction:cancelled": Step,
    "auction:reopened": Step,
    "auction:winner": AuctionWinner,
    "auction:bid:placed": BidPlaced,
    "auction:bid:accepted": BidAccepted,
    "auction:bid:rejected": BidRejected,
    "auction:bid:voided": BidVoided,
    "auction:timer:updated": Step,
    "auction:reserve:met": ReserveMet,
    "settlement:offered": SettlementStep,
    "settlement:invoiced": SettlementStep,
    "settlement:paid": SettlementStep,
    "settlement:delivered": SettlementStep,
    "settlement:expired": SettlementStep,
}
PUBLISHED_ONLY: dict[str, type[Data]] = {"auction:price:updated": PriceUpdated}
