"""Who the host is, as plain values. Pure.

Pictures are named: a picture without an asset is one that the house draws itself. What a file held that the house has no
use for is kept in ``aside`` and written out again.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field

from sothebais.agent.model import MoodName
from sothebais.agent.ports import Persona

NAME_LENGTH_MAX: Final = 80
TEXT_LENGTH_MAX: Final = 2_000
#: Entries of one list at most: bio, lore, topics, adjectives, a style, post examples.
ENTRIES_MAX: Final = 200
CONVERSATIONS_MAX: Final = 100
TURNS_MAX: Final = 30
#: Expressions, backgrounds or props at most.
PICTURES_MAX: Final = 100
PICTURE_NAME_LENGTH_MAX: Final = 64
#: The whole of what is kept aside, as JSON.
ASIDE_BYTES_MAX: Final = 256 * 1024
#: A file of a character.
FILE_BYTES_MAX: Final = 1024 * 1024
#: Lines of its own that are given to writers.
PHRASES_MAX: Final = 48
PHRASE_LENGTH_MAX: Final = 280

DEFAULT_EXPRESSION: Final = "neutral"
#: The faces the house draws, and the mood each is worn in.
DRAWN_EXPRESSIONS: Final[Mapping[str, MoodName]] = {
    "neutral": "NEUTRAL",
    "excited": "EXCITED",
    "happy": "HAPPY",
    "surprised": "SURPRISED",
    "curious": "CURIOUS",
    "concerned": "CONCERNED",
    "disappointed": "DISAPPOINTED",
}
DRAWN_BACKGROUNDS: Final = ("none", "plain", "lectern", "curtain")
DRAWN_PROPS: Final = ("gavel", "gavel-struck", "lorgnette", "paddle", "watch", "catalogue", "spectacles")


class Style(Struct, frozen=True, kw_only=True):
    """How it writes: always, in conversation, in posts."""

    all: tuple[str, ...] = ()
    chat: tuple[str, ...] = ()
    post: tuple[str, ...] = ()


class Turn(Struct, frozen=True):
    """One line of an example; ``aside`` is what else stood with it."""

    speaker: str
    text: str
    aside: dict[str, Any] = field(default_factory=dict)


class Picture(Struct, frozen=True, kw_only=True):
    """An expression, a background or a prop. ``asset`` is a stream asset's reference; null: the house draws it.

    ``moods`` are those in which it is shown.
    """

    asset: str | None = None
    moods: tuple[MoodName, ...] = ()


class Voice(Struct, frozen=True, kw_only=True):
    """The voice the character would like; the house's settings have the last word."""

    name: str | None = None
    #: As a factor of the usual speed.
    speed: float = 1.0


SPEED_MIN: Final = 0.5
SPEED_MAX: Final = 2.0


class Character(Struct, frozen=True, kw_only=True):
    """A host."""

    name: str
    bio: tuple[str, ...] = ()
    lore: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    adjectives: tuple[str, ...] = ()
    style: Style = Style()
    message_examples: tuple[tuple[Turn, ...], ...] = ()
    post_examples: tuple[str, ...] = ()
    voice: Voice = Voice()
    default_expression: str = DEFAULT_EXPRESSION
    expressions: dict[str, Picture] = field(
        default_factory=lambda: {name: Picture(moods=(mood,)) for name, mood in DRAWN_EXPRESSIONS.items()}
    )
    backgrounds: dict[str, Picture] = field(default_factory=dict)
    props: dict[str, Picture] = field(default_factory=dict)
    aside: dict[str, Any] = field(default_factory=dict)


class Look(Struct, frozen=True):
    """How a character is shown: an expression's name, a background's reference or drawn name, props' names."""

    expression: str
    background: str | None
    props: tuple[str, ...]


def look(character: Character, mood: MoodName) -> Look:
    """What a mood makes of the character; the default expression where it has none of its own for it."""
    expression = next(
        (name for name, picture in character.expressions.items() if mood in picture.moods), character.default_expression
    )
    behind = next(((name, one) for name, one in character.backgrounds.items() if mood in one.moods), None)
    props = tuple(name for name, picture in character.props.items() if mood in picture.moods)
    return Look(expression, None if behind is None else behind[1].asset or behind[0], props)


def persona(character: Character) -> Persona:
    """The character as the words need it. Its phrases are its own lines of the examples, without placeholders."""
    own = [
        turn.text
        for conversation in character.message_examples
        for turn in conversation
        if turn.speaker.strip().casefold() == character.name.casefold()
    ]
    phrases = tuple(
        text
        for text in (" ".join(line.split()) for line in (*own, *character.post_examples))
        if text and len(text) <= PHRASE_LENGTH_MAX and "{" not in text
    )[:PHRASES_MAX]
    return Persona(
        name=character.name,
        bio=character.bio,
        lore=character.lore,
        topics=character.topics,
        adjectives=character.adjectives,
        style_all=character.style.all,
        style_chat=character.style.chat,
        style_post=character.style.post,
        phrases=phrases,
    )
