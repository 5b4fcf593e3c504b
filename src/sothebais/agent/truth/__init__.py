"""Truth: what a writer wrote is judged, and filled with the facts of the moment in which it is said. Pure.

The writer, a language model or the script, writes ``{price}`` and never an amount; every fact it could get wrong has a
token. ``judge`` refuses a text that states a fact of its own; ``say`` fills one that passed.
"""

from msgspec import Struct

from sothebais.agent.model import Facts
from sothebais.agent.truth import guards, tokens
from sothebais.agent.truth.guards import GUARDS, STRICT
from sothebais.agent.truth.reading import Reading
from sothebais.agent.truth.tokens import TOKENS, needed, values

__all__ = ["GUARDS", "SAID_LENGTH_MAX", "STRICT", "TOKENS", "Verdict", "judge", "needed", "values"]

#: Longest text after filling: titles and names are others' and may be long.
SAID_LENGTH_MAX = 700


class Verdict(Struct, frozen=True):
    """Either ``text``, ready to be said, or ``refused_by``, the guard that would not have it."""

    text: str | None
    refused_by: str | None


def judge(template: str, facts: Facts, *, reviewed: bool = False, heard: str | None = None) -> Verdict:
    """Judge a text and fill it with the facts as they are now. ``reviewed`` only for what the house itself has written;
    ``heard`` is what the person wrote who is answered.
    """
    reading = Reading(template, facts, heard)
    guard = guards.refused_by(reading, reviewed=reviewed)
    if guard is not None:
        return Verdict(None, guard)
    filled = tokens.fill(" ".join(template.split()), facts)
    if len(filled) > SAID_LENGTH_MAX:
        return Verdict(None, "too_long")
    return Verdict(filled, None)
