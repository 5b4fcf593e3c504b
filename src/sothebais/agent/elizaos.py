"""ElizaOS character files, in the dialects of 0.1, 1.x and later: read, and written again in the same dialect. Pure.

What differs: 0.1 has ``user`` where later ones have ``name``, ``lore``, ``clients`` and ``modelProvider``; 1.x has
``plugins`` and ``secrets`` beside the settings; later files wrap each conversation in an object with ``examples``. What the
house has no use for (``system``, ``templates``, ``plugins``, ``knowledge`` …) is kept aside and written out again, never
followed. Secrets are not kept.
"""

import re
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from sothebais.agent.character import (
    CONVERSATIONS_MAX,
    NAME_LENGTH_MAX,
    TURNS_MAX,
    Character,
    Turn,
    Voice,
)
from sothebais.agent.character_document import Reader

#: Where a character keeps what only ElizaOS knows.
ASIDE: Final = "elizaos"
_READ: Final = frozenset({"name", "bio", "lore", "topics", "adjectives", "style", "messageExamples", "postExamples"})
#: A key that says that its value is nobody's business.
_SECRET_KEY: Final = re.compile(
    r"^(?:.*[_\-. ])?(?:secrets?|passwords?|passwd|pwd|private[_\-]?key|api[_\-]?keys?|(?:access|auth|bot|refresh|bearer|session)[_\-]?tokens?"
    r"|tokens?|mnemonic|seed[_\-]?phrase|credentials?|cookies?|salt|pin|2fa.*|totp.*)(?:[_\-. ].*)?$",
    re.IGNORECASE,
)
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
#: Keys that look like it and are plain settings.
_PLAIN_KEY: Final = re.compile(
    r"max[_\-]?(?:input|output|response)?[_\-]?tokens?|tokens?[_\-]?(?:limit|count|max|budget)", re.IGNORECASE
)
_SECRET_VALUE: Final = re.compile(
    r"\bsk-[A-Za-z0-9_\-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bxox[abpr]-[A-Za-z0-9\-]{10,}|\bAKIA[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(?:0x)?[0-9a-fA-F]{64}\b|\bAIza[A-Za-z0-9_\-]{30,}|\beyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{5,}"
)
#: What of a file is not done here, and is said so.
_UNUSED: Final = {
    "system": "kept, not followed: what a model is told is the house's own text",
    "templates": "kept, not followed: what a model is told is the house's own text",
    "plugins": "kept, not loaded: the host can only speak",
    "clients": "kept, not used: where the host speaks is set in the house's settings",
    "clientConfig": "kept, not used: where the host speaks is set in the house's settings",
    "modelProvider": "kept, not used: the model is set in the house's settings",
    "knowledge": "kept, not read: facts come from the log and the catalogue",
    "extends": "kept, not followed: other files are not read; merge them before the import",
}


class Imported(Struct, frozen=True):
    """A character out of a file. ``dropped`` are paths of secrets that were not kept, ``notes`` what is kept and not used."""

    character: Character
    dialect: str
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def import_character(document: Any, *, onto: Character | None = None) -> Imported:
    """The character of an ElizaOS file. Raises CharacterRefused with everything that is wrong, path by path.

    Pictures are no part of such a file: they are those of ``onto``, else the drawn ones.
    """
    reader = Reader()
    found = reader.mapping(document, "", "an object")
    reader.check()
    dropped: list[str] = []
    shape: dict[str, Any] = {"present": sorted(found.keys() & _READ)}
    kept = {
        key: _without_secrets(value, key, dropped)
        for key, value in found.items()
        if key not in _READ and not _is_secret(key, value, key, dropped)
    }
    name = reader.text(found.get("name"), "name", NAME_LENGTH_MAX)
    bio = found.get("bio")
    if isinstance(bio, str):
        shape["bio"] = "text"
        said: tuple[str, ...] = (reader.text(bio, "bio"),) if bio.strip() else ()
    elif isinstance(bio, list):
        said = reader.texts(bio, "bio")
    else:
        said = ()
        reader.fault("bio", "must be a text or a list of texts")
    lore = found.get("lore")
    if isinstance(lore, str):
        shape["lore"] = "text"
        lore = [lore]
    lists = {
        "lore": reader.texts(lore, "lore") if lore is not None else (),
        **{
            ours: reader.texts(found[theirs], theirs)
            for ours, theirs in (("topics", "topics"), ("adjectives", "adjectives"), ("post_examples", "postExamples"))
            if found.get(theirs) is not None
        },
    }
    style = reader.style(found["style"], "style") if found.get("style") is not None else None
    if isinstance(found.get("style"), dict):
        shape["styles"] = sorted(found["style"])
    examples = _conversations(reader, found.get("messageExamples"), shape, dropped)
    aside = reader.aside({ASIDE: {"shape": shape, "kept": kept}}, "")
    reader.check()
    base = onto or Character(name=name)
    made = replace(
        base,
        name=name,
        bio=said,
        style=style or type(base.style)(),
        message_examples=examples,
        post_examples=lists.pop("post_examples", ()),
        topics=lists.pop("topics", ()),
        adjectives=lists.pop("adjectives", ()),
        lore=lists["lore"],
        voice=_voice(kept, base.voice),
        aside=aside,
    )
    notes = tuple(f"{key}: {text}" for key, text in _UNUSED.items() if kept.get(key) not in (None, [], {}, ""))
    return Imported(made, _dialect(found, shape), tuple(dropped), notes)


def _dialect(found: dict[str, Any], shape: dict[str, Any]) -> str:
    if shape.get("grouped") or "advancedPlanning" in found or "advancedMemory" in found:
        return "2"
    if shape.get("speaker") == "user" or found.keys() & {"clients", "modelProvider", "clientConfig", "people"}:
        return "0.1"
    return "1"


def _conversations(
    reader: Reader, value: Any, shape: dict[str, Any], dropped: list[str]
) -> tuple[tuple[Turn, ...], ...]:
    if value is None:
        return ()
    if isinstance(value, list) and value and all(isinstance(one, dict) and "examples" in one for one in value):
        shape["grouped"] = [
            _without_secrets(
                {key: one for key, one in group.items() if key != "examples"}, f"messageExamples[{at}]", dropped
            )
            for at, group in enumerate(value)
        ]
        return reader.entries(
            value, "messageExamples", "conversations", CONVERSATIONS_MAX,
            lambda group, path: _lines(reader, group["examples"], f"{path}.examples", shape, dropped),
        )  # fmt: skip
    return reader.entries(
        value, "messageExamples", "conversations", CONVERSATIONS_MAX,
        lambda one, path: _lines(reader, one, path, shape, dropped),
    )  # fmt: skip


def _lines(reader: Reader, value: Any, path: str, shape: dict[str, Any], dropped: list[str]) -> tuple[Turn, ...]:
    return reader.entries(value, path, "lines", TURNS_MAX, lambda one, at: _line(reader, one, at, shape, dropped))


def _line(reader: Reader, value: Any, path: str, shape: dict[str, Any], dropped: list[str]) -> Turn:
    found = reader.mapping(value, path, "an object with name (or user) and content")
    key = "user" if "user" in found and "name" not in found else "name"
    shape.setdefault("speaker", key)
    speaker = reader.text(found.get(key), f"{path}.{key}", NAME_LENGTH_MAX)
    content = reader.mapping(found.get("content"), f"{path}.content", "an object with text")
    said = content.get("text")
    text = reader.text(said, f"{path}.content.text", empty=True) if said is not None else ""
    aside: dict[str, Any] = {}
    rest = _without_secrets({name: one for name, one in content.items() if name != "text"}, f"{path}.content", dropped)
    if rest:
        aside["content"] = rest
    beside = {name: one for name, one in found.items() if name not in (key, "content")}
    if beside:
        aside["line"] = _without_secrets(beside, path, dropped)
    if said is None:
        aside["textless"] = True
    if key != shape["speaker"]:
        aside["key"] = key
    return Turn(speaker, text, aside)


def _is_secret(key: str, value: Any, path: str, dropped: list[str]) -> bool:
    """Whether a value is not to be kept; an empty one is dropped without a word."""
    name = _CAMEL.sub("_", key)
    if _PLAIN_KEY.fullmatch(name) or isinstance(value, bool) or value is None:
        return False
    if _SECRET_KEY.match(name) is None:
        return False
    if value not in ("", {}, []):
        dropped.append(path)
    return True


def _without_secrets(value: Any, path: str, dropped: list[str], depth: int = 0) -> Any:
    if depth > 64:
        return value  # too deep to be kept at all: the reader refuses it
    match value:
        case dict():
            return {
                key: _without_secrets(one, f"{path}.{key}", dropped, depth + 1)
                for key, one in value.items()
                if not _is_secret(key, one, f"{path}.{key}", dropped)
            }
        case list():
            return [_without_secrets(one, f"{path}[{at}]", dropped, depth + 1) for at, one in enumerate(value)]
        case str() if _SECRET_VALUE.search(value):
            dropped.append(path)
            return ""
        case _:
            return value


def _voice(kept: dict[str, Any], base: Voice) -> Voice:
    settings = kept.get("settings")
    wanted = settings.get("voice") if isinstance(settings, dict) else None
    model = wanted.get("model") if isinstance(wanted, dict) else None
    return replace(base, name=model[:200]) if isinstance(model, str) and model.strip() else base


def export_character(character: Character) -> dict[str, Any]:
    """The ElizaOS file of a character, in the dialect it came in; else in that of 1.x, with ``lore``, which 0.1 reads."""
    own = character.aside.get(ASIDE, {})
    own = own if isinstance(own, dict) else {}
    shape, kept = own.get("shape", {}), own.get("kept", {})
    made: dict[str, Any] = {"name": character.name}
    one_text = shape.get("bio") == "text" and len(character.bio) <= 1
    made["bio"] = "".join(character.bio) if one_text else list(character.bio)
    one_lore = shape.get("lore") == "text" and len(character.lore) == 1
    made["lore"] = character.lore[0] if one_lore else list(character.lore)
    made["topics"], made["adjectives"] = list(character.topics), list(character.adjectives)
    style = {name: list(getattr(character.style, name)) for name in ("all", "chat", "post")}
    made["style"] = {name: lines for name, lines in style.items() if lines or name in shape.get("styles", style)}
    speaker = shape.get("speaker", "name")
    examples: list[Any] = [
        [_exported(turn, speaker) for turn in conversation] for conversation in character.message_examples
    ]
    if "grouped" in shape:
        groups = shape["grouped"]
        examples = [{**(groups[at] if at < len(groups) else {}), "examples": one} for at, one in enumerate(examples)]
    made["messageExamples"] = examples
    made["postExamples"] = list(character.post_examples)
    present = shape.get("present")
    if present is not None:
        made = {key: value for key, value in made.items() if key in present or _says_something(value)}
    return {**made, **kept}


def _says_something(value: Any) -> bool:
    return any(map(_says_something, value.values())) if isinstance(value, dict) else bool(value)


def _exported(turn: Turn, speaker: str) -> dict[str, Any]:
    aside = turn.aside
    content: dict[str, Any] = {} if aside.get("textless") and not turn.text else {"text": turn.text}
    return {
        aside.get("key", speaker): turn.speaker,
        "content": {**content, **aside.get("content", {})},
        **aside.get("line", {}),
    }
