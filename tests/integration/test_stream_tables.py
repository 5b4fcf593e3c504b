"""The tables of stored scenes and of what operators ask: there and back, and only added to."""

import asyncpg
import pytest
import sqlalchemy as sa

from sothebais.bootstrap import House, metadata
from sothebais.db import migrations
from sothebais.db.engine import create_engine

SCENE = (
    "insert into stream_scenes (id, name, orientation, revision, document, sha256)"
    " values (gen_random_uuid(), $1, $2, $3, '{}', sha256('x'))"
)


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
async def test_the_migration_goes_up_and_down_and_leaves_what_was_there(empty_database: str) -> None:
    engine = create_engine(empty_database, pool_size=1)
    try:
        await migrations.upgrade(engine, "0006")
        async with engine.begin() as connection:
            await connection.execute(
                sa.text(
                    "insert into streams (id, width, height, fps, scene) values (gen_random_uuid(), 1280, 720, 30, '{}')"
                )
            )
        await migrations.upgrade(engine, "0007")
        async with engine.connect() as connection:
            row = (await connection.execute(sa.text("select * from streams"))).one()
        assert (row.scene_name, row.slate_sentence, row.stop_cause, row.scene_transition) == (None, None, None, "fade")
        await migrations.upgrade(engine)
        assert await migrations.differences(engine, metadata()) == []
        await migrations.downgrade(engine, "0006")
        async with engine.connect() as connection:
            kept = (await connection.execute(sa.text("select * from streams"))).one()
            gone = await connection.execute(sa.text("select to_regclass('stream_scenes')"))
        assert "scene_name" not in kept._fields
        assert kept.width == 1280
        assert gone.scalar_one() is None
        await migrations.upgrade(engine)
        assert await migrations.differences(engine, metadata()) == []
    finally:
        await engine.dispose()


async def test_a_stored_revision_is_never_changed_or_removed(house: House, connection: asyncpg.Connection) -> None:
    await connection.execute(SCENE, "mine", "WIDE", 1)
    for statement in ("update stream_scenes set revision = 2", "delete from stream_scenes", "truncate stream_scenes"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await connection.execute(statement)
    assert await connection.fetchval("select revision from stream_scenes") == 1


async def test_the_database_refuses_what_no_scene_can_be(house: House, connection: asyncpg.Connection) -> None:
    await connection.execute(SCENE, "mine", "WIDE", 1)
    await connection.execute(SCENE, "mine", "VERTICAL", 1)
    for wrong in (("mine", "WIDE", 1), ("Mine!", "WIDE", 1), ("mine", "ROUND", 2), ("mine", "WIDE", 0)):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await connection.execute(SCENE, *wrong)
    assert await connection.fetchval("select count(*) from stream_scenes") == 2
