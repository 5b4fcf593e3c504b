"""An AsyncAPI 3.0 document: the five pub/sub channels and the live feed, one message per event type."""

import json
from importlib.metadata import version
from typing import Any

from sothebais.events.types import CHANNELS, ENVELOPES, PUBLISHED_ONLY
from sothebais.events.types.base import SCHEMA_VERSION
from sothebais.schema import jsonschema
from sothebais.state.keys import Channel

_SCHEMAS = "#/components/schemas/"
_MESSAGES = "#/components/messages/"

_ABOUT = {
    Channel.AUCTION: "Campaigns, sessions, auctions, bids and settlements.",
    Channel.STREAM: "The broadcast: scenes, outputs, quality, viewers.",
    Channel.AGENT: "The host: what it says, feels, remembers and wants shown.",
    Channel.USER: "People: connections, preferences, posts and lines in the room.",
    Channel.SYSTEM: "The processes of the house and how they are.",
}

_TEXT = {"type": "string"}
_TOPIC = {"type": "string", "pattern": "^(auction:[0-9a-f-]{36}|stream|agent|schedule)$"}
_POSITION = {"type": "string", "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+$"}
_INSTANT = {"type": "integer", "minimum": 0}


def _op(name: str, **fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"op": {"const": name}, **fields},
        "required": ["op", *fields],
        "additionalProperties": False,
    }


_SINCE = {"oneOf": [_POSITION, {"type": "null"}]}
_TOPICS = {"type": "array", "items": _TOPIC, "minItems": 1}
_EVENT = {"$ref": _SCHEMAS + "Event"}

#: What a client sends over the live feed, and what it gets.
_LIVE_CLIENT = {
    "LiveSubscribe": ("Follow topics from a position on.", _op("subscribe", topics=_TOPICS, since=_SINCE)),
    "LiveUnsubscribe": ("Follow them no longer.", _op("unsubscribe", topics=_TOPICS)),
    "LivePing": ("Ask for a sign of life.", _op("ping")),
}
_LIVE_SERVER = {
    "LiveSnapshot": (
        "A topic as it is at a position; first after subscribing.",
        _op("snapshot", topic=_TOPIC, position=_POSITION, data={"type": "object"}),
    ),
    "LiveEvent": (
        "The next event of a topic, in order and without gaps.",
        _op("event", topic=_TOPIC, position=_POSITION, event=_EVENT),
    ),
    "LiveResync": ("Start over: too much was missed.", _op("resync")),
    "LiveTime": ("The server's time every ten seconds, for an honest countdown.", _op("time", server=_INSTANT)),
}


def render() -> str:
    """The document as JSON."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def document() -> dict[str, Any]:
    """The document as plain data. The house is the application: it *sends* events, clients receive them."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for channel in Channel:
        name = channel.name.lower()
        members = [ENVELOPES[type_].__name__ for type_, address in CHANNELS.items() if address == channel]
        channels[name] = _channel(channel.value, _ABOUT[channel], "redis", members)
        operations[f"publish_{name}"] = _operation("send", name, members)
    channels["live"] = _channel(
        "/api/v1/live", "The live feed of pages and overlays.", "http", [*_LIVE_CLIENT, *_LIVE_SERVER]
    )
    operations["receive_live"] = _operation("receive", "live", list(_LIVE_CLIENT))
    operations["send_live"] = _operation("send", "live", list(_LIVE_SERVER))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "SothebAIs",
            "version": version("sothebais"),
            "description": f"Events of the house, schema version {SCHEMA_VERSION}. Every event is one JSON object.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "redis": {"host": "localhost:6379", "protocol": "redis", "description": "Redis or Valkey."},
            "http": {"host": "localhost:8000", "protocol": "ws", "description": "The API."},
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _channel(address: str, about: str, server: str, members: list[str]) -> dict[str, Any]:
    return {
        "address": address,
        "description": about,
        "servers": [{"$ref": f"#/servers/{server}"}],
        "messages": {name: {"$ref": _MESSAGES + name} for name in members},
    }


def _operation(action: str, channel: str, members: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in members],
    }


def _messages() -> dict[str, Any]:
    events = {
        envelope.__name__: {
            "name": type_,
            "title": type_,
            "summary": " ".join((envelope.__doc__ or "").split()),
            "tags": [{"name": "published only" if type_ in PUBLISHED_ONLY else "logged"}],
            "payload": {"$ref": _SCHEMAS + envelope.__name__},
        }
        for type_, envelope in ENVELOPES.items()
    }
    live = {
        name: {"name": name, "title": name, "summary": about, "payload": {"$ref": _SCHEMAS + name}}
        for name, (about, _) in (_LIVE_CLIENT | _LIVE_SERVER).items()
    }
    return events | live


def _schemas() -> dict[str, Any]:
    schemas = {name: jsonschema.moved(schema, _SCHEMAS) for name, schema in jsonschema.definitions().items()}
    schemas["Event"]["discriminator"] = "type"
    live = {name: schema for name, (_, schema) in (_LIVE_CLIENT | _LIVE_SERVER).items()}
    return schemas | live
