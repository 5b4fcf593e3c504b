"""Phoneme symbols and the runs of text they belong to. Pure."""

from dataclasses import dataclass
from typing import Final

#: Where the voice rests.
PAUSES: Final = frozenset(".,;:!?")
#: Stress before a vowel, length after one.
MARKS: Final = frozenset("ˈˌː")


@dataclass(frozen=True, slots=True)
class PhonemeRun:
    """A run of the text and its phonemes: ``symbols[first:end]`` of the utterance, none when it is silent."""

    text: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Utterance:
    """Phoneme symbols, one code point each, with blanks between words and punctuation where the voice pauses."""

    symbols: tuple[str, ...]
    runs: tuple[PhonemeRun, ...]


def is_sound(symbol: str) -> bool:
    """Whether a symbol is a phoneme, not a blank, a mark or a pause."""
    return symbol.isalpha() and symbol not in MARKS
