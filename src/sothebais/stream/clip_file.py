"""An MP4 file, written picture by picture under a temporary name; it has its own name only when it is whole."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from sothebais.errors import InvalidInput, Unavailable
from sothebais.stream import clip_encoding
from sothebais.stream.clip_encoding import ClipFormat
from sothebais.stream.encoding import LIMITED_RANGE, SAMPLE_RATE, SMPTE170M
from sothebais.stream.yuv import Pixels

SUFFIX: Final = ".mp4"
#: The disk keeps at least so much beside the file.
SPARE_BYTES: Final = 64 * 1024 * 1024
#: faststart writes the file once more while it moves the index to the front.
TIMES_WRITTEN: Final = 2


def check(path: Path, form: ClipFormat, frames: int) -> None:
    """Raise InvalidInput for a name or a folder no clip can be written to, Unavailable when the disk has no room."""
    if path.suffix.lower() != SUFFIX:
        raise InvalidInput(f"--out: {path.name!r} must end in {SUFFIX}; no other kind of file is written.", field="out")
    if path.is_dir():
        raise InvalidInput(f"--out: {path} is a folder.", field="out")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise InvalidInput(f"--out: there is no folder {folder}.", field="out")
    if not os.access(folder, os.W_OK):
        raise InvalidInput(f"--out: nothing may be written in {folder}.", field="out")
    needed = TIMES_WRITTEN * clip_encoding.bytes_expected(form, frames) + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Unavailable(
            f"The disk of {folder} has {free // 1_000_000:,} MB left and the clip may need {needed // 1_000_000:,} MB."
            " Make room, or render a shorter stretch or a smaller picture."
        )


class ClipFile:
    """Use it as a context: left without an error the file is there, else nothing is."""

    def __init__(self, path: Path, form: ClipFormat) -> None:
        self._path = path.absolute()
        self._partial = self._path.with_name(f".{self._path.stem}.{os.getpid()}.partial")
        self._form = form
        self._frame = 0
        self._sample = 0

    def __enter__(self) -> Self:
        form = self._form
        with _told(self._path):
            self._container: Any = av.open(
                str(self._partial), "w", format="mp4", options=clip_encoding.container_options()
            )
            self._video: Any = self._container.add_stream(clip_encoding.VIDEO, rate=form.fps)
            context = self._video.codec_context
            context.width, context.height, context.pix_fmt = form.width, form.height, "yuv420p"
            context.time_base, context.framerate = Fraction(1, form.fps), Fraction(form.fps)
            context.color_primaries = context.color_trc = context.colorspace = SMPTE170M
            context.color_range = LIMITED_RANGE
            context.options = clip_encoding.video_options(form)
            self._audio: Any = self._container.add_stream(clip_encoding.AUDIO, rate=SAMPLE_RATE)
            self._audio.layout = "stereo"
            self._audio.bit_rate = clip_encoding.AUDIO_KBPS * 1_000
        return self

    def picture(self, buffer: Pixels) -> None:
        """The next frame (I420). The buffer may be written again afterwards."""
        # the encoder looks ahead, so it gets a picture of its own
        frame = av.VideoFrame.from_ndarray(buffer, format="yuv420p")
        frame.pts, frame.time_base = self._frame, Fraction(1, self._form.fps)
        self._frame += 1
        with _told(self._path):
            self._container.mux(self._video.encode(frame))

    def sound(self, block: NDArray[np.float32]) -> None:
        """The next ``(2, n)`` samples."""
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, self._sample, Fraction(1, SAMPLE_RATE)
        self._sample += block.shape[1]
        with _told(self._path):
            self._container.mux(self._audio.encode(frame))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with _told(self._path):
                    self._container.mux(self._video.encode(None))
                    self._container.mux(self._audio.encode(None))
                    self._container.close()
                    with self._partial.open("rb") as written:
                        os.fsync(written.fileno())
                    self._partial.replace(self._path)
            else:
                with contextlib.suppress(FFmpegError, OSError):
                    self._container.close()
        finally:
            with contextlib.suppress(OSError):
                self._partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what a fault of the disk means."""
    try:
        yield
    except (FFmpegError, OSError) as error:
        number = getattr(error, "errno", None)
        if number == errno.ENOSPC:
            raise Unavailable(f"The disk is full; {path.name} was not written.") from error
        raise Unavailable(f"{path.name} cannot be written: {getattr(error, 'strerror', None) or error}.") from error
