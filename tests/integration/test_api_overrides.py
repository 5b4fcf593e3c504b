"""What operators do to lots over HTTP: each step, each refusal, and that a refusal changes nothing."""

from typing import Any
from uuid import UUID

import httpx
from tests.fakes.house import a_collection, a_lot, a_user, an_open_lot, api_client, bid, signed_in
from tests.fakes.trials import rows_of

from sothebais import ids
from sothebais.auctions import audit, repository
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.clock import isoformat, parse_iso
from sothebais.state.store import StateStore
from sothebais.users.tables import Role

API = "/api/v1"
MINUTE = 60_000
WHY = {"reason": "A reason."}


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    return body


async def staff(house: House, client: httpx.AsyncClient, handle: str = "olga", role: Role = Role.OPERATOR) -> Any:
    await a_user(house, handle, role=role)
    _, headers = await signed_in(client, handle)
    return headers


async def verified(house: House, lot: UUID) -> str:
    events = [event async for event in repository.log(house.engine, lot)]
    head = await repository.head(house.engine, lot)
    return audit.verify(events, head=(head[0], head[1].hex())).status


async def test_a_lot_goes_through_every_step_an_operator_can_take_and_its_log_verifies(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    operator = await staff(house, client)
    lot = await a_lot(house, opens_in=10 * MINUTE)
    path = f"{API}/auctions/{lot}"
    ana, bo = await a_user(house, "ana"), await a_user(house, "bo")

    async def take(step: str, **more: Any) -> dict[str, Any]:
        answer = await client.post(f"{path}/{step}", json=WHY | more, headers=operator)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    assert (await take("start"))["status"] == "ACTIVE"
    await bid(engine, lot, ana, "1")
    high = await bid(engine, lot, bo, "5")
    paused = await take("pause")
    assert (paused["status"], paused["paused_at"] is not None) == ("PAUSED", True)
    resumed = await take("resume")
    assert parse_iso(resumed["ends_at"]) >= parse_iso(paused["ends_at"])
    extended = await take("extend", seconds=300)
    assert parse_iso(extended["ends_at"]) - parse_iso(resumed["ends_at"]) == 300_000
    until = parse_iso(extended["ends_at"]) + MINUTE
    assert parse_iso((await take("extend", ends_at=isoformat(until)))["ends_at"]) == until
    voided = await take(f"bids/{high.bid}/void")
    assert (voided["leader"]["handle"], voided["price"]) == ("ana", "1")
    assert (await take("end"))["outcome"] == "SOLD"
    assert (await take("reopen", seconds=60))["status"] == "ACTIVE"
    assert (await take("cancel"))["status"] == "CANCELLED"
    assert await verified(house, lot) == "CANCELLED"
    steps = await rows_of(
        house, f"select reason, correlation_id from audit where subject = 'auction:{lot}' order by id"
    )
    assert [row["reason"] for row in steps] == ["A reason."] * 9
    assert all(row["correlation_id"] for row in steps)


async def test_a_step_the_lifecycle_does_not_have_is_refused_and_changes_nothing(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    operator = await staff(house, client)
    scheduled, running = await a_lot(house, opens_in=MINUTE), await an_open_lot(house, engine)
    over = await an_open_lot(house, engine)
    await client.post(f"{API}/auctions/{over}/cancel", json=WHY, headers=operator)
    before = await rows_of(house, "select count(*) as n, max(seq) as last from event_logs")
    illegal = {scheduled: ("pause", "resume", "end", "extend", "reopen"), running: ("start", "resume", "reopen"),
               over: ("start", "pause", "resume", "end", "cancel", "extend", "reopen")}  # fmt: skip
    for lot, steps in illegal.items():
        for step in steps:
            body = WHY | ({"seconds": 60} if step in ("extend", "reopen") else {})
            answer = await client.post(f"{API}/auctions/{lot}/{step}", json=body, headers=operator)
            is_problem(answer, 409, "ILLEGAL_TRANSITION")
    for body in ({}, {"reason": ""}, {"reason": " \u200f"}, {"reason": "x" * 501}, {"reason": "a", "more": 1}, None):
        is_problem(
            await client.post(f"{API}/auctions/{running}/pause", json=body, headers=operator), 422, "INVALID_INPUT"
        )
    for body in ({}, {"seconds": 0}, {"seconds": 60, "ends_at": "2031-01-01T00:00:00Z"}, {"ends_at": "soon"},
                 {"ends_at": "9999-12-31T23:59:59Z"}, {"ends_at": "2031-01-01"}, {"seconds": 2_678_401}):  # fmt: skip
        is_problem(
            await client.post(f"{API}/auctions/{running}/extend", json=WHY | body, headers=operator),
            422,
            "INVALID_INPUT",
        )
    for lot, bid_id in ((ids.new_id(), ids.new_id()), (running, ids.new_id()), (running, "x"), ("x", ids.new_id())):
        answer = await client.post(f"{API}/auctions/{lot}/bids/{bid_id}/void", json=WHY, headers=operator)
        is_problem(answer, 404, "NOT_FOUND")
    for role in (Role.BIDDER, Role.OWNER):
        other = await staff(house, client, role.value.lower(), role)
        is_problem(await client.post(f"{API}/auctions/{running}/pause", json=WHY, headers=other), 403, "FORBIDDEN")
    is_problem(await client.post(f"{API}/auctions/{running}/pause", json=WHY), 401, "UNAUTHENTICATED")
    assert await rows_of(house, "select count(*) as n, max(seq) as last from event_logs") == before


async def test_a_lot_outside_campaigns_is_scheduled_and_moved_until_it_starts(
    house: House, client: httpx.AsyncClient
) -> None:
    operator = await staff(house, client)
    _, (item, other) = await a_collection(house, 2)
    now = house.now()
    body = {
        "art_item_id": str(item),
        "starts_at": isoformat(now + 10 * MINUTE),
        "ends_at": isoformat(now + 20 * MINUTE),
        "rules": {"currency": "ETH", "starting_price": "0.5", "reserve": "7.77", "hard_close_after": "5m"},
        "fees": {"premium_percent": "5"},
    }
    made = await client.post(f"{API}/auctions", json=body, headers=operator)
    assert made.status_code == 201, made.text
    lot = made.json()
    assert (lot["status"], lot["premium_percent"], lot["has_reserve"], lot["title"]) == (
        "SCHEDULED",
        "5",
        True,
        "Piece 1",
    )
    assert "7.77" not in made.text
    is_problem(await client.post(f"{API}/auctions", json=body, headers=operator), 409, "CONFLICT")
    free = body | {"art_item_id": str(other)}
    for wrong in ({"starts_at": isoformat(now - 1)}, {"ends_at": body["starts_at"]}, {"ends_at": "x"}, {"lot_number": 0},
                  {"rules": {"currency": "ETH"}}, {"rules": {**body["rules"], "start": "1"}}, {"fees": {"fee": 1}},
                  {"ends_at": "2099-01-01T00:00:00Z"}, {"art_item_id": "x"},
                  {"rules": {"currency": "ETH", "starting_price": 0.5}}):  # fmt: skip
        is_problem(await client.post(f"{API}/auctions", json=free | wrong, headers=operator), 422, "INVALID_INPUT")
    lost = body | {"art_item_id": str(ids.new_id())}
    is_problem(await client.post(f"{API}/auctions", json=lost, headers=operator), 404, "NOT_FOUND")

    path = f"{API}/auctions/{lot['id']}"
    later = {"starts_at": isoformat(now + 30 * MINUTE), "ends_at": isoformat(now + 50 * MINUTE)} | WHY
    moved = (await client.patch(path, json=later, headers=operator)).json()
    assert (moved["starts_at"], moved["ends_at"]) == (later["starts_at"], later["ends_at"])
    assert parse_iso(moved["hard_close_at"]) - parse_iso(moved["ends_at"]) == 5 * MINUTE
    for wrong in ({"ends_at": later["starts_at"]}, {"starts_at": isoformat(now - 1)}, {"starts_at": later["ends_at"]}):
        is_problem(await client.patch(path, json=WHY | wrong, headers=operator), 422, "INVALID_INPUT")
    assert (await client.post(f"{path}/start", json=WHY, headers=operator)).json()["status"] == "ACTIVE"
    is_problem(await client.patch(path, json=later, headers=operator), 409, "ILLEGAL_TRANSITION")
    assert await verified(house, UUID(lot["id"])) == "ACTIVE"


async def test_a_snapshot_is_not_sent_again_to_a_caller_who_has_it(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    lot = await an_open_lot(house, engine)
    path = f"{API}/auctions/{lot}"
    first = await client.get(path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    for given in (tag, f'"other", {tag}', "*", tag.removeprefix("W/")):
        answer = await client.get(path, headers={"if-none-match": given})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    await bid(engine, lot, await a_user(house), "1")
    after = await client.get(path, headers={"if-none-match": tag})
    assert (after.status_code, after.json()["n"]) == (200, first.json()["n"] + 1)


async def test_a_process_without_an_engine_says_that_it_moves_no_lots(house: House, store: StateStore) -> None:
    lot = await a_lot(house)
    async with api_client(house, None, store) as client:
        operator = await staff(house, client)
        answer = await client.post(f"{API}/auctions/{lot}/start", json=WHY, headers=operator)
        is_problem(answer, 503, "UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"
