"""Results as a leaf of a printed catalogue."""

from typing import Final

import skia

from sothebais import media
from sothebais.stream import fonts, text, themes
from sothebais.stream.layers import Page
from sothebais.stream.painters.brush import Brush

INK: Final = themes.tint(media.LIGHT.text)
QUIET: Final = themes.tint(media.LIGHT.quiet)
BRASS: Final = themes.tint(media.LIGHT.brass)
RULE: Final = themes.tint(media.LIGHT.line)


def page(content: Page, brush: Brush) -> None:
    """Heading, a rule, a row for each lot, the sum below. What has no room is counted, not left out in silence."""
    canvas, w, h = brush.canvas, brush.w, brush.h
    edge = brush.px(36)
    leaf = skia.Rect.MakeLTRB(edge, edge, w - edge, h - edge)
    brush.shadow(leaf, 2, brush.px(34), brush.px(10), 0.5)
    canvas.drawRect(leaf, brush.solid(brush.theme.mat))
    tall = w < h
    inner = leaf.makeInset(brush.px(48 if tall else 64), brush.px(40))
    left, right, wide = inner.left(), inner.right(), inner.width()
    head = text.laid_out(content.heading, text.Style(brush.px(54), INK, fonts.SERIF, leading=1.12), wide * 0.66)
    head.draw(canvas, left, inner.top())
    sub = text.Style(brush.px(27), QUIET, fonts.SERIF, italic=True)
    day = text.laid_out(content.subheading, sub, wide * 0.34, align="right")
    day.draw(canvas, right - wide * 0.34, inner.top() + head.baseline - day.baseline)
    top = inner.top() + brush.px(88)
    canvas.drawRect(skia.Rect.MakeXYWH(left, top, wide, brush.hair(3)), skia.Paint(Color=INK, AntiAlias=False))
    top += brush.px(14)
    foot = text.Style(brush.px(30), INK, fonts.SERIF, italic=True)
    room = inner.bottom() - foot.size * foot.leading - brush.px(12) - top
    line = brush.px(112) if tall else min(brush.px(96), max(brush.px(64), room / max(1, len(content.rows))))
    shown = content.rows[: max(1, int(room / line + 0.01))]
    for index, row in enumerate(shown):
        _row(row, skia.Rect.MakeXYWH(left, top + index * line, wide, line), tall, brush)
    hidden = len(content.rows) - len(shown)
    words = content.footer + (f", {hidden} more not shown" if hidden else "")
    footer = text.laid_out(words, foot, wide, align="right")
    footer.draw(canvas, left, inner.bottom() - footer.height)


def _row(row: tuple[str, str, str, str, str], box: skia.Rect, tall: bool, brush: Brush) -> None:
    """Number, title, price and winner; the artist where there is room for a second line."""
    lot, name, artist, paid, winner = row
    canvas, right, wide, line = brush.canvas, box.right(), box.width(), box.height()
    title = text.Style(brush.px(36), INK, fonts.SERIF)
    small = text.Style(brush.px(26), QUIET)
    double = tall or line >= brush.px(84)
    middle = box.top() + line / 2 + text.cap_height(title) / 2
    upper = box.top() + line * 0.33 + text.cap_height(title) / 2 if double else middle
    lower = box.top() + line * 0.74 + text.cap_height(small) / 2
    number = text.Style(title.size, BRASS, fonts.SERIF)
    text.draw_cells(canvas, text.cells(lot, number), number, box.left(), upper)
    x = box.left() + brush.px(84)
    placed = text.laid_out(name, title, right - x if tall else wide * 0.46)
    placed.draw(canvas, x, upper - placed.baseline)
    if double and not tall:
        by = text.laid_out(artist, small, wide * 0.46)
        by.draw(canvas, x, lower - by.baseline)
    base = lower if tall else middle
    style = text.Style(brush.px(32), INK, weight=700) if winner else small
    figures = text.cells(paid, style)
    text.draw_cells(canvas, figures, style, right - figures.width, base)
    if winner:
        room = wide * (0.42 if tall else 0.22)
        who = text.laid_out(winner, small, room, align="left" if tall else "right")
        who.draw(canvas, x if tall else right - brush.px(270) - room, base - who.baseline)
    thin = brush.hair(1)
    canvas.drawRect(skia.Rect.MakeXYWH(box.left(), box.bottom() - thin, wide, thin), skia.Paint(Color=RULE))
