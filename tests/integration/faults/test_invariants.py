"""The invariants' own check: it finds what is wrong, and nothing where nothing is."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest
from tests.fakes.house import a_user, an_open_lot, bid, eventually, running, signed_in, whole_log

from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.db.engine import connect
from sothebais.rehearsal import faults, log_reading
from sothebais.rehearsal.faults import Acknowledged, Findings, check_invariants
from sothebais.state import keys
from sothebais.state.store import StateStore

SECRET = "1234.567891"


class Kept:
    """A house with a few bids over HTTP, and what their bidders were told."""

    def __init__(self, house: House, store: StateStore, lot: UUID, acknowledged: list[Acknowledged]) -> None:
        self.house = house
        self.store = store
        self.lot = lot
        self.acknowledged = acknowledged

    async def check(self, **more: Any) -> Findings:
        given: dict[str, Any] = {"acknowledged": self.acknowledged, "secrets": [SECRET]} | more
        return await check_invariants(
            self.house.database_url,
            self.store,
            self.house.projectors(),
            public_key=self.house.key().public,
            **given,
        )


@pytest.fixture
async def kept(
    house: House, engine: AuctionEngine, store: StateStore, client: httpx.AsyncClient
) -> AsyncIterator[Kept]:
    lot = await an_open_lot(house, engine)
    acknowledged = []
    async with running(house.relay(store).run()):
        for number, (handle, figures) in enumerate(
            (("ana", {"amount": "2"}), ("bo", {"amount": "3", "max_amount": SECRET}), ("ana", {"amount": "4"}))
        ):
            user, headers = await signed_in(client, handle)
            key = f"key-{number}"
            answer = await client.post(
                f"/api/v1/auctions/{lot}/bids",
                json={"currency": "ETH", "confirm": True} | figures,
                headers=headers | {"idempotency-key": key},
            )
            assert answer.status_code == 201
            acknowledged.append(Acknowledged(user=user, key=key, body=answer.json()))
        made = Kept(house, store, lot, acknowledged)
        assert (await made.check()).violations == []
        yield made


@pytest.fixture
def impatient(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which Redis can never come to agree; the fixture before it waits as long as it takes."""
    monkeypatch.setattr(faults, "REDIS_PATIENCE_S", 0.2)


def _with(one: Acknowledged, **receipt: Any) -> Acknowledged:
    body = dict(one.body) | {"receipt": dict(one.receipt) | receipt}
    return msgspec.structs.replace(one, body=body)


async def test_a_house_in_order_has_no_findings_and_says_what_was_looked_at(kept: Kept) -> None:
    findings = await kept.check()
    assert (findings.acknowledged, findings.bids, findings.lots, findings.events) == (3, 3, 1, 5)
    assert findings.texts > 10


async def test_a_bid_that_was_acknowledged_and_is_not_there_is_found(kept: Kept) -> None:
    lost = msgspec.structs.replace(kept.acknowledged[0], key="another")
    (violation,) = (await kept.check(acknowledged=[lost])).violations
    assert "is in the database 0 times" in violation


async def test_a_receipt_with_another_place_hash_or_signature_is_found(kept: Kept) -> None:
    for change in ({"n": 3}, {"hash": "00" * 32}):
        forged = _with(kept.acknowledged[2], **change)
        found = (await kept.check(acknowledged=[forged])).violations
        assert any("signature" in one for one in found)
        assert any("was changed" in one for one in found)
        assert any("does not verify" in one for one in found)


@pytest.mark.usefixtures("impatient")
async def test_a_row_changed_behind_the_logs_back_is_found(kept: Kept, connection: asyncpg.Connection) -> None:
    await connection.execute("update auctions set price = 99, last_number = 77 where id = $1", kept.lot)
    found = (await kept.check()).violations
    assert any("its row says 77" in one for one in found)
    assert any("its row says otherwise" in one for one in found)


@pytest.mark.usefixtures("impatient")
async def test_a_hole_in_the_bids_is_found(kept: Kept, connection: asyncpg.Connection) -> None:
    await connection.execute("delete from bid_secrets")
    await connection.execute("delete from bids where number = 1")
    found = (await kept.check()).violations
    assert any("is in the database 0 times" in one for one in found)
    assert any("numbered to" in one for one in found)


async def test_a_hole_in_the_log_is_found(kept: Kept, connection: asyncpg.Connection) -> None:
    await connection.execute("alter table event_logs disable trigger user")
    await connection.execute("delete from event_logs where n = 4")
    found = (await kept.check()).violations
    assert any("event 5 is read where 4 is due" in one for one in found)
    assert any("does not verify" in one for one in found)


async def _announce(connection: Any, house: House) -> UUID:
    """An event of nobody's lot, as a consumer of the log writes it."""
    event: UUID = await connection.fetchval(
        "insert into event_logs (id, epoch, timestamp, type, source, subject, data) values"
        " (gen_random_uuid(), 1, now(), 'system:config', 'event-handler', 'system:x', $1) returning id",
        '{"scope": "house", "changed": []}',
    )
    return event


async def test_events_written_while_the_log_is_read_are_nothing_wrong(
    kept: Kept, house: House, connection: asyncpg.Connection
) -> None:
    written = 0

    async def go_on() -> None:
        nonlocal written
        while True:
            await _announce(connection, house)
            written += 1

    async def much_is_written() -> bool:
        return written > 2 * log_reading.LOG_PAGE

    async with running(go_on()):
        await eventually(much_is_written, "more than a page is written")
        findings = await kept.check()
    assert findings.violations == []
    assert findings.events > 2 * log_reading.LOG_PAGE


async def test_a_reader_waits_for_what_an_older_transaction_holds_up_and_misses_nothing_of_it(
    kept: Kept, house: House, connection: asyncpg.Connection
) -> None:
    other = await connect(house.database_url, name="older")
    try:
        older = other.transaction()
        await older.start()
        held_up = await _announce(other, house)
        behind = await _announce(connection, house)
        checking = asyncio.create_task(kept.check())

        async def reads() -> bool:
            """The check has come to the log, where it may not go past the older transaction."""
            return bool(
                await connection.fetchval(
                    "select count(*) from pg_stat_activity where application_name = 'sothebais-invariants'"
                    " and query like '%pg_snapshot_xmin%'"
                )
            )

        await eventually(reads, "the check reads the log")
        assert not checking.done()
        await older.commit()
        findings = await checking
    finally:
        await other.close()
    assert findings.violations == []
    read = [event.id for event in await whole_log(house.database_url)]
    assert read[-2:] == [held_up, behind]
    assert findings.events == len(read)


async def test_an_event_that_never_becomes_readable_is_missed(
    kept: Kept, house: House, connection: asyncpg.Connection
) -> None:
    other = await connect(house.database_url, name="older")
    try:
        async with other.transaction():
            await other.execute("select pg_current_xact_id()")
            await _announce(connection, house)
            reading = await log_reading.read_whole(connection, patience_s=0.1)
    finally:
        await other.close()
    (fault,) = reading.faults
    assert "never got 1 events of 6" in fault


@pytest.mark.usefixtures("impatient")
async def test_a_redis_that_says_something_else_is_found(kept: Kept) -> None:
    value = msgspec.json.decode(await kept.store.get(keys.auction_price(kept.lot)) or b"{}")
    await kept.store._redis.set(keys.auction_price(kept.lot), msgspec.json.encode(value | {"price": "777"}))
    (violation,) = (await kept.check()).violations
    assert violation.startswith("Redis: ")


async def test_a_secret_is_found_wherever_it_turns_up_and_not_repeated_in_the_finding(
    kept: Kept, connection: asyncpg.Connection, tmp_path: Path
) -> None:
    log_file = tmp_path / "logs" / "service.log"
    log_file.parent.mkdir()
    log_file.write_text(f'{{"event": "bid", "most": {SECRET}}}')
    await kept.store._redis.set("cache:page", f"at most {SECRET.replace('.', '')}")
    await connection.execute(
        "insert into event_logs (id, epoch, timestamp, type, source, subject, data)"
        " values (gen_random_uuid(), 1, now(), 'system:config', 'event-handler', 'system:x', $1)",
        f'{{"note": "{SECRET}"}}',
    )
    found = (await kept.check(folders=[log_file.parent], heard=[f"refused above {SECRET}"])).violations
    for place in ("event_logs", "Redis cache:page", "service.log", "what others were told"):
        assert any(f"a secret amount stands in {place}" in one or place in one for one in found), place
    assert not [one for one in found if SECRET in one]


async def test_a_maximum_is_no_secret_any_more_once_it_is_beaten(
    kept: Kept, house: House, engine: AuctionEngine
) -> None:
    await bid(engine, kept.lot, await a_user(house), "2000")
    found = (await kept.check()).violations
    assert found, "its opening is in the log"
    assert all("secret amount" in one for one in found)
