"""Bodies about the host: how it is, what it said, what it is asked."""

from typing import Annotated, Literal

from pydantic import Field

from sothebais.api.models.base import Body, Id, Instant
from sothebais.api.models.campaigns import Reason
from sothebais.state.models import AgentStatus, MoodName

type PlaceName = Literal["STREAM", "CHAT", "POST", "DIRECT"]


class Host(Body):
    """The host as it is now. It is an AI, and says so."""

    id: Id
    name: str
    ai: Literal[True] = True
    status: AgentStatus
    muted: bool
    mood: MoodName
    intensity: Annotated[int, Field(ge=0, le=100)]
    expression: str
    auction_id: Id | None
    version: int


class HostNow(Body):
    """Null while the house has never had one."""

    agent: Host | None


class Words(Body):
    """What somebody says to the host, perhaps about a lot."""

    text: Annotated[str, Field(min_length=1, max_length=500, examples=["Who made this piece?"])]
    auction_id: Annotated[str | None, Field(examples=[None])] = None


class Answer(Body):
    """What the host answers, in which mood; `message` is the event that records it."""

    reply: str
    mood: MoodName
    message: Id


class Said(Body):
    """A line of the host: what, when, where, why and by what means. `blocked` names the guards that refused earlier wordings."""

    id: Id
    at: Instant
    text: str
    place: PlaceName
    intent: str
    mood: MoodName
    auction_id: Id | None
    cause: Id | None
    model: str | None
    fallback: bool
    input_tokens: int
    output_tokens: int
    latency_ms: int
    blocked: list[str]
    by_operator: bool


class Transcript(Body):
    """Newest first; `next` is what to pass as `after`."""

    items: list[Said]
    next: str | None


class SayThis(Body):
    """A line for the host, word for word, and why."""

    text: Annotated[str, Field(min_length=1, max_length=500, examples=["The house will pause for five minutes."])]
    reason: Reason


class Ordered(Body):
    """The line as it is said."""

    message: Id
    text: str


class Silence(Body):
    """Whether the host is to be silent by itself, and why."""

    muted: bool = True
    reason: Reason


class Muted(Body):
    """How it is now."""

    muted: bool
