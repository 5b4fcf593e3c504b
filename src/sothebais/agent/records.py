"""The host's events: each written with what caused it, under the character's id."""

from typing import Any
from uuid import UUID

from sothebais.agent.model import Line, MoodName, Place
from sothebais.agent.voice.ports import Speech
from sothebais.events import log
from sothebais.events.types.base import Source
from sothebais.instants import Millis

#: What an event can hold of a word or a text.
WORD_LENGTH_MAX = 500
TEXT_LENGTH_MAX = 10_000


def event(agent: UUID, type_: str, data: dict[str, Any], at: Millis, *, cause: UUID | None = None) -> log.Record:
    """An event about the host, by the agent-service."""
    return log.event(type_, f"agent:{agent}", data, at=at, source=Source.AGENT_SERVICE, causation_id=cause)


def message(
    agent: UUID,
    line: Line,
    at: Millis,
    *,
    place: Place,
    mood: MoodName,
    latency: Millis,
    to: UUID | None = None,
    actor: UUID | None = None,
) -> log.Record:
    """``agent:message``: what the host says, why, and what it cost. ``latency`` runs from cause to text."""
    intent = line.intent
    data = {
        "text": line.text[:TEXT_LENGTH_MAX],
        "place": place,
        "intent": intent.kind,
        "priority": intent.priority,
        "mood": mood,
        "to": _text(to),
        "auction": _text(intent.lot),
        "model": line.model,
        "fallback": line.fallback,
        "input_tokens": line.input_tokens,
        "output_tokens": line.output_tokens,
        "latency": max(0, latency),
        "blocked": list(line.blocked),
        "actor": _text(actor),
    }
    return event(agent, "agent:message", data, at, cause=intent.cause)


def speech(agent: UUID, said: UUID, text: str, sound: Speech, starts_at: Millis, at: Millis) -> log.Record:
    """``agent:speech``: a part of a message as it is heard; its sound is kept under the record's id."""
    data = {
        "message": str(said),
        "text": text[:TEXT_LENGTH_MAX],
        "voice": sound.voice,
        "starts_at": starts_at,
        "duration": sound.duration_ms,
        "words": [
            {"text": word.text[:WORD_LENGTH_MAX], "start": word.start_ms, "end": word.end_ms} for word in sound.words
        ],
        "mouth": [{"at": shape_at, "opening": opening} for shape_at, opening in sound.mouth],
    }
    return event(agent, "agent:speech", data, at, cause=said)


def interaction(
    agent: UUID,
    at: Millis,
    *,
    user: UUID | None,
    place: Place,
    message: UUID | None,
    kind: str,
    sentiment: int,
    answered: bool,
    reason: str | None,
) -> log.Record:
    """``agent:interaction``: somebody spoke to the host. What they wrote is not in it."""
    data = {
        "user": _text(user),
        "place": place,
        "message": _text(message),
        "kind": kind,
        "sentiment": sentiment,
        "answered": answered,
        "reason": reason,
    }
    return event(agent, "agent:interaction", data, at, cause=message)


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
