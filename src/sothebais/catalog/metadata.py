"""ERC-721 metadata of one item, from JSON text to checked values.

Pure: no database, network, clock or files. Numbers are never rounded: a whole number that every JSON reader can hold
stays a number, any other keeps its digits as text.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sothebais.errors import InvalidInput

type Json = str | int | bool | list[Json] | dict[str, Json] | None

NAME_CHARS_MAX: Final = 200
DESCRIPTION_CHARS_MAX: Final = 10_000
ADDRESS_CHARS_MAX: Final = 2_000
TRAIT_CHARS_MAX: Final = 200
VALUE_CHARS_MAX: Final = 1_000
KEY_CHARS_MAX: Final = 200
ATTRIBUTES_MAX: Final = 100
NESTING_MAX: Final = 8
#: One item's document as it is stored, pictures inside it left out.
DOCUMENT_BYTES_MAX: Final = 65_536
NUMBER_CHARS_MAX: Final = 100
TOKEN_ID_MAX: Final = 2**256 - 1
TOKEN_ID_CHARS_MAX: Final = 78

#: Where an item may name its token id, in order of preference.
TOKEN_ID_FIELDS: Final = ("token_id", "tokenId", "edition", "id")
_TOKEN_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*", re.ASCII)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_ADDRESS_SCHEMES = frozenset({"http", "https", "ipfs", "ar", "data"})
#: JSON readers that know only doubles hold whole numbers up to here.
_WHOLE_MAX = 2**53 - 1

_LINE_BREAKS = re.compile(r"\r\n?|[\u0085\u2028\u2029]")
# control characters, and those that turn the direction of text around (a name could pretend to be another)
_INVISIBLE: Final = dict.fromkeys(
    (
        *range(9),
        11,
        12,
        *range(14, 32),
        *range(127, 160),
        0x200E,
        0x200F,
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        0xFEFF,
    )
)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ItemMetadata:
    """One checked item. ``document`` is its metadata as it came, cleaned; ``image`` is None for a picture inside it."""

    token_id: str
    name: str
    description: str
    image: str | None
    animation_url: str | None
    document: dict[str, Json]
    #: What to fetch the picture from: ``image``, or the whole ``data:`` address.
    image_source: str


def _fault(field: str, message: str) -> InvalidInput:
    return InvalidInput(f"{field}: {message}", field=field)


# --- text to values ---


def decode_json(data: bytes) -> Json:
    """The JSON value of ``data`` (UTF-8, with or without a byte order mark). Raises InvalidInput that says where it breaks."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InvalidInput("The file is UTF-16; save it as UTF-8.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The file is not UTF-8 text (byte {error.start:,}).") from None
    if not text.strip():
        raise InvalidInput("The file is empty; JSON was expected.")
    try:
        value: Json = json.loads(
            text, parse_int=_whole, parse_float=_decimal, parse_constant=_no_number, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        raise InvalidInput(f"Not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise InvalidInput("Not usable JSON: it is nested too deeply.") from None
    return value


def _whole(digits: str) -> int | str:
    if len(digits) > NUMBER_CHARS_MAX:
        raise InvalidInput(f"A number has {len(digits):,} digits; at most {NUMBER_CHARS_MAX} are taken.")
    number = int(digits)
    return number if abs(number) <= _WHOLE_MAX else digits


def _decimal(digits: str) -> str:
    if len(digits) > NUMBER_CHARS_MAX:
        raise InvalidInput(f"A number has {len(digits):,} characters; at most {NUMBER_CHARS_MAX} are taken.")
    return digits


def _no_number(name: str) -> Json:
    raise InvalidInput(f"Not JSON: {name} is no number.")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for index, key in enumerate(keys) if key in keys[:index])
        raise InvalidInput(
            f"The key {_shown(twice)} stands twice in one object; readers would disagree about its value."
        )
    return found


def _shown(value: object) -> str:
    """A value in a message: short, on one line, printable anywhere."""
    return ascii(value) if len(ascii(value)) <= 60 else ascii(value)[:57] + "…"


# --- cleaning ---


def clean_text(text: str, field: str, chars_max: int, *, lines: bool = False) -> str:
    """``text`` without control characters and outer white space; on one line unless ``lines``. Raises InvalidInput."""
    if _SURROGATE.search(text):
        raise _fault(field, "holds half of a surrogate pair, which is no character; save the text as UTF-8 again")
    cleaned = _LINE_BREAKS.sub("\n", text).translate(_INVISIBLE).strip()
    if not lines:
        cleaned = " ".join(cleaned.split())
    if len(cleaned) > chars_max:
        raise _fault(field, f"has {len(cleaned):,} characters; at most {chars_max:,} are taken")
    return cleaned


def _cleaned(value: Json, field: str, depth: int) -> Json:
    if depth > NESTING_MAX:
        raise _fault(field, f"is nested more than {NESTING_MAX} deep")
    if isinstance(value, str):
        return clean_text(value, field, DOCUMENT_BYTES_MAX, lines=True)
    if isinstance(value, list):
        return [_cleaned(part, f"{field}[{index}]", depth + 1) for index, part in enumerate(value)]
    if isinstance(value, dict):
        return {
            clean_text(key, f"{field} key", KEY_CHARS_MAX): _cleaned(part, f"{field}.{_key(key)}", depth + 1)
            for key, part in value.items()
        }
    return value


def _key(key: str) -> str:
    return key if key.isascii() and key.isprintable() and len(key) <= 40 else _shown(key)


# --- token ids ---


def token_id(value: object, field: str) -> str:
    """A token id in its one spelling: ``007`` and ``7`` are the same token. Raises InvalidInput."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _fault(field, "must be a whole number or a short text")
    text = str(value).strip()
    if not _TOKEN_ID.fullmatch(text):
        raise _fault(field, f"{_shown(text)} is no token id; letters, digits, dot, dash and underscore are taken")
    if text.isdigit():
        text = text.lstrip("0") or "0"
        if len(text) > TOKEN_ID_CHARS_MAX or int(text) > TOKEN_ID_MAX:
            raise _fault(field, "is larger than any token id (2^256 - 1)")
    if len(text) > TOKEN_ID_CHARS_MAX:
        raise _fault(field, f"has {len(text):,} characters; at most {TOKEN_ID_CHARS_MAX} are taken")
    return text


def find_token_id(document: Mapping[str, Json], *, stem: str | None, number: int) -> str:
    """The item's token id: a file name that is a number, else a field of the item, else the file name, else ``number``.

    ``stem`` is the file name without its ending, None for an entry of a list; ``number`` its place there, from 1.
    """
    if stem is not None and stem.isascii() and stem.isdigit():
        return token_id(stem, "file name")
    for field in TOKEN_ID_FIELDS:
        value = document.get(field)
        if value is not None and value != "":
            return token_id(value, field)
    return token_id(stem, "file name") if stem is not None else str(number)


# --- one item ---


def parse_item(value: Json, *, stem: str | None, number: int) -> ItemMetadata:
    """The checked metadata of one JSON value. Raises InvalidInput whose ``field`` names what is wrong."""
    if not isinstance(value, dict):
        raise InvalidInput("An item must be a JSON object with name, description and image.", field=None)
    identity = find_token_id(value, stem=stem, number=number)
    name = _text(value, "name", NAME_CHARS_MAX)
    if not name:
        raise _fault("name", "is missing")
    description = _text(value, "description", DESCRIPTION_CHARS_MAX, lines=True)
    image, source = _image(value)
    animation = _address(value, "animation_url")
    attributes = _attributes(value.get("attributes"))
    document = _cleaned({key: _without_data(part) for key, part in value.items() if key != "attributes"}, "item", 0)
    assert isinstance(document, dict)
    if "attributes" in value:
        document["attributes"] = attributes
    # as they were checked: a line break inside could hide a scheme from the check and not from a browser
    checked = {"image": image, "animation_url": animation, "external_url": _address(value, "external_url")}
    document.update({key: address for key, address in checked.items() if address is not None})
    size = len(json.dumps(document, ensure_ascii=False).encode())
    if size > DOCUMENT_BYTES_MAX:
        raise _fault("item", f"has {size:,} bytes of metadata; at most {DOCUMENT_BYTES_MAX:,} are taken")
    return ItemMetadata(identity, name, description, image, animation, document, source)


def _text(document: Mapping[str, Json], field: str, chars_max: int, *, lines: bool = False) -> str:
    value = document.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _fault(field, f"must be text, not {_kind(value)}")
    return clean_text(value, field, chars_max, lines=lines)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    kinds: dict[type, str] = {int: "a number", list: "a list", dict: "an object", str: "text", type(None): "null"}
    return kinds.get(type(value), "this")


def _image(document: Mapping[str, Json]) -> tuple[str | None, str]:
    """The address to keep (None for a picture inside the metadata) and the whole address."""
    value = document.get("image")
    if value is None or value == "":
        if document.get("image_data"):
            raise _fault(
                "image", "is missing; image_data holds a drawing instead. Render it to PNG and name that in image"
            )
        raise _fault("image", "is missing; an item needs a picture")
    if not isinstance(value, str):
        raise _fault("image", f"must be text, not {_kind(value)}")
    if _is_data(value):
        return None, value
    address = _checked_address(value, "image")
    return address, address


def _address(document: Mapping[str, Json], field: str) -> str | None:
    value = document.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _fault(field, f"must be text, not {_kind(value)}")
    return None if _is_data(value) else _checked_address(value, field)


def address(value: str, field: str) -> str | None:
    """An address that may be kept and shown; None for an empty one. Raises InvalidInput."""
    if _is_data(value):
        raise _fault(field, "holds the content itself; use an address")
    return _checked_address(value, field) or None


def _checked_address(value: str, field: str) -> str:
    address = clean_text(value, field, ADDRESS_CHARS_MAX)
    scheme = _SCHEME.match(address)
    if scheme is not None and scheme[1].lower() not in _ADDRESS_SCHEMES:
        raise _fault(
            field, f"{_shown(scheme[1])} addresses are not taken; use a file beside the metadata, https or ipfs"
        )
    return address


def _is_data(value: str) -> bool:
    return value[:5].lower() == "data:"


def _without_data(value: Json) -> Json:
    """A ``data:`` address keeps its type and loses its content: the asset store holds the picture, once."""
    if isinstance(value, str) and _is_data(value):
        return value[:100].split(",", 1)[0].split(";", 1)[0] + ","
    return value


def _attributes(value: Json) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _fault("attributes", f"must be a list, not {_kind(value)}")
    if len(value) > ATTRIBUTES_MAX:
        raise _fault("attributes", f"has {len(value):,} entries; at most {ATTRIBUTES_MAX} are taken")
    return [_attribute(entry, f"attributes[{index}]") for index, entry in enumerate(value)]


def _attribute(entry: Json, field: str) -> dict[str, Json]:
    if not isinstance(entry, dict):
        raise _fault(field, f"must be an object with trait_type and value, not {_kind(entry)}")
    if "value" not in entry:
        raise _fault(f"{field}.value", "is missing")
    cleaned: dict[str, Json] = {}
    for key, part in entry.items():
        place = f"{field}.{_key(key)}"
        if isinstance(part, list | dict):
            raise _fault(place, f"must be text, a number, true, false or null, not {_kind(part)}")
        if key in {"trait_type", "display_type"} and not isinstance(part, str | None):
            raise _fault(place, f"must be text, not {_kind(part)}")
        chars_max = TRAIT_CHARS_MAX if key in {"trait_type", "display_type"} else VALUE_CHARS_MAX
        cleaned[clean_text(key, f"{field} key", KEY_CHARS_MAX)] = (
            clean_text(part, place, chars_max, lines=key == "value") if isinstance(part, str) else part
        )
    return cleaned


def from_row(row: Mapping[str, str]) -> dict[str, Any]:
    """The metadata of a CSV row: ``token_id``, ``name``, ``description``, ``image``; every other filled column is a trait."""
    document: dict[str, Any] = {
        key: row[key] for key in ("token_id", "name", "description", "image") if row.get(key, "") != ""
    }
    traits = [{"trait_type": key, "value": text} for key, text in row.items() if key not in _ROW_FIELDS and text != ""]
    for key in ("animation_url", "external_url"):
        if row.get(key, "") != "":
            document[key] = row[key]
    return {**document, "attributes": traits}


_ROW_FIELDS = frozenset({"token_id", "name", "description", "image", "animation_url", "external_url"})
