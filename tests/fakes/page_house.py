"""A whole house with its pages on a real socket, on a thread of its own, for tests in a browser."""

import asyncio
import contextlib
import socket
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
import sqlalchemy as sa
import uvicorn
from tests.fakes import house as builders

from sothebais.agent import orders
from sothebais.api.app import create_app
from sothebais.api.live.hub import hub_of
from sothebais.api.live.served import LiveProtocol
from sothebais.auctions.model import Override
from sothebais.bootstrap import House, make_data_folders
from sothebais.campaigns import service as campaigns
from sothebais.campaigns.model import ListedOrder
from sothebais.catalog.assets import AssetStore
from sothebais.catalog.service import import_collection
from sothebais.catalog.tables import ArtItem
from sothebais.config import Settings
from sothebais.db import migrations
from sothebais.db.engine import create_engine
from sothebais.events import log
from sothebais.events.actions import Actor
from sothebais.rehearsal import artworks, demo
from sothebais.users.tables import Role
from sothebais.web import overlays, viewer

START_S = 30
WORK_S = 60


class PageHouse:
    """Opened by ``start``, closed by ``close``. ``do`` runs a coroutine on the house's own loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="page-house", daemon=True)
        self._thread.start()
        self._port = 0
        self._work: list[asyncio.Task[Any]] = []
        self._server: uvicorn.Server | None = None
        self.house: House
        self.items: list[UUID] = []
        self.evening: UUID | None = None

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self._port}"

    def do[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the house's loop and wait."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WORK_S)

    def start(self) -> None:
        """Open the house and its doors."""
        self.do(self._open())
        self.serve()

    def close(self) -> None:
        """Close both and end the thread."""
        self.stop_serving()
        self.do(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def serve(self) -> None:
        """Take connections, on the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self.do(self._serve(listener))

    def stop_serving(self) -> None:
        """As if the process had died: every connection ends, none is taken."""
        self.do(self._stop_serving())

    async def _open(self) -> None:
        assert self.settings.database_url is not None
        assert self.settings.redis_url is not None
        make_data_folders(self.settings.data_dir)
        database_url, redis_url = (
            self.settings.database_url.get_secret_value(),
            self.settings.redis_url.get_secret_value(),
        )
        pool = create_engine(database_url, name="pages", pool_size=6)
        await migrations.upgrade(pool)
        async with pool.begin() as connection:
            await log.ensure_epoch(connection)
        self.house = House(self.settings, database_url, redis_url, pool)
        self.store = self.house.store()
        self.relay_store = self.house.store()
        self.engine = self.house.auction_engine("pages")
        await self.engine.start()
        self.clock = self.house.auction_clock(self.engine)
        work = [self.clock.run, self.house.relay(self.relay_store).run, *self.house.settlement_work()]
        self._work = [asyncio.ensure_future(one()) for one in work]

    async def _shut(self) -> None:
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self.engine.stop()
        await self.clock.close()
        await self.store.close()
        await self.relay_store.close()
        await self.house.engine.dispose()

    async def _serve(self, listener: socket.socket) -> None:
        parts = self.house.api_parts(self.engine, self.store)
        app = create_app(parts)
        viewer.mount(app, parts)
        overlays.mount(app, parts)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws=LiveProtocol,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=0,
        )
        self._server = server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._hub = asyncio.ensure_future(hub_of(parts).run())
        self._serving = asyncio.ensure_future(_quiet(server, listener))
        async with asyncio.timeout(START_S):
            while not server.started:
                await asyncio.sleep(0.01)

    async def _stop_serving(self) -> None:
        if self._server is None:
            return
        self._server.should_exit = self._server.force_exit = True
        await self._serving
        self._hub.cancel()
        await asyncio.gather(self._hub, return_exceptions=True)
        self._server = None

    # what a test does to the house

    def hang(self, pieces: int, *, seed: int = 11) -> None:
        """Import a generated collection; its pieces are ``items``, in order."""
        with tempfile.TemporaryDirectory(prefix="pieces-") as folder:
            artworks.generate(Path(folder), pieces, seed)

            async def bring() -> list[UUID]:
                report = await import_collection(
                    self.house.engine,
                    AssetStore.in_data_dir(self.settings.data_dir),
                    Path(folder),
                    slug="rooms",
                    name=artworks.COLLECTION,
                    description=artworks.DESCRIPTION,
                )
                assert report.imported == pieces, report.failed
                async with self.house.engine.connect() as connection:
                    found = await connection.execute(sa.select(ArtItem.id).order_by(ArtItem.position))
                    return list(found.scalars())

            self.items = self.do(bring())

    def campaign(self, tokens: Sequence[str], *, speed: float, begins_in: int = 500, slug: str = "evening") -> UUID:
        """A campaign day of those pieces as the demo has it, started."""

        async def make() -> UUID:
            pace = demo.Pace(speed)
            plan, _ = demo.plan(tokens, "rooms", slug, now=self.house.now() + begins_in, pace=pace, seed=4)
            plan = msgspec.structs.replace(plan, order=ListedOrder(tuple(tokens)))
            made = await campaigns.create(self.house.engine, plan, self.house.lot_scheduler, self.house.now())
            await campaigns.start(self.house.engine, made, self.house.now())
            return made

        return self.do(make())

    def lot(self, item: int, number: int, title: str, **given: Any) -> UUID:
        """A single lot of a piece, SCHEDULED; ``given`` as for ``tests.fakes.house.a_lot``."""
        return self.do(builders.a_lot(self.house, item=self.items[item], number=number, title=title, **given))

    def open(self, lot: UUID) -> None:
        """Have the engine look at the lot now."""
        self.do(builders.advance(self.engine, lot))

    def step(self, lot: UUID, kind: Override | str, **more: Any) -> None:
        """An operator's step."""

        async def take() -> None:
            operator = await builders.a_user(self.house, "olga", role=Role.OPERATOR)
            await builders.step(self.engine, lot, kind, actor=operator, **more)

        self.do(take())

    def host_says(self, text: str) -> None:
        """A line of the host, given by the staff."""

        async def say() -> None:
            operator = await builders.a_user(self.house, "olga", role=Role.OPERATOR)
            actor = Actor(user=operator, role=Role.OPERATOR)
            await orders.say(self.house.engine, text, actor, self.house.now(), reason="a test")

        self.do(say())

    def status(self, lot: UUID) -> str:
        """The lot's status in PostgreSQL."""
        return self.do(builders.status_of(self.house, lot))

    @contextlib.contextmanager
    def bidder(self, handle: str) -> Iterator["Bidder"]:
        """Somebody who bids over HTTP."""
        with httpx.Client(base_url=self.url, timeout=20) as client:
            answer = client.post("/api/v1/auth/sandbox", json={"handle": handle})
            answer.raise_for_status()
            token = answer.json()["token"]
            client.cookies.clear()
            client.headers["authorization"] = f"Bearer {token}"
            yield Bidder(client)


class Bidder:
    """Bids over HTTP."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def bid(self, lot: UUID, amount: str | None = None, maximum: str | None = None) -> dict[str, Any]:
        """Place a bid; the answer's body."""
        body = {"currency": "ETH", "amount": amount, "max_amount": maximum}
        answer = self.client.post(f"/api/v1/auctions/{lot}/bids", json={k: v for k, v in body.items() if v})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def _quiet(server: uvicorn.Server, listener: socket.socket) -> None:
    """Serve without taking the process's signals."""
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    with contextlib.suppress(asyncio.CancelledError):
        await server.serve(sockets=[listener])
    listener.close()
