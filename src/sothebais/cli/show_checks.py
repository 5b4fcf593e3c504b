"""What ``sothebais doctor`` looks at for the show: encoders, fonts, outputs, room for recordings, ports."""

import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import numpy as np
from av.error import FFmpegError
from msgspec import Struct

from sothebais.config import Settings
from sothebais.stream import encoding, fonts
from sothebais.stream.encoder import Encoder, NoEncoder, Packet
from sothebais.stream.encoding import CHANNELS, SAMPLE_RATE, X_INGEST, Format, IngestLimits

#: Where X takes streams in. Source: the server addresses that X Media Studio's Producer gives are under pscp.tv.
X_HOSTS: Final = ("pscp.tv", "x.com", "twitter.com")
#: A service on a port of ours is asked for so long who it is.
ASKED_S: Final = 1.0
#: A first frame and a second of sound must come out of the encoders.
_FRAMES: Final = 3
_HOUR_S: Final = 3_600


class Finding(Struct, frozen=True):
    """What a check found. A warning is nothing the house would not open with."""

    check: str
    ok: bool
    found: str
    warning: bool = False


def examine(settings: Settings) -> list[Finding]:
    """All checks of the show, on this machine. Takes a second or so: encoders are tried, not looked up."""
    return [
        *_encoders(settings),
        _fonts(),
        *outputs(settings),
        recordings(settings, _free(settings.data_dir)),
        *(port_free(name, settings.host, port, setting) for name, port, setting in _ports(settings)),
    ]


def form_of(settings: Settings) -> Format:
    """The encode that the settings ask for."""
    width, height = map(int, settings.stream_canvas.split("x"))
    return Format(
        width=width,
        height=height,
        fps=settings.stream_fps,
        video_kbps=settings.stream_video_kbps,
        audio_kbps=settings.stream_audio_kbps,
        key_interval_s=settings.stream_key_interval_s,
        preset=settings.stream_preset,
        threads=settings.stream_threads,
    )


def _encoders(settings: Settings) -> Iterator[Finding]:
    form, wanted = form_of(settings), settings.stream_encoder
    try:
        encoder = Encoder(form, wanted)
    except (NoEncoder, FFmpegError, ValueError) as error:
        what = "Set SOTHEBAIS_STREAM_ENCODER=auto." if wanted != "auto" else "Install a build of PyAV with libx264."
        yield Finding("H.264 encoder", False, f"{wanted} does not work here: {_reason(error)}. {what}")
        return
    grey = np.full((form.height * 3 // 2, form.width), 128, np.uint8)
    silence = np.zeros((CHANNELS, SAMPLE_RATE // 4), np.float32)
    try:
        made: list[Packet] = []
        for frame in range(_FRAMES):
            made += encoder.picture(grey, frame, 0.0)
        made += encoder.sound(silence, 0, 0.0)
        made += encoder.flush()
    except (FFmpegError, ValueError) as error:
        yield Finding("H.264 encoder", False, f"{encoder.codec} opens and then fails: {_reason(error)}.")
        return
    finally:
        encoder.close()
    pictures = sum(packet.kind == "video" for packet in made)
    yield Finding(
        "H.264 encoder",
        pictures == _FRAMES,
        f"{encoder.codec} encodes {form.width}x{form.height} at {form.fps}"
        if pictures == _FRAMES
        else f"{encoder.codec} gave {pictures} of {_FRAMES} pictures; set SOTHEBAIS_STREAM_ENCODER to another one",
    )
    heard = any(packet.kind == "audio" and packet.data for packet in made)
    yield Finding("AAC encoder", heard, "works" if heard else "gives nothing; install a build of PyAV with aac")


def _fonts() -> Finding:
    try:
        faces = [fonts.typeface(family).getFamilyName() for family in (fonts.SERIF, fonts.SANS)]
    except (ModuleNotFoundError, OSError, ValueError) as error:
        return Finding("fonts", False, f"{error}; install the house again, the typefaces are packages of it")
    return Finding("fonts", True, " and ".join(faces))


def outputs(settings: Settings) -> list[Finding]:
    """What each platform that is streamed to may refuse, and what to set. Of an address only the host is said."""
    found = []
    form = form_of(settings)
    for name, target in settings.stream_outputs.items():
        host = urlsplit(target.get_secret_value()).hostname or ""
        if not is_x(host):
            found.append(Finding(f"output {name}", True, f"{host}; its limits are not known here"))
            continue
        refused = encoding.complaints(form, X_INGEST)
        if refused:
            said = f"{host} is X's and may refuse it: {'; '.join(refused)}. Set {remedy(form, X_INGEST)}."
            found.append(Finding(f"output {name}", True, said, warning=True))
        else:
            found.append(Finding(f"output {name}", True, f"{host}, within X's limits"))
    return found


def is_x(host: str) -> bool:
    """Whether a host is X's ingest, or looks like it."""
    return any(host == domain or host.endswith(f".{domain}") for domain in X_HOSTS)


def remedy(form: Format, limits: IngestLimits) -> str:
    """The settings that bring an encode within a platform's limits."""
    wide = form.width >= form.height
    needed: Mapping[str, tuple[bool, object]] = {
        "SOTHEBAIS_STREAM_VIDEO_KBPS": (form.video_kbps > limits.video_kbps_max, limits.video_kbps_max),
        "SOTHEBAIS_STREAM_AUDIO_KBPS": (form.audio_kbps > limits.audio_kbps_max, limits.audio_kbps_max),
        "SOTHEBAIS_STREAM_FPS": (form.fps > limits.fps_max, 30),
        "SOTHEBAIS_STREAM_CANVAS": (
            min(form.width, form.height) > limits.height_max,
            "1280x720" if wide else "720x1280",
        ),
        "SOTHEBAIS_STREAM_KEY_INTERVAL_S": (
            form.key_interval_s > limits.key_interval_s_max,
            f"{limits.key_interval_s_max:g}",
        ),
    }
    return " and ".join(f"{name}={value}" for name, (is_needed, value) in needed.items() if is_needed)


def recordings(settings: Settings, free: int) -> Finding:
    """Whether the disk has room for the recording of a few hours."""
    if not settings.stream_record:
        return Finding("recordings", True, "streams are not recorded")
    each_s = (settings.stream_video_kbps + settings.stream_audio_kbps) * 1_000 / 8
    left = free - settings.recording_free_bytes_min
    if left <= 0:
        return Finding(
            "recordings",
            True,
            f"{free / 1e9:.1f} GB are free, and recording stops below {settings.recording_free_bytes_min / 1e9:.1f} GB:"
            " make room, or set SOTHEBAIS_DATA_DIR elsewhere, or SOTHEBAIS_STREAM_RECORD=false",
            warning=True,
        )
    hours = left / each_s / _HOUR_S
    return Finding("recordings", True, f"room for {hours:,.0f} h at {settings.stream_video_kbps} kbit/s" if hours >= 1
                   else f"room for {hours * 60:.0f} minutes at {settings.stream_video_kbps} kbit/s", warning=hours < 1)  # fmt: skip


def port_free(name: str, host: str, port: int, setting: str) -> Finding:
    """Whether a port can be listened on, or one of our own services does already."""
    check = f"port {port}"
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if _answers(host, port):
                return Finding(check, True, f"{name} runs there already")
            said = f"cannot be listened on by {name} ({error.strerror}); free it, or set {setting} to another"
            return Finding(check, True, said, warning=True)
    return Finding(check, True, f"free for {name}")


def _answers(host: str, port: int) -> bool:
    """Whether a service of a house is there."""
    address = f"[{host}]" if ":" in host else host
    try:
        answer = httpx.get(f"http://{address}:{port}/healthz", timeout=ASKED_S)
    except (httpx.HTTPError, ValueError):
        return False
    return answer.status_code == 200 and answer.headers.get("content-type", "").startswith("application/json")


def _ports(settings: Settings) -> Iterator[tuple[str, int, str]]:
    yield "the pages", settings.port, "SOTHEBAIS_PORT"
    yield "the event-handler", settings.events_port, "SOTHEBAIS_EVENTS_PORT"
    yield "the stream-manager", settings.stream_port, "SOTHEBAIS_STREAM_PORT"


def _free(folder: Path) -> int:
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    return shutil.disk_usage(existing).free


def _reason(error: Exception) -> str:
    """The fault without the option list that libav puts behind it."""
    strerror = getattr(error, "strerror", None)
    return str(strerror or str(error).partition(": 'avcodec_open2")[0]).rstrip(".")
