"""The incident's states, and what people, timers and alerts may do in each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from incidentd.domain import response
from incidentd.domain.incident import (
    ALREADY,
    TRANSITIONS,
    ActionRefusedError,
    Change,
    Event,
    Incident,
    Refusal,
    State,
    evolve,
    step,
)
from incidentd.domain.notification import DeliveryClass, IncidentView, Notice
from incidentd.domain.response import Telling
from incidentd.domain.severity import Severity

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OPEN = Incident(
    id=12,
    source="main",
    group_key="main:{}",
    title="t",
    state=State.TRIGGERED,
    severity=Severity.WARNING,
    service="api",
    labels={},
    notify=("chat",),
    route="r",
    escalation=None,
    opened_at=NOW,
    started_at=NOW,
)
ACKNOWLEDGED = replace(OPEN, state=State.ACKNOWLEDGED, acknowledged_at=NOW, acknowledged_by="bob")
RESOLVED = replace(OPEN, state=State.RESOLVED, resolved_at=NOW, resolved_by="source", ended_at=NOW)
BY_STATE = {incident.state: incident for incident in (OPEN, ACKNOWLEDGED, RESOLVED)}
PAGER = Telling(Severity.CRITICAL, ("phone", "chat"), "critical", "primary")


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_a_step_is_in_the_table_or_refused(state: State, event: Event) -> None:
    if (state, event) in TRANSITIONS:
        assert step(BY_STATE[state], event) is TRANSITIONS[state, event]
        return
    with pytest.raises(ActionRefusedError, match=f"INC-12 is {state}: {event} is not possible") as refused:
        step(BY_STATE[state], event)
    assert (refused.value.refusal, refused.value.state) == (Refusal.WRONG_STATE, state)


def test_only_a_reopen_leads_out_of_resolved() -> None:
    assert [event for state, event in TRANSITIONS if state is State.RESOLVED] == [Event.REOPEN]


def test_repeating_an_event_stays_in_the_state_it_leads_to() -> None:
    for event, state in ALREADY.items():
        assert {after for (_, e), after in TRANSITIONS.items() if e is event} == {state}


ACTS: dict[str, Callable[[Incident], Change]] = {
    "acknowledge": lambda i: response.acknowledge(i, "alice", "", NOW),
    "unacknowledge": lambda i: response.unacknowledge(i, "alice", ""),
    "resolve": lambda i: response.resolve(i, "alice", "", NOW, force=False),
    "reopen": lambda i: response.reopen(i, "alice", ""),
    "snooze": lambda i: response.snooze(i, "alice", "", NOW + MINUTE),
}
T, K, R, REFUSED = State.TRIGGERED, State.ACKNOWLEDGED, State.RESOLVED, None


@pytest.mark.parametrize(
    ("act", "state", "after", "notice"),
    [
        ("acknowledge", T, K, Notice.ACKNOWLEDGED),
        ("acknowledge", K, K, None),
        ("acknowledge", R, REFUSED, None),
        ("unacknowledge", T, T, None),
        ("unacknowledge", K, T, Notice.UNACKNOWLEDGED),
        ("unacknowledge", R, REFUSED, None),
        ("resolve", T, R, Notice.RESOLVED),
        ("resolve", K, R, Notice.RESOLVED),
        ("resolve", R, R, None),
        ("reopen", T, T, None),
        ("reopen", K, K, None),
        ("reopen", R, T, Notice.REOPENED),
        ("snooze", T, T, Notice.UPDATED),
        ("snooze", K, K, Notice.UPDATED),
        ("snooze", R, REFUSED, None),
    ],
)
def test_an_act_is_done_or_done_already_or_refused(
    act: str, state: State, after: State | None, notice: Notice | None
) -> None:
    if after is None:
        with pytest.raises(ActionRefusedError):
            ACTS[act](BY_STATE[state])
        return
    change = ACTS[act](BY_STATE[state])
    assert (change.incident.state, change.notice) == (after, notice)
    assert (change.entry is None) == (notice is None)
    if notice is None:
        assert change.incident is BY_STATE[state]


@pytest.mark.parametrize("act", ACTS)
def test_an_act_done_twice_is_done_once(act: str) -> None:
    start = RESOLVED if act == "reopen" else ACKNOWLEDGED if act == "unacknowledge" else OPEN
    once = ACTS[act](start).incident
    assert ACTS[act](once).incident is once


def test_the_first_acknowledgement_is_remembered() -> None:
    first = response.acknowledge(OPEN, "alice", "", NOW).incident
    back = response.unacknowledge(first, "alice", "busy").incident
    again = response.acknowledge(back, "bob", "", NOW + MINUTE).incident
    assert (back.acknowledged_at, back.acknowledged_by) == (None, None)
    assert (again.first_acknowledged_at, again.acknowledged_at, again.acknowledged_by) == (
        NOW,
        NOW + MINUTE,
        "bob",
    )


def test_what_a_person_said_is_in_the_timeline_and_in_the_message() -> None:
    change = response.acknowledge(OPEN, "alice", "on it", NOW)
    assert change.entry is not None
    assert (change.entry.text, change.comment) == ("acknowledged by alice: on it", "on it")


def test_a_firing_incident_is_resolved_only_by_force() -> None:
    firing = replace(OPEN, alerts_firing=2, ended_at=NOW)
    with pytest.raises(ActionRefusedError, match="still has 2 firing alert") as refused:
        response.resolve(firing, "alice", "", NOW, force=False)
    assert refused.value.refusal is Refusal.STILL_FIRING
    change = response.resolve(firing, "alice", "", NOW, force=True)
    assert change.entry is not None
    assert change.entry.text == "resolved by alice while alerts still fire"
    assert (change.incident.resolved_by, change.incident.ended_at) == ("alice", None)


def test_force_is_not_noted_where_it_was_not_needed() -> None:
    change = response.resolve(OPEN, "alice", "", NOW, force=True)
    assert change.entry is not None
    assert (change.entry.text, change.entry.data["forced"]) == ("resolved by alice", False)


def test_a_reopened_incident_starts_a_new_episode_with_a_clean_slate() -> None:
    after = response.reopen(replace(RESOLVED, counts=False), "alice", "").incident
    assert (after.resolved_at, after.resolved_by, after.ended_at) == (None, None, None)
    assert (after.reopen_count, after.episode, after.counts) == (1, 2, True)


def test_a_snooze_that_ends_tells_anew() -> None:
    snoozed = response.snooze(ACKNOWLEDGED, "alice", "later", NOW + MINUTE)
    assert (snoozed.incident.quiet, snoozed.comment) == (True, "later")
    change = response.snooze_ended(snoozed.incident)
    assert (change.incident.state, change.notice, change.incident.quiet) == (T, Notice.ESCALATED, False)


@pytest.mark.parametrize(("reopened", "notice"), [(0, Notice.TRIGGERED), (1, Notice.REOPENED)])
def test_a_hold_that_ends_tells_of_what_nobody_has_heard_yet(reopened: int, notice: Notice) -> None:
    held = replace(OPEN, held_until=NOW, reopen_count=reopened)
    change = response.hold_ended(held)
    assert (change.incident.held_until, change.notice) == (None, notice)


@pytest.mark.parametrize(("held", "notice"), [(None, Notice.RESOLVED), (NOW, None)])
def test_the_end_of_all_alerts_resolves_and_is_silent_for_what_was_held(
    held: datetime | None, notice: Notice | None
) -> None:
    change = response.ended_by_source(replace(OPEN, held_until=held), NOW, NOW - MINUTE, administrative=False)
    after = change.incident
    assert (after.state, after.resolved_by, change.notice, after.quiet) == (R, "source", notice, False)


def test_the_latest_end_counts_and_a_deleted_rule_does_not() -> None:
    change = response.ended_by_source(replace(OPEN, ended_at=NOW), NOW, NOW - MINUTE, administrative=True)
    assert (change.incident.ended_at, change.incident.counts) == (NOW, False)
    assert change.entry is not None
    assert change.entry.text == "resolved: the rule was paused or deleted"


def test_a_newer_occurrence_reopens_with_its_own_severity_and_route() -> None:
    change = response.refired(RESOLVED, PAGER, alert_name="Down", since=NOW)
    after = change.incident
    assert change.entry is not None
    assert change.entry.text == "fires again: Down; severity critical, was warning"
    assert {
        "from": "warning",
        "to": "critical",
        "since": NOW.isoformat(),
    }.items() <= change.entry.data.items()
    assert (after.severity, after.notify, after.route, after.escalation) == (
        Severity.CRITICAL, ("phone", "chat"), "critical", "primary",
    )  # fmt: skip
    assert (after.state, change.notice) == (T, Notice.REOPENED)


@pytest.mark.parametrize(
    ("severity", "route"), [(Severity.CRITICAL, "critical"), (Severity.WARNING, "r"), (Severity.INFO, "r")]
)
def test_a_stale_looking_firing_is_held_and_moves_the_severity_only_upwards(
    severity: Severity, route: str
) -> None:
    telling = replace(PAGER, severity=severity)
    change = response.refired_same_start(RESOLVED, telling, alert_name="Down", until=NOW + MINUTE)
    assert (change.incident.route, change.notice, change.incident.held_until) == (route, None, NOW + MINUTE)
    assert not change.incident.severity.worse_than(min(severity, Severity.WARNING, key=lambda s: s.rank))


@pytest.mark.parametrize(
    "incident", [OPEN, replace(ACKNOWLEDGED, snoozed_until=NOW), replace(OPEN, held_until=NOW)]
)
def test_a_raised_severity_pages_again_over_old_and_new_channels(incident: Incident) -> None:
    change = response.raised(replace(incident, notify=("mail", "chat")), PAGER)
    after = change.incident
    assert (after.state, change.notice, after.quiet, after.acknowledged_by) == (
        T,
        Notice.ESCALATED,
        False,
        None,
    )
    assert after.notify == ("mail", "chat", "phone")
    assert (
        response.raised(
            replace(incident, escalation="old"), replace(PAGER, escalation=None)
        ).incident.escalation
        == "old"
    )


def test_a_clock_that_stepped_back_does_not_turn_an_incidents_time_around() -> None:
    assert OPEN.moment(NOW - MINUTE) == NOW
    assert OPEN.moment(NOW + MINUTE) == NOW + MINUTE
    assert evolve(OPEN, last_at=NOW + 2 * MINUTE).moment(NOW) == NOW + 2 * MINUTE
    assert response.acknowledge(OPEN, "alice", "", NOW - MINUTE).incident.acknowledged_at == NOW


def test_evolving_is_replacing() -> None:
    assert evolve(OPEN, title="new", last_seq=3) == replace(OPEN, title="new", last_seq=3)
    assert OPEN.title == "t"


def test_every_notice_has_a_class_and_every_class_a_priority_and_pages_go_first() -> None:
    assert {notice.delivery_class for notice in Notice} < set(DeliveryClass)
    for severity in Severity:
        assert min(DeliveryClass, key=lambda each: each.priority(severity)) is DeliveryClass.PAGE
    page = DeliveryClass.PAGE
    assert page.priority(Severity.CRITICAL) < page.priority(Severity.WARNING) == page.priority(Severity.INFO)
    pages = {notice for notice in Notice if notice.delivery_class is DeliveryClass.PAGE}
    assert pages == {Notice.TRIGGERED, Notice.REOPENED, Notice.ESCALATED, Notice.UNACKNOWLEDGED}


def test_an_incident_is_called_by_its_number() -> None:
    view = IncidentView.__new__(IncidentView)
    object.__setattr__(view, "id", 12)
    assert view.ref == "INC-12"
