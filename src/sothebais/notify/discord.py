"""An event as a message of a Discord channel. Pure; only what everybody may see of a lot is said."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sothebais.events.cursors import LoggedEvent
from sothebais.notify.texts import clean

CONTENT_LENGTH_MAX = 2_000
_LINE_LENGTH_MAX = 200
#: Signs that Discord reads as format or as a link.
_FORMAT = str.maketrans({sign: f"\\{sign}" for sign in "\\*_~`|>[]()#@<:"})


def message(event: LoggedEvent) -> bytes:
    """The JSON body for Discord. It can address nobody, whatever stands in its texts."""
    line = _LINES.get(event.type, _plain)(event.type, event.decoded())
    content = f"{line}\n-# {_escaped(event.subject)}"[:CONTENT_LENGTH_MAX]
    return msgspec.json.encode({"content": content, "allowed_mentions": {"parse": []}})


def test_message() -> bytes:
    """What a test delivery says."""
    content = "The house can reach this channel."
    return msgspec.json.encode({"content": content, "allowed_mentions": {"parse": []}})


def _escaped(text: str) -> str:
    return clean(text, _LINE_LENGTH_MAX).translate(_FORMAT)


def _plain(type_: str, _data: dict[str, Any]) -> str:
    return _escaped(type_)


def _scheduled(_type: str, data: dict[str, Any]) -> str:
    terms = data["terms"]
    opens = f"<t:{data['starts_at'] // 1_000}:f>"
    return (
        f"Lot {data['lot_number']} “{_escaped(data['title'])}” is scheduled: from {terms['starting_price']} "
        f"{terms['currency']}, {opens}"
    )


def _end(_type: str, data: dict[str, Any]) -> str:
    if data["outcome"] == "SOLD":
        return f"**Sold** for {data['price']} after {data['bid_count']} bids"
    return "Passed: no buyer this time"


def _bid(_type: str, data: dict[str, Any]) -> str:
    return f"Bid #{data['number']}" + ("" if data["price"] is None else f": the price is {data['price']}")


def _campaign(type_: str, data: dict[str, Any]) -> str:
    word = "is scheduled" if type_ == "campaign:scheduled" else "begins"
    return f"**{_escaped(data['name'])}** {word}: {data['days']} auction days"


_LINES: Mapping[str, Callable[[str, dict[str, Any]], str]] = {
    "auction:scheduled": _scheduled,
    "auction:start": lambda *_: "Bidding is open",
    "auction:paused": lambda _, data: f"Bidding is paused: {_escaped(data['cause'])}",
    "auction:resumed": lambda *_: "Bidding goes on",
    "auction:end": _end,
    "auction:cancelled": lambda _, data: f"Cancelled: {_escaped(data['cause'])}",
    "auction:bid:accepted": _bid,
    "campaign:scheduled": _campaign,
    "campaign:start": _campaign,
}
