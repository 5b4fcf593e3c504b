"""What people wrote, for whoever may read it: lines of the rooms that are not hidden, posts that were not erased."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.errors import Unavailable
from sothebais.social.tables import ChatMessage, Post, PostDirection

LINES: Final[Any] = ChatMessage.__table__
POSTS: Final[Any] = Post.__table__
#: Texts of one question to the database.
BATCH: Final = 1_000


class SocialTexts:
    """Texts by the ids that events have of them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def texts(self, messages: Sequence[UUID]) -> dict[UUID, str]:
        """The texts of these lines and posts, where they may be read. Raises Unavailable."""
        found: dict[UUID, str] = {}
        try:
            async with self._engine.connect() as connection:
                for start in range(0, len(messages), BATCH):
                    some = messages[start : start + BATCH]
                    lines = sa.select(LINES.c.id, LINES.c.text).where(LINES.c.id.in_(some), LINES.c.hidden_at.is_(None))
                    posts = sa.select(POSTS.c.id, POSTS.c.text).where(
                        POSTS.c.id.in_(some), POSTS.c.direction == PostDirection.RECEIVED, POSTS.c.text != ""
                    )
                    found |= {row.id: row.text for row in await connection.execute(lines.union_all(posts))}
        except (DBAPIError, PoolTimeout, OSError) as error:
            raise Unavailable("What people wrote cannot be read now.", retry_after=1) from error
        return found
