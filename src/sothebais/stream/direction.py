"""Which of the built-in scenes belongs on air, and how it comes on. Pure.

Whoever follows the auction asks at each change and at each ``until``; an operator may put on any other scene instead.
"""

from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from sothebais.instants import Millis
from sothebais.stream.layers import NEVER
from sothebais.stream.show import Lot, LotStatus, OnAir, ShowState, TransitionKind

#: How long the end of a lot is looked at before the next thing.
HOLD_MS: Final = 12_000

type Stage = Literal["SCHEDULED", "PRE_AUCTION", "AUCTION", "POST_AUCTION", "COMPLETED", "CANCELLED"]


class Choice(Struct, frozen=True):
    """A scene, and the first instant at which another may be right without anything having happened."""

    scene: str
    until: Millis = NEVER


def choose(stage: Stage, lot: Lot | None, t: Millis) -> Choice:
    """The scene for a campaign day's stage and the lot that is on (or was on last)."""
    if lot is not None and (shown := _of_lot(lot, t)) is not None:
        return shown
    match stage:
        case "SCHEDULED" | "PRE_AUCTION":
            return Choice("pre-auction")
        case "AUCTION":
            return Choice("intermission")
        case "POST_AUCTION" | "COMPLETED":
            return Choice("post-auction")
        case _:
            return Choice("slate")


def put_on(state: ShowState, scene: str, t: Millis, transition: TransitionKind = "fade", ms: int = 600) -> ShowState:
    """The state with a scene on air from ``t`` on; the same state when that scene is on already."""
    if state.on_air.scene == scene:
        return state
    return replace(state, on_air=OnAir(scene, t, state.on_air.scene, transition, ms))


def _of_lot(lot: Lot, t: Millis) -> Choice | None:
    match lot.status:
        case LotStatus.PAUSED:
            return Choice("pause")
        case LotStatus.ACTIVE:
            warned = lot.ends_at - lot.fair_warning_ms
            return Choice("auction", warned) if t < warned else Choice("closing")
        case LotStatus.CLOSING:
            return Choice("closing")
        case LotStatus.SOLD | LotStatus.PASSED if lot.closed_at is not None and t < lot.closed_at + HOLD_MS:
            return Choice(lot.status.lower(), lot.closed_at + HOLD_MS)
        case _:
            return None
