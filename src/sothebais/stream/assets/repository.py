"""Stream assets in SQL. The caller's transaction commits."""

import struct
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais import ids
from sothebais.catalog.tables import ArtItem
from sothebais.errors import InvalidInput, NotFound
from sothebais.stream.tables import AssetType, StreamAsset

#: The table; its column ``metadata`` has another name on the class.
ASSETS = cast(sa.Table, StreamAsset.__table__)
PAGE_MAX = 200


async def asset(connection: AsyncConnection, key: UUID, *, lock: bool = False) -> Any:
    """An asset's row; ``lock`` until the transaction ends. Raises NotFound."""
    statement = sa.select(ASSETS).where(ASSETS.c.id == key)
    row = (await connection.execute(statement.with_for_update() if lock else statement)).one_or_none()
    if row is None:
        raise NotFound("There is no stream asset with this id.")
    return row


async def assets(
    connection: AsyncConnection, *, type_: AssetType | None = None, after: UUID | None = None, limit: int = PAGE_MAX
) -> Sequence[Any]:
    """Assets in the order in which they came."""
    statement = sa.select(ASSETS).order_by(ASSETS.c.id).limit(limit)
    if type_ is not None:
        statement = statement.where(ASSETS.c.type == type_)
    if after is not None:
        statement = statement.where(ASSETS.c.id > after)
    return (await connection.execute(statement)).all()


def reference(row: Any) -> str:
    """What a scene's ``source`` calls an asset: ``BACKGROUND/velvet``. Its id does as well."""
    return f"{row.type}/{row.name}"


async def resolve(connection: AsyncConnection, references: Sequence[str], *, share: bool = False) -> dict[str, Any]:
    """The row of each reference (``TYPE/name`` or an id) that names an asset.

    ``share`` keeps them from being removed while the transaction lasts.
    """
    wanted: dict[str, sa.ColumnElement[bool]] = {}
    for text in references:
        key = ids.parse_id(text)
        type_, _, name = text.partition("/")
        if key is not None:
            wanted[text] = ASSETS.c.id == key
        elif type_ in AssetType.__members__ and name and "\x00" not in name:
            wanted[text] = sa.and_(ASSETS.c.type == AssetType(type_), ASSETS.c.name == name)
    if not wanted:
        return {}
    statement = sa.select(ASSETS).where(sa.or_(*wanted.values())).order_by(ASSETS.c.id)
    rows = (
        await connection.execute(statement.with_for_update(key_share=True, read=True) if share else statement)
    ).all()
    by_name = {reference(row): row for row in rows} | {str(row.id): row for row in rows}
    found = {text: by_name.get(str(ids.parse_id(text) or text)) for text in wanted}
    return {text: row for text, row in found.items() if row is not None}


def content_lock(sha256: bytes) -> int:
    """The advisory lock of a content: whoever puts it into the store or takes it out holds it."""
    (key,) = struct.unpack(">q", sha256[:8])
    return int(key)


async def referred_to(connection: AsyncConnection, path: str) -> bool:
    """Whether any row of the house still needs a file of the store."""
    found = await connection.execute(
        sa.select(
            sa.or_(
                sa.exists().where(ASSETS.c.path == path),
                sa.exists().where(ArtItem.asset_path == path),
            )
        )
    )
    return bool(found.scalar_one())


async def put(connection: AsyncConnection, key: UUID, values: dict[str, Any], *, new: bool) -> Any:
    """Insert or update an asset; its row. Raises InvalidInput for values the database refuses."""
    if new:
        await connection.execute(sa.insert(ASSETS).values(id=key, **values))
    elif not (await connection.execute(sa.update(ASSETS).where(ASSETS.c.id == key).values(**values))).rowcount:
        raise InvalidInput("This asset was removed meanwhile.")
    return await asset(connection, key)
