"""The picture as the encoder takes it: planar 4:2:0, BT.601, limited range (tag the stream ``smpte170m``).

One converter for all: OpenCV's. Converting a part gives the same samples as converting the whole, so a frame can be
kept and only its changed parts converted (other converters differ; mixing them would show).
"""

from collections.abc import Iterable, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from sothebais.stream.damage import merged
from sothebais.stream.layers import Rect

type Pixels = NDArray[np.uint8]

#: Frames between composer and encoder.
RING_SIZE: Final = 4


class I420Frame:
    """A kept frame. ``buffer`` is ``(height * 3 / 2, width)``: Y, then U, then V, without gaps, as PyAV's
    ``VideoFrame.from_numpy_buffer(buffer, "yuv420p")`` takes it."""

    def __init__(self, width: int, height: int) -> None:
        if width % 2 or height % 2 or width < 2 or height < 2:
            raise ValueError(f"a 4:2:0 picture has even sides, not {width} × {height}")
        self.canvas = Rect(0, 0, width, height)
        self.buffer: Pixels = np.zeros((height * 3 // 2, width), np.uint8)
        flat = self.buffer.reshape(-1)
        luma, chroma = width * height, width * height // 4
        self.y = flat[:luma].reshape(height, width)
        self.u = flat[luma : luma + chroma].reshape(height // 2, width // 2)
        self.v = flat[luma + chroma :].reshape(height // 2, width // 2)
        #: Where parts are converted to: memory from the system would cost as much as converting into it.
        self._scratch: Pixels = np.empty(width * height * 3 // 2, np.uint8)

    def convert(self, bgra: Pixels, rects: Iterable[Rect]) -> None:
        """Take the parts over from the BGRA picture. The rects have even edges (``damage.merged``)."""
        for rect in rects:
            if rect == self.canvas:
                cv2.cvtColor(bgra, cv2.COLOR_BGRA2YUV_I420, dst=self.buffer)
                continue
            x, y, w, h = rect.x, rect.y, rect.w, rect.h
            luma, quarter = w * h, w * h // 4
            half = (h // 2, w // 2)
            flat = self._scratch[: luma + 2 * quarter]
            part = flat.reshape(h * 3 // 2, w)
            cv2.cvtColor(bgra[y : y + h, x : x + w], cv2.COLOR_BGRA2YUV_I420, dst=part)
            self.y[y : y + h, x : x + w] = part[:h]
            y, x, h, w = y // 2, x // 2, h // 2, w // 2
            self.u[y : y + h, x : x + w] = flat[luma : luma + quarter].reshape(half)
            self.v[y : y + h, x : x + w] = flat[luma + quarter :].reshape(half)


class FrameRing:
    """Frames handed from the composer to the encoder in turn; each knows which parts it has missed.

    A frame stays as it is until the ring has come round: whoever takes one has ``size - 1`` frames' time for it.
    """

    def __init__(self, width: int, height: int, size: int = RING_SIZE) -> None:
        self.canvas = Rect(0, 0, width, height)
        self._frames: Sequence[I420Frame] = [I420Frame(width, height) for _ in range(size)]
        self._missed: list[list[Rect]] = [[self.canvas] for _ in range(size)]
        self._next = 0

    def publish(self, bgra: Pixels, damage: Sequence[Rect]) -> I420Frame:
        """The next frame, brought up to date with the picture, of which ``damage`` has changed since the last call."""
        if damage:
            self._missed = [merged((*missed, *damage), self.canvas) for missed in self._missed]
        index = self._next
        self._next = (index + 1) % len(self._frames)
        frame = self._frames[index]
        frame.convert(bgra, self._missed[index])
        self._missed[index] = []
        return frame
