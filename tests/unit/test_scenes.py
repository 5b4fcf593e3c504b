"""Scenes as values: JSON, faults, layout, and what each element shows."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sothebais.errors import InvalidInput
from sothebais.rehearsal import showcase
from sothebais.state.models import ElementType
from sothebais.stream.direction import Choice, choose, put_on
from sothebais.stream.elements import SHOWS
from sothebais.stream.layers import NEVER, Figures, Lamps, Layer, Mark, Rect, Ring, Roll, TickerRow
from sothebais.stream.scenes import Scene, SceneRefused, dump, parse, schema
from sothebais.stream.scenes.builtin import NAMES, builtin, scenes_for
from sothebais.stream.scenes.document import BYTES_MAX
from sothebais.stream.scenes.model import ELEMENTS_MAX, Element
from sothebais.stream.show import LotStatus, OnAir, ShowState
from sothebais.stream.stage import Following, Programme, Stage

EVERY = [scene for vertical in (False, True) for scene in builtin(vertical=vertical)]


def scene(**parts: Any) -> dict[str, Any]:
    return {"name": "mine", "canvas": {"width": 1920, "height": 1080}, **parts}


def words(name: str = "words", **more: Any) -> dict[str, Any]:
    return {"id": name, "type": "text", "text": "Hello", **more}


def staged(document: dict[str, Any], width: int = 1920, height: int = 1080) -> Stage:
    return Stage(parse(json.dumps(document)), width, height)


def layers_of(name: str, at: tuple[ShowState, int]) -> dict[str, Layer]:
    programme = Programme(scenes_for(1920, 1080), 1920, 1080)
    return {layer.id: layer for layer in programme.stages[name].shown(*at).layers}


@pytest.mark.parametrize("one", EVERY, ids=lambda one: f"{one.name}-{one.canvas.width}")
def test_a_scene_comes_back_from_its_json_unchanged(one: Scene) -> None:
    assert parse(dump(one)) == one


def test_the_schema_knows_every_type_that_can_be_drawn() -> None:
    document = schema()
    mapped = document["$defs"]["AnyElement"]["discriminator"]["mapping"]
    assert set(mapped) == set(ElementType.__value__.__args__)
    assert len(SHOWS) == len(mapped)
    assert document["additionalProperties"] is False


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (scene(quadrants={"top_left": {"elements": [words(), words("two", opacity=3)]}}), "quadrants.top_left.elements[1].opacity"),
        (scene(overlay=[words(transform={"opacity": 1.5})]), "overlay[0].transform.opacity"),
        (scene(overlay=[words(timelines=[{"property": "x", "start": 0, "end": 1, "duration_ms": 0}])]), "overlay[0].timelines[0].duration_ms"),
        (scene(overlay=[{"id": "a", "type": "juggler"}]), "overlay[0]"),
        (scene(overlay=[words(text=12)]), "overlay[0].text"),
        (scene(overlay=[words("Not A Name")]), "overlay[0].id"),
        (scene(overlay=[words(x=float("nan"))]), "overlay[0].x"),
        (scene(split={"x": 1.0}), "split.x"),
        (scene(background=[{"id": "i", "type": "image"}]), "background[0].source"),
        ({"name": "mine"}, "canvas"),
    ],
)  # fmt: skip
def test_a_bad_scene_is_refused_with_the_path_of_the_fault(document: dict[str, Any], path: str) -> None:
    with pytest.raises(SceneRefused) as caught:
        parse(json.dumps(document))
    assert caught.value.fields["path"] == path
    assert path in caught.value.message
    assert isinstance(caught.value, InvalidInput)


def test_two_elements_of_one_id_are_refused_by_name() -> None:
    with pytest.raises(SceneRefused, match="two elements have the id 'words'"):
        parse(json.dumps(scene(overlay=[words()], background=[words()])))


def test_too_many_elements_and_too_long_documents_are_refused() -> None:
    half = [words(f"a{number}") for number in range(ELEMENTS_MAX // 2 + 1)]
    other = [words(f"b{number}") for number in range(ELEMENTS_MAX // 2)]
    parse(json.dumps(scene(overlay=half[1:], background=other)))
    with pytest.raises(SceneRefused, match="at most 64 elements, this one has 65"):
        parse(json.dumps(scene(overlay=half, background=other)))
    with pytest.raises(SceneRefused, match="262,144 bytes"):
        parse(b" " * (BYTES_MAX + 1))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"name": 1}'])
def test_what_is_no_scene_at_all_is_refused(text: str) -> None:
    with pytest.raises(SceneRefused):
        parse(text)


def test_a_scene_of_another_ratio_cannot_fill_an_output() -> None:
    with pytest.raises(SceneRefused, match="made for 1920 × 1080 and cannot fill 1080 × 1920"):
        Stage(builtin()[0], 1080, 1920)


def test_an_element_lies_inside_its_quadrants_padding_and_is_cut_at_its_edges() -> None:
    padding = {"left": 48.0, "top": 40.0, "right": 96.0, "bottom": 16.0}
    stage = staged(
        scene(quadrants={"top_right": {"padding": padding, "elements": [words(x=8), words("wide", width=4000)]}})
    )
    state, t = showcase.state("slate")
    first, second = stage.shown(state, t).layers
    assert first.rect == Rect(1208, 40, 1824 - 1208, 713 - 40 - 16)
    assert first.clip == Rect(1152, 0, 768, 713)
    assert second.rect.w == 4000
    assert second.seen == Rect(1200, 40, 720, second.rect.h)


def test_the_same_scene_fills_an_output_of_another_size() -> None:
    document = scene(overlay=[words(x=96, y=54, width=300, height=90)])
    state, t = showcase.state("slate")
    small = staged(document, 1280, 720).shown(state, t).layers[0]
    assert small.rect == Rect(64, 36, 200, 60)
    assert small.key.unit == pytest.approx(2 / 3)


def test_quadrants_lie_over_the_background_and_under_the_overlay_and_z_orders_within() -> None:
    document = scene(
        overlay=[words("top")],
        background=[words("bottom", z=900)],
        quadrants={"bottom_left": {"elements": [words("over", z=2), words("under", z=1)]}},
    )
    state, t = showcase.state("slate")
    order = sorted(staged(document).shown(state, t).layers, key=lambda layer: (layer.z, layer.id))
    assert [layer.id for layer in order] == ["bottom", "under", "over", "top"]


def test_an_element_turns_and_grows_about_its_anchor() -> None:
    box = {"x": 100, "y": 100, "width": 200, "height": 100}
    document = scene(
        overlay=[
            words("corner", **box, transform={"scale": 2.0, "anchor": "top_left"}),
            words("middle", **box, transform={"scale": 0.5}),
            words("turned", **box, transform={"rotation": 90.0}),
        ]
    )
    state, t = showcase.state("slate")
    corner, middle, turned = staged(document).shown(state, t).layers
    assert corner.rect == Rect(100, 100, 400, 200)
    assert middle.rect == Rect(150, 125, 100, 50)
    assert turned.rect == Rect(150, 50, 100, 200)
    assert (turned.key.w, turned.key.h, turned.key.turn) == (200, 100, 900)


def test_a_timeline_moves_an_element_by_whole_pixels_and_says_when_it_is_done() -> None:
    line = {"property": "x", "start": 0, "end": 33, "duration_ms": 1000, "easing": "linear", "delay_ms": 500}
    stage = staged(scene(overlay=[words(width=100, height=50, timelines=[line])]))
    state, _ = showcase.state("slate")
    since = state.on_air.since
    waits, moves, rests = (stage.shown(state, since + at) for at in (100, 1010, 1500))
    assert waits.layers[0].rect.x == 0
    assert waits.until == since + 500
    assert moves.layers[0].rect.x == 17
    assert moves.until == since + 1011
    assert rests.layers[0].rect.x == 33
    assert rests.until == NEVER


def test_what_is_invisible_or_waits_for_something_else_is_not_drawn() -> None:
    document = scene(
        overlay=[words("a", visible=False), words("b", when="sold"), words("c", transform={"opacity": 0.0}), words("d")]
    )
    state, t = showcase.state("auction")
    assert [layer.id for layer in staged(document).shown(state, t).layers] == ["d"]


def test_a_caption_is_shown_for_as_long_as_it_is_said() -> None:
    state, _ = showcase.state("auction")
    said = state.caption
    assert said is not None
    stage = Programme(scenes_for(1920, 1080), 1920, 1080).stages["auction"]
    for t, there in ((said.at - 1, False), (said.at, True), (said.until - 1, True), (said.until, False)):
        assert any(layer.id == "captions" for layer in stage.shown(state, t).layers) is there


def test_a_new_price_rolls_and_then_stands() -> None:
    state, _ = showcase.state("auction")
    lot = state.lot
    assert lot is not None
    contents = [
        layers_of("auction", (state, lot.price_at + after))["price/figures"].key.content for after in (0, 200, 399, 400)
    ]
    assert [type(content) for content in contents] == [Roll, Roll, Roll, Figures]
    progresses = [content.progress for content in contents[:3] if isinstance(content, Roll)]
    assert progresses == sorted(progresses)
    assert progresses[0] == 0
    assert contents[3] == Figures("1.55", 6, "ETH", "brass")


def test_before_the_first_bid_the_price_says_where_bidding_starts() -> None:
    state, t = showcase.state("auction", bids=0)
    found = layers_of("auction", (state, t))
    assert found["price/label"].key.content.text == "Bidding starts at"  # type: ignore[union-attr]
    assert found["price/figures"].key.content == Figures("0.5", 6, "ETH", "text")
    assert found["leader"].key.content.text == "No bids yet"  # type: ignore[union-attr]


def test_the_countdown_turns_urgent_then_into_lamps_that_go_out() -> None:
    state, _ = showcase.state("auction")
    lot = state.lot
    assert lot is not None

    def clock(before_end_ms: int) -> Any:
        found = layers_of("auction", (state, lot.ends_at - before_end_ms))
        return next(layer.key.content for name, layer in found.items() if name in ("countdown/ring", "countdown/lamps"))

    assert clock(61_000) == Ring("1:01", 338, "brass", "left")
    assert clock(60_000) == Ring("1:00", 333, "vermilion", "left")
    assert clock(15_000) == Lamps(3, "0:15", "Fair warning")
    assert [clock(left).lit for left in (10_001, 10_000, 5_001, 5_000, 1, 0)] == [3, 2, 2, 1, 1, 0]
    assert clock(0) == Lamps(0, "0:00", "Closing")


def test_a_paused_lots_clock_stands() -> None:
    state, t = showcase.state("auction")
    lot = state.lot
    assert lot is not None
    paused = replace(state, lot=replace(lot, paused_at=t, status=LotStatus.PAUSED))
    early, late = (layers_of("auction", (paused, t + later))["countdown"].key.content for later in (0, 500_000))
    assert early == late == Ring("1:45", 1000, "quiet", "Paused")


def test_a_new_bid_pushes_the_list_down_and_proxy_raises_are_marked() -> None:
    state, _ = showcase.state("auction")
    lot = state.lot
    assert lot is not None
    at = lot.bids[0].at
    begun, rests = layers_of("auction", (state, at + 40)), layers_of("auction", (state, at + 400))
    newest, second = f"ticker/{lot.bids[0].number}", f"ticker/{lot.bids[1].number}"
    assert begun[newest].rect.y < rests[newest].rect.y
    assert 0 < begun[newest].opacity < rests[newest].opacity == 255
    assert begun[second].rect.y - begun[newest].rect.y == rests[second].rect.y - rests[newest].rect.y
    row = rests[second].key.content
    assert isinstance(row, TickerRow)
    assert row.proxy
    assert not row.leading


def test_the_reserve_is_told_without_its_amount() -> None:
    for bids, has, met, said in (
        (7, True, True, "Reserve met"),
        (2, True, False, "Reserve not yet met"),
        (2, False, False, "No reserve"),
    ):
        state, t = showcase.state("auction", bids=bids)
        assert state.lot is not None
        state = replace(state, lot=replace(state.lot, has_reserve=has, reserve_met=met))
        content = layers_of("auction", (state, t))["reserve"].key.content
        assert isinstance(content, Mark)
        assert content.text == said


def test_the_stamp_falls_once_and_stays() -> None:
    state, _ = showcase.state("sold")
    lot = state.lot
    assert lot is not None
    assert lot.closed_at is not None
    grown = [
        layers_of("sold", (state, lot.closed_at + after))["stamp"].key.grow for after in (350, 450, 550, 610, 60_000)
    ]
    assert grown[0] > grown[1] > grown[2] > grown[3] == grown[4] == 1000
    assert "stamp" not in layers_of("sold", (state, lot.closed_at + 349))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920)])
def test_words_of_a_built_in_scene_keep_to_the_safe_area(name: str, size: tuple[int, int]) -> None:
    state, t = showcase.state(name)
    safe = Rect(round(size[0] * 0.05), round(size[1] * 0.05) - 8, round(size[0] * 0.9), round(size[1] * 0.9) + 8)
    for layer in Programme(scenes_for(*size), *size).stages[name].shown(state, t).layers:
        if type(layer.key.content).__name__ in {
            "Text",
            "Figures",
            "Roll",
            "Lines",
            "Mark",
            "TickerRow",
            "CaptionText",
            "Ring",
            "Lamps",
            "Qr",
        }:
            assert layer.rect.cut(safe) == layer.rect, layer.id


@given(
    st.sampled_from(NAMES),
    st.integers(0, 9),
    st.lists(st.integers(0, 2_500), min_size=1, max_size=25),
    st.sampled_from(["cut", "fade", "slide", "zoom"]),
)
@settings(max_examples=60, deadline=None)
def test_following_a_programme_answers_as_the_programme_itself(
    name: str, bids: int, waits: list[int], kind: Any
) -> None:
    programme = _PROGRAMME
    following = Following(programme)
    state, t = showcase.state(name, bids=bids)
    state = replace(state, on_air=OnAir(name, since=t, previous="auction", transition=kind))
    for index, wait in enumerate(waits):
        t += wait
        if index % 7 == 5 and state.lot is not None:
            state = replace(state, lot=replace(state.lot, ends_at=state.lot.ends_at - 20_000))
        asked = programme.shown(state, t)
        assert following.shown(state, t).layers == asked.layers
        assert asked.until > t


_PROGRAMME = Programme(scenes_for(640, 360), 640, 360)


def test_same_state_and_instant_give_the_same_layers() -> None:
    for one in EVERY:
        stage = Stage(one, one.canvas.width, one.canvas.height)
        assert stage.shown(*showcase.state(one.name)) == stage.shown(*showcase.state(one.name))


def test_the_piece_stays_in_its_place_when_the_scene_changes() -> None:
    state, _ = showcase.state("auction")
    lot = state.lot
    assert lot is not None
    t = lot.ends_at - 15_000
    programme = Programme(scenes_for(1920, 1080), 1920, 1080)
    sold = replace(lot, status=LotStatus.SOLD, closed_at=t)

    def art(name: str, shown: ShowState, at: int) -> Rect:
        return next(layer.rect for layer in programme.stages[name].shown(shown, at).layers if layer.id == "art")

    before = art("auction", state, t)
    assert art("closing", put_on(state, "closing", t), t) == before
    for later in (0, 9_000):
        assert art("sold", put_on(replace(state, lot=sold), "sold", t), t + later) == before


@pytest.mark.parametrize(
    ("stage", "status", "after_closing", "scene"),
    [
        ("PRE_AUCTION", None, 0, "pre-auction"),
        ("AUCTION", None, 0, "intermission"),
        ("AUCTION", LotStatus.SCHEDULED, 0, "intermission"),
        ("AUCTION", LotStatus.PAUSED, 0, "pause"),
        ("AUCTION", LotStatus.CLOSING, 0, "closing"),
        ("AUCTION", LotStatus.SOLD, 11_999, "sold"),
        ("AUCTION", LotStatus.PASSED, 11_999, "passed"),
        ("AUCTION", LotStatus.SOLD, 12_000, "intermission"),
        ("POST_AUCTION", LotStatus.SOLD, 12_000, "post-auction"),
        ("AUCTION", LotStatus.CANCELLED, 0, "intermission"),
        ("CANCELLED", None, 0, "slate"),
    ],
)
def test_each_stage_and_each_end_of_a_lot_has_its_scene(
    stage: Any, status: LotStatus | None, after_closing: int, scene: str
) -> None:
    closed = showcase.OPENS + showcase.RUNS_MS
    lot = None if status is None else replace(showcase.lot(), status=status, closed_at=closed)
    assert choose(stage, lot, closed + after_closing).scene == scene


def test_a_running_lot_goes_to_its_fair_warning_in_time() -> None:
    lot = showcase.lot()
    warned = lot.ends_at - lot.fair_warning_ms
    assert choose("AUCTION", lot, warned - 1) == Choice("auction", warned)
    assert choose("AUCTION", lot, warned) == Choice("closing")


def test_putting_on_the_scene_that_is_on_changes_nothing() -> None:
    state, t = showcase.state("auction")
    assert put_on(state, "auction", t) is state
    on_air = put_on(state, "slate", t, "cut", 0).on_air
    assert on_air == OnAir("slate", t, "auction", "cut", 0)


def test_every_element_has_a_function_that_shows_it() -> None:
    def kinds(base: type[Element]) -> set[type[Element]]:
        return {one for child in base.__subclasses__() for one in (child, *kinds(child))}

    assert set(SHOWS) == kinds(Element)
