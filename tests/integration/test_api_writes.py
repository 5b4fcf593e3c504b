"""What every request passes: idempotency keys, limits in each process and in all together, the length of bodies."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from tests.fakes.house import a_user, api_client, eventually, signed_in
from tests.fakes.trials import rows_of

from sothebais.api import writes
from sothebais.api.limits import RateLimit, SharedLimit
from sothebais.bootstrap import House
from sothebais.clock import SystemClock
from sothebais.errors import RateLimited
from sothebais.state import keys, models
from sothebais.state.store import StateStore
from sothebais.users.tables import Role

API = "/api/v1"


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    return body


@pytest.fixture
async def operator(house: House, client: httpx.AsyncClient) -> dict[str, str]:
    await a_user(house, "olga", role=Role.OPERATOR)
    _, headers = await signed_in(client, "olga")
    return headers


async def count(house: House) -> int:
    return int((await rows_of(house, "select count(*) as n from collections"))[0]["n"])


def keyed(headers: dict[str, str], key: str) -> dict[str, str]:
    return headers | {"idempotency-key": key}


async def test_the_same_key_and_body_repeats_the_first_answer_and_another_body_is_refused(
    house: House, client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    body = {"slug": "a", "name": "A"}
    first = await client.post(f"{API}/collections", json=body, headers=keyed(operator, "one"))
    # the same JSON in another order and with other spaces
    again = await client.post(
        f"{API}/collections", content=b'{ "name":"A",\n"slug":"a" }',
        headers=keyed(operator, "one") | {"content-type": "application/json"},
    )  # fmt: skip
    assert (again.status_code, again.json()) == (201, first.json())
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (None, "true")
    for path, other in (("/collections", body | {"name": "B"}), ("/collections?x=1", body), ("/art-items", body)):
        answer = await client.post(API + path, json=other, headers=keyed(operator, "one"))
        is_problem(answer, 409, "IDEMPOTENCY_KEY_REUSED")
    assert await count(house) == 1
    # a refusal is an answer too
    refused = [await client.post(f"{API}/collections", json=body, headers=keyed(operator, "two")) for _ in range(2)]
    assert [one.status_code for one in refused] == [409, 409]
    assert refused[0].json() == refused[1].json()
    assert refused[1].headers["content-type"] == "application/problem+json"
    # somebody else's key of the same name is another key
    await a_user(house, "otto", role=Role.OPERATOR)
    _, other_headers = await signed_in(client, "otto")
    answer = await client.post(
        f"{API}/collections", json={"slug": "b", "name": "B"}, headers=keyed(other_headers, "one")
    )
    assert answer.status_code == 201
    for wrong in ("", "x" * 201, "a\tb"):
        is_problem(
            await client.post(f"{API}/collections", json=body, headers=keyed(operator, wrong)), 422, "INVALID_INPUT"
        )


async def test_changes_and_removals_take_a_key_too(
    house: House, client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    named = [await client.patch(f"{API}/me", json={"name": "Olga B"}, headers=keyed(operator, "one")) for _ in range(2)]
    assert [one.status_code for one in named] == [200, 200]
    assert [one.headers.get("idempotency-replayed") for one in named] == [None, "true"]
    assert named[0].json() == named[1].json()
    # one key, one request: not another method either
    is_problem(
        await client.post(f"{API}/me", json={"name": "Olga B"}, headers=keyed(operator, "one")),
        409,
        "IDEMPOTENCY_KEY_REUSED",
    )
    made = await client.post(f"{API}/collections", json={"slug": "a", "name": "A"}, headers=operator)
    gone = [
        await client.delete(f"{API}/collections/{made.json()['id']}", headers=keyed(operator, "two")) for _ in range(2)
    ]
    assert [one.status_code for one in gone] == [204, 204]
    assert (gone[1].headers["idempotency-replayed"], gone[1].content) == ("true", b"")
    assert await count(house) == 0


async def test_of_many_at_once_with_one_key_one_runs_and_the_others_wait_or_repeat(
    house: House, client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    body = {"slug": "a", "name": "A"}
    answers = await asyncio.gather(
        *(client.post(f"{API}/collections", json=body, headers=keyed(operator, "k")) for _ in range(8))
    )
    assert await count(house) == 1
    for answer in answers:
        if answer.status_code != 201:
            assert is_problem(answer, 409, "IDEMPOTENCY_KEY_REUSED")["in_hand"] is True
            assert answer.headers["retry-after"] == "1"
    assert any(answer.status_code == 201 for answer in answers)


async def test_a_key_is_free_again_when_nothing_happened_or_its_day_is_over_but_not_when_nobody_knows(
    house: House, client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    body = {"slug": "a", "name": "A"}
    headers = keyed(operator, "k")

    async def set_row(values: str) -> None:
        async with house.engine.begin() as connection:
            await connection.execute(sa.text(f"update idempotency_keys set {values}"))

    assert (await client.post(f"{API}/collections", json=body, headers=headers)).status_code == 201
    await set_row("status = null, body = null")
    assert is_problem(
        await client.post(f"{API}/collections", json=body, headers=headers), 409, "IDEMPOTENCY_KEY_REUSED"
    )["in_hand"]
    await set_row("created_at = now() - interval '61 seconds'")
    unknown = is_problem(
        await client.post(f"{API}/collections", json=body, headers=headers), 409, "IDEMPOTENCY_KEY_REUSED"
    )
    assert "not finished" in unknown["detail"]
    await set_row("expires_at = now()")
    taken = await client.post(f"{API}/collections", json=body, headers=headers)
    is_problem(taken, 409, "CONFLICT")  # it ran: the slug is in use
    await set_row("expires_at = now()")
    async with house.engine.begin() as connection:
        assert await writes.prune(connection) == 1


async def test_an_answer_of_503_frees_the_key(house: House, store: StateStore) -> None:
    async with api_client(house, None, store) as client:
        await a_user(house, "olga", role=Role.OPERATOR)
        _, headers = await signed_in(client, "olga")
        path = f"{API}/auctions/019d3c5e-0000-7000-8000-000000000000/start"
        answer = await client.post(path, json={"reason": "x"}, headers=keyed(headers, "k"))
        is_problem(answer, 503, "UNAVAILABLE")
    assert await rows_of(house, "select 1 from idempotency_keys") == []


async def test_a_body_that_is_too_long_is_refused_before_it_is_read(
    house: House, client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    long = b'{"slug": "a", "name": "' + b"x" * 1_048_576 + b'"}'

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(long), 65_536):
            yield long[start : start + 65_536]

    async def short() -> AsyncIterator[bytes]:
        yield b'{"slug": "a",'
        yield b'"name": "A"}'

    json = operator | {"content-type": "application/json"}
    for content in (long, pieces()):
        is_problem(await client.post(f"{API}/collections", content=content, headers=json), 413, "TOO_LARGE")
    assert (await client.post(f"{API}/collections", content=short(), headers=json)).status_code == 201
    assert await count(house) == 1


async def test_reads_and_writes_are_limited_for_all_processes_together(house: House, store: StateStore) -> None:
    house.settings = house.settings.model_copy(update={"reads_per_second": 20.0, "writes_per_second": 2.0})
    async with api_client(house, None, store) as one, api_client(house, None, store) as two:
        began = time.monotonic()
        answers = [await client.get(f"{API}/collections") for _ in range(60) for client in (one, two)]
        took_s = time.monotonic() - began
        refused = [answer for answer in answers if answer.status_code == 429]
        # a burst of two seconds' worth and what came in meanwhile, not twice that for two processes
        assert 10 <= len(answers) - len(refused) <= 40 + 20 * took_s + 10
        assert refused
        body = is_problem(refused[0], 429, "RATE_LIMITED")
        assert body["retry_after"] >= 0
        assert int(refused[0].headers["retry-after"]) >= 1
        assert (await one.get("/healthz")).status_code == 200
        posted = [await client.post(f"{API}/collections", json={}) for _ in range(4) for client in (one, two)]
        assert [answer.status_code for answer in posted].count(429) >= 3
    key = keys.rate_limit("reads", "address:127.0.0.1")
    state = models.RateLimitState.model_validate_json(await store.get(key) or b"")
    assert (state.limit, state.remaining < 40) == (40, True)


async def test_a_shared_limit_gives_what_it_says_and_never_more(store: StateStore) -> None:
    who = str(UUID(int=7))
    limits = [SharedLimit(SystemClock(), store, "test", "tests", per_second=5, burst=10, ahead=1) for _ in range(3)]

    waits: list[float] = []

    async def taken(limit: SharedLimit) -> int:
        try:
            await limit.take(who)
        except RateLimited as error:
            waits.append(error.fields["retry_after"])
            return 0
        return 1

    given = sum([await taken(limits[number % 3]) for number in range(30)])
    assert 10 <= given <= 14
    assert all(0 < wait <= 0.4 for wait in waits)
    await eventually(lambda: taken(limits[0]), "a token comes back", every_s=0.05)


async def test_without_redis_every_process_counts_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    away = StateStore("unix:///tmp/no-redis-is-here.sock")
    limit = SharedLimit(clock, away, "test", "tests", per_second=1, burst=4, ahead=1)
    for _ in range(4):
        await limit.take("a")
    with pytest.raises(RateLimited):
        await limit.take("a")
    await limit.take("b")
    await away.close()


def test_the_buckets_of_a_limit_are_bounded() -> None:
    limit = RateLimit(SystemClock(), "tests", per_second=1, burst=1, buckets_max=100)
    for number in range(1_000):
        limit.take(str(number))
    assert len(limit) == 100
