"""Live clients for tests, and the two things that serve them, on a real socket each."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
import websockets
from tests.fakes.house import PATIENCE_S, running

from sothebais.api.app import create_app
from sothebais.api.live.gateway import Gateway
from sothebais.api.live.hub import Hub, hub_of
from sothebais.api.live.served import LiveProtocol
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.state.store import StateStore


@dataclass
class Served:
    """A live feed that listens."""

    host: str
    hub: Hub

    @property
    def url(self) -> str:
        """Where it is."""
        return f"ws://{self.host}/api/v1/live"


def listening() -> tuple[socket.socket, str]:
    """A bound socket and its address."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    return listener, f"127.0.0.1:{listener.getsockname()[1]}"


@contextlib.asynccontextmanager
async def gateway(house: House, store: StateStore) -> AsyncIterator[Served]:
    """The gateway with its hub, as its own process has them."""
    hub = hub_of(house.api_parts(None, store))
    listener, host = listening()
    async with running(hub.run()):
        await asyncio.sleep(0)
        async with Gateway(hub, house.settings, listener):
            yield Served(host, hub)


@contextlib.asynccontextmanager
async def application(house: House, store: StateStore, engine: AuctionEngine | None = None) -> AsyncIterator[Served]:
    """The whole HTTP application with its hub, as the API's process has them."""
    parts = house.api_parts(engine, store)
    hub = hub_of(parts)
    listener, host = listening()
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(parts),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws=LiveProtocol,
            ws_max_size=house.settings.live_message_bytes_max,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
        )
    )
    async with running(hub.run()):
        serving = asyncio.create_task(server._serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield Served(host, hub)
        finally:
            hub.stop()
            server.should_exit = True
            await serving


@dataclass
class Viewer:
    """A client that keeps what it is told."""

    connection: Any
    heard: list[dict[str, Any]] = field(default_factory=list)

    async def say(self, op: str, **more: Any) -> None:
        """Send a message."""
        await self.connection.send(json.dumps({"op": op, **more}))

    async def subscribe(self, *topics: str, since: str | None = None) -> None:
        """Follow topics."""
        await self.say("subscribe", topics=topics, since=since)

    async def hear(self, *ops: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next message of one of these kinds; others are kept and passed over."""
        async with asyncio.timeout(patience_s):
            while True:
                message: dict[str, Any] = json.loads(await self.connection.recv())
                self.heard.append(message)
                if message["op"] in ops:
                    return message

    async def events(self, count: int) -> list[dict[str, Any]]:
        """The next so many events."""
        return [(await self.hear("event"))["event"] for _ in range(count)]

    async def closed(self, patience_s: float = PATIENCE_S) -> int:
        """Wait for the end; its code."""
        async with asyncio.timeout(patience_s):
            with contextlib.suppress(websockets.ConnectionClosed):
                while True:
                    self.heard.append(json.loads(await self.connection.recv()))
        return int(self.connection.close_code or 0)


@contextlib.asynccontextmanager
async def viewer(
    served: Served | str, *, headers: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[Viewer]:
    """A connection, closed at the end."""
    url = served if isinstance(served, str) else served.url
    async with websockets.connect(
        url, additional_headers=headers or {}, proxy=None, max_queue=None, **options
    ) as connection:
        yield Viewer(connection)


def told(messages: Iterable[dict[str, Any]], topic: str) -> list[int]:
    """The numbers of a lot's events among these messages."""
    return [one["event"]["n"] for one in messages if one["op"] == "event" and one["topic"] == topic]
