"""Bids that are decided while those before them are written: nobody notices, unless somebody else comes in between.

Who comes in between is certain: PostgreSQL hands out a lot's lock in the order in which it was asked for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal as D
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from tests.fakes.house import a_bid, a_user, an_open_lot, bid, eventually, running_engine, step
from tests.fakes.trials import rows_of, verified
from tests.integration.test_engine import EUROS, connected, lot_locked, submitted

from sothebais.auctions import hotpath
from sothebais.auctions.answers import Answer
from sothebais.auctions.batch import AHEAD, AHEAD_BIDS_MIN
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.errors import OutcomeUnknown

MANY = 3 * AHEAD_BIDS_MIN


a_euro_bid = partial(a_bid, currency="EUR")


def counted(outcome: str) -> float:
    return float(AHEAD.labels(outcome)._value.get())


async def waiting_for_the_lock(house: House, connection: Any, count: int) -> None:
    async def look() -> bool:
        sql = "select count(*) from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())"
        return bool(await connection.fetchval(sql) == count)

    await eventually(look, f"{count} wait for the lot's lock")


async def with_somebody_between(
    house: House, engine: AuctionEngine, lot: UUID, people: list[UUID], between: Callable[[], Awaitable[Any]]
) -> tuple[list["asyncio.Task[Answer]"], "asyncio.Task[Any]"]:
    """Many bids, of which a transaction decides half, and somebody whom the lot's lock is given before the other half."""
    async with lot_locked(house, lot) as other:
        tasks = submitted(
            engine, *(a_euro_bid(engine, lot, people[i % 2], str(20 + i), key=f"{i}") for i in range(MANY))
        )
        await waiting_for_the_lock(house, other, 1)
        interloper = asyncio.ensure_future(between())
        await waiting_for_the_lock(house, other, 2)
    return tasks, interloper


async def test_many_bids_are_two_transactions_and_every_one_in_its_place(house: House, engine: AuctionEngine) -> None:
    lot, people = await an_open_lot(house, engine, **EUROS), [await a_user(house), await a_user(house)]
    before = counted("as_foreseen")
    tasks = submitted(engine, *(a_euro_bid(engine, lot, people[i % 2], str(20 + i)) for i in range(MANY)))
    answers = await asyncio.gather(*tasks)
    assert [answer.data["number"] for answer in answers] == list(range(1, MANY + 1))
    assert all(answer.accepted for answer in answers)
    first, second = (answers[index].position.xid for index in (0, -1))
    assert [answer.position.xid for answer in answers] == [first] * (MANY // 2) + [second] * (MANY // 2)
    assert first < second
    assert counted("as_foreseen") == before + 1
    await verified(house, lot)


async def test_a_bid_of_another_process_in_between_has_the_others_decided_again(
    house: House, engine: AuctionEngine
) -> None:
    async with running_engine(house, "second") as second:
        lot, people = await an_open_lot(house, engine, **EUROS), [await a_user(house) for _ in range(3)]
        before = counted("decided_again")

        async def high() -> Answer:
            return await bid(second, lot, people[2], "1000", currency="EUR")

        tasks, between = await with_somebody_between(house, engine, lot, people, high)
        answers = await asyncio.gather(*tasks)
        assert (await between).data["number"] == MANY // 2 + 1
    assert [answer.accepted for answer in answers] == [True] * (MANY // 2) + [False] * (MANY // 2)
    assert {answer.data["reason"] for answer in answers[MANY // 2 :]} == {"BELOW_MINIMUM"}
    assert [answer.data["number"] for answer in answers[MANY // 2 :]] == list(range(MANY // 2 + 2, MANY + 2))
    assert counted("decided_again") == before + 1
    await verified(house, lot)


async def test_a_lot_that_an_operator_ends_in_between_takes_no_bid_that_was_decided_before(
    house: House, engine: AuctionEngine
) -> None:
    async with running_engine(house, "second") as second:
        lot, people = await an_open_lot(house, engine, **EUROS), [await a_user(house) for _ in range(3)]

        async def end() -> Any:
            return await step(second, lot, "END", actor=people[2])

        tasks, between = await with_somebody_between(house, engine, lot, people, end)
        answers = await asyncio.gather(*tasks)
        await between
    assert [answer.accepted for answer in answers] == [True] * (MANY // 2) + [False] * (MANY // 2)
    assert {answer.data["reason"] for answer in answers[MANY // 2 :]} == {"ENDED"}
    await verified(house, lot)


async def test_a_key_of_the_first_half_that_comes_again_in_the_second_is_one_bid(
    house: House, engine: AuctionEngine
) -> None:
    lot, people = await an_open_lot(house, engine, **EUROS), [await a_user(house), await a_user(house)]
    commands = [a_euro_bid(engine, lot, people[i % 2], str(20 + i), key=f"{i}") for i in range(MANY)]
    commands[MANY - 2] = a_euro_bid(engine, lot, people[0], "20", key="0")
    answers = await asyncio.gather(*submitted(engine, *commands))
    assert (answers[0].repeated, answers[-2].repeated) == (False, True)
    assert answers[-2].bid == answers[0].bid
    kept = await rows_of(house, "select id from bids where source <> 'PROXY'")
    assert len(kept) == MANY - 1
    await verified(house, lot)


@pytest.mark.fault
async def test_bids_that_were_decided_and_not_written_when_the_connection_dies_may_be_sent_again(
    house: House, engine: AuctionEngine, connection: Any
) -> None:
    lot, people = await an_open_lot(house, engine, **EUROS), [await a_user(house), await a_user(house)]
    key = hotpath.lock_key(lot)
    tasks, between = await with_somebody_between(
        house, engine, lot, people, lambda: connection.execute(f"select pg_advisory_lock({key})")
    )
    await between
    first = await asyncio.gather(*tasks[: MANY // 2])
    assert all(answer.accepted for answer in first)
    await rows_of(
        house,
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
        " and application_name = 'sothebais-engine'",
    )
    lost = await asyncio.gather(*tasks[MANY // 2 :], return_exceptions=True)
    assert {type(one) for one in lost} == {OutcomeUnknown}
    await connection.execute(f"select pg_advisory_unlock({key})")
    await eventually(connected(engine), "the engine reconnects")
    again = await asyncio.gather(
        *submitted(engine, *(a_euro_bid(engine, lot, people[i % 2], str(20 + i), key=f"{i}") for i in range(MANY)))
    )
    assert [answer.repeated for answer in again] == [True] * (MANY // 2) + [False] * (MANY // 2)
    assert [answer.data["number"] for answer in again] == list(range(1, MANY + 1))
    await verified(house, lot)


async def test_what_is_decided_and_what_is_decided_ahead_are_one_batch_by_its_bound(house: House) -> None:
    bound = 2 * AHEAD_BIDS_MIN
    house.settings = house.settings.model_copy(update={"batch_bids_max": bound})
    async with running_engine(house) as engine:
        lot, people = await an_open_lot(house, engine, **EUROS), [await a_user(house), await a_user(house)]
        tasks = submitted(engine, *(a_euro_bid(engine, lot, people[i % 2], str(20 + i)) for i in range(3 * bound)))
        answers = await asyncio.gather(*tasks)
    batches: dict[int, int] = {}
    for answer in answers:
        batches[answer.position.xid] = batches.get(answer.position.xid, 0) + 1
    assert [answer.data["number"] for answer in answers] == list(range(1, 3 * bound + 1))
    assert set(batches.values()) == {bound // 2}
    await verified(house, lot)


async def test_a_bid_that_ends_the_lot_ends_it_for_those_behind(house: House, engine: AuctionEngine) -> None:
    lot = await an_open_lot(house, engine, **EUROS | {"buy_now": "5000"})
    people = [await a_user(house), await a_user(house)]
    commands = [a_euro_bid(engine, lot, people[i % 2], str(20 + i)) for i in range(MANY)]
    for index in (5, MANY - 5):
        commands[index] = a_euro_bid(engine, lot, people[1], str(D(5000)), confirm=True)
    answers = await asyncio.gather(*submitted(engine, *commands))
    assert [answer.accepted for answer in answers] == [True] * 6 + [False] * (MANY - 6)
    await verified(house, lot)
