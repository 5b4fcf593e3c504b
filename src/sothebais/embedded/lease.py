"""Who uses the servers of one data folder: a lock for changes and a lease for use.

Protocol. ``lock`` is held exclusively while servers are started, stopped or looked for, and only then. ``lease`` is held shared by
everyone who uses the servers, for as long as they do; it is taken and given up only under ``lock``. So whoever can turn the lease
exclusive under the lock is the last one. Both are ``flock`` locks: the kernel frees them when their holder dies, however it dies.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sothebais.embedded.process import wait_until
from sothebais.errors import EmbeddedServerError


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_flock(fd: int, operation: int) -> bool:
    try:
        fcntl.flock(fd, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Lease:
    """One user's share in the servers of ``folder``. Not thread-safe; its owner serialises the calls."""

    def __init__(self, folder: Path) -> None:
        self._lock_path = folder / "lock"
        self._lease_path = folder / "lease"
        self._fd: int | None = None
        self._pid = 0

    @property
    def held(self) -> bool:
        """True in the process that took the lease, not in a fork of it."""
        return self._fd is not None and self._pid == os.getpid()

    @contextmanager
    def exclusive(self, deadline: float) -> Iterator[None]:
        """Hold the lock; ``deadline`` is in ``time.monotonic()`` seconds. A new descriptor each time, so threads exclude each other too."""
        fd = _open(self._lock_path)
        try:
            if not wait_until(lambda: _try_flock(fd, fcntl.LOCK_EX), deadline):
                raise EmbeddedServerError(
                    f"another process has been starting or stopping the embedded servers for too long; it holds {self._lock_path}"
                )
            yield
        finally:
            os.close(fd)

    def take(self) -> None:
        """Become a user. Call under `exclusive`, where nobody can hold the lease exclusively."""
        if self._fd is not None:
            self.drop()
        fd = _open(self._lease_path)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(fd)
            raise EmbeddedServerError(f"a process holds {self._lease_path} without {self._lock_path}") from error
        self._fd, self._pid = fd, os.getpid()

    def is_last(self) -> bool:
        """True when nobody else uses the servers; the lease is then held exclusively, until `drop` or `share_again`.

        Call under `exclusive`, and only when about to `drop`: a no may lose the share.
        """
        return self._fd is not None and self.held and _try_flock(self._fd, fcntl.LOCK_EX)

    def share_again(self) -> None:
        """Stay a user after all, after `is_last` said yes."""
        if self._fd is not None:
            fcntl.flock(self._fd, fcntl.LOCK_SH)

    def drop(self) -> None:
        """Stop being a user. In a fork only the copied descriptor is closed: the lease belongs to the parent."""
        if self._fd is None:
            return
        fd, self._fd = self._fd, None
        try:
            if self._pid == os.getpid():
                # Unlocking before closing frees the lease even when a forked child still has a copy of the descriptor.
                fcntl.flock(fd, fcntl.LOCK_UN)
        finally:
            os.close(fd)
