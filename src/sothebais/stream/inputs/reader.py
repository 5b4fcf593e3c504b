"""Reads one live stream, in a process of its own that the media process starts.

Its first line of input says what to read (an address with its key has no place on a command line); when its input ends,
it leaves. What strangers send is decoded here, in a process that has no secrets but this address and bounded memory.
Pictures go to the shared memory, its newest one counts; a line of output says that there is a stream, or why not.
"""

import os
import resource
import sys
import threading
from typing import Any, Final

import av
import msgspec
from av.error import ExitError, FFmpegError

from sothebais import priorities
from sothebais.stream.inputs.frames import SharedFrames
from sothebais.stream.inputs.model import CONNECT_S, READ_S, STEP_MS, InputSpec, Lost, Opened, ReaderSays, fitted
from sothebais.stream.outputs.output import reason_of

MEMORY_BYTES_MAX: Final = 2 * 1024**3
#: Nothing that is asked for is larger; what is would cost more to decode than there is.
SOURCE_PIXELS_MAX: Final = 1_920 * 1_088
#: Broken packets in a row before the stream is given up.
BROKEN_MAX: Final = 100
_BT709: Final = 1


class NoPicture(Exception):
    """There is no stream that can be shown."""


def say(word: ReaderSays) -> None:
    """A line to the media process."""
    os.write(1, msgspec.json.encode(word) + b"\n")


def leave_with_the_parent() -> None:
    """End when nobody listens any more."""
    os.read(0, 1)
    os._exit(0)


def options_of(spec: InputSpec) -> dict[str, str]:
    """How libavformat is to open it: what comes first is shown first, nothing is collected."""
    options = {"fflags": "nobuffer", "probesize": "500000", "analyzeduration": "1000000"}
    if spec.source.startswith(("rtmp:", "rtmps:")):
        options["rtmp_live"] = "live"
    if spec.source.startswith("rtmps:"):
        options["tls_verify"] = "1"
        if spec.ca_file is not None:
            options["ca_file"] = spec.ca_file
    return options


def read(spec: InputSpec, frames: SharedFrames) -> None:
    """Decode until the stream ends. Raises FFmpegError, OSError or NoPicture."""
    with av.open(spec.source, "r", options=options_of(spec), timeout=(CONNECT_S, READ_S)) as container:
        if not container.streams.video:
            raise NoPicture("the stream has no picture")
        stream = container.streams.video[0]
        if stream.width * stream.height > SOURCE_PIXELS_MAX:
            raise NoPicture(f"the picture is larger than 1920 × 1080: {stream.width} × {stream.height}")
        # threads that work on several frames at once would hold them back
        stream.thread_type = "SLICE"
        opened, last, broken = False, -1.0, 0
        for packet in container.demux(stream):
            try:
                decoded = packet.decode()
            except FFmpegError as error:
                broken += 1
                if broken > BROKEN_MAX:
                    raise NoPicture("the stream cannot be decoded") from error
                continue
            for frame in decoded:
                broken = 0
                if frame.pts is not None and 0 <= frame.time - last < 0.8 * STEP_MS / 1_000:
                    continue
                last = -1.0 if frame.pts is None else frame.time
                frames.put(pixels_of(frame))
                if not opened:
                    opened = True
                    say(Opened(frame.width, frame.height))


def pixels_of(frame: Any) -> Any:
    """A decoded frame as ``(height, width, 4)`` BGRA of the size that is kept. Raises NoPicture for one that is too large."""
    if frame.width * frame.height > SOURCE_PIXELS_MAX:
        raise NoPicture("the picture has become larger than 1920 × 1080")
    width, height = fitted(frame.width, frame.height)
    # untagged streams are taken for what players take them for
    wide_colours = frame.colorspace == _BT709 or (frame.colorspace not in (5, 6) and frame.height >= 720)
    return frame.reformat(
        width=width, height=height, format="bgra", src_colorspace="ITU709" if wide_colours else "ITU601"
    ).to_ndarray()


def main() -> None:
    """Until there is nothing more to read."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    # the media process goes first, its inputs do not
    priorities.step_back(0)
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(0, 4_096)
        if not part:
            return
        line += part
    spec = msgspec.json.decode(line, type=InputSpec)
    threading.Thread(target=leave_with_the_parent, daemon=True).start()
    try:
        read(spec, SharedFrames(int(sys.argv[1])))
        say(Lost("the stream has ended"))
    except NoPicture as error:
        say(Lost(str(error)))
    except ExitError:  # how libav says that its time is up
        say(Lost("nothing came for too long"))
    except (FFmpegError, OSError, MemoryError) as error:
        say(Lost(reason_of(error)))
    finally:
        os._exit(0)
