"""The lots' rooms as the host needs them: read a line, answer in one."""

from typing import Protocol
from uuid import UUID

from msgspec import Struct


class RoomLine(Struct, frozen=True):
    """What somebody wrote in a lot's room."""

    message: UUID
    auction: UUID
    user: UUID
    handle: str
    text: str


class Room(Protocol):
    """The chat of the lots' rooms."""

    async def line(self, message: UUID) -> RoomLine | None:
        """A line of a person; none when it is gone, hidden, or the host's own. Raises Unavailable."""

    async def say(self, auction: UUID, text: str) -> None:
        """The host's answer in a room. Raises a SothebaisError when the room does not take it."""
