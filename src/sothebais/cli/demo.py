"""``sothebais demo``: the whole house, on embedded servers, with nothing to prepare."""

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from sothebais import config, money
from sothebais.bootstrap import House, open_house
from sothebais.campaigns import service as campaigns
from sothebais.catalog.assets import AssetStore
from sothebais.catalog.service import import_collection
from sothebais.catalog.tables import ArtItem
from sothebais.cli.house import as_json, told
from sothebais.cli.services import house_roles
from sothebais.clock import SystemClock, parse_iso
from sothebais.config import Settings
from sothebais.errors import InvalidInput
from sothebais.rehearsal import artworks, broadcasts
from sothebais.rehearsal.demo import LOTS_MAX, SPEED_MAX, LotResult, Pace, Screen, Show, plan
from sothebais.supervisor import Role, Supervisor
from sothebais.telemetry import logging

#: Data of so many earlier demos is kept.
RUNS_KEPT = 3
PORTS_TRIED = 50
#: Time between the command and the first stage, for the services to come up.
LEAD_MS = 6_000
#: The broadcast has so long after the day to write its end.
STREAM_PATIENCE_S = 30.0
_COLOURS = {"SOLD": "#7FB69A", "PASSED": "#A9AFBA", "price": "#D9B26A", "late": "#E4572E"}


def register(main: typer.Typer) -> None:
    """Add ``demo`` to the main command."""
    main.command()(demo)


@told
def demo(
    lots: Annotated[int, typer.Option(min=1, max=LOTS_MAX, help="How many pieces are sold.")] = 6,
    speed: Annotated[float, typer.Option(min=0.1, max=SPEED_MAX, help="How much faster than a real day.")] = 5.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another evening.")] = 7,
    collection: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Sell this collection instead of a generated one.")
    ] = None,
    headless: Annotated[bool, typer.Option(help="No live display.")] = False,
    until_done: Annotated[bool, typer.Option(help="End after the last lot, on a terminal too.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="The result as JSON on stdout; progress goes to stderr.")
    ] = False,
) -> None:
    """Open a house, sell a collection to simulated bidders, verify every lot, close.

    Everything is real: PostgreSQL and Valkey (embedded), the services, bids over HTTP. Nothing is left running.
    """
    settings = config.load()
    console = Console(stderr=json)
    stays_open = console.is_terminal and not until_done and not json
    with _run_folder(settings.data_dir / "demo") as folder:
        runner = _Demo(
            settings, folder, console, pace=Pace(speed), seed=seed, live=console.is_terminal and not headless
        )
        try:
            results = asyncio.run(
                runner.run(lots if collection is None else None, lots, collection, stays_open=stays_open)
            )
        except asyncio.CancelledError as error:  # SIGTERM; everything is closed
            raise typer.Exit(128 + signal.SIGTERM) from error
    if json:
        as_json({"lots": [result.public() for result in results], **runner.shown})
    if not results or any(not result.verified for result in results):
        raise typer.Exit(1)


class _Demo:
    def __init__(
        self, settings: Settings, folder: Path, console: Console, *, pace: Pace, seed: int, live: bool
    ) -> None:
        self.console = console
        self.folder = folder
        self.pace = pace
        self.seed = seed
        self.live = live
        #: The broadcast, as ``--json`` has it.
        self.shown: dict[str, Any] = {"stream": None, "recording": None}
        self.port = _free_port(settings.host, settings.port)
        self.events_port = _free_port(settings.host, self.port + 20)
        self.stream_port = _free_port(settings.host, max(self.events_port + 1, self.port + 30))
        self.agent_port = _free_port(settings.host, self.stream_port + 1)
        self.environment = {
            # an own house whatever the environment or the configuration file say
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "SOTHEBAIS_DATA_DIR": str(folder),
            "SOTHEBAIS_SANDBOX": "true",
            "SOTHEBAIS_COMMIT_TIMEOUT_S": str(pace.commit_timeout_s),
        }
        self.settings = settings.model_copy(
            update={
                "database_url": None,
                "redis_url": None,
                "data_dir": folder,
                "sandbox": True,
                "port": self.port,
                "commit_timeout_s": pace.commit_timeout_s,
            }
        )
        self.url = f"http://{settings.host}:{self.port}"

    async def run(self, generated: int | None, lots: int, source: Path | None, *, stays_open: bool) -> list[LotResult]:
        """From an empty folder to the last lot; the house is closed again whatever happens."""
        logging.configure("demo", folder=self.folder / "logs", level=self.settings.log_level, stdout=False)
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if task is not None:
            loop.add_signal_handler(signal.SIGTERM, task.cancel)
        self.console.print(f"[dim]data in {self.folder}[/]", highlight=False, soft_wrap=True)
        if source is None:
            source = self.folder / "collection"
            with self.console.status("Painting the collection"):
                await asyncio.to_thread(artworks.generate, source, generated or lots, self.seed)
        async with open_house(self.settings, name="demo") as house:
            tokens = await self._import(house, source)
            wanted = tokens if generated is None else tokens[:lots]
            campaign, estimates = await self._campaign(house, wanted)
            async with Supervisor(self._roles(), servers=house.servers, quiet=True):
                self.console.print(f"The house is open at [bold]{self.url}[/], live picture included", highlight=False)
                show = Show(
                    self.url, campaign, estimates, pace=self.pace, seed=self.seed, exports=self.folder / "verified"
                )
                await self._watch(show)
                self._conclude(show)
                await self._end_of_show(house)
                if stays_open:
                    self.console.print(f"\nThe house stays open at {self.url}. Ctrl-C closes it.")
                    await _interrupted()
        return show.results

    def _roles(self) -> list[Role]:
        return house_roles(
            self.port,
            self.events_port,
            self.environment,
            stream_port=self.stream_port,
            agent_port=self.agent_port,
        )

    async def _import(self, house: House, source: Path) -> list[str]:
        store = AssetStore.in_data_dir(self.folder)
        with Progress(console=self.console, transient=True, disable=not self.live) as progress:
            bar = progress.add_task("Importing", total=None)

            def advance(done: int, total: int) -> None:
                progress.update(bar, completed=done, total=total)

            report = await import_collection(
                house.engine, store, source, slug="demo", name=_collection_name(source), progress=advance
            )
        for fault in report.failed:
            self.console.print(f"left out: {fault.file} {fault.field or ''}: {fault.message}", highlight=False)
        async with house.engine.connect() as connection:
            statement = sa.select(ArtItem.token_id).where(ArtItem.collection_id == report.collection_id)
            tokens = list((await connection.execute(statement.order_by(ArtItem.position))).scalars())
        if not tokens:
            raise InvalidInput(f"{source} has no piece that could be sold.")
        self.console.print(f"{len(tokens)} pieces imported.")
        return tokens

    async def _campaign(self, house: House, tokens: list[str]) -> tuple[str, list[Any]]:
        begins = house.now() + LEAD_MS
        made, estimates = plan(tokens, "demo", "evening", now=begins, pace=self.pace, seed=self.seed)
        campaign = await campaigns.create(house.engine, made, house.lot_scheduler, house.now())
        await campaigns.start(house.engine, campaign, house.now())
        return str(campaign), estimates

    async def _watch(self, show: Show) -> None:
        if self.live:
            with Live(console=self.console, refresh_per_second=8, transient=True) as live:
                await show.run(
                    on_change=lambda screen: live.update(_picture(screen, show.results)),
                    on_result=lambda result: live.console.print(_line(result)),
                )
            return
        seen: dict[str, str] = {}

        def say(screen: Screen) -> None:
            lot = screen.current
            if lot is None:
                return
            text = _plain(lot)
            if seen.get(lot["id"]) != text:
                seen[lot["id"]] = text
                self.console.print(text, highlight=False, soft_wrap=True)

        await show.run(on_change=say, on_result=lambda result: self.console.print(_line(result)))

    async def _end_of_show(self, house: House) -> None:
        """Wait for the broadcast's last word and say where its recording is."""
        patience = self.pace.post_auction / 1000 + STREAM_PATIENCE_S
        with self.console.status("The show says goodbye"):
            self.shown = await broadcasts.last(house.engine, house.clock, self.folder / "recordings", patience)
        stream, recording = self.shown["stream"], self.shown["recording"]
        if stream is None:
            self.console.print("[bold red]There was no stream[/]; see logs/stream-manager in the data folder.")
            return
        self.console.print(
            f"The show: {stream['frames']:,} frames at {stream['fps']} a second, {stream['dropped']} dropped.",
            highlight=False,
        )
        if recording is not None:
            self.console.print(f"Recording: {recording}", highlight=False, soft_wrap=True)

    def _conclude(self, show: Show) -> None:
        table = Table("Lot", "Piece", "Outcome", "Winner", "Price", "Bids", "Log", title="Results of the evening")
        total = money.ZERO
        for result in show.results:
            colour = _COLOURS.get(result.outcome, "default")
            table.add_row(
                str(result.lot),
                result.art_item,
                Text(result.outcome, style=colour),
                f"@{result.winner}" if result.winner else "–",
                f"{result.price} {result.currency}" if result.price else "–",
                str(result.bids),
                "verified" if result.verified else Text(f"NOT VERIFIED: {result.fault}", style="bold red"),
            )
            if result.winner and result.price:
                total = money.add(total, money.parse_amount(result.price, 18))
        self.console.print(table)
        sold = sum(result.outcome == "SOLD" for result in show.results)
        accepted = sum(bidder.tally.accepted for bidder in show.bidders)
        refused = sum(sum(bidder.tally.refused.values()) for bidder in show.bidders)
        verified = sum(result.verified for result in show.results)
        self.console.print(
            f"{sold} of {len(show.results)} lots sold for {money.text(total)} ETH in all; {accepted} bids accepted,"
            f" {refused} refused with a reason; {verified} logs verified offline, with {accepted} receipts.",
            highlight=False,
        )
        self.console.print(f"Logs: {self.folder / 'verified'} (sothebais verify FILE)", highlight=False, soft_wrap=True)


def _picture(screen: Screen, results: list[LotResult]) -> Any:
    lot = screen.current
    done = Text(f"{len(results)} of {len(screen.lots)} lots done", style="dim")
    if lot is None:
        return done
    now, ends, starts = (parse_iso(text) for text in (screen.server_time, lot["ends_at"], lot["starts_at"]))
    grid = Table.grid(padding=(0, 2))
    price = f"{lot['price']} {lot['currency']}" if lot["price"] else f"from {lot['starting_price']} {lot['currency']}"
    grid.add_row("price", Text(price, style=f"bold {_COLOURS['price']}"))
    grid.add_row("leader", f"@{lot['leader']['handle']}" if lot["leader"] else "nobody yet")
    if lot["status"] == "SCHEDULED":
        grid.add_row("opens in", _seconds(starts - now))
    else:
        left = Text(_seconds(ends - now), style=_COLOURS["late"] if ends - now < 5_000 else "")
        grid.add_row("time left", Text("fair warning", style=_COLOURS["late"]) if lot["status"] == "CLOSING" else left)
    grid.add_row("reserve", "met" if lot["reserve_met"] else "not met yet")
    if lot["extension_count"]:
        grid.add_row("extended", f"{lot['extension_count']} times")
    bids = Table.grid(padding=(0, 2))
    for bid in screen.bids if lot["status"] != "SCHEDULED" else []:
        style = "" if bid["status"] == "WINNING" else "dim"
        bids.add_row(
            Text(f"#{bid['number']}", style="dim"),
            Text(f"@{bid['user']['handle']}", style=style),
            Text(f"{bid['amount']}", style=style, justify="right"),
            Text("proxy" if bid["proxy"] else "", style="dim"),
        )
    title = f"Lot {lot['lot_number']}  {lot['title']}"
    return Group(Panel(Group(grid, Text(), bids), title=title, border_style="#2A303B", width=64), done)


def _plain(lot: dict[str, Any]) -> str:
    head = f"lot {lot['lot_number']} “{lot['title']}”"
    if lot["status"] == "SCHEDULED":
        return f"{head} comes next, from {lot['starting_price']} {lot['currency']}"
    if lot["price"] is None:
        return f"{head} is open"
    leader = lot["leader"]["handle"] if lot["leader"] else "–"
    warning = ", fair warning" if lot["status"] == "CLOSING" else ""
    return f"{head}: {lot['price']} {lot['currency']}, @{leader} leads, {lot['bid_count']} bids{warning}"


def _line(result: LotResult) -> Text:
    colour = _COLOURS.get(result.outcome, "default")
    whom = f" to @{result.winner} for {result.price} {result.currency}" if result.winner else ""
    proof = "verified" if result.verified else f"NOT VERIFIED: {result.fault}"
    return Text.assemble(
        (f"{result.outcome.lower():>7}", f"bold {colour}"),
        f"  lot {result.lot} “{result.art_item}”{whom}, {result.bids} bids, {proof}",
    )


def _seconds(length: int) -> str:
    return f"{max(0, length) / 1000:.0f} s"


def _collection_name(source: Path) -> str:
    return "The Demo Collection" if source.name == "collection" else source.name.replace("-", " ").title()


async def _interrupted() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def _free_port(host: str, first: int) -> int:
    for port in range(first, min(first + PORTS_TRIED, 65_536)):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise InvalidInput(f"None of the ports {first} to {first + PORTS_TRIED - 1} is free.", field="port")


@contextmanager
def _run_folder(root: Path) -> Iterator[Path]:
    """A folder of its own for this demo, locked while it runs; all but the newest old ones are removed."""
    root.mkdir(parents=True, exist_ok=True)
    old = sorted(path for path in root.iterdir() if path.is_dir())
    for path in old[: max(0, len(old) - (RUNS_KEPT - 1))]:
        _remove_if_unused(path)
    folder = root / f"{SystemClock().now()}-{os.getpid()}"
    folder.mkdir()
    with (folder / ".running").open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        yield folder.resolve()


def _remove_if_unused(folder: Path) -> None:
    try:
        with (folder / ".running").open("w") as mark:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
    except OSError as error:  # another demo is using it, or it is not ours to remove
        sys.stderr.write(f"kept {folder}: {error.strerror}\n")
