"""Events on the channel ``events:agent``: what the host says, feels, remembers and wants shown.

What people wrote to it stays in rows that can be erased; events refer to them. What the host said is here in full.
"""

from typing import Annotated, Literal

from pydantic import Field

from sothebais.events.types.base import Count, Data, EventId, LongText, Millis, Percent, ShortText
from sothebais.state.models import MoodName

type Place = Literal["STREAM", "CHAT", "POST", "DIRECT"]
type Intent = Literal[
    "GREETING",
    "LOT_OPENING",
    "BID",
    "FAIR_WARNING",
    "RESULT",
    "ANSWER",
    "STORY",
    "SCHEDULE",
    "NOTICE",
    "CHATTER",
    "FAREWELL",
]


class AgentMessage(Data):
    """The host said something. ``model`` is null when the scripted host spoke; ``fallback`` when it stood in for one.

    ``blocked`` holds the names of the guards that refused an earlier wording; ``latency`` runs from cause to text.
    """

    text: LongText
    place: Place
    intent: Intent
    priority: Percent
    mood: MoodName
    to: EventId | None
    auction: EventId | None
    model: ShortText | None
    fallback: bool
    input_tokens: Count
    output_tokens: Count
    latency: Millis
    blocked: tuple[ShortText, ...] = ()
    actor: EventId | None = None


class AgentMood(Data):
    """The mood changed, and by what."""

    mood: MoodName
    intensity: Percent
    previous_mood: MoodName
    previous_intensity: Percent
    trigger: ShortText


class AgentInteraction(Data):
    """Somebody addressed the host. ``message`` is the post or chat line; null for a direct message, which is not kept."""

    user: EventId | None
    place: Place
    message: EventId | None
    kind: Literal["QUESTION", "PRAISE", "ABUSE", "SMALL_TALK", "ATTACK", "OTHER"]
    sentiment: Annotated[int, Field(ge=-100, le=100)]
    answered: bool
    reason: ShortText | None = None


class AgentAssetRequest(Data):
    """The host wants to be shown like this; the stream-manager has the last word."""

    expression: ShortText
    background: ShortText | None
    props: tuple[ShortText, ...]
    mood: MoodName


class AgentMemoryUpdate(Data):
    """A memory was made, changed or dropped. Its text is in ``memories`` only, where it can be erased."""

    memory: EventId
    action: Literal["ADDED", "CHANGED", "FORGOTTEN"]
    kind: Literal["SHORT_TERM", "LONG_TERM"]
    user: EventId | None
    subject: ShortText | None
    importance: Annotated[float, Field(ge=0, le=1)]
    provenance: EventId | None


class SpokenWord(Data):
    """A word and when it sounds, from the start of the speech."""

    text: ShortText
    start: Millis
    end: Millis


class MouthShape(Data):
    """From ``at`` on, the mouth is this far open (0 shut to 3 wide)."""

    at: Millis
    opening: Annotated[int, Field(ge=0, le=3)]


class AgentSpeech(Data):
    """A message, or one part of it after the other, is spoken on the stream; words and mouth shapes drive captions and
    drawing. ``text`` is the part as it is written (null: the whole message); the sound is kept under this event's id.
    """

    message: EventId
    text: LongText | None = None
    voice: ShortText
    starts_at: Millis
    duration: Millis
    words: tuple[SpokenWord, ...]
    mouth: tuple[MouthShape, ...]


AGENT_EVENTS: dict[str, type[Data]] = {
    "agent:message": AgentMessage,
    "agent:mood": AgentMood,
    "agent:interaction": AgentInteraction,
    "agent:asset:request": AgentAssetRequest,
    "agent:memory:update": AgentMemoryUpdate,
    "agent:speech": AgentSpeech,
}
