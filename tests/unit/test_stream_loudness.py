"""Loudness and true peaks against the published test signals, and against another implementation."""

from fractions import Fraction

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from sothebais.sound import mono
from sothebais.stream.audio import loudness
from sothebais.stream.audio.limiter import DELAY, Limiter
from sothebais.stream.audio.signals import RATE, amplitude, convolved, db

rng = np.random.default_rng(3)


def sine(level_db: float, seconds: float, frequency: float = 1_000, phase: float = 0.0) -> NDArray[np.float32]:
    t = np.arange(round(seconds * RATE)) / RATE
    return (amplitude(level_db) * np.sin(2 * np.pi * frequency * t + phase)).astype(np.float32)


def stereo(*parts: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.tile(np.concatenate(parts), (2, 1))


def test_the_signals_of_ebu_tech_3341_read_as_they_must() -> None:
    # cases 1 to 5: a steady tone at two levels, then quiet and loud parts for both gates
    quiet, loud, silent = sine(-36, 10), sine(-23, 60), sine(-72, 10)
    for signal, wanted in (
        (stereo(sine(-23, 20)), -23),
        (stereo(sine(-33, 20)), -33),
        (stereo(quiet, loud, quiet), -23),
        (stereo(silent, quiet, loud, quiet, silent), -23),
        (stereo(sine(-26, 20), sine(-20, 20.1), sine(-26, 20)), -23),
    ):
        assert loudness.integrated(signal) == pytest.approx(wanted, abs=0.1)


def test_a_mono_signal_is_measured_as_it_is_heard_from_both_sides() -> None:
    tone = sine(-23, 3)
    assert loudness.integrated(tone) == pytest.approx(loudness.integrated(stereo(tone)), abs=1e-6)


def test_another_meter_reads_the_same_of_noise_that_comes_and_goes() -> None:
    noise = rng.standard_normal((2, 12 * RATE)).astype(np.float32) * 0.08
    noise *= np.repeat(np.array([1, 0.2, 0.6, 0.01, 1.5, 0.4], np.float32), 2 * RATE)
    graph = av.filter.Graph()
    source = graph.add_abuffer(format="fltp", sample_rate=RATE, layout="stereo", time_base=Fraction(1, RATE))
    meter, sink = graph.add("ebur128", "metadata=1:peak=true"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    graph.push(frame)
    graph.push(None)
    said: dict[str, str] = {}
    momentary: list[float] = []
    while True:
        try:
            frame = graph.pull()
        except (av.error.EOFError, av.error.BlockingIOError):
            break
        said = dict(frame.metadata)
        momentary.append(float(said["lavfi.r128.M"]))
    assert loudness.integrated(noise) == pytest.approx(float(said["lavfi.r128.I"]), abs=0.1)
    ours = loudness.momentary(noise)
    assert np.allclose(momentary[3 : 3 + len(ours)], ours, atol=0.15)
    assert loudness.true_peak(noise) == pytest.approx(db(float(said["lavfi.r128.true_peak"])), abs=0.3)


def test_silence_and_nothing_have_no_loudness() -> None:
    assert loudness.integrated(np.zeros(RATE, np.float32)) == -np.inf
    assert loudness.integrated(np.zeros(0, np.float32)) == -np.inf
    assert loudness.true_peak(np.zeros(100, np.float32)) == -np.inf
    assert len(loudness.momentary(np.zeros(100, np.float32))) == 0


def test_what_is_shorter_than_a_block_counts_whole() -> None:
    assert loudness.integrated(sine(-20, 0.3)) == pytest.approx(-20, abs=0.5)


def test_a_peak_between_two_samples_is_found() -> None:
    # a quarter of the rate, an eighth of a turn on: every sample at 0.707, the wave at 1
    tone = sine(-6, 0.2, RATE / 4, np.pi / 4)
    assert db(float(np.abs(tone).max())) == pytest.approx(-9.01, abs=0.01)
    assert loudness.true_peak(tone) == pytest.approx(-6, abs=0.4)


def test_peaks_between_samples_are_found_where_they_are_at_any_length() -> None:
    for count in (12, 43, 44, 75, 200):
        click = np.zeros((2, count), np.float32)
        click[1, count // 2] = 1
        peaks = loudness.peaks_between(click)
        assert peaks.shape == (count - 11,)
        place = int(peaks.argmax())
        assert {place + 5, place + 6} & {count // 2}


def test_filtering_by_blocks_is_filtering() -> None:
    signal, response = rng.standard_normal((2, 10_000)), rng.standard_normal(700)
    whole = np.stack([np.convolve(channel, response)[:10_000] for channel in signal])
    assert np.allclose(convolved(signal, response), whole)


def test_speech_is_mono_single_precision_and_finite() -> None:
    for shape in ((7,), (1, 7), (7, 1)):
        assert mono(np.ones(shape, np.float32)).shape == (7,)
    for wrong in (np.ones((2, 7), np.float32), np.ones(7), np.full(7, np.nan, np.float32)):
        with pytest.raises(Exception, match=r"mono float32|finite"):
            mono(wrong)


class TestLimiter:
    def blocks(self, signal: NDArray[np.float32], sizes: tuple[int, ...] = (1_600,)) -> NDArray[np.float32]:
        limiter, at, out, turn = Limiter(), 0, [], 0
        signal = np.pad(signal, ((0, 0), (0, DELAY)))
        while at < signal.shape[1]:
            size = sizes[turn % len(sizes)]
            out.append(limiter.push(signal[:, at : at + size]))
            at, turn = at + size, turn + 1
        return np.concatenate(out, axis=1)[:, DELAY:]

    def loud(self) -> NDArray[np.float32]:
        hits = rng.standard_normal((2, RATE)).astype(np.float32) * 0.3
        hits[:, ::4_801] *= 8
        hits[0, 20_000:26_000] *= 4
        return hits

    def test_no_true_peak_passes_the_ceiling(self) -> None:
        for signal in (self.loud(), stereo(sine(6, 1, RATE / 4, np.pi / 4)), stereo(sine(4, 1, 97))):
            assert loudness.true_peak(signal) > 0
            assert loudness.true_peak(self.blocks(signal)) <= -1.0

    def test_what_is_quiet_passes_bit_by_bit(self) -> None:
        for level in (-30, -2):
            signal = stereo(sine(level, 0.5, 440))
            assert np.array_equal(self.blocks(signal), signal)

    def test_the_size_of_blocks_changes_nothing(self) -> None:
        signal = self.loud()
        odd = self.blocks(signal, (1, 7, 64, 801, 1_600))
        assert np.allclose(self.blocks(signal), odd, atol=1e-6)

    def test_the_gain_comes_back_after_a_peak(self) -> None:
        signal = stereo(sine(-20, 1, 440))
        signal[:, 10_000] = 3
        out = self.blocks(signal)
        assert np.abs(out[:, 10_100:10_400]).max() < 0.6 * np.abs(signal[:, 10_100:10_400]).max()
        assert np.array_equal(out[:, 40_000:], signal[:, 40_000:])
