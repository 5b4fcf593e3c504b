"""JSON Schema 2020-12 of all events and Redis states; the other message formats are made from its definitions."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from sothebais.events.types import ENVELOPES
from sothebais.state.keys import POSITION_KEY
from sothebais.state.models import STATES, RelayPosition

type Schema = dict[str, Any]
type Mode = Literal["validation", "serialization"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/"


def render() -> str:
    """One document: ``$defs`` holds every event, state and part; ``Event`` is the union of the events."""
    states = [{"$ref": _REF + model.__name__} for model in STATES.values()]
    document = {
        "$schema": DIALECT,
        "title": "SothebAIs events and Redis states",
        "description": "Any event of the log and the pub/sub channels, or the value of any Redis key.",
        "anyOf": [{"$ref": _REF + "Event"}, *states],
        "$defs": definitions(),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def definitions(mode: Mode = "validation") -> dict[str, Schema]:
    """Every event, state and part by name, and the union ``Event``; a state's title is the key it stands under.

    In "serialization" a state has all its fields, as it is always written whole; an event may leave out defaults.
    """
    events = defs_of(ENVELOPES.values(), "validation")
    for type_, envelope in ENVELOPES.items():
        # the class has a default for convenience; in a text the type is what tells events apart
        schema = events[envelope.__name__]
        schema["required"] = [*schema.get("required", ()), *({"type"} - set(schema.get("required", ())))]
        schema["title"] = type_
    states = defs_of([*STATES.values(), RelayPosition], mode)
    for kind, model in STATES.items():
        states[model.__name__]["title"] = kind.value
    states[RelayPosition.__name__]["title"] = POSITION_KEY
    merged = merge(events, states)
    merged["Event"] = {
        "description": "Any event; `type` tells them apart.",
        "oneOf": [{"$ref": _REF + envelope.__name__} for envelope in ENVELOPES.values()],
    }
    return dict(sorted(merged.items()))


def defs_of(models: Iterable[type[BaseModel]], mode: Mode) -> dict[str, Schema]:
    """The definitions of some models and all their parts, without the titles Pydantic makes up from field names.

    In "serialization" every field is required: what is written has its defaults too.
    """
    _, document = models_json_schema([(model, mode) for model in models], ref_template=_REF + "{model}")
    defs: dict[str, Schema] = document["$defs"]
    clean = {name: _untitled(schema) for name, schema in defs.items()}
    if mode == "serialization":
        for schema in clean.values():
            if "properties" in schema:
                schema["required"] = list(schema["properties"])
    return clean


def merge(first: Mapping[str, Schema], second: Mapping[str, Schema]) -> dict[str, Schema]:
    """Both sets of definitions. Raises ValueError where one name means two things."""
    clashes = [name for name in first.keys() & second.keys() if first[name] != second[name]]
    if clashes:
        raise ValueError(f"two definitions of {', '.join(sorted(clashes))}")
    return {**first, **second}


def rename(defs: Mapping[str, Schema], names: Mapping[str, str]) -> dict[str, Schema]:
    """The same definitions, some under other names."""
    changed = {_REF + old: _REF + new for old, new in names.items()}
    return {names.get(name, name): _with_refs(schema, changed) for name, schema in defs.items()}


def moved(schema: Any, prefix: str) -> Any:
    """A schema whose references lead to ``prefix`` instead of ``#/$defs/``."""
    if isinstance(schema, dict):
        return {key: moved(value, prefix) for key, value in schema.items()}
    if isinstance(schema, list):
        return [moved(value, prefix) for value in schema]
    if isinstance(schema, str) and schema.startswith(_REF):
        return prefix + schema.removeprefix(_REF)
    return schema


def _with_refs(schema: Any, changed: Mapping[str, str]) -> Any:
    if isinstance(schema, dict):
        return {key: _with_refs(value, changed) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_with_refs(value, changed) for value in schema]
    return changed.get(schema, schema) if isinstance(schema, str) else schema


def _untitled(schema: Schema) -> Schema:
    """Without made-up titles, and with docstrings as one paragraph. A property named ``title`` stays."""
    clean: Schema = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key == "description" and isinstance(value, str):
            value = " ".join(value.split()).replace("``", "`")
        elif key in ("properties", "$defs", "patternProperties"):
            value = {name: _untitled(part) for name, part in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            value = _untitled(value)
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            value = [_untitled(part) for part in value]
        clean[key] = value
    return clean
