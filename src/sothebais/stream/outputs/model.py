"""What an output is, and what it reports. Pure."""

from typing import Literal

from msgspec import Struct

type Kind = Literal["RTMP", "HLS", "RECORDING", "PREVIEW"]

#: Packets that may wait for one output: about four seconds of picture and sound at 30 frames a second.
PACKETS_MAX = 320
#: The first wait before a lost output is tried again. It doubles: not far at first, so that an output is back within a
#: second of its server, and further where the server has been away for long.
BACKOFF_S = 0.25
BACKOFF_S_MAX_AT_FIRST = 0.5
BACKOFF_S_MAX = 4.0
AT_FIRST_S = 120.0


def longer(wait_s: float, away_s: float) -> float:
    """The wait after a wait, for an output that has been away for so long."""
    return min(wait_s * 2, BACKOFF_S_MAX_AT_FIRST if away_s < AT_FIRST_S else BACKOFF_S_MAX)


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
