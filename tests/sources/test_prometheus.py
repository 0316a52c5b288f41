"""What Prometheus answers becomes the share of errors; anything else is an error that names no credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from incidentd.channels.http import HttpClient
from incidentd.domain.slo import Objective, Promql, Ratios
from incidentd.sources.prometheus import PrometheusError, measure
from tests.fakes.http import Answer, HttpFake, Received

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class PrometheusFake(HttpFake):
    """Counts a request a second, of which `wrong` failed in the last hour and none before."""

    def __init__(self) -> None:
        super().__init__()
        self.queries: list[str] = []
        self.tokens: set[str] = set()
        self.wrong: str = "36"
        self.odd: Answer | None = None

    async def answer(self, received: Received) -> Answer:
        """As `/api/v1/query` and `/api/v1/query_range` do."""
        if self.odd is not None:
            return self.odd
        asked = {key: value[0] for key, value in parse_qs(received.body.decode()).items()}
        self.queries.append(asked["query"])
        self.tokens.add(received.headers.get("authorization", ""))
        span = int(asked["query"].partition("[")[2].partition("s]")[0])
        errors = asked["query"].startswith("errors")
        if received.path.endswith("query_range"):
            end, step = float(asked["end"]), float(asked["step"])
            values = [[end - step * n, str(span) if not errors else "0"] for n in range(60)]
            if errors:
                values[0][1] = self.wrong
            return _found("matrix", [{"metric": {}, "values": values[::-1]}])
        value = self.wrong if errors else str(span)
        return _found("vector", [{"metric": {}, "value": [NOW.timestamp(), value]}])


def _found(kind: str, result: Any) -> Answer:
    return Answer(200, {"status": "success", "data": {"resultType": kind, "result": result}})


@pytest.fixture
async def prometheus() -> AsyncIterator[PrometheusFake]:
    async with PrometheusFake() as fake:
        yield fake


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.aclose(1)


async def measured(http: HttpClient, fake: PrometheusFake) -> Ratios:
    source = Promql(fake.url, "errors[$window]", "total[$window]")
    objective = Objective("shop", "shop", 0.999, timedelta(days=30), promql=source)
    return await measure(http, objective, source, "sesame", NOW)


async def test_the_share_of_errors_is_asked_for_in_every_window(
    http: HttpClient, prometheus: PrometheusFake
) -> None:
    found = await measured(http, prometheus)
    assert found.recent["1h"] == pytest.approx(36 / 3600)
    assert found.recent["3d"] == pytest.approx(36 / 259200)
    assert found.budget == pytest.approx(36 / 2592000)
    assert "errors[300s]" in prometheus.queries
    assert prometheus.tokens == {"Bearer sesame"}
    assert (found.course[0], len(found.course)) == ((NOW - timedelta(days=30), 0.0), 61)
    assert found.course[-1][0] == NOW
    assert found.course[-1][1] == pytest.approx(36 / 2592000)
    assert found.course[-2][1] == 0


@pytest.mark.parametrize("nothing", ["NaN", "0"])
async def test_what_is_no_number_counts_as_nothing(
    http: HttpClient, prometheus: PrometheusFake, nothing: str
) -> None:
    prometheus.wrong = nothing
    assert (await measured(http, prometheus)).budget == 0


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (
            Answer(400, {"status": "error", "error": "bad_data: parse error"}),
            "HTTP 400 bad_data: parse error",
        ),
        (Answer(200, b"<html>"), "HTTP 200"),
        (_found("string", [0, "x"]), "the expression gives a string, no number"),
        (_found("vector", [{"value": "x"}]), "its answer holds no number"),
        (Answer(401, b"no"), "HTTP 401"),
    ],
    ids=str,
)
async def test_any_other_answer_is_an_error(
    http: HttpClient, prometheus: PrometheusFake, odd: Answer, words: str
) -> None:
    prometheus.odd = odd
    with pytest.raises(PrometheusError, match=words) as caught:
        await measured(http, prometheus)
    assert "sesame" not in str(caught.value)
