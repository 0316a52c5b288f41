"""What follows from a decision besides the message: its escalation starts or ends, timers are set, and whoever was told
in person hears that it is over. Gathered by the ledger, written in its transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from incidentd.domain.escalation import Ended, Escalation
from incidentd.domain.incident import OURSELVES, Change, Incident, State, evolve
from incidentd.domain.notification import DeliveryClass, Notice
from incidentd.store import escalations, personal
from incidentd.store.engine import Tx
from incidentd.store.outbox import NewDelivery
from incidentd.workflows.paging import Paging


class _Closing(NamedTuple):
    incident: Incident
    notice: Notice
    actor: str
    comment: str
    source_channel: str


@dataclass(slots=True)
class FollowUps:
    """The follow-ups of one transaction; of several decisions about one incident the last counts."""

    paging: Paging
    now: datetime
    starting: dict[int, Escalation] = field(default_factory=dict)
    ending: dict[int, Ended] = field(default_factory=dict)
    closing: list[_Closing] = field(default_factory=list)

    def of(self, change: Change, incident: Incident) -> Incident:
        """Take the decision `change`; `incident` as it goes on, with its timers."""
        incident = self._timed(incident, change)
        if incident.escalation is None and incident.assigned_to is None and incident.drill is None:
            return incident
        notice = change.notice
        if notice is not None and notice.delivery_class is DeliveryClass.PAGE:
            self._page(incident)
        elif (reason := _over(change, incident)) is not None:
            self.starting.pop(incident.id, None)
            self.ending[incident.id] = reason
        if notice is not None and notice.delivery_class is DeliveryClass.CLOSE:
            actor = change.entry.actor if change.entry else ""
            self.closing.append(_Closing(incident, notice, actor, change.comment, change.source_channel))
        return incident

    def _page(self, incident: Incident) -> None:
        if incident.state is not State.TRIGGERED or incident.quiet:
            return
        begun = self.paging.begun(incident, self.now)
        if begun is not None:
            self.ending.pop(incident.id, None)
            self.starting[incident.id] = begun

    def _timed(self, incident: Incident, change: Change) -> Incident:
        """Set the timers of an acknowledgement, and forget those of one that holds no more."""
        if incident.state is not State.ACKNOWLEDGED or incident.snoozed_until is not None:
            if incident.ack_expires_at is None and incident.remind_at is None:
                return incident
            # When a snooze ends people are paged anyway.
            return evolve(incident, ack_expires_at=None, remind_at=None)
        if change.notice is not Notice.ACKNOWLEDGED:
            return incident
        timeout, remind = self.paging.ack_timeout.get(incident.severity), self.paging.remind_after
        return evolve(
            incident,
            ack_expires_at=None if timeout is None else self.now + timeout,
            remind_at=None if remind is None else self.now + remind,
        )

    def save(self, tx: Tx, fresh: Collection[int]) -> None:
        """Write the escalations; incidents `fresh` are new in this transaction."""
        escalations.start(tx, list(self.starting.values()), again=sorted(self.starting.keys() - fresh))
        for reason in set(self.ending.values()):
            ids = sorted([number for number, why in self.ending.items() if why is reason])
            escalations.end(tx, ids, reason, self.now)
            personal.call_off(tx, ids, f"{reason} before it was to leave", self.now)

    def told(self, tx: Tx, queued: Collection[NewDelivery]) -> list[NewDelivery]:
        """Rows that tell the end to those who were told in person, unless `queued` tells it to them already."""
        people = personal.people_told(tx, sorted({each.incident.id for each in self.closing}))
        known = {(row.incident_id, row.channel, row.target, row.notice) for row in queued}
        return [
            NewDelivery(
                each.incident.id,
                told.channel,
                told.target,
                each.notice,
                each.incident.episode,
                each.actor,
                each.comment,
                self.now,
                self.now,
                each.incident.severity,
                meta=each.incident.source == OURSELVES,
                person=told.person,
            )
            for each in self.closing
            for told in people.get(each.incident.id, ())
            if told.episode == each.incident.episode and told.channel != each.source_channel
            if (each.incident.id, told.channel, told.target, each.notice) not in known
        ]


def _over(change: Change, incident: Incident) -> Ended | None:
    """Why an escalation that runs must end, by a decision that pages nobody."""
    if change.notice is Notice.RESOLVED or incident.state is State.RESOLVED:
        return Ended.RESOLVED
    if change.notice is Notice.ACKNOWLEDGED:
        return Ended.ACKNOWLEDGED
    snoozed = change.entry is not None and change.entry.kind == "snoozed"
    return Ended.SNOOZED if snoozed and incident.snoozed_until is not None else None
