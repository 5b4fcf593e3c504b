"""The staff's sign-in over HTTP: password, second factors, guessing, recovery; and the command line that makes accounts."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
from argon2 import PasswordHasher
from tests.fakes.house import a_user, api_client, whole_log
from tests.fakes.sign_ins import API, Authenticator, EthereumWallet, a_proof, bearer

from sothebais.bootstrap import House
from sothebais.config import Settings
from sothebais.errors import ConfigurationError, Conflict, InvalidInput, NotFound, Overloaded
from sothebais.users import passwords as passwords_module
from sothebais.users.passwords import Passwords
from sothebais.users.secret_box import SecretBox
from sothebais.users.staff import Enrolment
from sothebais.users.tables import Role

EMAIL, PASSWORD = "maria@house.test", "correct horse battery"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"public_url": "http://house.test"})


@pytest.fixture
async def client(house: House, store: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with api_client(house, None, store) as made:
        yield made


@pytest.fixture
async def maria(house: House) -> Enrolment:
    return await house.people().staff.add(EMAIL, Role.ADMIN, PASSWORD, actor=await a_user(house, "house"))


def app_of(enrolment: Enrolment) -> pyotp.TOTP:
    """The authenticator app that has read the enrolment's code."""
    found = pyotp.parse_uri(enrolment.totp_uri)
    assert isinstance(found, pyotp.TOTP)
    return found


async def ticket(client: httpx.AsyncClient, login: str = EMAIL, password: str = PASSWORD) -> str:
    answer = await client.post(f"{API}/auth/login", json={"login": login, "password": password})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["step"] == "SECOND_FACTOR"
    assert "set-cookie" not in answer.headers
    return str(body["ticket"])


async def second(client: httpx.AsyncClient, kind: str, **body: Any) -> httpx.Response:
    return await client.post(f"{API}/auth/login/{kind}", json=body)


async def signed_in_by_totp(client: httpx.AsyncClient, enrolment: Enrolment) -> dict[str, str]:
    answer = await second(client, "totp", ticket=await ticket(client), code=app_of(enrolment).now())
    assert answer.status_code == 201, answer.text
    return bearer(answer.json()["token"])


async def test_a_password_and_a_code_sign_in_and_no_code_does_twice(
    house: House, client: httpx.AsyncClient, maria: Enrolment
) -> None:
    code = app_of(maria).now()
    one = await ticket(client, login=f"  {EMAIL.upper()} ")
    answer = await second(client, "totp", ticket=one, code=code)
    assert answer.status_code == 201, answer.text
    assert answer.json()["user"]["role"] == "ADMIN"
    assert "sothebais_session=" in answer.headers["set-cookie"]
    assert (await client.get(f"{API}/me")).json()["email"] == EMAIL
    client.cookies.clear()
    # the ticket is used up, and so is the code
    assert (await second(client, "totp", ticket=one, code=code)).status_code == 401
    again = await second(client, "totp", ticket=await ticket(client), code=code)
    assert (again.status_code, again.json()["code"]) == (401, "PROOF_REFUSED")
    audit = [
        json.loads(event.data)["action"] for event in await whole_log(house.database_url) if event.type == "user:action"
    ]
    assert audit == ["staff.add", "session.sign_in"]


async def test_by_a_wallet_the_staff_have_no_more_rights_than_anybody(
    house: House, client: httpx.AsyncClient, maria: Enrolment, connection: Any
) -> None:
    """One signature does not stand for a password and a second factor."""
    mine = await signed_in_by_totp(client, maria)
    assert (await client.get(f"{API}/admin/users", headers=mine)).status_code == 200
    wallet = EthereumWallet()
    linked = await client.post(f"{API}/me/wallets", json=await a_proof(client, wallet), headers=mine)
    assert linked.status_code == 201, linked.text
    client.cookies.clear()
    answer = await client.post(f"{API}/auth/siwe", json=await a_proof(client, wallet))
    assert (answer.status_code, answer.json()["user"]["role"]) == (201, "BIDDER")
    by_wallet = bearer(answer.json()["token"])
    client.cookies.clear()
    for attempt in range(2):  # as it was read, and as it is cached
        refused = await client.get(f"{API}/admin/users", headers=by_wallet)
        assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN"), attempt
    assert await connection.fetchval("select role from users where email = $1", EMAIL) == "ADMIN"


async def test_a_code_of_a_clock_one_step_off_is_taken_and_one_of_two_steps_is_not(
    client: httpx.AsyncClient, maria: Enrolment
) -> None:
    app, now = app_of(maria), int(time.time())
    assert (await second(client, "totp", ticket=await ticket(client), code=app.at(now - 90))).status_code == 401
    assert (await second(client, "totp", ticket=await ticket(client), code=app.at(now + 120))).status_code == 401
    early = await second(client, "totp", ticket=await ticket(client), code=app.at(now + 25))
    assert early.status_code == 201
    # what is older than a code that was taken is used up with it
    assert (await second(client, "totp", ticket=await ticket(client), code=app.at(now - 25))).status_code == 401


async def test_the_same_code_at_the_same_time_signs_in_once(client: httpx.AsyncClient, maria: Enrolment) -> None:
    tickets = [await ticket(client) for _ in range(3)]
    code = app_of(maria).now()
    answers = await asyncio.gather(*(second(client, "totp", ticket=one, code=code) for one in tickets))
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401]


async def test_a_ticket_is_tried_a_few_times_and_is_over(client: httpx.AsyncClient, maria: Enrolment) -> None:
    one = await ticket(client)
    words = [(await second(client, "totp", ticket=one, code="000000")).json()["detail"] for _ in range(5)]
    assert len(set(words)) == 1
    after = await second(client, "totp", ticket=one, code=app_of(maria).now())
    assert after.status_code == 401
    assert "tried too often" in after.json()["detail"]
    unknown = await second(client, "totp", ticket="0" * 48, code="123456")
    assert unknown.json()["detail"] == after.json()["detail"]


async def test_what_nobody_is_called_is_refused_like_a_wrong_password(client: httpx.AsyncClient) -> None:
    for login in ("a\x00b", "'; drop table users; --", "\u202e", "x" * 254):
        answer = await client.post(f"{API}/auth/login", json={"login": login, "password": "\x00"})
        assert answer.status_code == 401, answer.text
    for junk in (
        r'{"response": {"clientDataJSON": "\ud800"}}',
        '{"response": {"clientDataJSON": "bnVsbA"}}',
        '{"rawId": []}',
    ):
        body = f'{{"ticket": "x", "credential": {junk}}}'.encode()
        headers = {"content-type": "application/json"}
        answer = await client.post(f"{API}/auth/login/passkey", content=body, headers=headers)
        assert answer.status_code in (401, 422), answer.text


async def test_a_recovery_code_is_good_once(client: httpx.AsyncClient, maria: Enrolment, connection: Any) -> None:
    assert len(set(maria.recovery_codes)) == 10
    code = maria.recovery_codes[3]
    answer = await second(client, "recovery", ticket=await ticket(client), code=code.upper().replace("-", " "))
    assert answer.status_code == 201, answer.text
    mine = bearer(answer.json()["token"])
    client.cookies.clear()
    assert (await second(client, "recovery", ticket=await ticket(client), code=code)).status_code == 401
    renewed = (await client.post(f"{API}/me/recovery-codes", headers=mine)).json()["recovery_codes"]
    assert len(renewed) == 10
    old = await second(client, "recovery", ticket=await ticket(client), code=maria.recovery_codes[4])
    assert old.status_code == 401
    assert (await second(client, "recovery", ticket=await ticket(client), code=renewed[0])).status_code == 201
    kept = str(await connection.fetch("select * from recovery_codes")) + str(
        await connection.fetch("select * from users")
    )
    secret = parse_qs(urlsplit(maria.totp_uri).query)["secret"][0]
    for told in (*renewed, secret, PASSWORD):
        assert told not in kept


async def test_a_passkey_is_registered_and_signs_in(client: httpx.AsyncClient, maria: Enrolment) -> None:
    mine = await signed_in_by_totp(client, maria)
    client.cookies.clear()
    none = await second(client, "passkey/options", ticket=await ticket(client))
    assert none.status_code == 409
    key = Authenticator()
    options = (await client.post(f"{API}/me/passkeys/options", headers=mine)).json()
    credential = key.create(options)
    made = await client.post(f"{API}/me/passkeys", json={"name": "Laptop", "credential": credential}, headers=mine)
    assert made.status_code == 201, made.text
    replayed = await client.post(f"{API}/me/passkeys", json={"name": "Copy", "credential": credential}, headers=mine)
    assert replayed.status_code == 401
    login = await client.post(f"{API}/auth/login", json={"login": EMAIL, "password": PASSWORD})
    assert login.json()["methods"] == ["passkey", "totp", "recovery"]
    one = login.json()["ticket"]
    asked = (await second(client, "passkey/options", ticket=one)).json()
    answer = await second(client, "passkey", ticket=one, credential=key.get(asked))
    assert answer.status_code == 201, answer.text
    client.cookies.clear()
    (listed,) = (await client.get(f"{API}/me/passkeys", headers=mine)).json()["items"]
    assert listed["last_used_at"] is not None
    assert (await client.delete(f"{API}/me/passkeys/{listed['id']}", headers=mine)).status_code == 204
    gone = await second(client, "passkey", ticket=await ticket(client), credential=key.get(asked))
    assert gone.status_code == 401


async def test_a_passkey_of_another_place_key_or_time_is_refused(client: httpx.AsyncClient, maria: Enrolment) -> None:
    mine = await signed_in_by_totp(client, maria)
    client.cookies.clear()
    key = Authenticator()

    async def register(one: Authenticator) -> httpx.Response:
        options = (await client.post(f"{API}/me/passkeys/options", headers=mine)).json()
        return await client.post(
            f"{API}/me/passkeys", json={"name": "Key", "credential": one.create(options)}, headers=mine
        )

    assert (await register(Authenticator(origin="http://evil.test"))).status_code == 401
    assert (await register(key)).status_code == 201

    async def use(one: Authenticator, change: Any = lambda credential: credential) -> int:
        held = await ticket(client)
        options = (await second(client, "passkey/options", ticket=held)).json()
        return (await second(client, "passkey", ticket=held, credential=change(one.get(options)))).status_code

    stranger = Authenticator()
    stranger.credential_id = key.credential_id
    assert await use(stranger) == 401
    phished = Authenticator(origin="http://evil.test")
    phished.credential_id, phished.key = key.credential_id, key.key
    assert await use(phished) == 401
    assert await use(key) == 201
    client.cookies.clear()
    key.count = 0  # a copy of the passkey is behind it
    assert await use(key) == 401
    for junk in ({}, {"rawId": 5, "response": []}, {"response": {"clientDataJSON": "e30"}}, {"response": None}):
        held = await ticket(client)
        assert (await second(client, "passkey", ticket=held, credential=junk)).status_code in (401, 429)


async def test_a_new_password_ends_the_other_sessions(client: httpx.AsyncClient, maria: Enrolment) -> None:
    mine = await signed_in_by_totp(client, maria)
    other = await second(client, "recovery", ticket=await ticket(client), code=maria.recovery_codes[0])
    elsewhere = bearer(other.json()["token"])
    client.cookies.clear()

    async def change(current: str, new: str) -> httpx.Response:
        return await client.post(f"{API}/me/password", json={"current": current, "new": new}, headers=elsewhere)

    assert (await change("wrong", "another good password")).status_code == 401
    assert (await change(PASSWORD, "short")).status_code == 422
    assert (await change(PASSWORD, "another good password")).status_code == 204
    assert (await client.get(f"{API}/me", headers=elsewhere)).status_code == 200
    assert (await client.get(f"{API}/me", headers=mine)).status_code in (200, 401)  # this session may be the first
    assert await ticket(client, password="another good password")
    assert (await client.post(f"{API}/auth/login", json={"login": EMAIL, "password": PASSWORD})).status_code == 401


async def test_a_hash_of_older_parameters_is_renewed_at_the_next_sign_in(
    house: House, client: httpx.AsyncClient, maria: Enrolment, connection: Any
) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    await connection.execute("update users set password_hash = $1 where id = $2", weak, maria.user)
    await ticket(client)
    kept = await connection.fetchval("select password_hash from users where id = $1", maria.user)
    assert kept.startswith("$argon2id$")
    assert not PasswordHasher().check_needs_rehash(kept)


async def test_second_factors_are_sealed_with_a_key_that_is_not_in_the_database(
    house: House, client: httpx.AsyncClient, maria: Enrolment, connection: Any
) -> None:
    sealed = await connection.fetchval("select totp_secret from users where id = $1", maria.user)
    secret = parse_qs(urlsplit(maria.totp_uri).query)["secret"][0]
    assert secret.encode() not in sealed
    key_file = house.settings.data_dir / "keys" / "secrets.key"
    assert key_file.stat().st_mode & 0o777 == 0o600
    box = SecretBox(bytes.fromhex(key_file.read_text()))
    assert box.open(sealed, f"totp:{maria.user}").decode() == secret
    for moved, other in ((sealed, "totp:somebody"), (b"\x02" + sealed[1:], f"totp:{maria.user}"), (b"", "x")):
        with pytest.raises(ConfigurationError, match="SOTHEBAIS_SECRETS_KEY"):
            box.open(moved, other)
    with pytest.raises(ConfigurationError, match="staff reset"):
        SecretBox(bytes(32)).open(sealed, f"totp:{maria.user}")
    assert "secret" not in repr(box)


async def test_who_is_on_the_staff_is_made_and_reset_by_the_house(house: House, maria: Enrolment) -> None:
    staff, actor = house.people().staff, maria.user
    with pytest.raises(Conflict, match="already"):
        await staff.add(EMAIL.upper(), Role.OPERATOR, PASSWORD, actor=actor)
    with pytest.raises(InvalidInput, match="OPERATOR or ADMIN"):
        await staff.add("b@house.test", Role.BIDDER, PASSWORD, actor=actor)
    for weak in ("short", "aaaaaaaaaaaaaaaa", "passwordpassword", "x" * 201, "bob.the.builder@house.test"):
        with pytest.raises(InvalidInput, match="password"):
            await staff.add("bob.the.builder@house.test", Role.OPERATOR, weak, actor=actor)
    with pytest.raises(InvalidInput, match="e-mail"):
        await staff.add("nobody", Role.OPERATOR, PASSWORD, actor=actor)
    with pytest.raises(NotFound):
        await staff.reset("b@house.test", PASSWORD, actor=actor)
    fresh = await staff.reset(EMAIL, "a password of today", actor=actor)
    assert fresh.totp_uri != maria.totp_uri
    assert set(fresh.recovery_codes).isdisjoint(maria.recovery_codes)
    (member,) = await staff.members()
    assert (member["email"], member["role"], member["recovery_codes"]) == (EMAIL, "ADMIN", 10)


async def test_hashes_in_hand_are_bounded() -> None:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    many = [passwords.hash(PASSWORD) for _ in range(passwords_module.HASHES_WAITING_MAX + 3)]
    answers = await asyncio.gather(*many, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Overloaded)]
    assert len(refused) == 3
    assert await passwords.verify(await passwords.hash(PASSWORD), PASSWORD)
    assert not await passwords.verify("no hash at all", PASSWORD)


def test_the_command_line_adds_lists_and_resets_the_staff(settings: Settings) -> None:
    assert settings.database_url is not None
    assert settings.redis_url is not None
    environment = os.environ | {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "SOTHEBAIS_DATA_DIR": str(settings.data_dir),
    }

    def sothebais(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sothebais", "staff", *arguments],
            input=typed, capture_output=True, text=True, env=environment, timeout=60, check=False,
        )  # fmt: skip

    made = sothebais(
        "add", "olga@house.test", "--role", "operator", "--password-stdin", "--json", typed=f"{PASSWORD}\n"
    )
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["totp_uri"].startswith("otpauth://totp/")
    assert len(told["recovery_codes"]) == 10
    assert "password" not in told
    fresh = sothebais("reset", "olga@house.test", "--json")
    assert len(json.loads(fresh.stdout)["password"]) >= 20  # nobody could be asked, so one was made
    (listed,) = json.loads(sothebais("list", "--json").stdout)
    assert (listed["email"], listed["role"]) == ("olga@house.test", "OPERATOR")
