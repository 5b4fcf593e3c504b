"""How amounts, times and names are said on screen. Pure."""

from decimal import Decimal

from sothebais import money
from sothebais.instants import Millis, to_datetime
from sothebais.stream.show import WallClock

_DAY_S = 86_400


def amount(text: str, currency: str) -> str:
    """``1250.5`` as ``1,250.5``; money of two decimals shows both or none. Nothing is rounded."""
    value = Decimal(text)
    if money.CURRENCY_DECIMALS.get(currency) == 2 and value != value.to_integral_value():
        return f"{value:,.2f}"
    whole, _, fraction = money.text(value).partition(".")
    return f"{int(whole):,}" + (f".{fraction}" if fraction else "")


def priced(text: str, currency: str) -> str:
    """An amount with its currency."""
    return f"{amount(text, currency)} {currency}"


def time_left(seconds: int) -> str:
    """``1:05``, ``2:00:00``, ``3 d 04:30``."""
    if seconds >= _DAY_S:
        return f"{seconds // _DAY_S} d {seconds % _DAY_S // 3600:02}:{seconds % 3600 // 60:02}"
    if seconds >= 3600:
        return f"{seconds // 3600}:{seconds % 3600 // 60:02}:{seconds % 60:02}"
    return f"{seconds // 60}:{seconds % 60:02}"


def clock(at: Millis, face: WallClock, *, seconds: bool = False) -> str:
    """The time of day where the house is: ``20:15``, ``20:15:07``."""
    local = to_datetime(at + face.offset_minutes * 60_000)
    return local.strftime("%H:%M:%S" if seconds else "%H:%M")


def count(number: int, one: str, many: str) -> str:
    """``1 bid``, ``1,250 bids``, ``No bids``."""
    return f"No {many}" if number == 0 else f"{number:,} {one if number == 1 else many}"


def handle(name: str) -> str:
    """A handle with its sign, once; names with spaces are names and stay."""
    return name if name.startswith("@") or " " in name else f"@{name}"
