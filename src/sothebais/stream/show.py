"""Everything a frame needs to know of the house, as one plain value. Pure.

Whoever follows the auction (by snapshot and events, or by the log of one that is over) builds a ``ShowState``; the
scenes read nothing else. Instants are server time in milliseconds, amounts decimal strings, texts already checked
and moderated. No secret has a field here: no maximum, no reserve, no stream key.
"""

from enum import StrEnum
from typing import Literal

from msgspec import Struct

from sothebais.instants import Millis

#: Longest lists that a scene can show; whoever fills the state keeps the newest or next ones.
BIDS_MAX = 12
UPCOMING_MAX = 24
RESULTS_MAX = 24

type TransitionKind = Literal["cut", "fade", "slide", "zoom"]


class Artwork(Struct, frozen=True):
    """A picture, a GIF or a video by its reference, with its own size; ``frames`` last ``frame_ms`` each, again and again."""

    ref: str
    width: int
    height: int
    frames: int = 1
    frame_ms: int = 0


class Bid(Struct, frozen=True):
    """An accepted bid. ``proxy`` marks a raise that the house made within a bidder's maximum."""

    number: int
    handle: str
    amount: str
    at: Millis
    proxy: bool = False


class LotStatus(StrEnum):
    """What the picture has to say of a lot."""

    SCHEDULED = "SCHEDULED"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    CLOSING = "CLOSING"
    SOLD = "SOLD"
    PASSED = "PASSED"
    CANCELLED = "CANCELLED"


class Lot(Struct, frozen=True, kw_only=True):
    """The lot that is on. ``bids`` has the newest first; before the first bid ``price`` is null."""

    number: int
    title: str
    artist: str
    artwork: Artwork
    traits: tuple[str, ...] = ()
    status: LotStatus = LotStatus.ACTIVE
    currency: str = "ETH"
    starting_price: str = "0"
    price: str | None = None
    previous_price: str | None = None
    price_at: Millis = 0
    leader: str | None = None
    next_valid: str | None = None
    has_reserve: bool = False
    reserve_met: bool = False
    bid_count: int = 0
    bids: tuple[Bid, ...] = ()
    opened_at: Millis = 0
    ends_at: Millis = 0
    extended_at: Millis | None = None
    fair_warning_ms: int = 15_000
    paused_at: Millis | None = None
    closed_at: Millis | None = None


class Upcoming(Struct, frozen=True):
    """A lot that is still to come."""

    number: int
    title: str
    artist: str
    artwork: Artwork
    starts_at: Millis


class Result(Struct, frozen=True):
    """A lot that is over; ``price`` is null when it passed."""

    number: int
    title: str
    artist: str
    price: str | None
    currency: str
    winner: str | None


class Caption(Struct, frozen=True):
    """What is being said. Gone from the picture at ``until``."""

    text: str
    speaker: str
    at: Millis
    until: Millis


class Mouth(Struct, frozen=True):
    """From ``at`` on, the mouth is this far open: 0 shut to 3 wide."""

    at: Millis
    opening: int


class HostLook(Struct, frozen=True):
    """The host as it is drawn. ``mouth`` belongs to what is being said, ``since`` to the mood.

    ``expression`` names a drawn face (``host_look.expression_of`` has a mood's); ``was`` is the one before it, from which
    the face turns. A character with pictures of its own has the expression's in ``picture``, an asset's reference, and
    ``background`` may be one too.
    """

    name: str = "Sable"
    mood: str = "NEUTRAL"
    intensity: int = 0
    since: Millis = 0
    expression: str = "neutral"
    background: str | None = None
    props: tuple[str, ...] = ()
    mouth: tuple[Mouth, ...] = ()
    picture: str | None = None
    was: str = "neutral"
    was_intensity: int = 0


class Post(Struct, frozen=True):
    """A social post on air, shown whole with its author, time and platform."""

    name: str
    handle: str
    text: str
    platform: str
    at: Millis
    picture: str | None = None


class Notice(Struct, frozen=True):
    """What a slate or a technical pause says: one true sentence, and what it means for bids."""

    sentence: str
    meaning: str = ""


class WallClock(Struct, frozen=True):
    """How an instant is told to people: the offset in force and the name of the zone."""

    offset_minutes: int = 0
    zone: str = "UTC"


class OnAir(Struct, frozen=True):
    """Which scene is on since when, and how it came on."""

    scene: str
    since: Millis = 0
    previous: str | None = None
    transition: TransitionKind = "fade"
    duration_ms: int = 600


class ShowState(Struct, frozen=True, kw_only=True):
    """The house as the picture knows it, at the log's ``position``."""

    on_air: OnAir
    campaign: str = ""
    day: str = ""
    lot: Lot | None = None
    upcoming: tuple[Upcoming, ...] = ()
    results: tuple[Result, ...] = ()
    #: When the next thing begins: the first lot, the next one, tomorrow's session.
    next_at: Millis | None = None
    tomorrow: str = ""
    caption: Caption | None = None
    host: HostLook = HostLook()
    post: Post | None = None
    viewers: int | None = None
    live: bool = True
    notice: Notice = Notice("We will be right back.")
    clock: WallClock = WallClock()
    #: What a phone opens to bid, and the same said in one line.
    bid_url: str = ""
    bid_hint: str = ""
    position: str | None = None
