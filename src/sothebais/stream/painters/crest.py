"""The house's mark."""

from sothebais.stream.layers import Token
from sothebais.stream.painters.brush import Brush
from sothebais.stream.painters.shapes import outline


def crest(size: float, brush: Brush, colour: Token = "brass") -> None:
    """The raven's head and a gavel, in one line within a ring; a square of ``size`` at the origin."""
    canvas = brush.canvas
    canvas.save()
    canvas.scale(size / 100, size / 100)
    line = brush.line(colour, 2.4)
    canvas.drawCircle(50, 50, 47, line)
    canvas.drawCircle(50, 50, 42.6, brush.line(colour, 0.7))
    canvas.drawPath(
        outline(
            "M27 76 C22 60 24 42 35 32 C43 25 54 26 60 31.5 C68 32 77 36 83 43 C76 43 69 44.5 62 47.5 C59 53 55 57 54 62 C53 68 55 73 60 76"
        ),
        line,
    )
    canvas.restore()
