"""Attacks, each as somebody would try it over HTTP. `docs/security.md` names the test of each."""

import itertools
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.fakes.house import a_user, an_open_lot, api_client, bid, signed_in
from tests.fakes.sign_ins import API, EthereumWallet, a_nonce, a_proof, bearer

from sothebais import ids
from sothebais.api import access, privacy
from sothebais.api.headers import content_security_policy
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.config import Settings
from sothebais.errors import RateLimited, Unauthenticated
from sothebais.state.store import StateStore
from sothebais.users.staff import Enrolment
from sothebais.users.tables import Role
from sothebais.users.throttle import ACCOUNT, PAIR

EMAIL, PASSWORD = "maria@house.test", "correct horse battery"
PARAMETER = re.compile(r"\{(\w+)\}")
METHODS = ("get", "post", "put", "patch", "delete")
#: Ids tried in a place whose name says nothing.
TRIED_MAX = 4


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"public_url": "http://house.test", "reads_per_second": 1e6, "writes_per_second": 1e6}
    )


@pytest.fixture
async def client(house: House, store: StateStore) -> AsyncIterator[httpx.AsyncClient]:
    async with api_client(house, None, store) as made:
        yield made


@pytest.fixture
async def maria(house: House) -> Enrolment:
    return await house.people().staff.add(EMAIL, Role.ADMIN, PASSWORD, actor=await a_user(house, "house"))


def app_of(client: httpx.AsyncClient) -> Any:
    return client._transport.app  # type: ignore[attr-defined]


def operations(client: httpx.AsyncClient) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation of the API as its document has it: a route that is added is attacked like the others."""
    for path, item in app_of(client).openapi()["paths"].items():
        for method in METHODS:
            if method in item and path.startswith(API):
                yield method, path, item[method]


def an_example(schema: dict[str, Any], document: dict[str, Any], depth: int = 0) -> Any:
    """Something of that schema, so that a refusal comes from the route and not from the form."""
    if "$ref" in schema:
        return an_example(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document, depth + 1)
    if "example" in schema:
        return schema["example"]
    if schema.get("examples"):
        return schema["examples"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return an_example(schema[choice][0], document, depth + 1)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    match schema.get("type"):
        case "object":
            if depth > 8:
                return {}
            required = schema.get("required", [])
            return {name: an_example(schema["properties"][name], document, depth + 1) for name in required}
        case "array":
            return []
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case _:
            return "x" * max(1, schema.get("minLength", 1))


def a_body(operation: dict[str, Any], document: dict[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    if "example" in content:
        return content["example"]
    if content.get("examples"):
        return next(iter(content["examples"].values())).get("value")
    return an_example(content["schema"], document)


async def things_of(connection: Any, user: UUID) -> dict[str, list[dict[str, Any]]]:
    """Every row that is somebody's, whole."""
    rows = {"users": [dict(row) for row in await connection.fetch("select * from users where id = $1", user)]}
    for table in privacy.personal_tables():
        order = ", ".join(column.name for column in table.primary_key)
        found = await connection.fetch(f"select * from {table.name} where user_id = $1 order by {order}", user)
        rows[table.name] = [dict(row) for row in found]
    return rows


def places(path: str, things: dict[str, list[dict[str, Any]]], lot: UUID) -> Iterator[dict[str, str]]:
    """What to put into an address: the first person's own ids where its names say whose, else some of all."""
    everything = [str(row["id"]) for rows in things.values() for row in rows if isinstance(row.get("id"), UUID)]
    choices = []
    for name in PARAMETER.findall(path):
        stem = name.removesuffix("_id")
        named = [table for table in things if table in (f"{stem}s", f"social_{stem}s", f"api_{stem}s", f"{stem}_s")]
        own = [str(row["id"]) for table in named for row in things[table] if "id" in row]
        if stem in ("auction", "lot"):
            own = [str(lot)]
        choices.append([(name, value) for value in (own or everything[:TRIED_MAX])])
    for chosen in itertools.product(*choices):
        yield dict(chosen)


async def furnished(house: House, client: httpx.AsyncClient, lot: UUID, connection: Any) -> tuple[UUID, list[str]]:
    """Somebody who has one of everything, as far as this house knows how to make it; and what is private of it."""
    wallet = EthereumWallet()
    proof = await a_proof(client, wallet)
    token = (await client.post(f"{API}/auth/siwe", json=proof, headers={"user-agent": "Ana's own browser"})).json()[
        "token"
    ]
    client.cookies.clear()
    ana = bearer(token)
    me = UUID((await client.get(f"{API}/me", headers=ana)).json()["id"])
    await client.patch(f"{API}/me", json={"email": "ana@mail.example"}, headers=ana)
    key, _ = await house.people().api_keys.create(me, "ana's program", ["read"], days=1, actor=me, role=Role.BIDDER)
    passkey = ids.new_id()
    await connection.execute(
        "insert into passkeys (id, user_id, name, credential_id, public_key) values ($1, $2, 'ana''s laptop', 'a', 'b')",
        passkey, me,
    )  # fmt: skip
    # what other parts of the house offer, if they do
    await client.post(f"{API}/auctions/{lot}/follow", json={}, headers=ana)
    await client.post(f"{API}/auctions/{lot}/chat", json={"text": "Good evening"}, headers=ana)
    await client.patch(f"{API}/me/preferences", json={"theme": "dark"}, headers=ana)
    await client.put(f"{API}/me/preferences", json={"theme": "dark"}, headers=ana)
    session = token.partition(".")[0]
    private = [
        "ana@mail.example", wallet.address, "Ana's own browser", "ana's program", "ana's laptop", token.partition(".")[2],
        str(UUID(hex=session)), str(key.id), str(passkey),
    ]  # fmt: skip
    return me, private


async def test_no_operation_lets_one_person_read_or_change_what_is_anothers(
    house: House, engine: AuctionEngine, store: StateStore, connection: Any
) -> None:
    async with api_client(house, engine, store) as client:
        lot = await an_open_lot(house, engine)
        ana, private = await furnished(house, client, lot, connection)
        assert (await bid(engine, lot, ana, "1.5", "7.125")).accepted
        private.append("7.125")
        before = await things_of(connection, ana)
        assert all(before[table] for table in ("users", "wallets", "sessions", "api_keys", "passkeys", "bids"))
        _, bob = await signed_in(client, "bob")
        client.cookies.clear()
        document = app_of(client).openapi()
        tried = 0
        for method, path, operation in operations(client):
            if "{" not in path:
                continue
            body = a_body(operation, document)
            for place, who in itertools.product(places(path, before, lot), (bob, {})):
                own = {name: value for name, value in place.items() if name in path}
                # a cell of one's own at the lot that is open to everybody is no attack
                address = PARAMETER.sub(lambda found: own[found[1]], path)  # noqa: B023
                answer = await client.request(method, address, json=body, headers=who)
                tried += 1
                assert answer.status_code < 500 or answer.status_code == 503, (method, address, answer.text)
                if path.startswith(f"{API}/me/"):
                    assert answer.status_code >= 400, (method, address, answer.text)
                for word in private:
                    said = answer.text.replace(address, "")
                    assert word not in said or word in address, (method, address, word)
        assert tried > 40
        after = await things_of(connection, ana)
        assert after.keys() == before.keys()
        for table, rows in before.items():
            assert after[table] == rows, table


async def test_no_operation_of_the_staff_or_of_oneself_takes_a_stranger_or_a_bidder(
    house: House, client: httpx.AsyncClient
) -> None:
    from fastapi.routing import APIRoute, iter_route_contexts

    _, bob = await signed_in(client, "bob")
    client.cookies.clear()
    checked = 0
    for context in iter_route_contexts(app_of(client).routes):
        if not isinstance(context.original_route, APIRoute):
            continue
        needs = [access.ROLES[one.call] for one in context.dependant.dependencies if one.call in access.ROLES]
        if not needs:
            continue
        address = PARAMETER.sub(str(ids.new_id()), context.path_format or "")
        for method in context.methods or ():
            stranger = await client.request(method, address)
            assert stranger.status_code in (401, 422), (method, address, stranger.text)
            if access.RANKS[max(needs, key=access.RANKS.__getitem__)] > access.RANKS[Role.BIDDER]:
                answer = await client.request(method, address, headers=bob)
                assert answer.status_code in (403, 422), (method, address, answer.text)
            checked += 1
    assert checked > 20


async def test_a_session_that_was_planted_is_not_the_one_that_is_signed_in(client: httpx.AsyncClient) -> None:
    _, mallory = await signed_in(client, "mallory")
    planted = mallory["authorization"].removeprefix("Bearer ")
    client.cookies.clear()
    cookie = {"cookie": f"sothebais_session={planted}", "sec-fetch-site": "same-origin"}
    answer = await client.post(f"{API}/auth/siwe", json=await a_proof(client, EthereumWallet()), headers=cookie)
    assert answer.status_code == 201, answer.text
    token = answer.json()["token"]
    assert token != planted
    assert f"sothebais_session={token}" in answer.headers["set-cookie"]
    client.cookies.clear()
    # what the browser brought along is over
    assert (await client.get(f"{API}/me", headers=mallory)).status_code == 401
    made_up = await client.get(f"{API}/me", headers={"cookie": "sothebais_session=chosen-by-mallory"})
    assert made_up.status_code == 401


async def test_another_site_changes_nothing_with_this_browsers_cookie(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    async with api_client(house, engine, store) as client:
        await another_site_tries_everything(client)


async def another_site_tries_everything(client: httpx.AsyncClient) -> None:
    await client.post(f"{API}/auth/sandbox", json={"handle": "ana"})
    session = client.cookies["sothebais_session"]
    client.cookies.clear()
    cookie = {"cookie": f"sothebais_session={session}"}
    assert (await client.get(f"{API}/me", headers=cookie)).status_code == 200
    foreign: list[dict[str, str]] = [
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "http://evil.test"},
        {"origin": "null"}, {},
    ]  # fmt: skip
    document = app_of(client).openapi()
    attacked = 0
    for method, path, operation in operations(client):
        if method == "get" or path.startswith(f"{API}/auth/"):
            continue
        address = PARAMETER.sub(str(ids.new_id()), path)
        for headers in foreign:
            body = a_body(operation, document)
            answer = await client.request(method, address, headers=cookie | headers, json=body)
            assert answer.status_code in (401, 403, 422), (method, address, headers, answer.text)
            attacked += 1
    assert attacked > 40
    assert (await client.get(f"{API}/me", headers=cookie)).status_code == 200
    own = await client.patch(f"{API}/me", json={"name": "Ana"}, headers=cookie | {"origin": "http://house.test"})
    assert own.status_code == 200
    # signing a browser in as somebody else is an attack too
    for path, body in (("sandbox", {"handle": "mallory"}), ("login", {"login": EMAIL, "password": PASSWORD})):
        for headers in foreign[:4]:
            answer = await client.post(f"{API}/auth/{path}", json=body, headers=headers)
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers


async def test_a_wallets_message_is_worth_nothing_twice_elsewhere_or_later(client: httpx.AsyncClient) -> None:
    wallet = EthereumWallet()
    proof = await a_proof(client, wallet)
    assert (await client.post(f"{API}/auth/siwe", json=proof)).status_code == 201
    client.cookies.clear()
    replay = await client.post(f"{API}/auth/siwe", json=proof)
    assert (replay.status_code, replay.json()["code"]) == (401, "PROOF_REFUSED")
    # a page in between cannot have the house believe its own name, whatever Host it sends
    phished = await a_proof(client, wallet, domain="evil.test", uri="http://evil.test")
    for headers in ({}, {"host": "evil.test"}, {"host": "house.test", "x-forwarded-host": "evil.test"}):
        answer = await client.post(f"{API}/auth/siwe", json=phished, headers=headers)
        assert answer.status_code == 401
    late = await a_proof(client, wallet, expiration_time="2021-10-01T00:00:00Z")
    assert "expired" in (await client.post(f"{API}/auth/siwe", json=late)).json()["detail"]
    old = await a_proof(client, wallet, issued_at="2021-10-01T00:00:00Z", expiration_time=None)
    assert "issued more than" in (await client.post(f"{API}/auth/siwe", json=old)).json()["detail"]


async def test_an_account_that_is_there_answers_like_one_that_is_not(
    house: House, client: httpx.AsyncClient, maria: Enrolment, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = app_of(client).state.parts.people.staff._passwords
    work: list[str] = []
    checked = passwords._is

    def counted(kept: str, password: str) -> bool:
        work.append(kept[:30])
        return bool(checked(kept, password))

    monkeypatch.setattr(passwords, "_is", counted)
    for _ in range(PAIR.free + 2):
        answers = [
            await client.post(f"{API}/auth/login", json={"login": login, "password": "wrong wrong wrong"})
            for login in (EMAIL, "nobody@house.test")
        ]
        # but for the seconds left to wait, which run
        known, unknown = (re.sub(r"[0-9.]+", "0", answer.text) for answer in answers)
        assert known == unknown
    assert answers[0].status_code == 429
    # the same hash, of the same cost, is computed for both
    assert len(work) % 2 == 0
    assert len(work) >= 2 * PAIR.free
    assert len({line.rpartition("$")[0] for line in work}) == 1


async def test_guessing_is_slowed_down_more_and_more_and_keeps_nobody_out_for_long(
    house: House, maria: Enrolment, connection: Any
) -> None:
    staff = house.people().staff
    waits = []
    for _ in range(PAIR.free + 5):
        with pytest.raises(Unauthenticated):
            await staff.login(EMAIL, "wrong wrong wrong", "192.0.2.1")
        wait = await connection.fetchval(
            "select extract(epoch from max(blocked_until - last_at))::int from sign_in_failures"
        )
        waits.append(wait or 0)
        if wait:
            # the right password does not help while the wait lasts
            with pytest.raises(RateLimited) as refused:
                await staff.login(EMAIL, PASSWORD, "192.0.2.1")
            assert 0 < refused.value.fields["retry_after"] <= wait
        await connection.execute("update sign_in_failures set blocked_until = null")
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16]
    assert [PAIR.wait_s(PAIR.free + more) for more in (10, 11, 500)] == [512, 900, 900]
    assert ACCOUNT.wait_s(10_000) <= 60
    # the owner, from elsewhere, comes in meanwhile
    assert (await staff.login(EMAIL, PASSWORD, "198.51.100.7")).methods
    # one address that tries many accounts is slowed down for all of them
    for number in range(31):
        await staff._throttle.failed(f"guess{number}@house.test", "203.0.113.9")
    with pytest.raises(RateLimited):
        await staff.login("fresh@house.test", PASSWORD, "203.0.113.9")
    kept = str(await connection.fetch("select * from sign_in_failures"))
    assert "203.0.113.9" not in kept
    # failures of long ago are forgotten
    await connection.execute("update sign_in_failures set last_at = now() - interval '2 hours', blocked_until = null")
    with pytest.raises(Unauthenticated):
        await staff.login(EMAIL, "wrong wrong wrong", "192.0.2.1")
    assert (
        await connection.fetchval(
            "select max(failures) from sign_in_failures where last_at > now() - interval '1 minute'"
        )
        == 1
    )


async def test_a_body_that_is_too_long_is_not_read(house: House, client: httpx.AsyncClient) -> None:
    most = house.settings.body_bytes_max
    _, bob = await signed_in(client, "bob")
    client.cookies.clear()

    async def chunks(size: int) -> AsyncIterator[bytes]:
        for at in range(0, size, 16_384):
            yield b"x" * min(16_384, size - at)

    for kind in (
        "application/json",
        "text/plain",
        "image/png",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
    ):
        headers = bob | {"content-type": kind}
        announced = await client.post(f"{API}/auth/siwe", content=b"x" * (most + 1), headers=headers)
        assert announced.status_code == 413, kind
        assert announced.json()["code"] == "TOO_LARGE"
        streamed = await client.post(
            f"{API}/auth/siwe", content=chunks(most + 1), headers=headers | {"transfer-encoding": "chunked"}
        )
        assert streamed.status_code == 413, kind
    at_the_bound = await client.post(
        f"{API}/auth/siwe", content=b"x" * most, headers={"content-type": "application/json"}
    )
    assert at_the_bound.status_code == 422
    lied = await client.post(f"{API}/auth/siwe", content=b"{}", headers={"content-length": "a lot"})
    assert lied.status_code in (400, 413)


async def test_what_a_request_says_makes_no_header_of_the_answer(client: httpx.AsyncClient) -> None:
    for value in ("a\r\nset-cookie: x=1", "a\nb", "<script>", "x" * 65, "ü"):
        try:
            answer = await client.get("/healthz", headers={"x-request-id": value.encode("latin-1")})
        except httpx.LocalProtocolError:
            continue
        assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])
        assert "set-cookie" not in answer.headers
    kept = await client.get("/healthz", headers={"x-request-id": "abc-123"})
    assert kept.headers["x-request-id"] == "abc-123"
    answer = await client.get(
        f"{API}/auth/x/callback", params={"state": "a\r\nlocation: http://evil.test", "code": "b"}
    )
    assert answer.status_code in (401, 404, 422)
    assert "location" not in answer.headers
    nonce = await a_nonce(client)
    assert re.fullmatch(r"[0-9a-f]{48}", nonce)
    odd = await client.post(f"{API}/auth/nonce", headers={"host": "evil.test"})
    assert odd.json()["uri"] == "http://house.test"


async def test_every_answer_has_the_headers_that_protect_its_reader(
    house: House, store: StateStore, client: httpx.AsyncClient
) -> None:
    paths = (
        "/healthz",
        "/metrics",
        "/nowhere",
        "/api/docs",
        "/api/docs.css",
        "/api/openapi.json",
        f"{API}/me",
        f"{API}/auctions",
    )
    for path in paths:
        answer = await client.get(path)
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]
        assert "strict-transport-security" not in headers
        assert "server" not in headers
        assert len(headers.get_list("content-security-policy")) == 1
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["font-src"] == policy["form-action"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["connect-src"].split()[0] == "'self'"
        assert "unsafe" not in headers["content-security-policy"]
        assert "*" not in headers["content-security-policy"]
    too_long = await client.post(f"{API}/auth/siwe", content=b"x" * (house.settings.body_bytes_max + 1))
    assert "content-security-policy" in too_long.headers
    house.settings = house.settings.model_copy(update={"public_url": "https://house.test"})
    async with api_client(house, None, store) as secure:
        answer = await secure.post(f"{API}/auth/sandbox", json={"handle": "ana"})
        assert "max-age=63072000" in answer.headers["strict-transport-security"]
        assert "Secure" in answer.headers["set-cookie"]
        assert "HttpOnly" in answer.headers["set-cookie"]
    live = Settings(live_url="wss://live.house.test/api/v1/live", public_url="https://house.test")
    assert "connect-src 'self' wss://house.test wss://live.house.test;" in content_security_policy(live)
    shown = content_security_policy(Settings(stream_url="https://stream.house.test/api/v1/stream"))
    assert "img-src 'self' https://stream.house.test data:;" in shown
    assert "media-src 'self' https://stream.house.test blob:;" in shown
    assert "https://stream.house.test wss://stream.house.test;" in shown


async def test_the_page_of_the_api_brings_nothing_from_elsewhere_and_runs_nothing(client: httpx.AsyncClient) -> None:
    page = (await client.get("/api/docs")).text
    assert "POST /api/v1/auth/siwe" in page
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!/api/)', page)
    assert (await client.get("/api/docs.css")).headers["content-type"].startswith("text/css")
