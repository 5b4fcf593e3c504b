"""A voice of an OpenAI-compatible service: ``POST {url}/audio/speech`` (https://platform.openai.com/docs/api-reference/audio).

The service gives sound only; when each word sounds is found by laying the text along it. Whatever the service does,
this voice answers in time: with speech that can be the text's, or with VoiceFailed.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import httpx
from pydantic import SecretStr

from sothebais.agent.voice import align, loudness, mouth, timing
from sothebais.agent.voice.phonemes import Phonemizer
from sothebais.agent.voice.ports import Pcm, Speech, VoiceFailed, check
from sothebais.agent.voice.wav import NotSound, read_pcm, read_wav
from sothebais.clock import Clock, Millis
from sothebais.errors import Overloaded

REQUESTS_MAX: Final = 4
#: A minute of 48 kHz in 16 bits, and some; a longer answer is read no further.
ANSWER_BYTES_MAX: Final = 6_000_000
CONNECT_S: Final = 3.0
#: One more try, this much later, where trying again may help and there is time for it.
RETRY_AFTER_S: Final = 0.2
RETRY_TIME_MS_MIN: Final = 400
#: Speech is taken for the text's when it is not so much shorter or longer than a calm speaker's.
LENGTH_RATIO_MIN: Final = 0.3
LENGTH_RATIO_MAX: Final = 3.0
LENGTH_SPARE_MS: Final = 1_500
_PCM_RATE: Final = 24_000
_AGAIN: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_PATH: Final = "/audio/speech"


class _TryAgain(Exception):
    """The service did not answer this time."""


@dataclass
class OpenAISpeech:
    """One voice of one service."""

    clock: Clock
    url: str  # up to and with /v1
    voice: str
    model: str
    key: SecretStr | None = None
    phonemizer: Phonemizer = field(default_factory=Phonemizer)
    requests: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        headers = {"user-agent": "sothebais", "accept": "audio/wav, audio/pcm"}
        if self.key is not None:
            headers["authorization"] = f"Bearer {self.key.get_secret_value()}"
        self._address = self.url.rstrip("/").removesuffix(_PATH) + _PATH
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(None, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=REQUESTS_MAX, max_keepalive_connections=1),
            follow_redirects=False,  # the key is for this address only
            trust_env=False,
        )

    @property
    def name(self) -> str:
        """Model and voice."""
        return f"{self.model}:{self.voice}"

    async def start(self) -> None:
        """Load the dictionaries. The service itself may come and go."""
        await asyncio.to_thread(self.phonemizer.load)

    async def synthesise(self, text: str, *, deadline: Millis, pace: float = 1.0) -> Speech:
        """The whole text in one request, and one more when the first is not answered."""
        check(text, pace)
        if self.requests >= REQUESTS_MAX:
            raise Overloaded(f"{REQUESTS_MAX} texts are with the voice service already.")
        self.requests += 1
        try:
            async with asyncio.timeout(max(0, deadline - self.clock.now()) / 1_000):
                pcm, rate = await self._ask(text, deadline=deadline, pace=pace)
                return await asyncio.to_thread(self._speech, text, pcm, rate, pace)
        except TimeoutError:
            raise VoiceFailed("The voice service did not answer in time.") from None
        finally:
            self.requests -= 1

    async def close(self) -> None:
        """Let connections go."""
        await self._client.aclose()

    async def _ask(self, text: str, *, deadline: Millis, pace: float) -> tuple[Pcm, int]:
        try:
            return await self._ask_once(text, pace)
        except _TryAgain as error:
            if deadline - self.clock.now() < RETRY_TIME_MS_MIN:
                raise VoiceFailed(f"The voice service does not answer: {error}") from error
        await self.clock.sleep(RETRY_AFTER_S)
        try:
            return await self._ask_once(text, pace)
        except _TryAgain as error:
            raise VoiceFailed(f"The voice service does not answer: {error}") from error

    async def _ask_once(self, text: str, pace: float) -> tuple[Pcm, int]:
        """Raises _TryAgain where another try may help, VoiceFailed where not."""
        asked = {
            "model": self.model,
            "voice": self.voice,
            "input": text,
            "response_format": "wav",
            "speed": round(pace, 2),
        }
        try:
            async with self._client.stream("POST", self._address, json=asked) as answer:
                if answer.status_code in _AGAIN:
                    raise _TryAgain(f"status {answer.status_code}")
                if answer.status_code != 200:
                    raise VoiceFailed(f"The voice service refused with status {answer.status_code}.")
                kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
                body = await _bounded(answer)
        except httpx.HTTPError as error:
            raise _TryAgain(type(error).__name__) from error
        try:
            return read_pcm(body, _PCM_RATE) if kind in {"audio/pcm", "audio/l16"} else read_wav(body)
        except NotSound as error:
            raise VoiceFailed(f"The voice service sent no sound that can be read: {error}.") from error

    def _speech(self, text: str, raw: Pcm, rate: int, pace: float) -> Speech:
        utterance = self.phonemizer.utterance(text)
        usual_ms = sum(timing.estimate(utterance.symbols, pace=pace))
        pcm, _ = loudness.finished(raw, rate)
        length_ms = len(pcm) * 1_000 // rate
        if not usual_ms * LENGTH_RATIO_MIN <= length_ms <= usual_ms * LENGTH_RATIO_MAX + LENGTH_SPARE_MS:
            raise VoiceFailed(f"The voice service sent {length_ms} ms of sound for a text of about {usual_ms:.0f} ms.")
        try:
            times = align.align(pcm, rate, utterance.symbols)
        except ValueError as error:
            raise VoiceFailed(f"The voice service sent sound that does not fit the text: {error}.") from error
        return Speech(
            pcm=pcm,
            rate=rate,
            words=timing.words(utterance, times, length_ms=length_ms),
            mouth=mouth.shapes(times, length_ms=length_ms),
            voice=self.name,
        )


async def _bounded(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise VoiceFailed(f"The voice service sent more than {ANSWER_BYTES_MAX} bytes.")
    return bytes(body)
