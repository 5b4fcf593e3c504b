"""Events on the channel ``events:system``: the processes of the house and how they are."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from sothebais.events.types.base import Count, Data, EventId, LongText, Millis, ShortText

type ServiceRole = Literal[
    "auction-engine", "stream-manager", "event-handler", "agent-service", "admin-frontend", "live-gateway"
]
type MetricName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,99}$")]


class SystemStartup(Data):
    """A process of the house is ready. ``instance`` tells apart the processes of one role."""

    role: ServiceRole
    instance: ShortText
    version: ShortText
    schema_revision: ShortText | None
    took: Millis


class SystemShutdown(Data):
    """A process of the house is about to end."""

    role: ServiceRole
    instance: ShortText
    cause: Literal["REQUESTED", "FAILED", "LEASE_LOST"]
    uptime: Millis


class SystemHealth(Data):
    """A component's health changed; ``message`` is what a person should know or do."""

    component: ShortText
    status: Literal["OK", "DEGRADED", "DOWN"]
    previous_status: Literal["OK", "DEGRADED", "DOWN"] | None
    message: ShortText


class SystemMetric(Data):
    """A reading, published and not logged."""

    name: MetricName
    value: Annotated[float, Field(allow_inf_nan=False)]
    unit: ShortText
    labels: dict[ShortText, ShortText] = Field(default_factory=dict)


class SystemError(Data):
    """A fault somebody should see. ``event`` and ``dead_letter`` are there when an event could not be handled."""

    role: ServiceRole
    component: ShortText
    code: ShortText
    message: LongText
    event: EventId | None = None
    dead_letter: EventId | None = None
    attempts: Count | None = None


class SystemConfig(Data):
    """Settings changed. Only their names are told: values may be secrets."""

    scope: ShortText
    changed: tuple[ShortText, ...]
    actor: EventId | None = None
    reason: ShortText | None = None


SYSTEM_EVENTS: dict[str, type[Data]] = {
    "system:startup": SystemStartup,
    "system:shutdown": SystemShutdown,
    "system:health": SystemHealth,
    "system:error": SystemError,
    "system:config": SystemConfig,
}
SYSTEM_PUBLISHED_ONLY: dict[str, type[Data]] = {"system:metric": SystemMetric}
