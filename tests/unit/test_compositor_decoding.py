"""Stills, animations and videos become pictures in memory, within bounds."""

import io

import av
import numpy as np
import pytest
import skia
from msgspec.structs import replace
from PIL import Image

from sothebais.rehearsal import showcase
from sothebais.stream import decoding
from sothebais.stream.compositor import Composer
from sothebais.stream.layers import Picture
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes.builtin import scenes_for
from sothebais.stream.show import Artwork
from sothebais.stream.stage import Programme

COLOURS = ("#ff0000", "#00ff00", "#0000ff")


def encoded(pictures: list[Image.Image], kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    pictures[0].save(out, kind, save_all=len(pictures) > 1, append_images=pictures[1:], **options)
    return out.getvalue()


def gif(durations: list[int]) -> bytes:
    pictures = [Image.new("RGB", (60, 40), COLOURS[index % 3]) for index in range(len(durations))]
    return encoded(pictures, "GIF", duration=durations, loop=0)


def video(frames: int, size: tuple[int, int] = (320, 180)) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(frames):
            pixels = np.full((size[1], size[0], 3), index * 5 % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return out.getvalue()


def colour(held: HeldPictures, ref: str, frame: int) -> tuple[int, ...]:
    image = held.picture(ref, frame)
    assert image is not None
    blue, green, red, _ = image.toarray(colorType=skia.kBGRA_8888_ColorType)[5, 5]
    return int(red), int(green), int(blue)


def test_a_still_is_kept_with_its_ratio_and_no_larger_than_it_can_be_shown() -> None:
    held = HeldPictures()
    found = decoding.hold(held, "big", encoded([Image.new("RGB", (3_200, 1_600), "#336699")], "PNG"))
    assert found == Artwork("big", 1_600, 800)
    assert held.bytes_held == 1_600 * 800 * 4
    assert colour(held, "big", 0) == (0x33, 0x66, 0x99)


def test_a_gif_of_uneven_frames_becomes_frames_of_one_length() -> None:
    held = HeldPictures()
    found = decoding.hold(held, "gif", gif([100, 300, 100]))
    assert found == Artwork("gif", 60, 40, frames=5, frame_ms=100)
    assert [colour(held, "gif", index) for index in range(5)] == [
        (255, 0, 0), (0, 255, 0), (0, 255, 0), (0, 255, 0), (0, 0, 255),
    ]  # fmt: skip


def test_a_video_is_decoded_to_its_own_time() -> None:
    held = HeldPictures()
    found = decoding.hold(held, "clip", video(45))
    assert (found.width, found.height, found.frame_ms) == (320, 180, 33)
    assert found.frames == 45
    assert colour(held, "clip", 40)[0] == pytest.approx(200, abs=4)


def test_of_a_long_animation_only_the_beginning_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "ANIMATION_BYTES_MAX", 12 * 60 * 40 * 4)
    held = HeldPictures()
    found = decoding.hold(held, "long", gif([50] * 40))
    assert found.frames <= 12
    assert held.bytes_held <= 12 * 60 * 40 * 4


@pytest.mark.parametrize("content", [b"", b"no picture", b"GIF89a", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_cannot_be_decoded_is_refused_by_name(content: bytes) -> None:
    held = HeldPictures()
    with pytest.raises(ValueError, match="asset 'x' is neither a picture nor a video"):
        decoding.hold(held, "x", content)
    assert held.bytes_held == 0


def test_an_animated_lot_moves_on_the_wall_frame_by_frame() -> None:
    held = HeldPictures()
    piece = decoding.hold(held, "gif", gif([100, 100, 100]))
    state, _ = showcase.state("auction")
    assert state.lot is not None
    state = replace(state, lot=replace(state.lot, artwork=piece))
    composer = Composer(Programme(scenes_for(320, 180), 320, 180), held)
    seen = []
    since = state.on_air.since
    for after in (0, 100, 200, 300):
        composer.render(state, since + after)
        shown = composer.programme.shown(state, since + after).layers
        art = next(layer for layer in shown if layer.id == "art")
        assert isinstance(art.key.content, Picture)
        middle = composer.compositor.pixels[art.rect.y + art.rect.h // 2, art.rect.x + art.rect.w // 2]
        seen.append((art.key.content.frame, int(middle[:3].argmax())))
    assert seen == [(0, 2), (1, 1), (2, 0), (0, 2)]  # BGRA: red, green, blue, red
