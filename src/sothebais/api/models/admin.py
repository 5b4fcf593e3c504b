"""Bodies of the administration: services, metrics, the audit, API keys, people."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from sothebais.api.models.base import Body, Id, Instant

type RoleName = Literal["VIEWER", "BIDDER", "OWNER", "OPERATOR", "ADMIN"]
type Health = Literal["OK", "DEGRADED", "DOWN"]


class ServiceProcess(Body):
    """One process. ``health``: OK, DEGRADED when a dependency fails it, DOWN when it has not been heard of."""

    id: Id
    role: str
    host: str
    pid: int
    version: str
    since: Instant
    heard_at: Instant
    health: Health
    checks: dict[str, str]


class Pulse(Body):
    """When something last worked, wherever it runs."""

    name: str
    at: Instant


class Services(Body):
    """The processes of the house, and what this one can reach."""

    server_time: Instant
    version: str
    processes: list[ServiceProcess]
    pulses: list[Pulse]
    checks: dict[str, str]


class MetricSample(Body):
    """One reading."""

    labels: dict[str, str]
    value: float | None


class MetricDigest(Body):
    """One metric of this process; a histogram as its count, sum and mean."""

    name: str
    kind: str
    help: str
    samples: list[MetricSample]


class Metrics(Body):
    """The metrics of the process that answers; ``/metrics`` has the same for Prometheus."""

    server_time: Instant
    metrics: list[MetricDigest]


class AuditEntry(Body):
    """One step of the staff."""

    id: Id
    at: Instant
    actor_id: Id
    actor: str | None
    action: str
    subject: str
    reason: str | None
    type: str
    source: str
    correlation_id: Id | None
    data: dict[str, Any]


class AuditPage(Body):
    """Steps, the last one first."""

    items: list[AuditEntry]
    next: Id | None


class NewApiKey(Body):
    """A key to be, for a program that acts as ``user_id`` (you, when it is left out)."""

    name: Annotated[str, Field(min_length=1, max_length=80, examples=["stage manager"])]
    scopes: Annotated[list[Annotated[str, Field(min_length=1, max_length=50)]], Field(max_length=20)] = Field(
        examples=[["read"]]
    )
    user_id: Id | None = None
    days: int = Field(default=90, ge=1, le=366, description="How long it lives.")


class ApiKey(Body):
    """A key as it may be shown: never the key itself."""

    id: Id
    user_id: Id
    name: str
    scopes: list[str]
    created_at: Instant
    last_used_at: Instant | None
    expires_at: Instant | None
    revoked_at: Instant | None


class ApiKeyPage(Body):
    """Keys, in the order in which they were made."""

    items: list[ApiKey]
    next: Id | None


class ApiKeyMade(Body):
    """A new key: ``token`` is told this once and kept by nobody but you."""

    key: ApiKey
    token: str


class UserSummary(Body):
    """Somebody, as staff see them."""

    id: Id
    handle: str
    email: str | None
    role: RoleName
    blocked: bool
    created_at: Instant
    accounts: list[str]
    wallets: int


class UserPage(Body):
    """People, in the order in which they came."""

    items: list[UserSummary]
    next: Id | None


class UserChange(Body):
    """A role, a block, or both."""

    role: RoleName | None = None
    blocked: bool | None = None
    reason: Annotated[str, Field(min_length=1, max_length=500, examples=["Bids and never pays."])]


REQUESTS: dict[str, type[BaseModel]] = {"NewApiKey": NewApiKey, "UserChange": UserChange}
ANSWERS: dict[str, type[BaseModel]] = {
    "ApiKeyMade": ApiKeyMade,
    "ApiKeyPage": ApiKeyPage,
    "AuditPage": AuditPage,
    "Metrics": Metrics,
    "Services": Services,
    "UserPage": UserPage,
    "UserSummary": UserSummary,
}
