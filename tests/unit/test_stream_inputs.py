"""Pictures between two processes, sizes, and what settings and scenes may say of inputs."""

import json
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from sothebais import config
from sothebais.errors import ConfigurationError
from sothebais.stream import commands, scene_store
from sothebais.stream.example import state
from sothebais.stream.inputs import frames
from sothebais.stream.inputs.frames import SharedFrames
from sothebais.stream.inputs.model import HEIGHT_MAX, INPUTS_MAX, WIDTH_MAX, InputSpec, fitted, reference
from sothebais.stream.inputs.reader import NoPicture, pixels_of
from sothebais.stream.layers import NEVER, Feed, Key
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes import Scene, SceneRefused, dump, parse
from sothebais.stream.stage import Stage
from sothebais.stream.surfaces import FEEDS_MAX, Surfaces, blank

AT = 1_800_000_000_000
WRITTEN = 400


def solid(value: int, width: int = 64, height: int = 36) -> np.ndarray:
    return np.full((height, width, 4), value, np.uint8)


@pytest.fixture
def shared():
    made = SharedFrames.create()
    yield made
    made.close()


def test_the_newest_picture_is_taken_once(shared: SharedFrames) -> None:
    assert shared.newest == 0
    assert shared.take(0) is None
    for value in (1, 2, 3, 4, 5):
        shared.put(solid(value))
    kept = shared.take(0)
    assert kept is not None
    assert kept.number == 5
    assert (kept.pixels == 5).all()
    assert shared.take(kept.number) is None
    shared.put(solid(6, WIDTH_MAX, HEIGHT_MAX))
    kept = shared.take(kept.number)
    assert kept is not None
    assert kept.pixels.shape == (HEIGHT_MAX, WIDTH_MAX, 4)


def test_no_picture_is_larger_than_its_place(shared: SharedFrames) -> None:
    for width, height in ((WIDTH_MAX + 2, 2), (2, HEIGHT_MAX + 2)):
        with pytest.raises(ValueError, match="is larger than"):
            shared.put(solid(1, width, height))
    assert shared.newest == 0


@pytest.mark.parametrize("head", [(1, 0, 36), (1, WIDTH_MAX + 1, 36), (1, 64, 2**31), (2, 64, 36)])
def test_what_a_broken_writer_says_of_sizes_is_not_believed(shared: SharedFrames, head: tuple[int, int, int]) -> None:
    shared.put(solid(1))
    frames._HEAD.pack_into(shared._memory, shared._begin(1), *head)
    assert shared.take(0) is None


def test_a_picture_is_never_two_halves(shared: SharedFrames) -> None:
    writer = SharedFrames(shared.descriptor)
    done = threading.Event()

    def write() -> None:
        for number in range(WRITTEN):
            writer.put(solid(number % 251, 640, 360))
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    taken, last = 0, 0
    while not done.is_set() or last < WRITTEN:
        kept = shared.take(last)
        if kept is None:
            continue
        assert kept.number > last
        assert (kept.pixels == (kept.number - 1) % 251).all(), kept.number
        taken, last = taken + 1, kept.number
    thread.join()
    assert taken >= 1


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ((640, 360), (640, 360)),
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (404, 720)),
        ((1921, 3), (1280, 2)),
        ((1, 1), (2, 2)),
    ],
)
def test_sizes_fit_and_are_even(source: tuple[int, int], kept: tuple[int, int]) -> None:
    assert fitted(*source) == kept


@pytest.mark.parametrize(
    ("size", "tag", "made_by"),
    [
        ((640, 360), None, "ITU601"),
        ((1280, 720), None, "ITU709"),
        ((640, 360), 1, "ITU709"),
        ((1280, 720), 6, "ITU601"),
    ],
)
def test_colours_are_what_they_were(size: tuple[int, int], tag: int | None, made_by: str) -> None:
    colour = np.empty((size[1], size[0], 3), np.uint8)
    colour[:] = (200, 60, 20)
    frame = av.VideoFrame.from_ndarray(colour, format="rgb24").reformat(format="yuv420p", dst_colorspace=made_by)
    frame.colorspace = 2 if tag is None else tag
    pixels = pixels_of(frame)
    assert pixels.shape == (size[1], size[0], 4)
    assert np.abs(pixels[50, 50].astype(int) - (20, 60, 200, 255)).max() <= 4


def test_a_picture_that_is_too_large_is_refused() -> None:
    assert pixels_of(av.VideoFrame(1920, 1080, "yuv420p")).shape == (720, 1280, 4)
    with pytest.raises(NoPicture, match="larger than 1920"):
        pixels_of(av.VideoFrame(2560, 1440, "yuv420p"))


def test_an_address_is_not_in_what_a_specification_looks_like() -> None:
    assert repr(InputSpec(name="guest", source="rtmp://host/app/KEY")) == "InputSpec(name='guest')"


def test_the_settings_take_addresses_of_inputs_and_say_nothing_of_them(tmp_path: Path) -> None:
    given = {f"guest-{number}": f"rtmps://host/app/KEY{number}" for number in range(INPUTS_MAX)}
    assert list(config.load(data_dir=tmp_path, stream_inputs=given).stream_inputs) == list(given)
    for wrong in (
        given | {"one-more": "rtmp://host/app/KEY"},
        {"guest": "https://host/app/KEY"},
        {"guest": "rtmp://host"},
        {"A guest": "rtmp://host/app/KEY"},
    ):
        with pytest.raises(ConfigurationError) as refused:
            config.load(data_dir=tmp_path, stream_inputs=wrong)
        assert "stream_inputs" in str(refused.value)
        assert "KEY" not in str(refused.value).replace("server/app/KEY", "")


@pytest.mark.parametrize("name", ["hls", "recording", "preview"])
def test_an_output_is_not_called_as_one_of_the_houses_own(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="own output"):
        config.load(data_dir=tmp_path, stream_outputs={name: "rtmp://host/app/KEY"})
    assert config.load(data_dir=tmp_path, stream_inputs={name: "rtmp://host/app/KEY"}).stream_inputs


def a_scene(**element: object) -> Scene:
    stream = {"type": "stream", "id": "guest", "source": "guest"} | element
    document = {"name": "studio", "canvas": {"width": 1920, "height": 1080}}
    quadrants = {"top_left": {"elements": [stream]}}
    return Scene.model_validate_json(json.dumps(document | {"quadrants": quadrants}))


def test_a_scene_names_its_inputs_and_none_that_are_not_there() -> None:
    scene = a_scene()
    assert parse(dump(scene)) == scene
    assert scene_store.sources(scene) == {}
    assert scene_store.inputs(scene) == {"guest": "quadrants.top_left.elements[0].source"}
    commands.check_inputs(scene, {"guest"})
    for known, what in (((), "there are none"), (("studio", "door"), "there are door, studio")):
        with pytest.raises(SceneRefused) as refused:
            commands.check_inputs(scene, known)
        assert refused.value.fields["path"] == "quadrants.top_left.elements[0].source"
        assert what in refused.value.message


def test_an_address_cannot_stand_in_a_scene() -> None:
    document = json.loads(dump(a_scene()))
    document["quadrants"]["top_left"]["elements"][0]["source"] = "rtmp://host/app/KEY"
    with pytest.raises(SceneRefused) as refused:
        parse(json.dumps(document))
    assert refused.value.fields["path"] == "quadrants.top_left.elements[0].source"


def test_a_scene_with_an_input_is_looked_at_again_all_the_time() -> None:
    stage = Stage(a_scene(), 1280, 720)
    shown = stage.shown(state("studio", AT), AT)
    assert AT < shown.until <= AT + 34
    assert shown.until != NEVER
    assert stage.shown(state("studio", AT), shown.until).layers != shown.layers
    (layer,) = shown.layers
    assert layer.key.content == Feed(reference("guest"), AT // 33, cover=True)


def test_of_an_input_only_the_newest_surface_is_kept() -> None:
    pictures = HeldPictures()
    surfaces = Surfaces(pictures)
    for value in range(3):
        pictures.put_live(reference("guest"), blank(8 + value, 8).makeImageSnapshot())
        key = Key(Feed(reference("guest"), value), 64, 36, 1.0, "dark")
        assert surfaces.get(key, 64, 36) is surfaces.get(key, 64, 36)
    assert (len(surfaces), surfaces.bytes_held, surfaces.painted) == (0, 0, 3)
    for width in range(1, FEEDS_MAX + 5):
        surfaces.get(Key(Feed(reference("guest"), 7), width, 36, 1.0, "dark"), width, 36)
    assert len(surfaces._feeds) == FEEDS_MAX
    pictures.put_live(reference("guest"), None)
    assert pictures.picture(reference("guest")) is None
