"""The store of stream assets: every type and format in, hostile files refused, one file for one content."""

import asyncio
import io
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from tests.fakes.house import a_user, an_item, whole_log
from tests.fakes.media_files import animation, sound, still, video
from tests.fakes.trials import rows_of

from sothebais import ids
from sothebais.bootstrap import House
from sothebais.catalog.assets import AssetStore
from sothebais.errors import Conflict, InvalidInput, NotFound
from sothebais.events.actions import Actor
from sothebais.stream import commands, decoding
from sothebais.stream.assets import repository
from sothebais.stream.assets.intake import AssetIntake
from sothebais.stream.assets.service import FOLDERS, StreamAssets
from sothebais.stream.confined import Children
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes import parse
from sothebais.stream.tables import AssetType
from sothebais.users.tables import Role

GIVEN = {
    AssetType.BACKGROUND: (still("JPEG"), "image/jpeg", "still"),
    AssetType.OVERLAY: (still("PNG"), "image/png", "still"),
    AssetType.NFT: (animation("GIF"), "image/webp", "animation"),
    AssetType.EXPRESSION: (still("WEBP"), "image/webp", "still"),
    AssetType.CHARACTER_BACKGROUND: (video("webm", "libvpx-vp9", frames=10), "video/webm", "video"),
    AssetType.PROP: (animation("WEBP"), "image/webp", "animation"),
    AssetType.AUDIO: (sound("flac", "flac"), "audio/flac", "audio"),
}


@pytest.fixture
def store(house: House) -> AssetStore:
    return AssetStore.in_data_dir(house.settings.data_dir)


@pytest.fixture
def assets(house: House, store: AssetStore) -> StreamAssets:
    return StreamAssets(house.engine, store, AssetIntake(Children(), bytes_max=2_000_000))


@pytest.fixture
async def actor(house: House) -> Actor:
    return Actor(await a_user(house, "olga", role=Role.OPERATOR), "OPERATOR")


def files(house: House) -> list[Path]:
    root = house.settings.data_dir / "assets"
    return sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())


async def test_every_type_takes_its_files_in_and_tells_of_it_in_the_same_transaction(
    house: House, assets: StreamAssets, actor: Actor
) -> None:
    for type_, (data, media_type, kind) in GIVEN.items():
        row = await assets.add(f"my {type_.lower()}", type_, data, actor, house.now())
        assert (row.media_type, row.metadata["kind"], row.type) == (media_type, kind, type_)
        assert row.path.startswith(f"{FOLDERS[type_]}/")
        assert len(await assets.content(row)) == row.size
    async with house.engine.connect() as connection:
        rows = await repository.assets(connection)
        assert [row.type for row in rows] == list(GIVEN)
        assert [row.type for row in await repository.assets(connection, type_=AssetType.NFT)] == [AssetType.NFT]
    log = await whole_log(house.database_url)
    told = [event.decoded() for event in log if event.type == "stream:asset:loaded"]
    assert [event["asset_type"] for event in told] == [type_.value for type_ in GIVEN]
    assert told[0]["sha256"] == rows[0].sha256.hex()
    done = await rows_of(house, "select action from audit order by at, id")
    assert {row["action"] for row in done} == {"stream_asset.create"}


async def test_a_hostile_or_broken_file_is_refused_and_leaves_nothing(
    house: House, assets: StreamAssets, actor: Actor
) -> None:
    bomb = io.BytesIO()
    bomb.write(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\xff\xff\x00\x00\xff\xff\x08\x02\x00\x00\x00")
    for name, type_, data, message in (
        ("svg", AssetType.OVERLAY, b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG drawing"),
        ("page", AssetType.OVERLAY, b"<!doctype html><script>1</script>", "web page"),
        ("empty", AssetType.OVERLAY, b"", "empty"),
        ("text", AssetType.AUDIO, b"#EXTM3U\nfile:///etc/passwd\n", "no picture that can be recognised"),
        ("bomb", AssetType.NFT, bomb.getvalue(), "cut off|too large|damaged"),
        ("large video", AssetType.NFT, video(frames=1, size=(4_100, 32)), "4,100 × 32 pixels"),
        ("long video", AssetType.NFT, video(frames=122, size=(16, 16), rate=1), "lasts 122 s"),
        ("cut video", AssetType.NFT, video()[:-100], "cut off"),
        (
            "broken video",
            AssetType.NFT,
            video("webm", "libvpx")[:100] + bytes(900),
            "cut off|damaged|belong to nothing",
        ),
        ("polyglot", AssetType.NFT, video() + b"<script>alert(1)</script>", "belong to nothing|cut off"),
        ("picture polyglot", AssetType.NFT, still() + b"PK\x03\x04" * 9, "follow the picture"),
        ("sound as picture", AssetType.PROP, sound("wav", "pcm_s16le"), "This is a sound"),
        ("picture as sound", AssetType.AUDIO, still(), "This is a picture"),
        ("video as sound", AssetType.AUDIO, video(), "This is a picture or a video"),
        ("matroska", AssetType.NFT, video("matroska"), "Matroska file that is no WebM"),
        ("too many bytes", AssetType.NFT, bytes(2_000_001), "at most 2,000,000"),
    ):
        with pytest.raises(InvalidInput, match=message):
            await assets.add(name, type_, data, actor, house.now())
    assert files(house) == []
    assert await rows_of(house, "select 1 from stream_assets") == []
    assert not await whole_log(house.database_url)


async def test_the_same_content_is_stored_once_and_removed_with_its_last_row(
    house: House, assets: StreamAssets, actor: Actor
) -> None:
    one, two = await asyncio.gather(
        *(assets.add(name, AssetType.BACKGROUND, still(), actor, house.now()) for name in ("one", "two"))
    )
    assert one.path == two.path
    assert len(files(house)) == 1
    with pytest.raises(Conflict, match="BACKGROUND/one already"):
        await assets.add("one", AssetType.BACKGROUND, still(colour="#000000"), actor, house.now())
    assert len(files(house)) == 1
    await assets.remove(one.id, actor, house.now())
    assert len(files(house)) == 1
    await assets.remove(two.id, actor, house.now())
    assert files(house) == []
    with pytest.raises(NotFound):
        await assets.remove(two.id, actor, house.now())


async def test_two_who_take_one_name_at_the_same_moment_leave_one_row_and_one_file(
    house: House, assets: StreamAssets, actor: Actor
) -> None:
    colours = ("#111111", "#222222", "#333333")
    answers = await asyncio.gather(
        *(assets.add("curtain", AssetType.OVERLAY, still(colour=one), actor, house.now()) for one in colours),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Conflict", "Row"]
    assert len(files(house)) == 1


async def test_replacing_keeps_id_and_name_and_lets_the_old_file_go(
    house: House, assets: StreamAssets, actor: Actor
) -> None:
    before = await assets.add("wall", AssetType.BACKGROUND, still(), actor, house.now())
    after = await assets.replace(before.id, video(frames=10), actor, house.now())
    assert (after.id, after.name, after.media_type) == (before.id, "wall", "video/mp4")
    assert [str(path) for path in files(house)] == [after.path]
    with pytest.raises(InvalidInput, match="This is a sound"):
        await assets.replace(before.id, sound("wav", "pcm_s16le"), actor, house.now())
    assert [str(path) for path in files(house)] == [after.path]
    with pytest.raises(NotFound):
        await assets.replace(ids.new_id(), still(), actor, house.now())
    loaded = [event for event in await whole_log(house.database_url) if event.type == "stream:asset:loaded"]
    assert len(loaded) == 2


async def test_a_file_that_an_art_item_shows_stays(
    house: House, assets: StreamAssets, actor: Actor, connection: Any
) -> None:
    item = await an_item(house)
    row = await assets.add("piece", AssetType.NFT, still(), actor, house.now())
    await connection.execute("update art_items set asset_path = $1 where id = $2", row.path, item)
    await assets.remove(row.id, actor, house.now())
    assert [str(path) for path in files(house)] == [row.path]


async def test_an_asset_that_a_scene_shows_is_not_removed(house: House, assets: StreamAssets, actor: Actor) -> None:
    row = await assets.add("velvet", AssetType.BACKGROUND, still(), actor, house.now())
    for source in ("BACKGROUND/velvet", str(row.id)):
        scene = parse(
            '{"name": "mine", "canvas": {"width": 1920, "height": 1080}, "background":'
            f' [{{"type": "image", "id": "wall", "source": "{source}"}}]}}'
        )
        await commands.put_scene(house.engine, actor, house.now(), reason="A new look", document=scene, on_air=False)
        with pytest.raises(Conflict, match="'mine' shows this asset"):
            await assets.remove(row.id, actor, house.now())
    plain = parse('{"name": "mine", "canvas": {"width": 1920, "height": 1080}}')
    await commands.put_scene(house.engine, actor, house.now(), reason="Plain", document=plain, on_air=False)
    await assets.remove(row.id, actor, house.now())
    assert files(house) == []


async def test_animated_artwork_of_every_kind_plays_from_the_store(
    house: House, assets: StreamAssets, actor: Actor
) -> None:
    for name, data, frames in (
        ("gif", animation("GIF"), 3),
        ("webp", animation("WEBP"), 3),
        ("mp4", video(frames=45, sound_codec="aac"), 45),
        ("webm", video("webm", "libvpx-vp9", frames=30), 30),
    ):
        row = await assets.add(name, AssetType.NFT, data, actor, house.now())
        held = HeldPictures()
        artwork = decoding.hold(held, f"NFT/{name}", await assets.content(row))
        assert (artwork.width, artwork.height) == (row.width, row.height)
        assert artwork.frames == frames
        seen = {held.picture(f"NFT/{name}", index).toarray()[5, 5].tobytes() for index in range(frames)}  # type: ignore[union-attr]
        assert len(seen) >= 3


async def test_a_store_that_lost_a_file_says_so(
    house: House, assets: StreamAssets, store: AssetStore, actor: Actor
) -> None:
    row = await assets.add("wall", AssetType.BACKGROUND, still(), actor, house.now())
    assert store.delete(row.path)
    assert not store.delete(row.path)
    with pytest.raises(NotFound):
        await assets.content(row)
    with pytest.raises(NotFound):
        store.delete("stream/backgrounds/../../../secret")


async def test_names_and_ids_lead_to_assets_and_nothing_else_does(
    house: House, assets: StreamAssets, actor: Actor
) -> None:
    row = await assets.add("wall", AssetType.BACKGROUND, still(), actor, house.now())
    asked = ["BACKGROUND/wall", str(row.id), "wall", "OVERLAY/wall", "CURTAIN/wall", str(UUID(int=7)), ""]
    async with house.engine.connect() as connection:
        found = await repository.resolve(connection, asked)
        assert {text: one.id for text, one in found.items()} == {"BACKGROUND/wall": row.id, str(row.id): row.id}
        assert (await connection.execute(sa.text("select count(*) from stream_assets"))).scalar_one() == 1
