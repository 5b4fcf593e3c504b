"""Pictures of the asset store, decoded when a scene first shows them: for whoever draws without a clock."""

from collections.abc import Callable, Mapping
from typing import Final

import skia
import structlog

from sothebais.errors import SothebaisError
from sothebais.stream import decoding
from sothebais.stream.media.composing import with_artworks
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.show import Artwork, ShowState

log = structlog.get_logger(__name__)

#: References that were looked up in vain are remembered, this many.
MISSING_MAX: Final = 1_000


class ShowPictures:
    """``picture`` never answers with less than the store has. Blocking.

    ``names`` says where an asset lies that a scene calls by another name than its key.
    """

    def __init__(
        self,
        read: Callable[[str], bytes],
        held: HeldPictures | None = None,
        *,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self._read = read
        self._names = names or {}
        self._held = held or HeldPictures()
        self._known: dict[str, Artwork] = {}
        self._missing: set[str] = set()

    def picture(self, ref: str, frame: int = 0) -> skia.Image | None:
        """A frame of an asset; decoded again where it had to make room."""
        found = self._held.picture(ref, frame)
        if found is None and self._load(ref) is not None:
            found = self._held.picture(ref, frame)
        return found

    def hung(self, state: ShowState) -> ShowState:
        """The state with what decoding found out about its pictures, as the live composer has it."""
        pieces = [one.artwork.ref for one in (state.lot, *state.upcoming) if one is not None]
        for ref in pieces:
            if ref not in self._known:
                self._load(ref)
        return with_artworks(state, self._known)

    def _load(self, ref: str) -> Artwork | None:
        if not ref or ref in self._missing:
            return None
        try:
            self._known[ref] = decoding.hold(self._held, ref, self._read(self._names.get(ref, ref)))
        except (SothebaisError, ValueError) as error:
            log.warning("render.picture_missing", ref=ref, reason=str(error))
            if len(self._missing) < MISSING_MAX:
                self._missing.add(ref)
            return None
        return self._known[ref]
