"""HLS: the playlist line by line, a folder that goes on after a restart and stays small, and those who wait for it."""

import asyncio
import io
import os
import re
from fractions import Fraction
from pathlib import Path

import av
import msgspec
import pytest
from tests.fakes.encoded import BEGUN_AT, encode, encoded

from sothebais.stream import hls_files
from sothebais.stream.encoder import Encoder, Packet
from sothebais.stream.encoding import Format
from sothebais.stream.hls_files import HlsFiles
from sothebais.stream.outputs import hls
from sothebais.stream.outputs.hls import HlsFolder
from sothebais.stream.outputs.playlist import SEGMENTS_KEPT, SEGMENTS_LISTED, Part, Segment, playlist, reached
from sothebais.stream.outputs.sinks import Templates

NOW = int(BEGUN_AT)


def a_segment(number: int, initial: str = "a-init.mp4", lasts: float = 1.0, parts: int = 2) -> Segment:
    return Segment(
        number,
        f"a-{number}.m4s",
        initial,
        1_767_225_600_000 + number * 1_000,
        lasts,
        tuple(Part(f"a-{number}.{n}.m4s", 0.2, n == 0) for n in range(parts)),
    )


def test_a_playlist_line_by_line() -> None:
    old = [a_segment(7, parts=0), a_segment(8, lasts=1.1), a_segment(9, initial="b-init.mp4", parts=1)]
    growing = a_segment(10, initial="b-init.mp4", lasts=0.4)
    assert playlist(old, growing, discontinuities=3).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:9",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-TARGETDURATION:2",
        "#EXT-X-PART-INF:PART-TARGET=0.200",
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.600",
        "#EXT-X-MEDIA-SEQUENCE:7",
        "#EXT-X-DISCONTINUITY-SEQUENCE:3",
        '#EXT-X-MAP:URI="a-init.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:07.000Z",
        "#EXTINF:1.00000,",
        "a-7.m4s",
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:08.000Z",
        '#EXT-X-PART:DURATION=0.20000,URI="a-8.0.m4s",INDEPENDENT=YES',
        '#EXT-X-PART:DURATION=0.20000,URI="a-8.1.m4s"',
        "#EXTINF:1.10000,",
        "a-8.m4s",
        "#EXT-X-DISCONTINUITY",
        '#EXT-X-MAP:URI="b-init.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:09.000Z",
        '#EXT-X-PART:DURATION=0.20000,URI="a-9.0.m4s",INDEPENDENT=YES',
        "#EXTINF:1.00000,",
        "a-9.m4s",
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:10.000Z",
        '#EXT-X-PART:DURATION=0.20000,URI="a-10.0.m4s",INDEPENDENT=YES',
        '#EXT-X-PART:DURATION=0.20000,URI="a-10.1.m4s"',
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="a-10.2.m4s"',
    ]


def test_the_end_is_said_and_only_the_newest_are_listed() -> None:
    lines = playlist([a_segment(n) for n in range(20)], None, discontinuities=0, usual_s=2.0, ended=True).splitlines()
    assert lines[-1] == "#EXT-X-ENDLIST"
    assert f"#EXT-X-MEDIA-SEQUENCE:{20 - SEGMENTS_LISTED}" in lines
    assert sum(not line.startswith("#") for line in lines) == SEGMENTS_LISTED
    assert "#EXT-X-TARGETDURATION:2" in lines  # what is usual counts, though these were shorter
    assert not any("PRELOAD" in line for line in lines)


@pytest.mark.parametrize(
    ("segments", "parts", "newest"), [(0, 0, (0, -1)), (0, 2, (0, 1)), (3, 0, (3, -1)), (3, 4, (3, 3))]
)
def test_the_newest_part_of_a_playlist_is_found(segments: int, parts: int, newest: tuple[int, int]) -> None:
    growing = a_segment(segments, parts=parts)
    assert reached(playlist([a_segment(n) for n in range(segments)], growing, discontinuities=0)) == newest


# the folder


def written(
    folder: Path, frames: int, *, first: int = 0, token: str = "a", now: int = NOW, form: Format | None = None
) -> tuple[HlsFolder, list[Packet]]:
    encoder, packets = encoded(frames, first=first) if form is None else encoded(frames, first=first, form=form)
    made = HlsFolder(folder, Templates(encoder), token=token, now=now)
    for packet in packets:
        made.write(packet)
    return made, packets


def text_of(folder: Path) -> str:
    return (folder / "live.m3u8").read_text()


def named(text: str) -> list[str]:
    return re.findall(r'URI="([^"]+)"', text.replace("PRELOAD-HINT:TYPE=PART,URI", "")) + [
        line for line in text.splitlines() if line and not line.startswith("#")
    ]


def times(folder: Path, names: list[str]) -> list[Fraction]:
    """The pictures' times in these files, every one of which decodes."""
    data = b"".join((folder / name).read_bytes() for name in names)
    found, decoded = [], 0
    with av.open(io.BytesIO(data), "r") as container:
        for packet in container.demux(video=0):
            if packet.dts is not None:
                found.append(packet.pts * Fraction(packet.time_base.numerator, packet.time_base.denominator))
            decoded += len(packet.decode())
    assert decoded == len(found)
    return found


def test_segments_and_parts_have_every_picture_and_every_file_that_is_named_is_there(tmp_path: Path) -> None:
    made, _ = written(tmp_path, 100, first=900)
    text = text_of(tmp_path)
    assert all((tmp_path / name).is_file() for name in named(text))
    segments = [line for line in text.splitlines() if line.endswith(".m4s")]
    assert segments == ["a-0.m4s", "a-1.m4s", "a-2.m4s"]
    assert times(tmp_path, ["a-init.mp4", *segments]) == [Fraction(n, 30) for n in range(900, 990)]
    parts = re.findall(r'PART:DURATION=0.20000,URI="(a-2[^"]+)"', text)
    assert parts == [f"a-2.{n}.m4s" for n in range(5)]
    assert times(tmp_path, ["a-init.mp4", *parts]) == [Fraction(n, 30) for n in range(960, 990)]
    # the server's time of each segment's first picture: 900 frames after the beginning, which is 1970-01-01T00:16:40
    assert re.findall("DATE-TIME:(.+)", text)[:2] == ["1970-01-01T00:17:10.000Z", "1970-01-01T00:17:11.000Z"]
    assert reached(text) == (3, 0)
    made.close(ended=True)
    assert text_of(tmp_path).endswith("#EXT-X-ENDLIST\n")
    assert times(tmp_path, ["a-init.mp4", "a-3.m4s"]) == [Fraction(n, 30) for n in range(990, 1_000)]


def test_a_key_frame_that_was_asked_for_begins_a_segment_and_the_target_stays(tmp_path: Path) -> None:
    encoder = Encoder(Format(width=64, height=48, key_interval_s=2.0), "libx264")
    made = HlsFolder(tmp_path, Templates(encoder), token="a", now=NOW)
    targets = set()
    for packet in encode(encoder, range(150), keys={70}):
        made.write(packet)
        if (tmp_path / "live.m3u8").exists():
            targets |= set(re.findall("TARGETDURATION:(.+)", text_of(tmp_path)))
    assert re.findall("EXTINF:(.+),", text_of(tmp_path)) == ["2.00000", "0.33333", "2.00000"]
    assert targets == {"2"}


def test_a_restart_goes_on_with_the_numbers_behind_a_discontinuity(tmp_path: Path) -> None:
    written(tmp_path, 75)  # and the process is gone
    _, packets = written(tmp_path, 75, token="b", now=NOW + 4_000)
    text = text_of(tmp_path)
    lines = text.splitlines()
    assert [line for line in lines if line.endswith(".m4s")] == ["a-0.m4s", "a-1.m4s", "b-2.m4s", "b-3.m4s"]
    assert lines.count("#EXT-X-DISCONTINUITY") == 1
    between = lines[lines.index("a-1.m4s") + 1 :]
    assert between[:2] == ["#EXT-X-DISCONTINUITY", '#EXT-X-MAP:URI="b-init.mp4"']
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:0" in lines
    assert all((tmp_path / name).is_file() for name in named(text))
    assert times(tmp_path, ["a-init.mp4", "a-0.m4s", "a-1.m4s"])
    assert len(times(tmp_path, ["b-init.mp4", "b-2.m4s", "b-3.m4s"])) == 60
    assert packets


def test_of_what_a_process_did_not_finish_nothing_is_left(tmp_path: Path) -> None:
    written(tmp_path, 75)
    assert (tmp_path / "a-2.0.m4s").exists()  # of the segment that was growing
    (tmp_path / ".live.m3u8.tmp").write_text("half")
    (tmp_path / "notes.txt").write_text("somebody's own")
    written(tmp_path, 1, token="b", now=NOW + 4_000)
    left = {path.name for path in tmp_path.iterdir()}
    assert not {"a-2.0.m4s", "a-2.1.m4s", ".live.m3u8.tmp"} & left
    assert "notes.txt" in left


@pytest.mark.parametrize("how", ["late", "ended"])
def test_another_show_begins_anew_and_its_numbers_do_not_go_back(tmp_path: Path, how: str) -> None:
    made, _ = written(tmp_path, 75)
    if how == "ended":
        made.close(ended=True)
    later = NOW + 3_000 if how == "ended" else NOW + 2_000 + hls.STALE_MS + 1_000
    written(tmp_path, 75, token="b", now=later)
    text = text_of(tmp_path)
    first = {"late": 2, "ended": 3}[how]
    assert [line for line in text.splitlines() if line.endswith(".m4s")] == [f"b-{first}.m4s", f"b-{first + 1}.m4s"]
    assert f"#EXT-X-MEDIA-SEQUENCE:{first}" in text
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1" in text
    assert "ENDLIST" not in text
    assert not list(tmp_path.glob("a-*"))


def test_one_that_is_just_recent_enough_is_gone_on_with(tmp_path: Path) -> None:
    written(tmp_path, 75)
    kept = msgspec.json.decode((tmp_path / "state.json").read_bytes())["at"]
    written(tmp_path, 75, token="b", now=kept + hls.STALE_MS)
    assert "a-0.m4s" in text_of(tmp_path)


def test_a_state_that_cannot_be_read_begins_anew(tmp_path: Path) -> None:
    written(tmp_path, 75)
    (tmp_path / "state.json").write_bytes(b"{half")
    written(tmp_path, 75, token="b", now=NOW + 3_000)
    assert "a-" not in text_of(tmp_path)
    assert not list(tmp_path.glob("a-*"))


def test_an_output_that_opened_and_wrote_nothing_leaves_the_playlist_as_it_was(tmp_path: Path) -> None:
    made, _ = written(tmp_path, 75)
    made.close()
    before = text_of(tmp_path)
    encoder, _ = encoded(1)
    HlsFolder(tmp_path, Templates(encoder), token="b", now=NOW + 3_000).close()
    assert [line for line in text_of(tmp_path).splitlines() if "DATE" not in line] == [
        line for line in before.splitlines() if "DATE" not in line
    ]


def test_discontinuities_are_counted_when_their_segments_go_and_files_stay_few(tmp_path: Path) -> None:
    """Each life of a process writes two segments; many lives later the folder is as large as after the first few."""
    sequence, most = [], 0
    for life in range(24):
        # segments of half a second: the folder's time is that of the packets
        form = Format(width=64, height=48, key_interval_s=0.5, preset="ultrafast")
        made, _ = written(tmp_path, 30, first=30 * life, token=f"t{life}", now=NOW + 1_000 * life, form=form)
        made.close()
        text = text_of(tmp_path)
        assert all((tmp_path / name).is_file() for name in named(text))
        (number,) = re.findall("DISCONTINUITY-SEQUENCE:(.+)", text)
        sequence.append(int(number))
        most = max(most, len(list(tmp_path.iterdir())))
    assert sequence == [max(0, life - SEGMENTS_LISTED // 2 + 1) for life in range(24)]
    # the kept segments, headers of half as many lives, parts of those that are listed, playlist and state
    assert most <= SEGMENTS_KEPT + SEGMENTS_KEPT // 2 + 1 + (SEGMENTS_LISTED + 1) * 3 + 2


def test_a_long_stream_leaves_no_more_files_than_a_short_one(tmp_path: Path) -> None:
    form = Format(width=64, height=48, fps=10, preset="ultrafast")
    encoder = Encoder(form, "libx264")
    made = HlsFolder(tmp_path, Templates(encoder), token="a", now=NOW)
    counts = []
    for while_ in range(3):
        for packet in encode(encoder, range(while_ * 250, while_ * 250 + 250)):
            made.write(packet)
        counts.append(len(list(tmp_path.iterdir())))
    assert counts[1] == counts[2] <= SEGMENTS_KEPT + (SEGMENTS_LISTED + 2) * 5 + 3
    assert len(made._ats) <= 2


# those who play it


async def test_a_reload_waits_for_the_segment_or_part_it_names(tmp_path: Path) -> None:
    written(tmp_path, 100)
    files = HlsFiles(tmp_path)
    text = await files.playlist()
    assert text is not None
    assert reached(text) == (3, 0)
    for msn, part in ((2, None), (2, 99), (3, 0), (6, None), (6, 0)):  # there already, or too far ahead
        assert await asyncio.wait_for(files.playlist(msn, part), 1.0) == text
    waiting = [asyncio.create_task(files.playlist(3, 1)), asyncio.create_task(files.playlist(3))]
    await asyncio.sleep(0.1)
    assert not any(task.done() for task in waiting)
    made, _ = written(tmp_path / "next", 115)
    grown = (tmp_path / "next" / "live.m3u8").read_text()
    os.replace(tmp_path / "next" / "live.m3u8", tmp_path / "live.m3u8")
    assert await asyncio.wait_for(waiting[0], 1.0) == grown
    assert not waiting[1].done()
    made.close(ended=True)
    os.replace(tmp_path / "next" / "live.m3u8", tmp_path / "live.m3u8")
    ended = await asyncio.wait_for(waiting[1], 1.0)
    assert ended is not None
    assert "ENDLIST" in ended


async def test_nobody_waits_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hls_files, "BLOCK_S_MAX", 0.1)
    written(tmp_path, 100)
    files = HlsFiles(tmp_path)
    assert await files.playlist(4) == text_of(tmp_path)
    assert await files.piece("a-3.1.m4s") is None  # promised, and it did not come


async def test_the_promised_part_is_waited_for_and_another_is_not_there(tmp_path: Path) -> None:
    written(tmp_path, 100)
    files = HlsFiles(tmp_path)
    assert await files.piece("a-9.m4s") is None
    assert await files.piece("a-0.m4s") == (tmp_path / "a-0.m4s").read_bytes()
    waiting = asyncio.create_task(files.piece("a-3.1.m4s"))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    (tmp_path / "a-3.1.m4s").write_bytes(b"part")
    assert await asyncio.wait_for(waiting, 1.0) == b"part"


async def test_a_thousand_who_wait_read_the_playlist_once_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, 100)
    readings = 0
    plain = hls_files._text

    def counted(path: Path) -> str | None:
        nonlocal readings
        readings += 1
        return plain(path)

    monkeypatch.setattr(hls_files, "_text", counted)
    monkeypatch.setattr(hls_files, "BLOCK_S_MAX", 0.5)
    files = HlsFiles(tmp_path)
    found = await asyncio.gather(*(files.playlist(3, 1) for _ in range(1_000)))
    assert set(found) == {text_of(tmp_path)}
    assert readings <= 0.5 / hls_files.LOOK_S + 2


async def test_a_playlist_that_nobody_goes_on_with_is_none(tmp_path: Path) -> None:
    files = HlsFiles(tmp_path)
    assert await files.playlist() is None
    written(tmp_path, 40)
    assert await HlsFiles(tmp_path).playlist() is not None
    old = (tmp_path / "live.m3u8").stat().st_mtime - hls_files.STALE_S - 1
    os.utime(tmp_path / "live.m3u8", (old, old))
    assert await HlsFiles(tmp_path).playlist() is None
