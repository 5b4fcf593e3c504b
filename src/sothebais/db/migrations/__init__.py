"""Alembic migrations and the functions that run them.

Alembic itself is imported only where there is something to migrate or to compare: every process of a house asks at its
start whether its database is up to date, and nearly always it is.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

if TYPE_CHECKING:
    from alembic.config import Config

#: Two processes that start together must not migrate together.
_LOCK = 0x6D696772617465
_HERE = Path(__file__).parent
#: The newest revision; files are called by number, and each follows the one before it (a test holds them to it).
HEAD = max(path.name.partition("_")[0] for path in (_HERE / "versions").glob("[0-9]*.py"))


def _config(connection: sa.Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    return config


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Bring the database up to ``revision``."""
    if revision == "head" and await _revision(engine) == HEAD:
        return

    def work(connection: sa.Connection) -> None:
        from alembic import command

        command.upgrade(_config(connection), revision)

    await _locked(engine, work)


async def downgrade(engine: AsyncEngine, revision: str) -> None:
    """Take the database back to ``revision`` (``base`` for nothing at all)."""

    def work(connection: sa.Connection) -> None:
        from alembic import command

        command.downgrade(_config(connection), revision)

    await _locked(engine, work)


async def differences(engine: AsyncEngine, metadata: sa.MetaData) -> list[str]:
    """What the models have that the database has not, or the other way round; empty when they agree."""

    def compare(connection: sa.Connection) -> list[str]:
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [str(difference) for difference in compare_metadata(context, metadata)]

    async with engine.connect() as connection:
        return await connection.run_sync(compare)


async def revisions(engine: AsyncEngine) -> tuple[str | None, str]:
    """The database's revision and the newest one."""
    return await _revision(engine), HEAD


async def _revision(engine: AsyncEngine) -> str | None:
    async with engine.connect() as connection:
        if (await connection.execute(sa.text("select to_regclass('alembic_version')"))).scalar_one() is None:
            return None
        found: str | None = (await connection.execute(sa.text("select version_num from alembic_version"))).scalar()
        return found


async def _locked(engine: AsyncEngine, work: Callable[[sa.Connection], None]) -> None:
    async with engine.connect() as connection:
        await connection.execute(sa.select(sa.func.pg_advisory_lock(_LOCK)))
        await connection.commit()
        try:
            await connection.run_sync(work)
            await connection.commit()
        finally:
            await connection.rollback()
            await connection.execute(sa.select(sa.func.pg_advisory_unlock(_LOCK)))
            await connection.commit()
