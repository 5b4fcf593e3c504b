"""A limiter that keeps true peaks under a ceiling: it sees a peak before it comes and is down in time. Pure.

A sample leaves ``DELAY`` samples after it came in. With ``r`` the gain that each sample needs on its own, ``e`` follows
``r`` down at once and up slowly; the gain applied is a mean over ``WINDOW`` of minima over ``WINDOW`` of ``e``: a ramp
without a corner that has reached the least gain by the time the peak is heard.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sothebais.stream.audio.loudness import PEAK_GAIN_MAX, TAPS, peaks_between
from sothebais.stream.audio.signals import RATE, Samples, amplitude

CEILING_DB: Final = -1.0
#: What the moving gain and the meter's own grid may add.
_MARGIN_DB: Final = 0.1
#: A power of two: the sliding minimum is made by doubling.
WINDOW: Final = 64
_LOOK: Final = WINDOW - 1
DELAY: Final = _LOOK + TAPS // 2
#: From half to full gain.
_RELEASE_S: Final = 0.15
_SLOPE: Final = 0.5 / (_RELEASE_S * RATE)
_KEPT: Final = max(DELAY, TAPS - 1)


class Limiter:
    """Stereo, block by block."""

    def __init__(self, ceiling_db: float = CEILING_DB) -> None:
        self._ceiling = amplitude(ceiling_db - _MARGIN_DB)
        self.reset()

    def reset(self) -> None:
        """As if silence had gone before."""
        self._samples = np.zeros((2, _KEPT), np.float32)
        self._gains = np.ones(2 * _LOOK)
        self._level = True

    @property
    def silent(self) -> bool:
        """Whether nothing but zeros is still to come out, at full gain."""
        return self._level and not self._samples.any()

    def push(self, block: Samples) -> Samples:
        """``(2, n)`` in, ``(2, n)`` out: what came in ``DELAY`` samples ago, limited."""
        count = block.shape[1]
        samples = np.concatenate((self._samples, block), axis=1)
        self._samples = samples[:, -_KEPT:]
        out = samples[:, _KEPT - DELAY : _KEPT - DELAY + count]
        wanted = self._wanted(samples[:, _KEPT - TAPS + 1 :], count)
        if wanted is None and self._level:
            return out.copy()
        return out * self._gain(np.ones(count) if wanted is None else wanted)

    def _wanted(self, samples: Samples, count: int) -> NDArray[np.float64] | None:
        """What each sample needs on its own; None when all of them may pass."""
        if float(np.abs(samples).max()) * PEAK_GAIN_MAX <= self._ceiling:
            return None
        peaks = peaks_between(samples)
        np.maximum(peaks, np.abs(samples[:, TAPS // 2 - 1 : TAPS // 2 - 1 + count]).max(axis=0), out=peaks)
        if float(peaks.max()) <= self._ceiling:
            return None
        return np.minimum(1.0, self._ceiling / np.maximum(peaks, 1e-9, dtype=np.float64))

    def _gain(self, wanted: NDArray[np.float64]) -> Samples:
        count = len(wanted)
        rise = _SLOPE * np.arange(count + 1)
        followed = np.minimum.accumulate(np.concatenate((self._gains[-1:], wanted)) - rise) + rise
        gains = np.concatenate((self._gains, np.minimum(1.0, followed[1:])))
        self._gains = gains[-2 * _LOOK :]
        self._level = bool(self._gains.min() > 1 - 1e-9)
        least, reach = gains, 1
        while reach < WINDOW:
            least = np.minimum(least[:-reach], least[reach:])
            reach *= 2
        running = np.cumsum(least)
        total = running[_LOOK:].copy()
        total[1:] -= running[: -_LOOK - 1]
        return (total / WINDOW).astype(np.float32)
