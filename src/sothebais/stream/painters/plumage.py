"""The host's head: feathers, beak, eye, glasses. Drawn looking to the right, in the units of the figure."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import skia

from sothebais.stream import figure
from sothebais.stream.painters.brush import Brush
from sothebais.stream.painters.shapes import (
    Point,
    along,
    around,
    edge,
    feather,
    flat,
    lined,
    outline,
    rim,
    smooth,
    soft,
    stroke,
    toward,
)

#: Feathers from shade to sheen; the cool light from behind; the warm one from the room.
SHADE: Final = "#07090E"
DEEP: Final = "#0E131C"
MID: Final = "#1B2433"
SHEEN: Final = "#33425C"
GLOSS: Final = "#5A6F95"
RIM: Final = "#B4C6E6"
WARM: Final = "#E9C88A"
_PIVOT: Final = (192.0, 176.0)
_LOWERED: Final = 24
_LARGER: Final = 1.12
_COLLARED: Final = "M-200 -200 L620 -200 L620 240 L264 240 L262 226 C236 250 158 250 132 226 L-200 226 Z"
_JAW: Final = (238.0, 113.0)
#: How far each opening turns the lower and the upper half of the beak.
_DROPS: Final = (0.0, 7.0, 14.0, 22.0)
_LIFTS: Final = (0.0, -1.5, -3.5, -5.5)
_EYE: Final = (217.0, 93.0)
_EYE_LARGER: Final = 1.15
_SKULL: Final[tuple[Point, ...]] = (
    (248, 80), (243, 60), (226, 42), (199, 32), (171, 36), (148, 53), (136, 80), (134, 110), (138, 140), (140, 168),
    (136, 200), (134, 238), (192, 262), (248, 240), (257, 212), (257, 186), (254, 162), (249, 140), (247, 118),
    (249, 98),
)  # fmt: skip


#: Base, length, direction lying and ruffled, width.
_NAPE: Final = (
    ((150.0, 188.0), 32.0, 108.0, 148.0, 14.0),
    ((150.0, 176.0), 36.0, 110.0, 154.0, 14.0),
    ((148.0, 154.0), 34.0, 112.0, 160.0, 13.0),
    ((145.0, 132.0), 30.0, 114.0, 166.0, 12.0),
)
_BEARD: Final = (
    ((216.0, 212.0), 38.0, 84.0, 72.0, 15.0),
    ((234.0, 206.0), 40.0, 72.0, 46.0, 15.0),
    ((224.0, 190.0), 40.0, 78.0, 60.0, 15.0),
    ((240.0, 184.0), 40.0, 66.0, 36.0, 14.0),
    ((230.0, 168.0), 38.0, 72.0, 48.0, 14.0),
    ((240.0, 160.0), 36.0, 62.0, 28.0, 13.0),
    ((232.0, 146.0), 34.0, 66.0, 34.0, 12.0),
    ((240.0, 138.0), 30.0, 58.0, 18.0, 11.0),
)


@contextmanager
def standing(brush: Brush, *, left: bool = False) -> Iterator[skia.Canvas]:
    """The canvas in units of the figure, which stands in the middle of the box's bottom edge."""
    share = min(brush.w / figure.WIDE, brush.h / figure.HIGH)
    canvas = brush.canvas
    canvas.save()
    canvas.translate((brush.w - figure.WIDE * share) / 2, brush.h - figure.HIGH * share)
    canvas.scale(share, share)
    if left:
        canvas.translate(figure.WIDE, 0)
        canvas.scale(-1, 1)
    yield canvas
    canvas.restore()


@contextmanager
def held(brush: Brush, head: figure.Head) -> Iterator[skia.Canvas]:
    """The canvas as the head is held."""
    with standing(brush, left=head.left) as canvas:
        _hold(canvas, head)
        yield canvas


def _hold(canvas: skia.Canvas, head: figure.Head) -> None:
    canvas.translate(head.forward, head.down + _LOWERED)
    canvas.rotate(head.tilt / 10, *_PIVOT)
    canvas.translate(*_PIVOT)
    canvas.scale(_LARGER, _LARGER)
    canvas.translate(-_PIVOT[0], -_PIVOT[1])


def plumage(content: figure.HostPlumage, brush: Brush) -> None:
    """Skull, neck, crown and throat."""
    crown, ruff = content.crown / 100, content.ruff / 100
    with held(brush, content.head) as canvas:
        _crown(canvas, crown)
        _feathers(canvas, _NAPE, ruff, -1)
    with standing(brush, left=content.head.left) as canvas:
        # the neck ends in the collar, however the head is held
        canvas.clipPath(outline(_COLLARED), skia.ClipOp.kIntersect, True)
        _hold(canvas, content.head)
        skull = smooth(_SKULL)
        canvas.drawPath(skull, along((150, 30), (250, 240), (MID, 1, 0), (DEEP, 1, 0.45), (SHADE, 1, 1)))
        canvas.save()
        canvas.clipPath(skull, skia.ClipOp.kIntersect, True)
        # the round of the skull, the cheek, and a violet sheen on the neck
        canvas.drawCircle(206, 66, 52, around((206, 62), 52, (GLOSS, 0.62, 0), (SHEEN, 0.5, 0.45), (SHEEN, 0, 1)))
        canvas.drawCircle(176, 132, 46, around((176, 128), 46, (SHEEN, 0.55, 0), (SHEEN, 0, 1)))
        canvas.drawOval(
            skia.Rect.MakeLTRB(130, 150, 236, 262), around((170, 205), 58, ("#3A3A6A", 0.5, 0), ("#3A3A6A", 0, 1))
        )
        _rows(canvas)
        # the fine feathers over the ear, swept back from the eye
        for base, tip, light in (
            ((196.0, 108.0), (158.0, 122.0), 0.3),
            ((194.0, 101.0), (152.0, 111.0), 0.36),
            ((193.0, 94.0), (150.0, 99.0), 0.34),
            ((194.0, 87.0), (154.0, 87.0), 0.26),
            ((200.0, 114.0), (170.0, 132.0), 0.24),
        ):
            tuft = feather(base, tip, 7.0, bend=-3.0, blunt=0.0)
            canvas.drawPath(tuft, along(base, tip, (SHADE, 0, 0), (SHADE, 0.5, 0.5), (GLOSS, light, 1)))
        # the socket: the eye lies in shade
        canvas.drawOval(skia.Rect.MakeLTRB(192, 68, 250, 118), soft(flat(SHADE, 0.75), 7))
        canvas.restore()
        rim(canvas, skull, along((122, 60), (200, 70), (RIM, 0.95, 0), (RIM, 0.35, 0.55), (RIM, 0, 1)), 2.6)
        edge(canvas, skull, along((120, 60), (185, 90), (GLOSS, 0.85, 0), (GLOSS, 0, 1)), 11, 5)
        rim(canvas, skull, along((200, 30), (262, 90), (WARM, 0.0, 0), (WARM, 0.45, 0.6), (WARM, 0, 1)), 2.2)
        rim(canvas, skull, along((190, 20), (190, 58), (RIM, 0.8, 0), (RIM, 0, 1)), 2.4)
        _feathers(canvas, _BEARD, ruff, 1)


def _crown(canvas: skia.Canvas, raised: float) -> None:
    """Feathers at the back of the crown: they lie along the head, or stand."""
    for base, long, lying, standing_at, wide in (
        ((141.0, 92.0), 30.0, 108.0, 168.0, 11.0),
        ((144.0, 76.0), 36.0, 114.0, 186.0, 12.0),
        ((151.0, 60.0), 42.0, 124.0, 204.0, 12.0),
        ((163.0, 47.0), 48.0, 137.0, 221.0, 12.0),
        ((178.0, 39.0), 50.0, 153.0, 236.0, 11.0),
        ((195.0, 36.0), 44.0, 167.0, 250.0, 10.0),
    ):
        angle = lying + (standing_at - lying) * raised
        tip = toward(base, angle, long * (0.8 + 0.2 * raised))
        vane = feather(base, tip, wide, bend=5 + raised, blunt=0.02)
        canvas.drawPath(vane, along(base, tip, (DEEP, 1, 0), (MID, 1, 1)))
        edge(canvas, vane, along(base, tip, (RIM, 0.0, 0), (RIM, 0.75, 1)), 1.6)


def _feathers(
    canvas: skia.Canvas, rows: tuple[tuple[Point, float, float, float, float], ...], ruffled: float, side: int
) -> None:
    """Long feathers at the nape or under the beak, which lie close or stand off."""
    for base, long, lying, up, wide in rows:
        tip = toward(base, lying + (up - lying) * ruffled, long * (0.9 + 0.25 * ruffled))
        vane = feather(base, tip, wide, bend=-2.0 * side, blunt=0.0)
        canvas.drawPath(vane, along(base, tip, (DEEP, 0, 0), (DEEP, 1, 0.3), (MID, 1, 1)))
        light = 0.55 if side < 0 else 0.5
        edge(canvas, vane, along(base, tip, (RIM, 0.0, 0.25), (RIM, light, 1)), 1.4)


def _rows(canvas: skia.Canvas) -> None:
    """Feather ends on cheek and neck: a few arcs, each with a lit edge and a shade below it."""
    for row, (left, right, y, size, light) in enumerate(
        (
            (150.0, 186.0, 122.0, 19.0, 0.30),
            (146.0, 204.0, 142.0, 20.0, 0.34),
            (138.0, 226.0, 163.0, 22.0, 0.32),
            (130.0, 242.0, 186.0, 24.0, 0.27),
            (126.0, 250.0, 210.0, 25.0, 0.2),
        )
    ):
        x = left + (size / 2 if row % 2 else 0)
        while x < right:
            arc = outline(
                f"M{x - size * 0.55:.1f} {y - size * 0.55:.1f} "
                f"C{x - size * 0.5:.1f} {y + size * 0.2:.1f} {x - size * 0.2:.1f} {y + size * 0.5:.1f} {x:.1f} {y + size * 0.62:.1f} "
                f"C{x + size * 0.2:.1f} {y + size * 0.5:.1f} {x + size * 0.5:.1f} {y + size * 0.2:.1f} {x + size * 0.55:.1f} {y - size * 0.55:.1f}"
            )
            fade = light * (1 - 0.55 * (x - left) / max(1.0, right - left))
            canvas.drawPath(arc, along((x, y - size * 0.5), (x, y + size * 0.62), (SHADE, 0, 0), (SHADE, 0.42, 1)))
            canvas.drawPath(
                arc, lined(along((x, y - size * 0.3), (x, y + size * 0.6), (RIM, 0, 0), (RIM, fade, 1)), 1.1)
            )
            x += size


def beak(content: figure.HostBeak, brush: Brush) -> None:
    """Both halves of the beak, what is seen between them, and the bristles over its root."""
    opening = max(0, min(3, content.opening))
    corner = content.corner / 100
    with held(brush, content.head) as canvas:
        if opening:
            drop = _DROPS[opening]
            reach = 62.0
            low = toward(_JAW, drop + 6, reach)
            throat = outline("M238 108 L318 112 L318 120 L238 118 Z") if drop < 1 else skia.Path()
            throat.moveTo(234, 108)
            throat.lineTo(312, 112)
            throat.quadTo(300, 122 + drop, low[0], low[1])
            throat.lineTo(240, 124)
            throat.close()
            canvas.drawPath(
                throat, along((236, 112), (310, 122), ("#1D070A", 1, 0), ("#5A1F23", 1, 0.6), ("#8C3A36", 1, 1))
            )
            tongue = smooth(
                ((246, 119 + drop * 0.25), (268, 115 + drop * 0.55), (290, 117 + drop * 0.95), (297, 121 + drop * 1.15),
                 (272, 124 + drop * 0.95))
            )  # fmt: skip
            canvas.drawPath(tongue, along((248, 118), (296, 130), ("#6E2C2C", 1, 0), ("#C9716A", 1, 1)))
        _lower(canvas, _DROPS[opening])
        _upper(canvas, _LIFTS[opening], corner)
        _bristles(canvas, _LIFTS[opening])


def _lower(canvas: skia.Canvas, drop: float) -> None:
    canvas.save()
    canvas.rotate(drop, *_JAW)
    half = outline("M232 112 C262 116 300 118 331 123 C320 132 298 138 272 139 C254 140 240 138 230 132 Z")
    canvas.drawPath(half, along((280, 114), (268, 148), ("#272E3A", 1, 0), ("#12161E", 1, 0.6), ("#0A0D12", 1, 1)))
    edge(canvas, half, along((260, 148), (325, 122), (RIM, 0.0, 0), (RIM, 0.5, 0.5), (RIM, 0.15, 1)), 1.4)
    canvas.restore()


def _upper(canvas: skia.Canvas, lift: float, corner: float) -> None:
    canvas.save()
    canvas.rotate(lift, *_JAW)
    half = outline(
        "M234 84 C248 74 272 71 296 77 C326 85 350 104 357 134 C358 140 353 141 349 136 "
        "C343 127 333 121 318 118.5 C292 115 262 117 234 113 Z"
    )
    canvas.drawPath(
        half,
        along((290, 72), (276, 122), ("#5D6980", 1, 0), ("#39424F", 1, 0.22), ("#1E242E", 1, 0.6), ("#0C0F15", 1, 1)),
    )
    canvas.save()
    canvas.clipPath(half, skia.ClipOp.kIntersect, True)
    # a long gloss along the ridge, the nostril, the shade of the hook
    gloss = outline(
        "M252 84 C276 76 304 80 326 96 C334 102 340 109 344 117 C330 100 304 90 276 88 C266 87.5 258 88 252 90 Z"
    )
    canvas.drawPath(
        gloss,
        soft(along((250, 84), (344, 112), ("#C4D2EA", 0.25, 0), ("#E4ECF8", 0.85, 0.5), ("#C4D2EA", 0.2, 1)), 1.6),
    )
    canvas.drawPath(outline("M263 97 C270 93 280 93 286 97 C279 99 270 100 263 97 Z"), flat(SHADE, 0.8))
    canvas.restore()
    edge(
        canvas,
        half,
        along((240, 84), (358, 136), (RIM, 0, 0), (RIM, 0, 0.06), (RIM, 0.95, 0.45), (RIM, 0.7, 1)),
        1.5,
        0.4,
    )
    # the line of the mouth runs on into the cheek: this is where a raven smiles
    end = (214 - 7 * max(0.0, corner), 119 - 13 * max(0.0, corner) - 14 * min(0.0, corner))
    low = 119 + 5 * max(0.0, corner)
    mouth = skia.Path()
    mouth.moveTo(272, 116.4)
    mouth.cubicTo(248, 114.5, 230, low - 2.5, *end)
    mouth.cubicTo(230, low + 2.5, 246, 119.5, 272, 116.4)
    mouth.close()
    canvas.drawPath(mouth, flat(SHADE, 0.95))
    lip = skia.Path()
    lip.moveTo(250, 118.8)
    lip.cubicTo(238, 119.8, 228, low + 3, end[0] + 1, end[1] + 2.4)
    canvas.drawPath(lip, stroke("#7C90B6", 1.5, 0.8))
    canvas.restore()


def _bristles(canvas: skia.Canvas, lift: float) -> None:
    canvas.save()
    canvas.rotate(lift * 0.6, *_JAW)
    for base, tip, wide in (
        ((232.0, 79.0), (262.0, 81.0), 7.0),
        ((230.0, 85.0), (270.0, 87.0), 7.0),
        ((230.0, 108.0), (258.0, 109.0), 7.0),
        ((230.0, 101.0), (268.0, 103.0), 7.0),
        ((230.0, 93.0), (273.0, 95.0), 7.5),
    ):
        vane = feather(base, tip, wide, bend=1.0, blunt=0.0)
        canvas.drawPath(vane, along(base, tip, (SHADE, 1, 0), (DEEP, 1, 0.5), (MID, 1, 1)))
        canvas.drawLine(*toward(base, 2, 14), *tip, lined(along(base, tip, (GLOSS, 0, 0.3), (GLOSS, 0.8, 1)), 0.9))
    canvas.restore()


def eye(content: figure.HostEye, brush: Brush) -> None:
    """Eye, lids, brow."""
    upper, lower = content.upper / 100, content.lower / 100
    x, y = _EYE
    with held(brush, content.head) as canvas:
        canvas.translate(x, y)
        canvas.scale(_EYE_LARGER, _EYE_LARGER)
        canvas.translate(-x, -y)
        wide, high = 20.0, 18.5
        ball = skia.Path()
        ball.addOval(skia.Rect.MakeLTRB(x - wide, y - high, x + wide, y + high))
        ring = skia.Path()
        ring.addOval(skia.Rect.MakeLTRB(x - wide - 3.4, y - high - 3.4, x + wide + 3.4, y + high + 3.4))
        canvas.drawPath(
            ring, along((x - 20, y - 22), (x + 16, y + 22), ("#2A3447", 1, 0), ("#0B0E14", 1, 0.5), ("#46546F", 1, 1))
        )
        canvas.save()
        canvas.clipPath(ball, skia.ClipOp.kIntersect, True)
        canvas.drawPaint(flat("#06080B"))
        gx, gy = x + content.gaze_x / 100 * 7, y + content.gaze_y / 100 * 6
        iris = 17.0
        canvas.drawCircle(
            gx, gy, iris,
            around((gx + 2, gy + 5), iris, ("#FFE3A3", 1, 0), ("#E9B85E", 1, 0.45), ("#B97F2B", 1, 0.82), ("#5E3B12", 1, 1)),
        )  # fmt: skip
        pupil = 5.0 + 7.0 * content.pupil / 100
        canvas.drawCircle(gx, gy, pupil, flat("#05060A"))
        # the lid throws a shade on the ball; two lights
        canvas.drawRect(
            skia.Rect.MakeLTRB(x - 24, y - 24, x + 24, y + 4),
            along((x, y - high), (x, y + 2), ("#000000", 0.55, 0), ("#000000", 0, 1)),
        )
        canvas.drawCircle(gx + 5.5, gy - 6.5, 4.3, flat("#FFFFFF", 0.97))
        canvas.drawCircle(gx - 5.5, gy + 6.5, 2.0, flat("#FFF4DC", 0.75))
        slope = content.slope / 100
        _lid(canvas, upper, slope, top=True)
        _lid(canvas, lower, slope, top=False)
        canvas.restore()
        canvas.drawPath(ball, stroke("#05070A", 1.6))
        _brow(canvas, content.rise / 100, slope)


def _lid(canvas: skia.Canvas, shut: float, slope: float, *, top: bool) -> None:
    if shut <= 0.01:
        return
    x, y = _EYE
    if top:
        at = y - 20 + 41 * shut
        inner, outer = at - 7 * slope, at + 7 * slope
        bow = 8 * (1 - 2 * shut)
        shape = skia.Path()
        shape.moveTo(x - 26, y - 30)
        shape.lineTo(x + 26, y - 30)
        shape.lineTo(x + 26, inner + 3)
        shape.cubicTo(x + 10, inner - bow, x - 10, outer - bow, x - 26, outer + 3)
        shape.close()
        canvas.drawPath(
            shape, along((x, y - 20), (x, at + 2), ("#2A3549", 1, 0), ("#55678A", 1, 0.75), ("#93A7CE", 1, 1))
        )
        line = skia.Path()
        line.moveTo(x + 26, inner + 3)
        line.cubicTo(x + 10, inner - bow, x - 10, outer - bow, x - 26, outer + 3)
        canvas.drawPath(line, stroke("#06080C", 2.6))
        return
    at = y + 20 - 34 * shut
    shape = skia.Path()
    shape.moveTo(x - 26, y + 30)
    shape.lineTo(x + 26, y + 30)
    shape.lineTo(x + 26, at + 9)
    shape.cubicTo(x + 10, at - 5, x - 10, at - 5, x - 26, at + 9)
    shape.close()
    canvas.drawPath(shape, along((x, at), (x, y + 22), ("#8D9FC4", 1, 0), ("#3A4862", 1, 0.22), ("#151C29", 1, 1)))
    line = skia.Path()
    line.moveTo(x + 26, at + 9)
    line.cubicTo(x + 10, at - 5, x - 10, at - 5, x - 26, at + 9)
    canvas.drawPath(line, stroke("#06080C", 2.0))


def _brow(canvas: skia.Canvas, rise: float, slope: float) -> None:
    """A ridge of feathers over the eye: the most of what a raven has to say."""
    x, y = _EYE
    at = y - 23 - 15 * rise
    inner, outer = (x + 27, at + 4 - 13 * slope), (x - 27, at + 4 + 13 * slope)
    arch = at - 7 - 5 * max(0.0, rise)
    ridge = skia.Path()
    ridge.moveTo(*inner)
    ridge.cubicTo(x + 12, arch - 5 - 6 * slope, x - 10, arch - 6 + 6 * slope, outer[0] - 9, outer[1] - 2)
    ridge.cubicTo(x - 14, arch + 6 + 6 * slope, x + 8, arch + 9 - 5 * slope, inner[0] - 3, inner[1] + 7)
    ridge.cubicTo(inner[0] + 2, inner[1] + 8, inner[0] + 4, inner[1] + 4, *inner)
    ridge.close()
    canvas.drawPath(ridge, soft(flat(SHADE, 0.6), 3))
    canvas.drawPath(ridge, along((x, arch - 4), (x, at + 10), ("#8799BD", 1, 0), ("#43557A", 1, 0.5), (DEEP, 1, 1)))
    edge(canvas, ridge, along((x, arch - 6), (x, at + 8), (RIM, 0.95, 0), (RIM, 0, 0.8)), 1.5)


def spectacles(content: figure.HostSpectacles, brush: Brush) -> None:
    """Half-moons low on the beak's root, on a fine brass wire."""
    with held(brush, content.head) as canvas:
        glass = outline("M205 106 L262 106 C262 124 250 135 234 135 C218 135 205 124 205 106 Z")
        canvas.drawPath(
            glass, along((210, 104), (256, 136), ("#DCE6F6", 0.30, 0), ("#DCE6F6", 0.06, 0.5), ("#DCE6F6", 0.2, 1))
        )
        for width, colour in ((3.6, "#4A3510"), (2.2, "#E3BE78")):
            canvas.drawPath(glass, stroke(colour, width))
            canvas.drawPath(outline("M262 107 C270 100 280 100 288 104"), stroke(colour, width))
            canvas.drawPath(outline("M205 107 C186 104 166 106 148 112"), stroke(colour, width * 0.8))
