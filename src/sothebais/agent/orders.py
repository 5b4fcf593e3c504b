"""Lines that operators give the host, word for word. They take responsibility; their names stand in the log."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais import moderation
from sothebais.agent import characters, records
from sothebais.agent.model import HEARD_LENGTH_MAX, MoodName
from sothebais.errors import InvalidInput
from sothebais.events import log
from sothebais.events.actions import Actor, action, checked_reason
from sothebais.instants import Millis

PRIORITY = 100
_LINKS_ARE_FINE = moderation.Refusal.LINK


async def say(
    engine: AsyncEngine, text: str, actor: Actor, now: Millis, *, reason: str, mood: MoodName = "NEUTRAL"
) -> tuple[UUID, str]:
    """Have the host say a line on the stream; its event and its text as it is said. Raises InvalidInput.

    Words that no host may say are refused to operators too; facts are theirs to answer for.
    """
    cause = checked_reason(reason)
    plain = " ".join(moderation.clean(text[: moderation.RAW_LENGTH_MAX]).split())[:HEARD_LENGTH_MAX]
    if not plain:
        raise InvalidInput("text: say something.", field="text")
    refused = moderation.refusal(plain, moderation.words_of(moderation.DEFAULT_WORDS))
    if refused is not None and refused is not _LINKS_ARE_FINE:
        raise InvalidInput(moderation.SENTENCES[refused], field="text", reason=str(refused))
    stored = await characters.present(engine)
    data = {
        "text": plain,
        "place": "STREAM",
        "intent": "NOTICE",
        "priority": PRIORITY,
        "mood": mood,
        "to": None,
        "auction": None,
        "model": None,
        "fallback": False,
        "input_tokens": 0,
        "output_tokens": 0,
        "latency": 0,
        "blocked": [],
        "actor": str(actor.user),
    }
    record = records.event(stored.id, "agent:message", data, now)
    async with engine.begin() as connection:
        await log.append(connection, [record, action(actor, "agent.say", f"agent:{stored.id}", at=now, reason=cause)])
    return record.id, plain
