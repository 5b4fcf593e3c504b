"""The log over HTTP: pages, the stream, what staff write, and the addresses pages need."""

import asyncio
import json
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from tests.fakes.house import a_lot, a_user, an_open_lot, bid, eventually, signed_in, whole_log
from tests.fakes.live import application

from sothebais import ids
from sothebais.api.live import reader
from sothebais.api.models.events import DeadLetterPage, EventEnvelope, EventPage, HouseConfig
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.events import log
from sothebais.state.store import StateStore
from sothebais.users.tables import Role


async def staff(house: House, client: httpx.AsyncClient, handle: str = "olga") -> dict[str, str]:
    await a_user(house, handle, role=Role.OPERATOR)
    return (await signed_in(client, handle))[1]


def action(house: House, user: UUID) -> log.Record:
    data = {"actor": str(user), "role": "VIEWER", "action": "a.b", "target": None, "reason": None, "changed": []}
    return log.event("user:action", f"user:{user}", data, at=house.now())


async def all_pages(client: httpx.AsyncClient, headers: dict[str, str] | None = None, **query: Any) -> list[Any]:
    items: list[Any] = []
    while True:
        answer = await client.get("/api/v1/events", params=query, headers=headers or {})
        page = EventPage.model_validate(answer.json())
        items += answer.json()["items"]
        if page.next is None:
            return items
        query["after"] = page.next


async def test_everybody_reads_what_is_public_and_the_own_and_staff_read_all(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, credentials = await signed_in(client, "ana")
    ben = await a_user(house, "ben")
    lot = await an_open_lot(house, engine)
    await a_lot(house, number=2)
    for price in ("1", "1.1", "1.2"):
        await bid(engine, lot, ana, price)
    async with house.engine.begin() as connection:
        await log.append(connection, [action(house, ana), action(house, ben)])
    everything = [str(event.id) for event in await whole_log(house.database_url)]
    found = await all_pages(client, limit=2)
    assert [event["type"] for event in found] == ["auction:start", *["auction:bid:accepted"] * 3]
    own = await all_pages(client, credentials)
    assert {event["subject"] for event in own if event["type"] == "user:action"} == {f"user:{ana}"}
    assert [event["id"] for event in await all_pages(client, await staff(house, client), limit=3)] == everything
    of_lot = await all_pages(client, subject=f"auction:{lot}", limit=2)
    assert [event["n"] for event in of_lot] == [1, 2, 3, 4, 5]
    assert len(await all_pages(client, type="auction:bid:accepted", limit=1)) == 3
    assert await all_pages(client, after=found[-1]["position"]) == []
    for query in ({"type": "auction:unknown"}, {"after": "x"}, {"limit": 0}, {"limit": 501}, {"subject": "nobody"}):
        assert (await client.get("/api/v1/events", params=query)).status_code == 422


async def test_a_stream_goes_on_behind_the_last_id_and_leaves_out_what_is_not_public(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    lot, ana = await an_open_lot(house, engine), await a_user(house)
    async with (
        application(house, store, engine) as served,
        httpx.AsyncClient(base_url=f"http://{served.host}", timeout=20) as http,
    ):
        await bid(engine, lot, ana, "1")
        first = (await http.get("/api/v1/events", params={"type": "auction:start"})).json()["items"][0]
        heard: list[tuple[str, dict[str, Any]]] = []

        async def listen(headers: dict[str, str], **query: str) -> None:
            url = "/api/v1/events/stream"
            async with http.stream("GET", url, headers=headers, params=query) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                place = ""
                async for line in answer.aiter_lines():
                    if line.startswith("id: "):
                        place = line.removeprefix("id: ")
                    if line.startswith("data: "):
                        heard.append((place, json.loads(line.removeprefix("data: "))))

        listening = asyncio.create_task(listen({"last-event-id": first["position"]}))
        await eventually(lambda: _count(heard, 1), "what was missed")
        async with house.engine.begin() as connection:
            await log.append(connection, [action(house, ana)])
        await bid(engine, lot, ana, "2")
        await bid(engine, lot, await a_user(house), "3")
        await eventually(lambda: _count(heard, 3), "what is new")
        assert [event["n"] for _, event in heard] == [3, 4, 5]
        assert all(place == event["position"] for place, event in heard)
        listening.cancel()
        heard.clear()
        filtered = asyncio.create_task(listen({}, type="auction:start", after="0.0.0"))
        await eventually(lambda: _count(heard, 1), "the type asked for")
        filtered.cancel()
        assert heard[0][1]["type"] == "auction:start"
        live = served.hub._parts
        await eventually(lambda: _none_open(live), "both streams are over")
        live.event_streams = house.settings.event_streams_max
        assert (await http.get("/api/v1/events/stream")).status_code == 503
        live.event_streams = 0
        assert (await http.get("/api/v1/events/stream", headers={"last-event-id": "x"})).status_code == 422


async def _count(heard: list[Any], count: int) -> bool:
    return len(heard) >= count


async def _none_open(parts: Any) -> bool:
    return bool(parts.event_streams == 0)


async def test_a_stream_says_that_it_is_alive(house: House, store: StateStore) -> None:
    async def allowed() -> bool:
        return True

    async with application(house, store) as served:
        stream = reader.stream(served.hub, reader.Filter(), None, heartbeat_s=0.05, still_allowed=allowed)
        assert b"retry" in await anext(stream)
        assert await anext(stream) == b": still here\nid: %b\n\n" % str(served.hub.history.position).encode()  # type: ignore[union-attr]
        await stream.aclose()  # type: ignore[attr-defined]


async def test_staff_write_events_of_the_show_and_the_deed_is_in_the_log(
    house: House, client: httpx.AsyncClient
) -> None:
    headers = await staff(house, client)
    data = {"component": "encoder", "status": "DOWN", "previous_status": "OK", "message": "No picture."}
    body = {"type": "system:health", "subject": "system:encoder", "data": data, "reason": "Seen on screen."}
    answer = await client.post("/api/v1/events", json=body, headers=headers)
    assert answer.status_code == 201
    EventEnvelope.model_validate(answer.json())
    written, deed = (await whole_log(house.database_url))[-2:]
    assert answer.json() == json.loads(written.message())
    assert written.decoded() == data
    assert deed.type == "user:action"
    assert (deed.decoded()["action"], deed.decoded()["reason"]) == ("event.write", "Seen on screen.")
    before = len(await whole_log(house.database_url))
    for wrong in (
        {"type": "auction:start"},
        {"type": "user:action"},
        {"type": "system:metric"},
        {"type": "nothing"},
        {"subject": "stream:x"},
        {"data": {}},
        {"data": data | {"more": 1}},
        {"reason": " "},
    ):
        assert (await client.post("/api/v1/events", json=body | wrong, headers=headers)).status_code == 422
    assert (await client.post("/api/v1/events", json=body)).status_code == 401
    _, bidder = await signed_in(client, "ana")
    assert (await client.post("/api/v1/events", json=body, headers=bidder)).status_code == 403
    assert len(await whole_log(house.database_url)) == before


async def test_staff_have_dead_letters_tried_again(house: House, client: httpx.AsyncClient) -> None:
    headers = await staff(house, client)
    ana = await a_user(house)
    letter = ids.new_id()
    async with house.engine.begin() as connection:
        event = action(house, ana)
        await log.append(connection, [event])
        await connection.execute(
            sa.text(
                "insert into dead_letters (id, consumer, event_id, error, attempts) values (:id, 'mail', :event, 'x', 5)"
            ),
            {"id": letter, "event": event.id},
        )
    url = "/api/v1/events/dead-letters"
    page = (await client.get(url, headers=headers)).json()
    assert [item.id for item in DeadLetterPage.model_validate(page).items] == [str(letter)]
    assert (await client.get(url, headers=headers, params={"consumer": "other"})).json()["items"] == []
    assert (await client.get(url)).status_code == 401
    others = [ids.new_id() for _ in range(2)]
    async with house.engine.begin() as connection:
        await connection.execute(
            sa.text(
                "insert into dead_letters (id, consumer, event_id, error, attempts) values (:id, :consumer, :event, 'x', 5)"
            ),
            [{"id": other, "consumer": f"push-{other}", "event": event.id} for other in others],
        )
    first = (await client.get(url, headers=headers, params={"limit": 2})).json()
    second = (await client.get(url, headers=headers, params={"limit": 2, "after": first["next"]})).json()
    assert [item["id"] for item in first["items"] + second["items"]] == [str(one) for one in (letter, *others)]
    assert second["next"] is None
    for query in ({"limit": 0}, {"limit": 201}, {"after": "x"}):
        assert (await client.get(url, headers=headers, params=query)).status_code == 422
    async with house.engine.begin() as connection:
        await connection.execute(sa.text("delete from dead_letters where consumer like 'push-%'"))
    answer = await client.post(f"{url}/{letter}/replay", headers=headers, json={"reason": "mail is back"})
    assert answer.status_code == 202
    assert (await client.get(url, headers=headers)).json()["items"] == []
    assert (await client.post(f"{url}/{letter}/replay", headers=headers)).status_code == 404
    assert (await client.post(f"{url}/nothing/replay", headers=headers)).status_code == 422
    deed = (await whole_log(house.database_url))[-1].decoded()
    assert (deed["action"], deed["reason"]) == ("dead_letter.replay", "mail is back")


async def test_pages_learn_where_everything_is(house: House, client: httpx.AsyncClient) -> None:
    told = (await client.get("/api/v1/config")).json()
    HouseConfig.model_validate(told)
    assert told["api_url"] == "http://house.test/api/v1"
    assert told["live_url"] == "ws://house.test:8020/api/v1/live"
    assert told["live_fallback_url"] == "ws://house.test/api/v1/live"
    assert told["stream_url"] == "http://house.test:8030/api/v1/stream"
    assert told["sandbox"] is True
    assert told["house_key"] == house.key().public.hex()


async def test_a_role_without_a_live_feed_says_so(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/events/stream")
    assert answer.status_code == 503
    assert answer.json()["code"] == "UNAVAILABLE"
