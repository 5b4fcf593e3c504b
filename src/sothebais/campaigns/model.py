"""Campaigns as plain values, and their lifecycles as tables (``docs/lifecycles.md`` is drawn from them). Pure."""

from datetime import date, time
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from sothebais import money
from sothebais.errors import IllegalTransition
from sothebais.instants import Millis

#: A campaign is written, and cancelled, in one transaction that holds a lock for each of its lots.
LOTS_MAX = 1_000
DAYS_MAX = 366
NAME_LENGTH_MAX = 120
REASON_LENGTH_MAX = 500


class CampaignStatus(StrEnum):
    """DRAFT → SCHEDULED → ACTIVE → COMPLETED, or CANCELLED."""

    DRAFT = "DRAFT"
    SCHEDULED = "SCHEDULED"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class DayStatus(StrEnum):
    """The stage of a campaign day; SCHEDULED → PRE_AUCTION → AUCTION → POST_AUCTION → COMPLETED, or CANCELLED."""

    SCHEDULED = "SCHEDULED"
    PRE_AUCTION = "PRE_AUCTION"
    AUCTION = "AUCTION"
    POST_AUCTION = "POST_AUCTION"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class CampaignStep(StrEnum):
    """The steps of a campaign."""

    SCHEDULE = "SCHEDULE"
    START = "START"
    COMPLETE = "COMPLETE"
    CANCEL = "CANCEL"


class DayStep(StrEnum):
    """The steps of a campaign day."""

    PRE_AUCTION = "PRE_AUCTION"
    AUCTION = "AUCTION"
    POST_AUCTION = "POST_AUCTION"
    COMPLETE = "COMPLETE"
    CANCEL = "CANCEL"


#: (from, step) -> to. What is not here is illegal.
CAMPAIGN_TRANSITIONS: dict[tuple[CampaignStatus, CampaignStep], CampaignStatus] = {
    (CampaignStatus.DRAFT, CampaignStep.SCHEDULE): CampaignStatus.SCHEDULED,
    (CampaignStatus.SCHEDULED, CampaignStep.START): CampaignStatus.ACTIVE,
    (CampaignStatus.ACTIVE, CampaignStep.COMPLETE): CampaignStatus.COMPLETED,
    (CampaignStatus.DRAFT, CampaignStep.CANCEL): CampaignStatus.CANCELLED,
    (CampaignStatus.SCHEDULED, CampaignStep.CANCEL): CampaignStatus.CANCELLED,
    (CampaignStatus.ACTIVE, CampaignStep.CANCEL): CampaignStatus.CANCELLED,
}

#: (from, step) -> to. What is not here is illegal.
DAY_TRANSITIONS: dict[tuple[DayStatus, DayStep], DayStatus] = {
    (DayStatus.SCHEDULED, DayStep.PRE_AUCTION): DayStatus.PRE_AUCTION,
    (DayStatus.PRE_AUCTION, DayStep.AUCTION): DayStatus.AUCTION,
    (DayStatus.AUCTION, DayStep.POST_AUCTION): DayStatus.POST_AUCTION,
    (DayStatus.POST_AUCTION, DayStep.COMPLETE): DayStatus.COMPLETED,
    (DayStatus.SCHEDULED, DayStep.CANCEL): DayStatus.CANCELLED,
    (DayStatus.PRE_AUCTION, DayStep.CANCEL): DayStatus.CANCELLED,
    (DayStatus.AUCTION, DayStep.CANCEL): DayStatus.CANCELLED,
    (DayStatus.POST_AUCTION, DayStep.CANCEL): DayStatus.CANCELLED,
}

#: The clock moves campaigns in one of these, and opens their lots.
RUNNING = frozenset({CampaignStatus.SCHEDULED, CampaignStatus.ACTIVE})
#: Campaigns in one of these keep their art items from every other campaign.
UNFINISHED = frozenset({CampaignStatus.DRAFT}) | RUNNING
#: Days in one of these never change again.
DAY_OVER = frozenset({DayStatus.COMPLETED, DayStatus.CANCELLED})

#: The step the clock takes next with a day, if its time has come.
NEXT_DAY_STEP: dict[DayStatus, DayStep] = {
    start: step for (start, step) in DAY_TRANSITIONS if step is not DayStep.CANCEL
}

_CAMPAIGN_VERBS = {
    CampaignStep.SCHEDULE: "started",
    CampaignStep.START: "opened",
    CampaignStep.COMPLETE: "completed",
    CampaignStep.CANCEL: "cancelled",
}


def after_campaign(status: CampaignStatus, step: CampaignStep) -> CampaignStatus:
    """The status that ``step`` leads to. Raises IllegalTransition, naming both, when the table has no such step."""
    try:
        return CAMPAIGN_TRANSITIONS[status, step]
    except KeyError:
        raise IllegalTransition(
            f"A campaign that is {status} cannot be {_CAMPAIGN_VERBS[step]}.",
            campaign_status=str(status),
            step=str(step),
        ) from None


def after_day(status: DayStatus, step: DayStep) -> DayStatus:
    """The stage that ``step`` leads to. Raises IllegalTransition, naming both, when the table has no such step."""
    try:
        return DAY_TRANSITIONS[status, step]
    except KeyError:
        raise IllegalTransition(
            f"A campaign day that is {status} cannot take the step {step}.", day_status=str(status), step=str(step)
        ) from None


class Slot(msgspec.Struct, frozen=True):
    """The place of one lot in the schedule; ``number`` counts through the whole campaign."""

    number: int
    starts_at: Millis
    ends_at: Millis


class PlannedDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day with its instants; ``date`` is the one its pre-auction begins on in the campaign's zone."""

    number: int
    date: date
    pre_auction_at: Millis
    auction_at: Millis
    post_auction_at: Millis
    ends_at: Millis
    slots: tuple[Slot, ...]


class Daily(msgspec.Struct, frozen=True, kw_only=True):
    """What every day looks like: times on the wall clock, lengths in milliseconds.

    ``auction`` not later than ``pre_auction`` is on the next date. ``until`` is the time by which the day must be
    over, on the next date if it is not later than ``auction``.
    """

    pre_auction: time
    auction: time
    lot_duration: Millis
    gap: Millis
    lots_per_day: int
    post_auction: Millis
    until: time | None = None


class CollectionOrder(msgspec.Struct, frozen=True):
    """The art items in the order of their collection."""


class ListedOrder(msgspec.Struct, frozen=True):
    """These art items, in this order."""

    token_ids: tuple[str, ...]


class ShuffledOrder(msgspec.Struct, frozen=True):
    """An order that nobody chose but that everybody can recompute: by SHA-256 of ``seed:token_id``."""

    seed: str


type Order = CollectionOrder | ListedOrder | ShuffledOrder


def _five_percent() -> Any:
    return {"percent": "5"}


class LotRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of a lot as a campaign gives them: amounts in ``currency``, lengths in milliseconds.

    ``increment`` is the readable form that the auctions understand, checked by the port. A lot's hard close is
    ``hard_close_after`` its planned end. Without ``max_post_delay`` it is ``closing_grace``. ``reserve`` is secret:
    it is neither in ``public`` nor in the representation.
    """

    format: str = "ENGLISH"
    currency: str
    starting_price: Decimal
    increment: Any = msgspec.field(default_factory=_five_percent)
    reserve: Decimal | None = None
    buy_now: Decimal | None = None
    buy_now_until: str = "FIRST_BID"
    extension_window: Millis = 120_000
    extension: Millis = 120_000
    max_extensions: int | None = None
    hard_close_after: Millis = 1_800_000
    closing_grace: Millis = 2_000
    max_post_delay: Millis | None = None
    confirm_multiple: Decimal = Decimal(10)
    wallet_required: bool = False
    deposit_required: bool = False
    step: Decimal | None = None
    interval: Millis | None = None
    floor: Decimal | None = None
    #: How long a winner has to pay (else the house's setting), and whether the runner-up is asked after that.
    payment_due: Millis | None = None
    offer_to_runner_up: bool = False

    def __repr__(self) -> str:
        return f"LotRules({self.public()!r})"

    def public(self) -> dict[str, Any]:
        """Everything but the reserve, as JSON: amounts as decimal strings."""
        return {
            name: money.text(value) if isinstance(value, Decimal) else value
            for name, value in ((name, getattr(self, name)) for name in self.__struct_fields__)
            if name != "reserve"
        }


class CampaignPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign before it exists: from a campaign file, or built in code.

    ``items`` has the rules of single art items, by token id, where they are not ``rules``.
    """

    name: str
    slug: str
    collection: str
    days: tuple[PlannedDay, ...]
    rules: LotRules
    description: str = ""
    time_zone: str = "UTC"
    daily: Daily | None = None
    order: Order = CollectionOrder()
    items: dict[str, LotRules] = msgspec.field(default_factory=dict)
    premium_percent: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)

    @property
    def lot_count(self) -> int:
        """How many art items the campaign needs."""
        return sum(len(day.slots) for day in self.days)


class CampaignDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign as it stands."""

    id: UUID
    slug: str
    name: str
    description: str
    collection: UUID
    collection_slug: str
    starts_on: date
    ends_on: date
    time_zone: str
    status: CampaignStatus
    rules: dict[str, Any]
    daily: dict[str, Any]
    premium_percent: Decimal
    fee: Decimal
    version: int
    seller: UUID | None = None


class DayDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign day as it stands. ``post_auction_at`` and ``ends_at`` move when its lots end late."""

    id: UUID
    campaign: UUID
    number: int
    date: date
    pre_auction_at: Millis
    auction_at: Millis
    post_auction_at: Millis
    ends_at: Millis
    status: DayStatus
