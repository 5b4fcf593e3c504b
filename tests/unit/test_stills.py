"""Stills are made a few times a second, however often somebody asks."""

import asyncio

import pytest

from sothebais.clock import Millis
from sothebais.stream.media.messages import FramePng
from sothebais.stream.stills import FRESH_S, WIDTHS, Stills, width_of


class Hands:
    """A clock that is set, and a maker that counts."""

    def __init__(self) -> None:
        self.at, self.made, self.fails = 0.0, [], False

    def now(self) -> Millis:
        return round(self.at * 1_000)

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds

    async def make(self, width: int) -> FramePng:
        self.made.append(width)
        await asyncio.sleep(0)
        if self.fails:
            raise TimeoutError
        return FramePng(len(self.made), b"png", None, self.now())


async def test_those_who_ask_at_once_and_shortly_after_get_the_same_still() -> None:
    hands = Hands()
    stills = Stills(hands, hands.make)
    first = await asyncio.gather(*(stills.still(600) for _ in range(50)))
    hands.at = FRESH_S
    assert await stills.still(640) is first[0]
    assert hands.made == [640]
    hands.at = FRESH_S + 0.001
    assert await stills.still(640) is not first[0]
    assert hands.made == [640, 640]


async def test_a_still_that_could_not_be_made_is_tried_again_by_the_next_who_asks() -> None:
    hands = Hands()
    hands.fails = True
    stills = Stills(hands, hands.make)
    with pytest.raises(TimeoutError):
        await stills.still(0)
    hands.fails = False
    assert (await stills.still(0)).data == b"png"


@pytest.mark.parametrize(
    ("wanted", "made"), [(0, 0), (1, WIDTHS[0]), (WIDTHS[0], WIDTHS[0]), (WIDTHS[0] + 1, WIDTHS[1]), (1_920, 0)]
)
def test_few_widths_are_made(wanted: int, made: int) -> None:
    assert width_of(wanted) == made
