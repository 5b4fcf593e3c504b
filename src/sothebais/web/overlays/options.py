"""What an overlay's address may ask for. Pure."""

import math
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import msgspec

from sothebais import ids
from sothebais.errors import InvalidInput

NAMES: Final = ("auction", "theme", "scale", "align", "hold")
CURRENT: Final = "current"
THEMES: Final = ("dark", "light")
ALIGNS: Final = (
    "top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right",
)  # fmt: skip
SCALE_MIN: Final = 0.25
SCALE_MAX: Final = 4.0
HOLD_S_MAX: Final = 60
NUMBER_LENGTH_MAX: Final = 6


class Options(msgspec.Struct, frozen=True):
    """How an overlay is shown. ``auction`` is None where it follows whatever is on the block."""

    auction: UUID | None = None
    theme: str = "dark"
    scale: float = 1.0
    align: str = "top-left"
    #: What a lot came to stays for so long before the next lot is shown.
    hold_s: float = 8.0


def parse(query: Mapping[str, str]) -> Options:
    """The options of an address. Raises InvalidInput that names the parameter and what it may be."""
    unknown = sorted(set(query) - set(NAMES))
    if unknown:
        raise InvalidInput(
            f"{unknown[0][:40]!r} is not a parameter of an overlay: {', '.join(NAMES)}.", field=unknown[0][:40]
        )
    return Options(
        auction=_auction(query.get("auction", CURRENT)),
        theme=_one_of("theme", query.get("theme", "dark"), THEMES),
        scale=_number("scale", query.get("scale", "1"), SCALE_MIN, SCALE_MAX),
        align=_one_of("align", query.get("align", "top-left"), ALIGNS),
        hold_s=_number("hold", query.get("hold", "8"), 0, HOLD_S_MAX),
    )


def _auction(text: str) -> UUID | None:
    if text == CURRENT:
        return None
    auction = ids.parse_id(text)
    if auction is None:
        raise InvalidInput("auction is the id of a lot, or `current`.", field="auction")
    return auction


def _number(name: str, text: str, least: float, most: float) -> float:
    try:
        number = float(text) if len(text) <= NUMBER_LENGTH_MAX else math.nan
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise InvalidInput(f"{name} is a number from {least:g} to {most:g}.", field=name)
    return number


def _one_of(name: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise InvalidInput(f"{name} is one of {', '.join(known)}.", field=name)
    return text
