"""A Prisma schema of the tables, so that TypeScript services can use the same database."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.sql.type_api import TypeEngine

from sothebais.db.base import Xid8
from sothebais.schema import model

HEADER = """\
// The tables of SothebAIs for Prisma. Written by `sothebais schema export --format prisma`.
// The tables are made by `sothebais db upgrade`; use this file to read and write them, not to migrate them.
//
// Enumerations are text columns that a check constraint holds to their values, so fields are strings here: a field
// of a Prisma enum would need an enum type in the database. The enums below name the values.
// Check constraints, partial indexes and indexes on expressions have no place in Prisma; the database keeps them.

generator client {
  provider = "prisma-client"
  output   = "./generated"
}

datasource db {
  provider = "postgresql"
}
"""

_ON_DELETE = {"CASCADE": "Cascade", "SET NULL": "SetNull", "RESTRICT": "Restrict", None: "NoAction"}

#: Column type, Prisma's type, native type; the first that fits, so subclasses stand before their bases.
_TYPES: tuple[tuple[type[TypeEngine[Any]], str, str], ...] = (
    (sa.Uuid, "String", "@db.Uuid"),
    (sa.Enum, "String", "@db.VarChar({kind.length})"),
    (sa.Text, "String", "@db.Text"),
    (sa.REAL, "Float", "@db.Real"),
    (sa.Numeric, "Decimal", "@db.Decimal({kind.precision}, {kind.scale})"),
    (sa.BigInteger, "BigInt", "@db.BigInt"),
    (sa.Integer, "Int", "@db.Integer"),
    (sa.Boolean, "Boolean", "@db.Boolean"),
    (sa.DateTime, "DateTime", "@db.Timestamptz(6)"),
    (sa.Date, "DateTime", "@db.Date"),
    (sa.LargeBinary, "Bytes", "@db.ByteA"),
    (pg.JSONB, "Json", "@db.JsonB"),
    (Xid8, 'Unsupported("xid8")', ""),
)


@dataclass
class _Model:
    """A model block while its relations are collected from both sides."""

    name: str
    table: sa.Table
    fields: list[tuple[str, str, str]] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)

    def add(self, name: str, kind: str, *attributes: str) -> None:
        taken = {existing for existing, _, _ in self.fields}
        while name in taken:
            name += "Relation"
        self.fields.append((name, kind, " ".join(attributes)))


def render(metadata: sa.MetaData) -> str:
    """The whole schema as one text."""
    tables = metadata.sorted_tables
    models = {table.name: _Model(model.class_of(table).__name__, table) for table in tables}
    for one in models.values():
        _add_columns(one)
    for one in models.values():
        _add_relations(one, models)
    for one in models.values():
        _add_keys(one)
    blocks = [_enum(name, [value.value for value in values]) for name, values in model.enums(metadata).items()]
    return "\n".join([HEADER, *blocks, *(_block(one) for one in models.values())])


def camel(name: str) -> str:
    """``campaign_day_id`` → ``campaignDayId``."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def field_type(kind: TypeEngine[object]) -> tuple[str, str]:
    """Prisma's type of a column and its native type attribute. Raises TypeError for one it has no words for."""
    if isinstance(kind, pg.ARRAY):
        scalar, native = field_type(kind.item_type)
        return f"{scalar}[]", native
    if isinstance(kind, sa.DateTime) and not kind.timezone:
        raise TypeError("a time without a zone has no instant")
    for known, scalar, native in _TYPES:
        if isinstance(kind, known):
            return scalar, native.format(kind=kind)
    raise TypeError(f"Prisma has no type for {model.sql_type(kind)}")


def default(column: sa.Column[object]) -> str:
    """``@default(…)`` of a column, or nothing."""
    if column.identity is not None:
        return "@default(autoincrement())"
    text = model.default_of(column)
    if text is None:
        return ""
    scalar, _ = field_type(column.type)
    bare = text[1:-1] if text.startswith("'") and text.endswith("'") else text
    match scalar:
        case _ if text == "now()":
            value = "now()"
        case _ if scalar.endswith("[]"):
            value = "[]" if bare == "{}" else _generated(text)
        case "Boolean" | "Int" | "BigInt" | "Float" | "Decimal":
            value = bare
        case "String" | "Json":
            value = _quoted(bare)
        case _:
            value = _generated(text)
    return f"@default({value})"


def _add_columns(one: _Model) -> None:
    keys = [column.name for column in one.table.primary_key.columns]
    for column in one.table.columns:
        kind, native = field_type(column.type)
        # a list in Prisma is never null: an empty one stands for it
        mark = "?" if column.nullable and not kind.endswith("[]") else ""
        mapped = f'@map("{column.name}")' if camel(column.name) != column.name else ""
        is_key = f'@id(map: "{model.name_of(one.table.primary_key)}")' if keys == [column.name] else ""
        one.add(
            camel(column.name), kind + mark, is_key, _single_unique(one.table, column), default(column), mapped, native
        )


def _single_unique(table: sa.Table, column: sa.Column[object]) -> str:
    for unique in model.uniques(table):
        if [c.name for c in unique.columns] == [column.name]:
            return f'@unique(map: "{model.name_of(unique)}")'
    return ""


def _add_relations(one: _Model, models: dict[str, _Model]) -> None:
    """Each foreign key gives a field here and one on the other side, under a name both share."""
    keys = model.foreign_keys(one.table)
    times = Counter(key.referred_table.name for key in keys)
    for key in keys:
        other = models[key.referred_table.name]
        columns = [column.name for column in key.columns]
        stem = camel(columns[0].removesuffix("_id"))
        relation = f"{one.name}_{stem}"
        optional = "?" if any(column.nullable for column in key.columns) else ""
        ours = ", ".join(camel(name) for name in columns)
        theirs = ", ".join(camel(element.column.name) for element in key.elements)
        details = f"onDelete: {_ON_DELETE[key.ondelete]}, onUpdate: NoAction"
        one.add(
            stem,
            other.name + optional,
            f'@relation("{relation}", fields: [{ours}], references: [{theirs}], {details}, map: "{model.name_of(key)}")',
        )
        single = model.is_unique(one.table, columns)
        back = one.name[0].lower() + one.name[1:] if single else camel(one.table.name)
        if times[other.table.name] > 1 or other is one:
            back += "By" + stem[0].upper() + stem[1:]
        other.add(back, one.name + ("?" if single else "[]"), f'@relation("{relation}")')


def _add_keys(one: _Model) -> None:
    key = one.table.primary_key
    if len(key.columns) > 1:
        one.attributes.append(f'@@id({_names(list(key.columns))}, map: "{model.name_of(key)}")')
    for unique in model.uniques(one.table):
        if len(unique.columns) > 1:
            one.attributes.append(f'@@unique({_names(list(unique.columns))}, map: "{model.name_of(unique)}")')
    for index in model.indexes(one.table):
        if model.is_on_expression(index) or model.condition_of(index) is not None:
            continue
        kind = "unique" if index.unique and not _is_unsupported(index) else "index"
        one.attributes.append(f'@@{kind}({_names(list(index.columns))}, map: "{model.name_of(index)}")')
    one.attributes.append(f'@@map("{one.table.name}")')


def _is_unsupported(index: sa.Index) -> bool:
    return any(isinstance(column.type, Xid8) for column in index.columns)


def _names(columns: list[sa.Column[object]]) -> str:
    return "[" + ", ".join(camel(column.name) for column in columns) + "]"


def _block(one: _Model) -> str:
    lines = [f"/// {model.docstring(model.class_of(one.table)).replace('``', '`')}", f"model {one.name} {{"]
    width = max(len(name) for name, _, _ in one.fields)
    kinds = max(len(kind) for _, kind, _ in one.fields)
    enums = {camel(column.name): model.enum_of(column) for column in one.table.columns}
    for name, kind, attributes in one.fields:
        if values := enums.get(name):
            lines.append(f"  /// One of {values.__name__}: {', '.join(values)}.")
        lines.append(f"  {name:<{width}} {kind:<{kinds}} {' '.join(attributes.split())}".rstrip())
    return "\n".join([*lines, "", *(f"  {attribute}" for attribute in one.attributes), "}", ""])


def _enum(name: str, values: list[str]) -> str:
    return "\n".join([f"enum {name} {{", *(f"  {value}" for value in values), "}", ""])


def _generated(text: str) -> str:
    return f"dbgenerated({_quoted(text)})"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
