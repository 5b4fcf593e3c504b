"""From what happens to what is said, in order of importance; and whom the host answers."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.fakes.host_words import EVE, FACTS, LOT, LOT_FACTS, NOW, ids, lot

from sothebais.agent import manners
from sothebais.agent.happenings import seen
from sothebais.agent.intents import (
    BID_LINE_MS_MIN,
    CHATTER_MS,
    FAIR_WARNING_MS,
    HUSH_MS,
    JUMP_STEPS_MIN,
    LAST_CALL_MS,
    NEXT_MS,
    NEXT_MS_MIN,
    PLANS,
    SOFT_CLOSE_MS,
    STORY_MS,
    WAR_BIDS_MIN,
    WAR_WINDOW_MS,
    Watch,
    intent,
    observe,
    question,
    tick,
)
from sothebais.agent.manners import ANSWERS_MAX, ANSWERS_PER_PERSON_MAX, PERSON_WINDOW_MS, Manners, Silence
from sothebais.agent.model import LotStatus, Moment, Seen, SpeechIntent
from sothebais.agent.queue import INTENTS_MAX, SpeechQueue, quiet_before
from sothebais.agent.understanding import Wish
from sothebais.events.types import parse_event

ANA, BEA = UUID(int=11), UUID(int=12)


def of(moment: Moment, at: int = NOW, **more: Any) -> SpeechIntent:
    return intent(moment, at, uuid4, lot=LOT, **more)


def bid(
    number: int, price: str, before: str | None, next_valid: str, user: UUID = ANA, at: int = NOW, extended: int = 0
) -> Seen:
    return Seen(
        id=uuid4(),
        type="auction:bid:accepted",
        at=at,
        lot=LOT,
        user=user,
        bid_count=number,
        price=Decimal(price),
        previous_price=None if before is None else Decimal(before),
        next_valid=Decimal(next_valid),
        extension_count=extended,
    )


def moments(watch: Watch, *happened: Seen, apart: int = BID_LINE_MS_MIN) -> tuple[Watch, list[Moment]]:
    said = []
    for number, one in enumerate(happened):
        watch, found = observe(watch, one, NOW + number * apart, uuid4)
        said += [intent.moment for intent in found]
    return watch, said


# --- the queue


def test_what_matters_most_is_said_first_and_the_older_among_equals() -> None:
    line = SpeechQueue()
    for one in (
        of(Moment.CHATTER),
        of(Moment.QUESTION, NOW + 2, addressee=ANA),
        of(Moment.QUESTION, NOW + 1, addressee=BEA),
        of(Moment.SOLD),
    ):
        assert line.offer(one, NOW + 3)
    assert [one.moment for one in line.waiting] == [Moment.SOLD, Moment.QUESTION, Moment.QUESTION, Moment.CHATTER]
    assert [one.addressee for one in line.waiting[1:3]] == [BEA, ANA]


def test_a_stale_line_is_dropped_and_was_never_on_air() -> None:
    line = SpeechQueue()
    one = of(Moment.BID)
    assert line.offer(one, NOW)
    assert line.take(one.expires_at) is None
    assert line.on_air is None
    assert line.dropped == {"EXPIRED": 1, "REPLACED": 0}
    assert not line.offer(one, one.expires_at)
    assert line.dropped["EXPIRED"] == 2


def test_a_line_may_be_said_until_the_moment_it_expires() -> None:
    line = SpeechQueue()
    one = of(Moment.BID)
    line.offer(one, NOW)
    assert line.take(one.expires_at - 1) is one


def test_a_newer_bid_replaces_the_older_and_another_lots_does_not() -> None:
    line = SpeechQueue()
    first, second, other = of(Moment.BID), of(Moment.JUMP, NOW + 1), intent(Moment.BID, NOW, uuid4, lot=EVE)
    for one in (first, second, other):
        line.offer(one, NOW + 1)
    assert set(line.waiting) == {second, other}
    assert line.dropped["REPLACED"] == 1


def test_one_person_has_one_question_waiting() -> None:
    line = SpeechQueue()
    for text in ("first?", "second?"):
        line.offer(question(text, EVE, NOW, uuid4, cause=None, lot=LOT, place="STREAM"), NOW)
    assert [one.heard for one in line.waiting] == ["second?"]


def test_sold_interrupts_chatter_and_chatter_interrupts_nothing() -> None:
    line = SpeechQueue()
    chatter, sold = of(Moment.CHATTER), of(Moment.SOLD)
    line.offer(chatter, NOW)
    assert line.take(NOW) is chatter
    line.offer(of(Moment.QUESTION, addressee=ANA), NOW)
    assert not line.interrupts(NOW)
    assert line.take(NOW) is None
    line.offer(sold, NOW)
    assert line.interrupts(NOW)
    assert line.take(NOW) is sold
    assert line.dropped["INTERRUPTED"] == 1
    line.offer(of(Moment.PAUSED), NOW)
    assert not line.interrupts(NOW)
    assert line.on_air is sold


def test_one_line_is_on_air_at_a_time() -> None:
    line = SpeechQueue()
    line.offer(of(Moment.LOT_OPEN), NOW)
    line.offer(of(Moment.RESERVE_MET), NOW)
    assert line.take(NOW) is not None
    assert line.take(NOW) is None
    line.finished(NOW + 1_000)
    assert line.take(NOW + 1_000) is not None


def test_between_lines_there_is_a_silence_by_importance() -> None:
    line = SpeechQueue()
    line.offer(of(Moment.SOLD), NOW)
    line.take(NOW)
    line.finished(NOW)
    one = of(Moment.QUESTION, addressee=ANA)
    line.offer(one, NOW)
    quiet = quiet_before(one.priority)
    assert quiet == 1_200
    assert line.due_at() == NOW + quiet
    assert line.take(NOW + quiet - 1) is None
    assert line.take(NOW + quiet) is one
    assert [quiet_before(priority) for priority in (100, 80, 79, 60, 59, 40, 39, 20, 19, 0)] == [
        0,
        0,
        700,
        700,
        1_200,
        1_200,
        5_000,
        5_000,
        9_000,
        9_000,
    ]


def test_the_queue_holds_its_limit_and_the_least_important_goes() -> None:
    line = SpeechQueue()
    for number in range(INTENTS_MAX):
        assert line.offer(of(Moment.QUESTION, addressee=UUID(int=number)), NOW)
    assert len(line) == INTENTS_MAX
    assert not line.offer(of(Moment.CHATTER), NOW)
    assert line.offer(of(Moment.SOLD), NOW)
    assert len(line) == INTENTS_MAX
    assert line.dropped["FULL"] == 2


def test_what_waits_for_a_lot_or_a_person_can_be_forgotten() -> None:
    line = SpeechQueue()
    line.offer(of(Moment.BID), NOW)
    line.offer(question("hm?", EVE, NOW, uuid4, cause=None, lot=None, place="CHAT"), NOW)
    line.forget(addressee=EVE)
    assert [one.moment for one in line.waiting] == [Moment.BID]
    line.forget(lot=LOT)
    assert len(line) == 0
    assert line.dropped["CLEARED"] == 2


@given(st.lists(st.tuples(st.sampled_from(list(Moment)), st.integers(0, 30_000)), max_size=60))
@settings(deadline=None)
def test_whatever_is_offered_the_queue_keeps_its_promises(offered: list[tuple[Moment, int]]) -> None:
    line = SpeechQueue()
    now = NOW
    for moment, later in offered:
        now += later
        line.offer(intent(moment, now, uuid4, lot=LOT, addressee=ANA if moment is Moment.QUESTION else None), now)
        keys = [one.replaces for one in line.waiting]
        assert len(line) <= INTENTS_MAX
        assert len(keys) == len(set(keys))
        assert [one.priority for one in line.waiting] == sorted((one.priority for one in line.waiting), reverse=True)
        taken = line.take(now)
        assert taken is None or taken.expires_at > now
        if later % 2:
            line.finished(now)


# --- from events to intents


def test_every_moment_has_a_plan_that_fits_the_event_catalogue() -> None:
    assert set(PLANS) == set(Moment)
    assert all(0 <= plan.priority <= 100 and plan.lifetime > 0 for plan in PLANS.values())
    assert PLANS[Moment.SOLD].priority == max(plan.priority for plan in PLANS.values())


def test_the_life_of_a_lot_is_spoken_of() -> None:
    def step(type_: str) -> Seen:
        return Seen(id=uuid4(), type=type_, at=NOW, lot=LOT)

    _, said = moments(
        Watch(),
        Seen(id=uuid4(), type="session:auction", at=NOW),
        step("auction:start"),
        bid(1, "1", None, "1.1"),
        bid(2, "1.1", "1", "1.2", BEA),
        step("auction:reserve:met"),
        step("auction:paused"),
        step("auction:resumed"),
        bid(3, "2", "1.1", "2.1"),
        bid(4, "2.1", "2", "2.2", BEA, extended=1),
        step("auction:closing"),
        Seen(id=uuid4(), type="auction:end", at=NOW, lot=LOT, sold=True),
        Seen(id=uuid4(), type="session:post_auction", at=NOW),
        apart=WAR_WINDOW_MS,
    )
    assert said == [
        Moment.SESSION_START,
        Moment.LOT_OPEN,
        Moment.FIRST_BID,
        Moment.BID,
        Moment.RESERVE_MET,
        Moment.PAUSED,
        Moment.RESUMED,
        Moment.JUMP,
        Moment.EXTENSION,
        Moment.CLOSING,
        Moment.SOLD,
        Moment.SESSION_END,
    ]


@pytest.mark.parametrize(
    ("type_", "moment"), [("auction:cancelled", Moment.CANCELLED), ("auction:bid:voided", Moment.BID_VOIDED)]
)
def test_what_the_house_does_to_a_lot_is_told(type_: str, moment: Moment) -> None:
    assert moments(Watch(lot=LOT), Seen(id=uuid4(), type=type_, at=NOW, lot=LOT))[1] == [moment]


def test_people_are_greeted_once_when_the_show_is_on_air_before_the_first_lot() -> None:
    def happens(*types: str) -> list[Moment]:
        return moments(Watch(), *(Seen(id=uuid4(), type=one, at=NOW) for one in types))[1]

    greeted = [Moment.SESSION_START]
    assert happens("session:pre_auction", "stream:start", "session:auction") == greeted
    assert happens("stream:start", "session:pre_auction", "session:auction", "stream:start") == greeted
    assert happens("session:pre_auction", "session:auction") == greeted
    assert happens("stream:start", "session:pre_auction", "stream:end") == greeted
    assert happens("session:pre_auction") == []
    assert happens("stream:start", "session:pre_auction", "session:end", "session:pre_auction") == greeted * 2


def test_the_next_lot_is_announced_once_and_not_just_before_it_opens() -> None:
    (first, *_) = FACTS.upcoming
    facts = replace(FACTS, lot=None)

    def at(before: int, watch: Watch) -> tuple[Watch, list[Moment]]:
        now = first.starts_at - before
        found = tick(replace(watch, last_event_at=now, last_chatter_at=now), replace(facts, now=now), uuid4)
        return found[0], [one.moment for one in found[1]]

    session = Watch(in_session=True)
    assert at(NEXT_MS + 1, session)[1] == at(NEXT_MS_MIN - 1, session)[1] == at(NEXT_MS, Watch())[1] == []
    assert at(NEXT_MS_MIN, session)[1] == [Moment.LOT_NEXT]
    after, said = at(NEXT_MS, session)
    assert said == [Moment.LOT_NEXT]
    assert at(NEXT_MS - 1_000, after)[1] == []


def test_a_lot_that_found_no_buyer_is_passed() -> None:
    assert moments(Watch(lot=LOT), Seen(id=uuid4(), type="auction:end", at=NOW, lot=LOT, sold=False))[1] == [
        Moment.PASSED
    ]


def test_a_reopened_lot_is_on_the_wall_again() -> None:
    watch, said = moments(Watch(lot=EVE), Seen(id=uuid4(), type="auction:reopened", at=NOW, lot=LOT))
    assert said == [Moment.REOPENED]
    assert watch.lot == LOT


def test_events_of_another_lot_are_passed_over() -> None:
    watch = Watch(lot=EVE)
    assert moments(watch, bid(1, "1", None, "1.1"), Seen(id=uuid4(), type="auction:end", at=NOW, lot=LOT)) == (
        watch,
        [],
    )


def test_a_jump_begins_at_its_limit() -> None:
    watch = Watch(lot=LOT, next_valid=Decimal("1.1"))
    price = 1 + Decimal("0.1") * JUMP_STEPS_MIN
    assert moments(watch, bid(2, str(price), "1", "9"))[1] == [Moment.JUMP]
    assert moments(watch, bid(2, str(price - Decimal("0.01")), "1", "9"))[1] == [Moment.BID]


def test_a_war_needs_enough_bids_of_more_than_one_in_its_window() -> None:
    def bids(people: list[UUID], apart: int) -> list[Seen]:
        return [
            bid(n + 2, f"{n + 1}.1", f"{n + 1}", f"{n + 1}.2", who, NOW + n * apart) for n, who in enumerate(people)
        ]

    fast = WAR_WINDOW_MS // WAR_BIDS_MIN
    both = [ANA, BEA] * (WAR_BIDS_MIN // 2)
    assert moments(Watch(lot=LOT), *bids(both, fast))[1][-1] is Moment.WAR
    assert Moment.WAR not in moments(Watch(lot=LOT), *bids(both[:-1], fast))[1]
    assert Moment.WAR not in moments(Watch(lot=LOT), *bids([ANA] * WAR_BIDS_MIN, fast))[1]
    assert Moment.WAR not in moments(Watch(lot=LOT), *bids(both, WAR_WINDOW_MS))[1]


def test_not_every_bid_is_spoken_of() -> None:
    bids = [bid(n, f"1.{n}", f"1.{n - 1}", f"1.{n + 1}", at=NOW) for n in range(2, 8)]
    assert len(moments(Watch(lot=LOT), *bids, apart=BID_LINE_MS_MIN // 4)[1]) == 2


def test_a_sealed_bid_is_not_spoken_of() -> None:
    assert moments(Watch(lot=LOT), replace(bid(2, "1", None, "1"), price=None))[1] == []


def test_the_end_of_a_trouble_is_told_only_after_one() -> None:
    up, down = (Seen(id=uuid4(), type=f"stream:output:{which}", at=NOW) for which in ("up", "down"))
    assert moments(Watch(), up, down, up)[1] == [Moment.TROUBLE, Moment.RECOVERED]


def test_warnings_come_once_in_order_and_again_after_an_extension() -> None:
    watch, said = Watch(lot=LOT, last_event_at=NOW), []
    ends_at = NOW + SOFT_CLOSE_MS + 2_000
    for second in range(0, SOFT_CLOSE_MS + 2_000, 1_000):
        facts = replace(lot(ends_at=ends_at), now=NOW + second)
        watch, found = tick(watch, facts, uuid4)
        said += [(one.moment, ends_at - one.created_at) for one in found]
    assert said == [
        (Moment.SOFT_CLOSE, SOFT_CLOSE_MS),
        (Moment.FAIR_WARNING, FAIR_WARNING_MS),
        (Moment.LAST_CALL, LAST_CALL_MS),
    ]
    # a late bid moves the end: its own line says so, and only what comes again is said again
    ends_at += FAIR_WARNING_MS
    later, found = tick(watch, replace(lot(ends_at=ends_at), now=ends_at - FAIR_WARNING_MS), uuid4)
    assert found == ()
    assert [one.moment for one in tick(later, replace(lot(ends_at=ends_at), now=ends_at - LAST_CALL_MS), uuid4)[1]] == [
        Moment.LAST_CALL
    ]
    # an end that moved far enough has all its warnings
    much_later, _ = tick(watch, replace(lot(ends_at=ends_at + 600_000), now=ends_at), uuid4)
    facts = replace(lot(ends_at=ends_at + 600_000), now=ends_at + 600_000 - FAIR_WARNING_MS)
    assert [one.moment for one in tick(much_later, facts, uuid4)[1]] == [Moment.FAIR_WARNING]


def test_no_warning_is_given_of_a_lot_without_bids_or_that_is_paused() -> None:
    for facts in (lot(ends_at=NOW + 5_000, price=None), lot(ends_at=NOW + 5_000, status=LotStatus.PAUSED)):
        assert tick(Watch(lot=LOT, last_event_at=NOW), facts, uuid4)[1] == ()


def test_a_hush_is_broken_first_by_the_story_and_then_by_a_remark() -> None:
    watch = Watch(lot=LOT, last_event_at=LOT_FACTS.opens_at, last_chatter_at=LOT_FACTS.opens_at)
    facts = replace(FACTS, lot=replace(LOT_FACTS, ends_at=NOW + 10_000_000))
    assert tick(watch, replace(facts, now=LOT_FACTS.opens_at + STORY_MS - 1), uuid4)[1] == ()
    watch, found = tick(watch, replace(facts, now=LOT_FACTS.opens_at + STORY_MS), uuid4)
    assert [one.moment for one in found] == [Moment.STORY]
    assert tick(watch, replace(facts, now=LOT_FACTS.opens_at + STORY_MS + HUSH_MS - 1), uuid4)[1] == ()
    assert [
        one.moment for one in tick(watch, replace(facts, now=LOT_FACTS.opens_at + STORY_MS + HUSH_MS), uuid4)[1]
    ] == [Moment.HUSH]


def test_between_lots_the_schedule_is_told_now_and_then() -> None:
    facts = replace(FACTS, lot=None)
    watch = Watch(last_event_at=NOW - CHATTER_MS + 1)
    assert tick(watch, facts, uuid4)[1] == ()
    _, found = tick(watch, replace(facts, now=NOW + 1), uuid4)
    assert [one.moment for one in found] == [Moment.SCHEDULE]
    _, found = tick(watch, replace(facts, now=NOW + 1, upcoming=(), next_session_at=None), uuid4)
    assert [one.moment for one in found] == [Moment.CHATTER]


def test_an_event_of_the_log_gives_what_is_public_and_nothing_else() -> None:
    data = {"reserve": "4.2", "salt": "0" * 64}
    event = parse_event(
        {
            "id": str(uuid4()),
            "timestamp": NOW,
            "type": "auction:reserve:met",
            "source": "auction-engine",
            "subject": f"auction:{LOT}",
            "data": data,
        }
    )
    found = seen(event)
    assert found.lot == LOT
    assert "4.2" not in repr(found)


# --- manners


def test_an_opt_out_is_confirmed_once_and_kept_until_they_speak_to_the_host_again() -> None:
    host = Manners()
    first = host.receive("don't answer me", EVE, NOW)
    assert (first.silence, first.understood.ask, first.left_alone) == (None, Wish.OPT_OUT, True)
    for text in ("what is the price?", "stop replying to me"):
        found = host.receive(text, EVE, NOW, left_alone=True)
        assert (found.silence, found.left_alone) == (Silence.OPTED_OUT, True)
    assert host.receive("what is the price?", ANA, NOW).silence is None
    found = host.receive("Sable, what is the price?", EVE, NOW, left_alone=True, by_name=True)
    assert (found.silence, found.left_alone) == (None, False)


@pytest.mark.parametrize("text", ["see evil-mint.xyz", "a\u200bb", "", "x" * 10_000 + " see evil-mint.xyz"])
def test_what_a_room_refuses_is_not_answered_and_reaches_nobody(text: str) -> None:
    found = Manners().receive(text, EVE, NOW)
    if len(text) < 1_000:
        assert (found.text, found.silence) == ("", Silence.REFUSED)
    assert "evil" not in found.text


def test_a_curse_at_the_host_is_answered_and_not_passed_on() -> None:
    found = Manners().receive("fuck you, bird", EVE, NOW)
    assert (found.text, found.silence, found.understood.ask) == ("", None, Wish.ABUSE)


def test_one_person_is_answered_so_often_and_no_more() -> None:
    host = Manners()
    found = [host.receive("what is the price?", EVE, NOW).silence for _ in range(ANSWERS_PER_PERSON_MAX + 1)]
    assert found == [None] * ANSWERS_PER_PERSON_MAX + [Silence.TOO_OFTEN]
    assert host.receive("what is the price?", EVE, NOW + PERSON_WINDOW_MS - 1).silence is Silence.TOO_OFTEN
    assert host.receive("what is the price?", EVE, NOW + PERSON_WINDOW_MS).silence is None


def test_the_room_is_answered_so_often_and_no_more() -> None:
    host, new_id = Manners(), ids()
    found = [host.receive("hello", new_id(), NOW).silence for _ in range(ANSWERS_MAX + 1)]
    assert found == [None] * ANSWERS_MAX + [Silence.BUSY]


def test_no_more_people_are_remembered_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manners, "PEOPLE_MAX", 3)
    monkeypatch.setattr(manners, "ANSWERS_PER_PERSON_MAX", 1)
    host, new_id = Manners(), ids()
    people = [new_id() for _ in range(4)]
    for person in people:
        assert host.receive("hello", person, NOW).silence is None
    assert [host.receive("hello", person, NOW).silence for person in people[1:]] == [Silence.TOO_OFTEN] * 3
    # the first was forgotten, and is a new guest
    assert host.receive("hello", people[0], NOW).silence is None
