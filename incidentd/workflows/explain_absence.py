"""Why one incident did or did not reach one person around an instant: what was sent, and what would have been. Pure."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from incidentd.domain.contact import Person, Wait
from incidentd.domain.escalation import LAST_RESORT, Policy, Target
from incidentd.domain.escalation import Kind as TargetKind
from incidentd.domain.explain import Kind, Statement, listed, sentence, utc
from incidentd.domain.notification import DeliveryClass, DeliveryState, Notice
from incidentd.store.deliveries import Delivery
from incidentd.store.timeline import StoredEntry
from incidentd.workflows import explain_past
from incidentd.workflows.explain_course import upcoming
from incidentd.workflows.explain_duty import Plans
from incidentd.workflows.explain_facts import Facts, where
from incidentd.workflows.explain_told import Told


class Because(enum.IntEnum):
    """What the answer is, the one that says most first."""

    TOLD = enum.auto()
    TOLD_BEFORE = enum.auto()
    TOLD_LATER = enum.auto()
    FAILED = enum.auto()
    WAITS = enum.auto()
    CALLED_OFF = enum.auto()
    CONTACT_URGENCY = enum.auto()
    OFF_DUTY = enum.auto()
    QUIET = enum.auto()
    STEP_NOT_REACHED = enum.auto()
    NOT_NAMED = enum.auto()
    NO_POLICY = enum.auto()


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer for one incident."""

    because: Because
    text: str
    """A whole sentence."""
    incident: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Who, when, and how far around."""

    person: Person
    at: datetime
    since: datetime
    until: datetime
    plans: Plans

    @property
    def user(self) -> str:
        """Their name under `users`."""
        return self.person.name

    def concerns(self, row: Delivery) -> bool:
        """True if a row pages them: by name, or at a place that is theirs."""
        if row.delivery_class is DeliveryClass.CLOSE or row.notice is Notice.UPDATED:
            return False
        places = {(c.channel, target) for c in self.person.contacts for target in c.targets}
        return row.person == self.user or (row.person is None and (row.channel, row.target) in places)

    def means(self, target: Target, at: datetime) -> bool:
        """True if a target would reach them then."""
        if target.kind is TargetKind.USER:
            return target.name == self.user
        duty = self.plans.duty(target.name, at) if target.kind is TargetKind.SCHEDULE else None
        return duty is not None and self.user in duty.people


def about(facts: Facts, asked: Asked, policy: Policy | None) -> tuple[list[Statement], Finding]:
    """What is to be said of one incident that was open in the window; `policy` is the one it escalates by."""
    told = Told.of(facts)
    rows = [row for row in facts.deliveries if asked.concerns(row)]
    said = [_stood(facts, asked), *_steps(facts, asked), *[told.of_row(row) for row in rows]]
    finding = _of_rows(facts, asked, told, rows) or _of_steps(facts, asked, policy)
    return said, finding


def _stood(facts: Facts, asked: Asked) -> Statement:
    i = facts.incident
    past = explain_past.at(facts.entries, asked.at)
    opened = explain_past.open_within(facts.entries, asked.since, asked.until)
    since = opened.since if opened is not None and opened.since is not None else i.opened_at
    how = [f"acknowledged by {past.acknowledged_by}" if past.acknowledged_by else "not acknowledged"]
    how += [past.quiet] if past.quiet else []
    how = how if past.open else ["not at that very time"]
    text = f"{facts.ref} ({i.severity}, {i.title}) was open since {utc(since)}: {listed(how)}."
    data = {"incident": i.id, "severity": i.severity.value, "since": since.isoformat(), "open": past.open}
    return Statement(since, Kind.OPENED, text, "open", {**data, "acknowledged_by": past.acknowledged_by})


# -- what was sent ----------------------------------------------------------------------------------------------
def _of_rows(facts: Facts, asked: Asked, told: Told, rows: Sequence[Delivery]) -> Finding | None:
    found = [_of_row(facts, asked, told, row) for row in rows]
    return min(found, key=lambda finding: finding.because) if found else None


def _of_row(facts: Facts, asked: Asked, told: Told, row: Delivery) -> Finding:
    user, over, ref = asked.user, where(row.channel, row.target), facts.ref
    waits = told.wait_of(row)
    why = " after their quiet hours" if waits is Wait.QUIET_HOURS else ""
    if row.state is DeliveryState.SENT and row.sent_at is not None:
        if row.sent_at < asked.since:
            text = f"{user} had been told of {ref} before: at {utc(row.sent_at)} over {over}."
            return Finding(Because.TOLD_BEFORE, text, row.incident_id)
        later = row.sent_at > asked.until
        text = f"{user} was told of {ref}{' only' if later else ''} at {utc(row.sent_at)} over {over}{why}."
        return Finding(Because.TOLD_LATER if later else Because.TOLD, text, row.incident_id)
    if row.state is DeliveryState.DEAD or (row.attempts and row.state is DeliveryState.PENDING):
        text = f"{user} was to be told of {ref} over {over}, and that failed: {row.reason or row.last_error}."
        return Finding(Because.FAILED, text, row.incident_id)
    if row.state in {DeliveryState.PENDING, DeliveryState.LEASED}:
        text = f"{user} is to be told of {ref} over {over} at {utc(row.not_before)}{why}."
        return Finding(Because.WAITS, text, row.incident_id)
    text = f"{user} was not told of {ref} over {over} at {utc(row.not_before)}{why}: {row.reason}."
    return Finding(Because.CALLED_OFF, text, row.incident_id)


# -- what would have been ---------------------------------------------------------------------------------------
def _steps(facts: Facts, asked: Asked) -> Iterator[Statement]:
    """The steps of the window, run or not, and whether they mean this person."""
    for entry in _ran(facts):
        if not asked.since <= entry.at <= asked.until:
            continue
        reached = [str(each["person"]) for each in entry.data["reached"]]
        meant = asked.user in reached
        text = f"{_step_name(entry)} of policy {entry.data['policy']} asked {_asked_for(entry)}."
        yield Statement(entry.at, Kind.STEP, text, "meant" if meant else "not_meant", dict(entry.data))
    escalation = facts.escalation
    if escalation is None or escalation.episode != facts.incident.episode:
        return
    for label, at, targets in upcoming(escalation):
        if any(asked.means(target, at) for target in targets):
            end = (
                ""
                if escalation.ended_at is None
                else f", but it had ended by then: {escalation.ended_reason}"
            )
            name = f"{sentence(label)[:-1]} of policy {escalation.policy.name}"
            text = f"{name} would tell {asked.user} at {utc(at)}{end}."
            data = {"policy": escalation.policy.name, "step": label, "at": at.isoformat()}
            yield Statement(at, Kind.STEP, text, "would_be_meant", data)


def _step_name(entry: StoredEntry) -> str:
    step = str(entry.data["step"])
    return "The last resort" if step == LAST_RESORT else f"Step {step}"


def _asked_for(entry: StoredEntry) -> str:
    """The targets of a step, and whom its schedules meant."""
    parts = []
    for target in map(str, entry.data["targets"]):
        kind, _colon, name = target.partition(":")
        meant = [str(each["person"]) for each in entry.data["reached"] if each["schedule"] == name]
        found = f" ({listed(meant) or 'nobody'} was on duty)" if kind == TargetKind.SCHEDULE else ""
        parts.append(f"{kind} {name}{found}")
    return listed(parts)


def _ran(facts: Facts) -> list[StoredEntry]:
    kinds = {"escalated", "escalation_failed"}
    return [entry for entry in facts.entries if entry.kind in kinds and "reached" in entry.data]


Rule = Callable[[Facts, Asked, "Policy | None"], "str | None"]


def _contact_urgency(facts: Facts, asked: Asked, _: Policy | None) -> str | None:
    for entry in _ran(facts):
        for each in entry.data["reached"]:
            if each["person"] == asked.user and not each["calls"]:
                return (
                    f"{asked.user} was meant by a step of {facts.ref} at {utc(entry.at)}, "
                    f"but no contact rule of theirs is for {each['urgency']} urgency."
                )
    return None


def _off_duty(facts: Facts, asked: Asked, _: Policy | None) -> str | None:
    mine = set(asked.plans.of(asked.user))
    for entry in reversed([entry for entry in _ran(facts) if entry.at <= asked.until]):
        for target in map(str, entry.data["targets"]):
            kind, _colon, name = target.partition(":")
            if kind == TargetKind.SCHEDULE and name in mine:
                found = [str(e["person"]) for e in entry.data["reached"] if e["schedule"] == name]
                return (
                    f"{asked.user} was not told of {facts.ref}: its policy asked schedule {name} at "
                    f"{utc(entry.at)}, and {listed(found) or 'nobody'} was on duty."
                )
    return None


def _quiet(facts: Facts, asked: Asked, _: Policy | None) -> str | None:
    past = explain_past.at(facts.entries, asked.at)
    if past.quiet is None:
        return None
    return f"{asked.user} was not told of {facts.ref}: nobody was, because it was quiet ({past.quiet})."


def _not_reached(facts: Facts, asked: Asked, _: Policy | None) -> str | None:
    escalation = facts.escalation
    if escalation is None or escalation.episode != facts.incident.episode:
        return None
    for label, at, targets in upcoming(escalation):
        if any(asked.means(target, at) for target in targets):
            if escalation.ended_at is None:
                why = "it was not its turn yet"
            else:
                why = f"{facts.ref} was {escalation.ended_reason} at {utc(escalation.ended_at)}"
            return (
                f"{asked.user} was not told of {facts.ref}: {label} of policy {escalation.policy.name} would have "
                f"told them at {utc(at)}, and {why}."
            )
    return None


def _not_named(facts: Facts, asked: Asked, policy: Policy | None) -> str | None:
    if policy is None:
        return None
    return (
        f"{asked.user} was not told of {facts.ref}: its policy {policy.name} names neither them nor a schedule "
        "in which they were on duty."
    )


def _no_policy(facts: Facts, asked: Asked, _: Policy | None) -> str:
    channels = listed(facts.incident.notify) or "nobody"
    return (
        f"{asked.user} was not told of {facts.ref}: nothing escalates it, its route "
        f"({facts.incident.route}) tells {channels}."
    )


_RULES: Sequence[tuple[Because, Rule]] = (
    (Because.CONTACT_URGENCY, _contact_urgency),
    (Because.OFF_DUTY, _off_duty),
    (Because.QUIET, _quiet),
    (Because.STEP_NOT_REACHED, _not_reached),
    (Because.NOT_NAMED, _not_named),
)


def _of_steps(facts: Facts, asked: Asked, policy: Policy | None) -> Finding:
    for because, rule in _RULES:
        text = rule(facts, asked, policy)
        if text is not None:
            return Finding(because, text, facts.incident.id)
    return Finding(Because.NO_POLICY, _no_policy(facts, asked, policy), facts.incident.id)
