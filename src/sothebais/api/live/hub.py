"""The hub: who follows which topic in this process, and what they are still owed.

Everything that changes who follows what, and every handing-on of an event, is one step of the event loop without an
``await``: a client that joins gets the events up to the tail's place from the history and all later ones as they come.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, NamedTuple

import msgspec
import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy.exc import SQLAlchemyError

from sothebais.api.auth import check_scope
from sothebais.api.live import protocol
from sothebais.api.live.client import CONNECTIONS, Client, Outlet
from sothebais.api.live.history import History, Item
from sothebais.api.live.protocol import Close
from sothebais.api.live.signed_in import still_valid
from sothebais.api.live.snapshots import Snapshots
from sothebais.api.live.tail import Tail
from sothebais.api.parts import ApiParts
from sothebais.db.engine import CONNECTION_ERRORS
from sothebais.errors import SothebaisError, Unavailable
from sothebais.events import cursors
from sothebais.events.log import Position
from sothebais.state.store import StateStore
from sothebais.users.api_keys import PREFIX as KEY_PREFIX
from sothebais.users.api_keys import Scope
from sothebais.users.service import Identity

log = structlog.get_logger(__name__)

TIME_EVERY_S = 10.0
#: A session that has ended ends its connections after so long at the latest.
SESSIONS_LOOK_S = 5.0
#: Events before its start that a new tail reads, for those who come back from a process that died.
WARM_EVENTS = 2_000
#: Events kept in memory.
KEPT_EVENTS_MAX = 10_000
#: A hub that nobody follows stops reading after so long.
IDLE_S = 60.0
#: How long a client waits for the log to be there, or to come to where another process had it.
READY_WAIT_S = 5.0
AHEAD_WAIT_S = 2.0
#: Whoever missed more starts over with a snapshot: it is shorter.
RESUME_EVENTS_MAX = 5_000
#: Of what was missed no more is sent than this share of what may wait for a client.
RESUME_SHARE = 0.5
#: A snapshot serves everybody who asks within so long.
SNAPSHOT_KEPT_S = 0.25
SNAPSHOTS_KEPT_MAX = 1_000
SNAPSHOT_TRIES = 3
READS_AT_ONCE = 4
#: After so many sends in a row everything else in the process has its turn.
SENDS_IN_A_ROW = 20_000

EVENTS = Counter("sothebais_live_events_total", "Events handed on to live clients, per event and topic")
RESYNCS = Counter("sothebais_live_resyncs_total", "Subscriptions that had to start over")
FANOUT = Histogram(
    "sothebais_live_fanout_seconds",
    "Handing one event of a topic to all who follow it",
    buckets=(0.0001, 0.001, 0.01, 0.05, 0.1, 0.25, 1),
)


class Gate(NamedTuple):
    """A client is ahead of the tail: it knows everything up to ``after``, and a lot's numbered events up to ``n``."""

    after: Position
    n: int
    until: Position

    def lets_pass(self, item: Item) -> bool:
        """Whether the client has not seen this event yet."""
        return item.position > self.after and (item.n is None or item.n > self.n)


class Snapshot(NamedTuple):
    """A topic as it was read when the tail stood at ``position``."""

    position: Position
    gate: Gate
    frame: bytes
    read_at: float


class Hub:
    """``run`` it in the background; transports ``join`` clients and let them ``leave``."""

    def __init__(self, parts: ApiParts, dsn: str, store: StateStore | None, *, idle_s: float = IDLE_S) -> None:
        settings = parts.settings
        self._parts, self._dsn, self._store, self._idle_s = parts, dsn, store, idle_s
        self._clock = parts.clock
        self._snapshots = Snapshots(parts.database, store)
        self._kept: dict[str, asyncio.Task[Snapshot]] = {}
        self._topics: dict[str, dict[Client, Gate | None]] = {}
        self._clients: dict[Client, None] = {}
        self._addresses: dict[str, int] = {}
        self._readers = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._reads = asyncio.Semaphore(READS_AT_ONCE)
        self._wanted = asyncio.Event()
        self._ready = asyncio.Event()
        self._changed = asyncio.Event()
        self._tail: Tail | None = None
        self.history: History | None = None
        self.running = False
        self.connections_max = settings.live_connections_max
        self.connections_per_address_max = settings.live_connections_per_address_max
        self.topics_max = settings.live_topics_max
        self.message_bytes_max = settings.live_message_bytes_max
        self.buffer_bytes_max = settings.live_buffer_bytes_max

    # Coming and going

    def has_room(self, address: str) -> bool:
        """Whether one more connection from this address is taken."""
        return (
            self.running
            and len(self._clients) < self.connections_max
            and self._addresses.get(address, 0) < self.connections_per_address_max
        )

    def join(self, outlet: Outlet, *, address: str, identity: Identity | None) -> Client:
        """A connection opened; ``has_room`` was asked before. Raises Unavailable when it has no place after all."""
        if not self.has_room(address):
            raise Unavailable("Too many live connections. Try again later.", retry_after=1)
        client = Client(
            self,
            outlet,
            address=address,
            identity=identity,
            clock=self._clock,
            messages_per_second=self._parts.settings.live_messages_per_second,
        )
        self._clients[client] = None
        self._addresses[address] = self._addresses.get(address, 0) + 1
        CONNECTIONS.set(len(self._clients))
        self._wanted.set()
        client.send(protocol.time_frame(self._now()))
        return client

    def leave(self, client: Client) -> None:
        """The connection is over; may be called twice."""
        if client not in self._clients:
            return
        del self._clients[client]
        left = self._addresses[client.address] - 1
        if left:
            self._addresses[client.address] = left
        else:
            del self._addresses[client.address]
        client.pending.clear()
        for name in client.topics:
            self._forget(name, client)
        client.topics.clear()
        CONNECTIONS.set(len(self._clients))

    def stop(self) -> None:
        """Take nobody any more, and tell everybody to connect elsewhere."""
        self.running = False
        for client in list(self._clients):
            client.close(Close.STOPPING)
        self._changed.set()

    def __len__(self) -> int:
        return len(self._clients)

    # What clients ask for

    def recognise(self, client: Client, token: str, *, quietly: bool = False) -> None:
        """Sign a connection in; it is told who it is, or (unless ``quietly``) why not. Its messages wait meanwhile."""
        client.hold()
        self._spawn(self._recognise(client, token, quietly))

    def subscribe(self, client: Client, name: str, since: Position | None) -> None:
        """Have the client follow a topic from ``since`` on, or from a snapshot."""
        self.unsubscribe(client, name)
        history = self.history
        if since is not None and history is not None and history.covers(since) and since <= history.position:
            if self._replay(client, name, history.after(since, name)):
                return
        token = client.pending[name] = object()
        self._spawn(self._subscribe(client, name, since, token))

    def unsubscribe(self, client: Client, name: str) -> None:
        """Have the client follow it no longer."""
        client.pending.pop(name, None)
        if name in client.topics:
            client.topics.discard(name)
            self._forget(name, client)

    async def identify(self, token: str) -> Identity:
        """Who a token belongs to, from the cache where it has it. Raises Unauthenticated."""
        known = self._parts.identities.get(token)
        if known is None:
            service = self._parts.people.api_keys if token.startswith(KEY_PREFIX) else self._parts.sessions
            known = await service.authenticate(token)
            self._parts.identities.put(token, known)
        check_scope(known, Scope.READ)
        return known

    # For those who read the whole log (server-sent events)

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[History]:
        """Keeps the tail at work; the history grows meanwhile. Raises Unavailable when the log cannot be read."""
        self._readers += 1
        self._wanted.set()
        try:
            yield await self._read_log()
        finally:
            self._readers -= 1

    async def change(self, timeout_s: float) -> bool:
        """Wait for new events; False when there were none."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    # At work

    async def run(self) -> None:
        """Until cancelled. The log is read only while somebody follows it."""
        self.running = True
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tell_time())
                group.create_task(self._look_at_sessions())
                while True:
                    await self._wanted.wait()
                    await self._read_while_wanted()
        finally:
            self.stop()
            for task in self._tasks:
                task.cancel()

    async def _read_while_wanted(self) -> None:
        self._tail = Tail(
            self._dsn,
            self._store,
            clock=self._clock,
            begin=self._begin,
            take=self._take,
            caught_up=self._ready.set,
            warm_events=WARM_EVENTS,
        )
        work = asyncio.create_task(self._tail.run())
        try:
            idle = 0.0
            while idle < self._idle_s:
                done, _ = await asyncio.wait({work}, timeout=min(1.0, self._idle_s))
                if done:
                    work.result()
                idle = 0.0 if self._clients or self._readers else idle + min(1.0, self._idle_s)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            self._ready.clear()
            self._wanted.clear()
            self._tail = self.history = None
            if self._clients or self._readers:  # somebody came at the last moment
                self._wanted.set()

    def _begin(self, position: Position) -> None:
        self.history = History(position, events_max=KEPT_EVENTS_MAX)

    async def _take(self, events: Sequence[cursors.LoggedEvent]) -> None:
        """Hand on what the log has, in its order."""
        history, sent = self.history, 0
        if history is None:
            return
        for event in events:
            try:
                item = Item(event)
            except msgspec.DecodeError:  # an event of another version of the house must not stop the feed
                log.exception("live.unreadable_event", event_id=str(event.id))
                continue
            history.add(item)
            for name in item.topics:
                sent += self._hand_on(name, item)
            if sent >= SENDS_IN_A_ROW:
                sent = 0
                await asyncio.sleep(0)
        self._changed.set()
        self._changed = asyncio.Event()

    def _hand_on(self, name: str, item: Item) -> int:
        members = self._topics.get(name)
        if not members:
            return 0
        frame = item.frame(name)
        started = self._clock.monotonic()
        broken: list[Client] = []
        for client, gate in members.items():
            if gate is not None:
                if not gate.lets_pass(item):
                    continue
                if item.position > gate.until:
                    members[client] = None
            try:
                client.send(frame)
            except (OSError, RuntimeError):
                broken.append(client)
        for client in broken:
            self.leave(client)
        EVENTS.inc()
        FANOUT.observe(self._clock.monotonic() - started)
        return len(members)

    def _forget(self, name: str, client: Client) -> None:
        members = self._topics.get(name)
        if members is not None:
            members.pop(client, None)
            if not members:
                del self._topics[name]

    def _attach(self, client: Client, name: str, gate: Gate | None) -> None:
        client.pending.pop(name, None)
        client.topics.add(name)
        self._topics.setdefault(name, {})[client] = gate

    def _replay(self, client: Client, name: str, items: Sequence[Item]) -> bool:
        """Send what was missed and follow; False, with nothing sent, when that is too much."""
        frames = [item.frame(name) for item in items]
        if sum(len(frame) for frame in frames) > self.buffer_bytes_max * RESUME_SHARE:
            return False
        self._attach(client, name, None)
        for frame in frames:
            client.send(frame)
        return True

    async def _subscribe(self, client: Client, name: str, since: Position | None, token: object) -> None:
        def wanted() -> bool:
            return client.pending.get(name) is token

        try:
            history = await self._read_log()
            if since is not None:
                if await self._resume(client, name, since, history, wanted):
                    return
                RESYNCS.inc()
                if wanted():
                    client.send(protocol.resync_frame(name))
            await self._start(client, name, wanted)
        except SothebaisError as error:
            if wanted():
                client.pending.pop(name, None)
                client.send(protocol.error_frame(error, name))

    async def _start(self, client: Client, name: str, wanted: Any) -> None:
        """A snapshot, then everything behind it."""
        for _ in range(SNAPSHOT_TRIES):
            snapshot = await self._snapshot(name)
            history = self.history
            if not wanted():
                return
            if history is not None and history.covers(snapshot.position):
                gate = snapshot.gate
                self._attach(client, name, gate if gate.until > history.position else None)
                client.send(snapshot.frame)
                for item in history.after(snapshot.position, name):
                    if gate.lets_pass(item):
                        client.send(item.frame(name))
                return
        raise Unavailable("Too much is happening to join at this moment. Subscribe again.", retry_after=1)

    async def _resume(self, client: Client, name: str, since: Position, history: History, wanted: Any) -> bool:
        """Everything behind ``since``; False when the client has to start over."""
        deadline = self._clock.monotonic() + AHEAD_WAIT_S
        while since > history.position:  # another process was ahead of this one
            left = deadline - self._clock.monotonic()
            if left <= 0 or not await self.change(left):
                return False
        missed: list[Item] = []
        async with self._reads:
            position, read = since, 0
            while not history.covers(position):
                events = await self.read_after(position)
                read += len(events)
                if not events or read > RESUME_EVENTS_MAX:
                    return False
                missed += [item for item in map(Item, events) if name in item.topics]
                position = events[-1].position
        if not wanted() or self.history is not history:
            return not wanted()
        return self._replay(client, name, [*missed, *history.after(position, name)])

    async def read_after(self, position: Position) -> list[cursors.LoggedEvent]:
        """A page of the log itself, for those who are further back than the history. Raises Unavailable."""
        try:
            async with self._parts.database.connect() as connection:
                raw = await connection.get_raw_connection()
                return await cursors.read_after(raw.driver_connection, position)
        except (*CONNECTION_ERRORS, SQLAlchemyError) as error:
            raise Unavailable("The log cannot be read at the moment. Try again.", retry_after=1) from error

    async def _read_log(self) -> History:
        """The history, once it is up to date."""
        try:
            await asyncio.wait_for(self._ready.wait(), READY_WAIT_S)
        except TimeoutError:
            raise Unavailable("The log cannot be read at the moment. Try again.", retry_after=1) from None
        if self.history is None:
            raise Unavailable("The feed begins anew. Try again.", retry_after=1)
        return self.history

    async def _snapshot(self, name: str) -> Snapshot:
        """One reading for everybody who asks at about the same time."""
        kept = self._kept.get(name)
        if kept is None or not self._fresh(kept):
            if len(self._kept) >= SNAPSHOTS_KEPT_MAX:
                self._kept = {key: task for key, task in self._kept.items() if self._fresh(task)}
            kept = self._kept[name] = asyncio.create_task(self._read_snapshot(name))
        return await asyncio.shield(kept)

    def _fresh(self, task: "asyncio.Task[Snapshot]") -> bool:
        if not task.done():
            return True
        if task.cancelled() or task.exception() is not None:
            return False
        return self._clock.monotonic() - task.result().read_at < SNAPSHOT_KEPT_S

    async def _read_snapshot(self, name: str) -> Snapshot:
        async with self._reads:
            # what the tail has passed is committed, so whatever is read from here on has it in it
            position, read_at = (await self._read_log()).position, self._clock.monotonic()
            try:
                data = await self._snapshots.read(name)
            except (*CONNECTION_ERRORS, SQLAlchemyError) as error:
                raise Unavailable("The house cannot read its books at the moment. Try again.") from error
        gate = Gate(position, 0, position)
        if name.startswith("auction:"):
            # the lot may be ahead of the tail: its own numbers say what is in the snapshot already
            gate = Gate(position, data["n"], max(position, Position.parse(data["position"])))
        return Snapshot(position, gate, protocol.snapshot_frame(name, position, data), read_at)

    async def _recognise(self, client: Client, token: str, quietly: bool) -> None:
        refused: SothebaisError | None = None
        try:
            identity = await self.identify(token)
            client.identity = identity
            client.send(protocol.hello_frame(str(identity.user), identity.name))
        except SothebaisError as error:
            refused = error
        except (*CONNECTION_ERRORS, SQLAlchemyError):
            refused = Unavailable("Nobody can sign in at the moment. Try again.")
        if refused is not None and not quietly:
            client.send(protocol.error_frame(refused))
        client.release()

    async def _tell_time(self) -> None:
        while True:
            await self._clock.sleep(TIME_EVERY_S)
            stuck = [client for client in self._clients if client.stuck()]
            for client in stuck:
                client.close(Close.SLOW)
            frame = protocol.time_frame(self._now())
            for client in list(self._clients):
                client.send(frame)

    async def _look_at_sessions(self) -> None:
        """End the connections of those who have signed out, or whose sign-in has ended."""
        while True:
            await self._clock.sleep(SESSIONS_LOOK_S)
            sessions = {client.identity.session for client in self._clients if client.identity is not None}
            if not sessions:
                continue
            try:
                alive = await still_valid(self._parts.database, sessions, idle_s=self._parts.settings.session_idle_s)
            except (*CONNECTION_ERRORS, SQLAlchemyError) as error:
                log.warning("live.sessions_unknown", error=type(error).__name__)
                continue
            for client in list(self._clients):
                if client.identity is not None and client.identity.session not in alive:
                    client.close(Close.SIGNED_OUT)

    def _now(self) -> int:
        return self._clock.now() if self._tail is None else self._tail.time.now()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def hub_of(parts: ApiParts) -> Hub:
    """The hub of an app. Raises Unavailable where none is."""
    if not isinstance(parts.live, Hub):
        raise Unavailable("There is no live feed in this process.", retry_after=5)
    return parts.live
