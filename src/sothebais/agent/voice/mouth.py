"""How far the mouth is open, from the phonemes and their times. Pure.

A drawing changes at most every ``STEP_MS``; what matters to the eye is that the mouth is shut on m, b, p and in pauses,
and wide on open vowels, so closures win over what stands beside them.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sothebais.agent.voice.symbols import MARKS
from sothebais.agent.voice.timing import SymbolTime

#: A mouth shape is held at least so long: two frames of 30 a second.
STEP_MS: Final = 70
OPENING_MAX: Final = 3
#: A closure this long within a step shuts the mouth for the step.
_CLOSURE_MS: Final = 22.0
#: A rest shorter than this is no pause, only the gap between two words.
_REST_MS: Final = 60.0

_OPENINGS: Final[Mapping[str, float]] = {
    **dict.fromkeys("ɑaæ", 3.0),
    **dict.fromkeys("ʌɔoɛɜɐ", 2.4),
    **dict.fromkeys("əɚeɒ", 1.8),
    **dict.fromkeys("ɪʊiuᵻ", 1.3),
    **dict.fromkeys("jwɹlhŋ", 1.0),
    **dict.fromkeys("tdnkɡszʃʒθðɾʔ", 0.8),
    **dict.fromkeys("fv", 0.5),
    **dict.fromkeys("mbp", 0.0),
}
_CLOSED: Final = frozenset("mbp")
_VOWELS: Final = frozenset("ɑaæʌɔoɛɜɐəɚeɒɪʊiuᵻ")
_VOWEL_WEIGHT: Final = 3.0


def shapes(times: Sequence[SymbolTime], *, length_ms: int) -> tuple[tuple[int, int], ...]:
    """(at ms, opening) wherever the opening changes, starting at 0 and ending shut, never closer than ``STEP_MS``."""
    spans = _spans(times)
    steps = -(-length_ms // STEP_MS)
    openings: list[int] = []
    first = 0
    for step in range(steps):
        start, end = step * STEP_MS, (step + 1) * STEP_MS
        while first < len(spans) and spans[first][2] <= start:
            first += 1
        openings.append(_opening(spans, first, start, end))
    _without_flicker(openings)
    if openings and openings[-1]:
        openings[-1] = 0
    found = [(0, openings[0] if openings else 0)]
    for step, opening in enumerate(openings):
        if opening != found[-1][1]:
            found.append((step * STEP_MS, opening))
    return tuple(found)


def _spans(times: Sequence[SymbolTime]) -> list[tuple[str, float, float]]:
    """Sounds and rests in time; stress is part of the vowel after it, length of the one before."""
    spans: list[tuple[str, float, float]] = []
    pending: float | None = None
    for time in times:
        if time.symbol in "ˈˌ":
            pending = time.start_ms if pending is None else pending
        elif time.symbol in MARKS and spans:
            symbol, start, _ = spans[-1]
            spans[-1] = (symbol, start, time.end_ms)
        else:
            start = time.start_ms if pending is None else pending
            spans.append((time.symbol, start, time.end_ms))
            pending = None
    return spans


def _opening(spans: Sequence[tuple[str, float, float]], first: int, start: float, end: float) -> int:
    weighted = weights = closed = rest = 0.0
    for symbol, since, until in spans[first:]:
        if since >= end:
            break
        shared = min(until, end) - max(since, start)
        if shared <= 0:
            continue
        opening = _OPENINGS.get(symbol)
        if opening is None:
            rest += shared if until - since >= _REST_MS else 0.0
            continue
        if symbol in _CLOSED:
            closed += shared
        weight = shared * (_VOWEL_WEIGHT if symbol in _VOWELS else 1.0)
        weighted += opening * weight
        weights += weight
    length = end - start
    if closed >= _CLOSURE_MS or rest >= length / 2 or not weights:
        return 0
    return min(OPENING_MAX, max(1, round(weighted / weights)))


def _without_flicker(openings: list[int]) -> None:
    """A single step that differs by one from two equal neighbours, and is no closure, follows them."""
    for at in range(1, len(openings) - 1):
        before, here, after = openings[at - 1 : at + 2]
        if before == after and abs(here - before) == 1 and here and before:
            openings[at] = before
