"""The guards: each a named function in one ordered list, that says whether a text may not be said. Pure.

A guard sees the text before its tokens are filled. Whatever is true comes in through a token; so a guard never weighs
whether a stated amount or name is the right one, it refuses every one that is stated. False alarms cost variety (the
scripted host speaks instead), misses cost the truth: where the two meet, a guard refuses.
"""

from collections.abc import Callable

from sothebais.agent.truth import claims, conduct, course, frames, strict, writing
from sothebais.agent.truth.reading import Reading

type Guard = Callable[[Reading], bool]

GUARDS: tuple[Guard, ...] = (
    writing.empty,
    writing.echo,
    writing.too_long,
    writing.token,
    writing.invisible,
    writing.script,
    writing.link,
    writing.handle,
    writing.characters,
    writing.code,
    writing.acrostic,
    writing.currency,
    writing.number,
    writing.date,
    conduct.rude,
    claims.secret,
    claims.leader,
    claims.price,
    course.state,
    conduct.promise,
    conduct.receipt,
    conduct.obedience,
    conduct.instructions,
    conduct.humanity,
    conduct.advice,
    conduct.elsewhere,
    writing.name,
    writing.english,
)


#: What is asked besides of a text that nobody at the house has reviewed: a model's, or a character's own phrases.
STRICT: tuple[Guard, ...] = (strict.ragged, frames.turned, strict.unfounded, strict.deeds, strict.personal)


#: Guards that also hear what is said around the tokens, as if they were not there.
_AROUND = frozenset(
    {
        conduct.promise,
        conduct.receipt,
        conduct.obedience,
        conduct.instructions,
        conduct.humanity,
        conduct.advice,
        conduct.elsewhere,
        conduct.rude,
        strict.deeds,
        strict.personal,
    }
)


def refused_by(reading: Reading, *, reviewed: bool = False) -> str | None:
    """The name of the first guard that refuses a text; None when it may be said."""
    for guard in GUARDS if reviewed else (*GUARDS, *STRICT):
        if guard(reading) or (guard in _AROUND and reading.bare is not reading and guard(reading.bare)):
            return guard.__name__
    return None
