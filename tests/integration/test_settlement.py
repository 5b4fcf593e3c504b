"""Sold lots are invoiced, paid, delivered; or expire and go to the next bidder. Who may see it, and what stays secret."""

import asyncio
import contextlib
import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
import sqlalchemy as sa
from msgspec.structs import replace
from tests.fakes.house import (
    a_collection,
    a_lot,
    a_user,
    advance,
    an_open_lot,
    bid,
    block,
    eventually,
    running,
    signed_in,
    status_of,
    step,
    whole_log,
)

from sothebais import ids
from sothebais.api.models.settlement import ApprovalWaiting, SalePage, Settlement
from sothebais.auctions import audit, repository, settlement_work
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.settlement import Settlements
from sothebais.bootstrap import House
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.catalog.tables import ArtItem, Collection
from sothebais.cli import report
from sothebais.cli.app import app as main
from sothebais.config import Settings
from sothebais.db.engine import create_engine
from sothebais.errors import Conflict
from sothebais.events import cursors
from sothebais.events.actions import Actor
from sothebais.events.types import parse_event
from sothebais.state.store import StateStore
from sothebais.users.tables import Role
from sothebais.web import viewer

API = "/api/v1"
DAY = 86_400_000
#: A figure that occurs nowhere by chance.
STANDING = "4321.123456789"
_COLLECTION_OF = "select i.collection_id as id from art_items i join auctions a on a.art_item_id = i.id where a.id = $1"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "invoice_after_s": 0,
            "approval_amounts": {"ETH": 10},
            "payment_instructions": {"ETH": "0xhouse\nmainnet only"},
            "invoice_issuer": "SothebAIs\n1 Hammer Lane",
        }
    )


class Sale:
    """A house with people in it, through its HTTP API."""

    def __init__(self, house: House, engine: AuctionEngine, client: httpx.AsyncClient) -> None:
        self.house, self.engine, self.client = house, engine, client
        self.people: dict[str, UUID] = {}
        self.headers: dict[str, dict[str, str]] = {}

    async def person(self, name: str, role: Role = Role.BIDDER) -> UUID:
        await a_user(self.house, name, role=role)
        self.people[name], self.headers[name] = await signed_in(self.client, name)
        self.client.cookies.clear()  # the next one to sign in is somebody else
        return self.people[name]

    async def ask(
        self, name: str | None, lot: UUID, what: str = "", *, method: str = "POST", **body: Any
    ) -> httpx.Response:
        headers = self.headers[name] if name else {}
        address = f"{API}/auctions/{lot}/settlement{what}"
        if method == "GET":
            return await self.client.get(address, headers=headers)
        return await self.client.post(address, headers=headers, json=body or {"reason": "as it is"})

    async def see(self, name: str | None, lot: UUID) -> httpx.Response:
        return await self.ask(name, lot, method="GET")

    async def sell(self, lot: UUID) -> None:
        await step(self.engine, lot, "END", actor=self.people["olga"])
        assert await status_of(self.house, lot) == "ENDED"

    async def fetch(self, query: str, *given: Any) -> list[Any]:
        connection = await asyncpg.connect(self.house.database_url)
        try:
            return await connection.fetch(query, *given)
        finally:
            await connection.close()

    async def types_of(self, lot: UUID) -> list[str]:
        rows = await self.fetch(
            "select type from event_logs where subject = $1 and n is not null order by n", f"auction:{lot}"
        )
        return [row["type"] for row in rows]

    async def verified(self, lot: UUID) -> audit.Report:
        head = await repository.head(self.house.engine, lot)
        events = [event async for event in repository.log(self.house.engine, lot)]
        return audit.verify(events, head=(head[0], head[1].hex()))


@pytest.fixture
async def sale(house: House, engine: AuctionEngine, client: httpx.AsyncClient) -> Sale:
    made = Sale(house, engine, client)
    for name in ("olga", "otto"):
        await made.person(name, Role.OPERATOR)
    for name in ("ana", "bo", "cy"):
        await made.person(name)
    await made.person("sela", Role.OWNER)
    return made


async def a_seller_item(house: House, seller: UUID, name: str = "Piece 1") -> UUID:
    _, (item,) = await a_collection(house)
    async with house.engine.begin() as connection:
        collection = sa.select(ArtItem.collection_id).where(ArtItem.id == item).scalar_subquery()
        await connection.execute(sa.update(Collection).where(Collection.id == collection).values(seller_id=seller))
        await connection.execute(sa.update(ArtItem).where(ArtItem.id == item).values(name=name))
    return item


async def a_campaign_day(house: House, item: UUID, rules: dict[str, Any]) -> UUID:
    """A campaign that is on, with these rules, and its day."""
    campaign, day = ids.new_id(), ids.new_id()
    now = sa.func.now()
    async with house.engine.begin() as connection:
        collection = (await connection.execute(sa.select(ArtItem.collection_id).where(ArtItem.id == item))).scalar_one()
        date = (await connection.execute(sa.select(sa.func.current_date()))).scalar_one()
        await connection.execute(
            sa.insert(Campaign).values(
                id=campaign, slug=f"campaign-{campaign}", name="Spring", collection_id=collection, starts_on=date,
                ends_on=date, time_zone="UTC", status="ACTIVE", rules=rules, daily={},
            )
        )  # fmt: skip
        await connection.execute(
            sa.insert(CampaignDay).values(
                id=day, campaign_id=campaign, number=1, date=date, pre_auction_at=now, auction_at=now,
                post_auction_at=now, ends_at=now, status="AUCTION",
            )
        )  # fmt: skip
    return day


async def test_a_sold_lot_is_invoiced_by_itself_paid_delivered_and_settled(sale: Sale, store: StateStore) -> None:
    item = await a_seller_item(sale.house, sale.people["sela"])
    lot = await an_open_lot(sale.house, sale.engine, item=item, premium_percent="12.5", fee="0.001")
    assert (await bid(sale.engine, lot, sale.people["bo"], "1.05")).accepted
    assert (await bid(sale.engine, lot, sale.people["ana"], maximum=STANDING, confirm=True)).accepted
    await sale.sell(lot)
    assert (await sale.see("ana", lot)).status_code == 404
    assert (await sale.ask("olga", lot, "/paid")).json()["code"] == "CONFLICT"
    # the consumer does it, not anybody's hand
    async with running(*(work() for work in sale.house.settlement_work()), sale.house.relay(store).run()):

        async def invoiced() -> Any:
            answer = await sale.see("ana", lot)
            return answer if answer.status_code == 200 else None

        answer = await eventually(invoiced, "the invoice")
    shown = Settlement.model_validate(answer.json())
    assert shown.status == "INVOICED"
    assert shown.invoice_number is not None
    assert shown.invoice_number.endswith("-000001")
    # 1.15 + 12.5 % = 0.14375, + 0.001
    assert (shown.hammer_price, shown.premium, shown.fee, shown.total) == ("1.15", "0.14375", "0.001", "1.29475")
    winner = next(row for row in await whole_log(sale.house.database_url) if row.type == "auction:winner")
    assert winner.decoded()["total_payable"] == shown.total
    assert shown.buyer.handle == "ana"
    assert shown.seller is not None
    assert shown.seller.handle == "sela"
    assert shown.payment_instructions == "0xhouse\nmainnet only"
    # invoiced, it cannot be re-opened, and not be invoiced again
    with pytest.raises(Conflict, match="invoiced"):
        await step(sale.engine, lot, "REOPEN", actor=sale.people["olga"], ends_at=sale.house.now() + DAY)
    assert (await sale.ask("olga", lot, "/invoice")).status_code == 409
    assert (await sale.ask("olga", lot, "/delivered")).json()["code"] == "ILLEGAL_TRANSITION"
    paid = await sale.ask("olga", lot, "/paid", reason="on the account", reference="E2E-1")
    assert (paid.status_code, paid.json()["status"]) == (200, "PAID")
    assert (await sale.ask("olga", lot, "/paid")).json()["code"] == "ILLEGAL_TRANSITION"
    delivered = await sale.ask("otto", lot, "/delivered", reason="handed over")
    assert delivered.json()["status"] == "SETTLED"
    assert await status_of(sale.house, lot) == "SETTLED"
    assert (await sale.types_of(lot))[-4:] == [
        "settlement:invoiced",
        "settlement:paid",
        "settlement:delivered",
        "auction:settled",
    ]
    report = await sale.verified(lot)
    assert (report.status, report.price) == ("SETTLED", "1.15")
    for event in await whole_log(sale.house.database_url):
        parse_event(event.message())
    # the staff's words are theirs: neither buyer nor seller nor the public log has them
    for name in ("ana", "sela"):
        text = (await sale.see(name, lot)).text
        assert "E2E-1" not in text
        assert "on the account" not in text
    assert "E2E-1" in (await sale.see("otto", lot)).text
    log = json.dumps([event async for event in repository.log(sale.house.engine, lot)])
    assert "on the account" not in log
    audited = await sale.fetch("select action, reason from audit where action like 'settlement.%' order by at")
    assert [row["action"] for row in audited] == ["settlement.paid", "settlement.delivered"]


async def test_a_settlement_and_its_invoice_are_their_parties_business_and_have_no_secret(sale: Sale) -> None:
    item = await a_seller_item(sale.house, sale.people["sela"], "<script>alert(1)</script>")
    lot = await an_open_lot(sale.house, sale.engine, item=item)
    assert (await bid(sale.engine, lot, sale.people["bo"], "1")).accepted
    assert (await bid(sale.engine, lot, sale.people["ana"], maximum=STANDING, confirm=True)).accepted
    assert (await sale.ask("olga", lot, "/invoice")).status_code == 409  # it still runs
    await sale.sell(lot)
    for name, status in ((None, 401), ("ana", 403), ("sela", 403)):
        assert (await sale.ask(name, lot, "/invoice")).status_code == status
        assert (await sale.ask(name, lot, "/paid")).status_code == status
        assert (await sale.ask(name, lot, "/delivered")).status_code == status
    assert (await sale.ask("olga", lot, "/invoice", reason="now", due_at="2020-01-01T00:00:00Z")).status_code == 422
    assert (await sale.ask("olga", lot, "/invoice", reason="\u0000")).status_code == 422
    assert (await sale.ask("olga", lot, "/invoice", reason="they asked")).status_code == 201
    seen = {}
    for name, sees, prints in (
        (None, 401, 401),
        ("bo", 404, 404),
        ("cy", 404, 404),
        ("ana", 200, 200),
        ("sela", 200, 404),
        ("olga", 200, 200),
    ):
        answer = await sale.see(name, lot)
        page = await sale.ask(name, lot, "/invoice.html", method="GET")
        assert (answer.status_code, page.status_code) == (sees, prints), name
        seen[str(name)] = answer.text + page.text
    page = await sale.ask("ana", lot, "/invoice.html", method="GET")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "size: A4" in page.text
    assert "1 Hammer Lane" in page.text
    assert "0xhouse" in page.text
    number = (await sale.see("ana", lot)).json()["invoice_number"]
    assert number in page.text
    missing = UUID(int=7)
    assert (await sale.see("olga", missing)).status_code == 404
    assert (await sale.ask("olga", missing, "/paid")).status_code == 404
    assert (
        await sale.client.get(f"{API}/auctions/nonsense/settlement", headers=sale.headers["olga"])
    ).status_code == 404
    # what ana would have paid at most is in no answer, no event and no table but the engine's own
    await sale.ask("olga", lot, "/paid")
    await sale.ask("olga", lot, "/delivered")
    seen["log"] = "".join(event.data for event in await whole_log(sale.house.database_url))
    for table in ("settlements", "settlement_steps", "event_logs", "bids", "auctions", "audit"):
        seen[table] = str(await sale.fetch(f"select to_jsonb(t)::text as row from {table} t"))
    assert [name for name, text in seen.items() if STANDING in text] == []


async def test_a_large_sum_needs_two_of_the_staff(sale: Sale) -> None:
    lot = await an_open_lot(sale.house, sale.engine)
    assert (await bid(sale.engine, lot, sale.people["ana"], "11")).accepted
    await sale.sell(lot)
    await sale.ask("olga", lot, "/invoice")
    first = await sale.ask("olga", lot, "/paid", reason="seen on the chain", reference="0xabc")
    assert first.status_code == 202
    waiting = ApprovalWaiting.model_validate(first.json())
    assert (waiting.status, waiting.step, waiting.settlement.status) == ("WAITING_FOR_APPROVAL", "PAY", "INVOICED")
    assert waiting.settlement.waiting is not None
    assert waiting.settlement.waiting.by is not None
    assert waiting.settlement.waiting.by.handle == "olga"
    assert (await sale.see("ana", lot)).json()["waiting"] is None
    # alone she may only put it right
    again = await sale.ask("olga", lot, "/paid", reason="seen on the chain", reference="0xabd")
    assert again.status_code == 202
    assert (await sale.see("olga", lot)).json()["status"] == "INVOICED"
    # a payment that waits for its approval is not given up, however late
    settlements = sale.house.settlements()
    assert await settlements.due(sale.house.now() + 400 * DAY) == 0
    wrong = await sale.ask("otto", lot, "/paid", reason="seen too", reference="0xabc")
    assert wrong.status_code == 409
    assert (await sale.see("olga", lot)).json()["status"] == "INVOICED"
    right = await sale.ask("otto", lot, "/paid", reason="seen too", reference="0xabd")
    assert (right.status_code, right.json()["status"]) == (200, "PAID")
    taken = [one for one in right.json()["steps"] if one["step"] == "PAY"]
    assert [(one["by"]["handle"], one["approved_by"]["handle"]) for one in taken] == [("olga", "otto")]
    assert (await sale.ask("otto", lot, "/delivered")).status_code == 202
    assert (await sale.ask("olga", lot, "/delivered")).json()["status"] == "SETTLED"
    rows = await sale.fetch("select action, actor_id from audit where action like 'settlement.%' order by at, id")
    assert [(row["action"], row["actor_id"]) for row in rows] == [
        ("settlement.invoice", sale.people["olga"]),
        ("settlement.paid.request", sale.people["olga"]),
        ("settlement.paid.request", sale.people["olga"]),
        ("settlement.paid.approve", sale.people["otto"]),
        ("settlement.delivered.request", sale.people["otto"]),
        ("settlement.delivered.approve", sale.people["olga"]),
    ]
    # who buys a lot does not say that it was paid
    own = await an_open_lot(sale.house, sale.engine)
    assert (await bid(sale.engine, own, sale.people["olga"], "1")).accepted
    await sale.sell(own)
    await sale.ask("otto", own, "/invoice")
    assert (await sale.ask("olga", own, "/paid")).status_code == 403


async def test_a_step_that_was_asked_for_by_mistake_is_taken_back_and_the_invoice_expires_again(sale: Sale) -> None:
    lot = await an_open_lot(sale.house, sale.engine)
    assert (await bid(sale.engine, lot, sale.people["ana"], "11")).accepted
    await sale.sell(lot)
    await sale.ask("olga", lot, "/invoice")
    taken_back = {"step": "PAY", "reason": "Another lot was meant."}
    assert (await sale.ask("otto", lot, "/withdraw", **taken_back)).status_code == 409
    assert (await sale.ask("olga", lot, "/paid")).status_code == 202
    assert (await sale.ask("ana", lot, "/withdraw", **taken_back)).status_code == 403
    assert (await sale.ask("otto", lot, "/withdraw", step="EXPIRE", reason="x")).status_code == 422
    assert (await sale.ask("otto", lot, "/withdraw", step="PAY", reason=" ")).status_code == 422
    assert (await sale.ask("otto", lot, "/withdraw", step="DELIVER", reason="x")).status_code == 409
    answer = await sale.ask("otto", lot, "/withdraw", **taken_back)
    assert (answer.status_code, answer.json()["status"], answer.json()["waiting"]) == (200, "INVOICED", None)
    # who asks again begins anew, and is not the second of the two
    assert (await sale.ask("otto", lot, "/paid")).status_code == 202
    assert (await sale.ask("otto", lot, "/withdraw", **taken_back)).status_code == 200
    assert await sale.house.settlements().due(sale.house.now() + 400 * DAY) == 1
    assert (await sale.see("olga", lot)).json()["status"] == "EXPIRED"
    rows = await sale.fetch("select action from audit where action like 'settlement.paid%' order by at, id")
    assert [row["action"] for row in rows] == ["settlement.paid.request", "settlement.paid.withdraw"] * 2


async def test_two_calls_at_once_take_a_step_once_and_approve_nothing(sale: Sale) -> None:
    lot = await an_open_lot(sale.house, sale.engine)
    assert (await bid(sale.engine, lot, sale.people["ana"], "12")).accepted
    await sale.sell(lot)
    settlements, now = sale.house.settlements(), sale.house.now()
    await asyncio.gather(*(settlements.invoice_if_due(lot, now) for _ in range(3)))
    assert len(await sale.fetch("select 1 from settlements")) == 1
    answers = await asyncio.gather(*(sale.ask("olga", lot, "/paid") for _ in range(3)))
    assert {answer.status_code for answer in answers} == {202}
    both = await asyncio.gather(*(sale.ask("otto", lot, "/paid") for _ in range(2)))
    assert sorted(answer.status_code for answer in both) == [200, 409]
    assert (await sale.types_of(lot)).count("settlement:paid") == 1


async def test_invoices_of_a_year_are_numbered_without_a_gap(sale: Sale) -> None:
    lots = []
    for _ in range(5):
        lots.append(await an_open_lot(sale.house, sale.engine))
        assert (await bid(sale.engine, lots[-1], sale.people["ana"], "1")).accepted
        await sale.sell(lots[-1])
    settlements = sale.house.settlements()
    now = sale.house.now()
    await asyncio.gather(*(settlements.invoice_if_due(lot, now) for lot in lots[:4]))
    # one that fails half-way leaves no hole
    actor = Actor(UUID(int=1), "OPERATOR")  # nobody: the step cannot be written
    with pytest.raises(sa.exc.IntegrityError):
        await settlements.invoice(lots[4], now, actor=actor, reason="fails")
    await settlements.invoice_if_due(lots[4], now)
    rows = await sale.fetch("select number from settlements order by number")
    assert [row["number"][5:] for row in rows] == [f"{count:06d}" for count in range(1, 6)]


async def test_a_lot_can_be_reopened_for_a_while_before_it_is_invoiced(sale: Sale) -> None:
    lot = await an_open_lot(sale.house, sale.engine)
    assert (await bid(sale.engine, lot, sale.people["ana"], "1")).accepted
    await sale.sell(lot)
    patient = Settlements(sale.house.engine, _later(sale.house.settlements().policy))
    now = sale.house.now()
    assert await patient.due(now) == 0
    await step(sale.engine, lot, "REOPEN", actor=sale.people["olga"], ends_at=now + DAY)
    assert await patient.due(now + 10 * 60_000) == 0  # it runs again
    await sale.sell(lot)
    assert await patient.due(sale.house.now() + 10 * 60_000) == 1
    assert await patient.due(sale.house.now() + 10 * 60_000) == 0


def _later(policy: Any) -> Any:
    return replace(policy, invoice_after=300_000)


async def _an_unpaid_lot(sale: Sale, rules: dict[str, Any]) -> tuple[UUID, Settlements]:
    """Sold to ana for 5.1 over bo's maximum of 5 and cy's 2, invoiced, and her time is over."""
    item = await a_seller_item(sale.house, sale.people["sela"])
    day = await a_campaign_day(sale.house, item, rules)
    lot = await a_lot(sale.house, item=item, campaign_day=day, premium_percent="10")
    await advance(sale.engine, lot)
    assert (await bid(sale.engine, lot, sale.people["cy"], "2")).accepted
    assert (await bid(sale.engine, lot, sale.people["bo"], "3", "5")).accepted
    assert (await bid(sale.engine, lot, sale.people["ana"], maximum=STANDING, confirm=True)).accepted
    await sale.sell(lot)
    settlements = sale.house.settlements()
    assert await settlements.due(sale.house.now()) == 1
    return lot, settlements


async def _profile(sale: Sale, name: str) -> str:
    """The person's own page, as the browser gets it."""
    app = sale.client._transport.app  # type: ignore[attr-defined]
    if not any(getattr(route, "path", None) == "/me" for route in app.routes):
        viewer.mount(app, app.state.parts)
    page = await sale.client.get("/me", headers=sale.headers[name] | {"accept": "text/html"})
    assert page.status_code == 200, page.headers
    return page.text


async def test_what_is_not_paid_expires_and_is_offered_to_the_runner_up(sale: Sale) -> None:
    lot, settlements = await _an_unpaid_lot(sale, {"offer_to_runner_up": True, "payment_due": DAY})
    now = sale.house.now()
    assert await settlements.due(now + DAY - 60_000) == 0
    assert await settlements.due(now + DAY) == 1
    assert await settlements.due(now + DAY) == 0
    assert (await sale.see("ana", lot)).json()["status"] == "EXPIRED"
    offer = Settlement.model_validate((await sale.see("bo", lot)).json())
    # bo's own maximum, which was opened when it was beaten; ana's stays secret, and is not what the offer is made of
    assert (offer.status, offer.hammer_price, offer.total, offer.runner_up) == ("OFFERED", "5", "5.5", True)
    assert offer.earlier == []
    assert (await sale.ask("bo", lot, "/invoice.html", method="GET")).status_code == 404
    page = await _profile(sale, "bo")
    assert f'data-answer="/api/v1/auctions/{lot}/settlement/accept"' in page
    assert "Payment expired" in await _profile(sale, "ana")
    for name in ("ana", "cy", "sela", "olga"):
        assert (await sale.ask(name, lot, "/accept")).status_code == 404
    assert (await sale.ask("olga", lot, "/paid")).json()["code"] == "ILLEGAL_TRANSITION"
    accepted = await sale.ask("bo", lot, "/accept")
    assert (accepted.status_code, accepted.json()["status"]) == (200, "INVOICED")
    assert accepted.json()["invoice_number"].endswith("-000002")
    page = await _profile(sale, "bo")
    assert "as the runner-up" in page
    [theirs, *_] = (await sale.client.get(f"{API}/me/bids", headers=sale.headers["bo"])).json()["items"]
    assert theirs["standing"] == "WON"
    assert "Invoice ready" in page
    assert (await sale.ask("bo", lot, "/accept")).status_code == 409
    assert (await sale.ask("bo", lot, "/decline")).status_code == 409
    whole = Settlement.model_validate((await sale.see("sela", lot)).json())
    assert [one.status for one in (whole, *whole.earlier)] == ["INVOICED", "EXPIRED"]
    assert (await sale.ask("ana", lot, "/invoice.html", method="GET")).text.count("No longer payable") == 1
    await sale.ask("olga", lot, "/paid")
    assert (await sale.ask("otto", lot, "/delivered")).json()["status"] == "SETTLED"
    assert (await sale.types_of(lot))[-7:] == [
        "settlement:invoiced",
        "settlement:expired",
        "settlement:offered",
        "settlement:invoiced",
        "settlement:paid",
        "settlement:delivered",
        "auction:settled",
    ]
    assert (await sale.verified(lot)).status == "SETTLED"
    dump = "".join(event.data for event in await whole_log(sale.house.database_url))
    assert STANDING not in dump
    assert STANDING not in str(await sale.fetch("select to_jsonb(t)::text as row from settlements t"))
    # the piece is not for sale again, as it would be had nobody taken it
    rows = await sale.fetch(_COLLECTION_OF, lot)
    async with sale.house.engine.connect() as connection:
        assert len(await sale.house.lot_scheduler.taken(connection, rows[0]["id"])) == 1
    # in the sales it is one row, the runner-up's
    answer = await sale.client.get(f"{API}/admin/reports/sales", headers=sale.headers["olga"])
    (row,) = SalePage.model_validate(answer.json()).items
    assert (row.buyer, row.hammer_price, row.runner_up, row.status) == ("bo", "5", True, "SETTLED")


async def test_an_offer_that_is_declined_or_forgotten_is_the_last(sale: Sale) -> None:
    lot, settlements = await _an_unpaid_lot(sale, {"offer_to_runner_up": True})
    forgotten, _ = await _an_unpaid_lot(sale, {"offer_to_runner_up": True})
    await block(sale.house, sale.people["bo"])  # so that cy is next
    now = sale.house.now()
    assert await settlements.due(now + 8 * DAY) == 2
    offer = (await sale.see("cy", lot)).json()
    assert (offer["status"], offer["hammer_price"]) == ("OFFERED", "2")
    assert (await sale.ask("cy", lot, "/decline")).json()["status"] == "EXPIRED"
    assert (await sale.see("cy", forgotten)).json()["status"] == "OFFERED"
    assert await settlements.due(now + 11 * DAY) == 1
    assert (await sale.see("cy", forgotten)).json()["status"] == "EXPIRED"
    assert (await sale.ask("cy", forgotten, "/accept")).status_code == 409
    assert await settlements.due(now + 100 * DAY) == 0
    for one in (lot, forgotten):
        assert await status_of(sale.house, one) == "ENDED"
        assert (await sale.types_of(one))[-3:] == ["settlement:expired", "settlement:offered", "settlement:expired"]


async def test_without_the_campaigns_word_nobody_else_is_asked(sale: Sale) -> None:
    lot, settlements = await _an_unpaid_lot(sale, {})
    assert await settlements.due(sale.house.now() + 8 * DAY) == 1
    assert (await sale.see("bo", lot)).status_code == 404
    assert (await sale.types_of(lot))[-1] == "settlement:expired"
    rows = await sale.fetch(_COLLECTION_OF, lot)
    async with sale.house.engine.connect() as connection:
        assert await sale.house.lot_scheduler.taken(connection, rows[0]["id"]) == set()  # it can be sold again
    assert (await sale.ask("olga", lot, "/paid")).status_code == 409


async def test_sales_are_exported_whole_and_no_cell_is_a_formula(sale: Sale) -> None:
    item = await a_seller_item(sale.house, sale.people["sela"])
    mine = await an_open_lot(sale.house, sale.engine, item=item, premium_percent="10")
    other = await an_open_lot(sale.house, sale.engine)
    passed = await an_open_lot(sale.house, sale.engine)
    async with sale.house.engine.begin() as connection:
        await connection.execute(
            sa.text("update users set name = :name where id = :id"),
            {"name": '=HYPERLINK("http://evil","x")', "id": sale.people["ana"]},
        )
    for lot, amount in ((mine, "2"), (other, "3.5")):
        assert (await bid(sale.engine, lot, sale.people["ana"], amount)).accepted
    for lot in (mine, other, passed):
        await sale.sell(lot)
    await sale.house.settlements().invoice_if_due(mine, sale.house.now())
    address = f"{API}/admin/reports/sales"

    async def rows(name: str, **query: Any) -> list[dict[str, str]]:
        answer = await sale.client.get(address, params={"format": "csv", **query}, headers=sale.headers[name])
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        return list(csv.DictReader(io.StringIO(answer.text)))

    found = await rows("olga")
    assert [(row["auction_id"], row["total"], row["status"]) for row in found] == [
        (str(mine), "2.2", "INVOICED"),
        (str(other), "3.5", ""),
    ]
    assert found[0]["buyer"] == '\'=HYPERLINK("http://evil","x")'
    assert [row["auction_id"] for row in await rows("sela")] == [str(mine)]  # an owner's own
    assert await rows("olga", to="2020-01-01T00:00:00Z") == []
    assert len(await rows("olga", **{"from": "2020-01-01T00:00:00Z"})) == 2
    assert await rows("olga", campaign_id=str(UUID(int=3))) == []
    first = (await sale.client.get(address, params={"limit": 1}, headers=sale.headers["olga"])).json()
    second = await sale.client.get(address, params={"after": first["next"]}, headers=sale.headers["olga"])
    assert [row["auction_id"] for row in (first["items"] + second.json()["items"])] == [str(mine), str(other)]
    assert second.json()["next"] is None
    SalePage.model_validate(first)
    assert (await sale.client.get(address, headers=sale.headers["ana"])).status_code == 403
    assert (await sale.client.get(address)).status_code == 401
    for wrong in ({"from": "yesterday"}, {"to": "0001-01-01T00:00:00+23:59"}, {"format": "xml"}, {"campaign_id": "x"}):
        answer = await sale.client.get(address, params=wrong, headers=sale.headers["olga"])
        assert answer.status_code == 422, wrong


async def test_the_command_line_reports_sales(
    sale: Sale, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lot = await an_open_lot(sale.house, sale.engine)
    assert (await bid(sale.engine, lot, sale.people["ana"], "2")).accepted
    await sale.sell(lot)

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[House]:
        pool = create_engine(sale.house.database_url, pool_size=1)
        yield House(sale.house.settings, sale.house.database_url, sale.house.redis_url, pool)
        await pool.dispose()

    monkeypatch.setattr(report, "opened", opened)

    async def said(*arguments: str) -> str:
        code = await asyncio.to_thread(main, ["report", "sales", *arguments], standalone_mode=False)
        assert code in (None, 0)
        return capsys.readouterr().out

    assert "not invoiced" in await said()
    assert json.loads(await said("--json"))["items"][0]["buyer"] == "ana"
    (row,) = csv.DictReader(io.StringIO(await said("--format", "csv", "--from", "2020-01-01T00:00:00Z")))
    assert (row["auction_id"], row["total"]) == (str(lot), "2")
    assert "Nothing has been sold" in await said("--to", "2020-01-01T00:00:00Z")


async def test_the_consumer_passes_over_what_it_does_not_want_in_one_step(
    sale: Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    lot = await an_open_lot(sale.house, sale.engine)
    for n in range(40):
        await bid(sale.engine, lot, sale.people["ana" if n % 2 else "bo"], str(1 + n))
    end = (await whole_log(sale.house.database_url))[-1].position
    steps: list[Any] = []
    save = cursors.save_cursor

    async def counted(connection: Any, consumer: str, position: Any) -> None:
        steps.append(position)
        await save(connection, consumer, position)

    monkeypatch.setattr(cursors, "save_cursor", counted)
    consumer = settlement_work.consumer(sale.house.database_url, sale.house.settlements(), sale.house.clock)
    async with running(consumer.run()):

        async def there() -> bool:
            return bool(steps) and steps[-1] == end

        await eventually(there, "the consumer is at the end of the log")
    assert len(steps) <= 3


class _Hands:
    """A clock that stands still; whoever sleeps on it is counted and woken at once, a few times."""

    def __init__(self, now: int) -> None:
        self.at, self.slept = now, 0

    def now(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / 1_000

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.at += 4 * DAY
        if self.slept >= 4:
            await asyncio.Event().wait()


async def test_the_clock_of_settlements_runs_on_virtual_time(sale: Sale) -> None:
    lot, settlements = await _an_unpaid_lot(sale, {"offer_to_runner_up": True})
    clock = _Hands(sale.house.now())
    async with running(settlement_work.SettlementClock(settlements, clock).run()):

        async def over() -> bool:
            return (await sale.types_of(lot))[-3:] == ["settlement:expired", "settlement:offered", "settlement:expired"]

        await eventually(over, "invoice and offer are over")
    assert clock.slept >= 3
