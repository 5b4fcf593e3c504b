"""One output: its queue, its thread, and its way back after a loss.

``feed`` never waits, so nothing that happens to an output can hold up the clock. What a connection has lost is not
sent late: the next one begins with a key frame.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

import structlog
from av.error import ExitError, FFmpegError

from sothebais.stream.encoder import Packet
from sothebais.stream.outputs.model import (
    BACKOFF_S,
    PACKETS_MAX,
    OutputReading,
    OutputReport,
    OutputSpec,
    longer,
)

log = structlog.get_logger(__name__)

#: An output that was up for so long is tried again at once, from the shortest wait.
STEADY_S = 10.0


class Sink(Protocol):
    """Somewhere packets can be written to; opened already."""

    def write(self, packet: Packet) -> None:
        """Write one. Raises OSError or FFmpegError when it is lost."""

    def close(self, *, ended: bool = False) -> None:
        """Finish and let go; may wait for the peer. ``ended``: the broadcast is over, nobody goes on with it."""


class SinkRefused(Exception):
    """It cannot be opened now, for the reason given."""


class Output:
    """Takes packets, writes them in a thread, and starts again after each loss until it is stopped."""

    def __init__(
        self,
        spec: OutputSpec,
        open_sink: Callable[[], Sink],
        *,
        report: Callable[[OutputReport], None],
        ask_key: Callable[[], None],
        packets_max: int = PACKETS_MAX,
    ) -> None:
        self.spec = spec
        self._open = open_sink
        self._report = report
        self._ask_key = ask_key
        self._packets_max = packets_max
        self._packets: deque[Packet] = deque()
        self._news = threading.Condition()
        self._stopping = self._ended = False
        self._up = False
        self._awaits_key = True
        self._dropped = 0
        self._sent_bytes = 0
        self._thread = threading.Thread(target=self._run, name=f"output-{spec.name}", daemon=True)
        self._thread.start()

    def feed(self, packet: Packet) -> None:
        """Take a packet. When too many wait, all are dropped and the next key frame begins anew."""
        with self._news:
            if self._stopping or not self._up:
                return
            if self._awaits_key:
                if packet.kind != "video" or not packet.key:
                    return
                self._awaits_key = False
            if len(self._packets) >= self._packets_max:
                self._dropped += len(self._packets) + 1
                self._packets.clear()
                self._awaits_key = True
                self._ask_key()
                return
            self._packets.append(packet)
            self._news.notify()

    @property
    def waiting(self) -> int:
        """Packets that have not been written yet."""
        return len(self._packets)

    def reading(self) -> OutputReading:
        """How it does."""
        return OutputReading(
            name=self.spec.name,
            kind=self.spec.kind,
            up=self._up,
            waiting=len(self._packets),
            dropped=self._dropped,
            sent_bytes=self._sent_bytes,
        )

    def ask_to_stop(self, *, ended: bool = False) -> None:
        """Write what waits, close, end. ``ended`` where the broadcast is over."""
        with self._news:
            self._stopping, self._ended = True, ended
            self._news.notify()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; whether it came."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        attempts, wait, down_since = 0, BACKOFF_S, time.monotonic()
        # since when it has not been up for long: a server that takes it and drops it at once is not asked for ever so often
        unsteady_since = down_since
        ever_up, told_down = False, False
        while not self._stopping:
            attempts += 1
            try:
                sink = self._open()
            except Exception as error:  # noqa: BLE001 - whatever a library says, the output is tried again
                if not told_down:
                    told_down = True
                    self._say(up=False, attempts=attempts, reason=reason_of(error))
                self._pause(wait)
                wait = longer(wait, time.monotonic() - unsteady_since)
                continue
            down_ms = round((time.monotonic() - down_since) * 1_000) if ever_up else None
            self._say(up=True, attempts=attempts, down_ms=down_ms)
            attempts, ever_up, told_down, begun = 0, True, False, time.monotonic()
            lost = self._write_all(sink)
            down_since = time.monotonic()
            with self._news:
                self._up = False
                self._dropped += len(self._packets)
                self._packets.clear()
            if lost is not None:
                told_down = True
                self._say(up=False, reason=lost)
            self._close(sink, ended=lost is None and self._ended)
            if lost is not None:
                if down_since - begun >= STEADY_S:
                    wait, unsteady_since = BACKOFF_S, down_since
                else:
                    wait = longer(wait, down_since - unsteady_since)
                self._pause(wait)

    def _close(self, sink: Sink, *, ended: bool) -> None:
        """By this thread: what is lost may take as long to close as to write to."""
        try:
            sink.close(ended=ended)
        except Exception as error:  # noqa: BLE001 - it is gone either way
            log.info("stream.output_closed", output=self.spec.name, reason=reason_of(error))

    def _write_all(self, sink: Sink) -> str | None:
        """Write until told to stop (null) or until the sink is lost (why)."""
        with self._news:
            self._up, self._awaits_key = True, True
        self._ask_key()
        while True:
            with self._news:
                while not self._packets:
                    if self._stopping:
                        return None
                    self._news.wait()
                packet = self._packets.popleft()
            try:
                sink.write(packet)
            except Exception as error:  # noqa: BLE001 - lost is lost
                return reason_of(error)
            self._sent_bytes += len(packet.data)

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with self._news:
            while not self._stopping and (left := deadline - time.monotonic()) > 0:
                self._news.wait(left)

    def _say(self, *, up: bool, attempts: int = 1, down_ms: int | None = None, reason: str = "") -> None:
        log.info("stream.output", output=self.spec.name, kind=self.spec.kind, up=up, reason=reason, attempts=attempts)
        self._report(
            OutputReport(
                name=self.spec.name,
                kind=self.spec.kind,
                up=up,
                attempts=max(1, attempts),
                down_ms=down_ms,
                reason=reason,
                retrying=not self._stopping,
            )
        )


def reason_of(error: Exception) -> str:
    """Why, without the address: libav's own texts have it, with its key, in full."""
    if isinstance(error, SinkRefused):
        return str(error)
    if isinstance(error, ExitError):  # how libav says that its time is up
        return "the server took nothing for too long"
    if isinstance(error, OSError | FFmpegError) and error.strerror:
        return str(error.strerror)
    return type(error).__name__
