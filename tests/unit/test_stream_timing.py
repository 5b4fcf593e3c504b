"""Time in the media process: frames do not drift, picture and sound stay together, states are shown in their own time,
and the link to the manager loses nothing that matters.
"""

import random
import socket
import threading
import time
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from tests.fakes.encoded import TINY

from sothebais.stream.encoder import Encoder, Packet
from sothebais.stream.encoding import SAMPLE_RATE, Format
from sothebais.stream.media import link as link_module
from sothebais.stream.media import messages as m
from sothebais.stream.media.composing import STATES_MAX, Ahead, Composed, Slot
from sothebais.stream.media.link import Link
from sothebais.stream.media.pace import APART_MS_MAX, Pace, first_sample
from sothebais.stream.media.sending import BEHIND_S_MAX, Sending
from sothebais.stream.show import Notice, OnAir, ShowState

PATIENCE_S = 10.0


class TwoClocks:
    """A wall clock (ms) and a monotonic one (s) that are put where they should be."""

    def __init__(self) -> None:
        self.wall, self.mono = 1_700_000_000_000, 50.0

    def now(self) -> int:
        return self.wall

    def monotonic(self) -> float:
        return self.mono

    async def sleep(self, seconds: float) -> None:
        self.mono += seconds

    def both(self, seconds: float) -> None:
        self.mono += seconds
        self.wall = round(1_700_000_000_000 + (self.mono - 50.0) * 1_000)


def test_what_has_begun_is_in_the_next_frame_and_what_lies_ahead_waits_for_its_time() -> None:
    clock = TwoClocks()
    pace = Pace(30, clock)
    clock.mono += 10.0
    clock.wall += 10_000 + 39  # the frames' instants are as far behind as they may be
    shown_next = pace.at(pace.now() + 1)
    assert shown_next < clock.wall
    assert shown_next - 1 < pace.begins(clock.wall) <= shown_next
    assert pace.begins(clock.wall - 5_000) == clock.wall - 5_000
    assert pace.begins(clock.wall + 1) == clock.wall + 1
    # the house's time is another than this machine's
    pace.offset_ms = 500.0
    assert pace.begins(clock.wall + 500) <= shown_next
    assert pace.begins(clock.wall + 501) == clock.wall + 501


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_over_an_hour_frames_do_not_drift(fps: int) -> None:
    clock = TwoClocks()
    pace = Pace(fps, clock)
    for second in (1, 60, 3_600):
        frame = second * fps
        assert pace.due(frame) == pytest.approx(50.0 + second, abs=1e-9)
        assert pace.at(frame) == pytest.approx(1_700_000_000_000 + second * 1_000, abs=1e-3)
    clock.both(3_600 + 0.25 / fps)
    assert pace.now() == 3_600 * fps
    assert pace.left(3_600 * fps + 1) == pytest.approx(0.75 / fps)
    assert pace.follow() == 0.0
    assert pace.moved == 0


@pytest.mark.parametrize("step", [-3_600_000, -41, 41, 500, 86_400_000])
def test_a_wall_clock_that_is_set_moves_what_is_shown_and_not_the_pace(step: int) -> None:
    clock = TwoClocks()
    pace = Pace(30, clock)
    clock.both(10.0)
    before = [pace.due(frame) for frame in (300, 301, 302)]
    clock.wall += step
    assert pace.follow() == pytest.approx(step, abs=1)
    assert pace.at(300) == pytest.approx(clock.wall, abs=1)
    assert [pace.due(frame) for frame in (300, 301, 302)] == before
    assert pace.now() == 300
    assert pace.follow() == 0.0
    assert pace.moved == 1


def test_clocks_that_are_a_little_apart_are_left_alone_and_the_houses_offset_counts() -> None:
    clock = TwoClocks()
    pace = Pace(30, clock, offset_ms=2_000.0)
    assert pace.at(0) == clock.wall + 2_000
    clock.wall += round(APART_MS_MAX)
    assert pace.follow() == 0.0
    clock.wall -= round(APART_MS_MAX)
    pace.offset_ms = 1_900.0
    assert pace.follow() == pytest.approx(-100.0)
    assert pace.at(0) == pytest.approx(clock.wall + 1_900)


@pytest.mark.parametrize("fps", [24, 25, 30, 50, 60])
def test_sound_is_exactly_as_long_as_the_picture(fps: int) -> None:
    assert first_sample(3_600 * fps, fps, SAMPLE_RATE) == 3_600 * SAMPLE_RATE
    counts = {first_sample(n + 1, fps, SAMPLE_RATE) - first_sample(n, fps, SAMPLE_RATE) for n in range(10_000)}
    assert max(counts) - min(counts) <= 1


# picture and sound through the sending thread, on a clock of the test's


class Silence:
    """A mixer that is asked for the right instants: one block after the other, none twice."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def mix(self, first: int, count: int) -> Any:
        self.asked.append((first, count))
        return np.zeros((2, count), np.float32)


class Plain:
    """A slate that is grey."""

    def at(self, state: ShowState, t: float) -> Any:
        return np.full((TINY.height * 3 // 2, TINY.width), 128, np.uint8)


class Show:
    """The sending thread's loop, run by the test's thread on a virtual clock; ``step`` is called for each frame."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, form: Format = TINY) -> None:
        self.clock = TwoClocks()
        self.pace = Pace(form.fps, self.clock)
        self.packets: list[Packet] = []
        self.shown: list[m.Shown] = []
        self.mixer = Silence()
        self.slot = Slot()
        self.form = form
        self.ahead = Ahead(ShowState(on_air=OnAir("slate")), None)
        self.sending = Sending(
            Encoder(form, "libx264"), self.mixer, self.pace, self.slot, self.ahead, Plain(),  # type: ignore[arg-type]
            hand_on=self.packets.append, shown=self.shown.append,
        )  # fmt: skip
        self.frames_left = 0
        self.late_s: dict[int, float] = {}
        self.missing: set[int] = set()
        monkeypatch.setattr("sothebais.stream.media.sending.time.monotonic", self.clock.monotonic)
        monkeypatch.setattr(self.slot, "take", self._take)
        self._picture = np.full((form.height * 3 // 2, form.width), 60, np.uint8)

    def _take(self, frame: int, left: Any) -> Composed | None:
        """Time passes here: until the frame is due, and longer where the test wants it late."""
        self.clock.both(max(0.0, self.pace.left(frame)) + self.late_s.get(frame, 0.0))
        self.frames_left -= 1
        if self.frames_left <= 0:
            self.sending.stop()
        if frame in self.missing:
            return None
        return Composed(frame, self._picture, self.pace.at(frame), f"0.{frame}.0")

    def run(self, frames: int) -> None:
        self.frames_left = frames
        self.sending.run()
        if self.sending.failure is not None:
            raise self.sending.failure

    def apart(self) -> float:
        """Seconds between the ends of picture and sound."""
        video = max(Fraction(one.pts + 1, self.form.fps) for one in self.packets if one.kind == "video")
        audio = max(Fraction(one.pts + one.duration, SAMPLE_RATE) for one in self.packets if one.kind == "audio")
        return float(abs(video - audio))


def test_picture_and_sound_end_together_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    show = Show(monkeypatch, Format(width=16, height=16, fps=30, preset="ultrafast", video_kbps=200))
    # an hour, of which the machine slept all but the ends
    show.late_s = {150: 3_590.0}
    show.run(300)
    assert show.apart() <= 0.04
    assert max(one.pts for one in show.packets if one.kind == "video") >= 3_595 * 30
    assert show.sending.counts.dropped == 3_590 * 30 - 1
    blocks = show.mixer.asked
    assert all(later >= first + count for (first, count), (later, _) in pairwise(blocks))


def test_a_short_stall_leaves_pictures_out_and_no_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    show = Show(monkeypatch)
    show.late_s = {60: 0.5}
    show.run(90)
    pictures = [one.pts for one in show.packets if one.kind == "video"]
    assert [b - a for a, b in pairwise(pictures) if b - a > 1] == [15]
    sounds = [one.pts for one in show.packets if one.kind == "audio"]
    assert {b - a for a, b in pairwise(sounds)} == {1_024}
    assert show.apart() <= 0.04
    assert show.sending.counts.dropped == 14
    assert all(later == first + count for (first, count), (later, _) in pairwise(show.mixer.asked))


def test_frames_that_are_only_a_little_late_are_all_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    show = Show(monkeypatch)
    show.late_s = dict.fromkeys(range(30, 60, 6), 0.09) | {75: BEHIND_S_MAX - 0.01}
    show.run(90)
    pictures = [one.pts for one in show.packets if one.kind == "video"]
    assert {b - a for a, b in pairwise(pictures)} == {1}
    assert show.sending.counts.dropped == 0


def test_without_a_picture_the_last_one_stays_a_second_and_then_the_slate_until_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    show = Show(monkeypatch)
    show.missing = set(range(40, 100))
    show.run(120)
    told = [(one.pts_us, one.position) for one in show.shown]
    slate = [at for at, position in told if position is None]
    assert slate == [70 * 1_000_000 // 30]  # 31 frames after the last one, which was 39
    back = [at for at, position in told if position == "0.100.0"]
    assert back == [100 * 1_000_000 // 30]
    assert show.sending.counts.late == 60
    assert not show.sending.counts.slate


def test_before_the_first_picture_there_is_the_slate(monkeypatch: pytest.MonkeyPatch) -> None:
    show = Show(monkeypatch)
    show.missing = {1, 2, 3}
    show.run(10)
    assert [one.position for one in show.shown][:2] == [None, "0.4.0"]
    assert [one.pts for one in show.packets if one.kind == "video"] == list(range(1, 11))


def test_key_frames_that_are_asked_for_lie_half_a_second_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    show = Show(monkeypatch, Format(width=64, height=48, key_interval_s=10.0, preset="ultrafast"))
    plain = show._take

    def asking(frame: int, left: Any) -> Composed | None:
        show.sending.ask_key()
        return plain(frame, left)

    monkeypatch.setattr(show.slot, "take", asking)
    show.run(90)
    keys = [one.pts for one in show.packets if one.kind == "video" and one.key]
    assert all(15 <= b - a <= 16 for a, b in pairwise(keys))


def test_a_wall_clock_set_back_takes_no_sound_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    show = Show(monkeypatch)
    plain = show.clock.both

    def both(seconds: float) -> None:
        plain(seconds)
        if show.clock.mono > 52.0:
            show.clock.wall -= 5_000

    monkeypatch.setattr(show.clock, "both", both)
    show.run(150)
    assert show.pace.moved == 1
    assert show.sending.mixer_ahead_ms == pytest.approx(5_000, abs=2)
    assert all(later == first + count for (first, count), (later, _) in pairwise(show.mixer.asked))
    assert [one.at for one in show.packets if one.kind == "video"][-1] == pytest.approx(show.clock.wall, abs=40)


def test_an_encoder_that_fails_ends_the_thread_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    show = Show(monkeypatch)

    def broken(*_: Any, **__: Any) -> list[Packet]:
        raise RuntimeError("the encoder is gone")

    monkeypatch.setattr(show.sending._encoder, "picture", broken)
    with pytest.raises(RuntimeError, match="the encoder is gone"):
        show.run(10)


# from the composer to the encoder


def a_picture(frame: int) -> Composed:
    return Composed(frame, np.zeros((1, 1), np.uint8), 0.0, None)


def test_a_frame_is_taken_as_soon_as_it_is_there() -> None:
    slot = Slot()
    threading.Timer(0.05, slot.put, [a_picture(7)]).start()
    deadline = time.monotonic() + PATIENCE_S
    taken = slot.take(7, lambda: deadline - time.monotonic())
    assert taken is not None
    assert taken.frame == 7


def test_when_time_is_up_the_newest_before_is_taken_and_none_where_there_is_none() -> None:
    slot = Slot()
    assert slot.take(3, lambda: 0.0) is None
    slot.put(a_picture(1))
    slot.put(a_picture(2))
    taken = slot.take(5, lambda: -1.0)
    assert taken is not None
    assert taken.frame == 2
    assert slot.take(5, lambda: 0.0) is None  # nothing is taken twice


def test_one_that_fell_behind_gets_the_oldest_that_is_still_whole() -> None:
    slot = Slot()
    for frame in range(1, 6):
        slot.put(a_picture(frame))
    found = [slot.take(frame, lambda: 0.0) for frame in (2, 3)]
    assert [one and one.frame for one in found] == [4, 5]
    slot.put(a_picture(6))
    taken = slot.take(6, lambda: 0.0)
    assert taken is not None
    assert taken.frame == 6


def a_state(text: str) -> ShowState:
    return ShowState(on_air=OnAir("slate"), notice=Notice(text))


def said(ahead: Ahead, t: float) -> tuple[str, str | None]:
    state, position = ahead.at(t)
    return state.notice.sentence, position


def test_states_that_lie_ahead_are_shown_when_they_begin() -> None:
    ahead = Ahead(a_state("first"), "1")
    ahead.put(100, a_state("second"), "2")
    ahead.put(200, a_state("third"), "3")
    assert [said(ahead, t)[0] for t in (0, 99.9, 100, 199, 200, 9_999)] == [
        "first", "first", "second", "second", "third", "third",
    ]  # fmt: skip
    assert said(ahead, 0) == ("third", "3")  # what is over does not come back


def test_another_state_takes_the_place_of_those_that_were_to_come_later() -> None:
    ahead = Ahead(a_state("first"), "1")
    for since in (100, 200, 300):
        ahead.put(since, a_state(f"old {since}"), "2")
    ahead.put(200, a_state("new"), "3")
    assert [said(ahead, t)[0] for t in (50, 150, 250, 350)] == ["first", "old 100", "new", "new"]
    ahead.put(1, a_state("earlier than anything"), "4")
    assert said(ahead, 0) == ("earlier than anything", "4")


def test_too_many_states_ahead_never_show_one_before_its_time() -> None:
    ahead = Ahead(a_state("on"), "0")
    for n in range(1, STATES_MAX + 4):
        ahead.put(n * 100, a_state(f"{n}"), f"{n}")
    assert len(ahead._states) == STATES_MAX + 1
    assert said(ahead, 99)[0] == "on"
    for n in range(4, STATES_MAX + 4):
        assert said(ahead, n * 100)[0] == f"{n}"


def test_in_any_order_of_messages_a_state_shows_at_its_time_until_the_next() -> None:
    rng = random.Random(4)
    for _ in range(200):
        ahead, now, last = Ahead(a_state("0"), None), 0, (0, "0")
        for n in range(1, 12):
            now += rng.randrange(0, 50)
            ahead.put(now, a_state(f"{n}"), None)
            last = (now, f"{n}")
            t = now + rng.randrange(0, 30)
            assert said(ahead, t)[0] == last[1]
            now = t


def test_editing_keeps_times_and_places() -> None:
    ahead = Ahead(a_state("first"), "1")
    ahead.put(100, a_state("second"), "2")
    ahead.change(lambda state: a_state(state.notice.sentence.upper()))
    assert (said(ahead, 0), said(ahead, 100)) == (("FIRST", "1"), ("SECOND", "2"))


# the link


class Manager:
    """The other end: reads when it is told to."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        self.link = Link(theirs)
        self.socket.settimeout(PATIENCE_S)

    def read(self, count: int) -> list[m.FromMedia]:
        return [self._one() for _ in range(count)]

    def _one(self) -> m.FromMedia:
        return m.from_media.decode(self._exactly(int.from_bytes(self._exactly(4), "big")))

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += self.socket.recv(count - len(data))
        return data


def live(kind: int, pts: int, flags: int = 0, size: int = 100_000) -> m.Live:
    return m.Live(kind, flags, pts, 0, 0, bytes(size))


def test_a_manager_that_does_not_read_loses_whole_groups_of_pictures_and_nothing_else() -> None:
    manager = Manager()
    link = manager.link
    begun = time.monotonic()
    for n in range(200):
        link.send(live(m.VIDEO, n, m.KEY if n % 50 == 0 else 0))
        link.send(live(m.AUDIO, n, size=100))
    link.send(live(m.FRAGMENT, 0, m.INITIAL))
    link.send(m.Bye())
    assert time.monotonic() - begun < PATIENCE_S / 2  # it never waits
    assert link.left_out > 0
    link.send(m.Report(_report()))
    found: list[m.FromMedia] = []
    while not (found and isinstance(found[-1], m.Live) and found[-1].flags & m.INITIAL):
        found += manager.read(1)
    assert m.Bye() in found
    assert m.Report(_report()) in found
    pictures = [one.pts_us for one in found if isinstance(one, m.Live) and one.kind == m.VIDEO]
    assert len(pictures) < 200
    assert all(b == a + 1 or b % 50 == 0 for a, b in pairwise(pictures))
    for n in range(200, 260):  # now it reads: pictures come again from the next key frame on
        link.send(live(m.VIDEO, n, m.KEY if n % 50 == 0 else 0, size=100))
    link.send(m.Bye())
    rest = []
    while not rest or rest[-1] != m.Bye():
        rest += manager.read(1)
    link.close(1.0)
    assert isinstance(rest, list)


def _report() -> Any:
    from sothebais.stream.outputs.model import OutputReport

    return OutputReport(name="x", kind="RTMP", up=True)


def test_after_a_hole_pictures_come_from_the_next_key_frame_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "LIVE_BYTES_MAX", 1_000)
    link = Link.__new__(Link)
    link._live, link._live_bytes, link._await_key = link_module.deque(), 0, set()
    taken = []
    for n in range(12):
        room = 0 if n == 3 else 1_000
        link._live_bytes = 1_000 - room
        taken.append(link._takes(live(m.VIDEO, n, m.KEY if n % 5 == 0 else 0, size=10)))
    assert taken == [True, True, True, False, False, True, True, True, True, True, True, True]
    link._live_bytes = 991
    assert not link._takes(live(m.AUDIO, 0, size=10))
    link._live_bytes = 990
    assert link._takes(live(m.AUDIO, 0, size=10))  # the bound itself; sound needs no beginning


def test_of_many_messages_that_wait_readings_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "MESSAGES_MAX", 4)
    link = Link.__new__(Link)
    link._news = threading.Condition()
    link._messages = link_module.deque()
    for message in (m.Report(_report()), m.Shown(1, "a", 0), m.Shown(2, "b", 0), m.Bye(), m.Shown(3, "c", 0)):
        link.send(message)
    assert list(link._messages) == [m.Report(_report()), m.Shown(2, "b", 0), m.Bye(), m.Shown(3, "c", 0)]


def test_what_cannot_be_read_is_told_and_what_follows_is_read() -> None:
    manager = Manager()
    junk = b"\xc1not a message"
    manager.socket.sendall(len(junk).to_bytes(4, "big") + junk + m.encode(m.Bed(True)))
    manager.socket.shutdown(socket.SHUT_WR)
    assert list(manager.link.receive()) == [m.Bed(True)]
    (fault,) = manager.read(1)
    assert isinstance(fault, m.Fault)
    assert fault.component == "ENCODER"
    manager.link.close(1.0)


@pytest.mark.parametrize("rest", [b"", b"\0\0", b"\0\0\0\x09half", b"\xff\xff\xff\xff"])
def test_a_manager_that_breaks_off_ends_the_reading(rest: bytes) -> None:
    manager = Manager()
    manager.socket.sendall(m.encode(m.Bed(False)) + rest)
    manager.socket.close()
    assert list(manager.link.receive()) == [m.Bed(False)]
    manager.link.close(1.0)


def test_a_message_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(m, "MESSAGE_BYTES_MAX", 67)
    assert len(m.encode(m.Picture("a", bytes(40)))) == 4 + 67
    with pytest.raises(ValueError, match="a message of 68 bytes is longer than 67"):
        m.encode(m.Picture("a", bytes(41)))
