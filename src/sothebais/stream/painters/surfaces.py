"""The wall, plain surfaces, light, lines, pictures."""

import skia

from sothebais import media
from sothebais.stream import themes
from sothebais.stream.layers import Dot, Feed, Fill, Glow, Hairline, Picture, Wall
from sothebais.stream.painters.brush import Brush


def wall(content: Wall, brush: Brush) -> None:
    """A dark wall with one soft light on it. Dithered: a gradient this slow would show its steps."""
    canvas, w, h = brush.canvas, brush.w, brush.h
    canvas.drawColor(themes.tint(brush.theme.wall_far))
    strength = content.strength / 1000
    x, y, reach = w * content.x / 1000, h * content.y / 1000, max(w, h) * 0.62
    near = brush.theme.wall_near
    light = skia.Paint(AntiAlias=False, Dither=True)
    light.setShader(
        skia.GradientShader.MakeRadial(
            skia.Point(x, y),
            reach,
            [themes.tint(near, min(1.0, a * strength)) for a in (1.0, 0.72, 0.34, 0.1, 0.0)],
            [0.0, 0.28, 0.58, 0.82, 1.0],
        )
    )
    canvas.drawPaint(light)
    fall = skia.Paint(AntiAlias=False, Dither=True)
    ground = brush.theme.palette.ground
    fall.setShader(
        skia.GradientShader.MakeLinear(
            [skia.Point(0, h * 0.45), skia.Point(0, h)], [themes.tint(ground, 0.0), themes.tint(ground, 0.85)]
        )
    )
    canvas.drawPaint(fall)


def fill(content: Fill, brush: Brush) -> None:
    """One colour."""
    brush.canvas.drawColor(brush.colour(content.colour))


def glow(content: Glow, brush: Brush) -> None:
    """Light that fades to nothing at the edge of its box."""
    paint = skia.Paint(AntiAlias=True, Dither=True)
    colours = [brush.colour(content.colour, alpha) for alpha in (0.62, 0.3, 0.09, 0.0)]
    paint.setShader(skia.GradientShader.MakeRadial(skia.Point(0, 0), 1, colours, [0.0, 0.35, 0.7, 1.0]))
    brush.canvas.translate(brush.w / 2, brush.h / 2)
    brush.canvas.scale(brush.w / 2, brush.h / 2)
    brush.canvas.drawCircle(0, 0, 1, paint)


def hairline(content: Hairline, brush: Brush) -> None:
    """A line along the longer side that fades at both ends."""
    across = brush.w >= brush.h
    end = skia.Point(brush.w, 0) if across else skia.Point(0, brush.h)
    colours = [brush.colour(content.colour, alpha) for alpha in (0.0, 1.0, 1.0, 0.0)]
    paint = skia.Paint()
    paint.setShader(skia.GradientShader.MakeLinear([skia.Point(0, 0), end], colours, [0.0, 0.08, 0.92, 1.0]))
    thin = max(1, round(brush.px(1.5)))
    where = skia.Rect.MakeWH(brush.w, min(thin, brush.h)) if across else skia.Rect.MakeWH(min(thin, brush.w), brush.h)
    brush.canvas.drawRect(where, paint)


def dot(content: Dot, brush: Brush) -> None:
    """A round light."""
    brush.canvas.drawCircle(brush.w / 2, brush.h / 2, min(brush.w, brush.h) / 2, brush.fill(content.colour))


def feed(content: Feed, brush: Brush) -> None:
    """The newest picture of an input."""
    brush.picture(content.ref, 0, skia.Rect.MakeWH(brush.w, brush.h), cover=content.cover)


def picture(content: Picture, brush: Brush) -> None:
    """An asset as it is, or hung: shadow, frame, mat, piece."""
    whole = skia.Rect.MakeWH(brush.w, brush.h)
    if not content.framed:
        brush.picture(content.ref, content.frame, whole, cover=content.cover)
        return
    edge = round(brush.px(themes.SHADOW))
    hung = skia.Rect.MakeLTRB(edge, edge, brush.w - edge, brush.h - edge)
    blur = brush.px(media.SHADOW_BLUR_PX)
    brush.shadow(hung, 2, blur * 1.1, brush.px(media.SHADOW_OFFSET_PX * 1.5), media.SHADOW_OPACITY * 1.7)
    brush.canvas.drawRect(hung, brush.solid(brush.theme.frame))
    lit = skia.Paint(AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=brush.hair(1))
    lit.setColor(brush.colour("brass", 0.55))
    brush.canvas.drawRect(hung.makeInset(brush.hair(1) / 2, brush.hair(1) / 2), lit)
    frame = round(brush.px(themes.FRAME))
    mat = hung.makeInset(frame, frame)
    brush.canvas.drawRect(mat, brush.solid(brush.theme.mat))
    width = round(brush.px(themes.MAT))
    piece = mat.makeInset(width, width)
    brush.picture(content.ref, content.frame, piece, cover=True)
    # the mat's cut edge throws a line of shade on the piece
    shade = skia.Paint(AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=brush.hair(1.5))
    shade.setColor(skia.Color(0, 0, 0, 70))
    brush.canvas.drawRect(piece, shade)
