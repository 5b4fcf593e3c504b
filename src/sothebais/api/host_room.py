"""The host in the lots' rooms: it reads what is written there and answers as somebody who has an account of its own."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import ids
from sothebais.agent import characters
from sothebais.agent.rooms import RoomLine
from sothebais.clock import Clock
from sothebais.errors import Unavailable
from sothebais.social import chat
from sothebais.social.chat import HOST_PLATFORM, RoomPolicy
from sothebais.users import accounts
from sothebais.users.tables import SocialAccount, User

_LOCK = 0x686F7374


class HostRoom:
    """``agent.rooms.Room`` on the chat."""

    def __init__(self, engine: AsyncEngine, clock: Clock, policy: RoomPolicy) -> None:
        self._engine, self._clock, self._policy = engine, clock, policy
        self._user: UUID | None = None

    async def line(self, message: UUID) -> RoomLine | None:
        """A line of somebody else's that can be read."""
        try:
            found = (await chat.find(self._engine, [message])).get(message)
            me = await self._me()
        except (DBAPIError, PoolTimeout, OSError) as error:
            raise Unavailable("The rooms cannot be read just now.", retry_after=1) from error
        if found is None or found["text"] is None or found["user"]["id"] == str(me):
            return None
        return RoomLine(
            message=message,
            auction=UUID(found["auction_id"]),
            user=UUID(found["user"]["id"]),
            handle=found["user"]["handle"],
            text=found["text"],
        )

    async def say(self, auction: UUID, text: str) -> None:
        """Answer in a room, under its rules."""
        await chat.write(self._engine, auction, await self._me(), text, self._policy, self._clock.now())

    async def _me(self) -> UUID:
        if self._user is None:
            stored = await characters.present(self._engine)
            async with self._engine.begin() as connection:
                self._user = await host_user(connection, stored.id, stored.character.name)
        return self._user


async def host_user(connection: AsyncConnection, character: UUID, name: str) -> UUID:
    """The account of a character, made on first sight; its name follows the character's."""
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    statement = sa.select(SocialAccount.user_id).where(
        SocialAccount.platform == HOST_PLATFORM, SocialAccount.platform_user_id == str(character)
    )
    user: UUID | None = (await connection.execute(statement)).scalar_one_or_none()
    if user is not None:
        await connection.execute(sa.update(User).where(User.id == user, User.name != name).values(name=name))
        return user
    user = await accounts.new_user(connection, name)
    await connection.execute(
        insert(SocialAccount).values(
            id=ids.new_id(), user_id=user, platform=HOST_PLATFORM, platform_user_id=str(character), handle=name
        )
    )
    return user
