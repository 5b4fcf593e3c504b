"""Days, stages and slots as instants: worked examples; ``test_schedule_properties`` has the general truths."""

from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from msgspec.structs import replace

from sothebais.campaigns import model, schedule
from sothebais.campaigns.model import (
    CAMPAIGN_TRANSITIONS,
    DAY_OVER,
    DAY_TRANSITIONS,
    NEXT_DAY_STEP,
    RUNNING,
    UNFINISHED,
    CampaignStatus,
    CampaignStep,
    Daily,
    DayStatus,
    DayStep,
)
from sothebais.errors import IllegalTransition, InvalidInput
from sothebais.instants import from_datetime, isoformat

BERLIN = schedule.find_zone("Europe/Berlin")
MINUTE = schedule.MINUTE_MS
#: Berlin: 02:00 becomes 03:00.
SPRING = date(2026, 3, 29)
#: Berlin: 03:00 becomes 02:00.
AUTUMN = date(2026, 10, 25)
DAILY = Daily(
    pre_auction=time(18),
    auction=time(18, 15),
    lot_duration=2 * MINUTE,
    gap=30_000,
    lots_per_day=3,
    post_auction=10 * MINUTE,
)


def utc(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


def plan(*dates: date, zone: str = "Europe/Berlin", **changes: Any) -> tuple[model.PlannedDay, ...]:
    return schedule.plan_days(dates, schedule.find_zone(zone), replace(DAILY, **changes))


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("2m", 120_000),
        ("90s", 90_000),
        ("1h30m", 5_400_000),
        ("1h 30m", 5_400_000),
        ("1h0m5s", 3_605_000),
        ("250ms", 250),
        ("1s250ms", 1_250),
        ("0s", 0),
        ("45", 45_000),
        (45, 45_000),
        (0, 0),
    ],
)
def test_lengths_are_read_as_people_write_them(text: object, length: int) -> None:
    assert schedule.parse_length(text) == length


@pytest.mark.parametrize(
    "text",
    ["", " ", "2", "m", "2 minutes", "1.5m", "-2m", "2m1h", "١m", "2M", "1e3", True, None, 1.5, [], "9" * 10, "99999h"],
)
def test_anything_else_is_no_length_and_the_field_is_named(text: object) -> None:
    if text == "2":
        assert schedule.parse_length(text) == 2_000
        return
    with pytest.raises(InvalidInput, match=r"daily\.gap"):
        schedule.parse_length(text, name="daily.gap")


@pytest.mark.parametrize("length", [0, 1, 999, 1_000, 61_000, 3_600_000, 5_400_250, 90_061_001])
def test_a_length_is_read_back_as_it_was_written(length: int) -> None:
    assert schedule.parse_length(schedule.format_length(length)) == length


def test_a_length_below_its_least_is_refused_with_the_least() -> None:
    with pytest.raises(InvalidInput, match="at least 1s"):
        schedule.parse_length("0s", at_least=1_000)


@pytest.mark.parametrize("text", ["24:00", "7:60", "7", "", "18.15", 1095, None, "18:15:60", "٧:30", "+7:30"])
def test_what_is_no_time_of_day_is_refused(text: object) -> None:
    with pytest.raises(InvalidInput, match=r"daily\.auction: .*18:15"):
        schedule.parse_time(text, name="daily.auction")


@pytest.mark.parametrize("text", ["2026-02-30", "26-03-28", "28.03.2026", "20260328", "1999-01-01", "2200-01-01", 5])
def test_what_is_no_date_is_refused(text: object) -> None:
    with pytest.raises(InvalidInput, match=r"dates\.start: .*2026-03-28"):
        schedule.parse_date(text, name="dates.start")


@pytest.mark.parametrize("key", ["Europe/Berln", "", "../etc/passwd", "/etc/passwd", "Europe", None, "x" * 500, "a\0b"])
def test_an_unknown_zone_is_refused(key: object) -> None:
    with pytest.raises(InvalidInput, match="time_zone"):
        schedule.find_zone(key)


def test_a_misspelt_zone_gets_the_nearest_name() -> None:
    with pytest.raises(InvalidInput, match="Did you mean Europe/Berlin"):
        schedule.find_zone("Europe/Berln")


@pytest.mark.parametrize(
    ("on", "at", "zone", "expected"),
    [
        pytest.param(date(2026, 1, 5), "18:00", "Europe/Berlin", "2026-01-05T17:00", id="winter"),
        pytest.param(date(2026, 7, 5), "18:00", "Europe/Berlin", "2026-07-05T16:00", id="summer"),
        pytest.param(SPRING, "18:00", "Europe/Berlin", "2026-03-29T16:00", id="evening of the change"),
        pytest.param(SPRING, "01:59:59", "Europe/Berlin", "2026-03-29T00:59:59", id="last second before the gap"),
        pytest.param(SPRING, "02:00", "Europe/Berlin", "2026-03-29T01:00", id="first of the gap"),
        pytest.param(SPRING, "02:59:59", "Europe/Berlin", "2026-03-29T01:00", id="last of the gap"),
        pytest.param(SPRING, "03:00", "Europe/Berlin", "2026-03-29T01:00", id="first after the gap"),
        pytest.param(AUTUMN, "02:00", "Europe/Berlin", "2026-10-25T00:00", id="ambiguous: the first"),
        pytest.param(AUTUMN, "02:59:59", "Europe/Berlin", "2026-10-25T00:59:59", id="ambiguous: still the first"),
        pytest.param(AUTUMN, "03:00", "Europe/Berlin", "2026-10-25T02:00", id="after both"),
        pytest.param(date(2026, 10, 4), "02:15", "Australia/Lord_Howe", "2026-10-03T15:30", id="a gap of 30 minutes"),
        pytest.param(date(2026, 4, 5), "01:45", "Australia/Lord_Howe", "2026-04-04T14:45", id="half an hour twice"),
        pytest.param(date(2026, 9, 6), "00:30", "America/Santiago", "2026-09-06T04:00", id="a gap at midnight"),
        pytest.param(date(2011, 12, 30), "12:00", "Pacific/Apia", "2011-12-30T10:00", id="a date that never was"),
        pytest.param(date(2026, 3, 29), "18:00", "Asia/Kathmandu", "2026-03-29T12:15", id="an odd offset"),
    ],
)
def test_wall_clock_times_become_instants(on: date, at: str, zone: str, expected: str) -> None:
    assert isoformat(schedule.instant(on, time.fromisoformat(at), schedule.find_zone(zone)))[:19] == (
        expected if len(expected) == 19 else expected + ":00"
    )


def test_a_day_has_its_stages_and_slots() -> None:
    (day,) = plan(date(2026, 1, 5))
    assert day == model.PlannedDay(
        number=1,
        date=date(2026, 1, 5),
        pre_auction_at=utc("2026-01-05T17:00"),
        auction_at=utc("2026-01-05T17:15"),
        post_auction_at=utc("2026-01-05T17:22"),
        ends_at=utc("2026-01-05T17:32"),
        slots=(
            model.Slot(1, utc("2026-01-05T17:15:00"), utc("2026-01-05T17:17:00")),
            model.Slot(2, utc("2026-01-05T17:17:30"), utc("2026-01-05T17:19:30")),
            model.Slot(3, utc("2026-01-05T17:20:00"), utc("2026-01-05T17:22:00")),
        ),
    )


def test_lots_are_numbered_through_the_campaign() -> None:
    days = plan(*schedule.dates_between(date(2026, 1, 5), date(2026, 1, 7)))
    assert [slot.number for day in days for slot in day.slots] == list(range(1, 10))
    assert [day.number for day in days] == [1, 2, 3]


def test_days_on_both_sides_of_a_change_begin_at_the_same_time_of_day() -> None:
    days = plan(*schedule.dates_between(date(2026, 3, 28), date(2026, 3, 30)))
    assert [isoformat(day.pre_auction_at)[:16] for day in days] == [
        "2026-03-28T17:00",
        "2026-03-29T16:00",
        "2026-03-30T16:00",
    ]


def test_stages_that_fall_into_one_gap_keep_their_distance() -> None:
    (day,) = plan(SPRING, pre_auction=time(2), auction=time(2, 30))
    assert isoformat(day.pre_auction_at) == "2026-03-29T01:00:00.000Z"
    assert day.auction_at - day.pre_auction_at == 30 * MINUTE


def test_a_day_may_cross_midnight() -> None:
    (day,) = plan(date(2026, 1, 5), pre_auction=time(23, 45), auction=time(0, 10), until=time(1))
    assert isoformat(day.pre_auction_at) == "2026-01-05T22:45:00.000Z"
    assert isoformat(day.auction_at) == "2026-01-05T23:10:00.000Z"
    assert day.ends_at <= utc("2026-01-06T00:00")


def test_the_last_lot_may_end_exactly_at_the_limit() -> None:
    # 3 lots, 2 gaps and 10 minutes after them: 17 minutes
    (day,) = plan(date(2026, 1, 5), until=time(18, 32))
    assert isoformat(day.ends_at) == "2026-01-05T17:32:00.000Z"
    with pytest.raises(InvalidInput, match=r"daily\.lots_per_day: .*until \(18:31\); 2 fit"):
        plan(date(2026, 1, 5), until=time(18, 31))


@pytest.mark.parametrize(
    ("changes", "fit"),
    [
        ({"until": time(18, 20)}, 0),
        ({"until": time(18, 27)}, 1),
        ({"lots_per_day": 333}, None),
        ({"lots_per_day": 400, "lot_duration": 10 * MINUTE}, 134),
        ({"lots_per_day": 2, "lot_duration": 24 * 60 * MINUTE}, 0),
    ],
)
def test_lots_that_do_not_fit_are_refused_with_how_many_would(changes: dict[str, Any], fit: int | None) -> None:
    dates = (date(2026, 1, 5), date(2026, 1, 6))
    if fit is None:
        assert len(plan(*dates, **changes)[1].slots) == 333
        return
    with pytest.raises(InvalidInput) as caught:
        plan(*dates, **changes)
    assert caught.value.fields["field"] == "daily.lots_per_day"
    assert caught.value.fields["fit"] == fit
    assert f"{fit} fit." in caught.value.message
    assert "2026-01-05" in caught.value.message
    if fit:
        plan(*dates, **(changes | {"lots_per_day": fit}))


def test_the_day_that_loses_an_hour_is_the_one_that_is_named() -> None:
    night = {"pre_auction": time(1), "auction": time(1, 30), "until": time(4), "lot_duration": 10 * MINUTE, "gap": 0}
    fits = plan(date(2026, 3, 28), date(2026, 3, 30), lots_per_day=10, **night)
    assert [len(day.slots) for day in fits] == [10, 10]
    with pytest.raises(InvalidInput, match=r"2026-03-29 before .*; 8 fit"):
        plan(date(2026, 3, 28), SPRING, date(2026, 3, 30), lots_per_day=10, **night)


@pytest.mark.parametrize(
    ("dates", "changes", "field"),
    [
        ((), {}, "dates"),
        ((date(2026, 1, 6), date(2026, 1, 5)), {}, "dates"),
        ((date(2026, 1, 5), date(2026, 1, 5)), {}, "dates"),
        ((date(2026, 1, 5),), {"lots_per_day": 0}, "daily.lots_per_day"),
        ((date(2026, 1, 5), date(2026, 1, 6)), {"lots_per_day": 501}, "daily.lots_per_day"),
        ((date(2026, 1, 5),), {"auction": time(18)}, "daily.auction"),
        ((date(2026, 1, 5),), {"lot_duration": 0}, "daily.lot_duration"),
        ((date(2026, 1, 5),), {"gap": -1}, "daily.gap"),
        ((date(2026, 1, 5),), {"post_auction": 0}, "daily.post_auction"),
    ],
)
def test_a_plan_that_cannot_be_held_names_its_field(
    dates: tuple[date, ...], changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        plan(*dates, **changes)
    assert caught.value.fields["field"] == field
    assert field in caught.value.message


def test_a_campaign_that_never_ends_is_refused() -> None:
    with pytest.raises(InvalidInput, match="366 at most"):
        schedule.dates_between(date(2026, 1, 1), date(2027, 1, 2))
    with pytest.raises(InvalidInput, match=r"dates\.end"):
        schedule.dates_between(date(2026, 1, 2), date(2026, 1, 1))
    assert len(schedule.dates_between(date(2026, 1, 1), date(2026, 1, 1))) == 1


def test_two_days_that_a_zone_made_one_are_refused() -> None:
    with pytest.raises(InvalidInput, match="dates: 2011-12-30 and 2011-12-31"):
        plan(date(2011, 12, 30), date(2011, 12, 31), zone="Pacific/Apia", pre_auction=time(0), auction=time(0, 15))


def test_a_demo_day_begins_now_and_needs_no_clock_on_the_wall() -> None:
    now = utc("2026-01-05T17:00:00") + 250
    (day,) = schedule.immediate(now, pre_auction_ms=1_000, lot_ms=3_000, gap_ms=500, lots=2, post_ms=700)
    assert (day.pre_auction_at, day.auction_at) == (now, now + 1_000)
    assert [(slot.number, slot.starts_at - now, slot.ends_at - now) for slot in day.slots] == [
        (1, 1_000, 4_000),
        (2, 4_500, 7_500),
    ]
    assert (day.post_auction_at - now, day.ends_at - now) == (7_500, 8_200)
    for wrong in ({"lots": 0}, {"lot_ms": 0}, {"gap_ms": -1}, {"post_ms": 0}, {"pre_auction_ms": 0}, {"lots": 1_001}):
        with pytest.raises(InvalidInput):
            schedule.immediate(
                now, **({"pre_auction_ms": 1, "lot_ms": 1, "gap_ms": 0, "lots": 1, "post_ms": 1} | wrong)
            )


C, CS, D, DS = CampaignStatus, CampaignStep, DayStatus, DayStep


def test_the_campaign_lifecycle_is_the_designs() -> None:
    assert {
        (C.DRAFT, CS.SCHEDULE): C.SCHEDULED,
        (C.SCHEDULED, CS.START): C.ACTIVE,
        (C.ACTIVE, CS.COMPLETE): C.COMPLETED,
        **{(status, CS.CANCEL): C.CANCELLED for status in (C.DRAFT, C.SCHEDULED, C.ACTIVE)},
    } == CAMPAIGN_TRANSITIONS
    assert {C.SCHEDULED, C.ACTIVE} == RUNNING
    assert {C.DRAFT, C.SCHEDULED, C.ACTIVE} == UNFINISHED
    for status in C:
        for step in CS:
            if (status, step) not in CAMPAIGN_TRANSITIONS:
                with pytest.raises(IllegalTransition, match=str(status)):
                    model.after_campaign(status, step)


def test_the_day_lifecycle_is_the_designs() -> None:
    order = [D.SCHEDULED, D.PRE_AUCTION, D.AUCTION, D.POST_AUCTION, D.COMPLETED]
    status = D.SCHEDULED
    walked = [status]
    while status not in DAY_OVER:
        assert model.after_day(status, DS.CANCEL) is D.CANCELLED
        status = model.after_day(status, NEXT_DAY_STEP[status])
        walked.append(status)
    assert walked == order
    assert len(DAY_TRANSITIONS) == 8
    for status in DAY_OVER:
        for step in DS:
            with pytest.raises(IllegalTransition, match=str(step)):
                model.after_day(status, step)
