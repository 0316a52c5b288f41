"""Traces, read back from OpenTelemetry's own exporter: one trace from the request over the commit to every delivery."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from incidentd import config, tracing
from incidentd.telemetry.otel import Traces
from incidentd.tracing import CURRENT, Kind, Telemetry
from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import NOON, World, world
from tests.fakes.collectors import CollectorFake
from tests.fakes.http import Answer

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{CALLER}-01"
JSON = {"Content-Type": "application/json"}


class Recorder:
    """A tracer, and what it has kept."""

    def __init__(self, sample: float = 1.0) -> None:
        wanted = config.Traces(endpoint="http://127.0.0.1:1", sample=sample)
        self.kept = InMemorySpanExporter()
        self.traces = Traces(config.Telemetry(environment="test"), wanted, self.kept)

    @property
    def telemetry(self) -> Telemetry:
        return Telemetry(self.traces)

    def spans(self) -> list[ReadableSpan]:
        self.traces._provider.force_flush()
        return list(self.kept.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans() if span.name.startswith(name)]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    yield made
    made.traces.close(1)


@pytest.fixture
async def here(tmp_path: Path, recorder: Recorder) -> AsyncIterator[World]:
    url = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    async with world(tmp_path, url, told=recorder.telemetry) as made:
        yield made


@pytest.fixture
async def anywhere(tmp_path: Path, database_url: str, recorder: Recorder) -> AsyncIterator[World]:
    """On both databases."""
    async with world(tmp_path, database_url, told=recorder.telemetry) as made:
        yield made


def ids(span: ReadableSpan) -> tuple[str, str, str]:
    """Trace, span and parent."""
    context = span.get_span_context()
    assert context is not None
    parent = f"{span.parent.span_id:016x}" if span.parent else ""
    return f"{context.trace_id:032x}", f"{context.span_id:016x}", parent


def of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_a_post_its_commit_and_all_its_deliveries_are_one_trace(
    anywhere: World, recorder: Recorder
) -> None:
    here = anywhere
    body = webhook(alert("DiskFull", NOON))
    answer = await here.client.call("POST", "/webhooks/alertmanager", body, {**JSON, "traceparent": PARENT})
    assert answer.status == 200
    await here.settle()
    (request,) = recorder.named("POST /webhooks/alertmanager")
    (commit,) = recorder.named("commit")
    sent = recorder.named("deliver ")
    assert {span.name for span in sent} == {f"deliver {c}" for c in here.vendors.channels()}
    assert {ids(span)[0] for span in (request, commit, *sent)} == {TRACE}
    assert ids(request)[2] == CALLER
    assert ids(commit)[2] == ids(request)[1]
    assert {ids(span)[2] for span in sent} == {ids(commit)[1]}
    assert of(request)["http.response.status_code"] == 200
    assert of(request)["incidentd.request_id"] == answer.headers["X-Request-ID"]
    assert of(sent[0]) | {"incidentd.channel": ""} == {
        "incidentd.incident": 1,
        "incidentd.delivery": of(sent[0])["incidentd.delivery"],
        "incidentd.channel": "",
        "incidentd.class": "page",
        "incidentd.notice": "triggered",
        "incidentd.attempt": 1,
        "incidentd.bundled": 0,
        "incidentd.outcome": "ok",
    }


async def test_a_restart_in_between_does_not_end_the_trace(here: World, recorder: Recorder) -> None:
    here.vendors.pager.script([Answer(500, {})] * 3)
    await here.post(webhook(alert("DiskFull", NOON)))
    (first,) = recorder.named("deliver pager")
    assert (of(first)["incidentd.outcome"], first.status.is_ok) == ("retry", False)
    await here.restart()
    for _ in range(4):
        await here.advance(timedelta(minutes=5))
    last = recorder.named("deliver pager")[-1]
    assert of(last)["incidentd.outcome"] == "ok"
    assert ids(last)[0] == ids(recorder.named("POST /webhooks")[0])[0]
    assert of(last)["incidentd.attempt"] > 1


async def test_what_a_person_does_is_a_trace_of_its_own(anywhere: World, recorder: Recorder) -> None:
    here = anywhere
    await here.post(webhook(alert("DiskFull", NOON)))
    await here.client.act("incidents/1/acknowledge", comment="mine")
    await here.settle()
    (request,) = recorder.named("POST /api/v1/incidents/{id}/acknowledge")
    told = [s for s in recorder.named("deliver ") if of(s)["incidentd.notice"] == "acknowledged"]
    assert told
    assert {ids(span)[::2] for span in told} == {ids(request)[:2]}
    assert of(request)["incidentd.incident"] == 1
    assert of(request)["incidentd.actor"] == "alice"
    assert ids(request)[0] != ids(recorder.named("POST /webhooks")[0])[0]


async def test_posts_of_one_commit_keep_their_traces_apart(here: World, recorder: Recorder) -> None:
    bodies = [webhook(alert(f"Alert{number}", NOON)) for number in range(8)]
    await asyncio.gather(*[here.client.post(body) for body in bodies])
    await here.settle()
    requests, commits = recorder.named("POST /webhooks"), recorder.named("commit")
    assert sorted(ids(span)[0] for span in requests) == sorted(ids(span)[0] for span in commits)
    told = {of(s)["incidentd.incident"]: ids(s)[0] for s in recorder.named("deliver pager")}
    assert sorted(told.values()) == sorted(ids(span)[0] for span in requests)


async def test_machines_that_ask_all_day_and_unknown_paths_are_not_traced(
    here: World, recorder: Recorder
) -> None:
    for path in ("/health/live", "/health/detailed", "/metrics", "/ack/canary-canary-canary/x", "/nothing"):
        await here.client.call("GET", path)
    assert recorder.spans() == []


async def test_no_span_has_anything_that_others_wrote(here: World, recorder: Recorder) -> None:
    noisy = alert("DiskFull", NOON, who="canary@example.com", token="canary-canary")
    await here.post(webhook({**noisy, "annotations": {"summary": "canary call +49 170 1234567"}}))
    await here.client.call("GET", "/ack/canary-canary-canary-canary")
    await here.client.act("incidents/1/notes", text="canary")
    assert recorder.spans()
    assert "canary" not in "".join(span.to_json() for span in recorder.spans())


@pytest.mark.parametrize(
    "given",
    [
        "",
        "canary",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{CALLER}-01",
        f"00-{TRACE.upper()}-{CALLER}-01",
        f"{PARENT}-more",
        f"{PARENT}\n",
    ],
)
def test_a_context_that_is_none_begins_a_new_trace(recorder: Recorder, given: str) -> None:
    assert tracing.valid(given) is None
    span = recorder.traces.begin("x", Kind.SERVER, given, {})
    assert tracing.valid(span.context) == span.context
    assert TRACE not in span.context


def test_nobody_outside_decides_what_is_sampled() -> None:
    none = Recorder(sample=0.0)
    for parent in (None, PARENT):
        span = none.traces.begin("x", Kind.SERVER, parent, {})
        assert int(span.context[53:], 16) & 1 == 0
        none.traces.begin("y", Kind.INTERNAL, span.context, {}).end({})
        span.end({})
    assert none.spans() == []
    none.traces.close(1)
    every = Recorder()
    every.traces.begin("x", Kind.SERVER, f"{PARENT[:-2]}00", {}).end({})
    assert len(every.spans()) == 1
    every.traces.close(1)


def test_a_collector_that_is_away_degrades_and_stops_nobody() -> None:
    traces = Traces(config.Telemetry(), config.Traces(endpoint="http://127.0.0.1:1"))
    traces.begin("x", Kind.SERVER, None, {}).end({})
    assert traces.carrier().trouble == ""
    traces._exporter._inner._client._timeout = 0.1  # type: ignore[attr-defined]
    traces.close(2)
    assert traces.carrier().trouble == "the collector did not take the last 1 spans"


async def test_a_collector_that_hangs_does_not_hold_up_the_stop() -> None:
    async with CollectorFake() as collector:
        collector.script([Answer(hang=True)] * 9)
        traces = Traces(config.Telemetry(), config.Traces(endpoint=collector.url))
        for _ in range(1500):
            traces.begin("x", Kind.SERVER, None, {}).end({})
        async with asyncio.timeout(3):
            await asyncio.to_thread(traces.close, 0.2)
        assert collector.requests


async def test_a_task_of_a_reload_belongs_to_no_request(here: World, recorder: Recorder) -> None:
    text = here.file.read_text().replace("C012345", "C099999")
    here.file.write_text(text)
    answer = await here.client.call("POST", "/-/reload")
    assert answer.status == 200, answer.text
    await here.post(webhook(alert("DiskFull", NOON)))
    (reload,) = recorder.named("POST /-/reload")
    assert ids(recorder.named("deliver slack")[0])[0] != ids(reload)[0]
    assert CURRENT.get() is None
