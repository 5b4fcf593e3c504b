"""The host's mood: bounds, decay, no flicker, and what events make of it."""

import itertools
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sothebais.agent import feelings, mood
from sothebais.agent.feelings import History
from sothebais.agent.intents import HUSH_MS, JUMP_STEPS_MIN, SOFT_CLOSE_MS, WAR_BIDS_MIN
from sothebais.agent.model import LotFacts, LotStatus, Seen
from sothebais.agent.mood import DWELL_MS, EFFECTS, FLOOR, MOODS, MoodState, Trigger, decayed, react
from sothebais.state import models

LOT, OTHER = UUID(int=1), UUID(int=2)
ANA, BOB = UUID(int=11), UUID(int=12)
COURSES = st.lists(
    st.tuples(st.integers(0, 60_000), st.sampled_from(Trigger), st.floats(0, 5, allow_nan=False)), max_size=40
)


def course(steps: list[tuple[int, Trigger, float]]) -> list[MoodState]:
    state, at, states = MoodState(), 0, [MoodState()]
    for wait, trigger, scale in steps:
        at += wait
        state = react(state, trigger, at, scale)
        states.append(state)
    return states


@given(COURSES)
def test_the_intensity_stays_between_nothing_and_everything(steps: list[tuple[int, Trigger, float]]) -> None:
    for state in course(steps):
        assert 0 <= state.intensity <= 100
        assert (state.level == 0) == (state.mood == "NEUTRAL")
        assert state.mood == "NEUTRAL" or state.level >= FLOOR


@given(COURSES, st.lists(st.integers(0, 200_000), min_size=1, max_size=8))
def test_a_mood_left_alone_only_fades_and_comes_to_neutral(
    steps: list[tuple[int, Trigger, float]], waits: list[int]
) -> None:
    state = course(steps)[-1]
    start, level, moods = state.at, state.level, [state.mood]
    for at in sorted(start + wait for wait in waits):
        now = decayed(state, at)
        assert now.level <= level + 1e-9
        level = now.level
        moods.append(now.mood)
        # by steps or at once, it is the same
        through = decayed(decayed(state, (start + at) // 2), at)
        assert through.mood == now.mood
        assert through.level == pytest.approx(now.level)
        assert abs(through.since - now.since) <= 1
    assert [one for one, _ in itertools.groupby(moods)] in ([state.mood], [state.mood, "NEUTRAL"], ["NEUTRAL"])
    assert decayed(state, start + 10 * max(mood.HALF_LIFE_MS.values())).mood == "NEUTRAL"
    assert decayed(state, start - 1) == state


@settings(max_examples=300)
@given(COURSES)
def test_a_mood_that_has_just_come_gives_way_only_to_what_is_decisive(
    steps: list[tuple[int, Trigger, float]],
) -> None:
    changed_at = None
    for before, after in itertools.pairwise(course(steps)):
        now = decayed(before, after.at)
        if now.mood == after.mood:
            continue
        assert after.by is not None
        decisive = mood.TRANSITIONS[now.mood, after.by].decisive
        if changed_at is not None and not decisive:
            assert after.at - changed_at >= DWELL_MS, "two changes of face within a moment"
        changed_at = after.at


def test_two_moods_of_about_the_same_strength_do_not_take_turns() -> None:
    state = MoodState(mood="EXCITED", level=60, at=0, since=-60_000)
    changes = 0
    for n in range(1, 60):
        before = state.mood
        state = react(state, Trigger.FIRST_BID if n % 2 else Trigger.SOFT_CLOSE, n * 500)
        changes += state.mood != before
    assert changes <= 1


@given(COURSES)
def test_the_same_course_gives_the_same_moods(steps: list[tuple[int, Trigger, float]]) -> None:
    assert course(steps) == course(steps)


def test_the_table_has_every_mood_and_trigger_and_each_mood_is_reached() -> None:
    assert set(mood.TRANSITIONS) == set(itertools.product(MOODS, Trigger))
    assert set(mood.HALF_LIFE_MS) == set(MOODS)
    assert {effect.mood for effect in mood.TRANSITIONS.values()} == set(MOODS)
    assert models.MoodName.__value__.__args__ == MOODS
    for trigger, effect in EFFECTS.items():
        state = react(MoodState(), trigger, 1)
        expected = "NEUTRAL" if effect.feeds_only else effect.mood
        assert state.mood == expected, trigger


@pytest.mark.parametrize(
    ("start", "trigger", "expected"),
    [
        ("SURPRISED", Trigger.BID, "SURPRISED"),
        ("HAPPY", Trigger.STREAM_TROUBLE, "CONCERNED"),
        ("EXCITED", Trigger.JUMP, "EXCITED"),
        ("CONCERNED", Trigger.SOLD, "SURPRISED"),
        ("EXCITED", Trigger.PASSED, "DISAPPOINTED"),
        ("EXCITED", Trigger.ABUSE, "EXCITED"),
        ("CONCERNED", Trigger.STREAM_WELL, "NEUTRAL"),
    ],
)
def test_what_happens_in_a_mood(start: mood.MoodName, trigger: Trigger, expected: str) -> None:
    state = MoodState(mood=start, level=70, at=0, since=-10_000, previous="NEUTRAL")
    assert react(state, trigger, 0).mood == expected


def test_a_quick_answer_turns_surprise_into_excitement_once_it_has_worn_off() -> None:
    state = react(MoodState(), Trigger.JUMP, 0)
    assert react(state, Trigger.BID, 1_000).mood == "SURPRISED"
    assert react(state, Trigger.BID, 7_000).mood == "EXCITED"


def test_small_changes_are_not_told() -> None:
    told = MoodState(mood="HAPPY", level=60)
    assert not mood.worth_telling(told, MoodState(mood="HAPPY", level=51))
    assert mood.worth_telling(told, MoodState(mood="HAPPY", level=50))
    assert mood.worth_telling(told, MoodState(mood="EXCITED", level=60))


def test_the_document_has_the_table_the_code_runs_on() -> None:
    document = Path(__file__).parent.parent.parent / "docs" / "lifecycles.md"
    assert mood.table() in document.read_text(encoding="utf-8"), "`make docs` writes it again"


# what events make of it


def seen(type_: str, at: int, **given: object) -> Seen:
    for name in ("price", "previous_price", "next_valid"):
        if name in given:
            given[name] = Decimal(str(given[name]))
    return Seen(id=UUID(int=at + 1_000), type=type_, at=at, **({"lot": LOT} | given))  # type: ignore[arg-type]


def opened() -> History:
    history, (stimulus,) = feelings.notice(History(), seen("auction:start", 0, next_valid="1"))
    assert stimulus.trigger is Trigger.OPENING
    return history


def triggers(history: History, *events: Seen) -> list[Trigger]:
    found = []
    for event in events:
        history, stimuli = feelings.notice(history, event)
        found += [one.trigger for one in stimuli]
    return found


def a_bid(at: int, count: int, price: str, before: str, then: str, user: UUID = ANA, extensions: int = 0) -> Seen:
    return seen(
        "auction:bid:accepted", at, user=user, bid_count=count, price=price, previous_price=before, next_valid=then,
        extension_count=extensions,
    )  # fmt: skip


def test_the_first_bid_a_jump_and_an_extension_are_told_apart() -> None:
    found = triggers(
        opened(),
        seen("auction:bid:accepted", 1_000, user=ANA, bid_count=1, price="1", next_valid="1.1"),
        a_bid(60_000, 2, "1.1", "1", "1.2"),
        a_bid(120_000, 3, "2.1", "1.1", "2.2"),
        a_bid(180_000, 4, "2.2", "2.1", "2.3", BOB, extensions=1),
    )
    assert found == [Trigger.FIRST_BID, Trigger.BID, Trigger.JUMP, Trigger.SOFT_CLOSE]


def test_a_jump_is_so_many_steps_and_not_one_less() -> None:
    start = a_bid(1_000, 2, "1", "0.9", "1.1")
    for steps, trigger in ((JUMP_STEPS_MIN, Trigger.JUMP), (JUMP_STEPS_MIN - 1, Trigger.BID)):
        price = Decimal(1) + steps * Decimal("0.1")
        assert triggers(opened(), start, a_bid(60_000, 3, str(price), "1", "9"))[1] is trigger
    weak, strong = (
        feelings.notice(feelings.notice(opened(), start)[0], a_bid(60_000, 3, price, "1", "9"))[1][0].scale
        for price in ("1.5", "9")
    )
    assert weak < strong


def test_a_war_needs_two_people_and_quick_bids() -> None:
    def bids(gap: int, *users: UUID) -> list[Trigger]:
        steps = [
            a_bid(1_000 + n * gap, n + 2, f"1.{n + 1}", f"1.{n}", f"1.{n + 2}", user)
            for n, user in enumerate(itertools.islice(itertools.cycle(users), WAR_BIDS_MIN))
        ]
        return triggers(opened(), *steps)

    assert bids(2_000, ANA, BOB)[-1] is Trigger.BIDDING_WAR
    assert bids(2_000, ANA)[-1] is Trigger.BID
    assert bids(20_000, ANA, BOB)[-1] is Trigger.BID


def test_the_end_of_a_lot_and_of_others() -> None:
    assert triggers(opened(), seen("auction:end", 5, sold=True)) == [Trigger.SOLD]
    assert triggers(opened(), seen("auction:end", 5, sold=False)) == [Trigger.PASSED]
    assert triggers(opened(), seen("auction:end", 5, sold=True, lot=OTHER)) == []
    assert triggers(opened(), seen("auction:reserve:met", 5)) == [Trigger.RESERVE_MET]


def test_trouble_is_felt_once_until_all_is_well() -> None:
    down, up = seen("stream:output:down", 5, lot=None), seen("stream:output:up", 6, lot=None)
    assert triggers(opened(), up) == []
    assert triggers(opened(), down, down, up, up, down) == [
        Trigger.STREAM_TROUBLE,
        Trigger.STREAM_WELL,
        Trigger.STREAM_TROUBLE,
    ]


def test_one_person_moves_the_mood_once_in_a_while() -> None:
    history, found = feelings.heard(opened(), ANA, "PRAISE", 0)
    assert [one.trigger for one in found] == [Trigger.PRAISE]
    history, found = feelings.heard(history, ANA, "ABUSE", feelings.PERSON_MS - 1)
    assert found == ()
    history, found = feelings.heard(history, BOB, "ABUSE", feelings.PERSON_MS - 1)
    assert [one.trigger for one in found] == [Trigger.ABUSE]
    assert feelings.heard(history, ANA, "PRAISE", feelings.PERSON_MS)[1]
    assert feelings.heard(history, ANA, "QUESTION", feelings.PERSON_MS)[1] == ()
    for n in range(feelings.PEOPLE_MAX + 5):
        history, _ = feelings.heard(history, UUID(int=100 + n), "PRAISE", feelings.PERSON_MS)
    assert len(history.people) == feelings.PEOPLE_MAX


def test_time_brings_a_hush_and_the_last_minute_once() -> None:
    lot = LotFacts(id=LOT, number=1, title="A", status=LotStatus.ACTIVE, price=Decimal(1), ends_at=600_000)
    history = opened()
    assert feelings.tick(history, lot, HUSH_MS - 1)[1] == ()
    history, found = feelings.tick(history, lot, HUSH_MS)
    assert [one.trigger for one in found] == [Trigger.HUSH]
    assert feelings.tick(history, lot, HUSH_MS + 1_000)[1] == ()
    history, found = feelings.tick(history, lot, 600_000 - SOFT_CLOSE_MS)
    assert [one.trigger for one in found] == [Trigger.SOFT_CLOSE]
    assert feelings.tick(history, lot, 600_000 - 1_000)[1] == ()
    assert feelings.tick(opened(), None, 10 * HUSH_MS)[1] == ()
