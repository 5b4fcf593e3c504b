"""Draws pictures out of layers, and of each only what differs from the one before.

The picture is kept as premultiplied BGRA. A layer that came, went or changed makes its old and its new place dirty;
the dirty rectangles are drawn again from the bottom up. ``Compositor`` belongs to one thread.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import skia

from sothebais.instants import Millis
from sothebais.stream.damage import merged
from sothebais.stream.layers import Group, Key, Layer, Rect
from sothebais.stream.pictures import Pictures
from sothebais.stream.show import ShowState
from sothebais.stream.stage import Programme, Shown, Stage
from sothebais.stream.surfaces import SURFACES_BYTES_MAX, Surfaces, blank, opaque, place
from sothebais.stream.yuv import I420Frame, Pixels

_OVER: Final = skia.Paint()
_SMOOTH: Final = skia.SamplingOptions(skia.FilterMode.kLinear)


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
        self._by_id: dict[str, Layer] = {}
        self._groups: dict[str, tuple[Layer, skia.Image]] = {}
        self._stale = True

    def compose(self, layers: Sequence[Layer]) -> list[Rect]:
        """Bring the picture to these layers; the rectangles that were drawn again."""
        if layers is self._before and not self._stale:
            return []
        now = {layer.id: layer for layer in layers}
        if len(now) != len(layers):
            raise ValueError("a picture has each layer's id once")
        before = self._by_id
        dirty: list[Rect] = []
        for name, layer in now.items():
            old = before.get(name)
            if old is layer or old == layer:
                continue
            if old is not None:
                dirty.append(old.seen)
            dirty.append(layer.seen)
        dirty += [old.seen for name, old in before.items() if name not in now]
        self._before, self._by_id = layers, now
        if self._groups:
            self._groups = {name: held for name, held in self._groups.items() if name in now}
        rects = [self.canvas] if self._stale else merged(dirty, self.canvas)
        self._stale = False
        if rects:
            order = sorted(layers, key=lambda layer: (layer.z, layer.id))
            for rect in rects:
                self._draw(rect, order)
        return rects

    def refresh(self) -> None:
        """Paint everything anew next time: a picture that scenes show has come or changed."""
        self.surfaces.clear()
        self._groups.clear()
        self._stale = True

    def _draw(self, rect: Rect, order: Sequence[Layer]) -> None:
        touched = [layer for layer in order if layer.seen.cut(rect).area]
        for index in range(len(touched) - 1, 0, -1):
            layer = touched[index]
            # what lies under an opaque surface that covers the whole rectangle is not drawn
            if layer.opacity == 255 and opaque(layer.key) and layer.seen.cut(rect) == rect:
                del touched[:index]
                break
        canvas = self._skia
        canvas.save()
        canvas.clipRect(_rect(rect), skia.ClipOp.kIntersect, False)
        if not (touched and touched[0].opacity == 255 and opaque(touched[0].key) and touched[0].seen.cut(rect) == rect):
            canvas.drawColor(skia.ColorBLACK)
        for layer in touched:
            self._blit(canvas, layer)
        canvas.restore()

    def _blit(self, canvas: skia.Canvas, layer: Layer) -> None:
        rect = layer.rect
        image = self._group(layer) if isinstance(layer.key.content, Group) else self.surfaces.get(layer.key, rect.w, rect.h)
        paint = _OVER if layer.opacity == 255 else skia.Paint(Alpha=layer.opacity)
        if layer.clip is None:
            canvas.drawImage(image, rect.x, rect.y, skia.SamplingOptions(), paint)
            return
        canvas.save()
        canvas.clipRect(_rect(layer.clip), skia.ClipOp.kIntersect, False)
        canvas.drawImage(image, rect.x, rect.y, skia.SamplingOptions(), paint)
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
        for one in sorted(content.layers, key=lambda one: (one.z, one.id)):
            self._blit(inner, one)
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

    Asks the scene again only when the state is another or the time has come at which it may look different.
    """

    def __init__(self, programme: Programme | Stage, pictures: Pictures, surfaces_bytes_max: int = SURFACES_BYTES_MAX) -> None:
        width, height = programme.canvas.w, programme.canvas.h
        self.programme = programme
        self.compositor = Compositor(width, height, pictures, surfaces_bytes_max)
        self.frame = I420Frame(width, height)
        self._state: ShowState | None = None
        self._t: Millis = 0
        self._shown = Shown((), 0)

    def compose(self, state: ShowState, t: Millis) -> list[Rect]:
        """The picture of a state at an instant, in ``compositor.pixels``; what of it was drawn again."""
        if state is not self._state or not self._t <= t < self._shown.until:
            self._shown = self.programme.shown(state, t)
            self._state, self._t = state, t
        return self.compositor.compose(self._shown.layers)

    def render(self, state: ShowState, t: Millis) -> list[Rect]:
        """The same, and ``frame`` brought up to date."""
        rects = self.compose(state, t)
        if rects:
            self.frame.convert(self.compositor.pixels, rects)
        return rects


def _rect(rect: Rect) -> skia.IRect:
    return skia.Rect.MakeXYWH(rect.x, rect.y, rect.w, rect.h)


def full(layers: Sequence[Layer], width: int, height: int, pictures: Pictures) -> Pixels:
    """The picture of layers drawn at once from nothing, as proof and for single frames."""
    compositor = Compositor(width, height, pictures)
    compositor.compose(layers)
    return compositor.pixels


__all__ = ["Composer", "Compositor", "Key", "full"]
