"""Pictures as pages want them: a few widths, WebP or JPEG, made once and kept.

A rendition is made from the stored picture when it is first asked for, put into the asset store by its content, and
noted there by what it was made from. What was served last is kept in memory, so many bytes of it.
"""

import asyncio
import io
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Literal

from PIL import Image

from sothebais.catalog.assets import AssetFolder, AssetStore, KnownPicture
from sothebais.errors import Overloaded, Unavailable

type Format = Literal["webp", "jpg"]

MEDIA_TYPES: Final[dict[str, str]] = {"webp": "image/webp", "jpg": "image/jpeg"}


class Width(IntEnum):
    """The widths that pictures are made in."""

    SMALL = 320
    MEDIUM = 640
    LARGE = 1280


#: Pictures kept in memory, together.
KEPT_BYTES_MAX: Final = 64 * 1024 * 1024
#: A picture larger than this is read from the store each time.
KEPT_ONE_BYTES_MAX: Final = 4 * 1024 * 1024
#: Renditions made at the same time; more wait, and more than those get 503.
MAKERS_MAX: Final = 2
WAITING_MAX: Final = 64
RETRY_AFTER_S: Final = 1
QUALITY: Final = 82
#: Changes when renditions are made in another way, so that old ones are not taken for new.
_RECIPE = "1"
#: What shows through where a JPEG can have no transparency.
_BEHIND = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Served:
    """A picture's bytes, type, and the hash of the bytes."""

    data: bytes
    media_type: str
    sha256: str


class Renditions:
    """The pictures of one asset store."""

    def __init__(self, store: AssetStore, *, kept_bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._store = store
        self._kept_bytes_max = kept_bytes_max
        self._kept: OrderedDict[str, Served] = OrderedDict()
        self._kept_bytes = 0
        self._makers = asyncio.Semaphore(MAKERS_MAX)
        self._under_way: dict[str, asyncio.Future[Served]] = {}

    @property
    def kept_bytes(self) -> int:
        """How much is in memory."""
        return self._kept_bytes

    async def original(self, key: str, sha256: str, media_type: str) -> Served:
        """The stored picture itself. Raises NotFound."""
        return await self._once(key, self._read(key, sha256, media_type))

    async def sized(self, key: str, sha256: str, width: int, form: Format) -> Served:
        """The picture no wider than ``width``; never enlarged. Raises NotFound, or Overloaded when too many wait."""
        return await self._once(f"{sha256}:{width}:{form}", self._rendition(key, sha256, width, form))

    async def _once(self, name: str, work: Coroutine[Any, Any, Served]) -> Served:
        """What is kept, else what comes of ``work``; who asks for the same meanwhile waits for it too."""
        kept = self._kept.get(name)
        if kept is not None:
            work.close()
            self._kept.move_to_end(name)
            return kept
        task = self._under_way.get(name)
        if task is None:
            if len(self._under_way) >= WAITING_MAX:
                work.close()
                raise Overloaded("Too many pictures are being made. Ask again.", retry_after=RETRY_AFTER_S)
            task = asyncio.ensure_future(work)
            self._under_way[name] = task
            task.add_done_callback(lambda done: self._done(name, done))
        else:
            work.close()
        # one who goes away must not take the picture from the others
        return await asyncio.shield(task)

    def _done(self, name: str, task: "asyncio.Future[Served]") -> None:
        del self._under_way[name]
        if task.cancelled() or task.exception() is not None:
            return
        served = task.result()
        if len(served.data) > KEPT_ONE_BYTES_MAX:
            return
        self._kept[name] = served
        self._kept_bytes += len(served.data)
        while self._kept_bytes > self._kept_bytes_max:
            _, gone = self._kept.popitem(last=False)
            self._kept_bytes -= len(gone.data)

    async def _read(self, key: str, sha256: str, media_type: str) -> Served:
        return Served(await asyncio.to_thread(self._store.get, key), media_type, sha256)

    async def _rendition(self, key: str, sha256: str, width: int, form: Format) -> Served:
        note = f"rendition {_RECIPE} {sha256} {width} {form}".encode()
        known = await asyncio.to_thread(self._store.recall, note)
        if known is not None:
            return await self._read(known.key, known.sha256, known.media_type)
        source = await asyncio.to_thread(self._store.get, key)
        async with self._makers:
            data, size = await asyncio.to_thread(render, source, width, form)
        asset = await asyncio.to_thread(self._store.put, data, form, AssetFolder.NFTS)
        made = KnownPicture(asset.key, asset.sha256.hex(), MEDIA_TYPES[form], *size)
        await asyncio.to_thread(self._store.remember, note, made)
        return Served(data, made.media_type, made.sha256)


def render(source: bytes, width: int, form: Format) -> tuple[bytes, tuple[int, int]]:
    """A stored picture no wider than ``width``, and its size. Of an animation the first frame."""
    try:
        with Image.open(io.BytesIO(source), formats=["PNG", "JPEG", "WEBP"]) as opened:
            if opened.format == "JPEG":
                opened.draft("RGB", (width, max(1, opened.height * width // opened.width)))
            picture = opened.convert("RGBA" if "A" in opened.mode or "transparency" in opened.info else "RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise Unavailable("The stored picture cannot be read.", retry_after=60) from error
    if picture.width > width:
        height = max(1, round(picture.height * width / picture.width))
        picture = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    out = io.BytesIO()
    if form == "webp":
        picture.save(out, "WEBP", quality=QUALITY, method=4)
    else:
        if picture.mode == "RGBA":
            behind = Image.new("RGB", picture.size, _BEHIND)
            behind.paste(picture, mask=picture.getchannel("A"))
            picture = behind
        picture.save(out, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return out.getvalue(), picture.size
