"""Room on the disk, which is asked for before a file is begun: one that is full would be tried again and again."""

import shutil
from pathlib import Path
from typing import Final

from sothebais.stream.outputs.output import SinkRefused

#: Nothing is begun with less; some twenty seconds of a stream.
ROOM_BYTES_MIN: Final = 8_000_000


def check(folder: Path, least_bytes: int, what: str) -> None:
    """Raises SinkRefused, which says how much is left and what ``what`` needs, where a folder's disk has less."""
    free = shutil.disk_usage(folder).free
    if free < least_bytes:
        raise SinkRefused(f"the disk has {_size(free)} left, {what} {_size(least_bytes)}")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
