"""What each Redis key holds: one frozen, strict model per key, stored as JSON.

Instants are whole milliseconds since the epoch, amounts decimal strings. Write with ``model_dump_json()``, read with
``model_validate_json()``. Nothing here is ever the ground of a decision about money: PostgreSQL is.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints

from sothebais.state.keys import Kind


def _uuid(value: object) -> object:
    # strict mode takes no strings for UUIDs from Python data, and JSON has nothing else
    return UUID(value) if isinstance(value, str) else value


#: An instant or a length in whole milliseconds.
type Millis = Annotated[int, Field(ge=0)]
#: A decimal string: plain digits, no exponent, no sign.
type Amount = Annotated[str, StringConstraints(pattern=r"^(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,18})?$")]
type Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,10}$")]
type Date = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
type Position = Annotated[str, StringConstraints(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]
type Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
type Id = Annotated[UUID, BeforeValidator(_uuid)]
type Count = Annotated[int, Field(ge=0)]
type Percent = Annotated[int, Field(ge=0, le=100)]
type Measure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
type ShortText = Annotated[str, StringConstraints(max_length=500)]
type LongText = Annotated[str, StringConstraints(max_length=10_000)]

type CampaignStatus = Literal["DRAFT", "SCHEDULED", "ACTIVE", "COMPLETED", "CANCELLED"]
type Stage = Literal["SCHEDULED", "PRE_AUCTION", "AUCTION", "POST_AUCTION", "COMPLETED", "CANCELLED"]
type AuctionStatus = Literal["SCHEDULED", "ACTIVE", "PAUSED", "CLOSING", "ENDED", "SETTLED", "CANCELLED"]
type AuctionFormat = Literal["ENGLISH", "DUTCH", "SEALED_FIRST_PRICE", "SEALED_SECOND_PRICE"]
type Outcome = Literal["SOLD", "PASSED"]
type Role = Literal["VIEWER", "BIDDER", "OWNER", "OPERATOR", "ADMIN"]
type StreamStatus = Literal["STARTING", "LIVE", "SLATE", "ENDED", "FAILED"]
type OutputKind = Literal["RTMP", "HLS", "RECORDING", "PREVIEW"]
type OutputStatus = Literal["CONNECTING", "UP", "DOWN"]
type SceneName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
type ElementType = Literal[
    "image",
    "text",
    "video",
    "stream",
    "overlay",
    "artwork",
    "host",
    "lot_card",
    "price",
    "leader",
    "countdown",
    "bid_ticker",
    "next_bid",
    "reserve",
    "qr",
    "captions",
    "schedule",
    "viewers",
    "post",
    "sold_stamp",
    "slate",
]
type AgentStatus = Literal["STARTING", "IDLE", "LISTENING", "SPEAKING", "MUTED", "OFFLINE"]
type MoodName = Literal["NEUTRAL", "EXCITED", "HAPPY", "SURPRISED", "CURIOUS", "CONCERNED", "DISAPPOINTED"]


class State(BaseModel):
    """Base of every state: unknown fields and wrong types are refused, values never change."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class CampaignState(State):
    """Where a campaign stands. ``n`` is its version counter; ``current_session`` the id of the campaign day going on."""

    id: Id
    name: ShortText
    status: CampaignStatus
    current_day: Count | None
    total_days: Count
    current_session: Id | None
    n: Count


class CampaignDayState(State):
    """Where a campaign day stands. ``session`` is its name to people ("Day 1"); ``lots`` in their order."""

    campaign: Id
    day: Annotated[int, Field(ge=1)]
    id: Id
    date: Date
    session: ShortText
    stage: Stage
    lots: tuple[Id, ...]
    completed: Count
    n: Count


class IncrementStepState(State):
    """One line of an increment table."""

    from_price: Amount
    increment: Amount


class IncrementState(State):
    """The increment policy: ``fixed`` (amount), ``percent`` (percent, floor) or ``table`` (steps)."""

    kind: Literal["fixed", "percent", "table"]
    amount: Amount | None = None
    percent: Amount | None = None
    floor: Amount | None = None
    steps: tuple[IncrementStepState, ...] | None = None


class AuctionState(State):
    """A lot's status, times, public terms and counts. Whether the reserve is met is public, the reserve is not."""

    id: Id
    n: Count
    status: AuctionStatus
    lot_number: Annotated[int, Field(ge=1)]
    title: ShortText
    art_item: Id
    campaign_day: Id | None
    format: AuctionFormat
    currency: Currency
    decimals: Annotated[int, Field(ge=0, le=18)]
    starting_price: Amount
    buy_now: Amount | None
    buy_now_until: Literal["FIRST_BID", "RESERVE_MET"]
    reserve_met: bool
    has_reserve: bool
    increment: IncrementState
    seller: Id | None
    extension_window: Millis
    extension: Millis
    closing_grace: Millis
    confirm_multiple: Amount
    premium_percent: Amount
    fee: Amount
    starts_at: Millis
    ends_at: Millis
    hard_close_at: Millis
    bid_count: Count
    bidder_count: Count | None
    outcome: Outcome | None


class AuctionPriceState(State):
    """The price of a lot; null before the first bid and while a sealed lot runs."""

    id: Id
    n: Count
    price: Amount | None
    previous_price: Amount | None
    next_valid_amount: Amount | None
    at: Millis


class AuctionBidState(State):
    """The leading bid of a lot; all null while nobody leads."""

    id: Id
    n: Count
    bid: Id | None
    bidder: Id | None
    handle: ShortText | None
    amount: Amount | None
    at: Millis | None


class AuctionTimerState(State):
    """A lot's clock. ``server_time`` is the database's when this was written, for an honest countdown."""

    id: Id
    n: Count
    starts_at: Millis
    ends_at: Millis
    extended: bool
    extension_count: Count
    paused_at: Millis | None
    server_time: Millis


class OutputState(State):
    """One place a broadcast goes to. Its address and key are secrets and not here."""

    name: ShortText
    kind: OutputKind
    status: OutputStatus
    since: Millis
    reason: ShortText | None = None


class StreamState(State):
    """One broadcast: what it is, what is on it and where it goes."""

    id: Id
    status: StreamStatus
    campaign_day: Id | None
    auction: Id | None
    scene: SceneName
    width: Annotated[int, Field(ge=2)]
    height: Annotated[int, Field(ge=2)]
    fps: Annotated[int, Field(ge=1, le=120)]
    outputs: tuple[OutputState, ...]
    started_at: Millis | None
    ended_at: Millis | None


class SceneElementState(State):
    """One element as it is drawn: box in canvas pixels, transform, and the properties of its type.

    ``quadrant`` is 1 to 4 (top left, top right, bottom left, bottom right); null for background and overlay.
    """

    id: ShortText
    type: ElementType
    layer: Literal["background", "quadrant", "overlay"]
    quadrant: Annotated[int, Field(ge=1, le=4)] | None
    source: ShortText | None
    x: float
    y: float
    width: Measure
    height: Measure
    scale: Measure
    rotation: float
    opacity: Annotated[float, Field(ge=0, le=1)]
    anchor: Literal["top_left", "top", "top_right", "left", "center", "right", "bottom_left", "bottom", "bottom_right"]
    visible: bool
    z: int
    properties: dict[str, JsonValue]


class StreamSceneState(State):
    """The layout as composed now. ``position`` is the place in the log that the picture shows."""

    id: Id
    scene: SceneName
    revision: Count
    transition: Literal["cut", "fade", "slide", "zoom"]
    width: Annotated[int, Field(ge=2)]
    height: Annotated[int, Field(ge=2)]
    split_x: Annotated[float, Field(gt=0, lt=1)]
    split_y: Annotated[float, Field(gt=0, lt=1)]
    elements: tuple[SceneElementState, ...]
    position: Position | None
    at: Millis


class StreamMetricsState(State):
    """Readings of a broadcast over its last seconds."""

    id: Id
    at: Millis
    fps: Measure
    bitrate_kbps: Measure
    frames: Count
    dropped_frames: Count
    late_frames: Count
    compose_ms_p50: Measure
    compose_ms_p99: Measure
    encode_ms_p50: Measure
    encode_ms_p99: Measure
    latency_ms: Measure
    queue_frames: Count
    cpu_percent: Measure
    memory_bytes: Count


class StreamViewersState(State):
    """Who watches: on our pages, and on the platform as far as it says so."""

    id: Id
    at: Millis
    web: Count
    platform: Count | None
    total: Count
    peak: Count


class AgentState(State):
    """The host: who it is and what it is busy with."""

    id: Id
    status: AgentStatus
    character: Id
    name: ShortText
    stream: Id | None
    auction: Id | None
    at: Millis


class MoodTrigger(State):
    """What moved the mood; ``event`` is the id in the log where there is one."""

    what: ShortText
    event: Id | None
    at: Millis


class AgentMoodState(State):
    """The host's mood with its intensity, what it was before and what moved it, newest trigger first."""

    id: Id
    mood: MoodName
    intensity: Percent
    previous_mood: MoodName | None
    triggers: Annotated[tuple[MoodTrigger, ...], Field(max_length=20)]
    since: Millis


class AuctionContext(State):
    """A lot as the host may speak of it: public facts only, taken from the log at ``n``."""

    auction: Id
    n: Count
    status: AuctionStatus
    lot_number: Annotated[int, Field(ge=1)]
    title: ShortText
    currency: Currency
    price: Amount | None
    leader: ShortText | None
    next_valid_amount: Amount | None
    bid_count: Count
    reserve_met: bool
    ends_at: Millis


class Utterance(State):
    """One thing that was said to or by the host. What people wrote is data, never an instruction."""

    speaker: Literal["HOST", "VIEWER"]
    user: Id | None
    handle: ShortText | None
    text: LongText
    at: Millis


class AgentContextState(State):
    """What the host has in mind. ``sentiment`` runs from -100 (hostile) to 100 (warm)."""

    id: Id
    auction: AuctionContext | None
    conversation: Annotated[tuple[Utterance, ...], Field(max_length=50)]
    topic: ShortText | None
    sentiment: Annotated[int, Field(ge=-100, le=100)]
    memories: Annotated[tuple[Id, ...], Field(max_length=50)]
    at: Millis


class AgentSceneState(State):
    """How the host looks on screen; names of the character's own assets."""

    id: Id
    expression: ShortText
    background: ShortText | None
    props: tuple[ShortText, ...]
    changed_at: Millis


class RateLimitState(State):
    """A throttle: how many of ``limit`` are left until ``resets_at``, when the key expires."""

    limit: Count
    remaining: Count
    resets_at: Millis


class SessionState(State):
    """A sign-in as the table has it, kept for seconds. Revoking one writes ``revoked`` with a higher ``n``, so that a
    slow reader of the table cannot bring it back."""

    id: Id
    user: Id
    name: ShortText
    role: Role
    method: ShortText
    token_hash: Sha256
    signed_in_at: Millis
    expires_at: Millis
    revoked: bool = False
    n: Count = 0


class CacheEntry(State):
    """Any answer worth keeping for a moment."""

    value: JsonValue
    stored_at: Millis


class RelayPosition(State):
    """Under ``keys.POSITION_KEY``: the last event this Redis has seen."""

    position: Position
    at: Millis


#: The model of each kind of key.
STATES: Mapping[Kind, type[State]] = MappingProxyType(
    {
        Kind.CAMPAIGN: CampaignState,
        Kind.CAMPAIGN_DAY: CampaignDayState,
        Kind.AUCTION: AuctionState,
        Kind.AUCTION_PRICE: AuctionPriceState,
        Kind.AUCTION_BID: AuctionBidState,
        Kind.AUCTION_TIMER: AuctionTimerState,
        Kind.STREAM: StreamState,
        Kind.STREAM_SCENE: StreamSceneState,
        Kind.STREAM_METRICS: StreamMetricsState,
        Kind.STREAM_VIEWERS: StreamViewersState,
        Kind.AGENT: AgentState,
        Kind.AGENT_MOOD: AgentMoodState,
        Kind.AGENT_CONTEXT: AgentContextState,
        Kind.AGENT_SCENE: AgentSceneState,
        Kind.RATE_LIMIT: RateLimitState,
        Kind.SESSION: SessionState,
        Kind.CACHE: CacheEntry,
    }
)
