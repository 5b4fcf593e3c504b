"""The stream at a real RTMP server: whole, verified, back at once after every loss, and discreet about its key."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from av.error import FFmpegError
from tests.fakes.certificates import Authority
from tests.fakes.media import SMALL, Media, hls, log_of, media, recording, rtmp
from tests.fakes.rtmp import RtmpServer, free_port, rtmp_server
from tests.fakes.streams import Probe, probe

from sothebais.stream import recordings
from sothebais.stream.encoder import Encoder
from sothebais.stream.encoding import Format
from sothebais.stream.media import messages as m
from sothebais.stream.outputs.hls import HlsFolder
from sothebais.stream.outputs.model import OutputReport
from sothebais.stream.outputs.output import Output
from sothebais.stream.outputs.sinks import Recording, Templates, open_rtmp

KEY = "sk-Zr4-very-secret"
#: The promise is a second; a machine that does other work too may need another one.
BACK_S_MAX = 2.0
UP_S_MAX = 15.0
BACK_S_PROMISED = 1.0
NOISE = Format(width=320, height=240, fps=30, video_kbps=60_000, preset="ultrafast")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RtmpServer]:
    with rtmp_server(tmp_path) as running:
        yield running


async def live(server: RtmpServer, key: str, seconds: float) -> Probe:
    return await asyncio.to_thread(probe, server.play_url(key), seconds)


async def recorded(server: RtmpServer, key: str, count: int = 1) -> list[Probe]:
    """What the server recorded of a key, once so many publishers have left."""
    deadline = time.monotonic() + 10
    while True:
        files = server.recordings(key)
        try:
            found = [await asyncio.to_thread(probe, file) for file in files]
        except FFmpegError:
            found = []
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, f"{len(files)} of {count} recordings"
        await asyncio.sleep(0.1)


async def is_up(process: Media, *, since: int = 0) -> m.Report:
    return await process.heard(m.Report, lambda one: one.report.kind == "RTMP" and one.report.up, since=since)


async def is_down(process: Media, *, since: int = 0) -> m.Report:
    return await process.heard(m.Report, lambda one: one.report.kind == "RTMP" and not one.report.up, since=since)


def assert_is_the_show(found: Probe) -> None:
    assert found.broken == 0
    assert found.video is not None
    assert found.audio is not None
    assert (found.video.codec, found.video.width, found.video.height) == ("h264", SMALL.width, SMALL.height)
    assert found.video.first_is_key
    assert found.video.decoded >= found.video.packets - 1
    assert (found.audio.codec, found.audio.rate, found.audio.channels) == ("aac", 48_000, 2)
    assert found.audio.decoded >= found.audio.packets - 1
    assert abs(found.offset_s) <= 0.04


def assert_secret(folder: Path, process: Media) -> None:
    said = repr(process.messages) + log_of(folder)
    assert KEY not in said
    assert "stream.output" in log_of(folder)


async def test_a_server_receives_the_whole_show(tmp_path: Path, server: RtmpServer) -> None:
    async with media(tmp_path, outputs=[rtmp(server.publish_url(KEY))]) as process:
        await is_up(process)
        while_on = await live(server, KEY, 2.0)
        assert await process.stop() == 0
    assert_is_the_show(while_on)
    assert while_on.video is not None
    assert while_on.video.fps == pytest.approx(30, rel=0.1)
    assert while_on.video.key_interval_s is not None
    assert while_on.video.key_interval_s <= 0.55
    (kept,) = await recorded(server, KEY)
    assert_is_the_show(kept)
    assert_secret(tmp_path, process)


async def test_the_address_is_in_no_output_of_the_process_either(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    port = free_port()  # where nobody is
    outputs = [rtmp(f"{kind}://localhost:{port}/live/{KEY}", name=kind) for kind in ("rtmp", "rtmps")]
    async with media(tmp_path, outputs=outputs) as process:
        reports = [
            await process.heard(m.Report, lambda one, kind=kind: one.report.name == kind) for kind in ("rtmp", "rtmps")
        ]  # type: ignore[misc]
        assert [one.report.reason for one in reports] == ["Connection refused"] * 2
        await process.heard(m.Readings, count=2)
        assert await process.stop() == 0
    said = capfd.readouterr()
    assert "stream.output" in said.out + said.err
    assert KEY not in said.out + said.err
    assert_secret(tmp_path, process)


async def test_rtmps_is_sent_to_a_server_that_our_authority_vouches_for_and_to_no_other(tmp_path: Path) -> None:
    with rtmp_server(tmp_path, tls=True) as server:
        stranger = Authority("Somebody else").write(tmp_path / "stranger.pem")
        outputs = [
            rtmp(server.publish_url(KEY, tls=True), name="trusted", ca_file=server.ca_file),
            rtmp(server.publish_url(f"{KEY}-2", tls=True), name="stranger", ca_file=stranger),
            rtmp(server.publish_url(f"{KEY}-3", tls=True), name="system"),
        ]
        async with media(tmp_path, outputs=outputs) as process:
            await is_up(process)
            for name in ("stranger", "system"):
                report = await process.heard(m.Report, lambda one, name=name: one.report.name == name)  # type: ignore[misc]
                assert not report.report.up
                assert report.report.reason
                assert report.report.retrying
            assert_is_the_show(await live(server, KEY, 1.0))
            names = {one.report.name for one in process.all(m.Report) if one.report.up}
            assert names == {"trusted"}
            assert await process.stop() == 0
        assert server.recordings(f"{KEY}-2") == server.recordings(f"{KEY}-3") == []
        assert_secret(tmp_path, process)


async def test_rtmps_is_not_sent_to_a_server_that_is_certified_for_another_name(tmp_path: Path) -> None:
    with rtmp_server(tmp_path, tls=True, certified_for="somewhere.example") as server:
        async with media(
            tmp_path, outputs=[rtmp(server.publish_url(KEY, tls=True), ca_file=server.ca_file)]
        ) as process:
            await is_down(process)
            await process.heard(m.Readings, count=2)
            assert not [one for one in process.all(m.Report) if one.report.up]
        assert server.recordings(KEY) == []


async def test_it_is_back_within_a_second_of_its_server_each_time(
    tmp_path: Path, server: RtmpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.kill()
    figures = []
    async with media(tmp_path, outputs=[rtmp(server.publish_url(KEY)), recording(tmp_path)]) as process:
        down = await is_down(process)
        assert down.report.down_ms is None
        for away_s in (2.0, 1.0, 3.0):
            await asyncio.sleep(away_s)
            since = len(process.messages)
            await asyncio.to_thread(server.start)
            started = time.monotonic()
            up = await is_up(process, since=since)
            figures.append(max(0.0, process.at(up) - started))
            assert_is_the_show(await live(server, KEY, 1.0))
            since = len(process.messages)
            server.kill()
            down = await is_down(process, since=since)
            assert "Z" not in down.report.reason.split(KEY[:4])
        readings = process.all(m.Readings)[-1]
        assert await process.stop() == 0
    with capsys.disabled():
        print(f"\nRTMP back after its server: {', '.join(f'{one:.2f} s' for one in figures)}")
    assert max(figures) <= BACK_S_MAX
    assert sorted(figures)[1] <= BACK_S_PROMISED
    assert len(await recorded(server, KEY, 3)) == 3
    for kept in await recorded(server, KEY, 3):
        assert kept.video is not None
        assert kept.video.first_is_key
    # none of that was noticed by anybody else
    found = probe(recordings.whole(tmp_path / "recording"))
    assert found.broken == 0
    assert found.video is not None
    assert found.video.packets >= readings.frames - 2 * readings.dropped_frames - 30
    assert_secret(tmp_path, process)


async def test_the_end_is_not_held_up_by_a_server_that_stands_still(tmp_path: Path, server: RtmpServer) -> None:
    async with media(tmp_path, outputs=[rtmp(server.publish_url(KEY)), hls(tmp_path)]) as process:
        await is_up(process)
        await live(server, KEY, 0.5)
        server.freeze()
        begun = time.monotonic()
        code = await process.stop()
        lasted = time.monotonic() - begun
        server.thaw()
    assert code == 0
    assert lasted < 8.0
    assert "ENDLIST" in (tmp_path / "hls" / "live.m3u8").read_text()


@pytest.mark.parametrize("frozen_s", [4.0, pytest.param(10.0, marks=pytest.mark.slow)])
def test_a_server_that_stands_still_holds_up_nobody(
    tmp_path: Path, server: RtmpServer, capsys: pytest.CaptureFixture[str], frozen_s: float
) -> None:
    """In this process, to measure what ``feed`` takes: every output, one encode, the pace of a show.

    The picture is noise in a high rate, so that nothing on the way has room for what the server does not take.
    """
    encoder = Encoder(NOISE, "libx264")
    noise = [
        np.random.default_rng(n).integers(16, 235, (NOISE.height * 3 // 2, NOISE.width), np.uint8) for n in range(8)
    ]
    templates = Templates(encoder)
    asked = threading.Event()
    made = time.monotonic()
    reports: list[tuple[float, OutputReport]] = []

    def report(one: OutputReport) -> None:
        reports.append((time.monotonic(), one))

    (tmp_path / "recording").mkdir()
    openers = {
        "x": lambda: open_rtmp(server.publish_url(KEY), templates),
        "other": lambda: open_rtmp(server.publish_url("other"), templates),
        "hls": lambda: HlsFolder(tmp_path / "hls", templates, token="a", now=1_000_000),
        "file": lambda: Recording(tmp_path / "recording" / "1.mp4", templates, disk_free_bytes_min=0),
    }
    specs = [*(rtmp("rtmp://unused", name=name) for name in ("x", "other")), hls(tmp_path), recording(tmp_path)]
    outputs = [
        Output(spec, opener, report=report, ask_key=asked.set)
        for spec, opener in zip(specs, openers.values(), strict=True)
    ]
    while sum(one.up for _, one in reports) < len(outputs):
        assert time.monotonic() - made < UP_S_MAX, "not every output came up"
        time.sleep(0.01)
    begun, frame = time.monotonic(), 0
    longest_feed = latest = 0.0
    most_waiting = 0
    frozen_at = thawed_at = None
    try:
        while True:
            due = begun + frame / NOISE.fps
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            key = asked.is_set()
            asked.clear()
            packets = encoder.picture(noise[frame % len(noise)], frame, frame * 33.3, key=key)
            packets += encoder.sound(np.zeros((2, 1_600), np.float32), frame * 1_600, frame * 33.3)
            for packet in packets:
                for output in outputs:
                    before = time.perf_counter()
                    output.feed(packet)
                    longest_feed = max(longest_feed, time.perf_counter() - before)
            latest = max(latest, time.monotonic() - due)
            most_waiting = max(most_waiting, outputs[0].waiting)
            frame += 1
            now = time.monotonic()
            if frozen_at is None and now - begun > 2.0:
                server.freeze()
                frozen_at = now
            if frozen_at is not None and thawed_at is None and now - frozen_at > frozen_s:
                server.thaw()
                thawed_at = now
            if thawed_at is not None and now - thawed_at > 2.5:
                break
    finally:
        server.thaw()
        for output in outputs:
            output.ask_to_stop()
        finished = [output.join(15) for output in outputs]
    assert all(finished)
    lost = [at for at, one in reports if one.name == "x" and not one.up]
    back = [at - (thawed_at or 0) for at, one in reports if one.name == "x" and one.up and at > (frozen_at or 0)]
    with capsys.disabled():
        print(
            f"\nRTMP server frozen {frozen_s:.0f} s: longest feed {longest_feed * 1e3:.1f} ms, latest frame "
            f"{latest * 1e3:.0f} ms, lost {len(lost)} times, up again {[round(one, 2) for one in back]} s after it went on, "
            f"{most_waiting} packets waited, {outputs[0].reading().dropped} were left out"
        )
    assert most_waiting > 10, "the server's standstill was not felt"
    if frozen_s > 5:
        assert [one.reason for _, one in reports if one.name == "x" and not one.up] == [
            "the server took nothing for too long"
        ]
    # a write that is waited for lasts three seconds; less is what else the machine does
    assert longest_feed < 1.0
    assert latest < 2.5
    assert max(back, default=0.0) <= BACK_S_MAX
    assert not [one for _, one in reports if one.kind in ("HLS", "RECORDING") and not one.up]
    found = probe(recordings.whole(tmp_path / "recording"))
    assert found.broken == 0
    assert found.video is not None
    assert found.video.packets == frame
    for kept in server.recordings(KEY):
        shown = probe(kept)
        assert shown.broken == 0
        assert shown.video is not None
        assert shown.video.first_is_key
