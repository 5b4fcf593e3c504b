"""How the host is drawn: paths, light and feathers, from which its painters build."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Final

import skia

from sothebais.stream.themes import tint

_ARGUMENTS: Final = {"M": 2, "L": 2, "Q": 4, "C": 6}

type Point = tuple[float, float]
#: Colour, opacity, place along the gradient.
type Stop = tuple[str, float, float]


@cache
def outline(data: str) -> skia.Path:
    """A path from the usual letters, absolute only: M, L, Q, C, Z. Kept: do not change it."""
    path = skia.Path()
    verb, numbers = "", list[float]()
    for word in data.split():
        if word[0] in "MLQCZ":
            verb, word = word[0], word[1:]
        if word:
            numbers.append(float(word))
        if verb == "Z":
            path.close()
        elif len(numbers) == _ARGUMENTS[verb]:
            draw = {"M": path.moveTo, "L": path.lineTo, "Q": path.quadTo, "C": path.cubicTo}[verb]
            draw(*numbers)
            numbers.clear()
    return path


def smooth(points: Sequence[Point], *, closed: bool = True, tension: float = 1.0) -> skia.Path:
    """A curve through all points."""
    path, count = skia.Path(), len(points)
    path.moveTo(*points[0])
    for index in range(count if closed else count - 1):
        if closed:
            before, here, there, after = (points[(index + step) % count] for step in (-1, 0, 1, 2))
        else:
            before, after = points[max(0, index - 1)], points[min(count - 1, index + 2)]
            here, there = points[index], points[index + 1]
        by = tension / 6
        path.cubicTo(
            here[0] + (there[0] - before[0]) * by,
            here[1] + (there[1] - before[1]) * by,
            there[0] - (after[0] - here[0]) * by,
            there[1] - (after[1] - here[1]) * by,
            *there,
        )
    if closed:
        path.close()
    return path


def polygon(points: Sequence[Point]) -> skia.Path:
    """Straight lines through all points, closed."""
    path = skia.Path()
    path.moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)
    path.close()
    return path


def along(start: Point, end: Point, *stops: Stop) -> skia.Paint:
    """A fill that changes colour from one point to another."""
    paint = skia.Paint(AntiAlias=True, Dither=True)
    colours = [tint(colour, alpha) for colour, alpha, _ in stops]
    points = [skia.Point(*start), skia.Point(*end)]
    paint.setShader(skia.GradientShader.MakeLinear(points, colours, [place for *_, place in stops]))
    return paint


def around(middle: Point, reach: float, *stops: Stop) -> skia.Paint:
    """A fill that changes colour from a point outwards."""
    paint = skia.Paint(AntiAlias=True, Dither=True)
    colours = [tint(colour, alpha) for colour, alpha, _ in stops]
    shader = skia.GradientShader.MakeRadial(skia.Point(*middle), reach, colours, [place for *_, place in stops])
    paint.setShader(shader)
    return paint


def soft(paint: skia.Paint, blur: float) -> skia.Paint:
    """The same paint with a blurred edge."""
    paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
    return paint


def flat(colour: str, alpha: float = 1.0) -> skia.Paint:
    """One colour."""
    return skia.Paint(Color=tint(colour, alpha), AntiAlias=True)


def stroke(colour: str, width: float, alpha: float = 1.0) -> skia.Paint:
    """A line with round ends."""
    return lined(flat(colour, alpha), width)


def lined(paint: skia.Paint, width: float) -> skia.Paint:
    """The paint as one for lines with round ends."""
    paint.setStyle(skia.Paint.kStroke_Style)
    paint.setStrokeWidth(width)
    paint.setStrokeCap(skia.Paint.kRound_Cap)
    paint.setStrokeJoin(skia.Paint.kRound_Join)
    return paint


def edge(canvas: skia.Canvas, shape: skia.Path, paint: skia.Paint, width: float, blur: float = 0.0) -> None:
    """Light along the inner edge of a shape; where, the paint's gradient says."""
    canvas.save()
    canvas.clipPath(shape, skia.ClipOp.kIntersect, True)
    lined(paint, width * 2)
    canvas.drawPath(shape, soft(paint, blur) if blur else paint)
    canvas.restore()


def rim(canvas: skia.Canvas, shape: skia.Path, paint: skia.Paint, width: float) -> None:
    """The same with a soft inner side: two lines cost a tenth of a blur."""
    canvas.save()
    canvas.clipPath(shape, skia.ClipOp.kIntersect, True)
    lined(paint, width * 1.2)
    canvas.drawPath(shape, paint)
    lined(paint, width * 2.6)
    paint.setAlphaf(0.45)
    canvas.drawPath(shape, paint)
    canvas.restore()


def feather(base: Point, tip: Point, width: float, bend: float = 0.0, blunt: float = 0.25) -> skia.Path:
    """A vane from ``base`` to ``tip``: widest past its middle, ``blunt`` at its end, bent to the left of its way."""
    dx, dy = tip[0] - base[0], tip[1] - base[1]
    long = math.hypot(dx, dy) or 1.0
    ux, uy = dx / long, dy / long

    def at(share: float, side: float) -> Point:
        off = side + bend * math.sin(share * math.pi)
        return base[0] + dx * share + uy * off, base[1] + dy * share - ux * off

    half = width / 2
    path = skia.Path()
    path.moveTo(*at(0, half * 0.45))
    path.cubicTo(*at(0.3, half * 0.8), *at(0.55, half * 1.15), *at(0.78, half))
    path.cubicTo(*at(0.92, half * (0.7 + blunt)), *at(1.0, half * blunt), *at(1.0, 0))
    path.cubicTo(*at(1.0, -half * blunt), *at(0.92, -half * (0.7 + blunt)), *at(0.78, -half))
    path.cubicTo(*at(0.55, -half * 1.15), *at(0.3, -half * 0.8), *at(0, -half * 0.45))
    path.close()
    return path


def toward(start: Point, degrees: float, far: float) -> Point:
    """The point so far away in a direction; 0 is to the right, 90 down."""
    angle = math.radians(degrees)
    return start[0] + far * math.cos(angle), start[1] + far * math.sin(angle)
