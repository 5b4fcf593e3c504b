"""Start, find and end server processes. No shell, no inherited environment, no wait without a deadline."""

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sothebais.errors import EmbeddedServerError

POLL_INTERVAL_S = 0.01
LOG_SIZE_MAX_BYTES = 8 * 1024 * 1024
OUTPUT_TAIL_CHARS_MAX = 2000

_PROC = Path("/proc")
# The app's environment holds secrets and PG* variables that would change what a server does; only these pass.
_ENVIRONMENT_PASSED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

# Servers this process started. A dead child stays a zombie until it is polled, and kill(pid, 0) takes a zombie for alive.
_children: dict[int, subprocess.Popen[bytes]] = {}


class StillStarting(EmbeddedServerError):
    """The server lives but is not ready, as in recovery after a crash: it should be left alone, not stopped."""


@dataclass(frozen=True)
class Account:
    """An unprivileged user that a server runs as when this process is root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Occupant:
    """A live process that works in a server's data folder; ``ending`` when it was killed but still holds files and locks."""

    pid: int
    name: str
    ending: bool = False


def wait_until(condition: Callable[[], bool], deadline: float) -> bool:
    """Poll ``condition`` until it holds or ``time.monotonic()`` passes ``deadline``; it is asked at least once."""
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_INTERVAL_S)
    return True


def _environment() -> dict[str, str]:
    passed = {name: os.environ[name] for name in _ENVIRONMENT_PASSED if name in os.environ}
    return {**passed, "LC_ALL": "C", "TZ": "UTC"}


def run(
    args: Sequence[str | Path], *, timeout_s: float, account: Account | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end in a session of its own (Ctrl-C does not reach it); a failure raises with its last words."""
    command = [os.fspath(arg) for arg in args]
    program = Path(command[0]).name
    try:
        done = subprocess.run(  # noqa: S603 - an argument list of ours, no shell
            command,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            cwd="/",
            env=_environment(),
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            umask=0o077,
        )
    except subprocess.TimeoutExpired as error:
        raise EmbeddedServerError(f"{program} did not finish in {timeout_s:.0f} s") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip())[-OUTPUT_TAIL_CHARS_MAX:]
        raise EmbeddedServerError(f"{program} failed with exit code {done.returncode}: {words}")
    return done


def spawn(args: Sequence[str | Path], *, log: Path, account: Account | None = None) -> subprocess.Popen[bytes]:
    """Start a server that outlives this process. It writes to ``log`` by a descriptor, so its user needs no right to the file."""
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(  # noqa: S603 - an argument list of ours, no shell
            [os.fspath(arg) for arg in args],
            stdin=subprocess.DEVNULL,
            stdout=fd,
            stderr=fd,
            cwd="/",
            env=_environment(),
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            umask=0o077,
        )
    finally:
        os.close(fd)
    _children[child.pid] = child
    return child


def reap() -> None:
    """Take note of servers of ours that have died, so that they are no longer taken for alive."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)


def _occupant(pid: int, folder: os.stat_result | None, names: Sequence[str], marks: Sequence[str]) -> Occupant | None:
    entry = _PROC / str(pid)
    try:
        name = (entry / "comm").read_text(errors="replace").strip()
        words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        try:
            cwd = (entry / "cwd").stat()
        except OSError:
            pass  # in a container without CAP_SYS_PTRACE even root may not ask; the command line answers then
        else:
            if folder is not None and (cwd.st_dev, cwd.st_ino) == (folder.st_dev, folder.st_ino):
                return Occupant(pid, name, ending=not words)
        # A server that has not yet changed into its folder, or whose folder may not be read, is known by its arguments.
        if name in names and any(mark in words for mark in marks):
            return Occupant(pid, name)
    except (FileNotFoundError, ProcessLookupError):
        return None  # it ended while we looked; a zombie has no working directory either
    return None


def _occupants_by_ps(names: Sequence[str], marks: Sequence[str]) -> list[Occupant]:
    """The same question where there is no /proc (macOS): only servers are seen, by their arguments."""
    found = []
    for line in run(["/bin/ps", "-axww", "-o", "pid=,command="], timeout_s=10).stdout.splitlines():
        pid, _, words = line.strip().partition(" ")
        for name in names:
            if name in words.partition(" ")[0] and any(mark in words + " " for mark in marks):
                found.append(Occupant(int(pid), name))
                break
    return found


def occupants(folder: Path, *, names: Sequence[str], marks: Sequence[str], pid: int | None = None) -> list[Occupant]:
    """Live processes that have ``folder`` as working directory, or are called one of ``names`` and have one of ``marks`` in their
    command line. With ``pid`` only that process is looked at."""
    reap()
    try:
        status = folder.stat()
    except FileNotFoundError:
        status = None  # somebody removed the folder; a server on it is still known by its arguments
    if not (_PROC / "self").exists():
        return [one for one in _occupants_by_ps(names, marks) if pid in (None, one.pid)]
    pids = [pid] if pid is not None else [int(name) for name in os.listdir(_PROC) if name.isdigit()]
    return [one for one in (_occupant(each, status, names, marks) for each in pids) if one is not None]


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process that may be gone by now."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        reap()


def exists(pid: int) -> bool:
    """Whether the system has a process of this number, ours or not."""
    reap()
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno != errno.ESRCH
    return True


def bound_log(path: Path) -> None:
    """Keep at most two files of `LOG_SIZE_MAX_BYTES`. Copied and cut, not renamed: the server keeps its descriptor and appends."""
    try:
        if path.stat().st_size <= LOG_SIZE_MAX_BYTES:
            return
    except FileNotFoundError:
        return
    with path.open("r+b") as log:
        log.seek(-LOG_SIZE_MAX_BYTES, os.SEEK_END)
        old = path.with_name(path.name + ".1")
        with open(os.open(old, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as copy:
            copy.write(log.read(LOG_SIZE_MAX_BYTES))
        log.truncate(0)


def log_tail(path: Path) -> str:
    """The last words of a server, for an error message."""
    try:
        with path.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - OUTPUT_TAIL_CHARS_MAX))
            return log.read().decode(errors="replace").strip()
    except FileNotFoundError:
        return ""
