"""The media process, for real and hurt: it keeps a picture going, tells what is so, and leaves when it should."""

import asyncio
import io
import os
import signal
import socket
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from tests.fakes.media import (
    SMALL,
    Media,
    a_beginning,
    a_state,
    hls,
    lives,
    media,
    now,
    recording,
)
from tests.fakes.media_files import still
from tests.fakes.streams import probe

from sothebais.clock import SystemClock
from sothebais.ids import new_id
from sothebais.stream import encoding, recordings
from sothebais.stream.audio.cues import Cue
from sothebais.stream.media import messages as m
from sothebais.stream.media.child import MediaChild
from sothebais.stream.media.composing import Ahead, Composed, Composing, SlatePicture, Slot
from sothebais.stream.media.pace import Pace
from sothebais.stream.outputs.model import OutputSpec
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes import builtin, dump
from sothebais.stream.show import Artwork

BACK_S_MAX = 5.0


def picture_of(png: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


async def test_a_show_is_encoded_once_and_goes_to_the_folder_the_file_and_those_who_watch(tmp_path: Path) -> None:
    async with media(tmp_path, outputs=[hls(tmp_path), recording(tmp_path)]) as process:
        hello = await process.heard(m.Hello)
        assert (hello.pid, hello.encoder, hello.form) == (process.pid, "libx264", SMALL)
        shown = await process.heard(m.Shown, lambda one: one.position == "1.1.1")
        assert abs(shown.at - now()) < 5_000
        for kind in ("HLS", "RECORDING"):
            await process.heard(m.Report, lambda one, kind=kind: one.report.kind == kind and one.report.up)  # type: ignore[misc]
        process.send(m.Want(packets=True, fragments=True))
        await process.heard(m.Live, lambda one: one.kind == m.VIDEO and one.flags & m.KEY, count=3)
        process.send(m.State(m.pack(a_state("sold")), "2.2.2", now()))
        changed = await process.heard(m.Shown, lambda one: one.position == "2.2.2")
        assert changed.pts_us > shown.pts_us
        process.send(m.WantFrame(7), m.WantFrame(8, 160))
        frame = await process.heard(m.FramePng, lambda one: one.request == 7)
        assert picture_of(frame.data).shape == (180, 320, 3)
        assert frame.position == "2.2.2"
        small = await process.heard(m.FramePng, lambda one: one.request == 8)
        assert picture_of(small.data).shape == (90, 160, 3)
        readings = await process.heard(m.Readings, count=3)
        assert readings.frames > 0
        assert readings.memory_bytes > 10_000_000
        assert {one.name: one.up for one in readings.outputs} == {"hls": True, "recording": True}
        assert await process.stop() == 0
        assert isinstance(process.messages[-1], m.Bye)
        watched = process.all(m.Live)
        assert not process.all(m.Fault)
    as_packets(hello, watched)
    as_fragments(watched)
    found = probe(recordings.whole(tmp_path / "recording"))
    assert found.broken == 0
    assert found.video is not None
    assert found.audio is not None
    assert (found.video.width, found.video.height, found.video.first_is_key) == (320, 180, True)
    assert found.video.decoded == found.video.packets
    assert found.video.key_interval_s is not None
    assert found.video.key_interval_s <= 0.55
    assert abs(found.offset_s) <= 0.04
    assert "#EXT-X-ENDLIST" in (tmp_path / "hls" / "live.m3u8").read_text()
    assert not list(tmp_path.rglob("media.crash")) or not (tmp_path / "logs/stream-manager/media.crash").read_text()


def as_packets(hello: m.Hello, watched: list[m.Live]) -> None:
    """What those with WebCodecs get: every picture decodes, sound too, and each knows its time."""
    video = [one for one in watched if one.kind == m.VIDEO]
    first = next(n for n, one in enumerate(video) if one.flags & m.KEY)
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = hello.description
    decoded = sum(len(decoder.decode(av.Packet(one.data))) for one in video[first:]) + len(decoder.decode(None))
    assert decoded == len(video[first:])
    assert all(b.pts_us > a.pts_us for a, b in pairwise(video))
    assert max(abs((b.at - a.at) - (b.pts_us - a.pts_us) / 1_000) for a, b in pairwise(video)) <= 42
    sound = av.CodecContext.create("aac", "r")
    sound.extradata = hello.audio_description
    heard = [frame for one in watched if one.kind == m.AUDIO for frame in sound.decode(av.Packet(one.data))]
    assert heard
    assert heard[0].sample_rate == encoding.SAMPLE_RATE


def as_fragments(watched: list[m.Live]) -> None:
    """What those with MediaSource get: the header first, then from any key piece on a film."""
    pieces = [one for one in watched if one.kind == m.FRAGMENT]
    assert pieces[0].flags == m.INITIAL
    keys = [n for n, one in enumerate(pieces) if one.flags & m.KEY]
    data = pieces[0].data + b"".join(one.data for one in pieces[keys[0] :])
    with av.open(io.BytesIO(data)) as film:
        times = [float(frame.time) for frame in film.decode(video=0)]
    assert times[0] == pytest.approx(pieces[keys[0]].pts_us / 1e6, abs=0.002)
    assert len(times) == sum(one.duration_us > 30_000 for one in pieces[keys[0] :])


async def test_a_composer_that_stands_still_gives_way_to_the_slate_and_comes_back(tmp_path: Path) -> None:
    async with media(tmp_path, outputs=[recording(tmp_path)]) as process:
        await process.heard(m.Shown, lambda one: one.position == "1.1.1")
        since = len(process.messages)
        process.send(m.Stall(2.5))
        slate = await process.heard(m.Shown, lambda one: one.position is None, since=since)
        process.send(m.WantFrame(1))
        assert (await process.heard(m.FramePng)).position is None
        await process.heard(m.Readings, lambda one: one.slate, since=since)
        back = await process.heard(m.Shown, lambda one: one.position == "1.1.1", since=since)
        assert 0.5 <= (back.pts_us - slate.pts_us) / 1e6 <= 3.0
        await process.heard(m.Readings, lambda one: not one.slate, since=len(process.messages))
        frames = process.all(m.Readings)[-1]
        assert await process.stop() == 0
    found = probe(recordings.whole(tmp_path / "recording"))
    assert found.broken == 0
    assert found.video is not None
    assert found.video.packets + frames.dropped_frames >= found.seconds * 30 - 2


async def test_what_the_slate_says_is_what_it_is_told(tmp_path: Path) -> None:
    async with media(tmp_path) as process:
        await process.heard(m.Shown, lambda one: one.position == "1.1.1")
        pictures = []
        for n, sentence in enumerate(("One thing.", "Another thing entirely, and longer.")):
            process.send(m.Slate(m.Notice(sentence)), m.Stall(3.0))
            await process.heard(m.Shown, lambda one: one.position is None, count=n + 1)
            await asyncio.sleep(1.1)  # it is drawn once a second
            process.send(m.WantFrame(n))
            pictures.append(picture_of((await process.heard(m.FramePng, lambda one, n=n: one.request == n)).data))  # type: ignore[misc]
            await process.heard(m.Shown, lambda one: one.position is not None, count=n + 2)
        assert np.abs(pictures[0].astype(int) - pictures[1]).max() > 60


async def test_killed_it_is_back_in_time_and_nothing_that_was_written_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = [hls(tmp_path), recording(tmp_path)]
    async with media(tmp_path, outputs=outputs) as process:
        await process.heard(m.Readings, lambda one: one.frames > 60)
        begun = time.monotonic()
        process.child.kill()
        assert await asyncio.wait_for(process.child.wait(), 10) == -signal.SIGKILL
    async with media(tmp_path, outputs=outputs) as process:
        first = await process.heard(m.Shown, lambda one: one.position == "1.1.1")
        up = [
            await process.heard(m.Report, lambda one, kind=kind: one.report.kind == kind)
            for kind in ("HLS", "RECORDING")
        ]  # type: ignore[misc]
        assert all(one.report.up for one in up)
        back_s = max(process.at(one) for one in (first, *up)) - begun
        await process.heard(m.Readings, lambda one: one.frames > 45)
        assert await process.stop() == 0
    with capsys.disabled():
        print(f"\nmedia process killed: outputs back after {back_s:.2f} s")
    assert back_s < BACK_S_MAX
    text = (tmp_path / "hls" / "live.m3u8").read_text()
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert all((tmp_path / "hls" / line).is_file() for line in text.splitlines() if line and line[0] != "#")
    assert len(recordings.parts(tmp_path / "recording")) == 2
    found = probe(recordings.whole(tmp_path / "recording"))
    assert found.broken == 0
    assert found.video is not None
    assert found.video.decoded == found.video.packets >= 90


async def test_pictures_that_cannot_be_decoded_are_told_and_others_are_shown(tmp_path: Path) -> None:
    red = still(size=(64, 64), colour="#ff0000")
    state = a_state("auction", artworks=[Artwork("art/1", 64, 64)])
    async with media(tmp_path, state=state) as process:
        await process.heard(m.Shown, lambda one: one.position == "1.1.1")
        process.send(
            m.Picture("art/0", b"no picture"), m.Picture("art/2", b""), m.Picture("art/3", red[: len(red) // 2])
        )
        for ref in ("art/0", "art/2"):
            ready = await process.heard(m.PictureReady, lambda one, ref=ref: one.ref == ref)  # type: ignore[misc]
            assert ready.fault is not None
        process.send(m.WantFrame(1))
        before = picture_of((await process.heard(m.FramePng)).data)
        process.send(m.Picture("art/1", red))
        assert (await process.heard(m.PictureReady, lambda one: one.ref == "art/1")).fault is None
        await process.heard(m.Readings, since=len(process.messages), count=2)
        process.send(m.WantFrame(2))
        after = picture_of((await process.heard(m.FramePng, lambda one: one.request == 2)).data)
        assert np.abs(before.astype(int) - after).max() > 60
        assert await process.stop() == 0


async def test_words_that_make_no_sense_are_told_and_the_show_goes_on(tmp_path: Path) -> None:
    async with media(tmp_path, outputs=[hls(tmp_path)]) as process:
        process.send(m.WantFrame(1))  # before there is one
        assert (await process.heard(m.FramePng)).data
        await process.heard(m.Shown, lambda one: one.position == "1.1.1")
        process.send(
            a_beginning(),
            m.State(b"\xc1nothing", "9", now()),
            m.Scenes([b"{"]),
            m.Speak(new_id(), b"no sound", now()),
            m.Hush(new_id()),
            m.Cue(Cue.SOLD, now() - 60_000),
            m.DropOutput("nobody"),
            m.AddOutput(OutputSpec(name="hls", kind="HLS", target=str(tmp_path / "other"))),
            m.AddOutput(OutputSpec(name="odd", kind="PREVIEW", target="x")),
            m.Rate(0),
            m.HouseTime(500.0),
        )
        await process.heard(m.Fault, lambda one: one.component == "SCENE")
        await process.heard(m.Fault, lambda one: one.component == "AUDIO")
        await process.heard(m.Fault, lambda one: "Begin" in one.message)
        await process.heard(m.Fault, lambda one: "State" in one.message)
        await process.heard(m.Fault, lambda one: one.component == "OUTPUT")
        assert not (tmp_path / "other").exists()
        mark = len(process.messages)
        process.send(m.State(m.pack(a_state()), "3.3.3", now()))
        await process.heard(m.Shown, lambda one: one.position == "3.3.3", since=mark)
        before = process.all(m.Readings)[-1].frames if process.all(m.Readings) else 0
        await process.heard(m.Readings, lambda one: one.frames > before + 30)
        process.send(m.DropOutput("hls"))
        await process.heard(m.Readings, lambda one: not one.outputs)
        assert await process.stop() == 0


@pytest.mark.parametrize("first", [m.Stop(), m.Bed(True)])
async def test_without_a_beginning_it_leaves_with_a_code_of_its_own(tmp_path: Path, first: m.ToMedia) -> None:
    async with media(tmp_path, first) as process:
        assert await asyncio.wait_for(process.child.wait(), 30) == 2


async def test_a_size_that_nothing_encodes_ends_it_with_one(tmp_path: Path) -> None:
    form = encoding.Format(width=321, height=180, fps=30)
    async with media(tmp_path, form=form) as process:
        assert await asyncio.wait_for(process.child.wait(), 30) == 1
        assert not process.all(m.Hello)


async def test_an_encoder_that_is_not_here_is_replaced_and_that_is_told(tmp_path: Path) -> None:
    async with media(tmp_path, codec="h264_nvenc") as process:
        assert (await process.heard(m.Hello)).encoder == "libx264"
        fault = await process.heard(m.Fault)
        assert (fault.component, fault.recovered) == ("ENCODER", True)


async def test_its_own_wishes_for_scenes_may_be_wrong_from_the_beginning(tmp_path: Path) -> None:
    async with media(tmp_path, scenes=[b"{}"]) as process:
        await process.heard(m.Fault, lambda one: one.component == "SCENE")
        await process.heard(m.Shown, lambda one: one.position == "1.1.1")


async def test_a_disk_that_takes_neither_logs_nor_recordings_does_not_take_the_picture(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    outputs = [OutputSpec(name="recording", kind="RECORDING", target=str(tmp_path / "file" / "below"))]
    outputs.append(OutputSpec(name="hls", kind="HLS", target=str(tmp_path / "file" / "hls")))
    made = Media()
    made.child = await MediaChild.start(a_beginning(outputs=outputs), made.take, logs=tmp_path / "file")
    try:
        for name in ("recording", "hls"):
            report = await made.heard(m.Report, lambda one, name=name: one.report.name == name)  # type: ignore[misc]
            assert not report.report.up
            assert str(tmp_path) not in report.report.reason
        await made.heard(m.Shown, lambda one: one.position == "1.1.1")
        (tmp_path / "file").unlink()  # and it does again
        await made.heard(m.Report, lambda one: one.report.up, count=2)
        assert await made.stop() == 0
    finally:
        made.child.kill()
        await made.child.wait()
    assert probe(recordings.whole(tmp_path / "file" / "below")).broken == 0


async def test_when_its_manager_is_gone_it_finishes_and_leaves(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sothebais.stream.media", str(theirs.fileno()), pass_fds=(theirs.fileno(),)
    )
    theirs.close()
    try:
        ours.sendall(m.encode(a_beginning(outputs=[recording(tmp_path), hls(tmp_path)])))
        deadline = time.monotonic() + 30
        while not list((tmp_path / "hls").glob("*.m4s")):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)  # not for it
        await asyncio.sleep(0.3)
        assert process.returncode is None
        ours.close()  # with words unread, as when the manager is killed
        assert await asyncio.wait_for(process.wait(), 15) == 1
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert not lives(process.pid)
    found = probe(recordings.whole(tmp_path / "recording"))
    assert found.broken == 0
    # another may go on with the show: that it ended is not said
    assert "ENDLIST" not in (tmp_path / "hls" / "live.m3u8").read_text()


async def test_a_manager_that_does_not_listen_holds_up_nothing(tmp_path: Path) -> None:
    form = encoding.Format(width=320, height=180, fps=30, video_kbps=20_000, key_interval_s=0.5, preset="ultrafast")
    async with media(tmp_path, form=form, outputs=[recording(tmp_path)]) as process:
        process.send(m.Want(packets=True, fragments=True))
        await process.heard(m.Live)
        transport: Any = process.child._writer.transport
        transport.pause_reading()
        for n in range(200):
            process.send(m.State(m.pack(a_state()), f"4.{n}.0", now()))
        await asyncio.sleep(3.0)
        silent = len(process.messages)
        transport.resume_reading()
        later = await process.heard(m.Readings, since=silent, count=2)
        assert later.dropped_frames <= later.frames * 0.05, later
        pictures = [one for one in process.all(m.Live) if one.kind == m.VIDEO]
        holes = [b for a, b in pairwise(pictures) if b.pts_us - a.pts_us > 34_000]
        assert all(one.flags & m.KEY for one in holes)
        assert await process.stop() == 0
    found = probe(recordings.whole(tmp_path / "recording"))
    assert found.broken == 0


async def test_a_manager_that_says_too_much_to_one_that_does_not_listen_kills_it(tmp_path: Path) -> None:
    async with media(tmp_path) as process:
        await process.heard(m.Hello)
        await asyncio.sleep(0)
        os.kill(process.pid, signal.SIGSTOP)
        for n in range(5):
            process.send(m.Picture(f"art/{n}", bytes(40_000_000)))
        assert await asyncio.wait_for(process.child.wait(), 10) == -signal.SIGKILL


async def test_one_that_hangs_at_its_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sothebais.stream.media.child.LEAVE_S", 0.3)
    async with media(tmp_path) as process:
        await process.heard(m.Hello)
        os.kill(process.pid, signal.SIGSTOP)
        assert await process.stop() == -signal.SIGKILL


# a scene that cannot be drawn, on the composing thread itself


class _Broken:
    """A composer whose programme cannot be drawn."""

    def __init__(self, made: Any) -> None:
        self.compositor = made.compositor

    def compose(self, *_: Any) -> Any:
        raise ZeroDivisionError("a scene of somebody's")


@pytest.mark.parametrize("built_in_too", [False, True])
def test_a_scene_that_cannot_be_drawn_gives_way_to_those_of_the_house(
    built_in_too: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures, faults = HeldPictures(), list[m.Fault]()
    slot = Slot()
    pace = Pace(30, SystemClock())
    composing = Composing(320, 180, pace, Ahead(a_state(), "p"), pictures, slot, faults.append)
    plain = composing._make

    def make(own: Any) -> Any:
        made = plain(own)
        return _Broken(made) if own or built_in_too else made

    monkeypatch.setattr(composing, "_make", make)
    if built_in_too:
        composing._composer = make(())
    composing.start()
    try:
        composing.scenes([next(iter(builtin.scenes_for(320, 180)))])
        deadline = time.monotonic() + 10
        while not faults:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert faults[0] == m.Fault("COMPOSER", "ZeroDivisionError: a scene of somebody's")
        time.sleep(0.3)
        assert len(faults) == 1  # a fault that goes on is told once
        soon = time.monotonic() + 0.5
        found: Composed | None = slot.take(pace.now() + 1, lambda: soon - time.monotonic())
        if built_in_too:
            # nothing new can be drawn any more: the slate of the sending thread takes over
            assert found is None or found.frame < pace.now() - 5
        else:
            assert found is not None
    finally:
        composing.stop()
        composing.join(5)
    assert not composing.is_alive()


def test_a_slate_that_cannot_be_drawn_is_dark_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    slate = SlatePicture(320, 180, HeldPictures())
    monkeypatch.setattr(slate._composer, "render", _Broken(slate._composer).compose)
    picture = slate.at(a_state(), 5_000.0)
    assert picture.shape == (270, 320)
    assert picture[:180].max() <= 20
    assert set(np.unique(picture[180:])) <= {127, 128, 129}


def test_the_programme_in_a_small_size_is_the_one_that_is_stored() -> None:
    scenes = builtin.scenes_for(320, 180)
    assert all(dump(scene) for scene in scenes)
