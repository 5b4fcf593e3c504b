"""``sothebais stream``: the broadcast, its scenes and its files, by hand."""

import asyncio
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape
from rich.table import Table

from sothebais import ids
from sothebais.bootstrap import House
from sothebais.catalog.assets import AssetStore
from sothebais.cli import stream_local
from sothebais.cli.house import acting, as_json, opened, out, told
from sothebais.clock import from_datetime, isoformat
from sothebais.errors import InvalidInput, NotFound
from sothebais.events.actions import Actor, checked_reason
from sothebais.stream import commands, scene_store
from sothebais.stream.assets import repository
from sothebais.stream.assets.intake import AssetIntake
from sothebais.stream.assets.service import StreamAssets, checked_name
from sothebais.stream.confined import Children
from sothebais.stream.scene_store import Named, StoredScene
from sothebais.stream.scenes import dump, parse, schema
from sothebais.stream.scenes.document import BYTES_MAX
from sothebais.stream.show import TransitionKind
from sothebais.stream.tables import AssetType, Orientation

app = typer.Typer(no_args_is_help=True, help="The broadcast, its scenes and its files.")
assets = typer.Typer(no_args_is_help=True, help="Pictures, videos and sounds of the show.")
scenes = typer.Typer(no_args_is_help=True, help="Scenes: built in, and stored revision by revision.")
app.add_typer(assets, name="assets")
app.add_typer(scenes, name="scenes")
stream_local.register(app)

Reason = Annotated[str, typer.Option(help="Why; it is kept in the audit.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
By = Annotated[str | None, typer.Option("--by", metavar="HANDLE", help="The operator who does it.")]
Vertical = Annotated[bool, typer.Option("--vertical", help="The 9:16 scene of that name.")]
AssetName = Annotated[str, typer.Argument(metavar="ASSET", help="An asset's id, or TYPE/name.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="The file; what it is, its content says.")]

#: The command line acts with the rights of an operator.
ROLE = "OPERATOR"


def _actor(user: UUID) -> Actor:
    return Actor(user, ROLE)


def _way(vertical: bool) -> Orientation:
    return Orientation.VERTICAL if vertical else Orientation.WIDE


def _when(value: Any) -> str | None:
    return None if value is None else isoformat(from_datetime(value))


def _read(path: Path, bytes_max: int) -> bytes:
    """A file's bytes. Raises InvalidInput for one that cannot be read or has too many."""
    try:
        size = path.stat().st_size
        if size > bytes_max:
            raise InvalidInput(f"{path} has {size:,} bytes; at most {bytes_max:,} are taken.")
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error


def _assets_of(house: House) -> StreamAssets:
    settings = house.settings
    store = AssetStore(settings.assets_url) if settings.assets_url else AssetStore.in_data_dir(settings.data_dir)
    return StreamAssets(house.engine, store, AssetIntake(Children(), bytes_max=settings.stream_asset_bytes_max))


# the broadcast


def _stream(row: Any) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "campaign_day": None if row.campaign_day_id is None else str(row.campaign_day_id),
        "title": row.title,
        "status": str(row.status),
        "width": row.width,
        "height": row.height,
        "fps": row.fps,
        "scene": row.scene_name,
        "revision": row.scene_revision,
        "slate": row.slate_sentence,
        "started_at": _when(row.started_at),
        "stop_requested_at": _when(row.stop_requested_at),
        "stop_cause": row.stop_cause,
    }


@app.command()
@told
def start(
    day: Annotated[str | None, typer.Option(metavar="DAY", help="The campaign day's id.")] = None,
    title: Annotated[str, typer.Option(help="What it is called; else the day's name.")] = "",
    canvas: Annotated[str, typer.Option(help="1280x720, 1920x1080, 720x1280 or 1080x1920.")] = "1280x720",
    fps: Annotated[int, typer.Option(help="30 or 60.")] = 30,
    by: By = None,
    json: Json = False,
) -> None:
    """Begin a broadcast; the stream-manager brings it on air."""
    wanted = None if day is None else ids.parse_id(day)
    if day is not None and wanted is None:
        raise InvalidInput(f"{day!r} is not the id of a campaign day. `sothebais campaign plan` shows them.")
    sides = {f"{width}x{height}": (width, height) for width, height in commands.CANVASES}

    async def run() -> Any:
        async with opened() as house, acting(house, by) as user:
            return await commands.start(
                house.engine,
                _actor(user),
                house.now(),
                day=wanted,
                title=title,
                canvas=sides.get(canvas, (0, 0)),
                fps=fps,
            )

    row = asyncio.run(run())
    if json:
        as_json(_stream(row))
    else:
        out.print(
            f"“{escape(row.title)}” begins: {row.width}×{row.height} at {row.fps} fps ({row.id}).", soft_wrap=True
        )


@app.command()
@told
def stop(reason: Reason, by: By = None, json: Json = False) -> None:
    """Ask for the end of the broadcast; lots run on."""

    async def run() -> Any:
        async with opened() as house, acting(house, by) as user:
            return await commands.stop(house.engine, _actor(user), house.now(), reason=reason)

    row = asyncio.run(run())
    if json:
        as_json(_stream(row))
    else:
        out.print(f"“{escape(row.title)}” is asked to end.")


@app.command()
@told
def slate(
    reason: Reason,
    sentence: Annotated[str, typer.Option(help="What viewers read.")] = "",
    meaning: Annotated[str, typer.Option(help="What it means for bids; else the picture says what is so.")] = "",
    off: Annotated[bool, typer.Option("--off", help="Take it away.")] = False,
    by: By = None,
    json: Json = False,
) -> None:
    """Put one true sentence in the place of the picture, or take it away."""

    async def run() -> Any:
        async with opened() as house, acting(house, by) as user:
            return await commands.slate(
                house.engine,
                _actor(user),
                house.now(),
                reason=reason,
                sentence=sentence,
                meaning=meaning,
                on=not off,
            )

    row = asyncio.run(run())
    if json:
        as_json(_stream(row))
    else:
        out.print("The slate is off." if off else f"The slate is on: “{escape(row.slate_sentence)}”")


# assets


def _asset(row: Any) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "reference": repository.reference(row),
        "name": row.name,
        "type": str(row.type),
        "media_type": row.media_type,
        "size": row.size,
        "width": row.width,
        "height": row.height,
        "sha256": row.sha256.hex(),
        "path": row.path,
        "details": row.metadata,
        "created_at": _when(row.created_at),
    }


async def _found(house: House, text: str) -> Any:
    async with house.engine.connect() as connection:
        row = (await repository.resolve(connection, [text])).get(text)
    if row is None:
        raise NotFound(f"There is no stream asset {text!r}. `sothebais stream assets list` shows them.")
    return row


@assets.command("list")
@told
def list_assets(
    type_: Annotated[AssetType | None, typer.Option("--type", help="Only these.")] = None, json: Json = False
) -> None:
    """Assets, in the order in which they came."""

    async def run() -> list[dict[str, Any]]:
        async with opened() as house, house.engine.connect() as connection:
            found: list[dict[str, Any]] = []
            after: UUID | None = None
            while rows := await repository.assets(connection, type_=type_, after=after):
                found += map(_asset, rows)
                after = rows[-1].id
            return found

    items = asyncio.run(run())
    if json:
        as_json({"items": items})
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("Asset", overflow="fold")
    for column in ("Kind", "Size", "Pixels"):
        table.add_column(column)
    table.add_column("Id", no_wrap=True, min_width=36)
    for item in items:
        pixels = f"{item['width']} × {item['height']}" if item["width"] else ""
        table.add_row(
            escape(item["reference"]),
            item["details"].get("kind", ""),
            f"{item['size']:,}",
            pixels,
            item["id"],
        )
    out.print(table if items else "No assets. `sothebais stream assets add FILE --type BACKGROUND` takes one in.")


@assets.command("add")
@told
def add_asset(
    file: File,
    type_: Annotated[AssetType, typer.Option("--type", help="What it is for.")],
    name: Annotated[str | None, typer.Option(help="Its name in scenes; else the file's.")] = None,
    by: By = None,
    json: Json = False,
) -> None:
    """Take a picture, an animation, a video or a sound in."""
    called = checked_name(file.stem if name is None else name)

    async def run() -> Any:
        async with opened() as house:
            store = _assets_of(house)
            # looked at before anything is written, however long that takes
            taken = await store.take(_read(file, house.settings.stream_asset_bytes_max), type_)
            async with acting(house, by) as user:
                return await store.add(called, type_, taken, _actor(user), house.now())

    _said("is in the house", asyncio.run(run()), json)


@assets.command("replace")
@told
def replace_asset(asset: AssetName, file: File, by: By = None, json: Json = False) -> None:
    """Give an asset another file, under the same name."""

    async def run() -> Any:
        async with opened() as house:
            store, row = _assets_of(house), await _found(house, asset)
            taken = await store.take(_read(file, house.settings.stream_asset_bytes_max), row.type)
            async with acting(house, by) as user:
                return await store.replace(row.id, taken, _actor(user), house.now())

    _said("has another file", asyncio.run(run()), json)


@assets.command("remove")
@told
def remove_asset(asset: AssetName, by: By = None, json: Json = False) -> None:
    """Remove an asset that no scene shows, and its file when nothing else needs it."""

    async def run() -> Any:
        async with opened() as house:
            row = await _found(house, asset)
            async with acting(house, by) as user:
                await _assets_of(house).remove(row.id, _actor(user), house.now())
            return row

    _said("is removed", asyncio.run(run()), json)


def _said(what: str, row: Any, json: bool) -> None:
    if json:
        as_json(_asset(row))
    else:
        out.print(f"{escape(repository.reference(row))} {what} ({row.media_type}, {row.size:,} bytes).", soft_wrap=True)


# scenes


def _line(one: Named | StoredScene) -> dict[str, Any]:
    return {
        "name": one.name,
        "orientation": str(one.orientation),
        "revision": one.revision,
        "built_in": scene_store.is_built_in(one.name, one.orientation),
        "created_at": _when(one.created_at),
        "actor": None if one.actor is None else str(one.actor),
    }


@scenes.command("list")
@told
def list_scenes(json: Json = False) -> None:
    """Scenes with their newest revision; 0 is the built-in one."""

    async def run() -> list[Named]:
        async with opened() as house, house.engine.connect() as connection:
            return await scene_store.listing(connection)

    items = [_line(one) for one in asyncio.run(run())]
    if json:
        as_json({"items": items})
        return
    table = Table("Scene", "Orientation", "Revision", "Stored at (UTC)", box=None, pad_edge=False)
    for item in items:
        stored = (item["created_at"] or "built in")[:16].replace("T", " ")
        table.add_row(item["name"], item["orientation"].lower(), str(item["revision"]), stored)
    out.print(table)


@scenes.command("show")
@told
def show_scene(
    name: Annotated[str, typer.Argument(metavar="SCENE")],
    revision: Annotated[int | None, typer.Option(min=0, help="Else the newest; 0 is the built-in one.")] = None,
    vertical: Vertical = False,
) -> None:
    """A scene's document, as JSON: a beginning for an own one."""

    async def run() -> StoredScene:
        async with opened() as house, house.engine.connect() as connection:
            return await scene_store.get(connection, name, _way(vertical), revision)

    typer.echo(dump(asyncio.run(run()).scene), nl=False)


@scenes.command("put")
@told
def put_scene(
    reason: Reason,
    file: Annotated[Path | None, typer.Argument(metavar="FILE.json", help="A document to store.")] = None,
    name: Annotated[str | None, typer.Option(help="Put this scene on air.")] = None,
    automatic: Annotated[bool, typer.Option("--automatic", help="Let the scene follow the auction again.")] = False,
    on_air: Annotated[bool, typer.Option("--on-air", help="Show the document at once.")] = False,
    transition: Annotated[str | None, typer.Option(help="cut, fade, slide or zoom; else the scene's own.")] = None,
    duration_ms: Annotated[int | None, typer.Option(min=0, help="How long that takes.")] = None,
    by: By = None,
    json: Json = False,
) -> None:
    """Store a scene's document, put a scene on air, or hand the choice back to the show."""
    if (file is not None) + (name is not None) + automatic != 1:
        raise InvalidInput("Give one of FILE.json, --name and --automatic.")
    kinds: dict[str, TransitionKind] = {"cut": "cut", "fade": "fade", "slide": "slide", "zoom": "zoom"}
    if transition is not None and transition not in kinds:
        raise InvalidInput("--transition must be cut, fade, slide or zoom.")
    document = None if file is None else parse(_read(file, BYTES_MAX))
    checked_reason(reason)

    async def run() -> commands.Put:
        async with opened() as house, acting(house, by) as user:
            return await commands.put_scene(
                house.engine,
                _actor(user),
                house.now(),
                reason=reason,
                document=document,
                name=name,
                on_air=on_air or document is None,
                transition=None if transition is None else kinds[transition],
                duration_ms=duration_ms,
                inputs=house.settings.stream_inputs,
            )

    put = asyncio.run(run())
    if json:
        as_json(
            {
                "scene": None if put.stored is None else _line(put.stored),
                "stored": put.stored is not None and put.stored.new,
                "stream": None if put.stream is None else str(put.stream),
            }
        )
    elif put.stored is None:
        out.print("The scene follows the auction.")
    else:
        what = "is on air" if put.stream is not None else "is stored" if put.stored.new else "was stored already"
        out.print(f"{put.stored.name}, revision {put.stored.revision}, {what}.")


@scenes.command("schema")
@told
def scene_schema() -> None:
    """The JSON schema of a scene's document."""
    as_json(schema())
