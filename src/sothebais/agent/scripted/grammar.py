"""Templates with choices: ``[a|b]`` is one of both, ``[|a]`` is a or nothing, choices may stand within choices. Pure.

Randomness is the caller's: ``expand`` asks a function which of so many alternatives to take.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import product
from math import prod

from sothebais.errors import InvalidInput

#: A choice picks one of these; a sequence is all of these in order.
type Node = str | tuple[str, tuple[Node, ...]]

DEPTH_MAX = 8


@lru_cache(maxsize=4_096)
def parse(template: str) -> Node:
    """The tree of a template. Raises InvalidInput for brackets that do not match."""
    node, end = _sequence(template, 0, 0)
    if end != len(template):
        raise InvalidInput(f"A bracket closes nothing in {template!r:.80}.")
    return node


def _sequence(text: str, at: int, depth: int) -> tuple[Node, int]:
    if depth > DEPTH_MAX:
        raise InvalidInput(f"Choices stand deeper than {DEPTH_MAX} in {text!r:.80}.")
    parts: list[Node] = []
    start = at
    while at < len(text) and text[at] != "]" and not (text[at] == "|" and depth):
        if text[at] != "[":
            at += 1
            continue
        parts.append(text[start:at])
        options = []
        while True:
            option, at = _sequence(text, at + 1, depth + 1)
            options.append(option)
            if at >= len(text):
                raise InvalidInput(f"A bracket is left open in {text!r:.80}.")
            if text[at] == "]":
                break
        parts.append(("choice", tuple(options)))
        at += 1
        start = at
    parts.append(text[start:at])
    return ("all", tuple(part for part in parts if part != "")), at


def expand(node: Node, choose: Callable[[int], int]) -> str:
    """One text; ``choose(n)`` gives a number below n for each choice met."""
    if isinstance(node, str):
        return node
    kind, parts = node
    if kind == "choice":
        return expand(parts[choose(len(parts))], choose)
    return "".join(expand(part, choose) for part in parts)


def count(node: Node) -> int:
    """How many ways through the choices there are."""
    if isinstance(node, str):
        return 1
    kind, parts = node
    return sum(map(count, parts)) if kind == "choice" else prod(map(count, parts))


def every(node: Node) -> Iterator[str]:
    """Every text, in order. Their number is ``count``."""
    if isinstance(node, str):
        yield node
        return
    kind, parts = node
    if kind == "choice":
        for part in parts:
            yield from every(part)
        return
    for texts in product(*(tuple(every(part)) for part in parts)):
        yield "".join(texts)
