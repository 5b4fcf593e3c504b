"""What the host has in mind: the conversation lately, what it is about, how it feels, which memories it called up. Pure.

What people wrote is here for as long as the window is short; a line that is hidden, or whose writer wants to be forgotten,
leaves it at once. Facts about the auction are given to it each time and never taken from what people wrote.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from msgspec import Struct

from sothebais.agent.understanding import Wish, understand
from sothebais.instants import Millis
from sothebais.state import models

LINES_MAX: Final = 50
LINE_LENGTH_MAX: Final = 500
MEMORIES_MAX: Final = 50
#: How much of what the room feels the newest line decides.
SENTIMENT_WEIGHT: Final = 0.25
#: Half of the feeling is gone after so long without a word.
SENTIMENT_HALF_LIFE_MS: Final = 300_000
#: A topic is what people asked about lately.
TOPIC_MS: Final = 180_000

_TOPICS: Final[dict[Wish, str]] = {
    Wish.ARTIST: "the artist",
    Wish.STORY: "the story of the piece",
    Wish.TRAITS: "the details of the piece",
    Wish.LOT: "the piece",
    Wish.PRICE: "the price",
    Wish.NEXT_BID: "the next bid",
    Wish.START_PRICE: "the price",
    Wish.LEADER: "who leads",
    Wish.BID_COUNT: "the bidding",
    Wish.RESERVE: "the reserve",
    Wish.PREMIUM: "the buyer's premium",
    Wish.INCREMENTS: "how bids rise",
    Wish.SOFT_CLOSE: "how the clock works",
    Wish.TIME_LEFT: "the clock",
    Wish.HOW_TO_BID: "how to bid",
    Wish.PAYMENT: "paying and delivery",
    Wish.VERIFY: "how results are checked",
    Wish.RESULTS: "the results",
    Wish.NEXT_LOT: "what comes next",
    Wish.SCHEDULE: "the schedule",
    Wish.ARE_YOU_AI: "the host",
    Wish.WHO_ARE_YOU: "the host",
}


class Line(Struct, frozen=True, kw_only=True):
    """One thing said. ``message`` is the row or event it comes from; ``user`` null for the host, and for nobody known."""

    message: UUID
    text: str
    at: Millis
    host: bool = False
    user: UUID | None = None
    handle: str | None = None


class Mind:
    """The window of one host. The same lines in the same order give the same mind."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=LINES_MAX)
        self._memories: deque[UUID] = deque(maxlen=MEMORIES_MAX)
        self._topic: tuple[str, UUID, Millis] | None = None
        self._sentiment = 0.0
        self._felt_at: Millis = 0

    @property
    def lines(self) -> tuple[Line, ...]:
        """The conversation, the newest last."""
        return tuple(self._lines)

    def hear(self, line: Line) -> None:
        """Take a line; one that was taken already changes nothing."""
        if any(line.message == known.message for known in self._lines):
            return
        self._lines.append(line)
        if line.host:
            return
        understood = understand(line.text[:LINE_LENGTH_MAX])
        faded = self._feeling(line.at)
        self._sentiment = faded + (understood.sentiment - faded) * SENTIMENT_WEIGHT
        self._felt_at = max(self._felt_at, line.at)
        topic = _TOPICS.get(understood.ask)
        if topic is not None:
            self._topic = (topic, line.message, line.at)

    def recalled(self, memories: Iterable[UUID]) -> None:
        """These memories were called up."""
        for memory in memories:
            if memory in self._memories:
                self._memories.remove(memory)
            self._memories.append(memory)

    def unhear(self, message: UUID) -> None:
        """A line was hidden."""
        self._keep([line for line in self._lines if line.message != message])

    def forget(self, user: UUID) -> None:
        """Somebody wants to be forgotten: their lines go, and the memories that were called up, which may be theirs."""
        self._keep([line for line in self._lines if line.user != user])
        self._memories.clear()

    def forget_memory(self, memory: UUID) -> None:
        """A memory is no longer there."""
        if memory in self._memories:
            self._memories.remove(memory)

    def topic(self, at: Millis) -> str | None:
        """What people asked about lately."""
        return self._topic[0] if self._topic is not None and at - self._topic[2] <= TOPIC_MS else None

    def sentiment(self, at: Millis) -> int:
        """How the room feels, -100 (hostile) to 100 (warm), fading to 0."""
        return max(-100, min(100, round(self._feeling(at))))

    def state(self, agent: UUID, auction: models.AuctionContext | None, at: Millis) -> models.AgentContextState:
        """The mind as ``agent:context:{id}`` has it, with the auction's facts as of now."""
        return models.AgentContextState(
            id=agent,
            auction=auction,
            conversation=tuple(
                models.Utterance(
                    speaker="HOST" if line.host else "VIEWER",
                    user=line.user,
                    handle=None if line.handle is None else line.handle[:LINE_LENGTH_MAX],
                    text=line.text[:LINE_LENGTH_MAX],
                    at=line.at,
                )
                for line in self._lines
            ),
            topic=self.topic(at),
            sentiment=self.sentiment(at),
            memories=tuple(reversed(self._memories)),
            at=at,
        )

    def _feeling(self, at: Millis) -> float:
        return self._sentiment * float(0.5 ** (max(0, at - self._felt_at) / SENTIMENT_HALF_LIFE_MS))

    def _keep(self, lines: list[Line]) -> None:
        kept = {line.message for line in lines}
        if self._topic is not None and self._topic[1] not in kept:
            self._topic = None
        self._lines = deque(lines, maxlen=LINES_MAX)
