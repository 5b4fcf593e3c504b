"""``sothebais collection``: bringing collections into the house."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais import media
from sothebais.catalog.assets import AssetStore
from sothebais.catalog.fetch import Fetcher
from sothebais.catalog.service import ImportReport, import_collection
from sothebais.errors import InvalidInput, SothebaisError
from sothebais.users.tables import SocialAccount, User

app = typer.Typer(no_args_is_help=True, help="Collections and their items.")


@app.callback()
def _group() -> None:
    """Collections and their items."""


@app.command("import")
def import_command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="PATH_OR_URI",
            help="Folder of JSON files, one JSON list, or one CSV file; a list or CSV may be an address.",
        ),
    ],
    slug: Annotated[
        str | None, typer.Option(help="Short name in commands and addresses; made from the name without it.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The collection's name.")] = None,
    description: Annotated[str | None, typer.Option(help="What the collection is.")] = None,
    seller: Annotated[
        str | None, typer.Option(metavar="HANDLE", help="Who sells it: a linked social handle or a user's name.")
    ] = None,
    blockchain: Annotated[str | None, typer.Option(help="Where its tokens live, such as ethereum.")] = None,
    contract: Annotated[str | None, typer.Option(help="Its contract's address, kept with the collection.")] = None,
    ipfs_gateway: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Gateway for ipfs:// pictures; may be given several times, tried in order."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Import ERC-721 metadata and pictures into a collection.

    Importing again changes only what changed; items are never deleted.
    A bad item is reported and left out, the rest goes in.

    Exit status: 0 when items went in, also with some left out;
    1 when none did or the source cannot be used.

    CSV columns: token_id, name, description, image; any other is a trait.
    """
    try:
        report = asyncio.run(
            _import(
                source,
                seller=seller,
                gateways=ipfs_gateway or [],
                quiet=as_json,
                slug=slug,
                name=name,
                description=description,
                blockchain=blockchain,
                contract_address=contract,
            )
        )
    except SothebaisError as error:
        Console(stderr=True, soft_wrap=True).print(Text(error.message))
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(as_plain(report), ensure_ascii=False, indent=2))
    else:
        show(report)
    if not report.imported:
        raise typer.Exit(1)


async def _import(source: str, *, seller: str | None, gateways: list[str], quiet: bool, **options: Any) -> ImportReport:
    from sothebais.cli.house import opened  # starts servers; `--help` must not wait for it

    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(opened())
        fetcher = await stack.enter_async_context(Fetcher(ipfs_gateways=gateways or house.settings.ipfs_gateways))
        assets_url = house.settings.assets_url
        store = AssetStore(assets_url) if assets_url else AssetStore.in_data_dir(house.settings.data_dir)
        if seller is not None:
            options["seller"] = await find_seller(house.engine, seller)
        console = Console(stderr=True)
        bar = stack.enter_context(
            Progress(
                TextColumn("Importing"),
                BarColumn(complete_style=media.DARK.brass, finished_style=media.DARK.sage),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=console,
                disable=quiet or not console.is_terminal,
                transient=True,
            )
        )
        task = bar.add_task("import", total=None)
        return await import_collection(
            house.engine,
            store,
            source,
            fetcher=fetcher,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            **options,
        )


async def find_seller(engine: AsyncEngine, handle: str) -> UUID:
    """The user with that linked social handle, else with that name. Raises InvalidInput for none or several."""
    wanted = handle.strip().removeprefix("@").lower()
    by_handle = sa.select(SocialAccount.user_id).where(
        sa.func.lower(sa.func.ltrim(SocialAccount.handle, "@")) == wanted
    )
    by_name = sa.select(User.id).where(sa.func.lower(User.name) == wanted)
    async with engine.connect() as connection:
        for query in (by_handle, by_name):
            found = set((await connection.scalars(query.limit(100))).all())
            if len(found) == 1:
                return found.pop()
            if found:
                raise InvalidInput(f"seller: {len(found)} users are called {handle!r}; use a handle that only one has.")
    raise InvalidInput(f"seller: nobody here is called {handle!r}; the seller must sign in once before an import.")


def as_plain(report: ImportReport) -> dict[str, Any]:
    """The report as JSON has it."""
    plain = asdict(report)
    return {**plain, "collection_id": None if report.collection_id is None else str(report.collection_id)}


def show(report: ImportReport) -> None:
    """The counts on stdout, and every item left out on stderr with what to do."""
    out = Console()
    table = Table(title=f"Collection {report.slug}", title_justify="left", header_style="bold")
    for column in ("added", "changed", "unchanged", "left out"):
        table.add_column(column, justify="right")
    table.add_row(str(report.added), str(report.changed), str(report.unchanged), str(len(report.failed)))
    out.print(table)
    if report.absent:
        out.print(f"{report.absent} more items are in the collection and not in this source; they were left alone.")
    if not report.failed:
        return
    faults = Table(title="Left out", title_justify="left", header_style="bold")
    for column in ("file", "token id", "field", "what is wrong"):
        faults.add_column(column, overflow="fold")
    for fault in report.failed:
        # as Text: a file name must not be read as markup
        cells = (fault.file, fault.token_id or "–", fault.field or "–", fault.message)
        faults.add_row(*(Text(printable(cell)) for cell in cells))
    Console(stderr=True).print(faults)
    advice = "Correct these in the source and import it again; what went in stays."
    Console(stderr=True).print(advice if report.imported else "No item could be imported; nothing was changed.")


def printable(text: str) -> str:
    """``text`` without characters that a terminal would act on."""
    return "".join(character if character.isprintable() else "�" for character in text)
