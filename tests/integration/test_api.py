"""The HTTP API, every endpoint of it, over a real house: what it answers, and what it refuses in which words."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from decimal import Decimal as D
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from tests.fakes.house import (
    PATIENCE_S,
    a_lot,
    a_user,
    advance,
    advanced_until,
    an_open_lot,
    api_client,
    bid,
    block,
    eventually,
    running,
    signed_in,
    step,
)
from tests.fakes.trials import rows_of

from sothebais import ids
from sothebais.api.app import create_app, create_operations_app
from sothebais.api.parts import ApiParts
from sothebais.auctions import audit, receipts, repository
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.clock import parse_iso
from sothebais.errors import Unavailable
from sothebais.state import keys
from sothebais.state.store import StateStore

API = "/api/v1"


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The body of an RFC 9457 problem document that keeps the house's form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"]) == (status, code), body
    assert re.fullmatch(r"https://\S+/problems/[a-z-]+", body["type"])
    assert body["title"]
    assert len(body["detail"]) > 10
    assert "Traceback" not in answer.text
    if status in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
    return body


def ether(amount: str | None = None, **more: Any) -> dict[str, Any]:
    return {"currency": "ETH"} | ({} if amount is None else {"amount": amount}) | more


async def post_bid(
    client: httpx.AsyncClient, lot: UUID | str, body: Any, headers: dict[str, str], key: str | None = None
) -> httpx.Response:
    more = {} if key is None else {"idempotency-key": key}
    return await client.post(f"{API}/auctions/{lot}/bids", json=body, headers=headers | more)


# Reading


async def test_lots_are_listed_a_page_at_a_time_in_the_order_in_which_they_were_made(
    house: House, client: httpx.AsyncClient
) -> None:
    made = [str(await a_lot(house)) for _ in range(5)]
    seen: list[str] = []
    after = None
    for _ in range(10):
        answer = await client.get(f"{API}/auctions", params={"limit": 2} | ({"after": after} if after else {}))
        page = answer.json()
        assert set(page) == {"items", "next"}
        assert len(page["items"]) <= 2
        seen += [lot["id"] for lot in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == made
    assert (await client.get(f"{API}/auctions", params={"limit": 5})).json()["next"] is None


async def test_lots_are_found_by_status_and_campaign(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    waiting, running = await a_lot(house), await an_open_lot(house, engine)

    async def found(**wanted: Any) -> set[str]:
        return {lot["id"] for lot in (await client.get(f"{API}/auctions", params=wanted)).json()["items"]}

    assert await found(status="SCHEDULED") == {str(waiting)}
    assert await found(status="ACTIVE") == {str(running)}
    assert await found(status=["ACTIVE", "SCHEDULED"]) == {str(waiting), str(running)}
    assert await found(status="ENDED") == set()
    assert await found(campaign_id=str(ids.new_id())) == set()


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "status=OPEN", "campaign_id=5", "after=zzz", f"after={'9' * 36}"],
)
async def test_a_list_refuses_what_it_cannot_use(client: httpx.AsyncClient, query: str) -> None:
    is_problem(await client.get(f"{API}/auctions?{query}"), 422, "INVALID_INPUT")


async def test_a_snapshot_says_all_that_a_bidder_needs(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot = await an_open_lot(house, engine, premium_percent="10", fee="0.5", reserve="3", buy_now="50")
    ana = await a_user(house, "ana")
    await bid(engine, lot, ana, "1.5", "9")
    found = (await client.get(f"{API}/auctions/{lot}")).json()
    assert (found["status"], found["price"], found["next_valid_amount"]) == ("ACTIVE", "3", "3.1")
    assert D(found["next_total_payable"]) == D("3.1") * D("1.1") + D("0.5")
    assert found["leader"] == {"id": str(ana), "handle": "ana"}
    assert (found["has_reserve"], found["reserve_met"], found["buy_now_on_offer"]) == (True, True, False)
    assert found["n"] == 4
    assert found["position"]
    assert abs(parse_iso(found["server_time"]) - house.now()) < 60_000
    assert set(found["last_safe_bid"]) == {"WEB", "API"}
    assert all(
        isinstance(found[name], str) for name in ("price", "starting_price", "next_valid_amount", "premium_percent")
    )


async def test_a_lot_keeps_the_title_it_was_scheduled_with_wherever_it_is_shown(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, store: StateStore
) -> None:
    lot = await an_open_lot(house, engine)
    async with house.engine.begin() as connection:
        await connection.execute(sa.text("update art_items set name = 'Renamed'"))
    _, headers = await signed_in(client, "ana")
    shown = [
        (await client.get(f"{API}/auctions/{lot}")).json(),
        (await client.get(f"{API}/auctions")).json()["items"][0],
        (await post_bid(client, lot, ether("1.5"), headers)).json()["auction"],
        json.loads((await client.get(f"{API}/auctions/{lot}/log")).text.splitlines()[0])["data"],
    ]
    async with running(house.relay(store).run()):
        shown.append(json.loads(await eventually(lambda: store.get(keys.auction(lot)), "the lot is relayed") or b""))
    assert [one["title"] for one in shown] == ["Lot 1"] * 5


async def test_a_lot_that_is_not_there_is_a_404(client: httpx.AsyncClient) -> None:
    for lot in (ids.new_id(), "5", "x" * 36, "%00", "..%2f..%2fetc"):
        for path in ("", "/bids", "/log"):
            is_problem(await client.get(f"{API}/auctions/{lot}{path}"), 404, "NOT_FOUND")


async def test_bids_are_listed_newest_first_with_the_proxy_s_raises_and_without_the_refused(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot = await an_open_lot(house, engine)
    ana, bo = await a_user(house, "ana"), await a_user(house, "bo")
    await bid(engine, lot, ana, "1", "5")
    await bid(engine, lot, bo, "2")
    await bid(engine, lot, bo, "0.1")
    voided = await bid(engine, lot, bo, "3")
    await step(engine, lot, "VOID_BID", actor=ana, bid=voided.bid)
    answer = (await client.get(f"{API}/auctions/{lot}/bids")).json()
    numbers = [row["number"] for row in answer["items"]]
    assert numbers == sorted(numbers, reverse=True)
    shown = {(row["user"]["handle"], row["amount"], row["status"], row["proxy"]) for row in answer["items"]}
    assert {("ana", "1", "WINNING", False), ("bo", "2", "ACCEPTED", False), ("bo", "3", "VOIDED", False)} <= shown
    assert ("ana", "2.1", "ACCEPTED", True) in shown
    assert all(row["amount"] != "0.1" for row in answer["items"])
    pages: list[int] = []
    after = None
    for _ in range(20):
        page = (
            await client.get(f"{API}/auctions/{lot}/bids", params={"limit": 2} | ({"after": after} if after else {}))
        ).json()
        pages += [row["number"] for row in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert pages == numbers
    for query in ("limit=0", "limit=201", "after=0", "after=x", "after=3000000000", f"after={10**20}"):
        is_problem(await client.get(f"{API}/auctions/{lot}/bids?{query}"), 422, "INVALID_INPUT")


async def test_the_log_is_lines_of_json_with_a_signed_head_and_verifies(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot = await an_open_lot(house, engine)
    await bid(engine, lot, await a_user(house), "1", "5")
    answer = await client.get(f"{API}/auctions/{lot}/log")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    *events, last = [json.loads(line) for line in answer.content.splitlines()]
    head = last["head"]
    key = (await client.get(f"{API}/house-key")).json()
    assert key == {"algorithm": "Ed25519", "public_key": head["public_key"]}
    receipts.check_signature(head, bytes.fromhex(key["public_key"]), what="head")
    report = audit.verify(events, head=(head["n"], head["hash"]))
    assert (report.status, report.bids, head["auction"]) == ("ACTIVE", 1, str(lot))


# Signing in


async def test_the_sandbox_signs_in_by_handle_and_the_same_handle_is_the_same_person(client: httpx.AsyncClient) -> None:
    answers = [await client.post(f"{API}/auth/sandbox", json={"handle": handle}) for handle in ("ana", "@Ana")]
    assert [answer.status_code for answer in answers] == [201, 201]
    first, second = (answer.json() for answer in answers)
    assert first["user"]["id"] == second["user"]["id"]
    assert first["token"] != second["token"]
    assert first["user"] == {"id": first["user"]["id"], "handle": "ana", "role": "BIDDER"}


@pytest.mark.parametrize(
    "body",
    [{}, {"handle": ""}, {"handle": "a b"}, {"handle": "a" * 31}, {"handle": "nul\x00"}, {"handle": 5}, {"handle": "ä"},
     {"handle": "a", "role": "ADMIN"}, [], None],
    ids=str,
)  # fmt: skip
async def test_what_is_no_handle_signs_nobody_in(house: House, client: httpx.AsyncClient, body: Any) -> None:
    is_problem(await client.post(f"{API}/auth/sandbox", json=body), 422, "INVALID_INPUT")
    assert (await rows_of(house, "select count(*) as n from users"))[0]["n"] == 0


async def test_without_the_sandbox_nobody_signs_in_by_handle(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    house.settings = house.settings.model_copy(update={"sandbox": False})
    async with api_client(house, engine, store) as client:
        is_problem(await client.post(f"{API}/auth/sandbox", json={"handle": "ana"}), 404, "NOT_FOUND")
    assert (await rows_of(house, "select count(*) as n from users"))[0]["n"] == 0


async def test_a_session_that_is_unknown_ended_idle_or_revoked_bids_for_nobody(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    lot = await an_open_lot(house, engine)
    endings = {
        "ended": "update sessions set created_at = now() - interval '9 days', expires_at = now() - interval '1 second'",
        "idle": "update sessions set last_seen_at = now() - interval '1 day 1 second'",
        "revoked": "update sessions set revoked_at = now()",
    }
    for statement in endings.values():
        async with api_client(house, engine, store) as client:  # another process: nothing is remembered in it
            _, headers = await signed_in(client, "ana")
            async with house.engine.begin() as connection:
                await connection.execute(sa.text(statement))
            is_problem(await post_bid(client, lot, ether("1"), headers), 401, "UNAUTHENTICATED")
    async with api_client(house, engine, store) as client:
        for wrong in ({}, {"authorization": ""}, {"authorization": "Bearer"}, {"authorization": "Bearer x"},
                      {"authorization": "Basic YTpi"}, {"authorization": "Bearer " + "x" * 5_000}):  # fmt: skip
            is_problem(await post_bid(client, lot, ether("1"), wrong), 401, "UNAUTHENTICATED")
    assert (await rows_of(house, "select count(*) as n from bids"))[0]["n"] == 0


async def test_a_revoked_session_is_refused_as_soon_as_the_process_looks_again(
    house: House, engine: AuctionEngine, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ApiParts.IDENTITY_S <= 60
    monkeypatch.setattr(ApiParts, "IDENTITY_S", -1.0)
    lot = await an_open_lot(house, engine)
    async with api_client(house, engine, store) as client:
        ana, headers = await signed_in(client, "ana")
        assert (await post_bid(client, lot, ether("1"), headers)).status_code == 201
        assert len(await house.people(store).sessions.revoke_all(ana)) == 1  # another process does it
        is_problem(await post_bid(client, lot, ether("2"), headers), 401, "UNAUTHENTICATED")


# Bidding


async def test_an_accepted_bid_is_a_201_with_bid_snapshot_and_receipt(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot = await an_open_lot(house, engine)
    ana, headers = await signed_in(client, "ana")
    _, other = await signed_in(client, "bo")
    answer = await post_bid(client, lot, ether("1.50", max_amount="4"), headers)
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"bid", "auction", "receipt"}
    assert (body["bid"]["status"], body["bid"]["amount"], body["bid"]["user_id"]) == ("WINNING", "1.5", str(ana))
    assert (body["auction"]["price"], body["auction"]["leader"]["handle"]) == ("1.5", "ana")
    receipts.check_signature(body["receipt"], house.key().public, what="receipt")
    assert body["receipt"]["opening"]["max_amount"] == "4"
    assert body["receipt"]["n"] == body["auction"]["n"]
    now = (await client.get(f"{API}/auctions/{lot}")).json()
    moving = {"server_time"}
    assert {k: v for k, v in body["auction"].items() if k not in moving} == {
        k: v for k, v in now.items() if k not in moving
    }
    outbid = (await post_bid(client, lot, ether("2"), other)).json()
    assert outbid["bid"]["status"] == "ACCEPTED"
    assert outbid["auction"]["leader"]["handle"] == "ana"


async def test_a_refused_bid_is_a_409_that_says_why_and_what_would_do(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot = await an_open_lot(house, engine, confirm_multiple="10")
    ana, headers = await signed_in(client, "ana")
    cases = [
        (ether("0.5"), "BELOW_MINIMUM"),
        (ether("500"), "CONFIRMATION_REQUIRED"),
        ({"amount": "1", "currency": "EUR"}, "CURRENCY_MISMATCH"),
    ]
    for body, reason in cases:
        problem = is_problem(await post_bid(client, lot, body, headers), 409, "BID_REJECTED")
        assert (problem["reason"], problem["next_valid_amount"]) == (reason, "1")
        assert (problem["bid"]["status"], problem["bid"]["user_id"]) == ("REJECTED", str(ana))
    await post_bid(client, lot, ether("1", max_amount="2"), headers)
    assert (
        is_problem(await post_bid(client, lot, ether("1.5"), headers), 409, "BID_REJECTED")["reason"]
        == "ALREADY_LEADING"
    )
    await block(house, ana)
    assert is_problem(await post_bid(client, lot, ether("5"), headers), 409, "BID_REJECTED")["reason"] == "BLOCKED"


BAD_BODIES: list[Any] = [
    {}, [], None, "1", 5, ether(), ether(""), ether("1e3"), ether("-1"), ether("+1"), ether("0"), ether("0.0"), ether("01"),
    ether("1,5"), ether("NaN"), ether("Infinity"), ether(" 1"), ether("1."), ether(".5"), ether("١"), ether("1" * 40),
    ether("1." + "1" * 19), ether("1000000000001"), {"currency": "ETH", "amount": 1}, {"currency": "ETH", "amount": 1.5},
    {"currency": "ETH", "amount": True}, {"amount": "1"}, {"amount": "1", "currency": "XXX"}, {"amount": "1", "currency": None},
    {"amount": "1", "currency": "ETH\x00"}, ether("2", max_amount="1"), ether("1", confirm="yes"), ether("1", admin=True),
    ether("1", source="POST"), ether("1", effective_at=0),
]  # fmt: skip


async def test_what_is_no_bid_is_a_422_and_is_not_recorded(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot = await an_open_lot(house, engine)
    for number, body in enumerate(BAD_BODIES):
        _, headers = await signed_in(client, f"user{number}")
        answer = await post_bid(client, lot, body, headers)
        assert answer.status_code == 422, (body, answer.text)
        is_problem(answer, 422, "INVALID_AMOUNT" if "AMOUNT" in answer.text else "INVALID_INPUT")
    assert (await rows_of(house, "select log_n from auctions"))[0]["log_n"] == 2


async def test_a_body_that_is_no_json_or_too_long_is_a_422(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot = await an_open_lot(house, engine)
    _, headers = await signed_in(client, "ana")
    twice, deep, long = b'{"amount":"1","amount":"2"', b"[" * 4_000, b'"' + b"x" * 5_000 + b'"'
    for raw in (b"", b"{", b"\xff\xfe", b"nul\x00", twice, deep, long):
        is_problem(await client.post(f"{API}/auctions/{lot}/bids", content=raw, headers=headers), 422, "INVALID_INPUT")


async def test_a_body_is_refused_at_its_bound_whatever_length_was_announced(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot = await an_open_lot(house, engine)
    _, headers = await signed_in(client, "ana")
    bare = json.dumps(ether("1")).encode()
    fits = bare + b" " * (4_096 - len(bare))
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        for _ in range(1_000):
            sent += 1
            yield b" " * 1_024

    url = f"{API}/auctions/{lot}/bids"
    assert (await client.post(url, content=fits, headers=headers)).status_code == 201
    is_problem(await client.post(url, content=fits + b" ", headers=headers), 422, "INVALID_INPUT")
    is_problem(await client.post(url, content=endless(), headers=headers), 422, "INVALID_INPUT")
    assert sent < 100, "the house went on reading"


async def test_more_decimals_than_the_lot_has_are_a_422_and_another_lot_s_are_none_of_its_business(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot = await an_open_lot(house, engine, currency="EUR", decimals=2)
    _, headers = await signed_in(client, "ana")
    is_problem(await post_bid(client, lot, {"amount": "1.001", "currency": "EUR"}, headers), 422, "INVALID_AMOUNT")
    is_problem(await post_bid(client, lot, {"amount": "1.001", "currency": "ETH"}, headers), 409, "BID_REJECTED")


async def test_a_bid_on_nothing_is_a_404(client: httpx.AsyncClient) -> None:
    _, headers = await signed_in(client, "ana")
    for lot in (ids.new_id(), "5", "x" * 36):
        is_problem(await post_bid(client, lot, ether("1"), headers), 404, "NOT_FOUND")


async def test_an_idempotency_key_repeats_the_first_answer_byte_for_byte(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot = await an_open_lot(house, engine)
    _, headers = await signed_in(client, "ana")
    _, other = await signed_in(client, "bo")
    first = await post_bid(client, lot, ether("1", max_amount="5"), headers, "k" * 200)
    await post_bid(client, lot, ether("9"), other)
    again = await post_bid(client, lot, ether("1", max_amount="5"), headers, "k" * 200)
    assert (again.status_code, again.json()) == (201, first.json())
    is_problem(
        await post_bid(client, lot, ether("1.1", max_amount="5"), headers, "k" * 200), 409, "IDEMPOTENCY_KEY_REUSED"
    )
    refused = await post_bid(client, lot, ether("0.5"), headers, "low")
    told = await post_bid(client, lot, ether("0.5"), headers, "low")
    assert is_problem(refused, 409, "BID_REJECTED") == is_problem(told, 409, "BID_REJECTED")
    assert (await rows_of(house, "select count(*) as n from bids where source <> 'PROXY'"))[0]["n"] == 3


@pytest.mark.parametrize("key", ["", "k" * 201, "a\tb", "\x7f", "é\x80"])
async def test_a_key_that_is_none_is_a_422(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, key: str
) -> None:
    lot = await an_open_lot(house, engine)
    _, headers = await signed_in(client, "ana")
    answer = await client.post(
        f"{API}/auctions/{lot}/bids",
        json=ether("1"),
        headers=[*((k.encode(), v.encode()) for k, v in headers.items()), (b"idempotency-key", key.encode("latin-1"))],
    )
    is_problem(answer, 422, "INVALID_INPUT")


async def test_too_many_bids_are_a_429_each_user_and_each_address_by_itself(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    house.settings = house.settings.model_copy(
        update={"bids_per_user_per_second": 1.0, "bids_per_address_per_second": 2.0}
    )
    lot = await an_open_lot(house, engine)
    async with api_client(house, engine, store) as client:
        _, ana = await signed_in(client, "ana")
        _, bo = await signed_in(client, "bo")
        codes = [(await post_bid(client, lot, ether(str(1 + i)), ana)).status_code for i in range(3)]
        assert codes == [201, 201, 429]
        assert (await post_bid(client, lot, ether("9"), bo)).status_code == 201
        problem = is_problem(await post_bid(client, lot, ether("10"), bo), 429, "RATE_LIMITED")
        assert problem["retry_after"] > 0
        assert (await client.get(f"{API}/auctions/{lot}")).status_code == 200


async def test_a_full_house_a_stopped_one_and_one_without_an_engine_are_a_503(
    house: House, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = house.auction_engine()
    await engine.start()
    lot = await an_open_lot(house, engine)
    async with api_client(house, engine, store) as client:
        _, headers = await signed_in(client, "ana")
        monkeypatch.setattr(engine, "_bids_waiting_max", 0)
        is_problem(await post_bid(client, lot, ether("1"), headers), 503, "OVERLOADED")
        await engine.stop()
        is_problem(await post_bid(client, lot, ether("1"), headers), 503, "UNAVAILABLE")
    async with api_client(house, None, store) as client:
        is_problem(await post_bid(client, lot, ether("1"), headers), 503, "UNAVAILABLE")
    assert (await rows_of(house, "select count(*) as n from bids"))[0]["n"] == 0


async def test_the_hundred_bids_of_one_moment_each_have_their_own_answer(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    house.settings = house.settings.model_copy(update={"bids_per_address_per_second": 10_000.0})
    lot = await an_open_lot(house, engine)
    async with api_client(house, engine, store) as client:
        people = [(await signed_in(client, f"user{i}"))[1] for i in range(10)]
        answers = await asyncio.wait_for(
            asyncio.gather(*(post_bid(client, lot, ether(str(1 + i)), people[i % 10]) for i in range(100))), PATIENCE_S
        )
    assert {answer.status_code for answer in answers} <= {201, 409}
    numbers = [(answer.json().get("bid") or {})["number"] for answer in answers]
    assert len(set(numbers)) == 100


# Operations


async def test_health_says_alive_and_readiness_names_what_is_missing(
    house: House, engine: AuctionEngine, store: StateStore, client: httpx.AsyncClient
) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]) == (200, {"postgresql": "ok", "redis": "ok", "engine": "ok"})

    async def down() -> None:
        raise Unavailable("it is gone")

    async def asleep() -> None:
        await asyncio.Event().wait()

    probes: dict[str, tuple[str, Callable[[], Awaitable[None]]]] = {
        "redis": ("gone", down),
        "engine": ("Timeout", asleep),
    }
    for name, (says, probe) in probes.items():
        parts = house.api_parts(engine, store)
        parts.probes[name] = probe
        for app in (create_app(parts), create_operations_app(parts)):
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://house.test") as other:
                answer = await other.get("/readyz")
                assert (await other.get("/healthz")).status_code == 200
            body = answer.json()
            assert (answer.status_code, body["status"]) == (503, "not ready")
            assert says in body["checks"][name]
            assert body["checks"]["postgresql"] == "ok"


async def test_readiness_finds_a_redis_that_nobody_serves(house: House, engine: AuctionEngine) -> None:
    gone = StateStore("redis://127.0.0.1:1/0")
    async with api_client(house, engine, gone) as client:
        answer = await client.get("/readyz")
    await gone.close()
    assert answer.status_code == 503
    assert "Redis does not answer" in answer.json()["checks"]["redis"]
    assert answer.json()["checks"]["postgresql"] == "ok"


async def test_metrics_count_what_was_decided(house: House, engine: AuctionEngine, client: httpx.AsyncClient) -> None:
    def decided(text: str) -> float:
        return sum(
            float(line.split()[-1]) for line in text.splitlines() if line.startswith("sothebais_engine_decided_total{")
        )

    before = decided((await client.get("/metrics")).text)
    lot = await an_open_lot(house, engine)
    await bid(engine, lot, await a_user(house), "1")
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert decided(answer.text) == before + 1


async def test_every_domain_counts_what_it_does(house: House, engine: AuctionEngine, client: httpx.AsyncClient) -> None:
    async def counted(name: str) -> float:
        lines = (await client.get("/metrics")).text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"sothebais_{name} "))

    names = {
        name: await counted(name)
        for name in (
            'sign_ins_total{method="sandbox"}',
            "sign_in_failures_total",
            'chat_refusals_total{reason="LINK"}',
            'events_written_total{type="chat:message"}',
        )
    }
    lot = await an_open_lot(house, engine)
    _, ana = await signed_in(client, "ana")
    room = f"{API}/auctions/{lot}/chat"
    assert (await client.post(room, json={"text": "good evening"}, headers=ana)).status_code == 201
    assert (await client.post(room, json={"text": "see https://evil.example"}, headers=ana)).status_code == 422
    wrong = await client.post(f"{API}/auth/login", json={"login": "olga", "password": "guessed, and wrong"})
    assert wrong.status_code == 401
    assert {name: await counted(name) - before for name, before in names.items()} == dict.fromkeys(names, 1)


async def test_every_answer_has_a_request_id_which_the_caller_may_choose(client: httpx.AsyncClient) -> None:
    chosen = "order-66-abc"
    assert (await client.get("/healthz", headers={"x-request-id": chosen})).headers["x-request-id"] == chosen
    for odd in ("x" * 65, "a b", 'a"b', "ä", "", "{}", "a_b;c"):
        given = [(b"x-request-id", odd.encode("latin-1"))]
        made = (await client.get("/healthz", headers=given)).headers["x-request-id"]
        assert made != odd
        assert UUID(made).version == 7
    first, second = [(await client.get(f"{API}/nothing")).headers["x-request-id"] for _ in range(2)]
    assert first != second


async def test_answers_carry_the_headers_of_a_careful_house(client: httpx.AsyncClient) -> None:
    for path in ("/healthz", f"{API}/auctions", f"{API}/nothing"):
        headers = (await client.get(path)).headers
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")


async def test_wrong_addresses_and_methods_are_problems_too(client: httpx.AsyncClient) -> None:
    is_problem(await client.get("/nothing"), 404, "NOT_FOUND")
    is_problem(await client.delete(f"{API}/auctions"), 405, "METHOD_NOT_ALLOWED")
    is_problem(await client.post(f"{API}/auth/sandbox", content=b"{"), 422, "INVALID_INPUT")


async def test_a_fault_of_ours_is_a_500_that_tells_nothing(
    house: House, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(repository, "snapshot", broken)
    answer = await client.get(f"{API}/auctions/{ids.new_id()}")
    assert "swordfish" not in json.dumps(is_problem(answer, 500, "INTERNAL"))


# The document


def every_ref(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {ref for name, below in value.items() for ref in ({below} if name == "$ref" else every_ref(below))}
    if isinstance(value, list):
        return {ref for below in value for ref in every_ref(below)}
    return set()


async def test_the_openapi_document_has_every_endpoint_and_the_bid_written_by_hand(client: httpx.AsyncClient) -> None:
    document = (await client.get("/api/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    paths = document["paths"]
    wanted = {
        f"{API}/auctions": {"get"},
        f"{API}/auctions/{{auction_id}}": {"get"},
        f"{API}/auctions/{{auction_id}}/bids": {"get", "post"},
        f"{API}/auctions/{{auction_id}}/log": {"get"},
        f"{API}/auth/sandbox": {"post"},
        "/healthz": {"get"},
        "/readyz": {"get"},
        "/metrics": {"get"},
    }
    for path, methods in wanted.items():
        assert methods <= set(paths[path]), path
    post = paths[f"{API}/auctions/{{auction_id}}/bids"]["post"]
    assert {"201", "401", "404", "409", "422", "429", "503"} <= set(post["responses"])
    assert {one["name"] for one in post["parameters"]} == {"auction_id", "Idempotency-Key"}
    assert post["security"] == [{"bearer": []}, {"cookie": []}, {"apiKey": []}]
    assert "application/json" in post["responses"]["201"]["content"], "the answer's schema is missing"
    assert (await client.get("/api/docs")).status_code == 200


async def test_the_openapi_document_is_a_valid_one(client: httpx.AsyncClient) -> None:
    document = (await client.get("/api/openapi.json")).json()
    for ref in every_ref(document):
        target: Any = document
        for part in ref.removeprefix("#/").split("/"):
            target = target[part]
    operation_ids: list[str] = []
    for path, item in document["paths"].items():
        names = set(re.findall(r"{(\w+)}", path))
        for method, operation in item.items():
            assert method in {"get", "post", "put", "patch", "delete"}
            operation_ids.append(operation["operationId"])
            given = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
            assert given == names, (path, method)
            for status, response in operation["responses"].items():
                assert re.fullmatch(r"[1-5](\d\d|XX)|default", status)
                assert response["description"], (path, method, status)
            for scheme in operation.get("security", ()):
                assert set(scheme) <= set(document["components"]["securitySchemes"])
    assert len(operation_ids) == len(set(operation_ids))


async def test_the_body_a_bid_may_have_is_the_body_the_document_shows(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    document = (await client.get("/api/openapi.json")).json()
    post = document["paths"][f"{API}/auctions/{{auction_id}}/bids"]["post"]
    content = post["requestBody"]["content"]["application/json"]
    lot = await an_open_lot(house, engine)
    _, headers = await signed_in(client, "ana")
    assert (await post_bid(client, lot, content["example"], headers)).status_code == 201
    schema = content["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    assert set(schema["properties"]) == {"amount", "max_amount", "currency", "confirm"}
    assert schema["required"] == ["currency"]
    assert schema["additionalProperties"] is False
    pattern = document["components"]["schemas"]["AmountText"]["pattern"]
    for text, fits in (("1.5", True), ("1e3", False), ("01", False), ("-1", False), ("1.", False)):
        assert bool(re.search(pattern, text)) is fits


async def test_an_ended_lot_still_tells_its_story(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot = await an_open_lot(house, engine)
    ana, headers = await signed_in(client, "ana")
    await post_bid(client, lot, ether("2"), headers)
    await step(engine, lot, "END", actor=ana)
    await advance(engine, lot)
    await advanced_until(house, engine, lot, "ENDED")
    found = (await client.get(f"{API}/auctions/{lot}")).json()
    assert (found["status"], found["outcome"], found["next_valid_amount"], found["next_total_payable"]) == (
        "ENDED",
        "SOLD",
        None,
        None,
    )
    assert is_problem(await post_bid(client, lot, ether("3"), headers), 409, "BID_REJECTED")["reason"] == "ENDED"
