"""What a person is told of their own bids: all of them, nobody else's, and no maximum that still stands."""

from typing import Any
from uuid import UUID, uuid4

import httpx
from tests.fakes.house import a_user, advance, advanced_until, an_open_lot, bid, signed_in, step

from sothebais.auctions import receipts
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.users.tables import Role

API = "/api/v1"
MINE = f"{API}/me/bids"
SECRET = "7.77"


async def place(client: httpx.AsyncClient, lot: UUID, headers: dict[str, str], **figures: str) -> dict[str, Any]:
    answer = await client.post(f"{API}/auctions/{lot}/bids", json={"currency": "ETH"} | figures, headers=headers)
    body: dict[str, Any] = answer.json()
    return body


async def mine(client: httpx.AsyncClient, headers: dict[str, str], **query: Any) -> list[dict[str, Any]]:
    answer = await client.get(MINE, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def ended(house: House, engine: AuctionEngine, lot: UUID) -> None:
    await step(engine, lot, "END", actor=await a_user(house, role=Role.ADMIN))
    await advance(engine, lot)
    await advanced_until(house, engine, lot, "ENDED")


async def test_every_bid_of_ones_own_is_told_with_how_its_lot_stands(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot = await an_open_lot(house, engine, title="Moth")
    _, ana = await signed_in(client, "ana")
    _, bo = await signed_in(client, "bo")
    await place(client, lot, ana, amount="0.1")
    [refused] = await mine(client, ana)
    assert (refused["status"], refused["reason"], refused["standing"]) == ("REJECTED", "BELOW_MINIMUM", None)
    await place(client, lot, ana, amount="1", max_amount=SECRET)
    await place(client, lot, bo, amount="2")  # the house raises for Ana; that raise is no bid she made
    told = await mine(client, ana)
    assert [(one["amount"], one["status"], one["standing"]) for one in told] == [
        ("1", "ACCEPTED", "LEADING"),
        ("0.1", "REJECTED", "LEADING"),
    ]
    assert (told[0]["title"], told[0]["lot_number"], told[0]["price"], told[0]["source"]) == ("Moth", 1, "2.1", "API")
    [others] = await mine(client, bo)
    assert (others["amount"], others["standing"]) == ("2", "OUTBID")
    await ended(house, engine, lot)
    assert [one["standing"] for one in await mine(client, ana)] == ["WON", "WON"]
    assert [one["standing"] for one in await mine(client, bo)] == ["LOST"]
    sealed = await an_open_lot(house, engine, format="SEALED_FIRST_PRICE")
    await place(client, sealed, ana, amount="3")
    [newest, *_] = await mine(client, ana)
    assert (newest["auction_id"], newest["standing"], newest["price"]) == (str(sealed), "SEALED", None)
    assert [one["auction_id"] for one in await mine(client, ana, auction=lot)] == [str(lot)] * 2
    unsold = await an_open_lot(house, engine)
    await place(client, unsold, bo, amount="1")
    await step(engine, unsold, "CANCEL", actor=await a_user(house, role=Role.ADMIN))
    assert (await mine(client, bo))[0]["standing"] == "UNSOLD"


async def test_a_receipt_is_told_again_once_its_maximum_no_longer_stands(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot = await an_open_lot(house, engine)
    user, ana = await signed_in(client, "ana")
    _, bo = await signed_in(client, "bo")
    first = await place(client, lot, ana, amount="1", max_amount=SECRET)
    await place(client, lot, ana, amount="0.1")
    address = f"{MINE}/{first['bid']['id']}"
    running = await client.get(address, headers=ana)
    assert running.json()["receipt"] is None
    assert SECRET not in running.text + (await client.get(MINE, headers=ana)).text
    await ended(house, engine, lot)
    again = (await client.get(address, headers=ana)).json()
    assert again["receipt"] == first["receipt"]
    receipts.check_signature(again["receipt"], house.key().public, what="receipt")
    [refused] = [one for one in await mine(client, ana) if one["status"] == "REJECTED"]
    assert (await client.get(f"{MINE}/{refused['id']}", headers=ana)).json()["receipt"] is None
    # nobody else's, and none that is not there
    for who, where in ((bo, address), (ana, f"{MINE}/{uuid4()}"), (ana, f"{MINE}/x")):
        assert (await client.get(where, headers=who)).status_code == 404
    # an API key bids; it reads no receipts
    await a_user(house, "ada", role=Role.ADMIN)
    _, admin = await signed_in(client, "ada")
    wanted = {"name": "bot", "scopes": ["read"], "user_id": str(user)}
    made = await client.post(f"{API}/admin/api-keys", json=wanted, headers=admin)
    by_key = {"authorization": f"Bearer {made.json()['token']}"}
    assert (await client.get(MINE, headers=by_key)).status_code == 200
    assert (await client.get(address, headers=by_key)).status_code == 403


async def test_bids_are_told_a_page_at_a_time(house: House, engine: AuctionEngine, client: httpx.AsyncClient) -> None:
    lot = await an_open_lot(house, engine)
    user, ana = await signed_in(client, "ana")
    other = await a_user(house)
    for amount in range(1, 6):
        await bid(engine, lot, other, str(2 * amount))
        await bid(engine, lot, user, str(2 * amount + 1))
    seen, after = [], None
    while True:
        query = {"limit": 2} | ({"after": after} if after else {})
        page = (await client.get(MINE, params=query, headers=ana)).json()
        assert len(page["items"]) <= 2
        seen += [one["amount"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == ["11", "9", "7", "5", "3"]
    assert (await client.get(MINE, params={"limit": 200}, headers=ana)).status_code == 200
    for query in ({"limit": 0}, {"limit": 201}, {"after": "x"}, {"auction": "x"}):
        assert (await client.get(MINE, params=query, headers=ana)).status_code == 422
    assert (await client.get(MINE)).status_code == 401
