"""What is killed, comes back; what a kill leaves behind, harms nobody."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from embedded_helpers import (
    data_folder,
    eventually,
    kill_and_wait,
    postmaster_pid,
    processes_on,
    record_bid,
    recorded_bid,
    sql,
    valkey,
    valkey_pid,
)

from sothebais.embedded import EmbeddedServers
from sothebais.errors import EmbeddedServerError

pytestmark = pytest.mark.fault

LONG_QUERY = """
import asyncio, asyncpg, os
async def main():
    connection = await asyncpg.connect(os.environ["SERVER"])
    print("in", flush=True)
    await connection.execute("select count(*) from generate_series(1, 2000000000)")
asyncio.run(main())
"""


@contextlib.contextmanager
def stranger(cwd: Path) -> Iterator[int]:
    """A live process that is none of ours."""
    process = subprocess.Popen(["/bin/sleep", "300"], cwd=cwd)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def long_query(servers: dict[str, Any]) -> Iterator[None]:
    """A backend inside a long function, which does not notice the death of its server before it is told."""
    client = subprocess.Popen(
        [sys.executable, "-c", LONG_QUERY],
        env={**os.environ, "SERVER": servers["database_url"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    others = "select count(*) from pg_stat_activity where query like '%generate_series%' and pid <> pg_backend_pid()"
    try:
        assert client.stdout is not None
        assert client.stdout.readline() == "in\n"
        eventually(lambda: sql(servers, others), "the long query runs")
        yield
    finally:
        client.kill()
        client.wait()
        client.stdout.close()


def test_after_kill_9_of_the_only_app_the_next_one_attaches_and_stops_the_servers(house, hold):
    app = hold(house)
    servers = app.servers()
    amount = record_bid(servers)
    pids = postmaster_pid(house), valkey_pid(house)
    app.kill()
    assert (postmaster_pid(house), valkey_pid(house)) == pids  # still running, held by nobody
    with EmbeddedServers(house) as found:
        assert vars(found) == servers
        assert (postmaster_pid(house), valkey_pid(house)) == pids
        assert recorded_bid(servers) == amount
    assert not processes_on(house)


def test_a_killed_app_loses_its_share_and_the_others_go_on(house, hold):
    first, second = hold(house), hold(house)
    servers = first.servers()
    assert second.servers() == servers
    first.kill()
    assert sql(servers, "select 1") == 1
    second.release()
    assert not processes_on(house)


@pytest.mark.parametrize("started_it", [True, False], ids=["by the one who started it", "by one who attached"])
def test_a_killed_postgres_is_restarted_with_what_was_committed(house, hold, started_it):
    starter = hold(house)
    starter.servers()
    guest = hold(house)
    servers = guest.servers()
    amount = record_bid(servers)
    old = postmaster_pid(house)
    kill_and_wait(old)
    assert (starter if started_it else guest).ensure() == servers
    assert postmaster_pid(house) != old
    assert recorded_bid(servers) == amount
    assert (guest if started_it else starter).ensure() == servers  # finds it running
    starter.release()
    guest.release()
    assert not processes_on(house)


def test_postgres_killed_with_a_busy_backend_is_restarted(house):
    servers = EmbeddedServers(house)
    addresses = vars(servers.acquire())
    amount = record_bid(addresses)
    with long_query(addresses):
        kill_and_wait(postmaster_pid(house))
        assert vars(servers.ensure_running()) == addresses
        assert recorded_bid(addresses) == amount
    servers.release()
    assert not processes_on(house)


def test_a_killed_valkey_is_restarted_with_the_same_address_and_data(house, hold):
    app = hold(house)
    servers = app.servers()
    valkey(servers).set("lot", lot := secrets.token_hex(4))
    old = valkey_pid(house)
    kill_and_wait(old)
    assert app.ensure() == servers
    assert valkey_pid(house) != old
    assert valkey(servers).get("lot") == lot
    app.release()


def test_ensure_running_leaves_living_servers_alone(house):
    servers = EmbeddedServers(house)
    first = servers.acquire()
    pids = postmaster_pid(house), valkey_pid(house)
    assert servers.ensure_running() == first
    assert (postmaster_pid(house), valkey_pid(house)) == pids
    servers.release()


def test_app_and_servers_killed_together_start_again(house, hold):
    app = hold(house)
    servers = app.servers()
    amount = record_bid(servers)
    app.kill()
    kill_and_wait(postmaster_pid(house))
    kill_and_wait(valkey_pid(house))
    with EmbeddedServers(house) as found:
        assert vars(found) == servers
        assert recorded_bid(servers) == amount


def test_kill_9_during_initdb_frees_the_lock_and_leaves_nothing_that_looks_whole(place, hold):
    data_dir = place / "data"
    app = hold(data_dir, valkey=False)
    half_made = eventually(lambda: list((data_dir / "embedded").glob(".initdb-*/PG_VERSION")), "initdb is at work")
    waiting = hold(data_dir, valkey=False)
    app.kill()
    assert not list((data_dir / "embedded").glob("postgres-*/PG_VERSION"))
    assert sql(waiting.servers(), "select current_database()") == "sothebais"
    assert not half_made[0].exists()
    assert not list((data_dir / "embedded").glob(".initdb-*"))
    waiting.release()
    assert not processes_on(data_dir)


def test_release_after_postgres_was_killed_ends_what_is_left_of_it(house):
    servers = EmbeddedServers(house)
    addresses = vars(servers.acquire())
    with long_query(addresses):
        kill_and_wait(postmaster_pid(house))
        servers.release()
        assert not processes_on(house)


def test_stale_pid_file_and_sockets_are_removed_even_if_the_number_lives_again(house):
    folder = data_folder(house)
    run = house / "embedded" / "run"
    with stranger(Path("/")) as pid:
        (folder / "postmaster.pid").write_text(f"{pid}\n{folder}\n0\n5432\n{run}\n\n\nready   \n")
        os.chown(folder / "postmaster.pid", folder.stat().st_uid, folder.stat().st_gid)
        (run / ".s.PGSQL.5432.lock").write_text(f"{pid}\n{folder}\n0\n5432\n{run}\n")
        for stale in (run / ".s.PGSQL.5432", house / "embedded" / "valkey" / "run" / "valkey.sock"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
                dead.bind(str(stale))
        with EmbeddedServers(house) as servers:
            assert postmaster_pid(house) != pid
            assert sql(vars(servers), "select 1") == 1
            assert valkey(vars(servers)).ping()


def test_the_pid_file_of_a_live_process_in_the_data_folder_is_left_alone(house):
    folder = data_folder(house)
    pid_file = folder / "postmaster.pid"
    with stranger(folder) as pid:
        text = f"{pid}\n{folder}\n0\n5432\n/nowhere\n\n\nready   \n"
        pid_file.write_text(text)
        with pytest.raises(EmbeddedServerError, match=f"live process {pid}"):
            EmbeddedServers(house).acquire()
        assert pid_file.read_text() == text
        assert set(processes_on(house)) == {pid}  # Valkey, started for this attempt, has been stopped
    with EmbeddedServers(house) as servers:
        assert sql(vars(servers), "select 1") == 1


def test_a_shell_in_the_data_folder_does_not_keep_the_server_from_starting(house):
    with stranger(data_folder(house)), EmbeddedServers(house) as servers:
        assert sql(vars(servers), "select 1") == 1


def test_ctrl_c_ends_the_app_and_then_its_servers(house, hold):
    app = hold(house, mode="--leave")
    servers = app.servers()
    amount = record_bid(servers)
    for pid in (postmaster_pid(house), valkey_pid(house)):
        assert os.getsid(pid) != os.getsid(app.pid)
    os.killpg(app.pid, signal.SIGINT)
    assert app.process.wait(30) != 0
    assert not processes_on(house)
    assert "database system is shut down" in (house / "embedded" / "postgres.log").read_text()
    with EmbeddedServers(house) as again:
        assert recorded_bid(vars(again)) == amount


def test_ctrl_c_during_a_cold_start_leaves_nothing_running(place, hold):
    data_dir = place / "data"
    app = hold(data_dir, mode="--leave")
    eventually(lambda: list((data_dir / "embedded").glob(".initdb-*/PG_VERSION")), "initdb is at work")
    os.killpg(app.pid, signal.SIGINT)
    assert app.process.wait(30) != 0
    eventually(lambda: not processes_on(data_dir), "initdb's own children end")
    with EmbeddedServers(data_dir) as servers:
        assert sql(vars(servers), "select 1") == 1
