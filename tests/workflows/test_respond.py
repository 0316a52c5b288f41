"""What people and timers do to incidents, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from incidentd.domain import response
from incidentd.domain.incident import ActionRefusedError, Refusal, State
from incidentd.domain.notification import DeliveryState
from incidentd.domain.severity import Severity
from incidentd.store import deliveries, outbox, pages, schema
from incidentd.store.codec import instant
from incidentd.workflows import respond
from incidentd.workflows.respond import Declaration, NotFoundError
from tests.workflows.world import MINUTE, World, at, fires, over, stored


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A world on each kind of database, where service `api` has one incident."""
    with stored(database_url) as world:
        world.post(fires("a"))
        yield world


def test_an_acknowledgement_is_stored_told_and_done_once(world: World) -> None:
    world.minute = 2
    done = world.acknowledge()
    assert len(done.changes) == 1
    assert world.acknowledge().changes == ()
    incident = world.incident()
    assert (incident.state, incident.acknowledged_by, incident.acknowledged_at) == (
        State.ACKNOWLEDGED,
        "alice",
        at(2),
    )
    assert world.timeline() == ["triggered", "acknowledged"]
    assert world.told() == ["triggered chat", "acknowledged chat"]
    assert world.rows(schema.deliveries)[-1].comment == "on it"


def test_giving_it_back_pages_again(world: World) -> None:
    world.acknowledge()
    world.unacknowledge()
    assert world.told()[-1] == "unacknowledged chat"
    assert world.incident().state is State.TRIGGERED


def test_a_refused_act_changes_nothing(world: World) -> None:
    before = world.everything()
    with pytest.raises(ActionRefusedError) as refused:
        world.resolve(force=False)
    assert refused.value.refusal is Refusal.STILL_FIRING
    assert world.everything() == before


@pytest.mark.parametrize("act", [World.acknowledge, World.reopen, World.resolve])
def test_what_does_not_exist_is_not_found(world: World, act: Callable[[World, int], object]) -> None:
    with pytest.raises(NotFoundError, match="INC-99"):
        act(world, 99)


def test_a_reopened_incident_pages_and_ends_with_its_alerts(world: World) -> None:
    world.minute = 1
    world.resolve()
    world.reopen()
    assert world.reopen().changes == ()
    assert world.told() == ["triggered chat", "resolved chat", "reopened chat"]
    assert (world.incident().alerts_firing, world.incident().episode) == (1, 2)
    world.minute = 3
    world.post(over("a", end=2))
    assert world.incident().resolved_by == "source"


def test_reopening_is_refused_while_its_group_has_another_incident(world: World) -> None:
    world.resolve()
    world.post(fires("a", 5))
    with pytest.raises(ActionRefusedError, match="INC-2 of the same group is open") as refused:
        world.reopen()
    assert refused.value.refusal is Refusal.GROUP_BUSY


def test_an_incident_reopened_after_its_alerts_ended_stays_open_for_people(world: World) -> None:
    world.minute = 2
    world.post(over("a"))
    world.reopen()
    world.minute = 3
    world.post(fires("a", 2.5))
    assert list(world.incidents()) == [1]
    assert world.incident().alerts_firing == 1


def test_a_snooze_ends_by_the_clock_and_is_told(world: World) -> None:
    world.acknowledge()
    world.snooze(10)
    world.minute = 9.99
    assert not world.write(lambda tx: respond.timers_due(tx, world.now))
    assert world.timers() == ()
    world.minute = 10
    assert world.write(lambda tx: respond.timers_due(tx, world.now))
    (change,) = world.timers()
    assert change.incident.state is State.TRIGGERED
    assert world.told()[-1] == "escalated chat"
    assert world.timers() == ()


def test_timers_of_many_incidents_end_together(world: World) -> None:
    world.post(over("b", service="b"), over("c", service="c"))
    world.post(fires("b", service="b"), fires("c", service="c"))
    world.snooze(5)
    world.minute = 5
    assert sorted(change.incident.id for change in world.timers()) == [1, 2, 3]


def note(world: World, text: str) -> respond.Done:
    return world.write(lambda tx: respond.note(tx, 1, "alice", text, world.rules, world.now))


def test_a_note_on_an_open_incident_is_told_with_the_next_update(world: World) -> None:
    note(world, "looking at it")
    note(world, "found it")
    assert world.timeline() == ["triggered", "note", "note"]
    assert world.told() == ["triggered chat", "updated chat"]
    assert instant(world.rows(schema.deliveries)[-1].not_before) > at(0)
    world.acknowledge()
    note(world, "mended")
    assert world.told()[-1] == "updated chat"


def test_a_note_on_a_resolved_incident_is_only_written_down(world: World) -> None:
    world.resolve()
    note(world, "it was the disk")
    assert world.timeline()[-1] == "note"
    assert world.told() == ["triggered chat", "resolved chat"]


def declare(world: World, description: str = "", service: str = "shop") -> respond.Done:
    declared = Declaration("Checkout is slow", Severity.CRITICAL, service, description, "alice")
    return world.write(lambda tx: respond.declare(tx, declared, world.rules, world.now))


def test_a_declared_incident_is_routed_like_one_and_ends_by_a_persons_word(world: World) -> None:
    done = declare(world, "customers call")
    incident = world.incident(done.incident.id)
    assert (incident.declared_by, incident.labels, incident.escalation) == (
        "alice",
        {"service": "shop"},
        "primary",
    )
    assert world.told(incident.id) == ["triggered phone,chat"]
    assert world.rows(schema.timeline)[-1].text == "declared by alice: customers call"
    world.resolve(incident.id, force=False)
    assert world.incident(incident.id).resolved_by == "alice"


def test_two_declared_incidents_are_two(world: World) -> None:
    first, second = declare(world, service=""), declare(world, service="")
    assert first.incident.id != second.incident.id
    assert first.incident.group_key != second.incident.group_key


def settle(world: World, state: DeliveryState, *row_ids: int) -> None:
    change = sa.update(schema.deliveries).values(state=state.value)
    if row_ids:
        change = change.where(schema.deliveries.c.id.in_(row_ids))
    world.write(lambda tx: tx.conn.execute(change))


def unanswered(world: World, minute: float) -> list[int]:
    """The pages that have waited since `minute`."""
    return [row.id for row in world.write(lambda tx: pages.unanswered(tx, at(minute), [], 9))]


def retry(world: World, delivery_id: int) -> object:
    return world.write(lambda tx: respond.retry_delivery(tx, delivery_id, "alice", world.rules, world.now))


def test_a_dead_delivery_is_put_back_once(world: World) -> None:
    delivery_id = world.rows(schema.deliveries)[0].id
    settle(world, DeliveryState.DEAD)
    retry(world, delivery_id)
    assert world.rows(schema.deliveries)[0].state == "pending"
    assert world.timeline()[-1] == "delivery_retried"
    with pytest.raises(ActionRefusedError, match="only a dead one"):
        retry(world, delivery_id)


def test_a_dead_page_of_an_incident_that_is_over_is_not_sent_again(world: World) -> None:
    delivery_id = world.rows(schema.deliveries)[0].id
    world.resolve(1, force=True)
    settle(world, DeliveryState.DEAD)
    with pytest.raises(ActionRefusedError, match="INC-1 is resolved: paging somebody"):
        retry(world, delivery_id)
    assert world.rows(schema.deliveries)[0].state == "dead"


def close_lane(world: World, *states: DeliveryState) -> list[int]:
    """Page, acknowledgement and end of incident 1, to chat, in these states."""
    world.acknowledge()
    world.resolve()
    ids = [row.id for row in world.rows(schema.deliveries)]
    for row_id, state in zip(ids, states, strict=True):
        settle(world, state, row_id)
    return ids


def test_a_dead_acknowledgement_is_not_repeated_after_the_end_was_told(world: World) -> None:
    sent, dead = DeliveryState.SENT, DeliveryState.DEAD
    _, acknowledged, _ = close_lane(world, sent, dead, sent)
    with pytest.raises(
        ActionRefusedError, match="a newer message was sent to #ops; there is nothing to"
    ) as no:
        retry(world, acknowledged)
    assert (no.value.refusal, no.value.state) == (Refusal.WRONG_STATE, State.RESOLVED)
    assert world.rows(schema.deliveries)[1].state == "dead"


def test_a_dead_end_is_repeated_while_nothing_newer_was_sent(world: World) -> None:
    sent, dead = DeliveryState.SENT, DeliveryState.DEAD
    _, acknowledged, resolved = close_lane(world, sent, dead, dead)
    retry(world, resolved)
    retry(world, acknowledged)
    assert [row.state for row in world.rows(schema.deliveries)] == ["sent", "pending", "pending"]


def test_a_page_that_is_put_back_keeps_its_birth_and_waits_from_then_on(world: World) -> None:
    [page] = world.rows(schema.deliveries)
    settle(world, DeliveryState.DEAD)
    world.minute = 600
    assert world.write(deliveries.count_dead) == 1
    retry(world, page.id)
    assert world.write(deliveries.count_dead) == 0
    row = world.write(lambda tx: deliveries.by_id(tx, page.id))
    assert row is not None
    assert (row.created_at, row.retried_at, row.waiting_since) == (at(0), at(600), at(600))
    assert world.write(outbox.oldest_pending) == {"page": at(600)}
    assert world.write(pages.oldest_waiting) == {"chat": at(600)}
    assert unanswered(world, 599) == []
    assert unanswered(world, 600) == [page.id]
    assert world.write(lambda tx: pages.any_unanswered(tx, at(0), ["chat"]))


def test_a_delivery_that_does_not_exist_is_not_found(world: World) -> None:
    with pytest.raises(NotFoundError, match="no delivery 99"):
        retry(world, 99)


def test_a_snooze_to_the_same_instant_is_done_once(world: World) -> None:
    until = world.now + 5 * MINUTE
    assert world.act(1, lambda i: response.snooze(i, "alice", "", until)).changes
    assert world.act(1, lambda i: response.snooze(i, "alice", "", until)).changes == ()
