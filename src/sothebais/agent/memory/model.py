"""Memories as plain values, their bounds, and how fitting ones are found. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal
from uuid import UUID, uuid5

from msgspec import Struct

from sothebais.agent.truth.words import listed
from sothebais.instants import Millis

type Kind = Literal["SHORT_TERM", "LONG_TERM"]

TEXT_LENGTH_MAX: Final = 400
#: Longest text that is asked with; the rest is cut off.
QUERY_LENGTH_MAX: Final = 500
#: How many memories one recall gives at most.
RECALLED_MAX: Final = 12
#: What is used fades to half of its weight in so long when it is not used again.
RECENCY_HALF_LIFE_MS: Final = 30 * 86_400_000
#: The oldest and the least important memory still count this much of the newest and the most important.
RECENCY_FLOOR: Final = 0.4
IMPORTANCE_FLOOR: Final = 0.4
_NAMESPACE: Final = UUID("5e0bb7e2-4a0c-5d1f-9f5d-6a61f3f2c1aa")


class Limits(Struct, frozen=True, kw_only=True):
    """How many memories are kept. What is too much is forgotten, the least important and longest unused first."""

    #: Of one person.
    person_max: int = 64
    #: Lines of one person that are kept for a day.
    person_lines_max: int = 8
    #: About the campaign and the room, of nobody in particular.
    house_max: int = 512
    #: Of one character in all.
    memories_max: int = 20_000
    line_life_ms: Millis = 86_400_000


class NewMemory(Struct, frozen=True, kw_only=True):
    """Something to be remembered. The same ``key`` of the same person or subject is the same memory, told anew.

    ``event`` is the event of the log it comes from. Without a ``user`` it is about nobody: it holds facts of the log only.
    """

    key: str
    text: str
    importance: float
    user: UUID | None = None
    subject: str | None = None
    event: UUID | None = None
    kind: Kind = "LONG_TERM"
    expires_at: Millis | None = None

    def id(self, character: UUID) -> UUID:
        """Its id, the same whenever it is made."""
        return uuid5(_NAMESPACE, f"{character}/{self.user}/{self.subject if self.user is None else ''}/{self.key}")


class Stored(Struct, frozen=True, kw_only=True):
    """A memory as it is kept."""

    id: UUID
    kind: Kind
    text: str
    user: UUID | None
    subject: str | None
    event: UUID | None
    importance: float
    created_at: Millis
    last_used_at: Millis | None
    expires_at: Millis | None


class Candidate(Struct, frozen=True):
    """A memory with how much it has to do with the text, 0 to 1."""

    memory: Stored
    relevance: float


def score(candidate: Candidate, now: Millis) -> float:
    """Relevance × recency × importance."""
    memory = candidate.memory
    age = max(0, now - max(memory.created_at, memory.last_used_at or 0))
    recency = RECENCY_FLOOR + (1 - RECENCY_FLOOR) * float(0.5 ** (age / RECENCY_HALF_LIFE_MS))
    importance = IMPORTANCE_FLOOR + (1 - IMPORTANCE_FLOOR) * memory.importance
    return candidate.relevance * recency * importance


def best(candidates: Iterable[Candidate], now: Millis, limit: int, *, relevance_min: float) -> list[Stored]:
    """The most fitting ones, the best first; of equals the newest."""
    fitting = [one for one in candidates if one.relevance >= relevance_min]
    fitting.sort(key=lambda one: (-score(one, now), -one.memory.created_at, one.memory.id))
    return [one.memory for one in fitting[: min(limit, RECALLED_MAX)]]


# keyword overlap, for where nothing else is to be had

_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_STOP: Final = listed(
    """
    a an and are as at be been but by can could did do does for from had has have he her hers him his how i if in into is it its me my of on
    or our she so some than that the their them then there these they this those to too up us was we were what when where which who whom why will
    with would you your yours they're i'm it's that's remember told said say tell ask asked know about again ever last please
    """
)
_ENDINGS: Final = (
    "ations",
    "ation",
    "ings",
    "ing",
    "ies",
    "ied",
    "ers",
    "er",
    "ors",
    "or",
    "es",
    "ed",
    "ly",
    "s",
    "e",
    "y",
)
_STEM_LENGTH_MIN: Final = 3


def stem(word: str) -> str:
    """A word without its ending: crude, and the same for a word and its forms more often than not."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _STEM_LENGTH_MIN:
            bare = word.removesuffix(ending)
            # a doubled letter: "bidding", "framed"
            return bare[:-1] if len(bare) > _STEM_LENGTH_MIN and bare[-1] == bare[-2] and bare[-1] not in "ls" else bare
    return word


#: Forms that no ending gives, and a few words that people use for one another here; in both directions.
_ALSO: Final[Mapping[str, tuple[str, ...]]] = {
    one: tuple(other for other in group if other != one)
    for group in (
        ("win", "won"), ("sell", "sold"), ("buy", "bought", "home"), ("teach", "taught"), ("write", "wrote"), ("draw", "drew", "drawn"),
        ("wear", "wore"), ("come", "came"), ("grow", "grew"), ("sing", "sang"), ("make", "made"), ("hang", "hung"), ("begin", "began", "start"),
        ("job", "work", "profession", "living"), ("city", "live", "town"), ("gather", "collect"), ("allergy", "allergic"), ("joke", "saying"),
        ("colour", "color"), ("favourite", "favorite"), ("picture", "painting"), ("record", "highest"), ("like", "love", "enjoy"),
        ("hate", "dislike"),
    )
    for one in group
}  # fmt: skip


def words_asked(text: str) -> frozenset[str]:
    """A text's words that mean something, as they stand there: letters and digits only."""
    words = (word.removesuffix("'s") for word in _WORD.findall(text.lower().replace("’", "'")) if word not in _STOP)
    return frozenset(
        word for word in words if word.isalnum() and word not in _STOP and (len(word) > 1 or word.isdigit())
    )


def with_others(words: Iterable[str]) -> frozenset[str]:
    """Words and what else may stand for them in a memory."""
    return frozenset(one for word in words for one in (word, *_ALSO.get(word, ())))


def keywords(text: str) -> frozenset[str]:
    """The stems of those."""
    return frozenset(map(stem, words_asked(text)))


def overlap(query: str, texts: Sequence[str]) -> list[float]:
    """How much each text has in common with the query, 0 to 1: shared words, the rare ones count more."""
    asked = frozenset(map(stem, with_others(words_asked(query))))
    held = [keywords(text) for text in texts]
    weight = _rarity(held)
    whole = sum(weight.get(word, 1.0) for word in keywords(query))
    if not whole:
        return [0.0] * len(texts)
    return [
        sum(weight[word] for word in asked & words) / whole * (1 / (1 + 0.02 * max(0, len(words) - 12)))
        for words in held
    ]


def _rarity(held: Sequence[frozenset[str]]) -> Mapping[str, float]:
    counts: dict[str, int] = {}
    for words in held:
        for word in words:
            counts[word] = counts.get(word, 0) + 1
    return {word: 1 / (1 + count) ** 0.5 for word, count in counts.items()}
