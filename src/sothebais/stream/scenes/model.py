"""Scenes as values: what may stand in a scene's JSON. Pure.

Lengths are units of the scene's own canvas (1920 × 1080, 1080 × 1920 …); an output of the same ratio shows it larger
or smaller. An element's box lies inside its quadrant's padding; without a width or height it fills what is left.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from sothebais.stream.layers import Align, Token
from sothebais.stream.show import TransitionKind
from sothebais.stream.transitions import Easing

ELEMENTS_MAX = 64
TIMELINES_MAX = 8
SIDE_MIN, SIDE_MAX = 64, 4096
DURATION_MS_MAX = 600_000
TRANSITION_MS_MAX = 5_000

type Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
type InputName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
type Words = Annotated[str, StringConstraints(max_length=500)]
type Length = Annotated[float, Field(ge=-8192, le=8192, allow_inf_nan=False)]
type Size = Annotated[float, Field(gt=0, le=8192, allow_inf_nan=False)]
type Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
type Step = Annotated[int, Field(ge=0, le=6)]
type Anchor = Literal[
    "top_left", "top", "top_right", "left", "center", "right", "bottom_left", "bottom", "bottom_right"
]
#: What an element waits for: it is drawn only while this is so.
type Condition = Literal[
    "always",
    "never",
    "lot",
    "price",
    "no_price",
    "fair_warning",
    "no_fair_warning",
    "caption",
    "post",
    "no_post",
    "leader",
    "reserve",
    "sold",
    "passed",
    "upcoming",
    "results",
    "next_at",
    "tomorrow",
    "bid_url",
    "live",
]
#: The instant a timeline counts from.
type Beginning = Literal["scene", "lot", "bid", "fair_warning", "end"]


class Part(BaseModel):
    """Base of everything in a scene: unknown fields and wrong types are refused, values never change."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Timeline(Part):
    """Moves one property. ``opacity`` and ``scale`` replace the element's own, ``x``, ``y`` and ``rotation`` are added."""

    property: Literal["opacity", "x", "y", "scale", "rotation"]
    start: Length
    end: Length
    duration_ms: Annotated[int, Field(gt=0, le=DURATION_MS_MAX)]
    easing: Easing = "house"
    delay_ms: Annotated[int, Field(ge=0, le=DURATION_MS_MAX)] = 0
    repeat: Annotated[int, Field(ge=-1, le=1_000)] = 0
    yoyo: bool = False
    since: Beginning = "scene"


class Transform(Part):
    """How an element is turned, sized and seen through. It turns and grows about its ``anchor``."""

    scale: Annotated[float, Field(gt=0, le=8, allow_inf_nan=False)] = 1.0
    rotation: Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False)] = 0.0
    opacity: Share = 1.0
    anchor: Anchor = "center"


class Element(Part):
    """What all elements have. ``source`` is an asset's reference where a type shows one."""

    id: Name
    source: Words | None = None
    x: Length = 0.0
    y: Length = 0.0
    width: Size | None = None
    height: Size | None = None
    transform: Transform = Transform()
    visible: bool = True
    when: Condition = "always"
    z: Annotated[int, Field(ge=-1_000, le=1_000)] = 0
    timelines: Annotated[tuple[Timeline, ...], Field(max_length=TIMELINES_MAX, strict=False)] = ()


class ImageElement(Element):
    """A still of the asset store."""

    type: Literal["image"]
    source: Words
    fit: Literal["contain", "cover"] = "contain"


class VideoElement(Element):
    """A moving asset, from the scene's start, again and again; its frames are counted by the state's clock."""

    type: Literal["video"]
    source: Words
    fit: Literal["contain", "cover"] = "contain"
    frames: Annotated[int, Field(ge=1, le=100_000)]
    frame_ms: Annotated[int, Field(ge=1, le=60_000)]


class StreamElement(Element):
    """An input, live: a studio camera, a guest. ``source`` is its name in the settings; its sound is not taken."""

    type: Literal["stream"]
    source: InputName
    fit: Literal["contain", "cover"] = "cover"


class TextElement(Element):
    """Words. ``{campaign}``, ``{day}``, ``{lot}``, ``{title}``, ``{artist}``, ``{tomorrow}`` and ``{bid_hint}`` stand for the state's."""

    type: Literal["text"]
    text: Words
    step: Step = 2
    colour: Token = "text"
    align: Align = "left"
    serif: bool = False
    italic: bool = False
    weight: Literal[400, 500, 600, 700, 800] = 400
    lines: Annotated[int, Field(ge=1, le=12)] = 1
    settle: Literal["top", "middle", "bottom"] = "top"


class OverlayElement(Element):
    """A surface without words: the wall, a colour, a dimming, a glow, a hairline."""

    type: Literal["overlay"]
    kind: Literal["wall", "fill", "dim", "glow", "hairline"]
    colour: Token = "ground"
    light_x: Share = 0.3
    light_y: Share = 0.33
    strength: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 1.0


class ArtworkElement(Element):
    """The lot's piece on the wall. ``drift`` is how far it moves to and fro in a minute, by whole pixels."""

    type: Literal["artwork"]
    framed: bool = True
    drift: Annotated[float, Field(ge=0, le=200, allow_inf_nan=False)] = 16.0
    of: Literal["lot", "next"] = "lot"


class HostElement(Element):
    """The host to the waist, looking to one side. What stands around the host may be changed by the show."""

    type: Literal["host"]
    facing: Literal["left", "right"] = "right"
    background: Literal["none", "plain", "lectern", "curtain"] = "plain"


class LotCardElement(Element):
    """Number, title, artist and up to ``traits`` traits."""

    type: Literal["lot_card"]
    traits: Annotated[int, Field(ge=0, le=4)] = 2


class PriceElement(Element):
    """The price with its currency; it rolls when it changes. Before the first bid: where bidding starts."""

    type: Literal["price"]
    step: Step = 6
    label: bool = True


class LeaderElement(Element):
    """Who leads, and how many bids there are."""

    type: Literal["leader"]


class CountdownElement(Element):
    """The time left of the lot, or until the next thing begins: ``figures``, three ``lamps``, or a ``ring`` that turns
    into lamps for the fair warning."""

    type: Literal["countdown"]
    style: Literal["ring", "lamps", "figures"] = "ring"
    of: Literal["lot", "next"] = "lot"
    urgent_s: Annotated[int, Field(ge=0, le=600)] = 60
    align: Align = "left"


class TickerElement(Element):
    """The last bids, newest first."""

    type: Literal["bid_ticker"]
    rows: Annotated[int, Field(ge=1, le=8)] = 3


class NextBidElement(Element):
    """The least amount that can follow."""

    type: Literal["next_bid"]


class ReserveElement(Element):
    """Whether there is a reserve and whether it is met, never its amount."""

    type: Literal["reserve"]
    align: Align = "left"


class QrElement(Element):
    """Where to bid, for a phone's camera."""

    type: Literal["qr"]


class CaptionsElement(Element):
    """What is being said."""

    type: Literal["captions"]


class ScheduleElement(Element):
    """What comes: the ``next`` lot in words, a ``parade`` of all, or the ``results`` of those that are over."""

    type: Literal["schedule"]
    kind: Literal["next", "parade", "results"] = "next"
    speed: Annotated[float, Field(ge=0, le=240, allow_inf_nan=False)] = 30.0


class ViewersElement(Element):
    """The live dot, the campaign and its day, and how many watch."""

    type: Literal["viewers"]
    names: bool = True


class PostElement(Element):
    """A social post on air, whole."""

    type: Literal["post"]


class SoldStampElement(Element):
    """The stamp with price and winner; it lands once."""

    type: Literal["sold_stamp"]


class SlateElement(Element):
    """The crest, the state's notice and the time. ``pause`` is its form for a technical pause."""

    type: Literal["slate"]
    pause: bool = False


type AnyElement = Annotated[
    ImageElement
    | VideoElement
    | StreamElement
    | TextElement
    | OverlayElement
    | ArtworkElement
    | HostElement
    | LotCardElement
    | PriceElement
    | LeaderElement
    | CountdownElement
    | TickerElement
    | NextBidElement
    | ReserveElement
    | QrElement
    | CaptionsElement
    | ScheduleElement
    | ViewersElement
    | PostElement
    | SoldStampElement
    | SlateElement,
    Field(discriminator="type"),
]
type Elements = Annotated[tuple[AnyElement, ...], Field(max_length=ELEMENTS_MAX, strict=False)]


class Canvas(Part):
    """The design's own size."""

    width: Annotated[int, Field(ge=SIDE_MIN, le=SIDE_MAX)]
    height: Annotated[int, Field(ge=SIDE_MIN, le=SIDE_MAX)]


class Split(Part):
    """Where the quadrants meet, as parts of width and height."""

    x: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.60
    y: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.66


class Padding(Part):
    """What a quadrant keeps free at its sides."""

    left: Annotated[float, Field(ge=0, le=4096, allow_inf_nan=False)] = 0.0
    top: Annotated[float, Field(ge=0, le=4096, allow_inf_nan=False)] = 0.0
    right: Annotated[float, Field(ge=0, le=4096, allow_inf_nan=False)] = 0.0
    bottom: Annotated[float, Field(ge=0, le=4096, allow_inf_nan=False)] = 0.0


class Quadrant(Part):
    """A quarter of the picture; its elements are placed inside its padding and cut at its edges."""

    padding: Padding = Padding()
    elements: Elements = ()


class Quadrants(Part):
    """Top left, top right, bottom left, bottom right."""

    top_left: Quadrant = Quadrant()
    top_right: Quadrant = Quadrant()
    bottom_left: Quadrant = Quadrant()
    bottom_right: Quadrant = Quadrant()


class Entrance(Part):
    """How the scene comes on when nobody says otherwise."""

    kind: TransitionKind = "fade"
    duration_ms: Annotated[int, Field(ge=0, le=TRANSITION_MS_MAX)] = 600


class Scene(Part):
    """A whole scene: background below four quadrants below an overlay."""

    name: Name
    canvas: Canvas
    theme: Literal["dark", "light"] = "dark"
    split: Split = Split()
    transition: Entrance = Entrance()
    background: Elements = ()
    quadrants: Quadrants = Quadrants()
    overlay: Elements = ()

    @model_validator(mode="after")
    def _ids_are_unique(self) -> "Scene":
        elements = self.elements()
        if len(elements) > ELEMENTS_MAX:
            raise ValueError(f"a scene has at most {ELEMENTS_MAX} elements, this one has {len(elements)}")
        seen: set[str] = set()
        for element in elements:
            if element.id in seen:
                raise ValueError(f"two elements have the id {element.id!r}")
            seen.add(element.id)
        return self

    def elements(self) -> tuple[AnyElement, ...]:
        """All of them, from the bottom to the top."""
        inner = self.quadrants
        quarters = (inner.top_left, inner.top_right, inner.bottom_left, inner.bottom_right)
        return (*self.background, *(one for quarter in quarters for one in quarter.elements), *self.overlay)
