"""The first in starts, everyone else attaches, the last one out stops."""

import asyncio
import os
import secrets
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from embedded_helpers import postmaster_pid, processes_on, record_bid, recorded_bid, sql, valkey, valkey_pid
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from sothebais.embedded import EmbeddedServers, Servers
from sothebais.embedded.process import LOG_SIZE_MAX_BYTES, bound_log
from sothebais.errors import ConfigurationError, EmbeddedServerError


def as_dict(servers: Servers) -> dict:
    return vars(servers)


def test_three_processes_at_once_share_one_pair_of_servers_and_the_last_one_stops_them(place, hold):
    data_dir = place / "data"
    holders = [hold(data_dir) for _ in range(3)]
    servers = [holder.servers() for holder in holders]
    assert servers[0] == servers[1] == servers[2]
    pids = postmaster_pid(data_dir), valkey_pid(data_dir)
    assert sql(servers[0], "select current_database()") == "sothebais"
    holders[0].release()
    holders[1].release()
    assert (postmaster_pid(data_dir), valkey_pid(data_dir)) == pids
    assert valkey(servers[2]).ping()
    holders[2].release()
    assert not processes_on(data_dir)


def test_shares_of_one_process_count_one_by_one(house):
    first, second = EmbeddedServers(house), EmbeddedServers(house)
    assert first.acquire() == second.acquire() == first.acquire()
    first.release()
    assert sql(as_dict(second.ensure_running()), "select 1") == 1
    second.release()
    assert not processes_on(house)
    second.release()  # nothing to give up


def test_threads_that_acquire_the_same_share_get_the_same_servers(house):
    servers = EmbeddedServers(house)
    found: list[Servers] = []
    threads = [threading.Thread(target=lambda: found.append(servers.acquire())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    servers.release()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert not processes_on(house)


async def test_async_code_uses_the_servers_by_a_thread(house):
    servers = EmbeddedServers(house)
    addresses = await asyncio.to_thread(servers.acquire)
    engine = create_async_engine(addresses.database_url.replace("postgresql://", "postgresql+asyncpg://", 1))
    async with engine.connect() as connection:
        assert await connection.scalar(text("select current_user::text")) == "sothebais"
    await engine.dispose()
    await asyncio.to_thread(servers.release)


def test_data_outlives_the_servers_and_addresses_stay_the_same(house):
    with EmbeddedServers(house) as first:
        amount = record_bid(as_dict(first))
        valkey(as_dict(first)).set("lot", lot := secrets.token_hex(4))
    with EmbeddedServers(house) as second:
        assert second == first
        assert recorded_bid(as_dict(second)) == amount
        assert valkey(as_dict(second)).get("lot") == lot


def test_the_servers_are_durable_private_and_in_utc(house):
    with EmbeddedServers(house, postgres_settings={"max_connections": "37"}) as servers:
        for name, value in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "shared_buffers": "128MB",
            "max_connections": "37",
            "TimeZone": "UTC",
            "listen_addresses": "",
            "server_encoding": "UTF8",
        }.items():
            assert sql(as_dict(servers), f"show {name}") == value, name
        assert servers.postgres_version >= 15
        assert stat.S_IMODE((house / "embedded" / "run").stat().st_mode) == 0o700
        assert stat.S_IMODE((house / "embedded" / "valkey" / "valkey.conf").stat().st_mode) == 0o600
        client = valkey(as_dict(servers))
        assert client.config_get("append*")["appendonly"] == "yes"
        assert client.config_get("append*")["appendfsync"] == "everysec"
        assert client.config_get("bind")["bind"] == "127.0.0.1"
        conf = (house / "embedded" / "valkey" / "valkey.conf").read_text()
        assert "requirepass " in conf
        assert servers.redis_url.startswith("unix:///")


@pytest.mark.parametrize("name", ["fsync", "port", "listen_addresses", "not a name", "fsync=off -c x"])
def test_settings_that_the_launcher_rests_on_are_refused(place, name):
    with pytest.raises(ConfigurationError):
        EmbeddedServers(place / "data", postgres_settings={name: "off"})
    assert not (place / "data").exists()


def test_each_server_can_be_had_alone(house):
    with EmbeddedServers(house, postgres=False) as only_valkey:
        assert only_valkey.database_url is None
        assert only_valkey.postgres_version == 0
        assert valkey(as_dict(only_valkey)).ping()
        assert not (house / "embedded" / "postgres-18" / "postmaster.pid").exists()
        with EmbeddedServers(house, valkey=False) as only_postgres:
            assert only_postgres.redis_url is None
            assert sql(as_dict(only_postgres), "select 1") == 1
        # The one that wants only Valkey is the last one now, and stops PostgreSQL too.
    assert not processes_on(house)


def test_postgres_variables_in_the_environment_change_nothing(house, hold):
    variables = {
        "PGPORT": "6543",
        "PGHOST": "nowhere",
        "PGDATA": "/nowhere",
        "PGUSER": "x",
        "PGOPTIONS": "-c fsync=off",
    }
    holder = hold(house, environment=variables)
    servers = holder.servers()
    saved = {name: os.environ.get(name) for name in variables}
    os.environ.update(PGPORT="6543", PGHOST="nowhere", PGUSER="x")
    try:
        assert sql(servers, "select current_setting('port') || current_user") == "5432sothebais"
    finally:
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    holder.release()


def test_a_long_and_odd_path_gets_sockets_in_a_short_private_folder(place, house):
    odd = place / ('it\'s a "house", 100 % ' + "long " * 20 + "ü")
    house.rename(odd)
    with EmbeddedServers(odd) as servers:
        assert sql(as_dict(servers), "select 1") == 1
        assert valkey(as_dict(servers)).ping()
        folder = sql(as_dict(servers), "show unix_socket_directories").strip('"')
        assert len(folder) < 60
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert not processes_on(odd)
    assert not Path(folder).exists()
    odd.rename(house)


def test_a_fork_does_not_give_up_the_share_of_its_parent(house):
    servers = EmbeddedServers(house)
    addresses = servers.acquire()
    child = os.fork()
    if child == 0:
        servers.release()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    with EmbeddedServers(house):
        pass  # leaves, and must see that somebody is still in
    assert sql(as_dict(addresses), "select 1") == 1
    servers.release()
    assert not processes_on(house)


def test_a_share_must_be_acquired_before_it_is_kept_running(place):
    with pytest.raises(EmbeddedServerError, match="not been acquired"):
        EmbeddedServers(place / "data").ensure_running()


def test_a_forgotten_release_happens_at_exit(house, hold):
    holder = hold(house)
    holder.servers()
    holder.process.stdin.close()  # the holder returns from main without a release
    holder.process.stdin = None
    assert holder.process.wait(30) == 0
    assert not processes_on(house)


def test_a_log_is_kept_within_bounds_without_losing_its_end(place):
    log = place / "server.log"
    with log.open("ab") as server:
        server.write(b"x" * LOG_SIZE_MAX_BYTES + b"the end")
        server.flush()
        bound_log(log)
        server.write(b"and on")
    assert log.read_bytes() == b"and on"
    old = Path(f"{log}.1").read_bytes()
    assert len(old) == LOG_SIZE_MAX_BYTES
    assert old.endswith(b"the end")


def test_servers_whose_folder_was_removed_do_not_go_on_for_ever(house):
    servers = EmbeddedServers(house)
    servers.acquire()
    subprocess.run(["/bin/rm", "-rf", str(house)], check=True)
    servers.release()
    assert not processes_on(house)
    assert not house.exists()
