"""Fragments, recordings and what becomes of them after a crash: read again by PyAV, with every time as it was."""

import io
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from tests.fakes.encoded import TINY, encode, encoded

from sothebais.errors import InvalidInput
from sothebais.stream import recordings
from sothebais.stream.encoder import Encoder, Packet
from sothebais.stream.outputs import room, sinks
from sothebais.stream.outputs.fragments import Fragments, Piece, boxes, pieces
from sothebais.stream.outputs.output import SinkRefused
from sothebais.stream.outputs.sinks import Recording, Templates


def fragmented(encoder: Encoder, packets: list[Packet]) -> tuple[bytes, list[Piece]]:
    found: list[Piece] = []
    fragments = Fragments(Templates(encoder), found.append)
    for packet in packets:
        fragments.write(packet)
    fragments.close()
    return fragments.initial, found


def read(data: bytes | Path) -> dict[str, list[Any]]:
    """Packets by stream, each with its exact time, and the number of frames that decode."""
    source: Any = io.BytesIO(data) if isinstance(data, bytes) else str(data)
    times: dict[str, list[Any]] = {"video": [], "audio": [], "pictures": []}
    with av.open(source, "r") as container:
        for packet in container.demux():
            if packet.dts is None:
                continue
            base = Fraction(packet.time_base.numerator, packet.time_base.denominator)
            times[packet.stream.type].append(packet.pts * base)
            if packet.stream.type == "video":
                times["pictures"] += packet.decode()
        for stream in container.streams.video:
            times["pictures"] += stream.decode(None)
    return times


def recorded(path: Path, encoder: Encoder, packets: list[Packet]) -> Path:
    recording = Recording(path, Templates(encoder), disk_free_bytes_min=0)
    for packet in packets:
        recording.write(packet)
    recording.close()
    return path


def test_pieces_follow_one_another_without_a_gap_one_picture_each() -> None:
    encoder, packets = encoded(75, keys={40})
    _, found = fragmented(encoder, packets)
    pictures = [piece for piece in found if piece.pictures]
    assert [piece.pictures for piece in pictures] == [1] * 75
    assert [round(piece.begins * 30, 3) for piece in pictures] == list(range(75))
    assert all(a.begins + a.lasts == pytest.approx(b.begins, abs=1e-9) for a, b in pairwise(pictures))
    assert [round(piece.begins * 30) for piece in found if piece.key] == [0, 30, 40, 70]
    assert not any(piece.key for piece in found if not piece.pictures)


@pytest.mark.parametrize("joined_at", [0, 7, 29])
def test_fragments_that_begin_in_the_middle_of_a_stream_keep_its_times_and_begin_with_a_key_frame(
    joined_at: int,
) -> None:
    encoder, packets = encoded(100, first=108_000)
    since = next(n for n, packet in enumerate(packets) if packet.pts == 108_000 + joined_at)
    initial, found = fragmented(encoder, packets[since:])
    key = 108_000 if joined_at == 0 else 108_030
    assert found[0].key
    assert found[0].begins == pytest.approx(key / 30)
    times = read(initial + b"".join(piece.data for piece in found))
    assert times["video"] == [Fraction(frame, 30) for frame in range(key, 108_100)]
    assert len(times["pictures"]) == len(times["video"])
    heard = [Fraction(one.pts, 48_000) for one in packets[since:] if one.kind == "audio"]
    assert times["audio"] == [at for at in heard if at >= Fraction(key, 30)]


def test_a_player_that_comes_later_can_begin_with_any_key_piece() -> None:
    encoder, packets = encoded(95)
    initial, found = fragmented(encoder, packets)
    for begin in (n for n, piece in enumerate(found) if piece.key):
        times = read(initial + b"".join(piece.data for piece in found[begin:]))
        assert times["video"][0] == Fraction(round(found[begin].begins * 30), 30)
        assert len(times["pictures"]) == len(times["video"]) > 0


def test_boxes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        list(boxes(b"\0\0\0\7moof"))
    with pytest.raises(ValueError, match="does not fit"):
        list(boxes(b"\0\0\0\x20moofshort"))
    assert list(pieces(b"\0\0\0\x0cmdat1234")) == []  # without its head it means nothing


def test_a_recording_begins_at_zero_with_its_first_key_frame_and_sound_keeps_its_place(tmp_path: Path) -> None:
    encoder, packets = encoded(100, first=1_000)
    since = next(n for n, packet in enumerate(packets) if packet.pts == 1_005)
    times = read(recorded(tmp_path / "a.mp4", encoder, packets[since:]))
    assert times["video"] == [Fraction(frame - 1_030, 30) for frame in range(1_030, 1_100)]
    heard = [Fraction(one.pts, 48_000) - Fraction(1_030, 30) for one in packets if one.kind == "audio"]
    assert times["audio"] == [at for at in heard if at >= 0]
    assert 0 <= times["audio"][0] < Fraction(1_024, 48_000)


def test_a_recording_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    encoder, packets = encoded(75)
    recording = Recording(tmp_path / "a.mp4", Templates(encoder), disk_free_bytes_min=0)
    for packet in packets:
        recording.write(packet)
    assert len(read(tmp_path / "a.mp4")["pictures"]) >= 30  # the group that is being written is still missing
    recording.close()
    assert len(read(tmp_path / "a.mp4")["pictures"]) == 75


def test_a_recording_overwrites_nothing(tmp_path: Path) -> None:
    encoder, _ = encoded(1)
    (tmp_path / "a.mp4").write_bytes(b"somebody's")
    with pytest.raises(FileExistsError):
        Recording(tmp_path / "a.mp4", Templates(encoder), disk_free_bytes_min=0)
    assert (tmp_path / "a.mp4").read_bytes() == b"somebody's"


def test_a_recording_is_not_begun_on_a_short_disk_and_ends_on_one_that_becomes_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, packets = encoded(75)
    free = room.ROOM_BYTES_MIN
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free}))
    monkeypatch.setattr(sinks, "DISK_LOOK_S", 0.0)
    with pytest.raises(SinkRefused, match=r"the disk has 8 MB left, recordings begin at 2\.0 GB"):
        Recording(tmp_path / "a.mp4", Templates(encoder), disk_free_bytes_min=2_000_000_000)
    free -= 1
    with pytest.raises(SinkRefused, match="recordings begin at 8 MB"):
        Recording(tmp_path / "a.mp4", Templates(encoder), disk_free_bytes_min=0)
    free += 1
    assert not (tmp_path / "a.mp4").exists()
    recording = Recording(tmp_path / "a.mp4", Templates(encoder), disk_free_bytes_min=1_000)
    written = iter(packets)
    for packet in written:
        recording.write(packet)
        if packet.pts == 45 and packet.kind == "video":
            free = 999
        if packet.pts == 59 and packet.kind == "video":
            break
    key = next(packet for packet in written if packet.kind == "video" and packet.key)
    with pytest.raises(SinkRefused, match="recordings stop at"):
        recording.write(key)
    recording.close()
    assert len(read(tmp_path / "a.mp4")["pictures"]) == 60


# parts joined


def test_one_part_is_the_whole_and_none_is_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no recording"):
        recordings.whole(tmp_path)
    encoder, packets = encoded(30)
    path = recorded(tmp_path / "1.mp4", encoder, packets)
    assert recordings.whole(tmp_path) == path
    (tmp_path / "0.mp4").write_bytes(b"")
    (tmp_path / "2.mp4").write_bytes(b"no film")
    assert recordings.whole(tmp_path) == path
    assert recordings.parts(tmp_path) == [path]


def test_parts_are_joined_in_order_and_made_anew_when_there_are_more(tmp_path: Path) -> None:
    for number, frames in ((1, 40), (2, 30)):
        encoder, packets = encoded(frames, first=500)
        recorded(tmp_path / f"{number}.mp4", encoder, packets)
    path = recordings.whole(tmp_path)
    assert path == tmp_path / recordings.WHOLE
    times = read(path)
    assert len(times["pictures"]) == 70
    assert times["video"] == [Fraction(frame, 30) for frame in range(70)]
    assert all(later > earlier for earlier, later in pairwise(times["audio"]))
    encoder, packets = encoded(30)
    recorded(tmp_path / "3.mp4", encoder, packets)
    assert len(read(recordings.whole(tmp_path))["pictures"]) == 100
    assert recordings.parts(tmp_path) == [tmp_path / f"{n}.mp4" for n in (1, 2, 3)]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("kept", [0.999, 0.8, 0.55, 0.35])
def test_what_a_crash_cut_off_is_left_out(tmp_path: Path, kept: float) -> None:
    encoder, packets = encoded(90)
    data = recorded(tmp_path / "whole", encoder, packets).read_bytes()
    (tmp_path / "whole").unlink()
    (tmp_path / "1.mp4").write_bytes(data[: int(len(data) * kept)])
    alone = read(recordings.whole(tmp_path))
    assert len(alone["pictures"]) == len(alone["video"]) >= 15
    encoder, packets = encoded(30)
    recorded(tmp_path / "2.mp4", encoder, packets)
    times = read(recordings.whole(tmp_path))
    assert len(times["pictures"]) == len(times["video"]) == len(alone["video"]) + 30
    assert all(later > earlier for earlier, later in pairwise(times["video"]))
    assert all(later > earlier for earlier, later in pairwise(times["audio"]))


def test_a_part_without_a_single_picture_is_no_part(tmp_path: Path) -> None:
    encoder, packets = encoded(90)
    data = recorded(tmp_path / "whole", encoder, packets).read_bytes()
    head = next(begin for kind, _, begin, _ in boxes(data) if kind == b"moof")
    (tmp_path / "1.mp4").write_bytes(data[: head + 40])
    assert recordings.parts(tmp_path) == []


def test_picture_and_sound_are_as_long_as_each_other_after_an_hour() -> None:
    """Ten frames a second, to be quick: counted in samples, an hour of sound is an hour of picture."""
    encoder = Encoder(TINY, "libx264")
    packets = encode(encoder, range(3_600 * 30 - 90, 3_600 * 30))
    packets += encoder.flush()
    video = max(Fraction(one.pts + 1, 30) for one in packets if one.kind == "video")
    audio = max(Fraction(one.pts + one.duration, 48_000) for one in packets if one.kind == "audio")
    assert video == 3_600
    assert abs(audio - video) < Fraction(40, 1_000)
