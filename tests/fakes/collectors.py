"""Fakes of what takes telemetry: an OTLP collector and a Sentry, each a real server on loopback."""

from __future__ import annotations

import gzip
import json
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.fakes.http import Answer, HttpFake, Received


class CollectorFake(HttpFake):
    """Takes spans at `url`; `spans` holds them as (name, trace id, span id, parent id, attributes)."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[tuple[str, str, str, str, dict[str, Any]]] = []
        self.resource: dict[str, str] = {}

    async def answer(self, received: Received) -> Answer:
        if not received.path.endswith("/v1/traces"):
            self.violations.append(received.path)
        request = ExportTraceServiceRequest.FromString(received.body)
        for group in request.resource_spans:
            self.resource = {each.key: each.value.string_value for each in group.resource.attributes}
            for scope in group.scope_spans:
                self.spans += [
                    (
                        span.name,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        {a.key: a.value.string_value or a.value.int_value for a in span.attributes},
                    )
                    for span in scope.spans
                ]
        return Answer(200, b"")


class SentryFake(HttpFake):
    """Takes envelopes; `dsn` leads here, `events` are what is in them, `raw` every byte of them and their headers."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []
        self.raw = ""

    @property
    def dsn(self) -> str:
        """The address with its key, which is no canary: an envelope names it."""
        return f"{self.url.replace('://', '://public-key-of-the-project@')}/42"

    async def answer(self, received: Received) -> Answer:
        if not received.path.endswith("/api/42/envelope/"):
            self.violations.append(received.path)
        packed = received.headers.get("content-encoding") == "gzip"
        text = (gzip.decompress(received.body) if packed else received.body).decode()
        self.raw += f"{dict(received.headers)}\n{text}"
        lines = text.splitlines()
        for head, body in zip(lines[1::2], lines[2::2], strict=False):
            if json.loads(head).get("type") == "event":
                self.events.append(json.loads(body))
        return Answer(200, {"id": "0"})
