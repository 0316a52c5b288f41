"""From a step's targets to outbox rows: who is on duty, how they are reached, and how the timeline says it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from incidentd.domain.contact import Call, Person, Urgency, calls
from incidentd.domain.escalation import Kind, Target
from incidentd.domain.incident import OURSELVES, Incident
from incidentd.domain.notification import Notice
from incidentd.domain.schedule import Duty, Override, on_duty
from incidentd.store.outbox import NewDelivery
from incidentd.workflows.rules import Rules


@dataclass(slots=True)
class Reached:
    """What telling some targets comes to."""

    rows: list[NewDelivery] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    """Told as such: what happens later is told there too."""
    whom: list[str] = field(default_factory=list)
    """As people read it: ``alice (schedule primary)``."""
    failed: list[str] = field(default_factory=list)
    """Why a target is nobody: ``nobody is on duty in schedule primary``."""
    trail: list[dict[str, object]] = field(default_factory=list)
    """Each person who was meant: by which target, how they are told and when, and what they are not told over."""

    @property
    def nobody(self) -> bool:
        """Not one of the targets could be reached, so there is nothing to wait for."""
        return not self.whom


@dataclass(frozen=True, slots=True)
class OnCall:
    """Why somebody is meant by a schedule."""

    schedule: str
    duty: Duty


@dataclass(slots=True)
class Reach:
    """Finds out whom targets mean at one instant; a schedule is asked once."""

    rules: Rules
    overrides: Sequence[Override]
    now: datetime
    calm: bool = False
    """Nothing of it is urgent, whatever the severity."""
    duty: dict[str, Duty] = field(default_factory=dict)

    def targets(self, incident: Incident, targets: Iterable[Target], actor: str, comment: str) -> Reached:
        """Page all of `targets` about `incident`."""
        reached = Reached()
        for target in targets:
            if target.kind is Kind.CHANNEL:
                self._channel(reached, incident, target.name, actor, comment)
            elif target.kind is Kind.USER:
                self.person(reached, incident, target.name, actor, comment)
            else:
                self._schedule(reached, incident, target.name, actor, comment)
        return reached

    def person(
        self,
        reached: Reached,
        incident: Incident,
        name: str,
        actor: str,
        comment: str,
        *,
        because: OnCall | None = None,
        notice: Notice = Notice.ESCALATED,
    ) -> None:
        """Tell one person, as urgently as the severity asks."""
        paging = self.rules.paging
        person = paging.people.get(name)
        if person is None or not person.contacts:
            why = "is not configured" if person is None else "has no way to be reached"
            reached.failed.append(f"{name} {why}")
            return
        urgency = paging.urgency[incident.severity]
        if self.calm or urgency is Urgency.NONE:
            urgency = Urgency.LOW  # no policy starts for what has none: somebody asks for this person
        made = calls(person, urgency, self.now)
        # Somebody who wants to hear nothing of this urgency is no gap: the next one is not told earlier for it.
        silent = "" if made else f", who is told nothing of {urgency} urgency"
        reached.whom.append(f"{name}{f' (schedule {because.schedule})' if because else ''}{silent}")
        reached.trail.append(_trail(person, because, urgency, made))
        for call in made:
            row = self._row(incident, call.channel, call.target, notice, actor, comment, call.at)
            self._add(reached, row, name)

    def _schedule(self, reached: Reached, incident: Incident, name: str, actor: str, comment: str) -> None:
        schedule = self.rules.paging.schedules.get(name)
        if schedule is None:
            reached.failed.append(f"schedule {name} is not configured")
            return
        if name not in self.duty:
            self.duty[name] = on_duty(schedule, self.overrides, self.now)
        duty = self.duty[name]
        if not duty.people:
            reached.failed.append(f"nobody is on duty in schedule {name}")
        for person in duty.people:
            self.person(reached, incident, person, actor, comment, because=OnCall(name, duty))

    def _channel(self, reached: Reached, incident: Incident, name: str, actor: str, comment: str) -> None:
        targets = self.rules.targets.get(name)
        if targets is None:
            reached.failed.append(f"channel {name} is not configured")
            return
        reached.whom.append(f"channel {name}")
        reached.channels.append(name)
        for target in targets:
            row = self._row(incident, name, target, Notice.ESCALATED, actor, comment, self.now)
            self._add(reached, row, None)

    def _row(
        self,
        incident: Incident,
        channel: str,
        target: str,
        notice: Notice,
        actor: str,
        comment: str,
        at: datetime,
    ) -> NewDelivery:
        meta = incident.source == OURSELVES
        # Its age counts from when it may leave: one that waits by its rule is not late.
        told = (incident.id, channel, target, notice, incident.episode, actor, comment, at, at)
        return NewDelivery(*told, incident.severity, meta=meta)

    @staticmethod
    def _add(reached: Reached, row: NewDelivery, person: str | None) -> None:
        place = (row.channel, row.target)
        if all((known.channel, known.target) != place for known in reached.rows):
            reached.rows.append(replace(row, person=person))


def _trail(
    person: Person, because: OnCall | None, urgency: Urgency, made: Sequence[Call]
) -> dict[str, object]:
    told = {call.channel for call in made}
    skipped = [contact.channel for contact in person.contacts if contact.channel not in told]
    return {
        "person": person.name,
        "schedule": because.schedule if because else None,
        "duty": {"why": because.duty.why.value, "by": because.duty.by} if because else None,
        "urgency": urgency.value,
        "calls": [
            {"channel": c.channel, "target": c.target, "at": c.at.isoformat(), "waits": c.waits.value}
            for c in made
        ],
        "skipped": list(dict.fromkeys(skipped)),
    }
