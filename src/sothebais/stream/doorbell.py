"""The stream-manager's bell: NOTIFY in the transaction that changed what it should do, heard after its commit."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

#: The channel; it carries nothing but the fact.
CHANNEL: Final = "sothebais_stream"


async def ring(connection: AsyncConnection) -> None:
    """Tell the stream-manager to look again, when the caller's transaction has committed."""
    await connection.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))
