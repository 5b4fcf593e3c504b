"""The house from inside, over HTTP: processes, metrics, the audit, API keys, people."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import sqlalchemy as sa
from tests.fakes.house import a_user, an_open_lot, api_client, bid, eventually, running, signed_in, step, whole_log
from tests.fakes.trials import rows_of

from sothebais import ids
from sothebais.api.services import Heartbeat
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.db.migrations import HEAD
from sothebais.errors import Unavailable
from sothebais.events.types import validate_data
from sothebais.state.store import StateStore
from sothebais.users.tables import Role, User

API = "/api/v1"


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    return body


async def person(house: House, client: httpx.AsyncClient, handle: str, role: Role) -> Any:
    user = await a_user(house, handle, role=role)
    _, headers = await signed_in(client, handle)
    return user, headers


async def test_every_process_that_is_alive_is_listed_with_what_it_can_reach(
    house: House, engine: AuctionEngine, store: StateStore, client: httpx.AsyncClient
) -> None:
    _, operator = await person(house, client, "olga", Role.OPERATOR)
    parts = house.api_parts(engine, store)

    async def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await client.get(f"{API}/admin/services", headers=operator)).json()["processes"]
        return found

    async def broken() -> None:
        raise Unavailable("No disk.")

    async def mended() -> None:
        return None

    async with running(Heartbeat(parts, "auction-engine").run()):
        (one,) = await eventually(listed, "a process is heard of")
        assert (one["role"], one["health"], one["checks"]["postgresql"]) == ("auction-engine", "OK", "ok")
        parts.probes["disk"] = broken
        sick = Heartbeat(parts, "event-handler")
        await sick.beat()
        assert {row["role"]: row["health"] for row in await listed()} == {
            "auction-engine": "OK", "event-handler": "DEGRADED",
        }  # fmt: skip
        async with house.engine.begin() as connection:
            await connection.execute(
                sa.text("update service_instances set beat_at = now() - interval '21 s' where role = 'event-handler'")
            )
        assert {row["role"]: row["health"] for row in await listed()}["event-handler"] == "DOWN"
        async with house.engine.begin() as connection:
            await connection.execute(
                sa.text("update service_instances set beat_at = now() - interval '2 days' where role = 'event-handler'")
            )
        await sick.beat()  # also removes what has had its day: it comes back as it is alive
        assert len(await rows_of(house, "select 1 from service_instances")) == 2
    assert [row["role"] for row in await listed()] == ["event-handler"]
    # the first word and the last are in the log, for everybody who follows the house
    said = [
        (event.type, event.decoded())
        for event in await whole_log(house.database_url)
        if event.type.startswith("system:")
    ]
    assert [(kind, data.get("role") or data["component"]) for kind, data in said] == [
        ("system:startup", "auction-engine"),
        ("system:startup", "event-handler"),
        ("system:health", "event-handler/disk"),
        ("system:shutdown", "auction-engine"),
    ]
    assert said[0][1]["schema_revision"] == HEAD
    assert (said[2][1]["status"], said[2][1]["previous_status"]) == ("DEGRADED", None)
    assert (said[0][1]["instance"], said[3][1]["cause"]) == (said[3][1]["instance"], "REQUESTED")
    parts.probes["disk"] = mended
    await sick.beat()
    await sick.beat()
    news = (await whole_log(house.database_url))[-1]
    assert (news.type, news.decoded()["status"], news.decoded()["previous_status"]) == (
        "system:health",
        "OK",
        "DEGRADED",
    )
    for event in await whole_log(house.database_url):
        validate_data(event.type, event.decoded())
    whole = (await client.get(f"{API}/admin/services", headers=operator)).json()
    assert {"server_time", "version", "processes", "pulses", "checks"} == set(whole)


async def test_a_process_that_ends_with_an_error_says_so_and_not_what_the_error_was_about(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    beat = Heartbeat(house.api_parts(engine, store), "live-gateway")
    async with running(beat.run()):
        await eventually(lambda: rows_of(house, "select 1 from service_instances"), "a process is heard of")
        beat.failed = ValueError("the password is hunter2")
    said = [event for event in await whole_log(house.database_url) if event.type.startswith("system:")]
    assert [event.type for event in said] == ["system:startup", "system:error", "system:shutdown"]
    for event in said:
        validate_data(event.type, event.decoded())
        assert "hunter2" not in str(event.decoded())
    assert (said[1].decoded()["code"], said[2].decoded()["cause"]) == ("ValueError", "FAILED")


async def test_the_metrics_of_the_process_come_as_json(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    _, operator = await person(house, client, "olga", Role.OPERATOR)
    await bid(engine, await an_open_lot(house, engine), await a_user(house), "1")
    found = (await client.get(f"{API}/admin/metrics", headers=operator)).json()["metrics"]
    by_name = {one["name"]: one for one in found}
    decided = {one["labels"]["result"]: one["value"] for one in by_name["sothebais_engine_decided"]["samples"]}
    assert decided["accepted"] >= 1
    commits = {
        one["labels"]["statistic"]: one["value"] for one in by_name["sothebais_engine_commit_seconds"]["samples"]
    }
    assert 0 < commits["mean"] <= commits["sum"]
    few = (await client.get(f"{API}/admin/metrics?name=sothebais_engine", headers=operator)).json()["metrics"]
    assert {one["name"].startswith("sothebais_engine") for one in few} == {True}


async def test_the_audit_tells_who_did_what_and_why_newest_first(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    olga, operator = await person(house, client, "olga", Role.OPERATOR)
    _, admin = await person(house, client, "ada", Role.ADMIN)
    lot = await an_open_lot(house, engine)
    for kind in ("PAUSE", "RESUME", "PAUSE"):
        await step(engine, lot, kind, actor=olga, reason=f"{kind} why")
    await client.post(f"{API}/collections", json={"slug": "a", "name": "A"}, headers=operator)
    seen: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        page = (await client.get(f"{API}/admin/audit", params={"limit": 2} | after, headers=admin)).json()
        seen += page["items"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert [one["action"] for one in seen] == [
        "collection.create",
        "auction:paused",
        "auction:resumed",
        "auction:paused",
    ]
    assert {one["actor"] for one in seen} == {"olga"}
    assert seen[1]["reason"] == "PAUSE why"
    for query, count in ((f"subject=auction:{lot}", 3), (f"actor={olga}", 4), (f"actor={ids.new_id()}", 0),
                         ("action=collection.", 1), ("action=%25", 0), ("since=2020-01-01T00:00:00Z", 4),
                         ("until=2020-01-01T00:00:00Z", 0)):  # fmt: skip
        found = (await client.get(f"{API}/admin/audit?{query}", headers=admin)).json()["items"]
        assert len(found) == count, query
    for query in ("actor=x", "since=x", "subject=%00", "limit=0", "after=x"):
        is_problem(await client.get(f"{API}/admin/audit?{query}", headers=admin), 422, "INVALID_INPUT")


async def test_a_key_is_told_once_works_within_its_scopes_and_ends_at_once(
    house: House, engine: AuctionEngine, store: StateStore, client: httpx.AsyncClient
) -> None:
    _, admin = await person(house, client, "ada", Role.ADMIN)
    bo = await a_user(house, "bo")
    body = {"name": "robot", "scopes": ["read"], "user_id": str(bo)}
    made = await client.post(f"{API}/admin/api-keys", json=body, headers=admin | {"idempotency-key": "k1"})
    assert made.status_code == 201, made.text
    token, key = made.json()["token"], made.json()["key"]
    again = await client.post(f"{API}/admin/api-keys", json=body, headers=admin | {"idempotency-key": "k1"})
    is_problem(again, 409, "IDEMPOTENCY_KEY_REUSED")
    assert token not in again.text
    kept = await rows_of(house, "select body, status from idempotency_keys")
    assert (kept[0]["body"], kept[0]["status"]) == (None, 201)
    listed = await client.get(f"{API}/admin/api-keys?user_id={bo}", headers=admin)
    assert [one["id"] for one in listed.json()["items"]] == [key["id"]]
    assert token not in listed.text
    robot = {"authorization": f"Bearer {token}"}
    assert (await client.get(f"{API}/auctions", headers=robot)).status_code == 200
    is_problem(await client.get(f"{API}/admin/api-keys", headers=robot), 403, "FORBIDDEN")
    lot = await an_open_lot(house, engine)
    bid_ = await client.post(f"{API}/auctions/{lot}/bids", json={"currency": "ETH", "amount": "1"}, headers=robot)
    is_problem(bid_, 403, "FORBIDDEN")
    gone = await client.delete(f"{API}/admin/api-keys/{key['id']}?reason=Lost", headers=admin)
    assert gone.status_code == 204
    assert (await client.delete(f"{API}/admin/api-keys/{key['id']}", headers=admin)).status_code == 204
    is_problem(await client.delete(f"{API}/admin/api-keys/{ids.new_id()}", headers=admin), 404, "NOT_FOUND")
    async with api_client(house, engine, store) as other:
        answer = await other.post(f"{API}/auctions/{lot}/bids", json={"currency": "ETH", "amount": "1"}, headers=robot)
        is_problem(answer, 401, "UNAUTHENTICATED")
    for wrong in ({"name": ""}, {"scopes": []}, {"scopes": ["all"]}, {"days": 0}, {"days": 367}, {"user_id": "x"}):
        is_problem(await client.post(f"{API}/admin/api-keys", json=body | wrong, headers=admin), 422, "INVALID_INPUT")


async def test_the_key_of_staff_who_are_blocked_opens_nothing(
    house: House, engine: AuctionEngine, store: StateStore, client: httpx.AsyncClient
) -> None:
    _, admin = await person(house, client, "ada", Role.ADMIN)
    olga, _ = await person(house, client, "olga", Role.OPERATOR)
    bo = await a_user(house, "bo")
    keys = {}
    for user, scope in ((olga, "operate"), (bo, "bid")):
        body = {"name": "robot", "scopes": ["read", scope], "user_id": str(user)}
        made = await client.post(f"{API}/admin/api-keys", json=body, headers=admin)
        keys[user] = {"authorization": f"Bearer {made.json()['token']}"}
    lot = await an_open_lot(house, engine)
    pause = f"{API}/auctions/{lot}/pause"
    assert (await client.post(pause, json={"reason": "Look."}, headers=keys[olga])).status_code == 200
    for user in (olga, bo):
        blocked = {"blocked": True, "reason": "Why."}
        assert (await client.patch(f"{API}/admin/users/{user}", json=blocked, headers=admin)).status_code == 200
    async with api_client(house, engine, store) as other:
        resume = f"{API}/auctions/{lot}/resume"
        for use in (client, other):
            answer = await use.post(resume, json={"reason": "Look."}, headers=keys[olga])
            is_problem(answer, 401, "UNAUTHENTICATED")
        # a bidder is told with each bid
        answer = await other.post(
            f"{API}/auctions/{lot}/bids", json={"currency": "ETH", "amount": "1"}, headers=keys[bo]
        )
        assert is_problem(answer, 409, "BID_REJECTED")["reason"] in ("BLOCKED", "PAUSED")


async def test_people_are_found_blocked_and_given_roles_and_the_last_admin_stays(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    ada, admin = await person(house, client, "ada", Role.ADMIN)
    bo, bidder = await person(house, client, "bo", Role.BIDDER)
    found = (await client.get(f"{API}/admin/users?handle=B", headers=admin)).json()["items"]
    assert [(one["id"], one["accounts"], one["blocked"]) for one in found] == [(str(bo), ["sandbox:bo"], False)]
    assert len((await client.get(f"{API}/admin/users?role=ADMIN&limit=1", headers=admin)).json()["items"]) == 1

    async def change(user: Any, headers: Any = admin, **body: Any) -> httpx.Response:
        return await client.patch(f"{API}/admin/users/{user}", json={"reason": "Why."} | body, headers=headers)

    assert (await change(bo, blocked=True)).json()["blocked"] is True
    is_problem(await client.get(f"{API}/me", headers=bidder), 401, "UNAUTHENTICATED")
    lot = await an_open_lot(house, engine)
    _, bidder = await signed_in(client, "bo")
    refused = await client.post(f"{API}/auctions/{lot}/bids", json={"currency": "ETH", "amount": "1"}, headers=bidder)
    assert is_problem(refused, 409, "BID_REJECTED")["reason"] == "BLOCKED"
    assert (await change(bo, blocked=False, role="OPERATOR")).json()["role"] == "OPERATOR"
    is_problem(await change(ada, role="BIDDER"), 409, "CONFLICT")
    is_problem(await change(ada, blocked=True), 409, "CONFLICT")
    is_problem(await change(ids.new_id(), blocked=True), 404, "NOT_FOUND")
    for wrong in ({"reason": ""}, {"reason": " "}, {"role": "GOD"}, {"blocked": "perhaps"}, {"password": "x"}):
        is_problem(await change(bo, **wrong), 422, "INVALID_INPUT")
    assert (await change(bo, role="ADMIN")).json()["role"] == "ADMIN"
    _, other = await signed_in(client, "bo")
    # each demotes the other at the same moment: one of them stays
    results = await asyncio.gather(change(ada, other, role="BIDDER"), change(bo, admin, role="BIDDER"))
    assert sorted(one.status_code for one in results) in ([200, 401], [200, 403], [200, 409])
    left = await rows_of(house, "select count(*) as n from users where role = 'ADMIN' and not blocked")
    assert left[0]["n"] == 1
    steps = [
        row["action"]
        for row in await rows_of(house, "select action from audit where action like 'user.%' order by at, id")
    ]
    assert steps == ["user.block", "user.role.operator", "user.unblock", "user.role.admin", "user.role.bidder"]


async def test_only_admins_see_people_keys_and_the_audit(house: House, client: httpx.AsyncClient) -> None:
    _, operator = await person(house, client, "olga", Role.OPERATOR)
    _, bidder = await signed_in(client, "bo")
    for path, least in (("services", "OPERATOR"), ("metrics", "OPERATOR"), ("audit", "ADMIN"), ("api-keys", "ADMIN"),
                        ("users", "ADMIN"), (f"users/{ids.new_id()}", "ADMIN")):  # fmt: skip
        is_problem(await client.get(f"{API}/admin/{path}"), 401, "UNAUTHENTICATED")
        is_problem(await client.get(f"{API}/admin/{path}", headers=bidder), 403, "FORBIDDEN")
        answer = await client.get(f"{API}/admin/{path}", headers=operator)
        assert answer.status_code == (200 if least == "OPERATOR" else 403)


async def test_an_erasure_that_was_cut_off_blocks_nobody_for_ever(
    house: House, engine: AuctionEngine, store: StateStore, client: httpx.AsyncClient
) -> None:
    """What a process leaves that dies after the first of an erasure's two transactions."""
    people = {name: (await signed_in(client, name)) for name in ("ana", "bo", "cy")}

    async def cut_off(name: str, minutes: float | None) -> None:
        since = None if minutes is None else sa.func.now() - timedelta(minutes=minutes)
        async with house.engine.begin() as connection:
            await connection.execute(
                sa.update(User).where(User.id == people[name][0]).values(blocked=True, erasing_since=since)
            )

    await cut_off("ana", 6)
    await cut_off("bo", 4)  # perhaps still under way
    await cut_off("cy", None)  # by an operator
    await Heartbeat(house.api_parts(engine, store), "auction-engine").beat()
    blocked = {row["name"]: row["blocked"] for row in await rows_of(house, "select name, blocked from users")}
    assert blocked == {"ana": False, "bo": True, "cy": True}
    assert (await client.delete(f"{API}/me", headers=people["ana"][1])).status_code == 204
    # whoever asks again while the mark stands is forgotten too, or free again where that is refused
    lot = await an_open_lot(house, engine)
    await cut_off("bo", None)
    async with house.engine.begin() as connection:
        await connection.execute(sa.update(User).values(blocked=False))
    await bid(engine, lot, people["bo"][0], "1")
    await cut_off("bo", 1)
    is_problem(await client.delete(f"{API}/me", headers=people["bo"][1]), 409, "CONFLICT")
    (row,) = await rows_of(house, "select blocked, erasing_since from users where name = 'bo'")
    assert (row["blocked"], row["erasing_since"]) == (False, None)
    await bid(engine, lot, people["cy"][0], "2")
    await cut_off("bo", 1)
    assert (await client.delete(f"{API}/me", headers=people["bo"][1])).status_code == 204
    marks = await rows_of(house, "select erasing_since from users where erased_at is not null")
    assert [row["erasing_since"] for row in marks] == [None, None]
