"""``sothebais stream …``: what it prints, what it writes, and what a refused step leaves behind."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.media_files import animation, still
from tests.fakes.trials import rows_of
from typer.testing import CliRunner, Result

from sothebais.bootstrap import House
from sothebais.cli.app import app
from sothebais.stream.scenes import parse


@pytest.fixture
def command(house: House, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run ``sothebais stream …`` in a thread of its own."""
    monkeypatch.setenv("DATABASE_URL", house.database_url)
    monkeypatch.setenv("REDIS_URL", house.redis_url)
    monkeypatch.setenv("SOTHEBAIS_DATA_DIR", str(house.settings.data_dir))

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, ["stream", *arguments])

    return run


async def test_assets_are_added_listed_replaced_and_removed(house: House, command: Any, tmp_path: Path) -> None:
    wall, moving = tmp_path / "wall.png", tmp_path / "moving.bin"
    wall.write_bytes(still())
    moving.write_bytes(animation())
    added = await command("assets", "add", str(wall), "--type", "BACKGROUND", "--json")
    assert added.exit_code == 0, added.stderr
    asset = json.loads(added.stdout)
    assert (asset["reference"], asset["media_type"]) == ("BACKGROUND/wall", "image/png")
    listed = json.loads((await command("assets", "list", "--json")).stdout)["items"]
    assert listed == [asset]
    assert "BACKGROUND/wall" in (await command("assets", "list")).stdout
    again = await command("assets", "add", str(wall), "--type", "BACKGROUND")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "BACKGROUND/wall already" in again.stderr
    replaced = await command("assets", "replace", "BACKGROUND/wall", str(moving), "--json")
    assert json.loads(replaced.stdout)["media_type"] == "image/webp"
    removed = await command("assets", "remove", asset["id"])
    assert (removed.exit_code, "is removed" in removed.stdout) == (0, True)
    missing = await command("assets", "remove", asset["id"])
    assert (missing.exit_code, "There is no stream asset" in missing.stderr) == (1, True)
    assert [path for path in (house.settings.data_dir / "assets").rglob("*") if path.is_file()] == []
    audit = await rows_of(house, "select action from audit order by at, id")
    assert [row["action"] for row in audit] == ["stream_asset.create", "stream_asset.replace", "stream_asset.delete"]


async def test_a_file_that_is_refused_leaves_nothing_behind(house: House, command: Any, tmp_path: Path) -> None:
    drawing = tmp_path / "drawing.png"
    drawing.write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    for arguments, said in (
        ((str(drawing), "--type", "OVERLAY"), "SVG drawing"),
        ((str(tmp_path / "none.png"), "--type", "OVERLAY"), "cannot be read"),
        ((str(drawing), "--type", "OVERLAY", "--name", " "), "name must not be empty"),
    ):
        result = await command("assets", "add", *arguments)
        assert result.exit_code == 1
        assert said in " ".join(result.stderr.split())
    assert (await command("assets", "add", str(drawing), "--type", "CURTAIN")).exit_code == 2
    for table in ("stream_assets", "users", "event_logs"):
        assert await rows_of(house, f"select 1 from {table}") == []


async def test_a_broadcast_is_started_given_a_scene_a_slate_and_its_end(
    house: House, command: Any, tmp_path: Path
) -> None:
    early = await command("stop", "--reason", "a")
    assert (early.exit_code, "No stream is running" in early.stderr) == (1, True)
    started = await command("start", "--title", "Evening", "--canvas", "1920x1080", "--json")
    assert started.exit_code == 0, started.stderr
    assert json.loads(started.stdout)["height"] == 1080
    assert (await command("start", "--title", "Another")).exit_code == 1
    assert (await command("start", "--title", "Another", "--canvas", "9x9")).exit_code == 1

    shown = await command("scenes", "show", "auction")
    scene = parse(shown.stdout)
    document = tmp_path / "scene.json"
    document.write_text(shown.stdout)
    put = await command("scenes", "put", str(document), "--on-air", "--reason", "A look", "--json")
    assert json.loads(put.stdout)["scene"]["revision"] == 1
    assert parse((await command("scenes", "show", "auction", "--revision", "1")).stdout) == scene
    lines = {
        (one["name"], one["orientation"]): one["revision"]
        for one in json.loads((await command("scenes", "list", "--json")).stdout)["items"]
    }
    assert (lines["auction", "WIDE"], lines["auction", "VERTICAL"], lines["slate", "WIDE"]) == (1, 0, 0)
    document.write_text('{"name": "a", "canvas": {"width": 5, "height": 1080}}')
    refused = await command("scenes", "put", str(document), "--reason", "A look")
    assert (refused.exit_code, "refused at canvas.width" in " ".join(refused.stderr.split())) == (1, True)
    for wrong in ((), ("--name", "auction", "--automatic"), ("--name", "auction", "--transition", "spin")):
        assert (await command("scenes", "put", *wrong, "--reason", "a")).exit_code == 1

    on = await command("slate", "--reason", "Line lost", "--sentence", "The line is lost.")
    assert "The line is lost." in on.stdout
    assert (await command("slate", "--off", "--reason", "Back")).exit_code == 0
    assert (await command("scenes", "put", "--automatic", "--reason", "On")).stdout.startswith("The scene follows")
    assert json.loads((await command("stop", "--reason", "Midnight", "--json")).stdout)["stop_cause"] == "Midnight"
    told = await rows_of(house, "select data->>'scene' as scene from event_logs where type = 'stream:scene:update'")
    assert sorted(row["scene"] for row in told) == ["auction", "auction", "automatic", "slate"]
    assert json.loads((await command("scenes", "schema")).stdout)["title"] == "Scene"


async def test_a_stored_scene_is_previewed_and_recorded_by_what_the_house_has(
    house: House, command: Any, tmp_path: Path
) -> None:
    shown = json.loads((await command("scenes", "show", "slate")).stdout)
    shown["name"] = "mine"
    document = tmp_path / "mine.json"
    document.write_text(json.dumps(shown))
    stored = await command("scenes", "put", str(document), "--reason", "To look at")
    assert stored.exit_code == 0, stored.stderr
    picture, film = tmp_path / "mine.png", tmp_path / "mine.mp4"
    unknown = await command("preview", "--scene", "mine", "--out", str(picture))
    assert (unknown.exit_code, "With --house" in " ".join(unknown.stderr.split())) == (1, True)
    assert not picture.exists()
    drawn = await command("preview", "--scene", "mine", "--house", "--out", str(picture), "--json")
    assert drawn.exit_code == 0, drawn.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    recorded = await command("record", "--scene", "mine", "--house", "--seconds", "1", "--out", str(film), "--json")
    assert recorded.exit_code == 0, recorded.stderr
    assert json.loads(recorded.stdout)["frames"] == 30
    none = await command("preview", "--scene", "nowhere", "--house", "--out", str(tmp_path / "none.png"))
    assert (none.exit_code, "no wide scene 'nowhere'" in " ".join(none.stderr.split())) == (1, True)
    assert not (tmp_path / "none.png").exists()
