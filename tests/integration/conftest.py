"""Real servers for integration tests: nothing that can run for real is a stand-in.

Fixtures
- ``servers``: embedded PostgreSQL and Valkey, once per session and xdist worker (``Servers``: their addresses).
- ``database_url``: a fresh, migrated database for this test (a copy of a template, ~35 ms), dropped afterwards.
- ``redis_url``: an empty Redis database of this test's own.
- ``settings``: a house's settings on those two; override it with ``settings.model_copy(update=…)``.
- ``house``: an opened ``bootstrap.House`` on them (``house.engine``, ``house.relay(store)``, ``house.auction_engine()`` …).
- ``store``: a ``StateStore`` on its Redis.  ``connection``: an asyncpg connection to its database.
- ``engine``: a running ``AuctionEngine`` of that house.  ``client``: its HTTP API without a socket.
- ``empty_database``: a database without tables, for tests of migrations and restores.
- A guard, always on: connecting anywhere but to loopback or a unix socket fails the test.

Builders stand in ``tests.fakes.house``: ``a_user``, ``a_collection``, ``an_item``, ``a_lot``, ``an_open_lot``, ``bid``,
``step``, ``advance``, ``signed_in``, ``whole_log``, ``eventually``, ``running`` …

    async def test_a_bid_is_accepted(house, engine):
        lot, ana = await an_open_lot(house, engine), await a_user(house, "ana")
        assert (await bid(engine, lot, ana, "1.5")).accepted
"""

import ipaddress
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.house import Administrator, api_client, running_engine, with_redis_database

from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.config import Settings
from sothebais.db import migrations
from sothebais.db.engine import connect, create_engine
from sothebais.embedded import EmbeddedServers
from sothebais.embedded.servers import Servers
from sothebais.events import log
from sothebais.state.store import StateStore

TEMPLATE = "house_template"
#: The Redis database of tests; 0 is left alone.
REDIS_DATABASE = 1

_databases = count(1)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Servers of this worker, on a path short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="si-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with EmbeddedServers(folder / "data") as started:
            yield started
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def administrator(servers: Servers) -> Iterator[Administrator]:
    """Makes databases; the migrated template is one of them."""
    assert servers.database_url is not None
    made = Administrator(servers.database_url)
    url = made.create(TEMPLATE)

    async def migrate() -> None:
        engine = create_engine(url, pool_size=1)
        await migrations.upgrade(engine)
        async with engine.begin() as connection:
            await log.ensure_epoch(connection)
        await engine.dispose()

    made.do(migrate())
    yield made
    made.close()


@pytest.fixture
def database_url(administrator: Administrator) -> Iterator[str]:
    name = f"test_{next(_databases)}"
    yield administrator.create(name, TEMPLATE)
    administrator.drop(name)


@pytest.fixture
def empty_database(administrator: Administrator) -> Iterator[str]:
    name = f"test_{next(_databases)}"
    yield administrator.create(name)
    administrator.drop(name)


@pytest.fixture
async def redis_url(servers: Servers) -> str:
    assert servers.redis_url is not None
    url = with_redis_database(servers.redis_url, REDIS_DATABASE)
    store = StateStore(url)
    await store.delete(await store.keys("*"))
    await store.close()
    return url


@pytest.fixture
def settings(tmp_path: Path, database_url: str, redis_url: str) -> Settings:
    return Settings(data_dir=tmp_path / "data", database_url=database_url, redis_url=redis_url, sandbox=True)


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    assert settings.database_url is not None
    assert settings.redis_url is not None
    database_url, redis_url = settings.database_url.get_secret_value(), settings.redis_url.get_secret_value()
    pool = create_engine(database_url, name="test", pool_size=3)
    yield House(settings, database_url, redis_url, pool)
    await pool.dispose()


@pytest.fixture
async def store(house: House) -> AsyncIterator[StateStore]:
    made = house.store()
    yield made
    await made.close()


@pytest.fixture
async def connection(house: House) -> AsyncIterator[Any]:
    made = await connect(house.database_url, name="test")
    yield made
    await made.close()


@pytest.fixture
async def engine(house: House) -> AsyncIterator[AuctionEngine]:
    async with running_engine(house) as made:
        yield made


@pytest.fixture
async def client(house: House, engine: AuctionEngine, store: StateStore) -> AsyncIterator[httpx.AsyncClient]:
    async with api_client(house, engine, store) as made:
        yield made


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A test that reaches for another machine fails, whatever the code made of the refusal. Gives what was refused."""
    outside: list[str] = []
    connect_, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def check(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(str(address[0])):
            outside.append(f"{address[0]}:{address[1]}")
            raise ConnectionRefusedError(f"a test may not connect to {address[0]}:{address[1]}")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        check(self, address)
        connect_(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        check(self, address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name and not _is_loopback(name) and _address(name) is None:
            outside.append(name)
            raise socket.gaierror(socket.EAI_NONAME, f"a test may not look {name} up")
        return getaddrinfo(host, *rest, **more)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
    yield outside
    assert not outside, f"the test reached for {', '.join(outside)}"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address a text means, in the odd old forms too (``127.1``); None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host in ("localhost", "") if address is None else address.is_loopback
