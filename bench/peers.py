"""The peers of the engine: a row lock per bid through an ORM, a Lua script in Valkey, and plain inserting.

Each is written as somebody would who knows that tool and means it.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import redis.asyncio as redis
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from bench.common import INCREMENT, STARTING_PRICE, Figure, House, Stream, percentile
from sothebais import ids
from sothebais.auctions import commitments, records, rules
from sothebais.auctions import terms as terms_codec
from sothebais.auctions.answers import ENGINE
from sothebais.auctions.commands import PlaceBid
from sothebais.auctions.model import Bidder, BidStatus, Decision, Lot, Outcome, Standing, Status, Timing
from sothebais.auctions.tables import Auction, Bid, BidSecret
from sothebais.clock import SystemClock, from_datetime, to_datetime
from sothebais.events.log import GENESIS, canonical, chain_hash
from sothebais.events.tables import EventLog, LogEpoch
from sothebais.users.tables import User

ORM_POOL = 20
LIMIT_BATCH_BIDS = 1_000
#: Prices are whole hundredths in the script: Lua's numbers are doubles.
LUA_SCALE = int(1 / INCREMENT)


class OrmRowLock:
    """A session per bid, ``SELECT … FOR UPDATE`` on the auction, the house's own rules, three objects, commit."""

    def __init__(self, house: House) -> None:
        async def creator() -> Any:
            return await asyncpg.connect(house.dsn)

        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=creator,
            pool_size=ORM_POOL,
            max_overflow=0,
            pool_timeout=60,
            json_serializer=lambda value: canonical(value).decode(),
        )
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        self._terms: dict[UUID, Any] = {}
        self._epoch = 0
        self._clock = SystemClock()

    async def start(self) -> None:
        """Read what never changes."""
        async with self._sessions() as session:
            self._epoch = (await session.execute(sa.select(sa.func.max(LogEpoch.epoch)))).scalar_one()

    async def place(self, command: PlaceBid) -> bool:
        """One bid, one transaction."""
        async with self._sessions() as session, session.begin():
            # what needs no lock comes first: everybody else waits for the rest
            repeated = await session.scalar(
                sa.select(Bid.id).where(Bid.user_id == command.user, Bid.idempotency_key == command.idempotency_key)
            )
            if repeated is not None:
                return False
            user = await session.get_one(User, command.user)
            statement = sa.select(Auction).where(Auction.id == command.auction).with_for_update()
            auction = (await session.execute(statement)).scalar_one()
            now = self._clock.now()
            lot, secrets = await self._lot(session, auction)
            return await self._decide(session, command, auction, lot, secrets, user, now)

    async def _decide(
        self,
        session: AsyncSession,
        command: PlaceBid,
        auction: Auction,
        before: Lot,
        secrets: records.Openable,
        user: User,
        now: int,
    ) -> bool:
        number = auction.last_number + 1
        effective_at = min(command.effective_at, now)
        lot, decision = rules.decide(before, command.as_bid(Bidder(user.id, user.blocked), effective_at, number), now)
        commitment = None
        if decision.accepted and decision.committed is not None:
            salt = ids.new_salt()
            secrets[command.bid] = (decision.committed, salt)
            commitment = commitments.maximum_commitment(lot.id, command.bid, decision.committed, salt)
        session.add(_bid(command, decision, number, auction.log_n + 1, effective_at, now, commitment))
        await session.flush()  # the secret and the auction refer to it
        auction.last_number = number
        if decision.accepted and commitment is not None:
            maximum, salt = secrets[command.bid]
            session.add(BidSecret(bid_id=command.bid, max_amount=maximum, salt=salt))
            auction.bid_count += 1
            auction.previous_price = before.standing.price
            auction.price = lot.standing.price
            auction.leader_id = lot.standing.leader
            auction.leading_bid_id = lot.standing.leading_bid
            auction.rival_maximum = lot.standing.rival_maximum
            auction.reserve_met = lot.standing.reserve_met
            auction.unopened = list(lot.standing.unopened)
            auction.ends_at = to_datetime(lot.timing.ends_at)
            data = records.accepted(
                command,
                before,
                lot,
                decision,
                number=number,
                effective_at=effective_at,
                commitment=commitment,
                bid_count=auction.bid_count,
                rows=(),
                secrets=secrets,
            )
        else:
            data = records.rejected(
                command, lot, decision, number=number, effective_at=effective_at, bid_count=auction.bid_count
            )
        kind = "auction:bid:accepted" if decision.accepted else "auction:bid:rejected"
        auction.log_n += 1
        previous = auction.log_hash
        auction.log_hash = chain_hash(canonical(data), auction.log_n, previous, now, kind)
        session.add(
            EventLog(
                id=ids.new_id(),
                epoch=self._epoch,
                n=auction.log_n,
                timestamp=to_datetime(now),
                type=kind,
                source=ENGINE,
                subject=f"auction:{lot.id}",
                data=data,
                prev_hash=previous,
                hash=auction.log_hash,
            )
        )
        return decision.accepted

    async def _lot(self, session: AsyncSession, auction: Auction) -> tuple[Lot, records.Openable]:
        terms = self._terms.get(auction.id)
        if terms is None:
            terms = self._terms[auction.id] = terms_codec.from_public(auction.terms, None)
        secrets: records.Openable = {}
        maximum = None
        if auction.leading_bid_id is not None:
            secret = await session.get_one(BidSecret, auction.leading_bid_id)
            secrets[secret.bid_id] = (secret.max_amount, secret.salt)
            maximum = secret.max_amount
        standing = Standing(
            leader=auction.leader_id,
            leading_bid=auction.leading_bid_id,
            price=auction.price,
            maximum=maximum,
            rival_maximum=auction.rival_maximum,
            reserve_met=auction.reserve_met,
            unopened=tuple(auction.unopened),
        )
        timing = Timing(
            starts_at=from_datetime(auction.starts_at),
            ends_at=from_datetime(auction.ends_at),
            hard_close_at=from_datetime(auction.hard_close_at),
            extension_count=auction.extension_count,
        )
        outcome = None if auction.outcome is None else Outcome(auction.outcome)
        status = Status(auction.status)
        return Lot(
            id=auction.id, terms=terms, timing=timing, status=status, standing=standing, outcome=outcome
        ), secrets

    async def close(self) -> None:
        """Let go of the pool."""
        await self._engine.dispose()


def _bid(
    command: PlaceBid,
    decision: Decision,
    number: int,
    event_n: int,
    effective_at: int,
    now: int,
    commitment: bytes | None,
) -> Bid:
    return Bid(
        id=command.bid,
        auction_id=command.auction,
        number=number,
        event_n=event_n,
        user_id=command.user,
        amount=decision.amount if decision.accepted else command.amount,
        currency=command.currency,
        status=BidStatus.ACCEPTED if decision.accepted else BidStatus.REJECTED,
        reason=decision.reason,
        source=command.source,
        offered_by_house=False,
        confirm=command.confirm,
        effective_at=to_datetime(effective_at),
        received_at=to_datetime(command.received_at),
        decided_at=to_datetime(now),
        commitment=commitment,
        idempotency_key=command.idempotency_key,
        request_hash=command.request_hash,
    )


# KEYS: lot, bids, idempotency keys. ARGV: bid, user, amount, received_at, key
LUA = """
if redis.call('HSETNX', KEYS[3], ARGV[2] .. ARGV[5], ARGV[1]) == 0 then return {0, 'REPEATED', 0} end
local lot = redis.call('HMGET', KEYS[1], 'status', 'starts_at', 'ends_at', 'price', 'increment', 'leader', 'number')
local at, amount = tonumber(ARGV[4]), tonumber(ARGV[3])
local number = lot[7] + 1
local reason = ''
local least = tonumber(lot[4]) + tonumber(lot[5])
if lot[1] ~= 'ACTIVE' then reason = lot[1]
elseif at < tonumber(lot[2]) then reason = 'NOT_STARTED'
elseif at >= tonumber(lot[3]) then reason = 'ENDED'
elseif lot[6] == ARGV[2] and amount <= tonumber(lot[4]) then reason = 'ALREADY_LEADING'
elseif amount < least then reason = 'BELOW_MINIMUM' end
if reason == '' then
  redis.call('HSET', KEYS[1], 'price', amount, 'leader', ARGV[2], 'leading_bid', ARGV[1], 'number', number)
else
  redis.call('HSET', KEYS[1], 'number', number)
end
redis.call('XADD', KEYS[2], '*', 'bid', ARGV[1], 'number', number, 'user', ARGV[2], 'amount', ARGV[3],
  'at', ARGV[4], 'reason', reason)
return {reason == '' and 1 or 0, reason, number}
"""


class RedisLua:
    """The decision of a simple English bid in one script. Fast, atomic, and gone with the power."""

    def __init__(self, url: str, connections: int) -> None:
        pool = redis.BlockingConnectionPool.from_url(url, max_connections=connections, timeout=60)
        self._redis = redis.Redis(connection_pool=pool)
        self._sha = ""
        self._waiting: list[tuple[PlaceBid, asyncio.Future[bool]]] = []
        self._sender: asyncio.Task[None] | None = None

    async def open(self, lots: Sequence[UUID], now: int) -> None:
        """Lots in a fresh database."""
        await self._redis.flushdb()
        self._sha = await self._redis.script_load(LUA)
        for lot in lots:
            await self._redis.hset(
                f"lot:{lot}",
                mapping={
                    "status": "ACTIVE",
                    "starts_at": now - 1_000,
                    "ends_at": now + 86_400_000,
                    "price": int((STARTING_PRICE - INCREMENT) * LUA_SCALE),
                    "increment": 1,
                    "leader": "",
                    "number": 0,
                },
            )

    async def place(self, command: PlaceBid) -> bool:
        """One bid, one round trip."""
        answer = await self._redis.evalsha(self._sha, 3, *_arguments(command))
        return bool(answer[0])

    async def place_pipelined(self, command: PlaceBid) -> bool:
        """One round trip for all bids that wait: the engine's own way of batching, the best this client can do."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())
        return await future

    async def _send(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            pipeline = self._redis.pipeline(transaction=False)
            for command, _ in batch:
                pipeline.evalsha(self._sha, 3, *_arguments(command))
            for (_, future), answer in zip(batch, await pipeline.execute(), strict=True):
                future.set_result(bool(answer[0]))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._redis.aclose()


def _arguments(command: PlaceBid) -> tuple[str, ...]:
    lot = str(command.auction)
    return (
        f"lot:{lot}",
        f"bids:{lot}",
        f"keys:{lot}",
        str(command.bid),
        str(command.user),
        str(int((command.amount or STARTING_PRICE) * LUA_SCALE)),
        str(command.received_at),
        command.idempotency_key or "",
    )


async def limit(house: House, lot: UUID, stream: Stream, *, seconds: float) -> Figure:
    """The engine's rows with no logic: binary COPY into the three tables and an update of the lot, batch by batch.

    COPY with records is the fastest plain way (a third faster than one array per column). The rows are made before
    the clock runs; only sending, writing and committing them is measured.
    """
    connection = await asyncpg.connect(house.dsn)
    try:
        epoch = await connection.fetchval("select max(epoch) from log_epochs")
        base = await connection.fetchval("select log_n from auctions where id = $1", lot)
        spent, bids, waits = 0.0, 0, []
        while spent < seconds:
            batch = _rows(stream, lot, epoch, base, bids)
            began = time.perf_counter()
            async with connection.transaction():
                await connection.fetchrow("select * from auctions where id = $1 for update", lot)
                for table, columns, rows in batch:
                    await connection.copy_records_to_table(table, records=rows, columns=columns)
                bids += LIMIT_BATCH_BIDS
                await connection.execute(
                    "update auctions set log_n = $2, last_number = $3, bid_count = $3 where id = $1",
                    lot,
                    base + bids,
                    bids,
                )
            waits.append(time.perf_counter() - began)
            spent += waits[-1]
        waits.sort()
        return Figure(
            bids_per_s=bids / spent, p50_ms=percentile(waits, 0.5) * 1e3, p99_ms=percentile(waits, 0.99) * 1e3
        )
    finally:
        await connection.close()


def _rows(stream: Stream, lot: UUID, epoch: int, base: int, done: int) -> list[tuple[str, list[str], list[Any]]]:
    """A batch as the engine would write it: the same columns, sizes and constraints."""
    bids, secrets, events = [], [], []
    previous = GENESIS
    for place in range(done + 1, done + 1 + LIMIT_BATCH_BIDS):
        command = stream.bid()
        now = to_datetime(command.received_at)
        commitment, salt = ids.new_salt(), ids.new_salt()
        bids.append(
            (
                *(command.bid, lot, place, base + place, command.user, command.amount, command.currency, "ACCEPTED"),
                *("API", False, False, now, now, now, commitment, command.idempotency_key, command.request_hash),
            )
        )
        secrets.append((command.bid, command.amount, salt))
        data = _data(command, place, commitment, salt)
        digest = chain_hash(data, base + place, previous, command.received_at, "auction:bid:accepted")
        events.append(
            (
                *(ids.new_id(), epoch, base + place, now, "auction:bid:accepted", ENGINE, f"auction:{lot}"),
                *(data.decode(), previous, digest),
            )
        )
        previous = digest
    bid_columns = "id auction_id number event_n user_id amount currency status source offered_by_house confirm"
    bid_columns += " effective_at received_at decided_at commitment idempotency_key request_hash"
    return [
        ("bids", bid_columns.split(), bids),
        ("bid_secrets", ["bid_id", "max_amount", "salt"], secrets),
        (
            "event_logs",
            ["id", "epoch", "n", "timestamp", "type", "source", "subject", "data", "prev_hash", "hash"],
            events,
        ),
    ]


def _data(command: PlaceBid, number: int, commitment: bytes, salt: bytes) -> bytes:
    amount = str(command.amount)
    user, bid = str(command.user), str(command.bid)
    return msgspec.json.encode(
        {
            "bid": bid,
            "number": number,
            "user": user,
            "source": "API",
            "amount": amount,
            "offered_by_house": False,
            "confirm": False,
            "effective_at": command.effective_at,
            "max_commitment": commitment.hex(),
            "status": "ACTIVE",
            "price": amount,
            "previous_price": amount,
            "leader": user,
            "leading_bid": bid,
            "reserve_met": True,
            "next_valid_amount": amount,
            "ends_at": command.received_at,
            "extension_count": 0,
            "bid_count": number,
            "bidder_count": None,
            "raises": [],
            "openings": [{"bid": bid, "max_amount": amount, "salt": salt.hex()}],
        },
        order="sorted",
    )
