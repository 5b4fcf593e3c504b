"""What belongs to a lot that runs: time, bids, the way in, the stamp at the end."""

from functools import lru_cache

import segno
import skia

from sothebais import media
from sothebais.stream import text, themes
from sothebais.stream.layers import Lamps, Qr, Ring, Stamp, TickerRow
from sothebais.stream.painters.brush import Brush
from sothebais.stream.painters.words import sign


def ring(content: Ring, brush: Brush) -> None:
    """What is left of the time as an arc from the top, and in figures."""
    side = min(brush.w, brush.h)
    thick = side * 0.052
    reach = side / 2 - thick * 1.6
    canvas = brush.canvas
    canvas.translate(brush.w / 2, brush.h / 2)
    canvas.drawCircle(0, 0, side / 2 - thick * 0.5, brush.fill("ground", 0.55))
    canvas.drawCircle(0, 0, reach, brush.line("line", thick * 0.6))
    if content.share:
        around = skia.Rect.MakeLTRB(-reach, -reach, reach, reach)
        canvas.drawArc(around, -90, 360 * content.share / 1000, False, brush.line(content.colour, thick))
    style = text.Style(side * 0.25, brush.colour("text"), weight=700)
    style = text.shrunk(content.figures, style, reach * 1.62)
    placed = text.cells(content.figures, style)
    up = side * 0.03 if content.word else 0.0
    text.draw_cells(canvas, placed, style, -placed.width / 2, text.cap_height(style) / 2 - up)
    if content.word:
        small = text.Style(side * 0.115, brush.colour("quiet"), weight=500)
        word = text.laid_out(content.word, small, side, align="center")
        word.draw(canvas, -side / 2, side * 0.12)


def lamps(content: Lamps, brush: Brush) -> None:
    """Three lamps in a row that go out one by one, the word, the figures."""
    canvas, w = brush.canvas, brush.w
    style = brush.sans(themes.SMALL, "vermilion" if content.lit else "quiet", 700)
    word = text.laid_out(content.word, style, w, align="center")
    size = min(brush.h * 0.34, w / 4)
    gap = size * 0.42
    left = (w - 3 * size - 2 * gap) / 2
    middle = size * 0.72
    for index in range(3):
        x = left + size / 2 + index * (size + gap)
        if index < content.lit:
            light = skia.Paint(AntiAlias=True)
            colours = [brush.colour("vermilion", alpha) for alpha in (0.55, 0.18, 0.0)]
            light.setShader(
                skia.GradientShader.MakeRadial(skia.Point(x, middle), size * 0.72, colours, [0.4, 0.7, 1.0])
            )
            canvas.drawCircle(x, middle, size * 0.72, light)
            canvas.drawCircle(x, middle, size * 0.36, brush.fill("vermilion"))
            canvas.drawCircle(x - size * 0.09, middle - size * 0.1, size * 0.1, brush.fill("text", 0.5))
        else:
            canvas.drawCircle(x, middle, size * 0.36, brush.fill("raised"))
            canvas.drawCircle(x, middle, size * 0.36, brush.line("line", brush.hair(2.5)))
    figures = text.Style(brush.h * 0.28, brush.colour("text"), weight=700)
    placed = text.cells(content.figures, figures)
    baseline = middle + size * 0.62 + text.cap_height(figures)
    text.draw_cells(canvas, placed, figures, (w - placed.width) / 2, baseline)
    word.draw(canvas, 0, min(brush.h - word.height, baseline + brush.px(8)))


def ticker_row(content: TickerRow, brush: Brush) -> None:
    """Amount, who, how, when. The leading bid is the brighter one."""
    canvas, w, h = brush.canvas, brush.w, brush.h
    lead = content.leading
    amount = brush.sans(themes.LEAD, "brass" if lead else "text", 700 if lead else 600)
    baseline = h / 2 + text.cap_height(amount) / 2
    column = w * 0.30
    small = brush.sans(themes.SMALL, "quiet", 500)
    unit_width = text.font(small).measureText(content.currency) + brush.px(10)
    fitted = text.shrunk(content.amount, amount, column - unit_width - brush.px(12))
    placed = text.cells(content.amount, fitted)
    text.draw_cells(canvas, placed, fitted, 0, baseline)
    paint = skia.Paint(Color=small.colour, AntiAlias=True)
    canvas.drawString(content.currency, placed.width + brush.px(10), baseline, text.font(small), paint)
    times = text.cells(content.note, small)
    text.draw_cells(canvas, times, small, w - times.width, baseline)
    x = column
    name = brush.sans(themes.LEAD, "text" if lead else "quiet", 600 if lead else 500)
    room = w - times.width - brush.px(24) - x - (brush.px(132) if content.proxy else 0)
    who = text.laid_out(content.handle, name, room)
    who.draw(canvas, x, baseline - who.baseline)
    if content.proxy:
        left = x + who.width + brush.px(18)
        side = small.size * 0.9
        canvas.save()
        canvas.translate(left, baseline - text.cap_height(small) / 2 - side / 2)
        sign("proxy", side, "quiet", brush)
        canvas.restore()
        canvas.drawString("proxy", left + side + brush.px(7), baseline, text.font(small), paint)
    canvas.drawRect(skia.Rect.MakeXYWH(0, h - brush.hair(1), w, brush.hair(1)), brush.fill("line", 0.9))


@lru_cache(maxsize=8)
def _modules(data: str) -> tuple[tuple[int, ...], ...]:
    code = segno.make(data, error="m", micro=False)
    return tuple(tuple(row) for row in code.matrix)


def qr(content: Qr, brush: Brush) -> None:
    """Whole pixels per module, dark on a light card with the quiet zone that cameras need."""
    rows = _modules(content.data)
    count = len(rows)
    side = min(brush.w, brush.h)
    module = max(1, side // (count + 4))
    inner = module * count
    radius = brush.px(media.RADIUS_PX)
    brush.canvas.drawRoundRect(skia.Rect.MakeWH(side, side), radius, radius, brush.solid(brush.theme.card))
    offset = (side - inner) // 2
    ink = skia.Paint(Color=themes.tint(brush.theme.ink), AntiAlias=False)
    for y, row in enumerate(rows):
        for x, dark in enumerate(row):
            if dark:
                brush.canvas.drawRect(skia.Rect.MakeXYWH(offset + x * module, offset + y * module, module, module), ink)


def stamp(content: Stamp, brush: Brush) -> None:
    """A brass plate: the word, the price, who won it."""
    canvas, w, h = brush.canvas, brush.w, brush.h
    edge = brush.px(20)
    plate = skia.Rect.MakeLTRB(edge, edge, w - edge, h - edge)
    radius = brush.px(media.RADIUS_PX)
    brush.shadow(plate, radius, brush.px(28), brush.px(8), 0.55)
    metal = skia.Paint(AntiAlias=True, Dither=True)
    brass = brush.theme.palette.brass
    metal.setShader(
        skia.GradientShader.MakeLinear(
            [skia.Point(edge, edge), skia.Point(w - edge, h - edge)],
            [themes.tint("#F0D49A"), themes.tint(brass), themes.tint("#B98F48"), themes.tint("#E3C07C")],
            [0.0, 0.4, 0.75, 1.0],
        )
    )
    canvas.drawRoundRect(plate, radius, radius, metal)
    dark = brush.theme.ink
    border = brush.solid(dark, 0.75)
    border.setStyle(skia.Paint.kStroke_Style)
    border.setStrokeWidth(brush.hair(2.5))
    inset = brush.px(11)
    canvas.drawRoundRect(plate.makeInset(inset, inset), radius * 0.5, radius * 0.5, border)
    wide = plate.width() - 2 * brush.px(30)
    left = plate.left() + brush.px(30)
    unit = plate.height()
    word = text.Style(unit * 0.17, themes.tint(dark), weight=800, spacing=unit * 0.17 * 0.34)
    top = text.laid_out(content.word.upper(), word, wide, align="center")
    top.draw(canvas, left, plate.top() + unit * 0.12)
    price = text.shrunk(content.price, text.Style(unit * 0.30, themes.tint(dark), weight=800), wide)
    placed = text.cells(content.price, price)
    text.draw_cells(canvas, placed, price, w / 2 - placed.width / 2, plate.top() + unit * 0.63)
    if content.winner:
        who = text.Style(unit * 0.16, themes.tint(dark), weight=600)
        text.laid_out(content.winner, who, wide, align="center").draw(canvas, left, plate.top() + unit * 0.71)
