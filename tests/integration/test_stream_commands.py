"""What operators ask of the show, as the stream-manager reads it: one transaction each, whoever asks at the same moment."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from tests.fakes.house import a_collection, a_user, whole_log
from tests.fakes.media_files import still
from tests.fakes.trials import rows_of

from sothebais.bootstrap import House
from sothebais.campaigns import files
from sothebais.campaigns import service as campaigns
from sothebais.catalog.assets import AssetStore
from sothebais.errors import Conflict, InvalidInput, NotFound
from sothebais.events.actions import Actor
from sothebais.stream import commands, scene_store
from sothebais.stream.assets.intake import AssetIntake
from sothebais.stream.assets.service import StreamAssets
from sothebais.stream.commands import Desired
from sothebais.stream.confined import Children
from sothebais.stream.scenes import Scene, SceneRefused, parse
from sothebais.stream.scenes.builtin import builtin
from sothebais.stream.tables import Orientation, StreamStatus
from sothebais.users.tables import Role

CAMPAIGN = """\
name: Spring
collection: {slug}
dates: {{start: 2099-03-28}}
time_zone: UTC
daily: {{pre_auction: "18:00", auction: "18:15", lot_duration: 2m, lots_per_day: 1, post_auction: 10m}}
rules: {{currency: EUR, starting_price: "10"}}
"""


@pytest.fixture
async def actor(house: House) -> Actor:
    return Actor(await a_user(house, "olga", role=Role.OPERATOR), "OPERATOR")


async def a_day(house: House) -> UUID:
    slug, _ = await a_collection(house, 1)
    plan = files.parse(CAMPAIGN.format(slug=slug), house.lot_scheduler)
    await campaigns.create(house.engine, plan, house.lot_scheduler, house.now())
    return (await rows_of(house, "select id from campaign_days"))[0]["id"]  # type: ignore[no-any-return]


async def desired(house: House) -> Desired:
    async with house.engine.connect() as connection:
        return await commands.desired(connection)


def a_scene(name: str = "mine", *, vertical: bool = False, **more: Any) -> Scene:
    width, height = (1080, 1920) if vertical else (1920, 1080)
    return Scene.model_validate({"name": name, "canvas": {"width": width, "height": height}, **more})


async def put(house: House, actor: Actor, **given: Any) -> commands.Put:
    return await commands.put_scene(house.engine, actor, house.now(), **{"reason": "a look"} | given)


async def test_the_stream_manager_reads_what_was_asked(house: House, actor: Actor) -> None:
    assert await desired(house) == Desired()
    day = await a_day(house)
    row = await commands.start(house.engine, actor, house.now(), day=day, canvas=(720, 1280), fps=60)
    assert (row.title, row.status, row.scene) == (
        "Spring, day 1",
        StreamStatus.STARTING,
        {"scene": "pre-auction", "revision": 0},
    )
    wanted = await desired(house)
    assert (wanted.stream, wanted.campaign_day, wanted.fps) == (row.id, day, 60)
    assert (wanted.width, wanted.height, wanted.orientation) == (720, 1280, Orientation.VERTICAL)
    assert (wanted.override, wanted.slate, wanted.stop, wanted.scene_at) == (None, None, None, None)

    scene = a_scene(vertical=True, theme="light")
    await put(house, actor, document=scene, transition="slide", duration_ms=0)
    wanted = await desired(house)
    assert wanted.override is not None
    assert (wanted.override.scene, wanted.override.revision) == (scene, 1)
    assert (wanted.override.transition, wanted.override.duration_ms) == ("slide", 0)
    await put(house, actor, document=a_scene(vertical=True), on_air=False)
    wanted = await desired(house)
    assert wanted.override is not None
    assert (wanted.override.scene, wanted.revisions) == (scene, (("mine", 2),))  # what is on air stays as it was

    await commands.slate(house.engine, actor, house.now(), reason="Line lost", sentence="Back soon.")
    slate = (await desired(house)).slate
    assert slate is not None
    assert (slate.notice.sentence, slate.notice.meaning) == ("Back soon.", "")
    await put(house, actor, name="auction")  # a scene takes the slate away
    wanted = await desired(house)
    assert wanted.slate is None
    assert wanted.override is not None
    assert wanted.override.scene == next(one for one in builtin(vertical=True) if one.name == "auction")
    await put(house, actor)
    assert (await desired(house)).override is None
    await commands.stop(house.engine, actor, house.now(), reason="Midnight")
    stop = (await desired(house)).stop
    assert stop is not None
    assert (stop.cause, stop.actor) == ("Midnight", actor.user)
    async with house.engine.begin() as connection:
        await connection.execute(sa.text("update streams set ended_at = now(), status = 'ENDED'"))
    assert await desired(house) == Desired()


async def test_of_many_who_start_at_once_one_does(house: House, actor: Actor) -> None:
    day = await a_day(house)
    answers = await asyncio.gather(
        *(commands.start(house.engine, actor, house.now(), day=day) for _ in range(3)),
        commands.start(house.engine, actor, house.now(), title="Another"),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Conflict", "Conflict", "Row"]
    assert len(await rows_of(house, "select 1 from streams")) == 1
    assert len(await rows_of(house, "select 1 from audit where action = 'stream.start'")) == 1


async def test_a_day_that_is_over_has_no_stream(house: House, actor: Actor) -> None:
    day = await a_day(house)
    for status in ("COMPLETED", "CANCELLED"):
        async with house.engine.begin() as connection:
            await connection.execute(sa.text("update campaign_days set status = :status"), {"status": status})
        with pytest.raises(Conflict, match=status):
            await commands.start(house.engine, actor, house.now(), day=day)
    assert await desired(house) == Desired()


async def test_revisions_follow_one_another_whoever_stores_at_once(house: House, actor: Actor) -> None:
    sizes = [0.3, 0.4, 0.5, 0.6]
    await asyncio.gather(
        *(put(house, actor, document=a_scene(split={"x": size, "y": 0.5}), on_air=False) for size in sizes)
    )
    rows = await rows_of(house, "select revision, actor from stream_scenes order by revision")
    assert [row["revision"] for row in rows] == [1, 2, 3, 4]
    assert {row["actor"] for row in rows} == {actor.user}
    async with house.engine.connect() as connection:
        last = await scene_store.get(connection, "mine", Orientation.WIDE)
        assert last.revision == 4
        again = await scene_store.get(connection, "mine", Orientation.WIDE, 2)
        assert again.scene.split.x in sizes
        with pytest.raises(NotFound):
            await scene_store.get(connection, "mine", Orientation.VERTICAL)


async def test_a_stored_scene_stands_in_the_place_of_a_built_in_one(house: House, actor: Actor) -> None:
    own = a_scene("auction", theme="light")
    await put(house, actor, document=own, on_air=False)
    async with house.engine.connect() as connection:
        wide = {one.name: one for one in await scene_store.programme(connection, Orientation.WIDE)}
        tall = {one.name: one for one in await scene_store.programme(connection, Orientation.VERTICAL)}
        kept = await scene_store.get(connection, "auction", Orientation.WIDE, 0)
    assert (wide["auction"].scene, wide["auction"].revision) == (own, 1)
    assert (tall["auction"].revision, wide["slate"].revision) == (0, 0)
    assert wide.keys() == {one.name for one in builtin()}
    assert kept.scene == next(one for one in builtin() if one.name == "auction")


async def test_names_and_revisions_are_bounded(house: House, actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_store, "NAMES_MAX", 2)
    monkeypatch.setattr(scene_store, "REVISIONS_MAX", 2)
    for scene in (a_scene("one"), a_scene("two"), a_scene("two", theme="light")):
        await put(house, actor, document=scene, on_air=False)
    with pytest.raises(Conflict, match="2 stored scenes"):
        await put(house, actor, document=a_scene("three"), on_air=False)
    with pytest.raises(Conflict, match="2 revisions"):
        await put(house, actor, document=a_scene("two"), on_air=False)
    assert len(await rows_of(house, "select 1 from stream_scenes")) == 3


async def test_what_is_refused_changes_nothing_and_rings_no_bell(house: House, actor: Actor) -> None:
    await commands.start(house.engine, actor, house.now(), title="Evening")
    before, log = await desired(house), len(await whole_log(house.database_url))
    now = house.now()
    for refused, error in (
        (put(house, actor, document=a_scene(vertical=True)), SceneRefused),
        (put(house, actor, document=a_scene("automatic")), SceneRefused),
        (put(house, actor, document=a_scene(), reason=" "), InvalidInput),
        (put(house, actor, document=a_scene(), duration_ms=5_001), InvalidInput),
        (put(house, actor, name="nothing"), NotFound),
        (commands.slate(house.engine, actor, now, reason=""), InvalidInput),
        (commands.slate(house.engine, actor, now, reason="a", sentence="x" * 91), InvalidInput),
        (commands.slate(house.engine, actor, now, reason="a", meaning="x" * 161), InvalidInput),
        (commands.slate(house.engine, actor, now, reason="a", on=False), Conflict),
        (commands.stop(house.engine, actor, now, reason="x" * 501), InvalidInput),
        (commands.start(house.engine, actor, now, title="x" * 201), InvalidInput),
        (commands.start(house.engine, actor, now, title="a", fps=25), InvalidInput),
    ):
        with pytest.raises(error):
            await refused
    assert await desired(house) == before
    assert len(await whole_log(house.database_url)) == log
    assert await rows_of(house, "select 1 from stream_scenes") == []


async def test_an_asset_is_not_removed_from_under_a_scene_that_is_being_put_on(house: House, actor: Actor) -> None:
    store = AssetStore.in_data_dir(house.settings.data_dir)
    assets = StreamAssets(house.engine, store, AssetIntake(Children(), bytes_max=100_000))
    for number in range(6):
        row = await assets.add(f"wall {number}", "BACKGROUND", still(), actor, house.now())  # type: ignore[arg-type]
        document = parse(
            '{"name": "mine", "canvas": {"width": 1920, "height": 1080}, "overlay":'
            f' [{{"type": "image", "id": "wall", "source": "BACKGROUND/wall {number}"}}]}}'
        )
        outcome = await asyncio.gather(
            put(house, actor, document=document, on_air=False),
            assets.remove(row.id, actor, house.now()),
            return_exceptions=True,
        )
        failed = [one for one in outcome if isinstance(one, Exception)]
        assert len(failed) == 1, outcome
        assert isinstance(failed[0], SceneRefused | Conflict)
        async with house.engine.connect() as connection:
            shown = await scene_store.showing(connection, {f"BACKGROUND/wall {number}"})
        there = await rows_of(house, f"select 1 from stream_assets where name = 'wall {number}'")
        assert bool(shown) == bool(there)
