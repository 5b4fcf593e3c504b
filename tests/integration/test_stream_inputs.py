"""Live pictures from elsewhere: from a real RTMP server into a scene, and what happens when they stop."""

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.fakes.media import SMALL, Media, a_state, lives, log_of, media
from tests.fakes.publisher import publishing
from tests.fakes.rtmp import RtmpServer, free_port, rtmp_server

from sothebais.stream.inputs.model import STALE_S, InputSpec
from sothebais.stream.media import messages as m
from sothebais.stream.scenes import Scene, dump

KEY = "sk-guest-very-secret"
PATIENCE_S = 20.0
RED, GREEN, BLUE = (200, 0, 0), (0, 180, 0), (0, 0, 210)
#: From a colour at the publisher to the picture on air, servers and encoders in between; a loaded machine needs longer.
DELAY_S_MAX = 2.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RtmpServer]:
    with rtmp_server(tmp_path) as running:
        yield running


def a_scene(name: str, *elements: dict[str, Any]) -> bytes:
    wall = {"type": "overlay", "id": "wall", "kind": "fill", "colour": "ground"}
    document = {
        "name": name,
        "canvas": {"width": 1920, "height": 1080},
        "background": [wall, *elements],
    }
    return dump(Scene.model_validate(document)).encode()


GUEST = {"type": "stream", "id": "guest", "source": "guest", "width": 960}


def beginning(url: str, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"inputs": [InputSpec(name="guest", source=url)], "scenes": [a_scene("studio", GUEST)]}
    return given | {"state": a_state("studio")} | more


class Looking:
    """What is on air where the guest is, and beside it."""

    def __init__(self, process: Media) -> None:
        self._process, self._number = process, 0

    async def picture(self) -> Any:
        """Rows and columns of red, green, blue."""
        self._number += 1
        number = self._number
        self._process.send(m.WantFrame(number))
        found = await self._process.heard(m.FramePng, lambda one: one.request == number)
        picture = cv2.imdecode(np.frombuffer(found.data, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape == (SMALL.height, SMALL.width, 3)
        return picture[:, :, ::-1].astype(int)

    async def colours(self) -> tuple[Any, Any]:
        """A place in the left half, and one in the right half."""
        picture = await self.picture()
        return picture[45, 80], picture[45, 240]

    async def until(self, colour: tuple[int, int, int]) -> float:
        """Wait for the guest to be of a colour; how long that took, in seconds."""
        begun = time.monotonic()
        while True:
            guest, _ = await self.colours()
            if np.abs(guest - colour).max() <= 12:
                return time.monotonic() - begun
            assert time.monotonic() - begun < PATIENCE_S, f"it is {guest} and not {colour}"
            await asyncio.sleep(0.02)


def readers_of(pid: int) -> list[int]:
    """Its processes that read."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in path.read_text().split()]
    return sorted(found)


@pytest.fixture
async def on_air(tmp_path: Path, server: RtmpServer) -> AsyncIterator[Media]:
    async with media(tmp_path, **beginning(server.play_url(KEY))) as process:
        await process.heard(m.Shown, lambda one: one.position == "1.1.1")
        yield process
        readers = readers_of(process.pid)
        assert await process.stop() == 0
    deadline = time.monotonic() + PATIENCE_S
    while any(lives(reader) for reader in readers):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_guest_is_on_air_as_soon_as_they_stream_and_off_when_they_are_gone(
    tmp_path: Path, server: RtmpServer, on_air: Media
) -> None:
    looking = Looking(on_air)
    nobody, beside = await looking.colours()
    # before anybody streams there is a quiet field
    assert nobody.max() < 70
    with publishing(server.publish_url(KEY)) as guest:
        await looking.until(RED)
        for colour in (GREEN, BLUE, RED):
            guest.colour = colour
            assert await looking.until(colour) < DELAY_S_MAX
        assert (await looking.colours())[1].tolist() == beside.tolist()
        since = len(on_air.messages)
        server.kill()
        # a frozen guest is not live: after a while the field is as it was
        gone = await looking.until(tuple(nobody))
        assert gone >= STALE_S - 0.5
        fault = await on_air.heard(m.Fault, lambda one: one.component == "INPUT", since=since)
        assert fault.message.startswith("guest: ")
        assert not fault.recovered
        server.start()
        await looking.until(RED)
        back = await on_air.heard(m.Fault, lambda one: one.recovered, since=since)
        assert back.message.startswith("guest: back after ")
    # it was told once, however often it was tried
    assert len([one for one in on_air.all(m.Fault) if one.component == "INPUT"][-2:]) == 2
    assert KEY not in repr(on_air.messages) + log_of(tmp_path)
    assert '"input": "guest"' in log_of(tmp_path)


async def test_a_reader_that_dies_is_replaced_and_one_that_stalls_is_taken_off(
    server: RtmpServer, on_air: Media
) -> None:
    looking = Looking(on_air)
    with publishing(server.publish_url(KEY)):
        await looking.until(RED)
        (reader,) = readers_of(on_air.pid)
        os.kill(reader, signal.SIGKILL)
        fault = await on_air.heard(m.Fault, lambda one: "its reader ended with -9" in one.message)
        await on_air.heard(m.Fault, lambda one: one.recovered, since=on_air.messages.index(fault))
        await looking.until(RED)
        (another,) = readers_of(on_air.pid)
        assert another != reader
        server.freeze()
        nobody, _ = await looking.colours()
        begun = time.monotonic()
        while np.abs(nobody - RED).max() <= 12:
            assert time.monotonic() - begun < PATIENCE_S
            nobody, _ = await looking.colours()
        assert nobody.max() < 70
        server.thaw()
        await looking.until(RED)


async def test_only_what_scenes_show_is_read(server: RtmpServer, on_air: Media) -> None:
    looking = Looking(on_air)
    with publishing(server.publish_url(KEY)):
        await looking.until(RED)
        assert len(readers_of(on_air.pid)) == 1
        on_air.send(m.Scenes([]), m.State(m.pack(a_state("auction")), "2.2.2"))
        deadline = time.monotonic() + PATIENCE_S
        while readers_of(on_air.pid):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        on_air.send(m.Scenes([a_scene("studio", GUEST)]), m.State(m.pack(a_state("studio")), "2.2.3"))
        await looking.until(RED)
        on_air.send(m.Scenes([a_scene("studio", GUEST | {"source": "nobody"})]))
        fault = await on_air.heard(m.Fault, lambda one: one.component == "INPUT" and "nobody" in one.message)
        assert "SOTHEBAIS_STREAM_INPUTS" in fault.message


async def test_a_picture_is_shown_whole_or_over_all_of_its_place(tmp_path: Path, server: RtmpServer) -> None:
    whole = GUEST | {"fit": "contain", "width": 1920, "height": 540}
    with publishing(server.publish_url(KEY), (160, 320)):
        async with media(tmp_path, **beginning(server.play_url(KEY), scenes=[a_scene("studio", whole)])) as process:
            looking = Looking(process)
            begun = time.monotonic()
            red = np.zeros(0, bool)
            while not red.any():
                assert time.monotonic() - begun < PATIENCE_S
                red = np.abs(await looking.picture() - RED).max(axis=2) <= 12
            # half as wide as high, in the middle of the upper half
            rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
            assert (rows[0], rows[-1]) == pytest.approx((0, 89), abs=1)
            assert (columns[0], columns[-1]) == pytest.approx((137, 182), abs=2)
            # one that covers is as wide as its place
            process.send(m.Scenes([a_scene("studio", whole | {"fit": "cover"})]))
            await looking.until(RED)
            assert await process.stop() == 0


@pytest.mark.parametrize("how", ["silent", "nonsense", "nobody"])
async def test_a_server_that_is_none_costs_the_show_nothing(tmp_path: Path, how: str) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        if how != "nobody":
            listening.listen()
        else:
            port = free_port()
        if how == "nonsense":
            threading.Thread(target=_talk_nonsense, args=(listening,), daemon=True).start()
        async with media(tmp_path, **beginning(f"rtmp://127.0.0.1:{port}/live/{KEY}")) as process:
            fault = await process.heard(m.Fault, lambda one: one.component == "INPUT")
            readings = await process.heard(m.Readings, lambda one: one.frames > 90)
            assert not readings.slate
            assert await process.stop() == 0
    assert fault.message.startswith("guest: ")
    assert KEY not in repr(process.messages) + log_of(tmp_path)


def _talk_nonsense(listening: socket.socket) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            try:
                connection.sendall(os.urandom(20_000))
                connection.recv(4_096)
            except OSError:
                continue
