"""How a scene would look now: a PNG, drawn in a child process. Nothing is stored and nothing goes on air."""

import asyncio
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.catalog import repository as catalog
from sothebais.catalog.assets import AssetStore
from sothebais.errors import NotFound
from sothebais.instants import Millis
from sothebais.stream import commands, drawn, example, scene_store, snapshot
from sothebais.stream.chronicle import Chronicle
from sothebais.stream.confined import Children
from sothebais.stream.scenes import Scene, dump
from sothebais.stream.show import Artwork, OnAir, ShowState
from sothebais.stream.tables import Orientation

SIZES: Final = {Orientation.WIDE: (1280, 720), Orientation.VERTICAL: (720, 1280)}
#: Pictures a preview shows at most, and their bytes together; what is more is left out.
PICTURES_MAX: Final = 24
PICTURES_BYTES_MAX: Final = 128 * 1024 * 1024
#: Pieces of the catalogue that stand in an example.
EXAMPLE_PIECES: Final = 6
#: A scene is looked at so long after it came on: what moves in has arrived.
SETTLED_MS: Final = 8_000


class ScenePreviews:
    """Draws scenes for whoever edits them."""

    def __init__(self, engine: AsyncEngine, store: AssetStore, children: Children) -> None:
        self._engine = engine
        self._store = store
        self._children = children

    async def draw(self, scene: Scene, now: Millis) -> bytes:
        """The scene by the present state while a lot is on, else by an example.

        Raises SceneRefused with the path of the fault, or Overloaded.
        """
        orientation = scene_store.check(scene)
        state, pictures = await self.material(scene, now)
        files = {f"picture-{number}": data for number, data in enumerate(pictures.values())}
        names = {ref: f"picture-{number}" for number, ref in enumerate(pictures)}
        width, height = SIZES[orientation]
        question = {"width": width, "height": height, "at": now, "pictures": names}
        files |= {drawn.SCENE: dump(scene).encode(), drawn.STATE: msgspec.json.encode(state)}
        _, png = await self._children.run(drawn.MODULE, question, files, result=drawn.PICTURE)
        return png

    async def material(self, scene: Scene, now: Millis) -> tuple[ShowState, dict[str, bytes]]:
        """The state a scene would be drawn by, and the files of its pictures by their references."""
        async with self._engine.connect() as connection:
            shown = await commands.check_sources(connection, scene)
        state = await self._state(scene, now)
        refs = {source: row.path for source, row in shown.items()}
        refs |= {art.ref: art.ref for art in _artworks(state) if art.ref not in ("", example.ARTWORK.ref)}
        return state, await self._pictures(refs)

    async def _state(self, scene: Scene, now: Millis) -> ShowState:
        async with self._engine.connect() as connection:
            # the snapshot begins a transaction of its own
            raw: Any = (await connection.get_raw_connection()).driver_connection
            facts = await snapshot.present(raw, None, snapshot.House(), choose=True)
            present = Chronicle(facts).state(now)
            if present.lot is not None:
                return replace(present, on_air=OnAir(scene.name, since=now - SETTLED_MS))
            items = await catalog.items(connection, of_collection=None, after=None, limit=PICTURES_MAX)
        pieces = [
            Artwork(item.asset_path, item.asset_width, item.asset_height)
            for item in items
            if item.asset_path is not None
        ]
        return example.state(scene.name, now, pieces[:EXAMPLE_PIECES])

    async def _pictures(self, refs: dict[str, str]) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        left = PICTURES_BYTES_MAX
        for ref, path in list(refs.items())[:PICTURES_MAX]:
            try:
                data = await asyncio.to_thread(self._store.get, path)
            except NotFound:  # the picture shows that it is missing
                continue
            if (left := left - len(data)) < 0:
                break
            files[ref] = data
        return files


def _artworks(state: ShowState) -> list[Artwork]:
    lot = [state.lot.artwork] if state.lot is not None else []
    return [*lot, *(one.artwork for one in state.upcoming)]
