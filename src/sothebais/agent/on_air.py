"""The host's voice on the stream: a line becomes events and sound, sentence by sentence, the first one early."""

import asyncio
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais import sound
from sothebais.agent import records, spoken
from sothebais.agent.model import Line, MoodName
from sothebais.agent.voice.fallback import VoiceChain
from sothebais.agent.voice.ports import Speech
from sothebais.agent.voice.sentences import rest_after_ms, speakable_parts
from sothebais.catalog.assets import AssetStore
from sothebais.clock import Clock
from sothebais.errors import InvalidInput, SothebaisError
from sothebais.events import log as events
from sothebais.instants import Millis

log = structlog.get_logger(__name__)

FIRST_SOUND = Histogram(
    "sothebais_agent_first_sound_seconds",
    "From what is spoken about to the first sound",
    buckets=(0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0),
)
SPOKEN = Counter("sothebais_agent_lines_total", "Lines said on the stream", ["intent", "voice"])

#: Sound begins so long after its event was written: time for the stream to fetch it.
LEAD_MS: Final = 180
#: A part is made within so long, or it is silent with captions.
VOICE_DEADLINE_MS: Final = 6_000


class OnAir:
    """Speaks lines one after the other. One that is cancelled in its middle is heard no further than its present part."""

    def __init__(self, engine: AsyncEngine, assets: AssetStore, voice: VoiceChain, clock: Clock, agent: UUID) -> None:
        self._engine, self._assets, self._voice, self._clock = engine, assets, voice, clock
        self._agent = agent
        #: The pace of the voice, by the mood.
        self.pace = 1.0

    async def say(self, line: Line, *, mood: MoodName, caused_at: Millis, actor: UUID | None = None) -> UUID:
        """Say a line and wait until it has been heard; the id of its message. Raises what the database raises."""
        now = self._clock.now()
        said = records.message(self._agent, line, now, place="STREAM", mood=mood, latency=now - caused_at, actor=actor)
        async with self._engine.begin() as connection:
            await events.append(connection, [said])
        await self.speak(said.id, line.text, intent=line.intent.kind, caused_at=caused_at)
        return said.id

    async def speak(self, message: UUID, text: str, *, intent: str, caused_at: Millis) -> None:
        """Have the text of a message heard, to its end."""
        free_at: Millis = 0
        parts = speakable_parts(text)
        for index, part in enumerate(parts):
            made = await self._made(part)
            if made is None:
                continue
            now = self._clock.now()
            starts_at = max(now + LEAD_MS, free_at)
            record = records.speech(self._agent, message, part, made, starts_at, now)
            # the sound is there before anybody hears of it
            flac = await asyncio.to_thread(sound.encode, made.pcm, made.rate)
            await asyncio.to_thread(self._assets.put_speech, record.id, flac)
            async with self._engine.begin() as connection:
                await events.append(connection, [record])
            if index == 0:
                FIRST_SOUND.observe(max(0, starts_at - caused_at) / 1_000)
                SPOKEN.labels(intent, made.voice).inc()
            free_at = starts_at + made.duration_ms + (rest_after_ms(part) if index < len(parts) - 1 else 0)
        await self._clock.sleep(max(0, free_at - self._clock.now()) / 1_000)

    async def _made(self, part: str) -> Speech | None:
        try:
            return await self._voice.synthesise(
                spoken.say(part), deadline=self._clock.now() + VOICE_DEADLINE_MS, pace=self.pace
            )
        except InvalidInput as error:
            # nothing in it can be said aloud; it was written all the same
            log.info("agent.part_not_spoken", reason=error.message)
            return None
        except SothebaisError as error:
            log.warning("agent.voice_failed", reason=error.message)
            return None
