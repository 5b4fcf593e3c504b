"""The host's voice on the stream: a line becomes sound and events, part by part, the first one early.

The log says what is heard: a part's event is written when the part is nearly due, so what is cut off before that was
never told. The sound of the next part is made while the present one is heard.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

import structlog
from msgspec import Struct
from msgspec.structs import replace
from prometheus_client import Counter, Histogram
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais import ids, sound
from sothebais.agent import records, spoken
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
VOICE = Histogram(
    "sothebais_agent_voice_seconds",
    "Time to make and keep the sound of a part",
    buckets=(0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 6.0),
)
SPOKEN = Counter("sothebais_agent_lines_total", "Lines said on the stream", ["intent", "voice"])

#: Sound begins so long after its event was written: time for the stream to fetch it.
LEAD_MS: Final = 120
#: Of later parts, which are there before they are due.
LATER_LEAD_MS: Final = 400
#: A part is made within so long, or it is silent with captions.
VOICE_DEADLINE_MS: Final = 6_000
#: People wait for the first part, so it ends at an earlier comma where there is one.
FIRST_PART_LENGTH_MAX: Final = 48
#: … and where what is left of its sentence is worth a part of its own.
SECOND_PART_LENGTH_MIN: Final = 16
#: How long words that nobody hears stay on the picture.
READ_MS_PER_CHARACTER: Final = 65
READ_MS_MIN: Final = 2_500


class Ready(Struct, frozen=True):
    """A part with its sound, kept under the id its event will have; no sound where none could be made or kept."""

    part: str
    sound: Speech | None
    id: UUID


class Saying(Struct, frozen=True, kw_only=True):
    """What is said, and why: ``caused_at`` is when that happened which it is about."""

    message: UUID
    text: str
    parts: tuple[str, ...]
    intent: str
    caused_at: Millis


def parts_of(text: str) -> tuple[str, ...]:
    """A text as it is spoken, part by part."""
    whole = speakable_parts(text)
    short = speakable_parts(text, first_length_max=FIRST_PART_LENGTH_MAX)
    cut = len(short) > len(whole) and not short[0][-1].isalnum() and len(short[1]) >= SECOND_PART_LENGTH_MIN
    return short if cut else whole


class OnAir:
    """Speaks lines one after the other. One that is cancelled in its middle is heard no further than its present part."""

    def __init__(self, engine: AsyncEngine, assets: AssetStore, voice: VoiceChain, clock: Clock, agent: UUID) -> None:
        self._engine, self._assets, self._voice, self._clock = engine, assets, voice, clock
        self.agent = agent
        #: The pace of the voice, by the mood.
        self.pace = 1.0

    async def prepare(self, part: str) -> Ready:
        """Make the sound of a part, and keep it where the stream will look for it."""
        begun = self._clock.monotonic()
        event = ids.new_id()
        made = await self._made(part)
        if made is not None and not await self._kept(event, made):
            made = None
        VOICE.observe(self._clock.monotonic() - begun)
        return Ready(part, made, event)

    async def speak(
        self,
        saying: Saying,
        first: Ready,
        *,
        told: Sequence[events.Record] = (),
        holds: Callable[[int], Awaitable[bool]] | None = None,
    ) -> None:
        """Have a line heard, to its end. ``told`` is written with its first part.

        ``holds`` is asked before each later part whether it still is as the line says; where it is not, the line ends
        there. Raises what the database raises.
        """
        ahead: asyncio.Task[Ready] | None = None
        free_at: Millis = 0
        heard = False
        try:
            for index, part in enumerate(saying.parts):
                ready = first if ahead is None else await ahead
                if index + 1 < len(saying.parts):
                    ahead = asyncio.create_task(self.prepare(saying.parts[index + 1]))
                if index:
                    await self._until(free_at - LATER_LEAD_MS)
                    if holds is not None and not await holds(index):
                        break
                free_at = await self._begin(saying, ready, index, told if index == 0 else (), free_at)
                heard = heard or ready.sound is not None
                if ready.sound is not None and index + 1 < len(saying.parts):
                    free_at += rest_after_ms(part)
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)
        if not heard:
            free_at = self._clock.now() + max(READ_MS_MIN, len(saying.text) * READ_MS_PER_CHARACTER)
        await self._until(free_at)

    async def _begin(
        self, saying: Saying, ready: Ready, index: int, told: Sequence[events.Record], free_at: Millis
    ) -> Millis:
        """Tell of a part; when the air is free again."""
        now = self._clock.now()
        starts_at = max(now + LEAD_MS, free_at)
        written = list(told)
        if ready.sound is not None:
            record = records.speech(self.agent, saying.message, ready.part, ready.sound, starts_at, now)
            written.append(replace(record, id=ready.id))
        async with self._engine.begin() as connection:
            await events.append(connection, written)
        if ready.sound is None:
            return free_at
        if index == 0:
            FIRST_SOUND.observe(max(0, starts_at - saying.caused_at) / 1_000)
            SPOKEN.labels(saying.intent, ready.sound.voice).inc()
        return starts_at + ready.sound.duration_ms

    async def _made(self, part: str) -> Speech | None:
        try:
            return await self._voice.synthesise(
                spoken.say(part), deadline=self._clock.now() + VOICE_DEADLINE_MS, pace=self.pace
            )
        except InvalidInput as error:
            # nothing in it can be said aloud; it is read all the same
            log.info("agent.part_not_spoken", reason=error.message)
            return None

    async def _kept(self, event: UUID, made: Speech) -> bool:
        """Whether the sound is where the stream will look for it; without it the line is read."""
        try:
            flac = await asyncio.to_thread(sound.encode, made.pcm, made.rate)
            await asyncio.to_thread(self._assets.put_speech, event, flac)
        except SothebaisError as error:
            log.warning("agent.sound_not_kept", reason=error.message)
            return False
        return True

    async def _until(self, at: Millis) -> None:
        wait = at - self._clock.now()
        if wait > 0:
            await self._clock.sleep(wait / 1_000)
