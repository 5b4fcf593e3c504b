"""A voice of an OpenAI-compatible service over real HTTP: as it should be, down, slow, wrong and too much."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
from pydantic import SecretStr
from tests.fakes.voice_service import Answer, VoiceService, voice_service, wav

from sothebais.agent.voice.fallback import VoiceChain
from sothebais.agent.voice.openai_speech import ANSWER_BYTES_MAX, REQUESTS_MAX, OpenAISpeech
from sothebais.agent.voice.piper import PiperVoice
from sothebais.agent.voice.ports import Speech, VoiceFailed
from sothebais.clock import SystemClock
from sothebais.errors import InvalidInput, Overloaded

CLOCK = SystemClock()
TEXT = "We have a first bid of two ether from the collector in the front row."
KEY = "sk-never-to-be-seen"


def soon(ms: int = 20_000) -> int:
    return CLOCK.now() + ms


@pytest.fixture(scope="module")
def embedded() -> Iterator[PiperVoice]:
    voice = PiperVoice(CLOCK)
    asyncio.run(voice.start())
    yield voice
    asyncio.run(voice.close())


@pytest.fixture(scope="module")
def spoken(embedded: PiperVoice) -> Speech:
    """Real speech, for the service to send."""
    return asyncio.run(embedded.synthesise(TEXT, deadline=soon()))


@contextlib.asynccontextmanager
async def asking(url: str, embedded: PiperVoice) -> AsyncIterator[OpenAISpeech]:
    voice = OpenAISpeech(CLOCK, url, "onyx", "tts-9", SecretStr(KEY), embedded.phonemizer)
    await voice.start()
    try:
        yield voice
    finally:
        await voice.close()


async def test_a_service_is_asked_as_its_protocol_says_and_its_sound_gets_word_times(
    embedded: PiperVoice, spoken: Speech
) -> None:
    silence = np.zeros(spoken.rate, np.float32)
    body = wav(np.concatenate([silence, spoken.pcm, silence]), spoken.rate)
    async with voice_service(Answer(body=body)) as service, asking(service.url, embedded) as voice:
        speech = await voice.synthesise(TEXT, deadline=soon(), pace=1.1)
    assert service.asked == [{"model": "tts-9", "voice": "onyx", "input": TEXT, "response_format": "wav", "speed": 1.1}]
    assert service.headers[0][":path"] == "POST /v1/audio/speech HTTP/1.1"
    assert service.headers[0]["authorization"] == f"Bearer {KEY}"
    assert speech.voice == "tts-9:onyx"
    assert speech.duration_ms == pytest.approx(spoken.duration_ms, abs=60)
    assert [word.text for word in speech.words] == TEXT.split()
    errors = [abs(a.start_ms - b.start_ms) for a, b in zip(speech.words, spoken.words, strict=True)]
    assert sum(error < 80 for error in errors) / len(errors) >= 0.85
    assert {opening for _, opening in speech.mouth} >= {0, 1, 2}


async def test_bare_pcm_of_24_khz_is_taken_too(embedded: PiperVoice, spoken: Speech) -> None:
    body = (spoken.pcm * 32_767).astype("<i2").tobytes()
    async with voice_service(Answer(kind="audio/pcm", body=body)) as service, asking(service.url, embedded) as voice:
        speech = await voice.synthesise(TEXT, deadline=soon())
    assert speech.rate == 24_000


async def test_a_service_that_stumbles_once_is_asked_once_more(embedded: PiperVoice, spoken: Speech) -> None:
    good = Answer(body=wav(spoken.pcm, spoken.rate))
    for stumble in (Answer(status=503), Answer(status=429), Answer(body=good.body, cut=True)):
        async with voice_service(stumble, good) as service, asking(service.url, embedded) as voice:
            assert (await voice.synthesise(TEXT, deadline=soon())).duration_ms > 1_000
        assert len(service.asked) == 2


async def test_a_service_that_keeps_stumbling_is_asked_twice_and_no_more(embedded: PiperVoice) -> None:
    async with voice_service(Answer(status=500)) as service, asking(service.url, embedded) as voice:
        with pytest.raises(VoiceFailed, match="status 500"):
            await voice.synthesise(TEXT, deadline=soon())
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(status=401), "status 401"),
        (Answer(status=302, headers={"location": "http://127.0.0.1:1/"}), "status 302"),
        (Answer(body=b"<html>nothing here</html>"), "no sound that can be read"),
        (Answer(kind="audio/mpeg", body=b"ID3\x04" + b"\xff" * 5_000), "no sound that can be read"),
        (Answer(body=wav(np.zeros(60_000, np.float32), 24_000)), "0 ms of sound"),
        (Answer(body=wav(0.3 * np.sin(np.arange(4_000) * 0.1), 24_000)), "ms of sound for a text"),
        (Answer(body=wav(0.3 * np.sin(np.arange(48_000 * 40) * 0.1), 48_000)), "ms of sound for a text"),
    ],
    ids=["no key", "elsewhere", "a page", "another format", "silence", "a beep", "a drone"],
)
async def test_what_cannot_be_the_speech_is_refused_without_asking_again(
    embedded: PiperVoice, answer: Answer, reason: str
) -> None:
    async with voice_service(answer) as service, asking(service.url, embedded) as voice:
        with pytest.raises(VoiceFailed, match=reason) as refused:
            await voice.synthesise(TEXT, deadline=soon())
    assert len(service.asked) == 1
    assert voice.requests == 0
    assert KEY not in str(refused.value)


async def test_an_answer_is_read_up_to_its_bound_and_not_past_it(embedded: PiperVoice) -> None:
    async with (
        voice_service(Answer(body=b"x" * 1_000_000, repeat=6)) as service,
        asking(service.url, embedded) as voice,
    ):
        assert ANSWER_BYTES_MAX == 6_000_000
        with pytest.raises(VoiceFailed, match="no sound that can be read"):
            await voice.synthesise(TEXT, deadline=soon())
    endless = Answer(body=b"x" * 1_000_000, repeat=500)
    async with voice_service(endless) as service, asking(service.url, embedded) as voice:
        with pytest.raises(VoiceFailed, match="more than 6000000 bytes"):
            await voice.synthesise(TEXT, deadline=soon())


async def test_a_slow_service_is_left_at_the_deadline(embedded: PiperVoice) -> None:
    async with voice_service(Answer(late=True)) as service, asking(service.url, embedded) as voice:
        began = CLOCK.monotonic()
        with pytest.raises(VoiceFailed, match="in time"):
            await voice.synthesise(TEXT, deadline=soon(300))
        assert CLOCK.monotonic() - began < 3
    assert voice.requests == 0


async def test_more_texts_than_may_be_asked_for_at_once_are_refused(embedded: PiperVoice) -> None:
    async with voice_service(Answer(late=True)) as service, asking(service.url, embedded) as voice:
        waiting = [asyncio.create_task(voice.synthesise(TEXT, deadline=soon())) for _ in range(REQUESTS_MAX)]
        while voice.requests < REQUESTS_MAX:
            await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await voice.synthesise(TEXT, deadline=soon())
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert voice.requests == 0


async def test_when_the_service_is_down_the_embedded_voice_speaks_instead(embedded: PiperVoice) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        async with asking(url, embedded) as voice:
            chain = VoiceChain(CLOCK, [voice, embedded])
            speech = await chain.synthesise(TEXT, deadline=soon())
    assert speech.voice == embedded.name
    assert chain.failed == {"tts-9:onyx": 1}
    assert [word.text for word in speech.words] == TEXT.split()


async def test_when_the_service_is_slow_the_embedded_voice_still_speaks_in_time(embedded: PiperVoice) -> None:
    async with voice_service(Answer(late=True)) as service, asking(service.url, embedded) as voice:
        chain = VoiceChain(CLOCK, [voice, embedded])
        speech = await chain.synthesise("Sold!", deadline=soon(3_000))
    assert speech.voice == embedded.name


async def test_a_text_with_nothing_to_say_is_not_sent(embedded: PiperVoice) -> None:
    service: VoiceService
    async with voice_service(Answer(status=500)) as service, asking(service.url, embedded) as voice:
        with pytest.raises(InvalidInput):
            await voice.synthesise("  ", deadline=soon())
    assert service.asked == []
