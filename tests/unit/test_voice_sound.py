"""Times, mouths, edges and files of speech, as values."""

import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sothebais.agent.voice import align, loudness, mouth, timing
from sothebais.agent.voice.onnx_outputs import NotReadable, outputs_of, with_output
from sothebais.agent.voice.ports import PACE_MAX, PACE_MIN, TEXT_LENGTH_MAX, Speech, SpokenWord, check, join, rested
from sothebais.agent.voice.symbols import PhonemeRun, Utterance
from sothebais.agent.voice.wav import NotSound, read_pcm, read_wav
from sothebais.errors import InvalidInput

RATE = 22_050


def laid(symbols: str, ms: float = 80.0) -> tuple[timing.SymbolTime, ...]:
    return timing.from_lengths(symbols, [ms] * len(symbols))


def opening_at(shapes: tuple[tuple[int, int], ...], ms: float) -> int:
    return [opening for at, opening in shapes if at <= ms][-1]


def test_the_mouth_is_shut_on_lips_and_in_rests_and_wide_on_open_vowels() -> None:
    times = laid("mɑmɑ,  ɑ", 140.0)
    shapes = mouth.shapes(times, length_ms=140 * 8)
    for time in times:
        middle = (time.start_ms + time.end_ms) / 2
        if time.symbol == "ɑ" and time is not times[-1]:
            assert opening_at(shapes, middle) == 3
        elif time.symbol in "m,":
            assert opening_at(shapes, middle) == 0, time


def test_a_closed_lip_between_two_vowels_is_seen_though_it_is_short() -> None:
    times = timing.from_lengths("ɑpɑ", [200, 45, 200])
    assert 0 in {opening for at, opening in mouth.shapes(times, length_ms=445) if 0 < at < 400}


def test_stress_belongs_to_the_vowel_after_it_and_length_to_the_one_before() -> None:
    marked = timing.from_lengths("ˈɑːs", [70, 70, 70, 210])
    plain = timing.from_lengths("ɑs", [210, 210])
    assert mouth.shapes(marked, length_ms=420) == mouth.shapes(plain, length_ms=420)


@given(st.lists(st.tuples(st.sampled_from("mɑəsɪˈː .,tw"), st.floats(0, 400)), max_size=60))
def test_a_mouth_never_changes_faster_than_it_can_be_drawn_and_ends_shut(given_times: list[tuple[str, float]]) -> None:
    times = timing.from_lengths([s for s, _ in given_times], [ms for _, ms in given_times])
    length = round(times[-1].end_ms) if times else 0
    shapes = mouth.shapes(times, length_ms=length)
    assert shapes[0][0] == 0
    assert all(0 <= opening <= mouth.OPENING_MAX for _, opening in shapes)
    assert all(b[0] - a[0] >= mouth.STEP_MS and b[1] != a[1] for a, b in pairwise(shapes))
    if length:
        assert shapes[-1][1] == 0


def test_words_are_the_runs_of_the_text_and_a_silent_one_has_no_length() -> None:
    utterance = Utterance(
        tuple("lɑt, sɪks"), (PhonemeRun("Lot,", 0, 4), PhonemeRun("—", 4, 4), PhonemeRun("six", 5, 9))
    )
    found = timing.words(utterance, laid("lɑt, sɪks", 100), length_ms=850)
    assert found == (SpokenWord("Lot,", 0, 300), SpokenWord("—", 300, 300), SpokenWord("six", 500, 850))


def test_silent_edges_are_cut_and_what_remains_is_faded() -> None:
    tone = (0.4 * np.sin(np.arange(RATE) * 0.1)).astype(np.float32)
    silence = np.zeros(RATE // 2, np.float32)
    pcm, cut_ms = loudness.finished(np.concatenate([silence, tone, silence]), RATE)
    assert abs(cut_ms - (500 - loudness.LEAD_MS)) <= 10
    assert abs(len(pcm) * 1_000 / RATE - (1_000 + loudness.LEAD_MS + loudness.TAIL_MS)) <= 20
    assert pcm[0] == 0.0
    assert abs(float(pcm[-1])) < 0.01


def test_a_peak_past_the_bound_is_brought_to_it_and_one_below_left_alone() -> None:
    tone = np.sin(np.arange(RATE) * 0.1).astype(np.float32)
    loud, _ = loudness.finished(1.7 * tone, RATE)
    assert float(np.abs(loud).max()) == pytest.approx(loudness.PEAK_MAX, abs=1e-4)
    quiet, _ = loudness.finished(0.5 * tone, RATE)
    assert float(np.abs(quiet).max()) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("pcm", [np.zeros(0, np.float32), np.zeros(9_000, np.float32), np.full(9_000, 0.3, np.float32)])
def test_silence_and_a_bare_offset_leave_nothing(pcm: np.ndarray) -> None:
    assert len(loudness.finished(pcm, RATE)[0]) == 0


def test_phonemes_are_found_where_the_sound_is() -> None:
    rng = np.random.default_rng(4)
    wave = np.arange(RATE * 200 // 1_000)
    vowel = (0.5 * np.sin(wave * 2 * np.pi * 180 / RATE)).astype(np.float32)
    hiss = np.diff(0.08 * rng.standard_normal(len(vowel) + 1)).astype(np.float32)
    gap = np.zeros(RATE * 300 // 1_000, np.float32)
    times = align.align(np.concatenate([gap, vowel, hiss, gap, hiss, vowel, gap]), RATE, list("ɑs, sɑ"))
    starts = {index: time.start_ms for index, time in enumerate(times)}
    assert starts[0] == pytest.approx(300, abs=30)
    assert starts[1] == pytest.approx(500, abs=30)
    assert starts[4] == pytest.approx(1_000, abs=30)
    assert starts[5] == pytest.approx(1_200, abs=30)


def test_sound_too_short_for_the_text_or_too_long_to_work_on_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        align.align(np.ones(RATE // 100, np.float32), RATE, list("ɑsɑsɑ"))
    longest = 8_000 * align.SOUND_MS_MAX // 1_000
    assert align.align(np.zeros(longest, np.float32), 8_000, ["ɑ"])
    with pytest.raises(ValueError, match="longer"):
        align.align(np.zeros(longest + 80, np.float32), 8_000, ["ɑ"])


def speech(text: str, ms: int, voice: str = "v") -> Speech:
    return Speech(np.ones(RATE * ms // 1_000, np.float32), RATE, (SpokenWord(text, 0, ms),), ((0, 2), (70, 1)), voice)


def test_joined_parts_follow_one_another_with_their_rests() -> None:
    whole = join([rested(speech("one", 1_000), 200), speech("two", 500)])
    assert [(word.text, word.start_ms, word.end_ms) for word in whole.words] == [
        ("one", 0, 1_000),
        ("two", 1_200, 1_700),
    ]
    assert whole.mouth == ((0, 2), (70, 1), (1_000, 0), (1_200, 2), (1_270, 1))
    assert whole.duration_ms == 1_700
    with pytest.raises(ValueError, match="one voice"):
        join([speech("one", 100), speech("two", 100, voice="w")])


def test_a_voice_takes_texts_and_paces_up_to_its_bounds_only() -> None:
    for pace in (PACE_MIN, PACE_MAX):
        check("x" * TEXT_LENGTH_MAX, pace)
    for text, pace in (("x" * (TEXT_LENGTH_MAX + 1), 1.0), (" ", 1.0), ("x", PACE_MIN - 0.01), ("x", PACE_MAX + 0.01)):
        with pytest.raises(InvalidInput):
            check(text, pace)


def wav(
    samples: bytes, *, encoding: int = 1, bits: int = 16, channels: int = 1, rate: int = 24_000, size: int | None = None
) -> bytes:
    layout = struct.pack("<HHIIHH", encoding, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    said = len(samples) if size is None else size
    chunks = b"LIST" + struct.pack("<I", 3) + b"abc\0" + b"fmt " + struct.pack("<I", 16) + layout
    return b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE" + chunks + b"data" + struct.pack("<I", said) + samples


@pytest.mark.parametrize(
    ("samples", "encoding", "bits"),
    [
        (struct.pack("<3h", 0, 16_384, -32_768), 1, 16),
        (b"\0\0\0\0\0\x40\0\0\x80", 1, 24),
        (struct.pack("<3i", 0, 2**30, -(2**31)), 1, 32),
        (struct.pack("<3f", 0.0, 0.5, -1.0), 3, 32),
    ],
)
def test_every_kind_of_sample_is_read_alike(samples: bytes, encoding: int, bits: int) -> None:
    for size in (None, 0xFFFFFFFF):
        pcm, rate = read_wav(wav(samples, encoding=encoding, bits=bits, size=size))
        assert rate == 24_000
        assert pcm.tolist() == pytest.approx([0.0, 0.5, -1.0], abs=1e-6)


def test_two_channels_become_one_and_bare_samples_have_the_rate_they_are_given() -> None:
    pcm, _ = read_wav(wav(struct.pack("<4h", 16_384, 0, -16_384, -16_384), channels=2))
    assert pcm.tolist() == pytest.approx([0.25, -0.5])
    assert read_pcm(struct.pack("<2h", 16_384, 0) + b"\1", 24_000)[0].tolist() == [0.5, 0.0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ID3\x04 an mp3",
        b"RIFF\0\0\0\0WAVE",
        b"RIFF\0\0\0\0WAVEdata\x04\0\0\0abcd",
        b"RIFF\0\0\0\0WAVEfmt \x04\0\0\0abcd",
        wav(b"\0\0", rate=7_999),
        wav(b"\0\0", rate=96_001),
        wav(b"\0" * 6, channels=3),
        wav(b"\0", bits=8),
        wav(struct.pack("<f", float("nan")), encoding=3, bits=32),
    ],
)
def test_what_is_no_sound_is_refused(body: bytes) -> None:
    with pytest.raises(NotSound):
        read_wav(body)


def test_a_model_gets_one_more_output_and_what_is_no_model_is_refused() -> None:
    node = b"\x0a\x01x\x12\x05/Ceil\x22\x04Ceil"
    graph = b"\x0a" + bytes([len(node)]) + node
    model = b"\x08\x08" + b"\x3a" + bytes([len(graph)]) + graph
    assert outputs_of(model, "Ceil") == ["/Ceil"]
    assert outputs_of(model, "Floor") == []
    extended = with_output(model, "/Ceil")
    assert extended.startswith(model)
    assert outputs_of(extended, "Ceil") == ["/Ceil"]
    assert b"/Ceil\x12\x04\x0a\x02\x08\x01" in extended[len(model) :]
    for broken in (model[:-1], b"\x3a\xff", b"\x3b", b"\xff" * 12, b"not a model"):
        with pytest.raises(NotReadable):
            outputs_of(broken, "Ceil")
