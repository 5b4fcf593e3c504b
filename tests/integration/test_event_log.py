"""The event log: append-only, read in order without a loss, relayed and consumed durably, on real servers."""

import asyncio
import contextlib
import math
import random
import shutil
import subprocess
import tempfile
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
import uvloop
from tests.fakes.house import (
    Administrator,
    a_lot,
    a_user,
    an_open_lot,
    bid,
    eventually,
    running,
    running_engine,
    whole_log,
    with_database,
)

from sothebais import ids
from sothebais.auctions import audit, hotpath
from sothebais.auctions.batch import Batch
from sothebais.auctions.commands import PlaceBid
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.model import Source
from sothebais.bootstrap import House
from sothebais.clock import SystemClock
from sothebais.config import Settings
from sothebais.db.engine import connect, create_engine
from sothebais.embedded import EmbeddedServers, binaries
from sothebais.errors import OutcomeUnknown
from sothebais.events import cursors, dead_letters, log, relay, replay
from sothebais.events.cursors import DurableConsumer, LoggedEvent
from sothebais.events.log import START, Position
from sothebais.state import keys
from sothebais.state.store import StateStore, Write

LATENCY_EVENTS_PER_S = 1_000
LATENCY_S = 3.0
LATENCY_P99_MS_MAX = 50.0
LATENCY_ROUNDS = 3

_ALL = "select id, n, subject, epoch, xid::text::bigint as xid, seq from event_logs order by epoch, xid, seq"
_INSERT = """
insert into event_logs (id, epoch, timestamp, type, source, subject, data)
values ($1, 1, now(), 'system:config', 'event-handler', $2, '{}')
"""


async def write_event(connection: Any, subject: str = "system:test") -> UUID:
    """One event outside any lot, in the connection's transaction; its id."""
    event = ids.new_id()
    await connection.execute(_INSERT, event, subject)
    return event


@contextlib.asynccontextmanager
async def connections(dsn: str, number: int) -> AsyncIterator[list[Any]]:
    made = [await connect(dsn, name=f"test-{index}") for index in range(number)]
    try:
        yield made
    finally:
        for one in made:
            one.terminate()


@pytest.mark.parametrize(
    "statement",
    ["update event_logs set type = 'forged'", "delete from event_logs", "truncate event_logs cascade"],
)
async def test_the_database_itself_refuses_to_change_the_log(house: House, connection: Any, statement: str) -> None:
    await a_lot(house)
    before = await connection.fetch("select * from event_logs")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await connection.execute(statement)
    assert await connection.fetch("select * from event_logs") == before


# order and completeness


async def _write_batches(dsn: str, lots: list[UUID], users: list[UUID], *, seed: int, batches: int) -> int:
    """Batches over two or three lots in any order, some rolled back, other events between; how many were kept."""
    rng = random.Random(seed)
    cache, clock, kept = hotpath.TermsCache(), SystemClock(), 0
    connection = await connect(dsn, name=f"writer-{seed}")
    try:
        for _ in range(batches):
            chosen = rng.sample(lots, rng.choice((2, 3)))
            commands = [
                PlaceBid(
                    bid=ids.new_id(),
                    auction=lot,
                    user=rng.choice(users),
                    amount=Decimal(rng.randrange(1, 10_000)),
                    max_amount=None,
                    currency="ETH",
                    confirm=True,
                    source=Source.API,
                    received_at=(now := clock.now()),
                    effective_at=now,
                )
                for lot in chosen
            ]
            if rng.random() < 0.2:  # an event that is not a lot's, whose transaction is long under way
                async with connection.transaction():
                    await write_event(connection)
                    await asyncio.sleep(rng.random() * 0.01)
            await connection.execute("begin")
            await Batch(connection, cache, commands).run()
            await asyncio.sleep(rng.random() * 0.003)
            keep = rng.random() > 0.25
            await connection.execute("commit" if keep else "rollback")
            kept += keep
        return kept
    finally:
        connection.terminate()


async def test_no_reader_loses_a_row_or_sees_a_lot_out_of_order_while_four_write(
    house: House, engine: AuctionEngine
) -> None:
    lots = [await an_open_lot(house, engine) for _ in range(5)]
    users = [await a_user(house) for _ in range(6)]
    seen: list[list[LoggedEvent]] = [[], []]
    done = asyncio.Event()

    async def read(into: list[LoggedEvent], limit: int) -> None:
        connection = await connect(house.database_url, name="reader")
        position = START
        try:
            while True:
                last_look = done.is_set()
                found = await cursors.read_after(connection, position, limit=limit)
                into += found
                position = found[-1].position if found else position
                if last_look and not found:
                    return
                await asyncio.sleep(0)
        finally:
            connection.terminate()

    readers = [asyncio.create_task(read(seen[0], 3)), asyncio.create_task(read(seen[1], 1_000))]
    try:
        writers = [_write_batches(house.database_url, lots, users, seed=seed, batches=60) for seed in range(4)]
        kept = await asyncio.gather(*writers)
    finally:
        done.set()
    await asyncio.wait_for(asyncio.gather(*readers), 30)

    async with connections(house.database_url, 1) as (connection,):
        rows = await connection.fetch(_ALL)
    assert 100 < sum(kept) < 240  # some were rolled back
    for events in seen:
        assert [event.id for event in events] == [row["id"] for row in rows]
        by_lot = defaultdict(list)
        for event in events:
            by_lot[event.subject].append(event.n)
        for lot in lots:
            numbers = by_lot[f"auction:{lot}"]
            assert numbers == list(range(1, len(numbers) + 1))


async def test_a_cursor_of_sequence_numbers_alone_loses_a_row(house: House) -> None:
    """Why a position is a pair: the control that the test above can fail."""
    by_seq = "select id, seq from event_logs where seq > $1 order by seq"
    async with connections(house.database_url, 3) as (slow, quick, reader):
        transaction = slow.transaction()
        await transaction.start()
        late = await write_event(slow)
        early = await write_event(quick)

        naive = await reader.fetch(by_seq, 0)
        assert [row["id"] for row in naive] == [early]
        assert await cursors.read_after(reader, START) == [], "nothing may be read past an open transaction"

        await transaction.commit()
        assert await reader.fetch(by_seq, naive[-1]["seq"]) == [], "the row that was committed later is lost for good"
        assert [event.id for event in await cursors.read_after(reader, START)] == [late, early]


async def test_even_behind_the_oldest_open_transaction_sequence_numbers_lose_a_row(house: House) -> None:
    by_seq = """select id, seq from event_logs where seq > $1 and xid < pg_snapshot_xmin(pg_current_snapshot())
    order by seq"""
    async with connections(house.database_url, 3) as (first, second, reader):
        older, newer = first.transaction(), second.transaction()
        await older.start()
        await first.execute("select pg_current_xact_id()")
        await newer.start()
        in_newer = await write_event(second)
        in_older = await write_event(first)  # the higher number in the older transaction
        await older.commit()

        naive = await reader.fetch(by_seq, 0)
        assert [row["id"] for row in naive] == [in_older]
        read = await cursors.read_after(reader, START)
        assert [event.id for event in read] == [in_older]

        await newer.commit()
        assert await reader.fetch(by_seq, naive[-1]["seq"]) == []
        assert [event.id for event in await cursors.read_after(reader, read[-1].position)] == [in_newer]


async def test_writing_before_all_locks_are_held_turns_a_lot_round(house: House, engine: AuctionEngine) -> None:
    """Why the lots' advisory locks come before the first write: the same two writers without and with them."""
    lot, ana = await an_open_lot(house, engine), await a_user(house)
    append = """insert into event_logs (id, epoch, timestamp, type, source, subject, n, hash, prev_hash, data)
    values ($1, 1, now(), 'auction:forged', 'auction-engine', 'auction:other', $2, '\\x00', '\\x00', '{}')"""
    async with connections(house.database_url, 2) as (early, late):
        transaction = early.transaction()
        await transaction.start()
        await write_event(early)  # it has its transaction id now, and only then wants the lot
        await late.execute(append, ids.new_id(), 1)
        await early.execute(append, ids.new_id(), 2)
        await transaction.commit()
    events = await whole_log(house.database_url)
    assert [event.n for event in events if event.subject == "auction:other"] == [2, 1]

    async with connections(house.database_url, 1) as (holder,):
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("select pg_advisory_xact_lock($1)", hotpath.lock_key(lot))
        waiting = asyncio.create_task(bid(engine, lot, ana, "2"))

        async def is_waiting() -> bool:
            return bool(await holder.fetchval("select exists (select 1 from pg_locks where not granted)"))

        await eventually(is_waiting, "the engine waits for the lot")
        without_id = await holder.fetchval(
            "select bool_and(backend_xid is null) from pg_stat_activity where wait_event_type = 'Lock'"
        )
        await transaction.rollback()
        assert (await waiting).accepted
    assert without_id, "whoever waits for a lot has no transaction id yet"


# epochs


@pytest.fixture
def other_server() -> Iterator[str]:
    """A second, new PostgreSQL; its address."""
    folder = Path(tempfile.mkdtemp(prefix="so-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with EmbeddedServers(folder / "data", valkey=False) as started:
            assert started.database_url is not None
            yield started.database_url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str, *arguments: str, folder: Path) -> None:
    program = binaries.find_postgres(folder, None, None).bin / name
    found = str(program) if program.is_file() else shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is missing")
    subprocess.run([found, *arguments], check=True, timeout=60, capture_output=True)


async def test_after_a_restore_elsewhere_a_reader_with_an_old_cursor_loses_and_repeats_nothing(
    house: House, engine: AuctionEngine, administrator: Administrator, other_server: str, tmp_path: Path
) -> None:
    async with connections(house.database_url, 1) as (connection,):
        for _ in range(400):  # so that the new server's transaction ids are the lower ones
            await connection.execute("select pg_current_xact_id()")
    lot, ana, bo = await an_open_lot(house, engine), await a_user(house), await a_user(house)
    for amount in ("2", "3", "4"):
        await bid(engine, lot, ana if amount == "3" else bo, amount)
    before = await whole_log(house.database_url)
    read, cursor = before[:3], before[2].position

    dump = tmp_path / "dump"
    await asyncio.to_thread(
        _program, "pg_dump", "--format=custom", f"--file={dump}", house.database_url, folder=tmp_path
    )
    other = Administrator(other_server)
    try:
        restored_url = other.create("restored")
        await asyncio.to_thread(
            _program, "pg_restore", "--exit-on-error", f"--dbname={restored_url}", str(dump), folder=tmp_path
        )
    finally:
        other.close()
    assert restored_url == with_database(other_server, "restored")

    pool = create_engine(restored_url, name="restored", pool_size=2)
    restored = House(house.settings, restored_url, house.redis_url, pool)
    try:
        async with pool.begin() as opened:
            assert await log.ensure_epoch(opened) == 2
        async with pool.begin() as opened:
            assert await log.ensure_epoch(opened) == 2, "a second start in the same cluster begins nothing"
        async with running_engine(restored, "restored") as second:
            for amount in ("5", "6"):
                assert (await bid(second, lot, ana if amount == "5" else bo, amount)).accepted
        after = await whole_log(restored_url, after=cursor)
    finally:
        await pool.dispose()

    new = [event for event in after if event.position.epoch == 2]
    assert len(new) == 2
    assert new[0].position.xid < cursor.xid, "the new server counts from lower down, which is what epochs are for"
    assert [event.id for event in read + after] == [event.id for event in before] + [event.id for event in new]
    of_lot = [msgspec.json.decode(event.message()) for event in read + after if event.subject == f"auction:{lot}"]
    assert [event["n"] for event in of_lot] == list(range(1, 8))
    assert audit.verify(of_lot).price == "6"


# durable consumers


class Effects:
    """A handler whose effect is a row beside the cursor; it fails for the events it is told to."""

    def __init__(self) -> None:
        self.tries: Counter[UUID] = Counter()
        self.failing: dict[UUID, int] = {}
        self.error: Exception = ValueError("not this one")
        self.started: asyncio.Queue[UUID] = asyncio.Queue()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, connection: Any, event: LoggedEvent) -> None:
        self.tries[event.id] += 1
        self.started.put_nowait(event.id)
        await connection.execute("insert into effects (event_id) values ($1)", event.id)
        await self.go_on.wait()
        if self.failing.get(event.id, 0) > 0:
            self.failing[event.id] -= 1
            raise self.error


@pytest.fixture
async def effects(connection: Any) -> Effects:
    await connection.execute("create table effects (number bigint generated always as identity, event_id uuid)")
    return Effects()


async def _effects(connection: Any) -> list[UUID]:
    return [row["event_id"] for row in await connection.fetch("select event_id from effects order by number")]


def _consumer(house: House, effects: Effects, **given: Any) -> DurableConsumer:
    options: dict[str, Any] = {"attempts_max": 3, "backoff_s": 0.01, "rng": random.Random(1)} | given
    return DurableConsumer(house.database_url, "test", effects, **options)


async def _reaches_end(connection: Any) -> None:
    end = await replay.end_of_log(connection)

    async def look() -> bool:
        return await cursors.load_cursor(connection, "test") >= end

    await eventually(look, "the consumer reads to the end")


async def test_an_effect_and_its_cursor_are_committed_together_however_often_the_consumer_is_cut_off(
    house: House, connection: Any, effects: Effects
) -> None:
    written = [await write_event(connection) for _ in range(60)]
    cut = 0
    async with running(_consumer(house, effects).run()):
        while len(effects.tries) < len(written):
            await asyncio.wait_for(effects.started.get(), 20)
            if effects.started.qsize() == 0 and cut < 8 and len(effects.tries) > cut * 6:
                cut += await connection.fetchval(
                    "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                    " where application_name = 'sothebais-consumer-test' and datname = current_database()"
                )
        await _reaches_end(connection)
    assert cut >= 5
    assert await _effects(connection) == written
    assert await dead_letters_of(house) == []


async def dead_letters_of(house: House) -> list[dead_letters.Letter]:
    async with house.engine.connect() as opened:
        return await dead_letters.waiting(opened, "test", limit=100)


async def test_a_handler_that_fails_is_tried_again_and_its_failed_tries_leave_nothing(
    house: House, connection: Any, effects: Effects
) -> None:
    first, second = [await write_event(connection) for _ in range(2)]
    effects.failing[first] = 2
    async with running(_consumer(house, effects).run()):
        await _reaches_end(connection)
    assert effects.tries == {first: 3, second: 1}
    assert await _effects(connection) == [first, second]
    assert await dead_letters_of(house) == []


@pytest.mark.parametrize("error", [ValueError("no such thing"), ConnectionRefusedError("a webhook that is down")])
async def test_an_event_that_cannot_be_handled_goes_to_the_dead_letters_and_the_consumer_goes_on(
    house: House, connection: Any, effects: Effects, error: Exception
) -> None:
    bad, good = [await write_event(connection) for _ in range(2)]
    effects.failing[bad], effects.error = 10**6, error
    async with running(_consumer(house, effects).run()):
        await _reaches_end(connection)
        (letter,) = await dead_letters_of(house)
        assert (letter.event, letter.attempts, effects.tries[bad]) == (bad, 3, 3)
        assert str(error) in letter.error
        assert await _effects(connection) == [good]

        # somebody has mended the handler and asks for another try
        effects.failing[bad] = 0
        async with house.engine.begin() as opened:
            await dead_letters.requeue(opened, str(letter.id))

        async def tried() -> bool:
            return await _effects(connection) == [good, bad]

        await eventually(tried, "the letter is tried again")
    assert await connection.fetchval("select count(*) from dead_letters") == 0


async def test_a_letter_that_fails_again_waits_again_and_can_be_dropped(
    house: House, connection: Any, effects: Effects
) -> None:
    bad = await write_event(connection)
    effects.failing[bad] = 10**6
    async with running(_consumer(house, effects).run()):
        await _reaches_end(connection)
        (letter,) = await dead_letters_of(house)
        async with house.engine.begin() as opened:
            await dead_letters.requeue(opened, str(letter.id))

        async def back() -> list[dead_letters.Letter]:
            return [one for one in await dead_letters_of(house) if one.attempts == 6]

        await eventually(back, "the letter is back")
    async with house.engine.begin() as opened:
        await dead_letters.drop(opened, str(letter.id))
    assert await dead_letters_of(house) == []
    assert await _effects(connection) == []


async def test_a_replay_without_a_filter_sets_a_running_consumer_back(
    house: House, connection: Any, effects: Effects
) -> None:
    written = [await write_event(connection) for _ in range(5)]
    async with running(_consumer(house, effects).run()):
        await _reaches_end(connection)
        rows = await whole_log(house.database_url)
        assert await replay.replay(connection, "test", rows[1].position) == 3

        async def again() -> bool:
            return await _effects(connection) == written + written[2:]

        await eventually(again, "the events are handled again")


async def test_a_cursor_set_back_in_the_middle_of_an_event_undoes_that_event_first(
    house: House, connection: Any, effects: Effects
) -> None:
    written = [await write_event(connection) for _ in range(3)]
    effects.go_on.clear()
    async with running(_consumer(house, effects).run()):
        await effects.started.get()
        effects.go_on.set()
        await effects.started.get()
        effects.go_on.clear()
        while effects.started.qsize():
            effects.started.get_nowait()
        await replay.replay(connection, "test", START)
        effects.go_on.set()
        await _reaches_end(connection)
        assert (await _effects(connection))[-3:] == written
    counted = Counter(await _effects(connection))
    assert counted[written[0]] == 2
    assert counted[written[2]] in (1, 2)


async def test_a_filtered_replay_shows_only_what_matches_and_leaves_the_cursor(
    house: House, connection: Any, effects: Effects
) -> None:
    written = [await write_event(connection, f"system:{name}") for name in ("a", "b", "a", "b")]
    async with running(_consumer(house, effects).run()):
        await _reaches_end(connection)
        before = await cursors.load_cursor(connection, "test")
        assert await replay.replay(connection, "test", START, event_type="system:config", subject="system:b") == 2
        assert await replay.replay(connection, "test", START, event_type="system:other") == 0

        async def again() -> bool:
            return await _effects(connection) == [*written, written[1], written[3]]

        await eventually(again, "the two events are handled again")
        assert await cursors.load_cursor(connection, "test") == before
    assert await connection.fetchval("select count(*) from dead_letters") == 0


async def test_a_consumer_of_some_types_passes_over_the_others(house: House, connection: Any, effects: Effects) -> None:
    await write_event(connection)
    await a_lot(house)
    async with running(_consumer(house, effects, types=frozenset({"auction:scheduled"})).run()):
        await _reaches_end(connection)
    assert len(await _effects(connection)) == 1


# the relay


@contextlib.asynccontextmanager
async def listening(store: StateStore) -> AsyncIterator[list[tuple[str, float, dict[str, Any]]]]:
    """What arrives on the five channels: channel, loop time, message."""
    heard: list[tuple[str, float, dict[str, Any]]] = []
    subscription = store.subscription()
    await subscription.subscribe(*keys.Channel)
    loop = asyncio.get_running_loop()

    async def listen() -> None:
        async for message in subscription.listen():
            if message["type"] == "message":
                heard.append((message["channel"].decode(), loop.time(), msgspec.json.decode(message["data"])))

    try:
        async with running(listen()):
            yield heard
    finally:
        await subscription.aclose()


_ONE_OF_EACH = {
    "campaign:start": "events:auction",
    "stream:error": "events:stream",
    "agent:message": "events:agent",
    "user:connect": "events:user",
    "system:startup": "events:system",
}


async def test_the_relay_publishes_in_the_order_of_the_log_to_the_channel_of_each_type(
    house: House, store: StateStore, connection: Any
) -> None:
    async with listening(store) as heard, running(house.relay(store).run()):
        for number in range(20):
            async with house.engine.begin() as opened:
                for kind in _ONE_OF_EACH:
                    await log.append(opened, [log.event(kind, f"user:{number}", {}, at=house.now())])
        events = await whole_log(house.database_url)

        async def all_heard() -> bool:
            return len(heard) >= len(events)

        await eventually(all_heard, "everything is published")
    assert [message["id"] for _, _, message in heard] == [str(event.id) for event in events]
    assert [message["position"] for _, _, message in heard] == [str(event.position) for event in events]
    assert {message["type"]: channel for channel, _, message in heard} == _ONE_OF_EACH


async def test_an_older_state_never_replaces_a_newer_one(store: StateStore) -> None:
    for n, kept in ((5, 5), (4, 5), (5, 5), (6, 6), (1, 6)):
        await store.apply([Write("auction:x", n, b'{"n":%d}' % n)], [], None)
        assert await store.get("auction:x") == b'{"n":%d}' % kept


async def test_when_the_leading_relay_loses_its_connection_another_takes_over_without_a_gap(
    house: House, store: StateStore, connection: Any
) -> None:
    relays = {
        name: relay.Relay(house.database_url, store, house.projectors(), name=name) for name in ("first", "second")
    }

    async def leader() -> str | None:
        leading = [name for name, one in relays.items() if one.leading]
        assert len(leading) <= 1
        return leading[0] if leading else None

    async def cut(name: str) -> int:
        found: int = await connection.fetchval(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = $1",
            f"sothebais-{name}",
        )
        return found

    async with listening(store) as heard, running(relays["first"].run()):
        assert await eventually(leader, "a relay leads") == "first"
        async with running(relays["second"].run()):

            async def both() -> bool:
                names = ["sothebais-first", "sothebais-second"]
                return (
                    await connection.fetchval(
                        "select count(*) from pg_stat_activity where application_name = any($1::text[])", names
                    )
                    == 2
                )

            await eventually(both, "the second relay waits")
            written = [await write_event(connection) for _ in range(10)]
            assert await cut("first") == 1
            written += [await write_event(connection) for _ in range(10)]

            async def taken_over() -> bool:
                return await leader() is not None

            await eventually(taken_over, "a relay leads again")
            written += [await write_event(connection) for _ in range(10)]

            async def all_heard() -> bool:
                return {message["id"] for _, _, message in heard} == set(map(str, written))

            await eventually(all_heard, "everything is published")
    # at least once, in order: what is new at each place comes in the order of the log
    fresh = list(dict.fromkeys(message["id"] for _, _, message in heard))
    assert fresh == list(map(str, written))


def test_a_relay_whose_connection_is_cut_at_any_moment_begins_again(settings: Settings) -> None:
    """On the event loop that the services use: it shows a lost connection in other ways than asyncio's own."""
    assert settings.database_url is not None
    assert settings.redis_url is not None
    database_url, redis_url = settings.database_url.get_secret_value(), settings.redis_url.get_secret_value()
    rng = random.Random(3)

    async def cut_and_write() -> None:
        pool = create_engine(database_url, name="test", pool_size=1)
        house = House(settings, database_url, redis_url, pool)
        store = house.store()
        following = house.relay(store)
        async with connections(database_url, 1) as (connection,), running(following.run()) as (task,):
            cut, written = 0, ids.new_id()
            while cut < 15:
                assert not task.done(), task.exception()
                for _ in range(rng.randrange(1, 6)):
                    written = await write_event(connection)
                    await connection.execute(f"notify {log.DOORBELL}")
                if following.leading and rng.random() < 0.5:
                    cut += await connection.fetchval(
                        "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                        " where application_name = 'sothebais-relay' and datname = current_database()"
                    )
                await asyncio.sleep(rng.random() * 0.01)

            async def published() -> bool:
                end = await replay.end_of_log(connection)
                return following.leading and following.position == end

            await eventually(published, f"everything up to {written} is published")
        await store.close()
        await pool.dispose()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(cut_and_write())


async def test_a_long_write_transaction_stalls_the_tail_and_the_metric_says_so(
    house: House, store: StateStore, connection: Any
) -> None:
    async def stalled_for_a_while() -> bool:
        return relay.STALLED._value.get() > 0.3

    async with listening(store) as heard, running(house.relay(store).run()):
        async with connections(house.database_url, 1) as (long,):
            transaction = long.transaction()
            await transaction.start()
            await long.execute("select pg_current_xact_id()")
            written = await write_event(connection)
            await eventually(stalled_for_a_while, "the stall is measured")
            assert heard == []
            await transaction.rollback()

        async def published() -> bool:
            return [message["id"] for _, _, message in heard] == [str(written)] and not relay.STALLED._value.get()

        await eventually(published, "the tail moves again")


async def _latencies_ms(
    house: House, engine: AuctionEngine, heard: list[tuple[str, float, dict[str, Any]]]
) -> list[float]:
    """Bids at a thousand a second; for each event the time from its acknowledged commit to its arrival."""
    lots = [await an_open_lot(house, engine) for _ in range(10)]
    users = [await a_user(house) for _ in range(10)]
    loop = asyncio.get_running_loop()
    committed: dict[str, float] = {}
    late: list[int] = []

    async def place(number: int) -> None:
        lot, user = lots[number % 10], users[number // 10 % 10]
        try:
            answer = await bid(engine, lot, user, str(2 + number))
        except OutcomeUnknown:  # the machine stood still for longer than a commit may take
            late.append(number)
            return
        committed[str(answer.event.id)] = loop.time()

    begin, per_tick, tasks = loop.time(), 10, []
    for tick in range(round(LATENCY_EVENTS_PER_S * LATENCY_S) // per_tick):
        await asyncio.sleep(max(0.0, begin + tick * per_tick / LATENCY_EVENTS_PER_S - loop.time()))
        tasks += [asyncio.create_task(place(tick * per_tick + index)) for index in range(per_tick)]
    await asyncio.gather(*tasks)

    async def all_heard() -> bool:
        return committed.keys() <= {message["id"] for _, _, message in heard}

    await eventually(all_heard, "everything is published")
    arrived = {message["id"]: at for _, at, message in reversed(heard)}
    return sorted([(arrived[event] - at) * 1_000 for event, at in committed.items()] + [math.inf] * len(late))


@pytest.mark.quiet
async def test_a_committed_event_reaches_a_subscriber_within_50_ms_at_a_thousand_a_second(
    house: House, engine: AuctionEngine, store: StateStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """The best of three rounds: the machine is shared."""
    rounds = []
    async with listening(store) as heard, running(house.relay(store).run()):
        for _ in range(LATENCY_ROUNDS):
            found = await _latencies_ms(house, engine, heard)
            rounds.append(found[round(len(found) * 0.99) - 1])
            with capsys.disabled():
                print(
                    f"\ncommit to subscriber, {len(found)} events at {LATENCY_EVENTS_PER_S}/s: "
                    f"p50 {found[len(found) // 2]:.1f} ms, p99 {rounds[-1]:.1f} ms, max {found[-1]:.1f} ms"
                )
            if rounds[-1] < LATENCY_P99_MS_MAX:
                break
    assert min(rounds) < LATENCY_P99_MS_MAX


def test_a_position_is_read_back_from_its_text() -> None:
    position = Position(2, 4711, 42)
    assert Position.parse(str(position)) == position
    for text in ("", "1.2", "1.2.3.4", "1.2.x", "-1.2.3", "1.2.³"):
        with pytest.raises(ValueError, match="position"):
            Position.parse(text)


async def test_events_that_wait_are_handled_together_and_one_by_one_only_around_a_bad_one(
    house: House, connection: Any, effects: Effects
) -> None:
    async with connection.transaction():  # there together, so that the first look finds them all
        written = [await write_event(connection) for _ in range(25)]
    bad = written[13]
    effects.failing[bad] = 1_000
    async with running(_consumer(house, effects, together_max=10).run()):
        await _reaches_end(connection)
    assert await _effects(connection) == [event for event in written if event != bad]
    assert await connection.fetchval("select event_id from dead_letters") == bad
    assert effects.tries[bad] == 1 + 3  # once with the others, then as often as any other
    transactions = await connection.fetch("select xmin::text, count(*) as events from effects group by 1 order by 2")
    assert sorted(row["events"] for row in transactions) == [*[1] * 9, 5, 10]
