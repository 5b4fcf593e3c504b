"""One Valkey (or Redis) server on one folder: configure, start or attach, stop.

Everything here is called under the lock of `lease`, except the looking: `ValkeyServer.ready`, `trim_log`.
"""

import os
import re
import secrets
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sothebais.embedded.places import remove_far_folder, socket_folder, write_file
from sothebais.embedded.process import (
    Account,
    Occupant,
    StillStarting,
    bound_log,
    log_tail,
    occupants,
    send,
    spawn,
    wait_until,
)
from sothebais.errors import EmbeddedServerError

SOCKET_NAME = "valkey.sock"
LAUNCHES_MAX = 3
STOP_TIMEOUT_S = 30.0
PING_TIMEOUT_S = 2.0
REPLY_SIZE_MAX_BYTES = 4096

_NAMES = ("valkey-server", "redis-server")


@dataclass(frozen=True)
class ValkeySettings:
    """What a client needs; kept in the configuration file, so that a restarted server has the same address and password."""

    socket: Path
    port: int
    password: str

    def url(self) -> str:
        """For redis-py's ``from_url``: the unix socket where this user may use it, else the loopback port."""
        if os.access(self.socket, os.R_OK | os.W_OK):
            return f"unix://{quote(str(self.socket))}?db=0&password={self.password}"
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def configuration(folder: Path, settings: ValkeySettings) -> str:
    """The text of ``valkey.conf``."""
    values: Mapping[str, str] = {
        "bind": "127.0.0.1",
        "protected-mode": "yes",
        "port": str(settings.port),
        "unixsocket": _quoted(str(settings.socket)),
        "unixsocketperm": "600",
        "requirepass": settings.password,
        "dir": _quoted(str(folder)),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',  # the append-only file is enough
        "daemonize": "no",
        "set-proc-title": "no",  # the command line is how the process is found
        "loglevel": "notice",
    }
    return "# Written by SothebAIs at each start.\n" + "".join(f"{name} {value}\n" for name, value in values.items())


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _port_is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class ValkeyServer:
    """The server of ``folder``, run as ``account`` (None: as this process), writing to ``log_path``."""

    def __init__(self, folder: Path, account: Account | None, log_path: Path) -> None:
        self._folder = folder
        self._account = account
        self._conf = folder / "valkey.conf"
        self._log = log_path

    def occupants(self) -> list[Occupant]:
        """Live servers of this folder, also those that this process did not start."""
        found = occupants(self._folder, names=_NAMES, marks=(f" {self._conf} ",))
        return [one for one in found if one.name in _NAMES]

    def _read_settings(self) -> ValkeySettings | None:
        try:
            text = self._conf.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        port = re.search(r"^port (\d+)$", text, re.MULTILINE)
        password = re.search(r"^requirepass (\S+)$", text, re.MULTILINE)
        path = re.search(r'^unixsocket "(.*)"$', text, re.MULTILINE)
        if port is None or password is None or path is None:
            raise EmbeddedServerError(f"{self._conf} is not what SothebAIs wrote: stop its server and remove it")
        return ValkeySettings(Path(re.sub(r"\\(.)", r"\1", path[1])), int(port[1]), password[1])

    def ready(self) -> ValkeySettings | None:
        """How to reach the server if it answers; cheap, for a periodic check."""
        settings = self._read_settings()
        return settings if settings is not None and self._answer(settings).startswith(b"+PONG") else None

    def trim_log(self) -> None:
        """Keep the log bounded; to be called from time to time."""
        bound_log(self._log)

    def _answer(self, settings: ValkeySettings) -> bytes:
        """The reply to PING after signing in; empty when nobody answers."""
        request = f"AUTH {settings.password}\r\nPING\r\n".encode()
        reply = b""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.settimeout(PING_TIMEOUT_S)
                client.connect(os.fspath(settings.socket))
                client.sendall(request)
                while reply.count(b"\r\n") < 2 and len(reply) < REPLY_SIZE_MAX_BYTES:
                    part = client.recv(REPLY_SIZE_MAX_BYTES)
                    if not part:
                        break
                    reply += part
        except OSError:
            return b""  # not there yet, or no more: the caller asks again or starts one
        return reply.partition(b"\r\n")[2]

    def ensure_running(self, program: Path, deadline: float) -> ValkeySettings:
        """Attach to the live server or start one, and wait until it answers."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self._account is not None:
            os.chown(self._folder, self._account.uid, self._account.gid)
        self.trim_log()
        for _ in range(LAUNCHES_MAX):
            if not self.occupants():
                settings = self._fresh_settings(self._read_settings())
                write_file(self._conf, configuration(self._folder, settings), self._account)
                spawn([program, self._conf], log=self._log, account=self._account)
            if not wait_until(lambda: self.ready() is not None or not self.occupants(), deadline):
                raise StillStarting(
                    f"Valkey on {self._folder} does not answer in time; it goes on, try again later; "
                    f"the end of {self._log}: {log_tail(self._log)}"
                )
            if ready := self.ready():
                return ready
        raise EmbeddedServerError(
            f"Valkey does not start on {self._folder}; the end of {self._log}: {log_tail(self._log)}"
        )

    def _fresh_settings(self, old: ValkeySettings | None) -> ValkeySettings:
        """The old address and password where they can be had, so that clients find the server again after a restart."""
        path = socket_folder(self._folder, SOCKET_NAME, self._account) / SOCKET_NAME
        path.unlink(missing_ok=True)  # nobody lives in the folder, so the socket is stale
        if old is None:
            return ValkeySettings(path, _free_port(), secrets.token_urlsafe(32))
        port = old.port if _port_is_free(old.port) else _free_port()
        return ValkeySettings(path, port, old.password)

    def stop(self) -> None:
        """Stop the server if it runs; it writes its append-only file out first."""
        for one in self.occupants():
            send(one.pid, signal.SIGTERM)

    def await_stopped(self) -> None:
        """Wait after `stop`; a server that does not end is killed."""
        if not wait_until(lambda: not self.occupants(), time.monotonic() + STOP_TIMEOUT_S):
            for one in self.occupants():
                send(one.pid, signal.SIGKILL)
            if not wait_until(lambda: not self.occupants(), time.monotonic() + STOP_TIMEOUT_S):
                raise EmbeddedServerError(f"Valkey on {self._folder} does not stop")
        if settings := self._read_settings():
            remove_far_folder(self._folder, settings.socket.parent)
