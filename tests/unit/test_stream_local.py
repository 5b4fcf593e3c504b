"""``sothebais stream preview`` and ``record`` without a house: what they write, and that a refusal writes nothing."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from sothebais.cli.app import app
from sothebais.errors import InvalidInput, Unavailable
from sothebais.stream import example, local
from sothebais.stream.compositor import full
from sothebais.stream.encoding import Format
from sothebais.stream.local import SECONDS_MAX, Show
from sothebais.stream.scenes.builtin import NAMES, scenes_for
from sothebais.stream.stage import Programme

AT = 1_780_000_000_000
SMALL = Format(width=320, height=180, fps=10, video_kbps=300)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOTHEBAIS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SOTHEBAIS_STREAM_ENCODER", "libx264")
    monkeypatch.setenv("SOTHEBAIS_STREAM_MUSIC", "false")
    return tmp_path


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["stream", *arguments])


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "data")


def a_show(name: str = "auction") -> Show:
    scene = next(scene for scene in scenes_for(320, 180) if scene.name == name)
    return Show(scene, example.state(name, AT), AT, local.held({}))


def test_a_preview_is_the_scene_as_the_composer_draws_it(folder: Path) -> None:
    show = a_show("closing")
    (folder / "closing.png").write_bytes(local.still(show, 320, 180))
    seen = np.asarray(Image.open(folder / "closing.png").convert("RGB"))
    layers = Programme([show.scene], 320, 180).shown(show.state, AT).layers
    assert np.array_equal(seen, full(layers, 320, 180, show.pictures)[..., 2::-1])


def test_preview_writes_a_picture_of_the_scene_by_its_name(folder: Path) -> None:
    done = command("preview", "--scene", "slate")
    assert (done.exit_code, files(folder)) == (0, ["slate.png"])
    assert Image.open(folder / "slate.png").size == (1280, 720)
    done = command("preview", "--scene", "slate", "--vertical", "--out", "other.png", "--json")
    told = json.loads(done.stdout)
    assert (told["file"], told["width"], told["height"]) == ("other.png", 720, 1280)
    assert Image.open(folder / "other.png").size == (720, 1280)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("preview", "--scene", "nowhere"), "There is no built-in scene 'nowhere'; there are pre-auction"),
        (("preview", "--out", "a.jpg"), "must end in .png"),
        (("preview", "--out", "none/a.png"), "there is no folder"),
        (("record", "--seconds", "1", "--out", "a.avi"), "must end in .mp4"),
        (("record", "--seconds", "1", "--out", "none/a.mp4"), "there is no folder"),
        (("record", "--seconds", "1", "--out", "a.mp4", "--scene", "nowhere"), "no built-in scene"),
    ],
)
def test_what_cannot_be_drawn_or_written_is_refused_in_a_sentence(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    refused = command(*arguments)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert said in " ".join(refused.stderr.split())
    assert files(folder) == []


def test_a_recording_has_each_frame_and_as_much_sound(folder: Path) -> None:
    done = command("record", "--seconds", "1", "--out", "evening.mp4", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["frames"], told["encoder"]) == (30, "libx264")
    assert files(folder) == ["evening.mp4"]
    with av.open(str(folder / "evening.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 30
    with av.open(str(folder / "evening.mp4")) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    # the first block is the encoder's run-up, the last one is full
    assert abs(samples - 48_000) <= 2 * 1_024


def test_a_recording_is_as_long_as_is_bounded(folder: Path) -> None:
    for seconds in (0, SECONDS_MAX + 1):
        with pytest.raises(InvalidInput, match=f"between 1 and {SECONDS_MAX}"):
            local.record(a_show(), folder / "a.mp4", SMALL, seconds=seconds, music=False)
        assert command("record", "--seconds", str(seconds), "--out", "a.mp4").exit_code == 2
    assert files(folder) == []


def test_without_an_encoder_there_is_no_file(folder: Path) -> None:
    with pytest.raises(Unavailable, match="sothebais doctor"):
        local.record(a_show(), folder / "a.mp4", SMALL, seconds=1, codec="h264_nowhere", music=False)
    assert files(folder) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_built_in_scene_has_an_example_to_be_drawn_by(name: str) -> None:
    assert local.still(a_show(name), 320, 180).startswith(b"\x89PNG")
