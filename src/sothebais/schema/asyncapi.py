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
_TOPIC = {"type": "string", "pattern": "^(auction:[0-9a-f-]{36}|stream|agent|schedule|me)$"}
_POSITION = {"type": "string", "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+$"}
_INSTANT = {"type": "integer", "minimum": 0}


def _op(name: str, *, optional: tuple[str, ...] = (), **fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"op": {"const": name}, **fields},
        "required": ["op", *(field for field in fields if field not in optional)],
        "additionalProperties": False,
    }


_SINCE = {"oneOf": [_POSITION, {"type": "null"}]}
_TOPICS = {"type": "array", "items": _TOPIC, "minItems": 1}
_EVENT = {"$ref": _SCHEMAS + "Event"}
_PERSON = {
    "type": "object",
    "properties": {"id": _TEXT, "handle": _TEXT},
    "required": ["id", "handle"],
    "additionalProperties": False,
}

#: What a client sends over the live feed, and what it gets.
_LIVE_CLIENT = {
    "LiveHello": (
        "Sign the connection in with a session's token; pages are by their cookie.",
        _op("hello", token=_TEXT),
    ),
    "LiveSubscribe": (
        "Follow topics, from a position on or (since null or left out) from a snapshot.",
        _op("subscribe", topics=_TOPICS, since=_SINCE, optional=("since",)),
    ),
    "LiveUnsubscribe": ("Follow them no longer.", _op("unsubscribe", topics=_TOPICS)),
    "LivePing": ("Ask for a sign of life.", _op("ping")),
}
_LIVE_SERVER = {
    "LiveSignedIn": ("Who the connection belongs to from now on.", _op("hello", user=_PERSON)),
    "LiveSnapshot": (
        "A topic as it is at a position; first after subscribing without one.",
        _op("snapshot", topic=_TOPIC, position=_POSITION, data={"type": "object"}),
    ),
    "LiveEvent": (
        "The next event of a topic, in order and without gaps.",
        _op("event", topic=_TOPIC, position=_POSITION, event=_EVENT),
    ),
    "LiveResync": (
        "Too much was missed: forget what you have of the topic, a snapshot follows.",
        _op("resync", topic=_TOPIC),
    ),
    "LiveTime": (
        "The house's time in milliseconds, at the beginning and every ten seconds, for an honest countdown.",
        _op("time", server=_INSTANT),
    ),
    "LivePong": ("The answer to a ping.", _op("pong")),
    "LiveError": (
        "A message could not be obeyed, or a topic not be followed. The connection goes on.",
        _op("error", code=_TEXT, detail=_TEXT, topic=_TOPIC, optional=("topic",)),
    ),
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
        "/api/v1/live", "The live feed of pages and overlays.", "live", [*_LIVE_CLIENT, *_LIVE_SERVER]
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
            "live": {
                "host": "localhost:8020",
                "protocol": "ws",
                "description": "The live gateway. The API serves the same at its own address; GET /api/v1/config tells both.",
            },
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
