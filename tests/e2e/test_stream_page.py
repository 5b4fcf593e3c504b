"""The live picture on the pages in a real browser, from a real encoder over the preview's protocol, and the overlays."""

import io
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from tests.fakes.page_browser import NARROW, chromium, picture, violations, visitor
from tests.fakes.page_house import PageHouse
from tests.fakes.preview import PreviewServer

from sothebais import ids
from sothebais.config import Settings
from sothebais.embedded import EmbeddedServers
from sothebais.events import log
from sothebais.state import keys
from sothebais.state.store import Write
from sothebais.stream.tables import Stream, StreamStatus
from sothebais.web.overlays.pages import KINDS

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
    """Whether what is on the screen changes, and more often than key frames alone would make it."""
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
              const seen = new Set([look()]);
              for (let at = 0; at < 40 && seen.size < 6; at += 1) {
                await new Promise((done) => setTimeout(done, 50));
                seen.add(look());
              }
              return seen.size >= 6;
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
    return re.compile(r"^1\.\d+$")


def test_a_page_that_fell_behind_goes_on_at_a_key_frame_and_a_new_encoder_is_followed(
    browser: Browser, house: PageHouse, preview: PreviewServer, lot: UUID
) -> None:
    with visitor(browser, house.url) as ana:
        page = ana.page(f"/auctions/{lot}")
        before = until(page, "stats.state === 'playing' && stats.drawn > 10", "it plays")
        page.evaluate("() => { const until = Date.now() + 2_500; while (Date.now() < until); }")
        after = until(page, f"stats.skips > {before['skips']} && stats.behind_ms < 500", "it skipped what was old")
        assert after["faults"] == 0
        assert moves(page)

        preview.restart_encoder()
        until(
            page, f"stats.decoded > {after['decoded'] + 20} && stats.state === 'playing'", "the new encoder's picture"
        )
        assert page.evaluate(STATS)["faults"] == 0
        assert moves(page)


def test_the_picture_comes_back_with_its_server_and_says_meanwhile_that_it_is_gone(
    browser: Browser, house: PageHouse, preview: PreviewServer, lot: UUID
) -> None:
    with visitor(browser, house.url, complains=True) as ana:
        page = ana.page(f"/auctions/{lot}")
        until(page, "stats.state === 'playing'", "it plays")
        message = page.locator(".picture-message")
        preview.stop_serving()
        try:
            expect(message).to_contain_text("The picture has stopped for a moment.")
            expect(message).to_contain_text(
                "There is no picture just now. The sale goes on, and bids count as ever.", timeout=10_000
            )
            expect(page.locator(".stage-piece")).to_be_visible()
            picture(page, "stream-lost-dark-1440")
        finally:
            preview.serve()
        page.get_by_role("button", name="Try again").click()
        stats = until(page, "stats.state === 'playing'", "it plays again")
        assert stats["way"] == "packets"
        assert moves(page)


def test_a_goodbye_is_asked_about_and_the_end_of_a_broadcast_is_said(
    browser: Browser, house: PageHouse, preview: PreviewServer, lot: UUID
) -> None:
    with visitor(browser, house.url) as ana:
        page = ana.page(f"/auctions/{lot}")
        until(page, "stats.state === 'playing'", "it plays")
        expect(page.locator("html")).to_have_attribute("data-connection", "live")
        known = preview.connections
        preview.say('{"op":"bye","reason":"the house closes"}')
        soon(lambda: preview.connections > known, "it is connected again")
        until(page, "stats.state === 'playing'", "a server was replaced, the broadcast goes on")

        off_air(house)
        expect(page.locator(".picture-message")).to_have_text("The broadcast is over.")
        expect(page.locator(".stage-piece")).to_be_visible()
        stream = on_air(house)
        watched = {"web": 41, "platform": None, "total": 41, "peak": 44, "id": str(stream), "at": house.do(now(house))}
        house.do(house.store.force([Write(keys.stream_viewers(stream), 0, json.dumps(watched).encode(), 60)]))
        start = {"campaign_day": None, "title": "", "scene": "auction", "width": 640, "height": 360, "fps": 30}
        told(house, "stream:start", f"stream:{stream}", start | {"outputs": []})
        until(page, "stats.state === 'playing'", "the next broadcast is shown")
        expect(page.locator("[data-watching]")).to_have_text("41 watching")


def off_air(house: PageHouse) -> None:
    """The end of every broadcast, as the stream-manager writes it down."""

    async def end() -> list[UUID]:
        async with house.house.engine.begin() as connection:
            ended = {"status": StreamStatus.ENDED, "ended_at": sa.func.now()}
            over = Stream.__table__.update().where(Stream.ended_at.is_(None)).values(**ended).returning(Stream.id)
            return list((await connection.execute(over)).scalars())

    data = {"cause": "test", "duration": 1, "frames": 1, "dropped_frames": 0, "peak_viewers": 1}
    for stream in house.do(end()):
        told(house, "stream:end", f"stream:{stream}", data)


def soon(look: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 12
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_sound_captions_pause_and_keys(browser: Browser, house: PageHouse, lot: UUID) -> None:
    with visitor(browser, house.url) as ana:
        page = ana.page(f"/auctions/{lot}")
        until(page, "stats.state === 'playing'", "it plays")
        page.get_by_role("button", name="Turn the sound on").click()
        expect(page.get_by_role("button", name="Turn the sound on")).to_be_hidden()
        expect(page.get_by_role("button", name="Sound off")).to_be_attached()
        page.locator("#stage").hover()
        expect(page.get_by_label("Volume")).to_be_visible()
        drawn = until(page, "stats.drawn > 0", "it draws")["drawn"]
        # the picture goes by the sound now, and goes on
        until(page, f"stats.drawn > {drawn + 20} && stats.behind_ms < 900", "picture and sound")

        page.locator("#stage").focus()
        page.keyboard.press("m")
        expect(page.get_by_role("button", name="Sound on", exact=True)).to_be_visible()
        page.keyboard.press("c")
        expect(page.get_by_role("button", name="Captions")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("html")).to_have_attribute("data-connection", "live")
        speech(house, "Fair warning is a courtesy, not a threat.")
        expect(page.locator(".picture-speech")).to_have_text("Fair warning is a courtesy, not a threat.")
        picture(page, "stream-captions-dark-1440")
        page.keyboard.press("c")
        expect(page.locator(".picture-speech")).to_be_hidden()

        page.keyboard.press("Space")
        expect(page.locator(".picture-message")).to_contain_text("Paused. The sale goes on.")
        stood = page.evaluate(STATS)["drawn"]
        assert not moves(page)
        assert page.evaluate(STATS)["drawn"] == stood
        page.keyboard.press("Space")
        until(page, f"stats.state === 'playing' && stats.drawn > {stood + 5}", "it goes on")
        page.keyboard.press("f")
        page.wait_for_function("document.fullscreenElement?.id === 'stage'")
        page.keyboard.press("f")
        page.wait_for_function("document.fullscreenElement === null")


def speech(house: PageHouse, text: str) -> None:
    """The host says something now."""
    message = str(ids.new_id())
    said = text.split()
    words = [{"text": word, "start": 150 * at, "end": 150 * at + 140} for at, word in enumerate(said)]
    data = {"message": message, "voice": "sable", "starts_at": house.do(now(house)) + 100, "duration": 150 * len(said)}
    told(house, "agent:speech", f"agent:{message}", data | {"words": words, "mouth": []})


async def now(house: PageHouse) -> int:
    """The house's time."""
    return house.house.now()


def test_a_hidden_page_decodes_nothing_and_somebody_who_spares_data_is_asked_first(
    browser: Browser, house: PageHouse, preview: PreviewServer, lot: UUID
) -> None:
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with visitor(browser, house.url) as ana:
        page = ana.page(f"/auctions/{lot}")
        until(page, "stats.state === 'playing' && stats.decoded > 5", "it plays")
        page.evaluate(hide, True)
        decoded = page.evaluate(STATS)["decoded"]
        page.wait_for_timeout(600)
        assert page.evaluate(STATS)["decoded"] <= decoded + 1  # one may have been under way
        page.evaluate(hide, False)
        until(page, f"stats.decoded > {decoded + 5}", "it goes on at a key frame")

        ana.context.add_init_script("Object.defineProperty(navigator, 'connection', { value: { saveData: true } })")
        connections = preview.connections
        page.goto(f"/auctions/{lot}")
        expect(page.locator(".picture-message")).to_contain_text("your browser spares data")
        assert preview.connections == connections
        page.get_by_role("button", name="Play the picture").click()
        until(page, "stats.state === 'playing'", "it plays when asked to")


def test_a_reader_without_scripts_gets_the_picture_as_hls_and_the_first_page_a_still(
    browser: Browser, house: PageHouse, preview: PreviewServer, lot: UUID
) -> None:
    with visitor(browser, house.url, java_script_enabled=False) as reader:
        page = reader.page(f"/auctions/{lot}")
        video = page.locator("video.picture-plain")
        expect(video).to_have_attribute("src", f"{preview.url}/hls/live.m3u8")
        expect(video).to_have_attribute("poster", f"{preview.url}/frame.png")
    with visitor(browser, house.url) as ana:
        page = ana.page("/")
        expect(page.locator(".hero-still")).to_be_visible()
        assert page.evaluate("document.querySelector('.hero-still').naturalWidth") == 640


def test_the_picture_and_the_overlays_page_are_accessible(browser: Browser, house: PageHouse, lot: UUID) -> None:
    faults = []
    with visitor(browser, house.url) as ana:
        page = ana.page(f"/auctions/{lot}")
        until(page, "stats.state === 'playing'", "it plays")
        for path in (f"/auctions/{lot}", "/overlays"):
            if path == "/overlays":
                page.goto(path)
            for theme in ("dark", "light"):
                page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                page.mouse.move(400, 300 if theme == "dark" else 310)  # the player's controls come out
                faults += violations(page)
                picture(page, f"stream{path.partition('-')[0].replace('/', '-')[:9]}-{theme}-1440")
        page.set_viewport_size(NARROW)
        for path in ("/overlays", "/", f"/auctions/{lot}"):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert faults == []


def test_overlays_are_transparent_fit_their_boxes_and_follow_the_lot_on_the_block(
    browser: Browser, house: PageHouse, lot: UUID
) -> None:
    with visitor(browser, house.url) as obs, house.bidder("ben") as ben, house.bidder("mia") as mia:
        pages = {}
        for kind, (_, _, (width, height)) in KINDS.items():
            page = pages[kind] = obs.page(f"/overlays/{kind}?align=bottom-left&hold=1")
            page.set_viewport_size({"width": width, "height": height})
            expect(page.locator("#overlay")).to_be_visible()
        for page in pages.values():
            expect(page.locator("html")).to_have_attribute("data-connection", "live")
        ben.bid(lot, "1")
        mia.bid(lot, "1.5")
        expect(pages["price"].locator("[data-price]")).to_have_text("1.50\u00a0ETH")
        expect(pages["leader"].locator("#overlay")).to_have_text("@mia leads")
        expect(pages["ticker"].locator("li").first).to_have_text("@mia1.50\u00a0ETH")
        expect(pages["lot"].locator("[data-title]")).to_have_text("The Opened Stone")
        for kind, page in pages.items():
            inside = page.locator("#overlay").bounding_box()
            size = page.viewport_size
            assert inside is not None
            assert size is not None
            assert inside["x"] >= 0
            assert inside["y"] >= 0
            assert inside["x"] + inside["width"] <= size["width"], kind
            shot = Image.open(io.BytesIO(page.screenshot(omit_background=True)))
            assert shot.getpixel((shot.width - 2, 2)) == (0, 0, 0, 0), kind
            middle = int(inside["x"] + inside["width"] / 2), int(inside["y"] + 6)
            assert shot.getpixel(middle)[3] > 200, kind

        following = house.lot(1, 2, "The Patient Planet", lasts=30 * MINUTE)
        house.open(following)
        house.step(lot, "END")
        expect(pages["price"].locator("[data-price-label]")).to_have_text("Passed")  # below its reserve
        expect(pages["lot"].locator("[data-title]")).to_have_text("The Patient Planet")
        expect(pages["price"].locator("[data-price]")).to_have_text("1\u00a0ETH")
        closing = house.lot(2, 3, "Slack Water", lasts=1_000, closing_grace=2_000)
        house.open(closing)
        clock = pages["countdown"]
        clock.goto(f"/overlays/countdown?auction={closing}")
        expect(clock.locator("[data-urgent]")).to_be_visible()
        expect(clock.locator("[data-lamps]")).to_be_visible()
        expect(clock.locator("[data-lamps] .is-out").first).to_be_visible()
        expect(clock.locator("[data-clock]")).to_have_text("passed")
