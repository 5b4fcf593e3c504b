"""What may be said in a room, as a table; and what holds for every text there is."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sothebais import moderation
from sothebais.moderation import DEFAULT_WORDS, LINE_LENGTH_MAX, Refusal, clean, fold, refusal, words_of

WORDS = words_of([*DEFAULT_WORDS, "scam", "# a comment", "", "спам"])

FINE = [
    "What a piece!",
    "I bid 1.5 ETH on lot 3/5, that is 455 of them",
    "1.2.3, e.g. this, 5.5/10, and/or",
    "vitalik.eth leads @ana",
    "Scunthorpe is classic. scamper",
    "нет, спасибо",
    "schöne Grüße, garçon",
    "👨‍👩‍👧 wow ❤️ 👍🏽 🏳️‍🌈",
    "हिन्दी में",
    "good night.it.is late",
]


@pytest.mark.parametrize("text", FINE)
def test_what_people_say_is_said(text: str) -> None:
    assert refusal(clean(text), WORDS) is None
    assert clean(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Refusal.EMPTY),
        (" \t\u202e\n ", Refusal.EMPTY),
        ("x" * (LINE_LENGTH_MAX + 1), Refusal.TOO_LONG),
        ("a\u200bb", Refusal.INVISIBLE),
        ("a\u200db", Refusal.INVISIBLE),
        ("\u2060", Refusal.INVISIBLE),
        ("so\u00adft", Refusal.INVISIBLE),
        ("\ufeffhello", Refusal.INVISIBLE),
        ("hidden\U000e0041\U000e0042", Refusal.INVISIBLE),
        ("pick\U000e0101", Refusal.INVISIBLE),
        ("\u3164", Refusal.INVISIBLE),
        ("\u2800", Refusal.INVISIBLE),
        ("\u0301", Refusal.INVISIBLE),
        ("\ud800", Refusal.INVISIBLE),
        ("\ue000", Refusal.INVISIBLE),
        ("z\u0301\u0302\u0303\u0304\u0305", Refusal.MARKS),
        ("look at https://evil.example/x", Refusal.LINK),
        ("HTTP://x", Refusal.LINK),
        ("hxxps://evil", Refusal.LINK),
        ("ipfs://bafy", Refusal.LINK),
        ("www.evil", Refusal.LINK),
        ("evil.com", Refusal.LINK),
        ("evil。com", Refusal.LINK),
        ("ｅｖｉｌ．ｃｏｍ", Refusal.LINK),
        ("evil[.]com", Refusal.LINK),
        ("evil (dot) com", Refusal.LINK),
        ("еvіl.соm", Refusal.LINK),
        ("t.me/free_mint", Refusal.LINK),
        ("mail me: ana@example.org", Refusal.LINK),
        ("192.168.1.1", Refusal.LINK),
        ("xn--80ak6aa92e", Refusal.LINK),
        ("such a scam", Refusal.WORD),
        ("SCAM!!", Refusal.WORD),
        ("ѕсаm", Refusal.WORD),
        ("scáḿ", Refusal.WORD),
        ("𝓼𝓬𝓪𝓶", Refusal.WORD),
        ("ⓢⓒⓐⓜ", Refusal.WORD),
        ("5c4m", Refusal.WORD),
        ("s.c.a.m", Refusal.WORD),
        ("s c a m", Refusal.WORD),
        ("this is a s c a m !", Refusal.WORD),
        ("ssscaaamm", Refusal.WORD),
        ("(scam)", Refusal.WORD),
        ("спам", Refusal.WORD),
        ("fuuucking", Refusal.WORD),
    ],
)
def test_what_deceives_or_leads_away_or_offends_is_not(text: str, reason: Refusal) -> None:
    assert refusal(clean(text), WORDS) is reason


def test_control_and_direction_characters_are_taken_out_and_blanks_are_one() -> None:
    assert clean("  a\x00\x07b\u202e\u2066c \t\r\n\u2028 d\u0085e\u3000f ") == "abc d e f"
    assert clean("e\u0301") == "\u00e9"
    # what a control character kept apart comes together in its usual form
    assert clean("e\x00\u0301") == "\u00e9"


def test_a_list_of_words_is_bounded_and_forgiving() -> None:
    many = words_of(
        f"{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10 % 10]}w{n:x}" for n in range(moderation.WORDS_MAX * 2)
    )
    assert len(many.whole) + len(many.beginnings) <= moderation.WORDS_MAX
    assert words_of(["   ", "# nothing", "12"]).whole <= {"iz", "i"}
    assert words_of(["x" * 10_000]).whole == {"x"}
    assert refusal("anything", words_of([])) is None


def test_every_refusal_has_a_sentence() -> None:
    assert set(moderation.SENTENCES) == set(Refusal)


texts = st.text(max_size=600) | st.text(
    alphabet=st.sampled_from("ab.\u200b\u200d\u202e\u0301\u00e9é😀❤\ufe0f\x00 \n\u2028@:/ scamо5"), max_size=600
)


@given(texts)
@settings(max_examples=150, deadline=None)
def test_a_clean_line_is_one_line_in_one_form_and_stays_as_it_is(text: str) -> None:
    line = clean(text)
    assert clean(line) == line
    assert unicodedata.is_normalized("NFC", line)
    assert line == " ".join(line.split())
    assert not any(unicodedata.category(character) == "Cc" for character in line)
    assert not any(
        unicodedata.bidirectional(character) in ("RLO", "LRO", "RLI", "LRI", "PDI", "PDF") for character in line
    )


@given(texts)
@settings(max_examples=150, deadline=None)
def test_what_is_said_can_be_written_and_seen(text: str) -> None:
    line = clean(text)
    if refusal(line, WORDS) is None:
        assert 1 <= len(line) <= LINE_LENGTH_MAX
        line.encode()  # no lone surrogate
        assert "\x00" not in line
        assert "\u200b" not in line


@given(st.sampled_from(["scam", "fuck"]), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_a_word_is_found_however_it_is_dressed_up(word: str, rng: object) -> None:
    dressed = "".join(
        rng.choice({"a": "aаáA4@", "c": "cсçC", "s": "sѕS5$", "m": "mMḿ", "f": "fF", "u": "uúU", "k": "kкK"}[letter])  # type: ignore[attr-defined]
        * rng.choice((1, 1, 2))  # type: ignore[attr-defined]
        for letter in word
    )
    assert refusal(clean(f"what a {dressed}, no?"), WORDS) is Refusal.WORD


@given(st.text(max_size=80))
@settings(max_examples=100, deadline=None)
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)
