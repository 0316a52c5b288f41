"""Silences at the source: what they match, how they stand together, when they are forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from incidentd.domain.incident import Incident
from incidentd.domain.incident import State as IncidentState
from incidentd.domain.severity import Severity
from incidentd.domain.silence import (
    LIVE,
    Forgotten,
    Match,
    NothingToMatchError,
    Policy,
    Silence,
    State,
    forgotten,
    mark,
    mark_in,
    marked,
    matchers_of,
    newest,
    pause,
    standing,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DISK = {"alertname": "DiskFull", "cluster": "eu-1", "instance": "a", "severity": "critical"}
BY = ("alertname", "cluster", "service")


def silence(number: int = 1, state: State = State.ACTIVE, **changes: object) -> Silence:
    made = Silence(
        id=number,
        incident_id=12,
        source="main",
        alertmanager=f"http://am-{number}",
        state=state,
        mark="incidentd i INC-12 #a",
        matchers=(),
        starts_at=NOW,
        ends_at=NOW + 2 * HOUR,
        created_by="alice",
        created_at=NOW,
        warn_at=NOW + HOUR,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


INCIDENT = Incident(
    id=12,
    source="main",
    group_key="main:{}",
    title="x",
    state=IncidentState.TRIGGERED,
    severity=Severity.CRITICAL,
    service="",
    labels={},
    notify=(),
    route="",
    escalation=None,
    opened_at=NOW,
    started_at=NOW,
)


def shown(by: tuple[str, ...], *alerts: dict[str, str]) -> list[str]:
    return [str(match) for match in matchers_of(by, alerts)]


def test_the_grouping_labels_are_matched_and_a_missing_one_must_be_missing() -> None:
    other = {**DISK, "instance": "b"}
    assert shown(BY, DISK, other) == ['alertname="DiskFull"', 'cluster="eu-1"', 'service=""']


def test_the_alert_name_narrows_a_grouping_without_it() -> None:
    assert shown(("cluster",), DISK) == ['cluster="eu-1"', 'alertname="DiskFull"']
    assert shown((), DISK) == ['alertname="DiskFull"']


def test_several_alert_names_become_one_pattern_in_which_they_mean_themselves() -> None:
    found = shown(("cluster",), DISK, {**DISK, "alertname": "A+B"})
    assert found == ['cluster="eu-1"', 'alertname=~"A\\\\+B|DiskFull"']


def test_too_many_names_or_a_missing_one_leave_the_grouping_labels_alone() -> None:
    many = [{**DISK, "alertname": f"A{n}"} for n in range(21)]
    assert shown(("cluster",), *many) == ['cluster="eu-1"']
    assert shown(("cluster",), DISK, {"cluster": "eu-1"}) == ['cluster="eu-1"']


def test_a_drill_s_label_is_matched_too() -> None:
    assert 'incidentd_drill="d1"' in shown(BY, {**DISK, "incidentd_drill": "d1"})


def test_one_incident_per_alert_is_matched_by_all_labels() -> None:
    assert shown(("...",), DISK) == [f'{name}="{value}"' for name, value in sorted(DISK.items())]
    assert 'instance="a"' not in shown(("...",), DISK, {**DISK, "instance": "b"})


@pytest.mark.parametrize("alerts", [[], [{"job": "node"}], [{}]])
def test_what_would_match_every_alert_is_refused(alerts: list[dict[str, str]]) -> None:
    with pytest.raises(NothingToMatchError):
        matchers_of(BY, alerts)


def test_values_are_quoted_as_alertmanager_quotes_them() -> None:
    assert str(Match("a", 'x"y\\z\n')) == 'a="x\\"y\\\\z\\n"'


def test_our_mark_is_found_in_a_comment_and_no_other_installation_s() -> None:
    made = mark("f00d", 12, "abc")
    assert mark_in(marked("disk swap [x]", made), "f00d") == (made, 12)
    assert marked("", made) == f"[{made}]"
    assert mark_in(marked("", made), "beef") is None
    assert mark_in("disk swap", "f00d") is None


def test_a_length_is_above_zero_and_at_most_the_longest() -> None:
    policy = Policy(longest=2 * HOUR)
    assert policy.refused(2 * HOUR) is None
    for wrong in (timedelta(), -HOUR, 3 * HOUR):
        assert "at most 2h (silences.longest)" in (policy.refused(wrong) or "")


def test_the_end_of_a_short_one_is_told_late() -> None:
    policy = Policy()
    assert policy.warn_at(NOW, NOW + 2 * HOUR) == NOW + timedelta(minutes=105)
    assert policy.warn_at(NOW, NOW + timedelta(minutes=20)) == NOW + timedelta(minutes=15)


def test_attempts_come_at_growing_distances_up_to_two_minutes() -> None:
    assert [pause(n).total_seconds() for n in (1, 2, 3, 7, 60)] == [2, 4, 8, 120, 120]


def test_what_stands_says_where_it_is_not() -> None:
    waits = silence(2, State.WANTED, last_error="unreachable: refused")
    assert standing([silence(1), waits]) == (
        "active on 1 of 2 Alertmanagers; http://am-2: unreachable: refused, tried again"
    )
    assert standing([silence(1, State.WANTED)]).endswith("0 of 1 Alertmanager; http://am-1: not asked yet")
    assert standing([]) == standing([silence(1, State.EXPIRED)]) == "not silenced"
    refused = silence(2, State.FAILED, last_error="invalid: HTTP 400")
    assert standing([refused]) == "failed: invalid: HTTP 400"
    assert standing([silence(1), refused]).endswith("http://am-2: invalid: HTTP 400")
    assert standing([silence(1, State.EXPIRING), silence(2, State.EXPIRED)]) == "being ended"
    assert "http://am-2: expired" in standing([silence(1), silence(2, State.EXPIRED)])


@pytest.mark.parametrize(
    ("one", "incident", "hours", "why"),
    [
        (silence(), INCIDENT, 1, None),
        (silence(), replace(INCIDENT, state=IncidentState.RESOLVED), 1, Forgotten.RESOLVED),
        (silence(), None, 1, Forgotten.RESOLVED),
        (silence(ends_at=NOW + 99 * HOUR), INCIDENT, 24, Forgotten.OLD),
        (silence(found=True), INCIDENT, 1, Forgotten.UNKNOWN),
        (silence(state=State.EXPIRING), None, 1, None),
        (silence(state=State.EXPIRING, attempts=2), None, 1, Forgotten.RESOLVED),
        (silence(state=State.WANTED), None, 1, None),
        (silence(), None, 2, None),
    ],
)
def test_a_silence_is_forgotten_when_nobody_seems_to_want_it(
    one: Silence, incident: Incident | None, hours: int, why: Forgotten | None
) -> None:
    assert forgotten(one, incident, Policy(), NOW + hours * HOUR) is why


def test_the_latest_silence_counts_and_one_that_was_found_only_without_another() -> None:
    old, new = silence(1, State.EXPIRED, mark="a"), silence(2, mark="b")
    found = silence(3, mark="c", found=True)
    assert newest([new, found, old]) == [new]
    assert newest([found]) == [found]
    assert newest([]) == []
    assert [state for state in State if state.live] == list(LIVE)
