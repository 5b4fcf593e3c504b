"""What the benches share: servers of their own, a house with people and lots, bids to place, rounds, figures, the check.

Other work on the machine moves every figure. What stands is the ratio of two figures from one run, so designs take
turns, round after round, and each figure is the median of its rounds.
"""

import asyncio
import contextlib
import gc
import hashlib
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
import uvloop
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais import ids
from sothebais.auctions import audit, repository, scheduling
from sothebais.auctions.answers import Answer
from sothebais.auctions.commands import AdvanceAuction, PlaceBid
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.model import FixedIncrement, Source, Terms
from sothebais.auctions.tables import Auction, Bid
from sothebais.bootstrap import settle_memory
from sothebais.catalog.tables import ArtItem, Collection
from sothebais.clock import SystemClock
from sothebais.db import migrations
from sothebais.db.engine import create_engine
from sothebais.embedded import EmbeddedServers
from sothebais.embedded.servers import Servers
from sothebais.events import log
from sothebais.users.tables import User

CURRENCY = "ETH"
STARTING_PRICE = Decimal(1)
INCREMENT = Decimal("0.01")
PEOPLE = 1_000
DAY_MS = 86_400_000


class BenchFailed(Exception):
    """A figure is worth nothing because something that must hold did not."""


def measured(run: Callable[[bool], Any]) -> dict[str, Any] | None:
    """Run a bench as the command line asks, ``quick`` or not; what it found, for a table, or null where it was printed as
    JSON. Ends the process with a word for a wrong option and for a bench that failed."""
    unknown = set(sys.argv[1:]) - {"--json", "--quick"}
    if unknown:
        sys.exit(f"Unknown option {min(unknown)}. There are --json and --quick.")
    try:
        found: dict[str, Any] = uvloop.run(run("--quick" in sys.argv))
    except (BenchFailed, TimeoutError) as error:
        print(f"failed: {error or 'something did not come in time'}", file=sys.stderr)
        sys.exit(1)
    if "--json" in sys.argv:
        print(json.dumps(found))
        return None
    return found


class Figure(msgspec.Struct, kw_only=True):
    """What one design did in one round, or the medians of its rounds."""

    bids_per_s: float
    p50_ms: float
    p99_ms: float
    accepted_share: float = 1.0


@contextlib.contextmanager
def own_servers(*, valkey: bool = True) -> Iterator[Servers]:
    """PostgreSQL (and Valkey) in a temporary folder, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="sb-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user when this one is root
    try:
        with EmbeddedServers(folder / "data", valkey=valkey) as servers:
            yield servers
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class House:
    """A migrated database with people and a collection; lots are opened one for each measurement."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.engine: AsyncEngine = create_engine(dsn)
        self.people: list[UUID] = []
        self._collection = ids.new_id()
        self._pieces = 0

    async def build(self) -> None:
        """Tables, people, a collection. Refuses a server that does not wait for the disk."""
        async with self.engine.connect() as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                value = (await connection.execute(sa.text(f"show {setting}"))).scalar_one()
                if value != "on":
                    raise BenchFailed(f"{setting} is {value} on this server: nothing durable could be measured.")
        await migrations.upgrade(self.engine)
        self.people = [ids.new_id() for _ in range(PEOPLE)]
        async with self.engine.begin() as connection:
            await log.ensure_epoch(connection)
            await connection.execute(
                sa.insert(User), [{"id": user, "name": f"Bidder {i}"} for i, user in enumerate(self.people)]
            )
            await connection.execute(sa.insert(Collection).values(id=self._collection, slug="bench", name="Bench"))

    async def lots(self, engine: AuctionEngine, count: int = 1) -> list[UUID]:
        """New English lots, opened."""
        now = SystemClock().now()
        found = []
        async with self.engine.begin() as connection:
            for _ in range(count):
                self._pieces += 1
                piece = ids.new_id()
                await connection.execute(
                    sa.insert(ArtItem).values(
                        id=piece,
                        collection_id=self._collection,
                        token_id=str(self._pieces),
                        name=f"Piece {self._pieces}",
                        erc721={},
                        position=self._pieces,
                    )
                )
                lot = scheduling.NewLot(
                    art_item=piece,
                    title=f"Piece {self._pieces}",
                    lot_number=self._pieces,
                    terms=terms(),
                    starts_at=now - 100,
                    ends_at=now + DAY_MS,
                    hard_close_at=now + 2 * DAY_MS,
                )
                found.append(await scheduling.schedule(connection, lot, at=now - 200))
        await asyncio.gather(*(engine.advance(AdvanceAuction(auction=lot)) for lot in found))
        return found

    async def close(self) -> None:
        """Let go of the connections."""
        await self.engine.dispose()


def terms() -> Terms:
    """Simple English terms, so that every design decides the same question."""
    return Terms(
        currency=CURRENCY,
        decimals=18,
        starting_price=STARTING_PRICE,
        increment=FixedIncrement(INCREMENT),
        amount_max=Decimal(10**9),
    )


class Stream:
    """Bids on some lots in turn, each valid in order of arrival: as high as it must be after the one before it.

    Each has an idempotency key, as a careful client's has.
    """

    def __init__(self, lots: Sequence[UUID], people: Sequence[UUID], now: Callable[[], int]) -> None:
        self._lots, self._people, self._now = lots, people, now
        self._next = 0
        self._name = ids.new_id().hex

    def bid(self) -> PlaceBid:
        """The next one."""
        number = self._next
        self._next += 1
        return self.numbered(number)

    def numbered(self, number: int) -> PlaceBid:
        """The bid of that place in the stream."""
        on_lot, lot = divmod(number, len(self._lots))
        amount = (100 + on_lot) * INCREMENT
        key = f"{self._name}-{number}"
        at = self._now()
        return PlaceBid(
            bid=ids.new_id(),
            auction=self._lots[lot],
            user=self._people[number % len(self._people)],
            amount=amount,
            max_amount=None,
            currency=CURRENCY,
            confirm=False,
            source=Source.API,
            received_at=at,
            effective_at=at,
            idempotency_key=key,
            request_hash=hashlib.sha256(key.encode()).digest(),
        )


async def closed_loop(
    place: Callable[[PlaceBid], Awaitable[bool]], stream: Stream, *, clients: int, seconds: float
) -> Figure:
    """``clients`` who each bid again as soon as they have an answer; ``place`` says whether the bid was accepted."""
    waits: list[float] = []
    accepted = 0
    start = time.perf_counter()
    end = start + seconds

    async def client() -> None:
        nonlocal accepted
        while (asked := time.perf_counter()) < end:
            stands = await place(stream.bid())
            accepted += stands  # not in one line: it would add to what it was before the wait
            waits.append(time.perf_counter() - asked)

    await asyncio.gather(*(client() for _ in range(clients)))
    return figure(waits, time.perf_counter() - start, accepted)


def figure(waits: list[float], seconds: float, accepted: int) -> Figure:
    """The figures of one measurement."""
    waits.sort()
    return Figure(
        bids_per_s=len(waits) / seconds,
        p50_ms=percentile(waits, 0.5) * 1e3,
        p99_ms=percentile(waits, 0.99) * 1e3,
        accepted_share=accepted / max(1, len(waits)),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which so large a share lies; 0 of nothing."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def medians(rounds: Sequence[Figure]) -> Figure:
    """Each figure's median."""
    return Figure(
        **{
            name: statistics.median(getattr(one, name) for one in rounds)
            for name in ("bids_per_s", "p50_ms", "p99_ms", "accepted_share")
        }
    )


class Acknowledged:
    """The engine's answers, kept to be looked for in the database afterwards."""

    def __init__(self, engine: AuctionEngine) -> None:
        self._engine = engine
        self.answers: list[tuple[UUID, UUID, int, bytes]] = []

    async def place(self, command: PlaceBid) -> bool:
        """Place it and remember the answer."""
        answer: Answer = await self._engine.place(command)
        event = answer.event
        self.answers.append((command.auction, command.bid, event.n or 0, event.hash or b""))
        return answer.accepted


async def check_lot(house: House, lot: UUID, acknowledged: Sequence[tuple[UUID, UUID, int, bytes]]) -> int:
    """Everything that must hold of a lot after the load; how many bids it has. Raises BenchFailed.

    Numbers without gaps, each acknowledged bid once and where its answer says, the chain and every decision played
    again by the audit, and the price of the row is the price of the replay.
    """
    async with house.engine.connect() as connection:
        row = (await connection.execute(sa.select(Auction).where(Auction.id == lot))).one()
        bids = (
            await connection.execute(sa.select(Bid.id, Bid.number).where(Bid.auction_id == lot).order_by(Bid.number))
        ).all()
    if [bid.number for bid in bids] != list(range(1, len(bids) + 1)):
        raise BenchFailed(f"The bids of lot {lot} are not numbered 1 to {len(bids)}.")
    events = [event async for event in repository.log(house.engine, lot)]
    audit.verify(events, head=(row.log_n, row.log_hash.hex()))
    last = next((event for event in reversed(events) if event["type"] == "auction:bid:accepted"), None)
    if last is None or row.price is None:
        raise BenchFailed(f"No bid on lot {lot} was accepted.")
    if Decimal(last["data"]["price"]) != row.price or last["data"]["leader"] != str(row.leader_id):
        raise BenchFailed(f"Lot {lot} stands at {row.price}; its log leads to {last['data']['price']}.")
    known = {bid.id for bid in bids}
    for auction, bid, n, digest in acknowledged:
        if auction != lot:
            continue
        event = events[n - 1]
        if bid not in known or event["data"]["bid"] != str(bid) or event["hash"] != digest.hex():
            raise BenchFailed(f"Bid {bid} was acknowledged as event {n} of lot {lot} and is not there.")
    return len(bids)


@contextlib.asynccontextmanager
async def engine_of(house: House, name: str = "bench") -> Any:
    """A running engine, as a process of the house has it."""
    engine = AuctionEngine(house.dsn, name=name)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def checkpoint(dsn: str) -> None:
    """Have the disk's work of the last measurement done before the next one begins."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("checkpoint")
    finally:
        await connection.close()


def settled() -> None:
    """The collector as the house has it in service."""
    gc.unfreeze()
    settle_memory()


def main(work: Callable[[bool], Awaitable[dict[str, Any]]], title: str, columns: Sequence[str]) -> None:
    """Run a bench with ``--json`` and ``--quick``; exits with 1 when something that must hold did not."""
    unknown = set(sys.argv[1:]) - {"--json", "--quick"}
    if unknown:
        sys.exit(f"Unknown option {min(unknown)}. There are --json and --quick.")
    try:
        report = uvloop.run(work("--quick" in sys.argv))
    except (BenchFailed, audit.VerificationFailed) as error:
        print(f"failed: {error}", file=sys.stderr)
        sys.exit(1)
    if "--json" in sys.argv:
        print(json.dumps(report))
        return
    table = Table(title=title)
    for column in columns:
        table.add_column(column, justify="left" if column == "design" else "right")
    for result in report["results"]:
        table.add_row(*(_plain(result.get(column)) for column in columns))
    console = Console()
    console.print(table)
    for name, value in report["ratios"].items():
        console.print(f"  {name}: {_plain(value)}")


def _plain(value: Any) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else "" if value is None else str(value)
