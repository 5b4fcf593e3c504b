"""The only place where parts are joined to engines and ports."""

import asyncio
import contextlib
import gc
import importlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.api.parts import ApiParts
from sothebais.auctions.campaign_port import CampaignLots
from sothebais.auctions.clock import AuctionClock
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.projection import AuctionProjector
from sothebais.auctions.receipts import KEY_BYTES, HouseKey
from sothebais.campaigns import service as campaigns
from sothebais.campaigns.projection import CampaignProjector
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
from sothebais.state.store import StateStore
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
DATA_FOLDERS = (
    *(f"assets/stream/{name}" for name in ("backgrounds", "overlays", "nfts")),
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

    def api_parts(self, auctions: AuctionEngine | None, store: StateStore) -> ApiParts:
        """What the HTTP API needs."""
        probes: dict[str, Callable[[], Awaitable[None]]] = {"postgresql": self._probe_database, "redis": store.ping}
        if auctions is not None:
            probes["engine"] = _probe_engine(auctions)
        return ApiParts(
            settings=self.settings,
            clock=self.clock,
            database=self.engine,
            sessions=SessionService(
                self.engine, idle_s=self.settings.session_idle_s, absolute_s=self.settings.session_absolute_s
            ),
            key=self.key(),
            auctions=auctions,
            probes=probes,
            store=store,
        )

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
    if settings.house_key is not None:
        return _house_key(settings.house_key.get_secret_value(), "SOTHEBAIS_HOUSE_KEY")
    path = settings.data_dir / HOUSE_KEY_FILE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _, private = HouseKey.generate()
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(private.hex())
            file.flush()
            os.fsync(file.fileno())
        # linking fails where another process was first; then its key is the house's
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
    return _house_key(path.read_text().strip(), str(HOUSE_KEY_FILE))


def _house_key(text: str, name: str) -> HouseKey:
    try:
        private = bytes.fromhex(text)
    except ValueError:
        private = b""
    if len(private) != KEY_BYTES:
        raise ConfigurationError(f"{name} must be {KEY_BYTES * 2} hex digits.")
    return HouseKey(private)


def settle_memory() -> None:
    """After start: what is there now will stay, so the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
