"""Speech at its voice's rate to 48 kHz: a polyphase filter with a Kaiser window, without delay. Pure.

With L / M = 48,000 / rate in lowest terms, M input samples always give L output samples by the same weights. So the
signal is cut into overlapping frames of a multiple of M, and all of them are weighted by one matrix product.
"""

from functools import lru_cache
from math import gcd
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from sothebais.errors import InvalidInput
from sothebais.sound import RATE_MAX, RATE_MIN, mono
from sothebais.stream.audio.signals import RATE, Samples

#: Rates whose ratio to 48 kHz has larger terms would need a weight for nearly every sample.
TERM_MAX: Final = 1_000
#: Zero crossings of the filter on each side; with this window what is left of images lies 90 dB down.
_CROSSINGS: Final = 32
_BETA: Final = 9.0
#: The pass band ends here, as a share of half the lower rate.
_PASS: Final = 0.955
_FRAME_MIN: Final = 128


def to_house_rate(pcm: NDArray[np.float32], rate: int) -> Samples:
    """Mono float32 samples at ``rate`` as samples at 48 kHz: ⌈n · 48,000 / rate⌉ of them, the first at the same instant.

    Raises InvalidInput for a rate outside 8–96 kHz or without a simple ratio to 48 kHz.
    """
    samples = mono(pcm)
    if rate == RATE:
        return samples
    up, down = _ratio(rate)
    weights, reach = _weights(up, down)
    span, made = weights.shape
    step = span - 2 * reach
    frames = -(-len(samples) // step)
    padded = np.zeros(frames * step + 2 * reach, np.float32)
    padded[reach : reach + len(samples)] = samples
    size = padded.itemsize
    view = as_strided(padded, (frames, span), (step * size, size), writeable=False)
    out: Samples = (view @ weights).reshape(frames * made)
    return out[: -(-len(samples) * up // down)]


def _ratio(rate: int) -> tuple[int, int]:
    common = gcd(RATE, rate) if rate > 0 else 1
    up, down = RATE // common, rate // common
    if not RATE_MIN <= rate <= RATE_MAX or max(up, down) > TERM_MAX:
        raise InvalidInput(f"sound at {rate} Hz cannot be brought to {RATE} Hz")
    return up, down


@lru_cache(maxsize=8)
def _weights(up: int, down: int) -> tuple[NDArray[np.float32], int]:
    """``(frame + 2 · reach, made)``: column j holds the share of each input sample in output sample j."""
    scale = min(1.0, up / down) * _PASS
    reach = int(np.ceil(_CROSSINGS / scale))
    frame = down * -(-_FRAME_MIN // down)
    made = frame * up // down
    places = np.arange(made) * down / up
    distance = (np.arange(frame + 2 * reach) - reach)[:, None] - places[None, :]
    inside = np.clip(1 - (distance / reach) ** 2, 0, None)
    window = np.where(np.abs(distance) < reach, np.i0(_BETA * np.sqrt(inside)) / np.i0(_BETA), 0)
    weights = scale * np.sinc(scale * distance) * window
    weights /= weights.sum(0)  # exact at 0 Hz in every phase, so that nothing beats with the frames
    return weights.astype(np.float32), reach
