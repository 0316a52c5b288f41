"""A report as sections of plain cells: what every form of it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Json = Mapping[str, Any]
_SPANS = ("mean", "p50", "p90", "p95")
_STEPS = ("done", "skipped", "failed", "running", "pending")
_GUIDANCE = {"runbook": "runbook", "link": "a link alone", "none": "neither"}


@dataclass(frozen=True, slots=True)
class Section:
    """One table with its heading; `bars` are what a drawing of it shows: name, length, words."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bars: tuple[tuple[str, float, str], ...] = ()


def sections(report: Json) -> list[Section]:
    """The report as the API answers it. Sections of which there is nothing to say are left out."""
    found = [
        _figures(report),
        _grouped(report, "severity"),
        _grouped(report, "service"),
        _grouped(report, "alertname"),
        _responders(report["responders"]),
        _noise("Noisiest alerts", report["noisiest"]),
        _noise("Flappers", report["flappers"]),
        _unacknowledged(report["never_acknowledged"]),
        _breaches(report["mttr_objective"]),
        *runbook_sections(report),
        *dora_sections(report["dora"]),
    ]
    return [section for section in found if section.rows]


def runbook_sections(report: Json) -> list[Section]:
    """Whether runbooks help, which were used and how, which were not, and which alerts have none."""
    made = report.get("runbooks")
    if made is None:
        return []  # a daemon of an earlier version
    used = [each for each in made["items"] if each["last_used_at"] or each["opened"] or each["resolved"]]
    return [
        _guidance(made["by_guidance"]),
        _used(used, made["steps"]),
        _idle([each for each in made["items"] if each not in used]),
        _noise("Alerts without a runbook", report["without_runbook"]),
    ]


def _used(found: Sequence[Json], steps: Json) -> Section:
    columns = ("runbook", "opened", "steps done", *_STEPS[1:])
    rows = [_use(each) for each in found]
    if len(found) > 1:
        opened = sum(each["opened"] for each in found)
        rows.append(("all", str(opened), *[str(steps[state]) for state in _STEPS], "", "", ""))
    bars = tuple([(each["name"], float(each["opened"]), str(each["opened"])) for each in found[:20]])
    return Section("Runbooks used", (*columns, "MTTA p50", "MTTR p50", "last tested"), tuple(rows), bars)


def _guidance(found: Sequence[Json]) -> Section:
    columns = ("what to do", "opened", "resolved", "MTTA p50", "MTTA p90", "MTTR p50", "MTTR p90")
    rows = [
        (
            _GUIDANCE.get(each["guidance"], str(each["guidance"])),
            *[str(each[name]) for name in ("opened", "resolved")],
            *[
                span(each[figure][f"{part}_seconds"])
                for figure in ("mtta", "mttr")
                for part in ("p50", "p90")
            ],
        )
        for each in found
    ]
    some = any(each["opened"] or each["resolved"] or each["mtta"]["count"] for each in found)
    return Section("With and without a runbook", columns, tuple(rows) if some else ())


def _use(each: Json) -> tuple[str, ...]:
    return (
        str(each["name"]) + ("" if each["in_force"] else " (no file any more)"),
        str(each["opened"]),
        *[str(each["steps"][state]) for state in _STEPS],
        span(each["mtta"]["p50_seconds"]),
        span(each["mttr"]["p50_seconds"]),
        _tested(each) if each["in_force"] else "-",
    )


def _idle(found: Sequence[Json]) -> Section:
    rows = tuple([(each["name"], each["owner"] or "-", _tested(each)) for each in found])
    return Section("Runbooks not used", ("runbook", "owner", "last tested"), rows)


def _tested(each: Json) -> str:
    return str(each["tested"] or "never")


def dora_sections(dora: Json) -> list[Section]:
    """The four figures, for all and for each service."""
    columns = ("", "deployments", "per day", "lead time p50", "change failures", "recovery p50", "class")
    lines = [("all", dora), *[(each["service"], each) for each in dora["by_service"]]]
    rows = tuple([_dora_row(name, each) for name, each in lines])
    return [Section("DORA", columns, rows if dora["deployments"] else ())]


def _dora_row(name: str, made: Json) -> tuple[str, ...]:
    often, lead = made["deployment_frequency"], made["lead_time"]
    failures, recovery = made["change_failure_rate"], made["recovery_time"]
    ratio = "-" if failures["ratio"] is None else f"{failures['ratio']:.1%}"
    return (
        name,
        str(made["deployments"]),
        _classed(f"{often['per_day']:.2f}", often),
        _classed(span(lead["p50_seconds"]), lead),
        _classed(ratio, failures),
        _classed(span(recovery["p50_seconds"]), recovery),
        str(made["class"] or "-"),
    )


def _classed(text: str, figure: Json) -> str:
    return f"{text} ({figure['class']})" if figure["class"] else text


def _figures(report: Json) -> Section:
    total = report["total"]
    rows = [("opened", str(total["opened"]), *[""] * 4), ("resolved", str(total["resolved"]), *[""] * 4)]
    for name in ("mttd", "mtta", "mttr"):
        figure = total[name]
        rows.append((name.upper(), str(figure["count"]), *_spans(figure)))
    return Section("All incidents", ("", "count", *_SPANS), tuple(rows))


def _grouped(report: Json, kind: str) -> Section:
    columns = (kind, "opened", "resolved", "MTTD mean", "MTTA mean", "MTTA p90", "MTTR mean", "MTTR p90")
    rows, bars = [], []
    for each in report[f"by_{kind}"]:
        name = each[kind] or f"(no {kind})"
        shown = [
            span(each[figure][f"{part}_seconds"])
            for figure, part in (
                ("mttd", "mean"),
                ("mtta", "mean"),
                ("mtta", "p90"),
                ("mttr", "mean"),
                ("mttr", "p90"),
            )
        ]
        rows.append((name, str(each["opened"]), str(each["resolved"]), *shown))
        bars.append((name, float(each["opened"]), str(each["opened"])))
    bars.sort(key=lambda bar: -bar[1])
    return Section(f"Incidents by {kind}", columns, tuple(rows), tuple(bars[:20]))


def _responders(loads: Sequence[Json]) -> Section:
    rows = [tuple(str(each[key]) for key in ("person", "pages", "night", "weekend")) for each in loads]
    bars = tuple([(each["person"], float(each["pages"]), f"{each['pages']} pages") for each in loads[:20]])
    return Section("Responders", ("person", "pages", "at night", "at week-ends"), tuple(rows), bars)


def _noise(title: str, found: Sequence[Json]) -> Section:
    rows = [
        (
            each["alertname"] or "(no alertname)",
            *[str(each[key]) for key in ("opened", "reopened", "flapping")],
        )
        for each in found
    ]
    return Section(title, ("alert", "opened", "reopened", "flapping now"), tuple(rows))


def _unacknowledged(found: Json) -> Section:
    rows = [(*_incident(each), instant(each["opened_at"])) for each in found["items"]]
    title = f"Ended without an acknowledgement: {found['count']}"
    return Section(title, ("incident", "severity", "service", "title", "opened"), tuple(rows))


def _breaches(found: Json) -> Section:
    rows = [
        (*_incident(each), span(each["seconds"]) + ("" if each["over"] else ", and open"))
        for each in found["items"]
    ]
    title = f"Took longer than {span(found['objective_seconds'])}: {found['breaches']}"
    return Section(title, ("incident", "severity", "service", "title", "took"), tuple(rows))


def _incident(each: Json) -> tuple[str, ...]:
    return each["ref"], each["severity"], each["service"], each["title"]


def _spans(figure: Json) -> tuple[str, ...]:
    return tuple([span(figure[f"{name}_seconds"]) for name in _SPANS])


def span(seconds: object) -> str:
    """A length of time in words: `42 s`, `5 min 20 s`, `2 h 5 min`, `3 d 4 h`; `-` when there is none."""
    if not isinstance(seconds, int | float):
        return "-"
    whole = round(seconds)
    for big, size, small, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {big} {rest} {small}" if rest else f"{whole // size} {big}"
    return f"{whole} s"


def instant(value: object, *, seconds: bool = False) -> str:
    """An instant to the minute, or to the second, in UTC, whether it comes as one or as text."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    form = "%Y-%m-%d %H:%M:%SZ" if seconds else "%Y-%m-%d %H:%MZ"
    return f"{value:{form}}" if isinstance(value, datetime) else ""
