"""Real servers on short-lived folders with short paths; every test ends with no process left."""

import pwd
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# The whole suite imports test files by path, which leaves their folder off the search path.
sys.path.insert(0, str(Path(__file__).parent))

from embedded_helpers import (
    AS_ROOT,
    Holder,
    Interpreter,
    copy_interpreter,
    end_all,
    eventually,
    processes_on,
    start_holder,
    this_interpreter,
)

from sothebais.embedded import EmbeddedServers

StartHolder = Callable[..., Holder]


def short_folder(prefix: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for one test. Whatever still runs on it, or on a database moved out of it, fails the test."""
    folder = short_folder("se-")
    yield folder
    moved = [Path(pointer.read_text().strip()) for pointer in folder.rglob("postgres-location")]
    left = {}
    try:
        eventually(lambda: not processes_on(folder, *moved), "all processes of the test end", patience_s=5)
    except AssertionError:
        left = processes_on(folder, *moved)
        end_all(folder, *moved)
    for path in (folder, *moved):
        shutil.rmtree(path, ignore_errors=True)
    assert not left, f"still running at the end: {left}"


@pytest.fixture(scope="session")
def shelf() -> Iterator[Path]:
    """Where a data folder waits between two tests: ``initdb``, or a copy, is most of a cold start."""
    folder = short_folder("ses-")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def house(place: Path, shelf: Path) -> Iterator[Path]:
    """A data folder that was used before and left in order, no server running. What a test leaves in disorder is not used again."""
    kept, data_dir = shelf / "data", place / "data"
    if kept.exists():
        kept.rename(data_dir)
    else:
        with EmbeddedServers(data_dir):
            pass
    folders = sorted(path.name for path in (data_dir / "embedded").iterdir() if path.is_dir())
    yield data_dir
    if not data_dir.exists() or processes_on(place) or list(data_dir.glob("embedded/postgres-*/postmaster.pid")):
        return
    if sorted(path.name for path in (data_dir / "embedded").iterdir() if path.is_dir()) == folders:
        data_dir.chmod(0o755)  # a test may have closed it to others
        data_dir.rename(kept)


@pytest.fixture
def hold(place: Path) -> Iterator[StartHolder]:
    """Start a `holder.py` on a data folder; it is ended after the test."""
    holders: list[Holder] = []

    def start(data_dir: Path, *, interpreter: Interpreter | None = None, **options: Any) -> Holder:
        holders.append(start_holder(interpreter or this_interpreter(), data_dir, **options))
        return holders[-1]

    yield start
    for holder in holders:
        holder.close()


@pytest.fixture(scope="session")
def portable_interpreter() -> Iterator[Interpreter]:
    folder = short_folder("sei-")
    yield copy_interpreter(folder)
    shutil.rmtree(folder)


@pytest.fixture
def unprivileged(portable_interpreter: Interpreter) -> Interpreter:
    """An interpreter run by a user who is not root."""
    if not AS_ROOT:
        return this_interpreter()
    entry = pwd.getpwnam("nobody")
    return Interpreter(
        portable_interpreter.command, portable_interpreter.environment, uid=entry.pw_uid, gid=entry.pw_gid
    )
