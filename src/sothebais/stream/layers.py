"""What a picture is made of: layers of content, as values that can be compared. Pure.

A content says what is to be seen and nothing of how it is drawn, so equal contents of equal size are the same
pixels: they are the keys of the surfaces that the compositor keeps. All lengths here are pixels of the output.

Rectangles, keys and layers are made in every frame and never refer to what refers to them: the garbage collector does
not follow them (``gc=False``).
"""

from typing import Literal

from msgspec import Struct

from sothebais.instants import Millis
from sothebais.stream.figure import HostPart

#: Later than any frame: what was shown stays as it is until the state changes.
NEVER: Millis = 1 << 62

type Token = Literal["ground", "raised", "line", "text", "quiet", "brass", "vermilion", "sage", "rose"]
type Align = Literal["left", "center", "right"]


class Rect(Struct, frozen=True, order=True, gc=False):
    """Whole pixels; empty when it has no width or no height."""

    x: int
    y: int
    w: int
    h: int

    @property
    def right(self) -> int:
        """The first column that is no longer inside."""
        return self.x + self.w

    @property
    def bottom(self) -> int:
        """The first row that is no longer inside."""
        return self.y + self.h

    @property
    def area(self) -> int:
        """Pixels inside."""
        return max(0, self.w) * max(0, self.h)

    def cut(self, other: "Rect") -> "Rect":
        """What both cover; without area when they do not meet."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        return Rect(x, y, max(0, min(self.right, other.right) - x), max(0, min(self.bottom, other.bottom) - y))

    def moved(self, dx: int, dy: int) -> "Rect":
        """The same size elsewhere."""
        return Rect(self.x + dx, self.y + dy, self.w, self.h)


class Wall(Struct, frozen=True):
    """The wall the art hangs on, lit softly around a point (in thousandths of width and height)."""

    x: int = 300
    y: int = 330
    strength: int = 1000


class Fill(Struct, frozen=True):
    """One colour."""

    colour: Token


class Glow(Struct, frozen=True):
    """A soft round light that fades to nothing at its edge."""

    colour: Token


class Hairline(Struct, frozen=True):
    """A line that ends softly at both ends, along the longer side."""

    colour: Token = "line"


class Picture(Struct, frozen=True):
    """An asset's frame in its own ratio. ``framed`` hangs it: a thin mat, a frame, one soft shadow."""

    ref: str
    frame: int = 0
    framed: bool = False
    cover: bool = False


class Feed(Struct, frozen=True):
    """What an input shows at its ``step`` of time: always its newest picture, so no two steps are taken to be the same."""

    ref: str
    step: int
    cover: bool = False


class Text(Struct, frozen=True):
    """Words. ``step`` is a place in the type scale; too long a text ends in an ellipsis."""

    text: str
    step: int
    colour: Token = "text"
    align: Align = "left"
    serif: bool = False
    weight: int = 400
    lines: int = 1
    italic: bool = False
    #: Vertical place in the box: 0 top, 1 middle, 2 bottom.
    settle: int = 0


class Figures(Struct, frozen=True):
    """Numbers in equal cells, so that they don't dance; ``unit`` stands smaller behind them."""

    text: str
    step: int
    unit: str = ""
    colour: Token = "text"
    align: Align = "left"
    weight: int = 700


class Roll(Struct, frozen=True):
    """Figures that turn into others, ``progress`` thousandths done."""

    before: str
    after: str
    progress: int
    step: int
    unit: str
    colour: Token = "brass"


class Lines(Struct, frozen=True):
    """A lot as on a card: number, title, artist, traits."""

    number: int
    title: str
    artist: str
    traits: tuple[str, ...]


class Mark(Struct, frozen=True):
    """A small drawn sign and a few words: who leads, whether the reserve is met."""

    sign: Literal["leader", "check", "open", "none", "proxy", "eye", "next"]
    text: str
    step: int
    colour: Token
    quiet: str = ""
    align: Align = "left"


class Ring(Struct, frozen=True):
    """A countdown: ``share`` thousandths of the time are left."""

    figures: str
    share: int
    colour: Token
    word: str = ""


class Lamps(Struct, frozen=True):
    """Fair warning: three lamps, ``lit`` of them on."""

    lit: int
    figures: str
    word: str


class TickerRow(Struct, frozen=True):
    """One bid in the list."""

    handle: str
    amount: str
    currency: str
    note: str
    leading: bool
    proxy: bool


class Qr(Struct, frozen=True):
    """A QR code on a light card."""

    data: str


class CaptionText(Struct, frozen=True):
    """What is said, and by whom."""

    text: str
    speaker: str


class Dot(Struct, frozen=True):
    """A round light."""

    colour: Token


class Card(Struct, frozen=True):
    """A lot of the parade: picture, number, title."""

    ref: str
    number: int
    title: str
    artist: str


class Page(Struct, frozen=True):
    """Results as a printed page: rows of number, title, artist, price or a word, winner."""

    heading: str
    subheading: str
    rows: tuple[tuple[str, str, str, str, str], ...]
    footer: str


class Stamp(Struct, frozen=True):
    """What lands on a sold lot."""

    word: str
    price: str
    winner: str


class SlateText(Struct, frozen=True):
    """The crest, a true sentence, what it means, the time."""

    sentence: str
    meaning: str
    time: str
    pause: bool


class PostCard(Struct, frozen=True):
    """A social post, whole."""

    name: str
    handle: str
    text: str
    platform: str
    time: str
    picture: str | None


class Group(Struct, frozen=True):
    """Layers drawn together as one, for transitions between scenes."""

    layers: tuple["Layer", ...]


type Content = (
    Wall
    | Fill
    | Glow
    | Hairline
    | Picture
    | Feed
    | Text
    | Figures
    | Roll
    | Lines
    | Mark
    | Ring
    | Lamps
    | TickerRow
    | Qr
    | CaptionText
    | HostPart
    | Dot
    | Card
    | Page
    | Stamp
    | SlateText
    | PostCard
    | Group
)


class Key(Struct, frozen=True, cache_hash=True, gc=False):
    """All that decides a surface's pixels. ``grow`` is in thousandths, ``turn`` in tenths of a degree, about ``pivot``
    (thousandths of width and height); ``unit`` is how many pixels one unit of the 1080-line design has."""

    content: Content
    w: int
    h: int
    unit: float
    theme: str
    grow: int = 1000
    turn: int = 0


class Layer(Struct, frozen=True, gc=False):
    """A surface in its place. ``rect`` is where its pixels go; ``clip`` cuts it; a picture has each ``id`` once."""

    id: str
    rect: Rect
    z: int
    key: Key
    opacity: int = 255
    clip: Rect | None = None

    @property
    def seen(self) -> Rect:
        """The part of the canvas it touches."""
        return self.rect if self.clip is None else self.rect.cut(self.clip)
