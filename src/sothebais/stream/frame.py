"""An element's box at one instant, and what is put into it. Pure."""

from msgspec import Struct

from sothebais.instants import Millis
from sothebais.stream.layers import NEVER, Content
from sothebais.stream.show import ShowState


class Part(Struct, frozen=True, gc=False):
    """Content in a place of its element's box."""

    name: str
    x: int
    y: int
    w: int
    h: int
    content: Content
    opacity: int = 255
    grow: float = 1.0
    turn: int = 0
    cut: bool = False


class Frame:
    """One element's box at one instant, filled by its type's function."""

    __slots__ = ("h", "parts", "since", "state", "t", "unit", "until", "w")

    def __init__(self, state: ShowState, t: Millis, w: int, h: int, unit: float, since: Millis) -> None:
        self.state, self.t, self.w, self.h, self.unit, self.since = state, t, w, h, unit, since
        self.parts: list[Part] = []
        self.until: Millis = NEVER

    def add(
        self,
        content: Content,
        name: str = "",
        *,
        x: int = 0,
        y: int = 0,
        w: int | None = None,
        h: int | None = None,
        opacity: int = 255,
        grow: float = 1.0,
        turn: int = 0,
        cut: bool = False,
    ) -> None:
        """Put content into the box; without a size it fills it."""
        part = Part(
            name, x, y, self.w if w is None else w, self.h if h is None else h, content, opacity, grow, turn, cut
        )
        if part.w > 0 and part.h > 0 and opacity > 0:
            self.parts.append(part)

    def again(self, at: Millis) -> None:
        """Something changes at that instant."""
        if self.t < at < self.until:
            self.until = at

    def moves(self) -> None:
        """It looks different in the next frame."""
        self.until = self.t + 1

    def px(self, units: float) -> int:
        """Whole pixels of a length of the 1080-line design."""
        return round(units * self.unit)
