"""Houses of real processes to be hurt. Every test has its own folder and servers, and leaves no process."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sothebais import supervisor


@pytest.fixture
def data_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a path short enough for sockets. What dies is started again at once, or the tests would take hours."""
    monkeypatch.setattr(supervisor, "BACKOFF_S", 0.05)
    monkeypatch.setattr(supervisor, "BACKOFF_S_MAX", 0.05)
    folder = Path(tempfile.mkdtemp(prefix="sf-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder / "data"
    left = [
        path.name
        for path in Path("/proc").glob("[0-9]*")
        if str(folder).encode() in _read(path / "cmdline")
        or f"SOTHEBAIS_DATA_DIR={folder}".encode() in _read(path / "environ")
    ]
    shutil.rmtree(folder, ignore_errors=True)
    assert not left, f"still running at the end: {left}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
