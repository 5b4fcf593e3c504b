"""The live picture on the pages in a real browser, from a real encoder over the preview's protocol, and the overlays."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.fakes.page_browser import NARROW, chromium, picture, violations, visitor
from tests.fakes.page_house import PageHouse
from tests.fakes.preview import PreviewServer

from sothebais import ids
from sothebais.config import Settings
from sothebais.embedded import EmbeddedServers
from sothebais.events import log
from sothebais.stream.tables import Stream, StreamStatus

MINUTE = 60_000
#: How a browser without the better ways looks to a page.
NO_CODECS = "delete globalThis.VideoDecoder; delete globalThis.AudioDecoder;"
NO_SOURCE = "delete globalThis.MediaSource; delete globalThis.ManagedMediaSource; delete globalThis.WebKitMediaSource;"
STATS = "document.querySelector('#stage').picture?.stats() ?? {}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def preview() -> Iterator[PreviewServer]:
    server = PreviewServer()
    server.start()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def house(browser: Browser, preview: PreviewServer) -> Iterator[PageHouse]:
    """A house on air, with a few pieces."""
    folder = Path(tempfile.mkdtemp(prefix="sp-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with EmbeddedServers(folder / "data") as servers:
            made = PageHouse(
                Settings(
                    data_dir=folder / "data",
                    database_url=servers.database_url,
                    redis_url=servers.redis_url,
                    sandbox=True,
                    live_gateways=0,
                    stream_url=preview.url,
                )
            )
            made.start()
            try:
                made.hang(3)
                on_air(made)
                yield made
            finally:
                made.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def on_air(house: PageHouse) -> UUID:
    """A broadcast, as the stream-manager writes it down."""
    stream = ids.new_id()

    async def begin() -> None:
        async with house.house.engine.begin() as connection:
            await connection.execute(
                Stream.__table__.insert().values(
                    id=stream, status=StreamStatus.LIVE, width=640, height=360, fps=30, scene={}, outputs=[]
                )
            )

    house.do(begin())
    return stream


def told(house: PageHouse, type_: str, subject: str, data: dict[str, Any]) -> None:
    """An event in the log."""

    async def tell() -> None:
        async with house.house.engine.begin() as connection:
            await log.append(connection, [log.event(type_, subject, data, at=house.house.now())])

    house.do(tell())


def until(page: Page, condition: str, what: str, within_s: float = 12) -> Any:
    """Wait for ``condition`` over the player's ``stats``; they are the answer."""
    deadline = time.monotonic() + within_s
    while True:
        stats = page.evaluate(STATS)
        if page.evaluate(f"(stats) => Boolean({condition})", stats):
            return stats
        assert time.monotonic() < deadline, f"{what}: {stats}"
        page.wait_for_timeout(50)


def moves(page: Page) -> bool:
    """Whether what is on the screen changes: two looks at its middle row differ."""
    return bool(
        page.evaluate(
            """async () => {
              const screen = document.querySelector(".picture-screen > *");
              const look = () => {
                const canvas = new OffscreenCanvas(64, 4);
                const context = canvas.getContext("2d");
                context.drawImage(screen, 0, 0, 64, 4);
                return context.getImageData(0, 1, 64, 1).data.join();
              };
              const before = look();
              for (let at = 0; at < 40; at += 1) {
                await new Promise((done) => setTimeout(done, 50));
                if (look() !== before) return true;
              }
              return false;
            }"""
        )
    )


@pytest.fixture(scope="module")
def lot(house: PageHouse) -> UUID:
    made = house.lot(0, 1, "The Opened Stone", lasts=60 * MINUTE, reserve="2")
    house.open(made)
    return made


@pytest.mark.parametrize(
    ("way", "without", "behind_ms_max"),
    [("packets", "", 400), ("mp4", NO_CODECS, 1_500), ("hls", NO_CODECS + NO_SOURCE, None)],
)
def test_the_picture_moves_by_whichever_way_the_browser_has(
    browser: Browser, house: PageHouse, lot: UUID, way: str, without: str, behind_ms_max: int | None
) -> None:
    with visitor(browser, house.url) as ana:
        if without:
            ana.context.add_init_script(without)
        page = ana.page(f"/auctions/{lot}")
        stats = until(page, "stats.state === 'playing'", "it plays")
        assert stats["way"] == way
        assert moves(page)
        if behind_ms_max is not None:
            until(page, f"stats.behind_ms < {behind_ms_max}", "it is close to live")
            expect(page.locator("#stage")).to_have_attribute("data-position", house_position())
        expect(page.locator("#stage-note")).to_contain_text("The price on this page is always ahead of the picture.")


def house_position() -> Any:
    import re

    return re.compile(r"^1\.\d+$")
