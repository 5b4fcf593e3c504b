"""Manners: who is answered, what is heard, and what may go out. Pure.

A person who wants no answer gets none until they speak to the host by name again; who that is, the house keeps
(``opt_outs``). What people write is cleaned and judged as in the room; what is refused is not answered, and reaches no
model.
"""

from collections import OrderedDict
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from sothebais import moderation
from sothebais.agent.model import HEARD_LENGTH_MAX
from sothebais.agent.truth.conduct import rude
from sothebais.agent.understanding import Understood, Wish, understand
from sothebais.instants import Millis

#: People whose last questions are remembered.
PEOPLE_MAX = 50_000
#: One person is answered so often at most, and the room so often.
ANSWERS_PER_PERSON_MAX = 3
PERSON_WINDOW_MS = 60_000
ANSWERS_MAX = 20
WINDOW_MS = 60_000

__all__ = ["Manners", "Reception", "Silence", "rude"]


class Silence(StrEnum):
    """Why somebody is not answered."""

    OPTED_OUT = "OPTED_OUT"
    REFUSED = "REFUSED"
    TOO_OFTEN = "TOO_OFTEN"
    BUSY = "BUSY"


class Reception(Struct, frozen=True):
    """How a line was received: ``text`` as a writer may see it, or why there is no answer; and whether its writer wants
    to be left alone from now on."""

    text: str
    understood: Understood
    silence: Silence | None
    left_alone: bool = False


class Manners:
    """Judges what comes in, and counts who was answered lately."""

    def __init__(self, words: moderation.Words | None = None) -> None:
        self._words = words or moderation.words_of(moderation.DEFAULT_WORDS)
        self._answered: OrderedDict[UUID, tuple[Millis, ...]] = OrderedDict()
        self._lately: tuple[Millis, ...] = ()

    def receive(
        self, text: str, person: UUID, now: Millis, *, left_alone: bool = False, by_name: bool = False
    ) -> Reception:
        """Judge a line of somebody who so far is ``left_alone``, or not. ``by_name``: it addresses the host itself, by
        mention or name, which lifts an opt-out.

        An answer that is granted counts towards the limits.
        """
        plain = moderation.clean(text[: moderation.RAW_LENGTH_MAX])[:HEARD_LENGTH_MAX]
        understood = understand(plain)
        if understood.ask is Wish.OPT_OUT:
            return Reception(plain, understood, Silence.OPTED_OUT if left_alone else None, left_alone=True)
        if left_alone and not by_name:
            return Reception(plain, understood, Silence.OPTED_OUT, left_alone=True)
        refused = moderation.refusal(plain, self._words)
        if refused is not None and understood.ask is not Wish.ABUSE:
            return Reception("", understood, Silence.REFUSED)
        lately = tuple(at for at in self._lately if now - at < WINDOW_MS)
        own = tuple(at for at in self._answered.get(person, ()) if now - at < PERSON_WINDOW_MS)
        if len(own) >= ANSWERS_PER_PERSON_MAX:
            return Reception(plain, understood, Silence.TOO_OFTEN)
        if len(lately) >= ANSWERS_MAX:
            return Reception(plain, understood, Silence.BUSY)
        self._lately = (*lately, now)
        self._answered[person] = (*own, now)
        self._answered.move_to_end(person)
        while len(self._answered) > PEOPLE_MAX:
            self._answered.popitem(last=False)
        # a curse is answered with composure, and is not repeated to a writer
        return Reception("" if refused is not None else plain, understood, None)
