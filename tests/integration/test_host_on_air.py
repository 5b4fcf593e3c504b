"""The host on air: events lead to true lines, one at a time, the most important first, and never a stale one."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from tests.fakes.host import (
    StubVoice,
    amounts_in,
    count_of,
    facts_at,
    handles_in,
    on_duty,
    said,
    says,
)
from tests.fakes.house import (
    a_lot,
    a_user,
    advance,
    advanced_until,
    an_open_lot,
    bid,
    eventually,
    step,
    whole_log,
)
from tests.fakes.model_server import model_server, waits_for
from tests.fakes.model_server import says as answers

from sothebais import sound
from sothebais.agent import on_air, session, speaker
from sothebais.agent.endpoint import Endpoint, EndpointModel
from sothebais.agent.scripted.host import ScriptedHost
from sothebais.agent.speaker import Order, Speaker
from sothebais.agent.words import Writer
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.state.store import StateStore
from sothebais.users.tables import Role

#: From the last look at the facts to the line's place in the log, on a busy machine.
RACE_MS = 150


async def test_a_lot_is_spoken_of_from_its_opening_to_its_sale_and_every_figure_is_that_of_the_log(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    ana, bea = await a_user(house, "ana"), await a_user(house, "bea")
    names = {ana: "ana", bea: "bea"}
    async with on_duty(house, store):
        lot = await an_open_lot(house, engine, title="Harbour at Dusk", reserve="3")
        await says(house, "LOT_OPENING")
        assert (await bid(engine, lot, ana, "1.5", "2")).accepted
        await says(house, "BID", after=1)
        assert (await bid(engine, lot, bea, "4")).accepted
        await says(house, "NOTICE", after=2)
        await step(engine, lot, "END", actor=await a_user(house, "olga", role=Role.OPERATOR))
        await says(house, "RESULT", after=3)
    events = await whole_log(house.database_url)
    lines = [(place, event, event.decoded()) for place, event in enumerate(events) if event.type == "agent:message"]
    assert {data["intent"] for _, _, data in lines} >= {"LOT_OPENING", "BID", "NOTICE", "RESULT"}
    for place, event, data in lines:
        amounts, leader = facts_at(events, place, lot)
        assert amounts_in(data["text"]) <= amounts, data["text"]
        assert handles_in(data["text"]) <= ({names[leader]} if leader else set()), data["text"]
        assert UUID(data["auction"]) == lot
        assert next(one for one in events if one.id == event.causation_id).subject == f"auction:{lot}"
    result = lines[-1][2]["text"]
    assert handles_in(result) == {"bea"}
    # a standing maximum and a reserve are in no line
    assert not any("2 ETH" in data["text"] or "3 ETH" in data["text"] for _, _, data in lines)


async def test_what_is_said_stands_in_the_log_part_by_part_with_its_sound(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    async with on_duty(house, store, voice=StubVoice(ms_a_word=60)):
        lot = await an_open_lot(house, engine)
        await bid(engine, lot, await a_user(house, "ana"), "1")

        async def spoken() -> bool:
            return await count_of(house, "agent:speech") >= 3

        await eventually(spoken, "three parts were said")
    messages = {event.id: data for event, data in await said(house)}
    parts = await said(house, "agent:speech")
    heard = []
    for event, data in parts:
        text = messages[UUID(data["message"])]["text"]
        assert data["text"] in text
        assert [word["text"] for word in data["words"]]
        assert data["starts_at"] >= event.timestamp + on_air.LEAD_MS
        pcm, rate = sound.decode(house.assets().speech(event.id))
        assert abs(len(pcm) / rate * 1_000 - data["duration"]) <= 1
        heard.append((data["starts_at"], data["starts_at"] + data["duration"]))
    # one voice: nothing begins before what went before it is over, but for what interrupts it
    assert all(end <= start for (_, end), (start, _) in pairwise(heard))


async def test_sold_cuts_off_chatter_and_what_was_not_heard_was_never_told(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    operator = await a_user(house, "olga", role=Role.OPERATOR)
    async with on_duty(house, store, voice=StubVoice(ms_a_word=1_500)) as host:
        lot = await an_open_lot(house, engine, title="Harbour at Dusk")
        opening = await says(house, "LOT_OPENING")
        await bid(engine, lot, await a_user(house, "ana"), "2")
        await step(engine, lot, "END", actor=operator)
        result = await says(house, "RESULT")
        assert "@ana" in result["text"]
        assert "2 ETH" in result["text"]

        async def told() -> list[Any]:
            last = (await said(house))[-1][0].id
            return [data for _, data in await said(house, "agent:speech") if data["message"] == str(last)]

        sold = (await eventually(told, "the result is heard"))[0]
        assert host.queue.dropped["INTERRUPTED"] >= 1
    events = await said(house, "agent:speech")
    first_message = next(event.id for event, data in await said(house) if data["text"] == opening["text"])
    of_opening = [data for _, data in events if data["message"] == str(first_message)]
    whole = " ".join(data["text"] for data in of_opening)
    assert whole != opening["text"], "the opening was cut off"
    # only what had begun, or was about to, when the result was told
    assert all(data["starts_at"] <= sold["starts_at"] + on_air.LATER_LEAD_MS for data in of_opening)


async def test_one_thing_is_said_at_a_time_and_the_most_important_first(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    voice = StubVoice()
    voice.gate.clear()
    async with on_duty(house, store, voice=voice) as host:
        lot = await an_open_lot(house, engine)

        async def asked() -> bool:
            return len(voice.texts) == 1

        await eventually(asked, "the opening is being made")
        ana = await a_user(house, "ana")
        await bid(engine, lot, ana, "1")
        await bid(engine, lot, await a_user(house, "bea"), "5")

        async def waits() -> bool:
            return len(host.queue) >= 1

        await eventually(waits, "a bid waits")
        assert len(voice.texts) == 1, "nothing else is made meanwhile"
        voice.gate.set()
        await says(house, "BID")
    lines = [data["intent"] for _, data in await said(house)]
    assert lines.index("LOT_OPENING") < lines.index("BID")
    # the older bid gave way to the newer
    assert host.queue.dropped["REPLACED"] >= 1


async def test_a_line_that_is_overtaken_while_its_sound_is_made_says_the_newer_price(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    voice = StubVoice()
    async with on_duty(house, store, voice=voice):
        lot = await an_open_lot(house, engine)
        await says(house, "LOT_OPENING")
        voice.gate.clear()
        before = len(voice.texts)
        await bid(engine, lot, await a_user(house, "ana"), "1.5")

        async def asked() -> bool:
            return any("one point five" in text for text in voice.texts[before:])

        await eventually(asked, "the first bid is being spoken of")
        await bid(engine, lot, await a_user(house, "bea"), "1.7")
        voice.gate.set()
        line = await says(house, "BID")
    assert amounts_in(line["text"]) <= {_decimal("1.7"), _decimal("1.8")}
    assert handles_in(line["text"]) <= {"bea"}
    assert not any("1.5" in data["text"] for _, data in await said(house))


async def test_in_a_bidding_war_no_line_tells_a_price_that_was_overtaken_before_it_began(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    people = [await a_user(house, name) for name in ("ana", "bea")]
    async with on_duty(house, store, voice=StubVoice(ms_a_word=10, delay_s=0.1)):
        lot = await an_open_lot(house, engine, starting_price="1")
        await says(house, "LOT_OPENING")
        for number in range(30):
            assert (await bid(engine, lot, people[number % 2], f"{1 + number / 10:.1f}")).accepted
            await asyncio.sleep(0.05 if number < 20 else 0.3)
        await says(house, "BID")
    events = await whole_log(house.database_url)
    for place, event in enumerate(events):
        if event.type != "agent:message":
            continue
        text = event.decoded()["text"]
        # between asking the log a last time and writing lies a moment in which a bid may come
        before = next(at for at, one in enumerate(events) if one.timestamp >= event.timestamp - RACE_MS or at == place)
        known = set().union(*(facts_at(events, at, lot)[0] for at in range(before, place + 1)))
        assert amounts_in(text) <= known, text


async def test_a_line_that_is_no_longer_true_when_its_sound_is_there_is_not_said(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    operator = await a_user(house, "olga", role=Role.OPERATOR)
    voice = StubVoice()
    async with on_duty(house, store, voice=voice) as host:
        lot = await an_open_lot(house, engine)
        await says(house, "LOT_OPENING")
        voice.gate.clear()
        before = len(voice.texts)
        await bid(engine, lot, await a_user(house, "ana"), "1")

        async def asked() -> bool:
            return len(voice.texts) > before

        await eventually(asked, "the bid is being spoken of")
        await step(engine, lot, "CANCEL", actor=operator)
        voice.gate.set()
        await says(house, "NOTICE")
        assert host.queue.dropped["OVERTAKEN"] + host.queue.dropped["INTERRUPTED"] >= 1
    assert [data["intent"] for _, data in await said(house)] == ["LOT_OPENING", "NOTICE"]


async def test_a_line_of_a_model_that_is_too_slow_for_the_moment_is_dropped(
    house: House, engine: AuctionEngine, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    async with model_server(waits_for(gate, answers("{price}, with {leader}."))) as server:
        model = EndpointModel(Endpoint(url=server.url, key="k", name="stub", deadline_ms=20_000, output_tokens_max=50))
        await model.warm()
        writer = Writer(house.clock, ScriptedHost(_random()), model, deadline_ms=20_000)
        async with on_duty(house, store, writer=writer) as host:
            lot = await an_open_lot(house, engine)
            await bid(engine, lot, await a_user(house, "ana"), "1")

            async def asked() -> bool:
                return bool(server.requests)

            await eventually(asked, "the model is asked")
            _expire_all(monkeypatch)
            gate.set()

            async def dropped() -> bool:
                return host.queue.dropped["EXPIRED"] >= 1

            await eventually(dropped, "the line is dropped")
            assert await count_of(house) == 0
        await model.close()


async def test_a_line_whose_voice_is_too_slow_for_the_moment_is_dropped(
    house: House, engine: AuctionEngine, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = StubVoice()
    voice.gate.clear()
    async with on_duty(house, store, voice=voice) as host:
        await an_open_lot(house, engine)

        async def asked() -> bool:
            return bool(voice.texts)

        await eventually(asked, "the voice is asked")
        _expire_all(monkeypatch)
        voice.gate.set()

        async def dropped() -> bool:
            return host.queue.dropped["EXPIRED"] >= 1

        await eventually(dropped, "the line is dropped")
        assert await count_of(house) == await count_of(house, "agent:speech") == 0


async def test_a_short_lot_has_its_warnings_before_it_closes(
    house: House, engine: AuctionEngine, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "TICK_S", 0.05)
    ana = await a_user(house, "ana")
    async with on_duty(house, store, voice=StubVoice(ms_a_word=5)):
        lot = await an_open_lot(house, engine, lasts=4_000, hard_close_after=0, closing_grace=2_000)
        await bid(engine, lot, ana, "1")
        await advanced_until(house, engine, lot, "ENDED")
        await says(house, "RESULT")
    events = await whole_log(house.database_url)
    ends = next(event for event in events if event.type == "auction:closing")
    lines = [(event.timestamp, data) for event, data in await said(house)]
    warnings = [at for at, data in lines if data["intent"] == "FAIR_WARNING" and at < ends.timestamp]
    # fair warning in the last quarter, the last call in the last tenth
    assert warnings, lines
    assert ends.timestamp - warnings[0] <= 1_000
    assert any(data["intent"] == "FAIR_WARNING" and at >= ends.timestamp for at, data in lines), "closing is told"
    assert lines[-1][1]["intent"] == "RESULT"


async def test_an_opening_that_had_to_wait_does_not_tell_where_bidding_would_start(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    voice = StubVoice()
    async with on_duty(house, store, voice=voice):
        first = await an_open_lot(house, engine, number=1, starting_price="3")
        await says(house, "LOT_OPENING")
        await bid(engine, first, await a_user(house, "ana"), "3")
        await says(house, "BID")
        voice.gate.clear()
        before = len(voice.texts)
        await step(engine, first, "END", actor=await a_user(house, "olga", role=Role.OPERATOR))

        async def asked() -> bool:
            return len(voice.texts) > before

        await eventually(asked, "the sale is being spoken of")
        second = await an_open_lot(house, engine, number=2, starting_price="5", title="Late Lot")
        await bid(engine, second, await a_user(house, "bea"), "6")
        voice.gate.set()
        opening = await says(house, "LOT_OPENING", after=3)
    assert "5 ETH" not in opening["text"]
    assert "Late Lot" in opening["text"]
    assert "6 ETH" in opening["text"]


async def test_a_host_that_comes_when_a_lot_is_open_goes_on_with_it(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    lot = await an_open_lot(house, engine)
    await bid(engine, lot, await a_user(house, "ana"), "1")
    async with on_duty(house, store) as host:
        assert host.watch.lot == lot
        assert await count_of(house) == 0, "what happened before is not told"
        await bid(engine, lot, await a_user(house, "bea"), "4")
        line = await says(house, "BID")
    assert handles_in(line["text"]) <= {"bea"}
    assert amounts_in(line["text"]) <= {_decimal("4"), _decimal("4.1"), _decimal("1")}


async def test_a_lot_of_later_is_not_spoken_of_before_it_opens(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    async with on_duty(house, store):
        later = await a_lot(house, opens_in=60_000)
        lot = await an_open_lot(house, engine, number=2)
        line = await says(house, "LOT_OPENING")
        await advance(engine, later)
        assert UUID(line["auction"]) == lot
    assert all(UUID(data["auction"]) == lot for _, data in await said(house))


@pytest.fixture
async def quiet_speaker(house: House, store: StateStore) -> AsyncIterator[session.HostSession]:
    async with on_duty(house, store, voice=StubVoice(ms_a_word=300)) as host:
        yield host


async def test_operators_lines_come_first_one_after_the_other_and_so_many_wait(
    house: House, quiet_speaker: session.HostSession
) -> None:
    speak = quiet_speaker.speaker
    now = house.now()
    from sothebais import ids

    orders = [Order(ids.new_id(), f"Line {number} of the house.", now) for number in range(speaker.ORDERS_MAX + 2)]
    taken = [speak.order(order) for order in orders]
    # one may be under way already
    assert taken.count(True) in (speaker.ORDERS_MAX, speaker.ORDERS_MAX + 1)
    assert taken[-1] is False
    assert speak.order(Order(ids.new_id(), "Too late.", now - speaker.ORDER_LIFETIME_MS - 60_000)) is False

    async def spoken() -> bool:
        return await count_of(house, "agent:speech") >= 2

    await eventually(spoken, "two are said")
    texts = [data["text"] for _, data in await said(house, "agent:speech")]
    assert texts == [f"Line {number} of the house." for number in range(len(texts))]


def _decimal(text: str) -> Any:
    from decimal import Decimal

    return Decimal(text)


def _random() -> Any:
    import random

    return random.Random(5)


_is_late = Speaker._is_late


def _expire_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is being made has been waited for too long."""

    def late(self: Speaker, intent: Any) -> bool:
        from msgspec.structs import replace

        return _is_late(self, replace(intent, expires_at=0))

    monkeypatch.setattr(Speaker, "_is_late", late)
