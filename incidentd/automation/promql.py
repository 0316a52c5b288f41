"""`promql` steps: a question to a Prometheus; the values are kept, and of a range enough to draw it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from incidentd.automation.base import Result, Task, one_line, readable, refused
from incidentd.automation.doors import StoppedError, client, unless
from incidentd.config.automation import Automation, Prometheus
from incidentd.domain.automation import RunState
from incidentd.domain.duration import parse_duration
from incidentd.domain.runbook_query import fill_query
from incidentd.sources.prometheus import PrometheusError, ask

SERIES = 20
"""That are listed."""
DRAWN = 5
"""That are kept to be drawn."""
POINTS = 60
"""Of a drawing."""
_BODY = 4 * 1024 * 1024
_NAME = 160
_BARS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_WIDE = 12

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Series:
    name: str
    value: float | None
    points: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class PromqlExecutor:
    """Asks the servers of the configuration in force."""

    config: Callable[[], Automation]
    now: Callable[[], datetime]

    async def run(self, task: Task, timeout: timedelta, stop: asyncio.Event) -> Result:  # noqa: ASYNC109 - see Executor
        """Ask once."""
        server = self._server(task)
        if server is None:
            return refused("automation.prometheus has no such server")
        query = fill_query(str(task.action.attributes["query"]), task.labels)
        try:
            async with client(timeout, _BODY) as http:
                asking = _asked(http, server, query, _span(task), self.now())
                found = await unless(stop, asking)
        except StoppedError:
            return Result(RunState.STOPPED, "stopped")
        except PrometheusError as error:
            late = "in time" in str(error)
            state = RunState.TIMED_OUT if late else RunState.FAILED
            return Result(state, one_line(str(error)), data={"query": query})
        return _result(query, found)

    def plan(self, task: Task) -> Result:
        """Say what would be asked."""
        if self._server(task) is None:
            return refused("automation.prometheus has no such server")
        query = fill_query(str(task.action.attributes["query"]), task.labels)
        return Result(RunState.SUCCEEDED, one_line(f"would ask {query}"), data={"query": query})

    def _server(self, task: Task) -> Prometheus | None:
        servers = self.config().prometheus
        named = task.action.attributes.get("source") or next(iter(servers), None)
        return servers.get(str(named))


def _span(task: Task) -> timedelta | None:
    written = task.action.attributes.get("range")
    return parse_duration(str(written)) if written else None


async def _asked(
    http: Any,  # noqa: ANN401 - an `Http`
    server: Prometheus,
    query: str,
    span: timedelta | None,
    now: datetime,
) -> list[_Series]:
    token = server.token.get_secret_value() if server.token else None
    at = f"{now.timestamp():.3f}"
    if span is None:
        return _present(await ask(http, server.url, token, "query", {"query": query, "time": at}))
    step = max(span.total_seconds() / POINTS, 1.0)
    form = {"query": query, "start": f"{(now - span).timestamp():.3f}", "end": at, "step": f"{step:.3f}"}
    data = await ask(http, server.url, token, "query_range", form)
    return [_drawn(each) for each in _listed(data)]


def _present(data: Mapping[str, Any]) -> list[_Series]:
    kind, result = data.get("resultType"), data.get("result")
    if kind in {"scalar", "string"}:
        return [_Series("", _number(result))]
    if kind == "matrix":
        return [_drawn(each) for each in _listed(data)]
    return [_Series(_name(each), _number(each.get("value"))) for each in _listed(data)]


def _listed(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    result = data.get("result")
    return [each for each in result if isinstance(each, dict)] if isinstance(result, list) else []


def _drawn(series: Mapping[str, Any]) -> _Series:
    points: list[tuple[float, float]] = []
    for sample in series.get("values") or ():
        value = _number(sample)
        if value is not None and math.isfinite(value):
            points.append((float(sample[0]), value))
    return _Series(_name(series), points[-1][1] if points else None, tuple(points[-POINTS - 1 :]))


def _name(series: Mapping[str, Any]) -> str:
    labels = series.get("metric")
    if not isinstance(labels, dict):
        return ""
    own = str(labels.get("__name__", ""))
    rest = ",".join([f'{name}="{value}"' for name, value in sorted(labels.items()) if name != "__name__"])
    return one_line(own + (f"{{{rest}}}" if rest else ""))[:_NAME]


def _number(sample: object) -> float | None:
    """The value of ``[time, "value"]``."""
    try:
        return float(sample[1])  # type: ignore[index]
    except (TypeError, ValueError, IndexError, KeyError):
        return None


def _result(query: str, found: Sequence[_Series]) -> Result:
    lines = [_line(each) for each in found[:SERIES]]
    if len(found) > SERIES:
        lines.append(f"and {len(found) - SERIES} more")
    text = readable("\n".join(lines).encode(errors="replace"))
    summary = (
        _line(found[0]) if len(found) == 1 else f"{len(found)} series; {lines[0]}" if found else "no data"
    )
    kept = [
        {
            "name": each.name,
            "value": None if each.value is None else f"{each.value:.6g}",
            "points": [[round(at), f"{value:.6g}"] for at, value in each.points],
        }
        for each in found[:DRAWN]
    ]
    return Result(RunState.SUCCEEDED, one_line(summary), text, {"query": query, "series": kept})


def _line(series: _Series) -> str:
    value = "no value" if series.value is None else f"{series.value:.6g}"
    drawn = bars([value for _, value in series.points])
    return " ".join([part for part in (f"{series.name}:" if series.name else "", value, drawn) if part])


def bars(values: Sequence[float]) -> str:
    """A course in a few characters; empty without one."""
    if len(values) < 2:  # noqa: PLR2004 - one value is no course
        return ""
    step = max(len(values) / _WIDE, 1.0)
    chosen = [values[min(int((n + 1) * step) - 1, len(values) - 1)] for n in range(min(_WIDE, len(values)))]
    low, high = min(chosen), max(chosen)
    room = (high - low) or 1.0
    return "".join([_BARS[min(int((value - low) / room * len(_BARS)), len(_BARS) - 1)] for value in chosen])
