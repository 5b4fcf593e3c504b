"""``python -m bench.http``: bids over HTTP, 64 connections kept open, against the plain framework route with an ORM.

The house is served as its role serves it, on a loop of its own in this process; the clients are a process of their own
that writes and reads plain sockets, so that what is measured is the server. Peers, on the same server settings: a plain
route with a validated body, an ORM session and a row lock for each bid; and the house's own route with nothing behind it
(same address, parsing and sign-in, no engine), which is the limit of the front.
"""

import asyncio
import contextlib
import hashlib
import json
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI, Header
from pydantic import BaseModel

from bench.common import (
    CURRENCY,
    INCREMENT,
    BenchFailed,
    Figure,
    House,
    check_lot,
    checkpoint,
    figure,
    main,
    medians,
    own_servers,
    settled,
)
from bench.peers import OrmRowLock
from sothebais import ids
from sothebais.api.app import create_app
from sothebais.auctions.answers import Answer
from sothebais.auctions.commands import PlaceBid
from sothebais.auctions.model import Source
from sothebais.bootstrap import House as RealHouse
from sothebais.config import Settings
from sothebais.errors import Unauthenticated
from sothebais.events.log import Position, Record, canonical
from sothebais.roles import BACKLOG, bind
from sothebais.users.service import token_hash
from sothebais.users.tables import Session

CONNECTIONS = 64
ROUNDS, SECONDS = 5, 4.0
ROUNDS_QUICK, SECONDS_QUICK = 3, 1.0
#: The clients' process may take so long beside measuring.
CLIENTS_WAIT_S = 60.0
#: The ORM is given more time for its few bids.
ORM_TIMES_LONGER = 2
ORM_MIN, NOOP_MIN, P99_MS_MAX = 12.0, 0.5, 25.0
OURS, ORM, NOOP = "ours", "framework route, ORM row lock", "the same route, no engine"


class Body(BaseModel):
    """A bid as a plain route has it."""

    amount: Decimal
    currency: str
    max_amount: Decimal | None = None
    confirm: bool = False


def plain_app(house: House, orm: OrmRowLock) -> FastAPI:
    """How one would write it: session looked up, body validated, one transaction for each bid."""
    app = FastAPI()

    async def signed_in(token: str) -> UUID:
        async with house.engine.connect() as connection:
            found = await connection.execute(
                sa.select(Session.user_id).where(
                    Session.token_hash == token_hash(token), Session.expires_at > sa.func.now()
                )
            )
            user = found.scalar_one_or_none()
        if user is None:
            raise Unauthenticated("Sign in.")
        return UUID(str(user))

    @app.post("/api/v1/auctions/{auction_id}/bids", status_code=201)
    async def place(
        auction_id: UUID,
        body: Body,
        authorization: str = Header(),
        idempotency_key: str = Header(),
    ) -> dict[str, Any]:
        user = await signed_in(authorization.removeprefix("Bearer "))
        now = int(time.time() * 1000)
        bid = ids.new_id()
        accepted = await orm.place(
            PlaceBid(
                bid=bid,
                auction=auction_id,
                user=user,
                amount=body.amount,
                max_amount=body.max_amount,
                currency=body.currency,
                confirm=body.confirm,
                source=Source.API,
                received_at=now,
                effective_at=now,
                idempotency_key=idempotency_key,
                request_hash=hashlib.sha256(idempotency_key.encode()).digest(),
            )
        )
        return {"bid": str(bid), "accepted": accepted}

    return app


class NoEngine:
    """Answers every bid at once with an acceptance that looks like one."""

    connected = True

    def __init__(self, real: Any) -> None:
        self.time = real.time

    async def place(self, command: PlaceBid) -> Answer:
        data = {"bid": str(command.bid), "number": 1, "user": str(command.user), "source": "API",
                "amount": str(command.amount), "effective_at": command.effective_at, "status": "ACTIVE",
                "price": str(command.amount), "previous_price": None, "leader": str(command.user),
                "leading_bid": str(command.bid), "reserve_met": True, "next_valid_amount": "1000000",
                "ends_at": command.received_at + 1_000_000, "extension_count": 0, "bid_count": 1,
                "bidder_count": None}  # fmt: skip
        event = Record(
            id=command.bid, type="auction:bid:accepted", source="auction-engine",
            subject=f"auction:{command.auction}", timestamp=command.received_at, data=canonical(data), n=2,
            hash=bytes(32),
        )  # fmt: skip
        return Answer(
            auction=command.auction,
            lot_number=1,
            event=event,
            position=Position(1, 1, 1),
            bid=command.bid,
            user=command.user,
            opening=(command.amount or Decimal(1), bytes(32)),
        )


@contextlib.asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[int]:
    """The app on a port of its own, as a role serves it."""
    listener = bind("127.0.0.1", 0)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, lifespan="off", loop="none", http="httptools",
        ws="none", backlog=BACKLOG, timeout_keep_alive=30,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def measured(port: int, lot: UUID, tokens: list[str], seconds: float) -> tuple[Figure, list[str]]:
    """One measurement; what the house acknowledged, as far as it was looked at."""
    asked = {
        "port": port,
        "path": f"/api/v1/auctions/{lot}/bids",
        "tokens": tokens,
        "name": secrets.token_hex(6),
        "seconds": seconds,
        "increment": str(INCREMENT),
        "currency": CURRENCY,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.http_clients",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**26,
    )  # fmt: skip
    try:
        out, _ = await asyncio.wait_for(process.communicate(json.dumps(asked).encode()), CLIENTS_WAIT_S + seconds)
    except TimeoutError:
        process.kill()
        raise BenchFailed("The clients did not come to an end.") from None
    found = json.loads(out or b"{}")
    if not found:
        raise BenchFailed("The clients failed.")
    accepted, refused = found["statuses"].get("201", 0), found["statuses"].get("409", 0)
    if accepted + refused != len(found["waits"]):
        raise BenchFailed(f"Answers of other kinds came: {found['statuses']}; {found['samples'][:1]!r}")
    return figure(found["waits"], found["seconds"], accepted), found["samples"]


def acknowledged(lot: UUID, samples: list[str]) -> list[tuple[UUID, UUID, int, bytes]]:
    """What sampled answers promise."""
    told = []
    for sample in samples:
        body = json.loads(sample)
        if "receipt" in body:
            receipt = body["receipt"]
            told.append((lot, UUID(body["bid"]["id"]), receipt["n"], bytes.fromhex(receipt["hash"])))
    return told


async def sessions(house: House) -> list[str]:
    """A signed-in person for each connection."""
    tokens = []
    now = datetime.now(UTC)
    async with house.engine.begin() as connection:
        for user in house.people[:CONNECTIONS]:
            session = ids.new_id()
            token = f"{session.hex}.{secrets.token_urlsafe(32)}"
            tokens.append(token)
            await connection.execute(
                sa.insert(Session).values(
                    id=session,
                    token_hash=token_hash(token),
                    user_id=user,
                    method="bench",
                    created_at=now,
                    last_seen_at=now,
                    expires_at=now + timedelta(days=1),
                )
            )
    return tokens


class Bench:
    """Three servers in one process, measured in turns."""

    def __init__(self, house: House, engine: Any, ports: dict[str, int], tokens: list[str], seconds: float) -> None:
        self.house, self.engine, self.ports, self.tokens, self.seconds = house, engine, ports, tokens, seconds
        self.rounds: dict[str, list[Figure]] = {OURS: [], ORM: [], NOOP: []}
        self.checked = 0

    async def round(self, *, keep: bool = True) -> None:
        """Every design once."""
        for design in (NOOP, OURS, ORM):
            await checkpoint(self.house.dsn)
            settled()
            (lot,) = await self.house.lots(self.engine)
            seconds = self.seconds * (ORM_TIMES_LONGER if design == ORM else 1)
            found, samples = await measured(self.ports[design], lot, self.tokens, seconds)
            if design == OURS:
                self.checked += await check_lot(self.house, lot, acknowledged(lot, samples))
            if keep:
                self.rounds[design].append(found)

    def ratio(self, other: str) -> float:
        """The median of the rounds' own ratios."""
        pairs = zip(self.rounds[OURS], self.rounds[other], strict=True)
        ordered = sorted(mine.bids_per_s / theirs.bids_per_s for mine, theirs in pairs)
        return round(ordered[len(ordered) // 2], 2)

    def report(self) -> dict[str, Any]:
        """What the targets are about, and the medians."""
        middles = {design: medians(figures) for design, figures in self.rounds.items()}
        return {
            "rounds": len(self.rounds[OURS]),
            "connections": CONNECTIONS,
            "ratios": {"orm_route_64": self.ratio(ORM), "noop_64": self.ratio(NOOP)},
            "p99_ms_64": round(middles[OURS].p99_ms, 2),
            "targets": {"orm_route_64": ORM_MIN, "noop_64": NOOP_MIN, "p99_ms_64": P99_MS_MAX},
            "bids_checked": self.checked,
            "results": [
                {
                    "design": design,
                    "bids_per_s": round(middle.bids_per_s, 1),
                    "p50_ms": round(middle.p50_ms, 2),
                    "p99_ms": round(middle.p99_ms, 2),
                    "accepted_share": round(middle.accepted_share, 4),
                }
                for design, middle in middles.items()
            ],
        }


async def run(quick: bool) -> dict[str, Any]:
    """The whole bench."""
    rounds, seconds = (ROUNDS_QUICK, SECONDS_QUICK) if quick else (ROUNDS, SECONDS)
    folder = Path(tempfile.mkdtemp(prefix="sb-http-"))
    try:
        with own_servers() as servers:
            if servers.database_url is None or servers.redis_url is None:
                raise BenchFailed("The bench needs PostgreSQL and Valkey.")
            return await _run(servers.database_url, servers.redis_url, folder, rounds, seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(database_url: str, redis_url: str, folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    house = House(database_url)
    await house.build()
    tokens = await sessions(house)
    settings = Settings(
        data_dir=folder,
        database_url=database_url,
        redis_url=redis_url,
        bids_per_user_per_second=1e6,
        bids_per_address_per_second=1e7,
    )
    real = RealHouse(settings, database_url, redis_url, house.engine)
    store = real.store()
    orm = OrmRowLock(house)
    await orm.start()
    engine = real.auction_engine("bench")
    await engine.start()
    noop: Any = NoEngine(engine)
    apps: dict[str, Callable[[], FastAPI]] = {
        OURS: lambda: create_app(real.api_parts(engine, store)),
        ORM: lambda: plain_app(house, orm),
        NOOP: lambda: create_app(real.api_parts(noop, store)),
    }
    try:
        async with contextlib.AsyncExitStack() as stack:
            ports = {design: await stack.enter_async_context(served(make())) for design, make in apps.items()}
            bench = Bench(house, engine, ports, tokens, min(seconds, 0.7))
            await bench.round(keep=False)  # warms up everybody
            bench.seconds, bench.checked = seconds, 0
            for _ in range(rounds):
                await bench.round()
    finally:
        await engine.stop()
        await orm.close()
        await store.close()
        await house.close()
    return bench.report()


if __name__ == "__main__":
    main(run, "Bids over HTTP, 64 connections", ["design", "bids_per_s", "p50_ms", "p99_ms", "accepted_share"])
