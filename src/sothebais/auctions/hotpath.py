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
from sothebais.auctions.answers import ENGINE
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
from sothebais.auctions.rows import BidRow, binary, instant
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.clock import Millis, from_datetime, to_datetime
from sothebais.events.log import Position, Record
from sothebais.events.tables import EventLog, LogEpoch
from sothebais.users.tables import User, Wallet

#: Terms decoded from their JSON, by lot; a lot's terms never change once it has started.
TERMS_CACHED_MAX = 4_096

#: The hashes of a batch travel as one string of bytes, each event's previous one and its own.
HASH_BYTES = 32

_DIALECT = pg.dialect()  # type: ignore[no-untyped-call]


class Sheet:
    """The columns of one table that come as JSON, and how PostgreSQL reads them from it.

    One parameter for many rows: encoding one array per column cost the client four times as much, and the server
    reads either about as fast.
    """

    def __init__(self, table: Any, names: Sequence[str]) -> None:
        local: sa.Table = table.__table__
        columns = [local.columns[name] for name in names]
        self.table: str = local.name
        self.names = ", ".join(f'"{column.name}"' for column in columns)
        self.definitions = ", ".join(f'"{column.name}" {column.type.compile(dialect=_DIALECT)}' for column in columns)
        self.assignments = ", ".join(
            f'"{column.name}" = v."{column.name}"' for column in columns if column.name != "id"
        )


class EventRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What differs from event to event of a batch and is short; ``data`` and the hashes travel beside it."""

    id: UUID
    n: int | None
    type: str
    subject: str
    correlation_id: UUID | None = None
    causation_id: UUID | None = None


_SECRETS = Sheet(tables.BidSecret, ["bid_id", "max_amount", "salt"])
_BIDS = Sheet(tables.Bid, [name for name in BidRow.__struct_fields__ if name not in ("max_amount", "salt")])
_BOTH = Sheet(tables.BidSecret, ["max_amount", "salt"])
_EVENTS = Sheet(EventLog, EventRow.__struct_fields__)
_AUCTIONS = Sheet(
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
)

_LOTS = f"""
), lot_rows as (
  update {_AUCTIONS.table} a set {_AUCTIONS.assignments}
  from json_to_recordset($6::json) as v({_AUCTIONS.definitions}) where a.id = v.id"""  # noqa: S608


def _write(lots: str) -> str:
    return f"""
with v as materialized (
  select * from json_to_recordset($2::json) as v({_BIDS.definitions}, {_BOTH.definitions})
), bid_rows as (
  insert into {_BIDS.table} ({_BIDS.names}, decided_at) select {_BIDS.names}, $1::timestamptz from v
), secret_rows as (
  insert into {_SECRETS.table} ({_SECRETS.names}) select id, {_BOTH.names} from v where salt is not null{lots}
), event_rows as (
  insert into {_EVENTS.table} (epoch, "timestamp", source, {_EVENTS.names}, data, prev_hash, hash)
  select (select max(epoch) from {LogEpoch.__tablename__}), $1, '{ENGINE}', {_EVENTS.names}, data::jsonb,
    substring($5::bytea from {HASH_BYTES * 2} * place::int - {HASH_BYTES * 2 - 1} for {HASH_BYTES}),
    substring($5::bytea from {HASH_BYTES * 2} * place::int - {HASH_BYTES - 1} for {HASH_BYTES})
  from rows from (
    json_to_recordset($3::json) as ({_EVENTS.definitions}), unnest($4::text[])
  ) with ordinality as v({_EVENTS.names}, data, place) order by place
  returning epoch, xid, seq
)
select min(epoch) as epoch, min(xid::text::bigint) as xid, array_agg(seq order by seq) as seqs from event_rows
"""  # noqa: S608 - names from the table definitions, values as parameters


#: A part of a batch, and its last one, which writes the lots too: to plan and open what is not needed takes PostgreSQL
#: as long as four bids.
WRITE_PART, WRITE = _write(""), _write(_LOTS)

#: For a connection that only does this: its few statements are planned once, and never to read a whole table, however
#: small the tables were when they were planned.
PLANNING = """
set plan_cache_mode = force_generic_plan;
set enable_seqscan = off;
set enable_hashjoin = off;
set enable_mergejoin = off;
"""


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

# "no key": whoever refers to a lot in a transaction of their own (a notification, a follow) keeps its key, and must not
# hold up its bids.
LOAD_LOTS = f"""
select a.*, s.reserve, s.salt as reserve_salt, m.max_amount, m.salt as max_salt,
  {HELD} as held
from {_A} a left join {_S} s on s.auction_id = a.id left join {_BS} m on m.bid_id = a.leading_bid_id
where a.id = any($1::uuid[]) order by a.id for no key update of a
"""  # noqa: S608

# clock_timestamp() in a statement of its own: in the locking statement it would be as old as the wait.
# Joined laterally with a limit: an EXISTS may be planned as a hash of the whole table.
LOAD_PEOPLE = f"""
select clock_timestamp() as now, u.id, u.blocked, w.found is not null as has_wallet, b.found is not null as repeated
from (select 1) one left join unnest($1::uuid[], $2::text[]) as asked(person, key) on true
left join {_U} u on u.id = asked.person
left join lateral (select 1 as found from {_W} where user_id = asked.person limit 1) w on true
left join lateral (select 1 as found from {_B} where user_id = asked.person and idempotency_key = asked.key limit 1) b
  on true
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


def begin(auctions: Iterable[UUID]) -> str:
    """Begin a transaction and wait for those lots' locks, one after the other, in one round trip."""
    return ";".join(("begin", *(f"select pg_advisory_xact_lock({lock_key(auction)})" for auction in auctions)))


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
    secrets: Openable = {}
    wanted: list[UUID] = []
    sealed: list[UUID] = []
    for row in rows:
        working = Working(row, cache.of(row))
        found[working.lot.id] = working
        leading = working.lot.standing.leading_bid
        if leading is not None:
            # beside the row it is as old as the wait for the row; then the row does not find it
            if row["max_salt"] is not None:
                secrets[leading] = (row["max_amount"], row["max_salt"])
            wanted += {*working.lot.standing.unopened, leading} - secrets.keys()
        if working.lot.terms.format in SEALED and working.lot.status is not Status.SCHEDULED:
            sealed.append(working.lot.id)
    if wanted:
        for row in await connection.fetch(LOAD_SECRETS, wanted):
            secrets[row["bid_id"]] = (row["max_amount"], row["salt"])
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
    connection: Any, at: Millis, bids: Sequence[BidRow], events: Sequence[Record], lots: Iterable[Working]
) -> list[Position]:
    """Write everything in one statement; the positions of the events, in order. ``at`` is the batch's own time."""
    rows = [_lot_row(working) for working in lots]
    row = await connection.fetchrow(
        WRITE if rows else WRITE_PART,
        to_datetime(at),
        _encode(bids),
        _encode([_event_row(event) for event in events]),
        [event.data.decode() for event in events],
        b"".join([_hashes(event) for event in events]),
        *([_encode(rows)] if rows else ()),
    )
    if row["seqs"] is None:
        return []
    return [Position(row["epoch"], row["xid"], seq) for seq in row["seqs"]]


def _encode(rows: Any) -> str:
    return msgspec.json.encode(rows).decode()


def _hashes(event: Record) -> bytes:
    if event.prev_hash is None or event.hash is None:
        raise ValueError(f"event {event.id} of {event.subject} is in no chain")
    return event.prev_hash + event.hash


def _event_row(event: Record) -> EventRow:
    return EventRow(
        id=event.id,
        n=event.n,
        type=event.type,
        subject=event.subject,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
    )


def _lot_row(working: Working) -> dict[str, Any]:
    lot = working.lot
    timing, standing = lot.timing, lot.standing
    return {
        "id": lot.id,
        "starts_at": instant(timing.starts_at),
        "ends_at": instant(timing.ends_at),
        "hard_close_at": instant(timing.hard_close_at),
        "extension_count": timing.extension_count,
        "paused_at": _instant(timing.paused_at),
        "closing_at": _instant(timing.closing_at),
        "ended_at": _instant(timing.ended_at),
        "closed": [[gap.since, gap.until, gap.reason] for gap in timing.closed],
        "status": lot.status,
        "outcome": lot.outcome,
        "leader_id": standing.leader,
        "leading_bid_id": standing.leading_bid,
        "price": standing.price,
        "previous_price": working.previous_price,
        "rival_maximum": standing.rival_maximum,
        "reserve_met": standing.reserve_met,
        "unopened": standing.unopened,
        "bid_count": working.bid_count,
        "last_number": working.last_number,
        "log_n": working.n,
        "log_hash": binary(working.hash),
    }


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


def _instant(value: Millis | None) -> str | None:
    return None if value is None else instant(value)


def _millis(value: Any) -> Millis | None:
    return None if value is None else from_datetime(value)
