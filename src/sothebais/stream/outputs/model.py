"""What an output is, and what it reports. Pure."""

from typing import Literal

from msgspec import Struct

type Kind = Literal["RTMP", "HLS", "RECORDING", "PREVIEW"]

#: Packets that may wait for one output: about four seconds of picture and sound at 30 frames a second.
PACKETS_MAX = 320
#: The first wait before a lost output is tried again; it doubles to the longest.
BACKOFF_S = 0.25
BACKOFF_S_MAX = 4.0


class OutputSpec(Struct, frozen=True, kw_only=True):
    """One target. ``target`` is an address with its key, or a path; it is a secret and never shown."""

    name: str
    kind: Kind
    target: str
    ca_file: str | None = None

    def __repr__(self) -> str:
        return f"OutputSpec(name={self.name!r}, kind={self.kind!r})"


class OutputReport(Struct, frozen=True, kw_only=True):
    """An output came up or went down. ``down_ms`` is how long it was away, null the first time."""

    name: str
    kind: Kind
    up: bool
    attempts: int = 1
    down_ms: int | None = None
    reason: str = ""
    retrying: bool = True


class OutputReading(Struct, frozen=True, kw_only=True):
    """How an output does: packets that wait, and how many it had to leave out since the start."""

    name: str
    kind: Kind
    up: bool
    waiting: int
    dropped: int
    sent_bytes: int
