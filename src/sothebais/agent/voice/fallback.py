"""Several voices as one that always answers: the first that can, and silence with captions at the last."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from sothebais.agent.voice.ports import Speech, SpeechSynthesizer, VoiceFailed, check, rested
from sothebais.agent.voice.sentences import rest_after_ms, speakable_parts
from sothebais.agent.voice.silent import SilentVoice
from sothebais.clock import Clock, Millis
from sothebais.errors import InvalidInput, Overloaded

#: Kept for the voices after this one, when there is as much; else they get half of what there is.
RESERVE_MS: Final = 1_500
#: After so many failures in a row a voice is not asked for a while.
FAILURES_MAX: Final = 3
REST_MS: Final = 30_000

log = structlog.get_logger(__name__)


@dataclass
class _Place:
    voice: SpeechSynthesizer
    failures: int = 0
    rests_until: Millis = 0
    works: bool = True


@dataclass
class VoiceChain:
    """The voices in order of preference; silence is always the last. ``spoken`` and ``failed`` count by voice."""

    clock: Clock
    voices: Sequence[SpeechSynthesizer]
    spoken: dict[str, int] = field(default_factory=dict, init=False)
    failed: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._places = [_Place(voice) for voice in self.voices]
        self._silent = SilentVoice()

    @property
    def name(self) -> str:
        """The voice that would be asked now."""
        return next((place.voice.name for place in self._places if self._may_speak(place)), self._silent.name)

    async def start(self) -> None:
        """Start every voice. One that cannot work here is left out and said so, once."""
        for place in self._places:
            try:
                await place.voice.start()
            except VoiceFailed as error:
                place.works = False
                log.warning("voice.unusable", voice=place.voice.name, reason=error.message)

    async def synthesise(self, text: str, *, deadline: Millis, pace: float = 1.0) -> Speech:
        """Speech by the first voice that can, else silence with captions.

        InvalidInput, for a text that is empty or too long or a pace out of bounds, is the only error.
        """
        check(text, pace)
        able = [place for place in self._places if self._may_speak(place)]
        for index, place in enumerate(able):
            left = deadline - self.clock.now()
            if left <= 0:
                break
            kept = min(RESERVE_MS, left // 2) if index < len(able) - 1 else 0
            try:
                speech = await place.voice.synthesise(text, deadline=deadline - kept, pace=pace)
            except InvalidInput:  # nothing that this voice can pronounce: nobody's failure, and captions can show it
                continue
            except (VoiceFailed, Overloaded) as error:
                self._note_failure(place, error)
                continue
            place.failures = 0
            return self._counted(speech)
        return self._counted(await self._silent.synthesise(text, deadline=deadline, pace=pace))

    async def stream(self, text: str, *, deadline: Millis, pace: float = 1.0) -> AsyncIterator[Speech]:
        """The text part by part, the first one short, so that it can be heard while the rest is made.

        The parts' words, one after the other, are ``text.split()``. Parts may differ in voice and rate when a voice
        fails between two of them.
        """
        check(text, pace)
        parts = speakable_parts(text)
        for part in parts[:-1]:
            yield rested(await self.synthesise(part, deadline=deadline, pace=pace), rest_after_ms(part))
        yield await self.synthesise(parts[-1], deadline=deadline, pace=pace)

    async def close(self) -> None:
        """Close every voice."""
        for place in self._places:
            await place.voice.close()

    def _may_speak(self, place: _Place) -> bool:
        return place.works and self.clock.now() >= place.rests_until

    def _note_failure(self, place: _Place, error: VoiceFailed | Overloaded) -> None:
        name = place.voice.name
        self.failed[name] = self.failed.get(name, 0) + 1
        place.failures += 1
        if place.failures >= FAILURES_MAX:
            place.failures = 0
            place.rests_until = self.clock.now() + REST_MS
        log.warning("voice.failed", voice=name, reason=error.message, rests=place.rests_until > self.clock.now())

    def _counted(self, speech: Speech) -> Speech:
        self.spoken[speech.voice] = self.spoken.get(speech.voice, 0) + 1
        return speech
