"""A browser on the pages: started once, with what it complained of, pictures for people, and axe."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from tests.fakes.node import NODE, node_program

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
AXE = NODE / "node_modules" / "axe-core" / "axe.min.js"
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
#: What a browser says of headers that newer and older ones know, of a bid that was refused, and of a page that was left
#: while its feed was still being opened.
NOT_OURS = ("Permissions-Policy", "status of 409", "closed before the connection is established")


def needed(found: object, what: str) -> None:
    """Announce a skip where something is missing; in CI it is a failure."""
    if found:
        return
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not here")
    pytest.skip(f"{what} is not here")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    needed(path, "Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """One person's browser: pages of one context, and everything the console said."""

    def __init__(self, browser: Browser, base: str, **options: Any) -> None:
        options = {"viewport": WIDE, "color_scheme": "dark", "reduced_motion": "reduce", "locale": "en-GB"} | options
        self.context: BrowserContext = browser.new_context(base_url=base, **options)
        self.context.set_default_timeout(15_000)
        self.said: list[str] = []

    def sign_in(self, handle: str) -> None:
        """As the sandbox has it; the context keeps the cookie."""
        answer = self.context.request.post("/api/v1/auth/sandbox", data={"handle": handle})
        assert answer.status == 201, answer.text()

    def page(self, path: str = "/") -> Page:
        """A page whose complaints are kept."""
        page = self.context.new_page()
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self._hear("error", str(error)))
        page.goto(path)
        return page

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(known in text for known in NOT_OURS):
            self.said.append(text)


@contextlib.contextmanager
def visitor(browser: Browser, base: str, *, complains: bool = False, **options: Any) -> Iterator[Visitor]:
    """A visitor; unless ``complains`` the console must stay silent (a blocked script or style would speak there)."""
    made = Visitor(browser, base, **options)
    try:
        yield made
    finally:
        made.context.close()
    assert complains or not made.said, made.said


def picture(page: Page, name: str, *, whole: bool = False) -> None:
    """Keep a picture of the page for people, where ``PAGES_SCREENSHOTS`` names a folder."""
    folder = os.environ.get("PAGES_SCREENSHOTS")
    if not folder:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    if whole:  # pictures further down are loaded when they come into view
        page.evaluate(
            "async () => { for (const i of document.images) { i.loading = 'eager'; await i.decode().catch(() => {}); } }"
        )
    page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=whole)


def violations(page: Page) -> list[str]:
    """What axe finds that is serious or critical: rule, and where."""
    node_program()  # has the packages installed
    # the page's own policy forbids inline scripts; the tool runs beside it
    page.evaluate(AXE.read_text())
    # colours that turn with the theme are judged when they have turned, not on their way
    page.evaluate(
        "Promise.all(document.getAnimations().filter(a => a instanceof CSSTransition).map(a => a.finished.catch(() => 0)))"
    )
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found = page.evaluate(
        "async () => JSON.stringify((await axe.run(document, {resultTypes: ['violations']})).violations)"
    )
    return [
        f"{page.url} {rule['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for rule in json.loads(found)
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
