"""One encode for all outputs: H.264 and AAC by PyAV. Belongs to one thread."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final, Literal

import av
import numpy as np
import structlog
from av.error import FFmpegError
from av.video.frame import PictureType
from msgspec import Struct
from numpy.typing import NDArray

from sothebais.stream import encoding
from sothebais.stream.encoding import CHANNELS, GLOBAL_HEADER, SAMPLE_RATE, Format
from sothebais.stream.yuv import Pixels

log = structlog.get_logger(__name__)

AAC_FRAME: Final = 1_024


class Packet(Struct, frozen=True):
    """An encoded frame or block of sound. Times are in the stream's time base; ``at`` is the server time it shows."""

    kind: Literal["video", "audio"]
    data: bytes
    pts: int
    dts: int
    duration: int
    key: bool
    at: float

    def seconds(self, fps: int) -> float:
        """The presentation time from the stream's start."""
        return self.pts / (fps if self.kind == "video" else SAMPLE_RATE)


class NoEncoder(Exception):
    """No H.264 encoder could be opened."""


class Encoder:
    """Pictures (I420) and sound (float32) in, packets out. ``video`` and ``audio`` are templates for muxers."""

    def __init__(self, form: Format, codec: str = "auto") -> None:
        self.form = form
        self.codec = codec if codec != "auto" else _first_that_works(form)
        # the streams need a container that writes nothing
        self._container = av.open("-", "w", format="null")
        try:
            self.video: Any = self._container.add_stream(self.codec, rate=form.fps)
        except ValueError as error:
            self._container.close()
            raise NoEncoder(f"there is no encoder {self.codec} here") from error
        context = self.video.codec_context
        _configure(context, form, self.codec)
        self.audio: Any = self._container.add_stream("aac", rate=SAMPLE_RATE)
        self.audio.layout = "stereo"
        self.audio.bit_rate = form.audio_kbps * 1_000
        self.audio.codec_context.flags |= GLOBAL_HEADER
        try:
            self._container.start_encoding()
        except FFmpegError as error:
            self._container.close()
            raise NoEncoder(f"{self.codec} cannot be opened: {error.strerror}") from error
        self._context = context
        self._time_base = Fraction(1, form.fps)
        self.video_kbps = form.video_kbps
        self._waiting: NDArray[np.float32] = np.zeros((CHANNELS, 0), np.float32)
        self._samples: int | None = None
        self._instants: dict[int, float] = {}

    @property
    def extradata(self) -> bytes:
        """The video's parameter sets."""
        return bytes(self._context.extradata or b"")

    @property
    def audio_config(self) -> bytes:
        """The sound's AudioSpecificConfig."""
        return bytes(self.audio.codec_context.extradata or b"")

    def picture(self, buffer: Pixels, index: int, at: float, *, key: bool = False) -> list[Packet]:
        """Encode a picture as frame ``index``. The buffer may be reused as soon as this returns."""
        frame = av.VideoFrame.from_numpy_buffer(buffer, "yuv420p")
        frame.pts, frame.time_base = index, self._time_base
        if key:
            frame.pict_type = PictureType.I
        self._instants[index] = at
        made = []
        for packet in self.video.encode(frame):
            pts = int(packet.pts)
            at = self._instants.pop(pts, at)
            made.append(Packet("video", bytes(packet), pts, int(packet.dts), 1, bool(packet.is_keyframe), at))
        return made

    def sound(self, block: NDArray[np.float32], first: int, at: float) -> list[Packet]:
        """Encode ``(2, n)`` samples that begin with sample ``first`` of the stream; ``at`` is when they are heard."""
        expected = None if self._samples is None else self._samples + self._waiting.shape[1]
        if expected != first:
            # the first block, or time was left out: sound goes on where the picture does
            self._samples, self._waiting = first, self._waiting[:, :0]
        assert self._samples is not None
        self._waiting = np.concatenate((self._waiting, block), axis=1) if self._waiting.shape[1] else block
        made = []
        while self._waiting.shape[1] >= AAC_FRAME:
            samples = np.ascontiguousarray(self._waiting[:, :AAC_FRAME])
            self._waiting = self._waiting[:, AAC_FRAME:]
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, self._samples, Fraction(1, SAMPLE_RATE)
            self._samples += AAC_FRAME
            # what comes out now may be an earlier block: the encoder looks ahead
            made += [
                self._sound(packet, at + (int(packet.pts) - first) * 1000 / SAMPLE_RATE)
                for packet in self.audio.encode(frame)
            ]
        return made

    def _sound(self, packet: Any, at: float) -> Packet:
        pts = int(packet.pts)
        return Packet("audio", bytes(packet), pts, int(packet.dts), AAC_FRAME, True, at)

    def rate(self, video_kbps: int) -> None:
        """Another bit rate from the next frame on."""
        self.video_kbps = video_kbps
        bits = video_kbps * 1_000
        self._context.bit_rate = bits
        self._context.max_bit_rate = bits
        self._context.rc_buffer_size = bits

    def flush(self) -> Iterator[Packet]:
        """What the encoders still hold, at the end."""
        for packet in self.video.encode(None):
            pts = int(packet.pts)
            yield Packet(
                "video", bytes(packet), pts, int(packet.dts), 1, bool(packet.is_keyframe), self._instants.pop(pts, 0.0)
            )
        for packet in self.audio.encode(None):
            yield self._sound(packet, 0.0)

    def close(self) -> None:
        """Let go of the codecs."""
        with contextlib.suppress(FFmpegError):
            self._container.close()


def _configure(context: Any, form: Format, codec: str) -> None:
    context.width, context.height, context.pix_fmt = form.width, form.height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, form.fps), Fraction(form.fps)
    context.bit_rate = form.video_kbps * 1_000
    context.gop_size = form.key_interval
    context.thread_count = form.threads
    context.color_primaries = context.color_trc = context.colorspace = encoding.SMPTE170M
    context.color_range = encoding.LIMITED_RANGE
    context.flags |= GLOBAL_HEADER
    context.options = encoding.video_options(form, codec)


def _first_that_works(form: Format) -> str:
    """A hardware encoder that really encodes a frame here, else x264."""
    grey = np.full((form.height * 3 // 2, form.width), 128, np.uint8)
    for name in encoding.HARDWARE:
        if name not in av.codecs_available:
            continue
        try:
            context: Any = av.CodecContext.create(name, "w")
            _configure(context, form, name)
            frame = av.VideoFrame.from_numpy_buffer(grey, "yuv420p")
            frame.pts, frame.time_base = 0, Fraction(1, form.fps)
            context.encode(frame)
        except (FFmpegError, ValueError, RuntimeError) as error:
            log.debug("stream.encoder_not_here", encoder=name, reason=str(error))
            continue
        return name
    return encoding.SOFTWARE
