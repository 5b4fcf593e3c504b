"""One connection, whatever carries it: what it may ask, how often, and how it ends."""

import contextlib
from collections.abc import Callable
from typing import Protocol

from prometheus_client import Counter, Gauge

from sothebais.api.live import protocol
from sothebais.api.live.protocol import Close, Message, Op
from sothebais.clock import Clock
from sothebais.errors import InvalidInput, SothebaisError, Unauthenticated
from sothebais.events.log import Position
from sothebais.users.service import Identity

CONNECTIONS = Gauge("sothebais_live_connections", "Live connections of this process")
CLOSED = Counter("sothebais_live_closed_total", "Live connections that the house ended", ["cause"])
#: A connection may send so many seconds' worth of its rate at once.
BURST_S = 4
HELD_MAX = 20


class Outlet(Protocol):
    """A transport as the hub sees it. Neither call waits; what cannot be sent at once is kept and counted."""

    @property
    def send(self) -> Callable[[bytes], None]:
        """Send one text message."""

    def buffered(self) -> int:
        """Bytes that the peer has not taken yet."""

    def close(self, code: Close) -> None:
        """Say why and end; nothing is sent afterwards."""


class Room(Protocol):
    """What a connection asks of the hub."""

    topics_max: int
    message_bytes_max: int

    def recognise(self, client: "Client", token: str, *, quietly: bool = False) -> None:
        """Sign the connection in; until that is decided its messages wait."""

    def subscribe(self, client: "Client", name: str, since: Position | None) -> None:
        """Have it follow a topic."""

    def unsubscribe(self, client: "Client", name: str) -> None:
        """Have it follow a topic no longer."""

    def leave(self, client: "Client") -> None:
        """It is over."""


class Client:
    """A connection that the hub knows. Its transport calls ``receive`` and, at the end, ``Hub.leave``."""

    __slots__ = (
        "_at",
        "_burst",
        "_clock",
        "_held",
        "_left",
        "_outlet",
        "_per_second",
        "_room",
        "address",
        "closed",
        "identity",
        "left_over",
        "pending",
        "send",
        "topics",
    )

    def __init__(
        self,
        room: Room,
        outlet: Outlet,
        *,
        address: str,
        identity: Identity | None,
        clock: Clock,
        messages_per_second: float,
    ) -> None:
        self._room, self._outlet, self._clock = room, outlet, clock
        self._per_second = messages_per_second
        self._burst = self._left = messages_per_second * BURST_S
        self._at = clock.monotonic()
        #: Messages that wait until it is known whose they are; the rate bounds them.
        self._held: list[bytes | str] | None = None
        self.send = outlet.send
        self.address = address
        self.identity = identity
        self.closed: Close | None = None
        #: The topics it follows, as the hub keeps them.
        self.topics: set[str] = set()
        #: Topics that are being read for it; the value tells a later request of the same topic from an earlier one.
        self.pending: dict[str, object] = {}
        #: What the peer had not taken at the last look.
        self.left_over = 0

    def receive(self, text: bytes | str) -> None:
        """A message came. Whoever sends too many, or too long ones, is let go."""
        if self.closed is not None:
            return
        now = self._clock.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second) - 1
        self._at = now
        if self._left < 0:
            self.close(Close.FLOOD)
            return
        if len(text) > self._room.message_bytes_max:
            self.close(Close.TOO_BIG)
            return
        if self._held is not None:
            if len(self._held) < HELD_MAX:
                self._held.append(text)
            else:
                self.close(Close.FLOOD)
            return
        self._read(text)

    def hold(self) -> None:
        """Who this is will be known in a moment: keep what comes until then."""
        self._held = []

    def release(self) -> None:
        """It is known, or will not be: go on."""
        held, self._held = self._held or [], None
        for text in held:
            if self.closed is None:
                self._read(text)

    def _read(self, text: bytes | str) -> None:
        try:
            self._obey(protocol.parse(text))
        except SothebaisError as error:
            self.send(protocol.error_frame(error))

    def close(self, code: Close) -> None:
        """End the connection, with the reason said to the peer as far as it still listens."""
        if self.closed is not None:
            return
        self.closed = code
        CLOSED.labels(code.name.lower()).inc()
        self._room.leave(self)
        with contextlib.suppress(OSError, RuntimeError):
            self._outlet.close(code)

    def stuck(self) -> bool:
        """Whether the peer has taken nothing of what waits for it since this was asked last."""
        before, self.left_over = self.left_over, self._outlet.buffered()
        return 0 < before <= self.left_over

    def _obey(self, message: Message) -> None:
        match message.op:
            case Op.PING:
                self.send(protocol.PONG)
            case Op.HELLO:
                if self.identity is not None:
                    raise InvalidInput("This connection is signed in already.")
                self._room.recognise(self, message.token or "")
            case Op.UNSUBSCRIBE:
                for name in message.topics:
                    self._room.unsubscribe(self, self._kept_as(name))
            case Op.SUBSCRIBE:
                names = [self._kept_as(name) for name in message.topics]
                wanted = self.topics | self.pending.keys() | set(names)
                if len(wanted) > self._room.topics_max:
                    raise InvalidInput(f"A connection follows {self._room.topics_max} topics at most.", field="topics")
                for name in names:
                    self._room.subscribe(self, name, message.position())

    def _kept_as(self, name: str) -> str:
        if name != protocol.ME:
            return name
        if self.identity is None:
            raise Unauthenticated("'me' needs somebody who is signed in. Send 'hello' with your token first.")
        return protocol.own_topic(str(self.identity.user))
