"""One broadcast, from its first frame to its end: keeps a media process, tells it what to show, tells the house how it is.

Whatever ends the media process, another begins; whatever the database does, the picture goes on and says so. Events and
rows that cannot be written now wait, in order, within a bound.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.catalog.assets import AssetStore
from sothebais.clock import Clock
from sothebais.config import Settings
from sothebais.errors import SothebaisError
from sothebais.instants import Millis
from sothebais.state import models
from sothebais.state.store import StateStore
from sothebais.stream import publishing, records, scene_store
from sothebais.stream.assets import repository as assets
from sothebais.stream.audio.cues import Cue
from sothebais.stream.commands import Desired
from sothebais.stream.direction import put_on
from sothebais.stream.encoding import Format
from sothebais.stream.facts import Told
from sothebais.stream.follower import Change, Follower
from sothebais.stream.media import messages as m
from sothebais.stream.media.child import MediaChild
from sothebais.stream.outputs.model import OutputReport, OutputSpec
from sothebais.stream.preview import Preview
from sothebais.stream.publishing import StreamStates
from sothebais.stream.rate import RateControl
from sothebais.stream.scenes import Scene, builtin, dump
from sothebais.stream.show import Notice, OnAir, ShowState
from sothebais.stream.snapshot import House

log = structlog.get_logger(__name__)

LOOK_S: Final = 0.25
#: A media process that says nothing for so long hangs, and is replaced.
SILENT_S_MAX: Final = 3.0
#: It may be busy for so long before its first word.
FIRST_WORD_S_MAX: Final = 15.0
RESTART_S: Final = 0.1
RESTART_S_MAX: Final = 3.0
#: One that lived so long is replaced at once.
HEALTHY_S: Final = 20.0
#: Notes for the database that may wait.
NOTES_MAX: Final = 1_000
NOTE_AGAIN_S: Final = 0.5
FOLLOWER_AGAIN_S: Final = 2.0
VIEWERS_EVERY_S: Final = 5.0
#: Speech that should have begun so long ago is not begun any more.
STALE_SPEECH_MS: Final = 4_000
FRAME_PATIENCE_S: Final = 5.0
FRAMES_WAITING_MAX: Final = 32
REASON_LENGTH_MAX: Final = 200
NO_BOOKS: Final = Notice(
    "The house cannot reach its books just now.", "No bid is taken until it can. Lots get back the time that is lost."
)
_CUES: Final = {"auction": Cue.LOT_OPENING, "closing": Cue.FAIR_WARNING, "sold": Cue.SOLD}
_STILL_THE_LOT: Final = frozenset({"auction", "closing", "pause"})


class Lots(Protocol):
    """Pauses what is on, when nobody can follow it, and goes on afterwards."""

    async def pause(self, reason: str) -> list[UUID]:
        """Pause every lot that is open; those that were."""

    async def resume(self, lots: list[UUID], reason: str) -> None:
        """Resume these, where they are still paused."""


@dataclass(frozen=True)
class Parts:
    """What a broadcast is made of; ``bootstrap`` fills it."""

    settings: Settings
    clock: Clock
    engine: AsyncEngine
    dsn: str
    store: StateStore
    assets: AssetStore
    house: House
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
        self.child: MediaChild | None = None
        self.readings: m.Readings | None = None
        self.hello: m.Hello | None = None
        self.outputs: dict[str, models.OutputState] = {}
        self.started_at: Millis | None = None
        self.restarts = 0
        self.viewers = self.peak = 0
        self._change: Change | None = None
        self._scene: str | None = None
        self._previous: str | None = None
        self._scenes: dict[str, Scene] = {}
        self._revisions: dict[str, int] = {}
        self._built_in = {scene.name: scene for scene in builtin.scenes_for(desired.width, desired.height)}
        #: A revision that could not be drawn.
        self._distrusted: tuple[str, int] | None = None
        self._pictures: set[str] = set()
        self._frames_before = self._dropped_before = 0
        self._heard_at = self._clock.monotonic()
        self._picture_at = self._clock.monotonic()
        self._notes: asyncio.Queue[Callable[[], Awaitable[Any]]] = asyncio.Queue(NOTES_MAX)
        self._asked: dict[int, asyncio.Future[m.FramePng]] = {}
        self._requests = 0
        self._paused: list[UUID] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ending: tuple[str, UUID | None] | None = None
        self._rate = RateControl(self._settings.stream_video_kbps, self._settings.stream_video_kbps_min)
        self._follower = self._new_follower()
        self._follower_at = self._clock.monotonic()
        self._unhealthy = False
        self._hears: dict[type, Callable[[Any], None]] = {
            m.Live: preview.take,
            m.Shown: self._shown,
            m.Readings: self._read,
            m.Hello: self._greeted,
            m.Report: lambda message: self._reported(message.report),
            m.FramePng: self._framed,
            m.PictureReady: self._decoded,
            m.Spoke: self._spoke,
            m.Fault: self._media_fault,
        }

    @property
    def over(self) -> bool:
        """Whether it is to end."""
        return self._ending is not None

    @property
    def folder(self) -> Path:
        """Where its recordings lie."""
        return self._settings.data_dir / "recordings" / str(self.id)

    @property
    def change(self) -> Change | None:
        """The newest state."""
        return self._change

    async def run(self) -> None:
        """Until it is over."""
        writing = asyncio.create_task(self._write_notes())
        watching = asyncio.create_task(self._watch())
        try:
            await self._learn_scenes()
            self._follower.start()
            media = asyncio.create_task(self._keep_media())
            try:
                # what fails here ends this attempt; the stream-manager begins another
                await asyncio.wait({media, watching, writing}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                media.cancel()
                results = await asyncio.gather(media, return_exceptions=True)
            for task in (watching, writing):
                if task.done():
                    task.result()
            if isinstance(results[0], BaseException):
                raise results[0]
            await self._end()
        finally:
            for task in (watching, *self._tasks):
                task.cancel()
            await asyncio.gather(watching, *self._tasks, return_exceptions=True)
            await self._follower.stop()
            if self.child is not None:
                await self.child.stop()
                self.child = None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._notes.join(), 5.0)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def want(self, desired: Desired) -> None:
        """Operators want something else; applied at once."""
        before, self.desired = self.desired, desired
        if desired.stop is not None and self._ending is None:
            self.finish(desired.stop.cause, desired.stop.actor)
            return
        changed = (desired.revisions, desired.override) != (before.revisions, before.override)
        if changed:
            await self._learn_scenes()
        self._show()

    def finish(self, cause: str, actor: UUID | None = None) -> None:
        """End the broadcast: finish every output, then close its books."""
        if self._ending is None:
            self._ending = cause, actor
            if self.child is not None:
                self.child.send(m.Stop())

    async def frame(self, wide: int = 0) -> m.FramePng:
        """What is on air now, as PNG. Raises TimeoutError when the media process does not answer."""
        if self.child is None or len(self._asked) >= FRAMES_WAITING_MAX:
            raise TimeoutError
        self._requests += 1
        number = self._requests
        asked = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self.child.send(m.WantFrame(number, wide))
            return await asyncio.wait_for(asked, FRAME_PATIENCE_S)
        finally:
            self._asked.pop(number, None)

    def wanted(self, want: m.Want) -> None:
        """Which forms of the picture somebody looks at."""
        if self.child is not None:
            self.child.send(want)

    # the media process

    async def _keep_media(self) -> None:
        pause = RESTART_S
        while not self.over:
            state = await self._first_state()
            if self.over:
                return
            begun = self._clock.monotonic()
            self._heard_at, self.hello = begun, None
            self._pictures = set()
            self.child = await MediaChild.start(
                self._begin(state), self._heard, logs=self._settings.data_dir / "logs"
            )
            log.info("stream.media_started", stream=str(self.id), pid=self.child.pid)
            self._send_pictures()
            code = await self.child.wait()
            self.child = None
            self._outputs_are_down()
            if self.over:
                return
            self.restarts += 1
            publishing.RESTARTS.inc()
            lived = self._clock.monotonic() - begun
            log.error("stream.media_died", stream=str(self.id), exit_code=code, lived_s=round(lived, 1))
            self._fault("ENCODER", f"the media process ended with {code} after {lived:.0f} s", recovered=True)
            if self.readings is not None:
                self._frames_before += self.readings.frames
                self._dropped_before += self.readings.dropped_frames
                self.readings = None
            pause = RESTART_S if lived >= HEALTHY_S else min(pause * 2, RESTART_S_MAX)
            await self._clock.sleep(pause)

    async def _first_state(self) -> Change:
        """The state to begin with; when the database is away at the very start, that is what is shown."""
        deadline = self._clock.monotonic() + 2 * FIRST_WORD_S_MAX
        while self._change is None and self._clock.monotonic() < deadline and not self.over:
            await self._clock.sleep(0.02)
        if self._change is not None:
            return self._change
        return Change(ShowState(on_air=OnAir("slate"), notice=NO_BOOKS), "0.0.0", 0)

    def _begin(self, change: Change) -> m.Begin:
        settings, desired = self._settings, self.desired
        form = Format(
            width=desired.width,
            height=desired.height,
            fps=desired.fps,
            video_kbps=self._rate.kbps,
            audio_kbps=settings.stream_audio_kbps,
            key_interval_s=settings.stream_key_interval_s,
            preset=settings.stream_preset,
            threads=settings.stream_threads,
        )
        return m.Begin(
            form=form,
            codec=settings.stream_encoder,
            scenes=self._scene_documents(),
            outputs=self._specs(),
            state=m.pack(self._as_shown(change.state)),
            position=change.position,
            disk_free_bytes_min=settings.recording_free_bytes_min,
            bed=settings.stream_music,
            offset_ms=self._follower.time.offset_ms,
        )

    def _specs(self) -> list[OutputSpec]:
        settings = self._settings
        specs = []
        if settings.stream_hls:
            specs.append(OutputSpec(name="hls", kind="HLS", target=str(settings.data_dir / "hls" / "live")))
        if settings.stream_record:
            self.folder.mkdir(parents=True, exist_ok=True)
            specs.append(OutputSpec(name="recording", kind="RECORDING", target=str(self.folder)))
        ca_file = None if settings.stream_ca_file is None else str(settings.stream_ca_file)
        specs += [
            OutputSpec(name=name, kind="RTMP", target=target.get_secret_value(), ca_file=ca_file)
            for name, target in settings.stream_outputs.items()
        ]
        now = self._clock.now()
        for spec in specs:
            self.outputs.setdefault(
                spec.name, models.OutputState(name=spec.name, kind=spec.kind, status="CONNECTING", since=now)
            )
        return specs

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

    def _framed(self, frame: m.FramePng) -> None:
        asked = self._asked.get(frame.request)
        if asked is not None and not asked.done():
            asked.set_result(frame)

    def _decoded(self, picture: m.PictureReady) -> None:
        if picture.fault is not None:
            self._fault("ASSET", f"{picture.ref}: {picture.fault}")

    def _spoke(self, spoke: m.Spoke) -> None:
        if spoke.late_ms:
            log.info("stream.speech_late", message=str(spoke.id), late_ms=spoke.late_ms)

    def _first_frame(self) -> None:
        if self.started_at is not None:
            return
        now = self.started_at = self._clock.now()
        scene = self._scene or "slate"
        outputs = [{"name": spec.name, "kind": spec.kind} for spec in self._specs()]

        async def note() -> None:
            self.started_at = await records.on_air(self._parts.engine, self.id, now, scene=scene, outputs=outputs)

        self._note(note)
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
        if asked is not None and self.child is not None:
            before, kbps, cause, output = asked
            self.child.send(m.Rate(kbps))
            data = {
                "output": output,
                "width": self.desired.width,
                "height": self.desired.height,
                "fps": self.desired.fps,
                "bitrate_kbps": kbps,
                "previous_bitrate_kbps": before,
                "cause": cause,
            }
            self._tell("stream:quality", data)

    def _reported(self, report: OutputReport) -> None:
        now = self._clock.now()
        before = self.outputs.get(report.name)
        status: models.OutputStatus = "UP" if report.up else "DOWN"
        reason = report.reason[:REASON_LENGTH_MAX] or None
        self.outputs[report.name] = models.OutputState(
            name=report.name, kind=report.kind, status=status, since=now, reason=reason
        )
        if report.up:
            down_for = report.down_ms
            if before is not None and before.status == "DOWN" and down_for is None:
                down_for = now - before.since
            data: dict[str, Any] = {
                "output": report.name,
                "kind": report.kind,
                "attempts": report.attempts,
                "down_for": down_for,
            }
            self._tell("stream:output:up", data)
        else:
            self._tell(
                "stream:output:down",
                {
                    "output": report.name,
                    "kind": report.kind,
                    "reason": reason or "lost",
                    "retrying": report.retrying,
                },
            )
        self._publish()

    def _outputs_are_down(self) -> None:
        now = self._clock.now()
        for name, output in self.outputs.items():
            if output.status == "UP":
                self.outputs[name] = output.model_copy(
                    update={"status": "DOWN", "since": now, "reason": "the media process ended"}
                )
        self._publish()

    def _media_fault(self, fault: m.Fault) -> None:
        self._fault(fault.component, fault.message, recovered=fault.recovered)
        override = self.desired.override
        if fault.component in ("COMPOSER", "SCENE") and override is not None and override.revision:
            # an operator's scene that cannot be drawn must not leave the slate on air
            self._distrusted = (override.name, override.revision)
            self._show()

    # what is shown

    def _changed(self, change: Change) -> None:
        self._change = change
        self._send_pictures()
        self._show()

    def _told(self, told: Told) -> None:
        if told.type == "agent:speech":
            self._spawn(self._speak(told))

    async def _speak(self, told: Told) -> None:
        starts_at, message = int(told.data["starts_at"]), UUID(told.data["message"])
        if starts_at < self._clock.now() - STALE_SPEECH_MS:
            return
        try:
            flac = await asyncio.to_thread(self._parts.assets.speech, message)
        except SothebaisError as error:
            self._fault("AUDIO", error.message)
            return
        if self.child is not None:
            self.child.send(m.Speak(message, flac, starts_at))

    def _as_shown(self, state: ShowState) -> ShowState:
        """The state with what only this process knows."""
        if self._unhealthy:
            return replace(put_on(state, "slate", self._clock.now()), notice=NO_BOOKS, live=True)
        name = state.on_air.scene
        desired = self.desired
        if desired.slate is not None and name == "slate":
            return replace(state, notice=Notice(desired.slate.sentence, desired.slate.meaning or state.notice.meaning))
        known = name in self._scenes or name in self._built_in
        if not known or self._distrusted == (name, self._revisions.get(name, 0)):
            fallback = "auction" if state.lot is not None else "intermission"
            return replace(state, on_air=OnAir(fallback, state.on_air.since))
        return state

    def _show(self) -> None:
        change = self._change
        if change is None:
            return
        state = self._as_shown(change.state)
        if self.child is not None:
            self.child.send(m.State(m.pack(state), change.position))
        scene = state.on_air.scene
        if scene != self._scene:
            self._previous, self._scene = self._scene, scene
            self._scene_changed(state)

    def _scene_changed(self, state: ShowState) -> None:
        scene, previous, now = state.on_air.scene, self._previous, self._clock.now()
        cue = _CUES.get(scene)
        if cue is not None and previous is not None and not (scene == "auction" and previous in _STILL_THE_LOT):
            if self.child is not None:
                self.child.send(m.Cue(cue, now))
        desired = self.desired
        by_operator = (desired.override is not None and desired.override.name == scene) or (
            desired.slate is not None and scene == "slate"
        )
        data = {
            "scene": scene,
            "previous_scene": previous,
            "revision": self._revisions.get(scene, 0),
            "transition": state.on_air.transition,
            "duration": state.on_air.duration_ms,
            "auction": None,
            "cause": "the books cannot be reached" if self._unhealthy else "the course of the auction",
            "actor": None,
        }
        tell = not by_operator and self.started_at is not None
        engine, stream, slate = self._parts.engine, self.id, scene in ("slate", "pause")
        self._note(lambda: records.scene_shown(engine, stream, data, now, slate=slate, tell=tell))
        self._publish()

    async def _learn_scenes(self) -> None:
        """The programme: stored scenes in the place of built-in ones, the operator's at its own revision."""
        try:
            async with self._parts.engine.connect() as connection:
                stored = await scene_store.programme(connection, self.desired.orientation)
                wanted = [one for one in stored if one.revision]
                sources = sorted({ref for one in wanted for ref in scene_store.sources(one.scene)})
                rows = await assets.resolve(connection, sources)
        except (DBAPIError, PoolTimeout, OSError) as error:
            log.warning("stream.scenes_not_read", error=type(error).__name__)
            return
        self._scenes = {one.name: one.scene for one in wanted}
        self._revisions = {one.name: one.revision for one in wanted}
        override = self.desired.override
        if override is not None and override.revision:
            self._scenes[override.name] = override.scene
            self._revisions[override.name] = override.revision
        if self.child is not None:
            self.child.send(m.Scenes(self._scene_documents()))
        for reference, row in rows.items():
            if reference not in self._pictures:
                self._pictures.add(reference)
                self._spawn(self._send_picture(reference, row.path))

    def _scene_documents(self) -> list[bytes]:
        return [dump(scene).encode() for scene in self._scenes.values()]

    def _send_pictures(self) -> None:
        """The artworks of the day, in the order of the lots."""
        if self.child is None:
            return
        for key in self._follower.artworks:
            if key and key not in self._pictures:
                self._pictures.add(key)
                self._spawn(self._send_picture(key, key))

    async def _send_picture(self, ref: str, key: str) -> None:
        try:
            data = await asyncio.to_thread(self._parts.assets.get, key)
        except SothebaisError as error:
            self._fault("ASSET", error.message)
            return
        if self.child is not None:
            self.child.send(m.Picture(ref, data))

    # looking after it

    async def _watch(self) -> None:
        viewers_at = 0.0
        offset = 0.0
        while True:
            await self._clock.sleep(LOOK_S)
            now = self._clock.monotonic()
            self._preview.let_go_of_the_stuck()
            self._look_at_child(now)
            unhealthy = self._change is not None and not self._follower.healthy
            if unhealthy != self._unhealthy:
                self._unhealthy = unhealthy
                log.warning("stream.books", reachable=not unhealthy)
                self._show()
            if abs(self._follower.time.offset_ms - offset) > 1 and self.child is not None:
                offset = self._follower.time.offset_ms
                self.child.send(m.HouseTime(offset))
            if now - viewers_at >= VIEWERS_EVERY_S:
                viewers_at = now
                self._count_viewers()
            await self._be_fair(now)
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
        self._fault("COMPOSER", f"the log could not be followed: {type(fault).__name__}", recovered=True)
        await self._follower.stop()
        self._follower, self._follower_at = self._new_follower(), now
        self._follower.start()

    def _look_at_child(self, now: float) -> None:
        if self.child is None or self._ending is not None:
            return
        patience = FIRST_WORD_S_MAX if self.hello is None else SILENT_S_MAX
        if now - self._heard_at > patience:
            log.error("stream.media_hangs", pid=self.child.pid, silent_s=round(now - self._heard_at, 1))
            self._heard_at = now
            self.child.kill()

    def _count_viewers(self) -> None:
        self.viewers = len(self._preview)
        self.peak = max(self.peak, self.viewers)
        publishing.WATCHERS.set(self.viewers)
        self._spawn(self._states.viewers(self.viewers, None, self.peak, self._clock.now()))

    async def _be_fair(self, now: float) -> None:
        """Nobody can follow by the picture for too long: lots stand still until they can."""
        after = self._settings.stream_pause_after_s
        away = now - self._picture_at
        if after and away > after and not self._paused and self._ending is None:
            reason = f"The stream has shown no picture for {away:.0f} seconds."
            try:
                self._paused = await self._parts.lots.pause(reason)
            except SothebaisError as error:
                log.warning("stream.pause_failed", error=error.message)
                return
            if self._paused:
                self._fault("ENCODER", f"{len(self._paused)} lots are paused: {reason}")
        elif self._paused and away < 1.5 and self._preview is not None:
            lots, self._paused = self._paused, []
            try:
                await self._parts.lots.resume(lots, "The stream is back.")
            except SothebaisError as error:
                self._paused = lots
                log.warning("stream.resume_failed", error=error.message)

    # telling the house

    def _fault(self, component: str, message: str, *, recovered: bool = False) -> None:
        publishing.FAULTS.labels(component).inc()
        output = None
        data = {
            "component": component,
            "message": message[:REASON_LENGTH_MAX] or "unknown",
            "output": output,
            "recovered": recovered,
        }
        self._tell("stream:error", data)

    def _tell(self, type_: str, data: dict[str, Any]) -> None:
        engine, stream, now = self._parts.engine, self.id, self._clock.now()
        self._note(lambda: records.tell(engine, stream, type_, data, now))

    def _note(self, note: Callable[[], Awaitable[Any]]) -> None:
        try:
            self._notes.put_nowait(note)
        except asyncio.QueueFull:
            log.exception("stream.notes_full", notes_max=NOTES_MAX)

    async def _write_notes(self) -> None:
        while True:
            note = await self._notes.get()
            while True:
                try:
                    await note()
                    break
                except (DBAPIError, PoolTimeout, OSError) as error:
                    log.warning("stream.waits_for_database", error=type(error).__name__)
                    await self._clock.sleep(NOTE_AGAIN_S)
            self._notes.task_done()

    def _publish(self, *, ended_at: Millis | None = None) -> None:
        desired, change = self.desired, self._change
        scene = self._scene or "slate"
        status: models.StreamStatus = "LIVE"
        if ended_at is not None:
            status = "ENDED"
        elif self.started_at is None:
            status = "STARTING"
        elif scene in ("slate", "pause"):
            status = "SLATE"
        state = models.StreamState(
            id=self.id,
            status=status,
            campaign_day=desired.campaign_day,
            auction=None,
            scene=scene,
            width=desired.width,
            height=desired.height,
            fps=desired.fps,
            outputs=tuple(self.outputs.values()),
            started_at=self.started_at,
            ended_at=ended_at,
        )
        self._spawn(self._states.stream(state))
        shown = self._scenes.get(scene) or self._built_in.get(scene)
        if shown is None:
            return
        on_air = None if change is None else change.state.on_air
        layout = models.StreamSceneState(
            id=self.id,
            scene=scene,
            revision=self._revisions.get(scene, 0),
            transition="cut" if on_air is None else on_air.transition,
            width=shown.canvas.width,
            height=shown.canvas.height,
            split_x=shown.split.x,
            split_y=shown.split.y,
            elements=publishing.layout(shown),
            position=None if change is None else change.position,
            at=self._clock.now(),
        )
        self._spawn(self._states.scene(layout, ended=ended_at is not None))

    async def _end(self) -> None:
        cause, actor = self._ending or ("the house closes", None)
        readings, now = self.readings, self._clock.now()
        frames = self._frames_before + (readings.frames if readings else 0)
        dropped = self._dropped_before + (readings.dropped_frames if readings else 0)
        summary = {
            "restarts": self.restarts,
            "encoder": None if self.hello is None else self.hello.encoder,
            "late_frames": readings.late_frames if readings else 0,
            "compose_ms_p99": round(readings.compose_ms_p99, 3) if readings else None,
            "encode_ms_p99": round(readings.encode_ms_p99, 3) if readings else None,
            "outputs": [
                {
                    "name": output.name,
                    "kind": output.kind,
                    "sent_bytes": output.sent_bytes,
                    "dropped_packets": output.dropped,
                }
                for output in (readings.outputs if readings else ())
            ],
            "recordings": sorted(path.name for path in self.folder.glob("*.mp4")) if self.folder.is_dir() else [],
        }
        ended = records.Ended(
            cause=cause, actor=actor, frames=frames, dropped=dropped, peak_viewers=self.peak, summary=summary
        )
        engine, stream = self._parts.engine, self.id
        self._note(lambda: records.end(engine, stream, now, ended))
        self._publish(ended_at=now)
        self._preview.end(cause)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[Any] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended_task)

    def _ended_task(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("stream.task_failed", exc_info=task.exception())
