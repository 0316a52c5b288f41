"""Escalation in the database: started with the page, run once when due, ended by people and by alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from incidentd.config.schedules import Schedule
from incidentd.domain.contact import Contact, Person, Urgency
from incidentd.domain.escalation import Ended, Escalation, Policy, Step, parse_target
from incidentd.domain.routing import Route
from incidentd.domain.severity import Severity
from incidentd.store import escalations, schema
from incidentd.workflows.escalate import run_steps, steps_due
from incidentd.workflows.paging import Paging
from tests.workflows.world import MINUTE, RULES, World, fires, over, stored

EMPTY = Schedule(time_zone="Etc/UTC").plan("empty", {}, {})


def step(after: float, *targets: str, **more: Any) -> Step:
    return Step(after * MINUTE, tuple([parse_target(text) for text in targets]), **more)


PRIMARY = Policy(
    "primary",
    (step(0, "user:alice"), step(5, "user:bob", "channel:phone")),
    repeat=1,
    last_resort=(parse_target("channel:console"),),
)
PEOPLE = {
    "alice": Person(
        "alice", (Contact("mail", ("alice@example.com",)), Contact("ntfy", ("topic",), after=2 * MINUTE))
    ),
    "bob": Person("bob", (Contact("chat", ("U0B0B",)),)),
    "carol": Person("carol", (Contact("mail", ("carol@example.com",), frozenset({Urgency.HIGH})),)),
    "dave": Person("dave"),
}
PAGING = Paging(policies={"primary": PRIMARY}, people=PEOPLE, schedules={"empty": EMPTY})
CRITICAL = fires(severity="critical")


def with_policy(*steps: Step, **more: Any) -> Paging:
    return replace(PAGING, policies={"primary": Policy("primary", steps, **more)})


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with stored(database_url, replace(RULES, paging=PAGING)) as world:
        yield world


def tick(world: World, minute: float | None = None) -> list[str]:
    """What the tick of that minute writes into timelines."""
    world.minute = world.minute if minute is None else minute
    rules, now = world.rules, world.now
    if not world.write(lambda tx: steps_due(tx, now)):
        return []
    return [c.entry.text for c in world.write(lambda tx: run_steps(tx, rules, now)) if c.entry]


def escalation(world: World, incident_id: int = 1) -> Escalation | None:
    return world.write(lambda tx: escalations.of(tx, [incident_id])).get(incident_id)


def running(world: World) -> Escalation:
    found = escalation(world)
    assert found is not None
    assert found.running
    return found


def personal(world: World, notice: str = "escalated") -> list[tuple[str, str, str | None]]:
    rows = world.rows(schema.deliveries)
    return [(r.channel, r.target, r.person) for r in rows if r.notice == notice and r.person]


def test_nobody_answers_until_the_end(world: World) -> None:
    world.post(CRITICAL)
    told = [(minute, text) for minute in range(40) for text in tick(world, minute)]
    assert told == [
        (0, "escalated to alice, step 1 of 2, round 1 of 2"),
        (5, "escalated to bob, channel phone, step 2 of 2, round 1 of 2"),
        (10, "escalated to alice, step 1 of 2, round 2 of 2"),
        (15, "escalated to bob, channel phone, step 2 of 2, round 2 of 2"),
        (20, "escalated to channel console, last resort"),
        (25, "policy primary is at its end and nobody has acknowledged: nobody is left to tell"),
    ]
    assert world.timeline()[-1] == "escalation_exhausted"
    assert world.incident().notify == ("phone", "chat", "console")


def test_people_are_told_over_their_own_addresses_each_at_its_time(world: World) -> None:
    world.post(CRITICAL)
    tick(world)
    mail, ntfy = [row for row in world.rows(schema.deliveries) if row.person]
    assert (mail.channel, mail.target, mail.person) == ("mail", "alice@example.com", "alice")
    assert (mail.notice, getattr(mail, "class"), mail.actor) == ("escalated", "page", "incidentd")
    assert mail.comment == "step 1 of 2, round 1 of 2: nobody has acknowledged"
    assert ntfy.not_before - mail.not_before == 2 * 60 * 1_000_000
    # Its age counts from when it may leave: it is not late before.
    assert ntfy.created_at == ntfy.not_before


def test_it_starts_with_the_page_and_nothing_else_starts_it(world: World) -> None:
    world.post(fires("warn", severity="warning"))
    assert escalation(world) is None
    world.post(fires("bad", severity="critical"))
    assert running(world).policy.steps == PRIMARY.steps


def test_an_acknowledgement_ends_it_and_giving_back_starts_it_anew(world: World) -> None:
    world.post(CRITICAL)
    tick(world, 0)
    world.minute = 3
    world.acknowledge()
    ended = escalation(world)
    assert ended is not None
    assert (ended.ended_reason, ended.ended_at) == (Ended.ACKNOWLEDGED, world.now)
    assert tick(world, 5) == []
    world.unacknowledge()
    assert tick(world, 5) == ["escalated to alice, step 1 of 2, round 1 of 2"]


def test_a_resolve_ends_it_and_a_reopening_starts_it_anew(world: World) -> None:
    world.post(CRITICAL)
    world.minute = 1
    world.post(over(severity="critical"))
    ended = escalation(world)
    assert ended is not None
    assert ended.ended_reason is Ended.RESOLVED
    world.minute = 2
    world.post(fires(since=2, severity="critical"))
    again = running(world)
    assert (again.episode, again.step) == (2, 0)


def test_a_snooze_ends_it_until_the_snooze_is_over(world: World) -> None:
    world.post(CRITICAL)
    world.snooze(30)
    ended = escalation(world)
    assert ended is not None
    assert ended.ended_reason is Ended.SNOOZED
    assert tick(world, 29) == []
    world.minute = 30
    world.timers()
    assert tick(world) == ["escalated to alice, step 1 of 2, round 1 of 2"]


def test_a_held_reopening_starts_it_when_the_hold_ends(world: World) -> None:
    world.post(CRITICAL)
    world.minute = 1
    world.post(over(severity="critical"))
    world.post(CRITICAL)
    assert world.incident().held_until is not None
    assert tick(world, 3) == []
    world.minute = 7
    world.timers()
    assert running(world).due_at == world.now


def test_a_raised_severity_starts_it_anew(world: World) -> None:
    world.rules = replace(world.rules, route=Route(notify=("console",), escalation="primary"))
    world.post(fires("w", severity="warning"))
    tick(world, 0)
    assert running(world).step == 1
    world.post(fires("c", severity="critical"))
    assert (running(world).step, running(world).due_at) == (0, world.now)


def test_after_an_outage_one_step_runs_at_once_and_the_next_counts_from_then(world: World) -> None:
    world.post(CRITICAL)
    assert len(tick(world, 600)) == 1
    assert tick(world, 600) == []
    assert tick(world, 604) == []
    assert len(tick(world, 605)) == 1


def test_a_running_policy_is_frozen_and_a_reload_changes_the_next_one(world: World) -> None:
    world.post(CRITICAL)
    world.rules = replace(world.rules, paging=with_policy(step(0, "channel:console")))
    assert tick(world, 0) == ["escalated to alice, step 1 of 2, round 1 of 2"]
    world.acknowledge()
    world.unacknowledge()
    assert tick(world, 0) == ["escalated to channel console, step 1 of 1"]


def test_whom_nobody_can_reach_is_not_waited_for(world: World) -> None:
    steps = (step(0, "schedule:empty", "user:dave"), step(5, "user:nobody"), step(5, "user:bob"))
    world.rules = replace(world.rules, paging=with_policy(*steps))
    world.post(CRITICAL)
    why = "nobody is on duty in schedule empty; dave has no way to be reached"
    assert tick(world, 0) == [f"not escalated, step 1 of 3: {why}; going on at once"]
    assert tick(world) == ["not escalated, step 2 of 3: nobody is not configured; going on at once"]
    assert tick(world) == ["escalated to bob, step 3 of 3"]
    assert tick(world) == []


def test_who_wants_to_hear_nothing_of_low_urgency_is_no_gap(world: World) -> None:
    world.rules = replace(
        world.rules,
        paging=replace(
            with_policy(step(0, "user:carol"), step(5, "user:bob")),
            urgency={**PAGING.urgency, Severity.CRITICAL: Urgency.LOW},
        ),
    )
    world.post(CRITICAL)
    assert tick(world) == ["escalated to carol, who is told nothing of low urgency, step 1 of 2"]
    assert tick(world) == []


def test_without_urgency_nothing_escalates(world: World) -> None:
    calm = {**PAGING.urgency, Severity.CRITICAL: Urgency.NONE}
    world.rules = replace(world.rules, paging=replace(PAGING, urgency=calm))
    world.post(CRITICAL)
    assert escalation(world) is None


def test_who_was_told_in_person_hears_the_end_and_nobody_else(world: World) -> None:
    world.post(CRITICAL)
    tick(world, 0)
    world.minute = 3
    world.acknowledge()
    told = [("mail", "alice@example.com", "alice"), ("ntfy", "topic", "alice")]
    assert sorted(personal(world, "acknowledged")) == told
    world.post(over(severity="critical"))
    assert sorted(personal(world, "resolved")) == told


def test_who_was_to_be_told_later_is_not_once_somebody_has_it(world: World) -> None:
    world.post(CRITICAL)
    tick(world, 0)
    world.minute = 1
    world.acknowledge()
    assert personal(world, "acknowledged") == [("mail", "alice@example.com", "alice")]
    [ntfy] = [row for row in world.rows(schema.deliveries) if row.channel == "ntfy"]
    assert (ntfy.state, ntfy.reason) == ("suppressed", "acknowledged before it was to leave")


def test_a_place_that_the_route_tells_anyway_hears_the_end_once(world: World) -> None:
    people = {"alice": Person("alice", (Contact("chat", ("#ops",)),))}
    world.rules = replace(world.rules, paging=replace(PAGING, people=people))
    world.post(CRITICAL)
    tick(world, 0)
    world.resolve()
    ends = [r for r in world.rows(schema.deliveries) if r.notice == "resolved" and r.channel == "chat"]
    assert len(ends) == 1


Act = Callable[[World], object]


@pytest.mark.parametrize("act", [World.acknowledge, World.resolve], ids=["acknowledged", "resolved"])
def test_what_an_old_version_ended_is_not_escalated(world: World, act: Act) -> None:
    """It knows nothing of escalations: the row still runs."""
    world.post(CRITICAL)
    row = running(world)
    act(world)
    world.write(lambda tx: escalations.start(tx, [row], again=[1]))
    assert tick(world, 1) == []
    after = escalation(world)
    assert after is not None
    assert not after.running


def test_many_are_due_at_once_in_batches(world: World) -> None:
    world.rules = replace(world.rules, grouping=("alertname",))
    world.post(*[fires(f"a{n}", severity="critical") for n in range(600)])
    done = [len(tick(world, 1)) for _ in range(3)]
    assert done == [500, 100, 0]
    assert timedelta(minutes=5) == running(world).due_at - world.now
