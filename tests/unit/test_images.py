"""Pictures from outside, real and hostile."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms, ImageSequence
from PIL.PngImagePlugin import PngInfo

from sothebais import media
from sothebais.catalog.images import ImageLimits, NormalImage, normalise
from sothebais.errors import InvalidInput

NOUNS = Path(__file__).parents[1] / "data" / "nouns" / "images"
PAYLOAD = b"<script>alert(1)</script>"


def picture(mode: str = "RGB", size: tuple[int, int] = (60, 40)) -> Image.Image:
    red = Image.new("RGBA", size, (200, 30, 40, 255))
    red.paste((10, 20, 220, 128), (0, 0, size[0] // 2, size[1]))
    return red.convert(mode)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def reopened(result: NormalImage) -> Image.Image:
    image = Image.open(io.BytesIO(result.data))
    image.load()
    return image


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *, rows: bytes = b"", extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def animation(kind: str, frames: int = 3, size: tuple[int, int] = (20, 10), **options: Any) -> bytes:
    pictures = [Image.new("RGB", size, (80 * index % 256, 10 + index % 200, 30)) for index in range(frames)]
    return encoded(
        pictures[0], kind, save_all=True, append_images=pictures[1:], duration=[120] * frames, loop=0, **options
    )


@pytest.mark.parametrize(
    ("data", "extension"),
    [
        (encoded(picture(), "PNG"), "png"),
        (encoded(picture("P"), "PNG"), "png"),
        (encoded(picture("LA"), "PNG"), "png"),
        (encoded(picture("1"), "PNG"), "png"),
        (encoded(picture("RGBA"), "PNG"), "png"),
        (encoded(picture(), "JPEG"), "jpg"),
        (encoded(picture("L"), "JPEG"), "jpg"),
        (encoded(picture("CMYK"), "JPEG"), "jpg"),
        (encoded(picture(), "JPEG", progressive=True), "jpg"),
        (encoded(picture("RGBA"), "WEBP"), "webp"),
        (encoded(picture("RGBA"), "WEBP", lossless=True), "webp"),
        (encoded(picture("P"), "GIF"), "png"),
    ],
)
def test_every_accepted_format_comes_out_in_one_we_store(data: bytes, extension: str) -> None:
    result = normalise(data)
    assert (result.extension, result.width, result.height, result.frames) == (extension, 60, 40, 1)
    assert reopened(result).size == (60, 40)
    assert result.media_type == {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}[extension]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_lossless_pictures_keep_every_pixel(mode: str) -> None:
    image = picture(mode)
    for data in (encoded(image, "PNG"), encoded(image.convert("RGBA"), "WEBP", lossless=True, exact=True)):
        assert reopened(normalise(data)).convert("RGBA").tobytes() == image.convert("RGBA").tobytes()


def test_a_transparent_colour_stays_transparent() -> None:
    image = Image.new("P", (4, 4), 3)
    image.putpalette([value for index in range(16) for value in (index * 10, 0, 0)])
    result = reopened(normalise(encoded(image, "PNG", transparency=3)))
    assert result.convert("RGBA").getpixel((0, 0))[3] == 0  # type: ignore[index]


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    image = Image.new("I;16", (3, 3), 32_768)
    grey = reopened(normalise(encoded(image, "PNG"))).convert("L").getpixel((1, 1))
    assert 126 <= grey <= 129  # type: ignore[operator]


def test_the_same_picture_gives_the_same_bytes() -> None:
    data = encoded(picture("RGBA"), "PNG")
    assert normalise(data) == normalise(data)
    assert normalise(normalise(data).data).data == normalise(data).data


def test_real_pictures_keep_their_pixels() -> None:
    for path in sorted(NOUNS.glob("*.png")):
        data = path.read_bytes()
        assert (
            reopened(normalise(data)).convert("RGBA").tobytes()
            == Image.open(io.BytesIO(data)).convert("RGBA").tobytes()
        )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_applied_and_metadata_is_gone(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "secret place"
    result = normalise(encoded(picture(), kind, exif=exif))
    assert (result.width, result.height) == (40, 60)
    image = reopened(result)
    assert not image.getexif()
    assert b"secret" not in result.data
    assert "icc_profile" not in image.info


def test_colours_are_as_the_profile_meant_them() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = encoded(picture(), "PNG")
    for icc in (srgb, profile.tobytes(), b"no profile at all"):
        result = normalise(encoded(picture(), "PNG", icc_profile=icc))
        assert "icc_profile" not in reopened(result).info
        assert reopened(result).getpixel((50, 20)) == reopened(normalise(plain)).getpixel((50, 20))


def test_comments_do_not_come_through() -> None:
    notes = PngInfo()
    notes.add_text("Comment", PAYLOAD.decode())
    notes.add_text("More", PAYLOAD.decode() * 100, zip=True)
    for data in (
        encoded(picture(), "PNG", pnginfo=notes),
        encoded(picture(), "JPEG", comment=PAYLOAD),
        encoded(picture("P"), "GIF", comment=PAYLOAD),
        encoded(picture(), "WEBP", xmp=PAYLOAD),
    ):
        assert PAYLOAD not in normalise(data).data


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animations_stay_animated(kind: str) -> None:
    result = normalise(animation(kind))
    image = reopened(result)
    assert (result.extension, result.frames) == ("webp", 3)
    assert image.n_frames == 3  # type: ignore[attr-defined]
    assert image.info["loop"] == 0
    shown = []
    for frame in ImageSequence.Iterator(image):
        frame.load()
        shown.append(frame.info["duration"])
    assert shown == [120, 120, 120]


def svg() -> bytes:
    return b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>'


def truncated(kind: str) -> bytes:
    data = encoded(picture(size=(300, 300)), kind)
    return data[: len(data) * 2 // 3]


def growing_gif() -> bytes:
    """A second frame that lies far outside the picture."""
    data = bytearray(animation("GIF", frames=2))
    place = data.rindex(b"\x2c")
    data[place + 1 : place + 9] = struct.pack("<HHHH", 60_000, 60_000, 20, 10)
    return bytes(data)


HOSTILE: list[tuple[str, Callable[[], bytes], str]] = [
    ("nothing", lambda: b"", "empty"),
    ("one byte", lambda: b"\x89", "no picture"),
    ("text", lambda: b"hello" * 100, "no picture"),
    ("zeros", lambda: bytes(1_000), "no picture"),
    ("SVG", svg, "Render it to PNG"),
    ("SVG with a mark", lambda: b"\xef\xbb\xbf" + svg(), "Render it to PNG"),
    ("SVG in UTF-16", lambda: svg().decode().encode("utf-16"), "Render it to PNG"),
    ("a web page", lambda: b"<!DOCTYPE html><html><img src=1.png></html>", "web page"),
    ("a page before a picture", lambda: b"<script></script>" + encoded(picture(), "PNG"), "web page"),
    ("a BMP", lambda: encoded(picture(), "BMP"), "BMP"),
    ("a TIFF", lambda: encoded(picture(), "TIFF"), "TIFF"),
    ("an AVIF", lambda: b"\x00\x00\x00\x20ftypavif" + bytes(100), "AVIF"),
    ("a video", lambda: b"\x00\x00\x00\x20ftypisom" + bytes(100), "video"),
    ("a ZIP", lambda: b"PK\x03\x04" + bytes(100), "ZIP"),
    ("a PDF", lambda: b"%PDF-1.7\n" + bytes(100), "PDF"),
    ("a bomb of one colour", lambda: png(60_000, 60_000, rows=bytes(1_000_000)), "too large"),
    ("a bomb below Pillow's own limit", lambda: png(9_000, 9_000, rows=bytes(1_000)), "too large"),
    ("a long thin one", lambda: png(50_000, 1, rows=bytes(50_001)), "too large"),
    ("the largest numbers", lambda: png(0x7FFFFFFF, 0x7FFFFFFF), "too large|damaged"),
    ("no width", lambda: png(0, 10), "damaged|no area"),
    (
        "a GIF of any size",
        lambda: b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + b"\x00\x00\x00;",
        "too large|damaged",
    ),
    ("a GIF that grows", growing_gif, "too large"),
    ("too few rows", lambda: png(100, 100, rows=bytes(50)), "damaged"),
    (
        "a text bomb",
        lambda: png(1, 1, rows=bytes(2), extra=chunk(b"zTXt", b"k\x00\x00" + zlib.compress(bytes(100_000_000)))),
        "damaged",
    ),
    ("a PNG cut off", lambda: truncated("PNG"), "cut off"),
    ("a JPEG cut off", lambda: truncated("JPEG"), "cut off"),
    ("a WebP cut off", lambda: truncated("WEBP"), "cut off"),
    ("a GIF cut off", lambda: animation("GIF")[:-20], "cut off"),
    ("a PNG with a page behind it", lambda: encoded(picture(), "PNG") + PAYLOAD, "follow the picture"),
    (
        "a JPEG with an archive behind it",
        lambda: encoded(picture(), "JPEG") + b"PK\x03\x04" + bytes(50),
        "follow the picture",
    ),
    ("a GIF with a page behind it", lambda: encoded(picture("P"), "GIF") + PAYLOAD, "follow the picture"),
    ("a WebP with a page behind it", lambda: encoded(picture(), "WEBP") + PAYLOAD, "follow the picture"),
    ("a PNG that says it is a JPEG", lambda: b"\xff\xd8\xff" + encoded(picture(), "PNG"), "cut off|damaged"),
    ("a header alone", lambda: b"\x89PNG\r\n\x1a\n", "cut off"),
    ("a RIFF without a picture", lambda: b"RIFF\x04\x00\x00\x00WEBP", "damaged"),
]


@pytest.mark.parametrize(("make", "says"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_hostile_files_are_refused_with_a_reason(make: Callable[[], bytes], says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        normalise(make())
    assert caught.value.fields["field"] == "image"


@pytest.mark.parametrize(
    ("limits", "data", "says"),
    [
        (ImageLimits(bytes_max=100), encoded(picture(), "PNG"), "bytes"),
        (ImageLimits(side_px_max=59), encoded(picture(), "PNG"), "too large"),
        (ImageLimits(pixels_max=60 * 40 - 1), encoded(picture(), "JPEG"), "too large"),
        (ImageLimits(frames_max=2), animation("GIF"), "frames"),
        (ImageLimits(animation_pixels_max=599), animation("WEBP"), "too large"),
        (ImageLimits(animation_ms_max=359), animation("PNG"), "longer"),
    ],
)
def test_each_limit_holds_and_one_less_is_taken(limits: ImageLimits, data: bytes, says: str) -> None:
    assert normalise(data)
    with pytest.raises(InvalidInput, match=says):
        normalise(data, limits)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_damage_anywhere_is_refused_or_harmless(kind: str) -> None:
    data = encoded(picture("P" if kind == "GIF" else "RGB"), kind)
    for place in range(0, len(data), max(1, len(data) // 150)):
        for value in (0x00, 0xFF, data[place] ^ 0x10):
            damaged = data[:place] + bytes([value]) + data[place + 1 :]
            try:
                assert reopened(normalise(damaged)).size[0] > 0
            except InvalidInput:
                continue


def test_tokens_are_colours_and_text_is_readable_on_every_ground() -> None:
    def light(colour: str) -> float:
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in media.rgb(colour))
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(first: str, second: str) -> float:
        high, low = sorted((light(first), light(second)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for palette in (media.DARK, media.LIGHT):
        for name in ("text", "quiet", "brass", "vermilion", "sage", "rose"):
            assert contrast(palette.items()[name], palette.ground) >= 4.5, (name, palette)
    with pytest.raises(ValueError, match="colour"):
        media.rgb("red")
