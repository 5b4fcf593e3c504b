"""Sessions, profiles, privacy and API keys, over HTTP."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from tests.fakes.house import (
    a_user,
    advance,
    an_open_lot,
    api_client,
    bid,
    signed_in,
    status_of,
    whole_log,
)
from tests.fakes.sign_ins import API, EthereumWallet, a_proof, bearer

from sothebais import ids
from sothebais.api import privacy
from sothebais.api.parts import ApiParts
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.tables import Settlement
from sothebais.bootstrap import House
from sothebais.config import Settings
from sothebais.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from sothebais.state import keys
from sothebais.state.models import SessionState
from sothebais.state.store import StateStore
from sothebais.users import api_keys as api_keys_module
from sothebais.users.service import SessionService
from sothebais.users.tables import Role


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"public_url": "http://house.test"})


@pytest.fixture
async def client(house: House, store: StateStore) -> AsyncIterator[httpx.AsyncClient]:
    async with api_client(house, None, store) as made:
        yield made


async def alone(client: httpx.AsyncClient, handle: str) -> tuple[UUID, dict[str, str]]:
    """Signed in by token only: this client keeps no cookie."""
    found = await signed_in(client, handle)
    client.cookies.clear()
    return found


def session_id(headers: dict[str, str]) -> UUID:
    return UUID(hex=headers["authorization"].removeprefix("Bearer ").partition(".")[0])


async def test_a_session_is_listed_ended_and_dead_in_every_process_at_once(
    house: House, store: StateStore, client: httpx.AsyncClient
) -> None:
    ana, first = await alone(client, "ana")
    _, second = await alone(client, "ana")
    _, bob = await alone(client, "bob")
    elsewhere = house.people(store).sessions
    token = second["authorization"].removeprefix("Bearer ")
    for headers in (first, second):
        assert (await elsewhere.authenticate(headers["authorization"].removeprefix("Bearer "))).user == ana
    listed = (await client.get(f"{API}/me/sessions", headers=first)).json()["items"]
    assert {one["id"] for one in listed} == {str(session_id(first)), str(session_id(second))}
    assert [one["id"] for one in listed if one["current"]] == [str(session_id(first))]
    address = f"{API}/me/sessions/{session_id(second)}"
    assert (await client.delete(address, headers=bob)).status_code == 404
    assert (await client.delete(address, headers=first)).status_code == 204
    assert (await client.get(f"{API}/me", headers=second)).status_code == 401
    with pytest.raises(Unauthenticated):
        await elsewhere.authenticate(token)
    # somebody who read PostgreSQL before does not bring it back to Redis
    stale = SessionState.model_validate_json(await store.get(keys.session(session_id(first))) or b"").model_copy(
        update={"id": session_id(second)}
    )
    await elsewhere._cache.put(stale)  # type: ignore[union-attr]
    with pytest.raises(Unauthenticated):
        await elsewhere.authenticate(token)
    assert (await client.delete(address, headers=first)).status_code == 404
    assert (await client.get(f"{API}/me", headers=first)).status_code == 200


async def test_signing_out_ends_the_session_and_takes_the_cookie(client: httpx.AsyncClient) -> None:
    mine = bearer((await client.post(f"{API}/auth/sandbox", json={"handle": "ana"})).json()["token"])
    assert (await client.get(f"{API}/me")).status_code == 200  # by the cookie alone
    answer = await client.post(f"{API}/auth/logout", headers={"sec-fetch-site": "same-origin"})
    assert answer.status_code == 204
    assert 'sothebais_session=""' in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert (await client.get(f"{API}/me", headers=mine)).status_code == 401
    assert (await client.post(f"{API}/auth/logout")).status_code == 401


async def test_sessions_end_by_themselves_and_work_without_redis(
    house: House, connection: Any, client: httpx.AsyncClient
) -> None:
    deaf = StateStore("redis://127.0.0.1:1/0")
    sessions = SessionService(house.engine, idle_s=600, absolute_s=3600, store=deaf, clock=house.clock)
    identity, token = await sessions.sign_in_sandbox("ana", user_agent="x" * 500)
    assert (await sessions.authenticate(token)).user == identity.user
    await connection.execute("update sessions set last_seen_at = now() - interval '599 s'")
    assert await sessions.authenticate(token)
    seen = await connection.fetchval("select now() - last_seen_at from sessions")
    assert seen < timedelta(seconds=30)  # it was used, so its idle time begins again
    await connection.execute("update sessions set last_seen_at = now() - interval '601 s'")
    with pytest.raises(Unauthenticated):
        await sessions.authenticate(token)
    await connection.execute(
        "update sessions set last_seen_at = now(), expires_at = now(), created_at = now() - interval '1 s'"
    )
    with pytest.raises(Unauthenticated):
        await sessions.authenticate(token)
    _, other = await sessions.sign_in_sandbox("ana")
    assert await sessions.revoke_all(identity.user)
    with pytest.raises(Unauthenticated):
        await sessions.authenticate(other)
    for text in ("", ".", "x" * 200, f"{'0' * 32}.x", token.replace(".", ""), token + "x", f"{'ü' * 32}.x"):
        with pytest.raises(Unauthenticated):
            await sessions.authenticate(text)
    await deaf.close()


async def test_a_name_an_address_and_a_picture_are_changed_by_rules(house: House, client: httpx.AsyncClient) -> None:
    _, mine = await alone(client, "ana")

    async def change(**fields: Any) -> httpx.Response:
        return await client.patch(f"{API}/me", json=fields, headers=mine)

    good = await change(name="  Ana  B. ", email="ana@mail.example", avatar="https://pictures.example/a.png?x=1")
    assert good.status_code == 200, good.text
    assert (good.json()["name"], good.json()["email"]) == ("Ana  B.", "ana@mail.example")
    for fields in (
        {"name": ""}, {"name": " "}, {"name": "a" * 81}, {"name": None}, {"name": "a\u202eb"}, {"name": "a\u200bb"},
        {"name": "a\nb"}, {"email": "ana"}, {"email": "a@b\r\nbcc: c@d"}, {"email": f"{'a' * 65}@b.c"},
        {"avatar": "http://pictures.example/a.png"}, {"avatar": "javascript:alert(1)"}, {"avatar": "https://u:p@x.example/"},
        {"avatar": "https://127.0.0.1/a.png"}, {"avatar": "https://localhost/a"}, {"avatar": "https://x.example:8443/a"},
        {"avatar": "https://x.example/" + "a" * 2_048}, {"avatar": "https://[::1]/a"}, {"avatar": "https://[/"},
        {"role": "ADMIN"}, {"blocked": False},
    ):  # fmt: skip
        answer = await change(**fields)
        assert answer.status_code == 422, fields
    assert (await client.get(f"{API}/me", headers=mine)).json() == good.json()
    assert (await change(email=None)).json()["email"] is None
    events = [event for event in await whole_log(house.database_url) if event.type == "user:action"]
    assert [json.loads(event.data)["changed"] for event in events] == [["name", "email", "avatar"], ["email"]]
    assert "mail.example" not in str([event.data for event in events])
    # the same address is nobody's: it proves nothing, so it tells nothing of others either
    _, bob = await alone(client, "bob")
    same = await client.patch(f"{API}/me", json={"email": "ana@mail.example"}, headers=bob)
    assert same.status_code == 200
    assert (await client.get(f"{API}/me")).status_code == 401


async def test_every_table_of_people_is_told_or_kept_back_for_a_reason() -> None:
    names = {table.name for table in privacy.personal_tables()}
    assert {"wallets", "bids", "sessions", "passkeys", "api_keys", "posts", "chat_messages", "notifications"} <= names
    assert names >= privacy.UNTOLD - {"sign_in_failures"}
    assert set(privacy.BLANKED) <= names


async def test_an_export_has_everything_personal_and_no_secret(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    async with api_client(house, engine, store) as client:
        wallet = EthereumWallet()
        token = (await client.post(f"{API}/auth/siwe", json=await a_proof(client, wallet))).json()["token"]
        mine = bearer(token)
        me = UUID((await client.get(f"{API}/me", headers=mine)).json()["id"])
        await client.patch(f"{API}/me", json={"email": "ana@mail.example"}, headers=mine)
        lot = await an_open_lot(house, engine)
        assert (await bid(engine, lot, me, "1.5", "7.125")).accepted
        answer = await client.get(f"{API}/me/export", headers=mine)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["user"]["email"] == "ana@mail.example"
    assert [row["address"] for row in body["tables"]["wallets"]] == [wallet.address]
    assert [row["amount"] for row in body["tables"]["bids"]] == ["1.500000000000000000"]
    assert "7.125" not in answer.text
    assert token.partition(".")[2] not in answer.text
    names = {name for rows in body["tables"].values() for row in rows for name in row} | set(body["user"])
    assert not any(word in name for name in names for word in privacy.HIDDEN)


async def test_being_forgotten_leaves_bids_under_a_pseudonym_and_nothing_else(
    house: House, engine: AuctionEngine, store: StateStore, connection: Any
) -> None:
    async with api_client(house, engine, store) as client:
        wallet = EthereumWallet()
        token = (await client.post(f"{API}/auth/siwe", json=await a_proof(client, wallet))).json()["token"]
        client.cookies.clear()
        mine = bearer(token)
        me = UUID((await client.get(f"{API}/me", headers=mine)).json()["id"])
        await client.patch(f"{API}/me", json={"name": "Ana Bella", "email": "ana@mail.example"}, headers=mine)
        lot, bob = await an_open_lot(house, engine), await a_user(house, "bob")
        placed = await bid(engine, lot, me, "1.5")
        assert placed.accepted
        refused = await client.delete(f"{API}/me", headers=mine)
        assert (refused.status_code, refused.json()["reason"]) == (409, "LEADING")
        assert not await connection.fetchval("select blocked from users where id = $1", me)
        assert (await bid(engine, lot, bob, "2")).accepted
        async with house.engine.begin() as pool:
            await pool.execute(
                sa.insert(Settlement).values(
                    id=ids.new_id(), auction_id=lot, bid_id=placed.bid, user_id=me, status="OFFERED", amount=1, total=1,
                    currency="ETH", updated_at=sa.func.now(),
                )
            )  # fmt: skip
        refused = await client.delete(f"{API}/me", headers=mine)
        assert (refused.status_code, refused.json()["reason"]) == (409, "UNPAID")
        await connection.execute("update settlements set status = 'EXPIRED'")
        gone = await client.delete(f"{API}/me", headers=mine)
        assert gone.status_code == 204, gone.text
        assert (await client.get(f"{API}/me", headers=mine)).status_code == 401
        assert not (await bid(engine, lot, me, "3")).accepted
        bids = (await client.get(f"{API}/auctions/{lot}/bids")).json()["items"]
        assert [one["user"]["handle"] for one in bids] == ["bob", privacy.pseudonym(me)]
        # the wallet is free: with it comes somebody new
        again = await client.post(f"{API}/auth/siwe", json=await a_proof(client, wallet))
        assert again.json()["user"]["id"] != str(me)
    for table in privacy.personal_tables():
        rows = await connection.fetch(f"select * from {table.name} where user_id = $1", me)
        assert table.name in ("bids", "settlements") or not rows, table.name
    assert "Ana Bella" not in str([event.data for event in await whole_log(house.database_url)])
    await advance(engine, lot)
    assert await status_of(house, lot) == "ACTIVE"


async def test_the_staff_is_not_forgotten_by_itself(house: House, client: httpx.AsyncClient) -> None:
    await a_user(house, "otto", role=Role.OPERATOR)
    _, otto = await alone(client, "otto")
    assert (await client.delete(f"{API}/me", headers=otto)).status_code == 409


async def test_how_somebody_signs_in_is_changed_only_soon_after_signing_in(
    client: httpx.AsyncClient, connection: Any
) -> None:
    _, mine = await alone(client, "ana")
    await connection.execute("update sessions set created_at = now() - interval '16 minutes'")
    parts: ApiParts = client._transport.app.state.parts  # type: ignore[attr-defined]
    parts.identities.clear()
    answer = await client.delete(f"{API}/me", headers=mine)
    assert answer.status_code == 403
    assert answer.json()["sign_in_again"] is True
    assert (await client.get(f"{API}/me", headers=mine)).status_code == 200


async def test_an_api_key_may_what_its_scopes_say_and_never_more_than_its_owner(
    house: House, engine: AuctionEngine, store: StateStore, connection: Any
) -> None:
    service, ana = house.people().api_keys, await a_user(house, "ana")
    lot = await an_open_lot(house, engine)

    async def key(*scopes: str, user: UUID = ana) -> tuple[UUID, dict[str, str]]:
        info, text = await service.create(user, "a program", scopes, days=1, actor=user, role=Role.BIDDER)
        assert text.startswith("sbk_")
        assert text not in str(info)
        return info.id, bearer(text)

    reader_id, reader = await key("read")
    _, bidder = await key("bid")
    _, operator = await key("read", "operate")
    body = {"currency": "ETH", "amount": "1.5"}
    async with api_client(house, engine, store) as client:
        assert (await client.get(f"{API}/me", headers=reader)).json()["id"] == str(ana)
        assert (await client.get(f"{API}/me", headers=bidder)).status_code == 403
        bids = f"{API}/auctions/{lot}/bids"
        assert (await client.post(bids, json=body, headers=reader)).status_code == 403
        assert (await client.post(bids, json=body, headers=bidder)).status_code == 201
        assert (await client.post(bids, json=body, headers=operator)).status_code == 403
        # a scope gives no role, and no key touches how its owner signs in
        assert (await client.get(f"{API}/me/passkeys", headers=operator)).status_code == 403
        for method, path in (("PATCH", "/me"), ("DELETE", "/me"), ("GET", "/me/sessions"), ("GET", "/me/export")):
            answer = await client.request(
                method, f"{API}{path}", headers=operator, json={} if method == "PATCH" else None
            )
            assert answer.status_code == 403, (method, path)
        assert (await client.post(f"{API}/auth/logout", headers=reader)).status_code == 403
        (listed, *_) = await service.keys_of(ana)
        assert listed.last_used_at is not None
        await service.revoke(reader_id, actor=ana, role=Role.ADMIN, reason="lost")
        again = await service.revoke(reader_id, actor=ana, role=Role.ADMIN)
        assert again.revoked_at is not None
        parts: ApiParts = client._transport.app.state.parts  # type: ignore[attr-defined]
        parts.identities.clear()
        assert (await client.get(f"{API}/me", headers=reader)).status_code == 401
        await connection.execute("update api_keys set expires_at = now()")
        parts.identities.clear()
        assert (await client.post(bids, json=body, headers=bidder)).status_code == 401
    for text in ("sbk_", "sbk_x.y", f"sbk_{'0' * 32}.x", f"sbk_{reader_id.hex}.wrong", "sbk_" + "z" * 32 + ".x"):
        with pytest.raises(Unauthenticated):
            await service.authenticate(text)
    for wrong in ({"scopes": []}, {"scopes": ["all"]}, {"days": 0}, {"days": 367}, {"name": " "}, {"name": "a\x00"}):
        given: dict[str, Any] = {"name": "a", "scopes": ["read"], "days": 1} | wrong
        with pytest.raises(InvalidInput):
            await service.create(ana, given["name"], given["scopes"], days=given["days"], actor=ana, role=Role.ADMIN)
    with pytest.raises(NotFound):
        await service.create(ids.new_id(), "a", ["read"], days=1, actor=ana, role=Role.ADMIN)
    with pytest.raises(NotFound):
        await service.revoke(reader_id, actor=ana, role=Role.ADMIN, owner=ids.new_id())
    bob = await a_user(house, "bob")
    for _ in range(api_keys_module.KEYS_MAX):
        await key("read", user=bob)
    with pytest.raises(Conflict, match="keys already"):
        await key("read", user=bob)
    assert len(await service.keys_of(bob, limit=7)) == 7
