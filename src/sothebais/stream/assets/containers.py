"""What a video or a sound is, by its first bytes, and whether it ends where it says, by its own structure.

As with pictures (``catalog.containers``): a file that is cut off, or that goes on after its end, is refused.
"""

import struct
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from sothebais.errors import InvalidInput


class Container(StrEnum):
    """A container that is taken; the value is libav's name of its demuxer."""

    MP4 = "mp4"
    WEBM = "matroska"
    WAV = "wav"
    FLAC = "flac"
    MP3 = "mp3"
    OGG = "ogg"
    AAC = "aac"


#: MP4's brands that are pictures.
_PICTURE_BRANDS: Final = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_EBML = b"\x1aE\xdf\xa3"
_SEGMENT = b"\x18S\x80g"
_MP3_KBPS: Final = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_RATES: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
#: So many frames must follow one another before bytes that look like a frame are one.
_FRAMES_SURE: Final = 3
_ID3V1_BYTES = 128
#: Zeros that some programs leave between the tag and the sound.
_ID3_PADDING_MAX: Final = 65_536


def container_of(data: bytes) -> Container | None:
    """The container of a video or a sound; None for anything else."""
    if data[4:8] == b"ftyp":
        return None if data[8:12] in _PICTURE_BRANDS else Container.MP4
    if data.startswith(_EBML):
        return Container.WEBM
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        return Container.WAV
    for magic, found in ((b"fLaC", Container.FLAC), (b"OggS", Container.OGG), (b"ID3", Container.MP3)):
        if data.startswith(magic):
            return found
    if len(data) > 2 and data[0] == 0xFF:
        if data[1] & 0xF6 == 0xF0:
            return Container.AAC
        # not a JPEG, whose second byte is 0xD8
        if data[1] & 0xE6 == 0xE2 and data[1] & 0x18 != 0x08:
            return Container.MP3
    return None


def check_whole(data: bytes, container: Container) -> None:
    """Raise InvalidInput for a file that is cut off, or that goes on after its end."""
    try:
        end = _ENDS[container](data)
    except (IndexError, struct.error):
        raise _cut_off() from None
    if end > len(data):
        raise _cut_off()
    if rest := len(data) - end:
        raise InvalidInput(
            f"{rest:,} bytes that belong to nothing follow the end of this file. Save it again with a media program and "
            "send that.",
            field="file",
        )


def _cut_off() -> InvalidInput:
    return InvalidInput("The file is cut off: it ends too early. Copy or download it again.", field="file")


def _broken(what: str) -> InvalidInput:
    return InvalidInput(f"The file is damaged: {what}. Save it again with a media program and send that.", field="file")


def _mp4_end(data: bytes) -> int:
    position, names = 0, set[bytes]()
    while position < len(data):
        size, name = struct.unpack_from(">I4s", data, position)
        header = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, position + 8)
            header = 16
        elif size == 0:
            size = len(data) - position
        if not all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in name):
            return position  # no box: what follows belongs to nothing
        if size < header:
            raise _broken("one of its boxes is shorter than its own head")
        names.add(name)
        position += size
    if position > len(data):
        return position
    if not {b"moov", b"mdat"} <= names:
        raise _cut_off()
    return position


def _vint(data: bytes, position: int) -> tuple[int | None, int]:
    """EBML's number (None when it says that it is not known) and the place after it."""
    first = data[position]
    if first == 0:
        raise _broken("a length in it cannot be read")
    length = 9 - first.bit_length()
    value = int.from_bytes(data[position : position + length]) & ((1 << 7 * length) - 1)
    if position + length > len(data):
        raise _cut_off()
    return (None if value == (1 << 7 * length) - 1 else value), position + length


def _webm_end(data: bytes) -> int:
    size, position = _vint(data, len(_EBML))
    head = data[position : position + (size or 0)]
    at = head.find(b"\x42\x82")
    kind = head[at + 3 : at + 3 + (head[at + 2] & 0x7F)].rstrip(b"\x00") if at >= 0 else b""
    if kind != b"webm":
        raise InvalidInput("This is a Matroska file that is no WebM. Convert it to WebM or MP4.", field="file")
    position += size or 0
    if data[position : position + 4] != _SEGMENT:
        raise _broken("it has a head and no content")
    size, position = _vint(data, position + 4)
    return len(data) if size is None else position + size


def _wav_end(data: bytes) -> int:
    (size,) = struct.unpack_from("<I", data, 4)
    end = 8 + int(size)
    return end + 1 if end % 2 and data[end : end + 1] == b"\x00" else end


def _flac_end(data: bytes) -> int:
    """Where its metadata end at the earliest; the frames are looked through when they are decoded."""
    position, last = 4, False
    while not last:
        head = data[position]
        last = bool(head & 0x80)
        position += 4 + int.from_bytes(data[position + 1 : position + 4])
    return max(position, len(data))


def _ogg_end(data: bytes) -> int:
    position, ended = 0, False
    while data[position : position + 4] == b"OggS":
        ended = bool(data[position + 5] & 4)
        segments = data[position + 26]
        lengths = data[position + 27 : position + 27 + segments]
        if len(lengths) < segments:
            raise _cut_off()
        position += 27 + segments + sum(lengths)
    if not ended and position >= len(data):
        raise _cut_off()
    return position


def _after_id3(data: bytes) -> int:
    position = 0
    while data[position : position + 3] == b"ID3":
        size = 0
        for byte in data[position + 6 : position + 10]:
            size = size << 7 | byte & 0x7F
        position += 10 + size + (10 if data[position + 5] & 0x10 else 0)
    while position < len(data) and data[position] == 0 and position < _ID3_PADDING_MAX:
        position += 1
    return position


def _frames_end(data: bytes, position: int, length_of: Callable[[bytes, int], int]) -> int:
    frames = 0
    while position + 7 <= len(data) and (length := length_of(data, position)):
        position += length
        frames += 1
    if frames < _FRAMES_SURE:
        raise _broken("no sound begins where it should")
    return position


def _mp3_end(data: bytes) -> int:
    end = _frames_end(data, _after_id3(data), _mp3_frame)
    if data[end : end + 8] == b"APETAGEX":
        end += 32 + int.from_bytes(data[end + 12 : end + 16], "little")
    if data[end : end + 3] == b"TAG" and len(data) - end == _ID3V1_BYTES:
        end += _ID3V1_BYTES
    return end


def _mp3_frame(data: bytes, position: int) -> int:
    """The length of the frame here; 0 where there is none."""
    _, second, third = data[position : position + 3]
    version, layer = second >> 3 & 3, second >> 1 & 3
    if data[position] != 0xFF or second & 0xE0 != 0xE0 or version == 1 or layer != 1:
        return 0
    step, rate = third >> 4, third >> 2 & 3
    if step in (0, 15) or rate == 3:
        return 0
    first = version == 3
    kbps = _MP3_KBPS[1 if first else 2][step]
    return (144 if first else 72) * kbps * 1000 // _MP3_RATES[version][rate] + (third >> 1 & 1)


def _aac_end(data: bytes) -> int:
    return _frames_end(data, 0, _aac_frame)


def _aac_frame(data: bytes, position: int) -> int:
    if data[position] != 0xFF or data[position + 1] & 0xF6 != 0xF0:
        return 0
    return (data[position + 3] & 3) << 11 | data[position + 4] << 3 | data[position + 5] >> 5


_ENDS: Final = {
    Container.MP4: _mp4_end,
    Container.WEBM: _webm_end,
    Container.WAV: _wav_end,
    Container.FLAC: _flac_end,
    Container.MP3: _mp3_end,
    Container.OGG: _ogg_end,
    Container.AAC: _aac_end,
}
