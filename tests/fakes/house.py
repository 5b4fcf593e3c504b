"""People, pieces, lots and bids in a real house, in short calls, and the servers they live on.

Everything here goes through the code that production uses; only sign-ups and collections are written directly.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import sqlalchemy as sa

from sothebais import ids
from sothebais.api.app import create_app
from sothebais.auctions import scheduling
from sothebais.auctions.answers import Answer
from sothebais.auctions.commands import AdvanceAuction, OverrideAuction, PlaceBid
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.model import FixedIncrement, Format, Override, Source, Terms
from sothebais.bootstrap import House
from sothebais.catalog.tables import ArtItem, Collection
from sothebais.clock import Millis
from sothebais.db.engine import connect
from sothebais.events import cursors
from sothebais.events.cursors import LoggedEvent
from sothebais.events.log import START, Position
from sothebais.state.store import StateStore
from sothebais.users import service as users
from sothebais.users.tables import Role, User, Wallet

CURRENCY = "ETH"
MINUTE = 60_000
#: How long a test waits for something that should come about; generous, because machines are shared.
PATIENCE_S = 20.0

_numbers = count(1)


class Administrator:
    """Makes and drops databases of one server, from sync or async code, on a thread of its own."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="database-administrator", daemon=True)
        self._thread.start()
        self._connection: Any = None

    def url(self, database: str) -> str:
        """The address of a database on this server."""
        return with_database(self._server_url, database)

    def do[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the thread and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    def create(self, name: str, template: str = "template0") -> str:
        """A new database; its address."""
        self.do(self._execute(f'create database "{name}" template "{template}"'))
        return self.url(name)

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self.do(self._execute(f'drop database if exists "{name}" with (force)'))

    def close(self) -> None:
        """End the thread."""
        if self._connection is not None:
            self.do(self._connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _execute(self, statement: str) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self.url("postgres"))
        await self._connection.execute(statement)


def with_database(url: str, database: str) -> str:
    """The same server's address of another database."""
    head, _, query = url.partition("?")
    base = head.rsplit("/", 1)[0]
    return f"{base}/{database}" + (f"?{query}" if query else "")


def with_redis_database(url: str, number: int) -> str:
    """The same Redis' address of another of its databases."""
    if "db=0" in url:
        return url.replace("db=0", f"db={number}")
    return f"{url.removesuffix('/0')}/{number}"


async def eventually[T](
    look: Callable[[], Awaitable[T]], what: str, *, patience_s: float = PATIENCE_S, every_s: float = 0.02
) -> T:
    """The first true thing that ``look`` finds. Fails, saying ``what`` did not come about."""
    deadline = time.monotonic() + patience_s
    while True:
        found = await look()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {patience_s} s; last seen: {found!r}"
        await asyncio.sleep(every_s)


async def a_user(house: House, name: str | None = None, *, role: Role = Role.BIDDER, wallet: bool = False) -> UUID:
    """Somebody who can sign in by handle in the sandbox; ``wallet`` with a linked one."""
    handle = name or f"user{next(_numbers)}"
    async with house.engine.begin() as connection:
        user = await users.ensure_sandbox_user(connection, handle, role=role)
        if wallet:
            await connection.execute(
                sa.insert(Wallet).values(
                    id=ids.new_id(),
                    user_id=user,
                    chain="ethereum",
                    address=f"0x{user.int:040x}"[:42],
                    verified_at=sa.func.now(),
                    method="test",
                )
            )
    return user


async def block(house: House, user: UUID) -> None:
    """Have the house refuse this person's bids."""
    async with house.engine.begin() as connection:
        await connection.execute(sa.update(User).where(User.id == user).values(blocked=True))


async def a_collection(house: House, pieces: int = 1, *, slug: str | None = None) -> tuple[str, list[UUID]]:
    """A collection with that many pieces, token ids from 1; its slug and the pieces' ids."""
    slug = slug or f"collection-{next(_numbers)}"
    collection = ids.new_id()
    rows = [
        {
            "id": ids.new_id(),
            "collection_id": collection,
            "token_id": str(number),
            "name": f"Piece {number}",
            "metadata": {},
            "position": number - 1,
        }
        for number in range(1, pieces + 1)
    ]
    async with house.engine.begin() as connection:
        await connection.execute(sa.insert(Collection).values(id=collection, slug=slug, name=slug))
        if rows:
            await connection.execute(sa.insert(ArtItem), rows)
    return slug, [row["id"] for row in rows]


async def an_item(house: House) -> UUID:
    """One piece in a collection of its own."""
    _, (item,) = await a_collection(house)
    return item


def some_terms(**terms: Any) -> Terms:
    """English terms in ether from 1, by 0.1; amounts may be given as text."""
    given: dict[str, Any] = {
        "currency": CURRENCY,
        "decimals": 18,
        "starting_price": "1",
        "increment": FixedIncrement(Decimal("0.1")),
        "amount_max": "1000000000",
        "confirm_multiple": "1000000000",
        "closing_grace": 2_000,
    } | terms
    for name, value in given.items():
        if isinstance(value, str) and name not in ("currency", "format", "buy_now_until"):
            given[name] = Decimal(value)
    if "format" in given:
        given["format"] = Format(given["format"])
    return Terms(**given)


async def a_lot(
    house: House,
    *,
    opens_in: Millis = 0,
    lasts: Millis = 10 * MINUTE,
    hard_close_after: Millis = 10 * MINUTE,
    item: UUID | None = None,
    number: int = 1,
    opens_after: UUID | None = None,
    campaign_day: UUID | None = None,
    title: str | None = None,
    **terms: Any,
) -> UUID:
    """A SCHEDULED lot, due ``opens_in`` from now, that runs for ``lasts``; ``terms`` are those of ``some_terms``."""
    item = item or await an_item(house)
    starts_at = house.now() + opens_in
    lot = scheduling.NewLot(
        art_item=item,
        title=title or f"Lot {number}",
        lot_number=number,
        terms=some_terms(**terms),
        starts_at=starts_at,
        ends_at=starts_at + lasts,
        hard_close_at=starts_at + lasts + hard_close_after,
        opens_after=opens_after,
        campaign_day=campaign_day,
    )
    async with house.engine.begin() as connection:
        return await scheduling.schedule(connection, lot, at=house.now())


async def an_open_lot(house: House, engine: AuctionEngine, **given: Any) -> UUID:
    """An ACTIVE lot; ``given`` as for ``a_lot``."""
    lot = await a_lot(house, **given)
    await advance(engine, lot)
    return lot


@contextlib.asynccontextmanager
async def running_engine(house: House, name: str = "engine") -> AsyncIterator[AuctionEngine]:
    """An engine that decides bids; stopped at the end."""
    engine = house.auction_engine(name)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


def a_bid(
    engine: AuctionEngine,
    auction: UUID,
    user: UUID,
    amount: str | None = None,
    maximum: str | None = None,
    *,
    confirm: bool = False,
    currency: str = CURRENCY,
    key: str | None = None,
    effective_at: Millis | None = None,
) -> PlaceBid:
    """A bid as the API would hand it to the engine."""
    now = engine.time.now()
    return PlaceBid(
        bid=ids.new_id(),
        auction=auction,
        user=user,
        amount=None if amount is None else Decimal(amount),
        max_amount=None if maximum is None else Decimal(maximum),
        currency=currency,
        confirm=confirm,
        source=Source.API,
        received_at=now,
        effective_at=now if effective_at is None else effective_at,
        idempotency_key=key,
        request_hash=None if key is None else f"{amount}/{maximum}".encode(),
    )


async def bid(
    engine: AuctionEngine, auction: UUID, user: UUID, amount: str | None = None, maximum: str | None = None, **more: Any
) -> Answer:
    """Place a bid and wait for its answer (``accepted``, ``data``, ``event``, ``position``)."""
    return await engine.place(a_bid(engine, auction, user, amount, maximum, **more))


async def step(
    engine: AuctionEngine, auction: UUID, kind: Any, *, actor: UUID, reason: str = "a reason", **more: Any
) -> Answer:
    """An operator's step: START, PAUSE, RESUME, EXTEND, END, CANCEL, REOPEN, SETTLE or VOID_BID."""
    override = Override(kind=kind, reason=reason, **more)
    return await engine.override(OverrideAuction(auction=auction, actor=actor, step=override))


async def advance(engine: AuctionEngine, auction: UUID, *, outage: tuple[Millis, Millis] | None = None) -> None:
    """Have the engine look at the lot as the auction clock would."""
    await engine.advance(AdvanceAuction(auction=auction, outage=outage))


async def status_of(house: House, auction: UUID) -> str:
    """The lot's status in PostgreSQL."""
    async with house.engine.connect() as connection:
        found = await connection.execute(sa.text("select status from auctions where id = :id"), {"id": auction})
        return str(found.scalar_one())


async def advanced_until(house: House, engine: AuctionEngine, auction: UUID, status: str) -> None:
    """Look at the lot until it has this status; its times must lead there."""

    async def look() -> bool:
        await advance(engine, auction)
        return await status_of(house, auction) == status

    await eventually(look, f"the lot becomes {status}")


async def whole_log(dsn: str, *, after: Position = START) -> list[LoggedEvent]:
    """Every event behind ``after`` that may be read now."""
    connection = await connect(dsn, name="test-reader")
    try:
        events: list[LoggedEvent] = []
        while found := await cursors.read_after(connection, after):
            events += found
            after = found[-1].position
        return events
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def api_client(house: House, engine: AuctionEngine | None, store: StateStore) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the HTTP API in this process, without a socket."""
    app = create_app(house.api_parts(engine, store))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://house.test") as client:
        yield client


async def signed_in(client: httpx.AsyncClient, handle: str) -> tuple[UUID, dict[str, str]]:
    """A sandbox user's id and the headers of their session."""
    client.cookies.clear()  # another person's session would be ended, and this one's sent with every request
    answer = await client.post("/api/v1/auth/sandbox", json={"handle": handle})
    answer.raise_for_status()
    client.cookies.clear()
    body = answer.json()
    client.cookies.clear()  # each person has a browser of their own; a second sign-in in one ends the first
    return UUID(body["user"]["id"]), {"authorization": f"Bearer {body['token']}"}


@contextlib.asynccontextmanager
async def running(*work: Coroutine[Any, Any, Any]) -> AsyncIterator[list["asyncio.Task[Any]"]]:
    """Background tasks for as long as the block lasts; one that fails by itself fails the test."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, Exception):
            raise outcome
