"""The daemon signs only a chain that passes through what it signed before, and says so where it does not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from incidentd.audit.chain import GENESIS, Actor, Event, seal
from incidentd.audit.checkpoint import Checkpoint
from incidentd.store import schema_audit as schema
from incidentd.store.engine import Store, Tx
from incidentd.workflows import audit as workflow
from incidentd.workflows.audit_sound import examine, vouch
from tests.audit.sample import KEY, OTHER

NOW = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)


def unlock(tx: Tx) -> None:
    """What the owner of the database can do."""
    if tx.postgresql:
        tx.conn.exec_driver_sql("ALTER TABLE audit_events DISABLE TRIGGER ALL")
    else:
        tx.conn.exec_driver_sql("DROP TRIGGER IF EXISTS audit_events_no_update")
        tx.conn.exec_driver_sql("DROP TRIGGER IF EXISTS audit_events_no_delete")


def rewrite(tx: Tx, count: int) -> None:
    """Another chain of so many entries, in which every link is good, and no trace of a signed head."""
    unlock(tx)
    for table in (schema.audit_events, schema.audit_checkpoints):
        tx.conn.execute(sa.delete(table))
    head = GENESIS
    for seq in range(1, count + 1):
        sealed = seal(Event(NOW, Actor("machine", "source"), "forged", "", {}), seq, head, "", {})
        head = sealed.hash
        row = {"seq": seq, "at": 0, "entry": sealed.entry.decode(), "hash": head}
        tx.conn.execute(sa.insert(schema.audit_events).values(row))
    tx.conn.execute(sa.update(schema.audit_head).values(seq=count, hash=head))


def cut(tx: Tx) -> None:
    """The last entry is gone, and the head moved back."""
    unlock(tx)
    e = schema.audit_events.c
    tx.conn.execute(sa.delete(schema.audit_events).where(e.seq == 3))
    found = tx.conn.execute(sa.select(e.hash).where(e.seq == 2)).scalar_one()
    tx.conn.execute(sa.update(schema.audit_head).values(seq=2, hash=found))


async def noted(store: Store, count: int) -> None:
    """So many entries."""
    for _ in range(count):
        await store.write(lambda tx: workflow.note(tx, NOW, "alice", "tried"))


async def signed(store: Store, before: Checkpoint | None = None) -> tuple[Checkpoint | None, str]:
    """What the daemon makes of the chain's end."""
    return await store.write(lambda tx: vouch(tx, KEY, before, NOW))


async def test_a_chain_that_goes_on_is_signed_again_and_again(store: Store) -> None:
    assert await signed(store) == (None, "")
    await noted(store, 3)
    one, problem = await signed(store)
    assert one is not None
    assert (one.seq, problem) == (3, "")
    assert await signed(store, one) == (one, "")
    await noted(store, 2)
    two, _ = await signed(store, one)
    assert two is not None
    assert two.seq == 5
    assert await store.read(lambda tx: examine(tx, KEY.public, one)) == (two, "")


@pytest.mark.parametrize("count", [3, 5])
async def test_a_chain_that_was_rewritten_is_not_signed_even_without_a_trace_in_the_database(
    store: Store, count: int
) -> None:
    await noted(store, 3)
    one, _ = await signed(store)
    await store.write(lambda tx: rewrite(tx, count))
    assert await signed(store, one) == (
        None,
        "entry 3 is not the one that was signed: the chain was rewritten",
    )


async def test_a_tail_that_was_cut_is_told_of_also_by_a_daemon_that_was_started_since(store: Store) -> None:
    await noted(store, 3)
    one, _ = await signed(store)
    await store.write(cut)
    for known in (one, None):
        head, problem = await store.read(lambda tx, k=known: examine(tx, KEY.public, k))  # type: ignore[misc]
        assert head is None
        assert problem.startswith("entry 3 was signed, but the chain ends with 2")


@pytest.mark.parametrize("column", ["entry", "hash"])
async def test_an_entry_that_was_changed_before_it_is_signed_is_not_signed(store: Store, column: str) -> None:
    await noted(store, 3)

    def change(tx: Tx) -> None:
        unlock(tx)
        events = schema.audit_events
        tx.conn.execute(sa.update(events).where(events.c.seq == 2).values({column: "ab" * 32}))

    await store.write(change)
    assert await signed(store) == (None, "entry 2 does not follow the one before it: the chain was rewritten")


async def test_a_head_that_somebody_else_put_into_the_database_is_told_of(store: Store) -> None:
    await noted(store, 3)
    forged = await store.write(lambda tx: workflow.checkpoint(tx, OTHER, NOW))
    assert forged is not None
    await store.write(
        lambda tx: tx.conn.execute(sa.update(schema.audit_checkpoints).values(key=KEY.public.id))
    )
    assert await signed(store) == (None, "the signature of the head 3 in the database is wrong")
