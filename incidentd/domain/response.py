"""Decisions about one incident: what people do to it, and what its alerts make of it.

Every function takes the incident as it is and returns a `Change`: its next value, the timeline entry and what
people are told. Repeating an act that is already done returns the incident unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from incidentd.domain.duration import format_duration
from incidentd.domain.incident import (
    ALREADY,
    OURSELVES,
    RECONCILE,
    SOURCE,
    ActionRefusedError,
    Change,
    Entry,
    Event,
    Incident,
    Refusal,
    step,
)
from incidentd.domain.notification import Notice
from incidentd.domain.severity import Severity

SNOOZE_LIMIT = timedelta(days=30)
"""The longest snooze: a longer one is a forgotten incident."""


def acknowledge(incident: Incident, actor: str, comment: str, now: datetime) -> Change:
    """A person takes ownership: paging stops, the incident stays open."""
    if incident.state is ALREADY[Event.ACKNOWLEDGE]:
        return Change(incident)
    at = incident.moment(now)
    after = replace(
        incident,
        state=step(incident, Event.ACKNOWLEDGE),
        acknowledged_at=at,
        acknowledged_by=actor,
        first_acknowledged_at=incident.first_acknowledged_at or at,
        held_until=None,
    )
    entry = Entry("acknowledged", actor, _said(f"acknowledged by {actor}", comment), {"comment": comment})
    return Change(after, entry, Notice.ACKNOWLEDGED, comment)


def unacknowledge(incident: Incident, actor: str, comment: str) -> Change:
    """Ownership is given back: people are told again."""
    if incident.state is ALREADY[Event.UNACKNOWLEDGE]:
        return Change(incident)
    after = replace(
        incident,
        state=step(incident, Event.UNACKNOWLEDGE),
        acknowledged_at=None,
        acknowledged_by=None,
        snoozed_until=None,
    )
    entry = Entry("unacknowledged", actor, _said(f"given back by {actor}", comment), {"comment": comment})
    return Change(after, entry, Notice.UNACKNOWLEDGED, comment)


def acknowledgement_expired(incident: Incident) -> Change:
    """An acknowledgement holds no more: people are paged again, as if it had been given back."""
    change = unacknowledge(incident, OURSELVES, "")
    text = f"acknowledged by {incident.acknowledged_by}, but still open: the acknowledgement has run out"
    data = {"acknowledged_by": incident.acknowledged_by}
    return replace(change, entry=Entry("acknowledgement_expired", OURSELVES, text, data), comment=text)


def reminded(incident: Incident, now: datetime, again: timedelta | None) -> Change:
    """Who holds it, and its channels, are told that it is still open; `again` after that long."""
    since = incident.acknowledged_at or now
    held = format_duration(timedelta(minutes=(now - since) // timedelta(minutes=1)))
    text = f"acknowledged by {incident.acknowledged_by} {held} ago and still open"
    # A waiting update would keep its place in front of this one and say nothing of it.
    after = replace(incident, remind_at=None if again is None else now + again, update_queued=False)
    return Change(after, Entry("reminded", OURSELVES, text), Notice.UPDATED, text)


def resolve(incident: Incident, actor: str, comment: str, now: datetime, *, force: bool) -> Change:
    """A person declares the condition over. Refused with `still_firing` while alerts fire, unless forced."""
    if incident.state is ALREADY[Event.RESOLVE]:
        return Change(incident)
    if incident.alerts_firing and not force:
        detail = (
            f"INC-{incident.id} still has {incident.alerts_firing} firing alert(s); "
            "acknowledge or snooze it, or resolve with force to close it while they fire"
        )
        raise ActionRefusedError(Refusal.STILL_FIRING, incident.state, detail)
    text = f"resolved by {actor}" + (" while alerts still fire" if incident.alerts_firing else "")
    # While alerts fire, the ends of others are not the end of the condition: the person's word is.
    ended_at = None if incident.alerts_firing else incident.ended_at
    after = replace(_closed(incident, now), resolved_by=actor, ended_at=ended_at)
    entry = Entry(
        "resolved", actor, _said(text, comment), {"comment": comment, "forced": bool(incident.alerts_firing)}
    )
    return Change(after, entry, Notice.RESOLVED if _heard_of(incident) else None, comment)


def reopen(incident: Incident, actor: str, comment: str) -> Change:
    """A person says it is not over."""
    if incident.open:
        return Change(incident)
    entry = Entry("reopened", actor, _said(f"reopened by {actor}", comment), {"comment": comment})
    return Change(_reopened(incident), entry, Notice.REOPENED, comment)


def snooze(incident: Incident, actor: str, comment: str, until: datetime) -> Change:
    """A person delays an open incident until `until`; then people are told again if it is still open."""
    if not incident.open:
        detail = f"INC-{incident.id} is resolved: there is nothing to snooze"
        raise ActionRefusedError(Refusal.WRONG_STATE, incident.state, detail)
    if incident.snoozed_until == until:
        return Change(incident)
    after = replace(incident, snoozed_until=until, held_until=None)
    text = _said(f"snoozed by {actor} until {until.isoformat(timespec='seconds')}", comment)
    entry = Entry("snoozed", actor, text, {"until": until.isoformat(), "comment": comment})
    return Change(after, entry, Notice.UPDATED, comment)


def snooze_ended(incident: Incident) -> Change:
    """The snooze ran out: back to triggered, people are told again."""
    after = replace(
        incident,
        state=step(incident, Event.SNOOZE_END),
        snoozed_until=None,
        acknowledged_at=None,
        acknowledged_by=None,
    )
    return Change(after, Entry("snooze_ended", "incidentd", "snooze ended, still open"), Notice.ESCALATED)


def hold_ended(
    incident: Incident, *, because: str = "still firing after the hold: this is no stale post"
) -> Change:
    """A firing that looked stale is real: people are told now, of an opening they have not heard of yet."""
    notice = Notice.REOPENED if incident.reopen_count else Notice.TRIGGERED
    return Change(replace(incident, held_until=None), Entry("hold_ended", "incidentd", because), notice)


def ended_by_source(
    incident: Incident, now: datetime, ended_at: datetime, *, administrative: bool, gone: str = ""
) -> Change:
    """The last firing occurrence ended: resolved. Quietly if it was only held, for nobody heard of the reopen.

    `gone`: the source did not say so; reconciling found it, and this is how.
    """
    latest = max(ended_at, incident.ended_at or ended_at)
    after = replace(
        _closed(incident, now),
        resolved_by=RECONCILE if gone else SOURCE,
        ended_at=latest,
        counts=incident.counts and not administrative,
    )
    reason = gone or ("the rule was paused or deleted" if administrative else "all alerts ended")
    actor = RECONCILE if gone else SOURCE
    entry = Entry("resolved", actor, f"resolved: {reason}", {"ended_at": latest.isoformat()})
    return Change(after, entry, Notice.RESOLVED if _heard_of(incident) else None)


def _heard_of(incident: Incident) -> bool:
    """False if nobody was told of this episode: then nobody hears of its end either, whoever ended it."""
    return incident.held_until is None and incident.suppressed_by is None


@dataclass(frozen=True, slots=True)
class Telling:
    """How bad it is, and who is told for it: what the route says of one severity."""

    severity: Severity
    notify: tuple[str, ...]
    route: str
    escalation: str | None
    trail: Mapping[str, object] = field(default_factory=dict)
    """What it follows from, kept beside the decision."""


def refired(incident: Incident, telling: Telling, *, alert_name: str, since: datetime) -> Change:
    """A newer occurrence, begun at `since`, came inside the reopen window: same incident, people are told at once.

    Everything had ended, so severity and route are those of what fires now.
    """
    after = _told_by(telling, _reopened(incident))
    words, moved = _moved(incident, after)
    data = {"reason": "newer_occurrence", "since": since.isoformat(), **moved, **_trail(telling)}
    return Change(
        after, Entry("reopened", SOURCE, f"fires again: {alert_name}{words}", data), Notice.REOPENED
    )


def refired_same_start(incident: Incident, telling: Telling, *, alert_name: str, until: datetime) -> Change:
    """An alert that had ended is firing again with a start that is not new.

    A peer's stale post and a sender that came back look exactly alike, so the incident opens but nobody is told
    before it has lasted until `until`. What a stale post says must not make the incident look better, so severity
    and route follow it only upwards.
    """
    after = _reopened(incident)
    if telling.severity.worse_than(incident.severity):
        after = _told_by(telling, after)
    words, moved = _moved(incident, after)
    text = f"fires again with an old start: {alert_name}; held until it has lasted{words}"
    data = {"reason": "same_start", "held_until": until.isoformat(), **moved, **_trail(telling)}
    entry = Entry("reopened", SOURCE, text, data)
    return Change(replace(after, held_until=until), entry)


def raised(incident: Incident, telling: Telling) -> Change:
    """A worse severity joined: triggered again, told again, over the old and the new channels."""
    after = replace(
        incident,
        state=step(incident, Event.RAISE),
        severity=telling.severity,
        notify=tuple(dict.fromkeys((*incident.notify, *telling.notify))),
        route=telling.route,
        escalation=telling.escalation or incident.escalation,
        acknowledged_at=None,
        acknowledged_by=None,
        snoozed_until=None,
        held_until=None,
    )
    text = f"severity raised from {incident.severity} to {telling.severity}"
    data = {"from": incident.severity.value, "to": telling.severity.value, **_trail(telling)}
    entry = Entry("severity_raised", SOURCE, text, data)
    return Change(after, entry, Notice.ESCALATED)


def _moved(before: Incident, after: Incident) -> tuple[str, dict[str, object]]:
    """What a timeline says of a severity that became another one as the incident came back: words, and data."""
    if before.severity is after.severity:
        return "", {}
    words = f"; severity {after.severity}, was {before.severity}"
    return words, {"from": before.severity.value, "to": after.severity.value}


def _trail(telling: Telling) -> dict[str, object]:
    decision = {"decision": telling.trail} if telling.trail else {}
    return {"route": telling.route, "notify": list(telling.notify), **decision}


def _told_by(telling: Telling, incident: Incident) -> Incident:
    return replace(
        incident,
        severity=telling.severity,
        notify=telling.notify,
        route=telling.route,
        escalation=telling.escalation,
    )


def _closed(incident: Incident, now: datetime) -> Incident:
    return replace(
        incident,
        state=step(incident, Event.RESOLVE),
        resolved_at=incident.moment(now),
        snoozed_until=None,
        held_until=None,
        resolve_withheld_at=None,
        resolve_withheld_for=None,
        suppressed_by=None,
        flapping_since=None,
    )


def _reopened(incident: Incident) -> Incident:
    return replace(
        incident,
        state=step(incident, Event.REOPEN),
        resolved_at=None,
        resolved_by=None,
        ended_at=None,
        acknowledged_at=None,
        acknowledged_by=None,
        reopen_count=incident.reopen_count + 1,
        episode=incident.episode + 1,
        counts=True,
    )


def _said(text: str, comment: str) -> str:
    return f"{text}: {comment}" if comment else text
