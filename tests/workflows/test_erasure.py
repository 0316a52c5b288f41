"""A person who is erased is nowhere any more, what they did is, and the audit log stays whole."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from incidentd.domain.incident import Change, Entry
from incidentd.store import audit as store
from incidentd.store import schema
from incidentd.store.erasure import ERASED
from incidentd.workflows import audit
from tests.workflows.world import World, fires

TABLES = schema.metadata.tables
HELD: dict[str, dict[str, Any]] = {
    "accounts": {"name": "alice", "password_hash": "x", "role": "admin", "created_at": 1, "password_at": 1},
    "sessions": {"hash": "h", "actor": "alice", "provider": "local", "role": "admin", "created_at": 1, "seen_at": 1},
    "action_items": {
        "incident_id": 1, "title": "ask alice", "owner": "alice", "state": "open", "created_by": "alice",
        "created_at": 1, "closed_by": "alice", "comment": "alice knows",
    },
    "drills": {
        "id": "d", "name": "weekly", "requested_by": "alice", "severity": "info", "service": "", "source": "x",
        "targets": '["alice"]', "registered_at": 1, "deadline_at": 2, "due_at": 1, "state": "done",
        "reasons": '["alice was not reached"]',
    },
    "step_runs": {
        "incident_id": 1, "number": 1, "book": "b", "kind": "command", "subject": "s", "changes": False,
        "state": "done", "created_at": 1, "dry_run": False, "asked_by": "alice", "approved_by": "alice",
        "comment": "alice may", "turn_at": 1, "attempts": 1, "generation": 1, "summary": "by alice",
        "output": "alice", "data": '{"who": "alice"}',
    },
}  # fmt: skip


def everywhere(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """The whole database, by table."""
    tables = schema.metadata.sorted_tables
    return {
        table.name: world.write(lambda tx, t=table: [tuple(row) for row in tx.conn.execute(sa.select(t))])  # type: ignore[misc]
        for table in tables
    }


def test_who_is_erased_is_in_no_table_any_more_and_others_are(world: World) -> None:
    world.post(fires("a"))
    world.acknowledge()
    said = Entry("note", "bob", "alice has the key, malice does not")
    world.act(1, lambda i: Change(i, said))
    assert "alice has" in str(everywhere(world))
    assert world.write(lambda tx: audit.erase(tx, "alice", "carol", world.now)) > 0
    after = everywhere(world)
    found = [name for name, rows in after.items() if "'alice'" in str(rows) or " alice " in str(rows)]
    assert found == []
    assert ["malice" in str(after["timeline"]), "bob" in str(after["timeline"])] == [True, True]
    assert world.incident().acknowledged_by == ERASED
    assert world.timeline() == ["triggered", "acknowledged", "note"]
    entries = world.write(lambda tx: store.after(tx, 0, 100))
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))


def test_who_is_erased_is_in_no_account_session_action_drill_or_run_of_a_step_either(world: World) -> None:
    world.post(fires("a"))
    for table, values in HELD.items():
        world.write(lambda tx, t=table, v=values: tx.conn.execute(sa.insert(TABLES[t]).values(v)))  # type: ignore[misc]
    assert world.write(lambda tx: audit.erase(tx, "alice", "carol", world.now)) > 0
    after = everywhere(world)
    assert [table for table in HELD if "alice" in str(after[table])] == []
    assert {table: len(after[table]) for table in HELD} == {table: table != "sessions" for table in HELD}
    account = world.write(lambda tx: tx.conn.execute(sa.select(TABLES["accounts"])).one())
    assert account.disabled_at is not None, "nobody signs in, and the daemon still asks who somebody is"


def test_nobody_is_erased_twice_and_who_is_unknown_not_at_all(world: World) -> None:
    world.post(fires("a"))
    assert world.write(lambda tx: audit.erase(tx, "alice", "carol", world.now)) == 0
    world.acknowledge()
    assert world.write(lambda tx: audit.erase(tx, "alice", "carol", world.now)) > 0
    assert world.write(lambda tx: audit.erase(tx, "alice", "carol", world.now)) == 0
