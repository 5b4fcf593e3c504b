"""What the host is about to show is painted while nothing else is to do, and never instead of a frame."""

import pytest
from msgspec import structs

from sothebais.rehearsal import showcase
from sothebais.stream import beforehand as module
from sothebais.stream.beforehand import LEFT_S_MIN, Beforehand
from sothebais.stream.compositor import Composer, full
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes.builtin import scenes_for
from sothebais.stream.show import HostLook, ShowState
from sothebais.stream.stage import Programme

WIDTH, HEIGHT = 320, 180
PROGRAMME = Programme(scenes_for(WIDTH, HEIGHT), WIDTH, HEIGHT)
FRAME_MS = 33


@pytest.fixture
def composer() -> Composer:
    return Composer(PROGRAMME, HeldPictures())


def turning() -> tuple[ShowState, int]:
    """A face that begins to change now, and speaks."""
    state, t = showcase.state("auction")
    look = HostLook(
        expression="excited", intensity=90, was="curious", was_intensity=80, since=t, mouth=showcase.speech(t, 1_000)
    )
    return structs.replace(state, host=look), t


def all_the_time() -> float:
    return 60.0


def test_a_face_that_comes_is_there_when_it_is_shown(composer: Composer) -> None:
    state, t = turning()
    composer.compose(state, t)
    before = Beforehand(composer)
    before.look(state, t)
    assert len(before) > 10
    before.paint(all_the_time)
    assert len(before) == 0
    painted = composer.compositor.surfaces.painted
    host = {placed.element.id for placed in PROGRAMME.stages["auction"].placed if placed.element.type == "host"}
    for frame in range(1, 30):
        at = t + frame * FRAME_MS
        for layer in PROGRAMME.shown(state, at).layers:
            if layer.id.split("/")[0] in host:
                assert (layer.key, layer.rect.w, layer.rect.h) in composer.compositor.surfaces
        composer.compose(state, at)
        whole = full(PROGRAMME.shown(state, at).layers, WIDTH, HEIGHT, HeldPictures())
        assert (composer.compositor.pixels == whole).all()
    without = Composer(PROGRAMME, HeldPictures())
    without.compose(state, t)
    for frame in range(1, 30):
        without.compose(state, t + frame * FRAME_MS)
    assert composer.compositor.surfaces.painted - painted < without.compositor.surfaces.painted / 2


def test_nothing_is_begun_with_too_little_time_before_the_next_frame(composer: Composer) -> None:
    state, t = turning()
    composer.compose(state, t)
    before = Beforehand(composer)
    before.look(state, t)
    waiting, painted = len(before), composer.compositor.surfaces.painted
    before.paint(lambda: LEFT_S_MIN)
    assert (len(before), composer.compositor.surfaces.painted) == (waiting, painted)
    left = iter([LEFT_S_MIN + 0.001, LEFT_S_MIN])
    before.paint(lambda: next(left))
    assert (len(before), composer.compositor.surfaces.painted) == (waiting - 1, painted + 1)


def test_the_same_look_is_looked_at_once_and_another_takes_its_place(composer: Composer) -> None:
    state, t = turning()
    before = Beforehand(composer)
    before.look(state, t)
    before.paint(all_the_time)
    before.look(structs.replace(state, viewers=1), t + FRAME_MS)
    assert len(before) == 0
    before.look(structs.replace(state, host=structs.replace(state.host, expression="concerned")), t + FRAME_MS)
    assert len(before) > 0


def test_it_looks_ahead_in_so_many_steps_and_no_more(composer: Composer, monkeypatch: pytest.MonkeyPatch) -> None:
    state, t = turning()
    known = []
    for steps in (1, 2, 100):
        monkeypatch.setattr(module, "STEPS_MAX", steps)
        before = Beforehand(composer)
        before.look(state, t)
        known.append(len(before))
    assert known[0] < known[1] < known[2]
    monkeypatch.setattr(module, "AHEAD_MS", -1)
    before = Beforehand(composer)
    before.look(state, t)
    assert len(before) == known[0]


def test_a_scene_without_a_host_has_nothing_to_paint(composer: Composer) -> None:
    state, t = showcase.state("slate")
    before = Beforehand(composer)
    before.look(state, t)
    assert len(before) == 0
