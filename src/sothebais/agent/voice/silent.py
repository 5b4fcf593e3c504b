"""The voice that says nothing: when no other can speak, the show goes on with captions."""

from typing import Final

import numpy as np

from sothebais.agent.voice.ports import Speech, SpokenWord, check
from sothebais.instants import Millis

SILENT: Final = "none"
RATE: Final = 22_050
#: How long a reader needs: for each run, for each letter of it, and after a mark.
_RUN_MS: Final = 130
_LETTER_MS: Final = 55
_MARK_MS: Final = {",": 150, ";": 200, ":": 200, ".": 350, "!": 350, "?": 350, "…": 350}
_LETTERS_MAX: Final = 40


class SilentVoice:
    """Silence as long as the text would take, with word times for captions and a mouth that stays shut.

    It needs no dictionary, no thread and no time, so it cannot fail.
    """

    name: str = SILENT

    async def start(self) -> None:
        """Nothing to load."""

    async def synthesise(self, text: str, *, deadline: Millis, pace: float = 1.0) -> Speech:
        """Silence; ``deadline`` is met at once."""
        del deadline
        check(text, pace)
        return _silence(text, pace)

    async def close(self) -> None:
        """Nothing to let go."""


def _silence(text: str, pace: float) -> Speech:
    words: list[SpokenWord] = []
    at = 0.0
    for run in text.split():
        start = at
        at += (_RUN_MS + _LETTER_MS * min(len(run), _LETTERS_MAX)) / pace
        words.append(SpokenWord(run, round(start), round(at)))
        at += _MARK_MS.get(run[-1], 0) / pace
    return Speech(np.zeros(round(at * RATE / 1_000), np.float32), RATE, tuple(words), ((0, 0),), SILENT)
