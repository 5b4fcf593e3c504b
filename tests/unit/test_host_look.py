"""How the host is held at an instant, and that every look can be drawn."""

import random
from itertools import pairwise

import numpy as np
import pytest
from msgspec.structs import replace

from sothebais.rehearsal import showcase
from sothebais.stream import host_look
from sothebais.stream.compositor import Composer, full
from sothebais.stream.host_element import BACKGROUNDS, DOWN_MS, hammer
from sothebais.stream.host_look import (
    BLINK_DRIFT_MS,
    BLINK_MS,
    BLINK_SPAN_MS,
    CHANGE_MS,
    EXPRESSIONS,
    INTENSITY_STEPS,
    NAMES,
    NEUTRAL,
    OPEN_MS_MAX,
    PROPS,
    REST_MS,
    WINGS_FROM,
    blink,
    drawn,
    expression_of,
    mouth,
    pose,
    seed_of,
)
from sothebais.stream.layers import NEVER, Layer
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes.builtin import scenes_for
from sothebais.stream.scenes.model import Scene
from sothebais.stream.show import HostLook, LotStatus, Mouth, OnAir, ShowState
from sothebais.stream.stage import Programme, Stage
from sothebais.stream.transitions import STAMP_DELAY_MS, STAMP_MS

T0 = 1_700_000_000_000
SABLE = seed_of("Sable")
SAID = (Mouth(T0, 2), Mouth(T0 + 100, 3), Mouth(T0 + 200, 3), Mouth(T0 + 320, 0))


def stage(width: int = 168, height: int = 148, **more: str) -> Stage:
    element = {"type": "host", "id": "host", "background": "lectern", **more}
    scene = {"name": "host", "canvas": {"width": width, "height": height}, "overlay": [element]}
    return Stage(Scene.model_validate(scene), width, height)


def state(look: HostLook) -> ShowState:
    return ShowState(on_air=OnAir("host"), host=look)


def pixels(layers: tuple[Layer, ...]) -> np.ndarray:
    return full(layers, 168, 148, HeldPictures())


def test_the_beak_follows_what_is_said_by_the_instant() -> None:
    look = HostLook(mouth=SAID)
    assert mouth(look, T0 - 1, rest=1) == (1, T0)
    assert mouth(look, T0) == (2, T0 + 100)
    assert mouth(look, T0 + 99) == (2, T0 + 100)
    # two entries of one opening are one opening
    assert mouth(look, T0 + 100) == (3, T0 + 320)
    assert mouth(look, T0 + 320, rest=2) == (0, T0 + 320 + REST_MS)
    assert mouth(look, T0 + 320 + REST_MS, rest=2) == (2, NEVER)
    assert mouth(HostLook(), T0, rest=1) == (1, NEVER)


def test_a_beak_left_open_shuts_by_itself() -> None:
    left = HostLook(mouth=SAID[:2])
    assert mouth(left, T0 + 100 + OPEN_MS_MAX - 1)[0] == 3
    assert mouth(left, T0 + 100 + OPEN_MS_MAX)[0] == 0
    paused = HostLook(mouth=(Mouth(T0, 3), Mouth(T0 + 5_000, 1), Mouth(T0 + 5_100, 0)))
    assert mouth(paused, T0 + OPEN_MS_MAX - 1) == (3, T0 + OPEN_MS_MAX)
    assert mouth(paused, T0 + OPEN_MS_MAX) == (0, T0 + 5_000)
    assert mouth(paused, T0 + 5_000) == (1, T0 + 5_100)


def test_blinks_are_the_same_whoever_asks_and_come_every_three_to_six_seconds() -> None:
    starts, lasts = [], []
    t, end = T0, T0 + 300_000
    while t < end:
        lids, until = blink(SABLE, t)
        assert blink(SABLE, t) == (lids, until) == blink(seed_of("Sable"), t)
        assert until > t
        if lids == 1 and blink(SABLE, t - 1)[0] == 0:
            starts.append(t)
        if lids == 2:
            lasts.append(until - t)
        t = until
    gaps = [after - before for before, after in pairwise(starts)]
    assert len(starts) > 50
    assert min(gaps) >= BLINK_SPAN_MS - BLINK_DRIFT_MS
    assert max(gaps) <= BLINK_SPAN_MS + BLINK_DRIFT_MS
    assert len(set(gaps)) > 20
    assert set(lasts) == {BLINK_MS[1]}
    assert sum(BLINK_MS) == 140
    other = seed_of("Corvina")
    assert [blink(other, at)[0] for at in starts] != [1] * len(starts)


def test_each_mood_has_an_expression_and_an_unknown_one_is_neutral() -> None:
    assert {expression_of(mood) for mood in NAMES} == set(EXPRESSIONS)
    assert expression_of("SMUG") == "neutral"
    assert drawn("smug", 100) == drawn("neutral", 100) == NEUTRAL
    assert len({drawn(name, 100) for name in EXPRESSIONS}) == len(EXPRESSIONS) == 7


@pytest.mark.parametrize("name", [name for name in EXPRESSIONS if name != "neutral"])
def test_intensity_goes_from_neutral_to_the_whole_expression_in_steps(name: str) -> None:
    assert drawn(name, 0) == drawn(name, -5) == NEUTRAL
    assert drawn(name, 100) == drawn(name, 900) == EXPRESSIONS[name]
    found = {drawn(name, intensity) for intensity in range(101)}
    assert 3 < len(found) <= INTENSITY_STEPS + 1
    held_back = drawn(name, WINGS_FROM - 10)
    assert (held_back.rear, held_back.fore) == (NEUTRAL.rear, NEUTRAL.fore)
    raised = drawn(name, WINGS_FROM)
    assert (raised.rear, raised.fore) != (NEUTRAL.rear, NEUTRAL.fore)
    tilts = [drawn(name, intensity).tilt for intensity in range(101)]
    assert tilts in (sorted(tilts), sorted(tilts, reverse=True))


def test_a_face_turns_from_the_one_before_to_the_new_one() -> None:
    look = HostLook(expression="happy", intensity=100, since=T0, was="disappointed", was_intensity=100)
    assert pose(look, T0 - 1).face == EXPRESSIONS["disappointed"]
    between = [pose(look, T0 + ms).face.tilt for ms in range(0, CHANGE_MS, 10)]
    assert between == sorted(between, reverse=True)
    assert EXPRESSIONS["disappointed"].tilt > between[0] > between[-1] > EXPRESSIONS["happy"].tilt
    assert pose(look, T0 + CHANGE_MS).face == EXPRESSIONS["happy"]


@pytest.mark.parametrize("seed", range(4))
def test_nothing_changes_before_the_instant_that_a_look_names(seed: int) -> None:
    rng = random.Random(seed)
    names = list(EXPRESSIONS)
    look = HostLook(
        expression=rng.choice(names), intensity=rng.choice((30, 70, 100)), since=T0, was=rng.choice(names), was_intensity=80,
        props=tuple(rng.sample(PROPS, 2)), mouth=showcase.speech(T0 + 400, 2_000),
    )  # fmt: skip
    laid = stage()
    shown = laid.shown(state(look), T0 - 200)
    changes = 0
    for t in range(T0 - 200, T0 + 8_000, 7):
        now = laid.shown(state(look), t)
        if t < shown.until:
            assert now.layers == shown.layers, t - T0
        else:
            changes += now.layers != shown.layers
            shown = now
    assert changes > 15


def test_a_silent_host_asks_for_few_frames() -> None:
    laid, look, t, asked = stage(), HostLook(), T0, 0
    while t < T0 + 60_000:
        t = laid.shown(state(look), t).until
        asked += 1
    # breath, weight, glances and three steps to a blink
    assert asked < 140


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_mood_with_every_opening_and_lid_is_another_picture(name: str) -> None:
    laid = stage()
    t = next(at for at in range(T0, T0 + 9_000) if blink(SABLE, at)[0] == 1 and blink(SABLE, at - 1)[0] == 0)
    faces = {}
    for opening in range(4):
        look = HostLook(expression=name, intensity=100, mouth=(Mouth(t - 400, opening), Mouth(t + 900, 0)))
        for lids, at in enumerate((t - 20, t, t + BLINK_MS[0])):
            shown = pixels(laid.shown(state(look), at).layers)
            faces[opening, lids] = shown.tobytes()
    # whom disappointment has half shut already, a blink's first step changes little, but something
    assert len(set(faces.values())) == 12


def test_moods_differ_at_120_pixels_by_more_than_a_few_pixels() -> None:
    laid = stage(138, 120)
    drawn_small = {
        name: full(laid.shown(state(HostLook(expression=name, intensity=100)), T0).layers, 138, 120, HeldPictures())
        for name in EXPRESSIONS
    }
    for one, first in drawn_small.items():
        for other, second in drawn_small.items():
            if one < other:
                apart = np.abs(first.astype(int) - second.astype(int)).max(axis=2) > 40
                assert apart.mean() > 0.02, (one, other)


@pytest.mark.parametrize("prop", PROPS)
@pytest.mark.parametrize("facing", ["left", "right"])
def test_every_prop_is_drawn_in_the_wing_or_on_the_beak(prop: str, facing: str) -> None:
    laid = stage(facing=facing)
    plain = pixels(laid.shown(state(HostLook()), T0).layers)
    with_it = pixels(laid.shown(state(HostLook(props=("unheard-of", prop))), T0).layers)
    assert (np.abs(plain.astype(int) - with_it.astype(int)).max(axis=2) > 30).sum() > 60
    unknown = pixels(laid.shown(state(HostLook(props=("unheard-of",))), T0).layers)
    assert np.array_equal(unknown, plain)


def test_looking_the_other_way_is_the_mirrored_figure() -> None:
    one, other = (
        pixels(stage(facing=facing, background="none").shown(state(HostLook()), T0).layers)
        for facing in ("left", "right")
    )
    differs = np.abs(one.astype(int) - other[:, ::-1].astype(int)).max(axis=2) > 24
    assert differs.mean() < 0.02
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("background", [*BACKGROUNDS, "assets/study.jpg"])
def test_what_stands_around_the_host_is_the_scenes_or_the_shows(background: str) -> None:
    names = {layer.id for layer in stage().shown(state(HostLook(background=background)), T0).layers}
    assert ("host/lectern" in names) == (background == "lectern")
    assert ("host/ground" in names) == (background != "none")
    assert "host/beak" in names


def test_a_character_with_pictures_of_its_own_is_shown_by_them() -> None:
    look = HostLook(name="Corvina", expression="happy", picture="assets/corvina-happy.png", mouth=SAID)
    shown = stage().shown(state(look), T0)
    contents = {layer.id: layer.key.content for layer in shown.layers}
    assert set(contents) == {"host/ground", "host/picture", "host/lectern"}
    assert contents["host/picture"].ref == "assets/corvina-happy.png"
    assert shown.until == NEVER


def test_the_gavel_goes_up_with_the_fair_warning_and_comes_down_with_the_stamp() -> None:
    show, t = showcase.state("auction")
    lot = show.lot
    assert lot is not None
    warns = lot.ends_at - lot.fair_warning_ms
    assert hammer(show, t) == (None, warns)
    assert hammer(show, warns) == ("gavel", NEVER)
    assert hammer(replace(show, lot=replace(lot, paused_at=t)), warns) == (None, NEVER)
    sold = replace(show, lot=replace(lot, status=LotStatus.SOLD, closed_at=T0))
    lands = T0 + STAMP_DELAY_MS + STAMP_MS
    assert hammer(sold, lands - 1) == ("gavel", lands)
    assert hammer(sold, lands) == ("gavel-struck", lands + DOWN_MS)
    assert hammer(sold, lands + DOWN_MS) == (None, NEVER)
    passed = replace(show, lot=replace(lot, status=LotStatus.PASSED, closed_at=T0))
    assert hammer(passed, lands) == (None, NEVER)
    # what the host brings is not taken away
    assert pose(HostLook(props=("watch",)), warns, "gavel").prop == "watch"


@pytest.mark.parametrize("size", [(320, 180), (180, 320)])
def test_talking_composed_by_damage_equals_every_frame_drawn_whole(size: tuple[int, int]) -> None:
    pictures = showcase.pictures(count=2, side=120)
    programme = Programme(scenes_for(*size), *size)
    composer = Composer(programme, pictures)
    show, t = showcase.state("auction")
    look = HostLook(expression="excited", intensity=90, since=t + 300, was="curious", was_intensity=80)
    show = replace(show, host=replace(look, mouth=showcase.speech(t, 2_500)))
    for step in range(100):
        at = t + step * 33
        composer.render(show, at)
        whole = full(programme.shown(show, at).layers, *size, pictures)
        assert np.array_equal(composer.compositor.pixels, whole), step


def test_talking_redraws_the_beak_and_little_else() -> None:
    size = (640, 360)
    composer = Composer(Programme(scenes_for(*size), *size), showcase.pictures(count=1, side=120))
    show, t = showcase.state("auction")
    look = HostLook(mouth=showcase.speech(t, 60_000))
    show = replace(show, host=look, live=False)
    t = next(at for at in range(t, t + 30_000, 100) if _only_the_beak(look, at))
    composer.render(show, t)
    painted, areas = composer.compositor.surfaces.painted, []
    for ms in range(0, 600, 33):
        areas += [rect.area for rect in composer.render(show, t + ms)]
    assert 3 < len(areas) < 20
    assert max(areas) < 0.02 * size[0] * size[1]
    assert composer.compositor.surfaces.painted - painted <= 5


def _only_the_beak(look: HostLook, t: int) -> bool:
    held = replace(look, mouth=())
    return pose(held, t).until > t + 700 and t % 1_000 < 300


def test_the_host_is_in_every_scene_but_slate_and_pause_and_says_what_it_is() -> None:
    for vertical in (False, True):
        size = (180, 320) if vertical else (320, 180)
        for name, laid in Programme(scenes_for(*size), *size).stages.items():
            show, t = showcase.state(name)
            contents = {layer.id: layer.key.content for layer in laid.shown(show, t).layers}
            there = name not in ("slate", "pause")
            assert ("host/beak" in contents) == there, name
            assert ("disclosure" in contents) == there, name
            if there:
                assert contents["disclosure"].text == "Sable, AI host"
                assert "captions" in contents, name
    named = replace(show, on_air=OnAir("auction"), host=HostLook(name="Corvina"))
    told = {layer.id: layer.key.content for layer in Programme(scenes_for(320, 180), 320, 180).shown(named, t).layers}
    assert told["disclosure"].text == "Corvina, AI host"


def test_named_numbers_are_what_the_design_asks_for() -> None:
    assert BLINK_SPAN_MS - BLINK_DRIFT_MS == 3_000
    assert BLINK_SPAN_MS + BLINK_DRIFT_MS == 6_000
    assert min(host_look.BREATH_MS, host_look.SHIFT_MS, host_look.GLANCE_MS) >= 500
