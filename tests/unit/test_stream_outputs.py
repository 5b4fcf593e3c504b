"""An output neither holds up the show nor gives up: bounded, off the clock, back with a key frame, and discreet."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from av.error import ExitError, FFmpegError
from av.error import InvalidDataError as AvInvalidData

from sothebais.stream.encoder import Packet
from sothebais.stream.outputs import output as module
from sothebais.stream.outputs.model import (
    AT_FIRST_S,
    BACKOFF_S,
    BACKOFF_S_MAX,
    BACKOFF_S_MAX_AT_FIRST,
    OutputReading,
    OutputReport,
    OutputSpec,
    longer,
)
from sothebais.stream.outputs.output import Output, SinkRefused, reason_of
from sothebais.stream.rate import BEHIND_PACKETS, CALM_PACKETS, CALM_S, CALM_S_MAX, CHANGE_EVERY_S, RateControl

SECRET = "rtmp://server/live/SECRET-KEY"
SPEC = OutputSpec(name="x", kind="RTMP", target=SECRET)
PATIENCE_S = 10.0


def video(pts: int, *, key: bool = False) -> Packet:
    return Packet("video", b"v" * 10, pts, pts, 1, key, 0.0)


def audio(pts: int) -> Packet:
    return Packet("audio", b"a" * 3, pts, pts, 1_024, True, 0.0)


class Sink:
    """Keeps what it is given; ``gate`` holds it up, ``fault`` ends it."""

    def __init__(self) -> None:
        self.taken: list[Packet] = []
        self.gate = threading.Event()
        self.gate.set()
        self.fault: Exception | None = None
        self.closed: bool | None = None

    def write(self, packet: Packet) -> None:
        assert self.gate.wait(PATIENCE_S)
        if self.fault is not None:
            raise self.fault
        self.taken.append(packet)

    def close(self, *, ended: bool = False) -> None:
        assert self.gate.wait(PATIENCE_S)
        self.closed = ended


class Rig:
    """An output whose sinks come from a list; an exception in it is a refusal."""

    def __init__(self, *offered: Sink | Exception, packets_max: int = 20) -> None:
        self.offered = list(offered)
        self.opened_at: list[float] = []
        self.reports: list[OutputReport] = []
        self.keys_asked = 0
        self.output = Output(SPEC, self._open, report=self.reports.append, ask_key=self._ask, packets_max=packets_max)

    def _open(self) -> Sink:
        self.opened_at.append(time.monotonic())
        found = self.offered.pop(0) if len(self.offered) > 1 else self.offered[0]
        if isinstance(found, Exception):
            raise found
        return found

    def _ask(self) -> None:
        self.keys_asked += 1

    def until(self, look: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not look():
            assert time.monotonic() < deadline, what
            time.sleep(0.002)

    def up(self, times: int = 1) -> None:
        # it is up when it has asked for a key frame, which it then waits for
        self.until(lambda: self.keys_asked >= times, "the output comes up")


@pytest.fixture
def rigs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Rig]]:
    monkeypatch.setattr(module, "BACKOFF_S", 0.01)
    made: list[Rig] = []
    yield made
    for rig in made:
        for one in rig.offered:
            if isinstance(one, Sink):
                one.gate.set()
        rig.output.ask_to_stop()
        assert rig.output.join(PATIENCE_S)


def test_it_begins_with_a_key_frame_and_takes_everything_then(rigs: list[Rig]) -> None:
    sink = Sink()
    rigs.append(rig := Rig(sink))
    rig.up()
    given = [audio(0), video(1), audio(2), video(3, key=True), audio(4), video(5)]
    for packet in given:
        rig.output.feed(packet)
    rig.until(lambda: len(sink.taken) == 3, "three packets are written")
    assert sink.taken == given[3:]
    reading = rig.output.reading()
    assert (reading.up, reading.waiting, reading.dropped, reading.sent_bytes) == (True, 0, 0, 23)
    assert [(one.up, one.attempts, one.down_ms) for one in rig.reports] == [(True, 1, None)]


def test_what_waits_is_bounded_and_one_too_many_begins_anew_with_a_key_frame(rigs: list[Rig]) -> None:
    sink = Sink()
    rigs.append(rig := Rig(sink, packets_max=20))
    rig.up()
    sink.gate.clear()
    rig.output.feed(video(0, key=True))
    rig.until(lambda: rig.output.waiting == 0, "the first packet is being written")
    for pts in range(1, 21):
        rig.output.feed(video(pts))
    assert (rig.output.waiting, rig.output.reading().dropped, rig.keys_asked) == (20, 0, 1)
    rig.output.feed(video(21))
    assert (rig.output.waiting, rig.output.reading().dropped, rig.keys_asked) == (0, 21, 2)
    rig.output.feed(video(22))
    rig.output.feed(audio(23))
    assert rig.output.waiting == 0
    rig.output.feed(video(24, key=True))
    rig.output.feed(audio(25))
    sink.gate.set()
    rig.until(lambda: len(sink.taken) == 3, "the rest is written")
    assert [packet.pts for packet in sink.taken] == [0, 24, 25]
    assert len(rig.reports) == 1  # it was never lost


def test_a_sink_that_hangs_holds_up_nobody(rigs: list[Rig]) -> None:
    sink = Sink()
    rigs.append(rig := Rig(sink))
    rig.up()
    sink.gate.clear()
    longest = 0.0
    for pts in range(2_000):
        begun = time.perf_counter()
        rig.output.feed(video(pts, key=pts % 30 == 0))
        longest = max(longest, time.perf_counter() - begun)
    assert rig.output.waiting <= 20
    # another thread may have had the processor; a write that is waited for lasts as long as the test's patience
    assert longest < 1.0
    rig.output.ask_to_stop()
    assert not rig.output.join(0.05)


def test_a_loss_is_told_once_without_the_address_and_the_next_connection_begins_with_a_key_frame(
    rigs: list[Rig],
) -> None:
    first, second = Sink(), Sink()
    refusal = ConnectionRefusedError(111, "Connection refused", SECRET)
    rigs.append(rig := Rig(first, refusal, refusal, second))
    rig.up()
    rig.output.feed(video(0, key=True))
    rig.until(lambda: first.taken, "the first packet is written")
    first.fault = BrokenPipeError(32, "Broken pipe", SECRET)
    rig.output.feed(video(1))
    rig.up(2)
    assert first.closed is False
    for packet in (video(2), audio(3), video(4, key=True)):
        rig.output.feed(packet)
    rig.until(lambda: second.taken, "the second connection takes packets")
    assert [packet.pts for packet in second.taken] == [4]
    told = [(one.up, one.reason, one.attempts) for one in rig.reports]
    assert told == [(True, "", 1), (False, "Broken pipe", 1), (True, "", 3)]
    assert rig.reports[1].retrying
    assert rig.reports[2].down_ms is not None
    assert SECRET not in repr(rig.reports) + repr(rig.output.spec) + repr(rig.output.reading())


def test_a_server_that_is_not_there_at_first_is_told_of_once(rigs: list[Rig]) -> None:
    sink = Sink()
    rigs.append(rig := Rig(*[SinkRefused("not now")] * 4, sink))
    rig.up()
    told = [(one.up, one.reason, one.attempts, one.down_ms) for one in rig.reports]
    assert told == [(False, "not now", 1, None), (True, "", 5, None)]
    assert len(rig.opened_at) == 5


def test_a_server_that_drops_it_again_and_again_is_asked_less_and_less_often(
    rigs: list[Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[float, float]] = []

    def longer_(wait_s: float, away_s: float) -> float:
        asked.append((wait_s, away_s))
        return wait_s

    monkeypatch.setattr(module, "longer", longer_)
    sink = Sink()
    sink.fault = ConnectionResetError(104, "Connection reset")
    rigs.append(rig := Rig(sink))
    for times in range(1, 5):
        rig.up(times)
        rig.output.feed(video(times, key=True))
    rig.up(5)
    assert len(asked) == 4
    away = [one for _, one in asked]
    assert away == sorted(away)  # counted from the beginning, not from each loss
    assert away[-1] > 0.02
    # one that was up for long begins anew
    monkeypatch.setattr(module, "STEADY_S", 0.0)
    rig.output.feed(video(9, key=True))
    rig.up(6)
    assert len(asked) == 4


@pytest.mark.parametrize(
    "fault", [KeyError("odd"), TypeError("odd"), MemoryError(), RuntimeError("odd"), FFmpegError(5, "io", SECRET)]
)
def test_whatever_a_library_raises_the_output_comes_back(rigs: list[Rig], fault: Exception) -> None:
    first, second = Sink(), Sink()
    first.fault = fault
    rigs.append(rig := Rig(fault, first, second))
    rig.up()
    rig.output.feed(video(0, key=True))
    rig.up(2)
    assert [one.up for one in rig.reports] == [False, True, False, True]
    assert SECRET not in repr(rig.reports)


def test_stopping_writes_what_waits_closes_and_ends(rigs: list[Rig]) -> None:
    sink = Sink()
    rigs.append(rig := Rig(sink))
    rig.up()
    sink.gate.clear()
    for pts in range(10):
        rig.output.feed(video(pts, key=pts == 0))
    rig.output.ask_to_stop(ended=True)
    rig.output.feed(video(10, key=True))
    sink.gate.set()
    assert rig.output.join(PATIENCE_S)
    assert [packet.pts for packet in sink.taken] == list(range(10))
    assert sink.closed is True
    assert [one.up for one in rig.reports] == [True]


def test_stopping_does_not_wait_for_the_next_attempt(rigs: list[Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF_S", 600.0)
    rigs.append(rig := Rig(SinkRefused("never")))
    rig.until(lambda: rig.reports, "the refusal is told")
    rig.output.ask_to_stop()
    assert rig.output.join(PATIENCE_S)


def test_waits_double_stay_short_at_first_and_are_bounded() -> None:
    waits = [BACKOFF_S]
    for _ in range(4):
        waits.append(longer(waits[-1], AT_FIRST_S - 0.001))
    assert waits == [0.25, 0.5, 0.5, 0.5, 0.5] == [BACKOFF_S, *[BACKOFF_S_MAX_AT_FIRST] * 4]
    for _ in range(4):
        waits.append(longer(waits[-1], AT_FIRST_S))
    assert waits[-4:] == [1.0, 2.0, 4.0, BACKOFF_S_MAX]


def test_a_reason_never_has_the_address() -> None:
    assert reason_of(OSError(110, "Connection timed out", SECRET)) == "Connection timed out"
    assert reason_of(AvInvalidData(1, "Invalid data", SECRET)) == "Invalid data"
    assert reason_of(ValueError(f"could not open {SECRET}")) == "ValueError"
    assert reason_of(ExitError(1, "Immediate exit requested", SECRET)) == "the server took nothing for too long"
    assert reason_of(SinkRefused("the disk is short")) == "the disk is short"


# the bit rate


def reading(
    waiting: int, *, name: str = "x", kind: str = "RTMP", up: bool = True, sent_kbit: float = 0
) -> OutputReading:
    sent = round(sent_kbit * 125)
    return OutputReading(name=name, kind=kind, up=up, waiting=waiting, dropped=0, sent_bytes=sent)  # type: ignore[arg-type]


def test_the_rate_falls_while_an_output_cannot_keep_up_and_no_further_than_its_least() -> None:
    control = RateControl(3_000, 800)
    assert control.decide([reading(BEHIND_PACKETS - 1)], 0.0) is None
    assert control.decide([reading(0), reading(BEHIND_PACKETS, name="y")], 1.0) == (
        3_000, 2_100, "y cannot keep up", "y",
    )  # fmt: skip
    assert control.decide([reading(BEHIND_PACKETS)], 1.0 + CHANGE_EVERY_S - 0.01) is None
    found = [control.decide([reading(BEHIND_PACKETS)], 1.0 + CHANGE_EVERY_S * n) for n in range(1, 6)]
    assert [one and one[1] for one in found] == [1_470, 1_029, 800, None, None]
    assert control.kbps == 800


def test_the_rate_rises_after_a_calm_and_no_further_than_it_was() -> None:
    control = RateControl(1_000, 100)
    control.decide([reading(BEHIND_PACKETS)], 0.0)
    assert control.decide([reading(CALM_PACKETS)], 10.0) is None
    assert control.decide([reading(CALM_PACKETS + 1)], 10.0 + CALM_S - 1) is None  # not calm: it counts anew
    assert control.decide([reading(CALM_PACKETS)], 50.0) is None
    assert control.decide([reading(0)], 50.0 + CALM_S - 0.01) is None
    assert control.decide([reading(0)], 50.0 + CALM_S) == (700, 875, "all outputs keep up", None)
    assert control.decide([reading(0)], 50.0 + 2 * CALM_S) == (875, 1_000, "all outputs keep up", None)
    assert control.decide([reading(0)], 50.0 + 3 * CALM_S) is None


def test_the_rate_falls_below_what_the_output_was_seen_to_take_and_waits_while_it_catches_up() -> None:
    control = RateControl(6_000, 500)
    # 3,000 kbit/s, once a little more: the lesser of two readings counts
    assert control.decide([reading(0, sent_kbit=1_000)], 0.0) is None
    assert control.decide([reading(20, sent_kbit=4_000)], 1.0) is None
    found = control.decide([reading(BEHIND_PACKETS, sent_kbit=7_500)], 2.0)
    assert found == (6_000, 2_250, "x cannot keep up", "x")
    # more waits than before, and goes faster than more comes
    for second in range(3, 20):
        assert control.decide([reading(200, sent_kbit=7_500 + 3_000 * (second - 2))], float(second)) is None
    # it takes less than that now
    sent = 7_500 + 3_000 * 17
    assert control.decide([reading(200, sent_kbit=sent + 1_200)], 20.0) is not None
    assert control.kbps == 900


def test_a_reading_too_soon_and_one_of_another_process_measure_nothing() -> None:
    control = RateControl(6_000, 500)
    control.decide([reading(0, sent_kbit=90_000)], 0.0)
    control.decide([reading(0, sent_kbit=90_001)], 0.1)
    control.decide([reading(0, sent_kbit=10)], 1.0)
    assert control.decide([reading(BEHIND_PACKETS, sent_kbit=20)], 1.2) == (6_000, 4_200, "x cannot keep up", "x")


def test_a_rise_that_was_too_much_makes_the_next_one_wait_longer_until_it_was_calm_for_long() -> None:
    control, now = RateControl(1_000, 100), 0.0
    waits = []
    for _ in range(6):
        assert control.decide([reading(BEHIND_PACKETS)], now) is not None
        begun = now = now + CHANGE_EVERY_S
        while (changed := control.decide([reading(0)], now)) is None:
            now += 1.0
        assert changed[2] == "all outputs keep up"
        waits.append(now - begun)
        now += CHANGE_EVERY_S
    assert waits == [CALM_S, 2 * CALM_S, 4 * CALM_S, 8 * CALM_S, CALM_S_MAX, CALM_S_MAX]
    while control.kbps < control.kbps_max:
        now += 1.0
        control.decide([reading(0)], now)
    for _ in range(int(CALM_S_MAX) + 1):
        now += 1.0
        control.decide([reading(0)], now)
    control.decide([reading(BEHIND_PACKETS)], now)
    control.decide([reading(0)], now + 5)
    assert control.decide([reading(0)], now + 5 + CALM_S) is not None


def test_files_and_outputs_that_are_away_do_not_lower_the_rate() -> None:
    control = RateControl(1_000, 100)
    away = [reading(300, kind="HLS"), reading(300, kind="RECORDING"), reading(300, up=False)]
    assert control.decide(away, 100.0) is None
    assert control.kbps == 1_000
    assert RateControl(500, 800).kbps_min == 500
