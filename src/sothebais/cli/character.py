"""``sothebais character``: who the host is."""

import asyncio
import json as json_module
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from sothebais.agent import character_document, characters, elizaos
from sothebais.agent.character import FILE_BYTES_MAX, Character
from sothebais.agent.character_document import CharacterRefused
from sothebais.agent.repository import StoredCharacter
from sothebais.cli.house import acting, as_json, err, opened, out, told
from sothebais.errors import InvalidInput
from sothebais.events.actions import Actor, checked_reason

app = typer.Typer(no_args_is_help=True, help="Who the host is: Sable, or a character of your own.")

type Form = Literal["own", "elizaos"]
FormOption = Annotated[str, typer.Option("--format", help="own, or elizaos for an ElizaOS character file.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A character's JSON file.")]
#: The command line acts with the rights of an operator.
ROLE = "OPERATOR"
SHOWN_MAX = 3


def _form(text: str) -> Form:
    if text == "own":
        return "own"
    if text == "elizaos":
        return "elizaos"
    raise InvalidInput(f"{text!r:.30} is not a form of a character: own or elizaos.")


async def _present() -> StoredCharacter:
    async with opened() as house:
        return await characters.present(house.engine)


@app.command()
@told
def show(json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Who hosts. Without one of your own, Sable moves in."""
    stored = asyncio.run(_present())
    made = stored.character
    if json:
        as_json({"id": str(stored.id), "version": stored.version, "character": character_document.document(made)})
        return
    out.print(f"[bold]{escape(made.name)}[/], version {stored.version} ({stored.id})")
    _lines("About", made.bio)
    _lines("Lore", made.lore)
    _lines("Style", (*made.style.all, *made.style.chat, *made.style.post))
    _words("Is", made.adjectives)
    _words("Speaks of", made.topics)
    _lines("Writes", made.post_examples)
    _words("Faces", tuple(made.expressions))
    _words("Backgrounds", tuple(made.backgrounds))
    _words("Props", tuple(made.props))
    out.print(f"{len(made.message_examples)} conversations as examples.")


def _lines(title: str, texts: tuple[str, ...]) -> None:
    if not texts:
        return
    out.print(f"\n[bold]{title}[/]")
    for text in texts[:SHOWN_MAX]:
        out.print(f"  {escape(text)}", highlight=False, soft_wrap=True)
    if len(texts) > SHOWN_MAX:
        out.print(f"  [dim]and {len(texts) - SHOWN_MAX} more[/]")


def _words(title: str, texts: tuple[str, ...]) -> None:
    if texts:
        out.print(f"\n[bold]{title}[/] {escape(', '.join(texts))}", highlight=False, soft_wrap=True)


@app.command("import")
@told
def import_(
    file: File,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the audit.")],
    form: FormOption = "elizaos",
    by: Annotated[str | None, typer.Option("--by", metavar="HANDLE", help="The operator who does it.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what is wrong with it; nothing changes.")] = False,
) -> None:
    """Have this character host. A file that cannot be used is refused with every place that is wrong."""
    wanted = _form(form)
    why = checked_reason(reason)
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise InvalidInput(f"{file} has more than {FILE_BYTES_MAX:,} bytes.")
        document = character_document.decode(file.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from error

    async def run() -> tuple[StoredCharacter | None, elizaos.Imported]:
        async with opened() as house:
            present = await characters.present(house.engine)
            read = _read(document, wanted, present.character)
            if check:
                return None, read
            async with acting(house, by) as user:
                actor = Actor(user, ROLE)
                return await characters.put(house.engine, read.character, actor, house.now(), reason=why), read

    try:
        stored, read = asyncio.run(run())
    except CharacterRefused as error:
        faults = error.fields.get("faults", [])
        err.print(f"[bold red]error:[/] {escape(str(file))} is not a character:", highlight=False, soft_wrap=True)
        for fault in faults:
            err.print(
                f"  [bold]{escape(fault['path'] or 'the document')}[/] {escape(fault['expected'])}", highlight=False
            )
        if (left := error.fields.get("faults_count", 0) - len(faults)) > 0:
            err.print(f"  [dim]and {left} more[/]")
        if not faults:
            err.print(f"  {escape(error.message)}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    for place in read.dropped:
        out.print(f"[yellow]dropped[/] {escape(place)}: a secret is not kept", highlight=False, soft_wrap=True)
    for note in read.notes:
        out.print(f"[dim]note[/] {escape(note)}", highlight=False, soft_wrap=True)
    if stored is None:
        out.print(f"{escape(read.character.name)} can host. Nothing was changed.")
    else:
        out.print(f"{escape(stored.character.name)} hosts from now on (version {stored.version}).")


def _read(document: object, wanted: Form, present: Character) -> elizaos.Imported:
    if wanted == "elizaos":
        return elizaos.import_character(document, onto=present)
    return elizaos.Imported(character_document.read(document), "own")


@app.command()
@told
def export(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Where to; else to the screen.")] = None,
    form: FormOption = "elizaos",
) -> None:
    """Write the character to a file that can be imported again, here or elsewhere."""
    wanted = _form(form)
    made = asyncio.run(_present()).character
    document = elizaos.export_character(made) if wanted == "elizaos" else character_document.document(made)
    if file is None:
        as_json(document)
        return
    try:
        file.write_text(json_module.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}.") from error
    out.print(f"{escape(made.name)} is in {escape(str(file))}.", highlight=False, soft_wrap=True)
