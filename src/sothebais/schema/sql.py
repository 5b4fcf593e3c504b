"""PostgreSQL statements that make every table on an empty database."""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import CreateEnumType
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable
from sqlalchemy.sql.ddl import ExecutableDDLElement

from sothebais.schema import model

HEADER = """\
-- The tables of SothebAIs for PostgreSQL 15 or newer, in an order that an empty database accepts.
-- Written by `sothebais schema export --format sql`. The house itself makes its tables by migrations
-- (`sothebais db upgrade`), which also bring what no model states: roles, the rule that event_logs only
-- grows, and the view audit.
"""


def render(metadata: sa.MetaData) -> str:
    """The whole schema as one text of statements."""
    parts = [HEADER, *statements(metadata)]
    return "\n".join(parts) + "\n"


def statements(metadata: sa.MetaData) -> Iterator[str]:
    """Types, then tables in order of dependency with their indexes, then the foreign keys that close a circle."""
    for kind in _native_enums(metadata):
        yield _text(CreateEnumType(kind))
    late: list[sa.ForeignKeyConstraint] = []
    for table in metadata.sorted_tables:
        yield f"-- {model.docstring(model.class_of(table)).replace('``', '`')}\n{_text(CreateTable(table))}"
        for index in model.indexes(table):
            yield _text(CreateIndex(index))
        late += [key for key in model.foreign_keys(table) if key.use_alter]
    for key in late:
        yield _text(AddConstraint(key))


def _native_enums(metadata: sa.MetaData) -> list[sa.Enum]:
    found = {
        column.type.name: column.type
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, sa.Enum) and column.type.native_enum
    }
    return list(found.values())


def _text(element: ExecutableDDLElement) -> str:
    compiled = str(element.compile(dialect=model.DIALECT)).replace("%%", "%").replace("\t", "    ")
    lines = [line.rstrip() for line in compiled.strip().splitlines()]
    return "\n".join(lines) + ";\n"
