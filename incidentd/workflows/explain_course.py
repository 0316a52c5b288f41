"""What happened to an incident after it opened, which steps were left, and how it stands or ended. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from incidentd.domain.escalation import Ended, Escalation, Target
from incidentd.domain.explain import Kind, Statement, counted, listed, sentence, utc
from incidentd.domain.incident import SOURCE, State
from incidentd.store.timeline import StoredEntry
from incidentd.workflows.explain_facts import Data, Facts
from incidentd.workflows.explain_opening import raised

_KINDS: Mapping[str, Kind] = {
    "alerts_joined": Kind.ALERTS,
    "alerts_ended": Kind.ALERTS,
    "truncated": Kind.ALERTS,
    "complete": Kind.ALERTS,
    "suppression_ended": Kind.QUIET,
    "snoozed": Kind.QUIET,
    "snooze_ended": Kind.QUIET,
    "hold_ended": Kind.QUIET,
    "refired": Kind.QUIET,
    "flapping_ended": Kind.QUIET,
    "escalated": Kind.STEP,
    "escalation_passed": Kind.STEP,
    "escalation_failed": Kind.STEP,
    "escalation_exhausted": Kind.STEP,
    "escalation_stuck": Kind.STEP,
    "page_fell_back": Kind.NOT_TOLD,
    "page_missed": Kind.NOT_TOLD,
    "page_suppressed": Kind.NOT_TOLD,
}
_ANEW = frozenset({"severity_raised", "reopened"})
_ENDED_BY = {
    Ended.ACKNOWLEDGED: "it was acknowledged before",
    Ended.RESOLVED: "it was over before",
    Ended.SNOOZED: "it was snoozed before",
    Ended.STUCK: "it stood still",
}


def course(facts: Facts) -> Iterator[Statement]:
    """What followed the opening, entry by entry; what the messages themselves say is left to them."""
    rows = {row.id for row in facts.deliveries}
    last = _last_end(facts)
    opened = False
    for entry in facts.entries:
        if entry.kind == "triggered" and not opened:
            opened = True
        elif entry.kind in {"page_missed", "page_suppressed"} and entry.data.get("delivery") in rows:
            continue
        elif entry.kind in _ANEW:
            yield from raised(entry)
        elif entry is not last:
            yield _event(entry)


def _last_end(facts: Facts) -> StoredEntry | None:
    if facts.incident.open:
        return None
    return next((entry for entry in reversed(facts.entries) if entry.kind == "resolved"), None)


def _event(entry: StoredEntry) -> Statement:
    kind = _KINDS.get(entry.kind, Kind.EVENT)
    text = sentence(f"{entry.actor} noted: {entry.text}" if entry.kind == "note" else entry.text)
    if kind is Kind.STEP and (duty := listed(_duties(entry.data))):
        text = sentence(f"{text[:-1]}: {duty}")
    return Statement(entry.at, kind, text, entry.kind, dict(entry.data))


def _duties(data: Data) -> Iterator[str]:
    """Why those whom a step found in a schedule were on duty there."""
    for each in data.get("reached", ()):
        if duty := each["duty"]:
            yield f"{each['person']} is on duty by {duty['why']} {duty['by']}"


def steps_left(facts: Facts) -> Iterator[Statement]:
    """The steps of the present escalation that have not run, and why or when."""
    escalation = facts.escalation
    if escalation is None or escalation.episode != facts.incident.episode:
        return
    if escalation.ended_reason is Ended.NOBODY_LEFT:
        return
    for label, at, targets in upcoming(escalation):
        told = listed(map(str, targets))
        data = {"policy": escalation.policy.name, "step": label, "targets": [str(t) for t in targets]}
        name = f"{label} of policy {escalation.policy.name}"
        if escalation.ended_at is None:
            text = f"{sentence(name)[:-1]} tells {told} at {utc(at)}, unless somebody acts before."
            yield Statement(at, Kind.WAITING, text, "step_due", data)
        else:
            why = _ENDED_BY.get(escalation.ended_reason or Ended.STUCK, "it ended before")
            text = f"{sentence(name)[:-1]} was to tell {told} at {utc(at)} and did not run: {why}."
            yield Statement(
                escalation.ended_at, Kind.NOT_TOLD, text, f"ended_{escalation.ended_reason}", data
            )


def upcoming(escalation: Escalation) -> Iterator[tuple[str, datetime, tuple[Target, ...]]]:
    """The steps of this round and the last resort that have not run, each with when it is or was to run."""
    policy, at = escalation.policy, escalation.due_at
    for number in range(escalation.step, len(policy.steps)):
        if number > escalation.step:
            at += policy.steps[number].after
        yield f"step {number + 1}", at, policy.steps[number].notify
    if policy.last_resort and escalation.step <= len(policy.steps) and escalation.round == policy.repeat:
        at += policy.rest if escalation.step < len(policy.steps) else timedelta()
        yield "the last resort", at, policy.last_resort


def standing(facts: Facts) -> Statement:
    """How it ended, or how it stands now."""
    i = facts.incident
    if i.state is State.RESOLVED:
        return _ended(facts)
    data = {"state": i.state.value, "firing": i.alerts_firing, "alerts": i.alerts_total}
    firing = f"{i.alerts_firing} of {counted(i.alerts_total, 'alert')} {'fires' if i.alerts_firing == 1 else 'fire'}"
    parts = ["acknowledged by " + str(i.acknowledged_by) if i.acknowledged_by else "not acknowledged"]
    parts += [] if i.declared_by else [firing]
    parts += [f"snoozed until {utc(i.snoozed_until)}"] if i.snoozed_until else []
    parts += [f"held until {utc(i.held_until)}"] if i.held_until else []
    parts += [f"kept quiet by maintenance {i.suppressed_by}"] if i.suppressed_by else []
    parts += [f"its end is not believed yet ({i.resolve_withheld_for})"] if i.resolve_withheld_for else []
    text = f"{facts.ref} is open: {', '.join(parts)}."
    return Statement(facts.now, Kind.STANDING, text, i.state.value, data)


def _ended(facts: Facts) -> Statement:
    i, entry = facts.incident, _last_end(facts)
    why = entry.text.removeprefix("resolved").lstrip(": ") if entry is not None else f"by {i.resolved_by}"
    at = i.resolved_at or facts.now
    ended = ""
    if i.ended_at is not None and i.ended_at != i.resolved_at:
        ended = f" The last of its alerts ended at {utc(i.ended_at)}."
    text = f"{facts.ref} was resolved at {utc(at)}: {why}.{ended}"
    because = (
        "source" if i.resolved_by == SOURCE else "reconcile" if i.resolved_by == "reconcile" else "person"
    )
    data = {"resolved_by": i.resolved_by, "ended_at": i.ended_at.isoformat() if i.ended_at else None}
    return Statement(at, Kind.STANDING, text, because, data)
