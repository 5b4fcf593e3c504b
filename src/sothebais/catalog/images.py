"""Pictures from outside: told by content, held to limits, and encoded anew, so that only pixels come in.

Everything is stored as PNG, JPEG or WebP. A still GIF becomes a PNG and an animation a WebP, without loss where the
original had none. Orientation and colour profile are applied to the pixels; all other metadata is dropped.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Final, Literal

from PIL import Image, ImageCms

from sothebais.catalog.containers import Kind, check_ends_cleanly, kind_of
from sothebais.errors import InvalidInput

type Stored = Literal["png", "jpg", "webp"]

MEDIA_TYPES: Final[dict[Stored, str]] = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """The largest picture taken in. A still picture needs four bytes of memory per pixel, an animation a frame's worth."""

    bytes_max: int = 20 * 1024 * 1024
    side_px_max: int = 10_000
    pixels_max: int = 36_000_000
    frames_max: int = 600
    #: Pixels of all frames together: what decoding and encoding an animation costs in time.
    animation_pixels_max: int = 150_000_000
    animation_ms_max: int = 10 * 60_000


LIMITS: Final = ImageLimits()

_JPEG_QUALITY = 95
#: zlib's effort; more makes pictures of flat colours a little smaller and all others only slower.
_PNG_EFFORT = 3
#: libwebp's effort, 0–6; above 2 it is slow and saves a few per cent.
_WEBP_EFFORT = 2
_WEBP_QUALITY = 95
#: Browsers play a frame of 10 ms or less for 100 ms; so it is stored.
_FRAME_MS_MIN, _FRAME_MS_USUAL = 11, 100
_ICC_BYTES_MAX = 1024 * 1024
_ORIENTATION_TAG = 0x0112
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: Modes that are stored as they are; all others become RGB or RGBA.
_KEPT_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})
#: What Pillow's decoders raise for damaged input, besides its own decompression bomb error.
_DECODER_FAULTS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class NormalImage:
    """A picture as the house keeps it."""

    data: bytes
    extension: Stored
    width: int
    height: int
    frames: int

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self.extension]


def normalise(data: bytes, limits: ImageLimits = LIMITS) -> NormalImage:
    """The picture of ``data``, encoded anew. Raises InvalidInput that says what is wrong with it and what to do.

    Costs processor time; from async code run it in a thread.
    """
    if len(data) > limits.bytes_max:
        raise InvalidInput(
            f"The picture has {len(data):,} bytes; at most {limits.bytes_max:,} are taken. Make it smaller.",
            field="image",
        )
    kind = kind_of(data)
    check_ends_cleanly(data, kind)
    try:
        with Image.open(io.BytesIO(data), formats=[kind.value]) as image:
            _check_size(image, limits)
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and kind is not Kind.JPEG:
                return _animation(image, frames, lossy=_is_lossy(data, kind), limits=limits)
            image.load()
            _check_size(image, limits)
            return _still(image, kind, lossy=_is_lossy(data, kind), limits=limits)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(limits) from None
    except _DECODER_FAULTS as error:
        raise InvalidInput(
            f"The picture is damaged and cannot be decoded ({type(error).__name__}). Save it again and import again.",
            field="image",
        ) from error


def _is_lossy(data: bytes, kind: Kind) -> bool:
    return kind is Kind.JPEG or (kind is Kind.WEBP and b"VP8L" not in data)


def _check_size(image: Image.Image, limits: ImageLimits) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise InvalidInput("The picture has no area.", field="image")
    if max(width, height) > limits.side_px_max or width * height > limits.pixels_max:
        raise _too_large(limits, f" of {width:,} × {height:,} pixels")


def _too_large(limits: ImageLimits, size: str = "") -> InvalidInput:
    return InvalidInput(
        f"The picture{size} is too large: at most {limits.side_px_max:,} pixels a side and {limits.pixels_max:,} in all "
        "are taken. Make it smaller.",
        field="image",
    )


def _still(image: Image.Image, kind: Kind, *, lossy: bool, limits: ImageLimits) -> NormalImage:
    upright = _turned(_plain(_in_srgb(image)), _orientation(image))
    _check_size(upright, limits)
    out = io.BytesIO()
    extension: Stored
    if kind is Kind.JPEG:
        extension = "jpg"
        upright.convert("RGB" if upright.mode != "L" else "L").save(
            out, "JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True
        )
    elif kind is Kind.WEBP:
        extension = "webp"
        upright.save(out, "WEBP", quality=_WEBP_QUALITY, lossless=not lossy, method=_WEBP_EFFORT, exact=True)
    else:
        extension = "png"
        upright.save(out, "PNG", compress_level=_PNG_EFFORT)
    return NormalImage(out.getvalue(), extension, upright.width, upright.height, 1)


def _animation(image: Image.Image, frames: int, *, lossy: bool, limits: ImageLimits) -> NormalImage:
    if frames > limits.frames_max:
        raise InvalidInput(
            f"The animation has {frames:,} frames; at most {limits.frames_max:,} are taken.", field="image"
        )
    durations: list[int] = []
    pixels = 0
    for number in range(frames):
        image.seek(number)  # also decodes, so that a damaged frame is found here
        _check_size(image, limits)
        pixels += image.width * image.height
        if pixels > limits.animation_pixels_max:
            raise InvalidInput(
                f"The animation is too large: at most {limits.animation_pixels_max:,} pixels in all frames together are "
                "taken. Make it smaller or shorter.",
                field="image",
            )
        image.load()
        shown_ms = round(image.info.get("duration", 0) or 0)
        durations.append(shown_ms if shown_ms >= _FRAME_MS_MIN else _FRAME_MS_USUAL)
    if sum(durations) > limits.animation_ms_max:
        raise InvalidInput(
            f"The animation is longer than {limits.animation_ms_max // 60_000} minutes. Make it shorter.", field="image"
        )
    image.seek(0)
    out = io.BytesIO()
    image.save(
        out,
        "WEBP",
        save_all=True,
        duration=durations,
        loop=int(image.info.get("loop", 1)),
        lossless=not lossy,
        quality=_WEBP_QUALITY,
        method=_WEBP_EFFORT,
        icc_profile=b"",
        exif=b"",
        xmp=b"",
        minimize_size=False,
    )
    return NormalImage(out.getvalue(), "webp", image.width, image.height, frames)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except _DECODER_FAULTS:
        # a damaged note about the picture is no reason to refuse the picture
        return 1
    return value if isinstance(value, int) else 1


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _in_srgb(image: Image.Image) -> Image.Image:
    """The pixels as the embedded profile means them; without this, dropping the profile would shift every colour."""
    profile = image.info.get("icc_profile")
    if not profile or len(profile) > _ICC_BYTES_MAX or image.mode not in {"RGB", "RGBA", "CMYK", "L"}:
        return image
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    opaque = image.convert("RGB") if alpha is not None else image
    try:
        converted = ImageCms.profileToProfile(
            opaque, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, *_DECODER_FAULTS):
        # a profile nobody can use does not count: every viewer shows such a picture as sRGB
        return image
    if converted is None:
        return image
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _plain(image: Image.Image) -> Image.Image:
    """A copy in a mode we store, with nothing but the pixels (and the transparent colour, if that is how it is told)."""
    if image.mode.startswith("I;16"):
        # 16-bit grey: Pillow's own conversion clips instead of scaling
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    transparent = image.info.get("transparency")
    if image.mode not in _KEPT_MODES:
        image = image.convert("RGBA" if "A" in image.mode or "a" in image.mode or transparent is not None else "RGB")
        transparent = None
    elif transparent is not None:
        image, transparent = image.convert("RGBA"), None
    plain = image.copy()
    plain.info = {}
    return plain
