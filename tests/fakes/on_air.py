"""A house of real processes with a campaign day that goes on air by itself, watched from outside.

async with on_air(data_dir) as show:
    await show.frame()
"""

import asyncio
import base64
import contextlib
import json
import secrets
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import cv2
import httpx
import numpy as np
import sqlalchemy as sa
import websockets
from tests.fakes.house import a_lot, eventually, whole_log
from tests.fakes.show import a_day, a_stage
from tests.fakes.trials import rows_of
from tests.integration.faults.load import Bidder, Record, Rig, complaints

from sothebais import roles
from sothebais.bootstrap import House, open_house
from sothebais.cli.services import house_roles
from sothebais.config import Settings
from sothebais.events.cursors import LoggedEvent
from sothebais.state.store import StateStore
from sothebais.supervisor import Role, Supervisor

MANAGER, SECOND_MANAGER = roles.STREAM_MANAGER, "stream-manager-2"
#: Two cores encode beside everything else.
QUICK = {
    "SOTHEBAIS_STREAM_PRESET": "ultrafast",
    "SOTHEBAIS_STREAM_VIDEO_KBPS": "800",
    "SOTHEBAIS_STREAM_KEY_INTERVAL_S": "0.5",
    "SOTHEBAIS_STREAM_MUSIC": "false",
}
#: A show of this size takes its time to begin on a machine that does other work.
PATIENCE_S = 45.0


@dataclass
class Seen:
    """What a watcher got, with the monotonic instant of each message."""

    hello: dict[str, Any] | None = None
    hellos: int = 0
    positions: list[tuple[float, int, str | None]] = field(default_factory=list)
    #: Arrival, kind, flags, presentation time, server time, payload.
    frames: list[tuple[float, int, int, int, int, bytes]] = field(default_factory=list)
    bye: str | None = None
    lost: int = 0


@dataclass(frozen=True)
class Heard:
    """An event of the log."""

    type: str
    subject: str
    at: int
    position: str
    data: dict[str, Any]


class OnAir:
    """The running house, its show, and where both are."""

    def __init__(self, rig: Rig, stream_url: str, second_url: str | None) -> None:
        self.rig = rig
        self.house: House = rig.house
        self.store: StateStore = rig.store
        self.api = rig.urls[0]
        self.url, self.second_url = f"{stream_url}/api/v1/stream", second_url and f"{second_url}/api/v1/stream"
        self.day = UUID(int=0)
        self.lots: list[UUID] = []
        self.http = httpx.AsyncClient(timeout=15.0)

    async def ready(self) -> None:
        """Wait until the house and whoever may show it answer."""
        await self.rig.ready()

        async def look() -> bool:
            with contextlib.suppress(httpx.TransportError):
                for url in filter(None, (self.url, self.second_url)):
                    await self.http.get(f"{url}/frame.png")
                return True
            return False

        await eventually(look, "the managers answer", patience_s=PATIENCE_S, every_s=0.1)

    async def a_day(
        self, *, lots: int = 2, open_now: int = 1, furnish: Callable[[], Awaitable[None]] | None = None, **terms: Any
    ) -> None:
        """A campaign day in its auction; so many of its lots open at once, the others much later. ``furnish`` is called
        before the day can go on air."""
        campaign, self.day, pieces = await a_day(self.house, lots=lots, furnish=furnish)
        for number, piece in enumerate(pieces, 1):
            opens_in = 0 if number <= open_now else 30 * 60_000
            lot = await a_lot(
                self.house, item=piece, campaign_day=self.day, number=number, opens_in=opens_in,
                closing_grace=5_000, **terms,
            )  # fmt: skip
            self.lots.append(lot)
        await a_stage(self.house, campaign, self.day, "AUCTION", version=4, lots=self.lots)
        self.rig.lots = self.lots[:open_now]

    async def events(self, *types: str) -> list[Heard]:
        """The log's events of these types."""
        return [
            Heard(event.type, event.subject, event.timestamp, position_of(event), json.loads(event.data))
            for event in await whole_log(self.house.database_url)
            if not types or event.type in types
        ]

    async def event(self, kind: str, count: int = 1, **wanted: Any) -> Heard:
        """The ``count``-th event of a type with these data; waits for it."""

        async def look() -> Heard | None:
            found = [
                event
                for event in await self.events(kind)
                if all(event.data.get(name) == value for name, value in wanted.items())
            ]
            return found[count - 1] if len(found) >= count else None

        found = await eventually(look, f"{kind} with {wanted}", patience_s=PATIENCE_S, every_s=0.1)
        assert found is not None
        return found

    async def row(self) -> Mapping[str, Any]:
        """The newest stream."""
        found = await rows_of(self.house, "select * from streams order by created_at desc limit 1")
        return found[0]  # type: ignore[no-any-return]

    async def goes_on_air(self) -> UUID:
        """Wait for the first frame; the stream's id."""
        event = await self.event("stream:start")
        return UUID(event.subject.partition(":")[2])

    async def frame(self, **query: Any) -> tuple[Any, str, int]:
        """The picture on air (BGR), the position it shows, and its instant."""
        answer = await self.http.get(f"{self.url}/frame.png", params=query)
        assert answer.status_code == 200, answer.text
        picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
        return picture, answer.headers["x-stream-position"], int(answer.headers["x-stream-at"])

    async def media_pid(self, *, other_than: int | None = None) -> int:
        """The media process of the show; waits for one."""

        async def look() -> int | None:
            found = media_processes(self.house.settings.data_dir)
            return next((pid for pid in found if pid != other_than), None)

        found = await eventually(look, "a media process", patience_s=PATIENCE_S)
        assert found is not None
        return found

    @contextlib.asynccontextmanager
    async def watching(self, form: str = "packets", *, url: str | None = None) -> AsyncIterator[Seen]:
        """Watch for as long as the block lasts; who is thrown out comes again."""
        seen = Seen()
        task = asyncio.create_task(self._watch(seen, (url or self.url).replace("http", "ws", 1), form))
        try:
            yield seen
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self, seen: Seen, url: str, form: str) -> None:
        while True:
            try:
                async with websockets.connect(f"{url}/preview?format={form}", max_size=None, max_queue=None) as socket:
                    async for message in socket:
                        _take(seen, message)
            except (OSError, websockets.WebSocketException):
                pass
            seen.lost += 1
            await asyncio.sleep(0.1)

    async def until(self, seen: Seen, look: Any, what: str) -> Any:
        """Wait for something that a watcher sees."""

        async def asked() -> Any:
            return look(seen)

        return await eventually(asked, what, patience_s=PATIENCE_S, every_s=0.005)

    async def shown(self, seen: Seen, position: str) -> float:
        """When a watcher's picture had come to this position in the log, or behind it."""
        wanted = place(position)

        def look(seen: Seen) -> float | None:
            return next((at for at, _, told in seen.positions if told is not None and place(told) >= wanted), None)

        found: float = await self.until(seen, look, f"position {position} is shown")
        return found

    async def bidders(self, count: int = 3) -> None:
        """Sign so many in; ``rig.under_load`` has them bid."""
        record: Record = self.rig.record
        self.rig._bidders = [Bidder(self.rig.urls, f"bidder{n}", record, n) for n in range(count + 1)]
        for bidder in self.rig._bidders:
            await bidder.sign_in()


def _take(seen: Seen, message: bytes | str) -> None:
    at = time.monotonic()
    if isinstance(message, bytes):
        kind, flags, _, _, pts, shows = struct.unpack_from("<BBHIQQ", message)
        seen.frames.append((at, kind, flags, pts, shows, message[24:]))
        return
    told = json.loads(message)
    match told["op"]:
        case "hello":
            seen.hello, seen.hellos = told, seen.hellos + 1
            assert base64.b64decode(told["video"]["description"])[0] == 1
        case "position":
            seen.positions.append((at, told["pts_us"], told["position"]))
        case "bye":
            seen.bye = told["reason"]


def place(position: str) -> tuple[int, ...]:
    """A position that can be compared."""
    return tuple(map(int, position.split(".")))


def position_of(event: LoggedEvent) -> str:
    """An event's position as the picture tells it."""
    return ".".join(map(str, (event.position.epoch, event.position.xid, event.position.seq)))


def media_processes(data_dir: Path) -> list[int]:
    """The media processes of this house that live."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (path / "cmdline").read_bytes()
            if b"sothebais.stream.media" in command and str(data_dir / "logs").encode() in command:
                found.append(int(path.name))
    return sorted(found)


async def everything_said(show: OnAir) -> str:
    """The whole log, all of Redis, every service's log and the API's answers, as one text."""
    parts = []
    async with show.house.engine.connect() as connection:
        for table in ("event_logs", "streams", "audit"):
            rows = await connection.execute(sa.text(f"select t::text from {table} t"))
            parts += [row[0] for row in rows]
    for key in await show.store.keys("*"):
        value = await show.store.get(key)
        parts += [str(key), str(value)]
    for path in (show.house.settings.data_dir / "logs").rglob("*"):
        if path.is_file():
            parts.append(path.read_text(errors="replace"))
    for address in (
        f"{show.api}/api/v1/stream",
        f"{show.api}/api/v1/config",
        f"{show.url.rpartition('/api')[0]}/metrics",
    ):
        parts.append((await show.http.get(address)).text)
    return "\n".join(parts)


def _port() -> int:
    """A free port that no outgoing connection is given meanwhile: a role takes seconds before it listens."""
    while True:
        port = secrets.choice(range(20_000, 32_000))
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port


@contextlib.asynccontextmanager
async def on_air(
    data_dir: Path, environment: Mapping[str, str] | None = None, *, managers: int = 1
) -> AsyncIterator[OnAir]:
    """Embedded servers, engine, event-handler and stream-manager under one supervisor. Nothing is left of them."""
    ports = [_port() for _ in range(3 + (managers > 1))]
    extra = {
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "SOTHEBAIS_DATA_DIR": str(data_dir),
        "SOTHEBAIS_SANDBOX": "true",
        "SOTHEBAIS_COMMIT_TIMEOUT_S": "3",
        "SOTHEBAIS_BIDS_PER_ADDRESS_PER_SECOND": "2000",
        "SOTHEBAIS_BIDS_PER_USER_PER_SECOND": "200",
        "SOTHEBAIS_CLIPS": "false",
        **QUICK,
        **(environment or {}),
    }
    children = house_roles(ports[0], ports[1], extra, stream_port=ports[2])
    if managers > 1:
        children.append(Role(SECOND_MANAGER, ["run", MANAGER, "--port", str(ports[3])], children[-1].environment))
    settings = Settings(data_dir=data_dir, database_url=None, redis_url=None, sandbox=True)
    async with open_house(settings, name="rig", pool_size=3) as house:
        store = house.store()
        try:
            async with Supervisor(children, servers=house.servers) as supervisor:
                rig = Rig(house, store, supervisor, [f"http://127.0.0.1:{ports[0]}"])
                show = OnAir(
                    rig, f"http://127.0.0.1:{ports[2]}", f"http://127.0.0.1:{ports[3]}" if managers > 1 else None
                )
                try:
                    yield show
                except BaseException:
                    print("\n".join(complaints(data_dir)))  # pytest shows it with the failure
                    raise
                finally:
                    await show.http.aclose()
                    for bidder in rig._bidders:
                        await bidder.close()
        finally:
            await store.close()
    assert not media_processes(data_dir)
