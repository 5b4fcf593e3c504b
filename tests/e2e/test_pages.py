"""The viewer's pages in a real browser, on a real house: what people do there, and what they see when things go wrong."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.fakes.page_browser import NARROW, Visitor, chromium, picture, violations, visitor
from tests.fakes.page_house import PageHouse

from sothebais.config import Settings
from sothebais.embedded import EmbeddedServers

MINUTE = 60_000
PIECES = 5


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def house(browser: Browser) -> Iterator[PageHouse]:
    """A house with its pieces and an evening to come; asked for after the browser, which may be missing."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
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
                    invoice_after_s=0,
                )
            )
            made.start()
            try:
                made.hang(PIECES)
                made.evening = made.campaign(["5"], speed=1, begins_in=30 * MINUTE)
                yield made
            finally:
                made.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def open_lot(house: PageHouse, item: int, title: str, **given: Any) -> UUID:
    lot = house.lot(item, item + 1, title, **{"lasts": 30 * MINUTE} | given)
    house.open(lot)
    return lot


def status_of(page: Page) -> Any:
    return page.locator("#status")


def soon(look: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 15
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_a_bidder_signs_in_bids_is_outbid_raises_wins_and_checks_the_record(
    browser: Browser, house: PageHouse, tmp_path: Path
) -> None:
    lot = open_lot(house, 0, "The Opened Stone", reserve="2", premium_percent="5")
    with visitor(browser, house.url) as ana, house.bidder("ben") as ben:
        page = ana.page(f"/auctions/{lot}")
        page.get_by_role("link", name="Sign in to bid").click()
        page.get_by_label("Handle").fill("ana")
        page.get_by_role("button", name="Come in").click()
        expect(page).to_have_url(f"{house.url}/auctions/{lot}")

        page.get_by_role("button", name="Bid 1 ETH").click()
        expect(status_of(page)).to_have_text("You lead at 1 ETH.")
        expect(page.locator("#receipts")).to_contain_text("Receipt for entry")

        ben.bid(lot, "1.5")
        expect(status_of(page)).to_have_text("Outbid by @ben: 1.60 ETH to lead.")
        expect(page.locator("#amount")).to_have_value("1.6")
        expect(page.locator("[data-total]")).to_have_text("1.68 ETH in all, with 5 % premium")
        picture(page, "room-outbid-dark-1440")

        page.get_by_text("Set a maximum").click()
        page.get_by_label("The house bids for you up to").fill("5")
        page.get_by_role("button", name="Bid 1.60 ETH, up to 5 ETH").click()
        expect(page.locator("[data-reserve]")).to_have_text("Reserve met")
        ben.bid(lot, "3")
        expect(status_of(page)).to_have_text("You lead at 3.10 ETH.")
        expect(page.locator("#history-list")).to_contain_text("The house raised @ana to 3.10 ETH: their maximum stands")
        picture(page, "room-leading-dark-1440", whole=True)

        house.step(lot, "END")
        expect(page.locator("#stamp")).to_contain_text("3.10 ETH")
        expect(status_of(page)).to_have_text("Sold to you for 3.10 ETH.")
        picture(page, "room-sold-dark-1440")

        page.get_by_role("link", name="See the lot’s record").click()
        expect(page.locator(".chart")).to_be_visible()
        page.get_by_role("button", name="Check it yourself").click()
        expect(page.locator("#verdict")).to_have_text("Everything fits.")
        expect(page.locator("[data-check=receipt][data-result=good]")).to_have_count(2)
        expect(page.locator("[data-check=signature]")).to_have_attribute("data-result", "good")
        picture(page, "record-verified-dark-1440", whole=True)
        a_forged_log_is_found_out(page, ana, lot, tmp_path)

        page.goto("/me")
        expect(page.locator(".mine-lot")).to_contain_text("Won")
        soon(
            lambda: page.goto("/me") is not None and page.get_by_role("link", name="Invoice").count() == 1, "an invoice"
        )
        picture(page, "me-dark-1440", whole=True)
        page.get_by_role("link", name="Invoice").click()
        expect(page.locator("body")).to_contain_text("3.255")


def a_forged_log_is_found_out(page: Page, ana: Visitor, lot: UUID, tmp_path: Path) -> None:
    lines = ana.context.request.get(f"/api/v1/auctions/{lot}/log").text().splitlines()
    place = next(at for at, line in enumerate(lines) if "bid:accepted" in line)
    forged = json.loads(lines[place])
    forged["data"]["price"] = "0.5"
    file = tmp_path / "forged.ndjson"
    file.write_text("\n".join([*lines[:place], json.dumps(forged), *lines[place + 1 :]]))
    page.locator("[data-verify-file]").set_input_files(file)
    expect(page.locator("#verdict")).to_have_text(f"This log does not hold. The first fault is at entry {place + 1}.")
    expect(page.locator("#log-rows tr[data-faulty]")).to_have_attribute("data-n", str(place + 1))
    picture(page, "record-forged-dark-1440", whole=True)

    file.write_text("\n".join([*lines[: place + 1], lines[-1]]))
    page.locator("[data-verify-file]").set_input_files(file)
    expect(page.locator("[data-check=head][data-result=bad]")).to_contain_text("cut off")


def test_a_bid_by_keyboard_alone_and_a_slip_that_is_asked_about(browser: Browser, house: PageHouse) -> None:
    lot = open_lot(house, 1, "The Patient Planet", confirm_multiple="10")
    with visitor(browser, house.url) as kim:
        kim.sign_in("kim")
        page = kim.page(f"/auctions/{lot}")
        expect(page.locator("#bid")).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "amount":
                break
        expect(page.locator("#amount")).to_be_focused()
        page.keyboard.press("ArrowUp")
        expect(page.get_by_role("button", name="Bid 1.10 ETH")).to_be_enabled()
        page.keyboard.press("ControlOrMeta+A")
        page.keyboard.type("75")
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("You wrote 75 ETH. The next valid bid is 1 ETH.")
        picture(page, "room-slip-dark-1440")
        page.keyboard.press("Escape")
        expect(status_of(page)).to_contain_text("Nothing was bid")
        page.keyboard.press("ControlOrMeta+A")
        page.keyboard.type("0,5")
        expect(page.locator("[data-hint]")).to_have_text("1 ETH is the least that counts now.")
        page.keyboard.press("ControlOrMeta+A")
        page.keyboard.type("75")
        page.keyboard.press("Enter")
        expect(dialog).to_be_visible()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(status_of(page)).to_have_text("You lead at 75 ETH.")


def test_a_page_finds_its_way_back_and_a_bid_made_in_the_dark_counts_once(browser: Browser, house: PageHouse) -> None:
    lot = open_lot(house, 2, "Upstream")
    with visitor(browser, house.url, complains=True) as cho, house.bidder("dev") as dev:
        cho.sign_in("cho")
        page = cho.page(f"/auctions/{lot}")
        expect(page.locator("html")).to_have_attribute("data-connection", "live")
        dev.bid(lot, "1")
        expect(status_of(page)).to_have_text("@dev leads: 1.10 ETH to lead.")
        house.stop_serving()
        try:
            expect(page.locator("#connection")).to_contain_text("The house cannot be reached")
            picture(page, "room-lost-dark-1440")
            page.get_by_role("button", name="Bid 1.10 ETH").click()
            expect(status_of(page)).to_contain_text("it counts once")
        finally:
            house.serve()
        expect(status_of(page)).to_have_text("You lead at 1.10 ETH.")
        expect(page.locator("#connection")).to_have_text("Back in the room.")
        expect(page.locator("html")).to_have_attribute("data-connection", "live")
        bids = cho.context.request.get(f"/api/v1/auctions/{lot}/bids").json()["items"]
        assert [bid["amount"] for bid in bids] == ["1.1", "1"]


def test_without_scripts_everything_can_be_read(browser: Browser, house: PageHouse) -> None:
    lot = open_lot(house, 3, "Through to the Sea")
    with visitor(browser, house.url, java_script_enabled=False) as reader, house.bidder("ben") as ben:
        ben.bid(lot, "1.25", "3")
        page = reader.page("/")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Lot")
        expect(page.get_by_role("region", name="In the calendar")).to_contain_text("An evening at the house")
        page.goto(f"/auctions/{lot}")
        expect(page.locator("[data-price]")).to_have_text("1.25\u00a0ETH")
        expect(page.locator("main")).to_contain_text("@ben leads, 1 bid")
        assert "Load the page again for the present price" in page.content()
        page.goto(f"/campaigns/{house.evening}")
        expect(page.get_by_role("heading", level=1)).to_have_text("An evening at the house")
        expect(page.locator(".stages time").first).to_contain_text("UTC")
        house.step(lot, "END")
        page.goto(f"/auctions/{lot}")
        expect(page.locator(".stamp")).to_contain_text("to @ben")
        expect(page.locator(".chart")).to_be_visible()


def test_the_states_of_a_lot_are_said_in_words(browser: Browser, house: PageHouse) -> None:
    lot = house.lot(1, 21, "A Quiet Meridian", opens_in=20 * MINUTE, lasts=20 * MINUTE)
    with visitor(browser, house.url) as eve:
        eve.sign_in("eve")
        page = eve.page(f"/auctions/{lot}")
        expect(status_of(page)).to_have_text("Bidding has not opened yet.")
        expect(page.locator("[data-clock-label]")).to_have_text("Opens in")
        expect(page.locator("#bid")).to_be_hidden()
        picture(page, "room-scheduled-dark-1440")
        house.step(lot, "START")
        expect(status_of(page)).to_have_text("1 ETH opens the bidding.")
        house.step(lot, "PAUSE")
        expect(status_of(page)).to_have_text("Paused. The remaining time stands still.")
        picture(page, "room-paused-dark-1440")
        house.step(lot, "RESUME")
        expect(page.locator("#bid")).to_be_visible()
        house.step(lot, "END")
        expect(status_of(page)).to_have_text("Passed. Nobody bid.")
        picture(page, "room-passed-dark-1440")
        page.reload()
        expect(page.locator("main")).to_contain_text("Passed: nobody bid.")
        closing = house.lot(2, 22, "Slack Water", lasts=1_500, closing_grace=8_000)
        house.open(closing)
        page.goto(f"/auctions/{closing}")
        expect(status_of(page)).to_have_text("Fair warning. Only bids made in time still count.")
        expect(page.locator("#lamps")).to_be_visible()
        picture(page, "room-closing-dark-1440")


def test_what_is_not_there_is_said_in_the_house_s_own_way(browser: Browser, house: PageHouse) -> None:
    with visitor(browser, house.url, complains=True) as lost:
        page = lost.page("/auctions/nowhere")
        expect(page.get_by_role("heading", level=1)).to_have_text("This wall is empty.")
        picture(page, "missing-dark-1440")
        page.goto("/")
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        house.stop_serving()
        try:
            page.goto("/campaigns")
            expect(page.get_by_role("heading", level=1)).to_have_text("We cannot be reached just now.")
            picture(page, "offline-dark-1440")
        finally:
            house.serve()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_page_is_accessible(browser: Browser, house: PageHouse, theme: str) -> None:
    live = open_lot(house, 0, "One Thread of Many", reserve="9")
    ended = open_lot(house, 3, "The Seventh Door")
    with house.bidder("ben") as ben, house.bidder("mia") as mia:
        for lot in (live, ended):
            ben.bid(lot, "1", "2")
            mia.bid(lot, "1.5")
            mia.bid(lot, "3")
    with house.bidder("fay") as fay_:
        fay_.bid(ended, "5")
        fay_.client.post(f"/api/v1/auctions/{live}/bids", json={"currency": "ETH", "amount": "0.1"})
    house.step(ended, "END")
    house.host_says("The house thanks you for your patience.")
    pages = {
        "home": "/",
        "room": f"/auctions/{live}",
        "record": f"/auctions/{ended}",
        "campaigns": "/campaigns",
        "campaign": f"/campaigns/{house.evening}",
        "me": "/me",
        "my-bids": "/me/bids",
        "sign-in": "/sign-in",
        "rules": "/how-bidding-works",
        "transcript": "/transcript",
        "lot-transcript": f"/auctions/{ended}/transcript",
        "offline": "/offline",
    }
    faults: list[str] = []
    # what fits on a phone does not depend on the theme
    narrow = theme == "dark" or "PAGES_SCREENSHOTS" in os.environ
    for width, viewport in (("1440", None), ("390", NARROW)) if narrow else (("1440", None),):
        options = {"color_scheme": theme} | ({} if viewport is None else {"viewport": viewport})
        with visitor(browser, house.url, **options) as fay:
            fay.sign_in("fay")
            page = fay.page("/")
            for name, path in pages.items():
                page.goto(path)
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
                    f"{name} is wider than {width}"
                )
                picture(page, f"{name}-{theme}-{width}", whole=True)
                if viewport is None:
                    faults += violations(page)
            if viewport is not None:
                page.goto(pages["room"])
                expect(page.get_by_text("Bid 3.10 ETH").last).to_be_in_viewport()
                picture(page, f"room-phone-{theme}")
    assert faults == []


def test_a_wish_for_light_pages_is_remembered(browser: Browser, house: PageHouse) -> None:
    with visitor(browser, house.url) as gil:
        page = gil.page("/how-bidding-works")
        page.get_by_role("button", name="Light pages").click()
        page.reload()
        expect(page.locator("html")).to_have_attribute("data-theme", "light")
        gil.sign_in("gil")
        page.goto("/me")
        page.get_by_label("Dark").check()
        expect(page.locator("#saved")).to_have_text("Kept.")
        page.reload()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.get_by_label("Time zone").select_option("Asia/Tokyo")
        expect(page.locator("html")).to_have_attribute("data-zone", "Asia/Tokyo")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_a_person_says_who_they_are_when_they_sleep_and_is_forgotten(browser: Browser, house: PageHouse) -> None:
    with visitor(browser, house.url, timezone_id="Asia/Tokyo") as ida:
        ida.sign_in("ida")
        page = ida.page("/me")
        page.get_by_label("Name", exact=True).fill("Ida Lind")
        page.get_by_label("E-mail", exact=True).fill("nowhere")
        page.get_by_role("button", name="Keep").click()
        # the browser itself refuses what is no address
        expect(page.locator("#identity-kept")).to_be_empty()
        page.get_by_label("E-mail", exact=True).fill("ida@mail.example")
        page.get_by_role("button", name="Keep").click()
        expect(page.locator("#identity-kept")).to_have_text("Kept.")
        page.get_by_label("No e-mail and no messages").check()
        expect(page.locator("#saved")).to_have_text("Kept.")
        # her device's clock is not the house's: its zone is kept with the hours
        expect(page.locator("#quiet-zone")).to_have_text("By the clock of Asia/Tokyo.")
        assert ida.context.request.get("/api/v1/me/preferences").json()["time_zone"] == "Asia/Tokyo"
        page.get_by_label("to", exact=True).fill("06:30")
        page.get_by_label("to", exact=True).blur()
        soon(
            lambda: (
                ida.context.request.get("/api/v1/me/preferences").json()["quiet_hours"]
                == {"from": "22:00", "to": "06:30"}
            ),
            "the quiet hours",
        )
        page.reload()
        expect(page.get_by_label("Name", exact=True)).to_have_value("Ida Lind")
        expect(page.get_by_label("E-mail", exact=True)).to_have_value("ida@mail.example")
        expect(page.get_by_label("to", exact=True)).to_have_value("06:30")
        page.get_by_label("No e-mail and no messages").uncheck()
        soon(lambda: ida.context.request.get("/api/v1/me/preferences").json()["quiet_hours"] is None, "no quiet hours")

        page.get_by_text("Be forgotten").click()
        page.get_by_label("to go on").fill("ida")
        page.get_by_role("button", name="Forget me").click()
        expect(page.locator("#fault")).to_contain_text("Write Ida Lind exactly")
        picture(page, "me-forget-dark-1440", whole=True)
        page.get_by_label("to go on").fill("Ida Lind")
        page.get_by_role("button", name="Forget me").click()
        expect(page).to_have_url(f"{house.url}/")
        expect(page.get_by_role("link", name="Sign in")).to_be_visible()
