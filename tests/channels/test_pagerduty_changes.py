"""Deployments as PagerDuty's change events: within the vendor's rules, and to nobody's phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from incidentd.channels.announcing import Announcer, audience
from incidentd.channels.base import discover
from incidentd.channels.console import ConsoleConfig
from incidentd.channels.http import HttpClient
from incidentd.channels.pagerduty import PagerDutyConfig, PagerDutySender
from incidentd.channels.pagerduty_changes import render_change
from incidentd.domain.deployment import Announcement, Deployment, DeploymentStatus
from incidentd.domain.notification import Verdict
from tests.channels.support import IMPATIENT, NOW, environment
from tests.fakes.http import Answer
from tests.fakes.pagerduty import PagerDutyFake, judge_change

KEY = "R" * 32
URL = "https://incidents.example.com/api/v1/deployments?service=shop"


def config_of(**more: Any) -> PagerDutyConfig:
    return PagerDutyConfig.model_validate({"kind": "pagerduty", "routing_key": KEY, **more})


def announced(url: str = URL, **texts: str) -> Announcement:
    named = {"id": "7", "service": "shop", "environment": "production", "version": "1.2", **texts}
    times = {"commit_time": None, "started_at": NOW - timedelta(minutes=3), "finished_at": NOW}
    return Announcement(Deployment("main", status=DeploymentStatus.SUCCESS, **named, **times), url)  # type: ignore[arg-type]


def event_of(said: Announcement) -> dict[str, Any]:
    config = config_of()
    request = render_change(config.base_url, config.routing_key, said)
    assert (request.method, request.url) == ("POST", "https://events.pagerduty.com/v2/change/enqueue")
    event: dict[str, Any] = orjson.loads(request.content)
    return event


@pytest_asyncio.fixture
async def pagerduty() -> AsyncIterator[PagerDutyFake]:
    async with PagerDutyFake() as fake:
        yield fake


@pytest_asyncio.fixture
async def sender(pagerduty: PagerDutyFake) -> AsyncIterator[PagerDutySender]:
    http = HttpClient(IMPATIENT)
    yield PagerDutySender(config_of(base_url=pagerduty.url), environment(http))
    await http.aclose()


def test_a_change_event_says_what_was_deployed_where_and_when() -> None:
    assert event_of(announced()) == {
        "routing_key": KEY,
        "payload": {
            "summary": "Deployed shop 1.2 to production",
            "source": "shop",
            "timestamp": "2026-11-20T10:15:00+00:00",
            "custom_details": {
                "deployment": "7",
                "service": "shop",
                "environment": "production",
                "version": "1.2",
                "status": "success",
                "started_at": "2026-11-20T10:12:00+00:00",
                "finished_at": "2026-11-20T10:15:00+00:00",
            },
        },
        "links": [{"href": URL, "text": "Deployments of this service"}],
    }


@given(st.text(st.characters(codec=None), max_size=300).map(lambda text: text * 9))
def test_whatever_a_pipeline_says_the_event_stays_within_pagerdutys_limits(text: str) -> None:
    event = event_of(announced(f"javascript:{text}", service=text, version=text, environment=text, id=text))
    assert list(judge_change(event, len(orjson.dumps(event)))) == []
    assert "links" not in event


async def test_pagerduty_takes_it_and_opens_no_alert(
    pagerduty: PagerDutyFake, sender: PagerDutySender
) -> None:
    assert (await sender.announce(announced())).verdict is Verdict.OK
    assert [event["payload"]["source"] for event in pagerduty.changes] == ["shop"]
    assert (pagerduty.alerts, pagerduty.violations) == ({}, [])


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Answer(400, {"errors": ["payload.summary is missing"]}), Verdict.CONTENT_REJECTED),
        (Answer(400, {"errors": [f"Invalid routing key {KEY}"]}), Verdict.DESTINATION_BROKEN),
        (Answer(429), Verdict.THROTTLED),
        (Answer(503), Verdict.RETRY),
        (Answer(drop=True), Verdict.AMBIGUOUS),
    ],
)
async def test_an_answer_is_judged_like_that_to_an_event(
    pagerduty: PagerDutyFake, sender: PagerDutySender, answer: Answer, verdict: Verdict
) -> None:
    pagerduty.script([answer])
    outcome = await sender.announce(announced())
    assert outcome.verdict is verdict
    assert KEY not in repr(outcome)


def test_only_the_channels_that_want_it_are_told_of_a_service() -> None:
    channels = {
        "off": config_of(),
        "all": config_of(change_events=True),
        "shop": config_of(change_events=True, services=["shop", "cart"]),
        "filtered-but-off": config_of(services=["shop"]),
        "console": ConsoleConfig(kind="console"),
    }
    assert audience(channels, "shop") == ("all", "shop")
    assert audience(channels, "search") == ("all",)
    with pytest.raises(ValueError, match="services"):
        config_of(change_events=True, services=[])


def test_only_pagerduty_can_tell_of_deployments(sender: PagerDutySender) -> None:
    assert isinstance(sender, Announcer)
    able = {
        kind for kind, channel in discover().items() if "change_events" in channel.config_model.model_fields
    }
    assert able == {"pagerduty"}
