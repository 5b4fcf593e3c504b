"""The RTMP server of the tests is one: what a plain libavformat publisher sends is read, recorded, and refused, for real."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.error import FFmpegError
from tests.fakes.certificates import Authority
from tests.fakes.rtmp import RtmpServer, rtmp_server
from tests.fakes.streams import Probe, probe

FPS, RATE = 30, 48_000
SIZE = (320, 180)
KEY_INTERVAL_S = 0.5


class Publisher:
    """A picture that changes and a tone, encoded and muxed to FLV by PyAV alone."""

    def __init__(self, url: str, **options: str) -> None:
        # without it a quiet picture stays in a buffer of 32 KB for a second
        options = {"flush_packets": "1"} | options
        self.container = av.open(url, "w", format="flv", options=options, timeout=10)
        self.video = self.container.add_stream(
            "libx264", rate=FPS, options={"preset": "ultrafast", "tune": "zerolatency"}
        )
        self.video.width, self.video.height, self.video.pix_fmt = *SIZE, "yuv420p"
        self.video.gop_size = round(FPS * KEY_INTERVAL_S)
        self.audio = self.container.add_stream("aac", rate=RATE, layout="stereo")
        self.frame = 0

    def send(self) -> None:
        """One frame of both."""
        picture = np.full((SIZE[1], SIZE[0], 3), self.frame * 3 % 256, np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = self.frame, Fraction(1, FPS)
        self.container.mux(self.video.encode(frame))
        count = RATE // FPS
        tone = 0.2 * np.sin(2 * np.pi * 440 * (self.frame * count + np.arange(count)) / RATE)
        sound = av.AudioFrame.from_ndarray(np.tile(tone.astype(np.float32), (2, 1)), format="fltp", layout="stereo")
        sound.sample_rate, sound.pts, sound.time_base = RATE, self.frame * count, Fraction(1, RATE)
        self.container.mux(self.audio.encode(sound))
        self.frame += 1

    def send_many(self, frames: int) -> None:
        """As fast as they are taken."""
        for _ in range(frames):
            self.send()

    def close(self) -> None:
        for stream in (self.video, self.audio):
            self.container.mux(stream.encode(None))
        self.container.close()


@contextmanager
def published(url: str, **options: str) -> Iterator[Publisher]:
    """A live publisher in a thread of its own, at the pace of a stream, until the block is left."""
    publisher, stop, failed = Publisher(url, **options), threading.Event(), []

    def run() -> None:
        begin = time.monotonic()
        try:
            while not stop.wait(max(0.0, begin + publisher.frame / FPS - time.monotonic())):
                publisher.send()
            publisher.close()
        except FFmpegError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield publisher
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
    assert not failed, failed


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtmpServer]:
    with rtmp_server(tmp_path_factory.mktemp("server"), tls=True) as running:
        yield running


def assert_is_what_was_sent(found: Probe) -> None:
    assert found.video is not None
    assert found.audio is not None
    assert (found.video.codec, found.video.width, found.video.height) == ("h264", *SIZE)
    assert found.video.fps == pytest.approx(FPS, rel=0.05)
    assert found.video.first_is_key
    assert found.video.key_interval_s == pytest.approx(KEY_INTERVAL_S, abs=0.04)
    assert (found.audio.codec, found.audio.rate, found.audio.channels) == ("aac", RATE, 2)
    assert found.broken == 0
    assert found.video.decoded >= found.video.packets - 1
    assert found.audio.decoded >= found.audio.packets - 1


def recorded(server: RtmpServer, key: str, frames: int, *, count: int = 1) -> list[Probe]:
    """The recordings of a key, once the last has as many frames: the server notices the end a moment later."""
    deadline = time.monotonic() + 10
    while True:
        files = server.recordings(key)
        if len(files) >= count:
            try:
                found = [probe(file) for file in files]
            except FFmpegError:
                found = []
            if found and found[-1].video is not None and found[-1].video.packets >= frames:
                return found
        assert time.monotonic() < deadline, f"{files} have not {frames} frames"
        time.sleep(0.05)


def test_a_live_stream_is_read_while_it_is_sent_and_recorded_whole(server: RtmpServer) -> None:
    with published(server.publish_url("plain")) as publisher:
        live = probe(server.play_url("plain"), 1.2)
    assert_is_what_was_sent(live)
    assert live.seconds >= 1.2
    (kept,) = recorded(server, "plain", publisher.frame)
    assert_is_what_was_sent(kept)
    assert kept.video is not None
    assert kept.audio is not None
    assert kept.video.packets == publisher.frame
    assert abs(kept.offset_s) < 0.05
    assert kept.audio.samples == pytest.approx(publisher.frame * RATE / FPS, abs=3 * 1_024)


def test_rtmps_is_taken_from_who_trusts_the_authority(server: RtmpServer) -> None:
    with published(server.publish_url("secure", tls=True), ca_file=str(server.ca_file), tls_verify="1") as publisher:
        assert_is_what_was_sent(probe(server.play_url("secure"), 1.2))
    (kept,) = recorded(server, "secure", publisher.frame)
    assert_is_what_was_sent(kept)


def test_rtmps_is_not_sent_to_a_server_that_another_authority_vouches_for(server: RtmpServer, tmp_path: Path) -> None:
    stranger = Authority("Somebody else").write(tmp_path / "other.pem")
    with pytest.raises(FFmpegError):
        Publisher(server.publish_url("stranger", tls=True), ca_file=str(stranger), tls_verify="1").send()
    assert server.recordings("stranger") == []


def test_rtmps_is_not_sent_to_a_server_that_is_certified_for_another_name(tmp_path: Path) -> None:
    with rtmp_server(tmp_path, tls=True, certified_for="somewhere.example") as server:
        url = server.publish_url("misnamed", tls=True)
        trust = {"ca_file": str(server.ca_file), "tls_verify": "1"}
        with pytest.raises(FFmpegError):
            Publisher(url, **trust).send()
        assert server.recordings("misnamed") == []
        # the name was all that was wrong
        publisher = Publisher(url, **trust, verifyhost="somewhere.example")
        publisher.send_many(5)
        publisher.close()
        recorded(server, "misnamed", 5)


def test_a_killed_server_breaks_the_publisher_and_comes_back_on_its_port(tmp_path: Path) -> None:
    with rtmp_server(tmp_path) as server:
        publisher = Publisher(server.publish_url("again"))
        publisher.send_many(20)
        recorded(server, "again", 15)
        server.kill()
        assert not server.running
        with pytest.raises(FFmpegError):
            publisher.send_many(2_000)
        with pytest.raises(FFmpegError):
            publisher.close()
        with pytest.raises(FFmpegError):
            Publisher(server.publish_url("again")).send()
        port = server.port
        server.start()
        assert server.port == port
        with published(server.publish_url("again")) as second:
            assert_is_what_was_sent(probe(server.play_url("again"), 1))
        found = recorded(server, "again", second.frame, count=2)
        assert found[-1].video is not None
        assert found[-1].video.packets == second.frame


def test_a_stopped_server_leaves_whole_recordings(tmp_path: Path) -> None:
    with rtmp_server(tmp_path) as server:
        publisher = Publisher(server.publish_url("stop"))
        publisher.send_many(40)
        recorded(server, "stop", 30)
        server.stop()
        (kept,) = recorded(server, "stop", 30)
        assert kept.broken == 0
        with pytest.raises(FFmpegError):
            publisher.close()


def test_a_frozen_server_answers_nobody_and_goes_on_when_it_is_thawed(tmp_path: Path) -> None:
    with rtmp_server(tmp_path) as server:
        server.freeze()
        with pytest.raises(FFmpegError):
            probe(server.play_url("frozen"), 1, options={"rw_timeout": "300000"})
        server.thaw()
        with published(server.publish_url("frozen")):
            assert_is_what_was_sent(probe(server.play_url("frozen"), 1))


def test_two_servers_stand_side_by_side(server: RtmpServer, tmp_path: Path) -> None:
    with rtmp_server(tmp_path) as other:
        assert other.port != server.port
        with published(other.publish_url("both")) as publisher:
            assert_is_what_was_sent(probe(other.play_url("both"), 1))
        recorded(other, "both", publisher.frame)
        assert server.recordings("both") == []


def test_what_cannot_be_read_as_a_stream_is_no_stream(tmp_path: Path) -> None:
    (tmp_path / "none.flv").write_bytes(b"FLV\x01\x05\x00\x00\x00\x09" + bytes(200))
    with pytest.raises(FFmpegError):
        probe(tmp_path / "none.flv")
