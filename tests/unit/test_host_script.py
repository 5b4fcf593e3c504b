"""The scripted host is never at a loss, never repeats itself at once, and says nothing that is not so."""

import random
import re
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.fakes.host_words import EMPTY_FACTS, FACTS, LOT_FACTS, OF_MOMENT, ask, asked, lot, scripted

from sothebais.agent.intents import PLANS
from sothebais.agent.model import Facts, Intent, LotStatus, Moment, Result
from sothebais.agent.ports import Persona
from sothebais.agent.scripted import grammar
from sothebais.agent.scripted.answers import ANSWERS
from sothebais.agent.scripted.host import HISTORY_KINDS_MAX, ScriptedHost, openers_of
from sothebais.agent.scripted.lines import BEARINGS, LINES, OPENERS, PLAIN
from sothebais.agent.truth import TOKENS, judge, needed, values
from sothebais.agent.understanding import Wish
from sothebais.errors import InvalidInput

ANSWERED = {wish: tuple(text for tier in tiers for text in tier) for wish, tiers in ANSWERS.items()}
PASSED_LAST = replace(FACTS, results=(Result(6, "Old Hat", None, "ETH", None),))
#: In one of these every line has its facts.
HOUSES = (FACTS, replace(FACTS, lot=replace(LOT_FACTS, extension_count=1, voided_count=1)), PASSED_LAST, EMPTY_FACTS)


def texts(templates: tuple[str, ...]) -> list[str]:
    """Every wording, with its blanks put right."""
    return [" ".join(text.split()) for template in templates for text in grammar.every(grammar.parse(template))]


def test_there_are_lines_for_every_moment_and_answers_for_every_wish() -> None:
    assert set(LINES) == set(PLANS) - {Moment.QUESTION}
    assert set(ANSWERS) == set(Wish)
    assert {plan.kind for plan in PLANS.values()} == set(get_args(Intent.__value__))


def test_the_moments_of_an_auction_have_at_least_three_hundred_different_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    of_moments = {text for templates in LINES.values() for text in texts(templates)}
    of_answers = {text for templates in ANSWERED.values() for text in texts(templates)}
    with capsys.disabled():
        print(f"\n{len(of_moments)} different lines, {len(of_answers)} different answers, before facts are filled in")
    assert len(of_moments) >= 300
    assert len(of_moments) == sum(
        grammar.count(grammar.parse(one)) for templates in LINES.values() for one in templates
    )


@pytest.mark.parametrize("moment", list(LINES))
def test_every_line_is_true_when_it_is_said(moment: Moment) -> None:
    for text in texts(LINES[moment]):
        houses = [OF_MOMENT.get(moment, FACTS), *HOUSES]
        known = [facts for facts in houses if needed(text) <= values(facts).keys()]
        assert known, f"nothing fills {text}"
        assert any(judge(text, facts, reviewed=True).text for facts in known), (
            text,
            judge(text, known[0], reviewed=True),
        )


@pytest.mark.parametrize("wish", list(ANSWERED))
def test_every_answer_is_true_when_it_is_given(wish: Wish) -> None:
    for text in texts(ANSWERED[wish]):
        known = [facts for facts in HOUSES if needed(text) <= values(facts).keys()]
        assert known, f"nothing fills {text}"
        assert any(judge(text, facts, reviewed=True).text for facts in known), (
            text,
            judge(text, known[0], reviewed=True),
        )


@pytest.mark.parametrize("count", [0, 1, 2, 1_000])
def test_no_wording_has_a_false_plural_an_empty_slot_or_a_double_space(count: int) -> None:
    facts = lot(bid_count=count, bidder_count=count, extension=60_000, extension_window=1_000)
    for templates in (*LINES.values(), *ANSWERED.values()):
        for text in texts(templates):
            if not needed(text) <= values(facts).keys():
                continue
            said = judge(text, facts, reviewed=True).text
            if said is None:
                continue
            assert "{" not in said
            assert "  " not in said
            assert not re.search(r"\s[.,;:!?]|[,;:][.,;:!?]|\.\.(?!\.)|,$", said), said
            assert not re.search(
                r"\b1 (?:bids|bidders|minutes|seconds|lots)\b|\b(?:0|[2-9]|\d{2,}) (?:bid|bidder|minute|second|lot)\b(?! \d)",
                said,
            ), said
            assert said[0] in "@“" or not said[0].islower(), said
            assert not re.search(r"[.!?] [a-z]", said), said


def test_every_token_of_the_script_exists() -> None:
    used = {token for templates in (*LINES.values(), *ANSWERED.values()) for one in templates for token in needed(one)}
    assert used <= TOKENS.keys()


@pytest.mark.parametrize("moment", list(LINES))
def test_the_same_line_is_never_said_twice_in_a_row(moment: Moment) -> None:
    host = scripted()
    said = [host.line(ask(moment)).text for _ in range(40)]
    assert all(one != next_ for one, next_ in pairwise(said))
    assert len(set(said)) > 2


@pytest.mark.parametrize(
    "text", ["what is the price", "who are you", "hello", "bid for me", "tell me the reserve", "you idiot"]
)
def test_the_same_answer_is_never_given_twice_in_a_row(text: str) -> None:
    host = scripted()
    said = [host.line(asked(text)).text for _ in range(20)]
    assert all(one != next_ for one, next_ in pairwise(said))


def test_a_seed_decides_every_word() -> None:
    first, second, other = scripted(3), scripted(3), scripted(4)
    lines = [(one.line(ask(Moment.BID)).text) for one in (first, second)]
    assert lines[0] == lines[1]
    assert [first.line(ask(Moment.BID)).text for _ in range(9)] != [other.line(ask(Moment.BID)).text for _ in range(9)]


@given(
    seed=st.integers(0, 10**6),
    moment=st.sampled_from(list(Moment)),
    status=st.sampled_from(list(LotStatus)),
    bids=st.integers(0, 3),
    empty=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_whatever_happens_there_is_a_line_and_it_is_true(
    seed: int, moment: Moment, status: LotStatus, bids: int, empty: bool
) -> None:
    price = {} if bids else {"price": None, "leader": None, "previous_price": None}
    facts = EMPTY_FACTS if empty else lot(status=status, bid_count=bids, **price)
    host = ScriptedHost(random.Random(seed))
    line = host.line(ask(moment, facts) if moment is not Moment.QUESTION else asked("how high is the reserve", facts))
    assert judge(line.text, facts, reviewed=line.reviewed).text


def test_with_no_facts_at_all_the_plainest_sentence_is_left() -> None:
    assert scripted().line(ask(Moment.BID, EMPTY_FACTS)).text == PLAIN
    assert judge(PLAIN, EMPTY_FACTS).text == PLAIN


def test_what_was_said_lately_is_avoided_when_it_can_be() -> None:
    host, other = scripted(5), scripted(5)
    first = host.line(ask(Moment.BID)).text
    assert other.line(replace(ask(Moment.BID), avoid=(first,))).text != first


def test_secrets_are_declined_whatever_the_words() -> None:
    host = scripted()
    for text in ("what is the reserve", "tell me ana's maximum", "how high will she go"):
        for _ in range(12):
            line = host.line(asked(text))
            said = judge(line.text, FACTS, reviewed=True).text or ""
            assert re.search(r"sealed|cannot|would not|not know|theirs to know", said), said


def test_asked_whether_it_is_an_ai_the_host_says_so() -> None:
    host = scripted()
    for text in ("are you an AI?", "are you human", "who are you"):
        assert all(re.search(r"\bAI\b", host.line(asked(text)).text) for _ in range(10))


def test_a_person_hears_of_their_own_bids_only() -> None:
    line = scripted().line(asked("what was my last bid"))
    said = judge(line.text, FACTS, reviewed=True).text or ""
    assert "1.2 ETH on lot 7" in said
    assert "you are not leading" in said or "@eve" in said


# --- other characters


def test_another_bearing_colours_some_lines_and_leaves_the_facts_alone() -> None:
    persona = Persona(name="Bubbles", adjectives=("Enthusiastic", "kind"))
    assert openers_of(persona) == OPENERS["exuberant"]
    host = scripted()
    said = [host.line(ask(Moment.BID, persona=persona)).text for _ in range(60)]
    coloured = [one for one in said if one.startswith(OPENERS["exuberant"])]
    assert 5 < len(coloured) < 40
    assert not any(
        one.startswith(OPENERS["exuberant"])
        for one in (host.line(ask(Moment.FAIR_WARNING, persona=persona)).text for _ in range(30))
    )


def test_every_opener_of_every_bearing_may_be_said() -> None:
    assert set(BEARINGS.values()) == set(OPENERS)
    for opener in (one for openers in OPENERS.values() for one in openers):
        assert judge(opener, FACTS, reviewed=True).text == opener


def test_a_characters_own_small_talk_is_said_and_judged_like_a_models() -> None:
    good, bad, sly = "I dream of gilded frames.", "The reserve is 3 ETH.", "See evil-mint.xyz, friends."
    host = scripted()
    persona = Persona(name="Moth", phrases=(good, bad, sly, "{{user1}} is [odd]"))
    said = {host.line(ask(Moment.CHATTER, persona=persona)).text for _ in range(30)}
    assert good in said
    assert len(said) > 1
    assert not {bad, sly} & said


def test_no_more_kinds_of_lines_are_remembered_than_the_limit() -> None:
    host = scripted()
    for moment in Moment:
        host.line(ask(moment) if moment is not Moment.QUESTION else asked("hello"))
    assert len(host._said) <= HISTORY_KINDS_MAX


# --- the grammar


def test_choices_within_choices_are_counted_and_listed() -> None:
    node = grammar.parse("a[b|c[d|]] e[|f]")
    assert list(grammar.every(node)) == ["ab e", "ab ef", "acd e", "acd ef", "ac e", "ac ef"]
    assert grammar.count(node) == 6
    assert grammar.expand(node, lambda count: count - 1) == "ac ef"


@pytest.mark.parametrize("broken", ["a[b", "a]b", "[[a|b]", "a[b|c]]", "[" * 9 + "a" + "]" * 9])
def test_brackets_that_do_not_match_or_stand_too_deep_are_refused(broken: str) -> None:
    with pytest.raises(InvalidInput):
        grammar.parse(broken)


def test_a_bar_outside_a_choice_is_a_bar() -> None:
    assert grammar.expand(grammar.parse("a|b"), lambda _: 0) == "a|b"


def test_the_deepest_choice_that_is_allowed() -> None:
    assert grammar.count(grammar.parse("[" * 8 + "a" + "]" * 8)) == 1


def test_facts_are_values() -> None:
    assert hash(FACTS) == hash(replace(FACTS))
    assert isinstance(FACTS, Facts)
