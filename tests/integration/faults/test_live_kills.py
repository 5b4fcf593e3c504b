"""A live gateway's process is killed while people bid: its viewers go on at another one without a gap."""

import asyncio
import contextlib
import os
import signal

import pytest
import websockets
from tests.fakes.house import a_user, an_open_lot, bid, eventually
from tests.fakes.live import viewer
from tests.integration.faults.load import free_port

from sothebais import roles
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.errors import OutcomeUnknown
from sothebais.supervisor import Role, Supervisor

pytestmark = pytest.mark.fault


async def test_whoever_followed_a_gateway_that_is_killed_resumes_at_another(
    house: House, engine: AuctionEngine
) -> None:
    ports = [free_port(), free_port()]
    environment = {
        "DATABASE_URL": house.database_url,
        "REDIS_URL": house.redis_url,
        "SOTHEBAIS_DATA_DIR": str(house.settings.data_dir),
    }
    gateways = [
        Role(f"{roles.LIVE_GATEWAY}-{port}", ["run", roles.LIVE_GATEWAY, "--port", str(port)], environment)
        for port in ports
    ]
    urls = [f"ws://127.0.0.1:{port}/api/v1/live" for port in ports]
    lot, users = await an_open_lot(house, engine), [await a_user(house), await a_user(house)]
    seen: list[int] = []
    over = asyncio.Event()

    async def go_on_bidding() -> int:
        turn = 0
        while not over.is_set():
            with contextlib.suppress(OutcomeUnknown):  # a machine that stands still; it is in the log or it is not
                await bid(engine, lot, users[turn % 2], f"{1 + turn * 0.1:.1f}")
            turn += 1
            await asyncio.sleep(0.01)
        return turn

    async def serves(url: str) -> bool:
        try:
            async with viewer(url) as one:
                await one.hear("time")
        except (OSError, websockets.InvalidHandshake, websockets.ConnectionClosed):
            return False
        return True

    async with Supervisor(gateways, quiet=True) as supervisor:
        for url in urls:
            await eventually(lambda url=url: serves(url), "the gateway serves")  # type: ignore[misc]
        bidding = asyncio.create_task(go_on_bidding())
        since: str | None = None
        async with viewer(urls[0]) as one:
            await one.subscribe(f"auction:{lot}")
            since = (await one.hear("snapshot"))["position"]
            for _ in range(5):
                since = (event := await one.hear("event"))["position"]
                seen.append(event["event"]["n"])
            os.kill(supervisor.pids[gateways[0].name], signal.SIGKILL)
            with contextlib.suppress(websockets.ConnectionClosed):  # what was sent before still arrives
                while True:
                    since = (event := await one.hear("event"))["position"]
                    seen.append(event["event"]["n"])
        async with viewer(urls[1]) as one:
            await one.subscribe(f"auction:{lot}", since=since)
            seen += [event["n"] for event in await one.events(20)]
        await eventually(lambda: serves(urls[0]), "the killed gateway is started again")
        over.set()
        await bidding
    assert seen == list(range(seen[0], seen[0] + len(seen)))
    assert supervisor.restarts[gateways[0].name] == 1
    assert supervisor.restarts[gateways[1].name] == 0
