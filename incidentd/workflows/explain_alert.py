"""Which incident an alert belongs to and why, or why to none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from incidentd.domain.explain import Kind, Statement, in_order, sentence, utc
from incidentd.domain.incident import SOURCE, Incident
from incidentd.store import explain as reads
from incidentd.store.engine import Tx
from incidentd.store.explain import Sighted
from incidentd.store.quarantine import QuarantinedAlert
from incidentd.store.timeline import StoredEntry
from incidentd.workflows.explain_facts import Facts
from incidentd.workflows.explain_opening import grouping
from incidentd.workflows.respond import NotFoundError

MOST = 20
"""Occurrences of an alert that are explained, the newest."""
_NONE = {
    "blip": "it came and went between two posts, so it is recorded and opens nothing",
    "heartbeat": "it is a heartbeat: that it fires is the good news, and only its absence is an incident",
}


def why_alert(tx: Tx, sources: Sequence[str], fingerprint: str, now: datetime) -> tuple[Statement, ...]:
    """Explain what became of an alert of these sources. Raises `NotFoundError`."""
    seen = reads.sightings(tx, sources, fingerprint, MOST)[::-1]
    aside = reads.quarantined(tx, fingerprint, MOST)
    if not seen and not aside:
        raise NotFoundError(
            f'no alert with the fingerprint "{fingerprint[:64]}" is kept; see: incidentctl alerts --json'
        )
    ids = list(dict.fromkeys(each.incident_id for each in seen if each.incident_id is not None))
    found = {number: incident for number in ids if (incident := reads.incident(tx, number)) is not None}
    facts = {
        number: Facts(incident, reads.entries(tx, [number], MOST)[number], (), now)
        for number, incident in found.items()
    }
    told = [statement for each in seen for statement in _occurrence(each, facts.get(each.incident_id or 0))]
    return (*in_order([*[_set_aside(each) for each in aside], *told]), _verdict(seen, found))


def _occurrence(each: Sighted, facts: Facts | None) -> Iterator[Statement]:
    until = "and still does" if each.ends_at is None else f"and ended at {utc(each.ends_at)}"
    about = f"Alert {each.name} of source {each.source}"
    data = {
        "source": each.source,
        "fingerprint": each.fingerprint,
        "starts_at": each.starts_at.isoformat(),
        "ends_at": each.ends_at.isoformat() if each.ends_at else None,
        "incident": each.incident_id,
        "sighting": each.reason,
    }
    if facts is None:
        text = f"{about} began to fire at {utc(each.starts_at)} {until}: {_nowhere(each)}."
        if each.reason == "blip":
            over = utc(each.ends_at or each.starts_at)
            text = f"{about} was reported over at {over} and had never been seen to fire: {_nowhere(each)}."
        yield Statement(each.first_seen_at, Kind.OPENED, text, each.reason, data)
        return
    opener = _opened_by(facts, each)
    did = "opened" if opener else "joined"
    why = "" if opener else ", which was open for its group"
    text = f"{about} began to fire at {utc(each.starts_at)} {until}: it {did} {facts.ref}{why}."
    yield Statement(each.first_seen_at, Kind.OPENED, text, did, data)
    first = next((entry for entry in facts.entries if entry.kind == "triggered"), None)
    if first is not None:
        for said in grouping(facts, first):
            yield Statement(None, said.kind, said.text, said.because, said.data)
    if quiet := _stays_quiet(each, facts.incident):
        yield Statement(facts.incident.resolved_at, Kind.QUIET, quiet, "stay_quiet", data)


def _nowhere(each: Sighted) -> str:
    if each.incident_id is not None:
        return f"its incident INC-{each.incident_id} is not kept any more"
    return _NONE.get(each.reason, "it belongs to no incident")


def _opened_by(facts: Facts, each: Sighted) -> StoredEntry | None:
    """The entry with which this very occurrence opened the incident."""
    for entry in facts.entries:
        same = entry.data.get("fingerprint") == each.fingerprint
        if entry.kind == "triggered" and same and entry.at == each.first_seen_at:
            return entry
    return None


def _stays_quiet(each: Sighted, incident: Incident) -> str | None:
    if each.ends_at is not None or incident.open or incident.resolved_by in {SOURCE, "reconcile"}:
        return None
    return (
        f"INC-{incident.id} was resolved by {incident.resolved_by} while it fired: this occurrence tells nobody "
        "any more, and a newer one opens a new incident."
    )


def _set_aside(each: QuarantinedAlert) -> Statement:
    text = sentence(f"an alert of source {each.source} was set aside ({each.where}): {each.reason}")
    data = {"quarantined": each.id, "source": each.source, "reason": each.reason, "where": each.where}
    return Statement(each.received_at, Kind.LIMIT, text, "quarantined", data)


def _verdict(seen: Sequence[Sighted], found: dict[int, Incident]) -> Statement:
    if not seen:
        text = "It belongs to no incident: it could not be understood (incidentctl quarantine)."
        return Statement(None, Kind.VERDICT, text, "quarantined", {"incident": None})
    last = seen[-1]
    incident = found.get(last.incident_id or 0)
    if incident is None:
        text = f"It belongs to no incident: {_nowhere(last)}."
        return Statement(None, Kind.VERDICT, text, last.reason, {"incident": None})
    text = f"It belongs to INC-{incident.id}, which is {incident.state}."
    return Statement(None, Kind.VERDICT, text, "incident", {"incident": incident.id})
