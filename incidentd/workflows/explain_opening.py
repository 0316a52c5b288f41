"""The beginning of an incident: why there is one, what belongs to it, how bad it is, and who it was routed to. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from incidentd.domain.explain import Kind, Statement, counted, listed, sentence
from incidentd.store.timeline import StoredEntry
from incidentd.workflows.explain_facts import Data, Facts, decision_of, stamp
from incidentd.workflows.explain_trail import Start

_SIGHTED = {
    "newer": " The time before had ended without a word of its source.",
    "refired_same_start": " It had been reported ended before, with that very start.",
    "earlier_start": " It had been reported ended before, with a later start.",
}
_STARTS: Mapping[Start, Callable[[object, object], str]] = {
    Start.STARTS: lambda policy, _: f"Policy {policy} escalates it, because that route names it.",
    Start.NO_POLICY: lambda _, __: "Nothing escalates it, because that route names no policy.",
    Start.UNKNOWN_POLICY: lambda policy, _: f"Nothing escalates it: policy {policy} is not configured.",
    Start.NO_URGENCY: lambda policy, severity: (
        f"Policy {policy} does not start: severity {severity} is of no urgency (severity.urgency)."
    ),
    Start.NO_STEP: lambda policy, severity: (
        f"Policy {policy} does not start: none of its steps is for severity {severity}."
    ),
}


def opening(facts: Facts) -> Iterator[Statement]:
    """Why the incident was opened, in the order in which that was decided."""
    first = next((entry for entry in facts.entries if entry.kind == "triggered"), None)
    if first is None:
        text = f"How {facts.ref} began is not kept."
        yield Statement(facts.incident.opened_at, Kind.LIMIT, text, "not_kept")
        return
    yield _opened(facts, first)
    yield from grouping(facts, first)
    severity = _first_severity(facts, first)
    yield from severity_read(first.at, decision_of(first), severity)
    yield from routed(first, severity)
    yield from _kept_quiet(first)


def _opened(facts: Facts, first: StoredEntry) -> Statement:
    trail, data = decision_of(first), first.data
    if "fingerprint" not in data:
        why = "declared" if facts.incident.declared_by else "own"
        text = f"{facts.ref} was opened: {first.text}."
        return Statement(first.at, Kind.OPENED, text, why, dict(data))
    sighting = str(trail.get("sighting", "new"))
    name = trail.get("alertname") or first.text.partition(" fires")[0]
    text = (
        f"{facts.ref} was opened because alert {name} of source {facts.incident.source} began to fire "
        f"at {stamp(data['starts_at'])}.{_SIGHTED.get(sighting, '')}"
    )
    return Statement(first.at, Kind.OPENED, text, sighting, dict(data))


def grouping(facts: Facts, first: StoredEntry) -> Iterator[Statement]:
    """Why these alerts are one incident and others are not."""
    told, i = decision_of(first).get("grouping"), facts.incident
    if i.declared_by is not None or "fingerprint" not in first.data:
        return
    if not isinstance(told, Mapping):
        text = f"Alerts of the group {i.group_key} make one incident while it is open."
        yield Statement(first.at, Kind.GROUPING, text, "group_key", {"group_key": i.group_key})
        return
    data = {"group_key": i.group_key, **told}
    if told.get("each"):
        text = "It has no other alerts: each alert is an incident of its own (grouping.by)."
        yield Statement(first.at, Kind.GROUPING, text, "each_alert", data)
        return
    pairs = [
        f'{name}="{value}"' if value else f"no {name}"
        for name, value in zip(told["by"], told["values"], strict=True)
    ]
    text = f"Alerts of source {i.source} with {listed(pairs)} make one incident (grouping.by)."
    yield Statement(first.at, Kind.GROUPING, text, "same_labels", data)


def _first_severity(facts: Facts, first: StoredEntry) -> str:
    """How bad it was when it opened, though it may be worse by now."""
    told = decision_of(first).get("severity")
    if isinstance(told, Mapping):
        return str(told["is"])
    later = next((e.data.get("from") for e in facts.entries if e.kind == "severity_raised"), None)
    return str(later or facts.incident.severity.value)


def severity_read(at: datetime, trail: Data, severity: str) -> Iterator[Statement]:
    """How the severity was read from the alert."""
    told = trail.get("severity")
    if not isinstance(told, Mapping):
        yield Statement(at, Kind.SEVERITY, f"Its severity is {severity}.", "given", {"is": severity})
        return
    label, value, by = told["label"], told["value"], str(told["by"])
    if by == "name":
        text = f'Its severity is {severity}: the label {label} says "{value}".'
    elif by == "map":
        text = f'Its severity is {severity}: the label {label} says "{value}", which severity.map translates.'
    elif value:
        text = f'Its severity is {severity}, the default: the label {label} says "{value}", which is unknown.'
    else:
        text = f"Its severity is {severity}, the default: the alert has no label {label}."
    yield Statement(at, Kind.SEVERITY, text, by, dict(told))


def routed(entry: StoredEntry, severity: str) -> Iterator[Statement]:
    """Which routes were passed over, which one fits, and the policy that came with it."""
    trail, data = decision_of(entry), entry.data
    routing = trail.get("routing", {})
    for each in routing.get("passed", ()):
        yield Statement(entry.at, Kind.ROUTE_PASSED, _passed(each), "matcher", dict(each))
    if more := routing.get("more"):
        text = f"{counted(more, 'more route')} before it did not fit either."
        yield Statement(entry.at, Kind.ROUTE_PASSED, text, "matcher", {"more": more})
    reason = str(routing.get("reason", data.get("reason", "")))
    route = data.get("route", "")
    channels = [str(name) for name in data.get("notify", ())]
    text = _route(reason, str(route), channels)
    yield Statement(entry.at, Kind.ROUTE, text, reason, {"route": route, "notify": channels})
    escalation = trail.get("escalation")
    if isinstance(escalation, Mapping):
        start, policy = Start(escalation["start"]), escalation["policy"]
        yield Statement(entry.at, Kind.POLICY, _STARTS[start](policy, severity), start, dict(escalation))


def _passed(each: Data) -> str:
    value = f'is "{each["value"]}"' if each["value"] else "is missing"
    return f"Route {each['route']} does not fit: it wants {each['matcher']}, and {each['label']} {value}."


def _route(reason: str, route: str, channels: list[str]) -> str:
    noun = "channel" if len(channels) == 1 else "channels"
    tells = f"{noun} {listed(channels)} {'is' if len(channels) == 1 else 'are'} told" if channels else ""
    if reason == "record_only":
        return f"Route {route} tells nobody: it is only recorded."
    if reason == "root_catches_all":
        return f"No route below the root fits, so the root decides: {tells or 'no channel is told'}."
    return f"Route {route} fits: {tells or 'no channel is told'}."


def _kept_quiet(first: StoredEntry) -> Iterator[Statement]:
    window, held = first.data.get("suppressed_by"), first.data.get("held_until")
    if window is not None:
        text = f"Nobody is told of it: maintenance {window} covers all its alerts."
        yield Statement(first.at, Kind.QUIET, text, "maintenance", {"window": window})
    if held is not None:
        text = f"Nobody is told before {stamp(held)}: a late post of a peer looks the same (grouping.reopen_hold)."
        yield Statement(first.at, Kind.QUIET, text, "held", {"until": held})


def raised(entry: StoredEntry) -> Iterator[Statement]:
    """A worse severity, or a new episode: what was decided anew."""
    trail, data = decision_of(entry), entry.data
    kind = Kind.SEVERITY if entry.kind == "severity_raised" else Kind.EVENT
    yield Statement(entry.at, kind, sentence(entry.text), entry.kind, dict(data))
    if not trail or data.get("reason") == "same_start":
        return
    told = trail.get("severity")
    severity = str(told["is"]) if isinstance(told, Mapping) else ""
    if severity:
        yield from severity_read(entry.at, trail, severity)
    yield from routed(entry, severity)
