"""What the stream-manager and its media process tell each other: MessagePack, each message after its length."""

from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from sothebais.instants import Millis
from sothebais.stream.audio.cues import Cue as Sound
from sothebais.stream.encoding import Format
from sothebais.stream.inputs.model import InputSpec
from sothebais.stream.outputs.model import OutputReading, OutputReport, OutputSpec
from sothebais.stream.show import Notice, ShowState

#: The longest message: a picture of the largest size that is taken in, and some.
MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
#: Kinds of ``Live``.
VIDEO, AUDIO, FRAGMENT = 1, 2, 3
KEY, INITIAL = 1, 2


class Begin(Struct, tag=True, frozen=True, kw_only=True):
    """The first message: what is encoded, from which instant it counts, and where it goes."""

    form: Format
    codec: str
    scenes: list[bytes]
    outputs: list[OutputSpec]
    state: bytes
    inputs: list[InputSpec] = []
    position: str | None = None
    seed: int = 0
    disk_free_bytes_min: int = 0
    bed: bool = True
    offset_ms: float = 0.0


class State(Struct, tag=True, frozen=True):
    """The show from ``since`` on: a ``ShowState`` and the log position it stands for.

    One that lies ahead is what follows if nothing happens; another state before then takes its place.
    """

    state: bytes
    position: str | None
    since: Millis = 0


class Scenes(Struct, tag=True, frozen=True):
    """The scenes that may be on air, as JSON; those that are built in when empty."""

    scenes: list[bytes]


class Picture(Struct, tag=True, frozen=True):
    """An asset that scenes show."""

    ref: str
    data: bytes


class Speak(Struct, tag=True, frozen=True):
    """Speech (FLAC, mono) that begins at an instant."""

    id: UUID
    flac: bytes
    starts_at: Millis


class Hush(Struct, tag=True, frozen=True):
    """Stop speaking."""

    id: UUID | None = None


class Cue(Struct, tag=True, frozen=True):
    """A short sound."""

    cue: Sound
    at: Millis


class Bed(Struct, tag=True, frozen=True):
    """Whether music plays."""

    on: bool


class HouseTime(Struct, tag=True, frozen=True):
    """How far the house's time (PostgreSQL's) is ahead of this machine's."""

    offset_ms: float


class Slate(Struct, tag=True, frozen=True):
    """What is said when the picture cannot be drawn."""

    notice: Notice


class Rate(Struct, tag=True, frozen=True):
    """Another bit rate."""

    video_kbps: int


class AddOutput(Struct, tag=True, frozen=True):
    """Send there too."""

    spec: OutputSpec


class DropOutput(Struct, tag=True, frozen=True):
    """Send there no longer."""

    name: str


class Want(Struct, tag=True, frozen=True):
    """Which forms of the live picture anybody looks at."""

    packets: bool
    fragments: bool


class WantFrame(Struct, tag=True, frozen=True):
    """One frame as PNG, ``wide`` pixels wide at most."""

    request: int
    wide: int = 0


class Stall(Struct, tag=True, frozen=True):
    """Do not compose for so long: how the slate is tried out."""

    seconds: float


class Stop(Struct, tag=True, frozen=True):
    """Finish every output and leave. ``ended``: the broadcast is over, no other process goes on with it."""

    ended: bool = False


type ToMedia = (
    Begin
    | State
    | Scenes
    | Picture
    | Speak
    | Hush
    | Cue
    | Bed
    | HouseTime
    | Slate
    | Rate
    | AddOutput
    | DropOutput
    | Want
    | WantFrame
    | Stall
    | Stop
)


class Hello(Struct, tag=True, frozen=True, kw_only=True):
    """The encode as players must know it."""

    pid: int
    encoder: str
    form: Format
    video_codec: str
    audio_codec: str
    description: bytes
    audio_description: bytes


class Live(Struct, tag=True, frozen=True):
    """A packet or fragment for those who watch. Times in microseconds from the encode's start."""

    kind: int
    flags: int
    pts_us: int
    duration_us: int
    at: Millis
    data: bytes


class Shown(Struct, tag=True, frozen=True):
    """From this frame on the picture shows the log up to ``position``."""

    pts_us: int
    position: str | None
    at: Millis


class Spoke(Struct, tag=True, frozen=True):
    """A speech began, and how much later than it should have."""

    id: UUID
    at: Millis
    late_ms: int


class PictureReady(Struct, tag=True, frozen=True):
    """A picture can be drawn; or why it cannot."""

    ref: str
    fault: str | None = None


class PictureGone(Struct, tag=True, frozen=True):
    """There was no room for a picture any more; whoever needs it sends it again."""

    ref: str


class FramePng(Struct, tag=True, frozen=True):
    """The frame that was asked for."""

    request: int
    data: bytes
    position: str | None
    at: Millis


class Readings(Struct, tag=True, frozen=True, kw_only=True):
    """How the last seconds went."""

    at: Millis
    fps: float
    bitrate_kbps: float
    frames: int
    dropped_frames: int
    late_frames: int
    compose_ms_p50: float
    compose_ms_p99: float
    encode_ms_p50: float
    encode_ms_p99: float
    queue_frames: int
    cpu_percent: float
    memory_bytes: int
    slate: bool
    position: str | None
    outputs: list[OutputReading]


class Report(Struct, tag=True, frozen=True):
    """An output came up or went down."""

    report: OutputReport


class Fault(Struct, tag=True, frozen=True):
    """Something failed and the show went on without it."""

    component: str
    message: str
    recovered: bool = False


class Bye(Struct, tag=True, frozen=True):
    """Everything is finished."""


type FromMedia = Hello | Live | Shown | Spoke | PictureReady | PictureGone | FramePng | Readings | Report | Fault | Bye

_encoder = msgspec.msgpack.Encoder()
to_media = msgspec.msgpack.Decoder(ToMedia)
from_media = msgspec.msgpack.Decoder(FromMedia)
_state = msgspec.msgpack.Decoder(ShowState)


def encode(message: ToMedia | FromMedia) -> bytes:
    """A message with its length before it. Raises ValueError for one that is too long."""
    body = _encoder.encode(message)
    if len(body) > MESSAGE_BYTES_MAX:
        raise ValueError(f"a message of {len(body):,} bytes is longer than {MESSAGE_BYTES_MAX:,}")
    return len(body).to_bytes(4, "big") + body


def pack(state: ShowState) -> bytes:
    """A state as ``State`` carries it."""
    return _encoder.encode(state)


def unpack(data: bytes) -> ShowState:
    """And back."""
    return _state.decode(data)
