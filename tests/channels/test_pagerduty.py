"""What only PagerDuty does: one alert per key, 202 and nothing else, and a credential in the body."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from incidentd.channels.base import HttpAnswer, Sender
from incidentd.channels.http import HttpClient
from incidentd.channels.pagerduty import PagerDutyConfig, judge, render
from incidentd.domain.notification import Message, Notice, Verdict
from tests.channels.support import (
    IMPATIENT,
    NOW,
    alert,
    environment,
    hostile,
    incident,
    message,
    open_channel,
)
from tests.fakes.http import Answer
from tests.fakes.pagerduty import PagerDutyFake, judge_event

KEY = "R" * 32
CONFIG = PagerDutyConfig.model_validate({"kind": "pagerduty", "routing_key": KEY})


@pytest_asyncio.fixture
async def pagerduty() -> AsyncIterator[PagerDutyFake]:
    async with PagerDutyFake() as fake:
        yield fake


@pytest_asyncio.fixture
async def sender(pagerduty: PagerDutyFake) -> AsyncIterator[Sender]:
    http = HttpClient(IMPATIENT)
    config: dict[str, object] = {"kind": "pagerduty", "routing_key": KEY, "base_url": pagerduty.url}
    yield open_channel(config, environment(http))
    await http.aclose()


def _event(said: Message) -> dict[str, Any]:
    request = render(CONFIG, said)
    assert request is not None
    event: dict[str, Any] = orjson.loads(request.content)
    return event


async def test_an_incident_is_triggered_acknowledged_and_resolved_under_one_key(
    pagerduty: PagerDutyFake, sender: Sender
) -> None:
    for notice in (Notice.TRIGGERED, Notice.UPDATED, Notice.ACKNOWLEDGED, Notice.RESOLVED):
        assert (await sender.send(message(notice))).verdict is Verdict.OK
    assert [event["event_action"] for event in pagerduty.events] == ["trigger", "acknowledge", "resolve"]
    assert pagerduty.alerts == {(KEY, "incidentd-12-1"): "resolved"}
    assert pagerduty.violations == []


async def test_the_fake_sees_a_zombie_page_and_a_resolve_through_another_key(
    pagerduty: PagerDutyFake, sender: Sender
) -> None:
    for notice in (Notice.TRIGGERED, Notice.RESOLVED, Notice.TRIGGERED):
        await sender.send(message(notice))
    pagerduty.alerts = {("other", "incidentd-12-1"): "triggered"}
    await sender.send(message(Notice.RESOLVED))
    assert [broken.split()[0] for broken in pagerduty.violations] == ["zombie:", "resolve"]


@pytest.mark.parametrize("minimal", [False, True], ids=["full", "minimal"])
@pytest.mark.parametrize("notice", [Notice.ESCALATED, Notice.UNACKNOWLEDGED])
async def test_what_must_page_again_resolves_its_key_and_opens_a_new_alert(
    pagerduty: PagerDutyFake, sender: Sender, notice: Notice, minimal: bool
) -> None:
    for told in (Notice.TRIGGERED, Notice.ACKNOWLEDGED, notice):
        assert (await sender.send(message(told, minimal=minimal))).verdict is Verdict.OK
    actions = [event["event_action"] for event in pagerduty.events]
    assert actions == ["trigger", "acknowledge", "resolve", "trigger"]
    assert pagerduty.alerts == {(KEY, "incidentd-12-1"): "triggered"}
    assert pagerduty.violations == []


async def test_a_resolve_that_fails_is_the_outcome_and_the_retry_repeats_both(
    pagerduty: PagerDutyFake, sender: Sender
) -> None:
    await sender.send(message())
    pagerduty.script([Answer(500)])
    assert (await sender.send(message(Notice.ESCALATED))).verdict is Verdict.RETRY
    assert len(pagerduty.events) == 1
    assert (await sender.send(message(Notice.ESCALATED))).verdict is Verdict.OK
    assert [event["event_action"] for event in pagerduty.events] == ["trigger", "resolve", "trigger"]
    assert pagerduty.violations == []


def test_a_trigger_says_all_that_pagerduty_shows() -> None:
    event = _event(message())
    assert event["payload"] | {"custom_details": ...} == {
        "summary": "[INC-12] Checkout errors at 42%",
        "source": "checkout",
        "severity": "critical",
        "timestamp": "2026-11-20T10:13:00+00:00",
        "component": "checkout",
        "group": "CheckoutErrors/prod/checkout",
        "class": "CheckoutErrors",
        "custom_details": ...,
    }
    assert event["links"][0] == {"href": "http://127.0.0.1:8650/console/incidents/12", "text": "Open INC-12"}
    assert event["client_url"] == "http://127.0.0.1:8650/console/incidents/12"


def test_a_link_that_is_not_http_is_left_out() -> None:
    event = _event(message(incident=incident(url="javascript:alert(1)", runbook_url="file:///etc/passwd")))
    assert "links" not in event
    assert "client_url" not in event


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (HttpAnswer(202, {}, b"{}"), Verdict.OK),
        (HttpAnswer(200, {}, b"<html>"), Verdict.RETRY),
        (HttpAnswer(400, {}, b'{"errors":["payload.summary is missing"]}'), Verdict.CONTENT_REJECTED),
        (HttpAnswer(400, {}, b'{"errors":["Invalid routing key"]}'), Verdict.DESTINATION_BROKEN),
        (HttpAnswer(403, {}, b""), Verdict.DESTINATION_BROKEN),
        (HttpAnswer(404, {}, b""), Verdict.DESTINATION_BROKEN),
        (HttpAnswer(302, {}, b""), Verdict.DESTINATION_BROKEN),
        (HttpAnswer(408, {}, b""), Verdict.RETRY),
        (HttpAnswer(500, {}, b"[]"), Verdict.RETRY),
        (HttpAnswer(503, {}, b""), Verdict.RETRY),
    ],
)
def test_every_answer_has_its_verdict(answer: HttpAnswer, verdict: Verdict) -> None:
    assert judge(answer, NOW).verdict is verdict


@pytest.mark.parametrize(
    ("header", "seconds"), [({}, 30), ({"retry-after": "5"}, 30), ({"retry-after": "90"}, 90)]
)
def test_a_throttled_event_waits_at_least_thirty_seconds(header: dict[str, str], seconds: int) -> None:
    outcome = judge(HttpAnswer(429, header, b""), NOW)
    assert (outcome.verdict, outcome.retry_after) == (Verdict.THROTTLED, timedelta(seconds=seconds))


async def test_a_refused_key_is_not_repeated_in_the_outcome(pagerduty: PagerDutyFake, sender: Sender) -> None:
    pagerduty.routing_keys = {"another"}
    for outcome in (await sender.send(message()), await sender.probe()):
        assert (outcome.verdict, outcome.code) == (Verdict.DESTINATION_BROKEN, "invalid_routing_key")
        assert KEY not in repr(outcome)
        assert "***" in outcome.detail


@given(st.text(st.characters(codec=None), max_size=400).map(lambda text: text * 30))
def test_whatever_an_alert_says_the_event_stays_within_pagerdutys_limits(text: str) -> None:
    said = hostile(text)
    event = _event(message(incident=said.incident, alerts=said.alerts, comment=text))
    assert list(judge_event(event, len(orjson.dumps(event)))) == []


def test_an_event_over_512_kb_says_that_its_details_were_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("incidentd.channels.pagerduty.MAX_BODY", 1000)
    event = _event(message(alerts=(alert(annotations={"summary": "x" * 999}),) * 9))
    assert event["payload"]["custom_details"] == {
        "error": "left out: PagerDuty takes at most 512 KB an event"
    }
