"""Web push to a real HTTPS server: encrypted for the browser, signed by the house, forgotten when gone."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import http_ece
import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02
from tests.fakes.house import api_client, eventually, running, signed_in
from tests.fakes.receivers import HttpReceiver, certificates, http_receiver

from sothebais import ids
from sothebais.bootstrap import House
from sothebais.clock import SystemClock
from sothebais.config import Settings
from sothebais.db.engine import connect
from sothebais.events import log
from sothebais.notify import push, repository
from sothebais.notify.dispatcher import Dispatcher
from sothebais.notify.model import Notice, NotificationKind
from sothebais.notify.outgoing import Outgoing
from sothebais.notify.push import PushOutbox

URL = "/api/v1/me/push-subscriptions"


class Browser:
    """The keys of one browser's subscription."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.secret = ids.new_salt()[:16]
        self.public = self.private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )

    def subscription(self, endpoint: str) -> dict[str, Any]:
        keys = {"p256dh": push.base64url(self.public), "auth": push.base64url(self.secret)}
        return {"endpoint": endpoint, "keys": keys, "expirationTime": None}

    def read(self, body: bytes) -> Any:
        return msgspec.json.decode(http_ece.decrypt(body, private_key=self.private, auth_secret=self.secret))


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"private_receivers": True})


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[tuple[HttpReceiver, Outgoing]]:
    """A push service, and what trusts its certificate."""
    server, client = certificates(tmp_path)
    async with http_receiver(server) as receiver:
        yield receiver, Outgoing(private=True, tls=client)


def dispatcher(house: House, sender: Outgoing) -> Dispatcher:
    box = PushOutbox(
        SystemClock(),
        key=house.notify_desk().vapid,
        outgoing=sender,
        contact="mailto:house@house.example",
        backoff_s=(0.0, 3_600.0),
    )
    return Dispatcher(house.database_url, box)


async def tell(house: House, user: UUID) -> None:
    record = log.event("user:preference", f"user:{user}", {"user": str(user), "changed": ["theme"]}, at=house.now())
    async with house.engine.begin() as made:
        await log.append(made, [record])
    connection = await connect(house.database_url, name="test")
    notice = Notice(
        user=user, kind=NotificationKind.WON, title="You won Lot 1", body="It is yours.", path="/auctions/1"
    )
    async with connection.transaction():
        await repository.tell(connection, [notice], house.now(), event=record.id)
    await connection.close()


async def test_a_push_is_encrypted_for_its_browser_and_signed_by_the_house(
    house: House, client: httpx.AsyncClient, connection: Any, service: tuple[HttpReceiver, Outgoing]
) -> None:
    receiver, sender = service
    ana, her = await signed_in(client, "ana")
    phone, laptop = Browser(), Browser()
    for name, browser in (("phone", phone), ("laptop", laptop)):
        answer = await client.post(URL, json=browser.subscription(f"{receiver.url}/{name}"), headers=her)
        assert answer.status_code == 201, answer.text
    await tell(house, ana)
    async with running(dispatcher(house, sender).run()):
        await eventually(lambda: sent(connection, "SENT"), "it is pushed")
    by_path = {seen.path: seen for seen in receiver.seen}
    key = (await client.get("/api/v1/me/push-key", headers=her)).json()["public_key"]
    for path, browser in (("/phone", phone), ("/laptop", laptop)):
        seen = by_path[path]
        message = browser.read(seen.body)
        assert (message["kind"], message["title"], message["path"]) == ("WON", "You won Lot 1", "/auctions/1")
        assert seen.headers["content-encoding"] == "aes128gcm"
        assert int(seen.headers["ttl"]) > 0
        assert Vapid02.verify(seen.headers["authorization"])
        token, _, public = seen.headers["authorization"].removeprefix("vapid t=").partition(",k=")
        assert public == key
        claims = msgspec.json.decode(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        assert claims["aud"] == receiver.url
        assert claims["sub"] == "mailto:house@house.example"
        assert house.now() / 1_000 < claims["exp"] <= house.now() / 1_000 + 86_400
    # the same in every process and after a restart
    assert house.notify_desk().vapid.public == key


async def sent(connection: Any, status: str) -> bool:
    found = await connection.fetch("select status from notifications where channel = 'WEB_PUSH'")
    return bool(found) and all(row["status"] == status for row in found)


async def test_a_browser_that_is_gone_is_forgotten_and_a_busy_service_asked_again(
    house: House, client: httpx.AsyncClient, connection: Any, service: tuple[HttpReceiver, Outgoing]
) -> None:
    receiver, sender = service
    ana, her = await signed_in(client, "ana")
    await client.post(URL, json=Browser().subscription(f"{receiver.url}/one"), headers=her)
    receiver.answers = [503, 201, 410]
    await tell(house, ana)
    async with running(dispatcher(house, sender).run()):
        await eventually(lambda: sent(connection, "SENT"), "the second try arrives")
        assert len(receiver.seen) == 2
        await connection.execute("delete from notifications")
        await tell(house, ana)
        await eventually(lambda: sent(connection, "SUPPRESSED"), "there is no browser left")
    assert await connection.fetchval("select count(*) from push_subscriptions") == 0
    # and nothing is written for a channel nobody has
    await connection.execute("delete from notifications")
    await tell(house, ana)
    assert await connection.fetchval("select count(*) from notifications where channel = 'WEB_PUSH'") == 0


async def test_subscriptions_are_checked_bounded_and_their_owners(
    house: House, client: httpx.AsyncClient, connection: Any
) -> None:
    _, her = await signed_in(client, "ana")
    _, his = await signed_in(client, "ben")
    browser = Browser()
    good = browser.subscription("https://127.0.0.1/push/1")
    assert (await client.post(URL, json=good)).status_code == 401
    off_curve = push.base64url(b"\x04" + b"\x01" * 64)
    for wrong in (
        good | {"endpoint": "http://127.0.0.1/push"},
        good | {"endpoint": "https://"},
        good | {"endpoint": "https://me:pw@127.0.0.1/"},
        good | {"keys": {"p256dh": off_curve, "auth": good["keys"]["auth"]}},
        good | {"keys": {"p256dh": good["keys"]["p256dh"], "auth": "AAAA"}},
        good | {"keys": {"p256dh": "A", "auth": "A"}},
        good | {"keys": {}},
    ):
        refused = await client.post(URL, json=wrong, headers=her)
        assert refused.status_code == 422, (wrong, refused.text)
    assert (await client.post(URL, json=good, headers=her)).status_code == 201
    assert (await client.post(URL, json=good, headers=her)).status_code == 201
    # somebody who only knows the address cannot take it over; the browser itself may change hands
    stolen = Browser().subscription(good["endpoint"])
    assert (await client.post(URL, json=stolen, headers=his)).status_code == 409
    assert (await client.delete(URL, params={"endpoint": good["endpoint"]}, headers=his)).status_code == 204
    assert await connection.fetchval("select count(*) from push_subscriptions") == 1
    assert (await client.post(URL, json=good, headers=his)).status_code == 201
    for number in range(push.SUBSCRIPTIONS_MAX + 2):
        body = browser.subscription(f"https://127.0.0.1/push/more/{number}")
        assert (await client.post(URL, json=body, headers=her)).status_code == 201
    kept = await connection.fetch("select endpoint from push_subscriptions where endpoint like '%more%'")
    assert len(kept) == push.SUBSCRIPTIONS_MAX
    assert not {row["endpoint"][-2:] for row in kept} & {"/0", "/1"}
    assert (await client.delete(URL, params={"endpoint": good["endpoint"]}, headers=his)).status_code == 204
    assert (await client.delete(URL, params={"endpoint": "\x00"}, headers=his)).status_code == 204


async def test_without_the_setting_no_private_address_is_pushed_to(house: House, client: httpx.AsyncClient) -> None:
    _, her = await signed_in(client, "ana")
    house.settings = house.settings.model_copy(update={"private_receivers": False})
    store = house.store()
    async with api_client(house, None, store) as guarded:
        for host in ("127.0.0.1", "10.1.2.3", "[::1]", "169.254.169.254", "localhost"):
            refused = await guarded.post(URL, json=Browser().subscription(f"https://{host}/"), headers=her)
            assert refused.status_code == 422, host
            assert refused.json()["field"] == "endpoint"
    await store.close()
