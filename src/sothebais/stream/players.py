"""Who plays HLS: they hold no connection, so they are known by asking for the playlist again and again."""

from collections import OrderedDict
from typing import Final

from sothebais.clock import Clock

#: A player asks at least once in a segment's time; one that has not asked for so long has gone.
GONE_S: Final = 10.0
#: So many are told apart; beyond that whoever asked longest ago is forgotten.
PLAYERS_MAX: Final = 20_000


class Players:
    """Counts who asked for the playlist in the last ``GONE_S``, told apart by whatever ``asked`` is given."""

    def __init__(self, clock: Clock, *, players_max: int = PLAYERS_MAX) -> None:
        self._clock = clock
        self._players_max = players_max
        self._asked_at: OrderedDict[str, float] = OrderedDict()

    def asked(self, who: str) -> None:
        """Somebody asked for the playlist."""
        self._asked_at[who] = self._clock.monotonic()
        self._asked_at.move_to_end(who)
        if len(self._asked_at) > self._players_max:
            self._asked_at.popitem(last=False)

    def __len__(self) -> int:
        oldest = self._clock.monotonic() - GONE_S
        while self._asked_at and next(iter(self._asked_at.values())) < oldest:
            self._asked_at.popitem(last=False)
        return len(self._asked_at)
