"""Answers to what people write to the host directly: judged, written, recorded. What they wrote is not kept."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais import ids
from sothebais.agent import characters, intents, opt_outs, records
from sothebais.agent.character import persona
from sothebais.agent.facts import HouseFacts
from sothebais.agent.manners import Manners, Reception, Silence
from sothebais.agent.model import HEARD_LENGTH_MAX, MoodName
from sothebais.agent.ports import Ask, Recall
from sothebais.agent.words import Writer
from sothebais.clock import Clock
from sothebais.errors import Forbidden, InvalidInput, RateLimited, SothebaisError
from sothebais.events import log as events

MEMORIES_MAX = 6
#: Asked again after so long, by those who ask too often.
RETRY_AFTER_S = 20


class Reply(Struct, frozen=True):
    """What the host answers, and the event that says so."""

    text: str
    mood: MoodName
    message: UUID


class Conversation:
    """One process's answers; its limits per person hold per process, those of the API over all."""

    def __init__(self, engine: AsyncEngine, clock: Clock, writer: Writer, *, recall: Recall | None = None) -> None:
        self._engine, self._clock, self._writer, self._recall = engine, clock, writer, recall
        self._facts = HouseFacts(engine, clock)
        self._manners = Manners()

    async def answer(
        self, user: UUID, text: str, *, lot: UUID | None = None, mood: MoodName = "NEUTRAL", intensity: int = 0
    ) -> Reply:
        """Answer somebody. Raises InvalidInput, RateLimited, Forbidden (somebody who asked to be left alone)."""
        if not text.strip() or len(text) > HEARD_LENGTH_MAX:
            raise InvalidInput(f"text: say something, in at most {HEARD_LENGTH_MAX} characters.", field="text")
        stored = await characters.present(self._engine)
        self._facts.host = stored.character.name
        now = self._clock.now()
        async with self._engine.connect() as connection:
            left_alone = await opt_outs.left_alone(connection, user)
        # whoever writes to the host itself wants an answer, unless that is what they write
        reception = self._manners.receive(text, user, now, left_alone=left_alone, by_name=True)
        if reception.silence is not None:
            await self._record(stored.id, user, reception, answered=False)
            raise _refusal(reception.silence)
        facts = await self._facts.facts(lot=lot, asker=user)
        intent = intents.question(
            reception.text, user, now, ids.new_id, cause=None, lot=None if facts.lot is None else facts.lot.id,
            place="DIRECT",
        )  # fmt: skip
        ask = Ask(
            intent=intent,
            facts=facts,
            persona=persona(stored.character),
            mood=mood,
            intensity=intensity,
            memories=await self._recalled(reception.text, user),
        )
        line = await self._writer.write(ask, lambda: self._facts.facts(lot=lot, asker=user))
        at = self._clock.now()
        said = records.message(stored.id, line, at, place="DIRECT", mood=mood, latency=at - now, to=user)
        await self._record(stored.id, user, reception, answered=True, also=(said,))
        return Reply(line.text, mood, said.id)

    async def _record(
        self,
        agent: UUID,
        user: UUID,
        reception: Reception,
        *,
        answered: bool,
        also: Sequence[events.Record] = (),
    ) -> None:
        understood = reception.understood
        record = records.interaction(
            agent,
            self._clock.now(),
            user=user,
            place="DIRECT",
            message=None,
            kind=understood.kind,
            sentiment=understood.sentiment,
            answered=answered,
            reason=None if reception.silence is None else str(reception.silence),
        )
        async with self._engine.begin() as connection:
            await opt_outs.store(connection, user, alone=reception.left_alone)
            await events.append(connection, [record, *also])

    async def _recalled(self, text: str, user: UUID) -> tuple[str, ...]:
        if self._recall is None or not text:
            return ()
        try:
            return tuple(await self._recall.recall(text, about=user, limit=MEMORIES_MAX))
        except SothebaisError:
            # the host does without
            return ()


def _refusal(silence: Silence) -> SothebaisError:
    match silence:
        case Silence.OPTED_OUT:
            return Forbidden("You asked the host to leave you alone. Write its name to speak with it again.")
        case Silence.REFUSED:
            return InvalidInput(
                "The host does not answer this: no links, no insults, nothing that is not words.",
                field="text",
                reason=str(silence),
            )
        case _:
            return RateLimited("The host is being asked too much just now. Try again later.", retry_after=RETRY_AFTER_S)
