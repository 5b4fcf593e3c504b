"""Watching over real sockets: who may, who must wait, and how those who do not read are got rid of."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise

import pytest
import uvicorn
import websockets
from tests.fakes.house import eventually, running_engine
from tests.fakes.live import listening

from sothebais.api.app import create_stream_app
from sothebais.api.live.served import LiveProtocol
from sothebais.bootstrap import House
from sothebais.state.store import StateStore
from sothebais.stream import preview as module
from sothebais.stream.encoding import Format
from sothebais.stream.engine import StreamManager
from sothebais.stream.media import messages as m
from sothebais.stream.preview import BEHIND_BYTES_MAX, Preview

HELLO = m.Hello(
    pid=1, encoder="libx264", form=Format(), video_codec="avc1.64001f", audio_codec="mp4a.40.2",
    description=b"avcC", audio_description=b"asc",
)  # fmt: skip


@dataclass
class Served:
    """A stream-manager's HTTP service; its picture is what the test puts in."""

    host: str
    preview: Preview

    @property
    def url(self) -> str:
        return f"ws://{self.host}/api/v1/stream/preview"

    def video(self, pts: int, *, key: bool = False, size: int = 1_000) -> None:
        self.preview.take(m.Live(m.VIDEO, m.KEY if key else 0, pts, 33_333, pts, bytes(size)))

    def open_socket(self) -> socket.socket:
        """A peer that has asked for the picture by hand."""
        address, _, port = self.host.partition(":")
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        made.connect((address, int(port)))
        made.sendall(
            f"GET /api/v1/stream/preview HTTP/1.1\r\nHost: {self.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        return made


@pytest.fixture
async def served(house: House, store: StateStore) -> AsyncIterator[Served]:
    async with running_engine(house) as engine:
        manager = StreamManager(house.stream_parts(store, engine))
        listener, host = listening()
        config = uvicorn.Config(
            create_stream_app(house.api_parts(None, store), manager),
            log_config=None, access_log=False, lifespan="off", ws=LiveProtocol, ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield Served(host, manager.preview)
        finally:
            server.should_exit = True
            await asyncio.wait_for(serving, 10)
            listener.close()


async def watchers(served: Served, count: int) -> None:
    async def look() -> bool:
        return len(served.preview) == count

    await eventually(look, f"{count} watch")


async def test_a_peer_that_never_reads_is_got_rid_of_and_others_miss_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STUCK_S", 0.5)
    served.preview.begin("s1", HELLO)
    stuck = await asyncio.to_thread(served.open_socket)
    async with websockets.connect(served.url, max_size=None, max_queue=None) as other:
        await watchers(served, 2)
        received: list[int] = []

        async def read() -> None:
            async for message in other:
                if isinstance(message, bytes):
                    received.append(int.from_bytes(message[8:16], "little"))

        reading = asyncio.create_task(read())
        begun = time.monotonic()
        sent = 0
        while len(served.preview) == 2:
            served.video(sent, key=sent % 30 == 0, size=100_000)
            sent += 1
            served.preview.let_go_of_the_stuck()
            assert time.monotonic() - begun < 20, "the stuck peer is still there"
            await asyncio.sleep(0.01)
        assert (await asyncio.to_thread(closed, stuck)) is True
        await asyncio.sleep(0.2)
        assert received == list(range(sent))
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def closed(peer: socket.socket) -> bool:
    """Whether the connection ends when what had come already is read."""
    peer.settimeout(10)
    with contextlib.suppress(ConnectionResetError):
        while peer.recv(1 << 20):
            pass
    peer.close()
    return True


async def test_a_peer_that_reads_slowly_skips_to_a_key_frame_and_stays(served: Served) -> None:
    served.preview.begin("s1", HELLO)
    async with websockets.connect(served.url, max_size=None, max_queue=1) as slow:
        await watchers(served, 1)
        for n in range(200):  # far more than sockets hold
            served.video(n, key=n % 20 == 0, size=BEHIND_BYTES_MAX // 10)
            await asyncio.sleep(0)
        served.video(1_000, key=True)
        served.video(1_001)
        found: list[tuple[int, int]] = []
        async with asyncio.timeout(20):
            while not found or found[-1][0] != 1_001:
                message = await slow.recv()
                if isinstance(message, bytes):
                    found.append((int.from_bytes(message[8:16], "little"), message[1]))
        assert len(found) < 202
        holes = [later for earlier, later in pairwise(found) if later[0] != earlier[0] + 1]
        assert holes
        assert all(flags & m.KEY for _, flags in holes)
        assert len(served.preview) == 1


async def test_the_end_of_the_stream_is_said_and_closes(served: Served) -> None:
    served.preview.begin("s1", HELLO)
    async with websockets.connect(served.url) as socket_:
        assert json.loads(await socket_.recv())["op"] == "hello"
        served.preview.end("the day is completed")
        assert json.loads(await socket_.recv()) == {"op": "bye", "reason": "the day is completed"}
        with pytest.raises(websockets.ConnectionClosedOK) as told:
            await socket_.recv()
        assert told.value.rcvd is not None
        assert (told.value.rcvd.code, told.value.rcvd.reason) == (1_000, "the day is completed")
    await watchers(served, 0)


async def test_one_more_than_there_is_room_for_is_told_to_come_later(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.preview, "_watchers_max", 1)
    async with websockets.connect(served.url):
        await watchers(served, 1)
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with websockets.connect(served.url):
                pass
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["retry-after"] == "5"
    await watchers(served, 0)
    async with websockets.connect(served.url):
        await watchers(served, 1)


async def test_those_who_leave_without_a_word_are_forgotten(served: Served) -> None:
    served.preview.begin("s1", HELLO)
    peers = [await asyncio.to_thread(served.open_socket) for _ in range(3)]
    await watchers(served, 3)
    for peer in peers:
        peer.close()
    await watchers(served, 0)


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://127.0.0.1:1", "garbage"])
async def test_a_page_of_another_site_may_not_watch(served: Served, origin: str) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with websockets.connect(served.url, origin=origin):  # type: ignore[arg-type]
            pass
    assert refused.value.response.status_code == 403
    assert len(served.preview) == 0
