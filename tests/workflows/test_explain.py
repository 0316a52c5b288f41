"""Explanations of incidents, on both databases: each decision is told with what it followed from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from incidentd.domain.explain import Kind, Statement
from incidentd.domain.maintenance import Window, plan
from incidentd.domain.matcher import parse_matchers
from incidentd.domain.severity import Severity, SeverityRules
from incidentd.store import schema
from incidentd.workflows import respond
from incidentd.workflows.explain import why
from incidentd.workflows.respond import Declaration, NotFoundError
from tests.workflows.test_escalate import CRITICAL, PAGING, tick
from tests.workflows.world import RULES, A, World, at, fires, over, stored

MONTH = timedelta(days=30)


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with stored(database_url, replace(RULES, paging=PAGING)) as world:
        yield world


def explained(world: World, number: int = 1, *kinds: Kind) -> list[str]:
    """The sentences about an incident, of some kinds or of all."""
    now = world.now
    found = world.write(lambda tx: why(tx, number, now, MONTH)).statements
    return [each.text for each in found if not kinds or each.kind in kinds]


def settle(world: World, values: dict[str, object], **which: object) -> None:
    """Change outbox rows as a sender would."""
    rows = schema.deliveries
    where = [rows.c[name] == value for name, value in which.items()]
    world.write(lambda tx: tx.conn.execute(sa.update(rows).where(*where).values(values)))


def micros(minute: float) -> int:
    return int(at(minute).timestamp() * 1_000_000)


OPENING = (Kind.OPENED, Kind.GROUPING, Kind.SEVERITY, Kind.ROUTE, Kind.ROUTE_PASSED, Kind.POLICY)


def test_the_opening_says_what_each_decision_followed_from(world: World) -> None:
    world.post(A)
    assert explained(world, 1, *OPENING) == [
        "INC-1 was opened because alert a of source main began to fire at 2026-03-01 12:00 UTC.",
        'Alerts of source main with service="api" make one incident (grouping.by).',
        'Its severity is warning: the label severity says "warning".',
        'Route {severity="critical"} does not fit: it wants severity="critical", and severity is "warning".',
        'Route {severity="warning"} fits: channel chat is told.',
        "Nothing escalates it, because that route names no policy.",
    ]


def test_it_is_explained_by_the_configuration_of_then(world: World) -> None:
    world.post(A)
    before = explained(world)
    world.rules = replace(world.rules, grouping=("alertname",), severity=SeverityRules(label="other"))
    assert explained(world) == before


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("page", 'Its severity is critical: the label prio says "page", which severity.map translates.'),
        ("odd", 'Its severity is warning, the default: the label prio says "odd", which is unknown.'),
        ("", "Its severity is warning, the default: the alert has no label prio."),
    ],
)
def test_a_severity_that_is_translated_or_missing_says_so(world: World, value: str, said: str) -> None:
    world.rules = replace(world.rules, severity=SeverityRules("prio", map={"page": Severity.CRITICAL}))
    world.post(fires(prio=value))
    assert explained(world, 1, Kind.SEVERITY) == [said]


def test_missing_labels_and_incidents_of_one_alert_are_told(world: World) -> None:
    world.rules = replace(world.rules, grouping=("service", "cluster"))
    world.post(A)
    said = 'Alerts of source main with service="api" and no cluster make one incident (grouping.by).'
    assert said in explained(world)
    world.rules = replace(world.rules, grouping=("...",))
    world.post(fires("b"))
    assert "It has no other alerts: each alert is an incident of its own (grouping.by)." in explained(
        world, 2
    )


def test_what_only_the_root_catches_and_what_is_only_recorded(world: World) -> None:
    world.rules = replace(world.rules, route=replace(RULES.route, routes=RULES.route.routes[:1]))
    world.post(A)
    assert explained(world, 1, Kind.ROUTE) == [
        "No route below the root fits, so the root decides: channel console is told."
    ]
    world.rules = replace(world.rules, route=RULES.route)
    world.post(fires("i", severity="info", service="other"))
    assert explained(world, 2, Kind.ROUTE) == ['Route {severity="info"} tells nobody: it is only recorded.']


def test_a_raised_severity_tells_the_new_route_and_the_policy_that_starts(world: World) -> None:
    world.post(A)
    world.minute = 1
    world.post(CRITICAL)
    said = explained(world)
    for sentence in (
        "2 alerts have been part of it: a is broken and a is broken.",
        "Severity raised from warning to critical.",
        'Route {severity="critical"} fits: channels phone and chat are told.',
        "Policy primary escalates it, because that route names it.",
        "INC-1 is open: not acknowledged, 2 of 2 alerts fire.",
    ):
        assert sentence in said


def test_maintenance_says_why_nobody_is_told(world: World) -> None:
    window = Window("db", parse_matchers("service=api"), plan(at(0), timedelta(hours=1), "UTC", None))
    world.rules = replace(world.rules, maintenance=(window,))
    world.post(A)
    assert explained(world, 1, Kind.QUIET) == ["Nobody is told of it: maintenance db covers all its alerts."]
    assert explained(world)[-1].endswith("kept quiet by maintenance db.")


def test_a_firing_that_may_be_a_late_post_is_held_and_says_until_when(world: World) -> None:
    world.minute = 5
    world.post(fires(since=5))
    world.resolve()
    world.minute = 7
    world.post(over(since=5, end=7))
    world.post(fires(since=3))
    assert explained(world, 2, Kind.OPENED, Kind.QUIET) == [
        (
            "INC-2 was opened because alert a of source main began to fire at 2026-03-01 12:03 UTC. "
            "It had been reported ended before, with a later start."
        ),
        "Nobody is told before 2026-03-01 12:12 UTC: a late post of a peer looks the same (grouping.reopen_hold).",
    ]
    assert explained(world, 2)[-1].endswith("held until 2026-03-01 12:12 UTC.")


def test_who_was_told_who_was_not_and_who_is_still_to_be_told(world: World) -> None:
    world.post(CRITICAL)
    tick(world, 0)
    sent = {"state": "sent", "attempts": 2, "sent_at": micros(0.5)}
    settle(world, sent, channel="phone")
    settle(
        world, {"state": "dead", "attempts": 7, "reason": "given up after 7 attempts: 500"}, channel="chat"
    )
    settle(world, {"attempts": 1, "last_error": "timed out", "not_before": micros(3)}, channel="mail")
    world.minute = 1
    assert explained(world, 1, Kind.TOLD, Kind.NOT_TOLD, Kind.WAITING) == [
        "Channel chat (#ops) was not told that it opened: given up after 7 attempts: 500.",
        "Channel phone (+49 ...) was told that it opened, on attempt 2.",
        (
            "alice will be told over ntfy (topic) that nobody has acknowledged it (step 1 of 2, round 1 of 2) at "
            "2026-03-01 12:02 UTC, as their contact rule says unless somebody acts before."
        ),
        (
            "alice is not told yet over mail (alice@example.com) that nobody has acknowledged it (step 1 of 2, "
            'round 1 of 2): 1 attempt failed, the last with "timed out"; the next one is due at 2026-03-01 12:03 UTC.'
        ),
        (
            "Step 2 of policy primary tells user:bob and channel:phone at 2026-03-01 12:05 UTC, unless somebody acts "
            "before."
        ),
    ]


def test_a_step_that_an_acknowledgement_forestalled_is_told(world: World) -> None:
    world.post(CRITICAL)
    tick(world, 0)
    world.minute = 1
    world.acknowledge()
    said = explained(world, 1, Kind.NOT_TOLD)
    assert said == [
        (
            "Step 2 of policy primary was to tell user:bob and channel:phone at 2026-03-01 12:05 UTC and did not run: "
            "it was acknowledged before."
        ),
        (
            "alice was not told over ntfy (topic) that nobody has acknowledged it (step 1 of 2, round 1 of 2): "
            "acknowledged before it was to leave."
        ),
    ]


def test_updates_are_counted_and_not_listed(world: World) -> None:
    world.post(A)
    world.minute = 1
    world.post(fires("b"))
    assert "Channel chat (#ops): 1 update waits." in explained(world)
    settle(world, {"state": "sent", "sent_at": micros(2)}, notice="updated")
    assert "Channel chat (#ops): 1 update sent." in explained(world)


def test_how_it_ended_is_the_last_sentence(world: World) -> None:
    world.post(A)
    world.minute = 9
    world.post(over(end=8))
    assert explained(world)[-1] == (
        "INC-1 was resolved at 2026-03-01 12:09 UTC: all alerts ended. "
        "The last of its alerts ended at 2026-03-01 12:08 UTC."
    )
    world.minute = 10
    world.post(fires("b", since=10, service="other"))
    world.resolve(2)
    assert explained(world, 2)[-1] == (
        "INC-2 was resolved at 2026-03-01 12:10 UTC: by alice while alerts still fire: enough."
    )


def test_one_that_a_person_declared_says_who(world: World) -> None:
    rules, now = world.rules, world.now
    declared = Declaration("Shop is slow", Severity.CRITICAL, "shop", "customers call", "alice")
    world.write(lambda tx: respond.declare(tx, declared, rules, now))
    said = explained(world)
    assert said[0] == "INC-1 was opened: declared by alice: customers call."
    assert "Policy primary escalates it, because that route names it." in said
    assert not any("grouping" in sentence for sentence in said)


def test_an_incident_without_a_trail_is_explained_by_what_there_is(world: World) -> None:
    """The version before wrote none."""
    world.post(A)
    data = '{"fingerprint":"x","starts_at":"2026-03-01T12:00:00+00:00","route":"root"}'
    world.write(lambda tx: tx.conn.execute(sa.update(schema.timeline).values(data=data)))
    assert explained(world, 1, *OPENING) == [
        "INC-1 was opened because alert a of source main began to fire at 2026-03-01 12:00 UTC.",
        'Alerts of the group main:{service="api"} make one incident while it is open.',
        "Its severity is warning.",
        "Route root fits: no channel is told.",
    ]
    world.write(lambda tx: tx.conn.execute(sa.delete(schema.timeline)))
    assert explained(world)[0] == "How INC-1 began is not kept."


def test_messages_that_are_not_kept_any_more_are_said_to_be_gone(world: World) -> None:
    world.post(A)
    world.minute = 1
    world.post(over())
    world.minute = 60 * 24 * 40
    assert any("are not kept (retention.deliveries)" in text for text in explained(world, 1, Kind.LIMIT))


def test_there_is_no_explanation_of_what_does_not_exist(world: World) -> None:
    with pytest.raises(NotFoundError, match="there is no incident INC-7"):
        explained(world, 7)


def test_every_statement_has_a_reason_and_a_whole_sentence(world: World) -> None:
    world.post(CRITICAL, A)
    tick(world, 0)
    tick(world, 5)
    world.minute = 6
    world.snooze(10)
    now = world.now
    found: tuple[Statement, ...] = world.write(lambda tx: why(tx, 1, now, MONTH)).statements
    assert all(each.because and each.text.endswith(".") for each in found)
