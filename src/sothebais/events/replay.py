"""Having consumers see events again."""

from typing import Any

from sothebais import ids
from sothebais.errors import InvalidInput, NotFound
from sothebais.events import cursors
from sothebais.events.log import START, Position
from sothebais.events.tables import DeadLetter, EventCursor, EventLog

#: A filtered replay queues events one by one; more than this should be a replay of everything.
QUEUED_MAX = 10_000

_E = EventLog.__tablename__
_KNOWN = f"select exists (select 1 from {EventCursor.__tablename__} where consumer = $1)"  # noqa: S608
_COUNT = f"select count(*) from {_E} where (epoch, xid, seq) > ($1, $2::text::xid8, $3)"  # noqa: S608
_MATCHING = f"""
select id from {_E} where (epoch, xid, seq) > ($1, $2::text::xid8, $3)
  and ($4::text is null or type = $4) and ($5::text is null or subject = $5)
order by epoch, xid, seq limit {QUEUED_MAX + 1}
"""  # noqa: S608
_QUEUE = f"""
insert into {DeadLetter.__tablename__} (id, consumer, event_id, error, attempts, replayed_at)
values ($1, $2, $3, 'replay', 0, now())
on conflict (consumer, event_id) do update set replayed_at = now()
"""  # noqa: S608
_END = f"select epoch, xid::text::bigint as xid, seq from {_E} order by epoch desc, xid desc, seq desc limit 1"  # noqa: S608


async def end_of_log(connection: Any) -> Position:
    """The position of the newest event."""
    row = await connection.fetchrow(_END)
    return START if row is None else Position(row["epoch"], row["xid"], row["seq"])


async def replay(
    connection: Any, consumer: str, start: Position, *, event_type: str | None = None, subject: str | None = None
) -> int:
    """Have ``consumer`` see the events behind ``start`` again; how many.

    Without a filter its cursor is set back (a consumer that is running takes that up when it starts again); with one
    the events are queued beside its cursor. Raises NotFound for a consumer that never ran.
    """
    if not await connection.fetchval(_KNOWN, consumer):
        raise NotFound(f"No consumer called {consumer!r} has ever run.")
    place = (start.epoch, str(start.xid), start.seq)
    if event_type is None and subject is None:
        async with connection.transaction():
            count: int = await connection.fetchval(_COUNT, *place)
            await cursors.save_cursor(connection, consumer, start)
        return count
    rows = await connection.fetch(_MATCHING, *place, event_type, subject)
    if len(rows) > QUEUED_MAX:
        raise InvalidInput(f"That would queue more than {QUEUED_MAX} events; narrow it, or replay everything.")
    async with connection.transaction():
        for row in rows:
            await connection.execute(_QUEUE, ids.new_id(), consumer, row["id"])
    return len(rows)
