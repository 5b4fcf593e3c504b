"""From an asset's bytes to pictures in memory: stills, GIF and WebP animations, the beginning of a video.

Bytes come from the asset store, which has checked type and size. An animation is resampled to frames of equal length;
of a long one only the beginning is kept, and the loop is as long as that.
"""

import io
from collections.abc import Iterator
from typing import Final

import av
import numpy as np
import skia
from av.error import FFmpegError
from PIL import Image, ImageSequence, UnidentifiedImageError

from sothebais.stream.pictures import HeldPictures
from sothebais.stream.show import Artwork
from sothebais.stream.surfaces import blank

#: A still is kept at most so large: more than any output shows.
STILL_SIDE_MAX: Final = 1_600
#: Frames of an animation are smaller, and all of one asset have at most so many bytes.
FRAME_SIDE_MAX: Final = 640
ANIMATION_BYTES_MAX: Final = 96 * 1024 * 1024
FRAMES_MAX: Final = 300
FRAME_MS_MIN, FRAME_MS_MAX = 33, 100
#: Decoding stops after so many source frames, whatever they say of their time.
SOURCE_FRAMES_MAX: Final = 2_000


class NothingToShow(Exception):
    """Not a single frame could be decoded."""


type Timed = tuple[Image.Image, int]


def hold(held: HeldPictures, ref: str, encoded: bytes) -> Artwork:
    """Decode an asset, keep its pictures under ``ref``, and say what a scene must know of it.

    Raises ValueError for what is neither a picture nor a video.
    """
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            if getattr(image, "n_frames", 1) > 1:
                return _animation(held, ref, _of_image(image))
            return _still(held, ref, image)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError):
        pass
    try:
        return _animation(held, ref, _of_video(encoded))
    except (FFmpegError, NothingToShow):
        raise ValueError(f"asset {ref!r} is neither a picture nor a video that can be shown") from None


def _still(held: HeldPictures, ref: str, image: Image.Image) -> Artwork:
    picture = image.convert("RGBA")
    picture.thumbnail((STILL_SIDE_MAX, STILL_SIDE_MAX), Image.Resampling.LANCZOS)
    held.put_image(ref, _skia(picture))
    return Artwork(ref, picture.width, picture.height)


def _animation(held: HeldPictures, ref: str, frames: Iterator[Timed]) -> Artwork:
    """Frames of their own lengths become frames of one length."""
    kept: list[tuple[skia.Image, int]] = []
    size, at, most = (0, 0), 0, FRAMES_MAX
    for _, (picture, length) in zip(range(SOURCE_FRAMES_MAX), frames, strict=False):
        if not kept:
            size = picture.size
            most = max(1, min(FRAMES_MAX, ANIMATION_BYTES_MAX // (4 * size[0] * size[1])))
        if len(kept) >= most or at >= most * FRAME_MS_MAX:
            break
        kept.append((_skia(picture), at))
        at += length
    if not kept:
        raise NothingToShow
    if len(kept) == 1:
        held.put_image(ref, kept[0][0])
        return Artwork(ref, *size)
    step = min(FRAME_MS_MAX, max(FRAME_MS_MIN, at // len(kept)))
    count = max(1, min(most, -(-at // step)))
    place = 0
    for index in range(count):
        while place + 1 < len(kept) and kept[place + 1][1] <= index * step:
            place += 1
        held.put_image(ref, kept[place][0], index)
    return Artwork(ref, size[0], size[1], frames=count, frame_ms=step)


def _of_image(image: Image.Image) -> Iterator[Timed]:
    for frame in ImageSequence.Iterator(image):
        length = max(20, int(frame.info.get("duration", 100) or 100))
        picture = frame.convert("RGBA")
        picture.thumbnail((FRAME_SIDE_MAX, FRAME_SIDE_MAX), Image.Resampling.LANCZOS)
        yield picture, length


def _of_video(encoded: bytes) -> Iterator[Timed]:
    with av.open(io.BytesIO(encoded), "r") as container:
        if not container.streams.video:
            return
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 25)
        stride = max(1, int(rate * FRAME_MS_MIN / 1000))
        for index, frame in enumerate(container.decode(stream)):
            if index % stride:
                continue
            share = min(1.0, FRAME_SIDE_MAX / max(frame.width, frame.height))
            size = (max(1, round(frame.width * share)), max(1, round(frame.height * share)))
            pixels = frame.reformat(width=size[0], height=size[1], format="rgb24").to_ndarray()
            yield Image.fromarray(pixels), max(1, round(1000 * stride / rate))


def _skia(picture: Image.Image) -> skia.Image:
    """Premultiplied and in the compositor's own order of channels, so that drawing it converts nothing."""
    straight = skia.Image.fromarray(np.asarray(picture.convert("RGBA")), colorType=skia.kRGBA_8888_ColorType)
    surface = blank(*picture.size)
    surface.getCanvas().drawImage(straight, 0, 0)
    return surface.makeImageSnapshot()
