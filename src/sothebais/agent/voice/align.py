"""When the phonemes sound in speech whose maker did not say: the text's phonemes laid along the sound. Pure.

A service gives sound only. Each 10 ms of it is described by how loud it is and how much of it is high, each phoneme by
how loud and high its kind usually is and how long it usually lasts; the cheapest way to lay one along the other in
order is found exactly (Viterbi over phonemes with lengths). Rests between words may be of any length.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sothebais.agent.voice.ports import Pcm
from sothebais.agent.voice.symbols import MARKS, PAUSES
from sothebais.agent.voice.timing import SymbolTime, estimate

STEP_MS: Final = 10
#: A phoneme lasts at most so long; a rest may be of any length.
PHONEME_MS_MAX: Final = 320
#: Sound longer than this is not aligned: the work grows with phonemes × length.
SOUND_MS_MAX: Final = 90_000
_HIGH_HZ: Final = 3_000.0
_DB_MIN: Final = -60.0

type Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Loudness in dB below the loudest, share of high sound, each with its spread."""

    db: float
    db_spread: float
    high: float
    high_spread: float


_VOWEL: Final = _Kind(-7.0, 6.0, 0.05, 0.12)
_SONORANT: Final = _Kind(-12.0, 7.0, 0.05, 0.12)
_HISS: Final = _Kind(-20.0, 8.0, 0.75, 0.3)
_BREATH: Final = _Kind(-24.0, 9.0, 0.35, 0.35)
_STOP: Final = _Kind(-24.0, 11.0, 0.25, 0.35)
_REST: Final = _Kind(-48.0, 9.0, 0.3, 0.5)
_KINDS: Final = {
    **dict.fromkeys("mnŋlɹwj", _SONORANT),
    **dict.fromkeys("szʃʒ", _HISS),
    **dict.fromkeys("fvθðh", _BREATH),
    **dict.fromkeys("ptkbdɡɾʔ", _STOP),
}
#: Spread of the logarithm of a phoneme's length.
_LENGTH_SPREAD: Final = 0.3
#: Neighbouring steps say much the same, so each counts for less than a whole witness.
_SOUND_WEIGHT: Final = 0.3
_HEARD_DB: Final = -38.0
#: Nobody speaks faster or slower than the usual by more.
_SCALE_MIN: Final = 0.5
_SCALE_MAX: Final = 2.0


def align(pcm: Pcm, rate: int, symbols: Sequence[str]) -> tuple[SymbolTime, ...]:
    """When each symbol sounds in ``pcm``. Raises ValueError when the sound is too short for them, or too long."""
    features = _features(pcm, rate)
    states = _states(symbols)
    if len(features) * STEP_MS > SOUND_MS_MAX:
        raise ValueError(f"sound longer than {SOUND_MS_MAX} ms is not aligned")
    if len(features) < sum(not state.rest for state in states):
        raise ValueError("the sound is too short for the text")
    usual = sum(state.length_ms for state in states)
    heard = STEP_MS * float(np.count_nonzero(features[:, 0] > _HEARD_DB))
    scale = min(_SCALE_MAX, max(_SCALE_MIN, heard / usual)) if usual else 1.0
    return _times(symbols, states, _bounds(features, states, scale))


@dataclass(frozen=True, slots=True)
class _State:
    """A phoneme with its marks, or a rest that may be empty; it covers the symbols ``first`` to before ``end``."""

    first: int
    end: int
    kind: _Kind
    rest: bool
    length_ms: float


def _features(pcm: Pcm, rate: int) -> Floats:
    """For each step its loudness in dB below the loud ones, and its share of sound above 3 kHz."""
    size = rate * STEP_MS // 1_000
    padded = np.pad(pcm.astype(np.float64), (size // 2, -len(pcm) % size + 2 * size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * size)[::size][: -(-len(pcm) // size)]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(2 * size), axis=1)))
    total = power.sum(axis=1) + 1e-12
    high = power[:, np.fft.rfftfreq(2 * size, 1 / rate) >= _HIGH_HZ].sum(axis=1) / total
    db = 10 * np.log10(total)
    return np.stack([np.maximum(db - np.percentile(db, 95), _DB_MIN), high], axis=1)


def _states(symbols: Sequence[str]) -> list[_State]:
    """The symbols as states, a rest before the first, between all words and after the last."""
    lengths = estimate(symbols)
    states = [_State(0, 0, _REST, True, 0.0)]
    first, stress_ms = 0, 0.0
    for index, symbol in enumerate(symbols):
        end, last = index + 1, states[-1]
        if symbol in PAUSES or symbol == " ":
            states.append(_State(first, end, _REST, True, 0.0))
            if last.rest:  # a comma and its blank are one rest
                states[-2:] = [_State(last.first, end, _REST, True, 0.0)]
        elif symbol in "ˈˌ":
            stress_ms += lengths[index]
            continue
        elif symbol in MARKS and not last.rest:
            states[-1] = replace(last, end=end, length_ms=last.length_ms + lengths[index])
        else:
            states.append(_State(first, end, _KINDS.get(symbol, _VOWEL), False, lengths[index] + stress_ms))
            stress_ms = 0.0
        first = end
    if not states[-1].rest:
        states.append(_State(len(symbols), len(symbols), _REST, True, 0.0))
    return states


def _bounds(features: Floats, states: Sequence[_State], scale: float) -> list[int]:
    """The step before which each state ends; the last one's is the end of the sound."""
    steps = len(features)
    longest = PHONEME_MS_MAX // STEP_MS
    cost = np.full(steps + 1, np.inf)
    cost[0] = 0.0
    came_from: list[NDArray[np.intp]] = []
    for state in states:
        so_far = np.concatenate([[0.0], np.cumsum(_mismatch(features, state.kind, rest=state.rest))])
        if state.rest:
            best, origin = _any_length(cost - so_far)
        else:
            usual = max(1.0, state.length_ms * scale / STEP_MS)
            spread = np.log(np.arange(1, longest + 1) / usual) / _LENGTH_SPREAD
            best, origin = _usual_length(cost - so_far, 0.5 * spread**2)
        cost = best + so_far
        came_from.append(origin)
    at = steps
    bounds = [at]
    for origin in reversed(came_from[1:]):
        at = int(origin[at])
        bounds.append(at)
    return bounds[::-1]


def _mismatch(features: Floats, kind: _Kind, *, rest: bool) -> Floats:
    db = (features[:, 0] - kind.db) / kind.db_spread
    high = (features[:, 1] - kind.high) / kind.high_spread
    if rest:  # no silence is too silent
        db = np.maximum(db, 0.0)
    cost: Floats = _SOUND_WEIGHT * (0.5 * (db**2 + high**2) + np.log(kind.db_spread * kind.high_spread))
    return cost


def _any_length(cost: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """The least cost up to each step, and the step where it was."""
    best = np.minimum.accumulate(cost)
    newest = np.where(cost <= best, np.arange(len(cost)), 0)
    return best, np.maximum.accumulate(newest)


def _usual_length(cost: Floats, length_cost: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """The least cost at each step of having begun 1 to ``len(length_cost)`` steps before, and the step it began."""
    longest = len(length_cost)
    padded = np.concatenate([np.full(longest, np.inf), cost])
    # row t holds the costs at t - longest … t - 1
    begun = np.lib.stride_tricks.sliding_window_view(padded, longest)[: len(cost)] + length_cost[::-1]
    back = begun.argmin(axis=1)
    return begun[np.arange(len(cost)), back], np.maximum(0, np.arange(len(cost)) - longest + back)


def _times(symbols: Sequence[str], states: Sequence[_State], bounds: Sequence[int]) -> tuple[SymbolTime, ...]:
    """Each state's time, shared evenly by its symbols."""
    times: list[SymbolTime] = []
    start = 0.0
    for state, bound in zip(states, bounds, strict=True):
        end = float(bound * STEP_MS)
        count = state.end - state.first
        for index in range(count):
            share = (end - start) / count
            symbol = symbols[state.first + index]
            times.append(SymbolTime(symbol, start + index * share, start + (index + 1) * share))
        start = end
    return tuple(times)
