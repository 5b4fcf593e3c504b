"""What the exporters read from tables: their classes, docstrings, enumerations and names in PostgreSQL."""

import inspect
from collections.abc import Iterator
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import Constraint, Index
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.type_api import TypeEngine

from sothebais.db.base import Base

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def class_of(table: sa.Table) -> type[Base]:
    """The declarative class of a table."""
    for mapper in Base.registry.mappers:
        if mapper.local_table is table:
            found: type[Base] = mapper.class_
            return found
    raise LookupError(f"no model is mapped to {table.name}")


def docstring(of: type) -> str:
    """A class's own docstring as one paragraph; empty when it has none."""
    return " ".join(inspect.cleandoc(of.__doc__ or "").split())


def enum_of(column: sa.Column[object]) -> type[StrEnum] | None:
    """The enumeration that the database holds a column to."""
    kind = column.type
    if isinstance(kind, sa.Enum) and kind.enum_class is not None and issubclass(kind.enum_class, StrEnum):
        return kind.enum_class
    return None


def enums(metadata: sa.MetaData) -> dict[str, type[StrEnum]]:
    """All enumerations by name, in order of first use. Two different ones of one name get their table's name in front."""
    found: dict[str, type[StrEnum]] = {}
    for table, column in _columns(metadata):
        values = enum_of(column)
        if values is None or values in found.values():
            continue
        name = values.__name__
        found[name if name not in found else class_of(table).__name__ + name] = values
    return found


def _columns(metadata: sa.MetaData) -> Iterator[tuple[sa.Table, sa.Column[object]]]:
    for table in metadata.sorted_tables:
        for column in table.columns:
            yield table, column


def sql_type(kind: TypeEngine[object]) -> str:
    """A column type in PostgreSQL's words."""
    text: str = DIALECT.type_compiler_instance.process(kind)
    return text


def sql_text(clause: ClauseElement | str) -> str:
    """A condition or default as PostgreSQL reads it."""
    if isinstance(clause, str):
        return clause
    compiled = clause.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True})
    return str(compiled).replace("%%", "%")


def default_of(column: sa.Column[object]) -> str | None:
    """The server's default as SQL text or bare value; None without one."""
    default = column.server_default
    return sql_text(default.arg) if isinstance(default, sa.DefaultClause) else None


def name_of(item: Constraint | Index) -> str:
    """The name PostgreSQL has, after the naming convention and its limit of 63 bytes."""
    preparer = DIALECT.identifier_preparer
    name = preparer.format_index(item) if isinstance(item, Index) else preparer.format_constraint(item)
    return (name or "").strip('"')


def checks(table: sa.Table) -> list[sa.CheckConstraint]:
    """A table's own rules, without those that only spell out an enumeration."""
    found = [c for c in table.constraints if isinstance(c, sa.CheckConstraint) and not _is_enum_check(c)]
    return sorted(found, key=name_of)


def _is_enum_check(constraint: sa.CheckConstraint) -> bool:
    return bool(getattr(constraint, "_type_bound", False))


def uniques(table: sa.Table) -> list[sa.UniqueConstraint]:
    """A table's unique constraints by name."""
    return sorted((c for c in table.constraints if isinstance(c, sa.UniqueConstraint)), key=name_of)


def indexes(table: sa.Table) -> list[sa.Index]:
    """A table's indexes by name."""
    return sorted(table.indexes, key=name_of)


def condition_of(index: sa.Index) -> str | None:
    """The condition of a partial index."""
    where = index.dialect_options["postgresql"]["where"]
    return None if where is None else sql_text(where)


def is_on_expression(index: sa.Index) -> bool:
    """Whether an index is over more than plain columns."""
    return any(not isinstance(expression, sa.Column) for expression in index.expressions)


def foreign_keys(table: sa.Table) -> list[sa.ForeignKeyConstraint]:
    """A table's foreign keys in the order of its columns."""
    order = {column.name: i for i, column in enumerate(table.columns)}
    return sorted(table.foreign_key_constraints, key=lambda fk: order[fk.column_keys[0]])


def is_unique(table: sa.Table, columns: list[str]) -> bool:
    """Whether at most one row of the table has the same values in these columns."""
    sets = [[c.name for c in table.primary_key.columns]]
    sets += [[c.name for c in unique.columns] for unique in uniques(table)]
    sets += [
        [column.name for column in index.columns]
        for index in table.indexes
        if index.unique and condition_of(index) is None and not is_on_expression(index)
    ]
    return any(sorted(columns) == sorted(names) for names in sets)
