"""Connections to PostgreSQL, from the one URL the configuration gives."""

from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

CONNECT_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT_S = 30.0
POOL_SIZE = 5
POOL_OVERFLOW_MAX = 10
POOL_WAIT_S = 5.0

#: What asyncpg raises where the server is gone, or refuses. A connection that is cut off between two statements may show
#: as an InternalClientError ("another operation is in progress") first, under uvloop at least.
CONNECTION_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


async def connect(dsn: str, *, name: str, statement_timeout_s: float = STATEMENT_TIMEOUT_S) -> Any:
    """A connection of its own (asyncpg), named so that ``pg_stat_activity`` shows whose it is.

    Times out on connecting and on every statement; UTC always.
    """
    return await asyncpg.connect(
        dsn,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=statement_timeout_s,
        server_settings={
            "application_name": f"sothebais-{name}"[:63],
            "timezone": "UTC",
            "idle_in_transaction_session_timeout": "60000",
        },
    )


def create_engine(dsn: str, *, name: str = "pool", pool_size: int = POOL_SIZE) -> AsyncEngine:
    """A pool for everything that is not the bidding path."""

    async def creator() -> Any:
        return await connect(dsn, name=name)

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=creator,
        pool_size=pool_size,
        max_overflow=POOL_OVERFLOW_MAX,
        pool_timeout=POOL_WAIT_S,
        pool_pre_ping=True,
    )
