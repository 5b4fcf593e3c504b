"""A session that is over, read from the log; and the campaign's thread, recomputed from it whenever it is asked for."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, Protocol
from uuid import UUID

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais.agent.memory.distil import LINES_MAX, Line, LotEnd, Session, distil, record_of
from sothebais.agent.memory.service import Memories
from sothebais.clock import from_datetime
from sothebais.events.tables import EventLog

LOG: Final[Any] = EventLog.__table__
#: Sessions and lots of a campaign that are looked through.
SESSIONS_MAX: Final = 400
LOTS_MAX: Final = 5_000


class Texts(Protocol):
    """What people wrote, as it may still be read; other parts of the house keep it."""

    async def texts(self, messages: Sequence[UUID]) -> dict[UUID, str]:
        """The texts of these lines; hidden and erased ones are not among them. Raises Unavailable."""


class DayRecord(Struct, frozen=True, kw_only=True):
    """The highest price of a day, as the log has it. ``event`` is the end of the lot that fetched it."""

    day: int
    auction: UUID
    lot_number: int
    title: str
    price: Decimal
    currency: str
    winner: UUID | None
    event: UUID


async def read_session(connection: AsyncConnection, ended: UUID, texts: Texts | None = None) -> Session | None:
    """The session that this ``session:end`` ended; None for an event that is none."""
    row = (await connection.execute(sa.select(LOG).where(LOG.c.id == ended))).one_or_none()
    if row is None or row.type != "session:end":
        return None
    campaign = UUID(row.subject.removeprefix("campaign:"))
    lots = await _lots(connection, [UUID(lot) for lot in row.data["lots"]])
    lines = await _lines(connection, [lot.auction for lot in lots], texts)
    people = {user for lot in lots for user in lot.bidders} | {line.user for line in lines}
    counts = await _sessions_of(connection, row, people)
    return Session(
        campaign=campaign,
        number=row.data["number"],
        event=row.id,
        lots=tuple(lots),
        lines=tuple(lines),
        sessions=counts,
    )


async def _lots(connection: AsyncConnection, auctions: Sequence[UUID]) -> list[LotEnd]:
    """These lots as their last end left them; those that were cancelled, or go on, are not among them."""
    subjects = [f"auction:{auction}" for auction in auctions[:LOTS_MAX]]
    wanted = ("auction:scheduled", "auction:end", "auction:reopened", "auction:cancelled", "auction:bid:accepted")
    rows = await connection.execute(
        sa.select(LOG.c.id, LOG.c.subject, LOG.c.type, LOG.c.data)
        .where(LOG.c.subject.in_(subjects), LOG.c.n.is_not(None), LOG.c.type.in_(wanted))
        .order_by(LOG.c.subject, LOG.c.n)
    )
    first: dict[str, Any] = {}
    ends: dict[str, Any] = {}
    bidders: dict[str, dict[UUID, UUID]] = {}
    for row in rows:
        match row.type:
            case "auction:scheduled":
                first[row.subject] = row.data
            case "auction:bid:accepted":
                bidders.setdefault(row.subject, {})[UUID(row.data["user"])] = row.id
            case "auction:end":
                ends[row.subject] = row
            case _:
                ends.pop(row.subject, None)
    found = []
    for subject, end in ends.items():
        terms, data = first[subject], end.data
        sold = data["outcome"] == "SOLD"
        found.append(
            LotEnd(
                auction=UUID(subject.removeprefix("auction:")),
                number=terms["lot_number"],
                title=terms["title"],
                event=end.id,
                sold=sold,
                price=Decimal(data["price"]) if sold and data["price"] is not None else None,
                currency=terms["terms"]["currency"],
                winner=UUID(data["winner"]) if sold and data["winner"] is not None else None,
                bid_count=data["bid_count"],
                bidders=bidders.get(subject, {}),
            )
        )
    return sorted(found, key=lambda lot: lot.number)


async def _lines(connection: AsyncConnection, auctions: Sequence[UUID], texts: Texts | None) -> list[Line]:
    if texts is None or not auctions:
        return []
    rows = (
        await connection.execute(
            sa.select(LOG.c.id, LOG.c.timestamp, LOG.c.data)
            .where(LOG.c.subject.in_([f"auction:{auction}" for auction in auctions]), LOG.c.type == "chat:message")
            .order_by(LOG.c.timestamp.desc(), LOG.c.id.desc())
            .limit(LINES_MAX)
        )
    ).all()
    written = [row for row in reversed(rows) if not row.data.get("hidden")]
    read = await texts.texts([UUID(row.data["message"]) for row in written])
    return [
        Line(UUID(row.data["user"]), text, from_datetime(row.timestamp), row.id)
        for row in written
        if (text := read.get(UUID(row.data["message"]))) is not None
    ]


async def _sessions_of(connection: AsyncConnection, ended: Any, people: set[UUID]) -> dict[UUID, int]:
    """On how many days of the campaign so far each of these people made a bid or wrote a line."""
    if not people:
        return {}
    days = sa.select(LOG.c.id, LOG.c.data).where(
        LOG.c.subject == ended.subject, LOG.c.type == "session:end", LOG.c.timestamp <= ended.timestamp
    )
    lots = [
        (row.id, f"auction:{lot}")
        for row in await connection.execute(days.order_by(LOG.c.timestamp.desc()).limit(SESSIONS_MAX))
        for lot in row.data["lots"]
    ]
    day_of = {subject: day for day, subject in lots}
    user = LOG.c.data["user"].astext
    rows = await connection.execute(
        sa.select(LOG.c.subject, user.label("user"))
        .where(
            LOG.c.subject.in_(list(day_of)),
            LOG.c.type.in_(("auction:bid:accepted", "chat:message")),
            user.in_([str(one) for one in people]),
        )
        .distinct()
    )
    came: dict[UUID, set[UUID]] = {}
    for row in rows:
        came.setdefault(UUID(row.user), set()).add(day_of[row.subject])
    return {user_id: len(days_of) for user_id, days_of in came.items()}


async def thread(connection: AsyncConnection, campaign: UUID, *, limit: int = 30) -> list[DayRecord]:
    """The record of each day of a campaign that is over, the newest first: from the log, so that no talk can change it."""
    rows = await connection.execute(
        sa.select(LOG.c.data)
        .where(LOG.c.subject == f"campaign:{campaign}", LOG.c.type == "session:end")
        .order_by(LOG.c.timestamp.desc())
        .limit(min(limit, SESSIONS_MAX))
    )
    found = []
    for row in rows.all():
        best = record_of(await _lots(connection, [UUID(lot) for lot in row.data["lots"]]))
        if best is not None and best.price is not None:
            found.append(
                DayRecord(
                    day=row.data["number"],
                    auction=best.auction,
                    lot_number=best.number,
                    title=best.title,
                    price=best.price,
                    currency=best.currency,
                    winner=best.winner,
                    event=best.event,
                )
            )
    return found


async def remember_session(engine: AsyncEngine, memories: Memories, ended: UUID, texts: Texts | None = None) -> int:
    """Distil the session that this event ended, and keep what is left of it; how many memories are new. Safe to do again."""
    async with engine.connect() as connection:
        session = await read_session(connection, ended, texts)
    return 0 if session is None else await memories.remember(distil(session), cause=ended)
