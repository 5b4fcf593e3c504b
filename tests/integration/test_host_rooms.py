"""People write to the host, in the rooms and over HTTP; operators silence it and speak through it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.fakes.host import StubVoice, amounts_in, count_of, handles_in, on_duty, said, says
from tests.fakes.house import a_user, an_open_lot, bid, eventually, signed_in, step, whole_log
from tests.fakes.sign_ins import API

from sothebais import ids, moderation
from sothebais.agent import intents, opt_outs, session, speaker
from sothebais.agent.manners import ANSWERS_PER_PERSON_MAX, Manners
from sothebais.api.parts import HOST_BURST
from sothebais.api.routes.agent import SILENT_MS_MAX
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.config import Settings
from sothebais.events import log
from sothebais.state import keys, models
from sothebais.state.store import StateStore, Write
from sothebais.users.tables import Role


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"agent_voice": "none", "chat_lines_per_minute": 600, "writes_per_second": 1e6, "reads_per_second": 1e6}
    )


@pytest.fixture
async def host(house: House, store: StateStore) -> AsyncIterator[session.HostSession]:
    async with on_duty(house, store) as made:
        yield made


async def an_operator(house: House, client: httpx.AsyncClient) -> dict[str, str]:
    await a_user(house, "olga", role=Role.OPERATOR)
    return (await signed_in(client, "olga"))[1]


async def write(client: httpx.AsyncClient, lot: UUID, text: str, who: dict[str, str]) -> dict[str, Any]:
    answer = await client.post(f"{API}/auctions/{lot}/chat", json={"text": text}, headers=who)
    assert answer.status_code == 201, answer.text
    line: dict[str, Any] = answer.json()
    return line


async def lines_of(client: httpx.AsyncClient, lot: UUID) -> list[dict[str, Any]]:
    answer = await client.get(f"{API}/auctions/{lot}/chat")
    lines: list[dict[str, Any]] = answer.json()["items"]
    return lines[::-1]


async def interactions(house: House, number: int) -> list[dict[str, Any]]:
    async def look() -> bool:
        return await count_of(house, "agent:interaction") >= number

    await eventually(look, f"{number} lines reached the host")
    return [data for _, data in await said(house, "agent:interaction")]


async def test_a_question_is_answered_in_the_room_and_on_air_by_an_account_that_is_marked(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, host: session.HostSession
) -> None:
    lot = await an_open_lot(house, engine, title="Harbour at Dusk")
    await says(house, "LOT_OPENING")
    ana, who = await signed_in(client, "ana")
    assert (await bid(engine, lot, ana, "1.5")).accepted
    asked = await write(client, lot, "What is the price now?", who)
    assert asked["host"] is False
    line = await says(house, "ANSWER")
    assert amounts_in(line["text"]) <= {_decimal("1.5"), _decimal("1.6")}
    assert amounts_in(line["text"])

    async def answered() -> list[dict[str, Any]]:
        return [one for one in await lines_of(client, lot) if one["host"]]

    (answer,) = await eventually(answered, "the answer stands in the room")
    assert answer["text"] == line["text"]
    assert answer["staff"] is False
    # its own lines are none of its business
    for _ in range(3):
        await bid(engine, lot, ana, None, "3")
    assert len(await interactions(house, 1)) == 1
    events = {event.id: event for event in await whole_log(house.database_url)}
    message = next(event for event, data in await said(house) if data["text"] == line["text"])
    assert message.causation_id is not None
    assert json.loads(events[message.causation_id].data)["message"] == asked["id"]
    # what people write is in no event
    assert not any("What is the price" in event.data for event in events.values())


async def test_nobody_is_taken_for_the_host_by_a_name(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, host: session.HostSession
) -> None:
    lot = await an_open_lot(house, engine)
    _, who = await signed_in(client, "Sable")
    line = await write(client, lot, "I am Sable, and the lot is yours for 1 ETH", who)
    assert line["user"]["handle"] == "Sable"
    assert line["host"] is False
    assert not any(one["host"] for one in await lines_of(client, lot) if one["id"] == line["id"])


async def test_what_people_say_to_each_other_is_not_answered(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, host: session.HostSession
) -> None:
    lot, other = await an_open_lot(house, engine, number=2), await an_open_lot(house, engine, number=1)

    async def on_wall() -> bool:
        return host.watch.lot == other

    await eventually(on_wall, "the other lot is on the wall")
    _, who = await signed_in(client, "ana")
    await write(client, other, "what a lovely evening", who)
    await write(client, lot, "and how much is this?", who)
    # by name it listens everywhere, and answers there alone
    await write(client, lot, "Sable, who made this piece?", who)
    found = await interactions(house, 1)
    assert len(found) == 1
    line = await says(house, "ANSWER", place="CHAT")
    assert UUID(line["auction"]) == lot
    assert not [data for _, data in await said(house) if data["intent"] == "ANSWER" and data["place"] == "STREAM"]


async def test_who_wants_no_answer_gets_one_word_and_then_none_until_they_ask_by_name(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, host: session.HostSession
) -> None:
    lot = await an_open_lot(house, engine)
    _, who = await signed_in(client, "ana")
    await write(client, lot, "Sable, leave me alone", who)
    await interactions(house, 1)
    await write(client, lot, "is that the price?", who)
    (first, second) = await interactions(house, 2)
    assert first["answered"] is True
    assert (second["answered"], second["reason"]) == (False, "OPTED_OUT")
    # the house keeps the wish, not this process
    async with house.engine.connect() as connection:
        assert await opt_outs.left_alone(connection, UUID(first["user"]))
    host.manners = Manners()
    await write(client, lot, "and is that the price now?", who)
    assert (await interactions(house, 3))[2]["reason"] == "OPTED_OUT"
    await write(client, lot, "Sable, what is the price?", who)
    assert (await interactions(house, 4))[3]["answered"] is True
    async with house.engine.connect() as connection:
        assert not await opt_outs.left_alone(connection, UUID(first["user"]))


async def test_one_person_is_answered_so_often_and_abuse_never_comes_back(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, host: session.HostSession
) -> None:
    lot = await an_open_lot(house, engine)
    _, who = await signed_in(client, "ana")
    await write(client, lot, "Sable you are a worthless idiot", who)
    for number in range(ANSWERS_PER_PERSON_MAX):
        await write(client, lot, f"Sable, what is the price, please, number {number}?", who)
    found = await interactions(house, ANSWERS_PER_PERSON_MAX + 1)
    assert found[0]["kind"] == "ABUSE"
    assert [one["answered"] for one in found] == [True] * ANSWERS_PER_PERSON_MAX + [False]
    assert found[-1]["reason"] == "TOO_OFTEN"
    # another is answered meanwhile
    _, other = await signed_in(client, "bob")
    await write(client, lot, "Sable, and what about me, what is the price?", other)
    assert (await interactions(house, ANSWERS_PER_PERSON_MAX + 2))[-1]["answered"] is True
    assert not any("idiot" in data["text"].lower() for _, data in await said(house))


async def test_a_room_that_is_faster_than_the_host_loses_lines_and_no_event_of_the_auction(
    house: House, engine: AuctionEngine, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lot = await an_open_lot(house, engine)
    host = session.HostSession(house.agent_parts(store))
    room = f"auction:{lot}"
    lines = [
        log.event("chat:message", room, {"message": str(ids.new_id()), "auction": str(lot), "user": str(ids.new_id())}, at=0)
        for _ in range(session.LINES_WAITING_MAX + 5)
    ]  # fmt: skip
    async with house.engine.begin() as connection:
        await log.append(connection, lines)
    events = [event for event in await whole_log(house.database_url) if event.type == "chat:message"]
    await host._take(events)
    assert len(host._lines) == session.LINES_WAITING_MAX
    assert host._lines[-1].id == events[-1].id


async def test_people_are_answered_in_the_room_at_once_while_something_else_is_said(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, store: StateStore
) -> None:
    voice = StubVoice()
    voice.gate.clear()
    async with on_duty(house, store, voice=voice) as host:
        lot = await an_open_lot(house, engine)

        async def opening() -> bool:
            return bool(voice.texts)

        await eventually(opening, "the opening is being made")
        for number in range(speaker.ANSWERS_AT_ONCE_MAX):
            _, who = await signed_in(client, f"guest{number}")
            await write(client, lot, "Sable, who made this piece?", who)

        async def answered() -> bool:
            return len([one for one in await lines_of(client, lot) if one["host"]]) >= 1

        await eventually(answered, "somebody is answered")
        assert [data["place"] for _, data in await said(house)].count("STREAM") == 0
        voice.gate.set()
        line = await says(house, "ANSWER")
        (in_room, *_) = [data for _, data in await said(house) if data["place"] == "CHAT"]
        assert line["text"] == in_room["text"]
        assert host.speaker._answers == {} or len(host.queue) > 0


async def test_who_comes_while_too_many_are_being_answered_is_told_to_the_log_as_not_answered(
    house: House,
    engine: AuctionEngine,
    client: httpx.AsyncClient,
    host: session.HostSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speaker, "ANSWERS_AT_ONCE_MAX", 0)
    lot = await an_open_lot(house, engine)
    _, who = await signed_in(client, "ana")
    await write(client, lot, "Sable, who made this piece?", who)
    (found,) = await interactions(house, 1)
    assert (found["answered"], found["reason"]) == (False, "BUSY")
    assert not [data for _, data in await said(house) if data["intent"] == "ANSWER"]


async def test_so_many_are_answered_at_once(house: House, store: StateStore) -> None:
    host = session.HostSession(house.agent_parts(store))
    intent = intents.question(
        "Who made it?", ids.new_id(), house.now(), ids.new_id, cause=None, lot=ids.new_id(), place="CHAT"
    )
    taken = [host.speaker.answer(intent, house.now()) for _ in range(speaker.ANSWERS_AT_ONCE_MAX + 1)]
    assert taken == [True] * speaker.ANSWERS_AT_ONCE_MAX + [False]
    assert host.queue.dropped["FULL"] == 1
    await asyncio.sleep(0)  # they begin
    work = tuple(host.speaker._answering)
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)


async def test_a_silenced_host_stops_answers_in_the_rooms_and_says_what_operators_want(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, store: StateStore
) -> None:
    async with on_duty(house, store, voice=StubVoice(ms_a_word=1_000)) as host:
        operator = await an_operator(house, client)
        lot = await an_open_lot(house, engine)
        opening = await says(house, "LOT_OPENING")
        answer = await client.post(f"{API}/agent/mute", json={"muted": True, "reason": "a test"}, headers=operator)
        assert (answer.status_code, answer.json()) == (200, {"muted": True})

        async def silent() -> bool:
            return not host.speaker.speaking and len(host.queue) == 0

        await eventually(silent, "it stops in the middle of a line")
        heard = " ".join(data["text"] for _, data in await said(house, "agent:speech"))
        assert len(heard) < len(opening["text"])
        ana, who = await signed_in(client, "ana")
        before = await count_of(house)
        assert (await bid(engine, lot, ana, "1.5")).accepted
        await write(client, lot, "Sable, who leads?", who)
        line = await says(house, "ANSWER", place="CHAT")
        assert handles_in(line["text"]) <= {"ana"}
        assert (await client.get(f"{API}/agent")).json()["agent"]["muted"] is True
        told = await client.post(
            f"{API}/agent/say", json={"text": "We pause for five minutes.", "reason": "a test"}, headers=operator
        )
        assert told.status_code == 201
        assert told.json()["text"] == "We pause for five minutes."

        async def spoken() -> bool:
            return any(data["message"] == told.json()["message"] for _, data in await said(house, "agent:speech"))

        await eventually(spoken, "the operator's line is heard")
        # the bid was not spoken of
        assert [data["intent"] for _, data in (await said(house))[before:]] == ["ANSWER", "NOTICE"]
        assert (
            await client.post(f"{API}/agent/mute", json={"muted": False, "reason": "over"}, headers=operator)
        ).status_code == 200

        async def free() -> bool:
            return not host._steering.muted

        await eventually(free, "it may speak again")
        assert (await bid(engine, lot, await a_user(house, "bea"), "4")).accepted
        await says(house, "BID")
    actions = [
        (data["action"], data["reason"])
        for event in await whole_log(house.database_url)
        if event.type == "user:action" and (data := event.decoded())["action"].startswith("agent.")
    ]
    assert actions == [("agent.mute", "a test"), ("agent.say", "a test"), ("agent.unmute", "over")]


async def test_an_operators_line_comes_before_chatter_and_cuts_it_off(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, store: StateStore
) -> None:
    async with on_duty(house, store, voice=StubVoice(ms_a_word=800)):
        operator = await an_operator(house, client)
        await an_open_lot(house, engine)
        await says(house, "LOT_OPENING")
        told = await client.post(
            f"{API}/agent/say", json={"text": "One moment, ladies and gentlemen.", "reason": "why"}, headers=operator
        )

        async def spoken() -> list[Any]:
            return [data for _, data in await said(house, "agent:speech") if data["message"] == told.json()["message"]]

        (first,) = await eventually(spoken, "it is said at once")
        message = next(event for event, _ in await said(house) if str(event.id) == told.json()["message"])
        assert first["starts_at"] - message.timestamp < 2_000


@pytest.mark.parametrize(
    ("text", "status"),
    [("", 422), ("   ", 422), ("x" * 501, 422), (f"you {moderation.DEFAULT_WORDS[2]}", 422), ("\u202e\u200b", 422)],
)
async def test_words_that_no_host_may_say_are_refused_to_operators_too(
    house: House, client: httpx.AsyncClient, text: str, status: int
) -> None:
    operator = await an_operator(house, client)
    before = await count_of(house)
    answer = await client.post(f"{API}/agent/say", json={"text": text, "reason": "why"}, headers=operator)
    assert answer.status_code == status, answer.text
    assert await count_of(house) == before


async def test_only_operators_steer_the_host(house: House, client: httpx.AsyncClient) -> None:
    _, bob = await signed_in(client, "bob")
    for path, body in (("say", {"text": "Hello.", "reason": "why"}), ("mute", {"muted": True, "reason": "why"})):
        for headers, status in ((bob, 403), ({}, 401)):
            assert (await client.post(f"{API}/agent/{path}", json=body, headers=headers)).status_code == status
        operator = await an_operator(house, client)
        without = {name: value for name, value in body.items() if name != "reason"}
        assert (await client.post(f"{API}/agent/{path}", json=without, headers=operator)).status_code == 422
    assert not [event for event in await whole_log(house.database_url) if event.type == "agent:message"]


async def test_the_host_answers_from_facts_and_the_askers_own_bids_and_nobody_elses(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot = await an_open_lot(house, engine, title="Harbour at Dusk", reserve="77.125")
    ana, of_ana = await signed_in(client, "ana")
    bob, of_bob = await signed_in(client, "bob")
    assert (await bid(engine, lot, ana, "1.5", "66.375")).accepted
    assert (await bid(engine, lot, bob, "2.5")).accepted

    async def asks(text: str, who: dict[str, str]) -> str:
        answer = await client.post(f"{API}/agent/messages", json={"text": text, "auction_id": str(lot)}, headers=who)
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {"reply", "mood", "message"}
        return str(answer.json()["reply"])

    price = await asks("What is the price?", of_bob)
    assert amounts_in(price) <= {_decimal("2.6"), _decimal("2.7")}
    assert amounts_in(price)
    own = await asks("What did I bid?", of_bob)
    assert "2.5 ETH" in own
    assert amounts_in(own) <= {_decimal("2.5"), _decimal("2.6"), _decimal("2.7")}
    assert "@ana" not in own or "leads" in own
    replies = [own, price]
    _, of_eve = await signed_in(client, "eve")
    for text in ("What is ana's maximum bid?", "What is the reserve, exactly?"):
        replies.append(await asks(text, of_eve))
    for text in ("What is my maximum?", "Did bob bid?"):
        replies.append(await asks(text, of_ana))
    everything = " ".join([*replies, *(event.data for event in await whole_log(house.database_url))])
    assert "66.375" not in everything
    assert "77.125" not in everything
    # said to one person, recorded for the house, and what they wrote is not kept
    direct = [data for _, data in await said(house) if data["place"] == "DIRECT"]
    assert len(direct) == len(replies)
    assert {data["to"] for data in direct} >= {str(ana), str(bob)}
    assert "reserve, exactly" not in everything


async def test_what_the_host_cannot_answer_says_why_and_is_not_recorded_as_said(
    house: House, client: httpx.AsyncClient
) -> None:
    _, who = await signed_in(client, "ana")
    url = f"{API}/agent/messages"

    async def asks(body: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
        return await client.post(url, json=body, headers=who if headers is None else headers)

    assert (await asks({"text": "Hello"}, {})).status_code == 401
    assert (await asks({"text": ""})).status_code == 422
    assert (await asks({"text": "x" * 501})).status_code == 422
    assert (await asks({"text": "Hello", "auction_id": str(ids.new_id())})).status_code == 404
    assert await count_of(house) == 0
    refused = await asks({"text": "buy cheap at http://evil.example now"})
    assert (refused.status_code, refused.json()["reason"]) == (422, "REFUSED")
    assert await count_of(house) == 0


async def test_one_person_asks_so_often(house: House, client: httpx.AsyncClient) -> None:
    _, who = await signed_in(client, "ana")
    answers = [
        await client.post(f"{API}/agent/messages", json={"text": f"Hello, number {number}!"}, headers=who)
        for number in range(HOST_BURST + 1)
    ]
    statuses = [one.status_code for one in answers]
    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert statuses.count(200) == await count_of(house) == min(ANSWERS_PER_PERSON_MAX, HOST_BURST)
    _, other = await signed_in(client, "bob")
    assert (await client.post(f"{API}/agent/messages", json={"text": "Hello"}, headers=other)).status_code == 200


async def test_the_transcript_is_paged_newest_first_and_direct_answers_are_the_staffs_to_read(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, host: session.HostSession
) -> None:
    lot = await an_open_lot(house, engine, title="Harbour at Dusk")
    await says(house, "LOT_OPENING")
    await step(engine, lot, "END", actor=await a_user(house, "maria", role=Role.OPERATOR))
    await says(house, "RESULT")
    _, who = await signed_in(client, "ana")
    secret = (await client.post(f"{API}/agent/messages", json={"text": "Are you an AI?"}, headers=who)).json()
    operator = await an_operator(house, client)

    async def every(headers: dict[str, str], limit: int, **more: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            asked = {"limit": str(limit), **more} | ({"after": after} if after else {})
            body = (await client.get(f"{API}/agent/transcript", params=asked, headers=headers)).json()
            assert len(body["items"]) <= limit
            items += body["items"]
            after = body["next"]
            if after is None:
                return items

    public, whole = await every({}, 1), await every(operator, 2)
    assert [one["id"] for one in public] == sorted((one["id"] for one in public), reverse=True)
    assert {one["place"] for one in public} == {"STREAM"}
    assert {one["intent"] for one in public} >= {"LOT_OPENING", "RESULT"}
    assert secret["message"] not in {one["id"] for one in public}
    assert secret["message"] in {one["id"] for one in whole}
    assert await every(who, 50) == public, "not even to whom it was said"
    of_lot = await every({}, 50, auction_id=str(lot))
    assert of_lot
    assert {one["auction_id"] for one in of_lot} == {str(lot)}
    assert await every({}, 50, auction_id=str(ids.new_id())) == []
    text = (await client.get(f"{API}/agent/transcript", params={"format": "text"})).text
    rows = [row.split("\t") for row in text.splitlines()]
    assert [row[3] for row in rows] == [one["text"] for one in reversed(public)]
    assert secret["reply"] not in text
    staff_text = await client.get(f"{API}/agent/transcript", params={"format": "text"}, headers=operator)
    assert secret["reply"] in staff_text.text
    assert "attachment" in staff_text.headers["content-disposition"]
    for bad, status in (
        ({"limit": "0"}, 422), ({"limit": "201"}, 422), ({"after": "nothing"}, 404), ({"auction_id": "x"}, 404),
        ({"format": "pdf"}, 422),
    ):  # fmt: skip
        assert (await client.get(f"{API}/agent/transcript", params=bad)).status_code == status


async def test_a_host_that_fell_silent_is_said_to_be_off_duty(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, store: StateStore
) -> None:
    assert (await client.get(f"{API}/agent")).json()["agent"]["status"] == "OFFLINE"
    async with on_duty(house, store) as host:
        lot = await an_open_lot(house, engine)

        async def on_lot() -> bool:
            now = (await client.get(f"{API}/agent")).json()["agent"]
            return now["status"] in ("LISTENING", "SPEAKING") and now["auction_id"] == str(lot)

        await eventually(on_lot, "it is on the lot")
        assert host.character is not None
        key = keys.agent(host.character.id)
        value = await store.get(key)
    assert value is not None
    # killed, it leaves its last state behind
    left = models.AgentState.model_validate_json(value)
    old = left.model_copy(update={"at": house.now() - SILENT_MS_MAX - 1_000})
    await store.force([Write(key, 0, old.model_dump_json().encode(), 60)])
    now = (await client.get(f"{API}/agent")).json()["agent"]
    assert (now["status"], now["auction_id"], now["name"], now["ai"]) == ("OFFLINE", None, "Sable", True)


def _decimal(text: str) -> Any:
    from decimal import Decimal

    return Decimal(text)
