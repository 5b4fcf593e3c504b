"""From a scene, a state and an instant to layers. Pure: the same three give the same layers.

``Stage`` is a scene laid out for one size of output. ``Programme`` holds the scenes of a show and says what is on
air, transitions included. Both answer with ``Shown``: layers, and until when the same state looks the same.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from sothebais.instants import Millis
from sothebais.stream.conditions import begins, holds, may_change
from sothebais.stream.elements import SHOWS
from sothebais.stream.frame import Frame, Part
from sothebais.stream.layers import NEVER, Key, Layer, Rect
from sothebais.stream.scenes import Scene, SceneRefused
from sothebais.stream.scenes.model import AnyElement, Beginning, Padding, Timeline
from sothebais.stream.show import ShowState
from sothebais.stream.transitions import Track, between, progress, value

#: A scene's ratio may differ so much from the output's.
RATIO_TOLERANCE: Final = 0.01
_PARTS_OF_AN_ELEMENT: Final = 16
_ANCHORS: Final = {
    name: (x / 2, y / 2)
    for y, row in enumerate((("top_left", "top", "top_right"), ("left", "center", "right"), ("bottom_left", "bottom", "bottom_right")))
    for x, name in enumerate(row)
}  # fmt: skip


class Shown(Struct, frozen=True, gc=False):
    """Layers, bottom first, and the first instant at which they may differ while the state stays."""

    layers: tuple[Layer, ...]
    until: Millis


class Placed(Struct, frozen=True):
    """An element with its box in pixels; ``clip`` is its quadrant."""

    element: AnyElement
    box: Rect
    clip: Rect
    z: int
    tracks: tuple[tuple[str, Beginning, Track], ...]


class Stage:
    """A scene laid out for an output. Raises SceneRefused when the scene has another ratio."""

    def __init__(self, scene: Scene, width: int, height: int) -> None:
        unit = width / scene.canvas.width
        if abs(height / scene.canvas.height / unit - 1) > RATIO_TOLERANCE:
            size = f"{scene.canvas.width} × {scene.canvas.height}"
            raise SceneRefused(
                f"Scene {scene.name!r} is made for {size} and cannot fill {width} × {height}. Give it a canvas of that ratio.",
                path="canvas",
            )
        self.scene = scene
        self.canvas = Rect(0, 0, width, height)
        #: Type and lines are sized by the shorter side, so that a vertical picture's are as large as a wide one's.
        self.unit = min(scene.canvas.width, scene.canvas.height) * unit / 1080
        self.placed = tuple(_placed(scene, unit, self.canvas))

    def shown(self, state: ShowState, t: Millis) -> Shown:
        """The scene's layers at an instant."""
        layers: list[Layer] = []
        until = NEVER
        for one in self.placed:
            part = self.element(one, state, t)
            layers += part.layers
            until = min(until, part.until)
        return Shown(tuple(layers), until)

    def element(self, placed: Placed, state: ShowState, t: Millis) -> Shown:
        """One element's layers."""
        element, box = placed.element, placed.box
        until = may_change(element.when, state, t)
        if not element.visible or not holds(element.when, state, t):
            return Shown((), until)
        frame = Frame(state, t, box.w, box.h, self.unit, state.on_air.since)
        SHOWS[type(element)](element, frame)
        until = min(until, frame.until)
        transform = element.transform
        dx = dy = 0.0
        scale, turn, opacity = transform.scale, transform.rotation, transform.opacity
        for name, beginning, track in placed.tracks:
            begin = begins(beginning, state)
            if begin is None:
                reached, moving = track.start, False
            else:
                reached, moving = value(track, t - begin)
                if moving:
                    until = min(until, max(t + 1, begin + track.delay_ms))
            match name:
                case "opacity":
                    opacity = reached
                case "scale":
                    scale = reached
                case "rotation":
                    turn += reached
                case "x":
                    dx += reached
                case _:
                    dy += reached
        if opacity <= 0 or scale <= 0:
            return Shown((), until)
        anchor = _ANCHORS[transform.anchor]
        moved = box.moved(round(dx), round(dy))
        layers = tuple(
            self._layer(placed, part, index, moved, anchor, scale, turn, opacity)
            for index, part in enumerate(frame.parts)
        )
        return Shown(layers, until)

    def _layer(
        self,
        placed: Placed,
        part: Part,
        index: int,
        box: Rect,
        anchor: tuple[float, float],
        scale: float,
        turn: float,
        opacity: float,
    ) -> Layer:
        if scale == 1 and part.grow == 1 and turn == 0 and part.turn == 0:
            # nearly always
            grow, tenths = 1000, 0
            rect = Rect(box.x + part.x, box.y + part.y, part.w, part.h)
        else:
            grow = round(1000 * scale * part.grow)
            tenths = round(turn * 10) + part.turn
            rect = _turned(part, box, anchor, scale, turn, grow, tenths)
        name = f"{placed.element.id}/{part.name}" if part.name else placed.element.id
        key = Key(part.content, part.w, part.h, self.unit, self.scene.theme, grow, tenths)
        clip = placed.clip.cut(box) if part.cut else placed.clip
        shine = part.opacity if opacity >= 1 else round(part.opacity * opacity)
        return Layer(name, rect, placed.z + min(index, _PARTS_OF_AN_ELEMENT - 1), key, shine, clip)


class Programme:
    """The scenes of a show for one size of output. Raises KeyError for a scene it does not have."""

    def __init__(self, scenes: Iterable[Scene], width: int, height: int) -> None:
        self.canvas = Rect(0, 0, width, height)
        self.stages: Mapping[str, Stage] = {scene.name: Stage(scene, width, height) for scene in scenes}

    def shown(self, state: ShowState, t: Millis) -> Shown:
        """What is on air at an instant."""
        on_air = state.on_air
        now = self.stages[on_air.scene].shown(state, t)
        done = progress(on_air.since, t, on_air.duration_ms)
        if done >= 1 or on_air.previous is None or on_air.transition == "cut":
            return now
        was = self.stages[on_air.previous].shown(state, t)
        return Shown(between(on_air.transition, done, was.layers, now.layers, self.canvas), t + 1)


class Following:
    """A programme that is asked in the order of time: the same answers, without asking again what cannot have changed."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self._memos = {name: _Memo(stage) for name, stage in programme.stages.items()}

    def shown(self, state: ShowState, t: Millis) -> Shown:
        """What ``programme.shown`` says."""
        on_air = state.on_air
        if t - on_air.since < on_air.duration_ms and on_air.previous is not None:
            return self.programme.shown(state, t)
        return self._memos[on_air.scene].shown(state, t)


class _Memo:
    """The last answer of each element of a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._state: ShowState | None = None
        self._t: Millis = 0
        self._parts: list[Shown] = []
        self._shown = Shown((), 0)

    def shown(self, state: ShowState, t: Millis) -> Shown:
        stage = self._stage
        if state is not self._state or t < self._t:
            self._parts = [stage.element(placed, state, t) for placed in stage.placed]
            self._state = state
            changed = True
        elif t < self._shown.until:
            self._t = t
            return self._shown
        else:
            changed = False
            for index, part in enumerate(self._parts):
                if t >= part.until:
                    self._parts[index] = again = stage.element(stage.placed[index], state, t)
                    changed = changed or again.layers != part.layers
        self._t = t
        layers = tuple(layer for part in self._parts for layer in part.layers) if changed else self._shown.layers
        self._shown = Shown(layers, min((part.until for part in self._parts), default=NEVER))
        return self._shown


def _placed(scene: Scene, unit: float, canvas: Rect) -> Iterable[Placed]:
    width, height = scene.canvas.width, scene.canvas.height
    x, y = width * scene.split.x, height * scene.split.y
    inner = scene.quadrants
    areas = (
        ((0.0, 0.0, width, height), Padding(), scene.background),
        ((0.0, 0.0, x, y), inner.top_left.padding, inner.top_left.elements),
        ((x, 0.0, width, y), inner.top_right.padding, inner.top_right.elements),
        ((0.0, y, x, height), inner.bottom_left.padding, inner.bottom_left.elements),
        ((x, y, width, height), inner.bottom_right.padding, inner.bottom_right.elements),
        ((0.0, 0.0, width, height), Padding(), scene.overlay),
    )
    for band, ((left, top, right, bottom), padding, elements) in enumerate(areas):
        clip = _pixels(left, top, right, bottom, unit).cut(canvas)
        left, top = left + padding.left, top + padding.top
        right, bottom = right - padding.right, bottom - padding.bottom
        for index, element in enumerate(elements):
            ex, ey = left + element.x, top + element.y
            ew = element.width if element.width is not None else right - ex
            eh = element.height if element.height is not None else bottom - ey
            box = _pixels(ex, ey, ex + ew, ey + eh, unit)
            z = (band * 4_000 + element.z + 1_000) * 1_024 + index * _PARTS_OF_AN_ELEMENT
            yield Placed(element, box, clip, z, tuple(_track(line, unit) for line in element.timelines))


def _track(line: Timeline, unit: float) -> tuple[str, Beginning, Track]:
    # lengths become pixels here, once
    by = unit if line.property in ("x", "y") else 1.0
    track = Track(line.start * by, line.end * by, line.duration_ms, line.easing, line.delay_ms, line.repeat, line.yoyo)
    return line.property, line.since, track


def _pixels(left: float, top: float, right: float, bottom: float, unit: float) -> Rect:
    x, y = round(left * unit), round(top * unit)
    return Rect(x, y, round(right * unit) - x, round(bottom * unit) - y)


def _turned(
    part: Part, box: Rect, anchor: tuple[float, float], scale: float, turn: float, grow: int, tenths: int
) -> Rect:
    """The box around a part that was turned and sized with its element about the element's anchor."""
    px, py = box.x + anchor[0] * box.w, box.y + anchor[1] * box.h
    cx, cy = box.x + part.x + part.w / 2 - px, box.y + part.y + part.h / 2 - py
    angle = math.radians(turn)
    mx = px + scale * (cx * math.cos(angle) - cy * math.sin(angle))
    my = py + scale * (cx * math.sin(angle) + cy * math.cos(angle))
    own = math.radians(tenths / 10)
    cosine, sine = abs(math.cos(own)), abs(math.sin(own))
    w = math.ceil((part.w * cosine + part.h * sine) * grow / 1000 - 1e-6)
    h = math.ceil((part.w * sine + part.h * cosine) * grow / 1000 - 1e-6)
    return Rect(round(mx - w / 2), round(my - h / 2), max(1, w), max(1, h))
