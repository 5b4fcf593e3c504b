"""Collections and their items in SQL. The caller's transaction commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais import ids
from sothebais.catalog.tables import ArtItem, Collection
from sothebais.errors import InvalidInput, NotFound

#: The items' table; its column ``metadata`` has another name on the class.
ITEMS = cast(sa.Table, ArtItem.__table__)
#: Columns that `ArtItem` calls by another name.
_COLUMNS = {"erc721": "metadata"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """What is kept of one item, without its id and collection."""

    token_id: str
    name: str
    description: str
    image: str | None
    animation_url: str | None
    erc721: dict[str, Any]
    position: int
    asset_path: str
    asset_sha256: bytes
    asset_media_type: str
    asset_width: int
    asset_height: int

    def values(self) -> dict[str, Any]:
        """Column names and their values."""
        return {_COLUMNS.get(name, name): getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Written:
    """What a write did, in items."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


async def put_collection(
    connection: AsyncConnection, slug: str, values: dict[str, Any], *, first_name: str
) -> tuple[UUID, str]:
    """Create the collection or bring it to ``values``; its id and ``added``, ``changed`` or ``unchanged``.

    ``first_name`` is the name of a new one when ``values`` has none. The row is locked until the transaction ends, so
    that two imports into one collection take turns.
    """
    created = await connection.execute(
        insert(Collection)
        .values(id=ids.new_id(), slug=slug, **{"name": first_name, **values})
        .on_conflict_do_nothing(index_elements=["slug"])
        .returning(Collection.id)
    )
    new: UUID | None = created.scalar_one_or_none()
    if new is not None:
        return new, "added"
    found = await connection.execute(sa.select(Collection.__table__).where(Collection.slug == slug).with_for_update())
    row = found.one()
    different = {key: value for key, value in values.items() if getattr(row, key) != value}
    if not different:
        return row.id, "unchanged"
    await connection.execute(sa.update(Collection).where(Collection.id == row.id).values(**different))
    return row.id, "changed"


async def put_items(connection: AsyncConnection, collection: UUID, rows: Sequence[ItemRow]) -> Written:
    """Add new items and update those that differ, known by token id; items not in ``rows`` stay as they are."""
    if not rows:
        return Written()
    names = list(rows[0].values())
    found = await connection.execute(
        sa.select(ITEMS.c.id, *(ITEMS.c[name] for name in names)).where(
            ITEMS.c.collection_id == collection, ITEMS.c.token_id.in_([row.token_id for row in rows])
        )
    )
    known = {row.token_id: row for row in found}
    written = Written()
    new, changed = [], []
    for row in rows:
        values = row.values()
        present = known.get(row.token_id)
        if present is None:
            new.append({"id": ids.new_id(), "collection_id": collection, **values})
        elif tuple(present)[1:] != tuple(values.values()):
            # an update's parameters may not be called like the columns they are for
            changed.append({"known_id": present.id, **{f"new_{name}": value for name, value in values.items()}})
        else:
            written.unchanged += 1
    if new:
        await connection.execute(sa.insert(ITEMS), new)
    if changed:
        await connection.execute(
            sa.update(ITEMS)
            .where(ITEMS.c.id == sa.bindparam("known_id"))
            .values({name: sa.bindparam(f"new_{name}") for name in names}),
            changed,
        )
    written.added, written.changed = len(new), len(changed)
    return written


async def count_items(connection: AsyncConnection, collection: UUID) -> int:
    """How many items the collection has."""
    counted = await connection.execute(
        sa.select(sa.func.count()).select_from(ArtItem).where(ArtItem.collection_id == collection)
    )
    return int(counted.scalar_one())


_COUNTED = sa.select(
    *Collection.__table__.columns,
    sa.select(sa.func.count())
    .select_from(ArtItem)
    .where(ArtItem.collection_id == Collection.id)
    .correlate(Collection)
    .scalar_subquery()
    .label("item_count"),
)


async def collection(connection: AsyncConnection, key: UUID) -> Any:
    """A collection's row with its ``item_count``. Raises NotFound."""
    row = (await connection.execute(_COUNTED.where(Collection.id == key))).one_or_none()
    if row is None:
        raise NotFound("There is no collection with this id.")
    return row


async def collections(connection: AsyncConnection, *, after: UUID | None, limit: int) -> Sequence[Any]:
    """Collections in the order in which they were made."""
    statement = _COUNTED.order_by(Collection.id).limit(limit)
    if after is not None:
        statement = statement.where(Collection.id > after)
    return (await connection.execute(statement)).all()


async def item(connection: AsyncConnection, key: UUID) -> Any:
    """An item's row. Raises NotFound."""
    row = (await connection.execute(sa.select(ITEMS).where(ITEMS.c.id == key))).one_or_none()
    if row is None:
        raise NotFound("There is no art item with this id.")
    return row


async def items(
    connection: AsyncConnection, *, of_collection: UUID | None, after: UUID | None, limit: int
) -> Sequence[Any]:
    """Items: of a collection in its order, else in the order in which they were made. InvalidInput for a lost place."""
    statement = sa.select(ITEMS).limit(limit)
    if of_collection is None:
        statement = statement.order_by(ITEMS.c.id)
        return (await connection.execute(statement if after is None else statement.where(ITEMS.c.id > after))).all()
    statement = statement.where(ITEMS.c.collection_id == of_collection).order_by(ITEMS.c.position, ITEMS.c.id)
    if after is not None:
        place = (await connection.execute(sa.select(ITEMS.c.position).where(ITEMS.c.id == after))).first()
        if place is None:
            raise InvalidInput("after: that art item is gone. Begin again with the first page.", field="after")
        statement = statement.where(sa.tuple_(ITEMS.c.position, ITEMS.c.id) > sa.tuple_(place.position, after))
    return (await connection.execute(statement)).all()


async def next_position(connection: AsyncConnection, key: UUID) -> int:
    """The place behind a collection's last item, for whoever holds the collection: its row is locked here."""
    await connection.execute(sa.select(Collection.id).where(Collection.id == key).with_for_update(key_share=True))
    last = sa.func.coalesce(sa.func.max(ArtItem.position), -1)
    found = await connection.execute(sa.select(last).where(ArtItem.collection_id == key))
    return int(found.scalar_one()) + 1
