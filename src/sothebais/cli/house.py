"""Opening the house for one command."""

import contextlib
import functools
import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from sothebais import config
from sothebais.bootstrap import House, open_house
from sothebais.errors import SothebaisError
from sothebais.telemetry import logging

#: Who acts where no operator is named: the command line itself.
HOUSE_HANDLE = "house"
out = Console()
err = Console(stderr=True)


@contextlib.asynccontextmanager
async def opened(name: str = "cli") -> AsyncIterator[House]:
    """The house of the configuration, for as long as a command needs it; logs go to files only."""
    settings = config.load()
    logging.configure("cli", folder=settings.data_dir / "logs", level=settings.log_level, stdout=False)
    async with open_house(settings, name=name) as house:
        yield house


def told(command: Callable[..., Any]) -> Callable[..., Any]:
    """Have a command's errors said on stderr, with exit code 1."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except SothebaisError as error:
            err.print(f"[bold red]error:[/] {escape(error.message)}", highlight=False, soft_wrap=True)
            raise typer.Exit(1) from error

    return wrapper


def as_json(value: Any) -> None:
    """Write a result for programs."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
