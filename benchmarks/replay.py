"""How long a journal of 100,000 alerts takes through two configurations."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson

from benchmarks.report import BenchError, Options, Row, Target
from incidentd.domain.alert import fingerprint_of
from incidentd.domain.escalation import Kind, Policy, Step
from incidentd.domain.escalation import Target as Whom
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.routing import Route
from incidentd.replay.difference import compare
from incidentd.replay.recording import Kept, Recording
from incidentd.replay.run import replay
from incidentd.workflows.paging import Paging
from incidentd.workflows.rules import Rules

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 30
PER_BODY = 2
PROMISED_SECONDS = 30.0


def run(options: Options) -> list[Row]:
    alerts = 10_000 if options.quick else 100_000
    old = _rules("critical")
    new = replace(old, route=_route("critical|warning"))
    recording = Recording(START, START + timedelta(days=DAYS), list(_bodies(alerts)))
    began = time.perf_counter()
    outcome = replay(recording, old, new)
    difference = compare(outcome)
    seconds = time.perf_counter() - began
    if outcome.alerts != alerts or not difference.differs:
        raise BenchError(
            f"{outcome.alerts} of {alerts} alerts were replayed, {len(difference.lines)} lines differ"
        )
    target = None if options.quick else Target(PROMISED_SECONDS)
    what = f"replay of {alerts} journalled alerts through two configurations"
    return [Row("replay", what, seconds, "s", target)]


def _rules(escalated: str) -> Rules:
    steps = (
        Step(timedelta(), (Whom(Kind.CHANNEL, "phone"),)),
        Step(timedelta(minutes=5), (Whom(Kind.CHANNEL, "second"),)),
    )
    channels = {name: (name,) for name in ("chat", "phone", "second")}
    return Rules(
        _route(escalated), channels, paging=Paging(policies={"primary": Policy("primary", steps, 1)})
    )


def _route(escalated: str) -> Route:
    urgent = Route((parse_matcher(f'severity=~"{escalated}"'),), escalation="primary")
    return Route(notify=("chat",), routes=(urgent,))


def _bodies(alerts: int) -> Iterator[Kept]:
    """Two alerts a body: new ones, repeats, and ends, of a few thousand that come and go."""
    random.seed(7)
    firing: dict[int, datetime] = {}
    pause = timedelta(days=DAYS) / (alerts // PER_BODY)
    for number in range(alerts // PER_BODY):
        at = START + number * pause
        body = [_alert(random.randrange(5_000), firing, at) for _ in range(PER_BODY)]
        yield Kept(
            at, "main", "alertmanager", orjson.dumps({"version": "4", "groupKey": "{}", "alerts": body})
        )


def _alert(which: int, firing: dict[int, datetime], at: datetime) -> dict[str, object]:
    labels = {
        "alertname": f"Alert{which % 50}",
        "service": f"service-{which % 400}",
        "instance": f"host-{which}:9100",
        "cluster": "eu-1",
        "severity": ("critical", "warning", "info")[which % 3],
    }
    began = firing.get(which)
    ends = began is not None and random.random() < 0.5
    since = firing.pop(which) if ends else firing.setdefault(which, at)
    return {
        "status": "resolved" if ends else "firing",
        "labels": labels,
        "annotations": {"summary": f"{labels['alertname']} on {labels['instance']}"},
        "startsAt": since.isoformat(),
        "endsAt": at.isoformat() if ends else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": fingerprint_of(labels),
    }
