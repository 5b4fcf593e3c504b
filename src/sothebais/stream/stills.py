"""Stills of what is on air, for anybody who asks: made a few times a second at most, whoever asks how often.

Each costs the media process some milliseconds, which belong to the picture.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sothebais.clock import Clock
from sothebais.stream.media.messages import FramePng, WantFrame

#: Widths that are made; what is asked for is the next larger one of these. 0 is the picture's own.
WIDTHS: Final = (320, 640, 960, 1280)
#: A still is given out again until it is so old.
FRESH_S: Final = 0.25


#: The media process is waited for so long, by so many at once.
PATIENCE_S: Final = 5.0
WAITING_MAX: Final = 32


class FrameRequests:
    """Frames that the media process was asked for and has not sent yet."""

    def __init__(self) -> None:
        self._asked: dict[int, asyncio.Future[FramePng]] = {}
        self._number = 0

    async def ask(self, send: Callable[[WantFrame], None], wide: int) -> FramePng:
        """The frame that is on, ``wide`` pixels wide at most (0: as it is). Raises TimeoutError."""
        if len(self._asked) >= WAITING_MAX:
            raise TimeoutError
        self._number += 1
        number = self._number
        asked = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            send(WantFrame(number, wide))
            return await asyncio.wait_for(asked, PATIENCE_S)
        finally:
            self._asked.pop(number, None)

    def take(self, frame: FramePng) -> None:
        """The media process sends one."""
        asked = self._asked.get(frame.request)
        if asked is not None and not asked.done():
            asked.set_result(frame)


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
