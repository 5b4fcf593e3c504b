"""Recordings as files: the parts of a broadcast, one per media process that wrote it, and the whole of them.

Parts are fragmented MP4; what a crash cut off at the end of one is left out. Nothing is encoded again.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.error import FFmpegError

from sothebais.errors import InvalidInput
from sothebais.stream.encoding import CLIP_OPTIONS

WHOLE: Final = "whole.mp4"
#: A box is at least its length and its type. (None of a recording needs a length of eight bytes.)
BOX_BYTES_MIN: Final = 8


def parts(folder: Path) -> list[Path]:
    """The parts that can be read, the oldest first."""
    return [path for path in sorted(folder.glob("*.mp4")) if path.name != WHOLE and _readable(path)]


def whole(folder: Path) -> Path:
    """One file with everything: the only part where it is complete, else the parts joined. Raises InvalidInput when
    there is nothing."""
    found = parts(folder)
    if not found:
        raise InvalidInput(f"There is no recording in {folder}.")
    if len(found) == 1 and _complete(found[0]):
        return found[0]
    made = folder / WHOLE
    temporary = folder / f".{WHOLE}.tmp"
    _join(found, temporary)
    temporary.replace(made)
    return made


def _readable(path: Path) -> bool:
    try:
        with av.open(path, "r") as container:
            return bool(container.streams.video) and next(container.demux(container.streams.video[0])).size > 0
    except (FFmpegError, StopIteration):
        return False


def _complete(path: Path) -> bool:
    """Whether the file ends where its last box does."""
    size, place = path.stat().st_size, 0
    with path.open("rb") as file:
        while place < size:
            file.seek(place)
            length = int.from_bytes(file.read(4), "big")
            if length < BOX_BYTES_MIN:
                return False
            place += length
    return place == size


def _join(found: Sequence[Path], target: Path) -> None:
    begin = Fraction(0)
    with av.open(target, "w", format="mp4", options=dict(CLIP_OPTIONS)) as out:
        streams: dict[str, Any] = {}
        for path in found:
            with av.open(path, "r") as container:
                sources = [container.streams.video[0], container.streams.audio[0]]
                for source in sources:
                    if source.type not in streams:
                        streams[source.type] = out.add_stream_from_template(source)
                end = begin
                for packet in container.demux(*sources):
                    if packet.dts is None or packet.pts is None or packet.is_corrupt:
                        continue  # nothing, or the half of a packet at which a process died
                    base = Fraction(packet.time_base.numerator, packet.time_base.denominator)
                    shift = int(begin / base)
                    end = max(end, begin + (packet.pts + (packet.duration or 0)) * base)
                    packet.stream = streams[packet.stream.type]
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    out.mux_one(packet)
                begin = end
