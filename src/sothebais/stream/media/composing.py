"""The thread that draws: one picture per frame, from the state that is right at the instant it shows."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from sothebais.instants import Millis
from sothebais.stream.beforehand import Beforehand
from sothebais.stream.compositor import Composer
from sothebais.stream.media.messages import Fault
from sothebais.stream.media.pace import Pace
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes import Scene, builtin
from sothebais.stream.show import Artwork, Notice, OnAir, ShowState
from sothebais.stream.stage import Programme
from sothebais.stream.yuv import FrameRing, Pixels

log = structlog.get_logger(__name__)

#: States that may lie ahead.
STATES_MAX: Final = 8
#: A fault that goes on is told again after so long.
FAULT_AGAIN_S: Final = 5.0


class Composed(Struct, frozen=True):
    """A picture for the encoder. ``buffer`` stays as it is for three frames more."""

    frame: int
    buffer: Pixels
    at: float
    position: str | None


class Slot:
    """Hands pictures from the composer to the encoder; the newest counts."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._held: deque[Composed] = deque(maxlen=2)

    def put(self, composed: Composed) -> None:
        """Hand on; an older one that nobody took is forgotten."""
        with self._news:
            self._held.append(composed)
            self._news.notify()

    def take(self, frame: int, left: Callable[[], float]) -> Composed | None:
        """The picture of this frame as soon as it is there; when time is up the newest before it, else none.

        Whoever asks for a frame that is no longer held gets the oldest that is: what it had before is being painted over.
        """
        with self._news:
            while not self._held or self._held[-1].frame < frame:
                wait = left()
                if wait <= 0:
                    break
                self._news.wait(wait)
            newest = self._held.popleft() if self._held else None
            while self._held and self._held[0].frame <= frame:
                newest = self._held.popleft()
            return newest


class Ahead:
    """What is shown when: the state that is on, and those that follow by themselves."""

    def __init__(self, state: ShowState, position: str | None) -> None:
        self._lock = threading.Lock()
        self._states: deque[tuple[Millis, ShowState, str | None]] = deque([(0, state, position)])

    def put(self, since: Millis, state: ShowState, position: str | None) -> None:
        """A state and when it begins. What was to come at its time or later is no longer true."""
        with self._lock:
            while len(self._states) > 1 and self._states[-1][0] >= since:
                self._states.pop()
            if self._states[-1][0] >= since:
                self._states.pop()
            self._states.append((since, state, position))
            if len(self._states) > STATES_MAX + 1:
                # what is on stays until the next but one: a state is never shown before its time
                del self._states[1]

    def at(self, t: float) -> tuple[ShowState, str | None]:
        """The state that is right at an instant."""
        with self._lock:
            while len(self._states) > 1 and self._states[1][0] <= t:
                self._states.popleft()
            return self._states[0][1:]

    def change(self, edit: Callable[[ShowState], ShowState]) -> None:
        """The same states, edited."""
        with self._lock:
            self._states = deque((since, edit(state), position) for since, state, position in self._states)


class Composing(threading.Thread):
    """Draws until told to stop. A scene that cannot be drawn gives way to those the house brings along."""

    def __init__(
        self,
        width: int,
        height: int,
        pace: Pace,
        ahead: Ahead,
        pictures: HeldPictures,
        slot: Slot,
        tell: Callable[[Fault], None],
        hang_live: Callable[[tuple[str | None, str | None]], None] = lambda _scenes: None,
    ) -> None:
        super().__init__(name="composing", daemon=True)
        self._size = width, height
        self._pace, self._ahead, self._slot, self._tell = pace, ahead, slot, tell
        self._pictures, self._hang_live = pictures, hang_live
        self._own = False
        self._composer = self._make(())
        self._beforehand = Beforehand(self._composer)
        self._ring = FrameRing(width, height)
        self._last: Pixels | None = None
        self._asked: tuple[Scene, ...] | None = None
        self._refresh = False
        self._stall_s = 0.0
        self._stopping = False
        self._told: dict[str, float] = {}
        self.milliseconds: deque[float] = deque(maxlen=1_024)

    def scenes(self, wanted: Iterable[Scene]) -> None:
        """Have these scenes, beside those that are built in, from the next frame on."""
        self._asked = tuple(wanted)

    def refresh(self) -> None:
        """A picture has come: paint anew."""
        self._refresh = True

    def stall(self, seconds: float) -> None:
        """Stand still, as a fault would."""
        self._stall_s = seconds

    def stop(self) -> None:
        """Leave after the frame in hand."""
        self._stopping = True

    def run(self) -> None:
        """One picture per frame; whatever is late is left out."""
        frame = self._pace.now() + 1
        while not self._stopping:
            left = self._pace.left(frame)
            if left > 0:
                time.sleep(left)
            if self._stall_s:
                wait, self._stall_s = self._stall_s, 0.0
                time.sleep(wait)
            try:
                self._compose(frame)
            except Exception as error:  # noqa: BLE001 - whatever a scene does, the picture goes on
                self._failed(error)
            frame = max(frame + 1, self._pace.now())

    def _compose(self, frame: int) -> None:
        if self._asked is not None:
            asked, self._asked = self._asked, None
            self._composer = self._make(asked)
            self._beforehand = Beforehand(self._composer)
            self._ring = FrameRing(*self._size)
            self._last = None
        if self._refresh:
            self._refresh = False
            self._composer.compositor.refresh()
        at = self._pace.at(frame)
        state, position = self._ahead.at(at)
        begun = time.perf_counter()
        self._hang_live((state.on_air.scene, state.on_air.previous))
        rects = self._composer.compose(state, round(at))
        if rects or self._last is None:
            # whatever stays the same is sent again as it is
            self._last = self._ring.publish(self._composer.compositor.pixels, rects).buffer
        self.milliseconds.append((time.perf_counter() - begun) * 1_000)
        self._slot.put(Composed(frame, self._last, at, position))
        # the picture is on its way: what is left of the frame's time is for what comes next
        self._beforehand.look(state, round(at))
        self._beforehand.paint(lambda: self._pace.left(frame + 1))

    def _make(self, own: tuple[Scene, ...]) -> Composer:
        named = {scene.name: scene for scene in builtin.scenes_for(*self._size)}
        named.update({scene.name: scene for scene in own})
        self._own = bool(own)
        return Composer(Programme(named.values(), *self._size), self._pictures)

    def _failed(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"[:300]
        now = time.monotonic()
        if now - self._told.get(text, -FAULT_AGAIN_S) >= FAULT_AGAIN_S:
            self._told = {text: now}
            log.error("stream.compose_failed", exc_info=error)
            self._tell(Fault("COMPOSER", text))
        if self._own:
            self._asked = ()
        else:
            self._refresh = True


class SlatePicture:
    """The slate, drawn by whoever needs it: a composer of its own, asked once a second."""

    def __init__(self, width: int, height: int, pictures: HeldPictures) -> None:
        self._composer = Composer(Programme(builtin.scenes_for(width, height), width, height), pictures)
        self.notice = Notice("The picture will be back in a moment.", "Bids are taken as before.")
        self._drawn_at = -1
        black = self._composer.compositor
        self._composer.frame.convert(black.pixels, [black.canvas])
        self._lock = threading.Lock()

    def copy(self, state: ShowState, t: float) -> Pixels:
        """One for whoever keeps it."""
        with self._lock:
            return self._at(state, t).copy()

    def at(self, state: ShowState, t: float) -> Pixels:
        """The I420 frame of the slate, good until the next is asked for."""
        with self._lock:
            return self._at(state, t)

    def _at(self, state: ShowState, t: float) -> Pixels:
        second = int(t // 1_000)
        if second != self._drawn_at:
            self._drawn_at = second
            shown = ShowState(on_air=OnAir("slate", 0), campaign=state.campaign, notice=self.notice, clock=state.clock)
            try:
                self._composer.render(shown, second * 1_000)
            except Exception:
                # the last thing that may fail: then what was drawn before stays, at first nothing but darkness
                log.exception("stream.slate_failed")
        return self._composer.frame.buffer


def with_artworks(state: ShowState, known: dict[str, Artwork]) -> ShowState:
    """The state with what decoding found out about its pictures."""

    def of[S: Struct](value: S) -> S:
        artwork: Artwork | None = getattr(value, "artwork", None)
        found = known.get(artwork.ref) if artwork is not None else None
        if found is None or found == artwork:
            return value
        changed: S = replace(value, artwork=found)
        return changed

    return replace(
        state,
        lot=None if state.lot is None else of(state.lot),
        upcoming=tuple(of(one) for one in state.upcoming),
        results=tuple(of(one) for one in state.results),
    )
