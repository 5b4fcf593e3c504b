"""``docs/schema.md``: prose from ``schema.md.tmpl``, every table of it from the models.

Written anew by ``python -m sothebais.schema.docs > docs/schema.md``; a test holds the file to it.
"""

import importlib
import importlib.util
import json
import pkgutil
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel

import sothebais
from sothebais.db.base import Base
from sothebais.events.types import CATALOGUE, CHANNELS, NOT_YET, PUBLISHED_ONLY
from sothebais.events.types.base import Data, Envelope, Source
from sothebais.schema import jsonschema, model
from sothebais.state import keys
from sothebais.state.keys import Channel, Kind
from sothebais.state.models import STATES, State
from sothebais.stream.tables import AssetType

TEMPLATE = Path(__file__).with_name("schema.md.tmpl")

#: The models every reader needs, in the order in which a sale meets them.
CORE = ("User", "Campaign", "Collection", "ArtItem", "Auction", "Bid", "Character")
_DOMAINS = {
    "users": "People",
    "campaigns": "Campaigns",
    "auctions": "Auctions",
    "stream": "The show",
    "agent": "The host",
    "social": "Posts and chat",
    "notify": "Notifications and webhooks",
    "events": "The event log",
}
_FOLDERS = {
    AssetType.BACKGROUND: ("assets/stream/backgrounds", "What lies behind everything on the canvas."),
    AssetType.OVERLAY: ("assets/stream/overlays", "Frames, lower thirds and marks above the quadrants."),
    AssetType.NFT: ("assets/stream/nfts", "The art itself, as it is shown."),
    AssetType.EXPRESSION: ("assets/character/expressions", "The host's faces."),
    AssetType.CHARACTER_BACKGROUND: ("assets/character/backgrounds", "What stands behind the host."),
    AssetType.PROP: ("assets/character/props", "What the host holds or wears."),
    AssetType.AUDIO: ("assets/stream/audio", "Beds, stings and the gavel."),
}
_PLACEHOLDER = re.compile(r"\{\{ ([a-z_]+) \}\}")
_REF = "#/$defs/"


def render(metadata: sa.MetaData) -> str:
    """The whole document. Raises KeyError for a placeholder without text and ValueError for a text without placeholder."""
    sections = {
        "core_models": _models(metadata, core=True),
        "supporting_models": _models(metadata, core=False),
        "redis_keys": _keys(),
        "redis_models": _described(_with_parts(STATES.values(), State), "####"),
        "channels": _channels(),
        "envelope": _fields(Envelope),
        "sources": ", ".join(f"`{source}`" for source in Source),
        "published_only": _listed(PUBLISHED_ONLY),
        "not_yet": _listed(sorted(NOT_YET)),
        "event_types": _event_types(),
        "field_types": _field_types(),
        "asset_types": _asset_types(),
    }
    text = TEMPLATE.read_text("utf-8")
    unused = sections.keys() - set(_PLACEHOLDER.findall(text))
    if unused:
        raise ValueError(f"{TEMPLATE.name} has no place for {', '.join(sorted(unused))}")
    return _PLACEHOLDER.sub(lambda found: sections[found[1]], text)


def _models(metadata: sa.MetaData, *, core: bool) -> str:
    tables = {model.class_of(table).__name__: table for table in metadata.sorted_tables}
    if core:
        return "\n".join(_table(tables[name], "####") for name in CORE)
    parts: list[str] = []
    rest = {name: table for name, table in sorted(tables.items()) if name not in CORE}
    domains = {name: model.class_of(table).__module__.split(".")[1] for name, table in rest.items()}
    for domain in [*_DOMAINS, *sorted(set(domains.values()) - set(_DOMAINS))]:
        names = [name for name in rest if domains[name] == domain]
        if names:
            parts.append(f"#### {_DOMAINS.get(domain, domain.capitalize())}\n")
            parts += [_table(rest[name], "#####") for name in names]
    return "\n".join(parts)


def _table(table: sa.Table, level: str) -> str:
    found = model.class_of(table)
    rows = [
        (
            f"`{column.name}`",
            f"`{_column_type(column)}`",
            "yes" if column.nullable else "",
            _column_notes(table, column),
        )
        for column in table.columns
    ]
    lines = [f"{level} {found.__name__} (`{table.name}`)\n", _prose(model.docstring(found)), ""]
    lines.append(_grid(("Column", "Type", "Null", "Notes"), rows))
    if rules := _rules(table):
        lines += ["Rules the database keeps:\n", *(f"- {rule}" for rule in rules), ""]
    return "\n".join(lines)


def _column_type(column: sa.Column[object]) -> str:
    if model.enum_of(column):
        return "text"
    return model.sql_type(column.type).lower().replace("timestamp with time zone", "timestamptz").replace(", ", ",")


def _column_notes(table: sa.Table, column: sa.Column[object]) -> str:
    notes = []
    if column.name in table.primary_key.columns:
        notes.append("primary key")
    if values := model.enum_of(column):
        notes.append("one of " + ", ".join(f"`{value}`" for value in values))
    for key in sorted(column.foreign_keys, key=lambda key: key.target_fullname):
        after = {"CASCADE": ", deleted with it", "SET NULL": ", emptied when it goes"}.get(key.ondelete or "", "")
        notes.append(f"→ `{key.target_fullname}`{after}")
    if column.identity is not None:
        notes.append("counted by the database")
    elif (default := model.default_of(column)) is not None:
        bare = default.strip("'")
        notes.append(f"default `{bare}`" if bare else "default empty")
    return "; ".join(notes)


def _rules(table: sa.Table) -> list[str]:
    rules = [f"`{model.sql_text(check.sqltext)}`" for check in model.checks(table)]
    rules += [f"unique: {_columns(c.name for c in unique.columns)}" for unique in model.uniques(table)]
    for index in model.indexes(table):
        if index.unique:
            what = ", ".join(f"`{model.sql_text(expression)}`" for expression in index.expressions)
            if model.is_on_expression(index):
                what = ", ".join(f"`{expression}`" for expression in index.expressions)
            else:
                what = _columns(column.name for column in index.columns)
            where = model.condition_of(index)
            rules.append(f"unique: {what}" + (f" where `{where}`" if where else ""))
    return rules


def _columns(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _keys() -> str:
    rows = [
        (f"`{kind}`", f"[`{STATES[kind].__name__}`](#{STATES[kind].__name__.lower()})", _life(kind)) for kind in Kind
    ]
    return _grid(("Key", "Holds", "Lives"), rows)


def _life(kind: Kind) -> str:
    life = keys.LIFE.get(kind)
    if life is None:
        return "as long as each one says"
    length = "1 day" if life == keys.DAY_S else f"{life} s"
    return f"until its end + {length}" if kind in keys.KEPT_UNTIL_END else f"{length} after the last write"


def _channels() -> str:
    rows = []
    for channel in Channel:
        types = [type_ for type_, address in CHANNELS.items() if address == channel]
        rows.append((f"`{channel.value}`", _listed(types)))
    return _grid(("Channel", "Types"), rows)


def _event_types() -> str:
    parts = []
    for channel in Channel:
        groups: dict[type[Data], list[str]] = {}
        for type_, address in CHANNELS.items():
            if address == channel:
                groups.setdefault(CATALOGUE[type_], []).append(type_)
        parts.append(f"#### {channel.name.capitalize()} events (`{channel.value}`)\n")
        for data, types in groups.items():
            parts.append(f"##### {_listed(types)}\n\n{_about(data, Data)}{_fields(data)}")
        nested = [part for part in _with_parts(groups, Data) if part not in groups]
        if nested:
            parts.append(f"Parts of these:\n\n{_described(nested, '#####')}")
    return "\n".join(parts)


def _with_parts(models: Iterable[type[BaseModel]], base: type[BaseModel]) -> list[type[BaseModel]]:
    """The models and every model of the same base that stands in a field of theirs, each once."""
    by_name = {found.__name__: found for found in _subclasses(base)}
    found = list(models)
    for one in found:
        for name in jsonschema.defs_of([one], "validation"):
            part = by_name.get(name)
            if part is not None and part not in found:
                found.append(part)
    return found


def _subclasses(base: type[BaseModel]) -> list[type[BaseModel]]:
    return [found for one in base.__subclasses__() for found in (one, *_subclasses(one))]


def _described(models: Iterable[type[BaseModel]], level: str) -> str:
    return "\n".join(f"{level} {one.__name__}\n\n{_about(one, State)}{_fields(one)}" for one in models)


def _about(one: type[BaseModel], base: type[BaseModel]) -> str:
    text = model.docstring(one)
    return "" if text in ("", model.docstring(base)) else _prose(text) + "\n\n"


def _fields(one: type[BaseModel]) -> str:
    schema = jsonschema.defs_of([one], "validation")[one.__name__]
    needed = schema.get("required", ())
    rows = [
        (f"`{name}`", _type(field), "" if name in needed else f"may be left out: {_default(one, name)}")
        for name, field in schema["properties"].items()
    ]
    return _grid(("Field", "Type", "Notes"), rows)


def _default(one: type[BaseModel], name: str) -> str:
    value = one.model_fields[name].get_default(call_default_factory=True, validated_data={})
    if value is None or isinstance(value, bool):
        return f"`{json.dumps(value)}`"
    return f"`{value}`" if value else "empty"


def _type(schema: Mapping[str, Any]) -> str:
    """A JSON schema in words."""
    if "$ref" in schema:
        return f"`{schema['$ref'].removeprefix(_REF)}`"
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type")
    match kind:
        case "array":
            most = f" (at most {schema['maxItems']})" if "maxItems" in schema else ""
            return f"list of {_type(schema['items'])}{most}"
        case "object":
            return f"map of text to {_type(schema.get('additionalProperties', {}))}"
        case "string" if schema.get("format") == "uuid":
            return "UUID"
        case "string":
            pattern = f" like `{schema['pattern']}`" if "pattern" in schema else ""
            return f"text{pattern}" + (f", at most {schema['maxLength']} characters" if "maxLength" in schema else "")
        case "integer" | "number":
            return f"{kind}{_range(schema)}"
        case "null" | "boolean":
            return str(kind)
    return "any JSON value"


def _range(schema: Mapping[str, Any]) -> str:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    ends = [f"{word} {schema[key]:g}" for key, word in words.items() if key in schema]
    return " " + " ".join(ends) if ends else ""


def _field_types() -> str:
    """The names that stand for a text, number or list of words in fields."""
    defs = jsonschema.definitions()
    rows = [
        (f"`{name}`", _type(schema))
        for name, schema in defs.items()
        if "properties" not in schema and "oneOf" not in schema and name != "JsonValue"
    ]
    return _grid(("Name", "What it is"), rows)


def _asset_types() -> str:
    rows = [(f"`{kind}`", f"`{_FOLDERS[kind][0]}`", _FOLDERS[kind][1]) for kind in AssetType]
    return _grid(("Type", "Folder", "For"), rows)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _prose(text: str) -> str:
    return text.replace("``", "`")


def _grid(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [_row(head), _row(("---",) * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def import_tables() -> sa.MetaData:
    """Import the ``tables`` module of every domain and give the metadata they have filled."""
    for found in pkgutil.iter_modules(sothebais.__path__):
        name = f"sothebais.{found.name}.tables"
        if found.ispkg and importlib.util.find_spec(name) is not None:
            importlib.import_module(name)
    return Base.metadata


if __name__ == "__main__":
    sys.stdout.write(render(import_tables()))
