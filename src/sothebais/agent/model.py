"""What the host's words are made of, as plain values. Pure.

``Facts`` is everything the host may state, and all of it is public: it has no field for a maximum or a reserve.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Literal
from uuid import UUID

from msgspec import Struct

from sothebais.instants import Millis

# the same names as in the event catalogue, which this pure module may not reach; a test compares them
type Place = Literal["STREAM", "CHAT", "POST", "DIRECT"]
type Intent = Literal[
    "GREETING",
    "LOT_OPENING",
    "BID",
    "FAIR_WARNING",
    "RESULT",
    "ANSWER",
    "STORY",
    "SCHEDULE",
    "NOTICE",
    "CHATTER",
    "FAREWELL",
]
type MoodName = Literal["NEUTRAL", "EXCITED", "HAPPY", "SURPRISED", "CURIOUS", "CONCERNED", "DISAPPOINTED"]

#: Longest lists a writer is told of; whoever fills the facts keeps the newest or next ones.
TRAITS_MAX = 24
UPCOMING_MAX = 12
RESULTS_MAX = 24
OWN_BIDS_MAX = 12
STORY_LENGTH_MAX = 2_000
#: Longest line of a person that a writer is given; the rest is cut off.
HEARD_LENGTH_MAX = 500


class Moment(StrEnum):
    """What there is to speak about, finer than the event catalogue's intents."""

    SESSION_START = "SESSION_START"
    SESSION_END = "SESSION_END"
    WELCOME = "WELCOME"
    LOT_NEXT = "LOT_NEXT"
    LOT_OPEN = "LOT_OPEN"
    #: An opening that had to wait: there are bids already.
    LOT_RUNNING = "LOT_RUNNING"
    FIRST_BID = "FIRST_BID"
    BID = "BID"
    JUMP = "JUMP"
    WAR = "WAR"
    SOFT_CLOSE = "SOFT_CLOSE"
    EXTENSION = "EXTENSION"
    RESERVE_MET = "RESERVE_MET"
    FAIR_WARNING = "FAIR_WARNING"
    LAST_CALL = "LAST_CALL"
    CLOSING = "CLOSING"
    SOLD = "SOLD"
    PASSED = "PASSED"
    CANCELLED = "CANCELLED"
    REOPENED = "REOPENED"
    BID_VOIDED = "BID_VOIDED"
    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    TROUBLE = "TROUBLE"
    RECOVERED = "RECOVERED"
    HUSH = "HUSH"
    STORY = "STORY"
    SCHEDULE = "SCHEDULE"
    QUESTION = "QUESTION"
    CHATTER = "CHATTER"


class Seen(Struct, frozen=True, kw_only=True):
    """What the host takes from an event of the log. ``lot`` is null for what is not about one."""

    id: UUID
    type: str
    at: Millis
    lot: UUID | None = None
    user: UUID | None = None
    sold: bool = False
    bid_count: int = 0
    price: Decimal | None = None
    previous_price: Decimal | None = None
    next_valid: Decimal | None = None
    extension_count: int = 0
    #: Of a fault: it mended itself, or is no fault of the picture.
    recovered: bool = False


class SpeechIntent(Struct, frozen=True, kw_only=True):
    """Something worth saying until ``expires_at``. ``addressee`` is a user the words are for, ``heard`` what they wrote.

    Of two with the same ``replaces`` key only the newer is said.
    """

    id: UUID
    kind: Intent
    moment: Moment
    priority: int
    created_at: Millis
    expires_at: Millis
    place: Place = "STREAM"
    cause: UUID | None = None
    lot: UUID | None = None
    addressee: UUID | None = None
    heard: str | None = None
    replaces: str | None = None
    #: Cuts off what is on air, if that is less important.
    interrupts: bool = False


class LotStatus(StrEnum):
    """What may be said of a lot."""

    SCHEDULED = "SCHEDULED"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    CLOSING = "CLOSING"
    SOLD = "SOLD"
    PASSED = "PASSED"
    CANCELLED = "CANCELLED"

    @property
    def open(self) -> bool:
        """Whether new bids are taken. While a lot is closing, only those made in time are still counted."""
        return self is LotStatus.ACTIVE

    @property
    def over(self) -> bool:
        """Whether there will be no more bids."""
        return self in (LotStatus.SOLD, LotStatus.PASSED, LotStatus.CANCELLED)


class LotFacts(Struct, frozen=True, kw_only=True):
    """The lot that is on, as everybody may know it. ``reserve_met`` counts only where ``has_reserve``.

    ``leader`` is null before the first bid, and while bids are sealed. Handles have no sign in front.
    """

    id: UUID
    number: int
    title: str
    artist: str | None = None
    traits: tuple[tuple[str, str], ...] = ()
    story: str | None = None
    status: LotStatus = LotStatus.ACTIVE
    format: Literal["ENGLISH", "DUTCH", "SEALED_FIRST_PRICE", "SEALED_SECOND_PRICE"] = "ENGLISH"
    currency: str = "ETH"
    starting_price: Decimal = Decimal(0)
    price: Decimal | None = None
    previous_price: Decimal | None = None
    leader: str | None = None
    next_valid: Decimal | None = None
    bid_count: int = 0
    bidder_count: int = 0
    #: Bids the house took out.
    voided_count: int = 0
    has_reserve: bool = False
    reserve_met: bool = False
    extension_count: int = 0
    extension: Millis = 0
    extension_window: Millis = 0
    premium_percent: Decimal = Decimal(0)
    opens_at: Millis = 0
    ends_at: Millis | None = None


class Upcoming(Struct, frozen=True):
    """A lot that is still to come."""

    number: int
    title: str
    artist: str | None
    starts_at: Millis


class Result(Struct, frozen=True):
    """A lot that is over; price and winner are null when it passed."""

    number: int
    title: str
    price: Decimal | None
    currency: str
    winner: str | None


class OwnBid(Struct, frozen=True):
    """A bid of the asker that everybody could see, or could if they looked."""

    lot_number: int
    amount: Decimal
    currency: str
    leads: bool


class Asker(Struct, frozen=True):
    """Who the words are for, and their public bids, newest first."""

    handle: str
    bids: tuple[OwnBid, ...] = ()


class Facts(Struct, frozen=True, kw_only=True):
    """What is publicly true at ``now``. Instants are server time; ``offset_minutes`` and ``zone`` tell the house's clock."""

    now: Millis
    host: str = "Sable"
    campaign: str = ""
    day: int | None = None
    days: int | None = None
    lot: LotFacts | None = None
    upcoming: tuple[Upcoming, ...] = ()
    #: Lots that are over, newest first.
    results: tuple[Result, ...] = ()
    next_session_at: Millis | None = None
    asker: Asker | None = None
    offset_minutes: int = 0
    zone: str = "UTC"

    @property
    def last_result(self) -> Result | None:
        """The newest result."""
        return self.results[0] if self.results else None


class Draft(Struct, frozen=True):
    """What a writer proposes: text with tokens such as ``{price}``, and what it cost."""

    text: str
    input_tokens: int = 0
    output_tokens: int = 0


class Heard(Struct, frozen=True):
    """A line of the conversation before this one; ``host`` says whether the host said it."""

    text: str
    host: bool


class Line(Struct, frozen=True, kw_only=True):
    """Words ready to be said: they passed every guard and are filled with the facts of that moment.

    ``spoken`` is the same for the voice. ``model`` is null when the scripted host spoke; ``fallback`` when it stood in.
    """

    intent: SpeechIntent
    template: str
    text: str
    spoken: str
    model: str | None
    fallback: bool
    input_tokens: int
    output_tokens: int
    latency: Millis
    blocked: tuple[str, ...]
    #: Why the model gave nothing to judge: TIMEOUT, ERROR, REFUSAL, RESTING, LOADING; null when it did, or when there is none.
    failure: str | None = None
