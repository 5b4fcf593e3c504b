"""The four forms of things made: a weave, a construction, vessels on a ledge, and arches one behind the other."""

import math
import random
from functools import partial
from typing import Final

from PIL import Image, ImageChops, ImageDraw

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
    brighter,
    cut,
    flat,
    glow,
    luminance,
    mix,
    oval,
    ramp,
    smooth,
    stroke,
    without,
)


def weave(rng: random.Random, palette: Palette) -> Image.Image:
    """Bands over and under one another, mostly turned out of the upright; one was dyed for another cloth."""
    pale = rng.random() < 0.5
    sheet = Sheet(flat(palette.shade(0.14 if pale else 0.02)))
    turn = math.radians(rng.choice((0, 45, 28, -33, 12)))
    count = rng.choice((7, 8, 9, 11))
    span = SIZE * (1.06 if turn == 0 else 1.5)
    pitch = span / count
    width = pitch * rng.uniform(0.76, 0.88)
    period = rng.choice((2, 4))  # plain weave or twill
    origin = SIZE / 2 - span / 2
    places = range(count)

    def box(x: float, y: float, wide: float, high: float) -> list[Point]:
        corners = (
            (x - wide / 2, y - high / 2),
            (x + wide / 2, y - high / 2),
            (x + wide / 2, y + high / 2),
            (x - wide / 2, y + high / 2),
        )
        return [_turned(corner, turn) for corner in corners]

    def at(index: int) -> float:
        return origin + (index + 0.5) * pitch

    over = [(column, row) for column in places for row in places if (column + row) % period < period // 2]
    weft = [box(SIZE / 2, at(row), span, width) for row in places]
    warp = [box(at(column), SIZE / 2, width, span) for column in places]
    hidden = cut(lambda s: [s.polygon(box(at(column), at(row), width + 4, width)) for column, row in over])
    weft_tones = [_band_tone(rng, palette, 1 - row / (count - 1), pale) for row in places]
    weft_tones[rng.randrange(1, count - 1)] = palette.accent
    warp_tones = [_band_tone(rng, palette, column / (count - 1), pale) for column in places]
    _cloth(sheet, weft, weft_tones, None)
    _cloth(sheet, warp, warp_tones, hidden)
    return sheet.finish(rng, grain=12)


def _cloth(sheet: Sheet, bands: list[list[Point]], tones: list[Colour], hidden: Image.Image | None) -> None:
    """One set of bands, rounded by shade along their edges; where ``hidden`` is, the other set passes over them."""
    whole = cut(lambda s: [s.polygon(band) for band in bands])
    mask = whole if hidden is None else without(whole, hidden)
    paint = sheet.image.copy()
    pen = ImageDraw.Draw(paint)
    for band, tone in zip(bands, tones, strict=True):
        pen.polygon(band, fill=tone)
    sheet.lay(mask, paint, shadow=0.55, blur=11, offset=(4, 7))
    sheet.darken(both(mask, ImageChops.invert(blurred(whole, 13))), 0.6)
    sheet.light(both(mask, blurred(whole, 34)), (255, 244, 224), 0.05)
    if hidden is not None:
        sheet.darken(both(mask, blurred(hidden, 13)), 0.75)


def _turned(point: Point, turn: float) -> Point:
    x, y = point[0] - SIZE / 2, point[1] - SIZE / 2
    return (
        SIZE / 2 + x * math.cos(turn) - y * math.sin(turn),
        SIZE / 2 + x * math.sin(turn) + y * math.cos(turn),
    )


def _band_tone(rng: random.Random, palette: Palette, t: float, pale: bool) -> Colour:
    low, high = (0.05, 0.75) if pale else (0.28, 1.0)
    return palette.shade(low + (high - low) * min(1, max(0, t + rng.uniform(-0.12, 0.12))))


def construction(rng: random.Random, palette: Palette) -> Image.Image:
    """A few plain shapes in balance on bone paper: a disc, bars, arcs, one accent."""
    shade = palette.shade
    ground = shade(0.97)
    sheet = Sheet(ramp([ground, mix(ground, shade(0.75), 0.35)], angle=rng.uniform(-30, 30)))
    tilt = math.radians(rng.choice((-32, -24, 24, 32, 38)))
    x, y = (0.5 + rng.choice((-0.1, 0.09))) * SIZE, (0.5 + rng.choice((-0.08, 0.06))) * SIZE
    radius = rng.uniform(0.25, 0.3) * SIZE
    disc = oval(x, y, radius)
    half = area(_bar((x, y), tilt, 3 * SIZE, 2 * SIZE, shift=SIZE))
    sheet.lay(disc, ramp([shade(0.3), shade(0.14)], angle=20), shadow=0.3, blur=24, offset=(12, 18))
    sheet.lay(both(disc, half), ramp([shade(0.62), shade(0.5)], angle=20))
    for ring in range(rng.randint(2, 4)):
        reach = radius + 46 + 34 * ring
        begin = math.degrees(tilt) + rng.uniform(-20, 60)
        sweep = rng.uniform(80, 190)
        arc = [
            (
                x + reach * math.cos(math.radians(begin + step * sweep / 90)),
                y + reach * math.sin(math.radians(begin + step * sweep / 90)),
            )
            for step in range(91)
        ]
        sheet.lay(stroke(arc, (9, 5, 3, 2)[ring]), shade(0.08))
    for index in range(rng.randint(2, 3)):
        away = rng.uniform(-0.26, 0.26) * SIZE
        middle = (x - away * math.sin(tilt), y + away * math.cos(tilt))
        size = (rng.uniform(0.55, 0.95) * SIZE, (86, 44, 22)[index])
        bar = area(_bar(middle, tilt, *size))
        sheet.glaze(bar, (shade(0.72), shade(0.4), shade(0.55))[index], 0.92)
    cross = _bar(
        (x + rng.uniform(-0.2, 0.2) * SIZE, y + rng.uniform(-0.1, 0.1) * SIZE),
        tilt + math.pi / 2,
        rng.uniform(0.6, 0.85) * SIZE,
        15,
    )
    sheet.lay(area(cross), shade(0.06), shadow=0.22, blur=9, offset=(5, 7))
    ax = x - math.copysign(rng.uniform(0.2, 0.27) * SIZE, x - SIZE / 2 or 1)
    ay = y + rng.choice((-1, 1)) * rng.uniform(0.16, 0.24) * SIZE
    round_size = rng.uniform(58, 92)
    sheet.lay(oval(ax, ay, round_size), palette.accent, shadow=0.33, blur=14, offset=(8, 12))
    # the bars point to two corners; of the others, the dots stand in the one away from the accent
    corners = [(0.85, 0.14), (0.15, 0.86)] if tilt > 0 else [(0.15, 0.14), (0.85, 0.86)]
    gx, gy = max(((cx * SIZE, cy * SIZE) for cx, cy in corners), key=lambda p: math.hypot(p[0] - ax, p[1] - ay))
    dots = [(gx + 30 * (i - 1.5), gy + 30 * (j - 1.5)) for i in range(4) for j in range(4)]
    sheet.lay(cut(lambda s: [s.ellipse(px, py, 6.5) for px, py in dots]), shade(0.1))
    return sheet.finish(rng, grain=12, vignette=0.14)


def _bar(middle: Point, turn: float, length: float, width: float, shift: float = 0.0) -> list[Point]:
    along, across = (math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))
    return [
        (
            middle[0] + along[0] * length / 2 * a + across[0] * (width / 2 * b + shift),
            middle[1] + along[1] * length / 2 * a + across[1] * (width / 2 * b + shift),
        )
        for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]


#: Half widths from foot to lip, as parts of the height.
_PROFILES: Final = (
    ((0.17, 0.24, 0.29, 0.27, 0.17, 0.085, 0.07, 0.075, 0.105), 1.0),
    ((0.13, 0.15, 0.155, 0.15, 0.14, 0.06, 0.045, 0.045, 0.055), 1.15),
    ((0.20, 0.36, 0.45, 0.49, 0.50, 0.47, 0.38, 0.28, 0.26), 0.58),
    ((0.12, 0.14, 0.2, 0.27, 0.31, 0.30, 0.22, 0.12, 0.15), 0.95),
    ((0.22, 0.23, 0.235, 0.24, 0.24, 0.24, 0.24, 0.24, 0.245), 0.6),
    ((0.16, 0.15, 0.2, 0.36, 0.5, 0.6, 0.68, 0.74, 0.78), 0.4),
)


def vessels(rng: random.Random, palette: Palette) -> Image.Image:
    """A still life of bottles and bowls on a ledge, in window light."""
    shade = palette.shade
    dark = rng.random() < 0.5
    wall = (shade(0.22), shade(0.06)) if dark else (shade(0.9), shade(0.66))
    table = rng.uniform(0.72, 0.77) * SIZE
    sheet = Sheet(ramp(wall, angle=55))
    slant = rng.uniform(0.18, 0.34) * SIZE
    left = rng.uniform(0.02, 0.2) * SIZE
    window = [(left, 0), (left + 0.34 * SIZE, 0), (left + 0.34 * SIZE + slant, table), (left + slant, table)]
    light = blurred(area(window), 9)
    sheet.light(light, mix(brighter(wall[0]), shade(0.85), 0.35 if dark else 0.8), 0.3 if dark else 0.26)
    top = ramp([shade(0.3), shade(0.14)] if dark else [shade(0.62), shade(0.44)], start=table / SIZE, end=1)
    sheet.lay(area(((0, table), (SIZE, table), (SIZE, SIZE), (0, SIZE))), top, shadow=0.3, blur=14, offset=(0, -3))
    count = rng.randint(4, 5)
    kinds = rng.sample(range(len(_PROFILES)), count)
    places = [0.5 + (slot - (count - 1) / 2) * 0.165 + rng.uniform(-0.015, 0.015) for slot in range(count)]
    accent = rng.randrange(count)
    depth = [rng.uniform(0.0, 1.0) for _ in range(count)]
    for slot in sorted(range(count), key=lambda index: depth[index]):
        profile, tall = _PROFILES[kinds[slot]]
        height = tall * rng.uniform(0.36, 0.45) * SIZE
        foot = table + (0.035 + 0.085 * depth[slot]) * SIZE
        tone = (0.45 + 0.5 * rng.random()) if dark else (0.08 + 0.9 * rng.random())
        colour = palette.accent if slot == accent else shade(tone)
        _vessel(sheet, palette, (places[slot] * SIZE, foot), height=height, profile=profile, colour=colour)
    return sheet.finish(rng, vignette=0.3)


def _vessel(
    sheet: Sheet, palette: Palette, place: Point, *, height: float, profile: tuple[float, ...], colour: Colour
) -> None:
    """One vessel turned on a wheel, standing at ``place``, lit from the left."""
    x, foot = place
    side = smooth([(half * height, foot - height * index / (len(profile) - 1)) for index, half in enumerate(profile)])
    base, lip = profile[0] * height, profile[-1] * height
    widest = max(profile) * height
    body = cut(
        lambda s: (
            s.polygon([(x + half, py) for half, py in side] + [(x - half, py) for half, py in reversed(side)]),
            s.ellipse(x, foot, base, base * 0.16),
            s.ellipse(x, foot - height, lip, lip * 0.16),
        )
    )
    shadow = oval(x + widest * 0.9, foot + 4, widest * 1.5, max(10.0, widest * 0.17))
    sheet.darken(blurred(shadow, 16), 0.5)
    sheet.darken(blurred(oval(x + 4, foot + 3, base * 1.1, base * 0.2), 5), 0.55)
    lit, dim = mix(brighter(colour), (255, 246, 228), 0.1), mix(colour, palette.shade(0), 0.7)
    tones = (mix(colour, palette.shade(0), 0.25), lit, colour, mix(colour, dim, 0.55), dim)
    sheet.lay(body, _across(tones, x - widest, x + widest))
    # a round body turns away from the light towards its foot
    fall = ramp(
        [(0, 0, 0), (255, 255, 255)], start=(foot - height * 0.6) / SIZE, end=min(1.0, (foot + height * 0.12) / SIZE)
    )
    sheet.darken(both(body, fall.getchannel(0).point([round(255 * (v / 255) ** 3) for v in range(256)])), 0.4)
    gleam = stroke(
        [(x - half * 0.56, py) for half, py in side[len(side) // 6 : -len(side) // 7]], max(3.0, widest * 0.05)
    )
    sheet.light(both(body, blurred(gleam, 6)), (255, 246, 226), 0.3)
    if luminance(colour) > 0 and lip > 0:
        rim = oval(x, foot - height, lip, lip * 0.16)
        sheet.lay(rim, mix(colour, (255, 248, 232), 0.3))
        sheet.lay(oval(x, foot - height + 1.5, lip * 0.86, lip * 0.12), dim)


def _across(tones: tuple[Colour, ...], left: float, right: float) -> Image.Image:
    """The tones from left to right between two columns."""
    row = Image.new("RGB", (SIZE, 1), tones[-1])
    strip = Image.new("RGB", (len(tones), 1))
    for place, tone in enumerate(tones):
        strip.putpixel((place, 0), tone)
    row.paste(strip.resize((max(1, round(right - left)), 1), Image.Resampling.BICUBIC), (round(left), 0))
    return row.resize((SIZE, SIZE), Image.Resampling.NEAREST)


def enfilade(rng: random.Random, palette: Palette) -> Image.Image:
    """Arch behind arch on one floor, towards a light at the end."""
    shade = palette.shade
    count = rng.randint(6, 8)
    end_x, floor = (0.5 + rng.choice((-1, 1)) * rng.uniform(0.03, 0.14)) * SIZE, rng.uniform(0.60, 0.65) * SIZE
    small = 0.13
    half, rise, drop = rng.uniform(0.36, 0.42) * SIZE, rng.uniform(0.24, 0.36) * SIZE, 0.33 * SIZE
    bright, dark = rng.uniform(0.78, 0.9), 0.04
    sheet = Sheet(
        ramp([shade(0.8), shade(0.97), mix(palette.accent, shade(1), 0.5)], start=floor / SIZE - 0.16, end=floor / SIZE)
    )
    sx, sy = end_x + rng.uniform(-12, 12), floor - rng.uniform(22, 44)
    sheet.light(glow(sx, sy, 150), shade(1), 0.7)
    sheet.lay(oval(sx, sy, rng.uniform(19, 25)), palette.accent)
    stone = [shade(bright - 0.08), shade(0.5), shade(0.26), shade(0.1)]
    sheet.lay(area(((0, floor), (SIZE, floor), (SIZE, SIZE), (0, SIZE))), ramp(stone, start=floor / SIZE, end=1.0))
    near = (SIZE / 2, half * 0.86)
    beam = [
        (end_x - half * small, floor),
        (end_x + half * small, floor),
        (near[0] + near[1], SIZE + 20),
        (near[0] - near[1], SIZE + 20),
    ]
    fading = ramp([(255, 255, 255), (40, 40, 40)], start=floor / SIZE, end=1.0).getchannel(0)
    sheet.light(both(blurred(area(beam), 9), fading), mix(shade(0.92), palette.accent, 0.25), 0.55)
    for index in range(count):
        t = index / (count - 1)  # 0 the farthest arch, 1 the nearest
        grow = small * (1 / small) ** t
        x = end_x + (SIZE / 2 - end_x) * (grow - small) / (1 - small)
        tone = bright + (dark - bright) * t**0.9

        def wall(s: Scissors, x: float = x, grow: float = grow, side: float = 0.0) -> None:
            ground, crown, wide = floor + drop * grow, floor - rise * grow, half * grow
            s.rectangle(-4, -4, SIZE + 4, ground)
            s.rectangle(x - wide + side, crown, x + wide + side, ground + 2, fill=0)
            s.ellipse(x + side, crown, wide, fill=0)

        colour = shade(tone)
        front = cut(wall)
        # the thickness of the wall, seen on the side that is farther from the middle of the house
        thick = half * grow * 0.14 * (1 if end_x <= SIZE / 2 else -1)
        reveal = without(cut(partial(wall, side=-thick)), front)
        lit = shade(min(1.0, tone + 0.24))
        sheet.lay(
            reveal, ramp([mix(lit, colour, 0.3), lit], start=floor / SIZE - 0.3 * grow, end=floor / SIZE + 0.2 * grow)
        )
        paint = ramp(
            [shade(max(0.0, tone - 0.1)), colour, shade(tone + 0.06)], start=0.02, end=(floor + drop * grow) / SIZE
        )
        sheet.lay(front, paint, shadow=0.42, blur=5 + 18 * t, offset=(0, round(2 + 7 * t)))
    return sheet.finish(rng, vignette=0.2)
