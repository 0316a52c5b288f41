"""Several workers on one PostgreSQL."""

from collections import Counter
from datetime import timedelta

from incidentd.channels.base import Rate
from incidentd.delivery.traits import Traits
from incidentd.domain.notification import DeliveryState
from incidentd.store.engine import Store
from tests.delivery.cast import AMBIGUOUS, MACHINE, OK, RETRY, FakeSender, Office


async def test_two_workers_never_send_a_row_twice(pg_office: Office, pg_url: str) -> None:
    other = Store(pg_url)
    first, second = FakeSender(), FakeSender()
    pg_office.hire({"chat": first}, "w-1", traits=MACHINE)
    pg_office.hire({"chat": second}, "w-2", store=other, traits=MACHINE)
    numbers = [await pg_office.declare() for _ in range(40)]
    for number in numbers:
        await pg_office.end(number)
    while await pg_office.waiting():
        await pg_office.settled()
    heard = [message.delivery_id for message in (*first.heard, *second.heard)]
    assert len(heard) == len(set(heard)) == 80
    assert {row.attempts for row in await pg_office.rows()} == {1}
    await pg_office.close()
    await other.close()


async def test_a_storm_within_a_rate_tells_each_incident_once_whoever_carries_it(
    pg_office: Office, pg_url: str
) -> None:
    """Rows ride in the messages of others, and some messages need a second attempt: still no row is told twice."""
    other = Store(pg_url)
    traits = {"chat": Traits(rate=Rate(per_second=1, burst=3))}
    first, second = FakeSender(*[OK, RETRY, OK, AMBIGUOUS]), FakeSender(*[RETRY, OK, RETRY])
    pg_office.hire({"chat": first}, "w-1", traits=traits)
    pg_office.hire({"chat": second}, "w-2", store=other, traits=traits)
    numbers = [await pg_office.declare() for _ in range(60)]
    while await pg_office.waiting():
        await pg_office.later(5)
    accepted = [*first.accepted, *second.accepted]
    told = Counter(incident.id for m in accepted for incident in (m.incident, *m.bundle))
    assert told == dict.fromkeys(numbers, 1)
    # Every attempt counts in its row, and only those that failed were repeated, under their own key.
    heard = Counter(m.delivery_id for m in (*first.heard, *second.heard))
    rows = {f"abcd-{row.id}": row for row in await pg_office.rows()}
    assert {key: rows[key].attempts for key in heard} == heard
    assert sum(heard.values()) - len(heard) == 4
    assert any(m.bundle for m in accepted)
    assert all(row.state is DeliveryState.SENT for row in rows.values())
    await pg_office.close()
    await other.close()


async def test_the_order_of_a_lane_holds_across_workers(pg_office: Office, pg_url: str) -> None:
    other = Store(pg_url)
    said: list[tuple[int, str]] = []
    senders = [FakeSender(*[RETRY] * 20), FakeSender(*[RETRY] * 20)]
    for sender in senders:
        sender.on_send = lambda message: said.append((message.incident.id, message.notice.value))
    pg_office.hire({"chat": senders[0]}, "w-1", traits=MACHINE)
    pg_office.hire({"chat": senders[1]}, "w-2", store=other, traits=MACHINE)
    for _ in range(15):
        await pg_office.end(await pg_office.declare())
    while await pg_office.waiting():
        await pg_office.later(30)
    for number in {number for number, _ in said}:
        notices = [notice for each, notice in said if each == number]
        assert notices == sorted(notices, reverse=True), "a trigger after its resolve"
    assert len([1 for sender in senders for _ in sender.accepted]) == 30
    await pg_office.close()
    await other.close()


async def test_the_rows_of_a_worker_that_died_are_sent_by_the_other(pg_office: Office, pg_url: str) -> None:
    other = Store(pg_url)
    dead, alive = FakeSender(open_gate=False), FakeSender()
    pg_office.hire({"chat": dead}, "w-1")
    await pg_office.declare()
    await dead.spoken_to.wait()
    pg_office.workers.clear()  # it hangs for good, and nobody waits for it
    pg_office.hire({"chat": alive}, "w-2", store=other)
    await pg_office.settled()
    assert alive.heard == []
    pg_office.clock._now += timedelta(seconds=26)
    await pg_office.settled()
    await pg_office.settled()
    assert [m.delivery_id for m in alive.heard] == [m.delivery_id for m in dead.heard]
    await pg_office.close()
    await other.close()
