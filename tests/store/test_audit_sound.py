"""The daemon signs only a chain that passes through what it signed before, and says so where it does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from incidentd.audit.chain import GENESIS, Actor, Event, canonical, seal
from incidentd.audit.checkpoint import Checkpoint, sign
from incidentd.audit.checkpoint import accept as accept_with
from incidentd.store import audit, settings
from incidentd.store import schema_audit as schema
from incidentd.store.engine import Store, Tx
from incidentd.workflows import audit as workflow
from incidentd.workflows.audit_sound import Found, accept, examine, note_acceptance, vouch
from tests.audit.forger import unlock
from tests.audit.sample import KEY, OTHER

NOW = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)


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


async def signed(store: Store, before: Checkpoint | None = None) -> Found:
    """What the daemon makes of the chain's end."""
    return await store.write(lambda tx: vouch(tx, KEY, before, NOW))


async def head_of(store: Store, before: Checkpoint | None = None) -> Checkpoint:
    """The head that is signed, for nothing is wrong."""
    found = await signed(store, before)
    assert found.problem == ""
    assert found.head is not None
    return found.head


async def test_a_chain_that_goes_on_is_signed_again_and_again(store: Store) -> None:
    assert await signed(store) == Found()
    await noted(store, 3)
    one = await head_of(store)
    assert one.seq == 3
    assert await signed(store, one) == Found(one)
    await noted(store, 2)
    two = await head_of(store, one)
    assert two.seq == 5
    assert await store.read(lambda tx: examine(tx, KEY.public, one)) == Found(two)


@pytest.mark.parametrize("count", [3, 5])
async def test_a_chain_that_was_rewritten_is_not_signed_even_without_a_trace_in_the_database(
    store: Store, count: int
) -> None:
    await noted(store, 3)
    one = await head_of(store)
    await store.write(lambda tx: rewrite(tx, count))
    assert await signed(store, one) == Found(
        problem="entry 3 is not the one that was signed: the chain was rewritten"
    )


async def test_a_tail_that_was_cut_is_told_of_also_by_a_daemon_that_was_started_since(store: Store) -> None:
    await noted(store, 3)
    one = await head_of(store)
    await store.write(cut)
    for known in (one, None):
        found = await store.read(lambda tx, k=known: examine(tx, KEY.public, k))  # type: ignore[misc]
        assert found.head is None
        assert found.problem.startswith("entry 3 was signed, but the chain ends with 2")


@pytest.mark.parametrize("harm", [cut, lambda tx: rewrite(tx, 5)], ids=["cut", "rewritten"])
async def test_what_was_accepted_is_signed_again_and_only_what_was_known_before_that(
    store: Store, harm: Callable[[Tx], None]
) -> None:
    await noted(store, 3)
    one = await head_of(store)
    await store.write(harm)
    problem = (await signed(store, one)).problem
    told = ("root", "restored last night's backup")
    await store.write(lambda tx: note_acceptance(tx, problem, one, told, NOW))
    head = await store.write(lambda tx: accept(tx, KEY, NOW))
    assert await store.read(lambda tx: examine(tx, KEY.public, one)) == Found(head, accepted=True)
    assert await signed(store, head) == Found(head)
    last = await store.read(lambda tx: audit.after(tx, head.seq - 1, 1))
    assert b'"action":"audit.accepted"' in last[0].entry
    later = sign(KEY, 3, "ab" * 32, NOW + timedelta(seconds=1))
    assert (await signed(store, later)).problem, "an old acceptance is no way to undo what was signed since"


async def test_an_acceptance_that_the_key_has_not_signed_is_none(store: Store) -> None:
    await noted(store, 3)
    one = await head_of(store)
    await store.write(cut)
    checkpoint = sign(KEY, 2, await store.read(lambda tx: audit.hash_of(tx, 2)), NOW)
    forged = [accept_with(OTHER, 2, checkpoint.hash, NOW), checkpoint]
    for each in (*[canonical(f.document).decode() for f in forged], "{}", "no JSON"):
        await store.write(lambda tx, e=each: settings.put(tx, "audit_accepted", e))  # type: ignore[misc]
        assert (await signed(store, one)).problem


@pytest.mark.parametrize("column", ["entry", "hash"])
async def test_an_entry_that_was_changed_before_it_is_signed_is_not_signed(store: Store, column: str) -> None:
    await noted(store, 3)

    def change(tx: Tx) -> None:
        unlock(tx)
        events = schema.audit_events
        tx.conn.execute(sa.update(events).where(events.c.seq == 2).values({column: "ab" * 32}))

    await store.write(change)
    found = await signed(store)
    assert found == Found(problem="entry 2 does not follow the one before it: the chain was rewritten")


async def test_a_head_that_somebody_else_put_into_the_database_is_told_of(store: Store) -> None:
    await noted(store, 3)
    forged = await store.write(lambda tx: workflow.checkpoint(tx, OTHER, NOW))
    assert forged is not None

    def rename(tx: Tx) -> None:
        unlock(tx)
        tx.conn.execute(sa.update(schema.audit_checkpoints).values(key=KEY.public.id))

    await store.write(rename)
    assert await signed(store) == Found(problem="the signature of the head 3 in the database is wrong")
