"""What all of the sound shares: its rate, its type, decibels, fades, and filtering by long responses. Pure."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Samples a second of everything that is mixed; a whole number of samples to the millisecond.
RATE: Final = 48_000
SAMPLES_PER_MS: Final = RATE // 1_000

#: Mono as ``(n,)``, stereo as ``(2, n)``; full scale is ±1.
type Samples = NDArray[np.float32]


def db(ratio: float) -> float:
    """An amplitude ratio in decibels; −∞ for zero."""
    return 20 * float(np.log10(ratio)) if ratio > 0 else -np.inf


def amplitude(decibels: float) -> float:
    """The amplitude ratio of so many decibels."""
    return float(10 ** (decibels / 20))


@lru_cache(maxsize=32)
def fade(count: int) -> Samples:
    """A raised cosine from just above 0 to 1. Read-only."""
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 1) / count)).astype(np.float32)
    ramp.setflags(write=False)
    return ramp


def convolved(samples: NDArray[np.floating], response: NDArray[np.float64]) -> NDArray[np.float64]:
    """The last axis filtered by ``response`` (causal, same length), by overlapping blocks, whatever the length."""
    count, taps = samples.shape[-1], len(response)
    size = 1 << max(12, (4 * taps - 1).bit_length())
    step = size - taps + 1
    spectrum = np.fft.rfft(response, size)
    out = np.zeros((*samples.shape[:-1], count + size))
    for start in range(0, count, step):
        block = samples[..., start : start + step]
        out[..., start : start + size] += np.fft.irfft(np.fft.rfft(block, size) * spectrum, size)
    return out[..., :count]
