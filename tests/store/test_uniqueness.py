"""What may exist once: guaranteed by the database, whatever the code believes."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from incidentd.domain.incident import Entry
from incidentd.store import incidents, schema, timeline
from incidentd.store.engine import Store, StoreRejectedError, Tx
from incidentd.workflows.receive import receive
from tests.store.samples import MINUTE, NOW, RULES, alert, incident, post, resolved

GROUP = "main:{group}"


def opened(number: int) -> Callable[[Tx], None]:
    return lambda tx: incidents.add(tx, [incident(number, group_key=GROUP)])


async def test_a_group_has_one_open_incident(store: Store) -> None:
    await store.write(opened(1))
    with pytest.raises(StoreRejectedError):
        await store.write(opened(2))
    assert [found.id for found in await store.write(lambda tx: incidents.open_by_group(tx, [GROUP]))] == [1]


async def test_a_group_has_any_number_of_resolved_incidents_beside_the_open_one(store: Store) -> None:
    rows = [resolved(1, group_key=GROUP), resolved(2, group_key=GROUP), incident(3, group_key=GROUP)]
    await store.write(lambda tx: incidents.add(tx, rows))
    assert [found.id for found in await store.write(lambda tx: incidents.open_by_group(tx, [GROUP]))] == [3]


async def test_a_resolved_incident_cannot_be_opened_beside_another(store: Store) -> None:
    await store.write(
        lambda tx: incidents.add(tx, [resolved(1, group_key=GROUP), incident(2, group_key=GROUP)])
    )
    with pytest.raises(StoreRejectedError):
        await store.write(lambda tx: incidents.save(tx, [incident(1, group_key=GROUP)]))


async def test_an_alert_is_one_row_per_source_and_fingerprint(store: Store) -> None:
    await store.write(lambda tx: receive(tx, [post(alert())], RULES, NOW))
    with pytest.raises(StoreRejectedError):
        await store.write(
            lambda tx: tx.conn.execute(
                sa.insert(schema.alerts).from_select(
                    [c for c in schema.alerts.columns if c.name != "id"],
                    sa.select(*[c for c in schema.alerts.columns if c.name != "id"]),
                )
            )
        )


async def test_an_occurrence_is_one_row_per_alert_and_start(store: Store) -> None:
    await store.write(lambda tx: receive(tx, [post(alert())], RULES, NOW))
    await store.write(lambda tx: receive(tx, [post(alert(starts_at=NOW + MINUTE))], RULES, NOW))
    with pytest.raises(StoreRejectedError):
        await store.write(lambda tx: tx.conn.execute(sa.update(schema.occurrences).values(starts_at=1)))


async def test_a_timeline_has_each_number_once(store: Store) -> None:
    line = (1, 1, NOW, Entry("note", "alice", "first"))
    await store.write(lambda tx: timeline.append(tx, [line]))
    with pytest.raises(StoreRejectedError):
        await store.write(lambda tx: timeline.append(tx, [line]))
    assert len(await store.read(lambda tx: timeline.of_incident(tx, 1, 0, 10))) == 1


async def test_numbers_of_deleted_rows_are_not_given_out_again(store: Store) -> None:
    """Otherwise a reader that follows the numbers, or a link to INC-12, would meet somebody else."""

    def append(tx: Tx) -> None:
        timeline.append(tx, [(1, 1, NOW, Entry("note", "alice", "first"))])

    await store.write(append)
    first = await store.read(timeline.newest_id)
    await store.write(lambda tx: tx.conn.execute(sa.delete(schema.timeline)))
    await store.write(append)
    assert await store.read(timeline.newest_id) > first
