"""The one entry to the embedded servers: attach or start, keep running, leave or stop."""

import atexit
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType

from sothebais.embedded import binaries, places
from sothebais.embedded.lease import Lease
from sothebais.embedded.places import Home
from sothebais.embedded.postgres import STOP_TIMEOUT_S, Cluster, Postmaster, check_settings
from sothebais.embedded.process import StillStarting
from sothebais.embedded.valkey import ValkeyServer
from sothebais.errors import EmbeddedServerError

log = logging.getLogger(__name__)

_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Servers:
    """Addresses of running servers. ``postgres_version`` is the major version, 0 without PostgreSQL."""

    database_url: str | None
    redis_url: str | None
    postgres_version: int


class EmbeddedServers:
    """A share in the servers of ``data_dir``: the first holder starts them, the last one out stops them.

    A context manager that yields `Servers`; blocking, so from async code use ``asyncio.to_thread``. Thread-safe. One instance is one
    share: `acquire` again returns the same servers, one `release` ends it. A holder that is killed loses its share by itself; if it was
    the last one the servers go on until the next process attaches to them and leaves. The settings of PostgreSQL are those of the
    process that starts it. Raises `EmbeddedServerError`.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        postgres: bool = True,
        valkey: bool = True,
        postgres_settings: Mapping[str, str] = _NO_SETTINGS,
        start_timeout_s: float = 60,
    ) -> None:
        self._data_dir = Path(data_dir)
        self._postgres = postgres
        self._valkey = valkey
        self._settings = check_settings(postgres_settings)
        self._start_timeout_s = start_timeout_s
        self._mutex = threading.RLock()
        self._lease: Lease | None = None
        self._servers: Servers | None = None
        self._cluster: Cluster | None = None

    def __enter__(self) -> Servers:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def acquire(self) -> Servers:
        """Take a share; returns when the servers answer."""
        with self._mutex, self._as_embedded_error():
            if self._servers is not None and self._lease is not None:
                if self._lease.held:
                    return self._servers
                self._lease.drop()  # this is a fork of the holder
            folder = places.embedded_folder(self._data_dir)
            lease = Lease(folder)
            with lease.exclusive(self._deadline()):
                lease.take()
                try:
                    self._servers = self._ensure(folder)
                except BaseException as error:
                    try:
                        self._leave(folder, lease, may_stop=not isinstance(error, StillStarting))
                    except (EmbeddedServerError, OSError):
                        log.warning("what was started in %s could not be stopped again", folder, exc_info=True)
                    finally:
                        lease.drop()
                    raise
            self._lease = lease
            atexit.register(self.release)
            return self._servers

    def release(self) -> None:
        """Give up the share, and stop the servers if it was the last one. Does nothing without a share, or in a fork of its holder."""
        with self._mutex, self._as_embedded_error():
            if self._lease is None:
                return
            folder = self._folder()
            if self._lease.held and not folder.exists():
                self._abandon(folder)
            elif self._lease.held:
                with self._lease.exclusive(self._deadline(STOP_TIMEOUT_S)):
                    self._leave(folder, self._lease, may_stop=True)
            self._lease.drop()
            self._lease, self._servers = None, None
            atexit.unregister(self.release)

    def ensure_running(self) -> Servers:
        """Restart whichever server has died. Cheap when both live; the addresses are the same as before unless a port was lost."""
        with self._mutex, self._as_embedded_error():
            if self._lease is None or not self._lease.held or self._servers is None:
                raise EmbeddedServerError("the embedded servers have not been acquired by this process")
            servers = self._look()
            if servers is None:
                folder = places.embedded_folder(self._data_dir)
                with self._lease.exclusive(self._deadline()):
                    servers = self._ensure(folder)
            self._servers = servers
            return servers

    def _look(self) -> Servers | None:
        """The addresses if all servers live, without the lock; also keeps the logs bounded."""
        redis_url, database_url, version = None, None, 0
        if self._valkey:
            valkey = self._valkey_server(self._folder())
            valkey.trim_log()
            settings = valkey.ready()
            if settings is None:
                return None
            redis_url = settings.url()
        if self._cluster is not None:
            self._cluster.trim_log()
            postmaster = self._cluster.ready()
            if postmaster is None:
                return None
            database_url, version = self._cluster.url(postmaster), self._cluster.major
        return Servers(database_url, redis_url, version)

    def _deadline(self, at_least_s: float = 0) -> float:
        return time.monotonic() + max(self._start_timeout_s, at_least_s)

    @contextmanager
    def _as_embedded_error(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            try:
                owner = self._data_dir.stat().st_uid
            except OSError:
                owner = None
            if owner is not None and owner != os.geteuid():
                raise places.wrong_owner(Path(error.filename or self._data_dir), owner) from error
            raise EmbeddedServerError(f"embedded servers in {self._data_dir}: {error}") from error
        except OSError as error:
            raise EmbeddedServerError(f"embedded servers in {self._data_dir}: {error}") from error

    def _folder(self) -> Path:
        return self._data_dir.resolve() / "embedded"

    def _cluster_of(self, home: Home, major: int) -> Cluster:
        return Cluster(home.postgres, major, home.account, home.folder / "postgres.log")

    def _valkey_server(self, folder: Path) -> ValkeyServer:
        account = places.folder_account(folder) if folder.exists() else None
        return ValkeyServer(folder / "valkey", account, folder / "valkey.log")

    def _ensure(self, folder: Path) -> Servers:
        deadline = self._deadline()
        redis_url, database_url, version = None, None, 0
        if self._valkey:
            redis_url = self._valkey_server(folder).ensure_running(binaries.find_valkey(), deadline).url()
        if self._postgres:
            self._cluster, postmaster = self._ensure_postgres(places.find_home(folder), deadline)
            database_url, version = self._cluster.url(postmaster), self._cluster.major
        return Servers(database_url, redis_url, version)

    def _ensure_postgres(self, home: Home, deadline: float) -> tuple[Cluster, Postmaster]:
        existing = next(iter(places.data_folders(home.postgres)), None)
        if existing is not None:
            cluster = self._cluster_of(home, existing)
            if ready := cluster.ready():
                return cluster, ready  # to attach needs no programs
        software = binaries.find_postgres(home.postgres, home.account, existing)
        cluster = self._cluster_of(home, software.major)
        if cluster.postmaster() is None:
            cluster.remove_leftovers(deadline)
            binaries.remove_unused_copies(home.postgres, software)
        return cluster, cluster.ensure_running(software, self._settings, deadline)

    def _leave(self, folder: Path, lease: Lease, *, may_stop: bool) -> None:
        """Drop the lease, after stopping all servers when it is the last one. An interrupted stop keeps the lease, to be repeated."""
        if may_stop and lease.is_last():
            try:
                self._stop(folder)
            except BaseException:
                lease.share_again()
                raise
        lease.drop()

    def _stop(self, folder: Path) -> None:
        valkey = self._valkey_server(folder)
        valkey.stop()
        try:
            self._stop_postgres(folder)
        finally:
            valkey.await_stopped()

    def _abandon(self, folder: Path) -> None:
        """The folder was removed while servers ran on it: end them, as nobody can find them any more."""
        log.warning("%s was removed while its servers ran; they are ended", folder)
        valkey = self._valkey_server(folder)
        valkey.stop()
        if self._cluster is not None:
            self._cluster.abandon()
        valkey.await_stopped()

    def _stop_postgres(self, folder: Path) -> None:
        if not self._may_have_postgres(folder):
            return
        home = places.find_home(folder)
        for version in places.data_folders(home.postgres):
            cluster = self._cluster_of(home, version)
            software = None
            if cluster.postmaster() is not None:
                try:
                    software = binaries.find_postgres(home.postgres, home.account, version)
                except EmbeddedServerError as error:
                    log.warning("PostgreSQL is stopped by a signal, its programs are gone: %s", error.message)
            cluster.stop(software)

    def _may_have_postgres(self, folder: Path) -> bool:
        """Whether PostgreSQL was ever used here; a process that only wants Valkey should not decide where its data goes."""
        return bool(places.data_folders(folder)) or places.is_relocated(folder)
