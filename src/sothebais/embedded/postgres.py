"""One PostgreSQL server on one data folder: create, start or attach, stop.

Everything here is called under the lock of `lease`, except the looking: `Cluster.postmaster`, `url`, `trim_log`.
"""

import hashlib
import logging
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import Popen
from urllib.parse import quote

from sothebais.embedded.binaries import PostgresSoftware
from sothebais.embedded.places import remove_far_folder, remove_tree, socket_folder, sync_folder
from sothebais.embedded.process import (
    Account,
    Occupant,
    StillStarting,
    bound_log,
    exists,
    log_tail,
    occupants,
    run,
    send,
    spawn,
    wait_until,
)
from sothebais.errors import ConfigurationError, EmbeddedServerError

log = logging.getLogger(__name__)

PORT = 5432
SOCKET_NAME = f".s.PGSQL.{PORT}"
DATABASE = USER = "sothebais"

LAUNCHES_MAX = 3
CREATE_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
ORPHAN_LEAVE_S = 1.0
ORPHAN_QUIT_S = 2.0

_NAMES = ("postgres",)
_CREATING = ".initdb-"
_BUILTIN_LOCALE_MAJOR = 17

# Durable first; sized for two cores and little memory.
DEFAULT_SETTINGS: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "effective_cache_size": "512MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_worker_processes": "4",
    "max_parallel_workers": "2",
    "max_parallel_workers_per_gather": "1",
    "jit": "off",
    "min_wal_size": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "10min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # the details name values, such as an e-mail address in a unique index
}
_FIXED_SETTINGS = frozenset(
    {
        "fsync",
        "full_page_writes",
        "data_directory",
        "config_file",
        "hba_file",
        "listen_addresses",
        "port",
        "unix_socket_directories",
        "unix_socket_permissions",
        "cluster_name",
        "logging_collector",
        "log_destination",
    }
)


@dataclass(frozen=True)
class Postmaster:
    """What ``postmaster.pid`` says about a live server."""

    pid: int
    port: int
    socket_folder: str
    status: str


def check_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """The defaults with ``settings`` on top; what durability or this launcher rests on cannot be changed."""
    for name in settings:
        if not re.fullmatch(r"[a-z_][a-z0-9_.]*", name):
            raise ConfigurationError(f"{name!r} is not the name of a PostgreSQL setting")
        if name in _FIXED_SETTINGS:
            raise ConfigurationError(f"the PostgreSQL setting {name} of an embedded server cannot be changed")
    return {**DEFAULT_SETTINGS, **settings}


def initdb_options(major: int, locale: str) -> list[str]:
    """Options of ``initdb`` that this major version knows."""
    options = ["-U", USER, "-E", "UTF8", "--auth-local=trust", "--auth-host=reject"]
    if major >= _BUILTIN_LOCALE_MAJOR:
        options.append("--locale-provider=builtin")
    return [*options, f"--locale={locale}"]


def server_options(data: Path, sockets: Path, settings: Mapping[str, str]) -> list[str]:
    """The command line of the server, without the program."""
    quoted = str(sockets).replace('"', '""')
    fixed = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": f'"{quoted}"',  # quoted: a comma would split the path
        "unix_socket_permissions": "0700",
        "cluster_name": cluster_name(data),
        "logging_collector": "off",
        "log_destination": "stderr",
    }
    options = ["-D", str(data)]
    for name, value in {**settings, **fixed}.items():
        options += ["-c", f"{name}={value}"]
    return options


def cluster_name(data: Path) -> str:
    """A name that PostgreSQL puts in the title of each of its processes, by which they are found."""
    return f"sothebais-{hashlib.sha256(os.fsencode(data)).hexdigest()[:12]}"


def _none_of(find: Callable[[], list[Occupant]]) -> bool:
    return not find()


class Cluster:
    """The server of version ``major`` on its data folder under ``base``, run as ``account`` (None: as this process)."""

    def __init__(self, base: Path, major: int, account: Account | None, log_path: Path) -> None:
        self.major = major
        self.data = base / f"postgres-{major}"
        self._account = account
        self._log = log_path

    def occupants(self, pid: int | None = None) -> list[Occupant]:
        """Live processes that work in the data folder, servers and strangers."""
        marks = (f"-D {self.data} ", f"postgres: {cluster_name(self.data)}: ")
        return occupants(self.data, names=_NAMES, marks=marks, pid=pid)

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def postmaster(self) -> Postmaster | None:
        """The live server of this folder, also one that this process did not start."""
        lines = self._pid_file()
        if not lines or not lines[0].strip().isdecimal():
            return None
        pid = int(lines[0])
        if not any(one.name in _NAMES and not one.ending for one in self.occupants(pid)):
            return None
        lines += [""] * (8 - len(lines))
        return Postmaster(pid, int(lines[3].strip() or PORT), lines[4].strip(), lines[7].strip())

    def ready(self) -> Postmaster | None:
        """The live server if it takes connections; cheap, for a periodic check."""
        found = self.postmaster()
        return found if found is not None and found.status == "ready" else None

    def trim_log(self) -> None:
        """Keep the log bounded; to be called from time to time."""
        bound_log(self._log)

    def url(self, postmaster: Postmaster) -> str:
        """A DSN with the port spelled out: PGPORT in the environment would win otherwise."""
        if not postmaster.socket_folder:
            raise EmbeddedServerError(
                f"the PostgreSQL of {self.data} was started by hand without a unix socket; stop it"
            )
        return f"postgresql://{USER}@/{DATABASE}?host={quote(postmaster.socket_folder)}&port={postmaster.port}"

    def ensure_running(self, software: PostgresSoftware, settings: Mapping[str, str], deadline: float) -> Postmaster:
        """Attach to the live server or start one, and wait until it takes connections."""
        self.trim_log()
        for _ in range(LAUNCHES_MAX):
            child = None
            if self.postmaster() is None and self._clear(deadline):
                if not self.data.exists():
                    self._create(software, deadline)
                child = self._launch(software, settings)
            ready = self._await_ready(child, deadline)
            if ready is not None:
                return ready
        raise EmbeddedServerError(
            f"PostgreSQL does not start on {self.data}; the end of {self._log}: {log_tail(self._log)}"
        )

    def _launch(self, software: PostgresSoftware, settings: Mapping[str, str]) -> "Popen[bytes]":
        sockets = socket_folder(self.data.parent, f"{SOCKET_NAME}.lock", self._account)
        for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
            if not self.occupants():
                (sockets / name).unlink(missing_ok=True)
        program = software.bin / "postgres"
        return spawn([program, *server_options(self.data, sockets, settings)], log=self._log, account=self._account)

    def _await_ready(self, child: "Popen[bytes] | None", deadline: float) -> Postmaster | None:
        """The ready server, or None when the one waited for has ended."""
        if not wait_until(lambda: self.ready() is not None or self._has_ended(child), deadline):
            raise StillStarting(
                f"PostgreSQL on {self.data} is not ready in time; it goes on (perhaps with recovery), try again later; "
                f"the end of {self._log}: {log_tail(self._log)}"
            )
        return self.ready()

    def _has_ended(self, child: "Popen[bytes] | None") -> bool:
        if child is not None:
            return child.poll() is not None
        return self.postmaster() is None and not self._servers()

    def _servers(self) -> list[Occupant]:
        return [one for one in self.occupants() if one.name in _NAMES]

    def _clear(self, deadline: float) -> bool:
        """Make way for a new server after one that was killed. False when a server turned up meanwhile."""
        if not self._servers_left(deadline):
            return False
        strangers = self.occupants()
        lines = self._pid_file()
        if not strangers:
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            return True
        pid = int(lines[0]) if lines and lines[0].strip().isdecimal() else None
        if pid is not None and exists(pid):
            named = ", ".join(f"{one.name} ({one.pid})" for one in strangers)
            raise EmbeddedServerError(
                f"{self.data}/postmaster.pid names the live process {pid}, and the data folder is in use by {named}: "
                "end these processes, or make sure that no server uses the folder and remove that file"
            )
        return True

    def _servers_left(self, deadline: float) -> bool:
        """Wait for processes of a killed server to leave; they do so by themselves unless they are busy."""
        for number, patience_s in (
            (None, ORPHAN_LEAVE_S),
            (signal.SIGQUIT, ORPHAN_QUIT_S),
            (signal.SIGKILL, STOP_TIMEOUT_S),
        ):
            orphans = self._servers()
            if number is not None:
                for one in orphans:
                    log.warning("process %d of a killed PostgreSQL on %s gets %s", one.pid, self.data, number.name)
                    send(one.pid, number)
            wait_until(
                lambda: not self._servers() or self.postmaster() is not None,
                min(deadline, time.monotonic() + patience_s),
            )
            if self.postmaster() is not None:
                return False
            if not self._servers():
                return True
        raise EmbeddedServerError(f"processes of a killed PostgreSQL on {self.data} do not end: {self._servers()}")

    def _create(self, software: PostgresSoftware, deadline: float) -> None:
        """Make the data folder under another name and rename it: whoever is killed half-way leaves nothing that looks whole."""
        base = self.data.parent
        timeout_s = max(CREATE_TIMEOUT_S, deadline - time.monotonic())
        temporary = Path(tempfile.mkdtemp(prefix=_CREATING, dir=base))
        try:
            if self._account is not None:
                os.chown(temporary, self._account.uid, self._account.gid)
            self._initdb(software, temporary, timeout_s)
            # A server without connections needs no client program and cannot be seen half-way by anyone.
            single: list[str | Path] = [
                software.bin / "postgres",
                "--single",
                "-D",
                temporary,
                "-c",
                "exit_on_error=on",
                "postgres",
            ]
            run(single, timeout_s=timeout_s, account=self._account, stdin=f"CREATE DATABASE {DATABASE} OWNER {USER}\n")
            temporary.rename(self.data)
            sync_folder(base)
        finally:
            if temporary.exists():
                remove_tree(temporary)

    def _initdb(self, software: PostgresSoftware, folder: Path, timeout_s: float) -> None:
        def create(locale: str) -> None:
            command: list[str | Path] = [software.bin / "initdb", "-D", folder, *initdb_options(software.major, locale)]
            run(command, timeout_s=timeout_s, account=self._account)

        try:
            create("C.UTF-8")
        except EmbeddedServerError:
            if software.major >= _BUILTIN_LOCALE_MAJOR:
                raise
            log.warning(
                "initdb failed with the locale C.UTF-8, which this system may not have; trying C", exc_info=True
            )
            create("C")

    def remove_leftovers(self, deadline: float) -> None:
        """Remove data folders that a killed process was creating, and end their ``initdb``: under the lock nobody else creates one."""
        for folder in self.data.parent.glob(f"{_CREATING}*"):
            workers = partial(occupants, folder, names=("initdb", *_NAMES), marks=(f"-D {folder} ",))
            for one in workers():
                send(one.pid, signal.SIGKILL)
            wait_until(partial(_none_of, workers), deadline)
            remove_tree(folder)

    def abandon(self) -> None:
        """End a server whose data folder was removed under it: there is nothing left to save."""
        for one in self._servers():
            send(one.pid, signal.SIGQUIT)
        if not wait_until(lambda: not self._servers(), time.monotonic() + STOP_TIMEOUT_S):
            raise EmbeddedServerError(f"PostgreSQL on the removed folder {self.data} does not stop")

    def stop(self, software: PostgresSoftware | None) -> None:
        """Stop the server if it runs: clients are cut off, what is committed is on disk. Without ``software`` by a signal."""
        found = self.postmaster()
        if found is None:
            self._servers_left(
                time.monotonic() + STOP_TIMEOUT_S
            )  # it was killed, and some of its processes may be busy
            return
        try:
            if software is None:
                send(found.pid, signal.SIGINT)
            else:
                wait = str(int(STOP_TIMEOUT_S))
                pg_ctl: list[str | Path] = [software.bin / "pg_ctl", "stop", "-D", self.data]
                command = [*pg_ctl, "-m", "fast", "-w", "-t", wait]
                run(command, timeout_s=STOP_TIMEOUT_S + 5, account=self._account)
        except EmbeddedServerError:
            log.warning(
                "a fast stop of PostgreSQL on %s failed; stopping at once, it will recover at the next start",
                self.data,
                exc_info=True,
            )
            send(found.pid, signal.SIGQUIT)
        if not wait_until(lambda: not self._servers(), time.monotonic() + STOP_TIMEOUT_S):
            raise EmbeddedServerError(f"PostgreSQL on {self.data} (process {found.pid}) does not stop")
        remove_far_folder(self.data.parent, Path(found.socket_folder))
