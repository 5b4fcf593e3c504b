"""Where what the host said is kept: ``speech/<message id>.flac`` in the asset store."""

from pathlib import Path
from uuid import UUID

import fsspec

from sothebais import ids
from sothebais.errors import ConfigurationError, Unavailable
from sothebais.stream.audio.files import SPEECH_BYTES_MAX

FOLDER = "speech"


class SpeechFiles:
    """The speeches below the asset store's root, a folder or an fsspec address. Blocking."""

    def __init__(self, root: str | Path) -> None:
        try:
            self._fs, self._root = fsspec.core.url_to_fs(str(root))
        except (ImportError, ValueError) as error:
            raise ConfigurationError(f"The asset store {str(root).split('?')[0]!r} cannot be used: {error}") from error

    def read(self, message: UUID | str) -> bytes | None:
        """The speech of a message (FLAC); None when there is none. Raises Unavailable."""
        key = message if isinstance(message, UUID) else ids.parse_id(message)
        if key is None:
            return None
        path = f"{str(self._root).rstrip('/')}/{FOLDER}/{key}.flac"
        try:
            return bytes(self._fs.cat_file(path, end=SPEECH_BYTES_MAX + 1))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"The asset store cannot be read: {error}.") from error
