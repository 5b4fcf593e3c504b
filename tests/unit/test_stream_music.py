"""The bed and the cues, judged by numbers: level, spectrum, seam, ends."""

from itertools import pairwise
from time import process_time

import numpy as np
import pytest

from sothebais.stream.audio import bed, cues, loudness
from sothebais.stream.audio.cues import Cue, sound_of
from sothebais.stream.audio.signals import RATE, db


@pytest.fixture(scope="module")
def loop() -> np.ndarray:
    return bed.music()[:, : bed.LOOP_SAMPLES]


@pytest.mark.quiet
def test_the_bed_is_made_in_less_than_three_seconds_and_once(loop: np.ndarray) -> None:
    bed.music.cache_clear()
    before = process_time()
    made = bed.music()
    assert process_time() - before < 3
    assert bed.music() is made
    # the same seed, the same evening
    assert np.array_equal(made[:, : bed.LOOP_SAMPLES], loop)
    with pytest.raises(ValueError, match="read-only"):
        made[0, 0] = 1


def test_it_lasts_between_one_and_two_minutes_in_stereo(loop: np.ndarray) -> None:
    assert loop.dtype == np.float32
    assert 60 * RATE <= loop.shape[1] <= 120 * RATE
    correlation = np.corrcoef(loop)[0, 1]
    assert 0.3 < correlation < 0.95


def test_the_loop_has_no_seam(loop: np.ndarray) -> None:
    assert np.array_equal(bed.music()[:, bed.LOOP_SAMPLES :], loop[:, : bed.WRAP])
    # across the seam as smooth as anywhere: in value, slope, and what is left above the music's own spectrum
    around = np.concatenate((loop[:, -2_048:], loop[:, :2_048]), axis=1)
    steps = np.abs(np.diff(around, 2))
    assert steps[:, 2_040:2_056].max() <= 1.5 * np.abs(np.diff(loop[:, : 10 * RATE], 2)).max()
    spectrum = np.abs(np.fft.rfft(around * np.hanning(4_096), axis=1))
    assert db(spectrum[:, 900:].max() / spectrum.max()) < -100


def test_it_is_quiet_and_even(loop: np.ndarray) -> None:
    assert loudness.integrated(loop) == pytest.approx(bed.BED_LUFS, abs=0.2)
    momentary = loudness.momentary(loop)
    assert momentary.max() < bed.BED_LUFS + 5
    assert momentary.min() > bed.BED_LUFS - 6
    assert loudness.true_peak(loop) < -14


def test_it_leaves_the_range_of_consonants_to_speech(loop: np.ndarray) -> None:
    power = np.square(np.abs(np.fft.rfft(loop[0].astype(np.float64))))
    frequency = np.fft.rfftfreq(loop.shape[1], 1 / RATE)

    def share(low: float, high: float) -> float:
        return 10 * float(np.log10(power[(frequency >= low) & (frequency < high)].sum() / power.sum()))

    assert share(0, 35) < -40
    assert share(2_000, 5_000) < -25
    assert share(9_500, 24_000) < -100
    assert share(100, 1_000) > -3


def test_another_seed_plays_another_evening(loop: np.ndarray) -> None:
    other = bed.music(8)[:, : bed.LOOP_SAMPLES]
    assert loudness.integrated(other) == pytest.approx(bed.BED_LUFS, abs=0.2)
    assert abs(np.corrcoef(other[0], loop[0])[0, 1]) < 0.9


@pytest.mark.parametrize("cue", list(Cue))
def test_a_cue_begins_and_ends_in_silence_at_its_level(cue: Cue) -> None:
    sound = sound_of(cue)
    assert loudness.true_peak(sound) == pytest.approx(cues.PEAK_DB[cue], abs=0.05)
    assert np.abs(sound[:, 0]).max() < 1e-3
    assert np.abs(sound[:, -1]).max() < 1e-6
    assert sound.shape[1] < 6 * RATE
    assert sound_of(cue) is sound


def onsets(sound: np.ndarray) -> list[float]:
    """Seconds at which it becomes louder by far within 10 ms."""
    energy = np.square(sound).sum(0)
    levels = energy[: len(energy) // 480 * 480].reshape(-1, 480).sum(1) + 1e-9
    rises = np.flatnonzero(levels[1:] > 2.5 * levels[:-1]) + 1
    return [float(place) / 100 for place in rises if levels[place] > 0.02 * levels.max()]


def test_the_warning_is_three_chimes_and_the_gavel_one_knock() -> None:
    chimes = onsets(np.pad(sound_of(Cue.FAIR_WARNING), ((0, 0), (960, 0))))
    apart = [b - a for a, b in pairwise(chimes) if b - a > 0.1]
    assert apart == pytest.approx([cues.CHIME_APART_S] * 2, abs=0.03)
    knock = sound_of(Cue.SOLD)
    assert loudness.momentary(np.pad(knock, ((0, 0), (0, RATE)))).argmax() == 0
    energy = np.cumsum(np.square(knock).sum(0))
    assert np.searchsorted(energy, 0.9 * energy[-1]) < 0.12 * RATE
