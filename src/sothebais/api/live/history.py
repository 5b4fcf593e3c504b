"""The latest events, kept in memory so that whoever comes back after a moment costs no query. Pure and bounded."""

from bisect import bisect_right
from collections.abc import Sequence

from sothebais.api.live import protocol, visibility
from sothebais.events.cursors import LoggedEvent
from sothebais.events.log import Position

BYTES_MAX = 32 * 1024 * 1024
#: What is too much goes in one step when it is this share, so that trimming costs little per event.
_SLACK = 1.25


class Item:
    """An event as it is handed on: serialised once, however many get it."""

    __slots__ = ("_frames", "audience", "message", "n", "position", "subject", "topics", "type")

    def __init__(self, event: LoggedEvent) -> None:
        self.position = event.position
        self.n = event.n
        self.type = event.type
        self.subject = event.subject
        self.audience = visibility.audience(event)
        self.topics = visibility.topics(event)
        self.message = event.message()
        self._frames: dict[str, bytes] = {}

    def frame(self, topic: str) -> bytes:
        """The event as a message of that topic."""
        made = self._frames.get(topic)
        if made is None:
            made = self._frames[topic] = protocol.event_frame(topic, self.position, self.message)
        return made


def _position(item: Item) -> Position:
    return item.position


class History:
    """Every event behind ``floor`` up to ``position``, at most ``events_max`` and ``bytes_max`` of them."""

    def __init__(self, floor: Position, *, events_max: int, bytes_max: int = BYTES_MAX) -> None:
        self.floor = floor
        self.position = floor
        self._events_max, self._bytes_max = events_max, bytes_max
        self._items: list[Item] = []
        self._bytes = 0
        self._topics: dict[str, list[Item]] = {}

    def __len__(self) -> int:
        return len(self._items)

    @property
    def bytes(self) -> int:
        """What the kept envelopes take."""
        return self._bytes

    def add(self, item: Item) -> None:
        """The next event of the log."""
        self._items.append(item)
        self._bytes += len(item.message)
        self.position = item.position
        for topic in item.topics:
            self._topics.setdefault(topic, []).append(item)
        if len(self._items) > self._events_max * _SLACK or self._bytes > self._bytes_max * _SLACK:
            self._trim()

    def covers(self, position: Position) -> bool:
        """Whether everything behind ``position`` is here."""
        return self.floor <= position

    def after(self, position: Position, topic: str | None = None) -> Sequence[Item]:
        """The events behind ``position``, of one topic or of all."""
        items = self._items if topic is None else self._topics.get(topic, [])
        return items[bisect_right(items, position, key=_position) :]

    def _trim(self) -> None:
        gone = max(0, len(self._items) - self._events_max)
        self._bytes -= sum(len(item.message) for item in self._items[:gone])
        while self._bytes > self._bytes_max and gone < len(self._items) - 1:
            self._bytes -= len(self._items[gone].message)
            gone += 1
        self.floor = self._items[gone - 1].position
        del self._items[:gone]
        for topic, items in list(self._topics.items()):
            del items[: bisect_right(items, self.floor, key=_position)]
            if not items:
                del self._topics[topic]
