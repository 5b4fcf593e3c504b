"""Callers who wait for the engine, and what they are told where it has no answer."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from sothebais.auctions.answers import Answer, Result
from sothebais.auctions.commands import Command
from sothebais.errors import OutcomeUnknown, SothebaisError, Unavailable

RETRY_AFTER_S = 1


class Pending(NamedTuple):
    """A command and the caller that waits for it."""

    command: Command
    future: "asyncio.Future[Answer | None]"


def answered(answer: Answer | None) -> Answer:
    """The answer of a command that has one."""
    if answer is None:
        raise unknown()
    return answer


def tell(future: "asyncio.Future[Answer | None]", result: Result) -> None:
    """Wake that caller, unless it has given up."""
    if future.done():
        return
    if isinstance(result, SothebaisError):
        future.set_exception(result)
    else:
        future.set_result(result)


def fail(pending: Iterable[Pending], error: SothebaisError) -> None:
    """Tell all of them the same."""
    for one in pending:
        tell(one.future, error)


def unwritable() -> Unavailable:
    """PostgreSQL is not there."""
    return Unavailable("The house cannot write at the moment. Nothing was kept.", retry_after=RETRY_AFTER_S)


def unknown() -> OutcomeUnknown:
    """It may have been written."""
    return OutcomeUnknown(
        "The house did not hear whether this was written. Send it again with the same Idempotency-Key.",
        retry_after=RETRY_AFTER_S,
    )
