"""Sable, the host: the portrait to the waist, and the crest of head and gavel. Drawn from a few shapes."""

from functools import cache
from typing import Final

import skia

from sothebais.stream.layers import Token
from sothebais.stream.painters.brush import Brush

_FEATHER = "#07090C"
_SHEEN = "#232B3A"
_SHIRT = "#F4EFE6"
_BEAK = "#2B2F38"
_ARGUMENTS: Final = {"M": 2, "L": 2, "C": 6}


def portrait(brush: Brush) -> None:
    """Raven in black tie with a brass pin, in a square of 100 units that stands on the box's bottom edge."""
    canvas = brush.canvas
    side = min(brush.w, brush.h)
    canvas.translate((brush.w - side) / 2, brush.h - side)
    canvas.scale(side / 100, side / 100)
    halo = skia.Paint(AntiAlias=True, Dither=True)
    colours = [brush.colour("brass", alpha) for alpha in (0.20, 0.07, 0.0)]
    halo.setShader(skia.GradientShader.MakeRadial(skia.Point(50, 48), 50, colours, [0.0, 0.6, 1.0]))
    canvas.drawCircle(50, 48, 50, halo)

    body = _path("M4 100 C6 78 22 68 38 64 L62 64 C78 68 94 78 96 100 Z")
    canvas.drawPath(body, _shaded(_SHEEN, _FEATHER, (20, 62), (70, 104)))
    # shirt front, lapels, pin
    canvas.drawPath(_path("M40 64 L50 98 L60 64 C54 69 46 69 40 64 Z"), brush.solid(_SHIRT))
    for lapel in ("M40 63 L28 72 L35 77 L31 80 L48 100 L50 97 Z", "M60 63 L72 72 L65 77 L69 80 L52 100 L50 97 Z"):
        canvas.drawPath(_path(lapel), brush.solid("#10141B"))
    canvas.drawCircle(66.5, 84, 1.7, brush.fill("brass"))

    # neck and head, turned to the right
    canvas.drawPath(
        _path(
            "M37 66 C35 56 30 50 29 40 C28 24 38 13 51 13 C62 13 70 20 71 30 C72 40 66 48 62 54 C61 58 62 62 63 66 C54 72 44 71 37 66 Z"
        ),
        _shaded(_SHEEN, _FEATHER, (40, 12), (58, 66)),
    )
    # the bow tie, on the shirt and under the throat
    canvas.drawPath(_path("M42 69 C45 72 55 72 58 69 L60 74 L50 84 L40 74 Z"), brush.solid(_SHIRT))
    for wing in ("M50 75 C45 71 41 70.5 38.5 71 C37.8 74 37.8 77 38.5 80 C42 80 46 78.5 50 75 Z",
                 "M50 75 C55 71 59 70.5 61.5 71 C62.2 74 62.2 77 61.5 80 C58 80 54 78.5 50 75 Z"):  # fmt: skip
        canvas.drawPath(_path(wing), brush.solid("#0B0E14"))
        canvas.drawPath(_path(wing), _stroke("#3A4354", 0.5))
    canvas.drawRoundRect(skia.Rect.MakeXYWH(48, 72.6, 4, 5), 1.2, 1.2, brush.solid("#1C222D"))
    # crown feathers
    canvas.drawPath(
        _path("M34 24 C30 22 27 23 25 26 C29 26 31 28 32 31 Z M38 18 C35 14 31 14 28 16 C32 17 34 20 35 23 Z"),
        brush.solid(_FEATHER),
    )
    # beak: upper mandible with a hook, lower mandible
    canvas.drawPath(
        _path("M66 25 C78 24 88 30 95 40 C94 42 92 41 90 40 C82 38 74 38 68 39 Z"),
        _shaded("#4A505C", _BEAK, (68, 24), (80, 42)),
    )
    canvas.drawPath(_path("M68 39.6 C76 39 83 40 88 41.4 C82 44.6 74 45 67 43.6 Z"), brush.solid("#1B1F27"))
    canvas.drawPath(_path("M70 30 C76 29.6 80 31 83 33"), _stroke("#6A7280", 0.8))
    # eye with a lid and a brow
    canvas.drawCircle(58.5, 29, 4.6, brush.solid("#05070A"))
    canvas.drawCircle(58.5, 29, 3.5, brush.fill("brass"))
    canvas.drawCircle(59, 29.2, 1.9, brush.solid("#05070A"))
    canvas.drawCircle(59.9, 28.2, 0.7, brush.solid("#FFFFFF"))
    canvas.drawPath(_path("M53 26.6 C56 24.2 61 24 64.2 27"), _stroke(_FEATHER, 2.2))
    # light on the back of the head
    canvas.drawPath(_path("M33 44 C30 34 33 22 43 17"), _stroke("#56637C", 1.0, 0.75))
    canvas.drawPath(_path("M10 96 C13 82 24 74 36 69"), _stroke("#56637C", 0.8, 0.6))


def crest(size: float, brush: Brush, colour: Token = "brass") -> None:
    """The raven's head and a gavel, in one line within a ring; a square of ``size`` at the origin."""
    canvas = brush.canvas
    canvas.save()
    canvas.scale(size / 100, size / 100)
    line = brush.line(colour, 2.4)
    canvas.drawCircle(50, 50, 47, line)
    canvas.drawCircle(50, 50, 42.6, brush.line(colour, 0.7))
    # one line: crown, beak, throat, shoulder, and the gavel's handle, on which the head rests
    canvas.drawPath(
        _path(
            "M27 76 C22 60 24 42 35 32 C43 25 54 26 60 31.5 C68 32 77 36 83 43 C76 43 69 44.5 62 47.5 C59 53 55 57 54 62 C53 68 55 73 60 76"
        ),
        line,
    )
    canvas.drawCircle(53.5, 38, 2.3, brush.fill(colour))
    canvas.drawPath(_path("M61 40 C67 39.8 71.5 40.4 75.5 41.8"), brush.line(colour, 1.2))
    canvas.drawLine(22, 76, 66, 76, line)
    canvas.drawRoundRect(skia.Rect.MakeLTRB(66, 66.5, 75, 85.5), 2, 2, line)
    canvas.restore()


@cache
def _path(data: str) -> skia.Path:
    """A path from the usual letters, absolute only: M, L, C, Z."""
    path = skia.Path()
    words = data.split()
    verb, numbers = "", list[float]()
    for word in words:
        if word[0] in "MLCZ":
            verb, word = word[0], word[1:]
        if word:
            numbers.append(float(word))
        if verb == "Z":
            path.close()
        elif len(numbers) == _ARGUMENTS[verb]:
            draw = {"M": path.moveTo, "L": path.lineTo, "C": path.cubicTo}[verb]
            draw(*numbers)
            numbers.clear()
    return path


def _stroke(colour: str, width: float, alpha: float = 1.0) -> skia.Paint:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    paint = skia.Paint(Color=skia.Color(red, green, blue, round(alpha * 255)), AntiAlias=True)
    paint.setStyle(skia.Paint.kStroke_Style)
    paint.setStrokeWidth(width)
    paint.setStrokeCap(skia.Paint.kRound_Cap)
    return paint


def _shaded(light: str, dark: str, start: tuple[float, float], end: tuple[float, float]) -> skia.Paint:
    paint = skia.Paint(AntiAlias=True, Dither=True)
    colours = [skia.Color(*(int(colour[i : i + 2], 16) for i in (1, 3, 5))) for colour in (light, dark)]
    paint.setShader(skia.GradientShader.MakeLinear([skia.Point(*start), skia.Point(*end)], colours))
    return paint
