"""An operator's steps by command: who is said to have taken them, and what a refused one leaves behind."""

import asyncio
from typing import Any

import pytest
from tests.fakes.house import a_collection, a_lot, an_open_lot, step
from tests.fakes.trials import events_of, row_of, rows_of
from typer.testing import CliRunner

from sothebais import ids
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.campaigns import files
from sothebais.campaigns import service as campaigns
from sothebais.cli.app import app
from sothebais.errors import OutcomeUnknown

CAMPAIGN = """\
name: Spring
collection: {slug}
dates: {{start: 2099-03-28}}
time_zone: UTC
daily: {{pre_auction: "18:00", auction: "18:15", lot_duration: 2m, lots_per_day: 1, post_auction: 10m}}
rules: {{currency: EUR, starting_price: "10"}}
"""


@pytest.fixture
def command(house: House, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run ``sothebais …`` in a thread of its own; its exit code."""
    monkeypatch.setenv("DATABASE_URL", house.database_url)
    monkeypatch.setenv("REDIS_URL", house.redis_url)
    monkeypatch.setenv("SOTHEBAIS_DATA_DIR", str(house.settings.data_dir))

    async def run(*arguments: str) -> int:
        result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--reason", "a reason"])
        return result.exit_code

    return run


async def people(house: House) -> list[str]:
    return [row["name"] for row in await rows_of(house, "select name from users")]


async def test_a_step_that_is_refused_changes_nothing_at_all(house: House, engine: AuctionEngine, command: Any) -> None:
    ended, waiting = await an_open_lot(house, engine), await a_lot(house, opens_in=60_000)
    await step(engine, ended, "END", actor=ids.new_id())
    before = [await row_of(house, lot) for lot in (ended, waiting)]
    for arguments in (
        ["auction", "pause", str(ended)],
        ["auction", "extend", str(ended), "--for", "5m"],
        ["auction", "void-bid", str(ended), str(ids.new_id())],
        ["auction", "resume", str(waiting)],
        ["auction", "end", str(ids.new_id())],
        ["campaign", "cancel", "nothing"],
    ):
        assert await command(*arguments) == 1, arguments
        assert await people(house) == [], arguments
    assert [await row_of(house, lot) for lot in (ended, waiting)] == before


async def test_the_houses_own_user_takes_its_first_step_and_every_other(
    house: House, engine: AuctionEngine, command: Any
) -> None:
    lot = await an_open_lot(house, engine)
    for kind in ("pause", "resume", "end"):
        assert await command("auction", kind, str(lot)) == 0
    assert await people(house) == ["house"]
    (user,) = await rows_of(house, "select id from users")
    actors = [event["data"].get("actor") for event in await events_of(house, lot)]
    assert actors[-3:] == [str(user["id"])] * 3


async def test_a_campaign_cancelled_by_command_is_cancelled_by_the_houses_own_user_once(
    house: House, command: Any
) -> None:
    slug, _ = await a_collection(house)
    plan = files.parse(CAMPAIGN.format(slug=slug), house.lot_scheduler)
    await campaigns.create(house.engine, plan, house.lot_scheduler, house.now())
    assert await command("campaign", "cancel", plan.slug) == 0
    assert await people(house) == ["house"]
    assert await command("campaign", "cancel", plan.slug) == 1


async def test_who_may_have_taken_a_step_is_kept_where_its_outcome_is_unknown(
    house: House, engine: AuctionEngine, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lot = await an_open_lot(house, engine)

    async def lost(*_: Any) -> Any:
        raise OutcomeUnknown("nobody heard of it")

    monkeypatch.setattr(AuctionEngine, "override", lost)
    assert await command("auction", "pause", str(lot)) == 1
    assert await people(house) == ["house"]
