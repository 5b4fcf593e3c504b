"""The manager's side of the media process: starts it, talks with it, ends it."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from sothebais.stream.media.messages import MESSAGE_BYTES_MAX, Begin, FromMedia, Stop, ToMedia, encode, from_media

log = structlog.get_logger(__name__)

#: Bytes that may wait for the media process before it is taken to hang.
WAITING_BYTES_MAX: Final = 128 * 1024 * 1024
#: It has so long to leave after it was asked to.
LEAVE_S: Final = 8.0


class MediaChild:
    """One life of a media process. ``on_message`` is called for all it says; ``wait`` ends with it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_message: Callable[[FromMedia], None],
    ) -> None:
        self._process, self._reader, self._writer = process, reader, writer
        self._on_message = on_message
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(
        cls, begin: Begin, on_message: Callable[[FromMedia], None], *, logs: Path | None = None
    ) -> "MediaChild":
        """Start one. Raises OSError when the system has none to give."""
        ours, theirs = socket.socketpair()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "sothebais.stream.media",
                str(theirs.fileno()),
                *([] if logs is None else [str(logs)]),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                # its threads hand on what they allocate: with an arena for each of them memory falls to pieces; and
                # those of a matrix library would spin beside the clock's
                env={"MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1", **os.environ},
                # Ctrl-C is for the supervisor
                start_new_session=True,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours, limit=MESSAGE_BYTES_MAX)
        child = cls(process, reader, writer, on_message)
        child.send(begin)
        return child

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, message: ToMedia) -> None:
        """Have it told. One that does not listen any more is killed: another is started then."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        self._writer.write(encode(message))
        if transport.get_write_buffer_size() > WAITING_BYTES_MAX:
            log.error("stream.media_does_not_listen", pid=self.pid)
            self.kill()

    async def wait(self) -> int:
        """Its exit code, when it has ended and everything it said was heard."""
        code = await self._process.wait()
        await asyncio.wait({self._listening}, timeout=1.0)
        self._listening.cancel()
        self._writer.close()
        return code

    async def stop(self, *, ended: bool = False) -> int:
        """Ask it to finish and leave; after ``LEAVE_S`` it is killed. ``ended``: the broadcast is over."""
        self.send(Stop(ended))
        try:
            return await asyncio.wait_for(self.wait(), LEAVE_S)
        except TimeoutError:
            log.warning("stream.media_killed", pid=self.pid, after_s=LEAVE_S)
            self.kill()
            return await self.wait()

    def kill(self) -> None:
        """At once."""
        if self._process.returncode is None:
            # not by ``Process.kill``: that takes the exit code away from those who wait, of one that is dead already
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    async def _listen(self) -> None:
        while True:
            try:
                head = await self._reader.readexactly(4)
                body = await self._reader.readexactly(int.from_bytes(head, "big"))
            except (asyncio.IncompleteReadError, OSError):
                return
            try:
                self._on_message(from_media.decode(body))
            except Exception:
                # what it says cannot be followed any more; another is started
                log.exception("stream.media_not_understood", pid=self.pid)
                self.kill()
                return
