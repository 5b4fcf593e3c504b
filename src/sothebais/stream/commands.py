"""What operators ask of the show: begin, end, a slate, a scene. Each is one transaction with its events and the bell.

The stream-manager does it: it listens on ``doorbell.CHANNEL`` and reads ``desired``. An operator's choice of scene, a
slate and its end are ``stream:scene:update`` events of these commands, with who asked and why, so that the show can be
drawn again from the log; what the show chooses by itself the stream-manager tells.
"""

from collections.abc import Collection
from typing import Any, Final, cast
from uuid import UUID

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import ids
from sothebais.campaigns.model import DayStatus
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.catalog.metadata import clean_text
from sothebais.clock import from_datetime, to_datetime
from sothebais.errors import Conflict, InvalidInput, NotFound
from sothebais.events import log
from sothebais.events.actions import Actor, action, checked_reason
from sothebais.events.types.base import Source
from sothebais.instants import Millis
from sothebais.stream import direction, scene_store
from sothebais.stream.assets import repository as assets
from sothebais.stream.chronicle import AUTO
from sothebais.stream.doorbell import CHANNEL, ring
from sothebais.stream.scene_store import StoredScene
from sothebais.stream.scenes import Scene, SceneRefused
from sothebais.stream.scenes.model import TRANSITION_MS_MAX
from sothebais.stream.show import Notice, TransitionKind
from sothebais.stream.tables import AssetType, Orientation, Stream, StreamStatus

__all__ = ["CHANNEL", "Desired", "Override", "Put", "Slate", "Stop", "desired", "put_scene", "slate", "start", "stop"]

STREAMS: Final = cast(sa.Table, Stream.__table__)
CANVASES: Final = ((1280, 720), (1920, 1080), (720, 1280), (1080, 1920))
FRAME_RATES: Final = (30, 60)
TITLE_LENGTH_MAX: Final = 200
TRANSITION_MS_USUAL: Final = 600
SLATE: Final = "slate"
SENTENCE_LENGTH_MAX: Final = 90
MEANING_LENGTH_MAX: Final = 160
SENTENCE_USUAL: Final = "We will be right back."
_OVER: Final = (DayStatus.COMPLETED, DayStatus.CANCELLED)
#: One broadcast at a time: whoever starts one holds this.
_START_LOCK: Final = 0x73747265616D


class Override(Struct, frozen=True):
    """The operator's scene, whole, and how it comes on."""

    name: str
    revision: int
    scene: Scene
    transition: TransitionKind
    duration_ms: int
    at: Millis


class Slate(Struct, frozen=True):
    """The operator's slate: what it says (of bids: nothing, where the picture says it by itself), and since when."""

    sentence: str
    meaning: str
    at: Millis

    @property
    def notice(self) -> Notice:
        """The same, as a state has it."""
        return Notice(self.sentence, self.meaning)


class Stop(Struct, frozen=True):
    """The end that was asked for."""

    at: Millis
    cause: str
    actor: UUID | None


class Desired(Struct, frozen=True):
    """What should be on air. Without ``stream`` nothing; all else is empty then.

    Without ``override`` and ``slate`` the scene follows the auction, coming on by ``transition`` in ``duration_ms`` when
    that was asked for at ``scene_at``. ``revisions`` (newest of each stored scene) differs when the programme does.
    """

    stream: UUID | None = None
    campaign_day: UUID | None = None
    title: str = ""
    status: StreamStatus | None = None
    width: int = 0
    height: int = 0
    fps: int = 0
    transition: TransitionKind = "fade"
    duration_ms: int = TRANSITION_MS_USUAL
    scene_at: Millis | None = None
    override: Override | None = None
    slate: Slate | None = None
    stop: Stop | None = None
    revisions: tuple[tuple[str, int], ...] = ()

    @property
    def orientation(self) -> Orientation:
        """Which way its canvas lies."""
        return scene_store.orientation_of(self.width, self.height)


class Put(Struct, frozen=True):
    """What ``put_scene`` did: the scene (None: automatic), and the stream it is on (None: stored only)."""

    stored: StoredScene | None
    stream: UUID | None


async def running(connection: AsyncConnection, *, lock: bool = False) -> Any:
    """The row of the broadcast that is not over, None without one; ``lock`` until the transaction ends."""
    statement = sa.select(STREAMS).where(STREAMS.c.ended_at.is_(None)).order_by(STREAMS.c.created_at, STREAMS.c.id)
    statement = statement.limit(1)
    return (await connection.execute(statement.with_for_update() if lock else statement)).one_or_none()


async def desired(connection: AsyncConnection) -> Desired:
    """What the stream-manager should have on air now."""
    row = await running(connection)
    if row is None:
        return Desired()
    orientation = scene_store.orientation_of(row.width, row.height)
    override = None
    scene_at = None if row.scene_at is None else from_datetime(row.scene_at)
    if row.scene_name is not None:
        stored = await scene_store.get(connection, row.scene_name, orientation, row.scene_revision)
        override = Override(
            stored.name, stored.revision, stored.scene, row.scene_transition, row.scene_duration_ms, scene_at or 0
        )
    return Desired(
        stream=row.id,
        campaign_day=row.campaign_day_id,
        title=row.title,
        status=row.status,
        width=row.width,
        height=row.height,
        fps=row.fps,
        transition=row.scene_transition,
        duration_ms=row.scene_duration_ms,
        scene_at=scene_at,
        override=override,
        slate=None
        if row.slate_at is None
        else Slate(row.slate_sentence, row.slate_meaning, from_datetime(row.slate_at)),
        stop=None
        if row.stop_requested_at is None
        else Stop(from_datetime(row.stop_requested_at), row.stop_cause, row.stop_actor),
        revisions=await scene_store.revisions(connection, orientation),
    )


async def start(
    engine: AsyncEngine,
    actor: Actor,
    now: Millis,
    *,
    day: UUID | None = None,
    title: str = "",
    canvas: tuple[int, int] = CANVASES[0],
    fps: int = FRAME_RATES[0],
) -> Any:
    """Begin a broadcast of a campaign day, or of nothing but a title; its row, STARTING.

    Raises NotFound for the day, InvalidInput, or Conflict while another broadcast is not over or when the day is.
    """
    title = clean_text(title, "title", TITLE_LENGTH_MAX)
    if day is None and not title:
        raise InvalidInput("Give a campaign day or a title.", field="title")
    if canvas not in CANVASES:
        raise InvalidInput("canvas must be 1280x720, 1920x1080, 720x1280 or 1080x1920.", field="canvas")
    if fps not in FRAME_RATES:
        raise InvalidInput("fps must be 30 or 60.", field="fps")
    key = ids.new_id()
    async with engine.begin() as connection:
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_START_LOCK)))
        stage: direction.Stage = "AUCTION"
        if day is not None:
            found, name = await _day(connection, day)
            if found.status in _OVER:
                raise Conflict(f"This campaign day is {found.status}.", field="campaign_day_id")
            stage = cast(direction.Stage, str(found.status))
            title = title or f"{name}, day {found.number}"[:TITLE_LENGTH_MAX]
        other = await running(connection)
        if other is not None:
            raise Conflict(f"The stream “{other.title}” is not over. Stop it first.", stream=str(other.id))
        first = await scene_store.get(
            connection, direction.choose(stage, None, now).scene, scene_store.orientation_of(*canvas)
        )
        try:
            await connection.execute(
                sa.insert(STREAMS).values(
                    id=key,
                    campaign_day_id=day,
                    title=title,
                    status=StreamStatus.STARTING,
                    width=canvas[0],
                    height=canvas[1],
                    fps=fps,
                    scene={"scene": first.name, "revision": first.revision},
                )
            )
        except IntegrityError as error:
            raise Conflict("This campaign day has a stream that is not over.", field="campaign_day_id") from error
        await log.append(connection, [action(actor, "stream.start", f"stream:{key}", at=now)])
        await ring(connection)
        return await running(connection)


async def stop(engine: AsyncEngine, actor: Actor, now: Millis, *, reason: str) -> Any:
    """Ask for the end of the broadcast; its row. Asked again, the first word stands. Raises NotFound without one."""
    cause = _reason(reason)
    async with engine.begin() as connection:
        row = await _running(connection)
        if row.stop_requested_at is not None:
            return row
        await _change(connection, row.id, stop_requested_at=to_datetime(now), stop_cause=cause, stop_actor=actor.user)
        await log.append(connection, [action(actor, "stream.stop", f"stream:{row.id}", at=now, reason=cause)])
        await ring(connection)
        return await running(connection)


async def slate(
    engine: AsyncEngine,
    actor: Actor,
    now: Millis,
    *,
    reason: str,
    sentence: str = "",
    meaning: str = "",
    on: bool = True,
) -> Any:
    """Put the slate on, or take it away again; the stream's row.

    The reason is for the books; viewers read ``sentence`` and ``meaning`` (for bids; without it the picture says what is
    so). Raises NotFound without a stream, Conflict without a slate to take away.
    """
    cause = _reason(reason)
    said = clean_text(sentence, "sentence", SENTENCE_LENGTH_MAX) or SENTENCE_USUAL
    meant = clean_text(meaning, "meaning", MEANING_LENGTH_MAX)
    async with engine.begin() as connection:
        row = await _running(connection)
        how: tuple[TransitionKind, int] = ("fade", TRANSITION_MS_USUAL)
        if on:
            scene = await scene_store.get(connection, SLATE, scene_store.orientation_of(row.width, row.height))
            await _change(connection, row.id, slate_sentence=said, slate_meaning=meant, slate_at=to_datetime(now))
            update = _update(row, (SLATE, scene.revision), how, cause, actor, now, says=(said, meant or None))
        elif row.slate_at is None:
            raise Conflict("There is no slate to take away.")
        else:
            await _change(connection, row.id, slate_sentence=None, slate_meaning="", slate_at=None)
            update = _update(row, (row.scene_name or AUTO, row.scene_revision or 0), how, cause, actor, now)
        await log.append(connection, [update])
        await ring(connection)
        return await running(connection)


async def put_scene(
    engine: AsyncEngine,
    actor: Actor,
    now: Millis,
    *,
    reason: str,
    document: Scene | None = None,
    name: str | None = None,
    revision: int | None = None,
    vertical: bool | None = None,
    on_air: bool = True,
    transition: TransitionKind | None = None,
    duration_ms: int | None = None,
    inputs: Collection[str] = (),
) -> Put:
    """Store a scene, put one on air, or (with neither) let the show choose again. A slate goes with it.

    A document becomes the next revision of its name, and with ``on_air`` is shown at once. Without ``transition`` a scene
    comes on as it says itself. ``inputs`` are the live pictures it may show. Raises SceneRefused with the path of the fault, NotFound, or Conflict without a stream.
    """
    cause = _reason(reason)
    if document is not None and name is not None:
        raise InvalidInput("Give a document or the name of a scene, not both.", field="name")
    if document is None and not on_air:
        raise InvalidInput("Without a document there is nothing to store.", field="on_air")
    if duration_ms is not None and not 0 <= duration_ms <= TRANSITION_MS_MAX:
        raise InvalidInput(f"duration_ms must be 0 to {TRANSITION_MS_MAX:,}.", field="duration_ms")
    async with engine.begin() as connection:
        row = await running(connection, lock=True) if on_air else None
        if on_air and row is None:
            raise Conflict("No stream is running. A document can be stored with on_air set to false.")
        stored = None
        if document is not None:
            scene_store.check(document)
            check_inputs(document, inputs)
            await check_sources(connection, document, share=True)
            stored = await scene_store.add(connection, document, actor.user)
        elif name is not None and row is not None:
            stored = await scene_store.get(
                connection, name, scene_store.orientation_of(row.width, row.height), revision
            )
        records = []
        if document is not None:
            target = f"scene:{document.name}"
            records.append(action(actor, "stream_scene.store", target, at=now, reason=cause))
        if row is not None:
            _check_fits(stored, row)
            entrance = None if stored is None else stored.scene.transition
            kind: TransitionKind = transition or (entrance.kind if entrance else "fade")
            usual = entrance.duration_ms if entrance else TRANSITION_MS_USUAL
            how = (kind, usual if duration_ms is None else duration_ms)
            await _change(
                connection,
                row.id,
                scene_name=None if stored is None else stored.name,
                scene_revision=None if stored is None else stored.revision,
                scene_transition=how[0],
                scene_duration_ms=how[1],
                scene_at=to_datetime(now),
                slate_sentence=None,
                slate_meaning="",
                slate_at=None,
            )
            shown = (AUTO, 0) if stored is None else (stored.name, stored.revision)
            records.append(_update(row, shown, how, cause, actor, now))
        await log.append(connection, records)
        await ring(connection)
        return Put(stored, None if row is None else row.id)


async def check_sources(connection: AsyncConnection, scene: Scene, *, share: bool = False) -> dict[str, Any]:
    """The assets a scene shows, by what it calls them. Raises SceneRefused, with the path, for one that is not there."""
    wanted = scene_store.sources(scene)
    found = await assets.resolve(connection, list(wanted), share=share)
    faults = []
    for source, path in wanted.items():
        row = found.get(source)
        if row is None:
            message = f"there is no stream asset {source!r}; an asset is called TYPE/name, such as BACKGROUND/velvet"
        elif row.type is AssetType.AUDIO:
            message = f"{source!r} is a sound"
        else:
            continue
        faults.append({"path": path, "message": message})
    _refuse(faults)
    return found


def check_inputs(scene: Scene, known: Collection[str]) -> None:
    """Raises SceneRefused, with the path, for an input that no setting names."""
    which = f"there are {', '.join(sorted(known))}" if known else "there are none"
    _refuse(
        [
            {"path": path, "message": f"there is no input {name!r}; {which} (SOTHEBAIS_STREAM_INPUTS)"}
            for name, path in scene_store.inputs(scene).items()
            if name not in known
        ]
    )


def _refuse(faults: list[dict[str, str]]) -> None:
    if faults:
        first = faults[0]
        raise SceneRefused(
            f"The scene is refused at {first['path']}: {first['message']}.", path=first["path"], faults=faults
        )


def _check_fits(stored: StoredScene | None, row: Any) -> None:
    orientation = scene_store.orientation_of(row.width, row.height)
    if stored is not None and stored.orientation is not orientation:
        raise SceneRefused(
            f"The scene is refused at canvas: it is {stored.orientation.lower()}, and the stream is"
            f" {orientation.lower()}.",
            path="canvas",
        )


async def _running(connection: AsyncConnection) -> Any:
    row = await running(connection, lock=True)
    if row is None:
        raise NotFound("No stream is running.")
    return row


async def _day(connection: AsyncConnection, day: UUID) -> tuple[Any, str]:
    statement = (
        sa.select(CampaignDay.__table__, Campaign.name)
        .join(Campaign, Campaign.id == CampaignDay.campaign_id)
        .where(CampaignDay.id == day)
    )
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise NotFound("There is no campaign day with this id.", field="campaign_day_id")
    return row, row.name


async def _change(connection: AsyncConnection, stream: UUID, **values: Any) -> None:
    await connection.execute(sa.update(STREAMS).where(STREAMS.c.id == stream).values(**values))


def _reason(text: str) -> str:
    return checked_reason(clean_text(text, "reason", 500))


def _update(
    row: Any,
    shown: tuple[str, int],
    how: tuple[TransitionKind, int],
    cause: str,
    actor: Actor,
    now: Millis,
    *,
    says: tuple[str | None, str | None] = (None, None),
) -> log.Record:
    before = SLATE if row.slate_at is not None else row.scene_name or row.scene.get("scene")
    return log.event(
        "stream:scene:update",
        f"stream:{row.id}",
        {
            "scene": shown[0],
            "previous_scene": before,
            "revision": shown[1],
            "transition": how[0],
            "duration": how[1],
            "auction": None,
            "cause": cause,
            "actor": str(actor.user),
            "sentence": says[0],
            "meaning": says[1],
        },
        at=now,
        source=Source.ADMIN_FRONTEND,
        correlation_id=actor.correlation,
    )
