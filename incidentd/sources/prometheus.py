"""A Prometheus' query API, or what speaks it: the share of errors that an objective is judged by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson

from incidentd.channels.base import Http, HttpFailure
from incidentd.domain.slo import POINTS, WINDOWS, Objective, Promql, Ratios

_OK = 200
_FORM: Mapping[str, str] = {"Content-Type": "application/x-www-form-urlencoded"}
_SHOWN = 200
"""Characters of an answer that an error may repeat."""


class PrometheusError(Exception):
    """It gave no usable answer. Names no credentials."""


async def measure(
    http: Http, objective: Objective, source: Promql, token: str | None, now: datetime
) -> Ratios:
    """Ask for the share of errors in every window. Raises `PrometheusError`, for a part alone misleads."""
    asking = _Asking(http, source, token, now)
    return Ratios(
        budget=await asking.ratio(objective.window),
        recent={name: await asking.ratio(span) for name, span in WINDOWS.items()},
        course=await asking.course(objective.window),
    )


class _Asking:
    """The questions of one measurement."""

    def __init__(self, http: Http, source: Promql, token: str | None, now: datetime) -> None:
        self._http, self._source, self._token, self._now = http, source, token, now

    async def ratio(self, span: timedelta) -> float:
        """Errors by total. Where nothing happened, nothing went wrong."""
        errors = sum(await self._at_once(self._source.errors, span))
        total = sum(await self._at_once(self._source.total, span))
        return _share(errors, total)

    async def course(self, window: timedelta) -> tuple[tuple[datetime, float], ...]:
        """How much had gone wrong by when, as a share of all there was in the window."""
        step = window / POINTS
        errors = await self._over(self._source.errors, window, step)
        totals = await self._over(self._source.total, window, step)
        everything, wrong = math.fsum(totals.values()), 0.0
        since = self._now - window
        found = [(since, 0.0)]
        for n in range(1, POINTS + 1):
            at = since + step * n
            wrong += errors.get(round(at.timestamp()), 0.0)
            found.append((at, _share(wrong, everything)))
        return tuple(found)

    async def _at_once(self, expression: str, span: timedelta) -> list[float]:
        asked = {"query": _spanned(expression, span), "time": f"{self._now.timestamp():.3f}"}
        found = await self._ask("query", asked)
        kind, result = found.get("resultType"), found.get("result")
        if kind == "scalar" and isinstance(result, list):
            return [_number(result)]
        if kind != "vector" or not isinstance(result, list):
            raise PrometheusError(f"the expression gives a {kind}, no number")
        return [_number(_object(series).get("value")) for series in result]

    async def _over(self, expression: str, window: timedelta, step: timedelta) -> dict[int, float]:
        asked = {
            "query": _spanned(expression, step),
            "start": f"{(self._now - window + step).timestamp():.3f}",
            "end": f"{self._now.timestamp():.3f}",
            "step": f"{step.total_seconds():.3f}",
        }
        found = await self._ask("query_range", asked)
        result = found.get("result")
        if found.get("resultType") != "matrix" or not isinstance(result, list):
            raise PrometheusError("query_range gives no series")
        sums: dict[int, float] = {}
        for series in result:
            for sample in _object(series).get("values") or ():
                at = round(float(sample[0]))
                sums[at] = sums.get(at, 0.0) + _number(sample)
        return sums

    async def _ask(self, what: str, asked: Mapping[str, str]) -> Mapping[str, Any]:
        return await ask(self._http, self._source.url, self._token, what, asked)


async def ask(
    http: Http, base: str, token: str | None, what: str, asked: Mapping[str, str]
) -> Mapping[str, Any]:
    """The `data` of an answer to `query` or `query_range`. Raises `PrometheusError`."""
    headers = {**_FORM, **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        answer = await http.request("POST", f"{base}/api/v1/{what}", headers, urlencode(asked).encode())
    except HttpFailure as failure:
        raise PrometheusError(failure.detail) from None
    try:
        found = _object(orjson.loads(answer.body))
    except orjson.JSONDecodeError:
        found = {}
    if answer.status != _OK or found.get("status") != "success":
        words = str(found.get("error") or "")[:_SHOWN]
        raise PrometheusError(f"HTTP {answer.status} {words}".strip())
    return _object(found.get("data"))


def _spanned(expression: str, span: timedelta) -> str:
    return expression.replace("$window", f"{round(span.total_seconds())}s")


def _share(errors: float, total: float) -> float:
    return min(max(errors / total, 0.0), 1.0) if total > 0 else 0.0


def _number(sample: object) -> float:
    """The value of ``[time, "value"]``; NaN counts as nothing."""
    try:
        value = float(sample[1])  # type: ignore[index]
    except (TypeError, ValueError, IndexError, KeyError):
        raise PrometheusError("its answer holds no number") from None
    return value if math.isfinite(value) else 0.0


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
