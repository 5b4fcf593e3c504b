"""How gains move: the bed that gives way to speech, and a switch that comes and goes slowly. Pure."""

from itertools import pairwise
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from sothebais.stream.audio.signals import RATE, SAMPLES_PER_MS, amplitude, fade

#: How far the bed steps back while somebody speaks.
DUCKED_DB: Final = -11.0
ATTACK_S: Final = 0.09
RELEASE_S: Final = 0.7
#: Between two sentences the bed does not come up.
HOLD_MS: Final = 450
AHEAD_MS: Final = 300
SWITCH_S: Final = 1.6
_SETTLED: Final = 1e-4


class Ducking:
    """The bed's gain beside speech: down before it begins, up some time after it."""

    AHEAD: ClassVar[int] = AHEAD_MS * SAMPLES_PER_MS
    HOLD: ClassVar[int] = HOLD_MS * SAMPLES_PER_MS

    def __init__(self) -> None:
        self.gain = 1.0
        self._low = amplitude(DUCKED_DB)

    def advance(self, begin: int, count: int, speech: list[tuple[int, int]]) -> NDArray[np.float32] | float:
        """The gain of so many samples from ``begin`` on; one number while it stands still.

        ``speech`` has the first and the last sample of what was heard last, is heard, and will be as far as is known.
        """
        end = begin + count
        low = [(start - self.AHEAD, stop + self.HOLD) for start, stop in speech]
        marks = sorted({begin, end, *(mark for span in low for mark in span if begin < mark < end)})
        parts = []
        for here, there in pairwise(marks):
            down = any(start <= here < stop for start, stop in low)
            parts.append(self._toward(self._low if down else 1.0, there - here))
        if len(parts) == 1:
            return parts[0]
        spans = zip(parts, pairwise(marks), strict=True)
        return np.concatenate([np.broadcast_to(np.float32(part), there - here) for part, (here, there) in spans])

    def _toward(self, target: float, count: int) -> NDArray[np.float32] | float:
        if abs(self.gain - target) < _SETTLED:
            self.gain = target
            return target
        tau = ATTACK_S if target < self.gain else RELEASE_S
        left = np.exp(-np.arange(1, count + 1) / (tau * RATE))
        gains = target + (self.gain - target) * left
        self.gain = float(gains[-1])
        return gains.astype(np.float32)


class Switch:
    """On or off, with a slow raised cosine between; ``wanted`` may change at any time."""

    def __init__(self, seconds: float = SWITCH_S) -> None:
        self.wanted = False
        self._curve = np.concatenate((np.zeros(1, np.float32), fade(round(seconds * RATE))))
        self._place = 0

    def advance(self, count: int) -> NDArray[np.float32] | float | None:
        """The gain of so many samples; None while it is off."""
        top = len(self._curve) - 1
        goal = top if self.wanted else 0
        if self._place == goal:
            return 1.0 if goal else None
        step = 1 if goal else -1
        places = np.clip(self._place + step * np.arange(1, count + 1), 0, top)
        self._place = int(places[-1])
        return self._curve[places]
