"""The command line: ``sothebais``."""

import sys

import typer

from sothebais.cli import (
    auction,
    campaign,
    character,
    collection,
    database,
    demo,
    events,
    proof,
    render,
    report,
    services,
    setup,
    staff,
    stream,
)
from sothebais.errors import SothebaisError

app = typer.Typer(
    name="sothebais",
    help="A livestreamed auction house for art. `sothebais demo` shows all of it.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(collection.app, name="collection", help="Collections and their items.")
app.add_typer(campaign.app, name="campaign", help="Campaigns: days of auctions.")
app.add_typer(auction.app, name="auction", help="Lots, and an operator's steps on them.")
app.add_typer(stream.app, name="stream", help="The broadcast, its scenes and its files.")
app.add_typer(character.app, name="character", help="Who the host is.")
app.add_typer(staff.app, name="staff", help="Who operates the house.")
app.add_typer(report.app, name="report", help="What was sold, and how it is settled.")
app.add_typer(database.db, name="db", help="Migrations.")
app.add_typer(database.schema, name="schema", help="Schemas for other programs.")
app.add_typer(events.events, name="events", help="The log and its dead letters.")
app.add_typer(events.state, name="state", help="The Redis state.")
for module in (demo, services, setup, proof, auction, render):
    module.register(app)


def main() -> None:
    """Entry point; an error of ours is a sentence on stderr and exit code 1, never a traceback."""
    try:
        app()
    except SothebaisError as error:
        sys.stderr.write(f"error: {error.message}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
