"""What is said over the live feed. Pure: messages in, frames out, and the limits both keep to."""

from enum import IntEnum, StrEnum
from typing import Any

import msgspec

from sothebais import ids
from sothebais.errors import InvalidInput, SothebaisError
from sothebais.events.log import Position
from sothebais.instants import Millis

PATH = "/api/v1/live"
TOPIC_LENGTH_MAX = 60
TOKEN_LENGTH_MAX = 200
#: Topics in one message; a connection may hold fewer still (``live_topics_max``).
TOPICS_NAMED_MAX = 100

STREAM, AGENT, SCHEDULE, ME = "stream", "agent", "schedule", "me"
_PLAIN = frozenset({STREAM, AGENT, SCHEDULE, ME})
_AUCTION = "auction:"


class Close(IntEnum):
    """Why the house ends a connection. Those above 4000 are its own."""

    STOPPING = 1012
    FULL = 1013
    UNSUPPORTED = 1003
    FLOOD = 1008
    TOO_BIG = 1009
    SIGNED_OUT = 4401
    SLOW = 4408


REASONS: dict[Close, str] = {
    Close.STOPPING: "The house restarts this service. Connect again.",
    Close.FULL: "Too many connections. Try again later.",
    Close.UNSUPPORTED: "Send whole text messages.",
    Close.FLOOD: "Too many messages.",
    Close.TOO_BIG: "The message is too long.",
    Close.SIGNED_OUT: "You are signed out.",
    Close.SLOW: "You read too slowly. Connect again and resume.",
}


class Op(StrEnum):
    """What a client may say."""

    HELLO = "hello"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    PING = "ping"


class Message(msgspec.Struct, forbid_unknown_fields=True):
    """A message of a client; ``parse`` has checked that its fields fit its ``op``."""

    op: Op
    topics: list[str] = []
    since: str | None = None
    token: str | None = None

    def position(self) -> Position | None:
        """Where to go on from."""
        return None if self.since is None else Position.parse(self.since)


_decoder = msgspec.json.Decoder(Message)


def parse(text: bytes | str) -> Message:
    """The message of a text. Raises InvalidInput that says what is wrong with it."""
    try:
        message = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"This is not a message of the live feed: {str(error)[:200]}.") from None
    wants_topics = message.op in (Op.SUBSCRIBE, Op.UNSUBSCRIBE)
    if wants_topics and not message.topics:
        raise InvalidInput(f"'{message.op}' needs 'topics'.", field="topics")
    if message.topics and not wants_topics:
        raise InvalidInput(f"'{message.op}' takes no 'topics'.", field="topics")
    if len(message.topics) > TOPICS_NAMED_MAX:
        raise InvalidInput(f"Name {TOPICS_NAMED_MAX} topics at most.", field="topics")
    if message.since is not None:
        if message.op is not Op.SUBSCRIBE:
            raise InvalidInput(f"'{message.op}' takes no 'since'.", field="since")
        try:
            Position.parse(message.since)
        except ValueError as error:
            raise InvalidInput(f"since: {error}.", field="since") from None
    if (message.token is not None) != (message.op is Op.HELLO):
        raise InvalidInput("'hello', and only it, needs a 'token'.", field="token")
    if message.token is not None and len(message.token) > TOKEN_LENGTH_MAX:
        raise InvalidInput("The token is too long.", field="token")
    message.topics = [topic(name) for name in dict.fromkeys(message.topics)]
    return message


def topic(text: str) -> str:
    """A topic in its one form. Raises InvalidInput for what is none."""
    if text in _PLAIN:
        return text
    if text.startswith(_AUCTION) and len(text) <= TOPIC_LENGTH_MAX:
        auction = ids.parse_id(text.removeprefix(_AUCTION))
        if auction is not None:
            return auction_topic(str(auction))
    raise InvalidInput(
        f"{text[:TOPIC_LENGTH_MAX]!r} is not a topic. There are auction:ID, stream, agent, schedule and me.",
        field="topics",
    )


def auction_topic(auction: str) -> str:
    """The topic of one lot."""
    return _AUCTION + auction


def own_topic(user: str) -> str:
    """Where the hub keeps a person's ``me``."""
    return f"{ME}:{user}"


def shown(name: str) -> str:
    """The topic as its client knows it."""
    return ME if name.startswith(f"{ME}:") else name


_encode = msgspec.json.Encoder().encode
PONG = _encode({"op": "pong"})


def event_frame(name: str, position: Position, message: bytes) -> bytes:
    """The next event of a topic; ``message`` is its envelope in JSON already."""
    return b'{"op":"event","topic":"%b","position":"%b","event":%b}' % (
        shown(name).encode(),
        str(position).encode(),
        message,
    )


def snapshot_frame(name: str, position: Position, data: dict[str, Any]) -> bytes:
    """A topic as it is at a position."""
    return _encode({"op": "snapshot", "topic": shown(name), "position": str(position), "data": data})


def resync_frame(name: str) -> bytes:
    """Forget what you have of this topic; a snapshot follows."""
    return _encode({"op": "resync", "topic": shown(name)})


def time_frame(now: Millis) -> bytes:
    """The house's time."""
    return _encode({"op": "time", "server": now})


def hello_frame(user: str, handle: str) -> bytes:
    """Who the connection is signed in as from now on."""
    return _encode({"op": "hello", "user": {"id": user, "handle": handle}})


def error_frame(error: SothebaisError, name: str | None = None) -> bytes:
    """What went wrong; the connection goes on."""
    body: dict[str, Any] = {"op": "error", "code": error.code, "detail": error.message}
    if name is not None:
        body["topic"] = shown(name)
    return _encode(body)
