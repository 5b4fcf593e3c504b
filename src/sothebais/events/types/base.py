"""What all event types share: the envelope, the strict base of ``data`` and the field types."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

SCHEMA_VERSION = "1.0"


class Source(StrEnum):
    """The part of the house that wrote an event."""

    AUCTION_ENGINE = "auction-engine"
    STREAM_MANAGER = "stream-manager"
    AGENT_SERVICE = "agent-service"
    EVENT_HANDLER = "event-handler"
    ADMIN_FRONTEND = "admin-frontend"
    SOCIAL = "social"
    CHAIN = "chain"


def _uuid(value: object) -> object:
    # strict mode takes no strings for UUIDs from Python data, and JSON has nothing else
    return UUID(value) if isinstance(value, str) else value


def _source(value: object) -> object:
    return Source(value) if isinstance(value, str) and value in set(Source) else value


#: An instant or a length in whole milliseconds.
type Millis = Annotated[int, Field(ge=0)]
#: A decimal string: plain digits, no exponent, no sign.
type Amount = Annotated[str, StringConstraints(pattern=r"^(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,18})?$")]
type Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
type Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,10}$")]
type ShortText = Annotated[str, StringConstraints(max_length=500)]
type LongText = Annotated[str, StringConstraints(max_length=10_000)]
type EventId = Annotated[UUID, BeforeValidator(_uuid)]
type Count = Annotated[int, Field(ge=0)]
type Percent = Annotated[int, Field(ge=0, le=100)]


class Data(BaseModel):
    """Base of every ``data`` model: unknown fields and wrong types are refused, values never change."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Envelope(BaseModel):
    """What every event carries around its ``data`` (see ``docs/schema.md``)."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    id: EventId
    position: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")] | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    timestamp: Millis
    source: Annotated[Source, BeforeValidator(_source)]
    version: Literal["1.0"] = "1.0"
    subject: Annotated[
        str, StringConstraints(pattern=r"^(?:auction|campaign|stream|agent|user|system):[0-9A-Za-z_.-]+$")
    ]
    correlation_id: EventId | None = None
    causation_id: EventId | None = None
    prev_hash: Sha256 | None = None
    hash: Sha256 | None = None
