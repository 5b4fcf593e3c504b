"""The price of a lot over time as the geometry of a step chart. Pure."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from sothebais import money
from sothebais.web.viewer.data import PricePoint

WIDTH, HEIGHT = 960, 280
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 24, 40
TICKS_MAX = 5
#: Steps between price lines that people like to read.
NICE = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


class Tick(msgspec.Struct, frozen=True):
    """A line of the scale."""

    y: float
    label: str


class Mark(msgspec.Struct, frozen=True):
    """A step of the price."""

    x: float
    y: float
    price: str
    leader: str | None
    at: int


class Chart(msgspec.Struct, frozen=True):
    """Paths and marks in a box of ``width`` × ``height``."""

    width: int
    height: int
    left: int
    right: int
    bottom: int
    line: str
    area: str
    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    starts_at: int
    ends_at: int


def step_chart(points: Sequence[PricePoint], *, starts_at: int, ends_at: int) -> Chart | None:
    """The chart of these prices between two instants; None where there was no bid."""
    if not points:
        return None
    begin, end = min(starts_at, points[0].at), max(ends_at, points[-1].at, starts_at + 1)
    ticks = _ticks(min(point.price for point in points), max(point.price for point in points))
    low, high = ticks[0], ticks[-1]

    def x(at: int) -> float:
        return round(LEFT + (at - begin) / (end - begin) * (WIDTH - LEFT - RIGHT), 1)

    def y(price: Decimal) -> float:
        share = float((price - low) / (high - low))
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    marks = tuple(
        Mark(x(point.at), y(point.price), money.text(point.price), point.leader, point.at) for point in points
    )
    steps = "".join(f"H{mark.x:g}V{mark.y:g}" for mark in marks[1:])
    line = f"M{marks[0].x:g} {marks[0].y:g}{steps}H{x(end):g}"
    floor = HEIGHT - BOTTOM
    return Chart(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        bottom=floor,
        line=line,
        area=f"{line}V{floor}H{marks[0].x:g}Z",
        ticks=tuple(Tick(y(value), f"{value:,.{_decimals(ticks)}f}") for value in ticks),
        marks=marks,
        starts_at=begin,
        ends_at=end,
    )


def _ticks(least: Decimal, most: Decimal) -> list[Decimal]:
    """Round prices around the range, at most one more than ``TICKS_MAX``."""
    span = most - least or most
    rough = span / (TICKS_MAX - 1)
    scale = Decimal(1).scaleb(rough.adjusted())
    step = next(scale * nice for nice in NICE if scale * nice >= rough)
    first = (least // step) * step
    ticks = [first]
    while ticks[-1] < most:
        ticks.append(ticks[-1] + step)
    if len(ticks) == 1:
        ticks.append(first + step)
    return ticks


def _decimals(ticks: Sequence[Decimal]) -> int:
    """So many decimals that no tick loses one."""
    exponents = (value.normalize().as_tuple().exponent for value in ticks)
    return max(0, *(-exponent for exponent in exponents if isinstance(exponent, int)))
