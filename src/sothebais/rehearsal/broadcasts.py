"""What a demo or a rehearsal says of its broadcast when it is over."""

import asyncio
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.clock import Clock
from sothebais.errors import InvalidInput
from sothebais.stream import recordings
from sothebais.stream.tables import Stream

LOOK_S: Final = 0.2


async def last(engine: AsyncEngine, clock: Clock, folder: Path, patience_s: float) -> dict[str, Any]:
    """``{"stream": {"frames", "dropped", "fps"}, "recording": path}`` of the newest broadcast once it has ended.

    Both are null where there was none, or it did not end within ``patience_s``.
    """
    statement = sa.select(Stream).order_by(Stream.created_at.desc()).limit(1)
    deadline = clock.monotonic() + patience_s
    while True:
        async with engine.connect() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is not None and row.ended_at is not None:
            break
        if clock.monotonic() >= deadline:
            return {"stream": None, "recording": None}
        await clock.sleep(LOOK_S)
    seconds = (row.ended_at - (row.started_at or row.ended_at)).total_seconds()
    stream = {
        "frames": row.frames,
        "dropped": row.dropped_frames,
        "fps": round((row.frames + row.dropped_frames) / seconds, 1) if seconds else 0.0,
    }
    try:
        recording: str | None = str(await asyncio.to_thread(recordings.whole, folder / str(row.id)))
    except InvalidInput:
        recording = None
    return {"stream": stream, "recording": recording}
