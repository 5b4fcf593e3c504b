"""Paints what the host is about to show while nothing else is to do.

A face that was never shown costs some 10 ms in each of its steps, and so do the beaks and lids that come with it. All of
them follow from the state as soon as it is known, so they are painted in the time between two frames.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from sothebais.instants import Millis
from sothebais.stream.compositor import Composer
from sothebais.stream.layers import Key
from sothebais.stream.scenes.model import HostElement
from sothebais.stream.show import HostLook, ShowState

#: It looks so far ahead, in at most so many steps.
AHEAD_MS: Final = 1_500
STEPS_MAX: Final = 32
#: Nothing is begun with less time than this before the next frame: what is painted takes up to 5 ms.
LEFT_S_MIN: Final = 0.010


class Beforehand:
    """``look`` with each frame's state, then ``paint`` in the time that is left. Belongs to the composer's thread."""

    def __init__(self, composer: Composer) -> None:
        self._composer = composer
        self._look: tuple[HostLook, str] | None = None
        self._waiting: deque[tuple[Key, int, int]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def look(self, state: ShowState, t: Millis) -> None:
        """See what the host will show, once for each look and scene."""
        now = (state.host, state.on_air.scene)
        if now == self._look:
            return
        self._look = now
        self._waiting = deque(self._coming(state, t))

    def paint(self, left_s: Callable[[], float]) -> None:
        """Paint as long as ``left_s`` says that there is time."""
        while self._waiting and left_s() > LEFT_S_MIN:
            self._composer.compositor.surfaces.get(*self._waiting.popleft())

    def _coming(self, state: ShowState, t: Millis) -> dict[tuple[Key, int, int], None]:
        surfaces = self._composer.compositor.surfaces
        stage = self._composer.programme.stages[state.on_air.scene]
        found: dict[tuple[Key, int, int], None] = {}
        for placed in stage.placed:
            if not isinstance(placed.element, HostElement):
                continue
            at = t
            for _ in range(STEPS_MAX):
                shown = stage.element(placed, state, at)
                for layer in shown.layers:
                    wanted = (layer.key, layer.rect.w, layer.rect.h)
                    if wanted not in surfaces:
                        found[wanted] = None
                at = shown.until
                if at > t + AHEAD_MS:
                    break
        return found
