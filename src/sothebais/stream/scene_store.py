"""Scenes that were stored, revision by revision, beside and in the place of the built-in ones. The caller commits.

A built-in scene is revision 0 of its name. A stored one of the same name and orientation stands in its place, in the
scenes an operator chooses from and in those the show chooses by itself.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais import ids
from sothebais.errors import Conflict, NotFound
from sothebais.events.chain import canonical
from sothebais.stream.chronicle import AUTO
from sothebais.stream.scenes import Scene, SceneRefused
from sothebais.stream.scenes.builtin import builtin
from sothebais.stream.scenes.model import AnyElement, ImageElement, StreamElement, VideoElement
from sothebais.stream.stage import Stage
from sothebais.stream.tables import Orientation, Stream, StreamScene

SCENES: Final = cast(sa.Table, StreamScene.__table__)
#: Names of stored scenes, and revisions of one name and orientation.
NAMES_MAX: Final = 200
REVISIONS_MAX: Final = 10_000
BUILT_IN: Final = 0
_CANVAS: Final = {Orientation.WIDE: (1280, 720), Orientation.VERTICAL: (720, 1280)}
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LOCK: Final = 0x7363656E6573


class StoredScene(Struct, frozen=True):
    """A scene at one of its revisions. A built-in one has no date and nobody who made it."""

    name: str
    orientation: Orientation
    revision: int
    scene: Scene
    created_at: datetime | None = None
    actor: UUID | None = None
    #: Whether ``add`` wrote it, or found the newest revision to be the same.
    new: bool = False


class Named(Struct, frozen=True):
    """A line of the list of scenes."""

    name: str
    orientation: Orientation
    revision: int
    built_in: bool
    created_at: datetime | None
    actor: UUID | None


def orientation_of(width: int, height: int) -> Orientation:
    """Which way a canvas lies."""
    return Orientation.VERTICAL if height > width else Orientation.WIDE


def is_built_in(name: str, orientation: Orientation) -> bool:
    """Whether the house brings a scene of this name along."""
    return any(scene.name == name for scene in _built_in(orientation))


def check(scene: Scene) -> Orientation:
    """The orientation of a scene the house can show. Raises SceneRefused for another ratio or a name that is taken."""
    if scene.name == AUTO:
        raise SceneRefused(
            f"The scene is refused at name: {AUTO!r} means the scene that follows the auction.", path="name"
        )
    orientation = orientation_of(scene.canvas.width, scene.canvas.height)
    if (place := _control_character(scene.model_dump(mode="json"), "")) is not None:
        raise SceneRefused(f"The scene is refused at {place}: it holds a character that is none.", path=place)
    Stage(scene, *_CANVAS[orientation])
    return orientation


def _control_character(value: Any, path: str) -> str | None:
    """Where a text has NUL in it, which no text of the database can have."""
    if isinstance(value, str):
        return path if "\x00" in value else None
    parts: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        parts = ((f"{path}.{name}" if path else name, part) for name, part in value.items())
    elif isinstance(value, list):
        parts = ((f"{path}[{index}]", part) for index, part in enumerate(value))
    return next((found for where, part in parts if (found := _control_character(part, where)) is not None), None)


def sources(scene: Scene) -> dict[str, str]:
    """The assets a scene shows, each with the path of the element that shows it first."""
    found: dict[str, str] = {}
    for element, path in _elements(scene):
        if isinstance(element, ImageElement | VideoElement):
            found.setdefault(element.source, f"{path}.source")
    return found


def inputs(scene: Scene) -> dict[str, str]:
    """The inputs a scene shows, each with the path of the element that shows it first."""
    found: dict[str, str] = {}
    for element, path in _elements(scene):
        if isinstance(element, StreamElement):
            found.setdefault(element.source, f"{path}.source")
    return found


def _elements(scene: Scene) -> Iterator[tuple[AnyElement, str]]:
    inner = scene.quadrants
    areas = (
        ("background", scene.background),
        *((f"quadrants.{name}.elements", getattr(inner, name).elements) for name in type(inner).model_fields),
        ("overlay", scene.overlay),
    )
    for area, elements in areas:
        yield from ((element, f"{area}[{index}]") for index, element in enumerate(elements))


async def add(connection: AsyncConnection, scene: Scene, actor: UUID | None) -> StoredScene:
    """Store a scene as the next revision of its name; the newest again when it is the same. Raises SceneRefused, Conflict."""
    orientation = check(scene)
    document = scene.model_dump(mode="json")
    digest = hashlib.sha256(canonical(document)).digest()
    # two who store at once take turns, so that revisions follow one another
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    newest = (await connection.execute(_newest(orientation, [scene.name]))).one_or_none()
    if newest is not None and newest.sha256 == digest:
        return _stored(newest)
    if newest is None:
        names = sa.select(sa.func.count(SCENES.c.name.distinct()))
        if (await connection.execute(names)).scalar_one() >= NAMES_MAX:
            raise Conflict(f"There are {NAMES_MAX} stored scenes already. Store this one under one of their names.")
    elif newest.revision >= REVISIONS_MAX:
        raise Conflict(f"The scene {scene.name!r} has {REVISIONS_MAX:,} revisions. Give it another name.")
    values = {
        "id": ids.new_id(),
        "name": scene.name,
        "orientation": orientation,
        "revision": 1 if newest is None else newest.revision + 1,
        "document": document,
        "sha256": digest,
        "actor": actor,
    }
    written = await connection.execute(sa.insert(SCENES).values(**values).returning(SCENES))
    return _stored(written.one(), new=True)


async def get(
    connection: AsyncConnection, name: str, orientation: Orientation, revision: int | None = None
) -> StoredScene:
    """A scene by name: its newest revision, or the one asked for (0 is the built-in one). Raises NotFound."""
    if revision != BUILT_IN and _NAME.fullmatch(name):
        statement = (
            _newest(orientation, [name])
            if revision is None
            else sa.select(SCENES).where(
                SCENES.c.name == name, SCENES.c.orientation == orientation, SCENES.c.revision == revision
            )
        )
        row = (await connection.execute(statement)).one_or_none()
        if row is not None:
            return _stored(row)
    if revision in (None, BUILT_IN):
        for scene in _built_in(orientation):
            if scene.name == name:
                return StoredScene(name, orientation, BUILT_IN, scene)
    which = "" if revision is None else f" with revision {revision}"
    raise NotFound(f"There is no {orientation.lower()} scene {name!r}{which}.")


async def programme(connection: AsyncConnection, orientation: Orientation) -> tuple[StoredScene, ...]:
    """Every scene of an orientation at its newest revision: what a ``stage.Programme`` is made of."""
    stored = {row.name: _stored(row) for row in await connection.execute(_newest(orientation))}
    for scene in _built_in(orientation):
        stored.setdefault(scene.name, StoredScene(scene.name, orientation, BUILT_IN, scene))
    return tuple(stored[name] for name in sorted(stored))


async def revisions(connection: AsyncConnection, orientation: Orientation) -> tuple[tuple[str, int], ...]:
    """The newest revision of each stored scene: differs when ``programme`` does."""
    newest = sa.func.max(SCENES.c.revision)
    found = await connection.execute(
        sa.select(SCENES.c.name, newest)
        .where(SCENES.c.orientation == orientation)
        .group_by(SCENES.c.name)
        .order_by(SCENES.c.name)
    )
    return tuple((row[0], row[1]) for row in found)


async def listing(connection: AsyncConnection) -> list[Named]:
    """All scenes by name and orientation, with their newest revision."""
    built_in = {(scene.name, way): way for way in Orientation for scene in _built_in(way)}
    columns = (SCENES.c.name, SCENES.c.orientation, SCENES.c.revision, SCENES.c.created_at, SCENES.c.actor)
    statement = (
        sa.select(*columns)
        .ext(pg.distinct_on(SCENES.c.name, SCENES.c.orientation))
        .order_by(SCENES.c.name, SCENES.c.orientation, SCENES.c.revision.desc())
    )
    found = {
        (row.name, row.orientation): Named(
            row.name, row.orientation, row.revision, (row.name, row.orientation) in built_in, row.created_at, row.actor
        )
        for row in await connection.execute(statement)
    }
    for name, way in built_in:
        found.setdefault((name, way), Named(name, way, BUILT_IN, True, None, None))
    return [found[key] for key in sorted(found)]


async def history(connection: AsyncConnection, name: str, orientation: Orientation, *, limit: int) -> list[Named]:
    """The revisions of one scene, the newest first. Raises NotFound for a name nobody has stored or built in."""
    if not _NAME.fullmatch(name):
        raise NotFound(f"There is no {orientation.lower()} scene {name!r}.")
    built_in = is_built_in(name, orientation)
    columns = (SCENES.c.name, SCENES.c.orientation, SCENES.c.revision, SCENES.c.created_at, SCENES.c.actor)
    rows = await connection.execute(
        sa.select(*columns)
        .where(SCENES.c.name == name, SCENES.c.orientation == orientation)
        .order_by(SCENES.c.revision.desc())
        .limit(limit)
    )
    found = [Named(row.name, row.orientation, row.revision, built_in, row.created_at, row.actor) for row in rows]
    if built_in and len(found) < limit:
        found.append(Named(name, orientation, BUILT_IN, True, None, None))
    if not found:
        raise NotFound(f"There is no {orientation.lower()} scene {name!r}.")
    return found


async def showing(connection: AsyncConnection, references: Iterable[str]) -> tuple[str, ...]:
    """Names of scenes that show one of these assets: newest revisions, and what operators have on air now."""
    wanted = set(references)
    newest = [_stored(row) for way in Orientation for row in await connection.execute(_newest(way))]
    on_air = await connection.execute(
        sa.select(SCENES).join(
            Stream,
            sa.and_(
                Stream.scene_name == SCENES.c.name,
                Stream.scene_revision == SCENES.c.revision,
                Stream.ended_at.is_(None),
            ),
        )
    )
    found = {one.name for one in (*newest, *map(_stored, on_air)) if wanted & sources(one.scene).keys()}
    return tuple(sorted(found))


def _newest(orientation: Orientation, names: Sequence[str] | None = None) -> sa.Select[Any]:
    statement = (
        sa.select(SCENES)
        .ext(pg.distinct_on(SCENES.c.name))
        .where(SCENES.c.orientation == orientation)
        .order_by(SCENES.c.name, SCENES.c.revision.desc())
    )
    return statement if names is None else statement.where(SCENES.c.name.in_(names))


def _stored(row: Any, *, new: bool = False) -> StoredScene:
    scene = Scene.model_validate_json(json.dumps(row.document))
    return StoredScene(row.name, row.orientation, row.revision, scene, row.created_at, row.actor, new)


def _built_in(orientation: Orientation) -> tuple[Scene, ...]:
    return builtin(vertical=orientation is Orientation.VERTICAL)
