"""Speech as FLAC, mono, 16 bits: the host writes it, the stream reads it, so it stands below both."""

import io
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from sothebais.errors import InvalidInput, TooLarge

type Samples = NDArray[np.float32]

#: Samples a second that a voice may have.
RATE_MIN: Final = 8_000
RATE_MAX: Final = 96_000

#: A speech lasts at most so long, and no file of one is longer than this.
SPEECH_SECONDS_MAX: Final = 120
SPEECH_BYTES_MAX: Final = 16 * 1024 * 1024
#: Full scale of 16 bits; one step is what a round trip may differ by at most.
_SCALE: Final = 32_767
_BLOCK: Final = 4_096


def encode(pcm: NDArray[np.float32], rate: int) -> bytes:
    """Mono float32 samples as a FLAC file; beyond ±1 they are clipped.

    Raises InvalidInput for another shape, type or rate, TooLarge beyond ``SPEECH_SECONDS_MAX``.
    """
    samples = mono(pcm)
    _check(len(samples), rate)
    whole = np.rint(np.clip(samples, -1, 1) * _SCALE).astype(np.int16)
    out = io.BytesIO()
    with av.open(out, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=rate, layout="mono", format="s16")
        for start in range(0, len(whole), _BLOCK):
            frame = av.AudioFrame.from_ndarray(whole[None, start : start + _BLOCK], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def decode(encoded: bytes) -> tuple[Samples, int]:
    """A FLAC file's mono float32 samples and their rate.

    Raises InvalidInput for what is not mono FLAC, TooLarge for a file or a length beyond the limits; what a file says
    of its length is not believed.
    """
    if len(encoded) > SPEECH_BYTES_MAX:
        raise TooLarge("the speech is too large a file", bytes_max=SPEECH_BYTES_MAX)
    parts: list[NDArray[np.float32]] = []
    try:
        with av.open(io.BytesIO(encoded), "r", format="flac") as container:
            stream = container.streams.audio[0]
            rate, count = int(stream.rate or 0), 0
            if stream.codec_context.name != "flac" or stream.codec_context.channels != 1:
                raise InvalidInput("a speech is a mono FLAC file")
            _check(0, rate)
            # FLAC codes silence in next to nothing: a small file may hold hours
            to_float = av.AudioResampler(format="flt", layout="mono", rate=rate)
            for frame in container.decode(stream):
                for converted in to_float.resample(frame):
                    parts.append(converted.to_ndarray().reshape(-1).astype(np.float32, copy=False))
                    count += converted.samples
                _check(count, rate)
    except FFmpegError as error:
        raise InvalidInput("the speech is not a FLAC file that can be read") from error
    whole = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    return (whole * (32_768 / _SCALE)).astype(np.float32), rate


def mono(pcm: NDArray[np.float32]) -> Samples:
    """``(n,)``, ``(1, n)`` or ``(n, 1)`` float samples as ``(n,)``.

    Raises InvalidInput for other shapes, other types, and samples that are not finite.
    """
    if pcm.dtype != np.float32 or pcm.size != max(pcm.shape, default=0) or pcm.ndim not in (1, 2):
        raise InvalidInput(f"speech is mono float32, not {pcm.dtype} of the shape {pcm.shape}")
    flat = pcm.reshape(-1)
    if not np.isfinite(flat).all():
        raise InvalidInput("the samples are not all finite numbers")
    return flat


def _check(count: int, rate: int) -> None:
    if not RATE_MIN <= rate <= RATE_MAX:
        raise InvalidInput(f"speech has {RATE_MIN} to {RATE_MAX} samples a second, not {rate}")
    if count > SPEECH_SECONDS_MAX * rate:
        raise TooLarge(f"a speech lasts at most {SPEECH_SECONDS_MAX} s", seconds_max=SPEECH_SECONDS_MAX)
