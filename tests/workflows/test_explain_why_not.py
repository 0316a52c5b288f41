"""Why somebody was not told: the last sentence is the answer, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import time, timedelta

import pytest
import sqlalchemy as sa

from incidentd.config.schedules import Schedule
from incidentd.domain.contact import Contact, Person, Urgency
from incidentd.domain.hours import Hours
from incidentd.domain.maintenance import Window, plan
from incidentd.domain.matcher import parse_matchers
from incidentd.domain.schedule_layer import Absence
from incidentd.domain.severity import Severity
from incidentd.store import overrides, schema
from incidentd.store.overrides import StoredOverride
from incidentd.workflows.explain_why_not import Kept, Question, TimeRefusedError, WhyNot, why_not
from incidentd.workflows.respond import NotFoundError
from tests.workflows.test_escalate import CRITICAL, PAGING, step, tick, with_policy
from tests.workflows.world import MINUTE, RULES, World, at, fires, over, stored

DAY = timedelta(days=1)
KEPT = Kept(400 * DAY, 30 * DAY)
PLAN = Schedule.model_validate(
    {
        "time_zone": "Etc/UTC",
        "layers": [
            {"name": "weekly", "users": ["alice", "bob"], "rotation": "weekly", "start": "2026-02-23"}
        ],
    }
).plan("primary", {}, {})
ON_CALL = replace(
    with_policy(step(0, "schedule:primary"), step(5, "user:carol")), schedules={"primary": PLAN}
)


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with stored(database_url, replace(RULES, paging=ON_CALL)) as world:
        yield world


def asked(world: World, user: str, minute: float = 2, around: float = 30, kept: Kept = KEPT) -> WhyNot:
    rules, now, question = world.rules, world.now, Question(user, at(minute), around * MINUTE)
    return world.write(lambda tx: why_not(tx, question, rules, kept, now))


def verdict(world: World, user: str, minute: float = 2) -> tuple[str, str]:
    last = asked(world, user, minute).statements[-1]
    return last.because, last.text


def lines(world: World, user: str, minute: float = 2) -> list[str]:
    return [each.text for each in asked(world, user, minute).statements]


def send(world: World, minute: float, **which: object) -> None:
    """Let rows leave at a minute, as a sender would."""
    rows, sent = schema.deliveries, int(at(minute).timestamp() * 1_000_000)
    where = [rows.c[name] == value for name, value in which.items()]
    update = sa.update(rows).where(*where).values(state="sent", attempts=1, sent_at=sent)
    world.write(lambda tx: tx.conn.execute(update))


def fire(world: World) -> None:
    world.post(CRITICAL)
    tick(world, 0)
    world.minute = 3


def put(world: World, user: str) -> None:
    """Somebody stands in for an hour."""
    made = StoredOverride(0, "primary", user, at(-30), at(30), "alice", at(-60), "dentist", None, None)
    world.write(lambda tx: overrides.add(tx, made))


def test_nothing_was_open(world: World) -> None:
    world.minute = 10
    assert verdict(world, "alice") == (
        "no_incident",
        "No incident was open from 2026-03-01 11:32 UTC to 2026-03-01 12:10 UTC: there was nothing to tell alice.",
    )


def test_they_were_told(world: World) -> None:
    fire(world)
    send(world, 1, person="alice", channel="mail")
    assert verdict(world, "alice") == (
        "told",
        "alice was told of INC-1 at 2026-03-01 12:01 UTC over mail (alice@example.com).",
    )
    world.minute = 120
    assert verdict(world, "alice", 110)[0] == "told_before"


def test_somebody_else_was_on_duty_by_the_layer(world: World) -> None:
    fire(world)
    assert lines(world, "bob")[:2] == [
        "bob was not on duty in schedule primary: alice was, by layer weekly, until 2026-03-02 00:00 UTC.",
        "bob is reached over chat (U0B0B).",
    ]
    assert verdict(world, "bob") == (
        "off_duty",
        "bob was not told of INC-1: its policy asked schedule primary at 2026-03-01 12:00 UTC, and alice was on duty.",
    )


def test_an_override_put_somebody_else_on_duty(world: World) -> None:
    put(world, "bob")
    fire(world)
    source = 'override 1 (made by alice at 2026-03-01 11:00 UTC: "dentist"), until 2026-03-01 12:30 UTC'
    assert lines(world, "alice")[0] == f"alice was not on duty in schedule primary: bob was, by {source}."
    assert lines(world, "bob")[0] == f"bob was on duty in schedule primary by {source}."
    assert verdict(world, "alice")[0] == "off_duty"


def test_they_were_on_leave(world: World) -> None:
    away = replace(PLAN, absences=(Absence("alice", at(-600), at(600)),))
    world.rules = replace(world.rules, paging=replace(ON_CALL, schedules={"primary": away}))
    fire(world)
    first = asked(world, "alice").statements[0]
    assert (first.because, first.text) == (
        "leave",
        "alice was not on duty in schedule primary: alice was on leave, and nobody was.",
    )
    assert verdict(world, "alice")[1].endswith("and nobody was on duty.")


def test_their_step_had_not_come_when_somebody_acknowledged(world: World) -> None:
    fire(world)
    assert verdict(world, "carol") == (
        "step_not_reached",
        (
            "carol was not told of INC-1: step 2 of policy primary would have told them at 2026-03-01 12:05 UTC, "
            "and it was not its turn yet."
        ),
    )
    world.acknowledge()
    assert verdict(world, "carol")[1].endswith("and INC-1 was acknowledged at 2026-03-01 12:03 UTC.")


def test_no_contact_rule_of_theirs_was_for_that_urgency(world: World) -> None:
    low = {**ON_CALL.urgency, Severity.CRITICAL: Urgency.LOW}
    world.rules = replace(world.rules, paging=replace(ON_CALL, urgency=low))
    fire(world)
    tick(world, 5)
    assert verdict(world, "carol", 4) == (
        "contact_urgency",
        "carol was meant by a step of INC-1 at 2026-03-01 12:05 UTC, but no contact rule of theirs is for low urgency.",
    )


def test_quiet_hours_let_it_wait(world: World) -> None:
    sleeper = Person("alice", (Contact("mail", ("a@x.example",)),), Hours("Etc/UTC", time(11), time(14)))
    low = {**ON_CALL.urgency, Severity.CRITICAL: Urgency.LOW}
    people = {**ON_CALL.people, "alice": sleeper}
    world.rules = replace(world.rules, paging=replace(ON_CALL, urgency=low, people=people))
    fire(world)
    assert (
        "It was within the quiet hours of alice, until 2026-03-01 14:00 UTC: what is of low urgency waits."
        in lines(world, "alice")
    )
    assert verdict(world, "alice") == (
        "waits",
        "alice is to be told of INC-1 over mail (a@x.example) at 2026-03-01 14:00 UTC after their quiet hours.",
    )
    world.minute = 121
    send(world, 120, person="alice")
    assert verdict(world, "alice")[0] == "told_later"


def test_a_person_made_it_needless(world: World) -> None:
    fire(world)
    rows = schema.deliveries
    gone = {"state": "suppressed", "reason": "acknowledged by bob"}
    world.write(lambda tx: tx.conn.execute(sa.update(rows).where(rows.c.person == "alice").values(gone)))
    assert verdict(world, "alice") == (
        "called_off",
        "alice was not told of INC-1 over mail (alice@example.com) at 2026-03-01 12:00 UTC: acknowledged by bob.",
    )


def test_maintenance_and_snoozes_keep_everybody_quiet(world: World) -> None:
    window = Window("db", parse_matchers("service=api"), plan(at(0), timedelta(hours=1), "UTC", None))
    world.rules = replace(world.rules, maintenance=(window,))
    fire(world)
    assert verdict(world, "alice") == (
        "quiet",
        "alice was not told of INC-1: nobody was, because it was quiet (maintenance db).",
    )
    world.snooze(20)
    assert verdict(world, "alice", 3)[1].endswith("because it was quiet (snoozed by alice).")


def test_nothing_names_them_or_nothing_escalates(world: World) -> None:
    world.rules = replace(world.rules, paging=replace(ON_CALL, policies=PAGING.policies))
    fire(world)
    assert verdict(world, "dave") == (
        "not_named",
        "dave was not told of INC-1: its policy primary names neither them nor a schedule in which they were on duty.",
    )
    assert "dave is in no schedule." in lines(world, "dave")
    assert "dave cannot be reached." in lines(world, "dave")
    world.post(over(severity="critical", end=3))
    world.minute = 60
    world.post(fires("w", since=60, service="other"))
    assert verdict(world, "dave", 60) == (
        "no_policy",
        'dave was not told of INC-2: nothing escalates it, its route ({severity="warning"}) tells chat.',
    )


def test_one_that_was_over_and_came_back_counts_only_while_it_was_open(world: World) -> None:
    fire(world)
    world.post(over(severity="critical", end=3))
    world.minute = 12
    world.post(fires(since=12, severity="critical"))
    world.minute = 30
    assert asked(world, "alice", 7, around=2).incidents == ()
    assert asked(world, "alice", 11, around=2).incidents == (1,)
    assert asked(world, "alice", 2, around=2).incidents == (1,)


def test_several_incidents_alike_are_counted(world: World) -> None:
    world.rules = replace(world.rules, grouping=("alertname",), paging=PAGING)
    world.post(*[fires(f"w{n}") for n in range(3)])
    world.minute = 3
    assert verdict(world, "alice")[1].endswith(" So it is with 2 more incidents.")


def test_who_or_when_that_cannot_be_known_is_refused_with_what_is_accepted(world: World) -> None:
    with pytest.raises(NotFoundError, match=r'there is no user "alic".*alice'):
        asked(world, "alic")
    with pytest.raises(TimeRefusedError, match="lies in the future"):
        asked(world, "alice", 1)
    world.minute = 60 * 24 * 40
    assert any("not kept (retention.deliveries)" in text for text in lines(world, "alice"))
    with pytest.raises(TimeRefusedError, match=r"retention\.incidents.*2026-03-31 12:00 UTC or later"):
        asked(world, "alice", kept=Kept(10 * DAY, DAY))
