"""Sound as services send it: WAV files, whole or streamed, and bare PCM. Pure."""

import struct
from typing import Final

import numpy as np

from sothebais.agent.voice.ports import Pcm

RATE_MIN: Final = 8_000
RATE_MAX: Final = 96_000
CHANNELS_MAX: Final = 2
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_HEADER: Final = struct.Struct("<HHIIHH")


class NotSound(ValueError):
    """These bytes are not sound of a kind that is read here."""


def read_wav(body: bytes) -> tuple[Pcm, int]:
    """Mono samples from −1 to 1 and their rate. A streamed file, whose length is not known, ends where it ends.

    Raises NotSound.
    """
    if body[:4] != b"RIFF" or body[8:12] != b"WAVE":
        raise NotSound("it is not a WAV file")
    layout: tuple[int, int, int, int] | None = None
    at = 12
    while at + 8 <= len(body):
        name, size = body[at : at + 4], int.from_bytes(body[at + 4 : at + 8], "little")
        content = memoryview(body)[at + 8 : at + 8 + size]
        if name == b"fmt ":
            layout = _layout(content)
        elif name == b"data":
            if layout is None:
                raise NotSound("its format is not said")
            return _samples(content, *layout)
        at += 8 + size + size % 2
    raise NotSound("it holds no samples")


def read_pcm(body: bytes, rate: int) -> tuple[Pcm, int]:
    """Mono signed 16-bit little-endian samples. Raises NotSound."""
    return _samples(memoryview(body), _PCM, 1, rate, 16)


def _layout(content: memoryview) -> tuple[int, int, int, int]:
    """(encoding, channels, rate, bits a sample)."""
    if len(content) < _HEADER.size:
        raise NotSound("its format is cut off")
    encoding, channels, rate, _, _, bits = _HEADER.unpack_from(content)
    if encoding == _EXTENSIBLE and len(content) >= 26:
        encoding = int.from_bytes(content[24:26], "little")
    return encoding, channels, rate, bits


def _samples(content: memoryview, encoding: int, channels: int, rate: int, bits: int) -> tuple[Pcm, int]:
    if not RATE_MIN <= rate <= RATE_MAX or not 1 <= channels <= CHANNELS_MAX:
        raise NotSound(f"{channels} channels of {rate} samples a second are not read here")
    if (encoding, bits) not in {(_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32)}:
        raise NotSound(f"samples of encoding {encoding} with {bits} bits are not read here")
    width = bits // 8
    whole = content[: len(content) // (width * channels) * width * channels]
    if encoding == _FLOAT:
        values = np.frombuffer(whole, "<f4").astype(np.float32)
    elif bits == 24:
        triples = np.frombuffer(whole, np.uint8).reshape(-1, 3).astype(np.int32)
        # into the high bytes, so that the sign is right
        values = ((triples[:, 0] << 8 | triples[:, 1] << 16 | triples[:, 2] << 24) / 2**31).astype(np.float32)
    else:
        values = (np.frombuffer(whole, f"<i{width}") / float(2 ** (bits - 1))).astype(np.float32)
    if not np.isfinite(values).all():
        raise NotSound("it holds samples that are no numbers")
    mono = values.reshape(-1, channels).mean(axis=1, dtype=np.float32)
    return np.clip(mono, -1.0, 1.0), rate
