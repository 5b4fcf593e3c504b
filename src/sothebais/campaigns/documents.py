"""Safe YAML that remembers where everything stood: no tags, no aliases, no duplicate keys, bounded size and depth.

Plain scalars are read as YAML 1.2 reads them, so ``18:15`` is a text (not 1095) and ``no`` is not false. A number
with a point keeps its text and is refused wherever money is meant.
"""

import difflib
import re
from collections.abc import Collection
from datetime import date, time
from decimal import Decimal
from typing import Any, NoReturn

import yaml

from sothebais import money
from sothebais.campaigns import schedule
from sothebais.errors import InvalidInput
from sothebais.instants import Millis

SIZE_BYTES_MAX = 262_144
DEPTH_MAX = 8
KEY_LENGTH_MAX = 100
#: The line of what stands in no file.
NO_LINE = 0

_STRING = "tag:yaml.org,2002:str"
_PLAIN_TAGS = {
    yaml.ScalarNode: _STRING,
    yaml.SequenceNode: "tag:yaml.org,2002:seq",
    yaml.MappingNode: "tag:yaml.org,2002:map",
}
_NULL = re.compile(r"|~|null|Null|NULL")
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,77})", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", re.ASCII
)
_WORD = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


class Fraction(str):
    """The text of an unquoted number that is not a whole one."""

    __slots__ = ()


class Node:
    """A value of the document with its path and line. Its readers raise InvalidInput that names both."""

    def __init__(self, value: Any, path: str, line: int) -> None:
        self.value = value
        self.path = path
        self.line = line

    def fail(self, message: str, *, cause: Exception | None = None) -> NoReturn:
        """Raise InvalidInput about this place."""
        raise fault(message, self.path, self.line) from cause

    def section(self, known: Collection[str]) -> "Section":
        """This mapping, which may have these keys and no other."""
        if not isinstance(self.value, dict):
            self.fail(f"must be a group of fields ({', '.join(sorted(known))}).")
        for key, node in self.value.items():
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                node.fail(f"is not a field here. {f'Did you mean {near[0]}?' if near else _listing(known)}")
        return Section(self)

    def entries(self) -> dict[str, "Node"]:
        """This mapping, whatever its keys."""
        if not isinstance(self.value, dict):
            self.fail("must be a group of fields.")
        return self.value

    def sequence(self) -> list["Node"]:
        """This list."""
        if not isinstance(self.value, list):
            self.fail("must be a list.")
        return self.value

    def text(self, *, length_max: int, one_line: bool = True) -> str:
        """A text, without the white space around it."""
        if not isinstance(self.value, str) or isinstance(self.value, Fraction):
            self.fail("must be a text.")
        text: str = self.value.strip()
        if not text:
            self.fail("must not be empty.")
        if len(text) > length_max:
            self.fail(f"must have at most {length_max} characters.")
        if not all(letter.isprintable() or (letter in "\n\t" and not one_line) for letter in text):
            self.fail("has characters that cannot be shown.")
        return text

    def name(self, *, length_max: int) -> str:
        """A text or a whole number, as a text (token ids, seeds)."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return str(self.value)
        return self.text(length_max=length_max)

    def choice(self, options: Collection[str]) -> str:
        """One of these words."""
        if self.value not in options:
            near = difflib.get_close_matches(str(self.value)[:60].upper(), options, 1)
            self.fail(f"must be one of {', '.join(options)}.{f' Did you mean {near[0]}?' if near else ''}")
        return str(self.value)

    def integer(self, least: int, most: int) -> int:
        """A whole number in these bounds."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            self.fail("must be a whole number.")
        if not least <= self.value <= most:
            self.fail(f"must be from {least} to {most}.")
        return self.value

    def flag(self) -> bool:
        """true or false."""
        if not isinstance(self.value, bool):
            self.fail("must be true or false.")
        return self.value

    def amount(self, decimals: int, *, zero: bool = False, secret: bool = False) -> Decimal:
        """An amount of money or another exact number: a quoted decimal. A ``secret`` one is in no message."""
        if isinstance(self.value, Fraction) or (isinstance(self.value, int) and not isinstance(self.value, bool)):
            shown = "1.25" if secret else str(self.value)[:40]
            self.fail(f'numbers like this are written in quotes, so that nothing rounds them: "{shown}".')
        if zero and self.value == "0":
            return money.ZERO
        try:
            return money.parse_amount(self.value, decimals, name="the amount")
        except InvalidInput as error:
            if secret:
                raise fault('is not an amount of the currency such as "1.25".', self.path, self.line) from None
            raise fault(error.message, self.path, self.line, kind=type(error)) from error

    def length(self, *, at_least: Millis = 0) -> Millis:
        """A length of time in milliseconds, of ``2m`` or plain seconds."""
        try:
            return schedule.parse_length(self.value, name=self.path, at_least=at_least)
        except InvalidInput as error:
            raise placed(error, self.line) from error

    def time_of_day(self) -> time:
        """A time of the wall clock, of ``18:15``."""
        try:
            return schedule.parse_time(self.value, name=self.path)
        except InvalidInput as error:
            raise placed(error, self.line) from error

    def day(self) -> date:
        """A date, of ``2026-03-28``."""
        try:
            return schedule.parse_date(self.value, name=self.path)
        except InvalidInput as error:
            raise placed(error, self.line) from error

    def exact(self) -> Any:
        """The plain value below here, in which every number must stand in quotes."""
        if isinstance(self.value, dict):
            return {key: node.exact() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.exact() for node in self.value]
        if isinstance(self.value, Fraction | int) and not isinstance(self.value, bool):
            self.fail(f'numbers like this are written in quotes, so that nothing rounds them: "{self.value}".')
        return self.value


class Section:
    """A mapping whose keys are known. A field that is empty (``reserve:``) counts as not given."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._fields: dict[str, Node] = node.value

    def get(self, name: str) -> Node | None:
        """The field, or None."""
        found = self._fields.get(name)
        return None if found is None or found.value is None else found

    def has(self, name: str) -> bool:
        """Whether the field is named, empty or not."""
        return name in self._fields

    def need(self, name: str) -> Node:
        """The field; InvalidInput when it is not given."""
        found = self.get(name)
        if found is None:
            line = self._fields[name].line if name in self._fields else self.node.line
            raise fault("is missing.", joined(self.node.path, name), line)
        return found


def read(source: str | bytes) -> Node:
    """The document. Raises InvalidInput, naming the line, for what is not plain YAML."""
    if len(source) > SIZE_BYTES_MAX:
        raise InvalidInput(f"A campaign file has at most {SIZE_BYTES_MAX // 1024} KiB.", field="file")
    try:
        text = source.decode("utf-8-sig") if isinstance(source, bytes) else source
    except UnicodeDecodeError as error:
        line = source[: error.start].count(b"\n") + 1 if isinstance(source, bytes) else 1
        raise fault("the file is not UTF-8 text.", "file", line) from error
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return Node({}, "", 1) if node is None else _converted(node, "")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        raise fault(f"this is not YAML: {error.problem or error.context}.", "file", line) from error
    except yaml.YAMLError as error:
        raise fault(f"this is not YAML: {str(error).splitlines()[0]}.", "file", 1) from error


def of_json(value: Any) -> Node:
    """The document that a JSON value is, read by the same rules; its faults name the field and no line."""
    return _of_json(value, "", 0)


def _of_json(value: Any, path: str, depth: int) -> Node:
    if depth > DEPTH_MAX:
        raise fault(f"nested more than {DEPTH_MAX} levels deep.", path, NO_LINE)
    if isinstance(value, dict):
        for key in value:
            if len(key) > KEY_LENGTH_MAX:
                raise fault("the name of a field is a short text.", path, NO_LINE)
        value = {key: _of_json(part, _below(path, key), depth + 1) for key, part in value.items()}
    elif isinstance(value, list):
        value = [_of_json(part, f"{path}[{place}]", depth + 1) for place, part in enumerate(value)]
    elif isinstance(value, float):
        value = Fraction(repr(value))
    return Node(value, path, NO_LINE)


def _below(path: str, key: str) -> str:
    return joined(path, key if _WORD.fullmatch(key) else repr(key))


def fault(message: str, path: str, line: int, *, kind: type[InvalidInput] = InvalidInput) -> InvalidInput:
    """The error about a place: ``rules.increment: … (line 12)``."""
    if line == NO_LINE:
        return kind(f"{path}: {message}" if path else message, field=path)
    return kind(f"{path}: {message} (line {line})" if path else f"{message} (line {line})", field=path, line=line)


def placed(error: InvalidInput, line: int) -> InvalidInput:
    """The same error with its line; the path is in its message already."""
    if line == NO_LINE:
        return error
    return type(error)(f"{error.message} (line {line})", **(error.fields | {"line": line}))


def joined(path: str, key: str) -> str:
    """The path of a field below ``path``."""
    return f"{path}.{key}" if path else key


class _Loader(yaml.SafeLoader):
    """Composes nodes and leaves their meaning to ``_scalar``."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - PyYAML's own declaration

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise fault("anchors and aliases (& and *) are not allowed; write the value out.", "file", line)
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise fault(f"nested more than {DEPTH_MAX} levels deep.", "file", line)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _converted(node: Any, path: str) -> Node:
    line = node.start_mark.line + 1
    if node.tag != _PLAIN_TAGS[type(node)]:
        raise fault(f"tags such as {node.tag[:60]} are not allowed.", path or "file", line)
    if isinstance(node, yaml.MappingNode):
        return Node(_mapping(node, path), path, line)
    if isinstance(node, yaml.SequenceNode):
        return Node([_converted(one, f"{path}[{i}]") for i, one in enumerate(node.value)], path, line)
    return Node(_scalar(node), path, line)


def _mapping(node: yaml.MappingNode, path: str) -> dict[str, Node]:
    fields: dict[str, Node] = {}
    lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode) or len(key_node.value) > KEY_LENGTH_MAX:
            raise fault("the name of a field is a short text.", path or "file", line)
        key = key_node.value
        where = _below(path, key)
        if key in fields:
            raise fault(f"is given twice (first in line {lines[key]}).", where, line)
        lines[key] = line
        fields[key] = _converted(value_node, where)
        # an error is about the field, which begins with its name
        fields[key].line = line
    return fields


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    if node.style is not None:  # quoted, or a block
        return text
    if _NULL.fullmatch(text):
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return Fraction(text) if _FLOAT.fullmatch(text) and ("." in text or "e" in text.lower()) else text


def _listing(known: Collection[str]) -> str:
    return f"Fields are {', '.join(sorted(known))}."
