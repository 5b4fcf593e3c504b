"""From events to things worth saying. Pure: ids and the time are told to it.

``PLANS`` says how important each moment is and how long it stays worth saying. ``Watch`` follows the events of the lot
on the wall; what depends on the clock alone (fair warning, a hush) comes from ``tick``.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from sothebais.agent.model import Facts, Intent, Moment, Place, Seen, SpeechIntent
from sothebais.instants import Millis

#: A bid that raises the price by so many times the step the rules asked for is a jump.
JUMP_STEPS_MIN = 5
#: So many bids in so short a time by more than one bidder are a bidding war.
WAR_BIDS_MIN = 4
WAR_WINDOW_MS = 30_000
#: A silence this long is noticed, and then only after as long again.
HUSH_MS = 45_000
#: The piece's story is told once, in the first silence as long as this.
STORY_MS = 12_000
#: Before the end of a lot; of a short lot at most these shares of its whole length, as on the picture.
FAIR_WARNING_MS = 15_000
LAST_CALL_MS = 6_000
SOFT_CLOSE_MS = 60_000
FAIR_WARNING_SHARE = 4
LAST_CALL_SHARE = 10
SOFT_CLOSE_SHARE = 2
#: Trouble with the picture is spoken of no more often than this.
TROUBLE_MS_MIN = 60_000
#: While nothing happens, something is said about the piece or the evening this often.
CHATTER_MS = 75_000
#: The next lot is announced once, so long before it opens at most and at least.
NEXT_MS = 30_000
NEXT_MS_MIN = 7_000
#: A bid's line waits so long after the last one of the same kind.
BID_LINE_MS_MIN = 4_000


class Plan(Struct, frozen=True):
    """How a moment is spoken of: intent of the event catalogue, importance, lifetime, whether it cuts others off."""

    kind: Intent
    priority: int
    lifetime: Millis
    interrupts: bool = False
    #: Of several that wait only the newest is said; per lot.
    once: str | None = None


PLANS: Mapping[Moment, Plan] = MappingProxyType({
    Moment.SOLD: Plan("RESULT", 100, 20_000, interrupts=True, once="RESULT"),
    Moment.PASSED: Plan("RESULT", 96, 20_000, interrupts=True, once="RESULT"),
    Moment.PAUSED: Plan("NOTICE", 95, 15_000, interrupts=True, once="RUNNING"),
    Moment.CANCELLED: Plan("NOTICE", 94, 20_000, interrupts=True, once="RUNNING"),
    Moment.TROUBLE: Plan("NOTICE", 92, 15_000, interrupts=True, once="TROUBLE"),
    Moment.CLOSING: Plan("FAIR_WARNING", 93, 4_000, interrupts=True, once="WARNING"),
    Moment.LAST_CALL: Plan("FAIR_WARNING", 91, 4_000, interrupts=True, once="WARNING"),
    Moment.FAIR_WARNING: Plan("FAIR_WARNING", 90, 8_000, interrupts=True, once="WARNING"),
    Moment.LOT_OPEN: Plan("LOT_OPENING", 89, 30_000, interrupts=True, once="OPENING"),
    Moment.LOT_RUNNING: Plan("LOT_OPENING", 89, 30_000, once="OPENING"),
    Moment.REOPENED: Plan("NOTICE", 88, 30_000, once="RUNNING"),
    Moment.BID_VOIDED: Plan("NOTICE", 87, 30_000, once="VOIDED"),
    Moment.RESERVE_MET: Plan("NOTICE", 86, 12_000, once="RESERVE"),
    Moment.EXTENSION: Plan("BID", 84, 10_000, once="BID"),
    Moment.RESUMED: Plan("NOTICE", 81, 15_000, once="RUNNING"),
    Moment.FIRST_BID: Plan("BID", 78, 10_000, once="BID"),
    Moment.JUMP: Plan("BID", 74, 8_000, once="BID"),
    Moment.SESSION_START: Plan("GREETING", 72, 60_000, once="SESSION"),
    Moment.SESSION_END: Plan("FAREWELL", 72, 60_000, once="SESSION"),
    Moment.WAR: Plan("BID", 68, 6_000, once="BID"),
    Moment.SOFT_CLOSE: Plan("NOTICE", 66, 15_000, once="WARNING"),
    Moment.BID: Plan("BID", 60, 5_000, once="BID"),
    Moment.QUESTION: Plan("ANSWER", 50, 45_000),
    Moment.RECOVERED: Plan("NOTICE", 46, 20_000, once="TROUBLE"),
    Moment.LOT_NEXT: Plan("SCHEDULE", 44, 6_000, once="NEXT"),
    Moment.WELCOME: Plan("GREETING", 30, 60_000, once="WELCOME"),
    Moment.HUSH: Plan("CHATTER", 26, 15_000, once="CHATTER"),
    Moment.SCHEDULE: Plan("SCHEDULE", 24, 60_000, once="NEXT"),
    Moment.STORY: Plan("STORY", 22, 30_000, once="CHATTER"),
    Moment.CHATTER: Plan("CHATTER", 10, 20_000, once="CHATTER"),
})  # fmt: skip

#: What an event that has one moment only is spoken of as.
_MOMENTS: Mapping[str, Moment] = MappingProxyType({
    "session:post_auction": Moment.SESSION_END,
    "auction:start": Moment.LOT_OPEN,
    "auction:closing": Moment.CLOSING,
    "auction:paused": Moment.PAUSED,
    "auction:resumed": Moment.RESUMED,
    "auction:cancelled": Moment.CANCELLED,
    "auction:reopened": Moment.REOPENED,
    "auction:bid:voided": Moment.BID_VOIDED,
    "auction:reserve:met": Moment.RESERVE_MET,
    "stream:error": Moment.TROUBLE,
    "stream:output:down": Moment.TROUBLE,
    "stream:output:up": Moment.RECOVERED,
})  # fmt: skip


#: What a greeting waits for.
_OPENS = frozenset({"session:pre_auction", "session:auction", "session:end", "stream:start", "stream:end"})


class Watch(Struct, frozen=True, kw_only=True):
    """What was seen of the lot on the wall so far. A new lot begins a new one."""

    lot: UUID | None = None
    next_valid: Decimal | None = None
    extension_count: int = 0
    #: When the last bids came, and whose they were, newest last.
    bids: tuple[tuple[Millis, UUID], ...] = ()
    last_event_at: Millis = 0
    last_bid_line_at: Millis | None = None
    last_chatter_at: Millis = 0
    warned: frozenset[Moment] = frozenset()
    #: The end the warnings were given for; a later end brings them again.
    warned_for: Millis | None = None
    story_told: bool = False
    troubled: bool = False
    trouble_at: Millis = -TROUBLE_MS_MIN
    #: The show is on air, a session is on, and it has been opened with a greeting.
    streaming: bool = False
    in_session: bool = False
    greeted: bool = False
    #: When the next lot opens that was announced last.
    announced: Millis = 0


def intent(
    moment: Moment,
    now: Millis,
    new_id: Callable[[], UUID],
    *,
    cause: UUID | None = None,
    lot: UUID | None = None,
    addressee: UUID | None = None,
    heard: str | None = None,
    place: Place = "STREAM",
) -> SpeechIntent:
    """Something worth saying, by its plan."""
    plan = PLANS[moment]
    return SpeechIntent(
        id=new_id(),
        kind=plan.kind,
        moment=moment,
        priority=plan.priority,
        created_at=now,
        expires_at=now + plan.lifetime,
        place=place,
        cause=cause,
        lot=lot,
        addressee=addressee,
        heard=heard,
        # one question of a person waits at a time, so that nobody fills the queue
        replaces=f"{plan.once}:{lot}" if plan.once else f"{moment}:{addressee}" if addressee else None,
        interrupts=plan.interrupts,
    )


def question(
    text: str,
    asker: UUID,
    now: Millis,
    new_id: Callable[[], UUID],
    *,
    cause: UUID | None,
    lot: UUID | None,
    place: Place,
) -> SpeechIntent:
    """An answer to what somebody wrote."""
    return intent(Moment.QUESTION, now, new_id, cause=cause, lot=lot, addressee=asker, heard=text, place=place)


def observe(
    watch: Watch, seen: Seen, now: Millis, new_id: Callable[[], UUID]
) -> tuple[Watch, tuple[SpeechIntent, ...]]:
    """What an event changes, and what there is to say of it.

    Events of other lots than the one on the wall are passed over, except a start, which puts its lot on the wall.
    """
    if seen.type in ("auction:start", "auction:reopened"):
        watch = Watch(
            lot=seen.lot,
            last_event_at=now,
            last_chatter_at=now,
            troubled=watch.troubled,
            trouble_at=watch.trouble_at,
            streaming=watch.streaming,
            in_session=watch.in_session,
            greeted=watch.greeted,
            announced=watch.announced,
        )
    elif seen.lot is not None and seen.lot != watch.lot:
        return watch, ()
    moment: Moment | None
    if seen.type == "auction:bid:accepted":
        watch, moment = _bid(watch, seen, now)
    elif seen.type == "auction:end":
        moment = Moment.SOLD if seen.sold else Moment.PASSED
        watch = replace(watch, last_event_at=now)
    elif seen.type in _OPENS:
        watch, moment = _greeting(watch, seen.type)
    else:
        moment = _MOMENTS.get(seen.type)
        if moment is Moment.RECOVERED and not watch.troubled:
            moment = None
        if moment is Moment.TROUBLE and (seen.recovered or now - watch.trouble_at < TROUBLE_MS_MIN):
            # what mended itself, or has been spoken of
            moment = None
        elif moment is Moment.TROUBLE:
            watch = replace(watch, troubled=True, trouble_at=now)
        elif moment is Moment.RECOVERED:
            watch = replace(watch, troubled=False)
        if seen.lot is not None:
            watch = replace(
                watch,
                next_valid=seen.next_valid or watch.next_valid,
                extension_count=max(seen.extension_count, watch.extension_count),
                last_event_at=now,
            )
    if moment is None:
        return watch, ()
    return watch, (intent(moment, now, new_id, cause=seen.id, lot=seen.lot),)


def _greeting(watch: Watch, happened: str) -> tuple[Watch, Moment | None]:
    """People are greeted when the show is on air before the first lot; at the latest when bidding begins."""
    match happened:
        case "session:pre_auction":
            watch = replace(watch, in_session=True, greeted=False)
        case "session:auction":
            watch = replace(watch, in_session=True)
        case "session:end":
            watch = replace(watch, in_session=False, greeted=False)
        case _:
            watch = replace(watch, streaming=happened == "stream:start")
    due = watch.in_session and not watch.greeted and (watch.streaming or happened == "session:auction")
    return (replace(watch, greeted=True), Moment.SESSION_START) if due else (watch, None)


def _bid(watch: Watch, bid: Seen, now: Millis) -> tuple[Watch, Moment | None]:
    own = () if bid.user is None else ((bid.at, bid.user),)
    recent = tuple(one for one in (*watch.bids, *own) if bid.at - one[0] <= WAR_WINDOW_MS)[-WAR_BIDS_MIN:]
    moment = Moment.BID
    if bid.bid_count <= 1:
        moment = Moment.FIRST_BID
    elif bid.extension_count > watch.extension_count:
        moment = Moment.EXTENSION
    elif _is_jump(watch, bid):
        moment = Moment.JUMP
    elif len(recent) >= WAR_BIDS_MIN and len({user for _, user in recent}) > 1:
        moment = Moment.WAR
    # not every bid is spoken of: the picture shows them all
    lately = watch.last_bid_line_at is not None and now - watch.last_bid_line_at < BID_LINE_MS_MIN
    spoken = bid.price is not None and not (lately and moment in (Moment.BID, Moment.WAR))
    watch = replace(
        watch,
        bids=recent,
        next_valid=bid.next_valid,
        extension_count=max(bid.extension_count, watch.extension_count),
        last_event_at=now,
        last_bid_line_at=now if spoken else watch.last_bid_line_at,
    )
    return watch, moment if spoken else None


def _is_jump(watch: Watch, bid: Seen) -> bool:
    if bid.price is None or bid.previous_price is None or watch.next_valid is None:
        return False
    step = watch.next_valid - bid.previous_price
    return step > 0 and bid.price - bid.previous_price >= step * JUMP_STEPS_MIN


def tick(watch: Watch, facts: Facts, new_id: Callable[[], UUID]) -> tuple[Watch, tuple[SpeechIntent, ...]]:
    """What there is to say because of the time it is. Asked about once a second."""
    lot, now = facts.lot, facts.now
    if lot is None or lot.id != watch.lot or not lot.status.open:
        return _idle(watch, facts, new_id)
    if lot.ends_at is not None and lot.price is not None:
        left, whole = lot.ends_at - now, max(1, lot.ends_at - lot.opens_at)
        befores = (
            (Moment.LAST_CALL, min(LAST_CALL_MS, whole // LAST_CALL_SHARE)),
            (Moment.FAIR_WARNING, min(FAIR_WARNING_MS, whole // FAIR_WARNING_SHARE)),
            (Moment.SOFT_CLOSE, min(SOFT_CLOSE_MS, whole // SOFT_CLOSE_SHARE)),
        )
        if watch.warned_for != lot.ends_at:
            # what was said before a late bid moved the end is said again only when its time comes again
            said = {one for one, length in befores[1:] if one in watch.warned and left <= length}
            watch = replace(watch, warned_for=lot.ends_at, warned=frozenset(said))
        for moment, before in befores:
            if 0 < left <= before:
                if moment in watch.warned:
                    return watch, ()
                # the earlier warnings are past as well
                passed = {one for one, length in befores[1:] if left <= length}
                watch = replace(watch, warned=watch.warned | {moment} | passed, last_event_at=now)
                return watch, (intent(moment, now, new_id, lot=lot.id),)
    untold = lot.story is not None and not watch.story_told
    quiet = STORY_MS if untold else HUSH_MS
    if now - watch.last_event_at >= quiet and now - watch.last_chatter_at >= quiet:
        watch = replace(watch, last_chatter_at=now, story_told=True)
        return watch, (intent(Moment.STORY if untold else Moment.HUSH, now, new_id, lot=lot.id),)
    return watch, ()


def _idle(watch: Watch, facts: Facts, new_id: Callable[[], UUID]) -> tuple[Watch, tuple[SpeechIntent, ...]]:
    following = facts.upcoming[0].starts_at if facts.upcoming else 0
    if watch.in_session and NEXT_MS_MIN <= following - facts.now <= NEXT_MS and following != watch.announced:
        watch = replace(watch, announced=following, last_chatter_at=facts.now)
        return watch, (intent(Moment.LOT_NEXT, facts.now, new_id),)
    if facts.now - max(watch.last_chatter_at, watch.last_event_at) < CHATTER_MS:
        return watch, ()
    moment = Moment.SCHEDULE if facts.upcoming or facts.next_session_at else Moment.CHATTER
    return replace(watch, last_chatter_at=facts.now), (intent(moment, facts.now, new_id),)
