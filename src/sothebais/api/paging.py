"""Lists a page at a time: ``?limit=&after=`` → ``{"items": […], "next": …}``."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from sothebais import ids
from sothebais.errors import InvalidInput, NotFound

#: No list gives more than this at once.
PAGE_MAX = 200
PAGE_USUAL = 50
CURSOR_LENGTH_MAX = 100

Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="How many at most.", examples=[20])]
After = Annotated[
    str | None,
    Query(max_length=CURSOR_LENGTH_MAX, description="The `next` of the page before; nothing for the first page."),
]


def after_id(text: str | None) -> UUID | None:
    """The id a cursor stands for. Raises InvalidInput for what no page gave out."""
    if text is None:
        return None
    found = ids.parse_id(text)
    if found is None:
        raise InvalidInput("after must be the `next` of an earlier page.", field="after")
    return found


def page(rows: Sequence[Any], limit: int, show: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """The page of rows that were asked for with one more than ``limit``; their ``id`` is the cursor."""
    shown = rows[:limit]
    return {"items": [show(row) for row in shown], "next": str(shown[-1].id) if len(rows) > limit else None}


def path_id(text: str, what: str) -> UUID:
    """The id in an address. Raises NotFound: what is no id names nothing."""
    found = ids.parse_id(text)
    if found is None:
        raise NotFound(f"There is no {what} with this id.")
    return found


def query_id(text: str | None, field: str) -> UUID | None:
    """The id of a filter. Raises InvalidInput."""
    if text is None:
        return None
    found = ids.parse_id(text)
    if found is None:
        raise InvalidInput(f"{field} must be a UUID.", field=field)
    return found
