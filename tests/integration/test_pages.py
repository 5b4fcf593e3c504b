"""The viewer's pages as they leave the house: what they say, what they refuse to say, and that scripts compute as the house does."""

import json
import random
import re
import subprocess
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from tests.fakes.house import a_bid, a_collection, a_lot, an_open_lot, bid, signed_in, some_terms, step
from tests.fakes.house import a_user as a_person
from tests.fakes.node import node_program

from sothebais import media, money
from sothebais.api.app import create_app
from sothebais.api.paging import PAGE_USUAL
from sothebais.auctions import increments, rules
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.model import PercentIncrement, Reason, Step, TableIncrement
from sothebais.bootstrap import House
from sothebais.catalog.tables import ArtItem
from sothebais.events.chain import canonical, chain_hash
from sothebais.state.store import StateStore
from sothebais.users.tables import Role
from sothebais.web import viewer
from sothebais.web.viewer import chart, tokens, words
from sothebais.web.viewer.data import PricePoint
from sothebais.web.viewer.static import StaticFiles

SCRIPTS = Path(viewer.__file__).parent / "static" / "js"
PAGE = {"accept": "text/html,application/xhtml+xml"}
HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)">'


@pytest.fixture
async def pages(house: House, engine: AuctionEngine, store: StateStore) -> AsyncIterator[httpx.AsyncClient]:
    parts = house.api_parts(engine, store)
    app = create_app(parts)
    viewer.mount(app, parts)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://house.test", headers=PAGE) as client:
        yield client


async def test_an_empty_house_says_so_and_offers_one_way_on(pages: httpx.AsyncClient) -> None:
    answer = await pages.get("/")
    assert answer.status_code == 200
    assert "The walls are bare tonight." in answer.text
    assert "Open the calendar" in answer.text
    for path in ("/campaigns", "/sign-in", "/how-bidding-works", "/offline"):
        assert (await pages.get(path)).status_code == 200, path


async def test_the_pages_follow_a_lot_from_its_opening_to_its_record(
    pages: httpx.AsyncClient, house: House, engine: AuctionEngine
) -> None:
    lot = await an_open_lot(house, engine, title="A Quiet Meridian")
    ana, ben = await a_person(house, "ana"), await a_person(house, "ben")
    await bid(engine, lot, ana, "1", "3")
    await bid(engine, lot, ben, "2")
    home, room = (await pages.get("/")).text, (await pages.get(f"/auctions/{lot}")).text
    for page in (home, room):
        assert "A Quiet Meridian" in page
        assert '<span class="figure">2.1</span>' in page.replace("2.10", "2.1")
        assert "@ana leads" in page
    assert "their maximum stands" in room
    operator = await a_person(house, "olga", role=Role.OPERATOR)
    await step(engine, lot, "END", actor=operator)
    record = (await pages.get(f"/auctions/{lot}")).text
    assert "Sold" in record
    assert "to @ana" in record
    assert '<path class="chart-line"' in record
    assert "The walls are bare tonight." in (await pages.get("/")).text
    assert "Prices realised" in (await pages.get("/")).text


async def test_no_page_has_inline_script_or_style_and_what_people_wrote_stays_text(
    pages: httpx.AsyncClient, house: House, engine: AuctionEngine
) -> None:
    _, (item,) = await a_collection(house)
    attributes = [{"trait_type": HOSTILE, "value": HOSTILE}, {"trait_type": "odd", "value": {"a": 1}}, "text", None]
    async with house.engine.begin() as connection:
        await connection.execute(
            sa.update(ArtItem).where(ArtItem.id == item).values(description=HOSTILE, erc721={"attributes": attributes})
        )
    lot = await an_open_lot(house, engine, item=item, title=HOSTILE)
    _, headers = await signed_in(pages, "ana")
    await bid(engine, lot, await a_person(house, "ana"), "1")
    paths = [
        "/",
        f"/auctions/{lot}",
        "/me",
        "/me/bids",
        "/sign-in?next=/%22onload=alert(1)",
        "/how-bidding-works",
        "/campaigns",
    ]
    for path in paths:
        answer = await pages.get(path, headers=headers)
        html = answer.text
        assert answer.status_code == 200, path
        assert "<script>" not in html, path
        assert 'onerror="' not in html, path
        assert " style=" not in html, path
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
    assert "&lt;/script&gt;" in (await pages.get(f"/auctions/{lot}")).text


async def test_static_files_never_change_under_their_address(pages: httpx.AsyncClient) -> None:
    files = StaticFiles()
    for path, kind in (
        ("css/tokens.css", "text/css"),
        ("js/room.js", "text/javascript"),
        ("img/crest.svg", "image/svg"),
        ("fonts/Manrope-VariableFont_wght.ttf", "font/ttf"),
    ):
        answer = await pages.get(files.url(path))
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert "immutable" in answer.headers["cache-control"]
        older = await pages.get(f"/static/0123456789ab/{path}")
        assert older.headers["cache-control"] == "no-cache"
    for path in ("../pages.py", "js/../../pages.py", "js/none.js", "%2e%2e/pages.py"):
        assert (await pages.get(f"/static/{files.hash}/{path}")).status_code == 404
    with pytest.raises(KeyError):
        files.url("css/none.css")


async def test_errors_are_pages_for_people_and_problems_for_programs(pages: httpx.AsyncClient, house: House) -> None:
    for path in ("/auctions/nothing", f"/auctions/{uuid4()}", f"/campaigns/{uuid4()}", "/nowhere"):
        answer = await pages.get(path)
        assert answer.status_code == 404
        assert "This wall is empty." in answer.text
        problem = await pages.get(path, headers={"accept": "application/json"})
        assert problem.status_code == 404
        assert problem.json()["code"] == "NOT_FOUND"
    assert (await pages.get(f"/api/v1/auctions/{uuid4()}")).json()["code"] == "NOT_FOUND"


async def test_nobody_is_led_elsewhere_after_signing_in(pages: httpx.AsyncClient) -> None:
    for asked in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/" + "a" * 300):
        assert 'data-next="/"' in (await pages.get("/sign-in", params={"next": asked})).text, asked
    assert 'data-next="/me"' in (await pages.get("/sign-in", params={"next": "/me"})).text
    assert (await pages.get("/me")).headers["location"] == "/sign-in?next=/me"
    assert (await pages.get("/me/bids")).headers["location"] == "/sign-in?next=/me/bids"


async def test_a_theme_is_chosen_by_cookie_and_nothing_else_is_taken_from_it(pages: httpx.AsyncClient) -> None:
    assert 'data-theme="light"' in (await pages.get("/", headers={"cookie": "sothebais_theme=light"})).text
    assert (
        "data-theme" not in (await pages.get("/", headers={"cookie": 'sothebais_theme="><script>'})).text.split(">")[1]
    )


async def test_a_reserve_and_a_maximum_that_stand_are_on_no_page(
    pages: httpx.AsyncClient, house: House, engine: AuctionEngine
) -> None:
    lot = await an_open_lot(house, engine, reserve="777.77")
    ana = await a_person(house, "ana")
    await engine.place(a_bid(engine, lot, ana, "1", "333.33"))
    _, headers = await signed_in(pages, "ana")
    for path in ("/", f"/auctions/{lot}", "/me", "/me/bids"):
        html = (await pages.get(path, headers=headers)).text
        assert "777.77" not in html, path
        assert "333.33" not in html, path


async def test_ones_bids_are_shown_a_page_at_a_time_with_why_they_were_refused(
    pages: httpx.AsyncClient, house: House, engine: AuctionEngine
) -> None:
    lot = await an_open_lot(house, engine, title="Undertow")
    ana = await a_person(house, "ana")
    _, headers = await signed_in(pages, "ana")
    assert "You have not bid yet." in (await pages.get("/me/bids", headers=headers)).text
    await bid(engine, lot, ana, "0.1")
    await bid(engine, lot, ana, "1")
    for _ in range(PAGE_USUAL):
        await bid(engine, lot, ana, "2")  # the first one raises what she would pay
    first = (await pages.get("/me/bids", headers=headers)).text
    assert (first.count("you led already"), first.count("You lead")) == (PAGE_USUAL - 1, 1)
    assert "below the least bid" not in first
    [earlier] = re.findall(r'href="(/me/bids\?after=[^"]+)"', first)
    second = (await pages.get(earlier, headers=headers)).text
    assert second.count("below the least bid") == 1
    assert second.count("You lead") == 1
    assert "Earlier bids" not in second
    assert (await pages.get("/me/bids?after=x", headers=headers)).status_code == 404
    for reason in Reason:
        assert words.refusal(reason)


async def test_a_lot_to_come_hangs_in_tonight_s_catalogue(pages: httpx.AsyncClient, house: House) -> None:
    await a_lot(house, opens_in=600_000, title="Undertow", number=4)
    html = (await pages.get("/")).text
    assert "Undertow" in html
    assert "The room opens with the sale." in html


def test_the_tokens_of_both_themes_are_in_the_stylesheet() -> None:
    css = tokens.stylesheet()
    for palette in (media.DARK, media.LIGHT):
        for name, colour in palette.items().items():
            assert f"--{name}: {colour};" in css
    assert css.count("{") == css.count("}")


def test_amounts_and_names_are_written_as_people_read_them() -> None:
    assert [words.amount(text) for text in ("1", "1.5", "1234567.125", None)] == ["1", "1.50", "1,234,567.125", "–"]
    assert [words.handle(name) for name in ("ana", "0xab…cd", "Ana B", "", None)] == [
        "@ana", "0xab…cd", "Ana B", "somebody", "somebody",
    ]  # fmt: skip
    assert words.plural(1, "bid") == "1 bid"
    assert words.plural(2_000, "bid") == "2,000 bids"


@pytest.mark.parametrize(
    "prices", [["1"], ["1", "1.1", "5"], ["0.000001", "1000000"], ["3", "3", "3"], ["0.63", "0.83", "1.09"]]
)
def test_a_step_chart_stays_in_its_box(prices: list[str]) -> None:
    points = [PricePoint(1_000 + at, Decimal(price), "ana") for at, price in enumerate(prices)]
    drawn = chart.step_chart(points, starts_at=1_000, ends_at=2_000)
    assert drawn is not None
    assert len(drawn.ticks) <= chart.TICKS_MAX + 2
    for mark in drawn.marks:
        assert drawn.left <= mark.x <= drawn.right
        assert chart.TOP - 1 <= mark.y <= drawn.bottom
    assert chart.step_chart([], starts_at=0, ends_at=1) is None


def in_node(program: str, given: Any) -> Any:
    """What a module's function gives in Node for this input."""
    node = node_program(packages=False)
    script = (
        f'import * as verify from "{SCRIPTS.as_uri()}/verify.js"; import * as money from "{SCRIPTS.as_uri()}/money.js";'
        'import fs from "node:fs"; const given = JSON.parse(fs.readFileSync(0, "utf8"));'
        f"const result = await (async () => {{ {program} }})(); process.stdout.write(JSON.stringify(result));"
    )
    ran = subprocess.run(
        [node, "--input-type=module", "-e", script],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.node
def test_the_browser_hashes_what_the_house_hashes() -> None:
    rng = random.Random(7)
    letters = ['"', "\\", "/", "\x00", "\x1f", "\x7f", "\n", "\t", "é", "名", "😀", "a", "Z", "\u2028", "<"]

    def value(depth: int) -> Any:
        kind = rng.randrange(7 if depth else 5)
        if kind == 0:
            return rng.choice([None, True, False])
        if kind in (1, 2):
            return rng.randrange(2**53)
        if kind in (3, 4):
            return "".join(rng.choices(letters, k=rng.randrange(8)))
        if kind == 5:
            return [value(depth - 1) for _ in range(rng.randrange(4))]
        return {"".join(rng.choices("abcXYZ_09", k=3)): value(depth - 1) for _ in range(rng.randrange(5))}

    events = [
        {"n": n, "type": "auction:start", "timestamp": 1_700_000_000_000 + n, "data": {"v": value(4)}}
        for n in range(1, 120)
    ]
    previous = "ab" * 32
    found = in_node(
        "return Promise.all(given.events.map(async (e) => [verify.canonical(e.data), await verify.chainHash(e, given.previous)]))",
        {"events": events, "previous": previous},
    )
    for event, (text, digest) in zip(events, found, strict=True):
        data = canonical(event["data"])
        assert text == data.decode()
        hashed = chain_hash(data, event["n"], bytes.fromhex(previous), event["timestamp"], event["type"])
        assert digest == hashed.hex()


@pytest.mark.node
async def test_the_browser_finds_every_forgery_of_a_real_log(
    pages: httpx.AsyncClient, house: House, engine: AuctionEngine
) -> None:
    lot = await an_open_lot(house, engine, reserve="1.5")
    for name, amount, maximum in (("ana", "1", "3"), ("ben", "2", None), ("cho", "4", "6"), ("ana", "9", None)):
        await bid(engine, lot, await a_person(house, name), amount, maximum)
    await step(engine, lot, "END", actor=await a_person(house, "olga", role=Role.OPERATOR))
    lines = (await pages.get(f"/api/v1/auctions/{lot}/log")).text.splitlines()
    snapshot = (await pages.get(f"/api/v1/auctions/{lot}")).json()
    key = (await pages.get("/api/v1/house-key")).json()["public_key"]

    def edited(place: int, **changes: Any) -> list[str]:
        event = json.loads(lines[place])
        event["data"] |= changes
        return [*lines[:place], json.dumps(event), *lines[place + 1 :]]

    def rehashed(place: int, **changes: Any) -> list[str]:
        """Changed, and every hash after it computed anew."""
        events = [json.loads(line) for line in edited(place, **changes)[:-1]]
        previous = bytes(32)
        for event in events:
            event["prev_hash"] = previous.hex()
            previous = chain_hash(canonical(event["data"]), event["n"], previous, event["timestamp"], event["type"])
            event["hash"] = previous.hex()
        return [*(json.dumps(event) for event in events), lines[-1]]

    head = json.loads(lines[-1])["head"]
    last_accepted = max(at for at, line in enumerate(lines) if "auction:bid:accepted" in line)
    openings = json.loads(lines[last_accepted])["data"]["openings"]
    assert openings
    lied = [openings[0] | {"max_amount": "1000"}]
    cases = {
        "true": (lines, None),
        "changed": (edited(2, price="7"), 3),
        "dropped": ([*lines[:2], *lines[3:]], 3),
        "swapped": ([lines[0], lines[2], lines[1], *lines[3:]], 2),
        "cut off": ([*lines[:3], lines[-1]], 4),
        "another end": (rehashed(2, price="7"), len(lines) - 1),
        "another signature": ([*lines[:-1], json.dumps({"head": head | {"signature": "00" * 64}})], None),
        "another opening": (rehashed(last_accepted, openings=lied)[:-1], last_accepted + 1),
        "not JSON": ([*lines[:2], "{"], None),
        "nothing": ([], None),
    }
    given = {"texts": {name: "\n".join(text) for name, (text, _) in cases.items()}, "key": key, "snapshot": snapshot}
    found = in_node(
        "const out = {}; for (const [name, text] of Object.entries(given.texts)) { const bad = [];"
        "const good = await verify.verify(text, {houseKey: given.key, expected: given.snapshot,"
        "onCheck: (c) => c.result === 'bad' && bad.push([c.name, c.n, c.words])}); out[name] = {good, bad}; } return out;",
        given,
    )
    assert found["true"] == {"good": True, "bad": []}
    for name, (_, n) in cases.items():
        if name == "true":
            continue
        assert found[name]["good"] is False, name
        assert found[name]["bad"], name
        if n is not None:
            assert found[name]["bad"][0][1] == n, (name, found[name])


@pytest.mark.node
def test_the_browser_reckons_as_the_house_does() -> None:
    rng = random.Random(3)
    table = TableIncrement(
        tuple(Step(Decimal(a), Decimal(b)) for a, b in (("0", "0.02"), ("0.5", "0.05"), ("2", "0.1")))
    )
    percent = PercentIncrement(Decimal(5), Decimal("0.01"))
    policies = [
        (
            table,
            {
                "kind": "table",
                "steps": [{"from_price": a, "increment": b} for a, b in (("0", "0.02"), ("0.5", "0.05"), ("2", "0.1"))],
            },
        ),
        (percent, {"kind": "percent", "percent": "5", "floor": "0.01"}),
    ]
    cases, expected = [], []
    for _ in range(200):
        decimals = rng.choice([0, 2, 6, 18])
        price = Decimal(rng.randrange(1, 10 ** (decimals + 3))).scaleb(-decimals)
        premium = Decimal(rng.randrange(0, 3000)) / 100
        policy, public = policies[rng.randrange(2)]
        terms = some_terms(decimals=decimals, premium_percent=premium, fee=Decimal(rng.randrange(3)))
        lot = {
            "decimals": decimals,
            "premium_percent": words_of(premium),
            "fee": words_of(terms.fee),
            "increment": public,
        }
        cases.append({"price": words_of(price), "lot": lot})
        expected.append(
            [words_of(rules.total_payable(terms, price)), words_of(increments.increment(policy, price, decimals))]
        )
    found = in_node("return given.map((c) => [money.payable(c.price, c.lot), money.increment(c.price, c.lot)])", cases)
    assert found == expected
    typed = ["1,5", " 2.50 ", ".5", "1,250.5", "007", "1e5", "-1", "0", "abc", "", "5."]
    assert in_node("return given.map((t) => money.understood(t))", typed) == [
        "1.5", "2.5", "0.5", "1250.5", "7", None, None, None, None, None, "5",
    ]  # fmt: skip


def words_of(value: Decimal) -> str:
    return money.text(value)
