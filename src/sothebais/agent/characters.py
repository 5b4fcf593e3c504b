"""The house's character: made on first use, changed by staff, every version kept."""

from typing import Final

from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais.agent import repository
from sothebais.agent.character import Character
from sothebais.agent.repository import StoredCharacter
from sothebais.agent.sable import SABLE
from sothebais.errors import Conflict, NotFound
from sothebais.events import log
from sothebais.events.actions import CHARACTER_CHANGED, Actor, action
from sothebais.instants import Millis

#: What is told when nothing was changed by name.
_FIELDS: Final = Character.__struct_fields__


async def present(engine: AsyncEngine) -> StoredCharacter:
    """The house's character; without one Sable moves in."""
    async with engine.connect() as connection:
        found = await repository.default(connection)
    if found is not None:
        return found
    async with engine.begin() as connection:
        return await _locked(connection)


async def at_version(engine: AsyncEngine, version: int) -> StoredCharacter:
    """The house's character as it was. Raises NotFound."""
    stored = await present(engine)
    async with engine.connect() as connection:
        found = await repository.at_version(connection, stored.id, version)
    if found is None:
        raise NotFound(f"There is no version {version} of the character; it is at {stored.version}.")
    return found


async def put(
    engine: AsyncEngine, character: Character, actor: Actor, now: Millis, *, reason: str, version: int | None = None
) -> StoredCharacter:
    """Have the house's character be this one; nothing is written when it is already.

    With ``version`` only where that one stands. Raises Conflict.
    """
    async with engine.begin() as connection:
        stored = await _locked(connection)
        if version is not None and version != stored.version:
            raise Conflict(
                f"The character was changed meanwhile: it is at version {stored.version}, not {version}.",
                version=stored.version,
            )
        changed = [name for name in _FIELDS if getattr(stored.character, name) != getattr(character, name)]
        if not changed:
            return stored
        after = await repository.update(connection, stored, character, actor=actor.user)
        await log.append(
            connection,
            [action(actor, CHARACTER_CHANGED, f"agent:{stored.id}", at=now, reason=reason, changed=changed)],
        )
        return after


async def _locked(connection: AsyncConnection) -> StoredCharacter:
    await repository.lock(connection)
    found = await repository.default(connection)
    return found or await repository.insert(connection, structs.replace(SABLE), actor=None)
