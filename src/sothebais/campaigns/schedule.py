"""From dates, a time zone and daily times to instants. Pure.

A wall-clock time becomes the first instant at which that day's clock shows it or a later time. That one sentence
covers the days with a change: a time inside the gap of spring is the first instant after the gap, an ambiguous time
of autumn is its first occurrence, and a later time never comes out earlier.
"""

import difflib
import re
import zoneinfo
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from sothebais.campaigns.model import DAYS_MAX, LOTS_MAX, Daily, PlannedDay, Slot
from sothebais.errors import InvalidInput
from sothebais.instants import Millis, from_datetime, to_datetime

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
#: No length in a campaign is longer than this.
LENGTH_MS_MAX = 31 * DAY_MS
YEAR_MIN, YEAR_MAX = 2000, 2200

_LENGTH = re.compile(
    r"(?:([0-9]{1,9})h)?\s*(?:([0-9]{1,9})m(?!s))?\s*(?:([0-9]{1,9})s)?\s*(?:([0-9]{1,9})ms)?", re.ASCII
)
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?", re.ASCII)


def parse_length(value: object, *, name: str = "length", at_least: Millis = 0) -> Millis:
    """Milliseconds of ``"2m"``, ``"90s"``, ``"1h30m"``, ``"250ms"`` or plain seconds; else InvalidInput names the field."""
    if isinstance(value, int) and not isinstance(value, bool):
        length = value * SECOND_MS
    elif isinstance(value, str) and _SECONDS.fullmatch(value):
        length = int(value) * SECOND_MS
    elif isinstance(value, str) and value and (match := _LENGTH.fullmatch(value.strip())) and any(match.groups()):
        hours, minutes, seconds, milliseconds = (int(part or 0) for part in match.groups())
        length = hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS + milliseconds
    else:
        raise InvalidInput(f"{name}: a length looks like 2m, 90s, 1h30m or 45 (seconds).", field=name)
    if length < at_least:
        raise InvalidInput(f"{name}: must be at least {format_length(at_least)}.", field=name)
    if length > LENGTH_MS_MAX:
        raise InvalidInput(f"{name}: must be at most {format_length(LENGTH_MS_MAX)}.", field=name)
    return length


def format_length(length: Millis) -> str:
    """The shortest text that ``parse_length`` reads as this length: ``"1h30m"``."""
    parts = []
    for unit, size in (("h", HOUR_MS), ("m", MINUTE_MS), ("s", SECOND_MS), ("ms", 1)):
        count, length = divmod(length, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_time(value: object, *, name: str = "time") -> time:
    """A time of day, ``"18:15"`` or ``"18:15:30"``; else InvalidInput names the field."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        hour, minute, second = (int(part or 0) for part in match.groups())
        if hour < 24 and minute < 60 and second < 60:
            return time(hour, minute, second)
    raise InvalidInput(f'{name}: a time of day looks like "18:15".', field=name)


def parse_date(value: object, *, name: str = "date") -> date:
    """A date, ``2026-03-28``; else InvalidInput names the field."""
    if isinstance(value, str) and len(value) == 10:
        try:
            parsed = date.fromisoformat(value)
        except ValueError:
            pass  # said below, with what a date looks like
        else:
            if YEAR_MIN <= parsed.year < YEAR_MAX:
                return parsed
    raise InvalidInput(f"{name}: a date looks like 2026-03-28.", field=name)


def find_zone(key: object, *, name: str = "time_zone") -> zoneinfo.ZoneInfo:
    """The time zone of its IANA name; else InvalidInput, with the nearest name that exists."""
    if isinstance(key, str) and key:
        try:
            return zoneinfo.ZoneInfo(key)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            pass  # an unknown name, a path, a folder of zones: all the same answer
    near = difflib.get_close_matches(str(key)[:60], sorted(zoneinfo.available_timezones()), 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise InvalidInput(f"{name}: {str(key)[:60]!r} is not a time zone such as Europe/Berlin.{hint}", field=name)


def instant(on: date, at: time, zone: zoneinfo.ZoneInfo) -> Millis:
    """The first instant at which the clock of ``zone`` shows ``at`` of that date, or a later time."""
    wall = datetime.combine(on, at)
    # fold=0 is the offset before a change: the first of two occurrences, or past the end of a gap
    guess = wall.replace(tzinfo=zone).astimezone(UTC)
    if guess.astimezone(zone).replace(tzinfo=None) == wall:
        return from_datetime(guess)
    return from_datetime(_end_of_gap(wall, zone, guess))


def _end_of_gap(wall: datetime, zone: zoneinfo.ZoneInfo, after: datetime) -> datetime:
    """The change whose gap ``wall`` lies in, found between two instants around it, to the second."""
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    old = before.astimezone(zone).utcoffset()
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (before + timedelta(seconds=middle)).astimezone(zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    return before + timedelta(seconds=high)


def dates_between(start: date, end: date, *, name: str = "dates") -> tuple[date, ...]:
    """Every date from ``start`` to ``end``, both included. Raises InvalidInput for none or too many."""
    if end < start:
        raise InvalidInput(f"{name}.end: must not be before {name}.start.", field=f"{name}.end")
    count = (end - start).days + 1
    if count > DAYS_MAX:
        raise InvalidInput(f"{name}: {count} days; a campaign has {DAYS_MAX} at most.", field=name)
    return tuple(start + timedelta(days=i) for i in range(count))


def plan_days(dates: Sequence[date], zone: zoneinfo.ZoneInfo, daily: Daily) -> tuple[PlannedDay, ...]:
    """The days of a campaign with their stages and slots. Raises InvalidInput, naming the field, if they do not fit."""
    _check(dates, daily)
    openings = [_opening(on, zone, daily) for on in dates]
    for (earlier, (before, _)), (later, (pre, _)) in pairwise(zip(dates, openings, strict=True)):
        if pre <= before:  # a zone that skipped a whole date
            raise InvalidInput(f"dates: {earlier} and {later} would begin at the same moment.", field="dates")
    days = []
    for index, (on, (pre, opens)) in enumerate(zip(dates, openings, strict=True)):
        limit, what = pre + DAY_MS, "a day has passed"
        if index + 1 < len(dates):
            limit, what = min((limit, what), (openings[index + 1][0], f"the next day begins ({dates[index + 1]})"))
        if daily.until is not None:
            until = _next(on, daily.until, zone, after=opens, wall_after=_auction_wall(on, daily))
            limit, what = min((limit, what), (until, f"daily.until ({daily.until:%H:%M})"))
        slots = _slots(opens, daily, first=1 + index * daily.lots_per_day)
        closes = slots[-1].ends_at
        if closes + daily.post_auction > limit:
            fit = _fitting(limit - daily.post_auction - opens, daily)
            raise InvalidInput(
                f"daily.lots_per_day: {daily.lots_per_day} lots of {format_length(daily.lot_duration)} with a gap of"
                f" {format_length(daily.gap)} do not fit on {on} before {what}; {fit} fit.",
                field="daily.lots_per_day",
                fit=fit,
            )
        days.append(
            PlannedDay(
                number=index + 1,
                date=on,
                pre_auction_at=pre,
                auction_at=opens,
                post_auction_at=closes,
                ends_at=closes + daily.post_auction,
                slots=slots,
            )
        )
    return tuple(days)


def immediate(
    now: Millis, *, pre_auction_ms: Millis, lot_ms: Millis, gap_ms: Millis, lots: int, post_ms: Millis
) -> tuple[PlannedDay, ...]:
    """One day that begins at ``now``, without a wall clock: for demos and rehearsals."""
    if min(pre_auction_ms, lot_ms, post_ms) <= 0 or gap_ms < 0 or not 0 < lots <= LOTS_MAX:
        raise InvalidInput("Every stage and lot needs a length, and a day at least one lot.", field="daily")
    opens = now + pre_auction_ms
    slots = _cut(opens, lot_ms, gap_ms, lots, first=1)
    closes = slots[-1].ends_at
    day = PlannedDay(
        number=1,
        date=to_datetime(now).date(),
        pre_auction_at=now,
        auction_at=opens,
        post_auction_at=closes,
        ends_at=closes + post_ms,
        slots=slots,
    )
    return (day,)


def _check(dates: Sequence[date], daily: Daily) -> None:
    if not dates:
        raise InvalidInput("dates: a campaign needs at least one day.", field="dates")
    if any(later <= earlier for earlier, later in pairwise(dates)):
        raise InvalidInput("dates: must be in order, none of them twice.", field="dates")
    if len(dates) > DAYS_MAX:
        raise InvalidInput(f"dates: {len(dates)} days; a campaign has {DAYS_MAX} at most.", field="dates")
    if daily.lots_per_day < 1:
        raise InvalidInput("daily.lots_per_day: must be at least 1.", field="daily.lots_per_day")
    if daily.lots_per_day * len(dates) > LOTS_MAX:
        raise InvalidInput(
            f"daily.lots_per_day: {daily.lots_per_day * len(dates)} lots in all; a campaign has {LOTS_MAX} at most.",
            field="daily.lots_per_day",
        )
    if daily.auction == daily.pre_auction:
        raise InvalidInput("daily.auction: must be later than daily.pre_auction.", field="daily.auction")
    for name, length, least in (
        ("lot_duration", daily.lot_duration, 1),
        ("gap", daily.gap, 0),
        ("post_auction", daily.post_auction, 1),
    ):
        if length < least:
            raise InvalidInput(f"daily.{name}: must be at least {format_length(least)}.", field=f"daily.{name}")


def _opening(on: date, zone: zoneinfo.ZoneInfo, daily: Daily) -> tuple[Millis, Millis]:
    """When a day's pre-auction and its auction begin."""
    pre = instant(on, daily.pre_auction, zone)
    opens = _next(on, daily.auction, zone, after=pre, wall_after=datetime.combine(on, daily.pre_auction))
    return pre, opens


def _auction_wall(on: date, daily: Daily) -> datetime:
    return _wall(on, daily.auction, datetime.combine(on, daily.pre_auction))


def _wall(on: date, at: time, after: datetime) -> datetime:
    """The first reading ``at`` of the wall clock later than ``after``."""
    wall = datetime.combine(on, at)
    while wall <= after:
        wall += timedelta(days=1)
    return wall


def _next(on: date, at: time, zone: zoneinfo.ZoneInfo, *, after: Millis, wall_after: datetime) -> Millis:
    """The instant of the next ``at`` on the wall clock; never before ``after`` nor at it.

    Both can fall into the same gap of spring and come out at its end; then the second keeps its distance.
    """
    wall = _wall(on, at, wall_after)
    moment = instant(wall.date(), wall.time(), zone)
    if moment > after:
        return moment
    return after + (wall - wall_after) // timedelta(milliseconds=1)


def _slots(opens: Millis, daily: Daily, *, first: int) -> tuple[Slot, ...]:
    return _cut(opens, daily.lot_duration, daily.gap, daily.lots_per_day, first=first)


def _cut(opens: Millis, lot: Millis, gap: Millis, lots: int, *, first: int) -> tuple[Slot, ...]:
    starts = (opens + i * (lot + gap) for i in range(lots))
    return tuple(Slot(first + i, start, start + lot) for i, start in enumerate(starts))


def _fitting(room: Millis, daily: Daily) -> int:
    # the last lot needs no gap after it
    return max(0, (room + daily.gap) // (daily.lot_duration + daily.gap))
