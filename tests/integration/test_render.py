"""A lot is drawn again from its log as it was drawn live, and written as a file that players take."""

import asyncio
import io
from pathlib import Path
from typing import Any
from uuid import UUID

import av
import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image
from tests.fakes.house import MINUTE, a_lot, a_user, advance, api_client, bid, eventually, step
from tests.fakes.show import (
    SHOWN,
    a_day,
    a_message,
    a_mood,
    a_scene,
    a_speech,
    following,
    tell,
    without_position,
)
from typer.testing import CliRunner

from sothebais import sound
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.catalog.assets import AssetStore
from sothebais.cli.app import app
from sothebais.db.engine import connect
from sothebais.errors import Conflict, InvalidInput, NotFound, Unavailable
from sothebais.state.store import StateStore
from sothebais.stream import clip_file, render, scene_store, snapshot
from sothebais.stream.chronicle import Chronicle
from sothebais.stream.compositor import Composer
from sothebais.stream.follower import Change
from sothebais.stream.render import Material, Wanted
from sothebais.stream.rendering import Rendering
from sothebais.stream.scenes import builtin
from sothebais.stream.scenes.model import OverlayElement
from sothebais.stream.show_pictures import ShowPictures
from sothebais.stream.stage import Programme
from sothebais.users.tables import Role

WIDTH, HEIGHT, FPS = 320, 180, 10
SMALL = Wanted(width=WIDTH, height=HEIGHT, fps=FPS)


class Sale:
    """A lot that was sold, and how a follower told it meanwhile."""

    def __init__(self, auction: UUID, changes: list[Change]) -> None:
        self.auction, self.changes = auction, changes


@pytest.fixture
async def sale(house: House, engine: AuctionEngine) -> Sale:
    """A short lot with a picture, bids, a speaking host, an operator's scene and an end."""
    _, day, pieces = await a_day(house)
    store = AssetStore.in_data_dir(house.settings.data_dir)
    picture = io.BytesIO()
    Image.effect_noise((240, 180), 80).convert("RGB").save(picture, "PNG")
    stored = store.put(picture.getvalue(), "png")
    async with house.engine.begin() as connection:
        await connection.execute(
            sa.text("update art_items set asset_path = :key, asset_width = 240, asset_height = 180 where id = :id"),
            {"key": stored.key, "id": pieces[0]},
        )
    ana, bea = await a_user(house, "ana"), await a_user(house, "bea")
    boss = await a_user(house, "boss", role=Role.OPERATOR)
    lot = await a_lot(house, item=pieces[0], campaign_day=day, lasts=5 * MINUTE, title="Four vessels")
    changes: list[Change] = []
    async with following(house, day=day, on_change=changes.append) as follower:
        await advance(engine, lot)
        await tell(house, "agent:mood", a_mood("HAPPY"))
        await bid(engine, lot, ana, "1", "2")
        said = await tell(house, "agent:message", a_message("One ether, and the light does the talking."))
        tone = np.sin(np.arange(22_050) * 2 * np.pi * 440 / 22_050).astype(np.float32) * 0.3
        spoken = await tell(house, "agent:speech", a_speech(said, house.now() + 100))
        store.put_speech(spoken, sound.encode(tone, 22_050))
        await bid(engine, lot, bea, "1.5")
        await tell(house, "stream:scene:update", a_scene("slate", boss))
        await asyncio.sleep(0.3)  # the lot's own time
        await tell(house, "stream:scene:update", a_scene("automatic", boss, transition="fade"))
        await asyncio.sleep(0.9)
        await step(engine, lot, "END", actor=boss)

        async def told() -> bool:
            return follower.current is not None and follower.current.state.on_air.scene == "sold"

        await eventually(told, "the follower tells of the end")
        await asyncio.sleep(0.8)
    return Sale(lot, changes)


async def material_of(house: House, auction: UUID, wanted: Wanted) -> Material:
    connection = await connect(house.database_url, name="test")
    try:
        return await render.from_house(connection, auction, wanted, SHOWN)
    finally:
        await connection.close()


def pictures_of(house: House) -> ShowPictures:
    return ShowPictures(AssetStore.in_data_dir(house.settings.data_dir).get)


def decoded(path: Path) -> tuple[list[np.ndarray], np.ndarray, Any]:
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        facts = {
            "codec": video.codec_context.name, "size": (video.codec_context.width, video.codec_context.height),
            "matrix": video.codec_context.colorspace, "range": video.codec_context.color_range,
            "audio": audio.codec_context.name, "rate": audio.rate, "channels": audio.codec_context.channels,
        }  # fmt: skip
        frames = [frame.to_ndarray() for frame in container.decode(video)]
        container.seek(0)
        sound = np.concatenate([frame.to_ndarray() for frame in container.decode(audio)], axis=1)
    return frames, sound, facts


async def test_a_rendered_lot_has_the_pixels_the_live_composer_drew(house: House, sale: Sale) -> None:
    first = await material_of(house, sale.auction, SMALL)
    rendering = Rendering(first.stretch, first.chronicle, first.events, pictures_of(house))
    programme = Programme(builtin.scenes_for(WIDTH, HEIGHT), WIDTH, HEIGHT)
    live = Composer(programme, pictures_of(house))
    seen = set()
    moved = 0
    before: bytes | None = None
    for rendered in rendering.frames():
        live.render(rendered.state, rendered.at)
        assert np.array_equal(live.frame.buffer, rendered.buffer), f"frame {rendered.frame}"
        seen.add(rendered.state.on_air.scene)
        now = rendered.buffer.tobytes()
        moved += now != before
        before = now
    assert seen == {"auction", "slate", "sold"}
    assert moved > 5


async def test_what_a_follower_told_is_what_a_rendering_shows_at_that_place_of_the_log(
    house: House, sale: Sale
) -> None:
    connection = await connect(house.database_url, name="test")
    try:
        facts = await snapshot.beginning(connection, sale.auction, SHOWN)
        events = [told async for told in snapshot.whole(connection, facts)]
    finally:
        await connection.close()
    chronicle = Chronicle(facts)
    last = ""
    for change in sale.changes:
        place = tuple(map(int, change.position.split(".")))
        while events and events[0].place is not None and events[0].place <= place:
            chronicle.apply(events.pop(0))
        assert without_position(chronicle.state(change.at)) == without_position(change.state)
        last = change.state.on_air.scene
    assert last == "sold"
    # a machine that stands still for a moment is told of fewer states, each of them whole
    assert len(sale.changes) > 3


async def test_a_clip_is_a_file_that_begins_at_once_and_sounds(house: House, sale: Sale, tmp_path: Path) -> None:
    material = await material_of(house, sale.auction, SMALL)
    again = await material_of(house, sale.auction, SMALL)
    drawn = [
        frame.buffer.copy()
        for frame in Rendering(material.stretch, again.chronicle, again.events, pictures_of(house)).frames()
    ]
    out = tmp_path / "clip.mp4"
    steps: list[int] = []
    speech = AssetStore.in_data_dir(house.settings.data_dir)
    made = await asyncio.to_thread(
        render.write, material, out, pictures_of(house), speech.speech, progress=lambda done, _: steps.append(done)
    )
    assert steps == list(range(1, made.frames + 1))
    assert (made.speeches, made.speeches_missing) == (1, 0)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["clip.mp4"]
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    frames, sound, facts = decoded(out)
    assert facts == {
        "codec": "h264", "size": (WIDTH, HEIGHT), "matrix": 6, "range": 1, "audio": "aac", "rate": 48_000, "channels": 2,
    }  # fmt: skip
    assert len(frames) == made.frames == len(drawn)
    for frame, expected in zip(frames, drawn, strict=True):
        error = np.mean((frame[:HEIGHT].astype(int) - expected[:HEIGHT].astype(int)) ** 2)
        assert 10 * np.log10(255**2 / max(error, 1e-9)) > 30
    assert abs(sound.shape[1] - made.frames * 48_000 / FPS) < 3 * 1_024
    loud = np.abs(sound[0])
    spoken = material.speeches[0].data["starts_at"] - material.stretch.begin
    at = spoken * 48
    assert loud[max(0, at - 9_600) : max(1, at - 2_000)].max(initial=0) < 0.01
    assert loud[at + 10_000 : at + 30_000].max() > 0.05


async def test_a_stored_scene_is_drawn_at_the_revision_that_was_on_air(
    house: House, engine: AuctionEngine, tmp_path: Path
) -> None:
    _, day, pieces = await a_day(house, lots=1)
    boss = await a_user(house, "boss", role=Role.OPERATOR)
    lot = await a_lot(house, item=pieces[0], campaign_day=day)
    await advance(engine, lot)
    plain = next(scene for scene in builtin.scenes_for(WIDTH, HEIGHT) if scene.name == "slate")
    colours: tuple[Any, Any] = ("vermilion", "sage")
    for colour in colours:
        filled = OverlayElement(type="overlay", id="fill", kind="fill", colour=colour)
        own = plain.model_copy(update={"name": "welcome", "background": (filled,), "overlay": ()})
        async with house.engine.begin() as connection:
            await scene_store.add(connection, own, boss)
    await tell(house, "stream:scene:update", a_scene("welcome", boss, revision=1))
    await asyncio.sleep(0.25)  # the lot's own time
    await tell(house, "stream:scene:update", a_scene("welcome", boss, revision=2))
    await asyncio.sleep(0.25)
    material = await material_of(house, lot, SMALL)
    assert [scene.revision for scene in material.scenes] == [1, 2]
    shades: list[tuple[int, ...]] = []
    for frame in Rendering(
        material.stretch, material.chronicle, material.events, pictures_of(house), material.scenes
    ).frames():
        if frame.state.on_air.scene == "welcome":
            picture = av.VideoFrame.from_ndarray(frame.buffer, format="yuv420p").to_ndarray(format="rgb24")
            shades.append(tuple(int(value) for value in picture[4, 4]))
    red = [shade for shade in shades if shade[0] > shade[1] + 60]
    green = [shade for shade in shades if shade[1] > shade[0] + 20]
    assert red
    assert green
    assert shades == red + green
    # a vertical picture has no such scene: the show's own is drawn, as it is live
    upright = await material_of(house, lot, Wanted(width=HEIGHT, height=WIDTH, fps=FPS))
    drawn = Rendering(upright.stretch, upright.chronicle, upright.events, pictures_of(house), upright.scenes)
    assert {frame.state.on_air.scene for frame in drawn.frames()} == {"auction"}


async def test_what_cannot_be_rendered_is_refused_and_leaves_nothing(
    house: House, engine: AuctionEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = await a_lot(house, opens_in=MINUTE)
    with pytest.raises(Conflict, match="has not begun"):
        await material_of(house, early, SMALL)
    with pytest.raises(NotFound):
        await material_of(house, UUID(int=7), SMALL)
    lot = await a_lot(house)
    await advance(engine, lot)
    for begin, end, what in (
        ("0.002", "0.001", "--from must be before --to"),
        ("soon", None, "is no time"),
        (None, "2099-01-01T00:00:00Z", "has not come"),
        (None, "1:99", "is no time"),
        ("2001-01-01T00:00:00Z", None, "At most 6 hours"),
    ):
        with pytest.raises(InvalidInput, match=what):
            await material_of(house, lot, Wanted(begin=begin, end=end, width=WIDTH, height=HEIGHT))
    for given, what in (({"width": 321}, "even"), ({"fps": 0}, "--fps"), ({"fps": 61}, "--fps")):
        with pytest.raises(InvalidInput, match=what):
            await material_of(house, lot, Wanted(**({"width": WIDTH, "height": HEIGHT} | given)))
    material = await material_of(house, lot, Wanted(width=WIDTH, height=HEIGHT, begin="0", end="0.1"))
    for name, what in (("clip.avi", "must end in .mp4"), ("no/clip.mp4", "there is no folder")):
        with pytest.raises(InvalidInput, match=what):
            render.write(material, tmp_path / name, pictures_of(house), lambda _: None)
    monkeypatch.setattr(clip_file, "SPARE_BYTES", 10**18)
    with pytest.raises(Unavailable, match="Make room"):
        render.write(material, tmp_path / "clip.mp4", pictures_of(house), lambda _: None)
    monkeypatch.undo()

    def broken(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render.write(material, tmp_path / "clip.mp4", pictures_of(house), lambda _: None, progress=broken)
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


async def test_the_command_renders_from_the_house_and_from_an_exported_log(
    house: House, engine: AuctionEngine, store: StateStore, sale: Sale, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("DATABASE_URL", house.database_url),
        ("REDIS_URL", house.redis_url),
        ("SOTHEBAIS_DATA_DIR", str(house.settings.data_dir)),
    ):
        monkeypatch.setenv(name, value)
    log = tmp_path / "lot.ndjson"
    async with api_client(house, engine, store) as client:
        log.write_bytes((await client.get(f"/api/v1/auctions/{sale.auction}/log")).content)
    clip, upright = tmp_path / "clip.mp4", tmp_path / "upright.mp4"
    size = f"{WIDTH}x{HEIGHT}"

    def run(*given: str) -> Any:
        return CliRunner().invoke(app, ["render", *given])

    result = await asyncio.to_thread(
        run, str(sale.auction), "--out", str(clip), "--size", size, "--fps", "5", "--from", "-0.5", "--to", "-0"
    )
    assert result.exit_code == 0, result.output
    assert "320 × 180, 0.5 s" in result.stdout
    frames, _, _ = decoded(clip)
    assert len(frames) == 2
    result = await asyncio.to_thread(
        run, str(log), "--out", str(upright), "--vertical", "--size", "180x320", "--fps", "5", "--to", "1", "--json"
    )
    assert result.exit_code == 0, result.output
    assert '"frames": 5' in result.stdout
    frames, _, facts = decoded(upright)
    assert facts["size"] == (180, 320)
    for given, what in (
        ((str(UUID(int=3)), "--out", str(tmp_path / "x.mp4")), "no auction with this id"),
        (("nonsense", "--out", str(tmp_path / "x.mp4")), "neither an auction's id nor a file"),
        ((str(sale.auction), "--out", str(tmp_path / "x.mkv")), "must end in .mp4"),
        ((str(sale.auction), "--out", str(tmp_path / "x.mp4"), "--size", "big"), "is no size"),
        ((str(clip), "--out", str(tmp_path / "x.mp4")), "of the log is no event"),
    ):
        result = await asyncio.to_thread(run, *given)
        assert result.exit_code == 1
        assert what in result.output
    assert sorted(path.name for path in tmp_path.glob("*.mp4")) == ["clip.mp4", "upright.mp4"]
