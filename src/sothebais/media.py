"""Design tokens: the one place where colours, type, spacing and motion of stream, pages, console and terminal stand.

Plain values without behaviour. Sizes are pixels of a 1080-line picture; durations are milliseconds.
"""

from dataclasses import asdict, dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one theme as ``#RRGGBB``. Colour never carries meaning alone: a word or an icon stands beside it."""

    ground: str
    raised: str
    line: str
    text: str
    quiet: str
    #: Price, leader, primary action.
    brass: str
    #: Urgency: last minute, fair warning, live.
    vermilion: str
    #: Accepted, reserve met, sold.
    sage: str
    #: Refused, outbid.
    rose: str

    def items(self) -> dict[str, str]:
        """Token name to colour, in the order of the fields, as CSS variables and themes need them."""
        return asdict(self)


DARK: Final = Palette(
    ground="#0E1116",
    raised="#171B22",
    line="#2A303B",
    text="#F4EFE6",
    quiet="#A9AFBA",
    brass="#D9B26A",
    vermilion="#E4572E",
    sage="#7FB69A",
    rose="#E08A8A",
)
LIGHT: Final = Palette(
    ground="#F7F4EE",
    raised="#FFFFFF",
    line="#DDD6C8",
    text="#1B1E24",
    quiet="#5E636E",
    brass="#8A6420",
    vermilion="#C23B16",
    sage="#2F6F53",
    rose="#A83A3A",
)

#: Families in order of preference; the last is always there.
SERIF: Final = ("Caladea", "Source Serif 4", "Georgia", "serif")
SANS: Final = ("Manrope", "Red Hat Text", "system-ui", "sans-serif")

#: Type sizes, smallest first.
TYPE_SCALE_PX: Final = (12, 14, 16, 20, 28, 40, 64)
#: Every distance is a multiple of it.
GRID_PX: Final = 8
SPACING_PX: Final = tuple(GRID_PX * step for step in (1, 2, 3, 4, 6, 8, 12))
RADIUS_PX: Final = 10
HAIRLINE_PX: Final = 1
#: The one shadow: down, blur, and black at this opacity.
SHADOW_OFFSET_PX: Final = 8
SHADOW_BLUR_PX: Final = 32
SHADOW_OPACITY: Final = 0.35

FEEDBACK_MS: Final = 180
PRICE_ROLL_MS: Final = 400
SCENE_MS: Final = 600
#: ease-out, as the control points of a CSS ``cubic-bezier``.
EASE_OUT: Final = (0.16, 1.0, 0.3, 1.0)

#: Where the auction scene is divided, as parts of its width and height.
SPLIT_X: Final = 0.60
SPLIT_Y: Final = 0.66


def rgb(colour: str) -> tuple[int, int, int]:
    """The channels, 0–255, of ``#RRGGBB``. Raises ValueError for any other text."""
    if len(colour) != 7 or colour[0] != "#":
        raise ValueError(f"{colour!r} is not a colour like #D9B26A")
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
