"""The only place where parts are joined to engines and ports."""

import asyncio
import contextlib
import gc
import importlib
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.agent import characters
from sothebais.agent import session as agent
from sothebais.agent.conversation import Conversation
from sothebais.agent.endpoint import Endpoint, EndpointModel
from sothebais.agent.memory.embedding import MiniLm
from sothebais.agent.memory.recollection import Recollection
from sothebais.agent.memory.recollection import consumer as memory_consumer
from sothebais.agent.scripted.host import ScriptedHost
from sothebais.agent.voice.build import build_voice
from sothebais.agent.words import Writer
from sothebais.api.host_room import HostRoom
from sothebais.api.live.hub import Hub
from sothebais.api.parts import ApiParts
from sothebais.auctions.campaign_port import CampaignLots
from sothebais.auctions.clock import AuctionClock
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.projection import AuctionProjector
from sothebais.auctions.receipts import KEY_BYTES, HouseKey
from sothebais.auctions.settlement import Settlements, policy_of
from sothebais.auctions.settlement_work import SettlementClock
from sothebais.auctions.settlement_work import consumer as settlement_consumer
from sothebais.campaigns import service as campaigns
from sothebais.campaigns.projection import CampaignProjector
from sothebais.catalog.assets import AssetStore
from sothebais.clock import Millis, SystemClock
from sothebais.config import Settings
from sothebais.db import migrations
from sothebais.db.base import Base
from sothebais.db.engine import create_engine
from sothebais.embedded import EmbeddedServers
from sothebais.errors import ConfigurationError, Unavailable
from sothebais.events import log
from sothebais.events.ports import Projector
from sothebais.events.relay import Relay
from sothebais.events.types.base import Source
from sothebais.notify.desk import NotifyDesk
from sothebais.notify.push import KEY_BYTES as VAPID_KEY_BYTES
from sothebais.notify.push import VapidKey
from sothebais.notify.push import new_key as new_vapid_key
from sothebais.social.chat import RoomPolicy, load_words
from sothebais.social.texts import SocialTexts
from sothebais.state.store import StateStore
from sothebais.stream import broadcast as stream
from sothebais.stream.clips import ClipFolder, ClipMaker
from sothebais.stream.clips import consumer as clip_consumer
from sothebais.stream.clips import environment as clip_environment
from sothebais.stream.fairness import PausedLots
from sothebais.stream.show import HostLook
from sothebais.stream.snapshot import House as Pictured
from sothebais.stream.snapshot import house_of
from sothebais.users.people import People
from sothebais.users.secret_box import KEY_BYTES as SECRETS_KEY_BYTES
from sothebais.users.secret_box import SecretBox
from sothebais.users.service import SessionService

#: Every module with tables; importing it registers them.
TABLE_MODULES = (
    "sothebais.users.tables",
    "sothebais.catalog.tables",
    "sothebais.campaigns.tables",
    "sothebais.auctions.tables",
    "sothebais.events.tables",
    "sothebais.agent.tables",
    "sothebais.notify.tables",
    "sothebais.social.tables",
    "sothebais.stream.tables",
    "sothebais.api.tables",
)
SERVICES = tuple(source for source in Source if source not in (Source.SOCIAL, Source.CHAIN))
HOUSE_KEY_FILE = Path("keys") / "house.key"
VAPID_KEY_FILE = Path("keys") / "vapid.key"
SECRETS_KEY_FILE = Path("keys") / "secrets.key"
DATA_FOLDERS = (
    *(f"assets/stream/{name}" for name in ("backgrounds", "overlays", "nfts", "audio")),
    *(f"assets/character/{name}" for name in ("expressions", "backgrounds", "props")),
    *(f"logs/{source.value}" for source in SERVICES),
    "recordings",
    "hls",
)
#: Collections of the youngest generation happen so rarely after start; the default made the slowest answers slow.
GC_THRESHOLDS = (50_000, 50, 100)


def metadata() -> sa.MetaData:
    """The tables of the whole house."""
    for name in TABLE_MODULES:
        importlib.import_module(name)
    return Base.metadata


@dataclass
class House:
    """An opened house: its servers are there, its database is migrated. Closed by whoever opened it."""

    settings: Settings
    database_url: str
    redis_url: str
    engine: AsyncEngine
    clock: SystemClock = field(default_factory=SystemClock)
    servers: EmbeddedServers | None = None

    def __post_init__(self) -> None:
        self.lot_scheduler = CampaignLots(self.settings.commit_timeout_s)
        tokenizer = self.settings.agent_embedding_tokenizer
        #: The host's memory, by meaning where the settings name the vocabulary for it. Its model is loaded once.
        self.recollection = Recollection(
            self.engine, self.clock, embedder=None if tokenizer is None else MiniLm(tokenizer)
        )

    def now(self) -> Millis:
        """The present instant."""
        return self.clock.now()

    def key(self) -> HouseKey:
        """The house's signing key: from the settings, else from ``data/keys``, made on first use."""
        return load_house_key(self.settings)

    def store(self) -> StateStore:
        """A connection to Redis."""
        return StateStore(self.redis_url)

    def projectors(self) -> list[Projector]:
        """Every domain's port to the relay."""
        return [AuctionProjector(), CampaignProjector()]

    def relay(self, store: StateStore) -> Relay:
        """The relay of this house."""
        return Relay(self.database_url, store, self.projectors(), clock=self.clock)

    def auction_engine(self, name: str = "engine") -> AuctionEngine:
        """An engine; the caller starts and stops it."""
        return AuctionEngine(
            self.database_url,
            clock=self.clock,
            bids_waiting_max=self.settings.bids_waiting_max,
            batch_bids_max=self.settings.batch_bids_max,
            commit_timeout_s=self.settings.commit_timeout_s,
            outage_extends_s=self.settings.outage_extends_s,
            name=name,
        )

    def auction_clock(self, engine: AuctionEngine) -> AuctionClock:
        """The clock of lots and session stages, acting through ``engine``."""

        async def advance(now: Millis) -> Millis | None:
            return await campaigns.advance(self.engine, self.lot_scheduler, now)

        return AuctionClock(engine, self.database_url, advance_campaigns=advance)

    def settlements(self) -> Settlements:
        """The steps of settlements."""
        return Settlements(self.engine, policy_of(self.settings))

    def settlement_work(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What the event-handler runs for settlements: the consumer of won lots, and their clock."""
        settlements = self.settlements()
        consumer = settlement_consumer(self.database_url, settlements, self.clock)
        return [consumer.run, SettlementClock(settlements, self.clock).run]

    def notify_desk(self) -> NotifyDesk:
        """Notifications and webhooks; ``work`` is what the event-handler runs of them."""
        vapid = VapidKey(_load_key(self.settings, "vapid_key", VAPID_KEY_FILE, VAPID_KEY_BYTES, new_vapid_key))
        box = load_secret_box(self.settings)
        return NotifyDesk(self.settings, self.clock, self.database_url, key=self.key(), vapid=vapid, box=box)

    async def pictured(self) -> Pictured:
        """What the picture says of the house, with the character that hosts now: its name, and its own pictures if it has any.

        Raises Unavailable without a database.
        """
        try:
            character = (await characters.present(self.engine)).character
        except (SQLAlchemyError, OSError) as error:
            raise Unavailable("The house's character cannot be read just now.") from error
        faces = character.expressions
        drawn = all(face.asset is None for face in faces.values())
        own = {} if drawn else {name: face.asset or "" for name, face in faces.items()}
        first = character.default_expression
        host = HostLook(name=character.name, expression=first, was=first, picture=own.get(first) or None)
        return msgspec.structs.replace(house_of(self.settings), host=host, expressions=own)

    def stream_parts(self, store: StateStore, auctions: AuctionEngine) -> stream.Parts:
        """What the stream-manager is made of; lots are paused through ``auctions``."""
        return stream.Parts(
            settings=self.settings,
            clock=self.clock,
            engine=self.engine,
            dsn=self.database_url,
            store=store,
            assets=self.assets(),
            house=self.pictured,
            lots=PausedLots(self.engine, auctions),
        )

    def clip_work(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What the stream-manager runs to have clips of sold lots made; nothing where the settings want none."""
        if not self.settings.clips:
            return []
        environ = clip_environment(self.settings, self.database_url, self.redis_url)
        maker = ClipMaker(ClipFolder(self.settings.data_dir), self.clock, environ)
        return [clip_consumer(self.database_url, maker).run]

    def assets(self) -> AssetStore:
        """The asset store of the settings."""
        address = self.settings.assets_url
        return AssetStore(address) if address else AssetStore.in_data_dir(self.settings.data_dir)

    def writer(self) -> Writer:
        """What puts the host's words together: a model where one is set, guarded, else the scripted host."""
        settings, model = self.settings, None
        if settings.agent_model_url is not None:
            key = settings.agent_model_key
            model = EndpointModel(
                Endpoint(
                    url=settings.agent_model_url,
                    key="" if key is None else key.get_secret_value(),
                    name=settings.agent_model_name,
                    deadline_ms=settings.agent_model_deadline_ms,
                    output_tokens_max=settings.agent_model_output_tokens_max,
                )
            )
        rng = random.Random()  # noqa: S311 - another evening, other words; nothing secret
        return Writer(self.clock, ScriptedHost(rng), model, deadline_ms=settings.agent_model_deadline_ms)

    def memory_work(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What the agent-service runs to remember sessions when they are over."""
        return [memory_consumer(self.database_url, self.engine, self.recollection, SocialTexts(self.engine)).run]

    def agent_parts(self, store: StateStore) -> agent.Parts:
        """What the agent-service is made of."""
        policy = RoomPolicy(load_words(self.settings), self.settings.chat_slow_s)
        return agent.Parts(
            clock=self.clock,
            engine=self.engine,
            dsn=self.database_url,
            store=store,
            assets=self.assets(),
            writer=self.writer(),
            voice=build_voice(self.settings, self.clock),
            room=HostRoom(self.engine, self.clock, policy),
            recall=self.recollection,
        )

    def people(self, store: StateStore | None = None) -> People:
        """Signing in and being somebody; with ``store`` sessions are cached in Redis."""
        sessions = SessionService(
            self.engine,
            idle_s=self.settings.session_idle_s,
            absolute_s=self.settings.session_absolute_s,
            store=store,
            clock=self.clock,
        )
        return People(self.settings, self.clock, self.engine, sessions, load_secret_box(self.settings))

    def api_parts(self, auctions: AuctionEngine | None, store: StateStore) -> ApiParts:
        """What the HTTP API needs."""
        probes: dict[str, Callable[[], Awaitable[None]]] = {"postgresql": self._probe_database, "redis": store.ping}
        if auctions is not None:
            probes["engine"] = _probe_engine(auctions)
        people = self.people(store)
        parts = ApiParts(
            settings=self.settings,
            clock=self.clock,
            database=self.engine,
            sessions=people.sessions,
            key=self.key(),
            people=people,
            auctions=auctions,
            probes=probes,
            store=store,
            lot_scheduler=self.lot_scheduler,
            notify=self.notify_desk(),
            conversation=Conversation(self.engine, self.clock, self.writer(), recall=self.recollection),
        )
        _ = parts.room_policy  # a list of words that cannot be read is found now, not by the first line
        parts.live = Hub(parts, self.database_url, store)
        return parts

    async def _probe_database(self) -> None:
        async with self.engine.connect() as connection:
            await connection.execute(sa.text("select 1"))


def _probe_engine(auctions: AuctionEngine) -> Callable[[], Awaitable[None]]:
    async def probe() -> None:
        if not auctions.connected:
            raise Unavailable("The engine is not connected to PostgreSQL.")

    return probe


@contextlib.asynccontextmanager
async def open_house(settings: Settings, *, name: str = "house", pool_size: int = 5) -> AsyncIterator[House]:
    """Servers (configured, or embedded and shared), migrations, the log's epoch; all closed again at the end."""
    await asyncio.to_thread(make_data_folders, settings.data_dir)
    needs_postgres, needs_redis = settings.database_url is None, settings.redis_url is None
    servers = None
    database_url = settings.database_url.get_secret_value() if settings.database_url else None
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
    if needs_postgres or needs_redis:
        servers = EmbeddedServers(settings.data_dir, postgres=needs_postgres, valkey=needs_redis)
        started = await asyncio.to_thread(servers.acquire)
        database_url, redis_url = database_url or started.database_url, redis_url or started.redis_url
    if database_url is None or redis_url is None:
        raise ConfigurationError("DATABASE_URL and REDIS_URL must be set where embedded servers are off.")
    engine = create_engine(database_url, name=name, pool_size=pool_size)
    try:
        try:
            await migrations.upgrade(engine)
            async with engine.begin() as connection:
                await log.ensure_epoch(connection)
        except (OSError, asyncpg.PostgresError, SQLAlchemyError) as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise Unavailable(
                f"PostgreSQL cannot be used: {reason}. Check DATABASE_URL (`sothebais doctor`).", retry_after=1
            ) from error
        yield House(settings, database_url, redis_url, engine, servers=servers)
    finally:
        await engine.dispose()
        if servers is not None:
            await asyncio.to_thread(servers.release)


def make_data_folders(data_dir: Path) -> None:
    """The folders of ``docs/schema.md``. Raises ConfigurationError where they cannot be made."""
    try:
        for folder in DATA_FOLDERS:
            (data_dir / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"SOTHEBAIS_DATA_DIR: {data_dir} cannot be used as data folder: {error.strerror}."
        ) from error


def load_house_key(settings: Settings) -> HouseKey:
    """The signing key; made with 0600 in ``data/keys`` when there is none. Raises ConfigurationError for a bad one."""
    return HouseKey(_load_key(settings, "house_key", HOUSE_KEY_FILE, KEY_BYTES, lambda: HouseKey.generate()[1]))


def load_secret_box(settings: Settings) -> SecretBox:
    """What encrypts second factors at rest; its key as ``load_house_key`` finds or makes the signing key."""
    make = partial(os.urandom, SECRETS_KEY_BYTES)
    return SecretBox(_load_key(settings, "secrets_key", SECRETS_KEY_FILE, SECRETS_KEY_BYTES, make))


def _load_key(settings: Settings, name: str, file_name: Path, length: int, make: Callable[[], bytes]) -> bytes:
    """The key of a setting, else of its file, which is made with 0600 where there is none."""
    given: SecretStr | None = getattr(settings, name)
    if given is not None:
        return _key_bytes(given.get_secret_value(), f"SOTHEBAIS_{name.upper()}", length)
    path = settings.data_dir / file_name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(make().hex())
            file.flush()
            os.fsync(file.fileno())
        # linking fails where another process was first; then its key is the house's
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
    return _key_bytes(path.read_text().strip(), str(file_name), length)


def _key_bytes(text: str, name: str, length: int) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != length:
        raise ConfigurationError(f"{name} must be {length * 2} hex digits.")
    return key


def settle_memory() -> None:
    """After start: what is there now will stay, so the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
