"""Everything the host said, read from the log: newest first, a page at a time, or whole as text."""

from collections.abc import AsyncIterator
from typing import Any, Final, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.clock import from_datetime, isoformat
from sothebais.events.tables import EventLog

PAGE_MAX: Final = 200
LINES_AT_ONCE: Final = 500
_E: Final = cast(sa.Table, EventLog.__table__)
#: Direct answers are between the host and one person.
_OPEN: Final = ("STREAM", "CHAT", "POST")


def _of(agent: UUID, auction: UUID | None, *, direct: bool) -> Any:
    statement = sa.select(_E.c.id, _E.c.timestamp, _E.c.data, _E.c.causation_id).where(
        _E.c.subject == f"agent:{agent}", _E.c.type == "agent:message"
    )
    if not direct:
        statement = statement.where(_E.c.data["place"].astext.in_(_OPEN))
    if auction is not None:
        statement = statement.where(_E.c.data["auction"].astext == str(auction))
    return statement


async def page(
    engine: AsyncEngine,
    agent: UUID,
    *,
    auction: UUID | None = None,
    after: UUID | None = None,
    limit: int = 50,
    direct: bool = False,
) -> tuple[list[dict[str, Any]], UUID | None]:
    """Lines and what to pass as ``after`` next; ``direct`` adds answers to single persons (for staff)."""
    limit = min(limit, PAGE_MAX)
    statement = _of(agent, auction, direct=direct).order_by(_E.c.id.desc()).limit(limit + 1)
    if after is not None:
        statement = statement.where(_E.c.id < after)
    async with engine.connect() as connection:
        rows = (await connection.execute(statement)).all()
    return [said(row) for row in rows[:limit]], (rows[limit - 1].id if len(rows) > limit else None)


async def text(
    engine: AsyncEngine, agent: UUID, *, auction: UUID | None = None, direct: bool = False
) -> AsyncIterator[str]:
    """The transcript as lines of text, oldest first: time, place, words."""
    after: UUID | None = None
    while True:
        statement = _of(agent, auction, direct=direct).order_by(_E.c.id).limit(LINES_AT_ONCE)
        if after is not None:
            statement = statement.where(_E.c.id > after)
        async with engine.connect() as connection:
            rows = (await connection.execute(statement)).all()
        for row in rows:
            words = " ".join(str(row.data["text"]).split())
            yield f"{isoformat(from_datetime(row.timestamp))}\t{row.data['place']}\t{row.data['intent']}\t{words}\n"
        if len(rows) < LINES_AT_ONCE:
            return
        after = rows[-1].id


def said(row: Any) -> dict[str, Any]:
    """A row of the log as the API shows it."""
    data = row.data
    return {
        "id": str(row.id),
        "at": isoformat(from_datetime(row.timestamp)),
        "text": data["text"],
        "place": data["place"],
        "intent": data["intent"],
        "mood": data["mood"],
        "auction_id": data["auction"],
        "cause": None if row.causation_id is None else str(row.causation_id),
        "model": data["model"],
        "fallback": data["fallback"],
        "input_tokens": data["input_tokens"],
        "output_tokens": data["output_tokens"],
        "latency_ms": data["latency"],
        "blocked": data.get("blocked", []),
        "by_operator": data.get("actor") is not None,
    }
