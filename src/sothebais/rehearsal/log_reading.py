"""The whole log read as a consumer reads it, held against what the table says was there.

Durable consumers may still be writing (that somebody was notified, say), so the table is asked before and after: what
was there before must be read, and what is read must be the beginning of what is there afterwards.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from sothebais.errors import SothebaisError
from sothebais.events import cursors
from sothebais.events.log import START
from sothebais.events.tables import EventLog
from sothebais.events.types import parse_event

#: Small pages, so that a cursor is tried at many places.
LOG_PAGE = 97
#: Rows that are there may not be read yet: older transactions are under way. So long nothing more may come.
READ_PATIENCE_S = 15.0
LOOK_AGAIN_S = 0.05

_ORDER = f"select id from {EventLog.__tablename__} order by epoch, xid, seq"  # noqa: S608


class Reading(msgspec.Struct, kw_only=True):
    """What a reader got, by subject for what is numbered, and what is wrong with it."""

    events: int = 0
    logs: dict[str, list[dict[str, Any]]]
    faults: list[str]


def faults(before: Sequence[UUID], read: Sequence[UUID], after: Sequence[UUID]) -> list[str]:
    """What is wrong with a reader that got ``read``, when the log was ``before`` and ``after`` in its own order.

    A transaction that ends while somebody reads stands behind all that was read, so what was read is the beginning of
    ``after`` exactly: nothing left out, nothing twice, nothing in another order.
    """
    found = []
    got, there = set(read), set(after)
    if missing := [one for one in before if one not in got]:
        found.append(f"a reader never got {len(missing)} events of {len(before)}, the first is {missing[0]}")
    if gone := [one for one in before if one not in there]:
        found.append(f"{len(gone)} events are not in the log any more, the first is {gone[0]}")
    if invented := [one for one in read if one not in there]:
        found.append(f"a reader got {len(invented)} events that are not in the log, the first is {invented[0]}")
    if len(got) != len(read):
        found.append(f"a reader got {len(read) - len(got)} events twice")
    if list(read) != list(after[: len(read)]):
        place = next(i for i, one in enumerate(read) if i >= len(after) or one != after[i])
        found.append(f"a reader got event {read[place]} at place {place + 1}, where the log has another one")
    return found


async def read_whole(connection: Any, *, patience_s: float = READ_PATIENCE_S) -> Reading:
    """Read through a cursor until everything is read that was there at the beginning; every event must be valid."""
    before = await _ids(connection)
    reading = Reading(logs=defaultdict(list), faults=[])
    read = []
    for event in await _read(connection, before, patience_s):
        read.append(event.id)
        message = event.message()
        try:
            parse_event(message)
        except SothebaisError as error:
            reading.faults.append(f"event {event.id} ({event.type}) is not valid: {error.message}")
        if event.n is None:
            continue
        of_lot = reading.logs[event.subject]
        if event.n != len(of_lot) + 1:
            reading.faults.append(f"{event.subject}: event {event.n} is read where {len(of_lot) + 1} is due")
        of_lot.append(msgspec.json.decode(message))
    reading.events = len(read)
    reading.faults += faults(before, read, await _ids(connection))
    return reading


async def _read(connection: Any, wanted: Sequence[UUID], patience_s: float) -> list[cursors.LoggedEvent]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    missing, position, found = set(wanted), START, []
    while missing and loop.time() <= deadline:
        page = await cursors.read_after(connection, position, limit=LOG_PAGE)
        if not page:
            await asyncio.sleep(LOOK_AGAIN_S)
            continue
        found += page
        position = page[-1].position
        left = missing.difference(event.id for event in page)
        if len(left) < len(missing):
            deadline = loop.time() + patience_s
        missing = left
    return found


async def _ids(connection: Any) -> list[UUID]:
    return [row["id"] for row in await connection.fetch(_ORDER)]
