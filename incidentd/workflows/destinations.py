"""incidentd's own incidents: one for each channel that cannot deliver, told over the others, closed when it can.

What is told of them is of class `meta`: if that cannot be told, no page is missed and nobody is told in its place. A
channel has one open incident at most, whatever fails there.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from incidentd.domain import response
from incidentd.domain.destination import Destination, DestinationState
from incidentd.domain.incident import OURSELVES, Change, Entry, Incident, State, evolve
from incidentd.domain.notification import Notice
from incidentd.domain.severity import Severity
from incidentd.store import destinations, incidents, schema
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids
from incidentd.workflows import explain_trail
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.rules import Rules, readable

PATIENCE = timedelta(minutes=5)
"""How long a destination may be slow or failing before that is an incident. One that refuses us is at once."""
ALERTNAME = "IncidentdChannelDown"


def group_of(channel: str) -> str:
    """The group key of the incident about a channel."""
    return f'{OURSELVES}:{{alertname="{ALERTNAME}", channel="{channel}"}}'


def down(destination: Destination, now: datetime) -> bool:
    """True if people have to know of it.

    Only time in which it was seen to fail counts: after a single answer nothing may have been sent for hours.
    """
    if destination.state is DestinationState.BROKEN:
        return True
    seen = min(now, destination.paused_until or now)
    return destination.state is not DestinationState.OK and seen - destination.since >= PATIENCE


def watch_due(tx: Tx, rules: Rules, now: datetime) -> bool:
    """True if `watch` would change something: a read, so that an idle daemon writes nothing."""
    return bool(_differences(tx, rules, now))


def watch(tx: Tx, rules: Rules, now: datetime) -> tuple[Change, ...]:
    """Open an incident for each configured channel that is down, and resolve those of channels that are not."""
    differences = _differences(tx, rules, now)
    if not differences:
        return ()
    incidents.lock_groups(tx, [group_of(channel) for channel, _, _ in differences])
    # Again, under the locks: another replica may have been first.
    ledger = Ledger(rules, now)
    ids = Ids(tx, schema.incidents, len(differences))
    for channel, destination, incident in _differences(tx, rules, now):
        if incident is None:
            _open(ids, ledger, destination)
        elif destination is None or destination.state is DestinationState.OK:
            _resolve(ledger, incident, _why_over(destination, configured=channel in rules.targets))
    ledger.save(tx)
    return tuple(ledger.changes)


def _differences(
    tx: Tx, rules: Rules, now: datetime
) -> list[tuple[str, Destination | None, Incident | None]]:
    known = {d.channel: d for d in destinations.all_of(tx) if d.channel in rules.targets}
    # Others of our own incidents, of a drill that failed say, are none of this.
    ours = [i for i in incidents.open_of_source(tx, OURSELVES) if i.labels.get("alertname") == ALERTNAME]
    open_ones = {incident.labels["channel"]: incident for incident in ours}
    fresh = [group_of(channel) for channel in known.keys() - open_ones.keys() if down(known[channel], now)]
    # A person's word is final here too: what they closed opens again when it fails anew.
    closed = destinations.closed_by_people(tx, fresh)
    found: list[tuple[str, Destination | None, Incident | None]] = []
    for channel in sorted(known.keys() | open_ones.keys()):
        destination, incident = known.get(channel), open_ones.get(channel)
        well = destination is None or destination.state is DestinationState.OK
        if incident is not None and well:
            found.append((channel, destination, incident))
        elif (
            incident is None
            and destination is not None
            and group_of(channel) in fresh
            and closed.get(group_of(channel), destination.since) <= destination.since
        ):
            found.append((channel, destination, None))
    return found


def _why_over(destination: Destination | None, *, configured: bool) -> str:
    if not configured:
        return "it is not configured any more"
    return "its configuration was changed" if destination is None else "it delivers again"


def _open(ids: Ids, ledger: Ledger, destination: Destination | None) -> None:
    if destination is None:
        return
    rules, channel = ledger.rules, destination.channel
    severity = Severity.CRITICAL if channel in rules.paged(Severity.CRITICAL) else Severity.WARNING
    labels = {"alertname": ALERTNAME, "channel": channel}
    decision = rules.route_of(labels, severity)
    others = [name for name in rules.targets if name != channel]
    notify = tuple([name for name in decision.notify if name != channel]) or tuple(others)
    error = destination.last_error or "no answer is accepted"
    incident = Incident(
        id=ids.take(),
        source=OURSELVES,
        group_key=group_of(channel),
        title=f"Channel {channel} cannot deliver: {error}",
        state=State.TRIGGERED,
        severity=severity,
        service=OURSELVES,
        labels=labels,
        notify=notify,
        route=readable(decision),
        escalation=decision.escalation,
        opened_at=ledger.now,
        started_at=min(destination.since, ledger.now),
        # It says how well incidentd is kept, not how well the services are.
        counts=False,
    )
    text = f"channel {channel} is {destination.state}: {error}"
    trail = explain_trail.routed(rules, labels, severity, decision)
    data = {"route": incident.route, "notify": list(notify), "channel": channel, "decision": trail}
    ledger.open(incident, Entry("triggered", OURSELVES, text, data), Notice.TRIGGERED)


def _resolve(ledger: Ledger, incident: Incident, why: str) -> None:
    change = response.ended_by_source(incident, ledger.now, ledger.now, administrative=True)
    entry = Entry("resolved", OURSELVES, f"resolved: {why}", {})
    ledger.apply(Change(evolve(change.incident, counts=False), entry, change.notice))
