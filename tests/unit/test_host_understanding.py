"""What people want is found often enough to be useful, and a miss is a harmless one."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sothebais.agent.model import HEARD_LENGTH_MAX
from sothebais.agent.understanding import KINDS, RULES, Wish, readable, understand

ROWS = [
    tuple(line.split("\t"))
    for line in (Path(__file__).parents[1] / "data" / "utterances.tsv").read_text("utf-8").splitlines()
]
#: Share of the labelled lines that must be understood, of all and of each set. When it was written, set 2 was understood
#: to 70 %, set 3 to 44 % and set 4 to 54 % at first: nobody should read the share of today as that of unseen lines.
SHARE_MIN = 0.93
SET_SHARE_MIN = 0.7


def test_labelled_lines_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(ROWS) >= 120
    right: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for part, label, text in ROWS:
        of[part] += 1
        right[part] += understand(text).ask == label
    with capsys.disabled():
        print(f"\nunderstood: {sum(right.values())} of {len(ROWS)}; by set {dict(right)} of {dict(of)}")
    assert sum(right.values()) >= SHARE_MIN * len(ROWS)
    assert all(right[part] >= SET_SHARE_MIN * of[part] for part in of)


def test_every_wish_has_a_labelled_line() -> None:
    assert {label for _, label, _ in ROWS} == set(Wish)


def test_what_must_not_be_missed_is_not_missed() -> None:
    """An opt-out, a fishing for secrets and an order are heard as such in every labelled line."""
    for _, label, text in ROWS:
        if label in (Wish.OPT_OUT, Wish.SECRET):
            assert understand(text).ask == label, text


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("curent prise pls", "current price please"),
        ("who is the leder", "who is the leader"),
        ("ＷＨＯ ＬＥＡＤＳ", "who leads"),
        ("whо lеаds", "who leads"),
        ("thx", "thanks"),
        ("inrement", "increment"),
        ("reserv", "reserve"),
        ("cat", "cat"),
    ],
)
def test_slips_and_disguises_are_read_through(typed: str, meant: str) -> None:
    assert readable(typed) == meant


def test_sentiment_goes_with_the_words() -> None:
    assert understand("what a beautiful work").sentiment > 0
    assert understand("you are an idiot").sentiment < 0
    assert understand("what lot is this").sentiment == 0


def test_every_wish_has_a_kind_for_the_log_and_a_rule_or_is_the_rest() -> None:
    assert set(KINDS) == set(Wish)
    assert {wish for wish, _ in RULES} == set(Wish) - {Wish.OFF_TOPIC}


@given(st.text(max_size=HEARD_LENGTH_MAX * 2))
def test_any_text_is_understood_as_something(text: str) -> None:
    found = understand(text)
    assert found.ask in Wish
    assert -100 <= found.sentiment <= 100
    assert found.kind == KINDS[found.ask]
