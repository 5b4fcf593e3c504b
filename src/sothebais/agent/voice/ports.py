"""What the house asks of a voice, and what a voice gives back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sothebais.errors import InvalidInput, Unavailable
from sothebais.instants import Millis

type Pcm = NDArray[np.float32]

#: A text is spoken up to this length; the host's lines are far shorter.
TEXT_LENGTH_MAX: Final = 1_000
#: How much faster or slower than its own pace a voice may speak.
PACE_MIN: Final = 0.7
PACE_MAX: Final = 1.4


class VoiceFailed(Unavailable):
    """This voice cannot speak this text now; another voice may."""

    code = "VOICE_FAILED"
    title = "The voice does not speak at the moment"


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A run of the text between blanks and when it sounds, from the start of the speech."""

    text: str
    start_ms: Millis
    end_ms: Millis


@dataclass(frozen=True, slots=True)
class Speech:
    """Sound and what the picture needs to go with it.

    ``words`` are exactly ``text.split()`` of what was asked for, in order, their times never going backwards; a run
    that makes no sound has no length. ``mouth`` is (from this ms on, opening 0 shut to 3 wide), starting at 0.
    """

    pcm: Pcm  # mono, −1 to 1
    rate: int  # samples a second
    words: tuple[SpokenWord, ...]
    mouth: tuple[tuple[Millis, int], ...]
    voice: str

    @property
    def duration_ms(self) -> Millis:
        """Length of the sound, rounded up."""
        return -(-len(self.pcm) * 1_000 // self.rate)


class SpeechSynthesizer(Protocol):
    """Turns text into speech. Text comes normalised: amounts, handles and numbers already as words."""

    @property
    def name(self) -> str:
        """The voice, as events name it."""

    async def start(self) -> None:
        """Load and warm what is slow the first time. Raises VoiceFailed when this voice cannot work here."""

    async def synthesise(self, text: str, *, deadline: Millis, pace: float = 1.0) -> Speech:
        """Speak ``text``, done by the instant ``deadline``; ``pace`` 1.1 is a tenth faster than usual.

        Raises VoiceFailed (too late, too busy, engine or service down) and InvalidInput (nothing to say, too long).
        """

    async def close(self) -> None:
        """Let threads and connections go."""


def check(text: str, pace: float) -> None:
    """Raise InvalidInput for a text or a pace that no voice takes."""
    if not text.strip():
        raise InvalidInput("There is nothing to say in this text.", field="text")
    if len(text) > TEXT_LENGTH_MAX:
        raise InvalidInput(f"At most {TEXT_LENGTH_MAX} characters are spoken at once.", field="text")
    if not PACE_MIN <= pace <= PACE_MAX:
        raise InvalidInput(f"pace is between {PACE_MIN} and {PACE_MAX}.", field="pace")


def rested(speech: Speech, rest_ms: Millis) -> Speech:
    """The speech with silence after it, the mouth shut."""
    shut = speech.mouth if speech.mouth[-1][1] == 0 else (*speech.mouth, (speech.duration_ms, 0))
    silence = np.zeros(speech.rate * rest_ms // 1_000, np.float32)
    return replace(speech, pcm=np.concatenate([speech.pcm, silence]), mouth=shut)


def join(parts: Sequence[Speech]) -> Speech:
    """Parts of one voice and rate, one after the other, as one speech."""
    first = parts[0]
    if len(parts) == 1:
        return first
    words: list[SpokenWord] = []
    mouth: list[tuple[Millis, int]] = []
    samples = 0
    for part in parts:
        if (part.rate, part.voice) != (first.rate, first.voice):
            raise ValueError("only parts of one voice can be joined")
        offset = samples * 1_000 // first.rate
        words += [SpokenWord(word.text, word.start_ms + offset, word.end_ms + offset) for word in part.words]
        mouth += [(at + offset, opening) for at, opening in part.mouth]
        samples += len(part.pcm)
    changes = [shape for index, shape in enumerate(mouth) if index == 0 or shape[1] != mouth[index - 1][1]]
    pcm = np.concatenate([part.pcm for part in parts])
    return replace(first, pcm=pcm, words=tuple(words), mouth=tuple(changes))
