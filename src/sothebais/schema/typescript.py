"""TypeScript of the events, the Redis states and the API's bodies, for ``strict`` compilation and without ``any``."""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from sothebais.events.types import CHANNELS, ENVELOPES
from sothebais.schema import jsonschema
from sothebais.schema.jsonschema import Schema
from sothebais.state.keys import Channel
from sothebais.state.models import STATES

HEADER = """\
// The messages of SothebAIs: events, Redis states and API bodies.
// Written by `sothebais schema export --format typescript`; change the models, not this file.
// Amounts are decimal strings, never numbers; instants and lengths are whole milliseconds.

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };
"""

_NONE: Mapping[str, type[BaseModel]] = MappingProxyType({})
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*", re.ASCII)
_REF = "#/$defs/"
#: Names that are written by hand below or belong to the language's library.
_TAKEN = frozenset({"Event", "EventType", "EventOf", "CHANNELS", "ChannelOf", "RedisStates", "JsonValue", "Record"})


def render(*, requests: Mapping[str, type[BaseModel]] = _NONE, answers: Mapping[str, type[BaseModel]] = _NONE) -> str:
    """One module. A body whose parts clash with an event's or state's name has ``Api`` in front of them."""
    defs = jsonschema.definitions("serialization")
    del defs["Event"]
    defs = _with_bodies(defs, answers, "serialization")
    defs = _with_bodies(defs, requests, "validation")
    parts = [HEADER, *(declaration(name, schema) for name, schema in sorted(defs.items()) if name != "JsonValue")]
    return "\n".join([*parts, _events(), _channels(), _states()])


def declaration(name: str, schema: Schema) -> str:
    """``export interface`` of an object with fields, ``export type`` of everything else."""
    doc = _doc(schema.get("description"), "")
    if schema.get("type") == "object" and "properties" in schema:
        return f"{doc}export interface {name} {_object(schema, '')}\n"
    return f"{doc}export type {name} = {type_of(schema)};\n"


def type_of(schema: Any, indent: str = "") -> str:
    """The TypeScript type of a JSON schema."""
    if not isinstance(schema, dict):
        return "JsonValue" if schema else "never"
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_REF)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return _union([type_of(option, indent) for option in schema[union]])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return _union([json.dumps(value) for value in schema["enum"]])
    kind = schema.get("type")
    if isinstance(kind, list):
        return _union([type_of({**schema, "type": one}, indent) for one in kind])
    match kind:
        case "object":
            return _object_or_record(schema, indent)
        case "array":
            return _array(schema, indent)
        case "string" | "boolean" | "null":
            return str(kind)
        case "integer" | "number":
            return "number"
    return "JsonValue"


def _object_or_record(schema: Schema, indent: str) -> str:
    if "properties" in schema:
        return _object(schema, indent)
    values = schema.get("additionalProperties", True)
    return f"{{ readonly [key: string]: {type_of(values, indent)} }}"


def _object(schema: Schema, indent: str) -> str:
    inner = indent + "  "
    needed = set(schema.get("required", ()))
    lines = []
    for name, field in schema["properties"].items():
        key = name if _NAME.fullmatch(name) else json.dumps(name)
        optional = "" if name in needed else "?"
        doc = _doc(field.get("description") if isinstance(field, dict) else None, inner)
        lines.append(f"{doc}{inner}readonly {key}{optional}: {type_of(field, inner)};\n")
    return "{\n" + "".join(lines) + indent + "}"


def _array(schema: Schema, indent: str) -> str:
    if "prefixItems" in schema:
        return "readonly [" + ", ".join(type_of(item, indent) for item in schema["prefixItems"]) + "]"
    item = type_of(schema.get("items", True), indent)
    return f"readonly ({item})[]" if "|" in item else f"readonly {item}[]"


def _union(options: list[str]) -> str:
    # "number | number" comes from an integer or a float
    return " | ".join(dict.fromkeys(options)) or "never"


def _doc(text: object, indent: str) -> str:
    return f"{indent}/** {text.replace('*/', '* /')} */\n" if isinstance(text, str) and text else ""


def _with_bodies(
    defs: dict[str, Schema], models: Mapping[str, type[BaseModel]], mode: jsonschema.Mode
) -> dict[str, Schema]:
    for name, model in models.items():
        own = jsonschema.defs_of([model], mode)
        names = {model.__name__: name} if model.__name__ in own else {}
        own = jsonschema.rename(own, names)
        clashes = {part: "Api" + part for part in own if part in _TAKEN or (part in defs and defs[part] != own[part])}
        defs = jsonschema.merge(defs, jsonschema.rename(own, clashes))
    return defs


def _events() -> str:
    members = "".join(f"\n  | {envelope.__name__}" for envelope in ENVELOPES.values())
    return (
        f"/** Any event; `type` tells them apart. */\nexport type Event ={members};\n\n"
        'export type EventType = Event["type"];\n'
        "/** The event of one type. */\n"
        "export type EventOf<T extends EventType> = Extract<Event, { readonly type: T }>;\n"
    )


def _channels() -> str:
    names = "".join(f"  {channel.name.lower()}: {json.dumps(channel)},\n" for channel in Channel)
    members = "".join(f"  readonly {json.dumps(type_)}: {json.dumps(name)};\n" for type_, name in CHANNELS.items())
    return (
        f"/** The pub/sub channels. */\nexport const CHANNELS = {{\n{names}}} as const;\n\n"
        f"/** The channel each type is published on. */\nexport interface ChannelOf {{\n{members}}}\n"
    )


def _states() -> str:
    members = "".join(f"  readonly {json.dumps(kind)}: {model.__name__};\n" for kind, model in STATES.items())
    return f"/** What each Redis key holds. */\nexport interface RedisStates {{\n{members}}}\n"
