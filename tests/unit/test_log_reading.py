"""What a reader of the log got, held against the log: everything lost, doubled, reordered or invented is found."""

from uuid import UUID

import pytest

from sothebais.rehearsal.log_reading import faults

A, B, C, D, E = (UUID(int=number) for number in range(1, 6))


@pytest.mark.parametrize(
    ("before", "read", "after"),
    [
        ([], [], []),
        ([A, B, C], [A, B, C], [A, B, C]),
        # written while somebody read: behind what was read
        ([A, B], [A, B], [A, B, C, D]),
        # and read already
        ([A, B], [A, B, C], [A, B, C, D]),
        ([], [A, B], [A, B, C]),
        # of an older transaction that ended only after the table was asked: in between, and read there
        ([A, C], [A, B, C], [A, B, C]),
    ],
)
def test_a_reading_that_is_the_beginning_of_the_log_has_no_fault(
    before: list[UUID], read: list[UUID], after: list[UUID]
) -> None:
    assert faults(before, read, after) == []


@pytest.mark.parametrize(
    ("before", "read", "after", "what"),
    [
        pytest.param([A, B, C], [A, C], [A, B, C], "never got 1 events of 3", id="lost in the middle"),
        pytest.param([A, B, C], [B, C], [A, B, C], "never got 1 events of 3", id="lost at the beginning"),
        pytest.param([A, B, C], [A, B], [A, B, C], "never got 1 events of 3", id="lost at the end"),
        pytest.param([A, B, C], [], [A, B, C], "never got 3 events of 3", id="all lost"),
        pytest.param([A, B], [A, B, D], [A, B, C, D], f"event {D} at place 3", id="lost of what came meanwhile"),
        pytest.param([A, C], [A, C], [A, B, C], f"event {C} at place 2", id="lost of what an older transaction wrote"),
        pytest.param([A, B, C], [A, B, B, C], [A, B, C], "1 events twice", id="twice, one after the other"),
        pytest.param([A, B], [A, B, A, B], [A, B], "2 events twice", id="twice, all of it"),
        pytest.param([A, B], [A, B, B], [A, B, C], "1 events twice", id="twice, instead of what came meanwhile"),
        pytest.param([A, B, C], [A, C, B], [A, B, C], f"event {C} at place 2", id="in another order"),
        pytest.param([A, B], [A, B, D, C], [A, B, C, D], f"event {D} at place 3", id="what came, in another order"),
        pytest.param(
            [A, C], [A, C, B], [A, B, C], f"event {C} at place 2", id="read late, behind what it stands before"
        ),
        pytest.param([A, B], [A, B, E], [A, B], "1 events that are not in the log", id="one that does not exist"),
        pytest.param([A, B, C], [A, B, C], [A, C], "1 events are not in the log any more", id="taken from the log"),
    ],
)
def test_whatever_else_was_read_is_found(before: list[UUID], read: list[UUID], after: list[UUID], what: str) -> None:
    assert any(what in fault for fault in faults(before, read, after))
