"""What stands around the host: the pool of light, the curtain with its lamp, the lectern with the crest."""

from typing import Final

import skia

from sothebais.stream import figure
from sothebais.stream.painters.brush import Brush
from sothebais.stream.painters.crest import crest
from sothebais.stream.painters.plumage import standing
from sothebais.stream.painters.shapes import along, around, edge, flat, outline, smooth, soft, stroke

_TOP: Final = 322


def backdrop(content: figure.HostBackdrop, brush: Brush) -> None:
    """Behind the host. Its edges fade, so that it is no box on the wall."""
    with standing(brush) as canvas:
        if content.kind == "curtain":
            _curtain(canvas)
        else:
            # wider than high, and gone before the box ends
            canvas.translate(205, 172)
            canvas.scale(1.18, 1)
            pool = around(
                (0, 0), 168, ("#939EB3", 0.62, 0), ("#6F7A8F", 0.44, 0.38), ("#4A5262", 0.16, 0.72), ("#3C4452", 0, 1)
            )
            canvas.drawCircle(0, 0, 168, pool)
            canvas.drawCircle(
                0, -30, 120, around((0, -30), 120, ("#D9B26A", 0.2, 0), ("#D9B26A", 0.07, 0.6), ("#D9B26A", 0, 1))
            )


def _curtain(canvas: skia.Canvas) -> None:
    whole = skia.Rect.MakeWH(figure.WIDE, figure.HIGH)
    canvas.saveLayer(whole)
    canvas.drawRect(whole, along((0, 0), (0, figure.HIGH), ("#5A1722", 1, 0), ("#3B0E18", 1, 0.6), ("#1D070D", 1, 1)))
    for fold in range(8):
        x = fold * 56.0 - 10 + (fold % 3) * 5
        canvas.drawRect(
            skia.Rect.MakeLTRB(x, 0, x + 56, figure.HIGH),
            along(
                (x, 0),
                (x + 56, 0),
                ("#160408", 0.75, 0),
                ("#160408", 0, 0.35),
                ("#C24A55", 0.34, 0.55),
                ("#160408", 0, 0.8),
                ("#160408", 0.7, 1),
            ),
        )
    # the lamp: a shade on a brass arm, and what it lights
    canvas.drawCircle(
        62, 84, 175, around((84, 92), 175, ("#FFD48A", 0.7, 0), ("#FFB45A", 0.26, 0.35), ("#FFB45A", 0, 1))
    )
    canvas.drawPath(outline("M84 104 L84 140 C84 152 74 154 66 160"), stroke("#5A4216", 6))
    canvas.drawPath(outline("M84 104 L84 140 C84 152 74 154 66 160"), stroke("#D9B26A", 3.4))
    shade = outline("M66 64 L102 64 L118 106 C98 113 70 113 50 106 Z")
    canvas.drawPath(shade, along((84, 62), (84, 110), ("#F3C77F", 1, 0), ("#FFE9BE", 1, 0.7), ("#FFF6E0", 1, 1)))
    edge(
        canvas,
        shade,
        along((50, 60), (118, 60), ("#8A5A1E", 0.8, 0), ("#8A5A1E", 0, 0.3), ("#8A5A1E", 0, 0.7), ("#8A5A1E", 0.8, 1)),
        5,
        3,
    )
    fade = skia.Paint()
    fade.setBlendMode(skia.BlendMode.kDstIn)
    canvas.saveLayer(whole, fade)
    seen = skia.Rect.MakeLTRB(34, 34, figure.WIDE - 34, figure.HIGH + 90)
    canvas.drawRoundRect(seen, 40, 40, soft(flat("#000000"), 17))
    canvas.restore()
    canvas.restore()


def lectern(_content: figure.HostLectern, brush: Brush) -> None:
    """Dark wood, a brass edge, the crest in a medallion."""
    with standing(brush) as canvas:
        front = outline(f"M36 {_TOP + 10} L368 {_TOP + 10} L363 372 L41 372 Z")
        canvas.drawPath(
            front,
            along((76, 0), (338, 0), ("#4A2E1C", 1, 0), ("#3A2416", 1, 0.3), ("#2A190F", 1, 0.7), ("#170D08", 1, 1)),
        )
        canvas.drawRect(
            skia.Rect.MakeLTRB(36, _TOP + 10, 368, _TOP + 26),
            along((0, _TOP + 10), (0, _TOP + 26), ("#000000", 0.6, 0), ("#000000", 0, 1)),
        )
        top = smooth(
            (
                (22, _TOP + 6),
                (30, _TOP),
                (200, _TOP - 3),
                (374, _TOP),
                (382, _TOP + 6),
                (374, _TOP + 12),
                (200, _TOP + 13),
                (30, _TOP + 12),
            ),
            tension=0.6,
        )
        canvas.drawPath(top, soft(flat("#000000", 0.6), 5))
        canvas.drawPath(
            top, along((0, _TOP - 3), (0, _TOP + 12), ("#9A6A42", 1, 0), ("#5A3A22", 1, 0.4), ("#24150C", 1, 1))
        )
        edge(
            canvas,
            top,
            along((58, _TOP), (356, _TOP), ("#FFE0B0", 0.8, 0), ("#FFE0B0", 0.9, 0.5), ("#FFE0B0", 0.2, 1)),
            1.1,
            0.3,
        )
        canvas.save()
        canvas.translate(183, _TOP + 14)
        crest(36, brush)
        canvas.restore()
