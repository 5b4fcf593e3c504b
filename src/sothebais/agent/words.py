"""From an intent to a line that may be said: a model within its deadline, else the scripted host. Never silence."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable

from msgspec import structs

from sothebais.agent import spoken
from sothebais.agent.model import Draft, Facts, Line, Moment
from sothebais.agent.ports import Ask, LanguageModel, WriterFailed
from sothebais.agent.scripted.host import ScriptedHost
from sothebais.agent.scripted.lines import PLAIN
from sothebais.agent.truth import judge
from sothebais.agent.understanding import Wish, understand
from sothebais.clock import Clock
from sothebais.errors import Unavailable

#: A model's wordings for one line: the first, and one more if a guard refused it.
WORDINGS_MAX = 2
#: After so many failures in a row the model is left alone for a while, so that no line waits for it.
FAILURES_IN_A_ROW_MAX = 3
REST_MS = 30_000
#: Wordings of the scripted host that are tried before the plainest sentence is said.
SCRIPTED_MAX = 4
DRAFT_LENGTH_MAX = 2_000
#: What is answered by the script alone: a model has nothing to add to a refusal, and everything to lose.
SCRIPT_ONLY = frozenset(
    {Wish.SECRET, Wish.ACTION, Wish.ATTACK, Wish.ABUSE, Wish.ADVICE, Wish.OPT_OUT, Wish.STANDING, Wish.OWN_BIDS}
)

_SPEAKER = re.compile(r"^\s*(?:\w{2,20}|the host)\s*:\s+(?=\S)", re.IGNORECASE)
_REFUSES = re.compile(
    r"\b(?:i(?:'m| am) sorry,? (?:but )?i (?:can(?:'|no)t|am (?:unable|not able)|won't)|i (?:can(?:'|no)t|am unable to) (?:assist|comply|fulfil|help with (?:that|this) request)"
    r"|as an ai (?:language )?model|against my (?:guidelines|policy|programming))\b",
    re.IGNORECASE,
)


class Writer:
    """Writes, judges and fills lines. ``counts`` has what happened: MODEL, SCRIPTED, FALLBACK, each failure, each guard."""

    def __init__(
        self,
        clock: Clock,
        scripted: ScriptedHost,
        model: LanguageModel | None = None,
        *,
        deadline_ms: int = 2_500,
        script_only: frozenset[Wish] = SCRIPT_ONLY,
    ) -> None:
        self._clock = clock
        self._scripted = scripted
        self._model = model
        self._deadline_s = deadline_ms / 1_000
        self._script_only = script_only
        self._failures = 0
        self._rests_until = 0.0
        self.counts: Counter[str] = Counter()

    async def write(self, ask: Ask, facts_now: Callable[[], Awaitable[Facts]]) -> Line:
        """A line for an intent, filled with the facts as they are once its words are there. Raises nothing of a model's."""
        started = self._clock.monotonic()
        blocked: list[str] = []
        spent = [0, 0]
        failure: str | None = None
        model = self._model
        if ask.intent.moment is Moment.QUESTION and understand(ask.intent.heard or "").ask in self._script_only:
            model = None
        if model is not None:
            if self._clock.monotonic() < self._rests_until:
                failure = "RESTING"
            else:
                found = await self._of_model(model, ask, facts_now, blocked, spent)
                if isinstance(found, tuple):
                    self.counts["MODEL"] += 1
                    template, text = found
                    return self._line(ask, template, text, model.name, False, spent, started, blocked, None)
                failure = found
        try:
            template, text = self._of_script(structs.replace(ask, facts=await facts_now()))
        except Unavailable:
            # without the facts there is one thing that is true
            template, text = PLAIN, PLAIN
        stood_in = model is not None
        self.counts["FALLBACK" if stood_in else "SCRIPTED"] += 1
        if failure:
            self.counts[failure] += 1
        return self._line(ask, template, text, None, stood_in, spent, started, blocked, failure)

    def refill(self, line: Line, facts: Facts) -> Line | None:
        """The same line with newer facts, for when it waited; None when it is no longer true."""
        verdict = judge(line.template, facts, reviewed=line.model is None)
        if verdict.text is None:
            return None
        return structs.replace(line, text=verdict.text, spoken=spoken.say(verdict.text))

    async def _of_model(
        self,
        model: LanguageModel,
        ask: Ask,
        facts_now: Callable[[], Awaitable[Facts]],
        blocked: list[str],
        spent: list[int],
    ) -> tuple[str, str] | str | None:
        """The template and its text; else why there is none, or None when guards refused every wording."""
        try:
            async with asyncio.timeout(self._deadline_s):
                for _ in range(WORDINGS_MAX):
                    draft = await model.write(structs.replace(ask, refused=tuple(blocked)))
                    spent[0] += draft.input_tokens
                    spent[1] += draft.output_tokens
                    template = tidy(draft)
                    if _REFUSES.search(template):
                        # the endpoint works; asking again would bring the same
                        self._failures = 0
                        return "REFUSAL"
                    verdict = judge(template, await facts_now(), heard=ask.intent.heard)
                    if verdict.text is not None:
                        self._failures = 0
                        return template, verdict.text
                    blocked.append(str(verdict.refused_by))
                    self.counts[f"guard:{verdict.refused_by}"] += 1
        except TimeoutError:
            return self._failed("TIMEOUT")
        except WriterFailed as failed:
            return self._failed(str(failed.fields.get("reason", "ERROR")))
        except Unavailable:  # of the facts, not of the model
            return None
        self._failures = 0
        return None

    def _failed(self, failure: str) -> str:
        if failure == "LOADING":
            return failure
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW_MAX:
            self._failures = 0
            self._rests_until = self._clock.monotonic() + REST_MS / 1_000
        return failure

    def _of_script(self, ask: Ask) -> tuple[str, str]:
        for _ in range(SCRIPTED_MAX):
            line = self._scripted.line(ask)
            verdict = judge(line.text, ask.facts, reviewed=line.reviewed)
            if verdict.text is not None:
                return line.text, verdict.text
        return PLAIN, PLAIN

    def _line(
        self,
        ask: Ask,
        template: str,
        text: str,
        model: str | None,
        fallback: bool,
        spent: list[int],
        started: float,
        blocked: list[str],
        failure: str | None,
    ) -> Line:
        return Line(
            intent=ask.intent,
            template=template,
            text=text,
            spoken=spoken.say(text),
            model=model,
            fallback=fallback,
            input_tokens=spent[0],
            output_tokens=spent[1],
            latency=max(0, int((self._clock.monotonic() - started) * 1_000)),
            blocked=tuple(blocked),
            failure=failure,
        )


def tidy(draft: Draft) -> str:
    """A draft without the wrapping models like to add: quotation marks around it all, the speaker's name before it."""
    text = " ".join(draft.text[: DRAFT_LENGTH_MAX + 1].split())
    if len(text) > 1 and text[0] in '"“' and text[-1] in '"”' and not set('"“”') & set(text[1:-1]):
        text = text[1:-1].strip()
    first = _SPEAKER.match(text)
    # only a name that is no sentence: "Sable: …", "Host: …"
    if first and first[0].strip(" :").lower() in ("sable", "host", "the host", "auctioneer", "raven"):
        text = text[first.end() :]
    return text
