"""Bodies of outgoing webhooks."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from sothebais.api.models.base import Body, Id, Instant

type Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["Results"])]
type Url = Annotated[str, Field(min_length=1, max_length=2_000, examples=["https://hooks.example/sothebais"])]
type Format = Literal["STANDARD", "DISCORD"]
type Types = Annotated[
    list[Annotated[str, Field(max_length=100)]],
    Field(max_length=200, description="Types of events; empty for all.", examples=[["auction:end", "auction:winner"]]),
]


class WebhookRequest(Body):
    """A new webhook."""

    name: Name
    url: Url
    format: Format = "STANDARD"
    event_types: Types = Field(default_factory=list)
    reason: Annotated[str, Field(max_length=500)] | None = None


class WebhookChange(Body):
    """What to change; what is not named stays. ``enabled`` true forgives what failed."""

    name: Name = ""
    url: Url = ""
    event_types: Types = Field(default_factory=list)
    enabled: bool = True
    reason: Annotated[str, Field(max_length=500)] | None = None


class Webhook(Body):
    """A webhook, without its secret."""

    id: Id
    name: str
    url: str
    format: Format
    event_types: list[str]
    enabled: bool
    failures: int = Field(description="Deliveries given up since the last that arrived; five turn it off.")
    created_at: Instant
    disabled_at: Instant | None


class WebhookWithSecret(Body):
    """A webhook and its signing secret, which is told this once."""

    webhook: Webhook
    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


class WebhookPage(Body):
    """A page of webhooks."""

    items: list[Webhook]
    next: Id | None


class WebhookTest(Body):
    """What came of a test delivery."""

    delivered: bool
    response_status: int | None
    error: str | None
    took_ms: int


class WebhookDelivery(Body):
    """One event to one webhook; ``event`` is the ``webhook-id`` the receiver saw."""

    id: Id
    event: Id
    type: str
    subject: str
    status: Literal["PENDING", "SENT", "FAILED", "SUPPRESSED"]
    attempts: int
    response_status: int | None
    error: str | None
    created_at: Instant
    next_attempt_at: Instant | None
    delivered_at: Instant | None


class WebhookDeliveryPage(Body):
    """A page of deliveries, newest first."""

    items: list[WebhookDelivery]
    next: Id | None


REQUESTS: dict[str, type[BaseModel]] = {"WebhookChange": WebhookChange, "WebhookRequest": WebhookRequest}
ANSWERS: dict[str, type[BaseModel]] = {
    "Webhook": Webhook,
    "WebhookDelivery": WebhookDelivery,
    "WebhookDeliveryPage": WebhookDeliveryPage,
    "WebhookPage": WebhookPage,
    "WebhookTest": WebhookTest,
    "WebhookWithSecret": WebhookWithSecret,
}
