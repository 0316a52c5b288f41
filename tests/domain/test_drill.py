"""Drills: what they have shown, and when they come."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from incidentd.domain.correlate import group_key
from incidentd.domain.drill import LABEL, SETTLING, Drill, Fate, Page, Plan, State, drill_of, judge, titled
from incidentd.domain.escalation import parse_target
from incidentd.domain.notification import DeliveryState
from incidentd.domain.severity import Severity

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LATER = NOW + SETTLING
DRILL = Drill(
    "d1",
    None,
    "alice",
    Severity.CRITICAL,
    "shop",
    "main",
    None,
    NOW,
    NOW + timedelta(minutes=1),
    received_at=NOW,
)


def page(state: DeliveryState, **more: object) -> Page:
    common = Page("chat", "#ops", None, state, False, 1, NOW, NOW, NOW, None, "")
    return replace(common, **more)  # type: ignore[arg-type]


SENT = page(DeliveryState.SENT)
PENDING = page(DeliveryState.PENDING, why="HTTP 500")
DEAD = page(DeliveryState.DEAD, why="no such channel")


def judged(*pages: Page, at: datetime = LATER, over: bool = False, drill: Drill = DRILL) -> tuple[State, str]:
    found = judge(drill, pages, at, over=over, suppressed_by=None)
    return found.state, "; ".join(found.reasons)


def test_the_label_makes_a_drill_and_an_empty_one_does_not() -> None:
    assert (drill_of({LABEL: "x"}), drill_of({LABEL: ""}), drill_of({})) == ("x", None, None)
    assert DRILL.labels[LABEL] == "d1"


def test_a_title_says_drill_once() -> None:
    assert titled(titled("x")) == "[DRILL] x"


def test_a_drill_never_shares_an_incident_with_anything_else() -> None:
    keys = {
        group_key(("alertname",), "main", "f", {"alertname": "X", **more})
        for more in ({}, {LABEL: "1"}, {LABEL: "2"})
    }
    assert len(keys) == 3


def test_it_has_passed_when_every_page_was_accepted() -> None:
    assert judged(SENT, SENT) == (State.PASSED, "")


def test_nothing_is_concluded_before_an_escalation_had_time_to_begin() -> None:
    assert judged(SENT, at=LATER - SECOND) == (State.RUNNING, "")
    assert judged(SENT, at=NOW, over=True) == (State.PASSED, "")


def test_it_waits_for_a_page_until_its_deadline() -> None:
    assert judged(SENT, PENDING)[0] is State.RUNNING
    assert judged(SENT, PENDING, at=DRILL.deadline_at) == (
        State.FAILED,
        "chat (#ops): not accepted in time; HTTP 500",
    )


def test_a_page_that_was_given_up_or_told_elsewhere_fails_it() -> None:
    assert judged(SENT, DEAD) == (State.FAILED, "chat (#ops): no such channel")
    assert judged(SENT, page(DeliveryState.PENDING, fell_back=True))[0] is State.FAILED


def test_a_page_that_an_acknowledgement_made_needless_is_no_failure() -> None:
    assert judged(page(DeliveryState.SUPPRESSED))[0] is State.PASSED


def test_a_page_that_waits_for_its_rule_neither_fails_it_nor_passes_it() -> None:
    waits = page(DeliveryState.PENDING, attempts=0, not_before=NOW + timedelta(hours=1))
    assert waits.fate(LATER) is Fate.LATER
    assert judged(SENT, waits)[0] is State.PASSED
    assert judged(waits) == (State.FAILED, "nobody was told: no route and no contact rule tells anybody now")


def test_no_page_at_all_fails_it_and_maintenance_is_named() -> None:
    assert judged()[0] is State.RUNNING
    found = judge(DRILL, (), DRILL.deadline_at, over=False, suppressed_by="upgrade")
    assert found.reasons == ("nobody was told: maintenance upgrade keeps it quiet",)


def test_an_alert_that_does_not_arrive_fails_it_at_the_deadline() -> None:
    lost = replace(DRILL, received_at=None)
    assert judged(drill=lost)[0] is State.WAITING
    assert judged(drill=lost, at=DRILL.deadline_at) == (State.FAILED, "its alert did not arrive in time")


def test_its_targets_are_channels_and_people() -> None:
    aimed = replace(DRILL, targets=tuple(map(parse_target, ["chat", "user:bob", "schedule:primary"])))
    assert aimed.channels == ("chat",)
    assert [str(target) for target in aimed.people] == ["user:bob", "schedule:primary"]


BERLIN = Plan("weekly", time(10), "Europe/Berlin", Severity.CRITICAL, days=frozenset({0}))


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-23T09:00:00+00:00", "2026-11-23T09:00:00+00:00"),
        ("2026-11-23T08:59:59+00:00", "2026-11-16T09:00:00+00:00"),
        ("2026-11-22T23:00:00+00:00", "2026-11-16T09:00:00+00:00"),
        # Summer time ends in between.
        ("2026-10-25T12:00:00+00:00", "2026-10-19T08:00:00+00:00"),
    ],
)
def test_a_plan_is_due_by_the_clock_on_the_wall(now: str, due: str) -> None:
    assert BERLIN.last_due(datetime.fromisoformat(now)) == datetime.fromisoformat(due)


def test_a_plan_without_any_day_is_never_due() -> None:
    assert replace(BERLIN, days=frozenset()).last_due(NOW) is None
