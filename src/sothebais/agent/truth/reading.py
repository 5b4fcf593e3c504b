"""A writer's text made readable for the guards: sentences, words and tokens. Pure."""

import re
import unicodedata
from functools import cached_property, lru_cache

from sothebais.agent.model import Facts
from sothebais.agent.truth.words import COMMON, CONDITIONS, CURRENCIES, ENDINGS, NEGATIONS, NUMBERS

#: Typographic signs a writer may use, as the plain ones the guards read.
_PLAIN = str.maketrans("‘’“”–—\u00a0", "''\"\"-- ") | {ord("…"): "..."}
_WORD = re.compile(r"\{[a-z_]+\}|[a-zà-öø-ÿ]+(?:'[a-zà-öø-ÿ]+)*'?|\d+(?:[.,:]\d+)*", re.IGNORECASE)
_END = re.compile(r"(?<=[.!?;])[\"')]*\s+|\s-+\s|\s*--\s*")
#: A token as it stands in a text.
TOKEN = re.compile(r"\{([a-z_]+)\}")
_CLAUSE = re.compile(r"[,;:()]|\s-+\s|\b(?:but|yet|although|though|however|and|so)\b", re.IGNORECASE)
#: Negations that deny nothing.
_EMPHASIS = re.compile(
    r"\b(?:(?:no|without(?: a)?|never(?: a)?|not a) (?:doubt|question|mistake|secret|wonder|surprise)\w*|not (?:only|just|merely)|none other than|nobody but|nothing (?:but|less than)"
    r"|(?:cannot|can't|won't|will not|would not|wouldn't|could not|couldn't|do not|don't|must not|not) (?:deny|hide|conceal|believe|help|lie|resist|forget|keep quiet|pretend)\w*"
    r"|(?:not for me|not mine|not my place|far be it from me) to (?:say|tell|reveal|confirm|admit|announce)(?: you)? that"
    r"|(?:cannot|can't|must not|should not|may not|will not|shall not|won't|never|not) (?:say|said|tell|reveal|confirm|admit|announce|swear|mention|repeat)(?: you| it)? that"
    r"|never before|not a moment too soon|why not|if you (?:please|will|like|must know)|if i may|when all is said)\b",
    re.IGNORECASE,
)
#: A fact shorter than this is not taken for a quotation.
QUOTED_LENGTH_MIN = 3


class Sentence:
    """One sentence: its ``words`` as written, ``low`` in small letters; tokens are among both in braces."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = tuple(_WORD.findall(text))
        self.low = tuple(word.lower() for word in self.words)
        self.known = frozenset(self.low)
        self.tokens = frozenset(word[1:-1] for word in self.low if word.startswith("{"))

    @cached_property
    def clauses(self) -> tuple[frozenset[str], ...]:
        """The words of each clause."""
        return tuple(
            frozenset(word.lower() for word in _WORD.findall(part))
            for part in _CLAUSE.split(_EMPHASIS.sub("", self.text))
            if part.strip()
        )

    @cached_property
    def plain_words(self) -> tuple[str, ...]:
        """The words that are not tokens, in small letters."""
        return tuple(word for word in self.low if not word.startswith("{"))

    def all_negated(self, trigger: frozenset[str]) -> bool:
        """Whether every clause with one of these words refuses or denies."""
        return all(clause & NEGATIONS for clause in self.clauses if clause & trigger)

    def all_open(self, trigger: frozenset[str]) -> bool:
        """Whether every clause with one of these words denies, asks or supposes."""
        return all(clause & (NEGATIONS | CONDITIONS) for clause in self.clauses if clause & trigger)


class Reading:
    """A text with the facts it may use. ``text`` has quoted facts replaced by their tokens."""

    def __init__(self, raw: str, facts: Facts, heard: str | None = None) -> None:
        self.raw = raw
        self.facts = facts
        self.heard = heard
        self.plain = " ".join(raw.translate(_PLAIN).split())
        self.text = _unquoted(self.plain, facts)
        self.low = self.text.lower()
        self.sentences = tuple(Sentence(part) for part in _END.split(self.text) if part.strip())

    @cached_property
    def words(self) -> tuple[str, ...]:
        """All words and tokens, in small letters."""
        return tuple(word for sentence in self.sentences for word in sentence.low)

    @cached_property
    def known(self) -> frozenset[str]:
        """All different words and tokens, in small letters."""
        return frozenset(self.words)

    @cached_property
    def bare(self) -> "Reading":
        """The same without its tokens: what is said around them."""
        return (
            Reading(" ".join(TOKEN.sub(" ", self.text).split()), self.facts, self.heard) if "{" in self.text else self
        )


def _unquoted(text: str, facts: Facts) -> str:
    for phrase, token in quotable(facts):
        text = re.sub(rf"(?<![\w{{]){re.escape(phrase)}(?![\w}}])", f"{{{token}}}", text)
    return text


@lru_cache(maxsize=64)
def quotable(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Names that may be written out, longest first, each with the token it is read as.

    A title that itself sounds like an amount is not one of them: only its token says it.
    """
    found = [(facts.campaign, "campaign"), (facts.host, "host")]
    if facts.lot:
        found += [(facts.lot.title, "item"), (facts.lot.artist or "", "artist")]
        found += [(value, "traits") for pair in facts.lot.traits for value in pair if value[:1].isupper()]
    found += [(lot.title, "next_item") for lot in facts.upcoming[:1]]
    found += [(result.title, "last_item") for result in facts.results[:1]]
    plain = [(" ".join(phrase.translate(_PLAIN).split()), token) for phrase, token in found]
    kept = [pair for pair in plain if len(pair[0]) >= QUOTED_LENGTH_MIN and not sounds_like_amount(pair[0])]
    return tuple(sorted(set(kept), key=lambda pair: (-len(pair[0]), pair)))


def sounds_like_amount(text: str) -> bool:
    """Whether a name has a currency in it, or is a number and nothing else."""
    words = [word.lower() for word in _WORD.findall(unicodedata.normalize("NFKC", text).replace("_", " "))]
    glued = re.search(rf"\d[\d.,]*\s*(?:{'|'.join(sorted(CURRENCIES))})\b", text.lower().replace("_", " "))
    return (
        bool(glued)
        or any(word in CURRENCIES for word in words)
        or (bool(words) and all(word in NUMBERS or not word[0].isalpha() for word in words))
    )


@lru_cache(maxsize=8_192)
def is_common(word: str) -> bool:
    """Whether a word, in small letters, is one of the common English ones or a form of one. Digits are another guard's."""
    if word in COMMON or word[0].isdigit():
        return True
    for ending, instead in ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 1:
            if stem + instead in COMMON:
                return True
            # a doubled letter: "bidding", "bigger"
            if len(stem) > 3 and stem[-1] == stem[-2] and stem[:-1] + instead in COMMON:
                return True
    return False
