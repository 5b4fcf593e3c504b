"""Whether what was said is in a recording, and when: its own sound is looked for in the recording's."""

import io
from pathlib import Path

import av
import numpy as np

from sothebais.sound import Samples

RATE = 12_000
#: It is looked for so long before and after the instant it should be at.
AROUND_S = 1.0


def sound_of(file: Path | io.BytesIO) -> Samples:
    """A file's sound: mono, at ``RATE``, from its first instant."""
    resampler, parts = av.AudioResampler("fltp", "mono", RATE), []
    with av.open(file if isinstance(file, io.BytesIO) else str(file)) as container:
        for frame in container.decode(audio=0):
            parts += [one.to_ndarray()[0] for one in resampler.resample(frame)]
        parts += [one.to_ndarray()[0] for one in resampler.resample(None)]
    return np.concatenate(parts)


def found(recorded: Samples, said: Samples, at_s: float) -> tuple[float, float] | None:
    """``(lag_ms, likeness)`` of the place around ``at_s`` that is most like what was said: 1 is the same, music beside it
    takes a little, other words have next to none. None where the recording does not reach that far."""
    reach = int(AROUND_S * RATE)
    begin = int(at_s * RATE) - reach
    heard = recorded[max(0, begin) : begin + len(said) + 2 * reach]
    if begin < 0 or len(heard) < len(said) + 2 * reach:
        return None
    size = 1 << (len(heard) + len(said)).bit_length()
    products = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size)), size)[: 2 * reach]
    energy = np.concatenate([[0.0], np.cumsum(heard.astype(np.float64) ** 2)])
    loud = np.sqrt(np.maximum(energy[len(said) : len(said) + 2 * reach] - energy[: 2 * reach], 1e-12))
    likeness = np.abs(products) / (loud * np.sqrt((said.astype(np.float64) ** 2).sum()))
    best = int(np.argmax(likeness))
    return (best - reach) * 1_000 / RATE, float(likeness[best])
