"""Campaigns over HTTP: the document of the campaign file as JSON, who sees a draft, the steps, the calendar."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import icalendar
import sqlalchemy as sa
from tests.fakes.house import a_collection, a_user, signed_in
from tests.fakes.trials import rows_of

from sothebais.bootstrap import House
from sothebais.catalog.tables import Collection
from sothebais.users.tables import Role

API = "/api/v1"
#: The last Sunday of March 2031: the clocks of Berlin go from 2:00 to 3:00.
SPRING = date(2031, 3, 30)


def document(collection: str, **more: Any) -> dict[str, Any]:
    """A campaign of three evenings around the change of the clocks."""
    return {
        "name": "Evenings",
        "collection": collection,
        "dates": {"start": str(SPRING - timedelta(1)), "end": str(SPRING + timedelta(1))},
        "time_zone": "Europe/Berlin",
        "daily": {
            "pre_auction": "18:00",
            "auction": "18:15",
            "lot_duration": "10m",
            "lots_per_day": 2,
            "post_auction": "5m",
        },
        "rules": {"currency": "ETH", "starting_price": "0.5", "reserve": "7.77"},
    } | more


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    return body


async def staff(house: House, client: httpx.AsyncClient, handle: str = "olga", role: Role = Role.OPERATOR) -> Any:
    user = await a_user(house, handle, role=role)
    _, headers = await signed_in(client, handle)
    return user, headers


async def test_a_campaign_is_made_from_the_document_started_and_cancelled(
    house: House, client: httpx.AsyncClient
) -> None:
    _, operator = await staff(house, client)
    slug, _ = await a_collection(house, 6)
    items = {"3": {"reserve": None, "starting_price": "1"}}
    made = await client.post(
        f"{API}/campaigns", json=document(slug, items=items, order={"shuffled": 7}), headers=operator
    )
    assert made.status_code == 201, made.text
    campaign = made.json()
    assert (campaign["slug"], campaign["status"], campaign["collection"]) == ("evenings", "DRAFT", slug)
    assert "7.77" not in made.text
    reserves = await rows_of(house, "select reserve from auction_secrets")
    assert len(reserves) == 5

    path = f"{API}/campaigns/{campaign['id']}"
    texts = {"name": "Better evenings", "description": "Three.\nOf them."}
    changed = await client.patch(path, json=texts, headers=operator)
    assert (changed.json()["name"], changed.json()["description"]) == tuple(texts.values())
    started = await client.post(f"{path}/start", headers=operator)
    assert (started.status_code, started.json()["status"]) == (200, "SCHEDULED")
    is_problem(await client.post(f"{path}/start", headers=operator), 409, "ILLEGAL_TRANSITION")
    is_problem(await client.patch(path, json={"name": "X"}, headers=operator), 409, "ILLEGAL_TRANSITION")
    for body in ({}, {"reason": " "}, {"reason": "x" * 501}, {"reason": "a", "more": 1}):
        is_problem(await client.post(f"{path}/cancel", json=body, headers=operator), 422, "INVALID_INPUT")
    cancelled = await client.post(f"{path}/cancel", json={"reason": "Rain."}, headers=operator)
    assert (cancelled.json()["lots_cancelled"], cancelled.json()["campaign"]["status"]) == (6, "CANCELLED")
    is_problem(
        await client.post(f"{path}/cancel", json={"reason": "Rain."}, headers=operator), 409, "ILLEGAL_TRANSITION"
    )
    audit = await rows_of(house, "select action, reason from audit where subject like 'campaign:%' order by at, id")
    assert [row["action"] for row in audit][:3] == ["campaign.create", "campaign.change", "campaign.start"]
    assert {"Rain."} == {row["reason"] for row in audit[3:]}


async def test_a_fault_in_the_document_is_named_by_its_field_and_nothing_is_written(
    house: House, client: httpx.AsyncClient
) -> None:
    _, operator = await staff(house, client)
    slug, _ = await a_collection(house, 6)
    good = document(slug)
    daily, rules = good["daily"], good["rules"]
    for wrong, field in (
        ({"daily": daily | {"auction": "25:00"}}, "daily.auction"),
        ({"daily": daily | {"lots_per_day": 9}}, "daily.lots_per_day"),
        ({"rules": rules | {"increment": 0.5}}, "rules.increment"),
        ({"rules": rules | {"increment": {"percent": {"percent": "1"}}}}, "increment"),
        ({"rules": rules | {"closing_grace": "1s"}}, "rules.closing_grace"),
        ({"rules": rules | {"currency": "XYZ"}}, "rules.currency"),
        ({"rules": rules | {"starting_price": "0"}}, "starting_price"),
        ({"time_zone": "Europe/Berln"}, "time_zone"),
        ({"dates": ["2031-13-01"]}, "dates"),
        ({"dates": ["2021-03-01"]}, "dates"),
        ({"fees": {"premium_percent": "101"}}, "premium_percent"),
        ({"items": {"99": {"starting_price": "1"}}}, "items.99"),
        ({"order": ["1"]}, "daily.lots_per_day"),
        ({"slug": "Not a slug"}, "slug"),
        ({"name": "\u0000"}, "name"),
    ):
        answer = await client.post(f"{API}/campaigns", json=good | wrong, headers=operator)
        body = is_problem(answer, 422, "INVALID_AMOUNT" if "AMOUNT" in answer.text else "INVALID_INPUT")
        assert field in body["detail"], body
        assert "7.77" not in str(body)
        assert "line" not in body
    is_problem(await client.post(f"{API}/campaigns", json=document("none"), headers=operator), 404, "NOT_FOUND")
    assert (await rows_of(house, "select count(*) as n from campaigns"))[0]["n"] == 0


async def test_a_draft_is_seen_by_operators_and_by_the_owner_of_what_it_sells(
    house: House, client: httpx.AsyncClient
) -> None:
    _, operator = await staff(house, client)
    owner_id, owner = await staff(house, client, "owner", Role.OWNER)
    _, other = await staff(house, client, "other", Role.OWNER)
    _, bidder = await signed_in(client, "bo")
    slug, _ = await a_collection(house, 6)
    async with house.engine.begin() as connection:
        await connection.execute(sa.update(Collection).values(seller_id=owner_id))
    campaign = (await client.post(f"{API}/campaigns", json=document(slug), headers=operator)).json()
    for name, headers, sees in (
        ("operator", operator, True), ("owner", owner, True), ("other", other, False), ("bidder", bidder, False),
        ("anybody", {}, False),
    ):  # fmt: skip
        for path in ("", "/days", "/calendar.ics"):
            for key in (campaign["id"], campaign["slug"]):
                answer = await client.get(f"{API}/campaigns/{key}{path}", headers=headers)
                assert (answer.status_code == 200) is sees, (name, path, answer.text)
        listed = (await client.get(f"{API}/campaigns", headers=headers)).json()
        assert len(listed["items"]) == sees
    for headers in (owner, bidder):
        is_problem(await client.post(f"{API}/campaigns", json=document(slug), headers=headers), 403, "FORBIDDEN")
        is_problem(await client.post(f"{API}/campaigns/{campaign['id']}/start", headers=headers), 403, "FORBIDDEN")
    await client.post(f"{API}/campaigns/{campaign['id']}/start", headers=operator)
    assert len((await client.get(f"{API}/campaigns")).json()["items"]) == 1
    found = await client.get(f"{API}/campaigns/{campaign['id']}")
    same = await client.get(f"{API}/campaigns/{campaign['id']}", headers={"if-none-match": found.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    for key in ("%00", "..%2f", "x" * 81, "019d3c5e-0000-7000-8000-000000000000"):
        is_problem(await client.get(f"{API}/campaigns/{key}"), 404, "NOT_FOUND")


async def test_lists_of_campaigns_and_days_come_in_pages(house: House, client: httpx.AsyncClient) -> None:
    _, operator = await staff(house, client)
    slugs = []
    for number in range(3):
        slug, _ = await a_collection(house, 6)
        made = await client.post(f"{API}/campaigns", json=document(slug, slug=f"c{number}"), headers=operator)
        slugs.append(made.json()["slug"])
    seen, after = [], {}
    while True:
        page = (await client.get(f"{API}/campaigns", params={"limit": 2} | after, headers=operator)).json()
        seen += [one["slug"] for one in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == slugs[::-1]
    drafts = await client.get(f"{API}/campaigns?status=DRAFT&status=ACTIVE", headers=operator)
    assert len(drafts.json()["items"]) == 3
    days = (await client.get(f"{API}/campaigns/c0/days?limit=2", headers=operator)).json()
    assert [day["number"] for day in days["items"]] == [1, 2]
    assert [lot["lot_number"] for lot in days["items"][1]["lots"]] == [3, 4]
    last = (await client.get(f"{API}/campaigns/c0/days?after={days['next']}", headers=operator)).json()
    assert ([day["number"] for day in last["items"]], last["next"]) == ([3], None)
    for query in ("limit=0", "limit=201", "after=x", "status=OPEN", "collection_id=x"):
        is_problem(await client.get(f"{API}/campaigns?{query}"), 422, "INVALID_INPUT")


async def test_the_calendar_keeps_the_wall_clock_where_the_clocks_change(
    house: House, client: httpx.AsyncClient
) -> None:
    _, operator = await staff(house, client)
    slug, _ = await a_collection(house, 6)
    name = "Evenings; with, commas\nand \\ more"
    made = await client.post(f"{API}/campaigns", json=document(slug, name="Evenings; with, commas"), headers=operator)
    assert made.status_code == 201, name
    await client.post(f"{API}/campaigns/{made.json()['id']}/start", headers=operator)
    answer = await client.get(f"{API}/campaigns/{made.json()['id']}/calendar.ics")
    assert answer.headers["content-type"].startswith("text/calendar")
    calendar = icalendar.Calendar.from_ical(answer.content)
    events = calendar.walk("VEVENT")
    assert [zone["TZID"] for zone in calendar.walk("VTIMEZONE")] == ["Europe/Berlin"]
    starts = [event.decoded("DTSTART") for event in events]
    assert [(start.hour, start.minute, start.utcoffset()) for start in starts] == [
        (18, 0, timedelta(hours=1)), (18, 0, timedelta(hours=2)), (18, 0, timedelta(hours=2)),
    ]  # fmt: skip
    assert starts[1].astimezone(UTC) == datetime(2031, 3, 30, 16, tzinfo=UTC)
    days = (await client.get(f"{API}/campaigns/{made.json()['id']}/days")).json()["items"]
    told = [start.astimezone(UTC).isoformat() for start in starts]
    assert told == [datetime.fromisoformat(day["pre_auction_at"]).isoformat() for day in days]
    assert {str(event["UID"]) for event in events} == {f"{day['id']}@sothebais" for day in days}
    assert "18:15 lot 1: Piece 1" in str(events[0]["DESCRIPTION"])
    assert str(events[0]["SUMMARY"]) == "Evenings; with, commas: day 1"
    assert [str(event["STATUS"]) for event in events] == ["CONFIRMED"] * 3
    again = await client.get(
        f"{API}/campaigns/{made.json()['id']}/calendar.ics", headers={"if-none-match": answer.headers["etag"]}
    )
    assert again.status_code == 304
