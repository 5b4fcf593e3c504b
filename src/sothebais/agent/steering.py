"""How operators steer the host: muted or not. Read from the log, where who did it and why stands as well."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais.events import log
from sothebais.events.actions import CHARACTER_CHANGED, Actor, action, checked_reason
from sothebais.events.tables import EventLog
from sothebais.instants import Millis

MUTE: Final = "agent.mute"
UNMUTE: Final = "agent.unmute"


class Steering:
    """Whether the host may speak by itself: read once, then followed action by action."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self.muted = False

    async def learn(self) -> None:
        """Read it."""
        async with self._engine.connect() as connection:
            self.muted = await muted(connection)

    def take(self, name: str) -> bool:
        """Take an action of the staff by its name; whether it concerns the host."""
        if name in (MUTE, UNMUTE):
            self.muted = name == MUTE
        return name in (MUTE, UNMUTE, CHARACTER_CHANGED)


async def muted(connection: AsyncConnection) -> bool:
    """Whether the last word of operators was that the host be silent."""
    name = EventLog.data["action"].astext
    statement = (
        sa.select(name)
        .where(EventLog.type == "user:action", name.in_((MUTE, UNMUTE)))
        .order_by(EventLog.epoch.desc(), EventLog.seq.desc())
        .limit(1)
    )
    return (await connection.execute(statement)).scalar_one_or_none() == MUTE


async def mute(engine: AsyncEngine, actor: Actor, now: Millis, *, silent: bool, reason: str) -> None:
    """Have the host be silent by itself, or speak again; what operators have it say is said all the same."""
    record = action(actor, MUTE if silent else UNMUTE, "agent", at=now, reason=checked_reason(reason))
    async with engine.begin() as connection:
        await log.append(connection, [record])
