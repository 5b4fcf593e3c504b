"""The host's clothes and wings: tailcoat, collar, tie, pin, sleeves. In the units of the figure, looking to the right."""

import math
from collections.abc import Callable
from typing import Final

import skia

from sothebais.stream import figure
from sothebais.stream.painters import properties
from sothebais.stream.painters.brush import Brush
from sothebais.stream.painters.plumage import DEEP, GLOSS, MID, RIM, SHADE, SHEEN, WARM, standing
from sothebais.stream.painters.shapes import (
    Point,
    along,
    around,
    edge,
    feather,
    flat,
    outline,
    polygon,
    rim,
    smooth,
    soft,
    stroke,
    toward,
)

COAT: Final = "#171A21"
COAT_LIT: Final = "#3A4252"
COAT_DARK: Final = "#090B0F"
SATIN: Final = "#59657C"
LINEN: Final = "#F4EFE6"
LINEN_SHADE: Final = "#B9B3A8"
BRASS: Final = "#D9B26A"
BRASS_LIT: Final = "#FFE9B8"
BRASS_DARK: Final = "#7A5A22"
#: Where the sleeves are set in.
_REAR_SHOULDER: Final = (104.0, 279.0)
_FORE_SHOULDER: Final = (294.0, 277.0)
_SHRUG: Final = 10.0


def body(content: figure.HostBody, brush: Brush) -> None:
    """Coat and shirt, and the collar behind the neck."""
    up = content.shrug / 100 * _SHRUG
    with standing(brush, left=content.left) as canvas:
        canvas.drawPath(
            outline("M136 214 C160 204 232 204 254 214 L260 244 L130 244 Z"),
            along((130, 200), (260, 244), (LINEN_SHADE, 1, 0), ("#7E7A72", 1, 1)),
        )
        # where a sleeve hangs it is the side of the figure; where not, the waist is
        rear: tuple[Point, ...] = ((74, 290 - up * 0.6), (70, 326), (70, 384))
        fore: tuple[Point, ...] = ((332, 384), (330, 326), (322, 288 - up * 0.6))
        if content.rear_raised:
            rear = ((92, 288 - up * 0.6), (106, 326), (108, 384))
        if content.fore_raised:
            fore = ((292, 384), (294, 326), (306, 286 - up * 0.6))
        top = ((304.0, 256 - up), (272.0, 242 - up), (240.0, 232 - up * 0.3), (195.0, 240.0))
        coat = smooth(((150, 232 - up * 0.3), (118, 244 - up), (92, 258 - up), *rear, (200, 390), *fore, *top))
        canvas.drawPath(coat, along((90, 230), (300, 380), (COAT_LIT, 1, 0), (COAT, 1, 0.4), (COAT_DARK, 1, 1)))
        edge(canvas, coat, along((70, 250), (220, 300), (GLOSS, 0.55, 0), (GLOSS, 0, 1)), 14, 7)
        rim(canvas, coat, along((70, 250), (200, 270), (RIM, 0.9, 0), (RIM, 0, 1)), 2.0)
        rim(canvas, coat, along((340, 260), (240, 260), (WARM, 0.55, 0), (WARM, 0, 1)), 1.8)
        for line, raised in (
            ("M118 288 C106 306 104 330 106 384", content.rear_raised),
            ("M281 286 C292 304 294 330 292 384", content.fore_raised),
        ):
            if raised:
                continue
            canvas.drawPath(outline(line), soft(stroke("#000000", 5, 0.6), 2))
            canvas.drawPath(outline(line), soft(stroke(GLOSS, 1.2, 0.35), 0.6))
        _shirt(canvas)
        for side in (-1, 1):
            _lapel(canvas, side)
        _pin(canvas)


def _shirt(canvas: skia.Canvas) -> None:
    front = outline("M150 228 C170 238 222 238 242 228 L240 262 C232 300 214 340 198 372 C182 340 162 300 152 262 Z")
    canvas.drawPath(front, along((196, 232), (196, 372), (LINEN_SHADE, 1, 0), (LINEN, 1, 0.22), ("#D8D2C6", 1, 1)))
    canvas.save()
    canvas.clipPath(front, skia.ClipOp.kIntersect, True)
    canvas.drawPath(outline("M142 232 L160 300 L198 380 L150 380 Z"), soft(flat("#6A675F", 0.38), 7))
    for x in (177.0, 186.0, 206.0, 215.0):
        canvas.drawLine(x, 250, x + (197 - x) * 0.35, 372, stroke("#A9A396", 0.9, 0.7))
    canvas.drawLine(196.5, 250, 197, 372, stroke("#8E897D", 1.0, 0.8))
    canvas.restore()
    for y in (284.0, 314.0, 344.0):
        canvas.drawCircle(197, y + 0.8, 3.6, soft(flat("#3A352B", 0.5), 1))
        canvas.drawCircle(
            197, y, 3.3, around((196, y - 1.2), 4, (BRASS_LIT, 1, 0), (BRASS, 1, 0.5), (BRASS_DARK, 1, 1))
        )


def _facing(side: int) -> tuple[skia.Path, Callable[[float, float], Point]]:
    """A lapel's outline, and where a place on it is: both are one shape, and the far one is narrower."""

    def at(x: float, y: float) -> Point:
        return 197 + side * x * (1.0 if side < 0 else 0.94), y

    shape = skia.Path()
    shape.moveTo(*at(50, 230))
    shape.quadTo(*at(74, 244), *at(84, 262))
    shape.lineTo(*at(104, 260))
    shape.quadTo(*at(98, 286), *at(80, 300))
    shape.cubicTo(*at(58, 330), *at(30, 356), *at(0, 380))
    shape.cubicTo(*at(20, 330), *at(40, 280), *at(50, 230))
    shape.close()
    return shape, at


def _lapel(canvas: skia.Canvas, side: int) -> None:
    """A peaked lapel faced with satin."""
    shape, at = _facing(side)
    canvas.drawPath(shape, soft(flat("#000000", 0.5), 4))
    lit = 1.0 if side < 0 else 0.72
    canvas.drawPath(
        shape,
        along(at(98, 250), at(16, 340), ("#20252F", 1, 0), (SATIN, lit, 0.3), ("#262C37", 1, 0.55), ("#0D0F14", 1, 1)),
    )
    edge(canvas, shape, along(at(96, 250), at(30, 340), (RIM, 0.75 * lit, 0), (RIM, 0.1, 1)), 1.2)
    notch = skia.Path()
    notch.moveTo(*at(84, 262))
    notch.lineTo(*at(62, 272))
    canvas.drawPath(notch, stroke("#07080B", 1.8))


def _pin(canvas: skia.Canvas) -> None:
    """The brass pin: a small gavel."""
    canvas.save()
    canvas.translate(255, 292)
    canvas.rotate(-36)
    canvas.scale(0.62, 0.62)
    shape = outline("M-2 -4 L-2 -9 L-11 -9 L-11 -18 L11 -18 L11 -9 L2 -9 L2 14 L-2 14 Z")
    canvas.save()
    canvas.translate(1, 1.6)
    canvas.drawPath(shape, soft(flat("#000000", 0.7), 1.2))
    canvas.restore()
    canvas.drawPath(shape, along((-8, -18), (6, 12), (BRASS_LIT, 1, 0), (BRASS, 1, 0.45), (BRASS_DARK, 1, 1)))
    canvas.drawPath(shape, stroke("#4A3510", 0.7))
    canvas.restore()


def tie(content: figure.HostTie, brush: Brush) -> None:
    """Collar points and the black tie in front of the throat."""
    with standing(brush, left=content.left) as canvas:
        band = outline("M129 213 C150 238 238 240 263 213 L261 242 C236 261 158 261 132 242 Z")
        canvas.drawPath(band, soft(flat("#000000", 0.45), 4))
        canvas.drawPath(
            band,
            along(
                (130, 226), (264, 250), ("#CFC8BB", 1, 0), (LINEN, 1, 0.35), ("#E8E2D6", 1, 0.7), (LINEN_SHADE, 1, 1)
            ),
        )
        edge(canvas, band, along((190, 226), (190, 246), ("#FFFFFF", 0.9, 0), ("#FFFFFF", 0, 1)), 1.2)
        for side in (-1, 1):
            wing = polygon(tuple((197 + side * x, y) for x, y in ((3, 238), (27, 233), (31, 262), (8, 251))))
            canvas.drawPath(wing, soft(flat("#3E3A33", 0.5), 2.5))
            canvas.drawPath(wing, along((197, 234), (197 + side * 20, 262), ("#FFFFFF", 1, 0), ("#DCD6CA", 1, 1)))
        for side in (-1, 1):
            _bow(canvas, side)
        knot = skia.Rect.MakeLTRB(187, 245, 207, 267)
        canvas.drawRoundRect(knot, 6, 6, soft(flat("#000000", 0.6), 2))
        canvas.drawRoundRect(
            knot, 6, 6, along((190, 244), (204, 268), ("#566178", 1, 0), ("#1B202A", 1, 0.5), ("#08090D", 1, 1))
        )
        canvas.drawRoundRect(knot.makeInset(0.5, 0.5), 6, 6, stroke(RIM, 0.8, 0.35))


def _bow(canvas: skia.Canvas, side: int) -> None:
    def at(x: float, y: float) -> Point:
        return 197 + side * x, y

    shape = skia.Path()
    shape.moveTo(*at(4, 250))
    shape.cubicTo(*at(20, 240), *at(36, 235), *at(50, 237))
    shape.cubicTo(*at(55, 246), *at(55, 266), *at(50, 276))
    shape.cubicTo(*at(36, 277), *at(20, 271), *at(4, 262))
    shape.close()
    canvas.drawPath(shape, soft(flat("#000000", 0.55), 3))
    canvas.drawPath(shape, along(at(30, 236), at(26, 278), ("#4B566C", 1, 0), ("#1D222D", 1, 0.4), ("#0A0C11", 1, 1)))
    for start, end in (((12, 253), (40, 247)), ((12, 259), (38, 266))):
        fold = skia.Path()
        fold.moveTo(*at(*start))
        fold.quadTo(*at((start[0] + end[0]) / 2, start[1]), *at(*end))
        canvas.drawPath(fold, stroke("#05060A", 1.6, 0.9))
    edge(canvas, shape, along(at(30, 234), at(30, 276), (RIM, 0.8, 0), (RIM, 0.12, 0.6), (RIM, 0.3, 1)), 1.3)


def wings(content: figure.HostWings, brush: Brush) -> None:
    """Both sleeves, the feathers that come out of their cuffs, and what the fore one holds."""
    up = content.shrug / 100 * _SHRUG
    with standing(brush, left=content.left) as canvas:
        rear = (_REAR_SHOULDER[0], _REAR_SHOULDER[1] - up)
        fore = (_FORE_SHOULDER[0], _FORE_SHOULDER[1] - up)
        if content.rear is not None:
            _wing(canvas, rear, content.rear, lit=1.0)
        if content.fore is not None:
            wrist = (float(content.fore.wrist_x), float(content.fore.wrist_y))
            grip = toward(wrist, content.fore.points, 24)
            # a handle lies within the feathers, a chain hangs in front of them
            hangs = content.prop == "watch"
            if content.prop is not None and not hangs:
                properties.held_in(canvas, content.prop, grip, content.fore.points)
            _wing(canvas, fore, content.fore, lit=0.7)
            if content.prop is not None and hangs:
                properties.held_in(canvas, content.prop, toward(wrist, content.fore.points, 50), content.fore.points)


def _wing(canvas: skia.Canvas, shoulder: Point, arm: figure.Arm, lit: float) -> None:
    elbow, wrist = (float(arm.elbow_x), float(arm.elbow_y)), (float(arm.wrist_x), float(arm.wrist_y))
    upper, lower = _limb(shoulder, elbow, 26, 20), _limb(elbow, wrist, 20, 14)
    whole = skia.Op(upper, lower, skia.PathOp.kUnion_PathOp)
    # the sleeve grows out of the coat's shoulder: there it has neither a shade below it nor light on its edge
    halfway = ((shoulder[0] + elbow[0]) / 2, (shoulder[1] + elbow[1]) / 2)
    canvas.drawPath(_limb(halfway, elbow, 20, 20), soft(flat("#000000", 0.5), 6))
    light, dark = _across(shoulder, elbow, 26.0)
    canvas.save()
    for side in (-1, 1):
        canvas.clipPath(_facing(side)[0], skia.ClipOp.kDifference, True)
    canvas.drawPath(upper, along(light, dark, (COAT_LIT, 1, 0), (COAT, 1, 0.5), (COAT_DARK, 1, 1)))
    sheen = along(shoulder, elbow, (RIM, 0, 0.1), (RIM, 0.5 * lit, 0.55), (RIM, 0.75 * lit, 1))
    edge(canvas, whole, sheen, 1.3)
    canvas.restore()
    _quills(canvas, wrist, arm)
    canvas.save()
    canvas.clipPath(whole, skia.ClipOp.kIntersect, True)
    canvas.drawPath(lower, soft(flat("#000000", 0.6), 5))
    canvas.restore()
    light, dark = _across(elbow, wrist, 19.0)
    canvas.drawPath(lower, along(light, dark, (COAT_LIT, 1, 0), (COAT, 1, 0.5), (COAT_DARK, 1, 1)))
    edge(canvas, lower, along(light, dark, (RIM, 0.85 * lit, 0), (RIM, 0.12, 0.5), (WARM, 0.3, 1)), 1.5)
    # the cuff
    canvas.save()
    canvas.translate(*wrist)
    canvas.rotate(math.degrees(math.atan2(wrist[1] - elbow[1], wrist[0] - elbow[0])))
    cuff = skia.Rect.MakeLTRB(-3, -15, 10, 15)
    canvas.drawRoundRect(cuff, 3, 3, soft(flat("#000000", 0.5), 2))
    canvas.drawRoundRect(cuff, 3, 3, along((0, -15), (0, 15), ("#FFFFFF", 1, 0), (LINEN, 1, 0.4), (LINEN_SHADE, 1, 1)))
    canvas.drawCircle(3.5, 8, 2.4, around((2.8, 7.2), 3, (BRASS_LIT, 1, 0), (BRASS, 1, 0.5), (BRASS_DARK, 1, 1)))
    canvas.restore()


def _limb(start: Point, end: Point, wide: float, narrow: float) -> skia.Path:
    """A part of the sleeve: two round ends and the straight lines between them."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    long = math.hypot(dx, dy) or 1.0
    nx, ny = -dy / long, dx / long
    path = polygon(
        (
            (start[0] + nx * wide, start[1] + ny * wide),
            (end[0] + nx * narrow, end[1] + ny * narrow),
            (end[0] - nx * narrow, end[1] - ny * narrow),
            (start[0] - nx * wide, start[1] - ny * wide),
        )
    )
    for (x, y), half in ((start, wide), (end, narrow)):
        cap = skia.Path()
        cap.addCircle(x, y, half)
        path = skia.Op(path, cap, skia.PathOp.kUnion_PathOp)
    return path


def _across(start: Point, end: Point, half: float) -> tuple[Point, Point]:
    """From the upper (or left) side of a limb to its lower one."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    long = math.hypot(dx, dy) or 1.0
    nx, ny = -dy / long * half, dx / long * half
    if ny > 0 or (ny == 0 and nx > 0):
        nx, ny = -nx, -ny
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    return (x + nx, y + ny), (x - nx, y - ny)


def _quills(canvas: skia.Canvas, wrist: Point, arm: figure.Arm) -> None:
    """The feathers that are the host's fingers, the longest in the middle."""
    for place, long, wide in (
        (-2.0, 44.0, 17.0),
        (2.0, 40.0, 17.0),
        (-1.0, 61.0, 18.0),
        (1.0, 59.0, 18.0),
        (0.0, 68.0, 19.0),
    ):
        angle = arm.points + place * arm.spread / 2
        base = toward(wrist, angle, 2)
        tip = toward(wrist, angle, long)
        vane = feather(base, tip, wide, bend=place * 1.2, blunt=0.3)
        canvas.drawPath(vane, stroke("#000000", 2.5, 0.3))
        canvas.drawPath(vane, along(base, tip, (SHADE, 1, 0), (DEEP, 1, 0.35), (MID, 1, 0.7), (SHEEN, 1, 1)))
        edge(canvas, vane, along(base, tip, (RIM, 0.1, 0), (RIM, 0.85, 1)), 1.4)
        canvas.drawLine(*base, *toward(wrist, angle, long * 0.8), stroke(GLOSS, 0.9, 0.6))
