"""The agent-service with its mind and memory: what it writes of itself, and whom it forgets."""

import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as replace_fields
from tests.fakes.house import a_user, an_open_lot, bid, eventually, running, signed_in, whole_log
from tests.fakes.sign_ins import API

from sothebais.agent import characters, session
from sothebais.agent.character import Picture
from sothebais.agent.memory.recollection import CONSUMER
from sothebais.agent.sable import SABLE
from sothebais.agent.scripted.host import ScriptedHost
from sothebais.agent.voice.fallback import VoiceChain
from sothebais.agent.words import Writer
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.config import Settings
from sothebais.events.actions import Actor
from sothebais.state import keys, models
from sothebais.state.store import StateStore


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"agent_voice": "none"})


@pytest.fixture
async def host(house: House, store: StateStore) -> AsyncIterator[session.HostSession]:
    parts = replace(
        house.agent_parts(store),
        voice=VoiceChain(house.clock, []),
        writer=Writer(house.clock, ScriptedHost(random.Random(3))),
    )
    made = session.HostSession(parts)
    async with running(made.run()):
        await eventually(lambda: _true(made.active and made.character is not None), "the host is on duty")
        yield made


async def _true(value: bool) -> bool:
    return value


async def state_of[S: models.State](store: StateStore, key: str, model: type[S]) -> S | None:
    value = await store.get(key)
    return None if value is None else model.model_validate_json(value)


async def test_what_people_say_is_in_mind_and_in_their_memory_until_they_are_forgotten(
    house: House, engine: AuctionEngine, store: StateStore, client: Any, host: session.HostSession, connection: Any
) -> None:
    assert host.character is not None
    agent = host.character.id
    lot = await an_open_lot(house, engine, title="Harbour at Dusk")
    ana, headers = await signed_in(client, "ana")
    client.cookies.clear()
    bob, of_bob = await signed_in(client, "bob")
    client.cookies.clear()

    async def on_block() -> bool:
        return host.watch.lot == lot

    await eventually(on_block, "the lot is on the block")
    said = {"ana": "Sable, I am fond of lighthouses, who is the artist?", "bob": "Sable, what a beautiful piece!"}
    lines = {}
    for name, who in (("ana", headers), ("bob", of_bob)):
        answer = await client.post(f"{API}/auctions/{lot}/chat", json={"text": said[name]}, headers=who)
        assert answer.status_code == 201, answer.text
        lines[name] = answer.json()["id"]

    async def context() -> models.AgentContextState | None:
        found = await state_of(store, keys.agent_context(agent), models.AgentContextState)
        viewers = [] if found is None else [one for one in found.conversation if one.speaker == "VIEWER"]
        return found if len(viewers) == 2 and any(one.speaker == "HOST" for one in found.conversation) else None

    found = await eventually(context, "both lines and an answer are in mind")
    assert found.auction is not None
    assert (found.auction.title, found.auction.status) == ("Harbour at Dusk", "ACTIVE")
    assert found.topic == "the artist"
    assert found.sentiment > 0

    async def remembered() -> list[Any]:
        return await connection.fetch("select user_id, event_id from memories where kind = 'SHORT_TERM'")

    rows = await eventually(remembered, "the line is remembered")
    assert {row["user_id"] for row in rows} <= {ana, bob}
    logged = {event.id: event for event in await whole_log(house.database_url)}
    assert all(logged[row["event_id"]].type == "chat:message" for row in rows)
    mood = await state_of(store, keys.agent_mood(agent), models.AgentMoodState)
    scene = await state_of(store, keys.agent_scene(agent), models.AgentSceneState)
    assert mood is not None
    assert scene is not None
    assert scene.expression == mood.mood.lower()
    # each mood is told with the event that moved it
    moods = [event for event in logged.values() if event.type == "agent:mood" and event.causation_id is not None]
    assert moods
    assert {logged[event.causation_id].type for event in moods} <= {"auction:start", "auction:bid:accepted"}  # type: ignore[index]
    assert (await client.delete(f"{API}/me", headers=headers)).status_code == 204

    async def forgotten() -> bool:
        now = await state_of(store, keys.agent_context(agent), models.AgentContextState)
        return now is not None and all(one.user != ana for one in now.conversation)

    await eventually(forgotten, "who was erased is out of mind")
    assert "lighthouses" not in (await store.get(keys.agent_context(agent)) or b"").decode()
    assert not await connection.fetchval("select count(*) from memories where user_id = $1", ana)
    assert "lighthouses" not in json.dumps([event.data for event in await whole_log(house.database_url)])


async def test_the_consumer_remembers_a_session_when_it_is_over(
    house: House, engine: AuctionEngine, connection: Any
) -> None:
    from sothebais import ids
    from sothebais.events import log

    ana = await a_user(house, "ana")
    lot = await an_open_lot(house, engine, title="Harbour at Dusk", buy_now="5")
    assert (await bid(engine, lot, ana, "5")).accepted
    data = {
        "day": str(ids.new_id()), "number": 1, "date": "2027-03-01", "stage": "COMPLETED", "version": 9, "lots": [str(lot)],
        "completed": 1,
    }  # fmt: skip
    end = log.event("session:end", f"campaign:{ids.new_id()}", data, at=house.now())
    async with house.engine.begin() as transaction:
        await log.append(transaction, [end])
    (work,) = house.memory_work()

    async def kept() -> bool:
        return bool(await connection.fetchval("select count(*) from memories where user_id = $1", ana))

    async with running(work()):
        await eventually(kept, "the session is remembered")
    assert await connection.fetchval("select count(*) from event_cursors where consumer = $1", CONSUMER) == 1
    assert await connection.fetchval("select text from memories where user_id = $1", ana) == (
        "They won lot 1, “Harbour at Dusk”, on day 1."
    )


async def test_the_picture_is_told_who_hosts_and_of_its_own_pictures(house: House) -> None:
    assert (await house.pictured()).host.name == "Sable"
    assert (await house.pictured()).expressions == {}, "Sable is drawn"
    own = replace_fields(
        SABLE,
        name="Odile",
        expressions={
            "calm": Picture(asset="EXPRESSION/calm", moods=("NEUTRAL",)),
            "neutral": Picture(moods=("HAPPY",)),
        },
        default_expression="calm",
    )
    who = Actor(await a_user(house, "otto"), "OPERATOR")
    await characters.put(house.engine, own, who, house.now(), reason="a guest")
    pictured = await house.pictured()
    assert (pictured.host.name, pictured.host.picture) == ("Odile", "EXPRESSION/calm")
    assert pictured.expressions == {"calm": "EXPRESSION/calm", "neutral": ""}
