"""Quiet hours: from a wall time to another in a person's zone, over midnight and over changes of the clock. Pure."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sothebais.instants import Millis, from_datetime, to_datetime

#: Days around now on which the end of quiet hours is looked for.
_DAYS = range(-1, 3)


def parse_wall_time(text: str) -> time:
    """``22:00`` as a time. Raises ValueError for anything but two digits, a colon, two digits."""
    if len(text) != 5 or text[2] != ":" or not (text[:2] + text[3:]).isdecimal() or not text.isascii():
        raise ValueError("a time of day looks like 22:00")
    return time(int(text[:2]), int(text[3:]))


def quiet_until(hours: tuple[str, str] | None, zone: str, now: Millis) -> Millis:
    """``now`` itself outside quiet hours, else the instant at which they end.

    An end that the clock skips in spring is as long after midnight as it would have been; one that comes twice in
    autumn is the first that is still to come.
    """
    if hours is None:
        return now
    begins, ends = parse_wall_time(hours[0]), parse_wall_time(hours[1])
    tz = ZoneInfo(zone)
    local = to_datetime(now).astimezone(tz)
    wall = local.time().replace(tzinfo=None, fold=0)
    inside = begins <= wall < ends if begins < ends else (wall >= begins or wall < ends)
    if not inside:
        return now
    return min(
        instant
        for offset in _DAYS
        for instant in _instants(local.date() + timedelta(days=offset), ends, tz)
        if instant > now
    )


def _instants(day: date, wall: time, tz: ZoneInfo) -> set[Millis]:
    """The instants at which the clocks of that zone show this: two where they are set back, one in all other cases."""
    found = set()
    for fold in (0, 1):
        moment = datetime.combine(day, wall, tz).replace(fold=fold).astimezone(UTC)
        # a time that was skipped comes back as another
        if fold == 0 or moment.astimezone(tz).time() == wall:
            found.add(from_datetime(moment))
    return found
