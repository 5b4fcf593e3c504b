"""What a picture file is, by its first bytes, and where it ends, by its own structure.

Bytes after the end are how one file is two things at once (a picture and a web page, a picture and an archive); such
files are refused, although encoding anew would drop those bytes: nobody sends one by accident.
"""

import struct
from enum import StrEnum
from typing import Final

from sothebais.errors import InvalidInput


class Kind(StrEnum):
    """A picture format that is accepted; the value is Pillow's name for it."""

    PNG = "PNG"
    JPEG = "JPEG"
    GIF = "GIF"
    WEBP = "WEBP"


_PNG = b"\x89PNG\r\n\x1a\n"
#: How much of a file is looked at to say what it is.
_HEAD_BYTES = 4096
#: (offset, bytes, name) of what is often sent instead of a picture we take.
_KNOWN: Final = (
    (4, b"ftypavif", "an AVIF picture"),
    (4, b"ftyphei", "a HEIC picture"),
    (4, b"ftypmif1", "a HEIF picture"),
    (4, b"ftyp", "a video"),
    (0, b"\x1aE\xdf\xa3", "a video"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"BM", "a BMP picture"),
    (0, b"II*\x00", "a TIFF picture"),
    (0, b"MM\x00*", "a TIFF picture"),
    (0, b"glTF", "a 3D model"),
    (0, b"8BPS", "a Photoshop file"),
)


def kind_of(data: bytes) -> Kind:
    """The format of ``data`` by its content. Raises InvalidInput that names what it is instead, if that can be told."""
    if not data:
        raise InvalidInput("The picture is empty (0 bytes).", field="image")
    if data.startswith(_PNG):
        return Kind.PNG
    if data.startswith(b"\xff\xd8\xff"):
        return Kind.JPEG
    if data.startswith((b"GIF87a", b"GIF89a")):
        return Kind.GIF
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Kind.WEBP
    raise InvalidInput(f"This is {described(data)}; PNG, JPEG, WebP and GIF pictures are taken.", field="image")


def described(data: bytes) -> str:
    """What a file that is no picture of ours seems to be, and what to do about it."""
    head = data[:_HEAD_BYTES].replace(b"\x00", b"").lower()
    if b"<svg" in head:
        return "an SVG drawing, which can carry programs. Render it to PNG (1200 pixels or more a side) and import that"
    if b"<!doctype html" in head or b"<html" in head or b"<script" in head:
        return "a web page, not a picture. Check the address or the file"
    for offset, magic, name in _KNOWN:
        if data[offset : offset + len(magic)] == magic:
            return f"{name}. Convert it to PNG"
    return "no picture that can be recognised"


def check_ends_cleanly(data: bytes, kind: Kind) -> None:
    """Raise InvalidInput for a file that is cut off, or that goes on after its picture has ended."""
    try:
        end = _ENDS[kind](data)
    except (IndexError, struct.error):
        end = None
    if end is None or end > len(data):
        raise InvalidInput("The picture is cut off: the file ends too early. Copy or download it again.", field="image")
    rest = data[end:].lstrip(b"\x00\r\n ")
    # cameras append further JPEGs (previews, gain maps) to a JPEG
    if rest and not (kind is Kind.JPEG and rest.startswith(b"\xff\xd8\xff")):
        raise InvalidInput(
            f"{len(rest):,} bytes that are no picture follow the picture in this file. Open it in an image program, save "
            "it again and import that.",
            field="image",
        )


def _png_end(data: bytes) -> int | None:
    position = len(_PNG)
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4])
        name = data[position + 4 : position + 8]
        position += 12 + length
        if name == b"IEND":
            return position
    return None


def _jpeg_end(data: bytes) -> int | None:
    position = 2
    while (position := data.find(b"\xff", position)) != -1:
        marker = data[position + 1]
        if marker == 0xD9:
            return position + 2
        if marker == 0xFF:  # padding
            position += 1
        elif marker == 0x00 or 0xD0 <= marker <= 0xD8 or marker == 0x01:  # a stuffed byte, restarts: no length follows
            position += 2
        else:  # a segment with a length; after a scan's header its data is skipped by the search above
            (length,) = struct.unpack_from(">H", data, position + 2)
            position += 2 + length
    return None


def _gif_end(data: bytes) -> int | None:
    def after_table(position: int, flags: int) -> int:
        return position + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)

    def after_blocks(position: int) -> int:
        while (size := data[position]) != 0:
            position += 1 + size
        return position + 1

    position = after_table(13, data[10])
    while True:
        introducer = data[position]
        if introducer == 0x3B:
            return position + 1
        if introducer == 0x21:
            position = after_blocks(position + 2)
        elif introducer == 0x2C:
            position = after_blocks(after_table(position + 10, data[position + 9]) + 1)
        else:
            return None


def _webp_end(data: bytes) -> int | None:
    (length,) = struct.unpack_from("<I", data, 4)
    return 8 + int(length)  # a padding byte after it is zero


_ENDS: Final = {Kind.PNG: _png_end, Kind.JPEG: _jpeg_end, Kind.GIF: _gif_end, Kind.WEBP: _webp_end}
