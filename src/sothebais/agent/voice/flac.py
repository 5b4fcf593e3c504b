"""Speech as a FLAC file: what the asset store keeps of an ``agent:speech`` event."""

import io
from typing import Final

import av
import numpy as np

from sothebais.agent.voice.ports import Pcm

_FULL_SCALE: Final = 32_767
_FRAME_SAMPLES: Final = 4_096


def to_flac(pcm: Pcm, rate: int) -> bytes:
    """A mono file of 16 bits. The same samples give the same bytes. Takes about a millisecond a second of sound."""
    samples = np.rint(np.clip(pcm, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=rate, layout="mono", format="s16")
        for start in range(0, len(samples), _FRAME_SAMPLES):
            frame = av.AudioFrame.from_ndarray(
                samples[None, start : start + _FRAME_SAMPLES], format="s16", layout="mono"
            )
            frame.sample_rate = rate
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
