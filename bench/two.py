"""Two engine processes on one lot: real processes, which know of each other only through the database."""

import asyncio
import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any
from uuid import UUID

import uvloop

from bench.common import STARTING_PRICE, Acknowledged, BenchFailed, Figure, Stream, closed_loop, settled
from sothebais.auctions.commands import PlaceBid
from sothebais.auctions.engine import AuctionEngine

START_TIMEOUT_S = 30.0
#: Waiting bidders in all, however many processes share them.
CLIENTS = 200


class SharedStream(Stream):
    """Bids from one rising series that all processes draw from.

    Of a thousand bids ``low`` are too low on purpose: two processes refuse many, as whichever commits later finds the
    price raised meanwhile, and a refused bid is less to write. One process has as many refused for a fair comparison.
    """

    def __init__(self, lots: Sequence[UUID], people: Sequence[UUID], now: Any, counter: Any, low: int) -> None:
        super().__init__(lots, people, now)
        self._counter, self._low = counter, low

    def bid(self) -> PlaceBid:
        """The next one of all processes."""
        with self._counter.get_lock():
            number = self._counter.value
            self._counter.value += 1
        made = self.numbered(number)
        # 617 is prime to 1000: the low ones are spread over the series; the first bid of all must stand
        if number and number * 617 % 1000 < self._low:
            made = PlaceBid(**{name: getattr(made, name) for name in made.__struct_fields__} | {"amount": _TOO_LOW})
        return made


_TOO_LOW = STARTING_PRICE / 100


class Worker:
    """An engine in a process of its own, asked over a pipe."""

    def __init__(self, dsn: str, people: Sequence[UUID], counter: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, dsn, list(people), counter), daemon=True)
        self._process.start()
        theirs.close()

    async def ready(self) -> None:
        """Wait until its engine runs."""
        await self._answer(START_TIMEOUT_S)

    async def run(self, lot: UUID, clients: int, seconds: float, low: int) -> tuple[Figure, list[Any]]:
        """One measurement: its figures and what was acknowledged."""
        self._pipe.send((lot, clients, seconds, low))
        return await self._answer(seconds + START_TIMEOUT_S)

    async def _answer(self, timeout_s: float) -> Any:
        if not await asyncio.to_thread(self._pipe.poll, timeout_s):
            raise BenchFailed("An engine process does not answer.")
        try:
            return self._pipe.recv()
        except EOFError as error:
            raise BenchFailed("An engine process has died.") from error

    def stop(self) -> None:
        """End it."""
        self._pipe.close()
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


async def both(workers: Sequence[Worker], lot: UUID, seconds: float) -> tuple[Figure, list[Any]]:
    """All workers at once: the aggregate, and everything that was acknowledged."""
    share = CLIENTS // len(workers)
    done = await asyncio.gather(*(worker.run(lot, share, seconds, 0) for worker in workers))
    total = sum(figure.bids_per_s for figure, _ in done)
    figure = Figure(
        bids_per_s=total,
        p50_ms=max(figure.p50_ms for figure, _ in done),
        p99_ms=max(figure.p99_ms for figure, _ in done),
        accepted_share=sum(figure.accepted_share * figure.bids_per_s for figure, _ in done) / total,
    )
    return figure, [one for _, acknowledged in done for one in acknowledged]


def _work(pipe: Connection, dsn: str, people: list[UUID], counter: Any) -> None:
    uvloop.run(_serve(pipe, dsn, people, counter))


async def _serve(pipe: Connection, dsn: str, people: list[UUID], counter: Any) -> None:
    engine = AuctionEngine(dsn, name="bench-worker")
    await engine.start()
    settled()
    pipe.send("ready")
    try:
        while True:
            lot, clients, seconds, low = await asyncio.to_thread(pipe.recv)
            acknowledged = Acknowledged(engine)
            stream = SharedStream([lot], people, engine.time.now, counter, low)
            figure = await closed_loop(acknowledged.place, stream, clients=clients, seconds=seconds)
            pipe.send((figure, acknowledged.answers))
    except EOFError:
        pass  # the bench is done
    finally:
        await engine.stop()
