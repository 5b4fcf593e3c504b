"""Which parts of the picture must be drawn again. Pure.

Rectangles are aligned to two pixels, because a chroma sample of the 4:2:0 picture covers two by two.
"""

from collections.abc import Iterable
from typing import Final

from sothebais.stream.layers import Rect

#: More separate rectangles than this cost more to handle than the pixels between them.
RECTS_MAX: Final = 16
#: Two rectangles become one when that draws at most so much more than both.
WASTE_MAX: Final = 1.25


def aligned(rect: Rect) -> Rect:
    """The smallest rectangle around it whose edges are even."""
    x, y = rect.x & ~1, rect.y & ~1
    return Rect(x, y, (rect.right + 1 & ~1) - x, (rect.bottom + 1 & ~1) - y)


def merged(rects: Iterable[Rect], canvas: Rect) -> list[Rect]:
    """At most ``RECTS_MAX`` aligned rectangles inside the (even-sized) canvas that cover them all and do not overlap."""
    right, bottom = canvas.right, canvas.bottom
    found: list[_Box] = []
    for rect in rects:
        # plain numbers: this runs for every frame in which something moves
        x0, y0 = max(rect.x, canvas.x), max(rect.y, canvas.y)
        x1, y1 = min(rect.x + rect.w, right), min(rect.y + rect.h, bottom)
        if x0 < x1 and y0 < y1:
            _put(found, (x0 & ~1, y0 & ~1, x1 + 1 & ~1, y1 + 1 & ~1))
    while len(found) > RECTS_MAX:
        _join_cheapest(found)
    return [Rect(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in found]


#: Left, top, right, bottom.
type _Box = tuple[int, int, int, int]


def _area(box: _Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _around(a: _Box, b: _Box) -> _Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _put(found: list[_Box], new: _Box) -> None:
    """Add one; whatever it meets, or lies close enough to, becomes one with it, again and again."""
    x0, y0, x1, y1 = new
    index = 0
    while index < len(found):
        ox0, oy0, ox1, oy1 = found[index]
        if ox0 <= x0 and oy0 <= y0 and ox1 >= x1 and oy1 >= y1:
            return
        ax0, ay0 = min(x0, ox0), min(y0, oy0)
        ax1, ay1 = max(x1, ox1), max(y1, oy1)
        if (ox0 < x1 and x0 < ox1 and oy0 < y1 and y0 < oy1) or (ax1 - ax0) * (ay1 - ay0) <= WASTE_MAX * (
            (ox1 - ox0) * (oy1 - oy0) + (x1 - x0) * (y1 - y0)
        ):
            x0, y0, x1, y1 = ax0, ay0, ax1, ay1
            del found[index]
            index = 0
        else:
            index += 1
    found.append((x0, y0, x1, y1))


def _join_cheapest(found: list[_Box]) -> None:
    pairs = [(a, b) for a in range(len(found)) for b in range(a)]
    a, b = min(
        pairs,
        key=lambda pair: _area(_around(found[pair[0]], found[pair[1]])) - _area(found[pair[0]]) - _area(found[pair[1]]),
    )
    both = _around(found[a], found[b])
    del found[a], found[b]
    _put(found, both)
