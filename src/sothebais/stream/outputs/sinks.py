"""Sinks on libavformat: RTMP(S), and fragmented MP4 in a file.

Each builds its own packets from plain values, because muxing changes a packet's times.
"""

import contextlib
import os
import time
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

from sothebais.stream import encoding
from sothebais.stream.encoder import Encoder, Packet
from sothebais.stream.encoding import SAMPLE_RATE
from sothebais.stream.outputs import room

#: How often a recording looks at the disk.
DISK_LOOK_S: Final = 2.0


class Templates:
    """What a muxer must know of the streams."""

    def __init__(self, encoder: Encoder) -> None:
        self.video, self.audio = encoder.video, encoder.audio
        self.fps = encoder.form.fps
        self.key_interval_s = encoder.form.key_interval / encoder.form.fps


class Muxed:
    """Packets into one container, from a key frame on. With ``rebase`` that one is at zero; else it keeps its time."""

    def __init__(self, container: Any, templates: Templates, *, rebase: bool) -> None:
        self._container = container
        self._streams = {
            "video": container.add_stream_from_template(templates.video),
            "audio": container.add_stream_from_template(templates.audio),
        }
        self._bases = {"video": Fraction(1, templates.fps), "audio": Fraction(1, SAMPLE_RATE)}
        self._rebase = rebase
        self._begin: Fraction | None = None

    def write(self, packet: Packet) -> None:
        """Into the container, where it belongs in time."""
        base = self._bases[packet.kind]
        if self._begin is None:
            if packet.kind != "video" or not packet.key:
                return
            self._begin = packet.pts * base
        begin = int(self._begin / base)
        if packet.dts < begin:
            return  # sound that lies before the first picture
        shift = begin if self._rebase else 0
        made: Any = av.Packet(packet.data)
        made.stream = self._streams[packet.kind]
        made.pts, made.dts, made.duration = packet.pts - shift, packet.dts - shift, packet.duration
        made.time_base = base
        made.is_keyframe = packet.key
        self._container.mux_one(made)

    def close(self, *, ended: bool = False) -> None:
        """Write the end and let go."""
        self._container.close()


def open_rtmp(url: str, templates: Templates, *, ca_file: str | None = None) -> Muxed:
    """Connect to an ingest server."""
    container = av.open(
        url,
        "w",
        format="flv",
        options=encoding.rtmp_options(url, ca_file=ca_file),
        timeout=(encoding.RTMP_CONNECT_S, encoding.RTMP_WRITE_S),
    )
    try:
        sink = Muxed(container, templates, rebase=True)
        container.start_encoding()
    except BaseException:
        container.close()
        raise
    return sink


class Recording(Muxed):
    """A file that can be read whatever happened to it. It ends before it would fill the disk: bids are kept there too."""

    def __init__(self, path: Path, templates: Templates, *, disk_free_bytes_min: int) -> None:
        self._path, self._free_min = path, disk_free_bytes_min
        path.parent.mkdir(parents=True, exist_ok=True)
        room.check(path.parent, max(disk_free_bytes_min, room.ROOM_BYTES_MIN), "recordings begin at")
        self._look_at = time.monotonic() + DISK_LOOK_S
        #: The end of the last fragment that is whole.
        self._whole = 0
        self._failed = False
        self._file = path.open("xb")
        try:
            container = av.open(
                self._file, "w", format="mp4", options=dict(encoding.RECORDING_OPTIONS), buffer_size=1 << 18
            )
            super().__init__(container, templates, rebase=True)
        except BaseException:
            self._file.close()
            path.unlink(missing_ok=True)
            raise

    def write(self, packet: Packet) -> None:
        begins = packet.kind == "video" and packet.key
        if begins:
            self._check()
        try:
            super().write(packet)
            if begins:
                # the fragment before it is written now, and is to outlive this process
                self._file.flush()
                self._whole = os.fstat(self._file.fileno()).st_size
        except BaseException:
            self._failed = True
            raise

    def close(self, *, ended: bool = False) -> None:
        try:
            super().close(ended=ended)
            self._file.flush()
            os.fsync(self._file.fileno())
        except BaseException:
            self._failed = True
            raise
        finally:
            with contextlib.suppress(OSError):
                self._file.close()
            if self._failed:
                self._cut()

    def _cut(self) -> None:
        """Leave out what the disk had no room for: half a fragment cannot be read, and takes room."""
        if self._whole:
            os.truncate(self._path, self._whole)
        else:
            self._path.unlink(missing_ok=True)

    def _check(self) -> None:
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + DISK_LOOK_S
            room.check(self._path.parent, self._free_min, "recordings stop at")
