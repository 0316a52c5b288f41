"""Explanations through the front door: sentences with their reasons, and errors that say what is accepted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from incidentd.web import explain
from tests.web.conftest import Daemon, Start, alert

USERS = {"alice": {"name": "Alice", "email": "alice@example.com"}}


@pytest.fixture
async def desk(start: Start) -> AsyncIterator[Daemon]:
    """A daemon that knows Alice and has one incident."""
    async with start(users=USERS) as daemon:
        await daemon.alert(alert(service="shop"))
        yield daemon


async def test_why_answers_sentences_with_their_reasons(desk: Daemon) -> None:
    answer, found = await desk.get("/api/v1/incidents/INC-1/why")
    assert answer.status == 200
    explain.WhyAnswer.model_validate(found)
    assert (found["id"], found["ref"]) == (1, "INC-1")
    first = found["statements"][0]
    assert (first["kind"], first["because"]) == ("opened", "new")
    assert first["text"].startswith("INC-1 was opened because alert Down of source main began to fire")
    assert found["statements"][-1]["kind"] == "standing"


async def test_an_alert_is_explained_by_its_fingerprint(desk: Daemon) -> None:
    fingerprint = alert(service="shop")["fingerprint"]
    answer, found = await desk.get(f"/api/v1/alerts/{fingerprint}/why")
    assert answer.status == 200
    explain.AlertWhyAnswer.model_validate(found)
    assert found["verdict"] == "It belongs to INC-1, which is triggered."
    answer, found = await desk.get(f"/api/v1/alerts/{fingerprint}/why?source=other")
    assert (answer.status, "is kept" in found["detail"]) == (404, True)


async def test_why_not_answers_a_verdict(desk: Daemon) -> None:
    now = desk.clock.now().isoformat().replace("+", "%2B")
    answer, found = await desk.get(f"/api/v1/why-not?user=alice&at={now}&around=1h")
    assert answer.status == 200
    explain.WhyNotAnswer.model_validate(found)
    assert found["incidents"] == [1]
    assert found["verdict"] == (
        "alice was not told of INC-1: nothing escalates it, its route (root) tells console."
    )
    assert found["statements"][-1]["kind"] == "verdict"


@pytest.mark.parametrize(
    "path", ["/api/v1/incidents/7/why", "/api/v1/incidents/x/why", "/api/v1/alerts/7/why"]
)
async def test_what_does_not_exist_is_a_404(desk: Daemon, path: str) -> None:
    answer, _ = await desk.get(path)
    assert answer.status == 404


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("user=alic&at=2026-11-20T17:00:00Z", 404, 'there is no user "alic"'),
        ("user=alice", 400, "?at"),
        ("at=2026-11-20T17:00:00Z", 400, "?user"),
        ("user=alice&at=yesterday", 400, "?at"),
        ("user=alice&at=2199-01-01T00:00:00Z", 400, "lies in the future; accepted: a time until now"),
        ("user=alice&at=1999-01-01T00:00:00Z", 400, "older than what is kept (retention.incidents)"),
        ("user=alice&at=2026-11-20T17:00:00Z&around=2d", 400, "is not above zero and at most 1d"),
        ("user=alice&at=2026-11-20T17:00:00Z&around=soon", 400, "?around"),
    ],
)
async def test_a_question_that_cannot_be_answered_says_why(
    desk: Daemon, query: str, status: int, said: str
) -> None:
    answer, found = await desk.get(f"/api/v1/why-not?{query}")
    assert answer.status == status
    assert said in str(found)


async def test_explanations_need_the_scope_read(desk: Daemon) -> None:
    for path in ("incidents/1/why", "alerts/x/why", "why-not?user=alice&at=2026-11-20T17:00:00Z"):
        answer, _ = await desk.get(f"/api/v1/{path}", "ingest")
        assert answer.status == 403


async def test_a_time_of_the_future_becomes_answerable_when_it_has_come(desk: Daemon) -> None:
    later = (desk.clock.now() + timedelta(hours=1)).isoformat().replace("+", "%2B")
    answer, _ = await desk.get(f"/api/v1/why-not?user=alice&at={later}")
    assert answer.status == 400
    desk.clock.ahead = timedelta(hours=2)
    answer, _ = await desk.get(f"/api/v1/why-not?user=alice&at={later}")
    assert answer.status == 200
