"""Bodies about lots and bids."""

from typing import Literal

from pydantic import BaseModel, Field, JsonValue

from sothebais.api.models.base import AmountText, Body, Id, Instant, Person

type StatusName = Literal["SCHEDULED", "ACTIVE", "PAUSED", "CLOSING", "ENDED", "SETTLED", "CANCELLED"]
type OutcomeName = Literal["SOLD", "PASSED"]
type FormatName = Literal["ENGLISH", "DUTCH", "SEALED_FIRST_PRICE", "SEALED_SECOND_PRICE"]


class IncrementStep(Body):
    """One line of an increment table."""

    from_price: AmountText
    increment: AmountText


class Increment(Body):
    """The increment policy: ``fixed`` (amount), ``percent`` (percent, floor) or ``table`` (steps)."""

    kind: Literal["fixed", "percent", "table"]
    amount: AmountText | None
    percent: AmountText | None
    floor: AmountText | None
    steps: list[IncrementStep] | None


class AuctionSnapshot(Body):
    """A lot as it was at ``server_time``, after its event ``n``."""

    id: Id
    n: int
    position: str
    server_time: Instant
    status: StatusName
    outcome: OutcomeName | None
    format: FormatName
    lot_number: int
    title: str
    art_item_id: Id
    campaign_id: Id | None
    campaign_day_id: Id | None
    currency: str
    decimals: int
    starting_price: AmountText
    price: AmountText | None
    previous_price: AmountText | None
    leader: Person | None
    leading_bid_id: Id | None
    next_valid_amount: AmountText | None
    next_total_payable: AmountText | None
    increment: Increment
    premium_percent: AmountText
    fee: AmountText
    buy_now: AmountText | None
    buy_now_on_offer: bool
    has_reserve: bool
    reserve_met: bool
    starts_at: Instant
    ends_at: Instant
    hard_close_at: Instant
    paused_at: Instant | None
    extension_count: int
    bid_count: int
    bidder_count: int | None
    last_safe_bid: dict[str, Instant]


class AuctionPage(Body):
    """Lots; ``next`` goes into ``after`` for the page behind."""

    items: list[AuctionSnapshot]
    next: Id | None


class PublicBid(Body):
    """An accepted bid, or a proxy's raise (``proxy``)."""

    id: Id
    auction_id: Id
    number: int
    user: Person
    amount: AmountText | None
    currency: str
    status: Literal["WINNING", "ACCEPTED", "VOIDED"]
    source: Literal["POST", "WEB", "API", "PROXY"]
    proxy: bool
    effective_at: Instant
    decided_at: Instant


class BidPage(Body):
    """Bids, newest first; ``next`` goes into ``after`` for the page behind."""

    items: list[PublicBid]
    next: int | None


class BidRequest(Body):
    """A bid: ``amount``, ``max_amount`` or both."""

    currency: str = Field(examples=["ETH"])
    amount: AmountText | None = None
    max_amount: AmountText | None = None
    confirm: bool = False


class PlacedBid(Body):
    """A bid as its bidder is told of it."""

    id: Id
    auction_id: Id
    number: int
    user_id: Id
    amount: AmountText | None
    status: Literal["WINNING", "ACCEPTED", "REJECTED"]
    source: Literal["POST", "WEB", "API"]
    effective_at: Instant
    decided_at: Instant


class ReceiptOpening(Body):
    """The opening of the bidder's own commitment. Keep it to yourself while you lead."""

    bid: Id
    max_amount: AmountText
    salt: str


class Receipt(Body):
    """Proof of what was acknowledged: the bid's place and hash in the lot's log, signed by the house."""

    auction: Id
    n: int
    hash: str
    opening: ReceiptOpening
    signature: str


class BidAnswer(Body):
    """An accepted bid, committed: the bid, the lot after it, the receipt."""

    bid: PlacedBid
    auction: AuctionSnapshot
    receipt: Receipt


class NewAuction(Body):
    """A lot outside every campaign. ``rules`` and ``fees`` as in a campaign file (``docs/campaigns.md``)."""

    art_item_id: Id
    lot_number: int = Field(default=1, ge=1, le=1_000_000)
    starts_at: Instant
    ends_at: Instant
    rules: dict[str, JsonValue] = Field(examples=[{"currency": "ETH", "starting_price": "0.5", "reserve": "2"}])
    fees: dict[str, JsonValue] | None = Field(default=None, examples=[{"premium_percent": "5", "fee": "0"}])


class AuctionChange(Body):
    """Other times for a lot that has not started and is in no campaign; the hard close moves with the end."""

    starts_at: Instant | None = None
    ends_at: Instant | None = None
    reason: str = Field(min_length=1, max_length=500, examples=["The artist is late."])


class StepReason(Body):
    """Why; kept in the lot's log, for everybody to read."""

    reason: str = Field(min_length=1, max_length=500, examples=["Power cut in the hall."])


class LaterEnd(Body):
    """Until when: at an instant, or so many seconds (after the present end, for a re-opening after now)."""

    reason: str = Field(min_length=1, max_length=500, examples=["Power cut in the hall."])
    ends_at: Instant | None = None
    seconds: int | None = Field(default=None, ge=1, le=2_678_400, examples=[300])


REQUESTS: dict[str, type[BaseModel]] = {
    "AuctionChange": AuctionChange,
    "BidRequest": BidRequest,
    "LaterEnd": LaterEnd,
    "NewAuction": NewAuction,
    "StepReason": StepReason,
}
ANSWERS: dict[str, type[BaseModel]] = {
    "AuctionPage": AuctionPage,
    "AuctionSnapshot": AuctionSnapshot,
    "BidAnswer": BidAnswer,
    "BidPage": BidPage,
}
