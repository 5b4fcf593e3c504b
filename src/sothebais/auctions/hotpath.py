"""The SQL of the bidding path, in one place, on asyncpg directly.

Table definitions are the only source of table and column names and types: a column that is renamed there fails here
at import, not at night.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from sothebais.auctions import tables
from sothebais.auctions import terms as terms_codec
from sothebais.auctions.machine import OVER
from sothebais.auctions.model import (
    SEALED,
    Bid,
    Bidder,
    Closed,
    Lot,
    Outcome,
    Reason,
    SealedBid,
    Standing,
    Status,
    Terms,
    Timing,
)
from sothebais.auctions.records import Openable
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.clock import Millis, from_datetime, to_datetime
from sothebais.events.log import Position, Record
from sothebais.events.tables import EventLog, LogEpoch
from sothebais.users.tables import User, Wallet

#: Terms decoded from their JSON, by lot; a lot's terms never change once it has started.
TERMS_CACHED_MAX = 4_096

_DIALECT = pg.dialect()  # type: ignore[no-untyped-call]


class Bulk:
    """Names and array casts to write many rows of one table from one array per column."""

    def __init__(self, table: Any, names: Sequence[str], first: int = 1) -> None:
        local: sa.Table = table.__table__
        columns = local.columns
        self.table: str = local.name
        self.columns = [columns[name] for name in names]
        self.names = [f'"{column.name}"' for column in self.columns]
        self.last = first + len(names) - 1
        self.arrays = ", ".join(f"${first + i}::{self._transport(column)}[]" for i, column in enumerate(self.columns))
        self.aliases = ", ".join(f"c{i}" for i in range(len(names)))
        self.values = ", ".join(self._cast(i, column) for i, column in enumerate(self.columns))
        self.assignments = ", ".join(
            f"{name} = {self._cast(i, column)}"
            for i, (name, column) in enumerate(zip(self.names, self.columns, strict=True))
        )

    @staticmethod
    def _transport(column: sa.Column[Any]) -> str:
        if isinstance(column.type, pg.JSONB | pg.ARRAY):
            return "text"  # as JSON text, or as the text form of an array: unnest would flatten it
        return str(column.type.compile(dialect=_DIALECT))

    @staticmethod
    def _cast(index: int, column: sa.Column[Any]) -> str:
        if isinstance(column.type, pg.JSONB | pg.ARRAY):
            return f"c{index}::{column.type.compile(dialect=_DIALECT)}"
        return f"c{index}"


_BIDS = Bulk(
    tables.Bid,
    [
        "id",
        "auction_id",
        "number",
        "event_n",
        "user_id",
        "amount",
        "currency",
        "status",
        "reason",
        "source",
        "offered_by_house",
        "confirm",
        "effective_at",
        "received_at",
        "decided_at",
        "commitment",
        "idempotency_key",
        "request_hash",
        "post_id",
    ],
)
_SECRETS = Bulk(tables.BidSecret, ["bid_id", "max_amount", "salt"], _BIDS.last + 1)
_EVENTS = Bulk(
    EventLog,
    [
        "id",
        "n",
        "timestamp",
        "type",
        "source",
        "subject",
        "correlation_id",
        "causation_id",
        "data",
        "prev_hash",
        "hash",
    ],
    _SECRETS.last + 1,
)
_AUCTIONS = Bulk(
    tables.Auction,
    [
        "id",
        "starts_at",
        "ends_at",
        "hard_close_at",
        "extension_count",
        "paused_at",
        "closing_at",
        "ended_at",
        "closed",
        "status",
        "outcome",
        "leader_id",
        "leading_bid_id",
        "price",
        "previous_price",
        "rival_maximum",
        "reserve_met",
        "unopened",
        "bid_count",
        "last_number",
        "log_n",
        "log_hash",
    ],
    _EVENTS.last + 1,
)

WRITE = f"""
with bid_rows as (
  insert into {_BIDS.table} ({", ".join(_BIDS.names)})
  select {_BIDS.values} from unnest({_BIDS.arrays}) as v({_BIDS.aliases})
), secret_rows as (
  insert into {_SECRETS.table} ({", ".join(_SECRETS.names)})
  select {_SECRETS.values} from unnest({_SECRETS.arrays}) as v({_SECRETS.aliases})
), lot_rows as (
  update {_AUCTIONS.table} set {_AUCTIONS.assignments}
  from unnest({_AUCTIONS.arrays}) as v({_AUCTIONS.aliases})
  where {_AUCTIONS.table}.id = c0
), event_rows as (
  insert into {_EVENTS.table} (epoch, {", ".join(_EVENTS.names)})
  select (select max(epoch) from {LogEpoch.__tablename__}), {_EVENTS.values}
  from unnest({_EVENTS.arrays}) with ordinality as v({_EVENTS.aliases}, ord) order by ord
  returning epoch, xid, seq
)
select min(epoch) as epoch, min(xid::text::bigint) as xid, array_agg(seq order by seq) as seqs from event_rows
"""  # noqa: S608 - names from the table definitions, values as parameters


def over_statuses() -> str:
    """The statuses of lots that are over, as SQL."""
    return ", ".join(f"'{status}'" for status in sorted(OVER))


_A, _S, _U, _W = (
    tables.Auction.__tablename__,
    tables.AuctionSecret.__tablename__,
    User.__tablename__,
    Wallet.__tablename__,
)
_C, _D = Campaign.__tablename__, CampaignDay.__tablename__
_B, _BS, _E = tables.Bid.__tablename__, tables.BidSecret.__tablename__, EventLog.__tablename__

#: A lot waits while an earlier one of its day is not over, or while its campaign has not been started.
HELD = f"""(a.status = '{Status.SCHEDULED}' and (
    exists (select 1 from {_A} p where p.id = a.opens_after_id and p.status not in ({over_statuses()}))
    or exists (select 1 from {_D} d join {_C} c on c.id = d.campaign_id
               where d.id = a.campaign_day_id and c.status not in ('SCHEDULED', 'ACTIVE'))))"""  # noqa: S608

LOAD_LOTS = f"""
select a.*, s.reserve, s.salt as reserve_salt,
  {HELD} as held
from {_A} a left join {_S} s on s.auction_id = a.id
where a.id = any($1::uuid[]) order by a.id for update of a
"""  # noqa: S608

# clock_timestamp() in a statement of its own: in the locking statement it would be as old as the wait
LOAD_PEOPLE = f"""
select clock_timestamp() as now, u.id, u.blocked, exists (select 1 from {_W} w where w.user_id = u.id) as has_wallet
from (select 1) one left join {_U} u on u.id = any($1::uuid[])
"""  # noqa: S608

LOAD_SECRETS = f"select bid_id, max_amount, salt from {_BS} where bid_id = any($1::uuid[])"  # noqa: S608

LOAD_REPEATED = f"""
select b.id, b.user_id, b.idempotency_key, b.request_hash, b.status, b.auction_id, b.received_at, b.decided_at,
  s.max_amount, s.salt, e.data, e.n, e.hash, e.type, e.timestamp, e.epoch, e.xid::text::bigint as xid, e.seq
from {_B} b join {_E} e on e.subject = 'auction:' || b.auction_id and e.n = b.event_n
left join {_BS} s on s.bid_id = b.id
where (b.user_id, b.idempotency_key) in (select * from unnest($1::uuid[], $2::text[]))
"""  # noqa: S608

LOAD_ACCEPTED = f"""
select b.id, b.user_id, b.amount, b.currency, b.offered_by_house, b.confirm, b.effective_at, b.number,
  s.max_amount, s.salt
from {_B} b join {_BS} s on s.bid_id = b.id
where b.auction_id = $1 and b.status = 'ACCEPTED' and b.source <> 'PROXY' order by b.number
"""  # noqa: S608

LOAD_SEALED = f"""
select distinct on (b.auction_id, b.user_id) b.auction_id, b.id, b.user_id, b.number, s.max_amount
from {_B} b join {_BS} s on s.bid_id = b.id
where b.auction_id = any($1::uuid[]) and b.status = 'ACCEPTED' and b.source <> 'PROXY'
order by b.auction_id, b.user_id, b.number desc
"""  # noqa: S608

VOID_ROWS = f"""
update {_B} set status = 'VOIDED'
where auction_id = $1 and status = 'ACCEPTED' and (id = $2 or source = 'PROXY') returning id, source
"""  # noqa: S608

OPEN_AMOUNTS = f"""
update {_B} set amount = s.max_amount from {_BS} s where s.bid_id = {_B}.id and {_B}.auction_id = $1
and {_B}.status = 'ACCEPTED'
"""  # noqa: S608

HAS_SETTLEMENT = f"select exists (select 1 from {tables.Settlement.__tablename__} where auction_id = $1)"  # noqa: S608


def lock_key(auction: UUID) -> int:
    """The advisory lock of a lot: the random half of its id as a signed 64-bit number."""
    return int.from_bytes(auction.bytes[8:], signed=True)


class Working:
    """A lot in the hands of one transaction: the pure lot and the bookkeeping around it."""

    __slots__ = (
        "bid_count", "changed", "hash", "last_number", "lot", "lot_number", "n", "previous_price", "reserve",
        "secrets", "subject",
    )  # fmt: skip

    def __init__(self, row: Any, terms: Terms) -> None:
        self.lot = _lot(row, terms)
        self.subject = f"auction:{row['id']}"
        self.n: int = row["log_n"]
        self.hash: bytes = row["log_hash"]
        self.bid_count: int = row["bid_count"]
        self.last_number: int = row["last_number"]
        self.lot_number: int = row["lot_number"]
        self.previous_price: Decimal | None = row["previous_price"]
        self.reserve: tuple[Decimal, bytes] | None = (
            None if row["reserve"] is None else (row["reserve"], row["reserve_salt"])
        )
        self.secrets: Openable = {}
        self.changed = False


class TermsCache:
    """Decoded terms by lot, thrown away when the stored text or the reserve differs."""

    def __init__(self) -> None:
        self._kept: dict[UUID, tuple[str, Decimal | None, Terms]] = {}

    def of(self, row: Any) -> Terms:
        """The terms of an auction row."""
        kept = self._kept.get(row["id"])
        if kept is not None and kept[0] == row["terms"] and kept[1] == row["reserve"]:
            return kept[2]
        terms = terms_codec.from_public(msgspec.json.decode(row["terms"]), row["reserve"])
        if len(self._kept) >= TERMS_CACHED_MAX:
            self._kept.pop(next(iter(self._kept)))
        self._kept[row["id"]] = (row["terms"], row["reserve"], terms)
        return terms


async def load_lots(connection: Any, auctions: Sequence[UUID], cache: TermsCache) -> dict[UUID, Working]:
    """Lock and read those lots, with the standing maxima; ids in order, after their advisory locks."""
    rows = await connection.fetch(LOAD_LOTS, auctions)
    found = {}
    wanted: list[UUID] = []
    sealed: list[UUID] = []
    for row in rows:
        working = Working(row, cache.of(row))
        found[working.lot.id] = working
        if working.lot.standing.leading_bid is not None:
            wanted += {*working.lot.standing.unopened, working.lot.standing.leading_bid}
        if working.lot.terms.format in SEALED and working.lot.status is not Status.SCHEDULED:
            sealed.append(working.lot.id)
    if wanted:
        secrets = {
            row["bid_id"]: (row["max_amount"], row["salt"]) for row in await connection.fetch(LOAD_SECRETS, wanted)
        }
        for working in found.values():
            standing = working.lot.standing
            if standing.leading_bid is not None:
                working.secrets = {bid: secrets[bid] for bid in {*standing.unopened, standing.leading_bid}}
                maximum = working.secrets[standing.leading_bid][0]
                working.lot = msgspec.structs.replace(
                    working.lot, standing=msgspec.structs.replace(standing, maximum=maximum)
                )
    if sealed:
        await _load_sealed(connection, sealed, found)
    return found


async def _load_sealed(connection: Any, auctions: Sequence[UUID], found: dict[UUID, Working]) -> None:
    by_lot: dict[UUID, list[SealedBid]] = {}
    for row in await connection.fetch(LOAD_SEALED, auctions):
        bid = SealedBid(row["id"], row["user_id"], row["max_amount"], row["number"])
        by_lot.setdefault(row["auction_id"], []).append(bid)
    for auction, bids in by_lot.items():
        working = found[auction]
        standing = msgspec.structs.replace(working.lot.standing, sealed=tuple(sorted(bids, key=lambda bid: bid.number)))
        working.lot = msgspec.structs.replace(working.lot, standing=standing)


async def load_accepted(connection: Any, auction: UUID) -> tuple[list[Bid], Openable]:
    """The accepted bids of people that are not voided, in order, and all their secrets."""
    bids: list[Bid] = []
    secrets: Openable = {}
    for row in await connection.fetch(LOAD_ACCEPTED, auction):
        bids.append(
            Bid(
                id=row["id"],
                bidder=Bidder(row["user_id"]),
                amount=None if row["offered_by_house"] else row["amount"],
                max_amount=row["max_amount"],
                currency=row["currency"],
                effective_at=from_datetime(row["effective_at"]),
                confirm=row["confirm"],
                number=row["number"],
            )
        )
        secrets[row["id"]] = (row["max_amount"], row["salt"])
    return bids, secrets


async def write(
    connection: Any,
    bids: Sequence[tuple[Any, ...]],
    secrets: Sequence[tuple[Any, ...]],
    events: Sequence[Record],
    lots: Iterable[Working],
) -> list[Position]:
    """Write everything in one statement; the positions of the events, in order."""
    arguments = [
        *_arrays(bids, len(_BIDS.columns)),
        *_arrays(secrets, len(_SECRETS.columns)),
        *_arrays([_event_row(event) for event in events], len(_EVENTS.columns)),
        *_arrays([_lot_row(working) for working in lots], len(_AUCTIONS.columns)),
    ]
    row = await connection.fetchrow(WRITE, *arguments)
    if row["seqs"] is None:
        return []
    return [Position(row["epoch"], row["xid"], seq) for seq in row["seqs"]]


def _arrays(rows: Sequence[tuple[Any, ...]], width: int) -> Iterable[Sequence[Any]]:
    return zip(*rows, strict=True) if rows else [()] * width


def _event_row(event: Record) -> tuple[Any, ...]:
    return (
        event.id,
        event.n,
        to_datetime(event.timestamp),
        event.type,
        event.source,
        event.subject,
        event.correlation_id,
        event.causation_id,
        event.data.decode(),
        event.prev_hash,
        event.hash,
    )


def _lot_row(working: Working) -> tuple[Any, ...]:
    lot = working.lot
    timing, standing = lot.timing, lot.standing
    closed = [[gap.since, gap.until, str(gap.reason)] for gap in timing.closed]
    return (
        lot.id,
        to_datetime(timing.starts_at),
        to_datetime(timing.ends_at),
        to_datetime(timing.hard_close_at),
        timing.extension_count,
        _instant(timing.paused_at),
        _instant(timing.closing_at),
        _instant(timing.ended_at),
        msgspec.json.encode(closed).decode(),
        str(lot.status),
        None if lot.outcome is None else str(lot.outcome),
        standing.leader,
        standing.leading_bid,
        standing.price,
        working.previous_price,
        standing.rival_maximum,
        standing.reserve_met,
        "{" + ",".join(map(str, standing.unopened)) + "}",
        working.bid_count,
        working.last_number,
        working.n,
        working.hash,
    )


def _lot(row: Any, terms: Terms) -> Lot:
    closed = row["closed"]
    return Lot(
        id=row["id"],
        terms=terms,
        timing=Timing(
            starts_at=from_datetime(row["starts_at"]),
            ends_at=from_datetime(row["ends_at"]),
            hard_close_at=from_datetime(row["hard_close_at"]),
            extension_count=row["extension_count"],
            paused_at=_millis(row["paused_at"]),
            closing_at=_millis(row["closing_at"]),
            ended_at=_millis(row["ended_at"]),
            closed=() if closed == "[]" else _closed(closed),
        ),
        status=Status(row["status"]),
        standing=Standing(
            leader=row["leader_id"],
            leading_bid=row["leading_bid_id"],
            price=row["price"],
            rival_maximum=row["rival_maximum"],
            reserve_met=row["reserve_met"],
            unopened=tuple(row["unopened"]),
        ),
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        held=row["held"],
    )


def _closed(text: str) -> tuple[Closed, ...]:
    return tuple(Closed(since, until, Reason(reason)) for since, until, reason in msgspec.json.decode(text))


def _instant(value: Millis | None) -> Any:
    return None if value is None else to_datetime(value)


def _millis(value: Any) -> Millis | None:
    return None if value is None else from_datetime(value)
