"""The newest picture of an input, in memory that two processes share.

Three places take turns, so that the one who writes never waits and the one who reads has a whole frame's time to copy.
The number of the newest is written last; whoever finds, after copying, that the writer may have come round copies again.
"""

import mmap
import os
import struct
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from sothebais.stream.inputs.model import HEIGHT_MAX, WIDTH_MAX

type Pixels = npt.NDArray[np.uint8]

PLACES: Final = 3
_NEWEST: Final = struct.Struct("<Q")
_HEAD: Final = struct.Struct("<QII")
_HEAD_BYTES: Final = 64
_PLACE_BYTES: Final = _HEAD_BYTES + WIDTH_MAX * HEIGHT_MAX * 4
BYTES: Final = _HEAD_BYTES + PLACES * _PLACE_BYTES
_TRIES: Final = 2


class Kept(Struct, frozen=True):
    """A picture, ``(height, width, 4)`` BGRA, and its number."""

    number: int
    pixels: Pixels


class SharedFrames:
    """One input's pictures. ``create`` in the process that reads them, ``SharedFrames(descriptor)`` in the one that writes."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, BYTES)

    @classmethod
    def create(cls) -> "SharedFrames":
        """New and empty; its descriptor may be handed to a child. Raises OSError where there is no memory."""
        descriptor = os.memfd_create("input", os.MFD_CLOEXEC)
        try:
            os.ftruncate(descriptor, BYTES)
            return cls(descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    @property
    def newest(self) -> int:
        """The number of the newest picture; 0 while there is none."""
        return int(_NEWEST.unpack_from(self._memory)[0])

    def put(self, pixels: Pixels) -> None:
        """Write the next picture, ``(height, width, 4)``. Raises ValueError for one that is too large."""
        height, width = pixels.shape[:2]
        if width > WIDTH_MAX or height > HEIGHT_MAX:
            raise ValueError(f"a picture of {width} × {height} is larger than {WIDTH_MAX} × {HEIGHT_MAX}")
        number = self.newest + 1
        begin = self._begin(number)
        room = np.frombuffer(self._memory, np.uint8, width * height * 4, begin + _HEAD_BYTES)
        np.copyto(room.reshape(height, width, 4), pixels)
        _HEAD.pack_into(self._memory, begin, number, width, height)
        _NEWEST.pack_into(self._memory, 0, number)

    def take(self, after: int) -> Kept | None:
        """A copy of the newest picture if it is newer than number ``after``."""
        for _ in range(_TRIES):
            number = self.newest
            if number <= after:
                return None
            begin = self._begin(number)
            written, width, height = _HEAD.unpack_from(self._memory, begin)
            # the other process may be broken: what it says of sizes is not believed
            if written != number or not 0 < width <= WIDTH_MAX or not 0 < height <= HEIGHT_MAX:
                return None
            room = np.frombuffer(self._memory, np.uint8, width * height * 4, begin + _HEAD_BYTES)
            pixels = room.reshape(height, width, 4).copy()
            if self.newest < number + PLACES - 1:
                return Kept(number, pixels)
        return None

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()
        os.close(self.descriptor)

    @staticmethod
    def _begin(number: int) -> int:
        return _HEAD_BYTES + number % PLACES * _PLACE_BYTES
