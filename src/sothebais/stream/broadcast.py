"""One broadcast, from its first frame to its end: keeps a media process, tells it what to show, tells the house how it is.

Whatever ends the media process, another begins; whatever the database does, the picture goes on and says so.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import structlog
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.catalog.assets import AssetStore
from sothebais.clock import Clock
from sothebais.config import Settings
from sothebais.instants import Millis
from sothebais.state import models
from sothebais.state.store import StateStore
from sothebais.stream import publishing, records
from sothebais.stream.books import Books
from sothebais.stream.captions import CaptionTrack
from sothebais.stream.commands import Desired
from sothebais.stream.facts import Told
from sothebais.stream.fairness import Fairness, Lots
from sothebais.stream.follower import Change, Follower, HouseNow
from sothebais.stream.media import messages as m
from sothebais.stream.media.child import MediaChild
from sothebais.stream.output_states import OutputStates, format_of, inputs_of
from sothebais.stream.outputs.model import OutputReport
from sothebais.stream.preview import Preview
from sothebais.stream.publishing import StreamStates
from sothebais.stream.rate import RateControl
from sothebais.stream.scenery import OPENING, Scenery
from sothebais.stream.show import ShowState
from sothebais.stream.stills import FrameRequests
from sothebais.stream.voices import Voices

log = structlog.get_logger(__name__)

LOOK_S: Final = 0.25
#: A media process that says nothing for so long hangs, and is replaced.
SILENT_S_MAX: Final = 3.0
#: It may be busy for so long before its first word.
FIRST_WORD_S_MAX: Final = 15.0
#: The first state is waited for so long; then the show begins with what is known, which is nothing.
FIRST_STATE_S_MAX: Final = 3.0
RESTART_S: Final = 0.1
RESTART_S_MAX: Final = 3.0
#: One that lived so long is replaced at once.
HEALTHY_S: Final = 20.0
FOLLOWER_AGAIN_S: Final = 2.0
VIEWERS_EVERY_S: Final = 5.0


@dataclass(frozen=True)
class Parts:
    """What a broadcast is made of; ``bootstrap`` fills it."""

    settings: Settings
    clock: Clock
    engine: AsyncEngine
    dsn: str
    store: StateStore
    assets: AssetStore
    house: HouseNow
    lots: Lots


class Broadcast:
    """``await run()`` lasts until the stream is over, or until it is cancelled; then it may be gone on with."""

    def __init__(self, parts: Parts, desired: Desired, preview: Preview) -> None:
        assert desired.stream is not None
        self.id: UUID = desired.stream
        self.desired = desired
        self._parts, self._preview = parts, preview
        self._settings, self._clock = parts.settings, parts.clock
        self._states = StreamStates(parts.store, self.id)
        self._books = Books(parts.engine, self.id, parts.clock)
        self._scenery = Scenery(
            parts.engine,
            parts.assets,
            desired,
            parts.clock,
            send=self._send,
            spawn=self._spawn,
            fault=self._books.fault,
        )
        self._voices = Voices(parts.assets, parts.clock, send=self._send, fault=self._books.fault)
        self._fairness = Fairness(
            parts.lots, self._settings.stream_pause_after_s, lambda text: self._books.fault("ENCODER", text)
        )
        self._rate = RateControl(self._settings.stream_video_kbps, self._settings.stream_video_kbps_min)
        self.child: MediaChild | None = None
        self.readings: m.Readings | None = None
        self.hello: m.Hello | None = None
        self.outputs = OutputStates(self._settings, self.folder, parts.clock, self._books.tell)
        self.started_at: Millis | None = None
        self.restarts = 0
        self.viewers = self.peak = 0
        #: What was said since the broadcast began here, as it stood under the picture.
        self.captions = CaptionTrack()
        self.begun_at = self._clock.now()
        self._change: Change | None = None
        self._scene: str | None = None
        self._frames_before = self._dropped_before = 0
        self._heard_at = self._picture_at = self._clock.monotonic()
        self._frames = FrameRequests()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ending: tuple[str, UUID | None] | None = None
        self._over = asyncio.Event()
        self._follower = self._new_follower()
        self._follower_at = self._clock.monotonic()
        self._hears: dict[type, Callable[[Any], None]] = {
            m.Live: preview.take,
            m.Shown: self._shown,
            m.Readings: self._read,
            m.Hello: self._greeted,
            m.Report: lambda message: self._reported(message.report),
            m.FramePng: self._frames.take,
            m.PictureReady: self._decoded,
            m.PictureGone: lambda message: self._scenery.gone(message.ref),
            m.Spoke: self._spoke,
            m.Fault: self._media_fault,
        }

    def over(self) -> bool:
        """Whether it is to end."""
        return self._ending is not None

    @property
    def folder(self) -> Path:
        """Where its recordings lie."""
        return self._settings.data_dir / "recordings" / str(self.id)

    async def run(self) -> None:
        """Until it is over. What fails here ends this attempt; the stream-manager begins another."""
        background = [asyncio.create_task(self._books.write()), asyncio.create_task(self._watch())]
        media = asyncio.create_task(self._keep_media())
        try:
            await asyncio.wait({media, *background}, return_when=asyncio.FIRST_COMPLETED)
            for task in (*background, media):
                if task.done():
                    task.result()
            await self._end()
        finally:
            for task in (media, background[1], *self._tasks):
                task.cancel()
            await asyncio.gather(media, background[1], *self._tasks, return_exceptions=True)
            await self._follower.stop()
            if self.child is not None:
                await self.child.stop()
                self.child = None
            await self._books.close()
            background[0].cancel()
            await asyncio.gather(background[0], return_exceptions=True)

    async def want(self, desired: Desired) -> None:
        """Operators want something else; applied at once."""
        self.desired = desired
        if desired.stop is not None and not self.over():
            self.finish(desired.stop.cause, desired.stop.actor)
            return
        revisions = self._scenery.desired.revisions
        await self._scenery.want(desired)
        self._show()
        if desired.revisions != revisions:
            # the scene that is on may be another edition of itself
            self._publish()

    def finish(self, cause: str, actor: UUID | None = None) -> None:
        """End the broadcast: finish every output, then close its books."""
        if not self.over():
            self._ending = cause, actor
            self._over.set()

    async def frame(self, wide: int = 0) -> m.FramePng:
        """What is on air now, as PNG. Raises TimeoutError when the media process does not answer."""
        if self.child is None:
            raise TimeoutError
        return await self._frames.ask(self.child.send, wide)

    def wanted(self, want: m.Want) -> None:
        """Which forms of the picture somebody looks at."""
        self._send(want)

    def _send(self, message: m.ToMedia) -> None:
        if self.child is not None:
            self.child.send(message)

    # the media process

    async def _keep_media(self) -> None:
        await self._scenery.learn()
        self._follower.start()
        await self._wait_for_state()
        pause = RESTART_S
        while not self.over():
            begun = self._heard_at = self._clock.monotonic()
            self.hello = None
            logs = self._settings.data_dir / "logs"
            self.child = await MediaChild.start(self._begin(), self._heard, logs=logs)
            log.info("stream.media_started", stream=str(self.id), pid=self.child.pid)
            self._scenery.begin()
            code = await self._live(self.child)
            self.child = None
            if self.over():
                return
            lived = self._clock.monotonic() - begun
            self._media_died(code, lived)
            pause = RESTART_S if lived >= HEALTHY_S else min(pause * 2, RESTART_S_MAX)
            await self._clock.sleep(pause)

    async def _live(self, child: MediaChild) -> int:
        """The exit code of a media process, at its own end or at that of the broadcast."""
        died, over = asyncio.create_task(child.wait()), asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait({died, over}, return_when=asyncio.FIRST_COMPLETED)
            return await (child.stop(ended=True) if self.over() else died)
        finally:
            for task in (died, over):
                task.cancel()
            await asyncio.gather(died, over, return_exceptions=True)

    def _media_died(self, code: int, lived: float) -> None:
        self.restarts += 1
        publishing.RESTARTS.inc()
        log.error("stream.media_died", stream=str(self.id), exit_code=code, lived_s=round(lived, 1))
        self._books.fault("ENCODER", f"the media process ended with {code} after {lived:.0f} s", recovered=True)
        if self.readings is not None:
            self._frames_before += self.readings.frames
            self._dropped_before += self.readings.dropped_frames
            self.readings = None
        self.outputs.media_died()
        self._publish()

    async def _wait_for_state(self) -> None:
        deadline = self._clock.monotonic() + FIRST_STATE_S_MAX
        while self._change is None and not self.over() and self._clock.monotonic() < deadline:
            await self._clock.sleep(0.02)

    def _begin(self) -> m.Begin:
        settings, change = self._settings, self._change
        state = OPENING if change is None else self._scenery.as_shown(change.state, self._clock.now())
        return m.Begin(
            form=format_of(settings, self.desired, self._rate.kbps),
            codec=settings.stream_encoder,
            scenes=self._scenery.documents(),
            outputs=self.outputs.specs(),
            inputs=inputs_of(settings),
            state=m.pack(state),
            position=None if change is None else change.position,
            disk_free_bytes_min=settings.recording_free_bytes_min,
            bed=settings.stream_music,
            offset_ms=self._follower.time.offset_ms,
        )

    def _heard(self, message: m.FromMedia) -> None:
        """Everything the media process says, in its order."""
        self._heard_at = self._clock.monotonic()
        hear = self._hears.get(type(message))
        if hear is not None:
            hear(message)

    def _greeted(self, hello: m.Hello) -> None:
        self.hello = hello
        self._preview.begin(str(self.id), hello)
        self._show()

    def _shown(self, shown: m.Shown) -> None:
        self._preview.show(shown)
        self._first_frame()

    def _decoded(self, picture: m.PictureReady) -> None:
        self._scenery.decoded(picture.ref)
        if picture.fault is not None:
            self._books.fault("ASSET", f"{picture.ref}: {picture.fault}")

    def _spoke(self, spoke: m.Spoke) -> None:
        publishing.SPEECH_LATE.observe(spoke.late_ms / 1_000)
        log.info("stream.speech_began", speech=str(spoke.id), at=spoke.at, late_ms=spoke.late_ms)

    def _first_frame(self) -> None:
        if self.started_at is not None:
            return
        now = self.started_at = self._clock.now()
        scene = self._scene or "slate"
        outputs = self.outputs.names()

        async def note() -> None:
            self.started_at = await records.on_air(self._parts.engine, self.id, now, scene=scene, outputs=outputs)

        self._books.note(note)
        self._publish()

    def _read(self, readings: m.Readings) -> None:
        if self.readings is None or readings.frames > self.readings.frames:
            self._picture_at = self._clock.monotonic()
        self.readings = readings
        total = replace(
            readings,
            frames=readings.frames + self._frames_before,
            dropped_frames=readings.dropped_frames + self._dropped_before,
        )
        publishing.observe(total)
        self._spawn(self._states.readings(total))
        asked = self._rate.decide(readings.outputs, self._clock.monotonic())
        if asked is not None:
            before, kbps, cause, output = asked
            self._send(m.Rate(kbps))
            data = {
                "output": output,
                "width": self.desired.width,
                "height": self.desired.height,
                "fps": self.desired.fps,
                "bitrate_kbps": kbps,
                "previous_bitrate_kbps": before,
                "cause": cause,
            }
            self._books.tell("stream:quality", data)

    def _reported(self, report: OutputReport) -> None:
        self.outputs.reported(report)
        self._publish()

    def _media_fault(self, fault: m.Fault) -> None:
        self._books.fault(fault.component, fault.message, recovered=fault.recovered)
        if fault.component in ("COMPOSER", "SCENE") and self._scenery.distrust():
            self._show()

    # what is shown

    def _changed(self, change: Change) -> None:
        self._change = change
        self._scenery.hang(change.state)
        self._show()

    def _told(self, told: Told) -> None:
        if told.type == "agent:speech":
            self._spawn(self._voices.speak(told))

    def _show(self) -> None:
        change = self._change
        if change is None:
            return
        state = self._scenery.as_shown(change.state, self._clock.now())
        self._send(m.State(m.pack(state), change.position, change.at))
        if state.caption is not None:
            self.captions.add((state.caption,))
        if state.on_air.scene != self._scene:
            previous, self._scene = self._scene, state.on_air.scene
            self._scene_changed(state, previous)

    def _scene_changed(self, state: ShowState, previous: str | None) -> None:
        scene, now = state.on_air.scene, self._clock.now()
        self._voices.scene_changed(scene, previous)
        data = {
            "scene": scene,
            "previous_scene": previous,
            "revision": self._scenery.revision(scene),
            "transition": state.on_air.transition,
            "duration": state.on_air.duration_ms,
            "auction": None if self._auction() is None else str(self._auction()),
            "cause": "the books cannot be reached" if self._scenery.no_books else "the course of the auction",
            "actor": None,
        }
        tell = not self._scenery.chosen_by_operator(scene) and self.started_at is not None
        engine, stream, slate = self._parts.engine, self.id, scene in ("slate", "pause")
        self._books.note(lambda: records.scene_shown(engine, stream, data, now, slate=slate, tell=tell))
        self._publish()

    # looking after it

    async def _watch(self) -> None:
        viewers_at, offset = 0.0, 0.0
        while True:
            await self._clock.sleep(LOOK_S)
            now = self._clock.monotonic()
            self._preview.let_go_of_the_stuck()
            self._look_at_child(now)
            no_books = self._change is not None and not self._follower.healthy
            if no_books != self._scenery.no_books:
                self._scenery.no_books = no_books
                log.warning("stream.books", reachable=not no_books)
                self._show()
            if abs(self._follower.time.offset_ms - offset) > 1:
                offset = self._follower.time.offset_ms
                self._send(m.HouseTime(offset))
            if now - viewers_at >= VIEWERS_EVERY_S:
                viewers_at = now
                self._count_viewers()
            if not self.over():
                await self._fairness.look(now - self._picture_at)
            await self._look_at_follower(now)

    def _new_follower(self) -> Follower:
        parts = self._parts
        return Follower(
            parts.dsn,
            parts.store,
            clock=self._clock,
            house=parts.house,
            day=self.desired.campaign_day,
            on_change=self._changed,
            on_told=self._told,
        )

    async def _look_at_follower(self, now: float) -> None:
        """One that failed is replaced; meanwhile the picture says that it knows nothing new."""
        fault = self._follower.failed()
        if fault is None or now - self._follower_at < FOLLOWER_AGAIN_S:
            return
        log.error("stream.follower_failed", exc_info=fault)
        self._books.fault("COMPOSER", f"the log could not be followed: {type(fault).__name__}", recovered=True)
        await self._follower.stop()
        self._follower, self._follower_at = self._new_follower(), now
        self._follower.start()

    def _look_at_child(self, now: float) -> None:
        if self.child is None or self.over():
            return
        patience = FIRST_WORD_S_MAX if self.hello is None else SILENT_S_MAX
        if now - self._heard_at > patience:
            log.error("stream.media_hangs", pid=self.child.pid, silent_s=round(now - self._heard_at, 1))
            self._heard_at = now
            self.child.kill()

    def _count_viewers(self) -> None:
        self.viewers = self._preview.viewers
        self.peak = max(self.peak, self.viewers)
        publishing.WATCHERS.set(self.viewers)
        self._spawn(self._states.viewers(self.viewers, None, self.peak, self._clock.now()))

    # telling the house

    def _publish(self, *, ended_at: Millis | None = None) -> None:
        desired, change, scene = self.desired, self._change, self._scene or "slate"
        state = models.StreamState(
            id=self.id,
            status=publishing.status_of(scene, self.started_at, ended_at),
            campaign_day=desired.campaign_day,
            auction=self._auction(),
            scene=scene,
            width=desired.width,
            height=desired.height,
            fps=desired.fps,
            outputs=self.outputs.states,
            started_at=self.started_at,
            ended_at=ended_at,
        )
        self._spawn(self._states.stream(state))
        shown = self._scenery.scene(scene)
        if shown is not None:
            layout = publishing.scene_state(
                self.id,
                shown,
                revision=self._scenery.revision(scene),
                transition="cut" if change is None else change.state.on_air.transition,
                position=None if change is None else change.position,
                at=self._clock.now(),
            )
            self._spawn(self._states.scene(layout, ended=ended_at is not None))

    def _auction(self) -> UUID | None:
        return None if self._change is None else self._change.auction

    async def _end(self) -> None:
        cause, actor = self._ending or ("the house closes", None)
        readings, now = self.readings, self._clock.now()
        frames = self._frames_before + (readings.frames if readings else 0)
        dropped = self._dropped_before + (readings.dropped_frames if readings else 0)
        summary = records.summary(
            readings,
            encoder=None if self.hello is None else self.hello.encoder,
            restarts=self.restarts,
            recordings=sorted(path.name for path in self.folder.glob("*.mp4")) if self.folder.is_dir() else [],
        )
        ended = records.Ended(
            cause=cause, actor=actor, frames=frames, dropped=dropped, peak_viewers=self.peak, summary=summary
        )
        engine, stream = self._parts.engine, self.id
        self._books.note(lambda: records.end(engine, stream, now, ended))
        self._publish(ended_at=now)
        self._preview.end(cause)
        self._scenery.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[Any] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended_task)

    def _ended_task(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("stream.task_failed", exc_info=task.exception())
