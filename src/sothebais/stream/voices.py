"""What a broadcast has heard: speech of the host as its events say, and the cues that go with the scenes."""

import asyncio
from collections.abc import Callable
from typing import Final
from uuid import UUID

from sothebais.catalog.assets import AssetStore
from sothebais.clock import Clock
from sothebais.errors import SothebaisError
from sothebais.instants import Millis
from sothebais.stream.audio.cues import Cue
from sothebais.stream.facts import Told
from sothebais.stream.media import messages as m

#: Speech that should have begun so long ago is not begun any more.
STALE_SPEECH_MS: Final = 4_000
_CUES: Final = {"auction": Cue.LOT_OPENING, "closing": Cue.FAIR_WARNING, "sold": Cue.SOLD}
_STILL_THE_LOT: Final = frozenset({"auction", "closing", "pause"})


class Voices:
    """``send`` tells the media process; ``fault`` has a fault logged."""

    def __init__(
        self,
        assets: AssetStore,
        clock: Clock,
        *,
        send: Callable[[m.ToMedia], None],
        fault: Callable[[str, str], None],
    ) -> None:
        self._assets, self._clock = assets, clock
        self._send, self._fault = send, fault
        #: What is heard or will be, and until when.
        self._spoken: dict[UUID, Millis] = {}
        #: In the order of the log, however long a file takes to be read.
        self._turn = asyncio.Lock()

    async def speak(self, told: Told) -> None:
        """Have an ``agent:speech`` heard at its instant; its sound is fetched from the asset store."""
        async with self._turn:
            starts_at = int(told.data["starts_at"])
            if starts_at < self._clock.now() - STALE_SPEECH_MS:
                return
            try:
                flac = await asyncio.to_thread(self._assets.speech, told.id)
            except SothebaisError as error:
                self._fault("AUDIO", error.message)
                return
            # one voice: what begins before the end of what was said earlier cuts that off
            for earlier in [one for one, until in self._spoken.items() if starts_at < until]:
                self._send(m.Hush(earlier))
            self._spoken = {told.id: starts_at + int(told.data["duration"])} | {
                one: until for one, until in self._spoken.items() if self._clock.now() < until <= starts_at
            }
            self._send(m.Speak(told.id, flac, starts_at))

    def scene_changed(self, scene: str, previous: str | None) -> None:
        """Sound what belongs to a scene that comes on; a lot that goes on is not opened again."""
        cue = _CUES.get(scene)
        if cue is not None and previous is not None and not (scene == "auction" and previous in _STILL_THE_LOT):
            self._send(m.Cue(cue, self._clock.now()))
