"""Personal data: everything the house has of somebody, told or forgotten.

Which tables hold personal data is read off the tables themselves: a column ``user_id`` that points at ``users`` makes a
row somebody's, and what becomes of it when its user goes (``ondelete``) is what becomes of it here. A table that is added
is told and forgotten without anybody thinking of it; what needs thought stands in ``HIDDEN`` and ``BLANKED``.
"""

import asyncio
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais.auctions.hotpath import lock_key
from sothebais.auctions.model import Status
from sothebais.auctions.tables import Auction, Settlement, SettlementStatus
from sothebais.clock import SystemClock, from_datetime, isoformat
from sothebais.db.base import Base
from sothebais.errors import Conflict
from sothebais.events import log
from sothebais.users import accounts, events
from sothebais.users.service import SessionService
from sothebais.users.tables import Role, User

#: Rows of one table in one export; the newest, and ``truncated`` names the table.
ROWS_MAX = 50_000
#: Tables that say nothing of a person and hold halves of secrets.
UNTOLD = frozenset({"nonces", "idempotency_keys", "sign_in_failures"})
#: Columns whose names say that they are nobody's business, whatever their type.
HIDDEN = ("hash", "secret", "salt", "token", "commitment")
#: Columns that say in figures what stands beside them in words.
UNREADABLE: dict[str, frozenset[str]] = {"memories": frozenset({"embedding", "embedding_model"})}
#: Rows that stay, because others' rows hang on them, and what they lose.
BLANKED: dict[str, dict[str, Any]] = {
    "posts": {"user_id": None, "author_id": "erased", "author_handle": None, "text": ""},
}
#: An erasure takes a second; one that takes so long has lost its process.
ABANDONED_AFTER = timedelta(minutes=5)
#: Lots that somebody may lead.
RUNNING = (Status.ACTIVE, Status.PAUSED, Status.CLOSING)
UNPAID = (SettlementStatus.OFFERED, SettlementStatus.INVOICED)


async def export(engine: AsyncEngine, user: UUID) -> dict[str, Any]:
    """Every row that is this person's, without hashes, secrets and standing maxima."""
    tables: dict[str, list[dict[str, Any]]] = {}
    truncated = []
    async with engine.connect() as connection:
        person = (await connection.execute(_told(User.__table__).where(User.id == user))).one()
        for table in personal_tables():
            if table.name in UNTOLD:
                continue
            order = [column.desc() for column in table.primary_key]
            rows = (
                await connection.execute(
                    _told(table).where(table.c.user_id == user).order_by(*order).limit(ROWS_MAX + 1)
                )
            ).all()
            if len(rows) > ROWS_MAX:
                truncated.append(table.name)
            tables[table.name] = [_row(row) for row in rows[:ROWS_MAX]]
    answer = {"exported_at": isoformat(SystemClock().now()), "user": _row(person), "tables": tables}
    return answer | ({"truncated": truncated} if truncated else {})


async def erase(engine: AsyncEngine, sessions: SessionService, user: UUID) -> None:
    """Forget somebody: what is personal goes, what others rely on stays under a pseudonym.

    Raises Conflict while the person leads a running lot or owes an invoice, and for the staff.
    """
    async with engine.begin() as connection:
        now, role = await accounts.lock(connection, user)
        if role in (Role.OPERATOR, Role.ADMIN):
            raise Conflict("You are on the staff; an admin must take you off it first.")
        found = (await connection.execute(sa.select(User.blocked, User.erasing_since).where(User.id == user))).one()
        # one that was cut off blocked them, no operator
        before = found.blocked and found.erasing_since is None
        # from its commit on no bid of this person is taken
        since = None if before else now
        await connection.execute(sa.update(User).where(User.id == user).values(blocked=True, erasing_since=since))
    try:
        async with engine.begin() as connection:
            await _wait_for_bids_in_hand(connection)
            await _check_nothing_is_owed(connection, user)
            now, role = await accounts.lock(connection, user)
            ended = await sessions.revoke_all(user, connection=connection)
            for table in personal_tables():
                await _forget(connection, table, user)
            await connection.execute(
                sa.update(User)
                .where(User.id == user)
                .values(
                    name=pseudonym(user), email=None, avatar=None, role=Role.VIEWER, password_hash=None,
                    totp_secret=None, totp_last_step=None, erased_at=now, erasing_since=None,
                )
            )  # fmt: skip
            await log.append(connection, [events.action(user, "user.erase", at=now, role=role)])
    except (Exception, asyncio.CancelledError):
        async with engine.begin() as connection:
            await connection.execute(
                sa.update(User)
                .where(User.id == user, User.erased_at.is_(None))
                .values(blocked=before, erasing_since=None)
            )
        raise
    await sessions.forget(ended)


async def release_abandoned(connection: AsyncConnection) -> int:
    """Unblock people whose erasure was cut off before it took anything, so that they can ask again; how many."""
    released = await connection.execute(
        sa.update(User)
        .where(User.erasing_since < sa.func.now() - sa.literal(ABANDONED_AFTER), User.erased_at.is_(None))
        .values(blocked=False, erasing_since=None)
    )
    return released.rowcount


def personal_tables() -> list[sa.Table]:
    """The tables whose rows are somebody's, in an order in which they can be emptied."""
    return [table for table in reversed(Base.metadata.sorted_tables) if _owner_key(table) is not None]


def pseudonym(user: UUID) -> str:
    """What is shown in place of a forgotten person's name."""
    return f"erased-{user.hex[-8:]}"


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    match value:
        case datetime():
            return isoformat(from_datetime(value))
        case date() | time():
            return value.isoformat()
        case UUID() | Decimal():
            return format(value, "f") if isinstance(value, Decimal) else str(value)
        case Enum():
            return value.value
        case dict():
            return {name: plain(one) for name, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
        case _:
            return value


def _owner_key(table: sa.Table) -> sa.ForeignKey | None:
    if "user_id" not in table.c:
        return None
    return next((key for key in table.c.user_id.foreign_keys if key.column.table.name == User.__tablename__), None)


def _told(table: Any) -> sa.Select[Any]:
    columns = [
        column
        for column in table.c
        if not isinstance(column.type, sa.LargeBinary)
        and not any(word in column.name for word in HIDDEN)
        and column.name not in UNREADABLE.get(table.name, ())
    ]
    return sa.select(*columns)


def _row(row: sa.Row[Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in row._mapping.items()}


async def _forget(connection: AsyncConnection, table: sa.Table, user: UUID) -> None:
    mine = table.c.user_id == user
    if table.name in BLANKED:
        await connection.execute(sa.update(table).where(mine).values(BLANKED[table.name]))
        return
    key = _owner_key(table)
    if key is None or key.ondelete is None:
        return  # bids, settlements: what they prove to others is why they stay
    if key.ondelete == "CASCADE":
        await connection.execute(sa.delete(table).where(mine))
    else:
        await connection.execute(sa.update(table).where(mine).values(user_id=None))


async def _wait_for_bids_in_hand(connection: AsyncConnection) -> None:
    """Whoever decides a bid holds its lot: with all running lots in hand, no bid is under way that was let in before."""
    running = sa.select(Auction.id).where(Auction.status.in_(RUNNING)).order_by(Auction.id)
    lots = list((await connection.execute(running)).scalars())
    if lots:
        await connection.execute(
            sa.text("select pg_advisory_xact_lock(key) from unnest(cast(:keys as bigint[])) as key"),
            {"keys": [lock_key(lot) for lot in lots]},
        )


async def _check_nothing_is_owed(connection: AsyncConnection, user: UUID) -> None:
    leads = sa.select(
        sa.exists(sa.select(Auction.id).where(Auction.leader_id == user, Auction.status.in_(RUNNING))),
        sa.exists(sa.select(Settlement.id).where(Settlement.user_id == user, Settlement.status.in_(UNPAID))),
        sa.exists(
            sa.select(Auction.id).where(Auction.seller_id == user, Auction.status.in_((*RUNNING, Status.SCHEDULED)))
        ),
    )
    leading, owing, selling = (await connection.execute(leads)).one()
    if leading:
        raise Conflict("You lead a lot that is still running. Ask again when it is over.", reason="LEADING")
    if owing:
        raise Conflict(
            "You have an invoice, or an offer, that is still open. Pay it, or wait until it expires.", reason="UNPAID"
        )
    if selling:
        raise Conflict("A lot of yours is still to be sold. Ask again when it is over.", reason="SELLING")
