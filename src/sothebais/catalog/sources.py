"""Reading a collection's source: a folder of JSON files, one JSON list, or one CSV file.

Hard boundary: the source is somebody else's. Nothing outside its folder is ever read, whatever a name in it says, nor
anything that is not a plain file; every read has a limit. Blocking; from async code call it in a thread.
"""

import csv
import io
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote

from sothebais.catalog import metadata
from sothebais.catalog.metadata import Json
from sothebais.errors import InvalidInput

ITEMS_MAX: Final = 20_000
#: One item's JSON file; it may hold its picture as a ``data:`` address.
ITEM_FILE_BYTES_MAX: Final = 8 * 1024 * 1024
LIST_FILE_BYTES_MAX: Final = 32 * 1024 * 1024
CSV_CELL_CHARS_MAX: Final = 20_000
CSV_COLUMNS_MAX: Final = 110
#: Entries looked at in a folder before giving up on it.
FOLDER_ENTRIES_MAX: Final = 100_000

_CSV_NEEDED = ("name", "image")
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class RawItem:
    """An item as its source has it. ``fault`` is why it has no ``value``."""

    #: Where it stands, for people: ``7.json``, ``list.json[7]``, ``list.csv line 8``.
    label: str
    #: Its place in the source, from 1.
    number: int
    #: The file name without its ending, when it has a file of its own.
    stem: str | None
    value: Json = None
    fault: InvalidInput | None = None


class Source:
    """A readable source: how many items, and each of them in order.

    ``root`` is the folder its pictures may lie in; a list that was fetched has ``address``, its folder's address, instead.
    """

    def __init__(
        self, name: str, root: Path | None, entries: Sequence[Path | RawItem], address: str | None = None
    ) -> None:
        self.name = name
        self.root = root
        self.address = address
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    def batch(self, start: int, size: int) -> list[RawItem]:
        """Items ``start`` to ``start + size``; files are read now and not kept."""
        return [
            entry if isinstance(entry, RawItem) else self._read(entry, start + index + 1)
            for index, entry in enumerate(self._entries[start : start + size])
        ]

    def beside(self, name: str) -> str:
        """The address of a picture that a fetched list names relatively. Raises InvalidInput for one outside its folder."""
        if name.startswith("/") or ".." in PurePosixPath(unquote(name)).parts or "\\" in name:
            raise InvalidInput(
                f"image: {_shown(name)} must be a path below the folder of the list, or a whole address.", field="image"
            )
        return f"{self.address}/{name.removeprefix('./')}"

    def _read(self, path: Path, number: int) -> RawItem:
        stem = path.name.removesuffix(".json")
        try:
            assert self.root is not None
            data = read_inside(self.root, path.name, ITEM_FILE_BYTES_MAX)
            return RawItem(path.name, number, stem, metadata.decode_json(data))
        except InvalidInput as error:
            return RawItem(path.name, number, stem, fault=error)


def open_source(path: str | Path) -> Source:
    """The source at ``path``. Raises InvalidInput when it cannot be used at all."""
    given = Path(path)
    try:
        place = given.resolve(strict=True)
        mode = place.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise InvalidInput(f"There is nothing at {given}.", field="source") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidInput(f"{str(given)[:200]!r} cannot be read: {error}.", field="source") from None
    if stat.S_ISDIR(mode):
        return _folder(place)
    if not stat.S_ISREG(mode):
        raise InvalidInput(f"{given} is neither a folder nor a plain file.", field="source")
    data = read_inside(place.parent, place.name, LIST_FILE_BYTES_MAX)
    return source_of_bytes(data, place.name, place.parent)


def source_of_bytes(data: bytes, name: str, root: Path | None, address: str | None = None) -> Source:
    """The source in one file's content; ``name`` tells JSON from CSV. Raises InvalidInput."""
    entries = list(_csv_items(data, name)) if name.lower().endswith(".csv") else _list_items(data, name)
    if not entries:
        raise InvalidInput(f"{name} holds no items.", field="source")
    _check_count(len(entries), name)
    return Source(PurePosixPath(name).stem, root, entries, address)


def _check_count(count: int, name: str) -> None:
    if count > ITEMS_MAX:
        raise InvalidInput(
            f"{name} holds {count:,} items; at most {ITEMS_MAX:,} are taken. Divide it into several collections.",
            field="source",
        )


# --- the three kinds ---


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """A sort key that puts ``2.json`` before ``10.json``."""
    return [
        (0, int(part), part) if part.isascii() and part.isdigit() else (1, 0, part.casefold())
        for part in _DIGITS.split(name)
        if part
    ]


def _is_item_file(name: str) -> bool:
    """JSON files, and files named by a number alone, as folders on IPFS have them; ``_metadata.json`` repeats all of them."""
    return name[0] not in "._" and (name.endswith(".json") or (name.isascii() and name.isdigit()))


def _folder(root: Path) -> Source:
    names = []
    try:
        with os.scandir(root) as entries:
            for count, entry in enumerate(entries):
                if count >= FOLDER_ENTRIES_MAX:
                    raise InvalidInput(f"{root} has more than {FOLDER_ENTRIES_MAX:,} entries.", field="source")
                if _is_item_file(entry.name) and not entry.is_dir():
                    names.append(entry.name)
    except OSError as error:
        raise InvalidInput(f"{root} cannot be read: {error.strerror}.", field="source") from None
    if not names:
        raise InvalidInput(
            f"{root} holds no items: no files named like 1.json. Name the file itself for a JSON list or a CSV.",
            field="source",
        )
    _check_count(len(names), str(root))
    return Source(root.name, root, [root / name for name in sorted(names, key=natural_order)])


def _list_items(data: bytes, name: str) -> list[RawItem]:
    try:
        value = metadata.decode_json(data)
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error.message}", field="source") from None
    if not isinstance(value, list):
        raise InvalidInput(f"{name} must hold a JSON list of items, or be a folder or a CSV file.", field="source")
    return [RawItem(f"{name}[{index}]", index + 1, None, entry) for index, entry in enumerate(value)]


def _csv_items(data: bytes, name: str) -> Iterator[RawItem]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not UTF-8 text (byte {error.start:,}).", field="source") from None
    if "\x00" in text:
        raise InvalidInput(f"{name} holds NUL bytes; it is no CSV text.", field="source")
    # with a limit above the cell's own, a long cell is this module's fault to report and not the csv module's
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        _check_header(header, name)
        number = 0
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            number += 1
            label = f"{name} line {reader.line_num}"
            if fault := _row_fault(row, header):
                yield RawItem(label, number, None, fault=fault)
            else:
                yield RawItem(label, number, None, metadata.from_row(dict(zip(header, row, strict=True))))
    except csv.Error as error:
        raise InvalidInput(f"{name} is not readable CSV: {error} (line {reader.line_num}).", field="source") from None


def _check_header(header: list[str], name: str) -> None:
    missing = [column for column in _CSV_NEEDED if column not in header]
    if missing:
        raise InvalidInput(
            f"{name}: the column {' and the column '.join(missing)} is missing from the first line. Columns are token_id, "
            "name, description and image; any other is a trait.",
            field="source",
        )
    if len(header) > CSV_COLUMNS_MAX:
        raise InvalidInput(f"{name} has {len(header)} columns; at most {CSV_COLUMNS_MAX} are taken.", field="source")
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice or "" in header:
        what = f"the column {twice[0]!r} stands twice" if twice and twice[0] else "a column has no name"
        raise InvalidInput(f"{name}: {what} in the first line.", field="source")


def _row_fault(row: list[str], header: list[str]) -> InvalidInput | None:
    if len(row) != len(header):
        return InvalidInput(f"row: has {len(row)} cells where the first line has {len(header)}", field="row")
    for column, cell in zip(header, row, strict=True):
        if len(cell) > CSV_CELL_CHARS_MAX:
            return InvalidInput(
                f"{column}: has {len(cell):,} characters; at most {CSV_CELL_CHARS_MAX:,} are taken", field=column
            )
    return None


# --- files ---


def read_inside(root: Path, name: str, bytes_max: int, *, field: str | None = None) -> bytes:
    """The content of the plain file ``name`` below ``root`` (a resolved folder). Raises InvalidInput.

    Symbolic links are followed only while they stay below ``root``.
    """
    path = _resolved(root, name, field)
    try:
        # a FIFO would wait for a writer, and the last component must not have become a link meanwhile
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise InvalidInput(f"The file {_shown(name)} cannot be read: {error.strerror}.", field=field) from None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise InvalidInput(f"{_shown(name)} is not a plain file.", field=field)
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise InvalidInput(
            f"The file {_shown(name)} has more than {bytes_max:,} bytes; that is too large.", field=field
        )
    return data


def _resolved(root: Path, name: str, field: str | None) -> Path:
    if name.startswith("/") or ".." in PurePosixPath(name).parts or "\\" in name or "\x00" in name:
        raise InvalidInput(
            f"{_shown(name)} must be a path below the folder of the metadata, with / between its parts and no '..'.",
            field=field,
        )
    try:
        path = (root / name).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise InvalidInput(f"There is no file {_shown(name)} in the source.", field=field) from None
    if not path.is_relative_to(root):
        raise InvalidInput(f"{_shown(name)} leads out of the source's folder.", field=field)
    # opening a device can have effects of its own
    if not (path.is_file() or path.is_dir()):
        raise InvalidInput(f"{_shown(name)} is not a plain file.", field=field)
    if path.is_dir():
        raise InvalidInput(f"{_shown(name)} is a folder, not a file.", field=field)
    return path


def read_picture(root: Path, reference: str, bytes_max: int) -> bytes:
    """The picture a relative ``image`` names; ``%20`` and the like are decoded when no file is named so literally."""
    name = reference.removeprefix("./")
    decoded = unquote(name)
    if decoded != name and not (root / name).exists():
        name = decoded
    return read_inside(root, name, bytes_max, field="image")


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 80 else name[:80] + "…")
