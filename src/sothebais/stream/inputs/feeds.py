"""The media process's side of its inputs: keeps a reader for each that scenes show, and takes its newest picture.

Nothing an input does can hold up the picture: a reader is a process of its own, and what it has is taken or left.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Final

import msgspec
import skia
import structlog

from sothebais.stream.inputs.frames import Pixels, SharedFrames
from sothebais.stream.inputs.model import STALE_S, InputSpec, Lost, Opened, ReaderSays, reference
from sothebais.stream.outputs.model import BACKOFF_S, longer
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes.model import Scene, StreamElement

log = structlog.get_logger(__name__)

#: A reader that was on for so long is started again at once, from the shortest wait.
STEADY_S: Final = 10.0
#: It has so long to leave after its input was closed.
LEAVE_S: Final = 2.0
_LINE_MAX: Final = 1_000
#: Of the house's environment a reader needs no more than this to start.
_ENVIRONMENT: Final = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "SSL_CERT_FILE")
_reader_says = msgspec.json.Decoder(ReaderSays)


class Feed:
    """One input: a thread that keeps a reader, and the newest picture of it. ``tell(what, recovered)`` once per change."""

    def __init__(self, spec: InputSpec, tell: Callable[[str, bool], None]) -> None:
        self.spec = spec
        self._tell = tell
        self._frames = SharedFrames.create()
        self._taken = 0
        self._memory_lock = threading.Lock()
        self._let_go = False
        self._reader: subprocess.Popen[bytes] | None = None
        self._news = threading.Condition()
        self._stopping = False
        self._lost_at: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"input-{spec.name}", daemon=True)
        self._thread.start()

    @property
    def reader(self) -> int | None:
        """The process that reads, while there is one."""
        return None if self._reader is None else self._reader.pid

    def take(self) -> Pixels | None:
        """The newest picture, when there is one that was not taken yet."""
        with self._memory_lock:
            kept = None if self._let_go else self._frames.take(self._taken)
        if kept is None:
            return None
        self._taken = kept.number
        return kept.pixels

    def stop(self) -> None:
        """End the reader; the thread follows and lets go of the memory."""
        with self._news:
            self._stopping = True
            self._news.notify()
            if self._reader is not None:
                self._reader.kill()

    def _run(self) -> None:
        try:
            self._keep()
        finally:
            with self._memory_lock:
                self._let_go = True
                self._frames.close()

    def _keep(self) -> None:
        wait = BACKOFF_S
        away_since = time.monotonic()
        while not self._is_over():
            begun = time.monotonic()
            try:
                reason = self._read()
            except OSError as error:
                reason = f"no reader can be started: {error.strerror}"
            if self._is_over():
                return
            ended = time.monotonic()
            if self._lost_at is None:
                self._lost_at = ended
                log.warning("stream.input", input=self.spec.name, up=False, reason=reason)
                self._tell(f"{self.spec.name}: {reason}", False)
            if ended - begun >= STEADY_S:
                wait, away_since = BACKOFF_S, ended
            with self._news:
                self._news.wait_for(lambda: self._stopping, wait)
            wait = longer(wait, time.monotonic() - away_since)

    def _is_over(self) -> bool:
        return self._stopping

    def _read(self) -> str:
        """One life of a reader; why it ended."""
        descriptor = self._frames.descriptor
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        with subprocess.Popen(  # noqa: S603 - an argument list of ours, no shell
            [sys.executable, "-m", "sothebais.stream.inputs", str(descriptor)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(descriptor,),
            env=environment | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
            start_new_session=True,
        ) as reader:
            assert reader.stdin is not None
            assert reader.stdout is not None
            try:
                with self._news:
                    if self._stopping:
                        return "it is not wanted any more"
                    self._reader = reader
                reader.stdin.write(msgspec.json.encode(self.spec) + b"\n")
                reader.stdin.flush()
                reason = ""
                while line := reader.stdout.readline(_LINE_MAX):
                    match _reader_says.decode(line):
                        case Opened(width, height):
                            self._opened(width, height)
                        case Lost(why):
                            reason = why
                return reason or f"its reader ended with {reader.wait(LEAVE_S)}"
            except (OSError, msgspec.DecodeError, subprocess.TimeoutExpired) as error:
                return f"its reader failed: {type(error).__name__}"
            finally:
                with self._news:
                    self._reader = None
                    reader.kill()

    def _opened(self, width: int, height: int) -> None:
        lost_at, self._lost_at = self._lost_at, None
        log.info("stream.input", input=self.spec.name, up=True, width=width, height=height)
        if lost_at is not None:
            away = time.monotonic() - lost_at
            self._tell(f"{self.spec.name}: back after {away:.1f} s", True)


class Feeds:
    """The inputs of the scenes of a programme. ``show`` belongs to the composer's thread, ``want`` to the one that reads."""

    def __init__(self, specs: Iterable[InputSpec], pictures: HeldPictures, tell: Callable[[str, bool], None]) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._pictures, self._tell = pictures, tell
        self._feeds: dict[str, Feed] = {}
        self._on: dict[str, frozenset[str]] = {}
        self._shown_at: dict[str, float] = {}

    def want(self, scenes: Collection[Scene]) -> None:
        """Read what these scenes show, and nothing else."""
        on = {scene.name: names_of(scene) for scene in scenes}
        wanted = frozenset[str]().union(*on.values())
        for name in sorted(wanted - self._specs.keys()):
            self._tell(f"{name}: no input of this name is configured (SOTHEBAIS_STREAM_INPUTS)", False)
        wanted &= self._specs.keys()
        feeds = dict(self._feeds)
        gone = [feeds.pop(name) for name in feeds.keys() - wanted]
        for name in wanted - feeds.keys():
            try:
                feeds[name] = Feed(self._specs[name], self._tell)
            except OSError as error:
                self._tell(f"{name}: there is no memory for its pictures: {error.strerror}", False)
        self._feeds, self._on = feeds, {name: names & wanted for name, names in on.items()}
        for feed in gone:
            feed.stop()

    def show(self, scenes: Iterable[str | None]) -> None:
        """Hang the newest pictures of the inputs that these scenes show, and take down those that are stale."""
        if not self._feeds:
            return
        now = time.monotonic()
        for name in {name for scene in scenes if scene for name in self._on.get(scene, ())}:
            feed = self._feeds.get(name)
            pixels = None if feed is None else feed.take()
            if pixels is not None:
                self._shown_at[name] = now
                self._pictures.put_live(reference(name), _image(pixels))
            elif now - self._shown_at.get(name, now) > STALE_S:
                del self._shown_at[name]
                self._pictures.put_live(reference(name), None)

    @property
    def readers(self) -> dict[str, int]:
        """The processes that read, by input."""
        return {name: pid for name, feed in self._feeds.items() if (pid := feed.reader) is not None}

    def stop(self) -> None:
        """End all of them."""
        feeds, self._feeds = self._feeds, {}
        for feed in feeds.values():
            feed.stop()


def names_of(scene: Scene) -> frozenset[str]:
    """The inputs that a scene shows."""
    return frozenset(element.source for element in scene.elements() if isinstance(element, StreamElement))


def _image(pixels: Pixels) -> skia.Image:
    height, width = pixels.shape[:2]
    info = skia.ImageInfo.Make(width, height, skia.kBGRA_8888_ColorType, skia.kOpaque_AlphaType)
    return skia.Image.MakeRasterData(info, skia.Data.MakeWithCopy(pixels), width * 4)
