"""Every key and channel in Redis is made and parsed here; no other module spells one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from sothebais.errors import InvalidInput
from sothebais.ids import parse_id


class Kind(StrEnum):
    """What a key holds; the value is its pattern, as the documentation shows it."""

    CAMPAIGN = "campaign:{id}"
    CAMPAIGN_DAY = "campaign:day:{id}:{day}"
    AUCTION = "auction:{id}"
    AUCTION_PRICE = "auction:price:{id}"
    AUCTION_BID = "auction:bid:{id}"
    AUCTION_TIMER = "auction:timer:{id}"
    STREAM = "stream:{id}"
    STREAM_SCENE = "stream:scene:{id}"
    STREAM_METRICS = "stream:metrics:{id}"
    STREAM_VIEWERS = "stream:viewers:{id}"
    AGENT = "agent:{id}"
    AGENT_MOOD = "agent:mood:{id}"
    AGENT_CONTEXT = "agent:context:{id}"
    AGENT_SCENE = "agent:scene:{id}"
    RATE_LIMIT = "rate:limit:{what}:{who}"
    SESSION = "session:{id}"
    CACHE = "cache:{key}"


class Channel(StrEnum):
    """The pub/sub channels, one per category of events."""

    AUCTION = "events:auction"
    STREAM = "events:stream"
    AGENT = "events:agent"
    USER = "events:user"
    SYSTEM = "events:system"


#: How far the relay has brought this Redis; not state of the house, so it is outside rebuild and check.
POSITION_KEY = "relay:position"

MINUTE_S = 60
DAY_S = 86_400

#: Seconds a key lives: from the end of its subject for those in ``KEPT_UNTIL_END``, from its last write for the
#: others. A kind that is missing here has a life of its own per key (a throttle's window, a session's expiry).
LIFE: Mapping[Kind, int] = MappingProxyType(
    {
        Kind.CAMPAIGN: DAY_S,
        Kind.CAMPAIGN_DAY: DAY_S,
        Kind.AUCTION: DAY_S,
        Kind.AUCTION_PRICE: DAY_S,
        Kind.AUCTION_BID: DAY_S,
        Kind.AUCTION_TIMER: DAY_S,
        Kind.STREAM: DAY_S,
        Kind.STREAM_SCENE: DAY_S,
        Kind.STREAM_METRICS: MINUTE_S,
        Kind.STREAM_VIEWERS: MINUTE_S,
        Kind.AGENT: DAY_S,
        Kind.AGENT_MOOD: DAY_S,
        Kind.AGENT_CONTEXT: DAY_S,
        Kind.AGENT_SCENE: DAY_S,
    }
)
#: These do not expire while their campaign, auction or stream goes on.
KEPT_UNTIL_END = frozenset(
    {
        Kind.CAMPAIGN,
        Kind.CAMPAIGN_DAY,
        Kind.AUCTION,
        Kind.AUCTION_PRICE,
        Kind.AUCTION_BID,
        Kind.AUCTION_TIMER,
        Kind.STREAM,
        Kind.STREAM_SCENE,
    }
)
#: Readings that are worth nothing a minute later: neither rebuilt nor checked.
EPHEMERAL = frozenset({Kind.STREAM_METRICS, Kind.STREAM_VIEWERS, Kind.RATE_LIMIT, Kind.SESSION, Kind.CACHE})


@dataclass(frozen=True)
class Key:
    """A parsed key. ``id`` where the pattern has one; ``day`` of a campaign day; ``parts`` are the other names in it."""

    kind: Kind
    id: UUID | None = None
    day: int | None = None
    parts: tuple[str, ...] = ()


def campaign(campaign_id: UUID) -> str:
    """Holds a `CampaignState`."""
    return f"campaign:{campaign_id}"


def campaign_day(campaign_id: UUID, day: int) -> str:
    """Holds a `CampaignDayState`; ``day`` counts from 1."""
    return f"campaign:day:{campaign_id}:{day}"


def auction(auction_id: UUID) -> str:
    """Holds an `AuctionState`."""
    return f"auction:{auction_id}"


def auction_price(auction_id: UUID) -> str:
    """Holds an `AuctionPriceState`."""
    return f"auction:price:{auction_id}"


def auction_bid(auction_id: UUID) -> str:
    """Holds an `AuctionBidState`."""
    return f"auction:bid:{auction_id}"


def auction_timer(auction_id: UUID) -> str:
    """Holds an `AuctionTimerState`."""
    return f"auction:timer:{auction_id}"


def stream(stream_id: UUID) -> str:
    """Holds a `StreamState`."""
    return f"stream:{stream_id}"


def stream_scene(stream_id: UUID) -> str:
    """Holds a `StreamSceneState`."""
    return f"stream:scene:{stream_id}"


def stream_metrics(stream_id: UUID) -> str:
    """Holds a `StreamMetricsState`."""
    return f"stream:metrics:{stream_id}"


def stream_viewers(stream_id: UUID) -> str:
    """Holds a `StreamViewersState`."""
    return f"stream:viewers:{stream_id}"


def agent(agent_id: UUID) -> str:
    """Holds an `AgentState`."""
    return f"agent:{agent_id}"


def agent_mood(agent_id: UUID) -> str:
    """Holds an `AgentMoodState`."""
    return f"agent:mood:{agent_id}"


def agent_context(agent_id: UUID) -> str:
    """Holds an `AgentContextState`."""
    return f"agent:context:{agent_id}"


def agent_scene(agent_id: UUID) -> str:
    """Holds an `AgentSceneState`."""
    return f"agent:scene:{agent_id}"


def rate_limit(what: str, who: str) -> str:
    """Holds a `RateLimitState`. ``what`` is a word of ours; ``who`` may be anything, an IPv6 address too."""
    if not _WORD.fullmatch(what):
        raise InvalidInput(f"{what!r:.50} is not a name of a limit: letters, digits, '_', '.' and '-' only.")
    return f"rate:limit:{what}:{_filled(who)}"


def session(session_id: UUID) -> str:
    """Holds a `SessionState`."""
    return f"session:{session_id}"


def cache(key: str) -> str:
    """Holds a `CacheEntry`."""
    return f"cache:{_filled(key)}"


def parse(key: str | bytes) -> Key:
    """The kind and parts of a key. Raises InvalidInput for anything the functions above cannot have made."""
    text = key.decode("utf-8", "replace") if isinstance(key, bytes) else key
    if text.startswith("cache:") and len(text) > len("cache:"):
        return Key(Kind.CACHE, parts=(text.removeprefix("cache:"),))
    if found := _RATE_LIMIT.fullmatch(text):
        return Key(Kind.RATE_LIMIT, parts=(found["what"], found["who"]))
    if found := _CAMPAIGN_DAY.fullmatch(text):
        if campaign_id := parse_id(found["id"]):
            return Key(Kind.CAMPAIGN_DAY, campaign_id, int(found["day"]))
    head, _, tail = text.rpartition(":")
    kind, subject_id = _WITH_ID.get(head), parse_id(tail)
    if kind is None or subject_id is None or str(subject_id) != tail:
        raise InvalidInput(f"{text!r:.120} is not a key of this house.")
    return Key(kind, subject_id)


_WORD = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_RATE_LIMIT = re.compile(r"rate:limit:(?P<what>[A-Za-z0-9_.-]+):(?P<who>.+)", re.ASCII | re.DOTALL)
_CAMPAIGN_DAY = re.compile(r"campaign:day:(?P<id>[0-9a-f-]{36}):(?P<day>[1-9][0-9]{0,5})", re.ASCII)
_WITH_ID = {kind.removesuffix(":{id}"): kind for kind in Kind if kind.endswith(":{id}")}


def _filled(text: str) -> str:
    if not text:
        raise InvalidInput("A key of Redis needs a name that is not empty.")
    return text
