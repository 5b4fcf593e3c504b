"""What the event-handler does for settlements: the consumer of won lots, and the clock of invoices and offers.

The consumer invoices at once where the house leaves no time to re-open; the clock does it where it does, and everything
else that becomes due. Both may do the same work twice, or at once: the lot's lock and what stands in the books then
leave nothing to do.
"""

from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from sothebais.auctions.settlement import BATCH_LOTS_MAX, Settlements
from sothebais.clock import Clock
from sothebais.events.cursors import DurableConsumer, LoggedEvent

log = structlog.get_logger(__name__)

CONSUMER = "settlement"
#: What the consumer wakes for.
TYPES = frozenset({"auction:winner"})
#: How often the clock looks; an invoice or an offer ends at most so much late.
LOOK_S = 1.0
#: How long it leaves a database alone that does not answer.
AWAY_S = 2.0


def consumer(dsn: str, settlements: Settlements, clock: Clock) -> DurableConsumer:
    """The durable consumer that invoices lots as they are won."""

    async def handle(connection: Any, event: LoggedEvent) -> None:
        # not on the cursor's connection but in a transaction of its own, before the cursor moves: done again, it finds
        # the settlement and does nothing
        await settlements.invoice_if_due(UUID(event.subject.removeprefix("auction:")), clock.now())

    return DurableConsumer(dsn, CONSUMER, handle, types=TYPES)


class SettlementClock:
    """Does what is due, for ever. Any number of processes; an unanswering database is waited for."""

    def __init__(self, settlements: Settlements, clock: Clock, *, look_s: float = LOOK_S) -> None:
        self._settlements = settlements
        self._clock = clock
        self._look_s = look_s

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            wait = self._look_s
            try:
                changed = await self._settlements.due(self._clock.now())
                if changed >= BATCH_LOTS_MAX:
                    wait = 0.0
            except (DBAPIError, PoolTimeout, OSError) as error:
                log.warning("settlement.waits_for_database", error=type(error).__name__)
                wait = AWAY_S
            await self._clock.sleep(wait)
