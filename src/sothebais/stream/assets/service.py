"""Assets of the show: added, replaced, removed, each with its event in the same transaction.

A file is kept once, by its content. Whoever puts a content into the store and its row into the table, or takes the
last row and then the file away, holds the content's advisory lock meanwhile: no row is ever left without its file. (A
house that dies between the two leaves a file without a row, which costs only its bytes.)
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import ids
from sothebais.catalog.assets import AssetFolder, AssetStore
from sothebais.catalog.metadata import clean_text
from sothebais.errors import Conflict, InvalidInput
from sothebais.events import log
from sothebais.events.actions import Actor, action
from sothebais.events.types.base import Source
from sothebais.instants import Millis
from sothebais.stream import scene_store
from sothebais.stream.assets import repository
from sothebais.stream.assets.intake import AssetIntake, Taken
from sothebais.stream.assets.limits import NAME_LENGTH_MAX
from sothebais.stream.doorbell import ring
from sothebais.stream.tables import AssetType

FOLDERS: Final = {
    AssetType.BACKGROUND: AssetFolder.BACKGROUNDS,
    AssetType.OVERLAY: AssetFolder.OVERLAYS,
    AssetType.NFT: AssetFolder.NFTS,
    AssetType.EXPRESSION: AssetFolder.EXPRESSIONS,
    AssetType.CHARACTER_BACKGROUND: AssetFolder.CHARACTER_BACKGROUNDS,
    AssetType.PROP: AssetFolder.PROPS,
    AssetType.AUDIO: AssetFolder.AUDIO,
}
#: As many assets as a house may have.
ASSETS_MAX: Final = 5_000
#: The subject of events about assets: they belong to no single broadcast.
SUBJECT: Final = "stream:assets"


class StreamAssets:
    """The assets of one house."""

    def __init__(self, engine: AsyncEngine, store: AssetStore, intake: AssetIntake) -> None:
        self._engine = engine
        self._store = store
        self._intake = intake

    async def take(self, data: bytes, type_: AssetType) -> Taken:
        """A file as it would be kept; nothing is stored. Raises InvalidInput or Overloaded."""
        return await self._intake.take(data, type_)

    async def add(self, name: str, type_: AssetType, data: bytes | Taken, actor: Actor, now: Millis) -> Any:
        """Take a file in under a name; its row. Raises InvalidInput, Conflict for a name in use, or Overloaded."""
        name = checked_name(name)
        async with self._engine.connect() as connection:
            found = await repository.resolve(connection, [f"{type_}/{name}"])
            if found:  # before anything is decoded; the database has the last word
                raise _name_in_use(type_, name)
            count = sa.select(sa.func.count()).select_from(repository.ASSETS)
            if (await connection.execute(count)).scalar_one() >= ASSETS_MAX:
                raise Conflict(f"The house has {ASSETS_MAX:,} stream assets already. Remove some first.")
        taken = data if isinstance(data, Taken) else await self.take(data, type_)
        return await self._keep(ids.new_id(), name, type_, taken, actor, now, new=True)

    async def replace(self, key: UUID, data: bytes | Taken, actor: Actor, now: Millis) -> Any:
        """Give an asset another file, under the same id and name; its row. Raises NotFound, InvalidInput, Overloaded."""
        async with self._engine.connect() as connection:
            before = await repository.asset(connection, key)
        taken = data if isinstance(data, Taken) else await self.take(data, before.type)
        return await self._keep(key, before.name, before.type, taken, actor, now, new=False)

    async def remove(self, key: UUID, actor: Actor, now: Millis) -> None:
        """Remove an asset, and its file when nothing else needs it. Raises NotFound, or Conflict while a scene shows it."""
        async with self._engine.connect() as connection:
            before = await repository.asset(connection, key)
        async with self._content(before.sha256) as connection:
            async with connection.begin():
                row = await repository.asset(connection, key, lock=True)
                if row.sha256 != before.sha256:
                    raise Conflict("This asset was replaced meanwhile. Look at it again.")
                if shown_by := await scene_store.showing(connection, {str(key), repository.reference(row)}):
                    raise Conflict(
                        f"The scene {shown_by[0]!r} shows this asset. Change the scene first.", scenes=list(shown_by)
                    )
                await connection.execute(sa.delete(repository.ASSETS).where(repository.ASSETS.c.id == key))
                await log.append(connection, [action(actor, "stream_asset.delete", f"stream_asset:{key}", at=now)])
                await ring(connection)
            await self._sweep(connection, row.path)

    async def content(self, row: Any) -> bytes:
        """An asset's file. Raises NotFound when the store has lost it."""
        return await asyncio.to_thread(self._store.get, row.path)

    async def _keep(
        self, key: UUID, name: str, type_: AssetType, taken: Taken, actor: Actor, now: Millis, *, new: bool
    ) -> Any:
        digest = hashlib.sha256(taken.data).digest()
        async with self._content(digest) as connection:
            # before the transaction has an id: a slow store holds no reader of the log up
            stored = await asyncio.to_thread(self._store.put, taken.data, taken.extension, FOLDERS[type_])
            values = {
                "name": name,
                "type": type_,
                "path": stored.key,
                "sha256": digest,
                "size": len(taken.data),
                "media_type": taken.media_type,
                "width": taken.width,
                "height": taken.height,
                "metadata": taken.details,
            }
            old = None
            try:
                async with connection.begin():
                    if not new:
                        old = await repository.asset(connection, key, lock=True)
                    row = await repository.put(connection, key, values, new=new)
                    await log.append(connection, _records(row, actor, now, new=new))
                    await ring(connection)
            except IntegrityError as error:
                await self._sweep(connection, stored.key)
                raise _name_in_use(type_, name) from error
            except BaseException:
                await self._sweep(connection, stored.key)
                raise
        if old is not None and old.path != row.path:
            async with self._content(old.sha256) as connection:
                await self._sweep(connection, old.path)
        return row

    @contextlib.asynccontextmanager
    async def _content(self, sha256: bytes) -> AsyncIterator[AsyncConnection]:
        """A connection that holds a content's lock."""
        lock = repository.content_lock(sha256)
        async with self._engine.connect() as connection:
            await connection.execute(sa.select(sa.func.pg_advisory_lock(lock)))
            await connection.commit()
            try:
                yield connection
            finally:
                await connection.rollback()
                await connection.execute(sa.select(sa.func.pg_advisory_unlock(lock)))
                await connection.commit()

    async def _sweep(self, connection: AsyncConnection, path: str) -> None:
        """Remove a file that no row needs any more. The caller holds its lock."""
        if not await repository.referred_to(connection, path):
            await asyncio.to_thread(self._store.delete, path)
        await connection.rollback()


def checked_name(text: str) -> str:
    """A name as it is kept. Raises InvalidInput."""
    name = clean_text(text, "name", NAME_LENGTH_MAX)
    if not name:
        raise InvalidInput("name must not be empty.", field="name")
    return name


def _records(row: Any, actor: Actor, now: Millis, *, new: bool) -> list[log.Record]:
    loaded = log.event(
        "stream:asset:loaded",
        SUBJECT,
        {
            "asset": str(row.id),
            "name": row.name,
            "asset_type": str(row.type),
            "media_type": row.media_type,
            "sha256": row.sha256.hex(),
            "size": row.size,
            "width": row.width,
            "height": row.height,
        },
        at=now,
        source=Source.ADMIN_FRONTEND,
        correlation_id=actor.correlation,
    )
    step = "stream_asset.create" if new else "stream_asset.replace"
    return [loaded, action(actor, step, f"stream_asset:{row.id}", at=now)]


def _name_in_use(type_: AssetType, name: str) -> Conflict:
    return Conflict(f"There is an asset {type_}/{name} already. Replace it, or choose another name.", field="name")
