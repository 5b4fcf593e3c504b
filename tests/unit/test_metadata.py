"""ERC-721 metadata: what is taken, how it is cleaned, and which field a refusal names."""

import json
from typing import Any

import pytest

from sothebais.catalog import metadata
from sothebais.catalog.metadata import decode_json, from_row, parse_item, token_id
from sothebais.errors import InvalidInput

ITEM: dict[str, Any] = {"name": "Noun 1", "description": "A noun.", "image": "images/1.png"}


def parse(stem: str | None = "1", number: int = 1, **changes: Any) -> metadata.ItemMetadata:
    return parse_item({**ITEM, **changes}, stem=stem, number=number)


def refused(field: str | None, stem: str | None = "1", **changes: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse(stem, **changes)
    assert caught.value.fields.get("field") == field
    return caught.value


def test_an_item_keeps_what_it_says_and_keys_nobody_knows() -> None:
    item = parse(attributes=[{"trait_type": "Hat", "value": "red"}], dna="f00", compiler={"by": ["hand", 2]})
    assert (item.token_id, item.name, item.description, item.image) == ("1", "Noun 1", "A noun.", "images/1.png")
    assert item.document["dna"] == "f00"
    assert item.document["compiler"] == {"by": ["hand", 2]}
    assert item.document["attributes"] == [{"trait_type": "Hat", "value": "red"}]


def test_parsing_what_was_parsed_changes_nothing() -> None:
    once = parse(name=" A\u0000B\u202e ", description="one\r\ntwo\u2028three", attributes=[{"value": True}])
    assert parse_item(once.document, stem="1", number=1) == once


@pytest.mark.parametrize(
    ("stem", "fields", "number", "expected"),
    [
        ("7", {"token_id": 9}, 1, "7"),
        ("007", {}, 1, "7"),
        ("0", {}, 1, "0"),
        ("sunset", {"token_id": 9}, 1, "9"),
        ("sunset", {"tokenId": "12"}, 1, "12"),
        ("sunset", {"edition": 3, "id": 4}, 1, "3"),
        ("sunset", {"id": "A-12"}, 1, "A-12"),
        ("sunset", {}, 5, "sunset"),
        (None, {"edition": 0}, 5, "0"),
        (None, {}, 5, "5"),
        (None, {"token_id": str(2**256 - 1)}, 1, str(2**256 - 1)),
    ],
)
def test_the_token_id_is_found(stem: str | None, fields: dict[str, Any], number: int, expected: str) -> None:
    assert parse(stem, number, **fields).token_id == expected


@pytest.mark.parametrize(
    "value", [True, 1.5, [], {}, "../1", "a b", "", "-1", -1, "é", "1" * 79, str(2**256), 2**256, "a\u0000", "x" * 79]
)
def test_what_is_no_token_id_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        token_id(value, "token_id")


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": None}),
        ("name", {"name": "\u0000\u200e "}),
        ("name", {"name": 7}),
        ("name", {"name": "n" * 201}),
        ("name", {"name": "half \ud800"}),
        ("description", {"description": ["text"]}),
        ("description", {"description": "d" * 10_001}),
        ("image", {"image": ""}),
        ("image", {"image": {"url": "1.png"}}),
        ("image", {"image": "x" * 2_001}),
        ("image", {"image": "file:///etc/passwd"}),
        ("image", {"image": "javascript:alert(1)"}),
        ("image", {"image": None, "image_data": "<svg/>"}),
        ("animation_url", {"animation_url": 1}),
        ("animation_url", {"animation_url": "vbscript:x"}),
        ("external_url", {"external_url": " javascript:alert(1)"}),
        ("external_url", {"external_url": "java\u0000script:alert(1)"}),
        ("attributes", {"attributes": {"Hat": "red"}}),
        ("attributes", {"attributes": [{"value": 1}] * 101}),
        ("attributes[0]", {"attributes": ["red"]}),
        ("attributes[1].value", {"attributes": [{"value": 1}, {"trait_type": "Hat"}]}),
        ("attributes[0].value", {"attributes": [{"value": {"nested": 1}}]}),
        ("attributes[0].value", {"attributes": [{"value": "v" * 1_001}]}),
        ("attributes[0].trait_type", {"attributes": [{"trait_type": 1, "value": 1}]}),
        ("attributes[0].display_type", {"attributes": [{"display_type": [], "value": 1}]}),
        ("item", {"filler": ["x" * 1_000] * 70}),
        ("item.deep" + "[0]" * 8, {"deep": json.loads("[" * 9 + "]" * 9)}),
    ],
)
def test_a_refusal_names_the_field(field: str, changes: dict[str, Any]) -> None:
    assert refused(field, **changes).message.startswith(f"{field}: ")


@pytest.mark.parametrize("value", [None, 1, "text", ["name"], True])
def test_only_objects_are_items(value: Any) -> None:
    with pytest.raises(InvalidInput):
        parse_item(value, stem="1", number=1)


def test_control_and_direction_characters_are_taken_out() -> None:
    item = parse(name="No\u0000un\u202e \n\t 1\u0007", description="line one\r\nline\u0000 two\u0085three")
    assert item.name == "Noun 1"
    assert item.description == "line one\nline two\nthree"
    assert "\\u0000" not in json.dumps(item.document)


def test_numbers_keep_every_digit() -> None:
    text = b'{"a": 1.10, "b": 9007199254740993, "c": 42, "d": 1e400, "e": -0.30, "f": 9007199254740991}'
    assert decode_json(text) == {
        "a": "1.10",
        "b": "9007199254740993",
        "c": 42,
        "d": "1e400",
        "e": "-0.30",
        "f": 9007199254740991,
    }


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert decode_json(b'\xef\xbb\xbf{"name": "x"}') == {"name": "x"}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"{", "line 1"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"[" * 100_000 + b"]" * 100_000, "nested"),
        (b'{"a":' * 100_000, "nested"),
        (b"9" * 5_000, "digits"),
        (b"0." + b"9" * 5_000, "characters"),
        (b"\xff\xfe{\x00}\x00", "UTF-16"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b"\x89PNG\r\n\x1a\n", "UTF-8"),
        (b"<html></html>", "line 1"),
        (b'{"a": 1} trailing', "line 1"),
    ],
)
def test_broken_json_says_what_is_wrong(data: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        decode_json(data)


def test_a_picture_inside_the_metadata_is_not_stored_twice() -> None:
    source = "data:image/png;base64," + "A" * 200_000
    item = parse(image=source, animation_url="DATA:text/html,<b>hello</b>")
    assert item.image is None
    assert item.animation_url is None
    assert item.image_source == source
    assert item.document["image"] == "data:image/png,"
    assert item.document["animation_url"] == "DATA:text/html,"


def test_a_line_break_hides_no_scheme() -> None:
    item = parse(external_url="java\nscript:alert(1)", animation_url="java\tscript:alert(1)")
    assert item.document["external_url"] == "java script:alert(1)"
    assert item.document["animation_url"] == item.animation_url == "java script:alert(1)"


def test_a_row_of_a_table_becomes_an_item() -> None:
    row = {"token_id": "4", "name": "Four", "description": "", "image": "4.png", "Hat": "red", "Eyes": ""}
    item = parse_item(from_row(row), stem=None, number=1)
    assert (item.token_id, item.name, item.description) == ("4", "Four", "")
    assert item.document["attributes"] == [{"trait_type": "Hat", "value": "red"}]
