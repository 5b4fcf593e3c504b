"""What the host may hold: gavel, lorgnette, paddle, watch, catalogue. Drawn about the grip, handle down."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import skia

from sothebais.stream.figure import Prop
from sothebais.stream.painters.shapes import Point, along, around, edge, flat, outline, soft, stroke

_WOOD: Final = ("#B57A44", "#7C4A24", "#3C210F")
_BRASS: Final = ("#FFE9B8", "#D9B26A", "#7A5A22")


def held_in(canvas: skia.Canvas, prop: Prop, grip: Point, points: int) -> None:
    """A prop in the wing that ends at ``grip`` and points in a direction (degrees, 0 right, 90 down)."""
    draw, turn, share = _PROPS[prop]
    canvas.save()
    canvas.translate(*grip)
    canvas.rotate(turn if turn is not None else points + 90)
    canvas.scale(share, share)
    draw(canvas)
    canvas.restore()


def _rod(canvas: skia.Canvas, top: float, bottom: float, half: float, colours: tuple[str, str, str]) -> None:
    rod = skia.Rect.MakeLTRB(-half, top, half, bottom)
    light, middle, dark = colours
    canvas.drawRoundRect(rod, half, half, soft(flat("#000000", 0.45), 2.5))
    canvas.drawRoundRect(rod, half, half, along((-half, 0), (half, 0), (middle, 1, 0), (light, 1, 0.3), (dark, 1, 1)))


def gavel(canvas: skia.Canvas) -> None:
    """A turned head with brass bands on a slim handle."""
    _rod(canvas, -66, 40, 4.4, _WOOD)
    light, middle, dark = _WOOD
    head = outline(
        "M-36 -92 C-36 -97 -28 -98 -24 -96 L24 -96 C28 -98 36 -97 36 -92 L36 -62 C36 -57 28 -56 24 -58 L-24 -58 C-28 -56 -36 -57 -36 -62 Z"
    )
    canvas.drawPath(head, soft(flat("#000000", 0.5), 4))
    canvas.drawPath(head, along((0, -97), (0, -57), (middle, 1, 0), (light, 1, 0.25), (middle, 1, 0.55), (dark, 1, 1)))
    edge(canvas, head, along((0, -98), (0, -60), ("#FFE3BE", 0.9, 0), ("#FFE3BE", 0, 0.5)), 1.4)
    light, middle, dark = _BRASS
    for x in (-24.0, 19.0):
        band = skia.Rect.MakeLTRB(x, -97, x + 5, -57)
        canvas.drawRect(
            band, along((0, -97), (0, -57), (middle, 1, 0), (light, 1, 0.25), (middle, 1, 0.5), (dark, 1, 1))
        )


def lorgnette(canvas: skia.Canvas) -> None:
    """Two glasses on a long handle."""
    _rod(canvas, -58, 30, 2.6, _BRASS)
    for x in (-4.0, 46.0):
        middle, reach = (x, -84.0), 24.0
        canvas.drawCircle(
            *middle, reach, around((x - 7, -92), 34, ("#FFFFFF", 0.42, 0), ("#CFE0FA", 0.1, 0.5), ("#CFE0FA", 0.22, 1))
        )
        canvas.drawCircle(*middle, reach, stroke("#4A3510", 4.6))
        canvas.drawCircle(*middle, reach, stroke("#E3BE78", 3.0))
    for line in ("M19 -88 C21 -94 21 -94 23 -88", "M-3 -60 C-2 -57 0 -57 0 -52"):
        canvas.drawPath(outline(line), stroke("#E3BE78", 3.0))


def paddle(canvas: skia.Canvas) -> None:
    """A bidder's paddle with a number."""
    _rod(canvas, -50, 44, 5, _WOOD)
    blade = skia.Rect.MakeLTRB(-31, -118, 31, -44)
    canvas.drawRoundRect(blade, 13, 13, soft(flat("#000000", 0.5), 4))
    canvas.drawRoundRect(
        blade, 13, 13, along((-30, -116), (28, -46), ("#FBF6EC", 1, 0), ("#E5DECF", 1, 0.7), ("#B9B1A0", 1, 1))
    )
    canvas.drawRoundRect(blade.makeInset(5, 5), 9, 9, stroke("#8A6420", 1.6))
    # 12, drawn: no font has a say in how the host looks
    canvas.drawPath(outline("M-15 -90 L-8 -96 L-8 -66"), stroke("#1B1E24", 5))
    canvas.drawPath(outline("M2 -88 C3 -98 18 -98 18 -87 C18 -80 8 -75 2 -66 L19 -66"), stroke("#1B1E24", 5))


def watch(canvas: skia.Canvas) -> None:
    """A pocket watch on its chain, hanging."""
    light, middle, dark = _BRASS
    canvas.drawPath(outline("M0 0 C4 14 -3 22 0 34"), stroke("#5A4216", 3.6))
    canvas.drawPath(outline("M0 0 C4 14 -3 22 0 34"), stroke(middle, 2.0))
    canvas.drawCircle(0, 38, 5, stroke(middle, 2.2))
    canvas.drawCircle(0, 64, 23, soft(flat("#000000", 0.55), 4))
    canvas.drawCircle(0, 64, 23, along((-18, 44), (16, 84), (light, 1, 0), (middle, 1, 0.5), (dark, 1, 1)))
    canvas.drawCircle(0, 64, 18.5, around((-4, 58), 26, ("#FFFDF6", 1, 0), ("#E9E1CF", 1, 1)))
    for quarter in range(4):
        canvas.save()
        canvas.rotate(90 * quarter, 0, 64)
        canvas.drawLine(0, 48.5, 0, 52, stroke("#1B1E24", 1.8))
        canvas.restore()
    canvas.drawPath(outline("M0 64 L0 52"), stroke("#1B1E24", 2.2))
    canvas.drawPath(outline("M0 64 L8 68"), stroke("#1B1E24", 2.2))
    canvas.drawCircle(0, 64, 2, flat("#8A6420"))


def catalogue(canvas: skia.Canvas) -> None:
    """The sale's catalogue, open."""
    left = outline("M0 -8 C-14 -20 -36 -22 -56 -14 L-56 -70 C-36 -78 -14 -76 0 -64 Z")
    right = outline("M0 -8 C14 -20 36 -22 56 -14 L56 -70 C36 -78 14 -76 0 -64 Z")
    cover = outline("M-61 -8 L-61 -68 L61 -68 L61 -8 C36 -16 14 -14 0 -2 C-14 -14 -36 -16 -61 -8 Z")
    canvas.drawPath(cover, soft(flat("#000000", 0.55), 5))
    canvas.drawPath(cover, along((-60, -68), (60, 0), ("#7C2431", 1, 0), ("#4D121D", 1, 1)))
    canvas.drawPath(left, along((-56, -40), (0, -40), ("#FBF6EC", 1, 0), ("#EFE8DA", 1, 0.75), ("#B3AB9B", 1, 1)))
    canvas.drawPath(right, along((0, -40), (56, -40), ("#B3AB9B", 1, 0), ("#EFE8DA", 1, 0.25), ("#FBF6EC", 1, 1)))
    canvas.drawRect(
        skia.Rect.MakeLTRB(-45, -62, -17, -36), along((-45, -62), (-17, -36), ("#C9863E", 1, 0), ("#33507A", 1, 1))
    )
    for y in (-56.0, -48.0, -40.0, -32.0, -24.0):
        canvas.drawLine(13, y - 3, 44, y - 4, stroke("#7C766A", 1.6, 0.8))
    canvas.drawLine(-44, -27, -18, -26, stroke("#7C766A", 1.6, 0.8))


#: How each is drawn, and its own angle where it does not follow the wing, its size.
_PROPS: Final[Mapping[str, tuple[Callable[[skia.Canvas], None], float | None, float]]] = MappingProxyType(
    {
        "gavel": (gavel, None, 0.86),
        "gavel-struck": (gavel, None, 0.86),
        "lorgnette": (lorgnette, None, 1.0),
        "paddle": (paddle, 6.0, 0.9),
        "watch": (watch, 0.0, 1.0),
        "catalogue": (catalogue, -4.0, 1.0),
    }
)
