"""What the encoder of a clip is told. Pure.

A clip is made once and watched often, so it is encoded for quality and size where the live encode is for speed. The
picture is BT.601 limited range, as ``yuv`` converts it, and says so.
"""

from typing import Final

from msgspec import Struct

#: x264's constant quality: letters and hairlines stay clean.
CRF: Final = 19
PRESET: Final = "veryfast"
KEY_INTERVAL_S: Final = 2
AUDIO_KBPS: Final = 128
#: About what a second of the show takes at most, for the room on the disk.
BITS_PER_PIXEL: Final = 0.12
VIDEO: Final = "libx264"
AUDIO: Final = "aac"


class ClipFormat(Struct, frozen=True, kw_only=True):
    """Size in pixels, frames a second, and how many threads may encode."""

    width: int = 1280
    height: int = 720
    fps: int = 30
    threads: int = 0


def video_options(form: ClipFormat) -> dict[str, str]:
    """Options of x264."""
    return {
        "crf": str(CRF),
        "preset": PRESET,
        "profile": "high",
        "g": str(form.fps * KEY_INTERVAL_S),
        "threads": "auto" if form.threads == 0 else str(form.threads),
    }


def container_options() -> dict[str, str]:
    """Options of the MP4 muxer: the index stands first, so that a player begins before it has the whole file."""
    return {"movflags": "+faststart"}


def bytes_expected(form: ClipFormat, frames: int) -> int:
    """More bytes than so many frames take."""
    video = form.width * form.height * BITS_PER_PIXEL * frames / 8
    return round(video + frames / form.fps * AUDIO_KBPS * 1000 / 8)
