"""Instants and lengths of time as values. Pure: nothing here asks what time it is."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

#: Milliseconds since 1970-01-01T00:00:00Z (an instant) or a number of milliseconds (a length).
#: Whole milliseconds are the log's precision: a time rounded on its way in would make a replay differ.
type Millis = int

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
#: Texts of instants that are kept: a lot shows the same few with every bid.
TEXTS_KEPT_MAX = 4_096


def from_datetime(value: datetime) -> Millis:
    """Milliseconds of an aware datetime, rounded down. Raises ValueError for a naive one."""
    if value.tzinfo is None:
        raise ValueError("a time without a zone has no instant")
    return (value - EPOCH) // MILLISECOND


def to_datetime(value: Millis) -> datetime:
    """The aware UTC datetime of an instant."""
    return EPOCH + timedelta(milliseconds=value)


@lru_cache(maxsize=TEXTS_KEPT_MAX)
def isoformat(value: Millis) -> str:
    """``2026-03-01T18:00:00.250Z``: ISO 8601 in UTC with milliseconds, as every HTTP answer has it."""
    return to_datetime(value).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value % 1000:03d}Z"


def parse_iso(text: str) -> Millis:
    """The instant of an ISO 8601 text with a zone. Raises ValueError otherwise."""
    return from_datetime(datetime.fromisoformat(text))
