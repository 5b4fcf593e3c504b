"""What an input is, how large its pictures are kept, and what its reader says. Pure."""

from typing import Final

from msgspec import Struct

#: Inputs that may be configured: each is a decoder of its own beside the encoder.
INPUTS_MAX: Final = 4
#: Pictures are kept at most so large; larger ones are made smaller by the reader.
WIDTH_MAX, HEIGHT_MAX = 1_280, 720
#: What shows an input is looked at again so often, which is all that a faster input would change.
STEP_MS: Final = 33
#: A server has so long to answer, and a stream so long to go on.
CONNECT_S: Final = 5.0
READ_S: Final = 3.0
#: A picture that no other has followed for so long is taken off: a frozen guest is not live.
STALE_S: Final = 2.0


def reference(name: str) -> str:
    """What pictures of an input are called among those of assets, whose references have no colon."""
    return f"input:{name}"


def fitted(width: int, height: int) -> tuple[int, int]:
    """The size in which a source's pictures are kept: its own ratio, even sides."""
    share = min(1.0, WIDTH_MAX / width, HEIGHT_MAX / height)
    return max(2, round(width * share / 2) * 2), max(2, round(height * share / 2) * 2)


class InputSpec(Struct, frozen=True, kw_only=True):
    """One source. ``source`` is an address that may hold a key; it is a secret and never shown."""

    name: str
    source: str
    ca_file: str | None = None

    def __repr__(self) -> str:
        return f"InputSpec(name={self.name!r})"


class Opened(Struct, tag=True, frozen=True):
    """The reader has a stream of this size."""

    width: int
    height: int


class Lost(Struct, tag=True, frozen=True):
    """The reader has none (any more), and ends."""

    reason: str


type ReaderSays = Opened | Lost
