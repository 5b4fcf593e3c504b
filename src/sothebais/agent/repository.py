"""The SQL of characters."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais import ids
from sothebais.agent.character import Character
from sothebais.agent.character_document import document, read
from sothebais.agent.tables import Character as CharacterRow
from sothebais.agent.tables import CharacterVersion
from sothebais.clock import from_datetime
from sothebais.instants import Millis

CHARACTERS: Final[Any] = CharacterRow.__table__
VERSIONS: Final[Any] = CharacterVersion.__table__
#: Versions kept of one character; the oldest go first.
VERSIONS_MAX: Final = 100
#: Whoever makes or changes the house's character holds this for the transaction.
_LOCK: Final = 0x7361626C65


class StoredCharacter(Struct, frozen=True, kw_only=True):
    """A character with its id and version."""

    id: UUID
    version: int
    changed_at: Millis
    character: Character


_COLUMNS: Final = (
    "name", "bio", "lore", "topics", "adjectives", "style", "message_examples", "post_examples", "voice",
    "default_expression", "expressions", "backgrounds", "props", "aside",
)  # fmt: skip


async def lock(connection: AsyncConnection) -> None:
    """Be the only one who changes characters until the end of the transaction."""
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


async def default(connection: AsyncConnection) -> StoredCharacter | None:
    """The house's character; None before it was made."""
    row = (await connection.execute(sa.select(CHARACTERS).where(CHARACTERS.c.is_default))).one_or_none()
    return None if row is None else _stored(row)


async def insert(connection: AsyncConnection, character: Character, *, actor: UUID | None) -> StoredCharacter:
    """Store the house's first character."""
    key = ids.new_id()
    await connection.execute(sa.insert(CHARACTERS).values(id=key, is_default=True, **_values(character)))
    await _keep(connection, key, 1, character, actor)
    row = (await connection.execute(sa.select(CHARACTERS).where(CHARACTERS.c.id == key))).one()
    return _stored(row)


async def update(
    connection: AsyncConnection, stored: StoredCharacter, character: Character, *, actor: UUID | None
) -> StoredCharacter:
    """The next version of a character."""
    version = stored.version + 1
    await connection.execute(
        sa.update(CHARACTERS)
        .where(CHARACTERS.c.id == stored.id, CHARACTERS.c.version == stored.version)
        .values(version=version, updated_at=sa.func.now(), **_values(character))
    )
    await _keep(connection, stored.id, version, character, actor)
    row = (await connection.execute(sa.select(CHARACTERS).where(CHARACTERS.c.id == stored.id))).one()
    return _stored(row)


async def at_version(connection: AsyncConnection, key: UUID, version: int) -> StoredCharacter | None:
    """A character as it was; None for a version that is not kept."""
    found = await connection.execute(
        sa.select(VERSIONS.c.document, VERSIONS.c.created_at).where(
            VERSIONS.c.character_id == key, VERSIONS.c.version == version
        )
    )
    row = found.one_or_none()
    if row is None:
        return None
    return StoredCharacter(
        id=key, version=version, changed_at=from_datetime(row.created_at), character=read(row.document)
    )


async def _keep(connection: AsyncConnection, key: UUID, version: int, character: Character, actor: UUID | None) -> None:
    await connection.execute(
        sa.insert(VERSIONS).values(character_id=key, version=version, document=document(character), actor=actor)
    )
    await connection.execute(
        sa.delete(VERSIONS).where(VERSIONS.c.character_id == key, VERSIONS.c.version <= version - VERSIONS_MAX)
    )


def _values(character: Character) -> dict[str, Any]:
    made: Mapping[str, Any] = document(character)
    return {name: made[name] for name in _COLUMNS}


def _stored(row: Any) -> StoredCharacter:
    found = {name: value for name, value in row._mapping.items() if name in _COLUMNS}
    return StoredCharacter(
        id=row.id,
        version=row.version,
        changed_at=from_datetime(row.updated_at or row.created_at),
        character=msgspec.convert(found, Character),
    )
