"""Several voices as one that always answers."""

from collections.abc import Callable

import numpy as np
import pytest
from pydantic import SecretStr

from sothebais.agent.voice.build import build_voice
from sothebais.agent.voice.fallback import FAILURES_MAX, RESERVE_MS, REST_MS, VoiceChain
from sothebais.agent.voice.openai_speech import OpenAISpeech
from sothebais.agent.voice.piper import PiperVoice
from sothebais.agent.voice.ports import Speech, SpokenWord, VoiceFailed
from sothebais.agent.voice.silent import SILENT, SilentVoice
from sothebais.clock import Millis
from sothebais.config import Settings
from sothebais.errors import ConfigurationError, InvalidInput, Overloaded

NOW = 1_000_000


class SetClock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.ms = NOW

    def now(self) -> Millis:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1_000

    async def sleep(self, seconds: float) -> None:
        self.ms += round(seconds * 1_000)


class Voice:
    """Says what it is told to say, or fails as it is told to."""

    def __init__(
        self, name: str, clock: SetClock, failure: Callable[[], Exception] | None = None, takes_ms: int = 0
    ) -> None:
        self.name, self.clock, self.failure, self.takes_ms = name, clock, failure, takes_ms
        self.deadlines: list[Millis] = []
        self.unusable = self.closed = False

    async def start(self) -> None:
        if self.unusable:
            raise VoiceFailed("no weights")

    async def synthesise(self, text: str, *, deadline: Millis, pace: float = 1.0) -> Speech:
        self.deadlines.append(deadline)
        self.clock.ms += self.takes_ms
        if self.failure is not None:
            raise self.failure()
        words = tuple(SpokenWord(run, 0, 10) for run in text.split())
        return Speech(np.ones(200, np.float32), 8_000, words, ((0, 1),), self.name)

    async def close(self) -> None:
        self.closed = True


def failing() -> Exception:
    return VoiceFailed("down")


async def test_the_first_voice_that_can_speaks_and_leaves_time_for_the_others() -> None:
    clock = SetClock()
    first, second = Voice("first", clock, failing, takes_ms=200), Voice("second", clock)
    chain = VoiceChain(clock, [first, second])
    speech = await chain.synthesise("Sold!", deadline=NOW + 5_000)
    assert speech.voice == "second"
    assert first.deadlines == [NOW + 5_000 - RESERVE_MS]
    assert second.deadlines == [NOW + 5_000]
    await chain.synthesise("Sold!", deadline=clock.ms + 1_000)
    assert first.deadlines[1] == clock.ms - 200 + 500
    assert chain.failed == {"first": 2}
    assert chain.spoken == {"second": 2}


async def test_when_no_voice_can_speak_captions_go_on_in_silence() -> None:
    clock = SetClock()
    chain = VoiceChain(clock, [Voice("one", clock, failing), Voice("two", clock, lambda: Overloaded("full"))])
    speech = await chain.synthesise("Going once. — Sold!", deadline=NOW + 5_000)
    assert speech.voice == SILENT
    assert not speech.pcm.any()
    assert [word.text for word in speech.words] == ["Going", "once.", "—", "Sold!"]
    assert speech.mouth == ((0, 0),)


async def test_after_the_deadline_no_voice_is_asked_but_captions_still_come() -> None:
    clock = SetClock()
    slow, never = Voice("slow", clock, failing, takes_ms=2_000), Voice("never", clock)
    speech = await VoiceChain(clock, [slow, never]).synthesise("Sold!", deadline=NOW + 2_000)
    assert speech.voice == SILENT
    assert never.deadlines == []


async def test_a_voice_that_keeps_failing_rests_and_is_asked_again_later() -> None:
    clock = SetClock()
    bad = Voice("bad", clock, failing)
    chain = VoiceChain(clock, [bad, Voice("good", clock)])
    for _ in range(FAILURES_MAX - 1):
        await chain.synthesise("Sold!", deadline=clock.ms + 5_000)
    assert chain.name == "bad"
    await chain.synthesise("Sold!", deadline=clock.ms + 5_000)
    assert chain.name == "good"
    await chain.synthesise("Sold!", deadline=clock.ms + 5_000)
    assert len(bad.deadlines) == FAILURES_MAX
    clock.ms += REST_MS
    bad.failure = None
    assert (await chain.synthesise("Sold!", deadline=clock.ms + 5_000)).voice == "bad"


async def test_a_voice_that_cannot_work_here_is_left_out_from_the_start() -> None:
    clock = SetClock()
    lame = Voice("lame", clock)
    lame.unusable = True
    chain = VoiceChain(clock, [lame])
    await chain.start()
    assert chain.name == SILENT
    assert (await chain.synthesise("Sold!", deadline=NOW + 5_000)).voice == SILENT
    assert lame.deadlines == []
    await chain.close()
    assert lame.closed


async def test_a_text_that_no_voice_could_say_is_refused_and_nobody_is_blamed() -> None:
    clock = SetClock()
    voice = Voice("voice", clock)
    chain = VoiceChain(clock, [voice])
    for text in ("", "x" * 1_001):
        with pytest.raises(InvalidInput):
            await chain.synthesise(text, deadline=NOW + 5_000)
    assert voice.deadlines == []
    assert chain.failed == {} == chain.spoken


async def test_what_a_voice_cannot_pronounce_is_shown_in_silence_and_nobody_is_blamed() -> None:
    clock = SetClock()
    chain = VoiceChain(clock, [Voice("voice", clock, lambda: InvalidInput("nothing to say"))])
    speech = await chain.synthesise("🎉 🎉", deadline=NOW + 5_000)
    assert (speech.voice, [word.text for word in speech.words]) == (SILENT, ["🎉", "🎉"])
    assert chain.failed == {}


async def test_streamed_parts_hold_the_whole_text_each_with_its_rest() -> None:
    clock = SetClock()
    chain = VoiceChain(clock, [Voice("voice", clock)])
    text = "Going once. Going twice! Sold."
    parts = [part async for part in chain.stream(text, deadline=NOW + 5_000)]
    assert [word.text for part in parts for word in part.words] == text.split()
    assert [len(part.pcm) for part in parts] == [200 + 1_440, 200 + 1_440, 200]
    assert parts[0].mouth == ((0, 1), (25, 0))


async def test_silence_is_as_long_as_a_reader_needs_and_shorter_at_a_quicker_pace() -> None:
    voice = SilentVoice()
    text = "The reserve is met, and this piece will be sold tonight."
    calm = await voice.synthesise(text, deadline=0)
    quick = await voice.synthesise(text, deadline=0, pace=1.25)
    assert 3_000 <= calm.duration_ms <= 6_000
    assert quick.duration_ms == pytest.approx(calm.duration_ms / 1.25, abs=2)
    ends = [time for word in calm.words for time in (word.start_ms, word.end_ms)]
    assert ends == sorted(ends)
    assert ends[-1] <= calm.duration_ms


def test_the_settings_choose_the_voices_and_say_what_is_missing() -> None:
    clock = SetClock()
    assert [type(voice) for voice in build_voice(Settings(), clock).voices] == [PiperVoice]
    assert build_voice(Settings(agent_voice="none"), clock).voices == []
    chain = build_voice(
        Settings(agent_voice="openai", agent_voice_url="http://127.0.0.1:1/v1", agent_voice_key=SecretStr("s3cret")),
        clock,
    )
    assert [type(voice) for voice in chain.voices] == [OpenAISpeech, PiperVoice]
    assert "s3cret" not in repr(chain)
    with pytest.raises(ConfigurationError, match="agent_voice_url"):
        build_voice(Settings(agent_voice="openai"), clock)
