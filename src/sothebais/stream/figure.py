"""What the drawn host is made of, as values that can be compared. Pure.

Each is the content of a layer of its own, so that a beak that opens or an eye that shuts repaints nothing else.
All are drawn in the same figure of ``WIDE`` × ``HIGH`` units, which stands on the bottom edge of its box. Numbers
are whole, so that equal looks are equal keys: angles in tenths of a degree, shares in hundredths.
"""

from typing import Final, Literal

from msgspec import Struct

WIDE: Final = 420
HIGH: Final = 368

type Prop = Literal["gavel", "gavel-struck", "lorgnette", "paddle", "watch", "catalogue"]


class Head(Struct, frozen=True):
    """How the head is held: its tilt (beak down is more), how far it is drawn forward and down, and to which side it
    looks."""

    tilt: int = 0
    forward: int = 0
    down: int = 0
    left: bool = False


class Arm(Struct, frozen=True):
    """A wing in its sleeve, in units of the figure: elbow, wrist, the direction of its feathers, how far they spread."""

    elbow_x: int
    elbow_y: int
    wrist_x: int
    wrist_y: int
    points: int
    spread: int


class HostBackdrop(Struct, frozen=True):
    """What stands behind the host."""

    kind: Literal["plain", "curtain"] = "plain"


class HostBody(Struct, frozen=True):
    """Tailcoat, shirt and the back of the collar; ``shrug`` raises the shoulders, a ``raised`` wing's sleeve hangs not."""

    shrug: int = 0
    rear_raised: bool = False
    fore_raised: bool = False
    left: bool = False


class HostPlumage(Struct, frozen=True):
    """Head and neck without beak and eye: crown feathers raised, throat feathers ruffled."""

    head: Head
    crown: int = 0
    ruff: int = 0


class HostBeak(Struct, frozen=True):
    """The beak, ``opening`` 0 shut to 3 wide; its corner smiles above zero and droops below."""

    head: Head
    opening: int = 0
    corner: int = 0


class HostEye(Struct, frozen=True):
    """The eye with its lids and brow. ``slope`` above zero is a brow whose end at the beak is up."""

    head: Head
    upper: int = 0
    lower: int = 0
    rise: int = 0
    slope: int = 0
    pupil: int = 50
    gaze_x: int = 0
    gaze_y: int = 0


class HostSpectacles(Struct, frozen=True):
    """Half-moon glasses on the beak."""

    head: Head


class HostTie(Struct, frozen=True):
    """What lies over the throat: the points of the collar, the tie."""

    left: bool = False


class HostWings(Struct, frozen=True):
    """The wings that are seen, in their sleeves; the one on the side of the beak is ``fore`` and holds the prop."""

    rear: Arm | None = None
    fore: Arm | None = None
    prop: Prop | None = None
    shrug: int = 0
    left: bool = False


class HostLectern(Struct, frozen=True):
    """The rostrum with the crest, in front of the host."""


type HostPart = (
    HostBackdrop | HostBody | HostPlumage | HostBeak | HostEye | HostSpectacles | HostTie | HostWings | HostLectern
)
