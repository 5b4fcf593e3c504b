"""What the show knows of a campaign day apart from its events, as plain values. Pure.

``snapshot`` reads them from PostgreSQL together with the log's position; ``chronicle`` folds events into them.
"""

import datetime as dt
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from sothebais.instants import Millis, to_datetime
from sothebais.stream.direction import Stage
from sothebais.stream.show import Artwork, Bid, HostLook, WallClock

#: A place in the log: epoch, transaction, sequence (``events.log.Position`` as a plain tuple).
type Place = tuple[int, int, int]

START: Place = (0, 0, 0)
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Told(Struct, frozen=True, kw_only=True):
    """An event as the chronicle takes it. ``place`` and ``n`` are null where it is published and not logged."""

    id: UUID
    place: Place | None
    n: int | None
    at: Millis
    type: str
    subject: str
    data: dict[str, Any]


class KeptBid(Struct, frozen=True):
    """A bid on screen with its id, by which it may be voided."""

    id: str
    bid: Bid


class Standing(Struct, frozen=True, kw_only=True):
    """What bids have made of a lot. ``bids`` has the newest first; ``leader`` is a name."""

    price: str | None = None
    previous_price: str | None = None
    price_at: Millis = 0
    leader: str | None = None
    next_valid: str | None = None
    reserve_met: bool = False
    bid_count: int = 0
    bids: tuple[KeptBid, ...] = ()


class LotFacts(Struct, frozen=True, kw_only=True):
    """A lot as it was scheduled, and (``n`` above 1) what bids have made of it up to its event ``n``."""

    id: UUID
    number: int
    title: str
    artist: str
    artwork: Artwork
    traits: tuple[str, ...] = ()
    terms: dict[str, Any]
    starts_at: Millis
    ends_at: Millis
    n: int = 1
    standing: Standing | None = None


class NextSession(Struct, frozen=True):
    """The campaign day after this one."""

    date: dt.date
    at: Millis
    lots: int


class Face(Struct, frozen=True):
    """How wall clocks show the time from ``since`` on."""

    since: Millis
    clock: WallClock


class DayFacts(Struct, frozen=True, kw_only=True):
    """A campaign day, or (``day`` null) that there is none now.

    ``course`` holds the events of the day up to ``place`` that are not bids, in the log's order: what bids made of the
    lots stands in ``lots``. Without either the facts are those of the day's beginning.
    """

    place: Place = START
    campaign: UUID | None = None
    campaign_name: str = ""
    day: UUID | None = None
    number: int = 1
    days: int = 1
    date: dt.date | None = None
    zone: str = "UTC"
    begins_at: Millis = 0
    auction_at: Millis = 0
    stage: Stage = "SCHEDULED"
    #: The campaign's version at the snapshot, whose older events have been counted; null at the day's beginning.
    version: int | None = None
    lots: tuple[LotFacts, ...] = ()
    next_session: NextSession | None = None
    faces: tuple[Face, ...] = (Face(0, WallClock()),)
    host: HostLook = HostLook()
    #: Pictures of a character that is not drawn, by the names of its expressions; empty for those that are.
    expressions: dict[str, str] = field(default_factory=dict)
    course: tuple[Told, ...] = ()
    #: By user id, as text.
    names: dict[str, str] = field(default_factory=dict)
    #: Where a lot is bid for; ``{auction}`` stands for its id.
    bid_url: str = ""
    bid_hint: str = ""

    @property
    def artworks(self) -> tuple[str, ...]:
        """The assets of the day's lots, each once, in the order of the lots."""
        return tuple(dict.fromkeys(lot.artwork.ref for lot in self.lots if lot.artwork.ref))


def faces(zone: str, begins_at: Millis, ends_at: Millis) -> tuple[Face, ...]:
    """What the wall clocks of a zone show between two instants, to the hour in which they are set."""
    found: list[Face] = []
    info = ZoneInfo(zone)
    for at in range(begins_at - begins_at % HOUR_MS, ends_at + HOUR_MS, HOUR_MS):
        local = to_datetime(at).astimezone(info)
        offset = local.utcoffset()
        clock = WallClock(0 if offset is None else round(offset.total_seconds() / 60), local.tzname() or zone)
        if not found or found[-1].clock != clock:
            found.append(Face(at if found else 0, clock))
    return tuple(found)


def spoken_date(at: Millis, zone: str, today: dt.date | None = None) -> str:
    """``Tomorrow at 20:00``, ``Thursday 14 May at 20:00`` on the wall clocks of a zone."""
    local = to_datetime(at).astimezone(ZoneInfo(zone))
    if today is not None and (local.date() - today).days == 1:
        return f"Tomorrow at {local:%H:%M}"
    return f"{local:%A} {local.day} {local:%B} at {local:%H:%M}"
