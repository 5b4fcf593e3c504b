"""HLS playlists (RFC 8216 and its second edition's low-latency parts). Pure."""

import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from sothebais.instants import Millis, isoformat

#: Segments in the playlist, and how many more are kept on disk for those who are behind.
SEGMENTS_LISTED: Final = 8
SEGMENTS_KEPT: Final = 20
#: Parts are listed for so many segments before the one that is being made.
SEGMENTS_WITH_PARTS: Final = 2
PART_S: Final = 0.2
NAME: Final = "live.m3u8"


class Part(Struct, frozen=True):
    """A piece of a segment; one with ``key`` needs none before it."""

    name: str
    lasts: float
    key: bool


class Segment(Struct, frozen=True):
    """From one key frame to the next. ``initial`` is its header; another one than before means a new encode."""

    number: int
    name: str
    initial: str
    at: Millis
    lasts: float
    parts: tuple[Part, ...] = ()


def playlist(
    segments: Sequence[Segment],
    growing: Segment | None,
    *,
    discontinuities: int,
    usual_s: float = 1.0,
    ended: bool = False,
) -> str:
    """The media playlist. ``growing`` is the segment that has parts only; ``discontinuities`` were listed before, and
    a segment usually lasts ``usual_s``."""
    listed = [*segments[-SEGMENTS_LISTED:], *([growing] if growing is not None else [])]
    longest = max((segment.lasts for segment in segments[-SEGMENTS_LISTED:]), default=usual_s)
    parts = [part.lasts for segment in listed for part in segment.parts]
    target = max([PART_S, *parts])
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:9",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f"#EXT-X-TARGETDURATION:{max(1, math.ceil(round(max(longest, usual_s), 3)))}",
        f"#EXT-X-PART-INF:PART-TARGET={target:.3f}",
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={target * 3:.3f}",
        f"#EXT-X-MEDIA-SEQUENCE:{listed[0].number if listed else 0}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}",
    ]
    initial = None
    for place, segment in enumerate(listed):
        if segment.initial != initial:
            if initial is not None:
                lines.append("#EXT-X-DISCONTINUITY")
            lines.append(f'#EXT-X-MAP:URI="{segment.initial}"')
            initial = segment.initial
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{isoformat(segment.at)}")
        if place >= len(listed) - SEGMENTS_WITH_PARTS - (growing is not None):
            lines += [
                f'#EXT-X-PART:DURATION={part.lasts:.5f},URI="{part.name}"' + (",INDEPENDENT=YES" if part.key else "")
                for part in segment.parts
            ]
        if segment is not growing:
            lines += [f"#EXTINF:{segment.lasts:.5f},", segment.name]
    if growing is not None and not ended:
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{part_name(growing, len(growing.parts))}"')
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def part_name(segment: Segment, index: int) -> str:
    """The file of a segment's part."""
    return f"{segment.name.removesuffix('.m4s')}.{index}.m4s"


def reached(text: str) -> tuple[int, int]:
    """The newest segment number and part of a playlist: what a blocking reload waits for."""
    number, part = -1, -1
    for line in text.splitlines():
        if line.startswith("#EXT-X-MEDIA-SEQUENCE:"):
            number = int(line.partition(":")[2])
        elif line.startswith("#EXT-X-PART:"):
            part += 1
        elif line and not line.startswith("#"):
            number, part = number + 1, -1
    return number, part
