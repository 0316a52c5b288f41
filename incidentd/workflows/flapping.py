"""The end of flapping: resolves that have been withheld long enough are believed."""

from __future__ import annotations

from datetime import datetime

from incidentd.domain.flapping import settled
from incidentd.domain.incident import Change
from incidentd.store import incidents
from incidentd.store.engine import Tx
from incidentd.store.maintenance import flapping
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.rules import Rules


def settle_due(tx: Tx, rules: Rules, now: datetime) -> bool:
    """True if `settle` would change something: a read, so that an idle daemon writes nothing."""
    return any(settled(incident, rules.flapping, now) for incident in flapping(tx))


def settle(tx: Tx, rules: Rules, now: datetime) -> tuple[Change, ...]:
    """End what flaps no more."""
    ledger = Ledger(rules, now)
    for incident in incidents.by_ids(tx, [incident.id for incident in flapping(tx)]):
        # Looked at again under its lock: it may have fired again, or been resolved by a person.
        change = settled(incident, rules.flapping, now) if incident.flapping_since is not None else None
        if change is not None:
            ledger.apply(change)
    ledger.save(tx)
    return tuple(ledger.changes)
