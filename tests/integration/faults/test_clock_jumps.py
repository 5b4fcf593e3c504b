"""The clock of the machine that takes bids is set, in either direction, while PostgreSQL's goes on."""

import time
from uuid import UUID

import pytest
from tests.fakes.house import a_user, advance, an_open_lot, bid, eventually, status_of

from sothebais.auctions import engine as engines
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.clock import Millis, SystemClock

pytestmark = pytest.mark.fault

HOUR = 3_600_000
#: How far a stamp may be off beside the time the bid took; two processes on one machine share a clock.
STAMP_OFF_MS_MAX = 250


class Jumping(SystemClock):
    """A wall clock that somebody sets; lengths of time stay what they are."""

    def __init__(self) -> None:
        self.jumped: Millis = 0

    def now(self) -> Millis:
        return super().now() + self.jumped


async def _bid_in_true_time(engine: AuctionEngine, lot: UUID, user: UUID, amount: str) -> None:
    """A bid is accepted, and its stamp lies before its decision by no more than all of it took."""
    begun = time.monotonic()
    answer = await bid(engine, lot, user, amount)
    took_ms = (time.monotonic() - begun) * 1_000
    assert answer.accepted, answer.data
    waited_ms = answer.event.timestamp - answer.data["effective_at"]
    assert -STAMP_OFF_MS_MAX < waited_ms < took_ms + STAMP_OFF_MS_MAX


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
async def test_bids_keep_their_true_time_when_the_clock_jumps(
    house: House, monkeypatch: pytest.MonkeyPatch, jump: Millis
) -> None:
    monkeypatch.setattr(engines, "CLOCK_READING_S", 1.0)
    clock = Jumping()
    house.clock = clock
    engine: AuctionEngine = house.auction_engine()
    await engine.start()
    try:
        ana, bo = await a_user(house), await a_user(house)
        lot = await an_open_lot(house, engine)
        alarms = engines.CLOCK_ALARMS._value.get()
        assert (await bid(engine, lot, ana, "2")).accepted

        clock.jumped = jump
        # before anybody has looked at PostgreSQL's clock again
        await _bid_in_true_time(engine, lot, bo, "3")

        async def alarmed() -> bool:
            return engines.CLOCK_ALARMS._value.get() > alarms

        await eventually(alarmed, "the jump raises an alarm")
        await _bid_in_true_time(engine, lot, ana, "4")
        # the lot's own times are PostgreSQL's
        await advance(engine, lot)
        assert await status_of(house, lot) == "ACTIVE"
    finally:
        await engine.stop()
