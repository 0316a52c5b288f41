"""When a heartbeat is missing, and what a source's resolves are worth meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from incidentd.domain.heartbeat import (
    Heartbeat,
    Pulse,
    PulseState,
    Trust,
    Turn,
    Withheld,
    contradicted,
    judge_withheld,
    turn,
    unsure,
)
from incidentd.domain.incident import Incident, State
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.severity import Severity

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONG_AGO = NOON - 1000 * MINUTE
WATCHDOG = Heartbeat(
    "main", "main", (parse_matcher('alertname="Watchdog"'),), 5 * MINUTE, MINUTE, Severity.CRITICAL
)
BEATING = Pulse("main", "main", PulseState.BEATING, NOON, NOON)
TRUST = Trust(silent="main", back_since=None, limit=2, settle=5 * MINUTE)


@pytest.mark.parametrize(
    ("pulse", "minutes", "listening", "what"),
    [
        (None, 0, LONG_AGO, Turn.FIRST),
        (BEATING, 5.9, LONG_AGO, None),
        (BEATING, 6, LONG_AGO, Turn.LOST),
        # It was not heard, for nobody could hear.
        (BEATING, 60, NOON + 58 * MINUTE, None),
        (BEATING, 64, NOON + 58 * MINUTE, Turn.LOST),
        # Never seen: counted from when it was configured.
        (replace(BEATING, state=PulseState.WAITING, last_beat_at=None), 5, LONG_AGO, None),
        (replace(BEATING, state=PulseState.WAITING, last_beat_at=None), 6, LONG_AGO, Turn.LOST),
        # The source itself says so: no need to wait, and none to have listened.
        (replace(BEATING, ended_at=NOON + MINUTE), 1, NOON + MINUTE, Turn.LOST),
        (replace(BEATING, state=PulseState.MISSING), 99, LONG_AGO, None),
        (replace(BEATING, state=PulseState.BACK), 99, LONG_AGO, Turn.RETURNED),
        (replace(BEATING, state=PulseState.BACK, ended_at=NOON), 99, LONG_AGO, None),
        # Noted before the clock was set back.
        (replace(BEATING, last_beat_at=NOON + 90 * MINUTE), 6, NOON + MINUTE, None),
        (replace(BEATING, last_beat_at=NOON + 90 * MINUTE), 7, NOON + MINUTE, Turn.LOST),
    ],
)
def test_what_has_to_be_done_about_a_heartbeat(
    pulse: Pulse | None, minutes: float, listening: datetime, what: Turn | None
) -> None:
    assert turn(WATCHDOG, pulse, listening, NOON + minutes * MINUTE) is what


def test_only_alerts_that_fit_are_beats_and_a_pinged_heartbeat_has_none() -> None:
    assert WATCHDOG.beats({"alertname": "Watchdog"})
    assert not WATCHDOG.beats({"alertname": "Other"})
    assert not replace(WATCHDOG, matchers=()).beats({"alertname": "Watchdog"})


def ended(number: int, minute: float = 0) -> Incident:
    """An incident whose alerts ended at a minute while the heartbeat was missing."""
    plain = Incident(
        id=number,
        source="main",
        group_key=f"main:{number}",
        title="t",
        state=State.TRIGGERED,
        severity=Severity.WARNING,
        service="",
        labels={},
        notify=("chat",),
        route="root",
        escalation=None,
        opened_at=LONG_AGO,
        started_at=LONG_AGO,
        ended_at=NOON,
    )
    return unsure(plain, "main", NOON + minute * MINUTE, administrative=False).incident


def kinds(incidents: list[Incident], trust: Trust, minute: float) -> list[tuple[int, str]]:
    changes = judge_withheld(incidents, trust, NOON + minute * MINUTE)
    return [(change.incident.id, change.entry.kind) for change in changes if change.entry]


def test_few_that_end_are_believed_after_a_minute_and_many_are_not() -> None:
    assert kinds([ended(1), ended(2)], TRUST, 0.5) == []
    assert kinds([ended(1), ended(2)], TRUST, 1) == [(1, "resolved"), (2, "resolved")]
    assert kinds([ended(1), ended(2, 0.5), ended(3, 0.9)], TRUST, 0.9) == [
        (1, "resolve_distrusted"),
        (2, "resolve_distrusted"),
        (3, "resolve_distrusted"),
    ]
    # One after the other, each is believed.
    assert kinds([ended(1), ended(2, 3), ended(3, 6)], TRUST, 1) == [(1, "resolved")]


def test_a_distrusted_resolve_waits_for_the_heartbeat_and_for_what_may_contradict() -> None:
    distrusted = [replace(ended(n), resolve_withheld_for=Withheld.DISTRUSTED.value) for n in (1, 2, 3)]
    assert kinds(distrusted, TRUST, 600) == []
    back = replace(TRUST, silent=None, back_since=NOON + 10 * MINUTE)
    assert kinds(distrusted, back, 14) == []
    assert [number for number, _ in kinds(distrusted, back, 15)] == [1, 2, 3]
    (change, *_) = judge_withheld(distrusted, back, NOON + 15 * MINUTE)
    assert change.incident.state is State.RESOLVED
    assert (change.incident.ended_at, change.incident.resolve_withheld_at) == (NOON, None)


def test_a_resolve_by_a_person_never_lets_the_rest_of_a_mass_be_believed() -> None:
    left = replace(ended(1), resolve_withheld_for=Withheld.DISTRUSTED.value)
    assert kinds([left], TRUST, 600) == []


def test_what_fires_again_contradicts_and_the_incident_goes_on_as_before() -> None:
    after = contradicted(ended(1), "Down")
    assert (after.incident.resolve_withheld_at, after.incident.ended_at) == (None, None)
    assert after.entry is not None
    assert after.entry.kind == "resolve_dropped"
