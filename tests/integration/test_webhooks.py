"""Outgoing webhooks against a real HTTP server, checked by the Standard Webhooks reference library."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
import sqlalchemy as sa
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from tests.fakes.house import a_user, an_open_lot, bid, eventually, running, signed_in, whole_log
from tests.fakes.receivers import HttpReceiver, Seen, http_receiver

from sothebais import ids
from sothebais.api.models import webhooks as bodies
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.clock import SystemClock
from sothebais.config import Settings
from sothebais.events import log
from sothebais.events.cursors import DurableConsumer
from sothebais.notify import discord, outgoing, webhook_service, webhooks
from sothebais.notify.dispatcher import Dispatcher
from sothebais.notify.outgoing import Outgoing
from sothebais.users.tables import Role

URL = "/api/v1/admin/webhooks"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"private_receivers": True})


@pytest.fixture
async def receiver() -> AsyncIterator[HttpReceiver]:
    async with http_receiver() as made:
        yield made


@asynccontextmanager
async def working(house: House, *, backoff_s: tuple[float, ...] = (0.0, 3_600.0)) -> AsyncIterator[None]:
    """The event-handler's part of webhooks."""
    consumer = DurableConsumer(house.database_url, webhooks.CONSUMER, webhooks.WebhookHandler())
    box = webhooks.WebhookOutbox(SystemClock(), Outgoing(private=True), house.notify_desk().box, backoff_s=backoff_s)
    async with running(consumer.run(), Dispatcher(house.database_url, box).run()):
        yield


async def an_admin(house: House, client: httpx.AsyncClient) -> dict[str, str]:
    await a_user(house, "admin", role=Role.ADMIN)
    return (await signed_in(client, "admin"))[1]


async def a_webhook(client: httpx.AsyncClient, admin: dict[str, str], **body: Any) -> tuple[str, str]:
    """A new webhook's id and secret."""
    answer = await client.post(URL, json={"name": "Results", **body}, headers=admin)
    assert answer.status_code == 201, answer.text
    return answer.json()["webhook"]["id"], answer.json()["secret"]


async def happens(house: House, type_: str = "user:preference", count: int = 1) -> list[UUID]:
    """So many events of somebody's preferences, or of a campaign that begins."""
    subject = ids.new_id()
    data: dict[str, Any] = {"user": str(subject), "changed": ["theme"]}
    about = f"user:{subject}"
    if type_ == "campaign:start":
        about, data = (
            f"campaign:{subject}",
            {"name": "*Spring* @everyone", "collection": str(subject), "days": 2, "version": 1},
        )
    records = [log.event(type_, about, data, at=house.now()) for _ in range(count)]
    async with house.engine.begin() as connection:
        await log.append(connection, records)
    return [record.id for record in records]


async def deliveries(client: httpx.AsyncClient, admin: dict[str, str], hook: str, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get(f"{URL}/{hook}/deliveries", params=query, headers=admin)
    assert answer.status_code == 200, answer.text
    bodies.WebhookDeliveryPage.model_validate(answer.json())
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def until(client: httpx.AsyncClient, admin: dict[str, str], hook: str, *statuses: str) -> list[dict[str, Any]]:
    """The deliveries once they have these statuses, newest first."""

    async def look() -> list[dict[str, Any]] | None:
        found = await deliveries(client, admin, hook)
        return found if [one["status"] for one in found] == list(statuses) else None

    found = await eventually(look, f"deliveries are {statuses}")
    assert found is not None
    return found


def verified(secret: str, seen: Seen) -> Any:
    return Webhook(secret).verify(seen.body, seen.headers)


async def test_every_event_asked_for_arrives_signed_and_no_other(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, receiver: HttpReceiver
) -> None:
    admin = await an_admin(house, client)
    hook, secret = await a_webhook(
        client, admin, url=f"{receiver.url}/hook", event_types=["auction:bid:accepted", "auction:start"]
    )
    _, other = await a_webhook(client, admin, url=f"{receiver.url}/none", event_types=["campaign:end"])
    lot = await an_open_lot(house, engine)
    await bid(engine, lot, await a_user(house, "ana"), "1", "987.654321")
    async with working(house):
        await until(client, admin, hook, "SENT", "SENT")
    assert sorted(verified(secret, seen)["type"] for seen in receiver.seen) == ["auction:bid:accepted", "auction:start"]
    by_id = {str(event.id): event for event in await whole_log(house.database_url)}
    for seen in receiver.seen:
        event = by_id[seen.headers["webhook-id"]]
        assert seen.path == "/hook"
        assert seen.body == event.message()
        assert b"987.654321" not in seen.body
        with pytest.raises(WebhookVerificationError):
            verified(other, seen)
        with pytest.raises(WebhookVerificationError):
            verified(secret, Seen(seen.path, seen.headers, seen.body + b" "))


async def test_admins_make_change_and_remove_webhooks_and_the_secret_is_told_once(
    house: House, client: httpx.AsyncClient, receiver: HttpReceiver
) -> None:
    admin = await an_admin(house, client)
    _, visitor = await signed_in(client, "ana")
    body = {"name": "Results", "url": receiver.url, "event_types": ["auction:end", "auction:end"], "reason": "press"}
    assert (await client.post(URL, json=body)).status_code == 401
    assert (await client.post(URL, json=body, headers=visitor)).status_code == 403
    made = await client.post(URL, json=body, headers=admin)
    bodies.WebhookWithSecret.model_validate(made.json())
    hook, secret = made.json()["webhook"]["id"], made.json()["secret"]
    assert secret.startswith("whsec_")
    assert made.json()["webhook"]["event_types"] == ["auction:end"]
    listed = await client.get(URL, headers=admin)
    bodies.WebhookPage.model_validate(listed.json())
    assert listed.json()["items"] == [made.json()["webhook"]]
    assert (await client.get(f"{URL}/{hook}", headers=admin)).json() == made.json()["webhook"]
    assert secret[6:] not in listed.text
    # nor does the database have it
    async with house.engine.connect() as connection:
        kept = (await connection.execute(sa.text("select secret from webhooks"))).scalar_one()
    assert webhooks.shown(kept) != secret
    assert (await client.post(URL, json=body, headers=admin)).status_code == 409
    changed = await client.patch(f"{URL}/{hook}", json={"name": "Press", "enabled": False}, headers=admin)
    assert (changed.json()["name"], changed.json()["enabled"]) == ("Press", False)
    assert changed.json()["disabled_at"] is not None
    on = await client.patch(f"{URL}/{hook}", json={"enabled": True, "event_types": []}, headers=admin)
    assert (on.json()["enabled"], on.json()["event_types"]) == (True, [])
    for wrong in (
        {"url": "ftp://x.example"},
        {"url": "https://me:pw@x.example"},
        {"event_types": ["auction:price:updated"]},
        {"event_types": ["no:such"]},
        {"name": ""},
        {"name": None},
        {"secret": "x"},
    ):
        refused = await client.patch(f"{URL}/{hook}", json=wrong, headers=admin)
        assert refused.status_code == 422, (wrong, refused.text)
    for nothing in (ids.new_id(), "x"):
        assert (await client.get(f"{URL}/{nothing}", headers=admin)).status_code == 404
        assert (await client.patch(f"{URL}/{nothing}", json={"name": "x"}, headers=admin)).status_code == 404
        assert (await client.post(f"{URL}/{nothing}/rotate-secret", headers=admin)).status_code == 404
        assert (await client.post(f"{URL}/{nothing}/test", headers=admin)).status_code == 404
        assert (await client.get(f"{URL}/{nothing}/deliveries", headers=admin)).status_code == 404
    assert (await client.delete(f"{URL}/{hook}?reason=over", headers=admin)).status_code == 204
    assert (await client.delete(f"{URL}/{hook}", headers=admin)).status_code == 404
    async with house.engine.connect() as connection:
        audit = (await connection.execute(sa.text("select action, reason from audit order by id"))).all()
    assert [tuple(row) for row in audit if row.action.startswith("webhook.")] == [
        ("webhook.create", "press"),
        ("webhook.change", None),
        ("webhook.change", None),
        ("webhook.remove", "over"),
    ]
    assert secret[6:] not in "".join(event.data for event in await whole_log(house.database_url))


async def test_a_test_says_what_came_of_it_and_a_rotated_secret_signs_beside_the_former(
    house: House, client: httpx.AsyncClient, receiver: HttpReceiver
) -> None:
    admin = await an_admin(house, client)
    hook, first = await a_webhook(client, admin, url=receiver.url, event_types=["user:preference"])
    receiver.answers = [204, 500]
    outcome = (await client.post(f"{URL}/{hook}/test", headers=admin)).json()
    bodies.WebhookTest.model_validate(outcome)
    assert (outcome["delivered"], outcome["response_status"], outcome["error"]) == (True, 204, None)
    assert verified(first, receiver.seen[0])["type"] == "webhook:test"
    outcome = (await client.post(f"{URL}/{hook}/test", headers=admin)).json()
    assert (outcome["delivered"], outcome["response_status"]) == (False, 500)
    second = (await client.post(f"{URL}/{hook}/rotate-secret", headers=admin)).json()["secret"]
    assert second != first
    receiver.seen.clear()
    await happens(house)
    async with working(house):
        await until(client, admin, hook, "SENT")
        (seen,) = receiver.seen
        verified(first, seen)
        verified(second, seen)
        async with house.engine.begin() as connection:
            await connection.execute(sa.text("update webhooks set previous_secret_until = now()"))
        await happens(house)
        await until(client, admin, hook, "SENT", "SENT")
    verified(second, receiver.seen[1])
    with pytest.raises(WebhookVerificationError):
        verified(first, receiver.seen[1])


async def test_a_failed_delivery_is_tried_again_then_given_up_and_tried_again_on_request(
    house: House, client: httpx.AsyncClient, receiver: HttpReceiver
) -> None:
    admin = await an_admin(house, client)
    hook, _ = await a_webhook(client, admin, url=receiver.url, event_types=["user:preference"])
    receiver.answers = [500, 204]
    (event,) = await happens(house)
    async with working(house, backoff_s=(0.0,)):
        (sent,) = await until(client, admin, hook, "SENT")
        assert (sent["attempts"], sent["event"], sent["response_status"]) == (2, str(event), 204)
        assert len({seen.headers["webhook-id"] for seen in receiver.seen}) == 1
        # a redirect leads nowhere, however inviting
        redirect = f"HTTP/1.1 307 so\r\nlocation: {receiver.url}/elsewhere\r\ncontent-length: 0\r\n\r\n".encode()
        receiver.answers = [redirect, redirect]
        await happens(house)
        failed, _ = await until(client, admin, hook, "FAILED", "SENT")
        assert (failed["attempts"], failed["response_status"]) == (2, 307)
        assert "redirect" in failed["error"]
        assert [seen.path for seen in receiver.seen] == ["/"] * 4
        assert [one["id"] for one in await deliveries(client, admin, hook, status="FAILED")] == [failed["id"]]
        assert (await client.get(f"{URL}/{hook}", headers=admin)).json()["failures"] == 1
        again = f"{URL}/{hook}/deliveries/{failed['id']}/retry"
        answer = await client.post(again, headers=admin)
        assert answer.status_code == 200, answer.text
        bodies.WebhookDelivery.model_validate(answer.json())
        await until(client, admin, hook, "SENT", "SENT")
    assert (await client.get(f"{URL}/{hook}", headers=admin)).json()["failures"] == 0
    assert (await client.post(again, headers=admin)).status_code == 409
    assert (await client.post(f"{URL}/{hook}/deliveries/{ids.new_id()}/retry", headers=admin)).status_code == 404
    first = await client.get(f"{URL}/{hook}/deliveries?limit=1", headers=admin)
    rest = await client.get(f"{URL}/{hook}/deliveries?after={first.json()['next']}", headers=admin)
    assert len(first.json()["items"]) == len(rest.json()["items"]) == 1


async def test_a_receiver_that_never_takes_anything_is_turned_off_and_said_so(
    house: House, client: httpx.AsyncClient, receiver: HttpReceiver
) -> None:
    admin = await an_admin(house, client)
    hook, _ = await a_webhook(client, admin, url=receiver.url, event_types=["user:preference"])
    gone, _ = await a_webhook(client, admin, url=f"{receiver.url}/gone", event_types=["campaign:start"])
    receiver.answers = [500] * (2 * webhooks.FAILURES_MAX)
    await happens(house, count=webhooks.FAILURES_MAX)

    async def is_off(hook: str) -> bool:
        return not (await client.get(f"{URL}/{hook}", headers=admin)).json()["enabled"]

    async with working(house, backoff_s=(0.0,)):
        await eventually(lambda: is_off(hook), "it is turned off")
        receiver.answers = [410]
        await happens(house, "campaign:start")
        await eventually(lambda: is_off(gone), "what is gone is turned off at once")
        # nothing more is queued for it
        await happens(house, count=2)
        await eventually(lambda: _nothing_waits(house), "nothing waits")
    assert len(await deliveries(client, admin, hook)) == webhooks.FAILURES_MAX
    errors = [event.decoded() for event in await whole_log(house.database_url) if event.type == "system:error"]
    assert [error["code"] for error in errors] == ["WEBHOOK_TURNED_OFF"] * 2
    refused = await client.post(
        f"{URL}/{hook}/deliveries/{(await deliveries(client, admin, hook))[0]['id']}/retry", headers=admin
    )
    assert refused.status_code == 409


async def _nothing_waits(house: House) -> bool:
    async with house.engine.connect() as connection:
        waiting = await connection.execute(sa.text("select count(*) from webhook_deliveries where status = 'PENDING'"))
        return int(waiting.scalar_one()) == 0


async def test_what_waits_for_one_webhook_is_bounded(
    house: House, client: httpx.AsyncClient, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "WAITING_MAX", 2)
    admin = await an_admin(house, client)
    hook, _ = await a_webhook(client, admin, url=receiver.url, event_types=["user:preference"])
    await happens(house, count=3)
    consumer = DurableConsumer(house.database_url, webhooks.CONSUMER, webhooks.WebhookHandler())
    async with running(consumer.run()):
        full, *_ = await until(client, admin, hook, "FAILED", "PENDING", "PENDING")
    assert full["error"] == webhooks.FULL
    monkeypatch.setattr(webhook_service, "WEBHOOKS_MAX", 1)
    assert (await client.post(URL, json={"name": "x", "url": f"{receiver.url}/2"}, headers=admin)).status_code == 409


async def test_a_slow_receiver_holds_up_no_other(
    house: House, client: httpx.AsyncClient, receiver: HttpReceiver
) -> None:
    admin = await an_admin(house, client)
    async with http_receiver() as slow:
        slow.gate.clear()
        await a_webhook(client, admin, url=slow.url, event_types=["user:preference"])
        hook, _ = await a_webhook(client, admin, url=receiver.url, event_types=["user:preference"])
        count = webhooks.CLAIMED_OF_ONE_MAX * 3
        await happens(house, count=count)
        async with working(house):
            await until(client, admin, hook, *["SENT"] * count)
            slow.gate.set()


async def test_two_dispatchers_deliver_each_event_once(
    house: House, client: httpx.AsyncClient, receiver: HttpReceiver
) -> None:
    admin = await an_admin(house, client)
    hook, _ = await a_webhook(client, admin, url=receiver.url, event_types=["user:preference"])
    events = await happens(house, count=20)
    async with working(house), working(house):
        await until(client, admin, hook, *["SENT"] * 20)
    assert sorted(seen.headers["webhook-id"] for seen in receiver.seen) == sorted(map(str, events))


async def test_a_discord_channel_gets_a_message_that_can_address_nobody(
    house: House, client: httpx.AsyncClient, receiver: HttpReceiver
) -> None:
    admin = await an_admin(house, client)
    hook, _ = await a_webhook(client, admin, url=receiver.url, format="DISCORD", event_types=["campaign:start"])
    assert (await client.post(f"{URL}/{hook}/test", headers=admin)).json()["delivered"] is True
    await happens(house, "campaign:start")
    async with working(house):
        await until(client, admin, hook, "SENT")
    test, seen = receiver.seen
    assert "webhook-signature" not in seen.headers
    message = msgspec.json.decode(seen.body)
    assert message["allowed_mentions"] == {"parse": []}
    assert message["content"].startswith(r"**\*Spring\* \@everyone** begins: 2 auction days")
    assert set(msgspec.json.decode(test.body)) == {"content", "allowed_mentions"}
    assert discord.CONTENT_LENGTH_MAX == 2_000


async def resolves_to(*addresses: str) -> Any:
    async def resolve(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return resolve


@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), ("10.0.0.1",), ("93.184.216.34", "192.168.1.1"), ("::1",), ("::ffff:169.254.169.254",), ()],
)
async def test_nothing_is_sent_to_private_addresses(addresses: tuple[str, ...]) -> None:
    sender = Outgoing(resolve=await resolves_to(*addresses))
    try:
        answer = await sender.post("https://hooks.example/", b"{}", {})
        assert answer.status is None
        assert answer.error is not None
        assert "private" in answer.error or "resolved" in answer.error
        with pytest.raises(Exception, match="url: ") as refused:
            await sender.check("https://hooks.example/")
        assert type(refused.value).__name__ == "InvalidInput"
    finally:
        await sender.close()


async def test_without_the_setting_a_webhook_must_be_public_and_use_tls(
    house: House, client: httpx.AsyncClient, receiver: HttpReceiver
) -> None:
    admin = await an_admin(house, client)
    strict = house.settings.model_copy(update={"private_receivers": False})
    house.settings = strict
    from tests.fakes.house import api_client

    store = house.store()
    async with api_client(house, None, store) as guarded:
        for url in (receiver.url, "https://127.0.0.1/x", "https://[::1]/", "http://93.184.216.34/"):
            refused = await guarded.post(URL, json={"name": "x", "url": url}, headers=admin)
            assert refused.status_code == 422, url
            assert refused.json()["field"] == "url"
    await store.close()
    assert receiver.seen == []


async def test_the_connection_goes_to_the_address_that_was_checked(receiver: HttpReceiver) -> None:
    port = int(receiver.url.rpartition(":")[2])
    sender = Outgoing(private=True, resolve=await resolves_to("127.0.0.1"))
    try:
        answer = await sender.post(f"http://hooks.example:{port}/x", b"{}", {"a": "b"})
    finally:
        await sender.close()
    assert answer.status == 204
    assert receiver.seen[0].headers["host"] == f"hooks.example:{port}"


async def test_an_endless_answer_is_not_read_and_a_silent_one_not_waited_for(
    receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "TOTAL_S", 0.3)
    sender = Outgoing(private=True)
    try:
        receiver.answers = [b"HTTP/1.1 200 so\r\ncontent-length: 99999999999\r\n\r\n" + b"x" * 100_000]
        assert (await sender.post(receiver.url, b"{}", {})).status == 200
        receiver.gate.clear()
        silent = await sender.post(receiver.url, b"{}", {})
        assert silent.status is None
        assert "No answer" in (silent.error or "")
        receiver.gate.set()
        await asyncio.sleep(0)
        receiver.answers = [b"HTTP/1.1 429 so\r\nretry-after: 9999999\r\ncontent-length: 0\r\n\r\n"]
        assert (await sender.post(receiver.url, b"{}", {})).retry_after_s == outgoing.RETRY_AFTER_S_MAX
    finally:
        await sender.close()
