"""A real media process with a small picture, and everything it says.

async with media(tmp_path, outputs=[hls(tmp_path)]) as process:
    await process.heard(m.Hello)
    process.send(m.Stall(2.0))
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from sothebais.clock import SystemClock
from sothebais.stream import example
from sothebais.stream.encoding import Format
from sothebais.stream.media import messages as m
from sothebais.stream.media.child import MediaChild
from sothebais.stream.outputs.model import OutputSpec
from sothebais.stream.show import ShowState

SMALL = Format(width=320, height=180, fps=30, video_kbps=400, key_interval_s=0.5, preset="ultrafast")
PATIENCE_S = 30.0


def hls(folder: Path) -> OutputSpec:
    """HLS into a folder below this one."""
    return OutputSpec(name="hls", kind="HLS", target=str(folder / "hls"))


def recording(folder: Path) -> OutputSpec:
    """Recordings into a folder below this one."""
    (folder / "recording").mkdir(exist_ok=True)
    return OutputSpec(name="recording", kind="RECORDING", target=str(folder / "recording"))


def rtmp(url: str, *, name: str = "x", ca_file: Path | None = None) -> OutputSpec:
    """RTMP or RTMPS to an address."""
    return OutputSpec(name=name, kind="RTMP", target=url, ca_file=None if ca_file is None else str(ca_file))


def now() -> int:
    """The machine's time."""
    return SystemClock().now()


def a_state(scene: str = "auction", **more: Any) -> ShowState:
    """The example's show, now."""
    return example.state(scene, now(), **more)


def a_beginning(
    *, form: Format = SMALL, outputs: Sequence[OutputSpec] = (), state: ShowState | None = None, **more: Any
) -> m.Begin:
    """The first message."""
    given: dict[str, Any] = {"codec": "libx264", "scenes": [], "bed": False, "position": "1.1.1"} | more
    return m.Begin(form=form, outputs=list(outputs), state=m.pack(state or a_state()), **given)


class Media:
    """A media process and what it has said so far."""

    def __init__(self) -> None:
        self.messages: list[m.FromMedia] = []
        self.times: list[float] = []
        self.child: MediaChild
        self._news = asyncio.Event()

    def take(self, message: m.FromMedia) -> None:
        """It says something."""
        self.messages.append(message)
        self.times.append(time.monotonic())
        self._news.set()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.child.pid

    def send(self, *messages: m.ToMedia) -> None:
        """Tell it something."""
        for message in messages:
            self.child.send(message)

    def all[T](self, kind: type[T]) -> list[T]:
        """What it said of this kind."""
        return [one for one in self.messages if isinstance(one, kind)]

    async def heard[T](
        self, kind: type[T], which: Callable[[T], object] = lambda _: True, *, since: int = 0, count: int = 1
    ) -> T:
        """The first (or ``count``-th) message like this among those from number ``since`` on; waits for it."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = [one for one in self.messages[since:] if isinstance(one, kind) and which(one)]
            if len(found) >= count:
                return found[count - 1]
            left = deadline - time.monotonic()
            said = [one for one in self.messages if not isinstance(one, m.Live)][-5:]
            assert left > 0, f"no {kind.__name__} in {PATIENCE_S} s; last: {said}"
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), min(left, 0.5))

    def at(self, message: m.FromMedia) -> float:
        """When it was heard, by the monotonic clock."""
        return next(at for one, at in zip(self.messages, self.times, strict=True) if one is message)

    async def stop(self, *, ended: bool = True) -> int:
        """Have it finish; its exit code."""
        return await asyncio.wait_for(self.child.stop(ended=ended), PATIENCE_S)


@contextlib.asynccontextmanager
async def media(folder: Path, begin: m.ToMedia | None = None, **given: Any) -> AsyncIterator[Media]:
    """A media process for as long as the block lasts; nothing is left of it."""
    made = Media()
    (folder / "logs" / "stream-manager").mkdir(parents=True, exist_ok=True)
    made.child = await MediaChild.start(begin or a_beginning(**given), made.take, logs=folder / "logs")  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.child.kill()
        await asyncio.wait_for(made.child.wait(), PATIENCE_S)
    assert not lives(made.pid)


def lives(pid: int) -> bool:
    """Whether there is such a process, and it is not only waiting to be buried."""
    try:
        os.kill(pid, 0)
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def log_of(folder: Path) -> str:
    """What the media process logged."""
    return "".join(path.read_text(errors="replace") for path in (folder / "logs").rglob("*") if path.is_file())
