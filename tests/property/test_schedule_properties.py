"""Schedules in every time zone, 2024 to 2030: nothing inverts, collapses, opens twice or never."""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sothebais.campaigns import schedule
from sothebais.campaigns.model import Daily, PlannedDay
from sothebais.errors import InvalidInput
from sothebais.instants import to_datetime

ZONES = sorted(zoneinfo.available_timezones() - {"localtime", "posixrules", "Factory"})
FIRST, LAST = date(2024, 1, 1), date(2030, 12, 31)
MILLISECOND = timedelta(milliseconds=1)


def changes_of(zone: zoneinfo.ZoneInfo) -> list[date]:
    """The dates of 2024 to 2030 on which this zone's clocks change."""
    noons = [datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=i) for i in range((LAST - FIRST).days + 1)]
    offsets = [noon.astimezone(zone).utcoffset() for noon in noons]
    return [
        noon.date() for noon, before, after in zip(noons[1:], offsets, offsets[1:], strict=False) if before != after
    ]


CHANGES: dict[str, list[date]] = {}


@st.composite
def zones_and_dates(draw: st.DrawFn) -> tuple[zoneinfo.ZoneInfo, date]:
    """A zone and a date, half of them around a change of its clocks."""
    key = draw(st.sampled_from(ZONES))
    zone = zoneinfo.ZoneInfo(key)
    if key not in CHANGES:
        CHANGES[key] = changes_of(zone)
    if CHANGES[key] and draw(st.booleans()):
        return zone, draw(st.sampled_from(CHANGES[key])) + timedelta(days=draw(st.integers(-2, 1)))
    return zone, draw(st.dates(FIRST, LAST))


#: Half of them at night, when clocks change.
TIMES = st.one_of(
    st.times().map(lambda at: at.replace(fold=0)), st.builds(time, st.integers(0, 3), st.integers(0, 59))
).map(lambda at: at.replace(microsecond=0, tzinfo=None))


def local(at: int, zone: zoneinfo.ZoneInfo) -> datetime:
    return to_datetime(at).astimezone(zone).replace(tzinfo=None)


@given(zones_and_dates(), TIMES)
@settings(max_examples=400, deadline=None)
def test_an_instant_is_the_first_that_shows_the_time_or_a_later_one(
    where: tuple[zoneinfo.ZoneInfo, date], at: time
) -> None:
    zone, on = where
    wall = datetime.combine(on, at)
    moment = schedule.instant(on, at, zone)
    assert local(moment, zone) >= wall
    # no earlier instant shows it: looked for as far back as any change of clocks reaches
    for back in (1, 1_000, 60_000, 29 * 60_000, 30 * 60_000, 59 * 60_000, 60 * 60_000, 90 * 60_000, 120 * 60_000):
        assert local(moment - back, zone) < wall
    if local(moment, zone) != wall:  # a gap: the clock jumps over the time at this very instant
        assert to_datetime(moment).astimezone(zone).utcoffset() != to_datetime(moment - 1).astimezone(zone).utcoffset()


@given(zones_and_dates(), TIMES, TIMES)
@settings(max_examples=200, deadline=None)
def test_a_later_time_never_comes_out_earlier(where: tuple[zoneinfo.ZoneInfo, date], one: time, other: time) -> None:
    zone, on = where
    early, late = sorted([one, other])
    assert schedule.instant(on, early, zone) <= schedule.instant(on, late, zone)
    assert schedule.instant(on, late, zone) <= schedule.instant(on + timedelta(days=1), early, zone)


@st.composite
def plans(draw: st.DrawFn) -> tuple[zoneinfo.ZoneInfo, tuple[date, ...], Daily]:
    zone, start = draw(zones_and_dates())
    dates = schedule.dates_between(start, start + timedelta(days=draw(st.integers(0, 4))))
    pre, opens = draw(TIMES), draw(TIMES)
    assume(pre != opens)
    daily = Daily(
        pre_auction=pre,
        auction=opens,
        lot_duration=draw(st.integers(1, 600_000)),
        gap=draw(st.integers(0, 60_000)),
        lots_per_day=draw(st.integers(1, 30)),
        post_auction=draw(st.integers(1, 600_000)),
        until=draw(st.none() | TIMES),
    )
    return zone, dates, daily


@given(plans())
@settings(max_examples=400, deadline=None)
def test_every_day_is_there_once_in_order_and_as_long_as_planned(
    given_plan: tuple[zoneinfo.ZoneInfo, tuple[date, ...], Daily],
) -> None:
    zone, dates, daily = given_plan
    try:
        days = schedule.plan_days(dates, zone, daily)
    except InvalidInput as error:
        fit = error.fields["fit"]
        assert 0 <= fit < daily.lots_per_day
        return
    assert [day.date for day in days] == list(dates)
    for day in days:
        check_day(day, zone, daily)
    for before, after in pairwise(days):
        assert before.ends_at <= after.pre_auction_at
    numbers = [slot.number for day in days for slot in day.slots]
    assert numbers == list(range(1, len(dates) * daily.lots_per_day + 1))


def check_day(day: PlannedDay, zone: zoneinfo.ZoneInfo, daily: Daily) -> None:
    assert day.pre_auction_at < day.auction_at < day.post_auction_at < day.ends_at
    assert day.ends_at <= day.pre_auction_at + schedule.DAY_MS
    assert day.auction_at == day.slots[0].starts_at
    assert day.post_auction_at == day.slots[-1].ends_at
    assert day.ends_at - day.post_auction_at == daily.post_auction
    for slot in day.slots:
        assert slot.ends_at - slot.starts_at == daily.lot_duration
    for one, following in pairwise(day.slots):
        assert following.starts_at - one.ends_at == daily.gap
    pre_wall = datetime.combine(day.date, daily.pre_auction)
    if schedule.instant(pre_wall.date(), pre_wall.time(), zone) == day.pre_auction_at:
        shown = local(day.pre_auction_at, zone)
        assert shown >= pre_wall
        if shown == pre_wall:
            assert shown.time() == daily.pre_auction
    opens = local(day.auction_at, zone)
    was = to_datetime(day.pre_auction_at).astimezone(zone).utcoffset()
    if was == to_datetime(day.auction_at).astimezone(zone).utcoffset() and local(day.pre_auction_at, zone) == pre_wall:
        assert opens.time() == daily.auction  # no change of clocks between them: the wall clock shows the time


@given(plans())
@settings(max_examples=150, deadline=None)
def test_exactly_as_many_lots_fit_as_the_refusal_says(
    given_plan: tuple[zoneinfo.ZoneInfo, tuple[date, ...], Daily],
) -> None:
    zone, dates, daily = given_plan
    crowded = Daily(**{name: getattr(daily, name) for name in daily.__struct_fields__} | {"lots_per_day": 200})
    on = dates[:1]
    try:
        schedule.plan_days(on, zone, crowded)
    except InvalidInput as error:
        fit = error.fields["fit"]
    else:
        return
    names = daily.__struct_fields__
    if fit:
        fitting = Daily(**{name: getattr(daily, name) for name in names} | {"lots_per_day": fit})
        assert len(schedule.plan_days(on, zone, fitting)[0].slots) == fit
    with pytest.raises(InvalidInput, match=f" {fit} fit"):
        schedule.plan_days(
            on, zone, Daily(**{name: getattr(daily, name) for name in names} | {"lots_per_day": fit + 1})
        )


@given(st.integers(0, schedule.LENGTH_MS_MAX))
def test_a_length_is_read_back_as_it_was_written(length: int) -> None:
    assert schedule.parse_length(schedule.format_length(length)) == length
