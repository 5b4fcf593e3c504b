"""A character as the house's own JSON document: read with a list of everything that is wrong, and written. Pure."""

from collections.abc import Callable
from typing import Any, Final, get_args

import msgspec

from sothebais.agent.character import (
    ASIDE_BYTES_MAX,
    CONVERSATIONS_MAX,
    ENTRIES_MAX,
    FILE_BYTES_MAX,
    NAME_LENGTH_MAX,
    PICTURE_NAME_LENGTH_MAX,
    PICTURES_MAX,
    SPEED_MAX,
    SPEED_MIN,
    TEXT_LENGTH_MAX,
    TURNS_MAX,
    Character,
    Picture,
    Style,
    Turn,
    Voice,
)
from sothebais.agent.model import MoodName
from sothebais.errors import InvalidInput

#: Faults that are listed; the rest is counted.
FAULTS_MAX: Final = 50
#: Objects and lists that may stand inside each other in what is kept aside.
DEPTH_MAX: Final = 12
MOODS: Final = frozenset(get_args(MoodName.__value__))
_KEYS: Final = (
    "name", "bio", "lore", "topics", "adjectives", "style", "message_examples", "post_examples", "voice",
    "default_expression", "expressions", "backgrounds", "props", "aside",
)  # fmt: skip


class CharacterRefused(InvalidInput):
    """A character's file cannot be used; ``fields`` has ``faults``, each with its ``path`` and what it should be."""

    code = "CHARACTER_REFUSED"
    title = "This is not a character"


class Reader:
    """Collects what is wrong while a document is read. A path is as in JavaScript: ``messageExamples[0][1].content``."""

    def __init__(self) -> None:
        self.faults: list[dict[str, str]] = []
        self._more = 0

    def fault(self, path: str, expected: str) -> None:
        """Note that what stands at ``path`` is not what it should be."""
        if len(self.faults) < FAULTS_MAX:
            self.faults.append({"path": path, "expected": expected})
        else:
            self._more += 1

    def check(self) -> None:
        """Raise CharacterRefused with all faults, if there are any."""
        if not self.faults:
            return
        first = self.faults[0]
        count = len(self.faults) + self._more
        rest = f" and {count - 1} more" if count > 1 else ""
        raise CharacterRefused(
            f"{first['path'] or 'The document'}: {first['expected']}{rest}.", faults=self.faults, faults_count=count
        )

    def mapping(self, value: Any, path: str, expected: str = "an object") -> dict[str, Any]:
        """A JSON object; nothing of it where it is none."""
        if isinstance(value, dict):
            return value
        self.fault(path, f"must be {expected}")
        return {}

    def text(self, value: Any, path: str, length_max: int = TEXT_LENGTH_MAX, *, empty: bool = False) -> str:
        """A text that PostgreSQL can keep."""
        if not isinstance(value, str):
            self.fault(path, f"must be a text of at most {length_max} characters")
        elif len(value) > length_max:
            self.fault(path, f"must have at most {length_max} characters; it has {len(value)}")
        elif not is_storable(value):
            self.fault(path, "must not hold NUL or half of a character pair")
        elif not empty and not value.strip():
            self.fault(path, "must not be empty")
        else:
            return value
        return ""

    def texts(self, value: Any, path: str, entries_max: int = ENTRIES_MAX) -> tuple[str, ...]:
        """A list of texts."""
        return self.entries(value, path, "texts", entries_max, self.text)

    def entries[T](
        self, value: Any, path: str, of: str, entries_max: int, read: Callable[[Any, str], T]
    ) -> tuple[T, ...]:
        """A list, each entry read by ``read``."""
        if not isinstance(value, list):
            self.fault(path, f"must be a list of {of}")
            return ()
        if len(value) > entries_max:
            self.fault(path, f"must have at most {entries_max} entries; it has {len(value)}")
            return ()
        return tuple(read(one, f"{path}[{at}]") for at, one in enumerate(value))

    def style(self, value: Any, path: str) -> Style:
        """Lists under ``all``, ``chat`` and ``post``."""
        found = self.mapping(value, path, "an object with lists of texts under all, chat and post")
        for key in found.keys() - {"all", "chat", "post"}:
            self.fault(f"{path}.{key}", "is not a kind of style; there are all, chat and post")
        return Style(
            **{
                name: self.texts(found[name], f"{path}.{name}")
                for name in ("all", "chat", "post")
                if found.get(name) is not None
            }
        )

    def pictures(self, value: Any, path: str) -> dict[str, Picture]:
        """Names with an asset and moods."""
        found = self.mapping(value, path, "an object of names, each with asset and moods")
        if len(found) > PICTURES_MAX:
            self.fault(path, f"must have at most {PICTURES_MAX} entries; it has {len(found)}")
            return {}
        return {name: self._picture(one, f"{path}.{name}", name) for name, one in found.items()}

    def _picture(self, value: Any, path: str, name: str) -> Picture:
        self.text(name, path, PICTURE_NAME_LENGTH_MAX)
        found = self.mapping(value, path, "an object with asset and moods")
        for key in found.keys() - {"asset", "moods"}:
            self.fault(f"{path}.{key}", "is not known here; there are asset and moods")
        asset = found.get("asset")
        if asset is not None:
            asset = self.text(asset, f"{path}.asset", 200)
        moods = found.get("moods", [])
        if not isinstance(moods, list) or not all(isinstance(mood, str) and mood in MOODS for mood in moods):
            self.fault(f"{path}.moods", f"must be a list of moods: {', '.join(sorted(MOODS))}")
            moods = []
        return Picture(asset=asset, moods=tuple(dict.fromkeys(moods)))

    def aside(self, value: dict[str, Any], path: str) -> dict[str, Any]:
        """What is kept as it is: JSON of a bounded size and depth."""
        if not _is_shallow(value, DEPTH_MAX):
            self.fault(path, f"must not be nested deeper than {DEPTH_MAX}")
            return {}
        size = len(msgspec.json.encode(value))
        if size > ASIDE_BYTES_MAX:
            self.fault(
                path, f"must have at most {ASIDE_BYTES_MAX} bytes in all besides what the house reads; it has {size}"
            )
            return {}
        if not is_storable(value):
            self.fault(path, "must not hold NUL or half of a character pair")
            return {}
        return value


def is_storable(value: Any) -> bool:
    """Whether PostgreSQL can keep every text of a JSON value."""
    match value:
        case str():
            return "\x00" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
        case dict():
            return all(is_storable(name) and is_storable(one) for name, one in value.items())
        case list() | tuple():
            return all(map(is_storable, value))
        case _:
            return True


def _is_shallow(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(_is_shallow(one, depth - 1) for one in value.values())
    if isinstance(value, list | tuple):
        return depth > 0 and all(_is_shallow(one, depth - 1) for one in value)
    return True


def decode(data: bytes) -> Any:
    """The JSON of a file. Raises CharacterRefused for one that is too long, or not JSON."""
    if len(data) > FILE_BYTES_MAX:
        raise CharacterRefused(f"A character's file has at most {FILE_BYTES_MAX:,} bytes; this one has {len(data):,}.")
    try:
        return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise CharacterRefused(f"The file is not JSON: {reason}.", faults=[{"path": "", "expected": "JSON"}]) from None


def read(document: Any) -> Character:
    """The character of the house's own form. Raises CharacterRefused with everything that is wrong."""
    reader = Reader()
    found = reader.mapping(document, "", "an object")
    reader.check()
    for key in found.keys() - set(_KEYS):
        reader.fault(key, "is not a field of a character; what is foreign belongs into aside")
    texts: dict[str, Any] = {
        key: reader.texts(found[key], key)
        for key in ("bio", "lore", "topics", "adjectives", "post_examples")
        if key in found
    }
    given: dict[str, Any] = {"name": reader.text(found.get("name"), "name", NAME_LENGTH_MAX), **texts}
    if "style" in found:
        given["style"] = reader.style(found["style"], "style")
    if "message_examples" in found:
        given["message_examples"] = reader.entries(
            found["message_examples"], "message_examples", "conversations", CONVERSATIONS_MAX,
            lambda one, path: reader.entries(one, path, "lines", TURNS_MAX, lambda turn, at: _turn(reader, turn, at)),
        )  # fmt: skip
    if "voice" in found:
        given["voice"] = _voice(reader, found["voice"])
    for key in ("expressions", "backgrounds", "props"):
        if key in found:
            given[key] = reader.pictures(found[key], key)
    if "default_expression" in found:
        given["default_expression"] = reader.text(
            found["default_expression"], "default_expression", PICTURE_NAME_LENGTH_MAX
        )
    if "aside" in found:
        given["aside"] = reader.aside(reader.mapping(found["aside"], "aside"), "aside")
    made = Character(**given)
    if made.default_expression not in made.expressions:
        reader.fault("default_expression", f"must be one of the expressions: {', '.join(made.expressions) or 'none'}")
    reader.check()
    return made


def _turn(reader: Reader, value: Any, path: str) -> Turn:
    found = reader.mapping(value, path, "an object with speaker and text")
    for key in found.keys() - {"speaker", "text", "aside"}:
        reader.fault(f"{path}.{key}", "is not known here; there are speaker, text and aside")
    aside = found.get("aside", {})
    return Turn(
        reader.text(found.get("speaker"), f"{path}.speaker", NAME_LENGTH_MAX),
        reader.text(found.get("text"), f"{path}.text", empty=True),
        reader.aside(reader.mapping(aside, f"{path}.aside"), f"{path}.aside"),
    )


def _voice(reader: Reader, value: Any) -> Voice:
    found = reader.mapping(value, "voice", "an object with name and speed")
    for key in found.keys() - {"name", "speed"}:
        reader.fault(f"voice.{key}", "is not known here; there are name and speed")
    name, speed = found.get("name"), found.get("speed", 1.0)
    if name is not None:
        name = reader.text(name, "voice.name", 200)
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not SPEED_MIN <= speed <= SPEED_MAX:
        reader.fault("voice.speed", f"must be a number from {SPEED_MIN} to {SPEED_MAX}")
        speed = 1.0
    return Voice(name=name, speed=float(speed))


def document(character: Character) -> dict[str, Any]:
    """The house's own form."""
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(character))
    for conversation in made["message_examples"]:
        for turn in conversation:
            if not turn["aside"]:
                del turn["aside"]
    return made
