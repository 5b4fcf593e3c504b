"""The fixtures of this folder keep what they promise."""

import httpx
import pytest
import sqlalchemy as sa
from tests.fakes.house import a_user, an_open_lot, bid, signed_in

from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.state.store import StateStore


async def test_a_house_takes_bids_on_an_open_lot(house: House, engine: AuctionEngine) -> None:
    lot, ana = await an_open_lot(house, engine), await a_user(house, "ana")
    assert (await bid(engine, lot, ana, "1.5")).accepted


async def test_its_api_takes_bids_too(house: House, engine: AuctionEngine, client: httpx.AsyncClient) -> None:
    lot = await an_open_lot(house, engine)
    _, headers = await signed_in(client, "bo")
    answer = await client.post(f"/api/v1/auctions/{lot}/bids", json={"amount": "2", "currency": "ETH"}, headers=headers)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_has_a_database_and_a_redis_of_its_own(house: House, store: StateStore, turn: int) -> None:
    await a_user(house, "ana")
    async with house.engine.connect() as connection:
        assert (await connection.execute(sa.text("select count(*) from users"))).scalar_one() == 1
    assert await store.keys("*") == []
    await store.apply([], [], ("left:behind", b"by turn %d" % turn))


async def test_another_machine_is_refused_and_remembered(only_loopback: list[str]) -> None:
    async with httpx.AsyncClient() as client:
        for address in ("http://192.0.2.1/", "http://example.com/"):
            with pytest.raises(httpx.ConnectError):
                await client.get(address)
    assert only_loopback == ["192.0.2.1:80", "example.com"]
    only_loopback.clear()  # what is left here fails the test
