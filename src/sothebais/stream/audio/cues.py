"""The three sounds that mean something: a bell opens a lot, chimes warn of its end, the gavel sells it. Pure."""

from enum import StrEnum
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sothebais.stream.audio import loudness
from sothebais.stream.audio.instruments import Tone, bell, chime, pitch, wood
from sothebais.stream.audio.signals import RATE, Samples, amplitude


class Cue(StrEnum):
    """What a cue says."""

    LOT_OPENING = "LOT_OPENING"
    FAIR_WARNING = "FAIR_WARNING"
    SOLD = "SOLD"


#: True peaks: present beside speech, never a fright.
PEAK_DB: Final = {Cue.LOT_OPENING: -15.0, Cue.FAIR_WARNING: -18.0, Cue.SOLD: -8.0}
#: The chimes fall, like lamps going out, this far apart.
CHIME_APART_S: Final = 0.62
_CHIMES: Final = (79, 76, 72)
_BELL_NOTE: Final = 77
_BLOCK_HZ: Final = 235.0


@lru_cache(maxsize=len(Cue))
def sound_of(cue: Cue) -> Samples:
    """The cue in stereo, ``(2, n)``, at its ``PEAK_DB``; it ends in silence. Read-only."""
    rng = np.random.RandomState(11)
    dry: Tone
    if cue is Cue.LOT_OPENING:
        dry = bell(pitch(_BELL_NOTE), RATE)
    elif cue is Cue.FAIR_WARNING:
        dry = _one_after_another([chime(pitch(note), RATE) for note in _CHIMES], CHIME_APART_S)
    else:
        dry = wood(_BLOCK_HZ, RATE, rng.standard_normal(RATE // 50))
    sound = _in_room(dry, rng).astype(np.float32)
    sound *= np.float32(amplitude(PEAK_DB[cue] - loudness.true_peak(sound)))
    sound.setflags(write=False)
    return sound


def _one_after_another(tones: list[Tone], apart_s: float) -> Tone:
    apart = round(apart_s * RATE)
    whole = np.zeros(apart * (len(tones) - 1) + max(len(tone) for tone in tones))
    for index, tone in enumerate(tones):
        whole[index * apart : index * apart + len(tone)] += tone
    return whole


def _in_room(dry: Tone, rng: np.random.RandomState) -> NDArray[np.float64]:
    """A small panelled room, each ear its own reflections; the last of them fades out."""
    t = np.arange(round(0.6 * RATE)) / RATE
    size = 1 << (len(dry) + len(t)).bit_length()
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    spectrum = np.fft.rfft(dry, size)
    out = np.empty((2, len(dry) + len(t)))
    for channel in range(2):
        tail = rng.standard_normal(len(t)) * np.exp(-t / 0.09) * np.minimum(1, t / 0.004)
        tail *= 0.35 / np.sqrt(np.square(tail).sum())
        answer = 1 + np.fft.rfft(tail, size) / (1 + (frequency / 2_600) ** 2)
        out[channel] = np.fft.irfft(spectrum * answer, size)[: out.shape[1]]
    edge = RATE // 10
    out[:, -edge:] *= 0.5 + 0.5 * np.cos(np.pi * (np.arange(edge) + 1) / edge)
    return out
