"""Ids rise and are UUIDv7s; instants are whole milliseconds in UTC."""

import random
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from uuid import UUID

import pytest

from sothebais import clock
from sothebais.clock import DatabaseTime
from sothebais.ids import IdSource, parse_id


class SetClock:
    """A clock that stands where it is put."""

    def __init__(self, now: int = 1_000) -> None:
        self.at = now

    def now(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / 1000

    async def sleep(self, seconds: float) -> None:
        self.at += int(seconds * 1000)


def test_an_id_is_a_uuid_version_7_with_its_time() -> None:
    made = IdSource(SetClock(1_767_225_600_123)).new()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == 1_767_225_600_123


def test_ids_rise_within_a_millisecond_after_it_and_when_the_clock_is_set_back() -> None:
    at = SetClock()
    source = IdSource(at)
    made = [source.new() for _ in range(200)]
    at.at += 1
    made += [source.new() for _ in range(200)]
    at.at -= 900
    made += [source.new() for _ in range(200)]
    assert all(a < b for a, b in pairwise(made))
    assert all((i.version, i.variant) == (7, "specified in RFC 4122") for i in made)


def test_a_full_millisecond_borrows_the_next_one_and_stays_in_order() -> None:
    at = SetClock()
    source = IdSource(at, random.Random(1))
    first = source.new()
    source._counter = (1 << 18) - 2
    made = [first, *(source.new() for _ in range(3))]
    assert [i.int >> 80 for i in made] == [1_000, 1_000, 1_001, 1_001]
    at.at = 1_001
    made.append(source.new())
    assert all(a < b for a, b in pairwise(made))
    assert all(i.version == 7 for i in made)


def test_ids_of_the_same_seed_are_the_same() -> None:
    one, two = (IdSource(SetClock(), random.Random(7)) for _ in range(2))
    assert [one.new() for _ in range(5)] == [two.new() for _ in range(5)]


def test_only_the_usual_text_is_an_id() -> None:
    text = "01890a5d-ac96-774b-bcce-b302099a8057"
    assert parse_id(text) == UUID(text)
    for wrong in ["", "x" * 36, text[:-1], text + "0", text.replace("-", ""), f"{{{text}}}", f"urn:uuid:{text}"]:
        assert parse_id(wrong) is None


@pytest.mark.parametrize(
    "text", ["urn:" + "1" * 32, "0x" + "1" * 30 + "----", "1_" + "1" * 30 + "----", "----" + "1" * 32]
)
def test_another_text_of_36_characters_is_not_an_id(text: str) -> None:
    assert parse_id(text) is None


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_767_225_600_250, "2026-01-01T00:00:00.250Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_an_instant_and_its_text_are_the_same(at: int, text: str) -> None:
    assert clock.isoformat(at) == text
    assert clock.parse_iso(text) == at
    assert clock.from_datetime(clock.to_datetime(at)) == at


def test_a_zone_is_needed_and_counted() -> None:
    assert clock.parse_iso("2026-01-01T01:00:00+01:00") == clock.parse_iso("2026-01-01T00:00:00Z")
    for text in ["2026-01-01", "2026-01-01T00:00:00", "yesterday", ""]:
        with pytest.raises(ValueError):
            clock.parse_iso(text)
    with pytest.raises(ValueError):
        clock.from_datetime(datetime(2026, 1, 1))  # noqa: DTZ001 - the case in question


def test_a_datetime_is_rounded_down_to_the_millisecond() -> None:
    value = datetime(2026, 1, 1, 0, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert clock.from_datetime(value) % 1000 == 999
    assert clock.from_datetime(clock.to_datetime(-1) + timedelta(microseconds=999)) == -1


def database(at_ms: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)


def test_database_time_follows_the_reading_with_the_shortest_round_trip() -> None:
    time = DatabaseTime(SetClock(10_000))
    assert not time.observe(1_000, database(1_035), 1_020)  # middle 1010: 25 ahead, at most 10 off
    assert time.now() == 10_025
    assert not time.observe(2_000, database(2_024), 2_002)  # middle 2001: 23 ahead, at most 1 off
    assert time.now() == 10_023
    assert not time.observe(3_000, database(3_050), 3_050)  # slow: says nothing new
    assert time.now() == 10_023


def test_database_time_reports_a_clock_that_was_set() -> None:
    time = DatabaseTime(SetClock(10_000))
    assert not time.observe(1_000, database(1_000), 1_000)
    assert time.observe(2_000, database(2_500), 2_010)
    assert time.drift_ms == 495
    assert time.now() == 10_495  # the older, quicker reading is of another clock
    assert not time.observe(3_000, database(3_496), 3_002)


def test_one_slow_round_trip_is_no_drift() -> None:
    time = DatabaseTime(SetClock(10_000))
    time.observe(1_000, database(1_001), 1_002)
    # the answer took 200 ms on its way back: up to 100 ms of doubt, which is no news of the clock
    assert not time.observe(2_000, database(2_001), 2_202)
    assert time.now() == 10_000
