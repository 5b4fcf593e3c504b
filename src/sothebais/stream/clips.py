"""Clips of sold lots: the last moments and the stamp, wide and upright, made after the sale by a process of its own.

The consumer's cursor in the log is the queue: nothing waits in memory, one clip is made at a time, and what fails goes
to the dead letters. The show comes first: clips are made at the lowest priority, and not while the machine is busy.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, get_args
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct

from sothebais.clock import Clock, Millis
from sothebais.config import Settings
from sothebais.errors import SothebaisError
from sothebais.events.cursors import DurableConsumer, LoggedEvent

log = structlog.get_logger(__name__)

CONSUMER: Final = "clips"
#: What the consumer wakes for.
TYPES: Final = frozenset({"auction:winner"})
FOLDER: Final = Path("recordings") / "clips"
type Form = Literal["wide", "upright"]
FORMS: Final[tuple[Form, ...]] = get_args(Form.__value__)
SIZES: Final[Mapping[Form, tuple[int, int]]] = MappingProxyType({"wide": (1280, 720), "upright": (720, 1280)})
FPS: Final = 30
#: So long before the end a clip begins, and so long the stamp is looked at.
BEFORE_S: Final = 20
STAMP_S: Final = 6
#: A sale longer ago than this is left out (`sothebais render` makes its clip): a consumer that was away must not spend
#: its day on yesterday.
AGE_MS_MAX: Final = 6 * 3_600_000
#: One form of one clip takes no longer.
RENDER_S_MAX: Final = 600
ATTEMPTS_MAX: Final = 3
BACKOFF_S: Final = 5.0
#: Processes that want to run, per processor; above it the machine has better things to do.
LOAD_MAX: Final = 1.5
LOOK_AGAIN_S: Final = 5.0
#: A machine that never rests gets its clips all the same after so long.
BUSY_S_MAX: Final = 900
ERROR_LENGTH_MAX: Final = 1_000
_SUFFIX: Final = ".json"


class ClipFailed(SothebaisError):
    """A clip could not be made; it is tried again, then left to the dead letters."""

    code = "CLIP_FAILED"
    title = "A clip could not be made"


class Clip(Struct, frozen=True, kw_only=True):
    """A clip that is there. ``begin`` and ``end`` are server time."""

    form: Form
    width: int
    height: int
    begin: Millis
    end: Millis
    bytes: int


class Clips(Struct, frozen=True, kw_only=True):
    """The clips of one lot, of the sale that ``event`` told of."""

    auction: UUID
    event: UUID
    made_at: Millis
    clips: tuple[Clip, ...]


class ClipFolder:
    """Where clips lie, with a note beside them of what they show. Blocking."""

    def __init__(self, data_dir: Path) -> None:
        self.path = (data_dir / FOLDER).absolute()

    def file(self, auction: UUID, form: Form) -> Path:
        """Where a clip is, or would be."""
        return self.path / f"{auction}-{form}.mp4"

    def of(self, auction: UUID) -> Clips | None:
        """What there is of a lot; None when there is nothing, or not all of it."""
        try:
            found = msgspec.json.decode((self.path / f"{auction}{_SUFFIX}").read_bytes(), type=Clips)
        except (OSError, msgspec.MsgspecError):
            return None
        return found if all(self.file(auction, clip.form).is_file() for clip in found.clips) else None

    def note(self, clips: Clips) -> None:
        """Say that they are there."""
        partial = self.path / f".{clips.auction}.{os.getpid()}.partial"
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(clips), indent=1))
        partial.replace(self.path / f"{clips.auction}{_SUFFIX}")

    def forget(self, auction: UUID) -> None:
        """What there was is of another sale."""
        with contextlib.suppress(FileNotFoundError):
            (self.path / f"{auction}{_SUFFIX}").unlink()


def command(auction: UUID, out: Path, size: tuple[int, int], fps: int = FPS) -> list[str]:
    """How a clip is made: the words after ``sothebais``."""
    return [
        "render", str(auction), "--out", str(out), "--from", f"-{BEFORE_S}", "--to", f"+{STAMP_S}",
        "--size", f"{size[0]}x{size[1]}", "--fps", str(fps), "--gently", "--json",
    ]  # fmt: skip


def environment(settings: Settings, database_url: str, redis_url: str) -> dict[str, str]:
    """What the process needs to know: the same house."""
    given = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SOTHEBAIS_DATA_DIR": str(settings.data_dir.absolute()),
    }
    for name in ("assets_url", "public_url"):
        value = getattr(settings, name)
        if value is not None:
            given[f"SOTHEBAIS_{name.upper()}"] = value
    return {**os.environ, **given}


def load() -> float:
    """Processes that want to run, per processor, over the last minute."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


class ClipMaker:
    """Makes the clips of a sale; what ``consumer`` runs."""

    def __init__(
        self,
        folder: ClipFolder,
        clock: Clock,
        environ: Mapping[str, str],
        *,
        program: Sequence[str] = (sys.executable, "-m", "sothebais"),
        load: Callable[[], float] = load,
        render_s_max: float = RENDER_S_MAX,
        sizes: Mapping[Form, tuple[int, int]] = SIZES,
        fps: int = FPS,
    ) -> None:
        self._folder, self._clock, self._environ = folder, clock, dict(environ)
        self._sizes, self._fps = sizes, fps
        self._program, self._load, self._render_s_max = list(program), load, render_s_max

    async def make(self, auction: UUID, event: UUID, sold_at: Millis) -> Clips | None:
        """The clips of a sale; None for one too long ago. Done again it finds them. Raises ClipFailed."""
        found = await asyncio.to_thread(self._folder.of, auction)
        if found is not None and found.event == event:
            return found
        if self._clock.now() - sold_at > AGE_MS_MAX:
            log.info("clips.too_late", auction=str(auction))
            return None
        await asyncio.to_thread(self._folder.path.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(self._folder.forget, auction)
        # the stamp has to fall first; what the host says of it is then in the log as well
        await self._clock.sleep(max(0, sold_at + (STAMP_S + 1) * 1_000 - self._clock.now()) / 1_000)
        await self._rest()
        made = tuple([await self._render(auction, form) for form in FORMS])
        clips = Clips(auction=auction, event=event, made_at=self._clock.now(), clips=made)
        await asyncio.to_thread(self._folder.note, clips)
        log.info("clips.made", auction=str(auction), bytes=sum(clip.bytes for clip in made))
        return clips

    async def _rest(self) -> None:
        """Wait until the machine has time, within reason."""
        until = self._clock.monotonic() + BUSY_S_MAX
        while self._load() > LOAD_MAX and self._clock.monotonic() < until:
            await self._clock.sleep(LOOK_AGAIN_S)

    async def _render(self, auction: UUID, form: Form) -> Clip:
        out = self._folder.file(auction, form)
        process = await asyncio.create_subprocess_exec(
            *self._program,
            *command(auction, out, self._sizes[form], self._fps),
            env=self._environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            said, complaint = await asyncio.wait_for(process.communicate(), self._render_s_max)
        except TimeoutError:
            raise ClipFailed(f"The {form} clip took longer than {self._render_s_max:g} s.") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            tail = complaint.decode(errors="replace").strip()[-ERROR_LENGTH_MAX:]
            raise ClipFailed(f"The {form} clip was not made (exit code {process.returncode}): {tail}")
        return _clip(form, said)


class _Said(Struct):
    width: int
    height: int
    bytes: int
    begin_ms: int
    end_ms: int


def _clip(form: Form, said: bytes) -> Clip:
    try:
        told = msgspec.json.decode(said, type=_Said)
    except msgspec.MsgspecError as error:
        raise ClipFailed(f"The {form} clip was made and nothing sensible was said of it.") from error
    return Clip(form=form, width=told.width, height=told.height, begin=told.begin_ms, end=told.end_ms, bytes=told.bytes)


def consumer(dsn: str, maker: ClipMaker) -> DurableConsumer:
    """The durable consumer that has a clip made of each sold lot."""

    async def handle(connection: Any, event: LoggedEvent) -> None:
        # the cursor's transaction has written nothing yet and holds nobody up, however long a clip takes
        await connection.execute("set local idle_in_transaction_session_timeout = 0")
        await maker.make(UUID(event.subject.removeprefix("auction:")), event.id, event.timestamp)

    return DurableConsumer(dsn, CONSUMER, handle, types=TYPES, attempts_max=ATTEMPTS_MAX, backoff_s=BACKOFF_S)
