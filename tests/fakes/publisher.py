"""Somebody who streams to the house: one colour at a time, thirty pictures a second, by RTMP.

with publishing(server.publish_url("guest")) as guest:
    guest.colour = (0, 200, 0)  # red, green, blue
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

FPS = 30
AGAIN_S = 0.1


class Publisher(threading.Thread):
    """Connects again whenever the server has gone."""

    def __init__(self, url: str, size: tuple[int, int]) -> None:
        super().__init__(daemon=True)
        self._url, self._size = url, size
        self.colour = (200, 0, 0)
        self.sent = 0
        self._stopping = False

    def run(self) -> None:
        while not self._stopping:
            with contextlib.suppress(FFmpegError):
                self._publish()
            time.sleep(AGAIN_S)

    def stop(self) -> None:
        """Leave."""
        self._stopping = True
        self.join(10)

    def _publish(self) -> None:
        width, height = self._size
        options = {"rw_timeout": "3000000", "flvflags": "no_duration_filesize", "flush_packets": "1"}
        with av.open(self._url, "w", format="flv", options=options, timeout=5) as container:
            tuned = {"preset": "ultrafast", "tune": "zerolatency", "g": str(FPS // 2)}
            stream: Any = container.add_stream("libx264", rate=FPS, options=tuned)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.colorspace = 5  # what from_ndarray makes
            begun, number = time.monotonic(), 0
            while not self._stopping:
                pixels = np.empty((height, width, 3), np.uint8)
                pixels[:] = self.colour
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                for packet in stream.encode(frame):
                    container.mux(packet)
                self.sent += 1
                number += 1
                time.sleep(max(0.0, begun + number / FPS - time.monotonic()))


@contextlib.contextmanager
def publishing(url: str, size: tuple[int, int] = (320, 180)) -> Iterator[Publisher]:
    """Somebody who streams for as long as the block lasts."""
    publisher = Publisher(url, size)
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.stop()
