"""Bodies of the event log, of its dead letters and of what pages need to know of the house."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from sothebais.api.models.base import Body, Id

type PositionText = Annotated[
    str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$", description="A place in the log; opaque.", examples=["1.4711.42"])
]


class EventEnvelope(Body):
    """One event of the log; ``data`` by its ``type``, as the JSON Schema of events has it."""

    id: Id
    position: PositionText
    n: int | None = Field(description="Number within the lot, without gaps; null where nothing is chained.")
    timestamp: int = Field(description="Milliseconds since the epoch.", examples=[1772388000250])
    type: str = Field(examples=["auction:bid:accepted"])
    source: str = Field(examples=["auction-engine"])
    version: str = Field(examples=["1.0"])
    subject: str = Field(examples=["auction:019d3c5e-0000-7000-8000-000000000000"])
    correlation_id: Id | None
    causation_id: Id | None
    data: dict[str, Any]
    prev_hash: str | None
    hash: str | None


class EventPage(Body):
    """A page of events; it may be empty and still have a ``next``: the log was only read so far."""

    items: list[EventEnvelope]
    next: PositionText | None


class EventRequest(Body):
    """An event written by hand: of the stream, the host or the system."""

    type: str = Field(min_length=1, max_length=60, examples=["system:health"])
    subject: str = Field(pattern=r"^(?:stream|agent|system):[0-9A-Za-z_.-]{1,100}$", examples=["system:stream-manager"])
    data: dict[str, Any] = Field(
        examples=[
            {"component": "encoder", "status": "DEGRADED", "previous_status": "OK", "message": "One output is down."}
        ]
    )
    reason: str = Field(min_length=1, max_length=500, examples=["Told the operators at the desk."])


class DeadLetterBody(Body):
    """An event that a consumer gave up after all its tries."""

    id: Id
    consumer: str
    event: Id
    type: str
    subject: str
    error: str
    attempts: int
    at: str


class DeadLetterPage(Body):
    """Letters, the oldest first; ``next`` goes into ``after`` for the page behind."""

    items: list[DeadLetterBody]
    next: str | None


class Reason(Body):
    """Why a step of staff is taken."""

    reason: str = Field(default="", max_length=500, examples=["The mail server is back."])


class HouseConfig(Body):
    """What pages and overlays must know to talk to this house."""

    api_url: str = Field(examples=["https://auctions.example/api/v1"])
    live_url: str = Field(examples=["wss://live.auctions.example/api/v1/live"])
    live_fallback_url: str = Field(examples=["wss://auctions.example/api/v1/live"])
    stream_url: str = Field(
        description="Below it: `/preview` (WebSocket), `/hls/live.m3u8`, `/frame.png`.",
        examples=["https://stream.auctions.example/api/v1/stream"],
    )
    server_time: str = Field(examples=["2026-03-01T18:00:00.250Z"])
    sandbox: bool
    house_key: str = Field(description="Ed25519, in hex.")
    version: Literal["1.0"]


REQUESTS: dict[str, type[BaseModel]] = {"EventRequest": EventRequest, "ReplayReason": Reason}
ANSWERS: dict[str, type[BaseModel]] = {
    "EventPage": EventPage,
    "EventEnvelope": EventEnvelope,
    "DeadLetterPage": DeadLetterPage,
    "DeadLetterBody": DeadLetterBody,
    "HouseConfig": HouseConfig,
}
