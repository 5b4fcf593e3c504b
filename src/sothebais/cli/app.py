"""The command line: ``sothebais``.

Only the module of the command that is called is imported: each brings half the house with it, and every process of the
house begins here.
"""

import importlib
import sys
from typing import Any, Final

import typer
from typer.core import TyperGroup

from sothebais.errors import SothebaisError

#: Command to the module that adds it to the main one, and what the list of commands says of it: its own first sentence.
COMMANDS: Final = {
    "demo": ("demo", "Open a house, sell a collection to simulated bidders, verify every lot, close."),
    "up": (
        "services",
        "Run all services under one supervisor, with the configured servers or embedded ones, until Ctrl-C.",
    ),
    "run": ("services", "Run one service alone, for many machines."),
    "init": (
        "setup",
        "Write a commented configuration file with every setting at its default; on a terminal, make the first admin.",
    ),
    "doctor": ("setup", "Check configuration, disk, servers, clocks and the show; say what to do about each failure."),
    "verify": ("proof", "Recompute a lot from its log: every hash, every commitment, every decision."),
    "backtest": ("proof", "Play real past bids through the rules: who wins, at what price."),
    "bid": ("auction", "A bid by hand, for rehearsals and tests."),
    "render": ("render", "Draw a lot again, picture by picture, from its log: for clips and for disputes."),
}
#: Group to its module, its name there and what it is about.
GROUPS: Final = {
    "collection": ("collection", "app", "Collections and their items."),
    "campaign": ("campaign", "app", "Campaigns: days of auctions."),
    "auction": ("auction", "app", "Lots, and an operator's steps on them."),
    "stream": ("stream", "app", "The broadcast, its scenes and its files."),
    "character": ("character", "app", "Who the host is."),
    "staff": ("staff", "app", "Who operates the house."),
    "report": ("report", "app", "What was sold, and how it is settled."),
    "db": ("database", "db", "Migrations."),
    "schema": ("database", "schema", "Schemas for other programs."),
    "events": ("events", "events", "The log and its dead letters."),
    "state": ("events", "state", "The Redis state."),
}


class _Commands(TyperGroup):
    """Commands that are imported when they are called; a list of them names them without."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order in which a newcomer needs them."""
        return [*COMMANDS, *GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, or null for a name that is none."""
        if cmd_name in self.commands or cmd_name not in (*COMMANDS, *GROUPS):
            return self.commands.get(cmd_name)
        if self._listing:
            about = COMMANDS[cmd_name][1] if cmd_name in COMMANDS else GROUPS[cmd_name][2]
            return typer.core.TyperCommand(cmd_name, help=about)
        self.commands[cmd_name] = _imported(cmd_name)
        return self.commands[cmd_name]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The list of commands."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


def _imported(name: str) -> Any:
    """A command or a group from its module."""
    holder = typer.Typer(**_STYLE)
    holder.callback()(_nothing)
    if name in COMMANDS:
        importlib.import_module(f"sothebais.cli.{COMMANDS[name][0]}").register(holder)
    else:
        module, attribute, about = GROUPS[name]
        group = getattr(importlib.import_module(f"sothebais.cli.{module}"), attribute)
        holder.add_typer(group, name=name, help=about)
    return typer.main.get_group(holder).commands[name]


def _nothing() -> None:
    """A livestreamed auction house for art. `sothebais demo` shows all of it."""


_STYLE: Final[dict[str, Any]] = {
    "no_args_is_help": True,
    "rich_markup_mode": "rich",
    "pretty_exceptions_enable": False,
    "add_completion": False,
}
app = typer.Typer(name="sothebais", cls=_Commands, **_STYLE)
app.callback()(_nothing)


def main() -> None:
    """Entry point; an error of ours is a sentence on stderr and exit code 1, never a traceback."""
    try:
        app()
    except SothebaisError as error:
        sys.stderr.write(f"error: {error.message}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
