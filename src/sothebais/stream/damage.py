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


def around(a: Rect, b: Rect) -> Rect:
    """The smallest rectangle around both."""
    x, y = min(a.x, b.x), min(a.y, b.y)
    return Rect(x, y, max(a.right, b.right) - x, max(a.bottom, b.bottom) - y)


def merged(rects: Iterable[Rect], canvas: Rect) -> list[Rect]:
    """At most ``RECTS_MAX`` aligned rectangles inside the (even-sized) canvas that cover them all and do not overlap."""
    found: list[Rect] = []
    for rect in rects:
        inside = rect.cut(canvas)
        if inside.area:
            _put(found, aligned(inside))
    while len(found) > RECTS_MAX:
        _join_cheapest(found)
    return found


def _put(found: list[Rect], new: Rect) -> None:
    """Add one; whatever it meets, or lies close enough to, becomes one with it, again and again."""
    index = 0
    while index < len(found):
        other = found[index]
        both = around(other, new)
        if both.area <= WASTE_MAX * (other.area + new.area) or other.cut(new).area:
            new = both
            del found[index]
            index = 0
        else:
            index += 1
    found.append(new)


def _join_cheapest(found: list[Rect]) -> None:
    pairs = ((a, b) for a in range(len(found)) for b in range(a))
    a, b = min(
        pairs, key=lambda pair: around(found[pair[0]], found[pair[1]]).area - found[pair[0]].area - found[pair[1]].area
    )
    both = around(found[a], found[b])
    del found[a], found[b]
    _put(found, both)
