"""What encoder and muxers are told, compared whole, and the forms of what comes out, on what x264 really makes."""

import struct

import av
import numpy as np
import pytest
from tests.fakes.encoded import TINY, encoded

from sothebais.stream import encoding
from sothebais.stream.encoder import Encoder, NoEncoder
from sothebais.stream.encoding import X_INGEST, Format


def test_the_software_encoder_is_told_a_constant_rate_closed_groups_and_that_no_frame_waits() -> None:
    assert encoding.video_options(Format(video_kbps=4_500, fps=60, key_interval_s=2.0, preset="veryfast")) == {
        "maxrate": "4500k",
        "bufsize": "4500k",
        "g": "120",
        "bf": "0",
        "preset": "veryfast",
        "tune": "zerolatency",
        "sc_threshold": "0",
        "forced-idr": "1",
    }


@pytest.mark.parametrize(
    ("codec", "own"),
    [
        ("h264_nvenc", {"preset": "p3", "tune": "ll", "rc": "cbr", "zerolatency": "1", "forced-idr": "1"}),
        ("h264_qsv", {"preset": "veryfast", "low_power": "1", "forced_idr": "1", "async_depth": "1"}),
        ("h264_videotoolbox", {"realtime": "1", "allow_sw": "0"}),
        ("h264_amf", {}),
    ],
)
def test_each_hardware_encoder_is_told_the_same_rate_and_its_own_words(codec: str, own: dict[str, str]) -> None:
    common = {"maxrate": "3000k", "bufsize": "3000k", "g": "30", "bf": "0"}
    assert encoding.video_options(Format(), codec) == common | own


def test_a_key_frame_comes_at_least_with_every_frame() -> None:
    assert Format(fps=30, key_interval_s=0.001).key_interval == 1
    assert Format(fps=60, key_interval_s=1.5).key_interval == 90


def test_containers_are_told_to_be_readable_at_any_moment_and_to_keep_their_times() -> None:
    fragmented = "empty_moov+default_base_moof+frag_discont"
    assert dict(encoding.RECORDING_OPTIONS) == {
        "movflags": f"{fragmented}+frag_keyframe",
        "avoid_negative_ts": "disabled",
        "flush_packets": "1",
    }
    assert dict(encoding.FRAGMENT_OPTIONS) == {
        "movflags": f"{fragmented}+skip_trailer",
        "use_editlist": "1",
        "avoid_negative_ts": "disabled",
        "frag_duration": "1",
        "video_track_timescale": "90000",
        "flush_packets": "1",
    }
    assert dict(encoding.CLIP_OPTIONS) == {"movflags": "faststart"}


def test_rtmp_has_a_time_limit_and_rtmps_is_verified_against_what_the_settings_say() -> None:
    plain = {
        "flvflags": "no_duration_filesize",
        "rw_timeout": "3000000",
        "send_buffer_size": "262144",
        "flush_packets": "1",
    }
    assert encoding.rtmp_options("rtmp://server/app/key", ca_file="/ca.pem") == plain
    assert encoding.rtmp_options("rtmps://server/app/key") == plain | {"tls_verify": "1"}
    assert encoding.rtmp_options("rtmps://server/app/key", ca_file="/ca.pem") == plain | {
        "tls_verify": "1",
        "ca_file": "/ca.pem",
    }


def test_a_platform_has_no_complaints_at_its_limits_and_one_for_each_that_is_passed() -> None:
    at_the_limits = Format(width=1_920, height=1_080, fps=60, video_kbps=12_000, audio_kbps=128, key_interval_s=3.0)
    assert encoding.complaints(at_the_limits, X_INGEST) == []
    upright = Format(width=1_080, height=1_920)
    assert encoding.complaints(upright, X_INGEST) == []
    beyond = Format(width=1_922, height=1_082, fps=61, video_kbps=12_001, audio_kbps=129, key_interval_s=3.1)
    assert encoding.complaints(beyond, X_INGEST) == [
        "video of 12001 kbit/s is above 12000",
        "audio of 129 kbit/s is above 128",
        "61 frames a second are above 60",
        "1922 × 1082 is larger than 1080 lines",
        "a key frame every 3.1 s is rarer than every 3 s",
    ]


def test_units_are_found_behind_start_codes_of_three_and_four_bytes() -> None:
    stream = b"\0\0\0\1\x67ab\0\0\1\x68c\0\0\0\1\x65\0d"
    assert list(encoding.units(stream)) == [b"\x67ab", b"\x68c", b"\x65\0d"]
    assert list(encoding.units(b"")) == []
    assert list(encoding.units(b"no start code")) == []
    assert list(encoding.units(b"\0\0\1\0\0\1\x41x")) == [b"\x41x"]


@pytest.mark.parametrize("preset", ["ultrafast", "superfast"])
def test_samples_and_their_configuration_are_decoded_again_to_every_frame(preset: str) -> None:
    form = Format(width=64, height=48, preset=preset)
    encoder, packets = encoded(40, form=form)
    record = encoding.avcc(encoder.extradata)
    assert encoding.avcc(record) == record
    profile = {"ultrafast": "42c0", "superfast": "6400"}[preset]
    assert encoding.video_codec(encoder.extradata).startswith(f"avc1.{profile}")
    (sps_length,) = struct.unpack_from(">H", record, 6)
    assert record[8] & 31 == 7
    assert record[8 + sps_length] == 1  # one picture parameter set
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = record
    pictures = []
    for packet in packets:
        if packet.kind == "video":
            data = encoding.sample(packet.data)
            kinds = []
            place = 0
            while place < len(data):
                (length,) = struct.unpack_from(">I", data, place)
                kinds.append(data[place + 4] & 31)
                place += 4 + length
            assert place == len(data)
            assert not {7, 8, 9} & set(kinds)
            assert (5 in kinds) == packet.key
            pictures += decoder.decode(av.Packet(data))
    pictures += decoder.decode(None)
    assert len(pictures) == 40
    assert (pictures[0].width, pictures[0].height) == (64, 48)
    means = [float(picture.to_ndarray()[:48].mean()) for picture in pictures]
    assert np.allclose(means, [frame * 5 % 220 + 16 for frame in range(40)], atol=6)


def test_without_parameter_sets_there_is_no_configuration() -> None:
    with pytest.raises(ValueError, match="no parameter sets"):
        encoding.avcc(b"\0\0\0\1\x65abc")


def test_the_picture_says_how_its_colours_are_meant() -> None:
    encoder, packets = encoded(2)
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = encoding.avcc(encoder.extradata)
    (frame, *_) = decoder.decode(av.Packet(encoding.sample(packets[0].data))) or decoder.decode(None)
    assert (frame.colorspace, frame.color_range) == (encoding.SMPTE170M, encoding.LIMITED_RANGE)


def test_key_frames_come_at_their_interval_and_where_they_are_asked_for() -> None:
    _, packets = encoded(70, keys={10})
    assert [packet.pts for packet in packets if packet.kind == "video" and packet.key] == [0, 10, 40]


def test_a_packet_knows_the_instant_it_shows_and_sound_the_one_it_is_heard() -> None:
    _, packets = encoded(60, first=300)
    assert all(abs(one.at - (1_000_000 + one.pts / 30 * 1_000)) < 1e-6 for one in packets if one.kind == "video")
    assert all(abs(one.at - (1_000_000 + one.pts / 48)) < 1e-6 for one in packets if one.kind == "audio")
    assert [one.pts for one in packets if one.kind == "video"] == list(range(300, 360))


def test_another_rate_is_kept_from_the_next_frame_on() -> None:
    form = Format(width=320, height=180, video_kbps=2_000)
    encoder = Encoder(form, "libx264")
    noise = np.random.default_rng(7)

    def kbps(first: int) -> float:
        sizes = 0
        for frame in range(first, first + 90):
            picture = noise.integers(16, 235, (270, 320), dtype=np.uint8)
            sizes += sum(len(packet.data) for packet in encoder.picture(picture, frame, 0.0) if frame >= first + 30)
        return sizes * 8 / 2 / 1_000

    high = kbps(0)
    encoder.rate(500)
    assert encoder.video_kbps == 500
    low = kbps(90)
    assert low < high / 2, (high, low)


def test_sound_goes_on_where_the_picture_does_when_time_was_left_out() -> None:
    encoder = Encoder(TINY, "libx264")
    packets = encoder.sound(np.zeros((2, 48_000), np.float32), 0, 0.0)
    packets += encoder.sound(np.zeros((2, 48_000), np.float32), 20 * 48_000, 20_000.0)
    later = [packet for packet in packets if packet.pts >= 20 * 48_000]
    # the coder looks ahead: two of the 46 whole blocks of the second are still in it
    assert [packet.pts for packet in later] == [20 * 48_000 + n * 1_024 for n in range(44)]
    assert all(packet.at == pytest.approx(packet.pts / 48) for packet in later)


def test_an_encoder_that_is_not_here_says_so() -> None:
    with pytest.raises((NoEncoder, ValueError)):
        Encoder(TINY, "h264_nvenc")
