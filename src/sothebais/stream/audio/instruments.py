"""The few instruments of the house, each a sum of decaying or swelling partials. Pure.

A tone is mono of its own length, about full scale at its loudest, and begins and ends at zero.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

type Tone = NDArray[np.floating]

#: Partials of a struck bell, by their ratio to the strike note, with level and length.
_BELL: Final = (
    (0.5, 0.35, 1.0),
    (1.0, 1.0, 0.8),
    (1.19, 0.4, 0.55),
    (2.0, 0.55, 0.45),
    (2.74, 0.2, 0.25),
    (4.1, 0.12, 0.12),
)
_CHIME: Final = ((1.0, 1.0, 1.0), (2.76, 0.28, 0.4), (5.4, 0.1, 0.15))
_WOOD: Final = ((1.0, 1.0, 0.055), (1.83, 0.7, 0.04), (3.1, 0.5, 0.025), (4.7, 0.3, 0.014), (7.3, 0.18, 0.007))


def pitch(midi: float) -> float:
    """Hertz of a MIDI note number; 69 is 440 Hz."""
    return float(440 * 2 ** ((midi - 69) / 12))


def _times(seconds: float, rate: int) -> Tone:
    return np.arange(round(seconds * rate)) / rate


def _softened(tone: Tone, rate: int, attack_s: float, end_s: float) -> Tone:
    """Raised-cosine edges."""
    for count, edge in ((round(attack_s * rate), slice(None)), (round(end_s * rate), slice(None, None, -1))):
        ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(count) / count)
        tone[edge][:count] *= ramp
    return tone


def bowed(frequency: float, seconds: float, rate: int, phase: float, swell_s: float) -> Tone:
    """A string section far away: rounded, with few upper partials, swelling and falling."""
    # counted in turns first: single precision is much faster and would lose its place in thousands of radians
    turns = frequency * _times(seconds, rate) + phase / (2 * np.pi)
    angle = (2 * np.pi * (turns - np.floor(turns))).astype(np.float32)
    # sin (k + 1)a = 2 cos a · sin ka − sin (k − 1)a: one sine for all partials
    before, partial_now, twice = np.zeros_like(angle), np.sin(angle), 2 * np.cos(angle)
    tone = partial_now.copy()
    for partial in range(2, 7):
        if partial * frequency > 2_600:
            break
        before, partial_now = partial_now, twice * partial_now - before
        tone += partial_now / partial**1.7
    return _softened(tone * 0.6, rate, swell_s, swell_s * 1.25)


def plucked(frequency: float, rate: int) -> Tone:
    """A harp's string: upper partials die first; plucked near its fifth part."""
    seconds = 1.6 + 260 / frequency
    t = _times(seconds, rate)
    tone = np.zeros_like(t)
    for partial in range(1, 9):
        if partial * frequency < 4_500:
            level = abs(np.sin(np.pi * partial * 0.21)) / partial**1.35
            length = (0.32 + 110 / frequency) / partial**0.8
            tone += level * np.exp(-t / length) * np.sin(2 * np.pi * partial * frequency * t)
    return _softened(tone, rate, 0.004, 0.08)


def _struck(partials: tuple[tuple[float, float, float], ...], frequency: float, length_s: float, rate: int) -> Tone:
    t = _times(5 * length_s, rate)
    tone = np.zeros_like(t)
    for ratio, level, length in partials:
        tone += level * np.exp(-t / (length * length_s)) * np.sin(2 * np.pi * ratio * frequency * t)
    return tone


def bell(frequency: float, rate: int) -> Tone:
    """A small bronze bell."""
    return _softened(_struck(_BELL, frequency, 0.75, rate), rate, 0.002, 0.4) * 0.5


def chime(frequency: float, rate: int) -> Tone:
    """A metal bar struck with felt."""
    return _softened(_struck(_CHIME, frequency, 0.5, rate), rate, 0.006, 0.3) * 0.7


def wood(frequency: float, rate: int, noise: Tone) -> Tone:
    """A gavel on its block; ``noise`` (white, at least 20 ms) is the contact itself."""
    tone = np.zeros(round(0.5 * rate))
    for ratio, level, length in _WOOD:
        t = _times(0.5, rate)
        tone += level * np.exp(-t / length) * np.sin(2 * np.pi * ratio * frequency * t)
    contact = round(0.02 * rate)
    tone[:contact] += 0.8 * noise[:contact] * np.exp(-np.arange(contact) / (0.0025 * rate))
    return _softened(tone, rate, 0.0006, 0.15) * 0.4
