"""Following things, being reminded of them, and news for everybody who follows."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from tests.fakes.house import MINUTE, a_lot, a_user, advance, eventually, running, signed_in, step, whole_log

from sothebais import ids
from sothebais.api.models.notifications import FollowPage
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.catalog.tables import Collection
from sothebais.clock import SystemClock, to_datetime
from sothebais.config import Settings
from sothebais.events import log
from sothebais.notify import announcer, service
from sothebais.notify.announcer import Announcer
from sothebais.notify.rules import REMINDER_LATE_MS_MAX
from sothebais.notify.tables import Follow

HOUR = 60 * MINUTE


class SetClock(SystemClock):
    """The machine's clock, put forward."""

    ahead = 0

    def now(self) -> int:
        return super().now() + self.ahead


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"smtp_url": None})


async def a_campaign(
    house: House, *, begins_in: int, days: int = 1, status: str = "SCHEDULED"
) -> tuple[UUID, list[UUID]]:
    """A campaign whose days lie an hour apart; its id and theirs."""
    campaign, collection = ids.new_id(), ids.new_id()
    made = [ids.new_id() for _ in range(days)]
    begins = house.now() + begins_in
    async with house.engine.begin() as connection:
        await connection.execute(
            sa.insert(Collection).values(id=collection, slug=f"c-{collection}", name="Spring pieces")
        )
        await connection.execute(
            sa.text(
                "insert into campaigns (id, slug, name, collection_id, starts_on, ends_on, time_zone, status, rules, daily)"
                " values (:id, :slug, 'Spring', :collection, '2026-03-01', '2026-03-31', 'UTC', :status, '{}', '{}')"
            ),
            {"id": campaign, "slug": f"s-{campaign}", "collection": collection, "status": status},
        )
        for number, day in enumerate(made, 1):
            at = begins + (number - 1) * HOUR
            times = [to_datetime(at + minutes * MINUTE) for minutes in (0, 5, 30, 40)]
            await connection.execute(
                sa.text(
                    "insert into campaign_days (id, campaign_id, number, date, pre_auction_at, auction_at, post_auction_at,"
                    " ends_at) values (:id, :campaign, :number, :on, :a, :b, :c, :d)"
                ),
                {
                    "id": day,
                    "campaign": campaign,
                    "number": number,
                    "on": date(2026, 3, number),
                    **dict(zip("abcd", times, strict=True)),
                },
            )
    return campaign, made


async def reminded(house: House, user: UUID) -> list[tuple[str, str]]:
    statement = sa.text(
        "select kind, title from notifications where user_id = :user and channel = 'IN_APP' and status = 'SENT' order by id"
    )
    async with house.engine.connect() as connection:
        return [(row.kind, row.title) for row in await connection.execute(statement, {"user": user})]


async def test_lots_campaigns_and_days_are_followed_and_left(house: House, client: httpx.AsyncClient) -> None:
    _, her = await signed_in(client, "ana")
    lot = await a_lot(house, opens_in=HOUR)
    campaign, _ = await a_campaign(house, begins_in=HOUR, days=2)
    draft, _ = await a_campaign(house, begins_in=HOUR, status="DRAFT")
    base = "/api/v1"
    for path in (f"/auctions/{lot}", f"/campaigns/{campaign}", f"/campaigns/{campaign}/days/2"):
        assert (await client.post(f"{base}{path}/follow")).status_code == 401
        answer = await client.post(f"{base}{path}/follow", headers=her)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"following": True, "remind_before_s": 900}
    again = await client.post(f"{base}/auctions/{lot}/follow", json={"remind_before_s": 60}, headers=her)
    assert again.json()["remind_before_s"] == 60
    page = (await client.get(f"{base}/me/follows", headers=her)).json()
    FollowPage.model_validate(page)
    assert [(item["auction"], item["campaign"], item["day"], item["title"]) for item in page["items"]] == [
        (str(lot), None, None, "Lot 1"),
        (None, str(campaign), None, "Spring"),
        (None, str(campaign), 2, "Spring"),
    ]
    assert page["items"][0]["remind_before_s"] == 60
    nothing = (f"/auctions/{ids.new_id()}", "/auctions/x", f"/campaigns/{ids.new_id()}", f"/campaigns/{draft}")
    for path in (*nothing, f"/campaigns/{campaign}/days/3", f"/campaigns/{draft}/days/1"):
        assert (await client.post(f"{base}{path}/follow", headers=her)).status_code == 404, path
    assert (
        await client.post(f"{base}/auctions/{lot}/follow", json={"remind_before_s": 604_801}, headers=her)
    ).status_code == 422
    for _ in range(2):
        for path in (f"/auctions/{lot}", f"/campaigns/{campaign}", f"/campaigns/{campaign}/days/2"):
            assert (await client.delete(f"{base}{path}/follow", headers=her)).status_code == 204
    assert (await client.get(f"{base}/me/follows", headers=her)).json() == {"items": [], "next": None}


async def test_nobody_follows_more_than_so_many_things(
    house: House, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "FOLLOWS_MAX", 2)
    _, her = await signed_in(client, "ana")
    lots = [await a_lot(house, opens_in=HOUR) for _ in range(3)]
    codes = [(await client.post(f"/api/v1/auctions/{lot}/follow", headers=her)).status_code for lot in lots]
    assert codes == [200, 200, 409]
    assert (await client.post(f"/api/v1/auctions/{lots[0]}/follow", headers=her)).status_code == 200
    assert len((await client.get("/api/v1/me/follows", headers=her)).json()["items"]) == 2


async def follow(house: House, user: UUID, remind_before_s: int = 900, **thing: UUID) -> None:
    async with house.engine.begin() as connection:
        await service.follow(connection, user, thing, remind_before_s)


async def test_a_reminder_comes_in_time_once_moves_with_its_lot_and_never_after_it(
    house: House, engine: AuctionEngine, connection: Any
) -> None:
    ana, ben, cat = [await a_user(house, name) for name in ("ana", "ben", "cat")]
    clock = SetClock()
    work = Announcer(house.database_url, clock, email=False)
    lot = await a_lot(house, opens_in=HOUR)
    over = await a_lot(house, opens_in=HOUR)
    await follow(house, ana, auction_id=lot)
    await follow(house, ana, auction_id=over)
    # who follows later than the reminder's time is told when it opens
    await follow(house, ben, 4 * 3_600, auction_id=lot)
    await follow(house, cat, auction_id=lot)
    async with house.engine.begin() as made:
        await service.set_preferences(made, cat, {"auction_reminders": False}, house.now())
    await work.look(connection)
    assert await reminded(house, ana) == []
    # the lot is put off: what would have been due is not
    now = house.now()
    await step(
        engine, lot, "MOVE", actor=ana, starts_at=now + 2 * HOUR, ends_at=now + 3 * HOUR, hard_close_at=now + 3 * HOUR
    )
    await step(engine, over, "CANCEL", actor=ana)
    clock.ahead = 50 * MINUTE
    await work.look(connection)
    assert await reminded(house, ana) == []
    clock.ahead = 2 * HOUR - 10 * MINUTE
    for _ in range(3):
        await work.look(connection)
    assert await reminded(house, ana) == [("AUCTION_REMINDER", "Lot 1 “Lot 1” opens soon")]
    assert await reminded(house, ben) == []
    # brought forward again after the reminder: it was sent, it is not sent again
    await step(
        engine, lot, "MOVE", actor=ana, starts_at=now + HOUR, ends_at=now + 3 * HOUR, hard_close_at=now + 3 * HOUR
    )
    await work.look(connection)
    assert len(await reminded(house, ana)) == 1
    # far too late for Ben now
    assert await reminded(house, ben) == []
    assert await reminded(house, cat) == []
    reminders = [event for event in await whole_log(house.database_url) if event.type == "user:notified"]
    assert len(reminders) == 1


@pytest.mark.parametrize(
    ("late", "told"), [(0, True), (REMINDER_LATE_MS_MAX - 5_000, True), (REMINDER_LATE_MS_MAX, False)]
)
async def test_a_reminder_is_late_by_no_more_than_its_bound(
    house: House, connection: Any, late: int, told: bool
) -> None:
    ana = await a_user(house, "ana")
    clock = SetClock()
    lot = await a_lot(house, opens_in=HOUR)
    await follow(house, ana, auction_id=lot)
    clock.ahead = HOUR + late
    await Announcer(house.database_url, clock, email=False).look(connection)
    assert bool(await reminded(house, ana)) is told


async def test_a_lot_that_opened_and_ended_is_not_reminded_of(
    house: House, engine: AuctionEngine, connection: Any
) -> None:
    ana = await a_user(house, "ana")
    lot = await a_lot(house)
    await follow(house, ana, 0, auction_id=lot)
    await advance(engine, lot)
    await step(engine, lot, "CANCEL", actor=ana)
    await Announcer(house.database_url, SystemClock(), email=False).look(connection)
    assert await reminded(house, ana) == []


async def test_sessions_are_reminded_of_once_whether_day_or_campaign_or_both_are_followed(
    house: House, connection: Any
) -> None:
    ana, ben = await a_user(house, "ana"), await a_user(house, "ben")
    campaign, (first, second) = await a_campaign(house, begins_in=2 * HOUR, days=2)
    await follow(house, ana, campaign_id=campaign)
    await follow(house, ana, campaign_day_id=first)
    await follow(house, ben, campaign_day_id=second)
    clock = SetClock()
    work = Announcer(house.database_url, clock, email=False)
    clock.ahead = 2 * HOUR - 5 * MINUTE
    for _ in range(2):
        await work.look(connection)
    assert await reminded(house, ana) == [("SESSION_REMINDER", "Session 1 of Spring begins soon")]
    assert await reminded(house, ben) == []
    clock.ahead = 3 * HOUR - 5 * MINUTE
    await work.look(connection)
    assert [title for _, title in await reminded(house, ana)][1:] == ["Session 2 of Spring begins soon"]
    assert await reminded(house, ben) == [("SESSION_REMINDER", "Session 2 of Spring begins soon")]


async def test_many_followers_are_told_page_by_page_in_transactions_of_their_own(
    house: House, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, _ = await a_campaign(house, begins_in=10 * HOUR)
    people = announcer.PAGE_MAX + 3
    await connection.execute(
        "insert into users (id, name) select gen_random_uuid(), 'p' || n from generate_series(1, $1) n", people
    )
    await connection.execute(
        "insert into follows (id, user_id, campaign_id) select gen_random_uuid(), id, $1 from users", campaign
    )
    data = {"name": "Spring", "collection": str(ids.new_id()), "days": 1, "version": 1}
    async with house.engine.begin() as made:
        await log.append(made, [log.event("campaign:start", f"campaign:{campaign}", data, at=house.now())])
    desk = house.notify_desk()
    work = desk.announcer()
    count = "select count(*) from notifications where kind = 'CAMPAIGN_NEWS'"
    async with running(desk.consumers()[0].run()):
        await eventually(
            lambda: connection.fetchval("select exists (select 1 from broadcasts)"), "the news waits to be told"
        )
    assert await work.look(connection)
    assert await connection.fetchval(count) == announcer.PAGE_MAX
    assert await work.look(connection)
    assert await connection.fetchval(count) == people
    assert not await work.look(connection)
    assert await connection.fetchval("select count(distinct user_id) from notifications") == people


async def test_two_announcers_tell_everybody_once(house: House, connection: Any) -> None:
    ana = await a_user(house, "ana")
    lot = await a_lot(house, opens_in=MINUTE)
    async with house.engine.begin() as made:
        await service.follow(made, ana, {"auction_id": lot}, 900)
        # followed an hour ago
        await made.execute(sa.update(Follow).values(created_at=to_datetime(house.now() - HOUR)))
    announcers = [house.notify_desk().announcer() for _ in range(2)]
    async with running(*(one.run() for one in announcers)):
        await eventually(lambda: reminded(house, ana), "the reminder")
        await asyncio.sleep(0.1)
    assert len(await reminded(house, ana)) == 1
