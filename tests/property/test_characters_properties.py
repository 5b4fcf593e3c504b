"""Whatever a character's file holds, it is read or refused with paths; what was read comes out as it went in."""

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sothebais.agent import character_document, elizaos
from sothebais.agent.character_document import CharacterRefused

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12).filter(str.strip)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ("name", "bio", "lore", "topics", "adjectives", "style", "messageExamples", "postExamples", "settings", "plugins", "system", "x")
)  # fmt: skip
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=9)
LINE = st.one_of(
    st.fixed_dictionaries({"user": WORDS, "content": st.fixed_dictionaries({"text": TEXTS, "action": WORDS})}),
    st.fixed_dictionaries({"name": WORDS, "content": st.fixed_dictionaries({"text": TEXTS})}),
)
GOOD = st.fixed_dictionaries(
    {"name": WORDS, "bio": WORDS | st.lists(WORDS, max_size=3)},
    optional={
        "lore": WORDS | st.lists(WORDS, max_size=3),
        "topics": st.lists(WORDS, max_size=3),
        "adjectives": st.lists(WORDS, max_size=3),
        "postExamples": st.lists(WORDS, max_size=3),
        "messageExamples": st.lists(st.lists(LINE, max_size=3), max_size=3)
        | st.lists(st.fixed_dictionaries({"examples": st.lists(LINE, max_size=3)}), min_size=1, max_size=2),
        "style": st.dictionaries(st.sampled_from(("all", "chat", "post")), st.lists(WORDS, max_size=2)),
        "plugins": st.lists(WORDS, max_size=2),
        "advancedMemory": st.booleans(),
    },
)


def faults_of(read: Callable[[Any], Any], given: Any) -> list[dict[str, str]] | None:
    """What is wrong with it; None when it was read."""
    try:
        read(given)
    except CharacterRefused as refused:
        found: list[dict[str, str]] = refused.fields["faults"]
        return found
    return None


@settings(max_examples=150)
@given(st.dictionaries(FIELDS, JSON, max_size=8) | JSON)
def test_any_json_is_read_or_refused_with_its_places(document: Any) -> None:
    for read in (elizaos.import_character, character_document.read):
        faults = faults_of(read, document)
        assert faults is None or (faults and all(fault.keys() == {"path", "expected"} for fault in faults))


@settings(max_examples=150)
@given(GOOD)
def test_a_good_file_comes_out_as_it_went_in(document: dict[str, Any]) -> None:
    imported = elizaos.import_character(document)
    stored = msgspec.json.decode(msgspec.json.encode(character_document.document(imported.character)))
    again = character_document.read(stored)
    assert again == imported.character
    assert elizaos.export_character(again) == document


@settings(max_examples=100)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_bytes_are_json_or_refused(data: bytes) -> None:
    assert faults_of(character_document.decode, data) in (None, [{"path": "", "expected": "JSON"}])
