"""What the HTTP API is made of; ``bootstrap`` fills it."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.agent.conversation import Conversation
from sothebais.api.limits import SharedLimit
from sothebais.auctions import repository, views
from sothebais.auctions.campaign_port import CampaignLots
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.receipts import HouseKey
from sothebais.catalog.assets import AssetStore
from sothebais.catalog.editing import PictureIntake
from sothebais.catalog.renditions import Renditions
from sothebais.clock import Clock
from sothebais.config import Settings
from sothebais.notify.desk import NotifyDesk
from sothebais.social.chat import RoomPolicy, load_words
from sothebais.state.store import StateStore
from sothebais.stream.assets.intake import AssetIntake
from sothebais.stream.assets.service import StreamAssets
from sothebais.stream.confined import Children
from sothebais.stream.scene_preview import ScenePreviews
from sothebais.users.people import People
from sothebais.users.service import Identity, SessionService

#: Name of a dependency to a probe that raises when it does not answer.
type Probes = dict[str, Callable[[], Awaitable[None]]]


#: What people may write to the host: a message every few seconds, some at once.
HOST_PER_SECOND = 0.2
HOST_BURST = 5


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

    def drop_key(self, key: K) -> None:
        """Let go of what is kept under ``key``, if anything is."""
        self._kept.pop(key, None)

    def drop(self, unwanted: Callable[[V], bool]) -> None:
        """Let go of what fits ``unwanted`` at once."""
        for key in [key for key, (_, value) in self._kept.items() if unwanted(value)]:
            del self._kept[key]

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

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
    people: People
    auctions: AuctionEngine | None = None
    probes: Probes = field(default_factory=dict)
    #: The live feed's hub (``live.hub_of`` gives it with its type: that module needs this one).
    live: object | None = None
    #: Server-sent event streams that are open now.
    event_streams: int = 0
    store: StateStore | None = None
    lot_scheduler: CampaignLots = field(default_factory=CampaignLots)
    notify: NotifyDesk | None = None
    #: Answers to people; null in processes that do not give any.
    conversation: Conversation | None = None

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
        self._facts_asked: dict[UUID, asyncio.Future[views.Facts]] = {}
        self.facts: Kept[UUID, views.Facts] = Kept(self.clock, entries_max=self.FACTS_MAX, seconds=self.FACTS_S)

    @cached_property
    def room_policy(self) -> RoomPolicy:
        """What may be said in the rooms."""
        return RoomPolicy(load_words(self.settings), self.settings.chat_slow_s)

    @cached_property
    def chat_limit(self) -> SharedLimit:
        """How many lines a person may write."""
        per_minute = self.settings.chat_lines_per_minute
        burst = max(1, round(per_minute / 4))
        return SharedLimit(self.clock, self.store, "chat", "lines", per_second=per_minute / 60, burst=burst)

    @cached_property
    def host_limit(self) -> SharedLimit:
        """How often a person may speak to the host."""
        return SharedLimit(self.clock, self.store, "host", "messages", per_second=HOST_PER_SECOND, burst=HOST_BURST)

    @cached_property
    def assets(self) -> AssetStore:
        """The asset store of the settings."""
        address = self.settings.assets_url
        return AssetStore(address) if address else AssetStore.in_data_dir(self.settings.data_dir)

    @cached_property
    def renditions(self) -> Renditions:
        """Pictures as pages want them."""
        return Renditions(self.assets)

    @cached_property
    def intake(self) -> PictureIntake:
        """Where pictures come in by hand."""
        return PictureIntake(self.assets)

    @cached_property
    def children(self) -> Children:
        """Where what outsiders made is looked at and drawn."""
        return Children()

    @cached_property
    def stream_assets(self) -> StreamAssets:
        """The files of the show."""
        intake = AssetIntake(self.children, bytes_max=self.settings.stream_asset_bytes_max)
        return StreamAssets(self.database, self.assets, intake)

    @cached_property
    def scene_previews(self) -> ScenePreviews:
        """How scenes would look."""
        return ScenePreviews(self.database, self.assets, self.children)

    def forget(self, user: UUID) -> None:
        """Know nothing of this person any more: name, role or sessions have changed. Other processes follow in seconds."""
        self.identities.drop(lambda known: known.user == user)
        self.names.drop_key(user)

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
        if facts is not None:
            return facts
        # of a hot lot hundreds would ask at the same moment: one asks, the others wait for it
        asked = self._facts_asked.get(auction)
        if asked is None:
            asked = self._facts_asked[auction] = asyncio.ensure_future(self._read_facts(auction))
            asked.add_done_callback(lambda _: self._facts_asked.pop(auction, None))
        return await asyncio.shield(asked)

    async def _read_facts(self, auction: UUID) -> views.Facts:
        async with self.database.connect() as connection:
            facts = await repository.facts(connection, auction)
        self.facts.put(auction, facts)
        return facts


def parts_of(request: Any) -> ApiParts:
    """The parts of the app a request came to."""
    parts: ApiParts = request.app.state.parts
    return parts
