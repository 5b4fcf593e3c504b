"""What the host said, as a page: everybody's to read, but for what was said to one person."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from tests.fakes.host import on_duty, said, says
from tests.fakes.house import a_user, an_open_lot, bid, signed_in, step
from tests.fakes.sign_ins import API

from sothebais.agent import orders, transcript
from sothebais.api.app import create_app
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.config import Settings
from sothebais.events.actions import Actor
from sothebais.state.store import StateStore
from sothebais.users.tables import Role
from sothebais.web import viewer
from sothebais.web.viewer import transcript as shown

HOSTILE = "</script><script>alert(1)</script>"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"agent_voice": "none"})


@pytest.fixture
async def pages(house: House, engine: AuctionEngine, store: StateStore) -> AsyncIterator[httpx.AsyncClient]:
    parts = house.api_parts(engine, store)
    app = create_app(parts)
    viewer.mount(app, parts)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://house.test") as client:
        yield client


async def test_nothing_said_yet_is_a_page_with_one_way_on(pages: httpx.AsyncClient) -> None:
    page = await pages.get("/transcript")
    assert page.status_code == 200
    assert "Nothing was said yet. Sable speaks when a session is on." in page.text
    assert "See what is on" in page.text
    assert "Sable is an AI" in page.text


async def test_every_line_has_its_time_its_lot_and_its_cause(
    pages: httpx.AsyncClient, house: House, engine: AuctionEngine, store: StateStore
) -> None:
    async with on_duty(house, store):
        lot = await an_open_lot(house, engine, title="Harbour at Dusk")
        other = await an_open_lot(house, engine, number=2, title="A Quiet Field")
        await says(house, "LOT_OPENING")
        await bid(engine, other, await a_user(house, "ana"), "1.5")
        await says(house, "BID")
        await step(engine, other, "END", actor=await a_user(house, "olga", role=Role.OPERATOR))
        result = await says(house, "RESULT")
        _, who = await signed_in(pages, "bob")
        direct = (await pages.post(f"{API}/agent/messages", json={"text": "Are you an AI?"}, headers=who)).json()
    page = await pages.get("/transcript")
    assert result["text"] in page.text.replace("&#39;", "'")
    assert "A bid of 1.50 ETH" in page.text
    assert "Sold at 1.50 ETH" in page.text
    assert "the house’s script" in page.text
    assert f'href="/auctions/{other}"' in page.text
    assert direct["reply"] not in page.text.replace("&#39;", "'")
    assert direct["message"] not in page.text
    of_other = await pages.get(f"/auctions/{other}/transcript")
    assert "lot 2, A Quiet Field" in of_other.text
    assert result["text"] in of_other.text.replace("&#39;", "'")
    assert f"auction_id={other}" in of_other.text
    lines = [UUID(data["auction"]) for _, data in await said(house) if data["place"] == "STREAM"]
    of_lot = await pages.get(f"/auctions/{lot}/transcript")
    assert of_lot.text.count("<blockquote>") == lines.count(lot)
    # from the lot's own pages there is a way
    assert f'href="/auctions/{other}/transcript"' in (await pages.get(f"/auctions/{other}")).text
    assert f'href="/auctions/{lot}/transcript"' in (await pages.get(f"/auctions/{lot}")).text
    assert "ask Sable" in (await pages.get(f"/auctions/{lot}", headers=who)).text


async def test_older_lines_are_a_page_further_and_what_operators_say_is_marked_and_harmless(
    pages: httpx.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "LINES_MAX", 2)
    actor = Actor(user=await a_user(house, "olga", role=Role.OPERATOR), role=Role.OPERATOR)
    for number in range(4):
        await orders.say(house.engine, f"{HOSTILE} number {number}", actor, house.now(), reason="a test")
    first = await pages.get("/transcript")
    assert "<script>alert" not in first.text
    assert "number 3" in first.text
    assert "number 1" not in first.text
    assert "The house’s staff had it said" in first.text
    older = first.text.partition('rel="next" href="')[2].partition('"')[0]
    second = await pages.get(older.replace("&amp;", "&"))
    assert "number 1" in second.text
    assert "number 3" not in second.text
    assert 'rel="next"' not in second.text
    lines = [one async for one in transcript.text(house.engine, (await _agent(house)))]
    assert len(lines) == 4
    nothing = await pages.get("/transcript", params={"after": str(UUID(int=0))})
    assert "There is nothing before that." in nothing.text


@pytest.mark.parametrize(
    "path",
    [
        "/auctions/nothing/transcript",
        "/auctions/01a21516-99da-7000-80f5-41635d87c4d6/transcript",
        "/transcript?after=x",
    ],
)
async def test_what_is_not_there_is_said_so(pages: httpx.AsyncClient, path: str) -> None:
    assert (await pages.get(path)).status_code == 404


async def _agent(house: House) -> UUID:
    from sothebais.agent import characters

    return (await characters.present(house.engine)).id
