"""The stream as fragmented MP4 in pieces (ISO/IEC 14496-12), for players that take it as it comes and for HLS."""

import struct
from collections.abc import Callable, Iterator
from typing import Final

import av
from msgspec import Struct

from sothebais.stream import encoding
from sothebais.stream.encoder import Packet
from sothebais.stream.encoding import SAMPLE_RATE, VIDEO_TIMESCALE
from sothebais.stream.outputs.sinks import Muxed, Templates

VIDEO_TRACK: Final = 1
_NON_SYNC: Final = 0x10000


class Piece(Struct, frozen=True):
    """One fragment. Times are seconds from the stream's start; a piece of sound alone has no picture in it.

    ``key`` says that its first picture needs no other.
    """

    data: bytes
    begins: float
    lasts: float
    pictures: int
    key: bool


class Fragments:
    """Packets in, pieces out: one per frame, a frame late, because a fragment ends when the next frame comes."""

    def __init__(self, templates: Templates, hand_on: Callable[[Piece], None]) -> None:
        self._file = _File()
        container = av.open(self._file, "w", format="mp4", options=dict(encoding.FRAGMENT_OPTIONS))
        self._muxed = Muxed(container, templates, rebase=False)
        self._hand_on = hand_on
        container.start_encoding()
        #: What stands before every piece: the movie's header.
        self.initial = self._file.take()

    def write(self, packet: Packet) -> None:
        """Take a packet; hand on what that completes."""
        self._muxed.write(packet)
        self._give()

    def close(self) -> None:
        """The last piece."""
        self._muxed.close()
        self._give()

    def _give(self) -> None:
        for piece in pieces(self._file.take()):
            self._hand_on(piece)


class _File:
    """A file that is taken out as it is written."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._data)
        self._data.clear()
        return taken


def boxes(data: bytes | memoryview) -> Iterator[tuple[bytes, memoryview, int, int]]:
    """Type, content, and the place of each box, ``[begin, end)``."""
    view, place = memoryview(data), 0
    while place + 8 <= len(view):
        size, kind = struct.unpack_from(">I4s", view, place)
        if size < 8 or place + size > len(view):
            raise ValueError(f"a box of {size} bytes does not fit")
        yield kind, view[place + 8 : place + size], place, place + size
        place += size


def pieces(data: bytes) -> Iterator[Piece]:
    """Each ``moof`` with its ``mdat``; other boxes (the index at the end) are left out."""
    head: tuple[memoryview, int] | None = None
    for kind, content, begin, end in boxes(data):
        if kind == b"moof":
            head = content, begin
        elif kind == b"mdat" and head is not None:
            yield _piece(head[0], data[head[1] : end])
            head = None


def _piece(moof: memoryview, data: bytes) -> Piece:
    begins, ends, pictures, key = [], [], 0, False
    for kind, content, _, _ in boxes(moof):
        if kind != b"traf":
            continue
        track, first, ticks, count, sync = _track(content)
        scale = VIDEO_TIMESCALE if track == VIDEO_TRACK else SAMPLE_RATE
        begins.append(first / scale)
        ends.append((first + ticks) / scale)
        if track == VIDEO_TRACK:
            pictures, key = count, sync
            # pictures say when a piece begins: sound may reach a little before them
            begins, ends = [first / scale], [(first + ticks) / scale]
            break
    return Piece(data, min(begins), max(ends) - min(begins), pictures, key)


def _track(traf: memoryview) -> tuple[int, int, int, int, bool]:
    """Track, first decode time, ticks, samples, and whether the first sample is a sync sample."""
    track = first = ticks = count = usual_ticks = usual_flags = 0
    sync = True
    for kind, content, _, _ in boxes(traf):
        flags = int.from_bytes(content[1:4], "big")
        if kind == b"tfhd":
            track = int.from_bytes(content[4:8], "big")
            place = 8 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0)
            if flags & 8:
                usual_ticks, place = int.from_bytes(content[place : place + 4], "big"), place + 4
            place += 4 if flags & 0x10 else 0
            if flags & 0x20:
                usual_flags = int.from_bytes(content[place : place + 4], "big")
        elif kind == b"tfdt":
            first = int.from_bytes(content[4 : 12 if content[0] else 8], "big")
        elif kind == b"trun":
            count = int.from_bytes(content[4:8], "big")
            place = 8 + (4 if flags & 1 else 0)
            first_flags = usual_flags
            if flags & 4:
                first_flags, place = int.from_bytes(content[place : place + 4], "big"), place + 4
            for index in range(count):
                if flags & 0x100:
                    ticks += int.from_bytes(content[place : place + 4], "big")
                    place += 4
                else:
                    ticks += usual_ticks
                place += 4 if flags & 0x200 else 0
                if flags & 0x400:
                    if index == 0:
                        first_flags = int.from_bytes(content[place : place + 4], "big")
                    place += 4
                place += 4 if flags & 0x800 else 0
            sync = not first_flags & _NON_SYNC
    return track, first, ticks, count, sync
