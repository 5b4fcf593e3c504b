"""``sothebais stream preview`` and ``record``: a scene as a picture or a video, without going on air."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from sothebais import config
from sothebais.catalog.assets import AssetStore
from sothebais.cli.house import as_json, opened, out, told
from sothebais.clock import SystemClock
from sothebais.config import Settings
from sothebais.errors import InvalidInput, NotFound
from sothebais.instants import Millis
from sothebais.stream import clip_file, example, local, scene_store
from sothebais.stream.clip_encoding import ClipFormat
from sothebais.stream.confined import Children
from sothebais.stream.encoding import Format
from sothebais.stream.local import SECONDS_MAX, Show
from sothebais.stream.scene_preview import SIZES, ScenePreviews
from sothebais.stream.scenes import Scene
from sothebais.stream.scenes.builtin import NAMES, scenes_for
from sothebais.stream.tables import Orientation
from sothebais.telemetry import logging

SceneName = Annotated[
    str, typer.Option("--scene", metavar="NAME", help="A built-in scene; with --house a stored one too.")
]
Vertical = Annotated[bool, typer.Option("--vertical", help="9:16 instead of 16:9.")]
House = Annotated[
    bool,
    typer.Option(
        "--house",
        help="By what the house has: its stored scenes, its pictures, the present lot while one is on. Else an example.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
_PNG, _MP4 = ".png", ".mp4"


def register(group: typer.Typer) -> None:
    """Add the commands to ``sothebais stream``."""
    group.command()(preview)
    group.command()(record)


@told
def preview(
    scene: SceneName = "auction",
    target: Annotated[Path | None, typer.Option("--out", metavar="FILE.png", help="Else NAME.png here.")] = None,
    vertical: Vertical = False,
    house: House = False,
    json: Json = False,
) -> None:
    """Draw a scene to a PNG: the composer alone. Nothing is stored and nothing goes on air."""
    path = Path(f"{Path(scene).name}{_PNG}") if target is None else target
    _check(path, _PNG)
    orientation = Orientation.VERTICAL if vertical else Orientation.WIDE
    width, height = SIZES[orientation]
    begun = time.perf_counter()
    data = local.still(_show(scene, orientation, house), width, height)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InvalidInput(f"--out: {path} cannot be written: {error.strerror}.", field="out") from error
    if json:
        as_json({"file": str(path), "scene": scene, "width": width, "height": height, "bytes": len(data)})
    else:
        took = time.perf_counter() - begun
        out.print(f"{scene}: {path}, {width} × {height}, drawn in {took:.1f} s.", highlight=False, soft_wrap=True)


@told
def record(
    seconds: Annotated[int, typer.Option(min=1, max=SECONDS_MAX, help="How long it is.")],
    target: Annotated[Path, typer.Option("--out", metavar="FILE.mp4", help="The file to write.")],
    scene: SceneName = "auction",
    vertical: Vertical = False,
    house: House = False,
    json: Json = False,
) -> None:
    """Record a scene to an MP4 with the encoder of the configuration: composer and encoder alone, no outputs.

    It also tells whether this machine can draw and encode the show in time.
    """
    settings = config.load()
    logging.configure("cli", folder=settings.data_dir / "logs", level=settings.log_level, stdout=False)
    form = _form(settings, vertical)
    clip_file.check(target, ClipFormat(width=form.width, height=form.height, fps=form.fps), seconds * form.fps)
    shown = _show(scene, Orientation.VERTICAL if vertical else Orientation.WIDE, house)
    made = local.record(
        shown, target, form, seconds=seconds, codec=settings.stream_encoder, music=settings.stream_music
    )
    faster = seconds / made.seconds_taken
    if json:
        as_json(
            {
                "file": str(target), "scene": scene, "width": form.width, "height": form.height, "fps": form.fps,
                "frames": made.frames, "bytes": made.bytes, "encoder": made.encoder, "times_real_time": round(faster, 2),
                "compose_ms_p50": round(made.compose_ms_p50, 3), "compose_ms_p99": round(made.compose_ms_p99, 3),
                "encode_ms_p50": round(made.encode_ms_p50, 3), "encode_ms_p99": round(made.encode_ms_p99, 3),
            }
        )  # fmt: skip
        return
    out.print(
        f"{target}: {seconds} s of {scene}, {form.width} × {form.height} at {form.fps}, {made.bytes / 1e6:.1f} MB.",
        highlight=False,
        soft_wrap=True,
    )
    out.print(
        f"A frame took {made.compose_ms_p50:.2f} ms to compose (99 %: {made.compose_ms_p99:.1f}) and"
        f" {made.encode_ms_p50:.1f} ms to encode with {made.encoder} ({made.encode_ms_p99:.1f}):"
        f" {faster:.1f} times as fast as it is watched.",
        highlight=False,
        soft_wrap=True,
    )


def _form(settings: Settings, vertical: bool) -> Format:
    sides = sorted(map(int, settings.stream_canvas.split("x")))
    width, height = sides if vertical else sides[::-1]
    return Format(
        width=width,
        height=height,
        fps=settings.stream_fps,
        video_kbps=settings.stream_video_kbps,
        audio_kbps=settings.stream_audio_kbps,
        key_interval_s=settings.stream_key_interval_s,
        preset=settings.stream_preset,
        threads=settings.stream_threads,
    )


def _show(name: str, orientation: Orientation, house: bool) -> Show:
    if house:
        return asyncio.run(_of_the_house(name, orientation))
    for scene in scenes_for(*SIZES[orientation]):
        if scene.name == name:
            now = SystemClock().now()
            return Show(scene, example.state(name, now), now, local.held({}))
    known = ", ".join(NAMES)
    raise NotFound(
        f"There is no built-in scene {name[:64]!r}; there are {known}. With --house stored ones are found too."
    )


async def _of_the_house(name: str, orientation: Orientation) -> Show:
    async with opened() as house:
        async with house.engine.connect() as connection:
            scene: Scene = (await scene_store.get(connection, name, orientation)).scene
        now: Millis = house.now()
        store = AssetStore(house.settings.assets_url or (house.settings.data_dir / "assets").absolute())
        state, files = await ScenePreviews(house.engine, store, Children()).material(scene, now)
    return Show(scene, state, now, local.held(files))


def _check(path: Path, suffix: str) -> None:
    if path.suffix.lower() != suffix:
        raise InvalidInput(f"--out: {path.name!r} must end in {suffix}.", field="out")
    if path.is_dir():
        raise InvalidInput(f"--out: {path} is a folder.", field="out")
    if not path.absolute().parent.is_dir():
        raise InvalidInput(f"--out: there is no folder {path.absolute().parent}.", field="out")
