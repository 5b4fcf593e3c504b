"""The media process's end of the connection to its manager: a thread that reads, and one that writes.

Writing never holds up the show: live packets wait in a bounded queue and are left out when the manager does not read;
everything else is kept, and there is little of it.
"""

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Iterator
from typing import Final

from sothebais.stream.media.messages import (
    MESSAGE_BYTES_MAX,
    FromMedia,
    Live,
    ToMedia,
    encode,
    to_media,
)

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
        self._messages: deque[FromMedia] = deque(maxlen=MESSAGES_MAX)
        self._live: deque[Live] = deque()
        self._live_bytes = 0
        self.left_out = 0
        self.lost = False
        self._closing = False
        self._writer = threading.Thread(target=self._write, name="link", daemon=True)
        self._writer.start()

    def receive(self) -> Iterator[ToMedia]:
        """Messages as they come; ends when the manager is gone."""
        reader = self._socket.makefile("rb", buffering=1 << 16)
        while head := reader.read(4):
            length = int.from_bytes(head, "big")
            if len(head) < 4 or length > MESSAGE_BYTES_MAX:
                return
            body = reader.read(length)
            if len(body) < length:
                return
            yield to_media.decode(body)

    def send(self, message: FromMedia) -> None:
        """Have it sent; never waits."""
        with self._news:
            if isinstance(message, Live):
                if self._live_bytes + len(message.data) > LIVE_BYTES_MAX:
                    self.left_out += 1
                    return
                self._live.append(message)
                self._live_bytes += len(message.data)
            else:
                self._messages.append(message)
            self._news.notify()

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
