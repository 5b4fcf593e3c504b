"""What must stay secret appears nowhere that anybody could search: not in the log, the tables, Redis, answers, files or errors."""

import asyncio
import json
import re
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
import redis.asyncio as redis
from msgspec.structs import replace
from tests.fakes.house import a_bid, a_user, an_open_lot, bid, eventually, running, signed_in, step

from sothebais.auctions import rules
from sothebais.auctions.answers import Answer
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import HOUSE_KEY_FILE, House, load_house_key, open_house
from sothebais.config import Settings, load
from sothebais.errors import SothebaisError
from sothebais.events import cursors
from sothebais.state.store import StateStore
from sothebais.telemetry import logging

API = "/api/v1"
#: Figures that occur nowhere by chance.
RESERVE = "987654.3217001"
STANDING = "876543.2196001"
SUPERSEDED = "876000.1195001"
UNCONFIRMED = "555444333.1234001"
ADMITTED = "765432.1185001"
SEALED = "654321.9174001"
#: Tables only the engine's role may read.
SECRET_TABLES = {"bid_secrets", "auction_secrets"}


@dataclass
class Evening:
    """A house with secrets in it, everything it said, and the secrets by name."""

    house: House
    lots: dict[str, UUID] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    #: What each bidder was told in private; everything else was said to all.
    said: list[str] = field(default_factory=list)

    def found_in(self, text: str) -> list[str]:
        """The names of the secrets that stand in ``text``."""
        return [name for name, secret in self.secrets.items() if secret in text]


@pytest.fixture
def log_folder(house: House) -> Any:
    folder = house.settings.data_dir / "logs"
    logging.configure("trial", folder=folder, level="debug", stdout=False)
    yield folder
    logging.configure("trial", folder=None, stdout=False)


@pytest.fixture
async def evening(
    house: House, log_folder: Path, engine: AuctionEngine, client: httpx.AsyncClient, store: StateStore
) -> Evening:
    """A lot with an unmet reserve and a standing maximum, a sealed one, refusals, errors, all of it relayed to Redis."""
    made = Evening(house)
    generous = {"amount_max": "1000000000000", "confirm_multiple": "1000000"}
    english = await an_open_lot(house, engine, reserve=RESERVE, **generous)
    sealed = await an_open_lot(house, engine, format="SEALED_SECOND_PRICE", reserve=RESERVE, **generous)
    made.lots = {"english": english, "sealed": sealed}
    tokens = {}
    for name in ("ana", "bo"):
        answer = await client.post(f"{API}/auth/sandbox", json={"handle": name})
        tokens[name] = answer.json()["token"]
        client.cookies.clear()  # each has a browser of their own
        made.secrets[f"session token of {name}"] = tokens[name]

    async def said(name: str, lot: UUID, **body: Any) -> httpx.Response:
        return await client.post(
            f"{API}/auctions/{lot}/bids",
            json={"currency": "ETH", **body},
            headers={"authorization": f"Bearer {tokens[name]}", "idempotency-key": f"{name}{len(made.said)}"},
        )

    for body in ({"amount": "1", "max_amount": SUPERSEDED, "confirm": True}, {"max_amount": STANDING, "confirm": True}):
        answer = await said("ana", english, **body)
        assert answer.status_code == 201, answer.text
        opening = answer.json()["receipt"]["opening"]
        assert opening["max_amount"] == body["max_amount"]  # the bidder's own receipt has it
        made.secrets[f"salt of {opening['max_amount']}"] = opening["salt"]
        answer_body = answer.json()
        made.said += [json.dumps(answer_body["bid"]), json.dumps(answer_body["auction"])]
    rival = await said("bo", english, amount="5")
    assert rival.json()["auction"]["leader"]["handle"] == "ana"
    made.said.append(rival.text)
    # a second maximum of the leader's below the standing one says how far the leader would not go
    refused = await said("ana", english, max_amount=ADMITTED, confirm=True)
    assert refused.json()["reason"] == "ALREADY_LEADING"
    unconfirmed = await said("bo", english, amount="6", max_amount=UNCONFIRMED)
    assert unconfirmed.json()["reason"] == "CONFIRMATION_REQUIRED"
    made.said += [refused.text, unconfirmed.text]
    hidden = await said("bo", sealed, amount=SEALED, confirm=True)
    assert hidden.status_code == 201
    made.secrets["salt of the sealed bid"] = hidden.json()["receipt"]["opening"]["salt"]
    made.said += [json.dumps(hidden.json()["bid"]), json.dumps(hidden.json()["auction"])]
    made.secrets |= {
        "reserve": RESERVE,
        "standing maximum": STANDING,
        "superseded maximum above the price": SUPERSEDED,
        "maximum that waits for its confirmation": UNCONFIRMED,
        "maximum below the standing one": ADMITTED,
        "sealed bid": SEALED,
        "private key": (house.settings.data_dir / HOUSE_KEY_FILE).read_text().strip(),
    }
    connection = await asyncpg.connect(house.database_url)
    made.secrets |= {
        f"salt of reserve {i}": row["salt"].hex()
        for i, row in enumerate(await connection.fetch("select salt from auction_secrets"))
    }
    await connection.close()
    async with running(house.relay(store).run()):
        await eventually(lambda: relayed(house), "everything is relayed")
    return made


async def relayed(house: House) -> bool:
    connection = await asyncpg.connect(house.database_url)
    try:
        return not await cursors.is_waiting(connection, await cursors.load_cursor(connection, "relay"))
    finally:
        await connection.close()


async def every_column(house: House) -> dict[str, str]:
    """Every table as text, but those that exist for the secrets."""
    connection = await asyncpg.connect(house.database_url)
    try:
        names = await connection.fetch(
            "select table_name from information_schema.tables where table_schema = 'public' order by 1"
        )
        tables = [row["table_name"] for row in names if row["table_name"] not in SECRET_TABLES]
        return {
            table: "\n".join(row["line"] for row in await connection.fetch(f'select t::text as line from "{table}" t'))
            for table in tables
        }
    finally:
        await connection.close()


async def test_the_tables_that_everybody_may_read_hold_no_secret(evening: Evening) -> None:
    tables = await every_column(evening.house)
    assert {"bids", "auctions", "event_logs", "sessions", "users"} <= set(tables)
    for table, text in tables.items():
        assert evening.found_in(text) == [], table
    for table in ("bids", "auctions", "event_logs", "sessions"):
        assert tables[table], f"{table} is empty: nothing was looked at"


async def test_the_secrets_are_where_they_belong_so_that_this_search_can_find_something(evening: Evening) -> None:
    connection = await asyncpg.connect(evening.house.database_url)
    try:
        text = "\n".join(
            [
                row["line"]
                for table in SECRET_TABLES
                for row in await connection.fetch(f"select t::text as line from {table} t")
            ]
        )
    finally:
        await connection.close()
    found = evening.found_in(text)
    assert {"reserve", "standing maximum", "superseded maximum above the price", "sealed bid"} <= set(found)


async def test_answers_to_anybody_hold_no_secret(evening: Evening, client: httpx.AsyncClient) -> None:
    for lot in evening.lots.values():
        for path in ("", "/bids", "/log"):
            answer = await client.get(f"{API}/auctions/{lot}{path}")
            assert answer.status_code == 200
            assert evening.found_in(answer.text) == [], path
    for path in (f"{API}/auctions", "/metrics", "/readyz", "/healthz", "/api/openapi.json", f"{API}/house-key"):
        assert evening.found_in((await client.get(path)).text) == [], path
    for text in evening.said:
        assert evening.found_in(text) == [], text


async def test_redis_holds_no_secret(evening: Evening, redis_url: str) -> None:
    store = redis.Redis.from_url(redis_url)
    try:
        texts = [f"{key!r} {await store.get(key)!r}" async for key in store.scan_iter()]
    finally:
        await store.aclose()
    assert any("auction:price" in text for text in texts)
    for text in texts:
        assert evening.found_in(text) == []


async def test_no_file_of_the_house_but_its_key_holds_a_secret(evening: Evening, log_folder: Path) -> None:
    files = [path for path in evening.house.settings.data_dir.rglob("*") if path.is_file()]
    logs = [path for path in files if path.is_relative_to(log_folder)]
    assert logs, "nothing was logged"
    for path in files:
        if path == evening.house.settings.data_dir / HOUSE_KEY_FILE:
            assert path.stat().st_mode & 0o077 == 0
            assert path.parent.stat().st_mode & 0o077 == 0
            continue
        assert evening.found_in(path.read_text(errors="replace")) == [], path


async def test_a_crash_in_the_engine_logs_and_tells_no_secret(
    evening: Evening,
    engine: AuctionEngine,
    monkeypatch: pytest.MonkeyPatch,
    log_folder: Path,
    client: httpx.AsyncClient,
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a fault of ours")

    _, headers = await signed_in(client, "cy")
    with monkeypatch.context() as patched:
        patched.setattr(rules, "decide", broken)
        answer = await client.post(
            f"{API}/auctions/{evening.lots['english']}/bids",
            json={"currency": "ETH", "max_amount": STANDING},
            headers=headers,
        )
    assert answer.status_code == 503
    # the database refuses a row: its message shows the values of the row
    user = await a_user(evening.house)
    broken_bid = a_bid(engine, evening.lots["english"], user, None, STANDING, confirm=True, key="nul")
    for change in ({"idempotency_key": "nul\x00"}, {"idempotency_key": "k" * 201}):
        with pytest.raises(SothebaisError) as told:
            await engine.place(replace(broken_bid, **change))
        assert evening.found_in("".join(traceback.format_exception(told.value))) == []
    texts = [path.read_text() for path in log_folder.rglob("*.log")]
    assert any("batch_crashed" in text for text in texts)
    for text in [answer.text, *texts]:
        assert evening.found_in(text) == []
        assert headers["authorization"].split()[1] not in text


async def test_what_is_beaten_or_missed_is_published_and_nothing_else(
    evening: Evening, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    operator = await a_user(evening.house, "operator")
    for lot in evening.lots.values():
        await step(engine, lot, "END", actor=operator)
    english = (await client.get(f"{API}/auctions/{evening.lots['english']}/log")).text
    # PASSED for want of its reserve, which is opened; the leader's maxima stay what they are
    assert set(evening.found_in(english)) == {"reserve", *reserve_salts(evening, english)}
    sealed = (await client.get(f"{API}/auctions/{evening.lots['sealed']}/log")).text
    assert {"sealed bid", "salt of the sealed bid", "reserve"} <= set(evening.found_in(sealed))
    assert "standing maximum" not in evening.found_in(sealed)


def reserve_salts(evening: Evening, text: str) -> set[str]:
    found = {name for name in evening.found_in(text) if name.startswith("salt of reserve")}
    assert len(found) == 1
    return found


async def test_a_cancelled_lot_takes_its_secrets_along(
    evening: Evening, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    operator = await a_user(evening.house, "operator")
    for lot in evening.lots.values():
        await step(engine, lot, "CANCEL", actor=operator)
        assert evening.found_in((await client.get(f"{API}/auctions/{lot}/log")).text) == []


async def test_an_answer_does_not_show_its_secret_to_whoever_prints_it(house: House, engine: AuctionEngine) -> None:
    lot = await an_open_lot(house, engine)
    answer = await bid(engine, lot, await a_user(house), "1", "7.7665001")
    assert isinstance(answer, Answer)
    assert "7.7665001" not in str(answer.data)
    assert "7.7665001" not in json.dumps(answer.event.data.decode())


SECRET_SETTINGS = {
    "database_url": "postgresql://sothebais:swordfish@127.0.0.1/house",
    "redis_url": "redis://:swordfish@127.0.0.1:6379/0",
    "house_key": "5eC4e7" * 10 + "abcd",
}


def test_settings_do_not_show_their_secrets(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, **SECRET_SETTINGS)
    for text in (repr(settings), str(settings), repr(settings.model_dump()), settings.model_dump_json()):
        assert "swordfish" not in text
        assert "5eC4e7" not in text


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "SOTHEBAIS_HOUSE_KEY"])
def test_a_wrong_secret_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = "swordfish://user:hunter2@nowhere:5"
    monkeypatch.setenv("SOTHEBAIS_DATA_DIR", str(tmp_path / "data"))
    for other in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.setenv(
            other, "postgresql://127.0.0.1:1/house" if other == "DATABASE_URL" else "redis://127.0.0.1:1/0"
        )
    monkeypatch.setenv(name, wrong)

    async def use() -> None:
        settings = load()
        load_house_key(settings)
        async with open_house(settings) as house:
            store = house.store()
            try:
                await store.ping()
            finally:
                await store.close()

    with pytest.raises(Exception) as refused:
        asyncio.run(use())
    shown = str(refused.value)
    assert "hunter2" not in shown
    assert not re.search(r"swordfish://user", shown)
