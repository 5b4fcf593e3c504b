"""Painted surfaces, kept by what they show, within a bound."""

from collections import OrderedDict
from typing import Final

import cv2
import numpy as np
import skia
from msgspec import Struct

from sothebais.stream import themes
from sothebais.stream.layers import Feed, Fill, Key, Wall
from sothebais.stream.painters import Brush, paint
from sothebais.stream.pictures import Pictures
from sothebais.stream.yuv import Pixels

#: So many bytes of surfaces are kept.
SURFACES_BYTES_MAX: Final = 192 * 1024 * 1024
#: Where surfaces are painted before they are copied to their own place: memory anew from the system for each would take
#: as long as painting many of them. Larger ones than a whole picture of the largest size are rare.
SCRATCH_BYTES_MAX: Final = 1_920 * 1_080 * 4
#: Of inputs only the newest surface is kept, in so many places.
FEEDS_MAX: Final = 8
_OPAQUE: Final = (Wall, Fill)


def opaque(key: Key) -> bool:
    """Whether nothing below a surface of this key is seen."""
    return isinstance(key.content, _OPAQUE) and key.turn == 0


def blank(w: int, h: int) -> skia.Surface:
    """An empty premultiplied BGRA surface."""
    return skia.Surface.MakeRaster(_info(w, h))


def _info(w: int, h: int, alpha: skia.AlphaType = skia.kPremul_AlphaType) -> skia.ImageInfo:
    return skia.ImageInfo.Make(w, h, skia.kBGRA_8888_ColorType, alpha)


class Surface(Struct, frozen=True):
    """Painted pixels without the empty margin around them; ``x`` and ``y`` say how much of it was cut away."""

    image: skia.Image | None
    x: int
    y: int
    w: int
    h: int


NOTHING: Final = Surface(None, 0, 0, 0, 0)


class Surfaces:
    """Paints each key once, and again only after it had to make room. The one unused for longest goes first."""

    def __init__(self, pictures: Pictures, bytes_max: int = SURFACES_BYTES_MAX) -> None:
        self.pictures = pictures
        self.bytes_max = bytes_max
        self.bytes_held = 0
        self.painted = 0
        self._held: OrderedDict[tuple[Key, int, int], Surface] = OrderedDict()
        self._scratch = np.empty(0, np.uint8)
        self._feeds: OrderedDict[tuple[str, bool, int, int], tuple[Key, Surface]] = OrderedDict()

    def get(self, key: Key, w: int, h: int) -> Surface:
        """The surface of a key, in the ``w`` × ``h`` pixels that its turned and grown content takes."""
        wanted = (key, w, h)
        found = self._held.get(wanted)
        if found is not None:
            self._held.move_to_end(wanted)
            return found
        if isinstance(key.content, Feed):
            return self._feed(key, key.content, w, h)
        found = self._paint(key, w, h)
        size = _size(found)
        if size <= self.bytes_max:
            self._held[wanted] = found
            self.bytes_held += size
            while self.bytes_held > self.bytes_max:
                _, gone = self._held.popitem(last=False)
                self.bytes_held -= _size(gone)
        return found

    def clear(self) -> None:
        """Forget all: a picture has come or changed."""
        self._held.clear()
        self._feeds.clear()
        self.bytes_held = 0

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, wanted: tuple[Key, int, int]) -> bool:
        return wanted in self._held

    def _feed(self, key: Key, feed: Feed, w: int, h: int) -> Surface:
        """An input's: a picture that is over never comes again, so it makes room at once."""
        where = (feed.ref, feed.cover, w, h)
        held = self._feeds.pop(where, None)
        if held is None or held[0] != key:
            held = (key, self._paint(key, w, h))
        self._feeds[where] = held
        if len(self._feeds) > FEEDS_MAX:
            self._feeds.popitem(last=False)
        return held[1]

    def _paint(self, key: Key, w: int, h: int) -> Surface:
        self.painted += 1
        pixels = self._empty(w, h)
        covers = opaque(key)
        # one that says it is opaque is copied, not blended
        info = _info(w, h, skia.kOpaque_AlphaType if covers else skia.kPremul_AlphaType)
        surface = skia.Surface.MakeRasterDirect(info, pixels, 4 * w)
        canvas = surface.getCanvas()
        place(canvas, key, w, h)
        paint(key.content, Brush(canvas, key.w, key.h, key.unit, themes.THEMES[key.theme], self.pictures))
        if covers:
            return Surface(surface.makeImageSnapshot(), 0, 0, w, h)
        # colours are multiplied by their opacity: a byte that is not zero is in a pixel that shows
        left, y, wide, high = cv2.boundingRect(pixels.reshape(h, 4 * w))
        if not wide or not high:
            return NOTHING
        x = left // 4
        wide = (left + wide + 3) // 4 - x
        return Surface(surface.makeImageSnapshot(skia.IRect.MakeXYWH(x, y, wide, high)), x, y, wide, high)

    def _empty(self, w: int, h: int) -> Pixels:
        size = 4 * w * h
        if size > SCRATCH_BYTES_MAX:
            return np.zeros((h, w, 4), np.uint8)
        if size > self._scratch.size:
            self._scratch = np.empty(size, np.uint8)
        pixels = self._scratch[:size].reshape(h, w, 4)
        pixels.fill(0)
        return pixels


def _size(surface: Surface) -> int:
    # what shows nothing is kept too, and counts for something
    return 4 * max(1, surface.w * surface.h)


def place(canvas: skia.Canvas, key: Key, w: int, h: int) -> None:
    """Turn and size what is drawn next about the middle of a surface."""
    if key.grow != 1000 or key.turn:
        canvas.translate(w / 2, h / 2)
        canvas.rotate(key.turn / 10)
        canvas.scale(key.grow / 1000, key.grow / 1000)
        canvas.translate(-key.w / 2, -key.h / 2)
