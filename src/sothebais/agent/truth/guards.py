"""The guards: each a named function in one ordered list, that says whether a text may not be said. Pure.

A guard sees the text before its tokens are filled. Whatever is true comes in through a token; so a guard never weighs
whether a stated amount or name is the right one, it refuses every one that is stated. False alarms cost variety (the
scripted host speaks instead), misses cost the truth: where the two meet, a guard refuses.
"""

from collections.abc import Callable

from sothebais.agent.truth import claims, conduct, writing
from sothebais.agent.truth.reading import Reading

type Guard = Callable[[Reading], bool]

GUARDS: tuple[Guard, ...] = (
    writing.empty,
    writing.too_long,
    writing.token,
    writing.invisible,
    writing.script,
    writing.link,
    writing.handle,
    writing.characters,
    writing.code,
    writing.currency,
    writing.number,
    writing.date,
    conduct.rude,
    claims.secret,
    claims.leader,
    claims.price,
    claims.state,
    conduct.promise,
    conduct.obedience,
    conduct.instructions,
    conduct.humanity,
    conduct.advice,
    conduct.elsewhere,
    writing.name,
    writing.english,
)


def refused_by(reading: Reading) -> str | None:
    """The name of the first guard that refuses a text; None when it may be said."""
    return next((guard.__name__ for guard in GUARDS if guard(reading)), None)
