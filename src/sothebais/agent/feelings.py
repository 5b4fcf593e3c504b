"""From what happens to what moves the mood, with the little history that needs. Pure.

Events of the log come as ``Seen``, lines of people as what was understood of them; what depends on the clock alone (a
hush, the soft close) comes from ``tick``.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from sothebais.agent.intents import HUSH_MS, JUMP_STEPS_MIN, SOFT_CLOSE_MS, WAR_BIDS_MIN, WAR_WINDOW_MS
from sothebais.agent.model import LotFacts, Seen
from sothebais.agent.mood import Stimulus, Trigger
from sothebais.agent.understanding import InteractionKind
from sothebais.instants import Millis

#: A jump of so many steps is as strong as jumps become.
JUMP_STEPS_FULL: Final = 25
#: A lot with so many bids ends as well as lots can.
BIDS_FULL: Final = 20
#: Praise or abuse by the same person moves the mood once in so long.
PERSON_MS: Final = 30_000
PEOPLE_MAX: Final = 200

_PLAIN: Final[Mapping[str, Trigger]] = MappingProxyType(
    {
        "auction:reserve:met": Trigger.RESERVE_MET,
        "stream:output:down": Trigger.STREAM_TROUBLE,
        "stream:error": Trigger.STREAM_TROUBLE,
    }
)


class History(Struct, frozen=True, kw_only=True):
    """What was seen of the lot on the block, newest last; a new lot begins a new one, but for people and trouble."""

    lot: UUID | None = None
    bids: tuple[tuple[Millis, UUID], ...] = ()
    bid_count: int = 0
    extension_count: int = 0
    #: What the next bid had to be, before the bid that comes.
    next_valid: Decimal | None = None
    last_at: Millis = 0
    #: The end for which the soft close was felt.
    closing: Millis | None = None
    troubled: bool = False
    people: tuple[tuple[UUID, Millis], ...] = ()


def notice(history: History, seen: Seen) -> tuple[History, tuple[Stimulus, ...]]:
    """What an event does. Events of lots that are not on the block are passed over, except a start."""
    if seen.type in ("auction:start", "auction:reopened"):
        fresh = History(lot=seen.lot, last_at=seen.at, troubled=history.troubled, people=history.people)
        fresh = replace(fresh, next_valid=seen.next_valid)
        return fresh, (Stimulus(Trigger.OPENING, cause=seen.id),)
    if seen.lot is not None and seen.lot != history.lot:
        return history, ()
    match seen.type:
        case "auction:bid:accepted":
            return _bid(history, seen)
        case "auction:end":
            ended = replace(history, last_at=seen.at, lot=None)
            if not seen.sold:
                return ended, (Stimulus(Trigger.PASSED, cause=seen.id),)
            fullness = min(1.0, history.bid_count / BIDS_FULL)
            return ended, (Stimulus(Trigger.SOLD, 0.75 + 0.5 * fullness, seen.id),)
        case "stream:output:up":
            if not history.troubled:
                return history, ()
            return replace(history, troubled=False), (Stimulus(Trigger.STREAM_WELL, cause=seen.id),)
        case "auction:paused" | "auction:resumed" | "auction:bid:voided" | "auction:timer:updated":
            return replace(history, last_at=seen.at, next_valid=seen.next_valid or history.next_valid), ()
    trigger = _PLAIN.get(seen.type)
    if trigger is None:
        return history, ()
    if trigger is Trigger.STREAM_TROUBLE:
        if history.troubled:
            return history, ()
        history = replace(history, troubled=True)
    return history, (Stimulus(trigger, cause=seen.id),)


def _bid(history: History, bid: Seen) -> tuple[History, tuple[Stimulus, ...]]:
    own = () if bid.user is None else ((bid.at, bid.user),)
    recent = tuple(one for one in (*history.bids, *own) if bid.at - one[0] <= WAR_WINDOW_MS)[-WAR_BIDS_MIN:]
    found = []
    if bid.bid_count <= 1:
        found.append(Stimulus(Trigger.FIRST_BID, cause=bid.id))
    else:
        steps = _steps(history, bid)
        if steps >= JUMP_STEPS_MIN:
            scale = 0.8 + 0.5 * min(1.0, (steps - JUMP_STEPS_MIN) / (JUMP_STEPS_FULL - JUMP_STEPS_MIN))
            found.append(Stimulus(Trigger.JUMP, scale, bid.id))
        elif bid.extension_count > history.extension_count:
            found.append(Stimulus(Trigger.SOFT_CLOSE, cause=bid.id))
        elif len(recent) >= WAR_BIDS_MIN and len({user for _, user in recent}) > 1:
            # the quicker, the hotter
            pace = 1 - (recent[-1][0] - recent[0][0]) / WAR_WINDOW_MS
            found.append(Stimulus(Trigger.BIDDING_WAR, 0.7 + 0.6 * pace, bid.id))
        else:
            found.append(Stimulus(Trigger.BID, cause=bid.id))
    after = replace(
        history,
        bids=recent,
        bid_count=max(history.bid_count, bid.bid_count),
        extension_count=max(history.extension_count, bid.extension_count),
        next_valid=bid.next_valid,
        last_at=bid.at,
    )
    return after, tuple(found)


def _steps(history: History, bid: Seen) -> float:
    """By how many of the steps that were asked for the price rose; 0 where nobody can tell."""
    if bid.price is None or bid.previous_price is None or history.next_valid is None:
        return 0.0
    step = history.next_valid - bid.previous_price
    return float((bid.price - bid.previous_price) / step) if step > 0 else 0.0


def heard(history: History, person: UUID, kind: InteractionKind, at: Millis) -> tuple[History, tuple[Stimulus, ...]]:
    """What a line of somebody does: praise and abuse, once in a while for each person."""
    if kind not in ("PRAISE", "ABUSE"):
        return history, ()
    lately = tuple(one for one in history.people if at - one[1] < PERSON_MS)[-PEOPLE_MAX:]
    if any(one == person for one, _ in lately):
        return replace(history, people=lately), ()
    trigger = Trigger.PRAISE if kind == "PRAISE" else Trigger.ABUSE
    return replace(history, people=(*lately, (person, at))[-PEOPLE_MAX:]), (Stimulus(trigger),)


def tick(history: History, lot: LotFacts | None, now: Millis) -> tuple[History, tuple[Stimulus, ...]]:
    """What the time does. Asked about once a second."""
    if lot is None or lot.id != history.lot or not lot.status.open:
        return history, ()
    if lot.ends_at is not None and lot.price is not None and 0 < lot.ends_at - now <= SOFT_CLOSE_MS:
        if history.closing == lot.ends_at:
            return history, ()
        # a later end is felt only when the lot had left the last minute in between; each extension has its own bid
        first = history.closing is None
        return replace(history, closing=lot.ends_at), (Stimulus(Trigger.SOFT_CLOSE),) if first else ()
    if now - history.last_at >= HUSH_MS:
        return replace(history, last_at=now), (Stimulus(Trigger.HUSH),)
    return history, ()
