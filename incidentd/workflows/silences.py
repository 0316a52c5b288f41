"""Silences at the source, as people ask for them from an incident: made, extended, ended. Nothing is sent from here.

What is asked stands in the table with its timeline entry, in one transaction; `jobs.silencer` brings the Alertmanagers
to it. Acknowledging never comes through here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from incidentd.domain.drill import PLANNED
from incidentd.domain.incident import OURSELVES, ActionRefusedError, Change, Entry, Incident, Refusal
from incidentd.domain.notification import Notice
from incidentd.domain.silence import (
    Match,
    NothingToMatchError,
    Silence,
    State,
    mark,
    matchers_of,
    newest,
)
from incidentd.store import incidents, settings, silences
from incidentd.store.engine import Tx
from incidentd.workflows import audit, respond
from incidentd.workflows.respond import Done, NotFoundError
from incidentd.workflows.rules import Rules

SAME_END = timedelta(minutes=1)
"""Two that end within this of each other are one that was asked for twice."""
STAGGER = timedelta(seconds=1)
"""So much later each further Alertmanager is asked: members of a cluster then know the first one's silence already."""
_ALERTS_AT_MOST = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for."""

    length: timedelta
    """From now on."""
    comment: str
    actor: str
    identity: str
    """Random: makes the mark of a new silence unique."""
    matchers: tuple[Match, ...] = ()
    """Which alerts; without it those of the incident's group."""


@dataclass(frozen=True, slots=True)
class Silenced:
    """What asking came to."""

    done: Done
    silences: tuple[Silence, ...]
    """One for each Alertmanager."""


def silence(tx: Tx, incident_id: int, asked: Asked, rules: Rules, now: datetime) -> Silenced:
    """Silence the alerts of an incident at its source, or let the silence that it has end at another time.

    Raises `NotFoundError`, and `ActionRefusedError` for one that is over or has no Alertmanagers.
    """
    asking = _Asking(tx, asked, rules, now)
    done = respond.act(tx, incident_id, asking.decide, rules, now)
    return Silenced(done, tuple(asking.found))


@dataclass(slots=True)
class _Asking:
    """One request, and the silences that it comes to."""

    tx: Tx
    asked: Asked
    rules: Rules
    now: datetime
    found: list[Silence] = field(default_factory=list)

    @property
    def ends_at(self) -> datetime:
        """When the silence is to end."""
        return self.now + self.asked.length

    def decide(self, incident: Incident) -> Change:
        """Make one, or extend the one that holds."""
        members = _members(incident, self.rules)
        known = [s for s in newest(silences.of_incident(self.tx, incident.id)) if not s.found]
        if any([each.state in {State.WANTED, State.ACTIVE} for each in known]):
            return self._extended(incident, known, members)
        return self._made(incident, members)

    def _made(self, incident: Incident, members: Sequence[str]) -> Change:
        asked, now = self.asked, self.now
        new = Silence(
            id=0,
            incident_id=incident.id,
            source=incident.source,
            alertmanager="",
            state=State.WANTED,
            mark=mark(settings.get(self.tx, "instance") or "0", incident.id, asked.identity),
            matchers=asked.matchers or _matchers(self.tx, incident, self.rules),
            starts_at=now,
            ends_at=self.ends_at,
            created_by=asked.actor,
            created_at=now,
            warn_at=self.rules.silencing.warn_at(now, self.ends_at),
            comment=asked.comment,
        )
        self.found += silences.add(self.tx, _each(new, members, now))
        return _change(incident, "silence_requested", "to be silenced at its source", self.found[0], asked)

    def _extended(self, incident: Incident, known: Sequence[Silence], members: Sequence[str]) -> Change:
        there = [each for each in known if each.alertmanager in members]
        missing = [url for url in members if url not in {each.alertmanager for each in there}]
        same = all([each.state.live and abs(each.ends_at - self.ends_at) <= SAME_END for each in there])
        if same and not missing:
            self.found += known
            return Change(incident)
        for number, each in enumerate(there):
            again = replace(self._again(each), next_attempt_at=self.now + number * STAGGER)
            silences.save(self.tx, again)
            self.found.append(again)
        if missing:
            self.found += silences.add(self.tx, _each(self._again(known[0]), missing, self.now))
        return _change(incident, "silence_extended", "silence at its source", self.found[0], self.asked)

    def _again(self, one: Silence) -> Silence:
        return replace(
            one,
            state=State.WANTED,
            ends_at=self.ends_at,
            warn_at=self.rules.silencing.warn_at(self.now, self.ends_at),
            warned_at=None,
            comment=self.asked.comment or one.comment,
            revision=one.revision + 1,
            attempts=0,
            last_error=None,
            ended_at=None,
            ended_by=None,
        )


def _members(incident: Incident, rules: Rules) -> tuple[str, ...]:
    if not incident.open:
        detail = f"INC-{incident.id} is resolved: there is nothing to silence"
        raise ActionRefusedError(Refusal.WRONG_STATE, incident.state, detail)
    members = rules.alertmanagers.get(incident.source, ())
    if not members:
        detail = (
            f"INC-{incident.id} comes from the source {incident.source}, which has no Alertmanagers: list them "
            f"under sources.{incident.source}.alertmanagers"
            if incident.source not in {"", OURSELVES, PLANNED}
            else f"INC-{incident.id} does not come from an Alertmanager: there is nothing to silence; snooze it"
        )
        raise ActionRefusedError(Refusal.NO_ALERTMANAGERS, incident.state, detail)
    return members


def _each(one: Silence, members: Sequence[str], now: datetime) -> list[Silence]:
    return [
        replace(one, id=0, alertmanager=url, silence_id=None, next_attempt_at=now + number * STAGGER)
        for number, url in enumerate(members)
    ]


def _change(incident: Incident, kind: str, what: str, one: Silence, asked: Asked) -> Change:
    said = f": {asked.comment}" if asked.comment else ""
    matchers = [str(match) for match in one.matchers]
    text = f"{what} by {asked.actor} until {one.ends_at:%Y-%m-%d %H:%M} UTC{said}"
    data = {
        "until": one.ends_at.isoformat(),
        "matchers": matchers,
        "comment": asked.comment,
        "mark": one.mark,
    }
    return Change(incident, Entry(kind, asked.actor, text, data), Notice.UPDATED, text)


def _matchers(tx: Tx, incident: Incident, rules: Rules) -> tuple[Match, ...]:
    alerts = silences.alerts_of(tx, incident.id, _ALERTS_AT_MOST)
    try:
        matchers = matchers_of(rules.grouping, [labels for labels, _ in alerts])
    except NothingToMatchError as error:
        detail = f"INC-{incident.id} cannot be silenced: {error}"
        raise ActionRefusedError(Refusal.NOTHING_TO_MATCH, incident.state, detail) from None
    cut = {note.removeprefix("label ") for _, notes in alerts for note in notes if note.startswith("label ")}
    if wrong := sorted(cut & {match.name for match in matchers}):
        detail = f"INC-{incident.id} cannot be silenced: the label {wrong[0]} is too long to be stored as it was sent"
        raise ActionRefusedError(Refusal.NOTHING_TO_MATCH, incident.state, detail)
    return matchers


def end(tx: Tx, incident_id: int, actor: str, comment: str, rules: Rules, now: datetime) -> Silenced:
    """End the silences of an incident now. Without any nothing changes. Raises `NotFoundError`."""

    def decide(incident: Incident) -> Change:
        ended = silences.end(tx, [incident_id], actor, now)
        return Change(incident, _ended(actor, comment)) if ended else Change(incident)

    done = respond.act(tx, incident_id, decide, rules, now)
    return Silenced(done, tuple(newest(silences.of_incident(tx, incident_id))))


def end_one(tx: Tx, number: int, actor: str, rules: Rules, now: datetime) -> Silenced | Silence:
    """End one by its number, at every Alertmanager that has it; also one whose incident is not kept any more.

    Raises `NotFoundError`.
    """
    found = silences.by_id(tx, number)
    if found is None:
        raise NotFoundError(f"there is no silence {number}")
    if incidents.by_ids(tx, [found.incident_id]):
        return end(tx, found.incident_id, actor, "", rules, now)
    silences.end(tx, [found.incident_id], actor, now)
    audit.note(tx, now, actor, "silence.cancelled", f"silence:{number}")
    return silences.by_id(tx, number) or found


def _ended(actor: str, comment: str) -> Entry:
    said = f": {comment}" if comment else ""
    return Entry("silence_cancelled", actor, f"silence to be ended by {actor}{said}", {"comment": comment})
