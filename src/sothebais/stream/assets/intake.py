"""From bytes somebody sends to a file of the show: told by content, held to limits, written anew. Nothing is stored here."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from sothebais.catalog import images
from sothebais.catalog.containers import described
from sothebais.errors import InvalidInput
from sothebais.stream.assets import examined
from sothebais.stream.assets.containers import check_whole, container_of
from sothebais.stream.confined import Children
from sothebais.stream.tables import AssetType

#: Pictures that are decoded in this process at a time.
DECODERS_MAX: Final = 2
PICTURES: Final = "PNG, JPEG, WebP, GIF, MP4 and WebM"
SOUNDS: Final = "WAV, FLAC, MP3, OGG, AAC and M4A"
_PICTURE_MAGIC: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")


@dataclass(frozen=True, slots=True)
class Taken:
    """A file as it is kept. ``details`` has ``kind`` (still, animation, video, audio) and what belongs to that kind."""

    data: bytes
    extension: str
    media_type: str
    width: int | None
    height: int | None
    details: dict[str, Any]


class AssetIntake:
    """Takes files in, a bounded number at a time."""

    def __init__(self, children: Children, *, bytes_max: int) -> None:
        self._children = children
        self._decoders = asyncio.Semaphore(DECODERS_MAX)
        self.bytes_max = bytes_max

    async def take(self, data: bytes, type_: AssetType) -> Taken:
        """The file as it is kept. Raises InvalidInput that says what is wrong and what to do, or Overloaded."""
        if not data:
            raise InvalidInput("The file is empty (0 bytes).", field="file")
        if len(data) > self.bytes_max:
            raise InvalidInput(
                f"The file has {len(data):,} bytes; at most {self.bytes_max:,} are taken. Make it smaller.",
                field="file",
            )
        if _is_picture(data):
            taken = await self._picture(data)
        else:
            taken = await self._media(data, type_)
        is_sound = taken.details["kind"] == "audio"
        if is_sound != (type_ is AssetType.AUDIO):
            what = "a sound" if is_sound else "a picture or a video"
            raise InvalidInput(
                f"This is {what}, and an asset of type {type_} is {'a sound' if not is_sound else 'a picture or a video'}.",
                field="type",
            )
        return taken

    async def _picture(self, data: bytes) -> Taken:
        async with self._decoders:
            found = await asyncio.to_thread(images.normalise, data)
        kind = "animation" if found.frames > 1 else "still"
        details = {"kind": kind} | ({"frames": found.frames} if found.frames > 1 else {})
        return Taken(found.data, found.extension, found.media_type, found.width, found.height, details)

    async def _media(self, data: bytes, type_: AssetType) -> Taken:
        container = container_of(data)
        if container is None:
            wanted = SOUNDS if type_ is AssetType.AUDIO else PICTURES
            raise InvalidInput(f"This is {described(data)}; {wanted} files are taken.", field="file")
        await asyncio.to_thread(check_whole, data, container)
        answer, kept = await self._children.run(
            examined.MODULE, {"container": container.value}, {examined.GIVEN: data}, result=examined.KEPT
        )
        return Taken(
            kept, answer["extension"], answer["media_type"], answer["width"], answer["height"], answer["details"]
        )


def _is_picture(data: bytes) -> bool:
    return data.startswith(_PICTURE_MAGIC) or (data.startswith(b"RIFF") and data[8:12] == b"WEBP")
