"""Videos and sounds from outside: looked through within limits, and written anew without what is no picture or sound.

Runs in a child process (``confined``): a decoder that crashes or wants too much takes nothing of the house with it.
Pictures and sound are copied as they are; titles, places, covers, subtitles and attachments stay behind.
"""

import contextlib
import io
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.error import FFmpegError

from sothebais.errors import InvalidInput
from sothebais.stream.assets.containers import Container
from sothebais.stream.assets.limits import LIMITS, MediaLimits

VIDEO_CODECS: Final = frozenset({"h264", "hevc", "av1", "vp8", "vp9", "mpeg4"})
AUDIO_CODECS: Final = frozenset(
    {"aac", "mp3", "mp3float", "opus", "vorbis", "flac", "pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"}
)
#: (container of a video or None, of a sound alone or None): extension and media type.
_VIDEO: Final = {Container.MP4: ("mp4", "video/mp4"), Container.WEBM: ("webm", "video/webm")}
_AUDIO: Final = {
    Container.MP4: ("m4a", "audio/mp4"),
    Container.WEBM: ("webm", "audio/webm"),
    Container.WAV: ("wav", "audio/wav"),
    Container.FLAC: ("flac", "audio/flac"),
    Container.MP3: ("mp3", "audio/mpeg"),
    Container.OGG: ("ogg", "audio/ogg"),
    Container.AAC: ("aac", "audio/aac"),
}
_MUXERS: Final = {Container.WEBM: "webm", Container.AAC: "adts"}
_MUXING: Final = {Container.MP4: {"movflags": "+faststart"}, Container.MP3: {"id3v2_version": "0"}}
#: No file that names another (a playlist, a reference) has it opened.
_READING: Final = {"protocol_whitelist": "none", "enable_drefs": "0"}


@dataclass(frozen=True, slots=True)
class Media:
    """A video or a sound as the house keeps it; lengths in milliseconds."""

    data: bytes
    extension: str
    media_type: str
    width: int | None
    height: int | None
    details: dict[str, Any]


@dataclass(slots=True)
class _Seen:
    """What looking through a file found."""

    kind: str
    duration_ms: int
    video_codec: str | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    frame_rate: float | None = None
    audio_codec: str | None = None
    sample_rate: int | None = None
    channels: int | None = None


def take(data: bytes, container: Container, limits: MediaLimits = LIMITS) -> Media:
    """The video or sound of ``data``, without anything else. Raises InvalidInput that says what is wrong and what to do."""
    with _said():
        seen = _looked_through(data, container, limits)
        written = _written_anew(data, container)
    extension, media_type = (_VIDEO if seen.kind == "video" else _AUDIO)[container]
    details = {name: value for name, value in asdict(seen).items() if name not in ("width", "height")}
    details = {name: value for name, value in details.items() if value is not None}
    return Media(written, extension, media_type, seen.width, seen.height, details)


@contextlib.contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except (FFmpegError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise InvalidInput(
            f"The file is damaged and cannot be decoded ({type(error).__name__}). Save it again with a media program and "
            "send that.",
            field="file",
        ) from error


def _opened(data: bytes, container: Container) -> Any:
    # the format is given, so that no other reader (of playlists, of scripts) is ever tried on these bytes
    return av.open(io.BytesIO(data), "r", format=container.value, options=dict(_READING))


def _looked_through(data: bytes, container: Container, limits: MediaLimits) -> _Seen:
    with _opened(data, container) as source:
        if len(source.streams) > limits.streams_max:
            raise _refused(f"it has {len(source.streams)} tracks, at most {limits.streams_max} are taken")
        pictures = [stream for stream in source.streams.video if not _is_cover(stream)]
        sounds = list(source.streams.audio)
        if pictures and container not in _VIDEO:
            raise _refused("it is a sound with a video in it. Save the video as MP4 or WebM")
        if len(pictures) > 1:
            raise _refused("it has several videos in it. Keep one")
        if not pictures and not sounds:
            raise _refused("there is neither video nor sound in it")
        for stream in (*pictures, *sounds[:1]):
            _check_codec(stream)
        lasts = _lengths(source, limits)
    if not pictures:
        return _sound(data, container, lasts, limits)
    return _video(data, container, lasts, limits)


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _check_codec(stream: Any) -> None:
    known = VIDEO_CODECS if stream.type == "video" else AUDIO_CODECS
    context = stream.codec_context
    name = "unknown" if context is None else context.name.removeprefix("lib").removesuffix("_native")
    name = {"dav1d": "av1", "vpx": "vp8", "vpx-vp9": "vp9"}.get(name, name)
    if name not in known:
        usual = "H.264" if stream.type == "video" else "AAC or FLAC"
        raise _refused(f"its {stream.type} is of a kind that is not taken ({name}). Convert it to {usual}")
    if context is not None:
        context.thread_count = 1


def _lengths(source: Any, limits: MediaLimits) -> dict[str, tuple[int, int]]:
    """Of the first stream of each type: milliseconds and packets, counted and not believed."""
    found: dict[int, list[int]] = {}
    for number, packet in enumerate(source.demux()):
        if number > limits.packets_max:
            raise _refused("it has too many parts. Make it shorter")
        if packet.dts is None or packet.size == 0:
            continue
        at = packet.pts if packet.pts is not None else packet.dts
        lasts = found.setdefault(packet.stream.index, [at, at, 0])
        lasts[0], lasts[1] = min(lasts[0], at), max(lasts[1], at + (packet.duration or 0))
        lasts[2] += 1
    answer: dict[str, tuple[int, int]] = {}
    for stream in source.streams:
        if stream.index in found and stream.type not in answer and not (stream.type == "video" and _is_cover(stream)):
            first, last, packets = found[stream.index]
            answer[stream.type] = (round((last - first) * Fraction(stream.time_base) * 1000), packets)
    return answer


def _video(data: bytes, container: Container, lasts: dict[str, tuple[int, int]], limits: MediaLimits) -> _Seen:
    ms, packets = lasts.get("video", (0, 0))
    if ms > limits.video_ms_max:
        raise _refused(f"it lasts {ms / 1000:.0f} s, a video at most {limits.video_ms_max // 1000}. Make it shorter")
    if packets * 1000 > limits.frame_rate_max * max(ms, 1000):
        raise _refused(f"it has more than {limits.frame_rate_max} pictures a second. Make them fewer")
    decoded = 0
    with _opened(data, container) as source:
        stream = next(stream for stream in source.streams.video if not _is_cover(stream))
        context = stream.codec_context
        context.thread_count = 1
        width, height = _checked_size(context.width, context.height, limits)
        rate = stream.average_rate
        for frame in source.decode(stream):
            if (frame.width, frame.height) != (width, height):
                raise _refused("its pictures change their size. Save it again with one size")
            if frame.rotation:
                raise _refused("it lies on its side and is only marked as turned. Save it again upright")
            decoded += 1
            if decoded == limits.frames_decoded_max:
                # from here on only the pictures that stand by themselves: a new size can only begin with one
                context.skip_frame = "NONKEY"
        codec = context.codec.name
    if decoded == 0:
        raise _refused("no picture in it can be decoded")
    sound = _sound_of(data, container)
    return _Seen(
        kind="video",
        duration_ms=ms,
        video_codec=codec,
        width=width,
        height=height,
        frames=packets,
        frame_rate=None if rate is None else round(float(rate), 3),
        **sound,
    )


def _checked_size(width: int, height: int, limits: MediaLimits) -> tuple[int, int]:
    if width < 1 or height < 1:
        raise _refused("its pictures have no area")
    if max(width, height) > limits.side_px_max or width * height > limits.pixels_max:
        raise _refused(
            f"its pictures have {width:,} × {height:,} pixels, at most {limits.side_px_max:,} a side and "
            f"{limits.pixels_max:,} in all are taken. Make it smaller"
        )
    return width, height


def _sound_of(data: bytes, container: Container) -> dict[str, Any]:
    with _opened(data, container) as source:
        if not source.streams.audio:
            return {}
        context = source.streams.audio[0].codec_context
        return {"audio_codec": context.codec.name, "sample_rate": context.sample_rate, "channels": context.channels}


def _sound(data: bytes, container: Container, lasts: dict[str, tuple[int, int]], limits: MediaLimits) -> _Seen:
    """A sound is decoded whole: that is quick, and tells a cut-off one from a whole one."""
    promised = _flac_samples(data) if container is Container.FLAC else 0
    samples = 0
    with _opened(data, container) as source:
        stream = source.streams.audio[0]
        context = stream.codec_context
        context.thread_count = 1
        rate, channels = context.sample_rate, context.channels
        if not 1 <= rate <= limits.sample_rate_max or not 1 <= channels <= limits.channels_max:
            raise _refused(f"{rate:,} Hz and {channels} channels are more than is taken. Save it at 48,000 Hz, stereo")
        last = b""
        for packet in source.demux(stream):
            last = bytes(packet) if packet.size else last
            for frame in packet.decode():
                samples += frame.samples
                if samples * 1000 > limits.audio_ms_max * rate:
                    raise _refused(f"it lasts longer than {limits.audio_ms_max // 60_000} minutes. Make it shorter")
        codec = context.codec.name
    if samples == 0:
        raise _refused("no sound in it can be decoded")
    if promised and samples < promised:
        raise InvalidInput("The file is cut off: it ends too early. Copy or download it again.", field="file")
    if container is Container.FLAC and _crc16(last):
        raise InvalidInput(
            "Bytes that belong to nothing follow the end of this file. Save it again with a media program and send that.",
            field="file",
        )
    ms = round(samples * 1000 / rate)
    return _Seen(kind="audio", duration_ms=ms, audio_codec=codec, sample_rate=rate, channels=channels)


def _flac_samples(data: bytes) -> int:
    """How many samples STREAMINFO, the first block, promises; 0 when it does not say."""
    return int.from_bytes(data[21:26]) & (1 << 36) - 1


def _crc16(frame: bytes) -> int:
    """FLAC's checksum of a frame with its own checksum behind it: 0 when it is whole and nothing follows."""
    crc = 0
    for byte in frame:
        crc = (crc << 8 ^ _CRC16[crc >> 8 ^ byte]) & 0xFFFF
    return crc


def _crc16_of(byte: int) -> int:
    crc = byte << 8
    for _ in range(8):
        crc = (crc << 1 ^ (0x8005 if crc & 0x8000 else 0)) & 0xFFFF
    return crc


_CRC16: Final = tuple(_crc16_of(byte) for byte in range(256))


def _written_anew(data: bytes, container: Container) -> bytes:
    options = {"fflags": "+bitexact"} | _MUXING.get(container, {})
    # a file and no buffer: MP4's index is moved to the front by reading what was written
    with tempfile.TemporaryDirectory(prefix="asset-") as folder:
        path = Path(folder) / "whole"
        with (
            _opened(data, container) as source,
            av.open(str(path), "w", format=_MUXERS.get(container, container.value), options=options) as target,
        ):
            pictures = [stream for stream in source.streams.video if not _is_cover(stream)]
            chosen = (*pictures[:1], *source.streams.audio[:1])
            copies = {stream.index: target.add_stream_from_template(stream) for stream in chosen}
            for copy in copies.values():
                copy.metadata.clear()
            for packet in source.demux(*chosen):
                if packet.dts is None or packet.size == 0:
                    continue
                packet.stream = copies[packet.stream.index]
                target.mux(packet)
        return path.read_bytes()


def _refused(why: str) -> InvalidInput:
    return InvalidInput(f"The file cannot be taken: {why}.", field="file")
