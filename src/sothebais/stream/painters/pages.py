"""Things that are read: parade cards, slates, posts; and the host's place."""

import skia

from sothebais import media
from sothebais.stream import text, themes
from sothebais.stream.layers import Card, PostCard, SlateText
from sothebais.stream.painters.brush import Brush
from sothebais.stream.painters.crest import crest


def card(content: Card, brush: Brush) -> None:
    """A lot of the parade: its piece hung small, number and title below."""
    edge = brush.px(16)
    label = brush.sans(themes.SMALL, "brass", 600)
    title = text.laid_out(content.title, brush.serif(themes.HEADING), brush.w - 2 * edge, lines=2)
    number = text.laid_out(f"Lot {content.number}", label, brush.w - 2 * edge)
    below = number.height + title.height + brush.px(40)
    room = skia.Rect.MakeLTRB(edge, edge, brush.w - edge, brush.h - max(below, brush.px(150)))
    image = brush.pictures.picture(content.ref)
    ratio = image.width() / image.height() if image is not None else 1.0
    wide = min(room.width(), room.height() * ratio)
    high = wide / ratio
    hung = skia.Rect.MakeXYWH(room.left(), room.bottom() - high, wide, high)
    brush.shadow(hung, 2, brush.px(18), brush.px(6), 0.55)
    brush.canvas.drawRect(hung, brush.solid(brush.theme.mat))
    mat = brush.px(7)
    brush.picture(content.ref, 0, hung.makeInset(mat, mat), cover=True)
    y = room.bottom() + brush.px(22)
    number.draw(brush.canvas, edge, y)
    title.draw(brush.canvas, edge, y + number.height + brush.px(2))


def slate(content: SlateText, brush: Brush) -> None:
    """The crest, one sentence, what it means, the time. Nothing else."""
    canvas, w, h = brush.canvas, brush.w, brush.h
    size = brush.px(210)
    sentence = text.balanced(content.sentence, brush.serif(themes.TITLE), w, 4, "center")
    meaning = text.balanced(content.meaning, brush.sans(themes.LEAD, "quiet"), w * 0.9, 4, "center")
    time = brush.sans(themes.HEADING, "brass", 600)
    gap = brush.px(44)
    total = size + gap + sentence.height + (brush.px(20) + meaning.height if content.meaning else 0) + gap + time.size
    y = (h - total) / 2
    canvas.save()
    canvas.translate(w / 2 - size / 2, y)
    crest(size, brush, "vermilion" if content.pause else "brass")
    canvas.restore()
    y += size + gap
    sentence.draw(canvas, 0, y)
    y += sentence.height
    if content.meaning:
        meaning.draw(canvas, w * 0.05, y + brush.px(20))
        y += brush.px(20) + meaning.height
    y += gap
    line = brush.px(120)
    canvas.drawRect(skia.Rect.MakeXYWH(w / 2 - line / 2, y - gap * 0.45, line, brush.hair(2)), brush.fill("line"))
    placed = text.cells(content.time, time)
    text.draw_cells(canvas, placed, time, (w - placed.width) / 2, y + text.cap_height(time) + brush.px(6))


def post(content: PostCard, brush: Brush) -> None:
    """A post as its platform asks: name, handle, picture, the whole text, time, the platform's name."""
    canvas, w, h = brush.canvas, brush.w, brush.h
    radius = brush.px(media.RADIUS_PX)
    edge = brush.px(20)
    plate = skia.Rect.MakeLTRB(edge, edge, w - edge, h - edge)
    brush.shadow(plate, radius, brush.px(28), brush.px(8), 0.45)
    canvas.drawRoundRect(plate, radius, radius, brush.fill("raised"))
    pad = brush.px(28)
    left, top, wide = plate.left() + pad, plate.top() + pad, plate.width() - 2 * pad
    side = brush.px(72)
    canvas.save()
    round_picture = skia.Path()
    round_picture.addCircle(left + side / 2, top + side / 2, side / 2)
    canvas.clipPath(round_picture, skia.ClipOp.kIntersect, True)
    canvas.drawRect(skia.Rect.MakeXYWH(left, top, side, side), brush.fill("line"))
    if content.picture is not None:
        brush.picture(content.picture, 0, skia.Rect.MakeXYWH(left, top, side, side), cover=True)
    else:
        initial = text.laid_out(content.name[:1].upper(), brush.serif(themes.HEADING, "brass"), side, align="center")
        initial.draw(canvas, left, top + (side - initial.height) / 2)
    canvas.restore()
    x = left + side + brush.px(18)
    name = text.laid_out(content.name, brush.sans(themes.LEAD, "text", 700), right_of(plate, pad, x))
    name.draw(canvas, x, top - brush.px(2))
    handle = text.laid_out(content.handle, brush.sans(themes.BODY - 1, "quiet", 500), right_of(plate, pad, x))
    handle.draw(canvas, x, top + name.height - brush.px(2))
    foot = text.laid_out(f"{content.time} · {content.platform}", brush.sans(themes.SMALL, "quiet", 500), wide)
    foot.draw(canvas, left, plate.bottom() - pad - foot.height)
    room = plate.bottom() - pad - foot.height - (top + side + brush.px(18)) - brush.px(8)
    for step in (themes.HEADING, themes.LEAD, themes.BODY, themes.SMALL, themes.LABEL):
        style = brush.sans(step)
        lines = max(1, int(room // (style.size * style.leading)))
        said = text.laid_out(content.text, style, wide, lines=lines)
        if said.text == " ".join(content.text.split()):
            break
    said.draw(canvas, left, top + side + brush.px(18))


def right_of(plate: skia.Rect, pad: float, x: float) -> float:
    """The room between ``x`` and the inner right edge of a plate."""
    return float(plate.right() - pad - x)
