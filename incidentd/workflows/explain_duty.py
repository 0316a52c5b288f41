"""Whether somebody was on duty at an instant and what said so, and how they are reached. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from incidentd.domain.contact import Contact, Person, Urgency
from incidentd.domain.duration import format_duration
from incidentd.domain.explain import Kind, Statement, listed, utc
from incidentd.domain.schedule import Duty, Override, Schedule, Why, on_duty
from incidentd.store.overrides import StoredOverride
from incidentd.workflows.explain_facts import where


@dataclass(frozen=True, slots=True)
class Plans:
    """The schedules as configured now, with the overrides that people made."""

    schedules: Mapping[str, Schedule]
    overrides: Sequence[Override]
    history: Mapping[int, StoredOverride]
    """Override -> who made it and why."""

    def duty(self, name: str, at: datetime) -> Duty | None:
        """Who is on duty in a schedule; None for one that is not configured."""
        schedule = self.schedules.get(name)
        return None if schedule is None else on_duty(schedule, self.overrides, at)

    def of(self, user: str) -> list[str]:
        """The schedules that somebody takes turns in or was put into."""
        put = {each.schedule for each in self.overrides if each.user == user}
        return [
            name
            for name, schedule in self.schedules.items()
            if name in put or any(user in turn for layer in schedule.layers for turn in layer.users)
        ]


def duties(plans: Plans, user: str, at: datetime) -> Iterator[Statement]:
    """For each schedule of theirs whether they were on duty, and why."""
    names = plans.of(user)
    if not names:
        yield Statement(at, Kind.DUTY, f"{user} is in no schedule.", "no_schedule", {"user": user})
    for name in names:
        duty = plans.duty(name, at)
        if duty is not None:
            yield _duty(plans, name, user, duty, at)


def _duty(plans: Plans, name: str, user: str, duty: Duty, at: datetime) -> Statement:
    data = {
        "schedule": name,
        "on_duty": user in duty.people,
        "people": list(duty.people),
        "why": duty.why.value,
        "by": duty.by,
        "until": duty.until.isoformat() if duty.until else None,
    }
    if user in duty.people:
        text = f"{user} was on duty in schedule {name} by {_source(plans, duty)}{_until(duty)}."
        return Statement(at, Kind.DUTY, text, "on_duty", data)
    because, reason = _why_not(plans, name, user, duty, at)
    return Statement(at, Kind.DUTY, f"{user} was not on duty in schedule {name}: {reason}.", because, data)


def _why_not(plans: Plans, name: str, user: str, duty: Duty, at: datetime) -> tuple[str, str]:
    schedule = plans.schedules[name]
    instead = f"{listed(duty.people)} was, by {_source(plans, duty)}{_until(duty)}"
    if not duty.people:
        instead = "nobody was"
    if duty.why is Why.OVERRIDE and user in on_duty(schedule, (), at).people:
        return "override", instead
    if user in on_duty(replace(schedule, absences=()), plans.overrides, at).people:
        return "leave", f"{user} was on leave, and {instead}"
    return duty.why.value, instead


def _source(plans: Plans, duty: Duty) -> str:
    if duty.why is not Why.OVERRIDE:
        return f"layer {duty.by}"
    made = plans.history.get(int(duty.by))
    if made is None:
        return f"override {duty.by}"
    note = f': "{made.note}"' if made.note else ""
    return f"override {duty.by} (made by {made.created_by} at {utc(made.created_at)}{note})"


def _until(duty: Duty) -> str:
    return f", until {utc(duty.until)}" if duty.until is not None else ""


def contacts(person: Person, at: datetime) -> Iterator[Statement]:
    """How they are reached, and whether they slept."""
    ways = [_way(contact) for contact in person.contacts]
    text = f"{person.name} is reached over {listed(ways)}." if ways else f"{person.name} cannot be reached."
    data = {"user": person.name, "channels": [contact.channel for contact in person.contacts]}
    yield Statement(None, Kind.CONTACT, text, "contact_rules" if ways else "no_contact", data)
    if person.quiet is None:
        return
    if person.quiet.hold(at):
        until = person.quiet.over(at)
        text = f"It was within the quiet hours of {person.name}, until {utc(until)}: what is of low urgency waits."
        yield Statement(at, Kind.CONTACT, text, "quiet_hours", {"until": until.isoformat()})
    else:
        text = f"It was not within the quiet hours of {person.name}."
        yield Statement(at, Kind.CONTACT, text, "awake", {})


def _way(contact: Contact) -> str:
    text = listed([where(contact.channel, target) for target in contact.targets])
    if contact.urgencies != {Urgency.HIGH, Urgency.LOW}:
        text += f" for {listed(sorted(contact.urgencies))} urgency"
    return text + (f" after {format_duration(contact.after)}" if contact.after else "")
