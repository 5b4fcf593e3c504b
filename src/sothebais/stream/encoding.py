"""What the encoder and each muxer are told, and the forms that players want of what comes out. Pure.

The picture is BT.601 limited range, as ``yuv`` converts it, and says so. Every key frame begins a closed group, so that
an output may begin with any of them.
"""

import struct
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from msgspec import Struct

SAMPLE_RATE: Final = 48_000
CHANNELS: Final = 2
#: ITU-T H.273 code points: SMPTE 170M primaries, transfer and matrix, limited range.
SMPTE170M: Final = 6
LIMITED_RANGE: Final = 1
#: AV_CODEC_FLAG_GLOBAL_HEADER: parameter sets stand in the container, not in the packets alone.
GLOBAL_HEADER: Final = 1 << 22
#: How long one write to a server may take, and how long it may take to answer at first.
RTMP_WRITE_S: Final = 3.0
RTMP_CONNECT_S: Final = 5.0
#: What may lie on its way in the system's own queue. Left to itself that grows to megabytes, and the stream of a slow
#: link is ten seconds late before anybody here notices; this is enough for 10 Mbit/s over 200 ms.
RTMP_SEND_BYTES: Final = 256 * 1024
#: Encoders in order of preference where the settings say "auto"; each is tried before it is used.
HARDWARE: Final = ("h264_nvenc", "h264_qsv", "h264_videotoolbox", "h264_amf")
SOFTWARE: Final = "libx264"


class Format(Struct, frozen=True, kw_only=True):
    """One encode: size in pixels, frames a second, kilobits a second, and a key frame every so many seconds."""

    width: int = 1280
    height: int = 720
    fps: int = 30
    video_kbps: int = 3_000
    audio_kbps: int = 128
    key_interval_s: float = 1.0
    preset: str = "superfast"
    threads: int = 1

    @property
    def key_interval(self) -> int:
        """Frames from one key frame to the next."""
        return max(1, round(self.fps * self.key_interval_s))


class IngestLimits(Struct, frozen=True):
    """What a platform takes."""

    video_kbps_max: int
    audio_kbps_max: int
    fps_max: int
    height_max: int
    key_interval_s_max: float


#: X's ingest. Source: X Media Studio, Producer, "recommended stream specifications" (media.x.com): up to 1080p60,
#: 12 Mbit/s at most, a key frame every 3 s at most, AAC-LC up to 128 kbit/s.
X_INGEST: Final = IngestLimits(12_000, 128, 60, 1_080, 3.0)


def complaints(form: Format, limits: IngestLimits) -> list[str]:
    """Why a platform may refuse this encode; empty when it will not."""
    found = []
    if form.video_kbps > limits.video_kbps_max:
        found.append(f"video of {form.video_kbps} kbit/s is above {limits.video_kbps_max}")
    if form.audio_kbps > limits.audio_kbps_max:
        found.append(f"audio of {form.audio_kbps} kbit/s is above {limits.audio_kbps_max}")
    if form.fps > limits.fps_max:
        found.append(f"{form.fps} frames a second are above {limits.fps_max}")
    if min(form.height, form.width) > limits.height_max:
        found.append(f"{form.width} × {form.height} is larger than {limits.height_max} lines")
    if form.key_interval_s > limits.key_interval_s_max:
        found.append(f"a key frame every {form.key_interval_s:g} s is rarer than every {limits.key_interval_s_max:g} s")
    return found


def video_options(form: Format, codec: str = SOFTWARE) -> dict[str, str]:
    """Options of the video encoder: constant rate for ingest servers, no frame waits for a later one."""
    rate = f"{form.video_kbps}k"
    common = {"maxrate": rate, "bufsize": rate, "g": str(form.key_interval), "bf": "0"}
    match codec:
        case "libx264":
            return {**common, "preset": form.preset, "tune": "zerolatency", "sc_threshold": "0", "forced-idr": "1"}
        case "h264_nvenc":
            return {**common, "preset": "p3", "tune": "ll", "rc": "cbr", "zerolatency": "1", "forced-idr": "1"}
        case "h264_qsv":
            return {**common, "preset": "veryfast", "low_power": "1", "forced_idr": "1", "async_depth": "1"}
        case "h264_videotoolbox":
            return {**common, "realtime": "1", "allow_sw": "0"}
        case _:
            return common


#: Fragments that can be read though the file never got its end, with the times they have in the stream: without
#: ``frag_discont`` (which asks for an edit list) picture and sound would each begin at zero, up to a block apart.
_FRAGMENTED: Final = "empty_moov+default_base_moof+frag_discont"
RECORDING_OPTIONS: Final = MappingProxyType(
    {"movflags": f"{_FRAGMENTED}+frag_keyframe", "avoid_negative_ts": "disabled", "flush_packets": "1"}
)
VIDEO_TIMESCALE: Final = 90_000
#: One fragment per frame, for those who play as it comes. (``frag_every_frame`` gives each but the first the time of
#: the next and no length; a shortest length of a microsecond does what it should.)
FRAGMENT_OPTIONS: Final = MappingProxyType(
    {
        # without an index at the end, which would grow with every fragment
        "movflags": f"{_FRAGMENTED}+skip_trailer",
        "use_editlist": "1",
        "avoid_negative_ts": "disabled",
        "frag_duration": "1",
        "video_track_timescale": str(VIDEO_TIMESCALE),
        "flush_packets": "1",
    }
)
CLIP_OPTIONS: Final = MappingProxyType({"movflags": "faststart"})


def rtmp_options(url: str, *, ca_file: str | None = None) -> dict[str, str]:
    """Options of the FLV muxer and its connection. RTMPS is verified against ``ca_file``, else the system's."""
    options = {
        "flvflags": "no_duration_filesize",
        "rw_timeout": str(round(RTMP_WRITE_S * 1e6)),
        "send_buffer_size": str(RTMP_SEND_BYTES),
        "flush_packets": "1",
    }
    if url.startswith("rtmps:"):
        options["tls_verify"] = "1"
        if ca_file is not None:
            options["ca_file"] = ca_file
    return options


def units(annex_b: bytes) -> Iterator[bytes]:
    """The NAL units of a byte stream, without start codes."""
    begin = annex_b.find(b"\x00\x00\x01")
    while begin >= 0:
        begin += 3
        end = annex_b.find(b"\x00\x00\x01", begin)
        unit = annex_b[begin:] if end < 0 else annex_b[begin:end]
        # a fourth zero belongs to the next start code; a unit itself never ends with one
        unit = unit.rstrip(b"\x00")
        if unit:
            yield unit
        begin = end


#: Parameter sets and delimiters stand in the container or the player's configuration.
_NOT_IN_SAMPLES: Final = frozenset({7, 8, 9})


def sample(annex_b: bytes) -> bytes:
    """A packet as MP4 and WebCodecs take it: each unit after its length in four bytes."""
    return b"".join(
        struct.pack(">I", len(unit)) + unit for unit in units(annex_b) if unit[0] & 31 not in _NOT_IN_SAMPLES
    )


def avcc(extradata: bytes) -> bytes:
    """AVCDecoderConfigurationRecord (ISO/IEC 14496-15) of the encoder's parameter sets."""
    if extradata[:1] == b"\x01":
        return extradata
    found = list(units(extradata))
    sps = [unit for unit in found if unit[0] & 31 == 7]
    pps = [unit for unit in found if unit[0] & 31 == 8]
    if not sps or not pps:
        raise ValueError("the encoder gave no parameter sets")
    record = bytes((1, sps[0][1], sps[0][2], sps[0][3], 0xFF, 0xE0 | len(sps)))
    record += b"".join(struct.pack(">H", len(unit)) + unit for unit in sps)
    record += bytes((len(pps),)) + b"".join(struct.pack(">H", len(unit)) + unit for unit in pps)
    if sps[0][1] in (100, 110, 122, 144):  # high profiles: 4:2:0 with 8 bits, as we encode
        record += bytes((0xFC | 1, 0xF8, 0xF8, 0))
    return record


def video_codec(extradata: bytes) -> str:
    """``avc1.64001f``: what browsers are asked for (RFC 6381)."""
    record = avcc(extradata)
    return f"avc1.{record[1]:02x}{record[2]:02x}{record[3]:02x}"


AUDIO_CODEC: Final = "mp4a.40.2"
