"""Stills of what is on air, for anybody who asks: made a few times a second at most, whoever asks how often.

Each costs the media process some milliseconds, which belong to the picture.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sothebais.clock import Clock
from sothebais.stream.media.messages import FramePng

#: Widths that are made; what is asked for is the next larger one of these. 0 is the picture's own.
WIDTHS: Final = (320, 640, 960, 1280)
#: A still is given out again until it is so old.
FRESH_S: Final = 0.25


def width_of(wanted: int) -> int:
    """The width that is made for a wish."""
    return next((width for width in WIDTHS if 0 < wanted <= width), 0)


class Stills:
    """The newest still of each width. Those who ask while one is being made wait for it."""

    def __init__(self, clock: Clock, make: Callable[[int], Awaitable[FramePng]]) -> None:
        self._clock, self._make = clock, make
        self._kept: dict[int, tuple[float, FramePng]] = {}
        self._making: dict[int, asyncio.Task[FramePng]] = {}

    async def still(self, wanted: int) -> FramePng:
        """One that is ``FRESH_S`` old at most. Raises what making one raises."""
        width = width_of(wanted)
        kept = self._kept.get(width)
        if kept is not None and self._clock.monotonic() - kept[0] <= FRESH_S:
            return kept[1]
        making = self._making.get(width)
        if making is None:
            making = self._making[width] = asyncio.ensure_future(self._make(width))
            making.add_done_callback(lambda done: self._made(width, done))
        return await asyncio.shield(making)

    def _made(self, width: int, done: "asyncio.Task[FramePng]") -> None:
        self._making.pop(width, None)
        if not done.cancelled() and done.exception() is None:
            self._kept[width] = (self._clock.monotonic(), done.result())
