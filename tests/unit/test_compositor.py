"""Drawing only what changed gives the same pixels as drawing everything."""

import random
from decimal import Decimal
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sothebais.rehearsal import showcase
from sothebais.stream.compositor import Composer, Compositor, full
from sothebais.stream.damage import RECTS_MAX, aligned, merged
from sothebais.stream.host_look import pose
from sothebais.stream.layers import Dot, Fill, Glow, Key, Layer, Rect, Text
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes.builtin import NAMES, scenes_for
from sothebais.stream.show import Caption, Notice, OnAir, Post, ShowState
from sothebais.stream.stage import Programme
from sothebais.stream.yuv import FrameRing, I420Frame

WIDTH, HEIGHT = 320, 180
CANVAS = Rect(0, 0, WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def pictures() -> HeldPictures:
    return showcase.pictures(count=3, side=200)


def converted(pixels: np.ndarray) -> np.ndarray:
    frame = I420Frame(pixels.shape[1], pixels.shape[0])
    frame.convert(pixels, [frame.canvas])
    return frame.buffer


rects = st.builds(Rect, st.integers(-60, 330), st.integers(-60, 190), st.integers(0, 200), st.integers(0, 120))


@given(st.lists(rects, max_size=40))
def test_merged_rectangles_are_even_disjoint_inside_and_cover_all(damage: list[Rect]) -> None:
    found = merged(damage, CANVAS)
    assert len(found) <= RECTS_MAX
    covered = np.zeros((HEIGHT, WIDTH), int)
    for rect in found:
        assert rect == aligned(rect) == rect.cut(CANVAS)
        assert rect.area
        covered[rect.y : rect.bottom, rect.x : rect.right] += 1
    assert covered.max(initial=0) <= 1
    for rect in damage:
        inside = rect.cut(CANVAS)
        assert covered[inside.y : inside.bottom, inside.x : inside.right].all()


@given(st.integers(0, 2**32 - 1), st.lists(rects, max_size=6))
@settings(max_examples=60, deadline=None)
def test_converting_parts_gives_the_samples_of_the_whole(seed: int, damage: list[Rect]) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
    frame = I420Frame(WIDTH, HEIGHT)
    before = np.random.default_rng(seed + 1).integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
    frame.convert(before, [frame.canvas])
    changed = merged(damage, CANVAS)
    for rect in changed:
        before[rect.y : rect.bottom, rect.x : rect.right] = noise[rect.y : rect.bottom, rect.x : rect.right]
    frame.convert(before, changed)
    assert np.array_equal(frame.buffer, converted(before))


def test_known_colours_become_the_samples_of_bt_601() -> None:
    pixels = np.zeros((2, 8, 4), np.uint8)
    pixels[:, 0:2] = (255, 255, 255, 255)
    pixels[:, 2:4] = (0, 0, 255, 255)  # BGRA: red
    pixels[:, 4:6] = (255, 0, 0, 255)  # blue
    frame = I420Frame(8, 2)
    frame.convert(pixels, [frame.canvas])
    assert frame.y[0, ::2].tolist() == pytest.approx([235, 82, 41, 16], abs=1)
    assert frame.u[0].tolist() == pytest.approx([128, 90, 240, 128], abs=1)
    assert frame.v[0].tolist() == pytest.approx([128, 240, 110, 128], abs=1)


def test_a_frame_with_an_odd_side_is_refused() -> None:
    with pytest.raises(ValueError, match="even sides, not 321 × 180"):
        I420Frame(321, 180)


contents = st.one_of(
    st.builds(Fill, st.sampled_from(["ground", "brass", "sage"])),
    st.builds(Glow, st.sampled_from(["brass", "vermilion"])),
    st.builds(Dot, st.sampled_from(["rose", "text"])),
    st.builds(Text, st.sampled_from(["Lot 12", "Ω @ana"]), st.integers(0, 3)),
)


@st.composite
def layer(draw: st.DrawFn, name: str) -> Layer:
    rect = draw(st.builds(Rect, st.integers(-40, 300), st.integers(-40, 170), st.integers(1, 160), st.integers(1, 90)))
    clip = draw(st.none() | rects)
    opacity = draw(st.sampled_from([255, 255, 128, 1]))
    grow, turn = draw(st.sampled_from([(1000, 0), (1000, 0), (730, 0), (1250, -60)]))
    key = Key(draw(contents), rect.w, rect.h, 0.5, "dark", grow, turn)
    return Layer(name, rect, draw(st.integers(0, 3)), key, opacity, clip)


@st.composite
def pictures_in_a_row(draw: st.DrawFn) -> list[tuple[Layer, ...]]:
    """Pictures of which each keeps some of the layers of the one before."""
    held: dict[str, Layer] = {}
    found = []
    for _ in range(draw(st.integers(2, 6))):
        for name in draw(st.lists(st.sampled_from("abcdef"), max_size=3, unique=True)):
            if name in held and draw(st.booleans()):
                del held[name]
            else:
                held[name] = draw(layer(name))
        found.append(tuple(held.values()))
    return found


@given(pictures_in_a_row())
@settings(max_examples=80, deadline=None)
def test_after_any_sequence_of_layers_the_picture_equals_one_drawn_from_nothing(row: list[tuple[Layer, ...]]) -> None:
    nothing = HeldPictures()
    compositor = Compositor(WIDTH, HEIGHT, nothing)
    frame = I420Frame(WIDTH, HEIGHT)
    for layers in row:
        frame.convert(compositor.pixels, compositor.compose(layers))
        whole = full(layers, WIDTH, HEIGHT, nothing)
        assert np.array_equal(compositor.pixels, whole)
        assert np.array_equal(frame.buffer, converted(whole))


@pytest.mark.parametrize("size", [(320, 180), (180, 320)])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_random_evening_composed_by_damage_equals_every_frame_drawn_whole(
    size: tuple[int, int], seed: int, pictures: HeldPictures
) -> None:
    rng = random.Random(seed)
    programme = Programme(scenes_for(*size), *size)
    composer = Composer(programme, pictures)
    ring = FrameRing(*size)
    state, t = showcase.state("auction", bids=0)
    for _ in range(90):
        state, t = _next(rng, state, t)
        damage = composer.render(state, t)
        published = ring.publish(composer.compositor.pixels, damage)
        whole = full(programme.shown(state, t).layers, *size, pictures)
        assert np.array_equal(composer.compositor.pixels, whole), (state.on_air, t)
        assert np.array_equal(composer.frame.buffer, converted(whole))
        assert np.array_equal(published.buffer, composer.frame.buffer)


def _next(rng: random.Random, state: ShowState, t: int) -> tuple[ShowState, int]:
    """Time passes, and now and then something happens."""
    t += rng.choice((33, 33, 33, 33, 400, 5_000))
    chance = rng.random()
    if chance < 0.12:
        name = rng.choice(NAMES)
        fresh, at = showcase.state(name, bids=rng.randint(0, 8))
        kind = rng.choice(("cut", "fade", "slide", "zoom"))
        on_air = OnAir(name, since=at, previous=state.on_air.scene, transition=kind, duration_ms=600)
        return msgspec.structs.replace(fresh, on_air=on_air), at + rng.choice((0, 100, 300, 700))
    if chance < 0.3 and state.lot is not None:
        lot = showcase.lot(rng.randint(1, 9))
        at = lot.bids[0].at
        return msgspec.structs.replace(state, lot=lot), at + rng.choice((0, 120, 380))
    if chance < 0.36:
        caption = Caption("Going, gently.", "Sable", t, t + 2_000)
        return msgspec.structs.replace(state, caption=caption, viewers=rng.randint(0, 5_000)), t
    return state, t


def test_nothing_is_drawn_while_nothing_changes(pictures: HeldPictures) -> None:
    composer = Composer(Programme(scenes_for(WIDTH, HEIGHT), WIDTH, HEIGHT), pictures)
    state, t = showcase.state("slate")
    assert composer.render(state, t) == [CANVAS]
    painted = composer.compositor.surfaces.painted
    assert composer.render(state, t) == []
    assert composer.render(state, t + 10) == []
    assert composer.compositor.surfaces.painted == painted


def test_a_second_of_the_countdown_dirties_the_ring_and_nothing_else(pictures: HeldPictures) -> None:
    composer = Composer(Programme(scenes_for(WIDTH, HEIGHT), WIDTH, HEIGHT), pictures)
    state, t = showcase.state("auction")
    state = msgspec.structs.replace(state, live=False)
    # a second in which the host sits still
    t = next(at for at in range(t, t + 20_000, 1_000) if pose(state.host, at).until > at + 1_000)
    composer.render(state, t)
    rects = composer.render(state, t + 1000)
    assert len(rects) == 1
    assert rects[0].area < 0.05 * CANVAS.area
    assert rects[0].x > WIDTH * 0.8
    assert rects[0].bottom < HEIGHT * 0.25


def test_surfaces_stay_within_their_bound_and_the_picture_stays_right(pictures: HeldPictures) -> None:
    bound = 60_000
    small = Composer(Programme(scenes_for(WIDTH, HEIGHT), WIDTH, HEIGHT), pictures, surfaces_bytes_max=bound)
    for name in NAMES:
        state, t = showcase.state(name)
        small.render(state, t)
        assert small.compositor.surfaces.bytes_held <= bound
        whole = full(small.programme.shown(state, t).layers, WIDTH, HEIGHT, pictures)
        assert np.array_equal(small.compositor.pixels, whole)
    assert len(small.compositor.surfaces) < 20


def test_a_picture_that_arrives_late_is_shown_after_a_refresh(pictures: HeldPictures) -> None:
    held = HeldPictures()
    composer = Composer(Programme(scenes_for(WIDTH, HEIGHT), WIDTH, HEIGHT), held)
    state, t = showcase.state("auction")
    composer.render(state, t)
    before = composer.compositor.pixels.copy()
    image = pictures.picture("piece-1")
    assert image is not None
    held.put_image("piece-1", image)
    composer.compositor.refresh()
    assert composer.render(state, t) == [CANVAS]
    assert not np.array_equal(before, composer.compositor.pixels)


def test_pictures_are_kept_within_their_bound() -> None:
    side = 64
    encoded = showcase.pictures(count=1, side=side)
    image = encoded.picture("piece-1")
    assert image is not None
    held = HeldPictures(bytes_max=3 * side * side * 4)
    for number in range(5):
        held.put_image(f"p{number}", image)
        assert held.bytes_held <= held.bytes_max
    assert [held.picture(f"p{number}") is None for number in range(5)] == [True, True, False, False, False]


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="'x' is in no format"):
        HeldPictures().put("x", b"not a picture")


def test_two_layers_of_one_id_are_refused() -> None:
    one = Layer("a", Rect(0, 0, 8, 8), 0, Key(Fill("ground"), 8, 8, 1.0, "dark"))
    with pytest.raises(ValueError, match="each layer's id once"):
        Compositor(16, 16, HeldPictures()).compose((one, one))


@given(
    st.text(max_size=300),
    st.text(min_size=1, max_size=60),
    st.decimals("0.000000000000000001", "999999999999", allow_nan=False, places=18),
    st.sampled_from(NAMES),
    st.sampled_from([(320, 180), (180, 320)]),
)
@settings(max_examples=40, deadline=None)
def test_no_words_and_no_amount_can_break_a_frame(
    words: str, name: str, amount: Decimal, scene: str, size: tuple[int, int]
) -> None:
    state, t = showcase.state(scene)
    price = format(amount, "f")
    piece = showcase.lot()
    bids = tuple(msgspec.structs.replace(bid, handle=name, amount=price) for bid in piece.bids)
    changed = msgspec.structs.replace(
        state,
        lot=msgspec.structs.replace(
            piece, title=words, artist=name, leader=name, price=price, next_valid=price, bids=bids, traits=(words, name)
        ),
        campaign=words,
        day=name,
        tomorrow=words,
        bid_hint=words,
        bid_url=words,
        caption=Caption(words, name, t, t + 1_000),
        post=Post(name, words, words, name, t),
        notice=Notice(words, words),
        results=tuple(
            msgspec.structs.replace(row, title=words, winner=name) for row in showcase.state("post-auction")[0].results
        ),
    )
    pixels = full(Programme(scenes_for(*size), *size).shown(changed, t).layers, *size, HeldPictures())
    assert pixels[..., 3].min() == 255


def test_movement_is_by_whole_pixels(pictures: HeldPictures) -> None:
    programme = Programme(scenes_for(WIDTH, HEIGHT), WIDTH, HEIGHT)
    state, t = showcase.state("pre-auction")
    frames = [programme.shown(state, t + 33 * step).layers for step in range(60)]
    places = [{layer.id: layer for layer in layers} for layers in frames]
    moved = [
        (now["parade/5"].rect.x - before["parade/5"].rect.x, now["parade/5"].key is not None)
        for before, now in pairwise(places)
        if "parade/5" in now and "parade/5" in before
    ]
    assert {dx for dx, _ in moved} <= {0, -1}
    assert sum(dx for dx, _ in moved) < 0
    assert len({layers["parade/5"].key for layers in places if "parade/5" in layers}) == 1
