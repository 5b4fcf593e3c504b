"""A show drawn again from its log, frame by frame: the same states at the same instants as the live composer's.

Nothing here reads a clock or a database: ``render`` reads the log and hands in facts, events and scenes.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Final
from uuid import UUID

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from sothebais.errors import InvalidInput
from sothebais.instants import Millis
from sothebais.sound import decode
from sothebais.stream.audio.mixer import BLOCK_MAX, Clip, Mixer
from sothebais.stream.audio.resample import to_house_rate
from sothebais.stream.audio.signals import RATE, SAMPLES_PER_MS
from sothebais.stream.chronicle import Chronicle
from sothebais.stream.compositor import Composer
from sothebais.stream.facts import Told
from sothebais.stream.scenes import Scene, builtin
from sothebais.stream.show import OnAir, ShowState
from sothebais.stream.show_pictures import ShowPictures
from sothebais.stream.stage import Programme
from sothebais.stream.yuv import Pixels

#: The longest stretch that is rendered at once.
STRETCH_MS_MAX: Final = 6 * 3_600_000
SIDE_MIN, SIDE_MAX = 64, 3_840
FPS_MAX: Final = 60
#: A speech that began so long before the stretch may still be heard in it.
SPEECH_BEFORE_MS: Final = 120_000


class Stretch(Struct, frozen=True, kw_only=True):
    """What is rendered: from ``begin`` up to ``end``, at this size and rate."""

    begin: Millis
    end: Millis
    width: int
    height: int
    fps: int

    @property
    def frames(self) -> int:
        """How many pictures that are."""
        return max(1, (self.end - self.begin) * self.fps // 1_000)

    def at(self, frame: int) -> Millis:
        """The server time a picture shows."""
        return self.begin + round(frame * 1_000 / self.fps)

    def check(self) -> None:
        """Raise InvalidInput, naming what, for a stretch that cannot be rendered."""
        if self.end <= self.begin:
            raise InvalidInput("--from must be before --to.", field="from")
        if self.end - self.begin > STRETCH_MS_MAX:
            raise InvalidInput(f"At most {STRETCH_MS_MAX // 3_600_000} hours are rendered at once.", field="to")
        if not 1 <= self.fps <= FPS_MAX:
            raise InvalidInput(f"--fps must be 1 to {FPS_MAX}.", field="fps")
        for side in (self.width, self.height):
            if not SIDE_MIN <= side <= SIDE_MAX or side % 2:
                raise InvalidInput(
                    f"--size: {self.width}x{self.height}: both sides must be even, from {SIDE_MIN} to {SIDE_MAX}.",
                    field="size",
                )


class SceneRevision(Struct, frozen=True):
    """A stored scene and since when it is there."""

    name: str
    revision: int
    at: Millis
    scene: Scene


class Rendered(Struct, frozen=True):
    """A picture: ``buffer`` (I420) is good until the next one is asked for."""

    frame: int
    at: Millis
    state: ShowState
    buffer: Pixels


class Rendering:
    """Draws a stretch. ``chronicle`` has taken every event up to its begin, ``events`` are those after it, in order."""

    def __init__(
        self,
        stretch: Stretch,
        chronicle: Chronicle,
        events: Sequence[Told],
        pictures: ShowPictures,
        scenes: Sequence[SceneRevision] = (),
    ) -> None:
        stretch.check()
        self.stretch = stretch
        self._chronicle = chronicle
        self._events = events
        self._pictures = pictures
        self._scenes = scenes
        self._own = {scene.name: scene for scene in builtin.scenes_for(stretch.width, stretch.height)}

    def frames(self) -> Generator[Rendered]:
        """Every picture in turn."""
        stretch, place = self.stretch, 0
        composer: Composer | None = None
        on: dict[str, Scene] = {}
        state: ShowState | None = None
        shown: ShowState | None = None
        for frame in range(stretch.frames):
            t = stretch.at(frame)
            while place < len(self._events) and self._events[place].at <= t:
                self._chronicle.apply(self._events[place])
                place += 1
            now = self._chronicle.state(t)
            scenes = self._scenes_at(t)
            if composer is None or scenes != on:
                on, state = scenes, None
                composer = Composer(Programme(on.values(), stretch.width, stretch.height), self._pictures)
            if now is not state or shown is None:
                # the same object while nothing changes, so that the composer asks nothing anew
                state, shown = now, _known(self._pictures.hung(now), on)
            composer.render(shown, t)
            yield Rendered(frame, t, shown, composer.frame.buffer)

    def _scenes_at(self, t: Millis) -> dict[str, Scene]:
        """The scenes of an instant: built-in ones, those stored by then, and the revision an operator has on air."""
        if not self._scenes:
            return self._own
        found = dict(self._own)
        newest: dict[str, int] = {}
        for stored in self._scenes:
            if stored.at <= t and stored.revision > newest.get(stored.name, 0):
                newest[stored.name] = stored.revision
                found[stored.name] = stored.scene
        if (operator := self._chronicle.operator) is not None:
            name, revision = operator
            for stored in self._scenes:
                if (stored.name, stored.revision) == (name, revision):
                    found[name] = stored.scene
            if revision == 0 and name in self._own:
                found[name] = self._own[name]
        return found


def _known(state: ShowState, scenes: Mapping[str, Scene]) -> ShowState:
    """The state on a scene that there is: another ratio of picture may lack the one that was on air."""
    on_air = state.on_air
    if on_air.scene not in scenes:
        return replace(state, on_air=OnAir("auction" if state.lot is not None else "intermission", on_air.since))
    if on_air.previous is not None and on_air.previous not in scenes:
        return replace(state, on_air=replace(on_air, previous=None))
    return state


class Soundtrack:
    """What was said, as it was heard; silence where its files are not kept."""

    def __init__(self, stretch: Stretch, speeches: Sequence[Told], read: Callable[[UUID], bytes | None]) -> None:
        self._stretch = stretch
        self._mixer = Mixer()
        self._first = stretch.begin * SAMPLES_PER_MS
        self._told = 0
        self._waiting = sorted(speeches, key=lambda told: told.data["starts_at"])
        self._read = read
        #: Speeches whose file was found, and was not.
        self.found, self.missing = 0, 0

    def block(self, frame: int) -> NDArray[np.float32]:
        """The samples that are heard while a picture is shown."""
        until = (frame + 1) * RATE // self._stretch.fps
        if self._told == 0:
            self._lead_in()
        self._load(self._first + until)
        parts = []
        while self._told < until:
            count = min(BLOCK_MAX, until - self._told)
            parts.append(self._mixer.mix(self._first + self._told, count))
            self._told += count
        return np.concatenate(parts, axis=1) if parts else np.zeros((2, 0), np.float32)

    def _lead_in(self) -> None:
        """Mix what was heard before, so that a speech is in its middle where it was."""
        earliest = min((told.data["starts_at"] for told in self._waiting), default=self._stretch.begin)
        at = max(earliest, self._stretch.begin - SPEECH_BEFORE_MS) * SAMPLES_PER_MS
        while at < self._first:
            count = min(BLOCK_MAX, self._first - at)
            self._load(at + count)
            self._mixer.mix(at, count)
            at += count

    def _load(self, until: int) -> None:
        """Hand on the speeches that begin soon; only a few are held at a time."""
        while self._waiting and (self._waiting[0].data["starts_at"] - 1_000) * SAMPLES_PER_MS <= until:
            told = self._waiting.pop(0)
            encoded = self._read(told.id)
            if encoded is None:
                self.missing += 1
                continue
            samples, rate = decode(encoded)
            self.found += 1
            self._mixer.speak(Clip(told.id, to_house_rate(samples, rate), told.data["starts_at"]))
