"""What PostgreSQL keeps of a broadcast: its row and its events, each step one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import ids
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.clock import from_datetime, to_datetime
from sothebais.events import log
from sothebais.events.types.base import Source
from sothebais.instants import Millis
from sothebais.stream.commands import STREAMS, running
from sothebais.stream.media.messages import Readings
from sothebais.stream.scene_store import BUILT_IN
from sothebais.stream.tables import StreamStatus

TITLE_LENGTH_MAX: Final = 200
TEXT_LENGTH_MAX: Final = 200


class Ended(Struct, frozen=True, kw_only=True):
    """What a broadcast came to."""

    cause: str
    actor: UUID | None = None
    frames: int
    dropped: int
    peak_viewers: int
    summary: dict[str, Any]


def event(stream: UUID, type_: str, data: Mapping[str, Any], at: Millis) -> log.Record:
    """An event about a stream, by the stream-manager."""
    return log.event(type_, f"stream:{stream}", dict(data), at=at, source=Source.STREAM_MANAGER)


async def tell(engine: AsyncEngine, stream: UUID, type_: str, data: Mapping[str, Any], at: Millis) -> None:
    """Log an event."""
    async with engine.begin() as connection:
        await log.append(connection, [event(stream, type_, data, at)])


async def open_for_day(
    engine: AsyncEngine, day: UUID, title: str, *, canvas: tuple[int, int], fps: int, scene: str
) -> UUID | None:
    """A broadcast of a campaign day that goes on air by itself; null while another one is not over, and when staff
    ended the day's last one: whoever stops a show does not find it on again."""
    key = ids.new_id()
    try:
        async with engine.begin() as connection:
            if await running(connection) is not None:
                return None
            ended = sa.select(STREAMS.c.stop_requested_at).where(STREAMS.c.campaign_day_id == day)
            newest = ended.order_by(STREAMS.c.created_at.desc(), STREAMS.c.id.desc()).limit(1)
            if (await connection.execute(newest)).scalar_one_or_none() is not None:
                return None
            await connection.execute(
                sa.insert(STREAMS).values(
                    id=key,
                    campaign_day_id=day,
                    title=title[:TITLE_LENGTH_MAX],
                    status=StreamStatus.STARTING,
                    width=canvas[0],
                    height=canvas[1],
                    fps=fps,
                    scene={"scene": scene, "revision": BUILT_IN},
                )
            )
    except IntegrityError:  # staff were a moment earlier
        return None
    return key


async def on_air(
    engine: AsyncEngine, stream: UUID, now: Millis, *, scene: str, outputs: Sequence[Mapping[str, str]]
) -> Millis:
    """The first frame is out: LIVE, with ``stream:start`` the first time; when the broadcast began."""
    async with engine.begin() as connection:
        row = await _locked(connection, stream)
        if row.started_at is not None:
            return from_datetime(row.started_at)
        await _change(
            connection,
            stream,
            status=StreamStatus.LIVE,
            started_at=to_datetime(now),
            outputs=[dict(output) for output in outputs],
        )
        data = {
            "campaign_day": None if row.campaign_day_id is None else str(row.campaign_day_id),
            "title": row.title[:TEXT_LENGTH_MAX],
            "scene": scene,
            "width": row.width,
            "height": row.height,
            "fps": row.fps,
            "outputs": [dict(output) for output in outputs],
        }
        await log.append(connection, [event(stream, "stream:start", data, now)])
        return now


async def scene_shown(
    engine: AsyncEngine, stream: UUID, data: Mapping[str, Any], now: Millis, *, slate: bool, tell: bool
) -> None:
    """Another scene is on; ``tell`` where the show chose it by itself."""
    async with engine.begin() as connection:
        status = StreamStatus.SLATE if slate else StreamStatus.LIVE
        await connection.execute(
            sa.update(STREAMS)
            .where(STREAMS.c.id == stream, STREAMS.c.ended_at.is_(None), STREAMS.c.started_at.is_not(None))
            .values(status=status, scene={"scene": data["scene"], "revision": data["revision"]})
        )
        if tell:
            await log.append(connection, [event(stream, "stream:scene:update", data, now)])


async def end(engine: AsyncEngine, stream: UUID, now: Millis, ended: Ended) -> bool:
    """Close a broadcast with its summary and ``stream:end``; False when it was closed already."""
    async with engine.begin() as connection:
        row = await _locked(connection, stream)
        if row.ended_at is not None:
            return False
        begun = now if row.started_at is None else from_datetime(row.started_at)
        now = max(now, begun)
        await _change(
            connection,
            stream,
            status=StreamStatus.ENDED if row.started_at is not None else StreamStatus.FAILED,
            ended_at=to_datetime(now),
            frames=ended.frames,
            dropped_frames=ended.dropped,
            peak_viewers=ended.peak_viewers,
            summary=ended.summary,
        )
        data = {
            "cause": ended.cause[:TEXT_LENGTH_MAX],
            "actor": None if ended.actor is None else str(ended.actor),
            "duration": now - begun,
            "frames": ended.frames,
            "dropped_frames": ended.dropped,
            "peak_viewers": ended.peak_viewers,
        }
        await log.append(connection, [event(stream, "stream:end", data, now)])
        return True


def summary(
    readings: Readings | None, *, encoder: str | None, restarts: int, recordings: Sequence[str]
) -> dict[str, Any]:
    """The last readings and what is left of a broadcast, as its row keeps them."""
    outputs = readings.outputs if readings is not None else []
    return {
        "restarts": restarts,
        "encoder": encoder,
        "late_frames": 0 if readings is None else readings.late_frames,
        "compose_ms_p99": None if readings is None else round(readings.compose_ms_p99, 3),
        "encode_ms_p99": None if readings is None else round(readings.encode_ms_p99, 3),
        "outputs": [
            {"name": one.name, "kind": one.kind, "sent_bytes": one.sent_bytes, "dropped_packets": one.dropped}
            for one in outputs
        ],
        "recordings": list(recordings),
    }


async def title_of(connection: AsyncConnection, day: UUID) -> str:
    """What the broadcast of a day is called."""
    statement = (
        sa.select(Campaign.name, CampaignDay.number)
        .join(Campaign, Campaign.id == CampaignDay.campaign_id)
        .where(CampaignDay.id == day)
    )
    row = (await connection.execute(statement)).one()
    return f"{row.name}, day {row.number}"


async def _locked(connection: AsyncConnection, stream: UUID) -> Any:
    return (await connection.execute(sa.select(STREAMS).where(STREAMS.c.id == stream).with_for_update())).one()


async def _change(connection: AsyncConnection, stream: UUID, **values: Any) -> None:
    await connection.execute(sa.update(STREAMS).where(STREAMS.c.id == stream).values(**values))
