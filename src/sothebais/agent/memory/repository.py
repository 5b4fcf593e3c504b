"""The SQL of memories. Whose a memory is stands in every question: one person's are never read for another."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais.agent.memory.model import Limits, NewMemory, Stored
from sothebais.agent.tables import Memory
from sothebais.clock import from_datetime, to_datetime
from sothebais.instants import Millis
from sothebais.users.tables import User

MEMORIES: Final[Any] = Memory.__table__
USERS: Final[Any] = User.__table__
#: Words that a question by full text has at most.
WORDS_MAX: Final = 40
_FORGET_MAX: Final = 1_000

_COLUMNS: Final = (
    MEMORIES.c.id, MEMORIES.c.kind, MEMORIES.c.text, MEMORIES.c.user_id, MEMORIES.c.subject, MEMORIES.c.event_id,
    MEMORIES.c.importance, MEMORIES.c.created_at, MEMORIES.c.last_used_at, MEMORIES.c.expires_at,
)  # fmt: skip


async def lock(connection: AsyncConnection, character: UUID) -> None:
    """Be the only one who changes the memories of a character until the end of the transaction."""
    await connection.execute(
        sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"memories:{character}", 0)))
    )


async def save(
    connection: AsyncConnection,
    character: UUID,
    memory: NewMemory,
    vector: Sequence[float] | None,
    model: str | None,
    now: Millis,
) -> str | None:
    """Keep a memory: ADDED, CHANGED, or None when it is kept so already, or its person wants to be forgotten."""
    key = memory.id(character)
    if memory.user is not None:
        known = (
            sa.select(USERS.c.id)
            .where(USERS.c.id == memory.user, USERS.c.erased_at.is_(None))
            .with_for_update(read=True)
        )
        if (await connection.execute(known)).scalar_one_or_none() is None:
            return None
    before = (await connection.execute(sa.select(MEMORIES.c.text).where(MEMORIES.c.id == key))).scalar_one_or_none()
    if before == memory.text:
        return None
    values = {
        "text": memory.text,
        "embedding": None if vector is None else list(vector),
        "embedding_model": None if vector is None else model,
        "event_id": memory.event,
        "importance": memory.importance,
        "expires_at": None if memory.expires_at is None else to_datetime(memory.expires_at),
        "created_at": to_datetime(now),
    }
    statement = pg.insert(MEMORIES).values(
        id=key,
        character_id=character,
        user_id=memory.user,
        subject=memory.subject,
        kind=memory.kind,
        **values,
    )
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
    return "ADDED" if before is None else "CHANGED"


async def candidates(
    connection: AsyncConnection, character: UUID, about: UUID | None, now: Millis, limit: int
) -> list[tuple[Stored, list[float] | None, str | None]]:
    """What may be recalled for somebody: their own memories and those about nobody; the most important ``limit``."""
    rows = await connection.execute(
        sa.select(*_COLUMNS, MEMORIES.c.embedding, MEMORIES.c.embedding_model)
        .where(*_readable(character, about, now))
        .order_by(MEMORIES.c.importance.desc(), MEMORIES.c.id.desc())
        .limit(limit)
    )
    return [(stored(row), row.embedding, row.embedding_model) for row in rows]


async def by_words(
    connection: AsyncConnection, character: UUID, about: UUID | None, words: Sequence[str], now: Millis, limit: int
) -> list[tuple[Stored, float]]:
    """The same with how well each fits any of ``words`` by PostgreSQL's full text search, 0 to 1; only those that fit."""
    if not words:
        return []
    asked = sa.cast(sa.literal(" | ".join(f"'{word}'" for word in words[:WORDS_MAX])), sa.Text)
    query = sa.func.to_tsquery(sa.literal_column("'english'::regconfig"), asked)
    document = sa.func.to_tsvector(sa.literal_column("'english'::regconfig"), MEMORIES.c.text)
    # each word that fits counts, longer texts a little less, on a scale from 0 to 1
    rank = sa.func.ts_rank(document, query, 1 | 32)
    rows = await connection.execute(
        sa.select(*_COLUMNS, rank.label("rank"))
        .where(*_readable(character, about, now), document.bool_op("@@")(query))
        .order_by(sa.desc("rank"), MEMORIES.c.id.desc())
        .limit(limit)
    )
    return [(stored(row), float(row.rank)) for row in rows]


def _readable(character: UUID, about: UUID | None, now: Millis) -> tuple[sa.ColumnElement[bool], ...]:
    whose = MEMORIES.c.user_id.is_(None)
    if about is not None:
        whose = sa.or_(whose, MEMORIES.c.user_id == about)
    fresh = sa.or_(MEMORIES.c.expires_at.is_(None), MEMORIES.c.expires_at > to_datetime(now))
    return MEMORIES.c.character_id == character, whose, fresh


async def used(connection: AsyncConnection, memories: Sequence[UUID], now: Millis) -> None:
    """Remember that these were of use."""
    await connection.execute(
        sa.update(MEMORIES).where(MEMORIES.c.id.in_(memories)).values(last_used_at=to_datetime(now))
    )


async def listing(
    connection: AsyncConnection, character: UUID, *, user: UUID | None, after: UUID | None, limit: int
) -> list[Stored]:
    """Memories in the order of their ids, of one person where ``user`` is given."""
    statement = sa.select(*_COLUMNS).where(MEMORIES.c.character_id == character)
    if user is not None:
        statement = statement.where(MEMORIES.c.user_id == user)
    if after is not None:
        statement = statement.where(MEMORIES.c.id > after)
    return [stored(row) for row in await connection.execute(statement.order_by(MEMORIES.c.id).limit(limit))]


async def remove(connection: AsyncConnection, memory: UUID) -> Stored | None:
    """Forget one; what it was, None for one that is not there."""
    row = (
        await connection.execute(sa.delete(MEMORIES).where(MEMORIES.c.id == memory).returning(*_COLUMNS))
    ).one_or_none()
    return None if row is None else stored(row)


async def forget_excess(
    connection: AsyncConnection, character: UUID, users: Sequence[UUID | None], limits: Limits, now: Millis
) -> list[Stored]:
    """Forget what has expired and what is too much, of those people (None: of nobody in particular) and in all."""
    old = sa.and_(MEMORIES.c.character_id == character, MEMORIES.c.expires_at <= to_datetime(now))
    gone = await _delete(connection, sa.select(MEMORIES.c.id).where(old).limit(_FORGET_MAX))
    for user in dict.fromkeys(users):
        if user is None:
            gone += await _beyond(connection, character, (MEMORIES.c.user_id.is_(None),), limits.house_max)
        else:
            own = MEMORIES.c.user_id == user
            lines = MEMORIES.c.kind == "SHORT_TERM"
            gone += await _beyond(connection, character, (own, lines), limits.person_lines_max, newest=True)
            gone += await _beyond(connection, character, (own, ~lines), limits.person_max)
    return gone + await _beyond(connection, character, (), limits.memories_max)


async def _beyond(
    connection: AsyncConnection, character: UUID, conditions: Sequence[Any], keep: int, *, newest: bool = False
) -> list[Stored]:
    last = sa.func.coalesce(MEMORIES.c.last_used_at, MEMORIES.c.created_at).desc()
    order = (MEMORIES.c.created_at.desc(),) if newest else (MEMORIES.c.importance.desc(), last)
    excess = (
        sa.select(MEMORIES.c.id)
        .where(MEMORIES.c.character_id == character, *conditions)
        .order_by(*order, MEMORIES.c.id.desc())
        .offset(keep)
        .limit(_FORGET_MAX)
    )
    return await _delete(connection, excess)


async def _delete(connection: AsyncConnection, chosen: Any) -> list[Stored]:
    rows = await connection.execute(sa.delete(MEMORIES).where(MEMORIES.c.id.in_(chosen)).returning(*_COLUMNS))
    return [stored(row) for row in rows]


def stored(row: Any) -> Stored:
    """A row as a value."""
    return Stored(
        id=row.id,
        kind=row.kind.value,
        text=row.text,
        user=row.user_id,
        subject=row.subject,
        event=row.event_id,
        importance=row.importance,
        created_at=from_datetime(row.created_at),
        last_used_at=None if row.last_used_at is None else from_datetime(row.last_used_at),
        expires_at=None if row.expires_at is None else from_datetime(row.expires_at),
    )
