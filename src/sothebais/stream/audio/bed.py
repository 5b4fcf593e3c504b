"""Music to lie under an evening: bowed chords, a harp now and then, a hall around them. Written by code. Pure.

The piece is sixteen bars that end where they begin. It is made on a circle: a note that passes the end goes on at the
beginning, and the hall is a circular convolution, so the loop has no seam. Made at 24 kHz (nothing in it lies above
5 kHz) and brought to 48 kHz by its spectrum in the same step.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sothebais.stream.audio import loudness
from sothebais.stream.audio.instruments import Tone, bowed, pitch, plucked
from sothebais.stream.audio.signals import RATE, Samples, amplitude

#: The loudness of the music where nobody speaks.
BED_LUFS: Final = -29.0
BEAT_S: Final = 1.2
BEATS: Final = 4
#: So many samples of the beginning stand again after the end, so that any block of the loop is one slice.
WRAP: Final = RATE // 5
_MADE_AT: Final = RATE // 2

#: Chords as MIDI notes: the bass, then the voices from below. In F, never far from home.
_F: Final = (41, 57, 60, 65, 69)
_C_E: Final = (40, 55, 60, 64, 67)
_DM7: Final = (38, 57, 60, 65, 69)
_BB: Final = (46, 58, 62, 65, 69)
_F_A: Final = (45, 57, 60, 65, 72)
_GM7: Final = (43, 58, 62, 65, 70)
_C_SUS: Final = (36, 55, 60, 65, 67)
_C: Final = (36, 55, 58, 64, 67)
_AM7: Final = (45, 55, 60, 64, 67)
_BB_D: Final = (38, 58, 62, 65, 70)
PIECE: Final = (_F, _C_E, _DM7, _BB, _F_A, _GM7, _C_SUS, _C, _F, _AM7, _BB, _BB_D, _F_A, _GM7, _C_SUS, _C)
LOOP_SAMPLES: Final = round(len(PIECE) * BEATS * BEAT_S * RATE)


@lru_cache(maxsize=2)
def music(seed: int = 7) -> Samples:
    """The loop in stereo, ``(2, LOOP_SAMPLES + WRAP)``, at ``BED_LUFS``. Read-only; the same for the same seed."""
    # RandomState's numbers are promised never to change, a Generator's are not
    rng = np.random.RandomState(seed)
    dry = np.zeros((2, LOOP_SAMPLES // 2))
    for index, chord in enumerate(PIECE):
        _chord(dry, index, chord, rng)
        _figure(dry, index, chord, rng)
    looped = _in_hall(dry, rng)
    twice = np.concatenate((looped, looped[:, :RATE]), axis=1)
    looped *= amplitude(BED_LUFS - loudness.integrated(twice))
    whole = np.concatenate((looped, looped[:, :WRAP]), axis=1).astype(np.float32)
    whole.setflags(write=False)
    return whole


def _chord(dry: NDArray[np.float64], bar: int, chord: tuple[int, ...], rng: np.random.RandomState) -> None:
    """Bowed voices, each twice, a little apart in pitch and place; they overlap with the next bar's."""
    length = BEATS * BEAT_S
    for voice, note in enumerate(chord):
        level = 0.4 if voice == 0 else 0.3 - 0.03 * voice
        for side, cents in ((-1, -2.5), (1, 2.5)):
            at = bar * length - 0.9 + 0.12 * rng.random_sample()
            tone = bowed(pitch(note + cents / 100), length + 2.1, _MADE_AT, 2 * np.pi * rng.random_sample(), 1.7)
            _put(dry, tone, at, level * (0.85 + 0.3 * rng.random_sample()), side * (0.15 + 0.1 * voice))


def _figure(dry: NDArray[np.float64], bar: int, chord: tuple[int, ...], rng: np.random.RandomState) -> None:
    """A harp walks through the chord in eighths and leaves out what it likes; each fourth bar it only ends the phrase."""
    notes = [note + 12 for note in chord[1:]]
    place = rng.randint(len(notes))
    for eighth in range(2 * BEATS):
        rests = eighth >= 4 if bar % 4 == 3 else rng.random_sample() < (0.18 if eighth % 2 == 0 else 0.5)
        place = int(np.clip(place + rng.choice((-1, 1, 1, 2, -2)), 0, len(notes) - 1))
        if rests:
            continue
        at = (bar * BEATS + eighth / 2) * BEAT_S + 0.03 * rng.random_sample()
        level = (0.34 if eighth == 0 else 0.24) * (0.7 + 0.5 * rng.random_sample())
        _put(dry, plucked(pitch(notes[place]), _MADE_AT), at, level, 0.55 * (rng.random_sample() - 0.5))


def _put(dry: NDArray[np.float64], tone: Tone, at_s: float, level: float, pan: float) -> None:
    """Add a tone on the circle; ``pan`` from −1 (left) to 1, at equal power."""
    count = dry.shape[1]
    start = round(at_s * _MADE_AT) % count
    angle = (pan + 1) * np.pi / 4
    left, right = level * np.cos(angle), level * np.sin(angle)
    first = min(len(tone), count - start)
    for channel, share in enumerate((left, right)):
        dry[channel, start : start + first] += share * tone[:first]
        dry[channel, : len(tone) - first] += share * tone[first:]


def _in_hall(dry: NDArray[np.float64], rng: np.random.RandomState) -> NDArray[np.float64]:
    """Dry sound with a hall's answer, gently rounded at both ends of the spectrum, at the house's rate."""
    count = dry.shape[1]
    frequency = np.fft.rfftfreq(count, 1 / _MADE_AT)
    shape = (1 - np.exp(-((frequency / 55) ** 4))) / (1 + (frequency / 3_200) ** 4)
    shape[frequency > 9_000] = 0
    out = np.empty((2, 2 * count))
    t = np.arange(round(2.2 * _MADE_AT)) / _MADE_AT
    for channel in range(2):
        tail = rng.standard_normal(len(t)) * np.exp(-t / 0.42) * np.minimum(1, t / 0.02)
        tail *= 0.5 / np.sqrt(np.square(tail).sum())
        # a hall swallows what is high: twice the rounding
        answer = 1 + np.fft.rfft(tail, count) / (1 + (frequency / 1_800) ** 2)
        spectrum = np.zeros(count + 1, np.complex128)
        spectrum[: len(frequency)] = np.fft.rfft(dry[channel]) * answer * shape
        out[channel] = np.fft.irfft(spectrum, 2 * count) * 2
    return out
