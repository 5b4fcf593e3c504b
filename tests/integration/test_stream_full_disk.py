"""A disk that is really full: recordings and HLS stop and say so, the picture goes on, and they are back with the room."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.media import SMALL, Media, media, recording, rtmp
from tests.fakes.rtmp import rtmp_server
from tests.fakes.streams import probe

from sothebais.stream import recordings
from sothebais.stream.encoding import Format
from sothebais.stream.media import messages as m
from sothebais.stream.outputs.model import OutputSpec

DISK_BYTES = 16_000_000
FORM = Format(width=SMALL.width, height=SMALL.height, fps=30, video_kbps=3_000, key_interval_s=0.5, preset="ultrafast")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which only root may make."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    if made.returncode:
        pytest.skip(f"no file system can be made here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=10)


def fill(path: Path) -> None:
    """Take what there is, to the last byte."""
    full = pytest.raises(OSError, match="No space left")
    with Path("/dev/zero").open("rb") as zeros, path.open("wb", buffering=0) as file, full:
        shutil.copyfileobj(zeros, file, 100_000)


async def is_down(process: Media, name: str, since: int = 0) -> m.Report:
    return await process.heard(m.Report, lambda one: one.report.name == name and not one.report.up, since=since)


async def test_a_full_disk_stops_what_is_written_to_it_and_nothing_else(tmp_path: Path, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    hls = OutputSpec(name="hls", kind="HLS", target=str(small_disk / "hls"))
    with rtmp_server(tmp_path) as server:
        outputs = [recording(small_disk), hls, rtmp(server.publish_url("key"))]
        async with media(tmp_path, form=FORM, outputs=outputs) as process:
            for name in ("recording", "hls", "x"):
                await process.heard(m.Report, lambda one, name=name: one.report.name == name and one.report.up)  # type: ignore[misc]
            await process.heard(m.Readings, lambda one: one.frames > 60)
            # somebody else fills the disk, faster than anybody looks at it
            fill(ballast)
            full = [await is_down(process, name) for name in ("recording", "hls")]
            assert [one.report.reason for one in full] == ["No space left on device"] * 2
            # the picture goes on, elsewhere too; nothing flutters while there is no room
            frames = process.all(m.Readings)[-1].frames
            after = await process.heard(m.Readings, lambda one: one.frames > frames + 90)
            assert not after.slate
            assert {one.name: one.up for one in after.outputs} == {"recording": False, "hls": False, "x": True}
            assert len(process.all(m.Report)) == 5
            since = len(process.messages)
            ballast.unlink()
            for name in ("recording", "hls"):
                await process.heard(
                    m.Report,
                    lambda one, name=name: one.report.name == name and one.report.up,  # type: ignore[misc]
                    since=since,
                )
            await process.heard(m.Readings, since=len(process.messages), count=2)
            assert await process.stop() == 0
        sent = probe(server.recordings("key")[0])
    assert sent.broken == 0
    # both parts are whole: what there was no room for is left out
    first, second = sorted((small_disk / "recording").glob("*.mp4"))
    for part in (first, second):
        found = probe(part)
        assert found.broken == 0
        assert found.video is not None
        assert found.video.decoded >= FORM.fps
    assert probe(recordings.whole(small_disk / "recording")).broken == 0
    playlist = (small_disk / "hls" / "live.m3u8").read_text()
    assert "#EXT-X-DISCONTINUITY" in playlist
    assert "#EXT-X-ENDLIST" in playlist
