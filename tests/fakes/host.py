"""The host of a real house, in this process: a voice of a known length, and what the log says it said."""

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
from tests.fakes.house import eventually, running, whole_log

from sothebais.agent import session
from sothebais.agent.scripted.host import ScriptedHost
from sothebais.agent.voice.fallback import VoiceChain
from sothebais.agent.voice.ports import Speech, SpokenWord
from sothebais.agent.words import Writer
from sothebais.bootstrap import House
from sothebais.clock import Millis
from sothebais.events.cursors import LoggedEvent
from sothebais.state.store import StateStore

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?) ETH")
_HANDLE = re.compile(r"@(\w+)")


class StubVoice:
    """A tone of ``ms_a_word`` for each word, there after ``delay_s``; ``gate`` may hold it up."""

    name = "stub"

    def __init__(self, *, ms_a_word: int = 20, delay_s: float = 0.0) -> None:
        self.ms_a_word, self.delay_s = ms_a_word, delay_s
        self.texts: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def start(self) -> None:
        """Nothing to load."""

    async def synthesise(self, text: str, *, deadline: Millis, pace: float = 1.0) -> Speech:
        """A tone."""
        del deadline, pace
        self.texts.append(text)
        await self.gate.wait()
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        words = text.split()
        step = self.ms_a_word
        samples = 8_000 * step * len(words) // 1_000
        return Speech(
            pcm=np.sin(np.arange(samples, dtype=np.float32) / 3).astype(np.float32) * np.float32(0.3),
            rate=8_000,
            words=tuple(SpokenWord(word, place * step, (place + 1) * step) for place, word in enumerate(words)),
            mouth=((0, 1),),
            voice=self.name,
        )

    async def close(self) -> None:
        """Nothing to let go."""


@contextlib.asynccontextmanager
async def on_duty(
    house: House, store: StateStore, *, voice: Any = None, seed: int = 3, writer: Writer | None = None, **parts: Any
) -> AsyncIterator[session.HostSession]:
    """A host that speaks; ``parts`` replaces what it is made of."""
    made = session.HostSession(
        replace(
            house.agent_parts(store),
            voice=VoiceChain(house.clock, [voice or StubVoice()]),
            writer=writer or Writer(house.clock, ScriptedHost(random.Random(seed))),
            **parts,
        )
    )
    async with running(made.run()):
        await ready(made)
        yield made


async def ready(host: session.HostSession) -> None:
    """Wait until it is on duty and reads the log."""

    async def look() -> bool:
        return host.reading

    await eventually(look, "the host is on duty")


async def said(house: House, type_: str = "agent:message") -> list[tuple[LoggedEvent, dict[str, Any]]]:
    """Everything the host said, with its data, in order."""
    return [(event, event.decoded()) for event in await whole_log(house.database_url) if event.type == type_]


async def says(house: House, *intents: str, after: int = 0, place: str = "STREAM") -> dict[str, Any]:
    """The first line with one of these intents behind the first ``after`` lines; waits for it."""

    async def look() -> dict[str, Any] | None:
        lines = [data for _, data in await said(house) if data["place"] == place]
        return next((data for data in lines[after:] if data["intent"] in intents), None)

    found = await eventually(look, f"the host says {intents}")
    assert found is not None
    return found


async def count_of(house: House, type_: str = "agent:message") -> int:
    """How many there are."""
    return len(await said(house, type_))


def facts_at(events: Sequence[LoggedEvent], place: int, lot: UUID) -> tuple[set[Decimal], UUID | None]:
    """The amounts that were public before the event at ``place``, and who led."""
    amounts: set[Decimal] = set()
    leader: UUID | None = None
    for event in events[:place]:
        if event.subject != f"auction:{lot}":
            continue
        data = event.decoded()
        if event.type == "auction:scheduled":
            amounts = {Decimal(data["terms"]["starting_price"])}
        elif event.type == "auction:bid:accepted":
            amounts = {Decimal(data[name]) for name in ("price", "next_valid_amount") if data[name] is not None}
            leader = UUID(data["leader"])
    return amounts, leader


def amounts_in(text: str) -> set[Decimal]:
    """Amounts that a line states."""
    return {Decimal(found) for found in _AMOUNT.findall(text)}


def handles_in(text: str) -> set[str]:
    """People whom a line names."""
    return set(_HANDLE.findall(text))
