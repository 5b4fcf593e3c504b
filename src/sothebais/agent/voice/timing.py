"""When each phoneme, and so each word, sounds; and how long phonemes last when nobody measured. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sothebais.agent.voice.ports import SpokenWord
from sothebais.agent.voice.symbols import MARKS, Utterance, is_sound


@dataclass(frozen=True, slots=True)
class SymbolTime:
    """A symbol of an utterance and when it lasts, in ms from the start of the sound."""

    symbol: str
    start_ms: float
    end_ms: float


#: Mean length of each symbol in ms as the embedded voice speaks 50 sentences of an auction, rounded to 5; a mark of
#: stress or length adds to the vowel it belongs to. Rests are as long as a calm speaker's.
LENGTHS_MS: Final[Mapping[str, float]] = {
    **dict.fromkeys("fjɐ", 35.0),
    **dict.fromkeys("bmpɡ", 40.0),
    **dict.fromkeys("luvwðəɪɹʃʌˌː", 45.0),
    **dict.fromkeys(" adeikntæɑɔɾʊ", 50.0),
    **dict.fromkeys("osŋɛθ", 55.0),
    **dict.fromkeys("hzɚˈ", 60.0),
    **dict.fromkeys("ɜ", 70.0),
    **dict.fromkeys(",:", 150.0),
    **dict.fromkeys(";", 180.0),
    **dict.fromkeys("!.?", 200.0),
}
LENGTH_MS_ELSE: Final = 50.0


def from_lengths(
    symbols: Sequence[str], lengths_ms: Sequence[float], *, start_ms: float = 0.0
) -> tuple[SymbolTime, ...]:
    """Symbols laid end to end."""
    times, at = [], start_ms
    for symbol, length in zip(symbols, lengths_ms, strict=True):
        times.append(SymbolTime(symbol, at, at + length))
        at += length
    return tuple(times)


def estimate(symbols: Sequence[str], *, pace: float = 1.0) -> tuple[float, ...]:
    """How long each symbol would last at a calm pace, in ms."""
    return tuple(LENGTHS_MS.get(symbol, LENGTH_MS_ELSE) / pace for symbol in symbols)


def words(utterance: Utterance, times: Sequence[SymbolTime], *, length_ms: int) -> tuple[SpokenWord, ...]:
    """When each run of the text sounds, within ``length_ms``. A silent run has no length, where the one before ended."""
    found: list[SpokenWord] = []
    at = 0
    for run in utterance.runs:
        sounding = [time for time in times[run.first : run.end] if is_sound(time.symbol) or time.symbol in MARKS]
        if sounding:
            start = min(max(round(sounding[0].start_ms), at), length_ms)
            at = min(max(round(sounding[-1].end_ms), start), length_ms)
            found.append(SpokenWord(run.text, start, at))
        else:
            found.append(SpokenWord(run.text, at, at))
    return tuple(found)
