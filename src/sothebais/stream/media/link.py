"""The media process's end of the connection to its manager: a thread that reads, and one that writes.

Writing never holds up the show: live packets wait in a bounded queue and are left out, up to the next key frame, when
the manager does not read; everything else is kept, and there is little of it.
"""

import contextlib
import io
import socket
import threading
from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec
import structlog

from sothebais.stream.media.messages import (
    AUDIO,
    INITIAL,
    KEY,
    MESSAGE_BYTES_MAX,
    Fault,
    FromMedia,
    Live,
    Readings,
    Shown,
    ToMedia,
    encode,
    to_media,
)

log = structlog.get_logger(__name__)

#: Bytes of live packets that may wait for the manager.
LIVE_BYTES_MAX: Final = 4 * 1024 * 1024
#: Other messages that may wait.
MESSAGES_MAX: Final = 1_000


class LinkLost(Exception):
    """The manager is gone."""


class Link:
    """Both directions over one socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._news = threading.Condition()
        self._messages: deque[FromMedia] = deque()
        self._live: deque[Live] = deque()
        self._live_bytes = 0
        self._await_key: set[int] = set()
        self.left_out = 0
        self.lost = False
        self._closing = False
        self._writer = threading.Thread(target=self._write, name="link", daemon=True)
        self._writer.start()

    def receive(self) -> Iterator[ToMedia]:
        """Messages as they come; ends when the manager is gone. One that cannot be read is told as a fault."""
        reader = self._socket.makefile("rb", buffering=1 << 16)
        while (body := _body(reader)) is not None:
            try:
                message = to_media.decode(body)
            except msgspec.DecodeError as error:
                log.warning("stream.media_message_unreadable", reason=str(error))
                self.send(Fault("ENCODER", f"a message could not be read: {error}"[:300]))
                continue
            yield message

    def send(self, message: FromMedia) -> None:
        """Have it sent; never waits."""
        with self._news:
            if not isinstance(message, Live):
                if len(self._messages) >= MESSAGES_MAX:
                    self._forget_one()
                self._messages.append(message)
            elif self._takes(message):
                self._live.append(message)
                self._live_bytes += len(message.data)
            else:
                self.left_out += 1
            self._news.notify()

    def _takes(self, live: Live) -> bool:
        """Whether there is room for it; pictures that need one that was left out mean nothing."""
        if live.flags & INITIAL:
            return True
        begins = live.kind == AUDIO or bool(live.flags & KEY)
        full = self._live_bytes + len(live.data) > LIVE_BYTES_MAX
        if full or (live.kind in self._await_key and not begins):
            self._await_key.add(live.kind)
            return False
        self._await_key.discard(live.kind)
        return True

    def _forget_one(self) -> None:
        """Readings and positions are replaced by later ones; the rest happens once."""
        for place, message in enumerate(self._messages):
            if isinstance(message, Shown | Readings):
                del self._messages[place]
                return
        self._messages.popleft()

    def hang_up(self) -> None:
        """End ``receive``."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)

    def close(self, timeout_s: float) -> None:
        """Send what waits, then close."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._writer.join(timeout_s)
        self._socket.close()

    def _write(self) -> None:
        while True:
            with self._news:
                while not self._messages and not self._live:
                    if self._closing:
                        return
                    self._news.wait()
                # what is said of a packet goes before it
                message: FromMedia
                if self._messages:
                    message = self._messages.popleft()
                else:
                    message = self._live.popleft()
                    self._live_bytes -= len(message.data)
            try:
                self._socket.sendall(encode(message))
            except OSError:
                self.lost = True
                return


def _body(reader: io.IOBase) -> bytes | None:
    try:
        head: bytes = reader.read(4)
        length = int.from_bytes(head, "big")
        if len(head) < 4 or length > MESSAGE_BYTES_MAX:
            return None
        body: bytes = reader.read(length)
    except OSError:  # killed in the middle of a word
        return None
    return body if len(body) == length else None
