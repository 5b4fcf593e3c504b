"""Videos and sounds from outside, real and hostile: what is taken, what is kept of them, and where the bounds are."""

import io
import struct
from dataclasses import replace

import av
import pytest
from tests.fakes.media_files import animation, sound, still, video

from sothebais.errors import InvalidInput
from sothebais.stream.assets import media
from sothebais.stream.assets.containers import Container, check_whole, container_of
from sothebais.stream.assets.limits import LIMITS
from sothebais.stream.assets.media import Media

SECRET = "somewhere in the hills"
VIDEOS = {
    "mp4": (Container.MP4, video(title=SECRET), "video/mp4"),
    "mp4 with sound": (Container.MP4, video(sound_codec="aac", frames=30), "video/mp4"),
    "webm vp9": (Container.WEBM, video("webm", "libvpx-vp9", frames=12), "video/webm"),
    "webm vp8 with sound": (Container.WEBM, video("webm", "libvpx", frames=12, sound_codec="libopus"), "video/webm"),
}
SOUNDS = {
    "wav": (Container.WAV, sound("wav", "pcm_s16le", title=SECRET), "audio/wav"),
    "flac": (Container.FLAC, sound("flac", "flac", title=SECRET), "audio/flac"),
    "mp3": (Container.MP3, sound("mp3", "libmp3lame", title=SECRET), "audio/mpeg"),
    "ogg opus": (Container.OGG, sound("ogg", "libopus", title=SECRET), "audio/ogg"),
    "ogg flac": (Container.OGG, sound("ogg", "flac", title=SECRET), "audio/ogg"),
    "aac": (Container.AAC, sound("adts", "aac"), "audio/aac"),
    "m4a": (Container.MP4, sound("mp4", "aac", title=SECRET), "audio/mp4"),
}
ALL = VIDEOS | SOUNDS


def taken(data: bytes, limits: media.MediaLimits = LIMITS) -> Media:
    container = container_of(data)
    assert container is not None
    check_whole(data, container)
    return media.take(data, container, limits)


@pytest.mark.parametrize("name", ALL)
def test_each_kind_is_told_by_its_content_and_kept_without_what_is_beside_it(name: str) -> None:
    container, data, media_type = ALL[name]
    assert container_of(data) is container
    kept = taken(data)
    assert kept.media_type == media_type
    assert SECRET.encode() not in kept.data
    assert kept.details["kind"] == ("video" if name in VIDEOS else "audio")
    assert (kept.width is None) == (name in SOUNDS)
    assert taken(data).data == kept.data, "the same file is the same content"
    again = taken(kept.data)
    assert (again.width, again.media_type) == (kept.width, kept.media_type)
    for detail in ("kind", "frames", "video_codec", "audio_codec", "sample_rate"):
        assert again.details.get(detail) == kept.details.get(detail)


@pytest.mark.parametrize("name", VIDEOS)
def test_a_kept_video_shows_every_picture(name: str) -> None:
    _, data, _ = VIDEOS[name]
    with av.open(io.BytesIO(data)) as given, av.open(io.BytesIO(taken(data).data)) as kept:
        before = [frame.to_ndarray(format="gray").tobytes() for frame in given.decode(video=0)]
        after = [frame.to_ndarray(format="gray").tobytes() for frame in kept.decode(video=0)]
    assert after == before
    assert taken(data).details["frames"] == len(before)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 1.0])
def test_a_file_that_is_cut_off_is_refused(name: str, share: float) -> None:
    _, data, _ = ALL[name]
    with pytest.raises(InvalidInput, match=r"cut off|damaged"):
        taken(data[: min(len(data) - 1, int(len(data) * share))])


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("tail", [b"<script>alert(1)</script>", b"PK\x05\x06" + bytes(18), b"\x00"])
def test_a_file_that_goes_on_after_its_end_is_refused(name: str, tail: bytes) -> None:
    _, data, _ = ALL[name]
    if name == "flac" and tail == b"\x00":
        assert not taken(data + tail).data.endswith(tail * 2)  # padding, which stays behind
        return
    with pytest.raises(InvalidInput, match=r"follow the end|cut off|damaged"):
        taken(data + tail)


def test_what_hides_inside_a_video_stays_behind() -> None:
    hidden = b"PK\x03\x04<script>alert(1)</script>"
    box = struct.pack(">I4s", 8 + len(hidden), b"free") + hidden
    kept = taken(video() + box)
    assert hidden not in kept.data
    assert kept.details["frames"] == 45


@pytest.mark.parametrize(
    "data",
    [still(), still("JPEG"), still("WEBP"), animation(), b"", b"RIFF", b"#EXTM3U\n", b"ffconcat version 1.0\n",
     b"\x00\x00\x00\x18ftypavif" + bytes(20), b"\x00\x00\x00\x18ftypheic" + bytes(20)],
)  # fmt: skip
def test_what_is_no_video_and_no_sound_is_not_taken_for_one(data: bytes) -> None:
    assert container_of(data) is None


def test_every_limit_holds_at_its_bound() -> None:
    clip = video(frames=30, size=(64, 32))  # one second
    tone = sound("wav", "pcm_s16le", 1.0)
    for data, bound, beyond, said in (
        (clip, {"side_px_max": 64}, {"side_px_max": 63}, "64 × 32 pixels"),
        (clip, {"pixels_max": 64 * 32}, {"pixels_max": 64 * 32 - 1}, "64 × 32 pixels"),
        (clip, {"video_ms_max": 1_000}, {"video_ms_max": 999}, "a video at most"),
        (clip, {"frame_rate_max": 30}, {"frame_rate_max": 29}, "more than 29 pictures a second"),
        (clip, {"streams_max": 1}, {"streams_max": 0}, "tracks"),
        (tone, {"audio_ms_max": 1_000}, {"audio_ms_max": 999}, "lasts longer"),
        (tone, {"sample_rate_max": 48_000}, {"sample_rate_max": 47_999}, "more than is taken"),
        (tone, {"channels_max": 2}, {"channels_max": 1}, "more than is taken"),
    ):
        assert taken(data, replace(LIMITS, **bound))  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match=said):
            taken(data, replace(LIMITS, **beyond))  # type: ignore[arg-type]
    parts = 30  # a picture each, and the last one's end
    assert taken(clip, replace(LIMITS, packets_max=parts))
    with pytest.raises(InvalidInput, match="too many parts"):
        taken(clip, replace(LIMITS, packets_max=parts - 1))


def test_codecs_and_tracks_that_are_not_taken_are_named() -> None:
    for data, said in (
        (video("mp4", "mpeg2video"), "mpeg2video"),
        (sound("wav", "pcm_mulaw"), "pcm_mulaw"),
        (video("matroska"), "no WebM"),
    ):
        with pytest.raises(InvalidInput, match=said):
            taken(data)


def test_random_damage_is_refused_or_harmless_and_never_an_error_of_another_kind() -> None:
    import random

    rng = random.Random(20_270_327)
    refused = 0
    for _, data, _ in ALL.values():
        for _ in range(12):
            damaged = bytearray(data)
            for _ in range(rng.randint(1, 30)):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            container = container_of(bytes(damaged))
            if container is None:
                continue
            try:
                check_whole(bytes(damaged), container)
                media.take(bytes(damaged), container)
            except InvalidInput:
                refused += 1
    assert refused > 20
