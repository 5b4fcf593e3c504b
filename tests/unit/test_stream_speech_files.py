"""Speech from a voice's rate to the house's, and through the files of the asset store."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from sothebais import sound as files
from sothebais.errors import InvalidInput, TooLarge
from sothebais.stream.audio.resample import to_house_rate
from sothebais.stream.audio.signals import RATE, db

rng = np.random.default_rng(5)


def sine(frequency: float, rate: int, count: int) -> NDArray[np.float32]:
    return np.sin(2 * np.pi * frequency * np.arange(count) / rate).astype(np.float32)


class TestResampling:
    @pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 96_000])
    def test_a_tone_stays_the_same_tone_at_the_same_instant(self, rate: int) -> None:
        for frequency in (97, 1_000, 0.4 * min(rate, RATE)):
            made = to_house_rate(sine(frequency, rate, rate), rate)
            wanted = sine(frequency, RATE, len(made))
            inner = slice(2_000, -2_000)
            assert db(float((made - wanted)[inner].std() / wanted.std())) < -85

    @pytest.mark.parametrize("rate", [22_050, 24_000])
    def test_no_image_of_the_voice_is_left_above_its_range(self, rate: int) -> None:
        made = to_house_rate(sine(0.45 * rate, rate, rate), rate)[4_000:-4_000]
        spectrum = np.abs(np.fft.rfft(made * np.blackman(len(made))))
        frequency = np.fft.rfftfreq(len(made), 1 / RATE)
        assert db(float(spectrum[frequency > 0.54 * rate].max() / spectrum.max())) < -85

    def test_a_higher_rate_brings_nothing_down_from_above(self) -> None:
        assert np.abs(to_house_rate(sine(30_000, 96_000, 96_000), 96_000)[2_000:-2_000]).max() < 1e-4

    @pytest.mark.parametrize("count", [0, 1, 146, 147, 148, 22_050, 22_051])
    def test_the_length_is_what_it_must_be(self, count: int) -> None:
        assert len(to_house_rate(np.ones(count, np.float32), 22_050)) == -(-count * 48_000 // 22_050)

    def test_a_click_stays_where_it_is(self) -> None:
        for rate in (22_050, 24_000):
            pcm = np.zeros(rate, np.float32)
            pcm[rate // 2] = 1
            assert int(to_house_rate(pcm, rate).argmax()) == RATE // 2

    def test_the_houses_own_rate_passes_untouched(self) -> None:
        pcm = rng.standard_normal(100).astype(np.float32)
        assert np.array_equal(to_house_rate(pcm, RATE), pcm)

    @pytest.mark.parametrize("rate", [0, -24_000, 7_999, 96_001, 22_051])
    def test_a_rate_that_is_none_is_refused(self, rate: int) -> None:
        with pytest.raises(InvalidInput, match="Hz"):
            to_house_rate(np.zeros(10, np.float32), rate)


class TestFiles:
    @pytest.mark.parametrize("rate", [22_050, 24_000, 48_000])
    def test_speech_comes_back_to_within_half_a_step_of_sixteen_bits(self, rate: int) -> None:
        for count in (0, 1, 4_095, 4_097, 3 * rate):
            pcm = (0.3 * rng.standard_normal(count)).clip(-1, 1).astype(np.float32)
            back, found = files.decode(files.encode(pcm, rate))
            assert found == rate
            assert back.dtype == np.float32
            assert back.shape == (count,)
            assert not count or np.abs(back - pcm).max() <= 0.51 / 32_767

    def test_what_is_too_loud_is_clipped_not_wrapped(self) -> None:
        back, _ = files.decode(files.encode(np.array([2, -2, 0.5] * 100, np.float32), 24_000))
        assert back[:3] == pytest.approx([1, -1, 0.5], abs=1e-4)

    def test_a_speech_may_last_two_minutes_and_no_sample_longer(self) -> None:
        longest = np.zeros(files.SPEECH_SECONDS_MAX * 8_000, np.float32)
        assert len(files.decode(files.encode(longest, 8_000))[0]) == len(longest)
        with pytest.raises(TooLarge):
            files.encode(np.zeros(len(longest) + 1, np.float32), 8_000)

    def test_a_small_file_that_holds_hours_is_not_unpacked(self) -> None:
        out = io.BytesIO()
        with av.open(out, "w", format="flac") as container:
            stream = container.add_stream("flac", rate=8_000, layout="mono", format="s16")
            for start in range(0, 8_000 * 600, 8_000):
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 8_000), np.int16), format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 8_000, start, Fraction(1, 8_000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        assert len(out.getvalue()) < 200_000
        with pytest.raises(TooLarge):
            files.decode(out.getvalue())

    def test_a_file_may_have_so_many_bytes_and_not_one_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        encoded = files.encode(rng.standard_normal(5_000).astype(np.float32), 24_000)
        monkeypatch.setattr(files, "SPEECH_BYTES_MAX", len(encoded))
        assert len(files.decode(encoded)[0]) == 5_000
        monkeypatch.setattr(files, "SPEECH_BYTES_MAX", len(encoded) - 1)
        with pytest.raises(TooLarge):
            files.decode(encoded)

    def test_stereo_is_no_speech(self) -> None:
        out, layout = io.BytesIO(), "stereo"
        with av.open(out, "w", format="flac") as container:
            stream = container.add_stream("flac", rate=24_000, layout=layout, format="s16")
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 2_000), np.int16), format="s16", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = 24_000, 0, Fraction(1, 24_000)
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        with pytest.raises(InvalidInput, match="mono"):
            files.decode(out.getvalue())

    @pytest.mark.parametrize("encoded", [b"", b"fLaC", b"RIFF" + bytes(100), b"fLaC" + bytes(200)])
    def test_what_is_no_flac_file_is_refused(self, encoded: bytes) -> None:
        with pytest.raises(InvalidInput):
            files.decode(encoded)

    def test_a_torn_file_is_refused_or_gives_what_was_whole(self) -> None:
        encoded = files.encode(rng.standard_normal(24_000).astype(np.float32), 24_000)
        for cut in (10, 60, len(encoded) // 2, len(encoded) - 3):
            try:
                samples, _ = files.decode(encoded[:cut])
            except InvalidInput:
                continue
            assert len(samples) < 24_000

    @pytest.mark.parametrize("rate", [7_999, 96_001])
    def test_rates_have_bounds(self, rate: int) -> None:
        with pytest.raises(InvalidInput):
            files.encode(np.zeros(10, np.float32), rate)
