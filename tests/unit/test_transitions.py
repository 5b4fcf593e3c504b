"""Easings, timelines and scene changes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sothebais.stream.layers import Fill, Group, Key, Layer, Rect
from sothebais.stream.transitions import EASINGS, Track, between, ease, next_whole, progress, value

CANVAS = Rect(0, 0, 320, 180)


def picture(name: str) -> tuple[Layer, ...]:
    return (Layer(name, CANVAS, 0, Key(Fill("ground"), 320, 180, 1.0, "dark")),)


@pytest.mark.parametrize("easing", EASINGS)
def test_every_easing_begins_at_0_and_ends_at_1(easing: str) -> None:
    assert ease(easing, 0) == 0  # type: ignore[arg-type]
    assert ease(easing, 1) == 1  # type: ignore[arg-type]
    assert ease(easing, -3) == 0  # type: ignore[arg-type]
    assert ease(easing, 7) == 1  # type: ignore[arg-type]
    near = [EASINGS[easing](p) for p in (1e-9, 1 - 1e-9)]
    assert near == pytest.approx([0, 1], abs=2e-3)


@pytest.mark.parametrize(
    ("easing", "half"),
    [("linear", 0.5), ("quad", 0.75), ("quad_in", 0.25), ("quad_in_out", 0.5), ("cubic", 0.875), ("cubic_in", 0.125)],
)
def test_an_easing_halfway(easing: str, half: float) -> None:
    assert ease(easing, 0.5) == pytest.approx(half)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "easing", ["linear", "quad", "quad_in", "quad_in_out", "cubic", "cubic_in", "cubic_in_out", "house"]
)
def test_plain_easings_never_go_back(easing: str) -> None:
    steps = [ease(easing, step / 200) for step in range(201)]  # type: ignore[arg-type]
    assert steps == sorted(steps)


@pytest.mark.parametrize("easing", ["elastic", "spring"])
def test_elastic_and_spring_pass_over_the_end_and_come_back(easing: str) -> None:
    steps = [ease(easing, step / 200) for step in range(201)]  # type: ignore[arg-type]
    assert max(steps) > 1.02
    assert all(math.isclose(step, 1, abs_tol=0.02) for step in steps[-20:])


def test_the_house_eases_out_as_its_css_curve_does() -> None:
    # cubic-bezier(0.16, 1, 0.3, 1) at the curve's own parameter 0.5: x = 0.2975, y = 0.875
    assert ease("house", 0.2975) == pytest.approx(0.875, abs=1e-6)


def test_a_track_waits_moves_and_stays() -> None:
    track = Track(10, 20, 100, "linear", delay_ms=50)
    assert value(track, 0) == (10, True)
    assert value(track, 49) == (10, True)
    assert value(track, 100) == (15, True)
    assert value(track, 150) == (20, False)
    assert value(track, 10_000) == (20, False)


def test_a_track_repeats_and_turns_around() -> None:
    again = Track(0, 1, 100, "linear", repeat=1)
    assert [value(again, at)[0] for at in (50, 100, 150, 200)] == [0.5, 0, 0.5, 1]
    back = Track(0, 1, 100, "linear", repeat=1, yoyo=True)
    assert [value(back, at)[0] for at in (50, 100, 150, 200)] == [0.5, 1, 0.5, 0]
    assert value(back, 200)[1] is False
    endless = Track(0, 1, 100, "linear", repeat=-1)
    assert value(endless, 1_000_050) == (0.5, True)


@given(st.integers(-10_000, 10_000), st.integers(-10_000, 10_000), st.integers(1, 5_000))
def test_the_next_whole_step_is_the_first_one_after_an_instant(since: int, t: int, step: int) -> None:
    found = next_whole(since, t, step)
    assert t < found <= t + step
    assert (found - since) % step == 0


def test_progress_is_done_for_a_movement_without_length() -> None:
    assert progress(100, 50, 0) == 1
    assert [progress(100, t, 200) for t in (0, 100, 200, 300, 999)] == [0, 0, 0.5, 1, 1]


def test_a_cut_shows_the_new_scene_at_once() -> None:
    assert between("cut", 0.0, picture("a"), picture("b"), CANVAS) == picture("b")


@pytest.mark.parametrize("kind", ["fade", "slide", "zoom"])
def test_a_transition_ends_in_the_new_scene_itself(kind: str) -> None:
    assert between(kind, 1.0, picture("a"), picture("b"), CANVAS) == picture("b")  # type: ignore[arg-type]


def test_a_fade_brings_the_new_scene_in_as_a_whole_over_the_old_one() -> None:
    old, new = between("fade", 0.5, picture("a"), picture("b"), CANVAS)
    assert old.id == "before/a"
    assert new.key.content == Group(picture("b"))
    assert new.z > old.z
    assert new.opacity == round(255 * 0.75)
    assert between("fade", 0.0, picture("a"), picture("b"), CANVAS) == (old,)


def test_a_slide_moves_both_by_the_same_whole_pixels() -> None:
    for done in (0.01, 0.2, 0.77):
        old, new = between("slide", done, picture("a"), picture("b"), CANVAS)
        assert new.rect.x - old.rect.x == CANVAS.w
        assert -CANVAS.w <= old.rect.x <= 0


def test_a_zoom_comes_from_a_little_smaller() -> None:
    *_, new = between("zoom", 0.1, picture("a"), picture("b"), CANVAS)
    assert 920 < new.key.grow < 1000
    assert new.rect == CANVAS
