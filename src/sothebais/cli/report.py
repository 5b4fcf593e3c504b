"""``sothebais report …``."""

import asyncio
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sothebais.campaigns import repository
from sothebais.cli.house import as_json, opened, out, told
from sothebais.clock import Millis, parse_iso, to_datetime
from sothebais.errors import InvalidInput
from sothebais.reports import sales as sales_report

app = typer.Typer(no_args_is_help=True)


class Form(StrEnum):
    """How a report is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@app.callback()
def reports() -> None:
    """What was sold, and how it is settled."""


@app.command()
@told
def sales(
    format: Annotated[
        Form, typer.Option(help="A table to read, CSV for spreadsheets, JSON for programs.")
    ] = Form.TABLE,
    campaign: Annotated[str | None, typer.Option(help="Only lots of this campaign (id or slug).")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Sold then or later, ISO 8601 with zone.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Sold before, ISO 8601 with zone.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """One row for each sold lot."""
    first, last = _instant(since, "--from"), _instant(until, "--to")

    async def run() -> list[dict[str, Any]]:
        async with opened() as house:
            wanted = None
            if campaign is not None:
                async with house.engine.connect() as connection:
                    wanted = (await repository.find(connection, campaign)).id
            chosen = sales_report.Wanted(campaign=wanted, since=first, until=last)
            return [row async for rows in sales_report.pages(house.engine, chosen) for row in rows]

    rows = asyncio.run(run())
    if json or format is Form.JSON:
        as_json({"items": rows})
    elif format is Form.CSV:
        names = sales_report.COLUMNS
        sys.stdout.write(sales_report.as_csv([names, *([row[name] for name in names] for row in rows)]))
    else:
        out.print(_table(rows) if rows else "Nothing has been sold.")


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("Lot", "Title", "Sold (UTC)", "Buyer", box=None, pad_edge=False)
    for name in ("Hammer", "Total"):
        table.add_column(name, justify="right")
    for name in ("Status", "Invoice", "Campaign"):
        table.add_column(name)
    for row in rows:
        table.add_row(
            str(row["lot_number"]),
            escape(row["title"]),
            row["sold_at"][:16].replace("T", " "),
            escape(f"@{row['buyer']}") + (" (runner-up)" if row["runner_up"] else ""),
            f"{row['hammer_price']} {row['currency']}",
            f"{row['total']} {row['currency']}",
            row["status"] or "not invoiced",
            row["invoice_number"] or "",
            row["campaign"] or "",
        )
    return table


def _instant(text: str | None, name: str) -> Millis | None:
    if text is None:
        return None
    try:
        found = parse_iso(text)
        to_datetime(found)
    except (ValueError, OverflowError):
        raise InvalidInput(f"{name}: a time looks like 2026-03-01T18:00:00Z.", field=name) from None
    return found
