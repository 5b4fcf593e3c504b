"""Movement as functions of time: easings, timelines, and how one scene gives way to another. Pure.

A progress runs from 0 to 1. Easings begin at 0 and end at exactly 1; ``elastic`` and ``spring`` pass over 1 between.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Struct

from sothebais import media
from sothebais.instants import Millis
from sothebais.stream.layers import NEVER, Group, Key, Layer, Rect
from sothebais.stream.show import TransitionKind

type Easing = Literal[
    "linear",
    "quad",
    "quad_in",
    "quad_in_out",
    "cubic",
    "cubic_in",
    "cubic_in_out",
    "elastic",
    "spring",
    "house",
]

_SPRING_DAMPING: Final = 6.0
_SPRING_TURNS: Final = 1.75
#: Progress is counted in milliseconds, so the same few hundred values come again and again.
EASED_KEPT_MAX: Final = 4_096
#: How far a zooming scene comes from, in thousandths of its size.
ZOOM_FROM: Final = 920
#: The stamp on a sold lot begins to fall so long after the end, and lands so long after that.
STAMP_DELAY_MS: Final = 350
STAMP_MS: Final = 260


def _out(power: int) -> Callable[[float], float]:
    return lambda p: 1 - (1 - p) ** power


def _in(power: int) -> Callable[[float], float]:
    return lambda p: p**power


def _in_out(power: int) -> Callable[[float], float]:
    return lambda p: (2 * p) ** power / 2 if p < 0.5 else 1 - (2 - 2 * p) ** power / 2


def _elastic(p: float) -> float:
    return 1 + 2 ** (-10 * p) * math.sin((10 * p - 0.75) * 2 * math.pi / 3)


def _spring(p: float) -> float:
    # a damped cosine; the last term takes away what is left of it at 1
    swing = math.exp(-_SPRING_DAMPING * p) * math.cos(2 * math.pi * _SPRING_TURNS * p)
    rest = math.exp(-_SPRING_DAMPING) * math.cos(2 * math.pi * _SPRING_TURNS)
    return 1 - swing + rest * p


def _house(p: float) -> float:
    """The house's ease-out: the cubic Bézier curve of the tokens, solved for x by halving."""
    x1, y1, x2, y2 = media.EASE_OUT

    def curve(a: float, b: float, s: float) -> float:
        return 3 * a * s * (1 - s) ** 2 + 3 * b * s * s * (1 - s) + s**3

    low, high = 0.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2
        if curve(x1, x2, middle) < p:
            low = middle
        else:
            high = middle
    return curve(y1, y2, (low + high) / 2)


EASINGS: Final[Mapping[str, Callable[[float], float]]] = MappingProxyType(
    {
        "linear": lambda p: p,
        "quad": _out(2),
        "quad_in": _in(2),
        "quad_in_out": _in_out(2),
        "cubic": _out(3),
        "cubic_in": _in(3),
        "cubic_in_out": _in_out(3),
        "elastic": _elastic,
        "spring": _spring,
        "house": _house,
    }
)


@lru_cache(maxsize=EASED_KEPT_MAX)
def ease(easing: Easing, progress: float) -> float:
    """The eased progress; exactly 0 up to the start and exactly 1 from the end on."""
    if progress <= 0:
        return 0.0
    if progress >= 1:
        return 1.0
    return EASINGS[easing](progress)


class Track(Struct, frozen=True):
    """One property's way from ``start`` to ``end``. ``repeat`` counts further runs (-1: without end); ``yoyo`` turns
    every second run around."""

    start: float
    end: float
    duration_ms: int
    easing: Easing = "house"
    delay_ms: int = 0
    repeat: int = 0
    yoyo: bool = False


def value(track: Track, elapsed_ms: Millis) -> tuple[float, bool]:
    """Where the track is after so long, and whether it still moves (or has yet to begin)."""
    since = elapsed_ms - track.delay_ms
    if since < 0:
        return track.start, True
    run = since // track.duration_ms
    if track.repeat >= 0 and run > track.repeat:
        backwards = track.yoyo and track.repeat % 2 == 1
        return (track.start if backwards else track.end), False
    progress = (since - run * track.duration_ms) / track.duration_ms
    if track.yoyo and run % 2 == 1:
        progress = 1 - progress
    return track.start + (track.end - track.start) * ease(track.easing, progress), True


def progress(since: Millis, t: Millis, duration_ms: int) -> float:
    """How much of a movement is done at ``t``, 0 to 1."""
    return 1.0 if duration_ms <= 0 else min(1.0, max(0.0, (t - since) / duration_ms))


def between(
    kind: TransitionKind, done: float, before: tuple[Layer, ...], after: tuple[Layer, ...], canvas: Rect
) -> tuple[Layer, ...]:
    """The picture while one scene gives way to another, ``done`` of the way."""
    if kind == "cut" or done >= 1:
        return after
    eased = ease("house", done)
    came = _whole("after", after, canvas, z=1)
    if kind == "slide":
        shift = round(canvas.w * eased)
        left = _whole("before", before, canvas, z=0)
        return (
            Layer(left.id, left.rect.moved(-shift, 0), 0, left.key, clip=canvas),
            Layer(came.id, came.rect.moved(canvas.w - shift, 0), 1, came.key, clip=canvas),
        )
    opacity = round(255 * (ease("quad", done) if kind == "fade" else min(1.0, eased * 1.5)))
    grow = 1000 if kind == "fade" else ZOOM_FROM + round((1000 - ZOOM_FROM) * eased)
    key = Key(came.key.content, canvas.w, canvas.h, 1.0, came.key.theme, grow=grow)
    # the scene that goes stays as it is, layer by layer, so that its surfaces are not drawn again
    stays = tuple(Layer(f"before/{one.id}", one.rect, one.z, one.key, one.opacity, one.clip) for one in before)
    top = max((one.z for one in before), default=0) + 1
    return (*stays, Layer(came.id, canvas, top, key, opacity, canvas)) if opacity else stays


def _whole(name: str, layers: tuple[Layer, ...], canvas: Rect, z: int) -> Layer:
    return Layer(name, canvas, z, Key(Group(layers), canvas.w, canvas.h, 1.0, "dark"))


def next_whole(since: Millis, t: Millis, step_ms: int) -> Millis:
    """The first instant after ``t`` that is a whole number of steps from ``since``; ``NEVER`` for no step."""
    return NEVER if step_ms <= 0 else since + ((t - since) // step_ms + 1) * step_ms
