"""PromQL steps against a server that speaks the query API: values, courses, drawings, failures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from pydantic import SecretStr

from incidentd.automation.base import Result
from incidentd.automation.promql import PromqlExecutor, bars
from incidentd.config.automation import Automation, Prometheus
from incidentd.domain.automation import RunState
from incidentd.domain.runbook import Kind
from incidentd.rendering.svg import sparkline
from tests.automation.world import task_of
from tests.fakes.answering import Answering

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
async def there() -> AsyncIterator[Answering]:
    """The server that is asked."""
    async with Answering() as opened:
        yield opened


async def ask(there: Answering, query: str, seconds: float = 5, **more: object) -> Result:
    """Ask one question."""
    servers = {
        "main": Prometheus(url=there.url),
        "other": Prometheus(url=there.url, token=SecretStr("t0ken-of-prometheus")),
    }
    section = Automation(enabled=True, prometheus=servers)
    executor = PromqlExecutor(lambda: section, lambda: NOW)
    task = task_of(Kind.PROMQL, {"job": 'a"b', "env": "x|y"}, query=query, **more)
    return await executor.run(task, timedelta(seconds=seconds), asyncio.Event())


async def test_the_present_value_is_told(there: Answering) -> None:
    told = await ask(there, 'up{job="$job",env=~"$env"}')
    assert (told.state, told.summary) == (RunState.SUCCEEDED, 'up{instance="i0"}: 4')
    assert there.queries[0]["query"] == 'up{job="a\\"b",env=~"x\\\\|y"}'
    assert (there.queries[0]["time"], there.queries[0]["authorization"]) == (f"{NOW.timestamp():.3f}", "")
    await ask(there, "up", source="other")
    assert there.queries[1]["authorization"] == "Bearer t0ken-of-prometheus"
    assert (await ask(there, "up", source="absent")).state is RunState.REFUSED


async def test_a_range_is_told_with_its_course_and_kept_to_be_drawn(there: Answering) -> None:
    told = await ask(there, "up", range="1h")
    assert told.summary == 'up{instance="i0"}: 4 \u2581\u2583\u2588'
    asked = there.queries[0]
    assert (float(asked["end"]) - float(asked["start"]), asked["step"]) == (3600.0, "60.000")
    [series] = told.data["series"]
    assert series == {
        "name": 'up{instance="i0"}',
        "value": "4",
        "points": [[1000, "1"], [1060, "2"], [1120, "4"]],
    }


async def test_of_many_series_some_are_listed_and_fewer_are_kept(there: Answering) -> None:
    there.series, there.values = 40, [float(n) for n in range(500)]
    told = await ask(there, "up", range="1h")
    assert told.summary.startswith("40 series; up{instance")
    assert told.output.splitlines()[-1] == "and 20 more"
    assert [len(each["points"]) for each in told.data["series"]] == [61] * 5


async def test_nothing_nan_and_refusals_are_told_as_such(there: Answering) -> None:
    there.series = 0
    assert (await ask(there, "up")).summary == "no data"
    there.series, there.values = 1, [1.0, float("nan"), float("inf")]
    assert (await ask(there, "up")).summary == 'up{instance="i0"}: inf'
    told = await ask(there, "up", range="5m")
    assert told.summary == 'up{instance="i0"}: 1'
    told = await ask(there, "wrong(")
    assert (told.state, told.summary) == (RunState.FAILED, "HTTP 400 1:7: parse error")


async def test_a_question_that_is_not_answered_ends_in_time(there: Answering) -> None:
    since = time.monotonic()
    told = await ask(there, "slow", seconds=0.5)
    assert (told.state, time.monotonic() - since < 2.5) == (RunState.TIMED_OUT, True)


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([1], ""),
        ([3, 3], "\u2581\u2581"),
        ([0, 1], "\u2581\u2588"),
        (range(100), "\u2581\u2581\u2582\u2583\u2583\u2584\u2585\u2586\u2586\u2587\u2588\u2588"),
    ],
)
def test_a_course_in_a_few_characters(values: list[float], drawn: str) -> None:
    assert bars(list(values)) == drawn


@pytest.mark.parametrize("points", [[], [(1.0, 5.0)], [(1.0, 0.0), (2.0, -3.5), (3.0, 1e300)]])
def test_a_drawing_is_harmless_xml_whatever_the_series_is_called(points: list[tuple[float, float]]) -> None:
    drawn = sparkline('<script>alert(1)</script>"', points)
    root = ET.fromstring(drawn)  # noqa: S314 - our own
    assert "<script" not in drawn
    assert [child.tag.rpartition("}")[2] for child in root] == ["title", "polyline"]
    assert len(root[1].attrib["points"].split()) == len(points)
