"""The edges and the peaks of a part of speech. How loud the show is stays the mixer's affair."""

from typing import Final

import numpy as np

from sothebais.agent.voice.ports import Pcm

#: What is kept before the first and after the last sound.
LEAD_MS: Final = 30
TAIL_MS: Final = 60
FADE_MS: Final = 5
#: −1 dB below full scale, so that no encoder after this clips.
PEAK_MAX: Final = 0.891
#: Quieter than this, against the loudest window of the part, is silence.
_SILENCE_DB: Final = -42.0
#: Quieter than this is silence whatever the rest is.
_SILENCE_RMS_MIN: Final = 1e-4
_WINDOW_MS: Final = 10


def windows(pcm: Pcm, rate: int) -> Pcm:
    """Root mean square of each 10 ms, the last one padded with silence."""
    size = rate * _WINDOW_MS // 1_000
    padded = np.pad(pcm, (0, -len(pcm) % size))
    return np.sqrt(np.mean(np.square(padded.reshape(-1, size)), axis=1, dtype=np.float32)).astype(np.float32)


def sounding(pcm: Pcm, rate: int) -> tuple[int, int]:
    """First and one past the last sample of what is not silence; (0, 0) when all is silent."""
    if not len(pcm):
        return 0, 0
    levels = windows(pcm, rate)
    floor = max(float(levels.max()) * 10 ** (_SILENCE_DB / 20), _SILENCE_RMS_MIN)
    loud = np.flatnonzero(levels >= floor)
    if not len(loud):
        return 0, 0
    size = rate * _WINDOW_MS // 1_000
    return int(loud[0]) * size, min((int(loud[-1]) + 1) * size, len(pcm))


def finished(pcm: Pcm, rate: int) -> tuple[Pcm, float]:
    """The part without silent edges, faded in and out, its peak safe; and the ms cut from its start.

    A part that is all silence comes back empty.
    """
    centred = pcm - np.float32(np.mean(pcm, dtype=np.float64)) if len(pcm) else pcm
    start, end = sounding(centred, rate)
    if start == end:
        return np.zeros(0, np.float32), 0.0
    start = max(0, start - rate * LEAD_MS // 1_000)
    end = min(len(centred), end + rate * TAIL_MS // 1_000)
    cut = centred[start:end].astype(np.float32, copy=True)
    peak = float(np.abs(cut).max())
    if peak > PEAK_MAX:
        cut *= np.float32(PEAK_MAX / peak)
    fade = min(rate * FADE_MS // 1_000, len(cut) // 2)
    ramp = np.linspace(0.0, 1.0, fade, endpoint=False, dtype=np.float32)
    cut[:fade] *= ramp
    cut[len(cut) - fade :] *= ramp[::-1]
    return cut, start * 1_000 / rate
