"""How large, long and many things of an asset may be."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """The largest video and sound taken in. How many bytes is a setting, ``stream_asset_bytes_max``."""

    side_px_max: int = 4_096
    pixels_max: int = 4_096 * 2_304
    frame_rate_max: int = 120
    #: The show plays the beginning of a video again and again.
    video_ms_max: int = 120_000
    audio_ms_max: int = 15 * 60_000
    sample_rate_max: int = 192_000
    channels_max: int = 8
    packets_max: int = 200_000
    #: So many frames of a video are decoded one by one; of the rest, those that begin anew.
    frames_decoded_max: int = 60
    streams_max: int = 16


LIMITS: Final = MediaLimits()
NAME_LENGTH_MAX: Final = 200
