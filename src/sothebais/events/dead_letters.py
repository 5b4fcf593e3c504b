"""Events a consumer could not handle: listed, tried again, dropped."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais.clock import from_datetime, isoformat
from sothebais.errors import InvalidInput, NotFound
from sothebais.events.tables import DeadLetter, EventLog
from sothebais.ids import parse_id

type Action = Callable[[AsyncConnection, str], Awaitable[None]]


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One event that waits for somebody to look at it."""

    id: UUID
    consumer: str
    event: UUID
    type: str
    subject: str
    error: str
    attempts: int
    at: str

    def public(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            name: str(value) if isinstance(value, UUID) else value
            for name, value in msgspec.structs.asdict(self).items()
        }


async def waiting(
    connection: AsyncConnection, consumer: str | None = None, *, after: UUID | None = None, limit: int
) -> list[Letter]:
    """Letters that were not tried again yet, oldest first, ``limit`` at most."""
    statement = (
        sa.select(DeadLetter, EventLog.type, EventLog.subject)
        .join(EventLog, EventLog.id == DeadLetter.event_id)
        .where(DeadLetter.replayed_at.is_(None))
        .order_by(DeadLetter.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(DeadLetter.id > after)
    if consumer is not None:
        statement = statement.where(DeadLetter.consumer == consumer)
    return [
        Letter(
            id=row.id,
            consumer=row.consumer,
            event=row.event_id,
            type=row.type,
            subject=row.subject,
            error=row.error,
            attempts=row.attempts,
            at=isoformat(from_datetime(row.created_at)),
        )
        for row in await connection.execute(statement)
    ]


async def requeue(connection: AsyncConnection, letter: str) -> None:
    """Have the letter's consumer try it again. Raises NotFound."""
    changed = await connection.execute(
        sa.update(DeadLetter)
        .where(DeadLetter.id == _id(letter), DeadLetter.replayed_at.is_(None))
        .values(replayed_at=sa.func.now())
    )
    if changed.rowcount == 0:
        raise NotFound("No dead letter with this id is waiting.")


async def drop(connection: AsyncConnection, letter: str) -> None:
    """Give the letter up. Raises NotFound."""
    removed = await connection.execute(sa.delete(DeadLetter).where(DeadLetter.id == _id(letter)))
    if removed.rowcount == 0:
        raise NotFound("There is no dead letter with this id.")


def _id(text: str) -> UUID:
    found = parse_id(text)
    if found is None:
        raise InvalidInput(f"{text!r} is not the id of a dead letter.")
    return found
