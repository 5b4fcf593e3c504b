"""The durable consumer that turns events of the log into notifications, in the transaction that moves its cursor."""

from typing import Any
from uuid import UUID

from sothebais.clock import Clock
from sothebais.events.cursors import LoggedEvent
from sothebais.notify import repository
from sothebais.notify.rules import BROADCAST, TOLD_AGE_MS_MAX, TOLD_AT_ONCE, notices
from sothebais.notify.tables import Broadcast

CONSUMER = "notifications"
TYPES = TOLD_AT_ONCE | BROADCAST
# handled again after it had been given up, it is told from the beginning; who knows already is told nothing
_BROADCAST = f"""
insert into {Broadcast.__tablename__} (event_id) values ($1)
on conflict (event_id) do update set after_user_id = null, done_at = null
"""  # noqa: S608


class NotificationHandler:
    """Tells bidder, leader and winner at once, and has the announcer tell everybody else.

    ``email`` is false where the house has no mail server: then no e-mail waits for one.
    """

    def __init__(self, clock: Clock, *, email: bool) -> None:
        self._clock = clock
        self._email = email

    async def __call__(self, connection: Any, event: LoggedEvent) -> None:
        """Write what this event tells. Safe to do again."""
        now = self._clock.now()
        if event.timestamp < now - TOLD_AGE_MS_MAX:
            return
        if event.type in BROADCAST:
            await connection.execute(_BROADCAST, event.id)
            await repository.ring(connection)
            return
        data = event.decoded()
        auction = UUID(event.subject.removeprefix("auction:"))
        voided = data["bid"] if event.type == "auction:bid:voided" else None
        facts = await repository.facts(connection, auction, event.n, voided)
        await repository.tell(
            connection,
            notices(event.type, data, facts),
            now,
            event=event.id,
            happened_at=event.timestamp,
            email=self._email,
        )
