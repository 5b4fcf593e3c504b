"""Captions: what a reader gets, when, and that the WebVTT is WebVTT."""

import io
import re
from collections.abc import Sequence
from itertools import pairwise
from uuid import UUID

import av
from hypothesis import given, settings
from hypothesis import strategies as st

from sothebais.events.types.agent import AgentSpeech, SpokenWord
from sothebais.stream import captions
from sothebais.stream.captions import LINE_CHARS_MAX, LINES_MAX, LINGER_MS, SHOWN_MS_MIN, CaptionTrack, pages, timed
from sothebais.stream.show import Caption

BEGIN = 1_772_388_000_000
TEXT = (
    "Good evening, and welcome to the house. Lot seven is a quiet piece by Ines Varga: a harbour at dusk, painted in "
    "forty-one colours, and it opens at 1.5 ETH. Shall we begin?"
)


def spoken(text: str, *, pause: int = 20, per_char: int = 55) -> tuple[SpokenWord, ...]:
    words, at = [], 100
    for word in text.split():
        length = 60 + per_char * len(word)
        words.append(SpokenWord(text=word[:500], start=at, end=at + length))
        at += length + (250 if word[-1] in ".!?" else pause)
    return tuple(words)


def speech(text: str, words: Sequence[SpokenWord] | None = None) -> AgentSpeech:
    words = spoken(text) if words is None else tuple(words)
    duration = words[-1].end + 100 if words else 4_000
    return AgentSpeech(message=UUID(int=1), voice="v", starts_at=BEGIN, duration=duration, words=words, mouth=())


def assert_well_formed(made: Sequence[Caption]) -> None:
    for caption in made:
        lines = caption.text.split("\n")
        assert 1 <= len(lines) <= LINES_MAX
        assert all(0 < len(line) <= LINE_CHARS_MAX for line in lines)
        assert caption.until - caption.at >= SHOWN_MS_MIN
    for here, there in pairwise(made):
        assert here.until <= there.at


class TestPages:
    def test_they_end_where_clauses_do(self) -> None:
        made = pages(speech(TEXT), TEXT, "Sable")
        assert [caption.text for caption in made] == [
            "Good evening, and welcome to the house.",
            "Lot seven is a quiet piece by Ines Varga:\na harbour at dusk,",
            "painted in forty-one colours,\nand it opens at 1.5 ETH. Shall we begin?",
        ]
        assert_well_formed(made)

    def test_each_comes_with_its_first_word_and_stays_a_little_after_its_last(self) -> None:
        words = spoken(TEXT)
        made = pages(speech(TEXT), TEXT, "Sable")
        starts = {word.text: word.start for word in words}
        assert [caption.at - BEGIN for caption in made] == [starts["Good"], starts["Lot"], starts["painted"]]
        assert made[-1].until - BEGIN == words[-1].end + LINGER_MS
        assert {caption.speaker for caption in made} == {"Sable"}

    def test_a_speech_that_began_late_has_late_captions(self) -> None:
        there, here = pages(speech(TEXT), TEXT, "S"), pages(speech(TEXT), TEXT, "S", began_at=BEGIN + 700)
        assert [(c.at - 700, c.until - 700) for c in here] == [(c.at, c.until) for c in there]

    def test_a_line_has_room_for_so_many_characters_and_not_one_more(self) -> None:
        full = "a" * 20 + " " + "b" * 21
        assert [caption.text for caption in pages(speech(full), full, "S")] == [full]
        over = full + "b"
        assert [caption.text for caption in pages(speech(over), over, "S")] == ["a" * 20 + "\n" + "b" * 22]
        two = f"{full} {full}"
        assert [caption.text for caption in pages(speech(two), two, "S")] == [f"{full}\n{full}"]
        more = f"{full} {full}c"
        assert len(pages(speech(more), more, "S")) == 2

    def test_a_word_longer_than_a_line_is_shown_whole_in_pieces(self) -> None:
        address = "0x" + "0123456789abcdef" * 8
        made = pages(speech(address), address, "S")
        assert_well_formed(made)
        assert "".join(caption.text.replace("\n", "") for caption in made) == address
        accents = "e\u0301" * 60
        made = pages(speech(accents), accents, "S")
        assert all(not line.startswith("\u0301") for caption in made for line in caption.text.split("\n"))

    def test_quick_words_are_gathered_and_no_page_flashes_by(self) -> None:
        text = "No! Yes! No! Yes! No! Yes! Going! Going! Gone! Sold! And thank you all for coming tonight to the house."
        words = spoken(text, per_char=5)
        assert_well_formed(pages(speech(text, words), text, "S"))

    def test_letters_are_the_texts_and_times_the_voices(self) -> None:
        text = "It stands at 1.5 ETH with @ana."
        said = spoken("It stands at one point five ether with ana.")
        tokens = timed(text, said, said[-1].end)
        assert [token.text for token in tokens] == text.split()
        times = {word.text: word for word in said}
        assert tokens[2].start == times["at"].start
        assert tokens[3].start == times["one"].start
        assert tokens[4].end == times["ether"].end
        assert tokens[5].start == times["with"].start
        assert tokens[6].start == times["ana."].start

    def test_a_word_that_was_not_spoken_has_the_time_between(self) -> None:
        said = (SpokenWord(text="one", start=0, end=300), SpokenWord(text="three", start=900, end=1_200))
        tokens = timed("one (two) three", said, 1_300)
        assert (tokens[1].start, tokens[1].end) == (300, 900)

    def test_a_voice_without_times_has_its_length_shared(self) -> None:
        tokens = timed("aaa bb c", (), 900)
        assert [(token.start, token.end) for token in tokens] == [(0, 400), (400, 700), (700, 900)]
        assert_well_formed(pages(speech(TEXT, ()), TEXT, "S"))

    def test_nothing_said_is_nothing_shown(self) -> None:
        for text in ("", "  \n\t ", "\u0007\u202e"):
            assert pages(speech("x"), text, "S") == ()

    def test_a_text_is_read_to_its_bound(self) -> None:
        longest = ("word and " * 2_000)[: captions.TEXT_CHARS_MAX]
        made = pages(speech(longest), longest + "beyond", "S")
        assert_well_formed(made)
        assert " ".join(caption.text.replace("\n", " ") for caption in made) == longest.strip()

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=60), max_size=40),
        st.lists(st.tuples(st.sampled_from(["a", "b", "ETH", "x."]), st.integers(0, 900)), max_size=30),
    )
    def test_whatever_is_said_is_shown_once_in_order(
        self, parts: list[str], spoken_parts: list[tuple[str, int]]
    ) -> None:
        text, at, words = " ".join(parts), 0, []
        for word, length in spoken_parts:
            words.append(SpokenWord(text=word, start=at, end=at + length))
            at += length
        made = pages(speech(text, words), text, "S")
        assert_well_formed(made)
        shown = "".join(caption.text for caption in made)
        assert "".join(shown.split()) == "".join(captions._printable(word) for word in text.split())


class TestTrack:
    def caption(self, at: int, until: int, text: str = "Words") -> Caption:
        return Caption(text, "Sable", BEGIN + at, BEGIN + until)

    def test_one_is_shown_at_a_time(self) -> None:
        track = CaptionTrack()
        track.add([self.caption(0, 2_000, "one"), self.caption(3_000, 5_000, "two")])
        track.add([self.caption(4_000, 6_000, "three")])
        shown = {at: track.at(BEGIN + at) for at in (-1, 0, 1_999, 2_000, 3_999, 4_000, 6_000)}
        texts = {at: found and found.text for at, found in shown.items()}
        assert texts == {-1: None, 0: "one", 1_999: "one", 2_000: None, 3_999: "two", 4_000: "three", 6_000: None}

    def test_what_was_to_come_gives_way_to_what_comes_sooner(self) -> None:
        track = CaptionTrack()
        track.add([self.caption(0, 2_000, "one"), self.caption(3_000, 5_000, "two")])
        track.add([self.caption(1_000, 1_500, "now")])
        assert len(track) == 2
        assert track.at(BEGIN + 4_000) is None

    def test_a_hush_ends_what_is_shown(self) -> None:
        track = CaptionTrack()
        track.add([self.caption(0, 2_000), self.caption(2_000, 4_000)])
        track.cut(BEGIN + 500)
        assert track.at(BEGIN + 499) is not None
        assert track.at(BEGIN + 500) is None
        assert len(track) == 1

    def test_it_keeps_the_newest_within_its_bound(self) -> None:
        track = CaptionTrack(entries_max=3)
        for index in range(3):
            track.add([self.caption(1_000 * index, 1_000 * index + 900)])
        assert track.at(BEGIN) is not None
        track.add([self.caption(3_000, 3_900)])
        assert len(track) == 3
        assert track.at(BEGIN) is None
        assert track.at(BEGIN + 3_000) is not None


# A strict reading of the grammar of a WebVTT file body (W3C WebVTT, sections 4.1 to 4.2).
_TIME = re.compile(r"(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})")
_TIMES = re.compile(rf"({_TIME.pattern})[ \t]+-->[ \t]+({_TIME.pattern})")
_ENTITY = re.compile(r"&(amp|lt|gt|lrm|rlm|nbsp|#\d+|#x[0-9a-fA-F]+);")


def read_webvtt(text: str) -> tuple[dict[str, str], list[tuple[int, int, str, str]]]:
    """Headers and cues (start, end, speaker, text); an AssertionError for anything that the grammar has not."""
    assert "\0" not in text
    assert "\r" not in text
    assert "\ufeff" not in text[1:]
    head, *blocks = text.removesuffix("\n").split("\n\n")
    first, *headers = head.split("\n")
    assert first == "WEBVTT"
    found = []
    for header in headers:
        assert "-->" not in header
        assert re.fullmatch(r"X-TIMESTAMP-MAP=LOCAL:\d{2,}:[0-5]\d:[0-5]\d\.\d{3},MPEGTS:\d+", header)
    previous = 0
    for block in blocks:
        times, *payload = block.split("\n")
        matched = _TIMES.fullmatch(times)
        assert matched, times
        start, end = _read_time(matched[1]), _read_time(matched[6])
        assert start < end
        assert start >= previous
        previous = start
        assert payload
        assert all(payload)
        assert not any("-->" in line for line in payload)
        found.append((start, end, *_read_cue_text("\n".join(payload))))
    return dict(header.split("=", 1) for header in headers), found


def _read_time(text: str) -> int:
    matched = _TIME.fullmatch(text)
    assert matched
    hours, minutes, seconds, millis = map(int, matched.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000 + millis


def _read_cue_text(text: str) -> tuple[str, str]:
    # a voice span without its end tag may be the whole cue, and nothing else in it may be a tag
    speaker = ""
    if matched := re.match(r"<v ([^\n\r<>]+)>", text):
        speaker, text = matched[1], text[matched.end() :]
    assert "<" not in text
    assert ">" not in text
    for part in (speaker, text):
        assert "&" not in _ENTITY.sub("", part)
    return _plain(speaker), _plain(text)


def _plain(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


class TestWebVtt:
    def track(self, *entries: Caption) -> CaptionTrack:
        made = CaptionTrack()
        made.add(entries)
        return made

    def test_an_empty_track_is_a_file(self) -> None:
        assert self.track().webvtt(BEGIN) == "WEBVTT\n"
        assert read_webvtt(self.track().webvtt(BEGIN)) == ({}, [])

    def test_times_count_from_the_beginning_of_the_stream(self) -> None:
        hours = 100 * 3_600_000
        track = self.track(
            Caption("One", "Sable", BEGIN + 1_234, BEGIN + 2_000),
            Caption("Two", "Sable", BEGIN + hours, BEGIN + hours + 1),
        )
        assert track.webvtt(BEGIN) == (
            "WEBVTT\n\n00:00:01.234 --> 00:00:02.000\n<v Sable>One\n\n100:00:00.000 --> 100:00:00.001\n<v Sable>Two\n"
        )
        _, cues = read_webvtt(track.webvtt(BEGIN))
        assert cues == [(1_234, 2_000, "Sable", "One"), (hours, hours + 1, "Sable", "Two")]

    def test_what_was_shown_before_the_stream_is_cut_or_left_out(self) -> None:
        track = self.track(Caption("Gone", "S", BEGIN - 900, BEGIN), Caption("Half", "S", BEGIN, BEGIN + 500))
        assert [cue[:2] for cue in read_webvtt(track.webvtt(BEGIN))[1]] == [(0, 500)]
        assert [cue[:2] for cue in read_webvtt(track.webvtt(BEGIN + 200))[1]] == [(0, 300)]

    def test_what_could_be_markup_is_text(self) -> None:
        said = "a < b && c --> d <v Mallory>you</v> &amp; 00:00.000 --> 00:01.000"
        track = self.track(Caption(said, "Sable <b> & >Co", BEGIN, BEGIN + 900))
        ((_, _, speaker, text),) = read_webvtt(track.webvtt(BEGIN))[1]
        assert (speaker, text) == ("Sable <b> & >Co", said)

    def test_empty_lines_and_line_ends_cannot_end_a_cue(self) -> None:
        track = self.track(
            Caption("One\n\n\n\u2028NOTE two\r\n\0", "Sa\nble\n\n00:00 --> 1", BEGIN, BEGIN + 900),
            Caption("Three", " \n", BEGIN + 900, BEGIN + 1_000),
        )
        _, cues = read_webvtt(track.webvtt(BEGIN))
        assert cues == [(0, 900, "Sa ble 00:00 --> 1", "One\nNOTE two"), (900, 1_000, "", "Three")]

    def test_a_segment_has_what_is_shown_in_it_and_joins_the_clocks(self) -> None:
        track = self.track(*(Caption(str(n), "S", BEGIN + 1_000 * n, BEGIN + 1_000 * n + 1_000) for n in range(5)))
        made = track.webvtt(BEGIN, start=BEGIN + 1_500, end=BEGIN + 3_000, mpegts=900_000)
        headers, cues = read_webvtt(made)
        assert headers == {"X-TIMESTAMP-MAP": "LOCAL:00:00:00.000,MPEGTS:900000"}
        assert [(cue[0], cue[3]) for cue in cues] == [(1_000, "1"), (2_000, "2")]
        assert read_webvtt(track.webvtt(BEGIN, start=BEGIN + 9_000, end=BEGIN + 9_500))[1] == []

    def test_media_time_wraps_as_its_33_bits_do(self) -> None:
        assert "MPEGTS:5" in self.track().webvtt(BEGIN, mpegts=2**33 + 5)

    def test_another_reader_finds_the_same_cues(self) -> None:
        track = CaptionTrack()
        track.add(pages(speech(TEXT), TEXT, "Sable"))
        wanted = [(start, end, text) for start, end, _, text in read_webvtt(track.webvtt(BEGIN))[1]]
        with av.open(io.BytesIO(track.webvtt(BEGIN).encode()), "r", format="webvtt") as container:
            found = [packet for packet in container.demux() if packet.pts is not None]
            assert [
                (packet.pts, packet.pts + packet.duration, bytes(packet).decode().removeprefix("<v Sable>"))
                for packet in found
            ] == wanted

    @settings(max_examples=200, deadline=None)
    @given(st.text(), st.text(), st.integers(-5_000, 10**9), st.integers(1, 10**6))
    def test_no_text_and_no_name_break_the_grammar(self, said: str, speaker: str, at: int, length: int) -> None:
        track = self.track(
            Caption(said, speaker, BEGIN + at, BEGIN + at + length),
            Caption("End", "S", BEGIN + at + length, BEGIN + at + length + 1),
        )
        read_webvtt(track.webvtt(BEGIN))
