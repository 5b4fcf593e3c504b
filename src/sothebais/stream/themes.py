"""Themes: the house's tokens as a picture needs them. Pure.

Type sizes and spacing are lengths of a 1080-line design. A stream is watched on phones, so its type is a magnified
scale of the pages' (``MAGNIFIED``); the smallest step still reads at 360 points of width on a phone's screen.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from sothebais import media
from sothebais.stream.layers import Token

MAGNIFIED: Final = 1.5

#: Places in the type scale.
LABEL, SMALL, BODY, LEAD, HEADING, TITLE, DISPLAY = range(7)
STEPS: Final = tuple(round(size * MAGNIFIED) for size in (16, 18, 20, 24, 28, 40, 64))
#: Text keeps this share of each side of the canvas free: what a screen may cut off.
SAFE: Final = 0.05


class Theme(Struct, frozen=True):
    """A palette by name, and the colours of things that are not interface: wall, mat, frame."""

    name: str
    palette: media.Palette
    wall_near: str
    wall_far: str
    mat: str
    frame: str
    card: str
    ink: str


DARK: Final = Theme(
    name="dark",
    palette=media.DARK,
    wall_near="#3C4452",
    wall_far="#0B0D12",
    mat="#EFE9DD",
    frame="#14110D",
    card="#F4EFE6",
    ink="#0E1116",
)
LIGHT: Final = Theme(
    name="light",
    palette=media.LIGHT,
    wall_near="#FFFFFF",
    wall_far="#E6E0D4",
    mat="#FFFFFF",
    frame="#3A3022",
    card="#FFFFFF",
    ink="#1B1E24",
)
THEMES: Final[Mapping[str, Theme]] = MappingProxyType({"dark": DARK, "light": LIGHT})


@lru_cache(maxsize=256)
def tint(colour: str, alpha: float = 1.0) -> int:
    """``#RRGGBB`` with an opacity, as 0xAARRGGBB."""
    red, green, blue = media.rgb(colour)
    return round(alpha * 255) << 24 | red << 16 | green << 8 | blue


def colour(theme: Theme, token: Token, alpha: float = 1.0) -> int:
    """A token's colour in a theme, as 0xAARRGGBB."""
    return tint(getattr(theme.palette, token), alpha)


#: A framed picture is larger by its mat and frame at each side, and its shadow reaches further out.
MAT: Final = 14
FRAME: Final = 4
SHADOW: Final = 56
