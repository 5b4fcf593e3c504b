"""What a stream is, read by PyAV: live from a server, or from a file. Nothing of ours takes part in the reading."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

OPEN_TIMEOUT_S = 15.0
READ_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class VideoFound:
    """``key_interval_s`` is the longest between two key frames; None with fewer than two."""

    codec: str
    width: int
    height: int
    fps: float
    packets: int
    key_frames: int
    key_interval_s: float | None
    first_is_key: bool
    decoded: int


@dataclass(frozen=True)
class AudioFound:
    codec: str
    rate: int
    channels: int
    packets: int
    decoded: int
    #: Samples of all decoded frames.
    samples: int


@dataclass(frozen=True)
class Probe:
    """``broken`` counts packets marked corrupt, that did not decode, or whose time went back. ``offset_s`` is how much
    later the first sound is than the first picture."""

    video: VideoFound | None
    audio: AudioFound | None
    seconds: float
    broken: int
    offset_s: float


def probe(source: str | Path, seconds: float | None = None, *, options: dict[str, str] | None = None) -> Probe:
    """Read that many seconds of a stream's own time (all of a file without), decode everything, and say what it was.

    Raises FFmpegError when it cannot be opened; what was read until a live stream ended is told.
    """
    with av.open(str(source), "r", timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S), options=dict(options or {})) as container:
        reading = _Reading()
        try:
            for packet in container.demux():
                if packet.dts is None:
                    continue
                reading.take(packet)
                if seconds is not None and reading.seconds >= seconds:
                    break
        except FFmpegError:
            if not reading.times:
                raise
        return reading.result()


class _Reading:
    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}
        self.keys: list[float] = []
        self.first_is_key = False
        self.decoded: dict[str, int] = {}
        self.samples = 0
        self.broken = 0
        self.streams: dict[str, Any] = {}

    @property
    def seconds(self) -> float:
        """The shortest of the streams decides; one that has not begun counts as nothing."""
        return min((times[-1] - times[0] for times in self.times.values()), default=0)

    def take(self, packet: av.Packet) -> None:
        stream = packet.stream
        kind = stream.type
        self.streams[kind] = stream
        times = self.times.setdefault(kind, [])
        at = float(packet.dts * packet.time_base)
        if kind == "video":
            if not times:
                self.first_is_key = packet.is_keyframe
            if packet.is_keyframe:
                self.keys.append(at)
        if packet.is_corrupt or (times and at < times[-1]):
            self.broken += 1
        times.append(at)
        try:
            for frame in packet.decode():
                self.decoded[kind] = self.decoded.get(kind, 0) + 1
                if kind == "audio":
                    self.samples += frame.samples
        except FFmpegError:
            self.broken += 1

    def result(self) -> Probe:
        video = audio = None
        if "video" in self.times:
            stream, times = self.streams["video"], self.times["video"]
            length = times[-1] - times[0]
            apart = [there - here for here, there in zip(self.keys, self.keys[1:], strict=False)]
            video = VideoFound(
                codec=stream.codec_context.name,
                width=stream.codec_context.width,
                height=stream.codec_context.height,
                fps=(len(times) - 1) / length if length else 0.0,
                packets=len(times),
                key_frames=len(self.keys),
                key_interval_s=max(apart, default=None),
                first_is_key=self.first_is_key,
                decoded=self.decoded.get("video", 0),
            )
        if "audio" in self.times:
            context = self.streams["audio"].codec_context
            audio = AudioFound(
                codec=context.name,
                rate=context.sample_rate,
                channels=context.channels,
                packets=len(self.times["audio"]),
                decoded=self.decoded.get("audio", 0),
                samples=self.samples,
            )
        both = len(self.times) == 2
        offset = self.times["audio"][0] - self.times["video"][0] if both else 0.0
        return Probe(video, audio, self.seconds, self.broken, offset)
