"""The live feed on both transports: snapshots, then events in order and without gaps, whatever happens in between."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import websockets
from tests.fakes.house import (
    a_lot,
    a_user,
    advance,
    an_open_lot,
    bid,
    eventually,
    running,
    signed_in,
    step,
)
from tests.fakes.live import Served, application, gateway, told, viewer

from sothebais.api.live import hub as hubs
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.config import Settings
from sothebais.events import log
from sothebais.state.store import StateStore


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A commit may take its time on a busy machine; nothing here is about that."""
    return settings.model_copy(update={"commit_timeout_s": 20.0})


@pytest.fixture(params=["gateway", "application"])
async def served(
    request: pytest.FixtureRequest,
    house: House,
    store: StateStore,
    engine: AuctionEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Served]:
    monkeypatch.setattr(hubs, "SESSIONS_LOOK_S", 0.1)
    serving = gateway(house, store) if request.param == "gateway" else application(house, store, engine)
    async with serving as made:
        yield made


async def bids_on(engine: AuctionEngine, lot: Any, users: list[Any], count: int, start: float = 1.0) -> None:
    for index in range(count):
        await bid(engine, lot, users[index % len(users)], f"{start + index * 0.1:.1f}")


async def test_a_snapshot_is_what_the_api_says_and_every_event_behind_it_follows(
    served: Served, house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot, ana = await an_open_lot(house, engine), await a_user(house)
    await bid(engine, lot, ana, "1")
    async with viewer(served) as one:
        assert (await one.hear("time"))["server"] > 0
        await one.subscribe(f"auction:{lot}")
        snapshot = await one.hear("snapshot")
        asked = (await client.get(f"/api/v1/auctions/{lot}")).json()
        assert snapshot["topic"] == f"auction:{lot}"
        assert snapshot["data"] | {"server_time": None} == asked | {"server_time": None}
        await bid(engine, lot, await a_user(house), "2")
        event = await one.hear("event")
        assert event["event"]["n"] == snapshot["data"]["n"] + 1
        assert event["event"]["data"]["price"] == "2"
        assert event["position"] == event["event"]["position"] > snapshot["position"]
        await one.say("ping")
        await one.hear("pong")
        await one.say("unsubscribe", topics=[f"auction:{lot}"])
        await one.say("ping")
        await one.hear("pong")
        await bid(engine, lot, ana, "3")
        with pytest.raises(TimeoutError):
            await one.hear("event", patience_s=0.4)


async def test_whoever_comes_back_again_and_again_while_people_bid_sees_each_event_once_and_in_order(
    served: Served, house: House, engine: AuctionEngine
) -> None:
    lot = await an_open_lot(house, engine)
    users = [await a_user(house) for _ in range(4)]
    rng = random.Random(7)
    seen: list[int] = []
    last = 0  # known when everybody has bid

    async def follow() -> None:
        since: str | None = None
        while not last or seen[-1] < last:
            async with viewer(served) as one:
                await one.subscribe(f"auction:{lot}", since=since)
                if since is None:
                    snapshot = await one.hear("snapshot")
                    since = snapshot["position"]
                    seen.append(snapshot["data"]["n"])
                with contextlib.suppress(TimeoutError):
                    for _ in range(rng.randrange(1, 12)):
                        event = await one.hear("event", patience_s=0.3)
                        since = event["position"]
                        seen.append(event["event"]["n"])

    async def one_bids(user: Any, index: int) -> None:
        for turn in range(20):
            await bid(engine, lot, user, f"{1 + turn * 0.5 + index * 0.1:.1f}")
            await asyncio.sleep(rng.random() * 0.01)

    async with asyncio.timeout(60):
        following = asyncio.create_task(follow())
        await eventually(lambda: _true(bool(seen)), "the first snapshot")
        await asyncio.gather(*(one_bids(user, index) for index, user in enumerate(users)))
        async with house.engine.connect() as connection:
            found = await connection.execute(sa.text("select log_n from auctions where id = :id"), {"id": lot})
            last = found.scalar_one()
        await following
    assert seen == list(range(seen[0], last + 1))


async def _true(value: bool) -> bool:
    return value


async def test_a_place_in_the_log_that_memory_no_longer_has_is_read_from_the_log_or_begun_anew(
    house: House, store: StateStore, engine: AuctionEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lot, users = await an_open_lot(house, engine), [await a_user(house), await a_user(house)]
    monkeypatch.setattr(hubs, "KEPT_EVENTS_MAX", 5)
    monkeypatch.setattr(hubs, "WARM_EVENTS", 0)
    await bids_on(engine, lot, users, 30)
    topic = f"auction:{lot}"
    async with gateway(house, store) as served, viewer(served) as one:
        await one.subscribe(topic, since="0.0.0")
        assert [event["n"] for event in await one.events(32)] == list(range(1, 33))
        monkeypatch.setattr(hubs, "RESUME_EVENTS_MAX", 10)
        await one.subscribe(topic, since="0.0.0")
        assert (await one.hear("resync"))["topic"] == topic
        assert (await one.hear("snapshot", "event"))["data"]["n"] == 32
        # a place this log never had
        monkeypatch.setattr(hubs, "AHEAD_WAIT_S", 0.2)
        await one.subscribe(topic, since="900.1.1")
        await one.hear("resync")
        await one.hear("snapshot")
        await bid(engine, lot, users[0], "20")
        assert (await one.events(1))[0]["n"] == 33


async def test_schedule_stream_agent_and_me_have_snapshots_and_only_the_own_notifications_are_told(
    served: Served, house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    ana, credentials = await signed_in(client, "ana")
    ben = await a_user(house, "ben")
    planned = await a_lot(house, opens_in=0)
    token = credentials["authorization"].removeprefix("Bearer ")
    async with viewer(served) as one:
        await one.subscribe("schedule", "stream", "agent")
        snapshots = {}
        for _ in range(3):
            told_ = await one.hear("snapshot")
            snapshots[told_["topic"]] = told_["data"]
        assert [lot["id"] for lot in snapshots["schedule"]["lots"]] == [str(planned)]
        assert snapshots["stream"]["stream"] is None
        await advance(engine, planned)
        start = await one.hear("event")
        assert (start["topic"], start["event"]["type"]) == ("schedule", "auction:start")
        await one.subscribe("me")
        assert (await one.hear("error"))["code"] == "UNAUTHENTICATED"
        await one.say("hello", token="wrong")
        assert (await one.hear("error"))["code"] == "UNAUTHENTICATED"
        await one.say("hello", token=token)
        await one.subscribe("me")  # waits until it is known who this is
        assert (await one.hear("hello"))["user"] == {"id": str(ana), "handle": "ana"}
        assert (await one.hear("snapshot"))["data"] == {"user": {"id": str(ana), "handle": "ana"}, "unread": 0}
        async with house.engine.begin() as connection:
            await log.append(connection, [notified(house, ben), notified(house, ana)])
        event = await one.hear("event")
        assert event["topic"] == "me"
        assert event["event"]["data"]["user"] == str(ana)
        await one.say("ping")
        await one.hear("pong")
        assert [message["topic"] for message in one.heard if message["op"] == "event"] == ["schedule", "me"]


def notified(house: House, user: Any) -> log.Record:
    data = {"user": str(user), "notification": str(user), "kind": "OUTBID", "channel": "IN_APP", "status": "SENT"}
    return log.event("user:notified", f"user:{user}", data | {"reason": None}, at=house.now())


async def test_a_cookie_counts_only_from_our_own_pages_and_other_sites_are_refused(
    served: Served, house: House, client: httpx.AsyncClient
) -> None:
    ana, credentials = await signed_in(client, "ana")
    cookie = {"cookie": f"sothebais_session={credentials['authorization'].removeprefix('Bearer ')}"}
    async with viewer(served, headers=cookie, origin=f"http://{served.host}") as one:
        assert (await one.hear("hello"))["user"]["id"] == str(ana)
    async with viewer(served, headers=cookie, origin=f"http://127.0.0.1:{house.settings.port}") as one:
        assert (await one.hear("hello"))["user"]["id"] == str(ana)
    async with viewer(served, headers=cookie) as one:  # no browser: a program has its token
        await one.subscribe("me")
        assert (await one.hear("error", "hello"))["code"] == "UNAUTHENTICATED"
    for origin in ("https://elsewhere.example", "null", "http://127.0.0.1:1", f"https://x.{served.host}"):
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with viewer(served, headers=cookie, origin=origin):
                pass
        assert refused.value.response.status_code == 403
    async with viewer(served, headers={"cookie": "sothebais_session=stale"}, origin=f"http://{served.host}") as one:
        await one.say("ping")
        await one.hear("pong")


async def test_signing_out_ends_the_connections_of_that_session_only(
    served: Served, house: House, client: httpx.AsyncClient
) -> None:
    _, credentials = await signed_in(client, "ana")
    async with viewer(served) as one, viewer(served) as other:
        await one.say("hello", token=credentials["authorization"].removeprefix("Bearer "))
        await one.hear("hello")
        async with house.engine.begin() as connection:
            await connection.execute(sa.text("update sessions set revoked_at = now()"))
        assert await one.closed(15) == 4401
        await other.say("ping")
        await other.hear("pong")


async def test_what_is_no_message_or_no_topic_is_explained_and_nothing_else_happens(
    served: Served, house: House
) -> None:
    async with viewer(served) as one:
        for text, says in (
            ("{", "not a message"),
            ('{"op":"dance"}', "not a message"),
            ('{"op":"ping","more":1}', "not a message"),
            ('{"op":"subscribe","topics":[]}', "needs 'topics'"),
            ('{"op":"subscribe","topics":["everything"]}', "is not a topic"),
            ('{"op":"subscribe","topics":["stream"],"since":"now"}', "since"),
            ('{"op":"ping","topics":["stream"]}', "takes no 'topics'"),
            ('{"op":"hello"}', "token"),
        ):
            await one.connection.send(text)
            error = await one.hear("error")
            assert error["code"] == "INVALID_INPUT"
            assert says in error["detail"]
        await one.subscribe("auction:019d3c5e-0000-7000-8000-000000000000")
        error = await one.hear("error")
        assert (error["code"], error["topic"][:8]) == ("NOT_FOUND", "auction:")
        assert not [message for message in one.heard if message["op"] == "snapshot"]
    async with viewer(served) as one:
        await one.connection.send(b"\x00binary")
        assert await one.closed() == 1003
    await eventually(lambda: _true(len(served.hub) == 0), "everybody is forgotten")


async def test_redis_may_come_and_go_and_forget_everything_without_a_gap(
    served: Served, house: House, engine: AuctionEngine, store: StateStore
) -> None:
    lot, users = await an_open_lot(house, engine), [await a_user(house), await a_user(house)]
    relay = house.relay(store)
    async with running(relay.run()), viewer(served) as one:
        await one.subscribe(f"auction:{lot}")
        begun = (await one.hear("snapshot"))["data"]["n"]
        for turn in range(6):
            await bids_on(engine, lot, users, 4, start=1 + turn)
            if turn == 1:
                await store._redis.flushdb()
            if turn == 3:  # every connection to Redis is cut: what is published now nobody hears
                await store._redis.execute_command("client", "kill", "type", "pubsub", "skipme", "yes")
        numbers = [event["n"] for event in await one.events(24)]
        assert numbers == list(range(begun + 1, begun + 25))


async def test_the_operators_steps_come_in_the_lots_order_too(
    served: Served, house: House, engine: AuctionEngine
) -> None:
    lot, ana = await an_open_lot(house, engine), await a_user(house)
    async with viewer(served) as one:
        await one.subscribe(f"auction:{lot}", "schedule")
        for _ in range(2):
            await one.hear("snapshot")
        await bid(engine, lot, ana, "1")
        await step(engine, lot, "PAUSE", actor=ana)
        await step(engine, lot, "RESUME", actor=ana)
        got = [await one.hear("event") for _ in range(5)]
        assert told(got, f"auction:{lot}") == [3, 4, 5]
        assert [message["event"]["type"] for message in got if message["topic"] == "schedule"] == [
            "auction:paused",
            "auction:resumed",
        ]


async def test_a_hub_that_nobody_follows_stops_reading_and_begins_again_for_the_next(
    house: House, store: StateStore, engine: AuctionEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lot, ana = await an_open_lot(house, engine), await a_user(house)
    async with gateway(house, store) as served:
        served.hub._idle_s = 0.05
        for price in ("1", "2"):
            async with viewer(served) as one:
                await one.subscribe(f"auction:{lot}")
                known = (await one.hear("snapshot"))["data"]["n"]
                await bid(engine, lot, ana if price == "1" else await a_user(house), price)
                assert (await one.events(1))[0]["n"] == known + 1
            await eventually(lambda: _true(served.hub.history is None), "the hub reads no more")


async def test_a_lot_ahead_of_the_tail_is_not_told_twice(
    served: Served, house: House, engine: AuctionEngine, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "SNAPSHOT_KEPT_S", 0.0)
    lot, users = await an_open_lot(house, engine), [await a_user(house), await a_user(house)]
    async with viewer(served) as one, viewer(served) as other:
        await other.subscribe(f"auction:{lot}")
        await other.hear("snapshot")
        async with connection.transaction():  # while a write goes on anywhere, no reader may read behind it
            await connection.execute("select pg_current_xact_id()")
            await bids_on(engine, lot, users, 3)
            await one.subscribe(f"auction:{lot}")
            snapshot = await one.hear("snapshot")
            assert snapshot["data"]["n"] == 5
            assert snapshot["position"] < snapshot["data"]["position"]
        assert [event["n"] for event in await other.events(3)] == [3, 4, 5]
        await bid(engine, lot, users[1], "9")
        assert [event["n"] for event in await one.events(1)] == [6]
        assert [event["n"] for event in await other.events(1)] == [6]
