"""The eight forms of the generated collection, and of these the four of nature: sky, stone, planets, streams."""

import math
import random
from collections.abc import Callable
from typing import Final

from PIL import Image, ImageDraw

from sothebais.rehearsal import rooms
from sothebais.rehearsal.painting import (
    SIZE,
    Colour,
    Palette,
    Point,
    Scissors,
    Sheet,
    area,
    blurred,
    both,
    cut,
    faded,
    flat,
    glow,
    mix,
    oval,
    ramp,
    waves,
    without,
)

#: Draws one piece from a palette and a source of randomness.
type Form = Callable[[random.Random, Palette], Image.Image]


def horizon(rng: random.Random, palette: Palette) -> Image.Image:
    """Ridges of cut paper under a low sun, paler with distance."""
    shade = palette.shade
    night = rng.random() < 0.4
    sky = [shade(0.08), shade(0.25), shade(0.5)] if night else [shade(0.55), shade(0.8), shade(0.97)]
    sheet = Sheet(ramp(sky, end=0.62))
    x, y, radius = rng.uniform(0.3, 0.7) * SIZE, rng.uniform(0.27, 0.4) * SIZE, rng.uniform(95, 190)
    disc = shade(0.98) if night else palette.accent
    sheet.light(glow(x, y, radius * 3.2), mix(disc, shade(1), 0.3), 0.5)
    sheet.lay(oval(x, y, radius), ramp([mix(disc, shade(1), 0.25), disc], start=0.15, end=0.45))
    count = rng.randint(6, 8)
    far, near = (0.5, 0.0) if night else (0.82, 0.02)
    for index in range(count):
        t = index / (count - 1)
        base = (0.44 + 0.46 * t**1.05) * SIZE
        height = (0.085 - 0.03 * t) * SIZE * rng.uniform(0.8, 1.3)
        slope = waves(rng, 5, roughness=0.46, base=rng.uniform(0.7, 1.5))
        lean = rng.uniform(-0.06, 0.06) * SIZE
        ridge = [(px, base + height * slope(px / SIZE) + lean * (px / SIZE - 0.5)) for px in range(-8, SIZE + 9, 6)]
        colour = shade(far + (near - far) * t**0.85)
        haze = shade(far + (near - far) * t**0.85 + 0.07 + 0.13 * (1 - t))
        mask = area([*ridge, (SIZE + 8, SIZE + 8), (-8, SIZE + 8)])
        sheet.lay(
            mask,
            ramp([colour, haze], start=(base - height) / SIZE, end=min(1.0, (base + 0.2 * SIZE) / SIZE)),
            shadow=0.3,
            blur=20,
            offset=(-4, -6),
        )
    return sheet.finish(rng)


def strata(rng: random.Random, palette: Palette) -> Image.Image:
    """A stack of papers with an opening in each, down to a small bright ground."""
    shade = palette.shade
    light_on_top = rng.random() < 0.55
    count = rng.randint(9, 12)
    x, y = rng.uniform(0.42, 0.58) * SIZE, rng.uniform(0.42, 0.58) * SIZE
    drift = (rng.uniform(-70, 70), rng.uniform(-70, 70))
    lobes = [(k, rng.uniform(0.4, 1.0) / k**1.1, rng.uniform(0, math.tau), rng.uniform(-1.2, 1.2)) for k in range(2, 8)]
    sheet = Sheet(ramp([mix(palette.accent, shade(1), 0.35), palette.accent], angle=rng.uniform(0, 360)))
    for index in range(count):
        t = index / (count - 1)  # 0 the deepest paper, 1 the one on top
        size = (0.085 + 0.47 * t**1.08) * SIZE
        wobble = 0.10 + 0.17 * t
        points = []
        for step in range(240):
            angle = math.tau * step / 240
            swing = sum(w * math.cos(k * angle + phase + turn * t) for k, w, phase, turn in lobes)
            reach = size * (1 + wobble * swing)
            points.append(
                (x + drift[0] * (1 - t) + reach * math.cos(angle), y + drift[1] * (1 - t) + reach * math.sin(angle))
            )
        tone = t if light_on_top else 1 - t
        colour = shade(0.04 + 0.93 * tone)
        mask = without(Image.new("L", (SIZE, SIZE), 255), area(points))
        paint = ramp([mix(colour, shade(1), 0.10), mix(colour, shade(0), 0.10)], angle=35)
        sheet.lay(mask, paint, shadow=0.55, blur=15, offset=(9, 14))
    return sheet.finish(rng, vignette=0.16)


def orrery(rng: random.Random, palette: Palette) -> Image.Image:
    """Discs on thin orbits, lit from one side, in the dark."""
    shade = palette.shade
    deep = mix(shade(0), (6, 7, 12), 0.4)
    sheet = Sheet(flat(deep))
    angle = rng.uniform(200, 340)
    x, y = rng.uniform(0.4, 0.6) * SIZE, rng.uniform(0.42, 0.58) * SIZE
    sheet.light(glow(x, y, SIZE * 0.85), shade(0.22), 0.75)
    stars = [(rng.uniform(0, SIZE), rng.uniform(0, SIZE), rng.choice((0.7, 0.9, 1.2, 1.9))) for _ in range(170)]
    sheet.light(
        cut(lambda s: [s.ellipse(px, py, r, fill=rng.randint(70, 220)) for px, py, r in stars]), shade(0.95), 0.75
    )
    radius = rng.uniform(0.19, 0.255) * SIZE
    orbits = sorted(radius * rng.uniform(1.22, 1.4) + step * rng.uniform(56, 84) for step in range(rng.randint(4, 6)))
    tilt = rng.uniform(0.93, 1.0)
    brass = shade(0.82)
    sheet.lay(cut(lambda s: [s.ring(x, y, r, r * tilt, width=1.3, fill=150) for r in orbits]), brass)
    _globe(sheet, (x, y), radius, (shade(0.97), shade(0.68), shade(0.3)), angle)
    bands = rng.randint(3, 6)
    sphere = oval(x, y, radius)
    for _ in range(bands):
        height = y + rng.uniform(-0.8, 0.8) * radius
        stripe = oval(x, height, radius * 1.1, rng.uniform(5, 24))
        sheet.glaze(both(sphere, stripe), shade(0.6), 0.4)
    if rng.random() < 0.5:
        _ring(sheet, (x, y), radius, math.radians(rng.uniform(-28, 28)), shade(0.8))
    order = rng.sample(orbits, min(len(orbits), rng.randint(3, 4)))
    for index, orbit in enumerate(order):
        at = rng.uniform(0, math.tau) if index else math.radians(angle) + rng.uniform(-0.5, 0.5)
        px, py = x + orbit * math.cos(at), y + orbit * tilt * math.sin(at)
        size = rng.uniform(13, 30) if index else rng.uniform(34, 58)
        tones = (mix(palette.accent, shade(1), 0.45), palette.accent, mix(palette.accent, deep, 0.7))
        if index:
            t = rng.uniform(0.45, 0.85)
            tones = (shade(min(1, t + 0.25)), shade(t), shade(max(0, t - 0.4)))
        _globe(sheet, (px, py), size, tones, angle)
    return sheet.finish(rng, vignette=0.3)


def _globe(sheet: Sheet, middle: Point, radius: float, tones: tuple[Colour, Colour, Colour], angle: float) -> None:
    """A ball lit from ``angle``: light, middle and dark tone, and a soft edge between day and night."""
    x, y = middle
    way = (math.cos(math.radians(angle)), math.sin(math.radians(angle)))
    ball = oval(x, y, radius)
    sheet.lay(ball, tones[2], shadow=0.5, blur=max(8.0, radius * 0.12), offset=(round(-way[0] * 8), round(-way[1] * 8)))
    halfway = blurred(
        oval(x + way[0] * radius * 0.5, y + way[1] * radius * 0.5, radius * 0.95),
        max(3.0, radius * 0.16),
    )
    sheet.lay(both(ball, halfway), tones[1])
    bright = blurred(
        oval(x + way[0] * radius * 0.62, y + way[1] * radius * 0.62, radius * 0.5),
        max(3.0, radius * 0.24),
    )
    sheet.lay(both(ball, bright), tones[0])


def _ring(sheet: Sheet, middle: Point, radius: float, turn: float, colour: Colour) -> None:
    """A flat ring around a globe; the far half is behind it."""
    x, y = middle

    def half_turn(reach: float, start: float, end: float) -> list[Point]:
        points = []
        for step in range(121):
            a = start + (end - start) * step / 120
            px, py = reach * math.cos(a), reach * 0.2 * math.sin(a)
            points.append(
                (x + px * math.cos(turn) - py * math.sin(turn), y + px * math.sin(turn) + py * math.cos(turn))
            )
        return points

    globe = oval(x, y, radius)
    for inner, outer, strength in ((1.36, 1.5, 0.8), (1.53, 1.74, 1.0), (1.77, 1.84, 0.6)):
        near, far = (
            faded(area(half_turn(radius * outer, b, b + math.pi) + half_turn(radius * inner, b + math.pi, b)), strength)
            for b in (0.0, math.pi)
        )
        sheet.lay(without(far, globe), mix(colour, (0, 0, 0), 0.25))
        sheet.lay(near, colour, shadow=0.25, blur=8, offset=(0, 10))


def current(rng: random.Random, palette: Palette) -> Image.Image:
    """Ribbons that follow one invisible stream."""
    shade = palette.shade
    dark = rng.random() < 0.65
    ground = shade(0.03) if dark else shade(0.96)
    sheet = Sheet(ramp([mix(ground, shade(0.3 if dark else 0.8), 0.35), ground], angle=rng.uniform(-40, 40)))
    eddies = [
        (rng.uniform(0, SIZE), rng.uniform(0, SIZE), rng.choice((-1, 1)) * rng.uniform(0.8, 1.6), rng.uniform(200, 420))
        for _ in range(4)
    ]
    heading = rng.uniform(-0.5, 0.5)
    swell = waves(rng, 3, base=0.9)

    def way(px: float, py: float) -> float:
        turn = heading + 0.7 * swell(py / SIZE + 0.35 * px / SIZE)
        for ex, ey, strength, reach in eddies:
            turn += strength * math.exp(-((px - ex) ** 2 + (py - ey) ** 2) / (2 * reach * reach))
        return turn

    lanes = 150
    starts = [
        (rng.uniform(-0.1, 0.85) * SIZE, (lane + rng.random()) / lanes * 1.5 * SIZE - 0.25 * SIZE)
        for lane in range(lanes)
    ]
    rng.shuffle(starts)
    scissors = [Scissors() for _ in range(4)]
    for layer, shears in enumerate(scissors):
        mine = starts[layer::4]
        depth = layer / 3
        edges, fills = Scissors(), []
        for start in mine:
            width = rng.choice((5.0, 7.0, 9.0, 13.0, 20.0, 30.0)) * (0.75 + 0.45 * depth)
            path = _stream(start, way, rng.randint(70, 150))
            ribbon = _ribbon(path, width)
            shears.polygon(ribbon)
            edges.polygon(_ribbon(path, width + 4))
            across = (start[1] / SIZE + 0.25) / 1.5
            fills.append(
                (ribbon, shade(min(1, max(0, (0.25 if dark else 0.05) + 0.75 * across + rng.uniform(-0.14, 0.14)))))
            )
        sheet.lay(edges.mask(), ground, shadow=0.4, blur=12, offset=(5, 8))
        _many(sheet, shears, fills)
    path = _stream((rng.uniform(-0.05, 0.05) * SIZE, rng.uniform(0.4, 0.6) * SIZE), way, 230)
    sheet.lay(area(_ribbon(path, 17)), palette.accent, shadow=0.45, blur=11, offset=(5, 8))
    return sheet.finish(rng)


def _stream(start: Point, way: Callable[[float, float], float], steps: int) -> list[Point]:
    x, y = start
    path = [(x, y)]
    for _ in range(steps):
        turn = way(x, y)
        x, y = x + 9 * math.cos(turn), y + 9 * math.sin(turn)
        path.append((x, y))
        if not (-200 < x < SIZE + 200 and -200 < y < SIZE + 200):
            break
    return path


def _ribbon(path: list[Point], width: float) -> list[Point]:
    """The outline of a line that is thin at both ends."""
    left, right = [], []
    last = len(path) - 1
    for index, (x, y) in enumerate(path):
        ahead, behind = path[min(index + 1, last)], path[max(index - 1, 0)]
        length = math.hypot(ahead[0] - behind[0], ahead[1] - behind[1]) or 1.0
        half = width / 2 * min(1.0, 5 * math.sin(math.pi * (index + 0.5) / (last + 1)) ** 0.8)
        nx, ny = -(ahead[1] - behind[1]) / length * half, (ahead[0] - behind[0]) / length * half
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    return left + right[::-1]


def _many(sheet: Sheet, outline: Scissors, fills: list[tuple[list[Point], Colour]]) -> None:
    """Many polygons of their own colours at once: a fine colour picture, cut by their common mask."""
    paint = sheet.image.copy()
    pen = ImageDraw.Draw(paint)
    for points, colour in fills:
        pen.polygon(points, fill=colour)
    sheet.lay(outline.mask(), paint)


FORMS: Final[dict[str, Form]] = {
    "Horizon": horizon,
    "Strata": strata,
    "Orrery": orrery,
    "Current": current,
    "Weave": rooms.weave,
    "Construction": rooms.construction,
    "Vessels": rooms.vessels,
    "Enfilade": rooms.enfilade,
}
