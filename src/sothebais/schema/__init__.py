"""The schemas of the stores and messages, written from the models for people and programs outside the house.

Everything is a function of ``sqlalchemy.MetaData`` and the event and state models, so that the text cannot drift.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import sqlalchemy as sa
from pydantic import BaseModel

from sothebais.errors import InvalidInput
from sothebais.schema import asyncapi, jsonschema, prisma, sql, typescript

__all__ = ["Format", "export"]

_NONE: Mapping[str, type[BaseModel]] = MappingProxyType({})


class Format(StrEnum):
    """What `export` can write."""

    SQL = "sql"
    PRISMA = "prisma"
    JSONSCHEMA = "jsonschema"
    ASYNCAPI = "asyncapi"
    TYPESCRIPT = "typescript"


def export(
    format: Format | str,
    metadata: sa.MetaData,
    *,
    requests: Mapping[str, type[BaseModel]] = _NONE,
    answers: Mapping[str, type[BaseModel]] = _NONE,
) -> str:
    """The schema as one text. ``requests`` and ``answers`` are API bodies by name; only TypeScript has them.

    They are apart because a field with a default may be left out of a request and is always in an answer. Raises
    InvalidInput for a format it does not know.
    """
    match format:
        case Format.SQL:
            return sql.render(metadata)
        case Format.PRISMA:
            return prisma.render(metadata)
        case Format.JSONSCHEMA:
            return jsonschema.render()
        case Format.ASYNCAPI:
            return asyncapi.render()
        case Format.TYPESCRIPT:
            return typescript.render(requests=requests, answers=answers)
    raise InvalidInput(f"{format!r:.40} is not a schema format. Use one of {', '.join(Format)}.", field="format")
