"""The engine on a real PostgreSQL: what it keeps, what it refuses, and what it promises about time.

Where a test needs a bid to wait, another connection holds the lot's lock: nothing sleeps and hopes.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from decimal import Decimal as D
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace
from tests.fakes.house import (
    PATIENCE_S,
    Administrator,
    a_bid,
    a_collection,
    a_lot,
    a_user,
    advance,
    an_open_lot,
    bid,
    eventually,
    running,
    running_engine,
    status_of,
    step,
)
from tests.fakes.trials import HouseTime, bid_of, events_of, every_event_fits, row_of, rows_of, verified

from sothebais import ids
from sothebais.auctions import hotpath, receipts
from sothebais.auctions.answers import Answer
from sothebais.auctions.commands import AdvanceAuction
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.model import FixedIncrement, Source
from sothebais.bootstrap import House
from sothebais.campaigns import files
from sothebais.campaigns import service as campaigns
from sothebais.clock import from_datetime
from sothebais.errors import (
    Conflict,
    IdempotencyConflict,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    Unavailable,
)

EUROS = {"currency": "EUR", "decimals": 2, "starting_price": "10", "increment": FixedIncrement(D(1))}


@contextlib.asynccontextmanager
async def lot_locked(house: House, lot: UUID) -> AsyncIterator[Any]:
    """Nobody decides anything on this lot for as long as the block lasts."""
    connection = await asyncpg.connect(house.database_url)
    try:
        await connection.execute("begin")
        await connection.execute(f"select pg_advisory_xact_lock({hotpath.lock_key(lot)})")
        yield connection
        await connection.execute("rollback")
    finally:
        connection.terminate()


async def waits_for_the_lock(house: House, connection: Any) -> None:
    """Until an engine stands before a lot's lock."""

    async def look() -> bool:
        return bool(
            await connection.fetchval(
                "select exists (select 1 from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database()))"
            )
        )

    await eventually(look, "the engine waits for the lot's lock")


def submitted(engine: AuctionEngine, *commands: Any) -> list["asyncio.Task[Answer]"]:
    return [asyncio.ensure_future(engine.place(command)) for command in commands]


def told_alike(first: Answer, again: Answer, house: House) -> None:
    """The second answer is the first one, told again."""
    assert (again.bid, again.event.n, again.event.hash, again.data) == (
        first.bid, first.event.n, first.event.hash, first.data,
    )  # fmt: skip
    assert (again.position, again.event.timestamp, again.lot_number) == (
        first.position, first.event.timestamp, first.lot_number,
    )  # fmt: skip
    assert (first.repeated, again.repeated) == (False, True)
    if first.accepted:
        assert receipts.receipt(house.key(), again) == receipts.receipt(house.key(), first)


async def bids_kept(house: House) -> int:
    return int((await rows_of(house, "select count(*) as n from bids where source <> 'PROXY'"))[0]["n"])


# Idempotency


@pytest.mark.parametrize(("amount", "accepted"), [("1.5", True), ("0.5", False)])
async def test_the_same_key_repeats_the_first_answer_exactly_and_after_a_restart_too(
    house: House, engine: AuctionEngine, amount: str, accepted: bool
) -> None:
    lot, ana, bo = await an_open_lot(house, engine), await a_user(house), await a_user(house)
    first = await bid(engine, lot, ana, amount, "7" if accepted else None, key="k")
    assert first.accepted is accepted
    told_alike(first, await bid(engine, lot, ana, amount, "7" if accepted else None, key="k"), house)
    await bid(engine, lot, bo, "9")  # the standing has changed since; the answer has not
    told_alike(first, await bid(engine, lot, ana, amount, "7" if accepted else None, key="k"), house)
    async with running_engine(house, "restarted") as restarted:
        told_alike(first, await bid(restarted, lot, ana, amount, "7" if accepted else None, key="k"), house)
    assert await bids_kept(house) == 2


async def test_a_key_with_another_body_is_refused_and_changes_nothing(house: House, engine: AuctionEngine) -> None:
    lot, other = await an_open_lot(house, engine), await an_open_lot(house, engine)
    ana = await a_user(house)
    await bid(engine, lot, ana, "1.5", key="k")
    with pytest.raises(IdempotencyConflict):
        await bid(engine, lot, ana, "1.6", key="k")
    with pytest.raises(IdempotencyConflict):
        await bid(engine, other, ana, "1.5", key="k")
    assert await bids_kept(house) == 1
    assert (await row_of(house, other))["log_n"] == 2


async def test_a_key_that_two_processes_use_at_once_on_two_lots_is_one_bid_and_one_conflict(
    house: House, engine: AuctionEngine, connection: Any
) -> None:
    first, second, ana = await an_open_lot(house, engine), await an_open_lot(house, engine), await a_user(house)
    async with running_engine(house, "second") as other:
        # both have looked for the key before either can write it
        await connection.execute("begin; lock table bids in share mode")
        tasks = submitted(engine, a_bid(engine, first, ana, "1.5", key="k"))
        tasks += submitted(other, a_bid(other, second, ana, "1.5", key="k"))

        async def both_wait() -> bool:
            waiting = "select count(*) from pg_locks where relation = 'bids'::regclass and not granted"
            return bool(await connection.fetchval(waiting) == 2)

        await eventually(both_wait, "both engines wait to write")
        await connection.execute("rollback")
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Answer", "IdempotencyConflict"]
    assert await bids_kept(house) == 1
    for lot in (first, second):
        await verified(house, lot)


async def test_keys_are_each_user_s_own(house: House, engine: AuctionEngine) -> None:
    lot, ana, bo = await an_open_lot(house, engine), await a_user(house), await a_user(house)
    answers = [await bid(engine, lot, user, amount, key="k") for user, amount in ((ana, "1"), (bo, "2"))]
    assert [answer.repeated for answer in answers] == [False, False]


async def test_a_key_twice_in_one_batch_is_one_bid(house: House, engine: AuctionEngine) -> None:
    lot, ana = await an_open_lot(house, engine), await a_user(house)
    async with lot_locked(house, lot) as other:
        (blocker,) = submitted(engine, a_bid(engine, lot, ana, "1"))
        await waits_for_the_lock(house, other)
        waiting = submitted(
            engine,
            a_bid(engine, lot, ana, "1.5", "7", key="k"),
            a_bid(engine, lot, ana, "1.5", "7", key="k"),
            a_bid(engine, lot, ana, "1.6", key="k"),
        )
        await asyncio.sleep(0)
    await blocker
    first, again, conflict = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(first, Answer)
    assert isinstance(again, Answer)
    told_alike(first, again, house)
    assert isinstance(conflict, IdempotencyConflict)
    assert await bids_kept(house) == 2


async def test_a_key_whose_bid_was_voided_still_tells_its_first_answer(house: House, engine: AuctionEngine) -> None:
    lot, ana = await an_open_lot(house, engine), await a_user(house)
    first = await bid(engine, lot, ana, "1.5", key="k")
    await step(engine, lot, "VOID_BID", actor=ana, bid=first.bid)
    told_alike(first, await bid(engine, lot, ana, "1.5", key="k"), house)


# One bad bid must not spoil a batch


async def test_what_is_wrong_with_one_command_is_told_to_its_caller_only(house: House, engine: AuctionEngine) -> None:
    lot, ana, bo = await an_open_lot(house, engine, **EUROS), await a_user(house), await a_user(house)
    good = [a_bid(engine, lot, who, amount, currency="EUR") for who, amount in ((ana, "10"), (bo, "11"), (ana, "12"))]
    twin = a_bid(engine, lot, bo, "13", currency="EUR")
    commands = [
        good[0],
        a_bid(engine, ids.new_id(), ana, "10", currency="EUR"),
        a_bid(engine, lot, ids.new_id(), "10", currency="EUR"),
        a_bid(engine, lot, bo, "10.001", currency="EUR"),
        a_bid(engine, lot, bo, "2000000000", currency="EUR"),
        a_bid(engine, lot, bo, currency="EUR"),
        good[1],
        a_bid(engine, lot, bo, "NaN", currency="EUR"),
        replace(good[2]),
    ]
    results = await asyncio.gather(*submitted(engine, *commands), return_exceptions=True)
    kinds = [type(result) for result in results]
    expected = [Answer, NotFound, NotFound, InvalidInput, InvalidInput, InvalidInput, Answer, InvalidInput, Answer]
    assert all(issubclass(kind, one) for kind, one in zip(kinds, expected, strict=True)), kinds
    assert [result.accepted for result in results if isinstance(result, Answer)] == [True, True, True]
    # two bids with one id: the database refuses the second, and everybody else has an answer
    results = await asyncio.gather(
        *submitted(engine, twin, replace(twin, user=ana), a_bid(engine, lot, ana, "20", currency="EUR")),
        return_exceptions=True,
    )
    assert isinstance(results[0], Answer)
    assert isinstance(results[1], Unavailable)
    assert isinstance(results[2], Answer)
    await verified(house, lot)
    await every_event_fits(house)


async def test_text_that_the_database_cannot_hold_spoils_only_its_own_bid(house: House, engine: AuctionEngine) -> None:
    lot, ana = await an_open_lot(house, engine), await a_user(house)
    bad = replace(a_bid(engine, lot, ana, "1", key="k"), idempotency_key="nul\x00")
    long = replace(a_bid(engine, lot, ana, "1", key="k"), idempotency_key="k" * 201)
    results = await asyncio.gather(
        *submitted(engine, a_bid(engine, lot, ana, "1"), bad, long, a_bid(engine, lot, await a_user(house), "2")),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [Answer, Unavailable, Unavailable, Answer]
    assert await bids_kept(house) == 2
    await verified(house, lot)


# Bounds


async def test_the_queue_holds_as_many_as_it_says_and_not_one_more(house: House) -> None:
    house.settings = house.settings.model_copy(update={"bids_waiting_max": 3, "commit_timeout_s": PATIENCE_S})
    async with running_engine(house) as engine:
        lot, ana = await an_open_lot(house, engine), await a_user(house)
        async with lot_locked(house, lot) as other:
            inside = submitted(engine, a_bid(engine, lot, ana, "1"))
            await waits_for_the_lock(house, other)
            inside += submitted(engine, *(a_bid(engine, lot, ana, "1") for _ in range(3)))
            await asyncio.sleep(0)
            before = time.monotonic()
            with pytest.raises(Overloaded) as refused:
                await bid(engine, lot, ana, "1")
            assert time.monotonic() - before < 1
            assert refused.value.fields["retry_after"] >= 1
        assert len(await asyncio.gather(*inside)) == 4
    assert await bids_kept(house) == 4


async def test_a_batch_takes_as_many_as_it_says_in_order_of_arrival(house: House) -> None:
    house.settings = house.settings.model_copy(update={"batch_bids_max": 3, "commit_timeout_s": PATIENCE_S})
    async with running_engine(house) as engine:
        lot, people = await an_open_lot(house, engine), [await a_user(house), await a_user(house)]
        async with lot_locked(house, lot) as other:
            tasks = submitted(engine, a_bid(engine, lot, people[0], "1"))
            await waits_for_the_lock(house, other)
            tasks += submitted(engine, *(a_bid(engine, lot, people[i % 2], str(2 + i)) for i in range(7)))
            await asyncio.sleep(0)
        answers = await asyncio.gather(*tasks)
    assert all(
        answer.accepted for answer in answers if answer.data["user"] != str(people[0]) or answer.data["number"] > 2
    )
    assert [answer.data["number"] for answer in answers] == sorted(answer.data["number"] for answer in answers)
    batches: dict[int, int] = {}
    for answer in answers:
        batches[answer.position.xid] = batches.get(answer.position.xid, 0) + 1
    # two who came while the first one's lot was locked went with it, and no more than a batch may hold
    assert list(batches.values()) == [3, 3, 2]


async def test_who_comes_while_a_lot_is_locked_goes_with_its_batch_but_never_past_somebody_who_came_before(
    house: House, engine: AuctionEngine
) -> None:
    lot, another = [await an_open_lot(house, engine, number=number) for number in (1, 2)]
    people = [await a_user(house), await a_user(house)]
    async with lot_locked(house, lot) as other:
        tasks = submitted(engine, a_bid(engine, lot, people[0], "1"))
        await waits_for_the_lock(house, other)
        tasks += submitted(
            engine,
            a_bid(engine, lot, people[1], "2"),
            a_bid(engine, another, people[1], "3"),
            a_bid(engine, lot, people[0], "4"),
        )
        await asyncio.sleep(0)
    answers = await asyncio.gather(*tasks)
    assert [(answer.auction, answer.data["number"], answer.accepted) for answer in answers] == [
        (lot, 1, True),
        (lot, 2, True),
        (another, 1, True),
        (lot, 3, True),
    ]
    first, joined, behind, last = (answer.position.xid for answer in answers)
    assert first == joined < behind == last


async def test_nobody_joins_a_bid_being_voided(house: House, engine: AuctionEngine) -> None:
    lot, people = await an_open_lot(house, engine), [await a_user(house), await a_user(house)]
    voided = await bid(engine, lot, people[0], "5")
    async with lot_locked(house, lot) as other:
        voiding = asyncio.ensure_future(step(engine, lot, "VOID_BID", actor=people[1], bid=voided.bid))
        await waits_for_the_lock(house, other)
        (bidding,) = submitted(engine, a_bid(engine, lot, people[1], "1"))
        await asyncio.sleep(0)
    assert (await voiding).position.xid < (await bidding).position.xid
    assert (await bidding).accepted, "the lot is at its beginning again"


# When the database does not answer


async def test_a_commit_that_takes_too_long_is_of_unknown_outcome_and_may_be_sent_again(house: House) -> None:
    house.settings = house.settings.model_copy(update={"commit_timeout_s": 0.4})
    async with running_engine(house) as engine:
        lot, ana = await an_open_lot(house, engine), await a_user(house)
        async with lot_locked(house, lot) as other:
            inside = submitted(engine, a_bid(engine, lot, ana, "1.5", "7", key="k"))
            await waits_for_the_lock(house, other)
            inside += submitted(engine, a_bid(engine, lot, ana, "9", key="queued"))
            lost = await asyncio.gather(*inside, return_exceptions=True)
            assert [type(one) for one in lost] == [OutcomeUnknown, OutcomeUnknown]

        async def again() -> Answer | None:
            with contextlib.suppress(Unavailable):
                return await bid(engine, lot, ana, "1.5", "7", key="k")
            return None

        answer = await eventually(again, "the bid is taken")
        assert answer.accepted
        told = await bid(engine, lot, ana, "1.5", "7", key="k")
        assert (told.bid, told.event.hash) == (answer.bid, answer.event.hash)
    # the one whose caller had given up before its batch began was never decided
    assert [row["idempotency_key"] for row in await rows_of(house, "select * from bids")] == ["k"]


@contextlib.asynccontextmanager
async def database_gone(house: House, administrator: Administrator) -> AsyncIterator[None]:
    """Nobody can reach the house's database for as long as the block lasts; all connections are cut."""
    name = house.database_url.partition("?")[0].rsplit("/", 1)[1]
    administrator.do(administrator._execute(f'alter database "{name}" with allow_connections false'))
    await house.engine.dispose()
    administrator.do(
        administrator._execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
    )
    try:
        yield
    finally:
        administrator.do(administrator._execute(f'alter database "{name}" with allow_connections true'))


@pytest.mark.fault
async def test_without_a_database_bids_have_their_503_at_once_and_an_idle_engine_comes_back_by_itself(
    house: House, engine: AuctionEngine, administrator: Administrator
) -> None:
    lot, ana = await an_open_lot(house, engine), await a_user(house)
    async with database_gone(house, administrator):
        await eventually(disconnected(engine), "the engine sees that its connection is gone")
        for _ in range(3):
            before = time.monotonic()
            with pytest.raises(Unavailable) as refused:
                await bid(engine, lot, ana, "1.5", key="k")
            assert time.monotonic() - before < house.settings.commit_timeout_s
            assert "retry_after" in refused.value.fields
    # nobody bids meanwhile: it must not need a bid to notice
    await eventually(connected(engine), "the engine reconnects though nobody bids")
    assert (await bid(engine, lot, ana, "1.5", key="k")).accepted
    assert await bids_kept(house) == 1


@pytest.mark.fault
async def test_a_connection_that_is_cut_while_the_engine_is_idle_is_opened_again(
    house: House, engine: AuctionEngine
) -> None:
    lot, ana = await an_open_lot(house, engine), await a_user(house)
    await rows_of(
        house,
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
        " and application_name like 'sothebais-engine%'",
    )
    await eventually(disconnected(engine), "the engine sees that its connection is gone", patience_s=5)
    await eventually(connected(engine), "the engine reconnects though nobody bids", patience_s=5)
    assert (await bid(engine, lot, ana, "1.5")).accepted


def connected(engine: AuctionEngine) -> Any:
    async def look() -> bool:
        return engine.connected

    return look


def disconnected(engine: AuctionEngine) -> Any:
    """Whether the engine is, or was since, without its connection."""
    first = engine._connection

    async def look() -> bool:
        return not engine.connected or engine._connection is not first

    return look


@pytest.mark.fault
async def test_a_batch_whose_connection_dies_is_of_unknown_outcome_and_safe_to_send_again(
    house: House, engine: AuctionEngine
) -> None:
    lot, ana = await an_open_lot(house, engine), await a_user(house)
    async with lot_locked(house, lot) as other:
        (lost,) = submitted(engine, a_bid(engine, lot, ana, "1.5", key="k"))
        await waits_for_the_lock(house, other)
        await rows_of(
            house,
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
            " and application_name = 'sothebais-engine'",
        )
        with pytest.raises(OutcomeUnknown):
            await lost
    await eventually(connected(engine), "the engine reconnects")
    assert (await bid(engine, lot, ana, "1.5", key="k")).accepted
    assert await bids_kept(house) == 1


async def test_stopping_decides_what_is_in_hand_and_takes_nothing_new(house: House) -> None:
    engine = house.auction_engine()
    await engine.start()
    lot, people = await an_open_lot(house, engine), [await a_user(house), await a_user(house)]
    async with lot_locked(house, lot) as other:
        tasks = submitted(engine, a_bid(engine, lot, people[0], "1"))
        await waits_for_the_lock(house, other)
        tasks += submitted(engine, *(a_bid(engine, lot, people[i % 2], str(2 + i)) for i in range(5)))
        await asyncio.sleep(0)
        stopping = asyncio.ensure_future(engine.stop())
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await bid(engine, lot, people[0], "100")
    answers = await asyncio.gather(*tasks)
    await stopping
    assert len(answers) == await bids_kept(house) == 6
    with pytest.raises(Unavailable):
        await engine.submit(AdvanceAuction(auction=lot))


# Time stands still in the following tests until they move it


@pytest.fixture
async def now(house: House) -> AsyncIterator[HouseTime]:
    made = await HouseTime.of(house)
    yield made
    await made.close()


LENGTH, GRACE = 10_000, 2_000


async def a_timed_lot(house: House, engine: AuctionEngine, **terms: Any) -> UUID:
    quiet = {"extension_window": 0, "extension": 0}
    return await an_open_lot(house, engine, opens_in=0, lasts=LENGTH, **EUROS | quiet | terms)


async def test_no_bid_is_made_later_than_it_is_decided_and_no_post_older_than_it_may_be(
    house: House, now: HouseTime, engine: AuctionEngine
) -> None:
    lot = await a_timed_lot(house, engine, max_post_delay=1_500)
    start = await now.on(5_000)
    cases = [
        # source, received, effective, kept as
        (Source.API, start + 700, start + 700, start),
        (Source.POST, start, start - 1_000, start - 1_000),
        (Source.POST, start, start - 9_999, start - 1_500),
        (Source.POST, start - 100, start + 50, start - 100),
    ]
    for amount, (source, received, effective, kept) in enumerate(cases, start=10):
        who = await a_user(house)
        command = bid_of(lot, who, D(amount), at=start, source=source)
        answer = await engine.place(replace(command, received_at=received, effective_at=effective))
        assert answer.data["effective_at"] == kept, (source, effective - start)
    for row in await rows_of(house, "select effective_at, decided_at from bids"):
        assert row["effective_at"] <= row["decided_at"]


async def test_a_bid_made_in_time_counts_while_closing_and_one_made_late_does_not(
    house: House, now: HouseTime, engine: AuctionEngine
) -> None:
    lot, ana, bo = await a_timed_lot(house, engine), await a_user(house), await a_user(house)
    end = await now.on(LENGTH)
    await advance(engine, lot)
    assert await status_of(house, lot) == "CLOSING"
    await now.on(500)
    assert (await engine.place(bid_of(lot, ana, D(10), at=end - 1))).accepted
    late = await engine.place(bid_of(lot, bo, D(20), at=end))
    assert (late.accepted, late.data["reason"]) == (False, "ENDED")
    assert await status_of(house, lot) == "CLOSING"


async def test_the_grace_counts_from_the_committed_closing_and_not_from_the_end(
    house: House, now: HouseTime, engine: AuctionEngine
) -> None:
    lot = await a_timed_lot(house, engine)
    await now.on(LENGTH + 700)
    await advance(engine, lot)
    row = await row_of(house, lot)
    assert (row["status"], row["closing_at"]) == ("CLOSING", None), "nobody has seen it committed yet"
    seen = await now.on(1_500)
    await advance(engine, lot)
    assert from_datetime((await row_of(house, lot))["closing_at"]) == seen
    await now.to(seen + GRACE - 1)
    await advance(engine, lot)
    assert await status_of(house, lot) == "CLOSING"
    await now.on(1)
    await advance(engine, lot)
    assert await status_of(house, lot) == "ENDED"
    await verified(house, lot)


async def test_bids_that_waited_in_time_are_decided_before_the_lot_ends_in_the_same_commit(
    house: House, now: HouseTime, engine: AuctionEngine
) -> None:
    lot, ana, bo = await a_timed_lot(house, engine), await a_user(house), await a_user(house)
    end = await now.on(LENGTH)
    await advance(engine, lot)
    await advance(engine, lot)
    await now.on(10 * GRACE)
    look = engine.advance(AdvanceAuction(auction=lot))
    _, first, second = await asyncio.gather(
        look, engine.place(bid_of(lot, ana, D(10), at=end - 5)), engine.place(bid_of(lot, bo, D(20), at=end - 4))
    )
    assert (first.accepted, second.accepted) == (True, True)
    report = await verified(house, lot)
    assert (report.outcome, report.price, report.winner) == ("SOLD", "20", str(bo))


async def test_a_bid_made_in_time_re_opens_a_closing_lot_when_it_extends_it(
    house: House, now: HouseTime, engine: AuctionEngine
) -> None:
    soft = {"extension_window": 1_000, "extension": 3_000}
    lot, ana = await a_timed_lot(house, engine, **soft), await a_user(house)
    end = await now.on(LENGTH)
    await advance(engine, lot)
    await now.on(50)
    assert (await engine.place(bid_of(lot, ana, D(10), at=end - 1))).data["status"] == "ACTIVE"
    row = await row_of(house, lot)
    assert (from_datetime(row["ends_at"]), row["closing_at"]) == (end + 50 + 3_000, None)
    await verified(house, lot)


# Outages


async def test_an_outage_of_bidding_is_given_back_to_the_lots_it_hit_once(
    house: House, now: HouseTime, engine: AuctionEngine
) -> None:
    running_lot, paused = await a_timed_lot(house, engine), await a_timed_lot(house, engine)
    later = await a_lot(house, opens_in=60_000, lasts=LENGTH, **EUROS)
    await step(engine, paused, "PAUSE", actor=await a_user(house))
    ends = {lot: (await row_of(house, lot))["ends_at"] for lot in (running_lot, paused, later)}
    await house.auction_clock(engine).tick()  # the last sign of life
    await now.on(20_000)  # … until after its end
    for _ in range(2):  # two processes start again at once; one finds nothing left to do
        clock = house.auction_clock(engine)
        await clock.tick()
        await clock.close()
    moved = {lot: (await row_of(house, lot))["ends_at"] - ends[lot] for lot in ends}
    assert [length.total_seconds() for length in moved.values()] == [20, 0, 0]
    assert await status_of(house, running_lot) == "ACTIVE"
    timers = [event for event in await events_of(house, running_lot) if event["type"] == "auction:timer:updated"]
    assert [event["data"]["cause"] for event in timers] == ["bidding was out for 20000 ms"]
    await verified(house, running_lot)


async def test_a_short_gap_is_no_outage(house: House, now: HouseTime, engine: AuctionEngine) -> None:
    lot = await a_timed_lot(house, engine)
    before = (await row_of(house, lot))["ends_at"]
    for gap in (0, int(house.settings.outage_extends_s * 1000)):
        await now.on(gap)
        clock = house.auction_clock(engine)
        await clock.tick()
        await clock.close()
    assert (await row_of(house, lot))["ends_at"] == before


async def pulsed(house: House, engine: AuctionEngine) -> None:
    """A clock's sign of life."""
    clock = house.auction_clock(engine)
    await clock.tick()
    await clock.close()


@contextlib.asynccontextmanager
async def after_an_outage(
    house: House, now: HouseTime, engine: AuctionEngine, cause: str
) -> AsyncIterator[AuctionEngine]:
    """Nobody could bid for twenty seconds; the engine that is there afterwards. No clock has run yet."""
    if cause == "died":
        await engine.stop()
    await now.on(20_000)
    async with contextlib.AsyncExitStack() as stack:
        if cause == "died":
            engine = await stack.enter_async_context(running_engine(house, "restarted"))
        yield engine


@pytest.mark.parametrize("cause", ["died", "slept"])
async def test_the_first_bid_after_an_outage_is_judged_by_the_end_it_has_moved_though_no_clock_has_run(
    house: House, now: HouseTime, engine: AuctionEngine, cause: str
) -> None:
    lot, ana, end = await a_timed_lot(house, engine), await a_user(house), now.now() + LENGTH
    await pulsed(house, engine)
    async with after_an_outage(house, now, engine, cause) as again:
        answer = await again.place(bid_of(lot, ana, D(10), at=now.now()))
        assert (answer.accepted, answer.data["ends_at"]) == (True, end + 20_000)
        await pulsed(house, again)  # it is given back once
    row = await row_of(house, lot)
    assert (row["status"], from_datetime(row["ends_at"])) == ("ACTIVE", end + 20_000)
    kinds = [event["type"] for event in await events_of(house, lot)]
    assert kinds[-2:] == ["auction:timer:updated", "auction:bid:accepted"]
    await verified(house, lot)


@pytest.mark.parametrize("cause", ["died", "slept"])
async def test_a_lot_whose_grace_ran_out_in_an_outage_is_not_ended_by_the_first_who_looks(
    house: House, now: HouseTime, engine: AuctionEngine, cause: str
) -> None:
    lot, ana = await a_timed_lot(house, engine), await a_user(house)
    await now.on(LENGTH - 500)
    await pulsed(house, engine)
    for by in (500, 1):
        await now.on(by)
        await advance(engine, lot)
    assert (await row_of(house, lot))["closing_at"] is not None
    async with after_an_outage(house, now, engine, cause) as again:
        await step(again, lot, "PAUSE", actor=ana)
        await step(again, lot, "RESUME", actor=ana)
        assert (await again.place(bid_of(lot, ana, D(10), at=now.now()))).accepted
    assert await status_of(house, lot) == "ACTIVE"
    await verified(house, lot)


async def test_an_idle_process_finds_that_bidding_worked_elsewhere_and_gives_nothing_back(
    house: House, now: HouseTime, engine: AuctionEngine
) -> None:
    lot, ana, end = await a_timed_lot(house, engine), await a_user(house), now.now() + LENGTH
    async with running_engine(house, "idle") as idle:
        await pulsed(house, idle)
        for _ in range(3):
            await now.on(3_000)
            await pulsed(house, engine)
        assert (await idle.place(bid_of(lot, ana, D(10), at=now.now()))).data["ends_at"] == end


async def test_while_bids_are_taken_it_is_no_outage_that_no_clock_runs(
    house: House, now: HouseTime, engine: AuctionEngine
) -> None:
    """The clock's process is away, another one takes bids all the time: nothing is given back for that."""
    lot, ana, bo, end = await a_timed_lot(house, engine), await a_user(house), await a_user(house), now.now() + LENGTH
    async with running_engine(house, "elsewhere") as elsewhere, running_engine(house, "third") as third:
        await pulsed(house, elsewhere)
        await pulsed(house, third)
        for n in range(4):
            await now.on(2_000)
            answer = await elsewhere.place(bid_of(lot, (ana, bo)[n % 2], D(10 + n), at=now.now()))
            assert (answer.accepted, answer.data["ends_at"]) == (True, end), n
        # one that was idle meanwhile knows it too
        assert (await third.place(bid_of(lot, ana, D(50), at=now.now()))).data["ends_at"] == end
    # and what is an outage still is one
    await now.on(20_000)
    async with running_engine(house, "restarted") as again:
        answer = await again.place(bid_of(lot, bo, D(100), at=now.now()))
        assert (answer.accepted, answer.data["ends_at"]) == (True, end + 20_000)
    await verified(house, lot)


@pytest.mark.fault
async def test_no_bid_is_decided_while_nobody_can_say_whether_there_was_an_outage(
    house: House, engine: AuctionEngine, connection: Any
) -> None:
    lot, ana = await an_open_lot(house, engine), await a_user(house)
    house.settings = house.settings.model_copy(update={"commit_timeout_s": 0.4})
    async with running_engine(house, "restarted") as restarted:
        await connection.execute("begin; lock table service_pulses in access exclusive mode")
        with pytest.raises(Unavailable):
            await bid(restarted, lot, ana, "1.5", key="k")
        await eventually(disconnected(restarted), "the engine gives its connection up")
        assert await bids_kept(house) == 0
        await connection.execute("rollback")
        await eventually(connected(restarted), "the engine comes back")
        assert (await bid(restarted, lot, ana, "1.5", key="k")).accepted


# Lots that may not open


async def test_a_lot_waits_for_the_lot_before_it_whoever_bids_on_it(
    house: House, now: HouseTime, engine: AuctionEngine
) -> None:
    first = await a_timed_lot(house, engine)
    second = await a_lot(house, opens_in=0, lasts=LENGTH, opens_after=first, number=2, **EUROS)
    ana, operator = await a_user(house), await a_user(house)
    await now.on(5_000)
    clock = house.auction_clock(engine)
    await clock.tick()
    refused = await engine.place(bid_of(second, ana, D(10), at=now.now()))
    assert (refused.data["reason"], await status_of(house, second)) == ("NOT_STARTED", "SCHEDULED")
    with pytest.raises(Conflict):
        await step(engine, second, "START", actor=operator)
    await step(engine, first, "END", actor=operator)
    await clock.tick()
    row = await row_of(house, second)
    assert row["status"] == "ACTIVE"
    assert (row["ends_at"] - row["starts_at"]).total_seconds() == LENGTH / 1000, "it has its full length"
    assert (await engine.place(bid_of(second, ana, D(10), at=now.now()))).accepted
    await verified(house, second)
    await clock.close()


CAMPAIGN = """\
name: Spring
collection: {slug}
dates: {{start: 2027-03-28}}
time_zone: UTC
daily: {{pre_auction: "18:00", auction: "18:15", lot_duration: 2m, lots_per_day: 1, post_auction: 10m}}
rules: {{currency: EUR, starting_price: "10"}}
"""


async def test_a_lot_of_a_draft_campaign_does_not_open_even_when_it_is_bid_upon(
    house: House, now: HouseTime, engine: AuctionEngine
) -> None:
    slug, _ = await a_collection(house)
    plan = files.parse(CAMPAIGN.format(slug=slug), house.lot_scheduler)
    campaign = await campaigns.create(house.engine, plan, house.lot_scheduler, now.now())
    (row,) = await rows_of(house, "select id, starts_at from auctions")
    ana = await a_user(house)
    await now.to(from_datetime(row["starts_at"]) + 1)
    clock = house.auction_clock(engine)
    await clock.tick()
    refused = await engine.place(bid_of(row["id"], ana, D(10), at=now.now()))
    assert (refused.data["reason"], await status_of(house, row["id"])) == ("NOT_STARTED", "SCHEDULED")
    with pytest.raises(Conflict):
        await step(engine, row["id"], "START", actor=ana)
    await now.to(from_datetime(row["starts_at"]) - 60_000)
    await campaigns.start(house.engine, campaign, now.now())
    await now.to(from_datetime(row["starts_at"]) + 1)
    await clock.tick()
    assert await status_of(house, row["id"]) == "ACTIVE"
    await clock.close()


# Real time


async def test_the_clock_opens_closes_and_ends_hot_lots_while_everybody_bids(
    house: House, engine: AuctionEngine
) -> None:
    terms = {"closing_grace": 300, "max_post_delay": 0, "extension": 0}
    lots = [await a_lot(house, opens_in=400, lasts=1_200, **terms) for _ in range(3)]
    people = [await a_user(house) for _ in range(6)]
    clock = house.auction_clock(engine)
    reasons: set[str] = set()

    async def keep_bidding(who: UUID) -> None:
        amount = 1
        while True:
            for lot in lots:
                amount += 1
                answer = await bid(engine, lot, who, str(amount))
                reasons.add("ok" if answer.accepted else answer.data["reason"])

    async def all_over() -> bool:
        return all([await status_of(house, lot) == "ENDED" for lot in lots])

    async with running(clock.run(), *(keep_bidding(who) for who in people)):
        await eventually(all_over, "all lots end under load")
    await clock.close()
    assert {"ok", "ENDED"} <= reasons
    for lot in lots:
        await verified(house, lot)
        at = {event["type"]: event["timestamp"] for event in await events_of(house, lot)}
        row = await row_of(house, lot)
        assert 0 <= at["auction:start"] - from_datetime(row["starts_at"]) < 1_500
        assert 0 <= at["auction:closing"] - from_datetime(row["ends_at"]) < 1_500
        assert 300 <= at["auction:end"] - at["auction:closing"] < 2_500
        late = await rows_of(
            house, "select 1 from bids b join auctions a on a.id = b.auction_id where b.auction_id = $1"
            " and b.status = 'ACCEPTED' and b.source <> 'PROXY' and b.effective_at >= a.ends_at", lot
        )  # fmt: skip
        assert not late


async def test_two_engines_decide_the_same_lots_as_one_would(house: House, engine: AuctionEngine) -> None:
    async with running_engine(house, "second") as second:
        lots = [await an_open_lot(house, engine, starting_price="1", increment=FixedIncrement(D(1))) for _ in range(2)]
        people = [await a_user(house) for _ in range(8)]

        async def bids(which: int) -> list[Answer]:
            here = (engine, second)[which % 2]
            return [
                await bid(
                    here, lots[turn % 2], people[which], str(1 + turn * 3 + which), str(20 + turn * 4), key=f"{turn}"
                )
                for turn in range(40)
            ]

        answers = [answer for some in await asyncio.gather(*map(bids, range(8))) for answer in some]
    assert len({answer.bid for answer in answers}) == len(answers) == 320
    kept = await rows_of(house, "select id from bids where source <> 'PROXY'")
    assert {row["id"] for row in kept} == {answer.bid for answer in answers}
    for lot in lots:
        numbers = await rows_of(house, "select number from bids where auction_id = $1 order by number", lot)
        assert [row["number"] for row in numbers] == list(range(1, len(numbers) + 1))
        await verified(house, lot)


async def test_whoever_refers_to_a_lot_or_its_bidder_in_a_long_transaction_holds_up_no_bid(
    house: House, engine: AuctionEngine, connection: Any
) -> None:
    lot, ana = await an_open_lot(house, engine), await a_user(house, "ana")
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(
        "insert into follows (id, user_id, auction_id) values ($1, $2, $3)", ids.new_id(), ana, lot
    )
    for amount in ("2", "3"):  # the second changes who leads, too
        bidder = ana if amount == "2" else await a_user(house)
        answer = await asyncio.wait_for(bid(engine, lot, bidder, amount), 5)
        assert answer.accepted
    await transaction.rollback()
