"""What staff did, as ``user:action`` events: the ``audit`` view is made of them."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from sothebais.errors import InvalidInput
from sothebais.events import log
from sothebais.events.types.base import Source
from sothebais.instants import Millis

REASON_LENGTH_MAX = 500
#: The step by which the house has another host, which those who show and speak for it listen for.
CHARACTER_CHANGED: Final = "character.change"


class Actor(msgspec.Struct, frozen=True):
    """Who acts, and as what."""

    user: UUID
    role: str
    correlation: UUID | None = None


def action(
    actor: Actor,
    name: str,
    target: str | None,
    *,
    at: Millis,
    reason: str | None = None,
    changed: Sequence[str] = (),
) -> log.Record:
    """The record of one step, written in the step's own transaction. ``name`` is ``noun.verb``."""
    return log.event(
        "user:action",
        f"user:{actor.user}",
        {
            "actor": str(actor.user),
            "role": actor.role,
            "action": name,
            "target": target,
            "reason": reason,
            "changed": list(changed),
        },
        at=at,
        source=Source.ADMIN_FRONTEND,
        correlation_id=actor.correlation,
    )


def checked_reason(text: str) -> str:
    """The reason without the space around it. Raises InvalidInput for none, or one that is too long."""
    reason = text.strip()
    if not 0 < len(reason) <= REASON_LENGTH_MAX:
        raise InvalidInput(f"reason: say why, in at most {REASON_LENGTH_MAX} characters.", field="reason")
    return reason
