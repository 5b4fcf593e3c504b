"""What the host has yet to say: by importance, bounded, never stale, one thing at a time. Pure: time is told to it."""

from collections import Counter

from sothebais.agent.model import SpeechIntent
from sothebais.instants import Millis

#: More than this cannot be said before it is stale; the least important one goes.
INTENTS_MAX = 32
#: Quiet between two lines, by the importance of the next: above the first number so many milliseconds.
QUIET_MS = ((80, 0), (60, 700), (40, 1_200), (20, 5_000), (0, 9_000))


def quiet_before(priority: int) -> Millis:
    """How long the host has been silent at least before it says something of that importance."""
    return next(quiet for least, quiet in QUIET_MS if priority >= least)


class SpeechQueue:
    """Intents that wait, and the one that is on air.

    ``dropped`` counts what was never said, by reason: EXPIRED, REPLACED, FULL, INTERRUPTED, CLEARED.
    """

    def __init__(self) -> None:
        self._waiting: list[SpeechIntent] = []
        self._on_air: SpeechIntent | None = None
        self._silent_since: Millis | None = None
        self.dropped: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def on_air(self) -> SpeechIntent | None:
        """What is being said."""
        return self._on_air

    @property
    def waiting(self) -> tuple[SpeechIntent, ...]:
        """What waits, in the order in which it would be said."""
        return tuple(self._waiting)

    def offer(self, intent: SpeechIntent, now: Millis) -> bool:
        """Take an intent. False when it was not taken: stale, or less important than all of a full queue."""
        self._expire(now)
        if intent.expires_at <= now:
            self.dropped["EXPIRED"] += 1
            return False
        if intent.replaces is not None:
            kept = [one for one in self._waiting if one.replaces != intent.replaces]
            self.dropped["REPLACED"] += len(self._waiting) - len(kept)
            self._waiting = kept
        self._waiting.append(intent)
        # the older first among equals; sorting keeps their order
        self._waiting.sort(key=lambda one: (-one.priority, one.created_at))
        if len(self._waiting) > INTENTS_MAX:
            self.dropped["FULL"] += 1
            return self._waiting.pop() is not intent
        return True

    def interrupts(self, now: Millis) -> bool:
        """Whether what is on air must stop for what waits."""
        self._expire(now)
        first = next((one for one in self._waiting if one.interrupts), None)
        return bool(first and self._on_air and first.priority > self._on_air.priority)

    def take(self, now: Millis) -> SpeechIntent | None:
        """What is to be said now, which is then on air; None while something is, or while a silence is due."""
        self._expire(now)
        if self.interrupts(now):
            self.dropped["INTERRUPTED"] += 1
            self.finished(now)
        if self._on_air is not None or not self._waiting:
            return None
        first = self._waiting[0]
        if now < self._due(first):
            return None
        self._on_air = self._waiting.pop(0)
        return self._on_air

    def due_at(self) -> Millis | None:
        """When ``take`` should be asked again, if nothing happens before; None when nothing waits or something is on air."""
        return None if self._on_air is not None or not self._waiting else self._due(self._waiting[0])

    def finished(self, now: Millis) -> None:
        """What was on air has been said, or was cut off."""
        self._on_air = None
        self._silent_since = now

    def forget(self, *, lot: object = None, addressee: object = None) -> None:
        """Drop what waits about a lot, or for a person who wants no answer."""
        kept = [
            one
            for one in self._waiting
            if not ((lot is not None and one.lot == lot) or (addressee is not None and one.addressee == addressee))
        ]
        self.dropped["CLEARED"] += len(self._waiting) - len(kept)
        self._waiting = kept

    def _due(self, intent: SpeechIntent) -> Millis:
        if self._silent_since is None:
            return 0
        return self._silent_since + quiet_before(intent.priority)

    def _expire(self, now: Millis) -> None:
        kept = [one for one in self._waiting if one.expires_at > now]
        self.dropped["EXPIRED"] += len(self._waiting) - len(kept)
        self._waiting = kept
