"""A postmortem as Markdown or one stand-alone page: what is known is filled in, what people know is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from incidentd.rendering import page
from incidentd.rendering.course import Lane, Span, course
from incidentd.rendering.escape import lines, marked
from incidentd.rendering.formats import Format, as_json, markdown_table
from incidentd.rendering.sections import Section, instant, span

Json = Mapping[str, Any]
_LANES: Final = 12
"""Alerts drawn at most; the table has them all."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A part that only people can write."""

    title: str
    ask: str


@dataclass(frozen=True, slots=True)
class Output:
    """What a step printed, or what people said about it."""

    said: str
    text: str


Part = Prompt | Section | Output


def rendered(document: Json, form: Format) -> str:
    """The postmortem, as the API answers it, in another form. Raises KeyError for CSV, which it has not."""
    return {Format.JSON: as_json, Format.MD: _markdown, Format.HTML: _html}[form](document)


def heading(document: Json) -> str:
    """What it is about, in one line of unchecked words."""
    incident = document["incident"]
    return f"Postmortem of {incident['ref']}: {incident['title']}"


def parts(document: Json) -> list[Part]:
    """All of it in order. Tables of which there is nothing to say are left out."""
    found: list[Part] = [
        Prompt("Summary", "What happened, to whom, for how long, and what ended it, in three sentences."),
        _facts(document),
        Prompt("Impact", "Who noticed it, what did they see, how many, and what did it cost?"),
        _budgets(document["budget_debits"]),
        Prompt("Cause", "What made it possible, what set it off, and why did nothing catch it before?"),
        _deployments(document["deployments"]),
        _timeline(document["timeline"]),
        _alerts(document["alerts"]),
        *_runbook(document["runbook"]),
        _deliveries(document["deliveries"]),
        Prompt(
            "What went well, what did not, where were we lucky", "Of noticing, telling, finding, mending."
        ),
        _actions(document),
    ]
    return [part for part in found if not isinstance(part, Section) or part.rows]


def _facts(document: Json) -> Section:
    i, f = document["incident"], document["figures"]
    rows = [
        ("Severity, service", f"{i['severity']}, {i['service'] or 'no service'}"),
        ("Began", instant(i["started_at"])),
        ("Opened", f"{instant(i['opened_at'])}, detected after {span(f['detect_seconds'])}"),
        ("Acknowledged", _acknowledged(i, f)),
        ("Resolved", _resolved(i, f)),
        ("Alerts", str(f["alerts"])),
        ("Came back", {0: "", 1: "once"}.get(f["reopened"], f"{f['reopened']} times")),
        ("Pages", f"{f['pages']}{_people(f['people_paged'])}"),
        ("Route", i["route"]),
        ("Labels", ", ".join(f"{key}={value}" for key, value in sorted(i["labels"].items()))),
        ("Runbook link", document["runbook_url"] or ""),
    ]
    return Section("Figures", ("", ""), tuple([row for row in rows if row[1]]))


def _acknowledged(incident: Json, figures: Json) -> str:
    at, who = incident["first_acknowledged_at"], incident["acknowledged_by"]
    if at is None:
        return "never"
    return f"{instant(at)}{f' by {who}' if who else ''}, after {span(figures['acknowledge_seconds'])}"


def _resolved(incident: Json, figures: Json) -> str:
    at = incident["resolved_at"]
    if at is None:
        return "still open"
    said = f"{instant(at)} by {incident['resolved_by']}, after {span(figures['resolve_seconds'])}"
    return said if figures["counts"] else f"{said}; its end repaired nothing, so it is not in MTTR"


def _people(names: Sequence[str]) -> str:
    return f", to {', '.join(names)}" if names else ""


def _budgets(debits: Sequence[Json]) -> Section:
    rows = [(each["slo"], span(each["seconds"]), f"{each['share']:.1%}") for each in debits]
    return Section("Error budget", ("objective", "time taken", "of the budget"), tuple(rows))


def _deployments(found: Sequence[Json]) -> Section:
    rows = [
        (
            _when(each["offset_seconds"]),
            f"{each['service']} {each['version']} to {each['environment']}",
            each["status"] or "running",
            instant(each["finished_at"] or each["started_at"]),
            "may be to blame" if each["blamed"] else "",
        )
        for each in found
    ]
    return Section("Deployments near it", ("", "deployment", "status", "at", ""), tuple(rows))


def _when(offset: float) -> str:
    return f"{span(abs(offset))} {'before' if offset <= 0 else 'after'}"


def _timeline(entries: Sequence[Json]) -> Section:
    rows = [(instant(each["at"], seconds=True), each["actor"], each["text"]) for each in entries]
    return Section("Timeline", ("at", "who", "what"), tuple(rows))


def _alerts(found: Sequence[Json]) -> Section:
    rows = [
        (
            name(each),
            each["severity"],
            instant(each["starts_at"], seconds=True),
            instant(each["ends_at"], seconds=True) if each["ends_at"] else "fires",
            each["annotations"].get("summary") or each["annotations"].get("description") or "",
        )
        for each in found
    ]
    return Section("Alerts", ("alert", "severity", "from", "to", "said"), tuple(rows))


def name(alert: Json) -> str:
    """An alert in a word, and where."""
    labels = alert["labels"]
    place = labels.get("instance") or labels.get("pod") or labels.get("host")
    return (labels.get("alertname") or "alert") + (f" {place}" if place else "")


def _runbook(book: Json | None) -> list[Part]:
    if book is None:
        return []
    rows = [
        (
            str(step["number"]),
            step["text"],
            step["state"],
            step["actor"] or "",
            instant(step["at"], seconds=True) if step["at"] else "",
        )
        for step in book["steps"]
    ]
    title = f"Runbook: {book['title']} ({book['name']})"
    found: list[Part] = [Section(title, ("step", "what", "state", "who", "at"), tuple(rows))]
    for step in book["steps"]:
        found += [
            Output(
                f"Step {step['number']}, {each['actor']}, {instant(each['at'], seconds=True)}", each["text"]
            )
            for each in step["output"]
        ]
    return found


def _deliveries(found: Sequence[Json]) -> Section:
    rows = [
        (
            instant(each["sent_at"] or each["created_at"], seconds=True),
            each["notice"],
            each["to"],
            each["channel"],
            each["state"],
            each["why"] or "",
        )
        for each in found
    ]
    return Section("Who was told", ("at", "of", "who", "over", "state", "why"), tuple(rows))


def _actions(document: Json) -> Section | Prompt:
    found = document["actions"]
    if not found:
        number = document["incident"]["ref"]
        return Prompt("Action items", f"incidentctl actions add {number} TITLE --owner WHO --due YYYY-MM-DD")
    rows = [
        (
            str(each["id"]),
            each["title"],
            each["owner"] or "nobody yet",
            str(each["due"] or "no day"),
            "overdue" if each["overdue"] else each["state"],
            each["comment"],
        )
        for each in found
    ]
    return Section("Action items", ("", "what", "owner", "due", "state", "said"), tuple(rows))


def _markdown(document: Json) -> str:
    found = [f"# {marked(heading(document))}", "", f"_{marked(_written(document))}_", ""]
    for part in parts(document):
        match part:
            case Prompt():
                found += [f"## {marked(part.title)}", "", f"> To write: {marked(part.ask)}", ""]
            case Section():
                found += [f"## {marked(part.title)}", "", *markdown_table(part.columns, part.rows), ""]
            case Output():
                found += [f"{marked(part.said)}:", "", "```", lines(part.text), "```", ""]
    return "\n".join(found)


def _html(document: Json) -> str:
    found = [page.paragraph(_written(document), "soft")]
    for part in parts(document):
        match part:
            case Prompt():
                found += [page.heading(part.title), page.paragraph(f"To write: {part.ask}", "todo")]
            case Section():
                found += [page.heading(part.title), page.table(part.title, part.columns, part.rows)]
            case Output():
                found += [page.paragraph(part.said, "soft"), page.block(part.text)]
        if isinstance(part, Section) and part.title == "Figures":
            found.append(course("The course of the incident", lanes(document)))
    return page.page(heading(document), found)


def _written(document: Json) -> str:
    said = f"From the records of incidentd, {instant(document['written_at'])}."
    if document["incident"]["drill"]:
        said += " This was a drill."
    return said + (" There is more than fits here: see the API." if document["truncated"] else "")


def lanes(document: Json) -> list[Lane]:
    """What the drawing shows, row by row."""
    end = _moment(document["incident"]["resolved_at"] or document["written_at"])
    states = [Span(_moment(p["from"]), _moment(p["to"]), p["state"], p["state"]) for p in document["phases"]]
    found = [Lane("Incident", tuple(states), ("triggered", "acknowledged"))]
    deployed = [
        Span(
            _moment(each["started_at"]),
            _moment(each["finished_at"] or each["started_at"]),
            "deployment",
            f"{each['version']} to {each['environment']}",
        )
        for each in document["deployments"]
    ]
    if deployed:
        found.append(Lane("Deployments", tuple(deployed)))
    pages = [each for each in document["deliveries"] if each["class"] == "page" and each["sent_at"]]
    if pages:
        at = [(_moment(each["sent_at"]), each["to"]) for each in pages]
        found.append(Lane("Pages", tuple([Span(when, when, "bar", who) for when, who in at])))
    alerts = document["alerts"]
    found += [
        Lane(name(a), (Span(_moment(a["starts_at"]), _moment(a["ends_at"] or end), "alert", a["severity"]),))
        for a in alerts[:_LANES]
    ]
    if len(alerts) > _LANES:
        found.append(Lane(f"and {len(alerts) - _LANES} more alerts", ()))
    return found


def _moment(value: object) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
