"""Opening the house for one command."""

import contextlib
import functools
import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape

from sothebais import config
from sothebais.bootstrap import House, open_house
from sothebais.errors import OutcomeUnknown, SothebaisError
from sothebais.telemetry import logging
from sothebais.users.service import ensure_sandbox_user, find_by_handle

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


@contextlib.asynccontextmanager
async def acting(house: House, by: str | None = None) -> AsyncIterator[UUID]:
    """Who takes the step in the block: the operator of that handle, or the command line's own user. Raises NotFound.

    That user is made with its first step: committed after it, so that a step that is refused leaves nothing behind.
    """
    async with house.engine.connect() as connection:
        if by is None:
            actor = await ensure_sandbox_user(connection, HOUSE_HANDLE)
        else:
            actor = await find_by_handle(connection, by.removeprefix("@"))
        try:
            yield actor
        except OutcomeUnknown:
            await connection.commit()  # the step may stand
            raise
        await connection.commit()


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
