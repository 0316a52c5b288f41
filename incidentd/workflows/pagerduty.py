"""What people do in PagerDuty, done here too: one event, one unit of work.

PagerDuty signs no time and redelivers for two days, so each event is written down and acts once, and one that is
older than what the incident has followed never moves it back. Nothing is told to the channel that it came from.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from incidentd.domain import response
from incidentd.domain.incident import ActionRefusedError, Change, Entry, Incident, evolve
from incidentd.domain.notification import MAX_ALERTS_SHOWN, Notice
from incidentd.domain.vendor_key import episode_of
from incidentd.ingest.pagerduty import By, Happened, VendorEvent
from incidentd.store import alert_views, inbound, incidents, settings
from incidentd.store.engine import Tx
from incidentd.workflows import respond
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.rules import Rules

AUTOMATION: Final = "PagerDuty"
"""Who acts where no person does."""
_PAGES_ANEW: Final = frozenset({"unacknowledged", "severity_raised", "snooze_ended"})
_OVERTAKEN_BY: Final = {
    Happened.ACKNOWLEDGED: _PAGES_ANEW,
    Happened.RESOLVED: _PAGES_ANEW,
    Happened.UNACKNOWLEDGED: frozenset({"acknowledged"}),
    Happened.REOPENED: frozenset({"resolved"}),
}
"""Acts, and the timeline entries after which they are about how things stood before."""
_WORDS: Final = {
    Happened.ACKNOWLEDGED: "acknowledged",
    Happened.UNACKNOWLEDGED: "given back",
    Happened.RESOLVED: "resolved",
    Happened.MERGED: "merged into another incident",
    Happened.REOPENED: "reopened",
}
"""Acts, in the words of the timeline."""
_NEEDS_A_PERSON: Final = frozenset({Happened.ACKNOWLEDGED, Happened.RESOLVED})
"""What stops pages. The opposite is taken from a timeout too: at worst somebody looks once more."""


class Result(enum.StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    NOTED = "noted"
    """Only the timeline has it."""
    DUPLICATE = "duplicate"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Heard:
    """An event, and how it came."""

    event: VendorEvent
    channel: str
    """Whose secret it was signed with."""
    delivery_id: str
    """Of this delivery, the same in every attempt at it; empty if there was none."""

    @property
    def actor(self) -> str:
        """Who did it, as timeline and messages show it."""
        if self.event.by is By.PERSON:
            return f"{self.event.name or 'somebody'} via PagerDuty"
        return AUTOMATION


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of an event, why, and what changed by it."""

    result: Result
    reason: str
    changes: tuple[Change, ...] = ()


def hear(tx: Tx, heard: Heard, rules: Rules, now: datetime) -> Handled:
    """Act on one event, or say why not. Repeating it changes nothing."""
    event, channel = heard.event, heard.channel
    # The delivery's id is not signed: alone it would let a known event in under a new one.
    known = not inbound.remember(tx, channel, _key(event), now)
    if heard.delivery_id:
        known |= not inbound.remember(tx, channel, f"delivery {heard.delivery_id}", now)
    if known:
        return Handled(Result.DUPLICATE, "came before")
    incident = _incident(tx, heard, now)
    if incident is None:
        return Handled(Result.IGNORED, "about no incident of this instance, or about an episode that is over")
    if event.happened is Happened.OTHER:
        return Handled(Result.IGNORED, f"nothing follows from {event.type or 'an event without type'}")
    if event.happened in _WORDS:
        if event.by is By.INTEGRATION:
            return Handled(Result.IGNORED, "an echo of what was sent from here")
        return _act(tx, heard, incident, rules, now)
    return _write(tx, _remarked(heard, incident), rules, now)


def _incident(tx: Tx, heard: Heard, now: datetime) -> Incident | None:
    """The incident it is about, locked; None if that is unknown, or the event is about an earlier episode."""
    event = heard.event
    if not event.key:
        number = inbound.named(tx, heard.channel, event.vendor_id)
        return _locked(tx, number) if number is not None else None
    episode = episode_of(event.key, settings.get(tx, "instance") or "")
    found = _locked(tx, episode.incident_id) if episode else None
    if found is None or episode is None or found.episode != episode.number:
        return None
    if event.vendor_id:
        # Notes name the incident by that alone.
        inbound.name(tx, heard.channel, event.vendor_id, found.id, now)
    return found


def _locked(tx: Tx, incident_id: int) -> Incident | None:
    return next(iter(incidents.by_ids(tx, [incident_id])), None)


def _act(tx: Tx, heard: Heard, incident: Incident, rules: Rules, now: datetime) -> Handled:
    event = heard.event
    latest = inbound.latest(tx, heard.channel, incident.id)
    if latest is not None and event.occurred_at < latest:
        return Handled(Result.IGNORED, "older than what the incident has followed already")
    try:
        change = _decide(tx, heard, incident, now)
    except ActionRefusedError as refused:
        return _write(tx, _not_done(heard, incident, refused.detail), rules, now)
    if change.entry is None or change.incident is incident:
        inbound.follow(tx, heard.channel, _key(event), incident.id, event.occurred_at)
        return Handled(Result.IGNORED, f"INC-{incident.id} is so already")
    if reason := _unfit(tx, heard, incident):
        return _write(tx, _not_done(heard, incident, reason), rules, now)
    inbound.follow(tx, heard.channel, _key(event), incident.id, event.occurred_at)
    if event.happened is Happened.RESOLVED and _fires_since(tx, incident, event.occurred_at):
        reason = "alerts that began later fire, so people are told again"
        again = replace(_not_done(heard, incident, reason), notice=Notice.ESCALATED, source_channel="")
        return _write(tx, again, rules, now)
    entry = replace(change.entry, data={**change.entry.data, **_origin(heard)})
    return _write(tx, replace(change, entry=entry, source_channel=heard.channel), rules, now, Result.APPLIED)


def _decide(tx: Tx, heard: Heard, incident: Incident, now: datetime) -> Change:
    """What the event makes of the incident; unchanged if it is so already. Raises `ActionRefusedError`."""
    actor, at = heard.actor, min(heard.event.occurred_at, now)
    match heard.event.happened:
        case Happened.ACKNOWLEDGED:
            return response.acknowledge(incident, actor, "", at)
        case Happened.UNACKNOWLEDGED:
            return response.unacknowledge(incident, actor, "")
        case Happened.REOPENED:
            respond.refuse_second(tx, incident)
            # The same episode goes on: in PagerDuty it has kept its key.
            change = response.reopen(incident, actor, "")
            return replace(change, incident=evolve(change.incident, episode=incident.episode))
        case _:
            # Forced: who resolved it over there was not asked whether alerts still fire.
            return response.resolve(incident, actor, "", at, force=True)


def _unfit(tx: Tx, heard: Heard, incident: Incident) -> str:
    """Why an act that would change the incident must not; empty if it may."""
    event = heard.event
    if event.happened is Happened.MERGED:
        return "that does not end its condition"
    if event.by is By.AUTOMATION and event.happened in _NEEDS_A_PERSON:
        return "no person did it"
    moved = inbound.last_moved(tx, incident.id, _OVERTAKEN_BY[event.happened])
    if moved is not None and event.occurred_at < moved:
        return f"it happened at {event.occurred_at.isoformat(timespec='seconds')}, before what happened here since"
    return ""


def _fires_since(tx: Tx, incident: Incident, at: datetime) -> bool:
    """True if an alert fires that nobody could know of at `at`."""
    members = alert_views.of_incidents(tx, [incident.id], MAX_ALERTS_SHOWN)[incident.id]
    return any(alert.ends_at is None and alert.starts_at > at for alert in members)


def _not_done(heard: Heard, incident: Incident, reason: str) -> Change:
    did = _WORDS[heard.event.happened]
    entry = Entry(
        "vendor_event", heard.actor, f"{did} by {_who(heard)}, but not here: {reason}", _origin(heard)
    )
    return Change(incident, entry, source_channel=heard.channel)


def _remarked(heard: Heard, incident: Incident) -> Change:
    event = heard.event
    if event.happened is Happened.ANNOTATED:
        entry = Entry("note", heard.actor, event.text, _origin(heard))
        notice = Notice.UPDATED if incident.open else None
        return Change(incident, entry, notice, event.text, heard.channel)
    text = f"{event.text} by {_who(heard)}"
    return Change(
        incident, Entry("vendor_event", heard.actor, text, _origin(heard)), source_channel=heard.channel
    )


def _who(heard: Heard) -> str:
    return heard.actor if heard.event.by is By.PERSON else "PagerDuty itself"


def _origin(heard: Heard) -> dict[str, object]:
    return {"channel": heard.channel, "occurred_at": heard.event.occurred_at.isoformat()}


def _key(event: VendorEvent) -> str:
    return f"event {event.id}"


def _write(tx: Tx, change: Change, rules: Rules, now: datetime, result: Result = Result.NOTED) -> Handled:
    ledger = Ledger(rules, now)
    ledger.apply(change)
    ledger.save(tx)
    return Handled(result, change.entry.text if change.entry else "", tuple(ledger.changes))
