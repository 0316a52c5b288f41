"""The self-audit: what stands still is found, told over the last resort once, and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from incidentd.domain.escalation import Ended
from incidentd.store import escalations, schema
from incidentd.workflows.paging import Paging
from incidentd.workflows.self_check import audit, stuck
from tests.workflows.test_escalate import CRITICAL, PAGING, running, tick
from tests.workflows.world import RULES, World, fires, stored


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with stored(database_url, replace(RULES, paging=PAGING)) as world:
        yield world


def found(world: World) -> tuple[int, ...]:
    rules, now = world.rules, world.now
    return world.write(lambda tx: stuck(tx, rules, now))


def audited(world: World) -> list[str]:
    """What the audit writes into timelines."""
    rules, now = world.rules, world.now
    return [c.entry.text for c in world.write(lambda tx: audit(tx, rules, now)) if c.entry]


def everything_is_sent(world: World) -> None:
    world.write(lambda tx: tx.conn.execute(sa.update(schema.deliveries).values(state="sent")))


def forget(world: World) -> None:
    """Its row is lost."""
    world.write(lambda tx: tx.conn.execute(sa.delete(schema.escalations)))
    everything_is_sent(world)


TOLD = "its escalation stood still; told over the last resort: channel console"


def test_what_goes_on_was_told_to_the_end_or_is_with_somebody_is_in_order(world: World) -> None:
    world.post(CRITICAL)
    everything_is_sent(world)
    assert found(world) == ()
    for minute in range(0, 30, 5):
        tick(world, minute)
        everything_is_sent(world)
        assert found(world) == ()
    assert world.timeline()[-1] == "escalation_exhausted"
    world.acknowledge()
    forget(world)
    assert found(world) == ()


def test_a_lost_escalation_is_told_once_and_starts_anew(world: World) -> None:
    world.post(CRITICAL)
    forget(world)
    assert found(world) == (1,)
    assert audited(world) == [TOLD]
    assert running(world).due_at == world.now
    assert tick(world) == ["escalated to alice, step 1 of 2, round 1 of 2"]
    assert found(world) == ()


def test_a_step_that_does_not_run_is_told_once_and_stays_stuck_until_it_does(world: World) -> None:
    world.post(CRITICAL)
    everything_is_sent(world)
    world.minute = 1
    assert found(world) == (1,)
    assert audited(world) == [TOLD]
    everything_is_sent(world)
    assert found(world) == (1,)
    assert audited(world) == []
    tick(world)
    assert found(world) == ()


def test_a_page_on_its_way_is_no_standstill_unless_it_never_arrives(world: World) -> None:
    world.post(CRITICAL)
    world.minute = 10
    assert found(world) == ()
    world.minute = 12
    assert found(world) == (1,)


@pytest.mark.parametrize("reason", [Ended.ACKNOWLEDGED, Ended.SNOOZED])
def test_an_end_that_is_not_true_any_more_is_found(world: World, reason: Ended) -> None:
    world.post(CRITICAL)
    now = world.now
    world.write(lambda tx: escalations.end(tx, [1], reason, now))
    everything_is_sent(world)
    assert audited(world) == [TOLD]
    assert running(world).stuck


def test_a_policy_that_nobody_knows_any_more_is_told_over_the_channels_once(world: World) -> None:
    world.post(CRITICAL)
    forget(world)
    world.rules = replace(world.rules, paging=Paging())
    told = "its escalation stood still; told over the last resort: channel phone, channel chat"
    assert audited(world) == [told]
    everything_is_sent(world)
    assert found(world) == (1,)
    assert audited(world) == []


def test_what_never_escalates_is_not_looked_for(world: World) -> None:
    world.post(fires(severity="warning"))
    everything_is_sent(world)
    assert found(world) == ()
