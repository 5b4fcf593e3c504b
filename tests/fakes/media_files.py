"""Small videos, sounds and pictures, made as they are needed."""

import io
from typing import Any

import av
import numpy as np
from PIL import Image

RATE = 48_000
COLOURS = ("#ff0000", "#00ff00", "#0000ff")


def still(kind: str = "PNG", size: tuple[int, int] = (60, 40), colour: str = "#336699") -> bytes:
    """A picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def animation(kind: str = "GIF", frames: int = 3) -> bytes:
    """A GIF or WebP that goes through red, green and blue, 100 ms each."""
    out = io.BytesIO()
    pictures = [Image.new("RGB", (60, 40), COLOURS[index % 3]) for index in range(frames)]
    pictures[0].save(out, kind, save_all=True, append_images=pictures[1:], duration=100, loop=0)
    return out.getvalue()


def video(
    kind: str = "mp4",
    codec: str = "libx264",
    *,
    frames: int = 45,
    size: tuple[int, int] = (320, 180),
    rate: int = 30,
    sound_codec: str | None = None,
    **metadata: str,
) -> bytes:
    """A video that grows lighter."""
    out = io.BytesIO()
    with av.open(out, "w", format=kind) as container:
        container.metadata.update(metadata)
        stream: Any = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        audio: Any = container.add_stream(sound_codec, rate=RATE, layout="stereo") if sound_codec else None
        for index in range(frames):
            pixels = np.full((size[1], size[0], 3), index * 5 % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
        if audio is not None:
            _encode(container, audio, 1.0)
    return out.getvalue()


def sound(kind: str, codec: str, seconds: float = 1.0, **metadata: str) -> bytes:
    """A tone of 440 Hz, stereo."""
    out = io.BytesIO()
    with av.open(out, "w", format=kind) as container:
        container.metadata.update(metadata)
        _encode(container, container.add_stream(codec, rate=RATE, layout="stereo"), seconds)
    return out.getvalue()


def _encode(container: Any, stream: Any, seconds: float) -> None:
    times = np.arange(int(seconds * RATE)) / RATE
    tone = (np.sin(2 * np.pi * 440 * times) * 9_000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[None, :], format="s16", layout="stereo")
    frame.sample_rate, frame.pts = RATE, 0
    resampler = av.AudioResampler(format=stream.codec_context.format, layout="stereo", rate=RATE)
    fifo = av.AudioFifo()
    for part in resampler.resample(frame):
        fifo.write(part)
    at = 0
    while part := fifo.read(stream.codec_context.frame_size or 4_096) or fifo.read(0, partial=True):
        part.pts, at = at, at + part.samples
        container.mux(stream.encode(part))
    for packet in stream.encode(None):
        if packet.size and packet.dts is not None:
            container.mux(packet)
