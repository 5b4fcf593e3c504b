"""Bodies about the rooms of auctions."""

from typing import Annotated

from pydantic import BaseModel, Field

from sothebais.api.models.base import Body, Id, Instant, Person
from sothebais.api.models.settlement import ReasonText


class ChatLine(Body):
    """A line in a room. ``number`` rises within the room; a hidden line has no text.

    ``host`` marks the house's AI host, whatever names people choose.
    """

    id: Id
    number: int
    auction_id: Id
    user: Person
    staff: bool
    host: bool
    text: str | None
    hidden: bool
    created_at: Instant


class ChatPage(Body):
    """Lines, newest first. ``next`` goes on in the same direction: into ``after``, or into ``since`` where that was asked.

    ``slow_s``: how far apart a person's lines must be; null is the house's usual setting.
    """

    items: list[ChatLine]
    next: int | None
    slow_s: int | None


class ChatLineRequest(Body):
    """A line to say: at most 500 characters when control characters and needless blanks are taken out."""

    text: Annotated[str, Field(min_length=1, max_length=2_000, examples=["What a piece."])]


class HideRequest(Body):
    """Why a line is taken off the pages."""

    reason: ReasonText


class SlowRequest(Body):
    """Slow mode of a room; 0 ends it."""

    slow_s: Annotated[int, Field(ge=0, le=3_600, strict=True)]
    reason: ReasonText


class SlowMode(Body):
    """The slow mode that was set."""

    slow_s: int


class MuteRequest(Body):
    """How long somebody may not write, and why."""

    minutes: Annotated[int, Field(ge=1, le=43_200, strict=True)]
    reason: ReasonText


class Mute(Body):
    """Somebody who may not write in any room until then."""

    user_id: Id
    until: Instant
    reason: str


REQUESTS: dict[str, type[BaseModel]] = {
    "ChatLineRequest": ChatLineRequest,
    "HideRequest": HideRequest,
    "MuteRequest": MuteRequest,
    "SlowRequest": SlowRequest,
}
ANSWERS: dict[str, type[BaseModel]] = {"ChatLine": ChatLine, "ChatPage": ChatPage, "Mute": Mute, "SlowMode": SlowMode}
