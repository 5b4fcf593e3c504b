"""Loudness as ITU-R BS.1770-4 and EBU R 128 measure it, and true peaks. Pure; for 48 kHz.

The K-weighting's two filters are applied as one finite response: after 4,096 samples what is left of it lies
170 dB down. Channels are left and right, so their weights are 1; a mono signal is measured as it will be heard, from both.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from sothebais.stream.audio.signals import RATE, convolved, db

SILENCE: Final = -np.inf
BLOCK_S: Final = 0.4
HOP_S: Final = 0.1
ABSOLUTE_GATE: Final = -70.0
RELATIVE_GATE: Final = -10.0
_OFFSET: Final = -0.691
_RESPONSE_TAPS: Final = 4_096

#: BS.1770-4, tables 1 and 2: the shelf of the head, then the high-pass; numerator and denominator without its leading 1.
_SHELF: Final = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585))
_HIGH_PASS: Final = ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))

#: BS.1770-4, annex 2: the four phases of the interpolator; the last two are the first two backwards.
_PHASE_0: Final = (
    0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000, -0.0594482421875, 0.1373291015625,
    0.9721679687500, -0.1022949218750, 0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500,
)  # fmt: skip
_PHASE_1: Final = (
    -0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250, -0.1665039062500, 0.4650878906250,
    0.7797851562500, -0.2003173828125, 0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375,
)  # fmt: skip
TAPS: Final = 12
#: What the four phases can make of samples of magnitude 1 at most.
PEAK_GAIN_MAX: Final = sum(abs(weight) for weight in _PHASE_1)
_FRAME: Final = 32


@lru_cache(maxsize=1)
def _response() -> NDArray[np.float64]:
    signal = [1.0] + [0.0] * (_RESPONSE_TAPS - 1)
    for (b0, b1, b2), (a1, a2) in (_SHELF, _HIGH_PASS):
        x1 = x2 = y1 = y2 = 0.0
        for index, x in enumerate(signal):
            y = b0 * x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2
            x1, x2, y1, y2 = x, x1, y, y1
            signal[index] = y
    return np.array(signal)


def _powers(samples: NDArray[np.floating]) -> NDArray[np.float64]:
    """Running sum of the K-weighted squares of all channels, beginning with 0."""
    weighted = convolved(np.atleast_2d(samples), _response())
    power = np.square(weighted).sum(0) * (2 if samples.ndim == 1 else 1)
    return np.concatenate(([0.0], np.cumsum(power)))


def momentary(samples: NDArray[np.floating]) -> NDArray[np.float64]:
    """LUFS of every block of 400 ms, 100 ms apart. Mono ``(n,)`` counts as both channels; empty below 400 ms."""
    with np.errstate(divide="ignore"):
        return _OFFSET + 10 * np.log10(_blocks(_powers(samples)))


def _blocks(running: NDArray[np.float64]) -> NDArray[np.float64]:
    size, hop = round(BLOCK_S * RATE), round(HOP_S * RATE)
    starts = np.arange(0, len(running) - size, hop)
    return np.maximum(0.0, (running[starts + size] - running[starts]) / size)


def integrated(samples: NDArray[np.floating]) -> float:
    """Gated LUFS of the whole; what is shorter than 400 ms counts whole and ungated. −∞ for silence."""
    running = _powers(samples)
    blocks = _blocks(running)
    if not len(blocks):
        return _lufs(running[-1] / (len(running) - 1)) if len(running) > 1 else SILENCE
    for gate in (ABSOLUTE_GATE, RELATIVE_GATE):
        floor = gate if gate == ABSOLUTE_GATE else _lufs(float(blocks.mean())) + gate
        blocks = blocks[blocks > 10 ** ((floor - _OFFSET) / 10)]
        if not len(blocks):
            return SILENCE
    return _lufs(float(blocks.mean()))


def _lufs(power: float) -> float:
    return _OFFSET + 10 * float(np.log10(power)) if power > 0 else SILENCE


@lru_cache(maxsize=1)
def _interpolator() -> NDArray[np.float32]:
    """A frame of samples with its eleven neighbours times this is the frame's four phases, one after the other."""
    weights = np.zeros((_FRAME + TAPS - 1, 4, _FRAME), np.float32)
    for phase, taps in enumerate((_PHASE_0, _PHASE_1, _PHASE_1[::-1], _PHASE_0[::-1])):
        for place in range(_FRAME):
            weights[place : place + TAPS, phase, place] = taps[::-1]
    return weights.reshape(_FRAME + TAPS - 1, 4 * _FRAME)


def peaks_between(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest magnitude between neighbouring samples, of all channels: ``(channels, n)`` to ``(n − 11,)``.

    Entry ``i`` lies between samples ``i + 5`` and ``i + 6``.
    """
    channels, count = samples.shape[0], samples.shape[1] - TAPS + 1
    frames = -(-count // _FRAME)
    padded = np.zeros((channels, frames * _FRAME + TAPS - 1), np.float32)
    padded[:, : samples.shape[1]] = samples
    size = padded.itemsize
    strides = (padded.strides[0], _FRAME * size, size)
    framed = as_strided(padded, (channels, frames, _FRAME + TAPS - 1), strides, writeable=False)
    # copied, because overlapping rows are beyond BLAS
    flat = np.ascontiguousarray(framed).reshape(channels * frames, -1)
    between = np.abs(flat @ _interpolator()).reshape(channels, frames, 4, _FRAME)
    peaks: NDArray[np.float32] = between.max(axis=(0, 2)).reshape(-1)[:count]
    return peaks


def true_peak(samples: NDArray[np.float32]) -> float:
    """The true peak in dBTP, four times oversampled; −∞ for silence."""
    padded = np.pad(np.atleast_2d(samples).astype(np.float32), ((0, 0), (TAPS, TAPS)))
    between = float(peaks_between(padded).max())
    return db(max(between, float(np.abs(padded).max())))
