"""Traces from the socket to the publication; without an endpoint nothing is made, imported or paid for.

A request's trace id is the correlation id of the events it causes, and its first span has the lower half of that id.
So whoever handles an event later, in whatever process, can add to the trace knowing nothing but the event.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from sothebais.telemetry.otlp import Recorder

type Attributes = Mapping[str, str | int | float | bool]


class Tracing:
    """The traces of this process."""

    def __init__(self) -> None:
        self._recorder: Recorder | None = None

    @property
    def on(self) -> bool:
        """Whether anything is recorded; ask before preparing what only a span needs."""
        return self._recorder is not None

    def configure(self, service: str, endpoint: str | None, *, ratio: float = 1.0) -> None:
        """Send the spans of ``service`` to an OTLP/HTTP ``endpoint`` (``…/v1/traces``); None switches tracing off."""
        self.shutdown()
        if endpoint is not None:
            # half a second of imports that only this needs
            from sothebais.telemetry.otlp import Recorder

            self._recorder = Recorder(service, endpoint, ratio=ratio)

    def shutdown(self) -> None:
        """Send what waits and stop."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.shutdown()

    @contextlib.contextmanager
    def root(self, name: str, trace_id: UUID, *, caused_by: str | None = None) -> Iterator["Span | None"]:
        """The first span of a trace. ``caused_by`` is the caller's ``traceparent``: linked, never believed as ours."""
        if self._recorder is None:
            yield None
            return
        span = self._recorder.root(name, trace_id, caused_by)
        try:
            yield span
        finally:
            span.end()

    def part(self, name: str, trace_id: UUID, *, since_ms: int, until_ms: int, attributes: Attributes) -> None:
        """A finished piece of a trace that began elsewhere, perhaps in another process."""
        if self._recorder is not None:
            self._recorder.part(name, trace_id, since_ms, until_ms, attributes)


#: This process's own.
tracing = Tracing()
