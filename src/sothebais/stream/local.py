"""The composer alone, and the composer with the encoder alone: no house, no outputs, no clock but the frames'.

For whoever wants to see a scene, or whether a machine can draw and encode the show.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import cv2
from av.error import FFmpegError
from msgspec import Struct

from sothebais.errors import InvalidInput, Unavailable
from sothebais.instants import Millis
from sothebais.stream import decoding, drawn, example
from sothebais.stream.audio.mixer import Mixer
from sothebais.stream.audio.timing import SampleClock
from sothebais.stream.compositor import Composer
from sothebais.stream.encoder import Encoder, NoEncoder
from sothebais.stream.encoding import Format
from sothebais.stream.outputs.output import SinkRefused, reason_of
from sothebais.stream.outputs.sinks import Recording, Templates
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes import Scene
from sothebais.stream.show import ShowState
from sothebais.stream.stage import Programme

SECONDS_MAX: Final = 600
_PNG_LEVEL: Final = 3


class Show(Struct, frozen=True):
    """A scene, the state it shows, the instant at which it is looked at first, and the pictures in it."""

    scene: Scene
    state: ShowState
    at: Millis
    pictures: HeldPictures


class Recorded(Struct, frozen=True):
    """What came of a recording. Milliseconds are of one frame; ``seconds_taken`` is how long all of it took."""

    frames: int
    encoder: str
    bytes: int
    seconds_taken: float
    compose_ms_p50: float
    compose_ms_p99: float
    encode_ms_p50: float
    encode_ms_p99: float


def held(files: Mapping[str, bytes]) -> HeldPictures:
    """Pictures by their references, and the example's own. Raises InvalidInput for one that cannot be decoded."""
    pictures = HeldPictures()
    pictures.put_image(example.ARTWORK.ref, drawn.stand_in())
    for ref, data in files.items():
        try:
            decoding.hold(pictures, ref, data)
        except ValueError as error:
            raise InvalidInput(f"The picture {ref} cannot be shown: {error}.") from error
    return pictures


def still(show: Show, width: int, height: int) -> bytes:
    """How the scene looks, as PNG."""
    composer = Composer(Programme([show.scene], width, height), show.pictures)
    composer.compose(show.state, show.at)
    done, data = cv2.imencode(".png", composer.compositor.pixels[..., :3], [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    if not done:
        raise Unavailable("The picture could not be written as PNG.")
    return data.tobytes()


def record(show: Show, path: Path, form: Format, *, seconds: int, codec: str = "auto", music: bool = True) -> Recorded:
    """Compose and encode so many seconds, as a broadcast does, into an MP4 that is there only when it is whole.

    As fast as the machine can. Raises InvalidInput, or Unavailable when nothing encodes here or the disk is full.
    """
    if not 0 < seconds <= SECONDS_MAX:
        raise InvalidInput(f"--seconds: between 1 and {SECONDS_MAX}, not {seconds}.", field="seconds")
    composer = Composer(Programme([show.scene], form.width, form.height), show.pictures)
    mixer, sound = Mixer(), SampleClock(show.at, form.fps)
    if music:
        mixer.bed(on=True)
    partial = path.absolute().with_name(f".{path.stem}.{os.getpid()}.partial")
    try:
        encoder = Encoder(form, codec)
    except NoEncoder as error:
        raise Unavailable(f"{error}. `sothebais doctor` says which encoder works here.") from error
    composing: list[float] = []
    encoding: list[float] = []
    begun = time.perf_counter()
    try:
        sink = Recording(partial, Templates(encoder), disk_free_bytes_min=0)
        try:
            first = sound.first(0)
            for frame in range(seconds * form.fps):
                at = sound.at(frame)
                asked = time.perf_counter()
                composer.render(show.state, at)
                drawn_at = time.perf_counter()
                begin, count = sound.block(frame)
                packets = encoder.picture(composer.frame.buffer, frame, at)
                packets += encoder.sound(mixer.mix(begin, count), begin - first, at)
                done = time.perf_counter()
                composing.append((drawn_at - asked) * 1_000)
                encoding.append((done - drawn_at) * 1_000)
                for packet in packets:
                    sink.write(packet)
            for packet in encoder.flush():
                sink.write(packet)
        finally:
            sink.close()
        partial.replace(path)
    except (FFmpegError, OSError, SinkRefused) as error:
        raise Unavailable(f"{path.name} cannot be written: {reason_of(error)}.") from error
    finally:
        partial.unlink(missing_ok=True)
        encoder.close()
    composing.sort()
    encoding.sort()
    return Recorded(
        frames=seconds * form.fps,
        encoder=encoder.codec,
        bytes=path.stat().st_size,
        seconds_taken=time.perf_counter() - begun,
        compose_ms_p50=_share(composing, 0.5),
        compose_ms_p99=_share(composing, 0.99),
        encode_ms_p50=_share(encoding, 0.5),
        encode_ms_p99=_share(encoding, 0.99),
    )


def _share(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
