"""``sothebais campaign``: from a campaign file to days of auctions."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Table

from sothebais import money
from sothebais.campaigns import files, repository, schedule, service
from sothebais.campaigns.model import CampaignDetails, DayDetails
from sothebais.campaigns.ports import LotSummary
from sothebais.cli.house import acting, opened, out, told
from sothebais.cli.house import as_json as write_json
from sothebais.instants import Millis, isoformat, to_datetime

app = typer.Typer(no_args_is_help=True, help="Campaigns: days of auctions.")

Name = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="The campaign's slug or id.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

#: Rules that are lengths in milliseconds.
_LENGTHS = frozenset(
    {"extension_window", "extension", "hard_close_after", "closing_grace", "max_post_delay", "interval"}
)


@app.callback()
def _group() -> None:
    """Campaigns: days of auctions."""


@app.command()
@told
def create(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="The campaign file (docs/campaigns.md).")],
    as_json: Json = False,
) -> None:
    """Write a campaign with its days and lots, as a draft. Nothing opens before `start`."""

    async def run() -> Plan:
        async with opened() as house:
            plan = files.load(file, house.lot_scheduler)
            campaign = await service.create(house.engine, plan, house.lot_scheduler, house.now())
            return await service.plan(house.engine, campaign, house.lot_scheduler)

    details, days, lots = asyncio.run(run())
    if as_json:
        write_json(campaign_json(details) | {"days": len(days), "lots": len(lots)})
        return
    out.print(f"Created [bold]{escape(details.name)}[/] ({details.status}): {len(days)} days, {len(lots)} lots.")
    out.print(f"Look at it: sothebais campaign plan {details.slug}", soft_wrap=True)
    out.print(f"Let it begin: sothebais campaign start {details.slug}", soft_wrap=True)


@app.command("list")
@told
def list_command(as_json: Json = False) -> None:
    """All campaigns, the newest first."""

    async def run() -> list[CampaignDetails]:
        async with opened() as house, house.engine.connect() as connection:
            return await repository.every(connection)

    campaigns = asyncio.run(run())
    if as_json:
        write_json([campaign_json(details) for details in campaigns])
        return
    table = _table("Campaigns", "slug", "name", "collection", "first day", "last day", "status")
    for details in campaigns:
        table.add_row(
            details.slug,
            escape(details.name),
            details.collection_slug,
            str(details.starts_on),
            str(details.ends_on),
            str(details.status),
        )
    out.print(table)


@app.command()
@told
def show(campaign: Name, as_json: Json = False) -> None:
    """One campaign: its rules and its days. Reserves are secret and not shown."""
    details, days, lots = _read(campaign)
    if as_json:
        write_json(campaign_json(details) | {"days": [day_json(day, lots) for day in days]})
        return
    out.print(f"[bold]{escape(details.name)}[/] ({details.slug}): {details.status}")
    if details.description:
        out.print(escape(details.description))
    facts = {
        "collection": details.collection_slug,
        "time zone": details.time_zone,
        "premium": f"{money.text(details.premium_percent)} %",
        "fee": money.text(details.fee),
    }
    given = {name: value for name, value in details.rules.items() if value not in (None, False)}
    table = _table("Rules", "rule", "value")
    for name, value in facts.items():
        table.add_row(name, value)
    for name, value in sorted(given.items()):
        table.add_row(name.replace("_", " "), escape(_rule(name, value)))
    out.print(table)
    zone = ZoneInfo(details.time_zone)
    table = _table("Days", "day", "date", "pre", "auction", "post", "end", "lots", "stage")
    for day in days:
        of_day = [lot for lot in lots if lot.day == day.id]
        times = (day.pre_auction_at, day.auction_at, day.post_auction_at, day.ends_at)
        table.add_row(
            str(day.number),
            str(day.date),
            *(_clock(at, zone, day) for at in times),
            f"{sum(lot.over for lot in of_day)}/{len(of_day)}",
            str(day.status),
        )
    out.print(table)


@app.command("plan")
@told
def plan_command(campaign: Name, as_json: Json = False) -> None:
    """Every day and lot with its times, in the campaign's zone and in UTC."""
    details, days, lots = _read(campaign)
    if as_json:
        planned = [day_json(day, lots) | {"lots": [lot_json(lot) for lot in lots if lot.day == day.id]} for day in days]
        write_json(campaign_json(details) | {"days": planned})
        return
    zone, utc = ZoneInfo(details.time_zone), ZoneInfo("UTC")
    for day in days:
        columns = ("lot", "what", "from", "to", "UTC", "to", "status")
        table = _table(f"Day {day.number}, {day.date}, {details.time_zone} ({day.status})", *columns)
        spans: list[tuple[str, str, Millis, Millis, str]] = [
            ("", "pre-auction", day.pre_auction_at, day.auction_at, ""),
            *(
                (str(lot.lot_number), escape(lot.title), lot.starts_at, lot.ends_at, lot.status)
                for lot in lots
                if lot.day == day.id
            ),
            ("", "post-auction", day.post_auction_at, day.ends_at, ""),
        ]
        for number, what, starts, ends, status in spans:
            times = (_clock(at, where, day) for where in (zone, utc) for at in (starts, ends))
            table.add_row(number, what, *times, status)
        out.print(table)


@app.command()
@told
def start(campaign: Name, as_json: Json = False) -> None:
    """Let a draft begin: from here on its days and lots open by themselves, in time."""

    async def run() -> tuple[CampaignDetails, list[DayDetails]]:
        async with opened() as house:
            details = await service.start(house.engine, campaign, house.now())
            async with house.engine.connect() as connection:
                return details, await repository.days(connection, details.id)

    details, days = asyncio.run(run())
    if as_json:
        write_json(campaign_json(details))
        return
    day = days[0]
    first = f"{day.date} at {_clock(day.pre_auction_at, ZoneInfo(details.time_zone), day)} ({details.time_zone})"
    out.print(f"{escape(details.name)} is {details.status}; it begins on {first}.", soft_wrap=True)


@app.command()
@told
def cancel(
    campaign: Name,
    reason: Annotated[str, typer.Option("--reason", help="Why; bidders and viewers are told.")],
    as_json: Json = False,
) -> None:
    """Cancel a campaign, its days and every lot that is not over, running ones too."""

    async def run() -> tuple[int, CampaignDetails]:
        async with opened() as house:
            async with acting(house) as actor:
                lots = await service.cancel(
                    house.engine, campaign, reason=reason, actor=actor, scheduler=house.lot_scheduler, now=house.now()
                )
            async with house.engine.connect() as connection:
                return lots, await repository.find(connection, campaign)

    lots, details = asyncio.run(run())
    if as_json:
        write_json(campaign_json(details) | {"lots_cancelled": lots})
        return
    out.print(f"{escape(details.name)} is {details.status}; {lots} lots were cancelled.")


type Plan = tuple[CampaignDetails, list[DayDetails], list[LotSummary]]


def campaign_json(details: CampaignDetails) -> dict[str, Any]:
    """A campaign as JSON has it."""
    return {
        "id": str(details.id),
        "slug": details.slug,
        "name": details.name,
        "description": details.description,
        "collection": details.collection_slug,
        "starts_on": details.starts_on.isoformat(),
        "ends_on": details.ends_on.isoformat(),
        "time_zone": details.time_zone,
        "status": str(details.status),
        "daily": details.daily,
        "rules": details.rules,
        "premium_percent": money.text(details.premium_percent),
        "fee": money.text(details.fee),
        "version": details.version,
    }


def day_json(day: DayDetails, lots: Sequence[LotSummary]) -> dict[str, Any]:
    """A campaign day as JSON has it."""
    of_day = [lot for lot in lots if lot.day == day.id]
    return {
        "id": str(day.id),
        "number": day.number,
        "date": day.date.isoformat(),
        "pre_auction_at": isoformat(day.pre_auction_at),
        "auction_at": isoformat(day.auction_at),
        "post_auction_at": isoformat(day.post_auction_at),
        "ends_at": isoformat(day.ends_at),
        "stage": str(day.status),
        "lot_count": len(of_day),
        "completed": sum(lot.over for lot in of_day),
    }


def lot_json(lot: LotSummary) -> dict[str, Any]:
    """A lot of a plan as JSON has it."""
    return {
        "id": str(lot.id),
        "lot": lot.lot_number,
        "art_item": str(lot.art_item),
        "title": lot.title,
        "starts_at": isoformat(lot.starts_at),
        "ends_at": isoformat(lot.ends_at),
        "status": lot.status,
    }


def _read(campaign: str) -> Plan:
    async def run() -> Plan:
        async with opened() as house:
            return await service.plan(house.engine, campaign, house.lot_scheduler)

    return asyncio.run(run())


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _clock(at: Millis, zone: ZoneInfo, day: DayDetails) -> str:
    """The time of day in a zone, with seconds where there are some and the date where it is not the day's."""
    local = to_datetime(at).astimezone(zone)
    time = local.strftime("%H:%M" if at % schedule.MINUTE_MS == 0 else "%H:%M:%S")
    return time if local.date() == day.date else f"{local:%m-%d} {time}"


def _rule(name: str, value: Any) -> str:
    if name in _LENGTHS:
        return schedule.format_length(value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in sorted(value.items(), reverse=True))
    if isinstance(value, list):
        return "; ".join(_rule("", part) for part in value)
    return "yes" if value is True else str(value)
