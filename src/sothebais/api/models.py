"""The bodies of the HTTP API: for OpenAPI and for the TypeScript export.

Answers are built as plain dicts (``auctions.views``); a test holds every answer against these models.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

type AmountText = Annotated[
    str, Field(pattern=r"^(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$", description="A decimal string.", examples=["1.25"])
]
type Instant = Annotated[str, Field(description="ISO 8601 in UTC.", examples=["2026-03-01T18:00:00.250Z"])]
type Id = Annotated[str, Field(description="A UUID.", examples=["019d3c5e-0000-7000-8000-000000000000"])]
type StatusName = Literal["SCHEDULED", "ACTIVE", "PAUSED", "CLOSING", "ENDED", "SETTLED", "CANCELLED"]
type OutcomeName = Literal["SOLD", "PASSED"]
type FormatName = Literal["ENGLISH", "DUTCH", "SEALED_FIRST_PRICE", "SEALED_SECOND_PRICE"]


class Body(BaseModel):
    """Base of every body: what is not named here is not there."""

    model_config = ConfigDict(extra="forbid")


class Person(Body):
    """Somebody as the pages show them."""

    id: Id
    handle: str


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


class Problem(BaseModel):
    """An RFC 9457 problem document; the fields of the case stand beside these."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str


class SandboxSignIn(Body):
    """Sign in as anybody; only where the sandbox is on."""

    handle: str = Field(min_length=1, max_length=31, examples=["ana"])


class SignedInUser(Body):
    """The person a session belongs to."""

    id: Id
    handle: str
    role: str


class SignedIn(Body):
    """A session: send ``token`` as ``Authorization: Bearer``."""

    token: str
    user: SignedInUser


class HouseKey(Body):
    """The public half of the key that signs receipts and heads, in hex."""

    algorithm: Literal["Ed25519"]
    public_key: str


REQUESTS: dict[str, type[BaseModel]] = {"BidRequest": BidRequest, "SandboxSignIn": SandboxSignIn}
ANSWERS: dict[str, type[BaseModel]] = {
    "AuctionPage": AuctionPage,
    "AuctionSnapshot": AuctionSnapshot,
    "BidAnswer": BidAnswer,
    "BidPage": BidPage,
    "HouseKey": HouseKey,
    "Problem": Problem,
    "SignedIn": SignedIn,
}
