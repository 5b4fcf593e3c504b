"""Alembic migrations and the functions that run them."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncEngine

#: Two processes that start together must not migrate together.
_LOCK = 0x6D696772617465


def _config(connection: sa.Connection, metadata: sa.MetaData | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = metadata
    return config


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Bring the database up to ``revision``."""
    await _locked(engine, lambda connection: command.upgrade(_config(connection), revision))


async def downgrade(engine: AsyncEngine, revision: str) -> None:
    """Take the database back to ``revision`` (``base`` for nothing at all)."""
    await _locked(engine, lambda connection: command.downgrade(_config(connection), revision))


async def differences(engine: AsyncEngine, metadata: sa.MetaData) -> list[str]:
    """What the models have that the database has not, or the other way round; empty when they agree."""

    def compare(connection: sa.Connection) -> list[str]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [str(difference) for difference in compare_metadata(context, metadata)]

    async with engine.connect() as connection:
        return await connection.run_sync(compare)


async def revisions(engine: AsyncEngine) -> tuple[str | None, str]:
    """The database's revision and the newest one."""

    def read(connection: sa.Connection) -> tuple[str | None, str]:
        head = ScriptDirectory.from_config(_config(connection)).get_current_head() or ""
        return MigrationContext.configure(connection).get_current_revision(), head

    async with engine.connect() as connection:
        return await connection.run_sync(read)


async def _locked(engine: AsyncEngine, work: object) -> None:
    async with engine.connect() as connection:
        await connection.execute(sa.select(sa.func.pg_advisory_lock(_LOCK)))
        await connection.commit()
        try:
            await connection.run_sync(work)  # type: ignore[arg-type]
            await connection.commit()
        finally:
            await connection.rollback()
            await connection.execute(sa.select(sa.func.pg_advisory_unlock(_LOCK)))
            await connection.commit()
