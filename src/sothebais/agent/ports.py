"""What the words need of the rest of the host. Whoever has a character, memories and the log fits these."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from sothebais.agent.model import Draft, Facts, Heard, MoodName, SpeechIntent
from sothebais.errors import Unavailable


class Persona(Struct, frozen=True, kw_only=True):
    """A character as the words need it. ``phrases`` are whole lines of its own from its message and post examples."""

    name: str = "Sable"
    bio: tuple[str, ...] = ()
    lore: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    adjectives: tuple[str, ...] = ()
    style_all: tuple[str, ...] = ()
    style_chat: tuple[str, ...] = ()
    style_post: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()


class Ask(Struct, frozen=True, kw_only=True):
    """All a writer is given for one line. ``heard`` inside the intent, ``memories`` and ``before`` are other people's text."""

    intent: SpeechIntent
    facts: Facts
    persona: Persona = Persona()
    mood: MoodName = "NEUTRAL"
    intensity: int = 0
    memories: tuple[str, ...] = ()
    before: tuple[Heard, ...] = ()
    #: What was said lately, so that it is not said again.
    avoid: tuple[str, ...] = ()
    #: Names of the guards that refused this writer's first wording.
    refused: tuple[str, ...] = ()


class WriterFailed(Unavailable):
    """A writer has no line: it is down, refuses, or says nothing usable. The scripted host speaks instead."""

    code = "WRITER_FAILED"
    title = "No line was written"


class LanguageModel(Protocol):
    """A writer of lines. Its text carries no authority: it is judged before anybody hears it."""

    @property
    def name(self) -> str | None:
        """The model's name; None for the scripted host."""

    async def write(self, ask: Ask) -> Draft:
        """A line with tokens. Raises WriterFailed when there is none."""


class FactsSource(Protocol):
    """The log, as of now."""

    async def facts(self, *, lot: UUID | None, asker: UUID | None) -> Facts:
        """What is publicly true at this moment, of that lot and for that person."""


class Recall(Protocol):
    """The host's own memory of one person, or of nobody in particular; never of somebody else."""

    async def recall(self, text: str, *, about: UUID | None, limit: int) -> Sequence[str]:
        """Memories that fit a text, the most fitting first."""


class Remembered(Protocol):
    """A memory: its id and its text."""

    @property
    def id(self) -> UUID:
        """Its id."""

    @property
    def text(self) -> str:
        """What is remembered."""


class Remembrance(Recall, Protocol):
    """The same with ids, and what is said to the host is added to it."""

    async def find(self, text: str, *, about: UUID | None, limit: int) -> Sequence[Remembered]:
        """As ``recall``."""

    async def heard(self, user: UUID, text: str, *, event: UUID) -> bool:
        """Keep a line for its speaker alone; False when it is not one to be kept."""
