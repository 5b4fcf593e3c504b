"""The HLS folder for those who play it: one reading of the playlist for all who wait for it."""

import asyncio
import time
from pathlib import Path
from typing import Final

from sothebais.stream.outputs import playlist

#: A playlist is waited for so long; three times a segment's length and more (RFC 8216bis).
BLOCK_S_MAX: Final = 5.0
#: It is read no more often than this, however many wait.
LOOK_S: Final = 0.02
#: Playlists of the future are not waited for.
AHEAD_SEGMENTS_MAX: Final = 2
#: So long after its last change a stream is over, whatever its playlist says.
STALE_S: Final = 60.0


class HlsFiles:
    """What lies in the folder that ``outputs.hls.HlsFolder`` writes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._text: str | None = None
        self._reached = (-1, -1)
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def playlist(self, msn: int | None = None, part: int | None = None) -> str | None:
        """The playlist: when it has the segment (or its part) that is waited for, or as it is after ``BLOCK_S_MAX``.

        Null when there is none, or one that nobody goes on with.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + BLOCK_S_MAX
        while True:
            await self._read()
            text = self._text
            if msn is None or text is None or "#EXT-X-ENDLIST" in text or loop.time() >= deadline:
                return text
            number, newest = self._reached
            # without a part the whole segment is meant: then its number is behind the growing one
            if number > msn or (part is not None and (number, newest) >= (msn, part)):
                return text
            if msn > number + AHEAD_SEGMENTS_MAX:
                return text
            await asyncio.sleep(LOOK_S)

    async def piece(self, name: str) -> bytes | None:
        """A file that the playlist names; the part it promises next is waited for. Null when there is no such file."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + BLOCK_S_MAX
        path = f"{self._folder}/{name}"
        while True:
            data = await asyncio.to_thread(_bytes, path)
            if data is not None:
                return data
            await self._read()
            if self._text is None or f'PRELOAD-HINT:TYPE=PART,URI="{name}"' not in self._text or loop.time() > deadline:
                # it may have come between the two looks
                return await asyncio.to_thread(_bytes, path)
            await asyncio.sleep(LOOK_S)

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        async with self._reading:
            if loop.time() - self._read_at < LOOK_S:
                return
            text = await asyncio.to_thread(_text, self._folder / playlist.NAME)
            self._read_at = loop.time()
            if text != self._text:
                self._text = text
                self._reached = (-1, -1) if text is None else playlist.reached(text)


def _text(path: Path) -> str | None:
    try:
        if time.time() - path.stat().st_mtime > STALE_S:
            return None
        return path.read_text()
    except FileNotFoundError:
        return None


def _bytes(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
