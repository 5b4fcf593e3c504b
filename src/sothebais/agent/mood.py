"""The host's mood: one table of what each trigger does to it, and its way back to NEUTRAL. Pure.

A mood has a level that halves every ``HALF_LIFE_MS`` and is over below ``FLOOR``. It takes more to begin a mood
(``ENTER``) than to keep one, another mood must be stronger by ``MARGIN`` to take its place, and a mood that has just
come stays for ``DWELL_MS`` whatever weak things happen: so the face does not flicker.
"""

from collections.abc import Mapping
from enum import StrEnum
from math import floor, log2
from types import MappingProxyType
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from sothebais.agent.model import MoodName
from sothebais.instants import Millis

MOODS: Final[tuple[MoodName, ...]] = (
    "NEUTRAL", "EXCITED", "HAPPY", "SURPRISED", "CURIOUS", "CONCERNED", "DISAPPOINTED",
)  # fmt: skip
LEVEL_MAX: Final = 100.0
#: Below this a mood is over.
FLOOR: Final = 10.0
#: So strong must be what brings a mood out of NEUTRAL.
ENTER: Final = 25.0
#: So much stronger than what is left of a mood must be what takes its place.
MARGIN: Final = 10.0
#: A mood that has just come gives way only to what is decisive.
DWELL_MS: Final = 2_500
#: What does not take the mood's place wears it down by this share of its strength.
WEAR: Final = 0.35
#: A trigger may be weaker or stronger than usual by these factors.
SCALE_MIN: Final = 0.25
SCALE_MAX: Final = 1.5
#: A change of so much is told to the rest of the house; a smaller one shows nowhere.
TELL_STEP: Final = 10
#: Half of a mood is gone after so long.
HALF_LIFE_MS: Final[Mapping[MoodName, Millis]] = MappingProxyType(
    {
        "NEUTRAL": 1_000,
        "EXCITED": 20_000,
        "HAPPY": 40_000,
        "SURPRISED": 6_000,
        "CURIOUS": 25_000,
        "CONCERNED": 40_000,
        "DISAPPOINTED": 30_000,
    }
)


class Trigger(StrEnum):
    """What moves the mood."""

    OPENING = "OPENING"
    FIRST_BID = "FIRST_BID"
    BID = "BID"
    JUMP = "JUMP"
    BIDDING_WAR = "BIDDING_WAR"
    SOFT_CLOSE = "SOFT_CLOSE"
    RESERVE_MET = "RESERVE_MET"
    HUSH = "HUSH"
    SOLD = "SOLD"
    PASSED = "PASSED"
    STREAM_TROUBLE = "STREAM_TROUBLE"
    STREAM_WELL = "STREAM_WELL"
    PRAISE = "PRAISE"
    ABUSE = "ABUSE"


class Effect(Struct, frozen=True):
    """Where a trigger moves the mood and how strongly. ``decisive``: it counts at once, whatever the mood was."""

    mood: MoodName
    strength: float
    decisive: bool = False
    #: It feeds a mood that is there, and begins none.
    feeds_only: bool = False


EFFECTS: Final[Mapping[Trigger, Effect]] = MappingProxyType(
    {
        Trigger.OPENING: Effect("CURIOUS", 55),
        Trigger.FIRST_BID: Effect("HAPPY", 50),
        Trigger.BID: Effect("EXCITED", 12, feeds_only=True),
        Trigger.JUMP: Effect("SURPRISED", 70),
        Trigger.BIDDING_WAR: Effect("EXCITED", 65),
        Trigger.SOFT_CLOSE: Effect("EXCITED", 50),
        Trigger.RESERVE_MET: Effect("HAPPY", 65),
        Trigger.HUSH: Effect("CONCERNED", 30),
        Trigger.SOLD: Effect("HAPPY", 80, decisive=True),
        Trigger.PASSED: Effect("DISAPPOINTED", 60, decisive=True),
        Trigger.STREAM_TROUBLE: Effect("CONCERNED", 75, decisive=True),
        Trigger.STREAM_WELL: Effect("NEUTRAL", 60),
        Trigger.PRAISE: Effect("HAPPY", 40),
        Trigger.ABUSE: Effect("DISAPPOINTED", 30),
    }
)
#: What a trigger does instead while the host is in this mood.
EXCEPTIONS: Final[Mapping[tuple[MoodName, Trigger], Effect]] = MappingProxyType(
    {
        # a jump in the heat of a war is more of the same
        ("EXCITED", Trigger.JUMP): Effect("EXCITED", 60),
        # the reserve falls while everybody is bidding: nobody stops to smile
        ("EXCITED", Trigger.RESERVE_MET): Effect("EXCITED", 45),
        # surprise turns into excitement as soon as it is answered
        ("SURPRISED", Trigger.BID): Effect("EXCITED", 45),
        # a lot that had worried the house and sold after all
        ("CONCERNED", Trigger.SOLD): Effect("SURPRISED", 75, decisive=True),
        ("CONCERNED", Trigger.STREAM_WELL): Effect("NEUTRAL", 75),
        # a kind word is no answer to trouble
        ("CONCERNED", Trigger.PRAISE): Effect("NEUTRAL", 20),
        # rudeness is not rewarded with a long face while all goes well
        ("EXCITED", Trigger.ABUSE): Effect("NEUTRAL", 10),
        ("HAPPY", Trigger.ABUSE): Effect("NEUTRAL", 15),
        # a hush after an opening is still attention
        ("CURIOUS", Trigger.HUSH): Effect("CURIOUS", 15),
    }
)
#: The whole table: every mood, every trigger.
TRANSITIONS: Final[Mapping[tuple[MoodName, Trigger], Effect]] = MappingProxyType(
    {(mood, trigger): EXCEPTIONS.get((mood, trigger), EFFECTS[trigger]) for trigger in Trigger for mood in MOODS}
)


class Stimulus(Struct, frozen=True):
    """Something that happened to the mood: ``scale`` says how much of it, ``cause`` is the event in the log."""

    trigger: Trigger
    scale: float = 1.0
    cause: UUID | None = None


class MoodState(Struct, frozen=True, kw_only=True):
    """The mood as it was at ``at``. ``since`` is when it began, ``by`` what moved it last."""

    mood: MoodName = "NEUTRAL"
    level: float = 0.0
    at: Millis = 0
    since: Millis = 0
    previous: MoodName | None = None
    by: Trigger | None = None

    @property
    def intensity(self) -> int:
        """0 to 100, as it is shown."""
        return round(self.level)


def decayed(state: MoodState, at: Millis) -> MoodState:
    """The mood at a later instant, with nothing happening in between. An earlier one changes nothing."""
    if at <= state.at:
        return state
    if state.mood == "NEUTRAL":
        return replace(state, at=at)
    half = HALF_LIFE_MS[state.mood]
    level = state.level * 0.5 ** ((at - state.at) / half)
    if level >= FLOOR:
        return replace(state, level=level, at=at)
    over = state.at + max(0, floor(half * log2(state.level / FLOOR)))
    return MoodState(mood="NEUTRAL", at=at, since=min(over, at), previous=state.mood, by=state.by)


def react(state: MoodState, trigger: Trigger, at: Millis, scale: float = 1.0) -> MoodState:
    """The mood after something happened at ``at``; ``scale`` makes it weaker or stronger than usual."""
    now = decayed(state, at)
    effect = TRANSITIONS[now.mood, trigger]
    strength = min(LEVEL_MAX, effect.strength * min(SCALE_MAX, max(SCALE_MIN, scale)))
    if effect.mood == now.mood:
        if now.mood == "NEUTRAL":
            return now
        # the fuller, the less is added: never above the maximum
        return replace(now, level=min(LEVEL_MAX, now.level + strength * (1 - now.level / LEVEL_MAX)), by=trigger)
    if _takes_over(now, effect, strength):
        return MoodState(mood=effect.mood, level=strength, at=now.at, since=now.at, previous=now.mood, by=trigger)
    if now.mood == "NEUTRAL":
        return now
    share = 1.0 if effect.mood == "NEUTRAL" else 0.0 if effect.feeds_only else WEAR
    level = now.level - strength * share
    if level >= FLOOR:
        return replace(now, level=level)
    if effect.mood != "NEUTRAL" or now.at - now.since < DWELL_MS:
        return replace(now, level=FLOOR)
    return MoodState(mood="NEUTRAL", at=now.at, since=now.at, previous=now.mood, by=trigger)


def _takes_over(now: MoodState, effect: Effect, strength: float) -> bool:
    if effect.mood == "NEUTRAL" or effect.feeds_only:
        return False
    if effect.decisive:
        return True
    if now.at - now.since < DWELL_MS and now.previous is not None:
        return False
    return strength >= (ENTER if now.mood == "NEUTRAL" else max(ENTER, now.level + MARGIN))


def worth_telling(told: MoodState, now: MoodState) -> bool:
    """Whether others should hear of the change: another mood, or the same one clearly stronger or weaker."""
    if told.mood != now.mood:
        return True
    return abs(told.intensity - now.intensity) >= TELL_STEP


def table() -> str:
    """The transition table and the lengths of the moods, as Markdown for ``docs/lifecycles.md``."""
    lines = ["| trigger | mood | strength | decisive | otherwise |", "|---|---|---|---|---|"]
    for trigger, effect in EFFECTS.items():
        others = [
            f"{mood}: {other.mood} {other.strength:g}" for (mood, what), other in EXCEPTIONS.items() if what is trigger
        ]
        toward = f"{effect.mood}, if it is there" if effect.feeds_only else effect.mood
        lines.append(
            f"| {trigger.replace('_', ' ').lower()} | {toward} | {effect.strength:g} | "
            f"{'yes' if effect.decisive else ''} | {'; '.join(others)} |"
        )
    lines += ["", "| mood | half of it is gone after |", "|---|---|"]
    lines += [f"| {mood} | {HALF_LIFE_MS[mood] / 1_000:g} s |" for mood in MOODS if mood != "NEUTRAL"]
    return "\n".join(lines) + "\n"
