"""Reading the whole log, by the page or as it grows, with what the reader may not see left out."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.api.live import visibility
from sothebais.api.live.history import Item
from sothebais.api.live.hub import Hub
from sothebais.events import cursors
from sothebais.events.cursors import LoggedEvent
from sothebais.events.log import Position, Record
from sothebais.events.tables import EventLog
from sothebais.events.types.base import SCHEMA_VERSION

#: A page is looked for in so much of the log; then the reader is told how far it came.
SCANNED_MAX = 10_000
#: What a stream sends in one piece.
CHUNK_EVENTS_MAX = 200

_E = EventLog.__tablename__
_BEHIND = "(epoch, xid, seq) > ($1, $2::text::xid8, $3)"
_ORDER = "order by epoch, xid, seq"
_FIELDS = """id, epoch, xid::text::bigint as xid, seq, n, timestamp, type, source, version, subject,
  correlation_id, causation_id, data::text as data, prev_hash, hash"""
# where one subject is asked for its own index leads there; else a bounded stretch of the log is looked through
_OF_SUBJECT = f"""
select {_FIELDS} from {_E}
where subject = $5 and {_BEHIND} and {cursors.SAFE} and ($4::text is null or type = $4) {_ORDER} limit $6
"""  # noqa: S608
_STRETCH_END = f"""
select epoch, xid::text::bigint as xid, seq from (
  select epoch, xid, seq from {_E} where {_BEHIND} and {cursors.SAFE} {_ORDER} limit {SCANNED_MAX}
) stretch order by epoch desc, stretch.xid desc, seq desc limit 1
"""  # noqa: S608
_OF_STRETCH = f"""
select {_FIELDS} from {_E}
where {_BEHIND} and (epoch, xid, seq) <= ($4, $5::text::xid8, $6) and type = any($7::text[]) {_ORDER} limit $8
"""  # noqa: S608


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events somebody wants, and who that is."""

    type: str | None = None
    subject: str | None = None
    user: str | None = None
    staff: bool = False

    def passes(self, item: Item) -> bool:
        """Whether the reader wants the event and may see it."""
        if self.type is not None and item.type != self.type:
            return False
        if self.subject is not None and item.subject != self.subject:
            return False
        if item.type == visibility.UNANNOUNCED and self.subject is None and not self.staff:
            return False
        return visibility.may_see(item.audience, self.user, staff=self.staff)


async def page(
    database: AsyncEngine, wanted: Filter, after: Position, limit: int
) -> tuple[list[bytes], Position | None]:
    """Envelopes in JSON behind ``after``, and where to go on; None at the end of the log."""
    place = (after.epoch, str(after.xid), after.seq)
    async with database.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        if wanted.subject is not None:
            rows = await raw.fetch(_OF_SUBJECT, *place, wanted.type, wanted.subject, limit + 1)
            return _shown(rows[:limit], wanted), _place(rows[limit - 1]) if len(rows) > limit else None
        end = await raw.fetchrow(_STRETCH_END, *place)
        if end is None:
            return [], None
        stop = _place(end)
        types = list(visibility.seen_types(staff=wanted.staff)) if wanted.type is None else [wanted.type]
        rows = await raw.fetch(_OF_STRETCH, *place, stop.epoch, str(stop.xid), stop.seq, types, limit + 1)
        shown = _shown(rows[:limit], wanted)
        if len(rows) > limit:
            return shown, _place(rows[limit - 1])
        more = await raw.fetchrow(_STRETCH_END, stop.epoch, str(stop.xid), stop.seq)
        return shown, None if more is None else stop


async def stream(
    hub: Hub,
    wanted: Filter,
    after: Position | None,
    *,
    heartbeat_s: float,
    still_allowed: Callable[[], Awaitable[bool]],
) -> AsyncIterator[bytes]:
    """Server-sent events until the hub stops, or the reader is not who it was.

    The reader is given more only when it has taken what it got, so a slow one holds nobody up and costs no memory.
    """
    async with hub.reading() as history:
        position = history.position if after is None else after
        yield b": the log begins at %b\nretry: 1000\n\n" % str(position).encode()
        while hub.running and hub.history is not None and await still_allowed():
            history = hub.history
            items: Sequence[Item]
            if history.covers(position):
                items = history.after(position)[:CHUNK_EVENTS_MAX]
            else:
                items = [Item(event) for event in await hub.read_after(position)]
            if items:
                position = items[-1].position
                told = [item for item in items if wanted.passes(item)]
                if told:
                    yield b"".join(
                        b"id: %b\ndata: %b\n\n" % (str(item.position).encode(), item.message) for item in told
                    )
            elif not await hub.change(heartbeat_s):
                # the id lets a browser that comes back begin here, though nothing was told
                yield b": still here\nid: %b\n\n" % str(position).encode()


def envelope(record: Record, position: Position) -> bytes:
    """An event that was just written, as everybody will get it."""
    return LoggedEvent(
        id=record.id,
        position=position,
        n=record.n,
        timestamp=record.timestamp,
        type=record.type,
        source=record.source,
        version=SCHEMA_VERSION,
        subject=record.subject,
        correlation_id=record.correlation_id,
        causation_id=record.causation_id,
        data=record.data.decode(),
        prev_hash=record.prev_hash,
        hash=record.hash,
    ).message()


def _shown(rows: Sequence[Any], wanted: Filter) -> list[bytes]:
    items = [Item(cursors.event_of(row)) for row in rows]
    return [item.message for item in items if wanted.passes(item)]


def _place(row: Any) -> Position:
    return Position(row["epoch"], row["xid"], row["seq"])
