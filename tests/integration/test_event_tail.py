"""The end of the log as it grows: nothing twice, nothing missing, and soon, also while another transaction is open."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from tests.fakes.house import Administrator, eventually, running, whole_log

from sothebais import ids
from sothebais.bootstrap import House
from sothebais.db.engine import connect
from sothebais.events import log
from sothebais.events.cursors import LoggedEvent
from sothebais.events.tail import ROWS_MAX, Tail


class Heard:
    """What was handed on, and when."""

    def __init__(self) -> None:
        self.events: list[LoggedEvent] = []
        self.at: list[float] = []
        self.largest = 0

    async def take(self, batch: Sequence[LoggedEvent]) -> None:
        """Keep it."""
        self.largest = max(self.largest, len(batch))
        self.events += batch
        self.at += [time.monotonic()] * len(batch)


def some(house: House, count: int) -> list[log.Record]:
    return [
        log.event("user:action", f"user:{ids.new_id()}", {"action": "a.test", "role": "ADMIN"}, at=house.now())
        for _ in range(count)
    ]


async def written(house: House, records: list[log.Record]) -> None:
    async with house.engine.begin() as connection:
        await log.append(connection, records)


async def begun(tail: Tail) -> None:
    async def look() -> bool:
        return tail.connected

    await eventually(look, "the tail reads")


async def test_what_comes_is_told_once_in_order_and_what_was_before_is_not(house: House) -> None:
    await written(house, some(house, 3))
    heard = Heard()
    tail = Tail(house.database_url, "test-tail", house.clock, heard.take)
    async with running(tail.run()):
        await begun(tail)
        new = some(house, ROWS_MAX + 7)
        await written(house, new)

        async def all_of_it() -> bool:
            return len(heard.events) == len(new)

        await eventually(all_of_it, "everything is told")
    assert [event.id for event in heard.events] == [record.id for record in new]
    assert heard.largest == ROWS_MAX


async def test_a_tail_whose_connection_is_cut_goes_on_where_it_was(
    house: House, connection: Any, administrator: Administrator
) -> None:
    heard = Heard()
    tail = Tail(house.database_url, "test-tail", house.clock, heard.take)
    async with running(tail.run()):
        await begun(tail)
        first, second = some(house, 1), some(house, 2)
        await written(house, first)
        cut = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sothebais-test-tail'"
        await connection.fetch(f"{cut} and datname = current_database()")
        await written(house, second)

        async def all_of_it() -> bool:
            return len(heard.events) == 3

        await eventually(all_of_it, "nothing is missing")
    assert [event.id for event in heard.events] == [record.id for record in (*first, *second)]


async def test_what_an_open_transaction_holds_up_is_told_as_soon_as_it_may_be(house: House) -> None:
    heard = Heard()
    tail = Tail(house.database_url, "test-tail", house.clock, heard.take)
    other = await connect(house.database_url, name="test-other")
    async with running(tail.run()):
        await begun(tail)
        await other.execute("begin")
        await other.execute("select pg_current_xact_id()")
        await written(house, some(house, 1))
        await asyncio.sleep(0.05)
        assert not heard.events, "it may not be read yet"
        await other.execute("commit")  # rings no bell
        ended = time.monotonic()

        async def told() -> bool:
            return bool(heard.events)

        await eventually(told, "it is told", every_s=0.005)
    await other.close()
    assert heard.at[0] - ended < 0.2
    assert len(await whole_log(house.database_url)) == 1
