"""Characters: the house's own form, ElizaOS files of three dialects, and Sable."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from sothebais.agent import character as model
from sothebais.agent import character_document, elizaos
from sothebais.agent.character import Character, Picture, Turn, look, persona
from sothebais.agent.character_document import CharacterRefused
from sothebais.agent.mood import MOODS
from sothebais.agent.sable import SABLE
from sothebais.stream import host_element, host_look

FILES = Path(__file__).parent.parent / "data" / "characters"
#: What of each file is a secret and is not written again.
SECRETS: dict[str, list[tuple[str, ...]]] = {
    "bartholomew-0.1": [("settings", "secrets")],
    "odile-1": [("secrets",)],
    "perpetua-2": [("settings", "secrets"), ("settings", "OPENAI_API_KEY"), ("settings", "wallet", "privateKey")],
    "quill-minimal": [],
}


def load(name: str) -> Any:
    return json.loads((FILES / f"{name}.json").read_text())


def without(document: Any, path: tuple[str, ...]) -> Any:
    *head, last = path
    place = document
    for key in head:
        place = place[key]
    del place[last]
    return document


@pytest.mark.parametrize("name", SECRETS)
def test_a_file_comes_out_as_it_went_in_but_for_its_secrets(name: str) -> None:
    expected = load(name)
    for path in SECRETS[name]:
        expected = without(expected, path)
    imported = elizaos.import_character(load(name))
    assert elizaos.export_character(imported.character) == expected
    # and through the house's own form, as the database keeps it
    stored = msgspec.json.decode(msgspec.json.encode(character_document.document(imported.character)))
    assert character_document.read(stored) == imported.character
    assert elizaos.export_character(character_document.read(stored)) == expected


@pytest.mark.parametrize(
    ("name", "dialect", "dropped"),
    [
        ("bartholomew-0.1", "0.1", ["settings.secrets"]),
        ("odile-1", "1", ["secrets"]),
        ("perpetua-2", "2", ["settings.OPENAI_API_KEY", "settings.wallet.privateKey"]),
        ("quill-minimal", "1", []),
    ],
)
def test_secrets_are_dropped_and_named_and_the_dialect_is_told(name: str, dialect: str, dropped: list[str]) -> None:
    imported = elizaos.import_character(load(name))
    assert imported.dialect == dialect
    assert sorted(imported.dropped) == sorted(dropped)
    text = json.dumps(character_document.document(imported.character))
    for word in ("not-a-real", "sk-notareal", "1111111111"):
        assert word not in text
        assert word not in str(imported.notes)


def test_what_is_kept_and_not_followed_is_said() -> None:
    notes = " ".join(elizaos.import_character(load("bartholomew-0.1")).notes)
    for word in ("system", "clients", "knowledge", "extends", "modelProvider"):
        assert word in notes
    assert "plugins" not in notes, "an empty list is nothing"


def test_everything_that_is_wrong_with_a_file_is_listed_with_its_path() -> None:
    with pytest.raises(CharacterRefused) as refused:
        elizaos.import_character(load("broken"))
    faults = {fault["path"]: fault["expected"] for fault in refused.value.fields["faults"]}
    assert set(faults) == {
        "name",
        "bio",
        "topics",
        "adjectives[1]",
        "messageExamples[0][0].content",
        "messageExamples[0][1].name",
        "messageExamples[1]",
        "postExamples[0]",
        "style.loud",
    }
    assert faults["bio"] == "must be a text or a list of texts"
    assert refused.value.fields["faults_count"] == 9
    assert refused.value.message.startswith("name: must not be empty and 8 more")


def test_values_that_look_like_secrets_are_dropped_wherever_they_stand() -> None:
    key = "sk-" + "a1" * 12
    document = load("quill-minimal") | {
        "templates": {"a": f"use {key}"},
        "settings": {"nested": [{"cookies": "yum"}], "maxOutputTokens": 200, "tokenLimit": 5, "seedPhrase": "one two"},
    }
    imported = elizaos.import_character(document)
    kept = imported.character.aside["elizaos"]["kept"]
    assert kept == {"templates": {"a": ""}, "settings": {"nested": [{}], "maxOutputTokens": 200, "tokenLimit": 5}}
    assert sorted(imported.dropped) == ["settings.nested[0].cookies", "settings.seedPhrase", "templates.a"]


@pytest.mark.parametrize(
    ("field", "at_the_bound", "beyond"),
    [
        ("name", "x" * model.NAME_LENGTH_MAX, "x" * (model.NAME_LENGTH_MAX + 1)),
        ("bio", ["x" * model.TEXT_LENGTH_MAX], ["x" * (model.TEXT_LENGTH_MAX + 1)]),
        ("topics", ["x"] * model.ENTRIES_MAX, ["x"] * (model.ENTRIES_MAX + 1)),
        ("messageExamples", [[]] * model.CONVERSATIONS_MAX, [[]] * (model.CONVERSATIONS_MAX + 1)),
        (
            "messageExamples",
            [[{"name": "a", "content": {"text": "b"}}] * model.TURNS_MAX],
            [[{"name": "a", "content": {"text": "b"}}] * (model.TURNS_MAX + 1)],
        ),
        ("more", "x" * (model.ASIDE_BYTES_MAX - 500), "x" * model.ASIDE_BYTES_MAX),
    ],
)
def test_sizes_are_bounded(field: str, at_the_bound: Any, beyond: Any) -> None:
    base = {"name": "Quill", "bio": ["A feather."]}
    assert elizaos.import_character(base | {field: at_the_bound}).character
    with pytest.raises(CharacterRefused):
        elizaos.import_character(base | {field: beyond})


def test_a_file_is_bounded_and_nested_only_so_deep() -> None:
    assert character_document.decode(b'\xef\xbb\xbf{"name": "Q"}') == {"name": "Q"}
    at_bound = b'"' + b"x" * (model.FILE_BYTES_MAX - 2) + b'"'
    assert len(character_document.decode(at_bound)) == model.FILE_BYTES_MAX - 2
    for data in (at_bound + b" ", b"{", b"", b"[" * 100_000, b'{"a": "\xff"}'):
        with pytest.raises(CharacterRefused):
            character_document.decode(data)
    deep: Any = "x"
    for _ in range(character_document.DEPTH_MAX + 2):
        deep = [deep]
    with pytest.raises(CharacterRefused):
        elizaos.import_character({"name": "Q", "bio": ["b"], "more": deep})
    for text in ("nul\x00", "half \ud800"):
        with pytest.raises(CharacterRefused):
            elizaos.import_character({"name": "Q", "bio": [text]})
        with pytest.raises(CharacterRefused):
            character_document.read({"name": "Q", "bio": [text]})


def test_no_more_faults_are_listed_than_fit() -> None:
    with pytest.raises(CharacterRefused) as refused:
        character_document.read({"name": "Q"} | {f"x{n}": 1 for n in range(character_document.FAULTS_MAX + 7)})
    assert len(refused.value.fields["faults"]) == character_document.FAULTS_MAX
    assert refused.value.fields["faults_count"] == character_document.FAULTS_MAX + 7


def test_the_own_form_is_read_back_and_refuses_what_it_does_not_know() -> None:
    assert character_document.read(character_document.document(SABLE)) == SABLE
    wrong = {
        "name": "Q",
        "expressions": {"calm": {"asset": 3, "moods": ["SLEEPY"], "x": 1}},
        "default_expression": "happy",
        "voice": {"speed": 9, "pitch": 1},
        "message_examples": [[{"speaker": "Q"}]],
    }
    with pytest.raises(CharacterRefused) as refused:
        character_document.read(wrong)
    assert {fault["path"] for fault in refused.value.fields["faults"]} == {
        "expressions.calm.x",
        "expressions.calm.asset",
        "expressions.calm.moods",
        "default_expression",
        "voice.speed",
        "voice.pitch",
        "message_examples[0][0].text",
    }
    for value in ([], "x", None, 3):
        with pytest.raises(CharacterRefused):
            character_document.read(value)
        with pytest.raises(CharacterRefused):
            elizaos.import_character(value)


def test_an_imported_character_keeps_the_pictures_it_is_put_onto() -> None:
    assert elizaos.import_character(load("odile-1"), onto=SABLE).character.props == SABLE.props
    alone = elizaos.import_character(load("odile-1")).character
    assert set(alone.expressions) == set(model.DRAWN_EXPRESSIONS)
    assert alone.voice.name == "en_GB-alba-medium"


def test_sable_is_a_whole_character_whose_pictures_the_house_draws() -> None:
    assert set(SABLE.expressions) == set(host_look.EXPRESSIONS) == set(model.DRAWN_EXPRESSIONS)
    assert dict(model.DRAWN_EXPRESSIONS) == {name: mood for mood, name in host_look.NAMES.items()}
    assert set(SABLE.props) == set(host_look.PROPS) == set(model.DRAWN_PROPS)
    assert tuple(SABLE.backgrounds) == host_element.BACKGROUNDS == model.DRAWN_BACKGROUNDS
    assert min(map(len, (SABLE.bio, SABLE.lore, SABLE.topics, SABLE.adjectives, SABLE.post_examples))) >= 7
    assert len(SABLE.message_examples) >= 10
    # its own lines have no amount, number or sign of a currency: they are taken for its manner
    assert not any(letter.isdigit() or letter in "$€Ξ{}" for line in persona(SABLE).phrases for letter in line)
    assert len(persona(SABLE).phrases) >= 20
    exported = elizaos.export_character(SABLE)
    assert elizaos.import_character(exported, onto=SABLE).character.message_examples == SABLE.message_examples


def test_a_mood_picks_expression_background_and_props() -> None:
    assert [look(SABLE, mood).expression for mood in MOODS] == [host_look.NAMES[mood] for mood in MOODS]
    assert look(SABLE, "CURIOUS").props == ("lorgnette",)
    assert look(SABLE, "NEUTRAL").background is None
    own = replace(
        SABLE,
        expressions={
            "calm": Picture(asset="EXPRESSION/calm"),
            "wild": Picture(asset="EXPRESSION/wild", moods=("EXCITED",)),
        },
        default_expression="calm",
        backgrounds={"hall": Picture(asset="CHARACTER_BACKGROUND/hall", moods=("EXCITED", "HAPPY"))},
        props={},
    )
    assert look(own, "EXCITED") == model.Look("wild", "CHARACTER_BACKGROUND/hall", ())
    assert look(own, "CURIOUS") == model.Look("calm", None, ())


def test_a_persona_has_the_characters_own_lines_without_placeholders() -> None:
    made = Character(
        name="Quill",
        message_examples=(
            (Turn("{{user1}}", "hello"), Turn("quill", "Good evening, {{user1}}"), Turn("Quill", "I write.")),
        ),
        post_examples=("A post.", "x" * (model.PHRASE_LENGTH_MAX + 1)),
    )
    assert persona(made).phrases == ("I write.", "A post.")
