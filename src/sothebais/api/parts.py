"""What the HTTP API is made of; ``bootstrap`` fills it."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.auctions import repository, views
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.receipts import HouseKey
from sothebais.clock import Clock
from sothebais.config import Settings
from sothebais.state.store import StateStore
from sothebais.users.service import Identity, SessionService

#: Name of a dependency to a probe that raises when it does not answer.
type Probes = dict[str, Callable[[], Awaitable[None]]]


class Kept[K, V]:
    """A bounded cache whose entries age: the oldest goes first, none is older than ``seconds``."""

    def __init__(self, clock: Clock, *, entries_max: int, seconds: float) -> None:
        self._clock = clock
        self._entries_max = entries_max
        self._seconds = seconds
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """What is kept under ``key``, if it is young enough."""
        found = self._kept.get(key)
        if found is None:
            return None
        if self._clock.monotonic() - found[0] > self._seconds:
            del self._kept[key]
            return None
        return found[1]

    def put(self, key: K, value: V) -> None:
        """Keep ``value``; what is too much goes."""
        self._kept[key] = (self._clock.monotonic(), value)
        self._kept.move_to_end(key)
        while len(self._kept) > self._entries_max:
            self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)


@dataclass
class ApiParts:
    """Everything a request may need."""

    settings: Settings
    clock: Clock
    database: AsyncEngine
    sessions: SessionService
    key: HouseKey
    auctions: AuctionEngine | None = None
    probes: Probes = field(default_factory=dict)
    store: StateStore | None = None

    IDENTITIES_MAX = 50_000
    #: A revoked session is refused after so long at the latest, in every process.
    IDENTITY_S = 5.0
    NAMES_MAX = 50_000
    NAME_S = 60.0
    FACTS_MAX = 5_000
    FACTS_S = 2.0

    def __post_init__(self) -> None:
        self.identities: Kept[str, Identity] = Kept(
            self.clock, entries_max=self.IDENTITIES_MAX, seconds=self.IDENTITY_S
        )
        self.names: Kept[UUID, str] = Kept(self.clock, entries_max=self.NAMES_MAX, seconds=self.NAME_S)
        self.facts: Kept[UUID, views.Facts] = Kept(self.clock, entries_max=self.FACTS_MAX, seconds=self.FACTS_S)

    async def names_of(self, users: set[UUID]) -> dict[UUID, str]:
        """The names of those users, from the cache where it has them."""
        known = {user: name for user in users if (name := self.names.get(user)) is not None}
        missing = [user for user in users if user not in known]
        if missing:
            async with self.database.connect() as connection:
                found = await repository.names_of(connection, missing)
            for user, name in found.items():
                self.names.put(user, name)
            known |= found
        return known

    async def facts_of(self, auction: UUID) -> views.Facts:
        """The facts of a lot, from the cache where it has them. Raises NotFound."""
        facts = self.facts.get(auction)
        if facts is None:
            async with self.database.connect() as connection:
                facts = await repository.facts(connection, auction)
            self.facts.put(auction, facts)
        return facts


def parts_of(request: Any) -> ApiParts:
    """The parts of the app a request came to."""
    parts: ApiParts = request.app.state.parts
    return parts
