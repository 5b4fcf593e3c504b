"""The house's mark: Sable's head and a gavel in one stroke. The pages draw the same line (``crest.svg``)."""

from typing import Final

from sothebais.stream.layers import Token
from sothebais.stream.painters.brush import Brush
from sothebais.stream.painters.shapes import Point, outline

#: From the throat along the beak, over the crown, down the nape and out into the gavel; in a square of 64.
STROKE: Final = (
    "M21 43.5 C21.5 37 25.5 32.5 32 31.8 C41 30.8 50 31 56 33.2 C58.4 34.2 60.3 35.6 61 37 "
    "C61.6 28 52 18.5 38.5 17.8 C35 10 27.5 5.8 19.5 7.6 C10 10 5.4 19.6 6 30 "
    "C6.7 42 9.5 52 20 52 L43 52 L43 44.5 L55 44.5 L55 59.5 L43 59.5 L43 52"
)
_EYE: Final[Point] = (29.5, 20.0)
_MIDDLE: Final[Point] = (33.5, 33.2)


def crest(size: float, brush: Brush, colour: Token = "brass") -> None:
    """The mark within a ring; a square of ``size`` at the origin."""
    canvas = brush.canvas
    canvas.save()
    canvas.scale(size / 100, size / 100)
    canvas.drawCircle(50, 50, 47.5, brush.line(colour, 2.2))
    canvas.drawCircle(50, 50, 43.4, brush.line(colour, 0.7))
    canvas.translate(50 - _MIDDLE[0], 50 - _MIDDLE[1])
    canvas.drawPath(outline(STROKE), brush.line(colour, 3.0))
    canvas.drawCircle(*_EYE, 2.3, brush.fill(colour))
    canvas.restore()
