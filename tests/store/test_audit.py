"""The audit log's chain: whole whatever happens, on both databases, with several replicas, and after an erasure."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from incidentd.audit.checkpoint import sign
from incidentd.audit.judge import BrokenError, Fault, Verified
from incidentd.audit.verify import verify
from incidentd.store import audit, audit_keys, schema_audit
from incidentd.store.engine import Store, StoreRejectedError, StoreUnavailableError, Tx
from incidentd.store.migrate import migrate
from incidentd.workflows import audit as workflow
from incidentd.workflows.audit import Introduced
from incidentd.workflows.audit_export import Wanted, bundle
from tests.audit.forger import unlock
from tests.audit.sample import KEY, OTHER, key_of

NOW = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)
THIRD = key_of(3)


async def do(store: Store, actor: str = "alice", count: int = 1, text: str = "mine") -> None:
    """`count` transactions, each with one entry."""
    for number in range(count):
        what = f"incident:{number}"
        await store.write(lambda tx, w=what: workflow.note(tx, NOW, actor, "tried", w, {}, {"text": text}))  # type: ignore[misc]


async def exported(store: Store) -> bytes:
    """The whole log as a bundle."""
    first, last = await store.read(lambda tx: workflow.piece_of(tx, None, None))
    parts = bundle(store, KEY, "test", Wanted("json", first, last, NOW))
    return b"".join([part async for part in parts])


async def whole(store: Store) -> Verified:
    """What the judge says of the whole log, which must be good."""
    return verify(io.BytesIO(await exported(store)), [KEY.public])


async def test_every_transaction_adds_to_one_chain(store: Store) -> None:
    await do(store, count=3)

    def twice(tx: Tx) -> None:
        workflow.note(tx, NOW, "bob", "first")
        workflow.note(tx, NOW, "source", "second")

    await store.write(twice)
    found = await whole(store)
    assert (found.first, found.last) == (1, 5)


async def test_what_is_rolled_back_leaves_no_entry_and_no_gap(store: Store) -> None:
    def fails(tx: Tx) -> None:
        workflow.note(tx, NOW, "alice", "never")
        raise KeyError("no")

    await do(store)
    with pytest.raises(KeyError):
        await store.write(fails)
    await do(store)
    assert (await whole(store)).last == 2


async def test_the_database_itself_refuses_to_change_or_delete_an_entry(store: Store) -> None:
    await do(store)
    await store.write(lambda tx: workflow.introduce(tx, KEY, NOW))
    await store.write(lambda tx: workflow.checkpoint(tx, KEY, NOW))
    taken = []
    for table, column in GUARDED.items():
        copied = sa.insert(table).from_select(list(table.c), sa.select(table).limit(1))
        replaced = copied.prefix_with("OR REPLACE", dialect="sqlite")
        backwards: dict[str, object] = {column: "{}" if column != "seq" else 0}
        for statement in (sa.update(table).values(backwards), sa.delete(table), replaced):
            if table.name == "audit_private" and isinstance(statement, sa.Delete):
                continue  # what is about people can be erased
            try:
                await store.write(lambda tx, s=statement: tx.conn.execute(s))  # type: ignore[misc]
            except (StoreRejectedError, StoreUnavailableError):
                continue
            taken.append(str(statement))
    assert taken == []
    assert (await whole(store)).last == 2


GUARDED = {
    schema_audit.audit_events: "entry",
    schema_audit.audit_head: "seq",
    schema_audit.audit_checkpoints: "hash",
    schema_audit.audit_keys: "public",
    schema_audit.audit_private: "value",
}


async def test_signed_heads_beyond_the_chains_end_may_go_and_no_others(store: Store) -> None:
    await do(store, count=2)
    await store.write(lambda tx: workflow.checkpoint(tx, KEY, NOW))
    await store.write(lambda tx: audit_keys.add(tx, sign(KEY, 9, "ab" * 32, NOW)))
    assert await store.write(lambda tx: audit_keys.drop_beyond(tx, 2)) == 1
    with pytest.raises((StoreRejectedError, StoreUnavailableError)):
        await store.write(lambda tx: audit_keys.drop_beyond(tx, 0))


@pytest.fixture
async def replicas(pg_url: str) -> AsyncIterator[list[Store]]:
    """Two stores on one PostgreSQL."""
    await migrate(pg_url)
    stores = [Store(pg_url), Store(pg_url)]
    yield stores
    for each in stores:
        await each.close()


async def test_replicas_that_append_at_once_keep_one_unbroken_chain(replicas: list[Store]) -> None:
    async with asyncio.TaskGroup() as group:
        for number, store in enumerate(replicas * 4):
            group.create_task(do(store, f"person-{number % 3}", count=25))
    found = await whole(replicas[0])
    assert (found.first, found.last, found.count) == (1, 200, 200)
    people = sa.select(sa.func.count()).where(schema_audit.audit_private.c.field == "actor")
    assert await replicas[1].read(lambda tx: tx.conn.execute(people).scalar_one()) == 3


async def test_replicas_that_start_and_sign_at_once_introduce_one_key_and_sign_one_head(
    replicas: list[Store],
) -> None:
    # Not even the head's row is there: somebody made the tables by hand.
    await replicas[0].write(unlock)
    await replicas[0].write(lambda tx: tx.conn.execute(sa.delete(schema_audit.audit_head)))
    many = replicas * 3
    made = await asyncio.gather(
        *[each.write(lambda tx: workflow.introduce(tx, KEY, NOW)) for each in many], *[do(e) for e in many]
    )
    assert [each for each in made if each is Introduced.FIRST] == [Introduced.FIRST]
    signed = await asyncio.gather(
        *[each.write(lambda tx: audit_keys.add(tx, sign(KEY, 3, "ab" * 32, NOW))) for each in many]
    )
    assert sorted(signed) == [False] * 5 + [True]
    await replicas[0].write(lambda tx: tx.conn.execute(sa.delete(schema_audit.audit_checkpoints)))
    found = await whole(replicas[0])
    assert (found.last, found.unvouched) == (7, ())


async def test_a_head_is_signed_after_a_hundred_entries_or_a_minute_and_once(store: Store) -> None:
    assert not await store.read(lambda tx: workflow.checkpoint_due(tx, NOW))
    await do(store)
    later = NOW + timedelta(seconds=60)
    assert not await store.read(lambda tx: workflow.checkpoint_due(tx, later - timedelta(seconds=1)))
    assert await store.read(lambda tx: workflow.checkpoint_due(tx, later))
    assert await store.write(lambda tx: workflow.checkpoint(tx, KEY, later)) is not None
    assert await store.write(lambda tx: workflow.checkpoint(tx, KEY, later)) is None
    assert not await store.read(lambda tx: workflow.checkpoint_due(tx, later))
    await do(store, count=100)
    assert await store.read(lambda tx: workflow.checkpoint_due(tx, NOW))


async def test_a_key_is_introduced_once_and_its_successor_is_vouched_for(store: Store) -> None:
    given = ((KEY, None), (KEY, None), (OTHER, KEY), (THIRD, None))
    for (key, before), expected in zip(given, ("first", "known", "vouched", "unvouched"), strict=True):
        found = await store.write(lambda tx, k=key, b=before: workflow.introduce(tx, k, NOW, b))  # type: ignore[misc]
        assert found.value == expected
    entries = [e.entry.decode() for e in await store.read(lambda tx: audit.after(tx, 0, 10))]
    afters = ["null", f'"{KEY.public.id}"', f'"{OTHER.public.id}"']
    assert [f'"after":{after}' in entry for after, entry in zip(afters, entries, strict=True)] == [True] * 3
    await store.write(lambda tx: workflow.checkpoint(tx, OTHER, NOW))
    proved = await whole(store)
    assert (proved.checkpoints, proved.unvouched) == (1, (3,))
    listed = [key for _, key in await store.read(audit_keys.keys)]
    assert {key.id for key in listed} == {KEY.public.id, OTHER.public.id, THIRD.public.id}


async def test_a_person_who_is_erased_is_nobody_any_more_and_the_chain_stays_whole(store: Store) -> None:
    await do(store, "alice", text="call me at +49 30 12")
    await do(store, "bob", text="fine")
    erased = await store.write(lambda tx: workflow.erase(tx, "alice", "carol", NOW))
    assert erased >= 1
    found = await exported(store)
    assert [word in found for word in (b"alice", b"+49 30 12", b"bob", b"fine")] == [False, False, True, True]
    assert (await whole(store)).last == 3
    assert await store.write(lambda tx: workflow.erase(tx, "alice", "carol", NOW)) == 0
    await do(store, "alice")
    assert b"alice" in await exported(store), "who acts anew is known anew, by another reference"


async def test_a_person_who_never_acted_is_erased_from_the_texts_of_others(store: Store) -> None:
    await do(store, "bob", text="assigned to alice")
    await do(store, "bob", text="malice is another word")
    assert await store.write(lambda tx: workflow.erase(tx, "alice", "carol", NOW)) == 1
    found = await exported(store)
    assert [word in found for word in (b"to alice", b"malice")] == [False, True]
    assert await store.write(lambda tx: workflow.erase(tx, "alice", "carol", NOW)) == 0


async def test_whoever_asks_for_all_until_some_time_gets_it_from_the_first_entry_on(store: Store) -> None:
    await do(store, count=2)
    for until, expected in ((NOW, (1, 0)), (NOW + timedelta(seconds=1), (1, 2))):
        assert await store.read(lambda tx, u=until: workflow.piece_of(tx, None, u)) == expected  # type: ignore[misc]


async def test_one_person_has_one_reference(store: Store) -> None:
    await do(store, "alice", count=3)
    table = schema_audit.audit_private
    people = await store.read(lambda tx: tx.conn.execute(sa.select(table.c.value, table.c.field)).all())
    assert sorted(tuple(row) for row in people) == [("alice", "actor"), *[("mine", "text")] * 3]


@pytest.mark.parametrize("statement", ["entry = replace(entry, 'tried', 'fried')", "hash = 'ab'", "seq = 9"])
async def test_a_row_that_was_changed_behind_the_databases_back_shows(store: Store, statement: str) -> None:
    await do(store, count=3)

    def tamper(tx: Tx) -> None:
        unlock(tx)
        tx.conn.exec_driver_sql(f"UPDATE audit_events SET {statement} WHERE seq = 2")  # noqa: S608 - of this test

    await store.write(tamper)
    with pytest.raises(BrokenError) as broken:
        verify(io.BytesIO(await exported(store)))
    assert broken.value.seq == 2
    assert broken.value.fault in {Fault.ALTERED, Fault.MISSING, Fault.MALFORMED}


async def test_a_span_of_time_is_the_shortest_piece_that_holds_it(store: Store) -> None:
    for minute in range(5):
        at = NOW + timedelta(minutes=minute)
        await store.write(lambda tx, at=at: workflow.note(tx, at, "source", "tick"))  # type: ignore[misc]
    span = (NOW + timedelta(minutes=1), NOW + timedelta(minutes=3))
    assert await store.read(lambda tx: workflow.piece_of(tx, *span)) == (2, 3)
    assert await store.read(lambda tx: workflow.piece_of(tx, span[1], None)) == (4, 5)
    nothing = NOW + timedelta(days=1)
    assert await store.read(lambda tx: workflow.piece_of(tx, nothing, None)) == (6, 5)


async def test_old_texts_are_forgotten_little_by_little_and_who_did_what_stays(store: Store) -> None:
    await do(store, "alice", count=3, text="old words")
    later = NOW + timedelta(days=1)
    await store.write(lambda tx: workflow.note(tx, later, "bob", "tried", "", {}, {"text": "new words"}))
    limit = NOW + timedelta(hours=1)
    for gone in (2, 1, 0):
        assert await store.write(lambda tx: audit.forget_texts(tx, limit, 2)) == gone
    found = await exported(store)
    assert [word in found for word in (b"old words", b"new words", b"alice")] == [False, True, True]
    assert (await whole(store)).last == 4


async def test_what_was_forgotten_is_noted_with_how_much_and_how_old(store: Store) -> None:
    await store.write(lambda tx: workflow.deleted(tx, "incidents", 0, NOW, NOW))
    await store.write(lambda tx: workflow.deleted(tx, "incidents", 50, NOW, NOW))
    [entry] = await store.read(lambda tx: audit.after(tx, 0, 10))
    assert b'"data":{"before":"2026-11-21T16:00:00.000000Z","count":50,"what":"incidents"}' in entry.entry
