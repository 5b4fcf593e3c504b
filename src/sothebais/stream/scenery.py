"""What a broadcast can show: its scenes at their revisions, the pictures they need, and the state as it is shown."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog
from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.catalog.assets import AssetStore
from sothebais.clock import Clock
from sothebais.errors import SothebaisError
from sothebais.instants import Millis
from sothebais.stream import scene_store
from sothebais.stream.assets import repository as assets
from sothebais.stream.commands import Desired
from sothebais.stream.direction import put_on
from sothebais.stream.media import messages as m
from sothebais.stream.scenes import Scene, builtin, dump
from sothebais.stream.show import Notice, OnAir, ShowState

log = structlog.get_logger(__name__)

#: Pictures that are sent and not yet decoded.
IN_HAND_MAX: Final = 3
#: A picture is waited for so long before the next is sent all the same.
IN_HAND_S: Final = 5.0
#: One that found no room is not sent again before so long.
SEND_AGAIN_S: Final = 10.0
PICTURE_BYTES_MAX: Final = m.MESSAGE_BYTES_MAX - 4_096

NO_BOOKS: Final = Notice(
    "The house cannot reach its books just now.", "No bid is taken until it can. Lots get back the time that is lost."
)
#: What is said before anything is known.
OPENING: Final = ShowState(on_air=OnAir("slate"), notice=Notice("The house is about to open."))


class Scenery:
    """The programme of one broadcast. ``send`` tells the media process, if there is one."""

    def __init__(
        self,
        engine: AsyncEngine,
        store: AssetStore,
        desired: Desired,
        clock: Clock,
        *,
        send: Callable[[m.ToMedia], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        fault: Callable[[str, str], None],
    ) -> None:
        self._engine, self._store = engine, store
        self._send, self._spawn, self._fault = send, spawn, fault
        self._built_in = {scene.name: scene for scene in builtin.scenes_for(desired.width, desired.height)}
        self._stored: dict[str, Scene] = {}
        self._revisions: dict[str, int] = {}
        self._assets: dict[str, str] = {}
        #: References with the key they were sent for: an asset that was replaced is sent again.
        self._artworks: tuple[str, ...] = ()
        #: Pictures by what scenes call them, with the key in the asset store that was sent.
        self._sent: dict[str, str] = {}
        self._gone: dict[str, float] = {}
        self._in_hand: set[str] = set()
        self._decoded = asyncio.Event()
        self._begun = self._hanging = self._closed = False
        self._clock = clock
        self._distrusted: tuple[str, int] | None = None
        self._without_books: Millis | None = None
        self.desired = desired
        #: Whether the database cannot be reached.
        self.no_books = False

    async def want(self, desired: Desired) -> None:
        """Operators want something else."""
        before, self.desired = self.desired, desired
        if (desired.revisions, desired.override) != (before.revisions, before.override):
            await self.learn()

    async def learn(self) -> None:
        """Read the programme: stored scenes in the place of built-in ones, the operator's at its own revision."""
        try:
            async with self._engine.connect() as connection:
                stored = await scene_store.programme(connection, self.desired.orientation)
                wanted = {one.name: one for one in stored if one.revision}
                scenes = {name: one.scene for name, one in wanted.items()}
                override = self.desired.override
                if override is not None and override.revision:
                    scenes[override.name] = override.scene
                sources = sorted({ref for scene in scenes.values() for ref in scene_store.sources(scene)})
                rows = await assets.resolve(connection, sources)
        except (DBAPIError, PoolTimeout, OSError) as error:
            log.warning("stream.scenes_not_read", error=type(error).__name__)
            return
        self._stored = scenes
        self._revisions = {name: one.revision for name, one in wanted.items()}
        if override is not None and override.revision:
            self._revisions[override.name] = override.revision
        self._assets = {reference: row.path for reference, row in rows.items()}
        self._send(m.Scenes(self.documents()))
        self._hang()

    def documents(self) -> list[bytes]:
        """The stored scenes, for the media process."""
        return [dump(scene).encode() for scene in self._stored.values()]

    def scene(self, name: str) -> Scene | None:
        """A scene of the programme."""
        return self._stored.get(name) or self._built_in.get(name)

    def revision(self, name: str) -> int:
        """The revision of it that is shown; 0 of a built-in one."""
        return self._revisions.get(name, 0)

    def distrust(self) -> bool:
        """The operator's scene cannot be drawn: show the auction instead. False when there is none to blame."""
        override = self.desired.override
        if override is None or not override.revision:
            return False
        self._distrusted = (override.name, override.revision)
        return True

    def chosen_by_operator(self, name: str) -> bool:
        """Whether an operator put this scene on; the log has it from them then."""
        desired = self.desired
        if desired.slate is not None:
            return name == "slate"
        return desired.override is not None and desired.override.name == name

    def as_shown(self, state: ShowState, now: Millis) -> ShowState:
        """The state with what only the stream-manager knows."""
        if self.no_books:
            # since when it is so, not since this state: the slate comes on once
            self._without_books = self._without_books or now
            return replace(put_on(state, "slate", self._without_books), notice=NO_BOOKS)
        self._without_books = None
        name, slate = state.on_air.scene, self.desired.slate
        if slate is not None and name == "slate":
            return replace(state, notice=Notice(slate.sentence, slate.meaning or state.notice.meaning))
        if self.scene(name) is None or self._distrusted == (name, self.revision(name)):
            fallback = "auction" if state.lot is not None else "intermission"
            return replace(state, on_air=OnAir(fallback, state.on_air.since))
        return state

    # pictures

    def begin(self) -> None:
        """A media process that knows nothing yet."""
        self._begun = True
        self._sent.clear()
        self._gone.clear()
        self._in_hand.clear()
        self._decoded.set()
        self._hang()

    def close(self) -> None:
        """No more pictures are needed."""
        self._closed = True
        self._decoded.set()

    def hang(self, state: ShowState) -> None:
        """Have the pictures sent that this state shows and that were not sent yet."""
        self._artworks = artworks_of(state)
        self._hang()

    def decoded(self, ref: str) -> None:
        """A picture that was sent is ready, or is none."""
        self._in_hand.discard(ref)
        self._decoded.set()

    def gone(self, ref: str) -> None:
        """The media process had no room for it any more."""
        self._sent.pop(ref, None)
        self._gone[ref] = self._clock.monotonic()

    def _hang(self) -> None:
        if self._begun and not self._hanging and not self._closed and self._next() is not None:
            self._hanging = True
            self._spawn(self._send_pictures())

    def _next(self) -> tuple[str, str] | None:
        """The picture that is to be sent next, and its key in the asset store: the scenes' first, then the lots'."""
        soonest = self._clock.monotonic() - SEND_AGAIN_S
        for reference, key in (*self._assets.items(), *((key, key) for key in self._artworks)):
            if self._sent.get(reference) != key and self._gone.get(reference, float("-inf")) <= soonest:
                return reference, key
        return None

    async def _send_pictures(self) -> None:
        """One after the other: a day's pictures at once would be more than a process can take."""
        try:
            while not self._closed and (found := self._next()) is not None:
                reference, key = found
                self._sent[reference] = key
                await self._send_picture(reference, key)
                while len(self._in_hand) >= IN_HAND_MAX and not self._closed:
                    self._decoded.clear()
                    try:
                        await asyncio.wait_for(self._decoded.wait(), IN_HAND_S)
                    except TimeoutError:
                        self._in_hand.clear()
        finally:
            self._hanging = False

    async def _send_picture(self, reference: str, key: str) -> None:
        try:
            data = await asyncio.to_thread(self._store.get, key)
        except SothebaisError as error:
            self._fault("ASSET", f"{reference}: {error.message}")
            return
        if len(data) > PICTURE_BYTES_MAX:
            self._fault("ASSET", f"{reference} has {len(data):,} bytes; at most {PICTURE_BYTES_MAX:,} can be shown")
            return
        self._in_hand.add(reference)
        self._send(m.Picture(reference, data))


def artworks_of(state: ShowState) -> tuple[str, ...]:
    """The assets that a state shows: the lot's first, then those of the lots that come."""
    shown = [] if state.lot is None else [state.lot.artwork]
    shown += [one.artwork for one in state.upcoming]
    return tuple(dict.fromkeys(artwork.ref for artwork in shown if artwork.ref))
