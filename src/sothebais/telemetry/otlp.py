"""Spans by OpenTelemetry's SDK, sent by OTLP over HTTP; only imported where an endpoint is set."""

from collections.abc import Mapping
from contextvars import ContextVar
from random import SystemRandom
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

#: Spans that wait to be sent; what is too much is dropped, never waited for.
SPANS_WAITING_MAX = 4_096
SPANS_SENT_MAX = 512
SEND_TIMEOUT_S = 5
_HALF = (1 << 64) - 1

_wanted: ContextVar[UUID | None] = ContextVar("wanted_trace", default=None)


class _Ids(IdGenerator):
    """Trace and first span from the id that is wanted; everything else random."""

    def __init__(self) -> None:
        self._random = SystemRandom()

    def generate_span_id(self) -> int:
        wanted = _wanted.get()
        return self._random.getrandbits(64) or 1 if wanted is None else wanted.int & _HALF

    def generate_trace_id(self) -> int:
        wanted = _wanted.get()
        return self._random.getrandbits(128) or 1 if wanted is None else wanted.int


class Recorder:
    """Makes and sends the spans of one service."""

    def __init__(self, service: str, endpoint: str, *, ratio: float) -> None:
        self._provider = TracerProvider(
            # by the id alone, so that every process that meets a trace decides alike
            sampler=TraceIdRatioBased(ratio),
            resource=Resource.create({"service.name": service, "service.namespace": "sothebais"}),
            id_generator=_Ids(),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                OTLPSpanExporter(endpoint, timeout=SEND_TIMEOUT_S),
                max_queue_size=SPANS_WAITING_MAX,
                max_export_batch_size=SPANS_SENT_MAX,
            )
        )
        self._tracer = self._provider.get_tracer("sothebais")

    def root(self, name: str, trace_id: UUID, caused_by: str | None) -> Span:
        """The first span of a trace with this id; the caller ends it."""
        reset = _wanted.set(trace_id)
        try:
            return self._tracer.start_span(name, context=Context(), kind=SpanKind.SERVER, links=_links(caused_by))
        finally:
            _wanted.reset(reset)

    def part(
        self,
        name: str,
        trace_id: UUID,
        since_ms: int,
        until_ms: int,
        attributes: Mapping[str, str | int | float | bool],
    ) -> None:
        """A finished child of that trace's first span."""
        parent = SpanContext(
            trace_id.int, trace_id.int & _HALF, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
        )
        span = self._tracer.start_span(
            name,
            context=trace.set_span_in_context(NonRecordingSpan(parent), Context()),
            start_time=since_ms * 1_000_000,
            attributes=dict(attributes),
        )
        span.end(max(since_ms, until_ms) * 1_000_000)

    def shutdown(self) -> None:
        """Send what waits and stop."""
        self._provider.shutdown()


def _links(traceparent: str | None) -> list[Link]:
    if traceparent is None:
        return []
    context = TraceContextTextMapPropagator().extract({"traceparent": traceparent})
    remote = trace.get_current_span(context).get_span_context()
    return [Link(remote)] if remote.is_valid else []
