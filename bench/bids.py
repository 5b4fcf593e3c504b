"""``python -m bench.bids``: durable bids per second, against an ORM with row locks, Redis and plain inserting."""

import asyncio
import multiprocessing
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from bench.common import (
    Acknowledged,
    BenchFailed,
    Figure,
    House,
    Stream,
    check_lot,
    checkpoint,
    closed_loop,
    engine_of,
    main,
    medians,
    own_servers,
    settled,
)
from bench.peers import OrmRowLock, RedisLua, limit
from bench.two import CLIENTS, Worker, both
from sothebais.auctions.commands import PlaceBid
from sothebais.auctions.engine import AuctionEngine

ROUNDS, SECONDS = 7, 2.0
ROUNDS_QUICK, SECONDS_QUICK = 2, 0.7
#: Connections to Valkey that 100 clients share: with fewer some wait very long, with more all are slower.
REDIS_CONNECTIONS = 50
#: The ORM answers its 100 clients a few times a second: it is given as many times longer.
ORM_TIMES_LONGER = 2
#: Of the bids that are valid in order of arrival so many must be accepted by the engine.
ACCEPTED_SHARE_MIN = 0.97
OURS, MANY, TWO, ONE, ORM, LUA, PIPELINED, LIMIT = (
    "ours",
    "ours, 100 lots",
    "ours, two processes",
    "ours, one process apart",
    "ORM row lock",
    "Redis Lua",
    "Redis Lua, pipelined",
    "limit: rows without logic",
)


class Bench:
    """The designs, the lots they were measured on and what is to be checked of these."""

    def __init__(
        self, house: House, engine: AuctionEngine, orm: OrmRowLock, lua: RedisLua, counter: Any, seconds: float
    ) -> None:
        self.house, self.engine, self.orm, self.lua = house, engine, orm, lua
        self.seconds = seconds
        self.counter = counter
        self.rounds: dict[tuple[str, int, int], list[Figure]] = {}
        self.to_check: list[tuple[UUID, list[Any]]] = []
        self.of_two: list[tuple[UUID, list[Any]]] = []

    async def round(self, workers: Sequence[Worker], *, keep: bool = True) -> None:
        """Every design once."""
        self.to_check.clear()
        for design, clients, lots, measure in self._cells():
            await checkpoint(self.house.dsn)
            settled()
            figure = await measure(clients, lots)
            if keep:
                self.rounds.setdefault((design, clients, lots), []).append(figure)
        await checkpoint(self.house.dsn)
        together, alone = await self._processes(workers)
        if keep:
            self.rounds.setdefault((TWO, CLIENTS, 1), []).append(together)
            self.rounds.setdefault((ONE, CLIENTS, 1), []).append(alone)

    def _cells(self) -> list[tuple[str, int, int, Callable[[int, int], Awaitable[Figure]]]]:
        return [
            (OURS, 1, 1, self._ours),
            (OURS, 16, 1, self._ours),
            (ORM, 100, 1, self._orm),
            (OURS, 100, 1, self._ours),
            (LUA, 100, 1, self._lua),
            (PIPELINED, 100, 1, self._lua_pipelined),
            (LIMIT, 1000, 1, self._limit),
            (OURS, 1000, 1, self._ours),
            (MANY, 100, 100, self._ours),
        ]

    async def _ours(self, clients: int, count: int) -> Figure:
        lots = await self.house.lots(self.engine, count)
        acknowledged = Acknowledged(self.engine)
        stream = Stream(lots, self.house.people, self.engine.time.now)
        figure = await closed_loop(acknowledged.place, stream, clients=clients, seconds=self.seconds)
        self.to_check.append((lots[0], acknowledged.answers))
        return figure

    async def _orm(self, clients: int, count: int) -> Figure:
        lots = await self.house.lots(self.engine, count)
        stream = Stream(lots, self.house.people, self.engine.time.now)
        figure = await closed_loop(self.orm.place, stream, clients=clients, seconds=self.seconds * ORM_TIMES_LONGER)
        self.to_check.append((lots[0], []))
        return figure

    async def _lua(self, clients: int, count: int) -> Figure:
        return await self._in_redis(clients, count, self.lua.place)

    async def _lua_pipelined(self, clients: int, count: int) -> Figure:
        return await self._in_redis(clients, count, self.lua.place_pipelined)

    async def _in_redis(self, clients: int, count: int, place: Callable[[PlaceBid], Awaitable[bool]]) -> Figure:
        lots = await self.house.lots(self.engine, count)
        await self.lua.open(lots, self.engine.time.now())
        stream = Stream(lots, self.house.people, self.engine.time.now)
        return await closed_loop(place, stream, clients=clients, seconds=self.seconds)

    async def _limit(self, _clients: int, count: int) -> Figure:
        (lot,) = await self.house.lots(self.engine, count)
        stream = Stream([lot], self.house.people, self.engine.time.now)
        return await limit(self.house, lot, stream, seconds=self.seconds)

    async def _processes(self, workers: Sequence[Worker]) -> tuple[Figure, Figure]:
        (lot,) = await self.house.lots(self.engine)
        self.counter.value = 0
        together, acknowledged = await both(workers, lot, self.seconds)
        self.to_check.append((lot, acknowledged))
        self.of_two.append((lot, acknowledged))
        low = round((1 - together.accepted_share) * 1000)
        (lot,) = await self.house.lots(self.engine)
        self.counter.value = 0
        alone, acknowledged = await workers[0].run(lot, CLIENTS, self.seconds, low)
        self.to_check.append((lot, acknowledged))
        return together, alone

    async def check(self) -> int:
        """Check the lots of the last round and all that two processes had; how many bids that were."""
        wanted = [*self.of_two[:-1], *self.to_check]
        return sum([await check_lot(self.house, lot, acknowledged) for lot, acknowledged in wanted])

    def report(self) -> dict[str, Any]:
        """The medians, and each ratio as the median of the rounds' own."""
        results = []
        for (design, clients, lots), figures in sorted(self.rounds.items(), key=lambda item: item[0][0]):
            middle = medians(figures)
            results.append(
                {
                    "design": design,
                    "clients": clients,
                    "lots": lots,
                    "bids_per_s": round(middle.bids_per_s, 1),
                    "p50_ms": round(middle.p50_ms, 2),
                    "p99_ms": round(middle.p99_ms, 2),
                    "accepted_share": round(middle.accepted_share, 4),
                }
            )
        return {
            "rounds": len(self.rounds[OURS, 100, 1]),
            "results": results,
            "ratios": {
                "orm_row_lock_100": self._ratio((OURS, 100, 1), (ORM, 100, 1)),
                "redis_lua_100": self._ratio((OURS, 100, 1), (LUA, 100, 1)),
                "redis_lua_pipelined_100": self._ratio((OURS, 100, 1), (PIPELINED, 100, 1)),
                "limit_1000": self._ratio((OURS, 1000, 1), (LIMIT, 1000, 1)),
                "two_processes": self._ratio((TWO, CLIENTS, 1), (ONE, CLIENTS, 1)),
            },
        }

    def _ratio(self, ours: tuple[str, int, int], theirs: tuple[str, int, int]) -> float:
        pairs = zip(self.rounds[ours], self.rounds[theirs], strict=True)
        ordered = sorted(mine.bids_per_s / other.bids_per_s for mine, other in pairs)
        return round(ordered[len(ordered) // 2], 2)


async def run(quick: bool) -> dict[str, Any]:
    """The whole bench."""
    rounds, seconds = (ROUNDS_QUICK, SECONDS_QUICK) if quick else (ROUNDS, SECONDS)
    with own_servers() as servers:
        if servers.database_url is None or servers.redis_url is None:
            raise BenchFailed("The bench needs PostgreSQL and Valkey.")
        house = House(servers.database_url)
        await house.build()
        counter = multiprocessing.get_context("spawn").Value("q", 0)
        workers = [Worker(house.dsn, house.people, counter) for _ in range(2)]
        orm, lua = OrmRowLock(house), RedisLua(servers.redis_url, REDIS_CONNECTIONS)
        try:
            await asyncio.gather(*(worker.ready() for worker in workers), orm.start())
            async with engine_of(house) as engine:
                bench = Bench(house, engine, orm, lua, counter, min(seconds, 0.5))
                await bench.round(workers, keep=False)  # warms up everybody
                bench.of_two.clear()
                bench.seconds = seconds
                for _ in range(rounds):
                    await bench.round(workers)
                checked = await bench.check()
        finally:
            for worker in workers:
                worker.stop()
            await orm.close()
            await lua.close()
            await house.close()
    report = bench.report() | {"bids_checked": checked}
    for result in report["results"]:
        if result["design"] in (OURS, MANY) and result["accepted_share"] < ACCEPTED_SHARE_MIN:
            raise BenchFailed(
                f"Of {result['clients']} clients' valid bids {result['accepted_share']:.1%} were accepted."
            )
    return report


if __name__ == "__main__":
    main(run, "Durable bids", ["design", "clients", "lots", "bids_per_s", "p50_ms", "p99_ms", "accepted_share"])
