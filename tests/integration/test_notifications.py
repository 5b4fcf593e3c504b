"""Notifications from the log to people: preferences, the feed, mail on a real SMTP server, one-click unsubscribe."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from tests.fakes.house import (
    a_user,
    advanced_until,
    an_open_lot,
    bid,
    eventually,
    running,
    signed_in,
    step,
    whole_log,
)
from tests.fakes.receivers import Mailbox, mail_server

from sothebais import ids
from sothebais.api.models.notifications import NotificationPage, Preferences
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.clock import SystemClock
from sothebais.config import Settings
from sothebais.db.engine import connect
from sothebais.errors import ConfigurationError
from sothebais.events import log
from sothebais.events.cursors import save_cursor
from sothebais.events.log import START
from sothebais.notify import repository, service, unsubscribe
from sothebais.notify.consumer import CONSUMER
from sothebais.notify.dispatcher import Dispatcher, TryAgain
from sothebais.notify.mail import EmailOutbox, SmtpServer, parse_server
from sothebais.notify.model import Notice, NotificationKind
from sothebais.notify.outbox import ATTEMPTS_MAX, HOURLY_MAX, TOO_MANY
from sothebais.users.tables import Role, User

NEVER_TOLD = "987.654321"
#: Backoff of tests: the second try comes at once, the third never in time.
SOON = (0.0, 0.0, 3_600.0)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def smtp_port(mailbox: Mailbox) -> Iterator[int]:
    with mail_server(mailbox) as port:
        yield port


@pytest.fixture
def settings(settings: Settings, smtp_port: int) -> Settings:
    return settings.model_copy(
        update={
            "smtp_url": SecretStr(f"smtp://127.0.0.1:{smtp_port}"),
            "smtp_from": "The house <house@house.example>",
            "public_url": "http://house.test",
        }
    )


@asynccontextmanager
async def told(house: House, *, dispatchers: bool = True) -> AsyncIterator[None]:
    """The event-handler's part of notifications."""
    desk = house.notify_desk()
    work = [consumer.run() for consumer in desk.consumers()]
    work.append(desk.announcer().run())
    if dispatchers:
        work += [dispatcher.run() for dispatcher in desk.dispatchers()]
    async with running(*work):
        yield


async def with_email(house: House, user: UUID, address: str, *, confirmed: bool = True) -> None:
    async with house.engine.begin() as connection:
        await connection.execute(sa.update(User).where(User.id == user).values(email=address))
        if confirmed:
            await service.confirm_email(connection, user, address)


async def rows(house: House, user: UUID, channel: str = "IN_APP") -> list[Any]:
    statement = "select * from notifications where user_id = :user and channel = :channel order by id"
    async with house.engine.connect() as connection:
        return list(await connection.execute(sa.text(statement), {"user": user, "channel": channel}))


async def kinds(house: House, user: UUID) -> list[str]:
    return [row.kind for row in await rows(house, user) if row.status == "SENT"]


async def caught_up(house: House) -> None:
    """Wait until the consumer has read the whole log."""
    last = (await whole_log(house.database_url))[-1].position

    async def look() -> bool:
        async with house.engine.connect() as connection:
            at = await connection.execute(
                sa.text(
                    "select (epoch, xid, seq) >= (:epoch, (:xid)::text::xid8, :seq) from event_cursors where consumer = :name"
                ),
                {"epoch": last.epoch, "xid": str(last.xid), "seq": last.seq, "name": CONSUMER},
            )
            return bool(at.scalar_one_or_none())

    await eventually(look, "the consumer has caught up")


async def test_bids_are_told_to_bidder_and_beaten_leader_and_no_maximum_ever(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    ana, her = await signed_in(client, "ana")
    ben, his = await signed_in(client, "ben")
    await with_email(house, ana, "ana@people.example")
    lot = await an_open_lot(house, engine)
    async with told(house):
        await bid(engine, lot, ana, "1", "2")
        await bid(engine, lot, ben, "1.5", None)
        await bid(engine, lot, ben, "3", NEVER_TOLD)
        await eventually(lambda: kinds(house, ben), "ben is told")

        async def both() -> bool:
            return await kinds(house, ana) == ["BID_ACCEPTED", "OUTBID"] and await kinds(house, ben) == [
                "OUTBID",
                "BID_ACCEPTED",
            ]

        await eventually(both, "both are told what happened")
        answer = await client.get("/api/v1/me/notifications", headers=her)
        page = answer.json()
        NotificationPage.model_validate(page)
        assert page["unread"] == 2
        newest, oldest = page["items"]
        assert newest["kind"] == "OUTBID"
        assert newest["data"] == {"price": "3", "next_valid_amount": "3.1"}
        assert "Lot 1" in newest["title"]
        # a page at a time, and read once
        first = (await client.get("/api/v1/me/notifications?limit=1", headers=her)).json()
        rest = (await client.get(f"/api/v1/me/notifications?after={first['next']}", headers=her)).json()
        assert [item["id"] for item in first["items"] + rest["items"]] == [newest["id"], oldest["id"]]
        url = "/api/v1/me/notifications/read"
        assert (await client.post(url, json={"ids": [newest["id"], "nonsense"]}, headers=his)).json() == {"marked": 0}
        assert (await client.post(url, json={"ids": [newest["id"]]}, headers=her)).json() == {"marked": 1}
        assert (await client.post(url, json={"all": True}, headers=her)).json() == {"marked": 1}
        assert (await client.post(url, json={}, headers=her)).status_code == 422
        assert (await client.get("/api/v1/me/notifications", headers=her)).json()["unread"] == 0
        # her mail says the same; a mail of a bid waits for a newer one, the alert does not
        mail = (await eventually(lambda: _later(mailbox.to("ana@people.example")), "the mail"))[0]
    assert mail["Subject"] == newest["title"]
    assert [row.status for row in await rows(house, ana, "EMAIL") if row.kind == "BID_ACCEPTED"] == ["PENDING"]
    events = await whole_log(house.database_url)
    notified = [event.decoded() for event in events if event.type == "user:notified"]
    assert {(one["user"], one["kind"]) for one in notified if one["channel"] == "IN_APP"} == {
        (str(ana), "BID_ACCEPTED"),
        (str(ana), "OUTBID"),
        (str(ben), "BID_ACCEPTED"),
        (str(ben), "OUTBID"),
    }
    async with house.engine.connect() as connection:
        everything = (await connection.execute(sa.text("select n::text from notifications n"))).scalars().all()
    assert NEVER_TOLD not in "".join([*everything, mail.as_string(), *(event.data for event in events)])


async def _later[T](value: T) -> T:
    return value


async def test_a_log_read_again_tells_nothing_twice(house: House, engine: AuctionEngine, connection: Any) -> None:
    ana, ben = await a_user(house, "ana"), await a_user(house, "ben")
    lot = await an_open_lot(house, engine)
    async with told(house):
        await bid(engine, lot, ana, "1")
        await bid(engine, lot, ben, "1.5")
        await step(engine, lot, "END", actor=ana)
        await advanced_until(house, engine, lot, "ENDED")

        async def over() -> bool:
            return "WON" in await kinds(house, ben) and "LOST" in await kinds(house, ana)

        await eventually(over, "winner and loser are told")
        before = [row.id for user in (ana, ben) for row in await rows(house, user)]
        events = len([event for event in await whole_log(house.database_url) if event.type == "user:notified"])
        await save_cursor(connection, CONSUMER, START)
        await caught_up(house)

        async def broadcast() -> bool:
            return not await connection.fetchval("select exists (select 1 from broadcasts where done_at is null)")

        await eventually(broadcast, "the broadcast is done again")
    assert [row.id for user in (ana, ben) for row in await rows(house, user)] == before
    again = len([event for event in await whole_log(house.database_url) if event.type == "user:notified"])
    assert again == events
    assert await connection.fetchval("select count(*) from dead_letters") == 0
    assert await kinds(house, ana) == ["BID_ACCEPTED", "OUTBID", "LOST"]
    assert await kinds(house, ben) == ["BID_ACCEPTED", "WON"]


async def test_outbid_twice_within_a_moment_is_shown_once_with_the_newest_price(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    ana, her = await signed_in(client, "ana")
    ben = await a_user(house, "ben")
    await with_email(house, ana, "ana@people.example")
    lot = await an_open_lot(house, engine)
    for who, amount in ((ana, "1"), (ben, "1.5"), (ana, "2"), (ben, "2.5")):
        await bid(engine, lot, who, amount)
    async with told(house, dispatchers=False):
        await caught_up(house)
    shown = [
        item
        for item in (await client.get("/api/v1/me/notifications", headers=her)).json()["items"]
        if item["kind"] == "OUTBID"
    ]
    assert [item["data"]["price"] for item in shown] == ["2.5"]
    hidden = [row for row in await rows(house, ana) if row.status == "SUPPRESSED"]
    assert [(row.kind, row.error) for row in hidden] == [("OUTBID", repository.SUPERSEDED)]
    mails = [row.status for row in await rows(house, ana, "EMAIL") if row.kind == "OUTBID"]
    assert mails == ["SUPPRESSED", "PENDING"]


async def test_a_bid_taken_out_is_told_to_its_bidder_and_to_who_leads_again(
    house: House, engine: AuctionEngine
) -> None:
    ana, ben = await a_user(house, "ana"), await a_user(house, "ben")
    lot = await an_open_lot(house, engine)
    await bid(engine, lot, ana, "1")
    answer = await bid(engine, lot, ben, "1.5")
    await step(engine, lot, "VOID_BID", actor=ana, reason="a typing error", bid=answer.bid)
    async with told(house, dispatchers=False):
        await caught_up(house)
    assert await kinds(house, ben) == ["BID_ACCEPTED", "BID_VOIDED"]
    assert await kinds(house, ana) == ["BID_ACCEPTED", "OUTBID", "BID_VOIDED"]
    assert "a typing error" in (await rows(house, ben))[-1].body


async def test_preferences_are_kept_checked_and_announced(house: House, client: httpx.AsyncClient) -> None:
    ana, her = await signed_in(client, "ana")
    url = "/api/v1/me/preferences"
    assert (await client.get(url)).status_code == 401
    first = (await client.get(url, headers=her)).json()
    Preferences.model_validate(first)
    assert first["notifications"] is True
    assert first["quiet_hours"] is None
    wanted = {"time_zone": "Europe/Berlin", "quiet_hours": {"from": "22:00", "to": "07:00"}, "theme": "dark"}
    changed = await client.patch(url, json=wanted, headers=her)
    assert changed.status_code == 200, changed.text
    assert changed.json() == first | wanted == (await client.get(url, headers=her)).json()
    for wrong in (
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../etc/passwd"},
        {"time_zone": "Europe"},
        {"quiet_hours": {"from": "22:00", "to": "22:00"}},
        {"quiet_hours": {"from": "25:00", "to": "07:00"}},
        {"quiet_hours": {"from": "22:00"}},
        {"notifications": None},
        {"theme": "pink"},
        {"locale": "english please"},
        {"salary": 1},
    ):
        refused = await client.patch(url, json=wrong, headers=her)
        assert refused.status_code == 422, (wrong, refused.text)
    assert (await client.get(url, headers=her)).json() == changed.json()
    assert (await client.patch(url, json={"quiet_hours": None}, headers=her)).json()["quiet_hours"] is None
    assert (await client.patch(url, json={}, headers=her)).status_code == 200
    events = [event.decoded() for event in await whole_log(house.database_url) if event.type == "user:preference"]
    assert [event["changed"] for event in events] == [["quiet_hours", "theme", "time_zone"], ["quiet_hours"]]
    assert {event["user"] for event in events} == {str(ana)}


async def test_what_is_turned_off_is_not_written_and_quiet_hours_hold_mail_back(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient
) -> None:
    ana, her = await signed_in(client, "ana")
    ben, his = await signed_in(client, "ben")
    cat, hers = await signed_in(client, "cat")
    for user, name in ((ana, "ana"), (ben, "ben"), (cat, "cat")):
        await with_email(house, user, f"{name}@people.example")
    url = "/api/v1/me/preferences"
    await client.patch(url, json={"bid_confirmations": False, "outbid_alerts": False}, headers=her)
    await client.patch(url, json={"notifications": False}, headers=his)
    everywhen = {"from": "00:00", "to": "23:59"}
    await client.patch(url, json={"quiet_hours": everywhen, "time_zone": "Asia/Tokyo"}, headers=hers)
    lot = await an_open_lot(house, engine)
    for who, amount in ((ana, "1"), (ben, "1.5"), (cat, "2"), (ben, "3")):
        await bid(engine, lot, who, amount)
    await step(engine, lot, "END", actor=ana)
    await advanced_until(house, engine, lot, "ENDED")
    async with told(house, dispatchers=False):
        await caught_up(house)
        await eventually(lambda: kinds(house, ana), "ana hears who won")
    assert await kinds(house, ana) == ["LOST"]
    # what binds him reaches him here, and only here
    assert await kinds(house, ben) == ["WON"]
    assert await rows(house, ben, "EMAIL") == []
    waiting = [row for row in await rows(house, cat, "EMAIL") if row.status == "PENDING"]
    assert {row.kind for row in waiting} == {"BID_ACCEPTED", "OUTBID", "LOST"}
    for row in waiting:
        wall = row.next_attempt_at.astimezone(ZoneInfo("Asia/Tokyo"))
        assert (wall.hour, wall.minute) == (23, 59)


async def test_a_mail_is_whole_and_its_link_unsubscribes_in_one_click(
    house: House, client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    ana, her = await signed_in(client, "ana")
    await with_email(house, ana, "ana@people.example")
    await tell(house, ana, title="You won <Lot 1> & more", body='A "body" <b>', path="/auctions/1")
    async with told(house):
        mail = (await eventually(lambda: _later(mailbox.mails), "the mail"))[0]
        assert mail["From"] == "The house <house@house.example>"
        assert mail["Subject"] == "You won <Lot 1> & more"
        (row,) = await rows(house, ana, "EMAIL")
        assert mail["Message-ID"] == f"<{row.id}@house.example>"
        plain, rich = mail.get_body(("plain",)), mail.get_body(("html",))
        assert plain is not None
        assert rich is not None
        assert 'A "body" <b>' in plain.get_content()
        assert "http://house.test/auctions/1" in plain.get_content()
        assert "&lt;Lot 1&gt; &amp; more" in rich.get_content()
        assert "<b>" not in rich.get_content()
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        link = mail["List-Unsubscribe"].strip("<>")
        # programs that look at links change nothing
        page = await client.get(link)
        assert page.status_code == 200
        assert "form" in page.text
        assert (await client.get("/api/v1/me/preferences", headers=her)).json()["by_email"] is True
        done = await client.post(link, content="List-Unsubscribe=One-Click")
        assert done.status_code == 200, done.text
        assert (await client.get("/api/v1/me/preferences", headers=her)).json()["by_email"] is False
        assert (await client.post(link)).status_code == 200
        await tell(house, ana)
        assert len(await rows(house, ana)) == 2
        assert len(await rows(house, ana, "EMAIL")) == 1
        forged = re.sub("token=(.)", lambda found: "token=" + ("A" if found[1] != "A" else "B"), link)
        for wrong in (forged, link[:-1], "/api/v1/unsubscribe", f"/api/v1/unsubscribe?token={'<' * 107}"):
            assert (await client.post(wrong)).status_code == 422
            assert (await client.get(wrong)).status_code == 422
        nobody = unsubscribe.token(house.key(), ids.new_id())
        assert (await client.post(f"/api/v1/unsubscribe?token={nobody}")).status_code == 200


async def test_an_address_gets_one_question_and_nothing_else_until_it_says_yes(
    house: House, client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    ana, _ = await signed_in(client, "ana")
    await with_email(house, ana, "ana@people.example", confirmed=False)
    for _ in range(3):
        await tell(house, ana)

    async def done() -> bool:
        return all(row.status == "SUPPRESSED" for row in await rows(house, ana, "EMAIL"))

    async with running(dispatcher(house, mailbox_port(house)).run()):
        await eventually(done, "the address is asked")
        await tell(house, ana)
        await eventually(done, "and not asked again")
        (question,) = mailbox.mails
        assert question["Subject"] == "Do you want e-mail from the house?"
        plain = question.get_body(("plain",))
        assert plain is not None
        found = re.search(r"http://house\.test(/api/v1/confirm-email\?token=\S+)", plain.get_content())
        assert found is not None
        link = found[1]
        assert "form" in (await client.get(link)).text
        await tell(house, ana)
        await eventually(done, "looking at the page says nothing yet")
        # the link of another mail is no yes, nor is a link for another address
        unsubscribing = f"/api/v1/confirm-email?token={unsubscribe.token(house.key(), ana)}"
        for wrong in (link[:-2], unsubscribing, "/api/v1/confirm-email"):
            assert (await client.post(wrong)).status_code == 422
        await with_email(house, ana, "mallory@people.example", confirmed=False)
        assert (await client.post(link)).status_code == 422
        await with_email(house, ana, "ana@people.example", confirmed=False)
        assert (await client.post(link)).status_code == 200
        await tell(house, ana)
        await eventually(lambda: _later(len(mailbox.mails) == 2), "the mail")
    assert mailbox.mails[1]["Subject"] == "You won"


async def test_nobody_gets_more_than_so_many_mails_an_hour_but_what_binds(
    house: House, mailbox: Mailbox, connection: Any
) -> None:
    (ana,) = await some_people(house, 1)
    await connection.execute(
        "insert into notifications (id, user_id, reminds_of, kind, channel, title, status, sent_at)"
        " select gen_random_uuid(), $1, gen_random_uuid(), 'CAMPAIGN_NEWS', 'EMAIL', 'x', 'SENT', now()"
        " from generate_series(1, $2)",
        ana,
        HOURLY_MAX,
    )
    await tell(house, ana, kind=NotificationKind.CAMPAIGN_NEWS)
    await tell(house, ana, kind=NotificationKind.WON)

    async def done() -> bool:
        return not [row for row in await rows(house, ana, "EMAIL") if row.status == "PENDING"]

    async with running(dispatcher(house, mailbox_port(house)).run()):
        await eventually(done, "both are decided")
    assert len(mailbox.mails) == 1
    assert mailbox.mails[0]["Subject"] == "You won"
    assert [row.error for row in await rows(house, ana, "EMAIL") if row.status == "SUPPRESSED"] == [TOO_MANY]


async def test_what_was_turned_off_while_it_waited_is_not_sent(
    house: House, client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    ana, her = await signed_in(client, "ana")
    await with_email(house, ana, "ana@people.example")
    await tell(house, ana)
    await client.patch("/api/v1/me/preferences", json={"by_email": False}, headers=her)
    async with running(dispatcher(house, mailbox_port(house)).run()):

        async def look() -> bool:
            return (await rows(house, ana, "EMAIL"))[0].status == "SUPPRESSED"

        await eventually(look, "the mail is dropped")
    assert mailbox.mails == []


async def test_an_outbid_that_is_not_true_any_more_is_not_mailed(
    house: House, engine: AuctionEngine, mailbox: Mailbox
) -> None:
    ana, ben = await a_user(house, "ana"), await a_user(house, "ben")
    await with_email(house, ana, "ana@people.example")
    lot = await an_open_lot(house, engine)
    for who, amount in ((ana, "1"), (ben, "1.5"), (ana, "2")):
        await bid(engine, lot, who, amount)
    async with told(house):

        async def look() -> bool:
            return [r.status for r in await rows(house, ana, "EMAIL") if r.kind == "OUTBID"] == ["SUPPRESSED"]

        await eventually(look, "the stale alert is dropped")
    assert mailbox.mails == []


# --- the dispatcher ---------------------------------------------------------------------------------------------------


async def tell(
    house: House,
    *users: UUID,
    title: str = "You won",
    body: str = "It is yours.",
    path: str = "/",
    kind: NotificationKind = NotificationKind.WON,
) -> None:
    """One notification for each, from an event of the log."""
    event = (await a_logged_event(house)).id
    connection = await connect(house.database_url, name="test")
    try:
        notices = [Notice(user=user, kind=kind, title=title, body=body, path=path) for user in users]
        async with connection.transaction():
            await repository.tell(connection, notices, house.now(), event=event)
    finally:
        await connection.close()


async def a_logged_event(house: House, *, campaign: bool = False) -> Any:
    """Somebody's changed preference, or the start of a campaign that is not there."""
    who = ids.new_id()
    if campaign:
        data: dict[str, Any] = {"name": "None", "collection": str(ids.new_id()), "days": 1, "version": 1}
        record = log.event("campaign:start", f"campaign:{who}", data, at=house.now())
    else:
        data = {"user": str(who), "changed": ["theme"]}
        record = log.event("user:preference", f"user:{who}", data, at=house.now())
    async with house.engine.begin() as connection:
        await log.append(connection, [record])
    return record


def mailbox_port(house: House) -> int:
    assert house.settings.smtp_url is not None
    return parse_server(house.settings.smtp_url.get_secret_value()).port


def outbox(house: House, port: int, backoff_s: tuple[float, ...] = SOON) -> EmailOutbox:
    server = SmtpServer(host="127.0.0.1", port=port, user=None, password=None, tls=False, start_tls=None)
    return EmailOutbox(
        SystemClock(),
        server=server,
        sender="house@house.example",
        public_url="http://house.test",
        key=house.key(),
        backoff_s=backoff_s,
    )


def dispatcher(house: House, port: int, backoff_s: tuple[float, ...] = SOON) -> Dispatcher:
    return Dispatcher(house.database_url, outbox(house, port, backoff_s))


async def all_are(house: House, users: list[UUID], status: str) -> bool:
    found = [row for user in users for row in await rows(house, user, "EMAIL")]
    return all(row.status == status for row in found)


async def some_people(house: House, count: int) -> list[UUID]:
    users = [await a_user(house) for _ in range(count)]
    for number, user in enumerate(users):
        await with_email(house, user, f"p{number}@people.example")
    return users


async def test_two_dispatchers_send_each_mail_once(house: House, mailbox: Mailbox) -> None:
    users = await some_people(house, 25)
    await tell(house, *users)
    port = mailbox_port(house)
    async with running(dispatcher(house, port).run(), dispatcher(house, port).run()):
        await eventually(lambda: all_are(house, users, "SENT"), "all mails are sent")
    assert sorted(mail["To"] for mail in mailbox.mails) == sorted(f"p{n}@people.example" for n in range(25))
    sent = [
        event.decoded()
        for event in await whole_log(house.database_url)
        if event.type == "user:notified" and event.decoded()["channel"] == "EMAIL"
    ]
    assert len(sent) == 25
    assert {one["status"] for one in sent} == {"SENT"}


async def test_a_mail_whose_dispatcher_died_after_sending_is_sent_again_with_the_same_id(
    house: House, mailbox: Mailbox, connection: Any
) -> None:
    (user,) = await some_people(house, 1)
    await tell(house, user)
    box = outbox(house, mailbox_port(house))
    (claimed,) = await box.claim(connection, 10)
    await box.send(claimed)  # and here it dies
    assert await box.claim(connection, 10) == []
    async with running(dispatcher(house, mailbox_port(house)).run()):
        await asyncio.sleep(0.3)
        assert len(mailbox.mails) == 1  # the lease holds
        await connection.execute("update notifications set next_attempt_at = now() where channel = 'EMAIL'")
        await eventually(lambda: all_are(house, [user], "SENT"), "it is taken up")
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"]
    # the one thought dead comes back: the row is not its any more
    async with connection.transaction():
        await box.finish(connection, claimed, TryAgain("late"))
    assert await all_are(house, [user], "SENT")


async def test_a_dispatcher_stopped_in_the_middle_leaves_its_mails_to_the_next(
    house: House, mailbox: Mailbox, connection: Any
) -> None:
    users = await some_people(house, 3)
    await tell(house, *users)
    mailbox.gate.clear()
    port = mailbox_port(house)

    async def claimed() -> bool:
        return bool(await connection.fetchval("select bool_or(attempts > 0) from notifications"))

    async with running(dispatcher(house, port).run()):
        await eventually(claimed, "the mails are under way")
    mailbox.gate.set()
    await connection.execute("update notifications set next_attempt_at = now() where status = 'PENDING'")
    async with running(dispatcher(house, port).run()):
        await eventually(lambda: all_are(house, users, "SENT"), "the next one sends them")
    assert {mail["To"] for mail in mailbox.mails} == {f"p{n}@people.example" for n in range(3)}


async def test_a_mail_waits_for_a_server_that_is_down_and_is_given_up_after_so_many_tries(
    house: House, connection: Any
) -> None:
    ana, ben = await some_people(house, 2)
    later = Mailbox()
    with mail_server(Mailbox()) as port:
        pass  # a port where nobody listens now
    await tell(house, ana)
    waits = (0.05,) * 200
    async with running(dispatcher(house, port, waits).run()):

        async def tried() -> bool:
            (row,) = await rows(house, ana, "EMAIL")
            return row.attempts >= 2 and "does not answer" in row.error

        await eventually(tried, "two tries fail")
        with mail_server(later, port):
            await eventually(lambda: all_are(house, [ana], "SENT"), "the mail goes out")
    assert len(later.mails) == 1

    await tell(house, ben)
    async with running(dispatcher(house, port, (0.0, 0.0)).run()):
        await eventually(lambda: all_are(house, [ben], "FAILED"), "it is given up")
    (row,) = await rows(house, ben, "EMAIL")
    assert row.attempts == 3
    last = (await whole_log(house.database_url))[-1].decoded()
    assert (last["notification"], last["status"]) == (str(row.id), "FAILED")
    assert ATTEMPTS_MAX == 8


async def test_an_address_refused_for_good_is_not_tried_again_and_one_put_off_is(
    house: House, mailbox: Mailbox
) -> None:
    ana, ben = await some_people(house, 2)
    port = mailbox_port(house)
    mailbox.answers = ["550 no such person"]
    await tell(house, ana)
    async with running(dispatcher(house, port).run()):
        await eventually(lambda: all_are(house, [ana], "FAILED"), "it is given up")
        mailbox.answers = ["450 later"]
        await tell(house, ben)
        await eventually(lambda: all_are(house, [ben], "SENT"), "it is tried again")
    (refused,), (put_off,) = await rows(house, ana, "EMAIL"), await rows(house, ben, "EMAIL")
    assert (refused.attempts, put_off.attempts) == (1, 2)
    assert "550" in refused.error
    assert "@" not in refused.error


async def test_a_killed_send_is_counted_and_does_not_go_on_for_ever(house: House, connection: Any) -> None:
    (ana,) = await some_people(house, 1)
    await tell(house, ana)
    box = outbox(house, 1)
    for _ in range(len(SOON) + 1):
        assert len(await box.claim(connection, 10)) == 1
        await connection.execute("update notifications set next_attempt_at = now() where status = 'PENDING'")
    async with running(Dispatcher(house.database_url, box).run()):
        await eventually(lambda: all_are(house, [ana], "FAILED"), "it is given up")


async def test_a_broadcast_that_cannot_be_told_becomes_a_dead_letter_and_holds_nobody_up(
    house: House, engine: AuctionEngine, connection: Any
) -> None:
    ana, ben = await a_user(house, "ana"), await a_user(house, "ben")
    lot = await an_open_lot(house, engine)
    await bid(engine, lot, ana, "1")
    await bid(engine, lot, ben, "2")
    await step(engine, lot, "END", actor=ana)
    await advanced_until(house, engine, lot, "ENDED")
    bad = await a_logged_event(house, campaign=True)
    await connection.execute(
        "insert into broadcasts (event_id, created_at) values ($1, now() - interval '1 hour')", bad.id
    )
    async with told(house, dispatchers=False):
        await eventually(lambda: kinds_with(house, ana, "LOST"), "the others are told")
    letter = await connection.fetchrow("select consumer, event_id from dead_letters")
    assert (letter["consumer"], letter["event_id"]) == (CONSUMER, bad.id)


async def kinds_with(house: House, user: UUID, kind: str) -> bool:
    return kind in await kinds(house, user)


async def test_news_older_than_a_day_is_not_told(house: House, engine: AuctionEngine) -> None:
    ana = await a_user(house, "ana", role=Role.BIDDER)
    lot = await an_open_lot(house, engine)
    await bid(engine, lot, ana, "1")

    class Tomorrow(SystemClock):
        def now(self) -> int:
            return super().now() + 25 * 3_600_000

    desk = house.notify_desk()
    desk.clock = Tomorrow()
    async with running(desk.consumers()[0].run()):
        await caught_up(house)
    assert await rows(house, ana) == []


def test_the_mail_server_of_a_url() -> None:
    assert parse_server("smtps://me:p%40ss@mail.example").port == 465
    assert parse_server("smtps://me:p%40ss@mail.example").password == "p@ss"
    # a password goes through TLS only, except to this very machine
    assert parse_server("smtp://me:secret@mail.example").start_tls is True
    assert parse_server("smtp://me:secret@localhost:25").start_tls is None
    assert "secret" not in repr(parse_server("smtp://me:secret@mail.example"))
    for wrong in ("mail.example:25", "http://mail.example", "smtp://", "smtp://h:port", "smtp://h/path"):
        with pytest.raises(ConfigurationError, match="SOTHEBAIS_SMTP_URL"):
            parse_server(wrong)
