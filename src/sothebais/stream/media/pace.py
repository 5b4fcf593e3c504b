"""The media process's clock: frames by their number, the server's time that each shows, and when each is due.

Frames are paced by the monotonic clock, so a wall clock that is set anew neither stops nor hurries the picture. The
instant a frame shows follows the wall clock: when both have come apart it is moved there, at once.
"""

import math
from typing import Final

from sothebais.clock import Clock
from sothebais.instants import Millis

#: A frame may show an instant so far from the wall clock's.
APART_MS_MAX: Final = 40.0


class Pace:
    """Frame 0 is due when this is made. Times of the monotonic clock in seconds, of the server in milliseconds."""

    def __init__(self, fps: int, clock: Clock, offset_ms: float = 0.0) -> None:
        self.fps = fps
        self._clock = clock
        #: The house's time is so much ahead of this machine's.
        self.offset_ms = offset_ms
        self._begin = clock.monotonic()
        self._offset = clock.now() + offset_ms
        self.moved = 0

    def due(self, frame: int) -> float:
        """When a frame is due, by the monotonic clock."""
        return self._begin + frame / self.fps

    def left(self, frame: int) -> float:
        """Seconds until then; negative when it is late."""
        return self.due(frame) - self._clock.monotonic()

    def now(self) -> int:
        """The frame that is due last."""
        return int((self._clock.monotonic() - self._begin) * self.fps)

    def at(self, frame: int) -> float:
        """The server time that a frame shows."""
        return self._offset + frame * 1_000 / self.fps

    def begins(self, since: Millis) -> Millis:
        """From which shown instant on something is true that the house says is true since then.

        What has begun is in the next frame, though frames may show an instant a little behind the wall clock's.
        """
        if since > self._clock.now() + self.offset_ms:
            return since
        return min(since, math.floor(self.at(self.now() + 1)))

    def follow(self) -> float:
        """Look at the wall clock; how far (ms) the shown instants were moved."""
        apart = self._clock.now() + self.offset_ms - (self._offset + (self._clock.monotonic() - self._begin) * 1_000)
        if abs(apart) <= APART_MS_MAX:
            return 0.0
        self._offset += apart
        self.moved += 1
        return apart


def first_sample(frame: int, fps: int, rate: int) -> int:
    """The first sample that is heard with a frame: over any time, sound is exactly as long as the picture."""
    return frame * rate // fps
