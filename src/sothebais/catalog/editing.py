"""What staff do to the catalogue by hand: collections and items made, changed, removed, each step with its record.

Removing relies on the database: what a lot, a campaign or a person's books refer to cannot go.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import ids
from sothebais.catalog import images, metadata, repository
from sothebais.catalog.assets import AssetFolder, AssetStore, KnownPicture
from sothebais.catalog.fetch import Fetcher
from sothebais.catalog.tables import ArtItem, Collection
from sothebais.errors import Conflict, InvalidInput, NotFound, Overloaded
from sothebais.events import log
from sothebais.events.actions import Actor, action
from sothebais.instants import Millis

#: Pictures taken in at the same time, by hand; one may need a few hundred megabytes.
DECODERS_MAX = 2
WAITING_MAX = 8
RETRY_AFTER_S = 2
ROYALTY_MAX = Decimal(100)
_LINES = frozenset({"description"})
_CHARS_MAX = {"name": 200, "description": 10_000, "project_name": 200}
#: Stands for the picture of an item that has none yet.
_NO_PICTURE = "data:,"

#: Whether an item is in a lot, asked in the transaction that holds the item.
type InALot = Callable[[AsyncConnection, UUID], Awaitable[bool]]


class PictureIntake:
    """Takes pictures in by hand, a bounded number at a time; more wait, and more than those are refused."""

    def __init__(self, store: AssetStore) -> None:
        self._store = store
        self._decoders = asyncio.Semaphore(DECODERS_MAX)
        self._inside = 0

    async def take(self, data: bytes) -> KnownPicture:
        """The picture as the store keeps it. Raises InvalidInput, or Overloaded when too many wait."""
        if self._inside >= WAITING_MAX:
            raise Overloaded("Too many pictures are being taken in. Nothing was kept.", retry_after=RETRY_AFTER_S)
        self._inside += 1
        try:
            known = await asyncio.to_thread(self._store.recall, data)
            if known is not None:
                return known
            async with self._decoders:
                picture = await asyncio.to_thread(images.normalise, data)
            asset = await asyncio.to_thread(self._store.put, picture.data, picture.extension, AssetFolder.NFTS)
            known = KnownPicture(asset.key, asset.sha256.hex(), picture.media_type, picture.width, picture.height)
            await asyncio.to_thread(self._store.remember, data, known)
            return known
        finally:
            self._inside -= 1


async def create_collection(engine: AsyncEngine, values: Mapping[str, Any], actor: Actor, now: Millis) -> Any:
    """A new collection; its row. Raises Conflict when the slug is in use, InvalidInput for a field."""
    row = {"id": ids.new_id(), **_collection_values(values)}
    async with engine.begin() as connection:
        try:
            await connection.execute(sa.insert(Collection).values(**row))
        except IntegrityError as error:
            raise _refused(error, slug=str(values["slug"])) from error
        await _tell(connection, actor, "collection.create", row["id"], now, sorted(values))
        return await repository.collection(connection, row["id"])


async def change_collection(
    engine: AsyncEngine, collection: UUID, values: Mapping[str, Any], actor: Actor, now: Millis
) -> Any:
    """Bring a collection to these values; its row. Raises NotFound or InvalidInput."""
    checked = _collection_values(values)
    async with engine.begin() as connection:
        try:
            if checked:
                await connection.execute(sa.update(Collection).where(Collection.id == collection).values(**checked))
        except IntegrityError as error:
            raise _refused(error) from error
        row = await repository.collection(connection, collection)
        if checked:
            await _tell(connection, actor, "collection.change", collection, now, sorted(values))
        return row


async def delete_collection(engine: AsyncEngine, collection: UUID, actor: Actor, now: Millis) -> None:
    """Remove a collection and its items. Raises NotFound, or Conflict when it was ever in a campaign or a lot."""
    async with engine.begin() as connection:
        await repository.collection(connection, collection)
        try:
            await connection.execute(sa.delete(Collection).where(Collection.id == collection))
        except IntegrityError as error:
            raise Conflict("This collection is in a campaign or a lot and must stay.") from error
        await _tell(connection, actor, "collection.delete", collection, now)


async def create_item(
    engine: AsyncEngine,
    values: Mapping[str, Any],
    intake: PictureIntake,
    fetcher: Fetcher,
    actor: Actor,
    now: Millis,
) -> Any:
    """A new item at the end of its collection, its picture fetched; its row. Raises InvalidInput, NotFound or Conflict."""
    collection: UUID = values["collection_id"]
    document = {name: value for name, value in values.items() if name != "collection_id" and value is not None}
    address = document.get("image")
    parsed = metadata.parse_item(document | {"image": address or _NO_PICTURE}, stem=None, number=1)
    async with engine.connect() as connection:
        await repository.collection(connection, collection)
    picture = None if address is None else await intake.take(await fetcher.fetch(parsed.image_source))
    erc721 = {name: value for name, value in parsed.document.items() if value != _NO_PICTURE}
    item = ids.new_id()
    async with engine.begin() as connection:
        try:
            place = await repository.next_position(connection, collection)
            await connection.execute(
                sa.insert(repository.ITEMS).values(
                    id=item,
                    collection_id=collection,
                    token_id=parsed.token_id,
                    name=parsed.name,
                    description=parsed.description,
                    image=parsed.image,
                    animation_url=parsed.animation_url,
                    metadata=erc721,
                    position=place,
                    **_picture_values(picture),
                )
            )
        except IntegrityError as error:
            raise _refused(error, token_id=parsed.token_id) from error
        await _tell(connection, actor, "art_item.create", item, now, noun="art_item")
        return await repository.item(connection, item)


async def change_item(engine: AsyncEngine, item: UUID, values: Mapping[str, Any], actor: Actor, now: Millis) -> Any:
    """Bring an item to these values; its row. A lot keeps the title it was scheduled with."""
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name == "animation_url":
            checked[name] = None if value is None else metadata.address(value, name)
        else:
            checked[name] = _text(name, value)
    async with engine.begin() as connection:
        if checked:
            await connection.execute(sa.update(ArtItem).where(ArtItem.id == item).values(**checked))
        row = await repository.item(connection, item)
        if checked:
            await _tell(connection, actor, "art_item.change", item, now, sorted(values), noun="art_item")
        return row


async def set_picture(
    engine: AsyncEngine,
    item: UUID,
    data: bytes,
    intake: PictureIntake,
    in_a_lot: InALot,
    actor: Actor,
    now: Millis,
) -> Any:
    """Give an item its picture; its row. Raises Conflict when it is in a lot: what is offered stays as it was shown."""
    async with engine.connect() as connection:
        await repository.item(connection, item)
        if await in_a_lot(connection, item):
            raise _in_a_lot()
    picture = await intake.take(data)
    async with engine.begin() as connection:
        # a lot refers to its item, so none can be made while this is held
        await connection.execute(sa.select(ArtItem.id).where(ArtItem.id == item).with_for_update())
        if await in_a_lot(connection, item):
            raise _in_a_lot()
        await connection.execute(sa.update(ArtItem).where(ArtItem.id == item).values(**_picture_values(picture)))
        row = await repository.item(connection, item)
        await _tell(connection, actor, "art_item.picture", item, now, ["picture"], noun="art_item")
        return row


async def delete_item(engine: AsyncEngine, item: UUID, actor: Actor, now: Millis) -> None:
    """Remove an item. Raises NotFound, or Conflict when it is or was in a lot."""
    async with engine.begin() as connection:
        await repository.item(connection, item)
        try:
            await connection.execute(sa.delete(ArtItem).where(ArtItem.id == item))
        except IntegrityError as error:
            raise Conflict("This art item is or was in a lot and must stay; the lot's log refers to it.") from error
        await _tell(connection, actor, "art_item.delete", item, now, noun="art_item")


def _collection_values(values: Mapping[str, Any]) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name in _CHARS_MAX:
            checked[name] = None if value is None else _text(name, value)
        elif name == "image":
            checked[name] = None if value is None else metadata.address(value, name)
        elif name == "royalty_percent":
            checked[name] = None if value is None else Decimal(value)
            if value is not None and checked[name] > ROYALTY_MAX:
                raise InvalidInput("royalty_percent must be at most 100.", field=name)
        else:
            checked[name] = value
    for name in ("name", "description"):
        if name in checked and checked[name] is None:
            raise InvalidInput(f"{name} cannot be taken away.", field=name)
    return checked


def _text(name: str, value: str | None) -> str:
    if value is None:
        raise InvalidInput(f"{name} cannot be taken away.", field=name)
    text = metadata.clean_text(value, name, _CHARS_MAX[name], lines=name in _LINES)
    if name == "name" and not text:
        raise InvalidInput("name must not be empty.", field=name)
    return text


def _picture_values(picture: KnownPicture | None) -> dict[str, Any]:
    if picture is None:
        return {}
    return {
        "asset_path": picture.key,
        "asset_sha256": bytes.fromhex(picture.sha256),
        "asset_media_type": picture.media_type,
        "asset_width": picture.width,
        "asset_height": picture.height,
    }


def _in_a_lot() -> Conflict:
    return Conflict("This art item is or was in a lot; what bidders were shown stays.")


def _refused(error: IntegrityError, *, slug: str = "", token_id: str = "") -> Conflict | InvalidInput | NotFound:
    """What the database's refusal means to the person who asked."""
    cause = getattr(error.orig, "__cause__", None)
    name = getattr(cause, "constraint_name", "") or ""
    if isinstance(cause, asyncpg.ForeignKeyViolationError):
        if "seller" in name:
            return InvalidInput("seller_id: nobody here has this id.", field="seller_id")
        return NotFound("There is no collection with this id.", field="collection_id")
    if isinstance(cause, asyncpg.UniqueViolationError):
        if token_id:
            return Conflict(f"The collection has an art item {token_id} already.", field="token_id")
        return Conflict(f"There is a collection {slug!r} already. Choose another slug.", field="slug")
    return InvalidInput("The database refuses these values.")


async def _tell(
    connection: AsyncConnection,
    actor: Actor,
    name: str,
    target: UUID,
    now: Millis,
    changed: list[str] | None = None,
    *,
    noun: str = "collection",
) -> None:
    await log.append(connection, [action(actor, name, f"{noun}:{target}", at=now, changed=changed or ())])
