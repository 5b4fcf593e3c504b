"""Words, figures, small signs."""

import skia

from sothebais.stream import text, themes
from sothebais.stream.layers import CaptionText, Figures, Lines, Mark, Roll, Text, Token
from sothebais.stream.painters.brush import Brush
from sothebais.stream.text import Cells, Style


def words(content: Text, brush: Brush) -> None:
    """A paragraph, placed in its box."""
    if content.serif:
        style = brush.serif(content.step, content.colour, content.weight, content.italic)
    else:
        style = brush.sans(content.step, content.colour, content.weight)
    placed = text.balanced(content.text, style, brush.w, content.lines, content.align)
    # letters that hang below the line stay inside the box
    free = brush.h - placed.height - (0.08 * style.size if content.settle == 2 else 0.0)
    placed.draw(brush.canvas, 0, max(0.0, free * content.settle / 2))


def figures(content: Figures, brush: Brush) -> None:
    """A number and its unit on one line, at the bottom of the box."""
    style, unit, baseline = _number(content.text, content.unit, content.step, content, brush)
    placed = text.cells(content.text, style)
    wide = placed.width + _unit_width(content.unit, unit)
    left = {"left": 0.0, "center": (brush.w - wide) / 2, "right": brush.w - wide}[content.align]
    text.draw_cells(brush.canvas, placed, style, left, baseline)
    _unit(content.unit, unit, left + placed.width, baseline, brush)


def roll(content: Roll, brush: Brush) -> None:
    """Figures on their way: those that differ move up and give way to the new ones from below."""
    longer = max((content.before, content.after), key=len)
    style, unit, baseline = _number(longer, content.unit, content.step, content, brush)
    before, after = text.cells(content.before, style), text.cells(content.after, style)
    done = content.progress / 1000
    rise = style.size * 1.1
    canvas = brush.canvas
    canvas.save()
    height = text.cap_height(style)
    canvas.clipRect(skia.Rect.MakeLTRB(0, baseline - height * 1.25, brush.w, baseline + height * 0.3))
    for old, new in _pairs(before, after):
        if old is not None and new is not None and old[0] == new[0] and abs(old[1] - new[1]) < 0.5:
            text.draw_moving(canvas, new, style, baseline, 1.0)
            continue
        if old is not None:
            text.draw_moving(canvas, old, style, baseline - rise * done, 1 - done)
        if new is not None:
            text.draw_moving(canvas, new, style, baseline + rise * (1 - done), done)
    canvas.restore()
    width = before.width + (after.width - before.width) * done
    _unit(content.unit, unit, width, baseline, brush)


def lines(content: Lines, brush: Brush) -> None:
    """A lot as a catalogue has it: a large number, the title in serif, who made it, what it is."""
    canvas = brush.canvas
    label = brush.sans(themes.SMALL, "quiet", 600, spacing=0.14)
    number = brush.serif(themes.DISPLAY, "text")
    word = text.laid_out("LOT", label, brush.w)
    cap = text.cap_height(number)
    top = brush.px(8)
    word.draw(canvas, 0, top)
    baseline = top + word.height + brush.px(14) + cap
    text.draw_cells(canvas, text.cells(str(content.number), number), number, -brush.px(3), baseline)
    y = baseline + brush.px(32)
    artist = brush.sans(themes.LEAD - 1, "text", 500)
    quiet = brush.sans(themes.BODY - 1, "quiet")
    below = artist.size * 1.25 + brush.px(6) + (quiet.size * 1.25 if content.traits else 0)
    title = _title(content.title, brush, brush.h - y - below - brush.px(16))
    title.draw(canvas, 0, y)
    y += title.height + brush.px(14)
    by = text.laid_out(content.artist, artist, brush.w)
    by.draw(canvas, 0, y)
    y += by.height + brush.px(4)
    if content.traits:
        text.laid_out("  ·  ".join(content.traits), quiet, brush.w).draw(canvas, 0, y)


def mark(content: Mark, brush: Brush) -> None:
    """A sign, words, and quieter words behind them."""
    style = brush.sans(content.step, content.colour, 600)
    side = style.size * 0.86
    gap = style.size * 0.42
    behind = brush.sans(max(0, content.step - 1), "quiet", 500)
    tail = text.laid_out(content.quiet, behind, brush.w) if content.quiet else None
    room = brush.w - side - gap - (tail.width + gap * 1.5 if tail else 0)
    placed = text.laid_out(content.text, style, max(room, style.size))
    left = brush.w - (side + gap + placed.width) if content.align == "right" else 0.0
    middle = brush.h / 2
    brush.canvas.save()
    brush.canvas.translate(left, middle - side / 2)
    sign(content.sign, side, content.colour, brush)
    brush.canvas.restore()
    placed.draw(brush.canvas, left + side + gap, middle - placed.height / 2)
    if tail is not None:
        x = left + side + gap + placed.width + gap * 1.5
        tail.draw(brush.canvas, x, middle - placed.height / 2 + placed.baseline - tail.baseline)


def sign(name: str, side: float, token: Token, brush: Brush) -> None:
    """One of the small drawn signs, in a square at the origin."""
    canvas, s = brush.canvas, side
    stroke = brush.line(token, max(1.5, s * 0.11))
    match name:
        case "leader":  # a paddle held up
            canvas.drawCircle(s * 0.5, s * 0.34, s * 0.32, brush.fill(token))
            canvas.drawLine(s * 0.5, s * 0.6, s * 0.5, s * 0.98, brush.line(token, s * 0.16))
        case "check":
            canvas.drawCircle(s / 2, s / 2, s * 0.48, brush.fill(token))
            path = skia.Path()
            path.moveTo(s * 0.29, s * 0.52)
            path.lineTo(s * 0.44, s * 0.67)
            path.lineTo(s * 0.72, s * 0.36)
            canvas.drawPath(path, brush.line("ground", max(1.5, s * 0.12)))
        case "open":
            canvas.drawCircle(s / 2, s / 2, s * 0.42, stroke)
        case "proxy":  # two arrows up: raised by the house within a maximum
            for y in (0.22, 0.56):
                path = skia.Path()
                path.moveTo(s * 0.2, s * (y + 0.26))
                path.lineTo(s * 0.5, s * y)
                path.lineTo(s * 0.8, s * (y + 0.26))
                canvas.drawPath(path, stroke)
        case "eye":
            path = skia.Path()
            path.moveTo(s * 0.02, s * 0.5)
            path.quadTo(s * 0.5, s * -0.02, s * 0.98, s * 0.5)
            path.quadTo(s * 0.5, s * 1.02, s * 0.02, s * 0.5)
            canvas.drawPath(path, stroke)
            canvas.drawCircle(s / 2, s / 2, s * 0.15, brush.fill(token))
        case "next":  # an arrow up
            path = skia.Path()
            path.moveTo(s * 0.22, s * 0.46)
            path.lineTo(s * 0.5, s * 0.16)
            path.lineTo(s * 0.78, s * 0.46)
            canvas.drawPath(path, stroke)
            canvas.drawLine(s * 0.5, s * 0.2, s * 0.5, s * 0.88, stroke)
        case _:
            canvas.drawLine(s * 0.15, s / 2, s * 0.85, s / 2, stroke)


def caption(content: CaptionText, brush: Brush) -> None:
    """What is said, in as many lines as fit (two at least), with who says it before."""
    name = text.laid_out(content.speaker.upper(), brush.sans(themes.LABEL, "brass", 700, spacing=0.12), brush.w)
    style = brush.serif(themes.LEAD, "text")
    lines = max(2, int((brush.h - name.height - brush.px(4)) / (style.size * style.leading)))
    said = text.balanced(content.text, style, brush.w, lines)
    name.draw(brush.canvas, 0, 0)
    said.draw(brush.canvas, 0, name.height + brush.px(4))


def _title(title: str, brush: Brush, room: float) -> text.Set:
    """As large as two lines allow, then smaller, then cut."""
    for step in (themes.TITLE, themes.HEADING):
        style = brush.serif(step)
        lines_max = max(1, min(2, int(room / (style.size * style.leading))))
        placed = text.balanced(title, style, brush.w, lines_max)
        if placed.text == title:
            break
    return placed


def _number(number: str, unit: str, step: int, content: Figures | Roll, brush: Brush) -> tuple[Style, Style, float]:
    """The style of a number that fits the box with its unit, the unit's style, and the baseline."""
    weight = content.weight if isinstance(content, Figures) else 700
    full = brush.sans(step, content.colour, weight)
    small = brush.sans(max(0, step - 2), content.colour, 600)
    style = text.shrunk(number, full, brush.w - _unit_width(unit, small))
    height = text.cap_height(full)
    return style, small, min(brush.h - full.size * 0.12, brush.h / 2 + height / 2)


def _unit_width(unit: str, style: Style) -> float:
    return text.font(style).measureText(unit) + style.size * 0.4 if unit else 0.0


def _unit(unit: str, style: Style, x: float, baseline: float, brush: Brush) -> None:
    if unit:
        paint = skia.Paint(Color=style.colour, AntiAlias=True)
        brush.canvas.drawString(unit, x + style.size * 0.4, baseline, text.font(style), paint)


type _Cell = tuple[str, float, float]


def _pairs(before: Cells, after: Cells) -> list[tuple[_Cell | None, _Cell | None]]:
    """Characters that stand in the same place, counted from the left."""
    old, new = list(before.characters), list(after.characters)
    return [
        (old[i] if i < len(old) else None, new[i] if i < len(new) else None) for i in range(max(len(old), len(new)))
    ]
