"""What a sender was promised, on disk, and the comparison of that with the database and the vendors."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from incidentd.store.engine import Store
from tests.acceptance.harness import Vendors


def key_of(alert: dict[str, Any]) -> tuple[str, int]:
    """The identity of an occurrence: fingerprint and start, in microseconds."""
    starts = datetime.fromisoformat(alert["startsAt"])
    return alert["fingerprint"], round(starts.timestamp() * 1_000_000)


@dataclass
class Ledger:
    """Every alert that was answered 200, written and synced before the next post of that sender."""

    path: Path
    taken: list[dict[str, Any]] = field(default_factory=list)

    def note(self, alerts: Iterable[dict[str, Any]]) -> None:
        """These were acknowledged."""
        with self.path.open("a", encoding="utf-8") as file:
            for alert in alerts:
                self.taken.append(alert)
                file.write(json.dumps(alert) + "\n")
            file.flush()
            os.fsync(file.fileno())


@dataclass(frozen=True)
class Kept:
    """What stands in a database, whether or not a daemon is running."""

    occurrences: dict[tuple[str, int], tuple[int | None, int | None]]
    """(fingerprint, start) -> (incident, end)."""
    incidents: dict[int, str]
    """Incident -> state."""
    deliveries: list[dict[str, Any]]
    timeline: dict[int, list[tuple[int, int]]]
    """Incident -> (seq, at) in the order of seq."""

    @property
    def leased(self) -> int:
        """Rows that were being sent when the daemon ended."""
        return sum(row["state"] == "leased" for row in self.deliveries)


Rows = Sequence[Mapping[str, Any]]


def read(database: Path) -> Kept:
    """Open an SQLite file as the next daemon will, after whatever happened to the last one."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.row_factory = sqlite3.Row
        return _kept(lambda query: [dict(row) for row in connection.execute(query)])


async def read_postgresql(url: str) -> Kept:
    """What the replicas on this database have written."""
    store = Store(url)
    try:
        return await store.read(lambda tx: _kept(lambda query: [*tx.conn.execute(sa.text(query)).mappings()]))
    finally:
        await store.close()


def _kept(ask: Callable[[str], Rows]) -> Kept:
    occurrences = {
        (row["fingerprint"], row["starts_at"]): (row["incident_id"], row["ends_at"])
        for row in ask(
            "SELECT a.fingerprint, o.starts_at, o.incident_id, o.ends_at"
            " FROM occurrences o JOIN alerts a ON a.id = o.alert_id"
        )
    }
    timeline: dict[int, list[tuple[int, int]]] = {}
    for row in ask("SELECT incident_id, seq, at FROM timeline ORDER BY incident_id, seq"):
        timeline.setdefault(row["incident_id"], []).append((row["seq"], row["at"]))
    incidents = {row["id"]: row["state"] for row in ask("SELECT id, state FROM incidents")}
    deliveries = [dict(row) for row in ask("SELECT * FROM deliveries")]
    return Kept(occurrences, incidents, deliveries, timeline)


def check(ledger: Ledger, kept: Kept, told: Vendors) -> int:
    """Compare everything; how many messages PagerDuty got more than once. The outbox must have drained."""
    nothing_is_lost(ledger, kept)
    everything_is_in_order(kept)
    assert {row["state"] for row in kept.deliveries} <= {"sent", "superseded"}
    return everybody_was_told(kept, told)


def nothing_is_lost(ledger: Ledger, kept: Kept) -> None:
    """Each acknowledged occurrence is stored in an incident, and over if its end was acknowledged."""
    assert ledger.taken, "nothing was acknowledged: nothing was proven"
    for alert in ledger.taken:
        incident, ends = kept.occurrences[key_of(alert)]
        assert incident in kept.incidents, alert
        if alert["status"] == "resolved":
            assert ends is not None, alert
            assert kept.incidents[incident] == "resolved", alert


def everything_is_in_order(kept: Kept) -> None:
    """Each incident's lines are numbered without a gap, and their times never run backwards."""
    assert kept.timeline.keys() == kept.incidents.keys()
    for lines in kept.timeline.values():
        assert [seq for seq, _ in lines] == list(range(1, len(lines) + 1))
        assert [at for _, at in lines] == sorted(at for _, at in lines)
    paged = {row["incident_id"] for row in kept.deliveries if row["class"] == "page"}
    assert paged == kept.incidents.keys(), "each incident has its page"


def everybody_was_told(kept: Kept, told: Vendors) -> int:
    """Each incident was paged, and closed if it is over; repeats have the same key. Returns their number."""
    assert told.violations == []
    pages = Counter(told.pages())
    numbers = {int(key.rsplit("-", 2)[1]): key for _, key in pages}
    assert len(numbers) == len({key for _, key in pages}), "one key per incident"
    assert numbers.keys() == kept.incidents.keys()
    for number, state in kept.incidents.items():
        assert pages["trigger", numbers[number]] >= 1
        assert (pages["resolve", numbers[number]] >= 1) == (state == "resolved")
    # A delivery keeps its id in every attempt, so the receiver can tell a repeat from news.
    sent = [row for row in kept.deliveries if row["channel"] == "hook" and row["state"] == "sent"]
    assert len(set(told.hook.ids)) == len(sent)
    return sum(pages.values()) - len(pages) + len(told.hook.ids) - len(set(told.hook.ids))
