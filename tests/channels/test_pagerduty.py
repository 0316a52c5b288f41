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
from incidentd.domain.notification import Message, Notice, Texts, Verdict
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


def test_the_details_say_how_many_alerts_fire_and_since_when() -> None:
    details = _event(message(incident=incident(alerts_firing=2, alerts_total=3)))["payload"]["custom_details"]
    assert (details["alert_count"], details["started"]) == ("2 of 3 firing", "2026-11-20 10:13 UTC")
    assert isinstance(details["alerts"], list)


def test_a_link_that_is_not_http_is_left_out() -> None:
    bad = incident(url="javascript:alert(1)", runbook_url="file:///etc/passwd")
    event = _event(message(incident=bad, alerts=(alert(generator_url="ftp://example.com"),)))
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


OLD, NEW = "O" * 32, "N" * 32


def _rotating(fake: PagerDutyFake, http: HttpClient, current: str, *previous: str) -> Sender:
    config = {"kind": "pagerduty", "routing_key": current, "previous_routing_keys": list(previous)}
    return open_channel({**config, "base_url": fake.url}, environment(http))


@pytest_asyncio.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(IMPATIENT)
    yield client
    await client.aclose()


async def test_an_incident_stays_with_the_key_that_opened_it_while_new_ones_use_the_new_key(
    pagerduty: PagerDutyFake, http: HttpClient
) -> None:
    pagerduty.routing_keys = {OLD, NEW}
    opened = await _rotating(pagerduty, http, OLD).send(message())
    assert opened.reference is not None
    rotated = _rotating(pagerduty, http, NEW, OLD)
    for notice in (Notice.ACKNOWLEDGED, Notice.UNACKNOWLEDGED, Notice.RESOLVED):
        assert (await rotated.send(message(notice, reference=opened.reference))).verdict is Verdict.OK
    assert pagerduty.alerts == {(OLD, "incidentd-12-1"): "resolved"}
    again = message(Notice.REOPENED, dedup_key="incidentd-12-2", reference=opened.reference)
    reopened = await rotated.send(again)
    assert reopened.reference is not None
    assert reopened.reference["key"] != opened.reference["key"]
    assert pagerduty.alerts[NEW, "incidentd-12-2"] == "triggered"
    assert pagerduty.violations == []


async def test_a_reference_names_the_key_without_telling_it(pagerduty: PagerDutyFake, sender: Sender) -> None:
    reference = (await sender.send(message())).reference
    assert reference is not None
    assert reference["dedup_key"] == "incidentd-12-1"
    assert len(reference["key"]) == 12
    assert KEY not in repr(reference)
    assert (await sender.send(message(Notice.ACKNOWLEDGED, reference=reference))).reference is None


@pytest.mark.parametrize("notice", [Notice.ACKNOWLEDGED, Notice.RESOLVED])
async def test_an_end_whose_key_is_not_configured_any_more_is_given_up_with_the_remedy(
    pagerduty: PagerDutyFake, http: HttpClient, notice: Notice
) -> None:
    pagerduty.routing_keys = {OLD, NEW}
    reference = (await _rotating(pagerduty, http, OLD).send(message())).reference
    outcome = await _rotating(pagerduty, http, NEW).send(message(notice, reference=reference))
    assert (outcome.verdict, outcome.code) == (Verdict.TARGET_GONE, "routing_key_gone")
    assert "previous_routing_keys" in outcome.detail
    assert len(pagerduty.events) == 1


@pytest.mark.parametrize("previous", [(), (OLD,)], ids=["not configured", "deleted at PagerDuty"])
@pytest.mark.parametrize("notice", [Notice.TRIGGERED, Notice.ESCALATED])
async def test_a_page_whose_key_is_gone_goes_through_the_current_one(
    pagerduty: PagerDutyFake, http: HttpClient, notice: Notice, previous: tuple[str, ...]
) -> None:
    pagerduty.routing_keys = {OLD}
    reference = (await _rotating(pagerduty, http, OLD).send(message())).reference
    pagerduty.routing_keys, pagerduty.alerts = {NEW}, {}
    outcome = await _rotating(pagerduty, http, NEW, *previous).send(message(notice, reference=reference))
    assert outcome.verdict is Verdict.OK
    assert pagerduty.alerts == {(NEW, "incidentd-12-1"): "triggered"}


async def test_an_end_through_an_integration_that_was_deleted_does_not_break_the_channel(
    pagerduty: PagerDutyFake, http: HttpClient
) -> None:
    pagerduty.routing_keys = {OLD}
    reference = (await _rotating(pagerduty, http, OLD).send(message())).reference
    pagerduty.routing_keys = {NEW}
    outcome = await _rotating(pagerduty, http, NEW, OLD).send(message(Notice.RESOLVED, reference=reference))
    assert outcome.verdict is Verdict.TARGET_GONE
    assert OLD not in repr(outcome)


async def test_a_page_that_may_have_arrived_is_repeated_through_the_same_key(
    pagerduty: PagerDutyFake, http: HttpClient
) -> None:
    pagerduty.routing_keys = {OLD, NEW}
    pagerduty.script([Answer(hang=True)])
    outcome = await _rotating(pagerduty, http, OLD).send(message())
    assert outcome.verdict is Verdict.AMBIGUOUS
    assert (
        await _rotating(pagerduty, http, NEW, OLD).send(message(reference=outcome.reference))
    ).verdict is Verdict.OK
    assert pagerduty.alerts == {(OLD, "incidentd-12-1"): "triggered"}


@pytest.mark.parametrize("minimal", [False, True], ids=["full", "minimal"])
def test_a_page_in_place_of_another_channel_says_so(minimal: bool) -> None:
    details = _event(message(fallback_of="ops-slack", minimal=minimal))["payload"]["custom_details"]
    assert "ops-slack" in details["stand_in"]
    assert "stand_in" not in _event(message())["payload"]["custom_details"]


def test_the_operators_own_words_stand_in_summary_and_details() -> None:
    event = _event(message(texts=Texts("Checkout: look at once", "Ask the shop team")))
    assert event["payload"]["summary"] == "[INC-12] Checkout: look at once"
    assert event["payload"]["custom_details"]["text"] == "Ask the shop team"


async def test_pagerduty_is_not_told_of_a_missed_page(pagerduty: PagerDutyFake, sender: Sender) -> None:
    outcome = await sender.send(message(Notice.MISSED))
    assert (outcome.verdict, outcome.code) == (Verdict.OK, "not_applicable")
    assert pagerduty.requests == []
