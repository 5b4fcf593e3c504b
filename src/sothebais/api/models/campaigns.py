"""Bodies about campaigns and their days."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, JsonValue

from sothebais.api.models.auctions import FormatName, StatusName
from sothebais.api.models.base import AmountText, Body, Id, Instant

type CampaignStatusName = Literal["DRAFT", "SCHEDULED", "ACTIVE", "COMPLETED", "CANCELLED"]
type StageName = Literal["SCHEDULED", "PRE_AUCTION", "AUCTION", "POST_AUCTION", "COMPLETED", "CANCELLED"]
#: ``2m``, ``90s``, ``1h30m`` or whole seconds.
type Length = Annotated[str | int, Field(description="2m, 90s, 1h30m, 250ms or whole seconds.", examples=["2m"])]
type TimeOfDay = Annotated[str, Field(max_length=10, description="A time of the wall clock.", examples=["18:15"])]
type DateText = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", examples=["2027-03-27"])]
type TokenId = Annotated[str, Field(min_length=1, max_length=78)]
type Reason = Annotated[str, Field(min_length=1, max_length=500, examples=["The seller asked for it."])]


class CampaignFees(Body):
    """What the buyer pays beside the price."""

    premium_percent: AmountText = "0"
    fee: AmountText = "0"


class CampaignDates(Body):
    """From a first day to a last, both included."""

    start: DateText
    end: DateText | None = None


class CampaignDaily(Body):
    """What every day looks like (``docs/campaigns.md``)."""

    pre_auction: TimeOfDay
    auction: TimeOfDay
    lot_duration: Length
    lots_per_day: int
    post_auction: Length
    gap: Length | None = None
    until: TimeOfDay | None = None


class ItemRules(Body):
    """The rules of single art items, where they are not the campaign's. A field that is null takes the campaign's away."""

    format: FormatName | None = None
    starting_price: AmountText | None = None
    increment: JsonValue = None
    reserve: AmountText | None = Field(default=None, description="Secret: kept where only the engine reads.")
    buy_now: AmountText | None = None
    buy_now_until: Literal["FIRST_BID", "RESERVE_MET"] | None = None
    extension_window: Length | None = None
    extension: Length | None = None
    max_extensions: int | None = None
    hard_close_after: Length | None = None
    closing_grace: Length | None = None
    max_post_delay: Length | None = None
    confirm_multiple: AmountText | None = None
    wallet_required: bool | None = None
    deposit_required: bool | None = None
    step: AmountText | None = None
    interval: Length | None = None
    floor: AmountText | None = None


class CampaignRules(ItemRules):
    """The rules of every lot (``docs/campaigns.md``)."""

    currency: str = Field(max_length=10, examples=["ETH"])
    starting_price: AmountText = Field(examples=["0.5"])
    payment_due: Length | None = None
    offer_to_runner_up: bool | None = None


class ShuffledBy(Body):
    """An order that everybody can recompute: by SHA-256 of ``seed:token_id``."""

    shuffled: str | int


class NewCampaign(Body):
    """The document of the campaign file (``docs/campaigns.md``), as JSON."""

    name: Annotated[str, Field(min_length=1, max_length=120)]
    slug: str | None = Field(default=None, max_length=80)
    description: str | None = Field(default=None, max_length=5_000)
    collection: Annotated[str, Field(max_length=80, description="The slug of an imported collection.")]
    dates: CampaignDates | Annotated[list[DateText], Field(max_length=366)]
    time_zone: Annotated[str, Field(max_length=60, examples=["Europe/Berlin"])]
    daily: CampaignDaily
    order: Literal["collection"] | Annotated[list[TokenId], Field(max_length=1_000)] | ShuffledBy | None = None
    rules: CampaignRules
    fees: CampaignFees | None = None
    items: Annotated[dict[str, ItemRules], Field(max_length=1_000)] | None = None


class CampaignChange(Body):
    """What may change of a draft. All else is in the terms of its lots: cancel it and create another."""

    name: Annotated[str, Field(min_length=1, max_length=120)] | None = Field(default=None, examples=["A better name"])
    description: Annotated[str, Field(max_length=5_000)] | None = None


class WithReason(Body):
    """Why; kept in the audit, and told to those whom it concerns."""

    reason: Reason


class Campaign(Body):
    """A campaign as it stands. ``rules`` are public: a reserve is in none of them."""

    id: Id
    slug: str
    name: str
    description: str
    collection_id: Id
    collection: str
    starts_on: str
    ends_on: str
    time_zone: str
    status: CampaignStatusName
    daily: dict[str, Any]
    rules: dict[str, Any]
    fees: CampaignFees
    version: int


class CampaignPage(Body):
    """Campaigns, the last made first."""

    items: list[Campaign]
    next: Id | None


class CampaignLot(Body):
    """A lot in its day."""

    id: Id
    lot_number: int
    art_item_id: Id
    title: str
    starts_at: Instant
    ends_at: Instant
    status: StatusName


class CampaignDay(Body):
    """One day with its stages and lots."""

    id: Id
    number: int
    date: str
    stage: StageName
    pre_auction_at: Instant
    auction_at: Instant
    post_auction_at: Instant
    ends_at: Instant
    completed: int
    lots: list[CampaignLot]


class CampaignDayPage(Body):
    """Days in order; ``next`` is the number of the last one shown."""

    items: list[CampaignDay]
    next: int | None


class CampaignCancelled(Body):
    """The campaign, and how many lots were cancelled with it."""

    campaign: Campaign
    lots_cancelled: int


REQUESTS: dict[str, type[BaseModel]] = {
    "CampaignChange": CampaignChange,
    "NewCampaign": NewCampaign,
    "WithReason": WithReason,
}
ANSWERS: dict[str, type[BaseModel]] = {
    "Campaign": Campaign,
    "CampaignCancelled": CampaignCancelled,
    "CampaignDayPage": CampaignDayPage,
    "CampaignPage": CampaignPage,
}
