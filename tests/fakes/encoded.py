"""Packets of a real encode, tiny and at once: a picture that changes, and silence, both from frame ``first`` on."""

from collections.abc import Collection, Iterable

import numpy as np

from sothebais.stream.encoder import Encoder, Packet
from sothebais.stream.encoding import SAMPLE_RATE, Format
from sothebais.stream.media.pace import first_sample

TINY = Format(width=64, height=48, fps=30, video_kbps=400, key_interval_s=1.0, preset="ultrafast")
#: The server time of frame 0.
BEGUN_AT = 1_000_000.0


def at(frame: int, fps: int = TINY.fps) -> float:
    """The server time that a frame shows."""
    return BEGUN_AT + frame * 1_000 / fps


def encode(encoder: Encoder, frames: Iterable[int], keys: Collection[int] = ()) -> list[Packet]:
    """What the encoder makes of these frames and the sound that belongs to each."""
    form = encoder.form
    picture = np.full((form.height * 3 // 2, form.width), 128, np.uint8)
    made: list[Packet] = []
    for frame in frames:
        picture[: form.height] = frame * 5 % 220 + 16
        made += encoder.picture(picture, frame, at(frame, form.fps), key=frame in keys)
        begin, end = (first_sample(one, form.fps, SAMPLE_RATE) for one in (frame, frame + 1))
        made += encoder.sound(np.zeros((2, end - begin), np.float32), begin, at(frame, form.fps))
    return made


def encoded(
    frames: int, *, first: int = 0, keys: Collection[int] = (), form: Format = TINY
) -> tuple[Encoder, list[Packet]]:
    """An encoder, and the packets of so many frames."""
    encoder = Encoder(form, "libx264")
    return encoder, encode(encoder, range(first, first + frames), keys)
