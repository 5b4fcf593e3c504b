"""``sothebais events …`` and ``sothebais state …``."""

import asyncio
from typing import Annotated

import typer

from sothebais.cli.house import as_json, err, opened, out, told
from sothebais.db.engine import connect
from sothebais.errors import InvalidInput
from sothebais.events import cursors, dead_letters, relay, replay
from sothebais.events.log import Position

events = typer.Typer(no_args_is_help=True)
state = typer.Typer(no_args_is_help=True)
letters = typer.Typer(no_args_is_help=True)
events.add_typer(letters, name="dead-letters", help="Events a consumer could not handle.")

LETTERS_MAX = 500

Consumer = Annotated[str | None, typer.Option(help="Only this consumer's.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@events.command()
@told
def tail(
    after: Annotated[
        str | None, typer.Option(metavar="POSITION", help="From behind this position; else from now on.")
    ] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only events of this type.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only events about this subject.")] = None,
    follow: Annotated[bool, typer.Option(help="Go on until Ctrl-C.")] = True,
) -> None:
    """Show the log as it grows, one JSON event a line."""
    start = None if after is None else parse_position(after)

    async def run() -> None:
        async with opened() as house:
            connection = await connect(house.database_url, name="tail")
            position = start if start is not None else await replay.end_of_log(connection)
            try:
                while True:
                    found = await cursors.read_after(connection, position)
                    for event in found:
                        position = event.position
                        if type_ in (None, event.type) and subject in (None, event.subject):
                            typer.echo(event.message())
                    if not found:
                        if not follow:
                            return
                        await asyncio.sleep(cursors.LOOK_AGAIN_S)
            finally:
                connection.terminate()

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@events.command("replay")
@told
def replay_(
    from_: Annotated[
        str, typer.Option("--from", metavar="POSITION", help="Events behind this position; 0.0.0 for all.")
    ],
    consumer: Annotated[str, typer.Option(help="The consumer that is to see them again.")],
    type_: Annotated[str | None, typer.Option("--type", help="Only events of this type.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only events about this subject.")] = None,
    json: Json = False,
) -> None:
    """Have a consumer handle events again: without a filter its cursor is set back, else they are queued for it."""
    position = parse_position(from_)

    async def run() -> int:
        async with opened() as house:
            connection = await connect(house.database_url, name="replay")
            try:
                return await replay.replay(connection, consumer, position, event_type=type_, subject=subject)
            finally:
                connection.terminate()

    count = asyncio.run(run())
    if json:
        as_json({"consumer": consumer, "events": count})
    else:
        out.print(f"{consumer} will see {count} events again.")


@letters.command("list")
@told
def list_letters(consumer: Consumer = None, json: Json = False) -> None:
    """Dead letters, oldest first."""

    async def run() -> list[dead_letters.Letter]:
        async with opened() as house, house.engine.connect() as connection:
            return await dead_letters.waiting(connection, consumer, limit=LETTERS_MAX + 1)

    found = asyncio.run(run())
    more, found = len(found) > LETTERS_MAX, found[:LETTERS_MAX]
    if more:
        err.print(f"There are more than {LETTERS_MAX}: the oldest are shown. Name a --consumer to see fewer.")
    if json:
        as_json({"items": [letter.public() for letter in found]})
        return
    for letter in found:
        out.print(
            f"{letter.id}  {letter.consumer}  {letter.type}  {letter.attempts} tries  {letter.error}", highlight=False
        )
    if not found:
        out.print("No dead letters.")


@letters.command("replay")
@told
def replay_letter(letter: Annotated[str, typer.Argument(help="The dead letter's id.")]) -> None:
    """Have its consumer try this event again."""
    asyncio.run(_on_letter(letter, dead_letters.requeue))
    out.print("It will be tried again.")


@letters.command("drop")
@told
def drop_letter(letter: Annotated[str, typer.Argument(help="The dead letter's id.")]) -> None:
    """Give this event up for its consumer."""
    asyncio.run(_on_letter(letter, dead_letters.drop))
    out.print("Dropped.")


@state.command()
@told
def rebuild() -> None:
    """Write the whole Redis state afresh from PostgreSQL."""

    async def run() -> int:
        async with opened() as house:
            store = house.store()
            connection = await connect(house.database_url, name="rebuild")
            try:
                # waits for a running relay's lock only if none can be asked; a running relay is told by removing its mark
                return await relay.rebuild_beside(connection, store, house.projectors())
            finally:
                connection.terminate()
                await store.close()

    out.print(f"{asyncio.run(run())} keys written.")


@state.command()
@told
def check(json: Json = False) -> None:
    """Compare Redis with what a rebuild would write; exit 1 when they differ."""

    async def run() -> list[str]:
        async with opened() as house:
            store = house.store()
            connection = await connect(house.database_url, name="check")
            try:
                return await relay.differences(connection, store, house.projectors())
            finally:
                connection.terminate()
                await store.close()

    found = asyncio.run(run())
    if json:
        as_json({"differences": found})
    for line in () if json else found:
        err.print(line, highlight=False)
    if found:
        raise typer.Exit(1)
    if not json:
        out.print("Redis holds exactly what PostgreSQL says.")


def parse_position(text: str) -> Position:
    """The position of an argument. Raises InvalidInput."""
    try:
        return Position.parse(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is not a position; it looks like 1.4711.42.") from None


async def _on_letter(text: str, action: dead_letters.Action) -> None:
    async with opened() as house, house.engine.begin() as connection:
        await action(connection, text)
