"""The overlays as they leave the house: which lot they follow, what they refuse, who may frame them."""

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.fakes.house import a_lot, an_open_lot, step
from tests.fakes.house import a_user as a_person

from sothebais import ids
from sothebais.api.app import create_app
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.state.store import StateStore
from sothebais.users.tables import Role
from sothebais.web import overlays, viewer
from sothebais.web.overlays.pages import KINDS


@pytest.fixture
async def pages(house: House, engine: AuctionEngine, store: StateStore) -> AsyncIterator[httpx.AsyncClient]:
    parts = house.api_parts(engine, store)
    app = create_app(parts)
    viewer.mount(app, parts)
    overlays.mount(app, parts)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://house.test") as client:
        yield client


async def followed(pages: httpx.AsyncClient) -> str | None:
    lot = (await pages.get("/overlays/lot.json")).json()["lot"]
    return None if lot is None else lot["id"]


async def test_the_lot_on_the_block_is_followed_and_between_lots_the_next_one(
    pages: httpx.AsyncClient, house: House, engine: AuctionEngine
) -> None:
    assert await followed(pages) is None
    later = await a_lot(house, opens_in=900_000, number=3)
    sooner = await a_lot(house, opens_in=600_000, number=2)
    assert await followed(pages) == str(sooner)
    running = await an_open_lot(house, engine, number=1)
    assert await followed(pages) == str(running)
    olga = await a_person(house, "olga", role=Role.OPERATOR)
    await step(engine, running, "PAUSE", actor=olga)
    assert await followed(pages) == str(running)
    await step(engine, running, "END", actor=olga)
    assert await followed(pages) == str(sooner)
    label = (await pages.get(f"/overlays/lot.json?auction={later}")).json()["lot"]
    assert (label["id"], label["number"]) == (str(later), 3)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_overlay_may_be_framed_by_this_house_alone_and_runs_nothing_inline(
    pages: httpx.AsyncClient, kind: str
) -> None:
    answer = await pages.get(f"/overlays/{kind}?theme=light&scale=2&align=bottom")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert answer.headers["x-robots-tag"] == "noindex"
    assert 'data-theme="light" data-align="bottom"' in answer.text
    assert " style=" not in answer.text


async def test_a_slip_in_an_address_is_refused_before_the_show(pages: httpx.AsyncClient) -> None:
    for query, field in (("scale=9", "scale"), ("theme=blue", "theme"), ("colour=red", "colour")):
        answer = await pages.get(f"/overlays/price?{query}")
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert (await pages.get("/overlays/nothing")).status_code == 404
    assert (await pages.get(f"/overlays/price?auction={ids.new_id()}")).status_code == 404
    assert (await pages.get(f"/overlays/lot.json?auction={ids.new_id()}")).status_code == 404


async def test_the_index_shows_every_overlay_with_its_address(pages: httpx.AsyncClient) -> None:
    answer = await pages.get("/overlays")
    assert answer.status_code == 200
    assert "frame-src 'self'" in answer.headers["content-security-policy"]
    for kind in KINDS:
        assert f'src="/overlays/{kind}"' in answer.text
        assert f'value="/overlays/{kind}"' in answer.text


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("house.test", "http://house.test:8030"),
        ("192.168.1.5:8000", "http://192.168.1.5:8030"),
        ("[::5]", "http://[::5]:8030"),
    ],
)
async def test_a_page_may_show_the_picture_at_the_name_it_was_asked_for_by(
    pages: httpx.AsyncClient, host: str, allowed: str
) -> None:
    answer = await pages.get("/", headers={"host": host, "accept": "text/html"})
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert allowed in policy["media-src"].split()
    assert allowed in policy["img-src"].split()
    assert allowed.replace("http", "ws", 1) in policy["connect-src"].split()


@pytest.mark.parametrize("host", ["evil.test;script-src", "a b", "*", "*.test", "-"])
async def test_a_host_that_is_no_name_gets_no_place_in_the_policy(pages: httpx.AsyncClient, host: str) -> None:
    answer = await pages.get("/how-bidding-works", headers={"host": host, "accept": "text/html"})
    policy = answer.headers["content-security-policy"]
    assert "evil" not in policy
    assert "*" not in policy
    assert policy.count("script-src") == 1
