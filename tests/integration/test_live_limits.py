"""The live feed's bounds, each at the bound: nobody can hold it up, flood it or fill it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets
from tests.fakes.house import eventually
from tests.fakes.live import Served, application, gateway, viewer

from sothebais import ids
from sothebais.api.live import hub as hubs
from sothebais.bootstrap import House
from sothebais.config import Settings
from sothebais.events import log
from sothebais.state.store import StateStore


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "live_connections_max": 4,
            "live_connections_per_address_max": 3,
            "live_topics_max": 3,
            "live_message_bytes_max": 1_024,
            "live_messages_per_second": 2.0,
            "live_buffer_bytes_max": 200_000,
        }
    )


@pytest.fixture(params=["gateway", "application"])
async def served(request: pytest.FixtureRequest, house: House, store: StateStore) -> AsyncIterator[Served]:
    serving = gateway if request.param == "gateway" else application
    async with serving(house, store) as made:
        yield made


async def say_something(house: House, events: int, length: int = 10_000) -> None:
    """So many long lines of the host."""
    async with house.engine.begin() as connection:
        await log.append(
            connection,
            [log.event("agent:message", "agent:host", {"text": "x" * length}, at=house.now()) for _ in range(events)],
        )


async def test_one_who_never_reads_is_let_go_with_a_reason_and_delays_nobody(served: Served, house: House) -> None:
    lazy = socket.socket()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    loop = asyncio.get_running_loop()
    lazy.setblocking(False)
    host, port = served.host.split(":")
    await loop.sock_connect(lazy, (host, int(port)))
    text = json.dumps({"op": "subscribe", "topics": ["agent"]}).encode()
    await loop.sock_sendall(
        lazy,
        f"GET /api/v1/live HTTP/1.1\r\nHost: {served.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode(),
    )
    assert b" 101 " in await loop.sock_recv(lazy, 1_000)
    await loop.sock_sendall(lazy, bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
    async with viewer(served) as one:
        await one.subscribe("agent")
        await one.hear("snapshot")
        await eventually(lambda: following(served, 2), "both follow")
        for _ in range(100):  # more than the kernel keeps for anybody
            await say_something(house, 10)
            await one.events(10)
            if len(served.hub) == 1:
                break
        assert len(served.hub) == 1
        await say_something(house, 1)
        await one.events(1)
    lazy.close()


async def following(served: Served, count: int) -> bool:
    return len(served.hub._topics.get("agent", {})) == count


async def test_one_who_has_taken_nothing_since_the_last_look_is_let_go(
    served: Served, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with viewer(served) as one:
        await one.subscribe("agent")
        await one.hear("snapshot")
        (client,) = served.hub._clients
        monkeypatch.setattr(type(client._outlet), "buffered", lambda _outlet: 10)
        assert not client.stuck()
        assert client.stuck()
        client.close(hubs.Close.SLOW)
        assert await one.closed() == 4408
        assert "too slowly" in one.connection.close_reason


async def test_too_many_messages_and_too_long_ones_end_the_connection(served: Served) -> None:
    async with viewer(served) as one:
        for _ in range(20):
            await one.say("ping")
        assert await one.closed() == 1008
        assert len([message for message in one.heard if message["op"] == "pong"]) == 8
    async with viewer(served) as one:
        await one.connection.send("x" * 1_025)
        assert await one.closed() == 1009
    async with viewer(served) as one:
        await one.connection.send("x" * 1_024)
        await one.hear("error")
        await one.connection.send("x" * 100_000)
        assert await one.closed() in (1009, 1006)


async def test_more_topics_than_allowed_are_refused_and_the_others_stay(served: Served, house: House) -> None:
    async with viewer(served) as one:
        await one.subscribe("stream", "agent", "schedule")
        for _ in range(3):
            await one.hear("snapshot")
        await one.subscribe(f"auction:{ids.new_id()}")
        assert "3 topics at most" in (await one.hear("error"))["detail"]
        await one.say("unsubscribe", topics=["stream"])
        await one.subscribe(f"auction:{ids.new_id()}")
        assert (await one.hear("error"))["code"] == "NOT_FOUND"
        await say_something(house, 1)
        await one.events(1)


async def test_more_connections_than_allowed_are_refused_and_places_become_free_again(served: Served) -> None:
    async def refused() -> Any:
        try:
            async with viewer(served) as one:
                return await one.closed()
        except websockets.InvalidStatus as answer:
            return answer.response.status_code

    async with viewer(served) as first:
        async with viewer(served), viewer(served):
            await first.say("ping")
            await first.hear("pong")
            await eventually(lambda: taken(served, 3), "three are connected")
            assert await refused() in (1013, 503)
        await eventually(lambda: taken(served, 1), "two places are free")
        served.hub._addresses["10.0.0.1"] = 0
        served.hub.connections_max = 1
        assert await refused() in (1013, 503)
        served.hub.connections_max = 2
        async with viewer(served) as second:
            await second.say("ping")
            await second.hear("pong")


async def taken(served: Served, count: int) -> bool:
    return len(served.hub) == count


async def test_a_house_that_stops_says_so(served: Served) -> None:
    async with viewer(served) as one:
        await one.hear("time")
        served.hub.stop()
        assert await one.closed() == 1012


async def test_the_gateway_answers_machines_too(house: House, store: StateStore) -> None:
    async with gateway(house, store) as served, httpx.AsyncClient(base_url=f"http://{served.host}") as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        assert (await http.get("/readyz")).status_code == 200
        assert "sothebais_live_connections" in (await http.get("/metrics")).text
        assert (await http.get("/api/v1/auctions")).status_code == 404
        served.hub.stop()
        assert (await http.get("/readyz")).status_code == 503
