"""HLS into a folder: segments of fragmented MP4 with low-latency parts, and a playlist that survives a restart.

libavformat's own HLS muxer cannot go on with an old playlist under a new header, nor make parts; this writes what its
MP4 muxer makes (``fragments``) into files. Every file is complete before a playlist names it.
"""

import contextlib
import os
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sothebais.instants import Millis
from sothebais.stream.encoder import Packet
from sothebais.stream.outputs import playlist, room
from sothebais.stream.outputs.fragments import Fragments, Piece
from sothebais.stream.outputs.playlist import PART_S, SEGMENTS_KEPT, SEGMENTS_LISTED, Part, Segment, part_name
from sothebais.stream.outputs.sinks import Templates

_STATE: Final = "state.json"
#: A playlist that was written to so long ago is not gone on with.
STALE_MS: Final = 60_000


class _Kept(Struct):
    """What the next start must know."""

    next_number: int = 0
    discontinuities: int = 0
    at: Millis = 0
    segments: list[Segment] = []


class HlsFolder:
    """A sink (``outputs.output.Sink``) that keeps a folder. One process writes it at a time."""

    def __init__(self, folder: Path, templates: Templates, *, token: str, now: Millis) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        room.check(folder, room.ROOM_BYTES_MIN, "HLS needs")
        self._folder, self._token, self._now = folder, token, now
        self._kept = self._go_on(now)
        self._fragments = Fragments(templates, self._take)
        self._initial = f"{token}-init.mp4"
        self._write(self._initial, self._fragments.initial)
        self._growing: Segment | None = None
        self._data = bytearray()
        self._part = bytearray()
        self._part_s, self._part_key = 0.0, False
        self._ats: list[tuple[float, float]] = []
        self._fps, self._usual_s = templates.fps, templates.key_interval_s

    def write(self, packet: Packet) -> None:
        """Take a packet; files follow when parts and segments are complete."""
        if packet.kind == "video":
            self._now = round(packet.at)
            if packet.key:
                self._ats.append((packet.pts / self._fps, packet.at))
        self._fragments.write(packet)

    def close(self, *, ended: bool = False) -> None:
        """The last segment. ``ended`` says that there will be no other: whatever comes then is another show."""
        self._fragments.close()
        self._finish_segment()
        if self._kept.segments:
            self._publish(ended=ended)
        if ended:
            self._kept.at = 0
            self._keep()

    def _take(self, piece: Piece) -> None:
        if piece.pictures and piece.key:
            self._finish_segment()
            number = self._kept.next_number
            name = f"{self._token}-{number}.m4s"
            self._growing = Segment(number, name, self._initial, round(self._at(piece.begins)), 0.0)
            self._part_key = True
        if self._growing is None:
            return  # sound before the first picture
        self._data += piece.data
        self._part += piece.data
        if piece.pictures:
            self._part_s += piece.lasts
            if self._part_s >= PART_S - 1e-3:
                self._finish_part()
                self._publish()

    def _at(self, seconds: float) -> float:
        """The server time of a picture that begins a segment."""
        while len(self._ats) > 1 and self._ats[1][0] <= seconds + 1e-4:
            del self._ats[0]
        begun, at = self._ats[0]
        return at + (seconds - begun) * 1_000

    def _finish_part(self) -> None:
        if self._growing is None or not self._part_s:
            return
        name = part_name(self._growing, len(self._growing.parts))
        self._write(name, bytes(self._part))
        part = Part(name, self._part_s, self._part_key)
        self._growing = replace(
            self._growing, parts=(*self._growing.parts, part), lasts=self._growing.lasts + self._part_s
        )
        self._part.clear()
        self._part_s, self._part_key = 0.0, False

    def _finish_segment(self) -> None:
        self._finish_part()
        growing, self._growing = self._growing, None
        data, self._data = self._data, bytearray()
        if growing is None or not growing.lasts:
            return
        self._write(growing.name, bytes(data))
        kept = self._kept
        kept.next_number = growing.number + 1
        kept.segments.append(growing)
        kept.at = self._now
        for place, old in enumerate(kept.segments[: -SEGMENTS_LISTED - 1]):
            for part in old.parts:
                self._remove(part.name)
            kept.segments[place] = replace(old, parts=())
        while len(kept.segments) > SEGMENTS_KEPT:
            gone = kept.segments.pop(0)
            self._remove(gone.name)
            if kept.segments[0].initial != gone.initial:
                kept.discontinuities += 1
                self._remove(gone.initial)
        self._keep()

    def _keep(self) -> None:
        self._write(_STATE, msgspec.json.encode(self._kept))

    def _publish(self, *, ended: bool = False) -> None:
        segments = self._kept.segments
        before = self._kept.discontinuities + _changes(segments[: max(0, len(segments) - SEGMENTS_LISTED) + 1])
        text = playlist.playlist(segments, self._growing, discontinuities=before, usual_s=self._usual_s, ended=ended)
        self._write(playlist.NAME, text.encode())

    def _go_on(self, now: Millis) -> _Kept:
        """What an earlier process left, if it is recent; else an empty folder."""
        try:
            kept = msgspec.json.decode((self._folder / _STATE).read_bytes(), type=_Kept)
        except (OSError, msgspec.DecodeError):
            kept = _Kept()
        # numbers never go back, so that no player takes an old segment for a new one
        if now - kept.at > STALE_MS:
            gone = kept.discontinuities + _changes(kept.segments)
            kept = _Kept(next_number=kept.next_number, discontinuities=gone + bool(kept.segments), at=kept.at)
        named = {name for segment in kept.segments for name in (segment.name, segment.initial)}
        named |= {part.name for segment in kept.segments for part in segment.parts} | {playlist.NAME, _STATE}
        for path in self._folder.iterdir():
            if path.name not in named and path.suffix in (".m4s", ".mp4", ".tmp"):
                path.unlink(missing_ok=True)
        return kept

    def _write(self, name: str, data: bytes) -> None:
        # plain text: a Path keeps its name in memory for as long as the process lives, and there are thousands an hour
        temporary = f"{self._folder}/.{name}.tmp"
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, f"{self._folder}/{name}")

    def _remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self._folder}/{name}")


def _changes(segments: list[Segment]) -> int:
    return sum(a.initial != b.initial for a, b in pairwise(segments))
