"""What an explanation is composed from: everything that is kept of one incident, read at one instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from incidentd.domain.destination import Destination
from incidentd.domain.escalation import Escalation
from incidentd.domain.explain import utc
from incidentd.domain.incident import Incident
from incidentd.domain.notification import AlertView
from incidentd.store.deliveries import Delivery
from incidentd.store.timeline import StoredEntry
from incidentd.workflows.explain_trail import DECISION


@dataclass(frozen=True, slots=True)
class Facts:
    """One incident and what belongs to it."""

    incident: Incident
    entries: Sequence[StoredEntry]
    deliveries: Sequence[Delivery]
    now: datetime
    alerts: Sequence[AlertView] = ()
    escalation: Escalation | None = None
    """The latest one."""
    destinations: Mapping[str, Destination] = field(default_factory=dict)
    """How each channel is doing now."""

    @property
    def ref(self) -> str:
        """The name people use: ``INC-12``."""
        return f"INC-{self.incident.id}"


Data = Mapping[str, Any]


def decision_of(entry: StoredEntry) -> Data:
    """The trail of an entry; empty if it has none, as in those of versions before."""
    found = entry.data.get(DECISION)
    return found if isinstance(found, Mapping) else {}


def stamp(text: object) -> str:
    """An instant kept as text, as people read it."""
    return utc(datetime.fromisoformat(str(text)))


def where(channel: str, target: str) -> str:
    """A place that messages go to: ``mail (alice@example.com)``."""
    return f"{channel} ({target})" if target and target != channel else channel


def who(row: Delivery) -> tuple[str, str]:
    """Whom a row tells and over what: ``alice`` and `` over mail (alice@example.com)``, or a channel alone."""
    place = where(row.channel, row.target)
    return (row.person, f" over {place}") if row.person is not None else (f"Channel {place}", "")
