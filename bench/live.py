"""``python -m bench.live``: one event to thousands of live clients, against a bare loop of writes to as many sockets.

The feed's gateway and the bare loop are a process each and take turns, round after round; the clients of each are
another process that does nothing but read raw sockets. What is measured is the time from the event to the last client's last
byte. A client that never reads is among them in rounds of their own, and must delay nobody.
"""

import asyncio
import contextlib
import multiprocessing
import os
import resource
import select
import socket
import statistics
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any

import msgspec
import uvloop

from bench.common import BenchFailed, main, percentile, settled
from sothebais.api.live import protocol
from sothebais.api.live.gateway import Gateway
from sothebais.api.live.history import History, Item
from sothebais.api.live.hub import Hub
from sothebais.bootstrap import settle_memory
from sothebais.clock import SystemClock
from sothebais.config import Settings
from sothebais.db.engine import create_engine
from sothebais.events.cursors import LoggedEvent
from sothebais.events.log import START, Position
from sothebais.ids import new_id

SIZES = (1_000, 5_000, 10_000)
ROUNDS, ROUNDS_QUICK = 41, 11
FRAME_BYTES = 200
OURS, RAW = "gateway", "raw loop"
#: Open files of one process: a connection to each client, and some to spare.
FILES_NEEDED = max(SIZES) + 200
#: A round that is not over by then has lost somebody.
ROUND_S_MAX = 20.0
READY_S_MAX = 60.0
#: What one who never reads is sent first, so that nothing more fits between it and the server.
STUFFING_BYTES = 60_000
STUFFED_MAX = 200
TARGET_MS, TARGET_RATIO = 200.0, 1.5


def topic_of(size: int) -> str:
    """The lot that so many clients follow."""
    return f"auction:019d3c5e-0000-7000-8000-{size:012d}"


STUCK_TOPIC = topic_of(1)


def event(topic: str, seq: int, frame_bytes: int) -> Item:
    """The next event of a lot, in a frame of that many bytes."""
    item = Item(
        LoggedEvent(
            id=new_id(),
            position=Position(1, seq, seq),
            n=seq,
            timestamp=0,
            type="auction:bid:accepted",
            source="auction-engine",
            version="1.0",
            subject=topic,
            correlation_id=None,
            causation_id=None,
            data="{}",
            prev_hash=None,
            hash=None,
        )
    )
    item.message = b"{}"
    room = frame_bytes - len(protocol.event_frame(topic, item.position, b'""')) - _header(frame_bytes)
    item.message = b'"' + b"x" * room + b'"'
    return item


def _header(frame_bytes: int) -> int:
    return 2 if frame_bytes <= 127 else 4 if frame_bytes <= 65_539 else 10


# The servers' processes


class Server:
    """The gateway with a hub that is fed by hand, or the bare loop."""

    def __init__(self, commands: Connection, design: str) -> None:
        self._commands, self._design = commands, design
        self._raw: list[socket.socket] = []
        self._seq = 0

    async def run(self) -> None:
        """Serve until told to stop."""
        settings = Settings(live_connections_max=50_000, live_connections_per_address_max=50_000)
        # what a hub needs that nobody signs in to and that reads no log
        parts: Any = SimpleNamespace(
            settings=settings,
            clock=SystemClock(),
            database=create_engine("postgresql://nobody@127.0.0.1:1/none"),
        )
        self._hub = Hub(parts, "", None)
        self._hub.running, self._hub.history = True, History(START, events_max=1_000)
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        async with contextlib.AsyncExitStack() as stack:
            if self._design == OURS:
                await stack.enter_async_context(Gateway(self._hub, settings, listener))
            else:
                listener.listen(4_096)
                listener.setblocking(False)
                loop.add_reader(listener.fileno(), self._accept, listener)
            loop.add_reader(self._commands.fileno(), self._obey, stop)
            self._commands.send(listener.getsockname())
            await stop.wait()

    def _accept(self, raw: socket.socket) -> None:
        try:
            while True:
                accepted, _ = raw.accept()
                accepted.setblocking(False)
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._raw.append(accepted)
        except BlockingIOError:
            pass

    def _obey(self, stop: asyncio.Event) -> None:
        command, *arguments = self._commands.recv()
        if command == "stop":
            stop.set()
        elif command == "count":
            self._commands.send(len(self._hub) + len(self._raw))
        elif command == "settle":
            settled()
            self._commands.send(None)
        elif command == "stuff":
            asyncio.ensure_future(self._stuff(*arguments))  # noqa: RUF006 - the answer ends it
        else:
            self._commands.send(self._fire(*arguments))

    def _fire(self, clients: int) -> tuple[float, float]:
        """Hand one event on; when that began and when the last write was done."""
        self._seq += 1
        if self._design == OURS:
            item = event(topic_of(clients), self._seq, FRAME_BYTES)
            begun = time.perf_counter()
            self._hub._hand_on(item.subject, item)
            return begun, time.perf_counter()
        item = event(topic_of(clients), self._seq, FRAME_BYTES)
        targets = self._raw[:clients]
        begun = time.perf_counter()
        payload = item.frame(item.subject)
        frame = b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload
        for target in targets:
            target.send(frame)
        return begun, time.perf_counter()

    async def _stuff(self, until_gone: bool) -> None:
        """Send to the one who never reads until something waits for it here, or until it is let go."""
        before = len(self._hub)
        for _ in range(STUFFED_MAX):
            members = self._hub._topics.get(STUCK_TOPIC, {})
            waits = sum(client._outlet.buffered() for client in members)
            if (not members) if until_gone else waits:
                break
            self._seq += 1
            self._hub._hand_on(STUCK_TOPIC, event(STUCK_TOPIC, self._seq, STUFFING_BYTES))
            await asyncio.sleep(0.002)
        self._commands.send((before, len(self._hub)))


def _serve(commands: Connection, design: str) -> None:
    _raise_limit()
    settle_memory()
    uvloop.run(Server(commands, design).run())


# The clients' processes


class Clients:
    """Raw sockets and one epoll; a few of them subscribe to the smaller topics too."""

    def __init__(self, commands: Connection) -> None:
        self._commands = commands
        self._buffer = bytearray(65_536)
        self._open: list[socket.socket] = []
        self._stuck: list[socket.socket] = []

    def run(self) -> None:
        """Obey until told to stop."""
        while True:
            command, *arguments = self._commands.recv()
            if command == "stop":
                return
            self._commands.send(getattr(self, command)(*arguments))

    def connect(self, design: str, address: tuple[str, int]) -> int:
        """Open the connections; the gateway's say what they follow and wait until they do."""
        opened = [self._connected(address) for _ in range(max(SIZES))]
        if design == OURS:
            for number, connection in enumerate(opened):
                self._follow(connection, [topic_of(size) for size in SIZES if number < size])
            for connection in opened:
                self._until_pong(connection)
        for connection in opened:
            connection.setblocking(False)
        self._open = opened
        return len(opened)

    def connect_stuck(self, address: tuple[str, int]) -> int:
        """One that follows the largest topic and will not read any more."""
        connection = self._connected(address)
        self._follow(connection, [topic_of(max(SIZES)), STUCK_TOPIC])
        self._until_pong(connection)
        self._stuck.append(connection)
        return 1

    def expect(self, clients: int) -> float:
        """Tell that we are ready, then read one frame on each of so many; when the last byte was there."""
        watch = select.epoll()
        left = {}
        by_number = {connection.fileno(): connection for connection in self._open[:clients]}
        for number in by_number:
            watch.register(number, select.EPOLLIN)
            left[number] = FRAME_BYTES
        self._commands.send("ready")
        deadline = time.perf_counter() + ROUND_S_MAX
        last = 0.0
        while left:
            for number, _ in watch.poll(0.5, 1_024):
                if number not in left:
                    continue
                left[number] -= by_number[number].recv_into(self._buffer)
                if left[number] <= 0:
                    last = time.perf_counter()
                    del left[number]
            if time.perf_counter() > deadline:
                return -float(len(left))
        watch.close()
        return last

    def cpu(self) -> float:
        """Seconds of processor this process has used."""
        return time.process_time()

    def _connected(self, address: tuple[str, int]) -> socket.socket:
        connection = socket.socket()
        connection.settimeout(READY_S_MAX)
        connection.connect(address)
        return connection

    def _follow(self, connection: socket.socket, topics: Sequence[str]) -> None:
        host = f"{connection.getpeername()[0]}:{connection.getpeername()[1]}"
        connection.sendall(
            f"GET {protocol.PATH} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            + _masked(msgspec.json.encode({"op": "subscribe", "topics": topics, "since": "0.0.0"}))
            + _masked(msgspec.json.encode({"op": "ping"}))
        )

    def _until_pong(self, connection: socket.socket) -> None:
        heard = b""
        while not heard.endswith(protocol.PONG):
            more = connection.recv(4_096)
            if not more:
                raise BenchFailed(f"The gateway hung up: {heard[:200]!r}")
            heard += more


def _masked(payload: bytes) -> bytes:
    mask = os.urandom(4)
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return b"\x81" + size + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def _read(commands: Connection, _design: str) -> None:
    _raise_limit()
    settle_memory()
    Clients(commands).run()


# The bench


class Process:
    """A child process and the pipe to it."""

    def __init__(self, work: Any, design: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, design), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, *command: Any) -> Any:
        """Send a command and wait for its answer."""
        self.pipe.send(command)
        return self.answer()

    def answer(self) -> Any:
        """The next answer. Raises BenchFailed when the process is gone or silent."""
        try:
            if not self.pipe.poll(READY_S_MAX):
                raise BenchFailed("A process of the bench does not answer.")
            return self.pipe.recv()
        except EOFError:
            raise BenchFailed("A process of the bench has died.") from None

    def stop(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self.pipe.send(("stop",))
        self._process.join(3)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(3)


class Bench:
    """Rounds of both designs in turn."""

    def __init__(self) -> None:
        self.servers = {design: Process(_serve, design) for design in (OURS, RAW)}
        self.clients = {design: Process(_read, design) for design in (OURS, RAW)}
        self.last: dict[tuple[str, int], list[float]] = {}
        self.sent: dict[tuple[str, int], list[float]] = {}
        self.with_stuck: list[float] = []

    def measure(self, design: str, size: int) -> tuple[float, float]:
        """Milliseconds to the last client's last byte, and to the end of the writing."""
        server, clients = self.servers[design], self.clients[design]
        clients.pipe.send(("expect", size))
        if clients.answer() != "ready":
            raise BenchFailed("The clients are not ready.")
        begun, written = server.ask("fire", size)
        last = clients.answer()
        if last < 0:
            raise BenchFailed(f"{-last:.0f} of {size} clients of the {design} heard nothing.")
        return (last - begun) * 1e3, (written - begun) * 1e3

    def round(self, *, keep: bool = True) -> None:
        """Every size of both designs once."""
        for size in SIZES:
            for design in (OURS, RAW):
                last, sent = self.measure(design, size)
                if keep:
                    self.last.setdefault((design, size), []).append(last)
                    self.sent.setdefault((design, size), []).append(sent)

    def connect(self) -> None:
        """Have everybody connected to the server of their design."""
        self.addresses = {design: server.answer() for design, server in self.servers.items()}
        for design, clients in self.clients.items():
            clients.ask("connect", design, self.addresses[design])
            deadline = time.monotonic() + READY_S_MAX
            while (connected := self.servers[design].ask("count")) != max(SIZES):
                if time.monotonic() > deadline:
                    raise BenchFailed(f"{connected} of {max(SIZES)} clients of the {design} are connected.")
                time.sleep(0.05)
        for server in self.servers.values():
            server.ask("settle")

    def stop(self) -> None:
        """End every process."""
        for process in (*self.clients.values(), *self.servers.values()):
            process.stop()

    def stuck(self, rounds: int) -> dict[str, Any]:
        """The largest size again, with one among them that never reads; then it must be let go."""
        self.clients[OURS].ask("connect_stuck", self.addresses[OURS])
        self.servers[OURS].ask("stuff", False)
        self.with_stuck = [self.measure(OURS, max(SIZES))[0] for _ in range(rounds)]
        before, after = self.servers[OURS].ask("stuff", True)
        if after >= before:
            raise BenchFailed("A client that never reads was not let go.")
        alone = statistics.median(self.last[OURS, max(SIZES)])
        return {
            "last_client_ms_p50": round(statistics.median(self.with_stuck), 1),
            "against_none": round(statistics.median(self.with_stuck) / alone, 2),
            "let_go": before - after,
        }

    def report(self) -> dict[str, Any]:
        """Medians of the rounds; each ratio is the median of the rounds' own."""
        results = [
            {
                "clients": size,
                "last_client_ms_p50": round(statistics.median(self.last[OURS, size]), 1),
                "last_client_ms_p99": round(percentile(sorted(self.last[OURS, size]), 0.99), 1),
                "written_ms_p50": round(statistics.median(self.sent[OURS, size]), 1),
                "raw_last_client_ms_p50": round(statistics.median(self.last[RAW, size]), 1),
                "raw_written_ms_p50": round(statistics.median(self.sent[RAW, size]), 1),
            }
            for size in SIZES
        ]
        return {
            "rounds": len(self.last[OURS, max(SIZES)]),
            "frame_bytes": FRAME_BYTES,
            "results": results,
            "ratios": {f"raw_loop_{size // 1000}k": self._ratio(size) for size in SIZES},
            "targets": {"last_client_ms": TARGET_MS, "raw_loop_10k": TARGET_RATIO},
        }

    def _ratio(self, size: int) -> float:
        pairs = zip(self.last[OURS, size], self.last[RAW, size], strict=True)
        return round(statistics.median(mine / other for mine, other in pairs), 2)


def _raise_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_NEEDED if hard == resource.RLIM_INFINITY else min(FILES_NEEDED, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _check_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES_NEEDED:
        raise BenchFailed(f"This system allows {hard} open files a process; {FILES_NEEDED} are needed (ulimit -Hn).")


async def run(quick: bool) -> dict[str, Any]:
    """The whole bench."""
    _check_limit()
    bench = Bench()
    try:
        bench.connect()
        bench.round(keep=False)  # warms up everybody
        rounds = ROUNDS_QUICK if quick else ROUNDS
        for _ in range(rounds):
            bench.round()
        stuck = bench.stuck(rounds)
    finally:
        bench.stop()
    return bench.report() | {"one_never_reads": stuck, "cores": _cores()}


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


if __name__ == "__main__":
    main(
        run,
        "One event to live clients",
        [
            "clients",
            "last_client_ms_p50",
            "last_client_ms_p99",
            "written_ms_p50",
            "raw_last_client_ms_p50",
            "raw_written_ms_p50",
        ],
    )
