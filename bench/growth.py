"""``python -m bench.growth``: what a bid costs with few and with many rows in the log, and on a lot with many bids."""

import statistics
from typing import Any
from uuid import UUID

import asyncpg

from bench.common import (
    INCREMENT,
    Acknowledged,
    BenchFailed,
    House,
    Stream,
    checkpoint,
    closed_loop,
    engine_of,
    main,
    own_servers,
    settled,
)
from sothebais import ids
from sothebais.auctions.commands import PlaceBid

SMALL = 1_000
LARGE, LARGE_QUICK = 1_000_000, 100_000
#: Of the large log's rows so many are one lot's own.
OWN_SHARE = 10
FILLER_LOTS = 50
CLIENTS = 100
ROUNDS, SECONDS = 9, 1.5
ROUNDS_QUICK, SECONDS_QUICK = 5, 1.0
GROWTH_MAX = 1.3
FILL_ROWS = 50_000

# Ids as the house makes them: rising, so that rows written together lie together in every index
_ID = """(lpad(to_hex({at} + k), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid"""
_FILL = """
with made as materialized (
  select k, md5(random()::text) as h from generate_series($1::bigint, $2::bigint) k
), rows as materialized (
  select k, {bid} as bid, {event} as event, $4::uuid[] as people, sha256(k::text::bytea) as digest from made
), bid_rows as (
  insert into bids (id, auction_id, number, event_n, user_id, amount, currency, status, source, effective_at,
    received_at, decided_at, commitment, idempotency_key, request_hash)
  select bid, $3::uuid, k, k + $5, people[1 + k % array_length(people, 1)], (99 + k) * {increment}, 'ETH', 'ACCEPTED', 'API',
    now(), now(), now(), digest, 'filler-' || $3::uuid || '-' || k, digest
  from rows order by k
), secret_rows as (
  insert into bid_secrets (bid_id, max_amount, salt) select bid, (99 + k) * {increment}, digest from rows order by k
)
insert into event_logs (id, epoch, n, timestamp, type, source, subject, data, prev_hash, hash)
select event, (select max(epoch) from log_epochs), k + $5, now(), 'auction:bid:accepted', 'auction-engine',
  'auction:' || $3::uuid, $6::jsonb || jsonb_build_object('bid', bid, 'leading_bid', bid, 'number', k, 'bid_count', k),
  digest, digest
from rows order by k
"""
_STAND = """
update auctions set log_n = log_n + $2, last_number = $2, bid_count = $2, log_hash = e.hash, price = b.amount,
  previous_price = b.amount, rival_maximum = b.amount, leader_id = b.user_id, leading_bid_id = b.id,
  unopened = array[b.id], reserve_met = true
from bids b join event_logs e on e.subject = 'auction:' || b.auction_id and e.n = b.event_n
where auctions.id = $1 and b.auction_id = $1 and b.number = $2
"""


class From(Stream):
    """A stream that goes on where a lot stands."""

    def __init__(self, *given: Any, bids: int) -> None:
        super().__init__(*given)
        self._next = bids


async def fill(connection: Any, lot: UUID, people: list[UUID], bids: int, sample: str) -> None:
    """So many accepted bids on a lot, with their secrets and events, as if they had been placed."""
    base = await connection.fetchval("select log_n from auctions where id = $1", lot)
    at = ids.new_id().int >> 80
    # ids rise from the past up to now, so that none meets one that is made later
    bid, event = (_ID.format(at=at - bids - offset) for offset in (1_000, 500))
    statement = _FILL.format(bid=bid, event=event, increment=INCREMENT)
    for first in range(1, bids + 1, FILL_ROWS):
        await connection.execute(statement, first, min(bids, first + FILL_ROWS - 1), lot, people, base, sample)
    await connection.execute(_STAND, lot, bids)


class Log:
    """A house whose log has so many rows, and the lots that are bid on."""

    def __init__(self, house: House, rows: int) -> None:
        self.house, self.rows = house, rows
        self.few: UUID | None = None
        self.many: UUID | None = None
        self.own = rows // OWN_SHARE

    async def build(self, *, with_many: bool) -> None:
        """Place one real bid, then fill up with rows like it."""
        await self.house.build()
        async with engine_of(self.house) as engine:
            sample_lot, few, many, *others = await self.house.lots(engine, 3 + FILLER_LOTS)
            for _ in range(2):  # the second one beats the first, as most do
                stream = Stream([sample_lot], self.house.people, engine.time.now)
                command: PlaceBid = stream.numbered(_)
                answer = await engine.place(command)
            sample = answer.event.data.decode()
            self.few, self.many = few, many if with_many else None
        connection = await asyncpg.connect(self.house.dsn)
        try:
            # the rows are right as they are made; checking the references of a million costs minutes
            await connection.execute("set session_replication_role = replica")
            left = self.rows
            if with_many:
                await fill(connection, many, self.house.people, self.own, sample)
                left -= self.own
            for lot in others:
                await fill(connection, lot, self.house.people, left // FILLER_LOTS, sample)
            await connection.execute("set session_replication_role = origin")
            await connection.execute("vacuum (analyze) bids, bid_secrets, event_logs, auctions, users")
        finally:
            await connection.close()


async def run(quick: bool) -> dict[str, Any]:
    """Both houses in turn, on one server."""
    large_rows = LARGE_QUICK if quick else LARGE
    rounds, seconds = (ROUNDS_QUICK, SECONDS_QUICK) if quick else (ROUNDS, SECONDS)
    with own_servers(valkey=False) as servers:
        if servers.database_url is None:
            raise BenchFailed("The bench needs PostgreSQL.")
        connection = await asyncpg.connect(servers.database_url)
        await connection.execute("create database small")
        await connection.close()
        small_url = servers.database_url.replace("/sothebais?", "/small?", 1)
        small, large = Log(House(small_url), SMALL), Log(House(servers.database_url), large_rows)
        try:
            await small.build(with_many=False)
            await large.build(with_many=True)
            measured = await _measure(small, large, rounds, seconds)
        finally:
            await small.house.close()
            await large.house.close()
    results = [
        {
            "log_rows": rows,
            "bids_in_lot": own,
            "us_per_bid": round(statistics.median(costs), 1),
        }
        for (rows, own), costs in measured.items()
    ]
    base, *others = measured.values()
    growth = max(statistics.median(b / a for a, b in zip(base, costs, strict=True)) for costs in others)
    return {
        "quick": quick,
        "rounds": rounds,
        "results": results,
        "ratios": {"growth_1e5" if quick else "growth_1e6": round(growth, 2)},
        "flat": growth < GROWTH_MAX,
    }


async def _measure(small: Log, large: Log, rounds: int, seconds: float) -> dict[tuple[int, int], list[float]]:
    costs: dict[tuple[int, int], list[float]] = {(small.rows, 0): [], (large.rows, 0): [], (large.rows, large.own): []}
    async with engine_of(small.house) as in_small, engine_of(large.house) as in_large:
        settled()
        streams = {
            (small.rows, 0): (in_small, From([small.few], small.house.people, in_small.time.now, bids=0)),
            (large.rows, 0): (in_large, From([large.few], large.house.people, in_large.time.now, bids=0)),
            (large.rows, large.own): (
                in_large,
                From([large.many], large.house.people, in_large.time.now, bids=large.own),
            ),
        }
        for turn in range(rounds + 1):
            for cell, (engine, stream) in streams.items():
                await checkpoint(small.house.dsn)
                figure = await closed_loop(
                    Acknowledged(engine).place, stream, clients=CLIENTS, seconds=seconds if turn else 0.5
                )
                if figure.accepted_share < 1:
                    raise BenchFailed(f"Only {figure.accepted_share:.1%} of the valid bids were accepted.")
                if turn:  # the first one warms up
                    costs[cell].append(1e6 / figure.bids_per_s)
    return costs


if __name__ == "__main__":
    main(run, "The cost of a bid as the log grows", ["log_rows", "bids_in_lot", "us_per_bid"])
