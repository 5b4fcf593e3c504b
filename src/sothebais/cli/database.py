"""``sothebais db …`` and ``sothebais schema …``."""

import asyncio
from typing import Annotated

import typer

from sothebais import bootstrap, config
from sothebais.api.models import ANSWERS, REQUESTS
from sothebais.cli.house import err, opened, out, told
from sothebais.db import migrations
from sothebais.schema import Format, export

db = typer.Typer(no_args_is_help=True)
schema = typer.Typer(no_args_is_help=True)


@db.command()
@told
def upgrade(revision: Annotated[str, typer.Argument(help="Up to this revision.")] = "head") -> None:
    """Bring the database up to date. Every command that opens the house does so too."""

    async def run() -> tuple[str | None, str]:
        async with opened() as house:
            await migrations.upgrade(house.engine, revision)
            return await migrations.revisions(house.engine)

    current, newest = asyncio.run(run())
    out.print(f"The database is at {current}; the newest revision is {newest}.")


@db.command()
@told
def downgrade(
    revision: Annotated[str, typer.Argument(help="Back to this revision; `base` removes every table.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Data in the tables that go is lost; say that you mean it.")
    ] = False,
) -> None:
    """Take the database back to an earlier revision."""
    if not yes:
        err.print("[bold red]error:[/] a downgrade loses data. Say --yes if you mean it.")
        raise typer.Exit(1)

    async def run() -> None:
        async with opened() as house:
            await migrations.downgrade(house.engine, revision)

    asyncio.run(run())
    out.print(f"The database is at {revision}.")


@db.command()
@told
def check() -> None:
    """Compare the database with the models; exit 1 when they differ."""

    async def run() -> list[str]:
        async with opened() as house:
            return await migrations.differences(house.engine, bootstrap.metadata())

    differences = asyncio.run(run())
    for difference in differences:
        err.print(difference, highlight=False)
    if differences:
        raise typer.Exit(1)
    out.print("The database has exactly the tables of the models.")


@schema.command("export")
@told
def export_(
    format_: Annotated[Format, typer.Option("--format", help="Which.")],
) -> None:
    """Write the schemas to standard output, generated from the models."""
    config.load()
    typer.echo(export(format_, bootstrap.metadata(), requests=REQUESTS, answers=ANSWERS))
