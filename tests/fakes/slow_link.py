"""A link that takes no more than so many kbit/s, in front of a real server.

with slow_link(server.port, kbps=3_000) as link:
    publish(f"rtmp://127.0.0.1:{link.port}/live/key")
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

#: What the link itself holds.
HOLDS_BYTES = 16_384
_AT_ONCE_BYTES = 4_096


class SlowLink:
    """Forwards connections; ``kbps`` may be changed at any time. ``carried`` is bytes towards the server."""

    def __init__(self, server_port: int, kbps: int) -> None:
        self.kbps, self.carried = kbps, 0
        self._server_port = server_port
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, HOLDS_BYTES)
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        return int(self._listening.getsockname()[1])

    def close(self) -> None:
        """End it and all that goes through it."""
        for one in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._server_port))
            self._open += [near, far]
            threading.Thread(target=self._carry, args=(near, far), daemon=True).start()
            threading.Thread(target=self._answer, args=(far, near), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        due = time.monotonic()
        with contextlib.suppress(OSError):
            while data := near.recv(_AT_ONCE_BYTES):
                far.sendall(data)
                self.carried += len(data)
                due = max(due, time.monotonic() - 0.05) + len(data) * 8 / 1_000 / self.kbps
                time.sleep(max(0.0, due - time.monotonic()))
        with contextlib.suppress(OSError):
            far.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _answer(far: socket.socket, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(65_536):
                near.sendall(data)
        with contextlib.suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def slow_link(server_port: int, *, kbps: int) -> Iterator[SlowLink]:
    """A link for as long as the block lasts."""
    link = SlowLink(server_port, kbps)
    try:
        yield link
    finally:
        link.close()
