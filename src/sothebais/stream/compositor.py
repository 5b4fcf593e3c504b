"""Draws pictures out of layers, and of each only what differs from the one before.

The picture is kept as premultiplied BGRA. A layer that came, went or changed makes its old and its new place dirty;
the dirty rectangles are drawn again from the bottom up. ``Compositor`` belongs to one thread.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

import numpy as np
import skia

from sothebais.instants import Millis
from sothebais.stream.damage import merged
from sothebais.stream.layers import Group, Layer, Rect
from sothebais.stream.pictures import Pictures
from sothebais.stream.show import ShowState
from sothebais.stream.stage import Following, Programme
from sothebais.stream.surfaces import SURFACES_BYTES_MAX, Surfaces, blank, opaque, place
from sothebais.stream.yuv import I420Frame, Pixels

_OVER: Final = skia.Paint()
_AS_IT_IS: Final = skia.SamplingOptions()
_SMOOTH: Final = skia.SamplingOptions(skia.FilterMode.kLinear)


class _Placed:
    """A layer with the pixels it touches and how they are drawn, computed once.

    ``clip`` is null where the surface's ink lies inside of the layer's clip anyway.
    """

    __slots__ = ("bottom", "clip", "layer", "left", "opaque", "order", "paint", "right", "seen", "top")

    def __init__(self, layer: Layer, surfaces: Surfaces) -> None:
        self.layer = layer
        self.order = (layer.z, layer.id)
        self.paint = _OVER if layer.opacity == 255 else skia.Paint(Alpha=layer.opacity)
        rect, clip = layer.rect, layer.clip
        # plain numbers: this runs for all that moves, in every frame
        left, top, right, bottom = rect.x, rect.y, rect.x + rect.w, rect.y + rect.h
        inside = clip is None or (
            clip.x <= left and clip.y <= top and clip.x + clip.w >= right and clip.y + clip.h >= bottom
        )
        shows = inside or layer.seen.area > 0
        if shows and not isinstance(layer.key.content, Group):
            ink = surfaces.get(layer.key, rect.w, rect.h)
            left, top = left + ink.x, top + ink.y
            right, bottom = left + ink.w, top + ink.h
        self.clip = None
        if clip is not None and not inside:
            ink_is_inside = clip.x <= left and clip.y <= top and clip.x + clip.w >= right and clip.y + clip.h >= bottom
            if not ink_is_inside or not shows:
                self.clip = _rect(clip)
            left, top = max(left, clip.x), max(top, clip.y)
            right, bottom = min(right, clip.x + clip.w), min(bottom, clip.y + clip.h)
        if right <= left or bottom <= top:
            right, bottom = left, top
        self.left, self.top, self.right, self.bottom = left, top, right, bottom
        self.seen = Rect(left, top, right - left, bottom - top)
        self.opaque = layer.opacity == 255 and opaque(layer.key)


_ORDER: Final = attrgetter("order")


class Compositor:
    """A picture that follows layers. ``pixels`` is ``(height, width, 4)`` BGRA, opaque; do not write into it."""

    def __init__(
        self, width: int, height: int, pictures: Pictures, surfaces_bytes_max: int = SURFACES_BYTES_MAX
    ) -> None:
        self.canvas = Rect(0, 0, width, height)
        self.pixels: Pixels = np.zeros((height, width, 4), np.uint8)
        self.pixels[..., 3] = 255
        info = skia.ImageInfo.Make(width, height, skia.kBGRA_8888_ColorType, skia.kPremul_AlphaType)
        self._surface = skia.Surface.MakeRasterDirect(info, self.pixels, width * 4)
        self._skia = self._surface.getCanvas()
        self.surfaces = Surfaces(pictures, surfaces_bytes_max)
        self._before: Sequence[Layer] = ()
        self._by_id: dict[str, _Placed] = {}
        self._order: list[_Placed] = []
        self._groups: dict[str, tuple[Layer, skia.Image]] = {}
        self._stale = True

    def compose(self, layers: Sequence[Layer]) -> list[Rect]:
        """Bring the picture to these layers; the rectangles that were drawn again."""
        if layers is self._before and not self._stale:
            return []
        before, now = self._by_id, dict[str, _Placed]()
        dirty: list[Rect] = []
        moved = False
        for layer in layers:
            old = before.get(layer.id)
            if old is not None and (old.layer is layer or old.layer == layer):
                now[layer.id] = old
                continue
            now[layer.id] = new = _Placed(layer, self.surfaces)
            dirty.append(new.seen)
            if old is not None:
                dirty.append(old.seen)
            moved = moved or old is None or old.order != new.order
        if len(now) != len(layers):
            raise ValueError("a picture has each layer's id once")
        gone = [old.seen for name, old in before.items() if name not in now]
        self._before, self._by_id = layers, now
        if self._groups:
            self._groups = {name: held for name, held in self._groups.items() if name in now}
        rects = [self.canvas] if self._stale else merged((*dirty, *gone), self.canvas)
        self._stale = False
        if moved or gone:
            self._order = sorted(now.values(), key=_ORDER)
        elif dirty:
            self._order = [now[placed.layer.id] for placed in self._order]
        for rect in rects:
            self._draw(rect)
        return rects

    def refresh(self) -> None:
        """Paint everything anew next time: a picture that scenes show has come or changed."""
        self.surfaces.clear()
        self._groups.clear()
        self._stale = True

    def _draw(self, rect: Rect) -> None:
        left, top, right, bottom = rect.x, rect.y, rect.right, rect.bottom
        touched = [
            placed
            for placed in self._order
            if placed.left < right and placed.right > left and placed.top < bottom and placed.bottom > top
        ]
        hidden = False
        for index in range(len(touched) - 1, -1, -1):
            placed = touched[index]
            # what lies under an opaque surface that covers the whole rectangle is not drawn
            if (
                placed.opaque
                and placed.left <= left
                and placed.top <= top
                and placed.right >= right
                and placed.bottom >= bottom
            ):
                del touched[:index]
                hidden = True
                break
        canvas = self._skia
        canvas.save()
        canvas.clipRect(_rect(rect), skia.ClipOp.kIntersect, False)
        if not hidden:
            canvas.drawColor(skia.ColorBLACK)
        for placed in touched:
            self._blit(canvas, placed)
        canvas.restore()

    def _blit(self, canvas: skia.Canvas, placed: _Placed) -> None:
        layer = placed.layer
        rect = layer.rect
        if isinstance(layer.key.content, Group):
            image, x, y = self._group(layer), rect.x, rect.y
        else:
            ink = self.surfaces.get(layer.key, rect.w, rect.h)
            image, x, y = ink.image, rect.x + ink.x, rect.y + ink.y
        if image is None:
            return
        if placed.clip is None:
            canvas.drawImage(image, x, y, _AS_IT_IS, placed.paint)
            return
        canvas.save()
        canvas.clipRect(placed.clip, skia.ClipOp.kIntersect, False)
        canvas.drawImage(image, x, y, _AS_IT_IS, placed.paint)
        canvas.restore()

    def _group(self, layer: Layer) -> skia.Image:
        """Layers as one surface. Not kept by content: in a transition every frame's would be another."""
        held = self._groups.get(layer.id)
        if held is not None and held[0].key == layer.key:
            return held[1]
        content, rect, key = layer.key.content, layer.rect, layer.key
        assert isinstance(content, Group)
        surface = blank(key.w, key.h)
        inner = surface.getCanvas()
        for placed in sorted((_Placed(one, self.surfaces) for one in content.layers), key=_ORDER):
            self._blit(inner, placed)
        image = surface.makeImageSnapshot()
        if key.grow != 1000 or key.turn:
            scaled = blank(rect.w, rect.h)
            place(scaled.getCanvas(), key, rect.w, rect.h)
            scaled.getCanvas().drawImage(image, 0, 0, _SMOOTH, _OVER)
            image = scaled.makeImageSnapshot()
        self._groups[layer.id] = (layer, image)
        return image


class Composer:
    """A programme on a compositor, and the encoder's frame: state and instant in, converted picture out.

    Instants should rise; going back is right but slow.
    """

    def __init__(self, programme: Programme, pictures: Pictures, surfaces_bytes_max: int = SURFACES_BYTES_MAX) -> None:
        width, height = programme.canvas.w, programme.canvas.h
        self.programme = programme
        self._following = Following(programme)
        self.compositor = Compositor(width, height, pictures, surfaces_bytes_max)
        self.frame = I420Frame(width, height)

    def compose(self, state: ShowState, t: Millis) -> list[Rect]:
        """The picture of a state at an instant, in ``compositor.pixels``; what of it was drawn again."""
        return self.compositor.compose(self._following.shown(state, t).layers)

    def render(self, state: ShowState, t: Millis) -> list[Rect]:
        """The same, and ``frame`` brought up to date."""
        rects = self.compose(state, t)
        if rects:
            self.frame.convert(self.compositor.pixels, rects)
        return rects


def _rect(rect: Rect) -> skia.Rect:
    return skia.Rect.MakeXYWH(rect.x, rect.y, rect.w, rect.h)


def full(layers: Sequence[Layer], width: int, height: int, pictures: Pictures) -> Pixels:
    """The picture of layers drawn at once from nothing, as proof and for single frames."""
    compositor = Compositor(width, height, pictures)
    compositor.compose(layers)
    return compositor.pixels
