"""Signing in by X, against a server that speaks X's payloads: consent, denial, other browsers, replays, outages."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.fakes.house import api_client
from tests.fakes.sign_ins import API, EthereumWallet, FakeX, a_proof, an_x, bearer

from sothebais.bootstrap import House
from sothebais.config import Settings
from sothebais.users.api_keys import Scope
from sothebais.users.tables import Role

START, CALLBACK = f"{API}/auth/x/start", f"{API}/auth/x/callback"


@pytest.fixture
def x() -> Iterator[FakeX]:
    with an_x() as made:
        yield made


@pytest.fixture
def settings(settings: Settings, x: FakeX) -> Settings:
    return settings.model_copy(update={"public_url": "http://house.test", **x.settings()})


@pytest.fixture
async def client(house: House, store: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with api_client(house, None, store) as made:
        yield made


async def begin(client: httpx.AsyncClient, **query: Any) -> str:
    answer = await client.get(START, params=query)
    assert answer.status_code == 302, answer.text
    assert "HttpOnly" in answer.headers["set-cookie"]
    return answer.headers["location"]


def refused(answer: httpx.Response, status: int, word: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert word in answer.json()["detail"], answer.json()
    assert "sothebais_session" not in answer.headers.get("set-cookie", "")


async def test_a_person_is_known_by_the_platforms_id_whatever_the_handle(client: httpx.AsyncClient, x: FakeX) -> None:
    first = await client.get(CALLBACK, params=x.consent(await begin(client)))
    assert first.status_code == 200, first.text
    assert set(first.json()) == {"token", "user"}
    assert first.json()["user"]["handle"] == "ana_b"
    assert "sothebais_session=" in first.headers["set-cookie"]
    x.person["username"] = "ana_renamed"
    x.users_failures = 1  # one hiccup is borne
    page = await client.get(CALLBACK, params=x.consent(await begin(client)), headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/")
    me = (await client.get(f"{API}/me")).json()
    assert me["id"] == first.json()["user"]["id"]
    assert [(one["platform"], one["handle"]) for one in me["accounts"]] == [("x", "ana_renamed")]
    # somebody else who took the old handle is somebody else
    x.person = {"id": "17", "name": "Not Ana", "username": "ana_b"}
    other = await client.get(CALLBACK, params=x.consent(await begin(client)))
    assert other.json()["user"]["id"] != me["id"]


async def test_a_refusal_a_wrong_state_and_a_replay_are_refused_in_plain_words(
    client: httpx.AsyncClient, x: FakeX
) -> None:
    given = x.consent(await begin(client))
    refused(await client.get(CALLBACK, params={"state": given["state"], "error": "access_denied"}), 401, "consent")
    refused(await client.get(CALLBACK, params=given), 401, "finished already")
    given = x.consent(await begin(client))
    refused(await client.get(CALLBACK, params=given | {"state": "another"}), 401, "not begun here")
    assert (await client.get(CALLBACK, params=given)).status_code == 200
    refused(await client.get(CALLBACK, params=given), 401, "finished already")
    given = x.consent(await begin(client))
    refused(await client.get(CALLBACK, params=given | {"code": "made-up"}), 401, "X refused")
    assert (await client.get(CALLBACK)).status_code == 422


async def test_the_browser_that_began_is_the_one_that_comes_back(client: httpx.AsyncClient, x: FakeX) -> None:
    given = x.consent(await begin(client))
    client.cookies.clear()
    refused(await client.get(CALLBACK, params=given), 401, "another browser")
    given = x.consent(await begin(client))
    await begin(client)  # this browser began again: its cookie is of the second time
    refused(await client.get(CALLBACK, params=given), 401, "another browser")


async def test_an_x_that_does_not_answer_is_said_to_be_so(client: httpx.AsyncClient, x: FakeX) -> None:
    given = x.consent(await begin(client))
    x.token_status = 503
    refused(await client.get(CALLBACK, params=given), 503, "X does not answer")
    x.token_status = 200
    x.users_failures = 5
    refused(await client.get(CALLBACK, params=x.consent(await begin(client))), 503, "X does not answer")
    x.users_failures = 0
    x.person = {"id": "not-a-number", "username": "ana"}
    refused(await client.get(CALLBACK, params=x.consent(await begin(client))), 503, "X does not answer")


async def test_the_verifier_is_sealed_in_the_database(client: httpx.AsyncClient, x: FakeX, connection: Any) -> None:
    location = await begin(client)
    state = httpx.URL(location).params["state"]
    rows = str([dict(row) for row in await connection.fetch("select * from nonces")])
    assert state not in rows
    assert str(client.cookies.get("sothebais_x")) not in rows
    assert x.consent(location)["code"]


async def test_an_account_is_linked_to_who_is_signed_in_and_belongs_to_one_user(
    client: httpx.AsyncClient, x: FakeX
) -> None:
    refused(await client.get(START, params={"link": True}), 401, "Sign in")
    wallet = EthereumWallet()
    token = (await client.post(f"{API}/auth/siwe", json=await a_proof(client, wallet))).json()
    linked = await client.get(CALLBACK, params=x.consent(await begin(client, link=True)))
    assert linked.json()["user"]["id"] == token["user"]["id"]
    me = (await client.get(f"{API}/me")).json()
    assert len(me["accounts"]) == len(me["wallets"]) == 1
    client.cookies.clear()
    await client.post(f"{API}/auth/siwe", json=await a_proof(client, EthereumWallet()))
    refused(await client.get(CALLBACK, params=x.consent(await begin(client, link=True))), 409, "another user")
    # either may go as long as one is left
    client.cookies.clear()
    mine = bearer(linked.json()["token"])
    account = f"{API}/me/accounts/{me['accounts'][0]['id']}"
    assert (await client.delete(f"{API}/me/wallets/{me['wallets'][0]['id']}", headers=mine)).status_code == 204
    refused(await client.delete(account, headers=mine), 409, "last way")
    assert (await client.post(f"{API}/me/wallets", json=await a_proof(client, wallet), headers=mine)).status_code == 201
    assert (await client.delete(account, headers=mine)).status_code == 204
    assert (await client.delete(account, headers=mine)).status_code == 404


async def test_an_account_is_linked_by_a_person_who_has_just_signed_in_and_by_no_program(
    house: House, client: httpx.AsyncClient, connection: Any, x: FakeX
) -> None:
    """A key that only reads must not become a way to sign in as its owner, nor a session that was left open."""
    token = (await client.post(f"{API}/auth/siwe", json=await a_proof(client, EthereumWallet()))).json()
    user = UUID(token["user"]["id"])
    _, key = await house.people().api_keys.create(
        user, "robot", [Scope.READ, Scope.BID, Scope.OPERATE], days=1, actor=user, role=Role.ADMIN
    )
    client.cookies.clear()
    refused(await client.get(START, params={"link": True}, headers=bearer(key)), 403, "API key")
    await connection.execute("update sessions set created_at = created_at - interval '16 minutes'")
    refused(await client.get(START, params={"link": True}, headers=bearer(token["token"])), 403, "fresh sign-in")
    assert await connection.fetchval("select count(*) from nonces where purpose = 'X'") == 0


async def test_another_site_cannot_begin_a_sign_in_here(client: httpx.AsyncClient) -> None:
    refused(await client.get(START, headers={"sec-fetch-site": "cross-site"}), 403, "another site")


async def test_without_a_client_x_is_off(house: House, store: Any) -> None:
    house.settings = house.settings.model_copy(update={"x_client_id": None})
    async with api_client(house, None, store) as client:
        refused(await client.get(START), 404, "X_CLIENT_ID")
