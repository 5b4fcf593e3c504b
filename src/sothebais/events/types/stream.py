"""Events on the channel ``events:stream``: the broadcast, its scenes, outputs and viewers."""

from typing import Annotated, Literal

from pydantic import Field

from sothebais.events.types.base import Count, Data, EventId, Millis, Sha256, ShortText
from sothebais.state.models import OutputKind, SceneName

type AssetType = Literal["BACKGROUND", "OVERLAY", "NFT", "EXPRESSION", "CHARACTER_BACKGROUND", "PROP", "AUDIO"]
type Side = Annotated[int, Field(ge=1)]


class StreamOutput(Data):
    """A place the broadcast goes to, without its address and key."""

    name: ShortText
    kind: OutputKind


class StreamStart(Data):
    """The first frame is out."""

    campaign_day: EventId | None
    title: ShortText
    scene: SceneName
    width: Side
    height: Side
    fps: Annotated[int, Field(ge=1, le=120)]
    outputs: tuple[StreamOutput, ...]


class StreamEnd(Data):
    """The broadcast is over: what it came to. ``cause`` is the house's word or the operator's reason."""

    cause: ShortText
    actor: EventId | None = None
    duration: Millis
    frames: Count
    dropped_frames: Count
    peak_viewers: Count


class StreamError(Data):
    """Something of the show failed; ``recovered`` when it already runs again."""

    component: Literal["COMPOSER", "ENCODER", "AUDIO", "ASSET", "SCENE", "OUTPUT", "INPUT"]
    message: ShortText
    output: ShortText | None
    recovered: bool


class StreamQuality(Data):
    """The picture's quality was changed, for one output or for all (``output`` null)."""

    output: ShortText | None
    width: Side
    height: Side
    fps: Annotated[int, Field(ge=1, le=120)]
    bitrate_kbps: Count
    previous_bitrate_kbps: Count | None
    cause: ShortText


class SceneUpdate(Data):
    """Another scene, or the same one edited (``revision`` rises); the layout itself is in ``stream:scene:{id}``.

    With an ``actor`` it is an operator's choice; ``automatic`` hands the choice back to the show. ``sentence`` and
    ``meaning`` are what the operator's slate says; ``cause`` is for the books.
    """

    scene: SceneName
    previous_scene: SceneName | None
    revision: Count
    transition: Literal["cut", "fade", "slide", "zoom"]
    duration: Millis
    auction: EventId | None
    cause: ShortText
    actor: EventId | None = None
    sentence: ShortText | None = None
    meaning: ShortText | None = None


class AssetLoaded(Data):
    """A file is checked, stored and ready to be drawn."""

    asset: EventId
    name: ShortText
    asset_type: AssetType
    media_type: ShortText
    sha256: Sha256
    size: Count
    width: Side | None
    height: Side | None


class OutputUp(Data):
    """An output takes the broadcast; ``down_for`` is null the first time."""

    output: ShortText
    kind: OutputKind
    attempts: Annotated[int, Field(ge=1)]
    down_for: Millis | None


class OutputDown(Data):
    """An output is lost."""

    output: ShortText
    kind: OutputKind
    reason: ShortText
    retrying: bool


class StreamViewers(Data):
    """A count of viewers. Gateways and platforms report their own; the stream-manager publishes the ``TOTAL``."""

    origin: Literal["WEB", "PLATFORM", "TOTAL"]
    reporter: ShortText
    viewers: Count
    peak: Count | None = None


STREAM_EVENTS: dict[str, type[Data]] = {
    "stream:start": StreamStart,
    "stream:end": StreamEnd,
    "stream:error": StreamError,
    "stream:quality": StreamQuality,
    "stream:scene:update": SceneUpdate,
    "stream:asset:loaded": AssetLoaded,
    "stream:output:up": OutputUp,
    "stream:output:down": OutputDown,
}
STREAM_PUBLISHED_ONLY: dict[str, type[Data]] = {"stream:viewers": StreamViewers}
