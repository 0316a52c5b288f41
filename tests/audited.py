"""The law of the audit log: whatever changes something worth an entry writes one, in the same transaction.

The database itself watches: a trigger for each change that counts. Every table must be classified here, so that a new
one cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from incidentd.store.engine import Store, Tx

T = TypeVar("T")

WATCHED: dict[str, tuple[str, ...]] = {
    "incidents": (
        "insert", "delete", "state", "severity", "acknowledged_by", "assigned_to", "snoozed_until", "held_until",
        "suppressed_by", "flapping_since", "resolve_withheld_at", "episode", "title",
    ),
    "overrides": ("insert", "delete", "user", "ends_at", "cancelled_at"),
    "maintenance": ("insert", "delete", "cancelled_at"),
    "silences": ("insert", "delete", "ends_at", "ended_by"),
    "publications": ("insert", "delete", "state", "phase", "title", "impact_override"),
    "publication_updates": ("insert", "delete", "body"),
    "public_maintenances": ("insert", "delete", "stage"),
    "component_overrides": ("insert", "delete", "cleared_at"),
    "runbook_steps": ("insert", "state"),
    "step_runs": ("delete", "approved_by", "started_at", "ended_at"),
    "action_items": ("insert", "delete", "title", "owner", "due", "state"),
    "status_subscribers": ("insert",),
    "deployments": ("insert", "delete", "status", "finished_at"),
    "drills": ("insert", "delete", "finished_at"),
    "tokens": ("insert", "delete", "hash", "scopes", "expires_at", "revoked_at"),
    "accounts": ("insert", "delete", "role", "teams", "password_hash", "disabled_at"),
    "sessions": ("insert", "revoked_at"),
    "calendars": ("version",),
    "deliveries": ("delete", "retried_at"),
    "quarantine": ("delete",),
    "journal": ("delete",),
    "settings": ("insert",),
}  # fmt: skip
"""Table -> what is watched of it: its rows coming and going, and columns that get another value."""
ONLY_IF = {
    ("settings", "insert"): "NEW.name LIKE '%secret%'",
    ("silences", "insert"): "NOT NEW.found",
    ("calendars", "version"): "NEW.version > 1",
    ("status_subscribers", "insert"): "NEW.contact = ''",
}
"""What narrows it: a found silence is none of ours, the other settings are marks of how far a job has come, and who
subscribes to the public page by mail is a stranger, of whom the log keeps nothing."""
UNWATCHED = {
    "alerts": "what sources say: the journal has their bodies, the timeline what followed",
    "occurrences": "as alerts",
    "timeline": "tells of changes to incidents, which are watched",
    "channel_references": "what vendors answered",
    "destinations": "how vendors fare; what follows from it is an incident",
    "inbound_events": "a memory for call-backs that come again",
    "heartbeats": "signs of life; a missing one is an incident",
    "escalations": "how far a policy has gone; each step it takes is in the timeline, and audited",
    "proofs": "derived from deliveries and acknowledgements",
    "reconcile_sources": "rounds of asking; what follows from them is a change to incidents",
    "source_alerts": "as reconcile_sources",
    "incidents_at_source": "as reconcile_sources",
    "change_events": "deliveries about deployments",
    "component_watches": "derived from incidents and publications",
    "component_days": "as component_watches",
    "status_announcements": "written with the publication, which is watched",
    "status_deliveries": "of what became public, to who asked for it",
    "runbook_texts": "contents of files, by hash",
    "incident_runbooks": "written with the incident that opens",
    "audit_events": "the log itself",
    "audit_head": "the log itself",
    "audit_checkpoints": "the log itself",
    "audit_keys": "the log itself",
    "audit_private": "the log itself",
    "audit_exports": "the log itself",
}
"""Table -> why its changes need no entry of their own."""


def triggers() -> Iterator[tuple[str, str]]:
    """Every watched change, and the trigger that notes it."""
    for table, changes in WATCHED.items():
        for change in changes:
            row = "INSERT" if change == "insert" else "DELETE" if change == "delete" else "UPDATE"
            when = ONLY_IF.get((table, change), "1")
            if row == "UPDATE":
                when += f' AND OLD."{change}" IS NOT NEW."{change}"'
            name = f"{table}.{change}"
            event = f"AFTER {row} ON main.{table} WHEN {when}"
            noting = f"INSERT INTO changed VALUES ('{name}')"  # noqa: S608 - of the table above
            yield name, f'CREATE TEMP TRIGGER "{name}" {event} BEGIN {noting}; END'


def _watch(tx: Tx) -> bool:
    """Have the database watch; False if it has no tables yet."""
    ask = tx.conn.exec_driver_sql
    if ask("SELECT 1 FROM sqlite_temp_master WHERE name = 'changed'").first():
        return True
    if not ask("SELECT 1 FROM sqlite_master WHERE name = 'audit_events'").first():
        return False
    ask("CREATE TEMP TABLE changed (what TEXT)")
    ask(
        "CREATE TEMP TRIGGER audited AFTER INSERT ON main.audit_events "
        "BEGIN INSERT INTO changed VALUES ('audited'); END"
    )
    for _, statement in triggers():
        ask(statement)
    return True


def watched(work: Callable[[Tx], T], tell: Callable[[set[str]], object], tx: Tx) -> T:
    """Do `work`; `tell` of what it changed, `audited` among it if it wrote an entry. SQLite only."""
    watching = not tx.postgresql and _watch(tx)
    result = work(tx)
    if watching:
        tx.endings.append(partial(_look, tell))
    return result


def _look(tell: Callable[[set[str]], object], tx: Tx) -> None:
    found = {row[0] for row in tx.conn.exec_driver_sql("SELECT DISTINCT what FROM changed")}
    if found:
        tx.conn.exec_driver_sql("DELETE FROM changed")
        tell(found)


def place_of(work: Callable[..., Any]) -> str:
    """Where a unit of work is written."""
    inner = work.func if isinstance(work, partial) else work
    return f"{inner.__module__}.{getattr(inner, '__qualname__', '?')}"


class WatchedStore(Store):
    """A store that knows which of incidentd's own units of work changed something without an entry."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.silent: list[tuple[str, set[str]]] = []
        self.changed: set[str] = set()
        """Everything that changed, with an entry or without."""

    async def write(self, work: Callable[[Tx], T]) -> T:
        """As the store does, watching."""
        place = place_of(work)

        def tell(found: set[str]) -> None:
            self.changed |= found
            # What a test does to the database by itself is no workflow.
            if "audited" not in found and not place.startswith("tests."):
                self.silent.append((place, found))

        return await super().write(partial(watched, work, tell))
