"""Signing in with wallets, over HTTP: accounts, contracts on a real EVM, Solana; linking and unlinking."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.fakes.house import api_client, signed_in, whole_log
from tests.fakes.sign_ins import (
    API,
    ContractWallet,
    EthereumWallet,
    Evm,
    SolanaWallet,
    a_nonce,
    a_proof,
    an_evm,
    bearer,
    iso,
)

from sothebais.bootstrap import House
from sothebais.config import Settings
from sothebais.users import contract_wallets, nonces
from sothebais.users.nonces import Purpose


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"public_url": "http://house.test"})


@pytest.fixture
async def client(house: House, store: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with api_client(house, None, store) as made:
        yield made


@pytest.fixture(scope="module")
def evm() -> Any:
    with an_evm() as made:
        yield made


@pytest.fixture
async def asking(house: House, store: Any, evm: Evm) -> AsyncIterator[httpx.AsyncClient]:
    """A house that knows a node of that chain."""
    evm.chain_id, evm.failures = 1, 0
    evm.asked.clear()
    from pydantic import SecretStr

    house.settings = house.settings.model_copy(update={"ethereum_rpc_url": SecretStr(evm.url)})
    async with api_client(house, None, store) as made:
        yield made


async def sign_in(client: httpx.AsyncClient, wallet: Any, **changed: Any) -> httpx.Response:
    return await client.post(f"{API}/auth/siwe", json=await a_proof(client, wallet, **changed))


def refused(answer: httpx.Response, status: int, word: str, code: str = "PROOF_REFUSED") -> None:
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] == code
    assert word in answer.json()["detail"], answer.json()["detail"]
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("make", [EthereumWallet, SolanaWallet])
async def test_an_unknown_wallet_makes_a_user_who_is_known_the_next_time(
    house: House, client: httpx.AsyncClient, make: Any
) -> None:
    wallet = make()
    first = await sign_in(client, wallet)
    assert first.status_code == 201, first.text
    assert set(first.json()) == {"token", "user"}
    cookie = first.headers["set-cookie"]
    assert cookie.startswith("sothebais_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie  # the house is not at https here
    client.cookies.clear()
    again = await sign_in(client, wallet, scheme="http", statement=None)
    assert again.json()["user"] == first.json()["user"]
    assert again.json()["token"] != first.json()["token"]
    me = (await client.get(f"{API}/me", headers=bearer(first.json()["token"]))).json()
    assert [(one["chain"], one["address"]) for one in me["wallets"]] == [(wallet.chain.value, wallet.address)]
    linked = [event for event in await whole_log(house.database_url) if event.type == "user:wallet:linked"]
    assert len(linked) == 1
    assert wallet.address not in str(linked)


async def test_two_first_sights_at_once_make_one_user(client: httpx.AsyncClient) -> None:
    wallet = EthereumWallet()
    proofs = [await a_proof(client, wallet) for _ in range(5)]
    answers = await asyncio.gather(*(client.post(f"{API}/auth/siwe", json=proof) for proof in proofs))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["user"]["id"] for answer in answers}) == 1


NOW = datetime.now(UTC)


ELSEWHERE: list[tuple[dict[str, Any], str]] = [
    ({"domain": "evil.test"}, "evil.test"),
    ({"domain": "house.test:8443"}, "house.test:8443"),
    ({"domain": "ana@house.test"}, "ana@house.test"),
    ({"scheme": "https"}, "https"),
    ({"uri": "http://evil.test/house.test"}, "URI"),
    ({"uri": "https://house.test"}, "URI"),
    ({"chain_id": "5"}, "Chain ID"),
    ({"chain_id": "9" * 400}, "Chain ID"),
    ({"issued_at": "2021-09-30T16:25:24Z"}, "issued more than"),
    ({"issued_at": iso(NOW + timedelta(hours=1))}, "future"),
    ({"expiration_time": iso(NOW - timedelta(seconds=1))}, "expired"),
    ({"not_before": iso(NOW + timedelta(hours=1))}, "not valid yet"),
    ({"nonce": "a" * 48}, "nonce"),
]


async def test_a_message_for_another_place_or_time_is_refused(client: httpx.AsyncClient, connection: Any) -> None:
    for changed, word in ELSEWHERE:
        refused(await sign_in(client, EthereumWallet(), **changed), 401, word)
    assert await connection.fetchval("select count(*) from users") == 0


async def test_a_signature_of_somebody_else_is_refused_and_uses_up_the_nonce(client: httpx.AsyncClient) -> None:
    ana, bob = EthereumWallet(), EthereumWallet()
    proof = await a_proof(client, ana)
    refused(
        await client.post(f"{API}/auth/siwe", json=proof | {"signature": bob.sign(proof["message"])}), 401, "signature"
    )
    refused(await client.post(f"{API}/auth/siwe", json=proof), 401, "nonce")
    lower = EthereumWallet()
    lower.address = lower.address.lower()
    refused(await sign_in(client, lower), 401, "EIP-55")
    refused(await client.post(f"{API}/auth/siwe", json=await a_proof(client, ana) | {"signature": "x"}), 401, "hex")
    refused(
        await client.post(f"{API}/auth/siwe", json={"message": "hello", "signature": "0x00"}),
        422,
        "EIP-4361",
        "INVALID_INPUT",
    )


async def test_a_nonce_is_good_once_for_its_purpose_and_its_time(
    house: House, client: httpx.AsyncClient, connection: Any
) -> None:
    people = house.people()
    proof = await a_proof(client, EthereumWallet())
    answers = await asyncio.gather(*(client.post(f"{API}/auth/siwe", json=proof) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401, 401]
    other = await people.nonces.issue(Purpose.X)
    refused(await sign_in(client, EthereumWallet(), nonce=other.value), 401, "nonce")
    late = await a_nonce(client)
    await connection.execute("update nonces set expires_at = now() - interval '2 hours'")
    refused(await sign_in(client, EthereumWallet(), nonce=late), 401, "nonce")
    # what is over is swept away as new ones come
    await a_nonce(client)
    assert await connection.fetchval("select count(*) from nonces") <= 2
    # a nonce stands hashed: who reads the table learns none
    fresh = await a_nonce(client)
    assert await connection.fetchval("select count(*) from nonces where value = $1", fresh) == 0


async def test_begun_sign_ins_are_limited_by_address(client: httpx.AsyncClient) -> None:
    answers = [await client.post(f"{API}/auth/nonce") for _ in range(40)]
    assert {answer.status_code for answer in answers} == {201, 429}
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert nonces.SWEPT_AT_ONCE_MAX >= 1


async def test_a_house_that_does_not_know_its_address_signs_in_nobody_but_on_this_machine(
    house: House, store: Any
) -> None:
    house.settings = house.settings.model_copy(update={"public_url": None})
    async with api_client(house, None, store) as client:
        answer = await client.post(f"{API}/auth/nonce")
        assert answer.status_code == 503
        assert "SOTHEBAIS_PUBLIC_URL" in answer.json()["detail"]
        local = await client.post(f"{API}/auth/nonce", headers={"host": "127.0.0.1:8000"})
        assert local.json()["domain"] == "127.0.0.1:8000"


async def test_a_contract_wallet_signs_in_by_asking_the_contract(asking: httpx.AsyncClient, evm: Evm) -> None:
    wallet = ContractWallet(evm)
    answer = await sign_in(asking, wallet)
    assert answer.status_code == 201, answer.text
    mine = (await asking.get(f"{API}/me/wallets")).json()["items"]
    assert [(one["address"], one["method"]) for one in mine] == [(wallet.address, "ERC1271")]
    assert evm.asked == ["eth_chainId", "eth_call"]
    stranger = EthereumWallet()
    proof = await a_proof(asking, wallet)
    refused(
        await asking.post(f"{API}/auth/siwe", json=proof | {"signature": stranger.sign(proof["message"])}),
        401,
        "as an account or as a contract",
    )
    # an account without code cannot say yes
    proof = await a_proof(asking, stranger)
    refused(
        await asking.post(f"{API}/auth/siwe", json=proof | {"signature": wallet.sign(proof["message"])}),
        401,
        "contract",
    )


async def test_a_contract_wallet_needs_a_node_that_answers_and_speaks_of_the_right_chain(
    client: httpx.AsyncClient, asking: httpx.AsyncClient, evm: Evm
) -> None:
    wallet = ContractWallet(evm)
    refused(await sign_in(client, wallet), 401, "SOTHEBAIS_ETHEREUM_RPC_URL is not set")
    evm.failures = 1  # one hiccup is borne
    assert (await sign_in(asking, wallet)).status_code == 201
    evm.failures = contract_wallets.TRIES
    refused(await sign_in(asking, wallet), 503, "does not answer", "UNAVAILABLE")
    evm.chain_id = 5
    refused(await sign_in(asking, wallet), 503, "another chain", "UNAVAILABLE")


async def test_a_wallet_belongs_to_one_user_and_the_last_way_in_stays(house: House, client: httpx.AsyncClient) -> None:
    ana, wallet, other = EthereumWallet(), SolanaWallet(), EthereumWallet()
    token = (await sign_in(client, ana)).json()["token"]
    client.cookies.clear()
    mine = bearer(token)
    linked = await client.post(f"{API}/me/wallets", json=await a_proof(client, wallet), headers=mine)
    assert linked.status_code == 201, linked.text
    again = await client.post(f"{API}/me/wallets", json=await a_proof(client, wallet), headers=mine)
    assert again.json() == linked.json()
    # either wallet is the same person now
    assert (await sign_in(client, wallet)).json()["user"] == (await sign_in(client, ana)).json()["user"]
    client.cookies.clear()
    _, bob = await signed_in(client, "bob")
    client.cookies.clear()
    refused(
        await client.post(f"{API}/me/wallets", json=await a_proof(client, wallet), headers=bob),
        409,
        "another user",
        "CONFLICT",
    )
    assert (await client.post(f"{API}/me/wallets", json=await a_proof(client, other), headers=bob)).status_code == 201
    address = f"{API}/me/wallets/{linked.json()['id']}"
    assert (await client.get(address, headers=mine)).json()["chain"] == "solana"
    assert (await client.get(address, headers=bob)).status_code == 404
    assert (await client.delete(address, headers=bob)).status_code == 404
    assert (await client.delete(address, headers=mine)).status_code == 204
    assert (await client.get(address, headers=mine)).status_code == 404
    (last,) = (await client.get(f"{API}/me/wallets", headers=mine)).json()["items"]
    refused(await client.delete(f"{API}/me/wallets/{last['id']}", headers=mine), 409, "last way", "CONFLICT")
    assert len((await client.get(f"{API}/me/wallets", headers=mine)).json()["items"]) == 1
    events = [event for event in await whole_log(house.database_url) if event.type == "user:wallet:linked"]
    assert [json.loads(event.data)["linked"] for event in events] == [True, True, True, False]
