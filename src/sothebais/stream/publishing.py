"""The stream's states in Redis and its readings for Prometheus. Only the stream-manager writes them.

Redis may be away: the show does not need it, and the next writing brings everything up to date.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from prometheus_client import Counter, Gauge, Histogram

from sothebais import ids
from sothebais.errors import Unavailable
from sothebais.events.types import CHANNELS
from sothebais.events.types.base import SCHEMA_VERSION, Source
from sothebais.instants import Millis
from sothebais.state import keys, models
from sothebais.state.store import Publication, StateStore, Write
from sothebais.stream.media.messages import Readings
from sothebais.stream.scenes import Scene
from sothebais.stream.scenes.model import AnyElement, Element
from sothebais.stream.show import TransitionKind

log = structlog.get_logger(__name__)

FPS = Gauge("sothebais_stream_fps", "Frames encoded a second")
BITRATE = Gauge("sothebais_stream_bitrate_kbps", "Bit rate of picture and sound together")
FRAMES = Gauge("sothebais_stream_frames", "Frames of the broadcast that is on")
DROPPED = Gauge("sothebais_stream_dropped_frames", "Frames that were left out of it")
LATE = Gauge("sothebais_stream_late_frames", "Frames for which the last picture was sent again")
COMPOSE = Gauge("sothebais_stream_compose_ms", "Time to compose a frame", ["quantile"])
ENCODE = Gauge("sothebais_stream_encode_ms", "Time to encode a frame with its sound", ["quantile"])
QUEUE = Gauge("sothebais_stream_queue_packets", "Packets that wait for the slowest output")
CPU = Gauge("sothebais_stream_cpu_percent", "Processor share of the media process")
MEMORY = Gauge("sothebais_stream_memory_bytes", "Memory of the media process")
OUTPUT_UP = Gauge("sothebais_stream_output_up", "Whether an output takes the stream", ["output"])
OUTPUT_DROPPED = Gauge("sothebais_stream_output_dropped_packets", "Packets an output had to leave out", ["output"])
WATCHERS = Gauge("sothebais_stream_watchers", "Connections to the live picture")
RESTARTS = Counter("sothebais_stream_media_restarts_total", "Media processes that ended before they should")
FAULTS = Counter("sothebais_stream_faults_total", "Things of the show that failed", ["component"])
SPEECH_LATE = Histogram(
    "sothebais_stream_speech_late_seconds",
    "How much later than its event says a speech began to be heard",
    buckets=(0, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.0, 2.0, 4.0),
)
ON_SLATE = Gauge("sothebais_stream_slate", "Whether the slate is on because the picture cannot be drawn")

#: A state of a stream that is over is kept so long.
DAY_S: Final = keys.DAY_S
READING_S: Final = keys.MINUTE_S


class StreamStates:
    """Writes the keys of one stream."""

    def __init__(self, store: StateStore, stream: UUID) -> None:
        self._store, self._stream = store, stream
        self._silent = False
        #: Two states of one key are written in the order in which they were true.
        self._turn = asyncio.Lock()

    async def stream(self, state: models.StreamState) -> None:
        """What it is and where it goes."""
        seconds = DAY_S if state.ended_at is not None else 0
        await self._write(keys.stream(self._stream), state, seconds)

    async def scene(self, state: models.StreamSceneState, *, ended: bool = False) -> None:
        """What is on."""
        await self._write(keys.stream_scene(self._stream), state, DAY_S if ended else 0)

    async def readings(self, readings: Readings) -> None:
        """How it goes, for a minute."""
        latency = readings.compose_ms_p50 + readings.encode_ms_p50
        state = models.StreamMetricsState(
            id=self._stream,
            at=readings.at,
            latency_ms=round(latency, 3),
            **{
                name: max(0, getattr(readings, name))
                for name in (
                    "fps",
                    "bitrate_kbps",
                    "frames",
                    "dropped_frames",
                    "late_frames",
                    "compose_ms_p50",
                    "compose_ms_p99",
                    "encode_ms_p50",
                    "encode_ms_p99",
                    "queue_frames",
                    "cpu_percent",
                    "memory_bytes",
                )
            },
        )
        await self._write(keys.stream_metrics(self._stream), state, READING_S)

    async def viewers(self, web: int, platform: int | None, peak: int, at: Millis) -> None:
        """How many watch: the state, and the event that everybody hears."""
        total = web + (platform or 0)
        state = models.StreamViewersState(id=self._stream, at=at, web=web, platform=platform, total=total, peak=peak)
        message = {
            "id": str(ids.new_id()),
            "position": None,
            "n": None,
            "timestamp": at,
            "type": "stream:viewers",
            "source": Source.STREAM_MANAGER,
            "version": SCHEMA_VERSION,
            "subject": f"stream:{self._stream}",
            "correlation_id": None,
            "causation_id": None,
            "data": {"origin": "TOTAL", "reporter": "stream-manager", "viewers": total, "peak": peak},
        }
        publication = Publication(CHANNELS["stream:viewers"], msgspec.json.encode(message))
        await self._write(keys.stream_viewers(self._stream), state, READING_S, publication)

    async def _write(self, key: str, state: models.State, seconds: int, *publications: Publication) -> None:
        value = state.model_dump_json().encode()
        try:
            async with self._turn:
                await self._store.force([Write(key, 0, value, seconds)])
                if publications:
                    await self._store.apply((), publications, None)
            self._silent = False
        except Unavailable as error:
            if not self._silent:
                log.warning("stream.state_not_written", error=error.message)
            self._silent = True


def observe(readings: Readings) -> None:
    """For Prometheus."""
    FPS.set(readings.fps)
    BITRATE.set(readings.bitrate_kbps)
    FRAMES.set(readings.frames)
    DROPPED.set(readings.dropped_frames)
    LATE.set(readings.late_frames)
    COMPOSE.labels("0.5").set(readings.compose_ms_p50)
    COMPOSE.labels("0.99").set(readings.compose_ms_p99)
    ENCODE.labels("0.5").set(readings.encode_ms_p50)
    ENCODE.labels("0.99").set(readings.encode_ms_p99)
    QUEUE.set(readings.queue_frames)
    CPU.set(readings.cpu_percent)
    MEMORY.set(readings.memory_bytes)
    ON_SLATE.set(readings.slate)
    for output in readings.outputs:
        OUTPUT_UP.labels(output.name).set(output.up)
        OUTPUT_DROPPED.labels(output.name).set(output.dropped)


def status_of(scene: str, started_at: Millis | None, ended_at: Millis | None) -> models.StreamStatus:
    """What a broadcast is called that shows this scene."""
    if ended_at is not None:
        return "ENDED"
    if started_at is None:
        return "STARTING"
    return "SLATE" if scene in ("slate", "pause") else "LIVE"


def scene_state(
    stream: UUID, scene: Scene, *, revision: int, transition: TransitionKind, position: str | None, at: Millis
) -> models.StreamSceneState:
    """A scene as ``stream:scene:{id}`` has it."""
    return models.StreamSceneState(
        id=stream,
        scene=scene.name,
        revision=revision,
        transition=transition,
        width=scene.canvas.width,
        height=scene.canvas.height,
        split_x=scene.split.x,
        split_y=scene.split.y,
        elements=layout(scene),
        position=position,
        at=at,
    )


def layout(scene: Scene) -> tuple[models.SceneElementState, ...]:
    """A scene's elements as ``stream:scene:{id}`` has them."""
    inner = scene.quadrants
    quarters = (inner.top_left, inner.top_right, inner.bottom_left, inner.bottom_right)
    found = [_element(one, "background", None) for one in scene.background]
    found += [_element(one, "quadrant", n + 1) for n, quarter in enumerate(quarters) for one in quarter.elements]
    found += [_element(one, "overlay", None) for one in scene.overlay]
    return tuple(found)


_COMMON: Final = frozenset(Element.model_fields) | {"type"}


def _element(element: AnyElement, layer: str, quadrant: int | None) -> models.SceneElementState:
    values: Mapping[str, Any] = element.model_dump(mode="json")
    transform = element.transform
    return models.SceneElementState.model_validate(
        {
            "id": element.id,
            "type": element.type,
            "layer": layer,
            "quadrant": quadrant,
            "source": element.source,
            "x": element.x,
            "y": element.y,
            # nothing given: it fills what is left, which only a size of output can say
            "width": element.width or 0.0,
            "height": element.height or 0.0,
            "scale": transform.scale,
            "rotation": transform.rotation,
            "opacity": transform.opacity,
            "anchor": transform.anchor,
            "visible": element.visible,
            "z": element.z,
            "properties": {name: value for name, value in values.items() if name not in _COMMON},
        },
        strict=False,
    )
