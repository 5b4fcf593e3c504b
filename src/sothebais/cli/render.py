"""``sothebais render``: a lot as a clip, drawn again from its log."""

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from sothebais import ids, priorities
from sothebais.catalog.assets import AssetStore
from sothebais.cli.house import as_json, err, opened, out, told
from sothebais.db.engine import connect
from sothebais.errors import InvalidInput, NotFound
from sothebais.instants import isoformat
from sothebais.stream import clip_file, render
from sothebais.stream.clip_encoding import ClipFormat
from sothebais.stream.render import Made, Material, Wanted
from sothebais.stream.show_pictures import ShowPictures

WIDE, VERTICAL = "1280x720", "720x1280"
_SIZE = re.compile(r"(\d{2,5})[x×](\d{2,5})", re.ASCII)


def register(main: typer.Typer) -> None:
    """Add the command to the main one."""
    main.command("render")(render_clip)


@told
def render_clip(
    auction: Annotated[str, typer.Argument(metavar="AUCTION", help="An auction's id, or its exported log.")],
    target: Annotated[Path, typer.Option("--out", metavar="CLIP.mp4", help="The file to write.")],
    vertical: Annotated[bool, typer.Option("--vertical", help="9:16 instead of 16:9.")] = False,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="T", help="ISO 8601, or 1:30 after the opening, or -20 before the end (in seconds)."
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="T",
            help="The same, or +6 after the end; else until the stamp has been seen, or the next lot opens.",
        ),
    ] = None,
    fps: Annotated[int, typer.Option(help="Pictures a second.")] = 30,
    size: Annotated[str | None, typer.Option(help=f"Pixels, such as {WIDE} or 1920x1080.")] = None,
    collection: Annotated[
        Path | None, typer.Option(metavar="PATH", help="With a log: the metadata that has the piece's picture.")
    ] = None,
    gently: Annotated[bool, typer.Option("--gently", help="At the lowest priority, on one thread.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Draw a lot again, picture by picture, from its log: for clips and for disputes.

    The pictures are those the show had, at the instants it had them; H.264 and AAC. How many were watching is not in
    the log and not in the clip.
    """
    width, height = _size(size or (VERTICAL if vertical else WIDE))
    if vertical and height <= width:
        raise InvalidInput("--size: with --vertical the picture is higher than wide, such as 720x1280.", field="size")
    wanted = Wanted(begin=begin, end=end, width=width, height=height, fps=fps)
    # before anything is opened: a wrong name should not cost a minute
    clip_file.check(target, ClipFormat(width=width, height=height, fps=max(1, fps)), 1)
    if gently:
        priorities.only_when_idle()
    is_file = Path(auction).is_file()
    if is_file:
        material, held = render.from_log(_lines(Path(auction)), wanted, collection=collection)
        pictures = ShowPictures(render.reading(held))
        speech: Callable[[UUID], bytes | None] = _nothing
    else:
        if collection is not None:
            raise InvalidInput(
                "--collection goes with an exported log; the house knows its pieces.", field="collection"
            )
        material, pictures, speech = asyncio.run(_from_house(auction, wanted))
    made = _written(material, target, pictures, speech, threads=1 if gently else 0, quiet=json)
    if json:
        as_json(
            {
                "file": str(made.path), "frames": made.frames, "fps": fps, "width": width, "height": height,
                "from": isoformat(made.begin), "to": isoformat(made.end), "begin_ms": made.begin, "end_ms": made.end,
                "bytes": made.bytes,
                "speeches": made.speeches, "speeches_missing": made.speeches_missing,
            }
        )  # fmt: skip
        return
    seconds = (made.end - made.begin) / 1_000
    out.print(
        f"[bold green]rendered[/]  {made.path}  {width} × {height}, {seconds:g} s, {made.bytes / 1e6:.1f} MB",
        highlight=False,
    )
    if made.speeches_missing:
        out.print(f"  {made.speeches_missing} things said are silent: their sound is not kept.", highlight=False)


async def _from_house(auction: str, wanted: Wanted) -> tuple[Material, ShowPictures, Callable[[UUID], bytes | None]]:
    key = ids.parse_id(auction)
    if key is None:
        raise NotFound(f"{auction[:100]!r} is neither an auction's id nor a file.")
    async with opened() as house:
        root = house.settings.assets_url or (house.settings.data_dir / "assets").absolute()
        connection = await connect(house.database_url, name="render", statement_timeout_s=300)
        try:
            material = await render.from_house(connection, key, wanted, await house.pictured())
        finally:
            await connection.close()
        return material, ShowPictures(AssetStore(root).get, names=material.assets), _heard(AssetStore(root))


def _heard(store: AssetStore) -> Callable[[UUID], bytes | None]:
    def read(event: UUID) -> bytes | None:
        try:
            return store.speech(event)
        except NotFound:
            return None

    return read


def _written(
    material: Material,
    target: Path,
    pictures: ShowPictures,
    speech: Callable[[UUID], bytes | None],
    *,
    threads: int,
    quiet: bool,
) -> Made:
    columns: tuple[Any, ...] = (
        TextColumn("rendering"), BarColumn(), TaskProgressColumn(), TextColumn("{task.completed}/{task.total} pictures"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=err, transient=True, disable=quiet) as bar:
        task = bar.add_task("rendering", total=material.stretch.frames)
        return render.write(
            material,
            target,
            pictures,
            speech,
            threads=threads,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _size(text: str) -> tuple[int, int]:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise InvalidInput(f"--size: {text[:40]!r} is no size; write it as {WIDE}.", field="size")
    return int(match[1]), int(match[2])


def _lines(path: Path) -> Iterator[bytes]:
    try:
        if path.stat().st_size > render.LOG_BYTES_MAX:
            raise InvalidInput(f"{path} is too large to be a log.")
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error


def _nothing(_event: UUID) -> bytes | None:
    """An exported log has no sound beside it."""
    return None
