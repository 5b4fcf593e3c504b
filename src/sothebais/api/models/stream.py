"""Bodies about the show: the broadcast, its scenes and its assets."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, JsonValue

from sothebais.api.models.base import Body, Id, Instant
from sothebais.api.models.campaigns import Reason
from sothebais.state.models import OutputState, StreamMetricsState, StreamSceneState, StreamStatus, StreamViewersState

type CanvasName = Literal["1280x720", "1920x1080", "720x1280", "1080x1920"]
type Fps = Literal[30, 60]
type Transition = Literal["cut", "fade", "slide", "zoom"]
type OrientationName = Literal["WIDE", "VERTICAL"]
type AssetTypeName = Literal["BACKGROUND", "OVERLAY", "NFT", "EXPRESSION", "CHARACTER_BACKGROUND", "PROP", "AUDIO"]
type SceneNameText = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", examples=["auction"])]
#: Of a scene's document: enough for an example, and for a first scene.
PLAIN_SCENE: dict[str, Any] = {
    "name": "plain",
    "canvas": {"width": 1920, "height": 1080},
    "background": [{"type": "overlay", "id": "wall", "kind": "wall"}],
    "quadrants": {"top_left": {"padding": {"left": 96, "top": 108}, "elements": [{"type": "artwork", "id": "art"}]}},
}
type SceneDocument = Annotated[
    dict[str, JsonValue],
    Field(description="A scene, as `GET /stream/scene/schema` describes it.", examples=[PLAIN_SCENE]),
]


class Stop(Body):
    """The end that was asked for."""

    at: Instant
    cause: str


class Slate(Body):
    """What the operator's slate says."""

    sentence: str
    meaning: str
    since: Instant


class SceneOnAir(Body):
    """A scene by name; revision 0 is the built-in one."""

    name: str
    revision: int


class Stream(Body):
    """A broadcast. ``outputs``, ``viewers`` and ``metrics`` are what the stream-manager said last."""

    id: Id
    campaign_day_id: Id | None
    title: str
    status: StreamStatus
    scene: str
    canvas: CanvasName
    width: int
    height: int
    fps: int
    created_at: Instant
    started_at: Instant | None
    slate: Slate | None
    stop: Stop | None
    outputs: list[OutputState]
    viewers: StreamViewersState | None
    metrics: StreamMetricsState | None
    preview: str
    hls: str


class StreamNow(Body):
    """The broadcast that is not over; null without one."""

    stream: Stream | None


class AssetLimits(Body):
    """What an upload may be."""

    bytes_max: int
    picture_bytes_max: int
    picture_pixels_max: int
    animation_frames_max: int
    video_ms_max: int
    video_pixels_max: int
    audio_ms_max: int
    pictures: str
    sounds: str


class StreamConfig(Body):
    """What a broadcast can be, and where to watch it."""

    canvases: list[CanvasName]
    frame_rates: list[int]
    transitions: list[Transition]
    transition_ms_max: int
    asset_types: list[AssetTypeName]
    assets: AssetLimits
    preview: str
    hls: str
    frame: str


class SceneNow(Body):
    """What is on air. ``chosen_by`` says whether the scene follows the auction, or whose it is; ``layout`` is as composed."""

    stream_id: Id | None
    chosen_by: Literal["AUTOMATIC", "OPERATOR", "SLATE"] | None
    scene: SceneOnAir | None
    transition: Transition | None
    duration_ms: int | None
    document: dict[str, Any] | None
    layout: StreamSceneState | None


class SceneLine(Body):
    """A scene at one of its revisions; 0 is the built-in one, which has no date."""

    name: str
    orientation: OrientationName
    revision: int
    built_in: bool
    created_at: Instant | None
    actor_id: Id | None


class SceneList(Body):
    """Scenes by name; ``next`` is null, all are here."""

    items: list[SceneLine]
    next: None


class SceneRevision(SceneLine):
    """A scene whole."""

    document: dict[str, Any]


class NewStream(Body):
    """A broadcast of a campaign day, or of nothing but a title."""

    campaign_day_id: Id | None = Field(default=None, examples=[None])
    title: Annotated[str, Field(max_length=200)] = Field(default="", examples=["A look behind the scenes"])
    canvas: CanvasName = "1280x720"
    fps: Fps = 30


class StopStream(Body):
    """Why; told to those who watch."""

    reason: Reason


class PutSlate(Body):
    """The slate on or off. Viewers read ``sentence`` and ``meaning``, the books ``reason``."""

    reason: Reason
    on: bool = True
    sentence: Annotated[str, Field(max_length=90, examples=["We will be right back."])] = ""
    meaning: Annotated[
        str, Field(max_length=160, description="What it means for bids; else the picture says what is so.")
    ] = ""


class PutScene(Body):
    """A document to store, or the name of a scene; with neither the scene follows the auction again.

    ``reason`` is needed for all but a preview.
    """

    document: SceneDocument | None = Field(default=None, examples=[None])
    name: SceneNameText | None = None
    revision: Annotated[int, Field(ge=0, le=2_147_483_647)] | None = Field(
        default=None, description="Of `name`; else its newest.", examples=[None]
    )
    on_air: bool = Field(default=True, description="False: a document is stored and not shown now.")
    transition: Transition | None = Field(default=None, description="Else as the scene says itself.")
    duration_ms: Annotated[int, Field(ge=0, le=5_000)] | None = Field(default=None, examples=[600])
    reason: Annotated[str, Field(max_length=500, examples=["The host introduces the artist."])] = ""


class ScenePut(Body):
    """The scene (null: automatic), and the stream it is on (null: stored only)."""

    scene: SceneLine | None
    stored: bool
    stream_id: Id | None


class StreamAsset(Body):
    """A file of the show. ``reference`` is what a scene's ``source`` calls it; its id does as well."""

    id: Id
    name: str
    type: AssetTypeName
    reference: str
    media_type: str
    size: int
    width: int | None
    height: int | None
    sha256: str
    details: dict[str, Any]
    url: str
    created_at: Instant


class StreamAssetPage(Body):
    """Assets, in the order in which they came."""

    items: list[StreamAsset]
    next: Id | None


REQUESTS: dict[str, type[BaseModel]] = {
    "NewStream": NewStream,
    "PutScene": PutScene,
    "PutSlate": PutSlate,
    "StopStream": StopStream,
}
ANSWERS: dict[str, type[BaseModel]] = {
    "SceneList": SceneList,
    "SceneNow": SceneNow,
    "ScenePut": ScenePut,
    "SceneRevision": SceneRevision,
    "Stream": Stream,
    "StreamAsset": StreamAsset,
    "StreamAssetPage": StreamAssetPage,
    "StreamConfig": StreamConfig,
    "StreamNow": StreamNow,
}
