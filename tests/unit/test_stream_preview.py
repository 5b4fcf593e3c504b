"""Those who watch: each begins with a key frame, waits for nobody, and is let go when it takes nothing."""

import asyncio
import base64
import json
import struct
from typing import Any

import pytest

from sothebais.stream import preview as module
from sothebais.stream.encoding import Format
from sothebais.stream.media import messages as m
from sothebais.stream.players import GONE_S, Players
from sothebais.stream.preview import BEHIND_BYTES_MAX, MESSAGES_MAX, STUCK_S, Frame, Preview, Watcher


class SetClock:
    """A clock that stands where it is put."""

    at = 100.0

    def now(self) -> int:
        return round(self.at * 1_000)

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


HELLO = m.Hello(
    pid=1, encoder="libx264", form=Format(), video_codec="avc1.64001f", audio_codec="mp4a.40.2",
    description=b"avcC", audio_description=b"asc",
)  # fmt: skip


class Room:
    """A preview, its clock, and what it wanted of the media process."""

    def __init__(self, **given: Any) -> None:
        self.clock = SetClock()
        self.wants: list[tuple[bool, bool]] = []
        self.preview = Preview(self.clock, want=lambda want: self.wants.append((want.packets, want.fragments)), **given)

    def begin(self, stream: str = "s1") -> None:
        self.preview.begin(stream, HELLO)

    def video(self, pts: int, *, key: bool = False, size: int = 10) -> None:
        self.preview.take(m.Live(m.VIDEO, m.KEY if key else 0, pts, 33_333, 5_000 + pts, bytes(size)))

    def audio(self, pts: int) -> None:
        self.preview.take(m.Live(m.AUDIO, m.KEY, pts, 21_333, 5_000 + pts, b"sound"))

    def initial(self, data: bytes = b"moov") -> None:
        self.preview.take(m.Live(m.FRAGMENT, m.INITIAL, 0, 0, 5_000, data))

    def piece(self, pts: int, *, key: bool = False, size: int = 10) -> None:
        self.preview.take(m.Live(m.FRAGMENT, m.KEY if key else 0, pts, 33_333, 5_000 + pts, bytes(size)))


async def heard(watcher: Watcher) -> list[Any]:
    """All that waits: texts as objects, frames as (kind, flags, pts, payload's length)."""
    found = []
    while watcher._frames:
        frame = await watcher.next()
        assert frame is not None
        watcher.took()
        if frame.text:
            found.append(json.loads(frame.data))
        else:
            kind, flags, reserved, _, pts, at = struct.unpack_from("<BBHIQQ", frame.data)
            assert reserved == 0
            assert at == 5_000 + pts
            found.append((kind, flags, pts, len(frame.data) - 24))
    return found


def pictures(found: list[Any]) -> list[int]:
    return [one[2] for one in found if isinstance(one, tuple) and one[0] in (m.VIDEO, m.FRAGMENT)]


async def test_a_watcher_hears_what_is_encoded_then_the_position_then_the_group_from_its_key_frame() -> None:
    room = Room()
    room.begin()
    early = room.preview.join("packets")
    room.video(1)
    room.audio(2)
    room.preview.show(m.Shown(3, "1.2.3", 7))
    for pts in (10, 20):
        room.video(pts, key=True)
        room.audio(pts + 1)
        room.video(pts + 2)
    late = room.preview.join("packets")
    room.video(30)
    hello, position, *rest = await heard(late)
    assert hello == {
        "op": "hello",
        "stream": "s1",
        "video": {
            "codec": "avc1.64001f", "width": 1_280, "height": 720, "fps": 30,
            "description": base64.b64encode(b"avcC").decode(),
        },
        "audio": {
            "codec": "mp4a.40.2", "sample_rate": 48_000, "channels": 2,
            "description": base64.b64encode(b"asc").decode(),
        },
        "mime": 'video/mp4; codecs="avc1.64001f, mp4a.40.2"',
        "server": 100_000,
    }  # fmt: skip
    assert position == {"op": "position", "pts_us": 3, "position": "1.2.3"}
    assert rest == [(1, 1, 20, 10), (2, 1, 21, 5), (1, 0, 22, 10), (1, 0, 30, 10)]
    assert pictures(await heard(early)) == [10, 12, 20, 22, 30]


async def test_what_nobody_looks_at_is_not_wanted() -> None:
    room = Room()
    room.begin()
    packets, mp4 = room.preview.join("packets"), room.preview.join("mp4")
    room.preview.leave(packets)
    room.preview.leave(mp4)
    assert room.wants == [(False, False), (True, False), (True, True), (False, True), (False, False)]
    room.video(1, key=True)
    room.begin()
    assert len(room.preview) == 0
    assert room.wants[-1] == (False, False)
    # what was kept of a group is not shown to somebody who comes much later
    watcher = room.preview.join("packets")
    assert pictures(await heard(watcher)) == []


async def test_one_that_falls_behind_skips_to_the_next_key_frame_and_keeps_the_texts() -> None:
    room = Room()
    room.begin()
    watcher, other = room.preview.join("packets"), room.preview.join("packets")
    size = BEHIND_BYTES_MAX // 4 - 2_000
    room.video(0, key=True, size=size)
    for pts in (1, 2, 3):
        room.video(pts, size=size)
    room.preview.show(m.Shown(4, "p", 4))
    assert pictures(await heard(other)) == [0, 1, 2, 3]
    room.video(4, size=size)
    assert watcher.skipped == 5
    room.video(5)
    room.audio(6)
    room.video(7, key=True)
    room.video(8)
    found = await heard(watcher)
    assert pictures(found) == [7, 8]
    assert [one["op"] for one in found if isinstance(one, dict)] == ["hello", "position"]
    assert pictures(await heard(other)) == [4, 5, 7, 8]  # nobody else lost anything


async def test_the_bound_itself_is_not_behind() -> None:
    watcher = Watcher("packets", SetClock())
    watcher.put(Frame(bytes(BEHIND_BYTES_MAX - 10), text=False, key=True, picture=True))
    watcher.put(Frame(bytes(10), text=False, picture=True))
    assert (watcher.skipped, len(watcher._frames)) == (0, 2)
    watcher.put(Frame(b"1", text=False, picture=True))
    assert (watcher.skipped, len(watcher._frames)) == (3, 0)


async def test_the_header_of_fragments_comes_first_and_is_never_lost() -> None:
    room = Room()
    room.begin()
    watcher = room.preview.join("mp4")
    room.piece(1, key=True)
    room.initial()
    assert [one for one in await heard(watcher) if isinstance(one, tuple)] == [(3, 1, 1, 10), (3, 2, 0, 4)]
    room.piece(5)  # of a group that began before its header
    room.piece(10, key=True)
    room.piece(11)
    late = room.preview.join("mp4")
    found = [one for one in await heard(late) if isinstance(one, tuple)]
    assert found == [(3, 2, 0, 4), (3, 1, 10, 10), (3, 0, 11, 10)]
    slow = room.preview.join("mp4")
    for pts in range(20, 30):
        room.piece(pts, size=BEHIND_BYTES_MAX // 4)
    room.piece(40, key=True)
    found = [one for one in await heard(slow) if isinstance(one, tuple)]
    assert found == [(3, 2, 0, 4), (3, 1, 40, 10)]


async def test_after_a_restart_there_is_a_new_hello_and_nothing_of_the_old_encode() -> None:
    room = Room()
    room.begin()
    packets, mp4 = room.preview.join("packets"), room.preview.join("mp4")
    room.initial(b"old")
    for pts in (1, 2):
        room.video(pts, key=pts == 1)
        room.piece(pts, key=pts == 1)
    room.begin()
    assert room.wants[-1] == (True, True)
    room.video(1)
    room.piece(1)
    room.initial(b"newer")
    room.video(3, key=True)
    room.piece(3, key=True)
    hello, *rest = await heard(packets)
    assert (hello["op"], rest) == ("hello", [(1, 1, 3, 10)])
    hello, *rest = await heard(mp4)
    assert (hello["op"], rest) == ("hello", [(3, 2, 0, 5), (3, 1, 3, 10)])


async def test_the_end_is_told_after_what_waits() -> None:
    room = Room()
    room.begin()
    watcher = room.preview.join("packets")
    room.video(1, key=True)
    room.preview.end("the day is completed")
    room.video(2)
    found = await heard(watcher)
    assert found[-1] == {"op": "bye", "reason": "the day is completed"}
    assert pictures(found) == [1]
    assert await watcher.next() is None
    assert watcher.ended.is_set()


async def test_one_that_takes_nothing_is_let_go_and_one_that_had_nothing_to_take_is_not() -> None:
    room = Room()
    room.begin()
    stuck, reading, idle = (room.preview.join("packets") for _ in range(3))
    await heard(reading)
    await heard(idle)
    room.clock.at += STUCK_S
    room.preview.let_go_of_the_stuck()
    assert stuck.closed is None  # the bound itself
    room.clock.at += 0.01
    room.video(1, key=True)
    room.preview.let_go_of_the_stuck()
    assert stuck.closed == "nothing was taken for too long"
    assert await stuck.next() is None
    # nothing came for longer than that, and what comes now has only just come
    assert reading.closed is None
    assert idle.closed is None
    assert pictures(await heard(reading)) == [1]


async def test_one_whose_send_never_returns_is_stuck_too() -> None:
    room = Room()
    watcher = Watcher("packets", room.clock)
    watcher.put(Frame(b"x", text=True))
    await watcher.next()  # and it is being sent
    room.clock.at += STUCK_S + 1
    assert watcher.waits_s() == STUCK_S + 1
    watcher.took()
    assert watcher.waits_s() == 0.0


async def test_one_for_whom_too_many_messages_wait_is_let_go() -> None:
    room = Room()
    room.begin()
    watcher = room.preview.join("packets")
    for n in range(MESSAGES_MAX - 1):
        room.preview.show(m.Shown(n, "p", 0))
    assert (watcher.closed, len(watcher._frames)) == (None, MESSAGES_MAX)
    room.preview.show(m.Shown(0, "p", 0))
    assert watcher.closed == "too much waits for this connection"
    assert not watcher._frames


async def test_no_more_may_watch_than_the_bound() -> None:
    room = Room(watchers_max=2)
    first = room.preview.join("packets")
    assert room.preview.has_room()
    room.preview.join("mp4")
    assert not room.preview.has_room()
    room.preview.leave(first)
    room.preview.leave(first)
    assert room.preview.has_room()
    assert len(room.preview) == 1


async def test_one_address_has_so_many_places_and_leaves_the_others_theirs() -> None:
    room = Room()
    for _ in range(module.WATCHERS_PER_ADDRESS_MAX):
        assert room.preview.has_room("192.0.2.1")
        room.preview.join("packets", "192.0.2.1")
    assert not room.preview.has_room("192.0.2.1")
    assert room.preview.has_room("192.0.2.2")


async def test_a_group_that_is_too_long_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP_BYTES_MAX", 100)
    room = Room()
    room.begin()
    room.preview.join("packets")
    room.video(1, key=True)  # 34 bytes with its head
    room.video(2, size=8)
    room.video(3, size=10)
    assert pictures(await heard(room.preview.join("packets"))) == [1, 2, 3]
    room.video(4, size=1)
    assert pictures(await heard(room.preview.join("packets"))) == []
    room.video(5)
    room.video(6, key=True)
    assert pictures(await heard(room.preview.join("packets"))) == [6]


async def test_whoever_waits_is_woken() -> None:
    watcher = Watcher("packets", SetClock())
    waiting = asyncio.create_task(watcher.next())
    await asyncio.sleep(0)
    watcher.put(Frame(b"x", text=True))
    frame = await asyncio.wait_for(waiting, 1.0)
    assert frame is not None
    waiting = asyncio.create_task(watcher.next())
    await asyncio.sleep(0)
    watcher.close("the end")
    assert await asyncio.wait_for(waiting, 1.0) is None
    watcher.put(Frame(b"y", text=True))
    assert await watcher.next() is None


def test_who_plays_hls_is_a_viewer_until_it_asks_no_more() -> None:
    room = Room()
    room.preview.join("mp4")
    for _ in range(5):
        room.preview.players.asked("192.0.2.1 a browser")
        room.preview.players.asked("192.0.2.1 a television")
        room.clock.at += GONE_S / 2
    assert room.preview.viewers == 3
    room.preview.players.asked("192.0.2.1 a browser")
    room.clock.at += GONE_S / 2 + 0.1
    assert room.preview.viewers == 2
    room.clock.at += GONE_S
    assert room.preview.viewers == 1


def test_players_are_told_apart_up_to_a_bound() -> None:
    players = Players(SetClock(), players_max=3)
    for number in range(5):
        players.asked(str(number))
    assert len(players) == 3
