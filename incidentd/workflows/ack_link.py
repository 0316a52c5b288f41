"""Acknowledging by a signed link: looking changes nothing, using it is one unit of work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from incidentd.domain import response
from incidentd.domain.ack_link import AckLink, Standing, standing
from incidentd.domain.incident import Change, Incident
from incidentd.store import incidents, timeline
from incidentd.store.engine import Tx
from incidentd.store.incidents import Search
from incidentd.workflows import respond
from incidentd.workflows.respond import NotFoundError
from incidentd.workflows.rules import Rules

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """How a link stands, and the incident if it is still kept."""

    standing: Standing
    incident: Incident | None
    changes: tuple[Change, ...] = ()
    """Empty unless this use acknowledged it."""


def actor_of(recipient: str, users: Iterable[tuple[str, str | None]]) -> str:
    """Who is recorded: the user with this mail address, given as (name, address), or the address itself.

    Mail is forwarded and mailboxes are shared, so the record says that it was done by link.
    """
    wanted = recipient.casefold()
    names = [name for name, address in users if address is not None and address.casefold() == wanted]
    return f"{names[0] if names else recipient} via e-mail link"


def look(tx: Tx, link: AckLink, now: datetime) -> Seen:
    """How the link stands."""
    # Not by id: that takes a row lock, which is for those who will write.
    found = incidents.search(tx, Search(before=link.incident_id + 1, limit=1))
    incident = found[0] if found and found[0].id == link.incident_id else None
    used = incident is not None and _used(tx, link)
    return Seen(standing(link, incident, now, used=used), incident)


def use(tx: Tx, link: AckLink, actor: str, rules: Rules, now: datetime) -> Seen:
    """Acknowledge, if the link still may. Using it again changes nothing."""
    found = Standing.GONE

    def decide(incident: Incident) -> Change:
        nonlocal found
        found = standing(link, incident, now, used=_used(tx, link))
        return _acknowledged(incident, link, actor, now) if found is Standing.OPEN else Change(incident)

    try:
        done = respond.act(tx, link.incident_id, decide, rules, now)
    except NotFoundError:
        return Seen(standing(link, None, now, used=False), None)
    return Seen(found, done.incident, done.changes)


def _acknowledged(incident: Incident, link: AckLink, actor: str, now: datetime) -> Change:
    change = response.acknowledge(incident, actor, "", now)
    if change.entry is None:
        return change
    return replace(change, entry=replace(change.entry, data={**change.entry.data, "link": link.nonce}))


def _used(tx: Tx, link: AckLink) -> bool:
    """True if the timeline has an acknowledgement by this very link: it is good for one."""
    seq = 0
    while entries := timeline.of_incident(tx, link.incident_id, seq, _PAGE):
        if any(entry.data.get("link") == link.nonce for entry in entries):
            return True
        seq = entries[-1].seq
    return False
