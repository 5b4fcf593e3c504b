"""The scripted host: templates, chosen by an injected random source, never the same line twice in a row."""

import random
from collections import OrderedDict, deque
from collections.abc import Set

from msgspec import Struct

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


class Scripted(Struct, frozen=True):
    """A line of the script. ``reviewed``: the house wrote it, not a character's file."""

    text: str
    reviewed: bool


class _Tier(Struct, frozen=True):
    """Templates of which one will do; the next tier is asked when none has its facts."""

    key: str
    templates: tuple[str, ...]
    reviewed: bool = True


class ScriptedHost:
    """A writer that needs no model. Its lines go through the same guards as a model's."""

    name: str | None = None

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._said: OrderedDict[str, deque[str]] = OrderedDict()

    async def write(self, ask: Ask) -> Draft:
        """A line for the moment, or an answer. There always is one."""
        return Draft(self.line(ask).text)

    def line(self, ask: Ask) -> Scripted:
        """The same without waiting."""
        tiers = _tiers(ask)
        for tier in tiers:
            found = self._pick(tier, ask, repeat=tier is tiers[-1])
            if found is not None:
                return Scripted(found, tier.reviewed)
        return Scripted(PLAIN, True)

    def _pick(self, tier: _Tier, ask: Ask, *, repeat: bool) -> str | None:
        history = self._history(tier)
        known = values(ask.facts).keys()
        for _ in range(ATTEMPTS_MAX):
            node = grammar.parse(self._chance.choice(tier.templates))
            bare = " ".join(grammar.expand(node, self._chance.randrange).split())
            if not needed(bare) <= known:
                continue
            said = self._coloured(bare, ask)
            text = next((one for one in (said, bare) if self._holds(one, tier, ask)), None)
            if text is None:
                continue
            if bare not in history and text not in ask.avoid:
                history.append(bare)
                return text
        # few wordings are possible: of all of them the one said longest ago
        usable = self._every(tier, known, ask)
        if not usable:
            return None
        places = {text: place for place, text in enumerate(history)}
        oldest = min(usable, key=lambda text: places.get(text, -1))
        if not repeat and history and history[-1] == oldest:
            return None
        history.append(oldest)
        return oldest

    def _history(self, tier: _Tier) -> deque[str]:
        # half of what can be said, so that there always is a wording to find quickly
        wordings = sum(grammar.count(grammar.parse(template)) for template in tier.templates)
        kept = max(1, min(HISTORY_LINES_MAX, wordings // 2))
        history = self._said.setdefault(tier.key, deque(maxlen=kept))
        self._said.move_to_end(tier.key)
        while len(self._said) > HISTORY_KINDS_MAX:
            self._said.popitem(last=False)
        return history

    def _holds(self, text: str, tier: _Tier, ask: Ask) -> bool:
        return judge(text, ask.facts, reviewed=tier.reviewed).refused_by is None

    def _every(self, tier: _Tier, known: Set[str], ask: Ask) -> list[str]:
        texts = (
            " ".join(text.split()) for template in tier.templates for text in grammar.every(grammar.parse(template))
        )
        return [text for text in texts if needed(text) <= known and self._holds(text, tier, ask)]

    def _coloured(self, text: str, ask: Ask) -> str:
        openers = openers_of(ask.persona)
        if not openers or ask.intent.moment in _URGENT or self._chance.randrange(COLOURED_ONE_IN):
            return text
        return f"{self._chance.choice(openers)} {text}"


def openers_of(persona: Persona) -> tuple[str, ...]:
    """What a character of that bearing says before a line; nothing for Sable, whose voice the lines have already."""
    bearings = (BEARINGS.get(adjective.strip().lower()) for adjective in persona.adjectives)
    return next((OPENERS[bearing] for bearing in bearings if bearing), ())


def _tiers(ask: Ask) -> tuple[_Tier, ...]:
    moment = ask.intent.moment
    if moment is Moment.QUESTION:
        wish = understand(ask.intent.heard or "").ask
        return tuple(_Tier(f"answer:{wish}", templates) for templates in ANSWERS[wish])
    lines = _Tier(f"moment:{moment}", LINES[moment])
    own = tuple(
        phrase for phrase in ask.persona.phrases if len(phrase) <= PHRASE_LENGTH_MAX and not {"[", "]"} & set(phrase)
    )
    # a character's own small talk before the raven's; nobody at the house has read it, so it is judged like a model's
    return (_Tier("moment:CHATTER:own", own, reviewed=False), lines) if own and moment is Moment.CHATTER else (lines,)
