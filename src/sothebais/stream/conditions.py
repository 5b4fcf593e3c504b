"""What elements wait for, and what their timelines count from. Pure."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from sothebais.instants import Millis
from sothebais.stream.layers import NEVER
from sothebais.stream.scenes.model import Beginning, Condition
from sothebais.stream.show import Lot, LotStatus, ShowState


def warned(lot: Lot, t: Millis) -> bool:
    """Whether a lot that runs is within its fair warning."""
    return lot.paused_at is None and t >= lot.ends_at - lot.fair_warning_ms


_OF_THE_LOT: Final[Mapping[str, Callable[[Lot, Millis], bool]]] = MappingProxyType(
    {
        "lot": lambda lot, t: True,
        "price": lambda lot, t: lot.price is not None,
        "no_price": lambda lot, t: lot.price is None,
        "leader": lambda lot, t: lot.leader is not None,
        "reserve": lambda lot, t: lot.has_reserve,
        "sold": lambda lot, t: lot.status is LotStatus.SOLD,
        "passed": lambda lot, t: lot.status is LotStatus.PASSED,
        "fair_warning": warned,
        "no_fair_warning": lambda lot, t: not warned(lot, t),
    }
)
_OF_THE_SHOW: Final[Mapping[str, Callable[[ShowState, Millis], bool]]] = MappingProxyType(
    {
        "always": lambda state, t: True,
        "never": lambda state, t: False,
        "caption": lambda state, t: state.caption is not None and state.caption.at <= t < state.caption.until,
        "post": lambda state, t: state.post is not None,
        "no_post": lambda state, t: state.post is None,
        "upcoming": lambda state, t: bool(state.upcoming),
        "results": lambda state, t: bool(state.results),
        "next_at": lambda state, t: state.next_at is not None,
        "tomorrow": lambda state, t: bool(state.tomorrow),
        "bid_url": lambda state, t: bool(state.bid_url),
        "live": lambda state, t: state.live,
    }
)


def holds(condition: Condition, state: ShowState, t: Millis) -> bool:
    """Whether what an element waits for is so. Without a lot nothing that is said of one is."""
    if condition in _OF_THE_LOT:
        return state.lot is not None and _OF_THE_LOT[condition](state.lot, t)
    return _OF_THE_SHOW[condition](state, t)


def may_change(condition: Condition, state: ShowState, t: Millis) -> Millis:
    """When the passing of time alone may change whether a condition holds."""
    moments: tuple[Millis, ...] = ()
    if condition in ("fair_warning", "no_fair_warning") and state.lot is not None:
        moments = (state.lot.ends_at - state.lot.fair_warning_ms,)
    elif condition == "caption" and state.caption is not None:
        moments = (state.caption.at, state.caption.until)
    return min((moment for moment in moments if moment > t), default=NEVER)


def begins(beginning: Beginning, state: ShowState) -> Millis | None:
    """The instant a timeline counts from; None while there is none."""
    lot = state.lot
    if beginning == "scene":
        return state.on_air.since
    if lot is None:
        return None
    match beginning:
        case "lot":
            return lot.opened_at
        case "bid":
            return lot.bids[0].at if lot.bids else None
        case "fair_warning":
            return None if lot.paused_at is not None else lot.ends_at - lot.fair_warning_ms
        case _:
            return lot.closed_at
