"""From text to phonemes, and where a text is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sothebais.agent.voice.phonemes import RUN_LENGTH_MAX, Phonemizer, spoken_form
from sothebais.agent.voice.ports import TEXT_LENGTH_MAX
from sothebais.agent.voice.sentences import (
    CUT_REST_MS,
    FIRST_PART_LENGTH_MAX,
    PART_LENGTH_MAX,
    SENTENCE_REST_MS,
    parts,
    rest_after_ms,
    speakable_parts,
)
from sothebais.errors import InvalidInput

PHONEMIZER = Phonemizer()
#: What the embedded voice's table has, besides which nothing may be handed to it.
KNOWN = frozenset("abcdefhijklmnopqrstuvwxyzæçðøŋɐɑɒɔəɚɛɜɡɪɫɹɾʃʊʌʒʔθᵻˈˌː .,;:!?̩̃")


def ipa(text: str) -> str:
    return "".join(PHONEMIZER.utterance(text).symbols)


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("Going once. Going twice. Sold!", "ɡˈoʊɪŋ wˈʌns. ɡˈoʊɪŋ twˈaɪs. sˈoʊld!"),
        ("provenance", "pɹˈɑːvənəns"),
        ("the gavel", "ðə ɡˈævəl"),
        ("Noun forty two", "nˈaʊn fˈɔːɹɾi tˈuː"),
        ("one point five ether", "wˈʌn pˈɔɪnt fˈaɪv ˈiːθɚ"),
        ("ETH", "ˈiːθɚ"),
        ("Sable", "sˈeɪbəl"),
        ("USDC", "jˌuːˌɛsdˌiːsˈiː"),
        ("Solana", "səlˈɑːnə"),
    ],
)
def test_the_words_of_the_house_are_pronounced_as_they_are_said(text: str, phonemes: str) -> None:
    assert ipa(text) == phonemes


def test_the_article_and_the_preposition_follow_the_word_after_them() -> None:
    assert ipa("the owner").startswith("ðiː ")
    assert ipa("the lot").startswith("ðə ")


def test_a_letter_that_is_spelled_is_no_article() -> None:
    assert ipa("I am an A I.").endswith("ˈeɪ ˌaɪ.")
    assert ipa("the D A O") == "ðə dˈiː ˈeɪ ˈoʊ"
    assert ipa("N F Ts") == "ˈɛn ˈɛf tˈiːz"
    assert ipa("A bid") == "ɐ bˈɪd"
    assert ipa("kiki dot eth").endswith("ˈɛθ")


def test_a_name_that_no_dictionary_has_is_still_read() -> None:
    read = ipa("Xanthorqua")
    assert len(read) >= 6
    assert set(read) <= KNOWN


def test_a_text_that_was_not_normalised_is_spoken_all_the_same() -> None:
    assert ipa("Lot #7 @ 15 Ξ") == ipa("Lot number seven fifteen ether")
    assert "pɔɪnt" in ipa("1.5")
    assert ipa("kiki.eth") == ipa("kiki dot eth")
    assert ipa("@kate_bids leads") == ipa("kate bids leads")
    assert ipa("What?!") == ipa("What?")
    assert ipa("Going twice… sold") == ipa("Going twice. sold")
    assert ipa("wow 🎉 nice") == ipa("wow nice")


def test_a_number_that_has_no_name_is_read_digit_by_digit() -> None:
    assert ipa("9" * 38) == " ".join(["nˈaɪn"] * 38)


@pytest.mark.parametrize("text", ["", "   ", "🎉 —", "…", "\x00\x07"])
def test_a_text_with_nothing_to_say_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="nothing to say"):
        PHONEMIZER.utterance(text)


def test_a_text_at_the_bound_is_read_and_one_past_it_refused() -> None:
    whole = ("sold " * (TEXT_LENGTH_MAX // 5)).ljust(TEXT_LENGTH_MAX)
    assert len(PHONEMIZER.utterance(whole).runs) == TEXT_LENGTH_MAX // 5
    with pytest.raises(InvalidInput, match="characters"):
        PHONEMIZER.utterance(whole + "x")


def test_of_a_run_without_end_only_the_beginning_is_spoken() -> None:
    assert spoken_form("a" * 500) == "a" * RUN_LENGTH_MAX


@settings(deadline=None)  # a name that is read by the network the first time takes as long as loading it
@given(st.text(max_size=120))
def test_every_run_of_any_text_keeps_its_place(text: str) -> None:
    try:
        utterance = PHONEMIZER.utterance(text)
    except InvalidInput:
        return
    assert [run.text for run in utterance.runs] == text.split()
    places = [place for run in utterance.runs for place in (run.first, run.end)]
    assert places == sorted(places)
    assert places[-1] <= len(utterance.symbols)


@given(
    st.lists(
        st.sampled_from(["lot", "sold!", "—", "3.5", "@x_y", "it's", "(no)", "USDC,", "vs.", "🎉", "a"]), max_size=25
    )
)
def test_runs_of_the_kinds_hosts_say_give_symbols_the_voice_was_taught(runs: list[str]) -> None:
    text = " ".join(runs)
    try:
        utterance = PHONEMIZER.utterance(text)
    except InvalidInput:
        return
    assert set(utterance.symbols) <= KNOWN
    assert [run.text for run in utterance.runs] == runs


def test_a_text_is_cut_after_its_sentences_and_not_after_titles_and_initials() -> None:
    assert parts("Fair warning. Going once! Sold?") == ("Fair warning.", "Going once!", "Sold?")
    assert parts("Mr. J. Smith leads. He smiles.") == ("Mr. J. Smith leads.", "He smiles.")
    assert parts("It opens at 1.5 ether. Yes.") == ("It opens at 1.5 ether.", "Yes.")
    assert parts('She said "sold." Then left.') == ('She said "sold."', "Then left.")


def test_the_first_part_is_cut_at_a_comma_so_that_it_is_heard_early() -> None:
    text = "This picture, made by hand and then by code, " + "has a long story " * 8 + "to tell."
    first, *rest = parts(text)
    assert first == "This picture, made by hand and then by code,"
    assert rest


def test_no_part_is_longer_than_its_bound_unless_one_run_is() -> None:
    found = parts("word " * 150)
    assert len(found[0]) <= FIRST_PART_LENGTH_MAX
    assert max(map(len, found)) <= PART_LENGTH_MAX
    assert max(map(len, found)) > PART_LENGTH_MAX - 6
    assert parts("x" * 400 + " y") == ("x" * 400, "y")


@given(st.text(alphabet="ab .,!—?'\"", max_size=600))
def test_the_runs_of_all_parts_are_the_runs_of_the_text(text: str) -> None:
    assert " ".join(parts(text)).split() == text.split()
    spoken = speakable_parts(text)
    assert " ".join(spoken).split() == text.split()
    if len(spoken) > 1:
        assert all(any(map(str.isalnum, part)) for part in spoken)


def test_a_voice_rests_longer_after_a_sentence_than_where_one_was_cut() -> None:
    assert rest_after_ms("Sold!") == SENTENCE_REST_MS
    assert rest_after_ms("Sold, to") == CUT_REST_MS < SENTENCE_REST_MS


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Sold. A fine result.", ("Sold.", "A fine result.")),
        # people wait for the first part, so it may end at a comma …
        (
            "Family Portrait in Clay is sold to @dimitra, for a little more than four ether.",
            ("Family Portrait in Clay is sold to @dimitra,", "for a little more than four ether."),
        ),
        # … but not where what is left is a scrap, nor within a phrase
        ("The clock has run out on Equilibrium, Provisional.", ("The clock has run out on Equilibrium, Provisional.",)),
        ("You have met lot 2 before I could introduce it to you.", ("You have met lot 2 before I could introduce it to you.",)),
    ],
)  # fmt: skip
def test_a_line_on_air_is_heard_early_and_in_whole_phrases(text: str, parts: tuple[str, ...]) -> None:
    from sothebais.agent.on_air import parts_of

    assert parts_of(text) == parts
