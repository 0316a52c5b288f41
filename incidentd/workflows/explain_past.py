"""How an incident stood at an instant of the past, by its timeline. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from incidentd.store.timeline import StoredEntry

_OPENS = frozenset({"triggered", "reopened"})
_UNACKNOWLEDGES = frozenset({"unacknowledged", "acknowledgement_expired", "snooze_ended", "severity_raised"})


@dataclass(frozen=True, slots=True)
class Past:
    """How it stood, after each entry."""

    open: bool = False
    since: datetime | None = None
    """When it opened last."""
    acknowledged_by: str | None = None
    quiet: str | None = None
    """Why nobody was told: ``maintenance db``, ``held``, ``snoozed by alice``."""

    def then(self, entry: StoredEntry) -> Past:
        """After one more entry."""
        kind, data = entry.kind, entry.data
        if kind in _OPENS:
            window, held = data.get("suppressed_by"), data.get("held_until")
            quiet = f"maintenance {window}" if window else "held" if held else None
            return Past(open=True, since=entry.at, quiet=quiet)
        if kind == "resolved":
            return Past()
        if kind == "acknowledged":
            quiet = self.quiet if self.quiet != "held" else None
            return replace(self, acknowledged_by=entry.actor, quiet=quiet)
        if kind in _UNACKNOWLEDGES:
            kept = self.quiet if (self.quiet or "").startswith("maintenance") else None
            return replace(self, acknowledged_by=None, quiet=kept)
        if kind == "snoozed":
            return replace(self, quiet=f"snoozed by {entry.actor}")
        return replace(self, quiet=None) if kind in {"hold_ended", "suppression_ended"} else self


def at(entries: Iterable[StoredEntry], instant: datetime) -> Past:
    """How it stood at an instant."""
    past = Past()
    for entry in entries:
        if entry.at > instant:
            break
        past = past.then(entry)
    return past


def open_within(entries: Iterable[StoredEntry], since: datetime, until: datetime) -> Past | None:
    """How it stood when it was open first between two instants; None if it was not."""
    past = Past()
    for entry in entries:
        if entry.at > since and past.open:
            break
        if entry.at > until:
            break
        past = past.then(entry)
    return past if past.open else None
