"""The pictures that scenes show, decoded and kept in memory within a bound."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

import skia

#: So many bytes of decoded pictures are kept.
PICTURES_BYTES_MAX: Final = 256 * 1024 * 1024


class Pictures(Protocol):
    """Where painters get pictures from."""

    def picture(self, ref: str, frame: int = 0) -> skia.Image | None:
        """A frame of an asset; None while it is not (or no longer) there."""


class HeldPictures:
    """Pictures that were put in, by any thread. The one unused for longest goes when there are too many bytes, and
    ``on_gone`` is told."""

    def __init__(
        self, bytes_max: int = PICTURES_BYTES_MAX, *, on_gone: Callable[[str], None] = lambda _ref: None
    ) -> None:
        self.bytes_max = bytes_max
        self._on_gone = on_gone
        self.bytes_held = 0
        self._held: OrderedDict[tuple[str, int], skia.Image] = OrderedDict()
        self._live: dict[str, skia.Image] = {}
        self._lock = threading.Lock()

    def put(self, ref: str, encoded: bytes, frame: int = 0) -> tuple[int, int]:
        """Decode a still (PNG, JPEG, WebP …) and keep it; its width and height. Raises ValueError for anything else."""
        image = skia.Image.MakeFromEncoded(skia.Data.MakeWithCopy(encoded))
        if image is None:
            raise ValueError(f"picture {ref!r} is in no format that can be shown")
        # decoded now, not while a frame is due
        self.put_image(ref, image.makeRasterImage(), frame)
        return int(image.width()), int(image.height())

    def put_image(self, ref: str, image: skia.Image, frame: int = 0) -> None:
        """Keep a decoded picture."""
        key, forgotten = (ref, frame), dict[str, None]()
        with self._lock:
            if (old := self._held.pop(key, None)) is not None:
                self.bytes_held -= _size(old)
            self._held[key] = image
            self.bytes_held += _size(image)
            while self.bytes_held > self.bytes_max and len(self._held) > 1:
                (other, _), gone = self._held.popitem(last=False)
                self.bytes_held -= _size(gone)
                forgotten[other] = None
        for other in forgotten:
            self._on_gone(other)

    def put_live(self, ref: str, image: skia.Image | None) -> None:
        """The newest picture of an input, in place of the one before; null takes it down. There are as many as inputs."""
        with self._lock:
            if image is None:
                self._live.pop(ref, None)
            else:
                self._live[ref] = image

    def picture(self, ref: str, frame: int = 0) -> skia.Image | None:
        """A frame of an asset; its first frame where that one is missing. Of an input the newest."""
        with self._lock:
            if ref in self._live:
                return self._live[ref]
            for key in ((ref, frame), (ref, 0)):
                if key in self._held:
                    self._held.move_to_end(key)
                    return self._held[key]
        return None


def _size(image: skia.Image) -> int:
    return int(image.width() * image.height() * 4)
