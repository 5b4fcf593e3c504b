"""The studio of the generated collection: colour, paper, light. Pillow only, and repeatable to the byte.

Shapes are masks, drawn at twice the size and reduced, so that edges are smooth. A picture is a stack of papers, each
cut by a mask and throwing a soft shadow on what lies below.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sothebais.media import rgb

#: Width and height of every piece.
SIZE: Final = 1200
_FINE: Final = 2

type Colour = tuple[int, int, int]
type Point = tuple[float, float]


@dataclass(frozen=True)
class Palette:
    """Six shades from dark to light, and one colour that is used once."""

    name: str
    shades: tuple[Colour, ...]
    accent: Colour

    def shade(self, t: float) -> Colour:
        """The shade at ``t``, 0 the darkest and 1 the lightest, mixed between neighbours."""
        place = min(max(t, 0.0), 1.0) * (len(self.shades) - 1)
        low = min(int(place), len(self.shades) - 2)
        return mix(self.shades[low], self.shades[low + 1], place - low)


def _palette(name: str, accent: str, *shades: str) -> Palette:
    return Palette(name, tuple(rgb(shade) for shade in shades), rgb(accent))


PALETTES: Final = (
    _palette("Brass and Midnight", "#E4572E", "#0B101B", "#18253B", "#34506A", "#A07A42", "#D9B26A", "#F4E6C6"),
    _palette("Vermilion Hour", "#F4D58A", "#1E0C14", "#4C1620", "#93261F", "#DD4F2A", "#F0A062", "#F8E4C8"),
    _palette("Sage Room", "#D9893B", "#0F1B17", "#20382F", "#44705B", "#7FB69A", "#C3D6B4", "#F3ECD8"),
    _palette("Salt and Indigo", "#E5794A", "#0C1024", "#1C2756", "#3E5299", "#8AA0CE", "#CFD8E6", "#F5F0E6"),
    _palette("Rose Plaster", "#2C6E6A", "#25141B", "#5E2C3B", "#A95561", "#DD9A90", "#F0CDBB", "#F9EFE4"),
    _palette("Ochre Quarry", "#2F6378", "#1D150E", "#45301D", "#87582A", "#C58C3C", "#E6C27A", "#F6EACF"),
    _palette("Ink and Bone", "#D2452B", "#0F1012", "#2A2C30", "#64625E", "#ADA596", "#DFD5C2", "#F5EFE2"),
)


def mix(first: Colour, second: Colour, t: float) -> Colour:
    """Between two colours, in linear light, which keeps the middle from going muddy."""
    return (
        _channel(first[0], second[0], t),
        _channel(first[1], second[1], t),
        _channel(first[2], second[2], t),
    )


def _channel(first: int, second: int, t: float) -> int:
    linear = (first / 255) ** 2.0 * (1 - t) + (second / 255) ** 2.0 * t
    return round(255 * math.sqrt(max(linear, 0.0)))


def brighter(colour: Colour) -> Colour:
    """The colour in stronger light, of the same hue."""
    red, green, blue = (round(255 * (channel / 255) ** 0.68) for channel in colour)
    return red, green, blue


def luminance(colour: Colour) -> float:
    """How light a colour looks, 0 to 1."""
    red, green, blue = colour
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


# --- paints: pictures of the full size ---


def flat(colour: Colour) -> Image.Image:
    """One colour all over."""
    return Image.new("RGB", (SIZE, SIZE), colour)


def ramp(stops: Sequence[Colour], *, angle: float = 0.0, start: float = 0.0, end: float = 1.0) -> Image.Image:
    """Colours from top (``start``) to bottom (``end``, as parts of the height), turned by ``angle`` degrees."""
    steps = 256
    column = Image.new("RGB", (1, steps))
    last = len(stops) - 1
    for row in range(steps):
        t = min(max((row / (steps - 1) - start) / max(end - start, 1e-6), 0.0), 1.0) * last
        low = min(int(t), last - 1)
        column.putpixel((0, row), mix(stops[low], stops[low + 1], t - low))
    if angle == 0:
        return column.resize((1, SIZE), Image.Resampling.BICUBIC).resize((SIZE, SIZE), Image.Resampling.NEAREST)
    # a gradient has no detail to lose: turned small and enlarged it looks the same and costs a tenth
    small = SIZE // 4
    side = round(small * 1.45)
    turned = column.resize((side, side), Image.Resampling.BICUBIC).rotate(angle, Image.Resampling.BILINEAR)
    edge = (side - small) // 2
    return turned.crop((edge, edge, edge + small, edge + small)).resize((SIZE, SIZE), Image.Resampling.BICUBIC)


def glow(x: float, y: float, radius: float) -> Image.Image:
    """A mask that is full at a point and fades to nothing at ``radius``."""
    mask = Image.new("L", (SIZE, SIZE), 0)
    side = max(2, round(radius * 2))
    # Pillow's gradient grows outwards and is 181 where its circle touches the edge
    spot = Image.radial_gradient("L").point([round(255 * max(0.0, 1 - value / 180) ** 1.8) for value in range(256)])
    mask.paste(spot.resize((side, side), Image.Resampling.BICUBIC), (round(x - radius), round(y - radius)))
    return mask


# --- masks ---


def cut(draw: Callable[["Scissors"], object]) -> Image.Image:
    """The mask of what ``draw`` cuts."""
    scissors = Scissors()
    draw(scissors)
    return scissors.mask()


def area(points: Iterable[Point]) -> Image.Image:
    """The mask of one polygon."""
    scissors = Scissors()
    scissors.polygon(points)
    return scissors.mask()


def oval(x: float, y: float, rx: float, ry: float | None = None) -> Image.Image:
    """The mask of one disc, or of an oval lying or standing."""
    scissors = Scissors()
    scissors.ellipse(x, y, rx, ry)
    return scissors.mask()


def stroke(points: Iterable[Point], width: float) -> Image.Image:
    """The mask of one line."""
    scissors = Scissors()
    scissors.line(points, width)
    return scissors.mask()


class Scissors:
    """Cuts shapes into a mask; coordinates are pixels of the finished picture."""

    def __init__(self) -> None:
        self._image = Image.new("L", (SIZE * _FINE, SIZE * _FINE), 0)
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Iterable[Point], fill: int = 255) -> "Scissors":
        self._draw.polygon([(x * _FINE, y * _FINE) for x, y in points], fill=fill)
        return self

    def ellipse(self, x: float, y: float, rx: float, ry: float | None = None, *, fill: int = 255) -> "Scissors":
        ry = rx if ry is None else ry
        self._draw.ellipse(((x - rx) * _FINE, (y - ry) * _FINE, (x + rx) * _FINE, (y + ry) * _FINE), fill=fill)
        return self

    def rectangle(self, left: float, top: float, right: float, bottom: float, *, fill: int = 255) -> "Scissors":
        self._draw.rectangle((left * _FINE, top * _FINE, right * _FINE - 1, bottom * _FINE - 1), fill=fill)
        return self

    def line(self, points: Iterable[Point], width: float, fill: int = 255) -> "Scissors":
        self._draw.line(
            [(x * _FINE, y * _FINE) for x, y in points], fill=fill, width=max(1, round(width * _FINE)), joint="curve"
        )
        return self

    def ring(self, x: float, y: float, rx: float, ry: float, *, width: float, fill: int = 255) -> "Scissors":
        box = ((x - rx) * _FINE, (y - ry) * _FINE, (x + rx) * _FINE, (y + ry) * _FINE)
        self._draw.ellipse(box, outline=fill, width=max(1, round(width * _FINE)))
        return self

    def mask(self) -> Image.Image:
        return self._image.reduce(_FINE)


def both(first: Image.Image, second: Image.Image) -> Image.Image:
    """What two masks share."""
    return ImageChops.multiply(first, second)


def without(first: Image.Image, second: Image.Image) -> Image.Image:
    """The first mask where the second is not."""
    return ImageChops.multiply(first, ImageChops.invert(second))


def faded(mask: Image.Image, opacity: float) -> Image.Image:
    """The mask at that opacity."""
    return mask.point([round(value * opacity) for value in range(256)])


def blurred(mask: Image.Image, radius: float) -> Image.Image:
    """The mask with a soft edge; wide blurs are made small and enlarged, which looks the same and is fast."""
    if radius < 5:
        return mask.filter(ImageFilter.GaussianBlur(radius))
    factor = 2 if radius < 12 else 4
    small = mask.reduce(factor).filter(ImageFilter.GaussianBlur(radius / factor))
    return small.resize((SIZE, SIZE), Image.Resampling.BICUBIC)


# --- the picture ---


class Sheet:
    """A picture being made."""

    def __init__(self, ground: Image.Image) -> None:
        self.image = ground

    def lay(
        self,
        mask: Image.Image,
        paint: Image.Image | Colour,
        *,
        shadow: float = 0.0,
        blur: float = 16.0,
        offset: tuple[int, int] = (5, 9),
    ) -> None:
        """Put paper of that shape on top; ``shadow`` is how dark the shadow is that it throws."""
        if shadow > 0:
            fallen = Image.new("L", (SIZE, SIZE), 0)
            fallen.paste(blurred(mask, blur), offset)
            self.darken(fallen, shadow)
        self._paste(paint, mask)

    def darken(self, mask: Image.Image, amount: float) -> None:
        """Take light away where the mask is, down to a warm near-black."""
        self._paste((8, 7, 10), faded(mask, amount))

    def light(self, mask: Image.Image, colour: Colour, amount: float) -> None:
        """Add light of that colour where the mask is."""
        lit = Image.new("RGB", (SIZE, SIZE), (0, 0, 0))
        lit.paste(colour, (0, 0, SIZE, SIZE), faded(mask, amount))
        self.image = ImageChops.screen(self.image, lit)

    def glaze(self, mask: Image.Image, colour: Colour, amount: float = 1.0) -> None:
        """Lay translucent paint over it: what lies below shows through, darker."""
        tinted = ImageChops.multiply(self.image, flat(colour))
        self._paste(tinted, faded(mask, amount))

    def _paste(self, paint: Image.Image | Colour, mask: Image.Image) -> None:
        box = mask.getbbox()
        if box is not None:  # most masks are small, and pasting costs by area
            part = paint.crop(box) if isinstance(paint, Image.Image) else paint
            self.image.paste(part, box, mask.crop(box))

    def finish(self, rng: random.Random, *, grain: int = 9, vignette: float = 0.22) -> Image.Image:
        """Paper grain and a little less light towards the corners."""
        corner = Image.radial_gradient("L").resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        self.darken(corner.point([round(255 * max(0.0, (value - 90) / 165) ** 1.6) for value in range(256)]), vignette)
        return ImageChops.add(self.image, Image.merge("RGB", (paper(rng, grain),) * 3), 1, -128)


def paper(rng: random.Random, strength: int) -> Image.Image:
    """Grain around mid grey: fine tooth, and slow clouds as of pulp."""
    tooth = ImageChops.add(_noise(rng, SIZE), _noise(rng, SIZE), 2)
    fibre = _noise(rng, SIZE // 3).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    clouds = _noise(rng, 24).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    rough = Image.blend(Image.blend(tooth, fibre, 0.35), clouds, 0.18)
    return rough.point([round(128 + (value - 128) * strength / 64) for value in range(256)])


def _noise(rng: random.Random, side: int) -> Image.Image:
    return Image.frombytes("L", (side, side), rng.randbytes(side * side))


def waves(rng: random.Random, octaves: int, *, roughness: float = 0.5, base: float = 1.0) -> Callable[[float], float]:
    """A smooth random function of about -1 to 1; ``base`` is the number of long waves between 0 and 1."""
    parts = [
        (roughness**octave, base * 2**octave * rng.uniform(0.8, 1.25), rng.uniform(0, math.tau))
        for octave in range(octaves)
    ]
    total = sum(weight for weight, _, _ in parts)
    return lambda t: sum(weight * math.sin(math.tau * rate * t + phase) for weight, rate, phase in parts) / total


def smooth(points: Sequence[Point], per_span: int = 12) -> list[Point]:
    """A Catmull-Rom curve through the points."""
    line: list[Point] = []
    for index in range(len(points) - 1):
        before, start = points[max(index - 1, 0)], points[index]
        end, after = points[index + 1], points[min(index + 2, len(points) - 1)]
        for step in range(per_span):
            t = step / per_span
            line.append(
                (_spline(before[0], start[0], end[0], after[0], t), _spline(before[1], start[1], end[1], after[1], t))
            )
    line.append(points[-1])
    return line


def _spline(before: float, start: float, end: float, after: float, t: float) -> float:
    return 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t * t
        + (3 * start - before - 3 * end + after) * t**3
    )
