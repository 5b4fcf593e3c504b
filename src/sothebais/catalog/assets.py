"""Where pictures are kept: by the hash of their content, in a folder or, by configuration, in a bucket.

A key such as ``stream/nfts/3f/3f9a….png`` is made here from the content alone; nothing a user names is part of it.
"""

import contextlib
import hashlib
import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import fsspec
from fsspec.implementations.local import LocalFileSystem

from sothebais.errors import ConfigurationError, NotFound, Unavailable


class AssetFolder(StrEnum):
    """The folders of the asset store (``docs/schema.md``, file system)."""

    BACKGROUNDS = "stream/backgrounds"
    OVERLAYS = "stream/overlays"
    NFTS = "stream/nfts"
    AUDIO = "stream/audio"
    EXPRESSIONS = "character/expressions"
    CHARACTER_BACKGROUNDS = "character/backgrounds"
    PROPS = "character/props"


_KEY = re.compile(
    f"(?:{'|'.join(re.escape(folder) for folder in AssetFolder)})/([0-9a-f]{{2}})/([0-9a-f]{{64}})\\.[a-z0-9]{{2,5}}"
)
#: Which picture became which asset; made again from the pictures when it is lost.
_NOTES = "known"
_EXTENSION = re.compile(r"[a-z0-9]{2,5}")


@dataclass(frozen=True, slots=True)
class StoredAsset:
    """An asset's key and hash; ``written`` is False when it was there already."""

    key: str
    sha256: bytes
    written: bool


@dataclass(frozen=True, slots=True)
class KnownPicture:
    """What a picture became when it was first taken in."""

    key: str
    sha256: str
    media_type: str
    width: int
    height: int


class AssetStore:
    """Assets below one root, a folder or an fsspec address (``s3://bucket/prefix``, ``memory://``).

    Blocking: from async code call it in a thread. Thread-safe; the same content may be put by several at once.
    """

    def __init__(self, root: str | Path) -> None:
        try:
            self._fs: Any
            self._fs, self._root = fsspec.core.url_to_fs(str(root))
        except (ImportError, ValueError) as error:
            raise ConfigurationError(f"The asset store {str(root).split('?')[0]!r} cannot be used: {error}") from error
        self._local = isinstance(self._fs, LocalFileSystem)

    @classmethod
    def in_data_dir(cls, data_dir: Path) -> "AssetStore":
        """The default store, ``assets`` in the data folder."""
        return cls((data_dir / "assets").absolute())

    def put(self, data: bytes, extension: str, folder: AssetFolder = AssetFolder.NFTS) -> StoredAsset:
        """Keep ``data``; a reader sees all of it or nothing. What is there already is not written again."""
        if not _EXTENSION.fullmatch(extension):
            raise ValueError(f"{extension!r} is no file name extension")
        digest = hashlib.sha256(data)
        name = digest.hexdigest()
        key = f"{folder}/{name[:2]}/{name}.{extension}"
        if self.exists(key):
            return StoredAsset(key, digest.digest(), written=False)
        self._write(self._path(key), data)
        return StoredAsset(key, digest.digest(), written=True)

    def get(self, key: str) -> bytes:
        """The asset's bytes. Raises NotFound."""
        path = self._path(key)
        try:
            return bytes(self._fs.cat_file(path))
        except FileNotFoundError:
            raise NotFound(f"The asset {key} is not in the store.") from None
        except OSError as error:
            raise Unavailable(f"The asset store cannot be read: {error}.") from error

    def exists(self, key: str) -> bool:
        """Whether the asset is in the store."""
        try:
            return bool(self._fs.isfile(self._path(key)))
        except OSError as error:
            raise Unavailable(f"The asset store cannot be read: {error}.") from error

    def delete(self, key: str) -> bool:
        """Remove an asset; False when it was not there. Whoever calls knows that nothing refers to it any more."""
        path = self._path(key)
        try:
            self._fs.rm_file(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise Unavailable(f"The asset store cannot be written: {error}. The file is still there.") from error
        return True

    def recall(self, source: bytes) -> KnownPicture | None:
        """What the picture with these bytes became, if it was taken in before and is still here.

        Saves decoding it again, and keeps it the same when a newer encoder would write it differently.
        """
        try:
            known = KnownPicture(**json.loads(self._fs.cat_file(self._note(source))))
            return known if self.exists(known.key) else None
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, NotFound):
            # a damaged note costs one decoding, after which it is written anew
            return None
        except OSError as error:
            raise Unavailable(f"The asset store cannot be read: {error}.") from error

    def remember(self, source: bytes, known: KnownPicture) -> None:
        """Note what the picture with these bytes became."""
        self._write(self._note(source), json.dumps(asdict(known)).encode())

    def put_speech(self, event: UUID, flac: bytes) -> None:
        """Keep the sound of an ``agent:speech`` event under its id; said once, it never changes."""
        self._write(self._speech(event), flac)

    def speech(self, event: UUID) -> bytes:
        """The sound of an ``agent:speech`` event (FLAC). Raises NotFound where it was not kept."""
        try:
            return bytes(self._fs.cat_file(self._speech(event)))
        except FileNotFoundError:
            raise NotFound(f"There is no sound of speech {event} in the store.") from None
        except OSError as error:
            raise Unavailable(f"The asset store cannot be read: {error}.") from error

    def local_path(self, key: str) -> Path | None:
        """The file of an asset, for readers that need one; None when the store is not a folder."""
        return Path(self._path(key)) if self._local else None

    def _write(self, path: str, data: bytes) -> None:
        try:
            if self._local:
                _write_atomically(Path(path), data)
            else:  # object stores show an object only when it is complete
                self._fs.pipe_file(path, data)
        except OSError as error:
            raise Unavailable(f"The asset store cannot be written: {error}. Nothing of this asset was kept.") from error

    def _speech(self, event: UUID) -> str:
        return f"{str(self._root).rstrip('/')}/speech/{event}.flac"

    def _note(self, source: bytes) -> str:
        name = hashlib.sha256(source).hexdigest()
        return f"{str(self._root).rstrip('/')}/{_NOTES}/{name[:2]}/{name}.json"

    def _path(self, key: str) -> str:
        match = _KEY.fullmatch(key)
        if match is None or not match[2].startswith(match[1]):
            raise NotFound("That is not the key of an asset.")
        return f"{str(self._root).rstrip('/')}/{key}"


def _write_atomically(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".incoming-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
