"""The scripted host: templates, chosen by an injected random source, never the same line twice in a row."""

import random
from collections import OrderedDict, deque
from collections.abc import Sequence, Set

from sothebais.agent.model import Draft, Moment
from sothebais.agent.ports import Ask, Persona
from sothebais.agent.scripted import grammar
from sothebais.agent.scripted.answers import ANSWERS
from sothebais.agent.scripted.lines import BEARINGS, LINES, OPENERS, PLAIN
from sothebais.agent.truth import judge, needed, values
from sothebais.agent.understanding import understand

#: Lines remembered for each kind of moment, and kinds remembered.
HISTORY_LINES_MAX = 12
HISTORY_KINDS_MAX = 128
#: Wordings tried before one that was said lately is accepted.
ATTEMPTS_MAX = 24
PHRASE_LENGTH_MAX = 160
#: One line in so many is coloured by another character's bearing.
COLOURED_ONE_IN = 3
#: Openers do not stand before words that must come at once.
_URGENT = frozenset({Moment.FAIR_WARNING, Moment.LAST_CALL, Moment.PAUSED, Moment.TROUBLE, Moment.CANCELLED})


class ScriptedHost:
    """A writer that needs no model. Its lines go through the same guards as a model's."""

    name: str | None = None

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._said: OrderedDict[str, deque[str]] = OrderedDict()

    async def write(self, ask: Ask) -> Draft:
        """A line for the moment, or an answer. There always is one."""
        return Draft(self.line(ask))

    def line(self, ask: Ask) -> str:
        """The same without waiting."""
        key, tiers = _tiers(ask)
        known = values(ask.facts).keys()
        for templates in tiers:
            found = self._pick(key, templates, known, ask)
            if found is not None:
                return found
        return PLAIN

    def _pick(self, key: str, templates: Sequence[str], known: Set[str], ask: Ask) -> str | None:
        history = self._said.setdefault(key, deque(maxlen=HISTORY_LINES_MAX))
        self._said.move_to_end(key)
        while len(self._said) > HISTORY_KINDS_MAX:
            self._said.popitem(last=False)
        usable: list[str] = []
        for _ in range(ATTEMPTS_MAX):
            node = grammar.parse(self._chance.choice(templates))
            bare = " ".join(grammar.expand(node, self._chance.randrange).split())
            if not needed(bare) <= known:
                continue
            text = self._coloured(bare, ask)
            if judge(text, ask.facts).refused_by is not None:
                text = bare
                if judge(text, ask.facts).refused_by is not None:
                    continue
            usable.append(text)
            if bare not in history and text not in ask.avoid:
                history.append(bare)
                return text
        # few wordings are possible: the one said longest ago, and never the last one if there is another
        if not usable:
            usable = self._all_usable(templates, known, ask)
        if not usable:
            return None
        oldest = min(usable, key=lambda text: history.index(text) if text in history else -1)
        history.append(oldest)
        return oldest

    def _all_usable(self, templates: Sequence[str], known: Set[str], ask: Ask) -> list[str]:
        texts = (" ".join(text.split()) for template in templates for text in grammar.every(grammar.parse(template)))
        return [text for text in texts if needed(text) <= known and judge(text, ask.facts).refused_by is None]

    def _coloured(self, text: str, ask: Ask) -> str:
        openers = openers_of(ask.persona)
        if not openers or ask.intent.moment in _URGENT or self._chance.randrange(COLOURED_ONE_IN):
            return text
        return f"{self._chance.choice(openers)} {text}"


def openers_of(persona: Persona) -> tuple[str, ...]:
    """What a character of that bearing says before a line; nothing for Sable, whose voice the lines have already."""
    bearings = (BEARINGS.get(adjective.strip().lower()) for adjective in persona.adjectives)
    return next((OPENERS[bearing] for bearing in bearings if bearing), ())


def _tiers(ask: Ask) -> tuple[str, tuple[tuple[str, ...], ...]]:
    moment = ask.intent.moment
    if moment is Moment.QUESTION:
        wish = understand(ask.intent.heard or "").ask
        return f"answer:{wish}", ANSWERS[wish]
    own = tuple(
        phrase
        for phrase in ask.persona.phrases
        if len(phrase) <= PHRASE_LENGTH_MAX and "[" not in phrase and "]" not in phrase
    )
    if moment is Moment.CHATTER and own:
        # a character's own small talk before the raven's
        return "moment:CHATTER:own", (own, LINES[Moment.CHATTER])
    return f"moment:{moment}", (LINES[moment],)
