"""Traces over OpenTelemetry: OTLP over HTTP, in batches, from a thread of its own.

Attributes are numbers and names of ours. What could be text of others is masked like a line of the log.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as AnySpan
from opentelemetry.trace import Tracer as SdkTracer

from incidentd import __version__, config, tracing
from incidentd.masking import mask
from incidentd.tracing import Carrier, Kind

_KINDS: Final = {Kind.SERVER: SpanKind.SERVER, Kind.INTERNAL: SpanKind.INTERNAL, Kind.CLIENT: SpanKind.CLIENT}
_SECONDS: Final = 5.0
"""How long the collector may take for a batch."""
_QUEUE: Final = 4096
"""Spans that wait; more are dropped, for the work that they tell of must not wait for a collector."""


class _Watched(SpanExporter):
    """The exporter, and whether its last batch was taken."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._closed = False
        self.failed = 0
        """Spans that were not taken since the last batch that was."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._inner.export(spans)
        self.failed = 0 if result is SpanExportResult.SUCCESS else self.failed + len(spans)
        return result

    def shutdown(self) -> None:
        if not self._closed:
            self._closed = True
            self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._inner.force_flush(timeout_millis)


class _Span:
    """A span of OpenTelemetry as `tracing` wants it."""

    def __init__(self, span: AnySpan) -> None:
        self._span = span

    @property
    def context(self) -> str:
        own = self._span.get_span_context()
        return f"00-{own.trace_id:032x}-{own.span_id:016x}-{int(own.trace_flags):02x}"

    def end(self, attributes: Mapping[str, str | int], error: str | None = None) -> None:
        if self._span.is_recording():
            self._span.set_attributes(_masked(attributes))
            if error is not None:
                self._span.set_attribute("error.type", str(mask(error)))
                self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class Traces:
    """Begins spans, and sends those of the traces that are sampled."""

    def __init__(
        self, said: config.Telemetry, wanted: config.Traces, exporter: SpanExporter | None = None
    ) -> None:
        """`exporter`: in place of the collector of `wanted`."""
        self._exporter = _Watched(exporter or _collector(wanted))
        self._processor = BatchSpanProcessor(
            self._exporter, max_queue_size=_QUEUE, export_timeout_millis=_SECONDS * 1000
        )
        self._provider = TracerProvider(
            sampler=_sampler(wanted.sample), resource=_resource(said), shutdown_on_exit=False
        )
        self._provider.add_span_processor(self._processor)
        self._tracer: SdkTracer = self._provider.get_tracer("incidentd", __version__)

    def begin(
        self, name: str, kind: Kind, parent: str | None, attributes: Mapping[str, str | int]
    ) -> tracing.Span:
        """A span that has just begun."""
        context = _context_of(parent)
        return _Span(
            self._tracer.start_span(name, context, kind=_KINDS[kind], attributes=_masked(attributes))
        )

    def carrier(self) -> Carrier:
        """Whether the collector takes what it gets."""
        failed = self._exporter.failed
        return Carrier("traces", f"the collector did not take the last {failed} spans" if failed else "")

    def close(self, seconds: float) -> None:
        """Send what waits."""
        # In a thread that is left behind: OpenTelemetry waits for a collector that hangs, batch after batch.
        ending = threading.Thread(target=self._provider.shutdown, daemon=True, name="traces end")
        ending.start()
        ending.join(seconds)
        # What is still waiting to try again gives up.
        self._exporter.shutdown()


def _collector(wanted: config.Traces) -> SpanExporter:
    session = requests.Session()
    session.trust_env = False  # no proxy and no password from the environment: the configuration says it all
    headers = {name: value.get_secret_value() for name, value in wanted.headers.items()}
    return OTLPSpanExporter(
        endpoint=f"{wanted.endpoint}/v1/traces", headers=headers, timeout=_SECONDS, session=session
    )


def _sampler(share: float) -> Sampler:
    # By the trace's own id, also where a caller says otherwise: nobody outside decides what we store. Every replica
    # and every restart decides the same, so a trace is sent whole.
    ratio = TraceIdRatioBased(share)
    return ParentBased(ratio, remote_parent_sampled=ratio, remote_parent_not_sampled=ratio)


def _resource(said: config.Telemetry) -> Resource:
    known = {"service.name": said.service, "service.version": __version__}
    if said.environment:
        known["deployment.environment.name"] = said.environment
    return Resource.create(known)


def _context_of(parent: str | None) -> Context:
    # Never the ambient one: who the parent is, is said.
    if tracing.valid(parent) is None or parent is None:
        return Context()
    trace, span = tracing.ids_of(parent)
    known = SpanContext(
        int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(parent[53:], 16))
    )
    return set_span_in_context(NonRecordingSpan(known), Context())


def _masked(attributes: Mapping[str, str | int]) -> dict[str, str | int]:
    return {name: v if isinstance(v, int) else str(mask(v)) for name, v in attributes.items()}
