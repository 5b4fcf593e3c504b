"""Whatever fails, the show goes on, the host speaks when it can, and nothing it says is false."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from tests.fakes.host import StubVoice, amounts_in, count_of, handles_in, on_duty, ready, said, says
from tests.fakes.house import Administrator, a_user, an_open_lot, bid, eventually, running, step, whole_log
from tests.fakes.model_server import Answer, fails, hangs_up, model_server, waits_for
from tests.fakes.model_server import says as answers

from sothebais.agent import session
from sothebais.agent.endpoint import Endpoint, EndpointModel
from sothebais.agent.scripted.host import ScriptedHost
from sothebais.agent.voice.build import build_voice
from sothebais.agent.voice.ports import VoiceFailed
from sothebais.agent.words import Writer
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.config import Settings
from sothebais.errors import Unavailable
from sothebais.state import keys, models
from sothebais.state.store import StateStore
from sothebais.users.tables import Role


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"agent_voice": "none"})


class Door:
    """A way to a server that can be shut and opened again."""

    def __init__(self, target: Any) -> None:
        self._target = target
        self._server: Any = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def open(self) -> None:
        """Let everybody through."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Let nobody through, and throw out who is in."""
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await self._target()
        self._writers |= {writer, far_writer}

        async def pump(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65_536):
                    to.write(data)
                    await to.drain()
            to.close()

        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        self._writers -= {writer, far_writer}


@contextlib.asynccontextmanager
async def a_door_to(redis_url: str) -> AsyncIterator[tuple[Door, str]]:
    path, _, query = redis_url.removeprefix("unix://").partition("?")
    door = Door(lambda: asyncio.open_unix_connection(path))
    await door.open()
    try:
        yield door, f"redis://127.0.0.1:{door.port}?{query}"
    finally:
        await door.shut()


async def test_another_host_takes_over_when_the_one_on_duty_is_gone(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    lot = await an_open_lot(house, engine)
    second = None
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(on_duty(house, store, seed=1))
        parts = house.agent_parts(store)
        second = session.HostSession(parts)
        waiting = asyncio.create_task(second.run())
        try:
            await bid(engine, lot, await a_user(house, "ana"), "1")
            await says(house, "BID")
            assert first.active
            assert not second.active
            assert len(await said(house)) == 1, "one host speaks"
            await stack.aclose()
            await ready(second)
            before = await count_of(house)
            await bid(engine, lot, await a_user(house, "bea"), "5")
            line = await says(house, "BID", after=before)
            assert handles_in(line["text"]) <= {"bea"}
            assert second.active
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
    # a host that leaves says so
    assert second.character is not None
    value = await store.get(keys.agent(second.character.id))
    assert value is not None
    assert models.AgentState.model_validate_json(value).status == "OFFLINE"


async def test_a_host_whose_connections_are_cut_comes_back_and_misses_nothing_that_is_still_worth_saying(
    house: House, engine: AuctionEngine, store: StateStore, administrator: Administrator, connection: Any
) -> None:
    name = house.database_url.partition("?")[0].rpartition("/")[2]
    async with on_duty(house, store) as host:
        lot = await an_open_lot(house, engine)
        await says(house, "LOT_OPENING")
        cut = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'sothebais-agent%'"
        await connection.fetch(f"{cut} and datname = $1", name)
        # sold while nobody listens
        await bid(engine, lot, await a_user(house, "ana"), "1")
        await step(engine, lot, "END", actor=await a_user(house, "olga", role=Role.OPERATOR))
        line = await says(house, "RESULT")
        assert "@ana" in line["text"]
        assert amounts_in(line["text"]) <= {Decimal(1)}
        await ready(host)


async def test_without_the_database_the_host_is_silent_and_with_it_it_goes_on(
    house: House, engine: AuctionEngine, store: StateStore, administrator: Administrator
) -> None:
    name = house.database_url.partition("?")[0].rpartition("/")[2]
    async with on_duty(house, store) as host:
        lot = await an_open_lot(house, engine)
        await says(house, "LOT_OPENING")
        administrator.do(administrator._execute(f'alter database "{name}" allow_connections false'))
        administrator.do(
            administrator._execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
        )

        async def off() -> bool:
            return not host.active

        await eventually(off, "the host notices")
        administrator.do(administrator._execute(f'alter database "{name}" allow_connections true'))
        await ready(host)
        before = await count_of(house)

        async def bids() -> bool:
            with contextlib.suppress(Unavailable):
                return bool((await bid(engine, lot, await a_user(house), "3")).accepted)
            return False

        await eventually(bids, "bids are taken again")
        line = await says(house, "BID", after=before)
        assert amounts_in(line["text"]) <= {Decimal(3), Decimal("3.1")}


async def test_without_redis_the_host_speaks_and_its_state_comes_back_with_it(
    house: House, engine: AuctionEngine, redis_url: str
) -> None:
    async with a_door_to(redis_url) as (door, url):
        store = StateStore(url)
        async with on_duty(house, store) as host:
            lot = await an_open_lot(house, engine)
            await says(house, "LOT_OPENING")
            await door.shut()
            await bid(engine, lot, await a_user(house, "ana"), "1")
            await says(house, "BID")
            await door.open()
            assert host.character is not None
            key, seen = keys.agent(host.character.id), house.now()

            async def written() -> bool:
                with contextlib.suppress(Exception):
                    value = await store.get(key)
                    return value is not None and models.AgentState.model_validate_json(value).at > seen
                return False

            await eventually(written, "its state is written again")
        await store.close()


NONSENSE = "\x00\x1b[31m{price" + "}" * 40 + " 99.5 ETH to @nobody http://evil.example " + "lorem " * 900


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (fails(500), "ERROR"),
        (fails(200, "data: {not json"), "ERROR"),
        (hangs_up(), "ERROR"),
        (answers("I'm sorry, but I can't assist with that request."), "REFUSAL"),
        (answers(NONSENSE), None),
        (answers("The price is 99.5 ETH and @nobody leads."), None),
        (answers("", finish="content_filter"), "ERROR"),
        (None, "TIMEOUT"),
    ],
    ids=["down", "broken", "hangs-up", "refuses", "nonsense", "lies", "empty", "slow"],
)
async def test_whatever_a_model_does_the_show_goes_on_and_nothing_false_is_said(
    house: House, engine: AuctionEngine, store: StateStore, answer: Answer | None, failure: str | None
) -> None:
    gate = asyncio.Event()
    async with model_server(answer or waits_for(gate, answers("Late."))) as server:
        deadline = 150 if answer is None else 5_000
        model = EndpointModel(
            Endpoint(url=server.url, key="k", name="stub", deadline_ms=deadline, output_tokens_max=50)
        )
        await model.warm()
        writer = Writer(house.clock, ScriptedHost(random.Random(4)), model, deadline_ms=deadline)
        async with on_duty(house, store, writer=writer):
            lot = await an_open_lot(house, engine)
            await says(house, "LOT_OPENING")
            await bid(engine, lot, await a_user(house, "ana"), "1.5")
            line = await says(house, "BID")
        gate.set()
        await model.close()
    assert server.requests
    assert line["fallback"] is True
    assert line["model"] is None
    assert amounts_in(line["text"]) <= {Decimal("1.5"), Decimal("1.6"), Decimal(1)}
    assert handles_in(line["text"]) <= {"ana"}
    everything = " ".join(event.data for event in await whole_log(house.database_url))
    assert "99.5" not in everything
    assert "evil.example" not in everything
    if failure is not None:
        assert writer.counts[failure] >= 1, writer.counts
    else:
        assert line["blocked"]


async def test_where_no_sound_can_be_kept_the_line_is_read_and_the_next_one_comes(
    house: House, engine: AuctionEngine, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sothebais.agent import on_air

    monkeypatch.setattr(on_air, "READ_MS_MIN", 100)
    monkeypatch.setattr(on_air, "READ_MS_PER_CHARACTER", 1)
    folder = house.settings.data_dir / "assets"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "speech").write_text("in the way")
    async with on_duty(house, store):
        lot = await an_open_lot(house, engine)
        await says(house, "LOT_OPENING")
        await bid(engine, lot, await a_user(house, "ana"), "1")
        await says(house, "BID")
        assert await count_of(house, "agent:speech") == 0
        (folder / "speech").unlink()
        await bid(engine, lot, await a_user(house, "bea"), "4")

        async def spoken() -> bool:
            return await count_of(house, "agent:speech") > 0

        await eventually(spoken, "it is heard again")


class _Broken(StubVoice):
    name = "broken"

    async def synthesise(self, text: str, *, deadline: int, pace: float = 1.0) -> Any:
        raise VoiceFailed("There is no voice today.")


async def test_a_host_without_a_voice_has_captions(house: House, engine: AuctionEngine, store: StateStore) -> None:
    async with on_duty(house, store, voice=_Broken()):
        await an_open_lot(house, engine)
        line = await says(house, "LOT_OPENING")

        async def captions() -> list[Any]:
            return await said(house, "agent:speech")

        (_, first), *_ = await eventually(captions, "its captions have times")
    assert first["voice"] == "none"
    assert line["text"].startswith(first["text"])


async def test_the_houses_own_voice_is_heard_with_its_words_in_time(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    voice = build_voice(house.settings.model_copy(update={"agent_voice": "piper"}), house.clock)
    host = session.HostSession(replace(house.agent_parts(store), voice=voice))
    async with running(host.run()):
        await ready(host)
        lot = await an_open_lot(house, engine)

        async def spoken() -> list[Any]:
            return await said(house, "agent:speech")

        (event, first), *_ = await eventually(spoken, "it is heard")
    assert first["voice"].startswith("piper:")
    ends = [word["end"] for word in first["words"]]
    assert ends == sorted(ends)
    assert 0 < ends[-1] <= first["duration"]
    assert len({shape["opening"] for shape in first["mouth"]}) > 1
    assert len(house.assets().speech(event.id)) > 1_000
    message = next(data for one, data in await said(house) if one.id == UUID(first["message"]))
    assert UUID(message["auction"]) == lot


async def test_what_an_event_cannot_be_read_as_is_passed_over(
    house: House, engine: AuctionEngine, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sothebais.agent import happenings
    from sothebais.errors import InvalidInput

    seen = happenings.seen

    refused: list[Any] = []

    def refuses(event: Any) -> Any:
        if event.type == "auction:start":
            refused.append(event)
            raise InvalidInput("nothing that could be read")
        return seen(event)

    monkeypatch.setattr(happenings, "seen", refuses)
    async with on_duty(house, store) as host:
        await an_open_lot(house, engine, number=1)

        async def tried() -> bool:
            return bool(refused)

        await eventually(tried, "it could not be read")
        monkeypatch.setattr(happenings, "seen", seen)
        lot = await an_open_lot(house, engine, number=2)
        line = await says(house, "LOT_OPENING")
        assert UUID(line["auction"]) == lot
        assert host.active
